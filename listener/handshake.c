/*-------------------------------------------------------------------------
 *
 * handshake.c
 *	  What a request asks for.
 *
 *-------------------------------------------------------------------------
 */
#include "handshake.h"

#include "credentials.h"
#include "origin.h"

#define GROUP_PATH "/ws/"

/* Longer than any name in use, and short enough for the head of a 101. */
#define PROTOCOL_MAX 128

bool
handshake_group_valid(Slice group)
{
	if (group.ptr == NULL || group.len < 1 || group.len > GROUP_NAME_MAX)
		return false;
	for (size_t i = 0; i < group.len; i++)
	{
		char c = group.ptr[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

bool
handshake_origin_allowed(const HttpRequest *request,
						 const char *allowed_origins, bool by_cookie)
{
	Slice origin = http_last_header(request, "Origin");

	if (allowed_origins[strspn(allowed_origins, " \t")] == '\0')
		return !by_cookie ||
			   origin_same_as_host(origin, http_header(request, "Host", NULL));
	if (origin.ptr == NULL && !by_cookie)
		return true;
	return origin_allowed(origin, allowed_origins);
}

static void
refuse(Handshake *plan, const char *reason)
{
	plan->action = HANDSHAKE_REFUSE;
	plan->reason = reason;
}

/* Whether this subprotocol has been offered. */
static bool
offers(const HttpRequest *request, const char *protocol)
{
	HttpCursor cursor = {0};
	Slice	   offered;

	while (
		http_next_element(request, "Sec-WebSocket-Protocol", &cursor, &offered))
		if (slice_equals(offered, protocol))
			return true;
	return false;
}

/* The first subprotocol offered that is a name other than usher.v1, or none. */
static Slice
first_other_protocol(const HttpRequest *request)
{
	HttpCursor cursor = {0};
	Slice	   offered;

	while (
		http_next_element(request, "Sec-WebSocket-Protocol", &cursor, &offered))
		if (offered.len <= PROTOCOL_MAX && !credential_is_protocol(offered) &&
			!slice_equals(offered, HANDSHAKE_V1))
			return offered;
	return SLICE_NONE;
}

/* A 101 is a possible answer; true when it chooses usher.v1. */
static bool
plan_switching(Handshake *plan, const HttpRequest *request, bool may_be_v1)
{
	bool is_v1 = may_be_v1 && offers(request, HANDSHAKE_V1);

	plan->key = http_header(request, "Sec-WebSocket-Key", NULL);
	plan->protocol =
		is_v1 ? slice_of(HANDSHAKE_V1) : first_other_protocol(request);
	return is_v1;
}

static void
plan_health(Handshake *plan, const HttpRequest *request, HandshakeAction action)
{
	plan->action = action;
	if (!slice_equals(request->method, "GET"))
		refuse(plan, "bad_method");
}

static void
plan_file(Handshake *plan, const HttpRequest *request, HandshakeAction action)
{
	plan->action = action;
	plan->allow = "GET, HEAD";
	if (!slice_equals(request->method, "GET") &&
		!slice_equals(request->method, "HEAD"))
		refuse(plan, "bad_method");
}

static void
plan_exchange(Handshake *plan, const HttpRequest *request)
{
	plan->shared = true;
	plan->allow = "POST, OPTIONS";
	if (slice_equals(request->method, "POST"))
		plan->action = HANDSHAKE_EXCHANGE;
	else if (slice_equals(request->method, "OPTIONS"))
		plan->action = HANDSHAKE_PREFLIGHT;
	else
		refuse(plan, "post_required");
}

/* False, with a reason, when the request is no WebSocket handshake. */
static bool
plan_upgrade(Handshake *plan, const HttpRequest *request)
{
	switch (http_upgrade(request))
	{
		case HTTP_UPGRADE_OK: return true;
		case HTTP_UPGRADE_BAD_METHOD: refuse(plan, "bad_method"); break;
		case HTTP_UPGRADE_NONE:
		case HTTP_UPGRADE_UNSUPPORTED:
		case HTTP_UPGRADE_BAD_VERSION: refuse(plan, "upgrade_required"); break;
		case HTTP_UPGRADE_BAD_HTTP:
		case HTTP_UPGRADE_BAD_KEY:
		case HTTP_UPGRADE_BAD_HEADERS: refuse(plan, "bad_handshake"); break;
	}
	return false;
}

static void
plan_open(Handshake *plan, const HttpRequest *request)
{
	plan->speaks_v1 = true;
	if (!plan_upgrade(plan, request))
		return;
	plan->action = HANDSHAKE_OPEN;
	if (!plan_switching(plan, request, true) && plan->protocol.ptr != NULL)
		refuse(plan, "unsupported_protocol");
}

/* What a client of the raw mode says that it saw last. */
static void
plan_since(Handshake *plan, const HttpRequest *request)
{
	char text[POSITION_TEXT + 1];
	long len =
		http_query_parameter(request->query, "since", text, sizeof(text));

	if (len == -1)
		return;
	plan->since = true;
	if (len < 0 ||
		!position_parse(&plan->position, (Slice){text, (size_t) len}))
		refuse(plan, "bad_since");
}

static void
plan_join(Handshake *plan, const HttpRequest *request)
{
	plan->group.ptr = request->path.ptr + strlen(GROUP_PATH);
	plan->group.len = request->path.len - strlen(GROUP_PATH);
	if (plan->group.len > 0 && plan->group.ptr[plan->group.len - 1] == '/')
		plan->group.len--;

	if (!plan_upgrade(plan, request))
		return;
	plan_switching(plan, request, false);
	plan->action = HANDSHAKE_JOIN;
	if (!handshake_group_valid(plan->group))
		refuse(plan, "invalid_group");
	else
		plan_since(plan, request);
}

void
handshake_plan(Handshake *plan, const HttpRequest *request)
{
	Slice path = request->path;

	memset(plan, 0, sizeof(*plan));
	plan->allow = "GET";
	plan->from_browser = http_header(request, "Origin", NULL).ptr != NULL;
	if (slice_equals(path, "/healthz"))
		plan_health(plan, request, HANDSHAKE_HEALTHZ);
	else if (slice_equals(path, "/readyz"))
		plan_health(plan, request, HANDSHAKE_READYZ);
	else if (slice_equals(path, "/usher.js"))
		plan_file(plan, request, HANDSHAKE_SCRIPT);
	else if (slice_equals(path, "/") &&
			 http_upgrade(request) != HTTP_UPGRADE_OK)
		plan_file(plan, request, HANDSHAKE_PAGE);
	else if (slice_equals(path, "/session"))
		plan_exchange(plan, request);
	else if (slice_equals(path, "/ws") || slice_equals(path, GROUP_PATH))
		plan_open(plan, request);
	else if (path.len >= strlen(GROUP_PATH) &&
			 memcmp(path.ptr, GROUP_PATH, strlen(GROUP_PATH)) == 0)
		plan_join(plan, request);
	else
	{
		/* A browser's WebSocket to a wrong path learns why, too. */
		if (http_upgrade(request) == HTTP_UPGRADE_OK)
			plan_switching(plan, request, true);
		refuse(plan, "not_found");
	}
}
