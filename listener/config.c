/*-------------------------------------------------------------------------
 *
 * config.c
 *	  Settings of the listener: one table, four places to set them.
 *
 * Each source leaves texts, a later one replacing an earlier one's; only the
 * text that won is parsed, so an error names the place it has to be mended in.
 *
 *-------------------------------------------------------------------------
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef USHER_VERSION
#error "the build gives USHER_VERSION"
#endif

#define SECTION "usherd"
#define ENVIRONMENT_PREFIX "USHERD_"
#define SENTENCE_BYTES 512
/* A slow reader is told apart from one burst only above this. */
#define MIN_QUEUE_BYTES 65536

typedef enum SettingType
{
	SETTING_BOOL,	   /* bool */
	SETTING_INTEGER,   /* uint32_t */
	SETTING_BYTES,	   /* size_t */
	SETTING_DURATION,  /* uint64_t, milliseconds */
	SETTING_STRING,	   /* char * */
	SETTING_LOG_LEVEL, /* LogLevel */
	SETTING_REFUSAL,   /* ConfigRefusal */
} SettingType;

typedef struct Setting
{
	const char *name;
	SettingType type;
	size_t		offset;
	const char *initial; /* as one would write it */
	uint64_t	minimum; /* in bytes, milliseconds, or as it is */
	uint64_t	maximum;
	bool		reloadable;
	bool		secret; /* the value is never shown */
	const char *help;
} Setting;

#define AT(field) offsetof(Config, field)
#define KB UINT64_C(1024)
#define MB (1024 * KB)
#define SECOND UINT64_C(1000)
#define DAY (86400 * SECOND)

