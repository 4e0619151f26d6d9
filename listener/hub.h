/*-------------------------------------------------------------------------
 *
 * hub.h
 *	  Who is where: group -> members, and the indexes that revocation needs.
 *
 * A pure data structure; it knows no socket and no protocol.  A member is one
 * peer's seat in one group (a peer may hold several seats, for usher.v1).  An
 * occupant is one authenticated peer, found by user and by credential.
 * Both are embedded in the caller's structures: the hub allocates groups and
 * its indexes only.
 *
 * While the caller walks a group's members or an index, it must not add or
 * remove any: mark and do it afterwards (the loop frees peers at the end of
 * a turn).
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_HUB_H
#define USHER_HUB_H

#include "common.h"
#include "frame.h"
#include "hashing.h"

typedef struct Hub		 Hub;
typedef struct HubGroup	 HubGroup;
typedef struct HubMember HubMember;

/* In which form a member is sent a group's messages. */
typedef enum HubFormat
{
	HUB_RAW, /* the payload is the frame */
	HUB_V1,	 /* as usher.v1 puts it */
} HubFormat;

#define HUB_FORMAT_COUNT 2

/* One seat.  Zeroed, but for format, before hub_join; group is NULL when not
 * seated. */
struct HubMember
{
	HubGroup *group;
	uint32_t  position; /* index in group->members */
	uint8_t	  format;	/* HubFormat; fixed while seated */
};

struct HubGroup
{
	char		name[GROUP_NAME_MAX + 1];
	HubMember **members; /* dense array */
	uint32_t	member_count;
	uint32_t	member_cap;
	uint32_t	format_count[HUB_FORMAT_COUNT]; /* members of each format */
	bool		plain; /* its name is LISTENed to as a channel */
	Frame	   *turn[HUB_FORMAT_COUNT]; /* this turn's frames, or NULL; fanout
										 * writes and flushes */
	HubGroup	  *next_dirty;			/* see hub_mark_dirty */
	HubGroup	 **dirty_link; /* what points at this group, NULL: not dirty */
	UT_hash_handle hh;
};

Hub *hub_create(void) MUST_CHECK;

/* Members and occupants that are still there leave first.  Accepts NULL. */
void hub_destroy(Hub *hub);

/*
 * hub_join
 *		Seat member in the named group, which is made when missing.
 *
 * Returns the group, or NULL when out of memory or when the name is longer than
 * GROUP_NAME_MAX.  member->group must be NULL.
 */
HubGroup *hub_join(Hub *hub, HubMember *member, Slice group_name) MUST_CHECK;

/*
 * hub_leave
 *		Remove member from its group; a group without members is freed (its
 *		pending turn frames with it).
 *
 * Returns true when the group was freed.  Does nothing if not seated.
 */
bool hub_leave(Hub *hub, HubMember *member);

/* The group of that name, or NULL when it has no members. */
HubGroup *hub_find(Hub *hub, Slice group_name);

/* Put group at the end of the list of groups with something to flush (once). */
void hub_mark_dirty(Hub *hub, HubGroup *group);

/*
 * hub_take_dirty
 *		Take the next dirty group off the list; NULL when there is none.
 *
 * Groups come in the order they were marked.  The caller takes what is in turn
 * and leaves that NULL.
 */
HubGroup *hub_take_dirty(Hub *hub);

/* Walk all groups: pass NULL first. */
HubGroup *hub_next_group(Hub *hub, HubGroup *previous);

size_t hub_group_count(const Hub *hub);

/* How many occupants there are. */
size_t hub_occupant_count(const Hub *hub);

/*
 * Occupants: authenticated peers by user id, credential id and issuer id (the
 * credential a session key was issued from).  The three strings are borrowed
 * and must stay unchanged until hub_vacate; NULL means none and is not
 * indexed.
 *
 * The indexes are chained through the occupants themselves and own only their
 * bucket arrays, so that being found three ways costs an idle peer 88 bytes
 * and some 30 bytes of buckets, not three nodes of a hash table.
 */
typedef struct HubOccupant HubOccupant;

typedef enum HubIndex
{
	HUB_BY_USER,
	HUB_BY_CREDENTIAL, /* own credential or issuer */
} HubIndex;

struct HubOccupant
{
	const char	*user_id;
	const char	*credential_id;
	const char	*issuer_id;
	HubOccupant *user_next, **user_link;
	HubOccupant *credential_next, **credential_link;
	HubOccupant *issuer_next, **issuer_link;
	HubOccupant *all_next, **all_link;
};

/*
 * hub_occupy
 *		Index occupant, whose strings are set and whose links are zero.
 *
 * Returns false when out of memory; nothing is then indexed.
 */
bool hub_occupy(Hub *hub, HubOccupant *occupant) MUST_CHECK;

/* Does nothing when occupant is not indexed. */
void hub_vacate(Hub *hub, HubOccupant *occupant);

/*
 * hub_each
 *		Call visit for every occupant whose user (or credential or issuer)
 *		equals key; with HUB_BY_USER and key NULL.ptr for every occupant.
 *
 * Each occupant is visited once, also when its credential is its issuer.  visit
 * may mark, not vacate.  Returns how many were visited.
 */
size_t hub_each(Hub *hub, HubIndex index, Slice key,
				void (*visit)(HubOccupant *occupant, void *arg), void *arg);

#endif
