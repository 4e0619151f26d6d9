/*-------------------------------------------------------------------------
 *
 * argument.h
 *	  Arguments of SQL functions that must be right, or raise.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ARGUMENT_H
#define USHER_ARGUMENT_H

#include "fmgr.h"
#include "utils/array.h"

/* Raises 22004 when argument n, by the name of which it is called, is null. */
extern void argument_require(FunctionCallInfo fcinfo, int n, const char *name);

/* A group's name; raises 22023 when no group can have it. */
extern const char *argument_group(Datum datum);

/* The same for an array (text[]), whose elements must not be null (22004). */
extern const char **argument_groups(ArrayType *array, int *count);

#endif /* USHER_ARGUMENT_H */
