/*-------------------------------------------------------------------------
 *
 * calls.c
 *	  Questions to the extension and their answers.
 *
 * Each link carries a bounded number of calls at a time, so that neither
 * libpq's buffer nor the time behind a slow call grows without limit; the rest
 * waits here, in one queue for calls that any link may take and one per link
 * for client messages.  All messages of a client go through one link, which
 * executes in order: its home link while that is up, else the next one that is.
 *
 * When a link comes up, messages of clients that return to it may still be
 * under way on another.  Those "hold" the link: it sends no messages until they
 * have been answered.
 *
 * Longer than other rooms, because each way a call can end is here, where one
 * can check that every call ends exactly once.
 *
 *-------------------------------------------------------------------------
 */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "log.h"
#include "pglink.h"

#define CALLS_MAX_LINKS 8

/* Under way on one link.  Others than messages leave a quarter to those. */
#define LINK_MAX_SENT 256
#define LINK_MAX_SENT_UNORDERED (LINK_MAX_SENT / 4 * 3)
#define LINK_MAX_SENT_BYTES (4u << 20)

/* Arguments of all calls that wait or are under way. */
#define CALLS_MAX_BYTES (64u << 20)

/* A call that was under way when the link was lost this often may be why. */
#define CALL_MAX_ATTEMPTS 3

/* How much longer than statement_timeout a link may owe an answer. */
#define LINK_GRACE_MS 5000

#define CALL_MAX_ARGUMENTS 4

typedef struct CallLink CallLink;

typedef enum CallState
{
	CALL_WAITING, /* on calls->waiting or a link's queue */
	CALL_SENT,	  /* on its link's list; its answer is dropped if settled */
	CALL_REFUSED, /* overloaded: on calls->refused until the turn ends */
} CallState;

typedef TAILQ_HEAD(CallQueue, Call) CallQueue;

struct Call
{
	TAILQ_ENTRY(Call) entry;
	Calls	  *calls;
	CallState  state;
	CallVerb   verb;
	CallQueue *queue; /* the one it is on */
	CallLink  *link;  /* only if sent */
	unsigned   attempts;
	uint8_t	   holds;	  /* bit i: link i waits for this to be answered */
	uint64_t   order_key; /* of a message */
	LoopTimer  deadline;
	CallDone   done;
	bool	   settled; /* answered already, or nobody wants to know */
	void	  *arg;
	size_t	   argument_count;
	PgParam	   arguments[CALL_MAX_ARGUMENTS];
	size_t	   bytes_len;
	char	   bytes[]; /* what the arguments point to */
};

struct CallLink
{
	Calls	 *calls;
	unsigned  number;
	PgLink	 *pg;
	CallQueue queue; /* messages that wait for this link */
	CallQueue sent;	 /* in the order they will be answered */
	size_t	  sent_count;
	size_t	  sent_bytes;
	size_t	  held; /* calls under way elsewhere that come before ours */
	uint64_t  progress_ms;
	LoopTimer watchdog;
};

struct Calls
{
	Loop	 *loop;
	uint64_t  call_timeout_ms;
	size_t	  max_pending;
	size_t	  pending;
	size_t	  pending_bytes;
	CallQueue waiting;
	CallQueue refused;
	size_t	  refused_count;
	unsigned  link_count;
	CallLink  links[CALLS_MAX_LINKS];
};

static bool
is_message(const Call *call)
{
	return answers_traits(call->verb)->is_message;
}

/*
 * The end of a call
 */

static void
call_free(Call *call)
{
	loop_cancel(call->calls->loop, &call->deadline);
	explicit_bzero(call->bytes, call->bytes_len);
	free(call);
}

/* Not on any list any more. */
static void
uncount(Call *call)
{
	call->calls->pending--;
	call->calls->pending_bytes -= call->bytes_len;
}

static void
tell(Call *call, const CallAnswer *answer)
{
	CallDone done = call->done;

	call->settled = true;
	switch (answer->shape)
	{
		case SHAPE_ADMISSION: done.admit(call->arg, &answer->admission); return;
		case SHAPE_GROUPS: done.groups(call->arg, &answer->groups); return;
		case SHAPE_RECEIPT: done.receive(call->arg, &answer->receipt); return;
		case SHAPE_EXCHANGE:
			done.exchange(call->arg, &answer->exchange);
			return;
		case SHAPE_REPORT: done.report(call->arg, &answer->report); return;
		case SHAPE_PRESENCE:
			done.presence(call->arg, &answer->presence);
			return;
		case SHAPE_STREAM: done.stream(call->arg, &answer->stream); return;
		case SHAPE_PURGE: done.purge(call->arg, &answer->purge); return;
	}
}

