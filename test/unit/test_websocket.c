/*-------------------------------------------------------------------------
 *
 * test_websocket.c
 *	  The frame codec against cases in the manner of the Autobahn suite.
 *
 * A case is a list of frames and the events they must give.  Each is read
 * whole, byte by byte and in several other cuts, under several masks, and
 * every piece lies in a block of its own size, so that AddressSanitizer sees a
 * read beyond it.  Section numbers in the tests' names are the suite's
 * (crossbar-io/autobahn-testsuite), sections 1 to 7.  The file is long because
 * nearly all of it is tables, which belong together.
 *
 *-------------------------------------------------------------------------
 */
#include "websocket.h"

#include "check.h"

#define MAX_FRAMES 8
#define DEFAULT_MAX 65536

typedef struct TestFrame
{
	uint8_t		first; /* FIN, RSV, opcode */
	bool		raw;   /* payload is the whole frame as it travels */
	size_t		len;
	const char *payload;
} TestFrame;

typedef struct TestCase
{
	const char *name;
	const char *expect;
	TestFrame	frames[MAX_FRAMES]; /* ends at payload NULL */
	uint32_t	max_message;		/* 0: DEFAULT_MAX */
} TestCase;

#define FRAME(first, text)                                                     \
	{                                                                          \
		(first), false, sizeof(text) - 1, (text)                               \
	}
#define RAW(text)                                                              \
	{                                                                          \
		0, true, sizeof(text) - 1, (text)                                      \
	}
#define TEXT(text) FRAME(0x81, text)
#define TEXT_FIRST(text) FRAME(0x01, text)
#define BINARY(text) FRAME(0x82, text)
#define BINARY_FIRST(text) FRAME(0x02, text)
#define MORE(text) FRAME(0x00, text)
#define LAST(text) FRAME(0x80, text)
#define CLOSE(text) FRAME(0x88, text)
#define PING(text) FRAME(0x89, text)
#define PONG(text) FRAME(0x8A, text)

#define X5 "\x78\x78\x78\x78\x78"
#define X25 X5 X5 X5 X5 X5
#define X125 X25 X25 X25 X25 X25
#define TEXT_X125                                                              \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"         \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* A growing string of bytes. */
typedef struct Bytes
{
	uint8_t *ptr;
	size_t	 len;
	size_t	 cap;
} Bytes;

static void
bytes_add(Bytes *bytes, const void *more, size_t len)
{
	if (bytes->len + len + 1 > bytes->cap)
	{
		bytes->cap = 2 * (bytes->len + len + 1);
		bytes->ptr = realloc(bytes->ptr, bytes->cap);
		if (bytes->ptr == NULL)
			abort();
	}
	if (len > 0)
		memcpy(bytes->ptr + bytes->len, more, len);
	bytes->len += len;
	bytes->ptr[bytes->len] = '\0';
}

static void
bytes_add_masked(Bytes *wire, const TestFrame *frame, const uint8_t mask[4])
{
	uint8_t header[WS_MAX_HEADER];
	size_t	header_len;

	if (frame->raw)
	{
		bytes_add(wire, frame->payload, frame->len);
		return;
	}
	header_len = ws_frame_header(header, WS_BINARY, frame->len);
	header[0] = frame->first;
	header[1] |= 0x80;
	bytes_add(wire, header, header_len);
	bytes_add(wire, mask, 4);
	for (size_t i = 0; i < frame->len; i++)
	{
		uint8_t byte = (uint8_t) frame->payload[i] ^ mask[i % 4];

		bytes_add(wire, &byte, 1);
	}
}

static void
bytes_add_event(Bytes *log, const WsEvent *event)
{
	char line[64];

	if (log->len > 0)
		bytes_add(log, " ", 1);
	switch (event->type)
	{
		case WS_EVENT_NONE: return;
		case WS_EVENT_FAILED:
			CHECK(event->text != NULL);
			snprintf(line, sizeof(line), "fail(%d)", event->code);
			bytes_add(log, line, strlen(line));
			return;
		case WS_EVENT_CLOSE:
			CHECK_INT(event->opcode, WS_CLOSE);
			snprintf(line, sizeof(line), "close(%d,", event->code);
			break;
		case WS_EVENT_PING:
			CHECK_INT(event->opcode, WS_PING);
			snprintf(line, sizeof(line), "ping(");
			break;
		case WS_EVENT_PONG:
			CHECK_INT(event->opcode, WS_PONG);
			snprintf(line, sizeof(line), "pong(");
			break;
		case WS_EVENT_MESSAGE:
			CHECK(event->opcode == WS_TEXT || event->opcode == WS_BINARY);
			snprintf(line, sizeof(line), "%s(",
					 event->opcode == WS_TEXT ? "text" : "binary");
			break;
	}
	bytes_add(log, line, strlen(line));
	bytes_add(log, event->data.ptr, event->data.len);
	bytes_add(log, ")", 1);
}

