/*-------------------------------------------------------------------------
 *
 * answers.c
 *	  What the extension is asked, as SQL, and how its answers are read.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
#define ADMISSION_COLUMNS \
	"valid, reason, user_id, username, kind, credential_id, issuer_id, " \
	"expires_in_ms, may_join, may_send, plain, presence, durable"
#define RECEIPT_COLUMNS "accepted, reason"

static const int column_count[] = {
	[SHAPE_ADMISSION] = 13,
	[SHAPE_GROUPS] = 5,
	[SHAPE_RECEIPT] = 2,
	[SHAPE_EXCHANGE] = 6,
	[SHAPE_REPORT] = 2,
	[SHAPE_PRESENCE] = 1,
	[SHAPE_STREAM] = 1,
	[SHAPE_PURGE] = 1,
};

const PgSetup answers_setup[ANSWERS_SETUP_COUNT] = {
	{"admit",
	 "SELECT " ADMISSION_COLUMNS
	 " FROM usher.admit($1::text, $2::text, $3::text)"},
	{"identify",
	 "SELECT " ADMISSION_COLUMNS
	 " FROM usher.identify($1::text, $2::text)"},
	{"recheck",
	 "SELECT " ADMISSION_COLUMNS
	 " FROM usher.recheck_admission($1::text, $2::text, $3::text, $4::text)"},
	{"admit_groups",
	 "SELECT valid, reason, expires_in_ms, rights, reasons"
	 " FROM usher.admit_groups($1::text, $2::text, $3::text, $4::text)"},
	{"receive",
	 "SELECT " RECEIPT_COLUMNS
	 " FROM usher.receive($1::text, $2::text, $3::text)"},
	{"receive_json",
	 "SELECT " RECEIPT_COLUMNS
	 " FROM usher.receive_json($1::text, $2::text, $3::text::jsonb)"},
	{"receive_binary",
	 "SELECT " RECEIPT_COLUMNS
	 " FROM usher.receive_binary($1::text, $2::text, $3::bytea)"},
	{"exchange",
	 "SELECT valid, reason, session_key, user_id, username, expires_in_ms"
	 " FROM usher.exchange($1::text, $2::text, $3::text::jsonb)"},
	{"report",
	 "SELECT known, excess FROM usher.report($1::text::jsonb)"},
	{"presence",
	 "SELECT usher.presence_of($1::text)"},
	{"stream",
	 "SELECT usher.stream($1::text, $2::text::bigint, $3::text::integer)"},
	{"purge",
	 "SELECT usher.purge_messages($1::text::integer)"},
	/* Preparing needs no EXECUTE.  Asking about nothing does, and loads the
	 * library before the first client waits for it. */
	{NULL,
	 "SELECT valid FROM usher.admit('', NULL, '')"},
};
/* clang-format on */

static const CallTraits traits[CALL_VERB_COUNT] = {
	[CALL_ADMIT] = {.statement = "admit",
					.function = "usher.admit",
					.shape = SHAPE_ADMISSION,
					.repeatable = true,
					.secret = true},
	[CALL_ADMIT_SESSION] = {.statement = "admit",
							.function = "usher.admit",
							.shape = SHAPE_ADMISSION,
							.secret = true},
	[CALL_IDENTIFY] = {.statement = "identify",
					   .function = "usher.identify",
					   .shape = SHAPE_ADMISSION,
					   .repeatable = true,
					   .secret = true},
	[CALL_IDENTIFY_SESSION] = {.statement = "identify",
							   .function = "usher.identify",
							   .shape = SHAPE_ADMISSION,
							   .secret = true},
	[CALL_RECHECK] = {.statement = "recheck",
					  .function = "usher.recheck_admission",
					  .shape = SHAPE_ADMISSION,
					  .repeatable = true},
	[CALL_ADMIT_GROUPS] = {.statement = "admit_groups",
						   .function = "usher.admit_groups",
						   .shape = SHAPE_GROUPS,
						   .repeatable = true},
	[CALL_RECEIVE] = {.statement = "receive",
					  .function = "usher.receive",
					  .shape = SHAPE_RECEIPT,
					  .is_message = true},
	[CALL_RECEIVE_JSON] = {.statement = "receive_json",
						   .function = "usher.receive_json",
						   .shape = SHAPE_RECEIPT,
						   .is_message = true},
	[CALL_RECEIVE_BINARY] = {.statement = "receive_binary",
							 .function = "usher.receive_binary",
							 .shape = SHAPE_RECEIPT,
							 .is_message = true},
	[CALL_EXCHANGE] = {.statement = "exchange",
					   .function = "usher.exchange",
					   .shape = SHAPE_EXCHANGE,
					   .secret = true},
	[CALL_REPORT] = {.statement = "report",
					 .function = "usher.report",
					 .shape = SHAPE_REPORT},
	[CALL_PRESENCE] = {.statement = "presence",
					   .function = "usher.presence_of",
					   .shape = SHAPE_PRESENCE,
					   .repeatable = true},
	[CALL_STREAM] = {.statement = "stream",
					 .function = "usher.stream",
					 .shape = SHAPE_STREAM,
					 .repeatable = true},
	[CALL_PURGE] = {.statement = "purge",
					.function = "usher.purge_messages",
					.shape = SHAPE_PURGE},
};

