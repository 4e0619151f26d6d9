/*-------------------------------------------------------------------------
 *
 * test_http.c
 *	  Request heads, handshakes, query parameters and responses.
 *
 * Every head is parsed from a block of exactly its size, so that
 * AddressSanitizer sees a read beyond it.
 *
 * Long because each way to write a request wrongly stands here, as its bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "http.h"

#include "check.h"

/* RFC 6455 section 1.2 and 1.3 */
#define SAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SAMPLE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define START "GET /ws/app_1 HTTP/1.1\r\n"
#define HOST "Host: example.com:8080\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: " SAMPLE_KEY "\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define END "\r\n"
#define HANDSHAKE HOST UPGRADE CONNECTION KEY VERSION

/* A request and the block its slices point into. */
typedef struct Parsed
{
	HttpStatus	status;
	HttpRequest request;
	char	   *block;
} Parsed;

static Parsed
parse(const char *head, size_t len)
{
	Parsed parsed = {.block = malloc(len > 0 ? len : 1)};

	if (parsed.block == NULL)
		abort();
	memcpy(parsed.block, head, len);
	parsed.status = http_parse(&parsed.request, parsed.block, len);
	return parsed;
}

static void
parsed_free(Parsed *parsed)
{
	free(parsed->block);
}

static HttpStatus
status_of(const char *head, size_t len)
{
	Parsed parsed = parse(head, len);

	parsed_free(&parsed);
	return parsed.status;
}

TEST(the_end_of_a_head_is_found_however_it_arrives)
{
	static const struct
	{
		const char *bytes;
		size_t		length;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", 18},
		{"GET / HTTP/1.1\r\nA: b\r\n\r\nbody\r\n\r\n", 24},
		{"GET / HTTP/1.1\r\nA: b\r\n", 0},
		{"GET / HTTP/1.1\r\nA: b\r\n\r", 0},
		{"\r\n\r\n", 4},
		{"\r\nGET / HTTP/1.1\r\n\r\n", 20},
		{"a\n\nb", 3},	 /* an end, so that it can be refused at once */
		{"a\n\r\nb", 4}, /* likewise */
		{"a\r\r\r\nb", 0},
		{"", 0},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		size_t len = strlen(rows[i].bytes);

		check_at("row %zu", i);
		CHECK_INT(http_head_length(rows[i].bytes, len, 0), rows[i].length);

		for (size_t step = 1; step <= 5; step++)
		{
			size_t found = 0;
			size_t searched = 0;

			while (found == 0 && searched < len)
			{
				size_t have = searched + step < len ? searched + step : len;
				char  *block = malloc(have);

				if (block == NULL)
					abort();
				memcpy(block, rows[i].bytes, have);
				found = http_head_length(block, have, searched);
				searched = have;
				free(block);
			}
			CHECK_INT(found, rows[i].length);
		}
	}
}

TEST(a_request_is_taken_apart)
{
	static const char head[] =
		"GET /ws/app_1234?session_key=a%20b&x HTTP/1.1\r\n"
		"Host: example.com\r\n"
		"Empty:\r\n"
		"Blank: \t \r\n"
		"X-Latin: \t caf\xE9\tau lait \r\n"
		"\r\n";
	Parsed parsed = parse(head, sizeof(head) - 1);
	size_t count;

	CHECK_INT(parsed.status, HTTP_OK);
	CHECK_SLICE(parsed.request.method, "GET");
	CHECK_SLICE(parsed.request.path, "/ws/app_1234");
	CHECK_SLICE(parsed.request.query, "session_key=a%20b&x");
	CHECK_INT(parsed.request.minor_version, 1);
	CHECK_INT(parsed.request.header_count, 4);
	CHECK_SLICE(http_header(&parsed.request, "HOST", &count), "example.com");
	CHECK_INT(count, 1);
	CHECK_SLICE(http_header(&parsed.request, "empty", NULL), "");
	CHECK(http_header(&parsed.request, "empty", NULL).ptr != NULL);
	CHECK_SLICE(http_header(&parsed.request, "blank", NULL), "");
	CHECK_SLICE(http_header(&parsed.request, "x-latin", NULL),
				"caf\xE9\tau lait");
	CHECK(http_header(&parsed.request, "x-lati", &count).ptr == NULL);
	CHECK_INT(count, 0);
	CHECK(http_header(&parsed.request, "x-latin2", NULL).ptr == NULL);
	parsed_free(&parsed);
}

