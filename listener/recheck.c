/*-------------------------------------------------------------------------
 *
 * recheck.c
 *	  Is an open client still who it was, and may it still be where it is?
 *
 * A client that is asked about is out of the list and has a call; one whose
 * question could not be answered goes back to the list's end.  One question is
 * about all its seats in doubt, and until the answer says that all is well such
 * a seat is shown nothing (seat.h): "these are the new rules; this is for those
 * who may stay" in one transaction shows the others nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "recheck.h"

#include <stdlib.h>

#include "admission.h"
#include "durable.h"
#include "principal.h"
#include "reception.h"
#include "refusal.h"
#include "subscription.h"

/* Leave room in the links for newcomers. */
#define RECHECK_MAX_PENDING 512
/* How long to leave a database alone that could not answer. */
#define RECHECK_PAUSE_MS 1000

/* ---- whom to ask about --------------------------------------------------- */

static bool
is_seated(const Client *client)
{
	return client->state == CLIENT_OPEN || client->state == CLIENT_LISTENING;
}

void
recheck_everybody(ClientEnv *env)
{
	for (Client *client = env->all; client != NULL; client = client->all_next)
		if (is_seated(client))
			client_doubt(client);
}

static void
doubt_members(HubGroup *group)
{
	for (uint32_t i = 0; i < group->member_count; i++)
		seat_doubt(seat_of_member(group->members[i]));
}

/* Category and id of a group are split at the last '_' (DESIGN section 1). */
static bool
group_is_of(const HubGroup *group, Slice category)
{
	const char *split = strrchr(group->name, '_');
	size_t len = split ? (size_t) (split - group->name) : strlen(group->name);

	return len == category.len && memcmp(group->name, category.ptr, len) == 0;
}

void
recheck_category(ClientEnv *env, Slice category)
{
	for (HubGroup *group = hub_next_group(env->hub, NULL); group != NULL;
		 group = hub_next_group(env->hub, group))
		if (group_is_of(group, category))
			doubt_members(group);
}

void
recheck_group(ClientEnv *env, Slice group_name)
{
	HubGroup *group = hub_find(env->hub, group_name);

	if (group != NULL)
		doubt_members(group);
}

static void
doubt_occupant(HubOccupant *occupant, void *arg)
{
	Client *client = client_of_occupant(occupant);

	(void) arg;
	if (is_seated(client))
		client_doubt(client);
}

void
recheck_user(ClientEnv *env, Slice user_id)
{
	hub_each(env->hub, HUB_BY_USER, user_id, doubt_occupant, NULL);
}

void
recheck_credential(ClientEnv *env, Slice credential_id)
{
	hub_each(env->hub, HUB_BY_CREDENTIAL, credential_id, doubt_occupant, NULL);
}

/* ---- answers ------------------------------------------------------------- */

/* What came in doubt, or stayed so, while a question was under way. */
static void
wait_again(Client *client)
{
	bool doubted = client->doubted;

	for (Seat *seat = client->seats; seat != NULL; seat = seat->next)
		doubted |= seat->check != SEAT_SURE;
	if (doubted)
		client_wait(client, &client->env->rechecks);
}

/* Not knowing is no reason to close: ask again when it can be. */
static void
postpone(Client *client)
{
	ClientEnv *env = client->env;

	client_doubt(client);
	env->recheck_after_ms = loop_now_ms(env->loop) + RECHECK_PAUSE_MS;
}

static void
stay(Seat *seat, const GroupVerdict *verdict)
{
	ClientEnv *env = seat->client->env;
	HubGroup  *group = seat->member.group;
	bool	   was_plain = group->plain;
	SeatRights rights = {
		.may_send = verdict->may_send,
		.plain = verdict->plain,
		.presence = verdict->presence,
		/* decided about as what it was asked for as */
		.durable = seat->open ? verdict->durable : seat->rights.durable,
	};
	bool was_durable = seat->rights.durable;

	if (was_durable && !rights.durable)
		durable_abandon(seat);
	seat_confirm(seat, &rights);
	if (!was_durable && rights.durable)
		durable_adopt(seat);
	if (was_plain && !group->plain)
	{
		char name[GROUP_NAME_MAX + 1];

		/* whoever waited for the channel waits no more */
		memcpy(name, group->name, sizeof(name));
		admission_on_listening(env, slice_of(name), true);
	}
}

