/*-------------------------------------------------------------------------
 *
 * reception.c
 *	  What happens to a client, by its state: accepted sockets, data, timers.
 *
 * Every event of the outside world comes in here and goes to the room that
 * the client's state names.
 *
 *-------------------------------------------------------------------------
 */
#include "reception.h"

#include <unistd.h>

#include "admission.h"
#include "inbound.h"
#include "log.h"
#include "response.h"

/* Say that the house is full at most this often. */
#define COMPLAIN_MS 10000

static void
on_timer(LoopTimer *timer)
{
	Client *client = container_of(timer, Client, timer);

	switch (client->state)
	{
		case CLIENT_REQUEST:
			if (client->head_len == 0)
				client_drop(client, "sent nothing in time");
			else
				response_refuse(client, "header_timeout", NULL);
			return;
		case CLIENT_ADMITTING:
		case CLIENT_LISTENING:
			response_refuse(client, "database_unavailable", NULL);
			return;
		case CLIENT_GREETING:
			/* it said who it is, and the answer did not come in time */
			if (client->in_flight != NULL)
				client_close(client, WS_CLOSE_TRY_AGAIN,
							 "database_unavailable");
			else
				client_close(client, WS_CLOSE_AUTH_TIMEOUT, "auth_timeout");
			return;
		case CLIENT_OPEN: client_on_deadline(client); return;
		case CLIENT_CLOSING: client_drop(client, "close timeout"); return;
		case CLIENT_FINISHING: client_drop(client, NULL); return;
		case CLIENT_GONE: return;
	}
}

static void
on_data(void *owner, uint8_t *bytes, size_t len)
{
	Client *client = owner;

	client_note_alive(client);
	switch (client->state)
	{
		case CLIENT_REQUEST:
		case CLIENT_ADMITTING:
		case CLIENT_LISTENING: admission_on_data(client, bytes, len); return;
		case CLIENT_GREETING:
		case CLIENT_OPEN:
		case CLIENT_CLOSING: inbound_on_data(client, bytes, len); return;
		case CLIENT_FINISHING:
		case CLIENT_GONE: return;
	}
}

static void
on_writable(void *owner)
{
	Client *client = owner;

	client_note_alive(client);
	client_flush(client);
}

static void
on_closed(void *owner)
{
	Client *client = owner;

	switch (client->state)
	{
		case CLIENT_OPEN:
			client_log_end(client, "closed with", 1006, "connection ended");
			client_in_flight_abandon(client);
			break;
		case CLIENT_REQUEST:
		case CLIENT_ADMITTING:
		case CLIENT_LISTENING:
		case CLIENT_GREETING:
			client_log(client, LOG_LEVEL_INFO,
					   "closed: gave up before it was admitted");
			break;
		case CLIENT_CLOSING:
		case CLIENT_FINISHING:
		case CLIENT_GONE: break;
	}
	client_enter(client, CLIENT_GONE);
}

const TransportHandler reception_transport_handler = {
	.on_data = on_data,
	.on_writable = on_writable,
	.on_closed = on_closed,
};

void
reception_close(Client *client, uint16_t code, const char *reason)
{
	switch (client->state)
	{
		case CLIENT_REQUEST:
			/* Who asked nothing gets no answer; TLS may not even be ready. */
			if (client->head_len == 0)
				client_drop(client, reason);
			else
				response_refuse(client, reason, NULL);
			return;
		case CLIENT_ADMITTING:
		case CLIENT_LISTENING: response_refuse(client, reason, NULL); return;
		case CLIENT_GREETING:
		case CLIENT_OPEN: client_close(client, code, reason); return;
		case CLIENT_CLOSING:
		case CLIENT_FINISHING:
		case CLIENT_GONE: return;
	}
}

void
reception_close_doomed(ClientEnv *env)
{
	while (env->doomed != NULL)
	{
		Client *client = env->doomed;

		env->doomed = client->doomed_next;
		client->doomed = false;
		if (client->state == CLIENT_GONE)
		{
			client->doomed_next = env->gone;
			env->gone = client;
		}
		else if (client->state == CLIENT_CLOSING)
			client_drop(client, client->doom_reason);
		else
			reception_close(client, client->doom_code, client->doom_reason);
	}
}

/* Make room for one more; false when nobody can be asked to go. */
static bool
make_room(ClientEnv *env)
{
	uint64_t now_ms = loop_now_ms(env->loop);

	if (env->unauthenticated < env->config->max_unauthenticated)
		return true;
	if (env->complained_ms == 0 || now_ms - env->complained_ms >= COMPLAIN_MS)
	{
		env->complained_ms = now_ms;
		log_warning("listener: %zu connections are not admitted yet "
					"(max_unauthenticated): the oldest requests are dropped",
					env->unauthenticated);
	}
	if (env->requests.first == NULL)
		return false;
	client_drop(env->requests.first, "took too long while others waited");
	return true;
}

void
reception_accept(ClientEnv *env, int fd, bool tls, const PeerAddress *address)
{
	Client *client;

	if (!make_room(env) || (client = client_create(env, address)) == NULL)
	{
		/* Nothing can be said yet: the request has not been read. */
		close(fd);
		return;
	}
	client->timer.on_due = on_timer;
	client->peer = transport_adopt(env->transport, fd, tls, client);
	if (client->peer == NULL)
	{
		client_free(client);
		return;
	}
	client_enter(client, CLIENT_REQUEST);
}
