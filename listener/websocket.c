/*-------------------------------------------------------------------------
 *
 * websocket.c
 *	  RFC 6455 frames: a server's side of the codec.  Pure.
 *
 * A message that arrives whole in one read is unmasked where it lies and
 * handed out from there.  Only what arrives in pieces is gathered, in the
 * reader's buffer:
 *
 *	  [ message so far: assembled | control frame so far: control_len ]
 *
 * A control frame may come between the fragments of a message, so its bytes
 * are kept behind those of the message until it is complete.  The buffer grows
 * with the bytes that arrive, never with the length that a header announces,
 * and is freed by the first ws_read() that finds no message in progress.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "websocket.h"

/* RFC 6455 5.2: FIN, RSV1-3 and opcode; then MASK and the short length. */
#define BIT_FIN 0x80
#define BITS_RSV 0x70
#define BITS_OPCODE 0x0F
#define BIT_CONTROL 0x08
#define BIT_MASK 0x80
#define BITS_LENGTH 0x7F
#define LENGTH_16 126
#define LENGTH_64 127

/* RFC 6455 5.5 */
#define MAX_CONTROL_PAYLOAD 125

/* Smallest buffer worth a malloc; most fragments fit into it. */
#define MIN_BUFFER 256

/* A UTF-8 state: continuation bytes to come, and the next one's range. */
#define UTF8_START 0
#define UTF8_STATE(need, low, high)                                            \
	((uint32_t) (need) | (uint32_t) (low) << 8 | (uint32_t) (high) << 16)
#define UTF8_NEED(state) ((state) &0xFF)
#define UTF8_LOW(state) ((state) >> 8 & 0xFF)
#define UTF8_HIGH(state) ((state) >> 16 & 0xFF)
#define UTF8_INVALID UINT32_MAX

#define HIGH_BITS UINT64_C(0x8080808080808080)

static WsEvent	read_data(WsReader *reader, uint8_t *bytes, size_t len,
						  size_t *taken);
static WsEvent	read_control(WsReader *reader, uint8_t *bytes, size_t len,
							 size_t *taken);
static size_t	take_header(WsReader *reader, const uint8_t *bytes, size_t len);
static WsEvent	check_header_start(WsReader *reader);
static WsEvent	begin_payload(WsReader *reader);
static WsEvent	close_event(WsReader *reader, const uint8_t *payload,
							size_t len);
static bool		is_valid_close_code(uint16_t code);
static WsEvent	fail(WsReader *reader, WsCloseCode code, const char *text);
static WsEvent	out_of_memory(WsReader *reader);
static bool		buffer_append(WsReader *reader, size_t at, const uint8_t *bytes,
							  size_t len);
static void		buffer_release(WsReader *reader);
static void		unmask(uint8_t *bytes, size_t len, const uint8_t mask[4],
					   uint64_t phase);
static uint32_t utf8_feed(uint32_t state, const uint8_t *bytes, size_t len);

static const WsEvent no_event = {.type = WS_EVENT_NONE};

void
ws_reader_init(WsReader *reader, uint32_t max_message)
{
	memset(reader, 0, sizeof(*reader));
	reader->max_message = max_message;
}

void
ws_reader_fini(WsReader *reader)
{
	buffer_release(reader);
}

WsEvent
ws_read(WsReader *reader, uint8_t *bytes, size_t len, size_t *used)
{
	size_t at = 0;

	/* What the last event pointed to is the reader's again. */
	if (reader->failed || (reader->message_opcode == 0 && !reader->in_payload))
		buffer_release(reader);
	if (reader->failed)
	{
		*used = len;
		return no_event;
	}

	while (at < len)
	{
		WsEvent event = no_event;
		size_t	taken = 0;

		if (!reader->in_payload)
		{
			taken = take_header(reader, bytes + at, len - at);
			event = check_header_start(reader);
			if (event.type == WS_EVENT_NONE && reader->in_payload)
				event = begin_payload(reader);
		}
		at += taken;

		/* A frame without payload is complete with its header. */
		if (event.type == WS_EVENT_NONE && reader->in_payload &&
			(at < len || reader->frame_left == 0))
		{
			if ((reader->frame_opcode & BIT_CONTROL) != 0)
				event = read_control(reader, bytes + at, len - at, &taken);
			else
				event = read_data(reader, bytes + at, len - at, &taken);
			at += taken;
		}
		if (event.type != WS_EVENT_NONE)
		{
			*used = at;
			return event;
		}
	}
	*used = at;
	return no_event;
}

