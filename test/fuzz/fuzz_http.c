/*-------------------------------------------------------------------------
 *
 * fuzz_http.c
 *	  Properties of the request head parser.
 *
 * The end of a head is found at the same place however the bytes arrive; every
 * slice lies inside the head; a head that was accepted, written out again from
 * its parts, is accepted with the same parts; a head that was not cut short is
 * never called incomplete.
 *
 *-------------------------------------------------------------------------
 */
#include "http.h"

#include "fuzz.h"

#define ROOM 65536

static size_t
head_length_in_steps(const uint8_t *data, size_t size, size_t step)
{
	size_t searched = 0;

	while (searched < size)
	{
		size_t have = size - searched < step ? size : searched + step;
		char  *block = exact_copy(data, have);
		size_t found = http_head_length(block, have, searched);

		free(block);
		if (found > 0)
		{
			MUST(found > searched && found <= have);
			return found;
		}
		searched = have;
	}
	return 0;
}

static void
add(char *out, size_t *len, const char *bytes, size_t n)
{
	MUST(*len + n <= ROOM);
	memcpy(out + *len, bytes, n);
	*len += n;
}

static bool
same(Slice a, Slice b)
{
	return (a.ptr == NULL) == (b.ptr == NULL) && a.len == b.len &&
		   (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void
check_round_trip(const HttpRequest *request)
{
	static char		   out[ROOM];
	static HttpRequest again;
	size_t			   len = 0;

	add(out, &len, request->method.ptr, request->method.len);
	add(out, &len, " ", 1);
	add(out, &len, request->path.ptr, request->path.len);
	if (request->query.ptr != NULL)
	{
		add(out, &len, "?", 1);
		add(out, &len, request->query.ptr, request->query.len);
	}
	add(out, &len,
		request->minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n", 11);
	for (size_t i = 0; i < request->header_count; i++)
	{
		add(out, &len, request->header[i].name.ptr,
			request->header[i].name.len);
		add(out, &len, ": ", 2);
		add(out, &len, request->header[i].value.ptr,
			request->header[i].value.len);
		add(out, &len, "\r\n", 2);
	}
	add(out, &len, "\r\n", 2);

	MUST(http_head_length(out, len, 0) == len);
	MUST(http_parse(&again, out, len) == HTTP_OK);
	MUST(same(request->method, again.method));
	MUST(same(request->path, again.path));
	MUST(same(request->query, again.query));
	MUST(request->minor_version == again.minor_version);
	MUST(request->header_count == again.header_count);
	for (size_t i = 0; i < request->header_count; i++)
	{
		MUST(same(request->header[i].name, again.header[i].name));
		MUST(same(request->header[i].value, again.header[i].value));
	}
	MUST(http_upgrade(request) == http_upgrade(&again));
}

static void
check_accepted(const HttpRequest *request, const char *head, size_t len)
{
	static const char *const names[] = {"session_key", "token", "a"};
	char					 value[64];
	char					 accept[HTTP_ACCEPT_LEN + 1];

	MUST(request->header_count <= HTTP_MAX_HEADERS);
	MUST(lies_within(request->method, head, len) && request->method.len > 0);
	MUST(lies_within(request->path, head, len) && request->path.ptr[0] == '/');
	MUST(request->query.ptr == NULL || lies_within(request->query, head, len));
	for (size_t i = 0; i < request->header_count; i++)
	{
		const HttpHeader *header = &request->header[i];

		MUST(lies_within(header->name, head, len) && header->name.len > 0);
		MUST(lies_within(header->value, head, len));
		for (size_t k = 0; k < header->value.len; k++)
		{
			uint8_t byte = (uint8_t) header->value.ptr[k];

			MUST((byte >= 0x20 && byte != 0x7F) || byte == '\t');
		}
	}
	for (size_t i = 0; i < lengthof(names); i++)
	{
		long n = http_query_parameter(request->query, names[i], value,
									  sizeof(value));

		MUST(n >= -2 && n <= (long) sizeof(value));
	}
	if (http_upgrade(request) == HTTP_UPGRADE_OK)
	{
		MUST(http_header_has_token(request, "connection", "UPGRADE"));
		MUST(http_accept_key(http_header(request, "sec-websocket-key", NULL),
							 accept));
		MUST(strlen(accept) == HTTP_ACCEPT_LEN);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static HttpRequest request;
	size_t			   len;
	char			  *head;
	HttpStatus		   status;

	if (size > ROOM / 2)
		return 0;

	head = exact_copy(data, size);
	len = http_head_length(head, size, 0);
	MUST(head_length_in_steps(data, size, 1 + size / 200) == len);
	MUST(head_length_in_steps(data, size, 7 + size / 50) == len);

	/* Unfinished: never accepted, and nothing beyond it is read. */
	status = http_parse(&request, head, size);
	MUST(status != HTTP_OK || len == size);
	free(head);
	if (len == 0)
		return 0;

	head = exact_copy(data, len);
	status = http_parse(&request, head, len);
	/* A head of two empty lines ends at the second, before any request. */
	MUST(status != HTTP_INCOMPLETE);
	if (status == HTTP_OK)
	{
		check_accepted(&request, head, len);
		check_round_trip(&request);
	}
	free(head);
	return 0;
}
