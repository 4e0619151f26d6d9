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

TEST(a_wrong_jwt_is_told_so_in_simplejwts_words)
{
	CHECK_STR(refusal_for("bad_signature")->detail,
			  "Token is invalid or expired");
	CHECK_STR(refusal_for("wrong_token_type")->detail, "Token has wrong type");
	CHECK_STR(refusal_for("missing_jti")->detail, "Token has no id");
	CHECK_STR(refusal_for("blacklisted")->detail, "Token is blacklisted");
	CHECK_STR(refusal_for("missing_user_id")->detail,
			  "Token contained no recognizable user identification");
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
		{"no_credentials", 401, 4401},
		{"unknown_session", 401, 4401},
		{"inactive_user", 401, 4401},
		{"unknown_user", 401, 4401},
		{"used_up", 401, 4401},
		{"expired", 401, 4419},
		{"bad_user_id", 401, 4401},
		{"unknown_kind", 401, 4401},
		{"not_allowed", 403, 4403},
		{"unknown_group", 403, 4403},
		{"policy_error", 403, 4403},
		{"group_not_in_session", 403, 4403},
		{"invalid_group", 404, 4400},
		{"not_attached", 503, 1013},
		{"too_large", 413, 1009},
		{"invalid_json", 400, 4400},
		{"unsupported_type", 400, 1003},
		{"no_row", 401, 4401},
		{"bad_session_key", 401, 4401},
		{"corrupt", 401, 4401},
		{"no_user_in_session", 401, 4401},
		{"backend_not_allowed", 401, 4401},
		{"bad_auth_hash", 401, 4401},
		{"no_secret_key", 401, 4401},
		{"bad_signature", 401, 4401},
		{"malformed", 401, 4401},
		{"duplicate_name", 401, 4401},
		{"crit", 401, 4401},
		{"bad_algorithm", 401, 4401},
		{"bad_key", 401, 4401},
		{"bad_base64", 401, 4401},
		{"bad_payload", 401, 4401},
		{"missing_exp", 401, 4401},
		{"bad_exp", 401, 4401},
		{"bad_nbf", 401, 4401},
		{"bad_iat", 401, 4401},
		{"not_yet_valid", 401, 4401},
		{"bad_issuer", 401, 4401},
		{"bad_audience", 401, 4401},
		{"bad_sub", 401, 4401},
		{"bad_jti", 401, 4401},
		{"missing_jti", 401, 4401},
		{"wrong_token_type", 401, 4401},
		{"blacklisted", 401, 4401},
		{"missing_user_id", 401, 4401},
		{"password_changed", 401, 4401},
		{"no_jwt_key", 401, 4401},
		{"unknown_token", 401, 4401},
		{"origin_not_allowed", 403, 4403},
		{"crypto_error", 500, 1011},
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

/* Section 4 of protocol.md, without what is in the table above. */
TEST(every_reason_of_usher_v1_has_its_code_and_a_sentence)
{
	static const struct
	{
		const char *reason;
		int			close_code;
	} rows[] = {
		{"not_an_object", 4400},
		{"binary_frame", 4400},
		{"missing_type", 4400},
		{"unknown_type", 4400},
		{"bad_id", 4400},
		{"missing_member", 4400},
		{"bad_member", 4400},
		{"invalid_data", 1007},
		{"unsupported_protocol", 4400},
		{"already_authenticated", 4400},
		{"subscription_pending", 4400},
		{"too_many_members", 4400},
		{"not_authenticated", 4401},
		{"user_mismatch", 4403},
		{"not_subscribed", 4403},
		{"no_presence", 4403},
		{"auth_timeout", 4408},
		{"revoked", 4410},
		{"kicked", 4410},
		{"message_rate", 4429},
		{"byte_rate", 4429},
		{"too_many_groups", 4429},
		{"too_many_connections", 4429},
		{"too_many_plain_groups", 4429},
		{"too_slow", 4430},
		{"draining", 1001},
		{"internal_error", 1011},
		{"database_unavailable", 1013},
		{"overloaded", 1013},
		{"bad_options", 4400},
		{"session_not_exchangeable", 4403},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		const Refusal *refusal = refusal_for(rows[i].reason);
		size_t		   len = strlen(refusal->detail);

		check_at("%s", rows[i].reason);
		CHECK_STR(refusal->reason, rows[i].reason);
		CHECK_INT(refusal->close_code, rows[i].close_code);
		CHECK(refusal->http_status >= 400 && refusal->http_status < 600);
		/* refusal_json() escapes nothing. */
		CHECK(len > 0 && strcspn(refusal->detail, "\"\\") == len);
	}
}

TEST_MAIN()
