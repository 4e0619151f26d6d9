/*-------------------------------------------------------------------------
 *
 * jwt.c
 *	  JSON Web Tokens of djangorestframework-simplejwt, djangorestframework-jwt
 *	  and drf-jwt.
 *
 * In the order of simplejwt and PyJWT, so that the reason for a refusal is
 * theirs: form, header, signature, iat, nbf, exp, iss, aud, sub, jti, type,
 * user.  Nothing of the payload is looked at before the signature holds, and
 * the header decides only between keys that are there.
 *
 * Long because all that one token is judged by stands here, in its order.
 *
 *-------------------------------------------------------------------------
 */
#include "jwt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64url.h"
#include "json.h"

/* RFC 7518 section 3.3 */
#define RSA_MIN_BITS 2048

/* Python's datetime ends with the year 9999, and so do its JWT libraries. */
#define YEAR_10000_S INT64_C(253402300800)

/* Beyond any number that fits a token and is neither zero nor infinite. */
#define EXPONENT_MAX 1000000

typedef struct Algorithm
{
	const char	 *name;
	bool		  hmac;
	CryptoHash	  hash;
	CryptoKeyType type;	  /* of a public key */
	const char	 *misfit; /* said of a public key of another type */
} Algorithm;

static const Algorithm algorithms[] = {
	[JWT_HS256] = {"HS256", true, CRYPTO_SHA256, CRYPTO_OTHER_KEY, NULL},
	[JWT_HS384] = {"HS384", true, CRYPTO_SHA384, CRYPTO_OTHER_KEY, NULL},
	[JWT_HS512] = {"HS512", true, CRYPTO_SHA512, CRYPTO_OTHER_KEY, NULL},
	[JWT_RS256] = {"RS256", false, CRYPTO_SHA256, CRYPTO_RSA, "is no RSA key"},
	[JWT_RS384] = {"RS384", false, CRYPTO_SHA384, CRYPTO_RSA, "is no RSA key"},
	[JWT_RS512] = {"RS512", false, CRYPTO_SHA512, CRYPTO_RSA, "is no RSA key"},
	[JWT_ES256] = {"ES256", false, CRYPTO_SHA256, CRYPTO_P256,
				   "is not on curve P-256"},
	[JWT_ES384] = {"ES384", false, CRYPTO_SHA384, CRYPTO_P384,
				   "is not on curve P-384"},
	[JWT_ES512] = {"ES512", false, CRYPTO_SHA512, CRYPTO_P521,
				   "is not on curve P-521"},
};

#define NALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

/* A segment of a token: its characters, and then the bytes they stand for. */
typedef struct Segment
{
	const char *text;
	size_t		text_len;
	uint8_t	   *bytes;
	size_t		len;
} Segment;

typedef struct Token
{
	const char *text;
	size_t		signed_len; /* header, period and payload */
	Segment		header;
	Segment		payload;
	Segment		signature;
	/* Three texts that share JWT_MAX_BYTES share this as bytes. */
	uint8_t bytes[BASE64URL_DECODED_MAX(JWT_MAX_BYTES)];
} Token;

/* The members of a payload that anybody may ask for. */
enum
{
	CLAIM_EXP,
	CLAIM_NBF,
	CLAIM_IAT,
	CLAIM_ISS,
	CLAIM_AUD,
	CLAIM_SUB,
	CLAIM_JTI,		  /* the registered one (RFC 7519 section 4.1.7) */
	CLAIM_CHOSEN_JTI, /* the one of options->jti_claim */
	CLAIM_TYPE,
	CLAIM_USER,
	CLAIM_REVOKE,
	NCLAIMS
};

/* ---- algorithms and keys ---- */

bool
jwt_algorithm_parse(const char *name, JwtAlgorithm *algorithm)
{
	for (size_t i = 0; i < NALGORITHMS; i++)
	{
		if (strcmp(name, algorithms[i].name) == 0)
		{
			*algorithm = (JwtAlgorithm) i;
			return true;
		}
	}
	return false;
}

const char *
jwt_algorithm_name(JwtAlgorithm algorithm)
{
	return algorithms[algorithm].name;
}

bool
jwt_algorithm_is_hmac(JwtAlgorithm algorithm)
{
	return algorithms[algorithm].hmac;
}

