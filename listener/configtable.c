/*-------------------------------------------------------------------------
 *
 * configtable.c
 *	  The one table of settings, and what can be done to any of them.
 *
 *-------------------------------------------------------------------------
 */
#include "configtable.h"

#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "configtext.h"

#define KILOBYTE ((uint64_t) 1024)
#define MEGABYTE (1024 * KILOBYTE)
#define SECOND ((uint64_t) 1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const char *const level_choices[] = {"debug", "info", "warning", "error",
											NULL};
static const char *const refusal_choices[] = {"auto", "http", "websocket",
											  NULL};

_Static_assert(sizeof(LogLevel) == sizeof(int), "a choice is stored as int");
_Static_assert(sizeof(ConfigRefusal) == sizeof(int), "likewise");

#define FIXED false
#define RELOAD true

/* clang-format off */
#define STRING_SETTING(name, initial, reload, secret, help) \
	{#name, SETTING_STRING, offsetof(Config, name), initial, NULL, \
	 reload, secret, 0, 0, NULL, help}
#define BOOL_SETTING(name, initial, reload, help) \
	{#name, SETTING_BOOL, offsetof(Config, name), initial, NULL, \
	 reload, false, 0, 0, NULL, help}
#define CHOICE_SETTING(name, initial, choices, reload, help) \
	{#name, SETTING_CHOICE, offsetof(Config, name), initial, NULL, \
	 reload, false, 0, 0, choices, help}
#define INTEGER_SETTING(name, initial, minimum, maximum, reload, help) \
	{#name, SETTING_INTEGER, offsetof(Config, name), initial, NULL, \
	 reload, false, minimum, maximum, NULL, help}
#define BYTES_SETTING(name, initial, minimum, maximum, reload, help) \
	{#name, SETTING_BYTES, offsetof(Config, name), initial, "B", \
	 reload, false, minimum, maximum, NULL, help}
#define DURATION_SETTING(name, initial, minimum, maximum, reload, help) \
	{#name, SETTING_DURATION, offsetof(Config, name##_ms), initial, "s", \
	 reload, false, minimum, maximum, NULL, help}

