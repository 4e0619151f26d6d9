/*-------------------------------------------------------------------------
 *
 * acceptor.c
 *	  Our own listening sockets.
 *
 * libwebsockets 4.1 sets no SO_REUSEPORT, drains the whole backlog before it
 * looks at anyone else, and spins when descriptors run out.  Here a turn takes
 * at most ACCEPT_BUDGET connections per socket (the loop is level-triggered, so
 * the rest comes in the next turn), and running out of descriptors pauses all
 * listening for ACCEPT_PAUSE_MS.
 *
 *-------------------------------------------------------------------------
 */
#include "acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "log.h"

#define ACCEPT_BUDGET 64
#define ACCEPT_PAUSE_MS 100
#define ACCEPT_BACKLOG 4096
/* Say that descriptors ran out at most this often. */
#define ACCEPT_COMPLAIN_MS 10000

typedef struct Listening
{
	struct Listening *next;
	Acceptor		 *acceptor;
	LoopWatch		 *watch;
	int				  fd;
	bool			  tls;
} Listening;

struct Acceptor
{
	Loop		*loop;
	Listening	*sockets;
	LoopTimer	 pause;
	uint64_t	 complained_ms;
	AcceptorTake take;
	void		*arg;
};

static void
address_from(PeerAddress *address, const struct sockaddr_storage *from)
{
	memset(address, 0, sizeof(*address));
	if (from->ss_family == AF_INET6)
	{
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) from;

		memcpy(address->ip, &v6->sin6_addr, 16);
		address->port = ntohs(v6->sin6_port);
	}
	else if (from->ss_family == AF_INET)
	{
		const struct sockaddr_in *v4 = (const struct sockaddr_in *) from;

		address->ip[10] = address->ip[11] = 0xff;
		memcpy(address->ip + 12, &v4->sin_addr, 4);
		address->port = ntohs(v4->sin_port);
	}
}

static bool
is_ipv4(const PeerAddress *address)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0,	 0,
									   0, 0, 0, 0, 0xff, 0xff};

	return memcmp(address->ip, mapped, sizeof(mapped)) == 0;
}

void
peer_address_ip_text(const PeerAddress *address, char out[PEER_ADDRESS_TEXT])
{
	out[0] = '\0';
	if (is_ipv4(address))
		inet_ntop(AF_INET, address->ip + 12, out, PEER_ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, address->ip, out, PEER_ADDRESS_TEXT);
}

void
peer_address_text(const PeerAddress *address, char out[PEER_ADDRESS_TEXT])
{
	char ip[PEER_ADDRESS_TEXT];

	peer_address_ip_text(address, ip);
	snprintf(out, PEER_ADDRESS_TEXT,
			 is_ipv4(address) ? "%.45s:%u" : "[%.45s]:%u", ip, address->port);
}

static void
pause_all(Acceptor *acceptor, int error_number)
{
	uint64_t now_ms = loop_now_ms(acceptor->loop);

	for (Listening *socket = acceptor->sockets; socket; socket = socket->next)
		loop_watch_change(socket->watch, 0);
	loop_arm(acceptor->loop, &acceptor->pause, now_ms + ACCEPT_PAUSE_MS);
	if (acceptor->complained_ms == 0 ||
		now_ms - acceptor->complained_ms >= ACCEPT_COMPLAIN_MS)
	{
		acceptor->complained_ms = now_ms;
		log_warning("listener: cannot accept connections for now: %s; raise "
					"the limit of open files (ulimit -n)",
					strerror(error_number));
	}
}

static void
on_pause_over(LoopTimer *timer)
{
	Acceptor *acceptor = container_of(timer, Acceptor, pause);

	for (Listening *socket = acceptor->sockets; socket; socket = socket->next)
		loop_watch_change(socket->watch, LOOP_READABLE);
}

