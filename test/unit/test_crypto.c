/*-------------------------------------------------------------------------
 *
 * test_crypto.c
 *	  Hashes and hexadecimal digits of the extension.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "crypto.h"

static const char *
sha256_hex(const CryptoPart *parts, size_t nparts)
{
	static char hex[CRYPTO_SHA256_HEX + 1];
	uint8_t		hash[CRYPTO_SHA256_BYTES];

	if (!crypto_sha256(parts, nparts, hash))
		return "failed";
	crypto_hex(hash, sizeof(hash), hex);
	return hex;
}

TEST(sha_256_gives_the_examples_of_fips_180)
{
	CryptoPart abc = {"abc", 3};
	CryptoPart two_blocks = {
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56};

	CHECK_STR(
		sha256_hex(&abc, 1),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(
		sha256_hex(&two_blocks, 1),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	CHECK_STR(
		sha256_hex(NULL, 0),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(parts_are_hashed_as_if_they_were_one)
{
	CryptoPart parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};

	CHECK_STR(
		sha256_hex(parts, 3),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(hexadecimal_digits_are_read_back_and_nothing_else_is)
{
	uint8_t bytes[256];
	uint8_t back[256];
	char	hex[513];

	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t) i;
	crypto_hex(bytes, sizeof(bytes), hex);
	CHECK(crypto_unhex(hex, 512, back, sizeof(back)));
	CHECK_BYTES(back, sizeof(back), bytes, sizeof(bytes));

	CHECK(crypto_unhex("0aff", 4, back, 2));
	CHECK(!crypto_unhex("0aFf", 4, back, 2));
	CHECK(!crypto_unhex("0af", 3, back, 2));
	CHECK(!crypto_unhex("0aff0", 5, back, 2));
	CHECK(!crypto_unhex("0ag0", 4, back, 2));
	CHECK(!crypto_unhex("0a\0f", 4, back, 2));
	CHECK(!crypto_unhex("", 0, back, 2));
}

TEST(equality_looks_at_every_byte)
{
	uint8_t a[32] = {0};
	uint8_t b[32] = {0};

	CHECK(crypto_equal(a, b, sizeof(a)));
	for (int i = 0; i < 32; i++)
	{
		b[i] = 1;
		CHECK(!crypto_equal(a, b, sizeof(a)));
		b[i] = 0;
	}
}

TEST(a_wiped_secret_is_gone)
{
	char secret[] = "secret";
	char zeros[sizeof(secret)] = {0};

	crypto_wipe(secret, sizeof(secret));
	CHECK_BYTES(secret, sizeof(secret), zeros, sizeof(zeros));
}

TEST_MAIN()
