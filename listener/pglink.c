/*-------------------------------------------------------------------------
 *
 * pglink.c
 *	  A connection to PostgreSQL that comes back by itself (libpq).
 *
 * The only room with libpq-fe.h.  Nothing here waits, with two exceptions that
 * libpq leaves us no choice about: PQconnectStartParams() resolves host names
 * before it returns (give an address, or a resolver that answers fast), and
 * SCRAM takes a few milliseconds of hashing.
 *
 * Every link is in pipeline mode, also the one that LISTENs, so there is one
 * way to ask and one way to be answered.  An answer is handed out only when the
 * Sync behind it has come back: COMMIT happens there, and can still fail (a
 * full NOTIFY queue does that).
 *
 * Longer than other rooms, because a foreign library has one room: connecting,
 * asking, being answered and the states between them all handle a PGconn.
 *
 *-------------------------------------------------------------------------
 */
#include "pglink.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "failure.h"
#include "log.h"

/* For each host of the connection string; tcp_user_timeout comes earlier. */
#define CONNECT_TIMEOUT_MS 10000

/* More hosts than this do not make the deadline any longer. */
#define CONNECT_MAX_HOSTS 6

/* Prepare a handful of statements and load the extension's library. */
#define SETUP_TIMEOUT_MS 10000

/* Read again at once if a read brought this much, but not for ever. */
#define READ_AGAIN_BYTES 4096
#define READ_MAX_ROUNDS 8

typedef enum PgLinkState
{
	PGLINK_DOWN,	   /* no connection; timer: when to try again */
	PGLINK_CONNECTING, /* PQconnectPoll() has work; timer: the deadline */
	PGLINK_PREPARING,  /* set-up in flight; timer: the deadline */
	PGLINK_READY,	   /* the owner's requests flow; no timer */
	PGLINK_BROKEN,	   /* was ready; goes down at the end of the turn */
} PgLinkState;

typedef enum PgLinkEvent
{
	PGLINK_EVENT_SOCKET,
	PGLINK_EVENT_TIMER,
	PGLINK_EVENT_TURN,
} PgLinkEvent;

struct PgLink
{
	Loop		  *loop;
	PgLinkState	   state;
	PgLinkHandler  handler;
	void		  *arg;
	char		  *name;
	char		  *conninfo; /* may hold a password: never logged */
	const PgSetup *setup;
	size_t		   setup_count;
	uint64_t	   statement_timeout_ms;

	PGconn	  *conn;
	LoopWatch *watch;
	LoopTimer  timer;
	bool	   unsent; /* something to flush at the end of the turn */
	size_t	   setup_left;
	PGresult  *held; /* of the request in progress; see take_result() */

	const char **values; /* room for PgAnswer.values */
	size_t		 values_cap;

	Failure failure;
};

static const char *const state_name[] = {
	[PGLINK_DOWN] = "down",			  [PGLINK_CONNECTING] = "connecting",
	[PGLINK_PREPARING] = "preparing", [PGLINK_READY] = "ready",
	[PGLINK_BROKEN] = "broken",
};

static void pglink_enter(PgLink *link, PgLinkState next);
static void pglink_on_event(PgLink *link, PgLinkEvent event);

/*
 * Why a link fails
 */

static void
set_reason(PgLink *link, const char *text)
{
	failure_because(&link->failure, text);
}

static void
set_reason_connection(PgLink *link)
{
	const char *message = PQerrorMessage(link->conn);

	/* libpq refuses a standby itself: target_session_attrs. */
	if (strstr(message, "session is read-only") != NULL ||
		strstr(message, "hot standby mode") != NULL)
		failure_because_error(&link->failure, "25006", message);
	else
		set_reason(link, message[0] != '\0' ? message : "connection lost");
}

/* One line for each change; an outage does not repeat its reason endlessly. */
static void
log_failure(PgLink *link, bool was_up, uint64_t pause_ms)
{
	if (!failure_is_news(&link->failure, loop_now_ms(link->loop)) && !was_up)
		log_debug("%s: still down, trying again in %llu ms", link->name,
				  (unsigned long long) pause_ms);
	else
		log_warning("%s: %s: %s (trying again in %llu ms)", link->name,
					was_up ? "lost" : "could not connect", link->failure.reason,
					(unsigned long long) pause_ms);
}

