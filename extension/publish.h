/*-------------------------------------------------------------------------
 *
 * publish.h
 *	  A message on its way to groups: kept and numbered, or only notified.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_PUBLISH_H
#define USHER_PUBLISH_H

#include "broadcast.h"

/*
 * publish_message
 *		Send one message to some groups, each as its category says.
 *
 * As broadcast_message(), and called as usher_owner like that; groups of a
 * durable category get it by durable_store().
 */
extern void publish_message(const char **groups, int ngroups,
							BroadcastType type, const char *payload,
							size_t len);

#endif /* USHER_PUBLISH_H */
