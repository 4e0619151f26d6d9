/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Usher's and Django's tables: one function per query.
 *
 * Plans are prepared on first use and kept for the life of the backend.
 * Those on Django's tables are built from the mapping in usher.django and
 * rebuilt when that changes; those on our own tables never change, and
 * PostgreSQL itself plans them anew after DROP and CREATE EXTENSION.
 *
 * One callback on relation cache invalidations counts the generation up.
 * It must know our tables by oid, and they get new ones whenever the
 * extension is created again, so the oids are looked up anew after each
 * change.  The callback itself only notes; no cache is touched before the
 * next call from outside.
 *
 * All SQL here qualifies every table, type and operator, even though the
 * functions above us pin search_path: either alone would do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "store.h"
#include "user_key.h"

/* What the user table's key is, as usher.django spells it. */
typedef enum KeyType
{
	KEY_SMALLINT,
	KEY_INTEGER,
	KEY_BIGINT,
	KEY_UUID,
	KEY_TEXT,
	KEY_OTHER /* compared by its text output */
} KeyType;

/* usher.django, and the plans built from it; in mapping_context. */
typedef struct Mapping
{
	bool	attached;
	KeyType key_type;
	char   *user_table;
	char   *user_key;
	char   *username_column; /* or NULL */
	char   *active_column;	 /* or NULL */
	char   *token_table;	 /* or NULL, then so are the next two */
	char   *token_key;
	char   *token_user;
} Mapping;

typedef enum MappedPlan
{
	PLAN_USER_BY_TOKEN,
	PLAN_USER_BY_ID,
	PLAN_USER_WITH_TOKENS,
	PLAN_DELETE_TOKEN,
	PLAN_DELETE_TOKENS_OF,
	NUM_MAPPED_PLANS
} MappedPlan;

static uint64 generation = 1;
static bool	  callback_registered = false;

/* Of usher.instance, usher.django, usher.category; all invalid: look up. */
static Oid config_oids[3];

static UsherInstance instance;
static uint64		 instance_generation = 0; /* 0: not loaded */

static Mapping		 mapping;
static uint64		 mapping_generation = 0; /* 0: not loaded */
static MemoryContext mapping_context = NULL;
static SPIPlanPtr	 mapped_plans[NUM_MAPPED_PLANS];

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
		Oid found[3];

		/* Looking up may itself run the callback, so store all at the end. */
		found[0] = get_relname_relid("instance", schema);
		found[1] = get_relname_relid("django", schema);
		found[2] = get_relname_relid("category", schema);
		memcpy(config_oids, found, sizeof config_oids);
	}
	return generation;
}

/* ---- running plans ---- */

/*
 * Returns *slot, prepared if it was not yet.  SPI is connected.
 */
static SPIPlanPtr
prepared(SPIPlanPtr *slot, const char *sql, int nargs, Oid *types)
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

static void
connect_spi(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

static void
execute(SPIPlanPtr plan, Datum *values, const char *nulls, bool read_only,
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

/*
 * Run one of our own statements that changes rows, from SPI_connect to
 * SPI_finish; returns how many.
 */
static uint64
change_rows(SPIPlanPtr *slot, const char *sql, int nargs, Oid *types,
			Datum *values, const char *nulls)
{
	uint64 n;

	connect_spi();
	execute(prepared(slot, sql, nargs, types), values, nulls, false, 0);
	n = SPI_processed;
	SPI_finish();
	return n;
}

/* A column of a result row as a string in context, or NULL. */
static char *
copy_text(int row, int column, MemoryContext context)
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

static Datum
column_value(int row, int column, bool *isnull)
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

	connect_spi();
	prepared(&plan, "SELECT channel, salt FROM usher.instance", 0, NULL);
	if (store_execute_latest(plan, NULL, NULL, 1) < 0)
		elog(ERROR, "could not read usher.instance");
	if (SPI_processed != 1)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table \"usher.instance\" is empty"),
						errhint("Drop and create the extension again.")));
	channel = TextDatumGetCString(column_value(0, 1, &isnull));
	strlcpy(loaded.channel, channel, sizeof loaded.channel);
	value = column_value(0, 2, &isnull);
	/* The table's constraint promises the length. */
	memcpy(loaded.salt, VARDATA_ANY(DatumGetByteaPP(value)),
		   sizeof loaded.salt);
	SPI_finish();

	instance = loaded;
	instance_generation = now;
	return &instance;
}

