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

/*
 * Counted in thousandths of a token, because that is what a rate of one a
 * second gives back in a millisecond: no fraction is ever rounded.
 */
#define TOKEN ((uint64_t) 1000)

bool
limit_take(TokenBucket *bucket, uint32_t rate_per_second, uint32_t burst,
		   uint64_t now_ms, uint64_t *retry_after_ms)
{
	uint64_t room = (burst == 0 ? 1 : burst) * TOKEN;
	uint64_t elapsed_ms;

	if (retry_after_ms != NULL)
		*retry_after_ms = 0;
	if (rate_per_second == 0)
		return true;

	/* A clock that stands still or steps back refills nothing. */
	if (now_ms > bucket->last_ms)
	{
		elapsed_ms = now_ms - bucket->last_ms;
		if (elapsed_ms > bucket->used_thousandths / rate_per_second)
			bucket->used_thousandths = 0;
		else
			bucket->used_thousandths -= elapsed_ms * rate_per_second;
		bucket->last_ms = now_ms;
	}

	/* A reload may have made the bucket smaller than what was taken. */
	if (bucket->used_thousandths > room)
		bucket->used_thousandths = room;

	if (bucket->used_thousandths + TOKEN <= room)
	{
		bucket->used_thousandths += TOKEN;
		return true;
	}
	if (retry_after_ms != NULL)
		*retry_after_ms =
			(bucket->used_thousandths + TOKEN - room + rate_per_second - 1) /
			rate_per_second;
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