static void
tell_status(Call *call, CallStatus status, bool bad_data)
{
	CallAnswer answer = answers_without(call->verb, status, bad_data);

	if (!call->settled)
		tell(call, &answer);
}

/* Answer a call that is on no list, and free it. */
static void
finish(Call *call, CallStatus status)
{
	loop_cancel(call->calls->loop, &call->deadline);
	tell_status(call, status, false);
	call_free(call);
}

static void
release_holds(Call *call)
{
	for (unsigned i = 0; i < call->calls->link_count; i++)
		if (call->holds & (1u << i))
			call->calls->links[i].held--;
	call->holds = 0;
}

/* Take a sent call off its link. */
static void
unsend(Call *call)
{
	CallLink *link = call->link;

	TAILQ_REMOVE(&link->sent, call, entry);
	link->sent_count--;
	link->sent_bytes -= call->bytes_len;
	release_holds(call);
	call->link = NULL;
}

static void
forget_refused(Call *call)
{
	TAILQ_REMOVE(&call->calls->refused, call, entry);
	call->calls->refused_count--;
}

static void
on_deadline(LoopTimer *timer)
{
	Call *call = container_of(timer, Call, deadline);

	switch (call->state)
	{
		case CALL_WAITING:
			TAILQ_REMOVE(call->queue, call, entry);
			uncount(call);
			finish(call, CALL_UNAVAILABLE);
			return;
		case CALL_SENT:
			/* Its answer is still to come, and to be dropped. */
			tell_status(call, CALL_UNAVAILABLE, false);
			return;
		case CALL_REFUSED: return; /* answered as that this very turn */
	}
}

void
calls_cancel(Call *call)
{
	if (call == NULL)
		return;
	switch (call->state)
	{
		case CALL_WAITING:
			TAILQ_REMOVE(call->queue, call, entry);
			uncount(call);
			call_free(call);
			return;
		case CALL_SENT: call->settled = true; return;
		case CALL_REFUSED:
			forget_refused(call);
			call_free(call);
			return;
	}
}

void
calls_abandon(Call *call)
{
	call->settled = true;
}

/*
 * Which link
 */

/* The link for messages with this key: home if it is up, else the next one. */
static CallLink *
route(Calls *calls, uint64_t order_key)
{
	unsigned home = (unsigned) (order_key % calls->link_count);

	for (unsigned i = 0; i < calls->link_count; i++)
	{
		CallLink *link = &calls->links[(home + i) % calls->link_count];

		if (pglink_is_up(link->pg))
			return link;
	}
	return &calls->links[home];
}

static void
enqueue(Call *call, CallQueue *queue)
{
	call->state = CALL_WAITING;
	call->queue = queue;
	TAILQ_INSERT_TAIL(queue, call, entry);
}

/*
 * Bring waiting messages to the queues they belong to now.  Those of one key
 * are in one queue, so joining queues end to end keeps their order.
 */
static void
reroute(Calls *calls)
{
	CallQueue all = TAILQ_HEAD_INITIALIZER(all);
	Call	 *call;

	for (unsigned i = 0; i < calls->link_count; i++)
		TAILQ_CONCAT(&all, &calls->links[i].queue, entry);
	while ((call = TAILQ_FIRST(&all)) != NULL)
	{
		TAILQ_REMOVE(&all, call, entry);
		enqueue(call, &route(calls, call->order_key)->queue);
	}
}

/* Messages under way elsewhere whose successors now go to this link. */
static void
hold(CallLink *link)
{
	Calls *calls = link->calls;
	Call  *call;

	for (unsigned i = 0; i < calls->link_count; i++)
	{
		if (i == link->number)
			continue;
		TAILQ_FOREACH(call, &calls->links[i].sent, entry)
		{
			if (!is_message(call) || route(calls, call->order_key) != link)
				continue;
			call->holds |= (uint8_t) (1u << link->number);
			link->held++;
		}
	}
}

