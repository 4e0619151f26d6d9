/*-------------------------------------------------------------------------
 *
 * frame.h
 *	  Shared, counted bytes that are on their way to peers.
 *
 * A Frame is written by one owner (frame_append) until it is first shared;
 * from then on it is immutable.  All members of a group hold references to
 * the same Frame.  Single-threaded: the count is not atomic.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_FRAME_H
#define USHER_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common.h"

typedef struct Frame
{
	uint32_t refs;
	uint32_t len;	/* bytes in use */
	uint32_t cap;	/* bytes allocated for data */
	uint32_t count; /* WebSocket messages in it, for metrics */
	uint8_t	 data[];
} Frame;

/*
 * frame_create
 *		An empty Frame with one reference, or NULL when out of memory.
 */
Frame *frame_create(size_t cap) MUST_CHECK;

/*
 * frame_append
 *		Add len bytes, growing by doubling; *frame may move.
 *
 * Only while the caller holds the one reference.  Returns false when memory is
 * out or the result would pass 2^31 bytes; *frame is then unchanged.
 */
bool frame_append(Frame **frame, const void *bytes, size_t len) MUST_CHECK;

/* One more owner. */
Frame *frame_retain(Frame *frame);

/* One owner fewer; the last one frees.  Accepts NULL. */
void frame_release(Frame *frame);

#endif
