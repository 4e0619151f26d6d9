/*-------------------------------------------------------------------------
 *
 * replay.h
 *	  Members of durable groups who are told what they missed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_REPLAY_H
#define USHER_REPLAY_H

#include "client.h"

/* Messages of one question to the database. */
#define REPLAY_PAGE_MESSAGES 500

/* How long to leave a database alone that could not answer. */
#define REPLAY_RETRY_MS 1000

/* Decide where the seat begins, if its stream is live: env->on_seat_decided
 * says so, now or when the database has been asked. */
void replay_decide(Resume *resume);

/* Tell a member that the stream was broken, and goes on after last. */
void replay_say_reset(Seat *seat, const Position *last);

/* End-of-turn step, when fanout has flushed. */
void replay_pump(ClientEnv *env);

#endif
