/*-------------------------------------------------------------------------
 *
 * test_group.c
 *	  Names of groups, checked and split.
 *
 *-------------------------------------------------------------------------
 */
#include <jansson.h>

#include "check.h"
#include "group.h"

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
	json_error_t error;
	json_t *file = json_load_file(VECTORS_DIR "/group_name.json", 0, &error);
	json_t *cases = json_object_get(file, "cases");
	json_t *row;
	size_t	i;

	if (!CHECK(json_array_size(cases) >= 16))
		return;
	json_array_foreach(cases, i, row)
	{
		json_t	   *input = json_object_get(row, "input");
		json_t	   *name = json_object_get(input, "name");
		json_t	   *expect = json_object_get(row, "expect");
		const char *text = json_string_value(name);

		check_at("%s", json_string_value(json_object_get(row, "name")));
		CHECK_INT(group_parse(text, json_string_length(name), NULL),
				  json_is_true(json_object_get(expect, "valid")));
	}
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
