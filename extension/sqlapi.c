/*-------------------------------------------------------------------------
 *
 * sqlapi.c
 *	  SQL-callable shells of the identity half: authenticate, issue, revoke.
 *
 * Each unpacks its arguments, calls one room and packs the result.  Wrong
 * credentials are answers; wrong arguments of a programmer's are errors.  No
 * message ever quotes a key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "broadcast.h"
#include "crypto.h"
#include "group.h"
#include "identity.h"
#include "session_key.h"
#include "settings.h"
#include "store.h"

/* A key restricted to more groups than this is no restriction. */
#define SESSION_GROUPS_MAX 1000

/* Expired rows removed with each key issued: more than come in. */
#define PURGE_PER_ISSUE 4

PG_FUNCTION_INFO_V1(usher_validate_token);
PG_FUNCTION_INFO_V1(usher_validate_session);
PG_FUNCTION_INFO_V1(usher_validate_django_session);
PG_FUNCTION_INFO_V1(usher_validate_jwt);
PG_FUNCTION_INFO_V1(usher_validate_knox);
PG_FUNCTION_INFO_V1(usher_authenticate);
PG_FUNCTION_INFO_V1(usher_issue_session);
PG_FUNCTION_INFO_V1(usher_issue_session_for);
PG_FUNCTION_INFO_V1(usher_exchange_credential);
PG_FUNCTION_INFO_V1(usher_purge);
PG_FUNCTION_INFO_V1(usher_revoke_token);
PG_FUNCTION_INFO_V1(usher_revoke_session);
PG_FUNCTION_INFO_V1(usher_revoke_django_session);
PG_FUNCTION_INFO_V1(usher_revoke_knox);
PG_FUNCTION_INFO_V1(usher_revoke_user);
PG_FUNCTION_INFO_V1(usher_revoke_everybody);

/* ---- packing ---- */

static void
set_text(Datum *values, bool *nulls, int i, const char *string)
{
	nulls[i] = string == NULL;
	if (string != NULL)
		values[i] = CStringGetTextDatum(string);
}

static Datum
form_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* As usher.identity. */
static Datum
form_identity(FunctionCallInfo fcinfo, const Identity *identity)
{
	Datum values[9] = {0};
	bool  nulls[9] = {0};

	values[0] = BoolGetDatum(identity->valid);
	set_text(values, nulls, 1, identity->reason);
	set_text(values, nulls, 2, identity->user_id);
	set_text(values, nulls, 3, identity->username);
	set_text(values, nulls, 4, identity->kind);
	set_text(values, nulls, 5, identity->credential_id);
	set_text(values, nulls, 6, identity->issuer_id);
	values[7] = TimestampTzGetDatum(identity->expires_at);
	nulls[7] = !identity->has_expiry;
	values[8] = PointerGetDatum(identity->groups);
	nulls[8] = identity->groups == NULL;
	return form_row(fcinfo, values, nulls);
}

/* ---- authenticate ---- */

static Datum
authenticate(FunctionCallInfo fcinfo, const char *kind, int argument)
{
	text *credential =
		PG_ARGISNULL(argument) ? NULL : PG_GETARG_TEXT_PP(argument);
	Identity identity;

	identity_authenticate(kind, credential, GetCurrentTimestamp(), &identity);
	return form_identity(fcinfo, &identity);
}

Datum
usher_validate_token(PG_FUNCTION_ARGS)
{
	return authenticate(fcinfo, IDENTITY_KIND_TOKEN, 0);
}

Datum
usher_validate_session(PG_FUNCTION_ARGS)
{
	return authenticate(fcinfo, IDENTITY_KIND_SESSION, 0);
}

Datum
usher_validate_django_session(PG_FUNCTION_ARGS)
{
	return authenticate(fcinfo, IDENTITY_KIND_DJANGO_SESSION, 0);
}

Datum
usher_validate_jwt(PG_FUNCTION_ARGS)
{
	return authenticate(fcinfo, IDENTITY_KIND_JWT, 0);
}

Datum
usher_validate_knox(PG_FUNCTION_ARGS)
{
	return authenticate(fcinfo, IDENTITY_KIND_KNOX, 0);
}

Datum
usher_authenticate(PG_FUNCTION_ARGS)
{
	char *kind = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	return authenticate(fcinfo, kind, 1);
}

/* ---- issue ---- */

/*
 * The time after which a key that is issued now expires, in microseconds.
 *
 * Days count 24 hours and months 30 days, as interval comparison has it, so
 * that a life does not depend on a time zone.
 */
