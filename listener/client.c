/*-------------------------------------------------------------------------
 *
 * client.c
 *	  The life of one peer: states, timers, output, closing.
 *
 * Deadlines of all kinds share one timer per client.  It is armed for the
 * nearest of them and looks at all of them when it fires; hearing from a peer
 * only notes the time (unless it was pinged), so traffic costs no timer work.
 *
 *-------------------------------------------------------------------------
 */
#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "credentials.h"
#include "log.h"
#include "refusal.h"

/* Two answers about one end differ by the time they travelled. */
#define SAME_END_MS 1000

/* What a refused or closed peer gets to read our last words and close. */
#define FINISH_MS 1000

static const char *const state_names[] = {
	"request", "admitting", "listening", "greeting",
	"open",	   "closing",	"finishing", "gone",
};

void
client_log(const Client *client, LogLevel level, const char *format, ...)
{
	char	address[PEER_ADDRESS_TEXT];
	char	text[512];
	va_list args;

	if (level < log_get_level())
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	peer_address_text(&client->address, address);
	log_write(level, "client %llu %s: %s", (unsigned long long) client->id,
			  address, text);
}

static bool
is_unauthenticated(ClientState state)
{
	return state == CLIENT_REQUEST || state == CLIENT_ADMITTING ||
		   state == CLIENT_LISTENING || state == CLIENT_GREETING;
}

void
client_enter(Client *client, ClientState next)
{
	ClientEnv	 *env = client->env;
	const Config *config = env->config;
	uint64_t	  now_ms = loop_now_ms(env->loop);

	if (log_get_level() <= LOG_LEVEL_DEBUG)
		client_log(client, LOG_LEVEL_DEBUG, "%s -> %s",
				   state_names[client->state], state_names[next]);
	if (is_unauthenticated(client->state) && !is_unauthenticated(next))
		env->unauthenticated--;
	if (client->state == CLIENT_REQUEST || client->state == CLIENT_GREETING)
		client_stop_waiting(client, &env->requests);
	client->state = next;

	switch (next)
	{
		case CLIENT_REQUEST:
			env->unauthenticated++;
			client_wait(client, &env->requests);
			client->deadline_ms = now_ms + config->header_timeout_ms;
			break;
		case CLIENT_ADMITTING:
			/* what comes behind the head waits in the socket */
			transport_pause(client->peer, true);
			client->deadline_ms = now_ms + config->auth_timeout_ms;
			break;
		case CLIENT_LISTENING:
			/* the deadline of ADMITTING goes on */
			break;
		case CLIENT_GREETING:
			client_wait(client, &env->requests);
			client->deadline_ms = now_ms + config->auth_timeout_ms;
			client->opened_ms = now_ms;
			break;
		case CLIENT_OPEN:
			client->opened_ms = client->last_heard_ms = now_ms;
			roster_changed(env->roster, &client->roster);
			break;
		case CLIENT_CLOSING:
			client_leave(client);
			transport_pause(client->peer, false);
			client->deadline_ms = now_ms + config->close_timeout_ms;
			break;
		case CLIENT_FINISHING:
			client_leave(client);
			transport_pause(client->peer, false);
			transport_finish(client->peer);
			client->deadline_ms = now_ms + FINISH_MS;
			break;
		case CLIENT_GONE:
			client_leave(client);
			loop_cancel(env->loop, &client->timer);
			client->peer = NULL;
			if (!client->doomed)
			{
				client->doomed_next = env->gone;
				env->gone = client;
			}
			return;
	}
	client_schedule(client);
}

/* ---- deadlines ------------------------------------------------------------
 */

static uint64_t
earlier(uint64_t a_ms, uint64_t b_ms)
{
	return b_ms != 0 && b_ms < a_ms ? b_ms : a_ms;
}

