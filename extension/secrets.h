/*-------------------------------------------------------------------------
 *
 * secrets.h
 *	  The site's keys: ready for use, and how they are changed.
 *
 * Call as usher_owner, that is, below a SECURITY DEFINER function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_SECRETS_H
#define USHER_SECRETS_H

#include "django_session.h"
#include "jwt.h"

#define SECRETS_KEY_MAX_BYTES 65536
#define SECRETS_MAX_FALLBACKS 64
#define SECRETS_MAX_JWT_KEYS 64
#define SECRETS_NAME_MAX 99

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

/* What a change took away: something may be open that was let in by it. */
typedef struct SecretsLoss
{
	bool django; /* a key or fallback that verified sessions */
	bool jwt;	 /* a key that verified JWTs */
} SecretsLoss;

/*
 * secrets_set
 *		Replace SECRET_KEY (the first) and its fallbacks (the others).
 *
 * With keep_previous the key and the fallbacks until now follow the new key,
 * in front of the new fallbacks.  Keys are borrowed, and equal ones are kept
 * once.  Raises 22023 for an empty one, 54000 for one that is too large or for
 * too many; no error contains a key or the statement, which may hold it.
 */
extern SecretsLoss secrets_set(const CryptoPart *keys, size_t nkeys,
							   bool keep_previous);

/* Remove the fallbacks; returns how many there were. */
extern size_t secrets_remove_fallbacks(SecretsLoss *loss);

/* Remove SECRET_KEY and its fallbacks; returns whether there was one. */
extern bool secrets_remove(SecretsLoss *loss);

/*
 * secrets_add_jwt
 *		Add a JWT key, or replace the one of this name.
 *
 * key NULL: whatever SECRET_KEY is when a token comes.  Raises 22004, 22023
 * for a name or an algorithm that is none or a key that does not fit, and
 * 54000, as above.
 */
extern SecretsLoss secrets_add_jwt(const char *name, const char *algorithm,
								   const CryptoPart *key);

/* Remove a JWT key; returns whether there was one. */
extern bool secrets_remove_jwt(const char *name, SecretsLoss *loss);

/*
 * SECRETS_HIDDEN
 *		In an ereport: keeps the statement out of the log, which may hold a
 *		key, and the context, where a function's statement would stand.
 */
#define SECRETS_HIDDEN errhidestmt(true), errhidecontext(true)

#endif /* USHER_SECRETS_H */
