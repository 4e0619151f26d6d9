/*-------------------------------------------------------------------------
 *
 * refusal.h
 *	  The one place where a reason becomes an HTTP status, a close code and a
 *	  sentence.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_REFUSAL_H
#define USHER_REFUSAL_H

#include "common.h"

typedef struct Refusal
{
	const char *reason;		 /* stable, machine-readable */
	int			http_status; /* before the upgrade */
	uint16_t	close_code;	 /* after it */
	const char *detail;		 /* a sentence; plain ASCII without quotes */
} Refusal;

/*
 * refusal_for
 *		What to answer for a reason of the extension or of our own.
 *
 * A reason that is not in the table (a newer extension's) is a 403 / 4403 with
 * reason "refused"; NULL too.
 */
const Refusal *refusal_for(const char *reason);

/* When somebody is told to try again and nobody knows better. */
#define REFUSAL_RETRY_MS 1000

/* A limit, or our own trouble: the same may be done a little later. */
bool refusal_is_for_now(const Refusal *refusal);

/*
 * refusal_json
 *		{"code":4401,"reason":"unknown_token","detail":"Invalid token."}, with
 *		"type":"error" in front and, as in any error, retry_after_ms when
 *		typed.  detail NULL: the table's own; it
 *		must not need escaping.  Returns the length, 0 when it does not fit.
 */
size_t refusal_json(char *out, size_t cap, const Refusal *refusal,
					const char *detail, bool typed) MUST_CHECK;

#endif