/* When an open client has to be looked at next; UINT64_MAX: never. */
static uint64_t
open_deadline(const Client *client)
{
	const Config *config = client->env->config;
	uint64_t	  due_ms = UINT64_MAX;

	due_ms = earlier(due_ms, client->expires_at_ms);
	due_ms = earlier(due_ms, client->warn_at_ms);
	due_ms = earlier(due_ms, client->drain_at_ms);
	/* While output waits the peer is not read, so its pong cannot be seen:
	 * the age of the output decides instead. */
	if (!outbox_is_empty(&client->outbox))
		due_ms = earlier(due_ms, outbox_oldest_ms(&client->outbox) +
									 config->queue_age_ms);
	else if (client->awaiting_pong)
		due_ms = earlier(due_ms, client->pinged_ms + config->ping_timeout_ms);
	else if (config->ping_interval_ms > 0)
		due_ms =
			earlier(due_ms, client->last_heard_ms + config->ping_interval_ms);
	return due_ms;
}

void
client_schedule(Client *client)
{
	uint64_t due_ms = client->state == CLIENT_OPEN ? open_deadline(client)
												   : client->deadline_ms;

	if (due_ms == UINT64_MAX)
		loop_cancel(client->env->loop, &client->timer);
	else if (!wheel_is_armed(&client->timer.wheel) ||
			 client->timer.wheel.due_ms != due_ms)
		loop_arm(client->env->loop, &client->timer, due_ms);
}

/* When to say that the end is near; 0: never. */
static uint64_t
warning_time(const Client *client, uint64_t now_ms)
{
	uint64_t warning_ms = client->env->config->expiry_warning_ms;

	if (client->mode != CLIENT_V1 || warning_ms == 0 ||
		client->expires_at_ms == 0)
		return 0;
	if (client->expires_at_ms < now_ms + warning_ms)
		return now_ms;
	return client->expires_at_ms - warning_ms;
}

static int64_t
unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
client_set_expiry(Client *client, int64_t expires_in_ms)
{
	uint64_t now_ms = loop_now_ms(client->env->loop);
	uint64_t former_ms = client->expires_at_ms;
	bool	 warned = former_ms != 0 && client->warn_at_ms == 0;

	client->lapsed = false;
	client->expires_at_ms =
		expires_in_ms < 0 ? 0 : now_ms + (uint64_t) expires_in_ms;
	client->expires_at_unix_ms =
		expires_in_ms < 0 ? -1 : unix_ms() + expires_in_ms;
	/* A recheck that finds the same end is no news. */
	if (warned && client->expires_at_ms != 0 &&
		client->expires_at_ms < former_ms + SAME_END_MS)
		client->warn_at_ms = 0;
	else
		client->warn_at_ms = warning_time(client, now_ms);
	if (client->state == CLIENT_OPEN)
		client_schedule(client);
}

static void
warn_of_expiry(Client *client, uint64_t now_ms)
{
	ProtocolText text = {0};

	client->warn_at_ms = 0;
	protocol_write_expiring(
		&text,
		client->expires_at_ms > now_ms ? client->expires_at_ms - now_ms : 0,
		client->expires_at_unix_ms);
	client_say(client, &text);
	client_schedule(client);
}

/* Sites put off the end of a session or a knox token while it is used. */
static bool
may_be_prolonged(const Client *client)
{
	return client->kind != NULL &&
		   (strcmp(client->kind, CREDENTIAL_DJANGO_SESSION) == 0 ||
			strcmp(client->kind, CREDENTIAL_KNOX) == 0);
}

static void
expire(Client *client)
{
	if (!may_be_prolonged(client))
	{
		client_close(client, WS_CLOSE_EXPIRED, "expired");
		return;
	}
	/* The answer sets the end anew, or it is over. */
	client->lapsed = true;
	client->expires_at_ms = client->warn_at_ms = 0;
	client_doubt(client);
	client_schedule(client);
}

static void
send_ping(Client *client, uint64_t now_ms)
{
	uint8_t frame[WS_MAX_CONTROL_FRAME];
	size_t	len = ws_control_frame(frame, WS_PING, SLICE_NONE);

	client->awaiting_pong = true;
	client->pinged_ms = now_ms;
	client_send(client, frame, len);
}

