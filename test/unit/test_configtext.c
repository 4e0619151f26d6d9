/* Forms of text that settings are written in. */
#include "check.h"
#include "configtext.h"

TEST(a_switch_is_written_as_in_postgresql)
{
	static const char *const yes[] = {"on", "ON", "true", "yes", "1", "True"};
	static const char *const no[] = {"off", "false", "No", "0"};
	static const char *const neither[] = {"", "2", "o", "onn", " on", "enable"};
	bool					 value;

	for (size_t i = 0; i < lengthof(yes); i++)
		CHECK(text_to_bool(yes[i], &value) && value);
	for (size_t i = 0; i < lengthof(no); i++)
		CHECK(text_to_bool(no[i], &value) && !value);
	for (size_t i = 0; i < lengthof(neither); i++)
		CHECK(!text_to_bool(neither[i], &value));
}

TEST(numbers_are_read_with_their_units)
{
	static const struct
	{
		const char *text;
		const Unit *units;
		const char *bare;
		uint64_t	value;
	} row[] = {
		{"0", NULL, NULL, 0},
		{"20000", NULL, NULL, 20000},
		{"18446744073709551615", NULL, NULL, UINT64_MAX},
		{"512", byte_units, "B", 512},
		{"512B", byte_units, "B", 512},
		{"16kB", byte_units, "B", 16384},
		{"16 kB", byte_units, "B", 16384},
		{"2MB", byte_units, "B", 2097152},
		{"1GB", byte_units, "B", 1073741824},
		{"5", duration_units, "s", 5000},
		{"5", duration_units, "ms", 5},
		{"250ms", duration_units, "s", 250},
		{"2 min", duration_units, "s", 120000},
		{"3h", duration_units, "s", 10800000},
		{"1d", duration_units, "s", 86400000},
	};
	uint64_t value;

	for (size_t i = 0; i < lengthof(row); i++)
	{
		check_at("%s", row[i].text);
		if (CHECK(
				text_to_number(row[i].text, row[i].units, row[i].bare, &value)))
			CHECK(value == row[i].value);
	}
}

TEST(what_is_no_number_or_passes_64_bits_is_refused)
{
	static const struct
	{
		const char *text;
		const Unit *units;
	} row[] = {
		{"", NULL},
		{" 1", NULL},
		{"-1", NULL},
		{"+1", NULL},
		{"1.5", NULL},
		{"0x10", NULL},
		{"1e3", NULL},
		{"5s", NULL},
		{"kB", byte_units},
		{"5s", byte_units},
		{"5kb", byte_units},
		{"5KB", byte_units},
		{"5kB5", byte_units},
		{"5 k B", byte_units},
		{"5m", duration_units},
		{"18446744073709551616", NULL},
		{"99999999999999999999", NULL},
		{"18014398509481984kB", byte_units},
		{"213503982335d", duration_units},
	};
	uint64_t value;

	for (size_t i = 0; i < lengthof(row); i++)
	{
		check_at("%s", row[i].text);
		CHECK(!text_to_number(row[i].text, row[i].units, "s", &value));
	}
}

TEST(numbers_are_written_with_the_largest_unit_that_is_exact)
{
	char out[32];

	CHECK_STR(number_to_text(0, byte_units, out, sizeof(out)), "0");
	CHECK_STR(number_to_text(125, byte_units, out, sizeof(out)), "125B");
	CHECK_STR(number_to_text(65536, byte_units, out, sizeof(out)), "64kB");
	CHECK_STR(number_to_text(1536, byte_units, out, sizeof(out)), "1536B");
	CHECK_STR(number_to_text(90000, duration_units, out, sizeof(out)), "90s");
	CHECK_STR(number_to_text(86400000, duration_units, out, sizeof(out)), "1d");
	CHECK_STR(number_to_text(7, NULL, out, sizeof(out)), "7");
}

TEST(a_password_is_found_wherever_libpq_would_find_it)
{
	static const char *const with[] = {
		"password=x",
		"host=db password=x",
		"host=db password = x dbname=y",
		"host='a b' password='x y'",
		"host='it\\'s' password=x",
		"host=a\\ b password=x",
		"sslpassword=x",
		"postgresql://u:p@h/d",
		"postgres://u:p@h/d",
		"postgresql://u:p@/d",
		"postgresql://h/d?password=x",
		"postgresql://u@h/d?sslmode=require&password=x",
		"postgresql://h/d?%70assword=x",
		"postgresql:///d?sslpassword=x",
	};
	static const char *const without[] = {
		"",
		"   ",
		"host=db",
		"dbname=password",
		"host='password=x'",
		"host=a\\ password=x",
		"password=''",
		"password=",
		"passfile=/etc/pgpass",
		"service=site",
		"postgresql://u@h:5432/d",
		"postgresql://u:@h/d",
		"postgresql://h:5432/d@e:f",
		"postgresql://[::1]:5432/d",
		"postgresql://h/d?sslmode=require",
		"postgresql://h/d?password=",
		"postgresql://h/d?password=&sslmode=require",
		"postgresql://h/d?xpassword=x",
	};

	for (size_t i = 0; i < lengthof(with); i++)
	{
		check_at("%s", with[i]);
		CHECK(conninfo_has_password(with[i]));
	}
	for (size_t i = 0; i < lengthof(without); i++)
	{
		check_at("%s", without[i]);
		CHECK(!conninfo_has_password(without[i]));
	}
}

TEST(a_connection_string_cut_anywhere_is_read_within_its_bounds)
{
	/* AddressSanitizer looks: each is in memory of just its length. */
	static const char *const whole[] = {
		"host = 'a\\'b' password = 'x'",
		"postgresql://u:p@h:1/d?%70assword=x&b=%41",
		"postgresql://h/d?%7%70=%",
	};

	for (size_t i = 0; i < lengthof(whole); i++)
	{
		for (size_t len = 0; len <= strlen(whole[i]); len++)
		{
			char *cut = strndup(whole[i], len);

			if (!CHECK(cut != NULL))
				return;
			conninfo_has_password(cut);
			free(cut);
		}
	}
}

TEST(a_keyword_for_a_header_is_one_token)
{
	CHECK(text_is_http_token("Token"));
	CHECK(text_is_http_token("X-Key_1"));
	CHECK(!text_is_http_token(""));
	CHECK(!text_is_http_token("My Token"));
	CHECK(!text_is_http_token("Token:"));
	CHECK(!text_is_http_token("\"Token\""));
	CHECK(!text_is_http_token("T\xc3\xb6ken"));
}

TEST_MAIN()
