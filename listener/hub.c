/*-------------------------------------------------------------------------
 *
 * hub.c
 *	  Who is where: group -> members, and the indexes that revocation needs.
 *
 * Groups are a uthash table.  A group exists while it has members.  Its members
 * are a dense array, because fan-out walks it for every message; a leaving
 * member's place is taken by the last one.
 *
 * Occupants are chained into the buckets of three indexes of our own.  All
 * occupants of one key share a bucket with whatever else falls there; a look-up
 * compares strings.  That is slower than a table with a node per key and costs
 * a third of its memory; look-ups happen when something is revoked, while the
 * memory is there all day.
 *
 *-------------------------------------------------------------------------
 */
#include "hub.h"

#include <assert.h>
#include <stdlib.h>

/* A power of two; 512 bytes for each of the three indexes of an idle hub. */
#define INDEX_MIN_BUCKETS 64

/* Members that a new group has room for: most groups are small. */
#define GROUP_MIN_MEMBERS 4

/* The strings by which an occupant can be found. */
typedef enum Key
{
	KEY_USER,
	KEY_CREDENTIAL,
	KEY_ISSUER,
} Key;

#define KEY_COUNT 3

typedef struct Index
{
	HubOccupant **bucket;
	size_t		  bucket_count; /* a power of two */
	size_t		  used;			/* occupants in it */
} Index;

struct Hub
{
	HubGroup	*groups;
	HubGroup	*dirty;
	HubGroup   **dirty_tail; /* where the next dirty group is linked */
	HashSeed	 seed;
	Index		 index[KEY_COUNT];
	HubOccupant *occupants;
	size_t		 occupant_count;
};

/* What the three indexes differ in: which fields of an occupant they use. */
typedef struct Chain
{
	const char	  *text; /* NULL: not indexed */
	HubOccupant	 **next;
	HubOccupant ***link;
} Chain;

static Chain
occupant_chain(HubOccupant *occupant, Key key)
{
	switch (key)
	{
		case KEY_USER:
			return (Chain){occupant->user_id, &occupant->user_next,
						   &occupant->user_link};
		case KEY_CREDENTIAL:
			return (Chain){occupant->credential_id, &occupant->credential_next,
						   &occupant->credential_link};
		case KEY_ISSUER:
			return (Chain){occupant->issuer_id, &occupant->issuer_next,
						   &occupant->issuer_link};
	}
	abort();
}

Hub *
hub_create(void)
{
	Hub *hub = calloc(1, sizeof(Hub));

	if (hub == NULL)
		return NULL;
	hub->dirty_tail = &hub->dirty;
	hub->seed = hash_seed();
	for (int key = 0; key < KEY_COUNT; key++)
	{
		Index *index = &hub->index[key];

		index->bucket = calloc(INDEX_MIN_BUCKETS, sizeof(HubOccupant *));
		if (index->bucket == NULL)
		{
			hub_destroy(hub);
			return NULL;
		}
		index->bucket_count = INDEX_MIN_BUCKETS;
	}
	return hub;
}

static void
dirty_unlink(Hub *hub, HubGroup *group)
{
	if (group->dirty_link == NULL)
		return;
	*group->dirty_link = group->next_dirty;
	if (group->next_dirty != NULL)
		group->next_dirty->dirty_link = group->dirty_link;
	else
		hub->dirty_tail = group->dirty_link;
	group->next_dirty = NULL;
	group->dirty_link = NULL;
}

static void
group_free(Hub *hub, HubGroup *group)
{
	dirty_unlink(hub, group);
	HASH_DEL(hub->groups, group);
	for (int format = 0; format < HUB_FORMAT_COUNT; format++)
		frame_release(group->turn[format]);
	free(group->members);
	free(group);
}

void
hub_destroy(Hub *hub)
{
	if (hub == NULL)
		return;
	while (hub->groups != NULL)
	{
		HubGroup *group = hub->groups;

		for (uint32_t i = 0; i < group->member_count; i++)
			group->members[i]->group = NULL;
		group_free(hub, group);
	}
	while (hub->occupants != NULL)
		hub_vacate(hub, hub->occupants);
	for (int key = 0; key < KEY_COUNT; key++)
		free(hub->index[key].bucket);
	free(hub);
}

static HubGroup *
group_find_hashed(Hub *hub, Slice name, unsigned hash)
{
	HubGroup *group;

	HASH_FIND_BYHASHVALUE(hh, hub->groups, name.ptr, (unsigned) name.len, hash,
						  group);
	return group;
}

