/*-------------------------------------------------------------------------
 *
 * conversation.c
 *	  What a client of usher.v1 says and is told: see protocol.md.
 *
 * Every message that needs the database is a Request in flight until it is
 * answered.  The client may be closed in any of the calls that tell it
 * something, so a Request is taken out of flight before anything is said.
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

/* When a client is told to try again and nobody knows better. */
#define RETRY_MS 1000

/* A message that waits for the database. */
typedef struct Request
{
	InFlight	 item; /* first: it is freed as this */
	ProtocolVerb verb;
	uint64_t	 mark;	/* when it was asked: see feed_mark() */
	bool		 stale; /* another credential counts now */
	bool		 since[PROTOCOL_MAX_GROUPS];
	size_t		 group_count;
	char		*groups; /* with commas between; points into text */
	char		 text[]; /* the id, then groups */
} Request;

/* ---- saying -------------------------------------------------------------- */

static void
say_error(Client *client, const char *id, Slice group, const char *reason,
		  const char *detail, uint64_t retry_after_ms)
{
	const Refusal *refusal = refusal_for(reason);
	ProtocolText   text = {0};

	if (retry_after_ms == 0 && (refusal->close_code == WS_CLOSE_TRY_AGAIN ||
								refusal->close_code == WS_CLOSE_LIMIT))
		retry_after_ms = RETRY_MS;
	protocol_write_error(&text, id, group, refusal, detail, retry_after_ms);
	client_say(client, &text);
}

static void
refuse(Client *client, const char *id, const char *reason)
{
	say_error(client, id, SLICE_NONE, reason, NULL, 0);
}

/* Say what is wrong, and that it cannot go on. */
static void
refuse_and_close(Client *client, const char *id, const char *reason,
				 const char *detail)
{
	const Refusal *refusal = refusal_for(reason);

	say_error(client, id, SLICE_NONE, reason, detail, 0);
	client_close(client, refusal->close_code, refusal->reason);
}

