/*-------------------------------------------------------------------------
 *
 * allowance.h
 *	  How much a client may send, and be in: by itself, with all of its user,
 *	  and with all of its address.
 *
 * 0 in a setting means no limit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ALLOWANCE_H
#define USHER_ALLOWANCE_H

#include "client.h"

/*
 * allowance_message
 *		Take messages and bytes off what the client may send now.
 *
 * Nothing is taken when one of the limits refuses: then the reason is returned
 * ("message_rate" or "byte_rate", see refusal.h) and *retry_after_ms is when it
 * could be had, at least 1.  NULL: granted.
 */
const char *allowance_message(Client *client, uint32_t messages, size_t bytes,
							  uint64_t *retry_after_ms) MUST_CHECK;

/*
 * allowance_group
 *		Count one group more; NULL, or the reason why not ("too_many_groups").
 *
 * Of groups that are being subscribed to and of seats: see client->group_count.
 */
const char *allowance_group(Client *client) MUST_CHECK;

/* count groups fewer. */
void allowance_release_groups(Client *client, uint32_t count);

#endif
