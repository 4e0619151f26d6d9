/*
 * Calls over links that come and go: order, bounds, time-outs, what is asked
 * again and what must not be.
 */
#include "calls.h"
#include "check.h"
#include "fake_link.h"

/* What the answers were, as "name:status " in their order. */
static char	  told[8192];
static Calls *calls;

static const char *const status_name[] = {
	[CALL_OK] = "ok",
	[CALL_UNAVAILABLE] = "unavailable",
	[CALL_OVERLOADED] = "overloaded",
	[CALL_FAILED] = "failed",
};

static void
note(const char *name, const char *what)
{
	size_t used = strlen(told);

	snprintf(told + used, sizeof(told) - used, "%s:%s ", name, what);
}

static void
on_admit(void *arg, const AdmitAnswer *answer)
{
	note(arg, answer->status == CALL_OK && !answer->valid
				  ? answer->reason
				  : status_name[answer->status]);
}

static void
on_receive(void *arg, const ReceiveAnswer *answer)
{
	note(arg, answer->bad_data ? "bad_data" : status_name[answer->status]);
}

/* The answers since the last time. */
static const char *
answers(void)
{
	static char text[sizeof(told)];

	memcpy(text, told, sizeof(told));
	told[0] = '\0';
	return text;
}

static void
begin(int links, size_t max_pending)
{
	CallsOptions options = {.conninfo = "",
							.links = links,
							.call_timeout_ms = 5000,
							.max_pending = max_pending};

	fake_reset();
	told[0] = '\0';
	calls = calls_create(&fake_loop, &options);
}

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

static Call *
admit(const char *kind, const char *credential)
{
	Call *call = calls_admit(calls, kind, slice(credential), slice("app_1"),
							 3000, on_admit, (void *) (uintptr_t) credential);

	CHECK(call != NULL);
	return call;
}

static Call *
receive(uint64_t key, const char *payload)
{
	Call *call = calls_receive(calls, key, "1", slice("app_1"), CALL_TEXT,
							   slice(payload), 3000, on_receive,
							   (void *) (uintptr_t) payload);

	CHECK(call != NULL);
	return call;
}

static const char *const admitted[] = {
	"t", NULL, "1", "ann", "token", "c", NULL, NULL, "t", "t", "f", "f", "f"};
static const char *const accepted[] = {"t", NULL};

static void
answer_admit(size_t link)
{
	fake_answer(fake_links[link], admitted, 13);
}

static void
answer_receive(size_t link)
{
	fake_answer(fake_links[link], accepted, 2);
}

TEST(a_call_waits_for_a_link_and_is_answered_once)
{
	begin(2, 100);
	CHECK(!calls_ready(calls));
	(void) admit("token", "k1");
	fake_turn();
	CHECK_INT(calls_pending(calls), 1);
	fake_up(fake_links[1]);
	CHECK(calls_ready(calls));
	CHECK(fake_links[1]->proven);
	CHECK_STR(fake_request(fake_links[1], 0), "admit(token|k1|app_1)");
	CHECK_STR(answers(), "");
	answer_admit(1);
	CHECK_STR(answers(), "k1:ok ");
	CHECK_INT(calls_pending(calls), 0);
	fake_pass(10000);
	CHECK_STR(answers(), "");
	calls_destroy(calls);
}

TEST(every_function_gets_its_arguments_and_null_stays_null)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	CHECK(calls_admit(calls, "anonymous", SLICE_NONE, slice("pub"), 3000,
					  on_admit, "a") != NULL);
	CHECK(calls_recheck(calls, "anonymous", NULL, NULL, slice("pub"), 3000,
						on_admit, "b") != NULL);
	CHECK(calls_recheck(calls, "token", "7", "c0", slice("pub"), 3000, on_admit,
						"c") != NULL);
	CHECK(calls_receive(calls, 1, NULL, slice("pub"), CALL_BINARY, SLICE_NONE,
						3000, on_receive, "d") != NULL);
	fake_turn();
	CHECK_STR(fake_request(fake_links[0], 0), "admit(anonymous|NULL|pub)");
	CHECK_STR(fake_request(fake_links[0], 1),
			  "recheck(anonymous|NULL|NULL|pub)");
	CHECK_STR(fake_request(fake_links[0], 2), "recheck(token|7|c0|pub)");
	CHECK_STR(fake_request(fake_links[0], 3), "receive_binary(NULL|pub|)");
	calls_destroy(calls);
}

