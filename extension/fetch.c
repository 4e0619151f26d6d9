/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  What listeners read of durable groups: what is new, and one group from
 *	  some message on.
 *
 * A position is the text of a pg_snapshot.  New is what a transaction wrote
 * that was not visible in it: one that ran then (its list) or began later (its
 * xmax).  Both are looked up in the index on xid, so that a transaction which
 * stays open for hours costs one look-up each time, and not a scan of all that
 * was published since it began.
 *
 * The tables are read by the index, without SPI: the planner knows nothing of
 * positions and could choose to read the table.  ACLs are not asked, which is
 * why only a listener may call these functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "common/base64.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "broadcast.h"

/* More at once is better asked for group by group, as far as there is anybody
 * in them. */
#define FETCH_MAX_ROWS 20000
#define FETCH_MAX_BYTES (16 * 1024 * 1024)

/* A page of stream() ends behind the message that passes this. */
#define STREAM_MAX_BYTES (1024 * 1024)

/* Columns of usher.message and usher.group_seq. */
enum
{
	MESSAGE_GROUP = 1,
	MESSAGE_SEQ,
	MESSAGE_TAG,
	MESSAGE_XID,
	MESSAGE_AT,
	MESSAGE_TYPE,
	MESSAGE_PAYLOAD,
	MESSAGE_COLUMNS = MESSAGE_PAYLOAD
};

enum
{
	GROUP_SEQ_GROUP = 1,
	GROUP_SEQ_SEQ,
	GROUP_SEQ_TAG,
	GROUP_SEQ_COLUMNS = 4
};

PG_FUNCTION_INFO_V1(usher_fetch);
PG_FUNCTION_INFO_V1(usher_stream);

/*
 * Lines
 */

typedef struct Line
{
	char *group;
	int64 seq;
	char *text;
} Line;

/* The lines of one answer, in memory of their own until they are sorted. */
typedef struct Lines
{
	Line  *line;
	size_t count;
	size_t cap;
	size_t bytes;
} Lines;

static void
append_payload(StringInfo line, char type, bytea *payload)
{
	int	  len = (int) VARSIZE_ANY_EXHDR(payload);
	int	  encoded;
	int	  cap;
	char *to;

	if (type != BROADCAST_BINARY)
	{
		appendBinaryStringInfo(line, VARDATA_ANY(payload), len);
		return;
	}
	cap = pg_b64_enc_len(len);
	enlargeStringInfo(line, cap + 1);
	to = line->data + line->len;
	/* The input's type differs between versions. */
	encoded = pg_b64_encode((const void *) VARDATA_ANY(payload), len, to, cap);
	if (encoded < 0)
		elog(ERROR, "could not encode %d bytes as base64", len);
	line->len += encoded;
	line->data[line->len] = '\0';
}

static void
add_line(Lines *lines, Datum *values)
{
	char		  *group = TextDatumGetCString(values[MESSAGE_GROUP - 1]);
	int64		   seq = DatumGetInt64(values[MESSAGE_SEQ - 1]);
	char		   type = DatumGetChar(values[MESSAGE_TYPE - 1]);
	bytea		  *payload = DatumGetByteaPP(values[MESSAGE_PAYLOAD - 1]);
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfo(
		&line, "d " INT64_FORMAT " %016llx %c %s ", seq,
		(unsigned long long) DatumGetInt64(values[MESSAGE_TAG - 1]), type,
		group);
	append_payload(&line, type, payload);

	if (lines->count == lines->cap)
	{
		lines->cap = lines->cap > 0 ? 2 * lines->cap : 64;
		lines->line = lines->line == NULL
						  ? palloc(lines->cap * sizeof(Line))
						  : repalloc(lines->line, lines->cap * sizeof(Line));
	}
	lines->line[lines->count++] =
		(Line){.group = group, .seq = seq, .text = line.data};
	lines->bytes += (size_t) line.len;
}

static int
compare_lines(const void *a, const void *b)
{
	const Line *left = a;
	const Line *right = b;
	int			names = strcmp(left->group, right->group);

	if (names != 0)
		return names;
	return left->seq < right->seq ? -1 : left->seq > right->seq;
}

/*
 * The result
 */

