/*-------------------------------------------------------------------------
 *
 * client.h
 *	  One peer as a state machine, and what all clients share.
 *
 * A client is made for an accepted socket and freed at the end of the turn in
 * which its connection is gone (client_reap), so no pointer to it dies under a
 * running callback.  Rooms of a client, each using only those above it:
 *
 *	 client.h	  its life: states, deadlines, output, the way out
 *	 seat.h		  one client in one group; resume.h, a seat that is told what it
 *				  missed (seat.c, resume.c, inflight.c are parts of this room)
 *	 allowance.h  how much it may send, and be in
 *	 principal.h  who it is, and as whom it is found
 *	 durable.h	  members of durable groups
 *	 inbound.h	  frames of a client
 *	 raw.h		  what a client of /ws/<group> sends
 *	 request.h	  what a client of usher.v1 has asked for
 *	 subscription.h  its groups
 *	 conversation.h	 what it says and is told
 *	 response.h	  answers to a request: refusals, 101, health
 *	 admission.h  from the request head to a seat in a group, or a refusal
 *	 reception.h  what happens to a client: sockets and timers, by its state
 *	 recheck.h	  questions about those already seated
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CLIENT_H
#define USHER_CLIENT_H

#include "acceptor.h"
#include "calls.h"
#include "common.h"
#include "config.h"
#include "feed.h"
#include "frame.h"
#include "http.h"
#include "hub.h"
#include "limits.h"
#include "loop.h"
#include "outbox.h"
#include "protocol.h"
#include "roster.h"
#include "seat.h"
#include "stream.h"
#include "transport.h"
#include "websocket.h"

typedef enum ClientMode
{
	CLIENT_RAW, /* /ws/<group>: frames are payloads */
	CLIENT_V1,	/* /ws: usher.v1 */
} ClientMode;

#define CLIENT_MODE_COUNT (CLIENT_V1 + 1)

typedef enum ClientState
{
	CLIENT_REQUEST,	  /* the request head is being read */
	CLIENT_ADMITTING, /* asked the database, or waits until it can be asked */
	CLIENT_LISTENING, /* admitted; the group's plain channel is being LISTENed
					   */
	CLIENT_GREETING,  /* usher.v1: 101 is out; who it is has yet to be said */
	CLIENT_OPEN,	  /* admitted: frames go both ways */
	CLIENT_CLOSING,	  /* our close frame is out; the peer's is awaited */
	CLIENT_FINISHING, /* everything is said; the peer's FIN is awaited */
	CLIENT_GONE,	  /* no connection; freed by client_reap */
} ClientState;

/* Clients that wait for something, first come first; see client_wait. */
typedef struct ClientList
{
	Client	*first;
	Client **end; /* where the next one is linked: &first when empty */
} ClientList;

/* What all clients of a process share. */
typedef struct ClientEnv
{
	Loop		 *loop;
	const Config *config;
	Transport	 *transport;
	Calls		 *calls;
	Feed		 *feed;
	Hub			 *hub;
	Roster		 *roster;
	LimitTable	  users;	 /* by user id */
	LimitTable	  addresses; /* by IP address */
	Client		 *all;
	Client		 *gone;		/* to be freed by client_reap */
	Client		 *doomed;	/* to be closed by reception_close_doomed */
	ClientList	  requests; /* in REQUEST or GREETING, the oldest first */
	ClientList	  rechecks; /* to be asked about: see recheck.c */
	uint64_t	  recheck_after_ms; /* not before, after a failure */
	size_t		  count;			/* connections, in whatever state */
	size_t		  unauthenticated;	/* of them not yet seated */
	size_t		  plain_groups;		/* groups with LISTEN of their own */
	Streams		 *streams;			/* of durable groups */
	ResumeList	  resumes;			/* something is to be done for them */
	size_t		  loads_asked;		/* questions of durable.c under way */
	size_t		  pages_asked;
	uint64_t	  load_after_ms; /* not before, after a failure */
	uint64_t	  next_id;
	char		  listener_id[17]; /* hexadecimal digits, made anew by each
									* process */
	uint64_t complained_ms;		   /* when it was said that it is full */
	bool	 draining;

	/* a message of a client that is GREETING or OPEN; by its mode */
	void (*on_message[CLIENT_MODE_COUNT])(Client *client, const WsEvent *event);
	/* a seat of a durable group can be opened; or has to go, for that reason */
	void (*on_seat_decided)(Seat *seat, const char *reason);
} ClientEnv;

/* What a client asked for and the database has not answered yet.  The first
 * part of whatever else is remembered with it, and freed with it. */
typedef struct InFlight
{
	struct InFlight *next, **link;
	Client			*client;
	Call			*call;
} InFlight;

struct Client
{
	ClientEnv  *env;
	Peer	   *peer; /* NULL once the connection is gone */
	Client	   *all_next, **all_link;
	Client	   *doomed_next;				  /* also the list of those gone */
	Client	   *waiting_next, **waiting_link; /* link NULL: in no list */
	uint64_t	id;
	PeerAddress address;
	ClientState state;
	ClientMode	mode;
	bool		doomed;
	bool		doubted; /* who it is has to be asked about: see recheck.c */
	bool		lapsed;	 /* its end has come; asked whether it was put off */
	bool		awaiting_pong;
	uint16_t	doom_code;
	const char *doom_reason; /* static */
	LoopTimer	timer;
	uint64_t	deadline_ms;   /* of every state but OPEN */
	uint64_t	last_heard_ms; /* OPEN: when the peer last sent anything */
	uint64_t	pinged_ms;
	uint64_t	expires_at_ms;		/* monotonic; 0: never */
	int64_t		expires_at_unix_ms; /* the same as Unix time; -1: never */
	uint64_t	warn_at_ms;	 /* usher.v1: when to say that it will; 0: never */
	uint64_t	drain_at_ms; /* 0: not draining */
	uint64_t	opened_ms;
	uint64_t	received;  /* messages */
	uint64_t	delivered; /* messages */

