/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  A message of a group as WebSocket frames, in each form that members take.
 *
 *-------------------------------------------------------------------------
 */
#include "encoding.h"

bool
encoding_append(Frame **frame, WsOpcode opcode, Slice body)
{
	uint8_t	 header[WS_MAX_HEADER];
	size_t	 header_len = ws_frame_header(header, opcode, body.len);
	uint32_t before;

	if (*frame == NULL)
		*frame = frame_create(header_len + body.len);
	if (*frame == NULL)
		return false;
	before = (*frame)->len;
	if (!frame_append(frame, header, header_len) ||
		!frame_append(frame, body.ptr, body.len))
	{
		/* half a frame would end every member's stream */
		(*frame)->len = before;
		return false;
	}
	(*frame)->count++;
	return true;
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

bool
encoding_append_message(Frame **frame, HubFormat format, Slice group,
						const Position *position, FeedType type, Slice payload)
{
	ProtocolText text = {0};
	bool		 done;

	if (format == HUB_RAW)
		return encoding_append(frame, type == FEED_BINARY ? WS_BINARY : WS_TEXT,
							   payload);
	protocol_write_message(&text, group, position, protocol_format(type),
						   payload);
	done = !text.failed &&
		   encoding_append(frame, WS_TEXT, (Slice){text.bytes, text.len});
	protocol_text_fini(&text);
	return done;
}
