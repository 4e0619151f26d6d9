/*-------------------------------------------------------------------------
 *
 * fuzz_credentials.c
 *	  Properties of what is taken for a credential.
 *
 * A value is terminated, valid UTF-8 and without NUL; one from the header has
 * no white space; a refusal has a reason and a sentence, and leaves no byte of
 * the value behind; a request with another one beside it is never anonymous.
 *
 * Input: a byte of flags, a byte of the header's length, header, query.
 *
 *-------------------------------------------------------------------------
 */
#include "credentials.h"
#include "websocket.h"

#include "fuzz.h"

#define FLAG_QUERY_TOKEN 0x01
#define FLAG_NO_HEADER 0x02
#define FLAG_TWO_HEADERS 0x04
#define FLAG_NO_QUERY 0x08

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
check_credential(const Credential *credential, const CredentialOptions *options,
				 bool has_query)
{
	bool from_query = false;

	switch (credential->status)
	{
		case CREDENTIAL_NONE:
			MUST(strcmp(credential->kind, "anonymous") == 0);
			MUST(credential->len == 0 && credential->reason == NULL);
			break;
		case CREDENTIAL_REFUSED:
			MUST(credential->reason != NULL && credential->detail != NULL);
			MUST(credential->len == 0);
			for (size_t i = 0; i < sizeof(credential->value); i++)
				MUST(credential->value[i] == '\0');
			break;
		case CREDENTIAL_PRESENT:
			MUST(credential->reason == NULL);
			MUST(credential->len > 0 && credential->len <= CREDENTIAL_MAX);
			MUST(strlen(credential->value) == credential->len);
			MUST(ws_utf8_valid(credential->value, credential->len));
			if (strcmp(credential->kind, "session") == 0)
				from_query = true;
			else
				MUST(strcmp(credential->kind, "token") == 0);
			MUST(!from_query || has_query);
			if (!from_query && !options->allow_query_token)
				for (size_t i = 0; i < credential->len; i++)
					MUST(!is_blank(credential->value[i]));
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Credential  credential;
	static HttpRequest request;
	CredentialOptions  options = {"Token", false};
	uint8_t			   flags;
	size_t			   header_len;
	char			  *header;
	char			  *query;

	if (size < 2)
		return 0;
	flags = data[0];
	header_len = data[1];
	data += 2;
	size -= 2;
	if (header_len > size)
		header_len = size;
	header = exact_copy(data, header_len);
	query = exact_copy(data + header_len, size - header_len);

	options.allow_query_token = (flags & FLAG_QUERY_TOKEN) != 0;
	memset(&request, 0, sizeof(request));
	if ((flags & FLAG_NO_QUERY) == 0)
		request.query = (Slice){query, size - header_len};
	if ((flags & FLAG_NO_HEADER) == 0)
		request.header[request.header_count++] =
			(HttpHeader){{"Authorization", 13}, {header, header_len}};
	if ((flags & FLAG_TWO_HEADERS) != 0)
		request.header[request.header_count++] =
			(HttpHeader){{"AUTHORIZATION", 13}, {header, header_len}};

	memset(&credential, 0xA5, sizeof(credential));
	credential_find(&credential, &request, &options);
	check_credential(&credential, &options, request.query.ptr != NULL);
	if (request.header_count == 2)
		MUST(credential.status == CREDENTIAL_REFUSED);

	/* Without the header the query string alone decides, and the reverse. */
	if (request.header_count == 1 && credential.status == CREDENTIAL_NONE)
	{
		request.header_count = 0;
		credential_find(&credential, &request, &options);
		MUST(credential.status == CREDENTIAL_NONE);
	}
	free(header);
	free(query);
	return 0;
}
