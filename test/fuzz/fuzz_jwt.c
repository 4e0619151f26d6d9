/*-------------------------------------------------------------------------
 *
 * fuzz_jwt.c
 *	  Properties of the tokens that are accepted, and of refusals.
 *
 * Most inputs are signed here, for else none would get past the signature.
 * What is signed is never refused for its base64 or signature.  An accepted
 * token names a user, stays good until the second it names and no longer,
 * and is not good under another key, with a bit less, or with a character
 * more or less.
 *
 * Input: a byte of flags; then a token, or with FLAG_SIGN a byte of the
 * header's length, header and payload.
 *
 *-------------------------------------------------------------------------
 */
#include "base64url.h"
#include "jwt.h"

#include "fuzz.h"

#define FLAG_SIGN 0x01
#define FLAG_DRF_JWT 0x02
#define FLAG_PARTIES 0x04 /* audience and issuer are configured */
#define FLAG_LEEWAY 0x08
#define FLAG_NAMES 0x10 /* neither jti nor type is looked at */
#define FLAG_REVOKE 0x20
#define FLAG_PUBLIC_KEY 0x40 /* ES256 and not HS256: slow, so not signed */

#define NOW_US INT64_C(1767225600500000)
#define SECRET "a secret of the site"

/* RFC 7515 appendix A.3.1 */
static const char p256[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
	"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
	"-----END PUBLIC KEY-----\n";

/* A header and a payload, signed; *len is the token's length. */
static char *
sign(const uint8_t *data, size_t size, size_t *len)
{
	size_t	   header_len = size > 0 ? data[0] : 0;
	char	  *token = malloc(BASE64URL_ENCODED_LEN(size) + 100);
	CryptoPart part = {token, 0};
	uint8_t	   tag[CRYPTO_HASH_MAX_BYTES];
	size_t	   n;

	MUST(token != NULL);
	if (size > 0)
	{
		data++;
		size--;
	}
	if (header_len > size)
		header_len = size;
	n = base64url_encode(data, header_len, token);
	token[n++] = '.';
	n += base64url_encode(data + header_len, size - header_len, token + n);
	part.len = n;
	MUST(crypto_hmac(CRYPTO_SHA256, SECRET, strlen(SECRET), &part, 1, tag));
	token[n++] = '.';
	*len = n + base64url_encode(tag, CRYPTO_SHA256_BYTES, token + n);
	return token;
}

static void
check_claims(const JwtClaims *claims, const JwtOptions *options)
{
	bool simplejwt = options->flavor == JWT_SIMPLEJWT;

	MUST(claims->user[0] != '\0');
	MUST(strlen(claims->user) <= JWT_CLAIM_MAX);
	MUST(strlen(claims->jti) <= JWT_CLAIM_MAX);
	if (simplejwt && options->type_claim != NULL)
		MUST(strcmp(claims->type, "access") == 0);
	else
		MUST(claims->type[0] == '\0');
	MUST(strlen(claims->password_hash) ==
		 (options->revoke_claim != NULL ? JWT_PASSWORD_HASH_LEN : 0));
	MUST(claims->expires_at_s > NOW_US / 1000000);
	MUST(claims->expires_at_s <= INT64_C(253402300799) + options->leeway_s);
}

/* Whether anything that is nearly the accepted token is accepted. */
static void
check_neighbours(char *token, size_t len, const JwtKey *key,
				 const JwtOptions *options, int64_t expires_at_s)
{
	static const JwtKey other = {JWT_HS256, "another", 7, NULL};
	JwtClaims			claims;
	char			   *longer = malloc(len + 1);

	MUST(longer != NULL);
	MUST(jwt_verify(token, len, key, 1, options, expires_at_s * 1000000 - 1,
					&claims) == JWT_OK);
	MUST(jwt_verify(token, len, key, 1, options, expires_at_s * 1000000,
					&claims) == JWT_EXPIRED);
	MUST(jwt_verify(token, len, &other, 1, options, NOW_US, &claims) ==
		 JWT_BAD_SIGNATURE);
	MUST(jwt_verify(token, len - 1, key, 1, options, NOW_US, &claims) !=
		 JWT_OK);
	memcpy(longer, token, len);
	longer[len] = '=';
	MUST(jwt_verify(longer, len + 1, key, 1, options, NOW_US, &claims) ==
		 JWT_BAD_BASE64);
	/* The last character has two bits of no meaning, which must be zero. */
	token[len - 1]++;
	MUST(jwt_verify(token, len, key, 1, options, NOW_US, &claims) != JWT_OK);
	free(longer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"access"};
	static JwtKey hs256 = {JWT_HS256, SECRET, sizeof(SECRET) - 1, NULL};
	static JwtKey es256 = {JWT_ES256, NULL, 0, NULL};
	JwtOptions	  options = {.flavor = JWT_SIMPLEJWT,
							 .user_claim = "user_id",
							 .type_claim = "token_type",
							 .types = types,
							 .ntypes = 1,
							 .jti_claim = "jti"};
	const JwtKey *key = &hs256;
	JwtClaims	  claims;
	JwtStatus	  status;
	uint8_t		  flags;
	char		 *token;
	size_t		  len;

	if (size == 0)
		return 0;
	if (es256.public_key == NULL)
		es256.public_key = crypto_public_key_create(p256, strlen(p256));
	MUST(es256.public_key != NULL);

	flags = data[0];
	data++;
	size--;
	if ((flags & FLAG_DRF_JWT) != 0)
		options.flavor = JWT_DRF_JWT;
	if ((flags & FLAG_PARTIES) != 0)
	{
		options.audience = "ws";
		options.issuer = "i";
	}
	if ((flags & FLAG_LEEWAY) != 0)
		options.leeway_s = 10;
	if ((flags & FLAG_NAMES) != 0)
	{
		options.jti_claim = NULL;
		options.type_claim = NULL;
	}
	if ((flags & FLAG_REVOKE) != 0)
		options.revoke_claim = "hash_password";

	if ((flags & FLAG_SIGN) != 0)
		token = sign(data, size, &len);
	else
	{
		token = exact_copy(data, size);
		len = size;
		if ((flags & FLAG_PUBLIC_KEY) != 0)
			key = &es256;
	}

	memset(&claims, 0xA5, sizeof(claims));
	status = jwt_verify(token, len, key, 1, &options, NOW_US, &claims);
	MUST((jwt_reason(status) == NULL) == (status == JWT_OK));
	MUST(status != JWT_BAD_KEY && status != JWT_CRYPTO_ERROR);
	if ((flags & FLAG_SIGN) != 0)
		MUST(status != JWT_BAD_BASE64 && status != JWT_BAD_SIGNATURE);
	if (status == JWT_OK)
	{
		check_claims(&claims, &options);
		if (key == &hs256)
			check_neighbours(token, len, key, &options, claims.expires_at_s);
	}
	free(token);
	return 0;
}
