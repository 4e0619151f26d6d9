/*
 * Settings: where they come from, what wins, what is refused and how.
 *
 * Long because every sentence a user may be refused with stands here in full.
 */
#include "check.h"
#include "config.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char error[512];

/* The sentences that note() was given, a line each. */
static char notes[4096];

static void
note(const char *sentence)
{
	size_t used = strlen(notes);

	snprintf(notes + used, sizeof(notes) - used, "%s\n", sentence);
}

/* A path in a directory of our own, valid until the next but three. */
static const char *
path_of(const char *name)
{
	static char path[4][128];
	static int	turn;

	if (directory[0] == '\0')
	{
		snprintf(directory, sizeof(directory), "/tmp/test_config.XXXXXX");
		if (mkdtemp(directory) == NULL)
			abort();
	}
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", directory, name);
	return path[turn];
}

static const char *
write_bytes(const char *name, const void *bytes, size_t len, mode_t mode)
{
	const char *path = path_of(name);
	FILE	   *file = fopen(path, "w");

	if (file == NULL || fwrite(bytes, 1, len, file) != len ||
		fclose(file) != 0 || chmod(path, mode) != 0)
		abort();
	return path;
}

static const char *
write_file(const char *name, const char *text)
{
	return write_bytes(name, text, strlen(text), 0600);
}

__attribute__((destructor)) static void
clean_up(void)
{
	static const char *const names[] = {"usherd.ini", "cert.pem", "key.pem"};

	if (directory[0] == '\0')
		return;
	for (size_t i = 0; i < lengthof(names); i++)
		(void) remove(path_of(names[i]));
	(void) rmdir(directory);
}

/* Load with these arguments; the last one is NULL. */
static char *arguments[32];
static bool	 check_only;

static ConfigStatus
load(Config *config, ...)
{
	va_list args;
	int		argc = 0;

	arguments[argc++] = (char *) (uintptr_t) "usherd";
	va_start(args, config);
	while ((arguments[argc] = va_arg(args, char *)) != NULL)
		argc++;
	va_end(args);
	error[0] = '\0';
	return config_load(config, argc, arguments, &check_only, error,
					   sizeof(error));
}

/* Load a file with that text. */
static ConfigStatus
load_text(Config *config, const char *text)
{
	return load(config, "--config", write_file("usherd.ini", text), NULL);
}

/* Without the directory's name, which is another each time. */
static const char *
plain_error(void)
{
	static char out[512];
	char	   *at;

	snprintf(out, sizeof(out), "%s", error);
	while (directory[0] != '\0' && (at = strstr(out, directory)) != NULL)
		memmove(at, at + strlen(directory) + 1,
				strlen(at + strlen(directory) + 1) + 1);
	return out;
}

TEST(without_anything_every_setting_has_its_documented_default)
{
	Config config;

	if (!CHECK_INT(load(&config, NULL), CONFIG_OK))
		return;
	CHECK_STR(config.listen, "127.0.0.1:8765");
	CHECK_STR(config.tls_listen, "");
	CHECK_STR(config.tls_certificate, "");
	CHECK_STR(config.tls_key, "");
	CHECK_STR(config.database, "");
	CHECK_INT(config.log_level, LOG_LEVEL_INFO);
	CHECK_INT(config.refusal, CONFIG_REFUSAL_AUTO);
	CHECK_STR(config.header_keywords, "Token=token, Bearer=jwt, JWT=drf-jwt");
	CHECK(!config.allow_query_token);
	CHECK(!config.allow_query_django_session);
	CHECK_STR(config.jwt_cookie, "JWT");
	CHECK_STR(config.session_cookie, "sessionid");
	CHECK_STR(config.allowed_origins, "");
	CHECK_INT(config.max_header_bytes, 16 * 1024);
	CHECK_INT(config.header_timeout_ms, 10000);
	CHECK_INT(config.auth_timeout_ms, 5000);
	CHECK_INT(config.close_timeout_ms, 5000);
	CHECK_INT(config.max_message_bytes, 64 * 1024);
	CHECK_INT(config.message_rate, 100);
	CHECK_INT(config.message_burst, 200);
	CHECK_INT(config.max_inflight, 16);
	CHECK_INT(config.max_connections, 0);
	CHECK_INT(config.max_unauthenticated, 10000);
	CHECK_INT(config.max_connections_per_user, 0);
	CHECK_INT(config.max_connections_per_address, 0);
	CHECK_INT(config.queue_bytes, 2 * 1024 * 1024);
	CHECK_INT(config.queue_age_ms, 30000);
	CHECK_INT(config.ping_interval_ms, 30000);
	CHECK_INT(config.ping_timeout_ms, 20000);
	CHECK_INT(config.drain_time_ms, 5000);
	CHECK_INT(config.max_plain_groups, 1000);
	CHECK_INT(config.canary_interval_ms, 5000);
	CHECK_INT(config.call_links, 2);
	CHECK_INT(config.max_pending_calls, 20000);
	CHECK_INT(config.call_timeout_ms, 5000);
	CHECK(config.config_file == NULL);
	CHECK(!check_only);
	config_fini(&config);
	config_fini(&config);
}

