/*-------------------------------------------------------------------------
 *
 * test_jwt.c
 *	  JSON Web Tokens: form, header, keys and signature.
 *
 *-------------------------------------------------------------------------
 */
#include "jwt_tokens.h"

static const char main_key[] =
	"vectors-main-key-9f2c7b1d4e6a8053-do-not-use-anywhere-else";

static const char nonascii_key[] =
	"clé-secrète-ключ-密钥-🔑-0123456789abcdefghijklmnop";

static const char rsa_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyH3IDKBkowPjfCAbX4nB\n"
	"9KRvzWk4rLqs/iq9stLRsIOZnP5dlz7YsDpnVfXWM58BW6eEzk+0HAeLh5X8qjAY\n"
	"cE8Jv/X9p+bw2M1KLGYZcwNmJkSvrcwjmRExEKFTeVEw/fVvdBmrZyfwrMc+UdUZ\n"
	"Cam2lKHed1AYS8s2DFYYSMy9lXnwOEcC6XwvGxkirt784yDLhEw1J4dbW25zY5Fc\n"
	"1d7/V3wYvqtN6Az/paqhW5C13gtN+1Mf9Ci4XNoXcq1wRQ7/7Mk7HjEemx10Qvo/\n"
	"PSph4YmTNSeVb44UkXP9ii6Vneh9N3GKkI0WiqB7zvGbXUy6DYJkAe3wz2YaT/q2\n"
	"+wIDAQAB\n"
	"-----END PUBLIC KEY-----\n";

static const char ec256_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAESl8yn3Zf7NQvUl8heF/jOe8bYNZi\n"
	"SfKrHfckUNaZnIfhnHLGdjHLExN9xWf18ZOQGWbHsW35oAO5CV4ODK7kdg==\n"
	"-----END PUBLIC KEY-----\n";

/* ---- the vectors ---- */

typedef struct Vector
{
	const char	*name;
	JwtAlgorithm algorithm;
	const char	*key;
	JwtFlavor	 flavor;
	const char	*revoke_claim;
	const char	*token;
	const char	*reason; /* NULL: it is valid */
	const char	*user;
} Vector;

/*
 * test/vectors/vectors.json, by name; each was checked there against
 * simplejwt 4.8 to 5.5 and PyJWT 2.4 to 2.10.  test/vectors/run does them all.
 */
