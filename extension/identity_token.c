/*-------------------------------------------------------------------------
 *
 * identity_token.c
 *	  Tokens of Django REST framework.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "crypto.h"
#include "identity_kind.h"
#include "store.h"

char *
identity_token_id(const char *key, size_t len)
{
	return identity_hashed_id("token:", key, len);
}

bool
identity_owns_token(List *token_keys, const char *token_id)
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
	if (refusal == NULL && !identity_owns_token(keys, credential_id))
		refusal = "unknown_token";
	if (refusal != NULL)
	{
		identity_refuse(identity, refusal);
		return;
	}
	identity_accept(identity, &user);
	identity->credential_id = pstrdup(credential_id);
}

const IdentityKind identity_kind_token = {IDENTITY_KIND_TOKEN,
										  IDENTITY_MAX_BYTES, "unknown_token",
										  authenticate_token, recheck_token};