/*
 * A public key is no secret: as an HMAC key it would let everyone sign.  The
 * words of jwt/utils.py, is_pem_format and is_ssh_key.
 */
static bool
looks_like_public_key(const void *secret, size_t len)
{
	static const char *const words[] = {
		"-----BEGIN ", "---- BEGIN ", "ssh-rsa",
		"ssh-dss",	   "ssh-ed25519", "ecdsa-sha2-",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (memmem(secret, len, words[i], strlen(words[i])) != NULL)
			return true;
	}
	return false;
}

const char *
jwt_key_check(const JwtKey *key)
{
	const Algorithm *algorithm = &algorithms[key->algorithm];

	if (algorithm->hmac)
	{
		if (key->secret == NULL || key->secret_len == 0)
			return "is empty";
		if (looks_like_public_key(key->secret, key->secret_len))
			return "looks like PEM or SSH text, which is no shared secret";
		return NULL;
	}
	if (key->public_key == NULL)
		return "is no public key";
	if (crypto_public_key_type(key->public_key) != algorithm->type)
		return algorithm->misfit;
	if (algorithm->type == CRYPTO_RSA &&
		crypto_public_key_bits(key->public_key) < RSA_MIN_BITS)
		return "has fewer than 2048 bits";
	return NULL;
}

/* ---- form and signature ---- */

/* Find the three segments (RFC 7515 section 3.1). */
static bool
token_split(Token *token, const char *text, size_t len)
{
	const char *end = text + len;
	const char *first;
	const char *second;

	if (len > JWT_MAX_BYTES || len == 0)
		return false;
	first = memchr(text, '.', len);
	if (first == NULL)
		return false;
	second = memchr(first + 1, '.', (size_t) (end - first - 1));
	if (second == NULL ||
		memchr(second + 1, '.', (size_t) (end - second - 1)) != NULL)
		return false;
	token->text = text;
	token->signed_len = (size_t) (second - text);
	token->header = (Segment){text, (size_t) (first - text), NULL, 0};
	token->payload =
		(Segment){first + 1, (size_t) (second - first - 1), NULL, 0};
	token->signature =
		(Segment){second + 1, (size_t) (end - second - 1), NULL, 0};
	return true;
}

/* Decode a segment to where the one before it ends. */
static bool
segment_decode(Segment *segment, uint8_t *bytes)
{
	segment->bytes = bytes;
	return base64url_decode(segment->text, segment->text_len, bytes,
							&segment->len);
}

/* What the header says; *algorithm is one that a key is for. */
static JwtStatus
check_header(const Segment *header, const JwtKey *keys, size_t nkeys,
			 JwtAlgorithm *algorithm)
{
	JsonMember members[] = {
		{.name = "alg"}, {.name = "crit"}, {.name = "b64"}, {.name = "kid"}};
	const JsonValue *alg = &members[0].value;
	const JsonValue *crit = &members[1].value;
	const JsonValue *b64 = &members[2].value;
	const JsonValue *kid = &members[3].value;
	bool			 duplicate;

	switch (json_read_object((const char *) header->bytes, header->len,
							 JSON_UTF8, members,
							 sizeof(members) / sizeof(members[0]), &duplicate))
	{
		case JSON_OK: break;
		case JSON_INVALID:
		case JSON_NOT_AN_OBJECT: return JWT_MALFORMED;
		case JSON_NO_MEMORY: return JWT_CRYPTO_ERROR;
	}
	if (duplicate)
		return JWT_DUPLICATE_NAME;
	/* RFC 7515 section 4.1.11 and RFC 7797: we understand no extension. */
	if (crit->type != JSON_ABSENT || b64->type == JSON_FALSE)
		return JWT_CRIT;
	if (kid->type != JSON_ABSENT && kid->type != JSON_STRING)
		return JWT_MALFORMED;
	for (size_t i = 0; i < nkeys; i++)
	{
		if (json_string_equals(alg, JSON_UTF8,
							   algorithms[keys[i].algorithm].name))
		{
			*algorithm = keys[i].algorithm;
			return JWT_OK;
		}
	}
	return JWT_BAD_ALGORITHM;
}

