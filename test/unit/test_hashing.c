/* The keyed hash, against values of another implementation. */
#include "check.h"
#include "hashing.h"

/*
 * Source: CPython 3.11.2, whose sys.hash_info.algorithm is siphash13 and whose
 * key is zero with PYTHONHASHSEED=0: hash(bytes), as 64 bits.
 */
TEST(the_hash_is_siphash_1_3_folded_to_32_bits)
{
	static const struct
	{
		const char *text;
		uint64_t	hash;
	} vector[] = {
		{"a", 0x407448d2b89b1813},
		{"app_1", 0xcffa8b0df6dfb954},
		{"12345678", 0x3489982430560a87},
		{"xxxxxxxxxxxxxxx", 0xd9623e714b290b4b},
		{"app_1234.users-of-the-house", 0xc3c6b5d3eac61c4c},
	};
	HashSeed zero = {0, 0};
	char	 counting[63];

	for (size_t i = 0; i < lengthof(vector); i++)
	{
		check_at("%s", vector[i].text);
		CHECK_INT(hash_bytes(zero, vector[i].text, strlen(vector[i].text)),
				  (unsigned) (vector[i].hash ^ vector[i].hash >> 32));
	}
	for (size_t i = 0; i < sizeof(counting); i++)
		counting[i] = (char) i;
	check_at("63 bytes");
	CHECK_INT(hash_bytes(zero, counting, sizeof(counting)), 0xddae4d60U);
}

TEST(another_seed_gives_another_hash)
{
	HashSeed one = {1, 0};
	HashSeed two = {0, 1};

	CHECK(hash_bytes(one, "app_1", 5) != hash_bytes(two, "app_1", 5));
	CHECK_INT(hash_bytes(one, "app_1", 5), hash_bytes(one, "app_1", 5));
}

TEST(two_seeds_are_not_the_same)
{
	HashSeed one = hash_seed();
	HashSeed two = hash_seed();

	CHECK(one.k0 != two.k0 || one.k1 != two.k1);
}

TEST_MAIN()
