/*-------------------------------------------------------------------------
 *
 * roster.h
 *	  What the database has still to be told: who is connected, and who came
 *	  to or left a group that keeps presence.  Pure.
 *
 * report.c takes it from here into usher.report().
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ROSTER_H
#define USHER_ROSTER_H

#include "common.h"

typedef struct Roster Roster;

/* A connection's place in the roster, embedded in it.  Zeroed before first
 * use. */
typedef struct RosterEntry
{
	struct RosterEntry *next, **link; /* of those changed; link NULL: is not */
	bool				reported;	  /* the database has been told of it */
} RosterEntry;

/* NULL when out of memory. */
Roster *roster_create(void) MUST_CHECK;

/* Accepts NULL.  Entries are not touched. */
void roster_destroy(Roster *roster);

/* The connection is open, or its identity or its groups are others. */
void roster_changed(Roster *roster, RosterEntry *entry);

/* The connection with this number has ended; harmless when repeated. */
void roster_gone(Roster *roster, RosterEntry *entry, uint64_t id);

/*
 * roster_arrive, roster_depart
 *		One connection more, or one fewer, of user in group.
 *
 * Counted by (group, user).  The first is told at the next report; the last is
 * told only when nobody has come back for the time of presence_delay.
 */
void roster_arrive(Roster *roster, Slice group, Slice user, Slice username,
				   uint64_t now_ms);
void roster_depart(Roster *roster, Slice group, Slice user, uint64_t now_ms);

#endif
