/*-------------------------------------------------------------------------
 *
 * store_django.c
 *	  Where the site's own tables are, and the users and tokens in them.
 *
 * That is said by usher.django, which attach_django writes.  Plans are built
 * from that row on first use, kept for the life of the backend, and built
 * anew when the row says something else.  A table that was dropped and
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

typedef enum MappedPlan
{
	PLAN_USER_BY_TOKEN,
	PLAN_USER_BY_ID,
	PLAN_USER_WITH_TOKENS,
	PLAN_USER_WITH_PASSWORD,
	PLAN_USER_BY_CLAIM,
	PLAN_USER_BY_USERNAME,
	PLAN_DELETE_TOKEN,
	PLAN_DELETE_TOKENS_OF,
	NUM_MAPPED_PLANS
} MappedPlan;

static StoreMapping	 mapping;				 /* in mapping_context */
static uint64		 mapping_generation = 0; /* 0: not loaded */
static MemoryContext mapping_context = NULL;

static SPIPlanPtr mapped_plans[NUM_MAPPED_PLANS];
static uint64	  plans_serial = 0; /* of the mapping they were built from */

/* Where a plan's answer is one row of a table, it is tried first. */
static Probe user_probes[NUM_MAPPED_PLANS];
static Probe token_probe;
static Probe token_of_user_probe;

/* ---- usher.django ---- */

/* The columns of usher.django and where their text goes. */
static const struct
{
	const char *name;
	size_t		offset;
} mapped_columns[] = {
	{"user_key_type", offsetof(StoreMapping, user_key_type)},
	{"user_table", offsetof(StoreMapping, user_table)},
	{"user_key", offsetof(StoreMapping, user_key)},
	{"username_column", offsetof(StoreMapping, username_column)},
	{"active_column", offsetof(StoreMapping, active_column)},
	{"password_column", offsetof(StoreMapping, password_column)},
	{"token_table", offsetof(StoreMapping, token_table)},
	{"token_key", offsetof(StoreMapping, token_key)},
	{"token_user", offsetof(StoreMapping, token_user)},
	{"session_table", offsetof(StoreMapping, session_table)},
	{"knox_table", offsetof(StoreMapping, knox_table)},
	{"knox_format", offsetof(StoreMapping, knox_format)},
	{"knox_expiry", offsetof(StoreMapping, knox_expiry)},
	{"jwt_user_column", offsetof(StoreMapping, jwt_user_column)},
	{"jwt_user_type", offsetof(StoreMapping, jwt_user_key_type)},
	{"blacklist_table", offsetof(StoreMapping, blacklist_table)},
	{"outstanding_table", offsetof(StoreMapping, outstanding_table)},
	{"drf_blacklist_table", offsetof(StoreMapping, drf_blacklist_table)},
};

static char **
mapped_text(StoreMapping *map, int column)
{
	return (char **) ((char *) map + mapped_columns[column].offset);
}

static StoreKeyType
key_type_of(const char *word)
{
	static const struct
	{
		const char	*word;
		StoreKeyType type;
	} words[] = {
		{"smallint", STORE_KEY_SMALLINT}, {"integer", STORE_KEY_INTEGER},
		{"bigint", STORE_KEY_BIGINT},	  {"uuid", STORE_KEY_UUID},
		{"text", STORE_KEY_TEXT},
	};
	int i;

	for (i = 0; word != NULL && i < (int) lengthof(words); i++)
	{
		if (strcmp(words[i].word, word) == 0)
			return words[i].type;
	}
	return STORE_KEY_OTHER;
}

static KnoxFormat
knox_format_of(const char *word)
{
	if (word != NULL && strcmp(word, "v3") == 0)
		return KNOX_V3;
	if (word != NULL && strcmp(word, "v4") == 0)
		return KNOX_V4;
	return KNOX_V5;
}

static const char *
mapping_query(void)
{
	StringInfoData sql;
	int			   i;

	initStringInfo(&sql);
	for (i = 0; i < (int) lengthof(mapped_columns); i++)
		appendStringInfo(&sql, "%s%s", i == 0 ? "SELECT " : ", ",
						 mapped_columns[i].name);
	appendStringInfoString(&sql, " FROM usher.django");
	return sql.data;
}

