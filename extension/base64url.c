/*-------------------------------------------------------------------------
 *
 * base64url.c
 *	  Base64 with the URL-safe alphabet and no padding (RFC 4648 section 5),
 *	  and as lenient as Python reads it.
 *
 * What is in the strict form is secret, so neither direction looks anything
 * up in a table: the time taken does not depend on the values.  What is read
 * leniently are rows of sessions, which may be long, by a table that is
 * several times as fast.
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

/* Counted from 1, so that 0 stays free for foreign characters. */
static const uint8_t lenient_digit[256] = {
	['A'] = 1,	['B'] = 2,	['C'] = 3,	['D'] = 4,	['E'] = 5,	['F'] = 6,
	['G'] = 7,	['H'] = 8,	['I'] = 9,	['J'] = 10, ['K'] = 11, ['L'] = 12,
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
	['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
	['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
	['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64, ['-'] = 63, ['_'] = 64,
};

/*
 * After binascii.a2b_base64 of CPython, not strict.  A character of padding
 * counts only where it can be one, behind two digits of a group of four; a
 * digit behind it takes that back.
 */
bool
base64_decode_lenient(Base64Alphabet alphabet, const char *in, size_t len,
					  uint8_t *out, size_t *out_len)
{
	bool	 url_safe = alphabet == BASE64_URL_SAFE;
	size_t	 restored = url_safe ? -len % 4 : 0;
	size_t	 n = 0;
	size_t	 i;
	unsigned bits = 0;
	unsigned digits = 0; /* of the group of four that is being read */
	unsigned padding = 0;

	for (i = 0; i < len + restored; i++)
	{
		unsigned char c = i < len ? (unsigned char) in[i] : '=';
		unsigned	  v = lenient_digit[c];

		if (c == '=')
		{
			if (digits >= 2 && digits + ++padding >= 4)
			{
				digits = 0;
				break;
			}
			continue;
		}
		if (v == 0 || (!url_safe && (c == '-' || c == '_')))
			continue;
		padding = 0;
		bits = bits << 6 | (v - 1);
		digits = (digits + 1) % 4;
		/* The second, third and fourth complete a byte. */
		if (digits != 1)
			out[n++] = (uint8_t) (bits >> (4 - digits) % 4 * 2 & 0xFF);
	}
	if (digits != 0)
		return false;
	*out_len = n;
	return true;
}
