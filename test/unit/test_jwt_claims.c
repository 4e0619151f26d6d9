/*-------------------------------------------------------------------------
 *
 * test_jwt_claims.c
 *	  JSON Web Tokens: what a payload must say once its signature holds.
 *
 *-------------------------------------------------------------------------
 */
#include "jwt_tokens.h"

static const char *
judge_payload(const char *payload, const JwtOptions *options, int64_t now_us)
{
	size_t len = sign(HS256_HEADER, payload);

	return verdict(jwt_verify(token, len, &hs256, 1, options, now_us, &claims));
}

/* simplejwt's access token, but for one member; a NULL value leaves it out. */
static const char *
judge_with(const char *name, const char *value, const JwtOptions *options)
{
	static const char *const members[][2] = {{"token_type", "\"access\""},
											 {"exp", "1767225900"},
											 {"jti", "\"j\""},
											 {"user_id", "\"7\""},
											 {"username", "\"ann\""}};
	static char				 payload[2 * JWT_MAX_BYTES];
	size_t					 n = 0;
	bool					 replaced = false;

	payload[0] = '\0';
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
	{
		bool		same = strcmp(members[i][0], name) == 0;
		const char *text = same ? value : members[i][1];

		replaced |= same;
		if (text != NULL)
			n += (size_t) snprintf(payload + n, sizeof(payload) - n,
								   "%c\"%s\":%s", n == 0 ? '{' : ',',
								   members[i][0], text);
	}
	if (!replaced && value != NULL)
		n += (size_t) snprintf(payload + n, sizeof(payload) - n, ",\"%s\":%s",
							   name, value);
	snprintf(payload + n, sizeof(payload) - n, "}");
	return judge_payload(payload, options, NOW_US);
}

typedef struct ClaimRow
{
	const char *name;
	const char *value;
	const char *reason;
} ClaimRow;

static void
check_rows(const ClaimRow *rows, size_t nrows, const JwtOptions *options)
{
	for (size_t i = 0; i < nrows; i++)
	{
		check_at("\"%s\": %.60s", rows[i].name,
				 rows[i].value != NULL ? rows[i].value : "absent");
		CHECK_STR(judge_with(rows[i].name, rows[i].value, options),
				  rows[i].reason);
	}
}

#define CHECK_ROWS(rows, options)                                              \
	check_rows((rows), sizeof(rows) / sizeof((rows)[0]), (options))

#define NINES_50 "99999999999999999999999999999999999999999999999999"
#define NINES_400                                                              \
	NINES_50 NINES_50 NINES_50 NINES_50 NINES_50 NINES_50 NINES_50 NINES_50

/* jwt/api_jwt.py, _validate_claims; year 10000 is where datetime ends */
TEST(dates_are_any_json_number_that_python_can_take_for_a_date)
{
	static const ClaimRow rows[] = {
		{"exp", "1767225601", "ok"},
		{"exp", "1767225601.5", "ok"},
		{"exp", "1767225600.5", "expired"},
		{"exp", "1.767225601e9", "ok"},
		{"exp", "17672256010000E-4", "ok"},
		{"exp", "1.7672256e+9", "expired"},
		{"exp", "0.0000000001767225601e19", "ok"},
		{"exp", "253402300799", "ok"},
		{"exp", "253402300799.5", "ok"},
		{"exp", "253402300800", "bad_exp"},
		{"exp", "2.534023008e11", "bad_exp"},
		{"exp", "1e400", "bad_exp"},
		{"exp", "1e99999999999999999999", "bad_exp"},
		{"exp", "-1e99999999999999999999", "bad_exp"},
		{"exp", "1e-99999999999999999999", "expired"},
		{"exp", "0e99999999999999999999", "expired"},
		{"exp", "-0", "expired"},
		{"exp", "-1", "expired"},
		{"exp", "-1e300", "expired"},
		{"exp", NINES_400, "bad_exp"},
		{"exp", "-" NINES_400, "expired"},
		{"exp", NINES_400 "e-391", "expired"},
		{"exp", NINES_400 "e-389", "ok"},
		{"exp", NINES_400 "e-388", "bad_exp"},
		{"exp", "18446744075476777516", "bad_exp"},
		{"exp", "NaN", "bad_exp"},
		{"exp", "-Infinity", "bad_exp"},
		{"exp", "\"1767225900\"", "bad_exp"},
		{"exp", "true", "bad_exp"},
		{"exp", "null", "bad_exp"},
		{"exp", NULL, "missing_exp"},
		{"nbf", "1767225600.75", "ok"},
		{"nbf", "1767225601", "not_yet_valid"},
		{"nbf", "-" NINES_400, "ok"},
		{"nbf", "-1e400", "bad_nbf"},
		{"nbf", "253402300800", "bad_nbf"},
		{"nbf", "false", "bad_nbf"},
		{"iat", "1767225600.75", "ok"},
		{"iat", "1767225601", "not_yet_valid"},
		{"iat", "[]", "bad_iat"},
	};

	CHECK_ROWS(rows, &simplejwt);
}