static const Setting settings[] = {
	{"listen", SETTING_STRING, AT(listen), "127.0.0.1:8765", 0, 0, false, false,
	 "Addresses for plain WebSocket: host:port, [v6]:port or *:port, separated "
	 "by commas."},
	{"tls_listen", SETTING_STRING, AT(tls_listen), "", 0, 0, false, false,
	 "Addresses for WebSocket over TLS."},
	{"tls_certificate", SETTING_STRING, AT(tls_certificate), "", 0, 0, true,
	 false, "PEM file with the certificate chain; read again on SIGHUP."},
	{"tls_key", SETTING_STRING, AT(tls_key), "", 0, 0, true, false,
	 "PEM file with the private key; read again on SIGHUP."},
	{"database", SETTING_STRING, AT(database), "", 0, 0, false, true,
	 "libpq connection string or URI of the Django database; empty: libpq's "
	 "environment variables."},
	{"log_level", SETTING_LOG_LEVEL, AT(log_level), "info", 0, 0, true, false,
	 "debug, info, warning or error."},
	{"refusal", SETTING_REFUSAL, AT(refusal), "auto", 0, 0, true, false,
	 "How a request is refused: http, websocket (101 and a close code), or "
	 "auto: websocket for requests with Origin."},
	{"token_keyword", SETTING_STRING, AT(token_keyword), "Token", 0, 0, true,
	 false,
	 "Scheme of the Authorization header, as DRF's "
	 "TokenAuthentication.keyword."},
	{"allow_query_token", SETTING_BOOL, AT(allow_query_token), "off", 0, 1,
	 true, false, "Accept ?token=; URLs leak, so prefer ?session_key=."},
	{"max_header_bytes", SETTING_BYTES, AT(max_header_bytes), "16kB", KB,
	 64 * KB, true, false, "Largest request head; more is refused with 431."},
	{"header_timeout", SETTING_DURATION, AT(header_timeout_ms), "10s", 1, DAY,
	 true, false, "Time for a request head to arrive."},
	{"auth_timeout", SETTING_DURATION, AT(auth_timeout_ms), "5s", 1, DAY, true,
	 false, "Time a client waits for the database's answer."},
	{"close_timeout", SETTING_DURATION, AT(close_timeout_ms), "5s", 1, DAY,
	 true, false, "Time for a peer to answer a close frame."},
	{"max_message_bytes", SETTING_BYTES, AT(max_message_bytes), "64kB", 125,
	 16 * MB, true, false,
	 "Largest message of a client; more closes with 1009."},
	{"message_rate", SETTING_INTEGER, AT(message_rate), "100", 0, 1000000, true,
	 false, "Messages per second of a client, on average; 0: any number."},
	{"message_burst", SETTING_INTEGER, AT(message_burst), "200", 1, 1000000,
	 true, false, "Messages of a client at once; more closes with 4429."},
	{"max_inflight", SETTING_INTEGER, AT(max_inflight), "16", 1, 10000, true,
	 false,
	 "Messages of a client waiting for the database before its socket "
	 "is no longer read."},
	{"max_connections", SETTING_INTEGER, AT(max_connections), "0", 0,
	 UINT32_MAX, true, false,
	 "Connections of this process; 0: as many as descriptors allow."},
	{"max_unauthenticated", SETTING_INTEGER, AT(max_unauthenticated), "10000",
	 1, UINT32_MAX, true, false,
	 "Connections that are not admitted yet; more are closed at once."},
	{"max_connections_per_user", SETTING_INTEGER, AT(max_connections_per_user),
	 "0", 0, UINT32_MAX, true, false,
	 "Connections of one user to this process; 0: any number."},
	{"max_connections_per_address", SETTING_INTEGER,
	 AT(max_connections_per_address), "0", 0, UINT32_MAX, true, false,
	 "Connections from one IP address; 0: any number, as behind a proxy."},
	{"queue_bytes", SETTING_BYTES, AT(queue_bytes), "2MB", MIN_QUEUE_BYTES,
	 1024 * MB, true, false,
	 "Bytes waiting for one slow client; more closes with 4430."},
	{"queue_age", SETTING_DURATION, AT(queue_age_ms), "30s", 1, DAY, true,
	 false, "Time a message may wait for a slow client before 4430."},
	{"ping_interval", SETTING_DURATION, AT(ping_interval_ms), "30s", 0, DAY,
	 true, false, "Silence after which a client is pinged; 0: never."},
	{"ping_timeout", SETTING_DURATION, AT(ping_timeout_ms), "20s", 1, DAY, true,
	 false, "Time for anything to come back after a ping."},
	{"drain_time", SETTING_DURATION, AT(drain_time_ms), "5s", 0, DAY, true,
	 false, "Time over which SIGTERM spreads the closing of clients."},
	{"max_plain_groups", SETTING_INTEGER, AT(max_plain_groups), "1000", 0,
	 100000, true, false,
	 "Groups of plain categories with members; each is a LISTEN."},
	{"canary_interval", SETTING_DURATION, AT(canary_interval_ms), "5s", 100,
	 DAY, true, false, "How often LISTEN is proved by notifying oneself."},
	{"call_links", SETTING_INTEGER, AT(call_links), "2", 1, 8, false, false,
	 "Database connections for calls, besides the one that LISTENs."},
	{"max_pending_calls", SETTING_INTEGER, AT(max_pending_calls), "20000", 1,
	 10000000, true, false,
	 "Calls waiting for the database; more are refused with 503."},
	{"call_timeout", SETTING_DURATION, AT(call_timeout_ms), "5s", 1, DAY, false,
	 false, "statement_timeout of calls."},
};

#define SETTING_COUNT lengthof(settings)

/* Where the text of a setting came from. */
typedef enum Source
{
	SOURCE_DEFAULT,
	SOURCE_FILE,
	SOURCE_ENVIRONMENT,
	SOURCE_ARGUMENT,
} Source;

/* What the sources said, before anything is parsed. */
typedef struct Texts
{
	char  *text[SETTING_COUNT]; /* owned; NULL: the default */
	Source source[SETTING_COUNT];
	char  *config_file; /* borrowed */
	bool   help, version, check;
} Texts;

const char *
config_version(void)
{
	return USHER_VERSION;
}

/* ---- gathering texts --------------------------------------------------- */

/* Index of a setting by name, where '-' counts as '_'; SETTING_COUNT: none. */
static size_t
find_setting(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < SETTING_COUNT; i++)
	{
		size_t at = 0;

		if (strlen(settings[i].name) != len)
			continue;
		while (at < len && (name[at] == settings[i].name[at] ||
							(name[at] == '-' && settings[i].name[at] == '_')))
			at++;
		if (at == len)
			return i;
	}
	return i;
}

