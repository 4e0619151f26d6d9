/*-------------------------------------------------------------------------
 *
 * conversation.c
 *	  What a client of usher.v1 says and is told: see protocol.md.
 *
 * Until it is known who the client is nothing but auth is heard, and what is
 * behind that waits: see inbound_resume().
 *
 *-------------------------------------------------------------------------
 */
#include "conversation.h"

#include <stdlib.h>

#include "allowance.h"
#include "credentials.h"
#include "inbound.h"
#include "log.h"
#include "principal.h"
#include "refusal.h"
#include "request.h"
#include "subscription.h"

static void
refuse(Client *client, const char *id, const char *reason)
{
	request_say_error(client, id, SLICE_NONE, reason, NULL, 0);
}

void
conversation_welcome(Client *client, const char *id)
{
	char			connection[64];
	ProtocolText	text = {0};
	ProtocolWelcome welcome = {
		.user = client->occupant.user_id,
		.username = client->username,
		.kind = client->kind,
		.expires_at_ms = client->expires_at_unix_ms,
		.connection = connection,
	};

	snprintf(connection, sizeof(connection), "%s.%llu",
			 client->env->listener_id, (unsigned long long) client->id);
	protocol_write_welcome(&text, id, &welcome);
	client_say(client, &text);
	client_log(client, LOG_LEVEL_INFO, "connected as %s%s%s%s by %s",
			   client_user(client), client->username ? " (" : "",
			   client->username ? client->username : "",
			   client->username ? ")" : "", client->kind);
}

/* ---- who it is ----------------------------------------------------------- */

static void on_identified(void *arg, const AdmitAnswer *answer);

/* auth that is refused is the end; refresh leaves things as they were. */
static void
refuse_credential(Client *client, ProtocolVerb verb, const char *id,
				  const char *reason, const char *detail)
{
	if (verb == PROTOCOL_AUTH)
		request_refuse_and_close(client, id, reason, detail);
	else
		request_say_error(client, id, SLICE_NONE, reason, detail, 0);
}

static void
greet(Client *client, const char *id, const AdmitAnswer *answer)
{
	const char *reason = principal_set(client, answer);

	if (reason != NULL)
	{
		request_refuse_and_close(client, id, reason, NULL);
		return;
	}
	client_enter(client, CLIENT_OPEN);
	conversation_welcome(client, id);
	inbound_resume(client);
}

/* Whoever it was is asked about no more; all it may is asked anew. */
static void
replace(Client *client, const char *id, const AdmitAnswer *answer)
{
	ProtocolText text = {0};
	const char	*reason;

	if (answer->user_id == NULL || client->occupant.user_id == NULL ||
		strcmp(answer->user_id, client->occupant.user_id) != 0)
	{
		refuse(client, id, "user_mismatch");
		return;
	}
	reason = principal_set(client, answer);
	if (reason != NULL)
	{
		refuse(client, id, reason);
		return;
	}
	calls_cancel(client->call);
	client->call = NULL;
	free(client->asked);
	client->asked = NULL;
	client_doubt(client);
	for (InFlight *item = client->in_flight; item != NULL; item = item->next)
		request_of(item)->stale = true;
	if (*id == '\0')
		return;
	protocol_write_refreshed(&text, id, client->expires_at_unix_ms);
	client_say(client, &text);
}

/* Ask again who that is: the answer may be older than a revocation. */
static bool
confirm(Client *client, Request *request, const AdmitAnswer *answer)
{
	request->mark = feed_mark(client->env->feed);
	return request_send(client, request,
						principal_confirm(client, answer, SLICE_NONE,
										  client->env->config->auth_timeout_ms,
										  on_identified, request));
}

static void
on_identified(void *arg, const AdmitAnswer *answer)
{
	Request	   *request = arg;
	Client	   *client = request->item.client;
	const char *reason = principal_failure(answer->status);

	client_in_flight_answered(&request->item);
	if (reason == NULL && !answer->valid)
		reason = answer->reason ? answer->reason : "not_allowed";
	if (reason == NULL && principal_is_outdated(client, request->mark, answer))
	{
		if (confirm(client, request, answer))
			return;
		reason = "overloaded";
	}
	if (reason != NULL)
		refuse_credential(client, request->verb, request_id(request), reason,
						  NULL);
	else if (request->verb == PROTOCOL_AUTH)
		greet(client, request_id(request), answer);
	else
		replace(client, request_id(request), answer);
	free(request);
}

