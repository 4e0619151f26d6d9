/*-------------------------------------------------------------------------
 *
 * exchange.h
 *	  POST /session: a credential in, a session key out.
 *
 * For pages that are logged in by a cookie or hold a token, and would rather
 * not put that into a WebSocket.  The credential comes in one of the carriers
 * of a handshake, or as "token" in the body, which may hold ttl, groups and
 * max_uses as well: see usher.exchange().  Pages of other origins may ask if
 * allowed_origins names them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_EXCHANGE_H
#define USHER_EXCHANGE_H

#include "client.h"

/* Longest body, in bytes. */
#define EXCHANGE_MAX_BODY 32768

/*
 * exchange_wants_body
 *		Whether a part of the body is still to come; who waits to be told to
 *		send it is told.
 *
 * False also when the request has been refused, which it then says by itself:
 * look at the client's state.
 */
bool exchange_wants_body(Client *client) MUST_CHECK;

/* Ask the database; the client is ADMITTING. */
void exchange_ask(Client *client);

/* OPTIONS /session: what a browser asks before it lets a page ask. */
void exchange_preflight(Client *client);

#endif
