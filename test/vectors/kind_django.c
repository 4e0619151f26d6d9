/*-------------------------------------------------------------------------
 *
 * kind_django.c
 *	  Kinds primitive, session_auth_hash, session and signed_cookie_session.
 *
 *-------------------------------------------------------------------------
 */
#include "vectors.h"

#include <ctype.h>

#include "jwt.h"

#define MODEL_BACKEND "django.contrib.auth.backends.ModelBackend"

/* ---- primitive ---- */

static void
base62(Case *c, Verdict *v)
{
	json_t *integer = json_object_get(c->input, "integer");
	char	text[13];
	int64_t back;

	if (!json_is_integer(integer))
	{
		case_error(c, "\"integer\" is not an integer");
		return;
	}
	django_base62_encode(json_integer_value(integer), text);
	if (!django_base62_decode(text, strlen(text), &back) ||
		back != json_integer_value(integer))
		case_error(c, "django_base62_decode does not undo \"%s\"", text);
	verdict_accept(v, "output", case_copy(c, text, strlen(text)));
}

static void
salted_hmac(Case *c, Verdict *v)
{
	CryptoHash hash = hash_of(c, c->input, "algorithm", "sha256");
	Slice	   salt = required_text(c, c->input, "salt");
	Slice	   value = required_text(c, c->input, "value");
	CryptoPart key = key_of(c, text_or(c, c->input, "key", "main"));
	uint8_t	   mac[CRYPTO_HASH_MAX_BYTES];

	if (!django_salted_hmac(hash, case_text(c, salt), &key, value.ptr,
							value.len, mac))
		case_error(c, "django_salted_hmac failed");
	else
		verdict_accept(v, "output", case_hex(c, mac, crypto_hash_bytes(hash)));
}

static void
signature(Case *c, Verdict *v)
{
	CryptoHash hash = hash_of(c, c->input, "algorithm", "sha256");
	Slice	   salt = required_text(c, c->input, "salt");
	Slice	   value = required_text(c, c->input, "value");
	CryptoPart key = key_of(c, text_or(c, c->input, "key", "main"));
	char	   text[DJANGO_SIGNATURE_MAX + 1];

	if (!django_signature(hash, case_text(c, salt), &key, value.ptr, value.len,
						  text))
		case_error(c, "django_signature failed");
	else
		verdict_accept(v, "output", case_copy(c, text, strlen(text)));
}

static void
md5_upper(Case *c, Verdict *v)
{
	Slice	   value = required_text(c, c->input, "value");
	CryptoPart part = {value.ptr, value.len};
	uint8_t	   md5[CRYPTO_HASH_MAX_BYTES];
	char	  *digits;

	if (!crypto_hash(CRYPTO_MD5, &part, 1, md5))
	{
		case_error(c, "crypto_hash has no MD5");
		return;
	}
	digits = case_text(c, case_hex(c, md5, crypto_hash_bytes(CRYPTO_MD5)));
	for (char *digit = digits; *digit != '\0'; digit++)
		*digit = (char) toupper((unsigned char) *digit);
	/* What the rooms do with it is compare. */
	if (!jwt_password_matches(digits, value.ptr, value.len))
		case_error(c, "jwt_password_matches does not know %s", digits);
	verdict_accept(v, "output", (Slice){digits, strlen(digits)});
}

void
judge_primitive(Case *c, Verdict *v)
{
	static const struct
	{
		const char *op;
		Judge		judge;
		const char *members[6];
	} ops[] = {
		{"base62", base62, {"op", "integer"}},
		{"salted_hmac",
		 salted_hmac,
		 {"op", "salt", "value", "key", "algorithm"}},
		{"signature", signature, {"op", "salt", "value", "key", "algorithm"}},
		{"md5_upper", md5_upper, {"op", "value"}},
	};
	const char *op = case_text(c, required_text(c, c->input, "op"));

	for (size_t i = 0; i < lengthof(ops); i++)
		if (strcmp(ops[i].op, op) == 0)
		{
			check_members(c, c->input, "input", ops[i].members);
			ops[i].judge(c, v);
			return;
		}
	case_error(c, "unknown op \"%s\"", op);
}

/* ---- session_auth_hash ---- */

void
judge_session_auth_hash(Case *c, Verdict *v)
{
	static const char *const members[] = {"password", "secret_key", "algorithm",
										  NULL};
	CryptoHash				 hash = hash_of(c, c->input, "algorithm", "sha256");
	Slice					 password = required_text(c, c->input, "password");
	CryptoPart key = key_of(c, text_or(c, c->input, "secret_key", "main"));
	DjangoSecretKeys keys = {&key, 1};
	char			 text[2 * CRYPTO_HASH_MAX_BYTES + 1];

	check_members(c, c->input, "input", members);
	if (!django_auth_hash(hash, password.ptr, password.len, &key, text))
	{
		case_error(c, "django_auth_hash failed");
		return;
	}
	if (!django_session_hash_matches(text, password.ptr, password.len, &keys,
									 hash == CRYPTO_SHA1))
		case_error(c, "django_session_hash_matches does not know %s", text);
	verdict_accept(v, "hash", case_copy(c, text, strlen(text)));
}

