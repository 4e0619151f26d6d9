/* The timer wheel, by hand and against a list that is searched. */
#include "check.h"
#include "wheel.h"

/* Everything the callbacks of one test see. */
typedef struct Fired
{
	Wheel	   *wheel;
	WheelTimer *timer[16];
	size_t		count;
} Fired;

static void
remember(WheelTimer *timer, void *arg)
{
	Fired *fired = arg;

	if (fired->count < lengthof(fired->timer))
		fired->timer[fired->count++] = timer;
}

static void
rearm(WheelTimer *timer, void *arg)
{
	Fired *fired = arg;

	remember(timer, arg);
	wheel_arm(fired->wheel, timer, 0);
}

static void
cancel_all_others(WheelTimer *timer, void *arg)
{
	Fired *fired = arg;

	for (size_t i = 0; i < lengthof(fired->timer); i++)
	{
		if (fired->timer[i] != NULL && fired->timer[i] != timer)
			wheel_cancel(fired->wheel, fired->timer[i]);
	}
	fired->count++;
}

TEST(a_timer_fires_once_at_its_time_or_up_to_a_tick_later)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 1000);
	wheel_arm(&wheel, &timer, 1105);
	CHECK(wheel_is_armed(&timer));
	CHECK_INT(wheel_advance(&wheel, 1104, remember, &fired), 0);
	CHECK_INT(wheel_advance(&wheel, 1105 + WHEEL_TICK_MS, remember, &fired), 1);
	CHECK(fired.timer[0] == &timer);
	CHECK(!wheel_is_armed(&timer));
	CHECK_INT(wheel_advance(&wheel, 999999, remember, &fired), 0);
	CHECK_INT(wheel.armed, 0);
}

TEST(a_timer_for_a_time_that_has_passed_fires_at_the_next_tick)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 5000);
	wheel_arm(&wheel, &timer, 10);
	CHECK_INT(wheel_advance(&wheel, 5000, remember, &fired), 0);
	CHECK_INT(wheel_advance(&wheel, 5000 + WHEEL_TICK_MS, remember, &fired), 1);
}

TEST(a_cancelled_timer_does_not_fire_and_may_be_cancelled_again)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 0);
	wheel_cancel(&wheel, &timer);
	wheel_arm(&wheel, &timer, 100);
	wheel_cancel(&wheel, &timer);
	wheel_cancel(&wheel, &timer);
	CHECK_INT(wheel.armed, 0);
	CHECK_INT(wheel_advance(&wheel, 1000, remember, &fired), 0);
}

TEST(arming_an_armed_timer_moves_it)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 0);
	wheel_arm(&wheel, &timer, 100);
	wheel_arm(&wheel, &timer, 100000);
	CHECK_INT(wheel.armed, 1);
	CHECK_INT(wheel_advance(&wheel, 99999, remember, &fired), 0);
	wheel_arm(&wheel, &timer, 100040);
	CHECK_INT(wheel_advance(&wheel, 100040, remember, &fired), 1);
}

TEST(timers_fire_in_the_order_of_their_ticks_after_a_long_pause)
{
	Wheel	   wheel;
	WheelTimer timer[5] = {{0}};
	uint64_t   due_ms[5] = {700000, 40, 90000, 1300, 200};
	int		   order[5] = {1, 4, 3, 2, 0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 0);
	for (int i = 0; i < 5; i++)
		wheel_arm(&wheel, &timer[i], due_ms[i]);
	CHECK_INT(wheel_advance(&wheel, 800000, remember, &fired), 5);
	for (int i = 0; i < 5; i++)
		CHECK(fired.timer[i] == &timer[order[i]]);
}

