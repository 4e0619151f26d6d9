/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Whose credential is it: kind and text in, one identity out.
 *
 * A credential is named by its id.  Of a session key that is the stored hash;
 * of a token, which Django keeps in clear, a hash salted with a secret of
 * this installation, so that whoever sees an id can neither use it nor try
 * keys against it.
 *
 * A session key that a token issued is good only while that token is there.
 * The trigger on the token table deletes such keys, but one that is issued
 * while the token is being deleted escapes it; so every use looks again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "crypto.h"
#include "identity.h"
#include "session_key.h"
#include "store.h"

/* Longer texts are no credential of ours and are not looked up. */
#define CREDENTIAL_MAX_BYTES 8192

static void
hash_failed(void)
{
	ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					errmsg("could not compute a SHA-256 hash")));
}

char *
identity_token_id(const char *key, size_t len)
{
	const UsherInstance *instance = store_instance();
	CryptoPart			 parts[3] = {
				  {instance->salt, sizeof instance->salt}, {"token:", 6}, {key, len}};
	uint8_t hash[CRYPTO_SHA256_BYTES];
	char   *id = palloc(CRYPTO_SHA256_HEX + 1);

	if (!crypto_sha256(parts, lengthof(parts), hash))
		hash_failed();
	crypto_hex(hash, sizeof hash, id);
	return id;
}

static void
refuse(Identity *identity, const char *reason)
{
	const char *kind = identity->kind;

	memset(identity, 0, sizeof *identity);
	identity->kind = kind;
	identity->reason = reason;
}

/* NULL when the user may be identified, else the reason why not. */
static const char *
user_refusal(StoreStatus status, const StoreUser *user,
			 const char *absent_reason)
{
	switch (status)
	{
		case STORE_NOT_ATTACHED: return "not_attached";
		case STORE_BAD_ID: return "bad_user_id";
		case STORE_ABSENT: return absent_reason;
		case STORE_FOUND: return user->active ? NULL : "inactive_user";
	}
	return absent_reason; /* not reached: keeps the compiler quiet */
}

static void
accept_user(Identity *identity, const StoreUser *user)
{
	identity->valid = true;
	identity->reason = NULL;
	identity->user_id = user->user_id;
	identity->username = user->username;
}

