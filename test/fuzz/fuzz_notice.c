/*-------------------------------------------------------------------------
 *
 * fuzz_notice.c
 *	  Properties of what is read from the shared channel.
 *
 * Whatever a notice points to lies within its line; its groups are valid names,
 * in order, and joined with commas they are the list again; a revocation names
 * something.  Chunks make a message of exactly their bytes.  Base64 that is
 * decoded, in place or not, has one encoding only: the one it came from.
 *
 * Input: lines, a newline between each two, as one stream of notices.
 *
 *-------------------------------------------------------------------------
 */
#include "notice.h"

#include "fuzz.h"

static void
check_within(Slice part, Slice line)
{
	if (part.ptr == NULL)
		MUST(part.len == 0);
	else
		MUST(lies_within(part, line.ptr, line.len));
}

static void
check_groups(Slice groups)
{
	Slice  rest = groups;
	Slice  group;
	size_t seen = 0;

	while (notice_next_group(&rest, &group))
	{
		MUST(notice_is_group(group));
		MUST(group.ptr == groups.ptr + seen);
		seen += group.len + 1;
	}
	MUST(seen == groups.len + 1);
}

static char
encode_one(unsigned bits)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
								   "abcdefghijklmnopqrstuvwxyz0123456789+/";

	return alphabet[bits & 63];
}

/* The one base64 of these bytes must be text. */
static void
check_encodes_to(const uint8_t *bytes, size_t len, Slice text)
{
	MUST(text.len == (len + 2) / 3 * 4);
	for (size_t i = 0; i < text.len; i++)
	{
		size_t	 at = i / 4 * 3;
		unsigned bits = 0;
		char	 c;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (at + j < len ? bytes[at + j] : 0u);
		c = encode_one(bits >> (18 - 6 * (i % 4)));
		if (i % 4 > 1 && at + i % 4 - 1 >= len)
			c = '=';
		MUST(text.ptr[i] == c);
	}
}

static void
check_base64(Slice text)
{
	uint8_t *out = malloc(text.len / 4 * 3 + 1);
	char	*copy = exact_copy(text.ptr, text.len);
	size_t	 len;
	size_t	 copy_len;

	MUST(out != NULL);
	if (notice_decode_base64(out, &len, text))
	{
		check_encodes_to(out, len, text);
		MUST(notice_decode_base64(copy, &copy_len, (Slice){copy, text.len}));
		MUST(copy_len == len && memcmp(copy, out, len) == 0);
	}
	else
		MUST(len == 0);
	free(copy);
	free(out);
}

/* Follow the assembly with the two numbers that say what it must hold. */
static void
check_chunk(NoticeAssembly *assembly, const Notice *chunk, size_t *expected)
{
	Notice whole;
	char  *bytes;

	switch (notice_assembly_add(assembly, chunk))
	{
		case NOTICE_ASSEMBLY_MORE:
			MUST(chunk->part < chunk->parts);
			*expected = (chunk->part == 1 ? 0 : *expected) + chunk->payload.len;
			MUST(notice_assembly_is_open(assembly));
			return;
		case NOTICE_ASSEMBLY_COMPLETE:
			MUST(chunk->part == chunk->parts);
			*expected = (chunk->part == 1 ? 0 : *expected) + chunk->payload.len;
			bytes = notice_assembly_take(assembly, &whole);
			MUST(whole.kind == NOTICE_MESSAGE);
			MUST(whole.payload.len == *expected);
			check_groups(whole.groups);
			free(bytes);
			break;
		case NOTICE_ASSEMBLY_BROKEN: MUST(chunk->part > 1); break;
		case NOTICE_ASSEMBLY_TOO_LARGE:
		case NOTICE_ASSEMBLY_NO_MEMORY: MUST(false); break;
	}
	MUST(!notice_assembly_is_open(assembly));
}

static void
check_line(NoticeAssembly *assembly, Slice line, size_t *expected)
{
	Notice notice;

	if (!notice_parse(&notice, line))
		return;
	check_within(notice.id, line);
	check_within(notice.groups, line);
	check_within(notice.payload, line);
	check_within(notice.key, line);
	check_within(notice.user_id, line);

	switch (notice.kind)
	{
		case NOTICE_MESSAGE:
			check_groups(notice.groups);
			if (notice.type == NOTICE_BASE64)
				check_base64(notice.payload);
			return;
		case NOTICE_CHUNK:
			MUST(notice.part >= 1 && notice.part <= notice.parts);
			MUST(notice.payload.len > 0);
			MUST((notice.part == 1) == (notice.groups.ptr != NULL));
			check_chunk(assembly, &notice, expected);
			return;
		case NOTICE_REVOKE_CREDENTIAL:
		case NOTICE_REVOKE_USER:
		case NOTICE_REVOKE_KIND:
		case NOTICE_ENDS_SOONER:
		case NOTICE_RECHECK_USER:
		case NOTICE_CANARY: MUST(notice.key.len > 0); return;
		case NOTICE_REVOKE_ALL: MUST(notice.key.ptr == NULL); return;
		case NOTICE_KICK:
			MUST(notice_is_group(notice.key) && notice.user_id.len > 0);
			return;
		case NOTICE_JOINED:
		case NOTICE_LEFT:
			MUST(notice_is_group(notice.key) && notice.payload.len > 0);
			return;
		case NOTICE_DURABLE:
			MUST(notice_is_group(notice.groups));
			MUST(strlen(notice.position.tag) == POSITION_TAG_LEN);
			if (notice.type == NOTICE_BASE64)
				check_base64(notice.payload);
			return;
		case NOTICE_HEAD:
			MUST(strlen(notice.position.tag) == POSITION_TAG_LEN);
			return;
		case NOTICE_BELL: MUST(line.len == 1); return;
		case NOTICE_RECHECK_GROUP:
		case NOTICE_POLICY: MUST(notice_is_group(notice.key)); return;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	NoticeAssembly assembly = {0};
	size_t		   expected = 0;

	while (data <= end)
	{
		const uint8_t *newline =
			data < end ? memchr(data, '\n', (size_t) (end - data)) : NULL;
		size_t len = (size_t) ((newline != NULL ? newline : end) - data);
		char  *line = exact_copy(data, len);

		check_line(&assembly, (Slice){line, len}, &expected);
		free(line);
		if (newline == NULL)
			break;
		data = newline + 1;
	}
	notice_assembly_clear(&assembly);
	return 0;
}
