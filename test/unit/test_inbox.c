/* The order in which the notices of a turn are handed out. */
#include "check.h"
#include "inbox.h"
#include "log.h"

static char seen[4096];

static void
append(const char *tag, Slice a, Slice b)
{
	size_t used = strlen(seen);

	snprintf(seen + used, sizeof(seen) - used, "%s:%.*s:%.*s ", tag,
			 (int) a.len, a.ptr != NULL ? a.ptr : "", (int) b.len,
			 b.ptr != NULL ? b.ptr : "");
}

static void
on_urgent(void *arg, const Notice *notice)
{
	(void) arg;
	append("urgent", notice->key, notice->user_id);
}

static void
on_message(void *arg, const Notice *notice)
{
	(void) arg;
	append("message", notice->groups, notice->payload);
}

static const char *
handed_out(Inbox *inbox)
{
	seen[0] = '\0';
	inbox_hand_out(inbox, on_urgent, on_message, NULL);
	return seen;
}

static bool
add(Inbox *inbox, const char *line)
{
	Slice nonce;

	return inbox_add(inbox, (Slice){line, strlen(line)}, &nonce);
}

static char	 *logged;
static size_t logged_len;
static FILE	 *log_stream;

static void
begin_log(void)
{
	log_stream = open_memstream(&logged, &logged_len);
	log_set_stream(log_stream);
}

/* What was logged; free it. */
static char *
end_log(void)
{
	log_set_stream(NULL);
	fclose(log_stream);
	return logged;
}

TEST(revocations_kicks_and_policies_come_before_messages_each_in_order)
{
	Inbox inbox;

	inbox_init(&inbox);
	CHECK(!add(&inbox, "m 1 t a first"));
	CHECK(!add(&inbox, "r 2 u bob"));
	CHECK(!add(&inbox, "m 3 t a,b second"));
	CHECK(!add(&inbox, "k 4 a eve"));
	CHECK(!add(&inbox, "p 5 cat"));
	CHECK(!add(&inbox, "r 6 a"));
	CHECK(!add(&inbox, "m 7 t a first"));
	CHECK_STR(handed_out(&inbox),
			  "urgent:bob: urgent:a:eve urgent:cat: urgent:: "
			  "message:a:first message:a,b:second message:a:first ");
	CHECK_STR(handed_out(&inbox), "");
	inbox_fini(&inbox);
}

TEST(equal_notices_are_all_handed_out)
{
	Inbox inbox;

	inbox_init(&inbox);
	CHECK(!add(&inbox, "m 1 t a x"));
	CHECK(!add(&inbox, "m 1 t a x"));
	CHECK_STR(handed_out(&inbox), "message:a:x message:a:x ");
	inbox_fini(&inbox);
}

TEST(binary_messages_are_decoded_and_broken_ones_dropped)
{
	Inbox inbox;
	char *log;

	inbox_init(&inbox);
	begin_log();
	CHECK(!add(&inbox, "m 1 b a Zm9v"));
	CHECK(!add(&inbox, "m 2 b a Zm9"));
	CHECK(!add(&inbox, "m 3 b a "));
	CHECK(!add(&inbox, "c 4 1 2 b a Zm9vYm"));
	CHECK(!add(&inbox, "c 4 2 2 b - FyZg=="));
	CHECK_STR(handed_out(&inbox),
			  "message:a:foo message:a: message:a:foobarf ");
	log = end_log();
	CHECK(strstr(log, "not base64") != NULL);
	free(log);
	inbox_fini(&inbox);
}