static bool
set_text(Texts *texts, size_t which, const char *text, Source source)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return false;
	free(texts->text[which]);
	texts->text[which] = copy;
	texts->source[which] = source;
	return true;
}

static void
texts_fini(Texts *texts)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		free(texts->text[i]);
}

static bool
read_arguments(Texts *texts, int argc, char **argv, char *error,
			   size_t error_cap)
{
	for (int i = 1; i < argc; i++)
	{
		const char *name = argv[i] + 2;
		const char *equals;
		const char *value;
		size_t		len;
		size_t		which;

		if (strncmp(argv[i], "--", 2) != 0 || *name == '\0')
		{
			snprintf(error, error_cap,
					 "argument \"%s\" is not an option; options are written "
					 "--name=value, see usherd --help",
					 argv[i]);
			return false;
		}
		equals = strchr(name, '=');
		len = equals != NULL ? (size_t) (equals - name) : strlen(name);
		if (equals == NULL && strcmp(name, "help") == 0)
			texts->help = true;
		else if (equals == NULL && strcmp(name, "version") == 0)
			texts->version = true;
		else if (equals == NULL && strcmp(name, "check") == 0)
			texts->check = true;
		else
		{
			bool is_file =
				len == strlen("config") && strncmp(name, "config", len) == 0;

			which = find_setting(name, len);
			if (which == SETTING_COUNT && !is_file)
			{
				snprintf(error, error_cap,
						 "option --%.*s is not known; usherd --help lists all",
						 (int) len, name);
				return false;
			}
			value = equals != NULL ? equals + 1 : argv[++i];
			if (value == NULL)
			{
				snprintf(error, error_cap, "option --%.*s needs a value",
						 (int) len, name);
				return false;
			}
			if (is_file)
				texts->config_file = (char *) (uintptr_t) value;
			else if (!set_text(texts, which, value, SOURCE_ARGUMENT))
			{
				snprintf(error, error_cap, "out of memory");
				return false;
			}
		}
	}
	return true;
}

static bool
read_environment(Texts *texts, char *error, size_t error_cap)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		char		name[64] = ENVIRONMENT_PREFIX;
		size_t		at = strlen(name);
		const char *value;

		for (const char *c = settings[i].name; *c != '\0'; c++)
			name[at++] = (char) toupper((unsigned char) *c);
		name[at] = '\0';
		value = getenv(name);
		if (value != NULL && texts->source[i] != SOURCE_ARGUMENT &&
			!set_text(texts, i, value, SOURCE_ENVIRONMENT))
		{
			snprintf(error, error_cap, "out of memory");
			return false;
		}
	}
	return true;
}

/* Reading one INI file. */
typedef struct FileReader
{
	Texts *texts;
	FILE  *stream;
	char  *problem; /* the first one; of SENTENCE_BYTES */
	int	   line;
} FileReader;

/*
 * libinih reads a line longer than its buffer as two: say so instead of
 * taking half a connection string.
 */
static char *
read_line(char *line, int size, void *arg)
{
	FileReader *reader = arg;
	char	   *got = fgets(line, size, reader->stream);

	reader->line++;
	if (got != NULL && strchr(got, '\n') == NULL && !feof(reader->stream) &&
		reader->problem[0] == '\0')
		snprintf(reader->problem, SENTENCE_BYTES,
				 "line %d is longer than %d bytes; give long values as an "
				 "option or in the environment",
				 reader->line, size - 2);
	return got;
}

static int
on_ini_value(void *arg, const char *section, const char *name,
			 const char *value)
{
	FileReader *reader = arg;
	size_t		which = find_setting(name, strlen(name));

	if (reader->problem[0] != '\0')
		return 1;
	if (strcmp(section, SECTION) != 0)
		snprintf(reader->problem, SENTENCE_BYTES,
				 "line %d: section [%s] is not known; settings stand under "
				 "[" SECTION "]",
				 reader->line, section);
	else if (which == SETTING_COUNT)
		snprintf(reader->problem, SENTENCE_BYTES,
				 "line %d: setting \"%s\" is not known; usherd --help lists "
				 "all",
				 reader->line, name);
	else if (reader->texts->source[which] <= SOURCE_FILE &&
			 !set_text(reader->texts, which, value, SOURCE_FILE))
		snprintf(reader->problem, SENTENCE_BYTES, "out of memory");
	return 1;
}

