/*-------------------------------------------------------------------------
 *
 * utf8.c
 *	  Text of this database as UTF-8 and back, without an error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "utf8.h"

static bool
is_ascii(const char *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(bytes[i]))
			return false;
	}
	return true;
}

static const char *
convert(const char *bytes, size_t len, int from, int to, size_t *out_len)
{
	size_t		   room = len * MAX_CONVERSION_GROWTH + 1;
	unsigned char *out;
	Oid			   procedure;

	if (out_len != NULL)
		*out_len = len;
	if (from == to || from == PG_SQL_ASCII || to == PG_SQL_ASCII ||
		is_ascii(bytes, len))
		return bytes;
	procedure = FindDefaultConversionProc(from, to);
	if (!OidIsValid(procedure) ||
		len > MaxAllocSize / MAX_CONVERSION_GROWTH - 1)
		return NULL;
	out = palloc(room);
	/* With noError it stops at what it cannot convert. */
	if (pg_do_encoding_conversion_buf(
			procedure, from, to, (unsigned char *) unconstify(char *, bytes),
			(int) len, out, (int) room, true) != (int) len)
		return NULL;
	if (out_len != NULL)
		*out_len = strlen((char *) out);
	return (char *) out;
}

const char *
utf8_from_server(const char *bytes, size_t len, size_t *out_len)
{
	return convert(bytes, len, GetDatabaseEncoding(), PG_UTF8, out_len);
}

const char *
utf8_to_server(const char *bytes, size_t len, size_t *out_len)
{
	return convert(bytes, len, PG_UTF8, GetDatabaseEncoding(), out_len);
}
