/*-------------------------------------------------------------------------
 *
 * secretapi.c
 *	  SQL-callable shells for the site's keys: where a key comes from, and
 *	  what a change of keys closes.
 *
 * The functions set_* and add_* are handed keys and are SECURITY DEFINER.
 * The functions load_* and take_* are handed the place of one and are not:
 * what they read they read with their caller's rights, and only then become
 * usher_owner to store it.  There is no function in between that would store
 * for whoever calls it, or read for him as usher_owner.
 *
 * No error from here contains a key, and those of functions that are handed
 * one keep the statement out of the server's log while they run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/be-fsstubs.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "broadcast.h"
#include "category.h"
#include "identity.h"
#include "role.h"
#include "secrets.h"
#include "store.h"
#include "store_secret.h"

PG_FUNCTION_INFO_V1(usher_set_secret_key);
PG_FUNCTION_INFO_V1(usher_set_secret_key_bytes);
PG_FUNCTION_INFO_V1(usher_load_secret_key);
PG_FUNCTION_INFO_V1(usher_take_secret_key);
PG_FUNCTION_INFO_V1(usher_remove_secret_key_fallbacks);
PG_FUNCTION_INFO_V1(usher_remove_secret_key);
PG_FUNCTION_INFO_V1(usher_add_jwt_key);
PG_FUNCTION_INFO_V1(usher_add_jwt_key_bytes);
PG_FUNCTION_INFO_V1(usher_load_jwt_key);
PG_FUNCTION_INFO_V1(usher_take_jwt_key);
PG_FUNCTION_INFO_V1(usher_remove_jwt_key);

/* ---- what the log says ---- */

/*
 * Whatever is reported while a function runs that was handed a key is reported
 * without the statement and the context: also what PostgreSQL itself has to
 * say, of a lock that is waited for or a statement that took too long.
 */
static void
hide_statement(void *arg)
{
	(void) arg;
	errhidestmt(true);
	errhidecontext(true);
}

/* Until end_hiding(), or an error, which removes it by itself. */
static void
begin_hiding(ErrorContextCallback *context)
{
	context->callback = hide_statement;
	context->arg = NULL;
	context->previous = error_context_stack;
	error_context_stack = context;
}

static void
end_hiding(const ErrorContextCallback *context)
{
	error_context_stack = context->previous;
}

/* ---- arguments ---- */

static void
refuse_null(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("%s must not be null", name), SECRETS_HIDDEN);
}

static char *
text_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	refuse_null(fcinfo, argument, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static bool
boolean_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	refuse_null(fcinfo, argument, name);
	return PG_GETARG_BOOL(argument);
}

static CryptoPart
bytes_of(Datum value)
{
	bytea *bytes = DatumGetByteaPP(value);

	return (CryptoPart){VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
}

/*
 * A text as UTF-8.  PostgreSQL's own errors would quote the bytes that cannot
 * be converted.
 */
static CryptoPart
utf8_of(Datum value)
{
	CryptoPart	  part = bytes_of(value);
	MemoryContext caller = CurrentMemoryContext;
	char *volatile converted = NULL;

	/* SQL_ASCII knows no characters, so the bytes must be UTF-8 as they are. */
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
	{
		if (!pg_verify_mbstr(PG_UTF8, part.data, (int) part.len, true))
			ereport(ERROR, errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
					errmsg("secret key is not valid UTF-8"),
					errhint("Give the key as bytea."), SECRETS_HIDDEN);
		return part;
	}

	PG_TRY();
	{
		converted = pg_server_to_any(part.data, (int) part.len, PG_UTF8);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_UNTRANSLATABLE_CHARACTER &&
			error->sqlerrcode != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR, errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				errmsg("secret key cannot be converted to UTF-8"),
				errhint("Give the key as bytea."), SECRETS_HIDDEN);
	}
	PG_END_TRY();

	/* What needs no conversion is not copied and has no NUL. */
	if (converted != part.data)
		part = (CryptoPart){converted, strlen(converted)};
	return part;
}

/* An array of text or bytea; elements that are null are refused. */
static Datum *
array_argument(FunctionCallInfo fcinfo, int argument, Oid type, int *count)
{
	Datum *elements;
	bool  *nulls;

	refuse_null(fcinfo, argument, "fallbacks");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), type, -1, false,
					  TYPALIGN_INT, &elements, &nulls, count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("fallbacks must not contain null"), SECRETS_HIDDEN);
	}
	return elements;
}

/* ---- what a change closes ---- */

