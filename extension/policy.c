/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  Categories, cached per backend, and the site's functions they name.
 *
 * All categories are cached at once (a site has a handful), so that a group
 * which does not exist costs no query.  store_generation() says when to read
 * again.  A cache that was replaced stays until the transaction ends, since a
 * site function that is running may have been the one to change a category.
 *
 * A site function runs as role usher_app with its own schema as search_path,
 * in a subtransaction.  usher_app, because whoever may call set_category is a
 * member of it: naming a function gains nobody a right.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/varlena.h"

#include "policy.h"
#include "store.h"

/* Whose rights a site function has. */
#define SITE_ROLE "usher_app"

struct SiteFunction
{
	const char	 *name; /* qualified and quoted */
	int			  nargs;
	Oid			  argtypes[3];
	Oid			  rettype;
	SPIPlanPtr	  plan;		   /* NULL until first called */
	const char	 *search_path; /* set with plan */
	SiteFunction *next;		   /* of the cache, for the plans' sake */
};

typedef struct Cache
{
	MemoryContext cxt; /* holds the Cache itself too */
	uint64		  generation;
	HTAB		 *categories;
	SiteFunction *functions;
	struct Cache *next; /* retired */
} Cache;

static Cache *current = NULL;
static Cache *retired = NULL;

/*
 * The cache
 */

bool
policy_word(const char *string, PolicyRule *rule)
{
	static const struct
	{
		const char *word;
		PolicyRule	rule;
	} words[] = {
		{"nobody", POLICY_NOBODY},
		{"owner", POLICY_OWNER},
		{"authenticated", POLICY_AUTHENTICATED},
		{"anyone", POLICY_ANYONE},
	};

	for (size_t i = 0; i < lengthof(words); i++)
	{
		if (strcmp(string, words[i].word) == 0)
		{
			*rule = words[i].rule;
			return true;
		}
	}
	return false;
}

static void
cache_free(Cache *cache)
{
	for (SiteFunction *f = cache->functions; f != NULL; f = f->next)
		if (f->plan != NULL)
			SPI_freeplan(f->plan);
	MemoryContextDelete(cache->cxt);
}

static void
free_retired(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	while (retired != NULL)
	{
		Cache *cache = retired;

		retired = cache->next;
		cache_free(cache);
	}
}

static SiteFunction *
add_function(Cache *cache, const char *name, Oid payload_type)
{
	SiteFunction *function = palloc0(sizeof(SiteFunction));

	function->name = name;
	function->argtypes[function->nargs++] = TEXTOID;
	function->argtypes[function->nargs++] = TEXTOID;
	if (OidIsValid(payload_type))
		function->argtypes[function->nargs++] = payload_type;
	function->rettype = OidIsValid(payload_type) ? payload_type : BOOLOID;
	function->next = cache->functions;
	cache->functions = function;
	return function;
}

static void
fill_policy(Cache *cache, Policy *policy, char *stored)
{
	policy->text = stored;
	policy->function = NULL;
	if (!policy_word(stored, &policy->rule))
	{
		policy->rule = POLICY_FUNCTION;
		policy->function = add_function(cache, stored, InvalidOid);
	}
}

static void
fill_on_message(Cache *cache, Category *category, char *name, char *type)
{
	Oid payload_type = BYTEAOID;

	category->on_message_text = name;
	category->on_message = NULL;
	category->on_message_type = BROADCAST_BINARY;
	if (name == NULL)
		return;
	if (strcmp(type, "jsonb") == 0)
	{
		category->on_message_type = BROADCAST_JSON;
		payload_type = JSONBOID;
	}
	else if (strcmp(type, "text") == 0)
	{
		category->on_message_type = BROADCAST_TEXT;
		payload_type = TEXTOID;
	}
	category->on_message = add_function(cache, name, payload_type);
}

