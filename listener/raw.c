/*-------------------------------------------------------------------------
 *
 * raw.c
 *	  What a client of /ws/<group> sends: each message is a payload.
 *
 * This mode has no other way to say that a message was not taken than to close,
 * and those behind it are not sent then: one would be missing between.
 *
 *-------------------------------------------------------------------------
 */
#include "raw.h"

#include <stdlib.h>

#include "allowance.h"
#include "principal.h"
#include "refusal.h"

static void
close_for(Client *client, const char *reason)
{
	const Refusal *refusal = refusal_for(reason);

	client_close(client, refusal->close_code, refusal->reason);
}

static void
on_answer(void *arg, const ReceiveAnswer *answer)
{
	InFlight   *item = arg;
	Client	   *client = item->client;
	const char *reason = principal_failure(answer->status);

	client_in_flight_answered(item);
	free(item);
	if (answer->status == CALL_FAILED && answer->bad_data)
		reason = "invalid_data";
	else if (reason == NULL && !answer->accepted)
		reason = answer->reason ? answer->reason : "not_allowed";
	if (reason != NULL)
	{
		client_in_flight_cancel(client);
		close_for(client, reason);
	}
}

void
raw_on_message(Client *client, const WsEvent *event)
{
	ClientEnv  *env = client->env;
	bool		binary = event->opcode == WS_BINARY;
	uint64_t	retry_after_ms;
	const char *reason;
	InFlight   *item;
	Call	   *call;

	/* As far as anybody knows it may not any more. */
	if (client->lapsed)
	{
		close_for(client, "expired");
		return;
	}
	reason = allowance_message(client, 1, event->data.len, &retry_after_ms);
	if (reason != NULL)
	{
		close_for(client, reason);
		return;
	}
	/* PostgreSQL's text cannot hold a NUL. */
	if (!binary && memchr(event->data.ptr, '\0', event->data.len) != NULL)
	{
		close_for(client, "invalid_data");
		return;
	}
	item = calloc(1, sizeof(*item));
	call = item == NULL
			   ? NULL
			   : calls_receive(env->calls, client->id, client->occupant.user_id,
							   seat_group(client->seats),
							   binary ? CALL_BINARY : CALL_TEXT, event->data,
							   env->config->auth_timeout_ms, on_answer, item);
	if (call == NULL)
	{
		free(item);
		close_for(client, "overloaded");
		return;
	}
	client_in_flight_add(client, item, call);
}
