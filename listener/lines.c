/*-------------------------------------------------------------------------
 *
 * lines.c
 *	  What usher.stream() answers, read line by line.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "lines.h"

#include <stdlib.h>

FeedType
lines_feed_type(NoticeType type)
{
	switch (type)
	{
		case NOTICE_TEXT: return FEED_TEXT;
		case NOTICE_JSON: return FEED_JSON;
		case NOTICE_BASE64: break;
	}
	return FEED_BINARY;
}

bool
lines_read(Notice *notice, const StreamAnswer *answer, size_t i, char **decoded)
{
	*decoded = NULL;
	if (i >= answer->count ||
		!notice_parse(notice, slice_of(answer->lines[i])) ||
		notice->kind != NOTICE_DURABLE)
		return false;
	if (notice->type != NOTICE_BASE64)
		return true;
	*decoded = malloc(notice->payload.len + 1);
	if (*decoded == NULL ||
		!notice_decode_base64(*decoded, &notice->payload.len, notice->payload))
		return false;
	notice->payload.ptr = *decoded;
	return true;
}

bool
lines_head(Position *head, const StreamAnswer *answer)
{
	Notice notice;

	if (answer->count == 0 ||
		!notice_parse(&notice, slice_of(answer->lines[0])) ||
		notice.kind != NOTICE_HEAD)
		return false;
	*head = notice.position;
	return true;
}

bool
lines_position(Position *position, const StreamAnswer *answer, size_t i)
{
	Notice notice;

	if (i >= answer->count ||
		!notice_parse(&notice, slice_of(answer->lines[i])) ||
		notice.kind != NOTICE_DURABLE)
		return false;
	*position = notice.position;
	return true;
}

size_t
lines_after(const StreamAnswer *answer, const Position *position)
{
	Position first;

	if (!position_equals(position, &position_start))
		return lines_position(&first, answer, 1) &&
					   position_equals(&first, position)
				   ? 2
				   : 0;
	/* Before the first message there is none; nothing must be missing. */
	if (answer->count == 1)
		return lines_head(&first, answer) && first.seq == 0 ? 1 : 0;
	return lines_position(&first, answer, 1) && first.seq == 1 ? 1 : 0;
}