TEST(an_absent_query_differs_from_an_empty_one)
{
	Parsed without = parse("GET /a HTTP/1.0\r\n\r\n", 19);
	Parsed empty = parse("GET /a? HTTP/1.9\r\n\r\n", 20);

	CHECK_INT(without.status, HTTP_OK);
	CHECK(without.request.query.ptr == NULL);
	CHECK_INT(without.request.minor_version, 0);
	CHECK_INT(empty.status, HTTP_OK);
	CHECK(empty.request.query.ptr != NULL);
	CHECK_INT(empty.request.query.len, 0);
	CHECK_SLICE(empty.request.path, "/a");
	CHECK_INT(empty.request.minor_version, 1);
	parsed_free(&without);
	parsed_free(&empty);
}

TEST(whatever_could_be_read_in_two_ways_is_refused)
{
	static const struct
	{
		const char *head;
		HttpStatus	status;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", HTTP_OK},
		{"\r\nGET / HTTP/1.1\r\n\r\n", HTTP_OK},
		{"\r\n\r\nGET / HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"", HTTP_INCOMPLETE},
		{"\r\n", HTTP_INCOMPLETE},
		{"GET / HTTP/1.1", HTTP_INCOMPLETE},
		{"GET / HTTP/1.1\r\n", HTTP_INCOMPLETE},
		{"GET / HTTP/1.1\r\nA: b\r\n\r", HTTP_INCOMPLETE},
		{"GET / HTTP/1.1\r\n\r\nx", HTTP_MALFORMED},
		{"GET / HTTP/1.1\n\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: b\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: b\r\n\n", HTTP_MALFORMED},
		/* the request line */
		{"\r\n\r\n", HTTP_MALFORMED},
		{"GET\r\n\r\n", HTTP_MALFORMED},
		{"GET /\r\n\r\n", HTTP_MALFORMED},
		{"GET  / HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET /  HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1 \r\n\r\n", HTTP_MALFORMED},
		{" GET / HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET\t/ HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"G(T / HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET * HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET ws HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET http://a/ws HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET /a#b HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET /\x01 HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET /\x7F HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET /\xC3\xA9 HTTP/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\r\n\r\n", HTTP_MALFORMED},
		/* the version */
		{"GET / HTTP/0.9\r\n\r\n", HTTP_BAD_VERSION},
		{"GET / HTTP/2.0\r\n\r\n", HTTP_BAD_VERSION},
		{"PRI * HTTP/2.0\r\n\r\n", HTTP_BAD_VERSION},
		{"GET / HTTP/11\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.10\r\n\r\n", HTTP_MALFORMED},
		{"GET / http/1.1\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.x\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/\xB1.1\r\n\r\n", HTTP_MALFORMED},
		/* headers */
		{"GET / HTTP/1.1\r\nHost example\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\n: x\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nHost : x\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\n Host: x\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: b\r\n\tfolded: x\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA\xC3\xA9: b\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA(: b\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: \x0B\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: \x0C\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: \x1B\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: \x7F\r\n\r\n", HTTP_MALFORMED},
		{"GET / HTTP/1.1\r\nA: a\tb \x80\xFF\r\n\r\n", HTTP_OK},
		{"GET / HTTP/1.1\r\nA: b: c\r\n\r\n", HTTP_OK},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i].head);
		CHECK_INT(status_of(rows[i].head, strlen(rows[i].head)),
				  rows[i].status);
	}
	check_at("NUL");
	CHECK_INT(status_of("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 26),
			  HTTP_MALFORMED);
	CHECK_INT(status_of("GET /\0 HTTP/1.1\r\n\r\n", 19), HTTP_MALFORMED);
	CHECK_INT(status_of("GET / HTTP/1.1\r\nA\0: b\r\n\r\n", 25),
			  HTTP_MALFORMED);
}

TEST(every_prefix_of_a_head_is_incomplete)
{
	static const char head[] = START HANDSHAKE END;

	for (size_t len = 0; len < sizeof(head) - 1; len++)
	{
		check_at("%zu bytes", len);
		CHECK_INT(status_of(head, len), HTTP_INCOMPLETE);
	}
	CHECK_INT(status_of(head, sizeof(head) - 1), HTTP_OK);
}

TEST(sixty_four_headers_are_taken_and_one_more_is_too_many)
{
	char   head[4096] = "GET / HTTP/1.1\r\n";
	size_t len = strlen(head);

	for (int i = 0; i < HTTP_MAX_HEADERS; i++)
		len += (size_t) snprintf(head + len, sizeof(head) - len, "X-%d: %d\r\n",
								 i, i);
	memcpy(head + len, "\r\n", 3);
	CHECK_INT(status_of(head, len + 2), HTTP_OK);
	memcpy(head + len, "X: y\r\n\r\n", 9);
	CHECK_INT(status_of(head, len + 8), HTTP_TOO_MANY_HEADERS);
}

TEST(a_repeated_header_is_counted_and_its_first_value_returned)
{
	static const char head[] = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n";
	Parsed			  parsed = parse(head, sizeof(head) - 1);
	size_t			  count;

	CHECK_INT(parsed.status, HTTP_OK);
	CHECK_SLICE(http_header(&parsed.request, "A", &count), "1");
	CHECK_INT(count, 2);
	parsed_free(&parsed);
}

TEST(a_token_is_found_in_lists_without_regard_to_case)
{
	static const struct
	{
		const char *headers;
		bool		found;
	} rows[] = {
		{"Connection: Upgrade\r\n", true},
		{"connection: keep-alive, UPGRADE\r\n", true},
		{"Connection: keep-alive ,\tupgrade\t, x\r\n", true},
		{"Connection: keep-alive\r\nConnection: upgrade\r\n", true},
		{"Connection: ,,upgrade\r\n", true},
		{"Connection: upgrades\r\n", false},
		{"Connection: up grade\r\n", false},
		{"Connection: xupgrade\r\n", false},
		{"Connection:\r\n", false},
		{"X-Connection: upgrade\r\n", false},
		{"Connection: \"upgrade\"\r\n", false},
		{"Connection: up\xC7rade\r\n", false}, /* 'g' but for the high bit */
		{"Connection: UPGRADE@\r\n", false},
		{"", false},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		char   head[256];
		Parsed parsed;

		check_at("%s", rows[i].headers);
		snprintf(head, sizeof(head), START "%s" END, rows[i].headers);
		parsed = parse(head, strlen(head));
		CHECK_INT(parsed.status, HTTP_OK);
		CHECK_INT(
			http_header_has_token(&parsed.request, "Connection", "upgrade"),
			rows[i].found);
		parsed_free(&parsed);
	}
}

TEST(names_are_compared_by_letter_case_only_where_there_are_letters)
{
	/* '[' and '{', '@' and '`' differ by the same bit as letters do. */
	static const char head[] = "GET / HTTP/1.1\r\nA`^: 1\r\n\r\n";
	Parsed			  parsed = parse(head, sizeof(head) - 1);

	CHECK_INT(parsed.status, HTTP_OK);
	CHECK(http_header(&parsed.request, "a`^", NULL).ptr != NULL);
	CHECK(http_header(&parsed.request, "a@^", NULL).ptr == NULL);
	CHECK(http_header(&parsed.request, "a`~", NULL).ptr == NULL);
	parsed_free(&parsed);
}

TEST(a_query_parameter_is_decoded_or_refused)
{
	static const struct
	{
		const char *query; /* NULL: none */
		long		len;
		const char *value;
	} rows[] = {
		{NULL, -1, NULL},
		{"", -1, NULL},
		{"a=b", -1, NULL},
		{"key2=b&akey=c&Key=d", -1, NULL},
		{"key=abc", 3, "abc"},
		{"a=b&key=abc&c=d", 3, "abc"},
		{"key", 0, ""},
		{"key=", 0, ""},
		{"&&key=1&&", 1, "1"},
		{"key=a=b", 3, "a=b"},
		{"key=a+b%2Bc%20d", 7, "a b+c d"},
		{"key=%41%c3%A9", 3, "A\xC3\xA9"},
		{"key=%00x", 2, "\0x"},
		{"%6bey=escaped+name", 12, "escaped name"},
		{"%6key=x", -1, NULL},
		{"k%=x&key=1", 1, "1"},
		{"key=%", -2, NULL},
		{"key=%4", -2, NULL},
		{"key=%4&key2", -2, NULL},
		{"key=%4g", -2, NULL},
		{"key=%+1", -2, NULL},
		{"key=1&key=1", -2, NULL},
		{"key=1&k%65y=2", -2, NULL},
		{"key&key", -2, NULL},
		{"key=12345678901234567890", 20, "12345678901234567890"},
		{"key=123456789012345678901", -2, NULL},
		{"key=1234567890123456789%30", 20, "12345678901234567890"},
		{"key;x=1", -1, NULL},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		char  out[20];
		Slice query = SLICE_NONE;
		char *block = NULL;
		long  len;

		check_at("%s", rows[i].query != NULL ? rows[i].query : "(none)");
		if (rows[i].query != NULL)
		{
			query.len = strlen(rows[i].query);
			query.ptr = block = malloc(query.len > 0 ? query.len : 1);
			if (block == NULL)
				abort();
			memcpy(block, rows[i].query, query.len);
		}
		len = http_query_parameter(query, "key", out, sizeof(out));
		CHECK_INT(len, rows[i].len);
		if (len >= 0 && rows[i].value != NULL)
			CHECK_BYTES(out, (size_t) len, rows[i].value, (size_t) rows[i].len);
		free(block);
	}
}

TEST(a_list_goes_on_over_all_occurrences_of_its_header)
{
	const char				 head[] = START "X: a, b\r\nY: no\r\nx: ,\r\nX:\r\n"
											"X:\tc ,, d,\r\n" END;
	static const char *const elements[] = {"a", "b", "c", "d"};
	Parsed					 parsed = parse(head, strlen(head));
	HttpCursor				 cursor = {0};
	Slice					 element;

	for (size_t i = 0; i < lengthof(elements); i++)
	{
		CHECK(http_next_element(&parsed.request, "X", &cursor, &element));
		CHECK_SLICE(element, elements[i]);
	}
	CHECK(!http_next_element(&parsed.request, "X", &cursor, &element));
	CHECK(!http_next_element(&parsed.request, "X", &cursor, &element));
	cursor = (HttpCursor){0};
	CHECK(!http_next_element(&parsed.request, "Z", &cursor, &element));
	CHECK_SLICE(http_last_header(&parsed.request, "Y"), "no");
	CHECK_SLICE(http_last_header(&parsed.request, "X"), "c ,, d,");
	CHECK(http_last_header(&parsed.request, "Z").ptr == NULL);
	parsed_free(&parsed);
}

TEST(a_handshake_is_judged_by_rfc_6455)
{
	static const struct
	{
		const char *head;
		HttpUpgrade upgrade;
	} rows[] = {
		{START HANDSHAKE END, HTTP_UPGRADE_OK},
		{START HOST "upgrade: WebSocket\r\n"
					"connection: keep-alive, upgrade\r\n" KEY VERSION
					"Origin: https://example.com\r\n" END,
		 HTTP_UPGRADE_OK},
		{START HOST "Upgrade: h2c, websocket\r\n" CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_OK},
		{START HANDSHAKE "Content-Length: 0\r\n" END, HTTP_UPGRADE_OK},
		{START "Host: [2001:db8::1]:443\r\n" UPGRADE CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_OK},
		{START HANDSHAKE "Sec-WebSocket-Protocol: a\r\n"
						 "Sec-WebSocket-Protocol: b\r\n" END,
		 HTTP_UPGRADE_OK},
		{START HANDSHAKE "Sec-WebSocket-Protocol: ,a ,\t, b,\r\n" END,
		 HTTP_UPGRADE_OK},
		/* Channels takes the last one: handshake_origin_allowed */
		{START HANDSHAKE "Origin: https://a\r\nOrigin: https://b\r\n" END,
		 HTTP_UPGRADE_OK},

		{START HOST END, HTTP_UPGRADE_NONE},
		{START HOST CONNECTION KEY VERSION END, HTTP_UPGRADE_NONE},
		{START HOST "Upgrade: h2c\r\n" CONNECTION "HTTP2-Settings: x\r\n" END,
		 HTTP_UPGRADE_UNSUPPORTED},
		{START HOST "Upgrade: websocket2\r\n" CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_UNSUPPORTED},
		{START HOST "Upgrade:\r\n" CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_UNSUPPORTED},
		{"POST / HTTP/1.1\r\n" HANDSHAKE END, HTTP_UPGRADE_BAD_METHOD},
		{"get / HTTP/1.1\r\n" HANDSHAKE END, HTTP_UPGRADE_BAD_METHOD},
		{"CONNECT / HTTP/1.1\r\n" HANDSHAKE END, HTTP_UPGRADE_BAD_METHOD},
		{"GET / HTTP/1.0\r\n" HANDSHAKE END, HTTP_UPGRADE_BAD_HTTP},

		{START HOST UPGRADE CONNECTION KEY END, HTTP_UPGRADE_BAD_VERSION},
		{START HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n" END,
		 HTTP_UPGRADE_BAD_VERSION},
		{START HOST UPGRADE CONNECTION KEY
		 "Sec-WebSocket-Version: 13, 8\r\n" END,
		 HTTP_UPGRADE_BAD_VERSION},
		{START HANDSHAKE VERSION END, HTTP_UPGRADE_BAD_HEADERS},

		{START HOST UPGRADE CONNECTION VERSION END, HTTP_UPGRADE_BAD_KEY},
		{START HANDSHAKE KEY END, HTTP_UPGRADE_BAD_KEY},
		{START HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key:\r\n" END,
		 HTTP_UPGRADE_BAD_KEY},
		{START HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: abc\r\n" END,
		 HTTP_UPGRADE_BAD_KEY},
		/* 15 and 17 bytes */
		{START HOST UPGRADE CONNECTION VERSION
		 "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n" END,
		 HTTP_UPGRADE_BAD_KEY},
		{START HOST UPGRADE CONNECTION VERSION
		 "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n" END,
		 HTTP_UPGRADE_BAD_KEY},
		{START HOST UPGRADE CONNECTION VERSION
		 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n" END,
		 HTTP_UPGRADE_BAD_KEY},
		/* base64url is not base64 */
		{START HOST UPGRADE CONNECTION VERSION
		 "Sec-WebSocket-Key: dGhlIHNhb-BsZSBub25jZQ==\r\n" END,
		 HTTP_UPGRADE_BAD_KEY},
		{START HOST UPGRADE CONNECTION VERSION
		 "Sec-WebSocket-Key: dGhlIHNhb=BsZSBub25jZQ==\r\n" END,
		 HTTP_UPGRADE_BAD_KEY},

		{START UPGRADE CONNECTION KEY VERSION END, HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE HOST END, HTTP_UPGRADE_BAD_HEADERS},
		{START "Host:\r\n" UPGRADE CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START "Host: a, b\r\n" UPGRADE CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START "Host: user@a\r\n" UPGRADE CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START "Host: a/b\r\n" UPGRADE CONNECTION KEY VERSION END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START HOST UPGRADE KEY VERSION END, HTTP_UPGRADE_BAD_HEADERS},
		{START HOST UPGRADE "Connection: keep-alive\r\n" KEY VERSION END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE "Content-Length: 5\r\n" END, HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE "Content-Length: 00\r\n" END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE "Content-Length: 0\r\nContent-Length: 0\r\n" END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE "Transfer-Encoding: chunked\r\n" END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE "Sec-WebSocket-Protocol: a, b c\r\n" END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE "Sec-WebSocket-Protocol: a\r\n"
						 "Sec-WebSocket-Protocol: b=\r\n" END,
		 HTTP_UPGRADE_BAD_HEADERS},
		{START HANDSHAKE "Authorization: Token a\r\n"
						 "authorization: Token b\r\n" END,
		 HTTP_UPGRADE_BAD_HEADERS},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Parsed parsed = parse(rows[i].head, strlen(rows[i].head));

		check_at("row %zu", i);
		CHECK_INT(parsed.status, HTTP_OK);
		CHECK_INT(http_upgrade(&parsed.request), rows[i].upgrade);
		parsed_free(&parsed);
	}
}

TEST(the_accept_key_is_that_of_rfc_6455)
{
	static const struct
	{
		const char *key;
		const char *accept;
	} rows[] = {
		{SAMPLE_KEY, SAMPLE_ACCEPT},
		/* the example of Wikipedia's article on WebSocket */
		{"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		char out[HTTP_ACCEPT_LEN + 1];

		CHECK(http_accept_key((Slice){rows[i].key, 24}, out));
		CHECK_STR(out, rows[i].accept);
	}
}

TEST(a_key_of_another_length_has_no_accept_key)
{
	char out[HTTP_ACCEPT_LEN + 1];

	CHECK(!http_accept_key(SLICE_NONE, out));
	CHECK(!http_accept_key((Slice){SAMPLE_KEY, 23}, out));
	CHECK(!http_accept_key((Slice){SAMPLE_KEY "=", 25}, out));
}

TEST(a_response_says_its_length_and_that_it_closes)
{
	char   out[512];
	size_t len;

	len = http_response_head(out, sizeof(out), 401,
							 "WWW-Authenticate: Token\r\n", "{\"a\":1}");
	CHECK_BYTES(out, len,
				"HTTP/1.1 401 Unauthorized\r\n"
				"Content-Type: application/json\r\n"
				"Content-Length: 7\r\n"
				"Cache-Control: no-store\r\n"
				"Connection: close\r\n"
				"WWW-Authenticate: Token\r\n"
				"\r\n",
				strlen(out));
	CHECK(len > 0);
	CHECK(http_response_head(out, sizeof(out), 200, NULL, "") > 0);
	CHECK(strstr(out, "Content-Length: 0\r\n") != NULL);
	CHECK(strstr(out, "close\r\n\r\n") != NULL);
}

TEST(a_response_without_a_body_has_no_length)
{
	char   out[512];
	size_t len = http_response_head(out, sizeof(out), 204, NULL, NULL);

	CHECK_BYTES(out, len,
				"HTTP/1.1 204 No Content\r\n"
				"Cache-Control: no-store\r\n"
				"Connection: close\r\n"
				"\r\n",
				strlen(out));
}

TEST(a_response_that_does_not_fit_is_not_sent_in_part)
{
	char   out[512];
	size_t len = http_response_head(out, sizeof(out), 503, NULL, "{}");

	CHECK(len > 0);
	CHECK_INT(http_response_head(out, len, 503, NULL, "{}"), 0);
	CHECK_INT(http_response_head(out, len + 1, 503, NULL, "{}"), len);
}

TEST(every_status_we_send_has_its_phrase)
{
	static const int statuses[] = {101, 200, 204, 304, 400, 401, 403,
								   404, 405, 408, 411, 413, 415, 426,
								   429, 431, 500, 503, 505};

	for (size_t i = 0; i < lengthof(statuses); i++)
	{
		check_at("%d", statuses[i]);
		CHECK(strcmp(http_reason_phrase(statuses[i]), "Unknown") != 0);
	}
	CHECK_STR(http_reason_phrase(426), "Upgrade Required");
	CHECK_STR(http_reason_phrase(299), "Unknown");
}

TEST(switching_names_the_accept_key_and_only_a_chosen_subprotocol)
{
	char   out[512];
	size_t len;

	len = http_switching(out, sizeof(out), SAMPLE_ACCEPT, SLICE_NONE);
	CHECK_BYTES(out, len,
				"HTTP/1.1 101 Switching Protocols\r\n"
				"Upgrade: websocket\r\n"
				"Connection: Upgrade\r\n"
				"Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n\r\n",
				strlen(out));
	CHECK(len > 0);

	len = http_switching(out, sizeof(out), SAMPLE_ACCEPT,
						 (Slice){"usher.v1,x", 8});
	CHECK(len > 0);
	CHECK(strstr(out, "\r\nSec-WebSocket-Protocol: usher.v1\r\n\r\n") != NULL);
}

TEST(a_subprotocol_that_is_no_token_cannot_forge_a_header)
{
	char out[512];

	CHECK_INT(http_switching(out, sizeof(out), SAMPLE_ACCEPT,
							 (Slice){"a\r\nX: y", 7}),
			  0);
	CHECK_INT(http_switching(out, sizeof(out), SAMPLE_ACCEPT, (Slice){"", 0}),
			  0);
	CHECK_INT(http_switching(out, 40, SAMPLE_ACCEPT, SLICE_NONE), 0);
}

TEST(the_length_of_a_body_is_what_one_header_says)
{
	static const struct
	{
		const char *headers;
		HttpBody	status;
		size_t		len;
	} rows[] = {
		{"", HTTP_BODY_OK, 0},
		{"Content-Length: 0\r\n", HTTP_BODY_OK, 0},
		{"content-length: 17\r\n", HTTP_BODY_OK, 17},
		{"Content-Length: 007\r\n", HTTP_BODY_OK, 7},
		{"Content-Length: 2147483648\r\n", HTTP_BODY_OK, 2147483648},
		{"Content-Length: 99999999999999999999999999\r\n", HTTP_BODY_OK,
		 2147483648},
		{"Content-Length: \r\n", HTTP_BODY_MALFORMED, 0},
		{"Content-Length: -1\r\n", HTTP_BODY_MALFORMED, 0},
		{"Content-Length: +1\r\n", HTTP_BODY_MALFORMED, 0},
		{"Content-Length: 1, 1\r\n", HTTP_BODY_MALFORMED, 0},
		{"Content-Length: 1\r\nContent-Length: 1\r\n", HTTP_BODY_MALFORMED, 0},
		{"Transfer-Encoding: chunked\r\n", HTTP_BODY_CHUNKED, 0},
		{"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
		 HTTP_BODY_CHUNKED, 0},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		char		head[256];
		HttpRequest request;
		size_t		len = 99;

		check_at("%s", rows[i].headers);
		snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n",
				 rows[i].headers);
		CHECK_INT(http_parse(&request, head, strlen(head)), HTTP_OK);
		CHECK_INT(http_body_length(&request, &len), rows[i].status);
		if (rows[i].status == HTTP_BODY_OK)
			CHECK_INT(len, rows[i].len);
	}
}

TEST(only_a_client_of_http_1_1_can_wait_to_be_told_to_send_its_body)
{
	static const struct
	{
		const char *head;
		bool		waits;
	} rows[] = {
		{"POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", true},
		{"POST / HTTP/1.1\r\nexpect: 100-Continue\r\n\r\n", true},
		{"POST / HTTP/1.1\r\nExpect: a, 100-continue\r\n\r\n", true},
		{"POST / HTTP/1.1\r\nExpect: 100-continued\r\n\r\n", false},
		{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", false},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		HttpRequest request;

		check_at("%s", rows[i].head);
		CHECK_INT(http_parse(&request, rows[i].head, strlen(rows[i].head)),
				  HTTP_OK);
		CHECK_INT(http_expects_continue(&request), rows[i].waits);
	}
}

TEST_MAIN()
