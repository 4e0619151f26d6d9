/*-------------------------------------------------------------------------
 *
 * inbound.h
 *	  Frames of a client whose handshake has been answered.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_INBOUND_H
#define USHER_INBOUND_H

#include "client.h"

/* Bytes of a client that is GREETING, OPEN or CLOSING; changed in place. */
void inbound_on_data(Client *client, uint8_t *bytes, size_t len);

/*
 * inbound_resume
 *		Read the peer again, and before that what it had sent already.
 *
 * That is kept behind the request head, or in its place.
 */
void inbound_resume(Client *client);

#endif
