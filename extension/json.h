/*-------------------------------------------------------------------------
 *
 * json.h
 *	  Members of a JSON object, as Python's json module would read them.
 *	  Pure: no postgres.h.
 *
 * PostgreSQL's own parsers refuse documents in which nothing that we need is
 * wrong: an escaped NUL or half of a surrogate pair anywhere, NaN and
 * Infinity.  This one checks the whole document against Python's grammar
 * (json.loads) and hands out the members that were asked for, unescaped only
 * then.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_JSON_H
#define USHER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arrays and objects inside one another; Python itself ends near 1000. */
#define JSON_MAX_DEPTH 512

typedef enum JsonCharset
{
	JSON_UTF8,	/* the text must be valid UTF-8 without a byte order mark */
	JSON_LATIN1 /* each byte is a character, as Django reads sessions */
} JsonCharset;

typedef enum JsonType
{
	JSON_ABSENT, /* the object has no such member */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_INTEGER,	/* -?digits, of any length */
	JSON_FRACTION,	/* a number with a fraction or an exponent */
	JSON_NONFINITE, /* NaN, Infinity or -Infinity, which Python writes */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonType;

/* A value where it stands in the document: nothing is copied. */
typedef struct JsonValue
{
	JsonType	type;
	const char *text; /* of a string: between the quotes, still escaped; of an
					   * array or object: with its brackets */
	size_t len;
} JsonValue;

/* A member that is asked for by its name (NUL-terminated, ASCII). */
typedef struct JsonMember
{
	const char *name;
	JsonValue	value;
} JsonMember;

typedef enum JsonStatus
{
	JSON_OK,
	JSON_INVALID,		/* not JSON, or deeper than JSON_MAX_DEPTH */
	JSON_NOT_AN_OBJECT, /* JSON, but something else at the top */
	JSON_NO_MEMORY		/* only when duplicates are asked for */
} JsonStatus;

/*
 * json_read_object
 *		Read a document that is one object; fills in members[].value.
 *
 * Names are compared after unescaping; of two equal names the last counts, as
 * in Python.  *duplicate (may be NULL) becomes true when two names of the
 * outermost object are equal after unescaping, wanted or not.  White space
 * around the object is allowed, anything else is not.  Unless JSON_OK, every
 * member is JSON_ABSENT.
 *
 * Takes time linear in len whatever the document, and with duplicate a factor
 * of the logarithm of the number of names; allocates only with duplicate and
 * more names than tokens have.
 */
extern JsonStatus json_read_object(const char *text, size_t len,
								   JsonCharset encoding, JsonMember *members,
								   size_t nmembers, bool *duplicate);

/*
 * json_read_string
 *		Unescape a JSON_STRING into UTF-8 and a NUL; *out_len does not count
 *		that.
 *
 * Returns false, and leaves out empty, for another type, or when it holds what
 * a PostgreSQL text cannot (U+0000, half of a surrogate pair) or does not fit
 * cap bytes with the NUL; len + 1 bytes always suffice for JSON_UTF8,
 * 2 * len + 1 for JSON_LATIN1.  For JSON_UTF8 out may be value->text itself:
 * no character becomes longer by being unescaped.
 */
extern bool json_read_string(const JsonValue *value, JsonCharset encoding,
							 char *out, size_t cap, size_t *out_len);

/*
 * json_string_equals
 *		Whether a value is a string equal, after unescaping, to a
 *		NUL-terminated text in UTF-8.
 */
extern bool json_string_equals(const JsonValue *value, JsonCharset encoding,
							   const char *text);

/*
 * json_array_next
 *		The next element of a JSON_ARRAY from a document that json_read_object
 *		accepted; *position starts as 0.  Returns false behind the last one.
 */
extern bool json_array_next(const JsonValue *array, size_t *position,
							JsonValue *element);

#endif /* USHER_JSON_H */
