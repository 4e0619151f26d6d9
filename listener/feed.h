/*-------------------------------------------------------------------------
 *
 * feed.h
 *	  What PostgreSQL announces, put in order: revocations first.
 *
 * The feed owns the connection that LISTENs.  It collects what the reads of a
 * turn brought and hands it out in feed_turn(): first revocations, kicks,
 * changed policies and rechecks, then messages in the order of their commits.
 * So "remove Bob; post the secret" in one transaction never shows Bob the
 * secret.
 *
 * Messages of durable groups are not in the notifications: these only ring, and
 * the feed fetches what has been committed since it last did, at once then and
 * once a second anyway.  Whatever was notified by the transactions whose
 * messages it fetched has arrived before them (usher.fetch), so revocations
 *come first here too.
 *
 * It is ready when it LISTENs to everything it should and has heard itself on
 * the shared channel.  What was announced while it was not ready is lost, which
 * is why on_ready says after_gap.  Nobody may be seated before the first
 * on_ready.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_FEED_H
#define USHER_FEED_H

#include "common.h"
#include "loop.h"
#include "position.h"

typedef struct Feed Feed;

typedef enum FeedType
{
	FEED_TEXT, /* plain NOTIFY and broadcast_text */
	FEED_JSON, /* broadcast: JSON text */
	FEED_BINARY,
} FeedType;

typedef enum FeedRevoke
{
	FEED_REVOKE_CREDENTIAL, /* key: credential id, also of an issuer */
	FEED_REVOKE_USER,		/* key: user id */
	FEED_REVOKE_KIND,		/* key: kind; sessions with an issuer too when it is
							 * "token" */
	FEED_REVOKE_ALL,		/* every identified client */
} FeedRevoke;

/*
 * Called from feed_turn only, except on_ready and on_down, which come from the
 * loop or from feed_turn.  They may call anything but feed_turn and
 * feed_destroy.
 */
typedef struct FeedHandler
{
	/* payload is valid UTF-8 unless type is FEED_BINARY */
	void (*on_message)(void *arg, Slice group, FeedType type, Slice payload);
	/* The next message of a durable group, in the order of its numbers.  Every
	 * one that was committed after on_ready comes, unless on_overrun does. */
	void (*on_durable)(void *arg, Slice group, const Position *position,
					   FeedType type, Slice payload);
	/* Too many messages of durable groups to be told one by one: where each
	 * group is now has to be asked. */
	void (*on_overrun)(void *arg);
	void (*on_revoke)(void *arg, FeedRevoke what, Slice key);
	void (*on_kick)(void *arg, Slice group, Slice user_id);
	void (*on_policy)(void *arg, Slice category);
	void (*on_ends_sooner)(void *arg, Slice credential_id);
	/* the site says: ask about these again */
	void (*on_recheck_group)(void *arg, Slice group);
	void (*on_recheck_user)(void *arg, Slice user_id);
	/* in order with the messages; user is a JSON object */
	void (*on_presence)(void *arg, Slice group, bool joined, Slice user);
	/* LISTENing; after_gap: something may have been missed, recheck everybody
	 */
	void (*on_ready)(void *arg, bool after_gap);
	/* Only after on_ready. */
	void (*on_down)(void *arg);
	/* the plain channel of this group is LISTENed to; or cannot be (ok false)
	 */
	void (*on_listening)(void *arg, Slice group, bool ok);
} FeedHandler;

/* conninfo is copied. */
typedef struct FeedOptions
{
	const char *conninfo;
	uint64_t	canary_interval_ms;
	uint64_t	call_timeout_ms; /* statement_timeout of the connection */
} FeedOptions;

/* NULL when out of memory. */
Feed *feed_create(Loop *loop, const FeedOptions *options,
				  const FeedHandler *handler, void *arg) MUST_CHECK;

/* Accepts NULL.  Calls nothing back. */
void feed_destroy(Feed *feed);

/* Hand out what the last reads brought; once in each turn of the loop. */
void feed_turn(Feed *feed);

/*
 * feed_listen
 *		LISTEN to the channel named as the group.
 *
 * on_listening says when it is done: from feed_turn, also when it was LISTENed
 * to already.  While the database is away that takes as long as it is away.
 * Refused (ok false): a name of more than 63 bytes, which no channel can have.
 */
void feed_listen(Feed *feed, Slice group);

/* Nobody needs it any more.  The UNLISTEN follows some seconds later. */
void feed_unlisten(Feed *feed, Slice group);

/* A mark to ask feed_revoked_since() about later. */
uint64_t feed_mark(const Feed *feed);

/*
 * feed_revoked_since
 *		Whether an answer to a question asked at mark may be outdated.
 *
 * True when a revocation that was handed out since mark names this identity
 * (strings may be NULL), when any policy changed, or when that can no longer be
 * told: then ask again (calls_recheck) before trusting the answer.  True does
 * not prove that it was revoked.  For anonymous clients too: of them only
 * policies count.
 */
bool feed_revoked_since(const Feed *feed, uint64_t mark, const char *kind,
						const char *user_id, const char *credential_id,
						const char *issuer_id);

typedef struct FeedHealth
{
	bool	 ready;
	uint64_t canary_age_ms; /* since the last canary came back; UINT64_MAX:
							 * none yet */
	double queue_usage;		/* pg_notification_queue_usage(), 0 to 1 */
} FeedHealth;

FeedHealth feed_health(const Feed *feed);
void	   feed_set_canary_interval(Feed *feed, uint64_t interval_ms);

#endif
