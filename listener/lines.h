/*-------------------------------------------------------------------------
 *
 * lines.h
 *	  What usher.stream() answers, read line by line.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_LINES_H
#define USHER_LINES_H

#include "answers.h"
#include "feed.h"
#include "notice.h"
#include "position.h"

FeedType lines_feed_type(NoticeType type);

/*
 * lines_read
 *		Message i, from 1, of the answer.
 *
 * A payload in base64 is decoded into memory that *decoded, else NULL, owns;
 * the caller frees that in any case.
 */
bool lines_read(Notice *notice, const StreamAnswer *answer, size_t i,
				char **decoded) MUST_CHECK;

/* The group's last message, which the first line names. */
bool lines_head(Position *head, const StreamAnswer *answer) MUST_CHECK;

/* Where message i of the answer, from 1, is. */
bool lines_position(Position *position, const StreamAnswer *answer,
					size_t i) MUST_CHECK;

/*
 * lines_after
 *		The first message behind position, whose own message has to be in the
 *		answer, to show that it is still the same; 0: it is not.
 */
size_t lines_after(const StreamAnswer *answer,
				   const Position	  *position) MUST_CHECK;

#endif
