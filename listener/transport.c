/*-------------------------------------------------------------------------
 *
 * transport.c
 *	  Bytes to and from peers through libwebsockets' raw-socket role.
 *
 * What had to be known about libwebsockets 4.1 and 4.3 (each was measured):
 * - While it holds output of its own for a socket it does not read from it,
 *	 yet keeps polling for input: a peer that sends a byte and does not read
 *	 would cost a whole core.  So reading is paused while output is held.
 * - Its timers are a sorted list that every connection would be put on: the
 *	 retry policy is zeroed and no lws timeout is used.  It sets two by itself
 *	 for TLS, one for the handshake and one for what should come after it, and
 *	 ends the connection when nobody clears them: on_raw does.
 * - Of a TLS record it may read a part and keep the rest, which it then forgets
 *	 when reading is paused and resumed: its buffer holds a whole record.
 * - It closes every descriptor it adopted.
 * - lws_tls_cert_updated() says nothing of failure and ignores files of other
 *	 names than at first: a new pair is put into its SSL_CTX here, which it
 *	 shows when it makes one.
 * - A wsi must not be closed from within its own callback other than by the
 *	 callback's return value: transport_drop puts the peer on a list, and
 *	 transport_turn closes it.
 *
 *-------------------------------------------------------------------------
 */
#include "transport.h"

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "log.h"
#include "tls.h"

/*
 * Read at most this much at once; one buffer for the whole process.  More than
 * the 2^14 bytes of a TLS record (RFC 8446 5.1) with libwebsockets' LWS_PRE.
 */
#define TRANSPORT_READ_BYTES (16384 + 1024)

/* For libwebsockets' own timers of TLS: longer than any header_timeout, which
 * is what ends a handshake. */
#define TRANSPORT_TLS_SECONDS (2 * 3600)

/* Lives in the wsi's per-session data, which libwebsockets zeroes. */
struct Peer
{
	struct lws *wsi;
	void	   *owner; /* NULL: nobody is told anything any more */
	Peer	   *next_dropped;
	bool		paused;	   /* by the owner */
	bool		finishing; /* FIN when the output is out */
	bool		dropped;
	bool		failed;	   /* a write failed: close from a callback */
	bool		want_call; /* the owner waits for on_writable */
	bool		tls_timed; /* libwebsockets has a timer on it */
	Transport  *transport;
};

struct Transport
{
	Loop				   *loop;
	struct lws_context	   *context;
	struct lws_vhost	   *plain;
	struct lws_vhost	   *tls;		 /* NULL: not configured */
	SSL_CTX				   *tls_context; /* of that, and its */
	const TransportHandler *handler;
	Peer				   *dropped;
	bool					ending; /* nobody is told anything any more */
};

static int on_raw(struct lws *wsi, enum lws_callback_reasons reason, void *user,
				  void *in, size_t len);

static const struct lws_protocols protocols[] = {
	{
		.name = "usher",
		.callback = on_raw,
		.per_session_data_size = sizeof(struct Peer),
		.rx_buffer_size = TRANSPORT_READ_BYTES,
		.tx_packet_size = TRANSPORT_MAX_WRITE,
	},
	{0},
};

/* No keepalive and no hang-up of its own: see the head of this file. */
static const lws_retry_bo_t no_policy = {0};

static void
apply_flow(Peer *peer)
{
	bool read = !peer->paused && !lws_partial_buffered(peer->wsi);

	lws_rx_flow_control(peer->wsi, read ? 1 : 0);
}

static int
on_writeable(Peer *peer)
{
	if (peer->failed)
		return -1;
	if (lws_partial_buffered(peer->wsi))
	{
		lws_callback_on_writable(peer->wsi);
		return 0;
	}
	if (peer->want_call && peer->owner != NULL)
	{
		peer->want_call = false;
		peer->transport->handler->on_writable(peer->owner);
	}
	if (peer->finishing && !lws_partial_buffered(peer->wsi))
	{
		peer->finishing = false;
		shutdown(lws_get_socket_fd(peer->wsi), SHUT_WR);
	}
	apply_flow(peer);
	return 0;
}

static void
on_gone(Peer *peer)
{
	void *owner = peer->owner;

	if (peer->dropped)
	{
		/* Still on the list: closed by the peer before our turn came. */
		for (Peer **link = &peer->transport->dropped; *link != NULL;
			 link = &(*link)->next_dropped)
			if (*link == peer)
			{
				*link = peer->next_dropped;
				break;
			}
		peer->dropped = false;
	}
	peer->owner = NULL;
	peer->wsi = NULL;
	if (owner != NULL && !peer->transport->ending)
		peer->transport->handler->on_closed(owner);
}

static int
on_raw(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
	   size_t len)
{
	Peer *peer = user;

	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
	{
		Transport *transport = lws_context_user(lws_get_context(wsi));

		transport->tls_context = user;
		return 0;
	}

	/* Callbacks that are not about an adopted peer of ours. */
	if (peer == NULL || peer->wsi != wsi)
		return 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
	/* libwebsockets has about a hundred reasons; three concern a raw socket */
	switch (reason)
	{
		case LWS_CALLBACK_RAW_RX:
			if (peer->tls_timed)
			{
				peer->tls_timed = false;
				lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
			}
			if (peer->owner != NULL)
				peer->transport->handler->on_data(peer->owner, in, len);
			if (peer->failed)
				return -1;
			return 0;
		case LWS_CALLBACK_RAW_WRITEABLE: return on_writeable(peer);
		case LWS_CALLBACK_RAW_CLOSE: on_gone(peer); return 0;
		default: return 0;
	}
#pragma GCC diagnostic pop
}

