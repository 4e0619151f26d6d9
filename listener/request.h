/*-------------------------------------------------------------------------
 *
 * request.h
 *	  What a client of usher.v1 has asked for, and how it is answered.
 *
 * Every message that needs the database is a Request in flight until it is
 * answered.  The client may be closed in any of the calls that tell it
 * something, so a Request is taken out of flight before anything is said.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_REQUEST_H
#define USHER_REQUEST_H

#include "client.h"

/* What a subscribe says of one of its groups. */
typedef struct RequestGroup
{
	bool	 since; /* it saw what came up to position */
	Position position;
} RequestGroup;

/* A message that waits for the database. */
typedef struct Request
{
	InFlight	 item; /* first: it is freed as this */
	ProtocolVerb verb;
	uint64_t	 mark;	/* when it was asked: see feed_mark() */
	bool		 stale; /* another credential counts now */
	size_t		 group_count;
	char		*id;
	char		*groups;  /* with commas between; both point behind asked */
	RequestGroup asked[]; /* what is said of each group */
} Request;

/* NULL when out of memory.  It names no groups yet; free() ends it. */
Request *request_create(const ProtocolRequest *asked) MUST_CHECK;

/* The id to answer with. */
static inline const char *
request_id(const Request *request)
{
	return request->id;
}

/* One of the groups that it was created from. */
void request_add_group(Request *request, const ProtocolGroup *group);

/* Take the next name off the list of its groups; false when there is none. */
bool request_next_name(const char **names, Slice *name) MUST_CHECK;

bool request_names(const Request *request, Slice group);

/* Send the call on its way; false when it is NULL. */
bool request_send(Client *client, Request *request, Call *call) MUST_CHECK;

/* All that is in flight of a client of usher.v1 are Requests. */
static inline Request *
request_of(InFlight *item)
{
	return container_of(item, Request, item);
}

/*
 * request_say_error
 *		Answer with an error.
 *
 * group may be SLICE_NONE; reason as in refusal.h; detail NULL: the reason's
 * own; retry_after_ms 0: a second where trying again is any use.
 */
void request_say_error(Client *client, const char *id, Slice group,
					   const char *reason, const char *detail,
					   uint64_t retry_after_ms);

/* Say what is wrong, and that it cannot go on. */
void request_refuse_and_close(Client *client, const char *id,
							  const char *reason, const char *detail);

/* Answer ok, if that is asked for. */
void request_say_ok(Client *client, const char *id);

#endif
