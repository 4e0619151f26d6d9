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
	static const char *const values[] = {"t",		NULL,	"42",	"ann",
										 "session", "c0ff", "1ssu", "1500",
										 "t",		"f",	"t"};
	PgAnswer				 answer = row(values, 11);
	AdmitAnswer				 admission;

	if (!CHECK(answers_read_admission(&admission, &answer)))
		return;
	CHECK_INT(admission.status, CALL_OK);
	CHECK(admission.valid && admission.may_join && !admission.may_send &&
		  admission.plain);
	CHECK(admission.reason == NULL);
	CHECK_STR(admission.user_id, "42");
	CHECK_STR(admission.username, "ann");
	CHECK_STR(admission.kind, "session");
	CHECK_STR(admission.credential_id, "c0ff");
	CHECK_STR(admission.issuer_id, "1ssu");
	CHECK_INT(admission.expires_in_ms, 1500);
}

TEST(never_expiring_is_null_and_a_past_expiry_is_now)
{
	const char *values[11] = {"t"};
	PgAnswer	answer = row(values, 11);
	AdmitAnswer admission;

	CHECK(answers_read_admission(&admission, &answer));
	CHECK_INT(admission.expires_in_ms, -1);
	values[7] = "-1";
	CHECK(answers_read_admission(&admission, &answer));
	CHECK_INT(admission.expires_in_ms, 0);
}

TEST(null_and_false_are_both_no)
{
	const char *values[11] = {NULL, "unknown_token"};
	PgAnswer	answer = row(values, 11);
	AdmitAnswer admission;

	values[8] = "f";
	CHECK(answers_read_admission(&admission, &answer));
	CHECK(!admission.valid && !admission.may_join && !admission.may_send &&
		  !admission.plain);
	CHECK_STR(admission.reason, "unknown_token");
}

TEST(a_receipt_is_read_column_by_column)
{
	static const char *const values[] = {"f", "not_allowed"};
	PgAnswer				 answer = row(values, 2);
	ReceiveAnswer			 receipt;

	if (!CHECK(answers_read_receipt(&receipt, &answer)))
		return;
	CHECK_INT(receipt.status, CALL_OK);
	CHECK(!receipt.accepted && !receipt.bad_data);
	CHECK_STR(receipt.reason, "not_allowed");
}

TEST(an_answer_of_another_form_is_refused)
{
	static const char *const values[12] = {"t", "t", "t", "t"};
	static const int		 shapes[][2] = {{0, 11}, {2, 11}, {1, 10}, {1, 12}};
	AdmitAnswer				 admission;
	ReceiveAnswer			 receipt;

	for (size_t i = 0; i < lengthof(shapes); i++)
	{
		PgAnswer answer = row(values, shapes[i][1]);

		check_at("%d rows, %d columns", shapes[i][0], shapes[i][1]);
		answer.rows = shapes[i][0];
		CHECK(!answers_read_admission(&admission, &answer));
		answer.columns -= 9;
		CHECK(!answers_read_receipt(&receipt, &answer));
	}
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
	for (CallVerb verb = CALL_ADMIT; verb <= CALL_RECEIVE_BINARY; verb++)
	{
		bool prepared = false;

		check_at("%s", answers_function(verb));
		for (size_t i = 0; i < lengthof(answers_setup); i++)
			if (answers_setup[i].name != NULL &&
				strcmp(answers_setup[i].name, answers_statement(verb)) == 0)
				prepared = strstr(answers_setup[i].sql,
								  answers_function(verb)) != NULL;
		CHECK(prepared);
	}
}

TEST_MAIN()