TEST(a_callback_that_arms_itself_for_the_past_waits_for_the_next_turn)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 0);
	wheel_arm(&wheel, &timer, 20);
	CHECK_INT(wheel_advance(&wheel, 10000, rearm, &fired), 1);
	CHECK(wheel_is_armed(&timer));
	CHECK_INT(wheel_advance(&wheel, 10000, rearm, &fired), 0);
	CHECK_INT(wheel_advance(&wheel, 20000, rearm, &fired), 1);
	wheel_cancel(&wheel, &timer);
	CHECK_INT(wheel.armed, 0);
}

TEST(a_callback_may_cancel_a_timer_that_is_due_in_the_same_turn)
{
	Wheel	   wheel;
	WheelTimer timer[3] = {{0}};
	Fired	   fired = {&wheel, {&timer[0], &timer[1], &timer[2]}, 0};

	wheel_init(&wheel, 0);
	for (int i = 0; i < 3; i++)
		wheel_arm(&wheel, &timer[i], 100);
	CHECK_INT(wheel_advance(&wheel, 1000, cancel_all_others, &fired), 1);
	CHECK_INT(fired.count, 1);
	CHECK_INT(wheel.armed, 0);
	for (int i = 0; i < 3; i++)
		CHECK(!wheel_is_armed(&timer[i]));
}

TEST(a_timer_beyond_the_horizon_of_93_hours_fires_at_its_own_time)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};
	uint64_t   hour_ms = 3600 * 1000;

	wheel_init(&wheel, 12345);
	wheel_arm(&wheel, &timer, 400 * hour_ms);
	CHECK_INT(wheel_advance(&wheel, 400 * hour_ms - 1, remember, &fired), 0);
	CHECK_INT(wheel_advance(&wheel, 400 * hour_ms, remember, &fired), 1);
}

TEST(a_timer_for_the_end_of_time_never_fires)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 0);
	wheel_arm(&wheel, &timer, UINT64_MAX);
	CHECK_INT(wheel_advance(&wheel, 1000ULL * 3600 * 200, remember, &fired), 0);
	CHECK(wheel_is_armed(&timer));
	wheel_cancel(&wheel, &timer);
	CHECK_INT(wheel.armed, 0);
}

TEST(a_clock_that_goes_back_fires_nothing)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 100000);
	wheel_arm(&wheel, &timer, 100100);
	CHECK_INT(wheel_advance(&wheel, 50, remember, &fired), 0);
	CHECK_INT(wheel_advance(&wheel, 100100, remember, &fired), 1);
}

TEST(an_idle_wheel_skips_any_distance_at_once)
{
	Wheel	   wheel;
	WheelTimer timer = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 0);
	CHECK_INT(wheel_advance(&wheel, UINT64_MAX / 2, remember, &fired), 0);
	wheel_arm(&wheel, &timer, UINT64_MAX / 2 + 100);
	CHECK_INT(wheel_advance(&wheel, UINT64_MAX / 2 + 120, remember, &fired), 1);
}

TEST(an_empty_wheel_has_no_next_time)
{
	Wheel	   wheel;
	WheelTimer timer[2] = {{0}};
	Fired	   fired = {&wheel, {NULL}, 0};

	wheel_init(&wheel, 5000);
	CHECK(wheel_next_ms(&wheel) == UINT64_MAX);
	wheel_arm(&wheel, &timer[0], 9000);
	wheel_arm(&wheel, &timer[1], 9000);
	wheel_cancel(&wheel, &timer[0]);
	CHECK(wheel_next_ms(&wheel) <= 9000);
	wheel_cancel(&wheel, &timer[1]);
	CHECK(wheel_next_ms(&wheel) == UINT64_MAX);
	wheel_arm(&wheel, &timer[0], 9000);
	CHECK_INT(wheel_advance(&wheel, 9000, remember, &fired), 1);
	CHECK(wheel_next_ms(&wheel) == UINT64_MAX);
}

