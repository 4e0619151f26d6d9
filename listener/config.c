/*-------------------------------------------------------------------------
 *
 * config.c
 *	  Settings of the listener: one table, four places to set them.
 *
 * Everything is read in the order of rising precedence (defaults, file,
 * environment, options), and each reading overwrites the one before.  A wrong
 * value is refused wherever it stands, also where a better place overrides it.
 *
 * No error repeats the value of a secret setting, nor an argument that does not
 * look like an option: it may be a misplaced secret.
 *
 *-------------------------------------------------------------------------
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "configtable.h"
#include "configtext.h"
#include "credentials.h"
#include "origin.h"

#ifndef USHER_VERSION
#error "the build gives USHER_VERSION"
#endif

#define SECTION "usherd"

/* Calls note with a sentence made like printf's. */
PRINTF_LIKE(2, 3)
static void
notify(void (*note)(const char *sentence), const char *format, ...)
{
	char	sentence[512];
	va_list args;

	if (note == NULL)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	note(sentence);
}

/*
 * The file.  inih calls read_line() for each line and then, if the line sets
 * something, set_from_line(); both share this state.
 */
typedef struct FileReader
{
	Config	   *config;
	FILE	   *file;
	const char *path;
	int			line;
	bool		failed; /* error has been written */
	bool		seen[SETTING_COUNT];
	ErrorText	error;
} FileReader;

/* Check "[name]"; inih does not mention a section without settings. */
static bool
section_is_known(const char *line)
{
	const char *end = strchr(line, ']');

	return end != NULL && (size_t) (end - line - 1) == strlen(SECTION) &&
		   memcmp(line + 1, SECTION, strlen(SECTION)) == 0;
}

/*
 * Like fgets(), for inih.  A line that inih's buffer cannot hold is refused
 * here, since inih would take its first part for the whole.  Blanks in front
 * are dropped, since inih would take an indented line for more of the value
 * before.
 */
static char *
read_line(char *out, int cap, void *stream)
{
	FileReader *reader = stream;
	size_t		len = 0;
	int			c;

	if (reader->failed)
		return NULL;
	reader->line++;
	while ((c = getc(reader->file)) != EOF && c != '\n')
	{
		if (len == 0 && (c == ' ' || c == '\t'))
			continue;
		if (c == '\0')
		{
			reader->failed = true;
			error_set(reader->error,
					  "line %d of %s has a NUL byte; take it out", reader->line,
					  reader->path);
			return NULL;
		}
		if (len + 1 == (size_t) cap)
		{
			reader->failed = true;
			error_set(
				reader->error,
				"line %d of %s is longer than %d bytes; shorten it, or use "
				"the environment for this setting",
				reader->line, reader->path, cap - 1);
			return NULL;
		}
		out[len++] = (char) c;
	}
	out[len] = '\0';
	if (reader->line == 1 && strncmp(out, "\xEF\xBB\xBF", 3) == 0)
		memmove(out, out + 3, len - 2); /* a byte order mark */

	if (c == EOF && ferror(reader->file))
	{
		reader->failed = true;
		error_set(reader->error, "could not read configuration file \"%s\": %s",
				  reader->path, strerror(errno));
		return NULL;
	}
	if (out[0] == '[' && !section_is_known(out))
	{
		reader->failed = true;
		error_set(
			reader->error,
			"line %d of %s starts a section that usherd does not know; all "
			"settings belong to [" SECTION "]",
			reader->line, reader->path);
		return NULL;
	}
	return c == EOF && len == 0 ? NULL : out;
}