static bool
read_file(Texts *texts, const char *path, mode_t *mode, char *error,
		  size_t error_cap)
{
	char		problem[SENTENCE_BYTES] = "";
	FileReader	reader = {.texts = texts, .problem = problem};
	struct stat status;
	int			bad_line;

	reader.stream = fopen(path, "r");
	if (reader.stream == NULL || fstat(fileno(reader.stream), &status) != 0)
	{
		snprintf(error, error_cap, "cannot read the configuration file %s: %s",
				 path, strerror(errno));
		if (reader.stream != NULL)
			fclose(reader.stream);
		return false;
	}
	*mode = status.st_mode;
	bad_line = ini_parse_stream(read_line, &reader, on_ini_value, &reader);
	fclose(reader.stream);
	if (problem[0] == '\0' && bad_line != 0)
		snprintf(problem, sizeof(problem),
				 "line %d is neither a section, a comment nor name = value",
				 bad_line);
	if (problem[0] != '\0')
		snprintf(error, error_cap, "configuration file %s, %s", path, problem);
	return problem[0] == '\0';
}

/* ---- parsing values ---------------------------------------------------- */

typedef struct Unit
{
	const char *name;
	uint64_t	factor;
} Unit;

static const Unit byte_units[] = {{"B", 1}, {"kB", KB}, {"MB", MB}, {"", 1}};
static const Unit duration_units[] = {
	{"ms", 1},	{"s", SECOND}, {"min", 60 * SECOND}, {"h", 3600 * SECOND},
	{"d", DAY}, {"", SECOND}};
static const Unit no_units[] = {{"", 1}};

/* A whole number with one of the units; false when it is anything else. */
static bool
parse_number(const char *text, const Unit *units, size_t unit_count,
			 uint64_t *value)
{
	char	*end;
	uint64_t number;

	if (!isdigit((unsigned char) text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	while (*end == ' ')
		end++;
	for (size_t i = 0; errno == 0 && i < unit_count; i++)
		if (strcmp(end, units[i].name) == 0)
			return !__builtin_mul_overflow(number, units[i].factor, value);
	return false;
}

static bool
parse_bool(const char *text, bool *value)
{
	static const char *const on[] = {"on", "true", "yes", "1"};
	static const char *const off[] = {"off", "false", "no", "0"};

	for (size_t i = 0; i < lengthof(on); i++)
	{
		if (strcasecmp(text, on[i]) == 0)
			return *value = true;
		if (strcasecmp(text, off[i]) == 0)
		{
			*value = false;
			return true;
		}
	}
	return false;
}

static bool
parse_refusal(const char *text, ConfigRefusal *value)
{
	static const char *const names[] = {
		[CONFIG_REFUSAL_AUTO] = "auto",
		[CONFIG_REFUSAL_HTTP] = "http",
		[CONFIG_REFUSAL_WEBSOCKET] = "websocket",
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(text, names[i]) == 0)
		{
			*value = (ConfigRefusal) i;
			return true;
		}
	return false;
}

/* Parse a number within the setting's bounds; says what is expected if not. */
static bool
parse_bounded(const Setting *setting, const char *text, const Unit *units,
			  size_t unit_count, uint64_t *value, char *expected, size_t cap)
{
	const char *unit = setting->type == SETTING_BYTES	   ? " bytes"
					   : setting->type == SETTING_DURATION ? " ms"
														   : "";

	if (parse_number(text, units, unit_count, value) &&
		*value >= setting->minimum && *value <= setting->maximum)
		return true;
	snprintf(expected, cap,
			 "a whole number%s from %" PRIu64 "%s to %" PRIu64 "%s",
			 setting->type == SETTING_BYTES		 ? " with B, kB or MB,"
			 : setting->type == SETTING_DURATION ? " with ms, s, min, h or d,"
												 : "",
			 setting->minimum, unit, setting->maximum, unit);
	return false;
}

static bool
parse_value(const Setting *setting, const char *text, Config *config,
			char *expected, size_t cap)
{
	void	*field = (char *) config + setting->offset;
	uint64_t number;

	switch (setting->type)
	{
		case SETTING_BOOL:
			snprintf(expected, cap, "on or off");
			return parse_bool(text, field);
		case SETTING_INTEGER:
			if (!parse_bounded(setting, text, no_units, lengthof(no_units),
							   &number, expected, cap))
				return false;
			*(uint32_t *) field = (uint32_t) number;
			return true;
		case SETTING_BYTES:
			if (!parse_bounded(setting, text, byte_units, lengthof(byte_units),
							   &number, expected, cap))
				return false;
			*(size_t *) field = (size_t) number;
			return true;
		case SETTING_DURATION:
			return parse_bounded(setting, text, duration_units,
								 lengthof(duration_units), field, expected,
								 cap);
		case SETTING_STRING:
			snprintf(expected, cap, "less, since memory is out");
			return (*(char **) field = strdup(text)) != NULL;
		case SETTING_LOG_LEVEL:
			snprintf(expected, cap, "debug, info, warning or error");
			return log_parse_level(text, field);
		case SETTING_REFUSAL:
			snprintf(expected, cap, "auto, http or websocket");
			return parse_refusal(text, field);
	}
	return false;
}

static const char *
source_name(Source source)
{
	switch (source)
	{
		case SOURCE_DEFAULT: return "by default";
		case SOURCE_FILE: return "in the configuration file";
		case SOURCE_ENVIRONMENT: return "in the environment";
		case SOURCE_ARGUMENT: return "on the command line";
	}
	return "";
}

static bool
parse_texts(const Texts *texts, Config *config, char *error, size_t error_cap)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		const char *text =
			texts->text[i] ? texts->text[i] : settings[i].initial;
		char expected[160];

		if (!parse_value(&settings[i], text, config, expected,
						 sizeof(expected)))
		{
			snprintf(error, error_cap,
					 "setting %s is \"%.64s\" %s; it has to be %s",
					 settings[i].name, settings[i].secret ? "..." : text,
					 source_name(texts->source[i]), expected);
			return false;
		}
	}
	return true;
}

