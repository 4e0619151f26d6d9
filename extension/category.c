/*-------------------------------------------------------------------------
 *
 * category.c
 *	  Declaring categories: set_category, drop_category, and the trigger that
 *	  tells listeners.
 *
 * set_category is SECURITY INVOKER, because it finds the site's functions
 * as its caller does: by the caller's search_path and rights.  Only to write
 * the row it becomes usher_owner.  What it stores is text, qualified and
 * quoted, so that a dump can be restored where objects have other oids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "argument.h"
#include "broadcast.h"
#include "category.h"
#include "group.h"
#include "policy.h"
#include "role.h"

#define SITE_ROLE "usher_app"

PG_FUNCTION_INFO_V1(usher_set_category);
PG_FUNCTION_INFO_V1(usher_drop_category);
PG_FUNCTION_INFO_V1(usher_on_category_change);

/* What a site function must look like. */
typedef struct Signature
{
	const char *spelling; /* for messages */
	int			nargs;
	Oid			argtypes[3];
	Oid			rettype;
} Signature;

static const Signature policy_signature = {
	"(user_id text, id text) RETURNS boolean", 2, {TEXTOID, TEXTOID}, BOOLOID};

/* One per value of usher.category.on_message_type, which is the type's name. */
static const Signature message_signatures[] = {
	{"(user_id text, id text, payload jsonb) RETURNS jsonb",
	 3,
	 {TEXTOID, TEXTOID, JSONBOID},
	 JSONBOID},
	{"(user_id text, id text, payload text) RETURNS text",
	 3,
	 {TEXTOID, TEXTOID, TEXTOID},
	 TEXTOID},
	{"(user_id text, id text, payload bytea) RETURNS bytea",
	 3,
	 {TEXTOID, TEXTOID, BYTEAOID},
	 BYTEAOID},
};

static char *
name_argument(FunctionCallInfo fcinfo, int n, const char *argument)
{
	argument_require(fcinfo, n, argument);
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static void
check_category_name(const char *name)
{
	if (!group_category_is_valid(name, strlen(name)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid category name \"%s\"", name),
				errhint("A category name is 1 to %d of the characters A-Z, "
						"a-z, 0-9, \".\", \"_\" and \"-\".",
						GROUP_NAME_MAX));
}

/*
 * Finding a site's function
 */

static bool
has_argument_list(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] == ')';
}

/* The function of that name and list of argument types, or InvalidOid. */
static Oid
find_with_argument_list(const char *name)
{
	LOCAL_FCINFO(call, 1);
	Datum oid;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = CStringGetTextDatum(name);
	call->args[0].isnull = false;
	oid = to_regprocedure(call);
	return call->isnull ? InvalidOid : DatumGetObjectId(oid);
}

static Oid
find_with_signature(const char *name, const Signature *signature)
{
	List *names = textToQualifiedNameList(cstring_to_text(name));

	return LookupFuncName(names, signature->nargs, signature->argtypes, true);
}

/* Whether the arguments are those of the signature, whatever it returns. */
static bool
takes_arguments_of(Oid function, const Signature *signature)
{
	Oid *argtypes;
	int	 nargs;

	(void) get_func_signature(function, &argtypes, &nargs);
	return nargs == signature->nargs &&
		   memcmp(argtypes, signature->argtypes, nargs * sizeof(Oid)) == 0;
}

static void
check_returns(Oid function, const Signature *signature)
{
	if (get_func_prokind(function) != PROKIND_FUNCTION ||
		get_func_retset(function) ||
		get_func_rettype(function) != signature->rettype)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			errmsg("function %s cannot be used by a category",
				   format_procedure(function)),
			errhint("It must be a plain function %s.", signature->spelling));
}

static bool
may_execute(Oid role, Oid function)
{
	return DatumGetBool(OidFunctionCall3(
		F_HAS_FUNCTION_PRIVILEGE_OID_OID_TEXT, ObjectIdGetDatum(role),
		ObjectIdGetDatum(function), CStringGetTextDatum("EXECUTE")));
}

static bool
may_use_schema(Oid role, Oid schema)
{
	return DatumGetBool(OidFunctionCall3(
		F_HAS_SCHEMA_PRIVILEGE_OID_OID_TEXT, ObjectIdGetDatum(role),
		ObjectIdGetDatum(schema), CStringGetTextDatum("USAGE")));
}

/*
 * The caller must be able to call what he names; and so must the role as
 * which it will be called, or each call would end in policy_error.
 */
