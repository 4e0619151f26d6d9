/*-------------------------------------------------------------------------
 *
 * fuzz_json.c
 *	  Properties of what the JSON reader accepts.
 *
 * Every value lies within the document; a string unescapes into no more than
 * is promised and equals what it unescapes into; an array is walked to its
 * end; what is read as UTF-8 is accepted as Latin-1 too, with the same types;
 * asking for duplicates changes nothing else.
 *
 * Input: a byte for the encoding, the document.
 *
 *-------------------------------------------------------------------------
 */
#include "json.h"

#include "fuzz.h"

#define MEMBERS 3

static void
check_string(const JsonValue *value, JsonCharset encoding)
{
	size_t cap = (encoding == JSON_UTF8 ? 1 : 2) * value->len + 1;
	char  *out = malloc(cap);
	size_t len;

	MUST(out != NULL);
	if (json_read_string(value, encoding, out, cap, &len))
	{
		MUST(len < cap && strlen(out) == len);
		MUST(json_string_equals(value, encoding, out));
		/* One byte less than it takes is too little. */
		MUST(!json_read_string(value, encoding, out, len, &len));
	}
	else
		MUST(out[0] == '\0');
	free(out);
}

static void
check_value(const JsonValue *value, JsonCharset encoding, const char *text,
			size_t text_len)
{
	if (value->type == JSON_ABSENT)
		return;
	MUST(lies_within((Slice){value->text, value->len}, text, text_len));
	if (value->type == JSON_STRING)
		check_string(value, encoding);
	else
		MUST(value->len > 0);
	if (value->type == JSON_ARRAY)
	{
		size_t	  position = 0;
		size_t	  before = 0;
		JsonValue element;

		while (json_array_next(value, &position, &element))
		{
			MUST(position > before && position < value->len);
			MUST(element.type != JSON_ABSENT);
			MUST(lies_within((Slice){element.text, element.len}, value->text,
							 value->len));
			if (element.type == JSON_STRING)
				check_string(&element, encoding);
			before = position;
		}
		/* Nothing but blanks and the bracket is left. */
		for (size_t i = position > 0 ? position : 1; i + 1 < value->len; i++)
			MUST(strchr(" \t\n\r", value->text[i]) != NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	JsonMember	members[MEMBERS] = {{.name = "a"}, {.name = "b"}, {.name = ""}};
	JsonMember	again[MEMBERS] = {{.name = "a"}, {.name = "b"}, {.name = ""}};
	JsonCharset encoding;
	JsonStatus	status;
	bool		duplicate = true;
	char	   *text;

	if (size == 0)
		return 0;
	encoding = (data[0] & 1) != 0 ? JSON_LATIN1 : JSON_UTF8;
	data++;
	size--;
	text = exact_copy(data, size);

	status =
		json_read_object(text, size, encoding, members, MEMBERS, &duplicate);
	MUST(status != JSON_NO_MEMORY);
	MUST(status == JSON_OK || !duplicate);
	MUST(json_read_object(text, size, encoding, again, MEMBERS, NULL) ==
		 status);
	for (size_t i = 0; i < MEMBERS; i++)
	{
		JsonValue *value = &members[i].value;

		MUST(status == JSON_OK || value->type == JSON_ABSENT);
		MUST(again[i].value.type == value->type &&
			 again[i].value.text == value->text);
		check_value(value, encoding, text, size);
	}
	if (encoding == JSON_UTF8 && status != JSON_INVALID)
	{
		MUST(json_read_object(text, size, JSON_LATIN1, again, MEMBERS, NULL) ==
			 status);
		for (size_t i = 0; i < MEMBERS; i++)
			MUST(again[i].value.type == members[i].value.type);
	}
	free(text);
	return 0;
}