TEST(a_date_is_rounded_to_a_double_first_as_python_does)
{
	static const ClaimRow rows[] = {
		{"exp", "1767225600.99999999999", "ok"},
		{"nbf", "1767225600.99999999999", "not_yet_valid"},
	};

	CHECK_ROWS(rows, &simplejwt);
}

TEST(the_clock_is_cut_to_seconds_and_leeway_moves_every_date)
{
	const char *payload = "{\"token_type\":\"access\",\"jti\":\"\","
						  "\"user_id\":7,\"iat\":100,\"nbf\":100,\"exp\":200}";
	JwtOptions	options = simplejwt;

	CHECK_STR(judge_payload(payload, &options, 99999999), "not_yet_valid");
	CHECK_STR(judge_payload(payload, &options, 100000000), "ok");
	CHECK_STR(judge_payload(payload, &options, 199999999), "ok");
	CHECK_INT(claims.expires_at_s, 200);
	CHECK_STR(judge_payload(payload, &options, 200000000), "expired");
	options.leeway_s = 10;
	CHECK_STR(judge_payload(payload, &options, 89999999), "not_yet_valid");
	CHECK_STR(judge_payload(payload, &options, 90000000), "ok");
	CHECK_STR(judge_payload(payload, &options, 209999999), "ok");
	CHECK_INT(claims.expires_at_s, 210);
	CHECK_STR(judge_payload(payload, &options, 210000000), "expired");

	/* Before 1970 a second still ends where the next begins. */
	options.leeway_s = 0;
	payload =
		"{\"token_type\":\"access\",\"jti\":\"\",\"user_id\":7,\"exp\":-1}";
	CHECK_STR(judge_payload(payload, &options, -1000001), "ok");
	CHECK_STR(judge_payload(payload, &options, -1000000), "expired");
	CHECK_STR(judge_payload(payload, &options, -1), "expired");
}