/* Feed one piece, from a block of exactly its size; events go to log. */
static void
feed(WsReader *reader, const uint8_t *bytes, size_t len, Bytes *log)
{
	uint8_t *block = malloc(len > 0 ? len : 1);
	size_t	 at = 0;

	if (block == NULL)
		abort();
	memcpy(block, bytes, len);
	for (;;)
	{
		size_t	used = SIZE_MAX;
		WsEvent event = ws_read(reader, block + at, len - at, &used);

		if (!CHECK(used <= len - at))
			break;
		at += used;
		if (event.type == WS_EVENT_NONE)
			break;
		bytes_add_event(log, &event);
	}
	CHECK_INT(at, len);
	free(block);
}

static void
check_wire(const Bytes *wire, size_t step, uint32_t max_message,
		   const void *expect, size_t expect_len)
{
	WsReader reader;
	Bytes	 log = {0};

	bytes_add(&log, "", 0);
	ws_reader_init(&reader, max_message);
	for (size_t at = 0; at < wire->len; at += step)
		feed(&reader, wire->ptr + at,
			 wire->len - at < step ? wire->len - at : step, &log);
	CHECK_BYTES(log.ptr, log.len, expect, expect_len);

	/* Memory is held for an incomplete message only. */
	if (reader.message_opcode == 0 && !reader.in_payload)
		CHECK(reader.buffer == NULL);
	ws_reader_fini(&reader);
	free(log.ptr);
}

static const uint8_t masks[][4] = {
	{0x37, 0xFA, 0x21, 0x3D},
	{0x00, 0x00, 0x00, 0x00},
	{0xFF, 0x00, 0xFF, 0xFF},
};

static void
check_case(const TestCase *test)
{
	static const size_t steps[] = {SIZE_MAX / 2, 1, 2, 3, 5, 7, 64};

	for (size_t m = 0; m < lengthof(masks); m++)
	{
		Bytes wire = {0};

		for (size_t i = 0; i < MAX_FRAMES && test->frames[i].payload != NULL;
			 i++)
			bytes_add_masked(&wire, &test->frames[i], masks[m]);
		for (size_t s = 0; s < lengthof(steps); s++)
		{
			check_at("%s, in pieces of %zu, mask %zu", test->name,
					 steps[s] > wire.len ? wire.len : steps[s], m);
			check_wire(&wire, steps[s],
					   test->max_message > 0 ? test->max_message : DEFAULT_MAX,
					   test->expect, strlen(test->expect));
		}
		free(wire.ptr);
	}
}

#define CHECK_CASES(cases)                                                     \
	do                                                                         \
	{                                                                          \
		for (size_t c = 0; c < lengthof(cases); c++)                           \
			check_case(&(cases)[c]);                                           \
	} while (0)

static void
check_sizes(uint8_t first, const char *kind)
{
	static const size_t sizes[] = {0,	125,   126,	  127,	 128,
								   255, 65535, 65536, 65537, 200000};
	static const size_t steps[] = {SIZE_MAX / 2, 1, 997, 4096};

	for (size_t i = 0; i < lengthof(sizes); i++)
	{
		char	 *payload = malloc(sizes[i] + 1);
		TestFrame frame = {first, false, sizes[i], payload};
		Bytes	  wire = {0};
		Bytes	  expect = {0};

		if (payload == NULL)
			abort();
		for (size_t k = 0; k < sizes[i]; k++)
			payload[k] = (char) (first == 0x81 ? 'a' + k % 23 : k * 7 % 256);
		bytes_add_masked(&wire, &frame, masks[0]);
		bytes_add(&expect, kind, strlen(kind));
		bytes_add(&expect, "(", 1);
		bytes_add(&expect, payload, sizes[i]);
		bytes_add(&expect, ")", 1);
		for (size_t s = 0; s < lengthof(steps); s++)
		{
			check_at("%zu bytes in pieces of %zu", sizes[i], steps[s]);
			check_wire(&wire, steps[s], 200000, expect.ptr, expect.len);
		}
		free(payload);
		free(wire.ptr);
		free(expect.ptr);
	}
}

