/* How rows and errors of the extension are read. */
#include "answers.h"
#include "check.h"

static PgAnswer
row(const char *const *values, int columns)
{
	return (PgAnswer){
		.ok = true, .rows = 1, .columns = columns, .values = values};
}

TEST(an_admission_is_read_column_by_column)
{
	static const char *const values[] = {
		"t",	NULL, "42", "ann", "session", "c0ff", "1ssu",
		"1500", "t",  "f",	"t",   "t",		  "t"};
	PgAnswer		   rows = row(values, 13);
	CallAnswer		   answer;
	const AdmitAnswer *admission = &answer.admission;

	if (!CHECK(answers_read(&answer, CALL_ADMIT, &rows)))
		return;
	CHECK_INT(answer.shape, SHAPE_ADMISSION);
	CHECK_INT(admission->status, CALL_OK);
	CHECK(admission->valid && admission->may_join && !admission->may_send &&
		  admission->plain && admission->presence && admission->durable);
	CHECK(admission->reason == NULL);
	CHECK_STR(admission->user_id, "42");
	CHECK_STR(admission->username, "ann");
	CHECK_STR(admission->kind, "session");
	CHECK_STR(admission->credential_id, "c0ff");
	CHECK_STR(admission->issuer_id, "1ssu");
	CHECK_INT(admission->expires_in_ms, 1500);
}

TEST(never_expiring_is_null_and_a_past_expiry_is_now)
{
	const char *values[13] = {"t"};
	PgAnswer	rows = row(values, 13);
	CallAnswer	answer;

	CHECK(answers_read(&answer, CALL_RECHECK, &rows));
	CHECK_INT(answer.admission.expires_in_ms, -1);
	values[7] = "-1";
	CHECK(answers_read(&answer, CALL_RECHECK, &rows));
	CHECK_INT(answer.admission.expires_in_ms, 0);
}

TEST(null_and_false_are_both_no)
{
	const char		  *values[13] = {NULL, "unknown_token"};
	PgAnswer		   rows = row(values, 13);
	CallAnswer		   answer;
	const AdmitAnswer *admission = &answer.admission;

	values[8] = "f";
	CHECK(answers_read(&answer, CALL_IDENTIFY, &rows));
	CHECK(!admission->valid && !admission->may_join && !admission->may_send &&
		  !admission->plain && !admission->presence);
	CHECK_STR(admission->reason, "unknown_token");
}

TEST(a_receipt_is_read_column_by_column)
{
	static const char *const values[] = {"f", "not_allowed"};
	PgAnswer				 rows = row(values, 2);
	CallAnswer				 answer;

	if (!CHECK(answers_read(&answer, CALL_RECEIVE_JSON, &rows)))
		return;
	CHECK_INT(answer.receipt.status, CALL_OK);
	CHECK(!answer.receipt.accepted && !answer.receipt.bad_data);
	CHECK_STR(answer.receipt.reason, "not_allowed");
}

TEST(verdicts_come_in_order_each_refusal_with_its_reason)
{
	static const char *const values[] = {"t", NULL, "500", "30fj0",
										 "not_allowed unknown_group"};
	PgAnswer				 rows = row(values, 5);
	CallAnswer				 answer;
	GroupVerdict			 verdict;

	if (!CHECK(answers_read(&answer, CALL_ADMIT_GROUPS, &rows)))
		return;
	CHECK(answer.groups.valid);
	CHECK_INT(answer.groups.expires_in_ms, 500);
	CHECK(answers_next_verdict(&answer.groups, &verdict));
	CHECK(verdict.may_join && verdict.may_send && !verdict.plain &&
		  !verdict.presence);
	CHECK_STR(verdict.reason, "");
	CHECK(answers_next_verdict(&answer.groups, &verdict));
	CHECK(!verdict.may_join && !verdict.may_send);
	CHECK_STR(verdict.reason, "not_allowed");
	CHECK(answers_next_verdict(&answer.groups, &verdict));
	CHECK(verdict.may_join && verdict.may_send && verdict.plain &&
		  verdict.presence && !verdict.durable);
	CHECK(answers_next_verdict(&answer.groups, &verdict));
	CHECK(verdict.may_join && verdict.may_send && !verdict.plain &&
		  !verdict.presence && verdict.durable);
	CHECK(answers_next_verdict(&answer.groups, &verdict));
	CHECK_STR(verdict.reason, "unknown_group");
	CHECK(!answers_next_verdict(&answer.groups, &verdict));
}

TEST(a_verdict_that_is_no_digit_is_none)
{
	static const char *const values[] = {"t", NULL, NULL, "x", NULL};
	PgAnswer				 rows = row(values, 5);
	CallAnswer				 answer;
	GroupVerdict			 verdict;

	CHECK(answers_read(&answer, CALL_ADMIT_GROUPS, &rows));
	CHECK(!answers_next_verdict(&answer.groups, &verdict));
}

TEST(an_overlong_reason_is_cut_and_the_next_one_is_whole)
{
	char		 reasons[200];
	const char	*values[] = {"t", NULL, NULL, "00", reasons};
	PgAnswer	 rows = row(values, 5);
	CallAnswer	 answer;
	GroupVerdict verdict;

	memset(reasons, 'x', 100);
	strcpy(reasons + 100, " not_allowed");
	CHECK(answers_read(&answer, CALL_ADMIT_GROUPS, &rows));
	CHECK(answers_next_verdict(&answer.groups, &verdict));
	CHECK_INT(strlen(verdict.reason), sizeof(verdict.reason) - 1);
	CHECK(answers_next_verdict(&answer.groups, &verdict));
	CHECK_STR(verdict.reason, "not_allowed");
}

