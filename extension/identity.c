/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Whose credential is it: kind and text in, one identity out.
 *
 * Every kind is a pair of functions in the table below: one that looks a
 * credential up, one that looks again at what opened a connection.  Tokens and
 * our own session keys are here, every other kind has its room, identity_*.c.
 *
 * A credential is named by its id.  Of a session key that is the stored hash;
 * of a token, which Django keeps in clear, a hash salted with a secret of
 * this installation; of what can be found again only by its text, that text
 * sealed with the same secret.  So whoever sees an id can neither use it nor
 * try keys against it.
 *
 * A session key that a token issued is good only while that token is there.
 * The trigger on the token table deletes such keys, but one that is issued
 * while the token is being deleted escapes it; so every use looks again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "crypto.h"
#include "identity.h"
#include "identity_kind.h"
#include "session_key.h"
#include "store.h"

/* Seconds from 1970 to PostgreSQL's epoch, 2000. */
#define UNIX_TO_POSTGRES_S                                                     \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

#define NO_CREDENTIALS "no_credentials"

/* ---- ids ---- */

static void
crypto_failed(const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					errmsg("could not compute %s", what)));
}

static void
hash_failed(void)
{
	crypto_failed("a SHA-256 hash");
}

char *
identity_hashed_id(const char *label, const char *bytes, size_t len)
{
	const UsherInstance *instance = store_instance();
	CryptoPart			 parts[3] = {{instance->salt, sizeof instance->salt},
									 {label, strlen(label)},
									 {bytes, len}};
	uint8_t				 hash[CRYPTO_SHA256_BYTES];
	char				*id = palloc(CRYPTO_SHA256_HEX + 1);

	if (!crypto_sha256(parts, lengthof(parts), hash))
		hash_failed();
	crypto_hex(hash, sizeof hash, id);
	return id;
}

char *
identity_token_id(const char *key, size_t len)
{
	return identity_hashed_id("token:", key, len);
}

char *
identity_sealed_id(const char *label, const char *bytes, size_t len)
{
	const UsherInstance *instance = store_instance();
	uint8_t				*sealed;
	char				*id;

	/* An empty text cannot be sealed; no other one holds a NUL. */
	if (len == 0)
	{
		bytes = "";
		len = 1;
	}
	sealed = palloc(len + CRYPTO_SEAL_EXTRA);
	id = palloc(2 * (len + CRYPTO_SEAL_EXTRA) + 1);
	if (!crypto_seal(instance->salt, sizeof instance->salt, label,
					 (const uint8_t *) bytes, len, sealed))
		crypto_failed("a sealed id");
	crypto_hex(sealed, len + CRYPTO_SEAL_EXTRA, id);
	return id;
}

text *
identity_open_id(const char *label, const char *id, size_t max_bytes)
{
	const UsherInstance *instance = store_instance();
	size_t				 len = strlen(id) / 2;
	uint8_t				*sealed;
	text				*opened;

	if (len <= CRYPTO_SEAL_EXTRA || len > max_bytes + CRYPTO_SEAL_EXTRA)
		return NULL;
	sealed = palloc(len);
	opened = palloc(VARHDRSZ + len);
	if (!crypto_unhex(id, strlen(id), sealed, len) ||
		!crypto_open(instance->salt, sizeof instance->salt, label, sealed, len,
					 (uint8_t *) VARDATA(opened)))
		return NULL;
	SET_VARSIZE(opened, VARHDRSZ + len - CRYPTO_SEAL_EXTRA);
	return opened;
}

/* ---- answers ---- */

void
identity_refuse(Identity *identity, const char *reason)
{
	const char *kind = identity->kind;

	memset(identity, 0, sizeof *identity);
	identity->kind = kind;
	identity->reason = reason;
}

const char *
identity_user_refusal(StoreStatus status, const StoreUser *user,
					  bool any_active, const char *absent_reason)
{
	switch (status)
	{
		case STORE_NOT_ATTACHED: return "not_attached";
		case STORE_BAD_ID: return "bad_user_id";
		case STORE_ABSENT: return absent_reason;
		case STORE_FOUND:
			return user->active || any_active ? NULL : "inactive_user";
	}
	return absent_reason; /* not reached: keeps the compiler quiet */
}