/* inih's handler: returns 0 on error. */
static int
set_from_line(void *arg, const char *section, const char *name,
			  const char *value)
{
	FileReader	  *reader = arg;
	const Setting *setting = setting_find(name, strlen(name));
	char		   source[512];

	if (reader->failed)
		return 0;
	snprintf(source, sizeof(source), "line %d of %s", reader->line,
			 reader->path);
	reader->failed = true;
	if (section[0] == '\0')
		return error_set(reader->error,
						 "%s stands before the line [" SECTION "]", source);
	if (setting == NULL)
		return error_set(reader->error,
						 "%s: \"%s\" is not a setting; see usherd --help",
						 source, name);
	if (reader->seen[setting - settings])
		return error_set(reader->error,
						 "%s sets %s a second time; take one out", source,
						 setting->name);
	if (!setting_set(reader->config, setting, value, source, reader->error))
		return 0;

	reader->failed = false;
	reader->seen[setting - settings] = true;
	if (setting->secret && conninfo_has_password(value))
		reader->config->password_in_file = true;
	return 1;
}

static bool
read_file(Config *config, const char *path, ErrorText error)
{
	FileReader	reader = {.config = config, .path = path, .error = error};
	struct stat status;
	int			result;

	config->config_file = strdup(path);
	if (config->config_file == NULL)
		return error_set(error, "out of memory");
	reader.file = fopen(path, "re");
	if (reader.file == NULL || fstat(fileno(reader.file), &status) != 0)
	{
		error_set(
			error,
			"could not open configuration file \"%s\": %s; name another with "
			"--config",
			path, strerror(errno));
		if (reader.file != NULL)
			fclose(reader.file);
		return false;
	}
	config->config_file_mode = status.st_mode;
	result = ini_parse_stream(read_line, &reader, set_from_line, &reader);
	fclose(reader.file);
	if (reader.failed)
		return false;
	if (result < 0)
		return error_set(error, "out of memory");
	if (result > 0)
		return error_set(error,
						 "line %d of %s is not understood; write name = value",
						 result, path);
	return true;
}

static bool
read_environment(Config *config, ErrorText error)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		char		variable[VARIABLE_NAME_CAP];
		char		source[128];
		const char *text = getenv(setting_variable(&settings[i], variable));

		if (text == NULL)
			continue;
		snprintf(source, sizeof(source), "environment variable %s", variable);
		if (!setting_set(config, &settings[i], text, source, error))
			return false;
	}
	return true;
}

/* What the command line says; text NULL: that setting is not there. */
typedef struct Options
{
	const char *file;
	bool		check_only;
	const char *text[SETTING_COUNT];
} Options;

static bool
parse_options(Options *options, int argc, char **argv, ErrorText error)
{
	memset(options, 0, sizeof(*options));
	for (int i = 1; i < argc; i++)
	{
		const char	  *name = argv[i] + 2;
		const Setting *setting;
		const char	  *value;
		size_t		   len;
		bool		   is_file;

		if (strncmp(argv[i], "--", 2) != 0 || *name == '\0')
			return error_set(error,
							 "argument %d is not an option; write settings as "
							 "--name=value, see usherd --help",
							 i);
		if (strcmp(name, "check") == 0)
		{
			options->check_only = true;
			continue;
		}

		len = strcspn(name, "=");
		setting = setting_find(name, len);
		is_file = len == strlen("config") && memcmp(name, "config", len) == 0;
		if (setting == NULL && !is_file)
			return error_set(error,
							 "--%.*s is not an option; see usherd --help",
							 (int) len, name);
		if (name[len] == '=')
			value = name + len + 1;
		else if (i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
			value = argv[++i];
		else
			return error_set(error,
							 "option --%.*s needs a value; write --%.*s=value",
							 (int) len, name, (int) len, name);
		if (is_file)
			options->file = value;
		else
			options->text[setting - settings] = value;
	}
	return true;
}

/* Read everything; on failure config may be half filled, but can be ended. */
static bool
read_all(Config *config, bool *check_only, ErrorText error)
{
	Options		options;
	const char *path;

	if (!parse_options(&options, config->argc, config->argv, error))
		return false;
	*check_only = options.check_only;
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		if (!setting_set(config, &settings[i], settings[i].initial, "default",
						 error))
			return false;
	}

	path = options.file != NULL ? options.file
								: getenv(ENVIRONMENT_PREFIX "CONFIG");
	if (path != NULL && path[0] != '\0' && !read_file(config, path, error))
		return false;
	if (!read_environment(config, error))
		return false;

	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		char source[128];

		if (options.text[i] == NULL)
			continue;
		snprintf(source, sizeof(source), "option --%s", settings[i].name);
		if (!setting_set(config, &settings[i], options.text[i], source, error))
			return false;
		if (settings[i].secret && conninfo_has_password(options.text[i]))
			config->password_in_arguments = true;
	}
	return true;
}

