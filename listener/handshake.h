/*-------------------------------------------------------------------------
 *
 * handshake.h
 *	  What a request asks for: which path, which group, is it a proper
 *	  WebSocket handshake.  Pure; asks nobody.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_HANDSHAKE_H
#define USHER_HANDSHAKE_H

#include "common.h"
#include "http.h"
#include "position.h"

/* The subprotocol of the path /ws. */
#define HANDSHAKE_V1 "usher.v1"

typedef enum HandshakeAction
{
	HANDSHAKE_JOIN,		 /* a WebSocket for one group: group is set */
	HANDSHAKE_OPEN,		 /* a WebSocket of usher.v1: groups come later */
	HANDSHAKE_HEALTHZ,	 /* GET /healthz */
	HANDSHAKE_READYZ,	 /* GET /readyz */
	HANDSHAKE_SCRIPT,	 /* GET or HEAD /usher.js */
	HANDSHAKE_PAGE,		 /* GET or HEAD / */
	HANDSHAKE_EXCHANGE,	 /* POST /session */
	HANDSHAKE_PREFLIGHT, /* OPTIONS /session */
	HANDSHAKE_REFUSE,	 /* reason is set */
} HandshakeAction;

typedef struct Handshake
{
	HandshakeAction action;
	Slice			group;	  /* of the path /ws/<group> */
	bool			since;	  /* likewise: what it saw last is said, by */
	Position		position; /* ?since=<seq>.<tag> */
	Slice			key;	  /* Sec-WebSocket-Key; ptr NULL unless the
							   * handshake itself is valid, so that 101 is
							   * a possible answer */
	Slice protocol;			  /* Sec-WebSocket-Protocol of that 101, or none */
	bool  speaks_v1;		  /* of the path /ws, even if refused */
	bool  shared;			  /* of the path /session, even if refused: pages
							   * of allowed origins may read the answer */
	const char *allow;		  /* the methods of this path, as in Allow */
	bool		from_browser; /* it sent Origin: script sees no HTTP status */
	const char *reason;		  /* see refusal.h */
} Handshake;

/*
 * handshake_plan
 *		Decide what to do with a parsed request.
 *
 * One trailing slash after the group, or after /ws, is ignored, as Django's
 * URLs have it.
 *
 * protocol of a group's path is the first subprotocol offered that is neither a
 * credential nor usher.v1, which the raw mode does not speak.  Of /ws it is
 * usher.v1, if offered; whoever offers none speaks that all the same, and
 * whoever offers others only is refused, with the first of them chosen.  A
 * browser that has offered some fails the connection when none is chosen, so
 * one has to be offered beside a credential, and a refusal names one too.
 */
void handshake_plan(Handshake *plan, const HttpRequest *request);

/*
 * handshake_origin_allowed
 *		Whether a page of this request's origin may do what it asks.
 *
 * With allowed_origins, an Origin must match them, and a cookie needs one that
 * does; without, a cookie needs the Origin of the Host itself, and nothing else
 * is asked.  by_cookie: the credential came in a cookie, which a browser sends
 * along for any page.  Of several Origins the last counts, as in Channels.
 */
bool handshake_origin_allowed(const HttpRequest *request,
							  const char *allowed_origins, bool by_cookie);

/* ^[A-Za-z0-9._-]{1,99}$ (channels/layers.py), ASCII only. */
bool handshake_group_valid(Slice group);

#endif
