/*-------------------------------------------------------------------------
 *
 * websocket.h
 *	  RFC 6455 frames: a server's side of the codec.  Pure.
 *
 * The reader keeps a few words per connection and owns memory only while a
 * message is incomplete.  It unmasks in place, in the caller's buffer, and
 *hands out messages without a copy when they arrived whole in one read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_WEBSOCKET_H
#define USHER_WEBSOCKET_H

#include "common.h"

typedef enum WsOpcode
{
	WS_CONTINUATION = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xA,
} WsOpcode;

/* Close codes: RFC 6455 section 7.4.1, and our own (DESIGN: 4400 and up). */
typedef enum WsCloseCode
{
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_STATUS = 1005, /* never sent: a close frame without a code */
	WS_CLOSE_INVALID_DATA = 1007,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL_ERROR = 1011,
	WS_CLOSE_TRY_AGAIN = 1013,
	WS_CLOSE_MALFORMED = 4400,
	WS_CLOSE_UNAUTHENTICATED = 4401,
	WS_CLOSE_FORBIDDEN = 4403,
	WS_CLOSE_AUTH_TIMEOUT = 4408,
	WS_CLOSE_HISTORY = 4409,
	WS_CLOSE_REVOKED = 4410,
	WS_CLOSE_EXPIRED = 4419,
	WS_CLOSE_LIMIT = 4429,
	WS_CLOSE_TOO_SLOW = 4430,
} WsCloseCode;

/* State of the reading half of one connection; zeroed by ws_reader_init. */
typedef struct WsReader
{
	uint8_t	 header[14]; /* partial frame header */
	uint8_t	 header_len;
	uint8_t	 message_opcode; /* of the message being assembled, 0 when none */
	uint8_t	 frame_opcode;
	bool	 in_payload;
	bool	 fin;
	bool	 failed;
	uint8_t	 mask[4];
	uint8_t	 control_len; /* bytes of a control frame gathered so far */
	uint32_t utf8_state;  /* of a text message in progress */
	uint64_t frame_left;  /* payload bytes still to come */
	uint64_t frame_seen;  /* payload bytes seen, for the mask's phase */
	uint32_t max_message; /* bytes; longer: WS_CLOSE_TOO_BIG */
	size_t	 assembled;	  /* bytes in buffer */
	size_t	 buffer_cap;
	uint8_t *buffer; /* owned; NULL unless a message is incomplete */
} WsReader;

typedef enum WsEventType
{
	WS_EVENT_NONE,	  /* input used up */
	WS_EVENT_MESSAGE, /* opcode WS_TEXT or WS_BINARY; text is valid UTF-8 */
	WS_EVENT_PING,	  /* answer with a pong that carries data */
	WS_EVENT_PONG,
	WS_EVENT_CLOSE, /* code (WS_CLOSE_NO_STATUS when empty) and data = reason */
	WS_EVENT_FAILED, /* fail the connection with code; reason in text */
} WsEventType;

typedef struct WsEvent
{
	WsEventType type;
	WsOpcode	opcode;
	uint16_t	code;
	const char *text; /* static: why it failed */
	Slice		data; /* borrowed until the next ws_read on this reader */
} WsEvent;

/* max_message: largest message accepted, in bytes. */
void ws_reader_init(WsReader *reader, uint32_t max_message);

/* Frees the buffer, if any. */
void ws_reader_fini(WsReader *reader);

/*
 * ws_read
 *		Take the next event out of bytes; *used says how many were consumed.
 *
 * Call again with the rest until WS_EVENT_NONE.  bytes is modified (unmasked
 * in place).  After WS_EVENT_CLOSE or WS_EVENT_FAILED everything further is
 * dropped as WS_EVENT_NONE.  Enforces: masking (5.1), reserved bits and opcodes
 * (5.2), minimal length encoding and 63 bits (5.2), control frames (5.5),
 * fragmentation (5.4), UTF-8 incrementally (8.1), close codes (7.4).  A length
 *that cannot fit max_message fails at its header, before any payload is kept.
 */
WsEvent ws_read(WsReader *reader, uint8_t *bytes, size_t len,
				size_t *used) MUST_CHECK;

/* A server's (unmasked, FIN) frame header. */
#define WS_MAX_HEADER 10
size_t ws_frame_header(uint8_t out[WS_MAX_HEADER], WsOpcode opcode,
					   uint64_t payload_len);

/*
 * ws_close_frame
 *		A whole close frame: code and reason (cut to 123 bytes at a character).
 *		code WS_CLOSE_NO_STATUS makes an empty one.  Returns its length.
 */
#define WS_MAX_CONTROL_FRAME (2 + 125)
size_t ws_close_frame(uint8_t out[WS_MAX_CONTROL_FRAME], uint16_t code,
					  const char *reason);

/* A ping or pong with up to 125 bytes. */
size_t ws_control_frame(uint8_t out[WS_MAX_CONTROL_FRAME], WsOpcode opcode,
						Slice data);

/* Whole text is valid UTF-8 (RFC 3629: no surrogates, at most U+10FFFF). */
bool ws_utf8_valid(const void *bytes, size_t len);

#endif
