/*-------------------------------------------------------------------------
 *
 * identity_django.c
 *	  Django's own sessions: by the row that a session key names, or, where
 *	  the site keeps sessions in signed cookies, by the cookie alone.
 *
 * The order of the checks is Django's (django/contrib/sessions/backends/db.py,
 * django/contrib/auth/__init__.py, get_user), so that of several things which
 * are wrong the same one is the reason.  Nothing is written: Django deletes
 * the row when the password has changed, we only refuse.
 *
 * The id is the sealed session key, or the sealed cookie: a connection is
 * checked again exactly as it was admitted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "django_session.h"
#include "identity_kind.h"
#include "secrets.h"
#include "store.h"
#include "store_options.h"
#include "utf8.h"

#define SESSION_LABEL "django_session"
#define COOKIE_LABEL "signed_session"

char *
identity_django_session_id(const char *key, size_t len)
{
	return identity_sealed_id(SESSION_LABEL, key, len);
}

/* Backends that let inactive users in: django/contrib/auth/backends.py. */
static bool
allows_all_users(const char *backend)
{
	return strcmp(backend, "django.contrib.auth.backends."
						   "AllowAllUsersModelBackend") == 0 ||
		   strcmp(backend, "django.contrib.auth.backends."
						   "AllowAllUsersRemoteUserBackend") == 0;
}

static bool
backend_is_allowed(const SessionOptions *options, const char *backend)
{
	size_t i;

	for (i = 0; i < options->nbackends; i++)
	{
		if (strcmp(options->backends[i], backend) == 0)
			return true;
	}
	return false;
}

static bool
hash_matches(const DjangoSession *session, const StoreUser *user)
{
	size_t		len;
	const char *password;

	if (user->password == NULL)
		return false;
	password = utf8_from_server(user->password, strlen(user->password), &len);
	return password != NULL &&
		   django_session_hash_matches(
			   session->auth_hash, password, len, &secrets_current()->django,
			   store_options()->session.decode.accept_pre_3_1);
}

/* The answer for a session that Django has signed. */
static void
identify(const DjangoSession *session, Identity *identity)
{
	const char *user_id;
	StoreUser	user;
	const char *refusal;

	if (!backend_is_allowed(&store_options()->session, session->backend))
	{
		identity_refuse(identity, "backend_not_allowed");
		return;
	}
	user_id = utf8_to_server(session->user_id, strlen(session->user_id), NULL);
	if (user_id == NULL)
	{
		identity_refuse(identity, "bad_user_id");
		return;
	}
	refusal = identity_user_refusal(store_user_with_password(user_id, &user),
									&user, allows_all_users(session->backend),
									"unknown_user");
	if (refusal == NULL && !hash_matches(session, &user))
		refusal = "bad_auth_hash";
	if (refusal != NULL)
		identity_refuse(identity, refusal);
	else
		identity_accept(identity, &user);
}

/* ---- rows ---- */

static void
identify_key(const char *key, size_t len, TimestampTz now, Identity *identity)
{
	StoreDjangoSession	row;
	DjangoSession		session;
	DjangoSessionStatus status;

	if (pg_mbstrlen_with_len(key, (int) len) > DJANGO_SESSION_KEY_MAX)
	{
		identity_refuse(identity, "no_row");
		return;
	}
	switch (store_django_session_find(key, len, &row))
	{
		case STORE_NOT_ATTACHED:
			identity_refuse(identity, "not_attached");
			return;
		case STORE_ABSENT:
		case STORE_BAD_ID: identity_refuse(identity, "no_row"); return;
		case STORE_FOUND: break;
	}
	if (row.expires_at <= now)
	{
		identity_refuse(identity, "expired");
		return;
	}
	status = django_session_decode(row.data == NULL ? "" : row.data,
								   row.data_len, &secrets_current()->django,
								   &store_options()->session.decode, &session);
	if (status != DJANGO_SESSION_OK)
	{
		identity_refuse(identity, django_session_reason(status));
		return;
	}
	identify(&session, identity);
	if (!identity->valid)
		return;
	identity->credential_id = identity_django_session_id(key, len);
	identity_expire(identity, row.expires_at);
}

/* ---- signed cookies ---- */

static void
identify_cookie(const char *value, size_t len, TimestampTz now,
				Identity *identity)
{
	int64				age_s = store_options()->session.cookie_age_s;
	int64				now_us = identity_unix_us(now);
	int64				end_s;
	DjangoSession		session;
	DjangoSessionStatus status;

	/* Rounded up: Django compares fractions of seconds. */
	status = django_session_decode_cookie(
		value, len, &secrets_current()->django,
		now_us / USECS_PER_SEC + (now_us % USECS_PER_SEC > 0 ? 1 : 0), age_s,
		&session);
	if (status != DJANGO_SESSION_OK)
	{
		identity_refuse(identity, django_session_reason(status));
		return;
	}
	identify(&session, identity);
	if (!identity->valid)
		return;
	identity->credential_id = identity_sealed_id(COOKIE_LABEL, value, len);
	if (!pg_add_s64_overflow(session.stamp_s, age_s, &end_s))
		identity_expire_unix(identity, end_s);
}

/* ---- both ---- */

static void
authenticate_django(text *credential, TimestampTz now, Identity *identity)
{
	const char *value = VARDATA_ANY(credential);
	size_t		len = VARSIZE_ANY_EXHDR(credential);

	if (pg_mbstrlen_with_len(value, (int) len) < DJANGO_SESSION_KEY_MIN)
		identity_refuse(identity, "bad_session_key");
	else if (secrets_current()->django.count == 0)
		identity_refuse(identity, "no_secret_key");
	else if (store_options()->session.signed_cookies &&
			 memchr(value, ':', len) != NULL)
		identify_cookie(value, len, now, identity);
	else
		identify_key(value, len, now, identity);
}

static void
recheck_django(const char *user_id, const char *credential_id, TimestampTz now,
			   Identity *identity)
{
	text *credential =
		identity_open_id(SESSION_LABEL, credential_id, IDENTITY_MAX_BYTES);

	if (credential == NULL)
		credential =
			identity_open_id(COOKIE_LABEL, credential_id, IDENTITY_MAX_BYTES);
	if (credential == NULL)
	{
		identity_refuse(identity, "no_row");
		return;
	}
	authenticate_django(credential, now, identity);
	if (identity->valid && strcmp(identity->user_id, user_id) != 0)
		identity_refuse(identity, "no_row");
}

const IdentityKind identity_kind_django_session = {
	IDENTITY_KIND_DJANGO_SESSION, IDENTITY_MAX_BYTES, "no_row",
	authenticate_django, recheck_django};
