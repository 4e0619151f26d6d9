/*-------------------------------------------------------------------------
 *
 * session_key.c
 *	  Session keys: 256 random bits as text, of which we keep only the hash.
 *
 * A plain hash is enough: nobody can try 2^256 keys, so there is nothing
 * that a salt or a slow hash would make harder.
 *
 *-------------------------------------------------------------------------
 */
#include "session_key.h"

#include "base64url.h"

void
session_key_format(const uint8_t random[SESSION_KEY_RANDOM_BYTES],
				   char			 key[SESSION_KEY_LEN + 1])
{
	size_t n = base64url_encode(random, SESSION_KEY_RANDOM_BYTES, key);

	key[n] = '\0';
}

SessionKeyStatus
session_key_hash(const char *key, size_t len, uint8_t hash[CRYPTO_SHA256_BYTES])
{
	uint8_t	   bytes[BASE64URL_DECODED_MAX(SESSION_KEY_LEN)];
	size_t	   n;
	CryptoPart part = {key, len};
	bool	   well_formed;

	/* Spares the look-up for whatever cannot be a key. */
	well_formed = len == SESSION_KEY_LEN &&
				  base64url_decode(key, len, bytes, &n) &&
				  n == SESSION_KEY_RANDOM_BYTES;
	crypto_wipe(bytes, sizeof bytes);
	if (!well_formed)
		return SESSION_KEY_MALFORMED;
	if (!crypto_sha256(&part, 1, hash))
		return SESSION_KEY_CRYPTO_ERROR;
	return SESSION_KEY_OK;
}
