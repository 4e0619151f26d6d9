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

#include <stdio.h>

#include "base64url.h"
#include "cookie.h"
#include "websocket.h"

/* At most this many parts of the header matter: more is has_spaces. */
#define HEADER_PARTS 3

/* BASE64URL_ENCODED_LEN(32): our session keys are 32 random bytes. */
#define SESSION_KEY_LEN 43

#define KEYWORD_MAX 32

/* How much of wrong header_keywords an error repeats. */
#define SHOWN_MAX 80

/* A library behind a word of the Authorization header. */
typedef struct Scheme
{
	const char *name; /* in header_keywords */
	const char *kind;
	bool		with_case; /* the word is compared so */
	const char *no_credentials;
	const char *has_spaces;
} Scheme;

#define DRF_NO_CREDENTIALS "Invalid token header. No credentials provided."
#define DRF_HAS_SPACES                                                         \
	"Invalid token header. Token string should not contain spaces."
#define DRF_INVALID_CHARACTERS                                                 \
	"Invalid token header. Token string should not contain invalid "           \
	"characters."
#define SIMPLEJWT_TWO_VALUES                                                   \
	"Authorization header must contain two space-delimited values"

static const Scheme schemes[] = {
	/* rest_framework/authentication.py; knox/auth.py says the same */
	{"token", CREDENTIAL_TOKEN, false, DRF_NO_CREDENTIALS, DRF_HAS_SPACES},
	{"knox", CREDENTIAL_KNOX, false, DRF_NO_CREDENTIALS, DRF_HAS_SPACES},
	/* rest_framework_simplejwt/authentication.py */
	{"jwt", CREDENTIAL_JWT, true, SIMPLEJWT_TWO_VALUES, SIMPLEJWT_TWO_VALUES},
	/* rest_framework_jwt/authentication.py */
	{"drf-jwt", CREDENTIAL_JWT, false,
	 "Invalid Authorization header. No credentials provided.",
	 "Invalid Authorization header. Credentials string should not contain "
	 "spaces."},
};

/* What a look-up would say of a value that cannot be anybody's. */
static const struct
{
	const char *kind;
	const char *reason;
	const char *detail;
} unknown[] = {
	{CREDENTIAL_TOKEN, "unknown_token", "Invalid token."},
	{CREDENTIAL_KNOX, "unknown_token", "Invalid token."},
	{CREDENTIAL_SESSION, "unknown_session", "Invalid session key."},
	{CREDENTIAL_DJANGO_SESSION, "bad_session_key", "Invalid session key."},
	{CREDENTIAL_JWT, "malformed", "Token is invalid or expired"},
};

static CredentialStatus from_header(Credential		  *credential,
									const HttpRequest *request,
									const char		  *keywords);
static CredentialStatus from_query(Credential *credential, Slice query,
								   const char *name, const char *kind,
								   bool or_django);
static CredentialStatus from_protocol(Credential		*credential,
									  const HttpRequest *request,
									  const char		*keywords);
static CredentialStatus from_cookie(Credential		  *credential,
									const HttpRequest *request,
									const char *name, const char *kind);
static CredentialStatus from_authorization(Credential *credential, Slice value,
										   const char *keywords);
static CredentialStatus from_text(Credential *credential, Slice text,
								  const char *keywords);
static const char	   *kind_by_form(Slice value);
static bool				is_session_key(Slice value);
static CredentialStatus keep(Credential *credential, Slice value);
static CredentialStatus refuse(Credential *credential, const char *reason,
							   const char *detail);
static CredentialStatus refuse_unknown(Credential *credential);
static size_t			split(Slice value, Slice parts[HEADER_PARTS]);
static bool			 split_keyword(Slice part, Slice *word, Slice *scheme_name);
static const Scheme *scheme_named(Slice name);
static const Scheme *scheme_of_word(Slice word, const char *keywords);

static void
clear(Credential *credential)
{
	/* Not the value: 16 kB that nearly every request leaves alone. */
	memset(credential, 0, offsetof(Credential, value));
	credential->value[0] = '\0';
	credential->kind = CREDENTIAL_ANONYMOUS;
}

void
credential_find(Credential *credential, const HttpRequest *request,
				const CredentialOptions *options)
{
	CredentialStatus status;

	clear(credential);
	status = from_header(credential, request, options->header_keywords);
	if (status == CREDENTIAL_NONE)
		status =
			from_query(credential, request->query, "session_key",
					   CREDENTIAL_SESSION, options->allow_query_django_session);
	if (status == CREDENTIAL_NONE && options->allow_query_token)
		status = from_query(credential, request->query, "token",
							CREDENTIAL_TOKEN, false);
	if (status == CREDENTIAL_NONE)
		status = from_protocol(credential, request, options->header_keywords);
	if (status == CREDENTIAL_NONE)
		status = from_cookie(credential, request, options->jwt_cookie,
							 CREDENTIAL_JWT);
	if (status == CREDENTIAL_NONE)
		status = from_cookie(credential, request, options->session_cookie,
							 CREDENTIAL_DJANGO_SESSION);
	credential->status = status;
}

