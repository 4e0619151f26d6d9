/*-------------------------------------------------------------------------
 *
 * identity_kind.c
 *	  What the kinds of credentials share: ids and answers.
 *
 * A credential is named by its id.  Of a session key that is the stored hash;
 * of a token, which Django keeps in clear, a hash salted with a secret of
 * this installation; of what can be found again only by its text, that text
 * sealed with the same secret.  So whoever sees an id can neither use it nor
 * try keys against it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "datatype/timestamp.h"
#include "utils/timestamp.h"

#include "crypto.h"
#include "identity_kind.h"
#include "store.h"

/* Seconds from 1970 to PostgreSQL's epoch, 2000. */
#define UNIX_TO_POSTGRES_S                                                     \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* ---- ids ---- */

void
identity_crypto_failed(const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					errmsg("could not compute %s", what)));
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
		identity_crypto_failed("a SHA-256 hash");
	crypto_hex(hash, sizeof hash, id);
	return id;
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
		identity_crypto_failed("a sealed id");
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
