/*-------------------------------------------------------------------------
 *
 * fanout.h
 *	  A message of a group becomes a frame of this turn, and this turn's frames
 *	  go to every member in one write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_FANOUT_H
#define USHER_FANOUT_H

#include "client.h"

/* Add a message to what its group sends at the end of this turn; position NULL:
 * the group is not durable. */
void fanout_add(ClientEnv *env, Slice group, const Position *position,
				FeedType type, Slice payload);

/* The same for somebody's coming to a group that keeps presence, or leaving it;
 * user is a JSON object.  Clients of the raw mode are not told. */
void fanout_add_presence(ClientEnv *env, Slice group, bool joined, Slice user);

/* End-of-turn step: send every group's frames to its members. */
void fanout_flush(ClientEnv *env);

#endif
