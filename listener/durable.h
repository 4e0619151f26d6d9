/*-------------------------------------------------------------------------
 *
 * durable.h
 *	  Members of durable groups: what they missed, and then what comes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_DURABLE_H
#define USHER_DURABLE_H

#include "client.h"

/*
 * durable_enter
 *		A seat was taken in a durable group.
 *
 * since: the client says that it saw everything up to position (seq 0 without
 * a tag: something that cannot be).  env->on_seat_decided says when the seat
 * can be opened, perhaps from within; seat->resume then holds what the client
 * is to be told.
 */
void durable_enter(Seat *seat, bool since, const Position *position);

/* The seat has been opened, and the client told so: send it what it missed. */
void durable_begin(Seat *seat);

/* The category of an open seat became durable; or is so no more. */
void durable_adopt(Seat *seat);
void durable_abandon(Seat *seat);

/* The feed: a message, more of them than it tells, and that it is ready. */
void durable_on_message(ClientEnv *env, Slice group, const Position *position,
						FeedType type, Slice payload);
void durable_on_overrun(ClientEnv *env);
void durable_on_feed_ready(ClientEnv *env);

/* End-of-turn step, when fanout has flushed: load streams, replay. */
void durable_pump(ClientEnv *env);

#endif
