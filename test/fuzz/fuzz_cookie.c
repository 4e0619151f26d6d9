/*-------------------------------------------------------------------------
 *
 * fuzz_cookie.c
 *	  Properties of a cookie's value.
 *
 * It is UTF-8 and fits; a smaller buffer never gets part of it; cookies of
 * other names in front change nothing; one more of the same name behind
 *decides.
 *
 * Input: the cookie's name, a newline, the header.
 *
 *-------------------------------------------------------------------------
 */
#include "cookie.h"
#include "websocket.h"

#include "fuzz.h"

#define CAP 8192

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char	   value[CAP];
	static char	   again[CAP];
	const uint8_t *newline = memchr(data, '\n', size);
	size_t		   name_len = newline ? (size_t) (newline - data) : 0;
	char		   name[32];
	char		  *header;
	char		  *longer;
	size_t		   len;
	long		   found;

	if (name_len == 0 || name_len >= sizeof(name) || size > CAP / 2)
		return 0;
	memcpy(name, data, name_len);
	name[name_len] = '\0';
	for (size_t i = 0; i < name_len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ';' || name[i] == '=')
			return 0;
	len = size - name_len - 1;
	header = exact_copy(newline + 1, len);

	found = cookie_find((Slice){header, len}, name, value, sizeof(value));
	MUST(found >= -1 && found <= 2 * (long) len);
	MUST(found < 0 || ws_utf8_valid(value, (size_t) found));
	if (found > 0)
	{
		char *small = exact_copy(value, (size_t) found - 1);

		MUST(cookie_find((Slice){header, len}, name, small,
						 (size_t) found - 1) == -2);
		free(small);
	}

	longer = malloc(len + 2 * sizeof(name) + 16);
	MUST(longer != NULL);
	memcpy(longer, "=; a b=\";", 9);
	memcpy(longer + 9, header, len);
	MUST(cookie_find((Slice){longer, 9 + len}, name, again, sizeof(again)) ==
		 found);
	MUST(found < 0 || memcmp(value, again, (size_t) found) == 0);

	memcpy(longer, header, len);
	longer[len] = ';';
	memcpy(longer + len + 1, name, name_len);
	memcpy(longer + len + 1 + name_len, "=\"\\101\"", 7);
	MUST(cookie_find((Slice){longer, len + name_len + 8}, name, again,
					 sizeof(again)) == 1);
	MUST(again[0] == 'A');
	free(longer);
	free(header);
	return 0;
}
