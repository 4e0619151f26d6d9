/*-------------------------------------------------------------------------
 *
 * durable.c
 *	  Members of durable groups: what they missed, and then what comes.
 *
 * A stream (stream.h) is loaded when the first member comes: the feed's
 * position was taken before that question was asked, so whatever the answer
 * does not know yet is fetched after it.  After a gap, or when a number does
 * not follow the last one, it is loaded again from its last message on, and
 * what is new is handed out; if that message is not there any more, or another
 * has its number, every member is told that the stream was broken.
 *
 * A member who says what he saw last is told what follows: out of memory, or
 * page by page out of the database.  He goes on so, at his own pace, until he
 * is at the end, in a moment in which the group has no frames that wait to be
 * flushed; from then on he gets what all get.  Nothing is queued for him
 * meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "durable.h"

#include <stdlib.h>

#include "encoding.h"
#include "fanout.h"
#include "log.h"
#include "notice.h"
#include "principal.h"

/* Messages of one question. */
#define PAGE_MESSAGES 500

/* What is sent to a member at a time; no more while that much waits. */
#define BATCH_BYTES 65536

/* Questions under way at a time, of either kind: leave room for newcomers. */
#define MAX_LOADS 64
#define MAX_PAGES 64

/* Members looked at in one turn. */
#define MAX_STEPS 256

/* How long to leave a database alone that could not answer. */
#define RETRY_MS 1000

static void decide(Resume *resume);

static Stream *
stream_of(const Seat *seat)
{
	return streams_find(seat->client->env->streams, seat_group(seat));
}

/* ---- lines of the database ------------------------------------------------
 */

static FeedType
feed_type(NoticeType type)
{
	switch (type)
	{
		case NOTICE_TEXT: return FEED_TEXT;
		case NOTICE_JSON: return FEED_JSON;
		case NOTICE_BASE64: break;
	}
	return FEED_BINARY;
}

/*
 * One line of usher.stream(): the head first, then messages.  A payload in
 * base64 is decoded into memory that *decoded owns.
 */
static bool
read_line(Notice *notice, const char *line, NoticeKind kind, char **decoded)
{
	*decoded = NULL;
	if (!notice_parse(notice, slice_of(line)) || notice->kind != kind)
		return false;
	if (kind != NOTICE_DURABLE || notice->type != NOTICE_BASE64)
		return true;
	*decoded = malloc(notice->payload.len + 1);
	if (*decoded == NULL ||
		!notice_decode_base64(*decoded, &notice->payload.len, notice->payload))
		return false;
	notice->payload.ptr = *decoded;
	return true;
}

static bool
read_head(Position *head, const StreamAnswer *answer)
{
	Notice notice;
	char  *decoded;

	if (!read_line(&notice, answer->lines[0], NOTICE_HEAD, &decoded))
		return false;
	*head = notice.position;
	return true;
}

/* Where message i of the answer, from 1, is. */
static bool
read_position(Position *position, const StreamAnswer *answer, size_t i)
{
	Notice notice;

	if (i >= answer->count ||
		!notice_parse(&notice, slice_of(answer->lines[i])) ||
		notice.kind != NOTICE_DURABLE)
		return false;
	*position = notice.position;
	return true;
}

/*
 * Whether the messages of the answer follow position.  Its own message must be
 * the first of them, to show that it is still the same.
 */
static bool
follows(const StreamAnswer *answer, const Position *position)
{
	Position first;

	if (position_equals(position, &position_start))
		return answer->count == 1
				   ? read_head(&first, answer) && first.seq == 0
				   : read_position(&first, answer, 1) && first.seq == 1;
	return read_position(&first, answer, 1) &&
		   position_equals(&first, position);
}

/* ---- the stream ---------------------------------------------------------- */

