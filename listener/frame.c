/*-------------------------------------------------------------------------
 *
 * frame.c
 *	  Shared, counted bytes that are on their way to peers.
 *
 *-------------------------------------------------------------------------
 */
#include "frame.h"

#include <assert.h>
#include <stdlib.h>

/* len and cap are 32 bits; half of that leaves doubling room to overflow. */
#define FRAME_MAX ((size_t) 1 << 31)

/* Room for a small message and its header, so that growing starts seldom. */
#define FRAME_MIN_CAP 64

Frame *
frame_create(size_t cap)
{
	Frame *frame;

	if (cap > FRAME_MAX)
		return NULL;
	frame = malloc(sizeof(Frame) + cap);
	if (frame == NULL)
		return NULL;
	frame->refs = 1;
	frame->len = 0;
	frame->cap = (uint32_t) cap;
	frame->count = 0;
	return frame;
}

bool
frame_append(Frame **frame, const void *bytes, size_t len)
{
	Frame *grown = *frame;
	size_t needed;

	assert(grown->refs == 1);
	if (len > FRAME_MAX - grown->len)
		return false;
	needed = grown->len + len;
	if (needed > grown->cap)
	{
		size_t cap = grown->cap < FRAME_MIN_CAP ? FRAME_MIN_CAP : grown->cap;

		while (cap < needed)
			cap *= 2;
		if (cap > FRAME_MAX)
			cap = FRAME_MAX;
		grown = realloc(grown, sizeof(Frame) + cap);
		if (grown == NULL)
			return false;
		grown->cap = (uint32_t) cap;
		*frame = grown;
	}
	if (len > 0)
		memcpy(grown->data + grown->len, bytes, len);
	grown->len = (uint32_t) needed;
	return true;
}

Frame *
frame_retain(Frame *frame)
{
	assert(frame->refs > 0 && frame->refs < UINT32_MAX);
	frame->refs++;
	return frame;
}

void
frame_release(Frame *frame)
{
	if (frame == NULL)
		return;
	assert(frame->refs > 0);
	if (--frame->refs == 0)
		free(frame);
}