TEST(an_option_wins_over_the_environment_over_the_file_over_the_default)
{
	Config		config;
	const char *file = write_file("usherd.ini", "[usherd]\n"
												"message_rate = 1\n"
												"message_burst = 1\n"
												"max_inflight = 1\n");

	setenv("USHERD_MESSAGE_RATE", "2", 1);
	setenv("USHERD_MESSAGE_BURST", "2", 1);
	if (CHECK_INT(load(&config, "--config", file, "--message-rate=3", NULL),
				  CONFIG_OK))
	{
		CHECK_INT(config.message_rate, 3);
		CHECK_INT(config.message_burst, 2);
		CHECK_INT(config.max_inflight, 1);
		CHECK_INT(config.call_links, 2);
		CHECK_STR(config.config_file, file);
		config_fini(&config);
	}
	unsetenv("USHERD_MESSAGE_RATE");
	unsetenv("USHERD_MESSAGE_BURST");
}

TEST(the_file_may_be_named_by_the_environment_and_an_option_names_another)
{
	Config		config;
	const char *file = write_file("usherd.ini", "[usherd]\ncall_links=7\n");

	setenv("USHERD_CONFIG", file, 1);
	if (CHECK_INT(load(&config, NULL), CONFIG_OK))
	{
		CHECK_INT(config.call_links, 7);
		config_fini(&config);
	}
	setenv("USHERD_CONFIG", "/nonexistent.ini", 1);
	CHECK_INT(load(&config, NULL), CONFIG_ERROR);
	if (CHECK_INT(load(&config, "--config", file, NULL), CONFIG_OK))
		config_fini(&config);
	unsetenv("USHERD_CONFIG");
}

TEST(options_are_written_with_dashes_or_underscores_and_with_or_without_equals)
{
	Config config;

	if (!CHECK_INT(load(&config, "--queue-bytes=128kB", "--queue_age", "1min",
						"--log-level", "debug", "--allow_query-token=yes",
						"--refusal", "HTTP", "--check", NULL),
				   CONFIG_OK))
		return;
	CHECK_INT(config.queue_bytes, 131072);
	CHECK_INT(config.queue_age_ms, 60000);
	CHECK_INT(config.log_level, LOG_LEVEL_DEBUG);
	CHECK_INT(config.refusal, CONFIG_REFUSAL_HTTP);
	CHECK(config.allow_query_token);
	CHECK(check_only);
	config_fini(&config);
}

TEST(an_option_given_twice_counts_as_the_last_one_says)
{
	Config config;

	if (CHECK_INT(load(&config, "--call_links=3", "--call_links=4", NULL),
				  CONFIG_OK))
	{
		CHECK_INT(config.call_links, 4);
		config_fini(&config);
	}
}

TEST(help_and_version_win_over_anything_else_on_the_command_line)
{
	Config config;

	CHECK_INT(load(&config, "--nonsense", "--help", NULL), CONFIG_HELP);
	CHECK_INT(load(&config, "--call_links=99", "--version", NULL),
			  CONFIG_VERSION);
	CHECK_INT(load(&config, "-V", NULL), CONFIG_VERSION);
	CHECK_INT(load(&config, "-?", NULL), CONFIG_HELP);
	CHECK_STR(config_version(), "0.test");
}

