/*-------------------------------------------------------------------------
 *
 * test_credentials.c
 *	  Which credential a request presents.
 *
 * The cases of vectors/authtoken.json were executed against DRF.  What they
 * expect after the look-up is played here with the file's own rows, so that
 * each case is held to its verdict and not only to its syntax.
 *
 *-------------------------------------------------------------------------
 */
#include <jansson.h>

#include "credentials.h"

#include "check.h"

#define AUTHTOKEN_VECTORS VECTORS_DIR "/authtoken.json"

static const CredentialOptions defaults = {"Token", false};
static const CredentialOptions query_allowed = {"Token", true};

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

static const char *
text_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
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
look_up(json_t *vectors, const Credential *credential, const char **user_id)
{
	json_t *row;
	json_t *user;
	size_t	i;

	json_array_foreach(json_object_get(vectors, "rows"), i, row)
	{
		const char *key = text_of(row, "key");

		if (strlen(key) != credential->len ||
			memcmp(key, credential->value, credential->len) != 0)
			continue;
		*user_id = text_of(row, "user_id");
		json_array_foreach(json_object_get(vectors, "users"), i, user)
		{
			if (strcmp(text_of(user, "id"), *user_id) == 0)
				return json_is_true(json_object_get(user, "is_active"))
						   ? NULL
						   : "inactive_user";
		}
	}
	return "unknown_token";
}

static void
check_vector(json_t *vectors, json_t *vector)
{
	json_t			 *input = json_object_get(vector, "input");
	json_t			 *expect = json_object_get(vector, "expect");
	const char		 *hex = text_of(input, "header_hex");
	const char		 *reason = text_of(expect, "reason");
	const char		 *detail = text_of(expect, "detail");
	const char		 *user_id = NULL;
	const char		 *verdict = NULL;
	CredentialOptions options = {text_of(input, "keyword"), false};
	HttpRequest		  request = {.minor_version = 1};
	Credential		  credential;
	Slice			  value = SLICE_NONE;

	check_at("%s", text_of(vector, "name"));
	if (hex != NULL)
	{
		value = unhex(hex);
		request.header[request.header_count++] =
			(HttpHeader){{"Authorization", 13}, value};
	}
	credential_find(&credential, &request, &options);

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
			verdict = look_up(vectors, &credential, &user_id);
			break;
	}
	if (json_is_true(json_object_get(expect, "valid")))
	{
		CHECK(verdict == NULL);
		CHECK_STR(user_id, text_of(expect, "user_id"));
	}
	else
		CHECK_STR(verdict, reason);
	free((char *) value.ptr);
}

TEST(every_header_that_drf_was_asked_about_gets_drfs_verdict)
{
	json_error_t error;
	json_t		*vectors = json_load_file(AUTHTOKEN_VECTORS, 0, &error);
	json_t		*vector;
	size_t		 i;

	if (!CHECK(vectors != NULL))
		return;
	CHECK(json_array_size(json_object_get(vectors, "cases")) >= 24);
	json_array_foreach(json_object_get(vectors, "cases"), i, vector)
	{
		check_vector(vectors, vector);
	}
	json_decref(vectors);
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
		CredentialOptions options = {rows[i].keyword, false};
		Credential		  credential = find(NULL, rows[i].header, &options);

		check_at("%s", rows[i].header);
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