TEST(a_session_key_a_report_and_presence_are_read)
{
	static const char *const key[] = {"t", NULL, "key", "42", "ann", "120000"};
	static const char *const report[] = {"t", "3,4"};
	static const char *const nobody[] = {NULL};
	PgAnswer				 rows = row(key, 6);
	CallAnswer				 answer;

	CHECK(answers_read(&answer, CALL_EXCHANGE, &rows));
	CHECK(answer.exchange.valid);
	CHECK_STR(answer.exchange.session_key, "key");
	CHECK_STR(answer.exchange.user_id, "42");
	CHECK_STR(answer.exchange.username, "ann");
	CHECK_INT(answer.exchange.expires_in_ms, 120000);
	rows = row(report, 2);
	CHECK(answers_read(&answer, CALL_REPORT, &rows));
	CHECK(answer.report.known);
	CHECK_STR(answer.report.excess, "3,4");
	rows = row(nobody, 1);
	CHECK(answers_read(&answer, CALL_PRESENCE, &rows));
	CHECK_STR(answer.presence.users, "[]");
}

TEST(an_answer_of_another_form_is_refused)
{
	static const char *const values[13] = {"t", "t", "t", "t"};
	static const CallVerb	 verbs[] = {CALL_ADMIT,	  CALL_ADMIT_GROUPS,
										CALL_RECEIVE, CALL_EXCHANGE,
										CALL_REPORT,  CALL_PRESENCE};
	static const int		 columns[] = {13, 5, 2, 6, 2, 1};
	CallAnswer				 answer;

	for (size_t i = 0; i < lengthof(verbs); i++)
	{
		PgAnswer rows = row(values, columns[i]);

		check_at("%s", answers_traits(verbs[i])->function);
		CHECK(answers_read(&answer, verbs[i], &rows));
		rows.rows = 0;
		CHECK(!answers_read(&answer, verbs[i], &rows));
		rows.rows = 2;
		CHECK(!answers_read(&answer, verbs[i], &rows));
		rows = row(values, columns[i] + 1);
		CHECK(!answers_read(&answer, verbs[i], &rows));
		rows = row(values, columns[i] - 1);
		CHECK(!answers_read(&answer, verbs[i], &rows));
	}
}

TEST(an_answer_without_rows_has_the_shape_of_its_call)
{
	for (CallVerb verb = 0; verb < CALL_VERB_COUNT; verb++)
	{
		CallAnswer answer = answers_without(verb, CALL_FAILED, true);

		check_at("%s", answers_traits(verb)->function);
		CHECK_INT(answer.shape, answers_traits(verb)->shape);
		CHECK_INT(answer.status, CALL_FAILED);
	}
	CHECK(answers_without(CALL_RECEIVE, CALL_FAILED, true).receipt.bad_data);
	CHECK(answers_without(CALL_EXCHANGE, CALL_FAILED, true).exchange.bad_data);
	CHECK_INT(
		answers_without(CALL_ADMIT, CALL_OVERLOADED, false).admission.status,
		CALL_OVERLOADED);
}

TEST(errors_are_told_apart_by_their_sqlstate)
{
	static const struct
	{
		const char *sqlstate;
		bool		passing, stale, bad_data;
	} rows[] = {
		{"57014", true, false, false},	/* statement_timeout */
		{"53200", true, false, false},	/* out of memory */
		{"40P01", true, false, false},	/* deadlock */
		{"25006", true, false, false},	/* read-only */
		{"26000", false, true, false},	/* no such prepared statement */
		{"0A000", false, true, false},	/* cached plan */
		{"42883", false, true, false},	/* no such function */
		{"3F000", false, true, false},	/* no such schema */
		{"42501", false, true, false},	/* privilege */
		{"22021", false, false, true},	/* not UTF-8, or a NUL */
		{"XX000", false, false, false}, /* internal error */
		{"25P02", false, false, false}, {"", false, false, false},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		check_at("%s", rows[i].sqlstate);
		CHECK_INT(answers_is_passing(rows[i].sqlstate), rows[i].passing);
		CHECK_INT(answers_is_stale(rows[i].sqlstate), rows[i].stale);
		CHECK_INT(answers_is_bad_data(rows[i].sqlstate), rows[i].bad_data);
	}
}

TEST(every_call_has_a_statement_that_the_set_up_prepares)
{
	for (CallVerb verb = 0; verb < CALL_VERB_COUNT; verb++)
	{
		const CallTraits *traits = answers_traits(verb);
		bool			  prepared = false;

		check_at("%s", traits->function);
		for (size_t i = 0; i < lengthof(answers_setup); i++)
			if (answers_setup[i].name != NULL &&
				strcmp(answers_setup[i].name, traits->statement) == 0)
				prepared =
					strstr(answers_setup[i].sql, traits->function) != NULL;
		CHECK(prepared);
	}
}

TEST(what_may_use_up_a_key_or_send_a_message_is_never_asked_twice)
{
	CHECK(!answers_traits(CALL_ADMIT_SESSION)->repeatable);
	CHECK(!answers_traits(CALL_IDENTIFY_SESSION)->repeatable);
	CHECK(!answers_traits(CALL_EXCHANGE)->repeatable);
	for (CallVerb verb = 0; verb < CALL_VERB_COUNT; verb++)
		CHECK(!answers_traits(verb)->is_message ||
			  !answers_traits(verb)->repeatable);
}

TEST_MAIN()