typedef struct LineSet
{
	Tuplestorestate *store;
	TupleDesc		 desc;
} LineSet;

static LineSet
begin_result(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext  oldcxt;
	LineSet		   result;

	if (info == NULL || !IsA(info, ReturnSetInfo) ||
		(info->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("a set is returned where none can be taken"));
	oldcxt = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	result.store = tuplestore_begin_heap(false, false, work_mem);
	result.desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(result.desc, 1, "line", TEXTOID, -1, 0);
	info->returnMode = SFRM_Materialize;
	info->setResult = result.store;
	info->setDesc = result.desc;
	MemoryContextSwitchTo(oldcxt);
	return result;
}

static void
put(LineSet *result, const char *line)
{
	Datum value = CStringGetTextDatum(line);
	bool  isnull = false;

	tuplestore_putvalues(result->store, result->desc, &value, &isnull);
	pfree(DatumGetPointer(value));
}

static void
put_lines(LineSet *result, const Lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put(result, lines->line[i].text);
	}
}

/*
 * Scans
 */

typedef struct KeyScan
{
	Relation	table;
	Relation	index;
	SysScanDesc desc;
} KeyScan;

static Oid
relation_named(const char *name)
{
	Oid schema = get_namespace_oid("usher", false);
	Oid relation = get_relname_relid(name, schema);

	if (!OidIsValid(relation))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("relation \"usher.%s\" does not exist", name));
	return relation;
}

static void
open_scan(KeyScan *scan, const char *table, const char *index)
{
	scan->table = table_open(relation_named(table), AccessShareLock);
	scan->index = index_open(relation_named(index), AccessShareLock);
}

static void
close_scan(KeyScan *scan)
{
	index_close(scan->index, AccessShareLock);
	table_close(scan->table, AccessShareLock);
}

static void
begin_scan(KeyScan *scan, int nkeys, ScanKey keys)
{
	scan->desc = systable_beginscan_ordered(scan->table, scan->index,
											GetActiveSnapshot(), nkeys, keys);
}

/* The next row in the order of the index; false: there is none. */
static bool
next_row(KeyScan *scan, Datum *values, bool *nulls)
{
	HeapTuple tuple =
		systable_getnext_ordered(scan->desc, ForwardScanDirection);

	CHECK_FOR_INTERRUPTS();
	if (!HeapTupleIsValid(tuple))
		return false;
	heap_deform_tuple(tuple, RelationGetDescr(scan->table), values, nulls);
	return true;
}

static void
end_scan(KeyScan *scan)
{
	systable_endscan_ordered(scan->desc);
}

/*
 * fetch
 */

static bool
is_too_much(const Lines *lines)
{
	return lines->count > FETCH_MAX_ROWS || lines->bytes > FETCH_MAX_BYTES;
}

/* Add the messages of one transaction, or of it and all that began later. */
static void
add_transactions(KeyScan *scan, Lines *lines, uint64 xid, bool later)
{
	ScanKeyData key;
	Datum		values[MESSAGE_COLUMNS];
	bool		nulls[MESSAGE_COLUMNS];

	ScanKeyEntryInitialize(
		&key, 0, MESSAGE_XID,
		later ? BTGreaterEqualStrategyNumber : BTEqualStrategyNumber,
		InvalidOid, InvalidOid, later ? F_XID8GE : F_XID8EQ,
		FullTransactionIdGetDatum(FullTransactionIdFromU64(xid)));
	begin_scan(scan, 1, &key);
	while (!is_too_much(lines) && next_row(scan, values, nulls))
		add_line(lines, values);
	end_scan(scan);
}

/* Add what was not visible at a position: "xmin:xmax:xip,xip,...". */
static void
add_since(KeyScan *scan, Lines *lines, const char *position)
{
	const char *list = strchr(position, ':');
	char	   *end;
	uint64		xmax;

	list = list != NULL ? strchr(list + 1, ':') : NULL;
	if (list == NULL)
		elog(ERROR, "not a snapshot: \"%s\"", position);
	xmax = strtou64(strchr(position, ':') + 1, NULL, 10);
	for (list++; *list != '\0' && !is_too_much(lines);
		 list = *end == ',' ? end + 1 : end)
	{
		add_transactions(scan, lines, strtou64(list, &end, 10), false);
		if (end == list)
			elog(ERROR, "not a snapshot: \"%s\"", position);
	}
	add_transactions(scan, lines, xmax, true);
}

