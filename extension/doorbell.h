/*-------------------------------------------------------------------------
 *
 * doorbell.h
 *	  Listeners are told that a durable message has been committed.
 *
 * usher.doorbell says how:
 *
 *	  notify	the publisher notifies.  PostgreSQL then lets only one such
 *				transaction at a time commit, in the whole cluster
 *	  worker	a background worker notifies, once for all that committed since
 *				it last did.  Needs usher in shared_preload_libraries
 *	  none		nobody does: listeners look once a second
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_DOORBELL_H
#define USHER_DOORBELL_H

typedef enum DoorbellMode
{
	DOORBELL_NOTIFY,
	DOORBELL_WORKER,
	DOORBELL_NONE,
} DoorbellMode;

/*
 * doorbell_ring
 *		Ring when this transaction commits; any number of times is once.
 *
 * Runs as usher_owner, in the transaction that published.  Never fails for
 * want of a worker: listeners look once a second anyway.
 */
extern void doorbell_ring(void);

/* From _PG_init: shared memory and the launcher, when preloaded. */
extern void doorbell_init(void);

/* Whether there can be a worker: we were preloaded. */
extern bool doorbell_has_worker(void);

#endif /* USHER_DOORBELL_H */
