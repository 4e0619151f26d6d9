/*-------------------------------------------------------------------------
 *
 * fuzz_protocol.c
 *	  Properties of what is read from a client of usher.v1, and of what is
 *	  written for it.
 *
 * What was read points into the text, names valid groups, and has an id that is
 * JSON; what was refused has a reason that is in the table.  Whatever is echoed
 * (id, data, text, bytes) makes a text that can be read as JSON again, and data
 * that is sent comes out as it went in.
 *
 * Input: the text of one frame.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "json.h"
#include "notice.h"
#include "protocol.h"

#include "fuzz.h"

static ProtocolRequest request;

static JsonValue
member_of(const ProtocolText *text, const char *name)
{
	JsonMember member = {.name = name};

	MUST(json_read_object(text->bytes, text->len, JSON_UTF8, &member, 1,
						  NULL) == JSON_OK);
	return member.value;
}

static void
check_id(void)
{
	ProtocolText text = {0};
	JsonValue	 id;

	protocol_write_ok(&text, request.id);
	id = member_of(&text, "id");
	MUST((request.id[0] == '\0') == (id.type == JSON_ABSENT));
	protocol_text_fini(&text);
}

static void
check_groups(const char *bytes, size_t size)
{
	MUST(request.group_count + request.misnamed_count <= PROTOCOL_MAX_GROUPS);
	for (size_t i = 0; i < request.misnamed_count; i++)
	{
		MUST(lies_within(request.misnamed[i], bytes, size));
		MUST(!notice_is_group(request.misnamed[i]));
	}
	for (size_t i = 0; i < request.group_count; i++)
		MUST(notice_is_group(slice_of(request.groups[i].name)));
	if (request.token.ptr != NULL)
		MUST(lies_within(request.token, bytes, size));
	if (request.data.ptr != NULL)
		MUST(lies_within(request.data, bytes, size));
}

static void
check_data(void)
{
	ProtocolText text = {0};
	JsonValue	 data;
	char		*again;
	size_t		 len;

	protocol_write_message(&text, slice_of(request.groups[0].name), NULL,
						   request.format, request.data);
	data = member_of(&text, "data");
	MUST(data.type != JSON_ABSENT);
	if (request.format == PROTOCOL_TEXT)
	{
		again = malloc(data.len + 1);
		MUST(again != NULL &&
			 json_read_string(&data, JSON_UTF8, again, data.len + 1, &len));
		MUST(len == request.data.len &&
			 memcmp(again, request.data.ptr, len) == 0);
		free(again);
	}
	if (request.format == PROTOCOL_BINARY)
	{
		again = malloc(data.len + 1);
		MUST(again != NULL &&
			 notice_decode_base64(again, &len, (Slice){data.text, data.len}));
		MUST(len == request.data.len &&
			 (len == 0 || memcmp(again, request.data.ptr, len) == 0));
		free(again);
	}
	protocol_text_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		 *copy = exact_copy(data, size);
	ProtocolError error;

	if (protocol_read(&request, copy, size, &error))
	{
		check_id();
		check_groups(copy, size);
		if (request.verb == PROTOCOL_SEND)
			check_data();
	}
	else
	{
		MUST(strcmp(refusal_for(error.reason)->reason, error.reason) == 0);
		MUST(strcspn(error.detail, "\"\\") == strlen(error.detail));
		MUST(!error.fatal || request.id[0] == '\0');
		check_id();
	}
	free(copy);
	return 0;
}