/* ---- session, signed_cookie_session ---- */

static bool
word_in(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

/* What get_user() asks once the session is decoded: backend, user, hash. */
static void
judge_login(Case *c, Verdict *v, const DjangoSession *session,
			const DjangoSecretKeys *keys, bool accept_pre_3_1)
{
	static const char *const defaults[] = {MODEL_BACKEND};
	static const char *const for_all[] = {
		"django.contrib.auth.backends.AllowAllUsersModelBackend",
		"django.contrib.auth.backends.AllowAllUsersRemoteUserBackend"};
	size_t			   count;
	const char *const *backends =
		words_of(c, c->input, "authentication_backends", &count);
	User		user;
	const char *reason;

	if (backends == NULL)
	{
		backends = defaults;
		count = lengthof(defaults);
	}
	if (!word_in(session->backend, backends, count))
	{
		verdict_refuse(v, "backend_not_allowed");
		return;
	}
	reason = user_by_id(
		c, case_copy(c, session->user_id, strlen(session->user_id)), &user);
	if (reason != NULL)
		verdict_refuse(v, reason);
	else if (!user.is_active &&
			 !word_in(session->backend, for_all, lengthof(for_all)))
		verdict_refuse(v, "inactive_user");
	else if (!django_session_hash_matches(session->auth_hash, user.password.ptr,
										  user.password.len, keys,
										  accept_pre_3_1))
		verdict_refuse(v, "bad_auth_hash");
	else
		verdict_accept(v, "user_id", (Slice){user.id, strlen(user.id)});
}

/* Python's len() of text. */
static size_t
characters(Slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		if ((text.ptr[i] & 0xC0) != 0x80)
			count++;
	return count;
}

void
judge_session(Case *c, Verdict *v)
{
	static const char *const members[] = {"cookie_value",
										  "row",
										  "secret_key",
										  "fallbacks",
										  "accept_pre_3_1",
										  "authentication_backends",
										  "users",
										  "session_store_class",
										  NULL};
	static const char *const columns[] = {"session_key", "session_data",
										  "expire_date", NULL};
	Slice					 key = optional_text(c, c->input, "cookie_value");
	DjangoSecretKeys		 keys = secret_keys_of(c);
	bool pre_3_1 = bool_or(c, c->input, "accept_pre_3_1", false);
	DjangoSessionOptions options = {
		text_or(c, c->input, "session_store_class", "SessionStore"), pre_3_1};
	json_t			   *row = json_object_get(c->input, "row");
	Slice				row_key;
	Slice				data;
	int64_t				expires_us;
	DjangoSession		session;
	DjangoSessionStatus status;

	check_members(c, c->input, "input", members);
	if (options.store_class == NULL)
	{
		case_error(c, "\"session_store_class\" is null");
		return;
	}
	if (characters(key) < DJANGO_SESSION_KEY_MIN)
	{
		verdict_refuse(v, "bad_session_key");
		return;
	}
	if (row == NULL || json_is_null(row))
	{
		verdict_refuse(v, "no_row");
		return;
	}
	check_members(c, row, "row", columns);
	row_key = required_text(c, row, "session_key");
	data = required_text(c, row, "session_data");
	if (!parse_time(json_object_get(row, "expire_date"), &expires_us))
	{
		case_error(c, "\"expire_date\" is no time");
		return;
	}

	if (row_key.len != key.len || memcmp(row_key.ptr, key.ptr, key.len) != 0)
		verdict_refuse(v, "no_row");
	else if (expires_us <= c->now_us)
		verdict_refuse(v, "expired");
	else
	{
		status = django_session_decode(data.ptr, data.len, &keys, &options,
									   &session);
		if (status == DJANGO_SESSION_OK)
			judge_login(c, v, &session, &keys, pre_3_1);
		else
			verdict_refuse(v, django_session_reason(status));
	}
}

void
judge_signed_cookie_session(Case *c, Verdict *v)
{
	static const char *const members[] = {"cookie_value",
										  "secret_key",
										  "fallbacks",
										  "session_cookie_age",
										  "authentication_backends",
										  "users",
										  NULL};
	Slice					 value = required_text(c, c->input, "cookie_value");
	DjangoSecretKeys		 keys = secret_keys_of(c);
	int64_t max_age_s = integer_or(c, c->input, "session_cookie_age", 1209600);
	/* Rounded up: a fraction of a second too old is too old. */
	int64_t				now_s = (c->now_us + 999999) / 1000000;
	DjangoSession		session;
	DjangoSessionStatus status;

	check_members(c, c->input, "input", members);
	status = django_session_decode_cookie(value.ptr, value.len, &keys, now_s,
										  max_age_s, &session);
	if (status == DJANGO_SESSION_OK)
		judge_login(c, v, &session, &keys, false);
	else
		verdict_refuse(v, django_session_reason(status));
}
