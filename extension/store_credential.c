/*-------------------------------------------------------------------------
 *
 * store_credential.c
 *	  Django's sessions, knox's tokens and the blacklists of JWTs in the
 *	  site's own tables.
 *
 * Which tables these are is said by store_mapping(); a site has all of them,
 * some or none.  Names of columns are Django's and the libraries' own, except
 * the one that knox has renamed.  Plans are kept as in store_django.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "store.h"
#include "store_spi.h"
#include "user_key.h"

typedef enum CredentialPlan
{
	PLAN_SESSION,
	PLAN_DELETE_SESSION,
	PLAN_KNOX_BY_KEY,
	PLAN_KNOX_OF_USER,
	PLAN_DELETE_KNOX,
	PLAN_DELETE_KNOX_OF,
	PLAN_BLACKLISTED_JTI,
	PLAN_BLACKLISTED_DRF_JWT,
	PLAN_OUTSTANDING_JTI,
	NUM_CREDENTIAL_PLANS
} CredentialPlan;

static SPIPlanPtr plans[NUM_CREDENTIAL_PLANS];
static uint64	  plans_serial = 0; /* of the mapping they were built from */

/* The columns of the user and of his knox row. */
static void
append_knox_columns(StringInfo sql, const StoreMapping *map)
{
	store_append_user_columns(sql, map, false);
	appendStringInfo(sql,
					 ", t.digest::pg_catalog.text, %s,"
					 " t.%s::pg_catalog.timestamptz",
					 map->knox_layout == KNOX_V3 ? "t.salt::pg_catalog.text"
												 : "NULL::pg_catalog.text",
					 map->knox_expiry);
}

static SPIPlanPtr
credential_plan(CredentialPlan which, const StoreMapping *map)
{
	const char	  *cast = store_key_cast(map->key_type);
	Oid			   type = TEXTOID;
	StringInfoData sql;

	/* Not freed: see store_django.c. */
	if (plans_serial != map->serial)
	{
		memset(plans, 0, sizeof plans);
		plans_serial = map->serial;
	}
	if (plans[which] != NULL)
		return plans[which];

	initStringInfo(&sql);
	switch (which)
	{
		case PLAN_SESSION:
			appendStringInfo(&sql,
							 "SELECT s.session_data::pg_catalog.text,"
							 " s.expire_date::pg_catalog.timestamptz"
							 " FROM %s AS s"
							 " WHERE s.session_key OPERATOR(pg_catalog.=) $1",
							 map->session_table);
			break;
		case PLAN_DELETE_SESSION:
			appendStringInfo(&sql,
							 "DELETE FROM %s AS s"
							 " WHERE s.session_key OPERATOR(pg_catalog.=) $1",
							 map->session_table);
			break;
		case PLAN_KNOX_BY_KEY:
			append_knox_columns(&sql, map);
			appendStringInfo(&sql,
							 " FROM %s AS t JOIN %s AS u"
							 " ON u.%s%s OPERATOR(pg_catalog.=) t.user_id%s"
							 " WHERE t.token_key OPERATOR(pg_catalog.=) $1",
							 map->knox_table, map->user_table, map->user_key,
							 cast, cast);
			break;
		case PLAN_KNOX_OF_USER:
			type = store_key_param_type(map->key_type);
			append_knox_columns(&sql, map);
			appendStringInfo(&sql,
							 " FROM %s AS u LEFT JOIN %s AS t"
							 " ON u.%s%s OPERATOR(pg_catalog.=) t.user_id%s"
							 " WHERE u.%s%s OPERATOR(pg_catalog.=) $1",
							 map->user_table, map->knox_table, map->user_key,
							 cast, cast, map->user_key, cast);
			break;
		case PLAN_DELETE_KNOX:
			appendStringInfo(&sql,
							 "DELETE FROM %s AS t"
							 " WHERE t.digest OPERATOR(pg_catalog.=) $1",
							 map->knox_table);
			break;
		case PLAN_DELETE_KNOX_OF:
			type = store_key_param_type(map->key_type);
			appendStringInfo(&sql,
							 "DELETE FROM %s AS t"
							 " WHERE t.user_id%s OPERATOR(pg_catalog.=) $1",
							 map->knox_table, cast);
			break;
		case PLAN_BLACKLISTED_JTI:
			appendStringInfo(&sql,
							 "SELECT true FROM %s AS o JOIN %s AS b"
							 " ON b.token_id OPERATOR(pg_catalog.=) o.id"
							 " WHERE o.jti OPERATOR(pg_catalog.=) $1",
							 map->outstanding_table, map->blacklist_table);
			break;
		case PLAN_BLACKLISTED_DRF_JWT:
			appendStringInfo(&sql,
							 "SELECT true FROM %s AS b"
							 " WHERE b.token OPERATOR(pg_catalog.=) $1",
							 map->drf_blacklist_table);
			break;
		case PLAN_OUTSTANDING_JTI:
			type = INT8OID;
			appendStringInfo(&sql,
							 "SELECT o.jti::pg_catalog.text FROM %s AS o"
							 " WHERE o.id OPERATOR(pg_catalog.=) $1",
							 map->outstanding_table);
			break;
		case NUM_CREDENTIAL_PLANS: elog(ERROR, "no such plan");
	}
	return store_prepared(&plans[which], sql.data, 1, &type);
}