TEST(a_wrong_command_line_is_refused_with_what_to_change)
{
	static const struct
	{
		const char *first;
		const char *second;
		const char *error;
	} row[] = {
		{"--listne=x", NULL, "--listne is not an option; see usherd --help"},
		{"--=x", NULL, "-- is not an option; see usherd --help"},
		{"--", NULL,
		 "argument 1 is not an option; write settings as --name=value, see "
		 "usherd --help"},
		{"--check", "postgresql://u:secret@h/d",
		 "argument 2 is not an option; write settings as --name=value, see "
		 "usherd --help"},
		{"--listen", NULL,
		 "option --listen needs a value; write --listen=value"},
		{"--listen", "--check",
		 "option --listen needs a value; write --listen=value"},
		{"--check=on", NULL, "--check is not an option; see usherd --help"},
		{"--database-password=secret", NULL,
		 "--database-password is not an option; see usherd --help"},
		{"--call_links=0", NULL,
		 "option --call_links: call_links cannot be \"0\"; write something "
		 "from 1 to 8"},
		{"--call-links=9", NULL,
		 "option --call_links: call_links cannot be \"9\"; write something "
		 "from 1 to 8"},
		{"--call_links=two", NULL,
		 "option --call_links: call_links cannot be \"two\"; write a whole "
		 "number"},
		{"--queue_bytes=1kB", NULL,
		 "option --queue_bytes: queue_bytes cannot be \"1kB\"; write something "
		 "from 64kB to 1GB"},
		{"--queue_bytes=2M", NULL,
		 "option --queue_bytes: queue_bytes cannot be \"2M\"; write a whole "
		 "number of B, kB, MB or GB"},
		{"--queue_age=5 minutes", NULL,
		 "option --queue_age: queue_age cannot be \"5 minutes\"; write a whole "
		 "number of ms, s, min, h or d"},
		{"--message_rate=", NULL,
		 "option --message_rate: message_rate cannot be \"\"; write a whole "
		 "number"},
		{"--max_connections=4294967296", NULL,
		 "option --max_connections: max_connections cannot be \"4294967296\"; "
		 "write something from 0 to 10000000"},
		{"--refusal=never", NULL,
		 "option --refusal: refusal cannot be \"never\"; write one of auto, "
		 "http, websocket"},
		{"--allow_query_token=maybe", NULL,
		 "option --allow_query_token: allow_query_token cannot be \"maybe\"; "
		 "write on or off"},
		{"--header_keywords=Token", NULL,
		 "header_keywords cannot have \"Token\"; write words and what follows "
		 "them, such as Token=token, Bearer=jwt"},
		{"--allowed_origins=a.org, localhost:8000", NULL,
		 "allowed_origins cannot have \"localhost:8000\"; write "
		 "http://host:port or https://host:port, or the host alone for any "
		 "port"},
		{"--session_cookie=my session", NULL,
		 "session_cookie cannot be \"my session\"; write the name of one "
		 "cookie, or nothing for none"},
		{"--jwt_cookie=a;b", NULL,
		 "jwt_cookie cannot be \"a;b\"; write the name of one cookie, or "
		 "nothing for none"},
		{"--jwt_cookie=sid", "--session_cookie=sid",
		 "jwt_cookie and session_cookie cannot both be \"sid\"; leave one of "
		 "them empty"},
		{"--database=a\nb", NULL,
		 "option --database: database has a control character in it; take it "
		 "out"},
		{"--listen=", NULL, "listen and tls_listen are both empty; set one"},
		{"--lease=2999ms", NULL,
		 "lease is shorter than three times report_interval; make it longer"},
		{"--lease=59s", "--report_interval=20s",
		 "lease is shorter than three times report_interval; make it longer"},
		{"--listen=8765", NULL,
		 "listen cannot be \"8765\"; write host:port, [v6]:port or *:port, "
		 "separated by commas"},
		{"--config=/nonexistent/usherd.ini", NULL,
		 "could not open configuration file \"/nonexistent/usherd.ini\": No "
		 "such file or directory; name another with --config"},
	};

	for (size_t i = 0; i < lengthof(row); i++)
	{
		Config config;

		check_at("%s", row[i].first);
		CHECK_INT(load(&config, row[i].first, row[i].second, NULL),
				  CONFIG_ERROR);
		CHECK_STR(error, row[i].error);
	}
}

