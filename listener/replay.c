/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  Members of durable groups who are told what they missed.
 *
 * A member who says what he saw last is told what follows: out of memory, or
 * page by page out of the database.  He goes on so, at his own pace, until he
 * is at the end, in a moment in which the group has no frames that wait to be
 * flushed; from then on he gets what all get.  Nothing is queued for him
 * meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "replay.h"

#include <stdlib.h>

#include "encoding.h"
#include "lines.h"
#include "principal.h"

/* What is sent to a member at a time; no more while that much waits. */
#define BATCH_BYTES 65536

/* Questions under way at a time: leave room for newcomers. */
#define MAX_PAGES 64

/* Members looked at in one turn. */
#define MAX_STEPS 256

static Stream *
stream_of(const Seat *seat)
{
	return streams_find(seat->client->env->streams, seat_group(seat));
}

void
replay_say_reset(Seat *seat, const Position *last)
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

	resume->lost = !seat->open; /* to be said with the opening */
	if (seat->open)
	{
		/* it was promised more */
		resume->position = stream->last;
		replay_say_reset(seat, &stream->last);
		resume_queue(resume);
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

		good = lines_read(&notice, answer, i, &decoded) &&
			   notice.position.seq == resume->position.seq + 1 &&
			   encoding_append_message(&resume->page, seat->member.format,
									   seat_group(seat), &notice.position,
									   lines_feed_type(notice.type),
									   notice.payload);
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
	size_t		next;

	resume->call = NULL;
	env->pages_asked--;
	if (reason == NULL && !lines_head(&head, answer))
		reason = "internal_error";
	if (reason != NULL)
	{
		env->load_after_ms = loop_now_ms(env->loop) + REPLAY_RETRY_MS;
		if (seat->open)
			resume_queue(resume); /* nothing is lost: asked again */
		else
			env->on_seat_decided(seat, reason);
		return;
	}
	next = lines_after(answer, &resume->position);
	if (next == 0)
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
	if (!keep_page(resume, answer, next))
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
								since > 0 ? since : 1, REPLAY_PAGE_MESSAGES,
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

void
replay_decide(Resume *resume)
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
		replay_say_reset(resume->seat, &stream->last);
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
replay_pump(ClientEnv *env)
{
	bool progress = false;

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