void
credential_read(Credential *credential, Slice text,
				const CredentialOptions *options)
{
	clear(credential);
	credential->status = from_text(credential, text, options->header_keywords);
}

void
credential_wipe(Credential *credential)
{
	explicit_bzero(credential->value, sizeof(credential->value));
	credential->len = 0;
}

bool
credential_is_protocol(Slice protocol)
{
	size_t len = strlen(CREDENTIAL_PROTOCOL);

	return protocol.len >= len &&
		   memcmp(protocol.ptr, CREDENTIAL_PROTOCOL, len) == 0;
}

/* ---- carriers ----------------------------------------------------------- */

static CredentialStatus
from_header(Credential *credential, const HttpRequest *request,
			const char *keywords)
{
	size_t count;
	Slice  value = http_header(request, "Authorization", &count);

	/* Which of two would count depends on who reads them. */
	if (count > 1)
		return refuse(credential, "malformed_credential",
					  "The Authorization header occurs more than once.");
	return from_authorization(credential, value, keywords);
}

static CredentialStatus
from_query(Credential *credential, Slice query, const char *name,
		   const char *kind, bool or_django)
{
	long len =
		http_query_parameter(query, name, credential->value, CREDENTIAL_MAX);
	Slice value = {credential->value, len > 0 ? (size_t) len : 0};

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
	if (!ws_utf8_valid(value.ptr, value.len))
		return refuse(credential, "invalid_characters",
					  "The credential in the query string contains invalid "
					  "characters.");
	if (or_django && !is_session_key(value))
		credential->kind = CREDENTIAL_DJANGO_SESSION;
	return keep(credential, value);
}

static CredentialStatus
from_protocol(Credential *credential, const HttpRequest *request,
			  const char *keywords)
{
	HttpCursor cursor = {0};
	Slice	   encoded = SLICE_NONE;
	Slice	   element;
	size_t	   len;

	while (
		http_next_element(request, "Sec-WebSocket-Protocol", &cursor, &element))
	{
		if (!credential_is_protocol(element))
			continue;
		if (encoded.ptr != NULL)
			return refuse(credential, "malformed_credential",
						  "More than one subprotocol is a credential.");
		len = strlen(CREDENTIAL_PROTOCOL);
		encoded = (Slice){element.ptr + len, element.len - len};
	}
	if (encoded.ptr == NULL)
		return CREDENTIAL_NONE;

	if (encoded.len > BASE64URL_ENCODED_LEN(CREDENTIAL_MAX) ||
		!base64url_decode(encoded.ptr, encoded.len,
						  (uint8_t *) credential->value, &len))
		return refuse(credential, "malformed_credential",
					  "The credential in the subprotocol is too long, or not "
					  "base64url without padding.");
	return from_text(credential, (Slice){credential->value, len}, keywords);
}

static CredentialStatus
from_cookie(Credential *credential, const HttpRequest *request,
			const char *name, const char *kind)
{
	long len;

	if (name[0] == '\0')
		return CREDENTIAL_NONE;
	len = cookie_find(http_header(request, "Cookie", NULL), name,
					  credential->value, CREDENTIAL_MAX);
	if (len == -1 || len == 0)
		return CREDENTIAL_NONE;
	credential->kind = kind;
	credential->from_cookie = true;
	if (len < 0)
		return refuse(credential, "malformed_credential",
					  "The credential in the cookie is too long.");
	return keep(credential, (Slice){credential->value, (size_t) len});
}

/* ---- what carriers have in common --------------------------------------- */

/* What an Authorization header holds, or would hold. */
static CredentialStatus
from_authorization(Credential *credential, Slice value, const char *keywords)
{
	Slice		  parts[HEADER_PARTS];
	size_t		  count = split(value, parts);
	const Scheme *scheme =
		count > 0 ? scheme_of_word(parts[0], keywords) : NULL;

	if (scheme == NULL)
		return CREDENTIAL_NONE;
	credential->kind = scheme->kind;
	if (count == 1)
		return refuse(credential, "no_credentials", scheme->no_credentials);
	if (count > 2)
		return refuse(credential, "has_spaces", scheme->has_spaces);
	if (!ws_utf8_valid(parts[1].ptr, parts[1].len))
	{
		/* To PyJWT it is one more text that is no token. */
		if (strcmp(scheme->kind, CREDENTIAL_JWT) == 0)
			return refuse_unknown(credential);
		return refuse(credential, "invalid_characters", DRF_INVALID_CHARACTERS);
	}
	return keep(credential, parts[1]);
}

/* What an Authorization header would hold, or a bare credential. */
static CredentialStatus
from_text(Credential *credential, Slice text, const char *keywords)
{
	Slice			 parts[HEADER_PARTS];
	CredentialStatus status = from_authorization(credential, text, keywords);

	if (status != CREDENTIAL_NONE)
		return status;
	switch (split(text, parts))
	{
		case 0:
			return refuse(credential, "no_credentials",
						  "The credential is empty.");
		case 1: break;
		default:
			return refuse(credential, "malformed_credential",
						  "The credential starts with a word that is no "
						  "keyword here.");
	}
	if (!ws_utf8_valid(parts[0].ptr, parts[0].len))
		return refuse(credential, "invalid_characters",
					  "The credential contains invalid characters.");
	credential->kind = kind_by_form(parts[0]);
	return keep(credential, parts[0]);
}

