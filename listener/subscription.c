/*-------------------------------------------------------------------------
 *
 * subscription.c
 *	  The groups of a client of usher.v1: how it comes in and out of them.
 *
 *-------------------------------------------------------------------------
 */
#include "subscription.h"

#include <stdlib.h>

#include "allowance.h"
#include "durable.h"
#include "log.h"
#include "principal.h"
#include "refusal.h"
#include "request.h"

/* ---- seats --------------------------------------------------------------- */

static void
say_subscribed(const Seat *seat, const char *id, const Position *position,
			   bool since, bool recovered)
{
	ProtocolText	   text = {0};
	ProtocolSubscribed subscribed = {
		.group = seat_group(seat),
		.may_send = seat->rights.may_send,
		.presence = seat->rights.presence,
		.position = position,
		.since = since,
		.recovered = recovered,
	};

	protocol_write_subscribed(&text, id, &subscribed);
	client_say(seat->client, &text);
}

void
subscription_open_seat(Seat *seat)
{
	const Resume *resume = seat->resume;

	say_subscribed(seat, seat->waiting_id ? seat->waiting_id : "",
				   resume != NULL ? &resume->last : NULL, seat->since,
				   resume != NULL && !resume->lost);
	seat_open(seat);
	durable_begin(seat);
}

static void
leave(Seat *seat)
{
	Client *client = seat->client;

	seat_leave(seat);
	allowance_release_groups(client, 1);
}

void
subscription_expel(Seat *seat, const char *reason)
{
	const Refusal *refusal = refusal_for(reason);
	ProtocolText   text = {0};
	bool		   kicked = refusal->close_code == WS_CLOSE_REVOKED;

	if (!seat->open)
		/* it was not told that it is there */
		request_say_error(seat->client,
						  seat->waiting_id ? seat->waiting_id : "",
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
	while (request_next_name(&names, &name))
		request_say_error(client, request_id(request), name, reason, NULL, 0);
}

static void
seat_one(Client *client, const char *id, Slice group, const RequestGroup *asked,
		 const GroupVerdict *verdict)
{
	const char *reason = NULL;
	SeatRights	rights = {
		 .may_send = verdict->may_send,
		 .plain = verdict->plain,
		 .presence = verdict->presence,
		 .durable = verdict->durable,
	 };
	Seat *seat = NULL;

	if (verdict->may_join)
		seat = seat_take(client, group, &rights, &reason);
	else
		reason = verdict->reason;
	if (seat == NULL)
	{
		allowance_release_groups(client, 1);
		request_say_error(client, id, group, reason, NULL, 0);
		return;
	}
	seat->since = asked->since;
	seat->waiting_id = strdup(id);
	if (rights.durable)
		durable_enter(seat, asked->since, &asked->position);
	else if (!seat_must_listen(seat))
		subscription_open_seat(seat);
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
		for (size_t i = 0; request_next_name(&names, &name) &&
						   answers_next_verdict(&rest, &verdict);
			 i++)
			seat_one(client, request_id(request), name, &request->asked[i],
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
		const Stream *stream = seat->rights.durable
								   ? streams_find(client->env->streams, name)
								   : NULL;

		/* It goes on where it is: nothing that was asked for is recovered. */
		say_subscribed(seat, id, stream != NULL ? &stream->last : NULL,
					   group->since, false);
		return false;
	}
	if (is_pending(client, name) || request_names(request, name))
		reason = "subscription_pending";
	else
		reason = allowance_group(client);
	if (reason != NULL)
		request_say_error(client, id, name, reason, NULL, 0);
	return reason == NULL;
}

void
subscription_begin(Client *client, const ProtocolRequest *asked)
{
	Request *request = request_create(asked);

	for (size_t i = 0; i < asked->misnamed_count; i++)
		request_say_error(client, asked->id, asked->misnamed[i],
						  "invalid_group", NULL, 0);
	if (request == NULL)
	{
		request_say_error(client, asked->id, SLICE_NONE, "overloaded", NULL, 0);
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

void
subscription_end(Client *client, const ProtocolRequest *asked)
{
	for (size_t i = 0; i < asked->group_count; i++)
	{
		Slice name = slice_of(asked->groups[i].name);

		if (is_pending(client, name))
		{
			request_say_error(client, asked->id, name, "subscription_pending",
							  NULL, 0);
			return;
		}
	}
	for (size_t i = 0; i < asked->group_count; i++)
	{
		Seat *seat = seat_find(client, slice_of(asked->groups[i].name));

		if (seat != NULL)
			leave(seat);
	}
	request_say_ok(client, asked->id);
}
