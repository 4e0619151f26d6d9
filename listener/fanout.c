/*-------------------------------------------------------------------------
 *
 * fanout.c
 *	  From a group's messages to its members' sockets.
 *
 * All messages of one turn form one contiguous, counted buffer per group; each
 * member gets one direct write of it (16 frames per write moved ten times as
 * many messages as one frame per write).  A group is flushed early when its
 * buffer reaches FANOUT_EARLY_BYTES, so that a long burst starts to move
 * before all of it has been read.
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
	Frame	*frame = group->turn;

	group->turn = NULL;
	if (frame == NULL)
		return;
	for (uint32_t i = 0; i < group->member_count; i++)
		client_deliver(client_of_member(group->members[i]), frame, now_ms);
	frame_release(frame);
}

void
fanout_add(ClientEnv *env, Slice group_name, FeedType type, Slice payload)
{
	HubGroup *group = hub_find(env->hub, group_name);
	uint8_t	  header[WS_MAX_HEADER];
	size_t	  header_len;
	uint32_t  before;

	if (group == NULL)
		return; /* no member here */
	header_len = ws_frame_header(
		header, type == FEED_BINARY ? WS_BINARY : WS_TEXT, payload.len);
	if (group->turn == NULL)
		group->turn = frame_create(header_len + payload.len);
	before = group->turn != NULL ? group->turn->len : 0;
	if (group->turn == NULL ||
		!frame_append(&group->turn, header, header_len) ||
		!frame_append(&group->turn, payload.ptr, payload.len))
	{
		/* half a frame would end every member's stream */
		if (group->turn != NULL)
			group->turn->len = before;
		log_error("group %s: a message was lost: out of memory", group->name);
		return;
	}
	group->turn->count++;
	hub_mark_dirty(env->hub, group);
	if (group->turn->len >= FANOUT_EARLY_BYTES)
		flush_group(env, group);
}

void
fanout_flush(ClientEnv *env)
{
	HubGroup *group;

	while ((group = hub_take_dirty(env->hub)) != NULL)
		flush_group(env, group);
}