ConfigStatus
config_load(Config *config, int argc, char **argv, bool *check_only,
			char *error, size_t error_cap)
{
	ErrorText text = {error, error_cap};

	memset(config, 0, sizeof(*config));
	*check_only = false;
	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-?") == 0)
			return CONFIG_HELP;
		if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)
			return CONFIG_VERSION;
	}
	config->argc = argc;
	config->argv = argv;
	if (!read_all(config, check_only, text) ||
		!config_validate(config, error, error_cap))
	{
		config_fini(config);
		return CONFIG_ERROR;
	}
	return CONFIG_OK;
}

bool
config_reload(const Config *old, Config *fresh, char *error, size_t error_cap,
			  void (*note)(const char *sentence))
{
	ErrorText text = {error, error_cap};
	bool	  changed[SETTING_COUNT] = {false};
	bool	  check_only;

	memset(fresh, 0, sizeof(*fresh));
	fresh->argc = old->argc;
	fresh->argv = old->argv;
	if (!read_all(fresh, &check_only, text))
		goto failed;
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		if (settings[i].reloadable || setting_same(old, fresh, &settings[i]))
			continue;
		changed[i] = true;
		if (!setting_copy(fresh, old, &settings[i]))
		{
			error_set(text, "out of memory");
			goto failed;
		}
	}
	if (!config_validate(fresh, error, error_cap))
		goto failed;

	/* Only now: a reload that fails changes nothing and promises nothing. */
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		if (changed[i])
			notify(note, "%s was changed, which takes effect after a restart",
				   settings[i].name);
	}
	config_warn(fresh, note);
	return true;

failed:
	config_fini(fresh);
	return false;
}

void
config_fini(Config *config)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
	{
		setting_free(config, &settings[i]);
	}
	free(config->config_file);
	memset(config, 0, sizeof(*config));
}

static bool
validate_addresses(const char *name, const char *list, ErrorText error)
{
	ConfigAddress address;
	const char	 *cursor = list;

	for (;;)
	{
		switch (config_next_address(&cursor, &address))
		{
			case CONFIG_ADDRESS_OK: continue;
			case CONFIG_ADDRESS_END: return true;
			case CONFIG_ADDRESS_MALFORMED:
				return error_set(
					error,
					"%s cannot be \"%s\"; write host:port, [v6]:port "
					"or *:port, separated by commas",
					name, list);
		}
	}
}