static void
drop_holds_on(CallLink *link)
{
	Calls *calls = link->calls;
	Call  *call;

	for (unsigned i = 0; i < calls->link_count; i++)
		TAILQ_FOREACH(call, &calls->links[i].sent, entry)
		{
			call->holds &= (uint8_t) ~(1u << link->number);
		}
	link->held = 0;
}

static bool
has_room(const CallLink *link, size_t max_sent)
{
	return pglink_is_up(link->pg) && link->sent_count < max_sent &&
		   link->sent_bytes < LINK_MAX_SENT_BYTES;
}

/* The link with the fewest calls under way, if it has room. */
static CallLink *
roomiest(Calls *calls)
{
	CallLink *best = NULL;

	for (unsigned i = 0; i < calls->link_count; i++)
	{
		CallLink *link = &calls->links[i];

		if (has_room(link, LINK_MAX_SENT_UNORDERED) &&
			(best == NULL || link->sent_count < best->sent_count))
			best = link;
	}
	return best;
}

/*
 * Sending
 */

/* False: the link is broken, and the call stays where it is. */
static bool
send_call(CallLink *link, Call *call)
{
	if (!pglink_query_prepared(link->pg, answers_traits(call->verb)->statement,
							   call->arguments, call->argument_count) ||
		!pglink_end_request(link->pg))
		return false;

	TAILQ_REMOVE(call->queue, call, entry);
	call->queue = NULL;
	call->state = CALL_SENT;
	call->link = link;
	call->attempts++;
	TAILQ_INSERT_TAIL(&link->sent, call, entry);
	if (link->sent_count++ == 0)
	{
		uint64_t now_ms = loop_now_ms(link->calls->loop);

		link->progress_ms = now_ms;
		loop_arm(link->calls->loop, &link->watchdog,
				 now_ms + link->calls->call_timeout_ms + LINK_GRACE_MS);
	}
	link->sent_bytes += call->bytes_len;
	if (answers_traits(call->verb)->secret &&
		!answers_traits(call->verb)->repeatable)
		explicit_bzero(call->bytes, call->bytes_len);
	return true;
}

static void
pump(Calls *calls)
{
	CallLink *link;
	Call	 *call;

	while ((call = TAILQ_FIRST(&calls->waiting)) != NULL &&
		   (link = roomiest(calls)) != NULL)
		if (!send_call(link, call))
			break; /* roomiest() leaves that link out from now on */

	for (unsigned i = 0; i < calls->link_count; i++)
	{
		link = &calls->links[i];
		while (link->held == 0 && has_room(link, LINK_MAX_SENT) &&
			   (call = TAILQ_FIRST(&link->queue)) != NULL)
			if (!send_call(link, call))
				break;
	}
}

static void
on_turn(void *arg)
{
	Calls *calls = arg;
	Call  *call;

	/* Not those that callbacks add: whoever asks again at once could go on for
	 * ever. */
	for (size_t left = calls->refused_count;
		 left > 0 && (call = TAILQ_FIRST(&calls->refused)) != NULL; left--)
	{
		forget_refused(call);
		finish(call, CALL_OVERLOADED);
	}
	pump(calls);
	for (unsigned i = 0; i < calls->link_count; i++)
		pglink_turn(calls->links[i].pg);
}

/*
 * Answers
 */

static void
tell_rows(Call *call, const PgAnswer *rows)
{
	CallAnswer answer;

	if (answers_read(&answer, call->verb, rows))
	{
		tell(call, &answer);
		return;
	}
	log_error("%s answered %d rows of %d columns",
			  answers_traits(call->verb)->function, rows->rows, rows->columns);
	tell_status(call, CALL_FAILED, false);
}

static void
tell_error(Call *call, const PgAnswer *answer)
{
	const CallTraits *traits = answers_traits(call->verb);
	bool bad_data = (traits->is_message || traits->shape == SHAPE_EXCHANGE) &&
					answers_is_bad_data(answer->sqlstate);

	/* Bad data is a client's doing: not a line each in the log. */
	if (bad_data)
		log_debug("%s: %s %s", traits->function, answer->sqlstate,
				  answer->message);
	else
		log_error("%s failed: %s %s", traits->function, answer->sqlstate,
				  answer->message);
	tell_status(call,
				answers_is_passing(answer->sqlstate) ? CALL_UNAVAILABLE
													 : CALL_FAILED,
				bad_data);
}

