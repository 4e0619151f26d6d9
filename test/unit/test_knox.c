/*-------------------------------------------------------------------------
 *
 * test_knox.c
 *	  Keys and digests of django-rest-knox's tokens.
 *
 * Tokens and digests are those of the cases knox_v3_ok, knox_v3_two_candidates,
 * knox_v4_ok, knox_v4_hex_case_after_key, knox_v5_ok and knox_v5_prefix of
 * test/vectors/vectors.json, made by knox 4.1, 4.2 and 5.0.
 *
 *-------------------------------------------------------------------------
 */
#include "knox.h"

#include "check.h"

#define TOKEN "78b257570112104b009090aaa67b75b70b21f625b57faaa0a3beafcd03bcec78"
#define OTHER "78b2575701121047d10de8554ed5ca40f9d0f0e0f4375b5b338af3fb96d33c9b"
#define SALT "0011223344556677"
#define OTHER_SALT "8899aabbccddeeff"
#define DIGEST_V3                                                              \
	"fe7dc94553f188571a1b256645476110ca35f8e016fc8a34a3c88f76f7d76947"         \
	"76da7831ebc024104be021ff9bf71b75c8db1283b17a2ad5c4e7d26696a7d586"
#define OTHER_DIGEST_V3                                                        \
	"8caab77f6f492baeaf909321bf48cf16f1ad48f595b2d32440f1b4d57ba61edb"         \
	"b4585eb17cb5feb10f2cb5ba680cf5175eb17ff764c13b511b89125cf2b296bd"
#define DIGEST_V4                                                              \
	"ef7e25b8c602257b225cbb56c882a7166b6b4d8a09480151c1409eaa17be4965"         \
	"4ac21d183899c366e589ac0a97c0d047d64d94e56356c439bb48bcb752eb57fa"
#define DIGEST_V5                                                              \
	"9eeb21cec25d32602f1d9c04d6cd0c9c4dc4fb63006dab5984baba5f53a92db2"         \
	"73f1f3ee2deef1d7b4edc9198a861f4a851b8a4197367acee57829c349fad94b"
#define PREFIX_DIGEST_V5                                                       \
	"15a4adc38b9b92cf06eef630d1e86614e4bec09a32c0aa07a618675f10527ed3"         \
	"0384313d435db7cfd326030bc6718e643da55aaa4b05ffc881c10cc847314494"

static bool
matches(KnoxFormat format, const char *token, const char *salt,
		const char *digest)
{
	return knox_digest_matches(format, CRYPTO_SHA512, token, strlen(token),
							   salt, digest);
}

TEST(the_token_key_is_the_first_8_characters_and_15_from_5_0_on)
{
	CHECK_INT(knox_token_key(KNOX_V3, TOKEN, 64), 8);
	CHECK_INT(knox_token_key(KNOX_V4, TOKEN, 64), 8);
	CHECK_INT(knox_token_key(KNOX_V5, TOKEN, 64), 15);
}

TEST(the_key_of_a_shorter_token_is_the_token)
{
	CHECK_INT(knox_token_key(KNOX_V4, TOKEN, 8), 8);
	CHECK_INT(knox_token_key(KNOX_V4, TOKEN, 7), 7);
	CHECK_INT(knox_token_key(KNOX_V5, TOKEN, 15), 15);
	CHECK_INT(knox_token_key(KNOX_V5, TOKEN, 14), 14);
	CHECK_INT(knox_token_key(KNOX_V5, "", 0), 0);
}

TEST(the_key_counts_characters_not_bytes)
{
	/* Seven times e acute, a key sign, more. */
	static const char text[] =
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xf0\x9f\x94\x91\xe2\x82\xac";

	CHECK_INT(knox_token_key(KNOX_V4, text, sizeof(text) - 1), 18);
	CHECK_INT(knox_token_key(KNOX_V4, text, 18), 18);
	CHECK_INT(knox_token_key(KNOX_V5, text, sizeof(text) - 1), 21);
}

