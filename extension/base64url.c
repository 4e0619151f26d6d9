/*-------------------------------------------------------------------------
 *
 * base64url.c
 *	  Base64 with the URL-safe alphabet and no padding (RFC 4648 section 5).
 *
 * What is encoded here is secret, so neither direction looks anything up in
 * a table: the time taken does not depend on the values.
 *
 *-------------------------------------------------------------------------
 */
#include "base64url.h"

/* 0xFF.. when low <= c <= high, else 0; all values fit in 8 bits. */
static unsigned
in_range(unsigned c, unsigned low, unsigned high)
{
	return ((low - 1 - c) & (c - high - 1)) >> 31 ? ~0U : 0U;
}

static char
encode_digit(unsigned v)
{
	unsigned c = 0;

	c |= in_range(v, 0, 25) & (v + 'A');
	c |= in_range(v, 26, 51) & (v - 26 + 'a');
	c |= in_range(v, 52, 61) & (v - 52 + '0');
	c |= in_range(v, 62, 62) & '-';
	c |= in_range(v, 63, 63) & '_';
	return (char) c;
}

/* The digit's value, or ~0U when c is none. */
static unsigned
decode_digit(unsigned char c)
{
	unsigned v = 0;

	/* Counted from 1, so that 0 stays free for "none". */
	v |= in_range(c, 'A', 'Z') & (c - 'A' + 1U);
	v |= in_range(c, 'a', 'z') & (c - 'a' + 27U);
	v |= in_range(c, '0', '9') & (c - '0' + 53U);
	v |= in_range(c, '-', '-') & 63U;
	v |= in_range(c, '_', '_') & 64U;
	return v - 1U;
}

size_t
base64url_encode(const uint8_t *in, size_t len, char *out)
{
	size_t	 n = 0;
	size_t	 i;
	unsigned bits = 0;
	unsigned pending = 0; /* bits not yet written, always below 6 */

	for (i = 0; i < len; i++)
	{
		bits = (bits << 8 | in[i]) & 0x3FFF;
		pending += 8;
		while (pending >= 6)
		{
			pending -= 6;
			out[n++] = encode_digit(bits >> pending & 0x3F);
		}
	}
	if (pending > 0)
		out[n++] = encode_digit(bits << (6 - pending) & 0x3F);
	return n;
}

bool
base64url_decode(const char *in, size_t len, uint8_t *out, size_t *out_len)
{
	size_t	 n = 0;
	size_t	 i;
	unsigned bits = 0;
	unsigned pending = 0; /* bits not yet written, always below 8 */

	if (len % 4 == 1)
		return false;
	for (i = 0; i < len; i++)
	{
		unsigned v = decode_digit((unsigned char) in[i]);

		if (v == ~0U)
			return false;
		bits = (bits << 6 | v) & 0x3FFF;
		pending += 6;
		if (pending >= 8)
		{
			pending -= 8;
			out[n++] = (uint8_t) (bits >> pending & 0xFF);
		}
	}
	if ((bits & ((1U << pending) - 1)) != 0)
		return false;
	*out_len = n;
	return true;
}
