/*-------------------------------------------------------------------------
 *
 * durable.c
 *	  Messages that are kept: numbered by group, in the order of the commits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "broadcast.h"
#include "durable.h"

/* What both statements below do with the number; $1 group, $2 tag, $3 at,
 * $4 type, $5 payload. */
#define KEEP_SQL                                                               \
	"INSERT INTO usher.message "                                               \
	"(\"group\", seq, tag, xid, at, type, payload) "                           \
	"SELECT $1, g.seq, $2, pg_catalog.pg_current_xact_id(), $3, $4, $5 "       \
	"FROM g"

/* Nearly every message: the group has had one before. */
#define NEXT_SQL                                                               \
	"WITH g AS (UPDATE usher.group_seq AS s "                                  \
	"SET seq = s.seq OPERATOR(pg_catalog.+) 1, tag = $2, at = $3 "             \
	"WHERE s.\"group\" OPERATOR(pg_catalog.=) $1 RETURNING s.seq) " KEEP_SQL

/* The first one; of two who both find none the second waits, and goes on. */
#define FIRST_SQL                                                              \
	"WITH g AS (INSERT INTO usher.group_seq AS s (\"group\", seq, tag, at) "   \
	"VALUES ($1, 1, $2, $3) ON CONFLICT (\"group\") DO UPDATE "                \
	"SET seq = s.seq OPERATOR(pg_catalog.+) 1, tag = EXCLUDED.tag, "           \
	"at = EXCLUDED.at RETURNING s.seq) " KEEP_SQL

static SPIPlanPtr
prepare(const char *sql)
{
	Oid		   types[] = {TEXTOID, INT8OID, TIMESTAMPTZOID, CHAROID, BYTEAOID};
	SPIPlanPtr plan = SPI_prepare(sql, lengthof(types), types);

	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare the storing of messages: %s",
			 SPI_result_code_string(SPI_result));
	return plan;
}

/* Returns whether a row was written. */
static bool
run(SPIPlanPtr *plan, const char *sql, Datum *values)
{
	if (*plan == NULL)
		*plan = prepare(sql);
	if (SPI_execute_plan(*plan, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not store a message");
	return SPI_processed == 1;
}

static int64
random_tag(void)
{
	int64 tag;

	if (!pg_strong_random(&tag, sizeof(tag)))
		ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate random values"));
	return tag;
}

static void
append(const char *group, BroadcastType type, bytea *payload)
{
	static SPIPlanPtr next = NULL;
	static SPIPlanPtr first = NULL;
	Datum			  values[5];

	values[0] = CStringGetTextDatum(group);
	values[1] = Int64GetDatum(random_tag());
	values[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[3] = CharGetDatum((char) type);
	values[4] = PointerGetDatum(payload);
	if (!run(&next, NEXT_SQL, values) && !run(&first, FIRST_SQL, values))
		elog(ERROR, "could not number a message of group \"%s\"", group);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void
durable_store(const char **groups, int ngroups, BroadcastType type,
			  const char *payload, size_t len)
{
	bytea *bytes;

	if (ngroups == 0)
		return;
	if (ngroups > 1)
		qsort(groups, ngroups, sizeof(*groups), compare_names);

	SPI_connect();
	bytes = palloc(VARHDRSZ + len);
	SET_VARSIZE(bytes, VARHDRSZ + len);
	memcpy(VARDATA(bytes), payload, len);
	for (int i = 0; i < ngroups; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i == 0 || strcmp(groups[i], groups[i - 1]) != 0)
			append(groups[i], type, bytes);
	}
	SPI_finish();
	broadcast_bell();
}
