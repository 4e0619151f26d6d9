/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Members of a JSON object, as Python's json module would read them.
 *
 * One pass over the text checks the grammar and hands out pointers into it;
 * strings are unescaped by whoever wants one, character by character, so that
 * nothing is allocated but the list of names in which duplicates are looked
 * for.  What differs from RFC 8259 is Python's doing: NaN and Infinity are
 * numbers, half of a surrogate pair is a character.  Python's limit of 4300
 * digits for an integer is not ours: no older Python has it.
 *
 *-------------------------------------------------------------------------
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* A name of the outermost object, still escaped. */
typedef struct Name
{
	const char *text;
	size_t		len;
	JsonCharset encoding;
} Name;

/* Names that need no allocation; tokens and their headers have far fewer. */
#define FEW_NAMES 32

/* A document while it is read. */
typedef struct Reader
{
	const char *at;
	const char *end;
	JsonCharset encoding;
	JsonMember *members; /* wanted of the outermost object */
	size_t		nmembers;
	bool		keep_names; /* all of the outermost object */
	bool		no_memory;
	Name	   *names;
	size_t		nnames;
	size_t		names_max;
	Name		few_names[FEW_NAMES];
} Reader;

static bool scan_value(Reader *reader, int depth, JsonValue *value);

/* ---- characters ---- */

/* Length of the character of two or more bytes at s; 0 when it is none. */
static size_t
utf8_char(const unsigned char *s, size_t len, uint32_t *c)
{
	size_t	 n;
	uint32_t min;

	if (s[0] >= 0xC2 && s[0] <= 0xDF)
	{
		n = 2;
		min = 0x80;
		*c = s[0] & 0x1F;
	}
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
	{
		n = 3;
		min = 0x800;
		*c = s[0] & 0x0F;
	}
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
	{
		n = 4;
		min = 0x10000;
		*c = s[0] & 0x07;
	}
	else
		return 0;
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3F);
	}
	if (*c < min || *c > 0x10FFFF || (*c >= 0xD800 && *c <= 0xDFFF))
		return 0;
	return n;
}

