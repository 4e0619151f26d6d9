/*-------------------------------------------------------------------------
 *
 * test_user_key.c
 *	  The text of a user id as the key of a user table.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "user_key.h"

static bool
integer(const char *text, int64_t min, int64_t max, int64_t *value)
{
	return user_key_parse_integer(text, strlen(text), min, max, value);
}

static bool
uuid(const char *text, uint8_t *value)
{
	return user_key_parse_uuid(text, strlen(text), value);
}

TEST(integers_are_digits_with_an_optional_minus)
{
	int64_t value = 99;

	CHECK(integer("0", INT32_MIN, INT32_MAX, &value) && value == 0);
	CHECK(integer("7", INT32_MIN, INT32_MAX, &value) && value == 7);
	CHECK(integer("-7", INT32_MIN, INT32_MAX, &value) && value == -7);
	CHECK(integer("007", INT32_MIN, INT32_MAX, &value) && value == 7);
	CHECK(integer("-0", INT32_MIN, INT32_MAX, &value) && value == 0);
	CHECK(integer("9007199254740993", INT64_MIN, INT64_MAX, &value) &&
		  value == 9007199254740993);
}

TEST(what_python_or_postgresql_would_also_take_is_no_integer_here)
{
	static const char *const refused[] = {
		"",	   "-",	   "+7",  " 7",	  "7 ",	 "7\n",			 "\t7",
		"1_0", "0x10", "7.0", "7e0",  "--7", "7-",			 "seven",
		"NaN", "٧",	   "７",  "7\v8", "'7'", "7;DROP TABLE", "1,000",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		int64_t value;

		check_at("text \"%s\"", refused[i]);
		CHECK(!integer(refused[i], INT64_MIN, INT64_MAX, &value));
	}
}

TEST(integers_end_where_the_column_type_ends)
{
	int64_t value;

	CHECK(integer("32767", INT16_MIN, INT16_MAX, &value) && value == 32767);
	CHECK(!integer("32768", INT16_MIN, INT16_MAX, &value));
	CHECK(integer("-32768", INT16_MIN, INT16_MAX, &value) && value == -32768);
	CHECK(!integer("-32769", INT16_MIN, INT16_MAX, &value));
	CHECK(integer("2147483647", INT32_MIN, INT32_MAX, &value));
	CHECK(!integer("2147483648", INT32_MIN, INT32_MAX, &value));
	CHECK(integer("9223372036854775807", INT64_MIN, INT64_MAX, &value) &&
		  value == INT64_MAX);
	CHECK(!integer("9223372036854775808", INT64_MIN, INT64_MAX, &value));
	CHECK(integer("-9223372036854775808", INT64_MIN, INT64_MAX, &value) &&
		  value == INT64_MIN);
	CHECK(!integer("-9223372036854775809", INT64_MIN, INT64_MAX, &value));
	/* 2^64 + 7 must not look like 7 */
	CHECK(!integer("18446744073709551623", INT64_MIN, INT64_MAX, &value));
	CHECK(!integer("99999999999999999999999999999999", INT64_MIN, INT64_MAX,
				   &value));
}

TEST(a_nul_ends_no_integer)
{
	int64_t value;

	CHECK(!user_key_parse_integer("7\0", 2, 0, 9, &value));
}

TEST(a_uuid_is_read_in_either_case_with_or_without_dashes)
{
	static const uint8_t	 expected[] = {0x3f, 0x0c, 0x7a, 0x1e, 0x6a, 0x0b,
										   0x4b, 0x0e, 0x9b, 0x9c, 0x01, 0x23,
										   0x45, 0x67, 0x89, 0xab};
	static const char *const texts[] = {
		"3f0c7a1e-6a0b-4b0e-9b9c-0123456789ab",
		"3F0C7A1E-6A0B-4B0E-9B9C-0123456789AB",
		"3f0c7a1e6a0b4b0e9b9c0123456789ab",
		"3F0c7A1e6a0b4B0E9b9c0123456789aB",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		uint8_t value[USER_KEY_UUID_BYTES];

		check_at("text \"%s\"", texts[i]);
		CHECK(uuid(texts[i], value));
		CHECK_BYTES(value, sizeof(value), expected, sizeof(expected));
	}
}

TEST(other_spellings_of_a_uuid_are_refused)
{
	static const char *const refused[] = {
		"",
		"{3f0c7a1e-6a0b-4b0e-9b9c-0123456789ab}",
		"urn:uuid:3f0c7a1e-6a0b-4b0e-9b9c-0123456789ab",
		"3f0c7a1e-6a0b-4b0e-9b9c-0123456789a",
		"3f0c7a1e-6a0b-4b0e-9b9c-0123456789abc",
		"3f0c7a1e6a0b-4b0e-9b9c-0123456789ab",
		"3f0c-7a1e-6a0b-4b0e-9b9c0123456789ab",
		"3f0c7a1e-6a0b-4b0e-9b9c-0123456789ag",
		"3f0c7a1e-6a0b-4b0e-9b9c-0123456789-b",
		"-f0c7a1e6a0b4b0e9b9c0123456789ab",
		" f0c7a1e6a0b4b0e9b9c0123456789ab",
		"------------------------------------",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		uint8_t value[USER_KEY_UUID_BYTES];

		check_at("text \"%s\"", refused[i]);
		CHECK(!uuid(refused[i], value));
	}
}

TEST_MAIN()
