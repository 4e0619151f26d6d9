/*-------------------------------------------------------------------------
 *
 * durable.c
 *	  The streams of durable groups: loaded, followed, and broken.
 *
 * A stream (stream.h) is loaded when the first member comes: the feed's
 * position was taken before that question was asked, so whatever the answer
 * does not know yet is fetched after it.  After a gap, or when a number does
 * not follow the last one, it is loaded again from its last message on, and
 * what is new is handed out; if that message is not there any more, or another
 * has its number, every member is told that the stream was broken.
 *
 *-------------------------------------------------------------------------
 */
#include "durable.h"

#include <stdlib.h>

#include "fanout.h"
#include "lines.h"
#include "log.h"
#include "principal.h"
#include "replay.h"

/* Questions under way at a time: leave room for newcomers. */
#define MAX_LOADS 64

/* Tell all members who were told everything so far. */
static void
reset_members(ClientEnv *env, const Stream *stream)
{
	HubGroup *group = hub_find(env->hub, slice_of(stream->name));

	log_warning("group %s: the history has changed; its members are told so",
				stream->name);
	for (uint32_t i = 0; group != NULL && i < group->member_count; i++)
	{
		Seat *seat = seat_of_member(group->members[i]);

		if (seat->open && seat->resume == NULL && seat->rights.durable)
			replay_say_reset(seat, &stream->last);
	}
}

/* Decide about those who waited for the stream.  Deciding may close a client,
 * and so move the members behind it: walk from the end. */
static void
decide_waiting(ClientEnv *env, Slice name)
{
	HubGroup *group = hub_find(env->hub, name);

	for (uint32_t i = group ? group->member_count : 0; i-- > 0;)
	{
		Seat *seat = seat_of_member(group->members[i]);

		if (seat->resume == NULL || seat->resume->state != RESUME_WAITING)
			continue;
		replay_decide(seat->resume);
		/* the group goes with its last member */
		if (i == 0 || hub_find(env->hub, name) != group)
			return;
	}
}

static void
refuse_waiting(ClientEnv *env, Slice name, const char *reason)
{
	HubGroup *group = hub_find(env->hub, name);

	for (uint32_t i = group ? group->member_count : 0; i-- > 0;)
	{
		Seat *seat = seat_of_member(group->members[i]);

		if (seat->resume == NULL || seat->open ||
			seat->resume->state != RESUME_WAITING)
			continue;
		env->on_seat_decided(seat, reason);
		if (i == 0 || hub_find(env->hub, name) != group)
			return;
	}
}

static void
hand_out(ClientEnv *env, Stream *stream, const Position *position,
		 FeedType type, Slice payload)
{
	switch (stream_append(stream, position, type, payload))
	{
		case STREAM_APPENDED:
			fanout_add(env, slice_of(stream->name), position, type, payload);
			return;
		case STREAM_HAD: return;
		case STREAM_BROKEN:
			log_info("group %s: message %llu does not follow %llu; asking",
					 stream->name, (unsigned long long) position->seq,
					 (unsigned long long) stream->last.seq);
			stream_enter(stream, STREAM_STALE);
			loop_wake(env->loop);
			return;
	}
}

/* Append the messages of the answer from number i on. */
static bool
hand_out_lines(ClientEnv *env, Stream *stream, const StreamAnswer *answer,
			   size_t i)
{
	bool good = true;

	for (; good && i < answer->count; i++)
	{
		Notice notice;
		char  *decoded;

		good = lines_read(&notice, answer, i, &decoded) &&
			   notice.position.seq == stream->last.seq + 1;
		if (good)
			hand_out(env, stream, &notice.position,
					 lines_feed_type(notice.type), notice.payload);
		free(decoded);
	}
	return good;
}

/* The first answer: where the stream is, and what those who wait missed. */
static bool
take_first(ClientEnv *env, Stream *stream, const StreamAnswer *answer,
		   const Position *head)
{
	Position first;
	Position last;

	/* Messages that do not reach the end are of no use here. */
	if (!lines_position(&first, answer, 1) ||
		!lines_position(&last, answer, answer->count - 1) ||
		!position_equals(&last, head))
	{
		stream_start_at(stream, head);
		return true;
	}
	first.seq--;
	stream_start_at(stream, &first);
	return hand_out_lines(env, stream, answer, 1);
}

/* Another answer: what came after the last message, if that is still there. */
static bool
take_more(ClientEnv *env, Stream *stream, const StreamAnswer *answer,
		  const Position *head)
{
	size_t next;

	if (position_equals(&stream->last, head))
		return true;
	next = lines_after(answer, &stream->last);
	if (next > 0)
		return hand_out_lines(env, stream, answer, next);
	stream_start_at(stream, head);
	reset_members(env, stream);
	return true;
}

static void
go_live(ClientEnv *env, Stream *stream)
{
	StreamMessage *message;

	while ((message = stream_take_aside(stream)) != NULL)
	{
		/* the answer may know it already */
		if (message->position.seq > stream->last.seq)
			hand_out(env, stream, &message->position, message->type,
					 (Slice){message->payload, message->len});
		free(message);
		if (stream->state != STREAM_LOADING)
			return; /* broken: it is asked for again */
	}
	stream_enter(stream, STREAM_LIVE);
}

