/*-------------------------------------------------------------------------
 *
 * fake_link.h
 *	  A loop and links to PostgreSQL that do what the test says.
 *
 * Stands in for loop.c and pglink.c, so that calls.c and feed.c can be tested
 * without a server: time passes when fake_pass() says so, a link is up, down or
 * answers when the test wants it, and what was asked is written down as
 * "statement(argument|argument)" with the queries of a request joined by "; ".
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_FAKE_LINK_H
#define USHER_FAKE_LINK_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "loop.h"
#include "pglink.h"

#define FAKE_MAX_LINKS 4
#define FAKE_MAX_REQUESTS 2048

struct Loop
{
	Wheel	 wheel;
	uint64_t now_ms;
	void (*step)(void *arg);
	void *arg;
};

struct PgLink
{
	PgLinkHandler handler;
	void		 *arg;
	bool		  up;
	bool		  failing;
	bool		  proven;
	char		  reason[200];
	char		 *open; /* the request being made */
	char		 *requests[FAKE_MAX_REQUESTS];
	size_t		  request_count;
	size_t		  answered;
};

static Loop	   fake_loop;
static PgLink *fake_links[FAKE_MAX_LINKS];
static size_t  fake_link_count;

__attribute__((constructor)) static void
fake_quiet(void)
{
	log_set_level(LOG_LEVEL_ERROR);
}

/* A new world: time 1000, no links. */
static void
fake_reset(void)
{
	memset(&fake_loop, 0, sizeof(fake_loop));
	fake_loop.now_ms = 1000;
	wheel_init(&fake_loop.wheel, 1000);
	fake_link_count = 0;
}

static void
fake_on_due(WheelTimer *timer, void *arg)
{
	LoopTimer *loop_timer = container_of(timer, LoopTimer, wheel);

	(void) arg;
	loop_timer->on_due(loop_timer);
}

/* End the turn: what a real loop does after its events. */
__attribute__((unused)) static void
fake_turn(void)
{
	if (fake_loop.step != NULL)
		fake_loop.step(fake_loop.arg);
}

/* Let time pass in small steps, with a turn after each. */
__attribute__((unused)) static void
fake_pass(uint64_t ms)
{
	for (uint64_t end_ms = fake_loop.now_ms + ms; fake_loop.now_ms < end_ms;)
	{
		fake_loop.now_ms += 20;
		wheel_advance(&fake_loop.wheel, fake_loop.now_ms, fake_on_due, NULL);
		fake_turn();
	}
}

uint64_t
loop_now_ms(const Loop *loop)
{
	return loop->now_ms;
}

void
loop_arm(Loop *loop, LoopTimer *timer, uint64_t due_ms)
{
	wheel_arm(&loop->wheel, &timer->wheel, due_ms);
}

void
loop_cancel(Loop *loop, LoopTimer *timer)
{
	wheel_cancel(&loop->wheel, &timer->wheel);
}

void
loop_add_turn_step(Loop *loop, void (*step)(void *arg), void *arg)
{
	loop->step = step;
	loop->arg = arg;
}

void
loop_wake(Loop *loop)
{
	(void) loop;
}

PgLink *
pglink_create(Loop *loop, const PgLinkOptions *options,
			  const PgLinkHandler *handler, void *arg)
{
	PgLink *link = calloc(1, sizeof(*link));

	(void) loop;
	(void) options;
	if (link == NULL || fake_link_count == FAKE_MAX_LINKS)
		abort();
	link->handler = *handler;
	link->arg = arg;
	fake_links[fake_link_count++] = link;
	return link;
}

void
pglink_destroy(PgLink *link)
{
	if (link == NULL)
		return;
	for (size_t i = 0; i < link->request_count; i++)
		free(link->requests[i]);
	free(link->open);
	free(link);
}

bool
pglink_is_up(const PgLink *link)
{
	return link->up;
}

static void
fake_append(char **text, const char *more, size_t len)
{
	size_t used = *text != NULL ? strlen(*text) : 0;

	*text = realloc(*text, used + len + 1);
	if (*text == NULL)
		abort();
	memcpy(*text + used, more, len);
	(*text)[used + len] = '\0';
}

bool
pglink_query(PgLink *link, const char *sql, const PgParam *params, size_t count)
{
	if (!link->up)
		return false;
	if (link->open != NULL)
		fake_append(&link->open, "; ", 2);
	fake_append(&link->open, sql, strlen(sql));
	for (size_t i = 0; i < count; i++)
	{
		fake_append(&link->open, i == 0 ? "(" : "|", 1);
		if (params[i].value == NULL)
			fake_append(&link->open, "NULL", 4);
		else
			fake_append(&link->open, params[i].value, params[i].len);
	}
	if (count > 0)
		fake_append(&link->open, ")", 1);
	return true;
}

bool
pglink_query_prepared(PgLink *link, const char *name, const PgParam *params,
					  size_t count)
{
	return pglink_query(link, name, params, count);
}

bool
pglink_end_request(PgLink *link)
{
	if (!link->up)
		return false;
	if (link->request_count == FAKE_MAX_REQUESTS || link->open == NULL)
		abort();
	link->requests[link->request_count++] = link->open;
	link->open = NULL;
	return true;
}

void
pglink_proven(PgLink *link)
{
	link->proven = true;
}

void
pglink_fail(PgLink *link, const char *format, ...)
{
	va_list args;

	if (!link->up)
		return;
	va_start(args, format);
	vsnprintf(link->reason, sizeof(link->reason), format, args);
	va_end(args);
	link->up = false;
	link->failing = true;
}

void
pglink_fail_answer(PgLink *link, const PgAnswer *answer)
{
	pglink_fail(link, "%s", answer->sqlstate);
}

static void
fake_down(PgLink *link)
{
	link->up = false;
	link->failing = false;
	link->answered = link->request_count;
	link->handler.on_down(link->arg);
}

void
pglink_turn(PgLink *link)
{
	if (link->failing)
		fake_down(link);
}

__attribute__((unused)) static void
fake_up(PgLink *link)
{
	link->up = true;
	link->handler.on_up(link->arg);
	fake_turn();
}

/* Requests that were sent and not answered. */
__attribute__((unused)) static size_t
fake_waiting(const PgLink *link)
{
	return link->request_count - link->answered;
}

/* The i-th request that was not answered yet; "" when there is none. */
__attribute__((unused)) static const char *
fake_request(const PgLink *link, size_t i)
{
	return i < fake_waiting(link) ? link->requests[link->answered + i] : "";
}

static void
fake_hand_out(PgLink *link, const PgAnswer *answer)
{
	if (link->answered == link->request_count)
		abort(); /* the test answers what was not asked */
	link->answered++;
	link->handler.on_answer(link->arg, answer);
}

/* Answer the oldest request with one row of these columns. */
__attribute__((unused)) static void
fake_answer_rows(PgLink *link, const char *const *values, int rows, int columns)
{
	PgAnswer answer = {
		.ok = true, .rows = rows, .columns = columns, .values = values};

	fake_hand_out(link, &answer);
}

__attribute__((unused)) static void
fake_answer(PgLink *link, const char *const *values, int columns)
{
	fake_answer_rows(link, values, columns > 0 ? 1 : 0, columns);
}

__attribute__((unused)) static void
fake_error(PgLink *link, const char *sqlstate)
{
	PgAnswer answer = {.sqlstate = sqlstate, .message = "an error"};

	fake_hand_out(link, &answer);
}

__attribute__((unused)) static void
fake_notify(PgLink *link, const char *channel, const char *payload)
{
	link->handler.on_notify(link->arg, channel,
							(Slice){payload, strlen(payload)});
}

#endif
