/*-------------------------------------------------------------------------
 *
 * protocol.c
 *	  usher.v1 as bytes.
 *
 * json.c reads as Python does.  That decides two things which RFC 8259 leaves
 * open: of two members with one name the last counts, and arrays and objects
 * are nested JSON_MAX_DEPTH deep at most (deeper ones are invalid_json).  What
 * Python adds to JSON, NaN and Infinity, is refused here.
 *
 * Long because both directions of the one format stand here: a member that is
 * read and written is named in one file.
 *
 *-------------------------------------------------------------------------
 */
#include "protocol.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "json.h"
#include "notice.h"

/* Bytes of an id that is a string. */
#define ID_MAX 64

/* 2^53 - 1: what every JSON library reads as it was written. */
#define INTEGER_MAX INT64_C(9007199254740991)

/* ---- reading ------------------------------------------------------------- */

typedef enum Member
{
	MEMBER_TYPE,
	MEMBER_ID,
	MEMBER_GROUP,
	MEMBER_GROUPS,
	MEMBER_TOKEN,
	MEMBER_SINCE,
	MEMBER_DATA,
	MEMBER_FORMAT,
} Member;

#define MEMBER_COUNT (MEMBER_FORMAT + 1)

static const char *const member_names[MEMBER_COUNT] = {
	"type", "id", "group", "groups", "token", "since", "data", "format",
};

static const char *const verb_names[] = {
	"auth", "subscribe", "unsubscribe", "send", "refresh", "presence", "ping",
};

static bool PRINTF_LIKE(3, 4)
	fail(ProtocolError *error, const char *reason, const char *format, ...)
{
	va_list args;

	error->reason = reason;
	error->fatal = false;
	error->group = SLICE_NONE;
	va_start(args, format);
	vsnprintf(error->detail, sizeof(error->detail), format, args);
	va_end(args);
	return false;
}

static bool
fail_fatally(ProtocolError *error, const char *reason)
{
	error->reason = reason;
	error->detail[0] = '\0';
	error->fatal = true;
	error->group = SLICE_NONE;
	return false;
}

static bool
missing(ProtocolError *error, Member member)
{
	return fail(error, "missing_member", "The member %s is missing.",
				member_names[member]);
}

static bool
bad(ProtocolError *error, Member member, const char *expected)
{
	return fail(error, "bad_member", "The member %s must be %s.",
				member_names[member], expected);
}

/* The value as it stands in the text. */
static Slice
json_text(const JsonValue *value)
{
	if (value->type == JSON_STRING)
		return (Slice){value->text - 1, value->len + 2};
	return (Slice){value->text, value->len};
}

/* Unescape a string where it stands: that makes it no longer, and what ends it
 * is overwritten.  False: it holds what PostgreSQL's text cannot. */
static bool
unescape(const JsonValue *value, Slice *text)
{
	char *start = (char *) value->text;

	text->ptr = start;
	return json_read_string(value, JSON_UTF8, start, value->len + 1,
							&text->len);
}

/*
 * Whether a text that json.c accepted has a NaN or an Infinity in it.  Outside
 * of strings no other word of JSON has a capital N or I.
 */
static bool
has_nonfinite(const char *text, size_t len)
{
	bool in_string = false;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string)
		{
			if (text[i] == 'N' || text[i] == 'I')
				return true;
		}
		else if (text[i] == '\\')
			i++; /* an escaped quote does not end the string */
	}
	return false;
}

static bool
is_small_integer(const JsonValue *value)
{
	char	digits[20];
	int64_t number;

	if (value->type != JSON_INTEGER || value->len >= sizeof(digits))
		return false;
	memcpy(digits, value->text, value->len);
	digits[value->len] = '\0';
	number = strtoll(digits, NULL, 10);
	return number >= -INTEGER_MAX && number <= INTEGER_MAX;
}

