/*-------------------------------------------------------------------------
 *
 * answers.c
 *	  What the extension is asked, as SQL, and how its answers are read.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include <stdlib.h>

/* clang-format off */
#define ADMISSION_COLUMNS \
	"valid, reason, user_id, username, kind, credential_id, issuer_id, " \
	"expires_in_ms, may_join, may_send, plain"
#define ADMISSION_COLUMN_COUNT 11
#define RECEIPT_COLUMNS "accepted, reason"
#define RECEIPT_COLUMN_COUNT 2

const PgSetup answers_setup[ANSWERS_SETUP_COUNT] = {
	{"admit",
	 "SELECT " ADMISSION_COLUMNS
	 " FROM usher.admit($1::text, $2::text, $3::text)"},
	{"recheck",
	 "SELECT " ADMISSION_COLUMNS
	 " FROM usher.recheck_admission($1::text, $2::text, $3::text, $4::text)"},
	{"receive",
	 "SELECT " RECEIPT_COLUMNS
	 " FROM usher.receive($1::text, $2::text, $3::text)"},
	{"receive_binary",
	 "SELECT " RECEIPT_COLUMNS
	 " FROM usher.receive_binary($1::text, $2::text, $3::bytea)"},
	/* Preparing needs no EXECUTE.  Asking about nothing does, and loads the
	 * library before the first client waits for it. */
	{NULL,
	 "SELECT valid FROM usher.admit('', NULL, '')"},
};
/* clang-format on */

const char *
answers_statement(CallVerb verb)
{
	switch (verb)
	{
		case CALL_ADMIT:
		case CALL_ADMIT_SESSION: return "admit";
		case CALL_RECHECK: return "recheck";
		case CALL_RECEIVE: return "receive";
		case CALL_RECEIVE_BINARY: return "receive_binary";
	}
	return "";
}

const char *
answers_function(CallVerb verb)
{
	switch (verb)
	{
		case CALL_ADMIT:
		case CALL_ADMIT_SESSION: return "usher.admit";
		case CALL_RECHECK: return "usher.recheck_admission";
		case CALL_RECEIVE: return "usher.receive";
		case CALL_RECEIVE_BINARY: return "usher.receive_binary";
	}
	return "";
}

static bool
is_true(const char *value)
{
	return value != NULL && value[0] == 't';
}

bool
answers_read_admission(AdmitAnswer *admission, const PgAnswer *answer)
{
	const char *const *values = answer->values;

	if (answer->rows != 1 || answer->columns != ADMISSION_COLUMN_COUNT)
		return false;
	*admission = (AdmitAnswer){
		.status = CALL_OK,
		.valid = is_true(values[0]),
		.reason = values[1],
		.user_id = values[2],
		.username = values[3],
		.kind = values[4],
		.credential_id = values[5],
		.issuer_id = values[6],
		.expires_in_ms = values[7] != NULL ? strtoll(values[7], NULL, 10) : -1,
		.may_join = is_true(values[8]),
		.may_send = is_true(values[9]),
		.plain = is_true(values[10]),
	};

	/* Just past: that is now, and not never. */
	if (values[7] != NULL && admission->expires_in_ms < 0)
		admission->expires_in_ms = 0;
	return true;
}

bool
answers_read_receipt(ReceiveAnswer *receipt, const PgAnswer *answer)
{
	if (answer->rows != 1 || answer->columns != RECEIPT_COLUMN_COUNT)
		return false;
	*receipt = (ReceiveAnswer){
		.status = CALL_OK,
		.accepted = is_true(answer->values[0]),
		.reason = answer->values[1],
	};
	return true;
}

static bool
has_class(const char *sqlstate, const char *class)
{
	return strncmp(sqlstate, class, 2) == 0;
}

bool
answers_is_passing(const char *sqlstate)
{
	return has_class(sqlstate, "53") || has_class(sqlstate, "57") ||
		   has_class(sqlstate, "40") || strcmp(sqlstate, "25006") == 0;
}

bool
answers_is_stale(const char *sqlstate)
{
	static const char *const states[] = {
		"26000", /* prepared statement does not exist */
		"0A000", /* cached plan must not change result type */
		"42883", /* function does not exist */
		"3F000", /* schema does not exist */
		"42501", /* permission denied */
	};

	for (size_t i = 0; i < lengthof(states); i++)
		if (strcmp(sqlstate, states[i]) == 0)
			return true;
	return false;
}

bool
answers_is_bad_data(const char *sqlstate)
{
	return has_class(sqlstate, "22");
}