static void
on_loaded(void *arg, const StreamAnswer *answer)
{
	Stream	   *stream = arg;
	ClientEnv  *env = stream_owner(stream);
	const char *reason = principal_failure(answer->status);
	char		name[GROUP_NAME_MAX + 1];
	Position	head;
	bool		taken = false;

	memcpy(name, stream->name, sizeof(name));
	stream->load = NULL;
	env->loads_asked--;
	if (stream_forget_if_useless(stream))
		return;
	if (reason == NULL && lines_head(&head, answer))
		taken = stream->known ? take_more(env, stream, answer, &head)
							  : take_first(env, stream, answer, &head);
	if (taken)
	{
		if (stream->last.seq < head.seq)
			stream_enter(stream, STREAM_STALE); /* there is another page */
		else
			go_live(env, stream);
		loop_wake(env->loop);
		if (stream->state == STREAM_LIVE)
			decide_waiting(env, slice_of(name));
		return;
	}
	if (reason == NULL)
	{
		log_error("group %s: usher.stream() gave something unreadable", name);
		reason = "internal_error";
	}
	stream_enter(stream, STREAM_STALE);
	env->load_after_ms = loop_now_ms(env->loop) + REPLAY_RETRY_MS;
	refuse_waiting(env, slice_of(name), reason);
}

/* From which message on those who wait for the stream missed something; 0:
 * nobody says so. */
static uint64_t
first_missed(ClientEnv *env, const Stream *stream)
{
	HubGroup *group = hub_find(env->hub, slice_of(stream->name));
	uint64_t  first = UINT64_MAX;

	for (uint32_t i = 0; group != NULL && i < group->member_count; i++)
	{
		const Resume *resume = seat_of_member(group->members[i])->resume;

		if (resume != NULL && resume->since && resume->position.seq < first)
			first = resume->position.seq;
	}
	if (first == UINT64_MAX)
		return 0;
	return first > 0 ? first : 1;
}

static bool
load(ClientEnv *env, Stream *stream)
{
	uint64_t since =
		stream->known ? stream->last.seq : first_missed(env, stream);
	uint32_t limit = stream->known || since > 0 ? REPLAY_PAGE_MESSAGES : 0;

	stream->load =
		calls_stream(env->calls, slice_of(stream->name), since > 0 ? since : 1,
					 limit, env->config->auth_timeout_ms, on_loaded, stream);
	if (stream->load == NULL)
		return false;
	env->loads_asked++;
	stream_enter(stream, STREAM_LOADING);
	return true;
}

static void
load_streams(ClientEnv *env)
{
	Stream *stream;

	if (!feed_health(env->feed).ready ||
		loop_now_ms(env->loop) < env->load_after_ms)
		return;
	while (env->loads_asked < MAX_LOADS &&
		   (stream = streams_next_stale(env->streams)) != NULL)
		if (!stream_forget_if_useless(stream) && !load(env, stream))
			return; /* out of memory: later */
}

/* ---- the feed ------------------------------------------------------------ */

void
durable_on_message(ClientEnv *env, Slice group, const Position *position,
				   FeedType type, Slice payload)
{
	Stream *stream = streams_find(env->streams, group);

	if (stream == NULL)
		return; /* nobody is there, nor was lately */
	switch (stream->state)
	{
		case STREAM_STALE: return; /* the answer will know it */
		case STREAM_LOADING:
			if (!stream_put_aside(stream, position, type, payload))
			{
				calls_cancel(stream->load);
				stream->load = NULL;
				env->loads_asked--;
				stream_enter(stream, STREAM_STALE);
			}
			return;
		case STREAM_LIVE:
			hand_out(env, stream, position, type, payload);
			return;
	}
}

static void
stop_loading(Stream *stream)
{
	ClientEnv *env = stream_owner(stream);

	if (stream->load == NULL)
		return;
	calls_cancel(stream->load);
	stream->load = NULL;
	env->loads_asked--;
}

void
durable_on_overrun(ClientEnv *env)
{
	streams_doubt_all(env->streams, stop_loading);
	loop_wake(env->loop);
}

void
durable_on_feed_ready(ClientEnv *env)
{
	/* What was committed before the feed's position is known to nobody. */
	durable_on_overrun(env);
}

/* ---- members ---- */

void
durable_enter(Seat *seat, bool since, const Position *position)
{
	ClientEnv *env = seat->client->env;
	Stream	  *stream = streams_use(env->streams, seat_group(seat));
	Resume	  *resume = stream != NULL ? resume_create(seat) : NULL;

	if (resume == NULL)
	{
		if (stream != NULL)
			stream_unuse(stream);
		seat->rights.durable = false; /* it uses no stream */
		env->on_seat_decided(seat, "overloaded");
		return;
	}
	resume->since = since;
	if (since)
		resume->position = *position;
	loop_wake(env->loop);
	replay_decide(resume);
}

void
durable_adopt(Seat *seat)
{
	ClientEnv *env = seat->client->env;
	Stream	  *stream = streams_use(env->streams, seat_group(seat));
	Resume	  *resume = stream != NULL ? resume_create(seat) : NULL;

	if (resume == NULL)
	{
		if (stream != NULL)
			stream_unuse(stream);
		seat->rights.durable = false;
		client_doom(seat->client, WS_CLOSE_TRY_AGAIN, "overloaded");
		return;
	}
	loop_wake(env->loop);
	replay_decide(resume);
}

void
durable_abandon(Seat *seat)
{
	resume_end(seat->resume);
	stream_unuse(streams_find(seat->client->env->streams, seat_group(seat)));
	seat->rights.durable = false;
}

void
durable_begin(Seat *seat)
{
	if (seat->resume == NULL)
		return;
	seat->resume->state = RESUME_REPLAYING;
	seat->resume->lost = false; /* that has been said */
	resume_queue(seat->resume);
}

void
durable_pump(ClientEnv *env)
{
	load_streams(env);
	replay_pump(env);
}
