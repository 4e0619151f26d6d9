/*
 * The feed over a link that comes and goes: how it becomes ready, what it hands
 * out, what it notices when the server is silent.
 *
 * Long because each thing that comes over the connection needs its test.
 */
#include "check.h"
#include "fake_link.h"
#include "feed.h"

static char	   told[8192];
static Feed	  *feed;
static PgLink *link_up;

static void note(const char *format, ...) PRINTF_LIKE(1, 2);

static void
note(const char *format, ...)
{
	size_t	used = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + used, sizeof(told) - used, format, args);
	va_end(args);
}

/* What the feed said since the last time. */
static const char *
said(void)
{
	static char text[sizeof(told)];

	memcpy(text, told, sizeof(told));
	told[0] = '\0';
	return text;
}

static void
on_message(void *arg, Slice group, FeedType type, Slice payload)
{
	(void) arg;
	note("%.*s%c%.*s ", (int) group.len, group.ptr, "=:#"[type],
		 (int) payload.len, payload.ptr);
}

static void
on_revoke(void *arg, FeedRevoke what, Slice key)
{
	(void) arg;
	note("revoke-%c-%.*s ", "cuka"[what], (int) key.len,
		 key.ptr != NULL ? key.ptr : "");
}

static void
on_kick(void *arg, Slice group, Slice user_id)
{
	(void) arg;
	note("kick-%.*s-%.*s ", (int) group.len, group.ptr, (int) user_id.len,
		 user_id.ptr);
}

static void
on_policy(void *arg, Slice category)
{
	(void) arg;
	note("policy-%.*s ", (int) category.len, category.ptr);
}

static void
on_ends_sooner(void *arg, Slice credential_id)
{
	(void) arg;
	note("sooner-%.*s ", (int) credential_id.len, credential_id.ptr);
}

static void
on_recheck_group(void *arg, Slice group)
{
	(void) arg;
	note("group-%.*s ", (int) group.len, group.ptr);
}

static void
on_recheck_user(void *arg, Slice user_id)
{
	(void) arg;
	note("user-%.*s ", (int) user_id.len, user_id.ptr);
}

static void
on_presence(void *arg, Slice group, bool joined, Slice user)
{
	(void) arg;
	note("%s-%.*s-%.*s ", joined ? "joined" : "left", (int) group.len,
		 group.ptr, (int) user.len, user.ptr);
}

static void
on_durable(void *arg, Slice group, const Position *position, FeedType type,
		   Slice payload)
{
	(void) arg;
	note("%.*s-%llu.%s%s%.*s ", (int) group.len, group.ptr,
		 (unsigned long long) position->seq, position->tag,
		 type == FEED_TEXT	 ? "="
		 : type == FEED_JSON ? ":"
							 : "#",
		 (int) payload.len, payload.ptr);
}

static void
on_overrun(void *arg)
{
	(void) arg;
	note("overrun ");
}

static void
on_ready(void *arg, bool after_gap)
{
	(void) arg;
	note(after_gap ? "ready-after-gap " : "ready ");
}

static void
on_down(void *arg)
{
	(void) arg;
	note("down ");
}

static void
on_listening(void *arg, Slice group, bool ok)
{
	(void) arg;
	note("%s-%.*s ", ok ? "listening" : "refused", (int) group.len, group.ptr);
}

static const FeedHandler handler = {
	.on_message = on_message,
	.on_revoke = on_revoke,
	.on_kick = on_kick,
	.on_policy = on_policy,
	.on_ends_sooner = on_ends_sooner,
	.on_recheck_group = on_recheck_group,
	.on_recheck_user = on_recheck_user,
	.on_presence = on_presence,
	.on_durable = on_durable,
	.on_overrun = on_overrun,
	.on_ready = on_ready,
	.on_down = on_down,
	.on_listening = on_listening,
};

static void
step(void *arg)
{
	(void) arg;
	feed_turn(feed);
}

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

static const char *const start_row[] = {"usher_secret", "1.0", "1048576"};
static const char *const canary_row[] = {"0.25"};
static const char *const fetch_row[] = {"@ 1:1:"};

/* Answer whatever is fetched, as if nothing had been committed. */
static void
settle(void)
{
	while (fake_waiting(link_up) > 0 &&
		   strncmp(fake_request(link_up, 0), "SELECT usher.fetch", 18) == 0)
		fake_answer(link_up, fetch_row, 1);
}

static void
turn(void)
{
	fake_turn();
	if (feed != NULL && link_up->up)
		settle();
}

