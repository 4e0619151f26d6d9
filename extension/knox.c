/*-------------------------------------------------------------------------
 *
 * knox.c
 *	  Tokens of django-rest-knox: under which key and digest they are stored.
 *
 * Up to 4.2 the digest is of the bytes that a token's hex digits stand for,
 * so that their case does not matter behind the token key; from 5.0 on it is
 * of the characters, and it does.
 *
 *-------------------------------------------------------------------------
 */
#include "knox.h"

#include <string.h>

#define KNOX_SALT_MAX 16 /* the column's length, hex */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Python's unhexlify: digits of either case, two a byte. */
static bool
unhexlify(const char *text, size_t len, uint8_t *out)
{
	if (len % 2 != 0)
		return false;
	for (size_t i = 0; i < len; i += 2)
	{
		int high = hex_value(text[i]);
		int low = hex_value(text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8_t) (high << 4 | low);
	}
	return true;
}

size_t
knox_token_key(KnoxFormat format, const char *token, size_t len)
{
	int	   left = format == KNOX_V5 ? 15 : 8;
	size_t i;

	if (len > KNOX_TOKEN_MAX)
		return 0;
	for (i = 0; i < len; i++)
	{
		/* Every byte but UTF-8's continuation bytes begins a character. */
		if ((token[i] & 0xC0) != 0x80 && left-- == 0)
			break;
	}
	return i;
}

bool
knox_digest_matches(KnoxFormat format, CryptoHash hash, const char *token,
					size_t len, const char *salt, const char *digest)
{
	uint8_t	   bytes[KNOX_TOKEN_MAX / 2];
	uint8_t	   salt_bytes[KNOX_SALT_MAX / 2];
	uint8_t	   computed[CRYPTO_HASH_MAX_BYTES];
	char	   hex[2 * CRYPTO_HASH_MAX_BYTES + 1];
	CryptoPart parts[2] = {{token, len}, {NULL, 0}};
	size_t	   nparts = 1;
	bool	   matches = false;

	if (len == 0 || len > KNOX_TOKEN_MAX)
		return false;
	if (format != KNOX_V5)
	{
		if (!unhexlify(token, len, bytes))
			goto done;
		parts[0] = (CryptoPart){bytes, len / 2};
	}
	if (format == KNOX_V3)
	{
		size_t salt_len = salt != NULL ? strlen(salt) : SIZE_MAX;

		if (salt_len > KNOX_SALT_MAX || !unhexlify(salt, salt_len, salt_bytes))
			goto done;
		parts[nparts++] = (CryptoPart){salt_bytes, salt_len / 2};
	}
	if (!crypto_hash(hash, parts, nparts, computed))
		goto done;
	crypto_hex(computed, crypto_hash_bytes(hash), hex);
	matches =
		strlen(digest) == strlen(hex) && crypto_equal(digest, hex, strlen(hex));

done:
	crypto_wipe(bytes, sizeof(bytes));
	return matches;
}
