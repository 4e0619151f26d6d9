/*-------------------------------------------------------------------------
 *
 * acceptor.h
 *	  Our own listening sockets: accept with a budget, pause when descriptors
 *	  run out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ACCEPTOR_H
#define USHER_ACCEPTOR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "common.h"
#include "loop.h"

typedef struct Acceptor Acceptor;

/* Where a peer comes from; 20 bytes instead of sockaddr_storage's 128. */
typedef struct PeerAddress
{
	uint8_t	 ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
} PeerAddress;

/* "127.0.0.1:50122", "[2001:db8::1]:50122" */
#define PEER_ADDRESS_TEXT 56
void peer_address_text(const PeerAddress *address, char out[PEER_ADDRESS_TEXT]);

/* The same without the port. */
void peer_address_ip_text(const PeerAddress *address,
						  char				 out[PEER_ADDRESS_TEXT]);

/* Takes over fd, which is connected, non-blocking and close-on-exec. */
typedef void (*AcceptorTake)(void *arg, int fd, bool tls,
							 const PeerAddress *address);

/*
 * acceptor_create
 *		Listen on the addresses of the settings listen and tls_listen.
 *
 * SO_REUSEPORT is set: several processes may share an address.  NULL with
 * error set when one of them cannot be bound.
 */
Acceptor *acceptor_create(Loop *loop, const char *listen,
						  const char *tls_listen, AcceptorTake take, void *arg,
						  char *error, size_t error_cap) MUST_CHECK;

/* Stop listening; connections already taken are not touched. */
void acceptor_destroy(Acceptor *acceptor);

#endif