static void
say_reset(Seat *seat, const Position *last)
{
	ProtocolText text = {0};

	if (seat->client->mode != CLIENT_V1)
	{
		client_doom(seat->client, WS_CLOSE_HISTORY, "history_changed");
		return;
	}
	protocol_write_reset(&text, seat_group(seat), last);
	client_say(seat->client, &text);
}

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
			say_reset(seat, &stream->last);
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
		decide(seat->resume);
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

		good = read_line(&notice, answer->lines[i], NOTICE_DURABLE, &decoded) &&
			   notice.position.seq == stream->last.seq + 1;
		if (good)
			hand_out(env, stream, &notice.position, feed_type(notice.type),
					 notice.payload);
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
	if (!read_position(&first, answer, 1) ||
		!read_position(&last, answer, answer->count - 1) ||
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
	if (position_equals(&stream->last, head))
		return true;
	if (follows(answer, &stream->last))
		return hand_out_lines(
			env, stream, answer,
			position_equals(&stream->last, &position_start) ? 1 : 2);
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
	if (reason == NULL && read_head(&head, answer))
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
	env->load_after_ms = loop_now_ms(env->loop) + RETRY_MS;
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
	uint32_t limit = stream->known || since > 0 ? PAGE_MESSAGES : 0;

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

/* ---- resuming ------------------------------------------------------------ */

/* The seat can be opened, and begins where the stream is now. */
static void
begin_at_end(Resume *resume, const Stream *stream)
{
	resume->position = resume->last = stream->last;
	resume->state = RESUME_OPENING;
	resume->env->on_seat_decided(resume->seat, NULL);
}

static void
lose(Resume *resume, const Stream *stream)
{
	Seat *seat = resume->seat;

	resume->lost = true;
	if (seat->open)
	{
		/* it was promised more */
		resume->position = stream->last;
		say_reset(seat, &stream->last);
	}
	else if (seat->client->mode != CLIENT_V1)
		resume->env->on_seat_decided(seat, "history_changed");
	else
		begin_at_end(resume, stream);
}

/* Encode what the page has behind its first message, which is known. */
static bool
keep_page(Resume *resume, const StreamAnswer *answer, size_t i)
{
	Seat *seat = resume->seat;
	bool  good = true;

	for (; good && i < answer->count; i++)
	{
		Notice notice;
		char  *decoded;

		good = read_line(&notice, answer->lines[i], NOTICE_DURABLE, &decoded) &&
			   notice.position.seq == resume->position.seq + 1 &&
			   encoding_append_message(&resume->page, seat->member.format,
									   seat_group(seat), &notice.position,
									   feed_type(notice.type), notice.payload);
		if (good)
			resume->position = notice.position;
		free(decoded);
	}
	return good;
}

static void
on_page(void *arg, const StreamAnswer *answer)
{
	Resume	   *resume = arg;
	ClientEnv  *env = resume->env;
	Seat	   *seat = resume->seat;
	Stream	   *stream = stream_of(seat);
	const char *reason = principal_failure(answer->status);
	Position	head;

	resume->call = NULL;
	env->pages_asked--;
	if (reason == NULL && !read_head(&head, answer))
		reason = "internal_error";
	if (reason != NULL)
	{
		env->load_after_ms = loop_now_ms(env->loop) + RETRY_MS;
		if (seat->open)
			resume_queue(resume); /* nothing is lost: asked again */
		else
			env->on_seat_decided(seat, reason);
		return;
	}
	if (!follows(answer, &resume->position))
	{
		/* Only where the stream is known it can be said where it goes on. */
		resume->lost = true;
		if (stream->state == STREAM_LIVE)
			lose(resume, stream);
		else if (seat->open)
			resume_queue(resume);
		else
			resume->state = RESUME_WAITING;
		return;
	}
	if (!keep_page(resume, answer,
				   position_equals(&resume->position, &position_start) ? 1 : 2))
	{
		client_doom(seat->client, WS_CLOSE_TRY_AGAIN, "overloaded");
		return;
	}
	if (seat->open)
	{
		resume_queue(resume);
		return;
	}
	resume->last = head.seq > stream->last.seq ? head : stream->last;
	resume->state = RESUME_OPENING;
	env->on_seat_decided(seat, NULL);
}

static bool
ask_page(Resume *resume)
{
	ClientEnv *env = resume->env;
	uint64_t   since = resume->position.seq;

	if (resume->call != NULL)
		return true;
	if (env->pages_asked >= MAX_PAGES ||
		loop_now_ms(env->loop) < env->load_after_ms)
		return false;
	resume->call = calls_stream(env->calls, seat_group(resume->seat),
								since > 0 ? since : 1, PAGE_MESSAGES,
								env->config->auth_timeout_ms, on_page, resume);
	if (resume->call == NULL)
		return false;
	env->pages_asked++;
	return true;
}

/* Whether a place that is not in memory is worth asking the database about. */
static bool
is_near(const Resume *resume, const Stream *stream)
{
	return resume->position.tag[0] != '\0' &&
		   (resume->position.seq >= stream->last.seq ||
			stream->last.seq - resume->position.seq <=
				resume->env->config->resume_limit);
}

static void
decide(Resume *resume)
{
	Stream *stream = stream_of(resume->seat);

	if (stream->state != STREAM_LIVE)
	{
		resume->state = RESUME_WAITING;
		return;
	}
	if (resume->seat->open)
	{
		/* adopted: see there */
		resume->position = stream->last;
		resume->state = RESUME_REPLAYING;
		resume_queue(resume);
		say_reset(resume->seat, &stream->last);
		return;
	}
	if (!resume->since)
	{
		begin_at_end(resume, stream);
		return;
	}
	if (resume->lost || !is_near(resume, stream))
	{
		lose(resume, stream);
		return;
	}
	switch (stream_find(stream, &resume->position))
	{
		case STREAM_AT_END:
		case STREAM_IN_MEMORY:
			resume->last = stream->last;
			resume->state = RESUME_OPENING;
			resume->env->on_seat_decided(resume->seat, NULL);
			return;
		case STREAM_ELSEWHERE: lose(resume, stream); return;
		case STREAM_BEFORE:
		case STREAM_AHEAD: /* another listener has been faster */
			resume->state = RESUME_ASKING;
			resume_queue(resume);
			return;
	}
}

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
	decide(resume);
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
	decide(resume);
}