static const Vector vectors[] = {
	{"jwt_hs256", JWT_HS256, main_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.2piIuhT6DxZBivWk6bdmyb"
	 "cVMj1ftB-kewveck4n1is",
	 NULL, "7"},
	{"jwt_rs256", JWT_RS256, rsa_public, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.eVsTsE6WiXyRES6KAKs6GG"
	 "C9E8tx2Om7Y8z3QXgTi-t4TgCkOE-0_22jGwJZTc2awmZ-31uQ5jU4Mf4lwVSCXAypfdjB"
	 "F-JEWQg9scCHBp4GidzhcQB54VGwkzPNS-Z63PB8-d5zZn8avmgfgtRqdxXAqNzsW0kXHQ"
	 "2oXIn_UsLL7zp-W_wpr-w3ra84ijNjG7SZZhVDcd363K4DvK0RRgsUWuyaAb7LrSJUwpKO"
	 "34aMqmvvMY7ikzFJGxyYaV5SXVDHN43b3pwUn_c3GxPyzue7KlTEM_51zj-F2u67U-aKRs"
	 "ni9iYM1xGlnCcUMQFBb5khc3rYRMkPbdr1V6AycA",
	 NULL, "7"},
	{"jwt_nonascii_key", JWT_HS256, nonascii_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.NvzjJDjAve-g5XhsUGIfOj"
	 "kJIJriO3vKKsrDjFyWI_s",
	 NULL, "7"},
	{"jwt_nul_in_other_claim", JWT_HS256, main_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjogImFjY2VzcyIsI"
	 "CJleHAiOiAxNzY3MjI1OTAwLCAiaWF0IjogMTc2NzIyNTYwMCwgImp0aSI6ICIwYjZmMWQ"
	 "yYzNlNGE1OTY4Nzc4Njk1YTRiM2MyZDFlMCIsICJ1c2VyX2lkIjogIjciLCJ4IjoiXHUwM"
	 "DAwIn0.2JxOGEdLH21F6NDXmPz1NKnOSOTTPAB6vspHDsApz7g",
	 NULL, "7"},
	{"jwt_bigint_user_id_number", JWT_HS256, main_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6OTAwNzE5OTI1NDc0MDk5M30.5PEUC"
	 "xaoNxngiFFXZTcZc_TTE0nQOhl3Ac-XgMV-wl0",
	 NULL, "9007199254740993"},
	{"jwt_exp_2_pow_64_plus", JWT_HS256, main_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxODQ0Njc0NDA3NTQ3Njc3NzUxNiwiaWF0IjoxNzY3MjI1NjAwLCJqdGkiOiIwYjZ"
	 "mMWQyYzNlNGE1OTY4Nzc4Njk1YTRiM2MyZDFlMCIsInVzZXJfaWQiOiI3In0.8nsFokGgm"
	 "_DaUKqAXUWQoxpvnUYwb95YvAHVrkNe9eg",
	 "bad_exp", NULL},
	{"jwt_alg_none_empty_sig", JWT_HS256, main_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZX"
	 "hwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU5"
	 "Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.",
	 "bad_algorithm", NULL},
	{"jwt_confusion_rs256_hs256_pem_no_newline", JWT_RS256, rsa_public,
	 JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.nlPuWpUzV4RYK8gxW58ipY"
	 "3BBqarFWHb8s398V8pUMs",
	 "bad_algorithm", NULL},
	{"jwt_es256_der_signature", JWT_ES256, ec256_public, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.MEUCIAildSO6Dc3xyYxQjn"
	 "ugmDjWdifAciuGyytggVRm8-JjAiEAjL8PtUteLLsA0Le0igom9y7v18ojxfepNiXn5Krd"
	 "Z7w",
	 "bad_signature", NULL},
	{"jwt_hs256_configured_with_pem_key", JWT_HS256, rsa_public, JWT_SIMPLEJWT,
	 NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.VwCkMg2Zh-dWYO2wpX1oAL"
	 "QTN9NR-nzcDfzyk_onrnA",
	 "bad_key", NULL},
	{"jwt_sig_noncanonical_last_char", JWT_HS256, main_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjcifQ.2piIuhT6DxZBivWk6bdmyb"
	 "cVMj1ftB-kewveck4n1it",
	 "bad_base64", NULL},
	{"jwt_payload_duplicate_user_id", JWT_HS256, main_key, JWT_SIMPLEJWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoiOSIsInRva2VuX3R5c"
	 "GUiOiAiYWNjZXNzIiwgImV4cCI6IDE3NjcyMjU5MDAsICJpYXQiOiAxNzY3MjI1NjAwLCA"
	 "ianRpIjogIjBiNmYxZDJjM2U0YTU5Njg3Nzg2OTVhNGIzYzJkMWUwIiwgInVzZXJfaWQiO"
	 "iAiNyJ9.74Ko5RTpZEEl_ohDqcz0hzYeMK8LR8hEZi9skq9y88E",
	 "duplicate_name", NULL},
	{"jwt_revoke_claim", JWT_HS256, main_key, JWT_SIMPLEJWT, "hash_password",
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZ"
	 "XhwIjoxNzY3MjI1OTAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiNmYxZDJjM2U0YTU"
	 "5Njg3Nzg2OTVhNGIzYzJkMWUwIiwidXNlcl9pZCI6IjciLCJoYXNoX3Bhc3N3b3JkIjoiR"
	 "jcxQ0M5N0JBMDczNjZDNDJDNDY0NzQ3MEE2RDk5RUUifQ.dg5zSDDLZ2vafk_US42697bi"
	 "FlZeCFHnLcTKZ7jGaII",
	 NULL, "7"},
	{"drfjwt_username_decides", JWT_HS256, main_key, JWT_DRF_JWT, NULL,
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo5LCJ1c2VybmFtZSI6I"
	 "mFubiIsImV4cCI6MTc2NzIyNTkwMCwiZW1haWwiOiJhbm5AZXhhbXBsZS5jb20iLCJvcml"
	 "nX2lhdCI6MTc2NzIyNTYwMH0.jfOJiGphADqVCceIPvC3bDcv_msjw9JxSkWyYPaX6Vk",
	 NULL, "ann"},
};

