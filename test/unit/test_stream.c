/*-------------------------------------------------------------------------
 *
 * test_stream.c
 *	  What a listener remembers of durable groups.
 *
 *-------------------------------------------------------------------------
 */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

static Streams *streams;
static Stream  *stream;

static Position
at(uint64_t seq)
{
	Position position = {.seq = seq};

	snprintf(position.tag, sizeof(position.tag), "%016llx",
			 (unsigned long long) seq * 7919);
	return position;
}

static StreamAppend
append(Stream *to, uint64_t seq)
{
	Position position = at(seq);
	char	 payload[32];

	snprintf(payload, sizeof(payload), "message %llu",
			 (unsigned long long) seq);
	return stream_append(to, &position, FEED_TEXT, slice_of(payload));
}

static Stream *
use(const char *name, uint64_t last)
{
	Stream	*used = streams_use(streams, slice_of(name));
	Position position = at(last);

	if (last == 0)
		position = position_start;
	stream_start_at(used, &position);
	stream_enter(used, STREAM_LIVE);
	return used;
}

static void
begin(size_t max_bytes)
{
	streams = streams_create(max_bytes, NULL);
	stream = use("app_1", 10);
}

static StreamPlace
place(uint64_t seq)
{
	Position position = at(seq);

	return stream_find(stream, &position);
}

TEST(what_follows_a_remembered_message_is_found_in_memory)
{
	begin(1 << 20);
	for (uint64_t seq = 11; seq <= 100; seq++)
		CHECK_INT(append(stream, seq), STREAM_APPENDED);
	CHECK_INT(place(100), STREAM_AT_END);
	CHECK_INT(place(101), STREAM_AHEAD);
	CHECK_INT(place(10), STREAM_BEFORE);
	for (uint64_t seq = 11; seq < 100; seq++)
	{
		const StreamMessage *next = stream_message(stream, seq + 1);

		CHECK_INT(place(seq), STREAM_IN_MEMORY);
		if (CHECK(next != NULL))
			CHECK_INT(next->position.seq, seq + 1);
	}
	CHECK(stream_message(stream, 10) == NULL);
	CHECK(stream_message(stream, 101) == NULL);
	streams_destroy(streams);
}

TEST(a_number_with_another_tag_is_elsewhere)
{
	Position position = at(12);

	begin(1 << 20);
	append(stream, 11);
	append(stream, 12);
	append(stream, 13);
	position.tag[0] = 'f';
	CHECK_INT(stream_find(stream, &position), STREAM_ELSEWHERE);
	position = at(13);
	position.tag[0] = 'f';
	CHECK_INT(stream_find(stream, &position), STREAM_ELSEWHERE);
	streams_destroy(streams);
}

TEST(the_start_is_a_place_while_the_first_message_is_remembered)
{
	begin(1 << 20);
	stream_start_at(stream, &position_start);
	CHECK_INT(stream_find(stream, &position_start), STREAM_AT_END);
	append(stream, 1);
	CHECK_INT(stream_find(stream, &position_start), STREAM_IN_MEMORY);
	stream_start_at(stream, &(Position){5, "5555555555555555"});
	CHECK_INT(stream_find(stream, &position_start), STREAM_BEFORE);
	streams_destroy(streams);
}

TEST(a_message_comes_once_and_in_order)
{
	Position other = at(11);

	begin(1 << 20);
	CHECK_INT(append(stream, 11), STREAM_APPENDED);
	CHECK_INT(append(stream, 12), STREAM_APPENDED);
	CHECK_INT(append(stream, 12), STREAM_HAD);
	CHECK_INT(append(stream, 11), STREAM_HAD);
	CHECK_INT(append(stream, 14), STREAM_BROKEN);
	CHECK_INT(append(stream, 9), STREAM_BROKEN);
	other.tag[0] = 'f';
	CHECK_INT(stream_append(stream, &other, FEED_TEXT, SLICE_NONE),
			  STREAM_BROKEN);
	CHECK_INT(stream->last.seq, 12);
	streams_destroy(streams);
}

TEST(of_all_streams_the_oldest_messages_go_first)
{
	Stream *other;
	size_t	each;

	begin(1 << 20);
	append(stream, 11);
	each = streams_bytes(streams);
	streams_set_max_bytes(streams, 4 * each);
	other = use("app_2", 10);
	append(other, 11);
	append(stream, 12);
	append(other, 12);
	CHECK(stream_message(stream, 11) != NULL);
	append(other, 13);
	CHECK(stream_message(stream, 11) == NULL);
	CHECK(stream_message(stream, 12) != NULL);
	append(other, 14);
	CHECK(stream_message(other, 11) == NULL);
	CHECK(streams_bytes(streams) <= 4 * each);
	CHECK_INT(stream->last.seq, 12);
	streams_destroy(streams);
}

TEST(a_message_larger_than_all_memory_is_still_the_last_one)
{
	begin(10);
	CHECK_INT(append(stream, 11), STREAM_APPENDED);
	CHECK_INT(stream->last.seq, 11);
	CHECK_INT(streams_bytes(streams), 0);
	CHECK_INT(append(stream, 12), STREAM_APPENDED);
	CHECK_INT(place(12), STREAM_AT_END);
	streams_destroy(streams);
}

TEST(a_stream_outlives_its_users_as_long_as_it_remembers_anything)
{
	begin(1 << 20);
	append(stream, 11);
	stream_unuse(stream);
	CHECK(streams_find(streams, slice_of("app_1")) == stream);
	append(stream, 12);
	streams_set_max_bytes(streams, 0);
	CHECK(streams_find(streams, slice_of("app_1")) == NULL);

	stream = use("app_2", 1);
	stream_unuse(stream);
	CHECK(streams_find(streams, slice_of("app_2")) == NULL);
	streams_destroy(streams);
}

static int doubted;

static void
count(Stream *one)
{
	(void) one;
	doubted++;
}

TEST(after_a_gap_streams_in_use_are_stale_and_others_forgotten)
{
	Stream *other;

	begin(1 << 20);
	append(stream, 11);
	other = use("app_2", 10);
	append(other, 11);
	stream_unuse(other);
	doubted = 0;
	streams_doubt_all(streams, count);
	CHECK_INT(doubted, 2);
	CHECK(streams_find(streams, slice_of("app_2")) == NULL);
	CHECK(streams_next_stale(streams) == stream);
	CHECK_INT(stream->state, STREAM_STALE);
	stream_enter(stream, STREAM_LOADING);
	CHECK(streams_next_stale(streams) == NULL);
	streams_destroy(streams);
}

TEST(what_came_while_loading_is_handed_back_in_order)
{
	Position first = at(11);
	Position second = at(12);

	begin(1 << 20);
	stream_enter(stream, STREAM_LOADING);
	CHECK(stream_put_aside(stream, &first, FEED_TEXT, slice_of("a")));
	CHECK(stream_put_aside(stream, &second, FEED_JSON, slice_of("b")));
	for (uint64_t seq = 11; seq <= 12; seq++)
	{
		StreamMessage *message = stream_take_aside(stream);

		if (CHECK(message != NULL))
			CHECK_INT(message->position.seq, seq);
		free(message);
	}
	CHECK(stream_take_aside(stream) == NULL);
	CHECK(stream_put_aside(stream, &first, FEED_TEXT, slice_of("a")));
	stream_enter(stream, STREAM_STALE); /* and is forgotten */
	CHECK(stream_take_aside(stream) == NULL);
	streams_destroy(streams);
}

TEST_MAIN()
