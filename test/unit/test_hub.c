/* The hub, by hand and against arrays that are searched. */
#include "check.h"
#include "starve.h"
#include "hub.h"

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

static void
count_visit(HubOccupant *occupant, void *arg)
{
	(void) occupant;
	(*(int *) arg)++;
}

/* How many occupants hub_each() finds, both counted and returned. */
static int
each(Hub *hub, HubIndex index, const char *key)
{
	int	   seen = 0;
	size_t told = hub_each(hub, index, key == NULL ? SLICE_NONE : slice(key),
						   count_visit, &seen);

	CHECK_INT(told, seen);
	return seen;
}

TEST(a_group_exists_while_it_has_members)
{
	Hub		 *hub = hub_create();
	HubMember one = {0};
	HubMember two = {0};
	HubGroup *group = hub_join(hub, &one, slice("app_1"));

	if (!CHECK(group != NULL))
		return;
	CHECK_STR(group->name, "app_1");
	CHECK(hub_join(hub, &two, slice("app_1")) == group);
	CHECK(hub_find(hub, slice("app_1")) == group);
	CHECK_INT(group->member_count, 2);
	CHECK_INT(hub_group_count(hub), 1);

	CHECK(!hub_leave(hub, &one));
	CHECK(one.group == NULL);
	CHECK(hub_find(hub, slice("app_1")) == group);
	CHECK(group->members[0] == &two);
	CHECK(hub_leave(hub, &two));
	CHECK(hub_find(hub, slice("app_1")) == NULL);
	CHECK_INT(hub_group_count(hub), 0);
	hub_destroy(hub);
}

TEST(leaving_without_a_seat_does_nothing)
{
	Hub		 *hub = hub_create();
	HubMember member = {0};

	CHECK(!hub_leave(hub, &member));
	hub_destroy(hub);
}

TEST(groups_are_told_apart_by_every_byte_of_their_names)
{
	Hub		 *hub = hub_create();
	HubMember member[3] = {{0}};

	CHECK(hub_join(hub, &member[0], slice("app_1")) != NULL);
	CHECK(hub_join(hub, &member[1], slice("app_12")) != NULL);
	CHECK(hub_join(hub, &member[2], slice("App_1")) != NULL);
	CHECK_INT(hub_group_count(hub), 3);
	CHECK(hub_find(hub, slice("app_")) == NULL);
	CHECK(hub_find(hub, (Slice){"app_12", 5}) == member[0].group);
	hub_destroy(hub);
}

TEST(a_name_of_99_bytes_fits_and_a_longer_one_is_refused)
{
	Hub		 *hub = hub_create();
	HubMember member = {0};
	char	  name[101];

	memset(name, 'n', sizeof(name));
	CHECK(hub_join(hub, &member, (Slice){name, 100}) == NULL);
	CHECK(member.group == NULL);
	CHECK(hub_find(hub, (Slice){name, 100}) == NULL);
	CHECK(hub_join(hub, &member, (Slice){name, 99}) != NULL);
	CHECK_INT(strlen(member.group->name), 99);
	hub_destroy(hub);
}

TEST(dirty_groups_come_once_and_in_the_order_they_were_marked)
{
	Hub		 *hub = hub_create();
	HubMember member[4] = {{0}};
	HubGroup *group[4];
	char	  name[4][16];

	for (int i = 0; i < 4; i++)
	{
		snprintf(name[i], sizeof(name[i]), "g_%d", i);
		group[i] = hub_join(hub, &member[i], slice(name[i]));
	}
	CHECK(hub_take_dirty(hub) == NULL);
	hub_mark_dirty(hub, group[2]);
	hub_mark_dirty(hub, group[0]);
	hub_mark_dirty(hub, group[2]);
	hub_mark_dirty(hub, group[3]);
	CHECK(hub_take_dirty(hub) == group[2]);
	hub_mark_dirty(hub, group[1]);
	hub_mark_dirty(hub, group[2]);
	CHECK(hub_take_dirty(hub) == group[0]);
	CHECK(hub_take_dirty(hub) == group[3]);
	CHECK(hub_take_dirty(hub) == group[1]);
	CHECK(hub_take_dirty(hub) == group[2]);
	CHECK(hub_take_dirty(hub) == NULL);
	hub_destroy(hub);
}

