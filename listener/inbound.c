/*-------------------------------------------------------------------------
 *
 * inbound.c
 *	  Frames of a client: control frames are answered here, messages go to the
 *	  room that speaks the client's protocol.
 *
 * A client's messages are executed in the order it sent them (they share an
 * order key).  While max_inflight of them wait for the database its socket is
 * not read, so that a fast sender is slowed down by TCP, not buffered; only
 * what one read had brought already goes on top of that.
 *
 *-------------------------------------------------------------------------
 */
#include "inbound.h"

#include <stdlib.h>

/* It has said who it is, and what it says next is only understood when that is
 * known. */
static bool
is_suspended(const Client *client)
{
	return client->state == CLIENT_GREETING && client->in_flight != NULL;
}

static bool
is_talking(const Client *client)
{
	return client->state == CLIENT_OPEN || client->state == CLIENT_GREETING;
}

static void
on_close_frame(Client *client, const WsEvent *event)
{
	uint8_t frame[WS_MAX_CONTROL_FRAME];

	if (is_talking(client))
	{
		char reason[124];

		client_in_flight_abandon(client);

		/* RFC 6455 5.5.1: answer a close frame with one, the code echoed. */
		memcpy(reason, event->data.ptr ? event->data.ptr : "", event->data.len);
		reason[event->data.len] = '\0';
		client_log_end(client, "closed by the client with", event->code,
					   "its wish");
		outbox_trim(&client->outbox);
		client_send(client, frame, ws_close_frame(frame, event->code, reason));
	}
	client_enter(client, CLIENT_FINISHING);
}

static void
on_failed(Client *client, const WsEvent *event)
{
	if (is_talking(client))
		client_close(client, event->code,
					 event->code == WS_CLOSE_TOO_BIG ? "too_large"
													 : event->text);
	/* RFC 6455 7.1.7: no answer will be read, so none is awaited */
	if (client->state == CLIENT_CLOSING)
		client_enter(client, CLIENT_FINISHING);
}

void
inbound_on_data(Client *client, uint8_t *bytes, size_t len)
{
	size_t	used;
	uint8_t pong[WS_MAX_CONTROL_FRAME];

	while (is_talking(client) || client->state == CLIENT_CLOSING)
	{
		WsEvent event;

		if (len > 0 && is_suspended(client))
		{
			if (!client_keep_head(client, bytes, len))
				client_drop(client, "out of memory");
			return;
		}
		event = ws_read(&client->reader, bytes, len, &used);
		bytes += used;
		len -= used;
		switch (event.type)
		{
			case WS_EVENT_NONE: return;
			case WS_EVENT_MESSAGE:
				if (is_talking(client) && !client->doomed)
				{
					client->received++;
					client->env->on_message[client->mode](client, &event);
				}
				break;
			case WS_EVENT_PING:
				if (is_talking(client))
					client_send(client, pong,
								ws_control_frame(pong, WS_PONG, event.data));
				break;
			case WS_EVENT_PONG:
				/* any bytes count as a sign of life: see client.c */
				break;
			case WS_EVENT_CLOSE: on_close_frame(client, &event); return;
			case WS_EVENT_FAILED: on_failed(client, &event); return;
		}
	}
}

void
inbound_resume(Client *client)
{
	uint8_t *head = client->head;
	size_t	 start = client->head_end;
	size_t	 len = client->head_len;
	size_t	 cap = client->head_cap;

	client->head = NULL;
	client->head_len = client->head_cap = client->head_end = 0;
	transport_pause(client->peer, false);
	if (len > start)
		inbound_on_data(client, head + start, len - start);
	if (head != NULL)
		/* it may hold a credential */
		explicit_bzero(head, cap);
	free(head);
}
