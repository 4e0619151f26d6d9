/*-------------------------------------------------------------------------
 *
 * test_position.c
 *	  What is read as a position, and what is not.
 *
 *-------------------------------------------------------------------------
 */
#include "position.h"

#include "check.h"

TEST(a_position_is_a_number_and_a_tag_with_a_period_between)
{
	Position position;

	CHECK(position_parse(&position, slice_of("117.0123456789abcdef")));
	CHECK_INT(position.seq, 117);
	CHECK_STR(position.tag, "0123456789abcdef");
	CHECK(position_parse(&position,
						 slice_of("9223372036854775807.0000000000000000")));
	CHECK(position_parse(&position, slice_of("0.0000000000000000")));
	CHECK(position_equals(&position, &position_start));
}

TEST(anything_else_is_no_position)
{
	static const char *const texts[] = {
		"",
		".",
		"117",
		"117.",
		".0123456789abcdef",
		"-1.0123456789abcdef",
		"+1.0123456789abcdef",
		"1 .0123456789abcdef",
		"1.0123456789abcde",
		"1.0123456789abcdef0",
		"1.0123456789ABCDEF",
		"1.0123456789abcdeg",
		"9223372036854775808.0123456789abcdef",
		"99999999999999999999.0123456789abcdef",
	};
	Position position;

	for (size_t i = 0; i < lengthof(texts); i++)
	{
		check_at("%s", texts[i]);
		CHECK(!position_parse(&position, slice_of(texts[i])));
	}
	CHECK(!position_parse(&position, SLICE_NONE));
}

TEST(positions_are_equal_when_number_and_tag_are)
{
	Position one = {1, "aaaaaaaaaaaaaaaa"};
	Position two = {2, "aaaaaaaaaaaaaaaa"};
	Position other = {1, "aaaaaaaaaaaaaaab"};

	CHECK(position_equals(&one, &one));
	CHECK(!position_equals(&one, &two));
	CHECK(!position_equals(&one, &other));
}

TEST_MAIN()
