/*-------------------------------------------------------------------------
 *
 * feed.h
 *	  What PostgreSQL announces, put in order: revocations first.
 *
 * The feed owns the connection that LISTENs.  It collects what one read brought
 *and hands it out in feed_turn, at the end of the loop's turn.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_FEED_H
#define USHER_FEED_H

#include "common.h"
#include "loop.h"

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
							   "token" */
	FEED_REVOKE_ALL,		/* every identified client */
} FeedRevoke;

/* Called from feed_turn only, except on_ready, on_down, on_listening: from the
 * loop. */
typedef struct FeedHandler
{
	void (*on_message)(void *arg, Slice group, FeedType type, Slice payload);
	void (*on_revoke)(void *arg, FeedRevoke what, Slice key);
	void (*on_kick)(void *arg, Slice group, Slice user_id);
	void (*on_policy)(void *arg, Slice category);
	/* LISTENing; after_gap: something may have been missed, recheck everybody
	 */
	void (*on_ready)(void *arg, bool after_gap);
	void (*on_down)(void *arg);
	/* the plain channel of this group is LISTENed to; or cannot be (ok false)
	 */
	void (*on_listening)(void *arg, Slice group, bool ok);
} FeedHandler;

typedef struct FeedOptions
{
	const char *conninfo;
	uint64_t	canary_interval_ms;
	uint64_t	call_timeout_ms;
} FeedOptions;

Feed *feed_create(Loop *loop, const FeedOptions *options,
				  const FeedHandler *handler, void *arg) MUST_CHECK;
void  feed_destroy(Feed *feed);

/* Hand out what the last reads brought. */
void feed_turn(Feed *feed);

/* LISTEN to the channel named as the group; on_listening says when it is done
 * (from the loop, never from within; also when it was listened to already). */
void feed_listen(Feed *feed, Slice group);
void feed_unlisten(Feed *feed, Slice group);

/* A mark to ask feed_revoked_since about later. */
uint64_t feed_mark(const Feed *feed);

/*
 * feed_revoked_since
 *		Whether a revocation that came after mark names this identity (strings
 *		may be NULL), or that can no longer be told.
 */
bool feed_revoked_since(const Feed *feed, uint64_t mark, const char *kind,
						const char *user_id, const char *credential_id,
						const char *issuer_id);

typedef struct FeedHealth
{
	bool	 ready;
	uint64_t canary_age_ms; /* since the last canary came back */
	double	 queue_usage;	/* pg_notification_queue_usage() */
} FeedHealth;

FeedHealth feed_health(const Feed *feed);
void	   feed_set_canary_interval(Feed *feed, uint64_t interval_ms);

#endif