/* ---- usher.django ---- */

static KeyType
key_type_of(const char *word)
{
	static const struct
	{
		const char *word;
		KeyType		type;
	} words[] = {
		{"smallint", KEY_SMALLINT}, {"integer", KEY_INTEGER},
		{"bigint", KEY_BIGINT},		{"uuid", KEY_UUID},
		{"text", KEY_TEXT},
	};
	int i;

	for (i = 0; i < (int) lengthof(words); i++)
	{
		if (strcmp(words[i].word, word) == 0)
			return words[i].type;
	}
	return KEY_OTHER;
}

/* Reads usher.django; strings go to the current memory context. */
static void
load_mapping(Mapping *loaded)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext	  caller = CurrentMemoryContext;

	memset(loaded, 0, sizeof *loaded);
	connect_spi();
	prepared(&plan,
			 "SELECT user_key_type, user_table, user_key, username_column,"
			 " active_column, token_table, token_key, token_user"
			 " FROM usher.django",
			 0, NULL);
	if (store_execute_latest(plan, NULL, NULL, 1) < 0)
		elog(ERROR, "could not read usher.django");
	if (SPI_processed == 1)
	{
		loaded->attached = true;
		loaded->key_type = key_type_of(copy_text(0, 1, caller));
		loaded->user_table = copy_text(0, 2, caller);
		loaded->user_key = copy_text(0, 3, caller);
		loaded->username_column = copy_text(0, 4, caller);
		loaded->active_column = copy_text(0, 5, caller);
		loaded->token_table = copy_text(0, 6, caller);
		loaded->token_key = copy_text(0, 7, caller);
		loaded->token_user = copy_text(0, 8, caller);
	}
	SPI_finish();
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_mapping(const Mapping *a, const Mapping *b)
{
	return a->attached == b->attached && a->key_type == b->key_type &&
		   same_text(a->user_table, b->user_table) &&
		   same_text(a->user_key, b->user_key) &&
		   same_text(a->username_column, b->username_column) &&
		   same_text(a->active_column, b->active_column) &&
		   same_text(a->token_table, b->token_table) &&
		   same_text(a->token_key, b->token_key) &&
		   same_text(a->token_user, b->token_user);
}

/*
 * The current mapping; its plans are those of this mapping or NULL.
 */
