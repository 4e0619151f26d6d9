/*-------------------------------------------------------------------------
 *
 * origin.c
 *	  May a page of this origin open a WebSocket?
 *
 * A request's Origin is read strictly.  A pattern is compared as Channels
 * compares it, also where that can never match: origin_check_patterns is what
 * keeps such patterns out of the settings.
 *
 *-------------------------------------------------------------------------
 */
#include "origin.h"

#include <arpa/inet.h>
#include <stdio.h>

#define PORT_NONE (-1)
#define PORT_MAX 65535

#define PATTERNS_EXPECTED                                                      \
	"write patterns such as https://example.com, .example.com or [::1], "      \
	"separated by commas"

/* How much of a wrong pattern an error repeats. */
#define SHOWN_MAX 80

typedef struct Origin
{
	Slice scheme;
	Slice host; /* IPv6 without its brackets */
	long  port; /* after defaults; PORT_NONE when the scheme has none */
} Origin;

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 3986 3.1: ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool
is_scheme(Slice text)
{
	if (text.len == 0 || !is_letter(text.ptr[0]))
		return false;
	for (size_t i = 1; i < text.len; i++)
		if (!is_letter(text.ptr[i]) && !is_digit(text.ptr[i]) &&
			memchr("+-.", text.ptr[i], 3) == NULL)
			return false;
	return true;
}

/* RFC 3986 3.2.2: reg-name, with IPv4 addresses among them. */
static bool
is_host_name(Slice text)
{
	static const char others[] = "-._~%!$&'()*+,;=";

	for (size_t i = 0; i < text.len; i++)
		if (!is_letter(text.ptr[i]) && !is_digit(text.ptr[i]) &&
			memchr(others, text.ptr[i], sizeof(others) - 1) == NULL)
			return false;
	return text.len > 0;
}