/* ---- what no single setting shows -------------------------------------- */

/* In a connection string (password=...) or URI (user:password@). */
static bool
has_password(const char *database)
{
	const char *authority = strstr(database, "://");
	const char *at;

	if (strstr(database, "password") != NULL)
		return true;
	if (authority == NULL)
		return false;
	at = strchr(authority + 3, '@');
	return at != NULL &&
		   memchr(authority + 3, ':', (size_t) (at - authority - 3)) != NULL;
}

ConfigAddressStatus
config_next_address(const char **cursor, ConfigAddress *address)
{
	const char *start = *cursor + strspn(*cursor, " \t,");
	size_t		len = strcspn(start, ",");
	const char *colon = NULL;
	const char *host = start;
	size_t		host_len;
	uint64_t	port;
	char		digits[8];

	*cursor = start + len;
	while (len > 0 && isspace((unsigned char) start[len - 1]))
		len--;
	if (len == 0)
		return CONFIG_ADDRESS_END;
	colon = memrchr(start, ':', len);
	if (colon == NULL || (size_t) (start + len - colon - 1) >= sizeof(digits))
		return CONFIG_ADDRESS_MALFORMED;
	snprintf(digits, sizeof(digits), "%.*s", (int) (start + len - colon - 1),
			 colon + 1);
	if (!parse_number(digits, no_units, lengthof(no_units), &port) ||
		port < 1 || port > UINT16_MAX)
		return CONFIG_ADDRESS_MALFORMED;

	host_len = (size_t) (colon - host);
	if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']')
	{
		host++;
		host_len -= 2;
	}
	else if (memchr(host, ':', host_len) != NULL)
		return CONFIG_ADDRESS_MALFORMED; /* IPv6 needs its brackets */
	if (host_len == 1 && host[0] == '*')
		host_len = 0;
	else if (host_len == 0 || host_len >= sizeof(address->host))
		return CONFIG_ADDRESS_MALFORMED;
	memcpy(address->host, host, host_len);
	address->host[host_len] = '\0';
	address->port = (uint16_t) port;
	return CONFIG_ADDRESS_OK;
}

