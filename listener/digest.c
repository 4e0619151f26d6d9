/*-------------------------------------------------------------------------
 *
 * digest.c
 *	  SHA-1 and base64 for the handshake, by OpenSSL.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>

#include <openssl/evp.h>

#include "digest.h"

bool
digest_sha1(uint8_t out[DIGEST_SHA1_LEN], const void *bytes, size_t len)
{
	return EVP_Digest(bytes, len, out, NULL, EVP_sha1(), NULL) == 1;
}

size_t
digest_base64(char *out, const void *bytes, size_t len)
{
	/* EVP_EncodeBlock counts in int; nothing we encode comes near. */
	if (len > INT_MAX / 2)
	{
		out[0] = '\0';
		return 0;
	}
	return (size_t) EVP_EncodeBlock((unsigned char *) out,
									(const unsigned char *) bytes, (int) len);
}
