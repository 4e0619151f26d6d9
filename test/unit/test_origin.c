/*-------------------------------------------------------------------------
 *
 * test_origin.c
 *	  May a page of this origin open a WebSocket?
 *
 *-------------------------------------------------------------------------
 */
#include "origin.h"

#include "cases.h"

/* A slice in a block of its size; NULL: absent. */
static Slice
block_of(const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	char  *block;

	if (text == NULL)
		return SLICE_NONE;
	block = malloc(len > 0 ? len : 1);
	if (block == NULL)
		abort();
	memcpy(block, text, len);
	return (Slice){block, len};
}

static bool
allowed(const char *origin, const char *patterns)
{
	Slice slice = block_of(origin);
	bool  result = origin_allowed(slice, patterns);

	free((char *) slice.ptr);
	return result;
}

static bool
same(const char *origin, const char *host)
{
	Slice a = block_of(origin);
	Slice b = block_of(host);
	bool  result = origin_same_as_host(a, b);

	free((char *) a.ptr);
	free((char *) b.ptr);
	return result;
}

TEST(every_origin_that_channels_was_asked_about_gets_its_verdict)
{
	json_t *file = cases_load();
	json_t *one;
	size_t	at = 0;
	size_t	seen = 0;

	while ((one = cases_next(file, "origin", &at)) != NULL)
	{
		json_t *list = cases_member(one, "input", "allowed_origins");
		json_t *pattern;
		char	patterns[512] = "";
		size_t	i;

		json_array_foreach(list, i, pattern)
		{
			if (i > 0)
				strcat(patterns, ", ");
			strcat(patterns, json_string_value(pattern));
		}
		seen++;
		CHECK_INT(allowed(cases_text(one, "input", "origin"), patterns),
				  cases_is_valid(one));
	}
	CHECK(seen >= 50);
	json_decref(file);
}

TEST(an_origin_is_a_scheme_a_host_and_perhaps_a_port)
{
	static const char *const malformed[] = {
		"",
		"null",
		"example.com",
		"//example.com",
		"://example.com",
		"https:example.com",
		"https:/example.com",
		"https://",
		"https:///",
		"https://example.com/",
		"https://example.com:",
		"https://example.com:0x1",
		"https://example.com:-1",
		"https://example.com:+443",
		"https://example.com: 443",
		"https://example.com:000443",
		"https://example.com:65536",
		"https://example.com#",
		"https://example.com?",
		"https://example.com\\",
		"https://a@example.com",
		"https://exam ple.com",
		"https://example.com, https://evil.net",
		" https://example.com",
		"https://example.com\t",
		"1http://example.com",
		"ht tp://example.com",
		"https://ex\xC3\xA4mple.com",
		"https://:443",
	};

	for (size_t i = 0; i < lengthof(malformed); i++)
	{
		check_at("%s", malformed[i]);
		/* Patterns of the host alone ask for least. */
		CHECK(!allowed(malformed[i], "example.com, .com, [::1], "
									 "https://example.com"));
		CHECK(allowed(malformed[i], "*"));
	}
	CHECK(allowed("HTTPS://Example.COM:00443", "https://example.com"));
	CHECK(allowed("https://a_b.example-1.com", ".example-1.com"));
	CHECK(!allowed("http://[::1]x", "[::1]"));
	CHECK(!allowed("http://[::1]:", "[::1]"));
	CHECK(!allowed("http://[]", "[]"));
	CHECK(!allowed("http://[::g]", "[::g]"));
	CHECK(!allowed("http://[1.2.3.4]", "1.2.3.4"));
	CHECK(!allowed("http://[:::]", "[:::]"));
	CHECK(!allowed("http://[::1::]", "[::1::]"));
	CHECK(allowed("http://[::ffff:1.2.3.4]", "[::FFFF:1.2.3.4]"));
	CHECK(allowed("http://[2001:DB8::1]:8000", "[2001:db8::1]"));
}

