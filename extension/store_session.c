/*-------------------------------------------------------------------------
 *
 * store_session.c
 *	  Session keys, by the hash under which they are stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "store.h"
#include "store_spi.h"

/* A hash as a bytea. */
static Datum
hash_param(const uint8 *hash)
{
	bytea *value = palloc(VARHDRSZ + STORE_HASH_BYTES);

	SET_VARSIZE(value, VARHDRSZ + STORE_HASH_BYTES);
	memcpy(VARDATA(value), hash, STORE_HASH_BYTES);
	return PointerGetDatum(value);
}

/* As store_session_find, without a plan. */
static ProbeResult
probe_session(const uint8 *hash, StoreSession *session)
{
	static const ProbeColumn columns[] = {
		{"user_id", PROBE_TEXT, InvalidOid},
		{"issuer_id", PROBE_TEXT, InvalidOid},
		{"expires_at", PROBE_TIMESTAMPTZ, InvalidOid},
		{"groups", PROBE_TEXT_ARRAY, InvalidOid},
		{"max_uses", PROBE_INT4, InvalidOid},
		{"uses", PROBE_INT4, InvalidOid},
		{"issuer_kind", PROBE_TEXT, InvalidOid},
		{"issuer_credential", PROBE_TEXT, InvalidOid},
	};
	static const ProbeQuery query = {"usher.session_key", "hash", BYTEAOID, 1,
									 lengthof(columns),	  columns};
	static Probe			probe;
	Datum					values[lengthof(columns)];
	bool					nulls[lengthof(columns)];
	ProbeResult				result;

	/* A key issued by this very statement is to be seen. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	result = store_probe(&probe, &query, hash_param(hash), values, nulls);
	PopActiveSnapshot();
	if (result != PROBE_FOUND)
		return result;
	session->user_id = DatumGetCString(values[0]);
	session->issuer_id = nulls[1] ? NULL : DatumGetCString(values[1]);
	session->expires_at = DatumGetTimestampTz(values[2]);
	session->groups = nulls[3] ? NULL : DatumGetArrayTypeP(values[3]);
	session->limited = !nulls[4];
	session->max_uses = nulls[4] ? 0 : DatumGetInt32(values[4]);
	session->uses = DatumGetInt32(values[5]);
	session->issuer_kind = nulls[6] ? NULL : DatumGetCString(values[6]);
	session->issuer_credential = nulls[7] ? NULL : DatumGetCString(values[7]);
	return result;
}

bool
store_session_find(const uint8 *hash, StoreSession *session)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[1] = {BYTEAOID};
	Datum			  values[1];
	MemoryContext	  caller = CurrentMemoryContext;
	bool			  found;
	ProbeResult		  probed;

	memset(session, 0, sizeof *session);
	probed = probe_session(hash, session);
	if (probed != PROBE_IMPOSSIBLE)
		return probed == PROBE_FOUND;

	values[0] = hash_param(hash);
	store_connect();
	store_prepared(
		&plan,
		"SELECT user_id, issuer_id, expires_at, groups, max_uses, uses,"
		" issuer_kind, issuer_credential"
		" FROM usher.session_key"
		" WHERE hash OPERATOR(pg_catalog.=) $1",
		1, types);
	/* Not read-only: a key issued by this very statement is to be seen. */
	store_execute(plan, values, NULL, false, 1);
	found = SPI_processed == 1;
	if (found)
	{
		Datum value;
		bool  isnull;

		session->user_id = store_copy_text(0, 1, caller);
		session->issuer_id = store_copy_text(0, 2, caller);
		session->expires_at = DatumGetTimestampTz(store_column(0, 3, &isnull));
		value = store_column(0, 4, &isnull);
		if (!isnull)
		{
			MemoryContext in_spi = MemoryContextSwitchTo(caller);

			session->groups = DatumGetArrayTypePCopy(value);
			MemoryContextSwitchTo(in_spi);
		}
		value = store_column(0, 5, &isnull);
		session->limited = !isnull;
		session->max_uses = isnull ? 0 : DatumGetInt32(value);
		session->uses = DatumGetInt32(store_column(0, 6, &isnull));
		session->issuer_kind = store_copy_text(0, 7, caller);
		session->issuer_credential = store_copy_text(0, 8, caller);
	}
	SPI_finish();
	return found;
}

bool
store_session_consume(const uint8 *hash, TimestampTz now)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[2] = {BYTEAOID, TIMESTAMPTZOID};
	Datum			  values[2] = {hash_param(hash), TimestampTzGetDatum(now)};

	return store_change_rows(&plan,
							 "UPDATE usher.session_key"
							 " SET uses = uses OPERATOR(pg_catalog.+) 1"
							 " WHERE hash OPERATOR(pg_catalog.=) $1"
							 " AND expires_at OPERATOR(pg_catalog.>) $2"
							 " AND uses OPERATOR(pg_catalog.<) max_uses",
							 2, types, values, NULL) == 1;
}