TEST(section_1_text_messages_of_every_length_class_arrive_whole)
{
	check_sizes(0x81, "text");
}

TEST(section_1_binary_messages_of_every_length_class_arrive_whole)
{
	check_sizes(0x82, "binary");
}

TEST(section_2_pings_and_pongs_of_up_to_125_bytes_are_told_apart)
{
	static const TestCase cases[] = {
		{"2.1 empty ping", "ping()", {PING("")}, 0},
		{"2.2 ping with text",
		 "ping(Hello, world!)",
		 {PING("Hello, world!")},
		 0},
		{"2.3 ping with binary",
		 "ping(\xFE\xFF\x01)",
		 {PING("\xFE\xFF\x01")},
		 0},
		{"2.4 ping of 125 bytes", "ping(" TEXT_X125 ")", {PING(X125)}, 0},
		{"2.5 ping of 126 bytes", "fail(1002)", {PING(X125 "x")}, 0},
		{"2.7 empty pong unasked", "pong()", {PONG("")}, 0},
		{"2.8 pong with payload", "pong(late)", {PONG("late")}, 0},
		{"2.9 pong, then ping", "pong(a) ping(b)", {PONG("a"), PING("b")}, 0},
		{"2.10 pings in a row",
		 "ping(1) ping(2) ping(3) ping(4)",
		 {PING("1"), PING("2"), PING("3"), PING("4")},
		 0},
		{"pong of 126 bytes", "fail(1002)", {PONG(X125 "x")}, 0},
		{"fragmented ping", "fail(1002)", {FRAME(0x09, "a")}, 0},
		{"fragmented pong", "fail(1002)", {FRAME(0x0A, "a")}, 0},
		{"ping whose length takes two bytes",
		 "fail(1002)",
		 {RAW("\x89\xFE\x00\x01\x00\x00\x00\x00x")},
		 0},
	};

	CHECK_CASES(cases);
}

TEST(section_3_a_reserved_bit_fails_the_connection)
{
	for (int bits = 0x10; bits <= 0x70; bits += 0x10)
	{
		static const uint8_t opcodes[] = {0x81, 0x82, 0x88, 0x89, 0x8A, 0x01};

		for (size_t i = 0; i < lengthof(opcodes); i++)
		{
			TestCase test = {"reserved",
							 "text(before) fail(1002)",
							 {TEXT("before"),
							  {(uint8_t) (opcodes[i] | bits), false, 4, "oops"},
							  TEXT("after")},
							 0};

			check_case(&test);
		}
	}
}

TEST(section_4_an_opcode_that_is_not_defined_fails_the_connection)
{
	static const uint8_t opcodes[] = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15};

	for (size_t i = 0; i < lengthof(opcodes); i++)
	{
		for (int fin = 0; fin <= 0x80; fin += 0x80)
		{
			TestCase test = {"opcode",
							 "text(before) fail(1002)",
							 {TEXT("before"),
							  {(uint8_t) (opcodes[i] | fin), false, 2, "no"},
							  PING("")},
							 0};

			check_case(&test);
			test.frames[1].len = 0;
			check_case(&test);
		}
	}
}

TEST(section_5_fragments_are_joined_and_control_frames_may_come_between)
{
	static const TestCase cases[] = {
		{"5.3 text in two fragments",
		 "text(fragment1fragment2)",
		 {TEXT_FIRST("fragment1"), LAST("fragment2")},
		 0},
		{"5.6 a ping between fragments",
		 "ping(ping) text(ab)",
		 {TEXT_FIRST("a"), PING("ping"), LAST("b")},
		 0},
		{"an empty ping between fragments",
		 "ping() binary(ab)",
		 {BINARY_FIRST("a"), PING(""), LAST("b")},
		 0},
		{"a ping of 125 bytes between fragments",
		 "ping(" TEXT_X125 ") text(ab)",
		 {TEXT_FIRST("a"), PING(X125), LAST("b")},
		 0},
		{"5.19 pings and pongs between five fragments",
		 "ping(p1) pong(q) ping(p2) text(f1f2f3f4f5)",
		 {TEXT_FIRST("f1"), MORE("f2"), PING("p1"), PONG("q"), MORE("f3"),
		  PING("p2"), MORE("f4"), LAST("f5")},
		 0},
		{"empty fragments", "text()", {TEXT_FIRST(""), MORE(""), LAST("")}, 0},
		{"6.1.3 an empty first and last fragment",
		 "text(middle)",
		 {TEXT_FIRST(""), MORE("middle"), LAST("")},
		 0},
		{"a ping after an empty first fragment",
		 "ping(p) text(all)",
		 {TEXT_FIRST(""), PING("p"), LAST("all")},
		 0},
		{"two fragmented messages in a row",
		 "text(ab) binary(cd)",
		 {TEXT_FIRST("a"), LAST("b"), BINARY_FIRST("c"), LAST("d")},
		 0},
		{"an incomplete message is not handed out",
		 "",
		 {TEXT_FIRST("a"), MORE("b")},
		 0},
		{"5.9 a continuation of nothing, final",
		 "fail(1002)",
		 {LAST("x"), TEXT("y")},
		 0},
		{"5.12 a continuation of nothing, not final",
		 "fail(1002)",
		 {MORE("x"), LAST("y")},
		 0},
		{"5.15 a continuation after a complete message",
		 "text(ab) fail(1002)",
		 {TEXT_FIRST("a"), LAST("b"), LAST("c")},
		 0},
		{"5.18 a second text within a fragmented one",
		 "fail(1002)",
		 {TEXT_FIRST("a"), TEXT("b")},
		 0},
		{"a binary message within a fragmented text",
		 "fail(1002)",
		 {TEXT_FIRST("a"), BINARY_FIRST("b"), LAST("c")},
		 0},
	};

	CHECK_CASES(cases);
}

