/*-------------------------------------------------------------------------
 *
 * config.h
 *	  Settings of the listener: one table, four places to set them.
 *
 * An option on the command line wins over the environment (USHERD_NAME), which
 * wins over the INI file ([usherd], --config FILE or USHERD_CONFIG), which wins
 * over the default.  The table in config.c is the only place that knows a
 * setting's name, type, unit, default and bounds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CONFIG_H
#define USHER_CONFIG_H

#include <stdio.h>
#include <sys/types.h>

#include "common.h"
#include "log.h"

/* How a request that will not be served is told so. */
typedef enum ConfigRefusal
{
	CONFIG_REFUSAL_AUTO, /* 101 and a close code for requests with Origin, HTTP
						  * otherwise */
	CONFIG_REFUSAL_HTTP, /* always an HTTP status */
	CONFIG_REFUSAL_WEBSOCKET, /* always 101 and a close code */
} ConfigRefusal;

/*
 * Strings are owned by the Config and never NULL ("" when empty), except
 * config_file.  0 means "no limit" or "never" where the help says so.
 */
typedef struct Config
{
	char		 *listen;
	char		 *tls_listen;
	char		 *tls_certificate;
	char		 *tls_key;
	char		 *database; /* secret: never logged */
	LogLevel	  log_level;
	ConfigRefusal refusal;
	char		 *header_keywords;
	bool		  allow_query_token;
	bool		  allow_query_django_session;
	char		 *jwt_cookie;	  /* "": none */
	char		 *session_cookie; /* "": none */
	char		 *allowed_origins;
	size_t		  max_header_bytes;
	uint64_t	  header_timeout_ms;
	uint64_t	  auth_timeout_ms;
	uint64_t	  close_timeout_ms;
	uint64_t	  expiry_warning_ms;
	size_t		  max_message_bytes;
	uint32_t	  message_rate; /* per second and client, 0: none */
	uint32_t	  message_burst;
	uint32_t	  message_rate_per_user;	/* per second, 0: no limit */
	uint32_t	  message_rate_per_address; /* likewise */
	size_t		  byte_rate;				/* per second and client, 0: none */
	size_t		  byte_rate_per_user;
	size_t		  byte_rate_per_address;
	uint32_t	  max_groups;			  /* of one client */
	uint32_t	  max_groups_per_user;	  /* 0: no limit */
	uint32_t	  max_groups_per_address; /* 0: no limit */
	uint32_t	  max_inflight;
	uint32_t	  max_connections; /* 0: as many as descriptors allow */
	uint32_t	  max_unauthenticated;
	uint32_t	  max_connections_per_user;	   /* 0: no limit */
	uint32_t	  max_connections_per_address; /* 0: no limit */
	size_t		  queue_bytes;
	uint64_t	  queue_age_ms;
	uint64_t	  ping_interval_ms; /* 0: never */
	uint64_t	  ping_timeout_ms;
	uint64_t	  drain_time_ms;
	uint32_t	  max_plain_groups;
	size_t		  recent_bytes;
	uint32_t	  resume_limit;
	uint64_t	  presence_delay_ms;
	uint64_t	  report_interval_ms;
	uint64_t	  lease_ms;
	bool		  page;
	uint64_t	  canary_interval_ms;
	uint32_t	  call_links;
	uint32_t	  max_pending_calls;
	uint64_t	  call_timeout_ms;

	/* Where the settings came from, for config_reload and config_validate. */
	char  *config_file; /* NULL: none */
	mode_t config_file_mode;
	bool   password_in_file;	  /* the file's "database" carries a password */
	bool   password_in_arguments; /* an option does: ps shows it */
	int	   argc;
	char **argv; /* borrowed from main() */
} Config;

typedef enum ConfigStatus
{
	CONFIG_OK,
	CONFIG_HELP,	/* --help was given: print it and exit 0 */
	CONFIG_VERSION, /* --version was given */
	CONFIG_ERROR,	/* error is a sentence that says what to change */
} ConfigStatus;

/*
 * config_load
 *		Read file, environment and arguments, and validate the result.
 *
 * argv is borrowed for the life of config (config_reload reads it again).
 * *check_only becomes true when --check was given.  With CONFIG_OK the caller
 * owns config and ends it with config_fini; otherwise there is nothing to free.
 */
ConfigStatus config_load(Config *config, int argc, char **argv,
						 bool *check_only, char *error,
						 size_t error_cap) MUST_CHECK;

/*
 * config_reload
 *		Read everything again into fresh; old is left alone.
 *
 * Settings that cannot be changed while running keep old's value, and note (may
 * be NULL) is called with a sentence for each of them that was changed, and for
 * each warning of config_warn.  Returns false with error set when anything is
 * wrong: nothing is then in fresh, and the caller carries on with old.
 */
bool config_reload(const Config *old, Config *fresh, char *error,
				   size_t error_cap,
				   void (*note)(const char *sentence)) MUST_CHECK;

/* Frees the strings; a zeroed or already ended Config is fine. */
void config_fini(Config *config);

/*
 * config_validate
 *		Check what no single setting shows: files, modes, combinations.
 *
 * config_load and config_reload have done it already.
 */
bool config_validate(const Config *config, char *error,
					 size_t error_cap) MUST_CHECK;

/* Call note with a sentence for each setting that is allowed but unwise. */
void config_warn(const Config *config, void (*note)(const char *sentence));

/* The text of --help, made from the table. */
void config_print_help(FILE *stream);

/* USHER_VERSION, as the build gives it. */
const char *config_version(void);

/* One entry of listen or tls_listen. */
typedef struct ConfigAddress
{
	char	 host[256]; /* name or address without brackets; "" for "*" */
	uint16_t port;		/* 1 to 65535 */
} ConfigAddress;

typedef enum ConfigAddressStatus
{
	CONFIG_ADDRESS_OK,
	CONFIG_ADDRESS_END, /* no more */
	CONFIG_ADDRESS_MALFORMED,
} ConfigAddressStatus;

/*
 * config_next_address
 *		Take the next host:port, [v6]:port or *:port off a comma-separated list.
 *
 * Start with *cursor at the list; it is moved past what was taken.  Lists in a
 * validated Config are never malformed.  Resolves nothing.
 */
ConfigAddressStatus config_next_address(const char	 **cursor,
										ConfigAddress *address) MUST_CHECK;

#endif
