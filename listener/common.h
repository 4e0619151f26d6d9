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

/* Channels' longest group name (channels/layers.py): shorter than 100. */
#define GROUP_NAME_MAX 99

#endif
