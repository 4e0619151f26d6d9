/*-------------------------------------------------------------------------
 *
 * admission.c
 *	  From the bytes of a request head to a seat in a group, or a refusal.
 *
 * Nothing is answered before the database has spoken.  The head is kept, and
 * parsed again when the answer comes, so that a waiting client holds no copy of
 * its credential besides it; it is wiped and freed when the answer is out.
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

#include "credentials.h"
#include "handshake.h"
#include "http.h"
#include "inbound.h"
#include "response.h"

static void ask(Client *client);
static void on_admit_answer(void *arg, const AdmitAnswer *answer);

/* ---- seating ----------------------------------------------------------- */

static size_t
size_of(const char *text)
{
	return text != NULL ? strlen(text) + 1 : 0;
}

static const char *
put(char **cursor, const char *text)
{
	char *start = *cursor;

	if (text == NULL)
		return NULL;
	memcpy(start, text, strlen(text) + 1);
	*cursor += strlen(text) + 1;
	return start;
}

/* Keep who it is for the connection's life; false when out of memory. */
static bool
remember_identity(Client *client, const AdmitAnswer *answer)
{
	size_t size = size_of(answer->user_id) + size_of(answer->username) +
				  size_of(answer->kind) + size_of(answer->credential_id) +
				  size_of(answer->issuer_id);
	char *cursor = malloc(size + 1);

	if (cursor == NULL)
		return false;
	client->identity = cursor;
	client->occupant.user_id = put(&cursor, answer->user_id);
	client->username = put(&cursor, answer->username);
	client->kind = put(&cursor, answer->kind);
	client->occupant.credential_id = put(&cursor, answer->credential_id);
	client->occupant.issuer_id = put(&cursor, answer->issuer_id);
	client->plain = answer->plain;
	client_set_expiry(client, answer->expires_in_ms);
	return true;
}

/* Answer 101 and let what the client sent behind its head come in. */
static void
open_client(Client *client)
{
	char		response[RESPONSE_SWITCHING_BYTES];
	HttpRequest request;
	Handshake	plan = {0};
	uint8_t	   *head = client->head;
	size_t		head_end = client->head_end;
	size_t		head_len = client->head_len;
	size_t		head_cap = client->head_cap;
	size_t		len;

	if (client_parse_head(client, &request) == HTTP_OK)
		handshake_plan(&plan, &request);
	len = response_switching(&plan, response);
	if (len == 0)
	{
		response_refuse(client, "bad_handshake", NULL);
		return;
	}
	ws_reader_init(&client->reader,
				   (uint32_t) client->env->config->max_message_bytes);
	client_enter(client, CLIENT_OPEN);
	client_send(client, response, len);
	client_log(client, LOG_LEVEL_INFO, "joined %s as %s%s%s%s%s by %s",
			   client->member.group->name,
			   client->occupant.user_id ? "user " : "anonymous",
			   client->occupant.user_id ? client->occupant.user_id : "",
			   client->username ? " (" : "",
			   client->username ? client->username : "",
			   client->username ? ")" : "", client->kind);

	client->head = NULL;
	client->head_len = client->head_cap = client->head_end = 0;
	transport_pause(client->peer, false);
	if (head_len > head_end)
		inbound_on_data(client, head + head_end, head_len - head_end);
	explicit_bzero(head, head_cap);
	free(head);
}

/* Count the user and take the seat; a reason when that cannot be. */
static const char *
take_seat(Client *client, Slice group_name)
{
	ClientEnv *env = client->env;
	HubGroup  *group;

	if (client->occupant.user_id != NULL)
	{
		Slice user = {client->occupant.user_id,
					  strlen(client->occupant.user_id)};

		if (!limit_acquire(&env->users, user,
						   env->config->max_connections_per_user))
			return "too_many_connections";
		client->user_counted = true;
	}
	group = hub_find(env->hub, group_name);
	if (client->plain && (group == NULL || !group->plain))
	{
		if (env->plain_groups >= env->config->max_plain_groups)
			return "too_many_plain_groups";
	}
	group = hub_join(env->hub, &client->member, group_name);
	if (group == NULL)
		return "overloaded";
	if (client->plain && !group->plain)
	{
		group->plain = true;
		env->plain_groups++;
	}
	if (!hub_occupy(env->hub, &client->occupant))
		return "overloaded";
	return NULL;
}

static void
seat(Client *client, const AdmitAnswer *answer)
{
	HttpRequest request;
	Handshake	plan;
	const char *reason;

	if (!remember_identity(client, answer) ||
		client_parse_head(client, &request) != HTTP_OK)
	{
		response_refuse(client, "overloaded", NULL);
		return;
	}
	handshake_plan(&plan, &request);
	reason = take_seat(client, plan.group);
	if (reason != NULL)
	{
		response_refuse(client, reason, NULL);
		return;
	}
	if (client->plain)
	{
		client_enter(client, CLIENT_LISTENING);
		feed_listen(client->env->feed, plan.group);
	}
	else
		open_client(client);
}

