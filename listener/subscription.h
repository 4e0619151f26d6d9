/*-------------------------------------------------------------------------
 *
 * subscription.h
 *	  The groups of a client of usher.v1: how it comes in and out of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_SUBSCRIPTION_H
#define USHER_SUBSCRIPTION_H

#include "client.h"

/* subscribe and unsubscribe, of an open client. */
void subscription_begin(Client *client, const ProtocolRequest *asked);
void subscription_end(Client *client, const ProtocolRequest *asked);

/* The seat is open: tell the client. */
void subscription_open_seat(Seat *seat);

/* Take the seat away for this reason (see refusal.h), and say so. */
void subscription_expel(Seat *seat, const char *reason);

#endif
