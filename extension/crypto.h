/*-------------------------------------------------------------------------
 *
 * crypto.h
 *	  Hashes, comparison and wiping of secrets.  Pure: no postgres.h.
 *
 * crypto.c is the only room of the extension with OpenSSL's headers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CRYPTO_H
#define USHER_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_SHA256_BYTES 32
#define CRYPTO_SHA256_HEX (2 * CRYPTO_SHA256_BYTES)

typedef struct CryptoPart
{
	const void *data;
	size_t		len;
} CryptoPart;

/*
 * crypto_sha256
 *		SHA-256 of the parts one after the other.
 *
 * Returns false only if OpenSSL has no SHA-256 or no memory.
 */
extern bool crypto_sha256(const CryptoPart *parts, size_t nparts,
						  uint8_t out[CRYPTO_SHA256_BYTES]);

/* Whether the bytes are equal, in time that depends on len alone. */
extern bool crypto_equal(const void *a, const void *b, size_t len);

/* Overwrite a secret in a way the compiler does not remove. */
extern void crypto_wipe(void *secret, size_t len);

/* Write 2 * len lower-case digits and a NUL. */
extern void crypto_hex(const uint8_t *in, size_t len, char *out);

/*
 * crypto_unhex
 *		Read exactly 2 * len lower-case digits, as crypto_hex writes them.
 */
extern bool crypto_unhex(const char *in, size_t in_len, uint8_t *out,
						 size_t len);

#endif /* USHER_CRYPTO_H */
