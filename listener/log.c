/*-------------------------------------------------------------------------
 *
 * log.c
 *	  One line per event, to standard error.
 *
 * A line is put together in a buffer on the stack and written with one call,
 * so that lines of several processes on one pipe do not mix, and so that
 * logging needs no memory when there is none.
 *
 *-------------------------------------------------------------------------
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>

/* PIPE_BUF (4096 on Linux) is what a pipe takes in one piece. */
#define LINE_MAX_BYTES 4096

/* What a message may be before escaping, which makes at most 4 out of 1. */
#define MESSAGE_MAX_BYTES 2048

static LogLevel threshold = LOG_LEVEL_INFO;
static FILE	   *output; /* NULL: standard error */

static const char *const level_name[] = {
	[LOG_LEVEL_DEBUG] = "DEBUG",
	[LOG_LEVEL_INFO] = "INFO",
	[LOG_LEVEL_WARNING] = "WARNING",
	[LOG_LEVEL_ERROR] = "ERROR",
};

void
log_set_level(LogLevel level)
{
	threshold = level;
}

LogLevel
log_get_level(void)
{
	return threshold;
}

void
log_set_stream(FILE *stream)
{
	output = stream;
}

bool
log_parse_level(const char *text, LogLevel *level)
{
	static const char *const spelled[] = {"debug", "info", "warning", "error"};

	for (size_t i = 0; i < lengthof(spelled); i++)
	{
		if (strcmp(text, spelled[i]) == 0)
		{
			*level = (LogLevel) i;
			return true;
		}
	}
	return false;
}

/*
 * Bytes of the character at text, 0 when it is not one to print: invalid UTF-8
 * (RFC 3629), a control character (C0, DEL, C1), a line or paragraph separator,
 * or a mark that changes the direction of what follows it on the line.
 */
static size_t
printable_length(const uint8_t *text, size_t len)
{
	uint32_t code;
	size_t	 need;

	if (text[0] < 0x80)
		return text[0] >= 0x20 && text[0] != 0x7F ? 1 : 0;
	if (text[0] >= 0xC2 && text[0] <= 0xDF)
		need = 2;
	else if (text[0] >= 0xE0 && text[0] <= 0xEF)
		need = 3;
	else if (text[0] >= 0xF0 && text[0] <= 0xF4)
		need = 4;
	else
		return 0;
	if (len < need)
		return 0;

	code = text[0] & (0x7FU >> need);
	for (size_t i = 1; i < need; i++)
	{
		if ((text[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3FU);
	}
	if ((need == 3 && code < 0x800) || (need == 4 && code < 0x10000) ||
		(code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF)
		return 0;
	if (code <= 0x9F || (code >= 0x2028 && code <= 0x202E) ||
		(code >= 0x2066 && code <= 0x2069))
		return 0;
	return need;
}

/* A line under construction. */
typedef struct Line
{
	char   text[LINE_MAX_BYTES];
	size_t used;
	bool   cut; /* not everything fitted */
} Line;

/* What a line ends with when it was cut. */
static const char cut_mark[] = " ...\n";

static void
append_escaped(Line *line, const char *message, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t	 *text = (const uint8_t *) message;
	size_t			  n;

	for (size_t i = 0; i < len; i += n)
	{
		/* An escape and the longest character are both 4 bytes. */
		if (line->used + 4 > sizeof(line->text) - sizeof(cut_mark))
		{
			line->cut = true;
			return;
		}
		n = printable_length(text + i, len - i);
		if (n > 0)
		{
			memcpy(line->text + line->used, text + i, n);
			line->used += n;
		}
		else
		{
			char *at = line->text + line->used;

			n = 1;
			at[0] = '\\';
			at[1] = 'x';
			at[2] = hex[text[i] >> 4];
			at[3] = hex[text[i] & 0xF];
			line->used += 4;
		}
	}
}

void
log_write(LogLevel level, const char *format, ...)
{
	char			message[MESSAGE_MAX_BYTES];
	Line			line;
	FILE		   *stream = output == NULL ? stderr : output;
	int				saved_errno = errno;
	struct timespec now;
	struct tm		utc;
	va_list			args;
	const char	   *end;
	int				len;

	if (level < threshold)
		return;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	line.cut = false;
	line.used =
		strftime(line.text, sizeof(line.text), "%Y-%m-%dT%H:%M:%S", &utc);
	line.used += (size_t) snprintf(line.text + line.used,
								   sizeof(line.text) - line.used, ".%03ldZ %s ",
								   now.tv_nsec / 1000000, level_name[level]);

	errno = saved_errno; /* for %m */
	va_start(args, format);
	len = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (len < 0)
		len = snprintf(message, sizeof(message), "message cannot be printed");

	/* A character cut in two comes out escaped, which is no harm. */
	line.cut = (size_t) len >= sizeof(message);
	append_escaped(&line, message,
				   line.cut ? sizeof(message) - 1 : (size_t) len);
	end = line.cut ? cut_mark : "\n";
	memcpy(line.text + line.used, end, strlen(end));
	line.used += strlen(end);

	/* Nowhere is left to complain to when this fails. */
	(void) fwrite(line.text, 1, line.used, stream);
	(void) fflush(stream);
	errno = saved_errno;
}
