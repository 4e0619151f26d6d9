/* Reasons, their HTTP status, close code and sentence. */
#include "check.h"

#include "refusal.h"
#include "websocket.h"

TEST(a_wrong_token_is_401_and_4401_in_drfs_words)
{
	const Refusal *refusal = refusal_for("unknown_token");
	char		   json[256];
	size_t		   len;

	CHECK_INT(refusal->http_status, 401);
	CHECK_INT(refusal->close_code, WS_CLOSE_UNAUTHENTICATED);
	len = refusal_json(json, sizeof(json), refusal, NULL, false);
	CHECK_INT(len, strlen(json));
	CHECK_STR(json, "{\"code\":4401,\"reason\":\"unknown_token\","
					"\"detail\":\"Invalid token.\"}");
}

TEST(a_message_before_the_close_frame_says_that_it_is_an_error)
{
	char json[256];

	CHECK(refusal_json(json, sizeof(json), refusal_for("expired"), "Too late.",
					   true) > 0);
	CHECK_STR(json, "{\"type\":\"error\",\"code\":4419,\"reason\":\"expired\","
					"\"detail\":\"Too late.\"}");
}

TEST(a_reason_nobody_knows_is_a_plain_refusal)
{
	CHECK_INT(refusal_for("made_up")->http_status, 403);
	CHECK_INT(refusal_for("made_up")->close_code, WS_CLOSE_FORBIDDEN);
	CHECK_STR(refusal_for(NULL)->reason, "refused");
}

TEST(a_json_text_that_does_not_fit_is_not_cut)
{
	char json[16];

	CHECK_INT(
		refusal_json(json, sizeof(json), refusal_for("draining"), NULL, false),
		0);
}

/* What the extension may answer, and what the close code tells the client. */
TEST(every_reason_of_the_extension_has_its_own_answer)
{
	static const struct
	{
		const char *reason;
		int			http_status;
		int			close_code;
	} rows[] = {
		{"no_credentials", 401, 4401},	 {"unknown_session", 401, 4401},
		{"inactive_user", 401, 4401},	 {"unknown_user", 401, 4401},
		{"used_up", 401, 4401},			 {"expired", 401, 4419},
		{"bad_user_id", 401, 4401},		 {"unknown_kind", 401, 4401},
		{"not_allowed", 403, 4403},		 {"unknown_group", 403, 4403},
		{"policy_error", 403, 4403},	 {"group_not_in_session", 403, 4403},
		{"invalid_group", 404, 4400},	 {"not_attached", 503, 1013},
		{"too_large", 413, 1009},		 {"invalid_json", 400, 4400},
		{"unsupported_type", 400, 1003},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		const Refusal *refusal = refusal_for(rows[i].reason);

		check_at("%s", rows[i].reason);
		CHECK_STR(refusal->reason, rows[i].reason);
		CHECK_INT(refusal->http_status, rows[i].http_status);
		CHECK_INT(refusal->close_code, rows[i].close_code);
	}
}

TEST_MAIN()
