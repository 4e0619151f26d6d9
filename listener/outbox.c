/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  Bounded queue of frames waiting for one peer.
 *
 * A list of references: a slow peer costs one small item per frame, while the
 * frame's bytes are shared with every other peer that waits for them.  bytes
 * counts what this peer has still to take, shared or not, because that is how
 * far behind it is.
 *
 *-------------------------------------------------------------------------
 */
#include "outbox.h"

#include <assert.h>
#include <stdlib.h>

struct OutboxItem
{
	OutboxItem *next;
	Frame	   *frame; /* one reference is ours */
	uint64_t	pushed_ms;
	uint32_t	start; /* bytes of frame this peer had before the push */
};

OutboxStatus
outbox_push(Outbox *outbox, Frame *frame, size_t offset, size_t max_bytes,
			uint64_t now_ms)
{
	OutboxItem *item;
	size_t		len;

	if (offset >= frame->len)
		return OUTBOX_OK; /* nothing is left to send */
	len = frame->len - offset;

	if (outbox->head != NULL &&
		(outbox->bytes >= max_bytes || len > max_bytes - outbox->bytes ||
		 len > UINT32_MAX - outbox->bytes))
		return OUTBOX_FULL;

	item = malloc(sizeof(OutboxItem));
	if (item == NULL)
		return OUTBOX_NO_MEMORY;
	item->next = NULL;
	item->frame = frame_retain(frame);
	item->pushed_ms = now_ms;
	item->start = (uint32_t) offset;

	if (outbox->head == NULL)
	{
		outbox->head = item;
		outbox->head_offset = item->start;
	}
	else
		outbox->tail->next = item;
	outbox->tail = item;
	outbox->bytes += (uint32_t) len;
	return OUTBOX_OK;
}

Slice
outbox_front(const Outbox *outbox)
{
	const OutboxItem *item = outbox->head;

	if (item == NULL)
		return SLICE_NONE;
	return (Slice){(const char *) item->frame->data + outbox->head_offset,
				   item->frame->len - outbox->head_offset};
}

/* Release the head and make its successor the head. */
static void
drop_head(Outbox *outbox)
{
	OutboxItem *item = outbox->head;

	outbox->head = item->next;
	outbox->head_offset = item->next == NULL ? 0 : item->next->start;
	if (item->next == NULL)
		outbox->tail = NULL;
	frame_release(item->frame);
	free(item);
}

void
outbox_consume(Outbox *outbox, size_t n)
{
	if (n == 0)
		return;
	assert(outbox->head != NULL);
	assert(n <= outbox->head->frame->len - outbox->head_offset);
	outbox->bytes -= (uint32_t) n;
	outbox->head_offset += (uint32_t) n;
	if (outbox->head_offset == outbox->head->frame->len)
		drop_head(outbox);
}

uint64_t
outbox_oldest_ms(const Outbox *outbox)
{
	assert(outbox->head != NULL);
	return outbox->head->pushed_ms;
}

void
outbox_clear(Outbox *outbox)
{
	while (outbox->head != NULL)
		drop_head(outbox);
	outbox->bytes = 0;
}

void
outbox_trim(Outbox *outbox)
{
	OutboxItem *started = NULL;
	uint32_t	offset = outbox->head_offset;

	if (outbox->head != NULL && offset > 0)
	{
		started = outbox->head;
		outbox->head = started->next;
	}
	outbox_clear(outbox);
	if (started != NULL)
	{
		started->next = NULL;
		outbox->head = outbox->tail = started;
		outbox->head_offset = offset;
		outbox->bytes = started->frame->len - offset;
	}
}

void
outbox_move(Outbox *to, Outbox *from, uint64_t now_ms)
{
	if (from->head == NULL)
		return;
	for (OutboxItem *item = from->head; item != NULL; item = item->next)
		item->pushed_ms = now_ms;
	if (to->head == NULL)
	{
		to->head = from->head;
		to->head_offset = from->head_offset;
	}
	else
		to->tail->next = from->head;
	to->tail = from->tail;
	to->bytes += from->bytes;
	*from = (Outbox){.head = NULL};
}
