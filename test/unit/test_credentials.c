/*-------------------------------------------------------------------------
 *
 * test_credentials.c
 *	  Which credential a request presents.
 *
 * Cases of vectors.json were executed against DRF, simplejwt and knox.  What
 * those of DRF expect after the look-up is played here with their own rows, so
 * that each is held to its verdict and not only to its syntax.
 *
 * Long because every way in which a carrier can be wrong stands here once.
 *
 *-------------------------------------------------------------------------
 */
#include "credentials.h"

#include "base64url.h"
#include "cases.h"

#define SESSION_KEY "0123456789abcdefghijklmnopqrstuvwxyzABCD-_9"
#define DJANGO_KEY "0123456789abcdefghijklmnopqrstuv"

static const CredentialOptions defaults = {
	.header_keywords = "Token=token, Bearer=jwt, JWT=drf-jwt",
	.jwt_cookie = "JWT",
	.session_cookie = "sessionid",
};
static const CredentialOptions query_allowed = {
	.header_keywords = "Token=token",
	.allow_query_token = true,
	.jwt_cookie = "",
	.session_cookie = "",
};
static const CredentialOptions django_allowed = {
	.header_keywords = "Token=token",
	.allow_query_django_session = true,
	.jwt_cookie = "",
	.session_cookie = "",
};

/* A request with that query and those Authorization headers; NULL: none. */
static HttpRequest
request_with(const char *query, const char *header, const char *second_header)
{
	HttpRequest request = {.minor_version = 1};

	request.method = (Slice){"GET", 3};
	request.path = (Slice){"/", 1};
	if (query != NULL)
		request.query = (Slice){query, strlen(query)};
	if (header != NULL)
		request.header[request.header_count++] =
			(HttpHeader){{"Authorization", 13}, {header, strlen(header)}};
	if (second_header != NULL)
		request.header[request.header_count++] = (HttpHeader){
			{"authorization", 13}, {second_header, strlen(second_header)}};
	return request;
}

static Credential
find(const char *query, const char *header, const CredentialOptions *options)
{
	HttpRequest request = request_with(query, header, NULL);
	Credential	credential;

	memset(&credential, 0x5A, sizeof(credential));
	credential_find(&credential, &request, options);
	return credential;
}

static void
check_present(const Credential *credential, const char *kind, const char *value)
{
	CHECK_INT(credential->status, CREDENTIAL_PRESENT);
	CHECK_STR(credential->kind, kind);
	CHECK_BYTES(credential->value, credential->len, value, strlen(value));
	CHECK_INT(credential->value[credential->len], 0);
	CHECK(credential->reason == NULL);
}

static void
check_refused(const Credential *credential, const char *reason,
			  const char *detail)
{
	CHECK_INT(credential->status, CREDENTIAL_REFUSED);
	CHECK_STR(credential->reason, reason);
	CHECK(credential->detail != NULL);
	if (detail != NULL)
		CHECK_STR(credential->detail, detail);
	CHECK_INT(credential->len, 0);
	for (size_t i = 0; i < sizeof(credential->value); i++)
		if (!CHECK_INT(credential->value[i], 0))
			break;
}

static void
check_none(const Credential *credential)
{
	CHECK_INT(credential->status, CREDENTIAL_NONE);
	CHECK_STR(credential->kind, "anonymous");
	CHECK_INT(credential->len, 0);
}

/* An exact block, so that AddressSanitizer sees a read beyond it. */
static Slice
unhex(const char *hex)
{
	size_t len = strlen(hex) / 2;
	char  *block = malloc(len > 0 ? len : 1);

	if (block == NULL)
		abort();
	for (size_t i = 0; i < len; i++)
	{
		char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		block[i] = (char) strtol(digits, NULL, 16);
	}
	return (Slice){block, len};
}

