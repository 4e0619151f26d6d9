/*-------------------------------------------------------------------------
 *
 * failure.c
 *	  Why a link failed, when to try again, and whether to say so once more.
 *
 *-------------------------------------------------------------------------
 */
#include "failure.h"

#include <stdio.h>

void
failure_because(Failure *failure, const char *text)
{
	size_t used = 0;

	while (*text != '\0' && used + 1 < sizeof(failure->reason))
	{
		bool blank = strchr("\n\r\t ", *text) != NULL;

		/* libpq's guesses: "\n\tThis probably means the server ...". */
		if (text[0] == '\n' && text[1] == '\t')
		{
			text += 1 + strcspn(text + 1, "\n");
			continue;
		}
		if (!blank)
			failure->reason[used++] = *text;
		else if (used > 0 && failure->reason[used - 1] != ' ')
			failure->reason[used++] = ' ';
		text++;
	}
	while (used > 0 && failure->reason[used - 1] == ' ')
		used--;
	failure->reason[used] = '\0';
}

static const char *
advice(const char *sqlstate)
{
	static const struct
	{
		const char *sqlstate;
		const char *sentence;
	} known[] = {
		/* clang-format off */
		{"3F000", "run CREATE EXTENSION usher in this database"},
		{"42883", "run CREATE EXTENSION usher, or ALTER EXTENSION usher "
				  "UPDATE, in this database"},
		{"42P01", "run CREATE EXTENSION usher, or ALTER EXTENSION usher "
				  "UPDATE, in this database"},
		{"42703", "run ALTER EXTENSION usher UPDATE in this database"},
		{"42501", "run GRANT usher_listener TO the role usherd connects as"},
		{"58P01", "install the files of extension usher on the server"},
		{"25006", "usherd needs the primary server, not a read-only one"},
		/* clang-format on */
	};

	for (size_t i = 0; i < lengthof(known); i++)
		if (strcmp(known[i].sqlstate, sqlstate) == 0)
			return known[i].sentence;
	return NULL;
}

void
failure_because_error(Failure *failure, const char *sqlstate,
					  const char *message)
{
	const char *what_to_do = advice(sqlstate);
	char		text[FAILURE_REASON_MAX];

	snprintf(text, sizeof(text), "%s%s%s%s%s", sqlstate,
			 sqlstate[0] != '\0' ? " " : "", message,
			 what_to_do != NULL ? "; " : "",
			 what_to_do != NULL ? what_to_do : "");
	failure_because(failure, text);
}

uint64_t
failure_pause_ms(Failure *failure, uint32_t noise)
{
	uint64_t longest = FAILURE_FIRST_PAUSE_MS;

	for (unsigned i = 0; i < failure->count && longest < FAILURE_MAX_PAUSE_MS;
		 i++)
		longest *= 2;
	if (longest > FAILURE_MAX_PAUSE_MS)
		longest = FAILURE_MAX_PAUSE_MS;
	failure->count++;
	return longest / 2 + noise % (longest / 2 + 1);
}

bool
failure_is_news(Failure *failure, uint64_t now_ms)
{
	if (failure->told[0] != '\0' &&
		strcmp(failure->reason, failure->told) == 0 &&
		now_ms - failure->told_ms < FAILURE_REPEAT_MS)
		return false;
	memcpy(failure->told, failure->reason, sizeof(failure->told));
	failure->told_ms = now_ms;
	return true;
}

void
failure_over(Failure *failure)
{
	failure->count = 0;
	failure->told[0] = '\0';
}