static int64
ttl_argument(FunctionCallInfo fcinfo, int argument)
{
	Interval	   *ttl;
	Interval		longest = {0};
	static Interval zero = {0};

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ttl must not be null"),
				 errhint("Leave it out for the default of 120 seconds.")));
	ttl = PG_GETARG_INTERVAL_P(argument);
	longest.time = (TimeOffset) settings_session_max_ttl_s * USECS_PER_SEC;
	if (DatumGetBool(DirectFunctionCall2(interval_le, IntervalPGetDatum(ttl),
										 IntervalPGetDatum(&zero))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("ttl must be greater than zero"),
						errhint("Give ttl => the time for which the key is to "
								"be good, such as '120 s'.")));
	if (DatumGetBool(DirectFunctionCall2(interval_gt, IntervalPGetDatum(ttl),
										 IntervalPGetDatum(&longest))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("ttl must not exceed %d seconds",
							   settings_session_max_ttl_s),
						errhint("A superuser can raise the setting "
								"\"usher.session_max_ttl\".")));

	/* Between zero and the longest, hence no overflow. */
	return ttl->time +
		   ((int64) ttl->month * DAYS_PER_MONTH + ttl->day) * USECS_PER_DAY;
}

static ArrayType *
groups_argument(FunctionCallInfo fcinfo, int argument)
{
	ArrayType *groups;
	Datum	  *names;
	bool	  *nulls;
	int		   n;
	int		   i;

	if (PG_ARGISNULL(argument))
		return NULL;
	groups = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(groups) != 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("groups must be a list of at least one group"),
						errhint("Leave it out for a key that is good for "
								"every group its user may join.")));
	deconstruct_array(groups, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
					  &n);
	if (n > SESSION_GROUPS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("groups must not be more than %d groups",
							   SESSION_GROUPS_MAX),
						errhint("Leave it out for a key that is good for "
								"every group its user may join.")));
	for (i = 0; i < n; i++)
	{
		text *name;

		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("groups must not contain nulls"),
							errhint("Leave the null out of the list.")));
		name = DatumGetTextPP(names[i]);
		if (!group_parse(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), NULL))
			ereport(
				ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid group name at position %d of groups", i + 1),
				 errhint("A group is 1 to %d of the characters A-Z, a-z, "
						 "0-9, \".\", \"_\" and \"-\".",
						 GROUP_NAME_MAX)));
	}
	return groups;
}

/* What a key is to be good for. */
typedef struct IssueTerms
{
	int64	   ttl_us;
	ArrayType *groups; /* NULL: all */
	bool	   limited;
	int32	   max_uses;
} IssueTerms;

/* They are three arguments, of which this is the first. */
static IssueTerms
terms_arguments(FunctionCallInfo fcinfo, int first)
{
	IssueTerms terms = {
		.ttl_us = ttl_argument(fcinfo, first),
		.groups = groups_argument(fcinfo, first + 1),
		.limited = !PG_ARGISNULL(first + 2),
	};

	if (!terms.limited)
		return terms;
	terms.max_uses = PG_GETARG_INT32(first + 2);
	if (terms.max_uses < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_uses must be at least 1"),
						errhint("Leave it out for any number of uses.")));
	return terms;
}

/* What revokes the key, and where to look whether it is still good. */
static void
set_issuer(StoreSession *session, const Identity *identity)
{
	session->issuer_id = identity->credential_id;
	if (identity->kind == NULL)
		return;
	if (strcmp(identity->kind, IDENTITY_KIND_JWT) == 0)
	{
		session->issuer_id = identity->issuer_id;
		session->issuer_credential = identity->credential_id;
	}
	else if (strcmp(identity->kind, IDENTITY_KIND_DJANGO_SESSION) == 0)
		session->issuer_credential = identity->credential_id;
}

/* Issue a key to the identity, which is valid unless it has a reason. */
static Datum
issue(FunctionCallInfo fcinfo, const Identity *identity,
	  const IssueTerms *terms, TimestampTz now)
{
	Datum		 values[6] = {0};
	bool		 nulls[6] = {true, false, false, true, true, true};
	StoreSession session = {0};
	uint8_t		 random[SESSION_KEY_RANDOM_BYTES];
	uint8_t		 hash[CRYPTO_SHA256_BYTES];
	char		 key[SESSION_KEY_LEN + 1];

	values[1] = BoolGetDatum(identity->valid);
	set_text(values, nulls, 2, identity->reason);
	if (!identity->valid)
		return form_row(fcinfo, values, nulls);

	if (!pg_strong_random(random, sizeof random))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate random values")));
	session_key_format(random, key);
	crypto_wipe(random, sizeof random);
	if (session_key_hash(key, SESSION_KEY_LEN, hash) != SESSION_KEY_OK)
		ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
						errmsg("could not compute a SHA-256 hash")));

	session.user_id = identity->user_id;
	set_issuer(&session, identity);
	session.expires_at = now + terms->ttl_us;
	if (identity->has_expiry)
		session.expires_at = Min(session.expires_at, identity->expires_at);
	session.groups = terms->groups;
	session.limited = terms->limited;
	session.max_uses = terms->max_uses;
	store_sessions_delete_expired(now, PURGE_PER_ISSUE);
	store_session_insert(hash, &session, identity->kind, now);

	set_text(values, nulls, 0, key);
	crypto_wipe(key, sizeof key);
	set_text(values, nulls, 3, identity->user_id);
	set_text(values, nulls, 4, identity->username);
	values[5] = TimestampTzGetDatum(session.expires_at);
	nulls[5] = false;
	return form_row(fcinfo, values, nulls);
}

