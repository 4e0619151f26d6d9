/*-------------------------------------------------------------------------
 *
 * identity_jwt.c
 *	  JSON Web Tokens of simplejwt, djangorestframework-jwt and drf-jwt.
 *
 * jwt.c checks the token; what is left for here is the database: blacklists,
 * the user, the password.  The order is simplejwt's (tokens.py, verify;
 * authentication.py, get_user).
 *
 * The id is the whole token, sealed: a connection is checked again exactly as
 * it was admitted, also against keys and options that have changed since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base64url.h"
#include "identity_kind.h"
#include "json.h"
#include "jwt.h"
#include "secrets.h"
#include "store.h"
#include "store_options.h"
#include "utf8.h"

#define JWT_LABEL "jwt"

/* The type whose tokens no blacklist is asked about: simplejwt's AccessToken
 * is the one without BlacklistMixin. */
#define TYPE_WITHOUT_BLACKLIST "access"

/* ---- issuer ids ---- */

char *
identity_jti_id(const char *jti)
{
	return identity_hashed_id("jwt:", jti, strlen(jti));
}

/*
 * The jti in a token of which nothing is known to be true; NULL: none.  Read
 * here and not taken from jwt_verify(), since the trigger on the blacklist
 * must come to the same result with tokens that have expired.
 */
static char *
unverified_jti(const char *token, size_t len)
{
	JsonMember	member = {.name = "jti"};
	const char *payload = memchr(token, '.', len);
	const char *end;
	size_t		payload_len;
	uint8_t	   *json;
	char	   *jti;

	if (payload == NULL)
		return NULL;
	payload++;
	end = memchr(payload, '.', len - (size_t) (payload - token));
	if (end == NULL)
		return NULL;
	payload_len = (size_t) (end - payload);
	json = palloc(BASE64URL_DECODED_MAX(payload_len) + 1);
	if (!base64url_decode(payload, payload_len, json, &payload_len) ||
		json_read_object((const char *) json, payload_len, JSON_UTF8, &member,
						 1, NULL) != JSON_OK ||
		member.value.type != JSON_STRING || member.value.len == 0)
		return NULL;
	jti = palloc(member.value.len + 1);
	if (!json_read_string(&member.value, JSON_UTF8, jti, member.value.len + 1,
						  &payload_len))
		return NULL;
	return jti;
}

char *
identity_drf_jwt_issuer_id(const char *token, size_t len)
{
	char *jti = unverified_jti(token, len);

	return jti != NULL ? identity_jti_id(jti)
					   : identity_hashed_id("jwt-token:", token, len);
}

static char *
issuer_id(const text *token, const JwtClaims *claims)
{
	if (store_options()->jwt.flavor == JWT_DRF_JWT)
		return identity_drf_jwt_issuer_id(VARDATA_ANY(token),
										  VARSIZE_ANY_EXHDR(token));
	return claims->jti[0] != '\0' ? identity_jti_id(claims->jti) : NULL;
}

/* ---- what the database says ---- */

static bool
is_blacklisted(const text *token, const JwtClaims *claims)
{
	const char *jti;

	if (store_options()->jwt.flavor == JWT_DRF_JWT)
		return store_drf_jwt_is_blacklisted(VARDATA_ANY(token),
											VARSIZE_ANY_EXHDR(token));
	if (claims->jti[0] == '\0' ||
		strcmp(claims->type, TYPE_WITHOUT_BLACKLIST) == 0)
		return false;
	/* What this database cannot hold is in no table of it. */
	jti = utf8_to_server(claims->jti, strlen(claims->jti), NULL);
	return jti != NULL && store_jti_is_blacklisted(jti);
}

static bool
password_matches(const JwtClaims *claims, const StoreUser *user)
{
	size_t		len;
	const char *password;

	if (user->password == NULL)
		return false;
	password = utf8_from_server(user->password, strlen(user->password), &len);
	return password != NULL &&
		   jwt_password_matches(claims->password_hash, password, len);
}

/* NULL and the user, or the reason why there is none. */
static const char *
find_user(const JwtClaims *claims, StoreUser *user)
{
	bool		by_name = store_options()->jwt.flavor == JWT_DRF_JWT;
	bool		any_active;
	const char *claim =
		utf8_to_server(claims->user, strlen(claims->user), NULL);
	StoreStatus status;
	const char *refusal;

	if (claim == NULL)
		return by_name ? "unknown_user" : "bad_user_id";
	status = by_name ? store_user_by_username(claim, user)
					 : store_user_by_claim(claim, user);
	any_active = !by_name && !store_options()->jwt_check_user_is_active;
	refusal = identity_user_refusal(status, user, any_active, "unknown_user");
	if (refusal == NULL && store_options()->jwt.revoke_claim != NULL &&
		!password_matches(claims, user))
		refusal = jwt_reason(JWT_PASSWORD_CHANGED);
	return refusal;
}

/* ---- the kind ---- */

static void
authenticate_jwt(text *credential, TimestampTz now, Identity *identity)
{
	const Secrets *secrets = secrets_current();
	JwtClaims	   claims;
	JwtStatus	   status;
	StoreUser	   user;
	const char	  *refusal;

	if (secrets->njwt_keys == 0)
	{
		identity_refuse(identity, "no_jwt_key");
		return;
	}
	status = jwt_verify(VARDATA_ANY(credential), VARSIZE_ANY_EXHDR(credential),
						secrets->jwt_keys, secrets->njwt_keys,
						&store_options()->jwt, identity_unix_us(now), &claims);
	if (status != JWT_OK)
		refusal = jwt_reason(status);
	else if (is_blacklisted(credential, &claims))
		refusal = "blacklisted";
	else
		refusal = find_user(&claims, &user);
	if (refusal != NULL)
	{
		identity_refuse(identity, refusal);
		return;
	}
	identity_accept(identity, &user);
	identity->credential_id = identity_sealed_id(
		JWT_LABEL, VARDATA_ANY(credential), VARSIZE_ANY_EXHDR(credential));
	identity->issuer_id = issuer_id(credential, &claims);
	identity_expire_unix(identity, claims.expires_at_s);
}

static void
recheck_jwt(const char *user_id, const char *credential_id, TimestampTz now,
			Identity *identity)
{
	text *token = identity_open_id(JWT_LABEL, credential_id, JWT_MAX_BYTES);

	if (token == NULL)
	{
		identity_refuse(identity, jwt_reason(JWT_MALFORMED));
		return;
	}
	authenticate_jwt(token, now, identity);
	/* The name may be somebody else's by now. */
	if (identity->valid && strcmp(identity->user_id, user_id) != 0)
		identity_refuse(identity, "unknown_user");
}

const IdentityKind identity_kind_jwt = {IDENTITY_KIND_JWT, JWT_MAX_BYTES,
										"malformed", authenticate_jwt,
										recheck_jwt};
