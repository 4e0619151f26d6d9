/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  Categories: who may join, who may send, what becomes of a message.
 *
 * The functions here read usher.category and so are called as usher_owner.
 * What they return about a category is good until the transaction ends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_POLICY_H
#define USHER_POLICY_H

#include "broadcast.h"
#include "group.h"

/* Why not; the words of the SQL interface. */
#define POLICY_NOT_ALLOWED "not_allowed"
#define POLICY_ERROR "policy_error"
#define POLICY_UNKNOWN_GROUP "unknown_group"
#define POLICY_INVALID_GROUP "invalid_group"
#define POLICY_INVALID_JSON "invalid_json"
#define POLICY_UNSUPPORTED_TYPE "unsupported_type"

typedef struct SiteFunction SiteFunction;

typedef enum PolicyRule
{
	POLICY_NOBODY,
	POLICY_OWNER,		  /* the id is the user's own */
	POLICY_AUTHENTICATED, /* any identified user */
	POLICY_ANYONE,		  /* also who is not identified */
	POLICY_FUNCTION,	  /* what the site's function says */
} PolicyRule;

typedef struct Policy
{
	PolicyRule	  rule;
	const char	 *text; /* as stored: a word, or a qualified function */
	SiteFunction *function;
} Policy;

typedef struct Category
{
	char		  name[GROUP_NAME_MAX + 1]; /* the cache's key */
	Policy		  join;
	Policy		  send;
	const char	 *on_message_text; /* qualified function, or NULL */
	SiteFunction *on_message;	   /* NULL: pass messages on unchanged */
	BroadcastType on_message_type; /* what it takes and returns */
	bool		  plain;
	bool		  presence; /* who is there is kept and told */
	bool		  durable;	/* its messages are kept: see durable.h */
} Category;

/* A message on its way in or out; bytes are not terminated. */
typedef struct PolicyMessage
{
	BroadcastType type;
	const char	 *bytes;
	size_t		  len;
} PolicyMessage;

/*
 * policy_word
 *		Whether string is one of the words; *rule becomes which.
 */
extern bool policy_word(const char *string, PolicyRule *rule);

/*
 * policy_category
 *		The category of a group, or NULL when it is not declared.
 */
extern Category *policy_category(const GroupParts *parts);

/*
 * policy_ask
 *		May this user do that?  NULL when he may, else the reason.
 *
 * user_id NULL is somebody unidentified, whom only POLICY_ANYONE admits.  An
 * error in a site's function is POLICY_ERROR and a line in the server's log;
 * what it did to the database is undone and the caller's transaction lives
 * on.  Only cancellation and shutdown pass through.
 *
 * settle checks deferred constraints at once, so that they too are answered
 * with POLICY_ERROR: for callers whose transaction is theirs alone, since it
 * includes what was deferred before.
 */
extern const char *policy_ask(const Policy *policy, const char *user_id,
							  const GroupParts *parts, bool settle);

/*
 * policy_on_message
 *		Show a client's message to the category's function.
 *
 * Only when category->on_message is set.  Deferred constraints are checked at
 * once, as with policy_ask's settle.  Returns NULL, with *out what it
 * answered (bytes NULL: swallowed), or the reason of a refusal.  More than
 * max_bytes is the function's mistake: POLICY_ERROR.  out->bytes is allocated
 * in the current memory context.
 */
extern const char *policy_on_message(const Category		 *category,
									 const char			 *user_id,
									 const GroupParts	 *parts,
									 const PolicyMessage *in, size_t max_bytes,
									 PolicyMessage *out);

#endif
