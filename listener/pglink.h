/*-------------------------------------------------------------------------
 *
 * pglink.h
 *	  A connection to PostgreSQL that comes back by itself.
 *
 * A link connects, prepares its statements, tells its owner that it is up, and
 * then carries requests: one or more queries that are one transaction and get
 * one answer.  Requests are pipelined and answered in the order they were made.
 * When the connection is lost the owner hears on_down, every request without an
 * answer is forgotten, and the link tries again after a pause that grows.
 *
 * Callbacks come from the loop or from pglink_turn, never from within another
 * function here; they may call anything but pglink_destroy and pglink_turn.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_PGLINK_H
#define USHER_PGLINK_H

#include "common.h"
#include "loop.h"

typedef struct PgLink PgLink;

/* A text or bytea argument, sent as it is; value NULL is SQL's NULL. */
typedef struct PgParam
{
	const char *value;
	size_t		len;
} PgParam;

/* Borrowed for the time of the callback. */
typedef struct PgAnswer
{
	bool			   ok;
	const char		  *sqlstate; /* if not ok; "" when libpq has none */
	const char		  *message;	 /* if not ok: the primary message, one line */
	int				   rows;
	int				   columns;
	const char *const *values; /* row by row; NULL is SQL's NULL */
} PgAnswer;

/* Prepared under name; run once when name is NULL. */
typedef struct PgSetup
{
	const char *name;
	const char *sql;
} PgSetup;

typedef struct PgLinkHandler
{
	void (*on_up)(void *arg);
	/* The transaction has ended: committed if answer->ok, else rolled back. */
	void (*on_answer)(void *arg, const PgAnswer *answer);
	/* May be NULL. */
	void (*on_notify)(void *arg, const char *channel, Slice payload);
	/* Only after on_up. */
	void (*on_down)(void *arg);
} PgLinkHandler;

/* name and conninfo are copied, setup and its strings are borrowed. */
typedef struct PgLinkOptions
{
	const char	  *name; /* for the log: "call link 1" */
	const char	  *conninfo;
	const PgSetup *setup;
	size_t		   setup_count;
	uint64_t	   statement_timeout_ms; /* 0: the server's default */
} PgLinkOptions;

/* Whether libpq can read it; an empty one is valid (libpq's environment). */
bool pglink_conninfo_is_valid(const char *conninfo);

/* NULL when out of memory.  The first attempt is made in a later turn. */
PgLink *pglink_create(Loop *loop, const PgLinkOptions *options,
					  const PgLinkHandler *handler, void *arg) MUST_CHECK;

/* Accepts NULL.  Calls nothing back. */
void pglink_destroy(PgLink *link);

/* Between on_up and on_down, unless it has been found broken meanwhile. */
bool pglink_is_up(const PgLink *link);

/*
 * pglink_query
 *		Add a query to the request being made; pglink_end_request completes it.
 *
 * Copies everything.  Returns false when the link is not up (it may just have
 * been found broken); on_down then has come or will, and nothing of this
 * request is answered.
 */
bool pglink_query(PgLink *link, const char *sql, const PgParam *params,
				  size_t count) MUST_CHECK;

/* The same for a statement of the set-up. */
bool pglink_query_prepared(PgLink *link, const char *name,
						   const PgParam *params, size_t count) MUST_CHECK;
bool pglink_end_request(PgLink *link) MUST_CHECK;

/* Most arguments of a query. */
#define PGLINK_MAX_PARAMS 4

/* What came after on_up works too: the next pause is a short one again. */
void pglink_proven(PgLink *link);

/* Give the connection up, for a reason of the owner's; on_down follows. */
void pglink_fail(PgLink *link, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same because of an error, with advice in the log where we have some. */
void pglink_fail_answer(PgLink *link, const PgAnswer *answer);

/* Send what was asked; once at the end of each of the loop's turns. */
void pglink_turn(PgLink *link);

#endif
