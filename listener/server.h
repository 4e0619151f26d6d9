/*-------------------------------------------------------------------------
 *
 * server.h
 *	  The rooms of a listener process, wired together.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_SERVER_H
#define USHER_SERVER_H

#include "common.h"
#include "config.h"

/*
 * server_check
 *		Whether the rooms will take these settings, as far as that can be told
 *		without serving: the connection string and the certificate's key.
 *
 * error is a sentence that says what to change.
 */
bool server_check(const Config *config, char *error,
				  size_t error_cap) MUST_CHECK;

/*
 * server_run
 *		Serve until SIGTERM or SIGINT has been carried out.
 *
 * config is the caller's; SIGHUP replaces what is in it.  Returns the process's
 * exit status: 0 after a drain, 1 when it could not start (logged).
 */
int server_run(Config *config);

#endif