void
client_on_deadline(Client *client)
{
	const Config *config = client->env->config;
	uint64_t	  now_ms = loop_now_ms(client->env->loop);

	if (client->expires_at_ms != 0 && now_ms >= client->expires_at_ms)
		expire(client);
	else if (client->warn_at_ms != 0 && now_ms >= client->warn_at_ms)
		warn_of_expiry(client, now_ms);
	else if (client->drain_at_ms != 0 && now_ms >= client->drain_at_ms)
		client_close(client, WS_CLOSE_GOING_AWAY, "draining");
	else if (!outbox_is_empty(&client->outbox))
	{
		if (now_ms >= outbox_oldest_ms(&client->outbox) + config->queue_age_ms)
			client_close(client, WS_CLOSE_TOO_SLOW, "too_slow");
		else
			client_schedule(client);
	}
	else if (client->awaiting_pong &&
			 now_ms >= client->pinged_ms + config->ping_timeout_ms)
		client_close(client, WS_CLOSE_INTERNAL_ERROR, "ping timeout");
	else
	{
		if (!client->awaiting_pong && config->ping_interval_ms > 0 &&
			now_ms >= client->last_heard_ms + config->ping_interval_ms)
			send_ping(client, now_ms);
		client_schedule(client);
	}
}

/* ---- output ------------------------------------------------------------ */

/*
 * Write as much of bytes as the socket takes; returns how much that was.  A
 * broken connection counts as everything taken: its end is about to be told.
 */
static size_t
write_some(Client *client, const uint8_t *bytes, size_t len)
{
	size_t done = 0;

	while (done < len && !transport_is_blocked(client->peer))
	{
		size_t n = len - done;

		if (n > TRANSPORT_MAX_WRITE)
			n = TRANSPORT_MAX_WRITE;
		if (transport_write(client->peer, bytes + done, n) == TRANSPORT_FAILED)
			return len;
		done += n;
	}
	return done;
}

static bool
can_write(const Client *client)
{
	return outbox_is_empty(&client->outbox) &&
		   !transport_is_blocked(client->peer);
}

static void
queue(Client *client, Frame *frame, size_t offset, size_t max_bytes,
	  uint64_t now_ms)
{
	bool was_empty = outbox_is_empty(&client->outbox);

	switch (outbox_push(&client->outbox, frame, offset, max_bytes, now_ms))
	{
		case OUTBOX_OK:
			if (was_empty)
				client_schedule(client);
			return;
		case OUTBOX_FULL:
			client_doom(client, WS_CLOSE_TOO_SLOW, "too_slow");
			return;
		case OUTBOX_NO_MEMORY:
			client_doom(client, WS_CLOSE_TRY_AGAIN, "overloaded");
			return;
	}
}

/* Bytes that may wait.  The last words may pass the bound. */
static size_t
queue_bound(const Client *client)
{
	size_t max_bytes = client->env->config->queue_bytes;

	if (client->state == CLIENT_CLOSING)
		return SIZE_MAX;
	return max_bytes > client->held_bytes ? max_bytes - client->held_bytes : 0;
}

void
client_send(Client *client, const void *bytes, size_t len)
{
	size_t done = 0;
	Frame *frame;

	if (can_write(client))
		done = write_some(client, bytes, len);
	if (done == len)
		return;
	frame = frame_create(len - done);
	if (frame == NULL ||
		!frame_append(&frame, (const uint8_t *) bytes + done, len - done))
		client_doom(client, WS_CLOSE_TRY_AGAIN, "overloaded");
	else
		queue(client, frame, 0, queue_bound(client),
			  loop_now_ms(client->env->loop));
	frame_release(frame);
}

void
client_deliver(Client *client, Frame *frame, uint64_t now_ms)
{
	size_t done = 0;

	if (can_write(client))
		done = write_some(client, frame->data, frame->len);
	if (done < frame->len)
		queue(client, frame, done, queue_bound(client), now_ms);
}

void
client_say(Client *client, ProtocolText *text)
{
	uint8_t header[WS_MAX_HEADER];
	size_t	header_len = ws_frame_header(header, WS_TEXT, text->len);
	/* One frame: of two the second could be dropped without the first. */
	Frame *frame = text->failed ? NULL : frame_create(header_len + text->len);

	if (frame == NULL || !frame_append(&frame, header, header_len) ||
		!frame_append(&frame, text->bytes, text->len))
		client_doom(client, WS_CLOSE_TRY_AGAIN, "overloaded");
	else
		client_deliver(client, frame, loop_now_ms(client->env->loop));
	frame_release(frame);
	protocol_text_fini(text);
}

