/*-------------------------------------------------------------------------
 *
 * attach.c
 *	  Who may tell usher where the site's tables are: their owner.
 *
 * usher_owner reads whatever table it is told of, also its own and those that
 * others have lent it.  Therefore remember_django() is its caller's as long as
 * it asks whose the tables are, and only then calls store_django(), which is
 * SECURITY DEFINER and granted to nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(usher_remember_django);

static void
check_owner(Oid table)
{
	HeapTuple	  tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	Form_pg_class form;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("table with OID %u does not exist", table));
	form = (Form_pg_class) GETSTRUCT(tuple);
	if (!has_privs_of_role(GetUserId(), form->relowner))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("must be owner of table %s", NameStr(form->relname)));
	ReleaseSysCache(tuple);
}

/* Every table that a usher.site names. */
static void
check_owners(HeapTupleHeader site)
{
	TupleDesc	  desc;
	HeapTupleData tuple;

	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(site),
								  HeapTupleHeaderGetTypMod(site));
	tuple.t_len = HeapTupleHeaderGetDatumLength(site);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = site;
	for (int i = 0; i < desc->natts; i++)
	{
		bool  isnull;
		Datum table;

		if (TupleDescAttr(desc, i)->atttypid != REGCLASSOID)
			continue;
		table = heap_getattr(&tuple, i + 1, desc, &isnull);
		if (!isnull)
			check_owner(DatumGetObjectId(table));
	}
	ReleaseTupleDesc(desc);
}

Datum
usher_remember_django(PG_FUNCTION_ARGS)
{
	HeapTupleHeader site = PG_GETARG_HEAPTUPLEHEADER(0);
	List *name = list_make2(makeString("usher"), makeString("store_django"));
	Oid	  type = HeapTupleHeaderGetTypeId(site);

	check_owners(site);
	PG_RETURN_DATUM(OidFunctionCall1(LookupFuncName(name, 1, &type, false),
									 PointerGetDatum(site)));
}
