/*-------------------------------------------------------------------------
 *
 * position.c
 *	  A place in the stream of a durable group: a message's number and tag.
 *
 *-------------------------------------------------------------------------
 */
#include "position.h"

const Position position_start = {0, "0000000000000000"};

bool
position_parse_seq(uint64_t *seq, Slice text)
{
	uint64_t value = 0;

	if (text.ptr == NULL || text.len == 0 || text.len > 19)
		return false;
	for (size_t i = 0; i < text.len; i++)
	{
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (uint64_t) (text.ptr[i] - '0');
	}
	*seq = value;
	return value <= INT64_MAX;
}

bool
position_parse_tag(Position *position, Slice text)
{
	if (text.ptr == NULL || text.len != POSITION_TAG_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++)
	{
		char c = text.ptr[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	memcpy(position->tag, text.ptr, text.len);
	position->tag[text.len] = '\0';
	return true;
}

bool
position_parse(Position *position, Slice text)
{
	const char *dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
	size_t		len;

	if (dot == NULL)
		return false;
	len = (size_t) (dot - text.ptr);
	return position_parse_seq(&position->seq, (Slice){text.ptr, len}) &&
		   position_parse_tag(position, (Slice){dot + 1, text.len - len - 1});
}
