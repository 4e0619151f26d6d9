/* usher.v1: what a text is read as, and what is written is JSON. */
#include <jansson.h>

#include "check.h"
#include "starve.h"
#include "protocol.h"

static ProtocolRequest request;
static ProtocolError   error;
static char			   text[16384];

/* Read a copy: it is written to. */
static bool
read_text(const char *json)
{
	snprintf(text, sizeof(text), "%s", json);
	return protocol_read(&request, text, strlen(text), &error);
}

static void
check_data(const char *expected)
{
	CHECK_BYTES(request.data.ptr, request.data.len, expected, strlen(expected));
}

TEST(auth_and_refresh_have_a_token)
{
	CHECK(read_text("{\"type\":\"auth\",\"id\":1,\"token\":\"Token x\"}"));
	CHECK_INT(request.verb, PROTOCOL_AUTH);
	CHECK_STR(request.id, "1");
	CHECK_BYTES(request.token.ptr, request.token.len, "Token x", 7);
	CHECK(read_text("{\"type\":\"auth\"}"));
	CHECK(request.token.ptr == NULL);
	CHECK_STR(request.id, "");
	CHECK(read_text("{\"type\":\"auth\",\"token\":null}"));
	CHECK(request.token.ptr == NULL);
	CHECK(read_text("{\"token\":\"\\u0041\\n\\ud83d\\ude00b\","
					"\"type\":\"refresh\"}"));
	CHECK_INT(request.verb, PROTOCOL_REFRESH);
	CHECK_BYTES(request.token.ptr, request.token.len,
				"A\n\xF0\x9F\x98\x80"
				"b",
				7);
}

TEST(subscribe_names_one_group_or_several)
{
	CHECK(read_text("{\"type\":\"subscribe\",\"group\":\"app_7\"}"));
	CHECK_INT(request.verb, PROTOCOL_SUBSCRIBE);
	CHECK_INT(request.group_count, 1);
	CHECK_STR(request.groups[0].name, "app_7");
	CHECK(!request.groups[0].since);
	CHECK(read_text("{\"type\":\"subscribe\",\"group\":\"app_7\","
					"\"since\":{\"seq\":117,\"tag\":\"x\"}}"));
	CHECK(request.groups[0].since);
	CHECK(read_text("{\"type\":\"subscribe\",\"groups\":[\"a\", "
					"{\"group\":\"b\",\"since\":{\"tag\":\"\",\"seq\":0}},"
					"{\"group\":\"c\"},{\"group\":\"d\",\"since\":null}]}"));
	CHECK_INT(request.group_count, 4);
	CHECK_STR(request.groups[1].name, "b");
	CHECK(request.groups[1].since);
	CHECK_STR(request.groups[3].name, "d");
	CHECK(!request.groups[0].since && !request.groups[2].since &&
		  !request.groups[3].since);
	CHECK(read_text("{\"type\":\"unsubscribe\",\"groups\":[\"a\",\"b\"]}"));
	CHECK_INT(request.verb, PROTOCOL_UNSUBSCRIBE);
	CHECK_INT(request.group_count, 2);
}

TEST(a_hundred_groups_are_read_and_no_more)
{
	char  *json = malloc(8192);
	size_t len;

	for (int count = 100; count <= 101; count++)
	{
		len = (size_t) sprintf(json, "{\"type\":\"subscribe\",\"groups\":[");
		for (int i = 0; i < count; i++)
			len += (size_t) sprintf(json + len, "%s\"g_%d\"", i ? "," : "", i);
		strcpy(json + len, "]}");
		CHECK_INT(read_text(json), count == 100);
	}
	CHECK_STR(error.reason, "too_many_members");
	CHECK(!error.fatal);
	free(json);
}