TEST(a_lease_of_exactly_three_reports_is_long_enough)
{
	Config config;

	CHECK_INT(load(&config, "--lease=60s", "--report_interval=20s", NULL),
			  CONFIG_OK);
	config_fini(&config);
	CHECK_INT(load(&config, "--lease=3s", NULL), CONFIG_OK);
	config_fini(&config);
}

TEST(a_file_is_read_with_comments_blanks_and_indents)
{
	Config config;

	if (!CHECK_INT(load_text(&config, "\xEF\xBB\xBF# a comment\r\n"
									  "; another\r\n"
									  "\r\n"
									  "[usherd]\r\n"
									  "listen = *:9000   ; inline\r\n"
									  "\tcall-links: 3\r\n"
									  "    queue_age = 2 min\r\n"
									  "  # indented comment\r\n"
									  "database = host=/run dbname=site"),
				   CONFIG_OK))
	{
		printf("# %s\n", error);
		return;
	}
	CHECK_STR(config.listen, "*:9000");
	CHECK_INT(config.call_links, 3);
	CHECK_INT(config.queue_age_ms, 120000);
	CHECK_STR(config.database, "host=/run dbname=site");
	config_fini(&config);
}

TEST(a_wrong_file_is_refused_with_its_line)
{
	static const struct
	{
		const char *text;
		const char *error;
	} row[] = {
		{"[usherd]\n\nlistne = x\n",
		 "line 3 of usherd.ini: \"listne\" is not a setting; see usherd "
		 "--help"},
		{"[usherd]\nconfig = other.ini\n",
		 "line 2 of usherd.ini: \"config\" is not a setting; see usherd "
		 "--help"},
		{"listen = *:1\n",
		 "line 1 of usherd.ini stands before the line [usherd]"},
		{"[usherd]\n[pgbouncer]\n",
		 "line 2 of usherd.ini starts a section that usherd does not know; all "
		 "settings belong to [usherd]"},
		{"[usher]\nlisten = *:1\n",
		 "line 1 of usherd.ini starts a section that usherd does not know; all "
		 "settings belong to [usherd]"},
		{"  [usherd\nlisten = *:1\n",
		 "line 1 of usherd.ini starts a section that usherd does not know; all "
		 "settings belong to [usherd]"},
		{"[usherd]\nlisten = *:1\nlisten = *:2\n",
		 "line 3 of usherd.ini sets listen a second time; take one out"},
		{"[usherd]\ncall_links = 3\n  call-links = 4\n",
		 "line 3 of usherd.ini sets call_links a second time; take one out"},
		{"[usherd]\n\nqueue_bytes = 5\n",
		 "line 3 of usherd.ini: queue_bytes cannot be \"5\"; write something "
		 "from 64kB to 1GB"},
		{"[usherd]\nlisten\n",
		 "line 2 of usherd.ini is not understood; write name = value"},
		{"[usherd]\ncall_links = 3\ncall_links_too\nmax_inflight = 3\n",
		 "line 3 of usherd.ini is not understood; write name = value"},
	};

	for (size_t i = 0; i < lengthof(row); i++)
	{
		Config config;

		check_at("row %zu", i);
		CHECK_INT(load_text(&config, row[i].text), CONFIG_ERROR);
		CHECK_STR(plain_error(), row[i].error);
	}
}

TEST(a_wrong_value_in_the_file_is_refused_even_if_an_option_overrides_it)
{
	Config		config;
	const char *file = write_file("usherd.ini", "[usherd]\ncall_links = x\n");

	CHECK_INT(load(&config, "--config", file, "--call_links=2", NULL),
			  CONFIG_ERROR);
}

TEST(a_line_too_long_for_the_parser_is_refused_and_never_cut)
{
	Config config;
	char   text[600] = "[usherd]\ndatabase = host=";
	size_t start = strlen(text);
	bool   fitted = false;

	/* Whatever the length: whole or refused. */
	for (size_t len = 1; len < 500; len++)
	{
		ConfigStatus status;

		memset(text + start, 'h', len);
		memcpy(text + start + len, "\n", 2);
		status = load_text(&config, text);
		check_at("%zu bytes", len);
		if (status == CONFIG_OK)
		{
			CHECK_INT(strlen(config.database), len + 5);
			fitted = len >= 170;
			config_fini(&config);
		}
		else
			CHECK(strstr(error, "line 2 of ") == error &&
				  strstr(error, "is longer than ") != NULL);
	}
	CHECK(fitted);
	CHECK_INT(load_text(&config, text), CONFIG_ERROR);
}

