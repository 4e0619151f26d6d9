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

/* Strings are borrowed for the time of the callback; NULL is SQL's NULL. */
typedef struct AdmitAnswer
{
	CallStatus	status; /* the rest is set only for CALL_OK */
	bool		valid;
	bool		may_join;
	bool		may_send;
	bool		plain;
	const char *reason;
	const char *user_id;
	const char *username;
	const char *kind;
	const char *credential_id;
	const char *issuer_id;
	int64_t		expires_in_ms; /* -1: never */
} AdmitAnswer;

typedef struct ReceiveAnswer
{
	CallStatus	status;
	bool		accepted; /* only for CALL_OK */
	const char *reason;
	bool		bad_data; /* CALL_FAILED: the payload cannot be stored (SQLSTATE
						   * class 22) */
} ReceiveAnswer;

typedef enum CallVerb
{
	CALL_ADMIT,
	CALL_ADMIT_SESSION, /* may consume a use: asked once only */
	CALL_RECHECK,
	CALL_RECEIVE,
	CALL_RECEIVE_BINARY,
} CallVerb;

/* The statements that a link needs, and a check that it may execute them. */
#define ANSWERS_SETUP_COUNT 5
extern const PgSetup answers_setup[ANSWERS_SETUP_COUNT];

/* The prepared statement, and the SQL function for the log. */
const char *answers_statement(CallVerb verb);
const char *answers_function(CallVerb verb);

/* The answer of admit and recheck; false when it has not the promised form. */
bool answers_read_admission(AdmitAnswer	   *admission,
							const PgAnswer *answer) MUST_CHECK;

/* The answer of receive and receive_binary. */
bool answers_read_receipt(ReceiveAnswer	 *receipt,
						  const PgAnswer *answer) MUST_CHECK;

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