/* Whether a call may be asked a second time without harm. */
static bool
is_repeatable(const Call *call)
{
	return !call->settled && call->attempts < CALL_MAX_ATTEMPTS &&
		   answers_traits(call->verb)->repeatable;
}

static void
on_answer(void *arg, const PgAnswer *answer)
{
	CallLink *link = arg;
	Calls	 *calls = link->calls;
	Call	 *call = TAILQ_FIRST(&link->sent);

	if (call == NULL)
	{
		pglink_fail(link->pg, "an answer to nothing");
		return;
	}
	link->progress_ms = loop_now_ms(calls->loop);
	if (!answer->ok && answers_is_stale(answer->sqlstate))
	{
		/* What is behind it would fail alike: on_down deals with them all. */
		pglink_fail_answer(link->pg, answer);
		return;
	}
	unsend(call);
	uncount(call);
	loop_cancel(calls->loop, &call->deadline);
	if (call->settled)
		; /* too late, or cancelled */
	else if (answer->ok)
		tell_rows(call, answer);
	else
		tell_error(call, answer);
	call_free(call);
	loop_wake(calls->loop); /* there is room for another */
}

static void
on_up(void *arg)
{
	CallLink *link = arg;

	pglink_proven(link->pg);
	hold(link);
	reroute(link->calls);
	loop_wake(link->calls->loop);
}

static void
on_down(void *arg)
{
	CallLink *link = arg;
	Calls	 *calls = link->calls;
	CallQueue lost = TAILQ_HEAD_INITIALIZER(lost);
	Call	 *call;

	loop_cancel(calls->loop, &link->watchdog);
	drop_holds_on(link);

	/* From the last to the first, so that they stand first, in order. */
	while ((call = TAILQ_LAST(&link->sent, CallQueue)) != NULL)
	{
		unsend(call);
		if (is_repeatable(call))
		{
			call->state = CALL_WAITING;
			call->queue = &calls->waiting;
			TAILQ_INSERT_HEAD(&calls->waiting, call, entry);
		}
		else
			TAILQ_INSERT_HEAD(&lost, call, entry);
	}
	reroute(calls);

	/* Still CALL_SENT: a callback that cancels one only marks it. */
	while ((call = TAILQ_FIRST(&lost)) != NULL)
	{
		TAILQ_REMOVE(&lost, call, entry);
		uncount(call);
		finish(call, CALL_UNAVAILABLE);
	}
	loop_wake(calls->loop);
}

/* statement_timeout should have ended the call: the server is not there. */
static void
on_watchdog(LoopTimer *timer)
{
	CallLink *link = container_of(timer, CallLink, watchdog);
	Calls	 *calls = link->calls;
	uint64_t  due_ms =
		link->progress_ms + calls->call_timeout_ms + LINK_GRACE_MS;

	if (link->sent_count == 0)
		return;
	if (loop_now_ms(calls->loop) < due_ms)
		loop_arm(calls->loop, timer, due_ms);
	else
		pglink_fail(link->pg, "no answer for %llu ms",
					(unsigned long long) (loop_now_ms(calls->loop) -
										  link->progress_ms));
}

/*
 * Making calls
 */

/* A call on no list yet, its arguments copied; NULL when out of memory. */
static Call *
call_create(Calls *calls, CallVerb verb, const Slice *arguments, size_t count,
			void *arg)
{
	size_t len = 0;
	char  *to;
	Call  *call;

	for (size_t i = 0; i < count; i++)
		len += arguments[i].len;
	if (len > INT32_MAX)
		return NULL; /* libpq counts so; no setting allows it */
	call = calloc(1, sizeof(*call) + len);
	if (call == NULL)
		return NULL;
	call->calls = calls;
	call->verb = verb;
	call->arg = arg;
	call->deadline.on_due = on_deadline;
	call->argument_count = count;
	call->bytes_len = len;
	to = call->bytes;
	for (size_t i = 0; i < count; i++)
	{
		if (arguments[i].ptr == NULL)
			continue;
		if (arguments[i].len > 0)
			memcpy(to, arguments[i].ptr, arguments[i].len);
		call->arguments[i] = (PgParam){to, arguments[i].len};
		to += arguments[i].len;
	}
	return call;
}

