/*-------------------------------------------------------------------------
 *
 * file.c
 *	  A file of test vectors as a value of jansson.
 *
 * Python writes such files, and its JSON knows numbers that do not fit 64
 * bits, NaN, and half of a surrogate pair, each of which makes jansson refuse
 * the file and with it every case.  Such a number is handed on as a string of
 * its digits and the half pair as U+FFFD, so that only the case that needs it
 * can fail.
 *
 *-------------------------------------------------------------------------
 */
#include "vectors.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char BOM[] = "\xEF\xBB\xBF";

/* The whole file, NUL-terminated; NULL when it cannot be read. */
static char *
read_whole(const char *path, size_t *len)
{
	FILE  *file = fopen(path, "rb");
	size_t cap = 1 << 16;
	char  *text = malloc(cap);

	if (file == NULL || text == NULL)
		goto fail;
	*len = 0;
	for (;;)
	{
		size_t got = fread(text + *len, 1, cap - *len - 1, file);
		char  *larger;

		*len += got;
		if (got == 0)
			break;
		if (*len + 1 < cap)
			continue;
		larger = realloc(text, cap *= 2);
		if (larger == NULL)
			goto fail;
		text = larger;
	}
	if (ferror(file))
		goto fail;
	text[*len] = '\0';
	fclose(file);
	return text;

fail:
	if (file != NULL)
		fclose(file);
	free(text);
	return NULL;
}

/* The unit of UTF-16 that \uXXXX stands for; -1 when that is not here. */
static long
escaped_unit(const char *at)
{
	if (at[0] != '\\' || at[1] != 'u' ||
		strspn(at + 2, "0123456789abcdefABCDEF") < 4)
		return -1;
	return strtol((char[]){at[2], at[3], at[4], at[5], '\0'}, NULL, 16);
}

/* Length of the escape at a backslash; *half when it is half a pair. */
static size_t
escape_len(const char *at, bool *half)
{
	long unit = escaped_unit(at);

	*half = unit >= 0xD800 && unit <= 0xDFFF;
	if (unit < 0)
		return at[1] == '\0' ? 1 : 2;
	if (unit >= 0xD800 && unit <= 0xDBFF)
	{
		long low = escaped_unit(at + 6);

		*half = low < 0xDC00 || low > 0xDFFF;
		return *half ? 6 : 12;
	}
	return 6;
}

/* Whether jansson has a type for the number of these len bytes. */
static bool
number_fits(const char *number, size_t len)
{
	bool integer = memchr(number, '.', len) == NULL &&
				   memchr(number, 'e', len) == NULL &&
				   memchr(number, 'E', len) == NULL;

	if (memchr(number, 'N', len) != NULL || memchr(number, 'I', len) != NULL)
		return false;
	if (!integer)
		return isfinite(strtod(number, NULL));
	errno = 0;
	(void) strtoll(number, NULL, 10);
	return errno != ERANGE;
}

/* Copy text to out, which has room for twice as much, as the head says. */
static size_t
tame(const char *text, char *out)
{
	bool  in_string = false;
	char *end = out;

	while (*text != '\0')
	{
		bool   half = false;
		bool   quoted = false;
		size_t len = 1;

		if (in_string && *text == '\\')
			len = escape_len(text, &half);
		else if (*text == '"')
			in_string = !in_string;
		else if (!in_string && strchr("-0123456789NI", *text) != NULL)
		{
			len = strspn(text, "+-.0123456789eENaInfity");
			quoted = !number_fits(text, len);
		}
		if (half)
			end = stpcpy(end, "\\ufffd");
		else
		{
			if (quoted)
				*end++ = '"';
			end = mempcpy(end, text, len);
			if (quoted)
				*end++ = '"';
		}
		text += len;
	}
	return (size_t) (end - out);
}

json_t *
vectors_read(const char *path, char *error, size_t error_cap)
{
	json_error_t problem = {0};
	size_t		 len = 0;
	char		*text = read_whole(path, &len);
	char		*tamed = text != NULL ? malloc(2 * len + 1) : NULL;
	json_t		*file = NULL;
	size_t		 skip;

	if (tamed == NULL)
		snprintf(error, error_cap, "%s", strerror(errno));
	else if (memchr(text, '\0', len) != NULL)
		snprintf(error, error_cap, "it holds a NUL");
	else
	{
		skip = strncmp(text, BOM, strlen(BOM)) == 0 ? strlen(BOM) : 0;
		file = json_loadb(tamed, tame(text + skip, tamed), JSON_ALLOW_NUL,
						  &problem);
		if (file == NULL)
			snprintf(error, error_cap, "%s", problem.text);
		else if (!json_is_array(json_object_get(file, "cases")))
		{
			snprintf(error, error_cap, "it has no cases");
			json_decref(file);
			file = NULL;
		}
	}
	free(tamed);
	free(text);
	return file;
}
