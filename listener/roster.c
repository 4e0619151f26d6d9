/*-------------------------------------------------------------------------
 *
 * roster.c
 *	  What the database has still to be told.
 *
 *-------------------------------------------------------------------------
 */
#include "roster.h"

#include <stdlib.h>

#include "hashing.h"

/* Where a visit is. */
typedef enum VisitPlace
{
	VISIT_KNOWN,	 /* the database has it as it is */
	VISIT_ARRIVING,	 /* to be told that he came */
	VISIT_DEPARTING, /* to be told that he left, in some time */
	VISIT_TAKEN,	 /* in the report that is under way */
} VisitPlace;

#define VISIT_PLACES (VISIT_TAKEN + 1)

/* One user in one group. */
typedef struct Visit
{
	UT_hash_handle hh;
	struct Visit  *next, *previous; /* in the list of its place */
	VisitPlace	   place;
	uint32_t	   count;	/* connections */
	bool		   told;	/* the database has him there */
	uint64_t	   left_ms; /* when count became 0 */
	const char	  *username;
	size_t		   group_len;
	char		   text[]; /* group, NUL, user, NUL, username, NUL */
} Visit;

typedef struct VisitList
{
	Visit *first, *last;
} VisitList;

struct Roster
{
	HashSeed	 seed;
	RosterEntry *changed, **changed_end;
	uint64_t	*closed;
	size_t		 closed_count, closed_cap;
	Visit		*visits;
	VisitList	 list[VISIT_PLACES]; /* KNOWN is not kept as a list */
	bool		 incomplete;
};

Roster *
roster_create(void)
{
	Roster *roster = calloc(1, sizeof(*roster));

	if (roster == NULL)
		return NULL;
	roster->seed = hash_seed();
	roster->changed_end = &roster->changed;
	return roster;
}

/* ---- connections --------------------------------------------------------- */

void
roster_changed(Roster *roster, RosterEntry *entry)
{
	if (entry->link != NULL)
		return;
	entry->next = NULL;
	entry->link = roster->changed_end;
	*roster->changed_end = entry;
	roster->changed_end = &entry->next;
}

static void
unlink_entry(Roster *roster, RosterEntry *entry)
{
	if (entry->link == NULL)
		return;
	*entry->link = entry->next;
	if (entry->next != NULL)
		entry->next->link = entry->link;
	else
		roster->changed_end = entry->link;
	entry->link = NULL;
}

void
roster_gone(Roster *roster, RosterEntry *entry, uint64_t id)
{
	unlink_entry(roster, entry);
	if (!entry->reported)
		return;
	entry->reported = false;
	if (roster->closed_count == roster->closed_cap)
	{
		size_t	  cap = roster->closed_cap ? roster->closed_cap * 2 : 64;
		uint64_t *grown =
			reallocarray(roster->closed, cap, sizeof(*roster->closed));

		if (grown == NULL)
		{
			roster->incomplete = true;
			return;
		}
		roster->closed = grown;
		roster->closed_cap = cap;
	}
	roster->closed[roster->closed_count++] = id;
}

RosterEntry *
roster_take_changed(Roster *roster)
{
	RosterEntry *entry = roster->changed;

	if (entry != NULL)
		unlink_entry(roster, entry);
	return entry;
}

size_t
roster_closed(const Roster *roster, const uint64_t **ids)
{
	*ids = roster->closed;
	return roster->closed_count;
}

void
roster_forget_closed(Roster *roster, size_t count)
{
	roster->closed_count -= count;
	if (roster->closed_count > 0)
		memmove(roster->closed, roster->closed + count,
				roster->closed_count * sizeof(*roster->closed));
}

/* ---- presence ------------------------------------------------------------ */

static void
list_remove(Roster *roster, Visit *visit)
{
	VisitList *list = &roster->list[visit->place];

	if (visit->place == VISIT_KNOWN)
		return;
	if (visit->previous != NULL)
		visit->previous->next = visit->next;
	else
		list->first = visit->next;
	if (visit->next != NULL)
		visit->next->previous = visit->previous;
	else
		list->last = visit->previous;
}

static void
move(Roster *roster, Visit *visit, VisitPlace place)
{
	VisitList *list = &roster->list[place];

	if (visit->place == place)
		return;
	list_remove(roster, visit);
	visit->place = place;
	if (place == VISIT_KNOWN)
		return;
	visit->next = NULL;
	visit->previous = list->last;
	if (list->last != NULL)
		list->last->next = visit;
	else
		list->first = visit;
	list->last = visit;
}

static void
visit_free(Roster *roster, Visit *visit)
{
	list_remove(roster, visit);
	HASH_DEL(roster->visits, visit);
	free(visit);
}

/* Put the visit where it belongs by what is so and what has been told. */
static void
settle(Roster *roster, Visit *visit)
{
	if (visit->count > 0)
		move(roster, visit, visit->told ? VISIT_KNOWN : VISIT_ARRIVING);
	else if (visit->told)
		move(roster, visit, VISIT_DEPARTING);
	else
		visit_free(roster, visit);
}

