/*-------------------------------------------------------------------------
 *
 * django_session.c
 *	  What Django keeps in django_session.session_data, and whether Django
 *	  would believe it.
 *
 * The signature is checked before anything is decoded, and compared as text:
 * it covers the encoded segment, so that nothing behind it needs to be
 * stricter than Django.  The segment is therefore decoded as leniently as
 * Django does it: what somebody with SECRET_KEY signed is read as the site
 * itself would read it.  Only the old format has its signature inside the
 * base64.
 *
 *-------------------------------------------------------------------------
 */
#include "django_session.h"

#include <stdlib.h>
#include <string.h>

#include "base64url.h"
#include "inflate.h"
#include "json.h"

/* Decoded bytes that need no allocation: any login's row has fewer. */
#define FEW_BYTES 2048

/* A salt in up to so many pieces, which Django concatenates. */
#define SALT_PARTS 3

typedef struct Salt
{
	CryptoPart parts[SALT_PARTS];
	size_t	   nparts;
} Salt;

#define AUTH_HASH_SALT                                                         \
	"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

static CryptoPart
part(const char *text)
{
	return (CryptoPart){text, strlen(text)};
}

static bool
salted_hmac(CryptoHash hash, const Salt *salt, const CryptoPart *secret,
			const void *value, size_t len, uint8_t out[CRYPTO_HASH_MAX_BYTES])
{
	CryptoPart parts[SALT_PARTS + 1];
	CryptoPart message = {value, len};
	uint8_t	   key[CRYPTO_HASH_MAX_BYTES];
	bool	   ok;

	for (size_t i = 0; i < salt->nparts; i++)
		parts[i] = salt->parts[i];
	parts[salt->nparts] = *secret;
	ok = crypto_hash(hash, parts, salt->nparts + 1, key) &&
		 crypto_hmac(hash, key, crypto_hash_bytes(hash), &message, 1, out);
	crypto_wipe(key, sizeof(key));
	return ok;
}

bool
django_salted_hmac(CryptoHash hash, const char *salt, const CryptoPart *secret,
				   const void *value, size_t len,
				   uint8_t out[CRYPTO_HASH_MAX_BYTES])
{
	Salt whole = {{part(salt)}, 1};

	return salted_hmac(hash, &whole, secret, value, len, out);
}

/* ---- signatures ---- */

static bool
signature_text(CryptoHash hash, const Salt *salt, const CryptoPart *secret,
			   const void *value, size_t len,
			   char out[DJANGO_SIGNATURE_MAX + 1])
{
	uint8_t mac[CRYPTO_HASH_MAX_BYTES];

	if (!salted_hmac(hash, salt, secret, value, len, mac))
		return false;
	out[base64url_encode(mac, crypto_hash_bytes(hash), out)] = '\0';
	return true;
}

bool
django_signature(CryptoHash hash, const char *salt, const CryptoPart *secret,
				 const void *value, size_t len,
				 char out[DJANGO_SIGNATURE_MAX + 1])
{
	Salt whole = {{part(salt), part("signer")}, 2};

	return signature_text(hash, &whole, secret, value, len, out);
}

/* Whether value's signature is one of the keys'. */
static DjangoSessionStatus
check_signature(const Salt *salt, const DjangoSecretKeys *secrets,
				bool accept_sha1, const char *value, size_t len,
				const char *signature, size_t signature_len)
{
	CryptoHash hash = CRYPTO_SHA256;

	/* The length alone says which hash it can be. */
	if (signature_len != BASE64URL_ENCODED_LEN(CRYPTO_SHA256_BYTES))
	{
		hash = CRYPTO_SHA1;
		if (!accept_sha1 ||
			signature_len != BASE64URL_ENCODED_LEN(crypto_hash_bytes(hash)))
			return DJANGO_SESSION_BAD_SIGNATURE;
	}
	for (size_t i = 0; i < secrets->count; i++)
	{
		char expected[DJANGO_SIGNATURE_MAX + 1];

		if (!signature_text(hash, salt, &secrets->keys[i], value, len,
							expected))
			return DJANGO_SESSION_CRYPTO_ERROR;
		if (crypto_equal(expected, signature, signature_len))
			return DJANGO_SESSION_OK;
	}
	return DJANGO_SESSION_BAD_SIGNATURE;
}

