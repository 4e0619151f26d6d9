/*-------------------------------------------------------------------------
 *
 * kind_jwt.c
 *	  Kinds jwt and jwt_header.
 *
 *-------------------------------------------------------------------------
 */
#include "vectors.h"

#include <stdio.h>

#include "jwt.h"

/* What a case's config means, over the file's defaults. */
typedef struct Config
{
	JwtOptions	options;
	bool		keyed; /* false: an algorithm that we do not have */
	JwtKey		key;
	const char *user_field;
	bool		check_active;
} Config;

static json_t *
merged_config(Case *c)
{
	static const char *const members[] = {
		"flavor",		 "algorithm",	  "key",
		"audience",		 "issuer",		  "leeway",
		"user_id_claim", "user_id_field", "token_type_claim",
		"token_type",	 "jti_claim",	  "check_revoke",
		"revoke_claim",	 "check_active",  NULL};
	json_t *defaults = json_object_get(c->file, "jwt_config_defaults");
	json_t *own = json_object_get(c->input, "config");
	json_t *merged = defaults != NULL ? json_copy(defaults) : NULL;

	if (merged == NULL)
		merged = json_loads("{}", 0, NULL);
	if (merged == NULL)
		abort();
	if (own != NULL && !json_is_null(own))
	{
		check_members(c, own, "config", members);
		json_object_update(merged, own);
	}
	check_members(c, merged, "jwt_config_defaults", members);
	return merged;
}

static JwtFlavor
flavor_of(Case *c, json_t *object)
{
	const char *name = text_or(c, object, "flavor", "simplejwt");

	if (name != NULL && strcmp(name, "simplejwt") == 0)
		return JWT_SIMPLEJWT;
	if (name == NULL || (strcmp(name, "drf-jwt") != 0 &&
						 strcmp(name, "djangorestframework-jwt") != 0))
		case_error(c, "unknown flavor \"%s\"", name != NULL ? name : "null");
	return JWT_DRF_JWT;
}

/* public_key is destroyed by the caller. */
static void
read_config(Case *c, json_t *merged, Config *config,
			CryptoPublicKey **public_key)
{
	const char *algorithm = text_or(c, merged, "algorithm", "HS256");
	const char *key_name = text_or(c, merged, "key", "main");
	CryptoPart	key = key_of(c, key_name != NULL ? key_name : "main");
	JwtOptions *options = &config->options;
	int64_t		leeway_s = integer_or(c, merged, "leeway", 0);

	options->flavor = flavor_of(c, merged);
	options->audience = text_or(c, merged, "audience", NULL);
	options->issuer = text_or(c, merged, "issuer", NULL);
	if (leeway_s < 0 || leeway_s > INT32_MAX)
		case_error(c, "\"leeway\" is out of range");
	options->leeway_s = (int) leeway_s;
	options->user_claim = text_or(c, merged, "user_id_claim", "user_id");
	options->type_claim = text_or(c, merged, "token_type_claim", "token_type");
	if (json_object_get(merged, "token_type") == NULL)
		json_object_set_new(merged, "token_type", json_string("access"));
	options->types = words_of(c, merged, "token_type", &options->ntypes);
	options->jti_claim = text_or(c, merged, "jti_claim", "jti");
	options->revoke_claim =
		bool_or(c, merged, "check_revoke", false)
			? text_or(c, merged, "revoke_claim", "hash_password")
			: NULL;
	config->check_active = bool_or(c, merged, "check_active", true);
	config->user_field = text_or(c, merged, "user_id_field", "id");
	if (options->user_claim == NULL || config->user_field == NULL)
		case_error(c, "the user's claim or field is null");

	config->keyed = algorithm != NULL &&
					jwt_algorithm_parse(algorithm, &config->key.algorithm);
	if (!config->keyed)
		return;
	if (jwt_algorithm_is_hmac(config->key.algorithm))
	{
		config->key.secret = key.data;
		config->key.secret_len = key.len;
	}
	else
	{
		*public_key = crypto_public_key_create(key.data, key.len);
		config->key.public_key = *public_key;
	}
}

static void
judge_user(Case *c, Verdict *v, const Config *config, const JwtClaims *claims)
{
	Slice		name = case_copy(c, claims->user, strlen(claims->user));
	User		user;
	const char *reason;

	if (config->options.flavor == JWT_DRF_JWT)
		reason = user_by_member(c, "username", name, &user);
	else if (strcmp(config->user_field, "id") == 0 ||
			 strcmp(config->user_field, "pk") == 0)
		reason = user_by_id(c, name, &user);
	else
		reason = user_by_member(c, config->user_field, name, &user);

	if (reason != NULL)
		verdict_refuse(v, reason);
	else if (!user.is_active &&
			 (config->check_active || config->options.flavor == JWT_DRF_JWT))
		verdict_refuse(v, "inactive_user");
	else if (config->options.revoke_claim != NULL &&
			 !jwt_password_matches(claims->password_hash, user.password.ptr,
								   user.password.len))
		verdict_refuse(v, "password_changed");
	else
		verdict_accept(v, "user_id", (Slice){user.id, strlen(user.id)});
}

void
judge_jwt(Case *c, Verdict *v)
{
	static const char *const members[] = {"token", "config", "users", NULL};
	Slice					 token = required_text(c, c->input, "token");
	json_t					*merged = merged_config(c);
	Config					 config = {0};
	CryptoPublicKey			*public_key = NULL;
	JwtClaims				 claims;
	JwtStatus				 status;

	check_members(c, c->input, "input", members);
	read_config(c, merged, &config, &public_key);
	if (c->error[0] == '\0')
	{
		status =
			jwt_verify(token.ptr, token.len, &config.key, config.keyed ? 1 : 0,
					   &config.options, c->now_us, &claims);
		if (status == JWT_OK)
			judge_user(c, v, &config, &claims);
		else
			verdict_refuse(v, jwt_reason(status));
	}
	crypto_public_key_destroy(public_key);
	json_decref(merged);
}

/* ---- jwt_header ---- */

void
judge_jwt_header(Case *c, Verdict *v)
{
	static const char *const members[] = {"header", "header_hex", "flavor",
										  "header_types", NULL};
	const char				*kind =
		 flavor_of(c, c->input) == JWT_DRF_JWT ? "drf-jwt" : "jwt";
	size_t			   count;
	const char *const *types = words_of(c, c->input, "header_types", &count);
	char			   keywords[1024] = "";
	size_t			   used = 0;
	const Credential  *found;

	check_members(c, c->input, "input", members);
	if (types == NULL)
		used = (size_t) snprintf(keywords, sizeof(keywords), "%s=%s",
								 strcmp(kind, "jwt") == 0 ? "Bearer" : "JWT",
								 kind);
	for (size_t i = 0; i < count && used < sizeof(keywords); i++)
		used += (size_t) snprintf(keywords + used, sizeof(keywords) - used,
								  "%s%s=%s", i > 0 ? ", " : "", types[i], kind);
	if (used >= sizeof(keywords))
		case_error(c, "too many header types");

	found = find_in_header(c, keywords, v);
	if (found == NULL)
		return;
	if (strcmp(found->kind, CREDENTIAL_JWT) != 0)
		case_error(c, "the header's kind is \"%s\"", found->kind);
	verdict_accept(v, "token", v->credential);
}