static void
on_lws_log(int level, const char *line)
{
	size_t len = strlen(line);

	while (len > 0 && line[len - 1] == '\n')
		len--;
	log_write(level == LLL_ERR ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
			  "transport: %.*s", (int) len, line);
}

static struct lws_vhost *
create_vhost(Transport *transport, const char *name,
			 const TransportOptions *tls)
{
	struct lws_context_creation_info info = {0};

	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info.vhost_name = name;
	info.protocols = protocols;
	info.retry_and_idle_policy = &no_policy;
	info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
	if (tls != NULL)
	{
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
		info.ssl_cert_filepath = tls->tls_certificate;
		info.ssl_private_key_filepath = tls->tls_key;
		info.alpn = "http/1.1";
		info.ssl_options_set = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 |
							   SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
	}
	return lws_create_vhost(transport->context, &info);
}

Transport *
transport_create(Loop *loop, const TransportOptions *options,
				 const TransportHandler *handler, char *error, size_t error_cap)
{
	struct lws_context_creation_info info = {0};
	Transport						*transport = calloc(1, sizeof(*transport));
	void							*native = loop_native(loop);
	bool							 tls;

	if (transport == NULL)
	{
		snprintf(error, error_cap, "out of memory");
		return NULL;
	}
	tls = options->tls_certificate != NULL && options->tls_certificate[0];
	if (tls && !tls_check_pair(options->tls_certificate, options->tls_key,
							   error, error_cap))
	{
		free(transport);
		return NULL;
	}
	transport->loop = loop;
	transport->handler = handler;
	lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);

	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info.foreign_loops = &native;
	info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
				   LWS_SERVER_OPTION_DISABLE_IPV6;
	if (tls)
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info.protocols = protocols;
	info.user = transport;
	info.gid = (gid_t) -1;
	info.uid = (uid_t) -1;
	info.retry_and_idle_policy = &no_policy;
	info.pt_serv_buf_size = TRANSPORT_READ_BYTES;
	info.timeout_secs = TRANSPORT_TLS_SECONDS;
	transport->context = lws_create_context(&info);
	if (transport->context != NULL)
	{
		transport->plain = create_vhost(transport, "plain", NULL);
		if (tls)
			transport->tls = create_vhost(transport, "tls", options);
	}
	if (transport->plain == NULL || (tls && transport->tls == NULL))
	{
		snprintf(error, error_cap,
				 "libwebsockets cannot be set up: is the package "
				 "libwebsockets-evlib-uv installed?");
		transport_destroy(transport);
		return NULL;
	}
	return transport;
}

void
transport_destroy(Transport *transport)
{
	if (transport == NULL)
		return;
	transport->ending = true;
	if (transport->context != NULL)
	{
		/* The first call closes, over several turns; the second frees. */
		lws_context_destroy(transport->context);
		loop_settle(transport->loop);
		lws_context_destroy(transport->context);
	}
	free(transport);
}

Peer *
transport_adopt(Transport *transport, int fd, bool tls, void *owner)
{
	struct lws_vhost	 *vhost = tls ? transport->tls : transport->plain;
	lws_sock_file_fd_type descriptor = {.sockfd = fd};
	lws_adoption_type	  type = LWS_ADOPT_SOCKET;
	struct lws			 *wsi;
	Peer				 *peer;

	if (tls)
		type |= LWS_ADOPT_ALLOW_SSL;
	wsi = lws_adopt_descriptor_vhost(vhost, type, descriptor, "usher", NULL);
	if (wsi == NULL)
		return NULL;
	peer = lws_wsi_user(wsi);
	peer->wsi = wsi;
	peer->owner = owner;
	peer->transport = transport;
	peer->tls_timed = tls;
	return peer;
}

TransportStatus
transport_write(Peer *peer, const void *bytes, size_t len)
{
	int sent;

	if (peer->failed || peer->wsi == NULL)
		return TRANSPORT_FAILED;
	/* LWS_WRITE_RAW neither changes the bytes nor the room before them. */
	sent = lws_write(peer->wsi, (unsigned char *) (uintptr_t) bytes, len,
					 LWS_WRITE_RAW);
	if (sent < 0 || (size_t) sent < len)
	{
		peer->failed = true;
		lws_callback_on_writable(peer->wsi);
		return TRANSPORT_FAILED;
	}
	if (!lws_partial_buffered(peer->wsi))
		return TRANSPORT_SENT;
	peer->want_call = true;
	apply_flow(peer);
	lws_callback_on_writable(peer->wsi);
	return TRANSPORT_BLOCKED;
}

bool
transport_is_blocked(const Peer *peer)
{
	return peer->wsi != NULL && lws_partial_buffered(peer->wsi);
}

void
transport_pause(Peer *peer, bool paused)
{
	if (peer->paused == paused)
		return;
	peer->paused = paused;
	apply_flow(peer);
}

void
transport_finish(Peer *peer)
{
	peer->finishing = true;
	lws_callback_on_writable(peer->wsi);
}

void
transport_drop(Transport *transport, Peer *peer)
{
	peer->owner = NULL;
	if (peer->dropped)
		return;
	peer->dropped = true;
	peer->next_dropped = transport->dropped;
	transport->dropped = peer;
}

void
transport_turn(Transport *transport)
{
	while (transport->dropped != NULL)
	{
		Peer *peer = transport->dropped;

		transport->dropped = peer->next_dropped;
		peer->dropped = false;
		lws_set_timeout(peer->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
	}
}

bool
transport_reload_tls(Transport *transport, const char *certificate,
					 const char *key, char *error, size_t error_cap)
{
	if (transport->tls == NULL)
		return true;
	if (!tls_check_pair(certificate, key, error, error_cap))
		return false;
	return tls_use_pair(transport->tls_context, certificate, key, error,
						error_cap);
}