/* A file that will be read; closed_to_others: a secret. */
static bool
validate_file(const char *name, const char *path, bool closed_to_others,
			  ErrorText error)
{
	struct stat status;

	/* O_NONBLOCK, or a FIFO would hold us until somebody writes to it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) != 0)
	{
		error_set(error,
				  "could not open %s \"%s\": %s; name a file that usherd "
				  "may read",
				  name, path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	if (!S_ISREG(status.st_mode))
		return error_set(error, "%s \"%s\" is not a regular file; name one",
						 name, path);
	if (closed_to_others && (status.st_mode & 07) != 0)
		return error_set(
			error,
			"%s \"%s\" is open to other users (mode %04o); run chmod "
			"o= on it",
			name, path, (unsigned) (status.st_mode & 07777));
	return true;
}

/* Which credentials are read, and from whose pages. */
static bool
validate_credentials(const Config *config, ErrorText error)
{
	const struct
	{
		const char *name;
		const char *value;
	} cookies[] = {{"jwt_cookie", config->jwt_cookie},
				   {"session_cookie", config->session_cookie}};
	char why[256];

	if (!credential_check_keywords(config->header_keywords, why, sizeof(why)))
		return error_set(error, "header_keywords %s", why);
	if (!origin_check_patterns(config->allowed_origins, why, sizeof(why)))
		return error_set(error, "allowed_origins %s", why);

	/* RFC 6265 4.1.1: a cookie's name is a token */
	for (size_t i = 0; i < lengthof(cookies); i++)
		if (cookies[i].value[0] != '\0' &&
			!text_is_http_token(cookies[i].value))
			return error_set(error,
							 "%s cannot be \"%s\"; write the name of one "
							 "cookie, or nothing for none",
							 cookies[i].name, cookies[i].value);
	if (config->jwt_cookie[0] != '\0' &&
		strcmp(config->jwt_cookie, config->session_cookie) == 0)
		return error_set(error,
						 "jwt_cookie and session_cookie cannot both be \"%s\"; "
						 "leave one of them empty",
						 config->jwt_cookie);
	return true;
}

bool
config_validate(const Config *config, char *error, size_t error_cap)
{
	ErrorText text = {error, error_cap};

	if (!validate_addresses("listen", config->listen, text) ||
		!validate_addresses("tls_listen", config->tls_listen, text))
		return false;
	if (config->listen[0] == '\0' && config->tls_listen[0] == '\0')
		return error_set(text, "listen and tls_listen are both empty; set one");
	if (!validate_credentials(config, text))
		return false;
	/* One report that is late must not look like a death. */
	if (config->lease_ms < 3 * config->report_interval_ms)
		return error_set(text, "lease is shorter than three times "
							   "report_interval; make it longer");

	if (config->tls_listen[0] != '\0' &&
		(config->tls_certificate[0] == '\0' || config->tls_key[0] == '\0'))
		return error_set(text,
						 "tls_listen needs a certificate and its key; set "
						 "tls_certificate and tls_key");
	if (config->tls_certificate[0] != '\0' &&
		!validate_file("tls_certificate", config->tls_certificate, false, text))
		return false;
	if (config->tls_key[0] != '\0' &&
		!validate_file("tls_key", config->tls_key, true, text))
		return false;

	if (config->password_in_file && (config->config_file_mode & S_IROTH) != 0)
		return error_set(
			text,
			"configuration file \"%s\" has a password in database and "
			"can be read by other users (mode %04o); run chmod o= on "
			"it, or use a password file (PGPASSFILE)",
			config->config_file, (unsigned) (config->config_file_mode & 07777));
	return true;
}

/*
 * A misspelled variable would be ignored in silence.  It is a warning, not an
 * error: Kubernetes gives a container USHERD_PORT and others of its own making
 * when a service is called usherd.
 */
static void
warn_of_unknown_variables(void (*note)(const char *sentence))
{
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
	{
		size_t len = strcspn(*entry, "=");
		bool   known = len == strlen(ENVIRONMENT_PREFIX "CONFIG") &&
					 memcmp(*entry, ENVIRONMENT_PREFIX "CONFIG", len) == 0;

		if (strncmp(*entry, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) !=
			0)
			continue;
		for (size_t i = 0; i < SETTING_COUNT && !known; i++)
		{
			char variable[VARIABLE_NAME_CAP];

			setting_variable(&settings[i], variable);
			known =
				strlen(variable) == len && memcmp(*entry, variable, len) == 0;
		}
		if (!known)
			notify(note,
				   "environment variable %.*s names no setting and is ignored",
				   (int) len, *entry);
	}
}

void
config_warn(const Config *config, void (*note)(const char *sentence))
{
	if (config->allow_query_token)
		notify(note, "allow_query_token is on: tokens in URLs leak into logs "
					 "and histories; prefer the Authorization header or "
					 "?session_key=");
	if (config->allow_query_django_session)
		notify(note, "allow_query_django_session is on: a session key in a URL "
					 "leaks into logs and histories, and is as good as its "
					 "cookie; prefer the cookie");
	if (origin_allowed(SLICE_NONE, config->allowed_origins))
		notify(note,
			   "allowed_origins has \"*\": any page may use the cookies of "
			   "whoever looks at it; name the origins of your own pages");
	if (config->password_in_arguments)
		notify(note, "option --database has a password, which every user of "
					 "this machine can see; use a password file (PGPASSFILE)");
	if (config->tls_listen[0] == '\0' &&
		(config->tls_certificate[0] != '\0' || config->tls_key[0] != '\0'))
		notify(note, "tls_listen is empty, so tls_certificate and tls_key are "
					 "not used");
	warn_of_unknown_variables(note);
}

void
config_print_help(FILE *stream)
{
	fputs("usherd relays what PostgreSQL announces to WebSocket clients.\n"
		  "\n"
		  "Usage: usherd [--config=FILE] [--SETTING=VALUE]...\n"
		  "\n"
		  "  --config=FILE  settings from an INI file, in a section [" SECTION
		  "]\n"
		  "  --check        read and check the settings, then exit\n"
		  "  --help         print this and exit\n"
		  "  --version      print the version and exit\n"
		  "\n"
		  "A setting may be an option, an environment variable (queue_bytes "
		  "is\n" ENVIRONMENT_PREFIX
		  "QUEUE_BYTES) or a line of the file; the first of these that\n"
		  "has it wins.  BYTES take B, kB, MB or GB, TIME takes ms, s, min, h "
		  "or d.\n"
		  "SIGHUP reads everything again, except settings that need a "
		  "restart.\n"
		  "\n"
		  "Settings:\n",
		  stream);
	for (size_t i = 0; i < SETTING_COUNT; i++)
		setting_print(stream, &settings[i]);
}

const char *
config_version(void)
{
	return USHER_VERSION;
}

ConfigAddressStatus
config_next_address(const char **cursor, ConfigAddress *address)
{
	const char *at = *cursor + strspn(*cursor, " \t");
	const char *host = at;
	size_t		host_len;
	size_t		digits;
	uint64_t	port;
	char		port_text[6];

	if (*at == '\0')
		return CONFIG_ADDRESS_END;
	if (*at == '[')
	{
		host++;
		host_len = strcspn(host, "]");
		at = host + host_len;
		if (*at != ']' || memchr(host, ':', host_len) == NULL)
			return CONFIG_ADDRESS_MALFORMED;
		at++;
	}
	else
	{
		host_len = strcspn(host, ":, \t");
		at = host + host_len;
	}
	if (*at != ':' || host_len == 0 || host_len >= sizeof(address->host))
		return CONFIG_ADDRESS_MALFORMED;

	at++;
	digits = strspn(at, "0123456789");
	if (digits == 0 || digits >= sizeof(port_text))
		return CONFIG_ADDRESS_MALFORMED;
	memcpy(port_text, at, digits);
	port_text[digits] = '\0';
	if (!text_to_number(port_text, NULL, NULL, &port) || port == 0 ||
		port > UINT16_MAX)
		return CONFIG_ADDRESS_MALFORMED;
	at += digits;
	at += strspn(at, " \t");
	if (*at == ',')
	{
		at++;
		if (at[strspn(at, " \t")] == '\0')
			return CONFIG_ADDRESS_MALFORMED;
	}
	else if (*at != '\0')
		return CONFIG_ADDRESS_MALFORMED;

	if (host_len == 1 && *host == '*')
		host_len = 0;
	memcpy(address->host, host, host_len);
	address->host[host_len] = '\0';
	address->port = (uint16_t) port;
	*cursor = at;
	return CONFIG_ADDRESS_OK;
}