TEST(data_is_json_as_it_stands_or_unescaped_text_or_bytes)
{
	CHECK(read_text("{\"type\":\"send\",\"group\":\"g\",\"data\": "
					"{\"a\" : [1,\"\\u0041\"]} }"));
	CHECK_INT(request.format, PROTOCOL_JSON);
	check_data("{\"a\" : [1,\"\\u0041\"]}");
	CHECK(read_text("{\"type\":\"send\",\"group\":\"g\",\"data\":\"a\\\"\"}"));
	check_data("\"a\\\"\"");
	CHECK(read_text("{\"type\":\"send\",\"group\":\"g\",\"data\":null}"));
	check_data("null");
	CHECK(read_text("{\"type\":\"send\",\"group\":\"g\",\"data\":-1.5e3,"
					"\"format\":\"json\"}"));
	check_data("-1.5e3");
	CHECK(read_text("{\"type\":\"send\",\"group\":\"g\",\"format\":\"text\","
					"\"data\":\"a\\\"\\n\\u00e9\"}"));
	CHECK_INT(request.format, PROTOCOL_TEXT);
	check_data("a\"\n\xC3\xA9");
	CHECK(read_text("{\"type\":\"send\",\"group\":\"g\",\"format\":\"binary\","
					"\"data\":\"AP+A\\u0041QI=\"}"));
	CHECK_INT(request.format, PROTOCOL_BINARY);
	CHECK_BYTES(request.data.ptr, request.data.len, "\0\xFF\x80\x01\x02", 5);
}

TEST(an_id_is_echoed_as_it_was_written)
{
	static const char *const good[] = {"0",
									   "-1",
									   "9007199254740991",
									   "-9007199254740991",
									   "\"\"",
									   "\"a\\u0042\\\"\""};
	static const char *const wrong[] = {"null",
										"true",
										"1.0",
										"1e3",
										"9007199254740992",
										"[]",
										"{}",
										"99999999999999999999",
										"\"\\u0000\"",
										"\"\\ud800\""};
	char					 json[600];

	for (size_t i = 0; i < lengthof(good); i++)
	{
		snprintf(json, sizeof(json), "{\"type\":\"ping\",\"id\":%s}", good[i]);
		CHECK(read_text(json));
		CHECK_STR(request.id, good[i]);
	}
	for (size_t i = 0; i < lengthof(wrong); i++)
	{
		snprintf(json, sizeof(json), "{\"type\":\"ping\",\"id\":%s}", wrong[i]);
		CHECK(!read_text(json));
		CHECK_STR(error.reason, "bad_id");
		CHECK_STR(request.id, "");
		CHECK(!error.fatal);
	}
}

TEST(the_longest_id_fits)
{
	char json[600] = "{\"type\":\"ping\",\"id\":\"";

	for (int i = 0; i < 64; i++)
		strcat(json, "\\u0041");
	strcat(json, "\"}");
	CHECK(read_text(json));
	CHECK_INT(strlen(request.id), 64 * 6 + 2);
}

