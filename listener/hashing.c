/*-------------------------------------------------------------------------
 *
 * hashing.c
 *	  A keyed hash for tables whose keys come from outside.
 *
 *-------------------------------------------------------------------------
 */
#include "hashing.h"

#include <sys/random.h>
#include <time.h>

#define ROTATE_LEFT(x, bits) (((x) << (bits)) | ((x) >> (64 - (bits))))

#define SIP_ROUND(v)                                                           \
	do                                                                         \
	{                                                                          \
		v[0] += v[1];                                                          \
		v[1] = ROTATE_LEFT(v[1], 13) ^ v[0];                                   \
		v[0] = ROTATE_LEFT(v[0], 32);                                          \
		v[2] += v[3];                                                          \
		v[3] = ROTATE_LEFT(v[3], 16) ^ v[2];                                   \
		v[0] += v[3];                                                          \
		v[3] = ROTATE_LEFT(v[3], 21) ^ v[0];                                   \
		v[2] += v[1];                                                          \
		v[1] = ROTATE_LEFT(v[1], 17) ^ v[2];                                   \
		v[2] = ROTATE_LEFT(v[2], 32);                                          \
	} while (0)

HashSeed
hash_seed(void)
{
	HashSeed seed;

	/*
	 * 16 bytes never come short or interrupted once the kernel's pool is
	 * ready (getrandom(2)).  A kernel without the call gets a seed that is
	 * merely hard to guess, which costs speed at worst.
	 */
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t) sizeof(seed))
	{
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		seed.k0 = (uint64_t) now.tv_sec << 32 ^ (uint64_t) now.tv_nsec;
		seed.k1 = (uint64_t) (uintptr_t) &seed;
	}
	return seed;
}

/* The hash must be the same on every machine for its test vectors. */
static uint64_t
load_little_endian(const uint8_t *bytes, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t) bytes[i] << (8 * i);
	return word;
}

unsigned
hash_bytes(HashSeed seed, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t		   left = len;
	uint64_t	   word;
	uint64_t v[4] = {seed.k0 ^ 0x736f6d6570736575, seed.k1 ^ 0x646f72616e646f6d,
					 seed.k0 ^ 0x6c7967656e657261,
					 seed.k1 ^ 0x7465646279746573};

	for (; left >= 8; at += 8, left -= 8)
	{
		word = load_little_endian(at, 8);
		v[3] ^= word;
		SIP_ROUND(v);
		v[0] ^= word;
	}

	word = load_little_endian(at, left) | (uint64_t) len << 56;
	v[3] ^= word;
	SIP_ROUND(v);
	v[0] ^= word;

	v[2] ^= 0xff;
	SIP_ROUND(v);
	SIP_ROUND(v);
	SIP_ROUND(v);

	word = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (unsigned) (word ^ word >> 32);
}
