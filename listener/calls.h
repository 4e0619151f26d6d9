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
typedef void (*GroupsDone)(void *arg, const GroupsAnswer *answer);
typedef void (*ReceiveDone)(void *arg, const ReceiveAnswer *answer);
typedef void (*ExchangeDone)(void *arg, const ExchangeAnswer *answer);
typedef void (*ReportDone)(void *arg, const ReportAnswer *answer);
typedef void (*PresenceDone)(void *arg, const PresenceAnswer *answer);
typedef void (*StreamDone)(void *arg, const StreamAnswer *answer);
typedef void (*PurgeDone)(void *arg, const PurgeAnswer *answer);

/* The one that fits the answer's shape. */
typedef union CallDone
{
	AdmitDone	 admit;
	GroupsDone	 groups;
	ReceiveDone	 receive;
	ExchangeDone exchange;
	ReportDone	 report;
	PresenceDone presence;
	StreamDone	 stream;
	PurgeDone	 purge;
} CallDone;

typedef struct CallQuestion
{
	CallVerb	 verb;
	const Slice *arguments; /* copied; ptr NULL is SQL's NULL */
	size_t		 argument_count;
	uint64_t	 order_key; /* messages: those with one key stay in order */
	uint64_t	 timeout_ms;
	CallDone	 done;
	void		*arg;
} CallQuestion;

/* NULL when out of memory.  Adds its own step to the end of a turn. */
Calls *calls_create(Loop *loop, const CallsOptions *options) MUST_CHECK;

/* Accepts NULL.  Answers nothing; the loop must not run any more. */
void calls_destroy(Calls *calls);

/* True when at least one link is ready. */
bool   calls_ready(const Calls *calls);
size_t calls_pending(const Calls *calls);
void   calls_set_max_pending(Calls *calls, size_t max_pending);

/*
 * calls_ask
 *		Ask what question says; questions.c has a name for each kind.
 *
 * Answered with CALL_UNAVAILABLE timeout_ms after now at the latest.  NULL when
 * out of memory (no answer comes then).
 */
Call *calls_ask(Calls *calls, const CallQuestion *question) MUST_CHECK;

/*
 * calls_admit
 *		usher.admit(kind, credential, group).
 *
 * When a link is lost with it, it is asked again, but for a session key, which
 * may have been used up by it.  The credential's copy is wiped when it will not
 * be sent again.
 */
Call *calls_admit(Calls *calls, const char *kind, Slice credential, Slice group,
				  uint64_t timeout_ms, AdmitDone done, void *arg) MUST_CHECK;

/* usher.identify(kind, credential): the same without a group. */
Call *calls_identify(Calls *calls, const char *kind, Slice credential,
					 uint64_t timeout_ms, AdmitDone done, void *arg) MUST_CHECK;

/* usher.recheck_admission(kind, user_id, credential_id, group); NULL strings
 * are SQL NULL. */
Call *calls_recheck(Calls *calls, const char *kind, const char *user_id,
					const char *credential_id, Slice group, uint64_t timeout_ms,
					AdmitDone done, void *arg) MUST_CHECK;

/* usher.admit_groups(kind, user_id, credential_id, groups): the same for names
 * with commas between. */
Call *calls_admit_groups(Calls *calls, const char *kind, const char *user_id,
						 const char *credential_id, Slice groups,
						 uint64_t timeout_ms, GroupsDone done,
						 void *arg) MUST_CHECK;

typedef enum CallPayload
{
	CALL_TEXT,
	CALL_JSON,
	CALL_BINARY,
} CallPayload;

/* usher.receive, receive_json or receive_binary; calls with one order_key are
 * executed in order. */
Call *calls_receive(Calls *calls, uint64_t order_key, const char *user_id,
					Slice group, CallPayload type, Slice payload,
					uint64_t timeout_ms, ReceiveDone done,
					void *arg) MUST_CHECK;

/* usher.exchange(kind, credential, options); options may be SLICE_NONE. */
Call *calls_exchange(Calls *calls, const char *kind, Slice credential,
					 Slice options, uint64_t timeout_ms, ExchangeDone done,
					 void *arg) MUST_CHECK;

/* usher.report(report) */
Call *calls_report(Calls *calls, Slice report, uint64_t timeout_ms,
				   ReportDone done, void *arg) MUST_CHECK;

/* usher.presence_of(group) */
Call *calls_presence(Calls *calls, Slice group, uint64_t timeout_ms,
					 PresenceDone done, void *arg) MUST_CHECK;

/* usher.stream(group, since, limit): messages from since on; limit 0: none. */
Call *calls_stream(Calls *calls, Slice group, uint64_t since, uint32_t limit,
				   uint64_t timeout_ms, StreamDone done, void *arg) MUST_CHECK;

/* usher.purge_messages(batch) */
Call *calls_purge(Calls *calls, uint32_t batch, uint64_t timeout_ms,
				  PurgeDone done, void *arg) MUST_CHECK;

/*
 * calls_cancel
 *		The answer will not be delivered, and what was not sent yet is not
 *		asked.  Accepts NULL; not valid once answered.
 */
void calls_cancel(Call *call);

/* The same, but it is still asked, in its order.  Not for NULL. */
void calls_abandon(Call *call);

#endif