/* The compiler compares the length with SETTING_COUNT. */
const Setting settings[] = {
	STRING_SETTING(listen, "127.0.0.1:8765", FIXED, false,
		"Addresses for plain WebSocket, separated by commas: host:port, "
		"[v6]:port or *:port; empty for none."),
	STRING_SETTING(tls_listen, "", FIXED, false,
		"Addresses for WebSocket over TLS, written as for listen."),
	STRING_SETTING(tls_certificate, "", RELOAD, false,
		"PEM file with the certificate and its chain; a reload reads it again."),
	STRING_SETTING(tls_key, "", RELOAD, false,
		"PEM file with the private key, closed to other users."),
	STRING_SETTING(database, "", FIXED, true,
		"libpq connection string or URI of the Django database; empty for "
		"libpq's own environment (PGHOST, PGSERVICE and others)."),
	CHOICE_SETTING(log_level, "info", level_choices, RELOAD,
		"The least important events that are logged."),
	CHOICE_SETTING(refusal, "auto", refusal_choices, RELOAD,
		"How a client is refused: http answers with a status, websocket with "
		"101 and a close code, auto with the latter if it sent Origin."),
	STRING_SETTING(header_keywords, "Token=token, Bearer=jwt, JWT=drf-jwt",
		RELOAD, false,
		"First words of the Authorization header and what follows each: token "
		"(Django REST framework) or knox, in any case; jwt (simplejwt), in "
		"exactly this case; drf-jwt, in any case."),
	BOOL_SETTING(allow_query_token, "off", RELOAD,
		"Whether ?token= is a credential; URLs leak into logs and histories."),
	BOOL_SETTING(allow_query_django_session, "off", RELOAD,
		"Whether ?session_key= may also be the key of a Django session, which "
		"is all that its cookie holds."),
	STRING_SETTING(jwt_cookie, "JWT", RELOAD, false,
		"Name of a cookie that holds a JWT, as drf-jwt's JWT_AUTH_COOKIE; empty "
		"for none."),
	STRING_SETTING(session_cookie, "sessionid", RELOAD, false,
		"Name of the cookie of Django's sessions (SESSION_COOKIE_NAME); empty "
		"for none."),
	STRING_SETTING(allowed_origins, "", RELOAD, false,
		"Pages that may connect, separated by commas: https://example.com, "
		".example.com (any scheme, and all hosts below) or * (any page); empty "
		"for cookies of the same origin as Host only."),
	BYTES_SETTING(max_header_bytes, "16kB", KILOBYTE, 64 * KILOBYTE, RELOAD,
		"The longest request head; a longer one is refused with 431."),
	DURATION_SETTING(header_timeout, "10s", 10, HOUR, RELOAD,
		"How long a client may take to send its request head."),
	DURATION_SETTING(auth_timeout, "5s", 10, HOUR, RELOAD,
		"How long a client waits for the database's answer."),
	DURATION_SETTING(close_timeout, "5s", 10, HOUR, RELOAD,
		"How long a client may take to answer a close frame."),
	DURATION_SETTING(expiry_warning, "60s", 0, DAY, RELOAD,
		"How long before a credential ends a client of usher.v1 is told so; 0 "
		"for never."),
	BYTES_SETTING(max_message_bytes, "64kB", 125, 16 * MEGABYTE, RELOAD,
		"The longest message a client may send; a longer one closes it with "
		"1009."),
	INTEGER_SETTING(message_rate, "100", 0, 1000000, RELOAD,
		"Messages a second that one client may send; 0 for any number."),
	INTEGER_SETTING(message_burst, "200", 1, 1000000, RELOAD,
		"Messages that one client may send at once before message_rate "
		"counts."),
	INTEGER_SETTING(message_rate_per_user, "0", 0, 1000000, RELOAD,
		"Messages a second that all clients of one user may send, twice as many "
		"at once, or message_burst if that is more; 0 for any number."),
	INTEGER_SETTING(message_rate_per_address, "0", 0, 1000000, RELOAD,
		"Messages a second that all clients at one address may send, twice as "
		"many at once, or message_burst if that is more; 0 for any number."),
	BYTES_SETTING(byte_rate, "0", 0, 1024 * MEGABYTE, RELOAD,
		"Bytes of messages a second that one client may send, twice as many at "
		"once and always one whole message; 0 for any number."),
	BYTES_SETTING(byte_rate_per_user, "0", 0, 1024 * MEGABYTE, RELOAD,
		"The same for all clients of one user."),
	BYTES_SETTING(byte_rate_per_address, "0", 0, 1024 * MEGABYTE, RELOAD,
		"The same for all clients at one address."),
	INTEGER_SETTING(max_groups, "100", 1, 1000000, RELOAD,
		"Groups that one client of usher.v1 may be in."),
	INTEGER_SETTING(max_groups_per_user, "0", 0, 10000000, RELOAD,
		"Groups that all clients of one user may be in, counted once for each "
		"client; 0 for any number."),
	INTEGER_SETTING(max_groups_per_address, "0", 0, 10000000, RELOAD,
		"The same for all clients at one address; 0 for any number."),
	INTEGER_SETTING(max_inflight, "16", 1, 10000, RELOAD,
		"Messages of one client that may wait for the database; beyond it the "
		"client is not read."),
	INTEGER_SETTING(max_connections, "0", 0, 10000000, RELOAD,
		"Clients at a time; 0 for as many as descriptors allow."),
	INTEGER_SETTING(max_unauthenticated, "10000", 1, 10000000, RELOAD,
		"Clients at a time that have not been admitted yet."),
	INTEGER_SETTING(max_connections_per_user, "0", 0, 10000000, RELOAD,
		"Clients at a time of one user; 0 for any number."),
	INTEGER_SETTING(max_connections_per_address, "0", 0, 10000000, RELOAD,
		"Clients at a time from one address; 0 for any number."),
	BYTES_SETTING(recent_bytes, "64MB", 0, 1024 * MEGABYTE, RELOAD,
		"Memory for recent messages of durable groups, out of which clients that "
		"come back are told what they missed; older ones come from the "
		"database."),
	INTEGER_SETTING(resume_limit, "10000", 0, 10000000, RELOAD,
		"Messages of a group that a client may have missed and is still told; "
		"beyond it the client hears that it has not recovered."),
	BYTES_SETTING(queue_bytes, "2MB", 64 * KILOBYTE, 1024 * MEGABYTE, RELOAD,
		"What may wait for a client that reads slowly; beyond it the client is "
		"closed with 4430."),
	DURATION_SETTING(queue_age, "30s", 100, DAY, RELOAD,
		"How long something may wait for a client that reads slowly; beyond it "
		"the client is closed with 4430."),
	DURATION_SETTING(ping_interval, "30s", 0, DAY, RELOAD,
		"A client that has sent nothing for this long is pinged; 0 for never."),
	DURATION_SETTING(ping_timeout, "20s", 10, HOUR, RELOAD,
		"How long a client may take to answer a ping."),
	DURATION_SETTING(drain_time, "5s", 0, HOUR, RELOAD,
		"Over how long clients are closed with 1001 when the listener stops."),
	INTEGER_SETTING(max_plain_groups, "1000", 0, 1000000, RELOAD,
		"Groups of plain categories at a time; each is a channel that "
		"PostgreSQL is asked to LISTEN to."),
	DURATION_SETTING(presence_delay, "3s", 0, HOUR, RELOAD,
		"How long a user may be away from a group before he counts as having "
		"left it."),
	DURATION_SETTING(report_interval, "1s", 100, HOUR, RELOAD,
		"How often the listener tells the database who is connected; the views "
		"and presence are that far behind."),
	DURATION_SETTING(lease, "15s", SECOND, HOUR, RELOAD,
		"How long what the listener has told holds when it is heard of no "
		"more; at least three times report_interval."),
	BOOL_SETTING(page, "off", RELOAD,
		"Whether / is a page to try the listener with."),
	DURATION_SETTING(canary_interval, "5s", 100, HOUR, RELOAD,
		"How often the listener notifies itself to prove that LISTEN works."),
	INTEGER_SETTING(call_links, "2", 1, 8, FIXED,
		"Connections to PostgreSQL for questions, besides the one that "
		"LISTENs."),
	INTEGER_SETTING(max_pending_calls, "20000", 1, 10000000, RELOAD,
		"Questions that may wait for PostgreSQL; beyond it clients are refused "
		"with 503."),
	DURATION_SETTING(call_timeout, "5s", 10, HOUR, FIXED,
		"The statement_timeout of questions to PostgreSQL."),
};
/* clang-format on */

