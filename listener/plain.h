/*-------------------------------------------------------------------------
 *
 * plain.h
 *	  Plain channels: which are wanted, which are LISTENed to, and what to ask
 *	  to make the two equal.  Pure.
 *
 * feed.c sends what plain_next() names, as one transaction, and says how it
 * ended.  Only one batch is under way at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_PLAIN_H
#define USHER_PLAIN_H

#include "common.h"
#include "hashing.h"

/* PostgreSQL's longest channel name: NAMEDATALEN - 1. */
#define PLAIN_NAME_MAX 63

/* A group that comes back within this time costs no UNLISTEN and LISTEN. */
#define PLAIN_LINGER_MS 5000

/* Channels in one transaction: LISTEN 10,000 at once blocks for a second. */
#define PLAIN_BATCH_MAX 256

typedef struct PlainChannel PlainChannel;

/* What is true at the server, as far as we know. */
typedef enum PlainState
{
	PLAIN_OFF,
	PLAIN_ASKED, /* LISTEN is under way */
	PLAIN_ON,
	PLAIN_LEAVING, /* UNLISTEN is under way */
	PLAIN_REFUSED, /* no channel can have this name */
} PlainState;

struct PlainChannel
{
	PlainState	   state;
	bool		   wanted;
	bool		   announce; /* somebody waits to hear that it is on */
	uint64_t	   left_ms;	 /* not wanted since */
	UT_hash_handle hh;
	size_t		   len;
	char		   name[GROUP_NAME_MAX + 1];
};

/* Zeroed before plain_init. */
typedef struct Plain
{
	PlainChannel *channels; /* uthash */
	HashSeed	  seed;
	bool		  dirty;	   /* plain_batch may have work */
	bool		  unannounced; /* plain_announce may have */
} Plain;

void plain_init(Plain *plain);
void plain_fini(Plain *plain);

/* Want a channel; group is a valid group name.  False: out of memory. */
bool plain_want(Plain *plain, Slice group) MUST_CHECK;
void plain_leave(Plain *plain, Slice group, uint64_t now_ms);

/* Whether messages of this channel are for somebody. */
bool plain_is_wanted(const Plain *plain, Slice channel) MUST_CHECK;

/*
 * plain_batch
 *		Choose what to ask next; returns how many, at most PLAIN_BATCH_MAX.
 *
 * batch[i]->state says which: PLAIN_ASKED a LISTEN, PLAIN_LEAVING an UNLISTEN.
 * *next_due_ms becomes the time when a lingering channel is to be left
 * (UINT64_MAX: none).  Frees channels that are off and not wanted.
 */
size_t plain_batch(Plain *plain, uint64_t now_ms,
				   PlainChannel *batch[PLAIN_BATCH_MAX],
				   uint64_t		*next_due_ms) MUST_CHECK;

/* The batch was committed. */
void plain_batch_done(Plain *plain);

/* The connection is gone: nothing is LISTENed to any more. */
void plain_reset(Plain *plain);

/* Call tell for every channel somebody waits for that is on, or refused. */
void plain_announce(Plain *plain, void (*tell)(void *arg, Slice group, bool ok),
					void  *arg);

#endif