TEST(a_user_id_is_a_string_or_the_digits_of_an_integer)
{
	static const struct
	{
		const char *value;
		const char *user; /* NULL: bad_user_id */
	} rows[] = {
		{"\"7\"", "7"},
		{"7", "7"},
		{"-7", "-7"},
		{"-0", "0"},
		{"18446744073709551623", "18446744073709551623"},
		{"\"\\u0037\"", "7"},
		{"\"d\\u00e9\"", "d\xc3\xa9"},
		{"\" 7 \"", " 7 "}, /* the user table's key decides */
		{"\"\"", NULL},
		{"null", NULL},
		{"true", NULL},
		{"false", NULL},
		{"7.0", NULL},
		{"7e0", NULL},
		{"NaN", NULL},
		{"[\"7\"]", NULL},
		{"{}", NULL},
		{"\"7\\u0000\"", NULL},
		{"\"\\ud83d\"", NULL},
		{NINES_400, NULL},
		{"\"" NINES_400 "\"", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		check_at("%.60s", rows[i].value);
		CHECK_STR(judge_with("user_id", rows[i].value, &simplejwt),
				  rows[i].user != NULL ? "ok" : "bad_user_id");
		if (rows[i].user != NULL)
			CHECK_STR(claims.user, rows[i].user);
	}
	check_at("absent");
	CHECK_STR(judge_with("user_id", NULL, &simplejwt), "missing_user_id");
}

TEST(the_longest_user_id_and_jti_just_fit)
{
	char	   value[JWT_CLAIM_MAX + 4];
	JwtOptions options = simplejwt;

	memset(value, 'x', sizeof(value));
	value[0] = '"';
	value[JWT_CLAIM_MAX + 1] = '"';
	value[JWT_CLAIM_MAX + 2] = '\0';
	CHECK_STR(judge_with("user_id", value, &options), "ok");
	CHECK_INT(strlen(claims.user), JWT_CLAIM_MAX);
	CHECK_STR(judge_with("jti", value, &options), "ok");
	CHECK_INT(strlen(claims.jti), JWT_CLAIM_MAX);

	value[JWT_CLAIM_MAX + 1] = 'x';
	value[JWT_CLAIM_MAX + 2] = '"';
	value[JWT_CLAIM_MAX + 3] = '\0';
	CHECK_STR(judge_with("user_id", value, &options), "bad_user_id");
	CHECK_STR(judge_with("jti", value, &options), "bad_jti");
}

TEST(sub_jti_and_type_are_strings_wherever_they_stand)
{
	static const ClaimRow rows[] = {
		{"sub", "\"someone\"", "ok"},
		{"sub", "7", "bad_sub"},
		{"sub", "null", "bad_sub"},
		{"jti", "\"\"", "ok"},
		{"jti", "7", "bad_jti"},
		{"jti", "null", "bad_jti"},
		{"jti", "\"\\u0000\"", "bad_jti"},
		{"jti", NULL, "missing_jti"},
		{"token_type", "\"acc\\u0065ss\"", "ok"},
		{"token_type", "\"refresh\"", "wrong_token_type"},
		{"token_type", "\"access\\u0000\"", "wrong_token_type"},
		{"token_type", NULL, "wrong_token_type"},
	};
	JwtOptions options = simplejwt;

	CHECK_ROWS(rows, &simplejwt);

	check_at("other claim names");
	options.jti_claim = "id";
	options.type_claim = "kind";
	CHECK_STR(judge_with("id", "\"i\"", &options), "wrong_token_type");
	options.type_claim = NULL;
	CHECK_STR(judge_with("id", NULL, &options), "missing_jti");
	CHECK_STR(judge_with("id", "5", &options), "bad_jti");
	CHECK_STR(judge_with("id", "\"i\"", &options), "ok");
	CHECK_STR(claims.jti, "i");
	CHECK_STR(claims.type, "");

	check_at("neither looked at");
	options.jti_claim = NULL;
	CHECK_STR(judge_with("token_type", "5", &options), "ok");
	CHECK_STR(judge_with("jti", NULL, &options), "ok");
	CHECK_STR(claims.jti, "");
	CHECK_STR(judge_with("jti", "5", &options), "bad_jti");
}

/* simplejwt before 5.5.1 with USER_ID_CLAIM = "sub" */
TEST(a_sub_that_is_the_user_s_id_may_be_a_number)
{
	JwtOptions options = simplejwt;

	options.user_claim = "sub";
	CHECK_STR(judge_with("sub", "7", &options), "ok");
	CHECK_STR(claims.user, "7");
	CHECK_STR(judge_with("sub", "\"7\"", &options), "ok");
	CHECK_STR(claims.user, "7");
	CHECK_STR(judge_with("sub", "7.0", &options), "bad_sub");
	CHECK_STR(judge_with("sub", "null", &options), "bad_sub");
	CHECK_STR(judge_with("sub", "[7]", &options), "bad_sub");
	CHECK_STR(judge_with("sub", NULL, &options), "missing_user_id");
	options.flavor = JWT_DRF_JWT; /* which goes by username */
	CHECK_STR(judge_with("sub", "7", &options), "bad_sub");
}

TEST(the_type_that_was_accepted_is_handed_out)
{
	static const char *const types[] = {"access", "sliding"};
	JwtOptions				 options = simplejwt;

	options.types = types;
	options.ntypes = 2;
	CHECK_STR(judge_with("token_type", "\"sliding\"", &options), "ok");
	CHECK_STR(claims.type, "sliding");
	options.ntypes = 0;
	CHECK_STR(judge_with("token_type", "\"access\"", &options),
			  "wrong_token_type");
}

TEST(an_audience_is_one_string_or_among_strings)
{
	static const ClaimRow rows[] = {
		{"aud", "\"ws\"", "ok"},
		{"aud", "\"\\u0077s\"", "ok"},
		{"aud", "[\"x\", \"ws\"]", "ok"},
		{"aud", "[\"ws\", 5]", "bad_audience"},
		{"aud", "[[\"ws\"]]", "bad_audience"},
		{"aud", "{\"ws\": 1}", "bad_audience"},
		{"aud", "[]", "bad_audience"},
		{"aud", "\"WS\"", "bad_audience"},
		{"aud", "\"wsx\"", "bad_audience"},
		{"aud", NULL, "bad_audience"},
	};
	JwtOptions options = simplejwt;

	options.audience = "ws";
	CHECK_ROWS(rows, &options);
	check_at("not configured");
	CHECK_STR(judge_with("aud", "\"x\"", &simplejwt), "ok");
}

TEST(an_issuer_is_compared_only_when_it_is_configured)
{
	static const ClaimRow rows[] = {
		{"iss", "\"https://i\"", "ok"},
		{"iss", "\"https:\\/\\/i\"", "ok"},
		{"iss", "\"https://i/\"", "bad_issuer"},
		{"iss", "[\"https://i\"]", "bad_issuer"},
		{"iss", NULL, "bad_issuer"},
	};
	JwtOptions options = simplejwt;

	options.issuer = "https://i";
	CHECK_ROWS(rows, &options);
	check_at("not configured");
	CHECK_STR(judge_with("iss", "5", &simplejwt), "ok");
}

TEST(drf_jwt_goes_by_username_and_refuses_an_audience_it_does_not_expect)
{
	static const ClaimRow rows[] = {
		{"username", "\"ann\"", "ok"},
		{"username", "5", "ok"},
		{"username", "0", "missing_user_id"},
		{"username", "\"\"", "missing_user_id"},
		{"username", "null", "missing_user_id"},
		{"username", NULL, "missing_user_id"},
		{"username", "true", "bad_user_id"},
		{"user_id", "[]", "ok"},
		{"token_type", "5", "ok"},
		{"jti", NULL, "ok"},
		{"jti", "5", "bad_jti"},
		{"exp", NULL, "missing_exp"},
		{"aud", "\"x\"", "bad_audience"},
		{"aud", "[\"x\"]", "bad_audience"},
		{"aud", "\"\"", "ok"},
		{"aud", "[ ]", "ok"},
		{"aud", "null", "ok"},
	};
	JwtOptions options = simplejwt;

	options.flavor = JWT_DRF_JWT;
	CHECK_ROWS(rows, &options);
	check_at("claims");
	CHECK_STR(judge_with("user_id", "9", &options), "ok");
	CHECK_STR(claims.user, "ann");
	CHECK_STR(claims.jti, "j");
	CHECK_STR(claims.type, "");
	options.audience = "x";
	CHECK_STR(judge_with("aud", "\"x\"", &options), "ok");
}

TEST(the_revoke_claim_is_32_upper_case_digits_or_the_password_has_changed)
{
	static const ClaimRow rows[] = {
		{"pw", "\"5EBE2294ECD0E0F08EAB7690D2A6EE69\"", "ok"},
		{"pw", "\"5ebe2294ecd0e0f08eab7690d2a6ee69\"", "password_changed"},
		{"pw", "\"5EBE2294ECD0E0F08EAB7690D2A6EE6\"", "password_changed"},
		{"pw", "\"5EBE2294ECD0E0F08EAB7690D2A6EE699\"", "password_changed"},
		{"pw", "5", "password_changed"},
		{"pw", NULL, "password_changed"},
	};
	JwtOptions options = simplejwt;

	options.revoke_claim = "pw";
	CHECK_ROWS(rows, &options);
	check_at("md5 of a password");
	CHECK(
		jwt_password_matches("5EBE2294ECD0E0F08EAB7690D2A6EE69", "secret", 6));
	CHECK(
		!jwt_password_matches("5EBE2294ECD0E0F08EAB7690D2A6EE69", "Secret", 6));
	CHECK(!jwt_password_matches("", "secret", 6));
}

TEST(a_payload_is_one_object_in_utf_8)
{
	static const char *const payloads[] = {"",
										   "[]",
										   "7",
										   "null",
										   "{",
										   "{} {}",
										   "{\"x\":1,}",
										   "{'x':1}",
										   "\xef\xbb\xbf{}",
										   "{\"x\":\"\xff\"}",
										   "{\"x\":01}"};

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
	{
		check_at("%s", payloads[i]);
		CHECK_STR(judge_payload(payloads[i], &simplejwt, NOW_US),
				  "bad_payload");
	}
	check_at("equal names");
	CHECK_STR(judge_payload("{\"x\":1,\"\\u0078\":1}", &simplejwt, NOW_US),
			  "duplicate_name");
}

TEST_MAIN()