bool
error_set(ErrorText error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error.text, error.cap, format, args);
	va_end(args);
	return false;
}

static void *
field(const Config *config, const Setting *setting)
{
	return (char *) (uintptr_t) config + setting->offset;
}

const Setting *
setting_find(const char *name, size_t len)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		const char *spelled = settings[i].name;
		size_t		at = 0;

		while (at < len && spelled[at] != '\0' &&
			   (name[at] == '-' ? '_' : name[at]) == spelled[at])
			at++;
		if (at == len && spelled[at] == '\0')
			return &settings[i];
	}
	return NULL;
}

const char *
setting_variable(const Setting *setting, char out[VARIABLE_NAME_CAP])
{
	size_t len = (size_t) snprintf(out, VARIABLE_NAME_CAP,
								   ENVIRONMENT_PREFIX "%s", setting->name);

	for (size_t i = 0; i < len; i++)
	{
		if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char) (out[i] - 'a' + 'A');
	}
	return out;
}

static const Unit *
units_of(const Setting *setting)
{
	switch (setting->type)
	{
		case SETTING_BYTES: return byte_units;
		case SETTING_DURATION: return duration_units;
		case SETTING_STRING:
		case SETTING_BOOL:
		case SETTING_CHOICE:
		case SETTING_INTEGER: return NULL;
	}
	abort();
}

