/*-------------------------------------------------------------------------
 *
 * protocol.h
 *	  usher.v1 as bytes: requests are read, answers are written.  Pure.
 *
 * What each message means stands in protocol.md.  This room knows its form
 * only: whether a client may do what it asks is conversation.c's business.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_PROTOCOL_H
#define USHER_PROTOCOL_H

#include "common.h"
#include "position.h"
#include "refusal.h"

/* Most groups in one message. */
#define PROTOCOL_MAX_GROUPS 100

/* Longest id, as it stands in the JSON text with its quotes: a string of 64
 * bytes, each of them escaped as \uXXXX at worst. */
#define PROTOCOL_ID_CAP (64 * 6 + 2 + 1)

typedef enum ProtocolVerb
{
	PROTOCOL_AUTH,
	PROTOCOL_SUBSCRIBE,
	PROTOCOL_UNSUBSCRIBE,
	PROTOCOL_SEND,
	PROTOCOL_REFRESH,
	PROTOCOL_PRESENCE,
	PROTOCOL_PING,
} ProtocolVerb;

typedef enum ProtocolFormat
{
	PROTOCOL_JSON,
	PROTOCOL_TEXT,
	PROTOCOL_BINARY,
} ProtocolFormat;

typedef struct ProtocolGroup
{
	char	 name[GROUP_NAME_MAX + 1]; /* a valid group name */
	bool	 since;					   /* the client says what it saw last */
	Position position; /* that, if it can be one; else seq 0 and no tag */
} ProtocolGroup;

typedef struct ProtocolRequest
{
	ProtocolVerb verb;
	char		 id[PROTOCOL_ID_CAP]; /* JSON text to be echoed; "": none */
	size_t		 group_count; /* unsubscribe: at least 1; send, presence: 1;
							   * subscribe: at least 1 with misnamed_count */
	ProtocolGroup groups[PROTOCOL_MAX_GROUPS];
	/* subscribe: names among them that no group can have, as text */
	size_t		   misnamed_count;
	Slice		   misnamed[PROTOCOL_MAX_GROUPS];
	Slice		   token; /* auth, refresh; ptr NULL: none (auth only) */
	ProtocolFormat format;
	Slice		   data; /* send: JSON text, unescaped text, or decoded bytes */
} ProtocolRequest;

typedef struct ProtocolError
{
	const char *reason;		 /* of protocol.md; static */
	char		detail[160]; /* a sentence in ASCII without quotes, or "" */
	bool		fatal;		 /* the connection cannot go on */
	Slice		group;		 /* what was to be one's name, or SLICE_NONE */
} ProtocolError;

/*
 * protocol_read
 *		Read the text of one frame, which is valid UTF-8 and is written to.
 *
 * Slices of request point into text.  Returns false with error filled in;
 * request->id is then the id to answer with, if it could be read.  Data
 * in the format text with a NUL in it (as \u0000) is invalid_data: PostgreSQL
 * cannot hold it.  What PostgreSQL alone can tell of JSON data is left to it.
 */
bool protocol_read(ProtocolRequest *request, char *text, size_t len,
				   ProtocolError *error) MUST_CHECK;

/*
 * A text that grows while it is written.  Zeroed before first use.  When memory
 * is out it becomes empty and stays so: check failed once, at the end.
 */
typedef struct ProtocolText
{
	char  *bytes;
	size_t len;
	size_t cap;
	bool   failed;
} ProtocolText;

void protocol_text_fini(ProtocolText *text);

/* Append a JSON string with its quotes; bytes are valid UTF-8.  NULL: null. */
void protocol_append_string(ProtocolText *out, const char *bytes, size_t len);
/* Append an RFC 3339 time with its quotes, UTC, to the millisecond; -1: null.
 */
void protocol_append_time(ProtocolText *out, int64_t unix_ms);
/* Append as it is. */
void protocol_append(ProtocolText *out, const char *bytes, size_t len);

/* In all of these id is what protocol_read() gave, or "". */

typedef struct ProtocolWelcome
{
	const char *user;	  /* NULL: anonymous */
	const char *username; /* may be NULL */
	const char *kind;
	int64_t		expires_at_ms; /* Unix time; -1: never */
	const char *connection;
} ProtocolWelcome;

void protocol_write_welcome(ProtocolText *out, const char *id,
							const ProtocolWelcome *welcome);
typedef struct ProtocolSubscribed
{
	Slice			group;
	bool			may_send;
	bool			presence;
	const Position *position;  /* durable: the last message; else NULL */
	bool			since;	   /* the client had given one, so that recovered */
	bool			recovered; /* is said */
} ProtocolSubscribed;

void protocol_write_subscribed(ProtocolText *out, const char *id,
							   const ProtocolSubscribed *subscribed);
/* The stream was broken and goes on after position. */
void protocol_write_reset(ProtocolText *out, Slice group,
						  const Position *position);
void protocol_write_ok(ProtocolText *out, const char *id);
/* The answer to refresh; -1: never. */
void protocol_write_refreshed(ProtocolText *out, const char *id,
							  int64_t expires_at_ms);
/* group may be SLICE_NONE; detail NULL or "": the refusal's own;
 * retry_after_ms 0: not said. */
void protocol_write_error(ProtocolText *out, const char *id, Slice group,
						  const Refusal *refusal, const char *detail,
						  uint64_t retry_after_ms);
void protocol_write_expiring(ProtocolText *out, uint64_t in_ms,
							 int64_t expires_at_ms);
void protocol_write_unsubscribed(ProtocolText *out, Slice group, uint16_t code,
								 const char *reason);
/* users: a JSON array, as the extension gives it. */
void protocol_write_presence(ProtocolText *out, const char *id, Slice group,
							 Slice users);
/* reconnect_after_ms counts only if reconnect. */
void protocol_write_close(ProtocolText *out, uint16_t code, const char *reason,
						  const char *detail, bool reconnect,
						  uint64_t reconnect_after_ms);

/* For all members of a group at once.  payload: JSON text, UTF-8, or bytes;
 * position NULL: the group is not durable. */
void protocol_write_message(ProtocolText *out, Slice group,
							const Position *position, ProtocolFormat format,
							Slice payload);
/* user: a JSON object with user and username, as the extension gives it. */
void protocol_write_arrival(ProtocolText *out, bool joined, Slice group,
							Slice user);

#endif
