/*-------------------------------------------------------------------------
 *
 * response.c
 *	  Answers to a request: refusals, 101 and the state of our health.
 *
 * Whatever is answered is the end of the head, which may hold a credential.
 *
 *-------------------------------------------------------------------------
 */
#include "response.h"

#include <stdio.h>

#include "credentials.h"
#include "http.h"
#include "refusal.h"

#define RESPONSE_BYTES 1024
#define BODY_BYTES 512

/* RFC 9110 9.3.2: the answer to HEAD only says how long a body would be. */
static bool
is_head_request(const Client *client)
{
	HttpRequest request;

	return client->head_end > 0 &&
		   client_parse_head(client, &request) == HTTP_OK &&
		   slice_equals(request.method, "HEAD");
}

static void
respond(Client *client, int status, const char *extra_headers, const char *body)
{
	char   response[RESPONSE_BYTES];
	size_t body_len =
		body != NULL && !is_head_request(client) ? strlen(body) : 0;
	size_t len = http_response_head(response, sizeof(response), status,
									extra_headers, body);

	/* in one segment, unless somebody's name is very long */
	if (body_len > 0 && body_len <= sizeof(response) - len)
	{
		memcpy(response + len, body, body_len);
		len += body_len;
		body_len = 0;
	}
	client_send(client, response, len);
	if (body_len > 0)
		client_send(client, body, body_len);
	client_forget_head(client);
	client_enter(client, CLIENT_FINISHING);
}

#define CORS_BYTES 512

/*
 * Say whether a page may read the answer (Fetch standard, CORS protocol): pages
 * of origins that allowed_origins names, or of our own.  extra is added to.
 */
static void
allow_origin(Client *client, char extra[CORS_BYTES])
{
	HttpRequest request;
	Handshake	plan;
	Slice		origin;
	size_t		used = strlen(extra);

	if (client->head_end == 0 || client_parse_head(client, &request) != HTTP_OK)
		return;
	handshake_plan(&plan, &request);
	if (!plan.shared)
		return;
	used +=
		(size_t) snprintf(extra + used, CORS_BYTES - used, "Vary: Origin\r\n");
	/* the one that handshake_origin_allowed() looks at */
	origin = http_last_header(&request, "Origin");
	if (origin.ptr == NULL || origin.len > CORS_BYTES / 2 ||
		!handshake_origin_allowed(&request,
								  client->env->config->allowed_origins, true))
		return;
	snprintf(extra + used, CORS_BYTES - used,
			 "Access-Control-Allow-Origin: %.*s\r\n"
			 "Access-Control-Allow-Credentials: true\r\n",
			 (int) origin.len, origin.ptr);
}

void
response_json(Client *client, const char *body)
{
	char extra[CORS_BYTES] = "";

	allow_origin(client, extra);
	respond(client, 200, extra, body);
}

void
response_preflight(Client *client)
{
	char extra[CORS_BYTES] =
		"Access-Control-Allow-Methods: POST\r\n"
		"Access-Control-Allow-Headers: Authorization, Content-Type\r\n"
		"Access-Control-Max-Age: 600\r\n";

	allow_origin(client, extra);
	respond(client, 204, extra, NULL);
}

