/*-------------------------------------------------------------------------
 *
 * refusal.c
 *	  Reasons, their HTTP status, close code and sentence.
 *
 * Sentences of the libraries' own failures are their own
 * (rest_framework/authentication.py, rest_framework/exceptions.py;
 * rest_framework_simplejwt/authentication.py, tokens.py, backends.py, which
 * has one for nearly everything that can be wrong with a JWT).
 *
 *-------------------------------------------------------------------------
 */
#include "refusal.h"

#include <stdio.h>

#include "websocket.h"

static const Refusal unknown_reason = {
	"refused", 403, WS_CLOSE_FORBIDDEN,
	"You do not have permission to perform this action."};

#define TOKEN_INVALID "Token is invalid or expired"

static const Refusal refusals[] = {
	/* who it is */
	{"no_credentials", 401, WS_CLOSE_UNAUTHENTICATED,
	 "Authentication credentials were not provided."},
	{"has_spaces", 401, WS_CLOSE_UNAUTHENTICATED,
	 "Invalid token header. Token string should not contain spaces."},
	{"invalid_characters", 401, WS_CLOSE_UNAUTHENTICATED,
	 "Invalid token header. Token string should not contain invalid "
	 "characters."},
	{"unknown_token", 401, WS_CLOSE_UNAUTHENTICATED, "Invalid token."},
	{"unknown_session", 401, WS_CLOSE_UNAUTHENTICATED, "Invalid session key."},
	{"malformed_credential", 401, WS_CLOSE_UNAUTHENTICATED,
	 "The credential cannot be read."},
	{"used_up", 401, WS_CLOSE_UNAUTHENTICATED,
	 "The session key has been used as often as it may be."},
	{"expired", 401, WS_CLOSE_EXPIRED, "The credential has expired."},
	{"inactive_user", 401, WS_CLOSE_UNAUTHENTICATED,
	 "User inactive or deleted."},
	{"unknown_user", 401, WS_CLOSE_UNAUTHENTICATED,
	 "User inactive or deleted."},
	{"bad_user_id", 401, WS_CLOSE_UNAUTHENTICATED, "User inactive or deleted."},
	{"unknown_kind", 401, WS_CLOSE_UNAUTHENTICATED,
	 "This kind of credential is not accepted."},
	/* Django's sessions; of these it says nothing, its visitor is nobody */
	{"no_row", 401, WS_CLOSE_UNAUTHENTICATED, "The session has ended."},
	{"bad_session_key", 401, WS_CLOSE_UNAUTHENTICATED, "Invalid session key."},
	{"corrupt", 401, WS_CLOSE_UNAUTHENTICATED, "The session cannot be read."},
	{"no_user_in_session", 401, WS_CLOSE_UNAUTHENTICATED,
	 "Authentication credentials were not provided."},
	{"backend_not_allowed", 401, WS_CLOSE_UNAUTHENTICATED,
	 "The authentication backend of the session is not accepted."},
	{"bad_auth_hash", 401, WS_CLOSE_UNAUTHENTICATED,
	 "The password has changed since the session began."},
	{"no_secret_key", 401, WS_CLOSE_UNAUTHENTICATED,
	 "This kind of credential needs a SECRET_KEY, which is not set."},
	/* of sessions as well as JWTs */
	{"bad_signature", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	/* JWTs */
	{"malformed", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"duplicate_name", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"crit", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_algorithm", 401, WS_CLOSE_UNAUTHENTICATED,
	 "Invalid algorithm specified"},
	{"bad_key", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_base64", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_payload", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"missing_exp", 401, WS_CLOSE_UNAUTHENTICATED, "Token has no 'exp' claim"},
	{"bad_exp", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_nbf", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_iat", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"not_yet_valid", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_issuer", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_audience", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_sub", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"bad_jti", 401, WS_CLOSE_UNAUTHENTICATED, TOKEN_INVALID},
	{"missing_jti", 401, WS_CLOSE_UNAUTHENTICATED, "Token has no id"},
	{"wrong_token_type", 401, WS_CLOSE_UNAUTHENTICATED, "Token has wrong type"},
	{"blacklisted", 401, WS_CLOSE_UNAUTHENTICATED, "Token is blacklisted"},
	{"missing_user_id", 401, WS_CLOSE_UNAUTHENTICATED,
	 "Token contained no recognizable user identification"},
	{"password_changed", 401, WS_CLOSE_UNAUTHENTICATED,
	 "The user's password has been changed."},
	{"no_jwt_key", 401, WS_CLOSE_UNAUTHENTICATED,
	 "This kind of credential needs a key, and none has been added."},
	/* an open connection */
	{"revoked", 401, WS_CLOSE_REVOKED, "The credential has been revoked."},
	{"kicked", 403, WS_CLOSE_REVOKED, "You have been put out of this group."},
	{"user_mismatch", 403, WS_CLOSE_FORBIDDEN,
	 "The new credential is of another user."},
	{"already_authenticated", 400, WS_CLOSE_MALFORMED,
	 "It is known already who this is."},
	{"not_authenticated", 401, WS_CLOSE_UNAUTHENTICATED,
	 "The first message must be auth."},
	{"session_not_exchangeable", 403, WS_CLOSE_FORBIDDEN,
	 "A session key is not given for a session key."},
	{"auth_timeout", 408, WS_CLOSE_AUTH_TIMEOUT,
	 "The client did not authenticate in time."},
	/* where it comes from, and where it may go */
	{"origin_not_allowed", 403, WS_CLOSE_FORBIDDEN,
	 "Pages of this origin may not connect here."},
	{"not_allowed", 403, WS_CLOSE_FORBIDDEN,
	 "You do not have permission to enter this group."},
	{"unknown_group", 403, WS_CLOSE_FORBIDDEN,
	 "The category of this group is not declared."},
	{"group_not_in_session", 403, WS_CLOSE_FORBIDDEN,
	 "The session key was not issued for this group."},
	{"policy_error", 403, WS_CLOSE_FORBIDDEN,
	 "The policy of this group could not be evaluated."},
	{"not_subscribed", 403, WS_CLOSE_FORBIDDEN,
	 "The client is not in this group."},
	{"no_presence", 403, WS_CLOSE_FORBIDDEN,
	 "The category of this group does not keep presence."},
	{"invalid_group", 404, WS_CLOSE_MALFORMED,
	 "A group name has 1 to 99 letters, digits, periods, hyphens or "
	 "underscores."},
	{"history_changed", 409, WS_CLOSE_HISTORY,
	 "What followed the message seen last cannot be told any more."},
	{"bad_since", 400, WS_CLOSE_MALFORMED,
	 "The parameter since must be <seq>.<tag>."},
	{"plain_name_too_long", 404, WS_CLOSE_MALFORMED,
	 "A group of a plain category has at most 63 characters, as a channel of "
	 "NOTIFY."},
	{"not_found", 404, WS_CLOSE_MALFORMED, "There is nothing at this path."},
	/* how it asked */
	{"malformed_request", 400, WS_CLOSE_MALFORMED,
	 "The request is not valid HTTP/1.1."},
	{"bad_handshake", 400, WS_CLOSE_MALFORMED,
	 "The request is not a valid WebSocket handshake."},
	{"bad_method", 405, WS_CLOSE_MALFORMED, "Only GET is allowed here."},
	{"post_required", 405, WS_CLOSE_MALFORMED, "Only POST is allowed here."},
	{"length_required", 411, WS_CLOSE_MALFORMED,
	 "The body must come with its Content-Length."},
	{"body_too_large", 413, WS_CLOSE_TOO_BIG, "The body is too large."},
	{"unsupported_media_type", 415, WS_CLOSE_UNSUPPORTED,
	 "The body must be application/json."},
	{"header_timeout", 408, WS_CLOSE_AUTH_TIMEOUT,
	 "The request did not arrive in time."},
	{"upgrade_required", 426, WS_CLOSE_MALFORMED,
	 "This path speaks WebSocket, version 13."},
	{"unsupported_protocol", 400, WS_CLOSE_MALFORMED,
	 "This path speaks the subprotocol usher.v1."},
	{"bad_options", 400, WS_CLOSE_MALFORMED,
	 "The options of the session key are ttl, groups and max_uses."},
	{"header_too_large", 431, WS_CLOSE_MALFORMED,
	 "The request head is too large."},
	{"bad_version", 505, WS_CLOSE_MALFORMED, "Only HTTP/1.1 is spoken here."},
	/* how much */
	{"too_many_connections", 429, WS_CLOSE_LIMIT,
	 "There are too many connections from this user or address."},
	{"too_many_plain_groups", 429, WS_CLOSE_LIMIT,
	 "Too many groups of plain categories have members."},
	{"too_many_groups", 429, WS_CLOSE_LIMIT,
	 "There are too many groups of this client, user or address."},
	{"message_rate", 429, WS_CLOSE_LIMIT, "Messages come too fast."},
	{"byte_rate", 429, WS_CLOSE_LIMIT, "Too many bytes come too fast."},
	{"too_slow", 408, WS_CLOSE_TOO_SLOW,
	 "The client does not read what it is sent."},
	{"too_large", 413, WS_CLOSE_TOO_BIG, "The message is too large."},
	/* what a message was */
	{"invalid_json", 400, WS_CLOSE_MALFORMED, "The message is not JSON."},
	{"not_an_object", 400, WS_CLOSE_MALFORMED,
	 "The message is not a JSON object."},
	{"binary_frame", 400, WS_CLOSE_MALFORMED,
	 "Messages of usher.v1 are text frames."},
	{"missing_type", 400, WS_CLOSE_MALFORMED, "The message has no type."},
	{"unknown_type", 400, WS_CLOSE_MALFORMED,
	 "This server knows no such type."},
	{"bad_id", 400, WS_CLOSE_MALFORMED,
	 "An id is an integer or a short string."},
	{"missing_member", 400, WS_CLOSE_MALFORMED, "A member is missing."},
	{"bad_member", 400, WS_CLOSE_MALFORMED,
	 "A member has a wrong type or value."},
	{"too_many_members", 400, WS_CLOSE_MALFORMED,
	 "The message names too many groups."},
	{"subscription_pending", 400, WS_CLOSE_MALFORMED,
	 "The subscribe of this group is not answered yet."},
	{"unsupported_type", 400, WS_CLOSE_UNSUPPORTED,
	 "This group does not take messages of this type."},
	{"invalid_data", 400, WS_CLOSE_INVALID_DATA,
	 "The message cannot be stored as text."},
	/* us */
	{"not_attached", 503, WS_CLOSE_TRY_AGAIN,
	 "usher.attach_django() has not been run in this database."},
	{"database_unavailable", 503, WS_CLOSE_TRY_AGAIN,
	 "The database does not answer."},
	{"overloaded", 503, WS_CLOSE_TRY_AGAIN, "The server is overloaded."},
	{"draining", 503, WS_CLOSE_GOING_AWAY, "The server is restarting."},
	{"crypto_error", 500, WS_CLOSE_INTERNAL_ERROR,
	 "The credential could not be checked."},
	{"internal_error", 500, WS_CLOSE_INTERNAL_ERROR,
	 "The database reported an error."},
};

const Refusal *
refusal_for(const char *reason)
{
	if (reason != NULL)
		for (size_t i = 0; i < lengthof(refusals); i++)
			if (strcmp(refusals[i].reason, reason) == 0)
				return &refusals[i];
	return &unknown_reason;
}

bool
refusal_is_for_now(const Refusal *refusal)
{
	return refusal->close_code == WS_CLOSE_TRY_AGAIN ||
		   refusal->close_code == WS_CLOSE_LIMIT;
}

size_t
refusal_json(char *out, size_t cap, const Refusal *refusal, const char *detail,
			 bool typed)
{
	char retry[48] = "";
	int	 len;

	if (typed && refusal_is_for_now(refusal))
		snprintf(retry, sizeof(retry), ",\"retry_after_ms\":%d",
				 REFUSAL_RETRY_MS);
	len = snprintf(out, cap,
				   "{%s\"code\":%u,\"reason\":\"%s\",\"detail\":\"%s\"%s}",
				   typed ? "\"type\":\"error\"," : "", refusal->close_code,
				   refusal->reason, detail ? detail : refusal->detail, retry);

	return len > 0 && (size_t) len < cap ? (size_t) len : 0;
}
