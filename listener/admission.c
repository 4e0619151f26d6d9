/*-------------------------------------------------------------------------
 *
 * admission.c
 *	  From the bytes of a request head to a seat in a group, or a refusal.
 *
 * Nothing is answered before the database has spoken, but to a client of
 * usher.v1 that brings no credential: it says who it is in its first message.
 * The head is kept, and parsed again when the answer comes, so that a waiting
 * client holds no copy of its credential besides it; it is wiped and freed when
 * the answer is out.
 *
 * A client is asked about only while the feed LISTENs: what is broadcast or
 * revoked from its admission on is then seen.  A revocation that was handed out
 * while the question was under way counts too (feed_revoked_since): the two
 * travel on different connections.
 *
 *-------------------------------------------------------------------------
 */
#include "admission.h"

#include <stdlib.h>

#include "allowance.h"
#include "conversation.h"
#include "credentials.h"
#include "durable.h"
#include "exchange.h"
#include "handshake.h"
#include "http.h"
#include "inbound.h"
#include "pages.h"
#include "principal.h"
#include "response.h"
#include "subscription.h"

static void on_admit_answer(void *arg, const AdmitAnswer *answer);

/* ---- seating ----------------------------------------------------------- */

/* Answer 101: the client speaks WebSocket from here.  False when there is no
 * such answer. */
static bool
switch_protocol(Client *client, ClientState next)
{
	char		response[RESPONSE_SWITCHING_BYTES];
	HttpRequest request;
	Handshake	plan = {0};
	size_t		len;

	if (client_parse_head(client, &request) == HTTP_OK)
		handshake_plan(&plan, &request);
	len = response_switching(&plan, response);
	if (len == 0)
	{
		response_refuse(client, "bad_handshake", NULL);
		return false;
	}
	ws_reader_init(&client->reader,
				   (uint32_t) client->env->config->max_message_bytes);
	client_enter(client, next);
	client_send(client, response, len);
	return true;
}

/* It is known who this is, and where: let what it sent behind its head come
 * in. */
static void
open_client(Client *client)
{
	if (!switch_protocol(client, CLIENT_OPEN))
		return;
	if (client->mode == CLIENT_V1)
		conversation_welcome(client, "");
	else
	{
		seat_open(client->seats);
		durable_begin(client->seats);
		client_log(client, LOG_LEVEL_INFO, "joined %s as %s%s%s%s%s by %s",
				   client->seats->member.group->name,
				   client->occupant.user_id ? "user " : "", client_user(client),
				   client->username ? " (" : "",
				   client->username ? client->username : "",
				   client->username ? ")" : "", client->kind);
	}
	inbound_resume(client);
}

/* Take the seat that a path names; a reason when that cannot be. */
static const char *
take_seat(Client *client, Slice group_name, const AdmitAnswer *answer)
{
	SeatRights rights = {
		.may_send = answer->may_send,
		.plain = answer->plain,
		.presence = answer->presence,
		.durable = answer->durable,
	};
	const char *reason = allowance_group(client);

	if (reason == NULL &&
		seat_take(client, group_name, &rights, &reason) != NULL)
		return NULL;
	return reason;
}

static void
settle(Client *client, const AdmitAnswer *answer)
{
	HttpRequest request;
	Handshake	plan;
	const char *reason = "overloaded";

	if (client_parse_head(client, &request) == HTTP_OK)
	{
		handshake_plan(&plan, &request);
		reason = principal_set(client, answer);
		if (reason == NULL && client->mode == CLIENT_RAW)
			reason = take_seat(client, plan.group, answer);
	}
	if (reason != NULL)
		response_refuse(client, reason, NULL);
	else if (client->seats != NULL && client->seats->rights.durable)
	{
		client_enter(client, CLIENT_LISTENING);
		durable_enter(client->seats, plan.since, &plan.position);
	}
	else if (plan.since)
		response_refuse(client, "history_changed", NULL); /* there is none */
	else if (client->seats != NULL && seat_must_listen(client->seats))
		client_enter(client, CLIENT_LISTENING);
	else
		open_client(client);
}

