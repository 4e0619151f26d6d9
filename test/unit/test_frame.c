/* Frames: growing, sharing, and the last owner frees (LeakSanitizer looks). */
#include "check.h"
#include "starve.h"
#include "frame.h"

TEST(a_new_frame_is_empty_and_has_one_owner)
{
	Frame *frame = frame_create(0);

	if (!CHECK(frame != NULL))
		return;
	CHECK_INT(frame->refs, 1);
	CHECK_INT(frame->len, 0);
	CHECK_INT(frame->count, 0);
	frame_release(frame);
}

TEST(bytes_appended_in_pieces_come_out_whole_and_in_order)
{
	Frame  *frame = frame_create(3);
	uint8_t expected[5000];
	size_t	len = 0;

	for (size_t i = 0; i < sizeof(expected); i++)
		expected[i] = (uint8_t) (i * 7);
	for (size_t piece = 0; len + piece <= sizeof(expected); piece++)
	{
		if (!CHECK(frame_append(&frame, expected + len, piece)))
			break;
		len += piece;
	}
	CHECK(len > 4900);
	CHECK_BYTES(frame->data, frame->len, expected, len);
	CHECK(frame->cap >= frame->len);
	frame_release(frame);
}

TEST(appending_within_the_capacity_does_not_move_a_frame)
{
	Frame *frame = frame_create(8);
	Frame *before = frame;

	CHECK(frame_append(&frame, "12345678", 8));
	CHECK(frame == before);
	CHECK_INT(frame->cap, 8);
	frame_release(frame);
}

TEST(appending_byte_by_byte_allocates_only_now_and_then)
{
	Frame *frame = frame_create(0);
	int	   grown = 0;

	for (int i = 0; i < 100000; i++)
	{
		uint32_t cap = frame->cap;

		if (!CHECK(frame_append(&frame, "x", 1)))
			break;
		grown += frame->cap != cap;
	}
	CHECK_INT(frame->len, 100000);
	CHECK(grown <= 12);
	frame_release(frame);
}

TEST(appending_nothing_is_fine_even_without_a_pointer)
{
	Frame *frame = frame_create(0);

	CHECK(frame_append(&frame, NULL, 0));
	CHECK_INT(frame->len, 0);
	frame_release(frame);
}

TEST(a_frame_lives_until_its_last_owner_releases_it)
{
	Frame *frame = frame_create(4);

	CHECK(frame_append(&frame, "abcd", 4));
	CHECK(frame_retain(frame) == frame);
	CHECK_INT(frame->refs, 2);
	frame_release(frame);
	CHECK_INT(frame->refs, 1);
	CHECK_BYTES(frame->data, frame->len, "abcd", 4);
	frame_release(frame);
}

TEST(releasing_no_frame_does_nothing)
{
	frame_release(NULL);
	CHECK(true);
}

TEST(a_frame_beyond_two_gigabytes_is_refused_and_unchanged)
{
	Frame *frame = frame_create(1);
	Frame *before = frame;

	CHECK(frame_create(((size_t) 1 << 31) + 1) == NULL);
	CHECK(frame_append(&frame, "a", 1));
	/* The length alone decides: the byte behind "b" is never looked at. */
	CHECK(!frame_append(&frame, "b", (size_t) 1 << 31));
	CHECK(!frame_append(&frame, "b", SIZE_MAX));
	CHECK(frame == before);
	CHECK_BYTES(frame->data, frame->len, "a", 1);
	frame_release(frame);
}

TEST(out_of_memory_leaves_a_frame_unchanged)
{
	Frame *frame = frame_create(1);
	Frame *before = frame;

	CHECK(frame_append(&frame, "a", 1));
	starve_after = 0;
	CHECK(!frame_append(&frame, "b", 1));
	CHECK(frame_create(1) == NULL);
	starve_after = -1;
	CHECK(frame == before);
	CHECK_BYTES(frame->data, frame->len, "a", 1);
	CHECK(frame_append(&frame, "b", 1));
	CHECK_BYTES(frame->data, frame->len, "ab", 2);
	frame_release(frame);
}

TEST_MAIN()
