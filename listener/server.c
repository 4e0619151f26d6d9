/*-------------------------------------------------------------------------
 *
 * server.c
 *	  The rooms of a listener process, wired together.
 *
 * One turn of the loop, after its descriptors and timers:
 *
 *	 feed_turn		   revocations, then messages, as far as they were read
 *	 fanout_flush	   one write per member of each group that got any
 *	 durable_pump	   what those who came back have missed
 *	 reception_close_doomed  those whose queue ran over
 *	 recheck_pump	   questions about those already seated
 *	 client_reap	   free those whose connection is gone
 *	 transport_turn	   close the sockets that were dropped
 *
 * calls and feed flush their connections in steps of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "server.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "acceptor.h"
#include "admission.h"
#include "client.h"
#include "conversation.h"
#include "credentials.h"
#include "durable.h"
#include "fanout.h"
#include "log.h"
#include "pglink.h"
#include "raw.h"
#include "reception.h"
#include "recheck.h"
#include "report.h"
#include "subscription.h"
#include "tls.h"

/* How long the end may wait for the database to be told of it. */
#define LAST_REPORT_MS 1000

#define MAX_DESCRIPTORS ((rlim_t) 1 << 20)

typedef struct Server
{
	ClientEnv env;
	Config	 *config;
	Acceptor *acceptor;
	Report	 *report;
	LoopTimer drain_end;
	bool	  stopping;
} Server;

/* ---- what PostgreSQL announces ----------------------------------------- */

static void
on_message(void *arg, Slice group, FeedType type, Slice payload)
{
	Server *server = arg;

	fanout_add(&server->env, group, NULL, type, payload);
}

static void
on_durable(void *arg, Slice group, const Position *position, FeedType type,
		   Slice payload)
{
	Server *server = arg;

	durable_on_message(&server->env, group, position, type, payload);
}

static void
on_overrun(void *arg)
{
	Server *server = arg;

	log_info("feed: too many durable messages at once; asking for each group");
	durable_on_overrun(&server->env);
}

static void
doom_revoked(HubOccupant *occupant, void *arg)
{
	(void) arg;
	client_doom(client_of_occupant(occupant), WS_CLOSE_REVOKED, "revoked");
}

static void
doom_revoked_kind(HubOccupant *occupant, void *arg)
{
	Client		*client = client_of_occupant(occupant);
	const Slice *kind = arg;
	/* A JWT's issuer_id is its own jti. */
	bool issued = occupant->issuer_id != NULL &&
				  slice_equals(slice_of(client->kind), CREDENTIAL_SESSION);

	/* Session keys with an issuer were issued from a token; whether that was
	 * one of knox, which has a table of its own, is not known here. */
	if (slice_equals(*kind, client->kind) ||
		(issued && (slice_equals(*kind, CREDENTIAL_TOKEN) ||
					slice_equals(*kind, CREDENTIAL_KNOX))))
		doom_revoked(occupant, NULL);
}

static void
doom_identified(HubOccupant *occupant, void *arg)
{
	if (occupant->user_id != NULL)
		doom_revoked(occupant, arg);
}

static void
on_revoke(void *arg, FeedRevoke what, Slice key)
{
	Server *server = arg;
	Hub	   *hub = server->env.hub;

	switch (what)
	{
		case FEED_REVOKE_CREDENTIAL:
			hub_each(hub, HUB_BY_CREDENTIAL, key, doom_revoked, NULL);
			break;
		case FEED_REVOKE_USER:
			hub_each(hub, HUB_BY_USER, key, doom_revoked, NULL);
			break;
		case FEED_REVOKE_KIND:
			hub_each(hub, HUB_BY_USER, SLICE_NONE, doom_revoked_kind, &key);
			break;
		case FEED_REVOKE_ALL:
			hub_each(hub, HUB_BY_USER, SLICE_NONE, doom_identified, NULL);
			break;
	}
	reception_close_doomed(&server->env);
}

static void
kick(HubOccupant *occupant, void *arg)
{
	Client		*client = client_of_occupant(occupant);
	const Slice *group = arg;
	Seat		*seat = seat_find(client, *group);

	if (seat == NULL)
		return;
	if (client->mode == CLIENT_V1)
		subscription_expel(seat, "kicked");
	else
		client_doom(client, WS_CLOSE_REVOKED, "kicked");
}

static void
on_kick(void *arg, Slice group, Slice user_id)
{
	Server *server = arg;

	hub_each(server->env.hub, HUB_BY_USER, user_id, kick, &group);
	reception_close_doomed(&server->env);
}

static void
on_policy(void *arg, Slice category)
{
	Server *server = arg;

	recheck_category(&server->env, category);
}

static void
on_ends_sooner(void *arg, Slice credential_id)
{
	Server *server = arg;

	recheck_credential(&server->env, credential_id);
}

static void
on_recheck_group(void *arg, Slice group)
{
	Server *server = arg;

	recheck_group(&server->env, group);
}

