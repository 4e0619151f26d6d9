/*-------------------------------------------------------------------------
 *
 * store.c
 *	  What the rooms that query have in common: the generation of the
 *	  configuration, plans that are kept, and the row of usher.instance.
 *
 * One callback on relation cache invalidations counts the generation up.
 * It must know our tables by oid, and they get new ones whenever the
 * extension is created again, so the oids are looked up anew after each
 * change.  The callback itself only notes; no cache is touched before the
 * next call from outside.
 *
 * The other rooms store_*.c hold the queries.  All SQL in these qualifies
 * every table, type and operator, even though the functions above us pin
 * search_path: either alone would do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "store.h"
#include "store_spi.h"

static uint64 generation = 1;
static bool	  callback_registered = false;

/* What is cached somewhere; each has the trigger config_change. */
static const char *const config_tables[] = {
	"instance",	   "django",	   "category", "session_options",
	"jwt_options", "knox_options", "secret"};

/* Their oids in this order; all invalid: look up. */
static Oid config_oids[lengthof(config_tables)];

static UsherInstance instance;
static uint64		 instance_generation = 0; /* 0: not loaded */

/* ---- generation ---- */

static void
on_relcache_invalidation(Datum arg, Oid relid)
{
	int i;

	(void) arg;
	for (i = 0; i < (int) lengthof(config_oids); i++)
	{
		if (relid == InvalidOid || relid == config_oids[i])
		{
			generation++;
			memset(config_oids, 0, sizeof config_oids);
			return;
		}
	}
}

uint64
store_generation(void)
{
	if (!callback_registered)
	{
		CacheRegisterRelcacheCallback(on_relcache_invalidation, (Datum) 0);
		callback_registered = true;
	}
	if (!OidIsValid(config_oids[0]))
	{
		Oid schema = get_namespace_oid("usher", true);
		Oid found[lengthof(config_tables)];

		/* Looking up may itself run the callback, so store all at the end. */
		for (size_t i = 0; i < lengthof(config_tables); i++)
			found[i] = get_relname_relid(config_tables[i], schema);
		memcpy(config_oids, found, sizeof config_oids);
	}
	return generation;
}

/* ---- running plans ---- */

SPIPlanPtr
store_prepared(SPIPlanPtr *slot, const char *sql, int nargs, Oid *types)
{
	if (*slot == NULL)
	{
		SPIPlanPtr plan = SPI_prepare(sql, nargs, types);

		if (plan == NULL)
			elog(ERROR, "could not prepare a statement: %s",
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		*slot = plan;
	}
	return *slot;
}

void
store_connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
store_execute(SPIPlanPtr plan, Datum *values, const char *nulls, bool read_only,
			  long limit)
{
	int rc = SPI_execute_plan(plan, values, nulls, read_only, limit);

	if (rc < 0)
		elog(ERROR, "could not execute a statement: %s",
			 SPI_result_code_string(rc));
}

int
store_execute_latest(SPIPlanPtr plan, Datum *values, const char *nulls,
					 long limit)
{
	int rc;

	PushActiveSnapshot(GetLatestSnapshot());
	rc = SPI_execute_plan(plan, values, nulls, true, limit);
	PopActiveSnapshot();
	return rc;
}

uint64
store_change_rows(SPIPlanPtr *slot, const char *sql, int nargs, Oid *types,
				  Datum *values, const char *nulls)
{
	uint64 n;

	store_connect();
	store_execute(store_prepared(slot, sql, nargs, types), values, nulls, false,
				  0);
	n = SPI_processed;
	SPI_finish();
	return n;
}

char *
store_copy_text(int row, int column, MemoryContext context)
{
	bool  isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
								column, &isnull);
	char *in_spi;

	if (isnull)
		return NULL;
	in_spi = TextDatumGetCString(value);
	return MemoryContextStrdup(context, in_spi);
}

Datum
store_column(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column,
						 isnull);
}

/* ---- usher.instance ---- */

const UsherInstance *
store_instance(void)
{
	static SPIPlanPtr plan = NULL;
	uint64			  now = store_generation();
	UsherInstance	  loaded;
	Datum			  value;
	bool			  isnull;
	char			 *channel;

	if (instance_generation == now)
		return &instance;

	store_connect();
	store_prepared(&plan, "SELECT channel, salt FROM usher.instance", 0, NULL);
	if (store_execute_latest(plan, NULL, NULL, 1) < 0)
		elog(ERROR, "could not read usher.instance");
	if (SPI_processed != 1)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table \"usher.instance\" is empty"),
						errhint("Drop and create the extension again.")));
	channel = TextDatumGetCString(store_column(0, 1, &isnull));
	strlcpy(loaded.channel, channel, sizeof loaded.channel);
	value = store_column(0, 2, &isnull);
	/* The table's constraint promises the length. */
	memcpy(loaded.salt, VARDATA_ANY(DatumGetByteaPP(value)),
		   sizeof loaded.salt);
	SPI_finish();

	instance = loaded;
	instance_generation = now;
	return &instance;
}