static size_t
utf8_put(uint32_t c, char out[4])
{
	if (c < 0x80)
	{
		out[0] = (char) c;
		return 1;
	}
	if (c < 0x800)
	{
		out[0] = (char) (0xC0 | c >> 6);
		out[1] = (char) (0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000)
	{
		out[0] = (char) (0xE0 | c >> 12);
		out[1] = (char) (0x80 | (c >> 6 & 0x3F));
		out[2] = (char) (0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char) (0xF0 | c >> 18);
	out[1] = (char) (0x80 | (c >> 12 & 0x3F));
	out[2] = (char) (0x80 | (c >> 6 & 0x3F));
	out[3] = (char) (0x80 | (c & 0x3F));
	return 4;
}

/* The value of four hexadecimal digits, or -1. */
static int
hex4(const char *s)
{
	int value = 0;

	for (int i = 0; i < 4; i++)
	{
		int digit;

		if (s[i] >= '0' && s[i] <= '9')
			digit = s[i] - '0';
		else if (s[i] >= 'a' && s[i] <= 'f')
			digit = s[i] - 'a' + 10;
		else if (s[i] >= 'A' && s[i] <= 'F')
			digit = s[i] - 'A' + 10;
		else
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/*
 * The next character between the quotes of a string that scan_string
 * accepted.  Two escapes make a surrogate pair, as in Python; half of one
 * comes out as it is.
 */
static uint32_t
next_char(const char **at, const char *end, JsonCharset encoding)
{
	unsigned char c = (unsigned char) *(*at)++;
	uint32_t	  wide = c;

	if (c == '\\')
	{
		c = (unsigned char) *(*at)++;
		switch (c)
		{
			case 'b': return '\b';
			case 'f': return '\f';
			case 'n': return '\n';
			case 'r': return '\r';
			case 't': return '\t';
			case 'u': break;
			default: return c; /* quote, backslash, slash */
		}
		wide = (uint32_t) hex4(*at);
		*at += 4;
		if (wide >= 0xD800 && wide <= 0xDBFF && end - *at >= 6 &&
			(*at)[0] == '\\' && (*at)[1] == 'u')
		{
			int low = hex4(*at + 2);

			if (low >= 0xDC00 && low <= 0xDFFF)
			{
				wide =
					0x10000 + ((wide - 0xD800) << 10) + (uint32_t) low - 0xDC00;
				*at += 6;
			}
		}
	}
	else if (c >= 0x80 && encoding == JSON_UTF8)
	{
		*at -= 1;
		*at +=
			utf8_char((const unsigned char *) *at, (size_t) (end - *at), &wide);
	}
	return wide;
}

/* ---- names ---- */

static int
compare_names(const void *left, const void *right)
{
	const Name *a = left;
	const Name *b = right;
	const char *a_at = a->text;
	const char *b_at = b->text;
	const char *a_end = a->text + a->len;
	const char *b_end = b->text + b->len;

	while (a_at < a_end && b_at < b_end)
	{
		uint32_t a_char = next_char(&a_at, a_end, a->encoding);
		uint32_t b_char = next_char(&b_at, b_end, b->encoding);

		if (a_char != b_char)
			return a_char < b_char ? -1 : 1;
	}
	return (a_at < a_end) - (b_at < b_end);
}

static bool
keep_name(Reader *reader, const JsonValue *name)
{
	if (reader->nnames == reader->names_max)
	{
		bool   first = reader->names == reader->few_names;
		size_t max = 2 * reader->names_max;
		Name  *names =
			realloc(first ? NULL : reader->names, max * sizeof(*names));

		if (names == NULL)
		{
			reader->no_memory = true;
			return false;
		}
		if (first)
			memcpy(names, reader->few_names, sizeof(reader->few_names));
		reader->names = names;
		reader->names_max = max;
	}
	reader->names[reader->nnames++] =
		(Name){name->text, name->len, reader->encoding};
	return true;
}

/* Sorted, so that no choice of names makes it slow. */
static bool
have_equal_names(Reader *reader)
{
	qsort(reader->names, reader->nnames, sizeof(Name), compare_names);
	for (size_t i = 1; i < reader->nnames; i++)
	{
		if (compare_names(&reader->names[i - 1], &reader->names[i]) == 0)
			return true;
	}
	return false;
}

/* ---- grammar ---- */

static void
skip_blanks(Reader *reader)
{
	while (reader->at < reader->end &&
		   (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' ||
			*reader->at == '\r'))
		reader->at++;
}

/* Step over a character if it is the next one. */
static bool
skip_char(Reader *reader, char c)
{
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static bool
skip_word(Reader *reader, const char *word)
{
	size_t len = strlen(word);

	if ((size_t) (reader->end - reader->at) < len ||
		memcmp(reader->at, word, len) != 0)
		return false;
	reader->at += len;
	return true;
}

/* One digit or more. */
static bool
skip_digits(Reader *reader)
{
	const char *from = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return reader->at > from;
}

/* Step over what follows a backslash. */
static bool
skip_escape(Reader *reader)
{
	if (reader->at == reader->end)
		return false;
	switch (*reader->at++)
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't': return true;
		case 'u':
			if (reader->end - reader->at < 4 || hex4(reader->at) < 0)
				return false;
			reader->at += 4;
			return true;
		default: return false;
	}
}

/* Step over characters that need no second look. */
static void
skip_plain(Reader *reader)
{
	const char *at = reader->at;
	const char *end = reader->end;

	while (at < end && *at != '"' && *at != '\\' &&
		   (unsigned char) *at >= 0x20 && (unsigned char) *at < 0x80)
		at++;
	reader->at = at;
}

static bool
scan_string(Reader *reader, JsonValue *value)
{
	const char *from;

	if (!skip_char(reader, '"'))
		return false;
	from = reader->at;
	for (;;)
	{
		skip_plain(reader);
		if (reader->at == reader->end || (unsigned char) *reader->at < 0x20)
			return false;
		if (*reader->at == '"')
		{
			*value =
				(JsonValue){JSON_STRING, from, (size_t) (reader->at - from)};
			reader->at++;
			return true;
		}
		if (skip_char(reader, '\\'))
		{
			if (!skip_escape(reader))
				return false;
		}
		else if (reader->encoding == JSON_UTF8)
		{
			uint32_t wide;
			size_t	 n = utf8_char((const unsigned char *) reader->at,
								   (size_t) (reader->end - reader->at), &wide);

			if (n == 0)
				return false;
			reader->at += n;
		}
		else
			reader->at++;
	}
}

/* Everything that begins with a digit or a minus sign. */
static bool
scan_number(Reader *reader, JsonType *type)
{
	if (skip_word(reader, "-Infinity"))
	{
		*type = JSON_NONFINITE;
		return true;
	}
	skip_char(reader, '-');
	/* A digit behind a leading zero is then refused as trailing garbage. */
	if (!skip_char(reader, '0') && !skip_digits(reader))
		return false;
	*type = JSON_INTEGER;
	if (skip_char(reader, '.'))
	{
		*type = JSON_FRACTION;
		if (!skip_digits(reader))
			return false;
	}
	if (skip_char(reader, 'e') || skip_char(reader, 'E'))
	{
		*type = JSON_FRACTION;
		if (!skip_char(reader, '+'))
			skip_char(reader, '-');
		if (!skip_digits(reader))
			return false;
	}
	return true;
}

/* A member of the outermost object has been read. */
static bool
take_member(Reader *reader, const JsonValue *name, const JsonValue *value)
{
	for (size_t i = 0; i < reader->nmembers; i++)
	{
		if (json_string_equals(name, reader->encoding, reader->members[i].name))
			reader->members[i].value = *value;
	}
	return !reader->keep_names || keep_name(reader, name);
}

static bool
scan_object(Reader *reader, int depth)
{
	if (!skip_char(reader, '{'))
		return false;
	skip_blanks(reader);
	if (skip_char(reader, '}'))
		return true;
	do
	{
		JsonValue name;
		JsonValue value;

		skip_blanks(reader);
		if (!scan_string(reader, &name))
			return false;
		skip_blanks(reader);
		if (!skip_char(reader, ':'))
			return false;
		skip_blanks(reader);
		if (!scan_value(reader, depth, &value))
			return false;
		if (depth == 1 && !take_member(reader, &name, &value))
			return false;
		skip_blanks(reader);
	} while (skip_char(reader, ','));
	return skip_char(reader, '}');
}

static bool
scan_array(Reader *reader, int depth)
{
	if (!skip_char(reader, '['))
		return false;
	skip_blanks(reader);
	if (skip_char(reader, ']'))
		return true;
	do
	{
		JsonValue element;

		skip_blanks(reader);
		if (!scan_value(reader, depth, &element))
			return false;
		skip_blanks(reader);
	} while (skip_char(reader, ','));
	return skip_char(reader, ']');
}

/* A value without blanks around it, inside depth arrays and objects. */
static bool
scan_value(Reader *reader, int depth, JsonValue *value)
{
	const char *from = reader->at;
	bool		ok;

	if (reader->at == reader->end)
		return false;
	switch (*reader->at)
	{
		case '"': return scan_string(reader, value);
		case '{':
			value->type = JSON_OBJECT;
			ok = depth < JSON_MAX_DEPTH && scan_object(reader, depth + 1);
			break;
		case '[':
			value->type = JSON_ARRAY;
			ok = depth < JSON_MAX_DEPTH && scan_array(reader, depth + 1);
			break;
		case 'n':
			value->type = JSON_NULL;
			ok = skip_word(reader, "null");
			break;
		case 't':
			value->type = JSON_TRUE;
			ok = skip_word(reader, "true");
			break;
		case 'f':
			value->type = JSON_FALSE;
			ok = skip_word(reader, "false");
			break;
		case 'N':
			value->type = JSON_NONFINITE;
			ok = skip_word(reader, "NaN");
			break;
		case 'I':
			value->type = JSON_NONFINITE;
			ok = skip_word(reader, "Infinity");
			break;
		default: ok = scan_number(reader, &value->type); break;
	}
	value->text = from;
	value->len = (size_t) (reader->at - from);
	return ok;
}

/* ---- public ---- */

JsonStatus
json_read_object(const char *text, size_t len, JsonCharset encoding,
				 JsonMember *members, size_t nmembers, bool *duplicate)
{
	Reader	   reader;
	JsonValue  document;
	JsonStatus status;

	/* Not all of it: the list of few names is large and starts empty. */
	reader.at = text;
	reader.end = text + len;
	reader.encoding = encoding;
	reader.members = members;
	reader.nmembers = nmembers;
	reader.keep_names = duplicate != NULL;
	reader.no_memory = false;
	reader.names = reader.few_names;
	reader.nnames = 0;
	reader.names_max = FEW_NAMES;
	for (size_t i = 0; i < nmembers; i++)
		members[i].value = (JsonValue){JSON_ABSENT, NULL, 0};

	skip_blanks(&reader);
	status = scan_value(&reader, 0, &document) ? JSON_OK : JSON_INVALID;
	skip_blanks(&reader);
	if (reader.no_memory)
		status = JSON_NO_MEMORY;
	else if (reader.at != reader.end)
		status = JSON_INVALID;
	else if (status == JSON_OK && document.type != JSON_OBJECT)
		status = JSON_NOT_AN_OBJECT;

	if (duplicate != NULL)
		*duplicate = status == JSON_OK && have_equal_names(&reader);
	if (reader.names != reader.few_names)
		free(reader.names);
	if (status != JSON_OK)
	{
		for (size_t i = 0; i < nmembers; i++)
			members[i].value = (JsonValue){JSON_ABSENT, NULL, 0};
	}
	return status;
}

bool
json_read_string(const JsonValue *value, JsonCharset encoding, char *out,
				 size_t cap, size_t *out_len)
{
	const char *at = value->text;
	const char *end;
	size_t		n = 0;

	if (cap == 0)
		return false;
	if (value->type != JSON_STRING)
	{
		out[0] = '\0';
		return false;
	}
	end = at + value->len;
	while (at < end)
	{
		uint32_t c = next_char(&at, end, encoding);
		char	 utf8[4];
		size_t	 utf8_len = utf8_put(c, utf8);

		if (c == 0 || (c >= 0xD800 && c <= 0xDFFF) || utf8_len >= cap - n)
		{
			out[0] = '\0';
			return false;
		}
		memcpy(out + n, utf8, utf8_len);
		n += utf8_len;
	}
	out[n] = '\0';
	*out_len = n;
	return true;
}

bool
json_string_equals(const JsonValue *value, JsonCharset encoding,
				   const char *text)
{
	const char *at = value->text;
	const char *end;

	if (value->type != JSON_STRING)
		return false;
	end = at + value->len;
	while (at < end)
	{
		uint32_t c = next_char(&at, end, encoding);

		/* A NUL here equals no character of text, only its end. */
		if (c == 0)
			return false;
		if (c < 0x80)
		{
			if (*text != (char) c)
				return false;
			text++;
		}
		else
		{
			char   utf8[4];
			size_t utf8_len = utf8_put(c, utf8);

			if (strncmp(text, utf8, utf8_len) != 0)
				return false;
			text += utf8_len;
		}
	}
	return *text == '\0';
}

bool
json_array_next(const JsonValue *array, size_t *position, JsonValue *element)
{
	Reader reader;

	if (array->type != JSON_ARRAY)
		return false;
	if (*position == 0)
		*position = 1; /* behind the bracket */
	reader.at = array->text + *position;
	reader.end = array->text + array->len;
	/* The document was checked: its encoding need not be known again. */
	reader.encoding = JSON_LATIN1;
	skip_blanks(&reader);
	skip_char(&reader, ',');
	skip_blanks(&reader);
	/* Inside one array at least, so no object in it is the outermost. */
	if (!scan_value(&reader, 1, element))
		return false;
	*position = (size_t) (reader.at - array->text);
	return true;
}
