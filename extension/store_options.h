/*-------------------------------------------------------------------------
 *
 * store_options.h
 *	  What a site has set about its sessions, JWTs and knox tokens; part of
 *	  store.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STORE_OPTIONS_H
#define USHER_STORE_OPTIONS_H

#include "crypto.h"
#include "django_session.h"
#include "jwt.h"

/* Strings are UTF-8, whatever the server's encoding. */
typedef struct SessionOptions
{
	DjangoSessionOptions decode;
	const char *const	*backends; /* AUTHENTICATION_BACKENDS */
	size_t				 nbackends;
	bool				 signed_cookies; /* cookies of that backend are taken */
	int64_t				 cookie_age_s;	 /* their SESSION_COOKIE_AGE */
} SessionOptions;

typedef struct UsherOptions
{
	SessionOptions session;

	/*
	 * For drf-jwt without the claims it does not know: type_claim, jti_claim
	 * and revoke_claim are NULL then.  revoke_claim is NULL unless
	 * CHECK_REVOKE_TOKEN is on.
	 */
	JwtOptions jwt;
	bool	   jwt_check_user_is_active;

	CryptoHash knox_hash; /* SECURE_HASH_ALGORITHM */
} UsherOptions;

/*
 * store_options
 *		usher.session_options, usher.jwt_options and usher.knox_options;
 *		where one has no row, the libraries' defaults.
 *
 * Cached; good until the next call.
 */
extern const UsherOptions *store_options(void);

#endif /* USHER_STORE_OPTIONS_H */
