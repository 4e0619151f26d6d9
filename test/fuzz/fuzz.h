/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the fuzz targets share: an assertion, and exact copies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_FUZZ_H
#define USHER_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in every build. */
#define MUST(cond)                                                             \
	do                                                                         \
	{                                                                          \
		if (!(cond))                                                           \
		{                                                                      \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,  \
					#cond);                                                    \
			abort();                                                           \
		}                                                                      \
	} while (0)

/* A block of exactly len bytes, so that AddressSanitizer guards its end. */
static inline char *
exact_copy(const void *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	MUST(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static inline bool
lies_within(Slice slice, const char *bytes, size_t len)
{
	return slice.ptr >= bytes && slice.ptr <= bytes + len &&
		   slice.len <= (size_t) (bytes + len - slice.ptr);
}

#endif