static bool
is_short_string(const JsonValue *value)
{
	char   text[ID_MAX + 1];
	size_t len;

	return value->type == JSON_STRING &&
		   json_read_string(value, JSON_UTF8, text, sizeof(text), &len);
}

static bool
read_id(ProtocolRequest *request, const JsonValue *value, ProtocolError *error)
{
	Slice text = json_text(value);

	if (value->type == JSON_ABSENT)
		return true;
	if (!is_small_integer(value) && !is_short_string(value))
		return fail(error, "bad_id",
					"An id is an integer or a string of up to %d bytes.",
					ID_MAX);
	memcpy(request->id, text.ptr, text.len);
	request->id[text.len] = '\0';
	return true;
}

static bool
read_verb(ProtocolRequest *request, const JsonValue *value,
		  ProtocolError *error)
{
	for (size_t i = 0; i < lengthof(verb_names); i++)
		if (json_string_equals(value, JSON_UTF8, verb_names[i]))
		{
			request->verb = (ProtocolVerb) i;
			return true;
		}
	return fail(error, "unknown_type", "This server knows no such type.");
}

/* What cannot be a position of ours is one that nothing follows. */
static void
read_position(Position *position, const JsonValue *seq, const JsonValue *tag)
{
	if (!position_parse_seq(&position->seq, json_text(seq)) ||
		!position_parse_tag(position, (Slice){tag->text, tag->len}))
		memset(position, 0, sizeof(*position));
}

static bool
read_since(ProtocolGroup *group, const JsonValue *value, ProtocolError *error)
{
	JsonMember parts[] = {{.name = "seq"}, {.name = "tag"}};

	memset(&group->position, 0, sizeof(group->position));
	group->since = value->type == JSON_OBJECT;
	if (value->type == JSON_ABSENT || value->type == JSON_NULL)
		return true;
	if (value->type != JSON_OBJECT ||
		json_read_object(value->text, value->len, JSON_UTF8, parts,
						 lengthof(parts), NULL) != JSON_OK ||
		!is_small_integer(&parts[0].value) ||
		parts[1].value.type != JSON_STRING)
		return bad(error, MEMBER_SINCE,
				   "an object with seq (integer) and tag (string)");
	read_position(&group->position, &parts[0].value, &parts[1].value);
	return true;
}

/* The name, which needs to be nobody's; false when it cannot even be said. */
static bool
read_name(Slice *name, const JsonValue *value, ProtocolError *error)
{
	if (value->type == JSON_ABSENT)
		return missing(error, MEMBER_GROUP);
	if (value->type != JSON_STRING)
		return bad(error, MEMBER_GROUP, "a string");
	return unescape(value, name) || fail(error, "invalid_group", "%s", "");
}

/* Whether a group can have this name, which is then the next one's. */
static bool
add_group(ProtocolRequest *request, Slice name)
{
	ProtocolGroup *group = &request->groups[request->group_count];

	if (!notice_is_group(name))
		return false;
	memcpy(group->name, name.ptr, name.len);
	group->name[name.len] = '\0';
	group->since = false;
	request->group_count++;
	return true;
}

static bool
read_group(ProtocolRequest *request, const JsonValue *value,
		   ProtocolError *error)
{
	Slice name;

	if (!read_name(&name, value, error))
		return false;
	if (add_group(request, name))
		return true;
	fail(error, "invalid_group", "%s", "");
	error->group = name;
	return false;
}

/* Each group of a subscribe is answered for itself, a wrong name too. */
static bool
read_subscription(ProtocolRequest *request, const JsonValue *name_value,
				  const JsonValue *since_value, ProtocolError *error)
{
	ProtocolGroup group;
	Slice		  name;

	if (!read_name(&name, name_value, error) ||
		!read_since(&group, since_value, error))
		return false;
	if (add_group(request, name))
	{
		ProtocolGroup *added = &request->groups[request->group_count - 1];

		added->since = group.since;
		added->position = group.position;
	}
	else
		request->misnamed[request->misnamed_count++] = name;
	return true;
}

