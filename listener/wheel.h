/*-------------------------------------------------------------------------
 *
 * wheel.h
 *	  Hierarchical timer wheel: arm, cancel and expire in constant time.
 *
 * A pure data structure; the time is passed in (monotonic milliseconds).  A
 * timer fires at its due time or up to one tick (WHEEL_TICK_MS) later, never
 * before.  Far timers cascade; a due time beyond the wheel's horizon is kept
 * in the last slot and put back until its time has come.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_WHEEL_H
#define USHER_WHEEL_H

#include "common.h"

#define WHEEL_TICK_MS 20
#define WHEEL_BITS 6
#define WHEEL_SLOTS (1 << WHEEL_BITS)
#define WHEEL_LEVELS 4

/* Embedded in its owner; zeroed before first use. */
typedef struct WheelTimer
{
	struct WheelTimer *next, **link; /* link NULL: not armed */
	uint64_t		   due_ms;
} WheelTimer;

typedef struct Wheel
{
	uint64_t now_tick;
	uint64_t next_tick; /* before it no slot needs a look; see wheel_next_ms */
	size_t	 armed;
	WheelTimer *slot[WHEEL_LEVELS][WHEEL_SLOTS];
} Wheel;

void wheel_init(Wheel *wheel, uint64_t now_ms);

/* Arm, or move an armed timer.  A due time in the past fires at the next tick.
 */
void wheel_arm(Wheel *wheel, WheelTimer *timer, uint64_t due_ms);

/* Does nothing when not armed. */
void wheel_cancel(Wheel *wheel, WheelTimer *timer);

static inline bool
wheel_is_armed(const WheelTimer *timer)
{
	return timer->link != NULL;
}

/*
 * wheel_next_ms
 *		Before this time wheel_advance has nothing to do.
 *
 * Something is done then in most cases: a timer fires, or a slot of far timers
 * is spread over nearer ones, which happens at most once a slot.  It may also
 * come to nothing, because a timer was cancelled.  UINT64_MAX when nothing is
 * armed.  Constant time: arming and advancing keep it up to date.
 */
uint64_t wheel_next_ms(const Wheel *wheel);

/*
 * wheel_advance
 *		Fire every timer due at now_ms; returns how many fired.
 *
 * A timer is disarmed before its callback, which may arm or cancel any timer,
 * its own included; one armed in a callback for a time already passed fires
 * in the next call, so a turn is bounded.
 */
size_t wheel_advance(Wheel *wheel, uint64_t								 now_ms,
					 void (*on_due)(WheelTimer *timer, void *arg), void *arg);

#endif
