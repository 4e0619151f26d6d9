/*-------------------------------------------------------------------------
 *
 * wheel.c
 *	  Hierarchical timer wheel: arm, cancel and expire in constant time.
 *
 * A slot of level n spans WHEEL_SLOTS^n ticks.  A timer sits in the lowest
 * level whose span holds its distance; when the wheel reaches its slot it
 * cascades to a lower level, and from level 0 it is due.  Model: Varghese and
 * Lauck, "Hashed and Hierarchical Timing Wheels", 1987, scheme 7.
 *
 * A slot is a list whose timers know the pointer that points at them (link),
 * so that a timer leaves any list, a slot's or the due list, without knowing
 * which.
 *
 *-------------------------------------------------------------------------
 */
#include "wheel.h"

/* Ticks the wheel can tell apart; 93 hours with the numbers of wheel.h. */
#define HORIZON_TICKS ((uint64_t) 1 << (WHEEL_BITS * WHEEL_LEVELS))

/* next_tick when nothing is armed. */
#define NEVER UINT64_MAX

/* The first tick at which a timer may fire: rounded up, never too early. */
static uint64_t
due_tick(const WheelTimer *timer)
{
	return timer->due_ms / WHEEL_TICK_MS + (timer->due_ms % WHEEL_TICK_MS != 0);
}

static void
list_push(WheelTimer **head, WheelTimer *timer)
{
	timer->next = *head;
	timer->link = head;
	if (timer->next != NULL)
		timer->next->link = &timer->next;
	*head = timer;
}

static void
list_remove(WheelTimer *timer)
{
	*timer->link = timer->next;
	if (timer->next != NULL)
		timer->next->link = timer->link;
	timer->next = NULL;
	timer->link = NULL;
}

/* Put timer in the slot for tick, which is not before now_tick. */
static void
place(Wheel *wheel, WheelTimer *timer, uint64_t tick)
{
	uint64_t distance = tick - wheel->now_tick;
	uint64_t slot;
	int		 level = 0;

	if (distance >= HORIZON_TICKS)
	{
		distance = HORIZON_TICKS - 1;
		tick = wheel->now_tick + distance;
	}
	while (distance >= WHEEL_SLOTS)
	{
		distance >>= WHEEL_BITS;
		level++;
	}
	slot = tick >> (WHEEL_BITS * level);
	list_push(&wheel->slot[level][slot & (WHEEL_SLOTS - 1)], timer);
	if (slot << (WHEEL_BITS * level) < wheel->next_tick)
		wheel->next_tick = slot << (WHEEL_BITS * level);
}

/*
 * The first tick after now_tick at which a slot that is not empty begins.  A
 * level is searched only as far as the levels below have left it to be first.
 */
static uint64_t
find_next_tick(const Wheel *wheel)
{
	uint64_t next = NEVER;

	for (int level = 0; level < WHEEL_LEVELS; level++)
	{
		int		 shift = WHEEL_BITS * level;
		uint64_t slot = wheel->now_tick >> shift;

		/* The slot we are in comes again after a lap, as the last one. */
		for (int i = 0; i < WHEEL_SLOTS && (++slot << shift) < next; i++)
		{
			if (wheel->slot[level][slot & (WHEEL_SLOTS - 1)] != NULL)
				next = slot << shift;
		}
	}
	return next;
}

void
wheel_init(Wheel *wheel, uint64_t now_ms)
{
	memset(wheel, 0, sizeof(Wheel));
	wheel->now_tick = now_ms / WHEEL_TICK_MS;
	wheel->next_tick = NEVER;
}

void
wheel_arm(Wheel *wheel, WheelTimer *timer, uint64_t due_ms)
{
	uint64_t tick;

	wheel_cancel(wheel, timer);
	timer->due_ms = due_ms;
	tick = due_tick(timer);

	/* The slot of the current tick is looked at again only a lap later. */
	place(wheel, timer, tick > wheel->now_tick ? tick : wheel->now_tick + 1);
	wheel->armed++;
}

void
wheel_cancel(Wheel *wheel, WheelTimer *timer)
{
	if (!wheel_is_armed(timer))
		return;
	list_remove(timer);
	wheel->armed--;

	/* Otherwise it may stay too early, until the next wheel_advance. */
	if (wheel->armed == 0)
		wheel->next_tick = NEVER;
}

uint64_t
wheel_next_ms(const Wheel *wheel)
{
	if (wheel->next_tick > UINT64_MAX / WHEEL_TICK_MS)
		return UINT64_MAX;
	return wheel->next_tick * WHEEL_TICK_MS;
}

/* Spread the slot that the wheel has just reached over the levels below. */
static void
cascade(Wheel *wheel, int level)
{
	WheelTimer **slot =
		&wheel->slot[level][wheel->now_tick >> (WHEEL_BITS * level) &
							(WHEEL_SLOTS - 1)];
	WheelTimer *timer;

	/* Detached first: a timer beyond the horizon may return to this slot. */
	WheelTimer *detached = *slot;

	*slot = NULL;
	if (detached != NULL)
		detached->link = &detached;
	while ((timer = detached) != NULL)
	{
		list_remove(timer);
		place(wheel, timer, due_tick(timer));
	}
}

/* Go one tick on; what is due there is put at *tail, which is returned moved.
 */
static WheelTimer **
step(Wheel *wheel, WheelTimer **tail)
{
	WheelTimer **slot;
	WheelTimer	*timer;

	wheel->now_tick++;
	for (int level = 1; level < WHEEL_LEVELS; level++)
	{
		uint64_t below = ((uint64_t) 1 << (WHEEL_BITS * level)) - 1;

		if ((wheel->now_tick & below) != 0)
			break;
		cascade(wheel, level);
	}

	slot = &wheel->slot[0][wheel->now_tick & (WHEEL_SLOTS - 1)];
	while ((timer = *slot) != NULL)
	{
		list_remove(timer);
		list_push(tail, timer);
		tail = &timer->next;
	}
	return tail;
}

size_t
wheel_advance(Wheel *wheel, uint64_t							  now_ms,
			  void (*on_due)(WheelTimer *timer, void *arg), void *arg)
{
	uint64_t	 target = now_ms / WHEEL_TICK_MS;
	WheelTimer	*due = NULL;
	WheelTimer **tail = &due;
	WheelTimer	*timer;
	size_t		 fired = 0;

	if (target <= wheel->now_tick)
		return 0;

	/* What is empty is skipped, however far it is to the first full slot. */
	if (target < wheel->next_tick)
	{
		wheel->now_tick = target;
		return 0;
	}
	wheel->now_tick = wheel->next_tick - 1;

	/* Everything due is set aside before the first callback: what a callback
	 * arms is then measured from target, and waits for the next call. */
	while (wheel->now_tick < target)
		tail = step(wheel, tail);
	wheel->next_tick = find_next_tick(wheel);

	while ((timer = due) != NULL)
	{
		wheel_cancel(wheel, timer);
		fired++;
		on_due(timer, arg);
	}
	return fired;
}