static void
pass(uint64_t ms)
{
	fake_pass(ms);
	if (feed != NULL && link_up->up)
		settle();
}

static void
begin(void)
{
	FeedOptions options = {.conninfo = "", .canary_interval_ms = 2000};

	fake_reset();
	told[0] = '\0';
	feed = feed_create(&fake_loop, &options, &handler, NULL);
	loop_add_turn_step(&fake_loop, step, NULL);
	link_up = fake_links[0];
}

/* Send the canary's notification, as PostgreSQL does with its answer. */
static void
echo_canary(void)
{
	const char *request;
	const char *open;
	char		line[80];

	settle();
	request = fake_request(link_up, 0);
	open = strchr(request, '(');

	if (!CHECK(strncmp(request, "SELECT usher.canary", 19) == 0) ||
		!CHECK(open != NULL) || !CHECK((open = strrchr(request, '(')) != NULL))
		return;
	snprintf(line, sizeof(line), "? %.*s", (int) strlen(open) - 2, open + 1);
	fake_answer(link_up, canary_row, 1);
	fake_notify(link_up, "usher_secret", line);
	settle();
}

static void
answer_start(void)
{
	CHECK(strstr(fake_request(link_up, 0), "usher.listener_start()") != NULL);
	fake_answer(link_up, start_row, 3);
	CHECK_STR(fake_request(link_up, 0), "LISTEN \"usher_secret\"");
}

static void
become_ready(void)
{
	fake_up(link_up);
	answer_start();
	fake_answer(link_up, NULL, 0);
	echo_canary();
	turn();
}

TEST(it_is_ready_when_it_has_heard_itself_and_not_before)
{
	begin();
	fake_up(link_up);
	CHECK(!feed_health(feed).ready);
	answer_start();
	CHECK(!feed_health(feed).ready);
	fake_answer(link_up, NULL, 0);
	fake_notify(link_up, "usher_secret", "? another listener's");
	CHECK(!feed_health(feed).ready);
	CHECK(feed_health(feed).canary_age_ms == UINT64_MAX);
	CHECK(!link_up->proven);
	CHECK_STR(said(), "");
	echo_canary();
	CHECK(feed_health(feed).ready);
	CHECK(link_up->proven);
	CHECK_STR(said(), "ready ");
	CHECK_INT(feed_health(feed).canary_age_ms, 0);
	CHECK(feed_health(feed).queue_usage == 0.25);
	feed_destroy(feed);
}

TEST(revocations_of_a_turn_are_handed_out_before_its_messages)
{
	begin();
	become_ready();
	(void) said();
	fake_notify(link_up, "usher_secret", "m 1 t app_1,app_2 hello");
	fake_notify(link_up, "usher_secret", "m 2 j app_1 {\"a\": 1}");
	fake_notify(link_up, "usher_secret", "m 3 b app_1 Zm9v");
	fake_notify(link_up, "usher_secret", "r 4 u bob");
	fake_notify(link_up, "usher_secret", "r 5 c c0ff");
	fake_notify(link_up, "usher_secret", "r 6 k token");
	fake_notify(link_up, "usher_secret", "r 7 a");
	fake_notify(link_up, "usher_secret", "k 8 app_1 bob");
	fake_notify(link_up, "usher_secret", "p 9 app");
	fake_notify(link_up, "usher_secret", "e 10 c7");
	fake_notify(link_up, "usher_secret", "s 11 j app_1 {}");
	fake_notify(link_up, "usher_secret", "s 12 l app_1 {}");
	fake_notify(link_up, "usher_secret", "q 13 g app_1");
	fake_notify(link_up, "usher_secret", "q 14 u eve");
	CHECK_STR(said(), "");
	turn();
	CHECK_STR(said(), "revoke-u-bob revoke-c-c0ff revoke-k-token revoke-a- "
					  "kick-app_1-bob policy-app sooner-c7 "
					  "group-app_1 user-eve "
					  "app_1=hello app_2=hello app_1:{\"a\": 1} app_1#foo "
					  "joined-app_1-{} left-app_1-{} ");
	feed_destroy(feed);
}

