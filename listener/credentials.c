/*-------------------------------------------------------------------------
 *
 * credentials.c
 *	  Which credential a request presents.  Pure: looks nothing up.
 *
 * Each carrier is asked in turn and answers none, present or refused; the
 * first answer other than none stands.  The value is only ever in the caller's
 * Credential, so that wiping that one wipes it.
 *
 *-------------------------------------------------------------------------
 */
#include "credentials.h"
#include "websocket.h"

/* At most this many parts of the header matter: more is has_spaces. */
#define HEADER_PARTS 3

static CredentialStatus from_header(Credential		  *credential,
									const HttpRequest *request,
									const char		  *keyword);
static CredentialStatus from_query(Credential *credential, Slice query,
								   const char *name, const char *kind,
								   const char *unknown_reason,
								   const char *unknown_detail);
static CredentialStatus refuse(Credential *credential, const char *reason,
							   const char *detail);
static size_t			split(Slice value, Slice parts[HEADER_PARTS]);
static bool				is_keyword(Slice part, const char *keyword);
static char				ascii_lower(char c);

void
credential_find(Credential *credential, const HttpRequest *request,
				const CredentialOptions *options)
{
	/* Not the value: 8 kB that nearly every request leaves alone. */
	memset(credential, 0, offsetof(Credential, value));
	credential->value[0] = '\0';
	credential->kind = "anonymous";

	credential->status =
		from_header(credential, request, options->token_keyword);
	if (credential->status == CREDENTIAL_NONE)
		credential->status =
			from_query(credential, request->query, "session_key", "session",
					   "unknown_session", "Invalid session key.");
	if (credential->status == CREDENTIAL_NONE && options->allow_query_token)
		credential->status =
			from_query(credential, request->query, "token", "token",
					   "unknown_token", "Invalid token.");
}

void
credential_wipe(Credential *credential)
{
	explicit_bzero(credential->value, sizeof(credential->value));
	credential->len = 0;
}

/* rest_framework/authentication.py, TokenAuthentication.authenticate */
static CredentialStatus
from_header(Credential *credential, const HttpRequest *request,
			const char *keyword)
{
	Slice  parts[HEADER_PARTS];
	Slice  token;
	size_t count;
	Slice  value = http_header(request, "Authorization", &count);

	/* Which of two would count depends on who reads them. */
	if (count > 1)
		return refuse(credential, "malformed_credential",
					  "The Authorization header occurs more than once.");

	count = split(value, parts);
	if (count == 0 || !is_keyword(parts[0], keyword))
		return CREDENTIAL_NONE;
	credential->kind = "token";
	if (count == 1)
		return refuse(credential, "no_credentials",
					  "Invalid token header. No credentials provided.");
	if (count > 2)
		return refuse(credential, "has_spaces",
					  "Invalid token header. Token string should not contain "
					  "spaces.");

	token = parts[1];
	if (!ws_utf8_valid(token.ptr, token.len))
		return refuse(credential, "invalid_characters",
					  "Invalid token header. Token string should not contain "
					  "invalid characters.");
	if (token.len > CREDENTIAL_MAX ||
		memchr(token.ptr, '\0', token.len) != NULL)
		return refuse(credential, "unknown_token", "Invalid token.");

	memcpy(credential->value, token.ptr, token.len);
	credential->value[token.len] = '\0';
	credential->len = token.len;
	return CREDENTIAL_PRESENT;
}

static CredentialStatus
from_query(Credential *credential, Slice query, const char *name,
		   const char *kind, const char *unknown_reason,
		   const char *unknown_detail)
{
	long len =
		http_query_parameter(query, name, credential->value, CREDENTIAL_MAX);

	if (len == -1)
		return CREDENTIAL_NONE;
	credential->kind = kind;
	if (len < 0)
		return refuse(credential, "malformed_credential",
					  "The credential in the query string is too long, not "
					  "decodable, or there more than once.");
	if (len == 0)
		return refuse(credential, "no_credentials",
					  "The credential in the query string is empty.");
	if (!ws_utf8_valid(credential->value, (size_t) len))
		return refuse(credential, "invalid_characters",
					  "The credential in the query string contains invalid "
					  "characters.");
	if (memchr(credential->value, '\0', (size_t) len) != NULL)
		return refuse(credential, unknown_reason, unknown_detail);

	credential->value[len] = '\0';
	credential->len = (size_t) len;
	return CREDENTIAL_PRESENT;
}

/* What was read of the value is of no more use, but may be most of a secret. */
static CredentialStatus
refuse(Credential *credential, const char *reason, const char *detail)
{
	credential_wipe(credential);
	credential->reason = reason;
	credential->detail = detail;
	return CREDENTIAL_REFUSED;
}

/*
 * Python's bytes.split(): runs of ASCII white space separate, and what leads or
 * trails them is nothing.  Not 0x85 and not 0xA0.
 */
static size_t
split(Slice value, Slice parts[HEADER_PARTS])
{
	static const char blanks[] = {' ', '\t', '\n', '\r', '\v', '\f'};
	size_t			  count = 0;
	bool			  inside = false;

	for (size_t i = 0; i < value.len; i++)
	{
		if (memchr(blanks, value.ptr[i], sizeof(blanks)) != NULL)
			inside = false;
		else if (inside)
			parts[count - 1].len++;
		else if (count == HEADER_PARTS)
			break;
		else
		{
			parts[count++] = (Slice){value.ptr + i, 1};
			inside = true;
		}
	}
	return count;
}

/* Equal when both are lower-cased as Python lower-cases bytes: ASCII only. */
static bool
is_keyword(Slice part, const char *keyword)
{
	if (strlen(keyword) != part.len)
		return false;
	for (size_t i = 0; i < part.len; i++)
		if (ascii_lower(part.ptr[i]) != ascii_lower(keyword[i]))
			return false;
	return true;
}

static char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}