void
admission_on_listening(ClientEnv *env, Slice group_name, bool ok)
{
	HubGroup *group = hub_find(env->hub, group_name);

	/* Opening a client may close it, and so move the members behind it: walk
	 * from the end, where only those already looked at are. */
	for (uint32_t i = group ? group->member_count : 0; i-- > 0;)
	{
		Client *client = client_of_member(group->members[i]);
		bool	last = group->member_count == 1;

		if (client->state != CLIENT_LISTENING)
			continue;
		if (ok)
			open_client(client);
		else
			/* the only channel that cannot be LISTENed to */
			response_refuse(client, "plain_name_too_long", NULL);
		if (last && client->member.group == NULL)
			return; /* the group went with its last member */
	}
}

void
admission_set_plain(Client *client, bool plain)
{
	ClientEnv *env = client->env;
	HubGroup  *group = client->member.group;
	Slice	   name = {group->name, strlen(group->name)};

	client->plain = plain;
	if (plain == group->plain)
		return;
	if (plain && env->plain_groups >= env->config->max_plain_groups)
	{
		log_warning("group %s: not listened for: max_plain_groups is reached",
					group->name);
		return;
	}
	group->plain = plain;
	if (plain)
	{
		env->plain_groups++;
		feed_listen(env->feed, name);
	}
	else
	{
		env->plain_groups--;
		feed_unlisten(env->feed, name);
		/* whoever waited for the channel waits no more */
		admission_on_listening(env, name, true);
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

static bool
outdated(const Client *client, const AdmitAnswer *answer)
{
	return feed_revoked_since(client->env->feed, client->feed_mark,
							  answer->kind, answer->user_id,
							  answer->credential_id, answer->issuer_id);
}

/*
 * The answer may be older than a revocation or a change of the rules that has
 * been acted upon already: nobody would ever close this client.  Its identity
 * is asked about once more, which counts no use of a key.
 */
static void
confirm(Client *client, const AdmitAnswer *answer)
{
	ClientEnv  *env = client->env;
	HttpRequest request;
	Handshake	plan;

	if (client_parse_head(client, &request) != HTTP_OK)
		return; /* it was parsed before, so this cannot be */
	handshake_plan(&plan, &request);
	client->feed_mark = feed_mark(env->feed);
	client->call = calls_recheck(env->calls, answer->kind, answer->user_id,
								 answer->credential_id, plan.group,
								 time_left_ms(client), on_admit_answer, client);
	if (client->call == NULL)
		response_refuse(client, "overloaded", NULL);
}

static void
on_admit_answer(void *arg, const AdmitAnswer *answer)
{
	Client	   *client = arg;
	const char *reason = NULL;

	client->call = NULL;
	switch (answer->status)
	{
		case CALL_UNAVAILABLE: reason = "database_unavailable"; break;
		case CALL_OVERLOADED: reason = "overloaded"; break;
		case CALL_FAILED: reason = "internal_error"; break;
		case CALL_OK:
			if (!answer->valid || !answer->may_join)
				reason = answer->reason ? answer->reason : "not_allowed";
			break;
	}
	if (reason != NULL)
		response_refuse(client, reason, NULL);
	else if (outdated(client, answer))
		confirm(client, answer);
	else
		seat(client, answer);
}

static CredentialOptions
credential_options(const Config *config)
{
	return (CredentialOptions){
		.header_keywords = config->header_keywords,
		.allow_query_token = config->allow_query_token,
		.allow_query_django_session = config->allow_query_django_session,
		.jwt_cookie = config->jwt_cookie,
		.session_cookie = config->session_cookie,
	};
}

static void
ask(Client *client)
{
	ClientEnv		 *env = client->env;
	CredentialOptions options = credential_options(env->config);
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
	if (!feed_health(env->feed).ready)
	{
		/* admission_on_feed_ready comes back, or the deadline */
		credential_wipe(&credential);
		return;
	}
	client->feed_mark = feed_mark(env->feed);
	client->call =
		calls_admit(env->calls, credential.kind,
					credential.status == CREDENTIAL_NONE
						? SLICE_NONE
						: (Slice){credential.value, credential.len},
					plan.group, time_left_ms(client), on_admit_answer, client);
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

static void
begin_join(Client *client)
{
	ClientEnv *env = client->env;
	Slice	   address = {(const char *) client->address.ip,
						  sizeof(client->address.ip)};

	if (env->draining)
	{
		response_refuse(client, "draining", NULL);
		return;
	}
	if (env->config->max_connections != 0 &&
		env->count > env->config->max_connections)
	{
		response_refuse(client, "overloaded", NULL);
		return;
	}
	if (!limit_acquire(&env->addresses, address,
					   env->config->max_connections_per_address))
	{
		response_refuse(client, "too_many_connections", NULL);
		return;
	}
	client->address_counted = true;
	client_enter(client, CLIENT_ADMITTING);
	ask(client);
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
		case HANDSHAKE_JOIN: begin_join(client); return;
		case HANDSHAKE_HEALTHZ: response_healthz(client); return;
		case HANDSHAKE_READYZ: response_readyz(client); return;
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
		return; /* read before the pause took effect: kept for later */
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