static uint32_t
noise(void)
{
	uint32_t random = 0;

	/* Without any, all listeners come back at once: a nuisance, no more. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		return 0;
	return random;
}

/*
 * The socket
 */

static void
on_socket(void *arg, unsigned ready)
{
	(void) ready; /* libpq finds out by itself */
	pglink_on_event(arg, PGLINK_EVENT_SOCKET);
}

static void
on_timer(LoopTimer *timer)
{
	pglink_on_event(container_of(timer, PgLink, timer), PGLINK_EVENT_TIMER);
}

static void
unwatch(PgLink *link)
{
	loop_unwatch(link->watch);
	link->watch = NULL;
}

static bool
watch(PgLink *link, unsigned events)
{
	if (link->watch != NULL)
		loop_watch_change(link->watch, events);
	else
		link->watch = loop_watch(link->loop, PQsocket(link->conn), events,
								 on_socket, link);
	if (link->watch == NULL)
		set_reason(link, "could not watch its socket");
	return link->watch != NULL;
}

/* Send what libpq holds; the rest when the socket takes it. */
static bool
flush(PgLink *link)
{
	int rest = PQflush(link->conn);

	link->unsent = false;
	if (rest < 0)
	{
		set_reason_connection(link);
		return false;
	}
	return watch(link,
				 rest > 0 ? LOOP_READABLE | LOOP_WRITABLE : LOOP_READABLE);
}

static void
want_flush(PgLink *link)
{
	link->unsent = true;
	loop_wake(link->loop);
}

/*
 * Connecting
 */

static bool
is_connection_string(const char *conninfo)
{
	return strchr(conninfo, '=') != NULL ||
		   strncmp(conninfo, "postgresql://", 13) == 0 ||
		   strncmp(conninfo, "postgres://", 11) == 0;
}

/*
 * Check the connection string and count its hosts; 0 when it is malformed.
 * libpq's own message would quote parts of the string, hence of a password.
 */
static size_t
count_hosts(const char *conninfo)
{
	PQconninfoOption *options;
	char			 *message = NULL;
	size_t			  hosts = 1;

	if (!is_connection_string(conninfo))
		return 1; /* the name of a database, or nothing at all */
	options = PQconninfoParse(conninfo, &message);
	PQfreemem(message);
	if (options == NULL)
		return 0;
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
	{
		size_t count = 1;

		if (option->val == NULL || (strcmp(option->keyword, "host") != 0 &&
									strcmp(option->keyword, "hostaddr") != 0))
			continue;
		for (const char *c = option->val; *c != '\0'; c++)
			count += *c == ',';
		if (count > hosts)
			hosts = count;
	}
	PQconninfoFree(options);
	return hosts < CONNECT_MAX_HOSTS ? hosts : CONNECT_MAX_HOSTS;
}

bool
pglink_conninfo_is_valid(const char *conninfo)
{
	return count_hosts(conninfo) > 0;
}

/* By default libpq prints notices, which may quote a client's data. */
static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

static bool
start_connecting(PgLink *link)
{
	/* What stands before dbname gives way to what the user wrote in it. */
	const char *keywords[] = {
		"keepalives_idle",	"keepalives_interval",	"keepalives_count",
		"tcp_user_timeout", "target_session_attrs", "application_name",
		"dbname",			"client_encoding",		NULL};
	const char *values[] = {
		"5",	"2", "3", "8000", "read-write", "usherd", link->conninfo,
		"UTF8", NULL};
	size_t hosts = count_hosts(link->conninfo);

	/* The user may have said these two in the environment as well. */
	if (getenv("PGTARGETSESSIONATTRS") != NULL)
		values[4] = NULL;
	if (getenv("PGAPPNAME") != NULL)
		values[5] = NULL;

	if (hosts == 0)
	{
		set_reason(link, "the connection string is malformed");
		return false;
	}
	loop_arm(link->loop, &link->timer,
			 loop_now_ms(link->loop) + hosts * CONNECT_TIMEOUT_MS);
	link->conn = PQconnectStartParams(keywords, values, 1);
	if (link->conn == NULL)
	{
		set_reason(link, "out of memory");
		return false;
	}
	PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
	if (PQstatus(link->conn) == CONNECTION_BAD)
	{
		set_reason_connection(link);
		return false;
	}
	return watch(link, LOOP_WRITABLE);
}

static PgLinkState
poll_connecting(PgLink *link)
{
	PostgresPollingStatusType next;

	/*
	 * libpq may close its socket and open another one under the same number
	 * (the next address, SSL refused), which epoll silently forgets: every
	 * step gets a new watch.
	 */
	unwatch(link);
	next = PQconnectPoll(link->conn);
	if (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING)
	{
		unsigned events =
			next == PGRES_POLLING_READING ? LOOP_READABLE : LOOP_WRITABLE;

		return watch(link, events) ? PGLINK_CONNECTING : PGLINK_DOWN;
	}
	if (next != PGRES_POLLING_OK)
	{
		set_reason_connection(link);
		return PGLINK_DOWN;
	}
	return PGLINK_PREPARING;
}

/*
 * Asking
 */

/* End the request without a system call if this libpq can. */
static int
send_sync(PGconn *conn)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
	return PQsendPipelineSync(conn);
#else
	return PQpipelineSync(conn);
#endif
}