/* What the extension does with a key: exact look-up, then the user's state. */
static const char *
look_up(json_t *file, json_t *one, const Credential *credential,
		const char **user_id)
{
	json_t *row;
	json_t *user;
	size_t	i;

	json_array_foreach(cases_member(one, "input", "rows"), i, row)
	{
		const char *key = json_string_value(json_object_get(row, "key"));

		if (strlen(key) != credential->len ||
			memcmp(key, credential->value, credential->len) != 0)
			continue;
		*user_id = json_string_value(json_object_get(row, "user_id"));
		json_array_foreach(json_object_get(file, "users"), i, user)
		{
			if (strcmp(json_string_value(json_object_get(user, "id")),
					   *user_id) == 0)
				return json_is_true(json_object_get(user, "is_active"))
						   ? NULL
						   : "inactive_user";
		}
	}
	return "unknown_token";
}

/* What is found in the case's header when "<keyword>=<scheme>" are allowed. */
static Credential
find_of(json_t *one, const char *keyword, const char *scheme)
{
	char			  keywords[128];
	CredentialOptions options = defaults;
	HttpRequest		  request = {.minor_version = 1};
	const char		 *hex = cases_text(one, "input", "header_hex");
	const char		 *text = cases_text(one, "input", "header");
	Slice			  value = SLICE_NONE;
	Credential		  credential;

	snprintf(keywords, sizeof(keywords), "%s=%s", keyword, scheme);
	options.header_keywords = keywords;
	if (hex != NULL)
		value = unhex(hex);
	else if (text != NULL)
		value = slice_of(text);
	if (value.ptr != NULL)
		request.header[request.header_count++] =
			(HttpHeader){{"Authorization", 13}, value};
	credential_find(&credential, &request, &options);
	if (hex != NULL)
		free((char *) value.ptr);
	return credential;
}

TEST(every_header_that_drf_was_asked_about_gets_drfs_verdict)
{
	json_t *file = cases_load();
	json_t *one;
	size_t	at = 0;
	size_t	seen = 0;

	while ((one = cases_next(file, "authtoken", &at)) != NULL)
	{
		const char *detail = cases_text(one, "expect", "detail");
		const char *user_id = NULL;
		const char *verdict = NULL;
		Credential	credential =
			find_of(one, cases_text(one, "input", "keyword"), "token");

		seen++;
		switch (credential.status)
		{
			case CREDENTIAL_NONE: verdict = "not_attempted"; break;
			case CREDENTIAL_REFUSED:
				verdict = credential.reason;
				if (detail != NULL)
					CHECK_STR(credential.detail, detail);
				break;
			case CREDENTIAL_PRESENT:
				CHECK_STR(credential.kind, "token");
				CHECK_INT(strlen(credential.value), credential.len);
				verdict = look_up(file, one, &credential, &user_id);
				break;
		}
		CHECK_STR(verdict, cases_text(one, "expect", "reason"));
		if (cases_is_valid(one))
			CHECK_STR(user_id, cases_text(one, "expect", "user_id"));
	}
	CHECK(seen >= 24);
	json_decref(file);
}

/* Whether a reason is found out from the header alone. */
static bool
is_of_header(const char *reason)
{
	return reason != NULL && (strcmp(reason, "not_attempted") == 0 ||
							  strcmp(reason, "no_credentials") == 0 ||
							  strcmp(reason, "has_spaces") == 0 ||
							  strcmp(reason, "invalid_characters") == 0);
}

static void
check_header_verdict(json_t *one, const Credential *credential,
					 const char *kind)
{
	const char *reason = cases_text(one, "expect", "reason");

	if (!is_of_header(reason))
	{
		CHECK_INT(credential->status, CREDENTIAL_PRESENT);
		CHECK_STR(credential->kind, kind);
	}
	else if (strcmp(reason, "not_attempted") == 0)
		CHECK_INT(credential->status, CREDENTIAL_NONE);
	else
	{
		CHECK_INT(credential->status, CREDENTIAL_REFUSED);
		CHECK_STR(credential->reason, reason);
	}
}

TEST(every_header_that_knox_was_asked_about_is_read_as_knox_reads_it)
{
	json_t *file = cases_load();
	json_t *one;
	size_t	at = 0;
	size_t	seen = 0;

	while ((one = cases_next(file, "knox", &at)) != NULL)
	{
		Credential credential = find_of(
			one, cases_text(one, "input", "auth_header_prefix"), "knox");

		seen++;
		check_header_verdict(one, &credential, "knox");
	}
	CHECK(seen >= 47);
	json_decref(file);
}