TEST(section_6_valid_text_arrives_however_it_is_cut)
{
	static const TestCase cases[] = {
		{"6.2.1 in one frame",
		 "text(Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xE4\xB8\xAD)",
		 {TEXT("Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xE4\xB8\xAD")},
		 0},
		{"6.2.2 cut between characters",
		 "text(\xC2\xB5@\xC3\x9F\xC3\xB6)",
		 {TEXT_FIRST("\xC2\xB5@\xC3\x9F"), LAST("\xC3\xB6")},
		 0},
		{"6.2.3 cut within characters",
		 "text(\xC2\xB5\xE4\xB8\xAD)",
		 {TEXT_FIRST("\xC2"), MORE("\xB5\xE4"), MORE("\xB8"), LAST("\xAD")},
		 0},
		{"a ping within a character",
		 "ping(\xFF) text(\xF0\x9F\x98\x80)",
		 {TEXT_FIRST("\xF0\x9F"), PING("\xFF"), LAST("\x98\x80")},
		 0},
		{"6.5 the first and last code points",
		 "text(\x01\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80"
		 "\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF)",
		 {TEXT("\x01\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80"
			   "\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")},
		 0},
		{"6.22 non-characters",
		 "text(\xEF\xBF\xBE\xF0\x9F\xBF\xBE)",
		 {TEXT("\xEF\xBF\xBE\xF0\x9F\xBF\xBE")},
		 0},
		{"binary need not be UTF-8",
		 "binary(\xFF\xC0\x80\xED\xA0\x80)",
		 {BINARY("\xFF\xC0\x80\xED\xA0\x80")},
		 0},
		{"state does not leak into the next message",
		 "binary(\xE4\xB8) text(\xE4\xB8\xAD)",
		 {BINARY("\xE4\xB8"), TEXT("\xE4\xB8\xAD")},
		 0},
	};

	CHECK_CASES(cases);
}

