/*-------------------------------------------------------------------------
 *
 * test_json.c
 *	  The JSON reader against the grammar of Python's json.loads.
 *
 * Long because every rule of that grammar stands here with what breaks it.
 *
 *-------------------------------------------------------------------------
 */
#include "json.h"

#include <time.h>

#include "check.h"
#include "starve.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A copy without a NUL behind it, so that the sanitizer sees one read more. */
static JsonStatus
read_bytes(const char *text, size_t len, JsonCharset encoding)
{
	char	  *copy = malloc(len > 0 ? len : 1);
	bool	   duplicate;
	JsonStatus status;

	memcpy(copy, text, len);
	status = json_read_object(copy, len, encoding, NULL, 0, &duplicate);
	free(copy);
	return status;
}

static JsonStatus
read_text(const char *text)
{
	return read_bytes(text, strlen(text), JSON_UTF8);
}

/* The member "a" of a document; the document must live as long. */
static JsonValue
member_a(const char *text, JsonCharset encoding)
{
	JsonMember a = {.name = "a"};

	CHECK_INT(json_read_object(text, strlen(text), encoding, &a, 1, NULL),
			  JSON_OK);
	return a.value;
}

/* A document of depth brackets around a number, in an object. */
static char *
nested(int depth, char open, char close, size_t *len)
{
	size_t each = open == '{' ? 5 : 1;
	size_t n = 0;
	char  *text = malloc((size_t) depth * (each + 1) + 16);

	for (int i = 0; i < depth; i++)
	{
		text[n++] = i == 0 ? '{' : open;
		if (text[n - 1] == '{')
		{
			memcpy(text + n, "\"a\":", 4);
			n += 4;
		}
	}
	text[n++] = '0';
	for (int i = depth; i > 0; i--)
		text[n++] = i == 1 ? '}' : close;
	*len = n;
	return text;
}

TEST(what_python_reads_as_an_object_is_accepted)
{
	static const char *const accepted[] = {
		"{}",
		" \t\n\r{ \t\n\r} \t\n\r",
		"{\"a\":1}",
		" { \"a\" : 1 , \"b\" : [ 1 , { } , [ ] , \"\" ] } ",
		"{\"\":0}",
		"{\"a\":null,\"b\":true,\"c\":false}",
		"{\"a\":NaN,\"b\":Infinity,\"c\":-Infinity}",
		"{\"a\":-0,\"b\":0.0,\"c\":0e0,\"d\":-0.0E-0,\"e\":1.5e+9}",
		"{\"a\":1e400,\"b\":123456789012345678901234567890}",
		"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uabCD\"}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"\\ud800\",\"b\":\"\\udc00\\ud800\",\"c\":\"\\ud800\\u0041\"}",
		"{\"a\":\"\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91\"}",
		"{\"\\ud83d\\udd11\\u0000\":[]}",
		"{\"a\":[[[[]]],{\"b\":{\"c\":{}}}]}",
	};

	for (size_t i = 0; i < COUNT(accepted); i++)
	{
		check_at("%s", accepted[i]);
		CHECK_INT(read_text(accepted[i]), JSON_OK);
	}
}