TEST(every_header_that_simplejwt_was_asked_about_gives_its_token)
{
	json_t *file = cases_load();
	json_t *one;
	size_t	at = 0;
	size_t	seen = 0;

	while ((one = cases_next(file, "jwt_header", &at)) != NULL)
	{
		json_t	  *types = cases_member(one, "input", "header_types");
		Credential credential;

		CHECK_INT(json_array_size(types), 1);
		CHECK_STR(cases_text(one, "input", "flavor"), "simplejwt");
		credential =
			find_of(one, json_string_value(json_array_get(types, 0)), "jwt");
		seen++;
		check_header_verdict(one, &credential, "jwt");
		if (cases_is_valid(one))
			CHECK_STR(credential.value, cases_text(one, "expect", "token"));
	}
	CHECK(seen >= 8);
	json_decref(file);
}

TEST(a_request_without_a_credential_is_anonymous)
{
	Credential credential = find(NULL, NULL, &defaults);

	check_none(&credential);
	credential = find("", NULL, &defaults);
	check_none(&credential);
	credential = find("key=a&session=b", NULL, &defaults);
	check_none(&credential);
}

TEST(the_keyword_is_compared_without_case_and_whole)
{
	static const struct
	{
		const char *keyword;
		const char *header;
		bool		attempted;
	} rows[] = {
		{"Token", "TOKEN abc", true},
		{"toKEN", "tOken abc", true},
		{"Bearer", "bearer abc", true},
		{"Bearer", "Token abc", false},
		{"Token", "Token: abc", false},
		{"Token", "Tokens abc", false},
		{"Token", "\xA0Token abc", false},
		/* differ by the bit that letters' case differs by */
		{"a[b", "a{b abc", false},
		{"Tok@n", "Tok`n abc", false},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		CredentialOptions options = defaults;
		Credential		  credential;
		char			  keywords[64];

		check_at("%s", rows[i].header);
		snprintf(keywords, sizeof(keywords), "%s=token", rows[i].keyword);
		options.header_keywords = keywords;
		credential = find(NULL, rows[i].header, &options);
		if (rows[i].attempted)
			check_present(&credential, "token", "abc");
		else
			check_none(&credential);
	}
}

TEST(another_scheme_leaves_the_decision_to_the_next_carrier)
{
	Credential credential =
		find("session_key=k", "Basic dXNlcjpwYXNz", &defaults);

	check_present(&credential, "session", "k");
	credential = find("session_key=k", "", &defaults);
	check_present(&credential, "session", "k");
}

TEST(the_header_counts_before_the_query_string)
{
	Credential credential =
		find("session_key=k&token=t", "Token h", &query_allowed);

	check_present(&credential, "token", "h");
}

TEST(a_malformed_header_is_refused_though_the_query_string_is_good)
{
	Credential credential = find("session_key=k", "Token", &defaults);

	check_refused(&credential, "no_credentials",
				  "Invalid token header. No credentials provided.");
	credential = find("session_key=k", "Token a b", &defaults);
	check_refused(&credential, "has_spaces", NULL);
}

TEST(the_session_key_counts_before_the_query_token)
{
	Credential credential = find("token=t&session_key=k", NULL, &query_allowed);

	check_present(&credential, "session", "k");
}

TEST(a_query_token_counts_only_when_it_is_allowed)
{
	Credential credential = find("token=t", NULL, &defaults);

	check_none(&credential);
	credential = find("token=t", NULL, &query_allowed);
	check_present(&credential, "token", "t");
}

TEST(a_query_credential_is_decoded)
{
	Credential credential = find("token=%C3%A9+%2B", NULL, &query_allowed);

	check_present(&credential, "token", "\xC3\xA9 +");
}

