/* What the database has still to be told, and when it is told again. */
#include "check.h"
#include "starve.h"
#include "roster.h"

static char told[4096];

/* All that would be told now, as a text; sets what is due at now_ms. */
static const char *
take(Roster *roster, uint64_t now_ms)
{
	RosterVisitor visitor;
	size_t		  used = 0;

	told[0] = '\0';
	while (roster_take_arrival(roster, &visitor))
		used += (size_t) snprintf(told + used, sizeof(told) - used,
								  "+%s/%s/%s ", visitor.group, visitor.user,
								  visitor.username ? visitor.username : "-");
	while (roster_take_departure(roster, now_ms, 3000, &visitor))
		used += (size_t) snprintf(told + used, sizeof(told) - used, "-%s/%s ",
								  visitor.group, visitor.user);
	return told;
}

static const char *
tell(Roster *roster, uint64_t now_ms)
{
	(void) take(roster, now_ms);
	roster_taken(roster, true);
	return told;
}

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

static void
arrive(Roster *roster, const char *group, const char *user)
{
	roster_arrive(roster, slice(group), slice(user), slice("name"), 0);
}

static void
depart(Roster *roster, const char *group, const char *user, uint64_t now_ms)
{
	roster_depart(roster, slice(group), slice(user), now_ms);
}

TEST(the_first_connection_arrives_and_the_last_departs_after_the_delay)
{
	Roster *roster = roster_create();

	CHECK(!roster_has_news(roster, 0, 3000));
	arrive(roster, "g", "1");
	arrive(roster, "g", "1");
	CHECK(roster_has_news(roster, 0, 3000));
	CHECK_STR(tell(roster, 0), "+g/1/name ");
	CHECK(!roster_has_news(roster, 0, 3000));
	depart(roster, "g", "1", 1000);
	CHECK_STR(tell(roster, 90000), "");
	depart(roster, "g", "1", 100000);
	CHECK(!roster_has_news(roster, 102999, 3000));
	CHECK_STR(tell(roster, 102999), "");
	CHECK(roster_has_news(roster, 103000, 3000));
	CHECK_STR(tell(roster, 103000), "-g/1 ");
	CHECK_STR(tell(roster, 200000), "");
	roster_destroy(roster);
}

TEST(groups_and_users_are_told_apart)
{
	Roster *roster = roster_create();

	arrive(roster, "a", "1");
	arrive(roster, "a", "2");
	arrive(roster, "b", "1");
	CHECK_STR(tell(roster, 0), "+a/1/name +a/2/name +b/1/name ");
	depart(roster, "b", "1", 0);
	CHECK_STR(tell(roster, 3000), "-b/1 ");
	roster_destroy(roster);
}

TEST(who_has_no_name_is_told_without_one)
{
	Roster *roster = roster_create();

	roster_arrive(roster, slice("g"), slice("1"), SLICE_NONE, 0);
	CHECK_STR(tell(roster, 0), "+g/1/- ");
	roster_destroy(roster);
}

TEST(who_comes_back_in_time_neither_departs_nor_arrives)
{
	Roster *roster = roster_create();

	arrive(roster, "g", "1");
	CHECK_STR(tell(roster, 0), "+g/1/name ");
	depart(roster, "g", "1", 1000);
	CHECK_STR(tell(roster, 2000), "");
	arrive(roster, "g", "1");
	CHECK_STR(tell(roster, 90000), "");
	depart(roster, "g", "1", 90000);
	CHECK_STR(tell(roster, 93000), "-g/1 ");
	roster_destroy(roster);
}

TEST(who_was_never_told_of_and_left_is_not_told_of_at_all)
{
	Roster *roster = roster_create();

	arrive(roster, "g", "1");
	depart(roster, "g", "1", 0);
	CHECK(!roster_has_news(roster, 90000, 3000));
	CHECK_STR(tell(roster, 90000), "");
	depart(roster, "g", "1", 0);
	depart(roster, "h", "1", 0);
	CHECK_STR(tell(roster, 90000), "");
	roster_destroy(roster);
}

