/*-------------------------------------------------------------------------
 *
 * conversation.h
 *	  What a client of usher.v1 says and is told: see protocol.md.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CONVERSATION_H
#define USHER_CONVERSATION_H

#include "client.h"

/* A message of a client that is GREETING or OPEN. */
void conversation_on_message(Client *client, const WsEvent *event);

/* Tell an open client who it is; id of its auth, "" when none. */
void conversation_welcome(Client *client, const char *id);

#endif