TEST(a_query_credential_that_cannot_be_read_is_refused)
{
	static const struct
	{
		const char *query;
		const char *reason;
	} rows[] = {
		{"session_key=", "no_credentials"},
		{"session_key", "no_credentials"},
		{"session_key=%zz", "malformed_credential"},
		{"session_key=a&session_key=a", "malformed_credential"},
		{"session_key=a%00b", "unknown_session"},
		{"session_key=a%FF", "invalid_characters"},
		{"session_key=%ED%A0%80", "invalid_characters"},
		{"token=", "no_credentials"},
		{"token=a%00b", "unknown_token"},
		{"token=a%FF", "invalid_characters"},
		{"token=secret%", "malformed_credential"},
		{"token=t&session_key=%", "malformed_credential"},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Credential credential = find(rows[i].query, NULL, &query_allowed);

		check_at("%s", rows[i].query);
		check_refused(&credential, rows[i].reason, NULL);
	}
}

TEST(two_authorization_headers_are_refused_whatever_they_say)
{
	static const char *const pairs[][2] = {
		{"Token a", "Token b"},
		{"Token a", "Token a"},
		{"Basic a", "Token b"},
		{"", ""},
	};

	for (size_t i = 0; i < lengthof(pairs); i++)
	{
		HttpRequest request =
			request_with("session_key=k", pairs[i][0], pairs[i][1]);
		Credential credential;

		check_at("pair %zu", i);
		credential_find(&credential, &request, &defaults);
		check_refused(&credential, "malformed_credential", NULL);
	}
}

/* ---- several words ------------------------------------------------------ */

TEST(each_word_of_the_header_has_its_librarys_rules_and_sentences)
{
	static const struct
	{
		const char *header;
		const char *kind; /* present with value "a.b.c"; NULL: none */
		const char *reason;
		const char *detail;
	} rows[] = {
		{"tOKEN a.b.c", "token", NULL, NULL},
		{"Bearer a.b.c", "jwt", NULL, NULL},
		{"bearer a.b.c", NULL, NULL, NULL},
		{"jWt a.b.c", "jwt", NULL, NULL},
		{"kNOX a.b.c", "knox", NULL, NULL},
		{"Basic a.b.c", NULL, NULL, NULL},
		{"Token", "token", "no_credentials",
		 "Invalid token header. No credentials provided."},
		{"Knox a b", "knox", "has_spaces",
		 "Invalid token header. Token string should not contain spaces."},
		{"Knox \xFF", "knox", "invalid_characters",
		 "Invalid token header. Token string should not contain invalid "
		 "characters."},
		{"Bearer", "jwt", "no_credentials",
		 "Authorization header must contain two space-delimited values"},
		{"Bearer a b", "jwt", "has_spaces",
		 "Authorization header must contain two space-delimited values"},
		{"Bearer \xFF", "jwt", "malformed", "Token is invalid or expired"},
		{"jwt", "jwt", "no_credentials",
		 "Invalid Authorization header. No credentials provided."},
		{"JWT a b", "jwt", "has_spaces",
		 "Invalid Authorization header. Credentials string should not contain "
		 "spaces."},
	};
	CredentialOptions options = defaults;

	options.header_keywords =
		"Token=token,Bearer = jwt , JWT=drf-jwt, Knox=knox";
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Credential credential = find(NULL, rows[i].header, &options);

		check_at("%s", rows[i].header);
		if (rows[i].kind == NULL)
			check_none(&credential);
		else if (rows[i].reason == NULL)
			check_present(&credential, rows[i].kind, "a.b.c");
		else
		{
			CHECK_STR(credential.kind, rows[i].kind);
			check_refused(&credential, rows[i].reason, rows[i].detail);
		}
	}
}

TEST(a_word_with_case_may_be_listed_in_each_case)
{
	CredentialOptions options = defaults;
	Credential		  credential;

	options.header_keywords = "Bearer=jwt, bearer=jwt";
	credential = find(NULL, "Bearer a.b.c", &options);
	check_present(&credential, "jwt", "a.b.c");
	credential = find(NULL, "bearer a.b.c", &options);
	check_present(&credential, "jwt", "a.b.c");
	credential = find(NULL, "BEARER a.b.c", &options);
	check_none(&credential);
}

