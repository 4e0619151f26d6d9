/*-------------------------------------------------------------------------
 *
 * feed.c
 *	  What PostgreSQL announces, put in order: revocations first.
 *
 * Notifications are parsed as they are read and wait in the inbox until
 * feed_turn() hands them out.
 *
 * The shared channel's name is a secret that only listeners are told, so its
 * notices are believed; on any other channel everybody may NOTIFY, and such a
 * notification is a message of the plain group of that name, nothing else.  The
 * name is never logged.
 *
 * What was committed to durable groups is fetched from where the last fetch
 * ended: see usher.fetch().  The rows of one and the notifications that came
 * with it are handed out in one turn, as both are read before its answer is
 * complete.
 *
 * Long because all that goes over this one connection, in whatever state it is,
 * is answered in order.
 *
 * A canary is sent at intervals through usher.canary(), which also moves the
 * tail of PostgreSQL's notification queue.  A connection on which neither the
 * canary nor anything else arrives is given up.
 *
 *-------------------------------------------------------------------------
 */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "inbox.h"
#include "log.h"
#include "pglink.h"
#include "plain.h"
#include "revocations.h"

/* For each answer on the way from connected to ready. */
#define START_TIMEOUT_MS 10000

/* A canary is late after two intervals, but never before this. */
#define CANARY_MIN_PATIENCE_MS 3000

#define CHANNEL_NAME_MAX 63

typedef enum FeedState
{
	FEED_DOWN,		/* not connected */
	FEED_STARTING,	/* asked which channel; timer: the deadline */
	FEED_LISTENING, /* LISTENs and the first canary; timer: the deadline */
	FEED_READY,		/* heard itself; timer: the next canary */
} FeedState;

/* What a request on the link was for; they are answered in order. */
typedef enum FeedRequest
{
	FEED_ASK_START,
	FEED_ASK_SHARED,
	FEED_ASK_PLAIN,
	FEED_ASK_CANARY,
	FEED_ASK_FETCH,
} FeedRequest;

/* At most one of each kind is under way. */
#define MAX_REQUESTS 5

/* Without a bell: those of prepared transactions do not ring, nor does a
 * doorbell that is switched off. */
#define FETCH_INTERVAL_MS 1000

struct Feed
{
	Loop	   *loop;
	FeedHandler handler;
	void	   *arg;
	FeedState	state;
	PgLink	   *link;
	LoopTimer	timer;
	LoopTimer	linger; /* when a plain channel is to be left */
	bool		was_ready;
	FeedRequest requests[MAX_REQUESTS];
	size_t		request_count;
	char		channel[CHANNEL_NAME_MAX + 1]; /* secret: never logged */

	uint64_t canary_interval_ms;
	uint64_t process_id; /* random; makes our canaries ours */
	uint64_t canary_number;
	char	 nonce[40]; /* of the canary under way; "" when none is */
	uint64_t canary_sent_ms;
	uint64_t canary_back_ms; /* when the last one came back */
	uint64_t heard_ms;		 /* when anything came on the shared channel */
	bool	 canary_known;	 /* canary_back_ms is set */
	double	 queue_usage;

	char	 *position; /* up to where durable messages were fetched */
	bool	  fetching;
	bool	  overrun; /* to be told in feed_turn */
	LoopTimer fetch_timer;

	Plain		plain;
	bool		plain_under_way;
	Inbox		inbox;
	Revocations revocations;
};

/* Asked during the set-up too, so that a missing extension or privilege shows
 * while connecting. */
static const char start_sql[] =
	"SELECT channel, version, max_payload FROM usher.listener_start()";

static const PgSetup setup[] = {{NULL, start_sql}};

static const char *const state_name[] = {
	[FEED_DOWN] = "down",
	[FEED_STARTING] = "starting",
	[FEED_LISTENING] = "listening",
	[FEED_READY] = "ready",
};

/*
 * Collecting
 */

static void on_canary_back(Feed *feed);

static void
on_notify(void *arg, const char *channel, Slice payload)
{
	Feed *feed = arg;
	Slice name = {channel, strlen(channel)};
	Slice nonce;

	if (feed->channel[0] == '\0' || !slice_equals(name, feed->channel))
	{
		/* Nobody may be left, with the UNLISTEN still to come. */
		if (plain_is_wanted(&feed->plain, name))
			inbox_add_plain(&feed->inbox, name, payload);
		return;
	}
	feed->heard_ms = loop_now_ms(feed->loop);
	/* Not ours: another listener's canary. */
	if (inbox_add(&feed->inbox, payload, &nonce) && feed->nonce[0] != '\0' &&
		slice_equals(nonce, feed->nonce))
		on_canary_back(feed);
}