TEST(a_nul_byte_or_a_directory_is_no_file_of_settings)
{
	Config			  config;
	static const char bytes[] = "[usherd]\nlisten = *:1\0;\n";

	CHECK_INT(load(&config, "--config",
				   write_bytes("usherd.ini", bytes, sizeof(bytes) - 1, 0600),
				   NULL),
			  CONFIG_ERROR);
	CHECK_STR(plain_error(), "line 2 of usherd.ini has a NUL byte; take it "
							 "out");
	CHECK_INT(load(&config, "--config=/", NULL), CONFIG_ERROR);
	CHECK_STR(error, "could not read configuration file \"/\": Is a directory");
}

TEST(random_bytes_as_a_file_are_refused_or_read_but_never_break_anything)
{
	Config	 config;
	uint64_t random = 20261123;
	int		 refused = 0;

	printf("# seed %llu\n", (unsigned long long) random);
	for (int i = 0; i < 300; i++)
	{
		static const char letters[] = "[]usherdlitn=:;#\n \t\r\xff"
									  "0123456789_-";
		char			  bytes[700];

		for (size_t at = 0; at < sizeof(bytes); at++)
		{
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			bytes[at] = i % 2 == 0
							? letters[(random >> 33) % (sizeof(letters) - 1)]
							: (char) (random >> 33);
		}
		memcpy(bytes, "[usherd]\n", 9);
		if (load(&config, "--config",
				 write_bytes("usherd.ini", bytes, sizeof(bytes), 0600),
				 NULL) == CONFIG_OK)
			config_fini(&config);
		else
			refused++;
	}
	CHECK(refused > 250);
}

TEST(a_wrong_environment_variable_is_refused_by_name)
{
	Config config;

	setenv("USHERD_QUEUE_AGE", "soon", 1);
	CHECK_INT(load(&config, NULL), CONFIG_ERROR);
	CHECK_STR(error,
			  "environment variable USHERD_QUEUE_AGE: queue_age cannot be "
			  "\"soon\"; write a whole number of ms, s, min, h or d");
	unsetenv("USHERD_QUEUE_AGE");
}

TEST(a_variable_that_names_no_setting_is_warned_of_and_ignored)
{
	Config config;

	setenv("USHERD_QUEUE_BITES", "secret", 1);
	setenv("USHERD_QUEUE_BYTES", "1MB", 1);
	notes[0] = '\0';
	if (CHECK_INT(load(&config, NULL), CONFIG_OK))
	{
		config_warn(&config, note);
		CHECK_STR(notes, "environment variable USHERD_QUEUE_BITES names no "
						 "setting and is ignored\n");
		config_fini(&config);
	}
	unsetenv("USHERD_QUEUE_BITES");
	unsetenv("USHERD_QUEUE_BYTES");
}

TEST(tls_needs_a_readable_certificate_and_a_key_closed_to_others)
{
	Config		config;
	const char *certificate = write_bytes("cert.pem", "certificate", 11, 0644);
	const char *key = write_bytes("key.pem", "key", 3, 0640);

	CHECK_INT(load(&config, "--tls_listen=*:443", NULL), CONFIG_ERROR);
	CHECK_STR(error, "tls_listen needs a certificate and its key; set "
					 "tls_certificate and tls_key");
	CHECK_INT(load(&config, "--tls_listen=*:443", "--tls_certificate",
				   certificate, NULL),
			  CONFIG_ERROR);

	if (CHECK_INT(load(&config, "--tls_listen=*:443", "--tls_certificate",
					   certificate, "--tls_key", key, NULL),
				  CONFIG_OK))
		config_fini(&config);

	for (mode_t bit = 1; bit <= 4; bit *= 2)
	{
		check_at("mode %o", (unsigned) bit);
		chmod(key, 0640 | bit);
		CHECK_INT(load(&config, "--tls_listen=*:443", "--tls_certificate",
					   certificate, "--tls_key", key, NULL),
				  CONFIG_ERROR);
		CHECK(strstr(error, "is open to other users (mode 064") != NULL);
		CHECK(strstr(error, "run chmod o= on it") != NULL);
	}
	CHECK_INT(load(&config, "--tls_listen=*:443", "--tls_certificate",
				   "/nonexistent.pem", "--tls_key", key, NULL),
			  CONFIG_ERROR);
	CHECK_STR(error, "could not open tls_certificate \"/nonexistent.pem\": No "
					 "such file or directory; name a file that usherd may "
					 "read");
	CHECK_INT(load(&config, "--tls_listen=*:443", "--tls_certificate", "/",
				   "--tls_key", key, NULL),
			  CONFIG_ERROR);
	CHECK_STR(error, "tls_certificate \"/\" is not a regular file; name one");
}

