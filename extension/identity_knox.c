/*-------------------------------------------------------------------------
 *
 * identity_knox.c
 *	  Tokens of django-rest-knox.
 *
 * A token is found by its first characters, which are stored in clear, and
 * known by a digest of the whole.  Its id is a hash of that digest, which the
 * triggers on the table can compute too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "crypto.h"
#include "identity_kind.h"
#include "knox.h"
#include "store.h"
#include "store_options.h"
#include "utf8.h"

#define UNKNOWN_TOKEN "unknown_token"

char *
identity_knox_id(const char *digest)
{
	return identity_hashed_id("knox:", digest, strlen(digest));
}

/*
 * The row whose token this is, expired or not; or NULL, and *refusal says
 * why.  Digests are unique: no second row can match.
 */
static StoreKnox *
find_row(const text *token, const char **refusal)
{
	const char *bytes = VARDATA_ANY(token);
	size_t		len = VARSIZE_ANY_EXHDR(token);
	KnoxFormat	format = store_knox_format();
	size_t		key_len;
	const char *key;
	List	   *rows;
	ListCell   *cell;
	StoreStatus status;

	*refusal = UNKNOWN_TOKEN;
	if (len > KNOX_TOKEN_MAX)
		return NULL;
	/* Knox hashes characters of tokens as UTF-8. */
	bytes = utf8_from_server(pnstrdup(bytes, len), len, &len);
	key_len = bytes == NULL ? 0 : knox_token_key(format, bytes, len);
	if (key_len == 0)
		return NULL;
	key = utf8_to_server(pnstrdup(bytes, key_len), key_len, NULL);
	if (key == NULL)
		return NULL;

	status = store_knox_by_key(key, &rows);
	if (status == STORE_NOT_ATTACHED)
		*refusal = "not_attached";
	foreach (cell, rows)
	{
		StoreKnox *row = lfirst(cell);

		if (knox_digest_matches(format, store_options()->knox_hash, bytes, len,
								row->salt, row->digest))
			return row;
		CHECK_FOR_INTERRUPTS();
	}
	return NULL;
}

char *
identity_knox_digest(const text *token)
{
	const char *refusal;
	StoreKnox  *row = find_row(token, &refusal);

	return row == NULL ? NULL : row->digest;
}

/* Knox takes a token at the very moment of its expiry: knox/auth.py. */
static bool
has_expired(const StoreKnox *row, TimestampTz now)
{
	return row->has_expiry && row->expires_at < now;
}

static void
identify(const StoreKnox *row, TimestampTz now, Identity *identity)
{
	const char *refusal;

	refusal = has_expired(row, now)
				  ? "expired"
				  : identity_user_refusal(row->status, &row->user, false,
										  UNKNOWN_TOKEN);
	if (refusal != NULL)
	{
		identity_refuse(identity, refusal);
		return;
	}
	identity_accept(identity, &row->user);
	identity->credential_id = identity_knox_id(row->digest);
	if (row->has_expiry)
		identity_expire(identity, row->expires_at);
}

static void
authenticate_knox(text *credential, TimestampTz now, Identity *identity)
{
	const char *refusal;
	StoreKnox  *row = find_row(credential, &refusal);

	if (row == NULL)
		identity_refuse(identity, refusal);
	else
		identify(row, now, identity);
}

/* The row of the user's whose token has this id; or NULL, and *refusal. */
static StoreKnox *
find_owned(const char *user_id, const char *credential_id, const char **refusal)
{
	StoreUser user;
	List	 *rows;
	ListCell *cell;

	*refusal = identity_user_refusal(store_knox_of(user_id, &user, &rows),
									 &user, false, "unknown_user");
	if (*refusal != NULL)
		return NULL;
	*refusal = UNKNOWN_TOKEN;
	if (strlen(credential_id) != CRYPTO_SHA256_HEX)
		return NULL;
	foreach (cell, rows)
	{
		StoreKnox *row = lfirst(cell);

		if (crypto_equal(identity_knox_id(row->digest), credential_id,
						 CRYPTO_SHA256_HEX))
			return row;
		CHECK_FOR_INTERRUPTS();
	}
	return NULL;
}

static void
recheck_knox(const char *user_id, const char *credential_id, TimestampTz now,
			 Identity *identity)
{
	const char *refusal;
	StoreKnox  *row = find_owned(user_id, credential_id, &refusal);

	if (row == NULL)
		identity_refuse(identity, refusal);
	else
		identify(row, now, identity);
}

const char *
identity_knox_owner(const char *user_id, const char *credential_id,
					TimestampTz now, StoreUser *user, TimestampTz *expires_at)
{
	const char *refusal;
	StoreKnox  *row = find_owned(user_id, credential_id, &refusal);

	if (row == NULL)
		return refusal;
	if (has_expired(row, now))
		return "expired";
	*user = row->user;
	*expires_at = row->has_expiry ? row->expires_at : DT_NOEND;
	return NULL;
}

const IdentityKind identity_kind_knox = {IDENTITY_KIND_KNOX, KNOX_TOKEN_MAX,
										 UNKNOWN_TOKEN, authenticate_knox,
										 recheck_knox};