/* urlparse() and is_same_domain() as Channels calls them, Python 3.11 */
TEST(a_pattern_is_read_as_channels_reads_it)
{
	static const struct
	{
		const char *pattern;
		const char *origin;
		bool		allowed;
	} rows[] = {
		{"https://example.com/path", "https://example.com", true},
		{"example.com/path", "https://example.com", true},
		{"127.0.0.1:8000", "http://127.0.0.1:9000", true},
		{"[::1]:8000", "http://[::1]:9000", true},
		{"::1", "http://[::1]", true},
		{"localhost:8000", "http://localhost:8000", false},
		{"localhost:", "http://localhost", false},
		{"https:example.com", "https://example.com", false},
		{"https://", "https://example.com", false},
		{"https://:443", "https://example.com", false},
		{"https://example.com:x", "https://example.com", false},
		{"ws://example.com", "ws://example.com:80", true},
		{"wss://example.com:443", "wss://example.com", true},
		{"app://example", "app://example", true},
		{"app://example:1", "app://example", false},
		{".", "https://example.com", false},
		{"", "https://example.com", false},
		{" , ", "https://example.com", false},
		{"a.org,\texample.com ,b.org", "https://example.com", true},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s and %s", rows[i].pattern, rows[i].origin);
		CHECK_INT(allowed(rows[i].origin, rows[i].pattern), rows[i].allowed);
	}
}

TEST(the_page_of_the_host_itself_is_told_by_host_and_port)
{
	CHECK(same("https://example.com", "example.com"));
	CHECK(same("https://example.com", "EXAMPLE.com:443"));
	CHECK(same("https://example.com:443", "example.com"));
	CHECK(same("http://example.com", "example.com"));
	CHECK(same("http://example.com", "example.com:80"));
	CHECK(same("http://127.0.0.1:8765", "127.0.0.1:8765"));
	CHECK(same("http://[::1]:8765", "[::1]:8765"));

	CHECK(!same("https://example.com", "example.com:80"));
	CHECK(!same("http://example.com", "example.com:443"));
	CHECK(!same("http://example.com:8000", "example.com:8765"));
	CHECK(!same("http://example.com:8000", "example.com"));
	CHECK(!same("http://example.com", "example.com:8000"));
	CHECK(!same("https://evil.net", "example.com"));
	CHECK(!same("https://a.example.com", "example.com"));
	CHECK(!same("https://example.com.", "example.com"));
	CHECK(!same("https://.example.com", "a.example.com"));
}

TEST(what_is_no_page_of_a_host_is_never_the_same)
{
	CHECK(!same(NULL, "example.com"));
	CHECK(!same("https://example.com", NULL));
	CHECK(!same("", ""));
	CHECK(!same("null", "null"));
	CHECK(!same("https://", ""));
	CHECK(!same("example.com", "example.com"));
	CHECK(!same("https://example.com/", "example.com"));
	CHECK(!same("https://example.com", "example.com:"));
	CHECK(!same("https://example.com", "example.com:443:443"));
	CHECK(!same("chrome-extension://example.com", "example.com"));
	CHECK(!same("ws://example.com", "example.com"));
	CHECK(!same("file://example.com", "example.com"));
}

TEST(patterns_that_can_match_are_accepted)
{
	static const char *const lists[] = {
		"",
		"  ",
		"*",
		"example.com",
		"localhost, 127.0.0.1, [::1]",
		".example.com",
		"https://example.com",
		"HTTPS://Example.Com",
		"https://example.com:8443 ,http://.example.com:8080",
		"http://[::1]:8000",
		"[2001:DB8::1], http://[fe80::1:0:0:1]:8000, [::ffff:7f00:1]",
		"chrome-extension://abcdefgh",
		"xn--bcher-kva.example",
		"a_b.example.com",
		"https://example.com, *",
	};
	char error[256] = "";

	for (size_t i = 0; i < lengthof(lists); i++)
	{
		check_at("%s", lists[i]);
		CHECK(origin_check_patterns(lists[i], error, sizeof(error)));
		CHECK_STR(error, "");
	}
}

