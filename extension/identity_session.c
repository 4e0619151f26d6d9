/*-------------------------------------------------------------------------
 *
 * identity_session.c
 *	  Our own session keys.
 *
 * A session key that a token issued is good only while that token is there.
 * The trigger on the token table deletes such keys, but one that is issued
 * while the token is being deleted escapes it; so every use looks again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "crypto.h"
#include "identity_kind.h"
#include "session_key.h"
#include "store.h"

/*
 * The same for a key that was given for a Django session or a JWT: it is good
 * only while that is.
 */
static const char *
find_issuer(const StoreSession *session, TimestampTz now, StoreUser *user,
			TimestampTz *expires_at)
{
	Identity issuer;

	identity_recheck(session->issuer_kind, session->user_id,
					 session->issuer_credential, now, &issuer);
	if (!issuer.valid)
		return strcmp(issuer.reason, "expired") == 0 ? "expired"
													 : "unknown_session";
	if (issuer.has_expiry)
		*expires_at = issuer.expires_at;
	return identity_user_refusal(store_user_by_id(session->user_id, user, NULL),
								 user, true, "unknown_user");
}

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
	if (session->issuer_credential != NULL)
		return find_issuer(session, now, user, expires_at);
	refusal = identity_user_refusal(
		store_user_by_id(session->user_id, user,
						 session->issuer_id != NULL ? &keys : NULL),
		user, false, "unknown_user");
	if (refusal == NULL && session->issuer_id != NULL &&
		!identity_owns_token(keys, session->issuer_id))
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
		case SESSION_KEY_CRYPTO_ERROR: identity_crypto_failed("a SHA-256 hash");
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

const IdentityKind identity_kind_session = {
	IDENTITY_KIND_SESSION, IDENTITY_MAX_BYTES, "unknown_session",
	authenticate_session, recheck_session};
