/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Whose credential is it: kind and text in, one identity out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_IDENTITY_H
#define USHER_IDENTITY_H

#include "datatype/timestamp.h"
#include "utils/array.h"

#define IDENTITY_KIND_TOKEN "token"
#define IDENTITY_KIND_SESSION "session"
#define IDENTITY_KIND_DJANGO_SESSION "django_session"
#define IDENTITY_KIND_JWT "jwt"
#define IDENTITY_KIND_KNOX "knox"
#define IDENTITY_KIND_ANONYMOUS "anonymous"

/* A Django session that is good, but nobody is logged in with it. */
#define IDENTITY_NO_USER_IN_SESSION "no_user_in_session"

/*
 * When valid is false only reason and kind are set, and kind only if it is
 * one we know.
 */
typedef struct Identity
{
	bool		valid;
	const char *reason; /* a constant; NULL when valid */
	char	   *user_id;
	char	   *username;	   /* or NULL */
	const char *kind;		   /* a constant, or NULL */
	char	   *credential_id; /* lower-case hex digits */
	char	   *issuer_id;	   /* 64 of them, or NULL */
	bool		has_expiry;
	TimestampTz expires_at;
	ArrayType  *groups; /* text[]; NULL: all */
} Identity;

/*
 * identity_authenticate
 *		Look a credential up; a valid answer on a session key with limited
 *		uses consumes one.
 *
 * kind and credential may be NULL.  Never raises for what a client may have
 * sent.  'anonymous' is never valid here (no_credentials): whether nobody
 * in particular may enter is the policy's question, not ours.
 */
extern void identity_authenticate(const char *kind, text *credential,
								  TimestampTz now, Identity *identity);

/*
 * identity_recheck
 *		Is the credential behind an open connection still good?
 *
 * Found by its id, never by its text, and no use is consumed: a single-use
 * key that opened a connection stays good for it until it expires.
 */
extern void identity_recheck(const char *kind, const char *user_id,
							 const char *credential_id, TimestampTz now,
							 Identity *identity);

/*
 * identity_of_user
 *		The identity of a user whom somebody else has authenticated: no kind,
 *		no credential.
 */
extern void identity_of_user(const char *user_id, Identity *identity);

/*
 * identity_token_id, identity_django_session_id, identity_knox_id
 *		The credential id of a token or a Django session with this key, or of
 *		a knox token with this digest, valid or not.
 */
extern char *identity_token_id(const char *key, size_t len);
extern char *identity_django_session_id(const char *key, size_t len);
extern char *identity_knox_id(const char *digest);

/*
 * identity_knox_digest
 *		The digest of the knox token's row, expired or not; NULL: there is
 *		none.
 */
extern char *identity_knox_digest(const text *token);

/*
 * identity_jti_id, identity_drf_jwt_issuer_id
 *		The issuer id of JWTs with this jti; or of this drf-jwt token, by its
 *		jti if it has one, else as a whole.  Neither need be valid.
 */
extern char *identity_jti_id(const char *jti);
extern char *identity_drf_jwt_issuer_id(const char *token, size_t len);

#endif /* USHER_IDENTITY_H */
