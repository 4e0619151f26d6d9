/*-------------------------------------------------------------------------
 *
 * store_probe.c
 *	  One row of a table by the value of a column, without a plan.
 *
 * To start, run and end a plan through SPI costs several times what finding
 * a row in an index does, and an authentication is little else.  So what the
 * planner and the executor would find out each time is found out once: which
 * table, which index, which columns, and that the current user may read them.
 * PostgreSQL checks foreign keys in much the same way.
 *
 * What was found out holds until PostgreSQL announces a change of anything it
 * depends on: of the table or its index (their definitions and rights), of
 * schemas, of roles and of their memberships.  An announcement that is under
 * way arrives at the latest when the table is locked, and whoever changes it
 * needs a lock that waits for ours; so it is asked again after locking.
 *
 * Everything unusual is left to SQL, which is always there as the other way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
#include "utils/varlena.h"

#include "store_probe.h"

/* Tables and indexes of all probes; more are not probed. */
#define MAX_WATCHED 32

/* What was found out under another generation is void. */
static uint64 generation = 1;

/* Those on which anything rests that was found out under this generation. */
static Oid watched[MAX_WATCHED];
static int nwatched = 0;

/* ---- what makes it void ---- */

static void
forget_everything(void)
{
	generation++;
	nwatched = 0;
}

static bool
is_watched(Oid relid)
{
	int i;

	for (i = 0; i < nwatched; i++)
	{
		if (watched[i] == relid)
			return true;
	}
	return false;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	(void) arg;
	if (relid == InvalidOid || is_watched(relid))
		forget_everything();
}

static void
on_catalog_change(Datum arg, int cacheid, uint32 hashvalue)
{
	(void) arg;
	(void) cacheid;
	(void) hashvalue;
	forget_everything();
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	registered = true;
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);

	/* What a name means, and, as acl.c has it, what a role may. */
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(DATABASEOID, on_catalog_change, (Datum) 0);
}

/* False when there are too many. */
static bool
watch(Oid relid)
{
	if (is_watched(relid))
		return true;
	if (nwatched == MAX_WATCHED)
		return false;
	watched[nwatched++] = relid;
	return true;
}

/* ---- resolving ---- */

/* NULL unless it is schema and name. */
static RangeVar *
qualified_name(const char *quoted)
{
	List *names = textToQualifiedNameList(cstring_to_text(quoted));

	return list_length(names) == 2 ? makeRangeVarFromNameList(names) : NULL;
}

/* The column with a quoted name, or NULL. */
static Form_pg_attribute
column_of(Relation table, const char *quoted)
{
	List	  *names = textToQualifiedNameList(cstring_to_text(quoted));
	AttrNumber number;

	if (list_length(names) != 1)
		return NULL;
	number = get_attnum(RelationGetRelid(table), strVal(linitial(names)));
	if (number <= 0) /* none, or a system column */
		return NULL;
	return TupleDescAttr(RelationGetDescr(table), number - 1);
}