	/* the request head; once open, NULL or what came behind an auth that is
	 * not answered yet */
	uint8_t *head;
	size_t	 head_len; /* bytes in use, with what came behind the head */
	size_t	 head_cap;
	size_t	 head_end;	/* length of the head itself, 0: not complete */
	uint64_t feed_mark; /* revocations after it concern this admission */
	Call	*call;		/* admit, identify or recheck that is under way */
	char	*asked;		/* groups a recheck asked about; NULL: none is */

	/* who it is: see principal.h; one allocation */
	char	   *identity;
	const char *username;
	const char *kind;		 /* NULL: not known yet */
	HubOccupant occupant;	 /* user_id, credential_id, issuer_id */
	Seat	   *seats;		 /* raw mode: one at most */
	uint32_t	group_count; /* see allowance.h */
	RosterEntry roster;

	Outbox		outbox;
	size_t		held_bytes; /* what seats hold: see seat.h */
	WsReader	reader;
	TokenBucket bucket;
	TokenBucket byte_bucket;
	LimitKey   *user_limit;	   /* NULL: not counted */
	LimitKey   *address_limit; /* likewise */
	InFlight   *in_flight;
	uint32_t	in_flight_count;
};

/* A client in no state yet, on the list of all; NULL when out of memory. */
Client *client_create(ClientEnv *env, const PeerAddress *address) MUST_CHECK;

/* The only function that writes client->state. */
void client_enter(Client *client, ClientState next);

/* Put the timer where the client's next deadline is. */
void client_schedule(Client *client);

/* Send a few bytes now, or queue them behind what is queued already. */
void client_send(Client *client, const void *bytes, size_t len);

/*
 * client_deliver
 *		One direct write of a shared frame; what the socket does not take is
 *		queued as a reference.  A queue that is full dooms the client (4430).
 */
void client_deliver(Client *client, Frame *frame, uint64_t now_ms);

/*
 * client_say
 *		Send a text of usher.v1 as one frame, and end it.
 *
 * One that could not be written for want of memory closes the client.
 */
void client_say(Client *client, ProtocolText *text);

/* Write what waits, as far as the socket takes it. */
void client_flush(Client *client);

/* The peer is there: it sent something, or took what had been waiting. */
void client_note_alive(Client *client);

/* For logs and views: "anonymous" when nobody is known. */
static inline const char *
client_user(const Client *client)
{
	return client->occupant.user_id != NULL ? client->occupant.user_id
											: "anonymous";
}

/* Its credential is good for that long from now; negative: for ever. */
void client_set_expiry(Client *client, int64_t expires_in_ms);

/* The timer of an open client fired: expired, draining, too slow, silent. */
void client_on_deadline(Client *client);

/*
 * client_close
 *		Say goodbye with this code and reason (static text) and leave the group.
 *
 * For open clients, others are left alone: reception_close knows every state.
 * Not while the hub is being walked: client_doom is for that.
 */
void client_close(Client *client, uint16_t code, const char *reason);

/* Mark for closing; the first mark wins.  Delivers nothing from now on. */
void client_doom(Client *client, uint16_t code, const char *reason);

/* Give up the connection without a word. */
void client_drop(Client *client, const char *reason);

/* End-of-turn step: free clients whose connection is gone. */
void client_reap(ClientEnv *env);

/* Leave groups, indexes, counts and lists; harmless when repeated. */
void client_leave(Client *client);

/* It may not be who it was, and may not be where it is: have that asked. */
void client_doubt(Client *client);

/* A client is in one list at most; both are harmless when repeated. */
void client_wait(Client *client, ClientList *list);
void client_stop_waiting(Client *client, ClientList *list);

/* Take over item, whose call is on its way to the database.  With max_inflight
 * of them the client is not read. */
void client_in_flight_add(Client *client, InFlight *item, Call *call);

/* Its answer is there: item is the caller's to free. */
void client_in_flight_answered(InFlight *item);

/* What is in flight is not asked if that can still be helped, and nobody is
 * told the answers any more. */
void client_in_flight_cancel(Client *client);

/* The same for a client that ends in peace: what it sent is still sent on. */
void client_in_flight_abandon(Client *client);

/* The request whose head has arrived whole; points into that. */
HttpStatus client_parse_head(const Client *client,
							 HttpRequest  *request) MUST_CHECK;

/* Add bytes to the head; false when out of memory. */
bool client_keep_head(Client *client, const uint8_t *bytes,
					  size_t len) MUST_CHECK;

/* Wipe and free the head; harmless when repeated. */
void client_forget_head(Client *client);

/* Frees everything; client_reap calls it, and the end of the process. */
void client_free(Client *client);

/* The one line about the end of an open connection. */
void client_log_end(const Client *client, const char *how, uint16_t code,
					const char *reason);

/* Log one line: "client 12 127.0.0.1:5000: ...". */
void client_log(const Client *client, LogLevel level, const char *format, ...)
	PRINTF_LIKE(3, 4);

static inline Client *
client_of_occupant(HubOccupant *occupant)
{
	return container_of(occupant, Client, occupant);
}

#endif
