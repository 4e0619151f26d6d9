/*-------------------------------------------------------------------------
 *
 * user_key.h
 *	  The text of a user id as the key of Django's user table.
 *	  Pure: no postgres.h.
 *
 * PostgreSQL's own casts raise errors and accept blanks, signs and braces;
 * these accept what Django itself would print, and say no to the rest.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_USER_KEY_H
#define USHER_USER_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_KEY_UUID_BYTES 16

/*
 * user_key_parse_integer
 *		Read ^-?[0-9]+$ with a value from min to max.
 */
extern bool user_key_parse_integer(const char *text, size_t len, int64_t min,
								   int64_t max, int64_t *value);

/*
 * user_key_parse_uuid
 *		Read 32 hexadecimal digits of either case, bare or with dashes after
 *		the 8th, 12th, 16th and 20th.
 */
extern bool user_key_parse_uuid(const char *text, size_t len,
								uint8_t value[USER_KEY_UUID_BYTES]);

#endif /* USHER_USER_KEY_H */
