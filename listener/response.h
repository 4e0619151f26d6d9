/*-------------------------------------------------------------------------
 *
 * response.h
 *	  Answers to a request: refusals, 101 and the state of our health.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_RESPONSE_H
#define USHER_RESPONSE_H

#include "client.h"
#include "handshake.h"

/*
 * response_refuse
 *		Answer a request that is not open yet: an HTTP status, or for a browser
 *		101, an error message and a close code.
 *
 * reason as in refusal.h; detail NULL: the reason's own sentence.
 */
void response_refuse(Client *client, const char *reason, const char *detail);

/* 200 and a JSON body, for the page that asked or for whoever else did. */
void response_json(Client *client, const char *body);

/* The page may ask as it wants to (CORS). */
void response_preflight(Client *client);

/* The head of the 101 for this handshake; 0 when there is none to answer. */
#define RESPONSE_SWITCHING_BYTES 512
size_t response_switching(const Handshake *plan,
						  char out[RESPONSE_SWITCHING_BYTES]) MUST_CHECK;

/* GET /healthz: we run.  GET /readyz: clients can be admitted. */
void response_healthz(Client *client);
void response_readyz(Client *client);

#endif
