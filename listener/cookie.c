/*-------------------------------------------------------------------------
 *
 * cookie.c
 *	  One cookie out of a Cookie header, as Django and Channels read it.
 *
 * Python sees the header as a str of Latin-1, so each byte here is one
 * character there: it is compared and trimmed as that character, and written
 * as UTF-8 at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "cookie.h"

#define NOT_FOUND (-1)
#define DOES_NOT_FIT (-2)

/* What str.strip() takes away among the characters of Latin-1. */
static bool
is_blank(char c)
{
	uint8_t byte = (uint8_t) c;

	return (byte >= 0x09 && byte <= 0x0D) || (byte >= 0x1C && byte <= 0x20) ||
		   byte == 0x85 || byte == 0xA0;
}

static Slice
stripped(const char *ptr, const char *end)
{
	while (ptr < end && is_blank(ptr[0]))
		ptr++;
	while (ptr < end && is_blank(end[-1]))
		end--;
	return (Slice){ptr, (size_t) (end - ptr)};
}

/* Three digits that a backslash makes a character of: \000 to \377. */
static bool
is_octal(Slice text, size_t at)
{
	return text.len - at >= 3 && text.ptr[at] >= '0' && text.ptr[at] <= '3' &&
		   text.ptr[at + 1] >= '0' && text.ptr[at + 1] <= '7' &&
		   text.ptr[at + 2] >= '0' && text.ptr[at + 2] <= '7';
}

/* The character at *at of a value that was quoted; http/cookies.py, _unquote */
static uint8_t
next_unquoted(Slice text, size_t *at)
{
	uint8_t c = (uint8_t) text.ptr[(*at)++];

	/* Its "." is any character but a newline, which keeps its backslash. */
	if (c != '\\' || *at == text.len || text.ptr[*at] == '\n')
		return c;
	if (is_octal(text, *at))
	{
		c = (uint8_t) ((text.ptr[*at] - '0') * 64 +
					   (text.ptr[*at + 1] - '0') * 8 + text.ptr[*at + 2] - '0');
		*at += 3;
		return c;
	}
	return (uint8_t) text.ptr[(*at)++];
}

static long
decode(Slice value, char *out, size_t cap)
{
	bool quoted = value.len >= 2 && value.ptr[0] == '"' &&
				  value.ptr[value.len - 1] == '"';
	size_t len = 0;
	size_t at = 0;

	if (quoted)
		value = (Slice){value.ptr + 1, value.len - 2};
	while (at < value.len)
	{
		uint8_t c =
			quoted ? next_unquoted(value, &at) : (uint8_t) value.ptr[at++];

		if (cap - len < (c < 0x80 ? 1 : 2))
			return DOES_NOT_FIT;
		if (c < 0x80)
			out[len++] = (char) c;
		else
		{
			out[len++] = (char) (0xC0 | c >> 6);
			out[len++] = (char) (0x80 | (c & 0x3F));
		}
	}
	return (long) len;
}

long
cookie_find(Slice header, const char *name, char *out, size_t cap)
{
	Slice		value = SLICE_NONE;
	const char *at = header.ptr;
	const char *end;

	if (at == NULL)
		return NOT_FOUND;
	end = at + header.len;
	while (at < end)
	{
		const char *semicolon = memchr(at, ';', (size_t) (end - at));
		const char *stop = semicolon != NULL ? semicolon : end;
		const char *equals = memchr(at, '=', (size_t) (stop - at));

		/* Without one it is a value with an empty name, which nobody asks for.
		 */
		if (equals != NULL && slice_equals(stripped(at, equals), name))
			value = stripped(equals + 1, stop);
		at = stop + 1;
	}
	return value.ptr != NULL ? decode(value, out, cap) : NOT_FOUND;
}
