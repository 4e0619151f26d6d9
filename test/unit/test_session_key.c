/*-------------------------------------------------------------------------
 *
 * test_session_key.c
 *	  Session keys: their form and the hash under which they are stored.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "session_key.h"

/* 43 times 'A' is the key of 32 zero bytes. */
#define ZERO_KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static SessionKeyStatus
status_of(const char *key)
{
	uint8_t hash[CRYPTO_SHA256_BYTES];

	return session_key_hash(key, strlen(key), hash);
}

TEST(thirty_two_bytes_become_forty_three_characters)
{
	uint8_t random[SESSION_KEY_RANDOM_BYTES] = {0};
	char	key[SESSION_KEY_LEN + 1];

	memset(key, 'x', sizeof(key));
	session_key_format(random, key);
	CHECK_STR(key, ZERO_KEY);
	memset(random, 0xff, sizeof(random));
	session_key_format(random, key);
	CHECK_STR(key, "__________________________________________8");
}

TEST(the_hash_is_the_sha_256_of_the_text)
{
	uint8_t hash[CRYPTO_SHA256_BYTES];
	char	hex[CRYPTO_SHA256_HEX + 1];

	CHECK_INT(session_key_hash(ZERO_KEY, SESSION_KEY_LEN, hash),
			  SESSION_KEY_OK);
	crypto_hex(hash, sizeof(hash), hex);
	/* printf %s AAA...A | sha256sum */
	CHECK_STR(
		hex,
		"0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a");
}

TEST(every_bit_of_the_random_bytes_changes_the_key_and_its_hash)
{
	for (int bit = 0; bit < 8 * SESSION_KEY_RANDOM_BYTES; bit++)
	{
		uint8_t random[SESSION_KEY_RANDOM_BYTES] = {0};
		uint8_t zero_hash[CRYPTO_SHA256_BYTES];
		uint8_t hash[CRYPTO_SHA256_BYTES];
		char	key[SESSION_KEY_LEN + 1];

		random[bit / 8] = (uint8_t) (1 << bit % 8);
		session_key_format(random, key);
		CHECK(strcmp(key, ZERO_KEY) != 0);
		CHECK_INT(session_key_hash(key, strlen(key), hash), SESSION_KEY_OK);
		session_key_hash(ZERO_KEY, SESSION_KEY_LEN, zero_hash);
		CHECK(!crypto_equal(hash, zero_hash, sizeof(hash)));
	}
}

TEST(what_no_key_looks_like_is_malformed)
{
	CHECK_INT(status_of(""), SESSION_KEY_MALFORMED);
	CHECK_INT(status_of(ZERO_KEY "A"), SESSION_KEY_MALFORMED);
	CHECK_INT(status_of(&ZERO_KEY[1]), SESSION_KEY_MALFORMED);
	CHECK_INT(status_of(ZERO_KEY "="), SESSION_KEY_MALFORMED);
	/* 40 hexadecimal digits: a token */
	CHECK_INT(status_of("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"),
			  SESSION_KEY_MALFORMED);
}

TEST(a_key_with_foreign_characters_is_malformed)
{
	for (int c = 0; c < 256; c++)
	{
		char	key[] = ZERO_KEY;
		uint8_t hash[CRYPTO_SHA256_BYTES];
		bool	is_digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
						(c >= '0' && c <= '9') || c == '-' || c == '_';

		check_at("character %d", c);
		key[20] = (char) c;
		CHECK_INT(session_key_hash(key, SESSION_KEY_LEN, hash),
				  is_digit ? SESSION_KEY_OK : SESSION_KEY_MALFORMED);
	}
}

TEST(a_key_has_no_second_spelling)
{
	/* The last character carries two bits that are unused and must be zero. */
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
								 "qrstuvwxyz0123456789-_";

	for (int i = 0; i < 64; i++)
	{
		char key[] = ZERO_KEY;

		check_at("last character %c", digits[i]);
		key[SESSION_KEY_LEN - 1] = digits[i];
		CHECK_INT(status_of(key),
				  i % 4 == 0 ? SESSION_KEY_OK : SESSION_KEY_MALFORMED);
	}
}

TEST_MAIN()