TEST(a_token_beyond_the_limit_has_no_key_and_matches_nothing)
{
	char	   token[KNOX_TOKEN_MAX + 2];
	char	   hex[2 * CRYPTO_HASH_MAX_BYTES + 1];
	uint8_t	   hash[CRYPTO_HASH_MAX_BYTES];
	CryptoPart part = {token, 0};

	memset(token, 'a', sizeof(token));
	for (part.len = KNOX_TOKEN_MAX; part.len <= KNOX_TOKEN_MAX + 2;
		 part.len += 2)
	{
		bool allowed = part.len == KNOX_TOKEN_MAX;

		check_at("%zu bytes", part.len);
		CHECK(crypto_hash(CRYPTO_SHA512, &part, 1, hash));
		crypto_hex(hash, 64, hex);
		CHECK_INT(knox_token_key(KNOX_V5, token, part.len), allowed ? 15 : 0);
		CHECK_INT(knox_digest_matches(KNOX_V5, CRYPTO_SHA512, token, part.len,
									  NULL, hex),
				  allowed);
		CHECK(!knox_digest_matches(KNOX_V4, CRYPTO_SHA512, token, part.len,
								   NULL, hex));
	}
}

TEST(a_token_of_the_greatest_length_is_unhexlified_whole)
{
	char	   token[KNOX_TOKEN_MAX];
	uint8_t	   bytes[KNOX_TOKEN_MAX / 2];
	char	   hex[2 * CRYPTO_HASH_MAX_BYTES + 1];
	uint8_t	   hash[CRYPTO_HASH_MAX_BYTES];
	CryptoPart part = {bytes, sizeof(bytes)};

	memset(token, 'a', sizeof(token));
	memset(bytes, 0xaa, sizeof(bytes));
	CHECK(crypto_hash(CRYPTO_SHA512, &part, 1, hash));
	crypto_hex(hash, 64, hex);
	CHECK(knox_digest_matches(KNOX_V4, CRYPTO_SHA512, token, sizeof(token),
							  NULL, hex));
}

TEST(each_version_s_own_digest_matches_and_no_other_version_s)
{
	static const struct
	{
		KnoxFormat	format;
		const char *digest;
	} rows[] = {
		{KNOX_V3, DIGEST_V3}, {KNOX_V4, DIGEST_V4}, {KNOX_V5, DIGEST_V5}};

	for (size_t i = 0; i < 3; i++)
	{
		for (size_t j = 0; j < 3; j++)
		{
			check_at("format %zu, digest %zu", i, j);
			CHECK_INT(matches(rows[i].format, TOKEN, SALT, rows[j].digest),
					  i == j);
		}
		check_at("format %zu", i);
		CHECK(!matches(rows[i].format, OTHER, SALT, rows[i].digest));
	}
}

TEST(before_4_2_the_row_s_salt_counts)
{
	CHECK(matches(KNOX_V3, OTHER, OTHER_SALT, OTHER_DIGEST_V3));
	CHECK(!matches(KNOX_V3, TOKEN, OTHER_SALT, DIGEST_V3));
	CHECK(!matches(KNOX_V3, OTHER, SALT, OTHER_DIGEST_V3));
	CHECK(!matches(KNOX_V3, TOKEN, "", DIGEST_V3));
}

TEST(a_salt_that_is_missing_odd_long_or_no_hex_matches_nothing)
{
	static const char *const salts[] = {
		NULL, "001122334455667", "001122334455667g", SALT "00", SALT SALT,
	};

	for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++)
	{
		check_at("%s", salts[i] != NULL ? salts[i] : "NULL");
		CHECK(!matches(KNOX_V3, TOKEN, salts[i], DIGEST_V3));
		/* The digest of 4.2 is what a salt of no bytes would give. */
		CHECK(!matches(KNOX_V3, TOKEN, salts[i], DIGEST_V4));
	}
}

TEST(the_case_of_hex_digits_matters_from_5_0_on_only)
{
	static const char upper[] =
		"78B257570112104B009090AAA67B75B70B21F625B57FAAA0A3BEAFCD03BCEC78";

	CHECK(matches(KNOX_V3, upper, SALT, DIGEST_V3));
	CHECK(matches(KNOX_V4, upper, NULL, DIGEST_V4));
	CHECK(!matches(KNOX_V5, upper, NULL, DIGEST_V5));
}

TEST(what_is_no_hex_matches_nothing_before_5_0)
{
	static const char *const tokens[] = {
		"",
		"7",
		"78b257570112104b009090aaa67b75b70b21f625b57faaa0a3beafcd03bcec7",
		"78b257570112104b009090aaa67b75b70b21f625b57faaa0a3beafcd03bcec7g",
		"g8b257570112104b009090aaa67b75b70b21f625b57faaa0a3beafcd03bcec78",
		" 8b257570112104b009090aaa67b75b70b21f625b57faaa0a3beafcd03bcec78",
		TOKEN " ",
		TOKEN "0",
		TOKEN "00",
		"pfx_" TOKEN,
	};

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		check_at("\"%s\"", tokens[i]);
		CHECK(!matches(KNOX_V3, tokens[i], SALT, DIGEST_V3));
		CHECK(!matches(KNOX_V4, tokens[i], NULL, DIGEST_V4));
	}
}