size_t
ws_frame_header(uint8_t out[WS_MAX_HEADER], WsOpcode opcode,
				uint64_t payload_len)
{
	size_t len = 2;
	int	   length_bytes = 0;

	out[0] = (uint8_t) (BIT_FIN | opcode);
	if (payload_len < LENGTH_16)
		out[1] = (uint8_t) payload_len;
	else if (payload_len <= UINT16_MAX)
	{
		out[1] = LENGTH_16;
		length_bytes = 2;
	}
	else
	{
		out[1] = LENGTH_64;
		length_bytes = 8;
	}
	while (length_bytes-- > 0)
		out[len++] = (uint8_t) (payload_len >> (8 * length_bytes));
	return len;
}

size_t
ws_close_frame(uint8_t out[WS_MAX_CONTROL_FRAME], uint16_t code,
			   const char *reason)
{
	uint8_t payload[MAX_CONTROL_PAYLOAD];
	size_t	len = reason != NULL ? strlen(reason) : 0;

	/* RFC 6455 7.1.5: no status means an empty close frame */
	if (code == WS_CLOSE_NO_STATUS)
		return ws_control_frame(out, WS_CLOSE, SLICE_NONE);

	payload[0] = (uint8_t) (code >> 8);
	payload[1] = (uint8_t) code;
	if (len > MAX_CONTROL_PAYLOAD - 2)
	{
		len = MAX_CONTROL_PAYLOAD - 2;
		/* Never cut a character: back to a byte that starts one. */
		while (len > 0 && ((uint8_t) reason[len] & 0xC0) == 0x80)
			len--;
	}
	if (len > 0)
		memcpy(payload + 2, reason, len);
	return ws_control_frame(out, WS_CLOSE,
							(Slice){(const char *) payload, len + 2});
}

size_t
ws_control_frame(uint8_t out[WS_MAX_CONTROL_FRAME], WsOpcode opcode, Slice data)
{
	size_t len =
		data.len < MAX_CONTROL_PAYLOAD ? data.len : MAX_CONTROL_PAYLOAD;

	out[0] = (uint8_t) (BIT_FIN | opcode);
	out[1] = (uint8_t) len;
	if (len > 0)
		memcpy(out + 2, data.ptr, len);
	return 2 + len;
}

bool
ws_utf8_valid(const void *bytes, size_t len)
{
	return utf8_feed(UTF8_START, bytes, len) == UTF8_START;
}

/* Some more payload of a text or binary frame; len may be 0. */
static WsEvent
read_data(WsReader *reader, uint8_t *bytes, size_t len, size_t *taken)
{
	size_t	n = len < reader->frame_left ? len : (size_t) reader->frame_left;
	bool	last;
	WsEvent event = no_event;

	*taken = n;
	unmask(bytes, n, reader->mask, reader->frame_seen);
	reader->frame_seen += n;
	reader->frame_left -= n;
	last = reader->frame_left == 0 && reader->fin;

	if (reader->message_opcode == WS_TEXT)
	{
		reader->utf8_state = utf8_feed(reader->utf8_state, bytes, n);
		/* RFC 6455 8.1; at once, though the rest is still on its way */
		if (reader->utf8_state == UTF8_INVALID ||
			(last && reader->utf8_state != UTF8_START))
			return fail(reader, WS_CLOSE_INVALID_DATA,
						"text is not valid UTF-8");
	}

	if (last && reader->assembled == 0)
		event.data = (Slice){(const char *) bytes, n};
	else
	{
		if (!buffer_append(reader, reader->assembled, bytes, n))
			return out_of_memory(reader);
		reader->assembled += n;
		event.data = (Slice){(const char *) reader->buffer, reader->assembled};
	}

	if (reader->frame_left > 0)
		return no_event;
	reader->in_payload = false;
	if (!last)
		return no_event;

	event.type = WS_EVENT_MESSAGE;
	event.opcode = (WsOpcode) reader->message_opcode;
	reader->message_opcode = 0;
	return event;
}

/* Some more payload of a control frame, which is never more than 125 bytes. */
static WsEvent
read_control(WsReader *reader, uint8_t *bytes, size_t len, size_t *taken)
{
	size_t n = len < reader->frame_left ? len : (size_t) reader->frame_left;
	const uint8_t *payload = bytes;
	size_t		   payload_len = reader->control_len + n;
	WsEvent		   event = no_event;

	*taken = n;
	unmask(bytes, n, reader->mask, reader->frame_seen);
	reader->frame_seen += n;
	reader->frame_left -= n;

	if (reader->frame_left > 0 || reader->control_len > 0)
	{
		if (!buffer_append(reader, reader->assembled + reader->control_len,
						   bytes, n))
			return out_of_memory(reader);
		reader->control_len = (uint8_t) payload_len;
		payload = reader->buffer + reader->assembled;
	}
	if (reader->frame_left > 0)
		return no_event;
	reader->in_payload = false;
	reader->control_len = 0;

	if (reader->frame_opcode == WS_CLOSE)
		return close_event(reader, payload, payload_len);
	event.type =
		reader->frame_opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
	event.opcode = (WsOpcode) reader->frame_opcode;
	event.data = (Slice){(const char *) payload, payload_len};
	return event;
}