static void
go(Seat *seat, const GroupVerdict *verdict)
{
	Client *client = seat->client;

	if (client->mode == CLIENT_V1)
		subscription_expel(seat, verdict->reason);
	else
		reception_close(client, WS_CLOSE_FORBIDDEN,
						refusal_for(verdict->reason)->reason);
}

/* One verdict for each name in asked, which is taken apart. */
static void
apply(Client *client, GroupsAnswer answer, char *asked)
{
	GroupVerdict verdict;
	char		*rest = asked;
	char		*name;

	while ((name = strsep(&rest, ",")) != NULL && *name != '\0' &&
		   answers_next_verdict(&answer, &verdict))
	{
		Seat *seat = seat_find(client, slice_of(name));

		/* Left meanwhile; or in doubt anew, for a reason the answer may be
		 * older than. */
		if (seat == NULL || seat->check != SEAT_ASKED)
			continue;
		if (verdict.may_join)
			stay(seat, &verdict);
		else
			go(seat, &verdict);
		if (!is_seated(client))
			return;
	}
}

static void
on_answer(void *arg, const GroupsAnswer *answer)
{
	Client	   *client = arg;
	char	   *asked = client->asked;
	const char *reason;
	uint16_t	code;

	client->call = NULL;
	client->asked = NULL;
	switch (answer->status)
	{
		case CALL_UNAVAILABLE:
		case CALL_OVERLOADED: postpone(client); break;
		case CALL_FAILED:
			/* Asking again would fail again. */
			reception_close(client, WS_CLOSE_INTERNAL_ERROR, "internal_error");
			break;
		case CALL_OK:
			if (!answer->valid)
			{
				code = principal_end(client, answer->reason, &reason);
				reception_close(client, code, reason);
				break;
			}
			client_set_expiry(client, answer->expires_in_ms);
			apply(client, *answer, asked);
			if (is_seated(client))
				wait_again(client);
			break;
	}
	free(asked);
}

/* ---- asking -------------------------------------------------------------- */

/* The names of its seats in doubt, with commas between; NULL when out of
 * memory. */
static char *
names_in_doubt(const Client *client)
{
	size_t size = 1;
	size_t len = 0;
	char  *names;

	for (Seat *seat = client->seats; seat != NULL; seat = seat->next)
		if (seat->check == SEAT_DOUBTED)
			size += seat_group(seat).len + 1;
	names = malloc(size);
	if (names == NULL)
		return NULL;
	for (Seat *seat = client->seats; seat != NULL; seat = seat->next)
	{
		Slice name = seat_group(seat);

		if (seat->check != SEAT_DOUBTED)
			continue;
		if (len > 0)
			names[len++] = ',';
		memcpy(names + len, name.ptr, name.len);
		len += name.len;
	}
	names[len] = '\0';
	return names;
}

static bool
ask(Client *client)
{
	ClientEnv *env = client->env;

	client->asked = names_in_doubt(client);
	if (client->asked == NULL)
		return false;
	client->call = calls_admit_groups(
		env->calls, client->kind, client->occupant.user_id,
		client->occupant.credential_id, slice_of(client->asked),
		env->config->auth_timeout_ms, on_answer, client);
	if (client->call == NULL)
	{
		free(client->asked);
		client->asked = NULL;
		return false;
	}
	client->doubted = false;
	for (Seat *seat = client->seats; seat != NULL; seat = seat->next)
		if (seat->check == SEAT_DOUBTED)
			seat->check = SEAT_ASKED;
	return true;
}

void
recheck_pump(ClientEnv *env)
{
	if (loop_now_ms(env->loop) < env->recheck_after_ms)
		return;
	while (env->rechecks.first != NULL && calls_ready(env->calls) &&
		   calls_pending(env->calls) < RECHECK_MAX_PENDING)
	{
		Client *client = env->rechecks.first;

		client_stop_waiting(client, &env->rechecks);
		/* The answer on its way may be older than what made us ask: on_answer
		 * puts the client back. */
		if (client->call != NULL || ask(client))
			continue;
		client_wait(client, &env->rechecks);
		return; /* out of memory: later */
	}
}
