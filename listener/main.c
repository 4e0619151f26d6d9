/*-------------------------------------------------------------------------
 *
 * main.c
 *	  usherd: arguments and exit codes.
 *
 * Exit status: 0 served and drained, or --help, --version, --check found
 * nothing wrong; 1 could not start; 2 a setting is wrong.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "config.h"
#include "log.h"
#include "server.h"

static void
print_note(const char *sentence)
{
	fprintf(stderr, "usherd: %s\n", sentence);
}

int
main(int argc, char **argv)
{
	Config config;
	bool   check_only = false;
	char   error[512] = "";
	int	   status;

	switch (config_load(&config, argc, argv, &check_only, error, sizeof(error)))
	{
		case CONFIG_OK: break;
		case CONFIG_HELP: config_print_help(stdout); return 0;
		case CONFIG_VERSION: printf("usherd %s\n", config_version()); return 0;
		case CONFIG_ERROR: fprintf(stderr, "usherd: %s\n", error); return 2;
	}
	if (!server_check(&config, error, sizeof(error)))
	{
		fprintf(stderr, "usherd: %s\n", error);
		status = 2;
	}
	else if (check_only)
	{
		config_warn(&config, print_note);
		printf("usherd: settings are fine\n");
		status = 0;
	}
	else
	{
		log_set_level(config.log_level);
		status = server_run(&config);
	}
	config_fini(&config);
	return status;
}