TEST(what_python_refuses_is_invalid)
{
	static const char *const refused[] = {
		"",
		" ",
		"{",
		"}",
		"{}}",
		"{}{}",
		"{} x",
		"\v{}",
		"{}\f",
		"\xc2\xa0{}",
		"{,}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{\"a\":1 \"b\":2}",
		"{\"a\" 1}",
		"{\"a\"::1}",
		"{a:1}",
		"{'a':1}",
		"{1:1}",
		"{null:1}",
		"{\"a\":[1,]}",
		"{\"a\":[,1]}",
		"{\"a\":[,]}",
		"{\"a\":[1 2]}",
		"{\"a\":[1}",
		"{\"a\":[1]",
		"{\"a\":[1}]",
		"{\"a\":{]}",
		"{\"a\":\"",
		"{\"a\":\"b",
		"{\"a\":\"b\\",
		"{\"a\":\"b\\\"}",
		"{\"a\":\"\\x41\"}",
		"{\"a\":\"\\'\"}",
		"{\"a\":\"\\U0041\"}",
		"{\"a\":\"\\u004\"}",
		"{\"a\":\"\\u004g\"}",
		"{\"a\":\"\\u 041\"}",
		"{\"a\":\"\\u0x41\"}",
		"{\"a\":\"\\ud800\\u00\"}",
		"{\"a\":\"\\u00",
		"{\"a\":\"\n\"}",
		"{\"a\":\"\t\"}",
		"{\"a\":\"\x1f\"}",
		"{\"a\n\":1}",
		"{\"a\":01}",
		"{\"a\":-01}",
		"{\"a\":00}",
		"{\"a\":-}",
		"{\"a\":+1}",
		"{\"a\":--1}",
		"{\"a\":1.}",
		"{\"a\":.5}",
		"{\"a\":-.5}",
		"{\"a\":1.e5}",
		"{\"a\":1e}",
		"{\"a\":1e+}",
		"{\"a\":1e+-5}",
		"{\"a\":1e-+5}",
		"{\"a\":1e5.0}",
		"{\"a\":1.5.5}",
		"{\"a\":1 .5}",
		"{\"a\":0x10}",
		"{\"a\":1_000}",
		"{\"a\":nan}",
		"{\"a\":NAN}",
		"{\"a\":Na}",
		"{\"a\":-NaN}",
		"{\"a\":+Infinity}",
		"{\"a\":infinity}",
		"{\"a\":Inf}",
		"{\"a\":-Inf}",
		"{\"a\":Infinit",
		"{\"a\":True}",
		"{\"a\":tru}",
		"{\"a\":truee}",
		"{\"a\":nul",
		"{\"a\":undefined}",
		"{\"a\":1/**/}",
		"{\"a\":1}//",
		"[",
		"[1,",
		"nulll",
		"[]]",
		"[{]}",
	};

	for (size_t i = 0; i < COUNT(refused); i++)
	{
		check_at("%s", refused[i]);
		CHECK_INT(read_text(refused[i]), JSON_INVALID);
	}
}

TEST(a_nul_is_refused_wherever_it_stands)
{
	CHECK_INT(read_bytes("{}\0", 3, JSON_UTF8), JSON_INVALID);
	CHECK_INT(read_bytes("\0{}", 3, JSON_UTF8), JSON_INVALID);
	CHECK_INT(read_bytes("{\"a\0\":1}", 8, JSON_UTF8), JSON_INVALID);
	CHECK_INT(read_bytes("{\"a\":\0 1}", 9, JSON_LATIN1), JSON_INVALID);
}

TEST(json_that_is_no_object_is_told_from_what_is_no_json)
{
	static const char *const others[] = {
		"null", "true", "false", "0",		  " -1.5e3 ",	 "\"{}\"",
		"[]",	"[{}]", "NaN",	 "-Infinity", "[{\"a\":1}]",
	};

	for (size_t i = 0; i < COUNT(others); i++)
	{
		check_at("%s", others[i]);
		CHECK_INT(read_text(others[i]), JSON_NOT_AN_OBJECT);
	}
}

TEST(every_type_is_told_and_points_at_its_text)
{
	static const struct
	{
		const char *text;
		JsonType	type;
		const char *value;
	} rows[] = {
		{"{\"a\":null}", JSON_NULL, "null"},
		{"{\"a\":true}", JSON_TRUE, "true"},
		{"{\"a\": false }", JSON_FALSE, "false"},
		{"{\"a\":0}", JSON_INTEGER, "0"},
		{"{\"a\":-0}", JSON_INTEGER, "-0"},
		{"{\"a\":9007199254740993}", JSON_INTEGER, "9007199254740993"},
		{"{\"a\":1.0}", JSON_FRACTION, "1.0"},
		{"{\"a\":1e2}", JSON_FRACTION, "1e2"},
		{"{\"a\":-1E-2}", JSON_FRACTION, "-1E-2"},
		{"{\"a\":NaN}", JSON_NONFINITE, "NaN"},
		{"{\"a\":Infinity}", JSON_NONFINITE, "Infinity"},
		{"{\"a\":-Infinity}", JSON_NONFINITE, "-Infinity"},
		{"{\"a\":\"\"}", JSON_STRING, ""},
		{"{\"a\":\" \\\"b\\u0041\"}", JSON_STRING, " \\\"b\\u0041"},
		{"{\"a\": [ 1 ] }", JSON_ARRAY, "[ 1 ]"},
		{"{\"a\": { \"b\":[] } }", JSON_OBJECT, "{ \"b\":[] }"},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		JsonValue value = member_a(rows[i].text, JSON_UTF8);

		check_at("%s", rows[i].text);
		CHECK_INT(value.type, rows[i].type);
		CHECK_BYTES(value.text, value.len, rows[i].value,
					strlen(rows[i].value));
	}
}