TEST(section_6_text_that_is_not_utf8_fails_with_1007)
{
	static const char *const invalid[] = {
		"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80"
		"edited", /* 6.3.1 */
		"\xCE\xBA\xE1\xBD\xB9\xF4\x90\x80\x80"
		"edited", /* 6.4.1 */
		"\xCE",
		"\xCE\xBA\xE1",
		"\xCE\xBA\xE1\xBD",			/* 6.6 */
		"\xF8\x88\x80\x80\x80",		/* 6.8 five bytes */
		"\xFC\x84\x80\x80\x80\x80", /* 6.8 six bytes */
		"\xF7\xBF\xBF\xBF",
		"\xFB\xBF\xBF\xBF\xBF", /* 6.10 */
		"\xF4\x90\x80\x80",		/* 6.11 above U+10FFFF */
		"\x80",
		"\xBF",
		"\x80\xBF",
		"\x80\xBF\x80\xBF\x80\xBF", /* 6.12 */
		"\xC0 \xC1 \xC2 ",
		"\xE0 \xE1 ",
		"\xF0 \xF1 ", /* 6.13 */
		"\xFC ",
		"\xC0",
		"\xE0\x80",
		"\xF0\x80\x80", /* 6.14 */
		"\xDF",
		"\xEF\xBF",
		"\xF7\xBF\xBF", /* 6.14 */
		"\xFE",
		"\xFF",
		"\xFE\xFE\xFF\xFF", /* 6.16 */
		"\xC0\xAF",
		"\xE0\x80\xAF",
		"\xF0\x80\x80\xAF", /* 6.17 */
		"\xC1\xBF",
		"\xE0\x9F\xBF",
		"\xF0\x8F\xBF\xBF", /* 6.18 */
		"\xC0\x80",
		"\xE0\x80\x80",
		"\xF0\x80\x80\x80", /* 6.19 */
		"\xED\xA0\x80",
		"\xED\xAD\xBF",
		"\xED\xBF\xBF",				/* 6.20 */
		"\xED\xA0\x80\xED\xB0\x80", /* 6.21 */
		"eight ASCII bytes and then\xFF",
	};

	for (size_t i = 0; i < lengthof(invalid); i++)
	{
		size_t	 len = strlen(invalid[i]);
		TestCase whole = {"whole",
						  "fail(1007)",
						  {{0x81, false, len, invalid[i]}, PING("x")},
						  0};
		TestCase halves = {"in two fragments",
						   "fail(1007)",
						   {{0x01, false, len / 2, invalid[i]},
							{0x80, false, len - len / 2, invalid[i] + len / 2}},
						   0};

		check_case(&whole);
		check_case(&halves);
	}
}

TEST(section_6_text_fails_at_the_first_byte_that_cannot_be_right)
{
	/* The frame announces 126 bytes; these are the first of them. */
	static const struct
	{
		const char *good;
		char		bad;
	} rows[] = {
		{"\xCE\xBA\xF4", '\x90'}, /* 6.4.3: above U+10FFFF already */
		{"\xED", '\xA0'},		  /* a surrogate already */
		{"\xE0", '\x9F'},		  /* overlong already */
		{"\xF0", '\x8F'},
		{"\xE4\xB8", 'a'},
		{"abcdefghijklmnop", '\xC0'},
		{"", '\xF5'},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		WsReader reader;
		Bytes	 log = {0};

		check_at("row %zu", i);
		bytes_add(&log, "", 0);
		ws_reader_init(&reader, DEFAULT_MAX);
		feed(&reader, (const uint8_t *) "\x81\xFE\x00\x7E\0\0\0\0", 8, &log);
		feed(&reader, (const uint8_t *) rows[i].good, strlen(rows[i].good),
			 &log);
		CHECK_STR((const char *) log.ptr, "");
		feed(&reader, (const uint8_t *) &rows[i].bad, 1, &log);
		CHECK_STR((const char *) log.ptr, "fail(1007)");
		ws_reader_fini(&reader);
		free(log.ptr);
	}
}

TEST(section_7_a_close_ends_the_reading)
{
	static const TestCase cases[] = {
		{"7.1.1 a message, then close",
		 "text(Hello) close(1000,)",
		 {TEXT("Hello"), CLOSE("\x03\xE8")},
		 0},
		{"7.1.2 a second close is dropped",
		 "close(1000,)",
		 {CLOSE("\x03\xE8"), CLOSE("\x03\xE8")},
		 0},
		{"7.1.3 a ping after close is dropped",
		 "close(1000,)",
		 {CLOSE("\x03\xE8"), PING("x")},
		 0},
		{"7.1.4 text after close is dropped",
		 "close(1000,)",
		 {CLOSE("\x03\xE8"), TEXT("x")},
		 0},
		{"garbage after close is dropped",
		 "close(1000,)",
		 {CLOSE("\x03\xE8"), RAW("\xFF\xFF\xFF\xFF")},
		 0},
		{"7.1.5 close within a fragmented message",
		 "close(1001,bye)",
		 {TEXT_FIRST("a"),
		  CLOSE("\x03\xE9"
				"bye"),
		  LAST("b")},
		 0},
		{"7.3.1 no payload", "close(1005,)", {CLOSE("")}, 0},
		{"7.3.2 half a code", "fail(1002)", {CLOSE("\x03")}, 0},
		{"7.3.4 a reason", "close(1000,ok)", {CLOSE("\x03\xE8ok")}, 0},
		{"7.3.5 a reason of 123 bytes",
		 "close(1000,xxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxx)",
		 {CLOSE("\x03\xE8" X25 X25 X25 X25 X5 X5 X5 X5 "xxx")},
		 0},
		{"7.3.6 a reason of 124 bytes",
		 "fail(1002)",
		 {CLOSE("\x03\xE8" X25 X25 X25 X25 X5 X5 X5 X5 "xxxx")},
		 0},
		{"7.5.1 a reason that is not UTF-8",
		 "fail(1007)",
		 {CLOSE("\x03\xE8\xCE\xBA\xED\xA0\x80")},
		 0},
		{"a reason cut within a character",
		 "fail(1007)",
		 {CLOSE("\x03\xE8\xE4\xB8")},
		 0},
		{"fragmented close", "fail(1002)", {FRAME(0x08, "\x03\xE8")}, 0},
		{"nothing is read after a failure",
		 "fail(1002)",
		 {RAW("\x81\x01x"), TEXT("y"), CLOSE("\x03\xE8")},
		 0},
	};

	CHECK_CASES(cases);
}