/* ---- contents ---- */

static void
clear(DjangoSession *session)
{
	session->user_id[0] = '\0';
	session->backend[0] = '\0';
	session->auth_hash[0] = '\0';
	session->stamp_s = 0;
}

/* The members of a session's JSON that say who is logged in. */
static DjangoSessionStatus
read_json(const char *text, size_t len, DjangoSession *session)
{
	enum
	{
		USER_ID,
		BACKEND,
		AUTH_HASH,
		MEMBERS
	};
	JsonMember members[MEMBERS] = {
		[USER_ID] = {.name = "_auth_user_id"},
		[BACKEND] = {.name = "_auth_user_backend"},
		[AUTH_HASH] = {.name = "_auth_user_hash"},
	};
	const JsonValue *id = &members[USER_ID].value;
	const JsonValue *backend = &members[BACKEND].value;
	size_t			 text_len;

	if (json_read_object(text, len, JSON_LATIN1, members, MEMBERS, NULL) !=
		JSON_OK)
		return DJANGO_SESSION_CORRUPT;
	if (id->type == JSON_ABSENT || backend->type == JSON_ABSENT)
		return DJANGO_SESSION_NO_USER;
	if (id->type == JSON_INTEGER && id->len <= DJANGO_USER_ID_MAX)
	{
		memcpy(session->user_id, id->text, id->len);
		session->user_id[id->len] = '\0';
	}
	else if (!json_read_string(id, JSON_LATIN1, session->user_id,
							   sizeof(session->user_id), &text_len))
		return DJANGO_SESSION_BAD_USER_ID;
	/* Without a text that could match one, they stay empty. */
	json_read_string(backend, JSON_LATIN1, session->backend,
					 sizeof(session->backend), &text_len);
	json_read_string(&members[AUTH_HASH].value, JSON_LATIN1, session->auth_hash,
					 sizeof(session->auth_hash), &text_len);
	return DJANGO_SESSION_OK;
}

static DjangoSessionStatus
read_zlib(const uint8_t *bytes, size_t len, DjangoSession *session)
{
	DjangoSessionStatus status = DJANGO_SESSION_CORRUPT;
	char			   *json;
	size_t				json_len;

	switch (
		inflate_zlib(bytes, len, DJANGO_SESSION_INFLATE_MAX, &json, &json_len))
	{
		case INFLATE_OK:
			status = read_json(json, json_len, session);
			free(json);
			break;
		case INFLATE_CORRUPT:
		case INFLATE_TOO_LARGE: break;
		case INFLATE_NO_MEMORY: status = DJANGO_SESSION_CRYPTO_ERROR; break;
	}
	return status;
}

/* Room for max bytes: few, or allocated; NULL when there is no memory. */
static uint8_t *
room_for(size_t max, uint8_t few[FEW_BYTES])
{
	return max <= FEW_BYTES ? few : malloc(max);
}

/* What is in front of the time stamp. */
static DjangoSessionStatus
read_segment(const char *segment, size_t len, DjangoSession *session)
{
	DjangoSessionStatus status = DJANGO_SESSION_CORRUPT;
	bool				compressed = len > 0 && segment[0] == '.';
	uint8_t				few[FEW_BYTES];
	uint8_t			   *bytes;
	size_t				nbytes;

	if (compressed)
	{
		segment++;
		len--;
	}
	bytes = room_for(BASE64URL_DECODED_MAX(len), few);
	if (bytes == NULL)
		return DJANGO_SESSION_CRYPTO_ERROR;
	if (base64_decode_lenient(BASE64_URL_SAFE, segment, len, bytes, &nbytes))
		status = compressed ? read_zlib(bytes, nbytes, session)
							: read_json((char *) bytes, nbytes, session);
	if (bytes != few)
		free(bytes);
	return status;
}

/* ---- formats ---- */

/*
 * Check segment:stamp:signature and read the stamp; the segment is the first
 * *segment_len bytes of data.
 */
