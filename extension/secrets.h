/*-------------------------------------------------------------------------
 *
 * secrets.h
 *	  The site's keys, ready for use: SECRET_KEY and its fallbacks, and the
 *	  keys of JSON Web Tokens with their public keys parsed.
 *
 * Call as usher_owner, that is, below a SECURITY DEFINER function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_SECRETS_H
#define USHER_SECRETS_H

#include "django_session.h"
#include "jwt.h"

typedef struct Secrets
{
	/* SECRET_KEY, then its fallbacks; none at all when no SECRET_KEY is set. */
	DjangoSecretKeys django;

	/*
	 * In the order of their names.  A key that is to be the SECRET_KEY is
	 * that, and missing as long as none is set.
	 */
	const JwtKey *jwt_keys;
	size_t		  njwt_keys;
} Secrets;

/*
 * secrets_current
 *		What usher.secret says now, in this transaction's eyes and those of
 *		every one that has committed.
 *
 * Read and parsed once and kept until the table changes.  Good until the next
 * call; the keys in it are overwritten when they are no longer needed.
 */
extern const Secrets *secrets_current(void);

#endif /* USHER_SECRETS_H */
