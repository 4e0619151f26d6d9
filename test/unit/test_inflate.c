/*-------------------------------------------------------------------------
 *
 * test_inflate.c
 *	  Decompression within a limit.
 *
 *-------------------------------------------------------------------------
 */
#include "inflate.h"

#include <limits.h>
#include <stdint.h>

#include <zlib.h>

#include "check.h"
#include "starve.h"

#define MIB (1024 * 1024)

/* zlib.compress(b"foobar") of Python 3.11. */
static const uint8_t foobar[] = {0x78, 0x9c, 0x4b, 0xcb, 0xcf, 0x4f, 0x4a,
								 0x2c, 0x02, 0x00, 0x08, 0xab, 0x02, 0x7a};

/* A copy without a byte behind it, so that the sanitizer sees one read more. */
static InflateStatus
inflate_bytes(const void *in, size_t len, size_t max, char **out,
			  size_t *out_len)
{
	uint8_t		 *copy = malloc(len > 0 ? len : 1);
	InflateStatus status;

	memcpy(copy, in, len);
	status = inflate_zlib(copy, len, max, out, out_len);
	free(copy);
	return status;
}

/* A stream of len bytes: noise does not shrink, the rest does. */
static uint8_t *
stream_of(size_t len, bool noise, uint8_t **plain, size_t *stream_len)
{
	uLongf	 room = compressBound(len);
	uint8_t *stream = malloc(room);
	uint32_t state = 1;

	*plain = malloc(len > 0 ? len : 1);
	for (size_t i = 0; i < len; i++)
	{
		state = state * 1664525 + 1013904223;
		(*plain)[i] = noise ? (uint8_t) (state >> 24) : 'x';
	}
	CHECK_INT(compress(stream, &room, *plain, len), Z_OK);
	*stream_len = room;
	return stream;
}

TEST(a_stream_of_python_is_decompressed)
{
	char  *out;
	size_t len;

	if (CHECK_INT(inflate_bytes(foobar, sizeof(foobar), 6, &out, &len),
				  INFLATE_OK))
	{
		CHECK_BYTES(out, len, "foobar", 6);
		free(out);
	}
}

TEST(bytes_behind_the_stream_are_ignored_as_in_python)
{
	uint8_t in[sizeof(foobar) + 3] = {0};
	char   *out;
	size_t	len;

	memcpy(in, foobar, sizeof(foobar));
	if (CHECK_INT(inflate_bytes(in, sizeof(in), 100, &out, &len), INFLATE_OK))
	{
		CHECK_BYTES(out, len, "foobar", 6);
		free(out);
	}
}

TEST(every_stream_that_is_cut_short_is_corrupt)
{
	for (size_t n = 0; n < sizeof(foobar); n++)
	{
		char  *out;
		size_t len;

		check_at("%zu bytes", n);
		CHECK_INT(inflate_bytes(foobar, n, 100, &out, &len), INFLATE_CORRUPT);
	}
}

TEST(a_byte_changed_in_the_header_or_the_checksum_is_corrupt)
{
	static const size_t places[] = {0, 1, 10, 11, 12, 13};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
	{
		uint8_t in[sizeof(foobar)];
		char   *out;
		size_t	len;

		check_at("byte %zu", places[i]);
		memcpy(in, foobar, sizeof(in));
		in[places[i]] ^= 1;
		CHECK_INT(inflate_bytes(in, sizeof(in), 100, &out, &len),
				  INFLATE_CORRUPT);
	}
}