void
store_session_insert(const uint8 *hash, const StoreSession *session,
					 const char *issuer_kind, TimestampTz now)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[9] = {BYTEAOID,		TEXTOID,		TEXTOID,
								  TEXTOID,		TIMESTAMPTZOID, TIMESTAMPTZOID,
								  TEXTARRAYOID, INT4OID,		TEXTOID};
	Datum			  values[9] = {0};
	char			  nulls[10] = "         ";

	values[0] = hash_param(hash);
	values[1] = CStringGetTextDatum(session->user_id);
	if (session->issuer_id != NULL)
		values[2] = CStringGetTextDatum(session->issuer_id);
	else
		nulls[2] = 'n';
	if (session->issuer_id != NULL || session->issuer_credential != NULL)
		values[3] = CStringGetTextDatum(issuer_kind);
	else
		nulls[3] = 'n';
	if (session->issuer_credential != NULL)
		values[8] = CStringGetTextDatum(session->issuer_credential);
	else
		nulls[8] = 'n';
	values[4] = TimestampTzGetDatum(now);
	values[5] = TimestampTzGetDatum(session->expires_at);
	if (session->groups != NULL)
		values[6] = PointerGetDatum(session->groups);
	else
		nulls[6] = 'n';
	if (session->limited)
		values[7] = Int32GetDatum(session->max_uses);
	else
		nulls[7] = 'n';
	store_change_rows(&plan,
					  "INSERT INTO usher.session_key (hash, user_id, issuer_id,"
					  " issuer_kind, created_at, expires_at, groups, max_uses,"
					  " issuer_credential)"
					  " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
					  9, types, values, nulls);
}

uint64
store_session_delete(const uint8 *hash)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[1] = {BYTEAOID};
	Datum			  values[1] = {hash_param(hash)};

	return store_change_rows(&plan,
							 "DELETE FROM usher.session_key"
							 " WHERE hash OPERATOR(pg_catalog.=) $1",
							 1, types, values, NULL);
}

uint64
store_sessions_delete_issued_by(const char *issuer_id)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[1] = {TEXTOID};
	Datum			  values[1] = {CStringGetTextDatum(issuer_id)};

	return store_change_rows(&plan,
							 "DELETE FROM usher.session_key"
							 " WHERE issuer_id OPERATOR(pg_catalog.=) $1",
							 1, types, values, NULL);
}

uint64
store_sessions_delete_issued_by_kind(const char *issuer_kind)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[1] = {TEXTOID};
	Datum			  values[1] = {CStringGetTextDatum(issuer_kind)};

	return store_change_rows(&plan,
							 "DELETE FROM usher.session_key"
							 " WHERE issuer_kind OPERATOR(pg_catalog.=) $1",
							 1, types, values, NULL);
}

uint64
store_sessions_delete_of(const char *user_id)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[1] = {TEXTOID};
	Datum			  values[1] = {CStringGetTextDatum(user_id)};

	return store_change_rows(&plan,
							 "DELETE FROM usher.session_key"
							 " WHERE user_id OPERATOR(pg_catalog.=) $1",
							 1, types, values, NULL);
}

uint64
store_sessions_delete_all(void)
{
	static SPIPlanPtr plan = NULL;

	return store_change_rows(&plan, "DELETE FROM usher.session_key", 0, NULL,
							 NULL, NULL);
}

uint64
store_sessions_delete_expired(TimestampTz now, int limit)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[2] = {TIMESTAMPTZOID, INT8OID};
	Datum values[2] = {TimestampTzGetDatum(now), Int64GetDatum((int64) limit)};

	/* LIMIT NULL is no limit.  Nobody waits here for somebody else's lock. */
	return store_change_rows(
		&plan,
		"DELETE FROM usher.session_key WHERE hash"
		" OPERATOR(pg_catalog.=) ANY (ARRAY("
		"SELECT k.hash FROM usher.session_key AS k"
		" WHERE k.expires_at OPERATOR(pg_catalog.<=) $1"
		" ORDER BY k.expires_at USING OPERATOR(pg_catalog.<)"
		" LIMIT $2 FOR UPDATE SKIP LOCKED))",
		2, types, values, limit > 0 ? NULL : " n");
}

void
store_listeners_purge(void)
{
	static SPIPlanPtr plan = NULL;

	store_connect();
	store_prepared(&plan, "SELECT usher.forget_dead_listeners()", 0, NULL);
	store_execute(plan, NULL, NULL, false, 0);
	SPI_finish();
}

uint64
store_messages_purge(void)
{
	static SPIPlanPtr plan = NULL;
	bool			  isnull;
	uint64			  purged;

	store_connect();
	store_prepared(&plan, "SELECT usher.purge_messages(2147483647)", 0, NULL);
	store_execute(plan, NULL, NULL, false, 0);
	purged = (uint64) DatumGetInt64(SPI_getbinval(
		SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return purged;
}