void
admission_settle_seat(Seat *seat, const char *reason)
{
	Client *client = seat->client;

	if (client->mode == CLIENT_V1)
	{
		if (reason == NULL)
			subscription_open_seat(seat);
		else
			subscription_expel(seat, reason);
	}
	else if (client->state == CLIENT_LISTENING)
	{
		if (reason == NULL)
			open_client(client);
		else
			response_refuse(client, reason, NULL);
	}
}

void
admission_on_listening(ClientEnv *env, Slice group_name, bool ok)
{
	HubGroup *group = hub_find(env->hub, group_name);

	/* Opening a client may close it, and so move the members behind it: walk
	 * from the end, where only those already looked at are. */
	for (uint32_t i = group ? group->member_count : 0; i-- > 0;)
	{
		Seat *seat = seat_of_member(group->members[i]);

		if (seat->open || seat->resume != NULL)
			continue;
		/* the only channel that cannot be LISTENed to has too long a name */
		admission_settle_seat(seat, ok ? NULL : "plain_name_too_long");
		/* the group goes with its last member */
		if (i == 0 || hub_find(env->hub, group_name) != group)
			return;
	}
}

/* ---- asking ------------------------------------------------------------ */

/* How much of its deadline is left. */
static uint64_t
time_left_ms(const Client *client)
{
	uint64_t now_ms = loop_now_ms(client->env->loop);

	return client->deadline_ms > now_ms ? client->deadline_ms - now_ms : 0;
}

/*
 * The answer may be older than a revocation or a change of the rules that has
 * been acted upon already: nobody would ever close this client.  Its identity
 * is asked about once more, which counts no use of a key.
 */
static void
confirm(Client *client, const AdmitAnswer *answer)
{
	HttpRequest request;
	Handshake	plan;

	if (client_parse_head(client, &request) != HTTP_OK)
		return; /* it was parsed before, so this cannot be */
	handshake_plan(&plan, &request);
	client->feed_mark = feed_mark(client->env->feed);
	client->call =
		principal_confirm(client, answer, plan.group, time_left_ms(client),
						  on_admit_answer, client);
	if (client->call == NULL)
		response_refuse(client, "overloaded", NULL);
}

static void
on_admit_answer(void *arg, const AdmitAnswer *answer)
{
	Client	   *client = arg;
	const char *reason = principal_failure(answer->status);
	bool		admitted =
		answer->valid && (answer->may_join || client->mode == CLIENT_V1);

	client->call = NULL;
	if (reason == NULL && !admitted)
		reason = answer->reason ? answer->reason : "not_allowed";
	if (reason != NULL)
		response_refuse(client, reason, NULL);
	else if (principal_is_outdated(client, client->feed_mark, answer))
		confirm(client, answer);
	else
		settle(client, answer);
}

/* Who it is comes with the request: ask whether that is so, and for the path
 * of a group, whether it may go there. */
static Call *
ask_about(Client *client, const Credential *credential, Slice group)
{
	Calls *calls = client->env->calls;
	Slice  value = {credential->value, credential->len};

	if (client->mode == CLIENT_V1)
		return calls_identify(calls, credential->kind, value,
							  time_left_ms(client), on_admit_answer, client);
	return calls_admit(calls, credential->kind,
					   credential->status == CREDENTIAL_NONE ? SLICE_NONE
															 : value,
					   group, time_left_ms(client), on_admit_answer, client);
}

static void
ask(Client *client)
{
	ClientEnv		 *env = client->env;
	CredentialOptions options = principal_credential_options(env->config);
	Credential		  credential;
	HttpRequest		  request;
	Handshake		  plan;
	const char		 *detail;
	const char		 *reason;

	if (client_parse_head(client, &request) != HTTP_OK)
		return;
	handshake_plan(&plan, &request);
	credential_find(&credential, &request, &options);
	/* Before all else: a page of another site learns nothing, not even whether
	 * its visitor's cookie can be read. */
	if (!handshake_origin_allowed(&request, env->config->allowed_origins,
								  credential.from_cookie))
	{
		credential_wipe(&credential);
		response_refuse(client, "origin_not_allowed", NULL);
		return;
	}
	if (credential.status == CREDENTIAL_REFUSED)
	{
		reason = credential.reason;
		detail = credential.detail;
		credential_wipe(&credential);
		response_refuse(client, reason, detail);
		return;
	}
	if (client->mode == CLIENT_V1 && credential.status == CREDENTIAL_NONE)
	{
		/* its first message will say */
		if (switch_protocol(client, CLIENT_GREETING))
			inbound_resume(client);
		return;
	}
	if (!feed_health(env->feed).ready)
	{
		/* admission_on_feed_ready comes back, or the deadline */
		credential_wipe(&credential);
		return;
	}
	client->feed_mark = feed_mark(env->feed);
	client->call = ask_about(client, &credential, plan.group);
	credential_wipe(&credential);
	if (client->call == NULL)
		response_refuse(client, "overloaded", NULL);
}

