/*-------------------------------------------------------------------------
 *
 * loop.c
 *	  The event loop on libuv: descriptors, timers, signals, end of a turn.
 *
 * libuv runs, in each iteration: due uv timers, the prepare handle, the wait
 * for descriptors and their callbacks.  The end-of-turn steps run in the
 * prepare handle, so everything the descriptors and timers of one iteration
 * brought is finished right before the loop blocks again.
 *
 * All timers share one wheel and one uv timer, which is set for the moment when
 * the wheel next has something to do: far timers wake nobody.  It may go off
 * early, after a timer was cancelled, and never late.
 *
 *-------------------------------------------------------------------------
 */
#include "loop.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#define LOOP_MAX_STEPS 8
#define LOOP_MAX_SIGNALS 8
/* Iterations in which others may close their handles: see loop_settle. */
#define LOOP_LAST_TURNS 16

struct LoopWatch
{
	uv_poll_t poll;
	unsigned  events;
	void (*on_event)(void *arg, unsigned ready);
	void *arg;
};

typedef struct LoopStep
{
	void (*step)(void *arg);
	void *arg;
} LoopStep;

typedef struct LoopSignal
{
	uv_signal_t signal;
	void (*on_signal)(void *arg, int signum);
	void *arg;
} LoopSignal;

struct Loop
{
	uv_loop_t	 uv;
	uv_prepare_t prepare;
	uv_timer_t	 tick;
	uv_idle_t	 wake;
	uint64_t	 tick_ms; /* when tick goes off, UINT64_MAX: not set */
	Wheel		 wheel;
	LoopStep	 steps[LOOP_MAX_STEPS];
	size_t		 step_count;
	LoopSignal	 signals[LOOP_MAX_SIGNALS];
	size_t		 signal_count;
};

static void
on_prepare(uv_prepare_t *prepare)
{
	Loop *loop = prepare->data;

	uv_idle_stop(&loop->wake);
	for (size_t i = 0; i < loop->step_count; i++)
		loop->steps[i].step(loop->steps[i].arg);
}

/* Only there to keep the next wait at zero; see loop_wake. */
static void
on_wake(uv_idle_t *idle)
{
	(void) idle;
}

static void
on_timer_due(WheelTimer *wheel_timer, void *arg)
{
	LoopTimer *timer = container_of(wheel_timer, LoopTimer, wheel);

	(void) arg;
	timer->on_due(timer);
}

static void on_tick(uv_timer_t *tick);