/* A string, or for a subscribe an object with group and since. */
static bool
read_element(ProtocolRequest *request, const JsonValue *value,
			 ProtocolError *error)
{
	static const JsonValue absent = {.type = JSON_ABSENT};
	JsonMember			   parts[] = {{.name = "group"}, {.name = "since"}};

	if (value->type == JSON_STRING)
		return request->verb == PROTOCOL_SUBSCRIBE
				   ? read_subscription(request, value, &absent, error)
				   : read_group(request, value, error);
	if (value->type != JSON_OBJECT || request->verb != PROTOCOL_SUBSCRIBE ||
		json_read_object(value->text, value->len, JSON_UTF8, parts,
						 lengthof(parts), NULL) != JSON_OK)
		return bad(error, MEMBER_GROUPS, "an array of names of groups");
	return read_subscription(request, &parts[0].value, &parts[1].value, error);
}

static bool
read_groups(ProtocolRequest *request, const JsonMember *members,
			ProtocolError *error)
{
	const JsonValue *one = &members[MEMBER_GROUP].value;
	const JsonValue *list = &members[MEMBER_GROUPS].value;
	JsonValue		 element;
	size_t			 position = 0;
	size_t			 count = 0;

	if (one->type != JSON_ABSENT && list->type != JSON_ABSENT)
		return bad(error, MEMBER_GROUPS, "absent where group is given");
	if (list->type == JSON_ABSENT)
		return request->verb == PROTOCOL_SUBSCRIBE
				   ? read_subscription(request, one,
									   &members[MEMBER_SINCE].value, error)
				   : read_group(request, one, error);
	if (list->type != JSON_ARRAY)
		return bad(error, MEMBER_GROUPS, "an array of names of groups");
	while (json_array_next(list, &position, &element))
	{
		if (count++ == PROTOCOL_MAX_GROUPS)
			return fail(error, "too_many_members",
						"One message names up to %d groups.",
						PROTOCOL_MAX_GROUPS);
		if (!read_element(request, &element, error))
			return false;
	}
	if (count == 0)
		return bad(error, MEMBER_GROUPS, "an array of at least one name");
	return true;
}

static bool
read_token(ProtocolRequest *request, const JsonValue *value,
		   ProtocolError *error)
{
	if (value->type == JSON_ABSENT || value->type == JSON_NULL)
		return request->verb == PROTOCOL_AUTH || missing(error, MEMBER_TOKEN);
	if (value->type != JSON_STRING)
		return bad(error, MEMBER_TOKEN, "a string");
	if (!unescape(value, &request->token))
		return bad(error, MEMBER_TOKEN, "text without NUL");
	return true;
}

static bool
read_format(ProtocolRequest *request, const JsonValue *value,
			ProtocolError *error)
{
	if (value->type == JSON_ABSENT ||
		json_string_equals(value, JSON_UTF8, "json"))
		request->format = PROTOCOL_JSON;
	else if (json_string_equals(value, JSON_UTF8, "text"))
		request->format = PROTOCOL_TEXT;
	else if (json_string_equals(value, JSON_UTF8, "binary"))
		request->format = PROTOCOL_BINARY;
	else
		return bad(error, MEMBER_FORMAT, "json, text or binary");
	return true;
}

static bool
read_data(ProtocolRequest *request, const JsonValue *value,
		  ProtocolError *error)
{
	if (value->type == JSON_ABSENT)
		return missing(error, MEMBER_DATA);
	if (request->format == PROTOCOL_JSON)
	{
		request->data = json_text(value);
		return true;
	}
	if (value->type != JSON_STRING)
		return bad(error, MEMBER_DATA, "a string in this format");
	if (!unescape(value, &request->data))
		return fail(error, "invalid_data", "%s", "");
	if (request->format == PROTOCOL_BINARY &&
		!notice_decode_base64((char *) request->data.ptr, &request->data.len,
							  request->data))
		return bad(error, MEMBER_DATA, "padded base64 in this format");
	return true;
}