TEST(each_mistake_has_its_reason_and_only_some_are_the_end)
{
	static const struct
	{
		const char *json, *reason;
		bool		fatal;
	} rows[] = {
		{"", "invalid_json", true},
		{"{", "invalid_json", true},
		{"{\"type\":\"ping\"}}", "invalid_json", true},
		{"[]", "not_an_object", true},
		{"null", "not_an_object", true},
		{"{}", "missing_type", true},
		{"{\"type\":null}", "missing_type", true},
		{"{\"type\":\"Ping\",\"id\":1}", "unknown_type", false},
		{"{\"type\":\"send\",\"id\":1,\"data\":1}", "missing_member", false},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\"}", "missing_member",
		 false},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\",\"data\":NaN}",
		 "invalid_json", true},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\",\"data\":[1,NaN]}",
		 "invalid_json", true},
		{"{\"type\":\"ping\",\"id\":1,\"x\":{\"y\":-Infinity}}", "invalid_json",
		 true},
		{"{\"type\":\"ping\",\"x\":\"\\\\\",\"y\":Infinity}", "invalid_json",
		 true},
		{"{\"type\":\"ping\",\"id\":\"\xFF\"}", "invalid_json", true},
		{"{\"type\":\"ping\",\"id\":\"\n\"}", "invalid_json", true},
		{"{\"type\":\"ping\",\"id\":01}", "invalid_json", true},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\",\"data\":1,"
		 "\"format\":1}",
		 "bad_member", false},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\",\"data\":1,"
		 "\"format\":\"text\"}",
		 "bad_member", false},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\",\"data\":\"\\u0000\","
		 "\"format\":\"text\"}",
		 "invalid_data", false},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\",\"data\":\"A\","
		 "\"format\":\"binary\"}",
		 "bad_member", false},
		{"{\"type\":\"presence\",\"id\":1,\"group\":\"a b\"}", "invalid_group",
		 false},
		{"{\"type\":\"subscribe\",\"id\":1,\"group\":\"\\u0000\"}",
		 "invalid_group", false},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"g\",\"data\":\"\\ud800\","
		 "\"format\":\"text\"}",
		 "invalid_data", false},
		{"{\"type\":\"subscribe\",\"id\":1}", "missing_member", false},
		{"{\"type\":\"subscribe\",\"id\":1,\"group\":7}", "bad_member", false},
		{"{\"type\":\"send\",\"id\":1,\"group\":\"\"}", "invalid_group", false},
		{"{\"type\":\"subscribe\",\"id\":1,\"groups\":[{}]}", "missing_member",
		 false},
		{"{\"type\":\"subscribe\",\"id\":1,\"groups\":{}}", "bad_member",
		 false},
		{"{\"type\":\"subscribe\",\"id\":1,\"groups\":[]}", "bad_member",
		 false},
		{"{\"type\":\"subscribe\",\"id\":1,\"groups\":[[]]}", "bad_member",
		 false},
		{"{\"type\":\"unsubscribe\",\"id\":1,\"groups\":[{\"group\":\"a\"}]}",
		 "bad_member", false},
		{"{\"type\":\"subscribe\",\"id\":1,\"group\":\"a\",\"since\":"
		 "{\"seq\":1}}",
		 "bad_member", false},
		{"{\"type\":\"subscribe\",\"id\":1,\"group\":\"a\",\"groups\":[]}",
		 "bad_member", false},
		{"{\"type\":\"refresh\",\"id\":1}", "missing_member", false},
		{"{\"type\":\"refresh\",\"id\":1,\"token\":\"\\u0000\"}", "bad_member",
		 false},
		{"{\"type\":\"presence\",\"id\":1}", "missing_member", false},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i].json);
		CHECK(!read_text(rows[i].json));
		CHECK_STR(error.reason, rows[i].reason);
		CHECK_INT(error.fatal, rows[i].fatal);
		CHECK_STR(request.id, rows[i].fatal ? "" : "1");
		CHECK(strchr(error.detail, '"') == NULL);
		CHECK_STR(refusal_for(error.reason)->reason, error.reason);
	}
}

TEST(letters_of_nan_and_infinity_in_strings_are_no_numbers)
{
	CHECK(read_text("{\"type\":\"send\",\"group\":\"NaN\",\"data\":"
					"{\"Infinity\":\"a\\\"NaN\\\\\"}}"));
	check_data("{\"Infinity\":\"a\\\"NaN\\\\\"}");
}

TEST(arrays_are_nested_to_a_bound)
{
	for (int depth = 510; depth <= 512; depth++)
	{
		char   json[2048] = "{\"type\":\"send\",\"group\":\"g\",\"data\":";
		size_t len = strlen(json);

		memset(json + len, '[', (size_t) depth);
		memset(json + len + depth, ']', (size_t) depth);
		strcpy(json + len + 2 * depth, "}");
		/* One level is that of the message. */
		CHECK_INT(read_text(json), depth < 512);
	}
	CHECK_STR(error.reason, "invalid_json");
}

TEST(of_two_equal_members_the_last_counts)
{
	CHECK(read_text("{\"type\":\"ping\",\"type\":\"auth\",\"token\":\"a\","
					"\"token\":\"b\"}"));
	CHECK_INT(request.verb, PROTOCOL_AUTH);
	CHECK_BYTES(request.token.ptr, request.token.len, "b", 1);
}