static void
identify(Client *client, const ProtocolRequest *asked,
		 const Credential *credential)
{
	ClientEnv *env = client->env;
	Request	  *request;

	if (!feed_health(env->feed).ready)
	{
		refuse_credential(client, asked->verb, asked->id,
						  "database_unavailable", NULL);
		return;
	}
	request = request_create(asked);
	if (request != NULL)
	{
		request->mark = feed_mark(env->feed);
		if (request_send(
				client, request,
				calls_identify(env->calls, credential->kind,
							   (Slice){credential->value, credential->len},
							   env->config->auth_timeout_ms, on_identified,
							   request)))
		{
			if (asked->verb == PROTOCOL_AUTH)
				transport_pause(client->peer, true);
			return;
		}
	}
	free(request);
	refuse_credential(client, asked->verb, asked->id, "overloaded", NULL);
}

/* auth and refresh */
static void
present_credential(Client *client, const ProtocolRequest *asked)
{
	CredentialOptions options =
		principal_credential_options(client->env->config);
	Credential credential;

	credential_read(&credential, asked->token, &options);
	if (credential.status == CREDENTIAL_REFUSED)
		refuse_credential(client, asked->verb, asked->id, credential.reason,
						  credential.detail);
	else
		identify(client, asked, &credential);
	credential_wipe(&credential);
}

static void
authenticate(Client *client, const ProtocolRequest *asked)
{
	/* Nobody need be asked about nobody. */
	static const AdmitAnswer anonymous = {
		.status = CALL_OK,
		.valid = true,
		.kind = CREDENTIAL_ANONYMOUS,
		.expires_in_ms = -1,
	};

	if (asked->token.ptr == NULL)
		greet(client, asked->id, &anonymous);
	else
		present_credential(client, asked);
}

/* ---- in a group ---------------------------------------------------------- */

/* The open seat that the message is about, or NULL when it has been answered
 * that there is none. */
static Seat *
seat_asked_for(Client *client, const ProtocolRequest *asked)
{
	Slice name = slice_of(asked->groups[0].name);
	Seat *seat = seat_find(client, name);

	if (seat != NULL && seat->open)
		return seat;
	request_say_error(client, asked->id, name, "not_subscribed", NULL, 0);
	return NULL;
}

static void
on_received(void *arg, const ReceiveAnswer *answer)
{
	Request	   *request = arg;
	Client	   *client = request->item.client;
	const char *reason = principal_failure(answer->status);

	client_in_flight_answered(&request->item);
	if (answer->status == CALL_FAILED && answer->bad_data)
		reason = "invalid_data";
	else if (reason == NULL && !answer->accepted)
		reason = answer->reason ? answer->reason : "not_allowed";
	if (reason == NULL)
		request_say_ok(client, request_id(request));
	else
		request_say_error(client, request_id(request),
						  slice_of(request->groups), reason, NULL, 0);
	free(request);
}

static CallPayload
payload_type(ProtocolFormat format)
{
	switch (format)
	{
		case PROTOCOL_JSON: return CALL_JSON;
		case PROTOCOL_TEXT: return CALL_TEXT;
		case PROTOCOL_BINARY: break;
	}
	return CALL_BINARY;
}

static void
send_message(Client *client, const ProtocolRequest *asked)
{
	ClientEnv *env = client->env;
	Seat	  *seat = seat_asked_for(client, asked);
	Request	  *request;

	if (seat == NULL)
		return;
	request = request_create(asked);
	if (request != NULL)
	{
		request_add_group(request, &asked->groups[0]);
		if (request_send(
				client, request,
				calls_receive(env->calls, client->id, client->occupant.user_id,
							  seat_group(seat), payload_type(asked->format),
							  asked->data, env->config->auth_timeout_ms,
							  on_received, request)))
			return;
	}
	free(request);
	request_say_error(client, asked->id, seat_group(seat), "overloaded", NULL,
					  0);
}

