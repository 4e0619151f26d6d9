/* Answers that are older than a revocation are found out. */
#include "check.h"
#include "revocations.h"

static Slice
slice(const char *text)
{
	return (Slice){text, strlen(text)};
}

TEST(a_revocation_after_the_mark_counts_and_one_before_does_not)
{
	Revocations revocations = {0};
	uint64_t	mark;

	revocations_add(&revocations, NOTICE_REVOKE_USER, slice("42"), 1000);
	mark = revocations_mark(&revocations);
	CHECK(!revocations_since(&revocations, mark, "token", "42", "c", NULL));
	revocations_add(&revocations, NOTICE_REVOKE_USER, slice("42"), 1001);
	CHECK(revocations_since(&revocations, mark, "token", "42", "c", NULL));
	CHECK(!revocations_since(&revocations, mark, "token", "43", "c", NULL));
	CHECK(!revocations_since(&revocations, mark + 1, "token", "42", "c", NULL));
	revocations_fini(&revocations);
}

TEST(each_kind_of_revocation_names_those_it_should)
{
	static const struct
	{
		NoticeKind	kind;
		const char *key;
		bool		token, session, other, anonymous;
	} rows[] = {
		/* the token t1 of user 1; a session that t1 issued; user 2's jwt j2 */
		{NOTICE_REVOKE_CREDENTIAL, "t1", true, true, false, false},
		{NOTICE_REVOKE_CREDENTIAL, "s1", false, true, false, false},
		{NOTICE_REVOKE_CREDENTIAL, "j2", false, false, true, false},
		{NOTICE_REVOKE_CREDENTIAL, "1", false, false, false, false},
		{NOTICE_REVOKE_USER, "1", true, true, false, false},
		{NOTICE_REVOKE_USER, "2", false, false, true, false},
		{NOTICE_REVOKE_USER, "t1", false, false, false, false},
		{NOTICE_REVOKE_KIND, "token", true, true, false, false},
		{NOTICE_REVOKE_KIND, "knox", false, true, false, false},
		{NOTICE_REVOKE_KIND, "session", false, true, false, false},
		{NOTICE_REVOKE_KIND, "jwt", false, false, true, false},
		{NOTICE_REVOKE_ALL, "", true, true, true, false},
		{NOTICE_POLICY, "app", true, true, true, true},
		{NOTICE_RECHECK_GROUP, "app_7", true, true, true, true},
		{NOTICE_RECHECK_USER, "1", true, true, false, false},
		{NOTICE_RECHECK_USER, "t1", false, false, false, false},
		{NOTICE_ENDS_SOONER, "t1", true, true, false, false},
		{NOTICE_ENDS_SOONER, "j2", false, false, true, false},
		{NOTICE_ENDS_SOONER, "1", false, false, false, false},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Revocations r = {0};

		check_at("kind %d key %s", rows[i].kind, rows[i].key);
		revocations_add(&r, rows[i].kind, slice(rows[i].key), 1000);
		CHECK_INT(revocations_since(&r, 0, "token", "1", "t1", NULL),
				  rows[i].token);
		CHECK_INT(revocations_since(&r, 0, "session", "1", "s1", "t1"),
				  rows[i].session);
		CHECK_INT(revocations_since(&r, 0, "jwt", "2", "j2", NULL),
				  rows[i].other);
		CHECK_INT(revocations_since(&r, 0, "anonymous", NULL, NULL, NULL),
				  rows[i].anonymous);
		revocations_fini(&r);
	}
}

TEST(what_was_forgotten_for_its_age_counts_as_revoked)
{
	Revocations revocations = {0};
	uint64_t	mark = revocations_mark(&revocations);

	revocations_add(&revocations, NOTICE_REVOKE_USER, slice("1"), 1000);
	revocations_add(&revocations, NOTICE_REVOKE_USER, slice("2"), 31000);
	CHECK(!revocations_since(&revocations, mark, "token", "9", "c", NULL));
	revocations_add(&revocations, NOTICE_REVOKE_USER, slice("3"), 31001);
	CHECK(revocations_since(&revocations, mark, "token", "9", "c", NULL));
	CHECK(!revocations_since(&revocations, mark + 1, "token", "9", "c", NULL));
	CHECK(revocations_since(&revocations, mark + 1, "token", "2", "c", NULL));
	revocations_fini(&revocations);
}

TEST(ten_thousand_are_kept_and_what_does_not_fit_counts_as_revoked)
{
	Revocations revocations = {0};
	char		key[32];

	for (int i = 0; i < REVOCATIONS_MAX; i++)
	{
		snprintf(key, sizeof(key), "u%d", i);
		revocations_add(&revocations, NOTICE_REVOKE_USER, slice(key), 1000);
	}
	CHECK(!revocations_since(&revocations, 0, "token", "x", "c", NULL));
	CHECK(revocations_since(&revocations, 0, "token", "u0", "c", NULL));
	CHECK(revocations_since(&revocations, 9999, "token", "u9999", "c", NULL));
	revocations_add(&revocations, NOTICE_REVOKE_USER, slice("more"), 1000);
	CHECK(revocations_since(&revocations, 0, "token", "x", "c", NULL));
	CHECK(!revocations_since(&revocations, 1, "token", "x", "c", NULL));
	CHECK(revocations_since(&revocations, 1, "token", "u1", "c", NULL));
	CHECK_INT(revocations.cap, REVOCATIONS_MAX);
	revocations_fini(&revocations);
}

TEST(after_a_gap_every_earlier_mark_counts_as_revoked)
{
	Revocations revocations = {0};
	uint64_t	before = revocations_mark(&revocations);

	revocations_forget(&revocations);
	CHECK(revocations_since(&revocations, before, "token", "1", "c", NULL));
	CHECK(!revocations_since(&revocations, revocations_mark(&revocations),
							 "token", "1", "c", NULL));
	revocations_fini(&revocations);
}

TEST_MAIN()