static void
on_recheck_user(void *arg, Slice user_id)
{
	Server *server = arg;

	recheck_user(&server->env, user_id);
}

static void
on_presence(void *arg, Slice group, bool joined, Slice user)
{
	Server *server = arg;

	fanout_add_presence(&server->env, group, joined, user);
}

static void
on_feed_ready(void *arg, bool after_gap)
{
	Server *server = arg;

	if (after_gap)
	{
		log_info("feed: rechecking %zu connections", server->env.count);
		recheck_everybody(&server->env);
	}
	durable_on_feed_ready(&server->env);
	admission_on_feed_ready(&server->env);
}

static void
on_feed_down(void *arg)
{
	(void) arg; /* feed.c has said why; clients stay, newcomers wait */
}

static void
on_listening(void *arg, Slice group, bool ok)
{
	Server *server = arg;

	admission_on_listening(&server->env, group, ok);
}

static const FeedHandler feed_handler = {
	.on_message = on_message,
	.on_durable = on_durable,
	.on_overrun = on_overrun,
	.on_revoke = on_revoke,
	.on_kick = on_kick,
	.on_policy = on_policy,
	.on_ends_sooner = on_ends_sooner,
	.on_recheck_group = on_recheck_group,
	.on_recheck_user = on_recheck_user,
	.on_presence = on_presence,
	.on_ready = on_feed_ready,
	.on_down = on_feed_down,
	.on_listening = on_listening,
};

/* ---- one turn ---------------------------------------------------------- */

/* Nobody is left, and what they sent is with the database, if that is there. */
static bool
is_drained(const ClientEnv *env)
{
	return env->count == 0 &&
		   (calls_pending(env->calls) == 0 || !calls_ready(env->calls));
}

static void
on_turn(void *arg)
{
	Server	  *server = arg;
	ClientEnv *env = &server->env;

	feed_turn(env->feed);
	fanout_flush(env);
	durable_pump(env);
	reception_close_doomed(env);
	recheck_pump(env);
	client_reap(env);
	transport_turn(env->transport);
	if (server->stopping && is_drained(env) && report_finish(server->report))
		loop_stop(env->loop);
}

/* ---- signals ----------------------------------------------------------- */

static void
on_drain_end(LoopTimer *timer)
{
	Server *server = container_of(timer, Server, drain_end);

	log_warning("server: %zu connections and %zu questions did not end in time",
				server->env.count, calls_pending(server->env.calls));
	loop_stop(server->env.loop);
}

/* Stop accepting, and close everyone within drain_time, spread evenly. */
static void
begin_drain(Server *server)
{
	ClientEnv	 *env = &server->env;
	const Config *config = env->config;
	uint64_t	  now_ms = loop_now_ms(env->loop);
	uint64_t	  position = 0;
	Client		 *next;

	log_info("server: draining %zu connections within %llu ms", env->count,
			 (unsigned long long) config->drain_time_ms);
	server->stopping = true;
	env->draining = true;
	acceptor_destroy(server->acceptor);
	server->acceptor = NULL;
	for (Client *client = env->all; client != NULL; client = next)
	{
		next = client->all_next;
		if (client->state == CLIENT_OPEN)
		{
			client->drain_at_ms =
				now_ms + 1 + config->drain_time_ms * position++ / env->count;
			client_schedule(client);
		}
		else
			reception_close(client, WS_CLOSE_GOING_AWAY, "draining");
	}
	server->drain_end.on_due = on_drain_end;
	/* The last peer to be given up, and then a last report. */
	loop_arm(env->loop, &server->drain_end,
			 now_ms + config->drain_time_ms + config->close_timeout_ms +
				 LAST_REPORT_MS);
	loop_wake(env->loop);
}

static void
on_stop_signal(void *arg, int signum)
{
	Server *server = arg;

	(void) signum;
	if (server->stopping)
		loop_stop(server->env.loop); /* asked twice: now */
	else
		begin_drain(server);
}

static void
note_setting(const char *sentence)
{
	log_warning("settings: %s", sentence);
}

static void
on_reload_signal(void *arg, int signum)
{
	Server	  *server = arg;
	ClientEnv *env = &server->env;
	Config	   fresh;
	char	   error[512] = "";

	(void) signum;
	if (!config_reload(server->config, &fresh, error, sizeof(error),
					   note_setting))
	{
		log_error("settings: not reloaded: %s", error);
		return;
	}
	config_fini(server->config);
	*server->config = fresh;
	log_set_level(fresh.log_level);
	calls_set_max_pending(env->calls, fresh.max_pending_calls);
	streams_set_max_bytes(env->streams, fresh.recent_bytes);
	feed_set_canary_interval(env->feed, fresh.canary_interval_ms);
	if (!transport_reload_tls(env->transport, fresh.tls_certificate,
							  fresh.tls_key, error, sizeof(error)))
		log_error("settings: certificate not reloaded: %s", error);
	log_info("settings: reloaded");
}

