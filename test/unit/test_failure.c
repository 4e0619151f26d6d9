/* Why a link failed, when to try again, and whether to say so once more. */
#include "check.h"
#include "failure.h"

TEST(a_reason_is_one_line_without_what_libpq_guesses)
{
	Failure failure = {0};

	failure_because(&failure,
					"connection to server at \"h\" failed: refused\n"
					"\tIs the server running on that host?\n"
					"connection to server at \"i\" failed: refused\n");
	CHECK_STR(failure.reason, "connection to server at \"h\" failed: refused "
							  "connection to server at \"i\" failed: refused");
	failure_because(&failure, "\r\n tabs\tand   blanks \n");
	CHECK_STR(failure.reason, "tabs and blanks");
	failure_because(&failure, "closed\n\tThis probably means the end");
	CHECK_STR(failure.reason, "closed");
}

TEST(a_reason_that_is_too_long_is_cut)
{
	Failure failure = {0};
	char	text[FAILURE_REASON_MAX * 2];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	failure_because(&failure, text);
	CHECK_INT(strlen(failure.reason), FAILURE_REASON_MAX - 1);
}

TEST(errors_an_administrator_can_cure_say_how)
{
	static const struct
	{
		const char *sqlstate;
		const char *cure;
	} rows[] = {
		{"3F000", "CREATE EXTENSION usher"},
		{"42883", "CREATE EXTENSION usher"},
		{"42501", "GRANT usher_listener"},
		{"25006", "primary server"},
		{"58P01", "install the files"},
	};
	Failure failure = {0};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i].sqlstate);
		failure_because_error(&failure, rows[i].sqlstate, "no");
		CHECK(strncmp(failure.reason, rows[i].sqlstate, 5) == 0);
		CHECK(strstr(failure.reason, rows[i].cure) != NULL);
	}
	failure_because_error(&failure, "XX000", "something else");
	CHECK_STR(failure.reason, "XX000 something else");
}

TEST(pauses_double_up_to_ten_seconds_and_start_anew_after_success)
{
	static const uint64_t longest[] = {200,	 400,  800,	  1600,
									   3200, 6400, 10000, 10000};
	Failure				  failure = {0};

	for (size_t i = 0; i < lengthof(longest); i++)
	{
		check_at("failure %zu", i);
		CHECK_INT(failure_pause_ms(&failure, 0), longest[i] / 2);
	}
	CHECK_INT(failure_pause_ms(&failure, 5000), 10000);
	CHECK_INT(failure_pause_ms(&failure, 5001), 5000);
	failure_over(&failure);
	CHECK(failure_pause_ms(&failure, UINT32_MAX) <= 200);
}

TEST(an_outage_is_told_once_a_minute_and_when_its_reason_changes)
{
	Failure failure = {0};

	failure_because(&failure, "refused");
	CHECK(failure_is_news(&failure, 1000));
	CHECK(!failure_is_news(&failure, 60999));
	CHECK(failure_is_news(&failure, 61000));
	failure_because(&failure, "starting up");
	CHECK(failure_is_news(&failure, 61001));
	failure_over(&failure);
	CHECK(failure_is_news(&failure, 61002));
}

TEST_MAIN()