TEST(a_freed_group_leaves_the_dirty_list_and_its_frame_is_released)
{
	Hub		 *hub = hub_create();
	HubMember member[3] = {{0}};
	HubGroup *group[3];
	char	  name[3][16];

	/* Each place in the list: first, middle, last. */
	for (int gone = 0; gone < 3; gone++)
	{
		check_at("place %d", gone);
		for (int i = 0; i < 3; i++)
		{
			snprintf(name[i], sizeof(name[i]), "g_%d", i);
			group[i] = hub_join(hub, &member[i], slice(name[i]));
			for (int format = 0; format < HUB_FORMAT_COUNT; format++)
				group[i]->turn[format] = frame_create(8);
			hub_mark_dirty(hub, group[i]);
		}
		CHECK(hub_leave(hub, &member[gone]));
		for (int i = 0; i < 3; i++)
		{
			if (i != gone)
				CHECK(hub_take_dirty(hub) == group[i]);
		}
		CHECK(hub_take_dirty(hub) == NULL);
		for (int i = 0; i < 3; i++)
			hub_leave(hub, &member[i]);
	}
	hub_destroy(hub); /* LeakSanitizer looks for the frames */
}

TEST(a_group_knows_how_many_members_it_has_of_each_form)
{
	Hub		 *hub = hub_create();
	HubMember raw = {.format = HUB_RAW};
	HubMember v1[2] = {{.format = HUB_V1}, {.format = HUB_V1}};
	HubGroup *group = hub_join(hub, &raw, slice("g_1"));

	CHECK(hub_join(hub, &v1[0], slice("g_1")) == group);
	CHECK(hub_join(hub, &v1[1], slice("g_1")) == group);
	CHECK_INT(group->format_count[HUB_RAW], 1);
	CHECK_INT(group->format_count[HUB_V1], 2);
	hub_leave(hub, &raw);
	hub_leave(hub, &v1[1]);
	CHECK_INT(group->format_count[HUB_RAW], 0);
	CHECK_INT(group->format_count[HUB_V1], 1);
	hub_destroy(hub);
}

TEST(all_groups_are_walked_once)
{
	Hub		 *hub = hub_create();
	HubMember member[300] = {{0}};
	bool	  seen[300] = {false};
	int		  count = 0;

	for (int i = 0; i < 300; i++)
	{
		char name[16];

		snprintf(name, sizeof(name), "g_%d", i);
		CHECK(hub_join(hub, &member[i], slice(name)) != NULL);
	}
	for (HubGroup *group = hub_next_group(hub, NULL); group != NULL;
		 group = hub_next_group(hub, group))
	{
		int i = atoi(group->name + 2);

		CHECK(!seen[i]);
		seen[i] = true;
		count++;
	}
	CHECK_INT(count, 300);
	CHECK_INT(hub_group_count(hub), 300);
	hub_destroy(hub);
}

TEST(destroying_a_hub_unseats_who_is_still_there)
{
	Hub		   *hub = hub_create();
	HubMember	member = {0};
	HubOccupant occupant = {.user_id = "42"};

	CHECK(hub_join(hub, &member, slice("app_1")) != NULL);
	CHECK(hub_occupy(hub, &occupant));
	hub_destroy(hub);
	CHECK(member.group == NULL);
	CHECK(occupant.all_link == NULL && occupant.user_link == NULL);
	hub_destroy(NULL);
}

TEST(a_peer_is_found_by_user_by_credential_and_by_issuer)
{
	Hub		   *hub = hub_create();
	HubOccupant alice = {.user_id = "1", .credential_id = "token:a"};
	HubOccupant alice_too = {
		.user_id = "1", .credential_id = "session:s", .issuer_id = "token:a"};
	HubOccupant bob = {.user_id = "2", .credential_id = "token:b"};
	HubOccupant nobody = {.user_id = NULL};

	CHECK(hub_occupy(hub, &alice));
	CHECK(hub_occupy(hub, &alice_too));
	CHECK(hub_occupy(hub, &bob));
	CHECK(hub_occupy(hub, &nobody));
	CHECK_INT(hub_occupant_count(hub), 4);
	CHECK_INT(each(hub, HUB_BY_USER, "1"), 2);
	CHECK_INT(each(hub, HUB_BY_USER, "2"), 1);
	CHECK_INT(each(hub, HUB_BY_USER, "3"), 0);
	CHECK_INT(each(hub, HUB_BY_USER, ""), 0);
	CHECK_INT(each(hub, HUB_BY_CREDENTIAL, "token:a"), 2);
	CHECK_INT(each(hub, HUB_BY_CREDENTIAL, "session:s"), 1);
	CHECK_INT(each(hub, HUB_BY_CREDENTIAL, "1"), 0);
	CHECK_INT(each(hub, HUB_BY_USER, NULL), 4);
	CHECK_INT(each(hub, HUB_BY_CREDENTIAL, NULL), 0);

	hub_vacate(hub, &alice);
	hub_vacate(hub, &alice);
	CHECK_INT(each(hub, HUB_BY_USER, "1"), 1);
	CHECK_INT(each(hub, HUB_BY_CREDENTIAL, "token:a"), 1);
	CHECK_INT(each(hub, HUB_BY_USER, NULL), 3);
	CHECK_INT(hub_occupant_count(hub), 3);
	hub_destroy(hub);
}