TEST(a_password_in_a_file_that_others_can_read_is_refused)
{
	static const char text[] = "[usherd]\ndatabase = host=db password=sesame\n";
	Config			  config;
	const char		 *file;

	file = write_bytes("usherd.ini", text, strlen(text), 0640);
	if (CHECK_INT(load(&config, "--config", file, NULL), CONFIG_OK))
		config_fini(&config);

	chmod(file, 0644);
	CHECK_INT(load(&config, "--config", file, NULL), CONFIG_ERROR);
	CHECK_STR(plain_error(),
			  "configuration file \"usherd.ini\" has a password in database "
			  "and can be read by other users (mode 0644); run chmod o= on "
			  "it, or use a password file (PGPASSFILE)");

	/* It is there to be read even if it is not used. */
	CHECK_INT(load(&config, "--config", file, "--database=host=db", NULL),
			  CONFIG_ERROR);

	/* Without a password the same mode is fine. */
	file = write_file("usherd.ini", "[usherd]\ndatabase = host=db\n");
	chmod(file, 0644);
	if (CHECK_INT(load(&config, "--config", file, NULL), CONFIG_OK))
		config_fini(&config);
}

TEST(what_is_allowed_but_unwise_is_warned_of)
{
	Config		config;
	const char *certificate = write_bytes("cert.pem", "certificate", 11, 0644);

	notes[0] = '\0';
	if (CHECK_INT(load(&config, NULL), CONFIG_OK))
	{
		config_warn(&config, note);
		CHECK_STR(notes, "");
		config_fini(&config);
	}
	if (CHECK_INT(load(&config, "--allow_query_token=on",
					   "--database=postgresql://u:sesame@h/d",
					   "--tls_certificate", certificate, NULL),
				  CONFIG_OK))
	{
		config_warn(&config, note);
		CHECK(strstr(notes, "allow_query_token is on: ") != NULL);
		CHECK(strstr(notes, "option --database has a password") != NULL);
		CHECK(strstr(notes, "tls_listen is empty, so ") != NULL);
		CHECK(strstr(notes, "sesame") == NULL);
		config_fini(&config);
	}
	notes[0] = '\0';
	if (CHECK_INT(load(&config, "--allow_query_django_session=on",
					   "--allowed_origins=a.org, *", NULL),
				  CONFIG_OK))
	{
		config_warn(&config, note);
		CHECK(strstr(notes, "allow_query_django_session is on: ") != NULL);
		CHECK(strstr(notes, "allowed_origins has \"*\": any page ") != NULL);
		config_fini(&config);
	}
}

TEST(how_credentials_are_read_can_change_while_running)
{
	Config old;
	Config fresh;

	if (!CHECK_INT(load_text(&old, "[usherd]\n"), CONFIG_OK))
		return;
	write_file("usherd.ini", "[usherd]\n"
							 "header_keywords = Bearer=knox\n"
							 "allow_query_django_session = on\n"
							 "jwt_cookie =\n"
							 "session_cookie = __Host-sid\n"
							 "allowed_origins = https://a.org, .b.org\n");
	if (CHECK(config_reload(&old, &fresh, error, sizeof(error), NULL)))
	{
		CHECK_STR(fresh.header_keywords, "Bearer=knox");
		CHECK(fresh.allow_query_django_session);
		CHECK_STR(fresh.jwt_cookie, "");
		CHECK_STR(fresh.session_cookie, "__Host-sid");
		CHECK_STR(fresh.allowed_origins, "https://a.org, .b.org");
		config_fini(&fresh);
	}
	write_file("usherd.ini", "[usherd]\nallowed_origins = a.org:80\n");
	CHECK(!config_reload(&old, &fresh, error, sizeof(error), NULL));
	CHECK(strstr(error, "allowed_origins cannot have \"a.org:80\"") == error);
	config_fini(&old);
}