TEST(section_7_only_close_codes_that_may_travel_are_accepted)
{
	static const struct
	{
		uint16_t first, last;
		bool	 accepted;
	} ranges[] = {
		{0, 0, false},		 {1, 1, false},			{999, 999, false},
		{1000, 1003, true},	 {1004, 1006, false},	{1007, 1011, true},
		{1012, 1014, true},	 {1015, 1016, false},	{1100, 1100, false},
		{2000, 2000, false}, {2999, 2999, false},	{3000, 3000, true},
		{3999, 4000, true},	 {4400, 4430, true},	{4999, 4999, true},
		{5000, 5000, false}, {65535, 65535, false},
	};

	for (size_t i = 0; i < lengthof(ranges); i++)
	{
		for (unsigned code = ranges[i].first; code <= ranges[i].last; code++)
		{
			char	 payload[2] = {(char) (code >> 8), (char) code};
			char	 expect[32];
			char	 name[32];
			TestCase test = {name, expect, {{0x88, false, 2, payload}}, 0};

			snprintf(name, sizeof(name), "code %u", code);
			snprintf(expect, sizeof(expect),
					 ranges[i].accepted ? "close(%u,)" : "fail(1002)", code);
			check_case(&test);
		}
	}
}

TEST(a_frame_without_a_mask_fails_the_connection)
{
	static const TestCase cases[] = {
		{"text", "fail(1002)", {RAW("\x81\x05Hello")}, 0},
		{"empty text", "fail(1002)", {RAW("\x81\x00")}, 0},
		{"ping", "fail(1002)", {RAW("\x89\x00")}, 0},
		{"close", "fail(1002)", {RAW("\x88\x02\x03\xE8")}, 0},
		{"a long length", "fail(1002)", {RAW("\x82\x7E\x00\xFFxx")}, 0},
		{"after a good one",
		 "text(a) fail(1002)",
		 {TEXT("a"), RAW("\x81\x01x")},
		 0},
	};

	CHECK_CASES(cases);
}

TEST(a_length_in_more_bytes_than_it_needs_fails_the_connection)
{
	static const TestCase cases[] = {
		{"0 in two bytes", "fail(1002)", {RAW("\x81\xFE\0\0\0\0\0\0")}, 0},
		{"125 in two bytes",
		 "fail(1002)",
		 {RAW("\x81\xFE\0\x7D\0\0\0\0" X125)},
		 0},
		{"126 in eight bytes",
		 "fail(1002)",
		 {RAW("\x82\xFF\0\0\0\0\0\0\0\x7E\0\0\0\0" X125 "x")},
		 0},
		{"65535 in eight bytes",
		 "fail(1002)",
		 {RAW("\x82\xFF\0\0\0\0\0\0\xFF\xFF\0\0\0\0xx")},
		 0},
	};

	CHECK_CASES(cases);
}

TEST(a_length_that_no_message_can_have_fails_at_its_header)
{
	static const TestCase cases[] = {
		{"2^63",
		 "fail(1002)",
		 {RAW("\x82\xFF\x80\0\0\0\0\0\0\0\0\0\0\0")},
		 UINT32_MAX},
		{"2^64 - 1",
		 "fail(1002)",
		 {RAW("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0")},
		 UINT32_MAX},
		{"2^63 - 1",
		 "fail(1009)",
		 {RAW("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0")},
		 UINT32_MAX},
		{"2^63 - 1 as a continuation",
		 "fail(1009)",
		 {BINARY_FIRST("abc"),
		  RAW("\x80\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0")},
		 UINT32_MAX},
		{"2^32", "fail(1009)", {RAW("\x82\xFF\0\0\0\1\0\0\0\0\0\0\0\0")}, 0},
	};

	CHECK_CASES(cases);
}