void
durable_abandon(Seat *seat)
{
	resume_end(seat->resume);
	stream_unuse(stream_of(seat));
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

/* ---- replaying ----------------------------------------------------------- */

/* Send what follows its position, as much of it as is sent at once. */
static bool
send_batch(Resume *resume, const Stream *stream)
{
	Seat				*seat = resume->seat;
	Frame				*frame = NULL;
	const StreamMessage *message;

	while ((frame == NULL || frame->len < BATCH_BYTES) &&
		   (message = stream_message(stream, resume->position.seq + 1)) != NULL)
	{
		if (!encoding_append_message(&frame, seat->member.format,
									 seat_group(seat), &message->position,
									 message->type,
									 (Slice){message->payload, message->len}))
			break;
		resume->position = message->position;
	}
	if (frame == NULL)
		return false;
	seat->client->delivered += frame->count;
	client_deliver(seat->client, frame, loop_now_ms(seat->client->env->loop));
	frame_release(frame);
	return true;
}

static void
send_page(Resume *resume)
{
	Client *client = resume->seat->client;
	Frame  *page = resume->page;

	resume->page = NULL;
	client->delivered += page->count;
	client_deliver(client, page, loop_now_ms(client->env->loop));
	frame_release(page);
}

/* Nobody reads what waits, or may have it: later. */
static bool
must_wait(const Resume *resume)
{
	const Client *client = resume->seat->client;

	return client->state != CLIENT_OPEN || client->doomed ||
		   resume->seat->check != SEAT_SURE ||
		   client->outbox.bytes >= BATCH_BYTES;
}

/* One step of one member.  False: there is nothing to do for it now. */
static bool
replay(Resume *resume)
{
	Stream *stream = stream_of(resume->seat);

	if (must_wait(resume))
		return false;
	if (resume->page != NULL)
	{
		send_page(resume);
		return true;
	}
	if (stream->state != STREAM_LIVE)
		return false;
	if (resume->lost)
	{
		lose(resume, stream);
		resume->lost = false;
		return true;
	}
	switch (stream_find(stream, &resume->position))
	{
		case STREAM_AT_END: resume_end(resume); return true;
		case STREAM_IN_MEMORY: return send_batch(resume, stream);
		case STREAM_BEFORE:
			if (ask_page(resume))
				resume_unqueue(resume); /* on_page brings it back */
			return false;
		case STREAM_AHEAD: return false;
		case STREAM_ELSEWHERE: lose(resume, stream); return true;
	}
	return false;
}

void
durable_pump(ClientEnv *env)
{
	bool progress = false;

	load_streams(env);
	for (int steps = 0; steps < MAX_STEPS && !TAILQ_EMPTY(&env->resumes);
		 steps++)
	{
		Resume *resume = TAILQ_FIRST(&env->resumes);

		TAILQ_REMOVE(&env->resumes, resume, entry);
		TAILQ_INSERT_TAIL(&env->resumes, resume, entry);
		if (resume->state == RESUME_REPLAYING)
			progress |= replay(resume);
		else if (ask_page(resume))
		{
			resume_unqueue(resume);
			progress = true;
		}
	}
	if (progress)
		loop_wake(env->loop);
}