HubGroup *
hub_find(Hub *hub, Slice group_name)
{
	if (group_name.ptr == NULL || group_name.len > GROUP_NAME_MAX)
		return NULL;
	return group_find_hashed(
		hub, group_name, hash_bytes(hub->seed, group_name.ptr, group_name.len));
}

static HubGroup *
group_create(Hub *hub, Slice name, unsigned hash)
{
	HubGroup *group = calloc(1, sizeof(HubGroup));

	if (group == NULL)
		return NULL;
	memcpy(group->name, name.ptr, name.len);
	group->members = malloc(GROUP_MIN_MEMBERS * sizeof(HubMember *));
	if (group->members == NULL)
	{
		free(group);
		return NULL;
	}
	group->member_cap = GROUP_MIN_MEMBERS;

	HASH_ADD_KEYPTR_BYHASHVALUE(hh, hub->groups, group->name,
								(unsigned) name.len, hash, group);
	if (group->hh.tbl == NULL) /* out of memory: see hashing.h */
	{
		free(group->members);
		free(group);
		return NULL;
	}
	return group;
}

static bool
members_resize(HubGroup *group, uint32_t cap)
{
	HubMember **members =
		realloc(group->members, (size_t) cap * sizeof(HubMember *));

	if (members == NULL)
		return false;
	group->members = members;
	group->member_cap = cap;
	return true;
}

HubGroup *
hub_join(Hub *hub, HubMember *member, Slice group_name)
{
	HubGroup *group;
	unsigned  hash;

	assert(member->group == NULL);
	if (group_name.ptr == NULL || group_name.len > GROUP_NAME_MAX)
		return NULL;
	hash = hash_bytes(hub->seed, group_name.ptr, group_name.len);
	group = group_find_hashed(hub, group_name, hash);
	if (group == NULL)
		group = group_create(hub, group_name, hash);
	if (group == NULL)
		return NULL;

	/* A new group has room, so a failure never leaves an empty one behind. */
	if (group->member_count == group->member_cap &&
		(group->member_cap > UINT32_MAX / 2 ||
		 !members_resize(group, group->member_cap * 2)))
		return NULL;

	member->group = group;
	member->position = group->member_count;
	group->members[group->member_count++] = member;
	group->format_count[member->format]++;
	return group;
}

bool
hub_leave(Hub *hub, HubMember *member)
{
	HubGroup  *group = member->group;
	HubMember *last;

	if (group == NULL)
		return false;
	last = group->members[--group->member_count];
	group->members[member->position] = last;
	last->position = member->position;
	group->format_count[member->format]--;
	member->group = NULL;
	member->position = 0;

	if (group->member_count == 0)
	{
		group_free(hub, group);
		return true;
	}

	/*
	 * Half the room stays free, so that a group whose size goes up and down by
	 * one is not resized each time.  Failing to shrink does no harm.
	 */
	if (group->member_cap > GROUP_MIN_MEMBERS &&
		group->member_count <= group->member_cap / 4)
		(void) members_resize(group, group->member_cap / 2);
	return false;
}

void
hub_mark_dirty(Hub *hub, HubGroup *group)
{
	if (group->dirty_link != NULL)
		return;
	group->next_dirty = NULL;
	group->dirty_link = hub->dirty_tail;
	*hub->dirty_tail = group;
	hub->dirty_tail = &group->next_dirty;
}

HubGroup *
hub_take_dirty(Hub *hub)
{
	HubGroup *group = hub->dirty;

	if (group != NULL)
		dirty_unlink(hub, group);
	return group;
}

HubGroup *
hub_next_group(Hub *hub, HubGroup *previous)
{
	return previous == NULL ? hub->groups : previous->hh.next;
}

size_t
hub_group_count(const Hub *hub)
{
	return HASH_COUNT(hub->groups);
}

size_t
hub_occupant_count(const Hub *hub)
{
	return hub->occupant_count;
}

static HubOccupant **
index_bucket(const Hub *hub, const Index *index, const char *text, size_t len)
{
	return &index->bucket[hash_bytes(hub->seed, text, len) &
						  (index->bucket_count - 1)];
}