static const Mapping *
current_mapping(void)
{
	uint64		  now = store_generation();
	MemoryContext context;
	MemoryContext caller;
	Mapping		  loaded;

	if (mapping_generation == now)
		return &mapping;

	context = AllocSetContextCreate(CurrentMemoryContext, "usher mapping",
									ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	load_mapping(&loaded);
	MemoryContextSwitchTo(caller);

	if (mapping_context != NULL && same_mapping(&loaded, &mapping))
		MemoryContextDelete(context);
	else
	{
		if (mapping_context != NULL)
			MemoryContextDelete(mapping_context);
		MemoryContextSetParent(context, CacheMemoryContext);
		mapping_context = context;
		mapping = loaded;

		/*
		 * The former plans are not freed: a trigger of the site's may have
		 * called us while one of them runs.  A mapping changes a few times
		 * in the life of a site, so this is no leak that grows.
		 */
		memset(mapped_plans, 0, sizeof mapped_plans);
	}
	mapping_generation = now;
	return &mapping;
}

/* ---- the key of the user table ---- */

static Oid
key_param_type(KeyType type)
{
	switch (type)
	{
		case KEY_SMALLINT: return INT2OID;
		case KEY_INTEGER: return INT4OID;
		case KEY_BIGINT: return INT8OID;
		case KEY_UUID: return UUIDOID;
		case KEY_TEXT:
		case KEY_OTHER: return TEXTOID;
	}
	return TEXTOID; /* not reached: keeps the compiler quiet */
}

/*
 * The text of a user id as a parameter of a mapped plan.  False: no such key
 * can exist.
 */
static bool
key_param(KeyType type, const char *user_id, Datum *value)
{
	size_t	   len = strlen(user_id);
	int64	   number;
	pg_uuid_t *uuid;

	if (len > STORE_USER_ID_MAX_BYTES)
		return false;
	switch (type)
	{
		case KEY_SMALLINT:
			if (!user_key_parse_integer(user_id, len, PG_INT16_MIN,
										PG_INT16_MAX, &number))
				return false;
			*value = Int16GetDatum((int16) number);
			return true;
		case KEY_INTEGER:
			if (!user_key_parse_integer(user_id, len, PG_INT32_MIN,
										PG_INT32_MAX, &number))
				return false;
			*value = Int32GetDatum((int32) number);
			return true;
		case KEY_BIGINT:
			if (!user_key_parse_integer(user_id, len, PG_INT64_MIN,
										PG_INT64_MAX, &number))
				return false;
			*value = Int64GetDatum(number);
			return true;
		case KEY_UUID:
			uuid = palloc(sizeof *uuid);
			if (!user_key_parse_uuid(user_id, len, uuid->data))
				return false;
			*value = UUIDPGetDatum(uuid);
			return true;
		case KEY_TEXT:
		case KEY_OTHER: *value = CStringGetTextDatum(user_id); return true;
	}
	return false; /* not reached: keeps the compiler quiet */
}

char *
store_canonical_user_id(const char *user_id)
{
	const Mapping *map = current_mapping();
	Datum		   value;

	if (!map->attached)
		return strlen(user_id) <= STORE_USER_ID_MAX_BYTES ? pstrdup(user_id)
														  : NULL;
	if (!key_param(map->key_type, user_id, &value))
		return NULL;
	switch (map->key_type)
	{
		case KEY_SMALLINT: return psprintf("%d", DatumGetInt16(value));
		case KEY_INTEGER: return psprintf("%d", DatumGetInt32(value));
		case KEY_BIGINT: return psprintf(INT64_FORMAT, DatumGetInt64(value));
		case KEY_UUID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, value));
		case KEY_TEXT:
		case KEY_OTHER: return pstrdup(user_id);
	}
	return NULL; /* not reached: keeps the compiler quiet */
}

/* ---- users and tokens ---- */

static void
append_user_columns(StringInfo sql, const Mapping *map)
{
	appendStringInfo(sql, "SELECT u.%s::pg_catalog.text, ", map->user_key);
	if (map->username_column != NULL)
		appendStringInfo(sql, "u.%s::pg_catalog.text, ", map->username_column);
	else
		appendStringInfoString(sql, "NULL::pg_catalog.text, ");
	if (map->active_column != NULL)
		appendStringInfo(sql, "u.%s", map->active_column);
	else
		appendStringInfoString(sql, "true");
}

static SPIPlanPtr
mapped_plan(MappedPlan which, const Mapping *map)
{
	/* A key of another type is compared as text, on both sides. */
	const char	  *cast = map->key_type == KEY_OTHER ? "::pg_catalog.text" : "";
	Oid			   type = TEXTOID;
	StringInfoData sql;

	if (mapped_plans[which] != NULL)
		return mapped_plans[which];

	initStringInfo(&sql);
	switch (which)
	{
		case PLAN_USER_BY_TOKEN:
			append_user_columns(&sql, map);
			appendStringInfo(&sql,
							 " FROM %s AS t JOIN %s AS u"
							 " ON u.%s%s OPERATOR(pg_catalog.=) t.%s%s"
							 " WHERE t.%s OPERATOR(pg_catalog.=) $1",
							 map->token_table, map->user_table, map->user_key,
							 cast, map->token_user, cast, map->token_key);
			break;
		case PLAN_USER_BY_ID:
		case PLAN_USER_WITH_TOKENS:
			type = key_param_type(map->key_type);
			append_user_columns(&sql, map);
			if (which == PLAN_USER_WITH_TOKENS)
				appendStringInfo(&sql,
								 ", t.%s::pg_catalog.text"
								 " FROM %s AS u LEFT JOIN %s AS t"
								 " ON u.%s%s OPERATOR(pg_catalog.=) t.%s%s",
								 map->token_key, map->user_table,
								 map->token_table, map->user_key, cast,
								 map->token_user, cast);
			else
				appendStringInfo(&sql, " FROM %s AS u", map->user_table);
			appendStringInfo(&sql, " WHERE u.%s%s OPERATOR(pg_catalog.=) $1",
							 map->user_key, cast);
			break;
		case PLAN_DELETE_TOKEN:
			appendStringInfo(&sql,
							 "DELETE FROM %s AS t"
							 " WHERE t.%s OPERATOR(pg_catalog.=) $1",
							 map->token_table, map->token_key);
			break;
		case PLAN_DELETE_TOKENS_OF:
			type = key_param_type(map->key_type);
			appendStringInfo(&sql,
							 "DELETE FROM %s AS t"
							 " WHERE t.%s%s OPERATOR(pg_catalog.=) $1",
							 map->token_table, map->token_user, cast);
			break;
		case NUM_MAPPED_PLANS: elog(ERROR, "no such plan");
	}
	return prepared(&mapped_plans[which], sql.data, 1, &type);
}