/* Counts the addresses of a list; false with error set when one is wrong. */
static bool
check_addresses(const char *name, const char *list, size_t *count, char *error,
				size_t error_cap)
{
	ConfigAddress address;
	const char	 *cursor = list;

	for (;;)
		switch (config_next_address(&cursor, &address))
		{
			case CONFIG_ADDRESS_OK: (*count)++; break;
			case CONFIG_ADDRESS_END: return true;
			case CONFIG_ADDRESS_MALFORMED:
				snprintf(error, error_cap,
						 "setting %s is \"%.128s\"; write host:port, [v6]:port "
						 "or *:port, separated by commas",
						 name, list);
				return false;
		}
}

static bool
check_tls(const Config *config, char *error, size_t error_cap)
{
	const char *const files[] = {config->tls_certificate, config->tls_key};
	const char *const names[] = {"tls_certificate", "tls_key"};
	struct stat		  status;

	for (size_t i = 0; i < lengthof(files); i++)
	{
		if (files[i][0] == '\0')
		{
			snprintf(error, error_cap,
					 "tls_listen is set, but %s is not; name the PEM file",
					 names[i]);
			return false;
		}
		if (access(files[i], R_OK) != 0)
		{
			snprintf(error, error_cap, "%s: cannot read %s: %s", names[i],
					 files[i], strerror(errno));
			return false;
		}
	}
	if (stat(config->tls_key, &status) == 0 && (status.st_mode & 07) != 0)
	{
		snprintf(error, error_cap,
				 "tls_key %s can be read by everybody; chmod o-rwx it",
				 config->tls_key);
		return false;
	}
	return true;
}

bool
config_validate(const Config *config, char *error, size_t error_cap)
{
	size_t plain = 0;
	size_t tls = 0;

	if (!check_addresses("listen", config->listen, &plain, error, error_cap) ||
		!check_addresses("tls_listen", config->tls_listen, &tls, error,
						 error_cap))
		return false;
	if (plain + tls == 0)
	{
		snprintf(error, error_cap,
				 "neither listen nor tls_listen names an address; nobody could "
				 "connect");
		return false;
	}
	if (tls > 0 && !check_tls(config, error, error_cap))
		return false;
	if (config->token_keyword[0] == '\0' ||
		config->token_keyword[strspn(
			config->token_keyword,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			"!#$%&'*+-.^_`|~")] != '\0')
	{
		snprintf(error, error_cap,
				 "token_keyword has to be one word, as in "
				 "\"Authorization: Token ...\"");
		return false;
	}
	if (config->password_in_file && (config->config_file_mode & 07) != 0)
	{
		snprintf(error, error_cap,
				 "configuration file %s holds a password and can be read by "
				 "everybody; chmod o-rwx it, or use a password file (.pgpass)",
				 config->config_file);
		return false;
	}
	return true;
}

void
config_warn(const Config *config, void (*note)(const char *sentence))
{
	if (config->allow_query_token)
		note("allow_query_token is on: tokens in URLs end up in logs and "
			 "histories; ?session_key= is made for that");
	if (config->password_in_arguments)
		note("the database's password stands on the command line, where every "
			 "user of this machine sees it; use a password file (.pgpass)");
}

/* ---- loading ----------------------------------------------------------- */

static size_t
database_setting(void)
{
	return find_setting("database", strlen("database"));
}

static bool
gather(Texts *texts, Config *config, char *error, size_t error_cap)
{
	size_t database = database_setting();

	if (!read_arguments(texts, config->argc, config->argv, error, error_cap))
		return false;
	if (texts->help || texts->version)
		return true;
	if (!read_environment(texts, error, error_cap))
		return false;
	if (texts->config_file == NULL)
		texts->config_file = getenv(ENVIRONMENT_PREFIX "CONFIG");
	if (texts->config_file != NULL)
	{
		if (!read_file(texts, texts->config_file, &config->config_file_mode,
					   error, error_cap))
			return false;
		config->config_file = strdup(texts->config_file);
	}
	if (!parse_texts(texts, config, error, error_cap))
		return false;
	config->password_in_file = texts->source[database] == SOURCE_FILE &&
							   has_password(config->database);
	config->password_in_arguments =
		texts->source[database] == SOURCE_ARGUMENT &&
		has_password(config->database);
	return config_validate(config, error, error_cap);
}

