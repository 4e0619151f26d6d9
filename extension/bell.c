/*-------------------------------------------------------------------------
 *
 * bell.c
 *	  The doorbell's shared memory: who has rung, and whom that wakes.
 *
 * Latches stand in PGPROC entries, which stay where they are: one that is read
 * a moment before its process ends wakes somebody else for nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "bell.h"
#include "compat.h"

Bell *bell = NULL;

static shmem_startup_hook_type former_startup = NULL;
#if USHER_HAS_SHMEM_REQUEST_HOOK
static shmem_request_hook_type former_request = NULL;
#endif

static void
request(void)
{
#if USHER_HAS_SHMEM_REQUEST_HOOK
	if (former_request != NULL)
		former_request();
#endif
	RequestAddinShmemSpace(MAXALIGN(sizeof(Bell)));
}

static void
startup(void)
{
	bool found;

	if (former_startup != NULL)
		former_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	bell = ShmemInitStruct("usher doorbell", sizeof(Bell), &found);
	if (!found)
	{
		memset(bell, 0, sizeof(*bell));
		for (int i = 0; i < BELL_SLOTS; i++)
		{
			pg_atomic_init_u32(&bell->slots[i].database, InvalidOid);
			pg_atomic_init_u64(&bell->slots[i].rung, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
bell_request(void)
{
#if USHER_HAS_SHMEM_REQUEST_HOOK
	former_request = shmem_request_hook;
	shmem_request_hook = request;
#else
	request();
#endif
	former_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

BellSlot *
bell_slot(Oid database)
{
	for (int i = 0; bell != NULL && i < BELL_SLOTS; i++)
	{
		BellSlot *slot = &bell->slots[i];
		uint32	  expected = InvalidOid;

		if (pg_atomic_read_u32(&slot->database) == database)
			return slot;
		/* Slots are taken from the first on: this is the first free one. */
		if (pg_atomic_compare_exchange_u32(&slot->database, &expected,
										   database) ||
			expected == database)
			return slot;
	}
	return NULL;
}

void
bell_ring(BellSlot *slot)
{
	Latch *latch;

	/* Who finds it rung already knows that somebody is being woken. */
	if (pg_atomic_fetch_add_u64(&slot->rung, 1) > 0)
		return;
	latch = slot->latch;
	if (latch == NULL)
		latch = bell->launcher;
	if (latch != NULL)
		SetLatch(latch);
}
