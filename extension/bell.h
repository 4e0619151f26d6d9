/*-------------------------------------------------------------------------
 *
 * bell.h
 *	  The doorbell's shared memory: who has rung, and whom that wakes.
 *
 * One slot for each database that ever rang since the server started.  A
 * publisher counts up his database's slot after his commit; whoever finds it
 * at 0 wakes that database's worker, or the launcher when there is none.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_BELL_H
#define USHER_BELL_H

#include "port/atomics.h"
#include "storage/latch.h"

/* Databases that can have a worker. */
#define BELL_SLOTS 64

typedef struct BellSlot
{
	pg_atomic_uint32 database; /* oid; 0: free.  Never changes once set */
	pg_atomic_uint64 rung;	   /* since the worker last looked */
	Latch *volatile latch;	   /* the worker's; NULL: there is none */
	bool volatile started;	   /* the launcher has asked for a worker */
} BellSlot;

typedef struct Bell
{
	Latch *volatile launcher; /* NULL: it is not there */
	BellSlot slots[BELL_SLOTS];
} Bell;

/* NULL when the library was not preloaded. */
extern Bell *bell;

/* The database's slot, which is taken when there is none yet; NULL when all
 * are taken, or there is no shared memory. */
extern BellSlot *bell_slot(Oid database);

/* Count up, and wake whoever has to answer. */
extern void bell_ring(BellSlot *slot);

/* Ask for shared memory; from _PG_init, when preloaded. */
extern void bell_request(void);

#endif /* USHER_BELL_H */