TEST(a_refused_credential_is_an_answer_and_not_an_error)
{
	const char *values[13] = {"f", "unknown_token"};

	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("token", "k1");
	fake_turn();
	fake_answer(fake_links[0], values, 13);
	CHECK_STR(answers(), "k1:unknown_token ");
	calls_destroy(calls);
}

TEST(too_many_calls_are_answered_overloaded_but_not_from_within)
{
	begin(1, 2);
	(void) admit("token", "k1");
	(void) admit("token", "k2");
	(void) admit("token", "k3");
	CHECK_STR(answers(), "");
	fake_turn();
	CHECK_STR(answers(), "k3:overloaded ");
	calls_set_max_pending(calls, 3);
	(void) admit("token", "k4");
	fake_turn();
	CHECK_STR(answers(), "");
	calls_destroy(calls);
}

TEST(too_much_in_the_calls_is_overload_too)
{
	size_t len = 40u << 20;
	char  *large = calloc(1, len);
	Call  *first;

	begin(1, 100);
	first = calls_receive(calls, 1, "1", slice("a"), CALL_BINARY,
						  (Slice){large, len}, 3000, on_receive, "one");
	CHECK(first != NULL);
	CHECK(calls_receive(calls, 1, "1", slice("a"), CALL_BINARY,
						(Slice){large, len}, 3000, on_receive, "two") != NULL);
	fake_turn();
	CHECK_STR(answers(), "two:overloaded ");
	calls_cancel(first);
	CHECK(calls_receive(calls, 1, "1", slice("a"), CALL_BINARY,
						(Slice){large, len}, 3000, on_receive,
						"three") != NULL);
	fake_turn();
	CHECK_STR(answers(), "");
	free(large);
	calls_destroy(calls);
}

static int again;

static void
ask_again(void *arg, const AdmitAnswer *answer)
{
	(void) arg;
	CHECK_INT(answer->status, CALL_OVERLOADED);
	if (++again < 1000)
		CHECK(calls_admit(calls, "token", slice("k"), slice("a"), 3000,
						  ask_again, NULL) != NULL);
}

TEST(asking_again_at_once_when_overloaded_does_not_stop_the_loop)
{
	begin(1, 0);
	again = 0;
	CHECK(calls_admit(calls, "token", slice("k"), slice("a"), 3000, ask_again,
					  NULL) != NULL);
	fake_turn();
	CHECK_INT(again, 1);
	fake_turn();
	CHECK_INT(again, 2);
	calls_destroy(calls);
}

TEST(a_call_without_a_link_is_unavailable_when_its_time_is_over)
{
	begin(1, 100);
	(void) admit("token", "k1");
	(void) receive(1, "m1");
	fake_pass(2980);
	CHECK_STR(answers(), "");
	fake_pass(60);
	CHECK_STR(answers(), "k1:unavailable m1:unavailable ");
	CHECK_INT(calls_pending(calls), 0);
	fake_up(fake_links[0]);
	CHECK_INT(fake_waiting(fake_links[0]), 0);
	calls_destroy(calls);
}

TEST(an_answer_after_the_time_is_dropped_and_the_next_one_is_not_mixed_up)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("token", "late");
	fake_turn();
	fake_pass(3040);
	CHECK_STR(answers(), "late:unavailable ");
	CHECK_INT(calls_pending(calls), 1);
	(void) admit("token", "next");
	fake_turn();
	answer_admit(0);
	CHECK_STR(answers(), "");
	answer_admit(0);
	CHECK_STR(answers(), "next:ok ");
	CHECK_INT(calls_pending(calls), 0);
	calls_destroy(calls);
}

