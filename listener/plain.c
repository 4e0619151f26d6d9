/*-------------------------------------------------------------------------
 *
 * plain.c
 *	  Plain channels: which are wanted, which are LISTENed to.  Pure.
 *
 * Channels are freed in plain_batch() only, so callbacks of plain_announce()
 * may want and leave channels freely.
 *
 *-------------------------------------------------------------------------
 */
#include "plain.h"

#include <stdlib.h>

void
plain_init(Plain *plain)
{
	plain->seed = hash_seed();
}

void
plain_fini(Plain *plain)
{
	PlainChannel *channel;
	PlainChannel *next;

	HASH_ITER(hh, plain->channels, channel, next)
	{
		HASH_DELETE(hh, plain->channels, channel);
		free(channel);
	}
}

static PlainChannel *
find(const Plain *plain, Slice name)
{
	unsigned	  hash = hash_bytes(plain->seed, name.ptr, name.len);
	PlainChannel *channel;

	HASH_FIND_BYHASHVALUE(hh, plain->channels, name.ptr, name.len, hash,
						  channel);
	return channel;
}

static PlainChannel *
add(Plain *plain, Slice name)
{
	unsigned	  hash = hash_bytes(plain->seed, name.ptr, name.len);
	PlainChannel *channel = calloc(1, sizeof(*channel));

	if (channel == NULL || name.len > GROUP_NAME_MAX)
	{
		free(channel);
		return NULL;
	}
	memcpy(channel->name, name.ptr, name.len);
	channel->len = name.len;
	channel->state = name.len > PLAIN_NAME_MAX ? PLAIN_REFUSED : PLAIN_OFF;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, plain->channels, channel->name, name.len,
								hash, channel);
	if (channel->hh.tbl == NULL)
	{
		free(channel);
		return NULL;
	}
	return channel;
}

bool
plain_want(Plain *plain, Slice group)
{
	PlainChannel *channel = find(plain, group);

	if (channel == NULL)
		channel = add(plain, group);
	if (channel == NULL)
		return false;
	channel->wanted = true;
	channel->announce = true;
	plain->dirty = true;
	plain->unannounced = true;
	return true;
}

void
plain_leave(Plain *plain, Slice group, uint64_t now_ms)
{
	PlainChannel *channel = find(plain, group);

	if (channel == NULL || !channel->wanted)
		return;
	channel->wanted = false;
	channel->announce = false;
	channel->left_ms = now_ms;
	plain->dirty = true;
}

bool
plain_is_wanted(const Plain *plain, Slice channel_name)
{
	PlainChannel *channel = find(plain, channel_name);

	return channel != NULL && channel->wanted;
}

/* The next step for one channel, if it is due. */
static bool
choose(PlainChannel *channel, uint64_t now_ms, uint64_t *next_due_ms)
{
	switch (channel->state)
	{
		case PLAIN_OFF:
			if (!channel->wanted)
				return false;
			channel->state = PLAIN_ASKED;
			return true;
		case PLAIN_ON:
			if (channel->wanted)
				return false;
			if (now_ms - channel->left_ms < PLAIN_LINGER_MS)
			{
				uint64_t due_ms = channel->left_ms + PLAIN_LINGER_MS;

				if (due_ms < *next_due_ms)
					*next_due_ms = due_ms;
				return false;
			}
			channel->state = PLAIN_LEAVING;
			return true;
		case PLAIN_ASKED:
		case PLAIN_LEAVING:
		case PLAIN_REFUSED: return false;
	}
	return false;
}

size_t
plain_batch(Plain *plain, uint64_t now_ms, PlainChannel *batch[PLAIN_BATCH_MAX],
			uint64_t *next_due_ms)
{
	size_t		  count = 0;
	PlainChannel *channel;
	PlainChannel *next;

	plain->dirty = false;
	*next_due_ms = UINT64_MAX;
	HASH_ITER(hh, plain->channels, channel, next)
	{
		bool off =
			channel->state == PLAIN_OFF || channel->state == PLAIN_REFUSED;

		if (off && !channel->wanted)
		{
			HASH_DELETE(hh, plain->channels, channel);
			free(channel);
			continue;
		}
		if (count == PLAIN_BATCH_MAX)
		{
			plain->dirty = true; /* the rest comes with the next batch */
			break;
		}
		if (choose(channel, now_ms, next_due_ms))
			batch[count++] = channel;
	}
	return count;
}

void
plain_batch_done(Plain *plain)
{
	for (PlainChannel *channel = plain->channels; channel != NULL;
		 channel = channel->hh.next)
	{
		if (channel->state == PLAIN_ASKED)
			channel->state = PLAIN_ON;
		else if (channel->state == PLAIN_LEAVING)
			channel->state = PLAIN_OFF;
	}
	plain->dirty = true;
	plain->unannounced = true;
}

void
plain_reset(Plain *plain)
{
	for (PlainChannel *channel = plain->channels; channel != NULL;
		 channel = channel->hh.next)
		if (channel->state != PLAIN_REFUSED)
			channel->state = PLAIN_OFF;
	plain->dirty = true;
}

void
plain_announce(Plain *plain, void (*tell)(void *arg, Slice group, bool ok),
			   void	 *arg)
{
	plain->unannounced = false;

	/* What a callback adds comes at the end of this list: seen as well. */
	for (PlainChannel *channel = plain->channels; channel != NULL;
		 channel = channel->hh.next)
	{
		Slice name = {channel->name, channel->len};

		if (!channel->announce ||
			(channel->state != PLAIN_ON && channel->state != PLAIN_REFUSED))
			continue;
		channel->announce = false;
		tell(arg, name, channel->state == PLAIN_ON);
		if (channel->state == PLAIN_REFUSED)
			plain_leave(plain, name, 0);
	}
}
