/*-------------------------------------------------------------------------
 *
 * failure.h
 *	  Why a link failed, when to try again, and whether to say so once more.
 *
 * Pure: the time and the noise are passed in, the caller writes the log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_FAILURE_H
#define USHER_FAILURE_H

#include "common.h"

/* Longest reason with its NUL; a longer one is cut. */
#define FAILURE_REASON_MAX 400

/* Pauses lie between half of this and this, doubled with every failure. */
#define FAILURE_FIRST_PAUSE_MS 200
#define FAILURE_MAX_PAUSE_MS 10000

/* The same reason is worth a warning again after this time. */
#define FAILURE_REPEAT_MS 60000

/* Zeroed before first use. */
typedef struct Failure
{
	unsigned count; /* in a row */
	char	 reason[FAILURE_REASON_MAX];
	char	 told[FAILURE_REASON_MAX]; /* the reason last warned about */
	uint64_t told_ms;
} Failure;

/* Keep text as the reason, on one line. */
void failure_because(Failure *failure, const char *text);

/* Keep an error, with what an administrator can do about it where known. */
void failure_because_error(Failure *failure, const char *sqlstate,
						   const char *message);

/*
 * failure_pause_ms
 *		Count one more failure; how long to wait before the next attempt.
 *
 * noise is any number, best a random one, so that many listeners do not all
 * come back at once.
 */
uint64_t failure_pause_ms(Failure *failure, uint32_t noise);

/*
 * failure_is_news
 *		Whether the reason is to be told: a new one, or an old one not told for
 *		a minute.  Counts as told then.
 */
bool failure_is_news(Failure *failure, uint64_t now_ms);

/* It works: the next pause is short, the next reason news. */
void failure_over(Failure *failure);

#endif