TEST(a_cancelled_call_is_not_answered_wherever_it_was)
{
	Call *sent;
	Call *waiting;
	Call *refused;

	begin(1, 2);
	fake_up(fake_links[0]);
	sent = admit("token", "sent");
	fake_turn();
	fake_links[0]->up = false;
	waiting = admit("token", "waiting");
	refused = admit("token", "refused");
	calls_cancel(sent);
	calls_cancel(waiting);
	calls_cancel(refused);
	calls_cancel(NULL);
	fake_turn();
	CHECK_INT(calls_pending(calls), 1);
	fake_links[0]->up = true;
	answer_admit(0);
	fake_pass(5000);
	CHECK_STR(answers(), "");
	CHECK_INT(calls_pending(calls), 0);
	calls_destroy(calls);
}

TEST(calls_spread_over_the_links_but_one_clients_messages_keep_to_one)
{
	begin(2, 100);
	fake_up(fake_links[0]);
	fake_up(fake_links[1]);
	for (int i = 0; i < 4; i++)
		(void) admit("token", "k");
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[0]), 2);
	CHECK_INT(fake_waiting(fake_links[1]), 2);
	for (int i = 0; i < 4; i++)
		(void) receive(1, "m");
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[0]), 2);
	CHECK_INT(fake_waiting(fake_links[1]), 6);
	calls_destroy(calls);
}

TEST(messages_of_a_client_stay_in_order_while_its_link_goes_and_comes)
{
	PgLink *home;
	PgLink *other;

	begin(2, 100);
	home = fake_links[1];
	other = fake_links[0];

	/* Made while both were away, they wait; the other link takes them. */
	(void) receive(1, "m1");
	(void) receive(1, "m2");
	fake_up(other);
	(void) receive(1, "m3");
	fake_turn();
	CHECK_INT(fake_waiting(other), 3);
	CHECK_STR(fake_request(other, 2), "receive(1|app_1|m3)");

	/* Home is back, but what is under way on the other comes first. */
	fake_up(home);
	(void) receive(1, "m4");
	(void) receive(3, "n1"); /* lives here as well */
	(void) receive(2, "o1"); /* lives on the other */
	fake_turn();
	CHECK_INT(fake_waiting(home), 0);
	CHECK_INT(fake_waiting(other), 4);
	answer_receive(0);
	answer_receive(0);
	fake_turn();
	CHECK_INT(fake_waiting(home), 0);
	answer_receive(0);
	fake_turn();
	CHECK_INT(fake_waiting(home), 2);
	CHECK_STR(fake_request(home, 0), "receive(1|app_1|m4)");
	calls_destroy(calls);
}

TEST(a_link_that_is_held_up_is_free_when_the_other_link_is_lost)
{
	begin(2, 100);
	(void) receive(1, "m1");
	fake_up(fake_links[0]);
	fake_up(fake_links[1]);
	(void) receive(1, "m2");
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[1]), 0);
	fake_down(fake_links[0]);
	CHECK_STR(answers(), "m1:unavailable ");
	fake_turn();
	CHECK_STR(fake_request(fake_links[1], 0), "receive(1|app_1|m2)");
	calls_destroy(calls);
}

TEST(a_held_link_that_goes_down_and_up_again_is_held_once_only)
{
	begin(2, 100);
	(void) receive(1, "m1");
	fake_up(fake_links[0]);
	fake_up(fake_links[1]);
	fake_down(fake_links[1]);
	fake_up(fake_links[1]);
	(void) receive(1, "m2");
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[1]), 0);
	answer_receive(0);
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[1]), 1);
	calls_destroy(calls);
}

TEST(what_changes_nothing_is_asked_again_and_the_rest_is_unavailable)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("token", "k1");
	(void) admit("session", "s1");
	(void) admit("anonymous", "");
	CHECK(calls_recheck(calls, "token", "7", "c0", slice("a"), 3000, on_admit,
						"r1") != NULL);
	(void) receive(1, "m1");
	fake_turn();
	(void) admit("session", "s2"); /* not sent yet */
	fake_down(fake_links[0]);
	CHECK_STR(answers(), "s1:unavailable m1:unavailable ");
	CHECK_INT(calls_pending(calls), 4);
	fake_up(fake_links[0]);
	CHECK_INT(fake_waiting(fake_links[0]), 4);
	CHECK_STR(fake_request(fake_links[0], 0), "admit(token|k1|app_1)");
	CHECK_STR(fake_request(fake_links[0], 1), "admit(anonymous||app_1)");
	CHECK_STR(fake_request(fake_links[0], 2), "recheck(token|7|c0|a)");
	CHECK_STR(fake_request(fake_links[0], 3), "admit(session|s2|app_1)");
	calls_destroy(calls);
}

