/*-------------------------------------------------------------------------
 *
 * knox.h
 *	  Tokens of django-rest-knox: under which key and digest they are stored.
 *	  Pure: no postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_KNOX_H
#define USHER_KNOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define KNOX_DIGEST_MAX 128 /* the column's length, hex */
#define KNOX_TOKEN_KEY_MAX 15
#define KNOX_TOKEN_MAX 1024 /* bytes; longer ones are looked up by nobody */

/* How the table is laid out, which tells the version that writes it. */
typedef enum KnoxFormat
{
	KNOX_V3, /* up to 4.1: a column salt */
	KNOX_V4, /* 4.2: no salt, token_key varchar(8) */
	KNOX_V5	 /* from 5.0: token_key varchar(25) */
} KnoxFormat;

/*
 * knox_token_key
 *		The part of a token that is stored in clear: its first 8 characters
 *		(KNOX_V5: 15).  Returns its length in bytes, which is less than that
 *		many only when the token is shorter, and more when it has characters
 *		of several bytes; 0 when the token is longer than KNOX_TOKEN_MAX.
 */
extern size_t knox_token_key(KnoxFormat format, const char *token, size_t len);

/*
 * knox_digest_matches
 *		Whether the token is the one of a stored row.
 *
 * salt is the row's for KNOX_V3, else ignored.  A token that is not hex, or
 * of odd length, matches nothing before KNOX_V5.  The digest is compared as
 * text, in constant time (knox/crypto.py, hash_token; knox/auth.py).
 */
extern bool knox_digest_matches(KnoxFormat format, CryptoHash hash,
								const char *token, size_t len, const char *salt,
								const char *digest);

#endif /* USHER_KNOX_H */