void
client_note_alive(Client *client)
{
	client->last_heard_ms = loop_now_ms(client->env->loop);
	if (client->awaiting_pong)
	{
		/* Anything counts as an answer.  Times would not do to tell: a pong
		 * often comes within the millisecond of its ping. */
		client->awaiting_pong = false;
		client_schedule(client);
	}
}

void
client_flush(Client *client)
{
	while (!outbox_is_empty(&client->outbox) &&
		   !transport_is_blocked(client->peer))
	{
		Slice  next = outbox_front(&client->outbox);
		size_t done = write_some(client, (const uint8_t *) next.ptr, next.len);

		outbox_consume(&client->outbox, done);
	}
	if (!outbox_is_empty(&client->outbox))
		return;
	if (client->state == CLIENT_OPEN)
		client_schedule(client); /* pings are due again */
	else if (client->state == CLIENT_FINISHING)
		/* FIN was held back until the last words were out */
		transport_finish(client->peer);
}

/* ---- the end ----------------------------------------------------------- */

void
client_log_end(const Client *client, const char *how, uint16_t code,
			   const char *reason)
{
	uint64_t	age_ms = loop_now_ms(client->env->loop) - client->opened_ms;
	const Seat *seat = client->seats;
	char		groups[32] = "";

	if (client->mode == CLIENT_V1)
		snprintf(groups, sizeof(groups), "%u groups", client->group_count);
	client_log(client, LOG_LEVEL_INFO,
			   "%s %u: %s (user %s, %s%s, %llu s, %llu in, %llu out, %u "
			   "bytes waiting)",
			   how, code, reason, client_user(client),
			   client->mode == CLIENT_V1 ? groups : "group ",
			   client->mode == CLIENT_V1 ? ""
			   : seat != NULL			 ? seat->member.group->name
										 : "-",
			   (unsigned long long) (age_ms / 1000),
			   (unsigned long long) client->received,
			   (unsigned long long) client->delivered,
			   (unsigned) client->outbox.bytes);
}

void
client_leave(Client *client)
{
	ClientEnv *env = client->env;

	while (client->seats != NULL)
		seat_leave(client->seats);
	hub_vacate(env->hub, &client->occupant);
	limit_unuse(client->user_limit, client->group_count);
	limit_unuse(client->address_limit, client->group_count);
	client->group_count = 0;
	limit_drop(&env->users, client->user_limit);
	client->user_limit = NULL;
	calls_cancel(client->call);
	client->call = NULL;
	free(client->asked);
	client->asked = NULL;
	client_in_flight_cancel(client);
	client_stop_waiting(client, &env->rechecks);
	roster_gone(env->roster, &client->roster, client->id);
}

void
client_doubt(Client *client)
{
	client->doubted = true;
	client_wait(client, &client->env->rechecks);
	for (Seat *seat = client->seats; seat != NULL; seat = seat->next)
		seat_doubt(seat);
}

void
client_wait(Client *client, ClientList *list)
{
	if (client->waiting_link != NULL)
		return;
	client->waiting_next = NULL;
	client->waiting_link = list->end;
	*list->end = client;
	list->end = &client->waiting_next;
}

void
client_stop_waiting(Client *client, ClientList *list)
{
	if (client->waiting_link == NULL)
		return;
	*client->waiting_link = client->waiting_next;
	if (client->waiting_next != NULL)
		client->waiting_next->waiting_link = client->waiting_link;
	else
		list->end = client->waiting_link;
	client->waiting_link = NULL;
}

/* ---- goodbye ----------------------------------------------------------- */

/* A client that is sent away for the listener's sake may come back; how soon,
 * so that not all come at once. */
static uint64_t
reconnect_after_ms(const Client *client)
{
	/* ids go up one by one: a spread as even as any */
	return client->id * 7919 % (client->env->config->drain_time_ms + 1000);
}

/* usher.v1: the close frame's reason is not all there is to say. */
static void
say_close(Client *client, uint16_t code, const char *reason)
{
	ProtocolText text = {0};
	bool		 reconnect = code != WS_CLOSE_MALFORMED &&
					 code != WS_CLOSE_UNAUTHENTICATED &&
					 code != WS_CLOSE_FORBIDDEN && code != WS_CLOSE_REVOKED &&
					 code != WS_CLOSE_TOO_BIG;

	protocol_write_close(
		&text, code, reason, refusal_for(reason)->detail, reconnect,
		code == WS_CLOSE_EXPIRED ? 0 : reconnect_after_ms(client));
	client_say(client, &text);
}