bool
protocol_read(ProtocolRequest *request, char *text, size_t len,
			  ProtocolError *error)
{
	JsonMember members[MEMBER_COUNT] = {0};

	request->id[0] = '\0';
	request->group_count = request->misnamed_count = 0;
	request->token = request->data = SLICE_NONE;
	request->format = PROTOCOL_JSON;
	for (size_t i = 0; i < MEMBER_COUNT; i++)
		members[i].name = member_names[i];
	switch (json_read_object(text, len, JSON_UTF8, members, MEMBER_COUNT, NULL))
	{
		case JSON_OK: break;
		case JSON_NOT_AN_OBJECT: return fail_fatally(error, "not_an_object");
		case JSON_INVALID:
		case JSON_NO_MEMORY: return fail_fatally(error, "invalid_json");
	}
	if (has_nonfinite(text, len))
		return fail_fatally(error, "invalid_json");
	/* Without a type it cannot be told what the id would answer. */
	if (members[MEMBER_TYPE].value.type != JSON_STRING)
		return fail_fatally(error, "missing_type");
	if (!read_id(request, &members[MEMBER_ID].value, error) ||
		!read_verb(request, &members[MEMBER_TYPE].value, error))
		return false;
	switch (request->verb)
	{
		case PROTOCOL_AUTH:
		case PROTOCOL_REFRESH:
			return read_token(request, &members[MEMBER_TOKEN].value, error);
		case PROTOCOL_SUBSCRIBE:
		case PROTOCOL_UNSUBSCRIBE: return read_groups(request, members, error);
		case PROTOCOL_SEND:
			return read_group(request, &members[MEMBER_GROUP].value, error) &&
				   read_format(request, &members[MEMBER_FORMAT].value, error) &&
				   read_data(request, &members[MEMBER_DATA].value, error);
		case PROTOCOL_PRESENCE:
			return read_group(request, &members[MEMBER_GROUP].value, error);
		case PROTOCOL_PING: return true;
	}
	return false;
}

/* ---- writing ------------------------------------------------------------- */

#define FIRST_CAP 256

void
protocol_text_fini(ProtocolText *text)
{
	free(text->bytes);
	memset(text, 0, sizeof(*text));
}

/* Make room for len more bytes; NULL when there is none. */
static char *
extend(ProtocolText *out, size_t len)
{
	size_t cap = out->cap ? out->cap : FIRST_CAP;
	char  *grown;

	if (out->failed)
		return NULL;
	while (cap - out->len < len)
		cap *= 2;
	if (cap != out->cap)
	{
		grown = realloc(out->bytes, cap);
		if (grown == NULL)
		{
			out->failed = true;
			out->len = 0;
			return NULL;
		}
		out->bytes = grown;
		out->cap = cap;
	}
	grown = out->bytes + out->len;
	out->len += len;
	return grown;
}

void
protocol_append(ProtocolText *out, const char *bytes, size_t len)
{
	char *to = extend(out, len);

	if (to != NULL && len > 0)
		memcpy(to, bytes, len);
}

static void
append(ProtocolText *out, const char *text)
{
	protocol_append(out, text, strlen(text));
}

/* How a character that must be escaped is; NULL: it need not be. */
static const char *
escape_of(unsigned char c, char buffer[8])
{
	switch (c)
	{
		case '"': return "\\\"";
		case '\\': return "\\\\";
		case '\n': return "\\n";
		case '\r': return "\\r";
		case '\t': return "\\t";
		default: break; /* a character, not an enum */
	}
	if (c >= 0x20)
		return NULL;
	snprintf(buffer, 8, "\\u%04x", c);
	return buffer;
}