/* Whether a key that fits its algorithm made the signature. */
static JwtStatus
check_key(const JwtKey *key, const Token *token)
{
	const Algorithm *algorithm = &algorithms[key->algorithm];
	const Segment	*signature = &token->signature;
	CryptoPart		 message = {token->text, token->signed_len};
	uint8_t			 tag[CRYPTO_HASH_MAX_BYTES];
	bool			 equal;

	if (!algorithm->hmac)
	{
		equal = crypto_verify(key->public_key, algorithm->hash, message.data,
							  message.len, signature->bytes, signature->len);
		return equal ? JWT_OK : JWT_BAD_SIGNATURE;
	}
	if (signature->len != crypto_hash_bytes(algorithm->hash))
		return JWT_BAD_SIGNATURE;
	if (!crypto_hmac(algorithm->hash, key->secret, key->secret_len, &message, 1,
					 tag))
		return JWT_CRYPTO_ERROR;
	equal = crypto_equal(tag, signature->bytes, signature->len);
	crypto_wipe(tag, sizeof(tag)); /* of a forged token it is the right one */
	return equal ? JWT_OK : JWT_BAD_SIGNATURE;
}

static JwtStatus
check_signature(const Token *token, const JwtKey *keys, size_t nkeys,
				JwtAlgorithm algorithm)
{
	JwtStatus status = JWT_BAD_KEY;

	for (size_t i = 0; i < nkeys; i++)
	{
		if (keys[i].algorithm != algorithm || jwt_key_check(&keys[i]) != NULL)
			continue;
		status = check_key(&keys[i], token);
		if (status != JWT_BAD_SIGNATURE)
			return status;
	}
	return status;
}

/* ---- times ---- */

/*
 * A JSON number as the double that Python makes of it.  strtod's decimal point
 * is the locale's, so it gets none: 1.25e3 is read as 125e1.
 */
static double
number_to_double(const JsonValue *number)
{
	char   text[BASE64URL_DECODED_MAX(JWT_MAX_BYTES) + 16];
	size_t n = 0;
	long   exponent = 0;
	long   fraction = 0; /* digits behind the point */
	bool   behind_point = false;

	for (size_t i = 0; i < number->len; i++)
	{
		char c = number->text[i];

		if (c == 'e' || c == 'E')
		{
			/* Ends at the latest at the object's brace; saturates. */
			exponent = strtol(number->text + i + 1, NULL, 10);
			break;
		}
		if (c == '.')
			behind_point = true;
		else
		{
			text[n++] = c;
			fraction += behind_point;
		}
	}
	if (exponent > EXPONENT_MAX)
		exponent = EXPONENT_MAX;
	if (exponent < -EXPONENT_MAX)
		exponent = -EXPONENT_MAX;
	snprintf(text + n, sizeof(text) - n, "e%ld", exponent - fraction);
	return strtod(text, NULL);
}

/*
 * A date as whole seconds, cut off towards zero like PyJWT's int().  Returns
 * false for what is no number, not finite or later than Python's dates.
 */
static bool
claim_time(const JsonValue *claim, int64_t *seconds)
{
	double value;

	if (claim->type != JSON_INTEGER && claim->type != JSON_FRACTION)
		return false;
	value = number_to_double(claim);
	/* Python's integers have no end; only its fractions become infinite. */
	if (!isfinite(value) && !(value < 0 && claim->type == JSON_INTEGER))
		return false;
	if (value >= (double) YEAR_10000_S)
		return false;
	*seconds = value > -(double) YEAR_10000_S ? (int64_t) value : -YEAR_10000_S;
	return true;
}

/* iat, nbf and exp against the clock, which counts whole seconds here. */
static JwtStatus
check_times(const JsonMember *claims, int leeway_s, int64_t now_us,
			int64_t *expires_at_s)
{
	const JsonValue *iat = &claims[CLAIM_IAT].value;
	const JsonValue *nbf = &claims[CLAIM_NBF].value;
	const JsonValue *exp = &claims[CLAIM_EXP].value;
	int64_t			 now_s = now_us / 1000000 - (now_us % 1000000 < 0 ? 1 : 0);
	int64_t			 at_s;

	/*
	 * Claims have whole seconds, so n > now and n <= now do not depend on the
	 * clock's fraction.
	 */
	if (iat->type != JSON_ABSENT)
	{
		if (!claim_time(iat, &at_s))
			return JWT_BAD_IAT;
		if (at_s > now_s + leeway_s)
			return JWT_NOT_YET_VALID;
	}
	if (nbf->type != JSON_ABSENT)
	{
		if (!claim_time(nbf, &at_s))
			return JWT_BAD_NBF;
		if (at_s > now_s + leeway_s)
			return JWT_NOT_YET_VALID;
	}
	/* That it is missing, the libraries notice later than all else of time. */
	if (exp->type != JSON_ABSENT)
	{
		if (!claim_time(exp, &at_s))
			return JWT_BAD_EXP;
		*expires_at_s = at_s + leeway_s;
		if (*expires_at_s <= now_s)
			return JWT_EXPIRED;
	}
	return JWT_OK;
}

