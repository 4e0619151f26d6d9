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
		size_t armed = 0;

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
		model.now_ms += random_below(
			&model, leap[turn % 100 == 0 ? 5 : random_below(&model, 4)]);
		wheel_advance(&model.wheel, model.now_ms, model_fire, &model);

		for (size_t i = 0; i < MODEL_TIMERS; i++)
		{
			armed += model.due_tick[i] != 0;
			if ((model.due_tick[i] != 0) != wheel_is_armed(&model.timer[i]) ||
				(model.due_tick[i] != 0 &&
				 model.due_tick[i] <= model.now_ms / WHEEL_TICK_MS))
				model.wrong++;
		}
		CHECK_INT(model.wheel.armed, armed);
	}
	CHECK_INT(model.wrong, 0);
}

TEST_MAIN()
