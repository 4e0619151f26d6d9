/*-------------------------------------------------------------------------
 *
 * origin.h
 *	  May a page of this origin open a WebSocket?  Pure.
 *
 * The rules are Channels' (channels/security/websocket.py, OriginValidator),
 * except that an Origin is read strictly: scheme "://" host [":" port] and
 * nothing else.  That differs only for texts no browser sends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ORIGIN_H
#define USHER_ORIGIN_H

#include "common.h"

/*
 * origin_allowed
 *		Whether a list of patterns allows an origin.
 *
 * patterns is comma-separated, blanks around each are ignored:
 *	 *                                 everything, even no Origin
 *	 https://example.com[:port]        scheme, host and port (after defaults)
 *	 https://.example.com              the host and all below it
 *	 example.com, .example.com, [::1]  the host alone, any scheme and port
 * origin.ptr is NULL when the request has none.
 */
bool origin_allowed(Slice origin, const char *patterns);

/*
 * origin_same_as_host
 *		Whether an origin is the Host the request was sent to.
 *
 * Host without a port has the default port of the origin's scheme: a proxy in
 * front may speak TLS.  Never for a missing, "null" or malformed one.
 */
bool origin_same_as_host(Slice origin, Slice host);

/*
 * origin_check_patterns
 *		Refuse a list with a pattern that could never match, such as
 *		"localhost:8000" (Channels reads a scheme there), "https://a/b",
 *		"*.example.com", "wss://example.com" (no page's origin) or an empty one.
 *
 * Writes the end of a sentence that says which and what to write instead.
 * An empty list is fine.
 */
bool origin_check_patterns(const char *patterns, char *error,
						   size_t error_cap) MUST_CHECK;

#endif
