/*-------------------------------------------------------------------------
 *
 * argument.c
 *	  Arguments of SQL functions that must be right, or raise.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "argument.h"
#include "group.h"

/* At most this much of a wrong name is quoted: it may be a misplaced payload.
 */
#define QUOTED_NAME_BYTES 128

void
argument_require(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("argument \"%s\" must not be null", name));
}

const char *
argument_group(Datum datum)
{
	char *name = TextDatumGetCString(datum);
	int	  len = (int) strlen(name);

	if (!group_parse(name, len, NULL))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid group name \"%.*s\"",
					   pg_mbcliplen(name, len, QUOTED_NAME_BYTES), name),
				errhint("A group name is 1 to %d of the characters A-Z, a-z, "
						"0-9, \".\", \"_\" and \"-\".",
						GROUP_NAME_MAX));
	return name;
}

const char **
argument_groups(ArrayType *array, int *count)
{
	Datum		*datums;
	bool		*nulls;
	const char **names;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &datums, &nulls,
					  count);
	names = palloc(sizeof(*names) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("array of groups must not contain null"));
		names[i] = argument_group(datums[i]);
	}
	return names;
}