static bool
set_string(Config *config, const Setting *setting, const char *text,
		   const char *source, ErrorText error)
{
	char **value = field(config, setting);
	char  *copy;

	for (const char *at = text; *at != '\0'; at++)
	{
		if ((unsigned char) *at < 0x20 || *at == 0x7F)
			return error_set(
				error, "%s: %s has a control character in it; take it out",
				source, setting->name);
	}
	copy = strdup(text);
	if (copy == NULL)
		return error_set(error, "out of memory");
	free(*value);
	*value = copy;
	return true;
}

static bool
set_choice(Config *config, const Setting *setting, const char *text,
		   const char *source, ErrorText error)
{
	char   known[128] = "";
	size_t used = 0;

	for (int i = 0; setting->choices[i] != NULL; i++)
	{
		if (strcasecmp(text, setting->choices[i]) == 0)
		{
			memcpy(field(config, setting), &i, sizeof(i));
			return true;
		}
		used += (size_t) snprintf(known + used, sizeof(known) - used, "%s%s",
								  i == 0 ? "" : ", ", setting->choices[i]);
	}
	return error_set(error, "%s: %s cannot be \"%s\"; write one of %s", source,
					 setting->name, text, known);
}

static bool
set_number(Config *config, const Setting *setting, const char *text,
		   const char *source, ErrorText error)
{
	const Unit *units = units_of(setting);
	uint64_t	value;
	char		low[32];
	char		high[32];

	if (!text_to_number(text, units, setting->unit, &value))
		return error_set(error,
						 "%s: %s cannot be \"%s\"; write a whole number%s",
						 source, setting->name, text,
						 units == byte_units	   ? " of B, kB, MB or GB"
						 : units == duration_units ? " of ms, s, min, h or d"
												   : "");
	if (value < setting->minimum || value > setting->maximum)
		return error_set(
			error, "%s: %s cannot be \"%s\"; write something from %s to %s",
			source, setting->name, text,
			number_to_text(setting->minimum, units, low, sizeof(low)),
			number_to_text(setting->maximum, units, high, sizeof(high)));

	if (setting->type == SETTING_INTEGER)
		*(uint32_t *) field(config, setting) = (uint32_t) value;
	else if (setting->type == SETTING_BYTES)
		*(size_t *) field(config, setting) = (size_t) value;
	else
		*(uint64_t *) field(config, setting) = value;
	return true;
}

bool
setting_set(Config *config, const Setting *setting, const char *text,
			const char *source, ErrorText error)
{
	switch (setting->type)
	{
		case SETTING_STRING:
			return set_string(config, setting, text, source, error);
		case SETTING_BOOL:
			if (!text_to_bool(text, field(config, setting)))
				return error_set(error,
								 "%s: %s cannot be \"%s\"; write on or off",
								 source, setting->name, text);
			return true;
		case SETTING_CHOICE:
			return set_choice(config, setting, text, source, error);
		case SETTING_INTEGER:
		case SETTING_BYTES:
		case SETTING_DURATION:
			return set_number(config, setting, text, source, error);
	}
	abort();
}