TEST(the_first_word_is_what_a_401_asks_for)
{
	CHECK_SLICE(credential_first_keyword("Token=token, Bearer=jwt"), "Token");
	CHECK_SLICE(credential_first_keyword(" Bearer = jwt"), "Bearer");
}

TEST(keywords_are_words_of_the_header_and_what_follows_them)
{
	static const char *const fine[] = {
		"Token=token",
		"Token=token, Bearer=jwt, JWT=drf-jwt",
		" A = knox ,B=jwt",
		"abcdefghijklmnopqrstuvwxyz-12345=token",
		"Bearer=jwt, bearer=jwt",
	};
	static const struct
	{
		const char *keywords;
		const char *error;
	} rows[] = {
		{"", "cannot have \"\"; write words and what follows them, such as "
			 "Token=token, Bearer=jwt"},
		{"Token", "cannot have \"Token\"; write words and what follows them, "
				  "such as Token=token, Bearer=jwt"},
		{"Token=token,", "cannot have \"\"; write words and what follows them, "
						 "such as Token=token, Bearer=jwt"},
		{"My Token=token",
		 "cannot have \"My Token=token\"; before the equals sign, write one "
		 "word of at most 32 characters as it stands in the Authorization "
		 "header"},
		{"=token",
		 "cannot have \"=token\"; before the equals sign, write one word of at "
		 "most 32 characters as it stands in the Authorization header"},
		{"abcdefghijklmnopqrstuvwxyz-123456=jwt",
		 "cannot have \"abcdefghijklmnopqrstuvwxyz-123456=jwt\"; before the "
		 "equals sign, write one word of at most 32 characters as it stands in "
		 "the Authorization header"},
		{"Token=Token",
		 "cannot have \"Token=Token\"; behind the equals sign, write token, "
		 "knox, jwt or drf-jwt"},
		{"A=token, B=session", "cannot have \"B=session\"; behind the equals "
							   "sign, write token, knox, "
							   "jwt or drf-jwt"},
		{"A=token, B=jwt, a=knox",
		 "cannot have \"A=token\"; its word is there a second time, so take "
		 "one out"},
		{"A=jwt, a=drf-jwt",
		 "cannot have \"A=jwt\"; its word is there a second time, so take one "
		 "out"},
		{"A=jwt, A=jwt",
		 "cannot have \"A=jwt\"; its word is there a second time, so take one "
		 "out"},
	};
	char error[256];

	for (size_t i = 0; i < lengthof(fine); i++)
	{
		check_at("%s", fine[i]);
		CHECK(credential_check_keywords(fine[i], error, sizeof(error)));
	}
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i].keywords);
		CHECK(
			!credential_check_keywords(rows[i].keywords, error, sizeof(error)));
		CHECK_STR(error, rows[i].error);
	}
}

/* ---- keys of Django's sessions in the query ----------------------------- */

TEST(a_session_key_in_the_query_is_djangos_only_when_that_is_allowed)
{
	Credential credential =
		find("session_key=" DJANGO_KEY, NULL, &django_allowed);

	check_present(&credential, "django_session", DJANGO_KEY);
	CHECK(!credential.from_cookie);
	credential = find("session_key=" SESSION_KEY, NULL, &django_allowed);
	check_present(&credential, "session", SESSION_KEY);
	/* a signed cookie */
	credential = find("session_key=a:b:c", NULL, &django_allowed);
	check_present(&credential, "django_session", "a:b:c");
	credential = find("session_key=" DJANGO_KEY, NULL, &defaults);
	check_present(&credential, "session", DJANGO_KEY);
	credential = find("session_key=a%00", NULL, &django_allowed);
	check_refused(&credential, "bad_session_key", "Invalid session key.");
	credential = find("session_key=", NULL, &django_allowed);
	check_refused(&credential, "no_credentials", NULL);
}

/* ---- subprotocols ------------------------------------------------------- */