/* ---- claims ---- */

static const char *
or_else(const char *name, const char *otherwise)
{
	return name != NULL ? name : otherwise;
}

/* Copy a string that is not too long and that a text can hold. */
static bool
take_string(const JsonValue *claim, char out[JWT_CLAIM_MAX + 1])
{
	size_t len;

	return json_read_string(claim, JSON_UTF8, out, JWT_CLAIM_MAX + 1, &len);
}

/* What PyJWT takes for no audience; of other types it never is one. */
static bool
is_empty(const JsonValue *claim)
{
	JsonValue element;
	size_t	  position = 0;

	return claim->type == JSON_ABSENT || claim->type == JSON_NULL ||
		   (claim->type == JSON_STRING && claim->len == 0) ||
		   (claim->type == JSON_ARRAY &&
			!json_array_next(claim, &position, &element));
}

/* RFC 7519 section 4.1.3: a string, or an array of strings. */
static bool
has_audience(const JsonValue *aud, const char *audience)
{
	JsonValue element;
	size_t	  position = 0;
	bool	  found = false;

	if (aud->type == JSON_STRING)
		return aud->len > 0 && json_string_equals(aud, JSON_UTF8, audience);
	while (json_array_next(aud, &position, &element))
	{
		if (element.type != JSON_STRING)
			return false;
		if (json_string_equals(&element, JSON_UTF8, audience))
			found = true;
	}
	return found;
}

/* iss and aud, as PyJWT checks them for both libraries. */
static JwtStatus
check_parties(const JsonMember *claims, const JwtOptions *options)
{
	const JsonValue *aud = &claims[CLAIM_AUD].value;

	if (options->issuer != NULL &&
		!json_string_equals(&claims[CLAIM_ISS].value, JSON_UTF8,
							options->issuer))
		return JWT_BAD_ISSUER;
	if (options->audience != NULL)
		return has_audience(aud, options->audience) ? JWT_OK : JWT_BAD_AUDIENCE;
	/* simplejwt tells PyJWT not to look; drf-jwt does not. */
	if (options->flavor == JWT_DRF_JWT && !is_empty(aud))
		return JWT_BAD_AUDIENCE;
	return JWT_OK;
}

/*
 * PyJWT 2.10 wants a string.  But simplejwt before 5.5.1 writes the ids of
 * users as numbers, also into a user_claim of this name, and with it came an
 * older PyJWT that did not look.
 */
static bool
is_subject(const JsonValue *sub, const JwtOptions *options)
{
	if (sub->type == JSON_INTEGER)
		return options->flavor == JWT_SIMPLEJWT &&
			   strcmp(options->user_claim, "sub") == 0;
	return sub->type == JSON_ABSENT || sub->type == JSON_STRING;
}

/*
 * sub and jti are strings if they are there; the jti that is looked up is also
 * one that a PostgreSQL text can hold.
 */
static JwtStatus
take_jti(const JsonMember *claims, const JwtOptions *options,
		 char jti[JWT_CLAIM_MAX + 1])
{
	const JsonValue *registered = &claims[CLAIM_JTI].value;
	const JsonValue *chosen = &claims[CLAIM_CHOSEN_JTI].value;

	if (!is_subject(&claims[CLAIM_SUB].value, options))
		return JWT_BAD_SUB;
	if (registered->type != JSON_ABSENT && registered->type != JSON_STRING)
		return JWT_BAD_JTI;
	if (chosen->type != JSON_ABSENT && !take_string(chosen, jti))
		return JWT_BAD_JTI;
	return JWT_OK;
}