/*
 * Handing out
 */

static void
hand_out_urgent(void *arg, const Notice *notice)
{
	Feed			  *feed = arg;
	const FeedHandler *handler = &feed->handler;

	if (notice->kind != NOTICE_KICK)
		revocations_add(&feed->revocations, notice->kind, notice->key,
						loop_now_ms(feed->loop));

	switch (notice->kind)
	{
		case NOTICE_REVOKE_CREDENTIAL:
			handler->on_revoke(feed->arg, FEED_REVOKE_CREDENTIAL, notice->key);
			return;
		case NOTICE_REVOKE_USER:
			handler->on_revoke(feed->arg, FEED_REVOKE_USER, notice->key);
			return;
		case NOTICE_REVOKE_KIND:
			handler->on_revoke(feed->arg, FEED_REVOKE_KIND, notice->key);
			return;
		case NOTICE_REVOKE_ALL:
			handler->on_revoke(feed->arg, FEED_REVOKE_ALL, SLICE_NONE);
			return;
		case NOTICE_KICK:
			handler->on_kick(feed->arg, notice->key, notice->user_id);
			return;
		case NOTICE_POLICY: handler->on_policy(feed->arg, notice->key); return;
		case NOTICE_ENDS_SOONER:
			handler->on_ends_sooner(feed->arg, notice->key);
			return;
		case NOTICE_RECHECK_GROUP:
			handler->on_recheck_group(feed->arg, notice->key);
			return;
		case NOTICE_RECHECK_USER:
			handler->on_recheck_user(feed->arg, notice->key);
			return;
		case NOTICE_MESSAGE:
		case NOTICE_CHUNK:
		case NOTICE_JOINED:
		case NOTICE_LEFT:
		case NOTICE_CANARY:
		case NOTICE_BELL:
		case NOTICE_DURABLE:
		case NOTICE_HEAD: return; /* never on this list */
	}
}

static void
hand_out_message(void *arg, const Notice *notice)
{
	Feed	*feed = arg;
	Slice	 groups = notice->groups;
	Slice	 group;
	FeedType type = FEED_TEXT;

	if (notice->kind == NOTICE_JOINED || notice->kind == NOTICE_LEFT)
	{
		feed->handler.on_presence(feed->arg, notice->key,
								  notice->kind == NOTICE_JOINED,
								  notice->payload);
		return;
	}
	switch (notice->type)
	{
		case NOTICE_TEXT: type = FEED_TEXT; break;
		case NOTICE_JSON: type = FEED_JSON; break;
		case NOTICE_BASE64: type = FEED_BINARY; break;
	}
	if (notice->kind == NOTICE_DURABLE)
	{
		feed->handler.on_durable(feed->arg, groups, &notice->position, type,
								 notice->payload);
		return;
	}
	while (notice_next_group(&groups, &group))
		feed->handler.on_message(feed->arg, group, type, notice->payload);
}

/*
 * Asking
 */

static bool
end_request(Feed *feed, FeedRequest request)
{
	if (!pglink_end_request(feed->link))
		return false;
	if (feed->request_count == MAX_REQUESTS)
		abort(); /* a mistake in the program, not in its input */
	feed->requests[feed->request_count++] = request;
	return true;
}

static void
ask_start(Feed *feed)
{
	if (pglink_query(feed->link, start_sql, NULL, 0) &&
		end_request(feed, FEED_ASK_START))
		return;
	/* The link says on_down soon, as in all that follows. */
}

static bool
ask_listen(Feed *feed, const char *verb, const char *channel)
{
	char   sql[32 + 2 * CHANNEL_NAME_MAX];
	size_t used = (size_t) snprintf(sql, sizeof(sql), "%s \"", verb);

	for (const char *c = channel; *c != '\0'; c++)
	{
		if (*c == '"')
			sql[used++] = '"';
		sql[used++] = *c;
	}
	sql[used++] = '"';
	sql[used] = '\0';
	return pglink_query(feed->link, sql, NULL, 0);
}

/* One transaction for what changed among the plain channels.  False: nothing.
 */
