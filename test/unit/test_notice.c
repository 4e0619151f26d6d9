/* What the extension says on the shared channel, and what nobody should. */
#include "check.h"
#include "notice.h"

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

TEST(a_message_names_its_groups_and_keeps_every_byte_of_its_payload)
{
	Notice notice;
	Slice  groups;
	Slice  group;

	if (!CHECK(notice_parse(&notice,
							slice("m 00ff j app_1,app_2 {\"a\":  1}\n x "))))
		return;
	CHECK_INT(notice.kind, NOTICE_MESSAGE);
	CHECK_INT(notice.type, NOTICE_JSON);
	CHECK_SLICE(notice.id, "00ff");
	CHECK_SLICE(notice.payload, "{\"a\":  1}\n x ");
	groups = notice.groups;
	CHECK(notice_next_group(&groups, &group));
	CHECK_SLICE(group, "app_1");
	CHECK(notice_next_group(&groups, &group));
	CHECK_SLICE(group, "app_2");
	CHECK(!notice_next_group(&groups, &group));
}

TEST(a_message_may_be_empty_and_may_begin_with_spaces)
{
	Notice notice;

	CHECK(notice_parse(&notice, slice("m 1 t a ")));
	CHECK_INT(notice.payload.len, 0);
	CHECK(notice_parse(&notice, slice("m 1 t a   b")));
	CHECK_SLICE(notice.payload, "  b");
}

TEST(every_kind_of_notice_is_understood)
{
	static const struct
	{
		const char *line;
		NoticeKind	kind;
		const char *key;
	} rows[] = {
		{"r 1 c 00ab", NOTICE_REVOKE_CREDENTIAL, "00ab"},
		{"r 1 u 42", NOTICE_REVOKE_USER, "42"},
		{"r 1 u a user with spaces", NOTICE_REVOKE_USER, "a user with spaces"},
		{"r 1 k token", NOTICE_REVOKE_KIND, "token"},
		{"p 1 app", NOTICE_POLICY, "app"},
		{"e 1 00ab", NOTICE_ENDS_SOONER, "00ab"},
		{"q 1 g app_7", NOTICE_RECHECK_GROUP, "app_7"},
		{"q 1 u a b", NOTICE_RECHECK_USER, "a b"},
		{"s 1 j app_7 {}", NOTICE_JOINED, "app_7"},
		{"s 1 l app_7 {}", NOTICE_LEFT, "app_7"},
		{"? some nonce", NOTICE_CANARY, "some nonce"},
		{"k 1 app_7 a b", NOTICE_KICK, "app_7"},
	};
	Notice notice;

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i].line);
		CHECK(notice_parse(&notice, slice(rows[i].line)));
		CHECK_INT(notice.kind, rows[i].kind);
		CHECK_SLICE(notice.key, rows[i].key);
	}
	CHECK_SLICE(notice.user_id, "a b");
	CHECK(notice_parse(&notice, slice("r 1 a")));
	CHECK_INT(notice.kind, NOTICE_REVOKE_ALL);
	CHECK(notice_parse(&notice, slice("s 1 j app_7 {\"user\": \"4 2\"}")));
	CHECK_SLICE(notice.payload, "{\"user\": \"4 2\"}");
}

TEST(a_line_that_is_not_exactly_of_one_form_is_refused)
{
	static const char *const rows[] = {
		"",
		"m",
		"m ",
		"?",
		"? ",
		"x 1 t a b",
		"m1 t a b",
		"m  1 t a b",
		"m 1 t a",	 /* no space before the payload */
		"m 1 x a b", /* type */
		"m 1 tt a b",
		"m 1 t  b", /* no group */
		"m 1 t a,,b c",
		"m 1 t ,a b",
		"m 1 t a, b",
		"m 1 t a/b c",
		"m 123456789012345678901234567890123 t a b", /* id of 33 */
		"c 1 0 2 t a b",							 /* parts count from 1 */
		"c 1 3 2 t - b",
		"c 1 01 2 t a b",
		"c 1 -1 2 t a b",
		"c 1 1 99999999999 t a b",
		"c 1 1 65537 t a b",
		"c 1 1 2 t a ",	 /* a part is not empty */
		"c 1 2 2 t a b", /* only the first names groups */
		"r 1",
		"r 1 a ",
		"r 1 u",
		"r 1 u ",
		"r 1 x y",
		"r 1 uu y",
		"k 1 app_1",
		"k 1 app_1 ",
		"k 1 app/1 u",
		"q 1 g app/1",
		"q 1 g ",
		"q 1 u ",
		"q 1 x y",
		"q 1",
		"s 1 j app_7",
		"s 1 j app_7 ",
		"s 1 x app_7 {}",
		"s 1 j app/7 {}",
		"p 1 ",
		"e 1 ",
		"e 1",
		"p 1 a b",
		"p 1",
	};
	Notice notice;

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("\"%s\"", rows[i]);
		CHECK(!notice_parse(&notice, slice(rows[i])));
	}
	CHECK(!notice_parse(&notice, SLICE_NONE));
}

