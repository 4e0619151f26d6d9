/* Rates and counts. */
#include "check.h"
#include "starve.h"
#include "limits.h"

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

/* Take one token if it is there. */
static bool
limit_take(TokenBucket *bucket, uint32_t rate, uint32_t burst, uint64_t now_ms,
		   uint64_t *retry_ms)
{
	uint64_t wait_ms = limit_wait_ms(bucket, 1, rate, burst, now_ms);

	if (wait_ms == 0)
		limit_spend(bucket, 1, rate);
	if (retry_ms != NULL)
		*retry_ms = wait_ms;
	return wait_ms == 0;
}

/* How many takes succeed at one moment. */
static int
take_all(TokenBucket *bucket, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
	int taken = 0;

	while (taken < 10000 && limit_take(bucket, rate, burst, now_ms, NULL))
		taken++;
	return taken;
}

TEST(a_new_bucket_gives_its_burst_and_no_more)
{
	TokenBucket bucket = {0};

	CHECK_INT(take_all(&bucket, 10, 5, 1), 5);
	CHECK_INT(take_all(&bucket, 10, 5, 1), 0);
}

TEST(tokens_come_back_at_the_rate)
{
	TokenBucket bucket = {0};

	CHECK_INT(take_all(&bucket, 10, 5, 1000), 5);
	CHECK_INT(take_all(&bucket, 10, 5, 1099), 0);
	CHECK_INT(take_all(&bucket, 10, 5, 1100), 1);
	CHECK_INT(take_all(&bucket, 10, 5, 1350), 2);
	CHECK_INT(take_all(&bucket, 10, 5, 1400), 1);
}

TEST(a_long_pause_gives_no_more_than_the_burst)
{
	TokenBucket bucket = {0};

	CHECK_INT(take_all(&bucket, 10, 5, 1000), 5);
	CHECK_INT(take_all(&bucket, 10, 5, 1000000000), 5);
}

TEST(an_hour_at_a_third_of_a_second_lets_through_exactly_the_rate)
{
	TokenBucket bucket = {0};
	int			taken = take_all(&bucket, 3, 1, 0);

	for (uint64_t now_ms = 1; now_ms <= 3600 * 1000; now_ms++)
		taken += limit_take(&bucket, 3, 1, now_ms, NULL);
	/* A bucket of one token loses what a tick of 1 ms rounds away. */
	CHECK(taken >= 3 * 3600 * 99 / 100 && taken <= 3 * 3600 + 1);
}

TEST(a_refusal_names_the_moment_at_which_a_token_is_there)
{
	TokenBucket bucket = {0};
	uint64_t	retry_ms = 99;

	CHECK(limit_take(&bucket, 4, 1, 1000, &retry_ms));
	CHECK_INT(retry_ms, 0);
	CHECK(!limit_take(&bucket, 4, 1, 1000, &retry_ms));
	CHECK_INT(retry_ms, 250);
	CHECK(!limit_take(&bucket, 4, 1, 1249, &retry_ms));
	CHECK_INT(retry_ms, 1);
	CHECK(limit_take(&bucket, 4, 1, 1250, &retry_ms));
}

TEST(refused_takes_do_not_push_the_next_token_away)
{
	TokenBucket bucket = {0};

	CHECK(limit_take(&bucket, 1, 1, 0, NULL));
	for (uint64_t now_ms = 1; now_ms < 1000; now_ms++)
		CHECK(!limit_take(&bucket, 1, 1, now_ms, NULL));
	CHECK(limit_take(&bucket, 1, 1, 1000, NULL));
}

TEST(a_rate_of_0_limits_nothing)
{
	TokenBucket bucket = {0};
	uint64_t	retry_ms = 99;

	CHECK_INT(take_all(&bucket, 0, 1, 1), 10000);
	CHECK(limit_take(&bucket, 0, 0, 1, &retry_ms));
	CHECK_INT(retry_ms, 0);
}

