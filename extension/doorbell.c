/*-------------------------------------------------------------------------
 *
 * doorbell.c
 *	  Listeners are told that a durable message has been committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "bell.h"
#include "broadcast.h"
#include "doorbell.h"
#include "settings.h"
#include "worker.h"

/* This transaction has published. */
static bool ring_at_commit = false;

/* Where this backend rings; NULL: not looked for yet, or there is no slot. */
static BellSlot *slot = NULL;

static void
on_transaction_end(XactEvent event, void *arg)
{
	(void) arg;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			/* Others see what we wrote, and a synchronous standby has it. */
			if (ring_at_commit && slot != NULL)
				bell_ring(slot);
			ring_at_commit = false;
			return;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			/* COMMIT PREPARED rings nothing: listeners look by themselves. */
			ring_at_commit = false;
			return;
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE: return;
	}
}

static void
ring_worker(void)
{
	static bool registered = false;
	static bool warned = false;

	if (!registered)
	{
		RegisterXactCallback(on_transaction_end, NULL);
		registered = true;
	}
	if (slot == NULL)
		slot = bell_slot(MyDatabaseId);
	if (slot == NULL && !warned)
	{
		ereport(
			LOG,
			errmsg("usher: no doorbell worker for this database: listeners "
				   "look once a second"),
			errdetail("There can be workers for %d databases.", BELL_SLOTS));
		warned = true;
	}
	ring_at_commit = true;
}

void
doorbell_ring(void)
{
	switch ((DoorbellMode) settings_doorbell)
	{
		case DOORBELL_NOTIFY: broadcast_bell(); return;
		case DOORBELL_WORKER: ring_worker(); return;
		case DOORBELL_NONE: return;
	}
}

bool
doorbell_has_worker(void)
{
	return bell != NULL || process_shared_preload_libraries_in_progress;
}

void
doorbell_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	bell_request();
	worker_register();
}