static void
refuse_http(Client *client, const Refusal *refusal, const char *detail,
			const Handshake *plan)
{
	char body[BODY_BYTES];
	char extra[CORS_BYTES] = "";

	if (refusal_json(body, sizeof(body), refusal, detail, false) == 0)
		body[0] = '\0';
	if (refusal->http_status == 401)
	{
		Slice keyword =
			credential_first_keyword(client->env->config->header_keywords);

		snprintf(extra, sizeof(extra), "WWW-Authenticate: %.*s\r\n",
				 (int) keyword.len, keyword.ptr);
	}
	else if (refusal->http_status == 405)
		snprintf(extra, sizeof(extra), "Allow: %s\r\n", plan->allow);
	else if (refusal->http_status == 426)
		snprintf(extra, sizeof(extra),
				 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	else if (refusal->http_status == 429 || refusal->http_status == 503)
		snprintf(extra, sizeof(extra), "Retry-After: 1\r\n");
	allow_origin(client, extra);
	respond(client, refusal->http_status, extra, body);
}

size_t
response_switching(const Handshake *plan, char out[RESPONSE_SWITCHING_BYTES])
{
	char accept[HTTP_ACCEPT_LEN + 1];

	if (!http_accept_key(plan->key, accept))
		return 0;
	return http_switching(out, RESPONSE_SWITCHING_BYTES, accept,
						  plan->protocol);
}

/* 101, the reason as a message, and a close frame. */
static void
refuse_websocket(Client *client, const Refusal *refusal, const char *detail,
				 const Handshake *plan)
{
	uint8_t frame[WS_MAX_CONTROL_FRAME];
	uint8_t header[WS_MAX_HEADER];
	char	response[RESPONSE_SWITCHING_BYTES];
	char	body[BODY_BYTES];
	size_t	body_len;
	size_t	len = response_switching(plan, response);

	if (len == 0)
	{
		refuse_http(client, refusal, detail, plan);
		return;
	}
	client_send(client, response, len);
	body_len = refusal_json(body, sizeof(body), refusal, detail, true);
	client_send(client, header, ws_frame_header(header, WS_TEXT, body_len));
	client_send(client, body, body_len);
	ws_reader_init(&client->reader,
				   (uint32_t) client->env->config->max_message_bytes);
	client_forget_head(client);
	client_enter(client, CLIENT_CLOSING);
	len = ws_close_frame(frame, refusal->close_code, refusal->reason);
	client_send(client, frame, len);
}

void
response_refuse(Client *client, const char *reason, const char *detail)
{
	const Refusal *refusal = refusal_for(reason);
	HttpRequest	   request;
	Handshake	   plan = {0};
	bool		   as_websocket = false;
	bool		   named;

	if (client->head_end > 0 && client_parse_head(client, &request) == HTTP_OK)
		handshake_plan(&plan, &request);
	if (plan.key.ptr != NULL)
		switch (client->env->config->refusal)
		{
			case CONFIG_REFUSAL_AUTO:
				/* whoever offered usher.v1 reads its errors */
				as_websocket = plan.from_browser ||
							   slice_equals(plan.protocol, HANDSHAKE_V1);
				break;
			case CONFIG_REFUSAL_HTTP: as_websocket = false; break;
			case CONFIG_REFUSAL_WEBSOCKET: as_websocket = true; break;
		}
	/* What is no group name may be a key that a mistyped URL put there. */
	named = handshake_group_valid(plan.group);
	client_log(client, LOG_LEVEL_INFO, "refused with %d: %s%s%.*s",
			   as_websocket ? refusal->close_code : refusal->http_status,
			   /* the extension's own word, even one we do not know */
			   reason, named ? ", group " : "",
			   named ? (int) plan.group.len : 0, named ? plan.group.ptr : "");
	if (as_websocket)
		refuse_websocket(client, refusal, detail, &plan);
	else
		refuse_http(client, refusal, detail, &plan);
}

void
response_healthz(Client *client)
{
	char body[BODY_BYTES];

	snprintf(body, sizeof(body),
			 "{\"status\":\"ok\",\"version\":\"%s\",\"connections\":%zu}",
			 config_version(), client->env->count);
	respond(client, 200, NULL, body);
}

/* Ready: questions are answered, and the canary came back lately. */
void
response_readyz(Client *client)
{
	const ClientEnv *env = client->env;
	FeedHealth		 feed = feed_health(env->feed);
	bool			 database = calls_ready(env->calls);
	bool			 listening =
		feed.ready && feed.canary_age_ms <= 3 * env->config->canary_interval_ms;
	bool		ready = database && listening && !env->draining;
	const char *status = ready ? "ready" : "unavailable";
	char		body[BODY_BYTES];

	if (env->draining)
		status = "draining";
	snprintf(body, sizeof(body),
			 "{\"status\":\"%s\",\"database\":%s,\"listening\":%s,"
			 "\"canary_age_ms\":%llu,\"notification_queue_usage\":%.6f}",
			 status, database ? "true" : "false", listening ? "true" : "false",
			 (unsigned long long) feed.canary_age_ms, feed.queue_usage);
	respond(client, ready ? 200 : 503, ready ? NULL : "Retry-After: 1\r\n",
			body);
}