/* "group NUL user" is the key; false when that is too long to be one. */
#define KEY_MAX 1024

static bool
make_key(char key[KEY_MAX], Slice group, Slice user, size_t *len)
{
	*len = group.len + 1 + user.len;
	if (*len > KEY_MAX)
		return false;
	memcpy(key, group.ptr, group.len);
	key[group.len] = '\0';
	memcpy(key + group.len + 1, user.ptr, user.len);
	return true;
}

static Visit *
visit_find(const Roster *roster, const char *key, size_t len)
{
	Visit *visit;

	HASH_FIND_BYHASHVALUE(hh, roster->visits, key, (unsigned) len,
						  hash_bytes(roster->seed, key, len), visit);
	return visit;
}

static Visit *
visit_create(Roster *roster, const char *key, size_t len, size_t group_len,
			 Slice username)
{
	Visit *visit = calloc(1, sizeof(*visit) + len + 1 + username.len + 1);

	if (visit == NULL)
		return NULL;
	memcpy(visit->text, key, len);
	visit->group_len = group_len;
	if (username.ptr != NULL)
	{
		memcpy(visit->text + len + 1, username.ptr, username.len);
		visit->username = visit->text + len + 1;
	}
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, roster->visits, visit->text, (unsigned) len,
								hash_bytes(roster->seed, key, len), visit);
	if (visit->hh.tbl == NULL) /* out of memory: see hashing.h */
	{
		free(visit);
		return NULL;
	}
	return visit;
}

void
roster_arrive(Roster *roster, Slice group, Slice user, Slice username,
			  uint64_t now_ms)
{
	char   key[KEY_MAX];
	size_t len;
	Visit *visit;

	(void) now_ms;
	if (!make_key(key, group, user, &len))
		return;
	visit = visit_find(roster, key, len);
	if (visit == NULL)
		visit = visit_create(roster, key, len, group.len, username);
	if (visit == NULL)
		return;
	visit->count++;
	if (visit->place != VISIT_TAKEN)
		settle(roster, visit);
}

void
roster_depart(Roster *roster, Slice group, Slice user, uint64_t now_ms)
{
	char   key[KEY_MAX];
	size_t len;
	Visit *visit;

	if (!make_key(key, group, user, &len))
		return;
	visit = visit_find(roster, key, len);
	if (visit == NULL || visit->count == 0)
		return; /* there was no memory for it */
	if (--visit->count > 0)
		return;
	visit->left_ms = now_ms;
	if (visit->place != VISIT_TAKEN)
		settle(roster, visit);
}

static void
take(Roster *roster, Visit *visit, bool told, RosterVisitor *visitor)
{
	visit->told = told;
	move(roster, visit, VISIT_TAKEN);
	*visitor = (RosterVisitor){
		.group = visit->text,
		.user = visit->text + visit->group_len + 1,
		.username = visit->username,
	};
}

bool
roster_take_arrival(Roster *roster, RosterVisitor *visitor)
{
	Visit *visit = roster->list[VISIT_ARRIVING].first;

	if (visit == NULL)
		return false;
	take(roster, visit, true, visitor);
	return true;
}

static bool
is_due(const Visit *visit, uint64_t now_ms, uint64_t delay_ms)
{
	return visit != NULL && now_ms >= visit->left_ms + delay_ms;
}

bool
roster_take_departure(Roster *roster, uint64_t now_ms, uint64_t delay_ms,
					  RosterVisitor *visitor)
{
	Visit *visit = roster->list[VISIT_DEPARTING].first;

	if (!is_due(visit, now_ms, delay_ms))
		return false;
	take(roster, visit, false, visitor);
	return true;
}

void
roster_taken(Roster *roster, bool arrived)
{
	Visit *visit;

	while ((visit = roster->list[VISIT_TAKEN].first) != NULL)
	{
		/* Unknown: say again what is so now. */
		if (!arrived)
			visit->told = visit->count == 0;
		settle(roster, visit);
	}
}

void
roster_start_over(Roster *roster)
{
	Visit *visit;
	Visit *next;

	HASH_ITER(hh, roster->visits, visit, next)
	{
		visit->told = false;
		settle(roster, visit);
	}
	roster->closed_count = 0;
	roster->incomplete = false;
}

bool
roster_is_incomplete(const Roster *roster)
{
	return roster->incomplete;
}

bool
roster_has_news(const Roster *roster, uint64_t now_ms, uint64_t delay_ms)
{
	return roster->changed != NULL || roster->closed_count > 0 ||
		   roster->incomplete || roster->list[VISIT_ARRIVING].first != NULL ||
		   is_due(roster->list[VISIT_DEPARTING].first, now_ms, delay_ms);
}

void
roster_destroy(Roster *roster)
{
	Visit *visit;
	Visit *next;

	if (roster == NULL)
		return;
	HASH_ITER(hh, roster->visits, visit, next)
	{
		visit_free(roster, visit);
	}
	free(roster->closed);
	free(roster);
}
