/*-------------------------------------------------------------------------
 *
 * test_group.c
 *	  Names of groups, checked and split.
 *
 *-------------------------------------------------------------------------
 */
#include "group.h"

#include "cases.h"

static bool
splits_into(const char *name, const char *category, const char *id)
{
	GroupParts parts;

	return group_parse(name, strlen(name), &parts) &&
		   parts.category_len == strlen(category) &&
		   memcmp(parts.category, category, parts.category_len) == 0 &&
		   parts.id_len == strlen(id) &&
		   memcmp(parts.id, id, parts.id_len) == 0;
}

TEST(names_are_accepted_and_refused_as_in_channels)
{
	json_t *file = cases_load();
	json_t *one;
	size_t	at = 0;
	size_t	seen = 0;

	while ((one = cases_next(file, "group_name", &at)) != NULL)
	{
		json_t *name = cases_member(one, "input", "name");

		seen++;
		CHECK_INT(group_parse(json_string_value(name), json_string_length(name),
							  NULL),
				  cases_is_valid(one));
	}
	CHECK(seen >= 16);
	json_decref(file);
}

TEST(a_group_is_split_at_its_last_underscore)
{
	CHECK(splits_into("app_1234", "app", "1234"));
	CHECK(splits_into("chat_room_7", "chat_room", "7"));
	CHECK(splits_into("a__1", "a_", "1"));
	CHECK(splits_into("x.y-z_1-2.3", "x.y-z", "1-2.3"));
}

TEST(a_group_without_underscore_is_its_own_category_and_id)
{
	CHECK(splits_into("lobby", "lobby", "lobby"));
	CHECK(splits_into("1", "1", "1"));
}

TEST(a_group_may_have_an_empty_id_or_category)
{
	CHECK(splits_into("a_", "a", ""));
	CHECK(splits_into("_x", "", "x"));
	CHECK(splits_into("_", "", ""));
}

TEST(ninety_nine_characters_are_a_name_and_a_hundred_are_not)
{
	char name[100];

	memset(name, 'n', sizeof(name));
	CHECK(group_parse(name, 99, NULL));
	CHECK(!group_parse(name, 100, NULL));
	CHECK(group_category_is_valid(name, 99));
	CHECK(!group_category_is_valid(name, 100));
}

TEST(every_byte_but_those_of_the_rule_is_refused)
{
	const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
						  "0123456789._-";

	for (int byte = 0; byte < 256; byte++)
	{
		char name[3] = {'a', (char) byte, 'b'};
		bool expected = byte != 0 && strchr(allowed, byte) != NULL;

		check_at("byte %d", byte);
		CHECK_INT(group_parse(name, 3, NULL), expected);
		CHECK_INT(group_category_is_valid(name, 3), expected);
	}
}

TEST(a_refused_name_leaves_the_parts_alone)
{
	GroupParts parts = {NULL, 7, NULL, 8};

	CHECK(!group_parse("a b", 3, &parts));
	CHECK(!group_parse("", 0, &parts));
	CHECK_INT(parts.category_len, 7);
	CHECK_INT(parts.id_len, 8);
}

TEST_MAIN()