static void
on_presence(void *arg, const PresenceAnswer *answer)
{
	Request		*request = arg;
	Client		*client = request->item.client;
	const char	*reason = principal_failure(answer->status);
	Slice		 group = slice_of(request->groups);
	Seat		*seat = seat_find(client, group);
	ProtocolText text = {0};

	client_in_flight_answered(&request->item);
	/* It may have been put out meanwhile. */
	if (reason == NULL && (seat == NULL || seat->check != SEAT_SURE))
		reason = "not_subscribed";
	if (reason != NULL)
		request_say_error(client, request_id(request), group, reason, NULL, 0);
	else
	{
		protocol_write_presence(&text, request_id(request), group,
								slice_of(answer->users));
		client_say(client, &text);
	}
	free(request);
}

static void
tell_presence(Client *client, const ProtocolRequest *asked)
{
	ClientEnv *env = client->env;
	Seat	  *seat = seat_asked_for(client, asked);
	Request	  *request;

	if (seat == NULL)
		return;
	if (!seat->rights.presence)
	{
		request_say_error(client, asked->id, seat_group(seat), "no_presence",
						  NULL, 0);
		return;
	}
	request = request_create(asked);
	if (request != NULL)
	{
		request_add_group(request, &asked->groups[0]);
		if (request_send(client, request,
						 calls_presence(env->calls, seat_group(seat),
										env->config->auth_timeout_ms,
										on_presence, request)))
			return;
	}
	free(request);
	request_say_error(client, asked->id, seat_group(seat), "overloaded", NULL,
					  0);
}

/* ---- messages ------------------------------------------------------------ */

static void
ping(Client *client, const ProtocolRequest *asked)
{
	ProtocolText text = {0};

	protocol_write_ok(&text, asked->id);
	client_say(client, &text);
}

static void
on_greeting_request(Client *client, const ProtocolRequest *asked)
{
	if (asked->verb == PROTOCOL_AUTH)
		authenticate(client, asked);
	else
		refuse(client, asked->id, "not_authenticated");
}

static void
on_request(Client *client, const ProtocolRequest *asked)
{
	/* As far as anybody knows it may not any more. */
	if (client->lapsed && asked->verb != PROTOCOL_REFRESH &&
		asked->verb != PROTOCOL_PING)
	{
		request_refuse_and_close(client, asked->id, "expired", NULL);
		return;
	}
	switch (asked->verb)
	{
		case PROTOCOL_AUTH:
			refuse(client, asked->id, "already_authenticated");
			return;
		case PROTOCOL_SUBSCRIBE: subscription_begin(client, asked); return;
		case PROTOCOL_UNSUBSCRIBE: subscription_end(client, asked); return;
		case PROTOCOL_SEND: send_message(client, asked); return;
		case PROTOCOL_REFRESH: present_credential(client, asked); return;
		case PROTOCOL_PRESENCE: tell_presence(client, asked); return;
		case PROTOCOL_PING: ping(client, asked); return;
	}
}

void
conversation_on_message(Client *client, const WsEvent *event)
{
	/* Too large for the stack, and used by one message at a time: an answer
	 * never comes from within a call, and what was stashed behind an auth is
	 * read after that has been dealt with. */
	static ProtocolRequest asked;
	ProtocolError		   error = {0};
	uint64_t			   retry_after_ms = 0;
	const char			  *reason;
	bool				   read;

	if (event->opcode == WS_BINARY)
	{
		request_refuse_and_close(client, "", "binary_frame", NULL);
		return;
	}
	/* the bytes are the reader's, who is done with them */
	read = protocol_read(&asked, (char *) event->data.ptr, event->data.len,
						 &error);
	reason = allowance_message(client, 1, event->data.len, &retry_after_ms);
	if (!read && error.fatal)
		request_refuse_and_close(client, asked.id, error.reason, error.detail);
	else if (reason != NULL)
		request_say_error(client, asked.id, SLICE_NONE, reason, NULL,
						  retry_after_ms);
	else if (!read)
		request_say_error(client, asked.id, error.group, error.reason,
						  error.detail, 0);
	else if (client->state == CLIENT_GREETING)
		on_greeting_request(client, &asked);
	else
		on_request(client, &asked);
}
