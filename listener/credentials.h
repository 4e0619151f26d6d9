/*-------------------------------------------------------------------------
 *
 * credentials.h
 *	  Which credential a request presents.  Pure: looks nothing up.
 *
 * Carriers in order: Authorization header, ?session_key=, ?token= (only when
 * allowed).  The first one present decides; a malformed one is refused, never
 * passed over and never anonymous.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CREDENTIALS_H
#define USHER_CREDENTIALS_H

#include "common.h"
#include "http.h"

/* Longest credential we ask the database about, in bytes. */
#define CREDENTIAL_MAX 8192

typedef struct CredentialOptions
{
	const char *token_keyword; /* DRF: TokenAuthentication.keyword, "Token" */
	bool		allow_query_token; /* ?token= */
} CredentialOptions;

typedef enum CredentialStatus
{
	CREDENTIAL_NONE,	/* anonymous */
	CREDENTIAL_PRESENT, /* kind and value are set */
	CREDENTIAL_REFUSED, /* reason is set: 401 without a look-up */
} CredentialStatus;

typedef struct Credential
{
	CredentialStatus status;
	const char		*kind; /* "token", "session", or "anonymous" when none */
	const char *reason;	   /* only when refused: no_credentials, has_spaces, */
						   /* invalid_characters, unknown_token, */
						   /* unknown_session or malformed_credential */
	const char *detail;	   /* DRF's own sentence for that reason, or ours */
	size_t		len;
	/* NUL-terminated; to be wiped by credential_wipe */
	char value[CREDENTIAL_MAX + 1];
} Credential;

/*
 * credential_find
 *		The credential of this request.
 *
 * Header rules are DRF's to the letter (rest_framework/authentication.py,
 * TokenAuthentication.authenticate): split at ASCII white space, keyword
 * without case, exactly two parts, valid UTF-8.  Another scheme is "not
 * attempted": the next carrier counts.  A value with a NUL is unknown_token
 * (PostgreSQL's text cannot hold it; Django answers 500); an over-long one too.
 */
void credential_find(Credential *credential, const HttpRequest *request,
					 const CredentialOptions *options);

/* Overwrite the value, in a way that the compiler does not leave out. */
void credential_wipe(Credential *credential);

#endif
