/*-------------------------------------------------------------------------
 *
 * group.h
 *	  Names of groups and categories.  Pure: no postgres.h.
 *
 * A group is 1 to 99 of the characters A-Z a-z 0-9 . _ - , as in Channels.
 * It is split at its last '_' into category and id; without one, both are
 * the whole name.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_GROUP_H
#define USHER_GROUP_H

#include <stdbool.h>
#include <stddef.h>

/* channels/layers.py: "length must be less than 100". */
#define GROUP_NAME_MAX 99

/* Both parts point into the name and are not terminated. */
typedef struct GroupParts
{
	const char *category;
	size_t		category_len; /* 0: such a category is never declared */
	const char *id;
	size_t		id_len;
} GroupParts;

/*
 * group_parse
 *		Check a group's name and split it.
 *
 * Returns false, with *parts untouched, when the name breaks the rule.  parts
 * may be NULL.  Stricter than Channels, whose pattern also lets a final
 * newline and every Unicode digit pass.
 */
extern bool group_parse(const char *name, size_t len, GroupParts *parts);

/* Whether a category may have this name; the rule is the same. */
extern bool group_category_is_valid(const char *name, size_t len);

#endif