/* Reads usher.django; strings go to the current memory context. */
static void
load_mapping(StoreMapping *loaded)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext	  caller = CurrentMemoryContext;
	int				  i;

	memset(loaded, 0, sizeof *loaded);
	store_connect();
	store_prepared(&plan, plan == NULL ? mapping_query() : NULL, 0, NULL);
	if (store_execute_latest(plan, NULL, NULL, 1) < 0)
		elog(ERROR, "could not read usher.django");
	loaded->attached = SPI_processed == 1;
	for (i = 0; loaded->attached && i < (int) lengthof(mapped_columns); i++)
		*mapped_text(loaded, i) = store_copy_text(0, i + 1, caller);
	SPI_finish();
	loaded->key_type = key_type_of(loaded->user_key_type);
	loaded->jwt_user_type = key_type_of(loaded->jwt_user_key_type);
	loaded->knox_layout = knox_format_of(loaded->knox_format);
}

static bool
same_mapping(StoreMapping *a, StoreMapping *b)
{
	int i;

	if (a->attached != b->attached)
		return false;
	for (i = 0; i < (int) lengthof(mapped_columns); i++)
	{
		const char *left = *mapped_text(a, i);
		const char *right = *mapped_text(b, i);

		if (left == NULL || right == NULL ? left != right
										  : strcmp(left, right) != 0)
			return false;
	}
	return true;
}

const StoreMapping *
store_mapping(void)
{
	uint64		  now = store_generation();
	MemoryContext context;
	MemoryContext caller;
	StoreMapping  loaded;

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
		loaded.serial = mapping.serial + 1;
		mapping = loaded;
	}
	mapping_generation = now;
	return &mapping;
}

/* ---- keys ---- */

Oid
store_key_param_type(StoreKeyType type)
{
	switch (type)
	{
		case STORE_KEY_SMALLINT: return INT2OID;
		case STORE_KEY_INTEGER: return INT4OID;
		case STORE_KEY_BIGINT: return INT8OID;
		case STORE_KEY_UUID: return UUIDOID;
		case STORE_KEY_TEXT:
		case STORE_KEY_OTHER: return TEXTOID;
	}
	return TEXTOID; /* not reached: keeps the compiler quiet */
}

const char *
store_key_cast(StoreKeyType type)
{
	return type == STORE_KEY_OTHER ? "::pg_catalog.text" : "";
}

bool
store_key_param(StoreKeyType type, const char *key, Datum *value)
{
	size_t	   len = strlen(key);
	int64	   number;
	pg_uuid_t *uuid;

	if (len > STORE_USER_ID_MAX_BYTES)
		return false;
	switch (type)
	{
		case STORE_KEY_SMALLINT:
			if (!user_key_parse_integer(key, len, PG_INT16_MIN, PG_INT16_MAX,
										&number))
				return false;
			*value = Int16GetDatum((int16) number);
			return true;
		case STORE_KEY_INTEGER:
			if (!user_key_parse_integer(key, len, PG_INT32_MIN, PG_INT32_MAX,
										&number))
				return false;
			*value = Int32GetDatum((int32) number);
			return true;
		case STORE_KEY_BIGINT:
			if (!user_key_parse_integer(key, len, PG_INT64_MIN, PG_INT64_MAX,
										&number))
				return false;
			*value = Int64GetDatum(number);
			return true;
		case STORE_KEY_UUID:
			uuid = palloc(sizeof *uuid);
			if (!user_key_parse_uuid(key, len, uuid->data))
				return false;
			*value = UUIDPGetDatum(uuid);
			return true;
		case STORE_KEY_TEXT:
		case STORE_KEY_OTHER: *value = CStringGetTextDatum(key); return true;
	}
	return false; /* not reached: keeps the compiler quiet */
}

char *
store_canonical_user_id(const char *user_id)
{
	const StoreMapping *map = store_mapping();
	Datum				value;

	if (!map->attached)
		return strlen(user_id) <= STORE_USER_ID_MAX_BYTES ? pstrdup(user_id)
														  : NULL;
	if (!store_key_param(map->key_type, user_id, &value))
		return NULL;
	switch (map->key_type)
	{
		case STORE_KEY_SMALLINT: return psprintf("%d", DatumGetInt16(value));
		case STORE_KEY_INTEGER: return psprintf("%d", DatumGetInt32(value));
		case STORE_KEY_BIGINT:
			return psprintf(INT64_FORMAT, DatumGetInt64(value));
		case STORE_KEY_UUID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, value));
		case STORE_KEY_TEXT:
		case STORE_KEY_OTHER: return pstrdup(user_id);
	}
	return NULL; /* not reached: keeps the compiler quiet */
}

/* ---- users and tokens ---- */