TEST(a_message_in_chunks_keeps_its_place_and_may_take_several_turns)
{
	Inbox inbox;

	inbox_init(&inbox);
	CHECK(!add(&inbox, "m 1 t a before"));
	CHECK(!add(&inbox, "c 2 1 3 t a,b on"));
	CHECK_STR(handed_out(&inbox), "message:a:before ");
	CHECK(!add(&inbox, "c 2 2 3 t - e "));
	CHECK_STR(handed_out(&inbox), "");
	CHECK(!add(&inbox, "c 2 3 3 t - two"));
	CHECK(!add(&inbox, "m 3 t a after"));
	CHECK_STR(handed_out(&inbox), "message:a,b:one two message:a:after ");
	inbox_fini(&inbox);
}

TEST(chunks_that_something_comes_between_are_dropped_with_a_warning)
{
	static const char *const rows[] = {"m 9 t x y", "r 9 u bob", "k 9 x bob",
									   "p 9 x",		"? nonce",	 "garbage"};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Inbox inbox;
		char *log;

		check_at("%s", rows[i]);
		inbox_init(&inbox);
		begin_log();
		CHECK(!add(&inbox, "c 1 1 2 t a one"));
		(void) add(&inbox, rows[i]);
		CHECK(!add(&inbox, "c 1 2 2 t - two"));
		CHECK(strstr(handed_out(&inbox), "one") == NULL);
		CHECK(strstr(seen, "two") == NULL);
		log = end_log();
		CHECK(strstr(log, "dropping a message of 2 parts after part 1") !=
			  NULL);
		CHECK(strstr(log, "dropping part 2 of 2") != NULL);
		free(log);
		inbox_fini(&inbox);
	}
}

TEST(chunks_cut_by_a_lost_connection_are_not_joined_with_later_ones)
{
	Inbox inbox;
	char *log;

	inbox_init(&inbox);
	begin_log();
	CHECK(!add(&inbox, "c 1 1 2 t a one"));
	inbox_cut(&inbox);
	CHECK(!add(&inbox, "c 1 2 2 t - two"));
	CHECK_STR(handed_out(&inbox), "");
	log = end_log();
	CHECK(strstr(log, "the connection was lost") != NULL);
	free(log);
	inbox_fini(&inbox);
}

TEST(a_malformed_line_is_logged_by_its_length_never_its_text)
{
	Inbox inbox;
	char *log;

	inbox_init(&inbox);
	begin_log();
	CHECK(!add(&inbox, "m 1 t a/b secret"));
	log = end_log();
	CHECK(strstr(log, "16 bytes") != NULL);
	CHECK(strstr(log, "secret") == NULL);
	CHECK_STR(handed_out(&inbox), "");
	free(log);
	inbox_fini(&inbox);
}

TEST(a_canary_is_returned_and_not_kept)
{
	Inbox inbox;
	Slice nonce = SLICE_NONE;

	inbox_init(&inbox);
	CHECK(inbox_add(&inbox, (Slice){"? abc", 5}, &nonce));
	CHECK_SLICE(nonce, "abc");
	CHECK_STR(handed_out(&inbox), "");
	inbox_fini(&inbox);
}

TEST(a_plain_notification_is_a_text_for_its_group_among_the_messages)
{
	Inbox inbox;

	inbox_init(&inbox);
	CHECK(!add(&inbox, "m 1 t a one"));
	inbox_add_plain(&inbox, (Slice){"app_1", 5}, (Slice){"r 1 u bob", 9});
	inbox_add_plain(&inbox, (Slice){"app_1", 5}, (Slice){"", 0});
	CHECK_STR(handed_out(&inbox),
			  "message:a:one message:app_1:r 1 u bob message:app_1: ");
	inbox_fini(&inbox);
}

TEST(what_is_not_handed_out_is_freed)
{
	Inbox inbox;

	inbox_init(&inbox);
	CHECK(!add(&inbox, "m 1 t a one"));
	CHECK(!add(&inbox, "r 2 u bob"));
	CHECK(!add(&inbox, "c 3 1 2 t a one"));
	inbox_fini(&inbox); /* LeakSanitizer looks after us */
	CHECK(inbox.messages.first == NULL && inbox.urgent.first == NULL);
}

TEST_MAIN()