static bool
ask_plain(Feed *feed)
{
	PlainChannel *batch[PLAIN_BATCH_MAX];
	uint64_t	  next_due_ms;
	size_t		  count =
		plain_batch(&feed->plain, loop_now_ms(feed->loop), batch, &next_due_ms);

	if (next_due_ms != UINT64_MAX)
		loop_arm(feed->loop, &feed->linger, next_due_ms);
	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!ask_listen(
				feed, batch[i]->state == PLAIN_LEAVING ? "UNLISTEN" : "LISTEN",
				batch[i]->name))
			return true; /* on_down follows */
	feed->plain_under_way = end_request(feed, FEED_ASK_PLAIN);
	return true;
}

static void
ask_canary(Feed *feed)
{
	PgParam param;

	snprintf(feed->nonce, sizeof(feed->nonce), "%016llx.%llu",
			 (unsigned long long) feed->process_id,
			 (unsigned long long) ++feed->canary_number);
	param = (PgParam){feed->nonce, strlen(feed->nonce)};
	feed->canary_sent_ms = loop_now_ms(feed->loop);
	if (!pglink_query(feed->link, "SELECT usher.canary($1::text)", &param, 1) ||
		!end_request(feed, FEED_ASK_CANARY))
		feed->nonce[0] = '\0';
}

/* What has been committed since the last time; the first time only where we
 * begin. */
static void
ask_fetch(Feed *feed)
{
	PgParam param = {feed->position,
					 feed->position != NULL ? strlen(feed->position) : 0};

	loop_arm(feed->loop, &feed->fetch_timer,
			 loop_now_ms(feed->loop) + FETCH_INTERVAL_MS);
	feed->inbox.bell = false;
	if (pglink_query(feed->link, "SELECT usher.fetch($1::text)", &param, 1))
		feed->fetching = end_request(feed, FEED_ASK_FETCH);
}

static void
on_fetched(Feed *feed, const PgAnswer *answer)
{
	const char *first =
		answer->rows > 0 && answer->columns == 1 ? answer->values[0] : NULL;

	feed->fetching = false;
	if (first == NULL || (first[0] != '@' && first[0] != '!') ||
		first[1] != ' ')
	{
		pglink_fail(feed->link, "usher.fetch() gave no position");
		return;
	}
	free(feed->position);
	feed->position = strdup(first + 2);
	if (feed->position == NULL)
	{
		pglink_fail(feed->link, "out of memory");
		return;
	}
	if (first[0] == '!')
		feed->overrun = true;
	for (int row = 1; row < answer->rows; row++)
		inbox_add_fetched(&feed->inbox, slice_of(answer->values[row]));
	loop_wake(feed->loop);
}

static void
on_fetch_due(LoopTimer *timer)
{
	Feed *feed = container_of(timer, Feed, fetch_timer);

	feed->inbox.bell = true; /* feed_turn fetches */
}

/*
 * States
 */

static void
arm_in(Feed *feed, uint64_t delay_ms)
{
	loop_arm(feed->loop, &feed->timer, loop_now_ms(feed->loop) + delay_ms);
}

static void
go_ready(Feed *feed)
{
	bool after_gap = feed->was_ready;

	/* Whoever asked before now may have missed a revocation. */
	revocations_forget(&feed->revocations);
	feed->was_ready = true;
	pglink_proven(feed->link);
	arm_in(feed, feed->canary_interval_ms);
	log_info("listen link: ready");
	feed->handler.on_ready(feed->arg, after_gap);
}

static void
go_down(Feed *feed, bool was_ready)
{
	loop_cancel(feed->loop, &feed->timer);
	loop_cancel(feed->loop, &feed->linger);
	loop_cancel(feed->loop, &feed->fetch_timer);
	inbox_cut(&feed->inbox);
	/* a position means nothing after a crash, or on another server */
	free(feed->position);
	feed->position = NULL;
	feed->fetching = feed->overrun = feed->inbox.bell = false;
	plain_reset(&feed->plain);
	feed->plain_under_way = false;
	feed->request_count = 0;
	feed->nonce[0] = '\0';
	feed->channel[0] = '\0';
	if (was_ready)
		feed->handler.on_down(feed->arg);
}

/* The only function that writes feed->state. */
static void
feed_enter(Feed *feed, FeedState next)
{
	bool was_ready = feed->state == FEED_READY;

	log_debug("feed: %s -> %s", state_name[feed->state], state_name[next]);
	feed->state = next;

	switch (next)
	{
		case FEED_DOWN: go_down(feed, was_ready); return;
		case FEED_STARTING:
			arm_in(feed, START_TIMEOUT_MS);
			ask_start(feed);
			return;
		case FEED_LISTENING:
			arm_in(feed, START_TIMEOUT_MS);
			if (ask_listen(feed, "LISTEN", feed->channel) &&
				!end_request(feed, FEED_ASK_SHARED))
				return; /* on_down follows */
			return;
		case FEED_READY: go_ready(feed); return;
	}
}

