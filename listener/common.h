/*-------------------------------------------------------------------------
 *
 * common.h
 *	  What every room of the listener may use: a few macros and the slice.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_COMMON_H
#define USHER_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* The structure that contains a member, given a pointer to that member. */
#define container_of(ptr, type, member)                                        \
	((type *) ((char *) (ptr) -offsetof(type, member)))

/* Borrowed bytes, not terminated; ptr is NULL when the thing is absent. */
typedef struct Slice
{
	const char *ptr;
	size_t		len;
} Slice;

#define SLICE_NONE ((Slice){NULL, 0})

static inline bool
slice_equals(Slice slice, const char *text)
{
	size_t len = strlen(text);

	return slice.ptr != NULL && slice.len == len &&
		   memcmp(slice.ptr, text, len) == 0;
}

static inline Slice
slice_of(const char *text)
{
	return text != NULL ? (Slice){text, strlen(text)} : SLICE_NONE;
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* ASCII only, and not by the locale's idea of letters. */
static inline bool
slice_equals_nocase(Slice a, Slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

/* Without surrounding blanks (RFC 9110 5.6.3: SP and HTAB). */
static inline Slice
slice_trimmed(Slice slice)
{
	while (slice.len > 0 && (slice.ptr[0] == ' ' || slice.ptr[0] == '\t'))
	{
		slice.ptr++;
		slice.len--;
	}
	while (slice.len > 0 && (slice.ptr[slice.len - 1] == ' ' ||
							 slice.ptr[slice.len - 1] == '\t'))
		slice.len--;
	return slice;
}

/*
 * Take the first part of a comma-separated list, trimmed, off the list.  False
 * when there is none left: n commas have n + 1 parts, and "" has one, empty.
 */
static inline bool
slice_next_part(Slice *list, Slice *part)
{
	const char *comma;

	if (list->ptr == NULL)
		return false;
	comma = list->len > 0 ? memchr(list->ptr, ',', list->len) : NULL;
	*part = *list;
	if (comma == NULL)
		*list = SLICE_NONE;
	else
	{
		part->len = (size_t) (comma - list->ptr);
		list->ptr = comma + 1;
		list->len -= part->len + 1;
	}
	*part = slice_trimmed(*part);
	return true;
}

/* Channels' longest group name (channels/layers.py): shorter than 100. */
#define GROUP_NAME_MAX 99

#endif