TEST(a_burst_of_0_counts_as_1)
{
	TokenBucket bucket = {0};

	CHECK_INT(take_all(&bucket, 10, 0, 1), 1);
}

TEST(a_clock_that_goes_back_gives_nothing_away)
{
	TokenBucket bucket = {0};

	CHECK_INT(take_all(&bucket, 10, 5, 100000), 5);
	CHECK_INT(take_all(&bucket, 10, 5, 10), 0);
	CHECK_INT(take_all(&bucket, 10, 5, 100100), 1);
}

TEST(a_smaller_burst_after_a_reload_does_not_lock_a_client_out)
{
	TokenBucket bucket = {0};

	CHECK_INT(take_all(&bucket, 10, 1000, 0), 1000);
	CHECK_INT(take_all(&bucket, 10, 2, 0), 0);
	CHECK_INT(take_all(&bucket, 10, 2, 100), 1);
}

TEST(many_tokens_are_taken_at_once_or_waited_for)
{
	TokenBucket bucket = {0};

	CHECK_INT(limit_wait_ms(&bucket, 800, 1000, 1000, 1), 0);
	limit_spend(&bucket, 800, 1000);
	CHECK_INT(limit_wait_ms(&bucket, 800, 1000, 1000, 1), 600);
	CHECK_INT(limit_wait_ms(&bucket, 200, 1000, 1000, 1), 0);
	CHECK_INT(limit_wait_ms(&bucket, 800, 1000, 1000, 601), 0);
	/* more than the bucket holds: a full bucket will do */
	CHECK_INT(limit_wait_ms(&bucket, 5000, 1000, 1000, 601), 200);
	CHECK_INT(limit_wait_ms(&bucket, 5000, 1000, 1000, 801), 0);
}

static bool
hold(LimitTable *table, const char *name, uint32_t max)
{
	return limit_hold(table, slice(name), max) != NULL;
}

TEST(a_key_is_held_up_to_its_limit_and_again_after_a_release)
{
	LimitTable table = {0};
	LimitKey  *key = limit_hold(&table, slice("42"), 2);

	CHECK(key != NULL);
	CHECK(limit_hold(&table, slice("42"), 2) == key);
	CHECK(!hold(&table, "42", 2));
	CHECK_INT(limit_count(&table, slice("42")), 2);
	CHECK(hold(&table, "43", 2));
	limit_drop(&table, key);
	CHECK(hold(&table, "42", 2));
	limit_drop(&table, NULL);
	limit_table_fini(&table);
	CHECK_INT(limit_count(&table, slice("42")), 0);
}

TEST(without_a_limit_keys_are_counted_for_a_limit_to_come)
{
	LimitTable table = {0};

	for (int i = 0; i < 5; i++)
		CHECK(hold(&table, "42", 0));
	CHECK(!hold(&table, "42", 5));
	CHECK(hold(&table, "42", 6));
	limit_table_fini(&table);
}

TEST(keys_are_bytes_and_not_text)
{
	LimitTable table = {0};

	CHECK(limit_hold(&table, (Slice){"a\0b", 3}, 1) != NULL);
	CHECK(limit_hold(&table, (Slice){"a\0c", 3}, 1) != NULL);
	CHECK(limit_hold(&table, (Slice){"a", 1}, 1) != NULL);
	CHECK(limit_hold(&table, (Slice){"", 0}, 1) != NULL);
	CHECK(limit_hold(&table, (Slice){"a\0b", 3}, 1) == NULL);
	CHECK(limit_hold(&table, (Slice){"", 0}, 1) == NULL);
	CHECK_INT(limit_key_count(&table), 4);
	limit_table_fini(&table);
}

