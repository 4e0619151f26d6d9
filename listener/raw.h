/*-------------------------------------------------------------------------
 *
 * raw.h
 *	  What a client of /ws/<group> sends: each message is a payload.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_RAW_H
#define USHER_RAW_H

#include "client.h"

/* A message of an open client. */
void raw_on_message(Client *client, const WsEvent *event);

#endif