static Cache *
cache_load(void)
{
	/* A leaf of the transaction's memory until it is complete. */
	MemoryContext cxt = AllocSetContextCreate(
		CurTransactionContext, "usher categories", ALLOCSET_SMALL_SIZES);
	MemoryContext oldcxt;
	Cache		 *cache = MemoryContextAllocZero(cxt, sizeof(Cache));
	HASHCTL		  hashctl = {.keysize = sizeof(((Category *) NULL)->name),
							 .entrysize = sizeof(Category),
							 .hcxt = cxt};
	SPIPlanPtr	  plan;

	cache->cxt = cxt;
	/* Before the rows, so that a change in between is not missed. */
	cache->generation = store_generation();
	cache->categories = hash_create("usher categories", 64, &hashctl,
									HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

	SPI_connect();
	plan = SPI_prepare("SELECT name, join_policy, send_policy, on_message, "
					   "on_message_type, plain, presence, durable "
					   "FROM usher.category",
					   0, NULL);
	if (plan == NULL ||
		store_execute_latest(plan, NULL, NULL, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read usher.category");

	oldcxt = MemoryContextSwitchTo(cxt);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		char	 *field[8];
		Category *category;

		/* SPI_getvalue allocates in the current context. */
		for (size_t column = 0; column < lengthof(field); column++)
			field[column] = SPI_getvalue(row, desc, (int) column + 1);
		category = hash_search(cache->categories, field[0], HASH_ENTER, NULL);
		fill_policy(cache, &category->join, field[1]);
		fill_policy(cache, &category->send, field[2]);
		fill_on_message(cache, category, field[3], field[4]);
		category->plain = field[5][0] == 't';
		category->presence = field[6][0] == 't';
		category->durable = field[7][0] == 't';
	}
	MemoryContextSwitchTo(oldcxt);
	SPI_finish();

	MemoryContextSetParent(cxt, CacheMemoryContext);
	return cache;
}

Category *
policy_category(const GroupParts *parts)
{
	static bool callback_registered = false;
	char		name[GROUP_NAME_MAX + 1];

	/*
	 * Without this a backend in a long transaction hears of a change only
	 * when it next locks something.
	 */
	AcceptInvalidationMessages();
	if (current == NULL || current->generation != store_generation())
	{
		Cache *fresh = cache_load();

		if (!callback_registered)
		{
			RegisterXactCallback(free_retired, NULL);
			callback_registered = true;
		}
		if (current != NULL)
		{
			current->next = retired;
			retired = current;
		}
		current = fresh;
	}

	memcpy(name, parts->category, parts->category_len);
	name[parts->category_len] = '\0';
	return hash_search(current->categories, name, HASH_FIND, NULL);
}

/*
 * Running what may fail
 */

typedef void (*Action)(void *arg);

/*
 * Run action in a subtransaction of its own.
 *
 * Returns NULL, or its error once everything it did is undone.  Errors that
 * are an order to stop are raised again.
 */
static ErrorData *
attempt(Action action, void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		action(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
		/* This also restores the user, the settings and SPI's stack. */
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = owner;

	if (error != NULL &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	return error;
}

typedef struct SiteCall
{
	SiteFunction *function;
	Datum		  values[3];
	char		  nulls[3];
	bool		  settle;
	Datum		  result; /* detoasted, in the caller's context */
	bool		  isnull;
} SiteCall;

static void
prepare_site_function(SiteFunction *function)
{
	List *names = textToQualifiedNameList(cstring_to_text(function->name));
	StringInfoData sql;
	SPIPlanPtr	   plan;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s(", NameListToQuotedString(names));
	for (int i = 0; i < function->nargs; i++)
		appendStringInfo(&sql, "%s$%d", i == 0 ? "" : ", ", i + 1);
	appendStringInfoChar(&sql, ')');

	/* All parameters, no constants: one plan serves every call. */
	plan = SPI_prepare_cursor(sql.data, function->nargs, function->argtypes,
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare a call of %s", function->name);
	SPI_keepplan(plan);
	function->plan = plan;
}

/*
 * Check what is deferred to the commit now, with the site's rights, while its
 * failure can still be undone.  Django defers every foreign key.
 */
static void
settle_constraints(void)
{
	ConstraintsSetStmt *all = makeNode(ConstraintsSetStmt);

	all->deferred = false;
	AfterTriggerSetState(all);
}

/* The function's schema first, and whatever a user put into pg_temp last. */
static const char *
site_search_path(const SiteFunction *function)
{
	List *names = textToQualifiedNameList(cstring_to_text(function->name));

	return psprintf("%s, pg_temp", quote_identifier(strVal(linitial(names))));
}

static void
call_site_function(void *arg)
{
	SiteCall	 *call = arg;
	SiteFunction *function = call->function;
	Oid			  saved_user;
	int			  saved_context;
	int			  nest_level;

	if (function->search_path == NULL)
		function->search_path = MemoryContextStrdup(
			GetMemoryChunkContext(function), site_search_path(function));

	GetUserIdAndSecContext(&saved_user, &saved_context);
	SetUserIdAndSecContext(get_role_oid(SITE_ROLE, false),
						   saved_context | SECURITY_LOCAL_USERID_CHANGE);
	nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", function->search_path, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);

	SPI_connect();
	if (function->plan == NULL)
		prepare_site_function(function);
	if (SPI_execute_plan(function->plan, call->values, call->nulls, false, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not call %s", function->name);

	call->isnull = true;
	if (SPI_processed == 1)
	{
		/* The site may have replaced it since set_category looked. */
		if (SPI_gettypeid(SPI_tuptable->tupdesc, 1) != function->rettype)
			ereport(
				ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("it returns %s instead of %s",
					   format_type_be(SPI_gettypeid(SPI_tuptable->tupdesc, 1)),
					   format_type_be(function->rettype)));
		call->result = SPI_getbinval(SPI_tuptable->vals[0],
									 SPI_tuptable->tupdesc, 1, &call->isnull);
	}
	if (!call->isnull && function->rettype != BOOLOID)
		call->result = SPI_datumTransfer(
			PointerGetDatum(PG_DETOAST_DATUM(call->result)), false, -1);
	SPI_finish();
	if (call->settle)
		settle_constraints();

	AtEOXact_GUC(true, nest_level);
	SetUserIdAndSecContext(saved_user, saved_context);
}

/*
 * One line for the server's log: which function, and what it raised.  Neither
 * the statement nor the context, which may show a client's payload.
 */
static void
log_site_error(const SiteFunction *function, const ErrorData *error)
{
	ereport(LOG, errcode(error->sqlerrcode),
			errmsg("site function %s failed: %s", function->name,
				   error->message ? error->message : "no message"),
			errhidestmt(true), errhidecontext(true));
}

/* Returns false, having logged why, when the function raised. */
static bool
site_function_answers(SiteCall *call, const char *user_id,
					  const GroupParts *parts)
{
	ErrorData *error;

	if (user_id == NULL)
		call->nulls[0] = 'n';
	else
		call->values[0] = CStringGetTextDatum(user_id);
	call->values[1] = PointerGetDatum(
		cstring_to_text_with_len(parts->id, (int) parts->id_len));
	error = attempt(call_site_function, call);
	if (error == NULL)
		return true;
	log_site_error(call->function, error);
	FreeErrorData(error);
	return false;
}

/*
 * The questions
 */

static bool
is_owner(const char *user_id, const GroupParts *parts)
{
	return strlen(user_id) == parts->id_len &&
		   memcmp(user_id, parts->id, parts->id_len) == 0;
}

const char *
policy_ask(const Policy *policy, const char *user_id, const GroupParts *parts,
		   bool settle)
{
	SiteCall call = {.function = policy->function,
					 .settle = settle,
					 .nulls = {' ', ' ', ' '}};
	bool	 allowed = false;

	if (policy->rule == POLICY_ANYONE)
		return NULL;
	if (user_id == NULL)
		return POLICY_NOT_ALLOWED;

	switch (policy->rule)
	{
		case POLICY_NOBODY: break;
		case POLICY_OWNER: allowed = is_owner(user_id, parts); break;
		case POLICY_AUTHENTICATED:
		case POLICY_ANYONE: allowed = true; break;
		case POLICY_FUNCTION:
			if (!site_function_answers(&call, user_id, parts))
				return POLICY_ERROR;
			allowed = !call.isnull && DatumGetBool(call.result);
			break;
	}
	return allowed ? NULL : POLICY_NOT_ALLOWED;
}

typedef struct JsonParse
{
	char *text;
	Datum jsonb;
} JsonParse;

static void
parse_json(void *arg)
{
	JsonParse *parse = arg;

	parse->jsonb = DirectFunctionCall1(jsonb_in, CStringGetDatum(parse->text));
}

static const char *
as_function_argument(const PolicyMessage *in, BroadcastType wanted,
					 Datum *argument)
{
	JsonParse  parse = {NULL};
	ErrorData *error;

	if ((in->type == BROADCAST_BINARY) != (wanted == BROADCAST_BINARY))
		return POLICY_UNSUPPORTED_TYPE;
	if (wanted != BROADCAST_JSON)
	{
		*argument =
			PointerGetDatum(cstring_to_text_with_len(in->bytes, (int) in->len));
		return NULL;
	}

	/* Before PostgreSQL 16 jsonb_in has no way to fail but to raise. */
	parse.text = pnstrdup(in->bytes, in->len);
	error = attempt(parse_json, &parse);
	if (error != NULL)
	{
		FreeErrorData(error);
		return POLICY_INVALID_JSON;
	}
	*argument = parse.jsonb;
	return NULL;
}

const char *
policy_on_message(const Category *category, const char *user_id,
				  const GroupParts *parts, const PolicyMessage *in,
				  size_t max_bytes, PolicyMessage *out)
{
	SiteCall	call = {.function = category->on_message,
						.settle = true,
						.nulls = {' ', ' ', ' '}};
	const char *reason;

	reason =
		as_function_argument(in, category->on_message_type, &call.values[2]);
	if (reason != NULL)
		return reason;
	if (!site_function_answers(&call, user_id, parts))
		return POLICY_ERROR;

	out->type = category->on_message_type;
	out->bytes = NULL;
	out->len = 0;
	if (call.isnull)
		return NULL;

	if (out->type == BROADCAST_JSON)
	{
		Jsonb *jsonb = DatumGetJsonbP(call.result);

		out->bytes = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
		out->len = strlen(out->bytes);
	}
	else
	{
		out->bytes = VARDATA_ANY(DatumGetPointer(call.result));
		out->len = VARSIZE_ANY_EXHDR(DatumGetPointer(call.result));
	}

	/* The client is not to blame for what the function made of his message. */
	if (out->len > max_bytes)
	{
		ereport(LOG, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("site function %s failed: it returned %zu bytes, more "
					   "than usher.max_payload allows",
					   category->on_message_text, out->len),
				errhidestmt(true), errhidecontext(true));
		return POLICY_ERROR;
	}
	return NULL;
}