TEST(only_a_session_key_of_ours_can_be_used_up_and_is_asked_about_once)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("django_session", "d1");
	(void) admit("jwt", "j1");
	(void) admit("knox", "x1");
	(void) admit("session", "s1");
	fake_turn();
	fake_down(fake_links[0]);
	CHECK_STR(answers(), "s1:unavailable ");
	fake_up(fake_links[0]);
	CHECK_INT(fake_waiting(fake_links[0]), 3);
	CHECK_STR(fake_request(fake_links[0], 0), "admit(django_session|d1|app_1)");
	CHECK_STR(fake_request(fake_links[0], 1), "admit(jwt|j1|app_1)");
	CHECK_STR(fake_request(fake_links[0], 2), "admit(knox|x1|app_1)");
	calls_destroy(calls);
}

TEST(a_call_that_was_there_at_three_crashes_is_not_tried_a_fourth_time)
{
	begin(1, 100);
	(void) admit("token", "k1");
	for (int i = 0; i < 3; i++)
	{
		CHECK_STR(answers(), "");
		fake_up(fake_links[0]);
		CHECK_INT(fake_waiting(fake_links[0]), 1);
		fake_down(fake_links[0]);
	}
	CHECK_STR(answers(), "k1:unavailable ");
	CHECK_INT(calls_pending(calls), 0);
	calls_destroy(calls);
}

static Call *victim;

static void
cancel_another(void *arg, const ReceiveAnswer *answer)
{
	on_receive(arg, answer);
	calls_cancel(victim);
}

TEST(an_answer_may_cancel_another_call_that_is_about_to_be_answered)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	CHECK(calls_receive(calls, 1, "1", slice("a"), CALL_TEXT, slice("x"), 3000,
						cancel_another, "first") != NULL);
	victim = receive(1, "victim");
	(void) receive(1, "third");
	fake_turn();
	fake_down(fake_links[0]);
	CHECK_STR(answers(), "first:unavailable third:unavailable ");
	CHECK_INT(calls_pending(calls), 0);
	calls_destroy(calls);
}

TEST(an_error_stays_its_own_and_says_what_kind_it_is)
{
	static const struct
	{
		const char *sqlstate;
		const char *message, *admission;
	} rows[] = {
		{"22021", "m:bad_data ", "k:failed "},
		{"XX000", "m:failed ", "k:failed "},
		{"57014", "m:unavailable ", "k:unavailable "},
	};

	begin(1, 100);
	fake_up(fake_links[0]);
	log_set_stream(fopen("/dev/null", "w"));
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i].sqlstate);
		(void) receive(1, "m");
		(void) admit("token", "k");
		(void) admit("token", "next");
		fake_turn();
		while (fake_waiting(fake_links[0]) > 0)
		{
			bool message =
				strncmp(fake_request(fake_links[0], 0), "receive", 7) == 0;

			if (strstr(fake_request(fake_links[0], 0), "next") != NULL)
			{
				answer_admit(0);
				CHECK_STR(answers(), "next:ok ");
				continue;
			}
			fake_error(fake_links[0], rows[i].sqlstate);
			CHECK_STR(answers(), message ? rows[i].message : rows[i].admission);
		}
		CHECK(calls_ready(calls));
	}
	log_set_stream(NULL);
	calls_destroy(calls);
}

TEST(statements_that_no_longer_fit_reset_the_link_and_are_asked_again)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("token", "k1");
	(void) admit("token", "k2");
	fake_turn();
	fake_error(fake_links[0], "26000");
	CHECK(!calls_ready(calls));
	CHECK_STR(answers(), "");
	fake_turn(); /* the link goes down here */
	fake_up(fake_links[0]);
	CHECK_STR(fake_request(fake_links[0], 0), "admit(token|k1|app_1)");
	CHECK_STR(fake_request(fake_links[0], 1), "admit(token|k2|app_1)");
	answer_admit(0);
	answer_admit(0);
	CHECK_STR(answers(), "k1:ok k2:ok ");
	calls_destroy(calls);
}

