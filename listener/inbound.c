/*-------------------------------------------------------------------------
 *
 * inbound.c
 *	  Frames of an open client: control frames are answered here, messages go
 *	  to the database.
 *
 * A client's messages are executed in the order it sent them (they share an
 * order key).  While max_inflight of them wait for the database its socket is
 * not read, so that a fast sender is slowed down by TCP, not buffered; only
 *what one read had brought already goes on top of that.
 *
 *-------------------------------------------------------------------------
 */
#include "inbound.h"

#include <stdlib.h>

#include "refusal.h"

static void
close_for(Client *client, const char *reason)
{
	const Refusal *refusal = refusal_for(reason);

	client_close(client, refusal->close_code, refusal->reason);
}

static void
on_receive_answer(void *arg, const ReceiveAnswer *answer)
{
	InFlight   *item = arg;
	Client	   *client = item->client;
	const char *reason = NULL;

	client_message_answered(item);
	switch (answer->status)
	{
		case CALL_OK:
			if (!answer->accepted)
				reason = answer->reason ? answer->reason : "not_allowed";
			break;
		case CALL_UNAVAILABLE: reason = "database_unavailable"; break;
		case CALL_OVERLOADED: reason = "overloaded"; break;
		case CALL_FAILED:
			reason = answer->bad_data ? "invalid_data" : "internal_error";
			break;
	}
	/* Raw mode has no other way to say that a message was not taken; those
	 * behind it are not sent, for then one would be missing between. */
	if (reason != NULL)
	{
		client_forget_messages(client);
		close_for(client, reason);
	}
	else if (client->in_flight_count < client->env->config->max_inflight)
		transport_pause(client->peer, false);
}

static void
on_message(Client *client, const WsEvent *event)
{
	ClientEnv	 *env = client->env;
	const Config *config = env->config;
	bool		  binary = event->opcode == WS_BINARY;
	HubGroup	 *group = client->member.group;
	InFlight	 *item;
	Call		 *call;

	client->received++;
	/* As far as anybody knows it may not any more. */
	if (client->lapsed)
	{
		close_for(client, "expired");
		return;
	}
	if (!limit_take(&client->bucket, config->message_rate,
					config->message_burst, loop_now_ms(env->loop), NULL))
	{
		close_for(client, "message_rate");
		return;
	}
	/* PostgreSQL's text cannot hold a NUL. */
	if (!binary && memchr(event->data.ptr, '\0', event->data.len) != NULL)
	{
		close_for(client, "invalid_data");
		return;
	}
	item = calloc(1, sizeof(*item));
	if (item == NULL)
	{
		close_for(client, "overloaded");
		return;
	}
	call = calls_receive(env->calls, client->id, client->occupant.user_id,
						 (Slice){group->name, strlen(group->name)},
						 binary ? CALL_BINARY : CALL_TEXT, event->data, config->auth_timeout_ms,
						 on_receive_answer, item);
	if (call == NULL)
	{
		free(item);
		close_for(client, "overloaded");
		return;
	}
	client_message_sent(client, item, call);
	if (client->in_flight_count >= config->max_inflight)
		transport_pause(client->peer, true);
}

static void
on_close_frame(Client *client, const WsEvent *event)
{
	uint8_t frame[WS_MAX_CONTROL_FRAME];

	if (client->state == CLIENT_OPEN)
	{
		char reason[124];

		client_abandon_messages(client);

		/* RFC 6455 5.5.1: answer a close frame with one, the code echoed. */
		memcpy(reason, event->data.ptr ? event->data.ptr : "", event->data.len);
		reason[event->data.len] = '\0';
		client_log(
			client, LOG_LEVEL_INFO,
			"closed by the client with %u (user %s, group %s, %llu in, "
			"%llu out)",
			event->code,
			client->occupant.user_id ? client->occupant.user_id : "anonymous",
			client->member.group->name, (unsigned long long) client->received,
			(unsigned long long) client->delivered);
		outbox_trim(&client->outbox);
		client_send(client, frame, ws_close_frame(frame, event->code, reason));
	}
	client_enter(client, CLIENT_FINISHING);
}

void
inbound_on_data(Client *client, uint8_t *bytes, size_t len)
{
	size_t	used;
	uint8_t pong[WS_MAX_CONTROL_FRAME];

	while (client->state == CLIENT_OPEN || client->state == CLIENT_CLOSING)
	{
		WsEvent event = ws_read(&client->reader, bytes, len, &used);

		bytes += used;
		len -= used;
		switch (event.type)
		{
			case WS_EVENT_NONE: return;
			case WS_EVENT_MESSAGE:
				if (client->state == CLIENT_OPEN && !client->doomed)
					on_message(client, &event);
				break;
			case WS_EVENT_PING:
				if (client->state == CLIENT_OPEN)
					client_send(client, pong,
								ws_control_frame(pong, WS_PONG, event.data));
				break;
			case WS_EVENT_PONG:
				/* any bytes count as a sign of life: see client.c */
				break;
			case WS_EVENT_CLOSE: on_close_frame(client, &event); return;
			case WS_EVENT_FAILED:
				if (client->state == CLIENT_OPEN)
					client_close(client, event.code, event.text);
				/* RFC 6455 7.1.7: no answer will be read, so none is awaited */
				if (client->state == CLIENT_CLOSING)
					client_enter(client, CLIENT_FINISHING);
				return;
		}
	}
}