TEST(a_bell_fetches_and_what_is_fetched_comes_behind_revocations)
{
	static const char *const rows[] = {"@ 5:9:7",
									   "d 3 00000000000000ab j app_1 {}",
									   "d 4 00000000000000ac b app_1 Zm9v"};

	begin();
	become_ready();
	(void) said();
	fake_notify(link_up, "usher_secret", "b");
	fake_turn();
	CHECK_STR(fake_request(link_up, 0), "SELECT usher.fetch($1::text)(1:1:)");
	fake_notify(link_up, "usher_secret", "r 4 u bob");
	fake_answer_rows(link_up, rows, 3, 1);
	fake_turn();
	CHECK_STR(said(), "revoke-u-bob app_1-3.00000000000000ab:{} "
					  "app_1-4.00000000000000ac#foo ");
	CHECK_INT(fake_waiting(link_up), 0);
	/* the next one begins where this one ended */
	fake_notify(link_up, "usher_secret", "b");
	fake_turn();
	CHECK_STR(fake_request(link_up, 0), "SELECT usher.fetch($1::text)(5:9:7)");
	settle();
	feed_destroy(feed);
}

TEST(bells_during_a_fetch_make_one_more)
{
	begin();
	become_ready();
	fake_notify(link_up, "usher_secret", "b");
	fake_turn();
	fake_notify(link_up, "usher_secret", "b");
	fake_notify(link_up, "usher_secret", "b");
	fake_turn();
	CHECK_INT(fake_waiting(link_up), 1);
	fake_answer(link_up, fetch_row, 1);
	fake_turn();
	CHECK_INT(fake_waiting(link_up), 1);
	fake_answer(link_up, fetch_row, 1);
	fake_turn();
	CHECK_INT(fake_waiting(link_up), 0);
	feed_destroy(feed);
}

TEST(without_a_bell_it_fetches_once_a_second)
{
	begin();
	become_ready();
	fake_pass(900);
	CHECK_INT(fake_waiting(link_up), 0);
	fake_pass(200);
	CHECK_STR(fake_request(link_up, 0), "SELECT usher.fetch($1::text)(1:1:)");
	settle();
	feed_destroy(feed);
}

TEST(too_much_at_once_is_said_and_it_goes_on_from_there)
{
	static const char *const row[] = {"! 5:9:"};

	begin();
	become_ready();
	(void) said();
	fake_notify(link_up, "usher_secret", "b");
	fake_turn();
	fake_answer(link_up, row, 1);
	fake_turn();
	CHECK_STR(said(), "overrun ");
	fake_pass(1100);
	CHECK_STR(fake_request(link_up, 0), "SELECT usher.fetch($1::text)(5:9:)");
	settle();
	feed_destroy(feed);
}

TEST(an_answer_without_a_position_ends_the_connection)
{
	static const char *const row[] = {"nonsense"};

	begin();
	become_ready();
	fake_notify(link_up, "usher_secret", "b");
	fake_turn();
	fake_answer(link_up, row, 1);
	CHECK(link_up->failing);
	feed_destroy(feed);
}

TEST(notices_on_other_channels_are_not_believed)
{
	begin();
	become_ready();
	(void) said();
	feed_listen(feed, slice("app_1"));
	turn();
	fake_answer(link_up, NULL, 0);
	turn();
	CHECK_STR(said(), "listening-app_1 ");
	fake_notify(link_up, "app_1", "r 1 a");
	fake_notify(link_up, "app_2", "nobody is here");
	fake_notify(link_up, "usher_secre", "r 1 a");
	turn();
	CHECK_STR(said(), "app_1=r 1 a ");
	feed_destroy(feed);
}

TEST(plain_channels_of_a_turn_are_listened_to_in_one_transaction)
{
	char name[64];

	begin();
	become_ready();
	(void) said();
	memset(name, 'n', 63);
	name[63] = '\0';
	feed_listen(feed, slice("a_1"));
	feed_listen(feed, slice("a_2"));
	CHECK_STR(said(), "");
	turn();
	CHECK_STR(fake_request(link_up, 0), "LISTEN \"a_1\"; LISTEN \"a_2\"");
	CHECK_STR(said(), "");

	/* One transaction at a time; a name no channel can have is refused. */
	feed_listen(feed, slice("a_3"));
	feed_listen(feed, slice("a_1"));
	feed_listen(feed, (Slice){"0123456789012345678901234567890123456789"
							  "012345678901234567890123",
							  64});
	feed_listen(feed, slice(name));
	turn();
	CHECK_INT(fake_waiting(link_up), 1);
	CHECK_STR(said(), "refused-0123456789012345678901234567890123456789"
					  "012345678901234567890123 ");
	fake_answer(link_up, NULL, 0);
	turn();
	CHECK_STR(said(), "listening-a_1 listening-a_2 ");
	CHECK(strncmp(fake_request(link_up, 0), "LISTEN \"a_3\"; LISTEN \"nnn",
				  25) == 0);
	fake_answer(link_up, NULL, 0);
	turn();
	feed_destroy(feed);
}

