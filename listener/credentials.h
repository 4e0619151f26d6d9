/*-------------------------------------------------------------------------
 *
 * credentials.h
 *	  Which credential a request presents.  Pure: looks nothing up.
 *
 * Carriers in order: Authorization header; ?session_key=, ?token= (only when
 * allowed); subprotocol usher.auth.<base64url>; the JWT cookie; the session
 * cookie.  The first one present decides; a malformed one is refused, never
 * passed over and never anonymous.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CREDENTIALS_H
#define USHER_CREDENTIALS_H

#include "common.h"
#include "http.h"

/* Longest credential we ask the database about, in bytes. */
#define CREDENTIAL_MAX 16384

/* Kinds, as usher.authenticate() calls them. */
#define CREDENTIAL_TOKEN "token"
#define CREDENTIAL_SESSION "session"
#define CREDENTIAL_DJANGO_SESSION "django_session"
#define CREDENTIAL_JWT "jwt"
#define CREDENTIAL_KNOX "knox"
#define CREDENTIAL_ANONYMOUS "anonymous"

typedef struct CredentialOptions
{
	/*
	 * Words of the Authorization header and what follows them, such as
	 * "Token=token, Bearer=jwt, JWT=drf-jwt".  token and knox: without case
	 * (DRF, knox); jwt: with case (simplejwt's AUTH_HEADER_TYPES); drf-jwt: a
	 * jwt without case (djangorestframework-jwt, drf-jwt).
	 */
	const char *header_keywords;
	bool		allow_query_token;			/* ?token= */
	bool		allow_query_django_session; /* ?session_key= may also be the
											 * key of a Django session */
	const char *jwt_cookie;					/* name, "" for none */
	const char *session_cookie; /* SESSION_COOKIE_NAME, "" for none */
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
	const char		*kind;		  /* one of the above; anonymous when none */
	bool			 from_cookie; /* present or refused: counts only with an
								   * allowed Origin */
	/* Only when refused: no_credentials, has_spaces, invalid_characters,
	 * malformed_credential, or what the look-up would say of a value that
	 * cannot be anybody's: unknown_token, unknown_session, bad_session_key,
	 * malformed. */
	const char *reason;
	const char *detail; /* the library's own sentence for that, or ours */
	size_t		len;
	/* NUL-terminated; to be wiped by credential_wipe */
	char value[CREDENTIAL_MAX + 1];
} Credential;

/*
 * credential_find
 *		The credential of this request.
 *
 * Header rules are the libraries' to the letter (rest_framework/
 * authentication.py, TokenAuthentication.authenticate; knox/auth.py;
 * rest_framework_simplejwt/authentication.py, get_raw_token): split at ASCII
 * white space, exactly two parts.  Another scheme is "not attempted": the next
 * carrier counts.  A value with a NUL or over CREDENTIAL_MAX is refused as an
 * unknown one (PostgreSQL's text cannot hold a NUL; Django answers 500).
 *
 * The value of the subprotocol, base64url without padding (RFC 4648 section
 * 5), is either what an Authorization header would hold ("Bearer x.y.z") or a
 * bare credential, told by its form: two periods make a JWT, 43 characters of
 * base64url one of our session keys, anything else is a token.
 *
 * ?session_key= with allow_query_django_session: 43 characters of base64url
 * are one of our keys, anything else is Django's, whose column holds 40.
 *
 * Only the first Cookie header counts, as in Channels.  A cookie without a
 * value is none: that is how Django reads an empty session key.
 */
void credential_find(Credential *credential, const HttpRequest *request,
					 const CredentialOptions *options);

/*
 * credential_read
 *		The credential in the first message of usher.v1, or in a later one.
 *
 * text is read as the value of the subprotocol is.  Never CREDENTIAL_NONE.
 */
void credential_read(Credential *credential, Slice text,
					 const CredentialOptions *options);

/* Whether an offered subprotocol is a credential: never to be echoed. */
#define CREDENTIAL_PROTOCOL "usher.auth."
bool credential_is_protocol(Slice protocol);

/*
 * credential_check_keywords
 *		Whether a text may be header_keywords; else the end of a sentence that
 *		says what is wrong with it.  At least one; each word is a token of RFC
 *		9110 of at most 32 characters, and none is there twice (without case).
 */
bool credential_check_keywords(const char *keywords, char *error,
							   size_t error_cap) MUST_CHECK;

/* The first word of header_keywords, for WWW-Authenticate. */
Slice credential_first_keyword(const char *keywords);

/* Overwrite the value, in a way that the compiler does not leave out. */
void credential_wipe(Credential *credential);

#endif