TEST(tokens_are_judged_as_the_libraries_judge_them)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
	{
		const Vector	*row = &vectors[i];
		JwtOptions		 options = simplejwt;
		JwtKey			 key = {row->algorithm, NULL, 0, NULL};
		CryptoPublicKey *public_key = NULL;
		JwtStatus		 status;

		check_at("%s", row->name);
		options.flavor = row->flavor;
		options.revoke_claim = row->revoke_claim;
		if (jwt_algorithm_is_hmac(row->algorithm))
		{
			key.secret = row->key;
			key.secret_len = strlen(row->key);
		}
		else
		{
			public_key = crypto_public_key_create(row->key, strlen(row->key));
			CHECK(public_key != NULL);
			key.public_key = public_key;
		}
		status = jwt_verify(row->token, strlen(row->token), &key, 1, &options,
							NOW_US, &claims);
		CHECK_STR(verdict(status), row->reason != NULL ? row->reason : "ok");
		if (row->user != NULL)
			CHECK_STR(claims.user, row->user);
		if (row->user != NULL && row->revoke_claim != NULL)
		{
			const char *password = "pbkdf2_sha256$260000$kJ3nVq8sWz1xYb5t$"
								   "7m0cX1vJYt0mB6qkQ2o8qkJ2m1zv7S9m3mJwq0r5h1g"
								   "=";

			CHECK(jwt_password_matches(claims.password_hash, password,
									   strlen(password)));
			CHECK(!jwt_password_matches(claims.password_hash, password,
										strlen(password) - 1));
		}
		crypto_public_key_destroy(public_key);
	}
}

