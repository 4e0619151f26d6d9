/*-------------------------------------------------------------------------
 *
 * jwt_tokens.h
 *	  What the tests of JSON Web Tokens share: simplejwt's settings, and
 *	  tokens that are signed on the spot.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_JWT_TOKENS_H
#define USHER_JWT_TOKENS_H

#include "base64url.h"
#include "check.h"
#include "jwt.h"

/* The clock of test/vectors/vectors.json: 2026-01-01 00:00:00 UTC */
#define NOW_US INT64_C(1767225600000000)

#define HS256_HEADER "{\"alg\":\"HS256\"}"
#define ACCESS_PAYLOAD                                                         \
	"{\"token_type\":\"access\",\"exp\":1767225900,\"jti\":\"j\",\"user_id\":" \
	"7}"

static const JwtOptions simplejwt = {
	.flavor = JWT_SIMPLEJWT,
	.user_claim = "user_id",
	.type_claim = "token_type",
	.types = (const char *const[]){"access"},
	.ntypes = 1,
	.jti_claim = "jti",
};

static const JwtKey hs256 = {JWT_HS256, "secret", 6, NULL};

static JwtClaims claims;				   /* of what was judged last */
static char		 token[3 * JWT_MAX_BYTES]; /* that was signed last */

/* The reason, or "ok". */
static const char *
verdict(JwtStatus status)
{
	return status == JWT_OK ? "ok" : jwt_reason(status);
}

/* Sign a header and a payload with hs256; returns the token's length. */
static size_t
sign(const char *header, const char *payload)
{
	size_t	   n;
	CryptoPart part = {token, 0};
	uint8_t	   tag[CRYPTO_HASH_MAX_BYTES];

	n = base64url_encode((const uint8_t *) header, strlen(header), token);
	token[n++] = '.';
	n +=
		base64url_encode((const uint8_t *) payload, strlen(payload), token + n);
	part.len = n;
	CHECK(crypto_hmac(CRYPTO_SHA256, "secret", 6, &part, 1, tag));
	token[n++] = '.';
	return n + base64url_encode(tag, 32, token + n);
}

#endif
