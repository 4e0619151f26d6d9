/*-------------------------------------------------------------------------
 *
 * principal.h
 *	  Who a client is, and as whom it is found and counted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_PRINCIPAL_H
#define USHER_PRINCIPAL_H

#include "client.h"
#include "credentials.h"

/* How credentials are read, by the settings as they are now. */
CredentialOptions principal_credential_options(const Config *config);

/*
 * principal_set
 *		Take over who the answer says the client is, and until when.
 *
 * Replaces who it was (usher.v1's refresh).  Returns NULL, or the reason why
 * not (see refusal.h); the client is then who it was.
 */
const char *principal_set(Client *client, const AdmitAnswer *answer) MUST_CHECK;

/* Whether the answer to a question that was asked at mark may be outdated: see
 * feed_revoked_since(). */
bool principal_is_outdated(const Client *client, uint64_t mark,
						   const AdmitAnswer *answer) MUST_CHECK;

/* Ask once more about the identity that answer names, for a group (may be
 * SLICE_NONE): that counts no use of a key.  NULL when out of memory. */
Call *principal_confirm(Client *client, const AdmitAnswer *answer, Slice group,
						uint64_t timeout_ms, AdmitDone done,
						void *arg) MUST_CHECK;

/* With which code and reason (static) it is closed when it is not, for this
 * reason, who it was any more. */
uint16_t principal_end(const Client *client, const char *reason,
					   const char **close_reason);

/* The reason why a question about somebody has no useful answer; NULL: it
 * has. */
const char *principal_failure(CallStatus status);

#endif
