/*-------------------------------------------------------------------------
 *
 * inbox.h
 *	  The notices of a turn, put in order: urgent ones first, then messages.
 *
 * Knows no connection and no socket; logs what it drops, never a payload.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_INBOX_H
#define USHER_INBOX_H

#include "common.h"
#include "notice.h"

typedef struct InboxItem InboxItem;

typedef struct InboxList
{
	InboxItem  *first;
	InboxItem **end;
} InboxList;

typedef struct Inbox
{
	InboxList urgent;	/* revocations, kicks, policies, rechecks */
	InboxList messages; /* also durable ones, and who came or
						 * went */
	NoticeAssembly assembly;
	bool		   bell; /* rung: the reader clears it */
} Inbox;

void inbox_init(Inbox *inbox);
void inbox_fini(Inbox *inbox);

/*
 * inbox_add
 *		Take a line of the shared channel (copied).
 *
 * Canaries are not kept: true then, with the nonce pointing into line; false
 * for everything else.  A malformed line is logged and dropped.
 */
bool inbox_add(Inbox *inbox, Slice line, Slice *nonce) MUST_CHECK;

/* Take a line that usher.fetch() answered: a message of a durable group. */
void inbox_add_fetched(Inbox *inbox, Slice line);

/* Take a notification of a plain channel: a text for the group of that name. */
void inbox_add_plain(Inbox *inbox, Slice group, Slice payload);

/* The stream was cut: what was not complete never will be. */
void inbox_cut(Inbox *inbox);

/*
 * inbox_hand_out
 *		Call urgent for each urgent notice, then message for each message.
 *
 * A message's payload is decoded and may be written to.  What the callbacks
 * add is for the next time.
 */
void inbox_hand_out(Inbox *inbox,
					void (*urgent)(void *arg, const Notice *notice),
					void (*message)(void *arg, const Notice *notice),
					void *arg);

#endif