TEST(only_members_of_the_outermost_object_are_found)
{
	const char *text = "{\"x\":{\"a\":1},\"y\":[{\"a\":2}],\"b\":3,"
					   "\"z\":\"a\",\"aa\":4}";
	JsonMember	members[] = {{.name = "a"}, {.name = "b"}, {.name = "aa"}};

	CHECK_INT(json_read_object(text, strlen(text), JSON_UTF8, members, 3, NULL),
			  JSON_OK);
	CHECK_INT(members[0].value.type, JSON_ABSENT);
	CHECK_BYTES(members[1].value.text, members[1].value.len, "3", 1);
	CHECK_BYTES(members[2].value.text, members[2].value.len, "4", 1);
}

TEST(a_refused_document_hands_out_no_member)
{
	static const char *const texts[] = {"{\"a\":1", "{\"a\":1}}",
										"[{\"a\":1}]"};

	for (size_t i = 0; i < COUNT(texts); i++)
	{
		JsonMember members[] = {{"a", {JSON_TRUE, "left over", 9}},
								{"b", {JSON_TRUE, "left over", 9}}};

		check_at("%s", texts[i]);
		CHECK(json_read_object(texts[i], strlen(texts[i]), JSON_UTF8, members,
							   2, NULL) != JSON_OK);
		CHECK_INT(members[0].value.type, JSON_ABSENT);
		CHECK_INT(members[1].value.type, JSON_ABSENT);
		members[1].value.type = JSON_TRUE;
		CHECK_INT(json_read_object("{}", 2, JSON_UTF8, members, 2, NULL),
				  JSON_OK);
		CHECK_INT(members[1].value.type, JSON_ABSENT);
	}
}

TEST(a_member_is_found_under_an_escaped_name)
{
	JsonValue value = member_a("{\"\\u0061\":7}", JSON_UTF8);

	CHECK_BYTES(value.text, value.len, "7", 1);
}

TEST(of_two_equal_names_the_last_counts_also_when_it_is_null)
{
	JsonValue value =
		member_a("{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":null}", JSON_UTF8);

	CHECK_INT(value.type, JSON_NULL);
}

