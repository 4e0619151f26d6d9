/*-------------------------------------------------------------------------
 *
 * test_cookie.c
 *	  One cookie out of a Cookie header, as Django and Channels read it.
 *
 *-------------------------------------------------------------------------
 */
#include "cookie.h"

#include "cases.h"

#define NOT_FOUND (-1)
#define DOES_NOT_FIT (-2)

static char out[256];

/* Both in blocks of their size, so that AddressSanitizer sees a step beyond. */
static long
find_in(const char *bytes, size_t len, const char *name, size_t cap)
{
	char *block = malloc(len > 0 ? len : 1);
	char *value = malloc(cap > 0 ? cap : 1);
	long  found;

	if (block == NULL || value == NULL)
		abort();
	memcpy(block, bytes, len);
	found = cookie_find((Slice){block, len}, name, value, cap);
	if (found > 0)
		memcpy(out, value, (size_t) found);
	free(block);
	free(value);
	return found;
}

static void
check_cookie(const char *header, const char *value)
{
	long len = find_in(header, strlen(header), "sessionid", sizeof(out));

	check_at("%s", header);
	if (value == NULL)
		CHECK_INT(len, NOT_FOUND);
	else if (CHECK(len >= 0))
		CHECK_BYTES(out, (size_t) len, value, strlen(value));
}

/* The file has characters where the header has bytes of Latin-1. */
static size_t
to_latin1(const char *utf8, char *bytes, size_t cap)
{
	size_t len = 0;

	for (; *utf8 != '\0' && len < cap; utf8++)
	{
		uint8_t c = (uint8_t) *utf8;

		if (c >= 0xC0)
			c = (uint8_t) (c << 6 | (*++utf8 & 0x3F));
		bytes[len++] = (char) c;
	}
	return len;
}

TEST(every_header_that_django_was_asked_about_gives_djangos_value)
{
	json_t *file = cases_load();
	json_t *one;
	size_t	at = 0;
	size_t	seen = 0;

	while ((one = cases_next(file, "cookie", &at)) != NULL)
	{
		char   bytes[512];
		size_t len =
			to_latin1(cases_text(one, "input", "header"), bytes, sizeof(bytes));
		long found = find_in(
			bytes, len, cases_text(one, "input", "cookie_name"), sizeof(out));

		seen++;
		if (!cases_is_valid(one))
			CHECK_INT(found, NOT_FOUND);
		else if (CHECK(found >= 0))
			CHECK_BYTES(out, (size_t) found, cases_text(one, "expect", "value"),
						strlen(cases_text(one, "expect", "value")));
	}
	CHECK(seen >= 19);
	json_decref(file);
}

TEST(a_request_without_the_header_has_no_cookie)
{
	CHECK_INT(cookie_find(SLICE_NONE, "sessionid", out, sizeof(out)),
			  NOT_FOUND);
}

TEST(a_cookie_may_be_empty_which_is_not_absent)
{
	check_cookie("sessionid=", "");
	check_cookie("sessionid=;", "");
	check_cookie("sessionid=\"\"", "");
	check_cookie("sessionid=abc; sessionid=", "");
	check_cookie("sessionid=\"", "\"");
}

TEST(blanks_are_those_of_a_python_text)
{
	check_cookie("\x1F\x1Csessionid\x0B=\x0C\xA0"
				 "abc\x85\r",
				 "abc");
	/* What ends with the byte A0 in UTF-8 loses it, as in Channels. */
	check_cookie("sessionid=\xC3\xA0", "\xC3\x83");
	check_cookie("sessionid=a b", "a b");
	check_cookie("sessionid=\x1B"
				 "a",
				 "\x1B"
				 "a");
}

TEST(quotes_and_escapes_are_undone_as_python_undoes_them)
{
	check_cookie("sessionid=\"a b\"", "a b");
	check_cookie("sessionid=\"\\141\\\\\\\"\"", "a\\\"");
	/* \400 is no octal escape, nor are two digits */
	check_cookie("sessionid=\"\\400\\77x\"", "40077x");
	check_cookie("sessionid=\"\\08\"", "08");
	/* a backslash that nothing follows */
	check_cookie("sessionid=\"a\\\"", "a\\");
	check_cookie("sessionid=\"\\\n\"", "\\\n");
	check_cookie("sessionid=\"\\351\"", "\xC3\xA9");
	/* only in quotes */
	check_cookie("sessionid=\\141", "\\141");
}

TEST(an_octal_zero_is_a_byte_of_the_value)
{
	const char header[] = "sessionid=\"a\\000b\"";

	CHECK_INT(find_in(header, strlen(header), "sessionid", sizeof(out)), 3);
	CHECK_BYTES(out, 3, "a\0b", 3);
}

TEST(a_value_that_does_not_fit_is_not_cut)
{
	const char header[] = "x=y; sessionid=abc";
	const char wide[] = "sessionid=ab\xE9";

	CHECK_INT(find_in(header, strlen(header), "sessionid", 3), 3);
	CHECK_INT(find_in(header, strlen(header), "sessionid", 2), DOES_NOT_FIT);
	CHECK_INT(find_in(header, strlen(header), "sessionid", 0), DOES_NOT_FIT);
	/* one byte of Latin-1 becomes two */
	CHECK_INT(find_in(wide, strlen(wide), "sessionid", 4), 4);
	CHECK_INT(find_in(wide, strlen(wide), "sessionid", 3), DOES_NOT_FIT);
	/* the last counts, whatever those before it were */
	check_cookie("sessionid=0123456789; sessionid=a", "a");
}

TEST_MAIN()