TEST(raw_deflate_gzip_and_a_preset_dictionary_are_corrupt)
{
	static const uint8_t gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00,
								   0x00, 0x02, 0xff, 0x4b, 0xcb, 0xcf, 0x4f,
								   0x4a, 0x2c, 0x02, 0x00, 0x95, 0x1f, 0xf6,
								   0x9e, 0x06, 0x00, 0x00, 0x00};
	static const uint8_t dictionary[] = {0x78, 0xbb, 0x08, 0xab, 0x02, 0x7a,
										 0x4b, 0xcb, 0xcf, 0x4f, 0x4a, 0x2c,
										 0x02, 0x00, 0x08, 0xab, 0x02, 0x7a};
	char				*out;
	size_t				 len;

	CHECK_INT(inflate_bytes(foobar + 2, sizeof(foobar) - 6, 100, &out, &len),
			  INFLATE_CORRUPT);
	CHECK_INT(inflate_bytes(gzip, sizeof(gzip), 100, &out, &len),
			  INFLATE_CORRUPT);
	CHECK_INT(inflate_bytes(dictionary, sizeof(dictionary), 100, &out, &len),
			  INFLATE_CORRUPT);
}

TEST(streams_of_every_size_come_out_whole_up_to_the_limit_and_not_beyond)
{
	static const size_t sizes[] = {0,	 1,		255,   256,	  257,	 1000,
								   4096, 32767, 32768, 32769, 65536, 300000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		for (int noise = 0; noise < 2; noise++)
		{
			size_t	 in_len;
			uint8_t *plain;
			uint8_t *in = stream_of(sizes[i], noise, &plain, &in_len);
			char	*out;
			size_t	 len;

			check_at("%zu bytes of %s", sizes[i], noise ? "noise" : "x");
			if (CHECK_INT(inflate_bytes(in, in_len, sizes[i], &out, &len),
						  INFLATE_OK))
			{
				CHECK_BYTES(out, len, plain, sizes[i]);
				free(out);
			}
			if (sizes[i] > 0)
				CHECK_INT(inflate_bytes(in, in_len, sizes[i] - 1, &out, &len),
						  INFLATE_TOO_LARGE);
			free(in);
			free(plain);
		}
	}
}

/* 16 KiB that say they are 16 MiB: memory is asked for up to the limit only,
 * and growing to it takes few steps. */
TEST(a_stream_that_inflates_a_thousandfold_stops_at_the_limit)
{
	size_t	 in_len;
	uint8_t *plain;
	uint8_t *in = stream_of(16 * MIB, false, &plain, &in_len);
	char	*out;
	size_t	 len;

	CHECK(in_len < 20000);
	CHECK_INT(inflate_bytes(in, in_len, 4 * MIB, &out, &len),
			  INFLATE_TOO_LARGE);
	starve_after = 12;
	CHECK_INT(inflate_zlib(in, in_len, 4 * MIB, &out, &len), INFLATE_TOO_LARGE);
	starve_after = -1;
	free(in);
	free(plain);
}

TEST(lengths_that_zlib_cannot_count_are_too_large)
{
	char  *out;
	size_t len;

	CHECK_INT(inflate_zlib(foobar, (size_t) UINT_MAX + 1, 100, &out, &len),
			  INFLATE_TOO_LARGE);
	CHECK_INT(inflate_zlib(foobar, sizeof(foobar), UINT_MAX, &out, &len),
			  INFLATE_TOO_LARGE);
}

TEST(every_allocation_that_fails_is_told_and_nothing_leaks)
{
	size_t		  in_len;
	uint8_t		 *plain;
	uint8_t		 *in = stream_of(300000, false, &plain, &in_len);
	InflateStatus status = INFLATE_NO_MEMORY;
	long		  succeed = 0;

	for (; status == INFLATE_NO_MEMORY && succeed < 30; succeed++)
	{
		char  *out;
		size_t len;

		check_at("%ld allocations", succeed);
		starved = false;
		starve_after = succeed;
		status = inflate_zlib(in, in_len, MIB, &out, &len);
		starve_after = -1;
		CHECK_INT(starved, status == INFLATE_NO_MEMORY);
		if (status == INFLATE_OK)
			free(out);
	}
	CHECK_INT(status, INFLATE_OK);
	/* The first guess and more than once a bigger one. */
	CHECK(succeed > 3);
	free(in);
	free(plain);
}

TEST_MAIN()
