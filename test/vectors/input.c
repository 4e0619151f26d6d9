/*-------------------------------------------------------------------------
 *
 * input.c
 *	  Members of a case: text, bytes, keys, times and users.
 *
 *-------------------------------------------------------------------------
 */
#include "vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "user_key.h"
#include "websocket.h"

#define US_PER_S INT64_C(1000000)

typedef struct Block
{
	void *next;
	char  bytes[];
} Block;

typedef enum KeyType
{
	KEY_BIGINT,
	KEY_UUID,
	KEY_TEXT
} KeyType;

/* ---- the case itself ---- */

void
case_error(Case *c, const char *format, ...)
{
	va_list args;

	if (c->error[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(c->error, sizeof(c->error), format, args);
	va_end(args);
}

void *
case_alloc(Case *c, size_t len)
{
	Block *block = malloc(sizeof(Block) + len);

	if (block == NULL)
		abort();
	block->next = c->blocks;
	c->blocks = block;
	return block->bytes;
}

Slice
case_copy(Case *c, const void *bytes, size_t len)
{
	char *copy = case_alloc(c, len);

	if (len > 0)
		memcpy(copy, bytes, len);
	return (Slice){copy, len};
}

char *
case_text(Case *c, Slice slice)
{
	char *text = case_alloc(c, slice.len + 1);

	if (slice.len > 0)
		memcpy(text, slice.ptr, slice.len);
	text[slice.len] = '\0';
	return text;
}

Slice
case_hex(Case *c, const uint8_t *bytes, size_t len)
{
	char *hex = case_alloc(c, 2 * len + 1);

	crypto_hex(bytes, len, hex);
	return (Slice){hex, 2 * len};
}

void
verdict_accept(Verdict *v, const char *answer, Slice text)
{
	v->valid = true;
	v->reason = NULL;
	v->answer = answer;
	v->text = text;
}

void
verdict_refuse(Verdict *v, const char *reason)
{
	v->valid = false;
	v->reason = reason;
}

/* ---- members ---- */

void
check_members(Case *c, json_t *object, const char *where,
			  const char *const *names)
{
	const char *member;
	json_t	   *value;

	if (!json_is_object(object))
	{
		case_error(c, "%s is not an object", where);
		return;
	}
	json_object_foreach(object, member, value)
	{
		const char *const *name = names;

		while (*name != NULL && strcmp(*name, member) != 0)
			name++;
		if (*name == NULL)
			case_error(c, "unknown member \"%s\" of %s", member, where);
	}
}

Slice
optional_text(Case *c, json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (value == NULL || json_is_null(value))
		return SLICE_NONE;
	if (!json_is_string(value))
	{
		case_error(c, "\"%s\" is not a string", name);
		return SLICE_NONE;
	}
	return case_copy(c, json_string_value(value), json_string_length(value));
}

Slice
required_text(Case *c, json_t *object, const char *name)
{
	Slice text = optional_text(c, object, name);

	if (text.ptr == NULL)
	{
		case_error(c, "\"%s\" is missing", name);
		text = case_copy(c, "", 0);
	}
	return text;
}

const char *
text_or(Case *c, json_t *object, const char *name, const char *otherwise)
{
	Slice text;

	if (json_object_get(object, name) == NULL)
		return otherwise;
	text = optional_text(c, object, name);
	if (text.ptr == NULL)
		return NULL;
	if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
		case_error(c, "\"%s\" holds a NUL", name);
	return case_text(c, text);
}

bool
bool_or(Case *c, json_t *object, const char *name, bool otherwise)
{
	json_t *value = json_object_get(object, name);

	if (value == NULL || json_is_null(value))
		return otherwise;
	if (!json_is_boolean(value))
		case_error(c, "\"%s\" is not a boolean", name);
	return json_is_true(value);
}

int64_t
integer_or(Case *c, json_t *object, const char *name, int64_t otherwise)
{
	json_t *value = json_object_get(object, name);

	if (value == NULL || json_is_null(value))
		return otherwise;
	if (json_is_real(value) && json_real_value(value) > -1e15 &&
		json_real_value(value) < 1e15 &&
		(double) (int64_t) json_real_value(value) == json_real_value(value))
		return (int64_t) json_real_value(value);
	if (!json_is_integer(value))
		case_error(c, "\"%s\" is not an integer", name);
	return json_integer_value(value);
}

const char *const *
words_of(Case *c, json_t *object, const char *name, size_t *count)
{
	json_t		*value = json_object_get(object, name);
	const char **words;
	json_t		*word;
	size_t		 i;

	*count = 0;
	if (value == NULL || json_is_null(value))
		return NULL;
	if (json_is_string(value))
	{
		words = case_alloc(c, sizeof(*words));
		words[(*count)++] = text_or(c, object, name, "");
		return words;
	}
	words = case_alloc(c, json_array_size(value) * sizeof(*words));
	if (!json_is_array(value))
		case_error(c, "\"%s\" is not a list", name);
	json_array_foreach(value, i, word)
	{
		if (!json_is_string(word) ||
			strlen(json_string_value(word)) != json_string_length(word))
			case_error(c, "\"%s\" holds something other than text", name);
		else
			words[(*count)++] = json_string_value(word);
	}
	return words;
}

/* Days from 1970-01-01, of the proleptic Gregorian calendar. */
static int64_t
days_from_date(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
		   year_of_era / 100 + day_of_year - 1 - 719468;
}

bool
parse_time(json_t *value, int64_t *time_us)
{
	const char *text = json_string_value(value);
	int			year, month, day, hour, minute, second;
	int			used = 0;
	int64_t		fraction = 0;
	int64_t		offset_s = 0;

	if (json_is_number(value))
	{
		double seconds = json_number_value(value);

		if (!(seconds > -1e12 && seconds < 1e12))
			return false;
		*time_us = (int64_t) (seconds * 1e6 + (seconds < 0 ? -0.5 : 0.5));
		return true;
	}
	if (text == NULL ||
		sscanf(text, "%4d-%2d-%2d%*1[T ]%2d:%2d:%2d%n", &year, &month, &day,
			   &hour, &minute, &second, &used) != 6 ||
		used == 0)
		return false;
	text += used;
	if (*text == '.')
	{
		int64_t unit = US_PER_S / 10;

		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			fraction += (*text - '0') * unit;
	}
	if (*text == '+' || *text == '-')
	{
		int sign = *text == '-' ? -1 : 1;
		int hours, minutes;

		used = 0;
		if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2)
			return false;
		offset_s = sign * (hours * 3600 + minutes * 60);
		text += 1 + used;
	}
	else if (*text == 'Z')
		text++;
	if (*text != '\0')
		return false;
	*time_us = (days_from_date(year, month, day) * 86400 + hour * 3600 +
				minute * 60 + second - offset_s) *
				   US_PER_S +
			   fraction;
	return true;
}

/* ---- bytes ---- */

Slice
unhex(Case *c, const char *hex)
{
	size_t	 len = strlen(hex) / 2;
	char	*lower = case_text(c, (Slice){hex, strlen(hex)});
	uint8_t *bytes = case_alloc(c, len);

	for (char *digit = lower; *digit != '\0'; digit++)
		if (*digit >= 'A' && *digit <= 'F')
			*digit = (char) (*digit - 'A' + 'a');
	if (!crypto_unhex(lower, strlen(lower), bytes, len))
		case_error(c, "\"%.20s\" is not hexadecimal", hex);
	return (Slice){(char *) bytes, len};
}

/* Each character of UTF-8 as one byte; ptr NULL when one is above U+00FF. */
static Slice
latin1(Case *c, Slice text)
{
	char  *bytes = case_alloc(c, text.len);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++)
	{
		unsigned char byte = (unsigned char) text.ptr[i];

		if (byte >= 0xC4)
			return SLICE_NONE;
		if (byte >= 0xC2)
			byte =
				(unsigned char) ((byte & 0x03) << 6 | (text.ptr[++i] & 0x3F));
		bytes[len++] = (char) byte;
	}
	/* Once more, to end where the bytes end. */
	return case_copy(c, bytes, len);
}

