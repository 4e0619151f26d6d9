/*-------------------------------------------------------------------------
 *
 * transport.h
 *	  Bytes to and from peers, plain or TLS.  The only room with libwebsockets.
 *
 * libwebsockets is used in its raw-socket role on our own loop: it reads,
 * writes, does TLS and buffers what a socket did not take; it knows neither
 * HTTP nor WebSocket here.  A Peer belongs to the transport and is valid from
 * transport_adopt until transport_drop or on_closed, whichever comes first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_TRANSPORT_H
#define USHER_TRANSPORT_H

#include "common.h"
#include "loop.h"

typedef struct Transport Transport;
typedef struct Peer		 Peer;

/* owner is what transport_adopt was given. */
typedef struct TransportHandler
{
	/* bytes may be changed in place; they are gone after the call */
	void (*on_data)(void *owner, uint8_t *bytes, size_t len);
	/* the socket takes bytes again after TRANSPORT_BLOCKED */
	void (*on_writable)(void *owner);
	/* the other side or an error ended it: the Peer is gone */
	void (*on_closed)(void *owner);
} TransportHandler;

typedef struct TransportOptions
{
	const char *tls_certificate; /* PEM file, NULL or "": no TLS */
	const char *tls_key;
} TransportOptions;

/*
 * transport_create
 *		Set up libwebsockets on loop.  NULL with error set when TLS cannot be
 *		set up or memory is out.  handler is borrowed.
 */
Transport *transport_create(Loop *loop, const TransportOptions *options,
							const TransportHandler *handler, char *error,
							size_t error_cap) MUST_CHECK;

/* Closes every peer without calling on_closed. */
void transport_destroy(Transport *transport);

/*
 * transport_adopt
 *		Take over a connected, non-blocking socket (closed on failure too).
 *
 * Returns NULL when it cannot be taken.  No callback comes before it returns.
 */
Peer *transport_adopt(Transport *transport, int fd, bool tls,
					  void *owner) MUST_CHECK;

typedef enum TransportStatus
{
	TRANSPORT_SENT,	   /* the socket took everything */
	TRANSPORT_BLOCKED, /* taken over whole, but the socket is full: wait for
						* on_writable before the next write */
	TRANSPORT_FAILED,  /* the connection is broken; on_closed follows */
} TransportStatus;

/* What one write takes at most; libwebsockets copies what the socket leaves. */
#define TRANSPORT_MAX_WRITE 65536

/*
 * transport_write
 *		Send len (at most TRANSPORT_MAX_WRITE) bytes.
 *
 * Not while blocked (transport_is_blocked).
 */
TransportStatus transport_write(Peer *peer, const void *bytes,
								size_t len) MUST_CHECK;

bool transport_is_blocked(const Peer *peer);

/* Stop or go on calling on_data. */
void transport_pause(Peer *peer, bool paused);

/* Send FIN once what was written is out; on_data and on_closed still come. */
void transport_finish(Peer *peer);

/*
 * transport_drop
 *		Close now; no further callback.  The socket itself is closed at the
 *		end of the turn, so this may be called from any callback.
 */
void transport_drop(Transport *transport, Peer *peer);

/* End-of-turn step: close what was dropped. */
void transport_turn(Transport *transport);

/*
 * transport_reload_tls
 *		Read certificate and key again for new connections.  On failure the old
 *		pair stays in use, and error says why.
 */
bool transport_reload_tls(Transport *transport, const char *certificate,
						  const char *key, char *error,
						  size_t error_cap) MUST_CHECK;

#endif