static void
check_privileges(Oid function)
{
	Oid			site_role = get_role_oid(SITE_ROLE, false);
	Oid			schema = get_func_namespace(function);
	const char *signature = format_procedure(function);

	if (isAnyTempNamespace(schema))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("function %s is temporary", signature),
				errhint("A category outlives the session; use a function in "
						"a permanent schema."));
	if (!may_execute(GetUserId(), function))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied for function %s", signature));
	if (!may_use_schema(site_role, schema))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("role \"%s\" may not use the schema of function %s",
					   SITE_ROLE, signature),
				errhint("GRANT USAGE ON SCHEMA %s TO %s;",
						quote_identifier(get_namespace_name(schema)),
						SITE_ROLE));
	if (!may_execute(site_role, function))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("role \"%s\" may not execute function %s", SITE_ROLE,
					   signature),
				errhint("GRANT EXECUTE ON FUNCTION %s TO %s;", signature,
						SITE_ROLE));
}

static char *
stored_name(Oid function)
{
	return quote_qualified_identifier(
		get_namespace_name(get_func_namespace(function)),
		get_func_name(function));
}

/* What to store for join or send: a word as it is, or a function's name. */
static char *
resolve_policy(const char *argument, char *value)
{
	PolicyRule rule;
	Oid		   function;

	if (policy_word(value, &rule))
		return value;

	function = has_argument_list(value)
				   ? find_with_argument_list(value)
				   : find_with_signature(value, &policy_signature);
	if (!OidIsValid(function) ||
		!takes_arguments_of(function, &policy_signature))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
				errmsg("function \"%s\" for \"%s\" does not exist", value,
					   argument),
				errhint("Give authenticated, anyone, nobody, owner, or the "
						"name of a function %s.",
						policy_signature.spelling));
	check_returns(function, &policy_signature);
	check_privileges(function);
	return stored_name(function);
}

static char *
resolve_on_message(const char *value, const char **type)
{
	Oid				 found = InvalidOid;
	const Signature *matched = NULL;
	bool			 listed = has_argument_list(value);
	int				 matches = 0;

	for (size_t i = 0; i < lengthof(message_signatures); i++)
	{
		const Signature *signature = &message_signatures[i];
		Oid				 function = listed ? find_with_argument_list(value)
										   : find_with_signature(value, signature);

		if (!OidIsValid(function) || !takes_arguments_of(function, signature))
			continue;
		found = function;
		matched = signature;
		matches++;
	}

	if (matches == 0)
		ereport(
			ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
			errmsg("function \"%s\" for \"on_message\" does not exist", value),
			errhint("Its signature must be %s, or the same with text or "
					"bytea in place of jsonb.",
					message_signatures[0].spelling));
	if (matches > 1)
		ereport(
			ERROR, errcode(ERRCODE_AMBIGUOUS_FUNCTION),
			errmsg("function \"%s\" for \"on_message\" is not unique", value),
			errhint("Give the types of its arguments, for instance "
					"%s(text, text, jsonb).",
					value));
	check_returns(found, matched);
	check_privileges(found);
	*type = format_type_be(matched->rettype);
	return stored_name(found);
}

/*
 * The SQL functions
 */

static Datum
text_or_null(const char *string, char *null)
{
	*null = string == NULL ? 'n' : ' ';
	return string == NULL ? (Datum) 0 : CStringGetTextDatum(string);
}

/* What is said of a category beside its functions. */
typedef struct CategoryOptions
{
	bool	  plain;
	bool	  presence;
	bool	  durable;
	Interval *keep;
	int32	  keep_messages; /* 0: any number */
} CategoryOptions;

static CategoryOptions
options_arguments(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"plain", "presence", "durable", "keep"};
	static Interval			 zero;
	CategoryOptions			 options;

	for (size_t i = 0; i < lengthof(names); i++)
		argument_require(fcinfo, 4 + (int) i, names[i]);
	options.plain = PG_GETARG_BOOL(4);
	options.presence = PG_GETARG_BOOL(5);
	options.durable = PG_GETARG_BOOL(6);
	options.keep = PG_GETARG_INTERVAL_P(7);
	options.keep_messages = PG_ARGISNULL(8) ? 0 : PG_GETARG_INT32(8);

	if (options.plain && options.durable)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a category cannot be both plain and durable"),
				errdetail("What any SQL may NOTIFY is not kept."));
	if (!DatumGetBool(DirectFunctionCall2(interval_gt,
										  IntervalPGetDatum(options.keep),
										  IntervalPGetDatum(&zero))))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be more than nothing", "keep"));
	if (!PG_ARGISNULL(8) && options.keep_messages < 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be at least 1", "keep_messages"),
				errhint("NULL keeps any number."));
	return options;
}

