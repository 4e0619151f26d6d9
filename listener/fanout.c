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

/* Add one WebSocket message to what the members of one form are sent. */
static void
add(ClientEnv *env, HubGroup *group, HubFormat format, WsOpcode opcode,
	Slice body)
{
	Frame  **turn = &group->turn[format];
	uint8_t	 header[WS_MAX_HEADER];
	size_t	 header_len = ws_frame_header(header, opcode, body.len);
	uint32_t before;

	if (*turn == NULL)
		*turn = frame_create(header_len + body.len);
	before = *turn != NULL ? (*turn)->len : 0;
	if (*turn == NULL || !frame_append(turn, header, header_len) ||
		!frame_append(turn, body.ptr, body.len))
	{
		/* half a frame would end every member's stream */
		if (*turn != NULL)
			(*turn)->len = before;
		log_error("group %s: a message was lost: out of memory", group->name);
		return;
	}
	(*turn)->count++;
	hub_mark_dirty(env->hub, group);
}

/* Add what is said in usher.v1, and end the text. */
static void
add_text(ClientEnv *env, HubGroup *group, ProtocolText *text)
{
	if (text->failed)
		log_error("group %s: a message was lost: out of memory", group->name);
	else
		add(env, group, HUB_V1, WS_TEXT, (Slice){text->bytes, text->len});
	protocol_text_fini(text);
}

static ProtocolFormat
protocol_format(FeedType type)
{
	switch (type)
	{
		case FEED_TEXT: return PROTOCOL_TEXT;
		case FEED_JSON: return PROTOCOL_JSON;
		case FEED_BINARY: break;
	}
	return PROTOCOL_BINARY;
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
fanout_add(ClientEnv *env, Slice group_name, FeedType type, Slice payload)
{
	HubGroup *group = hub_find(env->hub, group_name);

	if (group == NULL)
		return; /* no member here */
	if (group->format_count[HUB_RAW] > 0)
		add(env, group, HUB_RAW, type == FEED_BINARY ? WS_BINARY : WS_TEXT,
			payload);
	if (group->format_count[HUB_V1] > 0)
	{
		ProtocolText text = {0};

		protocol_write_message(&text, group_name, protocol_format(type),
							   payload);
		add_text(env, group, &text);
	}
	flush_if_large(env, group);
}

void
fanout_add_presence(ClientEnv *env, Slice group_name, bool joined, Slice user)
{
	HubGroup	*group = hub_find(env->hub, group_name);
	ProtocolText text = {0};

	if (group == NULL || group->format_count[HUB_V1] == 0)
		return;
	protocol_write_arrival(&text, joined, group_name, user);
	add_text(env, group, &text);
	flush_if_large(env, group);
}

void
fanout_flush(ClientEnv *env)
{
	HubGroup *group;

	while ((group = hub_take_dirty(env->hub)) != NULL)
		flush_group(env, group);
}
