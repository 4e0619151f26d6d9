/*-------------------------------------------------------------------------
 *
 * configtext.c
 *	  The text of a setting to its value, and back.
 *
 *-------------------------------------------------------------------------
 */
#include "configtext.h"

#include <stdio.h>
#include <strings.h>

/* Smallest first: number_to_text() takes the last that divides. */
const Unit byte_units[] = {
	{"B", 1},  {"kB", 1024}, {"MB", 1024 * 1024}, {"GB", 1024 * 1024 * 1024},
	{NULL, 0},
};

const Unit duration_units[] = {
	{"ms", 1},
	{"s", 1000},
	{"min", 60 * 1000},
	{"h", 60 * 60 * 1000},
	{"d", 24 * 60 * 60 * 1000},
	{NULL, 0},
};

/* isspace() and isdigit() ask the locale; a configuration must not. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' ||
		   c == '\v';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
text_to_bool(const char *text, bool *value)
{
	static const char *const spelled[] = {"off", "on",	"false", "true",
										  "no",	 "yes", "0",	 "1"};

	for (size_t i = 0; i < lengthof(spelled); i++)
	{
		if (strcasecmp(text, spelled[i]) == 0)
		{
			*value = i % 2 == 1;
			return true;
		}
	}
	return false;
}

bool
text_to_number(const char *text, const Unit *units, const char *bare_unit,
			   uint64_t *value)
{
	uint64_t number = 0;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++)
	{
		uint64_t digit = (uint64_t) (*text - '0');

		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	while (is_blank(*text))
		text++;

	if (units == NULL)
	{
		*value = number;
		return *text == '\0';
	}
	if (*text == '\0')
		text = bare_unit;
	for (; units->name != NULL; units++)
	{
		if (strcmp(text, units->name) == 0)
		{
			if (number > UINT64_MAX / units->factor)
				return false;
			*value = number * units->factor;
			return true;
		}
	}
	return false;
}

const char *
number_to_text(uint64_t value, const Unit *units, char *out, size_t cap)
{
	const Unit *best = NULL;

	for (; value != 0 && units != NULL && units->name != NULL; units++)
	{
		if (value % units->factor == 0)
			best = units;
	}
	snprintf(out, cap, "%llu%s",
			 (unsigned long long) (best == NULL ? value : value / best->factor),
			 best == NULL ? "" : best->name);
	return out;
}

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Keywords whose values open something (libpq, "Parameter Key Words"). */
static bool
keyword_is_secret(const char *keyword)
{
	return strcmp(keyword, "password") == 0 ||
		   strcmp(keyword, "sslpassword") == 0;
}

/* A URI's parameters: name=value&..., percent-encoded. */
static bool
parameters_have_password(const char *at)
{
	while (*at != '\0')
	{
		char   name[32];
		size_t len = 0;

		for (; *at != '\0' && *at != '=' && *at != '&'; at++)
		{
			char c = *at;

			if (c == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0)
			{
				c = (char) (hex_digit(at[1]) << 4 | hex_digit(at[2]));
				at += 2;
			}
			if (len < sizeof(name) - 1)
				name[len++] = c;
		}
		name[len] = '\0';
		if (*at == '=' && at[1] != '\0' && at[1] != '&' &&
			keyword_is_secret(name))
			return true;
		at += strcspn(at, "&");
		if (*at == '&')
			at++;
	}
	return false;
}

/* user:password@host/name?parameters, as conninfo_uri_parse_options() cuts. */
static bool
uri_has_password(const char *at)
{
	size_t		user_info = strcspn(at, "@/");
	const char *colon;
	const char *query;

	if (at[user_info] == '@')
	{
		colon = memchr(at, ':', user_info);
		if (colon != NULL && colon + 1 < at + user_info)
			return true;
		at += user_info + 1;
	}
	query = strchr(at, '?');
	return query != NULL && parameters_have_password(query + 1);
}

bool
conninfo_has_password(const char *conninfo)
{
	static const char *const scheme[] = {"postgresql://", "postgres://"};
	const char				*at = conninfo;

	for (size_t i = 0; i < lengthof(scheme); i++)
	{
		if (strncmp(at, scheme[i], strlen(scheme[i])) == 0)
			return uri_has_password(at + strlen(scheme[i]));
	}

	/* keyword = value pairs, as conninfo_parse() reads them. */
	while (*at != '\0')
	{
		char   keyword[32];
		size_t len = 0;
		bool   quoted;
		bool   empty = true;

		while (is_blank(*at))
			at++;
		for (; *at != '\0' && *at != '=' && !is_blank(*at); at++)
		{
			if (len < sizeof(keyword) - 1)
				keyword[len++] = *at;
		}
		keyword[len] = '\0';
		while (is_blank(*at))
			at++;
		if (*at != '=')
			return false; /* libpq will complain */
		at++;
		while (is_blank(*at))
			at++;

		quoted = *at == '\'';
		if (quoted)
			at++;
		for (; *at != '\0' && (quoted ? *at != '\'' : !is_blank(*at)); at++)
		{
			if (*at == '\\' && at[1] != '\0')
				at++;
			empty = false;
		}
		if (quoted && *at == '\'')
			at++;
		if (!empty && keyword_is_secret(keyword))
			return true;
	}
	return false;
}

bool
text_is_http_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
	{
		bool letter =
			(*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');

		if (!letter && !is_digit(*text) &&
			strchr("!#$%&'*+-.^_`|~", *text) == NULL)
			return false;
	}
	return true;
}