static bool
take_type(const JsonValue *claim, const JwtOptions *options,
		  char type[JWT_CLAIM_MAX + 1])
{
	for (size_t i = 0; i < options->ntypes; i++)
	{
		if (json_string_equals(claim, JSON_UTF8, options->types[i]))
			return take_string(claim, type);
	}
	return false;
}

/* An integer's digits; they never become a number here. */
static bool
take_digits(const JsonValue *claim, char out[JWT_CLAIM_MAX + 1])
{
	const char *text = claim->text;
	size_t		len = claim->len;

	if (len == 2 && memcmp(text, "-0", 2) == 0)
	{
		text++; /* Python's integers know one zero */
		len--;
	}
	if (len > JWT_CLAIM_MAX)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

/*
 * simplejwt takes whatever the claim is, drf-jwt takes what is true in Python
 * for a username.  Only what they write themselves passes here.
 */
static JwtStatus
take_user(const JsonValue *claim, JwtFlavor flavor,
		  char user[JWT_CLAIM_MAX + 1])
{
	switch (claim->type)
	{
		case JSON_ABSENT: return JWT_MISSING_USER_ID;
		case JSON_STRING:
			if (!take_string(claim, user))
				return JWT_BAD_USER_ID;
			if (user[0] == '\0')
				break;
			return JWT_OK;
		case JSON_INTEGER:
			if (!take_digits(claim, user))
				return JWT_BAD_USER_ID;
			if (flavor == JWT_DRF_JWT && strcmp(user, "0") == 0)
				break;
			return JWT_OK;
		case JSON_NULL: break;
		case JSON_FALSE:
		case JSON_TRUE:
		case JSON_FRACTION:
		case JSON_NONFINITE:
		case JSON_ARRAY:
		case JSON_OBJECT: return JWT_BAD_USER_ID;
	}
	/* Nothing, zero and "" are no username at all to drf-jwt. */
	return flavor == JWT_DRF_JWT ? JWT_MISSING_USER_ID : JWT_BAD_USER_ID;
}

/* Upper-case hex, as simplejwt writes it (utils.py, get_md5_hash_password). */
static bool
take_password_hash(const JsonValue *claim,
				   char				password_hash[JWT_PASSWORD_HASH_LEN + 1])
{
	size_t len;

	return json_read_string(claim, JSON_UTF8, password_hash,
							JWT_PASSWORD_HASH_LEN + 1, &len) &&
		   len == JWT_PASSWORD_HASH_LEN &&
		   strspn(password_hash, "0123456789ABCDEF") == len;
}

/* Everything about a payload whose signature holds. */
static JwtStatus
check_payload(const Segment *payload, const JwtOptions *options, int64_t now_us,
			  JwtClaims *claims)
{
	bool	   simplejwt = options->flavor == JWT_SIMPLEJWT;
	JsonMember members[NCLAIMS] = {
		[CLAIM_EXP] = {.name = "exp"},
		[CLAIM_NBF] = {.name = "nbf"},
		[CLAIM_IAT] = {.name = "iat"},
		[CLAIM_ISS] = {.name = "iss"},
		[CLAIM_AUD] = {.name = "aud"},
		[CLAIM_SUB] = {.name = "sub"},
		[CLAIM_JTI] = {.name = "jti"},
		/* Those that are not looked at go by the libraries' own names. */
		[CLAIM_CHOSEN_JTI] = {.name = or_else(options->jti_claim, "jti")},
		[CLAIM_TYPE] = {.name = or_else(options->type_claim, "token_type")},
		[CLAIM_USER] = {.name = simplejwt ? options->user_claim : "username"},
		[CLAIM_REVOKE] = {.name =
							  or_else(options->revoke_claim, "hash_password")},
	};
	JwtStatus status;
	bool	  duplicate;

	switch (json_read_object((const char *) payload->bytes, payload->len,
							 JSON_UTF8, members, NCLAIMS, &duplicate))
	{
		case JSON_OK: break;
		case JSON_INVALID:
		case JSON_NOT_AN_OBJECT: return JWT_BAD_PAYLOAD;
		case JSON_NO_MEMORY: return JWT_CRYPTO_ERROR;
	}
	if (duplicate)
		return JWT_DUPLICATE_NAME;

	status =
		check_times(members, options->leeway_s, now_us, &claims->expires_at_s);
	if (status == JWT_OK)
		status = check_parties(members, options);
	if (status == JWT_OK)
		status = take_jti(members, options, claims->jti);
	if (status != JWT_OK)
		return status;
	if (members[CLAIM_EXP].value.type == JSON_ABSENT)
		return JWT_MISSING_EXP;
	if (simplejwt && options->jti_claim != NULL &&
		members[CLAIM_CHOSEN_JTI].value.type == JSON_ABSENT)
		return JWT_MISSING_JTI;
	if (simplejwt && options->type_claim != NULL &&
		!take_type(&members[CLAIM_TYPE].value, options, claims->type))
		return JWT_WRONG_TOKEN_TYPE;
	status =
		take_user(&members[CLAIM_USER].value, options->flavor, claims->user);
	if (status != JWT_OK)
		return status;
	if (options->revoke_claim != NULL &&
		!take_password_hash(&members[CLAIM_REVOKE].value,
							claims->password_hash))
		return JWT_PASSWORD_CHANGED;
	return JWT_OK;
}

/* ---- public ---- */

JwtStatus
jwt_verify(const char *token, size_t len, const JwtKey *keys, size_t nkeys,
		   const JwtOptions *options, int64_t now_us, JwtClaims *claims)
{
	Token		 parts;
	JwtAlgorithm algorithm;
	JwtStatus	 status;

	memset(claims, 0, sizeof(*claims));
	if (!token_split(&parts, token, len) ||
		!segment_decode(&parts.header, parts.bytes))
		return JWT_MALFORMED;
	status = check_header(&parts.header, keys, nkeys, &algorithm);
	if (status != JWT_OK)
		return status;
	if (!segment_decode(&parts.payload,
						parts.header.bytes + parts.header.len) ||
		!segment_decode(&parts.signature,
						parts.payload.bytes + parts.payload.len))
		return JWT_BAD_BASE64;
	status = check_signature(&parts, keys, nkeys, algorithm);
	if (status != JWT_OK)
		return status;
	return check_payload(&parts.payload, options, now_us, claims);
}

bool
jwt_password_matches(const char *password_hash, const char *password,
					 size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	CryptoPart		  part = {password, len};
	uint8_t			  md5[CRYPTO_HASH_MAX_BYTES];
	char			  hex[JWT_PASSWORD_HASH_LEN];

	if (strlen(password_hash) != sizeof(hex) ||
		!crypto_hash(CRYPTO_MD5, &part, 1, md5))
		return false;
	for (size_t i = 0; i < sizeof(hex); i++)
		hex[i] = digits[md5[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	return crypto_equal(hex, password_hash, sizeof(hex));
}

const char *
jwt_reason(JwtStatus status)
{
	switch (status)
	{
		case JWT_OK: return NULL;
		case JWT_MALFORMED: return "malformed";
		case JWT_DUPLICATE_NAME: return "duplicate_name";
		case JWT_CRIT: return "crit";
		case JWT_BAD_ALGORITHM: return "bad_algorithm";
		case JWT_BAD_KEY: return "bad_key";
		case JWT_BAD_BASE64: return "bad_base64";
		case JWT_BAD_SIGNATURE: return "bad_signature";
		case JWT_BAD_PAYLOAD: return "bad_payload";
		case JWT_MISSING_EXP: return "missing_exp";
		case JWT_BAD_EXP: return "bad_exp";
		case JWT_BAD_NBF: return "bad_nbf";
		case JWT_BAD_IAT: return "bad_iat";
		case JWT_EXPIRED: return "expired";
		case JWT_NOT_YET_VALID: return "not_yet_valid";
		case JWT_BAD_ISSUER: return "bad_issuer";
		case JWT_BAD_AUDIENCE: return "bad_audience";
		case JWT_BAD_SUB: return "bad_sub";
		case JWT_BAD_JTI: return "bad_jti";
		case JWT_MISSING_JTI: return "missing_jti";
		case JWT_WRONG_TOKEN_TYPE: return "wrong_token_type";
		case JWT_MISSING_USER_ID: return "missing_user_id";
		case JWT_BAD_USER_ID: return "bad_user_id";
		case JWT_PASSWORD_CHANGED: return "password_changed";
		case JWT_CRYPTO_ERROR: return "crypto_error";
	}
	return NULL;
}
