/*-------------------------------------------------------------------------
 *
 * jwt.h
 *	  JSON Web Tokens of djangorestframework-simplejwt, djangorestframework-jwt
 *	  and drf-jwt: signature, time and claims.  Pure: no postgres.h, the time
 *	  is passed in.
 *
 * Configuration binds each key to one algorithm; the token chooses neither
 * (RFC 8725 section 3.1).  Stricter than the libraries where they are lax:
 * base64url without padding or foreign characters, no equal member names, exp
 * required, dates no later than Python's, user ids as written, a jti that a
 * column of the site can hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_JWT_H
#define USHER_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define JWT_MAX_BYTES 16384		 /* of a token; a request head holds less */
#define JWT_CLAIM_MAX 255		 /* bytes of a user id, a jti or a type */
#define JWT_PASSWORD_HASH_LEN 32 /* upper-case hex of an MD5 */

typedef enum JwtAlgorithm
{
	JWT_HS256,
	JWT_HS384,
	JWT_HS512,
	JWT_RS256,
	JWT_RS384,
	JWT_RS512,
	JWT_ES256,
	JWT_ES384,
	JWT_ES512
} JwtAlgorithm;

/* "HS256" and so on, exactly so (RFC 7518 section 3.1). */
extern bool jwt_algorithm_parse(const char *name, JwtAlgorithm *algorithm);
extern const char *jwt_algorithm_name(JwtAlgorithm algorithm);

/* Whether an algorithm's key is a shared secret and not a public key. */
extern bool jwt_algorithm_is_hmac(JwtAlgorithm algorithm);

/*
 * A key and what it is for; borrowed.  A key that does not fit its algorithm
 * (jwt_key_check) verifies nothing: every token that names the algorithm is
 * JWT_BAD_KEY.
 */
typedef struct JwtKey
{
	JwtAlgorithm		   algorithm;
	const void			  *secret; /* HS*: the bytes; else NULL */
	size_t				   secret_len;
	const CryptoPublicKey *public_key; /* RS*, ES*: the key; else NULL */
} JwtKey;

/*
 * jwt_key_check
 *		NULL when the key may be used with its algorithm, else why not, as the
 *		end of a sentence ("is not on curve P-256").
 *
 * An HS* secret must not be empty nor look like PEM or SSH text (the public
 * key of RS256 confusion; jwt/algorithms.py, HMACAlgorithm.prepare_key).  An
 * RSA key has at least 2048 bits (RFC 7518 section 3.3).
 */
extern const char *jwt_key_check(const JwtKey *key);

typedef enum JwtFlavor
{
	JWT_SIMPLEJWT, /* the user is found by user_claim */
	JWT_DRF_JWT	   /* the user is found by the claim username, always */
} JwtFlavor;

/* As the libraries' settings; strings are NUL-terminated UTF-8, borrowed. */
typedef struct JwtOptions
{
	JwtFlavor		   flavor;
	const char		  *audience;   /* NULL: see flavor; a list is not needed */
	const char		  *issuer;	   /* NULL: not looked at */
	int				   leeway_s;   /* >= 0, for exp, nbf and iat */
	const char		  *user_claim; /* "user_id"; not for drf-jwt */
	const char		  *type_claim; /* "token_type"; NULL: not looked at */
	const char *const *types;	   /* accepted values, such as "access" */
	size_t			   ntypes;
	const char		  *jti_claim;	 /* "jti"; NULL: not required */
	const char		  *revoke_claim; /* "hash_password"; NULL: not looked at */
} JwtOptions;

typedef enum JwtStatus
{
	JWT_OK,
	JWT_MALFORMED,
	JWT_DUPLICATE_NAME,
	JWT_CRIT,
	JWT_BAD_ALGORITHM,
	JWT_BAD_KEY,
	JWT_BAD_BASE64,
	JWT_BAD_SIGNATURE,
	JWT_BAD_PAYLOAD,
	JWT_MISSING_EXP,
	JWT_BAD_EXP,
	JWT_BAD_NBF,
	JWT_BAD_IAT,
	JWT_EXPIRED,
	JWT_NOT_YET_VALID,
	JWT_BAD_ISSUER,
	JWT_BAD_AUDIENCE,
	JWT_BAD_SUB,
	JWT_BAD_JTI,
	JWT_MISSING_JTI,
	JWT_WRONG_TOKEN_TYPE,
	JWT_MISSING_USER_ID,
	JWT_BAD_USER_ID,
	JWT_PASSWORD_CHANGED, /* the revoke claim is missing or no such hash */
	JWT_CRYPTO_ERROR	  /* OpenSSL or malloc failed */
} JwtStatus;

/* What is left to compare with the database.  Strings are NUL-terminated. */
typedef struct JwtClaims
{
	char user[JWT_CLAIM_MAX + 1]; /* simplejwt: an id; drf-jwt: a username */
	char jti[JWT_CLAIM_MAX + 1];  /* "" when there is none */
	char type[JWT_CLAIM_MAX + 1]; /* the accepted type, "" when not looked at */
	char password_hash[JWT_PASSWORD_HASH_LEN + 1]; /* "" when not looked at */
	int64_t expires_at_s; /* first second at which it is refused, leeway
						   * included */
} JwtClaims;

/*
 * jwt_verify
 *		Check everything about a token that needs no database.
 *
 * now_us is Unix time in microseconds.  Every key whose algorithm the token
 * names is tried.  Work before the signature is bounded by len, which may be
 * anything; longer than JWT_MAX_BYTES is JWT_MALFORMED.  claims is meaningful
 * only with JWT_OK.
 * Spec: RFC 7515 section 5.2, RFC 7519 section 7.2,
 * rest_framework_simplejwt/tokens.py, rest_framework_jwt/utils.py.
 */
extern JwtStatus jwt_verify(const char *token, size_t len, const JwtKey *keys,
							size_t nkeys, const JwtOptions *options,
							int64_t now_us, JwtClaims *claims);

/*
 * jwt_password_matches
 *		Whether a password column is the one the token was made for
 *		(CHECK_REVOKE_TOKEN): upper-case hex of the MD5 of its bytes.
 */
extern bool jwt_password_matches(const char *password_hash,
								 const char *password, size_t len);

/* The stable word for a status, such as "bad_signature"; NULL for JWT_OK. */
extern const char *jwt_reason(JwtStatus status);

#endif /* USHER_JWT_H */
