/*-------------------------------------------------------------------------
 *
 * purge.h
 *	  What durable groups need not keep is removed, bit by bit.
 *
 * Every listener of a database asks; the extension lets one of them at it at a
 * time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_PURGE_H
#define USHER_PURGE_H

#include "calls.h"
#include "common.h"
#include "config.h"
#include "loop.h"

typedef struct Purge Purge;

/* NULL when out of memory.  config is looked at each time. */
Purge *purge_create(Loop *loop, Calls *calls, const Config *config) MUST_CHECK;

/* Accepts NULL.  Before the calls. */
void purge_destroy(Purge *purge);

#endif
