/*-------------------------------------------------------------------------
 *
 * configtext.h
 *	  The text of a setting to its value, and back.  Pure.
 *
 * Only config.c uses this room; it knows forms of text, not settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CONFIGTEXT_H
#define USHER_CONFIGTEXT_H

#include "common.h"

/* A suffix and what it multiplies by; a table ends with a NULL name. */
typedef struct Unit
{
	const char *name;
	uint64_t	factor;
} Unit;

/* B, kB, MB, GB by 1024 as in PostgreSQL; the value is in bytes. */
extern const Unit byte_units[];

/* ms, s, min, h, d; the value is in milliseconds. */
extern const Unit duration_units[];

/* on, true, yes, 1 and their opposites, in any case. */
bool text_to_bool(const char *text, bool *value) MUST_CHECK;

/*
 * text_to_number
 *		A whole number with an optional unit after it, blanks between allowed.
 *
 * units NULL: no unit is allowed.  A bare number is in bare_unit, which is one
 *of units.  Returns false for anything else and for what passes 64 bits.
 */
bool text_to_number(const char *text, const Unit *units, const char *bare_unit,
					uint64_t *value) MUST_CHECK;

/* The shortest exact way to write value: 65536 is "64kB".  Returns out. */
const char *number_to_text(uint64_t value, const Unit *units, char *out,
						   size_t cap);

/*
 * conninfo_has_password
 *		True when a libpq connection string or URI carries a password.
 *
 * Only finds it: libpq alone says whether the string is correct.
 */
bool conninfo_has_password(const char *conninfo);

/* True when text is a token of RFC 9110 section 5.6.2, not empty. */
bool text_is_http_token(const char *text);

#endif