void
store_append_user_columns(StringInfo sql, const StoreMapping *map,
						  bool with_password)
{
	appendStringInfo(sql, "SELECT u.%s::pg_catalog.text, ", map->user_key);
	if (map->username_column != NULL)
		appendStringInfo(sql, "u.%s::pg_catalog.text, ", map->username_column);
	else
		appendStringInfoString(sql, "NULL::pg_catalog.text, ");
	if (map->active_column != NULL)
		appendStringInfo(sql, "u.%s, ", map->active_column);
	else
		appendStringInfoString(sql, "true, ");
	if (with_password && map->password_column != NULL)
		appendStringInfo(sql, "u.%s::pg_catalog.text", map->password_column);
	else
		appendStringInfoString(sql, "NULL::pg_catalog.text");
}

static StoreStatus
check_user(const StoreUser *user)
{
	/* Its revocation could not be announced. */
	if (user->user_id == NULL ||
		strlen(user->user_id) > STORE_USER_ID_MAX_BYTES)
		return STORE_BAD_ID;
	return STORE_FOUND;
}

StoreStatus
store_read_user(int row, StoreUser *user, MemoryContext context)
{
	Datum active;
	bool  isnull;

	user->user_id = store_copy_text(row, 1, context);
	user->username = store_copy_text(row, 2, context);
	active = store_column(row, 3, &isnull);
	user->active = !isnull && DatumGetBool(active);
	user->password = store_copy_text(row, 4, context);
	return check_user(user);
}

/* Appends: whose column is the parameter. */
static void
append_user_where(StringInfo sql, const char *column, const char *cast)
{
	appendStringInfo(sql, " WHERE u.%s%s OPERATOR(pg_catalog.=) $1", column,
					 cast);
}

static SPIPlanPtr
mapped_plan(MappedPlan which, const StoreMapping *map)
{
	const char	  *cast = store_key_cast(map->key_type);
	Oid			   type = TEXTOID;
	StringInfoData sql;

	/*
	 * The former plans are not freed: a trigger of the site's may have called
	 * us while one of them runs.  A mapping changes a few times in the life
	 * of a site, so this is no leak that grows.
	 */
	if (plans_serial != map->serial)
	{
		memset(mapped_plans, 0, sizeof mapped_plans);
		plans_serial = map->serial;
	}
	if (mapped_plans[which] != NULL)
		return mapped_plans[which];

	initStringInfo(&sql);
	switch (which)
	{
		case PLAN_USER_BY_TOKEN:
			store_append_user_columns(&sql, map, false);
			appendStringInfo(&sql,
							 " FROM %s AS t JOIN %s AS u"
							 " ON u.%s%s OPERATOR(pg_catalog.=) t.%s%s"
							 " WHERE t.%s OPERATOR(pg_catalog.=) $1",
							 map->token_table, map->user_table, map->user_key,
							 cast, map->token_user, cast, map->token_key);
			break;
		case PLAN_USER_BY_ID:
		case PLAN_USER_WITH_PASSWORD:
			type = store_key_param_type(map->key_type);
			store_append_user_columns(&sql, map,
									  which == PLAN_USER_WITH_PASSWORD);
			appendStringInfo(&sql, " FROM %s AS u", map->user_table);
			append_user_where(&sql, map->user_key, cast);
			break;
		case PLAN_USER_WITH_TOKENS:
			type = store_key_param_type(map->key_type);
			store_append_user_columns(&sql, map, false);
			appendStringInfo(&sql,
							 ", t.%s::pg_catalog.text"
							 " FROM %s AS u LEFT JOIN %s AS t"
							 " ON u.%s%s OPERATOR(pg_catalog.=) t.%s%s",
							 map->token_key, map->user_table, map->token_table,
							 map->user_key, cast, map->token_user, cast);
			append_user_where(&sql, map->user_key, cast);
			break;
		case PLAN_USER_BY_CLAIM:
			type = store_key_param_type(map->jwt_user_type);
			store_append_user_columns(&sql, map, true);
			appendStringInfo(&sql, " FROM %s AS u", map->user_table);
			append_user_where(&sql, map->jwt_user_column,
							  store_key_cast(map->jwt_user_type));
			break;
		case PLAN_USER_BY_USERNAME:
			store_append_user_columns(&sql, map, true);
			appendStringInfo(&sql, " FROM %s AS u", map->user_table);
			append_user_where(&sql, map->username_column, "::pg_catalog.text");
			break;
		case PLAN_DELETE_TOKEN:
			appendStringInfo(&sql,
							 "DELETE FROM %s AS t"
							 " WHERE t.%s OPERATOR(pg_catalog.=) $1",
							 map->token_table, map->token_key);
			break;
		case PLAN_DELETE_TOKENS_OF:
			type = store_key_param_type(map->key_type);
			appendStringInfo(&sql,
							 "DELETE FROM %s AS t"
							 " WHERE t.%s%s OPERATOR(pg_catalog.=) $1",
							 map->token_table, map->token_user, cast);
			break;
		case NUM_MAPPED_PLANS: elog(ERROR, "no such plan");
	}
	return store_prepared(&mapped_plans[which], sql.data, 1, &type);
}