TEST(the_next_time_is_that_of_the_nearest_timer_rounded_up_to_its_tick)
{
	Wheel	   wheel;
	WheelTimer far_off = {0};
	WheelTimer near = {0};
	WheelTimer past = {0};

	wheel_init(&wheel, 1000);
	wheel_arm(&wheel, &far_off, 1900);
	CHECK_INT(wheel_next_ms(&wheel), 1900);
	wheel_arm(&wheel, &near, 1101);
	CHECK_INT(wheel_next_ms(&wheel), 1120);
	wheel_arm(&wheel, &past, 10);
	CHECK_INT(wheel_next_ms(&wheel), 1000 + WHEEL_TICK_MS);
}

TEST(a_timer_a_whole_lap_ahead_is_not_overlooked_in_the_slot_we_are_in)
{
	Wheel	   wheel;
	WheelTimer near = {0};
	WheelTimer lap_ahead = {0};
	Fired	   fired = {&wheel, {NULL}, 0};

	/* Tick 50 is in slot 0 of level 1, and so is tick 64 * 64 + 10. */
	wheel_init(&wheel, 50 * WHEEL_TICK_MS);
	wheel_arm(&wheel, &near, 51 * WHEEL_TICK_MS);
	wheel_arm(&wheel, &lap_ahead, (64 * 64 + 10) * WHEEL_TICK_MS);
	CHECK_INT(wheel_advance(&wheel, 51 * WHEEL_TICK_MS, remember, &fired), 1);
	CHECK_INT(wheel_next_ms(&wheel), 64 * 64 * WHEEL_TICK_MS);
}

/* Advance at the times the wheel asks for only; returns how often it did. */
static int
advance_as_asked(Wheel *wheel, uint64_t								 until_ms,
				 void (*on_due)(WheelTimer *timer, void *arg), void *arg)
{
	int wakes = 0;

	for (; wheel_next_ms(wheel) <= until_ms; wakes++)
		wheel_advance(wheel, wheel_next_ms(wheel), on_due, arg);
	return wakes;
}

TEST(ten_thousand_far_timers_wake_their_owner_less_than_once_a_second)
{
	static WheelTimer timer[10000];
	Wheel			  wheel;
	Fired			  fired = {&wheel, {NULL}, 0};
	int				  wakes;

	/* Idle clients' timers: spread over 30 to 60 seconds from now. */
	wheel_init(&wheel, 777);
	for (uint64_t i = 0; i < 10000; i++)
		wheel_arm(&wheel, &timer[i], 30777 + i * 3);
	wakes = advance_as_asked(&wheel, 30776, remember, &fired);
	check_at("%d wakes", wakes);
	CHECK(wakes < 30);
	CHECK_INT(fired.count, 0);

	/* Sessions' timers: spread over one to eleven hours. */
	for (uint64_t i = 0; i < 10000; i++)
		wheel_arm(&wheel, &timer[i], 3600 * 1000 + i * 3600);
	wakes = advance_as_asked(&wheel, 3600 * 1000 - 1, remember, &fired);
	check_at("%d wakes in an hour", wakes);
	CHECK(wakes < 100);
	CHECK_INT(fired.count, 0);
	CHECK_INT(wheel.armed, 10000);
}

/* The model: an array of due times, 0 when not armed, and the current tick. */
#define MODEL_TIMERS 200

typedef struct Model
{
	Wheel	   wheel;
	WheelTimer timer[MODEL_TIMERS];
	uint64_t   due_tick[MODEL_TIMERS];
	uint64_t   now_ms;
	uint64_t   random;
	int		   wrong;
} Model;

/* xorshift64*, so that a failure repeats. */
static uint64_t
random_below(Model *model, uint64_t bound)
{
	model->random ^= model->random >> 12;
	model->random ^= model->random << 25;
	model->random ^= model->random >> 27;
	return (model->random * 0x2545F4914F6CDD1DULL >> 11) % bound;
}