TEST(a_left_channel_is_unlistened_after_five_seconds_and_silent_at_once)
{
	begin();
	become_ready();
	feed_listen(feed, slice("a_1"));
	turn();
	fake_answer(link_up, NULL, 0);
	turn();
	(void) said();
	feed_unlisten(feed, slice("a_1"));
	fake_notify(link_up, "a_1", "x");
	turn();
	CHECK_STR(said(), "");
	pass(1900);
	CHECK_INT(fake_waiting(link_up), 0);
	pass(200);
	echo_canary();
	pass(2000);
	echo_canary();
	pass(1000);
	CHECK_STR(fake_request(link_up, 0), "UNLISTEN \"a_1\"");
	feed_destroy(feed);
}

TEST(after_a_lost_connection_everything_is_listened_to_before_ready)
{
	begin();
	become_ready();
	feed_listen(feed, slice("a_1"));
	turn();
	fake_answer(link_up, NULL, 0);
	turn();
	(void) said();

	fake_down(link_up);
	CHECK_STR(said(), "down ");
	CHECK(!feed_health(feed).ready);
	feed_listen(feed, slice("a_2")); /* meanwhile */
	turn();
	CHECK_STR(said(), "");

	fake_up(link_up);
	answer_start();
	fake_answer(link_up, NULL, 0);
	CHECK_STR(fake_request(link_up, 0), "LISTEN \"a_1\"; LISTEN \"a_2\"");
	CHECK_STR(said(), "");
	fake_answer(link_up, NULL, 0);
	turn();
	CHECK(strstr(said(), "ready") == NULL);
	echo_canary();
	CHECK_STR(said(), "ready-after-gap ");
	feed_destroy(feed);
}

TEST(what_came_before_the_loss_is_still_handed_out_but_no_half_message)
{
	begin();
	become_ready();
	(void) said();
	log_set_stream(fopen("/dev/null", "w"));
	fake_notify(link_up, "usher_secret", "m 1 t a whole");
	fake_notify(link_up, "usher_secret", "c 2 1 2 t a half");
	fake_down(link_up);
	turn();
	CHECK_STR(said(), "down a=whole ");
	fake_up(link_up);
	answer_start();
	fake_answer(link_up, NULL, 0);
	fake_notify(link_up, "usher_secret", "c 2 2 2 t - other");
	echo_canary();
	turn();
	CHECK_STR(said(), "ready-after-gap ");
	log_set_stream(NULL);
	feed_destroy(feed);
}

TEST(a_new_connection_may_have_another_channel_and_the_old_one_is_forgotten)
{
	static const char *const other_row[] = {"usher_o\"ther", "1.0", "1"};

	begin();
	become_ready();
	fake_down(link_up);
	fake_up(link_up);
	fake_notify(link_up, "usher_secret", "r 1 a");
	turn();
	CHECK_STR(said(), "ready down ");
	fake_answer(link_up, other_row, 3);
	CHECK_STR(fake_request(link_up, 0), "LISTEN \"usher_o\"\"ther\"");
	fake_notify(link_up, "usher_secret", "r 1 a");
	fake_notify(link_up, "usher_o\"ther", "r 2 u bob");
	turn();
	CHECK_STR(said(), "revoke-u-bob ");
	feed_destroy(feed);
}

TEST(a_listen_that_was_lost_with_the_connection_does_not_block_others)
{
	begin();
	become_ready();
	feed_listen(feed, slice("a_1"));
	turn();
	CHECK_INT(fake_waiting(link_up), 1);
	fake_down(link_up);
	feed_unlisten(feed, slice("a_1"));
	become_ready();
	feed_listen(feed, slice("a_2"));
	turn();
	CHECK_STR(fake_request(link_up, 0), "LISTEN \"a_2\"");
	feed_destroy(feed);
}

TEST(a_silent_server_is_given_up_after_two_intervals)
{
	begin();
	become_ready();
	(void) said();
	pass(2100); /* the canary is sent */
	CHECK_INT(fake_waiting(link_up), 1);
	pass(3700);
	CHECK(link_up->up);
	pass(500);
	CHECK(!link_up->up);
	CHECK(strstr(link_up->reason, "nothing heard") != NULL);
	CHECK_STR(said(), "down ");
	feed_destroy(feed);
}

TEST(a_backlog_before_the_canary_is_a_sign_of_life)
{
	begin();
	become_ready();
	pass(2100);
	for (int i = 0; i < 20; i++)
	{
		pass(1000);
		fake_notify(link_up, "usher_secret", "m 1 t a x");
	}
	CHECK(link_up->up);
	CHECK(feed_health(feed).canary_age_ms > 20000);
	/* one canary at a time, and one fetch, which is behind it */
	CHECK_INT(fake_waiting(link_up), 2);
	pass(4100);
	CHECK(!link_up->up);
	feed_destroy(feed);
}

