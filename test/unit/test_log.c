/* What a log line looks like, and what cannot get into one. */
#include "check.h"
#include "log.h"

#include <errno.h>

static char	 captured[16384];
static FILE *stream;

/* Log one message to memory; what comes after the time. */
static void
begin(void)
{
	memset(captured, 0, sizeof(captured));
	stream = fmemopen(captured, sizeof(captured), "w");
	if (stream == NULL)
		abort();
	log_set_stream(stream);
}

static const char *
end(void)
{
	log_set_stream(NULL);
	fclose(stream);
	return strlen(captured) > 25 ? captured + 25 : captured;
}

TEST(a_line_has_the_time_in_utc_the_level_and_the_message)
{
	int year, month, day, hour, minute, second, ms, used = 0;

	begin();
	log_info("client %d %s: seated", 4711, "127.0.0.1:50122");
	CHECK_STR(end(), "INFO client 4711 127.0.0.1:50122: seated\n");
	CHECK_INT(sscanf(captured, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month,
					 &day, &hour, &minute, &second, &ms, &used),
			  7);
	CHECK_INT(used, 25);
	CHECK(year >= 2024 && month >= 1 && month <= 12 && hour <= 23);
}

TEST(levels_below_the_threshold_are_not_written)
{
	begin();
	log_set_level(LOG_LEVEL_WARNING);
	log_debug("one");
	log_info("two");
	log_warning("three");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("four");
	log_set_level(LOG_LEVEL_INFO);
	CHECK_STR(end(), "WARNING three\n");

	begin();
	log_debug("five");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("six");
	log_set_level(LOG_LEVEL_INFO);
	CHECK_STR(end(), "DEBUG six\n");
}

TEST(a_debug_line_that_is_not_written_does_not_evaluate_its_arguments)
{
	int evaluated = 0;

	log_set_level(LOG_LEVEL_INFO);
	log_debug("%d", ++evaluated);
	CHECK_INT(evaluated, 0);
}

TEST(what_a_client_sends_cannot_forge_a_line)
{
	static const struct
	{
		const char *sent;
		const char *written;
	} row[] = {
		{"a\nb", "a\\x0ab"},
		{"a\r\nINFO b", "a\\x0d\\x0aINFO b"},
		{"\x1b[2J", "\\x1b[2J"},
		{"\x7f\x01", "\\x7f\\x01"},
		{"tab\t", "tab\\x09"},
		{"\xc2\x85", "\\xc2\\x85"},			 /* NEL, a C1 control */
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* LINE SEPARATOR */
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* RIGHT-TO-LEFT OVERRIDE */
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"}, /* LEFT-TO-RIGHT ISOLATE */
	};

	for (size_t i = 0; i < lengthof(row); i++)
	{
		char expected[128];

		check_at("row %zu", i);
		begin();
		log_info("<%s>", row[i].sent);
		snprintf(expected, sizeof(expected), "INFO <%s>\n", row[i].written);
		CHECK_STR(end(), expected);
	}
}

TEST(text_in_any_language_stays_readable)
{
	begin();
	log_info("%s", "Z\xc3\xbcrich \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x9a\xaa");
	CHECK_STR(end(),
			  "INFO Z\xc3\xbcrich \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x9a\xaa\n");
}

TEST(invalid_utf8_comes_out_as_escapes)
{
	static const struct
	{
		const char *sent;
		const char *written;
	} row[] = {
		{"\xff\xfe", "\\xff\\xfe"},
		{"\x80", "\\x80"},
		{"\xc3", "\\xc3"},							  /* cut short */
		{"\xc3(", "\\xc3("},						  /* no continuation */
		{"\xc0\xaf", "\\xc0\\xaf"},					  /* overlong */
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},		  /* overlong */
		{"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"}, /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},		  /* a surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
		{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
	};

	for (size_t i = 0; i < lengthof(row); i++)
	{
		char expected[128];

		check_at("row %zu", i);
		begin();
		log_info("%s", row[i].sent);
		snprintf(expected, sizeof(expected), "INFO %s\n", row[i].written);
		CHECK_STR(end(), expected);
	}
}

TEST(a_long_message_is_cut_and_says_so_and_stays_one_line)
{
	char		long_text[9000];
	const char *line;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	begin();
	log_info("%s", long_text);
	line = end();
	CHECK(strlen(captured) <= 4096);
	CHECK(strlen(line) > 1000);
	CHECK_STR(strchr(line, '.'), "...\n");

	/* Escaped, it is four times as long and is cut all the same. */
	memset(long_text, '\n', sizeof(long_text) - 1);
	begin();
	log_info("%s", long_text);
	line = end();
	CHECK(strlen(captured) <= 4096);
	CHECK(strlen(line) > 1000);
	CHECK(strchr(line, '\n') == line + strlen(line) - 1);
	CHECK_STR(strchr(line, '.'), "...\n");

	/* Short enough as sent, too long when escaped. */
	long_text[1500] = '\0';
	begin();
	log_info("%s", long_text);
	line = end();
	CHECK(strlen(captured) <= 4096);
	CHECK_STR(strchr(line, '.'), "...\n");
}

TEST(errno_is_still_there_for_a_message_and_after_it)
{
	begin();
	errno = ENOENT;
	log_error("could not open: %m");
	CHECK_INT(errno, ENOENT);
	CHECK_STR(end(), "ERROR could not open: No such file or directory\n");
}

TEST(level_names_are_parsed_and_others_refused)
{
	LogLevel level = LOG_LEVEL_INFO;

	CHECK(log_parse_level("debug", &level));
	CHECK_INT(level, LOG_LEVEL_DEBUG);
	CHECK(log_parse_level("error", &level));
	CHECK_INT(level, LOG_LEVEL_ERROR);
	CHECK(!log_parse_level("loud", &level));
	CHECK(!log_parse_level("", &level));
	CHECK_INT(level, LOG_LEVEL_ERROR);
}

TEST_MAIN()
