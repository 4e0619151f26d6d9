/*-------------------------------------------------------------------------
 *
 * stream.h
 *	  What this listener knows of durable groups: the last message of each, and
 *	  the most recent ones, in bounded memory.  Pure.
 *
 * A stream is
 *	 stale	  its last message is not known for sure: it has to be loaded;
 *	 loading  asked for; what arrives meanwhile is put aside;
 *	 live	  every message that follows is appended to it.
 * Recent messages follow each other without a gap and end with the last one.
 * Of all streams together the oldest go when there are too many bytes.
 *
 * A stream stays while seats use it, and as long after that as one of its
 * messages is remembered: whoever lost his connection comes back soon.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STREAM_H
#define USHER_STREAM_H

#include <sys/queue.h>

#include "common.h"
#include "feed.h"
#include "hashing.h"
#include "position.h"

typedef struct Stream  Stream;
typedef struct Streams Streams;

typedef struct StreamMessage
{
	STAILQ_ENTRY(StreamMessage) in_aside;
	TAILQ_ENTRY(StreamMessage) in_memory; /* of all streams, oldest first */
	Stream	*stream;
	Position position;
	FeedType type;
	uint32_t len;
	char	 payload[];
} StreamMessage;

typedef STAILQ_HEAD(StreamMessages, StreamMessage) StreamMessages;

typedef enum StreamState
{
	STREAM_STALE,
	STREAM_LOADING,
	STREAM_LIVE,
} StreamState;

struct Stream
{
	char			name[GROUP_NAME_MAX + 1];
	Streams		   *streams;
	StreamState		state;	/* written by durable.c, by stream_enter() */
	bool			known;	/* last is: it was loaded once */
	Position		last;	/* of what was handed out */
	StreamMessage **recent; /* a ring; the newest is last */
	uint32_t		recent_cap, recent_first, recent_count;
	StreamMessages	aside;	   /* came while loading */
	uint32_t		users;	   /* seats */
	TAILQ_ENTRY(Stream) stale; /* while STALE and used */
	void		  *load;	   /* durable.c's call, NULL: none */
	UT_hash_handle hh;
};

/* NULL when out of memory.  owner: see stream_owner(). */
Streams *streams_create(size_t max_bytes, void *owner) MUST_CHECK;

/* Accepts NULL. */
void streams_destroy(Streams *streams);

void   streams_set_max_bytes(Streams *streams, size_t max_bytes);
size_t streams_bytes(const Streams *streams);

/* NULL: there is none. */
Stream *streams_find(Streams *streams, Slice group);

/* One user more of the group's stream, which is made (stale) when missing.
 * NULL when out of memory. */
Stream *streams_use(Streams *streams, Slice group) MUST_CHECK;

/* One fewer; the stream may be gone after that. */
void stream_unuse(Stream *stream);

/* Free a stream that nobody uses nor will miss; true when it is gone. */
bool stream_forget_if_useless(Stream *stream);

void *stream_owner(const Stream *stream);

/* The next stream to be loaded, which is in use; NULL: none. */
Stream *streams_next_stale(Streams *streams);

/* Whatever was missed: every stream is stale, and forgotten if nobody uses
 * it.  before is called for each that stays. */
void streams_doubt_all(Streams *streams, void (*before)(Stream *stream));

void stream_enter(Stream *stream, StreamState next);

/* The last message is this one, and no message is remembered. */
void stream_start_at(Stream *stream, const Position *last);

typedef enum StreamAppend
{
	STREAM_APPENDED,
	STREAM_HAD,	   /* it was here before */
	STREAM_BROKEN, /* it is not the next one, or its number is another's */
} StreamAppend;

/*
 * stream_append
 *		The next message of a live or loading stream (copied).
 *
 * One that cannot be remembered, for want of memory, is still the last one.
 */
StreamAppend stream_append(Stream *stream, const Position *position,
						   FeedType type, Slice payload);

/* Keep a message that came while loading; false when out of memory. */
bool stream_put_aside(Stream *stream, const Position *position, FeedType type,
					  Slice payload) MUST_CHECK;

/* Take the next of those; the caller frees it.  NULL: there is none. */
StreamMessage *stream_take_aside(Stream *stream);

typedef enum StreamPlace
{
	STREAM_AT_END,	  /* it is the last message */
	STREAM_IN_MEMORY, /* what follows it is remembered: stream_message() */
	STREAM_BEFORE,	  /* older than what is remembered: ask the database */
	STREAM_AHEAD,	  /* newer than what is known here */
	STREAM_ELSEWHERE, /* another message has its number */
} StreamPlace;

/* Where position is in a stream whose end is known. */
StreamPlace stream_find(const Stream *stream, const Position *position);

/* The message with this number, if it is remembered; else NULL. */
const StreamMessage *stream_message(const Stream *stream, uint64_t seq);

#endif
