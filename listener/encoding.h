/*-------------------------------------------------------------------------
 *
 * encoding.h
 *	  A message of a group as WebSocket frames, in each form that members take.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ENCODING_H
#define USHER_ENCODING_H

#include "feed.h"
#include "frame.h"
#include "hub.h"
#include "protocol.h"
#include "websocket.h"

/*
 * encoding_append
 *		Add one WebSocket message to a frame, which is made when NULL.
 *
 * False when out of memory; the frame is then as it was.
 */
bool encoding_append(Frame **frame, WsOpcode opcode, Slice body) MUST_CHECK;

/* The same for a message of a group, as members of that format get it;
 * position NULL: the group is not durable. */
bool encoding_append_message(Frame **frame, HubFormat format, Slice group,
							 const Position *position, FeedType type,
							 Slice payload) MUST_CHECK;

#endif
