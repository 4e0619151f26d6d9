/* What a request asks for. */
#include "check.h"

#include <stdio.h>

#include "handshake.h"

#define UPGRADE                                                                \
	"Host: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"       \
	"Sec-WebSocket-Version: 13\r\n"                                            \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

#define OFFER "Sec-WebSocket-Protocol: "
#define TEN "0123456789"
#define LONGEST_NAME TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678"

static char		   bytes[4096];
static HttpRequest request;

/* The plan for "<line>\r\n<headers>\r\n"; action -1 when it does not parse. */
static Handshake
plan_for(const char *line, const char *headers)
{
	Handshake plan = {0};
	int len = snprintf(bytes, sizeof(bytes), "%s\r\n%s\r\n", line, headers);

	if (CHECK_INT(http_parse(&request, bytes, (size_t) len), HTTP_OK))
		handshake_plan(&plan, &request);
	return plan;
}

TEST(a_path_names_the_group_to_join)
{
	Handshake plan = plan_for("GET /ws/app_1234?x=1 HTTP/1.1", UPGRADE);

	CHECK_INT(plan.action, HANDSHAKE_JOIN);
	CHECK(slice_equals(plan.group, "app_1234"));
	CHECK(slice_equals(plan.key, "dGhlIHNhbXBsZSBub25jZQ=="));
	CHECK(!plan.from_browser);
}

TEST(one_trailing_slash_is_ignored_as_djangos_urls_have_it)
{
	CHECK(slice_equals(plan_for("GET /ws/app_1/ HTTP/1.1", UPGRADE).group,
					   "app_1"));
	CHECK_STR(plan_for("GET /ws/app_1// HTTP/1.1", UPGRADE).reason,
			  "invalid_group");
}

TEST(a_request_with_origin_comes_from_a_browser)
{
	Handshake plan = plan_for("GET /ws/app_1 HTTP/1.1",
							  UPGRADE "Origin: https://example.com\r\n");

	CHECK(plan.from_browser);
}

TEST(the_first_subprotocol_that_is_no_credential_is_chosen)
{
	static const struct
	{
		const char *headers;
		const char *chosen; /* NULL: none */
	} rows[] = {
		{"", NULL},
		{OFFER "chat, superchat\r\n", "chat"},
		{OFFER "usher.raw, usher.auth.YQ\r\n", "usher.raw"},
		{OFFER "usher.auth.YQ, usher.raw\r\n", "usher.raw"},
		{OFFER "usher.auth.YQ\r\n" OFFER "usher.raw\r\n", "usher.raw"},
		{OFFER "usher.v1, usher.raw\r\n", "usher.raw"},
		{OFFER "usher.auth.YQ\r\n", NULL},
		{OFFER "usher.auth.\r\n", NULL},
		{OFFER "usher.v1\r\n", NULL},
		{OFFER "usher.v1, usher.auth.YQ\r\n", NULL},
		{OFFER ",\r\n", NULL},
		{OFFER "usher.v10\r\n", "usher.v10"},
		{OFFER "usher.auth\r\n", "usher.auth"},
		{OFFER LONGEST_NAME ", b\r\n", LONGEST_NAME},
		{OFFER LONGEST_NAME "a, b\r\n", "b"},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		char	  headers[1024];
		Handshake plan;

		check_at("%s", rows[i].headers);
		snprintf(headers, sizeof(headers), "%s%s", UPGRADE, rows[i].headers);
		plan = plan_for("GET /ws/app_1 HTTP/1.1", headers);
		CHECK_INT(plan.action, HANDSHAKE_JOIN);
		if (rows[i].chosen == NULL)
			CHECK(plan.protocol.ptr == NULL);
		else
			CHECK_SLICE(plan.protocol, rows[i].chosen);
		/* A browser would not see the close code of a refusal otherwise. */
		plan = plan_for("GET /nowhere HTTP/1.1", headers);
		CHECK(plan.protocol.ptr != NULL || rows[i].chosen == NULL);
	}
}

TEST(a_subprotocol_that_is_no_token_is_no_handshake)
{
	Handshake plan =
		plan_for("GET /ws/app_1 HTTP/1.1", UPGRADE OFFER "usher.auth.YQ==\r\n");

	CHECK_STR(plan.reason, "bad_handshake");
	CHECK(plan.key.ptr == NULL);
}

static bool
may(const char *origins, const char *allowed, bool by_cookie)
{
	char headers[1024];

	snprintf(headers, sizeof(headers), "%s%s", UPGRADE, origins);
	plan_for("GET /ws/app_1 HTTP/1.1", headers);
	return handshake_origin_allowed(&request, allowed, by_cookie);
}

