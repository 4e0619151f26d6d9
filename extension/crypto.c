/*-------------------------------------------------------------------------
 *
 * crypto.c
 *	  Hashes, comparison and wiping of secrets, by OpenSSL's libcrypto.
 *
 * Every OpenSSL object is created and freed inside one function that calls
 * nothing able to ereport.  OpenSSL's error queue is shared with the
 * backend's TLS code, so it is left as clean as it was found.
 *
 *-------------------------------------------------------------------------
 */
#include "crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

bool
crypto_sha256(const CryptoPart *parts, size_t nparts,
			  uint8_t out[CRYPTO_SHA256_BYTES])
{
	bool		ok = false;
	size_t		i;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		goto done;
	for (i = 0; i < nparts; i++)
	{
		if (EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) != 1)
			goto done;
	}
	ok = EVP_DigestFinal_ex(ctx, out, NULL) == 1;

done:
	EVP_MD_CTX_free(ctx); /* accepts NULL */
	if (!ok)
		ERR_clear_error();
	return ok;
}

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
crypto_wipe(void *secret, size_t len)
{
	OPENSSL_cleanse(secret, len);
}

void
crypto_hex(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t			  i;

	for (i = 0; i < len; i++)
	{
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * len] = '\0';
}

bool
crypto_unhex(const char *in, size_t in_len, uint8_t *out, size_t len)
{
	size_t i;

	if (in_len != 2 * len)
		return false;
	for (i = 0; i < in_len; i++)
	{
		unsigned v;

		if (in[i] >= '0' && in[i] <= '9')
			v = (unsigned) (in[i] - '0');
		else if (in[i] >= 'a' && in[i] <= 'f')
			v = (unsigned) (in[i] - 'a') + 10;
		else
			return false;
		if (i % 2 == 0)
			out[i / 2] = (uint8_t) (v << 4);
		else
			out[i / 2] |= (uint8_t) v;
	}
	return true;
}
