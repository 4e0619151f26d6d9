/*-------------------------------------------------------------------------
 *
 * cases.h
 *	  The cases of test/vectors/vectors.json, for unit tests.
 *
 * Each was executed against the real library; the file says which.  The
 * program vectors/run holds every kind to its verdict: a unit test here looks
 * at the one room that it tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CASES_H
#define USHER_CASES_H

#include <jansson.h>

#include "check.h"

/* The whole file; NULL, and a failed check, when it cannot be read. */
static inline json_t *
cases_load(void)
{
	json_error_t error;
	json_t		*file = json_load_file(VECTORS_DIR "/vectors.json", 0, &error);

	check_report(file != NULL, __FILE__, __LINE__, "vectors.json: %s",
				 error.text);
	return file;
}

/* The next case of that kind, its name told to check_at(); NULL at the end.
 * Start with *at = 0. */
static inline json_t *
cases_next(json_t *file, const char *kind, size_t *at)
{
	json_t *cases = json_object_get(file, "cases");

	while (*at < json_array_size(cases))
	{
		json_t	   *one = json_array_get(cases, (*at)++);
		const char *its = json_string_value(json_object_get(one, "kind"));

		if (its == NULL || strcmp(its, kind) != 0)
			continue;
		check_at("%s", json_string_value(json_object_get(one, "name")));
		return one;
	}
	return NULL;
}

/* The member of that name of a case's "input" or "expect". */
static inline json_t *
cases_member(json_t *one, const char *part, const char *name)
{
	return json_object_get(json_object_get(one, part), name);
}

static inline const char *
cases_text(json_t *one, const char *part, const char *name)
{
	return json_string_value(cases_member(one, part, name));
}

static inline bool
cases_is_valid(json_t *one)
{
	return json_is_true(cases_member(one, "expect", "valid"));
}

#endif
