/*-------------------------------------------------------------------------
 *
 * answers.h
 *	  What the extension is asked, as SQL, and how its answers are read.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ANSWERS_H
#define USHER_ANSWERS_H

#include "common.h"
#include "pglink.h"

typedef enum CallStatus
{
	CALL_OK,
	CALL_UNAVAILABLE, /* no database in time, or it cannot at present */
	CALL_OVERLOADED,  /* too many calls are waiting, or too much in them */
	CALL_FAILED,	  /* the database raised an error */
} CallStatus;

/* In all answers, the rest is set only for CALL_OK.  Strings are borrowed for
 * the time of the callback; NULL is SQL's NULL. */

/* Who somebody is, and what he may do in one group. */
typedef struct AdmitAnswer
{
	CallStatus	status;
	bool		valid;
	bool		may_join;
	bool		may_send;
	bool		plain;
	bool		presence;
	bool		durable;
	const char *reason;
	const char *user_id;
	const char *username;
	const char *kind;
	const char *credential_id;
	const char *issuer_id;
	int64_t		expires_in_ms; /* -1: never */
} AdmitAnswer;

/* Whether somebody still is who he was, and what he may do in some groups. */
typedef struct GroupsAnswer
{
	CallStatus	status;
	bool		valid;
	const char *reason;		   /* why not valid */
	int64_t		expires_in_ms; /* -1: never */
	const char *rights;		   /* see answers_next_verdict() */
	const char *reasons;
} GroupsAnswer;

typedef struct ReceiveAnswer
{
	CallStatus	status;
	bool		accepted;
	const char *reason;
	bool		bad_data; /* CALL_FAILED: the payload cannot be stored (SQLSTATE
						   * class 22) */
} ReceiveAnswer;

/* A session key for a credential. */
typedef struct ExchangeAnswer
{
	CallStatus	status;
	bool		valid;
	bool		bad_data; /* CALL_FAILED: the options are not JSON */
	const char *reason;
	const char *session_key; /* secret */
	const char *user_id;
	const char *username;
	int64_t		expires_in_ms;
} ExchangeAnswer;

/* What becomes of a listener's report. */
typedef struct ReportAnswer
{
	CallStatus	status;
	bool		known;	/* false: the database has forgotten this listener */
	const char *excess; /* numbers of connections with commas between */
} ReportAnswer;

typedef struct PresenceAnswer
{
	CallStatus	status;
	const char *users; /* a JSON array */
} PresenceAnswer;

/* usher.stream(): lines that notice_parse() reads, the head first. */
typedef struct StreamAnswer
{
	CallStatus		   status;
	size_t			   count; /* at least 1 */
	const char *const *lines;
} StreamAnswer;

typedef struct PurgeAnswer
{
	CallStatus status;
	uint64_t   purged; /* messages */
} PurgeAnswer;

typedef enum CallVerb
{
	CALL_ADMIT,
	CALL_ADMIT_SESSION, /* may consume a use: asked once only */
	CALL_IDENTIFY,
	CALL_IDENTIFY_SESSION, /* likewise */
	CALL_RECHECK,
	CALL_ADMIT_GROUPS,
	CALL_RECEIVE,
	CALL_RECEIVE_JSON,
	CALL_RECEIVE_BINARY,
	CALL_EXCHANGE,
	CALL_REPORT,
	CALL_PRESENCE,
	CALL_STREAM,
	CALL_PURGE,
} CallVerb;

#define CALL_VERB_COUNT (CALL_PURGE + 1)

/* Of which type its answer is. */
typedef enum CallShape
{
	SHAPE_ADMISSION,
	SHAPE_GROUPS,
	SHAPE_RECEIPT,
	SHAPE_EXCHANGE,
	SHAPE_REPORT,
	SHAPE_PRESENCE,
	SHAPE_STREAM,
	SHAPE_PURGE,
} CallShape;

typedef struct CallTraits
{
	const char *statement; /* the prepared one */
	const char *function;  /* for the log */
	CallShape	shape;
	bool		is_message; /* those with one order key stay in order */
	bool		repeatable; /* asking twice does no harm */
	bool		secret;		/* its arguments hold a credential */
} CallTraits;

const CallTraits *answers_traits(CallVerb verb);

typedef struct CallAnswer
{
	CallShape shape;
	union
	{
		CallStatus	   status; /* of whichever */
		AdmitAnswer	   admission;
		GroupsAnswer   groups;
		ReceiveAnswer  receipt;
		ExchangeAnswer exchange;
		ReportAnswer   report;
		PresenceAnswer presence;
		StreamAnswer   stream;
		PurgeAnswer	   purge;
	};
} CallAnswer;

/* The statements that a link needs, and a check that it may execute them. */
#define ANSWERS_SETUP_COUNT 13
extern const PgSetup answers_setup[ANSWERS_SETUP_COUNT];

/* Read the rows that answer verb; false when they have not the promised form.
 */
bool answers_read(CallAnswer *answer, CallVerb verb,
				  const PgAnswer *rows) MUST_CHECK;

/* An answer without rows; bad_data counts for CALL_FAILED. */
CallAnswer answers_without(CallVerb verb, CallStatus status, bool bad_data);

/* What may be done in one of the groups that were asked about. */
typedef struct GroupVerdict
{
	bool may_join;
	bool may_send;
	bool plain;
	bool presence;
	bool durable;
	char reason[64]; /* why it may not join */
} GroupVerdict;

/*
 * answers_next_verdict
 *		Take the next group's verdict off the answer; false when there is none,
 *		or it is none.
 *
 * They come in the order in which the groups were asked about.
 */
bool answers_next_verdict(GroupsAnswer *answer,
						  GroupVerdict *verdict) MUST_CHECK;

/*
 * The server cannot at present, whatever is asked: resources, a shutdown, the
 * timeout, a deadlock, a standby.
 */
bool answers_is_passing(const char *sqlstate);

/*
 * The prepared statements do not fit the database any more: the extension was
 * updated or dropped, or rights were taken away.  Nothing was executed.
 */
bool answers_is_stale(const char *sqlstate);

/* The data in the call is what is wrong: SQLSTATE class 22. */
bool answers_is_bad_data(const char *sqlstate);

#endif
