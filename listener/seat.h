/*-------------------------------------------------------------------------
 *
 * seat.h
 *	  One client in one group.
 *
 * A client of the raw mode has one seat, one of usher.v1 up to max_groups.  A
 * seat whose right to be there is in doubt is shown nothing: what it would get
 * is held until it is known that it may stay, and dropped otherwise.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_SEAT_H
#define USHER_SEAT_H

#include "common.h"
#include "frame.h"
#include "hub.h"
#include "outbox.h"
#include "resume.h"

typedef struct Client Client;

typedef enum SeatCheck
{
	SEAT_SURE,
	SEAT_DOUBTED, /* to be asked about: see recheck.c */
	SEAT_ASKED,	  /* the question is under way */
} SeatCheck;

/* What a client may do in a group, and what kind of a group that is. */
typedef struct SeatRights
{
	bool may_send;
	bool plain;	   /* fed by NOTIFY on a channel of its name, too */
	bool presence; /* its members' coming and going is told */
	bool durable;  /* its messages are kept: it uses a stream */
} SeatRights;

struct Seat
{
	HubMember member;
	Client	 *client;
	Seat	 *next;		  /* of the same client */
	Outbox	 *held;		  /* what waits for an answer; NULL: nothing */
	char	 *waiting_id; /* usher.v1, not open: what to answer with */
	Resume	 *resume;	  /* durable: it is told what it missed, and gets
						   * nothing else; NULL: it gets all */
	uint8_t check;		  /* SeatCheck */
	bool	open;		  /* false while the plain channel is LISTENed to, or
						   * the stream looked up */
	bool	   since;	  /* usher.v1: the client had said what it saw last */
	SeatRights rights;
};

static inline Seat *
seat_of_member(HubMember *member)
{
	return container_of(member, Seat, member);
}

/* The group's name, good for as long as somebody is in it. */
static inline Slice
seat_group(const Seat *seat)
{
	return slice_of(seat->member.group->name);
}

/*
 * seat_take
 *		Seat client in a group; it is on client->seats then.
 *
 * The seat is not open yet: seat_open() does that, once seat_is_listening()
 * says so or admission_on_listening comes.  NULL with *reason set (see
 * refusal.h) when it cannot be.
 */
Seat *seat_take(Client *client, Slice group_name, const SeatRights *rights,
				const char **reason) MUST_CHECK;

/* Whether it has to wait for the group's plain channel. */
bool seat_must_listen(const Seat *seat) MUST_CHECK;

/* From now on it is sent what the group is sent. */
void seat_open(Seat *seat);

/* Leave the group and free the seat. */
void seat_leave(Seat *seat);

/* The client's seat in that group, or NULL. */
Seat *seat_find(const Client *client, Slice group_name);

/* It may not be allowed there any more: have that asked. */
void seat_doubt(Seat *seat);

/* It is allowed there, as these rights say: what was held is sent. */
void seat_confirm(Seat *seat, const SeatRights *rights);

/* Send it a frame of its group, or hold that. */
void seat_deliver(Seat *seat, Frame *frame, uint64_t now_ms);

#endif
