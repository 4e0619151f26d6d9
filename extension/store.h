/*-------------------------------------------------------------------------
 *
 * store.h
 *	  Usher's and Django's tables: one function per query.
 *
 * Every function here must run as usher_owner, that is, below a SECURITY
 * DEFINER function whose search_path is pinned.  Strings in results are
 * allocated in the caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STORE_H
#define USHER_STORE_H

#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "nodes/pg_list.h"
#include "utils/array.h"

#include "knox.h"
#include "store_options.h"

#define STORE_HASH_BYTES 32			 /* SHA-256 */
#define STORE_USER_ID_MAX_BYTES 1000 /* longer ones would not fit a notice */

/* ---- what is cached per backend ---- */

typedef struct UsherInstance
{
	char  channel[64];			  /* the shared NOTIFY channel */
	uint8 salt[STORE_HASH_BYTES]; /* of the token credential ids */
} UsherInstance;

/*
 * store_instance
 *		The one row of usher.instance.
 *
 * The pointer is good until the next call of any store function.  Raises
 * 55000 if the row is missing.
 */
extern const UsherInstance *store_instance(void);

/*
 * store_generation
 *		A number that changes whenever one of usher's configuration tables
 *		changed, also when such a change was rolled back.
 *
 * Read it before loading what is to be cached, load with
 * store_execute_latest(), and drop the cache when it differs later.
 */
extern uint64 store_generation(void);

/*
 * store_execute_latest
 *		Run a read-only plan under the newest snapshot, inside SPI.
 *
 * What a backend caches must not come from the snapshot of a long statement
 * or of a repeatable read transaction: the invalidation that announced a
 * newer row has been consumed already and will not come again.
 */
extern int store_execute_latest(SPIPlanPtr plan, Datum *values,
								const char *nulls, long limit);

/* ---- users and tokens, through the mapping of attach_django ---- */

typedef enum StoreStatus
{
	STORE_FOUND,
	STORE_ABSENT,	   /* no such row */
	STORE_BAD_ID,	   /* text that cannot be a key of the user table */
	STORE_NOT_ATTACHED /* attach_django has not been run, or without it */
} StoreStatus;

typedef struct StoreUser
{
	char *user_id;	/* the key's text output */
	char *username; /* or NULL */
	bool  active;
	char *password; /* the column as it is; NULL unless it was asked for, is
					 * null or there is no such column */
} StoreUser;

/*
 * store_user_by_token
 *		The user to whom a token of the site belongs.
 */
extern StoreStatus store_user_by_token(text *key, StoreUser *user);

/*
 * store_user_by_id
 *		A user by the text of the key.
 *
 * With token_keys the list is set to the keys (char *) of the user's tokens;
 * NULL does not ask for them.  Without a token table the list is empty.
 */
extern StoreStatus store_user_by_id(const char *user_id, StoreUser *user,
									List **token_keys);

/*
 * store_user_with_password
 *		A user by the text of the key, and the password column.
 */
extern StoreStatus store_user_with_password(const char *user_id,
											StoreUser  *user);

/*
 * store_user_by_claim, store_user_by_username
 *		The user whom a JWT names, and the password column: by the column in
 *		which simplejwt's USER_ID_FIELD is kept, or by name, exactly.
 */
extern StoreStatus store_user_by_claim(const char *claim, StoreUser *user);
extern StoreStatus store_user_by_username(const char *username,
										  StoreUser	 *user);

/*
 * store_canonical_user_id
 *		The text as the user table's key would print it ('007' is 7).
 *
 * Returns NULL when the text cannot be a key.  Without a mapping the text
 * itself is returned.
 */
extern char *store_canonical_user_id(const char *user_id);

/* Whether tokens are looked for among knox's: the site has no others. */
extern bool store_tokens_are_knox(void);

/*
 * store_delete_token, store_delete_tokens_of
 *		Delete rows of the site's token table; its triggers announce them.
 *
 * Raises 55000 when there is no token table (the first), or returns 0 (the
 * second).
 */
extern uint64 store_delete_token(text *key);
extern uint64 store_delete_tokens_of(const char *user_id);

