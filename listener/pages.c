/*-------------------------------------------------------------------------
 *
 * pages.c
 *	  The files that usherd serves.
 *
 * The linker puts them into the program as they are (see the Makefile).  A
 * browser that has one asks with its ETag whether that is still the same.
 *
 *-------------------------------------------------------------------------
 */
#include "pages.h"

#include <stdio.h>

#include "digest.h"
#include "http.h"
#include "response.h"

/* Named by ld, after the file. */
extern const char _binary_web_usher_js_start[];
extern const char _binary_web_usher_js_end[];
extern const char _binary_web_index_html_start[];
extern const char _binary_web_index_html_end[];

#define ETAG_BYTES (DIGEST_BASE64_LEN(DIGEST_SHA1_LEN) + 3)

typedef struct Page
{
	const char *type;
	const char *headers; /* of its own */
	const char *start;
	const char *end;
} Page;

static const Page script = {
	.type = "text/javascript; charset=utf-8",
	/* a module is fetched with CORS, and this one holds no secret */
	.headers = "Access-Control-Allow-Origin: *\r\n",
	.start = _binary_web_usher_js_start,
	.end = _binary_web_usher_js_end,
};

static const Page page = {
	.type = "text/html; charset=utf-8",
	.headers = "Content-Security-Policy: default-src 'none'; "
			   "script-src 'self' 'unsafe-inline'; "
			   "style-src 'unsafe-inline'; img-src data:; "
			   "connect-src 'self' ws: wss: http: https:; "
			   "base-uri 'none'; form-action 'none'; "
			   "frame-ancestors 'none'\r\n"
			   "Referrer-Policy: no-referrer\r\n",
	.start = _binary_web_index_html_start,
	.end = _binary_web_index_html_end,
};

/* Quoted, as RFC 9110 8.8.3 has it; "" when there is none. */
static void
make_etag(const Page *asked, char etag[ETAG_BYTES])
{
	uint8_t digest[DIGEST_SHA1_LEN];
	size_t	len;

	etag[0] = '\0';
	if (!digest_sha1(digest, asked->start,
					 (size_t) (asked->end - asked->start)))
		return;
	etag[0] = '"';
	len = digest_base64(etag + 1, digest, sizeof(digest));
	etag[1 + len] = '"';
	etag[2 + len] = '\0';
}

/* RFC 9110 13.1.2, without weak comparison: our tags are strong. */
static bool
is_known(const HttpRequest *request, const char *etag)
{
	HttpCursor cursor = {0};
	Slice	   known;

	while (http_next_element(request, "If-None-Match", &cursor, &known))
		if (slice_equals(known, etag) || slice_equals(known, "*"))
			return *etag != '\0';
	return false;
}

static void
send_page(Client *client, const Page *asked)
{
	char		etag[ETAG_BYTES];
	char		head[1024];
	size_t		size = (size_t) (asked->end - asked->start);
	HttpRequest request;
	bool		known;
	int			len;

	if (client_parse_head(client, &request) != HTTP_OK)
		return;
	make_etag(asked, etag);
	known = is_known(&request, etag);
	len = snprintf(head, sizeof(head),
				   "HTTP/1.1 %d %s\r\n"
				   "Content-Type: %s\r\n"
				   "Content-Length: %zu\r\n"
				   "ETag: %s\r\n"
				   "Cache-Control: no-cache\r\n"
				   "X-Content-Type-Options: nosniff\r\n"
				   "Connection: close\r\n"
				   "%s\r\n",
				   known ? 304 : 200, known ? "Not Modified" : "OK",
				   asked->type, size, etag, asked->headers);
	client_send(client, head, (size_t) len);
	if (!known && slice_equals(request.method, "GET"))
		client_send(client, asked->start, size);
	client_forget_head(client);
	client_enter(client, CLIENT_FINISHING);
}

void
pages_send_script(Client *client)
{
	send_page(client, &script);
}

void
pages_send_page(Client *client)
{
	if (client->env->config->page)
		send_page(client, &page);
	else
		response_refuse(client, "not_found", NULL);
}