/* The text of a snapshot, in the one form that the server itself writes. */
static char *
snapshot_argument(text *argument)
{
	Datum snapshot = OidFunctionCall1(
		F_PG_SNAPSHOT_IN, CStringGetDatum(text_to_cstring(argument)));

	return OidOutputFunctionCall(F_PG_SNAPSHOT_OUT, snapshot);
}

static char *
current_position(void)
{
	return OidOutputFunctionCall(F_PG_SNAPSHOT_OUT,
								 OidFunctionCall0(F_PG_CURRENT_SNAPSHOT));
}

Datum
usher_fetch(PG_FUNCTION_ARGS)
{
	LineSet result = begin_result(fcinfo);
	Lines	lines = {0};
	KeyScan scan;

	if (!PG_ARGISNULL(0))
	{
		open_scan(&scan, "message", "message_xid");
		add_since(&scan, &lines, snapshot_argument(PG_GETARG_TEXT_PP(0)));
		close_scan(&scan);
	}

	/*
	 * Whoever committed before our snapshot was taken has queued his
	 * notifications, but the signal to read them may not have reached us.
	 * So they are read when this query is done, before we say that we are
	 * ready for the next one.
	 */
	notifyInterruptPending = true;

	put(&result,
		psprintf("%c %s", is_too_much(&lines) ? '!' : '@', current_position()));
	if (!is_too_much(&lines))
	{
		if (lines.count > 1)
			qsort(lines.line, lines.count, sizeof(Line), compare_lines);
		put_lines(&result, &lines);
	}
	PG_RETURN_NULL();
}

/*
 * stream
 */

static ScanKeyData
group_key(Datum group)
{
	ScanKeyData key;

	ScanKeyEntryInitialize(&key, 0, MESSAGE_GROUP, BTEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXTEQ, group);
	return key;
}

static char *
head_line(Datum group)
{
	ScanKeyData key = group_key(group);
	Datum		values[GROUP_SEQ_COLUMNS];
	bool		nulls[GROUP_SEQ_COLUMNS];
	int64		seq = 0;
	int64		tag = 0;
	KeyScan		scan;

	open_scan(&scan, "group_seq", "group_seq_pkey");
	begin_scan(&scan, 1, &key);
	if (next_row(&scan, values, nulls))
	{
		seq = DatumGetInt64(values[GROUP_SEQ_SEQ - 1]);
		tag = DatumGetInt64(values[GROUP_SEQ_TAG - 1]);
	}
	end_scan(&scan);
	close_scan(&scan);
	return psprintf("h " INT64_FORMAT " %016llx", seq,
					(unsigned long long) tag);
}

static void
add_group(Lines *lines, Datum group, int64 since, int limit)
{
	ScanKeyData keys[2] = {group_key(group)};
	Datum		values[MESSAGE_COLUMNS];
	bool		nulls[MESSAGE_COLUMNS];
	KeyScan		scan;

	ScanKeyEntryInitialize(&keys[1], 0, MESSAGE_SEQ,
						   BTGreaterEqualStrategyNumber, InvalidOid, InvalidOid,
						   F_INT8GE, Int64GetDatum(since));
	open_scan(&scan, "message", "message_pkey");
	begin_scan(&scan, 2, keys);
	while ((int64) lines->count < limit && lines->bytes <= STREAM_MAX_BYTES &&
		   next_row(&scan, values, nulls))
		add_line(lines, values);
	end_scan(&scan);
	close_scan(&scan);
}

Datum
usher_stream(PG_FUNCTION_ARGS)
{
	LineSet result = begin_result(fcinfo);
	Lines	lines = {0};
	Datum	group;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	group = PointerGetDatum(PG_GETARG_TEXT_PP(0));
	put(&result, head_line(group));
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		add_group(&lines, group, PG_GETARG_INT64(1), PG_GETARG_INT32(2));
	put_lines(&result, &lines);
	PG_RETURN_NULL();
}