/*
 * Take bytes of a frame header; in_payload when it has come whole.  Returns how
 * many were taken.  After the first two it stops, so that they are looked at
 * before the rest, which they may make meaningless.
 */
static size_t
take_header(WsReader *reader, const uint8_t *bytes, size_t len)
{
	size_t need = 2;
	size_t n;

	if (reader->header_len >= 2)
	{
		uint8_t length = reader->header[1] & BITS_LENGTH;

		need += length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
		need += sizeof(reader->mask);
	}
	n = need - reader->header_len;
	if (n > len)
		n = len;
	memcpy(reader->header + reader->header_len, bytes, n);
	reader->header_len = (uint8_t) (reader->header_len + n);
	reader->in_payload = need > 2 && reader->header_len == need;
	return n;
}

/* What the first two bytes alone can be refused for. */
static WsEvent
check_header_start(WsReader *reader)
{
	uint8_t opcode = reader->header[0] & BITS_OPCODE;
	bool	fin = (reader->header[0] & BIT_FIN) != 0;
	uint8_t length = reader->header[1] & BITS_LENGTH;

	if (reader->header_len != 2)
		return no_event;

	if ((reader->header[0] & BITS_RSV) != 0)
		return fail(reader, WS_CLOSE_PROTOCOL_ERROR, "reserved bits are set");
	switch (opcode)
	{
		case WS_CONTINUATION:
			if (reader->message_opcode == 0)
				return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
							"continuation without a message to continue");
			break;
		case WS_TEXT:
		case WS_BINARY:
			if (reader->message_opcode != 0)
				return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
							"new message within a fragmented one");
			break;
		case WS_CLOSE:
		case WS_PING:
		case WS_PONG:
			if (!fin)
				return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
							"control frame is fragmented");
			if (length > MAX_CONTROL_PAYLOAD)
				return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
							"control frame is longer than 125 bytes");
			break;
		default:
			return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
						"opcode is not defined");
	}
	/* RFC 6455 5.1 */
	if ((reader->header[1] & BIT_MASK) == 0)
		return fail(reader, WS_CLOSE_PROTOCOL_ERROR, "frame is not masked");
	return no_event;
}

/* The header has come whole: check its length, and set out to read that much.
 */
static WsEvent
begin_payload(WsReader *reader)
{
	const uint8_t *at = reader->header + 2;
	uint8_t		   opcode = reader->header[0] & BITS_OPCODE;
	uint64_t	   length = reader->header[1] & BITS_LENGTH;
	uint64_t	   shortest = 0; /* length that needs this encoding */
	int			   length_bytes = 0;

	if (length == LENGTH_16)
	{
		length_bytes = 2;
		shortest = LENGTH_16;
	}
	else if (length == LENGTH_64)
	{
		length_bytes = 8;
		shortest = UINT16_MAX + 1;
	}
	if (length_bytes > 0)
		length = 0;
	while (length_bytes-- > 0)
		length = length << 8 | *at++;

	if (length > INT64_MAX)
		return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
					"frame length has its highest bit set");
	if (length < shortest)
		return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
					"frame length is not encoded in the fewest bytes");

	if ((opcode & BIT_CONTROL) == 0)
	{
		/* assembled never exceeds max_message, so this cannot wrap */
		if (length > reader->max_message - reader->assembled)
			return fail(reader, WS_CLOSE_TOO_BIG, "message is too big");
		/* utf8_state is at its start: no text ends anywhere else */
		if (opcode != WS_CONTINUATION)
			reader->message_opcode = opcode;
	}
	memcpy(reader->mask, at, sizeof(reader->mask));
	reader->frame_opcode = opcode;
	reader->fin = (reader->header[0] & BIT_FIN) != 0;
	reader->frame_left = length;
	reader->frame_seen = 0;
	reader->header_len = 0;
	return no_event;
}

static WsEvent
close_event(WsReader *reader, const uint8_t *payload, size_t len)
{
	WsEvent event = {
		.type = WS_EVENT_CLOSE, .opcode = WS_CLOSE, .code = WS_CLOSE_NO_STATUS};

	if (len == 1)
		return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
					"close frame holds half a code");
	if (len >= 2)
	{
		event.code = (uint16_t) (payload[0] << 8 | payload[1]);
		event.data = (Slice){(const char *) payload + 2, len - 2};
		if (!is_valid_close_code(event.code))
			return fail(reader, WS_CLOSE_PROTOCOL_ERROR,
						"close code may not be sent");
		if (!ws_utf8_valid(payload + 2, len - 2))
			return fail(reader, WS_CLOSE_INVALID_DATA,
						"close reason is not valid UTF-8");
	}
	reader->failed = true;
	return event;
}