static void
store_category(const char *name, const char *join, const char *send,
			   const char *on_message, const char *type,
			   const CategoryOptions *options)
{
	Oid		   argtypes[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID,	 TEXTOID,
							 BOOLOID, BOOLOID, BOOLOID, INTERVALOID, INT4OID};
	Datum	   values[lengthof(argtypes)];
	char	   nulls[lengthof(argtypes)];
	FormerRole former;
	int		   nest_level;

	values[0] = text_or_null(name, &nulls[0]);
	values[1] = text_or_null(join, &nulls[1]);
	values[2] = text_or_null(send, &nulls[2]);
	values[3] = text_or_null(on_message, &nulls[3]);
	values[4] = text_or_null(type, &nulls[4]);
	memset(nulls + 5, ' ', lengthof(nulls) - 5);
	values[5] = BoolGetDatum(options->plain);
	values[6] = BoolGetDatum(options->presence);
	values[7] = BoolGetDatum(options->durable);
	values[8] = IntervalPGetDatum(options->keep);
	values[9] = Int32GetDatum(options->keep_messages);
	if (options->keep_messages == 0)
		nulls[9] = 'n';

	former = role_become_owner();
	nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);

	SPI_connect();
	if (SPI_execute_with_args(
			"INSERT INTO usher.category "
			"(name, join_policy, send_policy, on_message, on_message_type, "
			"plain, presence, durable, keep, keep_messages) "
			"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
			"ON CONFLICT (name) DO UPDATE SET "
			"join_policy = EXCLUDED.join_policy, "
			"send_policy = EXCLUDED.send_policy, "
			"on_message = EXCLUDED.on_message, "
			"on_message_type = EXCLUDED.on_message_type, "
			"plain = EXCLUDED.plain, "
			"presence = EXCLUDED.presence, "
			"durable = EXCLUDED.durable, "
			"keep = EXCLUDED.keep, "
			"keep_messages = EXCLUDED.keep_messages",
			lengthof(argtypes), argtypes, values, nulls, false,
			0) != SPI_OK_INSERT)
		elog(ERROR, "could not store category \"%s\"", name);
	SPI_finish();

	AtEOXact_GUC(true, nest_level);
	role_return(former);
}

Datum
usher_set_category(PG_FUNCTION_ARGS)
{
	char		   *name = name_argument(fcinfo, 0, "name");
	char		   *join = name_argument(fcinfo, 1, "join");
	char		   *send = name_argument(fcinfo, 2, "send");
	char		   *on_message = NULL;
	const char	   *type = NULL;
	CategoryOptions options;

	check_category_name(name);
	join = resolve_policy("join", join);
	send = resolve_policy("send", send);
	if (!PG_ARGISNULL(3))
		on_message =
			resolve_on_message(text_to_cstring(PG_GETARG_TEXT_PP(3)), &type);
	options = options_arguments(fcinfo);

	store_category(name, join, send, on_message, type, &options);
	PG_RETURN_VOID();
}

Datum
usher_drop_category(PG_FUNCTION_ARGS)
{
	char  *name = name_argument(fcinfo, 0, "name");
	Oid	   argtypes[] = {TEXTOID};
	Datum  values[] = {CStringGetTextDatum(name)};
	uint64 dropped;

	SPI_connect();
	if (SPI_execute_with_args("DELETE FROM usher.category "
							  "WHERE name OPERATOR(pg_catalog.=) $1",
							  1, argtypes, values, NULL, false,
							  0) != SPI_OK_DELETE)
		elog(ERROR, "could not drop category \"%s\"", name);
	dropped = SPI_processed;
	SPI_finish();
	PG_RETURN_BOOL(dropped > 0);
}

static char *
category_name(HeapTuple row, TupleDesc desc)
{
	return SPI_getvalue(row, desc, SPI_fnumber(desc, "name"));
}

void
category_announce_all(void)
{
	SPI_connect();
	if (SPI_execute("SELECT name FROM usher.category", true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read usher.category");
	for (uint64 i = 0; i < SPI_processed; i++)
		broadcast_policy(
			category_name(SPI_tuptable->vals[i], SPI_tuptable->tupdesc));
	SPI_finish();
}

/*
 * Whoever changes a category and however, its members are asked about again
 * once the change is committed.
 */
Datum
usher_on_category_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	 desc;
	char		*name;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("on_category_change was not called as a trigger"));

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		category_announce_all();
		return PointerGetDatum(NULL);
	}

	desc = RelationGetDescr(trigger->tg_relation);
	name = category_name(trigger->tg_trigtuple, desc);
	broadcast_policy(name);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		char *new_name = category_name(trigger->tg_newtuple, desc);

		if (strcmp(name, new_name) != 0)
			broadcast_policy(new_name);
	}
	return PointerGetDatum(NULL);
}
