/*-------------------------------------------------------------------------
 *
 * cookie.h
 *	  One cookie out of a Cookie header, as Django and Channels read it.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_COOKIE_H
#define USHER_COOKIE_H

#include "common.h"

/*
 * cookie_find
 *		The value of the named cookie, as UTF-8 (not terminated).
 *
 * name is not empty, and without blanks; header.ptr is NULL when the request
 * has no Cookie.
 *
 * django/http/cookie.py, parse_cookie: cut at every ';', then at the first
 * '='; blanks around name and value do not count; names with case; the last of
 * several wins; a value in double quotes loses them and its backslash escapes.
 * No percent-decoding.  The header is Latin-1, as in Channels.  Returns the
 * value's length; -1 when there is no such cookie; -2 when the value does not
 * fit cap bytes.
 */
long cookie_find(Slice header, const char *name, char *out,
				 size_t cap) MUST_CHECK;

#endif