static void
model_arm(Model *model, size_t i)
{
	static const uint64_t span[] = {100,	 2000,		100000,
									7000000, 400000000, 2000000000};
	uint64_t			  due_ms =
		model->now_ms + random_below(model, span[random_below(model, 6)]);
	uint64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	uint64_t now_tick = model->now_ms / WHEEL_TICK_MS;

	wheel_arm(&model->wheel, &model->timer[i], due_ms);
	model->due_tick[i] = tick > now_tick ? tick : now_tick + 1;
}

static void
model_fire(WheelTimer *timer, void *arg)
{
	Model *model = arg;
	size_t i = (size_t) (timer - model->timer);
	size_t other = random_below(model, MODEL_TIMERS);

	if (model->due_tick[i] == 0 ||
		model->due_tick[i] > model->now_ms / WHEEL_TICK_MS)
		model->wrong++;
	model->due_tick[i] = 0;

	/* A callback arms and cancels, itself and others. */
	if (random_below(model, 4) == 0)
		model_arm(model, i);
	if (random_below(model, 8) == 0)
	{
		wheel_cancel(&model->wheel, &model->timer[other]);
		model->due_tick[other] = 0;
	}
}

/* Nobody was forgotten, and the next look comes before anybody is. */
static void
model_check_overdue(Model *model)
{
	uint64_t nearest_ms = UINT64_MAX;

	for (size_t i = 0; i < MODEL_TIMERS; i++)
	{
		if (model->due_tick[i] == 0)
			continue;
		if (model->due_tick[i] <= model->now_ms / WHEEL_TICK_MS)
			model->wrong++;
		if (model->due_tick[i] * WHEEL_TICK_MS < nearest_ms)
			nearest_ms = model->due_tick[i] * WHEEL_TICK_MS;
	}
	CHECK(wheel_next_ms(&model->wheel) <= nearest_ms);
	CHECK((wheel_next_ms(&model->wheel) == UINT64_MAX) ==
		  (nearest_ms == UINT64_MAX));
}

TEST(random_use_fires_what_a_searched_list_would_fire)
{
	static const uint64_t leap[] = {5, 50, 1500, 90000, 6000000, 100000000};
	static Model		  model;

	model.random = 20261123;
	printf("# seed %llu\n", (unsigned long long) model.random);
	model.now_ms = 987654321;
	wheel_init(&model.wheel, model.now_ms);
	for (int turn = 0; turn < 3000 && model.wrong == 0; turn++)
	{
		size_t	 armed = 0;
		uint64_t until_ms;

		check_at("turn %d", turn);
		for (int i = 0; i < 20; i++)
		{
			size_t which = random_below(&model, MODEL_TIMERS);

			if (random_below(&model, 3) > 0)
				model_arm(&model, which);
			else
			{
				wheel_cancel(&model.wheel, &model.timer[which]);
				model.due_tick[which] = 0;
			}
		}
		/* Long leaps are rare: each walks the wheel tick by tick. */
		until_ms =
			model.now_ms +
			random_below(&model,
						 leap[turn % 100 == 0 ? 5 : random_below(&model, 4)]);

		/* Go there at once, or by the steps the wheel itself asks for. */
		while (turn % 2 == 0 && wheel_next_ms(&model.wheel) <= until_ms)
		{
			CHECK(wheel_next_ms(&model.wheel) > model.now_ms);
			model.now_ms = wheel_next_ms(&model.wheel);
			wheel_advance(&model.wheel, model.now_ms, model_fire, &model);
			model_check_overdue(&model);
		}
		model.now_ms = until_ms;
		wheel_advance(&model.wheel, model.now_ms, model_fire, &model);

		for (size_t i = 0; i < MODEL_TIMERS; i++)
		{
			armed += model.due_tick[i] != 0;
			model.wrong +=
				(model.due_tick[i] != 0) != wheel_is_armed(&model.timer[i]);
		}
		model_check_overdue(&model);
		CHECK_INT(model.wheel.armed, armed);
	}
	CHECK_INT(model.wrong, 0);
}

TEST_MAIN()
