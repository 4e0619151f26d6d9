/*-------------------------------------------------------------------------
 *
 * kind_header.c
 *	  Kinds read from a request: authtoken, knox, origin, cookie, group_name.
 *
 *-------------------------------------------------------------------------
 */
#include "vectors.h"

#include <stdio.h>

#include "cookie.h"
#include "group.h"
#include "handshake.h"
#include "knox.h"
#include "origin.h"
#include "refusal.h"

/* ---- the Authorization header ---- */

const Credential *
find_in_header(Case *c, const char *keywords, Verdict *v)
{
	CredentialOptions options = {
		.header_keywords = keywords, .jwt_cookie = "", .session_cookie = ""};
	HttpRequest request = {.minor_version = 1};
	Credential *credential = case_alloc(c, sizeof(*credential));
	Slice		header = header_of(c);
	char		error[256];

	if (!credential_check_keywords(keywords, error, sizeof(error)))
	{
		case_error(c, "keywords \"%s\": %s", keywords, error);
		return NULL;
	}
	request.method = (Slice){"GET", 3};
	request.path = (Slice){"/", 1};
	if (header.ptr != NULL)
		request.header[request.header_count++] =
			(HttpHeader){{"Authorization", 13}, header};
	credential_find(credential, &request, &options);

	switch (credential->status)
	{
		case CREDENTIAL_NONE:
			/* What a group answers that does not let just anyone in. */
			verdict_refuse(v, "not_attempted");
			v->http_status = refusal_for("no_credentials")->http_status;
			v->detail = refusal_for("no_credentials")->detail;
			return NULL;
		case CREDENTIAL_REFUSED:
			verdict_refuse(v, credential->reason);
			v->http_status = refusal_for(credential->reason)->http_status;
			v->detail = credential->detail;
			return NULL;
		case CREDENTIAL_PRESENT: break;
	}
	v->credential = case_copy(c, credential->value, credential->len);
	return credential;
}

static const Credential *
find_token(Case *c, const char *keyword_member, const char *kind, Verdict *v)
{
	const char		 *keyword = text_or(c, c->input, keyword_member, "Token");
	char			  keywords[256];
	const Credential *found;

	if (keyword == NULL || snprintf(keywords, sizeof(keywords), "%s=%s",
									keyword, kind) >= (int) sizeof(keywords))
	{
		case_error(c, "\"%s\" cannot be a keyword", keyword_member);
		return NULL;
	}
	found = find_in_header(c, keywords, v);
	if (found != NULL && strcmp(found->kind, kind) != 0)
		case_error(c, "the header's kind is \"%s\"", found->kind);
	return found;
}

/* The end of a look-up: reason NULL and a user, or why not. */
static void
judge_found(Verdict *v, const char *reason, const User *user)
{
	if (reason == NULL && !user->is_active)
		reason = "inactive_user";
	if (reason == NULL)
	{
		verdict_accept(v, "user_id", (Slice){user->id, strlen(user->id)});
		return;
	}
	verdict_refuse(v, reason);
	v->http_status = refusal_for(reason)->http_status;
	v->detail = refusal_for(reason)->detail;
}

/* An inner join: a row of nobody is no row. */
static const char *
of_nobody(Case *c, json_t *row, User *user)
{
	return user_by_id(c, required_text(c, row, "user_id"), user) == NULL
			   ? NULL
			   : "unknown_token";
}

static bool
same(Slice a, const char *bytes, size_t len)
{
	return a.ptr != NULL && a.len == len &&
		   (len == 0 || memcmp(a.ptr, bytes, len) == 0);
}

/* ---- authtoken ---- */

void
judge_authtoken(Case *c, Verdict *v)
{
	static const char *const members[] = {"header", "header_hex", "keyword",
										  "rows",	"users",	  NULL};
	static const char *const columns[] = {"key", "user_id", "created", NULL};
	const Credential *found = find_token(c, "keyword", CREDENTIAL_TOKEN, v);
	json_t			 *row;
	User			  user = {0};
	size_t			  i;

	check_members(c, c->input, "input", members);
	if (found == NULL)
		return;
	json_array_foreach(json_object_get(c->input, "rows"), i, row)
	{
		check_members(c, row, "row", columns);
		if (same(required_text(c, row, "key"), found->value, found->len))
		{
			judge_found(v, of_nobody(c, row, &user), &user);
			return;
		}
	}
	judge_found(v, "unknown_token", &user);
}

/* ---- knox ---- */

static KnoxFormat
knox_format(Case *c)
{
	const char *name = case_text(c, required_text(c, c->input, "format"));

	if (strcmp(name, "v3") == 0)
		return KNOX_V3;
	if (strcmp(name, "v5") == 0)
		return KNOX_V5;
	if (strcmp(name, "v4") != 0)
		case_error(c, "unknown format \"%s\"", name);
	return KNOX_V4;
}