/* What is found with these headers of one name, besides others; NULL: none. */
static Credential
find_in(const char *name, const char *first, const char *second)
{
	HttpRequest request = request_with(NULL, NULL, NULL);
	Credential	credential;

	if (first != NULL)
		request.header[request.header_count++] =
			(HttpHeader){slice_of(name), slice_of(first)};
	if (second != NULL)
		request.header[request.header_count++] =
			(HttpHeader){slice_of(name), slice_of(second)};
	memset(&credential, 0x5A, sizeof(credential));
	credential_find(&credential, &request, &defaults);
	return credential;
}

/* What is found when that is offered as a credential, beside another. */
static Credential
find_offered(const void *bytes, size_t len)
{
	static char offer[2 * CREDENTIAL_MAX];
	size_t		prefix = strlen("usher.raw, usher.auth.");

	memcpy(offer, "usher.raw, usher.auth.", prefix);
	offer[prefix + base64url_encode(bytes, len, offer + prefix)] = '\0';
	return find_in("Sec-WebSocket-Protocol", offer, NULL);
}

TEST(a_bare_credential_in_a_subprotocol_is_told_by_its_form)
{
	static const struct
	{
		const char *text;
		const char *kind;
	} rows[] = {
		{"a.b.c", "jwt"},
		{"..", "jwt"},
		{SESSION_KEY, "session"},
		{SESSION_KEY "0", "token"},
		{"a.b", "token"},
		{"a.b.c.d", "token"},
		{"abc", "token"},
		{"0123456789.bcdefghijklmnopqrstuvwxyzABCD-_9", "token"},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Credential credential =
			find_offered(rows[i].text, strlen(rows[i].text));

		check_at("%s", rows[i].text);
		check_present(&credential, rows[i].kind, rows[i].text);
		CHECK(!credential.from_cookie);
	}
}

TEST(a_subprotocol_may_hold_what_a_header_would)
{
	static const struct
	{
		const char *text;
		const char *kind;
		const char *value;
		const char *reason;
	} rows[] = {
		{"Bearer a.b.c", "jwt", "a.b.c", NULL},
		{" token \t abc ", "token", "abc", NULL},
		{" abc\n", "token", "abc", NULL},
		{"Token", NULL, NULL, "no_credentials"},
		{"Token a b", NULL, NULL, "has_spaces"},
		{"Token \xFF", NULL, NULL, "invalid_characters"},
		{"\xFF", NULL, NULL, "invalid_characters"},
		{"", NULL, NULL, "no_credentials"},
		{" \t", NULL, NULL, "no_credentials"},
		/* no scheme of ours: present, and so never passed over */
		{"Basic abc", NULL, NULL, "malformed_credential"},
		{"bearer a.b.c", NULL, NULL, "malformed_credential"},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Credential credential =
			find_offered(rows[i].text, strlen(rows[i].text));

		check_at("%s", rows[i].text);
		if (rows[i].reason == NULL)
			check_present(&credential, rows[i].kind, rows[i].value);
		else
			check_refused(&credential, rows[i].reason, NULL);
	}
}

TEST(a_nul_in_a_subprotocol_is_nobodys_credential)
{
	Credential credential = find_offered("a\0b", 3);

	check_refused(&credential, "unknown_token", "Invalid token.");
	credential = find_offered("a.\0.b", 5);
	check_refused(&credential, "malformed", "Token is invalid or expired");
}

TEST(a_subprotocol_that_cannot_be_read_is_refused)
{
	static const char *const offers[] = {
		"usher.auth.a",	   /* 4n + 1 characters */
		"usher.auth.YR",   /* unused bits */
		"usher.auth.YQ+/", /* the other alphabet */
		"usher.auth.YQ.YQ",
		"usher.auth.YQ, usher.auth.YQ", /* also when equal */
		"usher.auth.YQ, x, usher.auth.YWI",
	};
	Credential credential;

	for (size_t i = 0; i < lengthof(offers); i++)
	{
		check_at("%s", offers[i]);
		credential = find_in("Sec-WebSocket-Protocol", offers[i], NULL);
		check_refused(&credential, "malformed_credential", NULL);
	}
	check_at("two headers");
	credential =
		find_in("sec-websocket-protocol", "usher.auth.YQ", "x, usher.auth.YQ");
	check_refused(&credential, "malformed_credential", NULL);
	credential = find_in("sec-websocket-protocol", "x", "usher.auth.YQ");
	check_present(&credential, "token", "a");
	credential = find_in("Sec-WebSocket-Protocol", "usher.raw, usher.auth",
						 "Usher.Auth.YQ");
	check_none(&credential);
}