/* ---- Django's sessions, knox, blacklists: store_credential.c ---- */

typedef struct StoreDjangoSession
{
	char	   *data;
	size_t		data_len;
	TimestampTz expires_at;
} StoreDjangoSession;

/*
 * store_django_session_find
 *		The row with this session key, expired or not; never STORE_BAD_ID.
 */
extern StoreStatus store_django_session_find(const char *key, size_t len,
											 StoreDjangoSession *session);

/* A row of knox's table. */
typedef struct StoreKnox
{
	StoreStatus status; /* STORE_FOUND or STORE_BAD_ID: of the user */
	StoreUser	user;
	char	   *digest;
	char	   *salt; /* before knox 4.2, else NULL */
	bool		has_expiry;
	TimestampTz expires_at;
} StoreKnox;

/*
 * store_knox_by_key
 *		The rows (StoreKnox *) with this token_key, expired or not; often one.
 *
 * An empty list is STORE_ABSENT.
 */
extern StoreStatus store_knox_by_key(const char *token_key, List **rows);

/*
 * store_knox_of
 *		A user by the text of the key, and his rows, of which there may be
 *		none.
 */
extern StoreStatus store_knox_of(const char *user_id, StoreUser *user,
								 List **rows);

/* How the attached table is laid out; meaningful only when there is one. */
extern KnoxFormat store_knox_format(void);

/*
 * store_jti_is_blacklisted
 *		Whether simplejwt's blacklist has a token with this jti; false when
 *		there are no such tables.
 */
extern bool store_jti_is_blacklisted(const char *jti);

/*
 * store_drf_jwt_is_blacklisted
 *		Whether drf-jwt's blacklist has this token, as a whole; false when
 *		there is no such table.
 */
extern bool store_drf_jwt_is_blacklisted(const char *token, size_t len);

/*
 * store_outstanding_jti
 *		The jti of a row of simplejwt's outstanding tokens, by the text of its
 *		id; NULL: there is none.
 */
extern char *store_outstanding_jti(const char *row_id);

/*
 * store_delete_django_session, store_delete_knox, store_delete_knox_of
 *		Delete rows of the site's; its triggers announce them.
 *
 * The first two raise 55000 when there is no such table, the third returns 0.
 */
extern uint64 store_delete_django_session(text *key);
extern uint64 store_delete_knox(const char *digest);
extern uint64 store_delete_knox_of(const char *user_id);

/* ---- session keys ---- */

typedef struct StoreSession
{
	char *user_id;
	char *issuer_id;   /* or NULL */
	char *issuer_kind; /* read only; or NULL */
	/* of a Django session or a JWT: to ask about it again; or NULL */
	char	   *issuer_credential;
	TimestampTz expires_at;
	ArrayType  *groups; /* or NULL: all */
	bool		limited;
	int			max_uses; /* meaningful when limited */
	int			uses;
} StoreSession;

/* Forget listeners that have not been heard of for longer than their lease. */
extern void store_listeners_purge(void);

/* Remove what durable groups need not keep; returns how many messages. */
extern uint64 store_messages_purge(void);

extern bool store_session_find(const uint8 *hash, StoreSession *session);

/*
 * store_session_consume
 *		Count one use of a limited key.
 *
 * Waits for a concurrent use of the same key; of those who compete for the
 * last use exactly one gets true.
 */
extern bool store_session_consume(const uint8 *hash, TimestampTz now);

extern void store_session_insert(const uint8 *hash, const StoreSession *session,
								 const char *issuer_kind, TimestampTz now);

extern uint64 store_session_delete(const uint8 *hash);
extern uint64 store_sessions_delete_issued_by(const char *issuer_id);
extern uint64 store_sessions_delete_issued_by_kind(const char *issuer_kind);
extern uint64 store_sessions_delete_of(const char *user_id);
extern uint64 store_sessions_delete_all(void);

/* limit 0: all that expired */
extern uint64 store_sessions_delete_expired(TimestampTz now, int limit);

#endif /* USHER_STORE_H */
