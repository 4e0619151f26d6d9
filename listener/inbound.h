/*-------------------------------------------------------------------------
 *
 * inbound.h
 *	  Frames of an open client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_INBOUND_H
#define USHER_INBOUND_H

#include "client.h"

/* Bytes of a client that is OPEN or CLOSING; changed in place. */
void inbound_on_data(Client *client, uint8_t *bytes, size_t len);

#endif
