/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Whose credential is it: kind and text in, one identity out.
 *
 * Every kind has its room, identity_<kind>.c, which offers a pair of functions:
 * one that looks a credential up, one that looks again at what opened a
 * connection.  What they share is in identity_kind.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "identity.h"
#include "identity_kind.h"
#include "store.h"

#define NO_CREDENTIALS "no_credentials"

/* ---- nobody in particular ---- */

static void
authenticate_anonymous(text *credential, TimestampTz now, Identity *identity)
{
	(void) credential;
	(void) now;
	identity_refuse(identity, NO_CREDENTIALS);
}

static void
recheck_anonymous(const char *user_id, const char *credential_id,
				  TimestampTz now, Identity *identity)
{
	(void) user_id;
	(void) credential_id;
	(void) now;
	identity_refuse(identity, NO_CREDENTIALS);
}

static const IdentityKind identity_kind_anonymous = {
	IDENTITY_KIND_ANONYMOUS, IDENTITY_MAX_BYTES, NO_CREDENTIALS,
	authenticate_anonymous, recheck_anonymous};

/* ---- every kind ---- */

/* The kind of that name; or NULL, and the identity is refused. */
static const IdentityKind *
find_kind(const char *name, Identity *identity)
{
	static const IdentityKind *const kinds[] = {
		&identity_kind_token, &identity_kind_session,
		&identity_kind_jwt,	  &identity_kind_django_session,
		&identity_kind_knox,  &identity_kind_anonymous,
	};
	int i;

	memset(identity, 0, sizeof *identity);
	for (i = 0; name != NULL && i < (int) lengthof(kinds); i++)
	{
		if (strcmp(kinds[i]->name, name) == 0)
		{
			identity->kind = kinds[i]->name;
			return kinds[i];
		}
	}
	identity_refuse(identity, "unknown_kind");
	return NULL;
}

void
identity_authenticate(const char *kind, text *credential, TimestampTz now,
					  Identity *identity)
{
	const IdentityKind *found = find_kind(kind, identity);

	if (found == NULL)
		return;
	if (credential == NULL)
		identity_refuse(identity, NO_CREDENTIALS);
	else if (VARSIZE_ANY_EXHDR(credential) > found->max_bytes)
		identity_refuse(identity, found->too_long);
	else
		found->authenticate(credential, now, identity);
}

void
identity_recheck(const char *kind, const char *user_id,
				 const char *credential_id, TimestampTz now, Identity *identity)
{
	const IdentityKind *found = find_kind(kind, identity);

	if (found == NULL)
		return;
	if (user_id == NULL || credential_id == NULL)
		identity_refuse(identity, NO_CREDENTIALS);
	else
		found->recheck(user_id, credential_id, now, identity);
}

void
identity_of_user(const char *user_id, Identity *identity)
{
	StoreUser	user;
	const char *refusal;

	memset(identity, 0, sizeof *identity);
	if (user_id == NULL)
		refusal = "bad_user_id";
	else
		refusal = identity_user_refusal(store_user_by_id(user_id, &user, NULL),
										&user, false, "unknown_user");
	if (refusal != NULL)
		identity_refuse(identity, refusal);
	else
		identity_accept(identity, &user);
}