Datum
usher_issue_session(PG_FUNCTION_ARGS)
{
	IssueTerms	terms = terms_arguments(fcinfo, 1);
	TimestampTz now = GetCurrentTimestamp();
	Identity	identity;

	identity_authenticate(IDENTITY_KIND_TOKEN,
						  PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0), now,
						  &identity);
	return issue(fcinfo, &identity, &terms, now);
}

Datum
usher_issue_session_for(PG_FUNCTION_ARGS)
{
	IssueTerms	terms = terms_arguments(fcinfo, 1);
	TimestampTz now = GetCurrentTimestamp();
	Identity	identity;

	identity_of_user(PG_ARGISNULL(0) ? NULL
									 : text_to_cstring(PG_GETARG_TEXT_PP(0)),
					 &identity);
	return issue(fcinfo, &identity, &terms, now);
}

/* As usher_issue_session, for a credential of any kind but our own. */
Datum
usher_exchange_credential(PG_FUNCTION_ARGS)
{
	char *kind = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	IssueTerms	terms = terms_arguments(fcinfo, 2);
	TimestampTz now = GetCurrentTimestamp();
	Identity	identity;

	if (kind != NULL && strcmp(kind, IDENTITY_KIND_SESSION) == 0)
		/* it could outlive itself */
		identity = (Identity){.reason = "session_not_exchangeable"};
	else
		identity_authenticate(kind,
							  PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1),
							  now, &identity);
	if (!identity.valid && identity.reason != NULL &&
		strcmp(identity.reason, IDENTITY_NO_USER_IN_SESSION) == 0)
		identity.reason = "no_credentials";
	return issue(fcinfo, &identity, &terms, now);
}

Datum
usher_purge(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	store_listeners_purge();
	PG_RETURN_INT64(
		(int64) (store_sessions_delete_expired(GetCurrentTimestamp(), 0) +
				 store_messages_purge()));
}

/* ---- revoke ---- */

Datum
usher_revoke_token(PG_FUNCTION_ARGS)
{
	text  *key;
	char  *id;
	uint64 sessions;
	uint64 tokens;

	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	key = PG_GETARG_TEXT_PP(0);
	id = identity_token_id(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));

	/* The sessions first, or the token's trigger would have them uncounted. */
	sessions = store_sessions_delete_issued_by(id);
	tokens = store_delete_token(key);
	if (tokens == 0 && sessions > 0)
		broadcast_revoke_credential(id);
	PG_RETURN_INT64((int64) (sessions + tokens));
}

Datum
usher_revoke_session(PG_FUNCTION_ARGS)
{
	text   *key;
	uint8_t hash[CRYPTO_SHA256_BYTES];
	char	id[CRYPTO_SHA256_HEX + 1];
	uint64	n;

	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	key = PG_GETARG_TEXT_PP(0);
	if (session_key_hash(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), hash) !=
		SESSION_KEY_OK)
		PG_RETURN_INT64(0);
	n = store_session_delete(hash);
	if (n > 0)
	{
		crypto_hex(hash, sizeof hash, id);
		broadcast_revoke_credential(id);
	}
	PG_RETURN_INT64((int64) n);
}

Datum
usher_revoke_django_session(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	PG_RETURN_INT64((int64) store_delete_django_session(PG_GETARG_TEXT_PP(0)));
}

Datum
usher_revoke_knox(PG_FUNCTION_ARGS)
{
	char  *digest;
	char  *id;
	uint64 sessions;
	uint64 tokens;

	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	digest = identity_knox_digest(PG_GETARG_TEXT_PP(0));
	if (digest == NULL)
		PG_RETURN_INT64((int64) store_delete_knox(""));
	id = identity_knox_id(digest);

	/* The sessions first, or the token's trigger would have them uncounted. */
	sessions = store_sessions_delete_issued_by(id);
	tokens = store_delete_knox(digest);
	if (tokens == 0 && sessions > 0)
		broadcast_revoke_credential(id);
	PG_RETURN_INT64((int64) (sessions + tokens));
}

Datum
usher_revoke_user(PG_FUNCTION_ARGS)
{
	char  *user_id;
	uint64 n;

	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	user_id = store_canonical_user_id(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (user_id == NULL)
		PG_RETURN_INT64(0);
	n = store_sessions_delete_of(user_id);
	n += store_delete_tokens_of(user_id);
	n += store_delete_knox_of(user_id);
	broadcast_revoke_user(user_id);
	PG_RETURN_INT64((int64) n);
}

Datum
usher_revoke_everybody(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	store_sessions_delete_all();
	broadcast_revoke_all();
	PG_RETURN_VOID();
}
