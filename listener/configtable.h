/*-------------------------------------------------------------------------
 *
 * configtable.h
 *	  The one table of settings, and what can be done to any of them.
 *
 * Only config.c uses this room.  A new setting is a field of Config and a line
 * of the table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CONFIGTABLE_H
#define USHER_CONFIGTABLE_H

#include <stdio.h>

#include "config.h"

#define ENVIRONMENT_PREFIX "USHERD_"

typedef enum SettingType
{
	SETTING_STRING,	  /* char * */
	SETTING_BOOL,	  /* bool */
	SETTING_CHOICE,	  /* an enum whose values are places in choices */
	SETTING_INTEGER,  /* uint32_t */
	SETTING_BYTES,	  /* size_t */
	SETTING_DURATION, /* uint64_t, milliseconds */
} SettingType;

typedef struct Setting
{
	const char		  *name;
	SettingType		   type;
	size_t			   offset; /* of the field in Config */
	const char		  *initial;
	const char		  *unit; /* of a bare number, NULL: none */
	bool			   reloadable;
	bool			   secret;
	uint64_t		   minimum;
	uint64_t		   maximum;
	const char *const *choices; /* ends with NULL */
	const char		  *help;
} Setting;

#define SETTING_COUNT 50
extern const Setting settings[SETTING_COUNT];

/* Where an error message is to be written. */
typedef struct ErrorText
{
	char  *text;
	size_t cap;
} ErrorText;

/*
 * error_set
 *		Write a sentence that says what to change.
 *
 * Always returns false, so that a caller can fail in one line.
 */
bool error_set(ErrorText error, const char *format, ...) PRINTF_LIKE(2, 3);

/* The setting of that name, with '-' as good as '_'; NULL when unknown. */
const Setting *setting_find(const char *name, size_t len);

/* "queue_bytes" is set by USHERD_QUEUE_BYTES.  Returns out. */
#define VARIABLE_NAME_CAP 64
const char *setting_variable(const Setting *setting,
							 char			out[VARIABLE_NAME_CAP]);

/*
 * setting_set
 *		Parse text into the setting's field, checking its bounds.
 *
 * source says where text stands, for the error, which does not repeat a secret.
 */
bool setting_set(Config *config, const Setting *setting, const char *text,
				 const char *source, ErrorText error) MUST_CHECK;

/* True when both have the same value. */
bool setting_same(const Config *a, const Config *b, const Setting *setting);

/* Returns false when out of memory; to is then unchanged. */
bool setting_copy(Config *to, const Config *from,
				  const Setting *setting) MUST_CHECK;

/* Free what the field owns, wiped if it is secret. */
void setting_free(Config *config, const Setting *setting);

/* The setting's lines of --help. */
void setting_print(FILE *stream, const Setting *setting);

#endif