/*
 * What the plan of the same name does, without it, for all but
 * PLAN_USER_BY_TOKEN.  Sets status unless PROBE_IMPOSSIBLE.
 */
static ProbeResult
probe_user(MappedPlan which, const StoreMapping *map, Datum value,
		   StoreUser *user, StoreStatus *status)
{
	bool with_password =
		which != PLAN_USER_BY_ID && which != PLAN_USER_WITH_TOKENS;
	ProbeColumn columns[STORE_USER_COLUMNS] = {
		{map->user_key, PROBE_TEXT, InvalidOid},
		{map->username_column, PROBE_TEXT, InvalidOid},
		{map->active_column, PROBE_BOOL, InvalidOid},
		{with_password ? map->password_column : NULL, PROBE_TEXT, InvalidOid}};
	StoreKeyType type = map->key_type;
	ProbeQuery	 query = {map->user_table, map->user_key,	  InvalidOid,
						  map->serial,	   lengthof(columns), columns};
	Datum		 values[STORE_USER_COLUMNS];
	bool		 nulls[STORE_USER_COLUMNS];
	ProbeResult	 result;

	if (which == PLAN_USER_BY_CLAIM)
	{
		query.key = map->jwt_user_column;
		type = map->jwt_user_type;
	}
	else if (which == PLAN_USER_BY_USERNAME)
	{
		query.key = map->username_column;
		type = STORE_KEY_TEXT;
	}
	if (type == STORE_KEY_OTHER)
		return PROBE_IMPOSSIBLE;
	query.key_type = store_key_param_type(type);

	result = store_probe(&user_probes[which], &query, value, values, nulls);
	if (result == PROBE_ABSENT)
		*status = STORE_ABSENT;
	if (result != PROBE_FOUND)
		return result;
	user->user_id = nulls[0] ? NULL : DatumGetCString(values[0]);
	user->username = nulls[1] ? NULL : DatumGetCString(values[1]);
	user->active =
		map->active_column == NULL || (!nulls[2] && DatumGetBool(values[2]));
	user->password = nulls[3] ? NULL : DatumGetCString(values[3]);
	*status = check_user(user);
	return result;
}

static ProbeResult
probe_user_by_token(const StoreMapping *map, Datum key, StoreUser *user,
					StoreStatus *status)
{
	ProbeColumn owner = {map->token_user, PROBE_KEY,
						 store_key_param_type(map->key_type)};
	ProbeQuery	query = {
		 map->token_table, map->token_key, TEXTOID, map->serial, 1, &owner};
	Datum		user_id;
	bool		isnull;
	ProbeResult result;

	if (map->key_type == STORE_KEY_OTHER)
		return PROBE_IMPOSSIBLE;
	result = store_probe(&token_probe, &query, key, &user_id, &isnull);
	if (result == PROBE_FOUND && !isnull)
		return probe_user(PLAN_USER_BY_ID, map, user_id, user, status);
	*status = STORE_ABSENT;
	return result;
}

/* A user's tokens, where he can have only one; sets keys, or adds nothing. */
static ProbeResult
probe_token_of_user(const StoreMapping *map, Datum user_id, List **keys)
{
	ProbeColumn column = {map->token_key, PROBE_TEXT, InvalidOid};
	ProbeQuery	query = {map->token_table,
						 map->token_user,
						 store_key_param_type(map->key_type),
						 map->serial,
						 1,
						 &column};
	Datum		key;
	bool		isnull;
	ProbeResult result;

	result = store_probe(&token_of_user_probe, &query, user_id, &key, &isnull);
	if (result == PROBE_FOUND && !isnull)
		*keys = list_make1(DatumGetCString(key));
	return result;
}

/*
 * Runs a plan whose answer is one user.  A column that somebody chose may not
 * be unique: Django identifies nobody by a value which two users have.
 */