static void
say_ok(Client *client, const char *id)
{
	ProtocolText text = {0};

	if (*id == '\0')
		return;
	protocol_write_ok(&text, id);
	client_say(client, &text);
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

void
conversation_open_seat(Seat *seat)
{
	ProtocolText text = {0};

	protocol_write_subscribed(&text, seat->waiting_id ? seat->waiting_id : "",
							  seat_group(seat), seat->rights.may_send,
							  seat->rights.presence, seat->since);
	client_say(seat->client, &text);
	seat_open(seat);
}

static void
leave(Seat *seat)
{
	Client *client = seat->client;

	seat_leave(seat);
	allowance_release_groups(client, 1);
}

void
conversation_expel(Seat *seat, const char *reason)
{
	const Refusal *refusal = refusal_for(reason);
	ProtocolText   text = {0};
	bool		   kicked = refusal->close_code == WS_CLOSE_REVOKED;

	if (!seat->open)
		/* it was not told that it is there */
		say_error(seat->client, seat->waiting_id ? seat->waiting_id : "",
				  seat_group(seat), refusal->reason, NULL, 0);
	else
	{
		protocol_write_unsubscribed(
			&text, seat_group(seat),
			kicked ? WS_CLOSE_REVOKED : WS_CLOSE_FORBIDDEN,
			strcmp(refusal->reason, "not_allowed") == 0 ? "permission_revoked"
														: refusal->reason);
		client_say(seat->client, &text);
	}
	client_log(seat->client, LOG_LEVEL_INFO, "put out of %s: %s",
			   seat->member.group->name, refusal->reason);
	leave(seat);
}

/* ---- requests in flight -------------------------------------------------- */

/* NULL when out of memory. */
static Request *
request_create(const ProtocolRequest *asked)
{
	size_t	 id_size = strlen(asked->id) + 1;
	size_t	 size = sizeof(Request) + id_size + 1;
	Request *request;

	for (size_t i = 0; i < asked->group_count; i++)
		size += strlen(asked->groups[i].name) + 1;
	request = calloc(1, size);
	if (request == NULL)
		return NULL;
	request->verb = asked->verb;
	memcpy(request->text, asked->id, id_size);
	request->groups = request->text + id_size;
	return request;
}

/* The id to answer with. */
static const char *
request_id(const Request *request)
{
	return request->text;
}

static void
request_add_group(Request *request, const ProtocolGroup *group)
{
	char *end = request->groups + strlen(request->groups);

	if (end > request->groups)
		*end++ = ',';
	strcpy(end, group->name);
	request->since[request->group_count++] = group->since;
}

/* Take the next name off a list. */
static bool
next_name(const char **names, Slice *name)
{
	const char *end;

	if (**names == '\0')
		return false;
	end = strchrnul(*names, ',');
	*name = (Slice){*names, (size_t) (end - *names)};
	*names = *end == ',' ? end + 1 : end;
	return true;
}

static bool
request_names(const Request *request, Slice group)
{
	const char *names = request->groups;
	Slice		name;

	while (next_name(&names, &name))
		if (name.len == group.len &&
			memcmp(name.ptr, group.ptr, group.len) == 0)
			return true;
	return false;
}

/* All that is in flight of a client of usher.v1 are Requests. */
static Request *
request_of(InFlight *item)
{
	return container_of(item, Request, item);
}

/* Send the call on its way; false when there is none. */
static bool
request_send(Client *client, Request *request, Call *call)
{
	if (call == NULL)
		return false;
	client_in_flight_add(client, &request->item, call);
	return true;
}

/* ---- who it is ----------------------------------------------------------- */

static void on_identified(void *arg, const AdmitAnswer *answer);

/* auth that is refused is the end; refresh leaves things as they were. */
static void
refuse_credential(Client *client, ProtocolVerb verb, const char *id,
				  const char *reason, const char *detail)
{
	if (verb == PROTOCOL_AUTH)
		refuse_and_close(client, id, reason, detail);
	else
		say_error(client, id, SLICE_NONE, reason, detail, 0);
}

static void
greet(Client *client, const char *id, const AdmitAnswer *answer)
{
	const char *reason = principal_set(client, answer);

	if (reason != NULL)
	{
		refuse_and_close(client, id, reason, NULL);
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

/* ---- groups -------------------------------------------------------------- */

static bool
is_pending(const Client *client, Slice group)
{
	Seat *seat = seat_find(client, group);

	if (seat != NULL)
		return !seat->open;
	for (InFlight *item = client->in_flight; item != NULL; item = item->next)
		if (request_of(item)->verb == PROTOCOL_SUBSCRIBE &&
			request_names(request_of(item), group))
			return true;
	return false;
}

/* The one answer to all the groups that a subscribe is still about. */
static void
refuse_groups(Client *client, const Request *request, const char *reason)
{
	const char *names = request->groups;
	Slice		name;

	allowance_release_groups(client, (uint32_t) request->group_count);
	while (next_name(&names, &name))
		say_error(client, request_id(request), name, reason, NULL, 0);
}

static void
seat_one(Client *client, const char *id, Slice group, bool since,
		 const GroupVerdict *verdict)
{
	const char *reason = NULL;
	SeatRights	rights = {
		 .may_send = verdict->may_send,
		 .plain = verdict->plain,
		 .presence = verdict->presence,
	 };
	Seat *seat = NULL;

	if (verdict->may_join)
		seat = seat_take(client, group, &rights, &reason);
	else
		reason = verdict->reason;
	if (seat == NULL)
	{
		allowance_release_groups(client, 1);
		say_error(client, id, group, reason, NULL, 0);
		return;
	}
	seat->since = since;
	seat->waiting_id = strdup(id);
	if (!seat_must_listen(seat))
		conversation_open_seat(seat);
}

static void on_groups(void *arg, const GroupsAnswer *answer);

static bool
ask_about_groups(Client *client, Request *request)
{
	ClientEnv *env = client->env;

	request->stale = false;
	request->mark = feed_mark(env->feed);
	return request_send(
		client, request,
		calls_admit_groups(env->calls, client->kind, client->occupant.user_id,
						   client->occupant.credential_id,
						   slice_of(request->groups),
						   env->config->auth_timeout_ms, on_groups, request));
}

static bool
is_outdated(const Client *client, const Request *request)
{
	return request->stale ||
		   feed_revoked_since(client->env->feed, request->mark, client->kind,
							  client->occupant.user_id,
							  client->occupant.credential_id,
							  client->occupant.issuer_id);
}

static void
on_groups(void *arg, const GroupsAnswer *answer)
{
	Request		*request = arg;
	Client		*client = request->item.client;
	const char	*names = request->groups;
	const char	*reason = principal_failure(answer->status);
	GroupsAnswer rest = *answer;
	GroupVerdict verdict;
	Slice		 name;

	client_in_flight_answered(&request->item);
	if (reason == NULL && is_outdated(client, request))
	{
		if (ask_about_groups(client, request))
			return;
		reason = "overloaded";
	}
	if (reason != NULL)
		refuse_groups(client, request, reason);
	else if (!answer->valid)
	{
		uint16_t code = principal_end(client, answer->reason, &reason);

		client_close(client, code, reason);
	}
	else
		for (size_t i = 0;
			 next_name(&names, &name) && answers_next_verdict(&rest, &verdict);
			 i++)
			seat_one(client, request_id(request), name, request->since[i],
					 &verdict);
	free(request);
}

/* Whether a group of a subscribe has to be asked about; else it is answered. */
static bool
must_ask(Client *client, const Request *request, const ProtocolGroup *group)
{
	const char *id = request_id(request);
	Slice		name = slice_of(group->name);
	Seat	   *seat = seat_find(client, name);
	const char *reason;

	if (seat != NULL && seat->open)
	{
		ProtocolText text = {0};

		protocol_write_subscribed(&text, id, name, seat->rights.may_send,
								  seat->rights.presence, group->since);
		client_say(client, &text);
		return false;
	}
	if (is_pending(client, name) || request_names(request, name))
		reason = "subscription_pending";
	else
		reason = allowance_group(client);
	if (reason != NULL)
		say_error(client, id, name, reason, NULL, 0);
	return reason == NULL;
}

static void
subscribe(Client *client, const ProtocolRequest *asked)
{
	Request *request = request_create(asked);

	if (request == NULL)
	{
		refuse(client, asked->id, "overloaded");
		return;
	}
	for (size_t i = 0; i < asked->group_count; i++)
		if (must_ask(client, request, &asked->groups[i]))
			request_add_group(request, &asked->groups[i]);
	if (request->group_count > 0)
	{
		/* what is broadcast from the answer on would not be heard */
		if (!feed_health(client->env->feed).ready)
			refuse_groups(client, request, "database_unavailable");
		else if (ask_about_groups(client, request))
			return;
		else
			refuse_groups(client, request, "overloaded");
	}
	free(request);
}

static void
unsubscribe(Client *client, const ProtocolRequest *asked)
{
	for (size_t i = 0; i < asked->group_count; i++)
	{
		Slice name = slice_of(asked->groups[i].name);

		if (is_pending(client, name))
		{
			say_error(client, asked->id, name, "subscription_pending", NULL, 0);
			return;
		}
	}
	for (size_t i = 0; i < asked->group_count; i++)
	{
		Seat *seat = seat_find(client, slice_of(asked->groups[i].name));

		if (seat != NULL)
			leave(seat);
	}
	say_ok(client, asked->id);
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
	say_error(client, asked->id, name, "not_subscribed", NULL, 0);
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
		say_ok(client, request_id(request));
	else
		say_error(client, request_id(request), slice_of(request->groups),
				  reason, NULL, 0);
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
	say_error(client, asked->id, seat_group(seat), "overloaded", NULL, 0);
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
		say_error(client, request_id(request), group, reason, NULL, 0);
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
		say_error(client, asked->id, seat_group(seat), "no_presence", NULL, 0);
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
	say_error(client, asked->id, seat_group(seat), "overloaded", NULL, 0);
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
		refuse_and_close(client, asked->id, "expired", NULL);
		return;
	}
	switch (asked->verb)
	{
		case PROTOCOL_AUTH:
			refuse(client, asked->id, "already_authenticated");
			return;
		case PROTOCOL_SUBSCRIBE: subscribe(client, asked); return;
		case PROTOCOL_UNSUBSCRIBE: unsubscribe(client, asked); return;
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
		refuse_and_close(client, "", "binary_frame", NULL);
		return;
	}
	/* the bytes are the reader's, who is done with them */
	read = protocol_read(&asked, (char *) event->data.ptr, event->data.len,
						 &error);
	reason = allowance_message(client, 1, event->data.len, &retry_after_ms);
	if (!read && error.fatal)
		refuse_and_close(client, asked.id, error.reason, error.detail);
	else if (reason != NULL)
		say_error(client, asked.id, SLICE_NONE, reason, NULL, retry_after_ms);
	else if (!read)
		say_error(client, asked.id, SLICE_NONE, error.reason, error.detail, 0);
	else if (client->state == CLIENT_GREETING)
		on_greeting_request(client, &asked);
	else
		on_request(client, &asked);
	explicit_bzero(&asked.token, sizeof(asked.token));
}
