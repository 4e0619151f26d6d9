/*-------------------------------------------------------------------------
 *
 * request.c
 *	  What a client of usher.v1 has asked for, and how it is answered.
 *
 *-------------------------------------------------------------------------
 */
#include "request.h"

#include <stdlib.h>

#include "refusal.h"

/* ---- saying -------------------------------------------------------------- */

void
request_say_error(Client *client, const char *id, Slice group,
				  const char *reason, const char *detail,
				  uint64_t retry_after_ms)
{
	const Refusal *refusal = refusal_for(reason);
	ProtocolText   text = {0};

	if (retry_after_ms == 0 && refusal_is_for_now(refusal))
		retry_after_ms = REFUSAL_RETRY_MS;
	protocol_write_error(&text, id, group, refusal, detail, retry_after_ms);
	client_say(client, &text);
}

/* Say what is wrong, and that it cannot go on. */
void
request_refuse_and_close(Client *client, const char *id, const char *reason,
						 const char *detail)
{
	const Refusal *refusal = refusal_for(reason);

	request_say_error(client, id, SLICE_NONE, reason, detail, 0);
	client_close(client, refusal->close_code, refusal->reason);
}

void
request_say_ok(Client *client, const char *id)
{
	ProtocolText text = {0};

	if (*id == '\0')
		return;
	protocol_write_ok(&text, id);
	client_say(client, &text);
}

/* ---- requests in flight -------------------------------------------------- */

/* NULL when out of memory. */
Request *
request_create(const ProtocolRequest *asked)
{
	size_t id_size = strlen(asked->id) + 1;
	size_t fixed = sizeof(Request) + asked->group_count * sizeof(RequestGroup);
	size_t size = fixed + id_size + 1;
	Request *request;

	for (size_t i = 0; i < asked->group_count; i++)
		size += strlen(asked->groups[i].name) + 1;
	request = calloc(1, size);
	if (request == NULL)
		return NULL;
	request->verb = asked->verb;
	request->id = (char *) request + fixed;
	memcpy(request->id, asked->id, id_size);
	request->groups = request->id + id_size;
	return request;
}

void
request_add_group(Request *request, const ProtocolGroup *group)
{
	char *end = request->groups + strlen(request->groups);

	if (end > request->groups)
		*end++ = ',';
	strcpy(end, group->name);
	request->asked[request->group_count++] =
		(RequestGroup){group->since, group->position};
}

/* Take the next name off a list. */
bool
request_next_name(const char **names, Slice *name)
{
	const char *end;

	if (**names == '\0')
		return false;
	end = strchrnul(*names, ',');
	*name = (Slice){*names, (size_t) (end - *names)};
	*names = *end == ',' ? end + 1 : end;
	return true;
}

bool
request_names(const Request *request, Slice group)
{
	const char *names = request->groups;
	Slice		name;

	while (request_next_name(&names, &name))
		if (name.len == group.len &&
			memcmp(name.ptr, group.ptr, group.len) == 0)
			return true;
	return false;
}

/* Send the call on its way; false when there is none. */
bool
request_send(Client *client, Request *request, Call *call)
{
	if (call == NULL)
		return false;
	client_in_flight_add(client, &request->item, call);
	return true;
}