TEST(an_answer_of_another_form_is_a_failure)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("token", "k1");
	fake_turn();
	log_set_stream(fopen("/dev/null", "w"));
	fake_answer(fake_links[0], accepted, 2);
	log_set_stream(NULL);
	CHECK_STR(answers(), "k1:failed ");
	calls_destroy(calls);
}

TEST(a_burst_of_admissions_waits_here_and_leaves_room_for_messages)
{
	begin(1, 2000);
	fake_up(fake_links[0]);
	for (int i = 0; i < 500; i++)
		(void) admit("token", "k");
	for (int i = 0; i < 500; i++)
		(void) receive(1, "m");
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[0]), 256);
	CHECK_STR(fake_request(fake_links[0], 191), "admit(token|k|app_1)");
	CHECK_STR(fake_request(fake_links[0], 192), "receive(1|app_1|m)");
	for (int i = 0; i < 192; i++)
		answer_admit(0);
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[0]), 256);
	calls_destroy(calls);
}

TEST(large_messages_are_sent_a_few_at_a_time)
{
	size_t len = 1u << 20;
	char  *large = malloc(len);

	memset(large, 'x', len);
	begin(1, 100);
	fake_up(fake_links[0]);
	for (int i = 0; i < 10; i++)
		CHECK(calls_receive(calls, 1, "1", slice("a"), CALL_TEXT,
							(Slice){large, len}, 3000, on_receive,
							"m") != NULL);
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[0]), 4);
	answer_receive(0);
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[0]), 4);
	free(large);
	calls_destroy(calls);
}

TEST(messages_that_wait_for_a_link_go_to_another_when_it_is_lost)
{
	size_t len = 4u << 20;
	char  *large = malloc(len);

	memset(large, 'x', len);
	begin(2, 100);
	fake_up(fake_links[0]);
	fake_up(fake_links[1]);
	CHECK(calls_receive(calls, 1, "1", slice("a"), CALL_TEXT,
						(Slice){large, len}, 3000, on_receive,
						"large") != NULL);
	(void) receive(1, "m2");
	(void) receive(1, "m3");
	fake_turn();
	CHECK_INT(fake_waiting(fake_links[1]), 1);
	fake_down(fake_links[1]);
	fake_turn();
	CHECK_STR(answers(), "large:unavailable ");
	CHECK_STR(fake_request(fake_links[0], 0), "receive(1|app_1|m2)");
	CHECK_STR(fake_request(fake_links[0], 1), "receive(1|app_1|m3)");
	free(large);
	calls_destroy(calls);
}

TEST(a_link_that_owes_an_answer_for_too_long_is_given_up)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("token", "k1");
	(void) admit("token", "k2");
	fake_turn();
	fake_pass(2000);
	answer_admit(0);
	fake_pass(9900); /* since the last answer: statement_timeout + 5 s */
	CHECK(calls_ready(calls));
	fake_pass(200);
	CHECK(!calls_ready(calls));
	CHECK(strstr(fake_links[0]->reason, "no answer") != NULL);
	CHECK_INT(calls_pending(calls), 0);
	calls_destroy(calls);
}

TEST(a_link_without_work_is_never_given_up)
{
	begin(1, 100);
	fake_up(fake_links[0]);
	(void) admit("token", "k1");
	fake_turn();
	answer_admit(0);
	fake_pass(60000);
	CHECK(calls_ready(calls));
	calls_destroy(calls);
}

TEST(destroying_answers_nothing_and_frees_everything)
{
	begin(2, 3);
	fake_up(fake_links[0]);
	(void) admit("token", "sent");
	(void) receive(1, "sent");
	fake_turn();
	fake_links[0]->up = false;
	(void) admit("token", "waiting");
	(void) admit("token", "refused");
	calls_destroy(calls); /* LeakSanitizer looks after us */
	CHECK_STR(answers(), "");
}

TEST_MAIN()
