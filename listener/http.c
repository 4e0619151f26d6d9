/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP/1.1 request heads in, response heads out.  Pure.
 *
 * The parser is one pass over a head whose end has been found, so it never
 * has to remember where it was.  It refuses whatever two parsers could read
 * in two ways (bare LF, obsolete folding, blanks before the colon, control
 * bytes), because usherd may stand behind a proxy that reads it the other way.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "digest.h"
#include "http.h"

/* RFC 6455 section 1.3 */
#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* 16 bytes in base64: 22 characters and two of padding. */
#define WEBSOCKET_KEY_LEN 24

/* What a byte may be part of. */
#define CHAR_TOKEN 0x01	 /* RFC 9110 5.6.2 */
#define CHAR_VALUE 0x02	 /* RFC 9110 5.5: field-content, blanks, obs-text */
#define CHAR_TARGET 0x04 /* printable ASCII, without '#' */
#define CHAR_HOST 0x08	 /* RFC 3986 3.2.2 and the port's colon */
#define CHAR_BASE64 0x10

#define ALNUM (CHAR_TOKEN | CHAR_VALUE | CHAR_TARGET | CHAR_HOST | CHAR_BASE64)
#define PLAIN (CHAR_VALUE | CHAR_TARGET)

static const uint8_t char_class[256] = {
	['\t'] = CHAR_VALUE,
	[' '] = CHAR_VALUE,
	['!'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['"'] = PLAIN,
	['#'] = CHAR_TOKEN | CHAR_VALUE,
	['$'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['%'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['&'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['\''] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['('] = PLAIN | CHAR_HOST,
	[')'] = PLAIN | CHAR_HOST,
	['*'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['+'] = CHAR_TOKEN | PLAIN | CHAR_HOST | CHAR_BASE64,
	[','] = PLAIN,
	['-'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['.'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['/'] = PLAIN | CHAR_BASE64,
	['0' ... '9'] = ALNUM,
	[':'] = PLAIN | CHAR_HOST,
	[';'] = PLAIN | CHAR_HOST,
	['<'] = PLAIN,
	['='] = PLAIN | CHAR_HOST,
	['>'] = PLAIN,
	['?'] = PLAIN,
	['@'] = PLAIN,
	['A' ... 'Z'] = ALNUM,
	['['] = PLAIN | CHAR_HOST,
	['\\'] = PLAIN,
	[']'] = PLAIN | CHAR_HOST,
	['^'] = CHAR_TOKEN | PLAIN,
	['_'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	['`'] = CHAR_TOKEN | PLAIN,
	['a' ... 'z'] = ALNUM,
	['{'] = PLAIN,
	['|'] = CHAR_TOKEN | PLAIN,
	['}'] = PLAIN,
	['~'] = CHAR_TOKEN | PLAIN | CHAR_HOST,
	[0x80 ... 0xFF] = CHAR_VALUE,
};

static bool		  all_of(const char *bytes, size_t len, uint8_t class);
static HttpStatus parse_request_line(HttpRequest *request, const char *line,
									 size_t len);
static bool parse_header(HttpHeader *header, const char *line, size_t len);
static long decode_byte(const char **at, const char *end);
static bool name_matches(Slice encoded, const char *name);
static bool is_header(const HttpHeader *header, const char *name);
static bool is_token_list(const HttpRequest *request, const char *name);
static bool has_body(const HttpRequest *request);

/* A head ends at an empty line.  A bare LF ends a line here too: http_parse()
 * refuses such a head at once, instead of waiting for an end that never comes.
 */
size_t
http_head_length(const char *bytes, size_t len, size_t searched)
{
	/* The longest ending that may have been cut is LF CR LF. */
	size_t at = searched > 2 ? searched - 2 : 0;

	while (at < len)
	{
		const char *newline = memchr(bytes + at, '\n', len - at);

		if (newline == NULL)
			return 0;
		at = (size_t) (newline - bytes) + 1;
		if (at < len && bytes[at] == '\n')
			return at + 1;
		if (at + 1 < len && bytes[at] == '\r' && bytes[at + 1] == '\n')
			return at + 2;
	}
	return 0;
}

HttpStatus
http_parse(HttpRequest *request, const char *bytes, size_t len)
{
	const char *at = bytes;
	const char *end = bytes + len;
	bool		first = true;

	memset(request, 0, offsetof(HttpRequest, header));

	/* RFC 9112 2.2: one empty line before the request line is passed over. */
	if (len >= 2 && at[0] == '\r' && at[1] == '\n')
		at += 2;

	for (;;)
	{
		const char *newline;
		size_t		line_len;

		newline = at < end ? memchr(at, '\n', (size_t) (end - at)) : NULL;
		if (newline == NULL)
			return HTTP_INCOMPLETE;
		if (newline == at || newline[-1] != '\r')
			return HTTP_MALFORMED;
		line_len = (size_t) (newline - at) - 1;

		if (first)
		{
			HttpStatus status = parse_request_line(request, at, line_len);

			if (status != HTTP_OK)
				return status;
			first = false;
		}
		else if (line_len == 0)
			return newline + 1 == end ? HTTP_OK : HTTP_MALFORMED;
		else if (request->header_count == HTTP_MAX_HEADERS)
			return HTTP_TOO_MANY_HEADERS;
		else if (parse_header(&request->header[request->header_count], at,
							  line_len))
			request->header_count++;
		else
			return HTTP_MALFORMED;
		at = newline + 1;
	}
}

Slice
http_header(const HttpRequest *request, const char *name, size_t *count)
{
	Slice  found = SLICE_NONE;
	size_t seen = 0;

	for (size_t i = 0; i < request->header_count; i++)
	{
		if (!is_header(&request->header[i], name))
			continue;
		if (seen++ == 0)
			found = request->header[i].value;
	}
	if (count != NULL)
		*count = seen;
	return found;
}

Slice
http_last_header(const HttpRequest *request, const char *name)
{
	for (size_t i = request->header_count; i-- > 0;)
		if (is_header(&request->header[i], name))
			return request->header[i].value;
	return SLICE_NONE;
}

bool
http_next_element(const HttpRequest *request, const char *name,
				  HttpCursor *cursor, Slice *element)
{
	for (;;)
	{
		while (slice_next_part(&cursor->rest, element))
			if (element->len > 0)
				return true;
		while (cursor->next < request->header_count &&
			   !is_header(&request->header[cursor->next], name))
			cursor->next++;
		if (cursor->next == request->header_count)
			return false;
		cursor->rest = request->header[cursor->next++].value;
	}
}

bool
http_header_has_token(const HttpRequest *request, const char *name,
					  const char *token)
{
	HttpCursor cursor = {0};
	Slice	   element;

	while (http_next_element(request, name, &cursor, &element))
		if (slice_equals_nocase(element, slice_of(token)))
			return true;
	return false;
}

bool
http_is_token(Slice text)
{
	return text.len > 0 && all_of(text.ptr, text.len, CHAR_TOKEN);
}

long
http_query_parameter(Slice query, const char *name, char *out, size_t cap)
{
	const char *at = query.ptr;
	const char *end;
	long		result = -1;

	if (at == NULL)
		return -1;
	end = at + query.len;

	while (at < end)
	{
		const char *ampersand = memchr(at, '&', (size_t) (end - at));
		const char *stop = ampersand != NULL ? ampersand : end;
		const char *equals = memchr(at, '=', (size_t) (stop - at));
		const char *name_end = equals != NULL ? equals : stop;
		Slice		encoded = {at, (size_t) (name_end - at)};

		if (name_matches(encoded, name))
		{
			const char *value = equals != NULL ? equals + 1 : stop;

			if (result != -1)
				return -2;
			result = 0;
			while (value < stop)
			{
				long byte = decode_byte(&value, stop);

				if (byte < 0 || (size_t) result == cap)
					return -2;
				out[result++] = (char) byte;
			}
		}
		at = stop + 1;
	}
	return result;
}

HttpUpgrade
http_upgrade(const HttpRequest *request)
{
	size_t count;
	Slice  value;

	http_header(request, "Upgrade", &count);
	if (count == 0)
		return HTTP_UPGRADE_NONE;
	if (!http_header_has_token(request, "Upgrade", "websocket"))
		return HTTP_UPGRADE_UNSUPPORTED;
	if (!slice_equals(request->method, "GET"))
		return HTTP_UPGRADE_BAD_METHOD;
	if (request->minor_version < 1)
		return HTTP_UPGRADE_BAD_HTTP;

	value = http_header(request, "Sec-WebSocket-Version", &count);
	if (count > 1)
		return HTTP_UPGRADE_BAD_HEADERS;
	if (!slice_equals(value, "13"))
		return HTTP_UPGRADE_BAD_VERSION;

	if (!http_header_has_token(request, "Connection", "upgrade"))
		return HTTP_UPGRADE_BAD_HEADERS;
	value = http_header(request, "Host", &count);
	if (count != 1 || value.len == 0 ||
		!all_of(value.ptr, value.len, CHAR_HOST))
		return HTTP_UPGRADE_BAD_HEADERS;

	/*
	 * Two could be read in two ways, the first by a proxy and the second by
	 * us: who is asking.
	 */
	http_header(request, "Authorization", &count);
	if (count > 1)
		return HTTP_UPGRADE_BAD_HEADERS;
	if (!is_token_list(request, "Sec-WebSocket-Protocol"))
		return HTTP_UPGRADE_BAD_HEADERS;

	/* Bytes of a body would be read as frames. */
	if (has_body(request))
		return HTTP_UPGRADE_BAD_HEADERS;

	/* RFC 6455 4.2.1: a base64 value that decodes to 16 bytes */
	value = http_header(request, "Sec-WebSocket-Key", &count);
	if (count != 1 || value.len != WEBSOCKET_KEY_LEN ||
		!all_of(value.ptr, WEBSOCKET_KEY_LEN - 2, CHAR_BASE64) ||
		memcmp(value.ptr + WEBSOCKET_KEY_LEN - 2, "==", 2) != 0)
		return HTTP_UPGRADE_BAD_KEY;

	return HTTP_UPGRADE_OK;
}

bool
http_accept_key(Slice key, char out[HTTP_ACCEPT_LEN + 1])
{
	char	buffer[WEBSOCKET_KEY_LEN + sizeof(WEBSOCKET_GUID) - 1];
	uint8_t digest[DIGEST_SHA1_LEN];

	_Static_assert(DIGEST_BASE64_LEN(DIGEST_SHA1_LEN) == HTTP_ACCEPT_LEN,
				   "an accept key is a SHA-1 digest in base64");
	if (key.ptr == NULL || key.len != WEBSOCKET_KEY_LEN)
		return false;
	memcpy(buffer, key.ptr, WEBSOCKET_KEY_LEN);
	memcpy(buffer + WEBSOCKET_KEY_LEN, WEBSOCKET_GUID,
		   sizeof(WEBSOCKET_GUID) - 1);
	if (!digest_sha1(digest, buffer, sizeof(buffer)))
		return false;
	digest_base64(out, digest, sizeof(digest));
	return true;
}

const char *
http_reason_phrase(int status)
{
	switch (status)
	{
		case 101: return "Switching Protocols";
		case 200: return "OK";
		case 201: return "Created";
		case 204: return "No Content";
		case 304: return "Not Modified";
		case 400: return "Bad Request";
		case 401: return "Unauthorized";
		case 403: return "Forbidden";
		case 404: return "Not Found";
		case 405: return "Method Not Allowed";
		case 408: return "Request Timeout";
		case 411: return "Length Required";
		case 413: return "Content Too Large";
		case 414: return "URI Too Long";
		case 415: return "Unsupported Media Type";
		case 426: return "Upgrade Required";
		case 429: return "Too Many Requests";
		case 431: return "Request Header Fields Too Large";
		case 500: return "Internal Server Error";
		case 503: return "Service Unavailable";
		case 505: return "HTTP Version Not Supported";
		default: return "Unknown";
	}
}

size_t
http_response_head(char *out, size_t cap, int status, const char *extra_headers,
				   const char *json_body)
{
	char content[80] = "";
	int	 len;

	if (json_body != NULL)
		snprintf(content, sizeof(content),
				 "Content-Type: application/json\r\n"
				 "Content-Length: %zu\r\n",
				 strlen(json_body));
	len = snprintf(out, cap,
				   "HTTP/1.1 %d %s\r\n"
				   "%s"
				   "Cache-Control: no-store\r\n"
				   "Connection: close\r\n"
				   "%s\r\n",
				   status, http_reason_phrase(status), content,
				   extra_headers != NULL ? extra_headers : "");
	return len > 0 && (size_t) len < cap ? (size_t) len : 0;
}

size_t
http_switching(char *out, size_t cap, const char *accept_key, Slice protocol)
{
	int len;

	/* What the caller chose came from a request line of token characters. */
	if (protocol.ptr != NULL &&
		(protocol.len > cap || !http_is_token(protocol)))
		return 0;
	len = snprintf(out, cap,
				   "HTTP/1.1 101 Switching Protocols\r\n"
				   "Upgrade: websocket\r\n"
				   "Connection: Upgrade\r\n"
				   "Sec-WebSocket-Accept: %s\r\n"
				   "%s%.*s%s\r\n",
				   accept_key,
				   protocol.ptr != NULL ? "Sec-WebSocket-Protocol: " : "",
				   protocol.ptr != NULL ? (int) protocol.len : 0,
				   protocol.ptr != NULL ? protocol.ptr : "",
				   protocol.ptr != NULL ? "\r\n" : "");
	return len > 0 && (size_t) len < cap ? (size_t) len : 0;
}

static bool
all_of(const char *bytes, size_t len, uint8_t class)
{
	for (size_t i = 0; i < len; i++)
	{
		if ((char_class[(uint8_t) bytes[i]] & class) == 0)
			return false;
	}
	return true;
}

/*
 * RFC 9112 3: method SP request-target SP HTTP-version, with one SP each.
 * The version is looked at first, so that an HTTP/2 preface ("PRI * HTTP/2.0")
 * is told about its version and not about its target.
 */
static HttpStatus
parse_request_line(HttpRequest *request, const char *line, size_t len)
{
	const char *end = line + len;
	const char *space = len > 0 ? memchr(line, ' ', len) : NULL;
	const char *target;
	const char *version;
	const char *question;
	Slice		path;

	if (space == NULL)
		return HTTP_MALFORMED;
	target = space + 1;
	version = memchr(target, ' ', (size_t) (end - target));
	if (version == NULL)
		return HTTP_MALFORMED;
	path = (Slice){target, (size_t) (version - target)};
	version++;

	if (end - version != 8 || memcmp(version, "HTTP/", 5) != 0 ||
		version[5] < '0' || version[5] > '9' || version[6] != '.' ||
		version[7] < '0' || version[7] > '9')
		return HTTP_MALFORMED;
	if (version[5] != '1')
		return HTTP_BAD_VERSION;

	/* RFC 9110 2.5: a higher minor version is the highest that we know */
	request->minor_version = version[7] == '0' ? 0 : 1;

	request->method = (Slice){line, (size_t) (space - line)};
	if (request->method.len == 0 ||
		!all_of(line, request->method.len, CHAR_TOKEN))
		return HTTP_MALFORMED;
	if (path.len == 0 || path.ptr[0] != '/' ||
		!all_of(path.ptr, path.len, CHAR_TARGET))
		return HTTP_MALFORMED;

	question = memchr(path.ptr, '?', path.len);
	if (question != NULL)
	{
		size_t path_len = (size_t) (question - path.ptr);

		request->query = (Slice){question + 1, path.len - path_len - 1};
		path.len = path_len;
	}
	request->path = path;
	return HTTP_OK;
}

/* A folded line starts with a blank, so its name is empty: refused. */
static bool
parse_header(HttpHeader *header, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t		name_len;

	if (colon == NULL)
		return false;
	name_len = (size_t) (colon - line);
	if (name_len == 0 || !all_of(line, name_len, CHAR_TOKEN) ||
		!all_of(colon + 1, len - name_len - 1, CHAR_VALUE))
		return false;
	header->name = (Slice){line, name_len};
	header->value = slice_trimmed((Slice){colon + 1, len - name_len - 1});
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The next byte of a form-encoded text, or -1 for a '%' without two digits. */
static long
decode_byte(const char **at, const char *end)
{
	char c = *(*at)++;
	int	 high;
	int	 low;

	if (c == '+')
		return ' ';
	if (c != '%')
		return (uint8_t) c;
	if (end - *at < 2)
		return -1;
	high = hex_digit((*at)[0]);
	low = hex_digit((*at)[1]);
	if (high < 0 || low < 0)
		return -1;
	*at += 2;
	return high * 16 + low;
}

/* Names are decoded too, as Django does: an escaped name is not a way around.
 */
static bool
name_matches(Slice encoded, const char *name)
{
	const char *at = encoded.ptr;
	const char *end = encoded.ptr + encoded.len;

	while (at < end)
	{
		if (*name == '\0' || decode_byte(&at, end) != (uint8_t) *name++)
			return false;
	}
	return *name == '\0';
}

static bool
is_header(const HttpHeader *header, const char *name)
{
	return slice_equals_nocase(header->name, slice_of(name));
}

static bool
is_token_list(const HttpRequest *request, const char *name)
{
	HttpCursor cursor = {0};
	Slice	   element;

	while (http_next_element(request, name, &cursor, &element))
		if (!http_is_token(element))
			return false;
	return true;
}

HttpBody
http_body_length(const HttpRequest *request, size_t *len)
{
	size_t count;
	Slice  length;

	*len = 0;
	http_header(request, "Transfer-Encoding", &count);
	if (count > 0)
		return HTTP_BODY_CHUNKED;
	length = http_header(request, "Content-Length", &count);
	if (count == 0)
		return HTTP_BODY_OK;
	if (count > 1 || length.len == 0)
		return HTTP_BODY_MALFORMED;
	for (size_t i = 0; i < length.len; i++)
	{
		if (length.ptr[i] < '0' || length.ptr[i] > '9')
			return HTTP_BODY_MALFORMED;
		if (*len < (size_t) 1 << 31)
			*len = *len * 10 + (size_t) (length.ptr[i] - '0');
	}
	if (*len > (size_t) 1 << 31)
		*len = (size_t) 1 << 31;
	return HTTP_BODY_OK;
}

bool
http_expects_continue(const HttpRequest *request)
{
	return request->minor_version >= 1 &&
		   http_header_has_token(request, "Expect", "100-continue");
}

/* Anything but no length, or exactly "0": a handshake has no odd ones. */
static bool
has_body(const HttpRequest *request)
{
	size_t len;
	Slice  length = http_header(request, "Content-Length", NULL);

	return http_body_length(request, &len) != HTTP_BODY_OK ||
		   (length.ptr != NULL && !slice_equals(length, "0"));
}
