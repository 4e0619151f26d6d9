/*-------------------------------------------------------------------------
 *
 * stream.c
 *	  What this listener knows of durable groups.
 *
 *-------------------------------------------------------------------------
 */
#include "stream.h"

#include <stdlib.h>

typedef TAILQ_HEAD(StreamMemory, StreamMessage) StreamMemory;
typedef TAILQ_HEAD(StaleStreams, Stream) StaleStreams;

struct Streams
{
	Stream		*by_name;
	HashSeed	 seed;
	StreamMemory memory; /* recent messages of all, oldest first */
	StaleStreams stale;
	size_t		 bytes;
	size_t		 max_bytes;
	void		*owner;
};

static size_t
message_bytes(const StreamMessage *message)
{
	return sizeof(*message) + message->len;
}

/* ---- streams ------------------------------------------------------------- */

Streams *
streams_create(size_t max_bytes, void *owner)
{
	Streams *streams = calloc(1, sizeof(*streams));

	if (streams == NULL)
		return NULL;
	streams->seed = hash_seed();
	streams->max_bytes = max_bytes;
	streams->owner = owner;
	TAILQ_INIT(&streams->memory);
	TAILQ_INIT(&streams->stale);
	return streams;
}

static void
forget(StreamMessage *message)
{
	Streams *streams = message->stream->streams;

	TAILQ_REMOVE(&streams->memory, message, in_memory);
	streams->bytes -= message_bytes(message);
	free(message);
}

static void
forget_oldest(Stream *stream)
{
	StreamMessage *oldest = stream->recent[stream->recent_first];

	stream->recent_first = (stream->recent_first + 1) % stream->recent_cap;
	stream->recent_count--;
	forget(oldest);
}

static void
forget_recent(Stream *stream)
{
	while (stream->recent_count > 0)
		forget_oldest(stream);
}

/* Make room for one more; false when out of memory. */
static bool
reserve(Stream *stream)
{
	uint32_t		cap = stream->recent_cap ? 2 * stream->recent_cap : 8;
	StreamMessage **grown;

	if (stream->recent_count < stream->recent_cap)
		return true;
	grown = cap > stream->recent_cap ? reallocarray(NULL, cap, sizeof(*grown))
									 : NULL;
	if (grown == NULL)
		return false;
	for (uint32_t i = 0; i < stream->recent_count; i++)
		grown[i] =
			stream->recent[(stream->recent_first + i) % stream->recent_cap];
	free(stream->recent);
	stream->recent = grown;
	stream->recent_cap = cap;
	stream->recent_first = 0;
	return true;
}

static void
forget_aside(Stream *stream)
{
	StreamMessage *message;

	while ((message = stream_take_aside(stream)) != NULL)
		free(message);
}

static void
stream_free(Stream *stream)
{
	Streams *streams = stream->streams;

	forget_recent(stream);
	forget_aside(stream);
	if (stream->state == STREAM_STALE)
		TAILQ_REMOVE(&streams->stale, stream, stale);
	HASH_DELETE(hh, streams->by_name, stream);
	free(stream->recent);
	free(stream);
}

void
streams_destroy(Streams *streams)
{
	if (streams == NULL)
		return;
	while (streams->by_name != NULL)
		stream_free(streams->by_name);
	free(streams);
}

Stream *
streams_find(Streams *streams, Slice group)
{
	unsigned hash = hash_bytes(streams->seed, group.ptr, group.len);
	Stream	*stream;

	HASH_FIND_BYHASHVALUE(hh, streams->by_name, group.ptr, (unsigned) group.len,
						  hash, stream);
	return stream;
}

static Stream *
stream_create(Streams *streams, Slice group)
{
	Stream *stream;

	if (group.len > GROUP_NAME_MAX)
		return NULL;
	stream = calloc(1, sizeof(*stream));
	if (stream == NULL)
		return NULL;
	memcpy(stream->name, group.ptr, group.len);
	stream->streams = streams;
	STAILQ_INIT(&stream->aside);
	HASH_ADD_KEYPTR_BYHASHVALUE(
		hh, streams->by_name, stream->name, (unsigned) group.len,
		hash_bytes(streams->seed, group.ptr, group.len), stream);
	if (stream->hh.tbl == NULL)
	{
		free(stream);
		return NULL;
	}
	stream->state = STREAM_STALE;
	TAILQ_INSERT_TAIL(&streams->stale, stream, stale);
	return stream;
}

Stream *
streams_use(Streams *streams, Slice group)
{
	Stream *stream = streams_find(streams, group);

	if (stream == NULL)
		stream = stream_create(streams, group);
	if (stream != NULL)
		stream->users++;
	return stream;
}

/* Nobody uses it, and nobody who comes back would be served from it. */
static bool
is_useless(const Stream *stream)
{
	return stream->users == 0 && stream->load == NULL &&
		   (stream->state != STREAM_LIVE || stream->recent_count == 0);
}

void
stream_unuse(Stream *stream)
{
	stream->users--;
	(void) stream_forget_if_useless(stream);
}

bool
stream_forget_if_useless(Stream *stream)
{
	if (!is_useless(stream))
		return false;
	stream_free(stream);
	return true;
}

