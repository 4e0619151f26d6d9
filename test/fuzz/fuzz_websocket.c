/*-------------------------------------------------------------------------
 *
 * fuzz_websocket.c
 *	  Properties of the frame reader.
 *
 * The same bytes give the same events however they are cut; no message
 * exceeds max_message; text is valid UTF-8; a control frame carries at most
 * 125 bytes; after a close or a failure nothing comes; memory is held only
 * while a message is incomplete, and never much more than has arrived.
 *
 * Input: two bytes of max_message, two of a seed for the cuts, then the wire.
 *
 *-------------------------------------------------------------------------
 */
#include "websocket.h"

#include "fuzz.h"

#define PROLOGUE 4

typedef struct Transcript
{
	char  *bytes;
	size_t len;
	size_t cap;
	bool   ended;
} Transcript;

static void
transcript_add(Transcript *log, const void *bytes, size_t len)
{
	if (log->len + len > log->cap)
	{
		log->cap = 2 * (log->len + len) + 64;
		log->bytes = realloc(log->bytes, log->cap);
		MUST(log->bytes != NULL);
	}
	if (len > 0)
		memcpy(log->bytes + log->len, bytes, len);
	log->len += len;
}

static void
on_event(Transcript *log, const WsEvent *event, uint32_t max_message)
{
	uint32_t fields[4] = {(uint32_t) event->type, (uint32_t) event->opcode,
						  event->code, (uint32_t) event->data.len};

	MUST(!log->ended);
	switch (event->type)
	{
		case WS_EVENT_NONE: abort();
		case WS_EVENT_MESSAGE:
			MUST(event->opcode == WS_TEXT || event->opcode == WS_BINARY);
			MUST(event->data.len <= max_message);
			MUST(event->opcode == WS_BINARY ||
				 ws_utf8_valid(event->data.ptr, event->data.len));
			break;
		case WS_EVENT_PING:
		case WS_EVENT_PONG: MUST(event->data.len <= 125); break;
		case WS_EVENT_CLOSE:
			MUST(event->data.len <= 123);
			MUST(ws_utf8_valid(event->data.ptr, event->data.len));
			MUST(event->code == WS_CLOSE_NO_STATUS ||
				 (event->code >= 1000 && event->code <= 4999));
			log->ended = true;
			break;
		case WS_EVENT_FAILED:
			MUST(event->text != NULL && event->data.len == 0);
			MUST(event->code == WS_CLOSE_PROTOCOL_ERROR ||
				 event->code == WS_CLOSE_INVALID_DATA ||
				 event->code == WS_CLOSE_TOO_BIG);
			log->ended = true;
			break;
	}
	transcript_add(log, fields, sizeof(fields));
	transcript_add(log, event->data.ptr, event->data.len);
}

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Read it all, in pieces of 1 to max_piece bytes; 0: in one piece. */
static Transcript
read_all(const uint8_t *wire, size_t len, uint32_t max_message, uint32_t seed,
		 uint32_t max_piece)
{
	Transcript log = {0};
	WsReader   reader;
	size_t	   at = 0;

	ws_reader_init(&reader, max_message);
	while (at < len)
	{
		size_t piece =
			max_piece == 0 ? len : 1 + next_random(&seed) % max_piece;
		size_t	 taken = 0;
		uint8_t *block;

		if (piece > len - at)
			piece = len - at;
		block = (uint8_t *) exact_copy(wire + at, piece);
		for (;;)
		{
			size_t	used = SIZE_MAX;
			WsEvent event =
				ws_read(&reader, block + taken, piece - taken, &used);

			MUST(used <= piece - taken);
			taken += used;
			if (event.type == WS_EVENT_NONE)
				break;
			on_event(&log, &event, max_message);
		}
		MUST(taken == piece);
		at += piece;
		free(block);

		MUST(reader.assembled <= max_message);
		MUST(reader.buffer_cap <= 2 * at + 256);
		MUST(reader.buffer == NULL || reader.message_opcode != 0 ||
			 reader.in_payload);
	}
	MUST(reader.failed == log.ended);
	ws_reader_fini(&reader);
	return log;
}

static void
check_same(const Transcript *a, Transcript b)
{
	MUST(a->len == b.len);
	MUST(a->len == 0 || memcmp(a->bytes, b.bytes, a->len) == 0);
	free(b.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t   max_message;
	uint32_t   seed;
	Transcript whole;

	if (size < PROLOGUE)
		return 0;
	max_message = (uint32_t) data[0] << 8 | data[1];
	seed = 1 + ((uint32_t) data[2] << 8 | data[3]);
	data += PROLOGUE;
	size -= PROLOGUE;

	whole = read_all(data, size, max_message, seed, 0);
	check_same(&whole, read_all(data, size, max_message, seed, 1));
	check_same(&whole, read_all(data, size, max_message, seed, 9));
	check_same(&whole, read_all(data, size, max_message, seed, 300));
	free(whole.bytes);
	return 0;
}
