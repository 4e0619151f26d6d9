/*-------------------------------------------------------------------------
 *
 * group.c
 *	  Names of groups and categories.
 *
 * Compares bytes, never asks a locale: what is a letter must not depend on
 * where the server runs.
 *
 *-------------------------------------------------------------------------
 */
#include "group.h"

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		   (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool
group_category_is_valid(const char *name, size_t len)
{
	if (len < 1 || len > GROUP_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_name_byte(name[i]))
			return false;
	return true;
}

bool
group_parse(const char *name, size_t len, GroupParts *parts)
{
	size_t split = len;

	if (!group_category_is_valid(name, len))
		return false;
	if (parts == NULL)
		return true;

	while (split > 0 && name[split - 1] != '_')
		split--;
	parts->category = name;
	if (split == 0)
	{
		parts->category_len = len;
		parts->id = name;
		parts->id_len = len;
	}
	else
	{
		parts->category_len = split - 1;
		parts->id = name + split;
		parts->id_len = len - split;
	}
	return true;
}
