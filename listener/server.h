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
 * server_run
 *		Serve until SIGTERM or SIGINT has been carried out.
 *
 * config is the caller's; SIGHUP replaces what is in it.  Returns the process's
 * exit status: 0 after a drain, 1 when it could not start (logged).
 */
int server_run(Config *config);

#endif