/* Reads the first row of an answer that begins with the user's columns. */
static StoreStatus
read_user(StoreUser *user, MemoryContext caller)
{
	Datum active;
	bool  isnull;

	if (SPI_processed == 0)
		return STORE_ABSENT;
	user->user_id = copy_text(0, 1, caller);
	user->username = copy_text(0, 2, caller);
	active = column_value(0, 3, &isnull);
	user->active = !isnull && DatumGetBool(active);
	/* Its revocation could not be announced. */
	if (user->user_id == NULL ||
		strlen(user->user_id) > STORE_USER_ID_MAX_BYTES)
		return STORE_BAD_ID;
	return STORE_FOUND;
}

StoreStatus
store_user_by_token(text *key, StoreUser *user)
{
	MemoryContext  caller = CurrentMemoryContext;
	const Mapping *map = current_mapping();
	Datum		   value = PointerGetDatum(key);
	StoreStatus	   status;

	if (!map->attached || map->token_table == NULL)
		return STORE_NOT_ATTACHED;
	connect_spi();
	execute(mapped_plan(PLAN_USER_BY_TOKEN, map), &value, NULL, true, 1);
	status = read_user(user, caller);
	SPI_finish();
	return status;
}

StoreStatus
store_user_by_id(const char *user_id, StoreUser *user, List **token_keys)
{
	MemoryContext  caller = CurrentMemoryContext;
	const Mapping *map = current_mapping();
	bool		   with_tokens = token_keys != NULL;
	Datum		   value;
	StoreStatus	   status;

	if (with_tokens)
		*token_keys = NIL;
	if (!map->attached)
		return STORE_NOT_ATTACHED;
	if (!key_param(map->key_type, user_id, &value))
		return STORE_BAD_ID;
	if (with_tokens && map->token_table == NULL)
		with_tokens = false;

	connect_spi();
	execute(
		mapped_plan(with_tokens ? PLAN_USER_WITH_TOKENS : PLAN_USER_BY_ID, map),
		&value, NULL, true, 0);
	status = read_user(user, caller);
	if (status == STORE_FOUND && with_tokens)
	{
		uint64 row;

		for (row = 0; row < SPI_processed; row++)
		{
			char		 *key = copy_text((int) row, 4, caller);
			MemoryContext in_spi;

			if (key == NULL)
				continue;
			in_spi = MemoryContextSwitchTo(caller);
			*token_keys = lappend(*token_keys, key);
			MemoryContextSwitchTo(in_spi);
		}
	}
	SPI_finish();
	return status;
}

uint64
store_delete_token(text *key)
{
	const Mapping *map = current_mapping();
	Datum		   value = PointerGetDatum(key);
	uint64		   n;

	if (!map->attached || map->token_table == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no token table is attached"),
						errhint("Call usher.attach_django() first.")));
	connect_spi();
	execute(mapped_plan(PLAN_DELETE_TOKEN, map), &value, NULL, false, 0);
	n = SPI_processed;
	SPI_finish();
	return n;
}

uint64
store_delete_tokens_of(const char *user_id)
{
	const Mapping *map = current_mapping();
	Datum		   value;
	uint64		   n;

	if (!map->attached || map->token_table == NULL ||
		!key_param(map->key_type, user_id, &value))
		return 0;
	connect_spi();
	execute(mapped_plan(PLAN_DELETE_TOKENS_OF, map), &value, NULL, false, 0);
	n = SPI_processed;
	SPI_finish();
	return n;
}

/* ---- session keys ---- */

