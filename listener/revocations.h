/*-------------------------------------------------------------------------
 *
 * revocations.h
 *	  What was revoked lately, for answers that are older than a revocation.
 *
 * Calls and notifications travel on different connections.  An admission that
 * was decided before a token was deleted may be answered after the deletion was
 * announced and acted upon: nobody would ever close that client.  So whoever
 * asks takes a mark before, and looks here afterwards.
 *
 * Pure.  Only hashes are kept; a collision says "revoked", which costs the
 * asker one more question to the database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_REVOCATIONS_H
#define USHER_REVOCATIONS_H

#include "common.h"
#include "notice.h"

/* Longer than any call takes; more than any transaction should revoke. */
#define REVOCATIONS_KEEP_MS 30000
#define REVOCATIONS_MAX 10000

typedef struct Revocation Revocation;

/* Zeroed before first use. */
typedef struct Revocations
{
	Revocation *ring;
	size_t		cap;
	uint64_t	first; /* number of the oldest kept */
	uint64_t	next; /* number of the next one; what is before first is gone */
} Revocations;

/*
 * revocations_add
 *		Remember a NOTICE_REVOKE_..., NOTICE_ENDS_SOONER or NOTICE_RECHECK_USER
 *		with its key, or a NOTICE_POLICY or NOTICE_RECHECK_GROUP, which count
 *		for everybody.
 *
 * What cannot be kept (too many, no memory, too old) is forgotten in a way that
 * revocations_since() then answers true.
 */
void revocations_add(Revocations *revocations, NoticeKind kind, Slice key,
					 uint64_t now_ms);

/* Something may have been missed: every mark so far is to be answered true. */
void revocations_forget(Revocations *revocations);

static inline uint64_t
revocations_mark(const Revocations *revocations)
{
	return revocations->next;
}

/*
 * revocations_since
 *		Whether one that came after mark names this identity, or that can no
 *		longer be told.  Strings may be NULL.
 */
bool revocations_since(const Revocations *revocations, uint64_t mark,
					   const char *kind, const char *user_id,
					   const char *credential_id,
					   const char *issuer_id) MUST_CHECK;

void revocations_fini(Revocations *revocations);

#endif