/* ---- cookies ------------------------------------------------------------ */

TEST(a_cookie_is_a_credential_that_needs_an_origin)
{
	Credential credential = find_in("Cookie", "a=b; sessionid=abc", NULL);

	check_present(&credential, "django_session", "abc");
	CHECK(credential.from_cookie);
	credential = find_in("Cookie", "sessionid=abc; JWT=a.b.c", NULL);
	check_present(&credential, "jwt", "a.b.c");
	CHECK(credential.from_cookie);
	credential = find_in("Cookie", "jwt=a.b.c; SessionID=abc", NULL);
	check_none(&credential);
	CHECK(!credential.from_cookie);
}

TEST(a_cookie_without_a_value_is_none)
{
	Credential credential = find_in("Cookie", "sessionid=; JWT=\"\"", NULL);

	check_none(&credential);
	credential = find_in("Cookie", "JWT= ; sessionid=abc", NULL);
	check_present(&credential, "django_session", "abc");
}

TEST(only_the_first_cookie_header_counts)
{
	Credential credential = find_in("Cookie", "a=b", "sessionid=abc");

	check_none(&credential);
	credential = find_in("cookie", "sessionid=first", "sessionid=second");
	check_present(&credential, "django_session", "first");
}

TEST(cookies_have_the_names_of_the_settings)
{
	CredentialOptions options = defaults;
	HttpRequest		  request = request_with(NULL, NULL, NULL);
	Credential		  credential;

	request.header[request.header_count++] = (HttpHeader){
		slice_of("Cookie"), slice_of("=x; sessionid=s; JWT=a.b.c; sid=z")};
	options.jwt_cookie = "";
	credential_find(&credential, &request, &options);
	check_present(&credential, "django_session", "s");
	options.session_cookie = "sid";
	credential_find(&credential, &request, &options);
	check_present(&credential, "django_session", "z");
	options.session_cookie = "";
	credential_find(&credential, &request, &options);
	check_none(&credential);
}

TEST(a_cookie_that_cannot_be_anybodys_is_refused)
{
	static char header[CREDENTIAL_MAX + 64] = "sessionid=";
	Credential	credential =
		find_in("Cookie", "JWT=\"a\\000\"; sessionid=abc", NULL);

	check_refused(&credential, "malformed", "Token is invalid or expired");
	CHECK(credential.from_cookie);
	credential = find_in("Cookie", "sessionid=\"\\000\"", NULL);
	check_refused(&credential, "bad_session_key", "Invalid session key.");

	memset(header + strlen("sessionid="), 'a', CREDENTIAL_MAX);
	credential = find_in("Cookie", header, NULL);
	check_present(&credential, "django_session", header + strlen("sessionid="));
	header[strlen("sessionid=") + CREDENTIAL_MAX] = 'a';
	credential = find_in("Cookie", header, NULL);
	check_refused(&credential, "malformed_credential", NULL);
	CHECK(credential.from_cookie);
}

/* ---- the order ---------------------------------------------------------- */

