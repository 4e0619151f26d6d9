/*-------------------------------------------------------------------------
 *
 * fanout.c
 *	  From a group's messages to its members' sockets.
 *
 * All messages of one turn form one contiguous, counted buffer per group and
 * form; each member gets one direct write of it (16 frames per write moved ten
 * times as many messages as one frame per write).  A form without members is
 * not written.  A group is flushed early when a buffer reaches
 * FANOUT_EARLY_BYTES, so that a long burst starts to move before all of it has
 * been read.
 *
 *-------------------------------------------------------------------------
 */
#include "fanout.h"

#include "encoding.h"
#include "log.h"

#define FANOUT_EARLY_BYTES 65536

static void
flush_group(ClientEnv *env, HubGroup *group)
{
	uint64_t now_ms = loop_now_ms(env->loop);
	Frame	*frames[HUB_FORMAT_COUNT];

	memcpy(frames, group->turn, sizeof(frames));
	memset(group->turn, 0, sizeof(group->turn));
	for (uint32_t i = 0; i < group->member_count; i++)
	{
		HubMember *member = group->members[i];

		if (frames[member->format] != NULL)
			seat_deliver(seat_of_member(member), frames[member->format],
						 now_ms);
	}
	for (int format = 0; format < HUB_FORMAT_COUNT; format++)
		frame_release(frames[format]);
}

static void
note_added(ClientEnv *env, HubGroup *group, bool added)
{
	if (added)
		hub_mark_dirty(env->hub, group);
	else
		log_error("group %s: a message was lost: out of memory", group->name);
}

static void
flush_if_large(ClientEnv *env, HubGroup *group)
{
	for (int format = 0; format < HUB_FORMAT_COUNT; format++)
		if (group->turn[format] != NULL &&
			group->turn[format]->len >= FANOUT_EARLY_BYTES)
		{
			flush_group(env, group);
			return;
		}
}

void
fanout_add(ClientEnv *env, Slice group_name, const Position *position,
		   FeedType type, Slice payload)
{
	HubGroup *group = hub_find(env->hub, group_name);

	if (group == NULL)
		return; /* no member here */
	for (HubFormat format = 0; format < HUB_FORMAT_COUNT; format++)
		if (group->format_count[format] > 0)
			note_added(env, group,
					   encoding_append_message(&group->turn[format], format,
											   group_name, position, type,
											   payload));
	flush_if_large(env, group);
}

/* Those who are still being told what they missed get no frames of the group,
 * but have to know who is in it. */
static void
tell_resuming(HubGroup *group, const ProtocolText *text)
{
	for (uint32_t i = 0; i < group->member_count; i++)
	{
		Seat		*seat = seat_of_member(group->members[i]);
		ProtocolText copy = {0};

		if (seat->resume == NULL || !seat->open ||
			seat->client->mode != CLIENT_V1)
			continue;
		protocol_append(&copy, text->bytes, text->len);
		client_say(seat->client, &copy);
	}
}

void
fanout_add_presence(ClientEnv *env, Slice group_name, bool joined, Slice user)
{
	HubGroup	*group = hub_find(env->hub, group_name);
	ProtocolText text = {0};

	if (group == NULL || group->format_count[HUB_V1] == 0)
		return;
	protocol_write_arrival(&text, joined, group_name, user);
	note_added(env, group,
			   !text.failed && encoding_append(&group->turn[HUB_V1], WS_TEXT,
											   (Slice){text.bytes, text.len}));
	if (!text.failed)
		tell_resuming(group, &text);
	protocol_text_fini(&text);
	flush_if_large(env, group);
}

void
fanout_flush(ClientEnv *env)
{
	HubGroup *group;

	while ((group = hub_take_dirty(env->hub)) != NULL)
		flush_group(env, group);
}