/* What was written, parsed; ends the text. */
static json_t *
parsed(ProtocolText *out)
{
	json_error_t problem;
	json_t		*json = json_loadb(out->bytes, out->len, 0, &problem);

	if (!CHECK(json != NULL))
		printf("# %.*s\n", (int) out->len, out->bytes);
	protocol_text_fini(out);
	return json;
}

static void
check_member(json_t *json, const char *name, const char *expected)
{
	char *got = json_dumps(json_object_get(json, name),
						   JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);

	check_at("%s", name);
	CHECK_STR(got, expected);
	free(got);
}

/* Pairs of names and values as JSON, then NULL: these and no others. */
static void
check_written(ProtocolText *out, ...)
{
	json_t	   *json = parsed(out);
	size_t		count = 0;
	va_list		args;
	const char *name;

	va_start(args, out);
	while ((name = va_arg(args, const char *)) != NULL)
	{
		check_member(json, name, va_arg(args, const char *));
		count++;
	}
	va_end(args);
	CHECK_INT(json_object_size(json), count);
	json_decref(json);
}

TEST(every_message_is_written_as_the_protocol_has_it)
{
	ProtocolText	out = {0};
	Slice			group = {"app_7", 5};
	ProtocolWelcome welcome = {"42", "b\"ob", "token", 1790000000123, "l.1"};
	ProtocolWelcome nobody = {NULL, NULL, "anonymous", -1, "l.2"};

	protocol_write_welcome(&out, "7", &welcome);
	check_written(&out, "type", "\"welcome\"", "id", "7", "user", "\"42\"",
				  "username", "\"b\\\"ob\"", "kind", "\"token\"", "expires_at",
				  "\"2026-09-21T14:13:20.123Z\"", "connection", "\"l.1\"",
				  "protocol", "1", NULL);
	protocol_write_welcome(&out, "", &nobody);
	check_written(&out, "type", "\"welcome\"", "user", "null", "username",
				  "null", "kind", "\"anonymous\"", "expires_at", "null",
				  "connection", "\"l.2\"", "protocol", "1", NULL);
	protocol_write_subscribed(
		&out, "\"a\"",
		&(ProtocolSubscribed){.group = group, .may_send = true, .since = true});
	check_written(&out, "type", "\"subscribed\"", "id", "\"a\"", "group",
				  "\"app_7\"", "send", "true", "presence", "false", "recovered",
				  "false", NULL);
	protocol_write_subscribed(
		&out, "", &(ProtocolSubscribed){.group = group, .presence = true});
	check_written(&out, "type", "\"subscribed\"", "group", "\"app_7\"", "send",
				  "false", "presence", "true", NULL);
	protocol_write_ok(&out, "1");
	check_written(&out, "type", "\"ok\"", "id", "1", NULL);
	protocol_write_refreshed(&out, "1", -1);
	check_written(&out, "type", "\"ok\"", "id", "1", "expires_at", "null",
				  NULL);
	protocol_write_error(&out, "", SLICE_NONE, refusal_for("message_rate"),
						 NULL, 250);
	check_written(&out, "type", "\"error\"", "code", "4429", "reason",
				  "\"message_rate\"", "detail", "\"Messages come too fast.\"",
				  "retry_after_ms", "250", NULL);
	protocol_write_error(&out, "3", group, refusal_for("not_allowed"), "No.",
						 0);
	check_written(&out, "type", "\"error\"", "id", "3", "group", "\"app_7\"",
				  "code", "4403", "reason", "\"not_allowed\"", "detail",
				  "\"No.\"", NULL);
	protocol_write_expiring(&out, 59999, 1790000000000);
	check_written(&out, "type", "\"expiring\"", "in", "59", "expires_at",
				  "\"2026-09-21T14:13:20.000Z\"", NULL);
	protocol_write_unsubscribed(&out, group, 4410, "kicked");
	check_written(&out, "type", "\"unsubscribed\"", "group", "\"app_7\"",
				  "code", "4410", "reason", "\"kicked\"", NULL);
	protocol_write_presence(&out, "1", group, slice_of("[{\"user\":\"1\"}]"));
	check_written(&out, "type", "\"presence\"", "id", "1", "group", "\"app_7\"",
				  "users", "[{\"user\":\"1\"}]", NULL);
	protocol_write_close(&out, 1001, "draining", "Bye.", true, 500);
	check_written(&out, "type", "\"close\"", "code", "1001", "reason",
				  "\"draining\"", "detail", "\"Bye.\"", "reconnect", "true",
				  "reconnect_after_ms", "500", NULL);
	protocol_write_close(&out, 4410, "revoked", "Bye.", false, 500);
	check_written(&out, "type", "\"close\"", "code", "4410", "reason",
				  "\"revoked\"", "detail", "\"Bye.\"", "reconnect", "false",
				  NULL);
	protocol_write_arrival(&out, true, group,
						   slice_of("{\"user\":\"1\",\"username\":null}"));
	check_written(&out, "type", "\"join\"", "group", "\"app_7\"", "user",
				  "\"1\"", "username", "null", NULL);
	protocol_write_arrival(&out, false, group, slice_of("{\"user\":\"1\"}"));
	check_written(&out, "type", "\"leave\"", "group", "\"app_7\"", "user",
				  "\"1\"", NULL);
}

