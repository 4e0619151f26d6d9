/*-------------------------------------------------------------------------
 *
 * reception.h
 *	  What happens to a client, by its state: accepted sockets, data, timers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_RECEPTION_H
#define USHER_RECEPTION_H

#include "client.h"

/*
 * reception_accept
 *		Take over an accepted socket.
 *
 * When max_unauthenticated are there already, the one that has taken longest
 * over its request head has to go; if nobody is at that, the newcomer.
 */
void reception_accept(ClientEnv *env, int fd, bool tls,
					  const PeerAddress *address);

/* What transport_create wants: the owner of each peer is a Client. */
extern const TransportHandler reception_transport_handler;

/*
 * reception_close
 *		End a client in whatever state: an open one with this close code and
 *		reason (static text), a request with a refusal of that reason.
 */
void reception_close(Client *client, uint16_t code, const char *reason);

/* Close everyone marked by client_doom. */
void reception_close_doomed(ClientEnv *env);

#endif