const CallTraits *
answers_traits(CallVerb verb)
{
	return &traits[verb];
}

static bool
is_true(const char *value)
{
	return value != NULL && value[0] == 't';
}

/* -1: never.  Just past is now, and not never. */
static int64_t
milliseconds(const char *value)
{
	int64_t ms = value != NULL ? strtoll(value, NULL, 10) : -1;

	return value != NULL && ms < 0 ? 0 : ms;
}

static const char *
or_empty(const char *value)
{
	return value != NULL ? value : "";
}

bool
answers_read(CallAnswer *answer, CallVerb verb, const PgAnswer *rows)
{
	const char *const *values = rows->values;
	CallShape		   shape = traits[verb].shape;

	if (rows->columns != column_count[shape] || rows->rows < 1 ||
		(rows->rows > 1 && shape != SHAPE_STREAM))
		return false;
	*answer = (CallAnswer){.shape = shape};
	switch (shape)
	{
		case SHAPE_ADMISSION:
			answer->admission = (AdmitAnswer){
				.status = CALL_OK,
				.valid = is_true(values[0]),
				.reason = values[1],
				.user_id = values[2],
				.username = values[3],
				.kind = values[4],
				.credential_id = values[5],
				.issuer_id = values[6],
				.expires_in_ms = milliseconds(values[7]),
				.may_join = is_true(values[8]),
				.may_send = is_true(values[9]),
				.plain = is_true(values[10]),
				.presence = is_true(values[11]),
				.durable = is_true(values[12]),
			};
			return true;
		case SHAPE_GROUPS:
			answer->groups = (GroupsAnswer){
				.status = CALL_OK,
				.valid = is_true(values[0]),
				.reason = values[1],
				.expires_in_ms = milliseconds(values[2]),
				.rights = or_empty(values[3]),
				.reasons = or_empty(values[4]),
			};
			return true;
		case SHAPE_RECEIPT:
			answer->receipt = (ReceiveAnswer){
				.status = CALL_OK,
				.accepted = is_true(values[0]),
				.reason = values[1],
			};
			return true;
		case SHAPE_EXCHANGE:
			answer->exchange = (ExchangeAnswer){
				.status = CALL_OK,
				.valid = is_true(values[0]),
				.reason = values[1],
				.session_key = values[2],
				.user_id = values[3],
				.username = values[4],
				.expires_in_ms = milliseconds(values[5]),
			};
			return true;
		case SHAPE_REPORT:
			answer->report = (ReportAnswer){
				.status = CALL_OK,
				.known = is_true(values[0]),
				.excess = or_empty(values[1]),
			};
			return true;
		case SHAPE_PRESENCE:
			answer->presence = (PresenceAnswer){
				.status = CALL_OK,
				.users = values[0] != NULL ? values[0] : "[]",
			};
			return true;
		case SHAPE_STREAM:
			answer->stream = (StreamAnswer){
				.status = CALL_OK,
				.count = (size_t) rows->rows,
				.lines = values,
			};
			return true;
		case SHAPE_PURGE:
			answer->purge = (PurgeAnswer){
				.status = CALL_OK,
				.purged = strtoull(or_empty(values[0]), NULL, 10),
			};
			return true;
	}
	return false;
}

CallAnswer
answers_without(CallVerb verb, CallStatus status, bool bad_data)
{
	CallAnswer answer = {.shape = traits[verb].shape};

	answer.status = status;
	if (answer.shape == SHAPE_RECEIPT)
		answer.receipt.bad_data = bad_data;
	else if (answer.shape == SHAPE_EXCHANGE)
		answer.exchange.bad_data = bad_data;
	return answer;
}

/* The value of a digit to the base 32; -1 for anything else. */
static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

/* Take a word off a list with one space between. */
static void
take_word(const char **list, char *word, size_t cap)
{
	size_t len = strcspn(*list, " ");

	snprintf(word, cap, "%.*s", (int) len, *list);
	*list += (*list)[len] == ' ' ? len + 1 : len;
}

bool
answers_next_verdict(GroupsAnswer *answer, GroupVerdict *verdict)
{
	int bits = digit_value(answer->rights[0]);

	if (bits < 0)
		return false;
	answer->rights++;
	*verdict = (GroupVerdict){
		.may_join = (bits & 1) != 0,
		.may_send = (bits & 2) != 0,
		.plain = (bits & 4) != 0,
		.presence = (bits & 8) != 0,
		.durable = (bits & 16) != 0,
	};
	if (!verdict->may_join)
		take_word(&answer->reasons, verdict->reason, sizeof(verdict->reason));
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