/* The kind of a bare credential. */
static const char *
kind_by_form(Slice value)
{
	size_t periods = 0;

	for (size_t i = 0; i < value.len; i++)
		periods += value.ptr[i] == '.';
	if (periods == 2)
		return CREDENTIAL_JWT;
	return is_session_key(value) ? CREDENTIAL_SESSION : CREDENTIAL_TOKEN;
}

/* The form of ours: Django's have at most 40 characters. */
static bool
is_session_key(Slice value)
{
	if (value.len != SESSION_KEY_LEN)
		return false;
	for (size_t i = 0; i < value.len; i++)
	{
		char c = value.ptr[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

/* The value, which may lie within the credential already, is what counts. */
static CredentialStatus
keep(Credential *credential, Slice value)
{
	if (value.len > CREDENTIAL_MAX ||
		memchr(value.ptr, '\0', value.len) != NULL)
		return refuse_unknown(credential);
	memmove(credential->value, value.ptr, value.len);
	credential->value[value.len] = '\0';
	credential->len = value.len;
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

static CredentialStatus
refuse_unknown(Credential *credential)
{
	size_t i = 0;

	while (i + 1 < lengthof(unknown) &&
		   strcmp(unknown[i].kind, credential->kind) != 0)
		i++;
	return refuse(credential, unknown[i].reason, unknown[i].detail);
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

/* ---- header_keywords ---------------------------------------------------- */

/* "Token=token" */
static bool
split_keyword(Slice part, Slice *word, Slice *scheme_name)
{
	const char *equals = part.len > 0 ? memchr(part.ptr, '=', part.len) : NULL;
	size_t		len;

	if (equals == NULL)
		return false;
	len = (size_t) (equals - part.ptr);
	*word = slice_trimmed((Slice){part.ptr, len});
	*scheme_name = slice_trimmed((Slice){equals + 1, part.len - len - 1});
	return true;
}

static const Scheme *
scheme_named(Slice name)
{
	for (size_t i = 0; i < lengthof(schemes); i++)
		if (slice_equals(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

/* The scheme that a word of the header stands for; NULL: none of ours. */
static const Scheme *
scheme_of_word(Slice word, const char *keywords)
{
	Slice list = slice_of(keywords);
	Slice part;
	Slice keyword;
	Slice name;

	while (slice_next_part(&list, &part))
	{
		const Scheme *scheme;

		if (!split_keyword(part, &keyword, &name) ||
			!slice_equals_nocase(word, keyword))
			continue;
		scheme = scheme_named(name);
		if (scheme != NULL && scheme->with_case &&
			memcmp(word.ptr, keyword.ptr, word.len) != 0)
			continue; /* perhaps it is there in this case, too */
		return scheme;
	}
	return NULL;
}

Slice
credential_first_keyword(const char *keywords)
{
	Slice list = slice_of(keywords);
	Slice part;
	Slice word;
	Slice name;

	if (slice_next_part(&list, &part) && split_keyword(part, &word, &name))
		return word;
	return SLICE_NONE;
}

/* Whether a word of the header could be both. */
static bool
keywords_clash(Slice word, const Scheme *scheme, Slice other,
			   const Scheme *other_scheme)
{
	if (!slice_equals_nocase(word, other))
		return false;
	/* AUTH_HEADER_TYPES = ("Bearer", "bearer") is how a site allows both. */
	return scheme == NULL || other_scheme == NULL || !scheme->with_case ||
		   !other_scheme->with_case ||
		   memcmp(word.ptr, other.ptr, word.len) == 0;
}

bool
credential_check_keywords(const char *keywords, char *error, size_t error_cap)
{
	Slice list = slice_of(keywords);
	Slice part;
	Slice word;
	Slice name;

	while (slice_next_part(&list, &part))
	{
		const char *problem = NULL;
		Slice		rest = list;
		Slice		other;
		Slice		other_word;
		Slice		other_name;

		if (!split_keyword(part, &word, &name))
			problem = "write words and what follows them, such as "
					  "Token=token, Bearer=jwt";
		else if (!http_is_token(word) || word.len > KEYWORD_MAX)
			problem = "before the equals sign, write one word of at most 32 "
					  "characters as it stands in the Authorization header";
		else if (scheme_named(name) == NULL)
			problem = "behind the equals sign, write token, knox, jwt or "
					  "drf-jwt";
		while (problem == NULL && slice_next_part(&rest, &other))
			if (split_keyword(other, &other_word, &other_name) &&
				keywords_clash(word, scheme_named(name), other_word,
							   scheme_named(other_name)))
				problem = "its word is there a second time, so take one out";
		if (problem == NULL)
			continue;
		snprintf(error, error_cap, "cannot have \"%.*s\"; %s",
				 (int) (part.len < SHOWN_MAX ? part.len : SHOWN_MAX), part.ptr,
				 problem);
		return false;
	}
	return true;
}
