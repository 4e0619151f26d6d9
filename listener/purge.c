/*-------------------------------------------------------------------------
 *
 * purge.c
 *	  What durable groups need not keep is removed, bit by bit.
 *
 *-------------------------------------------------------------------------
 */
#include "purge.h"

#include <stdlib.h>

/* Rows of one transaction: a few hundred milliseconds at worst. */
#define BATCH_ROWS 10000

/* When a batch was full there is more. */
#define NEXT_BATCH_MS 200

/* How often it is asked whether purging has been switched on. */
#define OFF_MS 60000

struct Purge
{
	Loop		 *loop;
	Calls		 *calls;
	const Config *config;
	LoopTimer	  timer;
	Call		 *call; /* NULL: none is under way */
};

static void
arm(Purge *purge, bool more)
{
	uint64_t wait_ms = purge->config->purge_interval_ms;

	if (wait_ms == 0)
		wait_ms = OFF_MS;
	else if (more && wait_ms > NEXT_BATCH_MS)
		wait_ms = NEXT_BATCH_MS;
	loop_arm(purge->loop, &purge->timer, loop_now_ms(purge->loop) + wait_ms);
}

static void
on_purged(void *arg, const PurgeAnswer *answer)
{
	Purge *purge = arg;

	purge->call = NULL;
	/* One that failed is tried again when its time has come; calls.c has
	 * logged it. */
	arm(purge, answer->status == CALL_OK && answer->purged >= BATCH_ROWS);
}

static void
on_due(LoopTimer *timer)
{
	Purge *purge = container_of(timer, Purge, timer);

	if (purge->config->purge_interval_ms > 0)
		purge->call =
			calls_purge(purge->calls, BATCH_ROWS,
						purge->config->call_timeout_ms, on_purged, purge);
	if (purge->call == NULL)
		arm(purge, false);
}

Purge *
purge_create(Loop *loop, Calls *calls, const Config *config)
{
	Purge *purge = calloc(1, sizeof(*purge));

	if (purge == NULL)
		return NULL;
	purge->loop = loop;
	purge->calls = calls;
	purge->config = config;
	purge->timer.on_due = on_due;
	arm(purge, false);
	return purge;
}

void
purge_destroy(Purge *purge)
{
	if (purge == NULL)
		return;
	loop_cancel(purge->loop, &purge->timer);
	calls_cancel(purge->call);
	free(purge);
}
