/*-------------------------------------------------------------------------
 *
 * durable.h
 *	  Messages that are kept: numbered by group, in the order of the commits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_DURABLE_H
#define USHER_DURABLE_H

#include "broadcast.h"

/*
 * durable_store
 *		Append one message to each of some groups (valid names).
 *
 * A group named twice gets it once; the array is sorted in place.  Each
 * group's last number is then locked until the transaction ends, so whoever
 * publishes to it waits: numbers have no holes and follow the commits.  Groups
 * of one call are locked in the order of their names, so that calls cannot
 * block each other for ever; several calls in one transaction can, if others
 * make theirs in another order (40P01).
 *
 * Runs as usher_owner.
 */
extern void durable_store(const char **groups, int ngroups, BroadcastType type,
						  const char *payload, size_t len);

#endif /* USHER_DURABLE_H */
