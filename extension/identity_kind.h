/*-------------------------------------------------------------------------
 *
 * identity_kind.h
 *	  What a kind of credential is to identity.c, and what the kinds share; no
 *	  room but identity*.c includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_IDENTITY_KIND_H
#define USHER_IDENTITY_KIND_H

#include "identity.h"
#include "store.h"

/*
 * One kind.  Both functions are given an empty identity with its kind set;
 * neither is called with a NULL, nor authenticate with a text longer than
 * max_bytes, which is no credential of anybody's.
 */
typedef struct IdentityKind
{
	const char *name;
	size_t		max_bytes;
	const char *too_long; /* the reason then */
	void (*authenticate)(text *credential, TimestampTz now, Identity *identity);
	void (*recheck)(const char *user_id, const char *credential_id,
					TimestampTz now, Identity *identity);
} IdentityKind;

/* For kinds that have no limit of their own. */
#define IDENTITY_MAX_BYTES 8192

extern const IdentityKind identity_kind_token;
extern const IdentityKind identity_kind_session;
extern const IdentityKind identity_kind_django_session;
extern const IdentityKind identity_kind_jwt;
extern const IdentityKind identity_kind_knox;

/* ---- answers ---- */

/* Leaves nothing in the identity but its kind and the reason. */
extern void identity_refuse(Identity *identity, const char *reason);

/*
 * identity_user_refusal
 *		NULL when the user may be identified, else the reason why not;
 *		any_active says that inactive ones may.
 */
extern const char *identity_user_refusal(StoreStatus	  status,
										 const StoreUser *user, bool any_active,
										 const char *absent_reason);

/* The identity is this user's; expiry and ids are still to be set. */
extern void identity_accept(Identity *identity, const StoreUser *user);

/* Sets the expiry; DT_NOEND, or a time that no timestamp holds, is none. */
extern void identity_expire(Identity *identity, TimestampTz at);
extern void identity_expire_unix(Identity *identity, int64 seconds);

/* Unix time in microseconds. */
extern int64 identity_unix_us(TimestampTz time);

/* ---- ids ---- */

/* Raises 38000: OpenSSL could not compute it. */
extern _Noreturn void identity_crypto_failed(const char *what);

/* 64 digits: SHA-256 of this installation's salt, the label and the bytes. */
extern char *identity_hashed_id(const char *label, const char *bytes,
								size_t len);

/*
 * identity_sealed_id, identity_open_id
 *		An id from which we, knowing the salt, find the bytes again.
 *
 * Opening returns NULL for what was not sealed here with this label, and for
 * more than max_bytes.
 */
extern char *identity_sealed_id(const char *label, const char *bytes,
								size_t len);
extern text *identity_open_id(const char *label, const char *id,
							  size_t max_bytes);

/* ---- what issued a session key ---- */

/* Whether one of a user's tokens (char *) has this credential id. */
extern bool identity_owns_token(List *token_keys, const char *token_id);

/*
 * identity_knox_owner
 *		The user with this id, if the knox token with that credential id is
 *		his and alive; else the reason why not.  *expires_at is DT_NOEND for a
 *		token that never expires.
 */
extern const char *identity_knox_owner(const char *user_id,
									   const char *credential_id,
									   TimestampTz now, StoreUser *user,
									   TimestampTz *expires_at);

#endif /* USHER_IDENTITY_KIND_H */