/* Send the whole set-up; its answers are counted in on_setup_answer(). */
static bool
start_preparing(PgLink *link)
{
	char timeout[64];

	loop_arm(link->loop, &link->timer,
			 loop_now_ms(link->loop) + SETUP_TIMEOUT_MS);
	link->setup_left = 0;
	if (PQsetnonblocking(link->conn, 1) != 0 ||
		!PQenterPipelineMode(link->conn))
		goto lost;

	/*
	 * Not through the "options" of the connection string: ours would replace
	 * what a service file or PGOPTIONS says.
	 */
	if (link->statement_timeout_ms > 0)
	{
		snprintf(timeout, sizeof(timeout), "SET statement_timeout = %llu",
				 (unsigned long long) link->statement_timeout_ms);
		if (!PQsendQueryParams(link->conn, timeout, 0, NULL, NULL, NULL, NULL,
							   0) ||
			!send_sync(link->conn))
			goto lost;
		link->setup_left++;
	}
	for (size_t i = 0; i < link->setup_count; i++)
	{
		const PgSetup *step = &link->setup[i];
		int			   sent =
			   step->name != NULL
						   ? PQsendPrepare(link->conn, step->name, step->sql, 0, NULL)
						   : PQsendQueryParams(link->conn, step->sql, 0, NULL, NULL, NULL,
											   NULL, 0);

		if (!sent || !send_sync(link->conn))
			goto lost;
		link->setup_left++;
	}
	return flush(link);

lost:
	set_reason_connection(link);
	return false;
}

bool
pglink_is_up(const PgLink *link)
{
	return link->state == PGLINK_READY;
}

/* A statement of the set-up if name is given, else sql. */
static bool
send_query(PgLink *link, const char *name, const char *sql,
		   const PgParam *params, size_t count)
{
	const char *values[PGLINK_MAX_PARAMS];
	int			lengths[PGLINK_MAX_PARAMS];
	int			formats[PGLINK_MAX_PARAMS];
	int			sent;

	if (link->state != PGLINK_READY)
		return false;
	if (count > PGLINK_MAX_PARAMS)
		abort(); /* a mistake in the program, not in its input */

	/*
	 * Binary, which for text and bytea is the bytes themselves: a NUL within a
	 * text is then an error the server tells, not a silent end.
	 */
	for (size_t i = 0; i < count; i++)
	{
		values[i] = params[i].value;
		lengths[i] = (int) params[i].len;
		formats[i] = 1;
	}
	sent = name != NULL ? PQsendQueryPrepared(link->conn, name, (int) count,
											  values, lengths, formats, 0)
						: PQsendQueryParams(link->conn, sql, (int) count, NULL,
											values, lengths, formats, 0);
	if (!sent)
	{
		set_reason_connection(link);
		pglink_enter(link, PGLINK_BROKEN);
		return false;
	}
	return true;
}

