/*-------------------------------------------------------------------------
 *
 * test_base64url.c
 *	  Base64url against RFC 4648 and against itself.
 *
 *-------------------------------------------------------------------------
 */
#include "base64url.h"
#include "check.h"

/* RFC 4648 section 10, padding removed; the last two use both odd digits. */
static const struct
{
	const char *bytes;
	size_t		len;
	const char *text;
} vectors[] = {
	{"", 0, ""},
	{"f", 1, "Zg"},
	{"fo", 2, "Zm8"},
	{"foo", 3, "Zm9v"},
	{"foob", 4, "Zm9vYg"},
	{"fooba", 5, "Zm9vYmE"},
	{"foobar", 6, "Zm9vYmFy"},
	{"\xfb\xff\xbf", 3, "-_-_"},
	{"\x00\x00\x00", 3, "AAAA"},
};

TEST(the_vectors_of_rfc_4648_come_out_without_padding)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
	{
		char   text[16];
		size_t len;

		check_at("vector %zu", i);
		len = base64url_encode((const uint8_t *) vectors[i].bytes,
							   vectors[i].len, text);
		CHECK_BYTES(text, len, vectors[i].text, strlen(vectors[i].text));
		CHECK_INT(len, BASE64URL_ENCODED_LEN(vectors[i].len));
	}
}

TEST(the_vectors_of_rfc_4648_are_read_back)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
	{
		uint8_t bytes[16];
		size_t	len = 99;

		check_at("vector %zu", i);
		CHECK(base64url_decode(vectors[i].text, strlen(vectors[i].text), bytes,
							   &len));
		CHECK_BYTES(bytes, len, vectors[i].bytes, vectors[i].len);
	}
}

TEST(every_byte_string_of_up_to_two_bytes_has_one_text_of_its_own)
{
	for (unsigned value = 0; value < 65536; value++)
	{
		uint8_t in[2] = {(uint8_t) (value >> 8), (uint8_t) value};
		uint8_t out[2];
		char	text[3];
		size_t	len;

		if (!CHECK_INT(base64url_encode(in, 2, text), 3) ||
			!CHECK(base64url_decode(text, 3, out, &len)) ||
			!CHECK_BYTES(out, len, in, 2))
			return;
	}
}

TEST(of_all_two_character_texts_exactly_256_are_accepted)
{
	int accepted = 0;

	for (unsigned value = 0; value < 65536; value++)
	{
		char	text[2] = {(char) (value >> 8), (char) value};
		uint8_t out[2];
		size_t	len;

		if (base64url_decode(text, 2, out, &len))
			accepted++;
	}
	CHECK_INT(accepted, 256);
}

TEST(nothing_but_the_strict_form_is_accepted)
{
	static const char *const refused[] = {
		"Zg==",	 "Zm8=",  "Z",	"Zm9vY",  "Zm9+", "Zm9/",	 "Zm 9",
		"Zm9\n", " Zm9v", "Zh", "Zm9vYh", "Zm9",  "Zm9vYmF", "Zm\xc3\xa9",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		uint8_t bytes[16];
		size_t	len;

		check_at("text \"%s\"", refused[i]);
		CHECK(!base64url_decode(refused[i], strlen(refused[i]), bytes, &len));
	}
}

TEST(a_nul_inside_is_a_foreign_character)
{
	uint8_t bytes[16];
	size_t	len;

	CHECK(!base64url_decode("Zm\0v", 4, bytes, &len));
}

TEST_MAIN()