TEST(carriers_decide_in_their_order_and_a_bad_one_ends_it)
{
	/* Each row lacks the carrier that decided the row before. */
	static const struct
	{
		const char *header, *query, *offer, *cookie;
		const char *kind, *value, *reason;
	} rows[] = {
		{"Token h", "session_key=s&token=t", "usher.auth.cA",
		 "JWT=j;sessionid=d", "token", "h", NULL},
		{"Basic h", "session_key=s&token=t", "usher.auth.cA",
		 "JWT=j;sessionid=d", "session", "s", NULL},
		{NULL, "token=t", "usher.auth.cA", "JWT=j;sessionid=d", "token", "t",
		 NULL},
		{NULL, NULL, "usher.auth.cA", "JWT=j;sessionid=d", "token", "p", NULL},
		{NULL, NULL, "usher.raw", "JWT=j;sessionid=d", "jwt", "j", NULL},
		{"Basic h", "a=b", "usher.raw", "sessionid=d", "django_session", "d",
		 NULL},
		{"Basic h", "a=b", "usher.raw", "csrftoken=d", NULL, NULL, NULL},
		{"Token", "session_key=s", "usher.auth.cA", "JWT=j", NULL, NULL,
		 "no_credentials"},
		{NULL, "session_key=%", "usher.auth.cA", "JWT=j", NULL, NULL,
		 "malformed_credential"},
		{NULL, "token=", "usher.auth.cA", "JWT=j", NULL, NULL,
		 "no_credentials"},
		{NULL, NULL, "usher.auth.a", "JWT=j", NULL, NULL,
		 "malformed_credential"},
		{NULL, NULL, NULL, "JWT=\"\\000\";sessionid=d", NULL, NULL,
		 "malformed"},
	};
	CredentialOptions options = defaults;

	options.allow_query_token = true;
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		HttpRequest request = request_with(rows[i].query, rows[i].header, NULL);
		Credential	credential;

		check_at("row %zu", i);
		if (rows[i].cookie != NULL)
			request.header[request.header_count++] =
				(HttpHeader){slice_of("Cookie"), slice_of(rows[i].cookie)};
		if (rows[i].offer != NULL)
			request.header[request.header_count++] = (HttpHeader){
				slice_of("Sec-WebSocket-Protocol"), slice_of(rows[i].offer)};
		credential_find(&credential, &request, &options);
		if (rows[i].reason != NULL)
			check_refused(&credential, rows[i].reason, NULL);
		else if (rows[i].kind != NULL)
			check_present(&credential, rows[i].kind, rows[i].value);
		else
			check_none(&credential);
	}
}

/* ---- bounds ------------------------------------------------------------- */

TEST(the_longest_credential_is_taken_and_one_byte_more_is_not)
{
	char	   text[64 + CREDENTIAL_MAX];
	Credential credential;
	size_t	   prefix = strlen("session_key=");

	memcpy(text, "Token ", 6);
	memset(text + 6, 'a', CREDENTIAL_MAX + 1);
	text[6 + CREDENTIAL_MAX] = '\0';
	credential = find(NULL, text, &defaults);
	check_present(&credential, "token", text + 6);
	text[6 + CREDENTIAL_MAX] = 'a';
	text[6 + CREDENTIAL_MAX + 1] = '\0';
	credential = find(NULL, text, &defaults);
	check_refused(&credential, "unknown_token", "Invalid token.");

	memset(text, 'a', CREDENTIAL_MAX + 1);
	credential = find_offered(text, CREDENTIAL_MAX);
	text[CREDENTIAL_MAX] = '\0';
	check_present(&credential, "token", text);
	text[CREDENTIAL_MAX] = 'a';
	credential = find_offered(text, CREDENTIAL_MAX + 1);
	check_refused(&credential, "malformed_credential", NULL);

	memcpy(text, "session_key=", prefix);
	memset(text + prefix, 'a', CREDENTIAL_MAX + 1);
	text[prefix + CREDENTIAL_MAX] = '\0';
	credential = find(text, NULL, &defaults);
	check_present(&credential, "session", text + prefix);
	text[prefix + CREDENTIAL_MAX] = 'a';
	text[prefix + CREDENTIAL_MAX + 1] = '\0';
	credential = find(text, NULL, &defaults);
	check_refused(&credential, "malformed_credential", NULL);
}

TEST(a_wiped_credential_holds_nothing)
{
	Credential credential = find(NULL, "Token secret", &defaults);

	check_present(&credential, "token", "secret");
	credential_wipe(&credential);
	CHECK_INT(credential.len, 0);
	for (size_t i = 0; i < sizeof(credential.value); i++)
		if (!CHECK_INT(credential.value[i], 0))
			break;
}

TEST_MAIN()