bool
pglink_query(PgLink *link, const char *sql, const PgParam *params, size_t count)
{
	return send_query(link, NULL, sql, params, count);
}

bool
pglink_query_prepared(PgLink *link, const char *name, const PgParam *params,
					  size_t count)
{
	return send_query(link, name, NULL, params, count);
}

bool
pglink_end_request(PgLink *link)
{
	if (link->state != PGLINK_READY)
		return false;
	if (!send_sync(link->conn))
	{
		set_reason_connection(link);
		pglink_enter(link, PGLINK_BROKEN);
		return false;
	}
	want_flush(link);
	return true;
}

/*
 * Being answered
 */

static void
on_setup_answer(PgLink *link, const PgAnswer *answer)
{
	if (answer->ok)
	{
		link->setup_left--;
		return;
	}
	failure_because_error(&link->failure, answer->sqlstate, answer->message);
}

/* Point link->values at the result's cells; false when out of memory. */
static bool
list_values(PgLink *link, const PGresult *result, int rows, int columns)
{
	size_t count = (size_t) rows * (size_t) columns;

	if (count > link->values_cap)
	{
		const char **values =
			realloc(link->values, count * sizeof(link->values[0]));

		if (values == NULL)
			return false;
		link->values = values;
		link->values_cap = count;
	}
	for (int row = 0; row < rows; row++)
		for (int column = 0; column < columns; column++)
			link->values[row * columns + column] =
				PQgetisnull(result, row, column)
					? NULL
					: PQgetvalue(result, row, column);
	return true;
}

/* The request is over: hand out what was held.  False: the link is lost. */
static bool
hand_out(PgLink *link)
{
	PGresult *result = link->held;
	PgAnswer  answer = {0};
	bool	  alive = true;

	link->held = NULL;
	if (result == NULL)
	{
		set_reason(link, "the server answered a request it was not sent");
		return false;
	}
	answer.ok = PQresultStatus(result) != PGRES_FATAL_ERROR;
	if (answer.ok)
	{
		answer.rows = PQntuples(result);
		answer.columns = PQnfields(result);
		alive = list_values(link, result, answer.rows, answer.columns);
		answer.values = link->values;
		if (!alive)
			set_reason(link, "out of memory");
	}
	else
	{
		const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		const char *message =
			PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

		answer.sqlstate = sqlstate != NULL ? sqlstate : "";
		answer.message = message != NULL ? message : "unknown error";
	}

	if (alive && link->state == PGLINK_PREPARING)
	{
		on_setup_answer(link, &answer);
		alive = answer.ok;
	}
	else if (alive)
		link->handler.on_answer(link->arg, &answer);
	PQclear(result);
	return alive;
}