static void
on_up(void *arg)
{
	feed_enter(arg, FEED_STARTING);
}

static void
on_down(void *arg)
{
	feed_enter(arg, FEED_DOWN);
}

static void
on_started(Feed *feed, const PgAnswer *answer)
{
	const char *channel =
		answer->rows == 1 && answer->columns == 3 ? answer->values[0] : NULL;

	if (channel == NULL || channel[0] == '\0' ||
		strlen(channel) > CHANNEL_NAME_MAX)
	{
		pglink_fail(feed->link, "usher.listener_start() named no channel");
		return;
	}
	memcpy(feed->channel, channel, strlen(channel) + 1);
	log_debug("listen link: extension usher %s, payloads up to %s bytes",
			  answer->values[1] != NULL ? answer->values[1] : "?",
			  answer->values[2] != NULL ? answer->values[2] : "?");
	feed_enter(feed, FEED_LISTENING);
}

/*
 * Some LISTENs have been committed.  While starting: the next batch, and when
 * everything is LISTENed to, the canary.
 */
static void
on_listened(Feed *feed)
{
	if (feed->state != FEED_LISTENING || feed->nonce[0] != '\0')
		return;
	arm_in(feed, START_TIMEOUT_MS);
	if (ask_plain(feed))
		return;
	/* Where we begin is answered before the canary comes back: whatever is
	 * committed once we are ready is fetched. */
	ask_fetch(feed);
	ask_canary(feed);
}

static void
on_answer(void *arg, const PgAnswer *answer)
{
	Feed	   *feed = arg;
	FeedRequest request = feed->requests[0];

	if (feed->request_count == 0)
	{
		pglink_fail(feed->link, "an answer to nothing");
		return;
	}
	feed->request_count--;
	memmove(&feed->requests[0], &feed->requests[1],
			feed->request_count * sizeof(feed->requests[0]));
	if (!answer->ok)
	{
		pglink_fail_answer(feed->link, answer);
		return;
	}

	switch (request)
	{
		case FEED_ASK_START: on_started(feed, answer); return;
		case FEED_ASK_SHARED: on_listened(feed); return;
		case FEED_ASK_PLAIN:
			feed->plain_under_way = false;
			plain_batch_done(&feed->plain);
			loop_wake(feed->loop);
			on_listened(feed);
			return;
		case FEED_ASK_CANARY:
			if (answer->rows == 1 && answer->values[0] != NULL)
				feed->queue_usage = strtod(answer->values[0], NULL);
			return;
		case FEED_ASK_FETCH: on_fetched(feed, answer); return;
	}
}

/*
 * Canaries
 */

static void
on_canary_back(Feed *feed)
{
	feed->nonce[0] = '\0';
	feed->canary_back_ms = loop_now_ms(feed->loop);
	feed->canary_known = true;
	if (feed->state == FEED_LISTENING)
		feed_enter(feed, FEED_READY);
}

/*
 * How long nothing may be heard before the connection counts as dead.  A
 * backlog of other notices before the canary is a sign of life.
 */
static uint64_t
patience_ms(const Feed *feed)
{
	uint64_t patience = 2 * feed->canary_interval_ms;

	return patience > CANARY_MIN_PATIENCE_MS ? patience
											 : CANARY_MIN_PATIENCE_MS;
}

static void
tend_canary(Feed *feed)
{
	uint64_t now_ms = loop_now_ms(feed->loop);
	uint64_t since_ms;

	if (feed->nonce[0] == '\0')
	{
		ask_canary(feed);
		arm_in(feed, feed->canary_interval_ms);
		return;
	}
	since_ms = feed->heard_ms > feed->canary_sent_ms ? feed->heard_ms
													 : feed->canary_sent_ms;
	if (now_ms - since_ms >= patience_ms(feed))
		pglink_fail(feed->link, "nothing heard for %llu ms",
					(unsigned long long) (now_ms - since_ms));
	else
	{
		uint64_t left_ms = since_ms + patience_ms(feed) - now_ms;

		arm_in(feed, left_ms < feed->canary_interval_ms
						 ? left_ms
						 : feed->canary_interval_ms);
	}
}