/* RFC 7515 appendices A.1 and A.3: one token, two signatures */
TEST(the_examples_of_rfc_7515_verify_until_they_expire)
{
	static const char *const tokens[] = {
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
		"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
		"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		"eyJhbGciOiJFUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
		"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
		"pmWQxfKTUJqPP3-Kg6NU1Q"};
	static const char hmac_key[] =
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"
		"PS4hcgUuTwjAzZr1Z9CAow";
	static const char p256[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
		"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
		"-----END PUBLIC KEY-----\n";
	JwtOptions options = {.user_claim = "iss"};
	uint8_t	   secret[64];
	size_t	   secret_len;
	JwtKey	   keys[2];

	CHECK(base64url_decode(hmac_key, strlen(hmac_key), secret, &secret_len));
	keys[0] = (JwtKey){JWT_HS256, secret, secret_len, NULL};
	keys[1] = (JwtKey){JWT_ES256, NULL, 0,
					   crypto_public_key_create(p256, strlen(p256))};
	CHECK(keys[1].public_key != NULL);

	for (size_t i = 0; i < 2; i++)
	{
		size_t len = strlen(tokens[i]);

		check_at("token %zu", i);
		CHECK_STR(verdict(jwt_verify(tokens[i], len, keys, 2, &options,
									 INT64_C(1300819379999999), &claims)),
				  "ok");
		CHECK_STR(claims.user, "joe");
		CHECK_INT(claims.expires_at_s, 1300819380);
		CHECK_STR(verdict(jwt_verify(tokens[i], len, keys, 2, &options,
									 INT64_C(1300819380000000), &claims)),
				  "expired");
	}
	crypto_public_key_destroy((CryptoPublicKey *) keys[1].public_key);
}

/* ---- header, form and keys ---- */

/* What becomes of a text under hs256 and simplejwt's settings. */
static const char *
judge(const char *text, size_t len)
{
	return verdict(
		jwt_verify(text, len, &hs256, 1, &simplejwt, NOW_US, &claims));
}

TEST(the_header_may_say_much_but_decides_nothing)
{
	static const struct
	{
		const char *header;
		const char *reason;
	} rows[] = {
		{"{\"alg\":\"HS256\"}", "ok"},
		{" {\"\\u0061lg\":\"HS\\u003256\",\"kid\":\"k\",\"typ\":5} ", "ok"},
		{"{\"alg\":\"HS256\",\"b64\":true,\"jwk\":{\"k\":\"x\"}}", "ok"},
		{"{\"alg\":\"HS256\",\"b64\":false}", "crit"},
		{"{\"alg\":\"HS256\",\"crit\":[]}", "crit"},
		{"{\"alg\":\"HS256\",\"crit\":null}", "crit"},
		{"{\"alg\":\"HS256\",\"kid\":null}", "malformed"},
		{"{\"alg\":\"HS256\",\"kid\":5}", "malformed"},
		{"{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}", "duplicate_name"},
		{"{\"alg\":\"HS256\",\"x\":1,\"x\":1}", "duplicate_name"},
		{"{\"alg\":\"HS256\\u0000\"}", "bad_algorithm"},
		{"{\"alg\":\"HS384\"}", "bad_algorithm"},
		{"{\"alg\":[\"HS256\"]}", "bad_algorithm"},
		{"{}", "bad_algorithm"},
		{"\xef\xbb\xbf{\"alg\":\"HS256\"}", "malformed"},
		{"{\"alg\":\"HS256\"} x", "malformed"},
		{"[\"HS256\"]", "malformed"},
		{"", "malformed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		size_t len = sign(rows[i].header, ACCESS_PAYLOAD);

		check_at("%s", rows[i].header);
		CHECK_STR(judge(token, len), rows[i].reason);
	}
}

TEST(no_token_but_the_one_that_was_signed_is_accepted)
{
	size_t len = sign(HS256_HEADER, ACCESS_PAYLOAD);

	CHECK_STR(judge(token, len), "ok");
	for (size_t i = 0; i < len; i++)
	{
		check_at("character %zu", i);
		for (int bit = 0; bit < 8; bit++)
		{
			token[i] = (char) (token[i] ^ 1 << bit);
			CHECK(strcmp(judge(token, len), "ok") != 0);
			token[i] = (char) (token[i] ^ 1 << bit);
		}
		CHECK(strcmp(judge(token, i), "ok") != 0);
	}
	memcpy(token + len, "=.A\n", 4);
	for (size_t i = 0; i < 4; i++)
	{
		check_at("one more: %zu", i);
		token[len] = "=.A\n"[i];
		CHECK(strcmp(judge(token, len + 1), "ok") != 0);
	}
}

TEST(a_token_of_the_greatest_length_is_read_and_one_longer_is_not)
{
	static char payload[JWT_MAX_BYTES];
	size_t		filler = 12000;
	size_t		longest = 0;
	size_t		len;

	for (;; filler++)
	{
		snprintf(payload, sizeof(payload),
				 "{\"token_type\":\"access\",\"exp\":1767225900,"
				 "\"jti\":\"j\",\"user_id\":7,\"x\":\"%0*d\"}",
				 (int) filler, 0);
		len = sign(HS256_HEADER, payload);
		if (len > JWT_MAX_BYTES)
			break;
		longest = len;
		CHECK_STR(judge(token, len), "ok");
	}
	CHECK_INT(longest, JWT_MAX_BYTES);
	CHECK_STR(judge(token, len), "malformed");
}

TEST(every_key_of_the_algorithm_is_tried_and_only_those)
{
	JwtKey keys[] = {{JWT_HS512, "secret", 6, NULL},
					 {JWT_HS256, "other", 5, NULL},
					 {JWT_HS256, "secret", 6, NULL}};
	size_t len = sign(HS256_HEADER, ACCESS_PAYLOAD);

	CHECK_STR(
		verdict(jwt_verify(token, len, keys, 3, &simplejwt, NOW_US, &claims)),
		"ok");
	CHECK_STR(
		verdict(jwt_verify(token, len, keys, 2, &simplejwt, NOW_US, &claims)),
		"bad_signature");
	CHECK_STR(
		verdict(jwt_verify(token, len, keys, 1, &simplejwt, NOW_US, &claims)),
		"bad_algorithm");
	CHECK_STR(
		verdict(jwt_verify(token, len, NULL, 0, &simplejwt, NOW_US, &claims)),
		"bad_algorithm");

	/* A key that may not be used does not spoil the others. */
	keys[1].secret_len = 0;
	CHECK_STR(
		verdict(jwt_verify(token, len, keys, 2, &simplejwt, NOW_US, &claims)),
		"bad_key");
	CHECK_STR(
		verdict(jwt_verify(token, len, keys, 3, &simplejwt, NOW_US, &claims)),
		"ok");
}

TEST(a_key_is_bound_to_the_algorithm_it_fits)
{
	CryptoPublicKey *rsa =
		crypto_public_key_create(rsa_public, strlen(rsa_public));
	CryptoPublicKey *ec =
		crypto_public_key_create(ec256_public, strlen(ec256_public));

	CHECK(rsa != NULL && ec != NULL);
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_HS256, "x", 1, NULL}), NULL);
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_HS256, "", 0, NULL}), "is empty");
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_HS256, NULL, 0, rsa}), "is empty");
	CHECK(jwt_key_check(&(JwtKey){JWT_HS512, rsa_public, strlen(rsa_public),
								  NULL}) != NULL);
	CHECK(jwt_key_check(&(JwtKey){JWT_HS384, "ssh-rsa AAAA", 12, NULL}) !=
		  NULL);
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_RS256, NULL, 0, rsa}), NULL);
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_RS512, NULL, 0, rsa}), NULL);
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_RS256, NULL, 0, ec}),
			  "is no RSA key");
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_RS256, "secret", 6, NULL}),
			  "is no public key");
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_ES256, NULL, 0, ec}), NULL);
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_ES384, NULL, 0, ec}),
			  "is not on curve P-384");
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_ES512, NULL, 0, rsa}),
			  "is not on curve P-521");
	crypto_public_key_destroy(rsa);
	crypto_public_key_destroy(ec);
}

