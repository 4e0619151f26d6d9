/*-------------------------------------------------------------------------
 *
 * revocations.c
 *	  What was revoked lately, for answers that are older than a revocation.
 *
 *-------------------------------------------------------------------------
 */
#include "revocations.h"

#include <stdlib.h>

#include "credentials.h"

#define FIRST_CAP 64

struct Revocation
{
	uint64_t   hash;
	uint64_t   at_ms;
	NoticeKind kind;
};

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t
hash_of(Slice key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.len; i++)
	{
		hash ^= (uint8_t) key.ptr[i];
		hash *= UINT64_C(0x100000001b3);
	}
	return hash;
}

static bool
hash_text(const char *text, uint64_t *hash)
{
	if (text == NULL)
		return false;
	*hash = hash_of((Slice){text, strlen(text)});
	return true;
}

/* Make room for one more; false when out of memory. */
static bool
reserve(Revocations *revocations)
{
	size_t		kept = (size_t) (revocations->next - revocations->first);
	size_t		cap;
	Revocation *ring;

	if (kept < revocations->cap)
		return true;
	if (revocations->cap >= REVOCATIONS_MAX)
	{
		revocations->first++;
		return true;
	}
	cap = revocations->cap != 0 ? revocations->cap * 2 : FIRST_CAP;
	if (cap > REVOCATIONS_MAX)
		cap = REVOCATIONS_MAX;
	ring = malloc(cap * sizeof(*ring));
	if (ring == NULL)
		return false;
	for (uint64_t i = revocations->first; i < revocations->next; i++)
		ring[i % cap] = revocations->ring[i % revocations->cap];
	free(revocations->ring);
	revocations->ring = ring;
	revocations->cap = cap;
	return true;
}

void
revocations_add(Revocations *revocations, NoticeKind kind, Slice key,
				uint64_t now_ms)
{
	while (
		revocations->first < revocations->next &&
		now_ms -
				revocations->ring[revocations->first % revocations->cap].at_ms >
			REVOCATIONS_KEEP_MS)
		revocations->first++;
	if (!reserve(revocations))
	{
		revocations_forget(revocations);
		return;
	}
	revocations->ring[revocations->next % revocations->cap] =
		(Revocation){hash_of(key), now_ms, kind};
	revocations->next++;
}

void
revocations_forget(Revocations *revocations)
{
	revocations->next++;
	revocations->first = revocations->next;
}

bool
revocations_since(const Revocations *revocations, uint64_t mark,
				  const char *kind, const char *user_id,
				  const char *credential_id, const char *issuer_id)
{
	uint64_t kind_hash = 0, user_hash = 0, credential_hash = 0, issuer_hash = 0;
	bool	 has_kind, has_user, has_credential, has_issuer;

	if (mark >= revocations->next)
		return false;
	if (mark < revocations->first)
		return true;
	has_kind = hash_text(kind, &kind_hash);
	has_user = hash_text(user_id, &user_hash);
	has_credential = hash_text(credential_id, &credential_hash);
	has_issuer = hash_text(issuer_id, &issuer_hash);

	for (uint64_t i = mark; i < revocations->next; i++)
	{
		const Revocation *one = &revocations->ring[i % revocations->cap];

		switch (one->kind)
		{
			case NOTICE_REVOKE_CREDENTIAL:
			case NOTICE_ENDS_SOONER:
				if ((has_credential && one->hash == credential_hash) ||
					(has_issuer && one->hash == issuer_hash))
					return true;
				break;
			case NOTICE_REVOKE_USER:
			case NOTICE_RECHECK_USER:
				if (has_user && one->hash == user_hash)
					return true;
				break;
			case NOTICE_REVOKE_KIND:
				/* Tokens of either kind are what sessions are issued by. */
				if ((has_kind && one->hash == kind_hash) ||
					(has_issuer &&
					 (one->hash == hash_of(slice_of(CREDENTIAL_TOKEN)) ||
					  one->hash == hash_of(slice_of(CREDENTIAL_KNOX)))))
					return true;
				break;
			case NOTICE_REVOKE_ALL:
				if (has_user)
					return true;
				break;
			case NOTICE_POLICY:
			case NOTICE_RECHECK_GROUP: return true;
			case NOTICE_MESSAGE:
			case NOTICE_CHUNK:
			case NOTICE_KICK:
			case NOTICE_JOINED:
			case NOTICE_LEFT:
			case NOTICE_CANARY:
			case NOTICE_BELL:
			case NOTICE_DURABLE:
			case NOTICE_HEAD: break; /* revoke nothing */
		}
	}
	return false;
}

void
revocations_fini(Revocations *revocations)
{
	free(revocations->ring);
	memset(revocations, 0, sizeof(*revocations));
}