static bool
any_row(CredentialPlan which, const StoreMapping *map, Datum value)
{
	bool found;

	store_connect();
	store_execute(credential_plan(which, map), &value, NULL, true, 1);
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

static uint64
delete_rows(CredentialPlan which, const StoreMapping *map, Datum value)
{
	uint64 n;

	store_connect();
	store_execute(credential_plan(which, map), &value, NULL, false, 0);
	n = SPI_processed;
	SPI_finish();
	return n;
}

/* ---- sessions ---- */

/* As PLAN_SESSION, without it. */
static ProbeResult
probe_session(const StoreMapping *map, Datum key, StoreDjangoSession *session)
{
	static const ProbeColumn columns[] = {
		{"session_data", PROBE_TEXT, InvalidOid},
		{"expire_date", PROBE_TIMESTAMPTZ, InvalidOid},
	};
	static Probe probe;
	ProbeQuery	 query = {map->session_table, "session_key",	 TEXTOID,
						  map->serial,		  lengthof(columns), columns};
	Datum		 values[lengthof(columns)];
	bool		 nulls[lengthof(columns)];
	ProbeResult	 result;

	result = store_probe(&probe, &query, key, values, nulls);
	if (result != PROBE_FOUND)
		return result;
	session->data = nulls[0] ? NULL : DatumGetCString(values[0]);
	session->data_len = nulls[0] ? 0 : strlen(session->data);
	session->expires_at =
		nulls[1] ? DT_NOBEGIN : DatumGetTimestampTz(values[1]);
	return result;
}

StoreStatus
store_django_session_find(const char *key, size_t len,
						  StoreDjangoSession *session)
{
	MemoryContext		caller = CurrentMemoryContext;
	const StoreMapping *map = store_mapping();
	StoreStatus			status = STORE_ABSENT;
	ProbeResult			probed;
	Datum				value;

	if (!map->attached || map->session_table == NULL)
		return STORE_NOT_ATTACHED;
	value = PointerGetDatum(cstring_to_text_with_len(key, (int) len));
	probed = probe_session(map, value, session);
	if (probed != PROBE_IMPOSSIBLE)
		return probed == PROBE_FOUND ? STORE_FOUND : STORE_ABSENT;

	store_connect();
	store_execute(credential_plan(PLAN_SESSION, map), &value, NULL, true, 1);
	if (SPI_processed > 0)
	{
		Datum expires_at;
		bool  isnull;

		status = STORE_FOUND;
		session->data = store_copy_text(0, 1, caller);
		session->data_len = session->data == NULL ? 0 : strlen(session->data);
		expires_at = store_column(0, 2, &isnull);
		session->expires_at =
			isnull ? DT_NOBEGIN : DatumGetTimestampTz(expires_at);
	}
	SPI_finish();
	return status;
}

uint64
store_delete_django_session(text *key)
{
	const StoreMapping *map = store_mapping();

	if (!map->attached || map->session_table == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no table of Django sessions is attached"),
						errhint("Call usher.attach_django() first.")));
	return delete_rows(PLAN_DELETE_SESSION, map, PointerGetDatum(key));
}

/* ---- knox ---- */

