/*-------------------------------------------------------------------------
 *
 * django_session.h
 *	  What Django keeps in django_session.session_data, and whether Django
 *	  would believe it.  Pure: no postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_DJANGO_SESSION_H
#define USHER_DJANGO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define DJANGO_SESSION_KEY_MIN 8  /* shorter ones are no session */
#define DJANGO_SESSION_KEY_MAX 40 /* the column's length */
#define DJANGO_USER_ID_MAX 255	  /* bytes */
#define DJANGO_BACKEND_MAX 255	  /* bytes */
#define DJANGO_AUTH_HASH_MAX 128  /* bytes; real ones have 40 or 64 */
#define DJANGO_SESSION_INFLATE_MAX (4 * 1024 * 1024)

/* SECRET_KEY, then SECRET_KEY_FALLBACKS in their order; borrowed. */
typedef struct DjangoSecretKeys
{
	const CryptoPart *keys;
	size_t			  count;
} DjangoSecretKeys;

typedef struct DjangoSessionOptions
{
	const char *store_class;	/* "SessionStore": part of the salt */
	bool		accept_pre_3_1; /* old format, SHA-1 signatures and hashes */
} DjangoSessionOptions;

typedef enum DjangoSessionStatus
{
	DJANGO_SESSION_OK,
	DJANGO_SESSION_BAD_SIGNATURE,
	DJANGO_SESSION_CORRUPT,		 /* signed, but not a session */
	DJANGO_SESSION_EXPIRED,		 /* signed cookies only */
	DJANGO_SESSION_NO_USER,		 /* a session of nobody in particular */
	DJANGO_SESSION_BAD_USER_ID,	 /* _auth_user_id is no string or integer, or
								  * too long */
	DJANGO_SESSION_CRYPTO_ERROR, /* OpenSSL or malloc failed */
} DjangoSessionStatus;

/* Who the session says is logged in.  Strings are NUL-terminated UTF-8. */
typedef struct DjangoSession
{
	char	user_id[DJANGO_USER_ID_MAX + 1];
	char	backend[DJANGO_BACKEND_MAX + 1];	 /* "" when it is no text */
	char	auth_hash[DJANGO_AUTH_HASH_MAX + 1]; /* "" when there is none */
	int64_t stamp_s; /* when it was last saved; new format only, else 0 */
} DjangoSession;

/*
 * django_session_decode
 *		Verify and read session_data of a row.
 *
 * Accepts what Django 3.1 to 6.x write (django/core/signing.py,
 * TimestampSigner and loads with the salt "django.contrib.sessions." +
 * store_class), and with accept_pre_3_1 what Django up to 3.2 also accepts.
 * The time stamp inside is not compared with any clock.
 */
extern DjangoSessionStatus django_session_decode(
	const char *data, size_t len, const DjangoSecretKeys *secrets,
	const DjangoSessionOptions *options, DjangoSession *session);

/*
 * django_session_decode_cookie
 *		The same for the cookie of the signed_cookies backend, whose stamp
 *		counts: expired when now_s - stamp > max_age_s.
 *
 * Django's clock has microseconds; rounding it up to now_s gives the same
 * answers.
 */
extern DjangoSessionStatus
django_session_decode_cookie(const char *value, size_t len,
							 const DjangoSecretKeys *secrets, int64_t now_s,
							 int64_t max_age_s, DjangoSession *session);

/*
 * django_session_hash_matches
 *		Whether auth_hash is that of a user with this password column, under
 *		any of the keys (django/contrib/auth/base_user.py).
 */
extern bool django_session_hash_matches(const char			   *auth_hash,
										const char			   *password,
										size_t					password_len,
										const DjangoSecretKeys *secrets,
										bool					accept_pre_3_1);

/*
 * django_auth_hash
 *		_auth_user_hash for a password column: lower-case hex and a NUL.
 *		CRYPTO_SHA256, or CRYPTO_SHA1 for Django before 3.1.
 */
extern bool django_auth_hash(CryptoHash hash, const char *password, size_t len,
							 const CryptoPart *secret,
							 char out[2 * CRYPTO_HASH_MAX_BYTES + 1]);

/*
 * django_salted_hmac
 *		HMAC under the key hash(salt || secret) (django/utils/crypto.py).
 */
extern bool django_salted_hmac(CryptoHash hash, const char *salt,
							   const CryptoPart *secret, const void *value,
							   size_t len, uint8_t out[CRYPTO_HASH_MAX_BYTES]);

/*
 * django_signature
 *		The text of Signer(salt).signature(value): base64url of the
 *		salted_hmac with salt || "signer", and a NUL.
 */
#define DJANGO_SIGNATURE_MAX 86
extern bool django_signature(CryptoHash hash, const char *salt,
							 const CryptoPart *secret, const void *value,
							 size_t len, char out[DJANGO_SIGNATURE_MAX + 1]);

/*
 * django_base62_encode, django_base62_decode
 *		Digits 0-9 A-Z a-z, '-' in front of negatives (django/core/signing.py).
 *
 * encode writes at most 12 characters and a NUL.  decode refuses the empty
 * text and foreign characters.  Python's numbers have no end, and a row's stamp
 * is compared with nothing; so what does not fit 64 bits becomes the nearest
 * number that does.
 */
extern void django_base62_encode(int64_t number, char out[13]);
extern bool django_base62_decode(const char *text, size_t len, int64_t *number);

/* Why it was refused: "bad_signature", "corrupt", "expired",
 * "no_user_in_session", "bad_user_id", "crypto_error"; NULL for OK. */
extern const char *django_session_reason(DjangoSessionStatus status);

#endif /* USHER_DJANGO_SESSION_H */