/*
 * RFC 6455 7.4.1 and 7.4.2, with what IANA's registry has added since: 1012 to
 * 1014.  1004 is reserved; 1005, 1006 and 1015 never travel.
 */
static bool
is_valid_close_code(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
		   (code >= 3000 && code <= 4999);
}

static WsEvent
fail(WsReader *reader, WsCloseCode code, const char *text)
{
	buffer_release(reader);
	reader->failed = true;
	return (WsEvent){.type = WS_EVENT_FAILED, .code = code, .text = text};
}

static WsEvent
out_of_memory(WsReader *reader)
{
	return fail(reader, WS_CLOSE_INTERNAL_ERROR, "out of memory");
}

/* Put bytes at that place in the buffer, which grows by doubling. */
static bool
buffer_append(WsReader *reader, size_t at, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return true;
	if (at + len > reader->buffer_cap)
	{
		size_t	 cap = reader->buffer_cap * 2;
		uint8_t *buffer;

		if (cap > (size_t) reader->max_message + MAX_CONTROL_PAYLOAD)
			cap = (size_t) reader->max_message + MAX_CONTROL_PAYLOAD;
		if (cap < MIN_BUFFER)
			cap = MIN_BUFFER;
		if (cap < at + len)
			cap = at + len;
		buffer = realloc(reader->buffer, cap);
		if (buffer == NULL)
			return false;
		reader->buffer = buffer;
		reader->buffer_cap = cap;
	}
	memcpy(reader->buffer + at, bytes, len);
	return true;
}

static void
buffer_release(WsReader *reader)
{
	if (reader->buffer != NULL)
	{
		free(reader->buffer);
		reader->buffer = NULL;
	}
	reader->buffer_cap = 0;
	reader->assembled = 0;
}

/* RFC 6455 5.3; phase is how many bytes of the frame came before. */
static void
unmask(uint8_t *bytes, size_t len, const uint8_t mask[4], uint64_t phase)
{
	uint8_t	 turned[8];
	uint64_t mask_word;
	size_t	 i = 0;

	for (size_t k = 0; k < sizeof(turned); k++)
		turned[k] = mask[(phase + k) & 3];
	memcpy(&mask_word, turned, sizeof(mask_word));

	for (; i + sizeof(mask_word) <= len; i += sizeof(mask_word))
	{
		uint64_t word;

		memcpy(&word, bytes + i, sizeof(word));
		word ^= mask_word;
		memcpy(bytes + i, &word, sizeof(word));
	}
	for (size_t k = 0; i < len; i++, k++)
		bytes[i] ^= turned[k];
}

/*
 * RFC 3629 section 4: after a lead byte, how many continuation bytes follow and
 * what the first of them may be; this is what excludes overlong forms,
 * surrogates and anything above U+10FFFF at the earliest byte.
 */
static uint32_t
utf8_lead(uint8_t byte)
{
	if (byte < 0x80)
		return UTF8_START;
	if (byte < 0xC2)
		return UTF8_INVALID;
	if (byte < 0xE0)
		return UTF8_STATE(1, 0x80, 0xBF);
	if (byte < 0xF0)
		return UTF8_STATE(2, byte == 0xE0 ? 0xA0 : 0x80,
						  byte == 0xED ? 0x9F : 0xBF);
	if (byte < 0xF5)
		return UTF8_STATE(3, byte == 0xF0 ? 0x90 : 0x80,
						  byte == 0xF4 ? 0x8F : 0xBF);
	return UTF8_INVALID;
}

/* The state after these bytes; UTF8_START between characters. */
static uint32_t
utf8_feed(uint32_t state, const uint8_t *bytes, size_t len)
{
	size_t i = 0;

	while (i < len)
	{
		if (state == UTF8_START)
		{
			uint64_t word;

			for (; i + sizeof(word) <= len; i += sizeof(word))
			{
				memcpy(&word, bytes + i, sizeof(word));
				if ((word & HIGH_BITS) != 0)
					break;
			}
			while (i < len && bytes[i] < 0x80)
				i++;
			if (i == len)
				break;
			state = utf8_lead(bytes[i++]);
			if (state == UTF8_INVALID)
				return state;
		}
		else
		{
			uint32_t need = UTF8_NEED(state) - 1;

			if (bytes[i] < UTF8_LOW(state) || bytes[i] > UTF8_HIGH(state))
				return UTF8_INVALID;
			i++;
			state = need > 0 ? UTF8_STATE(need, 0x80, 0xBF) : UTF8_START;
		}
	}
	return state;
}
