/*-------------------------------------------------------------------------
 *
 * limits.h
 *	  Two ways to say "too many": a rate, and a count per key.  Pure.
 *
 * The bounds are arguments of every call, so that a reload changes them for
 * clients that are already there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_LIMITS_H
#define USHER_LIMITS_H

#include "common.h"

/*
 * A token bucket that counts what was taken, not what is left: a zeroed one is
 * full, whatever the burst will turn out to be.
 */
typedef struct TokenBucket
{
	uint64_t used_thousandths; /* of tokens, taken and not yet refilled */
	uint64_t last_ms;		   /* when that was last brought up to date */
} TokenBucket;

/*
 * limit_wait_ms
 *		How long until so many tokens are there: 0 when they are.
 *
 * rate_per_second 0 means no limit; a burst of 0 counts as 1, and more tokens
 * than the burst count as the burst.  now_ms is monotonic.  Takes nothing, so
 * that several buckets can be asked before limit_spend() is called on each.
 */
uint64_t limit_wait_ms(TokenBucket *bucket, uint64_t tokens,
					   uint64_t rate_per_second, uint64_t burst,
					   uint64_t now_ms) MUST_CHECK;

/* Take tokens that limit_wait_ms() has found to be there, if that has a rate.
 */
void limit_spend(TokenBucket *bucket, uint64_t tokens,
				 uint64_t rate_per_second);

typedef struct LimitKey LimitKey;

/* How many hold each key (a user, an address).  Zeroed before first use. */
typedef struct LimitTable
{
	LimitKey *keys;
	LimitKey *oldest, *newest; /* of those that linger: see limit_drop() */
	size_t	  lingering;
} LimitTable;

/*
 * limit_hold
 *		Count one more holder of key (any bytes, copied).
 *
 * max 0 means no limit, but is counted all the same.  Returns NULL, with
 * nothing counted, when max are there already or memory is out.
 */
LimitKey *limit_hold(LimitTable *table, Slice key, uint32_t max) MUST_CHECK;

/*
 * limit_drop
 *		One holder fewer.  Accepts NULL.
 *
 * A key that nobody holds any more is freed; but if something was taken from
 * its buckets it lingers among the last LIMIT_MAX_LINGERING of its kind, so
 * that coming back does not fill them.
 */
#define LIMIT_MAX_LINGERING 1024
void limit_drop(LimitTable *table, LimitKey *key);

/*
 * limit_use
 *		Count one more thing that the holders of key have between them.
 *
 * False, with nothing counted, when max (0: no limit) are there.  True for a
 * key that is NULL.
 */
bool limit_use(LimitKey *key, uint32_t max) MUST_CHECK;

/* So many of them fewer.  Accepts NULL. */
void limit_unuse(LimitKey *key, uint32_t fewer);

/* What the holders of key may send between them. */
TokenBucket *limit_messages(LimitKey *key);
TokenBucket *limit_bytes(LimitKey *key);

/* How many hold key. */
uint32_t limit_count(const LimitTable *table, Slice key);

/* How many keys are held by anybody. */
size_t limit_key_count(const LimitTable *table);

/* Forget everything; the table is then as new. */
void limit_table_fini(LimitTable *table);

#endif
