/*-------------------------------------------------------------------------
 *
 * test_django_session.c
 *	  Session rows and cookies, against what Django itself made and read.
 *
 * Rows named session_... and cookie_session_... are the cases of that name in
 * test/vectors/vectors.json, each verified by Django; the others are signed
 * here, by functions that the cases of kind primitive check.  Long because
 * Django's rows stand here in full.
 *
 *-------------------------------------------------------------------------
 */
#include "django_session.h"

#include "base64url.h"
#include "check.h"
#include "starve.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY(text)                                                              \
	{                                                                          \
		text, sizeof(text) - 1                                                 \
	}

#define MAIN "vectors-main-key-9f2c7b1d4e6a8053-do-not-use-anywhere-else"
#define OLD "vectors-old-key-5b0d9e3a7c1f8264-rotated-out-last-quarter"
#define PASSWORD                                                               \
	"pbkdf2_sha256$260000$kJ3nVq8sWz1xYb5t$"                                   \
	"7m0cX1vJYt0mB6qkQ2o8qkJ2m1zv7S9m3mJwq0r5h1g="
#define AUTH_HASH                                                              \
	"13a13c37b9ad867da03233374bf1a67f5fb4383c1443d1374f8faa1b1cf5c990"
#define SHA1_AUTH_HASH "fa13b1c213a7a97161f7c3e169e017057f5851cf"
#define MODEL_BACKEND "django.contrib.auth.backends.ModelBackend"
#define ROW_SALT "django.contrib.sessions.SessionStore"
#define COOKIE_SALT "django.contrib.sessions.backends.signed_cookies"
#define NOW 1767225600 /* stamp 1vb66i */
#define TWO_WEEKS 1209600

/* The segment of most of the cases: a login, compressed. */
#define LOGIN                                                                  \
	".eJxVjEEOwiAQRe_C2pCOQwu4dO8ZyAwDUjU0Ke3KeHfbpAvdvvf-f6tA61LC2tIcRlEXZ"   \
	"dXplzHFZ6q7kAfV-6TjVJd5ZL0n-rBN3yZJr-vR_h0UamVbAxJgRMuexA1WqMMzIlrDGWi"   \
	"wuc9s0GEEY1Bg49llImCIuY_ed-rzBdQKN5c"

static const CryptoPart		  main_key[] = {KEY(MAIN)};
static const CryptoPart		  old_key[] = {KEY(OLD)};
static const CryptoPart		  three_keys[] = {KEY("a"), KEY(OLD), KEY(MAIN)};
static const DjangoSecretKeys main_only = {main_key, 1};
static const DjangoSecretKeys old_only = {old_key, 1};
static const DjangoSecretKeys main_among_three = {three_keys, 3};
static const DjangoSecretKeys no_keys = {NULL, 0};

static DjangoSession session;

/* The linker sends crypto_hmac here first, so that it can fail. */
bool __real_crypto_hmac(CryptoHash hash, const void *key, size_t key_len,
						const CryptoPart *parts, size_t nparts,
						uint8_t out[CRYPTO_HASH_MAX_BYTES]);
bool __wrap_crypto_hmac(CryptoHash hash, const void *key, size_t key_len,
						const CryptoPart *parts, size_t nparts,
						uint8_t out[CRYPTO_HASH_MAX_BYTES]);

static bool hmac_fails;

bool
__wrap_crypto_hmac(CryptoHash hash, const void *key, size_t key_len,
				   const CryptoPart *parts, size_t nparts,
				   uint8_t out[CRYPTO_HASH_MAX_BYTES])
{
	/* Also then it has written what would match. */
	return __real_crypto_hmac(hash, key, key_len, parts, nparts, out) &&
		   !hmac_fails;
}

static DjangoSessionStatus
decode_bytes(const char *data, size_t len, bool pre_3_1)
{
	DjangoSessionOptions options = {"SessionStore", pre_3_1};
	DjangoSessionStatus	 status;
	char				*copy = malloc(len > 0 ? len : 1);

	memcpy(copy, data, len);
	memset(&session, 'x', sizeof(session));
	status = django_session_decode(copy, len, &main_only, &options, &session);
	free(copy);
	return status;
}

static DjangoSessionStatus
decode(const char *data)
{
	return decode_bytes(data, strlen(data), false);
}

static DjangoSessionStatus
decode_old(const char *data)
{
	return decode_bytes(data, strlen(data), true);
}

/* value and its signature under MAIN; freed by the caller. */
static char *
sign(CryptoHash hash, const char *salt, const char *value)
{
	size_t len = strlen(value);
	char  *text = malloc(len + DJANGO_SIGNATURE_MAX + 2);

	memcpy(text, value, len);
	text[len] = ':';
	CHECK(django_signature(hash, salt, main_key, value, len, text + len + 1));
	return text;
}

static DjangoSessionStatus
decode_signed(const char *value)
{
	char			   *data = sign(CRYPTO_SHA256, ROW_SALT, value);
	DjangoSessionStatus status = decode(data);

	free(data);
	return status;
}

/* A row of this JSON, not compressed. */
static DjangoSessionStatus
decode_json(const char *json)
{
	size_t				len = strlen(json);
	char			   *value = malloc(BASE64URL_ENCODED_LEN(len) + 8);
	DjangoSessionStatus status;

	strcpy(value + base64url_encode((const uint8_t *) json, len, value),
		   ":1vb66i");
	status = decode_signed(value);
	free(value);
	return status;
}

static void
check_login(const char *user_id, const char *auth_hash)
{
	CHECK_STR(session.user_id, user_id);
	CHECK_STR(session.backend, MODEL_BACKEND);
	CHECK_STR(session.auth_hash, auth_hash);
}

/* ---- rows of Django 3.1 and later ---- */

