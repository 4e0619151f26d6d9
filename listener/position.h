/*-------------------------------------------------------------------------
 *
 * position.h
 *	  A place in the stream of a durable group: a message's number and tag.
 *
 * The tag is random and kept with the message.  A number alone would not do:
 * after a crash that lost commits, or a restored backup, it may be another
 * message's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_POSITION_H
#define USHER_POSITION_H

#include "common.h"

/* Hexadecimal digits of a tag. */
#define POSITION_TAG_LEN 16

/* "<seq>.<tag>" with its terminator. */
#define POSITION_TEXT (20 + 1 + POSITION_TAG_LEN + 1)

/* Before the first message seq is 0 and tag all zeros. */
typedef struct Position
{
	uint64_t seq;
	char	 tag[POSITION_TAG_LEN + 1];
} Position;

extern const Position position_start;

static inline bool
position_equals(const Position *a, const Position *b)
{
	return a->seq == b->seq && memcmp(a->tag, b->tag, POSITION_TAG_LEN) == 0;
}

/* A decimal number up to INT64_MAX. */
bool position_parse_seq(uint64_t *seq, Slice text) MUST_CHECK;

/* 16 of 0-9, a-f. */
bool position_parse_tag(Position *position, Slice text) MUST_CHECK;

/* "<seq>.<tag>" */
bool position_parse(Position *position, Slice text) MUST_CHECK;

#endif