/* Whether one of a user's tokens has this id. */
static bool
owns_token(List *token_keys, const char *token_id)
{
	ListCell *cell;

	foreach (cell, token_keys)
	{
		const char *key = lfirst(cell);
		char	   *id = identity_token_id(key, strlen(key));

		if (strlen(token_id) == CRYPTO_SHA256_HEX &&
			crypto_equal(id, token_id, CRYPTO_SHA256_HEX))
			return true;
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

/* ---- tokens ---- */

static void
authenticate_token(text *key, Identity *identity)
{
	StoreUser	user;
	const char *refusal;

	refusal =
		user_refusal(store_user_by_token(key, &user), &user, "unknown_token");
	if (refusal != NULL)
	{
		refuse(identity, refusal);
		return;
	}
	accept_user(identity, &user);
	identity->credential_id =
		identity_token_id(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

static void
recheck_token(const char *user_id, const char *credential_id,
			  Identity *identity)
{
	StoreUser	user;
	List	   *keys;
	const char *refusal;

	refusal = user_refusal(store_user_by_id(user_id, &user, &keys), &user,
						   "unknown_user");
	if (refusal == NULL && !owns_token(keys, credential_id))
		refusal = "unknown_token";
	if (refusal != NULL)
	{
		refuse(identity, refusal);
		return;
	}
	accept_user(identity, &user);
	identity->credential_id = pstrdup(credential_id);
}

/* ---- session keys ---- */

/*
 * The answer for a stored session key; consume says whether it is used now or
 * has been before.
 */
static void
identify_session(const uint8_t *hash, const StoreSession *session, bool consume,
				 TimestampTz now, Identity *identity)
{
	StoreUser	user;
	List	   *keys = NIL;
	const char *refusal;

	if (session->expires_at <= now)
	{
		refuse(identity, "expired");
		return;
	}
	if (consume && session->limited && session->uses >= session->max_uses)
	{
		refuse(identity, "used_up");
		return;
	}
	refusal = user_refusal(
		store_user_by_id(session->user_id, &user,
						 session->issuer_id != NULL ? &keys : NULL),
		&user, "unknown_user");
	if (refusal == NULL && session->issuer_id != NULL &&
		!owns_token(keys, session->issuer_id))
		refusal = "unknown_session";
	if (refusal == NULL && consume && session->limited &&
		!store_session_consume(hash, now))
		refusal = "used_up";
	if (refusal != NULL)
	{
		refuse(identity, refusal);
		return;
	}
	accept_user(identity, &user);
	identity->credential_id = palloc(CRYPTO_SHA256_HEX + 1);
	crypto_hex(hash, CRYPTO_SHA256_BYTES, identity->credential_id);
	identity->issuer_id = session->issuer_id;
	identity->has_expiry = true;
	identity->expires_at = session->expires_at;
	identity->groups = session->groups;
}

static void
authenticate_session(text *key, TimestampTz now, Identity *identity)
{
	uint8_t		 hash[CRYPTO_SHA256_BYTES];
	StoreSession session;

	switch (session_key_hash(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), hash))
	{
		case SESSION_KEY_OK: break;
		case SESSION_KEY_MALFORMED: refuse(identity, "unknown_session"); return;
		case SESSION_KEY_CRYPTO_ERROR: hash_failed();
	}
	if (!store_session_find(hash, &session))
		refuse(identity, "unknown_session");
	else
		identify_session(hash, &session, true, now, identity);
}

static void
recheck_session(const char *user_id, const char *credential_id, TimestampTz now,
				Identity *identity)
{
	uint8_t		 hash[CRYPTO_SHA256_BYTES];
	StoreSession session;

	if (!crypto_unhex(credential_id, strlen(credential_id), hash,
					  sizeof hash) ||
		!store_session_find(hash, &session) ||
		strcmp(session.user_id, user_id) != 0)
		refuse(identity, "unknown_session");
	else
		identify_session(hash, &session, false, now, identity);
}

/* ---- every kind ---- */

void
identity_authenticate(const char *kind, text *credential, TimestampTz now,
					  Identity *identity)
{
	memset(identity, 0, sizeof *identity);
	if (kind == NULL)
		refuse(identity, "unknown_kind");
	else if (strcmp(kind, IDENTITY_KIND_TOKEN) == 0)
	{
		identity->kind = IDENTITY_KIND_TOKEN;
		if (credential == NULL)
			refuse(identity, "no_credentials");
		else if (VARSIZE_ANY_EXHDR(credential) > CREDENTIAL_MAX_BYTES)
			refuse(identity, "unknown_token");
		else
			authenticate_token(credential, identity);
	}
	else if (strcmp(kind, IDENTITY_KIND_SESSION) == 0)
	{
		identity->kind = IDENTITY_KIND_SESSION;
		if (credential == NULL)
			refuse(identity, "no_credentials");
		else
			authenticate_session(credential, now, identity);
	}
	else if (strcmp(kind, IDENTITY_KIND_ANONYMOUS) == 0)
	{
		identity->kind = IDENTITY_KIND_ANONYMOUS;
		refuse(identity, "no_credentials");
	}
	else
		refuse(identity, "unknown_kind");
}

void
identity_of_user(const char *user_id, Identity *identity)
{
	StoreUser	user;
	const char *refusal;

	memset(identity, 0, sizeof *identity);
	if (user_id == NULL)
		refusal = "bad_user_id";
	else
		refusal = user_refusal(store_user_by_id(user_id, &user, NULL), &user,
							   "unknown_user");
	if (refusal != NULL)
		refuse(identity, refusal);
	else
		accept_user(identity, &user);
}

void
identity_recheck(const char *kind, const char *user_id,
				 const char *credential_id, TimestampTz now, Identity *identity)
{
	memset(identity, 0, sizeof *identity);
	if (kind == NULL)
		refuse(identity, "unknown_kind");
	else if (strcmp(kind, IDENTITY_KIND_TOKEN) == 0)
	{
		identity->kind = IDENTITY_KIND_TOKEN;
		if (user_id == NULL || credential_id == NULL)
			refuse(identity, "no_credentials");
		else
			recheck_token(user_id, credential_id, identity);
	}
	else if (strcmp(kind, IDENTITY_KIND_SESSION) == 0)
	{
		identity->kind = IDENTITY_KIND_SESSION;
		if (user_id == NULL || credential_id == NULL)
			refuse(identity, "no_credentials");
		else
			recheck_session(user_id, credential_id, now, identity);
	}
	else if (strcmp(kind, IDENTITY_KIND_ANONYMOUS) == 0)
	{
		identity->kind = IDENTITY_KIND_ANONYMOUS;
		refuse(identity, "no_credentials");
	}
	else
		refuse(identity, "unknown_kind");
}