static void
on_timer(LoopTimer *timer)
{
	Feed *feed = container_of(timer, Feed, timer);

	switch (feed->state)
	{
		case FEED_DOWN: return;
		case FEED_STARTING:
		case FEED_LISTENING:
			pglink_fail(feed->link, "could not start to listen in time");
			return;
		case FEED_READY: tend_canary(feed); return;
	}
}

static void
on_linger(LoopTimer *timer)
{
	Feed *feed = container_of(timer, Feed, linger);

	feed->plain.dirty = true; /* feed_turn asks for the UNLISTEN */
}

/*
 * The door
 */

static void
announce(void *arg, Slice group, bool ok)
{
	Feed *feed = arg;

	feed->handler.on_listening(feed->arg, group, ok);
}

void
feed_turn(Feed *feed)
{
	inbox_hand_out(&feed->inbox, hand_out_urgent, hand_out_message, feed);
	if (feed->overrun)
	{
		feed->overrun = false;
		feed->handler.on_overrun(feed->arg);
	}
	if (feed->inbox.bell && feed->state == FEED_READY && !feed->fetching)
		ask_fetch(feed);

	if (feed->plain.unannounced)
		plain_announce(&feed->plain, announce, feed);
	if (feed->plain.dirty && feed->state == FEED_READY &&
		!feed->plain_under_way)
		(void) ask_plain(feed);
	pglink_turn(feed->link);
}

void
feed_listen(Feed *feed, Slice group)
{
	if (!plain_want(&feed->plain, group))
		log_error("listen link: out of memory, cannot listen for a group");
	loop_wake(feed->loop);
}

void
feed_unlisten(Feed *feed, Slice group)
{
	plain_leave(&feed->plain, group, loop_now_ms(feed->loop));
	loop_wake(feed->loop);
}

uint64_t
feed_mark(const Feed *feed)
{
	return revocations_mark(&feed->revocations);
}

bool
feed_revoked_since(const Feed *feed, uint64_t mark, const char *kind,
				   const char *user_id, const char *credential_id,
				   const char *issuer_id)
{
	return revocations_since(&feed->revocations, mark, kind, user_id,
							 credential_id, issuer_id);
}

FeedHealth
feed_health(const Feed *feed)
{
	return (FeedHealth){
		.ready = feed->state == FEED_READY,
		.canary_age_ms = feed->canary_known
							 ? loop_now_ms(feed->loop) - feed->canary_back_ms
							 : UINT64_MAX,
		.queue_usage = feed->queue_usage,
	};
}

void
feed_set_canary_interval(Feed *feed, uint64_t interval_ms)
{
	feed->canary_interval_ms = interval_ms;
	if (feed->state == FEED_READY)
		arm_in(feed, interval_ms);
}

Feed *
feed_create(Loop *loop, const FeedOptions *options, const FeedHandler *handler,
			void *arg)
{
	static const PgLinkHandler link_handler = {
		.on_up = on_up,
		.on_answer = on_answer,
		.on_notify = on_notify,
		.on_down = on_down,
	};
	PgLinkOptions link_options = {
		.name = "listen link",
		.conninfo = options->conninfo,
		.setup = setup,
		.setup_count = lengthof(setup),
		.statement_timeout_ms = options->call_timeout_ms,
	};
	Feed *feed = calloc(1, sizeof(*feed));

	if (feed == NULL)
		return NULL;
	feed->loop = loop;
	feed->handler = *handler;
	feed->arg = arg;
	feed->state = FEED_DOWN;
	feed->timer.on_due = on_timer;
	feed->linger.on_due = on_linger;
	feed->fetch_timer.on_due = on_fetch_due;
	feed->canary_interval_ms = options->canary_interval_ms;
	if (getrandom(&feed->process_id, sizeof(feed->process_id), GRND_NONBLOCK) <
		0)
		feed->process_id = (uint64_t) (uintptr_t) feed;
	inbox_init(&feed->inbox);
	plain_init(&feed->plain);
	feed->link = pglink_create(loop, &link_options, &link_handler, feed);
	if (feed->link == NULL)
	{
		feed_destroy(feed);
		return NULL;
	}
	return feed;
}

void
feed_destroy(Feed *feed)
{
	if (feed == NULL)
		return;
	pglink_destroy(feed->link);
	loop_cancel(feed->loop, &feed->timer);
	loop_cancel(feed->loop, &feed->linger);
	loop_cancel(feed->loop, &feed->fetch_timer);
	free(feed->position);
	inbox_fini(&feed->inbox);
	plain_fini(&feed->plain);
	revocations_fini(&feed->revocations);
	free(feed);
}