/* Have the uv timer go off when the wheel needs it, or before. */
static void
set_tick(Loop *loop)
{
	uint64_t next_ms = wheel_next_ms(&loop->wheel);
	uint64_t now_ms = uv_now(&loop->uv);

	if (next_ms >= loop->tick_ms)
		return;
	loop->tick_ms = next_ms;
	uv_timer_start(&loop->tick, on_tick,
				   next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

static void
on_tick(uv_timer_t *tick)
{
	Loop *loop = tick->data;

	loop->tick_ms = UINT64_MAX;
	wheel_advance(&loop->wheel, uv_now(&loop->uv), on_timer_due, NULL);
	set_tick(loop);
}

Loop *
loop_create(void)
{
	Loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	if (uv_loop_init(&loop->uv) != 0)
	{
		free(loop);
		return NULL;
	}
	uv_prepare_init(&loop->uv, &loop->prepare);
	uv_timer_init(&loop->uv, &loop->tick);
	uv_idle_init(&loop->uv, &loop->wake);
	loop->prepare.data = loop->tick.data = loop->wake.data = loop;
	uv_prepare_start(&loop->prepare, on_prepare);
	wheel_init(&loop->wheel, uv_now(&loop->uv));
	loop->tick_ms = UINT64_MAX;
	return loop;
}

static void
close_handle(uv_handle_t *handle, void *arg)
{
	(void) arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void
loop_settle(Loop *loop)
{
	loop->step_count = 0;
	for (int i = 0; i < LOOP_LAST_TURNS; i++)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
}

/* Everything that uses the loop must be gone: watches, libraries' handles. */
void
loop_destroy(Loop *loop)
{
	if (loop == NULL)
		return;
	loop_settle(loop);
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	free(loop);
}

void
loop_run(Loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void
loop_stop(Loop *loop)
{
	uv_stop(&loop->uv);
}

uint64_t
loop_now_ms(const Loop *loop)
{
	return uv_now(&loop->uv);
}

void *
loop_native(Loop *loop)
{
	return &loop->uv;
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	LoopWatch *watch = poll->data;
	unsigned   ready = 0;

	if (status < 0)
		ready = LOOP_READABLE; /* reading shows the error */
	if (events & (UV_READABLE | UV_DISCONNECT))
		ready |= LOOP_READABLE;
	if (events & UV_WRITABLE)
		ready |= LOOP_WRITABLE;
	watch->on_event(watch->arg, ready);
}

static void
watch_start(LoopWatch *watch)
{
	int events = 0;

	if (watch->events & LOOP_READABLE)
		events |= UV_READABLE;
	if (watch->events & LOOP_WRITABLE)
		events |= UV_WRITABLE;
	if (events == 0)
		uv_poll_stop(&watch->poll);
	else
		uv_poll_start(&watch->poll, events, on_poll);
}

LoopWatch *
loop_watch(Loop *loop, int fd, unsigned events,
		   void (*on_event)(void *arg, unsigned ready), void *arg)
{
	LoopWatch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	if (uv_poll_init(&loop->uv, &watch->poll, fd) != 0)
	{
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	watch->events = events;
	watch->on_event = on_event;
	watch->arg = arg;
	watch_start(watch);
	return watch;
}

void
loop_watch_change(LoopWatch *watch, unsigned events)
{
	if (watch->events == events)
		return;
	watch->events = events;
	watch_start(watch);
}

static void
on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
loop_unwatch(LoopWatch *watch)
{
	if (watch == NULL)
		return;
	/* epoll must forget the descriptor now: its number may be used again. */
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *) &watch->poll, on_watch_closed);
}

void
loop_arm(Loop *loop, LoopTimer *timer, uint64_t due_ms)
{
	uint64_t now_ms = uv_now(&loop->uv);

	/*
	 * The wheel stood still since the last tick.  While it has nothing to do,
	 * bringing it up to now fires nothing, and distances are measured right.
	 */
	if (wheel_next_ms(&loop->wheel) > now_ms)
		wheel_advance(&loop->wheel, now_ms, on_timer_due, NULL);
	wheel_arm(&loop->wheel, &timer->wheel, due_ms);
	set_tick(loop);
}

void
loop_cancel(Loop *loop, LoopTimer *timer)
{
	wheel_cancel(&loop->wheel, &timer->wheel);
}

void
loop_add_turn_step(Loop *loop, void (*step)(void *arg), void *arg)
{
	if (loop->step_count == LOOP_MAX_STEPS)
		abort(); /* a mistake in the program, not in its input */
	loop->steps[loop->step_count++] = (LoopStep){step, arg};
}

void
loop_wake(Loop *loop)
{
	uv_idle_start(&loop->wake, on_wake);
}

static void
on_uv_signal(uv_signal_t *handle, int signum)
{
	LoopSignal *signal = handle->data;

	signal->on_signal(signal->arg, signum);
}

bool
loop_on_signal(Loop *loop, int signum, void (*on_signal)(void *arg, int signum),
			   void *arg)
{
	LoopSignal *slot;

	if (loop->signal_count == LOOP_MAX_SIGNALS)
		return false;
	slot = &loop->signals[loop->signal_count];
	if (uv_signal_init(&loop->uv, &slot->signal) != 0)
		return false;
	loop->signal_count++;
	slot->signal.data = slot;
	slot->on_signal = on_signal;
	slot->arg = arg;
	return uv_signal_start(&slot->signal, on_uv_signal, signum) == 0;
}
