/*-------------------------------------------------------------------------
 *
 * inflate.h
 *	  Decompression with a limit.  Pure: no postgres.h.
 *
 * inflate.c is the only room with zlib's header.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_INFLATE_H
#define USHER_INFLATE_H

#include <stddef.h>
#include <stdint.h>

typedef enum InflateStatus
{
	INFLATE_OK,
	INFLATE_CORRUPT,   /* does not begin with one whole zlib stream */
	INFLATE_TOO_LARGE, /* more than max bytes */
	INFLATE_NO_MEMORY
} InflateStatus;

/*
 * inflate_zlib
 *		Decompress one zlib stream (RFC 1950, header and checksum).
 *
 * Bytes behind the stream are ignored, as Python's zlib.decompress does.
 * *out is allocated by malloc() and freed by the caller, with INFLATE_OK only;
 * memory used is bounded by max, not by what the stream claims.
 */
extern InflateStatus inflate_zlib(const uint8_t *in, size_t len, size_t max,
								  char **out, size_t *out_len);

#endif /* USHER_INFLATE_H */