static StoreStatus
query_user(MappedPlan which, const StoreMapping *map, Datum value,
		   StoreUser *user)
{
	MemoryContext caller = CurrentMemoryContext;
	StoreStatus	  status = STORE_ABSENT;
	bool chosen = which == PLAN_USER_BY_CLAIM || which == PLAN_USER_BY_USERNAME;
	ProbeResult result;

	result = which == PLAN_USER_BY_TOKEN
				 ? probe_user_by_token(map, value, user, &status)
				 : probe_user(which, map, value, user, &status);
	if (result != PROBE_IMPOSSIBLE)
		return status;

	store_connect();
	store_execute(mapped_plan(which, map), &value, NULL, true, chosen ? 2 : 1);
	if (SPI_processed == 1)
		status = store_read_user(0, user, caller);
	SPI_finish();
	return status;
}

StoreStatus
store_user_by_token(text *key, StoreUser *user)
{
	const StoreMapping *map = store_mapping();

	if (!map->attached || map->token_table == NULL)
		return STORE_NOT_ATTACHED;
	return query_user(PLAN_USER_BY_TOKEN, map, PointerGetDatum(key), user);
}

StoreStatus
store_user_by_id(const char *user_id, StoreUser *user, List **token_keys)
{
	MemoryContext		caller = CurrentMemoryContext;
	const StoreMapping *map = store_mapping();
	Datum				value;
	StoreStatus			status = STORE_ABSENT;
	uint64				row;

	if (token_keys != NULL)
		*token_keys = NIL;
	if (!map->attached)
		return STORE_NOT_ATTACHED;
	if (!store_key_param(map->key_type, user_id, &value))
		return STORE_BAD_ID;
	if (token_keys == NULL || map->token_table == NULL)
		return query_user(PLAN_USER_BY_ID, map, value, user);
	if (probe_user(PLAN_USER_WITH_TOKENS, map, value, user, &status) !=
			PROBE_IMPOSSIBLE &&
		(status != STORE_FOUND ||
		 probe_token_of_user(map, value, token_keys) != PROBE_IMPOSSIBLE))
		return status;

	status = STORE_ABSENT;
	store_connect();
	store_execute(mapped_plan(PLAN_USER_WITH_TOKENS, map), &value, NULL, true,
				  0);
	if (SPI_processed > 0)
		status = store_read_user(0, user, caller);
	for (row = 0; status == STORE_FOUND && row < SPI_processed; row++)
	{
		char *key = store_copy_text((int) row, STORE_USER_COLUMNS + 1, caller);
		MemoryContext in_spi;

		if (key == NULL)
			continue;
		in_spi = MemoryContextSwitchTo(caller);
		*token_keys = lappend(*token_keys, key);
		MemoryContextSwitchTo(in_spi);
	}
	SPI_finish();
	return status;
}

StoreStatus
store_user_with_password(const char *user_id, StoreUser *user)
{
	const StoreMapping *map = store_mapping();
	Datum				value;

	if (!map->attached)
		return STORE_NOT_ATTACHED;
	if (!store_key_param(map->key_type, user_id, &value))
		return STORE_BAD_ID;
	return query_user(PLAN_USER_WITH_PASSWORD, map, value, user);
}

StoreStatus
store_user_by_claim(const char *claim, StoreUser *user)
{
	const StoreMapping *map = store_mapping();
	Datum				value;

	if (!map->attached || map->jwt_user_column == NULL)
		return store_user_with_password(claim, user);
	if (!store_key_param(map->jwt_user_type, claim, &value))
		return STORE_BAD_ID;
	return query_user(PLAN_USER_BY_CLAIM, map, value, user);
}

StoreStatus
store_user_by_username(const char *username, StoreUser *user)
{
	const StoreMapping *map = store_mapping();

	if (!map->attached || map->username_column == NULL)
		return STORE_NOT_ATTACHED;
	return query_user(PLAN_USER_BY_USERNAME, map, CStringGetTextDatum(username),
					  user);
}

bool
store_tokens_are_knox(void)
{
	const StoreMapping *map = store_mapping();

	return map->attached && map->token_table == NULL && map->knox_table != NULL;
}

uint64
store_delete_token(text *key)
{
	const StoreMapping *map = store_mapping();
	Datum				value = PointerGetDatum(key);
	uint64				n;

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
	const StoreMapping *map = store_mapping();
	Datum				value;
	uint64				n;

	if (!map->attached || map->token_table == NULL ||
		!store_key_param(map->key_type, user_id, &value))
		return 0;
	store_connect();
	store_execute(mapped_plan(PLAN_DELETE_TOKENS_OF, map), &value, NULL, false,
				  0);
	n = SPI_processed;
	SPI_finish();
	return n;
}