/*
 * Tell listeners what to look at again.  A Django session is checked in full
 * when a listener asks about it, so only those whose key is gone are closed.
 * Of a JWT only the claims are left by then, not the signature.
 */
static void
announce(SecretsLoss loss)
{
	if (loss.jwt)
	{
		store_sessions_delete_issued_by_kind(IDENTITY_KIND_JWT);
		broadcast_revoke_kind(IDENTITY_KIND_JWT);
	}
	if (loss.django)
		category_announce_all();
}

/* ---- files and large objects ---- */

/* One newline at the end is the editor's, not the key's. */
static CryptoPart
without_newline(const char *data, size_t len)
{
	if (len > 0 && data[len - 1] == '\n')
	{
		len--;
		if (len > 0 && data[len - 1] == '\r')
			len--;
	}
	return (CryptoPart){data, len};
}

/* More than the longest key and its newline: the rest need not be read. */
#define READ_MAX_BYTES (SECRETS_KEY_MAX_BYTES + 3)

static void
check_may_read_files(void)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to read a key from a file"),
				errdetail("Only roles with the privileges of role "
						  "\"pg_read_server_files\" may read files on the "
						  "server."),
				errhint("psql's \\lo_import and the functions "
						"usher.take_secret_key() and usher.take_jwt_key() "
						"need no such privilege."));
}

static CryptoPart
read_file(const char *filename)
{
	struct stat about;
	FILE	   *file;
	char	   *data;
	size_t		len;

	check_may_read_files();
	if (stat(filename, &about) != 0)
		ereport(ERROR, errcode_for_file_access(),
				errmsg("could not stat file \"%s\": %m", filename));
	/* To open a pipe could wait for ever. */
	if (!S_ISREG(about.st_mode))
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is not a regular file", filename));

	data = palloc(READ_MAX_BYTES);
	file = AllocateFile(filename, PG_BINARY_R);
	if (file == NULL)
		ereport(ERROR, errcode_for_file_access(),
				errmsg("could not open file \"%s\" for reading: %m", filename));
	/* The buffer would be freed with the key in it. */
	setvbuf(file, NULL, _IONBF, 0);
	len = fread(data, 1, READ_MAX_BYTES, file);
	if (ferror(file))
		ereport(ERROR, errcode_for_file_access(),
				errmsg("could not read file \"%s\": %m", filename));
	FreeFile(file);
	return without_newline(data, len);
}

/* With the caller's rights: to read it, and as its owner to delete it. */
static CryptoPart
take_large_object(Oid object)
{
	CryptoPart bytes = bytes_of(
		DirectFunctionCall3(be_lo_get_fragment, ObjectIdGetDatum(object),
							Int64GetDatum(0), Int32GetDatum(READ_MAX_BYTES)));

	DirectFunctionCall1(be_lo_unlink, ObjectIdGetDatum(object));
	return without_newline(bytes.data, bytes.len);
}

static void
wipe(CryptoPart part)
{
	crypto_wipe(unconstify(void *, part.data), part.len);
}

/* ---- SECRET_KEY ---- */

static void
set_secret_key(FunctionCallInfo fcinfo, Oid type,
			   CryptoPart (*part_of)(Datum value))
{
	CryptoPart			*keys;
	Datum				*fallbacks;
	int					 nfallbacks;
	bool				 keep_previous;
	ErrorContextCallback hiding;

	begin_hiding(&hiding);
	refuse_null(fcinfo, 0, "secret key");
	fallbacks = array_argument(fcinfo, 1, type, &nfallbacks);
	keep_previous = boolean_argument(fcinfo, 2, "keep_previous");

	keys = palloc((1 + nfallbacks) * sizeof *keys);
	keys[0] = part_of(PG_GETARG_DATUM(0));
	for (int i = 0; i < nfallbacks; i++)
		keys[1 + i] = part_of(fallbacks[i]);
	announce(secrets_set(keys, 1 + nfallbacks, keep_previous));
	end_hiding(&hiding);
}

Datum
usher_set_secret_key(PG_FUNCTION_ARGS)
{
	set_secret_key(fcinfo, TEXTOID, utf8_of);
	PG_RETURN_VOID();
}

Datum
usher_set_secret_key_bytes(PG_FUNCTION_ARGS)
{
	set_secret_key(fcinfo, BYTEAOID, bytes_of);
	PG_RETURN_VOID();
}

