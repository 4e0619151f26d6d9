/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The background workers that answer the doorbell.
 *
 * The launcher belongs to no database.  It starts a worker for each database
 * that has rung and has none.  A worker notifies listeners of its database
 * once for all who rang since it last did, and ends when nobody has for a
 * while, so that the database can be dropped.  One that was ended or broke
 * down is started again by the launcher when somebody rings, or at its next
 * look; when any process breaks down PostgreSQL starts over and takes all of
 * this along.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "bell.h"
#include "broadcast.h"
#include "worker.h"

/* A worker that nobody rings for ends after this. */
#define IDLE_MS 30000

/* At most one notification in this time: each costs every listener a look,
 * which finds the more the longer it has waited. */
#define REST_US 2000

/* The launcher looks by itself this often: a worker may have broken down. */
#define LOOK_MS 1000

/* Whether the extension's schema is there, and with it the channel. */
#define INSTALLED_SQL                                                          \
	"SELECT FROM pg_catalog.pg_extension "                                     \
	"WHERE extname OPERATOR(pg_catalog.=) 'usher'"

static void
fill_worker(BackgroundWorker *worker, const char *function, const char *name)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, "usher",
			sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function,
			sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, name, sizeof(worker->bgw_name));
	strlcpy(worker->bgw_type, name, sizeof(worker->bgw_type));
}

void
worker_register(void)
{
	BackgroundWorker worker;

	fill_worker(&worker, "usher_launcher_main", "usher doorbell launcher");
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}

static void
begin_process(void)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
}

/* Sleep until somebody sets our latch; returns what woke us. */
static int
wait_for_latch(long timeout_ms)
{
	int events =
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  timeout_ms, PG_WAIT_EXTENSION);

	/* Before anything is looked at, or a ring in between would be missed. */
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	return events;
}

/*
 * The launcher
 */

static void
on_launcher_exit(int code, Datum arg)
{
	(void) code;
	(void) arg;
	bell->launcher = NULL;
}

static void
start_worker(int number)
{
	BellSlot		*slot = &bell->slots[number];
	BackgroundWorker worker;

	fill_worker(&worker, "usher_worker_main", "usher doorbell");
	worker.bgw_flags |= BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = Int32GetDatum(number);
	worker.bgw_notify_pid = MyProcPid; /* we look when it starts or ends */
	slot->started = true;
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
		return;
	slot->started = false;
	ereport(LOG, errmsg("usher: no doorbell worker could be started"),
			errhint("Raise max_worker_processes.  Until then listeners look "
					"once a second."));
}

/*
 * One that was asked for and has not come, or has gone without a word, is
 * asked for again: two of a database do no harm.
 */
static void
look_at_slots(bool retry)
{
	for (int i = 0; i < BELL_SLOTS; i++)
	{
		BellSlot *slot = &bell->slots[i];

		if (pg_atomic_read_u64(&slot->rung) > 0 && slot->latch == NULL &&
			(retry || !slot->started))
			start_worker(i);
	}
}

void
usher_launcher_main(Datum arg)
{
	int events = WL_LATCH_SET;

	(void) arg;
	begin_process();
	before_shmem_exit(on_launcher_exit, (Datum) 0);
	bell->launcher = MyLatch;
	for (;;)
	{
		look_at_slots((events & WL_TIMEOUT) != 0);
		events = wait_for_latch(LOOK_MS);
	}
}

/*
 * A worker
 */

static void
on_worker_exit(int code, Datum number)
{
	BellSlot *slot = &bell->slots[DatumGetInt32(number)];
	Latch	 *launcher = bell->launcher;

	(void) code;
	/* A second one may be there by now. */
	if (slot->latch == MyLatch)
		slot->latch = NULL;
	slot->started = false;
	if (launcher != NULL)
		SetLatch(launcher);
}

static bool
is_installed(void)
{
	bool found;

	SPI_connect();
	found = SPI_execute(INSTALLED_SQL, true, 1) == SPI_OK_SELECT &&
			SPI_processed == 1;
	SPI_finish();
	return found;
}

/* One transaction; false when there is nobody to notify any more. */
static bool
notify_listeners(void)
{
	bool installed;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	installed = is_installed();
	if (installed)
		broadcast_bell();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	return installed;
}

void
usher_worker_main(Datum number)
{
	BellSlot *slot = &bell->slots[DatumGetInt32(number)];
	bool	  rung;

	/* Before connecting: a database that is gone is not tried for ever. */
	rung = pg_atomic_exchange_u64(&slot->rung, 0) > 0;
	begin_process();
	before_shmem_exit(on_worker_exit, number);
	BackgroundWorkerInitializeConnectionByOid(
		pg_atomic_read_u32(&slot->database), InvalidOid, 0);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET,
					PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_IDLE, NULL);
	slot->latch = MyLatch;
	for (;;)
	{
		rung |= pg_atomic_exchange_u64(&slot->rung, 0) > 0;
		if (rung && !notify_listeners())
			return;
		if (rung)
			pg_usleep(REST_US);
		rung = false;
		if ((wait_for_latch(IDLE_MS) & WL_TIMEOUT) != 0 &&
			pg_atomic_read_u64(&slot->rung) == 0)
			return;
	}
}