TEST(a_credential_that_is_its_own_issuer_is_visited_once)
{
	Hub		   *hub = hub_create();
	HubOccupant occupant = {
		.user_id = "1", .credential_id = "c", .issuer_id = "c"};

	CHECK(hub_occupy(hub, &occupant));
	CHECK_INT(each(hub, HUB_BY_CREDENTIAL, "c"), 1);
	hub_destroy(hub);
}

TEST(a_key_is_compared_whole_and_may_have_any_bytes)
{
	Hub		   *hub = hub_create();
	HubOccupant occupant = {.user_id = "42"};

	CHECK(hub_occupy(hub, &occupant));
	CHECK_INT(
		hub_each(hub, HUB_BY_USER, (Slice){"421", 2}, count_visit, &(int){0}),
		1);
	CHECK_INT(
		hub_each(hub, HUB_BY_USER, (Slice){"42\0", 3}, count_visit, &(int){0}),
		0);
	hub_destroy(hub);
}

TEST(an_idle_peer_costs_the_hub_less_than_300_bytes)
{
	/* Three indexes with at most two buckets an occupant, and a seat. */
	size_t bytes = sizeof(HubOccupant) + sizeof(HubMember) +
				   2 * sizeof(HubMember *) + 3 * 2 * sizeof(HubOccupant *);

	printf("# %zu bytes\n", bytes);
	CHECK(bytes < 300);
}

TEST(out_of_memory_seats_nobody_and_leaves_no_empty_group)
{
	HubMember member[5] = {{0}};
	Hub		 *hub;

	for (long i = 0; i < 4; i++)
	{
		check_at("creating, after %ld", i);
		starve_after = i;
		starved = false;
		CHECK(hub_create() == NULL);
		starve_after = -1;
		CHECK(starved);
	}

	/* The first group: itself, its members, and uthash's table and buckets. */
	hub = hub_create();
	for (long i = 0; i < 4; i++)
	{
		check_at("first group, after %ld", i);
		starve_after = i;
		starved = false;
		CHECK(hub_join(hub, &member[0], slice("app_1")) == NULL);
		starve_after = -1;
		CHECK(starved);
		CHECK(member[0].group == NULL);
		CHECK_INT(hub_group_count(hub), 0);
	}

	/* The fifth member needs more room than a new group has. */
	for (int i = 0; i < 4; i++)
		CHECK(hub_join(hub, &member[i], slice("app_1")) != NULL);
	starve_after = 0;
	CHECK(hub_join(hub, &member[4], slice("app_1")) == NULL);
	starve_after = -1;
	CHECK(member[4].group == NULL);
	CHECK_INT(hub_find(hub, slice("app_1"))->member_count, 4);
	hub_destroy(hub);
}

TEST(out_of_memory_keeps_every_occupant_findable)
{
	static HubOccupant occupant[1000];
	Hub				  *hub = hub_create();

	starve_after = 0;
	for (int i = 0; i < 1000; i++)
	{
		occupant[i].user_id = i % 2 == 0 ? "even" : "odd";
		CHECK(hub_occupy(hub, &occupant[i]));
	}
	starve_after = -1;
	CHECK_INT(each(hub, HUB_BY_USER, "even"), 500);
	CHECK_INT(each(hub, HUB_BY_USER, "odd"), 500);
	hub_destroy(hub);
}

/* The model: for each peer the group it sits in and who it is; -1: none. */
#define PEERS 400
#define GROUPS 60
#define USERS 50