TEST(a_message_of_exactly_max_message_arrives_and_one_byte_more_does_not)
{
	static const TestCase cases[] = {
		{"exactly, in one frame", "text(12345678)", {TEXT("12345678")}, 8},
		{"more, in one frame", "fail(1009)", {TEXT("123456789")}, 8},
		{"exactly, in fragments",
		 "text(12345678)",
		 {TEXT_FIRST("1234"), MORE("567"), LAST("8")},
		 8},
		{"more, in fragments",
		 "fail(1009)",
		 {TEXT_FIRST("1234"), MORE("5678"), LAST("9")},
		 8},
		{"exactly, then empty fragments",
		 "binary(12345678)",
		 {BINARY_FIRST("12345678"), MORE(""), LAST("")},
		 8},
		{"a ping is no part of it",
		 "ping(a ping of more than eight) text(12345678)",
		 {TEXT_FIRST("1234"), PING("a ping of more than eight"), LAST("5678")},
		 8},
		{"a ping may be longer than a message",
		 "ping(123456789)",
		 {PING("123456789")},
		 8},
		{"each message anew",
		 "text(12345678) text(87654321)",
		 {TEXT("12345678"), TEXT("87654321")},
		 8},
	};

	CHECK_CASES(cases);
}

TEST(a_header_that_announces_much_makes_the_reader_keep_nothing)
{
	WsReader reader;
	Bytes	 log = {0};
	uint8_t	 payload[1000] = {0};

	bytes_add(&log, "", 0);
	ws_reader_init(&reader, 1 << 20);
	feed(&reader, (const uint8_t *) "\x82\xFF\0\0\0\0\0\x10\0\0\0\0\0\0", 14,
		 &log);
	CHECK(reader.buffer == NULL);
	feed(&reader, payload, sizeof(payload), &log);
	CHECK(reader.buffer_cap <= 2 * sizeof(payload));
	CHECK_STR((const char *) log.ptr, "");
	ws_reader_fini(&reader);
	CHECK(reader.buffer == NULL);
	free(log.ptr);
}

TEST(a_failure_frees_what_was_gathered_of_the_message)
{
	WsReader reader;
	Bytes	 log = {0};

	ws_reader_init(&reader, DEFAULT_MAX);
	feed(&reader, (const uint8_t *) "\x02\x83\0\0\0\0abc", 9, &log);
	CHECK(reader.buffer != NULL);
	feed(&reader, (const uint8_t *) "\xFF\xFF", 2, &log);
	CHECK_STR((const char *) log.ptr, "fail(1002)");
	CHECK(reader.buffer == NULL);
	ws_reader_fini(&reader);
	free(log.ptr);
}

TEST(a_message_that_arrives_whole_is_handed_out_without_a_copy)
{
	WsReader reader;
	uint8_t	 wire[] = {0x81, 0x83, 1, 2, 3, 4, 'a' ^ 1, 'b' ^ 2, 'c' ^ 3};
	size_t	 used;
	WsEvent	 event;

	ws_reader_init(&reader, DEFAULT_MAX);
	event = ws_read(&reader, wire, sizeof(wire), &used);
	CHECK_INT(event.type, WS_EVENT_MESSAGE);
	CHECK_SLICE(event.data, "abc");
	CHECK(event.data.ptr == (const char *) wire + 6);
	CHECK_INT(used, sizeof(wire));
	CHECK(reader.buffer == NULL);
	ws_reader_fini(&reader);
}

TEST(a_frame_header_uses_the_fewest_bytes)
{
	static const struct
	{
		uint64_t	len;
		size_t		header_len;
		const char *bytes;
	} rows[] = {
		{0, 2, "\x81\x00"},
		{125, 2, "\x81\x7D"},
		{126, 4, "\x81\x7E\x00\x7E"},
		{65535, 4, "\x81\x7E\xFF\xFF"},
		{65536, 10, "\x81\x7F\0\0\0\0\0\1\0\0"},
		{UINT64_C(0x0102030405060708), 10, "\x81\x7F\1\2\3\4\5\6\7\x08"},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		uint8_t out[WS_MAX_HEADER];

		check_at("%llu", (unsigned long long) rows[i].len);
		CHECK_BYTES(out, ws_frame_header(out, WS_TEXT, rows[i].len),
					rows[i].bytes, rows[i].header_len);
	}
}

