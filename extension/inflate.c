/*-------------------------------------------------------------------------
 *
 * inflate.c
 *	  Decompression with a limit, by zlib.
 *
 * A stream is set up and taken down in every call: that was measured to cost
 * nothing beside the work itself (1.5 us for a login's row either way), and
 * so nothing is kept between calls.
 *
 *-------------------------------------------------------------------------
 */
#include "inflate.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#define ZLIB_CONST /* input is not written to */
#include <zlib.h>

/* Django's JSON shrinks to a half or a third: mostly enough at once. */
#define FIRST_GUESS(len) (4 * (len) + 256)

/* Make room for more output, at most limit bytes of it altogether. */
static bool
grow(z_stream *stream, char **out, size_t *cap, size_t limit)
{
	size_t bigger = *cap > limit / 2 ? limit : 2 * *cap;
	char  *moved = realloc(*out, bigger);

	if (moved == NULL)
		return false;
	*out = moved;
	stream->next_out = (Bytef *) moved + *cap;
	stream->avail_out = (uInt) (bigger - *cap);
	*cap = bigger;
	return true;
}

InflateStatus
inflate_zlib(const uint8_t *in, size_t len, size_t max, char **out,
			 size_t *out_len)
{
	InflateStatus status;
	z_stream	  stream = {0};
	char		 *buffer;
	size_t		  limit; /* one byte more than allowed shows what is larger */
	size_t		  cap;
	int			  result;

	/* zlib counts in unsigned int. */
	if (len > UINT_MAX / 8 || max >= UINT_MAX)
		return INFLATE_TOO_LARGE;
	limit = max + 1;
	cap = FIRST_GUESS(len) < limit ? FIRST_GUESS(len) : limit;
	buffer = malloc(cap);
	if (buffer == NULL)
		return INFLATE_NO_MEMORY;
	stream.next_in = in;
	stream.avail_in = (uInt) len;
	if (inflateInit(&stream) != Z_OK)
	{
		free(buffer);
		return INFLATE_NO_MEMORY;
	}
	stream.next_out = (Bytef *) buffer;
	stream.avail_out = (uInt) cap;

	/* Z_BUF_ERROR: more room is needed or, when there is room, more input. */
	while ((result = inflate(&stream, Z_FINISH)) == Z_BUF_ERROR &&
		   stream.avail_out == 0 && cap < limit)
	{
		if (!grow(&stream, &buffer, &cap, limit))
		{
			result = Z_MEM_ERROR;
			break;
		}
	}

	if (result == Z_MEM_ERROR)
		status = INFLATE_NO_MEMORY;
	else if (stream.total_out > max)
		status = INFLATE_TOO_LARGE;
	else if (result == Z_STREAM_END)
		status = INFLATE_OK;
	else
		status = INFLATE_CORRUPT;
	inflateEnd(&stream);
	if (status != INFLATE_OK)
	{
		free(buffer);
		return status;
	}
	*out = buffer;
	*out_len = stream.total_out;
	return INFLATE_OK;
}
