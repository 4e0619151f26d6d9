/*-------------------------------------------------------------------------
 *
 * log.h
 *	  One line per event, to standard error (or a stream given for tests).
 *
 * Format: "2026-11-23T20:15:02.113Z INFO client 4711 127.0.0.1:50122: ...".
 * Control bytes, newlines and invalid UTF-8 in arguments come out as \xNN, so
 * that nothing a client sends can forge a line.  No caller passes a credential
 *or a query string.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_LOG_H
#define USHER_LOG_H

#include <stdio.h>

#include "common.h"

typedef enum LogLevel
{
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
} LogLevel;

void	 log_set_level(LogLevel level);
LogLevel log_get_level(void);

/* stream is borrowed; NULL restores standard error. */
void log_set_stream(FILE *stream);

/* Parses debug, info, warning, error. */
bool log_parse_level(const char *text, LogLevel *level) MUST_CHECK;

void log_write(LogLevel level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_debug(...)                                                         \
	do                                                                         \
	{                                                                          \
		if (log_get_level() <= LOG_LEVEL_DEBUG)                                \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                           \
	} while (0)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
