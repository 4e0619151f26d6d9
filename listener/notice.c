/*-------------------------------------------------------------------------
 *
 * notice.c
 *	  What the extension says on the shared channel: one line each.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "notice.h"

#include <stdlib.h>

/* Enough for any id; ours are 16 hexadecimal digits. */
#define ID_MAX (sizeof(((NoticeAssembly *) NULL)->id) - 1)

/* First allocation of an assembly: a few chunks. */
#define ASSEMBLY_FIRST_CAP (32u << 10)

/* Take the text up to the next space, and that space; false without one. */
static bool
take_field(Slice *rest, Slice *field)
{
	const char *space = memchr(rest->ptr, ' ', rest->len);

	if (space == NULL || space == rest->ptr)
		return false;
	*field = (Slice){rest->ptr, (size_t) (space - rest->ptr)};
	rest->ptr += field->len + 1;
	rest->len -= field->len + 1;
	return true;
}

static bool
take_id(Slice *rest, Slice *id)
{
	return take_field(rest, id) && id->len <= ID_MAX;
}

/* A decimal number from 1 to max, without leading zeros. */
static bool
take_number(Slice *rest, uint32_t max, uint32_t *number)
{
	Slice	 field;
	uint64_t value = 0;

	if (!take_field(rest, &field) || field.len > 9 || field.ptr[0] == '0')
		return false;
	for (size_t i = 0; i < field.len; i++)
	{
		if (field.ptr[i] < '0' || field.ptr[i] > '9')
			return false;
		value = value * 10 + (uint64_t) (field.ptr[i] - '0');
	}
	*number = (uint32_t) value;
	return value <= max;
}

static bool
take_type(Slice *rest, NoticeType *type)
{
	Slice field;

	if (!take_field(rest, &field) || field.len != 1)
		return false;
	switch (field.ptr[0])
	{
		case 'j': *type = NOTICE_JSON; return true;
		case 't': *type = NOTICE_TEXT; return true;
		case 'b': *type = NOTICE_BASE64; return true;
		default: return false; /* a character, not an enum */
	}
}