static DjangoSessionStatus
unsign(const char *data, size_t len, const Salt *salt,
	   const DjangoSecretKeys *secrets, bool accept_sha1, size_t *segment_len,
	   int64_t *stamp_s)
{
	const char		   *signature = memrchr(data, ':', len);
	const char		   *stamp;
	DjangoSessionStatus status;

	if (signature == NULL)
		return DJANGO_SESSION_BAD_SIGNATURE;
	status = check_signature(salt, secrets, accept_sha1, data,
							 (size_t) (signature - data), signature + 1,
							 (size_t) (data + len - signature - 1));
	if (status != DJANGO_SESSION_OK)
		return status;
	stamp = memrchr(data, ':', (size_t) (signature - data));
	if (stamp == NULL ||
		!django_base62_decode(stamp + 1, (size_t) (signature - stamp - 1),
							  stamp_s))
		return DJANGO_SESSION_CORRUPT;
	*segment_len = (size_t) (stamp - data);
	return DJANGO_SESSION_OK;
}

static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) text[i] >= 0x80)
			return false;
	return true;
}

/*
 * base64(hex of the signature : json), before Django 3.1, which wanted it in
 * ASCII: what base64 would skip as foreign is then no session at all.
 */
static DjangoSessionStatus
decode_pre_3_1(const char *data, size_t len, const Salt *salt,
			   const DjangoSecretKeys *secrets, DjangoSession *session)
{
	DjangoSessionStatus status = DJANGO_SESSION_BAD_SIGNATURE;
	size_t				hex_len = 2 * crypto_hash_bytes(CRYPTO_SHA1);
	uint8_t				few[FEW_BYTES];
	uint8_t			   *bytes = room_for(BASE64URL_DECODED_MAX(len), few);
	size_t				nbytes;
	const char		   *json;

	if (bytes == NULL)
		return DJANGO_SESSION_CRYPTO_ERROR;
	if (!is_ascii(data, len) ||
		!base64_decode_lenient(BASE64_STANDARD, data, len, bytes, &nbytes) ||
		nbytes <= hex_len || bytes[hex_len] != ':')
		goto done;
	json = (const char *) bytes + hex_len + 1;
	nbytes -= hex_len + 1;
	for (size_t i = 0; i < secrets->count; i++)
	{
		uint8_t mac[CRYPTO_HASH_MAX_BYTES];
		char	hex[2 * CRYPTO_HASH_MAX_BYTES + 1];

		if (!salted_hmac(CRYPTO_SHA1, salt, &secrets->keys[i], json, nbytes,
						 mac))
		{
			status = DJANGO_SESSION_CRYPTO_ERROR;
			goto done;
		}
		crypto_hex(mac, crypto_hash_bytes(CRYPTO_SHA1), hex);
		if (crypto_equal(hex, bytes, hex_len))
		{
			status = read_json(json, nbytes, session);
			goto done;
		}
	}

done:
	if (bytes != few)
		free(bytes);
	return status;
}

DjangoSessionStatus
django_session_decode(const char *data, size_t len,
					  const DjangoSecretKeys	 *secrets,
					  const DjangoSessionOptions *options,
					  DjangoSession				 *session)
{
	CryptoPart store = part(options->store_class);
	Salt salt = {{part("django.contrib.sessions."), store, part("signer")}, 3};
	Salt old = {{part("django.contrib.sessions"), store}, 2};
	DjangoSessionStatus status;
	size_t				segment_len;

	clear(session);
	status = unsign(data, len, &salt, secrets, options->accept_pre_3_1,
					&segment_len, &session->stamp_s);
	if (status == DJANGO_SESSION_OK)
		status = read_segment(data, segment_len, session);
	else if (status == DJANGO_SESSION_BAD_SIGNATURE && options->accept_pre_3_1)
		status = decode_pre_3_1(data, len, &old, secrets, session);
	return status;
}

DjangoSessionStatus
django_session_decode_cookie(const char *value, size_t len,
							 const DjangoSecretKeys *secrets, int64_t now_s,
							 int64_t max_age_s, DjangoSession *session)
{
	Salt				salt = {{part("django.contrib.sessions.backends."
													 "signed_cookies"),
								 part("signer")},
								2};
	DjangoSessionStatus status;
	size_t				segment_len;
	int64_t				age_s;

	clear(session);
	status = unsign(value, len, &salt, secrets, false, &segment_len,
					&session->stamp_s);
	if (status != DJANGO_SESSION_OK)
		return status;
	/* Only a stamp of long before the epoch is too far away to subtract. */
	if (__builtin_sub_overflow(now_s, session->stamp_s, &age_s) ||
		age_s > max_age_s)
		return DJANGO_SESSION_EXPIRED;
	return read_segment(value, segment_len, session);
}