TEST(equal_names_are_told_however_they_are_written)
{
	static const struct
	{
		const char *text;
		JsonCharset encoding;
		bool		duplicate;
	} rows[] = {
		{"{}", JSON_UTF8, false},
		{"{\"a\":1,\"b\":2}", JSON_UTF8, false},
		{"{\"a\":1,\"a\":1}", JSON_UTF8, true},
		{"{\"a\":1,\"b\":2,\"\\u0061\":1}", JSON_UTF8, true},
		{"{\"\":1,\"\":2}", JSON_UTF8, true},
		{"{\"a\":1,\"A\":1}", JSON_UTF8, false},
		{"{\"a\":1,\"aa\":1,\"\":0}", JSON_UTF8, false},
		{"{\"\\/\":1,\"/\":1}", JSON_UTF8, true},
		{"{\"\\n\":1,\"\\u000A\":1}", JSON_UTF8, true},
		{"{\"\\n\":1,\"n\":1}", JSON_UTF8, false},
		{"{\"\xc3\xa9\":1,\"\\u00e9\":1}", JSON_UTF8, true},
		{"{\"\xe9\":1,\"\\u00e9\":1}", JSON_LATIN1, true},
		{"{\"\xc3\xa9\":1,\"\\u00e9\":1}", JSON_LATIN1, false},
		{"{\"\xc3\xa9\":1,\"\\u00c3\\u00a9\":1}", JSON_LATIN1, true},
		{"{\"\xf0\x9f\x94\x91\":1,\"\\ud83d\\udd11\":1}", JSON_UTF8, true},
		{"{\"\\ud83d\":1,\"\\ud83d\\udd11\":1}", JSON_UTF8, false},
		{"{\"\\ud83d\":1,\"\\uD83D\":1}", JSON_UTF8, true},
		{"{\"\\u0000\":1,\"\\u0000\":1}", JSON_UTF8, true},
		{"{\"\\u0000a\":1,\"\\u0000b\":1}", JSON_UTF8, false},
		{"{\"x\":{\"a\":1,\"a\":2}}", JSON_UTF8, false},
		{"{\"x\":[{\"a\":1,\"a\":2}],\"a\":1}", JSON_UTF8, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		bool duplicate = !rows[i].duplicate;

		check_at("%s", rows[i].text);
		CHECK_INT(json_read_object(rows[i].text, strlen(rows[i].text),
								   rows[i].encoding, NULL, 0, &duplicate),
				  JSON_OK);
		CHECK_INT(duplicate, rows[i].duplicate);
	}
}

TEST(a_refused_document_is_not_said_to_have_duplicates)
{
	const char *text = "{\"a\":1,\"a\":2";
	bool		duplicate = true;

	CHECK_INT(
		json_read_object(text, strlen(text), JSON_UTF8, NULL, 0, &duplicate),
		JSON_INVALID);
	CHECK(!duplicate);
}

/* Members 0 to n - 1 under names of five digits, then one more. */
static char *
many_members(int n, int last, size_t *len)
{
	char *text = malloc((size_t) n * 12 + 32);
	char *at = text;

	*at++ = '{';
	for (int i = 0; i <= n; i++)
		at += sprintf(at, "%s\"%06d\":0", i > 0 ? "," : "", i == n ? last : i);
	*at++ = '}';
	*len = (size_t) (at - text);
	return text;
}

TEST(two_equal_names_among_many_are_found_and_none_among_different_ones)
{
	static const int counts[] = {1, 2, 31, 32, 33, 63, 64, 65, 1000};

	for (size_t i = 0; i < COUNT(counts); i++)
	{
		for (int last = -1; last<counts[i]; last += counts[i]> 70 ? 97 : 1)
		{
			size_t len;
			char  *text =
				many_members(counts[i], last < 0 ? 999999 : last, &len);
			bool duplicate = last < 0;

			check_at("%d names, last %d", counts[i], last);
			CHECK_INT(
				json_read_object(text, len, JSON_UTF8, NULL, 0, &duplicate),
				JSON_OK);
			CHECK_INT(duplicate, last >= 0);
			free(text);
		}
	}
}

TEST(without_memory_for_many_names_nothing_is_said_about_a_document)
{
	size_t	   len;
	char	  *text = many_members(100, 999999, &len);
	JsonMember member = {.name = "000001"};
	bool	   duplicate;

	/* 32 names need no memory, 101 need it twice. */
	for (long succeed = 0; succeed <= 2; succeed++)
	{
		JsonStatus status;

		check_at("%ld allocations", succeed);
		duplicate = true;
		starve_after = succeed;
		status = json_read_object(text, len, JSON_UTF8, &member, 1, &duplicate);
		starve_after = -1;
		CHECK_INT(status, succeed < 2 ? JSON_NO_MEMORY : JSON_OK);
		CHECK_INT(member.value.type, succeed < 2 ? JSON_ABSENT : JSON_INTEGER);
		CHECK(!duplicate);
	}
	free(text);
}

TEST(without_a_question_for_duplicates_no_memory_is_needed)
{
	size_t len;
	char  *text = many_members(1000, 999999, &len);

	starve_after = 0;
	CHECK_INT(json_read_object(text, len, JSON_UTF8, NULL, 0, NULL), JSON_OK);
	starve_after = -1;
	free(text);
}

/* Quadratic time would be minutes here; linear is a part of a second even
 * under the sanitizers. */
TEST(three_hundred_thousand_members_take_no_more_than_linear_time)
{
	size_t	   len;
	char	  *text = many_members(300000, 299999, &len);
	JsonMember members[] = {{.name = "150000"}, {.name = "none"}};
	bool	   duplicate = false;
	clock_t	   start = clock();

	CHECK_INT(json_read_object(text, len, JSON_UTF8, members, 2, &duplicate),
			  JSON_OK);
	CHECK((double) (clock() - start) / CLOCKS_PER_SEC < 10);
	CHECK(duplicate);
	CHECK_INT(members[0].value.type, JSON_INTEGER);
	CHECK_INT(members[1].value.type, JSON_ABSENT);
	free(text);
}

TEST(nesting_is_accepted_up_to_the_limit_and_no_deeper)
{
	static const char brackets[][2] = {{'[', ']'}, {'{', '}'}};

	for (size_t i = 0; i < COUNT(brackets); i++)
	{
		for (int depth = JSON_MAX_DEPTH - 1; depth <= JSON_MAX_DEPTH + 1;
			 depth++)
		{
			size_t len;
			char  *text = nested(depth, brackets[i][0], brackets[i][1], &len);

			check_at("%d times %c", depth, brackets[i][0]);
			CHECK_INT(read_bytes(text, len, JSON_UTF8),
					  depth <= JSON_MAX_DEPTH ? JSON_OK : JSON_INVALID);
			free(text);
		}
	}
}

TEST(a_million_open_brackets_are_refused_without_harm)
{
	size_t len = 1000000;
	char  *text = malloc(len);

	memset(text, '[', len);
	CHECK_INT(read_bytes(text, len, JSON_UTF8), JSON_INVALID);
	free(text);
}

TEST(utf8_must_be_valid_and_without_a_byte_order_mark)
{
	static const char *const refused[] = {
		"\xef\xbb\xbf{}",
		"{\"a\":\"\x81\x80\x80\x80\"}",
		"{\"a\":\"\xc0\x90\x80\x80\"}",
		"{\"a\":\"\xf9\x80\x80\x80\"}",
		"{\"a\":\"\x80\"}",
		"{\"a\":\"\xbf\"}",
		"{\"a\":\"\xc0\x80\"}",
		"{\"a\":\"\xc1\xbf\"}",
		"{\"a\":\"\xc3\"}",
		"{\"a\":\"\xc3(\"}",
		"{\"a\":\"\xc3\xc3\"}",
		"{\"a\":\"\xe0\x9f\xbf\"}",
		"{\"a\":\"\xed\xa0\x80\"}",
		"{\"a\":\"\xed\xbf\xbf\"}",
		"{\"a\":\"\xe2\x82\"}",
		"{\"a\":\"\xe2\x82(\"}",
		"{\"a\":\"\xf0\x8f\xbf\xbf\"}",
		"{\"a\":\"\xf4\x90\x80\x80\"}",
		"{\"a\":\"\xf5\x80\x80\x80\"}",
		"{\"a\":\"\xf0\x9f\x94\"}",
		"{\"a\":\"\xff\"}",
		"{\"\xff\":1}",
		"{\"a\":\"\xc3",
	};
	static const char *const accepted[] = {
		"{\"a\":\"\xc2\x80\xdf\xbf\"}",
		"{\"a\":\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"}",
		"{\"a\":\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}",
		"{\"a\":\"\xef\xbb\xbf\"}",
	};

	for (size_t i = 0; i < COUNT(refused); i++)
	{
		check_at("refused %zu", i);
		CHECK_INT(read_text(refused[i]), JSON_INVALID);
	}
	for (size_t i = 0; i < COUNT(accepted); i++)
	{
		check_at("accepted %zu", i);
		CHECK_INT(read_text(accepted[i]), JSON_OK);
	}
}