TEST(two_characters_stand_for_a_byte_only_if_both_are_hex)
{
	static const char *const tokens[] = {
		"7g", "g7", "gg", "7G", "7/", "7:", "7@", "7`", "@7", "7", "7 7"};
	char digests[256][2 * CRYPTO_HASH_MAX_BYTES + 1];

	for (int i = 0; i < 256; i++)
	{
		uint8_t	   byte = (uint8_t) i;
		uint8_t	   hash[CRYPTO_HASH_MAX_BYTES];
		CryptoPart part = {&byte, 1};
		char	   token[3];

		CHECK(crypto_hash(CRYPTO_SHA512, &part, 1, hash));
		crypto_hex(hash, 64, digests[i]);
		check_at("byte %d", i);
		snprintf(token, sizeof(token), "%02x", (unsigned) i);
		CHECK(matches(KNOX_V4, token, NULL, digests[i]));
		snprintf(token, sizeof(token), "%02X", (unsigned) i);
		CHECK(matches(KNOX_V4, token, NULL, digests[i]));
	}
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		check_at("%s", tokens[i]);
		for (int j = 0; j < 256; j++)
			CHECK(!matches(KNOX_V4, tokens[i], NULL, digests[j]));
	}
}

TEST(a_prefix_is_part_of_the_token)
{
	CHECK(matches(KNOX_V5, "pfx_" TOKEN, NULL, PREFIX_DIGEST_V5));
	CHECK(!matches(KNOX_V5, TOKEN, NULL, PREFIX_DIGEST_V5));
	CHECK_INT(knox_token_key(KNOX_V5, "pfx_" TOKEN, 68),
			  strlen("pfx_78b25757011"));
}

/* SHA-512 of nothing, of FIPS 180's examples. */
TEST(no_token_matches_no_digest_not_even_that_of_nothing)
{
	CHECK(!matches(KNOX_V5, "", NULL,
				   "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921"
				   "d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81"
				   "a538327af927da3e"));
}

TEST(the_digest_is_compared_as_text_of_its_whole_length)
{
	char digest[] = DIGEST_V5;

	CHECK(!matches(KNOX_V5, TOKEN, NULL, ""));
	CHECK(!matches(KNOX_V5, TOKEN, NULL, DIGEST_V5 "0"));
	for (size_t i = 0; i < sizeof(digest) - 1; i++)
	{
		check_at("character %zu", i);
		digest[i] = digest[i] == '0' ? '1' : '0';
		CHECK(!matches(KNOX_V5, TOKEN, NULL, digest));
		digest[i] = DIGEST_V5[i];
	}
	/* An upper-case digit is another text. */
	digest[1] = 'E';
	CHECK(!matches(KNOX_V5, TOKEN, NULL, digest));
	digest[1] = 'e';
	CHECK(matches(KNOX_V5, TOKEN, NULL, digest));
	digest[127] = '\0';
	CHECK(!matches(KNOX_V5, TOKEN, NULL, digest));
}

/* hashlib.sha3_512(TOKEN.encode()).hexdigest() of Python 3.11, sha256 alike. */
TEST(another_hash_may_be_configured)
{
	CHECK(knox_digest_matches(
		KNOX_V5, CRYPTO_SHA3_512, TOKEN, 64, NULL,
		"f8a4913eee9282319dd8e7b3c61d997d0f8e7ace035638086cdedfe1a827e88d"
		"7e6ecd4988ba113d2e2736aa0bd1af553ead0e6540a84b6b6795bafe6f7cb2b6"));
	CHECK(knox_digest_matches(
		KNOX_V5, CRYPTO_SHA256, TOKEN, 64, NULL,
		"90ed802b4cd2ba69633682c70da748cc2c89188da1b44350f3dbddd30b4f77e2"));
	CHECK(!knox_digest_matches(KNOX_V5, CRYPTO_SHA3_512, TOKEN, 64, NULL,
							   DIGEST_V5));
}

TEST_MAIN()
