/*-------------------------------------------------------------------------
 *
 * calls.h
 *	  Questions to the extension and their answers.
 *
 * A call is made, sent when a link is ready, and answered exactly once, unless
 * it is cancelled or the calls are destroyed.  Answers come from the loop,
 * never from within the function that makes the call, and when they say
 * CALL_OK the transaction has been committed.
 *
 * When a link is lost, what was not sent yet waits for another one.  Of what
 * was under way, questions that change nothing are asked again; the admission
 * of a session key (which may consume a use) and client messages (which may
 * have been broadcast) are answered CALL_UNAVAILABLE.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CALLS_H
#define USHER_CALLS_H

#include "answers.h"
#include "common.h"
#include "loop.h"

typedef struct Calls Calls;
typedef struct Call	 Call;

typedef struct CallsOptions
{
	const char *conninfo;
	int			links;			 /* call connections, 1..8 */
	uint64_t	call_timeout_ms; /* statement_timeout of the links */
	size_t		max_pending;	 /* calls waiting or in flight */
} CallsOptions;

typedef void (*AdmitDone)(void *arg, const AdmitAnswer *answer);
typedef void (*ReceiveDone)(void *arg, const ReceiveAnswer *answer);

/* NULL when out of memory.  Adds its own step to the end of a turn. */
Calls *calls_create(Loop *loop, const CallsOptions *options) MUST_CHECK;

/* Accepts NULL.  Answers nothing; the loop must not run any more. */
void calls_destroy(Calls *calls);

/* True when at least one link is ready. */
bool   calls_ready(const Calls *calls);
size_t calls_pending(const Calls *calls);
void   calls_set_max_pending(Calls *calls, size_t max_pending);

/*
 * calls_admit
 *		usher.admit(kind, credential, group): copies its arguments.
 *
 * Answered with CALL_UNAVAILABLE timeout_ms after now at the latest.  NULL when
 * out of memory (no answer comes then).  When a link is lost with it, it is
 * asked again, but for a session key, which may have been used up by it.  The
 * credential's copy is wiped when it will not be sent again.
 */
Call *calls_admit(Calls *calls, const char *kind, Slice credential, Slice group,
				  uint64_t timeout_ms, AdmitDone done, void *arg) MUST_CHECK;

/* usher.recheck_admission(kind, user_id, credential_id, group); NULL strings
 * are SQL NULL. */
Call *calls_recheck(Calls *calls, const char *kind, const char *user_id,
					const char *credential_id, Slice group, uint64_t timeout_ms,
					AdmitDone done, void *arg) MUST_CHECK;

/* usher.receive or receive_binary; calls with one order_key are executed in
 * order. */
Call *calls_receive(Calls *calls, uint64_t order_key, const char *user_id,
					Slice group, bool binary, Slice payload,
					uint64_t timeout_ms, ReceiveDone done,
					void *arg) MUST_CHECK;

/*
 * calls_cancel
 *		The answer will not be delivered, and what was not sent yet is not
 *		asked.  Accepts NULL; not valid once answered.
 */
void calls_cancel(Call *call);

/* The same, but it is still asked, in its order.  Not for NULL. */
void calls_abandon(Call *call);

#endif
