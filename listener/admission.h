/*-------------------------------------------------------------------------
 *
 * admission.h
 *	  From the bytes of a request head to a seat in a group, or a refusal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ADMISSION_H
#define USHER_ADMISSION_H

#include "client.h"

/* Bytes of a client in CLIENT_REQUEST. */
void admission_on_data(Client *client, const uint8_t *bytes, size_t len);

/* The feed is ready: ask about everyone who waited for it. */
void admission_on_feed_ready(ClientEnv *env);

/* A seat that had to wait can be opened; or cannot be had, for that reason. */
void admission_settle_seat(Seat *seat, const char *reason);

/* The plain channel of this group is LISTENed to, or cannot be. */
void admission_on_listening(ClientEnv *env, Slice group, bool ok);

#endif
