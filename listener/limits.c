/*-------------------------------------------------------------------------
 *
 * limits.c
 *	  Two ways to say "too many": a rate, and a count per key.
 *
 *-------------------------------------------------------------------------
 */
#include "limits.h"

#include <stdlib.h>

#include "hashing.h"

struct LimitKey
{
	UT_hash_handle hh;
	uint32_t	   count; /* never 0 while it is in the table */
	char		   bytes[];
};

bool
limit_take(TokenBucket *bucket, uint32_t rate_per_second, uint32_t burst,
		   uint64_t now_ms, uint64_t *retry_after_ms)
{
	double room = burst == 0 ? 1 : burst;
	double refilled;

	if (retry_after_ms != NULL)
		*retry_after_ms = 0;
	if (rate_per_second == 0)
		return true;

	/* A clock that stands still or steps back refills nothing. */
	if (now_ms > bucket->last_ms)
	{
		refilled = (double) (now_ms - bucket->last_ms) * rate_per_second / 1000;
		bucket->used = bucket->used > refilled ? bucket->used - refilled : 0;
		bucket->last_ms = now_ms;
	}

	/* A reload may have made the bucket smaller than what was taken. */
	if (bucket->used > room)
		bucket->used = room;

	if (bucket->used + 1 <= room)
	{
		bucket->used += 1;
		return true;
	}
	if (retry_after_ms != NULL)
	{
		double wait_ms = (bucket->used + 1 - room) * 1000 / rate_per_second;

		*retry_after_ms = (uint64_t) wait_ms;
		if ((double) *retry_after_ms < wait_ms)
			(*retry_after_ms)++;
	}
	return false;
}

/* One seed for all tables: a table is a pointer, so that it can be zeroed. */
static unsigned
key_hash(Slice key)
{
	static HashSeed seed;
	static bool		seeded;

	if (!seeded)
	{
		seed = hash_seed();
		seeded = true;
	}
	return hash_bytes(seed, key.ptr, key.len);
}

static LimitKey *
key_find(const LimitTable *table, Slice key, unsigned hash)
{
	LimitKey *found;

	HASH_FIND_BYHASHVALUE(hh, table->keys, key.ptr, (unsigned) key.len, hash,
						  found);
	return found;
}

bool
limit_acquire(LimitTable *table, Slice key, uint32_t max)
{
	unsigned  hash = key_hash(key);
	LimitKey *found = key_find(table, key, hash);

	if (found != NULL)
	{
		if ((max != 0 && found->count >= max) || found->count == UINT32_MAX)
			return false;
		found->count++;
		return true;
	}

	found = malloc(sizeof(LimitKey) + key.len);
	if (found == NULL)
		return false;
	found->count = 1;
	if (key.len > 0)
		memcpy(found->bytes, key.ptr, key.len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, table->keys, found->bytes,
								(unsigned) key.len, hash, found);
	if (found->hh.tbl == NULL) /* out of memory: see hashing.h */
	{
		free(found);
		return false;
	}
	return true;
}

bool
limit_release(LimitTable *table, Slice key)
{
	LimitKey *found = key_find(table, key, key_hash(key));

	if (found == NULL)
		return false;
	if (--found->count == 0)
	{
		HASH_DEL(table->keys, found);
		free(found);
	}
	return true;
}

uint32_t
limit_count(const LimitTable *table, Slice key)
{
	const LimitKey *found = key_find(table, key, key_hash(key));

	return found == NULL ? 0 : found->count;
}

size_t
limit_key_count(const LimitTable *table)
{
	return HASH_COUNT(table->keys);
}

void
limit_table_fini(LimitTable *table)
{
	LimitKey *key;
	LimitKey *next;

	HASH_ITER(hh, table->keys, key, next)
	{
		HASH_DEL(table->keys, key);
		free(key);
	}
}