TEST(a_reload_takes_what_can_change_and_names_what_needs_a_restart)
{
	Config old;
	Config fresh;

	if (!CHECK_INT(load_text(&old, "[usherd]\n"
								   "listen = *:9000\n"
								   "call_links = 3\n"
								   "database = host=one\n"
								   "queue_bytes = 1MB\n"),
				   CONFIG_OK))
		return;
	write_file("usherd.ini", "[usherd]\n"
							 "listen = *:9001\n"
							 "call_links = 4\n"
							 "database = host=two password=sesame\n"
							 "queue_bytes = 3MB\n"
							 "log_level = error\n"
							 "allow_query_token = on\n");
	notes[0] = '\0';
	if (CHECK(config_reload(&old, &fresh, error, sizeof(error), note)))
	{
		CHECK_STR(fresh.listen, "*:9000");
		CHECK_INT(fresh.call_links, 3);
		CHECK_STR(fresh.database, "host=one");
		CHECK_INT(fresh.queue_bytes, 3 * 1024 * 1024);
		CHECK_INT(fresh.log_level, LOG_LEVEL_ERROR);
		CHECK(strstr(notes, "listen was changed, which takes effect after a "
							"restart\n") == notes);
		CHECK(strstr(notes, "\ncall_links was changed") != NULL);
		CHECK(strstr(notes, "\ndatabase was changed") != NULL);
		CHECK(strstr(notes, "queue_bytes") == NULL);
		CHECK(strstr(notes, "allow_query_token is on") != NULL);
		CHECK(strstr(notes, "sesame") == NULL);

		/* The old one lives on its own. */
		CHECK_INT(old.queue_bytes, 1024 * 1024);
		config_fini(&old);
		CHECK_STR(fresh.listen, "*:9000");

		/* Reloading again compares with what is in force. */
		if (CHECK(config_reload(&fresh, &old, error, sizeof(error), NULL)))
		{
			CHECK_STR(old.listen, "*:9000");
			config_fini(&old);
		}
		config_fini(&fresh);
	}
	else
		config_fini(&old);
}

TEST(a_reload_of_an_unchanged_file_says_nothing)
{
	Config old;
	Config fresh;

	if (!CHECK_INT(load_text(&old, "[usherd]\nlisten = *:9000\n"), CONFIG_OK))
		return;
	notes[0] = '\0';
	if (CHECK(config_reload(&old, &fresh, error, sizeof(error), note)))
	{
		CHECK_STR(notes, "");
		config_fini(&fresh);
	}
	config_fini(&old);
}

TEST(a_reload_keeps_the_precedence_of_options)
{
	Config		old;
	Config		fresh;
	const char *file = write_file("usherd.ini", "[usherd]\nqueue_age = 1s\n");

	if (!CHECK_INT(load(&old, "--config", file, "--queue_age=9s", NULL),
				   CONFIG_OK))
		return;
	write_file("usherd.ini", "[usherd]\nqueue_age = 2s\n");
	if (CHECK(config_reload(&old, &fresh, error, sizeof(error), NULL)))
	{
		CHECK_INT(fresh.queue_age_ms, 9000);
		config_fini(&fresh);
	}
	config_fini(&old);
}

TEST(a_reload_that_fails_says_why_and_changes_nothing)
{
	Config old;
	Config fresh;

	if (!CHECK_INT(load_text(&old, "[usherd]\nlisten = *:9000\n"), CONFIG_OK))
		return;
	write_file("usherd.ini", "[usherd]\nlisten = *:9001\nqueue_age = soon\n");
	notes[0] = '\0';
	CHECK(!config_reload(&old, &fresh, error, sizeof(error), note));
	CHECK(strstr(error, "line 3 of ") == error);
	CHECK_STR(notes, "");
	CHECK(fresh.listen == NULL);
	CHECK_STR(old.listen, "*:9000");

	remove(path_of("usherd.ini"));
	CHECK(!config_reload(&old, &fresh, error, sizeof(error), note));
	CHECK(strstr(error, "could not open configuration file") == error);
	config_fini(&old);
}