TEST(without_allowed_origins_only_a_cookie_needs_the_origin_of_the_host)
{
	check_at("no list");
	CHECK(may("", "", false));
	CHECK(may("Origin: https://evil.net\r\n", "", false));
	CHECK(may("Origin: null\r\n", " ", false));
	CHECK(!may("", "", true));
	CHECK(!may("Origin: https://evil.net\r\n", "", true));
	CHECK(!may("Origin: null\r\n", " ", true));
	CHECK(!may("Origin:\r\n", "", true));
	CHECK(may("Origin: https://example.com\r\n", "", true));
	CHECK(may("Origin: http://example.com\r\n", "\t", true));
}

TEST(with_allowed_origins_every_origin_must_match_and_a_cookie_needs_one)
{
	const char *list = "https://a.org, .b.org";

	CHECK(may("", list, false));
	CHECK(may("Origin: https://a.org\r\n", list, false));
	CHECK(!may("Origin: https://evil.net\r\n", list, false));
	CHECK(!may("Origin:\r\n", list, false));
	CHECK(!may("Origin: null\r\n", list, false));
	CHECK(!may("", list, true));
	CHECK(may("Origin: http://x.b.org:8000\r\n", list, true));
	CHECK(!may("Origin: http://a.org\r\n", list, true));
	/* The list takes the place of the host. */
	CHECK(!may("Origin: https://example.com\r\n", list, true));
	CHECK(may("", "*", true));
	CHECK(may("Origin: null\r\n", "*", true));
}

TEST(of_two_origins_the_last_counts)
{
	CHECK(may("Origin: https://evil.net\r\nOrigin: https://a.org\r\n", "a.org",
			  true));
	CHECK(!may("Origin: https://a.org\r\nOrigin: https://evil.net\r\n", "a.org",
			   true));
	CHECK(!may("Origin: https://example.com\r\nOrigin:\r\n", "", true));
}

TEST(a_group_outside_the_rule_is_refused_with_a_handshake_to_answer)
{
	static const char *const names[] = {"a%20b", "a/b", "caf\xc3\xa9", "a:b",
										"a!b"};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		char	  line[128];
		Handshake plan;

		check_at("group %s", names[i]);
		snprintf(line, sizeof(line), "GET /ws/%s HTTP/1.1", names[i]);
		if (strcmp(names[i], "caf\xc3\xa9") == 0)
			continue; /* not a valid target: see test_http */
		plan = plan_for(line, UPGRADE);
		CHECK_INT(plan.action, HANDSHAKE_REFUSE);
		CHECK_STR(plan.reason, "invalid_group");
		CHECK(plan.key.ptr != NULL);
	}
}

TEST(a_group_name_has_1_to_99_characters_of_the_rule)
{
	char name[101];

	memset(name, 'x', sizeof(name));
	CHECK(!handshake_group_valid((Slice){name, 0}));
	CHECK(handshake_group_valid((Slice){name, 1}));
	CHECK(handshake_group_valid((Slice){name, 99}));
	CHECK(!handshake_group_valid((Slice){name, 100}));
	CHECK(handshake_group_valid((Slice){"A-z.0_9", 7}));
	CHECK(!handshake_group_valid((Slice){"a\n", 2}));
	CHECK(!handshake_group_valid((Slice){"a\0", 2}));
	CHECK(!handshake_group_valid((Slice){"\xd9\xa1", 2}));
	CHECK(!handshake_group_valid(SLICE_NONE));
}

TEST(an_ordinary_request_to_a_group_is_told_to_upgrade)
{
	Handshake plan = plan_for("GET /ws/app_1 HTTP/1.1", "Host: a\r\n");

	CHECK_STR(plan.reason, "upgrade_required");
	CHECK(plan.key.ptr == NULL);
}

TEST(each_broken_handshake_has_its_reason)
{
	static const struct
	{
		const char *line;
		const char *headers;
		const char *reason;
	} rows[] = {
		{"POST /ws/a HTTP/1.1", UPGRADE, "bad_method"},
		{"GET /ws/a HTTP/1.0", UPGRADE, "bad_handshake"},
		{"GET /ws/a HTTP/1.1",
		 "Host: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n",
		 "upgrade_required"},
		{"GET /ws/a HTTP/1.1",
		 "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Version: 8\r\n"
		 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
		 "upgrade_required"},
		{"GET /ws/a HTTP/1.1",
		 "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n",
		 "bad_handshake"},
		{"GET /ws/a HTTP/1.1",
		 UPGRADE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
		 "bad_handshake"},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Handshake plan;

		check_at("row %zu", i);
		plan = plan_for(rows[i].line, rows[i].headers);
		CHECK_INT(plan.action, HANDSHAKE_REFUSE);
		CHECK_STR(plan.reason, rows[i].reason);
		CHECK(plan.key.ptr == NULL);
	}
}

