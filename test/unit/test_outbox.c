/* Outboxes: order, bounds, and who owns what is queued. */
#include "check.h"
#include "starve.h"
#include "outbox.h"

static Frame *
frame_of(const char *text)
{
	Frame *frame = frame_create(strlen(text));

	if (frame == NULL || !frame_append(&frame, text, strlen(text)))
		abort();
	return frame;
}

/* Push text and keep no reference of our own. */
static OutboxStatus
push(Outbox *outbox, const char *text, size_t offset, size_t max_bytes,
	 uint64_t now_ms)
{
	Frame		*frame = frame_of(text);
	OutboxStatus status = outbox_push(outbox, frame, offset, max_bytes, now_ms);

	frame_release(frame);
	return status;
}

TEST(a_zeroed_outbox_is_empty_and_has_nothing_in_front)
{
	Outbox outbox = {0};

	CHECK(outbox_is_empty(&outbox));
	CHECK_INT(outbox_front(&outbox).len, 0);
	outbox_consume(&outbox, 0);
	outbox_clear(&outbox);
	CHECK_INT(outbox.bytes, 0);
}

TEST(frames_come_out_in_the_order_they_were_pushed)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "first", 0, 100, 1), OUTBOX_OK);
	CHECK_INT(push(&outbox, "second", 0, 100, 2), OUTBOX_OK);
	CHECK_INT(push(&outbox, "third", 0, 100, 3), OUTBOX_OK);
	CHECK_INT(outbox.bytes, 16);
	CHECK_SLICE(outbox_front(&outbox), "first");
	outbox_consume(&outbox, 5);
	CHECK_SLICE(outbox_front(&outbox), "second");
	outbox_consume(&outbox, 6);
	CHECK_SLICE(outbox_front(&outbox), "third");
	outbox_consume(&outbox, 5);
	CHECK(outbox_is_empty(&outbox));
	CHECK_INT(outbox.bytes, 0);
}

TEST(a_socket_that_takes_a_part_is_offered_the_rest)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "abcdef", 0, 100, 1), OUTBOX_OK);
	outbox_consume(&outbox, 2);
	CHECK_SLICE(outbox_front(&outbox), "cdef");
	CHECK_INT(outbox.bytes, 4);
	outbox_consume(&outbox, 3);
	CHECK_SLICE(outbox_front(&outbox), "f");
	outbox_consume(&outbox, 1);
	CHECK(outbox_is_empty(&outbox));
}

TEST(what_was_written_directly_is_not_queued_again)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "abcdef", 4, 100, 1), OUTBOX_OK);
	CHECK_SLICE(outbox_front(&outbox), "ef");
	CHECK_INT(push(&outbox, "ghijkl", 1, 100, 1), OUTBOX_OK);
	CHECK_INT(outbox.bytes, 7);
	outbox_consume(&outbox, 2);
	CHECK_SLICE(outbox_front(&outbox), "hijkl");
	outbox_clear(&outbox);
}

TEST(a_frame_that_was_written_whole_is_not_queued_at_all)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "abc", 3, 100, 1), OUTBOX_OK);
	CHECK(outbox_is_empty(&outbox));
	CHECK_INT(push(&outbox, "", 0, 100, 1), OUTBOX_OK);
	CHECK(outbox_is_empty(&outbox));
}

TEST(a_push_that_would_pass_the_bound_is_refused_and_changes_nothing)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "12345", 0, 10, 1), OUTBOX_OK);
	CHECK_INT(push(&outbox, "123456", 0, 10, 1), OUTBOX_FULL);
	CHECK_INT(outbox.bytes, 5);
	CHECK_INT(push(&outbox, "12345", 0, 10, 1), OUTBOX_OK);
	CHECK_INT(push(&outbox, "1", 0, 10, 1), OUTBOX_FULL);
	CHECK_INT(outbox.bytes, 10);
	outbox_clear(&outbox);
}