TEST(lists_of_addresses_are_taken_apart)
{
	const char	 *cursor = " 127.0.0.1:8765, [::1]:1 ,*:65535,example.org:80 ";
	ConfigAddress address;

	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_OK);
	CHECK_STR(address.host, "127.0.0.1");
	CHECK_INT(address.port, 8765);
	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_OK);
	CHECK_STR(address.host, "::1");
	CHECK_INT(address.port, 1);
	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_OK);
	CHECK_STR(address.host, "");
	CHECK_INT(address.port, 65535);
	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_OK);
	CHECK_STR(address.host, "example.org");
	CHECK_INT(address.port, 80);
	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_END);

	cursor = "  ";
	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_END);
}

TEST(addresses_that_could_be_misunderstood_are_refused)
{
	static const char *const wrong[] = {
		"localhost", "localhost:", ":80",
		"host:0",	 "host:65536", "host:99999999999",
		"host:80x",	 "host:-1",	   "host:+1",
		"::1:80",	 "[::1]",	   "[::1]80",
		"[host]:80", "[]:80",	   "[::1:80",
		"*",		 ",",		   ",a:1",
		"a:1,",		 "a:1, ",	   "a:1,,b:2",
		"a:1 b:2",	 "a b:1",	   "a:1;b:2",
	};

	for (size_t i = 0; i < lengthof(wrong); i++)
	{
		const char		   *cursor = wrong[i];
		ConfigAddress		address;
		ConfigAddressStatus status;

		check_at("%s", wrong[i]);
		do
			status = config_next_address(&cursor, &address);
		while (status == CONFIG_ADDRESS_OK);
		CHECK_INT(status, CONFIG_ADDRESS_MALFORMED);
	}
}

TEST(a_host_name_as_long_as_dns_allows_fits_and_a_longer_one_is_refused)
{
	char		  list[400];
	const char	 *cursor = list;
	ConfigAddress address;

	memset(list, 'h', sizeof(list));
	memcpy(list + 255, ":80", 4);
	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_OK);
	CHECK_INT(strlen(address.host), 255);
	memset(list, 'h', sizeof(list));
	memcpy(list + 256, ":80", 4);
	cursor = list;
	CHECK_INT(config_next_address(&cursor, &address), CONFIG_ADDRESS_MALFORMED);
}

TEST(help_names_every_setting_in_lines_of_at_most_79_columns)
{
	static const char *const names[] = {"listen",
										"tls_listen",
										"tls_certificate",
										"tls_key",
										"database",
										"log_level",
										"refusal",
										"header_keywords",
										"allow_query_token",
										"allow_query_django_session",
										"jwt_cookie",
										"session_cookie",
										"allowed_origins",
										"max_header_bytes",
										"header_timeout",
										"auth_timeout",
										"close_timeout",
										"expiry_warning",
										"max_message_bytes",
										"message_rate",
										"message_burst",
										"message_rate_per_user",
										"message_rate_per_address",
										"byte_rate",
										"byte_rate_per_user",
										"byte_rate_per_address",
										"max_groups",
										"max_groups_per_user",
										"max_groups_per_address",
										"max_inflight",
										"max_connections",
										"max_unauthenticated",
										"max_connections_per_user",
										"max_connections_per_address",
										"queue_bytes",
										"recent_bytes",
										"resume_limit",
										"queue_age",
										"ping_interval",
										"ping_timeout",
										"drain_time",
										"max_plain_groups",
										"presence_delay",
										"report_interval",
										"lease",
										"page",
										"canary_interval",
										"call_links",
										"max_pending_calls",
										"call_timeout",
										"config"};
	static char				 text[32768];
	FILE					*stream = fmemopen(text, sizeof(text), "w");
	size_t					 settings_shown = 0;

	if (!CHECK(stream != NULL))
		return;
	config_print_help(stream);
	fclose(stream);
	for (size_t i = 0; i < lengthof(names); i++)
	{
		char option[64];

		check_at("%s", names[i]);
		snprintf(option, sizeof(option), "\n  --%s=", names[i]);
		CHECK(strstr(text, option) != NULL);
	}
	for (char *line = strtok(text, "\n"); line != NULL;
		 line = strtok(NULL, "\n"))
	{
		check_at("%s", line);
		CHECK(strlen(line) <= 79);
		settings_shown +=
			strncmp(line, "  --", 4) == 0 && strchr(line, '=') != NULL;
	}
	CHECK_INT(settings_shown, lengthof(names));
}

TEST_MAIN()
