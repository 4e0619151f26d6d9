/*-------------------------------------------------------------------------
 *
 * fuzz_origin.c
 *	  Properties of what origins are allowed.
 *
 * What is allowed has the form of an origin, in either case of letters; an
 * origin that is the same as a host is allowed by that host's name; a pattern
 * that may stand in the settings is one that something matches.
 *
 * Input: origin, Host and patterns, a newline between each.
 *
 *-------------------------------------------------------------------------
 */
#include "origin.h"

#include "fuzz.h"

#define LONGEST 1024

static Slice
take_line(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *newline = memchr(*at, '\n', (size_t) (end - *at));
	const uint8_t *stop = newline != NULL ? newline : end;
	Slice		   line = {(const char *) *at, (size_t) (stop - *at)};

	*at = newline != NULL ? newline + 1 : end;
	return line;
}

/* scheme "://" host [":" port], and nothing that a URL has besides */
static void
check_form(Slice origin)
{
	const char *colon = memchr(origin.ptr, ':', origin.len);
	size_t		at;

	MUST(colon != NULL);
	at = (size_t) (colon - origin.ptr);
	MUST(at > 0 && origin.len > at + 3 && memcmp(colon, "://", 3) == 0);
	for (size_t i = 0; i < origin.len; i++)
	{
		MUST(origin.ptr[i] > ' ' && origin.ptr[i] <= '~');
		MUST(i < at + 3 || memchr("/?#@\\", origin.ptr[i], 5) == NULL);
	}
}

/* Something is allowed by a pattern that was accepted. */
static void
check_can_match(Slice pattern)
{
	char   origin[LONGEST + 16];
	char   text[LONGEST + 1];
	size_t len = 0;
	size_t scheme = 0;

	memcpy(text, pattern.ptr, pattern.len);
	text[pattern.len] = '\0';
	for (size_t i = 0; i + 3 <= pattern.len && scheme == 0; i++)
		if (memcmp(text + i, "://", 3) == 0)
			scheme = i + 3;
	if (scheme == 0)
	{
		memcpy(origin, "https://", 8);
		len = 8;
	}
	for (size_t i = 0; i < pattern.len; i++)
		if (i != scheme || text[i] != '.')
			origin[len++] = text[i];
	MUST(origin_allowed((Slice){origin, len}, text));
}

static void
check_patterns(const char *patterns)
{
	char  error[256] = "";
	Slice list = slice_of(patterns);
	Slice pattern;

	if (!origin_check_patterns(patterns, error, sizeof(error)))
	{
		MUST(strncmp(error, "cannot have \"", 13) == 0);
		return;
	}
	MUST(error[0] == '\0');
	while (slice_next_part(&list, &pattern))
		if (pattern.len > 0)
			check_can_match(pattern);
}

/* Host without its port. */
static void
check_same(Slice origin, Slice host)
{
	char   name[LONGEST + 1];
	size_t len = host.len;

	while (len > 0 && host.ptr[len - 1] != ':' && host.ptr[len - 1] != ']')
		len--;
	if (len == 0)
		len = host.len;
	else if (host.ptr[len - 1] == ':')
		len--;
	memcpy(name, host.ptr, len);
	name[len] = '\0';
	check_form(origin);
	MUST(memchr("hH", origin.ptr[0], 2) != NULL);
	/* A list would be cut there. */
	MUST(strchr(name, ',') != NULL || origin_allowed(origin, name));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data;
	const uint8_t *end = data + size;
	Slice		   line;
	Slice		   origin;
	Slice		   host;
	char		   patterns[LONGEST + 1];
	bool		   allowed;
	char		  *other_case;

	if (size > LONGEST)
		return 0;
	line = take_line(&at, end);
	origin = (Slice){exact_copy(line.ptr, line.len), line.len};
	line = take_line(&at, end);
	host = (Slice){exact_copy(line.ptr, line.len), line.len};
	line = take_line(&at, end);
	memcpy(patterns, line.ptr, line.len);
	patterns[line.len] = '\0';

	allowed = origin_allowed(origin, patterns);
	MUST(origin_allowed(origin, "*") && origin_allowed(SLICE_NONE, "*"));
	if (allowed && !origin_allowed(SLICE_NONE, patterns))
		check_form(origin);

	other_case = exact_copy(origin.ptr, origin.len);
	for (size_t i = 0; i < origin.len; i++)
		if ((other_case[i] | 0x20) >= 'a' && (other_case[i] | 0x20) <= 'z')
			other_case[i] ^= 0x20;
	MUST(origin_allowed((Slice){other_case, origin.len}, patterns) == allowed);
	free(other_case);

	if (origin_same_as_host(origin, host))
		check_same(origin, host);
	MUST(!origin_same_as_host(SLICE_NONE, host));
	check_patterns(patterns);
	free((char *) origin.ptr);
	free((char *) host.ptr);
	return 0;
}