TEST(a_key_that_nobody_holds_takes_no_memory)
{
	LimitTable table = {0};
	LimitKey  *keys[1000];
	char	   name[32];

	for (int i = 0; i < 1000; i++)
	{
		snprintf(name, sizeof(name), "user %d", i);
		keys[i] = limit_hold(&table, slice(name), 1);
		CHECK(keys[i] != NULL);
	}
	CHECK_INT(limit_key_count(&table), 1000);
	for (int i = 0; i < 1000; i++)
		limit_drop(&table, keys[i]);
	CHECK_INT(limit_key_count(&table), 0);
	CHECK(table.keys == NULL); /* and LeakSanitizer looks at the rest */
}

TEST(whoever_comes_back_finds_the_bucket_as_it_was_left)
{
	LimitTable table = {0};
	LimitKey  *key = limit_hold(&table, slice("42"), 1);

	CHECK_INT(take_all(limit_messages(key), 10, 5, 1000), 5);
	CHECK_INT(take_all(limit_bytes(key), 10, 5, 1000), 5);
	limit_drop(&table, key);
	CHECK_INT(limit_key_count(&table), 0);
	CHECK_INT(limit_count(&table, slice("42")), 0);
	key = limit_hold(&table, slice("42"), 1);
	CHECK(key != NULL);
	CHECK_INT(take_all(limit_messages(key), 10, 5, 1000), 0);
	CHECK_INT(take_all(limit_bytes(key), 10, 5, 1100), 1);
	CHECK(!hold(&table, "42", 1));
	limit_drop(&table, key);
	limit_table_fini(&table);
}

TEST(only_the_last_keys_linger)
{
	LimitTable table = {0};
	char	   name[32];

	for (int i = 0; i < LIMIT_MAX_LINGERING + 5; i++)
	{
		LimitKey *key;

		snprintf(name, sizeof(name), "user %d", i);
		key = limit_hold(&table, slice(name), 1);
		CHECK(key != NULL);
		CHECK_INT(take_all(limit_messages(key), 1, 1, 1), 1);
		limit_drop(&table, key);
	}
	CHECK_INT(table.lingering, LIMIT_MAX_LINGERING);
	CHECK_INT(take_all(limit_messages(limit_hold(&table, slice("user 4"), 1)),
					   1, 1, 1),
			  1);
	CHECK_INT(take_all(limit_messages(limit_hold(&table, slice("user 5"), 1)),
					   1, 1, 1),
			  0);
	limit_table_fini(&table);
}

TEST(what_the_holders_have_between_them_is_limited)
{
	LimitTable table = {0};
	LimitKey  *key = limit_hold(&table, slice("42"), 0);

	CHECK(limit_hold(&table, slice("42"), 0) == key);
	CHECK(limit_use(key, 2));
	CHECK(limit_use(key, 2));
	CHECK(!limit_use(key, 2));
	CHECK(limit_use(key, 0));
	limit_unuse(key, 2);
	CHECK(limit_use(key, 2));
	CHECK(!limit_use(key, 2));
	CHECK(limit_use(NULL, 1));
	limit_unuse(NULL, 1);
	limit_table_fini(&table);
}

TEST(out_of_memory_refuses_and_counts_nothing)
{
	LimitTable table = {0};

	CHECK(hold(&table, "there", 0));
	for (long i = 0; i < 3; i++)
	{
		LimitTable fresh = {0};

		starved = false;
		starve_after = i;
		CHECK(!hold(&fresh, "42", 0));
		starve_after = -1;
		CHECK(starved);
		CHECK_INT(limit_key_count(&fresh), 0);
		CHECK(hold(&fresh, "42", 1));
		limit_table_fini(&fresh);
	}
	starve_after = 0;
	CHECK(!hold(&table, "42", 0));
	CHECK(hold(&table, "there", 0));
	starve_after = -1;
	CHECK_INT(limit_count(&table, slice("42")), 0);
	CHECK_INT(limit_count(&table, slice("there")), 2);
	limit_table_fini(&table);
}

TEST_MAIN()