void
admission_on_feed_ready(ClientEnv *env)
{
	Client *next;

	for (Client *client = env->all; client != NULL; client = next)
	{
		next = client->all_next;
		if (client->state == CLIENT_ADMITTING && client->call == NULL)
			ask(client);
	}
}

/* Whether one more may be asked about; else it is told why not. */
static bool
is_welcome(Client *client)
{
	ClientEnv *env = client->env;
	Slice	   address = {(const char *) client->address.ip,
						  sizeof(client->address.ip)};

	if (env->draining)
	{
		response_refuse(client, "draining", NULL);
		return false;
	}
	if (env->config->max_connections != 0 &&
		env->count > env->config->max_connections)
	{
		response_refuse(client, "overloaded", NULL);
		return false;
	}
	client->address_limit = limit_hold(
		&env->addresses, address, env->config->max_connections_per_address);
	if (client->address_limit == NULL)
	{
		response_refuse(client, "too_many_connections", NULL);
		return false;
	}
	return true;
}

static void
begin(Client *client, ClientMode mode)
{
	if (!is_welcome(client))
		return;
	client->mode = mode;
	client_enter(client, CLIENT_ADMITTING);
	ask(client);
}

/* POST /session, with as much of the body as is there. */
static void
begin_exchange(Client *client)
{
	if (exchange_wants_body(client) || client->state != CLIENT_REQUEST ||
		!is_welcome(client))
		return;
	client_enter(client, CLIENT_ADMITTING);
	exchange_ask(client);
}

static void
on_head(Client *client)
{
	HttpRequest request;
	Handshake	plan;

	switch (client_parse_head(client, &request))
	{
		case HTTP_OK: break;
		case HTTP_INCOMPLETE:
		case HTTP_MALFORMED:
			response_refuse(client, "malformed_request", NULL);
			return;
		case HTTP_TOO_MANY_HEADERS:
			response_refuse(client, "header_too_large", NULL);
			return;
		case HTTP_BAD_VERSION:
			response_refuse(client, "bad_version", NULL);
			return;
	}
	handshake_plan(&plan, &request);
	switch (plan.action)
	{
		case HANDSHAKE_JOIN: begin(client, CLIENT_RAW); return;
		case HANDSHAKE_OPEN: begin(client, CLIENT_V1); return;
		case HANDSHAKE_HEALTHZ: response_healthz(client); return;
		case HANDSHAKE_READYZ: response_readyz(client); return;
		case HANDSHAKE_SCRIPT: pages_send_script(client); return;
		case HANDSHAKE_PAGE: pages_send_page(client); return;
		case HANDSHAKE_EXCHANGE: begin_exchange(client); return;
		case HANDSHAKE_PREFLIGHT: exchange_preflight(client); return;
		case HANDSHAKE_REFUSE:
			response_refuse(client, plan.reason, NULL);
			return;
	}
}

void
admission_on_data(Client *client, const uint8_t *bytes, size_t len)
{
	size_t max = client->env->config->max_header_bytes;
	size_t searched = client->head_len;

	if (!client_keep_head(client, bytes, len))
	{
		client_drop(client, "out of memory");
		return;
	}
	if (client->head_end > 0)
	{
		/* a body; or read before the pause took effect: kept for later */
		if (client->state == CLIENT_REQUEST)
			begin_exchange(client);
		return;
	}
	client->head_end = http_head_length((const char *) client->head,
										client->head_len, searched);
	if (client->head_end > max ||
		(client->head_end == 0 && client->head_len > max))
	{
		client->head_end = 0;
		response_refuse(client, "header_too_large", NULL);
	}
	else if (client->head_end > 0)
		on_head(client);
}