Slice
header_of(Case *c)
{
	Slice text;
	Slice bytes;

	if (json_object_get(c->input, "header_hex") != NULL)
	{
		text = optional_text(c, c->input, "header_hex");
		return text.ptr == NULL ? text : unhex(c, case_text(c, text));
	}
	text = optional_text(c, c->input, "header");
	if (text.ptr == NULL)
		return text;
	bytes = latin1(c, text);
	return bytes.ptr != NULL ? bytes : text;
}

CryptoPart
key_of(Case *c, const char *name)
{
	json_t *key = json_object_get(json_object_get(c->file, "keys"), name);
	Slice	bytes;

	if (!json_is_object(key))
	{
		case_error(c, "the file has no key \"%s\"", name);
		return (CryptoPart){"", 0};
	}
	/* text is for readers: not every key is text. */
	if (json_is_string(json_object_get(key, "hex")))
		bytes = unhex(c, json_string_value(json_object_get(key, "hex")));
	else
		bytes = required_text(c, key, "text");
	return (CryptoPart){bytes.ptr, bytes.len};
}

DjangoSecretKeys
secret_keys_of(Case *c)
{
	size_t			   count;
	const char *const *names = words_of(c, c->input, "fallbacks", &count);
	CryptoPart		  *keys = case_alloc(c, (count + 1) * sizeof(*keys));
	const char		  *name = text_or(c, c->input, "secret_key", "main");

	if (name == NULL)
	{
		case_error(c, "\"secret_key\" is null");
		name = "main";
	}
	keys[0] = key_of(c, name);
	for (size_t i = 0; i < count; i++)
		keys[i + 1] = key_of(c, names[i]);
	return (DjangoSecretKeys){keys, count + 1};
}

