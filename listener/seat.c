/*-------------------------------------------------------------------------
 *
 * seat.c
 *	  One client in one group.
 *
 *-------------------------------------------------------------------------
 */
#include "seat.h"

#include <stdlib.h>

#include "client.h"
#include "log.h"

/* ---- plain channels ------------------------------------------------------ */

/* False: there are as many as there may be. */
static bool
group_listen(ClientEnv *env, HubGroup *group)
{
	if (env->plain_groups >= env->config->max_plain_groups)
		return false;
	group->plain = true;
	env->plain_groups++;
	return true;
}

static void
group_set_plain(ClientEnv *env, HubGroup *group, bool plain)
{
	if (plain == group->plain)
		return;
	if (!plain)
	{
		group->plain = false;
		env->plain_groups--;
		feed_unlisten(env->feed, slice_of(group->name));
	}
	else if (group_listen(env, group))
		feed_listen(env->feed, slice_of(group->name));
	else
		log_warning("group %s: not listened for: max_plain_groups is reached",
					group->name);
}

/* ---- taking and leaving -------------------------------------------------- */

static const char *
join(Seat *seat, Slice group_name)
{
	ClientEnv *env = seat->client->env;
	HubGroup  *group = hub_find(env->hub, group_name);

	if (seat->rights.plain && (group == NULL || !group->plain) &&
		env->plain_groups >= env->config->max_plain_groups)
		return "too_many_plain_groups";
	group = hub_join(env->hub, &seat->member, group_name);
	if (group == NULL)
		return "overloaded";
	if (seat->rights.plain && !group->plain)
		/* there is room: that was asked */
		(void) group_listen(env, group);
	return NULL;
}

Seat *
seat_take(Client *client, Slice group_name, const SeatRights *rights,
		  const char **reason)
{
	Seat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL)
	{
		*reason = "overloaded";
		return NULL;
	}
	seat->client = client;
	seat->rights = *rights;
	seat->member.format = client->mode == CLIENT_V1 ? HUB_V1 : HUB_RAW;
	*reason = join(seat, group_name);
	if (*reason != NULL)
	{
		free(seat);
		return NULL;
	}
	seat->next = client->seats;
	client->seats = seat;
	if (seat_must_listen(seat))
		feed_listen(client->env->feed, seat_group(seat));
	return seat;
}

bool
seat_must_listen(const Seat *seat)
{
	return seat->rights.plain && !seat->open;
}

static void
count_presence(const Seat *seat, bool here)
{
	const Client *client = seat->client;
	ClientEnv	 *env = client->env;
	Slice		  user = slice_of(client->occupant.user_id);

	if (user.ptr == NULL)
		return;
	if (here)
		roster_arrive(env->roster, seat_group(seat), user,
					  slice_of(client->username), loop_now_ms(env->loop));
	else
		roster_depart(env->roster, seat_group(seat), user,
					  loop_now_ms(env->loop));
}

void
seat_open(Seat *seat)
{
	seat->open = true;
	free(seat->waiting_id);
	seat->waiting_id = NULL;
	if (seat->rights.presence)
		count_presence(seat, true);
	roster_changed(seat->client->env->roster, &seat->client->roster);
}

static void
drop_held(Seat *seat)
{
	if (seat->held == NULL)
		return;
	seat->client->held_bytes -= seat->held->bytes;
	outbox_clear(seat->held);
	free(seat->held);
	seat->held = NULL;
}

void
seat_leave(Seat *seat)
{
	ClientEnv *env = seat->client->env;
	bool	   plain = seat->member.group->plain;
	bool	   durable = seat->rights.durable;
	char	   name[GROUP_NAME_MAX + 1];
	Seat	 **link = &seat->client->seats;

	if (seat->open && seat->rights.presence)
		count_presence(seat, false);
	roster_changed(env->roster, &seat->client->roster);
	memcpy(name, seat->member.group->name, sizeof(name));
	if (hub_leave(env->hub, &seat->member) && plain)
	{
		env->plain_groups--;
		feed_unlisten(env->feed, slice_of(name));
	}
	while (*link != seat)
		link = &(*link)->next;
	*link = seat->next;
	drop_held(seat);
	resume_end(seat->resume);
	if (durable)
		stream_unuse(streams_find(env->streams, slice_of(name)));
	free(seat->waiting_id);
	free(seat);
}

Seat *
seat_find(const Client *client, Slice group_name)
{
	HubGroup *group = hub_find(client->env->hub, group_name);

	if (group == NULL)
		return NULL;
	for (Seat *seat = client->seats; seat != NULL; seat = seat->next)
		if (seat->member.group == group)
			return seat;
	return NULL;
}

/* ---- doubt --------------------------------------------------------------- */

void
seat_doubt(Seat *seat)
{
	seat->check = SEAT_DOUBTED;
	client_wait(seat->client, &seat->client->env->rechecks);
}

void
seat_confirm(Seat *seat, const SeatRights *rights)
{
	Client	  *client = seat->client;
	ClientEnv *env = client->env;

	if (seat->open && seat->rights.presence != rights->presence)
		count_presence(seat, rights->presence);
	if (seat->rights.plain != rights->plain)
		group_set_plain(env, seat->member.group, rights->plain);
	seat->rights = *rights;
	seat->check = SEAT_SURE;
	if (seat->held == NULL)
		return;
	client->held_bytes -= seat->held->bytes;
	outbox_move(&client->outbox, seat->held, loop_now_ms(env->loop));
	drop_held(seat);
	client_flush(client);
}

static void
hold(Seat *seat, Frame *frame, uint64_t now_ms)
{
	Client *client = seat->client;
	size_t	waiting = client->outbox.bytes + client->held_bytes;
	size_t	max_bytes = client->env->config->queue_bytes;

	if (seat->held == NULL)
		seat->held = calloc(1, sizeof(*seat->held));
	if (seat->held == NULL)
	{
		client_doom(client, WS_CLOSE_TRY_AGAIN, "overloaded");
		return;
	}
	/* As in the queue, one frame may always wait, however large. */
	if (waiting > 0 &&
		frame->len > max_bytes - (waiting < max_bytes ? waiting : max_bytes))
	{
		client_doom(client, WS_CLOSE_TOO_SLOW, "too_slow");
		return;
	}
	if (outbox_push(seat->held, frame, 0, SIZE_MAX, now_ms) != OUTBOX_OK)
		client_doom(client, WS_CLOSE_TRY_AGAIN, "overloaded");
	else
		client->held_bytes += frame->len;
}

void
seat_deliver(Seat *seat, Frame *frame, uint64_t now_ms)
{
	Client *client = seat->client;

	if (client->state != CLIENT_OPEN || client->doomed || !seat->open ||
		seat->resume != NULL)
		return;
	client->delivered += frame->count;
	if (seat->check != SEAT_SURE)
		hold(seat, frame, now_ms);
	else
		client_deliver(client, frame, now_ms);
}