static void
index_insert(Hub *hub, Key key, HubOccupant *occupant)
{
	Chain		  chain = occupant_chain(occupant, key);
	HubOccupant **bucket =
		index_bucket(hub, &hub->index[key], chain.text, strlen(chain.text));
	HubOccupant *first = *bucket;

	*chain.next = first;
	*chain.link = bucket;
	if (first != NULL)
		*occupant_chain(first, key).link = chain.next;
	*bucket = occupant;
}

/*
 * Double the buckets when there is one occupant for each.  Failing to is no
 * failure: chains just get longer, and the next occupant tries again.
 */
static void
index_grow(Hub *hub, Key key)
{
	Index		 *index = &hub->index[key];
	Index		  old = *index;
	size_t		  count = old.bucket_count * 2;
	HubOccupant **bucket;

	if (old.used < old.bucket_count)
		return;
	bucket = calloc(count, sizeof(HubOccupant *));
	if (bucket == NULL)
		return;
	index->bucket = bucket;
	index->bucket_count = count;
	for (size_t i = 0; i < old.bucket_count; i++)
	{
		HubOccupant *occupant = old.bucket[i];

		while (occupant != NULL)
		{
			HubOccupant *next = *occupant_chain(occupant, key).next;

			index_insert(hub, key, occupant);
			occupant = next;
		}
	}
	free(old.bucket);
}

static void
index_remove(Hub *hub, Key key, HubOccupant *occupant)
{
	Chain		 chain = occupant_chain(occupant, key);
	HubOccupant *next = *chain.next;

	if (*chain.link == NULL)
		return;
	**chain.link = next;
	if (next != NULL)
		*occupant_chain(next, key).link = *chain.link;
	*chain.next = NULL;
	*chain.link = NULL;
	hub->index[key].used--;
}

bool
hub_occupy(Hub *hub, HubOccupant *occupant)
{
	assert(occupant->all_link == NULL);
	for (Key key = KEY_USER; key <= KEY_ISSUER; key++)
	{
		if (occupant_chain(occupant, key).text == NULL)
			continue;
		index_grow(hub, key);
		index_insert(hub, key, occupant);
		hub->index[key].used++;
	}

	occupant->all_next = hub->occupants;
	occupant->all_link = &hub->occupants;
	if (occupant->all_next != NULL)
		occupant->all_next->all_link = &occupant->all_next;
	hub->occupants = occupant;
	hub->occupant_count++;
	return true;
}

void
hub_vacate(Hub *hub, HubOccupant *occupant)
{
	if (occupant->all_link == NULL)
		return;
	for (Key key = KEY_USER; key <= KEY_ISSUER; key++)
		index_remove(hub, key, occupant);

	*occupant->all_link = occupant->all_next;
	if (occupant->all_next != NULL)
		occupant->all_next->all_link = occupant->all_link;
	occupant->all_next = NULL;
	occupant->all_link = NULL;
	hub->occupant_count--;
}

static bool
text_equals(const char *text, Slice slice)
{
	return text != NULL && slice_equals(slice, text);
}

/* Visit the occupants that the index of one key has for text. */
static size_t
index_each(Hub *hub, Key key, Slice text,
		   void (*visit)(HubOccupant *occupant, void *arg), void *arg)
{
	HubOccupant *next;
	size_t		 visited = 0;

	for (HubOccupant *occupant =
			 *index_bucket(hub, &hub->index[key], text.ptr, text.len);
		 occupant != NULL; occupant = next)
	{
		Chain chain = occupant_chain(occupant, key);

		next = *chain.next;
		if (!text_equals(chain.text, text))
			continue;

		/* The index of credentials has had it already. */
		if (key == KEY_ISSUER && text_equals(occupant->credential_id, text))
			continue;
		visit(occupant, arg);
		visited++;
	}
	return visited;
}

size_t
hub_each(Hub *hub, HubIndex index, Slice key,
		 void (*visit)(HubOccupant *occupant, void *arg), void *arg)
{
	size_t visited = 0;

	switch (index)
	{
		case HUB_BY_USER:
			if (key.ptr != NULL)
				return index_each(hub, KEY_USER, key, visit, arg);
			for (HubOccupant *occupant = hub->occupants; occupant != NULL;
				 occupant = occupant->all_next)
			{
				visit(occupant, arg);
				visited++;
			}
			return visited;
		case HUB_BY_CREDENTIAL:
			if (key.ptr == NULL)
				return 0;
			visited = index_each(hub, KEY_CREDENTIAL, key, visit, arg);
			return visited + index_each(hub, KEY_ISSUER, key, visit, arg);
	}
	abort();
}
