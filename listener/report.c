/*-------------------------------------------------------------------------
 *
 * report.c
 *	  The database is told who is connected here, and that we live.
 *
 *-------------------------------------------------------------------------
 */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

/* Connections, and visitors, in one report: the rest is in the next. */
#define REPORT_MAX 2000

/* Past this, no further connection is added: those of usher.v1 may be in many
 * groups each. */
#define REPORT_MAX_BYTES (1024 * 1024)

#define REPORT_TIMEOUT_MS 5000

/* The last one holds up the end of the process. */
#define REPORT_LAST_TIMEOUT_MS 1000

struct Report
{
	ClientEnv *env;
	LoopTimer  timer;
	Call	  *call;
	uint64_t   told_ms;		/* when the database was last told anything */
	size_t	   closed_told; /* how many of the roster's are in this report */
	bool	   began;		/* the database knows us */
	bool	   more;		/* not all found room, or all is to be told anew */
	bool	   ending;
	bool	   ended;
	bool	   complained;
};

/* ---- writing ------------------------------------------------------------- */

static void
append_text(ProtocolText *out, const char *text)
{
	protocol_append(out, text, strlen(text));
}

static void
append_string(ProtocolText *out, const char *name, const char *value)
{
	append_text(out, name);
	protocol_append_string(out, value, value != NULL ? strlen(value) : 0);
}

static void
append_number(ProtocolText *out, const char *name, int64_t value)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%" PRId64, value);
	append_text(out, name);
	append_text(out, digits);
}

/* When the client was opened, as Unix time. */
static int64_t
opened_unix_ms(const Client *client)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000 -
		   (int64_t) (loop_now_ms(client->env->loop) - client->opened_ms);
}

static void
append_client(ProtocolText *out, const Client *client)
{
	char		address[PEER_ADDRESS_TEXT];
	const char *separator = "";

	peer_address_ip_text(&client->address, address);
	append_number(out, "{\"c\":", (int64_t) client->id);
	append_string(out, ",\"u\":", client->occupant.user_id);
	append_string(out, ",\"n\":", client->username);
	append_string(out, ",\"k\":", client->kind);
	append_string(out, ",\"i\":", client->occupant.credential_id);
	append_string(out, ",\"a\":", address);
	append_string(out,
				  ",\"p\":", client->mode == CLIENT_V1 ? "usher.v1" : "raw");
	append_number(out, ",\"s\":", opened_unix_ms(client));
	append_text(out, ",\"g\":[");
	for (const Seat *seat = client->seats; seat != NULL; seat = seat->next)
	{
		if (!seat->open)
			continue;
		append_string(out, separator, seat_group(seat).ptr);
		separator = ",";
	}
	append_text(out, "]}");
}

static void
append_opened(ProtocolText *out, Report *report)
{
	const char	*separator = "";
	size_t		 count = 0;
	RosterEntry *entry;

	append_text(out, ",\"opened\":[");
	while (count < REPORT_MAX && out->len < REPORT_MAX_BYTES &&
		   (entry = roster_take_changed(report->env->roster)) != NULL)
	{
		const Client *client = container_of(entry, Client, roster);

		/* it will be back on the list when it is open */
		if (client->state != CLIENT_OPEN)
			continue;
		entry->reported = true;
		append_text(out, separator);
		append_client(out, client);
		separator = ",";
		count++;
	}
	report->more |= count == REPORT_MAX || out->len >= REPORT_MAX_BYTES;
	append_text(out, "]");
}

static void
append_closed(ProtocolText *out, Report *report)
{
	const uint64_t *ids;
	size_t			count = roster_closed(report->env->roster, &ids);

	append_text(out, ",\"closed\":[");
	for (size_t i = 0; i < count; i++)
		append_number(out, i > 0 ? "," : "", (int64_t) ids[i]);
	report->closed_told = count;
	append_text(out, "]");
}

static void
append_visitor(ProtocolText *out, const char *separator,
			   const RosterVisitor *visitor)
{
	append_text(out, separator);
	append_string(out, "{\"g\":", visitor->group);
	append_string(out, ",\"u\":", visitor->user);
	append_string(out, ",\"n\":", visitor->username);
	append_text(out, "}");
}

static void
append_visitors(ProtocolText *out, Report *report)
{
	Roster		 *roster = report->env->roster;
	uint64_t	  now_ms = loop_now_ms(report->env->loop);
	uint64_t	  delay_ms = report->env->config->presence_delay_ms;
	RosterVisitor visitor;
	size_t		  count = 0;
	/* Who is not in the report that begins is taken for gone. */
	size_t max = report->began ? REPORT_MAX : SIZE_MAX;

	append_text(out, ",\"arrived\":[");
	while (count < max && roster_take_arrival(roster, &visitor))
		append_visitor(out, count++ > 0 ? "," : "", &visitor);
	report->more |= count == max;
	count = 0;
	append_text(out, "],\"departed\":[");
	while (count < REPORT_MAX &&
		   roster_take_departure(roster, now_ms, delay_ms, &visitor))
		append_visitor(out, count++ > 0 ? "," : "", &visitor);
	report->more |= count == REPORT_MAX;
	append_text(out, "]");
}

