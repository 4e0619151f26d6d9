/*-------------------------------------------------------------------------
 *
 * exchange.c
 *	  POST /session: a credential in, a session key out.
 *
 *-------------------------------------------------------------------------
 */
#include "exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "credentials.h"
#include "handshake.h"
#include "json.h"
#include "principal.h"
#include "response.h"

bool
exchange_wants_body(Client *client)
{
	HttpRequest request;
	size_t		arrived = client->head_len - client->head_end;
	size_t		len;

	if (client_parse_head(client, &request) != HTTP_OK)
		return false; /* it was parsed before, so this cannot be */
	switch (http_body_length(&request, &len))
	{
		case HTTP_BODY_CHUNKED:
			response_refuse(client, "length_required", NULL);
			return false;
		case HTTP_BODY_MALFORMED:
			response_refuse(client, "malformed_request", NULL);
			return false;
		case HTTP_BODY_OK: break;
	}
	if (len > EXCHANGE_MAX_BODY)
	{
		response_refuse(client, "body_too_large", NULL);
		return false;
	}
	/* once: from here on some of it is there */
	if (len > 0 && arrived == 0 && http_expects_continue(&request))
		client_send(client, HTTP_CONTINUE, strlen(HTTP_CONTINUE));
	return arrived < len;
}

static void
on_answer(void *arg, const ExchangeAnswer *answer)
{
	Client		*client = arg;
	const char	*reason = principal_failure(answer->status);
	char		 number[48];
	ProtocolText body = {0};

	client->call = NULL;
	if (answer->status == CALL_FAILED && answer->bad_data)
		reason = "bad_options";
	else if (reason == NULL && !answer->valid)
		reason = answer->reason ? answer->reason : "not_allowed";
	else if (reason == NULL && answer->session_key == NULL)
		reason = "internal_error"; /* no extension of ours answers so */
	if (reason != NULL)
	{
		response_refuse(client, reason, NULL);
		return;
	}
	protocol_append(&body, "{\"session_key\":", 15);
	protocol_append_string(&body, answer->session_key,
						   strlen(answer->session_key));
	protocol_append(&body, ",\"user\":", 8);
	protocol_append_string(&body, answer->user_id,
						   answer->user_id ? strlen(answer->user_id) : 0);
	protocol_append(&body, ",\"username\":", 12);
	protocol_append_string(&body, answer->username,
						   answer->username ? strlen(answer->username) : 0);
	snprintf(number, sizeof(number), ",\"expires_in\":%" PRId64,
			 answer->expires_in_ms / 1000);
	protocol_append(&body, number, strlen(number));
	protocol_append(&body, ",\"expires_at\":", 14);
	/* whole seconds, so rather too early than too late */
	protocol_append_time(&body,
						 (int64_t) time(NULL) * 1000 + answer->expires_in_ms);
	protocol_append(&body, "}", 2);
	if (body.failed)
		response_refuse(client, "overloaded", NULL);
	else
		response_json(client, body.bytes);
	if (body.bytes != NULL)
		explicit_bzero(body.bytes, body.cap);
	protocol_text_fini(&body);
}

/* The body, which has arrived; ptr NULL when there is none. */
static Slice
body_of(const Client *client, const HttpRequest *request)
{
	size_t len;

	if (http_body_length(request, &len) != HTTP_BODY_OK || len == 0)
		return SLICE_NONE;
	return (Slice){(const char *) client->head + client->head_end, len};
}

/* "application/json", with or without parameters, in any case. */
static bool
is_json(const HttpRequest *request)
{
	static const char type[] = "application/json";
	Slice			  value = http_header(request, "Content-Type", NULL);
	size_t			  len = sizeof(type) - 1;

	return value.ptr != NULL && value.len >= len &&
		   strncasecmp(value.ptr, type, len) == 0 &&
		   (value.len == len || strchr("; \t", value.ptr[len]) != NULL);
}

/* Read the member token of the body, if it has one; false with *reason when
 * the body is no good. */
static bool
read_token(Credential *credential, Slice body, const CredentialOptions *options,
		   const char **reason)
{
	JsonMember member = {.name = "token"};
	char	  *text;
	size_t	   len;
	bool	   read;

	*reason = "bad_options";
	if (json_read_object(body.ptr, body.len, JSON_UTF8, &member, 1, NULL) !=
		JSON_OK)
		return false;
	if (member.value.type == JSON_ABSENT)
		return true;
	text = malloc(member.value.len + 1);
	if (text == NULL)
	{
		*reason = "overloaded";
		return false;
	}
	read = json_read_string(&member.value, JSON_UTF8, text,
							member.value.len + 1, &len);
	if (read)
	{
		credential_wipe(credential);
		credential_read(credential, (Slice){text, len}, options);
	}
	explicit_bzero(text, member.value.len + 1);
	free(text);
	return read;
}

/* Which credential it is; a reason (and detail) when it is refused. */
static const char *
find_credential(const Client *client, const HttpRequest *request,
				Credential *credential, const char **detail)
{
	const Config	 *config = client->env->config;
	CredentialOptions options = principal_credential_options(config);
	Slice			  body = body_of(client, request);
	const char		 *reason;

	credential_find(credential, request, &options);
	if (body.ptr != NULL && !is_json(request))
		return "unsupported_media_type";
	if (body.ptr != NULL && !read_token(credential, body, &options, &reason))
		return reason;
	if (!handshake_origin_allowed(request, config->allowed_origins,
								  credential->from_cookie))
		return "origin_not_allowed";
	if (credential->status == CREDENTIAL_NONE)
		return "no_credentials";
	*detail = credential->detail;
	return credential->status == CREDENTIAL_REFUSED ? credential->reason : NULL;
}

void
exchange_ask(Client *client)
{
	Credential	credential;
	HttpRequest request;
	const char *detail = NULL;
	const char *reason;

	if (client_parse_head(client, &request) != HTTP_OK)
		return; /* it was parsed before, so this cannot be */
	reason = find_credential(client, &request, &credential, &detail);
	if (reason == NULL)
	{
		client->call = calls_exchange(client->env->calls, credential.kind,
									  (Slice){credential.value, credential.len},
									  body_of(client, &request),
									  client->env->config->auth_timeout_ms,
									  on_answer, client);
		if (client->call == NULL)
			reason = "overloaded";
	}
	credential_wipe(&credential);
	if (reason != NULL)
		response_refuse(client, reason, detail);
}

void
exchange_preflight(Client *client)
{
	HttpRequest request;

	if (client_parse_head(client, &request) != HTTP_OK)
		return; /* it was parsed before, so this cannot be */
	if (handshake_origin_allowed(&request, client->env->config->allowed_origins,
								 true))
		response_preflight(client);
	else
		response_refuse(client, "origin_not_allowed", NULL);
}