/* The server ends the connection with this error: not an answer to anything. */
static bool
is_fatal(const PGresult *result)
{
	const char *severity =
		PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity != NULL &&
		   (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/*
 * Keep the last result of a request, or its first error, until its Sync.
 * Takes result.  False: the link is lost.
 */
static bool
take_result(PgLink *link, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_PIPELINE_SYNC)
	{
		PQclear(result);
		return hand_out(link);
	}
	if (status == PGRES_FATAL_ERROR &&
		(PQstatus(link->conn) == CONNECTION_BAD || is_fatal(result)))
	{
		const char *message =
			PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

		if (message != NULL)
			set_reason(link, message);
		else
			set_reason_connection(link);
		PQclear(result);
		return false;
	}
	if (status != PGRES_FATAL_ERROR && status != PGRES_PIPELINE_ABORTED &&
		status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		set_reason(link, "the server sent a kind of result nobody asked for");
		PQclear(result);
		return false;
	}
	if (status == PGRES_PIPELINE_ABORTED ||
		(link->held != NULL && PQresultStatus(link->held) == PGRES_FATAL_ERROR))
	{
		PQclear(result);
		return true;
	}
	PQclear(link->held);
	link->held = result;
	return true;
}

static bool
take_results(PgLink *link)
{
	PgLinkState state = link->state;

	/* Two NULLs in a row: nothing more.  One only ends a query's results. */
	for (int nulls = 0;
		 nulls < 2 && link->state == state && !PQisBusy(link->conn);)
	{
		PGresult *result = PQgetResult(link->conn);

		if (result == NULL)
		{
			nulls++;
			continue;
		}
		nulls = 0;
		if (!take_result(link, result))
			return false;
	}
	return true;
}

/* Returns the bytes handed out. */
static size_t
take_notifications(PgLink *link)
{
	size_t	  bytes = 0;
	PGnotify *notify;

	while (link->state == PGLINK_READY &&
		   (notify = PQnotifies(link->conn)) != NULL)
	{
		Slice payload = {notify->extra, strlen(notify->extra)};

		bytes += payload.len;
		if (link->handler.on_notify != NULL)
			link->handler.on_notify(link->arg, notify->relname, payload);
		PQfreemem(notify);
	}
	return bytes;
}

static bool
consume(PgLink *link)
{
	/*
	 * Twice with TLS: libpq may have room for a part of a record only, and the
	 * rest, already decrypted, does not make the socket readable.
	 */
	if (PQconsumeInput(link->conn) &&
		(!PQsslInUse(link->conn) || PQconsumeInput(link->conn)))
		return true;
	set_reason_connection(link);
	return false;
}

/* Take what has come.  False: the link is lost. */
static bool
receive(PgLink *link)
{
	size_t bytes = READ_AGAIN_BYTES;

	for (int round = 0; round < READ_MAX_ROUNDS && bytes >= READ_AGAIN_BYTES &&
						link->state != PGLINK_BROKEN;
		 round++)
	{
		bool open = consume(link);

		/* What came before the end is still true. */
		if (!take_results(link))
			return false;
		bytes = take_notifications(link);
		if (!open)
			return false;
	}
	return link->state == PGLINK_BROKEN || flush(link);
}

/*
 * The state machine
 */

static PgLinkState
step_down(PgLinkEvent event)
{
	return event == PGLINK_EVENT_TIMER ? PGLINK_CONNECTING : PGLINK_DOWN;
}

static PgLinkState
step_connecting(PgLink *link, PgLinkEvent event)
{
	switch (event)
	{
		case PGLINK_EVENT_SOCKET: return poll_connecting(link);
		case PGLINK_EVENT_TIMER:
			set_reason(link, "the server did not answer in time");
			return PGLINK_DOWN;
		case PGLINK_EVENT_TURN: return PGLINK_CONNECTING;
	}
	return link->state;
}

static PgLinkState
step_preparing(PgLink *link, PgLinkEvent event)
{
	switch (event)
	{
		case PGLINK_EVENT_SOCKET:
			if (!receive(link))
				return PGLINK_DOWN;
			return link->setup_left > 0 ? PGLINK_PREPARING : PGLINK_READY;
		case PGLINK_EVENT_TIMER:
			set_reason(link, "the server did not finish the set-up in time");
			return PGLINK_DOWN;
		case PGLINK_EVENT_TURN: return PGLINK_PREPARING;
	}
	return link->state;
}

static PgLinkState
step_ready(PgLink *link, PgLinkEvent event)
{
	switch (event)
	{
		case PGLINK_EVENT_SOCKET:
			if (!receive(link))
				return PGLINK_DOWN;
			break;
		case PGLINK_EVENT_TIMER: break;
		case PGLINK_EVENT_TURN:
			if (link->unsent && !flush(link))
				return PGLINK_DOWN;
			break;
	}
	return link->state; /* a callback may have found it broken */
}

static PgLinkState
step_broken(PgLinkEvent event)
{
	return event == PGLINK_EVENT_TURN ? PGLINK_DOWN : PGLINK_BROKEN;
}

/* Every connection ends here. */
static void
disconnect(PgLink *link)
{
	unwatch(link);
	PQclear(link->held);
	link->held = NULL;
	PQfinish(link->conn);
	link->conn = NULL;
	link->unsent = false;
}

/* The only function that writes link->state. */
static void
pglink_enter(PgLink *link, PgLinkState next)
{
	PgLinkState last = link->state;
	bool		was_up = last == PGLINK_READY || last == PGLINK_BROKEN;

	log_debug("%s: %s -> %s", link->name, state_name[last], state_name[next]);
	link->state = next;

	switch (next)
	{
		case PGLINK_DOWN:
		{
			uint64_t delay_ms = failure_pause_ms(&link->failure, noise());

			disconnect(link);
			log_failure(link, was_up, delay_ms);
			loop_arm(link->loop, &link->timer,
					 loop_now_ms(link->loop) + delay_ms);
			if (was_up)
				link->handler.on_down(link->arg);
			return;
		}
		case PGLINK_CONNECTING:
			if (!start_connecting(link))
				pglink_enter(link, PGLINK_DOWN);
			return;
		case PGLINK_PREPARING:
			if (!start_preparing(link))
				pglink_enter(link, PGLINK_DOWN);
			return;
		case PGLINK_READY:
			loop_cancel(link->loop, &link->timer);
			log_info("%s: connected (PostgreSQL %d.%d, process %d)", link->name,
					 PQserverVersion(link->conn) / 10000,
					 PQserverVersion(link->conn) % 10000,
					 PQbackendPID(link->conn));
			link->handler.on_up(link->arg);
			return;
		case PGLINK_BROKEN: loop_wake(link->loop); return;
	}
}

/* The step decides, pglink_enter() acts. */
static void
pglink_on_event(PgLink *link, PgLinkEvent event)
{
	PgLinkState next = link->state;

	switch (link->state)
	{
		case PGLINK_DOWN: next = step_down(event); break;
		case PGLINK_CONNECTING: next = step_connecting(link, event); break;
		case PGLINK_PREPARING: next = step_preparing(link, event); break;
		case PGLINK_READY: next = step_ready(link, event); break;
		case PGLINK_BROKEN: next = step_broken(event); break;
	}
	if (next != link->state)
		pglink_enter(link, next);
}

void
pglink_turn(PgLink *link)
{
	pglink_on_event(link, PGLINK_EVENT_TURN);
}

void
pglink_proven(PgLink *link)
{
	failure_over(&link->failure);
}

void
pglink_fail(PgLink *link, const char *format, ...)
{
	char	text[FAILURE_REASON_MAX];
	va_list args;

	if (link->state != PGLINK_READY)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	set_reason(link, text);
	pglink_enter(link, PGLINK_BROKEN);
}

void
pglink_fail_answer(PgLink *link, const PgAnswer *answer)
{
	if (link->state != PGLINK_READY)
		return;
	failure_because_error(&link->failure, answer->sqlstate, answer->message);
	pglink_enter(link, PGLINK_BROKEN);
}

PgLink *
pglink_create(Loop *loop, const PgLinkOptions *options,
			  const PgLinkHandler *handler, void *arg)
{
	PgLink *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	link->loop = loop;
	link->state = PGLINK_DOWN;
	link->handler = *handler;
	link->arg = arg;
	link->name = strdup(options->name);
	link->conninfo = strdup(options->conninfo);
	link->setup = options->setup;
	link->setup_count = options->setup_count;
	link->statement_timeout_ms = options->statement_timeout_ms;
	link->timer.on_due = on_timer;
	if (link->name == NULL || link->conninfo == NULL)
	{
		free(link->name);
		free(link->conninfo);
		free(link);
		return NULL;
	}
	loop_arm(loop, &link->timer, loop_now_ms(loop));
	return link;
}

void
pglink_destroy(PgLink *link)
{
	if (link == NULL)
		return;
	disconnect(link);
	loop_cancel(link->loop, &link->timer);
	explicit_bzero(link->conninfo, strlen(link->conninfo));
	free(link->conninfo);
	free(link->name);
	free(link->values);
	free(link);
}