TEST(a_close_frame_carries_code_and_reason)
{
	uint8_t out[WS_MAX_CONTROL_FRAME];

	CHECK_BYTES(out, ws_close_frame(out, 4410, "revoked"),
				"\x88\x09\x11\x3Arevoked", 11);
	CHECK_BYTES(out, ws_close_frame(out, 1000, NULL), "\x88\x02\x03\xE8", 4);
	CHECK_BYTES(out, ws_close_frame(out, WS_CLOSE_NO_STATUS, "unused"),
				"\x88\x00", 2);
}

TEST(a_close_reason_is_cut_between_characters)
{
	uint8_t out[WS_MAX_CONTROL_FRAME];
	char	reason[200];

	memset(reason, 'r', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	CHECK_INT(ws_close_frame(out, 1000, reason), 2 + 2 + 123);
	CHECK_INT(out[1], 125);

	/* A character of four bytes from 121 to 124 does not fit. */
	memcpy(reason + 121, "\xF0\x9F\x98\x80", 4);
	CHECK_INT(ws_close_frame(out, 1000, reason), 2 + 2 + 121);
	CHECK_INT(out[1], 123);
	CHECK(ws_utf8_valid(out + 4, 121));

	/* One that ends exactly at 123 does. */
	memset(reason, 'r', sizeof(reason) - 1);
	memcpy(reason + 119, "\xF0\x9F\x98\x80", 4);
	CHECK_INT(ws_close_frame(out, 1000, reason), 2 + 2 + 123);
	reason[123] = '\0';
	CHECK_INT(ws_close_frame(out, 1000, reason), 2 + 2 + 123);
}

TEST(a_pong_carries_at_most_125_bytes)
{
	uint8_t out[WS_MAX_CONTROL_FRAME];
	Slice	data = {X125 "xyz", 128};

	CHECK_BYTES(out, ws_control_frame(out, WS_PONG, (Slice){"hi", 2}),
				"\x8A\x02hi", 4);
	CHECK_BYTES(out, ws_control_frame(out, WS_PING, SLICE_NONE), "\x89\x00", 2);
	CHECK_BYTES(out, ws_control_frame(out, WS_PONG, data), "\x8A\x7D" X125,
				127);
}

/* RFC 3629 by decoding, written to share nothing with the codec. */
static bool
utf8_reference(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len;)
	{
		uint32_t			  point = bytes[i];
		size_t				  more = point < 0x80			  ? 0
									 : (point & 0xE0) == 0xC0 ? 1
									 : (point & 0xF0) == 0xE0 ? 2
									 : (point & 0xF8) == 0xF0 ? 3
															  : 9;
		static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};

		if (more == 9 || len - i <= more)
			return false;
		if (more > 0)
			point &= 0x3FU >> more;
		for (size_t k = 1; k <= more; k++)
		{
			if ((bytes[i + k] & 0xC0) != 0x80)
				return false;
			point = point << 6 | (bytes[i + k] & 0x3F);
		}
		if (point < smallest[more] || point > 0x10FFFF ||
			(point >= 0xD800 && point <= 0xDFFF))
			return false;
		i += more + 1;
	}
	return true;
}

TEST(every_sequence_of_up_to_four_bytes_is_judged_as_rfc_3629_decodes_it)
{
	/* Third and fourth bytes: around each boundary that any range has. */
	static const uint8_t edges[] = {0x00, 0x41, 0x7F, 0x80, 0x81, 0x8F,
									0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2,
									0xE0, 0xED, 0xF0, 0xF4, 0xFF};
	uint8_t				 text[12] = "abcdefgh";
	uint8_t				*bytes = text + 8;
	long				 wrong = 0;

	for (unsigned first = 0; first < 256; first++)
	{
		bytes[0] = (uint8_t) first;
		wrong += ws_utf8_valid(bytes, 1) != utf8_reference(bytes, 1);
		for (unsigned second = 0; second < 256; second++)
		{
			bytes[1] = (uint8_t) second;
			wrong += ws_utf8_valid(bytes, 2) != utf8_reference(bytes, 2);
			for (size_t k = 0; k < lengthof(edges) * lengthof(edges); k++)
			{
				bytes[2] = edges[k / lengthof(edges)];
				bytes[3] = edges[k % lengthof(edges)];
				wrong += ws_utf8_valid(bytes, 3) != utf8_reference(bytes, 3);
				wrong += ws_utf8_valid(bytes, 4) != utf8_reference(bytes, 4);
				/* the same behind a word of ASCII */
				wrong += ws_utf8_valid(text, 12) != utf8_reference(text, 12);
			}
		}
	}
	CHECK_INT(wrong, 0);
	CHECK(ws_utf8_valid("", 0));
}

TEST_MAIN()