TEST(payloads_are_json_or_strings)
{
	ProtocolText out = {0};
	Slice		 group = {"g", 1};

	protocol_write_message(&out, group, NULL, PROTOCOL_JSON,
						   slice_of("[1,\"a\"]"));
	check_written(&out, "type", "\"message\"", "group", "\"g\"", "data",
				  "[1,\"a\"]", NULL);
	protocol_write_message(&out, group, NULL, PROTOCOL_TEXT,
						   slice_of("a\"\\\n\r\t\x01\x1f/\xC3\xA9"));
	check_written(&out, "type", "\"message\"", "group", "\"g\"", "format",
				  "\"text\"", "data",
				  "\"a\\\"\\\\\\n\\r\\t\\u0001\\u001F/\xC3\xA9\"", NULL);
	protocol_write_message(&out, group, NULL, PROTOCOL_TEXT, SLICE_NONE);
	check_written(&out, "type", "\"message\"", "group", "\"g\"", "format",
				  "\"text\"", "data", "\"\"", NULL);
	for (size_t len = 0; len < 5; len++)
	{
		static const char *const encoded[] = {"\"\"", "\"AA==\"", "\"AP8=\"",
											  "\"AP+A\"", "\"AP+AAQ==\""};

		protocol_write_message(&out, group, NULL, PROTOCOL_BINARY,
							   (Slice){"\0\xFF\x80\x01", len});
		check_written(&out, "type", "\"message\"", "group", "\"g\"", "format",
					  "\"binary\"", "data", encoded[len], NULL);
	}
}

TEST(a_text_that_cannot_grow_becomes_empty_and_stays_so)
{
	ProtocolText out = {0};
	char		 long_data[600];
	Slice		 group = {"g", 1};

	memset(long_data, 'x', sizeof(long_data));
	for (long allocations = 1; allocations <= 2; allocations++)
	{
		starved = false;
		starve_after = allocations;
		for (int i = 0; i < 3; i++)
			protocol_write_message(&out, group, NULL, PROTOCOL_BINARY,
								   (Slice){long_data, sizeof(long_data)});
		starve_after = -1;
		CHECK(starved);
		CHECK(out.failed);
		CHECK_INT(out.len, 0);
		protocol_write_ok(&out, "1");
		CHECK(out.failed);
		CHECK_INT(out.len, 0);
		protocol_text_fini(&out);
	}
	protocol_write_ok(&out, "1");
	check_written(&out, "type", "\"ok\"", "id", "1", NULL);
}

TEST(without_memory_a_text_fails_once_and_stays_failed)
{
	ProtocolText out = {0};

	starve_after = 0;
	protocol_append(&out, "abc", 3);
	starve_after = -1;
	CHECK(out.failed);
	protocol_append(&out, "abc", 3);
	protocol_append_string(&out, "abc", 3);
	CHECK(out.failed);
	CHECK_INT(out.len, 0);
	protocol_text_fini(&out);
	CHECK(!out.failed);
}

TEST_MAIN()