static void
on_acceptable(void *arg, unsigned ready)
{
	Listening *listening = arg;
	Acceptor  *acceptor = listening->acceptor;

	(void) ready;
	for (int i = 0; i < ACCEPT_BUDGET; i++)
	{
		struct sockaddr_storage from;
		socklen_t				from_len = sizeof(from);
		PeerAddress				address;
		int						one = 1;
		int						fd;

		fd = accept4(listening->fd, (struct sockaddr *) &from, &from_len,
					 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
		{
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
				errno == ENOBUFS)
				pause_all(acceptor, errno);
			/* otherwise the peer gave up, or there is none: not our trouble */
			return;
		}
		/* A frame goes out at once; libwebsockets sets this on its own only. */
		(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		address_from(&address, &from);
		acceptor->take(acceptor->arg, fd, listening->tls, &address);
	}
}

static int
bind_one(const struct addrinfo *info)
{
	int one = 1;
	int fd = socket(info->ai_family,
					info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
					info->ai_protocol);

	if (fd < 0)
		return -1;
	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* "*" gives one socket per family: the IPv6 one must leave IPv4 alone. */
	if (info->ai_family == AF_INET6)
		(void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 ||
		listen(fd, ACCEPT_BACKLOG) != 0)
	{
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static bool
add_listening(Acceptor *acceptor, int fd, bool tls)
{
	Listening *listening = calloc(1, sizeof(*listening));

	if (listening == NULL)
		return false;
	listening->acceptor = acceptor;
	listening->fd = fd;
	listening->tls = tls;
	listening->watch =
		loop_watch(acceptor->loop, fd, LOOP_READABLE, on_acceptable, listening);
	if (listening->watch == NULL)
	{
		free(listening);
		return false;
	}
	listening->next = acceptor->sockets;
	acceptor->sockets = listening;
	return true;
}

static bool
listen_on(Acceptor *acceptor, const ConfigAddress *address, bool tls,
		  char *error, size_t error_cap)
{
	struct addrinfo	 hints = {.ai_socktype = SOCK_STREAM,
							  .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	const char		*host = address->host[0] ? address->host : NULL;
	char			 port[8];
	int				 bound = 0;
	int				 code;

	snprintf(port, sizeof(port), "%u", address->port);
	code = getaddrinfo(host, port, &hints, &list);
	if (code != 0)
	{
		snprintf(error, error_cap, "cannot listen on %s:%s: %s",
				 host ? host : "*", port, gai_strerror(code));
		return false;
	}
	for (struct addrinfo *info = list; info != NULL; info = info->ai_next)
	{
		int fd = bind_one(info);

		if (fd >= 0 && add_listening(acceptor, fd, tls))
			bound++;
		else if (fd >= 0)
			close(fd);
		else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
		{
			snprintf(error, error_cap, "cannot listen on %s:%s: %s",
					 host ? host : "*", port, strerror(errno));
			bound = 0;
			break;
		}
	}
	freeaddrinfo(list);
	if (bound == 0 && error[0] == '\0')
		snprintf(error, error_cap,
				 "cannot listen on %s:%s: the address is not of this machine",
				 host ? host : "*", port);
	return bound > 0;
}

static bool
listen_on_all(Acceptor *acceptor, const char *addresses, bool tls, char *error,
			  size_t error_cap)
{
	ConfigAddress address;

	while (config_next_address(&addresses, &address) == CONFIG_ADDRESS_OK)
	{
		if (!listen_on(acceptor, &address, tls, error, error_cap))
			return false;
		log_info("listener: listening on %s:%u%s",
				 address.host[0] ? address.host : "*", address.port,
				 tls ? " (TLS)" : "");
	}
	return true;
}

Acceptor *
acceptor_create(Loop *loop, const char *listen, const char *tls_listen,
				AcceptorTake take, void *arg, char *error, size_t error_cap)
{
	Acceptor *acceptor = calloc(1, sizeof(*acceptor));

	error[0] = '\0';
	if (acceptor == NULL)
	{
		snprintf(error, error_cap, "out of memory");
		return NULL;
	}
	acceptor->loop = loop;
	acceptor->take = take;
	acceptor->arg = arg;
	acceptor->pause.on_due = on_pause_over;
	if (!listen_on_all(acceptor, listen, false, error, error_cap) ||
		!listen_on_all(acceptor, tls_listen, true, error, error_cap))
	{
		acceptor_destroy(acceptor);
		return NULL;
	}
	return acceptor;
}

void
acceptor_destroy(Acceptor *acceptor)
{
	if (acceptor == NULL)
		return;
	loop_cancel(acceptor->loop, &acceptor->pause);
	while (acceptor->sockets != NULL)
	{
		Listening *listening = acceptor->sockets;

		acceptor->sockets = listening->next;
		loop_unwatch(listening->watch);
		close(listening->fd);
		free(listening);
	}
	free(acceptor);
}