CryptoHash
hash_of(Case *c, json_t *object, const char *name, const char *otherwise)
{
	static const struct
	{
		const char *name;
		CryptoHash	hash;
	} hashes[] = {
		{"md5", CRYPTO_MD5},		   {"sha1", CRYPTO_SHA1},
		{"sha256", CRYPTO_SHA256},	   {"sha384", CRYPTO_SHA384},
		{"sha512", CRYPTO_SHA512},	   {"sha3_256", CRYPTO_SHA3_256},
		{"sha3_512", CRYPTO_SHA3_512},
	};
	const char *text = text_or(c, object, name, otherwise);

	for (size_t i = 0; text != NULL && i < lengthof(hashes); i++)
		if (strcmp(hashes[i].name, text) == 0)
			return hashes[i].hash;
	case_error(c, "unknown hash \"%s\"", text != NULL ? text : "null");
	return CRYPTO_SHA256;
}

/* ---- users ---- */

/* The table that input.users names, or holds itself. */
static json_t *
user_table(Case *c)
{
	json_t	   *users = json_object_get(c->input, "users");
	const char *name = users == NULL ? "users" : json_string_value(users);

	if (name != NULL)
		users = json_object_get(c->file, name);
	if (!json_is_array(users))
		case_error(c, "the file has no users \"%s\"",
				   name != NULL ? name : "?");
	return users;
}

/* Integers of rows may be written as numbers. */
static Slice
cell(Case *c, json_t *row, const char *column)
{
	json_t *value = json_object_get(row, column);
	char	digits[24];

	if (!json_is_integer(value))
		return optional_text(c, row, column);
	snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	return case_copy(c, digits, strlen(digits));
}

static bool
is_bigint(Slice text, int64_t *number)
{
	return user_key_parse_integer(text.ptr, text.len, INT64_MIN, INT64_MAX,
								  number);
}

static KeyType
key_type(Case *c, json_t *users)
{
	bool	bigint = true;
	bool	uuid = true;
	json_t *row;
	size_t	i;

	json_array_foreach(users, i, row)
	{
		Slice	id = cell(c, row, "id");
		int64_t number;
		uint8_t bytes[USER_KEY_UUID_BYTES];

		if (id.ptr == NULL)
		{
			case_error(c, "a user has no id");
			continue;
		}
		bigint = bigint && is_bigint(id, &number);
		uuid = uuid && user_key_parse_uuid(id.ptr, id.len, bytes);
	}
	return bigint ? KEY_BIGINT : uuid ? KEY_UUID : KEY_TEXT;
}

static void
read_user(Case *c, json_t *row, User *user)
{
	user->id = case_text(c, cell(c, row, "id"));
	user->password = optional_text(c, row, "password");
	if (user->password.ptr == NULL)
		user->password = case_copy(c, "", 0);
	/* A model without the column: everybody is (base_user.py). */
	user->is_active = bool_or(c, row, "is_active", true);
}

const char *
user_by_id(Case *c, Slice id, User *user)
{
	json_t *users = user_table(c);
	KeyType type = key_type(c, users);
	int64_t number = 0;
	uint8_t uuid[USER_KEY_UUID_BYTES];
	json_t *row;
	size_t	i;

	if (c->error[0] != '\0')
		return "unknown_user";
	if ((type == KEY_BIGINT && !is_bigint(id, &number)) ||
		(type == KEY_UUID && !user_key_parse_uuid(id.ptr, id.len, uuid)))
		return "bad_user_id";
	json_array_foreach(users, i, row)
	{
		Slice	key = cell(c, row, "id");
		int64_t key_number;
		uint8_t key_uuid[USER_KEY_UUID_BYTES];
		bool	found = false;

		switch (type)
		{
			case KEY_BIGINT:
				found = is_bigint(key, &key_number) && key_number == number;
				break;
			case KEY_UUID:
				found = user_key_parse_uuid(key.ptr, key.len, key_uuid) &&
						memcmp(key_uuid, uuid, sizeof(uuid)) == 0;
				break;
			case KEY_TEXT:
				found = key.len == id.len &&
						(id.len == 0 || memcmp(key.ptr, id.ptr, id.len) == 0);
				break;
		}
		if (found)
		{
			read_user(c, row, user);
			return NULL;
		}
	}
	return "unknown_user";
}

const char *
user_by_member(Case *c, const char *member, Slice value, User *user)
{
	json_t *users = user_table(c);
	json_t *row;
	size_t	i;

	json_array_foreach(users, i, row)
	{
		Slice text;

		if (json_object_get(row, member) == NULL)
			case_error(c, "a user has no \"%s\"", member);
		text = cell(c, row, member);
		if (text.ptr != NULL && text.len == value.len &&
			(value.len == 0 || memcmp(text.ptr, value.ptr, value.len) == 0))
		{
			read_user(c, row, user);
			return NULL;
		}
	}
	return "unknown_user";
}