void *
stream_owner(const Stream *stream)
{
	return stream->streams->owner;
}

Stream *
streams_next_stale(Streams *streams)
{
	return TAILQ_FIRST(&streams->stale);
}

void
stream_enter(Stream *stream, StreamState next)
{
	if (stream->state == STREAM_STALE)
		TAILQ_REMOVE(&stream->streams->stale, stream, stale);
	if (next == STREAM_STALE)
		TAILQ_INSERT_TAIL(&stream->streams->stale, stream, stale);
	if (stream->state == STREAM_LOADING)
		forget_aside(stream);
	stream->state = next;
}

void
streams_doubt_all(Streams *streams, void (*before)(Stream *stream))
{
	Stream *stream;
	Stream *next;

	HASH_ITER(hh, streams->by_name, stream, next)
	{
		before(stream);
		if (stream->users == 0)
			stream_free(stream);
		else
			stream_enter(stream, STREAM_STALE);
	}
}

/* ---- messages ------------------------------------------------------------ */

static StreamMessage *
message_create(Stream *stream, const Position *position, FeedType type,
			   Slice payload)
{
	StreamMessage *message;

	if (payload.len > UINT32_MAX)
		return NULL;
	message = malloc(sizeof(*message) + payload.len);
	if (message == NULL)
		return NULL;
	message->stream = stream;
	message->position = *position;
	message->type = type;
	message->len = (uint32_t) payload.len;
	if (payload.len > 0)
		memcpy(message->payload, payload.ptr, payload.len);
	return message;
}

/* Drop the oldest messages of all until the rest fits.  The stream that is
 * being written to stays, even without messages. */
static void
make_room(Streams *streams, const Stream *writing)
{
	while (streams->bytes > streams->max_bytes)
	{
		Stream *stream = TAILQ_FIRST(&streams->memory)->stream;

		/* what is oldest of all is the oldest of its stream */
		forget_oldest(stream);
		if (stream != writing && is_useless(stream))
			stream_free(stream);
	}
}

void
streams_set_max_bytes(Streams *streams, size_t max_bytes)
{
	streams->max_bytes = max_bytes;
	make_room(streams, NULL);
}

size_t
streams_bytes(const Streams *streams)
{
	return streams->bytes;
}

void
stream_start_at(Stream *stream, const Position *last)
{
	forget_recent(stream);
	stream->last = *last;
	stream->known = true;
}

const StreamMessage *
stream_message(const Stream *stream, uint64_t seq)
{
	uint64_t first_seq = stream->last.seq + 1 - stream->recent_count;

	if (seq < first_seq || seq > stream->last.seq)
		return NULL;
	return stream->recent[(stream->recent_first + (seq - first_seq)) %
						  stream->recent_cap];
}

/* Whether that is the message which we remember by this number. */
static bool
is_had(const Stream *stream, const Position *position)
{
	const StreamMessage *message = stream_message(stream, position->seq);

	return position_equals(position, &stream->last) ||
		   (message != NULL && position_equals(&message->position, position));
}

StreamAppend
stream_append(Stream *stream, const Position *position, FeedType type,
			  Slice payload)
{
	StreamMessage *message;

	if (position->seq != stream->last.seq + 1)
		return is_had(stream, position) ? STREAM_HAD : STREAM_BROKEN;
	message = reserve(stream) ? message_create(stream, position, type, payload)
							  : NULL;
	if (message == NULL)
		forget_recent(stream); /* they end with the last one, or are none */
	stream->last = *position;
	if (message == NULL)
		return STREAM_APPENDED;
	stream->recent[(stream->recent_first + stream->recent_count++) %
				   stream->recent_cap] = message;
	TAILQ_INSERT_TAIL(&stream->streams->memory, message, in_memory);
	stream->streams->bytes += message_bytes(message);
	make_room(stream->streams, stream);
	return STREAM_APPENDED;
}

bool
stream_put_aside(Stream *stream, const Position *position, FeedType type,
				 Slice payload)
{
	StreamMessage *message = message_create(stream, position, type, payload);

	if (message == NULL)
		return false;
	STAILQ_INSERT_TAIL(&stream->aside, message, in_aside);
	return true;
}

StreamMessage *
stream_take_aside(Stream *stream)
{
	StreamMessage *message = STAILQ_FIRST(&stream->aside);

	if (message != NULL)
		STAILQ_REMOVE_HEAD(&stream->aside, in_aside);
	return message;
}

StreamPlace
stream_find(const Stream *stream, const Position *position)
{
	const StreamMessage *message;

	if (position->seq > stream->last.seq)
		return STREAM_AHEAD;
	if (position->seq == stream->last.seq)
		return position_equals(position, &stream->last) ? STREAM_AT_END
														: STREAM_ELSEWHERE;
	message = stream_message(stream, position->seq);
	if (message != NULL)
		return position_equals(position, &message->position) ? STREAM_IN_MEMORY
															 : STREAM_ELSEWHERE;
	/* Before the first message there is none to compare with. */
	if (position_equals(position, &position_start) &&
		stream_message(stream, 1) != NULL)
		return STREAM_IN_MEMORY;
	return STREAM_BEFORE;
}