TEST(a_usual_login_is_read_compressed_and_not)
{
	/* session_default_login */
	CHECK_INT(
		decode(LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q"),
		DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
	CHECK_INT(session.stamp_s, NOW);
	/* session_plain */
	CHECK_INT(
		decode("eyJfYXV0aF91c2VyX2lkIjoiNyIsIl9hdXRoX3VzZXJfYmFja2VuZCI6Im"
			   "RqYW5nby5jb250cmliLmF1dGguYmFja2VuZHMuTW9kZWxCYWNrZW5kIiwi"
			   "X2F1dGhfdXNlcl9oYXNoIjoiMTNhMTNjMzdiOWFkODY3ZGEwMzIzMzM3NG"
			   "JmMWE2N2Y1ZmI0MzgzYzE0NDNkMTM3NGY4ZmFhMWIxY2Y1Yzk5MCJ9:1vb"
			   "66i:vqQl-9OK78FMQloRC2F_BhT-vISdAM2Psmz-BR1Ko1I"),
		DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
}

TEST(a_session_of_nobody_says_so)
{
	/* session_anonymous, session_id_missing, session_backend_missing */
	CHECK_INT(
		decode("eyJjYXJ0IjpbMSwyLDNdfQ:1vb66i:_09jIQFiE974_VFXdNAxfSGvtdgb"
			   "1Qj1X4_6CphCGFg"),
		DJANGO_SESSION_NO_USER);
	CHECK_INT(
		decode(".eJxNjDsOwyAQBe9CHSFvFhtImd5nQLsshHwEkrGrKHePI7lIO2_evFWgb"
			   "S1h62kJTPGZqqiLkgfVW9Ox1XW5s_4p-li7npuk1_VwT_-BQr3sb0ACjGj"
			   "Zk7jJCg14RkRrOANNNo-ZDTqMYAwK7Dy7TAQMMY_R-0F9vq9CMRc:1vb66"
			   "i:ETMXhMaUzxCZsiS5ImZNGZrt8DO1sry5yrvdwfk-1Pg"),
		DJANGO_SESSION_NO_USER);
	CHECK_INT(
		decode(".eJxNyDESgCAMBMC_pLYwHhDwM0wAM9iKVo5_19It96as19nzNbYj741WE"
			   "pr-13X0bxnKqJCStMUgTWcsAMQVYw1i3opDRGXn0Ph7i6bKhav5mtJMzwv"
			   "-Bx-x:1vb66i:0GktSmjiesWAPUlDVWzyo6uHhjOO48Fmt3P9lB6FGmU"),
		DJANGO_SESSION_NO_USER);
	CHECK_INT(decode_json("{}"), DJANGO_SESSION_NO_USER);
	CHECK_STR(session.user_id, "");
}

TEST(json_that_postgresql_refuses_does_not_hinder)
{
	/* session_nul_escape, session_lone_surrogate */
	CHECK_INT(
		decode(".eJxVjMEKwjAQRP8lZwldN20aj979AyHsbhpTlQbaBgTx302hB53jzJv3V"
			   "p7KmnxZhtmPQZ2UVYffjkkew7QN4U7TLWvJ0zqPrDdE7-uiLzkMz_PO_gk"
			   "SLam-AQlQ0LKj0Hc2UINHRLSGI1BnYxvZYI8CxmCA2sc-EgGDxFaca6r0V"
			   "TV0LU0Nq88XMDo7UQ:1vb66i:SAdExqkDzgX-NUqHhwD_g2bKdZHNGgP2n"
			   "bCLOX3D-4k"),
		DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
	CHECK_INT(
		decode(".eJxVjEEOwiAQRe_C2hDGoQVcuvcGJmRgQKqmTdqSmBjvLk260O17_7-38"
			   "FTX4uuSZj-wOAkjDr8sUHykcRN8p_E2yTiN6zwEuU3kbhd5mTg9z_v2L1B"
			   "oKe0NSIARTXDEtjdMCo-IaHTIQL3JXQ4aLUbQGhkazzYTQYCYu-icatFXy"
			   "1wrW6XE5wu6TjrK:1vb66i:aC1jQPZrqLovhsnvJDP-4rG3xZlpIucAEWi"
			   "ohhQqVlg"),
		DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
	CHECK_INT(decode_json("{\"x\":[NaN,Infinity,-Infinity,\"\\u0000\"],"
						  "\"_auth_user_id\":\"7\","
						  "\"_auth_user_backend\":\"" MODEL_BACKEND "\"}"),
			  DJANGO_SESSION_OK);
	check_login("7", "");
}

TEST(names_are_unescaped_and_the_last_of_two_counts)
{
	/* session_escaped_key, session_duplicate_id_last_wins */
	CHECK_INT(
		decode(".eJxVjEEOwiAQRe_C2hDGoaW4dO8NTMjAdKRqStKWlfHuttqN2_fe_y8Vq"
			   "C75Wo1ppM79FAZWJ-XU4SfCl0VKj37cBN9pvBWdyrhMQ9Rbonc760vh_nn"
			   "e27-DTHNe14AEmNBFT9y1jsngERGdjQLUOmkkWuwwgbXIsHLphAgiJGmS9"
			   "0a9P9AdOQQ:1vb66i:EMuJbCmPqzfzqc2AnSAgLd0qQPioIOBmH_1jETNh"
			   "7Ts"),
		DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
	CHECK_INT(
		decode(".eJxljDsOwjAQBe_iGllZ1oltSvqcwdr1BweQLcVJhbg7iZQmop2Z9z7C0"
			   "bpkt7Y4uymIm7Di8sf0mTH5Vyy7CE8qjyp9Lcs8sdwTedgmxxri-360p4N"
			   "MLW9rQAL0qNlSMIMO1OEVEbXiBDTo1CdWaNCDUhhg48kkImDwqffWduL7A"
			   "3w7Phk:1vb66i:kwSLz9EpPRRxHBaZBaJxB5RPa4R-8hk2gjNIWMAeJIw"),
		DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
}

TEST(a_user_id_is_a_string_or_an_integer_of_at_most_255_bytes)
{
	static const struct
	{
		const char		   *id;
		DjangoSessionStatus status;
		const char		   *user_id;
	} rows[] = {
		{"\"7\"", DJANGO_SESSION_OK, "7"},
		{"7", DJANGO_SESSION_OK, "7"},
		{"-7", DJANGO_SESSION_OK, "-7"},
		{"9007199254740993", DJANGO_SESSION_OK, "9007199254740993"},
		{"\"\"", DJANGO_SESSION_OK, ""},
		{"\"\\u00e9\\ud83d\\udd11\"", DJANGO_SESSION_OK,
		 "\xc3\xa9\xf0\x9f\x94\x91"},
		/* Read as Latin-1, as Django does. */
		{"\"\xc3\xa9\"", DJANGO_SESSION_OK, "\xc3\x83\xc2\xa9"},
		{"null", DJANGO_SESSION_BAD_USER_ID, ""},
		{"true", DJANGO_SESSION_BAD_USER_ID, ""},
		{"7.0", DJANGO_SESSION_BAD_USER_ID, ""},
		{"7e0", DJANGO_SESSION_BAD_USER_ID, ""},
		{"NaN", DJANGO_SESSION_BAD_USER_ID, ""},
		{"[7]", DJANGO_SESSION_BAD_USER_ID, ""},
		{"{}", DJANGO_SESSION_BAD_USER_ID, ""},
		{"\"7\\u0000\"", DJANGO_SESSION_BAD_USER_ID, ""},
		{"\"7\\ud800\"", DJANGO_SESSION_BAD_USER_ID, ""},
	};
	char json[1024];
	char id[300];

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		check_at("%s", rows[i].id);
		snprintf(json, sizeof(json),
				 "{\"_auth_user_id\":%s,\"_auth_user_backend\":\"b\","
				 "\"_auth_user_hash\":\"h\"}",
				 rows[i].id);
		CHECK_INT(decode_json(json), rows[i].status);
		CHECK_STR(session.user_id, rows[i].user_id);
		CHECK_STR(session.backend,
				  rows[i].status == DJANGO_SESSION_OK ? "b" : "");
		CHECK_STR(session.auth_hash,
				  rows[i].status == DJANGO_SESSION_OK ? "h" : "");
	}
	for (int quoted = 0; quoted < 2; quoted++)
	{
		for (int len = 255; len <= 256; len++)
		{
			check_at("%d bytes", len);
			memset(id, '7', sizeof(id));
			snprintf(
				json, sizeof(json),
				"{\"_auth_user_id\":%s%.*s%s,\"_auth_user_backend\":\"b\"}",
				quoted ? "\"" : "", len, id, quoted ? "\"" : "");
			CHECK_INT(decode_json(json), len == 255
											 ? DJANGO_SESSION_OK
											 : DJANGO_SESSION_BAD_USER_ID);
			CHECK_INT(strlen(session.user_id), len == 255 ? 255 : 0);
		}
	}
}

TEST(a_backend_or_hash_that_could_match_nothing_is_empty)
{
	static const char *const others[] = {
		"null", "7", "[]", "\"a\\u0000\"", "\"\\udfff\"",
	};
	char json[1024];
	char text[300];

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < COUNT(others); i++)
	{
		check_at("%s", others[i]);
		snprintf(json, sizeof(json),
				 "{\"_auth_user_id\":\"7\",\"_auth_user_backend\":%s,"
				 "\"_auth_user_hash\":%s}",
				 others[i], others[i]);
		CHECK_INT(decode_json(json), DJANGO_SESSION_OK);
		CHECK_STR(session.user_id, "7");
		CHECK_STR(session.backend, "");
		CHECK_STR(session.auth_hash, "");
	}
	for (int more = 0; more < 2; more++)
	{
		check_at("%d more", more);
		snprintf(json, sizeof(json),
				 "{\"_auth_user_id\":\"7\",\"_auth_user_backend\":\"%.*s\","
				 "\"_auth_user_hash\":\"%.*s\"}",
				 DJANGO_BACKEND_MAX + more, text, DJANGO_AUTH_HASH_MAX + more,
				 text);
		CHECK_INT(decode_json(json), DJANGO_SESSION_OK);
		CHECK_INT(strlen(session.backend), more ? 0 : DJANGO_BACKEND_MAX);
		CHECK_INT(strlen(session.auth_hash), more ? 0 : DJANGO_AUTH_HASH_MAX);
	}
}

TEST(a_signature_is_compared_as_text)
{
	static const char *const refused[] = {
		"",
		":",
		"::",
		"no colon",
		/* session_signature_noncanonical_last_char, _padded, _truncated,
		 * _empty */
		LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8R",
		LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q=",
		LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8",
		LOGIN ":1vb66i:",
		/* The parts that it covers. */
		LOGIN ":1vb66j:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q",
		"." LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q",
		LOGIN "A:1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q",
		/* session_wrong_salt, session_salt_without_signer_suffix */
		LOGIN ":1vb66i:oBHw9z0AXM81_J09MxBD65IgNgfdTQYzy7a0vh5rmc0",
		LOGIN ":1vb66i:_-3-v48gmXCUjGGkLMGl7od00xGFy_6f0wVSLMxPHuQ",
	};

	for (size_t i = 0; i < COUNT(refused); i++)
	{
		check_at("row %zu", i);
		CHECK_INT(decode(refused[i]), DJANGO_SESSION_BAD_SIGNATURE);
		CHECK_INT(decode_old(refused[i]), DJANGO_SESSION_BAD_SIGNATURE);
		CHECK_STR(session.user_id, "");
		CHECK_INT(session.stamp_s, 0);
	}
}

TEST(every_character_of_the_signature_counts)
{
	char   data[] = LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q";
	size_t end = sizeof(data) - 1;

	for (size_t i = end - 43; i < end; i++)
	{
		char was = data[i];

		check_at("character %zu", i);
		data[i] = was == 'A' ? 'B' : 'A';
		CHECK_INT(decode(data), DJANGO_SESSION_BAD_SIGNATURE);
		data[i] = was;
	}
	CHECK_INT(decode(data), DJANGO_SESSION_OK);
}

TEST(what_is_signed_but_no_session_is_corrupt)
{
	static const char *const rows[] = {
		/* session_one_colon, session_signed_not_json, _json_list, _pickle,
		 * _bad_base64_length, _raw_deflate, _bad_timestamp,
		 * _empty_timestamp */
		"eyJhIjoxfQ:WJ1guD5TGgerc_oiqgGDYulJ5h_iGX7gixKojXbyRoo",
		"bm90IGpzb24:1vb66i:JURIdTyyzkSnQ1v1snZ-pzicm6DlbM7fP8aVMububTY",
		"WyJfYXV0aF91c2VyX2lkIl0:1vb66i:"
		"KUGy2kyrIk9IzQwDYglhyf5pwTfcVlCqSt3bvJSCzlQ",
		"gAR9lC4:1vb66i:PbJErWkfRHdcyOfC-vVweE2HyBXEyrUoCKYHZlOzfdg",
		"abcde:1vb66i:EInTT_b9Z0YJjZFYZBAJt5BKjV_EodXHjvLi0KNyQ80",
		".VYxBDsIgEEXvwtqQjkMLuHTvGcgMA1I1NCntynh326QL3b73_n-rQOtSwtrSHEZRF2XV"
		"6ZcxxWequ5AH1fuk41SXeWS9J_qwTd8mSa_r0f4dFGplWwMSYETLnsQNVqjDMyJawxlos"
		"LnPbNBhBGNQYOPZZSJgiLmP3nfq8wU:1vb66i:"
		"NIlLFI3ymM2YcdTgZ9R800wSgqETqvw-rI__YcfW6qo",
		LOGIN ":1!2:cqfySRRK-d9mZ05BcW2Q4H4YQdq8-Ez4WsFAUKz1FQ0",
		LOGIN "::lQAAmPNlGJ2k7TpWq0F6oQS0-htup1d4z8zB-P7Fs8E",
	};
	static const char *const values[] = {
		":1vb66i",
		".:1vb66i",
		"1vb66i",
		"",
		"e30",
		".e30:1vb66i",
		"a:e30:1vb66i",
		"e30:1vb66i ",
		"e30:zzzzzzzzzzzz!",
	};
	static const char *const jsons[] = {"",		"{",	"{}x", "[]",
										"\"\"", "null", "7"};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		check_at("row %zu", i);
		CHECK_INT(decode(rows[i]), DJANGO_SESSION_CORRUPT);
		CHECK_INT(decode_old(rows[i]), DJANGO_SESSION_CORRUPT);
	}
	for (size_t i = 0; i < COUNT(values); i++)
	{
		check_at("%s", values[i]);
		CHECK_INT(decode_signed(values[i]), DJANGO_SESSION_CORRUPT);
	}
	for (size_t i = 0; i < COUNT(jsons); i++)
	{
		check_at("%s", jsons[i]);
		CHECK_INT(decode_json(jsons[i]), DJANGO_SESSION_CORRUPT);
	}
}

/* As Django 3.2 reads them: {} each. */
TEST(a_signed_segment_is_decoded_as_leniently_as_django_does)
{
	static const char *const values[] = {
		"e30:1vb66i", "e30=:1vb66i", "e31:1vb66i", " e3!0\n:1vb66i",
		"e30:-",	  "e30:-10",	 "e30:0",	   "e30:zzzzzzzzzzzz",
	};

	for (size_t i = 0; i < COUNT(values); i++)
	{
		check_at("%s", values[i]);
		CHECK_INT(decode_signed(values[i]), DJANGO_SESSION_NO_USER);
	}
}

TEST(the_stamp_is_read_and_not_compared)
{
	static const struct
	{
		const char *value;
		int64_t		stamp_s;
	} rows[] = {{"e30:0", 0}, {"e30:-10", -62}, {"e30:AzL8n0Y58m7", INT64_MAX}};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		check_at("%s", rows[i].value);
		CHECK_INT(decode_signed(rows[i].value), DJANGO_SESSION_NO_USER);
		CHECK_INT(session.stamp_s, rows[i].stamp_s);
	}
}

TEST(every_key_is_tried_and_no_other)
{
	static const char	 row[] = LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-"
									   "KjjyrsbvW09Y8Q";
	DjangoSessionOptions options = {"SessionStore", false};

	CHECK_INT(django_session_decode(row, strlen(row), &main_among_three,
									&options, &session),
			  DJANGO_SESSION_OK);
	CHECK_STR(session.user_id, "7");
	CHECK_INT(
		django_session_decode(row, strlen(row), &old_only, &options, &session),
		DJANGO_SESSION_BAD_SIGNATURE);
	CHECK_INT(
		django_session_decode(row, strlen(row), &no_keys, &options, &session),
		DJANGO_SESSION_BAD_SIGNATURE);
}

TEST(the_store_s_class_is_part_of_the_salt)
{
	DjangoSessionOptions options = {"MyStore", false};
	char				*data =
		sign(CRYPTO_SHA256, "django.contrib.sessions.MyStore", "e30:1vb66i");

	CHECK_INT(django_session_decode(data, strlen(data), &main_only, &options,
									&session),
			  DJANGO_SESSION_NO_USER);
	CHECK_INT(decode(data), DJANGO_SESSION_BAD_SIGNATURE);
	free(data);
}

TEST(sizes_around_the_stack_s_buffer_are_all_read)
{
	for (int len = 1900; len < 2200; len += 1)
	{
		char json[2400];

		snprintf(json, sizeof(json),
				 "{\"x\":\"%0*d\",\"_auth_user_id\":\"7\","
				 "\"_auth_user_backend\":\"b\"}",
				 len, 0);
		check_at("%d", len);
		if (!CHECK_INT(decode_json(json), DJANGO_SESSION_OK) ||
			!CHECK_STR(session.user_id, "7"))
			return;
	}
}

/* ---- before Django 3.1 ---- */

/* session_legacy_format */
#define PRE_3_1                                                                \
	"OTk0Yjc0OTRjNmY4ZDk2MDEwZjJhMGExYTBiYzFjNmNlODEyNDBhOTp7Il9hdXRoX3VzZX"   \
	"JfaWQiOiI3IiwiX2F1dGhfdXNlcl9iYWNrZW5kIjoiZGphbmdvLmNvbnRyaWIuYXV0aC5i"   \
	"YWNrZW5kcy5Nb2RlbEJhY2tlbmQiLCJfYXV0aF91c2VyX2hhc2giOiJmYTEzYjFjMjEzYT"   \
	"dhOTcxNjFmN2MzZTE2OWUwMTcwNTdmNTg1MWNmIn0="
/* session_sha1_signature */
#define SHA1_ROW LOGIN ":1vb66i:R6pih4iFXm1fsX_5AN-tU-5hQGA"

TEST(the_old_format_is_read_behind_its_switch_only)
{
	CHECK_INT(decode_old(PRE_3_1), DJANGO_SESSION_OK);
	check_login("7", SHA1_AUTH_HASH);
	CHECK_INT(session.stamp_s, 0);
	CHECK_INT(decode(PRE_3_1), DJANGO_SESSION_BAD_SIGNATURE);
}

TEST(the_old_format_too_is_tried_with_every_key_and_no_other)
{
	DjangoSessionOptions options = {"SessionStore", true};

	CHECK_INT(django_session_decode(PRE_3_1, strlen(PRE_3_1), &main_among_three,
									&options, &session),
			  DJANGO_SESSION_OK);
	CHECK_STR(session.user_id, "7");
	CHECK_INT(django_session_decode(PRE_3_1, strlen(PRE_3_1), &old_only,
									&options, &session),
			  DJANGO_SESSION_BAD_SIGNATURE);
}

TEST(a_sha_1_signature_is_accepted_behind_the_switch_only)
{
	CHECK_INT(decode_old(SHA1_ROW), DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
	CHECK_INT(decode(SHA1_ROW), DJANGO_SESSION_BAD_SIGNATURE);
	CHECK_INT(decode_old(LOGIN ":1vb66i:R6pih4iFXm1fsX_5AN-tU-5hQGB"),
			  DJANGO_SESSION_BAD_SIGNATURE);
}

TEST(the_switch_leaves_new_rows_readable)
{
	CHECK_INT(decode_old(LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-"
							   "KjjyrsbvW09Y8Q"),
			  DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
}

/* A row in the old format under MAIN and this salt; freed by the caller. */
static char *
pre_3_1(const char *salt, const char *json, bool upper)
{
	static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
								   "qrstuvwxyz0123456789+/";
	uint8_t			  mac[CRYPTO_HASH_MAX_BYTES];
	size_t			  len = 41 + strlen(json);
	char			 *text = calloc(1, len + 3);
	char			 *data = calloc(1, 4 * len / 3 + 5);
	size_t			  n = 0;

	CHECK(django_salted_hmac(CRYPTO_SHA1, salt, main_key, json, strlen(json),
							 mac));
	crypto_hex(mac, 20, text);
	for (int i = 0; upper && i < 40; i++)
		text[i] = (char) (text[i] >= 'a' ? text[i] - 32 : text[i]);
	strcat(text, ":");
	strcat(text, json);
	for (size_t i = 0; i < len; i += 3)
	{
		unsigned bits = (unsigned) (unsigned char) text[i] << 16 |
						(unsigned) (unsigned char) text[i + 1] << 8 |
						(unsigned char) text[i + 2];

		data[n++] = standard[bits >> 18];
		data[n++] = standard[bits >> 12 & 63];
		data[n++] = i + 1 < len ? standard[bits >> 6 & 63] : '=';
		data[n++] = i + 2 < len ? standard[bits & 63] : '=';
	}
	free(text);
	return data;
}

TEST(a_long_row_in_the_old_format_is_read)
{
	char  json[5000];
	char *data;

	snprintf(json, sizeof(json),
			 "{\"x\":\"%04000d\",\"_auth_user_id\":\"7\","
			 "\"_auth_user_backend\":\"b\"}",
			 0);
	data = pre_3_1("django.contrib.sessionsSessionStore", json, false);
	CHECK_INT(decode_old(data), DJANGO_SESSION_OK);
	CHECK_STR(session.user_id, "7");
	free(data);
}

TEST(the_old_format_has_a_salt_without_a_dot_and_a_hash_in_lower_case)
{
	static const struct
	{
		const char		   *salt;
		const char		   *json;
		bool				upper;
		DjangoSessionStatus status;
	} rows[] = {
		{"django.contrib.sessionsSessionStore", "{}", false,
		 DJANGO_SESSION_NO_USER},
		{"django.contrib.sessionsSessionStore", "{\"\xff?>\":\"~~\"}", false,
		 DJANGO_SESSION_NO_USER},
		{"django.contrib.sessionsSessionStore", "[]", false,
		 DJANGO_SESSION_CORRUPT},
		{"django.contrib.sessionsSessionStore", "\x80\x04}.", false,
		 DJANGO_SESSION_CORRUPT},
		{"django.contrib.sessionsSessionStore", "", false,
		 DJANGO_SESSION_CORRUPT},
		{"django.contrib.sessionsSessionStore", "{}", true,
		 DJANGO_SESSION_BAD_SIGNATURE},
		{"django.contrib.sessions.SessionStore", "{}", false,
		 DJANGO_SESSION_BAD_SIGNATURE},
		{"django.contrib.sessionsOther", "{}", false,
		 DJANGO_SESSION_BAD_SIGNATURE},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		char *data = pre_3_1(rows[i].salt, rows[i].json, rows[i].upper);

		check_at("row %zu", i);
		CHECK_INT(decode_old(data), rows[i].status);
		free(data);
	}
}

TEST(every_damage_to_the_old_format_is_a_bad_signature)
{
	size_t len = strlen(PRE_3_1);

	/* session_legacy_tampered_hash, then every place. */
	CHECK_INT(
		decode_old("ODk0Yjc0OTRjNmY4ZDk2MDEwZjJhMGExYTBiYzFjNmNlODEyNDBhOTp7Il"
				   "9hdXRoX3VzZXJfaWQiOiI3IiwiX2F1dGhfdXNlcl9iYWNrZW5kIjoiZGph"
				   "bmdvLmNvbnRyaWIuYXV0aC5iYWNrZW5kcy5Nb2RlbEJhY2tlbmQiLCJfYX"
				   "V0aF91c2VyX2hhc2giOiJmYTEzYjFjMjEzYTdhOTcxNjFmN2MzZTE2OWUw"
				   "MTcwNTdmNTg1MWNmIn0="),
		DJANGO_SESSION_BAD_SIGNATURE);
	for (size_t i = 0; i < len - 1; i++)
	{
		char data[] = PRE_3_1;

		check_at("character %zu", i);
		data[i] = data[i] == 'A' ? 'g' : 'A';
		/* The last digit has unused bits, so it may mean the same. */
		if (i < len - 2)
			CHECK_INT(decode_old(data), DJANGO_SESSION_BAD_SIGNATURE);
		CHECK_INT(decode_bytes(PRE_3_1, i, true), DJANGO_SESSION_BAD_SIGNATURE);
	}
	/* Base64 would skip the first; Django reads ASCII only. */
	CHECK_INT(decode_old("!" PRE_3_1), DJANGO_SESSION_OK);
	CHECK_INT(decode_old("\xC3\xA9" PRE_3_1), DJANGO_SESSION_BAD_SIGNATURE);
}

/* ---- signed cookies ---- */

static DjangoSessionStatus
decode_cookie(const char *value, int64_t now_s)
{
	memset(&session, 'x', sizeof(session));
	return django_session_decode_cookie(value, strlen(value), &main_only, now_s,
										TWO_WEEKS, &session);
}

TEST(a_signed_cookie_lives_for_its_age_and_no_second_longer)
{
	/* cookie_session_age_exactly_max, cookie_session_future_stamp */
	static const char cookie[] =
		LOGIN ":1vW1R2:rtNVIS1HETnmvuw2wPeXLPd4pcLwdcmvzBGJDHJhgZI";
	static const char future[] =
		LOGIN ":1vb6Mp:BeXXkn1uMOIEVpyq4YcjqIv3o9RALlHmvlSs26Z1yyk";

	CHECK_INT(decode_cookie(cookie, NOW), DJANGO_SESSION_OK);
	check_login("7", AUTH_HASH);
	CHECK_INT(session.stamp_s, NOW - TWO_WEEKS);
	CHECK_INT(decode_cookie(cookie, NOW + 1), DJANGO_SESSION_EXPIRED);
	CHECK_STR(session.user_id, "");
	CHECK_INT(decode_cookie(future, NOW), DJANGO_SESSION_OK);
	/* cookie_session_too_old */
	CHECK_INT(decode_cookie(LOGIN ":1vW1R1:gpTSMZt7CtSDYPRmonIzVDWhFzfqFE1F4yS"
								  "blHMYLP8",
							NOW),
			  DJANGO_SESSION_EXPIRED);
}

TEST(rows_and_cookies_are_not_taken_for_each_other)
{
	/* cookie_session_row_salt */
	CHECK_INT(decode_cookie(LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-"
								  "KjjyrsbvW09Y8Q",
							NOW),
			  DJANGO_SESSION_BAD_SIGNATURE);
	CHECK_INT(
		decode(LOGIN ":1vb6Mp:BeXXkn1uMOIEVpyq4YcjqIv3o9RALlHmvlSs26Z1yyk"),
		DJANGO_SESSION_BAD_SIGNATURE);
}

TEST(a_cookie_s_signature_comes_before_its_stamp_and_that_before_its_contents)
{
	static const struct
	{
		CryptoHash			hash;
		const char		   *value;
		DjangoSessionStatus status;
	} rows[] = {
		{CRYPTO_SHA256, "e30:1vb66i", DJANGO_SESSION_NO_USER},
		{CRYPTO_SHA256, "e30:0", DJANGO_SESSION_EXPIRED},
		{CRYPTO_SHA256, "!:0", DJANGO_SESSION_EXPIRED},
		{CRYPTO_SHA256, "!:1vb66i", DJANGO_SESSION_CORRUPT},
		{CRYPTO_SHA256, "e30", DJANGO_SESSION_CORRUPT},
		{CRYPTO_SHA256, "e30:", DJANGO_SESSION_CORRUPT},
		/* So long ago that subtracting would overflow. */
		{CRYPTO_SHA256, "e30:-AzL8n0Y58m8", DJANGO_SESSION_EXPIRED},
		{CRYPTO_SHA256, "e30:AzL8n0Y58m7", DJANGO_SESSION_NO_USER},
		{CRYPTO_SHA1, "e30:1vb66i", DJANGO_SESSION_BAD_SIGNATURE},
		{CRYPTO_SHA1, "e30:0", DJANGO_SESSION_BAD_SIGNATURE},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		char *data = sign(rows[i].hash, COOKIE_SALT, rows[i].value);

		check_at("%s", rows[i].value);
		CHECK_INT(decode_cookie(data, NOW), rows[i].status);
		free(data);
	}
}

/* ---- the hash of the password ---- */

TEST(the_auth_hash_is_django_s)
{
	char hash[2 * CRYPTO_HASH_MAX_BYTES + 1];

	/* auth_hash_usual, auth_hash_sha1_before_4_0, auth_hash_empty_password */
	CHECK(django_auth_hash(CRYPTO_SHA256, PASSWORD, strlen(PASSWORD), main_key,
						   hash));
	CHECK_STR(hash, AUTH_HASH);
	CHECK(django_auth_hash(CRYPTO_SHA1, PASSWORD, strlen(PASSWORD), main_key,
						   hash));
	CHECK_STR(hash, SHA1_AUTH_HASH);
	CHECK(django_auth_hash(CRYPTO_SHA256, "", 0, main_key, hash));
	CHECK_STR(
		hash,
		"a5aa7745f8a6568613ce02abc7407449f70c1c27ed1000da51c977f2d02b01f9");
}

static bool
hash_matches(const char *hash, const char *password,
			 const DjangoSecretKeys *secrets, bool pre_3_1_too)
{
	return django_session_hash_matches(hash, password, strlen(password),
									   secrets, pre_3_1_too);
}

TEST(an_auth_hash_matches_its_password_under_any_of_the_keys)
{
	CHECK(hash_matches(AUTH_HASH, PASSWORD, &main_only, false));
	CHECK(hash_matches(AUTH_HASH, PASSWORD, &main_among_three, false));
	CHECK(!hash_matches(AUTH_HASH, PASSWORD, &old_only, false));
	CHECK(!hash_matches(AUTH_HASH, PASSWORD, &no_keys, false));
	CHECK(!hash_matches(AUTH_HASH, PASSWORD "x", &main_only, false));
	CHECK(!hash_matches(AUTH_HASH, "", &main_only, false));
}

TEST(an_auth_hash_is_compared_as_text_of_its_whole_length)
{
	static const char *const refused[] = {
		"",
		"0",
		AUTH_HASH "0",
		"13A13C37B9AD867DA03233374BF1A67F5FB4383C1443D1374F8FAA1B1CF5C990",
		"03a13c37b9ad867da03233374bf1a67f5fb4383c1443d1374f8faa1b1cf5c990",
		"13a13c37b9ad867da03233374bf1a67f5fb4383c1443d1374f8faa1b1cf5c991",
		"13a13c37b9ad867da03233374bf1a67f5fb4383c1443d1374f8faa1b1cf5c99",
	};

	for (size_t i = 0; i < COUNT(refused); i++)
	{
		check_at("\"%s\"", refused[i]);
		CHECK(!hash_matches(refused[i], PASSWORD, &main_only, false));
		CHECK(!hash_matches(refused[i], PASSWORD, &main_only, true));
	}
}

TEST(a_sha_1_auth_hash_matches_behind_the_switch_only)
{
	CHECK(hash_matches(SHA1_AUTH_HASH, PASSWORD, &main_only, true));
	CHECK(hash_matches(SHA1_AUTH_HASH, PASSWORD, &main_among_three, true));
	CHECK(!hash_matches(SHA1_AUTH_HASH, PASSWORD, &main_only, false));
	CHECK(!hash_matches(SHA1_AUTH_HASH, PASSWORD, &old_only, true));
	CHECK(hash_matches(AUTH_HASH, PASSWORD, &main_only, true));
}

/* ---- primitives ---- */

TEST(the_salted_hmac_is_django_s)
{
	uint8_t mac[CRYPTO_HASH_MAX_BYTES];
	char	hex[2 * CRYPTO_HASH_MAX_BYTES + 1];

	/* salted_hmac_sha256, salted_hmac_sha1, salted_hmac_empty_value */
	CHECK(django_salted_hmac(CRYPTO_SHA256, "some.salt", main_key, "value", 5,
							 mac));
	crypto_hex(mac, 32, hex);
	CHECK_STR(
		hex,
		"5fa4cc97a4ada54556de944db08fbb8d3f473cf84a2b0c37d6d148a80a7cad53");
	CHECK(django_salted_hmac(CRYPTO_SHA1, "some.salt", main_key, "value", 5,
							 mac));
	crypto_hex(mac, 20, hex);
	CHECK_STR(hex, "edf514dde88e8d7bcc230513eef91786a792a7e4");
	CHECK(django_salted_hmac(CRYPTO_SHA256, "some.salt", main_key, "", 0, mac));
	crypto_hex(mac, 32, hex);
	CHECK_STR(
		hex,
		"ac66d694cf9036135e768e90d85be57e8037ef3df59cf56efef1d625510ce27d");
}

TEST(the_signature_is_django_s)
{
	char signature[DJANGO_SIGNATURE_MAX + 1];

	/* signer_timestamped, signer_short */
	CHECK(django_signature(CRYPTO_SHA256, ROW_SALT, main_key,
						   "eyJhIjoxfQ:1vb66i", 17, signature));
	CHECK_STR(signature, "wjzbzMHzdLtxDGl0ZpTU6VcNfBEapSpJGp_sp4vXcik");
	CHECK(
		django_signature(CRYPTO_SHA256, ROW_SALT, main_key, "x", 1, signature));
	CHECK_STR(signature, "71hxlMlJ6BKtaFzLuj2l8rRdu9weILked4kmtUN6dYs");
	/* The longest fills the room that is promised. */
	CHECK(
		django_signature(CRYPTO_SHA512, ROW_SALT, main_key, "x", 1, signature));
	CHECK_INT(strlen(signature), DJANGO_SIGNATURE_MAX);
}

TEST(base62_is_django_s_in_both_directions)
{
	static const struct
	{
		int64_t		number;
		const char *text;
	} rows[] = {
		{0, "0"},
		{1, "1"},
		{9, "9"},
		{10, "A"},
		{35, "Z"},
		{36, "a"},
		{61, "z"},
		{62, "10"},
		{3843, "zz"},
		{3844, "100"},
		{NOW, "1vb66i"},
		{4294967296, "4gfFC4"},
		{-1, "-1"},
		{-62, "-10"},
		{INT64_MAX, "AzL8n0Y58m7"},
		{INT64_MIN, "-AzL8n0Y58m8"},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		char	text[13];
		int64_t number = 99;

		check_at("%s", rows[i].text);
		django_base62_encode(rows[i].number, text);
		CHECK_STR(text, rows[i].text);
		CHECK(
			django_base62_decode(rows[i].text, strlen(rows[i].text), &number));
		CHECK_INT(number, rows[i].number);
	}
}

TEST(what_is_no_base62_is_refused)
{
	static const char *const refused[] = {
		"",	   "!",		   "1!", " 1", "1 ", "+1", "--1", "1-", "_",
		"1:2", "\xc3\xa9", "/",	 ":",  "@",	 "[",  "`",	  "{",	"zzzzzzzzzzzz!",
	};
	int64_t number;

	for (size_t i = 0; i < COUNT(refused); i++)
	{
		check_at("\"%s\"", refused[i]);
		CHECK(!django_base62_decode(refused[i], strlen(refused[i]), &number));
	}
	CHECK(!django_base62_decode("1\0", 2, &number));
	/* Zeros in front and a sign alone are Django's 1 and 0. */
	CHECK(django_base62_decode("00000000000001", 14, &number));
	CHECK_INT(number, 1);
	CHECK(django_base62_decode("-", 1, &number));
	CHECK_INT(number, 0);
}

TEST(base62_beyond_64_bits_is_the_nearest_number_within)
{
	static const struct
	{
		const char *text;
		int64_t		number;
	} rows[] = {
		{"AzL8n0Y58m8", INT64_MAX},	  {"zzzzzzzzzzzz", INT64_MAX},
		{"100000000000", INT64_MAX},  {"-AzL8n0Y58m9", INT64_MIN},
		{"-zzzzzzzzzzzz", INT64_MIN},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		int64_t number = 0;

		check_at("%s", rows[i].text);
		CHECK(
			django_base62_decode(rows[i].text, strlen(rows[i].text), &number));
		CHECK_INT(number, rows[i].number);
	}
}

TEST(every_status_but_ok_has_its_word)
{
	static const char *const words[] = {
		[DJANGO_SESSION_OK] = NULL,
		[DJANGO_SESSION_BAD_SIGNATURE] = "bad_signature",
		[DJANGO_SESSION_CORRUPT] = "corrupt",
		[DJANGO_SESSION_EXPIRED] = "expired",
		[DJANGO_SESSION_NO_USER] = "no_user_in_session",
		[DJANGO_SESSION_BAD_USER_ID] = "bad_user_id",
		[DJANGO_SESSION_CRYPTO_ERROR] = "crypto_error",
	};

	for (size_t i = 0; i < COUNT(words); i++)
		CHECK_STR(django_session_reason((DjangoSessionStatus) i), words[i]);
}

TEST(nothing_matches_when_the_hmac_fails)
{
	uint8_t mac[CRYPTO_HASH_MAX_BYTES];
	char	text[2 * CRYPTO_HASH_MAX_BYTES + 1];

	hmac_fails = true;
	CHECK_INT(
		decode(LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q"),
		DJANGO_SESSION_CRYPTO_ERROR);
	CHECK_INT(decode_old(PRE_3_1), DJANGO_SESSION_CRYPTO_ERROR);
	CHECK_STR(session.user_id, "");
	CHECK(!hash_matches(AUTH_HASH, PASSWORD, &main_only, false));
	CHECK(!django_auth_hash(CRYPTO_SHA256, "", 0, main_key, text));
	CHECK(!django_signature(CRYPTO_SHA256, "s", main_key, "", 0, text));
	CHECK(!django_salted_hmac(CRYPTO_SHA256, "s", main_key, "", 0, mac));
	hmac_fails = false;
}

TEST(a_lack_of_memory_is_told_from_a_corrupt_row)
{
	static const char compressed[] =
		LOGIN ":1vb66i:GijdKcC-r-J79n7EnQbZVZ2vyLSu-KjjyrsbvW09Y8Q";
	char  big[4000];
	char *row;

	memset(big, 'A', sizeof(big));
	strcpy(big + sizeof(big) - 8, ":1vb66i");
	row = sign(CRYPTO_SHA256, ROW_SALT, big);
	for (int pre = 0; pre < 2; pre++)
	{
		DjangoSessionOptions options = {"SessionStore", pre};
		DjangoSessionStatus	 inflating;
		DjangoSessionStatus	 reading;

		starve_after = 0;
		inflating = django_session_decode(compressed, strlen(compressed),
										  &main_only, &options, &session);
		reading = django_session_decode(row, strlen(row), &main_only, &options,
										&session);
		starve_after = -1;
		CHECK_INT(inflating, DJANGO_SESSION_CRYPTO_ERROR);
		CHECK_INT(reading, DJANGO_SESSION_CRYPTO_ERROR);
	}
	starve_after = 0;
	CHECK_INT(django_session_decode(big, sizeof(big) - 1, &main_only,
									&(DjangoSessionOptions){"S", true},
									&session),
			  DJANGO_SESSION_CRYPTO_ERROR);
	starve_after = -1;
	free(row);
}

TEST_MAIN()