TEST(a_group_has_1_to_99_letters_digits_dots_dashes_underscores)
{
	char name[101];

	memset(name, 'a', sizeof(name));
	CHECK(notice_is_group((Slice){name, 99}));
	CHECK(!notice_is_group((Slice){name, 100}));
	CHECK(!notice_is_group((Slice){name, 0}));
	CHECK(!notice_is_group(SLICE_NONE));
	CHECK(notice_is_group(slice("Az09._-")));
	for (int c = 0; c < 256; c++)
	{
		char one = (char) c;
		bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
					(c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';

		check_at("byte %d", c);
		CHECK_INT(notice_is_group((Slice){&one, 1}), fine);
	}
}

/* RFC 4648 section 10. */
TEST(base64_is_decoded_as_in_rfc_4648)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"},
	};
	char   out[16];
	size_t len;

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i][0]);
		CHECK(notice_decode_base64(out, &len, slice(rows[i][0])));
		CHECK_BYTES(out, len, rows[i][1], strlen(rows[i][1]));
	}
	CHECK(notice_decode_base64(out, &len, slice("AP/+/w==")));
	CHECK_BYTES(out, len, "\x00\xff\xfe\xff", 4);
}

TEST(base64_can_be_decoded_in_place)
{
	char   text[] = "Zm9vYmFyZm9vYmFy";
	size_t len;

	CHECK(notice_decode_base64(text, &len, slice(text)));
	CHECK_BYTES(text, len, "foobarfoobar", 12);
}

TEST(base64_that_is_not_canonical_is_refused)
{
	static const char *const rows[] = {
		"Zg",	 "Zg=",	 "Zg=a", "Z===", "====", "Zm9vYg=", "Zg==Zg==", "Zm 9",
		"Zm9\n", "Zm9-", "Zm9_", "Zh==", "Zm9=", "=Zm9",	"Zm\xff=",
	};
	char   out[16];
	size_t len;

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i]);
		CHECK(!notice_decode_base64(out, &len, slice(rows[i])));
		CHECK_INT(len, 0);
	}
}

static NoticeAssemblyStatus
add(NoticeAssembly *assembly, const char *line)
{
	Notice notice;

	if (!CHECK(notice_parse(&notice, slice(line))))
		return NOTICE_ASSEMBLY_NO_MEMORY;
	return notice_assembly_add(assembly, &notice);
}

TEST(chunks_make_one_message_for_the_groups_of_the_first)
{
	NoticeAssembly assembly = {0};
	Notice		   notice;
	char		  *bytes;

	CHECK_INT(add(&assembly, "c 1f 1 3 t -,app_2 one "), NOTICE_ASSEMBLY_MORE);
	CHECK(notice_assembly_is_open(&assembly));
	CHECK_INT(add(&assembly, "c 1f 2 3 t - two "), NOTICE_ASSEMBLY_MORE);
	CHECK_INT(add(&assembly, "c 1f 3 3 t - three"), NOTICE_ASSEMBLY_COMPLETE);
	bytes = notice_assembly_take(&assembly, &notice);
	CHECK_INT(notice.kind, NOTICE_MESSAGE);
	CHECK_INT(notice.type, NOTICE_TEXT);
	CHECK_SLICE(notice.groups, "-,app_2");
	CHECK_SLICE(notice.payload, "one two three");
	CHECK(!notice_assembly_is_open(&assembly));
	free(bytes);
}

TEST(a_chunk_that_does_not_follow_breaks_the_message)
{
	static const char *const rows[] = {
		"c 1 3 3 t - x", /* one is missing */
		"c 2 2 3 t - x", /* another message's */
		"c 1 2 4 t - x", /* another count */
		"c 1 2 3 j - x", /* another type */
	};
	NoticeAssembly assembly = {0};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i]);
		CHECK_INT(add(&assembly, "c 1 1 3 t a x"), NOTICE_ASSEMBLY_MORE);
		CHECK_INT(add(&assembly, rows[i]), NOTICE_ASSEMBLY_BROKEN);
		CHECK(!notice_assembly_is_open(&assembly));
		CHECK_INT(add(&assembly, "c 1 2 3 t - x"), NOTICE_ASSEMBLY_BROKEN);
	}
}

TEST(a_message_of_more_than_64_megabytes_is_refused_and_its_memory_freed)
{
	static char			 line[1 << 20];
	NoticeAssembly		 assembly = {0};
	NoticeAssemblyStatus status = NOTICE_ASSEMBLY_MORE;
	uint32_t			 part = 1;
	Notice				 notice;

	for (; part <= 100 && status == NOTICE_ASSEMBLY_MORE; part++)
	{
		int used = snprintf(line, sizeof(line), "c 1 %u 100 t %s ", part,
							part == 1 ? "a" : "-");

		memset(line + used, 'x', sizeof(line) - (size_t) used);
		if (!CHECK(notice_parse(&notice, (Slice){line, sizeof(line)})))
			break;
		status = notice_assembly_add(&assembly, &notice);
	}
	CHECK_INT(status, NOTICE_ASSEMBLY_TOO_LARGE);
	CHECK(part > 64 && part < 68);
	CHECK(!notice_assembly_is_open(&assembly));
}

TEST_MAIN()