void
protocol_append_string(ProtocolText *out, const char *bytes, size_t len)
{
	size_t start = 0;
	char   buffer[8];

	if (bytes == NULL)
	{
		append(out, "null");
		return;
	}
	append(out, "\"");
	for (size_t i = 0; i < len; i++)
	{
		const char *escape = escape_of((unsigned char) bytes[i], buffer);

		if (escape == NULL)
			continue;
		protocol_append(out, bytes + start, i - start);
		append(out, escape);
		start = i + 1;
	}
	protocol_append(out, bytes + start, len - start);
	append(out, "\"");
}

/* "name": with a comma before it: type is always the first member. */
static void
append_name(ProtocolText *out, const char *name)
{
	append(out, ",\"");
	append(out, name);
	append(out, "\":");
}

static void
append_text(ProtocolText *out, const char *name, const char *value)
{
	append_name(out, name);
	protocol_append_string(out, value, value != NULL ? strlen(value) : 0);
}

static void
append_slice(ProtocolText *out, const char *name, Slice value)
{
	append_name(out, name);
	protocol_append_string(out, value.ptr, value.len);
}

static void
append_number(ProtocolText *out, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	append_name(out, name);
	append(out, digits);
}

static void
append_bool(ProtocolText *out, const char *name, bool value)
{
	append_name(out, name);
	append(out, value ? "true" : "false");
}

void
protocol_append_time(ProtocolText *out, int64_t unix_ms)
{
	time_t	  seconds = (time_t) (unix_ms / 1000);
	struct tm parts;
	char	  date[40];
	char	  text[48];

	if (unix_ms < 0 || gmtime_r(&seconds, &parts) == NULL ||
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts) == 0)
	{
		append(out, "null");
		return;
	}
	snprintf(text, sizeof(text), "\"%s.%03dZ\"", date, (int) (unix_ms % 1000));
	append(out, text);
}

static void
append_time(ProtocolText *out, const char *name, int64_t unix_ms)
{
	append_name(out, name);
	protocol_append_time(out, unix_ms);
}

static void
begin(ProtocolText *out, const char *type, const char *id)
{
	append(out, "{\"type\":\"");
	append(out, type);
	append(out, "\"");
	if (*id != '\0')
	{
		append_name(out, "id");
		append(out, id);
	}
}

void
protocol_write_welcome(ProtocolText *out, const char *id,
					   const ProtocolWelcome *welcome)
{
	begin(out, "welcome", id);
	append_text(out, "user", welcome->user);
	append_text(out, "username", welcome->username);
	append_text(out, "kind", welcome->kind);
	append_time(out, "expires_at", welcome->expires_at_ms);
	append_text(out, "connection", welcome->connection);
	append_number(out, "protocol", 1);
	append(out, "}");
}

static void
append_position(ProtocolText *out, const Position *position)
{
	append_number(out, "seq", position->seq);
	append_text(out, "tag", position->tag);
}

void
protocol_write_subscribed(ProtocolText *out, const char *id,
						  const ProtocolSubscribed *subscribed)
{
	begin(out, "subscribed", id);
	append_slice(out, "group", subscribed->group);
	append_bool(out, "send", subscribed->may_send);
	append_bool(out, "presence", subscribed->presence);
	if (subscribed->position != NULL)
		append_position(out, subscribed->position);
	if (subscribed->since)
		append_bool(out, "recovered", subscribed->recovered);
	append(out, "}");
}

void
protocol_write_reset(ProtocolText *out, Slice group, const Position *position)
{
	begin(out, "reset", "");
	append_slice(out, "group", group);
	append_position(out, position);
	append_bool(out, "recovered", false);
	append(out, "}");
}

void
protocol_write_ok(ProtocolText *out, const char *id)
{
	begin(out, "ok", id);
	append(out, "}");
}

void
protocol_write_refreshed(ProtocolText *out, const char *id,
						 int64_t expires_at_ms)
{
	begin(out, "ok", id);
	append_time(out, "expires_at", expires_at_ms);
	append(out, "}");
}