typedef struct Model
{
	Hub		   *hub;
	HubMember	member[PEERS];
	HubOccupant occupant[PEERS];
	int			seat[PEERS];
	int			user[PEERS];
	int			credential[PEERS];
	int			issuer[PEERS];
	bool		occupied[PEERS];
	bool		visited[PEERS];
	char		text[USERS][16];
	uint64_t	random;
} Model;

static int
random_below(Model *model, int bound)
{
	model->random ^= model->random >> 12;
	model->random ^= model->random << 25;
	model->random ^= model->random >> 27;
	return (int) ((model->random * 0x2545F4914F6CDD1DULL >> 33) %
				  (uint64_t) bound);
}

static Model model;

static void
model_visit(HubOccupant *occupant, void *arg)
{
	size_t i = (size_t) (occupant - model.occupant);

	(void) arg;
	CHECK(!model.visited[i]);
	model.visited[i] = true;
}

static void
model_check_group(int which)
{
	char	  name[16];
	HubGroup *group;
	uint32_t  expected = 0;

	snprintf(name, sizeof(name), "g_%d", which);
	group = hub_find(model.hub, slice(name));
	for (int i = 0; i < PEERS; i++)
	{
		if (model.seat[i] != which)
			continue;
		expected++;
		if (!CHECK(group != NULL))
			return;
		CHECK(model.member[i].group == group);
		CHECK(group->members[model.member[i].position] == &model.member[i]);
	}
	CHECK_INT(group == NULL ? 0 : group->member_count, expected);
}

static void
model_check_index(HubIndex index, int key)
{
	size_t expected = 0;
	size_t told;

	memset(model.visited, 0, sizeof(model.visited));
	told = hub_each(model.hub, index,
					key < 0 ? SLICE_NONE : slice(model.text[key]), model_visit,
					NULL);
	for (int i = 0; i < PEERS; i++)
	{
		bool found = model.occupied[i] &&
					 (index == HUB_BY_USER ? key < 0 || model.user[i] == key
										   : model.credential[i] == key ||
												 model.issuer[i] == key);

		expected += found;
		CHECK(model.visited[i] == found);
	}
	CHECK_INT(told, expected);
}

static const char *
model_text(int key)
{
	return key < 0 ? NULL : model.text[key];
}

TEST(random_use_agrees_with_arrays_that_are_searched)
{
	model.random = 20261123;
	printf("# seed %llu\n", (unsigned long long) model.random);
	model.hub = hub_create();
	for (int i = 0; i < USERS; i++)
		snprintf(model.text[i], sizeof(model.text[i]), "%d", i);
	for (int i = 0; i < PEERS; i++)
		model.seat[i] = -1;

	for (int step = 0; step < 40000 && !check_failed; step++)
	{
		int i = random_below(&model, PEERS);

		/* Half of the time mostly in, half of the time mostly out. */
		bool in = random_below(&model, 10) < (step / 5000 % 2 == 0 ? 8 : 2);

		check_at("step %d", step);
		if (random_below(&model, 2) == 0)
		{
			if (in && model.seat[i] < 0)
			{
				char name[16];

				model.seat[i] = random_below(&model, GROUPS);
				snprintf(name, sizeof(name), "g_%d", model.seat[i]);
				CHECK(hub_join(model.hub, &model.member[i], slice(name)) !=
					  NULL);
			}
			else if (!in)
			{
				hub_leave(model.hub, &model.member[i]);
				model.seat[i] = -1;
			}
		}
		else if (in && !model.occupied[i])
		{
			model.user[i] = random_below(&model, USERS + 5) - 5;
			model.credential[i] = random_below(&model, USERS + 5) - 5;
			model.issuer[i] = random_below(&model, USERS + 20) - 20;
			model.occupant[i].user_id = model_text(model.user[i]);
			model.occupant[i].credential_id = model_text(model.credential[i]);
			model.occupant[i].issuer_id = model_text(model.issuer[i]);
			CHECK(hub_occupy(model.hub, &model.occupant[i]));
			model.occupied[i] = true;
		}
		else if (!in)
		{
			hub_vacate(model.hub, &model.occupant[i]);
			model.occupied[i] = false;
		}

		if (step % 8 == 0)
		{
			model_check_group(random_below(&model, GROUPS));
			model_check_index(HUB_BY_USER, random_below(&model, USERS + 1) - 1);
			model_check_index(HUB_BY_CREDENTIAL, random_below(&model, USERS));
		}
	}
	hub_destroy(model.hub);
}

TEST_MAIN()
