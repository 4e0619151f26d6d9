/*-------------------------------------------------------------------------
 *
 * broadcast.h
 *	  Everything the extension tells listeners: one line per NOTIFY on the
 *	  instance's secret channel.
 *
 * Nothing leaves before the transaction commits, nothing at all if it (or the
 * subtransaction) rolls back.  All of these read usher.instance, so they are
 * called as usher_owner (from a SECURITY DEFINER function or trigger).
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_BROADCAST_H
#define USHER_BROADCAST_H

/* What a payload is; the letter is the one in the notification. */
typedef enum BroadcastType
{
	BROADCAST_JSON = 'j',
	BROADCAST_TEXT = 't',
	BROADCAST_BINARY = 'b',
} BroadcastType;

/*
 * broadcast_message
 *		Send one message to some groups.
 *
 * groups are valid names (group_parse), each named once is sent to once; the
 * array is sorted in place.  payload is len bytes: text in the server's
 * encoding for BROADCAST_JSON and BROADCAST_TEXT, any bytes for
 * BROADCAST_BINARY.  The caller has compared len with usher.max_payload.
 */
extern void broadcast_message(const char **groups, int ngroups,
							  BroadcastType type, const char *payload,
							  size_t len);

/* Close connections with this credential, or with one it issued. */
extern void broadcast_revoke_credential(const char *credential_id);

/* Ask again about connections with this credential, or with one it issued. */
extern void broadcast_ends_sooner(const char *credential_id);

/* Close all connections of this user. */
extern void broadcast_revoke_user(const char *user_id);

/* Close all connections with credentials of this kind, or issued by one. */
extern void broadcast_revoke_kind(const char *kind);

/* Close all connections that are not anonymous. */
extern void broadcast_revoke_all(void);

/* Close this user's connections to this group (a valid name). */
extern void broadcast_kick(const char *group, const char *user_id);

/* The category's rules changed: ask again about its members. */
extern void broadcast_policy(const char *category);

/* Ask again about the members of a group, or about a user. */
extern void broadcast_recheck_group(const char *group);
extern void broadcast_recheck_user(const char *user_id);

/* A message of a durable group is there to be fetched. */
extern void broadcast_bell(void);

/* A user came to a group, or left it; user is a JSON object. */
extern void broadcast_presence(const char *group, bool joined,
							   const char *user);

#endif