/* ---- the hash of the password ---- */

bool
django_auth_hash(CryptoHash hash, const char *password, size_t len,
				 const CryptoPart *secret,
				 char			   out[2 * CRYPTO_HASH_MAX_BYTES + 1])
{
	uint8_t mac[CRYPTO_HASH_MAX_BYTES];

	if (!django_salted_hmac(hash, AUTH_HASH_SALT, secret, password, len, mac))
		return false;
	crypto_hex(mac, crypto_hash_bytes(hash), out);
	return true;
}

bool
django_session_hash_matches(const char *auth_hash, const char *password,
							size_t					password_len,
							const DjangoSecretKeys *secrets,
							bool					accept_pre_3_1)
{
	size_t	   len = strlen(auth_hash);
	CryptoHash hash = CRYPTO_SHA256;

	if (len != CRYPTO_SHA256_HEX)
	{
		hash = CRYPTO_SHA1;
		if (!accept_pre_3_1 || len != 2 * crypto_hash_bytes(hash))
			return false;
	}
	for (size_t i = 0; i < secrets->count; i++)
	{
		char expected[2 * CRYPTO_HASH_MAX_BYTES + 1];

		if (!django_auth_hash(hash, password, password_len, &secrets->keys[i],
							  expected))
			return false;
		if (crypto_equal(expected, auth_hash, len))
			return true;
	}
	return false;
}

/* ---- base62 ---- */

void
django_base62_encode(int64_t number, char out[13])
{
	static const char digits[] = "0123456789"
								 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
								 "abcdefghijklmnopqrstuvwxyz";
	/* Unsigned, so that INT64_MIN has a magnitude. */
	uint64_t left = number < 0 ? -(uint64_t) number : (uint64_t) number;
	char	 reversed[11]; /* 62^11 > 2^63 */
	size_t	 n = 0;

	do
	{
		reversed[n++] = digits[left % 62];
		left /= 62;
	} while (left > 0);
	if (number < 0)
		*out++ = '-';
	while (n > 0)
		*out++ = reversed[--n];
	*out = '\0';
}

bool
django_base62_decode(const char *text, size_t len, int64_t *number)
{
	bool	negative = len > 0 && text[0] == '-';
	bool	beyond = false;
	int64_t sum = 0;

	if (len == 0)
		return false;
	/* A sign alone is 0, as in Django. */
	for (size_t i = negative ? 1 : 0; i < len; i++)
	{
		int digit;

		if (text[i] >= '0' && text[i] <= '9')
			digit = text[i] - '0';
		else if (text[i] >= 'A' && text[i] <= 'Z')
			digit = text[i] - 'A' + 10;
		else if (text[i] >= 'a' && text[i] <= 'z')
			digit = text[i] - 'a' + 36;
		else
			return false;
		/* Summed towards its own sign, so that INT64_MIN fits. */
		beyond = beyond || __builtin_mul_overflow(sum, (int64_t) 62, &sum) ||
				 __builtin_add_overflow(
					 sum, (int64_t) (negative ? -digit : digit), &sum);
	}
	if (beyond)
		sum = negative ? INT64_MIN : INT64_MAX;
	*number = sum;
	return true;
}

const char *
django_session_reason(DjangoSessionStatus status)
{
	switch (status)
	{
		case DJANGO_SESSION_OK: return NULL;
		case DJANGO_SESSION_BAD_SIGNATURE: return "bad_signature";
		case DJANGO_SESSION_CORRUPT: return "corrupt";
		case DJANGO_SESSION_EXPIRED: return "expired";
		case DJANGO_SESSION_NO_USER: return "no_user_in_session";
		case DJANGO_SESSION_BAD_USER_ID: return "bad_user_id";
		case DJANGO_SESSION_CRYPTO_ERROR: return "crypto_error";
	}
	return "crypto_error"; /* no such status */
}