static bool
parse_ipv6(Slice text, struct in6_addr *parsed)
{
	char address[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(address) ||
		memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(address, text.ptr, text.len);
	address[text.len] = '\0';
	return inet_pton(AF_INET6, address, parsed) == 1;
}

/* What may stand between brackets. */
static bool
is_ipv6(Slice text)
{
	struct in6_addr parsed;

	return parse_ipv6(text, &parsed);
}

/* Cut off the host in front; what stands behind it is left in *rest. */
static bool
split_host(Slice text, Slice *host, Slice *rest)
{
	const char *stop;

	if (text.len > 0 && text.ptr[0] == '[')
	{
		stop = memchr(text.ptr, ']', text.len);
		if (stop == NULL)
			return false;
		*host = (Slice){text.ptr + 1, (size_t) (stop - text.ptr) - 1};
		*rest = (Slice){stop + 1, text.len - host->len - 2};
		return is_ipv6(*host);
	}
	stop = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
	*host =
		(Slice){text.ptr, stop != NULL ? (size_t) (stop - text.ptr) : text.len};
	*rest = (Slice){text.ptr + host->len, text.len - host->len};
	return is_host_name(*host);
}

/* host [":" port]; *port is left alone when there is none. */
static bool
parse_authority(Slice text, Slice *host, long *port)
{
	Slice rest;
	long  value = 0;

	if (!split_host(text, host, &rest))
		return false;
	if (rest.len == 0)
		return true;
	if (rest.ptr[0] != ':' || rest.len < 2 || rest.len > 6)
		return false;
	for (size_t i = 1; i < rest.len; i++)
	{
		if (!is_digit(rest.ptr[i]))
			return false;
		value = value * 10 + rest.ptr[i] - '0';
	}
	*port = value;
	return value <= PORT_MAX;
}

static bool
scheme_is(Slice scheme, const char *name)
{
	return slice_equals_nocase(scheme, slice_of(name));
}

/* Channels' get_origin_port */
static long
default_port(Slice scheme)
{
	if (scheme_is(scheme, "http") || scheme_is(scheme, "ws"))
		return 80;
	if (scheme_is(scheme, "https") || scheme_is(scheme, "wss"))
		return 443;
	return PORT_NONE;
}

/* Cut the scheme and its "://" off *text; false when there is none. */
static bool
take_scheme(Slice *text, Slice *scheme)
{
	const char *colon =
		text->len > 0 ? memchr(text->ptr, ':', text->len) : NULL;
	size_t len;

	if (colon == NULL)
		return false;
	len = (size_t) (colon - text->ptr);
	*scheme = (Slice){text->ptr, len};
	if (!is_scheme(*scheme) || text->len - len < 3 ||
		memcmp(colon, "://", 3) != 0)
		return false;
	*text = (Slice){colon + 3, text->len - len - 3};
	return true;
}

/* scheme "://" host [":" port] and nothing else */
static bool
parse(Slice text, Origin *origin)
{
	if (!take_scheme(&text, &origin->scheme))
		return false;
	origin->port = default_port(origin->scheme);
	return parse_authority(text, &origin->host, &origin->port);
}

/* django/utils/http.py, is_same_domain */
static bool
host_matches(Slice host, Slice pattern)
{
	Slice apex;

	if (pattern.len == 0)
		return false;
	if (slice_equals_nocase(host, pattern))
		return true;
	if (pattern.ptr[0] != '.')
		return false;
	apex = (Slice){pattern.ptr + 1, pattern.len - 1};
	if (slice_equals_nocase(host, apex))
		return true;
	return host.len > pattern.len &&
		   slice_equals_nocase(
			   (Slice){host.ptr + host.len - pattern.len, pattern.len},
			   pattern);
}

/* What stands before a path, a query or a fragment. */
static Slice
before_path(Slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (memchr("/?#", text.ptr[i], 3) != NULL)
			return (Slice){text.ptr, i};
	return text;
}

/* Whether urlparse() takes what stands before the first colon for a scheme. */
static bool
begins_with_scheme(Slice text)
{
	const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;

	return colon != NULL &&
		   is_scheme((Slice){text.ptr, (size_t) (colon - text.ptr)});
}

/* Channels' match_allowed_origin, for an origin that can be read */
static bool
matches(const Origin *origin, Slice pattern)
{
	Slice scheme;
	Slice host;
	Slice rest;
	long  port;

	if (!begins_with_scheme(pattern))
	{
		/* Whatever has no host of its own is compared whole. */
		if (!split_host(before_path(pattern), &host, &rest))
			host = pattern;
		return host_matches(origin->host, host);
	}
	if (!take_scheme(&pattern, &scheme))
		return false; /* "localhost:8000" */
	port = default_port(scheme);
	return parse_authority(before_path(pattern), &host, &port) &&
		   slice_equals_nocase(scheme, origin->scheme) &&
		   port == origin->port && host_matches(origin->host, host);
}

bool
origin_allowed(Slice origin, const char *patterns)
{
	Slice  list = slice_of(patterns);
	Slice  pattern;
	Origin parsed;
	bool   readable = origin.ptr != NULL && parse(origin, &parsed);

	while (slice_next_part(&list, &pattern))
		if (slice_equals(pattern, "*") ||
			(readable && matches(&parsed, pattern)))
			return true;
	return false;
}

bool
origin_same_as_host(Slice origin, Slice host)
{
	Origin parsed;
	Slice  name;
	long   port;

	if (origin.ptr == NULL || host.ptr == NULL || !parse(origin, &parsed))
		return false;
	/* A page of an extension may have any host it likes. */
	if (!scheme_is(parsed.scheme, "http") && !scheme_is(parsed.scheme, "https"))
		return false;
	port = default_port(parsed.scheme);
	return parse_authority(host, &name, &port) && port == parsed.port &&
		   slice_equals_nocase(name, parsed.host);
}

/* ---- patterns that can never match -------------------------------------- */

/*
 * Whether a host is an IPv6 address, but not as browsers write it: hexadecimal,
 * as short as can be (https://url.spec.whatwg.org/#concept-ipv6-serializer).
 */
static bool
is_odd_ipv6(Slice host)
{
	struct in6_addr parsed;
	char			shortest[INET6_ADDRSTRLEN];

	if (!parse_ipv6(host, &parsed))
		return false;
	if (memchr(host.ptr, '.', host.len) != NULL)
		return true;
	/* It has a period only where a browser has none. */
	return inet_ntop(AF_INET6, &parsed, shortest, sizeof(shortest)) != NULL &&
		   strchr(shortest, '.') == NULL &&
		   !slice_equals_nocase(host, slice_of(shortest));
}

/* The host of a pattern: one dot in front means all hosts below, too. */
static const char *
problem_of_host(Slice host)
{
	if (is_odd_ipv6(host))
		return "write an IPv6 address as browsers do, in its shortest form, "
			   "such as [::1]";
	if (memchr(host.ptr, '*', host.len) != NULL)
		return "write \".example.com\" for example.com and every host below it";
	if (host.ptr[0] == '.' && (host.len == 1 || host.ptr[1] == '.'))
		return "write a host name behind the period";
	return NULL;
}

/* What to write instead of a pattern; NULL when it is fine. */
static const char *
problem_of(Slice pattern)
{
	Slice		scheme;
	Slice		text = pattern;
	Slice		rest = SLICE_NONE;
	Origin		origin;
	const char *colon;

	if (pattern.len == 0)
		return "take out the comma that nothing stands before or behind";
	if (slice_equals(pattern, "*"))
		return NULL;
	if (slice_equals_nocase(pattern, slice_of("null")))
		return "pages without an origin of their own all send it, so it is "
			   "never allowed";
	for (size_t i = 0; i < pattern.len; i++)
	{
		if ((uint8_t) pattern.ptr[i] >= 0x80)
			return "write the name as browsers send it (xn--...)";
		/* what lists have between their parts elsewhere */
		if (memchr(" \t;", pattern.ptr[i], 3) != NULL)
			return PATTERNS_EXPECTED;
	}

	if (take_scheme(&text, &scheme))
	{
		if (scheme_is(scheme, "ws") || scheme_is(scheme, "wss"))
			return "browsers send the page's origin, so write http:// or "
				   "https://";
		if (before_path(text).len < text.len)
			return "an origin ends with its host or port, so take out the "
				   "path";
		if (!parse(pattern, &origin))
			return "write scheme://host or scheme://host:port";
		return problem_of_host(origin.host);
	}
	if (before_path(pattern).len < pattern.len)
		return "write a host, or scheme://host";
	colon = memchr(pattern.ptr, ':', pattern.len);
	if (is_ipv6(pattern) && colon != NULL &&
		memchr(colon + 1, ':',
			   pattern.len - (size_t) (colon + 1 - pattern.ptr)) != NULL)
		return "write an IPv6 address in brackets";
	if (!split_host(pattern, &origin.host, &rest))
		return PATTERNS_EXPECTED;
	if (rest.len > 0)
		return "write http://host:port or https://host:port, or the host alone "
			   "for any port";
	return problem_of_host(origin.host);
}

bool
origin_check_patterns(const char *patterns, char *error, size_t error_cap)
{
	Slice list = slice_trimmed(slice_of(patterns));
	Slice pattern;

	if (list.len == 0)
		return true;
	while (slice_next_part(&list, &pattern))
	{
		const char *problem = problem_of(pattern);

		if (problem == NULL)
			continue;
		snprintf(error, error_cap, "cannot have \"%.*s\"; %s",
				 (int) (pattern.len < SHOWN_MAX ? pattern.len : SHOWN_MAX),
				 pattern.ptr, problem);
		return false;
	}
	return true;
}
