/* The loop's timers, with the real libuv and the real time. */
#include "check.h"
#include "loop.h"

#include <unistd.h>

static Loop *loop;
static int	 turns;
static int	 fired;

static void
count_turn(void *arg)
{
	(void) arg;
	turns++;
}

static void
stop(LoopTimer *timer)
{
	(void) timer;
	loop_stop(loop);
}

static void
count_fired(LoopTimer *timer)
{
	(void) timer;
	fired++;
}

static void
begin(void)
{
	alarm(20); /* a timer that never fires must not hang the tests */
	turns = 0;
	fired = 0;
	loop = loop_create();
	if (loop == NULL)
		abort();
	loop_add_turn_step(loop, count_turn, NULL);
}

/* Milliseconds until stop() is called. */
static uint64_t
run(void)
{
	uint64_t start_ms = loop_now_ms(loop);

	loop_run(loop);
	return loop_now_ms(loop) - start_ms;
}

TEST(ten_thousand_far_timers_hardly_wake_the_loop)
{
	static LoopTimer far_off[10000];
	LoopTimer		 end = {.on_due = stop};

	begin();
	for (uint64_t i = 0; i < 10000; i++)
	{
		far_off[i].on_due = count_fired;
		loop_arm(loop, &far_off[i], loop_now_ms(loop) + 20000 + i);
	}
	loop_arm(loop, &end, loop_now_ms(loop) + 1900);
	run();
	CHECK_INT(fired, 0);

	/* The one that ends it, its slot's cascade, and another cascade; a wheel
	 * that ticks makes 95. */
	check_at("%d turns in 1.9 s", turns);
	CHECK(turns <= 5);
	for (int i = 0; i < 10000; i++)
		loop_cancel(loop, &far_off[i]);
	loop_destroy(loop);
}

TEST(a_near_timer_armed_after_a_far_one_is_not_late)
{
	LoopTimer far_off = {.on_due = count_fired};
	LoopTimer near = {.on_due = stop};
	uint64_t  took_ms;

	begin();
	loop_arm(loop, &far_off, loop_now_ms(loop) + 3600 * 1000);
	loop_arm(loop, &near, loop_now_ms(loop) + 100);
	took_ms = run();
	check_at("%d ms", (int) took_ms);
	CHECK(took_ms >= 100 && took_ms < 1000);
	CHECK_INT(fired, 0);
	loop_cancel(loop, &far_off);
	loop_destroy(loop);
}

static LoopTimer second;

static void
arm_second(LoopTimer *timer)
{
	(void) timer;
	fired++;
	loop_arm(loop, &second, loop_now_ms(loop) + 60);
}

TEST(a_timer_armed_by_another_ones_callback_fires_in_its_turn)
{
	LoopTimer far_off = {.on_due = count_fired};
	LoopTimer first = {.on_due = arm_second};
	uint64_t  took_ms;

	begin();
	second = (LoopTimer){.on_due = stop};
	loop_arm(loop, &far_off, loop_now_ms(loop) + 3600 * 1000);
	loop_arm(loop, &first, loop_now_ms(loop) + 60);
	took_ms = run();
	check_at("%d ms", (int) took_ms);
	CHECK_INT(fired, 1);
	CHECK(took_ms >= 120 && took_ms < 1000);
	loop_cancel(loop, &far_off);
	loop_destroy(loop);
}

static void
again(LoopTimer *timer)
{
	if (++fired == 4)
		loop_stop(loop);
	else
		loop_arm(loop, timer, 0);
}

TEST(a_timer_that_always_arms_itself_for_now_does_not_spin)
{
	LoopTimer timer = {.on_due = again};
	uint64_t  took_ms;

	begin();
	loop_arm(loop, &timer, 0);
	took_ms = run();
	check_at("%d ms", (int) took_ms);
	CHECK(took_ms >= 3 * WHEEL_TICK_MS);
	loop_destroy(loop);
}

TEST(after_a_nearer_timer_was_cancelled_the_farther_one_still_fires)
{
	LoopTimer near = {.on_due = count_fired};
	LoopTimer farther = {.on_due = stop};
	uint64_t  took_ms;

	begin();
	loop_arm(loop, &near, loop_now_ms(loop) + 40);
	loop_arm(loop, &farther, loop_now_ms(loop) + 120);
	loop_cancel(loop, &near);
	took_ms = run();
	check_at("%d ms", (int) took_ms);
	CHECK_INT(fired, 0);
	CHECK(took_ms >= 120 && took_ms < 1000);
	loop_destroy(loop);
}

TEST_MAIN()
