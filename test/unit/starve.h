/*-------------------------------------------------------------------------
 *
 * starve.h
 *	  Let an allocation of the room under test fail.
 *
 * For one test program, linked with $(STARVE) of the Makefile: the linker sends
 * malloc, calloc, realloc and reallocarray here first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STARVE_H
#define USHER_STARVE_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

/* How many more allocations succeed; negative: all. */
static long starve_after = -1;

/* Whether one has failed since it was last set to false. */
static bool starved;

static bool
starve(void)
{
	if (starve_after < 0)
		return false;
	if (starve_after == 0)
	{
		starved = true;
		return true;
	}
	starve_after--;
	return false;
}

void *
__wrap_malloc(size_t size)
{
	return starve() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return starve() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return starve() ? NULL : __real_realloc(old, size);
}

void *
__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return starve() ? NULL : __real_reallocarray(old, count, size);
}

#endif
