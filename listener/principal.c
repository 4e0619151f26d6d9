/*-------------------------------------------------------------------------
 *
 * principal.c
 *	  Who a client is, and as whom it is found and counted.
 *
 *-------------------------------------------------------------------------
 */
#include "principal.h"

#include <stdlib.h>

#include "refusal.h"

CredentialOptions
principal_credential_options(const Config *config)
{
	return (CredentialOptions){
		.header_keywords = config->header_keywords,
		.allow_query_token = config->allow_query_token,
		.allow_query_django_session = config->allow_query_django_session,
		.jwt_cookie = config->jwt_cookie,
		.session_cookie = config->session_cookie,
	};
}

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

/* Count the client among its user's; a refresh keeps the user. */
static bool
count_user(Client *client, const char *user_id)
{
	ClientEnv *env = client->env;

	if (user_id == NULL || client->user_limit != NULL)
		return true;
	client->user_limit = limit_hold(&env->users, slice_of(user_id),
									env->config->max_connections_per_user);
	return client->user_limit != NULL;
}

const char *
principal_set(Client *client, const AdmitAnswer *answer)
{
	Hub	  *hub = client->env->hub;
	char  *former = client->identity;
	size_t size = size_of(answer->user_id) + size_of(answer->username) +
				  size_of(answer->kind) + size_of(answer->credential_id) +
				  size_of(answer->issuer_id);
	char *cursor = malloc(size + 1);

	if (cursor == NULL)
		return "overloaded";
	if (!count_user(client, answer->user_id))
	{
		free(cursor);
		return "too_many_connections";
	}
	hub_vacate(hub, &client->occupant);
	client->identity = cursor;
	client->occupant.user_id = put(&cursor, answer->user_id);
	client->username = put(&cursor, answer->username);
	client->kind = put(&cursor, answer->kind);
	client->occupant.credential_id = put(&cursor, answer->credential_id);
	client->occupant.issuer_id = put(&cursor, answer->issuer_id);
	free(former);
	if (!hub_occupy(hub, &client->occupant))
		return "overloaded";
	client_set_expiry(client, answer->expires_in_ms);
	roster_changed(client->env->roster, &client->roster);
	return NULL;
}

bool
principal_is_outdated(const Client *client, uint64_t mark,
					  const AdmitAnswer *answer)
{
	return feed_revoked_since(client->env->feed, mark, answer->kind,
							  answer->user_id, answer->credential_id,
							  answer->issuer_id);
}

Call *
principal_confirm(Client *client, const AdmitAnswer *answer, Slice group,
				  uint64_t timeout_ms, AdmitDone done, void *arg)
{
	return calls_recheck(client->env->calls, answer->kind, answer->user_id,
						 answer->credential_id, group, timeout_ms, done, arg);
}

uint16_t
principal_end(const Client *client, const char *reason,
			  const char **close_reason)
{
	const Refusal *refusal = refusal_for(reason);

	if (refusal->close_code == WS_CLOSE_EXPIRED)
		*close_reason = refusal->reason;
	else if (client->occupant.user_id == NULL)
	{
		/* nobody ever was identified here: the group's policy closed it */
		*close_reason = "not_allowed";
		return WS_CLOSE_FORBIDDEN;
	}
	else
	{
		*close_reason = "revoked";
		return WS_CLOSE_REVOKED;
	}
	return WS_CLOSE_EXPIRED;
}

const char *
principal_failure(CallStatus status)
{
	switch (status)
	{
		case CALL_UNAVAILABLE: return "database_unavailable";
		case CALL_OVERLOADED: return "overloaded";
		case CALL_FAILED: return "internal_error";
		case CALL_OK: return NULL;
	}
	return "internal_error";
}