void
protocol_write_error(ProtocolText *out, const char *id, Slice group,
					 const Refusal *refusal, const char *detail,
					 uint64_t retry_after_ms)
{
	begin(out, "error", id);
	if (group.ptr != NULL)
		append_slice(out, "group", group);
	append_number(out, "code", refusal->close_code);
	append_text(out, "reason", refusal->reason);
	append_text(out, "detail",
				detail != NULL && *detail != '\0' ? detail : refusal->detail);
	if (retry_after_ms > 0)
		append_number(out, "retry_after_ms", retry_after_ms);
	append(out, "}");
}

void
protocol_write_expiring(ProtocolText *out, uint64_t in_ms,
						int64_t expires_at_ms)
{
	begin(out, "expiring", "");
	append_number(out, "in", in_ms / 1000);
	append_time(out, "expires_at", expires_at_ms);
	append(out, "}");
}

void
protocol_write_unsubscribed(ProtocolText *out, Slice group, uint16_t code,
							const char *reason)
{
	begin(out, "unsubscribed", "");
	append_slice(out, "group", group);
	append_number(out, "code", code);
	append_text(out, "reason", reason);
	append(out, "}");
}

void
protocol_write_presence(ProtocolText *out, const char *id, Slice group,
						Slice users)
{
	begin(out, "presence", id);
	append_slice(out, "group", group);
	append_name(out, "users");
	protocol_append(out, users.ptr, users.len);
	append(out, "}");
}

void
protocol_write_close(ProtocolText *out, uint16_t code, const char *reason,
					 const char *detail, bool reconnect,
					 uint64_t reconnect_after_ms)
{
	begin(out, "close", "");
	append_number(out, "code", code);
	append_text(out, "reason", reason);
	append_text(out, "detail", detail);
	append_bool(out, "reconnect", reconnect);
	if (reconnect)
		append_number(out, "reconnect_after_ms", reconnect_after_ms);
	append(out, "}");
}

/* RFC 4648 section 4, with padding. */
static void
append_base64(ProtocolText *out, Slice bytes)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *from = (const uint8_t *) bytes.ptr;
	char		  *to = extend(out, (bytes.len + 2) / 3 * 4);

	if (to == NULL)
		return;
	for (size_t i = 0; i < bytes.len; i += 3)
	{
		size_t	 left = bytes.len - i;
		uint32_t group = (uint32_t) from[i] << 16;

		if (left > 1)
			group |= (uint32_t) from[i + 1] << 8;
		if (left > 2)
			group |= from[i + 2];
		*to++ = alphabet[group >> 18];
		*to++ = alphabet[group >> 12 & 63];
		*to++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*to++ = left > 2 ? alphabet[group & 63] : '=';
	}
}

void
protocol_write_message(ProtocolText *out, Slice group, const Position *position,
					   ProtocolFormat format, Slice payload)
{
	begin(out, "message", "");
	append_slice(out, "group", group);
	if (position != NULL)
		append_position(out, position);
	switch (format)
	{
		case PROTOCOL_JSON:
			append_name(out, "data");
			protocol_append(out, payload.ptr, payload.len);
			break;
		case PROTOCOL_TEXT:
			append_text(out, "format", "text");
			append_name(out, "data");
			protocol_append_string(out, payload.ptr ? payload.ptr : "",
								   payload.len);
			break;
		case PROTOCOL_BINARY:
			append_text(out, "format", "binary");
			append_name(out, "data");
			append(out, "\"");
			append_base64(out, payload);
			append(out, "\"");
			break;
	}
	append(out, "}");
}

void
protocol_write_arrival(ProtocolText *out, bool joined, Slice group, Slice user)
{
	begin(out, joined ? "join" : "leave", "");
	append_slice(out, "group", group);
	/* {"user":...}: its members become ours */
	if (user.len > 2)
	{
		append(out, ",");
		protocol_append(out, user.ptr + 1, user.len - 2);
	}
	append(out, "}");
}