bool
setting_same(const Config *a, const Config *b, const Setting *setting)
{
	const void *left = field(a, setting);
	const void *right = field(b, setting);

	switch (setting->type)
	{
		case SETTING_STRING:
			return strcmp(*(char *const *) left, *(char *const *) right) == 0;
		case SETTING_BOOL: return *(const bool *) left == *(const bool *) right;
		case SETTING_CHOICE: return memcmp(left, right, sizeof(int)) == 0;
		case SETTING_INTEGER:
			return *(const uint32_t *) left == *(const uint32_t *) right;
		case SETTING_BYTES:
			return *(const size_t *) left == *(const size_t *) right;
		case SETTING_DURATION:
			return *(const uint64_t *) left == *(const uint64_t *) right;
	}
	abort();
}

bool
setting_copy(Config *to, const Config *from, const Setting *setting)
{
	void	   *target = field(to, setting);
	const void *value = field(from, setting);
	char	   *copy;

	switch (setting->type)
	{
		case SETTING_STRING:
			copy = strdup(*(char *const *) value);
			if (copy == NULL)
				return false;
			free(*(char **) target);
			*(char **) target = copy;
			return true;
		case SETTING_BOOL: memcpy(target, value, sizeof(bool)); return true;
		case SETTING_CHOICE: memcpy(target, value, sizeof(int)); return true;
		case SETTING_INTEGER:
			memcpy(target, value, sizeof(uint32_t));
			return true;
		case SETTING_BYTES: memcpy(target, value, sizeof(size_t)); return true;
		case SETTING_DURATION:
			memcpy(target, value, sizeof(uint64_t));
			return true;
	}
	abort();
}

void
setting_free(Config *config, const Setting *setting)
{
	char **value = field(config, setting);

	if (setting->type != SETTING_STRING)
		return;
	if (*value != NULL && setting->secret)
		explicit_bzero(*value, strlen(*value));
	free(*value);
	*value = NULL;
}

/* Print text in lines of at most 79 columns, indented by eight. */
static void
print_wrapped(FILE *stream, const char *text)
{
	size_t column = 0;

	while (*text != '\0')
	{
		size_t word = strcspn(text, " ");

		if (column != 0 && column + 1 + word > 79)
		{
			fputc('\n', stream);
			column = 0;
		}
		if (column == 0)
			column = (size_t) fprintf(stream, "%8s", "");
		else
			column += (size_t) fprintf(stream, " ");
		column += (size_t) fprintf(stream, "%.*s", (int) word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', stream);
}

void
setting_print(FILE *stream, const Setting *setting)
{
	static const char *const kind[] = {
		[SETTING_STRING] = "TEXT", [SETTING_BOOL] = "on|off",
		[SETTING_CHOICE] = NULL,   [SETTING_INTEGER] = "NUMBER",
		[SETTING_BYTES] = "BYTES", [SETTING_DURATION] = "TIME",
	};
	const Unit *units = units_of(setting);
	char		details[256];
	char		low[32];
	char		high[32];
	size_t		used;

	fprintf(stream, "\n  --%s=", setting->name);
	if (setting->type == SETTING_CHOICE)
	{
		for (size_t i = 0; setting->choices[i] != NULL; i++)
			fprintf(stream, "%s%s", i == 0 ? "" : "|", setting->choices[i]);
	}
	else
		fputs(kind[setting->type], stream);
	fputc('\n', stream);
	print_wrapped(stream, setting->help);

	used = (size_t) snprintf(details, sizeof(details), "Default: %s.",
							 setting->initial[0] == '\0' ? "empty"
														 : setting->initial);
	if (setting->maximum != 0)
		used += (size_t) snprintf(
			details + used, sizeof(details) - used, "  From %s to %s.",
			number_to_text(setting->minimum, units, low, sizeof(low)),
			number_to_text(setting->maximum, units, high, sizeof(high)));
	if (setting->unit != NULL)
		used += (size_t) snprintf(details + used, sizeof(details) - used,
								  "  Unit: %s.", setting->unit);
	if (!setting->reloadable)
		snprintf(details + used, sizeof(details) - used, "  Needs a restart.");
	print_wrapped(stream, details);
}