TEST(latin1_takes_every_byte_but_control_characters_in_a_string)
{
	for (int c = 0; c < 256; c++)
	{
		char text[] = "{\"a\":\"?\"}";
		bool accepted = c >= 0x20 && c != '"' && c != '\\';

		text[6] = (char) c;
		check_at("byte %d", c);
		CHECK_INT(read_bytes(text, sizeof(text) - 1, JSON_LATIN1),
				  accepted ? JSON_OK : JSON_INVALID);
	}
	CHECK_INT(read_bytes("\xef\xbb\xbf{}", 5, JSON_LATIN1), JSON_INVALID);
}

TEST(a_string_is_unescaped_into_utf8)
{
	static const struct
	{
		const char *text;
		JsonCharset encoding;
		const char *string; /* NULL: refused */
	} rows[] = {
		{"{\"a\":\"\"}", JSON_UTF8, ""},
		{"{\"a\":\"7\"}", JSON_UTF8, "7"},
		{"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", JSON_UTF8,
		 "\"\\/\b\f\n\r\t"},
		{"{\"a\":\"\\u0041\\u007f\\u0080\\u07ff\"}", JSON_UTF8,
		 "A\x7f\xc2\x80\xdf\xbf"},
		{"{\"a\":\"\\u0800\\uFFFF\\ud7ff\\ue000\"}", JSON_UTF8,
		 "\xe0\xa0\x80\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80"},
		{"{\"a\":\"\\ud800\\udc00\\uDBFF\\uDFFF\"}", JSON_UTF8,
		 "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
		{"{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91\"}", JSON_UTF8,
		 "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91"},
		{"{\"a\":\"\xc3\xa9\xff\"}", JSON_LATIN1, "\xc3\x83\xc2\xa9\xc3\xbf"},
		{"{\"a\":\"\\u0000\"}", JSON_UTF8, NULL},
		{"{\"a\":\"x\\u0000y\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud800\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\udbff\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\udc00\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\udfff\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\udc00\\ud800\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud800\\ud800\\udc00\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud800x\\udc00\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud800\\u0041\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud7ff\\udc00\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\udc00\\udc00\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud800\\udbff\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud800\\ue000\"}", JSON_UTF8, NULL},
		{"{\"a\":\"\\ud800\\ndc000\"}", JSON_UTF8, NULL},
		{"{\"a\":7}", JSON_UTF8, NULL},
		{"{\"a\":[]}", JSON_UTF8, NULL},
		{"{}", JSON_UTF8, NULL},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		JsonValue value = member_a(rows[i].text, rows[i].encoding);
		char	  string[64];
		size_t	  len = 99;
		bool	  ok;

		check_at("%s", rows[i].text);
		ok = json_read_string(&value, rows[i].encoding, string, sizeof(string),
							  &len);
		CHECK_INT(ok, rows[i].string != NULL);
		if (rows[i].string != NULL)
		{
			CHECK_BYTES(string, len, rows[i].string, strlen(rows[i].string));
			CHECK_INT(string[len], '\0');
		}
		else
			CHECK_STR(string, "");
	}
}

TEST(a_string_needs_room_for_its_nul_and_takes_no_more)
{
	static const char *const texts[] = {
		"{\"a\":\"abcd\"}",
		"{\"a\":\"ab\xc3\xa9\"}",
		"{\"a\":\"a\xe2\x82\xac\"}",
		"{\"a\":\"\\ud83d\\udd11\"}",
	};

	for (size_t i = 0; i < COUNT(texts); i++)
	{
		JsonValue value = member_a(texts[i], JSON_UTF8);

		for (size_t cap = 0; cap <= 5; cap++)
		{
			char  *out = malloc(cap > 0 ? cap : 1);
			size_t len;

			check_at("%s in %zu bytes", texts[i], cap);
			CHECK_INT(json_read_string(&value, JSON_UTF8, out, cap, &len),
					  cap == 5);
			free(out);
		}
	}
}

TEST(a_string_equals_its_unescaped_text_and_no_other)
{
	static const struct
	{
		const char *text;
		JsonCharset encoding;
		const char *other;
		bool		equal;
	} rows[] = {
		{"{\"a\":\"access\"}", JSON_UTF8, "access", true},
		{"{\"a\":\"acc\\u0065ss\"}", JSON_UTF8, "access", true},
		{"{\"a\":\"access\"}", JSON_UTF8, "acces", false},
		{"{\"a\":\"acces\"}", JSON_UTF8, "access", false},
		{"{\"a\":\"Access\"}", JSON_UTF8, "access", false},
		{"{\"a\":\"\"}", JSON_UTF8, "", true},
		{"{\"a\":\"\"}", JSON_UTF8, "a", false},
		{"{\"a\":\"a\"}", JSON_UTF8, "", false},
		{"{\"a\":\"\\u0000\"}", JSON_UTF8, "", false},
		{"{\"a\":\"ab\\u0000\"}", JSON_UTF8, "ab", false},
		{"{\"a\":\"\\u00e9\"}", JSON_UTF8, "\xc3\xa9", true},
		{"{\"a\":\"\xc3\xa9\"}", JSON_UTF8, "\xc3\xa9", true},
		{"{\"a\":\"\xe9\"}", JSON_LATIN1, "\xc3\xa9", true},
		{"{\"a\":\"\xc3\xa9\"}", JSON_LATIN1, "\xc3\xa9", false},
		{"{\"a\":\"\\ud83d\\udd11\"}", JSON_UTF8, "\xf0\x9f\x94\x91", true},
		{"{\"a\":\"\\u20ac\"}", JSON_UTF8, "\xe2\x82", false},
		{"{\"a\":\"\\u007f\\u0080\"}", JSON_UTF8, "\x7f\xc2\x80", true},
		{"{\"a\":\"\\u0080\"}", JSON_UTF8, "\x80", false},
		{"{\"a\":7}", JSON_UTF8, "7", false},
		{"{\"a\":null}", JSON_UTF8, "null", false},
		{"{}", JSON_UTF8, "", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		JsonValue value = member_a(rows[i].text, rows[i].encoding);

		check_at("%s and \"%s\"", rows[i].text, rows[i].other);
		CHECK_INT(json_string_equals(&value, rows[i].encoding, rows[i].other),
				  rows[i].equal);
	}
}

TEST(the_elements_of_an_array_come_in_order)
{
	JsonValue array = member_a("{\"a\": [ \"x\" ,2.5,[ 3 , 4 ],{\"b\" : [5]} , "
							   "\"\xc3\xa9]\\\"\",null ] }",
							   JSON_UTF8);
	static const struct
	{
		JsonType	type;
		const char *text;
	} expected[] = {
		{JSON_STRING, "x"},
		{JSON_FRACTION, "2.5"},
		{JSON_ARRAY, "[ 3 , 4 ]"},
		{JSON_OBJECT, "{\"b\" : [5]}"},
		{JSON_STRING, "\xc3\xa9]\\\""},
		{JSON_NULL, "null"},
	};
	size_t	  position = 0;
	JsonValue element;

	for (size_t i = 0; i < COUNT(expected); i++)
	{
		check_at("element %zu", i);
		if (!CHECK(json_array_next(&array, &position, &element)))
			return;
		CHECK_INT(element.type, expected[i].type);
		CHECK_BYTES(element.text, element.len, expected[i].text,
					strlen(expected[i].text));
	}
	CHECK(!json_array_next(&array, &position, &element));
	CHECK(!json_array_next(&array, &position, &element));
}

TEST(an_empty_array_and_what_is_no_array_have_no_elements)
{
	static const char *const texts[] = {"{\"a\":[]}", "{\"a\":[ ]}",
										"{\"a\":\"[1]\"}", "{\"a\":{}}", "{}"};

	for (size_t i = 0; i < COUNT(texts); i++)
	{
		JsonValue value = member_a(texts[i], JSON_UTF8);
		JsonValue element;
		size_t	  position = 0;

		check_at("%s", texts[i]);
		CHECK(!json_array_next(&value, &position, &element));
	}
}

TEST(the_deepest_array_of_a_document_can_be_walked)
{
	size_t	   len;
	char	  *text = nested(JSON_MAX_DEPTH, '[', ']', &len);
	JsonMember a = {.name = "a"};
	JsonValue  element;
	int		   levels = 0;

	CHECK_INT(json_read_object(text, len, JSON_UTF8, &a, 1, NULL), JSON_OK);
	element = a.value;
	while (element.type == JSON_ARRAY)
	{
		JsonValue array = element;
		size_t	  position = 0;

		if (!CHECK(json_array_next(&array, &position, &element)))
			break;
		levels++;
	}
	CHECK_INT(levels, JSON_MAX_DEPTH - 1);
	CHECK_INT(element.type, JSON_INTEGER);
	free(text);
}

TEST_MAIN()