void
judge_knox(Case *c, Verdict *v)
{
	static const char *const members[] = {"format",
										  "header",
										  "header_hex",
										  "auth_header_prefix",
										  "rows",
										  "users",
										  "secure_hash_algorithm",
										  NULL};
	static const char *const columns[] = {"digest",	 "token_key", "salt",
										  "user_id", "created",	  "expiry",
										  "expires", NULL};
	KnoxFormat				 format = knox_format(c);
	CryptoHash hash = hash_of(c, c->input, "secure_hash_algorithm", "sha512");
	const Credential *found =
		find_token(c, "auth_header_prefix", CREDENTIAL_KNOX, v);
	const char *reason = "unknown_token";
	size_t		key_len;
	json_t	   *row;
	User		user = {0};
	size_t		i;

	check_members(c, c->input, "input", members);
	if (found == NULL)
		return;
	key_len = knox_token_key(format, v->credential.ptr, v->credential.len);
	json_array_foreach(json_object_get(c->input, "rows"), i, row)
	{
		Slice	digest = required_text(c, row, "digest");
		Slice	key = required_text(c, row, "token_key");
		Slice	salt = optional_text(c, row, "salt");
		json_t *expiry = json_object_get(row, "expiry");
		int64_t expiry_us = INT64_MAX;

		check_members(c, row, "row", columns);
		if (expiry == NULL)
			expiry = json_object_get(row, "expires");
		if (expiry != NULL && !json_is_null(expiry) &&
			!parse_time(expiry, &expiry_us))
			case_error(c, "\"expiry\" is no time");
		if (key_len == 0 || !same(key, v->credential.ptr, key_len) ||
			!knox_digest_matches(format, hash, v->credential.ptr,
								 v->credential.len, case_text(c, salt),
								 case_text(c, digest)))
			continue;
		/* Its last microsecond counts, unlike a session's. */
		if (expiry_us < c->now_us)
		{
			reason = "expired";
			continue;
		}
		reason = of_nobody(c, row, &user);
		break;
	}
	judge_found(v, reason, &user);
}

/* ---- origin ---- */

/* Whether a pattern can be written into our comma-separated list. */
static bool
can_be_listed(const char *pattern)
{
	return pattern[0] != '\0' && strpbrk(pattern, ", \t\r\n\v\f") == NULL;
}

/*
 * Also by patterns that usherd does not start with: Channels lets some of them
 * match ("127.0.0.1:8000", any port), which is more than they seem to say.
 */
void
judge_origin(Case *c, Verdict *v)
{
	static const char *const members[] = {"origin", "allowed_origins", NULL};
	size_t					 count;
	const char *const *list = words_of(c, c->input, "allowed_origins", &count);
	size_t			   cap = 1;
	char			  *patterns;
	Slice			   origin = optional_text(c, c->input, "origin");

	check_members(c, c->input, "input", members);
	for (size_t i = 0; i < count; i++)
		cap += strlen(list[i]) + 2;
	patterns = case_alloc(c, cap);
	patterns[0] = '\0';
	for (size_t i = 0; i < count; i++)
	{
		if (!can_be_listed(list[i]))
			continue;
		if (patterns[0] != '\0')
			strcat(patterns, ", ");
		strcat(patterns, list[i]);
	}
	if (origin_allowed(origin, patterns))
		verdict_accept(v, NULL, SLICE_NONE);
	else
		verdict_refuse(v, "origin_not_allowed");
}

/* ---- cookie ---- */

void
judge_cookie(Case *c, Verdict *v)
{
	static const char *const members[] = {"header", "header_hex", "cookie_name",
										  NULL};
	const char *name = text_or(c, c->input, "cookie_name", "sessionid");
	Slice		header = header_of(c);
	size_t		cap = 2 * header.len + 1;
	char	   *value = case_alloc(c, cap);
	long		len;

	check_members(c, c->input, "input", members);
	if (name == NULL)
	{
		case_error(c, "\"cookie_name\" is null");
		return;
	}
	len = cookie_find(header, name, value, cap);
	if (len == -1)
		verdict_refuse(v, "no_cookie");
	else if (len < 0)
		case_error(c, "cookie_find returned %ld", len);
	else
		verdict_accept(v, "value", case_copy(c, value, (size_t) len));
}

/* ---- group_name ---- */

void
judge_group_name(Case *c, Verdict *v)
{
	static const char *const members[] = {"name", NULL};
	Slice					 name = SLICE_NONE;
	bool					 valid = false;

	check_members(c, c->input, "input", members);
	/* Channels raises TypeError for whatever is no text. */
	if (json_is_string(json_object_get(c->input, "name")))
	{
		name = required_text(c, c->input, "name");
		valid = group_parse(name.ptr, name.len, NULL);
		if (handshake_group_valid(name) != valid)
			case_error(c, "extension and listener do not agree");
	}
	if (valid)
		verdict_accept(v, NULL, SLICE_NONE);
	else
		verdict_refuse(v, "bad_name");
}