/* ---- start and stop ---------------------------------------------------- */

/*
 * As many descriptors as the process may have, within reason: libwebsockets
 * keeps 16 bytes for each that there may be, and above ten million, which
 * containers are given, takes the number for nonsense and serves 2,560.
 */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
	{
		limit.rlim_cur =
			limit.rlim_max < MAX_DESCRIPTORS ? limit.rlim_max : MAX_DESCRIPTORS;
		(void) setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
take_connection(void *arg, int fd, bool tls, const PeerAddress *address)
{
	Server *server = arg;

	reception_accept(&server->env, fd, tls, address);
}

/* A name that no other process has had. */
static bool
name_listener(ClientEnv *env)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t) sizeof(number))
		return false;
	snprintf(env->listener_id, sizeof(env->listener_id), "%016llx",
			 (unsigned long long) number);
	return true;
}

static bool
start(Server *server, char *error, size_t error_cap)
{
	ClientEnv	*env = &server->env;
	Config		*config = server->config;
	CallsOptions calls = {
		.conninfo = config->database,
		.links = (int) config->call_links,
		.call_timeout_ms = config->call_timeout_ms,
		.max_pending = config->max_pending_calls,
	};
	FeedOptions feed = {
		.conninfo = config->database,
		.canary_interval_ms = config->canary_interval_ms,
		.call_timeout_ms = config->call_timeout_ms,
	};
	TransportOptions transport = {
		.tls_certificate = config->tls_listen[0] ? config->tls_certificate : "",
		.tls_key = config->tls_key,
	};

	snprintf(error, error_cap, "out of memory");
	env->config = config;
	env->requests.end = &env->requests.first;
	env->rechecks.end = &env->rechecks.first;
	TAILQ_INIT(&env->resumes);
	env->on_seat_decided = admission_settle_seat;
	env->on_message[CLIENT_RAW] = raw_on_message;
	env->on_message[CLIENT_V1] = conversation_on_message;
	env->loop = loop_create();
	env->hub = hub_create();
	env->roster = roster_create();
	env->streams = streams_create(config->recent_bytes, env);
	if (env->loop == NULL || env->hub == NULL || env->roster == NULL ||
		env->streams == NULL || !name_listener(env))
		return false;
	/* First of all: whoever is told that we listen may ask us to stop. */
	if (!loop_on_signal(env->loop, SIGTERM, on_stop_signal, server) ||
		!loop_on_signal(env->loop, SIGINT, on_stop_signal, server) ||
		!loop_on_signal(env->loop, SIGHUP, on_reload_signal, server))
		return false;
	env->transport = transport_create(
		env->loop, &transport, &reception_transport_handler, error, error_cap);
	if (env->transport == NULL)
		return false;
	server->acceptor =
		acceptor_create(env->loop, config->listen, config->tls_listen,
						take_connection, server, error, error_cap);
	if (server->acceptor == NULL)
		return false;
	snprintf(error, error_cap,
			 "out of memory, or not a database connection "
			 "string: see the setting database");
	env->calls = calls_create(env->loop, &calls);
	env->feed = feed_create(env->loop, &feed, &feed_handler, server);
	if (env->calls == NULL || env->feed == NULL)
		return false;
	server->report = report_create(env);
	if (server->report == NULL)
		return false;
	loop_add_turn_step(env->loop, on_turn, server);
	return true;
}

static void
stop(Server *server)
{
	ClientEnv *env = &server->env;

	acceptor_destroy(server->acceptor);
	while (env->all != NULL)
	{
		client_drop(env->all, NULL);
		reception_close_doomed(env);
		client_reap(env);
	}
	report_destroy(server->report);
	feed_destroy(env->feed);
	calls_destroy(env->calls);
	transport_destroy(env->transport);
	hub_destroy(env->hub);
	roster_destroy(env->roster);
	streams_destroy(env->streams);
	limit_table_fini(&env->users);
	limit_table_fini(&env->addresses);
	loop_destroy(env->loop);
}

bool
server_check(const Config *config, char *error, size_t error_cap)
{
	if (!pglink_conninfo_is_valid(config->database))
	{
		/* libpq's own message would quote it, and it may hold a password */
		snprintf(error, error_cap,
				 "setting database is not a libpq connection string or URI; "
				 "write it as host=... dbname=... user=...");
		return false;
	}
	return config->tls_listen[0] == '\0' ||
		   tls_check_pair(config->tls_certificate, config->tls_key, error,
						  error_cap);
}

int
server_run(Config *config)
{
	Server *server = calloc(1, sizeof(*server));
	char	error[512] = "";
	int		status = 1;

	if (server == NULL)
		return 1;
	server->config = config;
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	config_warn(config, note_setting);
	if (start(server, error, sizeof(error)))
	{
		log_info("server: usherd %s started", config_version());
		loop_run(server->env.loop);
		log_info("server: stopped");
		status = 0;
	}
	else
		log_error("server: %s", error);
	stop(server);
	free(server);
	return status;
}
