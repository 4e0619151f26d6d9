/*-------------------------------------------------------------------------
 *
 * roster.h
 *	  What the database has still to be told: who is connected, and who came
 *	  to or left a group that keeps presence.  Pure.
 *
 * report.c takes it from here into usher.report(), one report at a time.  What
 * is told twice does no harm, so what may not have arrived is told again.
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

/* ---- what happens -------------------------------------------------------- */

/* The connection is open, or its identity or its groups are others. */
void roster_changed(Roster *roster, RosterEntry *entry);

/* The connection with this number has ended; harmless when repeated. */
void roster_gone(Roster *roster, RosterEntry *entry, uint64_t id);

/*
 * roster_arrive, roster_depart
 *		One connection more, or one fewer, of user in group.
 *
 * Counted by (group, user).  The first is told at the next report; the last is
 * told only when nobody has come back for some time.
 */
void roster_arrive(Roster *roster, Slice group, Slice user, Slice username,
				   uint64_t now_ms);
void roster_depart(Roster *roster, Slice group, Slice user, uint64_t now_ms);

/* ---- what is told -------------------------------------------------------- */

/* Take the next changed entry; NULL when there is none.  The caller sets
 * reported if it tells of it. */
RosterEntry *roster_take_changed(Roster *roster);

/* The numbers of connections that were reported and have ended. */
size_t roster_closed(const Roster *roster, const uint64_t **ids);

/* The first count of them are told. */
void roster_forget_closed(Roster *roster, size_t count);

/* Strings are good until roster_taken(). */
typedef struct RosterVisitor
{
	const char *group;
	const char *user;
	const char *username; /* may be NULL */
} RosterVisitor;

/* Take the next who came. */
bool roster_take_arrival(Roster *roster, RosterVisitor *visitor) MUST_CHECK;

/* Take the next who left at least delay_ms ago and has not come back. */
bool roster_take_departure(Roster *roster, uint64_t now_ms, uint64_t delay_ms,
						   RosterVisitor *visitor) MUST_CHECK;

/* The report with the visitors taken has arrived; or may not have. */
void roster_taken(Roster *roster, bool arrived);

/* The database knows nothing: everybody who is there has come, and of others
 * nothing need be said.  Entries are the caller's to mark as changed. */
void roster_start_over(Roster *roster);

/* Something could not be kept for want of memory: start over. */
bool roster_is_incomplete(const Roster *roster);

/* Whether there is anything to tell at once. */
bool roster_has_news(const Roster *roster, uint64_t now_ms, uint64_t delay_ms);

#endif
