/*-------------------------------------------------------------------------
 *
 * fuzz_credentials.c
 *	  Properties of what is taken for a credential.
 *
 * A value is terminated, valid UTF-8 and without NUL; a refusal has a reason
 * and a sentence, and leaves no byte of the value behind; a cookie decides only
 * where nothing else does, and nothing else is refused or let in by one; what a
 * subprotocol holds is judged as in a header.
 *
 * Input: a byte of flags, then lines: Authorization, query string,
 * Sec-WebSocket-Protocol, Cookie, header_keywords.  An empty line is an absent
 * header, an absent line too.
 *
 *-------------------------------------------------------------------------
 */
#include "credentials.h"

#include "base64url.h"
#include "websocket.h"

#include "fuzz.h"

#define FLAG_QUERY_TOKEN 0x01
#define FLAG_QUERY_DJANGO 0x02
#define FLAG_TWO_HEADERS 0x04
#define FLAG_NO_JWT_COOKIE 0x08
/* The line is the text of a credential to be offered, not the header. */
#define FLAG_ENCODE 0x10

#define LONGEST 16384

static const char *const kinds[] = {"token", "session", "django_session",
									"jwt",	 "knox",	"anonymous"};

static Credential credential;
static Credential other;

static Slice
take_line(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *newline = memchr(*at, '\n', (size_t) (end - *at));
	const uint8_t *stop = newline != NULL ? newline : end;
	size_t		   len = (size_t) (stop - *at);
	Slice		   line = {exact_copy(*at, len), len};

	*at = newline != NULL ? newline + 1 : end;
	return line;
}

static void
add_header(HttpRequest *request, const char *name, Slice value)
{
	if (value.len > 0)
		request->header[request->header_count++] =
			(HttpHeader){slice_of(name), value};
}

static void
find(Credential *found, const HttpRequest *request,
	 const CredentialOptions *options)
{
	memset(found, 0xA5, sizeof(*found));
	credential_find(found, request, options);
}

static void
check_credential(void)
{
	size_t known = 0;

	while (known < lengthof(kinds) &&
		   strcmp(kinds[known], credential.kind) != 0)
		known++;
	MUST(known < lengthof(kinds));

	switch (credential.status)
	{
		case CREDENTIAL_NONE:
			MUST(strcmp(credential.kind, "anonymous") == 0);
			MUST(credential.len == 0 && credential.reason == NULL);
			MUST(!credential.from_cookie);
			break;
		case CREDENTIAL_REFUSED:
			MUST(credential.reason != NULL && credential.detail != NULL);
			MUST(credential.len == 0);
			for (size_t i = 0; i < sizeof(credential.value); i++)
				MUST(credential.value[i] == '\0');
			break;
		case CREDENTIAL_PRESENT:
			MUST(strcmp(credential.kind, "anonymous") != 0);
			MUST(credential.reason == NULL);
			MUST(credential.len > 0 && credential.len <= CREDENTIAL_MAX);
			MUST(strlen(credential.value) == credential.len);
			MUST(ws_utf8_valid(credential.value, credential.len));
			break;
	}
}

static void
check_same(void)
{
	MUST(credential.status == other.status);
	MUST(strcmp(credential.kind, other.kind) == 0);
	MUST(credential.reason == other.reason);
	MUST(credential.len == other.len);
	MUST(memcmp(credential.value, other.value, other.len) == 0);
}

/* "usher.raw, usher.auth.<text in base64url>" */
static Slice
offer_of(Slice text)
{
	static const char prefix[] = "usher.raw, usher.auth.";
	size_t			  len = strlen(prefix);
	char			 *offer = malloc(len + BASE64URL_ENCODED_LEN(text.len));

	MUST(offer != NULL);
	memcpy(offer, prefix, len);
	len += base64url_encode((const uint8_t *) text.ptr, text.len, offer + len);
	return (Slice){offer, len};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static HttpRequest request;
	const uint8_t	  *at = data + 1;
	const uint8_t	  *end = data + size;
	char			   keywords[256] = "Token=token, Bearer=jwt, JWT=drf-jwt";
	char			   error[256];
	CredentialOptions  options = {.header_keywords = keywords,
								  .jwt_cookie = "JWT",
								  .session_cookie = "sessionid"};
	Slice			   header, query, protocol, text, cookie, words;
	uint8_t			   flags;

	if (size < 1 || size > LONGEST)
		return 0;
	flags = data[0];
	options.allow_query_token = (flags & FLAG_QUERY_TOKEN) != 0;
	options.allow_query_django_session = (flags & FLAG_QUERY_DJANGO) != 0;
	if ((flags & FLAG_NO_JWT_COOKIE) != 0)
		options.jwt_cookie = "";

	header = take_line(&at, end);
	query = take_line(&at, end);
	text = protocol = take_line(&at, end);
	cookie = take_line(&at, end);
	words = take_line(&at, end);
	if ((flags & FLAG_ENCODE) != 0)
		protocol = offer_of(text);
	if (words.len > 0 && words.len < sizeof(keywords))
	{
		memcpy(keywords, words.ptr, words.len);
		keywords[words.len] = '\0';
	}
	if (credential_check_keywords(keywords, error, sizeof(error)))
		MUST(http_is_token(credential_first_keyword(keywords)));
	else
		MUST(strncmp(error, "cannot have \"", 13) == 0);

	memset(&request, 0, sizeof(request));
	if (query.len > 0)
		request.query = query;
	add_header(&request, "Authorization", header);
	if ((flags & FLAG_TWO_HEADERS) != 0)
		add_header(&request, "AUTHORIZATION", header);
	add_header(&request, "Sec-WebSocket-Protocol", protocol);
	find(&other, &request, &options); /* without the cookie */
	add_header(&request, "Cookie", cookie);
	find(&credential, &request, &options);
	check_credential();

	if ((flags & FLAG_TWO_HEADERS) != 0 && header.len > 0)
		MUST(credential.status == CREDENTIAL_REFUSED);
	if (credential.from_cookie)
		MUST(other.status == CREDENTIAL_NONE && cookie.len > 0);
	else
		check_same();

	if ((flags & FLAG_ENCODE) != 0 && text.len <= CREDENTIAL_MAX)
	{
		memset(&request, 0, sizeof(request));
		add_header(&request, "Authorization", text);
		find(&other, &request, &options);
		memset(&request, 0, sizeof(request));
		add_header(&request, "Sec-WebSocket-Protocol", protocol);
		find(&credential, &request, &options);
		MUST(credential.status != CREDENTIAL_NONE);
		if (other.status != CREDENTIAL_NONE)
			check_same();
		else if (credential.status == CREDENTIAL_PRESENT)
			for (size_t i = 0; i < credential.len; i++)
				MUST(credential.value[i] != ' ');
	}

	if (protocol.ptr != text.ptr)
		free((char *) protocol.ptr);
	free((char *) header.ptr);
	free((char *) query.ptr);
	free((char *) text.ptr);
	free((char *) cookie.ptr);
	free((char *) words.ptr);
	return 0;
}
