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
 * limit_take
 *		Take one token; false when there is none.
 *
 * rate_per_second 0 means no limit; a burst of 0 counts as 1.  A refused take
 * costs nothing, and sets *retry_after_ms (may be NULL) to when one token will
 * be there (at least 1); a granted one sets it to 0.  now_ms is monotonic.
 */
bool limit_take(TokenBucket *bucket, uint32_t rate_per_second, uint32_t burst,
				uint64_t now_ms, uint64_t *retry_after_ms) MUST_CHECK;

typedef struct LimitKey LimitKey;

/* How many hold each key (a user, an address).  Zeroed before first use. */
typedef struct LimitTable
{
	LimitKey *keys;
} LimitTable;

/*
 * limit_acquire
 *		Count one more holder of key (any bytes, copied).
 *
 * max 0 means no limit, but is counted all the same.  Returns false, with
 * nothing counted, when max are there already or memory is out.
 */
bool limit_acquire(LimitTable *table, Slice key, uint32_t max) MUST_CHECK;

/*
 * limit_release
 *		One holder fewer; the last one frees the key.
 *
 * Returns false when nobody held it, which is the caller's mistake.
 */
bool limit_release(LimitTable *table, Slice key);

/* How many hold key. */
uint32_t limit_count(const LimitTable *table, Slice key);

/* How many keys are held. */
size_t limit_key_count(const LimitTable *table);

/* Forget everything; the table is then as new. */
void limit_table_fini(LimitTable *table);

#endif