/* Whether a tuple holds the column's value and the user may read it. */
static bool
is_readable(Relation table, Form_pg_attribute column)
{
	Oid relid = RelationGetRelid(table);

	if (column->attgenerated != '\0' &&
		column->attgenerated != ATTRIBUTE_GENERATED_STORED)
		return false;
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		   pg_attribute_aclcheck(relid, column->attnum, GetUserId(),
								 ACL_SELECT) == ACLCHECK_OK;
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

static bool
type_fits(const ProbeColumn *column, Oid type)
{
	switch (column->type)
	{
		case PROBE_TEXT:
			return is_text(type) || type == INT2OID || type == INT4OID ||
				   type == INT8OID || type == UUIDOID;
		case PROBE_BOOL: return type == BOOLOID;
		case PROBE_INT4: return type == INT4OID;
		case PROBE_TIMESTAMPTZ: return type == TIMESTAMPTZOID;
		case PROBE_TEXT_ARRAY: return type == TEXTARRAYOID;
		case PROBE_KEY:
			return type == column->key_type ||
				   (is_text(type) && is_text(column->key_type));
	}
	return false; /* not reached: keeps the compiler quiet */
}

/*
 * Whether the index finds at most one row by this column, with the operator
 * that SQL would take and in the column's collation.
 */
static bool
index_fits(Relation index, Form_pg_attribute column, Oid eq)
{
	Form_pg_index form = index->rd_index;
	Oid			  type = index->rd_opcintype[0];

	return index->rd_rel->relam == BTREE_AM_OID && form->indisunique &&
		   form->indimmediate && form->indisvalid && form->indisready &&
		   form->indislive && !form->indcheckxmin && form->indnkeyatts == 1 &&
		   form->indkey.values[0] == column->attnum &&
		   RelationGetIndexPredicate(index) == NIL &&
		   index->rd_indcollation[0] == column->attcollation &&
		   get_opfamily_member(index->rd_opfamily[0], type, type,
							   BTEqualStrategyNumber) == eq;
}

/* Sets index and key. */
static bool
find_index(Probe *probe, Relation table, const ProbeQuery *query)
{
	Form_pg_attribute column = column_of(table, query->key);
	Oid				  eq;
	List			 *indexes;
	ListCell		 *cell;
	Oid				  type;

	if (column == NULL || !is_readable(table, column))
		return false;
	type = getBaseType(column->atttypid);
	if (type != query->key_type && !(is_text(type) && is_text(query->key_type)))
		return false;
	eq = lookup_type_cache(query->key_type, TYPECACHE_EQ_OPR)->eq_opr;

	indexes = RelationGetIndexList(table);
	foreach (cell, indexes)
	{
		Relation index = index_open(lfirst_oid(cell), AccessShareLock);
		bool	 fits = index_fits(index, column, eq);

		index_close(index, AccessShareLock);
		if (!fits)
			continue;
		probe->index = lfirst_oid(cell);
		memset(&probe->key, 0, sizeof probe->key);
		probe->key.sk_attno = column->attnum;
		probe->key.sk_strategy = BTEqualStrategyNumber;
		probe->key.sk_collation = column->attcollation;
		fmgr_info_cxt(get_opcode(eq), &probe->key.sk_func, TopMemoryContext);
		return watch(probe->index);
	}
	return false;
}

static bool
find_columns(Probe *probe, Relation table, const ProbeQuery *query)
{
	int i;

	if (query->ncolumns > PROBE_MAX_COLUMNS)
		return false;
	for (i = 0; i < query->ncolumns; i++)
	{
		Form_pg_attribute column;

		probe->attnums[i] = 0;
		if (query->columns[i].name == NULL)
			continue;
		column = column_of(table, query->columns[i].name);
		if (column == NULL || !is_readable(table, column))
			return false;
		probe->attnums[i] = column->attnum;
		probe->types[i] = getBaseType(column->atttypid);
		if (!type_fits(&query->columns[i], probe->types[i]))
			return false;
	}
	return true;
}

/* Whether a row that the index finds is a row of the table to this user. */
static bool
is_plain(Relation table)
{
	Form_pg_class form = table->rd_rel;

	return form->relkind == RELKIND_RELATION &&
		   form->relam == HEAP_TABLE_AM_OID &&
		   form->relpersistence != RELPERSISTENCE_TEMP &&
		   !form->relrowsecurity && !form->relhassubclass;
}

/* Sets everything but what is_resolved() looks at. */
static bool
resolve(Probe *probe, const ProbeQuery *query)
{
	RangeVar *name = qualified_name(query->table);
	Relation  table;
	bool	  usable;

	probe->table = InvalidOid;
	if (name == NULL)
		return false;
	probe->table = RangeVarGetRelid(name, AccessShareLock, true);
	if (!OidIsValid(probe->table))
		return false;
	table = table_open(probe->table, NoLock);
	usable = watch(probe->table) && is_plain(table) &&
			 find_columns(probe, table, query) &&
			 find_index(probe, table, query);
	table_close(table, NoLock);
	return usable;
}

static bool
is_resolved(const Probe *probe, const ProbeQuery *query)
{
	return probe->generation == generation && probe->serial == query->serial &&
		   probe->user_id == GetUserId();
}

/* The table, locked; NULL: it cannot be probed. */
static Relation
open_table(Probe *probe, const ProbeQuery *query)
{
	register_callbacks();

	/* An extension that wants to be asked about every access. */
	if (ExecutorCheckPerms_hook != NULL)
		return NULL;
	for (;;)
	{
		if (!is_resolved(probe, query))
		{
			uint64 began = generation;

			probe->generation = 0; /* should this raise */
			probe->usable = resolve(probe, query);
			if (!OidIsValid(probe->table))
				return NULL; /* nobody would tell us of its creation */
			probe->serial = query->serial;
			probe->user_id = GetUserId();
			probe->generation = began; /* void if that changed meanwhile */
			continue;
		}
		if (!probe->usable)
			return NULL;
		LockRelationOid(probe->table, AccessShareLock);
		if (is_resolved(probe, query))
			return table_open(probe->table, NoLock);
		UnlockRelationOid(probe->table, AccessShareLock);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---- reading ---- */

static char *
text_of(Datum value, Oid type)
{
	char digits[MAXINT8LEN + 1];

	switch (type)
	{
		case INT2OID: pg_itoa(DatumGetInt16(value), digits); break;
		case INT4OID: pg_ltoa(DatumGetInt32(value), digits); break;
		case INT8OID: pg_lltoa(DatumGetInt64(value), digits); break;
		case UUIDOID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, value));
		default: return TextDatumGetCString(value); /* see type_fits() */
	}
	return pstrdup(digits);
}

static Datum
copy_of(Datum value, ProbeType type, Oid value_type)
{
	switch (type)
	{
		case PROBE_TEXT: return CStringGetDatum(text_of(value, value_type));
		case PROBE_BOOL:
		case PROBE_INT4:
		case PROBE_TIMESTAMPTZ: return value;
		case PROBE_TEXT_ARRAY:
			return PointerGetDatum(DatumGetArrayTypePCopy(value));
		case PROBE_KEY:
			if (is_text(value_type))
				return PointerGetDatum(DatumGetTextPCopy(value));
			return datumCopy(value, get_typbyval(value_type),
							 get_typlen(value_type));
	}
	return (Datum) 0; /* not reached: keeps the compiler quiet */
}

ProbeResult
store_probe(Probe *probe, const ProbeQuery *query, Datum key, Datum *values,
			bool *nulls)
{
	Relation	table = open_table(probe, query);
	ScanKeyData by;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			i;

	if (table == NULL)
		return PROBE_IMPOSSIBLE;

	/* Works for any table; where the index is in use by REINDEX, too. */
	by = probe->key;
	by.sk_argument = key;
	scan = systable_beginscan(table, probe->index, true, GetActiveSnapshot(), 1,
							  &by);
	tuple = systable_getnext(scan);
	for (i = 0; tuple != NULL && i < query->ncolumns; i++)
	{
		nulls[i] = true;
		values[i] = (Datum) 0;
		if (probe->attnums[i] != 0)
			values[i] = heap_getattr(tuple, probe->attnums[i],
									 RelationGetDescr(table), &nulls[i]);
		if (!nulls[i])
			values[i] =
				copy_of(values[i], query->columns[i].type, probe->types[i]);
	}
	systable_endscan(scan);
	/* Locked until the transaction ends, as the executor has it. */
	table_close(table, NoLock);
	return tuple != NULL ? PROBE_FOUND : PROBE_ABSENT;
}
