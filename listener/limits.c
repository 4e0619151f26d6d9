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
	uint32_t	   count; /* 0 only while it lingers */
	uint32_t	   used;
	TokenBucket	   messages;
	TokenBucket	   bytes;
	LimitKey	  *older, *newer; /* while it lingers */
	char		   name[];
};

/*
 * Counted in thousandths of a token, because that is what a rate of one a
 * second gives back in a millisecond: no fraction is ever rounded.
 */
#define TOKEN ((uint64_t) 1000)

uint64_t
limit_wait_ms(TokenBucket *bucket, uint64_t tokens, uint64_t rate_per_second,
			  uint64_t burst, uint64_t now_ms)
{
	uint64_t room = (burst == 0 ? 1 : burst) * TOKEN;
	uint64_t wanted = tokens * TOKEN < room ? tokens * TOKEN : room;
	uint64_t elapsed_ms;

	if (rate_per_second == 0)
		return 0;

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

	if (bucket->used_thousandths + wanted <= room)
		return 0;
	return (bucket->used_thousandths + wanted - room + rate_per_second - 1) /
		   rate_per_second;
}

void
limit_spend(TokenBucket *bucket, uint64_t tokens, uint64_t rate_per_second)
{
	if (rate_per_second != 0)
		bucket->used_thousandths += tokens * TOKEN;
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

/* Take key off the list of those that linger. */
static void
unlink_lingering(LimitTable *table, LimitKey *key)
{
	if (key->older != NULL)
		key->older->newer = key->newer;
	else
		table->oldest = key->newer;
	if (key->newer != NULL)
		key->newer->older = key->older;
	else
		table->newest = key->older;
	key->older = key->newer = NULL;
	table->lingering--;
}

static void
key_free(LimitTable *table, LimitKey *key)
{
	HASH_DEL(table->keys, key);
	free(key);
}

static LimitKey *
key_create(LimitTable *table, Slice name, unsigned hash)
{
	LimitKey *key = calloc(1, sizeof(LimitKey) + name.len);

	if (key == NULL)
		return NULL;
	if (name.len > 0)
		memcpy(key->name, name.ptr, name.len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, table->keys, key->name, (unsigned) name.len,
								hash, key);
	if (key->hh.tbl == NULL) /* out of memory: see hashing.h */
	{
		free(key);
		return NULL;
	}
	return key;
}

LimitKey *
limit_hold(LimitTable *table, Slice name, uint32_t max)
{
	unsigned  hash = key_hash(name);
	LimitKey *key = key_find(table, name, hash);

	if (key == NULL)
		key = key_create(table, name, hash);
	else if (key->count == 0)
		unlink_lingering(table, key);
	else if ((max != 0 && key->count >= max) || key->count == UINT32_MAX)
		return NULL;
	if (key != NULL)
		key->count++;
	return key;
}

void
limit_drop(LimitTable *table, LimitKey *key)
{
	if (key == NULL || --key->count > 0)
		return;
	if (key->messages.used_thousandths == 0 && key->bytes.used_thousandths == 0)
	{
		key_free(table, key);
		return;
	}
	key->older = table->newest;
	if (table->newest != NULL)
		table->newest->newer = key;
	else
		table->oldest = key;
	table->newest = key;
	if (++table->lingering > LIMIT_MAX_LINGERING)
	{
		LimitKey *oldest = table->oldest;

		unlink_lingering(table, oldest);
		key_free(table, oldest);
	}
}

bool
limit_use(LimitKey *key, uint32_t max)
{
	if (key == NULL)
		return true;
	if (max != 0 && key->used >= max)
		return false;
	key->used++;
	return true;
}

void
limit_unuse(LimitKey *key, uint32_t fewer)
{
	if (key != NULL)
		key->used -= fewer;
}

TokenBucket *
limit_messages(LimitKey *key)
{
	return &key->messages;
}

TokenBucket *
limit_bytes(LimitKey *key)
{
	return &key->bytes;
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
	return HASH_COUNT(table->keys) - table->lingering;
}

void
limit_table_fini(LimitTable *table)
{
	LimitKey *key;
	LimitKey *next;

	HASH_ITER(hh, table->keys, key, next)
	{
		key_free(table, key);
	}
	memset(table, 0, sizeof(*table));
}