ConfigStatus
config_load(Config *config, int argc, char **argv, bool *check_only,
			char *error, size_t error_cap)
{
	Texts		 texts = {0};
	ConfigStatus status = CONFIG_OK;

	memset(config, 0, sizeof(*config));
	config->argc = argc;
	config->argv = argv;
	if (!gather(&texts, config, error, error_cap))
		status = CONFIG_ERROR;
	else if (texts.help)
		status = CONFIG_HELP;
	else if (texts.version)
		status = CONFIG_VERSION;
	*check_only = texts.check;
	texts_fini(&texts);
	if (status != CONFIG_OK)
		config_fini(config);
	return status;
}

void
config_fini(Config *config)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (settings[i].type == SETTING_STRING)
		{
			char **text = (char **) ((char *) config + settings[i].offset);

			if (*text != NULL && settings[i].secret)
				explicit_bzero(*text, strlen(*text));
			free(*text);
			*text = NULL;
		}
	free(config->config_file);
	config->config_file = NULL;
}

static size_t
field_size(SettingType type)
{
	switch (type)
	{
		case SETTING_BOOL: return sizeof(bool);
		case SETTING_INTEGER: return sizeof(uint32_t);
		case SETTING_BYTES: return sizeof(size_t);
		case SETTING_DURATION: return sizeof(uint64_t);
		case SETTING_STRING: return sizeof(char *);
		case SETTING_LOG_LEVEL: return sizeof(LogLevel);
		case SETTING_REFUSAL: return sizeof(ConfigRefusal);
	}
	return 0;
}

/* Keep old's value of a setting; false when out of memory. */
static bool
keep_old(const Setting *setting, const Config *old, Config *fresh,
		 bool *changed)
{
	const char *from = (const char *) old + setting->offset;
	char	   *to = (char *) fresh + setting->offset;

	if (setting->type == SETTING_STRING)
	{
		char *const *old_text = (char *const *) (const void *) from;
		char	   **new_text = (char **) (void *) to;
		char		*copy;

		*changed = strcmp(*old_text, *new_text) != 0;
		if (!*changed)
			return true;
		copy = strdup(*old_text);
		if (copy == NULL)
			return false;
		free(*new_text);
		*new_text = copy;
		return true;
	}
	*changed = memcmp(from, to, field_size(setting->type)) != 0;
	memcpy(to, from, field_size(setting->type));
	return true;
}

bool
config_reload(const Config *old, Config *fresh, char *error, size_t error_cap,
			  void (*note)(const char *sentence))
{
	bool check_only;

	if (config_load(fresh, old->argc, old->argv, &check_only, error,
					error_cap) != CONFIG_OK)
		return false;
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		bool changed = false;
		char sentence[SENTENCE_BYTES];

		if (settings[i].reloadable)
			continue;
		if (!keep_old(&settings[i], old, fresh, &changed))
		{
			snprintf(error, error_cap, "out of memory");
			config_fini(fresh);
			return false;
		}
		snprintf(sentence, sizeof(sentence),
				 "a new value of %s needs a restart; the old one stays in use",
				 settings[i].name);
		if (changed && note != NULL)
			note(sentence);
	}
	/* The kept settings may not go together with the new ones. */
	if (!config_validate(fresh, error, error_cap))
	{
		config_fini(fresh);
		return false;
	}
	if (note != NULL)
		config_warn(fresh, note);
	return true;
}

void
config_print_help(FILE *stream)
{
	fprintf(stream,
			"usherd %s: WebSockets for Django sites, fed by PostgreSQL\n\n"
			"Usage: usherd [--config FILE] [--name=value ...]\n"
			"       usherd --check | --version | --help\n\n"
			"--config FILE is an INI file with a section [" SECTION "]. Each "
			"setting below is also an\nenvironment variable " ENVIRONMENT_PREFIX
			"NAME; an option wins over the environment, which wins\nover the "
			"file. --check reads everything, says what is wrong, and starts "
			"nothing.\nSIGHUP rereads settings marked R; SIGTERM drains and "
			"exits.\n\n",
			config_version());
	for (size_t i = 0; i < SETTING_COUNT; i++)
		fprintf(stream, "  --%s=%s%s\n        %s\n", settings[i].name,
				settings[i].initial[0] ? settings[i].initial : "''",
				settings[i].reloadable ? "  (R)" : "", settings[i].help);
}