void
client_close(Client *client, uint16_t code, const char *reason)
{
	uint8_t frame[WS_MAX_CONTROL_FRAME];
	size_t	len;

	if (client->state != CLIENT_OPEN && client->state != CLIENT_GREETING)
		return;
	client_log_end(client, "closing with", code, reason);
	/* What it sent while it was allowed to is still sent on. */
	if (code != WS_CLOSE_REVOKED && code != WS_CLOSE_EXPIRED &&
		code != WS_CLOSE_FORBIDDEN)
		client_in_flight_abandon(client);
	/* What is queued may be what he is no longer to see; only a message that
	 * is half out has to be finished, or the close frame is no frame. */
	outbox_trim(&client->outbox);
	client_forget_head(client);
	client_enter(client, CLIENT_CLOSING);
	if (client->mode == CLIENT_V1)
		say_close(client, code, reason);
	len = ws_close_frame(frame, code, reason);
	client_send(client, frame, len);
}

void
client_doom(Client *client, uint16_t code, const char *reason)
{
	if (client->doomed || client->state == CLIENT_GONE)
		return;
	client->doomed = true;
	client->doom_code = code;
	client->doom_reason = reason;
	client->doomed_next = client->env->doomed;
	client->env->doomed = client;
	loop_wake(client->env->loop);
}

void
client_drop(Client *client, const char *reason)
{
	if (client->state == CLIENT_GONE)
		return;
	if (reason != NULL)
		client_log(client, LOG_LEVEL_INFO, "dropped: %s", reason);
	transport_drop(client->env->transport, client->peer);
	client_enter(client, CLIENT_GONE);
}

void
client_reap(ClientEnv *env)
{
	while (env->gone != NULL)
	{
		Client *client = env->gone;

		env->gone = client->doomed_next;
		client_free(client);
	}
}

/* ---- memory ------------------------------------------------------------ */

#define FIRST_HEAD_BYTES 1024

bool
client_keep_head(Client *client, const uint8_t *bytes, size_t len)
{
	size_t	 need = client->head_len + len;
	size_t	 cap = client->head_cap ? client->head_cap : FIRST_HEAD_BYTES;
	uint8_t *grown;

	while (cap < need)
		cap *= 2;
	if (cap != client->head_cap)
	{
		/* realloc would leave a copy of what may be a credential */
		grown = malloc(cap);
		if (grown == NULL)
			return false;
		if (client->head != NULL)
		{
			memcpy(grown, client->head, client->head_len);
			explicit_bzero(client->head, client->head_cap);
			free(client->head);
		}
		client->head = grown;
		client->head_cap = cap;
	}
	memcpy(client->head + client->head_len, bytes, len);
	client->head_len = need;
	return true;
}

HttpStatus
client_parse_head(const Client *client, HttpRequest *request)
{
	return http_parse(request, (const char *) client->head, client->head_end);
}

void
client_forget_head(Client *client)
{
	if (client->head != NULL)
		/* it may hold a credential */
		explicit_bzero(client->head, client->head_cap);
	free(client->head);
	client->head = NULL;
	client->head_len = client->head_cap = client->head_end = 0;
}

void
client_free(Client *client)
{
	ClientEnv *env = client->env;

	limit_drop(&env->addresses, client->address_limit);
	*client->all_link = client->all_next;
	if (client->all_next != NULL)
		client->all_next->all_link = client->all_link;
	env->count--;
	outbox_clear(&client->outbox);
	ws_reader_fini(&client->reader);
	client_forget_head(client);
	free(client->identity);
	free(client);
}

Client *
client_create(ClientEnv *env, const PeerAddress *address)
{
	Client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->env = env;
	client->id = ++env->next_id;
	client->address = *address;
	client->all_next = env->all;
	client->all_link = &env->all;
	if (env->all != NULL)
		env->all->all_link = &client->all_next;
	env->all = client;
	env->count++;
	return client;
}
