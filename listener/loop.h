/*-------------------------------------------------------------------------
 *
 * loop.h
 *	  The event loop: descriptors, timers, signals and the end of a turn.
 *	  The only room with libuv, and the only place that blocks.
 *
 * One turn: wait, run the callbacks of ready descriptors and due timers, then
 * the end-of-turn steps in the order they were added (drain, flush, reap).
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_LOOP_H
#define USHER_LOOP_H

#include "common.h"
#include "wheel.h"

typedef struct Loop		 Loop;
typedef struct LoopWatch LoopWatch;

#define LOOP_READABLE 1u
#define LOOP_WRITABLE 2u

Loop *loop_create(void) MUST_CHECK;
void  loop_destroy(Loop *loop);

/*
 * loop_settle
 *		Run a few turns without waiting and without end-of-turn steps (they are
 *		forgotten), so that a library can close its handles.  For the end only.
 */
void loop_settle(Loop *loop);

/* Runs until loop_stop; callbacks may call anything here. */
void loop_run(Loop *loop);
void loop_stop(Loop *loop);

/* Monotonic milliseconds, as of the start of the present turn. */
uint64_t loop_now_ms(const Loop *loop);

/* The library's own loop, for transport.c to lend to libwebsockets. */
void *loop_native(Loop *loop);

/*
 * loop_watch
 *		Call on_event(arg, ready) whenever fd is ready for any of events.
 *
 * events may be 0 (nothing yet).  fd is borrowed and must stay open until
 * loop_unwatch.  ready has LOOP_READABLE set on errors and hang-ups too.
 * Returns NULL when out of memory or fd cannot be polled.
 */
LoopWatch *loop_watch(Loop *loop, int fd, unsigned events,
					  void (*on_event)(void *arg, unsigned ready),
					  void *arg) MUST_CHECK;
void	   loop_watch_change(LoopWatch *watch, unsigned events);

/* Stops at once; the watch must not be used afterwards.  Accepts NULL. */
void loop_unwatch(LoopWatch *watch);

/* A timer on the loop's wheel; embedded, zeroed and given on_due by its owner.
 */
typedef struct LoopTimer
{
	WheelTimer wheel;
	void (*on_due)(struct LoopTimer *timer);
} LoopTimer;

void loop_arm(Loop *loop, LoopTimer *timer, uint64_t due_ms);
void loop_cancel(Loop *loop, LoopTimer *timer);

/* Add a step to the end of every turn (at most 8). */
void loop_add_turn_step(Loop *loop, void (*step)(void *arg), void *arg);

/* Make the loop start another turn soon without waiting for an event. */
void loop_wake(Loop *loop);

/* Call on_signal in the loop, not in the handler. */
bool loop_on_signal(Loop *loop, int signum,
					void (*on_signal)(void *arg, int signum),
					void *arg) MUST_CHECK;

#endif