#define HOST_OR_URL                                                            \
	"write patterns such as https://example.com, .example.com or [::1], "      \
	"separated by commas"
#define PORT                                                                   \
	"write http://host:port or https://host:port, or the host alone for any "  \
	"port"
#define BELOW "write \".example.com\" for example.com and every host below it"
#define PATH "an origin ends with its host or port, so take out the path"
#define WHOLE "write scheme://host or scheme://host:port"
#define IPV6                                                                   \
	"write an IPv6 address as browsers do, in its shortest form, such as "     \
	"[::1]"
#define COMMA "take out the comma that nothing stands before or behind"
#define PAGE "browsers send the page's origin, so write http:// or https://"

TEST(a_pattern_that_can_never_match_is_refused_with_what_to_write_instead)
{
	static const struct
	{
		const char *list;
		const char *shown;
		const char *instead;
	} rows[] = {
		{"localhost:8000", NULL, PORT},
		{"127.0.0.1:8000", NULL, PORT},
		{"[::1]:8000", NULL, PORT},
		{"https:example.com", NULL, PORT},
		{"a.org, b.org:80", "b.org:80", PORT},
		{"*.example.com", NULL, BELOW},
		{"http://*.example.com", NULL, BELOW},
		{"https://*", NULL, BELOW},
		{"**", NULL, BELOW},
		{"https://a/b", NULL, PATH},
		{"https://a/", NULL, PATH},
		{"https://a?b", NULL, PATH},
		{"example.com/", NULL, "write a host, or scheme://host"},
		{"//example.com", NULL, "write a host, or scheme://host"},
		{"https://", NULL, WHOLE},
		{"https://a:b", NULL, WHOLE},
		{"https://a:", NULL, WHOLE},
		{"https://a:65536", NULL, WHOLE},
		{"https://user@a", NULL, WHOLE},
		{"https://[::1", NULL, WHOLE},
		{"https://a b", NULL, HOST_OR_URL},
		{"https://a.org https://b.org", NULL, HOST_OR_URL},
		{"https://a.org;https://b.org", NULL, HOST_OR_URL},
		{"a.org;b.org", NULL, HOST_OR_URL},
		{"[0:0:0:0:0:0:0:1]", NULL, IPV6},
		{"http://[fe80::0001]:8000", NULL, IPV6},
		{"http://[::ffff:127.0.0.1]", NULL, IPV6},
		{"ws://example.com", NULL, PAGE},
		{"WSS://example.com:8765", NULL, PAGE},
		{"::1", NULL, "write an IPv6 address in brackets"},
		{"fe80::1", NULL, "write an IPv6 address in brackets"},
		{"[::1", NULL, HOST_OR_URL},
		{"a.org b.org", NULL, HOST_OR_URL},
		{"user@a.org", NULL, HOST_OR_URL},
		{".", NULL, "write a host name behind the period"},
		{"https://.", NULL, "write a host name behind the period"},
		{"..a.org", NULL, "write a host name behind the period"},
		{"Null", NULL,
		 "pages without an origin of their own all send it, so it is never "
		 "allowed"},
		{"b\xC3\xBC"
		 "cher.example",
		 NULL, "write the name as browsers send it (xn--...)"},
		{",", "", COMMA},
		{"a.org,", "", COMMA},
		{"a.org,,b.org", "", COMMA},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		char error[256];
		char expected[256];

		check_at("%s", rows[i].list);
		snprintf(expected, sizeof(expected), "cannot have \"%s\"; %s",
				 rows[i].shown ? rows[i].shown : rows[i].list, rows[i].instead);
		CHECK(!origin_check_patterns(rows[i].list, error, sizeof(error)));
		CHECK_STR(error, expected);
	}
}

TEST(a_long_pattern_is_not_repeated_whole)
{
	char list[2000];
	char error[256];

	memset(list, 'a', sizeof(list));
	memcpy(list + sizeof(list) - 4, "*.b", 4);
	CHECK(!origin_check_patterns(list, error, sizeof(error)));
	CHECK(strstr(error, "every host below it") != NULL);
}

TEST_MAIN()
