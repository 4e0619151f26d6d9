/*-------------------------------------------------------------------------
 *
 * outbox.h
 *	  Bounded queue of frames waiting for one peer.
 *
 * An outbox never writes to a socket.  It holds references to frames and an
 * offset into the first one.  An empty outbox owns no memory, and a zeroed one
 *is empty.  The bounds are the caller's: bytes at each push, age by
 * outbox_oldest_ms().
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_OUTBOX_H
#define USHER_OUTBOX_H

#include "common.h"
#include "frame.h"

typedef struct OutboxItem OutboxItem;

typedef struct Outbox
{
	OutboxItem *head;
	OutboxItem *tail;
	uint32_t	bytes;		 /* not yet taken by the socket */
	uint32_t	head_offset; /* bytes of the head's frame already taken */
} Outbox;

typedef enum OutboxStatus
{
	OUTBOX_OK,
	OUTBOX_FULL,	  /* the push would pass max_bytes; nothing was queued */
	OUTBOX_NO_MEMORY, /* nothing was queued */
} OutboxStatus;

/*
 * outbox_push
 *		Queue frame from offset on (retains it).
 *
 * now_ms is remembered as the item's age.  A push onto an empty outbox is
 * always taken, however large, so that one message above max_bytes can still
 * be delivered to a reader who keeps up.
 */
OutboxStatus outbox_push(Outbox *outbox, Frame *frame, size_t offset,
						 size_t max_bytes, uint64_t now_ms) MUST_CHECK;

/* The next bytes to write; len 0 when empty.  Borrowed until consumed. */
Slice outbox_front(const Outbox *outbox);

/* The socket took n bytes (n <= front's len); releases what is finished. */
void outbox_consume(Outbox *outbox, size_t n);

/* When the oldest unfinished item was pushed; only if not empty. */
uint64_t outbox_oldest_ms(const Outbox *outbox);

/* The first frame is partly out: bytes of anything else would break it. */
static inline bool
outbox_is_started(const Outbox *outbox)
{
	return outbox->head_offset > 0;
}

static inline bool
outbox_is_empty(const Outbox *outbox)
{
	return outbox->head == NULL;
}

/*
 * outbox_trim
 *		Drop what has not been started: only the rest of a frame that is
 *		partly out stays, because bytes that follow half a frame are no frame.
 */
void outbox_trim(Outbox *outbox);

/* Put all of from behind what is in to, as if it were pushed at now_ms; from is
 * empty then, and nothing of it has been started. */
void outbox_move(Outbox *to, Outbox *from, uint64_t now_ms);

/* Drop everything. */
void outbox_clear(Outbox *outbox);

#endif