bool
notice_is_group(Slice name)
{
	if (name.ptr == NULL || name.len == 0 || name.len > GROUP_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
	{
		char c = name.ptr[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
			!(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

bool
notice_next_group(Slice *groups, Slice *group)
{
	const char *comma;

	if (groups->ptr == NULL || groups->len == 0)
		return false;
	comma = memchr(groups->ptr, ',', groups->len);
	if (comma == NULL)
	{
		*group = *groups;
		*groups = SLICE_NONE;
		return true;
	}
	*group = (Slice){groups->ptr, (size_t) (comma - groups->ptr)};
	groups->ptr += group->len + 1;
	groups->len -= group->len + 1;
	return true;
}

/* One name at least, and each of them a group's. */
static bool
take_groups(Slice *rest, Slice *groups)
{
	Slice list;
	Slice name;

	if (!take_field(rest, groups) || groups->ptr[groups->len - 1] == ',')
		return false;
	list = *groups;
	while (notice_next_group(&list, &name))
		if (!notice_is_group(name))
			return false;
	return true;
}

static bool
parse_message(Notice *notice, Slice rest)
{
	notice->kind = NOTICE_MESSAGE;
	if (!take_id(&rest, &notice->id) || !take_type(&rest, &notice->type) ||
		!take_groups(&rest, &notice->groups))
		return false;
	notice->payload = rest;
	return true;
}

static bool
parse_chunk(Notice *notice, Slice rest)
{
	Slice none;

	notice->kind = NOTICE_CHUNK;
	if (!take_id(&rest, &notice->id) ||
		!take_number(&rest, NOTICE_MAX_PARTS, &notice->part) ||
		!take_number(&rest, NOTICE_MAX_PARTS, &notice->parts) ||
		notice->part > notice->parts || !take_type(&rest, &notice->type))
		return false;

	/* "-" is also a group's name, but only the first chunk names groups. */
	if (notice->part == 1
			? !take_groups(&rest, &notice->groups)
			: !take_field(&rest, &none) || !slice_equals(none, "-"))
		return false;
	notice->payload = rest;
	return rest.len > 0;
}

static bool
parse_revocation(Notice *notice, Slice rest)
{
	Slice what;

	if (!take_id(&rest, &notice->id))
		return false;
	if (slice_equals(rest, "a"))
	{
		notice->kind = NOTICE_REVOKE_ALL;
		return true;
	}
	if (!take_field(&rest, &what) || rest.len == 0)
		return false;
	notice->key = rest;
	if (slice_equals(what, "c"))
		notice->kind = NOTICE_REVOKE_CREDENTIAL;
	else if (slice_equals(what, "u"))
		notice->kind = NOTICE_REVOKE_USER;
	else if (slice_equals(what, "k"))
		notice->kind = NOTICE_REVOKE_KIND;
	else
		return false;
	return true;
}

static bool
parse_kick(Notice *notice, Slice rest)
{
	notice->kind = NOTICE_KICK;
	if (!take_id(&rest, &notice->id) || !take_field(&rest, &notice->key) ||
		!notice_is_group(notice->key))
		return false;
	notice->user_id = rest;
	return rest.len > 0;
}

static bool
parse_policy(Notice *notice, Slice rest)
{
	notice->kind = NOTICE_POLICY;
	if (!take_id(&rest, &notice->id))
		return false;
	notice->key = rest;
	return notice_is_group(rest); /* a category obeys the same rule */
}

static bool
parse_ends_sooner(Notice *notice, Slice rest)
{
	notice->kind = NOTICE_ENDS_SOONER;
	if (!take_id(&rest, &notice->id))
		return false;
	notice->key = rest;
	return rest.len > 0;
}

static bool
parse_recheck(Notice *notice, Slice rest)
{
	Slice what;

	if (!take_id(&rest, &notice->id) || !take_field(&rest, &what) ||
		rest.len == 0)
		return false;
	notice->key = rest;
	if (slice_equals(what, "u"))
	{
		notice->kind = NOTICE_RECHECK_USER;
		return true;
	}
	notice->kind = NOTICE_RECHECK_GROUP;
	return slice_equals(what, "g") && notice_is_group(rest);
}

static bool
parse_presence(Notice *notice, Slice rest)
{
	Slice what;

	if (!take_id(&rest, &notice->id) || !take_field(&rest, &what) ||
		!take_field(&rest, &notice->key) || !notice_is_group(notice->key))
		return false;
	notice->payload = rest;
	notice->kind = slice_equals(what, "j") ? NOTICE_JOINED : NOTICE_LEFT;
	return rest.len > 0 && (slice_equals(what, "j") || slice_equals(what, "l"));
}

static bool
take_position(Slice *rest, Position *position)
{
	Slice seq;
	Slice tag;

	return take_field(rest, &seq) && position_parse_seq(&position->seq, seq) &&
		   take_field(rest, &tag) && position_parse_tag(position, tag);
}

static bool
parse_durable(Notice *notice, Slice rest)
{
	notice->kind = NOTICE_DURABLE;
	if (!take_position(&rest, &notice->position) ||
		!take_type(&rest, &notice->type) ||
		!take_field(&rest, &notice->groups) || !notice_is_group(notice->groups))
		return false;
	notice->payload = rest;
	return true;
}

static bool
parse_head(Notice *notice, Slice rest)
{
	Slice seq;

	notice->kind = NOTICE_HEAD;
	return take_field(&rest, &seq) &&
		   position_parse_seq(&notice->position.seq, seq) &&
		   position_parse_tag(&notice->position, rest);
}

bool
notice_parse(Notice *notice, Slice line)
{
	Slice rest;

	memset(notice, 0, sizeof(*notice));
	if (slice_equals(line, "b"))
	{
		notice->kind = NOTICE_BELL;
		return true;
	}
	if (line.ptr == NULL || line.len < 3 || line.ptr[1] != ' ')
		return false;
	rest = (Slice){line.ptr + 2, line.len - 2};

	switch (line.ptr[0])
	{
		case 'm': return parse_message(notice, rest);
		case 'c': return parse_chunk(notice, rest);
		case 'r': return parse_revocation(notice, rest);
		case 'k': return parse_kick(notice, rest);
		case 'p': return parse_policy(notice, rest);
		case 'e': return parse_ends_sooner(notice, rest);
		case 'q': return parse_recheck(notice, rest);
		case 's': return parse_presence(notice, rest);
		case 'd': return parse_durable(notice, rest);
		case 'h': return parse_head(notice, rest);
		case '?':
			notice->kind = NOTICE_CANARY;
			notice->key = rest;
			return true;
		default: return false; /* a character, not an enum */
	}
}

/* The six bits of a character; -1 if it has none. */
static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
notice_decode_base64(void *out, size_t *out_len, Slice text)
{
	uint8_t *to = out;
	size_t	 padding = 0;

	*out_len = 0;
	if (text.len == 0)
		return true;
	if (text.len % 4 != 0)
		return false;
	while (padding < 2 && text.ptr[text.len - 1 - padding] == '=')
		padding++;

	for (size_t i = 0; i < text.len; i += 4)
	{
		size_t	 bytes = i + 4 == text.len ? 3 - padding : 3;
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++)
		{
			int value = j <= bytes ? base64_value(text.ptr[i + j]) : 0;

			if (value < 0)
				return false;
			bits = bits << 6 | (uint32_t) value;
		}
		/* RFC 4648 3.5: bits that no byte takes are zero. */
		if ((bits & (0xFFFFFFu >> (8 * bytes))) != 0)
			return false;

		/* Written after its characters were read, so in place is fine. */
		for (size_t j = 0; j < bytes; j++)
			*to++ = (uint8_t) (bits >> (16 - 8 * j));
	}
	*out_len = (size_t) (to - (uint8_t *) out);
	return true;
}

static bool
append(NoticeAssembly *assembly, Slice bytes)
{
	size_t need = assembly->len + bytes.len;

	if (need > assembly->cap)
	{
		size_t cap = assembly->cap != 0 ? assembly->cap : ASSEMBLY_FIRST_CAP;
		char  *grown;

		while (cap < need)
			cap *= 2;
		grown = realloc(assembly->bytes, cap);
		if (grown == NULL)
			return false;
		assembly->bytes = grown;
		assembly->cap = cap;
	}
	memcpy(assembly->bytes + assembly->len, bytes.ptr, bytes.len);
	assembly->len = need;
	return true;
}

void
notice_assembly_clear(NoticeAssembly *assembly)
{
	free(assembly->bytes);
	memset(assembly, 0, sizeof(*assembly));
}

static bool
is_next(const NoticeAssembly *assembly, const Notice *chunk)
{
	return assembly->bytes != NULL && chunk->part == assembly->part + 1 &&
		   chunk->parts == assembly->parts && chunk->type == assembly->type &&
		   slice_equals(chunk->id, assembly->id);
}

NoticeAssemblyStatus
notice_assembly_add(NoticeAssembly *assembly, const Notice *chunk)
{
	NoticeAssemblyStatus status = NOTICE_ASSEMBLY_MORE;

	if (chunk->part == 1)
	{
		notice_assembly_clear(assembly);
		assembly->type = chunk->type;
		assembly->parts = chunk->parts;
		memcpy(assembly->id, chunk->id.ptr, chunk->id.len);
		assembly->groups_len = chunk->groups.len;
		if (!append(assembly, chunk->groups))
			status = NOTICE_ASSEMBLY_NO_MEMORY;
	}
	else if (!is_next(assembly, chunk))
		status = NOTICE_ASSEMBLY_BROKEN;

	if (status == NOTICE_ASSEMBLY_MORE)
	{
		if (assembly->len - assembly->groups_len + chunk->payload.len >
			NOTICE_MAX_MESSAGE_BYTES)
			status = NOTICE_ASSEMBLY_TOO_LARGE;
		else if (!append(assembly, chunk->payload))
			status = NOTICE_ASSEMBLY_NO_MEMORY;
	}
	if (status != NOTICE_ASSEMBLY_MORE)
	{
		notice_assembly_clear(assembly);
		return status;
	}
	assembly->part = chunk->part;
	return assembly->part == assembly->parts ? NOTICE_ASSEMBLY_COMPLETE
											 : NOTICE_ASSEMBLY_MORE;
}

char *
notice_assembly_take(NoticeAssembly *assembly, Notice *notice)
{
	char *bytes = assembly->bytes;

	memset(notice, 0, sizeof(*notice));
	notice->kind = NOTICE_MESSAGE;
	notice->type = assembly->type;
	notice->groups = (Slice){bytes, assembly->groups_len};
	notice->payload = (Slice){bytes + assembly->groups_len,
							  assembly->len - assembly->groups_len};
	memset(assembly, 0, sizeof(*assembly));
	return bytes;
}