TEST(files_are_got_and_session_keys_are_posted_for)
{
	static const struct
	{
		const char	   *line;
		HandshakeAction action;
	} rows[] = {
		{"GET / HTTP/1.1", HANDSHAKE_PAGE},
		{"HEAD / HTTP/1.1", HANDSHAKE_PAGE},
		{"POST / HTTP/1.1", HANDSHAKE_REFUSE},
		{"GET /usher.js HTTP/1.1", HANDSHAKE_SCRIPT},
		{"HEAD /usher.js?x=1 HTTP/1.1", HANDSHAKE_SCRIPT},
		{"PUT /usher.js HTTP/1.1", HANDSHAKE_REFUSE},
		{"POST /session HTTP/1.1", HANDSHAKE_EXCHANGE},
		{"OPTIONS /session HTTP/1.1", HANDSHAKE_PREFLIGHT},
		{"GET /session HTTP/1.1", HANDSHAKE_REFUSE},
		{"POST /session/ HTTP/1.1", HANDSHAKE_REFUSE},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Handshake plan = plan_for(rows[i].line, "Host: a\r\n");

		check_at("%s", rows[i].line);
		CHECK_INT(plan.action, rows[i].action);
		CHECK_INT(plan.shared, strstr(rows[i].line, "/session ") != NULL);
	}
	CHECK_STR(plan_for("GET / HTTP/1.1", UPGRADE).reason, "not_found");
	CHECK_STR(plan_for("PUT / HTTP/1.1", "").allow, "GET, HEAD");
	CHECK_STR(plan_for("PUT /session HTTP/1.1", "").allow, "POST, OPTIONS");
	CHECK_STR(plan_for("PUT /healthz HTTP/1.1", "").allow, "GET");
	CHECK_STR(plan_for("PUT /ws/a HTTP/1.1", "").allow, "GET");
}

TEST(the_path_ws_speaks_usher_v1_or_refuses)
{
	static const struct
	{
		const char *offered, *chosen, *reason;
	} rows[] = {
		{"", NULL, NULL},
		{"usher.v1", "usher.v1", NULL},
		{"graphql-ws, usher.v1", "usher.v1", NULL},
		{"usher.auth.eHg, usher.v1", "usher.v1", NULL},
		{"usher.auth.eHg", NULL, NULL},
		{"graphql-ws", "graphql-ws", "unsupported_protocol"},
	};
	static const char *const lines[] = {"GET /ws HTTP/1.1",
										"GET /ws/ HTTP/1.1"};

	for (size_t i = 0; i < lengthof(rows) * lengthof(lines); i++)
	{
		const char *offered = rows[i / lengthof(lines)].offered;
		const char *chosen = rows[i / lengthof(lines)].chosen;
		const char *reason = rows[i / lengthof(lines)].reason;
		char		headers[512];
		Handshake	plan;

		check_at("%s", offered);
		snprintf(headers, sizeof(headers), "%s%s%s%s", UPGRADE,
				 *offered ? "Sec-WebSocket-Protocol: " : "", offered,
				 *offered ? "\r\n" : "");
		plan = plan_for(lines[i % lengthof(lines)], headers);
		CHECK(plan.speaks_v1);
		CHECK(plan.key.ptr != NULL);
		CHECK_INT(plan.action, reason ? HANDSHAKE_REFUSE : HANDSHAKE_OPEN);
		if (reason != NULL)
			CHECK_STR(plan.reason, reason);
		if (chosen != NULL)
			CHECK_SLICE(plan.protocol, chosen);
		else
			CHECK(plan.protocol.ptr == NULL);
	}
	CHECK_STR(plan_for("GET /ws HTTP/1.1", "Host: a\r\n").reason,
			  "upgrade_required");
	CHECK(!plan_for("GET /ws/app_1 HTTP/1.1", UPGRADE).speaks_v1);
}

TEST(health_is_asked_with_get_only)
{
	CHECK_INT(plan_for("GET /healthz HTTP/1.1", "Host: a\r\n").action,
			  HANDSHAKE_HEALTHZ);
	CHECK_INT(plan_for("GET /readyz HTTP/1.0", "").action, HANDSHAKE_READYZ);
	CHECK_STR(plan_for("POST /readyz HTTP/1.1", "Host: a\r\n").reason,
			  "bad_method");
}

TEST(a_path_that_leads_nowhere_is_not_found)
{
	CHECK_STR(plan_for("GET /nowhere HTTP/1.1", "Host: a\r\n").reason,
			  "not_found");
	CHECK_STR(plan_for("GET /wss HTTP/1.1", UPGRADE).reason, "not_found");
	CHECK(plan_for("GET /nowhere HTTP/1.1", UPGRADE).key.ptr != NULL);
}

TEST_MAIN()