/* A hash as a bytea. */
static Datum
hash_param(const uint8 *hash)
{
	bytea *value = palloc(VARHDRSZ + STORE_HASH_BYTES);

	SET_VARSIZE(value, VARHDRSZ + STORE_HASH_BYTES);
	memcpy(VARDATA(value), hash, STORE_HASH_BYTES);
	return PointerGetDatum(value);
}

bool
store_session_find(const uint8 *hash, StoreSession *session)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[1] = {BYTEAOID};
	Datum			  values[1];
	MemoryContext	  caller = CurrentMemoryContext;
	bool			  found;

	memset(session, 0, sizeof *session);
	values[0] = hash_param(hash);
	connect_spi();
	prepared(&plan,
			 "SELECT user_id, issuer_id, expires_at, groups, max_uses, uses"
			 " FROM usher.session_key"
			 " WHERE hash OPERATOR(pg_catalog.=) $1",
			 1, types);
	/* Not read-only: a key issued by this very statement is to be seen. */
	execute(plan, values, NULL, false, 1);
	found = SPI_processed == 1;
	if (found)
	{
		Datum value;
		bool  isnull;

		session->user_id = copy_text(0, 1, caller);
		session->issuer_id = copy_text(0, 2, caller);
		session->expires_at = DatumGetTimestampTz(column_value(0, 3, &isnull));
		value = column_value(0, 4, &isnull);
		if (!isnull)
		{
			MemoryContext in_spi = MemoryContextSwitchTo(caller);

			session->groups = DatumGetArrayTypePCopy(value);
			MemoryContextSwitchTo(in_spi);
		}
		value = column_value(0, 5, &isnull);
		session->limited = !isnull;
		session->max_uses = isnull ? 0 : DatumGetInt32(value);
		session->uses = DatumGetInt32(column_value(0, 6, &isnull));
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

	return change_rows(&plan,
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
	Oid	  types[8] = {BYTEAOID,		  TEXTOID,		  TEXTOID,		TEXTOID,
					  TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTARRAYOID, INT4OID};
	Datum values[8] = {0};
	char  nulls[9] = "        ";

	values[0] = hash_param(hash);
	values[1] = CStringGetTextDatum(session->user_id);
	if (session->issuer_id != NULL)
	{
		values[2] = CStringGetTextDatum(session->issuer_id);
		values[3] = CStringGetTextDatum(issuer_kind);
	}
	else
		nulls[2] = nulls[3] = 'n';
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
	change_rows(&plan,
				"INSERT INTO usher.session_key (hash, user_id, issuer_id,"
				" issuer_kind, created_at, expires_at, groups, max_uses)"
				" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
				8, types, values, nulls);
}

uint64
store_session_delete(const uint8 *hash)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[1] = {BYTEAOID};
	Datum			  values[1] = {hash_param(hash)};

	return change_rows(&plan,
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

	return change_rows(&plan,
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

	return change_rows(&plan,
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

	return change_rows(&plan,
					   "DELETE FROM usher.session_key"
					   " WHERE user_id OPERATOR(pg_catalog.=) $1",
					   1, types, values, NULL);
}

uint64
store_sessions_delete_all(void)
{
	static SPIPlanPtr plan = NULL;

	return change_rows(&plan, "DELETE FROM usher.session_key", 0, NULL, NULL,
					   NULL);
}

uint64
store_sessions_delete_expired(TimestampTz now, int limit)
{
	static SPIPlanPtr plan = NULL;
	Oid				  types[2] = {TIMESTAMPTZOID, INT8OID};
	Datum values[2] = {TimestampTzGetDatum(now), Int64GetDatum((int64) limit)};

	/* LIMIT NULL is no limit.  Nobody waits here for somebody else's lock. */
	return change_rows(&plan,
					   "DELETE FROM usher.session_key WHERE hash"
					   " OPERATOR(pg_catalog.=) ANY (ARRAY("
					   "SELECT k.hash FROM usher.session_key AS k"
					   " WHERE k.expires_at OPERATOR(pg_catalog.<=) $1"
					   " ORDER BY k.expires_at USING OPERATOR(pg_catalog.<)"
					   " LIMIT $2 FOR UPDATE SKIP LOCKED))",
					   2, types, values, limit > 0 ? NULL : " n");
}
