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

typedef enum HandshakeAction
{
	HANDSHAKE_JOIN,	   /* a WebSocket for one group: group is set */
	HANDSHAKE_HEALTHZ, /* GET /healthz */
	HANDSHAKE_READYZ,  /* GET /readyz */
	HANDSHAKE_REFUSE,  /* reason is set */
} HandshakeAction;

typedef struct Handshake
{
	HandshakeAction action;
	Slice			group;	  /* of the path /ws/<group> */
	Slice			key;	  /* Sec-WebSocket-Key; ptr NULL unless the
							   * handshake itself is valid, so that 101 is
							   * a possible answer */
	bool		from_browser; /* it sent Origin: script sees no HTTP status */
	const char *reason;		  /* see refusal.h */
} Handshake;

/*
 * handshake_plan
 *		Decide what to do with a parsed request.
 *
 * One trailing slash after the group is ignored, as Django's URLs have it.
 */
void handshake_plan(Handshake *plan, const HttpRequest *request);

/* ^[A-Za-z0-9._-]{1,99}$ (channels/layers.py), ASCII only. */
bool handshake_group_valid(Slice group);

#endif