static void
begin(Call *call, CallQueue *queue, uint64_t timeout_ms)
{
	Calls *calls = call->calls;

	loop_wake(calls->loop);
	if (calls->pending >= calls->max_pending ||
		calls->pending_bytes + call->bytes_len > CALLS_MAX_BYTES)
	{
		call->state = CALL_REFUSED;
		call->queue = &calls->refused;
		TAILQ_INSERT_TAIL(&calls->refused, call, entry);
		calls->refused_count++;
		return;
	}
	calls->pending++;
	calls->pending_bytes += call->bytes_len;
	enqueue(call, queue);
	loop_arm(calls->loop, &call->deadline,
			 loop_now_ms(calls->loop) + timeout_ms);
}

Call *
calls_ask(Calls *calls, const CallQuestion *question)
{
	Call *call = call_create(calls, question->verb, question->arguments,
							 question->argument_count, question->arg);

	if (call == NULL)
		return NULL;
	call->done = question->done;
	call->order_key = question->order_key;
	begin(call,
		  is_message(call) ? &route(calls, call->order_key)->queue
						   : &calls->waiting,
		  question->timeout_ms);
	return call;
}

/*
 * All of them
 */

bool
calls_ready(const Calls *calls)
{
	for (unsigned i = 0; i < calls->link_count; i++)
		if (pglink_is_up(calls->links[i].pg))
			return true;
	return false;
}

size_t
calls_pending(const Calls *calls)
{
	return calls->pending;
}

void
calls_set_max_pending(Calls *calls, size_t max_pending)
{
	calls->max_pending = max_pending;
}

static bool
link_init(CallLink *link, Calls *calls, unsigned number, const char *conninfo)
{
	static const PgLinkHandler handler = {
		.on_up = on_up,
		.on_answer = on_answer,
		.on_down = on_down,
	};
	char		  name[32];
	PgLinkOptions options = {
		.name = name,
		.conninfo = conninfo,
		.setup = answers_setup,
		.setup_count = lengthof(answers_setup),
		.statement_timeout_ms = calls->call_timeout_ms,
	};

	snprintf(name, sizeof(name), "call link %u", number + 1);
	link->calls = calls;
	link->number = number;
	link->watchdog.on_due = on_watchdog;
	TAILQ_INIT(&link->queue);
	TAILQ_INIT(&link->sent);
	link->pg = pglink_create(calls->loop, &options, &handler, link);
	return link->pg != NULL;
}

Calls *
calls_create(Loop *loop, const CallsOptions *options)
{
	Calls *calls = calloc(1, sizeof(*calls));
	int	   links = options->links;

	if (calls == NULL)
		return NULL;
	if (links < 1)
		links = 1;
	if (links > CALLS_MAX_LINKS)
		links = CALLS_MAX_LINKS;
	calls->loop = loop;
	calls->call_timeout_ms = options->call_timeout_ms;
	calls->max_pending = options->max_pending;
	TAILQ_INIT(&calls->waiting);
	TAILQ_INIT(&calls->refused);
	while (calls->link_count < (unsigned) links)
	{
		CallLink *link = &calls->links[calls->link_count];

		if (!link_init(link, calls, calls->link_count, options->conninfo))
		{
			calls_destroy(calls);
			return NULL;
		}
		calls->link_count++;
	}
	loop_add_turn_step(loop, on_turn, calls);
	return calls;
}

static void
queue_clear(CallQueue *queue)
{
	Call *call;

	while ((call = TAILQ_FIRST(queue)) != NULL)
	{
		TAILQ_REMOVE(queue, call, entry);
		call_free(call);
	}
}

void
calls_destroy(Calls *calls)
{
	if (calls == NULL)
		return;
	for (unsigned i = 0; i < calls->link_count; i++)
	{
		CallLink *link = &calls->links[i];

		pglink_destroy(link->pg);
		loop_cancel(calls->loop, &link->watchdog);
		queue_clear(&link->queue);
		queue_clear(&link->sent);
	}
	queue_clear(&calls->waiting);
	queue_clear(&calls->refused);
	free(calls);
}