static void
append_listener(ProtocolText *out, const Report *report)
{
	const ClientEnv *env = report->env;
	char			 host[256] = "";

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	append_string(out, "{\"listener\":", env->listener_id);
	append_string(out, ",\"host\":", host);
	append_number(out, ",\"pid\":", getpid());
	append_string(out, ",\"version\":", config_version());
	append_string(out, ",\"listen\":",
				  env->config->listen[0] != '\0' ? env->config->listen
												 : env->config->tls_listen);
	append_number(out, ",\"lease_ms\":", (int64_t) env->config->lease_ms);
	append_number(out, ",\"max_per_user\":",
				  (int64_t) env->config->max_connections_per_user);
	append_number(out, ",\"connections\":", (int64_t) env->count);
	if (!report->began)
		append_text(out, ",\"began\":true");
	if (report->ending)
		append_text(out, ",\"ended\":true");
}

/* ---- telling ------------------------------------------------------------- */

/* Everything anew: the database knows nothing of us, or it may not. */
static void
start_over(Report *report)
{
	ClientEnv *env = report->env;

	report->began = false;
	roster_start_over(env->roster);
	for (Client *client = env->all; client != NULL; client = client->all_next)
	{
		client->roster.reported = false;
		if (client->state == CLIENT_OPEN)
			roster_changed(env->roster, &client->roster);
	}
	report->more = true;
}

/* Close those that are too many of their user over all listeners. */
static void
close_excess(ClientEnv *env, const char *numbers)
{
	while (*numbers != '\0')
	{
		char	*end;
		uint64_t id = strtoull(numbers, &end, 10);

		if (end == numbers)
			return;
		for (Client *client = env->all; client != NULL;
			 client = client->all_next)
			if (client->id == id)
				client_doom(client, WS_CLOSE_LIMIT, "too_many_connections");
		numbers = *end == ',' ? end + 1 : end;
	}
}

static void
complain(Report *report)
{
	if (!report->complained)
		log_warning("report: the database does not take it; usher.connection "
					"and presence are not up to date");
	report->complained = true;
}

static void
on_answer(void *arg, const ReportAnswer *answer)
{
	Report	  *report = arg;
	ClientEnv *env = report->env;

	report->call = NULL;
	report->ended = report->ending;
	if (answer->status != CALL_OK)
	{
		complain(report);
		roster_taken(env->roster, false);
		start_over(report);
		return;
	}
	roster_taken(env->roster, true);
	roster_forget_closed(env->roster, report->closed_told);
	report->complained = false;
	if (!answer->known)
	{
		start_over(report);
		return;
	}
	report->began = true;
	if (answer->excess != NULL)
		close_excess(env, answer->excess);
	if (report->more)
		loop_arm(env->loop, &report->timer, loop_now_ms(env->loop) + 1);
}

static void
tell(Report *report)
{
	ClientEnv	*env = report->env;
	ProtocolText text = {0};

	if (roster_is_incomplete(env->roster))
		start_over(report);
	report->more = false;
	report->told_ms = loop_now_ms(env->loop);
	append_listener(&text, report);
	append_opened(&text, report);
	append_closed(&text, report);
	append_visitors(&text, report);
	append_text(&text, "}");
	if (!text.failed)
		report->call = calls_report(env->calls, (Slice){text.bytes, text.len},
									report->ending ? REPORT_LAST_TIMEOUT_MS
												   : REPORT_TIMEOUT_MS,
									on_answer, report);
	protocol_text_fini(&text);
	if (report->call == NULL)
	{
		roster_taken(env->roster, false);
		start_over(report);
	}
}

static bool
is_time(const Report *report)
{
	const ClientEnv *env = report->env;
	uint64_t		 now_ms = loop_now_ms(env->loop);

	return report->call == NULL && !report->ending && calls_ready(env->calls) &&
		   (report->more || !report->began ||
			now_ms - report->told_ms >= env->config->lease_ms / 3 ||
			roster_has_news(env->roster, now_ms,
							env->config->presence_delay_ms));
}

static void
on_due(LoopTimer *timer)
{
	Report	  *report = container_of(timer, Report, timer);
	ClientEnv *env = report->env;

	if (is_time(report))
		tell(report);
	loop_arm(env->loop, &report->timer,
			 loop_now_ms(env->loop) + env->config->report_interval_ms);
}

Report *
report_create(ClientEnv *env)
{
	Report *report = calloc(1, sizeof(*report));

	if (report == NULL)
		return NULL;
	report->env = env;
	report->timer.on_due = on_due;
	loop_arm(env->loop, &report->timer, loop_now_ms(env->loop) + 1);
	return report;
}

bool
report_finish(Report *report)
{
	if (report->ended || !report->began || !calls_ready(report->env->calls))
		return true;
	if (report->call == NULL)
	{
		report->ending = true;
		tell(report);
		report->ended = report->call == NULL;
	}
	return report->ended;
}

void
report_destroy(Report *report)
{
	if (report == NULL)
		return;
	calls_cancel(report->call);
	loop_cancel(report->env->loop, &report->timer);
	free(report);
}