TEST(an_rsa_key_has_2048_bits_at_least)
{
	static const char short_rsa[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDNgGQBwvdaqiGH3SolKM7vSsiW\n"
		"1Otm7FM6FEbWJpb7PcCvp0DcKlrPSbN+yNzHHYZ43IyiIkxoPK2P6y2JvjwoUO5E\n"
		"qTDOG89JGs+l4bfgWy52znFzbrAk+YIwDNDrrT6WSp7hSDCIbkhO+UoDqXK7j8eX\n"
		"I7u/nqDtLghi/vn+QwIDAQAB\n"
		"-----END PUBLIC KEY-----\n";
	CryptoPublicKey *key =
		crypto_public_key_create(short_rsa, strlen(short_rsa));

	CHECK(key != NULL);
	CHECK_STR(jwt_key_check(&(JwtKey){JWT_RS256, NULL, 0, key}),
			  "has fewer than 2048 bits");
	crypto_public_key_destroy(key);
}

TEST(algorithms_are_known_by_their_exact_names)
{
	static const char *const others[] = {"none",   "None",	"hs256",
										 "HS256 ", "HS25",	"PS256",
										 "ES256K", "EdDSA", ""};
	JwtAlgorithm			 algorithm;

	for (int i = JWT_HS256; i <= JWT_ES512; i++)
	{
		CHECK(jwt_algorithm_parse(jwt_algorithm_name((JwtAlgorithm) i),
								  &algorithm));
		CHECK_INT(algorithm, i);
		CHECK_INT(jwt_algorithm_is_hmac((JwtAlgorithm) i), i <= JWT_HS512);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK(!jwt_algorithm_parse(others[i], &algorithm));
}

TEST(every_refusal_has_a_reason)
{
	CHECK(jwt_reason(JWT_OK) == NULL);
	for (int i = JWT_OK + 1; i <= JWT_CRYPTO_ERROR; i++)
		CHECK(jwt_reason((JwtStatus) i) != NULL);
}

TEST_MAIN()
