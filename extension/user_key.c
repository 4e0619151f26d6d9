/*-------------------------------------------------------------------------
 *
 * user_key.c
 *	  The text of a user id as the key of Django's user table.
 *
 *-------------------------------------------------------------------------
 */
#include "user_key.h"

bool
user_key_parse_integer(const char *text, size_t len, int64_t min, int64_t max,
					   int64_t *value)
{
	bool	negative = len > 0 && text[0] == '-';
	size_t	i = negative ? 1 : 0;
	int64_t sum = 0;

	if (i == len)
		return false;
	for (; i < len; i++)
	{
		int digit;

		if (text[i] < '0' || text[i] > '9')
			return false;
		digit = text[i] - '0';
		/* Summed towards its own sign, so that INT64_MIN fits. */
		if (__builtin_mul_overflow(sum, (int64_t) 10, &sum) ||
			__builtin_add_overflow(sum, (int64_t) (negative ? -digit : digit),
								   &sum))
			return false;
	}
	if (sum < min || sum > max)
		return false;
	*value = sum;
	return true;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
user_key_parse_uuid(const char *text, size_t len,
					uint8_t value[USER_KEY_UUID_BYTES])
{
	bool   dashes = len == 36;
	size_t at = 0;
	int	   i;

	if (len != 32 && len != 36)
		return false;
	for (i = 0; i < USER_KEY_UUID_BYTES; i++)
	{
		int high;
		int low;

		if (dashes && (i == 4 || i == 6 || i == 8 || i == 10) &&
			text[at++] != '-')
			return false;
		high = hex_value(text[at++]);
		low = hex_value(text[at++]);
		if (high < 0 || low < 0)
			return false;
		value[i] = (uint8_t) (high << 4 | low);
	}
	return true;
}
