/*-------------------------------------------------------------------------
 *
 * session_key.h
 *	  Session keys: 256 random bits as text, of which we keep only the hash.
 *	  Pure: no postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_SESSION_KEY_H
#define USHER_SESSION_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

#define SESSION_KEY_RANDOM_BYTES 32
#define SESSION_KEY_LEN 43 /* base64url of 32 bytes */

typedef enum SessionKeyStatus
{
	SESSION_KEY_OK,
	SESSION_KEY_MALFORMED,	 /* no text that session_key_format writes */
	SESSION_KEY_CRYPTO_ERROR /* the hash could not be computed */
} SessionKeyStatus;

/*
 * session_key_format
 *		Write the key's SESSION_KEY_LEN characters and a NUL.
 */
extern void session_key_format(const uint8_t random[SESSION_KEY_RANDOM_BYTES],
							   char			 key[SESSION_KEY_LEN + 1]);

/*
 * session_key_hash
 *		The SHA-256 under which a key is stored, of its text.
 */
extern SessionKeyStatus session_key_hash(const char *key, size_t len,
										 uint8_t hash[CRYPTO_SHA256_BYTES]);

#endif /* USHER_SESSION_KEY_H */
