/*-------------------------------------------------------------------------
 *
 * report.h
 *	  The database is told who is connected here, and that we live.
 *
 * Every report_interval in which there is news, and at least three times in a
 * lease, usher.report() is called; see the roster for what it is told.  The
 * answer may name connections that are too many of their user over all
 * listeners: these are closed (4429).
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_REPORT_H
#define USHER_REPORT_H

#include "client.h"

typedef struct Report Report;

/* NULL when out of memory.  Reports begin with the loop. */
Report *report_create(ClientEnv *env) MUST_CHECK;

/*
 * report_finish
 *		Tell the database that this listener ends.
 *
 * False while the answer is awaited: ask again at the end of the next turn.
 */
bool report_finish(Report *report) MUST_CHECK;

/* Accepts NULL. */
void report_destroy(Report *report);

#endif
