/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP/1.1 request heads in, response heads out.  Pure.
 *
 * Strict where RFC 9112 allows it: CRLF line ends only, no obsolete folding,
 * no space before the colon, token header names, no control bytes in values,
 * origin-form targets.  A head is parsed whole, once its end has been found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_HTTP_H
#define USHER_HTTP_H

#include "common.h"

#define HTTP_MAX_HEADERS 64

typedef struct HttpHeader
{
	Slice name;	 /* as sent; compare without case */
	Slice value; /* without surrounding blanks */
} HttpHeader;

typedef struct HttpRequest
{
	Slice	   method;
	Slice	   path;		  /* target before '?', as sent, starts with '/' */
	Slice	   query;		  /* after '?', ptr NULL when there is no '?' */
	int		   minor_version; /* 0 or 1 of HTTP/1.x */
	size_t	   header_count;
	HttpHeader header[HTTP_MAX_HEADERS];
} HttpRequest;

typedef enum HttpStatus
{
	HTTP_OK,
	HTTP_INCOMPLETE,	   /* no end of head yet */
	HTTP_MALFORMED,		   /* 400 */
	HTTP_TOO_MANY_HEADERS, /* 431 */
	HTTP_BAD_VERSION,	   /* 505: HTTP, but not 1.x */
} HttpStatus;

/*
 * http_head_length
 *		Bytes up to and including the empty line, or 0 when it is not there.
 *
 * searched is how many bytes earlier calls have looked at, so that a head that
 * arrives byte by byte costs linear time.
 */
size_t http_head_length(const char *bytes, size_t len, size_t searched);

/*
 * http_parse
 *		Parse one request head of exactly len bytes (http_head_length).
 *
 * Slices point into bytes.  Returns HTTP_INCOMPLETE when the end is missing.
 * Spec: RFC 9112 sections 2 to 5.
 */
HttpStatus http_parse(HttpRequest *request, const char *bytes,
					  size_t len) MUST_CHECK;

typedef enum HttpBody
{
	HTTP_BODY_OK,
	HTTP_BODY_CHUNKED,	 /* or another Transfer-Encoding: no length is known */
	HTTP_BODY_MALFORMED, /* Content-Length that is none, or several */
} HttpBody;

/*
 * http_body_length
 *		How many bytes follow the head; 0 when nothing says so.
 *
 * Spec: RFC 9112 section 6.3.  Lengths above 2^31 are given as 2^31.
 */
HttpBody http_body_length(const HttpRequest *request, size_t *len) MUST_CHECK;

/* The client sends no body before it reads HTTP_CONTINUE (RFC 9110 10.1.1). */
#define HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
bool http_expects_continue(const HttpRequest *request);

/*
 * http_header
 *		Value of the named header, ptr NULL when absent; *count (may be NULL)
 *		becomes how often it occurs.  The first occurrence is returned.
 */
Slice http_header(const HttpRequest *request, const char *name, size_t *count);

/* Value of its last occurrence, ptr NULL when absent. */
Slice http_last_header(const HttpRequest *request, const char *name);

/*
 * http_next_element
 *		The next element of a comma-separated header, all its occurrences read
 *		as one list.  Empty elements are passed over (RFC 9110 5.6.1.2).
 *
 * Start with a zeroed cursor; returns false at the end.
 */
typedef struct HttpCursor
{
	Slice  rest; /* of the occurrence before next */
	size_t next; /* place among the headers */
} HttpCursor;

bool http_next_element(const HttpRequest *request, const char *name,
					   HttpCursor *cursor, Slice *element) MUST_CHECK;

/* A token of RFC 9110 5.6.2, not empty. */
bool http_is_token(Slice text);

/* True when a comma-separated header (all its occurrences) has that token,
 * without case. */
bool http_header_has_token(const HttpRequest *request, const char *name,
						   const char *token);

/*
 * http_query_parameter
 *		The percent-decoded value of a query parameter ('+' is a space).
 *
 * Writes at most cap bytes to out (not terminated).  Returns its length; -1
 *when absent; -2 when present but not decodable, longer than cap, or present
 *more than once.
 */
long http_query_parameter(Slice query, const char *name, char *out,
						  size_t cap) MUST_CHECK;

/* How a request stands as a WebSocket handshake (RFC 6455 section 4.2.1). */
typedef enum HttpUpgrade
{
	HTTP_UPGRADE_NONE,		  /* no Upgrade header: an ordinary request */
	HTTP_UPGRADE_OK,		  /* complete and valid */
	HTTP_UPGRADE_BAD_METHOD,  /* 405: not GET */
	HTTP_UPGRADE_BAD_HTTP,	  /* 400: HTTP/1.0 */
	HTTP_UPGRADE_UNSUPPORTED, /* 426: Upgrade to something else, such as h2c */
	HTTP_UPGRADE_BAD_VERSION, /* 426 + Sec-WebSocket-Version: 13 */
	HTTP_UPGRADE_BAD_KEY,	  /* 400: key missing, twice, or not 16 bytes */
	HTTP_UPGRADE_BAD_HEADERS, /* 400: Connection without upgrade, Host missing
							   * or twice, a body announced, Authorization
							   * twice, a subprotocol that is no token */
} HttpUpgrade;

HttpUpgrade http_upgrade(const HttpRequest *request);

/* Sec-WebSocket-Accept for a valid key: 28 characters and a NUL. */
#define HTTP_ACCEPT_LEN 28
bool http_accept_key(Slice key, char out[HTTP_ACCEPT_LEN + 1]) MUST_CHECK;

/* The reason phrase of a status code we send, e.g. 426 -> "Upgrade Required".
 */
const char *http_reason_phrase(int status);

/*
 * http_response_head
 *		The head of a response that closes the connection.
 *
 * extra_headers is NULL or "Name: value\r\n" lines.  Has Connection: close,
 * Cache-Control: no-store, and Content-Type and Content-Length of the JSON body
 * that is to follow; NULL: the status is one that never has a body (204).
 * Returns the length written, 0 when it does not fit.
 */
size_t http_response_head(char *out, size_t cap, int status,
						  const char *extra_headers,
						  const char *json_body) MUST_CHECK;

/*
 * http_switching
 *		The 101 response; protocol is NULL or the chosen subprotocol.
 */
size_t http_switching(char *out, size_t cap, const char *accept_key,
					  Slice protocol) MUST_CHECK;

#endif
