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
		"A",	  "AAAAA", "Zg==",	  "Zm8=",		"Z",	 "Zm9vY",
		"Zm9+",	  "Zm9/",  "Zm 9",	  "Zm9\n",		" Zm9v", "Zh",
		"Zm9vYh", "Zm9",   "Zm9vYmF", "Zm\xc3\xa9",
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

/* What CPython 3.11 says: base64.b64decode(text) and Django 3.2's
 * signing.b64_decode(text); NULL where it raises binascii.Error. */
static const struct
{
	const char *text;
	const char *standard;
	const char *url_safe;
} lenient[] = {
	{"", "", ""},
	{"Zm9vYmFy", "foobar", "foobar"},
	{"Zg==", "f", "f"},
	{"Zm8=", "fo", "fo"},
	{"Zg", NULL, "f"},
	{"Zm8", NULL, "fo"},
	{"Z", NULL, NULL},
	{"abcde", NULL, NULL},
	{"Zh==", "f", "f"},
	{"Zm9=", "fo", "fo"},
	{"Zm 9\nv", "foo", "foo"},
	{"Zm9v!YmFy\xc3\xa9", "foobar", "foobar"},
	{"+/+/", "\xfb\xff\xbf", "\xfb\xff\xbf"},
	{"-_-_", "", "\xfb\xff\xbf"},
	{"-_Zm9v", "foo", "\xfb\xf6\x66\xf6"},
	{"=Zm9v", "foo", "foo"},
	{"Z=m9v", "foo", "foo"},
	{"Zm=9v", "foo", "foo"},
	{"Zm9=v", "fo", "fo"},
	{"Zg==Zg==", "f", "f"},
	{"Zm8=Zm8=", "fo", "fo"},
	{"Zg=!=", "f", "f"},
	{"Zg=o=", "f\n", "f\n"},
	{"Zg=!", NULL, NULL},
	{"Zg!", NULL, NULL},
	{"Zg!!", NULL, NULL},
	{"Zg=", NULL, "f"},
	{"====", "", ""},
};

TEST(the_lenient_form_is_what_python_and_django_read)
{
	for (size_t i = 0; i < sizeof(lenient) / sizeof(lenient[0]); i++)
	{
		const char *const expected[] = {lenient[i].standard,
										lenient[i].url_safe};

		for (int alphabet = 0; alphabet < 2; alphabet++)
		{
			size_t	 in_len = strlen(lenient[i].text);
			char	*in = malloc(in_len + 1);
			size_t	 max = BASE64URL_DECODED_MAX(in_len);
			uint8_t *out = malloc(max + 1);
			size_t	 len = 0;
			bool	 ok;

			check_at("text \"%s\" %s", lenient[i].text,
					 alphabet == BASE64_STANDARD ? "standard" : "URL-safe");
			memcpy(in, lenient[i].text, in_len);
			ok = base64_decode_lenient((Base64Alphabet) alphabet, in, in_len,
									   out, &len);
			CHECK_INT(ok, expected[alphabet] != NULL);
			if (ok && expected[alphabet] != NULL)
				CHECK_BYTES(out, len, expected[alphabet],
							strlen(expected[alphabet]));
			free(out);
			free(in);
		}
	}
}

TEST(the_lenient_form_reads_all_that_is_written)
{
	for (size_t len = 0; len <= 256; len++)
	{
		uint8_t in[256];
		uint8_t out[256];
		char	text[BASE64URL_ENCODED_LEN(256)];
		size_t	text_len;
		size_t	out_len;

		for (size_t i = 0; i < len; i++)
			in[i] = (uint8_t) (255 - i * 37);
		text_len = base64url_encode(in, len, text);
		check_at("%zu bytes", len);
		if (!CHECK(base64_decode_lenient(BASE64_URL_SAFE, text, text_len, out,
										 &out_len)) ||
			!CHECK_BYTES(out, out_len, in, len))
			return;
	}
}

TEST_MAIN()