/* Keys that were read: store them as usher_owner, and overwrite them. */
static void
store_secret_keys(CryptoPart *keys, size_t nkeys, bool keep_previous)
{
	FormerRole former = role_become_owner();

	announce(secrets_set(keys, nkeys, keep_previous));
	role_return(former);
	for (size_t i = 0; i < nkeys; i++)
		wipe(keys[i]);
}

Datum
usher_load_secret_key(PG_FUNCTION_ARGS)
{
	char	   *filename = text_argument(fcinfo, 0, "filename");
	bool		keep_previous = boolean_argument(fcinfo, 2, "keep_previous");
	int			nfallbacks;
	Datum	   *fallbacks = array_argument(fcinfo, 1, TEXTOID, &nfallbacks);
	CryptoPart *keys;

	if (nfallbacks > SECRETS_MAX_FALLBACKS)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("there can be at most %d fallbacks of the secret key",
					   SECRETS_MAX_FALLBACKS));
	keys = palloc((1 + nfallbacks) * sizeof *keys);
	keys[0] = read_file(filename);
	for (int i = 0; i < nfallbacks; i++)
		keys[1 + i] = read_file(TextDatumGetCString(fallbacks[i]));
	store_secret_keys(keys, 1 + nfallbacks, keep_previous);
	PG_RETURN_VOID();
}

Datum
usher_take_secret_key(PG_FUNCTION_ARGS)
{
	bool	   keep_previous = boolean_argument(fcinfo, 1, "keep_previous");
	CryptoPart key;

	refuse_null(fcinfo, 0, "large_object");
	key = take_large_object(PG_GETARG_OID(0));
	store_secret_keys(&key, 1, keep_previous);
	PG_RETURN_VOID();
}

Datum
usher_remove_secret_key_fallbacks(PG_FUNCTION_ARGS)
{
	SecretsLoss loss;
	size_t		removed = secrets_remove_fallbacks(&loss);

	announce(loss);
	PG_RETURN_INT64((int64) removed);
}

Datum
usher_remove_secret_key(PG_FUNCTION_ARGS)
{
	SecretsLoss loss;
	bool		removed = secrets_remove(&loss);

	announce(loss);
	PG_RETURN_BOOL(removed);
}

/* ---- JWT keys ---- */

static void
add_jwt_key(FunctionCallInfo fcinfo, CryptoPart (*part_of)(Datum value))
{
	ErrorContextCallback hiding;
	char				*name;
	char				*algorithm;
	CryptoPart			 key;

	begin_hiding(&hiding);
	name = text_argument(fcinfo, 0, "name");
	algorithm = text_argument(fcinfo, 1, "algorithm");
	if (PG_ARGISNULL(2))
		announce(secrets_add_jwt(name, algorithm, NULL));
	else
	{
		key = part_of(PG_GETARG_DATUM(2));
		announce(secrets_add_jwt(name, algorithm, &key));
	}
	end_hiding(&hiding);
}

Datum
usher_add_jwt_key(PG_FUNCTION_ARGS)
{
	add_jwt_key(fcinfo, utf8_of);
	PG_RETURN_VOID();
}

Datum
usher_add_jwt_key_bytes(PG_FUNCTION_ARGS)
{
	/* Only text can be null, which the call without it says too. */
	refuse_null(fcinfo, 2, "key");
	add_jwt_key(fcinfo, bytes_of);
	PG_RETURN_VOID();
}

static void
store_jwt_key(const char *name, const char *algorithm, CryptoPart key)
{
	FormerRole former = role_become_owner();

	announce(secrets_add_jwt(name, algorithm, &key));
	role_return(former);
	wipe(key);
}

Datum
usher_load_jwt_key(PG_FUNCTION_ARGS)
{
	char *name = text_argument(fcinfo, 0, "name");
	char *algorithm = text_argument(fcinfo, 1, "algorithm");

	store_jwt_key(name, algorithm,
				  read_file(text_argument(fcinfo, 2, "filename")));
	PG_RETURN_VOID();
}

Datum
usher_take_jwt_key(PG_FUNCTION_ARGS)
{
	char *name = text_argument(fcinfo, 0, "name");
	char *algorithm = text_argument(fcinfo, 1, "algorithm");

	refuse_null(fcinfo, 2, "large_object");
	store_jwt_key(name, algorithm, take_large_object(PG_GETARG_OID(2)));
	PG_RETURN_VOID();
}

Datum
usher_remove_jwt_key(PG_FUNCTION_ARGS)
{
	SecretsLoss loss;
	bool removed = secrets_remove_jwt(text_argument(fcinfo, 0, "name"), &loss);

	announce(loss);
	PG_RETURN_BOOL(removed);
}
