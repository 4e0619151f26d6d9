/*-------------------------------------------------------------------------
 *
 * digest.h
 *	  SHA-1 and base64 for the handshake, by OpenSSL; TLS has its own room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_DIGEST_H
#define USHER_DIGEST_H

#include "common.h"

#define DIGEST_SHA1_LEN 20

/* Characters of base64 with padding for n bytes, without the NUL. */
#define DIGEST_BASE64_LEN(n) (((n) + 2) / 3 * 4)

/*
 * digest_sha1
 *		SHA-1 of len bytes; false when OpenSSL refuses or is out of memory.
 *
 * Only for the handshake (RFC 6455 section 4.2.2), which asks no security of
 * it.
 */
bool digest_sha1(uint8_t out[DIGEST_SHA1_LEN], const void *bytes,
				 size_t len) MUST_CHECK;

/*
 * digest_base64
 *		Base64 with padding (RFC 4648 section 4), NUL-terminated.
 *
 * out must hold DIGEST_BASE64_LEN(len) + 1 bytes.  Returns the length written.
 */
size_t digest_base64(char *out, const void *bytes, size_t len);

#endif