/* Appends the rows of an answer that begins with the user's columns. */
static List *
read_knox(MemoryContext caller)
{
	MemoryContext in_spi = MemoryContextSwitchTo(caller);
	List		 *rows = NIL;
	uint64		  i;

	for (i = 0; i < SPI_processed; i++)
	{
		int		   n = (int) i;
		char	  *digest = store_copy_text(n, STORE_USER_COLUMNS + 1, caller);
		StoreKnox *row;
		Datum	   expires_at;
		bool	   isnull;

		if (digest == NULL) /* a user without any */
			continue;
		row = palloc0(sizeof *row);
		row->status = store_read_user(n, &row->user, caller);
		row->digest = digest;
		row->salt = store_copy_text(n, STORE_USER_COLUMNS + 2, caller);
		expires_at = store_column(n, STORE_USER_COLUMNS + 3, &isnull);
		row->has_expiry = !isnull;
		row->expires_at = isnull ? 0 : DatumGetTimestampTz(expires_at);
		rows = lappend(rows, row);
	}
	MemoryContextSwitchTo(in_spi);
	return rows;
}

KnoxFormat
store_knox_format(void)
{
	return store_mapping()->knox_layout;
}

StoreStatus
store_knox_by_key(const char *token_key, List **rows)
{
	MemoryContext		caller = CurrentMemoryContext;
	const StoreMapping *map = store_mapping();
	Datum				value;

	*rows = NIL;
	if (!map->attached || map->knox_table == NULL)
		return STORE_NOT_ATTACHED;
	value = CStringGetTextDatum(token_key);
	store_connect();
	store_execute(credential_plan(PLAN_KNOX_BY_KEY, map), &value, NULL, true,
				  0);
	*rows = read_knox(caller);
	SPI_finish();
	return *rows == NIL ? STORE_ABSENT : STORE_FOUND;
}

StoreStatus
store_knox_of(const char *user_id, StoreUser *user, List **rows)
{
	MemoryContext		caller = CurrentMemoryContext;
	const StoreMapping *map = store_mapping();
	Datum				value;
	StoreStatus			status = STORE_ABSENT;

	*rows = NIL;
	if (!map->attached || map->knox_table == NULL)
		return STORE_NOT_ATTACHED;
	if (!store_key_param(map->key_type, user_id, &value))
		return STORE_BAD_ID;
	store_connect();
	store_execute(credential_plan(PLAN_KNOX_OF_USER, map), &value, NULL, true,
				  0);
	if (SPI_processed > 0)
	{
		status = store_read_user(0, user, caller);
		*rows = read_knox(caller);
	}
	SPI_finish();
	return status;
}

uint64
store_delete_knox(const char *digest)
{
	const StoreMapping *map = store_mapping();

	if (!map->attached || map->knox_table == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no table of knox tokens is attached"),
						errhint("Call usher.attach_django() first.")));
	return delete_rows(PLAN_DELETE_KNOX, map, CStringGetTextDatum(digest));
}

uint64
store_delete_knox_of(const char *user_id)
{
	const StoreMapping *map = store_mapping();
	Datum				value;

	if (!map->attached || map->knox_table == NULL ||
		!store_key_param(map->key_type, user_id, &value))
		return 0;
	return delete_rows(PLAN_DELETE_KNOX_OF, map, value);
}

/* ---- blacklists ---- */

bool
store_jti_is_blacklisted(const char *jti)
{
	const StoreMapping *map = store_mapping();

	if (!map->attached || map->blacklist_table == NULL ||
		map->outstanding_table == NULL)
		return false;
	return any_row(PLAN_BLACKLISTED_JTI, map, CStringGetTextDatum(jti));
}

bool
store_drf_jwt_is_blacklisted(const char *token, size_t len)
{
	const StoreMapping *map = store_mapping();

	if (!map->attached || map->drf_blacklist_table == NULL)
		return false;
	return any_row(PLAN_BLACKLISTED_DRF_JWT, map,
				   PointerGetDatum(cstring_to_text_with_len(token, (int) len)));
}

char *
store_outstanding_jti(const char *row_id)
{
	MemoryContext		caller = CurrentMemoryContext;
	const StoreMapping *map = store_mapping();
	int64				id;
	Datum				value;
	char			   *jti = NULL;

	if (!map->attached || map->outstanding_table == NULL ||
		!user_key_parse_integer(row_id, strlen(row_id), PG_INT64_MIN,
								PG_INT64_MAX, &id))
		return NULL;
	value = Int64GetDatum(id);
	store_connect();
	/* Not read-only: the row may have been written by this very statement. */
	store_execute(credential_plan(PLAN_OUTSTANDING_JTI, map), &value, NULL,
				  false, 1);
	if (SPI_processed > 0)
		jti = store_copy_text(0, 1, caller);
	SPI_finish();
	return jti;
}
