/*-------------------------------------------------------------------------
 *
 * store_django.c
 *	  Users and tokens in the site's own tables.
 *
 * Where they are is said by usher.django, which attach_django writes.  Plans
 * are built from that row on first use, kept for the life of the backend, and
 * built anew when the row says something else.  A table that was dropped and
 * made again is PostgreSQL's business: it plans anew by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "store.h"
#include "store_spi.h"
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

static Mapping		 mapping;
static uint64		 mapping_generation = 0; /* 0: not loaded */
static MemoryContext mapping_context = NULL;
static SPIPlanPtr	 mapped_plans[NUM_MAPPED_PLANS];

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
	store_connect();
	store_prepared(
		&plan,
		"SELECT user_key_type, user_table, user_key, username_column,"
		" active_column, token_table, token_key, token_user"
		" FROM usher.django",
		0, NULL);
	if (store_execute_latest(plan, NULL, NULL, 1) < 0)
		elog(ERROR, "could not read usher.django");
	if (SPI_processed == 1)
	{
		loaded->attached = true;
		loaded->key_type = key_type_of(store_copy_text(0, 1, caller));
		loaded->user_table = store_copy_text(0, 2, caller);
		loaded->user_key = store_copy_text(0, 3, caller);
		loaded->username_column = store_copy_text(0, 4, caller);
		loaded->active_column = store_copy_text(0, 5, caller);
		loaded->token_table = store_copy_text(0, 6, caller);
		loaded->token_key = store_copy_text(0, 7, caller);
		loaded->token_user = store_copy_text(0, 8, caller);
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
	return store_prepared(&mapped_plans[which], sql.data, 1, &type);
}

/* Reads the first row of an answer that begins with the user's columns. */
static StoreStatus
read_user(StoreUser *user, MemoryContext caller)
{
	Datum active;
	bool  isnull;

	if (SPI_processed == 0)
		return STORE_ABSENT;
	user->user_id = store_copy_text(0, 1, caller);
	user->username = store_copy_text(0, 2, caller);
	active = store_column(0, 3, &isnull);
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
	store_connect();
	store_execute(mapped_plan(PLAN_USER_BY_TOKEN, map), &value, NULL, true, 1);
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

	store_connect();
	store_execute(
		mapped_plan(with_tokens ? PLAN_USER_WITH_TOKENS : PLAN_USER_BY_ID, map),
		&value, NULL, true, 0);
	status = read_user(user, caller);
	if (status == STORE_FOUND && with_tokens)
	{
		uint64 row;

		for (row = 0; row < SPI_processed; row++)
		{
			char		 *key = store_copy_text((int) row, 4, caller);
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
	store_connect();
	store_execute(mapped_plan(PLAN_DELETE_TOKEN, map), &value, NULL, false, 0);
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
	store_connect();
	store_execute(mapped_plan(PLAN_DELETE_TOKENS_OF, map), &value, NULL, false,
				  0);
	n = SPI_processed;
	SPI_finish();
	return n;
}