void
identity_accept(Identity *identity, const StoreUser *user)
{
	identity->valid = true;
	identity->reason = NULL;
	identity->user_id = user->user_id;
	identity->username = user->username;
}

void
identity_expire(Identity *identity, TimestampTz at)
{
	identity->has_expiry = !TIMESTAMP_IS_NOEND(at);
	identity->expires_at = identity->has_expiry ? at : 0;
}

void
identity_expire_unix(Identity *identity, int64 seconds)
{
	TimestampTz at;

	if (pg_sub_s64_overflow(seconds, UNIX_TO_POSTGRES_S, &seconds) ||
		pg_mul_s64_overflow(seconds, USECS_PER_SEC, &at) ||
		!IS_VALID_TIMESTAMP(at))
		at = DT_NOEND;
	identity_expire(identity, at);
}

int64
identity_unix_us(TimestampTz time)
{
	return time + UNIX_TO_POSTGRES_S * USECS_PER_SEC;
}

/* ---- tokens ---- */

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

static void
authenticate_token(text *key, TimestampTz now, Identity *identity)
{
	StoreUser	user;
	const char *refusal;

	if (store_tokens_are_knox())
	{
		identity->kind = IDENTITY_KIND_KNOX;
		identity_kind_knox.authenticate(key, now, identity);
		return;
	}
	refusal = identity_user_refusal(store_user_by_token(key, &user), &user,
									false, "unknown_token");
	if (refusal != NULL)
	{
		identity_refuse(identity, refusal);
		return;
	}
	identity_accept(identity, &user);
	identity->credential_id =
		identity_token_id(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

static void
recheck_token(const char *user_id, const char *credential_id, TimestampTz now,
			  Identity *identity)
{
	StoreUser	user;
	List	   *keys;
	const char *refusal;

	(void) now; /* tokens do not expire */
	refusal = identity_user_refusal(store_user_by_id(user_id, &user, &keys),
									&user, false, "unknown_user");
	if (refusal == NULL && !owns_token(keys, credential_id))
		refusal = "unknown_token";
	if (refusal != NULL)
	{
		identity_refuse(identity, refusal);
		return;
	}
	identity_accept(identity, &user);
	identity->credential_id = pstrdup(credential_id);
}

static const IdentityKind identity_kind_token = {
	IDENTITY_KIND_TOKEN, IDENTITY_MAX_BYTES, "unknown_token",
	authenticate_token, recheck_token};

/* ---- session keys ---- */

/*
 * NULL and the user of a session key, or the reason why it is refused.
 * *expires_at is when its issuer expires, DT_NOEND if never.
 */
static const char *
find_session_user(const StoreSession *session, TimestampTz now, StoreUser *user,
				  TimestampTz *expires_at)
{
	List	   *keys = NIL;
	const char *refusal;

	*expires_at = DT_NOEND;
	if (session->issuer_id != NULL && session->issuer_kind != NULL &&
		strcmp(session->issuer_kind, IDENTITY_KIND_KNOX) == 0)
	{
		refusal = identity_knox_owner(session->user_id, session->issuer_id, now,
									  user, expires_at);
		if (refusal != NULL && strcmp(refusal, "unknown_token") == 0)
			refusal = "unknown_session";
		return refusal;
	}
	refusal = identity_user_refusal(
		store_user_by_id(session->user_id, user,
						 session->issuer_id != NULL ? &keys : NULL),
		user, false, "unknown_user");
	if (refusal == NULL && session->issuer_id != NULL &&
		!owns_token(keys, session->issuer_id))
		refusal = "unknown_session";
	return refusal;
}

/*
 * The answer for a stored session key; consume says whether it is used now or
 * has been before.
 */
static void
identify_session(const uint8_t *hash, const StoreSession *session, bool consume,
				 TimestampTz now, Identity *identity)
{
	StoreUser	user;
	TimestampTz issuer_expires_at;
	const char *refusal;

	if (session->expires_at <= now)
	{
		identity_refuse(identity, "expired");
		return;
	}
	if (consume && session->limited && session->uses >= session->max_uses)
	{
		identity_refuse(identity, "used_up");
		return;
	}
	refusal = find_session_user(session, now, &user, &issuer_expires_at);
	if (refusal == NULL && consume && session->limited &&
		!store_session_consume(hash, now))
		refusal = "used_up";
	if (refusal != NULL)
	{
		identity_refuse(identity, refusal);
		return;
	}
	identity_accept(identity, &user);
	identity->credential_id = palloc(CRYPTO_SHA256_HEX + 1);
	crypto_hex(hash, CRYPTO_SHA256_BYTES, identity->credential_id);
	identity->issuer_id = session->issuer_id;
	identity_expire(identity, Min(session->expires_at, issuer_expires_at));
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
		case SESSION_KEY_MALFORMED:
			identity_refuse(identity, "unknown_session");
			return;
		case SESSION_KEY_CRYPTO_ERROR: hash_failed();
	}
	if (!store_session_find(hash, &session))
		identity_refuse(identity, "unknown_session");
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
		identity_refuse(identity, "unknown_session");
	else
		identify_session(hash, &session, false, now, identity);
}

static const IdentityKind identity_kind_session = {
	IDENTITY_KIND_SESSION, IDENTITY_MAX_BYTES, "unknown_session",
	authenticate_session, recheck_session};

/* ---- nobody in particular ---- */

static void
authenticate_anonymous(text *credential, TimestampTz now, Identity *identity)
{
	(void) credential;
	(void) now;
	identity_refuse(identity, NO_CREDENTIALS);
}

static void
recheck_anonymous(const char *user_id, const char *credential_id,
				  TimestampTz now, Identity *identity)
{
	(void) user_id;
	(void) credential_id;
	(void) now;
	identity_refuse(identity, NO_CREDENTIALS);
}

static const IdentityKind identity_kind_anonymous = {
	IDENTITY_KIND_ANONYMOUS, IDENTITY_MAX_BYTES, NO_CREDENTIALS,
	authenticate_anonymous, recheck_anonymous};

/* ---- every kind ---- */

/* The kind of that name; or NULL, and the identity is refused. */
static const IdentityKind *
find_kind(const char *name, Identity *identity)
{
	static const IdentityKind *const kinds[] = {
		&identity_kind_token, &identity_kind_session,
		&identity_kind_jwt,	  &identity_kind_django_session,
		&identity_kind_knox,  &identity_kind_anonymous,
	};
	int i;

	memset(identity, 0, sizeof *identity);
	for (i = 0; name != NULL && i < (int) lengthof(kinds); i++)
	{
		if (strcmp(kinds[i]->name, name) == 0)
		{
			identity->kind = kinds[i]->name;
			return kinds[i];
		}
	}
	identity_refuse(identity, "unknown_kind");
	return NULL;
}

void
identity_authenticate(const char *kind, text *credential, TimestampTz now,
					  Identity *identity)
{
	const IdentityKind *found = find_kind(kind, identity);

	if (found == NULL)
		return;
	if (credential == NULL)
		identity_refuse(identity, NO_CREDENTIALS);
	else if (VARSIZE_ANY_EXHDR(credential) > found->max_bytes)
		identity_refuse(identity, found->too_long);
	else
		found->authenticate(credential, now, identity);
}

void
identity_recheck(const char *kind, const char *user_id,
				 const char *credential_id, TimestampTz now, Identity *identity)
{
	const IdentityKind *found = find_kind(kind, identity);

	if (found == NULL)
		return;
	if (user_id == NULL || credential_id == NULL)
		identity_refuse(identity, NO_CREDENTIALS);
	else
		found->recheck(user_id, credential_id, now, identity);
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
		refusal = identity_user_refusal(store_user_by_id(user_id, &user, NULL),
										&user, false, "unknown_user");
	if (refusal != NULL)
		identity_refuse(identity, refusal);
	else
		identity_accept(identity, &user);
}