TEST(what_happens_while_a_report_is_under_way_is_in_the_next)
{
	Roster *roster = roster_create();

	arrive(roster, "g", "1");
	arrive(roster, "g", "2");
	CHECK_STR(take(roster, 0), "+g/1/name +g/2/name ");
	depart(roster, "g", "1", 1000);
	CHECK_STR(take(roster, 90000), "");
	roster_taken(roster, true);
	CHECK_STR(take(roster, 90000), "-g/1 ");
	arrive(roster, "g", "1");
	roster_taken(roster, true);
	CHECK_STR(tell(roster, 90000), "+g/1/name ");
	roster_destroy(roster);
}

TEST(what_may_not_have_arrived_is_told_again_as_it_is_now)
{
	Roster *roster = roster_create();

	arrive(roster, "g", "1");
	arrive(roster, "g", "2");
	CHECK_STR(take(roster, 0), "+g/1/name +g/2/name ");
	depart(roster, "g", "2", 0);
	roster_taken(roster, false);
	/* 2 may be known and may not: that he left does no harm */
	CHECK_STR(take(roster, 3000), "+g/1/name -g/2 ");
	roster_taken(roster, false);
	CHECK_STR(tell(roster, 3000), "+g/1/name -g/2 ");
	CHECK_STR(tell(roster, 3000), "");
	roster_destroy(roster);
}

TEST(starting_over_tells_of_all_who_are_there_and_of_nobody_else)
{
	Roster *roster = roster_create();

	arrive(roster, "g", "1");
	arrive(roster, "g", "2");
	CHECK_STR(tell(roster, 0), "+g/1/name +g/2/name ");
	depart(roster, "g", "2", 0);
	roster_start_over(roster);
	CHECK_STR(tell(roster, 90000), "+g/1/name ");
	CHECK_STR(tell(roster, 90000), "");
	roster_destroy(roster);
}

TEST(changed_connections_are_taken_once_each_in_order)
{
	Roster	   *roster = roster_create();
	RosterEntry one = {0}, two = {0}, three = {0};

	roster_changed(roster, &one);
	roster_changed(roster, &two);
	roster_changed(roster, &one);
	roster_changed(roster, &three);
	roster_gone(roster, &two, 2); /* never reported: nothing to say */
	CHECK(roster_has_news(roster, 0, 0));
	CHECK(roster_take_changed(roster) == &one);
	roster_changed(roster, &one);
	CHECK(roster_take_changed(roster) == &three);
	CHECK(roster_take_changed(roster) == &one);
	CHECK(roster_take_changed(roster) == NULL);
	CHECK(!roster_has_news(roster, 0, 0));
	roster_destroy(roster);
}

TEST(connections_that_were_reported_are_closed_until_that_is_told)
{
	Roster		   *roster = roster_create();
	RosterEntry		entry[200] = {{0}};
	const uint64_t *ids;

	for (uint64_t i = 0; i < 200; i++)
	{
		entry[i].reported = true;
		roster_gone(roster, &entry[i], i + 1);
		roster_gone(roster, &entry[i], i + 1);
	}
	CHECK_INT(roster_closed(roster, &ids), 200);
	CHECK_INT(ids[0], 1);
	CHECK_INT(ids[199], 200);
	roster_forget_closed(roster, 150);
	CHECK_INT(roster_closed(roster, &ids), 50);
	CHECK_INT(ids[0], 151);
	roster_start_over(roster);
	CHECK_INT(roster_closed(roster, &ids), 0);
	CHECK(!roster_is_incomplete(roster));
	roster_destroy(roster);
}

TEST(without_memory_who_came_is_not_told_of_and_who_closed_starts_it_over)
{
	Roster	   *roster = roster_create();
	RosterEntry entry = {.reported = true};

	for (long i = 0; i < 3; i++)
	{
		starve_after = i;
		arrive(roster, "g", "1");
		starve_after = -1;
		depart(roster, "g", "1", 0);
	}
	CHECK_STR(tell(roster, 90000), "");
	starve_after = 0;
	roster_gone(roster, &entry, 1);
	starve_after = -1;
	CHECK(roster_is_incomplete(roster));
	CHECK(roster_has_news(roster, 0, 0));
	roster_start_over(roster);
	CHECK(!roster_is_incomplete(roster));
	roster_destroy(roster);
}

TEST_MAIN()
