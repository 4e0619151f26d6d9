/*-------------------------------------------------------------------------
 *
 * base64url.h
 *	  Base64 with the URL-safe alphabet and no padding (RFC 4648 section 5),
 *	  and as lenient as Python reads it.  Pure: no postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_BASE64URL_H
#define USHER_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that n bytes become, and bytes that n characters may become. */
#define BASE64URL_ENCODED_LEN(n) (((n) *4 + 2) / 3)
#define BASE64URL_DECODED_MAX(n) ((n) *3 / 4)

/*
 * base64url_encode
 *		Write BASE64URL_ENCODED_LEN(len) characters, not terminated; returns
 *		how many.
 */
extern size_t base64url_encode(const uint8_t *in, size_t len, char *out);

/*
 * base64url_decode
 *		Write at most BASE64URL_DECODED_MAX(len) bytes; *out_len says how many.
 *
 * Strict: one text for every byte string.  Returns false for a foreign
 * character, padding, a length of 4n + 1, or unused bits that are not zero.
 */
extern bool base64url_decode(const char *in, size_t len, uint8_t *out,
							 size_t *out_len);

typedef enum Base64Alphabet
{
	BASE64_STANDARD, /* '+' and '/', padding as it stands in the text */
	BASE64_URL_SAFE	 /* '-' and '_' as well, missing padding restored */
} Base64Alphabet;

/*
 * base64_decode_lenient
 *		What Python's base64.b64decode makes of a text (BASE64_STANDARD), or
 *		Django's b64_decode (BASE64_URL_SAFE, django/core/signing.py).
 *
 * Skips foreign characters, ends at the padding and ignores unused bits: many
 * texts for every byte string, so only for what is authenticated otherwise,
 * and not in constant time.  Writes at most BASE64URL_DECODED_MAX(len) bytes;
 * *out_len says how many.
 */
extern bool base64_decode_lenient(Base64Alphabet alphabet, const char *in,
								  size_t len, uint8_t *out, size_t *out_len);

#endif /* USHER_BASE64URL_H */