TEST(room_comes_back_as_the_socket_takes_bytes)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "1234567890", 0, 10, 1), OUTBOX_OK);
	CHECK_INT(push(&outbox, "abc", 0, 10, 1), OUTBOX_FULL);
	outbox_consume(&outbox, 3);
	CHECK_INT(push(&outbox, "abc", 0, 10, 1), OUTBOX_OK);
	CHECK_INT(outbox.bytes, 10);
	outbox_clear(&outbox);
}

TEST(one_message_above_the_bound_is_taken_when_nothing_waits)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "much too long", 0, 4, 1), OUTBOX_OK);
	CHECK_INT(outbox.bytes, 13);
	CHECK_INT(push(&outbox, "x", 0, 4, 1), OUTBOX_FULL);
	outbox_clear(&outbox);
}

TEST(a_bound_lowered_by_a_reload_refuses_instead_of_overflowing)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "1234567890", 0, 100, 1), OUTBOX_OK);
	CHECK_INT(push(&outbox, "x", 0, 5, 1), OUTBOX_FULL);
	outbox_clear(&outbox);
}

TEST(the_age_is_that_of_the_oldest_unfinished_frame)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "ab", 0, 100, 1000), OUTBOX_OK);
	CHECK_INT(push(&outbox, "cd", 0, 100, 2000), OUTBOX_OK);
	CHECK_INT(outbox_oldest_ms(&outbox), 1000);
	outbox_consume(&outbox, 1);
	CHECK_INT(outbox_oldest_ms(&outbox), 1000);
	outbox_consume(&outbox, 1);
	CHECK_INT(outbox_oldest_ms(&outbox), 2000);
	outbox_clear(&outbox);
}

TEST(peers_share_one_frame_and_each_releases_its_own_reference)
{
	Outbox outbox[3] = {{0}};
	Frame *frame = frame_of("shared");

	for (int i = 0; i < 3; i++)
		CHECK_INT(outbox_push(&outbox[i], frame, 0, 100, 1), OUTBOX_OK);
	CHECK_INT(frame->refs, 4);
	CHECK(outbox_front(&outbox[0]).ptr == outbox_front(&outbox[2]).ptr);
	outbox_consume(&outbox[0], 6);
	CHECK_INT(frame->refs, 3);
	outbox_clear(&outbox[1]);
	CHECK_INT(frame->refs, 2);
	frame_release(frame);
	CHECK_SLICE(outbox_front(&outbox[2]), "shared");
	outbox_clear(&outbox[2]);
}

TEST(a_refused_frame_is_not_held)
{
	Outbox outbox = {0};
	Frame *frame = frame_of("abc");

	CHECK_INT(push(&outbox, "123", 0, 3, 1), OUTBOX_OK);
	CHECK_INT(outbox_push(&outbox, frame, 0, 3, 1), OUTBOX_FULL);
	CHECK_INT(frame->refs, 1);
	starve_after = 0;
	CHECK_INT(outbox_push(&outbox, frame, 0, 100, 1), OUTBOX_NO_MEMORY);
	starve_after = -1;
	CHECK_INT(frame->refs, 1);
	CHECK_INT(outbox.bytes, 3);
	frame_release(frame);
	outbox_clear(&outbox);
}

TEST(a_cleared_outbox_can_be_used_again)
{
	Outbox outbox = {0};

	CHECK_INT(push(&outbox, "abcdef", 3, 100, 1), OUTBOX_OK);
	outbox_clear(&outbox);
	CHECK(outbox_is_empty(&outbox));
	CHECK_INT(outbox.bytes, 0);
	CHECK_INT(push(&outbox, "new", 0, 100, 7), OUTBOX_OK);
	CHECK_SLICE(outbox_front(&outbox), "new");
	CHECK_INT(outbox_oldest_ms(&outbox), 7);
	outbox_clear(&outbox);
}

TEST_MAIN()
