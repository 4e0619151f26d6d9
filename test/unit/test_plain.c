/* Plain channels: what is asked for, and when somebody is told. */
#include "check.h"
#include "plain.h"

static char told[4096];

static void
tell(void *arg, Slice group, bool ok)
{
	(void) arg;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%.*s%s ",
			 (int) group.len, group.ptr, ok ? "" : "!");
}

static const char *
announced(Plain *plain)
{
	told[0] = '\0';
	plain_announce(plain, tell, NULL);
	return told;
}

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

/* What the next batch asks, as "+a -b ". */
static const char *
asked(Plain *plain, uint64_t now_ms)
{
	static char	  text[1024];
	PlainChannel *batch[PLAIN_BATCH_MAX];
	uint64_t	  due_ms;
	size_t		  count = plain_batch(plain, now_ms, batch, &due_ms);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%c%s ",
				 batch[i]->state == PLAIN_LEAVING ? '-' : '+', batch[i]->name);
	return text;
}

TEST(a_wanted_channel_is_listened_to_once_and_told_when_committed)
{
	Plain plain = {0};

	plain_init(&plain);
	CHECK(plain_want(&plain, slice("app_1")));
	CHECK(plain_want(&plain, slice("app_1")));
	CHECK_STR(announced(&plain), "");
	CHECK_STR(asked(&plain, 0), "+app_1 ");
	CHECK_STR(asked(&plain, 0), "");
	CHECK_STR(announced(&plain), "");
	plain_batch_done(&plain);
	CHECK(plain.unannounced);
	CHECK_STR(announced(&plain), "app_1 ");
	CHECK(!plain.unannounced);
	CHECK_STR(announced(&plain), "");
	CHECK(plain_want(&plain, slice("app_1")));
	CHECK_STR(announced(&plain), "app_1 ");
	plain_fini(&plain);
}

TEST(a_group_that_comes_back_within_five_seconds_costs_nothing)
{
	Plain		  plain = {0};
	PlainChannel *batch[PLAIN_BATCH_MAX];
	uint64_t	  due_ms;

	plain_init(&plain);
	CHECK(plain_want(&plain, slice("a")));
	CHECK_STR(asked(&plain, 0), "+a ");
	plain_batch_done(&plain);
	plain_leave(&plain, slice("a"), 1000);
	CHECK(!plain_is_wanted(&plain, slice("a")));
	CHECK_INT(plain_batch(&plain, 5999, batch, &due_ms), 0);
	CHECK_INT(due_ms, 6000);
	CHECK(plain_want(&plain, slice("a")));
	CHECK(plain_is_wanted(&plain, slice("a")));
	CHECK_STR(asked(&plain, 9000), "");
	CHECK_STR(announced(&plain), "a ");
	plain_leave(&plain, slice("a"), 9000);
	CHECK_STR(asked(&plain, 14000), "-a ");
	plain_batch_done(&plain);
	CHECK_STR(asked(&plain, 14000), "");
	CHECK(plain.channels == NULL);
	plain_fini(&plain);
}

TEST(a_channel_wanted_again_while_it_is_being_left_is_listened_to_again)
{
	Plain plain = {0};

	plain_init(&plain);
	CHECK(plain_want(&plain, slice("a")));
	CHECK_STR(asked(&plain, 0), "+a ");
	plain_batch_done(&plain);
	CHECK_STR(announced(&plain), "a ");
	plain_leave(&plain, slice("a"), 0);
	CHECK_STR(asked(&plain, 5000), "-a ");
	CHECK(plain_want(&plain, slice("a")));
	CHECK_STR(announced(&plain), "");
	plain_batch_done(&plain);
	CHECK_STR(announced(&plain), "");
	CHECK_STR(asked(&plain, 5000), "+a ");
	plain_batch_done(&plain);
	CHECK_STR(announced(&plain), "a ");
	plain_fini(&plain);
}

TEST(a_channel_left_before_it_was_on_is_never_told_and_is_unlistened)
{
	Plain plain = {0};

	plain_init(&plain);
	CHECK(plain_want(&plain, slice("a")));
	CHECK_STR(asked(&plain, 0), "+a ");
	plain_leave(&plain, slice("a"), 10);
	plain_batch_done(&plain);
	CHECK_STR(announced(&plain), "");
	CHECK_STR(asked(&plain, 5010), "-a ");
	plain_fini(&plain);
}

TEST(a_name_of_more_than_63_bytes_is_refused)
{
	Plain plain = {0};
	char  name[65];

	memset(name, 'n', sizeof(name));
	plain_init(&plain);
	CHECK(plain_want(&plain, (Slice){name, 64}));
	name[64] = '\0';
	CHECK_INT(strlen(announced(&plain)), 66);
	CHECK(strchr(told, '!') != NULL);
	CHECK_STR(asked(&plain, 0), "");
	CHECK(plain.channels == NULL);

	CHECK(plain_want(&plain, (Slice){name, 63}));
	CHECK_STR(announced(&plain), "");
	CHECK(strlen(asked(&plain, 0)) == 65);
	plain_fini(&plain);
}

TEST(after_a_lost_connection_everything_wanted_is_listened_to_again)
{
	Plain plain = {0};

	plain_init(&plain);
	CHECK(plain_want(&plain, slice("kept")));
	CHECK(plain_want(&plain, slice("left")));
	CHECK_STR(asked(&plain, 0), "+kept +left ");
	plain_batch_done(&plain);
	CHECK_STR(announced(&plain), "kept left ");
	CHECK(plain_want(&plain, slice("new")));
	CHECK_STR(asked(&plain, 0), "+new ");
	plain_leave(&plain, slice("left"), 0);
	plain_reset(&plain);
	CHECK_STR(asked(&plain, 1), "+kept +new ");
	plain_batch_done(&plain);
	CHECK_STR(announced(&plain), "new ");
	plain_fini(&plain);
}

TEST(many_channels_are_asked_for_in_batches)
{
	Plain		  plain = {0};
	PlainChannel *batch[PLAIN_BATCH_MAX];
	uint64_t	  due_ms;
	char		  name[16];
	size_t		  total = 0;

	plain_init(&plain);
	for (int i = 0; i < 2 * PLAIN_BATCH_MAX + 7; i++)
	{
		snprintf(name, sizeof(name), "g_%d", i);
		CHECK(plain_want(&plain, slice(name)));
	}
	for (int i = 0; i < 3; i++)
	{
		size_t count = plain_batch(&plain, 0, batch, &due_ms);

		CHECK(count == (i < 2 ? PLAIN_BATCH_MAX : 7));
		CHECK_INT(plain.dirty, i < 2);
		plain_batch_done(&plain);
		total += count;
	}
	CHECK_INT(total, 2 * PLAIN_BATCH_MAX + 7);
	plain_fini(&plain);
}

TEST_MAIN()