TEST(canaries_follow_the_interval_and_a_new_one_counts_at_once)
{
	begin();
	become_ready();
	for (int i = 0; i < 10; i++)
	{
		pass(2040);
		CHECK_INT(fake_waiting(link_up), 1);
		echo_canary();
		CHECK_INT(feed_health(feed).canary_age_ms, 0);
	}
	feed_set_canary_interval(feed, 500);
	pass(540);
	CHECK_INT(fake_waiting(link_up), 1);
	feed_destroy(feed);
}

TEST(a_set_up_that_hangs_is_given_up)
{
	begin();
	fake_up(link_up);
	pass(9900);
	CHECK(link_up->up);
	pass(200);
	CHECK(!link_up->up);
	CHECK_STR(said(), ""); /* it never was ready */

	fake_up(link_up);
	answer_start();
	fake_answer(link_up, NULL, 0);
	fake_answer(link_up, canary_row, 1); /* but no notification: a pooler */
	pass(10100);
	CHECK(!link_up->up);
	feed_destroy(feed);
}

TEST(an_error_in_any_answer_gives_the_connection_up)
{
	begin();
	fake_up(link_up);
	fake_error(link_up, "42501");
	CHECK_STR(link_up->reason, "42501");
	turn();
	become_ready();
	feed_listen(feed, slice("a_1"));
	turn();
	fake_error(link_up, "53200");
	CHECK_STR(link_up->reason, "53200");
	turn();
	CHECK_STR(said(), "ready down ");
	feed_unlisten(feed, slice("a_1"));
	become_ready();
	turn();
	CHECK_STR(said(), "ready-after-gap ");
	feed_destroy(feed);
}

TEST(a_start_without_a_channel_is_refused)
{
	static const char *const none[] = {NULL, "1.0", "1"};
	static const char *const empty[] = {"", "1.0", "1"};
	static const char *const longer[] = {
		"0123456789012345678901234567890123456789012345678901234567890123",
		"1.0", "1"};
	static const char *const *const rows[] = {none, empty, longer};

	begin();
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("row %zu", i);
		fake_up(link_up);
		fake_answer(link_up, rows[i], 3);
		CHECK(!link_up->up);
		turn();
	}
	feed_destroy(feed);
}

TEST(an_answer_older_than_a_revocation_is_found_out)
{
	uint64_t mark;

	begin();
	become_ready();
	mark = feed_mark(feed);
	CHECK(!feed_revoked_since(feed, mark, "token", "bob", "c", NULL));
	fake_notify(link_up, "usher_secret", "r 1 u bob");
	CHECK(!feed_revoked_since(feed, mark, "token", "bob", "c", NULL));
	turn();
	CHECK(feed_revoked_since(feed, mark, "token", "bob", "c", NULL));
	CHECK(!feed_revoked_since(feed, mark, "token", "ann", "c", NULL));
	CHECK(
		!feed_revoked_since(feed, feed_mark(feed), "token", "bob", "c", NULL));
	fake_notify(link_up, "usher_secret", "k 2 app_1 ann"); /* no revocation */
	turn();
	CHECK(!feed_revoked_since(feed, mark, "token", "ann", "c", NULL));
	fake_notify(link_up, "usher_secret", "p 3 app");
	turn();
	CHECK(feed_revoked_since(feed, mark, "anonymous", NULL, NULL, NULL));
	feed_destroy(feed);
}

TEST(many_kicks_do_not_push_revocations_out_of_memory)
{
	uint64_t mark;

	begin();
	become_ready();
	mark = feed_mark(feed);
	for (int i = 0; i < 10001; i++)
		fake_notify(link_up, "usher_secret", "k 1 app_1 bob");
	turn();
	CHECK(!feed_revoked_since(feed, mark, "token", "ann", "c", NULL));
	feed_destroy(feed);
}

TEST(an_answer_to_a_question_from_before_a_gap_is_not_trusted)
{
	uint64_t mark;

	begin();
	become_ready();
	mark = feed_mark(feed);
	fake_down(link_up);
	become_ready();
	CHECK(feed_revoked_since(feed, mark, "token", "ann", "c", NULL));
	CHECK(
		!feed_revoked_since(feed, feed_mark(feed), "token", "ann", "c", NULL));
	feed_destroy(feed);
}

TEST_MAIN()
