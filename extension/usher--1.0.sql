/*
 * usher--1.0.sql: everything the extension is made of.
 *
 * Long because PostgreSQL reads an extension from one script.
 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION usher" to load this file. \quit

-- ==== schema and roles ====

-- Whoever could put objects into the schema beforehand could have them called
-- by ours, and the owner of a schema may drop what is in it.
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_class
			   WHERE relnamespace = 'usher'::pg_catalog.regnamespace)
		OR EXISTS (SELECT FROM pg_catalog.pg_proc
				   WHERE pronamespace = 'usher'::pg_catalog.regnamespace)
		OR EXISTS (SELECT FROM pg_catalog.pg_type
				   WHERE typnamespace = 'usher'::pg_catalog.regnamespace)
	THEN
		RAISE EXCEPTION 'schema "usher" is not empty'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Move its objects elsewhere or drop the schema first.';
	END IF;

	-- Roles belong to the whole cluster: another database may have made them,
	-- and DROP EXTENSION leaves them.
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles
				   WHERE rolname = 'usher_owner') THEN
		CREATE ROLE usher_owner NOLOGIN;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles
				   WHERE rolname = 'usher_app') THEN
		CREATE ROLE usher_app NOLOGIN;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles
				   WHERE rolname = 'usher_listener') THEN
		CREATE ROLE usher_listener NOLOGIN;
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_roles
			   WHERE rolname = 'usher_owner'
			   AND (rolsuper OR rolcanlogin)) THEN
		RAISE EXCEPTION 'role "usher_owner" can log in or is a superuser'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Make it NOLOGIN NOSUPERUSER: it owns functions that run with its rights.';
	END IF;
END
$$;

ALTER SCHEMA usher OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA usher FROM PUBLIC;
GRANT USAGE ON SCHEMA usher TO usher_owner, usher_app, usher_listener;
COMMENT ON SCHEMA usher IS 'realtime for Django sites';

-- ==== tables of the identity half ====

-- What makes this installation's notices unforgeable and its ids unguessable.
-- One row, made anew in each database and never dumped.  A version 4 uuid
-- carries 122 bits of pg_strong_random().
CREATE TABLE usher.instance (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	channel text NOT NULL CHECK (channel ~ '^[a-z0-9_]{1,63}$'),
	salt bytea NOT NULL CHECK (octet_length(salt) = 32)
);
COMMENT ON TABLE usher.instance IS 'secrets of this installation: the shared channel and the salt of credential ids';
INSERT INTO usher.instance (channel, salt)
SELECT 'usher_' || encode(substr(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, 16), 'hex'),
	   sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- Where Django keeps users and credentials; written by attach_django.  Names
-- are text, qualified and quoted, so that a dump can be restored anywhere.
-- NULL: the site has none.  jwt_user_column is NULL where JWTs carry the user
-- table's key.
CREATE TABLE usher.django (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	user_table text NOT NULL,
	user_key text NOT NULL,
	user_key_type text NOT NULL CHECK (user_key_type IN
		('smallint', 'integer', 'bigint', 'uuid', 'text', 'other')),
	username_column text,
	active_column text,
	password_column text,
	token_table text,
	token_key text,
	token_user text,
	session_table text,
	knox_table text,
	knox_format text CHECK (knox_format IN ('v3', 'v4', 'v5')),
	knox_expiry text,
	jwt_user_column text,
	jwt_user_type text CHECK (jwt_user_type IN
		('smallint', 'integer', 'bigint', 'uuid', 'text', 'other')),
	blacklist_table text,
	outstanding_table text,
	drf_blacklist_table text,
	CHECK (num_nulls(token_table, token_key, token_user) IN (0, 3)),
	CHECK (num_nulls(knox_table, knox_format, knox_expiry) IN (0, 3)),
	CHECK (num_nulls(jwt_user_column, jwt_user_type) IN (0, 2)),
	CHECK (num_nulls(blacklist_table, outstanding_table) IN (0, 2))
);
COMMENT ON TABLE usher.django IS 'the site''s tables, as usher.attach_django() found them';
SELECT pg_catalog.pg_extension_config_dump('usher.django', '');

-- Expiring keys handed out by issue_session.  Only the SHA-256 of a key is
-- kept.  A row stays until it expires, used up or not, so that a connection
-- which the key opened can be checked again.
CREATE TABLE usher.session_key (
	hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
	user_id text NOT NULL,
	issuer_id text,
	issuer_kind text,
	created_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	groups text[],
	max_uses integer CHECK (max_uses >= 1),
	uses integer NOT NULL DEFAULT 0,
	issuer_credential text
);
CREATE INDEX session_key_expires_at ON usher.session_key (expires_at);
CREATE INDEX session_key_user_id ON usher.session_key (user_id);
CREATE INDEX session_key_issuer_id ON usher.session_key (issuer_id)
	WHERE issuer_id IS NOT NULL;
COMMENT ON TABLE usher.session_key IS 'session keys that have been issued and not yet expired';

-- Every backend caches what these tables say; this tells them to look again.
CREATE FUNCTION usher.on_config_change() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'usher_on_config_change';
COMMENT ON FUNCTION usher.on_config_change() IS 'internal: drops what backends have cached of a configuration table';

CREATE TRIGGER config_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.instance
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_config_change();
CREATE TRIGGER config_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.django
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_config_change();

-- ==== authenticate ====

-- identity: what every authentication answers, always one row.   API: public
--   valid          whether the credential is good
--   reason         NULL when valid; else, of any kind, inactive_user,
--                  unknown_user, bad_user_id, expired, not_attached,
--                  unknown_kind, no_credentials or crypto_error; of a token or
--                  knox's, unknown_token; of a session key, unknown_session or
--                  used_up; of a Django session, bad_session_key, no_row,
--                  bad_signature, corrupt, no_user_in_session,
--                  backend_not_allowed, bad_auth_hash or no_secret_key; of a
--                  JWT, see validate_jwt
--   user_id        the user's key as text
--   username       NULL where the user table has no such column
--   kind           token, session, django_session, jwt, knox or anonymous
--   credential_id  hexadecimal digits that name the credential and from which
--                  it cannot be found
--   issuer_id      of a session key: credential_id of the token it came from;
--                  of a JWT: what blacklisting it revokes, if anything can
--   expires_at     NULL: never
--   groups         the groups the credential is restricted to; NULL: all
-- All but valid, reason and kind are NULL unless valid.
CREATE TYPE usher.identity AS (
	valid boolean,
	reason text,
	user_id text,
	username text,
	kind text,
	credential_id text,
	issuer_id text,
	expires_at timestamptz,
	groups text[]
);
COMMENT ON TYPE usher.identity IS 'who a credential belongs to, or why it is refused';

-- validate_token(key text) returns identity                      API: public
--   key  a Django REST framework token, exactly as stored
-- Never raises for any key.  PARALLEL UNSAFE, as all of these: what a backend
-- caches is read under a snapshot that a parallel query may not take.
CREATE FUNCTION usher.validate_token(key text) RETURNS usher.identity
LANGUAGE c STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_validate_token';
COMMENT ON FUNCTION usher.validate_token(text) IS 'identity behind a Django REST framework token';

-- validate_session(key text) returns identity                    API: public
--   key  what issue_session returned
-- A valid answer counts one use of a key whose uses are limited.  Of several
-- who use the last one at the same time exactly one gets a valid answer.
-- Such a key cannot be used in a read-only transaction (25006).
CREATE FUNCTION usher.validate_session(key text) RETURNS usher.identity
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_validate_session';
COMMENT ON FUNCTION usher.validate_session(text) IS 'identity behind a session key; counts a use';

-- validate_django_session(key text) returns identity             API: public
--   key  the value of the cookie sessionid; with signed cookies switched on
--        (set_session_options) also that of such a cookie
-- Good for as long as Django would take the session for somebody who is
-- logged in.  Needs set_secret_key.
CREATE FUNCTION usher.validate_django_session(key text) RETURNS usher.identity
LANGUAGE c STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_validate_django_session';
COMMENT ON FUNCTION usher.validate_django_session(text) IS 'identity that is logged in with a session of Django''s';

-- validate_jwt(jwt text) returns identity                        API: public
--   jwt  an access or sliding token of simplejwt, or a token of
--        djangorestframework-jwt or drf-jwt, as set_jwt_options says
-- Reasons beside the general ones: malformed, duplicate_name, crit,
-- bad_algorithm, bad_key, bad_base64, bad_signature, bad_payload, missing_exp,
-- bad_exp, bad_nbf, bad_iat, not_yet_valid, bad_issuer, bad_audience, bad_sub,
-- bad_jti, missing_jti, wrong_token_type, missing_user_id, password_changed,
-- blacklisted, no_jwt_key (see add_jwt_key) and no_secret_key.
CREATE FUNCTION usher.validate_jwt(jwt text) RETURNS usher.identity
LANGUAGE c STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_validate_jwt';
COMMENT ON FUNCTION usher.validate_jwt(text) IS 'identity behind a JSON Web Token';

-- validate_knox(token text) returns identity                     API: public
--   token  as django-rest-knox handed it out
-- Reads only: knox would also prolong the token and delete expired ones.
CREATE FUNCTION usher.validate_knox(token text) RETURNS usher.identity
LANGUAGE c STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_validate_knox';
COMMENT ON FUNCTION usher.validate_knox(text) IS 'identity behind a token of django-rest-knox';

-- authenticate(kind text, credential text) returns identity      API: public
--   kind  token, session, django_session, jwt or knox; anything else is
--         refused with a reason.  A site with knox's table and without that
--         of Django REST framework's tokens means knox's by token.
CREATE FUNCTION usher.authenticate(kind text, credential text)
RETURNS usher.identity
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_authenticate';
COMMENT ON FUNCTION usher.authenticate(text, text) IS 'identity behind a credential of any kind';

-- ==== issue ====

-- issued_session: a new session key, or why there is none.       API: public
CREATE TYPE usher.issued_session AS (
	session_key text,
	valid boolean,
	reason text,
	user_id text,
	username text,
	expires_at timestamptz
);
COMMENT ON TYPE usher.issued_session IS 'a new session key, or the reason why none was issued';

-- issue_session(token, ttl, groups, max_uses) returns issued_session
--                                                                API: public
--   token     a Django REST framework token; the session key dies with it
--   ttl       > 0 and at most the setting usher.session_max_ttl
--   groups    the only groups the key admits to; NULL: whatever the user may
--   max_uses  >= 1; NULL: any number until it expires
-- The key is 43 characters of base64url, 256 random bits, and cannot be read
-- again.  A refused token gives a reason; a wrong argument raises 22023.
CREATE FUNCTION usher.issue_session(
	token text, ttl interval DEFAULT '120 s', groups text[] DEFAULT NULL,
	max_uses integer DEFAULT NULL)
RETURNS usher.issued_session
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_issue_session';
COMMENT ON FUNCTION usher.issue_session(text, interval, text[], integer) IS 'issue an expiring session key against a token';

-- issue_session_for(user_id, ttl, groups, max_uses) returns issued_session
--                                                                API: public
-- The same for a user whom the caller has authenticated already.
CREATE FUNCTION usher.issue_session_for(
	user_id text, ttl interval DEFAULT '120 s', groups text[] DEFAULT NULL,
	max_uses integer DEFAULT NULL)
RETURNS usher.issued_session
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_issue_session_for';
COMMENT ON FUNCTION usher.issue_session_for(text, interval, text[], integer) IS 'issue an expiring session key for a user';

-- purge() returns bigint                                         API: public
-- Removes session keys that have expired, listeners that died, and messages
-- that durable groups need not keep any more; returns how many keys and
-- messages.  Issuing keys and running listeners do the same bit by bit, so
-- this is for sites without a listener, and for pg_cron.
CREATE FUNCTION usher.purge() RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_purge';
COMMENT ON FUNCTION usher.purge() IS 'remove expired session keys, and what is left of listeners that died';

-- ==== revoke ====

-- revoke_token(key text) returns bigint                          API: public
-- Deletes the token and the session keys it issued; connections which they
-- opened are closed when the transaction commits.  Returns the number of
-- credentials revoked.  Raises 55000 if no token table is attached.
CREATE FUNCTION usher.revoke_token(key text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_revoke_token';
COMMENT ON FUNCTION usher.revoke_token(text) IS 'delete a token and close what it opened';

-- revoke_session(key text) returns bigint                        API: public
CREATE FUNCTION usher.revoke_session(key text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_revoke_session';
COMMENT ON FUNCTION usher.revoke_session(text) IS 'delete a session key and close what it opened';

-- revoke_django_session(key text) returns bigint                 API: public
-- Logs a session of Django's out by deleting its row.  Raises 55000 if no
-- session table is attached.
CREATE FUNCTION usher.revoke_django_session(key text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_revoke_django_session';
COMMENT ON FUNCTION usher.revoke_django_session(text) IS 'delete a session of Django''s and close what it opened';

-- revoke_knox(token text) returns bigint                         API: public
-- As revoke_token.  Raises 55000 if knox's table is not attached.
CREATE FUNCTION usher.revoke_knox(token text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_revoke_knox';
COMMENT ON FUNCTION usher.revoke_knox(text) IS 'delete a token of django-rest-knox and close what it opened';

-- revoke_user(user_id text) returns bigint                       API: public
-- Deletes all tokens, knox's too, and session keys of a user and closes every
-- connection.  His sessions of Django's stay, for they cannot be found by
-- user, and his JWTs until they expire: to keep him out, deactivate him or
-- give him another password.
CREATE FUNCTION usher.revoke_user(user_id text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_revoke_user';
COMMENT ON FUNCTION usher.revoke_user(text) IS 'delete all credentials of a user and close what they opened';

-- The triggers that attach_django puts on the site's tables.  Their arguments
-- are names of columns, '' for one that is not there, but for
-- on_credential_truncate, whose is a kind:
--   on_token_change(key, user)
--   on_session_change(session_key): its WHEN decides what is a change
--   on_knox_change(digest, user, expiry)
--   on_blacklist_change(token_id), on_drf_blacklist_change(token)
--   on_user_change(key, active, password, username, jwt_user)
CREATE FUNCTION usher.on_token_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_token_change';
COMMENT ON FUNCTION usher.on_token_change() IS 'internal: revokes a token that was deleted or changed';
CREATE FUNCTION usher.on_session_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_session_change';
COMMENT ON FUNCTION usher.on_session_change() IS 'internal: revokes a Django session that was deleted or cut short';
CREATE FUNCTION usher.on_knox_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_knox_change';
COMMENT ON FUNCTION usher.on_knox_change() IS 'internal: revokes a knox token that was deleted, changed or cut short';
CREATE FUNCTION usher.on_blacklist_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_blacklist_change';
COMMENT ON FUNCTION usher.on_blacklist_change() IS 'internal: revokes a JWT that simplejwt blacklisted';
CREATE FUNCTION usher.on_drf_blacklist_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_drf_blacklist_change';
COMMENT ON FUNCTION usher.on_drf_blacklist_change() IS 'internal: revokes a JWT that drf-jwt blacklisted';
CREATE FUNCTION usher.on_credential_truncate() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_credential_truncate';
COMMENT ON FUNCTION usher.on_credential_truncate() IS 'internal: revokes every credential of a kind';
CREATE FUNCTION usher.on_user_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_user_change';
COMMENT ON FUNCTION usher.on_user_change() IS 'internal: revokes a user that was deleted, deactivated, re-passworded or renamed';
CREATE FUNCTION usher.on_user_truncate() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_user_truncate';
COMMENT ON FUNCTION usher.on_user_truncate() IS 'internal: revokes everybody';

-- revoke_everybody(): session keys of a user table that is no longer ours say
-- nothing, and what they and its tokens opened could never be revoked.
CREATE FUNCTION usher.revoke_everybody() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_revoke_everybody';
COMMENT ON FUNCTION usher.revoke_everybody() IS 'internal: deletes every session key and closes every identified connection';

-- ==== attach Django ====

-- site: what attach_django works on, as objects and plain names.  Names
-- become SQL text only in store_django, which trusts no caller.
CREATE TYPE usher.site AS (
	user_table regclass,
	user_key text,
	user_key_type text,
	username_column text,
	active_column text,
	password_column text,
	token_table regclass,
	session_table regclass,
	knox_table regclass,
	knox_format text,
	knox_expiry text,
	jwt_user_column text,
	jwt_user_type text,
	blacklist_table regclass,
	outstanding_table regclass,
	drf_blacklist_table regclass
);
COMMENT ON TYPE usher.site IS 'internal: the tables and columns that attach_django found';

-- find_table: a table by its name as SQL would write it, along the caller's
-- search_path, which is why none is set here; NULL if there is none.
CREATE FUNCTION usher.find_table(name text) RETURNS regclass
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
AS $$
BEGIN
	RETURN pg_catalog.to_regclass(name);
EXCEPTION WHEN invalid_name OR syntax_error THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION usher.find_table(text) IS 'internal: a table by its name, or NULL';

-- check_table: raises unless relation is a table that attach_django can use.
-- parameter is '' for a table that is not given but found by its name.
CREATE FUNCTION usher.check_table(parameter text, given text, relation regclass)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	class pg_class;
BEGIN
	IF relation IS NULL THEN
		RAISE EXCEPTION 'table "%" does not exist', given
			USING ERRCODE = 'undefined_table',
				  HINT = format('Run the migration that creates it first, or give %s => the name as SQL would write it, with quotes and schema where it needs them.', parameter);
	END IF;
	SELECT * INTO class FROM pg_class WHERE oid = relation;
	IF class.relkind <> 'r' OR class.relpersistence = 't' THEN
		RAISE EXCEPTION '"%" is not an ordinary table', given
			USING ERRCODE = 'wrong_object_type',
				  DETAIL = 'Views, partitioned, foreign and temporary tables cannot be attached.',
				  HINT = CASE parameter
					WHEN '' THEN 'Usher takes a table of this name for a blacklist of JWTs.'
					ELSE format('Give %s => the name of an ordinary table.', parameter)
					END;
	END IF;
	IF NOT pg_has_role(class.relowner, 'USAGE') THEN
		RAISE EXCEPTION 'must be owner of table %', relation
			USING ERRCODE = 'insufficient_privilege',
				  HINT = 'Call usher.attach_django() as the role that runs the site''s migrations.';
	END IF;
END
$$;
COMMENT ON FUNCTION usher.check_table(text, text, regclass) IS 'internal: is this a table that attach_django can use';

-- column_type: the type of a column, without domains; raises if it is missing.
CREATE FUNCTION usher.column_type(parameter text, relation regclass, wanted text)
RETURNS regtype
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	type_id oid;
	base_id oid;
BEGIN
	SELECT atttypid INTO type_id FROM pg_attribute
	WHERE attrelid = relation AND attname = wanted
	AND attnum > 0 AND NOT attisdropped;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'column "%" of table % does not exist', wanted, relation
			USING ERRCODE = 'undefined_column',
				  HINT = CASE parameter
					WHEN 'token_table' THEN 'token_table must name a table like authtoken_token, with columns "key" and "user_id"; NULL if the site has none.'
					WHEN 'session_table' THEN 'session_table must name a table like django_session, with columns "session_key", "session_data" and "expire_date"; NULL if the site has none.'
					WHEN 'knox_table' THEN 'knox_table must name a table like knox_authtoken, with columns "digest", "token_key", "user_id" and "expiry" or "expires"; NULL if the site has none.'
					WHEN '' THEN 'Usher takes a table of this name for a blacklist of JWTs.'
					ELSE format('Give %s => the name of a column of that table, or NULL to let usher find it.', parameter)
					END;
	END IF;
	LOOP
		SELECT typbasetype INTO base_id FROM pg_type
		WHERE oid = type_id AND typtype = 'd';
		EXIT WHEN NOT FOUND;
		type_id := base_id;
	END LOOP;
	RETURN type_id;
END
$$;
COMMENT ON FUNCTION usher.column_type(text, regclass, text) IS 'internal: type of a column that attach_django needs';

-- check_column: raises unless a column has one of these types.
CREATE FUNCTION usher.check_column(
	parameter text, relation regclass, wanted text, types regtype[])
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF usher.column_type(parameter, relation, wanted) <> ALL (types) THEN
		RAISE EXCEPTION 'column "%" of table % is not of type %', wanted,
			relation,
			(SELECT string_agg(CASE t WHEN 'varchar'::regtype THEN 'varchar'
							   ELSE t::text END, ' or ') FROM unnest(types) AS t)
			USING ERRCODE = 'datatype_mismatch',
				  HINT = CASE parameter
					WHEN 'token_table' THEN 'token_table must name a table like authtoken_token.'
					WHEN 'session_table' THEN 'session_table must name a table like django_session.'
					WHEN 'knox_table' THEN 'knox_table must name a table like knox_authtoken.'
					ELSE 'Usher takes a table of this name for a blacklist of JWTs.'
					END;
	END IF;
END
$$;
COMMENT ON FUNCTION usher.check_column(text, regclass, text, regtype[]) IS 'internal: has this column a type that attach_django can use';

-- key_type: a type as usher.django spells those of users' keys.
CREATE FUNCTION usher.key_type(type regtype) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE type
		WHEN 'smallint'::regtype THEN 'smallint'
		WHEN 'integer'::regtype THEN 'integer'
		WHEN 'bigint'::regtype THEN 'bigint'
		WHEN 'uuid'::regtype THEN 'uuid'
		WHEN 'text'::regtype THEN 'text'
		WHEN 'varchar'::regtype THEN 'text'
		ELSE 'other' END
$$;
COMMENT ON FUNCTION usher.key_type(regtype) IS 'internal: what kind of key a type is';

-- check_user_column: raises unless user_id of a table of credentials can
-- refer to the user table.
CREATE FUNCTION usher.check_user_column(
	parameter text, relation regclass, user_table regclass, user_key text,
	user_key_type text)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	integers CONSTANT text[] := '{smallint,integer,bigint}';
	type text := usher.key_type(usher.column_type(parameter, relation, 'user_id'));
BEGIN
	IF type <> user_key_type
		AND NOT (type = ANY (integers) AND user_key_type = ANY (integers)) THEN
		RAISE EXCEPTION 'column "user_id" of table % does not have the type of column "%" of table %',
			relation, user_key, user_table
			USING ERRCODE = 'datatype_mismatch',
				  HINT = format('Give user_table => the table that %s refers to.', parameter);
	END IF;
END
$$;
COMMENT ON FUNCTION usher.check_user_column(text, regclass, regclass, text, text) IS 'internal: does a table refer to the user table';

-- lend_table: lets usher_owner read these columns of a table, and delete if
-- it is to.  Granted afresh each time, so that no more stays granted than is
-- needed.
CREATE FUNCTION usher.lend_table(
	relation regclass, columns text[], deletes boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema_name text;
BEGIN
	EXECUTE format('REVOKE ALL ON %s FROM usher_owner', relation);
	EXECUTE format('GRANT SELECT (%s)%s ON %s TO usher_owner',
				   (SELECT string_agg(DISTINCT quote_ident(c), ', ')
					FROM unnest(columns) AS c WHERE c IS NOT NULL),
				   CASE WHEN deletes THEN ', DELETE' ELSE '' END, relation);
	SELECT nspname INTO schema_name FROM pg_namespace
	WHERE oid = (SELECT relnamespace FROM pg_class WHERE oid = relation);
	IF NOT has_schema_privilege('usher_owner', schema_name, 'USAGE') THEN
		EXECUTE format('GRANT USAGE ON SCHEMA %I TO usher_owner', schema_name);
	END IF;
END
$$;
COMMENT ON FUNCTION usher.lend_table(regclass, text[], boolean) IS 'internal: grants usher_owner what it needs of a table';

-- install_trigger: creates a trigger that fires ALWAYS, also while
-- session_replication_role is replica, as bulk loaders and logical
-- replication set it: a revocation is never optional.
CREATE FUNCTION usher.install_trigger(
	relation regclass, name text, event text, action text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH %s',
				   name, event, relation, action);
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', relation, name);
END
$$;
COMMENT ON FUNCTION usher.install_trigger(regclass, text, text, text) IS 'internal: puts a trigger on a table';

-- release_table: takes back what attach_django gave and put on a table.  A
-- table that is gone took them along.
CREATE FUNCTION usher.release_table(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	class pg_class;
	trigger_name text;
BEGIN
	SELECT * INTO class FROM pg_class WHERE oid = to_regclass(name);
	IF NOT FOUND THEN
		RETURN;
	END IF;
	FOR trigger_name IN
		SELECT tgname FROM pg_trigger WHERE tgrelid = class.oid
		AND tgname IN ('usher_revoke', 'usher_change', 'usher_truncate')
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, name);
	END LOOP;
	EXECUTE format('REVOKE ALL ON %s FROM usher_owner', name);
END
$$;
COMMENT ON FUNCTION usher.release_table(text) IS 'internal: removes triggers and grants from a table';

-- allow_dump: lets only this role read what pg_dump carries of us, or nobody
-- if it is NULL.  Sites back up with the role that owns their tables, and
-- pg_dump gives up on a table it may not read.  Nothing in these is secret.
CREATE FUNCTION usher.allow_dump(role regrole) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dumped regclass;
	former regrole;
BEGIN
	FOR dumped IN
		SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'usher'
	LOOP
		FOR former IN
			SELECT DISTINCT a.grantee
			FROM pg_class AS c, aclexplode(c.relacl) AS a
			WHERE c.oid = dumped AND a.grantee <> c.relowner
			AND a.grantee IS DISTINCT FROM role
		LOOP
			EXECUTE format('REVOKE ALL ON %s FROM %s', dumped, former);
		END LOOP;
		IF role IS NOT NULL THEN
			EXECUTE format('GRANT SELECT ON %s TO %s', dumped, role);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION usher.allow_dump(regrole) IS 'internal: lets the role that owns Django''s tables dump the configuration';

-- qualified_name: a table as text that means the same everywhere.
CREATE FUNCTION usher.qualified_name(relation regclass) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('%I.%I', n.nspname, c.relname)
	FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.oid = relation
$$;
COMMENT ON FUNCTION usher.qualified_name(regclass) IS 'internal: a table''s name, qualified and quoted';

-- attached_tables: all tables of a mapping.
CREATE FUNCTION usher.attached_tables(mapping usher.django)
RETURNS text[]
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_remove(ARRAY[mapping.user_table, mapping.token_table,
		mapping.session_table, mapping.knox_table, mapping.blacklist_table,
		mapping.outstanding_table, mapping.drf_blacklist_table], NULL)
$$;
COMMENT ON FUNCTION usher.attached_tables(usher.django) IS 'internal: the tables that a mapping names';

-- store_django: stores the mapping as usher_owner; returns the tables of the
-- former one that are not in it any more.  Granted to nobody: usher_owner would
-- read, for any caller, whatever table this is told of.
CREATE FUNCTION usher.store_django(site usher.site) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	former usher.django;
	latter usher.django;
BEGIN
	latter.singleton := true;
	latter.user_table := usher.qualified_name(site.user_table);
	latter.user_key := quote_ident(site.user_key);
	latter.user_key_type := site.user_key_type;
	latter.username_column := quote_ident(site.username_column);
	latter.active_column := quote_ident(site.active_column);
	latter.password_column := quote_ident(site.password_column);
	latter.token_table := usher.qualified_name(site.token_table);
	IF latter.token_table IS NOT NULL THEN
		latter.token_key := 'key';
		latter.token_user := 'user_id';
	END IF;
	latter.session_table := usher.qualified_name(site.session_table);
	latter.knox_table := usher.qualified_name(site.knox_table);
	latter.knox_format := site.knox_format;
	latter.knox_expiry := quote_ident(site.knox_expiry);
	latter.jwt_user_column := quote_ident(site.jwt_user_column);
	latter.jwt_user_type := site.jwt_user_type;
	latter.blacklist_table := usher.qualified_name(site.blacklist_table);
	latter.outstanding_table := usher.qualified_name(site.outstanding_table);
	latter.drf_blacklist_table := usher.qualified_name(site.drf_blacklist_table);

	LOCK TABLE usher.django IN SHARE ROW EXCLUSIVE MODE;
	PERFORM usher.allow_dump(relowner) FROM pg_class WHERE oid = site.user_table;
	SELECT * INTO former FROM usher.django;
	IF FOUND THEN
		IF former IS NOT DISTINCT FROM latter THEN
			RETURN '{}';
		END IF;
		-- Credentials that mean other users now, or whose revocation would
		-- not be seen any more.  What is attached in addition harms nobody.
		IF (former.user_table, former.user_key, former.username_column,
			former.jwt_user_column)
			IS DISTINCT FROM
			(latter.user_table, latter.user_key, latter.username_column,
			 latter.jwt_user_column)
			OR former.token_table <> coalesce(latter.token_table, '')
			OR former.session_table <> coalesce(latter.session_table, '')
			OR former.knox_table <> coalesce(latter.knox_table, '') THEN
			PERFORM usher.revoke_everybody();
		END IF;
		DELETE FROM usher.django;
	END IF;
	INSERT INTO usher.django SELECT latter.*;

	RETURN ARRAY(
		SELECT t FROM unnest(usher.attached_tables(former)) AS t
		WHERE t <> ALL (usher.attached_tables(latter)));
END
$$;
COMMENT ON FUNCTION usher.store_django(usher.site) IS 'internal: stores what attach_django found';

-- remember_django: the same for a caller who owns all these tables; raises
-- 42501 for any other.
CREATE FUNCTION usher.remember_django(site usher.site) RETURNS text[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_remember_django';
COMMENT ON FUNCTION usher.remember_django(usher.site) IS 'internal: stores what attach_django found in the caller''s tables';

-- forget_django: removes the mapping as usher_owner; returns its tables.
CREATE FUNCTION usher.forget_django() RETURNS SETOF text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	former usher.django;
BEGIN
	DELETE FROM usher.django RETURNING * INTO former;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	PERFORM usher.revoke_everybody();
	PERFORM usher.allow_dump(NULL);
	RETURN QUERY SELECT unnest(usher.attached_tables(former));
END
$$;
COMMENT ON FUNCTION usher.forget_django() IS 'internal: removes what attach_django stored';

-- attach_tables: the work of attach_django once names have become tables.
-- Runs as the caller, who owns them, since only an owner may do all this.
CREATE FUNCTION usher.attach_tables(
	site usher.site, user_name text, token_name text, session_name text,
	knox_name text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	texts CONSTANT regtype[] := '{text,varchar}';
	moments CONSTANT regtype[] := '{timestamptz}';
	salt text;
	former text;
	twice regclass;
	strange record;
BEGIN
	IF user_name IS NULL THEN
		RAISE EXCEPTION 'user_table must not be null'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM usher.check_table('user_table', user_name, site.user_table);
	IF token_name IS NOT NULL THEN
		PERFORM usher.check_table('token_table', token_name, site.token_table);
	END IF;
	-- Not every site has these two, so their default names may be missing.
	IF session_name <> 'django_session' OR site.session_table IS NOT NULL THEN
		PERFORM usher.check_table('session_table', session_name, site.session_table);
	END IF;
	IF knox_name <> 'knox_authtoken' OR site.knox_table IS NOT NULL THEN
		PERFORM usher.check_table('knox_table', knox_name, site.knox_table);
	END IF;
	IF num_nulls(site.blacklist_table, site.outstanding_table) = 0 THEN
		PERFORM usher.check_table('', site.blacklist_table::text, site.blacklist_table);
		PERFORM usher.check_table('', site.outstanding_table::text, site.outstanding_table);
	ELSE
		site.blacklist_table := NULL;
		site.outstanding_table := NULL;
	END IF;
	-- The site may have a table of that name which is another thing.
	IF NOT EXISTS (SELECT FROM pg_attribute
				   WHERE attrelid = site.drf_blacklist_table
				   AND attname = 'token' AND atttypid = ANY (texts)) THEN
		site.drf_blacklist_table := NULL;
	END IF;
	IF site.drf_blacklist_table IS NOT NULL THEN
		PERFORM usher.check_table('', site.drf_blacklist_table::text, site.drf_blacklist_table);
	END IF;
	SELECT t INTO twice
	FROM unnest(ARRAY[site.user_table, site.token_table, site.session_table,
					  site.knox_table, site.blacklist_table,
					  site.outstanding_table, site.drf_blacklist_table]) AS t
	WHERE t IS NOT NULL GROUP BY t HAVING count(*) > 1;
	IF FOUND THEN
		RAISE EXCEPTION 'table % is given twice', twice
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Users and each kind of credential have a table of their own.';
	END IF;
	-- To a superuser every table is his own, also one that a stranger put
	-- where Django's would be found; and whoever can write credentials is
	-- everybody.
	IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		SELECT c.oid::regclass AS relation, u.relowner::regrole AS owner INTO strange
		FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner,
			pg_class AS u
		WHERE c.oid IN (site.token_table, site.session_table, site.knox_table,
						site.blacklist_table, site.outstanding_table,
						site.drf_blacklist_table)
		AND u.oid = site.user_table AND c.relowner <> u.relowner AND NOT r.rolsuper
		LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'table % does not belong to the owner of table %',
				strange.relation, site.user_table
				USING ERRCODE = 'insufficient_privilege',
					  HINT = format('If it is the site''s, ALTER TABLE %s OWNER TO %s; or call usher.attach_django() as a role that has both owners'' rights and is no superuser.',
									strange.relation, strange.owner);
		END IF;
	END IF;

	-- What the user table has.
	SELECT a.attname INTO site.user_key
	FROM pg_index i
	JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
	WHERE i.indrelid = site.user_table AND i.indisprimary AND i.indnkeyatts = 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'table % has no primary key of one column', site.user_table
			USING ERRCODE = 'invalid_table_definition',
				  HINT = 'Give user_table => the table of the site''s AUTH_USER_MODEL.';
	END IF;
	site.user_key_type := usher.key_type(
		usher.column_type('user_table', site.user_table, site.user_key));
	IF site.username_column IS NOT NULL THEN
		PERFORM usher.column_type('username_column', site.user_table, site.username_column);
	ELSE
		SELECT attname INTO site.username_column FROM pg_attribute
		WHERE attrelid = site.user_table AND attname IN ('username', 'email')
		AND NOT attisdropped
		ORDER BY attname = 'username' DESC LIMIT 1;
	END IF;
	IF site.active_column IS NULL THEN
		SELECT attname INTO site.active_column FROM pg_attribute
		WHERE attrelid = site.user_table AND attname = 'is_active'
		AND NOT attisdropped;
	END IF;
	IF site.active_column IS NOT NULL
		AND usher.column_type('active_column', site.user_table, site.active_column)
			<> 'boolean'::regtype THEN
		RAISE EXCEPTION 'column "%" of table % is not boolean',
			site.active_column, site.user_table
			USING ERRCODE = 'datatype_mismatch',
				  HINT = 'Give active_column => the name of a boolean column.';
	END IF;
	IF site.password_column IS NOT NULL THEN
		PERFORM usher.column_type('password_column', site.user_table, site.password_column);
	ELSE
		SELECT attname INTO site.password_column FROM pg_attribute
		WHERE attrelid = site.user_table AND attname = 'password'
		AND NOT attisdropped;
	END IF;
	IF site.jwt_user_column = site.user_key THEN
		site.jwt_user_column := NULL;
	END IF;
	IF site.jwt_user_column IS NOT NULL THEN
		site.jwt_user_type := usher.key_type(usher.column_type(
			'jwt_user_column', site.user_table, site.jwt_user_column));
	END IF;

	-- What the others have: Django and the packages fix the names.
	IF site.token_table IS NOT NULL THEN
		PERFORM usher.check_column('token_table', site.token_table, 'key', texts);
		PERFORM usher.check_user_column('token_table', site.token_table,
			site.user_table, site.user_key, site.user_key_type);
	END IF;
	IF site.session_table IS NOT NULL THEN
		PERFORM usher.check_column('session_table', site.session_table, 'session_key', texts);
		PERFORM usher.check_column('session_table', site.session_table, 'session_data', texts);
		PERFORM usher.check_column('session_table', site.session_table, 'expire_date', moments);
	END IF;
	IF site.knox_table IS NOT NULL THEN
		PERFORM usher.check_column('knox_table', site.knox_table, 'digest', texts);
		PERFORM usher.check_column('knox_table', site.knox_table, 'token_key', texts);
		PERFORM usher.check_user_column('knox_table', site.knox_table,
			site.user_table, site.user_key, site.user_key_type);
		-- The layout tells which version writes the rows: 3.0 to 4.1 salt
		-- them, 5.0 made room for 15 characters of a token instead of 8.
		SELECT attname INTO salt FROM pg_attribute
		WHERE attrelid = site.knox_table AND attname = 'salt'
		AND NOT attisdropped;
		SELECT CASE WHEN salt IS NOT NULL THEN 'v3'
					WHEN atttypmod - 4 >= 15 THEN 'v5'
					ELSE 'v4' END
		INTO site.knox_format FROM pg_attribute
		WHERE attrelid = site.knox_table AND attname = 'token_key';
		SELECT attname INTO site.knox_expiry FROM pg_attribute
		WHERE attrelid = site.knox_table AND attname IN ('expiry', 'expires')
		AND NOT attisdropped
		ORDER BY attname = 'expiry' DESC LIMIT 1;
		site.knox_expiry := coalesce(site.knox_expiry, 'expiry');
		PERFORM usher.check_column('knox_table', site.knox_table, site.knox_expiry, moments);
	END IF;
	IF site.blacklist_table IS NOT NULL THEN
		PERFORM usher.column_type('', site.blacklist_table, 'token_id');
		PERFORM usher.column_type('', site.outstanding_table, 'id');
		PERFORM usher.check_column('', site.outstanding_table, 'jti', texts);
	END IF;

	FOREACH former IN ARRAY usher.remember_django(site) LOOP
		PERFORM usher.release_table(former);
	END LOOP;

	PERFORM usher.lend_table(
		site.user_table,
		ARRAY[site.user_key, site.username_column, site.active_column,
			  site.password_column, site.jwt_user_column], false);
	PERFORM usher.install_trigger(
		site.user_table, 'usher_revoke', 'UPDATE OR DELETE',
		format('ROW EXECUTE FUNCTION usher.on_user_change(%L, %L, %L, %L, %L)',
			   site.user_key, coalesce(site.active_column, ''),
			   coalesce(site.password_column, ''),
			   coalesce(site.username_column, ''),
			   coalesce(site.jwt_user_column, '')));
	PERFORM usher.install_trigger(
		site.user_table, 'usher_truncate', 'TRUNCATE',
		'STATEMENT EXECUTE FUNCTION usher.on_user_truncate()');
	IF site.token_table IS NOT NULL THEN
		PERFORM usher.lend_table(site.token_table, '{key,user_id}', true);
		PERFORM usher.install_trigger(
			site.token_table, 'usher_revoke', 'UPDATE OR DELETE',
			'ROW EXECUTE FUNCTION usher.on_token_change(''key'', ''user_id'')');
		PERFORM usher.install_trigger(
			site.token_table, 'usher_truncate', 'TRUNCATE',
			'STATEMENT EXECUTE FUNCTION usher.on_credential_truncate(''token'')');
	END IF;
	IF site.session_table IS NOT NULL THEN
		PERFORM usher.lend_table(
			site.session_table, '{session_key,session_data,expire_date}', true);
		-- Conditions, so that the rows which clearsessions deletes by the
		-- hundred thousand, and the one that each request of a site may
		-- save, do not even queue a call.
		PERFORM usher.install_trigger(
			site.session_table, 'usher_revoke', 'DELETE',
			'ROW WHEN (OLD.expire_date > now())'
			' EXECUTE FUNCTION usher.on_session_change(''session_key'')');
		-- Two requests that save at once may set the later date first, and
		-- clocks differ: by less than a minute nothing is taken back.
		PERFORM usher.install_trigger(
			site.session_table, 'usher_change', 'UPDATE',
			'ROW WHEN (OLD.expire_date > now() AND'
			' (OLD.session_key <> NEW.session_key'
			' OR (NEW.expire_date > now()) IS NOT TRUE'
			' OR NEW.expire_date < OLD.expire_date - interval ''1 minute''))'
			' EXECUTE FUNCTION usher.on_session_change(''session_key'')');
		PERFORM usher.install_trigger(
			site.session_table, 'usher_truncate', 'TRUNCATE',
			'STATEMENT EXECUTE FUNCTION usher.on_credential_truncate(''django_session'')');
	END IF;
	IF site.knox_table IS NOT NULL THEN
		PERFORM usher.lend_table(
			site.knox_table,
			ARRAY['digest', 'token_key', 'user_id', site.knox_expiry, salt], true);
		PERFORM usher.install_trigger(
			site.knox_table, 'usher_revoke', 'UPDATE OR DELETE',
			format('ROW EXECUTE FUNCTION usher.on_knox_change(''digest'', ''user_id'', %L)',
				   site.knox_expiry));
		PERFORM usher.install_trigger(
			site.knox_table, 'usher_truncate', 'TRUNCATE',
			'STATEMENT EXECUTE FUNCTION usher.on_credential_truncate(''knox'')');
	END IF;
	IF site.blacklist_table IS NOT NULL THEN
		PERFORM usher.lend_table(site.blacklist_table, '{token_id}', false);
		PERFORM usher.lend_table(site.outstanding_table, '{id,jti}', false);
		PERFORM usher.install_trigger(
			site.blacklist_table, 'usher_revoke', 'INSERT OR UPDATE',
			'ROW EXECUTE FUNCTION usher.on_blacklist_change(''token_id'')');
	END IF;
	IF site.drf_blacklist_table IS NOT NULL THEN
		PERFORM usher.lend_table(site.drf_blacklist_table, '{token}', false);
		PERFORM usher.install_trigger(
			site.drf_blacklist_table, 'usher_revoke', 'INSERT OR UPDATE',
			'ROW EXECUTE FUNCTION usher.on_drf_blacklist_change(''token'')');
	END IF;
END
$$;
COMMENT ON FUNCTION usher.attach_tables(usher.site, text, text, text, text) IS 'internal: the work of attach_django';

-- attach_django(user_table, token_table, username_column, active_column,
--               password_column, session_table, knox_table,
--               jwt_user_column) returns void                    API: public
--   user_table       the table of AUTH_USER_MODEL
--   token_table      of rest_framework.authtoken; NULL: the site has none
--   username_column  NULL: username, else email, else none
--   active_column    NULL: is_active, else none and everybody is active
--   password_column  NULL: password, else none, and then no Django session
--                    is good
--   session_table    of django.contrib.sessions; NULL: none
--   knox_table       of django-rest-knox; NULL: none
--   jwt_user_column  simplejwt's USER_ID_FIELD; NULL: the primary key
-- django_session and knox_authtoken need not exist: what they would hold, the
-- site does not have.  The blacklists of simplejwt
-- (token_blacklist_blacklistedtoken, token_blacklist_outstandingtoken) and of
-- drf-jwt (blacklist_blacklistedtoken) are found by these names.  When one of
-- all these tables is created or altered later, call this again.
-- Triggers read session_key and expire_date of session_table in conditions:
-- to give one of these columns another type, call detach_django() before.
-- Call it from a migration, as the owner of these tables and a member of
-- usher_app.  Names are read as SQL reads them, along the caller's
-- search_path.  Stores where Django keeps users and credentials, grants
-- usher_owner the columns it reads and creates the triggers that revoke.
-- Calling it again repairs or changes; other tables than before close every
-- connection.  A superuser may call it only where the other tables belong to
-- the owner of user_table or to a superuser.  Raises 42P01, 42703, 42804, 42809,
-- 42P16, 22023 or 42501, with a hint.
CREATE FUNCTION usher.attach_django(
	user_table text DEFAULT 'auth_user',
	token_table text DEFAULT 'authtoken_token',
	username_column text DEFAULT NULL,
	active_column text DEFAULT NULL,
	password_column text DEFAULT NULL,
	session_table text DEFAULT 'django_session',
	knox_table text DEFAULT 'knox_authtoken',
	jwt_user_column text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	site usher.site;
BEGIN
	-- No operator stands here: search_path is the caller's, for the names.
	site.user_table := usher.find_table(user_table);
	site.username_column := username_column;
	site.active_column := active_column;
	site.password_column := password_column;
	site.token_table := usher.find_table(token_table);
	site.session_table := usher.find_table(session_table);
	site.knox_table := usher.find_table(knox_table);
	site.jwt_user_column := jwt_user_column;
	site.blacklist_table := usher.find_table('token_blacklist_blacklistedtoken');
	site.outstanding_table := usher.find_table('token_blacklist_outstandingtoken');
	site.drf_blacklist_table := usher.find_table('blacklist_blacklistedtoken');
	PERFORM usher.attach_tables(site, user_table, token_table, session_table,
								knox_table);
END
$$;
COMMENT ON FUNCTION usher.attach_django(text, text, text, text, text, text, text, text) IS 'tell usher where Django keeps users and credentials, and make deleting them revoke';

-- detach_django() returns boolean                                API: public
-- Undoes attach_django and closes every identified connection; returns
-- whether there was something to undo.
CREATE FUNCTION usher.detach_django() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	former text;
	attached boolean := false;
BEGIN
	FOR former IN SELECT t FROM usher.forget_django() AS t LOOP
		PERFORM usher.release_table(former);
		attached := true;
	END LOOP;
	RETURN attached;
END
$$;
COMMENT ON FUNCTION usher.detach_django() IS 'undo usher.attach_django()';

-- ==== groups: policy, admission, broadcast ====

-- Categories: what may be done in the groups whose names begin with theirs.
-- Policies are a word (authenticated, anyone, nobody, owner) or a function's
-- qualified and quoted name: text, so that a dump can be restored anywhere.
CREATE TABLE usher.category (
	name text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9._-]{1,99}$'),
	join_policy text NOT NULL,
	send_policy text NOT NULL,
	on_message text,
	on_message_type text CHECK (on_message_type IN ('jsonb', 'text', 'bytea')),
	plain boolean NOT NULL,
	presence boolean NOT NULL,
	durable boolean NOT NULL DEFAULT false,
	keep interval NOT NULL DEFAULT '1 day' CHECK (keep > interval '0'),
	keep_messages integer DEFAULT 10000 CHECK (keep_messages >= 1),
	CHECK (num_nulls(on_message, on_message_type) IN (0, 2)),
	CHECK (NOT (plain AND durable))
);
COMMENT ON TABLE usher.category IS 'declared categories; written by usher.set_category()';
SELECT pg_catalog.pg_extension_config_dump('usher.category', '');

CREATE FUNCTION usher.on_category_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_category_change';
COMMENT ON FUNCTION usher.on_category_change() IS 'internal: tells listeners that a category changed';

CREATE TRIGGER config_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.category
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_config_change();
CREATE TRIGGER category_change
	AFTER INSERT OR UPDATE OR DELETE ON usher.category
	FOR EACH ROW EXECUTE FUNCTION usher.on_category_change();
CREATE TRIGGER category_truncate
	BEFORE TRUNCATE ON usher.category
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_category_change();

-- set_category(name, join, send, on_message, plain, presence, durable, keep,
--              keep_messages)                                    API: public
--   name        ^[A-Za-z0-9._-]{1,99}$
--   join, send  authenticated, anyone, nobody, owner (the group's id is the
--               user's own), or a function (user_id text, id text) returns
--               boolean, found by the caller's search_path
--   on_message  a function (user_id text, id text, payload jsonb) returns
--               jsonb, or the same with text or bytea: it sees each message
--               of a client; what it returns is broadcast, NULL nothing.  Of
--               several such functions choose one by its list of types:
--               'chat.keep(text, text, jsonb)'
--   plain       whether any SQL NOTIFY "app_1234" reaches group app_1234
--   presence    whether it is kept who is in its groups (usher.presence), and
--               told to their members
--   durable     whether messages are kept, numbered, and told to who was away;
--               not together with plain, whose NOTIFYs cannot be
--   keep, keep_messages  of a durable group: for how long messages are kept
--               at least, and how many at most (NULL: any number); what is
--               older goes with the next usher.purge()
-- Declares a category, or replaces it.  When the transaction commits,
-- listeners ask again about each member: to be called also when a function
-- changed what it answers.
-- Site functions run as role usher_app, with their own schema as search_path.
-- user_id is NULL for a client that is not identified; only anyone lets him
-- in, and then only on_message sees it.
-- SECURITY INVOKER: names are resolved with the caller's search_path and
-- rights.  Raises 22023 (name), 22004 (null), 42883 (no such function), 42725
-- (several), 42P13 (wrong kind or return type), 42501 (the caller or
-- usher_app may not call it), 42602 (not a name).
CREATE FUNCTION usher.set_category(
	name text, "join" text DEFAULT 'nobody', send text DEFAULT 'nobody',
	on_message text DEFAULT NULL, plain boolean DEFAULT false,
	presence boolean DEFAULT false, durable boolean DEFAULT false,
	keep interval DEFAULT '1 day', keep_messages integer DEFAULT 10000)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'usher_set_category';
COMMENT ON FUNCTION usher.set_category(text, text, text, text, boolean, boolean, boolean, interval, integer) IS 'declare or replace a category';

-- drop_category(name text) returns boolean                       API: public
-- Nobody may enter its groups any more, and who is there must leave.  Returns
-- whether there was one.
CREATE FUNCTION usher.drop_category(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_drop_category';
COMMENT ON FUNCTION usher.drop_category(text) IS 'undeclare a category';

-- can_join(user_id text, group text) returns boolean             API: public
-- can_send(user_id text, group text) returns boolean             API: public
--   user_id  NULL: somebody who is not identified
-- Asks the category's policy; false for a group that is not declared or not
-- a name, and when a site function raises (the server's log says what).
-- VOLATILE: a site function may do anything.
CREATE FUNCTION usher.can_join(user_id text, "group" text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_can_join';
COMMENT ON FUNCTION usher.can_join(text, text) IS 'whether a user may join a group';
CREATE FUNCTION usher.can_send(user_id text, "group" text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_can_send';
COMMENT ON FUNCTION usher.can_send(text, text) IS 'whether a user may send to a group';

-- explain(user_id text, group text) returns one row              API: public
-- How the group's name is read, which policies hold, and what they answer;
-- the reasons are NULL where the user may, else not_allowed, policy_error,
-- unknown_group (its category is not declared) or invalid_group.
CREATE FUNCTION usher.explain(
	user_id text, "group" text,
	OUT "group" text, OUT category text, OUT id text, OUT declared boolean,
	OUT join_policy text, OUT may_join boolean, OUT join_reason text,
	OUT send_policy text, OUT may_send boolean, OUT send_reason text,
	OUT on_message text, OUT plain boolean)
RETURNS record
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_explain';
COMMENT ON FUNCTION usher.explain(text, text) IS 'why a user may or may not join a group and send to it';

-- ---- broadcast ----

-- broadcast(group text, payload jsonb)                           API: public
-- broadcast(groups text[], payload jsonb)                        API: public
-- broadcast_text(group text, payload text), or groups text[]     API: public
-- broadcast_binary(group text, payload bytea), or groups text[]  API: public
-- Sends to every member of the group, or of the groups, when the transaction
-- commits and only then.  One name per type: with overloads an untyped
-- literal would silently become text.  An empty array sends nothing; a group
-- named twice receives once.
-- Raises 22023 (not a group's name), 22004 (null), 54000 (payload larger than
-- the setting usher.max_payload).
CREATE FUNCTION usher.broadcast("group" text, payload jsonb) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_broadcast';
COMMENT ON FUNCTION usher.broadcast(text, jsonb) IS 'send JSON to the members of a group';
CREATE FUNCTION usher.broadcast("groups" text[], payload jsonb) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_broadcast_many';
COMMENT ON FUNCTION usher.broadcast(text[], jsonb) IS 'send JSON to the members of several groups';
CREATE FUNCTION usher.broadcast_text("group" text, payload text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_broadcast_text';
COMMENT ON FUNCTION usher.broadcast_text(text, text) IS 'send text to the members of a group';
CREATE FUNCTION usher.broadcast_text("groups" text[], payload text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_broadcast_text_many';
COMMENT ON FUNCTION usher.broadcast_text(text[], text) IS 'send text to the members of several groups';
CREATE FUNCTION usher.broadcast_binary("group" text, payload bytea) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_broadcast_binary';
COMMENT ON FUNCTION usher.broadcast_binary(text, bytea) IS 'send bytes to the members of a group';
CREATE FUNCTION usher.broadcast_binary("groups" text[], payload bytea) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_broadcast_binary_many';
COMMENT ON FUNCTION usher.broadcast_binary(text[], bytea) IS 'send bytes to the members of several groups';

-- kick(user_id text, group text)                                 API: public
-- Closes the user's connections to the group when the transaction commits.
-- He may come back unless the category's policy now says otherwise.
CREATE FUNCTION usher.kick(user_id text, "group" text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_kick';
COMMENT ON FUNCTION usher.kick(text, text) IS 'close a user''s connections to a group';

-- recheck(group text)                                            API: public
-- recheck_user(user_id text)                                     API: public
-- Has every connection in the group, or of the user, asked about again when
-- the transaction commits: to be called when something changed that a policy
-- function looks at.  What is broadcast behind that, in this transaction or
-- later, is shown only to those who may still be there.
-- Raises 22023 (not a group's name), 22004 (null).
CREATE FUNCTION usher.recheck("group" text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_recheck';
COMMENT ON FUNCTION usher.recheck(text) IS 'ask again who may be in a group';
CREATE FUNCTION usher.recheck_user(user_id text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_recheck_user';
COMMENT ON FUNCTION usher.recheck_user(text) IS 'ask again where a user may be';

-- The same for a whole category; for triggers.
CREATE FUNCTION usher.recheck_category(category text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_recheck_category';
COMMENT ON FUNCTION usher.recheck_category(text) IS 'internal: ask again about the members of a category';

-- on_membership_change: asks again about what the old and the new row name.
-- Its arguments: category, column of the id, and maybe that of the user.
CREATE FUNCTION usher.on_membership_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	row_text jsonb;
	name text;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		PERFORM usher.recheck_category(TG_ARGV[0]);
		RETURN NULL;
	END IF;
	FOREACH row_text IN ARRAY CASE TG_OP
		WHEN 'UPDATE' THEN ARRAY[to_jsonb(OLD), to_jsonb(NEW)]
		ELSE ARRAY[to_jsonb(OLD)] END
	LOOP
		IF TG_NARGS > 2 THEN
			IF row_text ->> TG_ARGV[2] IS NOT NULL THEN
				PERFORM usher.recheck_user(row_text ->> TG_ARGV[2]);
			END IF;
			CONTINUE;
		END IF;
		name := TG_ARGV[0] || '_' || (row_text ->> TG_ARGV[1]);
		IF name ~ '^[A-Za-z0-9._-]{1,99}$' THEN
			PERFORM usher.recheck(name);
		END IF;
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION usher.on_membership_change() IS 'internal: asks again who may be in a group when a watched table changes';

-- watch_table(relation, category, id_column, user_column)        API: public
--   relation     a table whose rows say who is a member of what
--   category     of the groups that this is about
--   id_column    the column with the id of the group: <category>_<id>
--   user_column  if given, only this user is asked about again, not all
--                members of the group: cheaper where groups are large
-- Installs triggers: when a row is changed or deleted, who is in its group is
-- asked about again; when the table is truncated, the whole category.  The
-- caller must own the table.  Calling it again replaces what was there.
-- Raises 42501 (not the owner), 42703 (no such column), 22023 (category).
CREATE FUNCTION usher.watch_table(
	relation regclass, category text, id_column text,
	user_column text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wanted text;
	call text;
BEGIN
	IF category IS NULL OR category !~ '^[A-Za-z0-9._-]{1,99}$' THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('invalid category name "%s"', category);
	END IF;
	IF relation IS NULL OR id_column IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'relation and id_column must not be null';
	END IF;
	FOREACH wanted IN ARRAY array_remove(ARRAY[id_column, user_column], NULL) LOOP
		IF NOT EXISTS (SELECT FROM pg_attribute
					   WHERE attrelid = relation AND attname = wanted
					   AND attnum > 0 AND NOT attisdropped) THEN
			RAISE undefined_column USING
				MESSAGE = format('column "%s" of table %s does not exist',
								 wanted, relation);
		END IF;
	END LOOP;
	call := format('EXECUTE FUNCTION usher.on_membership_change(%L, %L%s)',
				   category, id_column, coalesce(', ' || quote_literal(user_column), ''));
	PERFORM usher.install_trigger(relation, 'usher_membership',
								  'UPDATE OR DELETE', 'ROW ' || call);
	PERFORM usher.install_trigger(relation, 'usher_membership_truncate',
								  'TRUNCATE', 'STATEMENT ' || call);
END
$$;
COMMENT ON FUNCTION usher.watch_table(regclass, text, text, text) IS 'ask again who may be in a group when a membership table changes';

-- unwatch_table(relation) returns boolean                        API: public
-- Takes the triggers away; returns whether there were any.
CREATE FUNCTION usher.unwatch_table(relation regclass) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_any boolean;
BEGIN
	SELECT count(*) > 0 INTO found_any FROM pg_trigger
	WHERE tgrelid = relation
	AND tgname IN ('usher_membership', 'usher_membership_truncate');
	IF found_any THEN
		EXECUTE format('DROP TRIGGER IF EXISTS usher_membership ON %s',
					   relation);
		EXECUTE format('DROP TRIGGER IF EXISTS usher_membership_truncate ON %s',
					   relation);
	END IF;
	RETURN found_any;
END
$$;
COMMENT ON FUNCTION usher.unwatch_table(regclass) IS 'undo usher.watch_table()';

-- ---- durable groups ----

-- The last message of each durable group.  A publisher updates its row and so
-- holds it until his transaction ends: numbers are dense, and in the order of
-- the commits.  Half of each page is left free, so that such an update stays
-- on its page and touches no index.  Not dumped, as usher.message is not: its
-- transaction ids mean nothing elsewhere.  After a restore numbers begin anew,
-- with other tags, and whoever resumes is told so.
CREATE TABLE usher.group_seq (
	"group" text COLLATE "C" PRIMARY KEY,
	seq bigint NOT NULL,
	tag bigint NOT NULL,
	at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE usher.group_seq IS 'the last message of each durable group';

-- tag is random: after a crash or a failover a number may be given again, to
-- another message.  xid is the publishing transaction, by which listeners
-- find what they have not seen.
CREATE TABLE usher.message (
	"group" text COLLATE "C" NOT NULL,
	seq bigint NOT NULL,
	tag bigint NOT NULL,
	xid xid8 NOT NULL,
	at timestamptz NOT NULL,
	type "char" NOT NULL CHECK (type IN ('j', 't', 'b')),
	payload bytea NOT NULL,
	PRIMARY KEY ("group", seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02,
		autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX message_xid ON usher.message (xid);
COMMENT ON TABLE usher.message IS 'messages of durable groups';

-- message_data: a payload as JSON, as usher.v1 shows it.
CREATE FUNCTION usher.message_data(type "char", payload bytea) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE type
		WHEN 'j' THEN convert_from(payload, getdatabaseencoding())::jsonb
		WHEN 't' THEN to_jsonb(convert_from(payload, getdatabaseencoding()))
		ELSE to_jsonb(translate(encode(payload, 'base64'), E'\n', ''))
	END
$$;
COMMENT ON FUNCTION usher.message_data("char", bytea) IS 'internal: a payload as JSON';

-- history(group, after, limit) returns rows                      API: public
--   after  messages that follow this seq, the oldest first; NULL: the last
--          ones, in the same order
--   limit  at most so many
-- What is kept of a durable group: what a site renders its page with, and
-- where a client that is told seq and tag goes on.  created_at is the time at
-- which it was published, format json, text or binary, data what a message of
-- usher.v1 shows: text as a string, binary as a string of base64.
CREATE FUNCTION usher.history(
	"group" text, after bigint DEFAULT NULL, "limit" integer DEFAULT 100)
RETURNS TABLE (seq bigint, tag text, created_at timestamptz, format text,
			   data jsonb)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT m.seq, lpad(to_hex(m.tag), 16, '0'), m.at,
		   CASE m.type WHEN 'j' THEN 'json' WHEN 't' THEN 'text'
			   ELSE 'binary' END,
		   usher.message_data(m.type, m.payload)
	FROM usher.message AS m
	WHERE m."group" = history."group"
	AND m.seq > coalesce(history.after, (
		SELECT min(newest.seq) - 1
		FROM (SELECT n.seq FROM usher.message AS n
			  WHERE n."group" = history."group"
			  ORDER BY n.seq DESC LIMIT history."limit") AS newest))
	ORDER BY m.seq
	LIMIT history."limit";
END
$$;
COMMENT ON FUNCTION usher.history(text, bigint, integer) IS 'messages that a durable group has kept';

-- fetch(position text) returns lines                             API: listener
--   position  what the last call gave; NULL: begin now
-- What has been committed since: first "@ <position>", then "d <seq> <tag>
-- <type> <group> <payload>" for each message, ordered by group and seq; or
-- only "! <position>" when that is too much at once, and each group has to be
-- asked for with stream().  Whatever was notified by the transactions whose
-- messages it shows is notified before the next query is answered, so that a
-- listener knows who may see them.
-- A position means something in the cluster, and as long as it is up, only.
CREATE FUNCTION usher.fetch("position" text) RETURNS SETOF text
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_fetch';
COMMENT ON FUNCTION usher.fetch(text) IS 'messages of durable groups that were committed since';

-- stream(group, since, limit) returns lines                      API: listener
--   since  messages from this seq on, the oldest first; NULL: none
--   limit  at most so many; fewer when they are large
-- First "h <seq> <tag>", the last message that the group was given (0: none
-- yet), then as fetch() does.
CREATE FUNCTION usher.stream("group" text, since bigint, "limit" integer)
RETURNS SETOF text
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_stream';
COMMENT ON FUNCTION usher.stream(text, bigint, integer) IS 'a durable group''s last message, and those from some point on';

-- purge_messages(batch integer) returns bigint                   API: public
--   batch  rows that one call deletes at most
-- Removes what durable groups need not keep any more; returns how many, 0 when
-- somebody else is at it.  Listeners call it by themselves.
CREATE FUNCTION usher.purge_messages(batch integer DEFAULT 10000)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	due record;
	first_kept bigint;
	last_gone bigint;
	deleted bigint;
	total bigint := 0;
BEGIN
	IF batch < 1 OR NOT pg_try_advisory_xact_lock(
		1970498674, 2) THEN
		RETURN 0;
	END IF;
	-- Only the oldest message of each group is looked at here: one step down
	-- an index.
	FOR due IN
		SELECT s."group", s.seq, oldest.seq AS oldest, c.keep, c.keep_messages
		FROM usher.group_seq AS s
		CROSS JOIN LATERAL (
			SELECT m.seq, m.at FROM usher.message AS m
			WHERE m."group" = s."group" ORDER BY m.seq LIMIT 1) AS oldest
		LEFT JOIN usher.category AS k
			ON k.name = regexp_replace(s."group", '_[^_]*$', '')
		CROSS JOIN LATERAL (
			SELECT coalesce(k.keep, interval '1 day'), k.keep_messages
		) AS c (keep, keep_messages)
		WHERE oldest.at < clock_timestamp() - c.keep
		OR oldest.seq <= s.seq - c.keep_messages
	LOOP
		first_kept := (SELECT m.seq FROM usher.message AS m
					   WHERE m."group" = due."group"
					   AND m.at >= clock_timestamp() - due.keep
					   ORDER BY m.seq LIMIT 1);
		last_gone := greatest(coalesce(first_kept - 1, due.seq),
							  due.seq - due.keep_messages);
		DELETE FROM usher.message AS m
		WHERE m."group" = due."group"
		AND m.seq <= least(last_gone, due.oldest + (batch - total) - 1);
		GET DIAGNOSTICS deleted = ROW_COUNT;
		total := total + deleted;
		EXIT WHEN total >= batch;
	END LOOP;
	RETURN total;
END
$$;
COMMENT ON FUNCTION usher.purge_messages(integer) IS 'remove messages of durable groups that need not be kept';

-- ---- what the listener calls ----

-- listener_start() returns one row                               API: listener
--   channel      to LISTEN to; nobody else is told
--   version      of the extension in this database
--   max_payload  usher.max_payload, in bytes
CREATE FUNCTION usher.listener_start(
	OUT channel text, OUT version text, OUT max_payload integer)
RETURNS record
LANGUAGE c STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_listener_start';
COMMENT ON FUNCTION usher.listener_start() IS 'what a listener needs to know first';

-- canary(nonce text) returns double precision                    API: listener
-- Notifies "? nonce" on the shared channel.  Returns how full PostgreSQL's
-- notification queue is (0 to 1), and by asking lets it shrink.
CREATE FUNCTION usher.canary(nonce text) RETURNS double precision
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_canary';
COMMENT ON FUNCTION usher.canary(text) IS 'notify the caller, and measure the notification queue';

-- admission: an identity, and what it may do in one group.       API: listener
-- Admitted are those with valid and may_join; reason says why not, and is one
-- of usher.identity's, or invalid_group, unknown_group, not_allowed,
-- group_not_in_session, policy_error.
CREATE TYPE usher.admission AS (
	valid boolean,
	reason text,
	user_id text,
	username text,
	kind text,
	credential_id text,
	issuer_id text,
	expires_in_ms bigint,
	may_join boolean,
	may_send boolean,
	plain boolean,
	presence boolean,
	durable boolean
);
COMMENT ON TYPE usher.admission IS 'identity and rights of a client in one group';

-- admit(kind text, credential text, group text) returns admission
--                                                                API: listener
--   kind  as in authenticate, or anonymous: valid only where the category's
--         join policy is anyone, else no_credentials
-- A use of a limited session key is counted only if the group exists.
CREATE FUNCTION usher.admit(kind text, credential text, "group" text)
RETURNS usher.admission
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_admit';
COMMENT ON FUNCTION usher.admit(text, text, text) IS 'authenticate a client and ask whether it may join a group';

-- recheck_admission(kind, user_id, credential_id, group) returns admission
--                                                                API: listener
-- The same for a connection that is open, found by credential_id; counts no
-- use.
CREATE FUNCTION usher.recheck_admission(
	kind text, user_id text, credential_id text, "group" text)
RETURNS usher.admission
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_recheck_admission';
COMMENT ON FUNCTION usher.recheck_admission(text, text, text, text) IS 'whether a client that was admitted still would be';

-- identify(kind text, credential text) returns admission
--                                                                API: listener
-- Authenticates, for a client that will name its groups later; counts a use of
-- a limited session key.  anonymous is valid here, and so is a Django session
-- with which nobody is logged in: its kind is then anonymous.
CREATE FUNCTION usher.identify(kind text, credential text)
RETURNS usher.admission
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_identify';
COMMENT ON FUNCTION usher.identify(text, text) IS 'authenticate a client without asking about a group';

-- admit_groups(kind, user_id, credential_id, groups) returns one row
--                                                                API: listener
--   groups   names with commas between; '' or NULL: none
--   valid    whether the identity still is, asked as recheck_admission does
--   rights   one digit to the base 32 (0 to v) for each group: 1 may join,
--            2 may send, 4 plain, 8 presence, 16 durable; 0: may not join
--   reasons  of those that may not be joined, in order, with blanks between
CREATE FUNCTION usher.admit_groups(
	kind text, user_id text, credential_id text, groups text,
	OUT valid boolean, OUT reason text, OUT expires_in_ms bigint,
	OUT rights text, OUT reasons text)
RETURNS record
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_admit_groups';
COMMENT ON FUNCTION usher.admit_groups(text, text, text, text) IS 'which of some groups a client may join';

-- exchange_credential: what exchange() does once its options are known.
CREATE FUNCTION usher.exchange_credential(
	kind text, credential text, ttl interval, groups text[], max_uses integer)
RETURNS usher.issued_session
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_exchange_credential';
COMMENT ON FUNCTION usher.exchange_credential(text, text, interval, text[], integer) IS 'internal: a session key for a credential';

-- exchange(kind, credential, options jsonb) returns one row      API: listener
--   options  NULL, or an object with ttl (seconds, 120 if absent), groups (an
--            array of names) and max_uses, as in issue_session; token counts
--            for nothing here
-- A session key for a credential of any kind but a session key.  It is good no
-- longer than that, and dies with it.  Reasons beside those of authenticate:
-- bad_options, session_not_exchangeable, no_credentials.
CREATE FUNCTION usher.exchange(
	kind text, credential text, options jsonb DEFAULT NULL,
	OUT session_key text, OUT valid boolean, OUT reason text,
	OUT user_id text, OUT username text, OUT expires_in_ms bigint)
RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	issued usher.issued_session;
	names text[];
BEGIN
	valid := false;
	reason := 'bad_options';
	options := coalesce(options, '{}');
	-- the credential, which the listener has read
	IF jsonb_typeof(options) = 'object' THEN
		options := options - 'token';
	END IF;
	IF jsonb_typeof(options) <> 'object' OR EXISTS (
		SELECT FROM jsonb_each(options) AS o
		WHERE CASE o.key
			WHEN 'ttl' THEN jsonb_typeof(o.value) <> 'number'
			WHEN 'groups' THEN jsonb_typeof(o.value) <> 'array'
			WHEN 'max_uses' THEN jsonb_typeof(o.value) <> 'number'
			ELSE true END)
	THEN
		RETURN;
	END IF;
	IF options ? 'groups' THEN
		IF EXISTS (SELECT FROM jsonb_array_elements(options -> 'groups') AS g
				   WHERE jsonb_typeof(g) <> 'string') THEN
			RETURN;
		END IF;
		names := ARRAY(SELECT jsonb_array_elements_text(options -> 'groups'));
	END IF;
	BEGIN
		issued := usher.exchange_credential(
			kind, credential,
			make_interval(secs => coalesce((options ->> 'ttl')::double precision, 120)),
			names, (options ->> 'max_uses')::integer);
	EXCEPTION
		WHEN invalid_parameter_value OR invalid_text_representation
			OR numeric_value_out_of_range OR datetime_field_overflow
			OR interval_field_overflow THEN
			RETURN;
	END;
	session_key := issued.session_key;
	valid := issued.valid;
	reason := issued.reason;
	user_id := issued.user_id;
	username := issued.username;
	expires_in_ms := ceil(extract(epoch FROM issued.expires_at - clock_timestamp()) * 1000);
END
$$;
COMMENT ON FUNCTION usher.exchange(text, text, jsonb) IS 'a session key for a credential of any kind';

-- receive(user_id text, group text, payload text) returns one row
--                                                                API: listener
-- receive_json(user_id text, group text, payload jsonb) returns one row
--                                                                API: listener
-- receive_binary(user_id text, group text, payload bytea) returns one row
--                                                                API: listener
--   user_id  NULL: not identified, allowed to send only where anyone is
-- A client's message: through the send policy and on_message, then broadcast.
-- A message that on_message swallowed is accepted.  Reasons: invalid_group,
-- unknown_group, not_allowed, policy_error, too_large, invalid_json,
-- unsupported_type (a binary frame for a text or jsonb function, or the other
-- way round).
CREATE FUNCTION usher.receive(
	user_id text, "group" text, payload text,
	OUT accepted boolean, OUT reason text)
RETURNS record
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_receive';
COMMENT ON FUNCTION usher.receive(text, text, text) IS 'take a client''s text message';
CREATE FUNCTION usher.receive_json(
	user_id text, "group" text, payload jsonb,
	OUT accepted boolean, OUT reason text)
RETURNS record
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_receive_json';
COMMENT ON FUNCTION usher.receive_json(text, text, jsonb) IS 'take a client''s JSON message';
CREATE FUNCTION usher.receive_binary(
	user_id text, "group" text, payload bytea,
	OUT accepted boolean, OUT reason text)
RETURNS record
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_receive_binary';
COMMENT ON FUNCTION usher.receive_binary(text, text, bytea) IS 'take a client''s binary message';

GRANT EXECUTE ON FUNCTION
	usher.set_category(text, text, text, text, boolean, boolean, boolean, interval, integer),
	usher.drop_category(text),
	usher.can_join(text, text),
	usher.can_send(text, text),
	usher.explain(text, text),
	usher.broadcast(text, jsonb),
	usher.broadcast(text[], jsonb),
	usher.broadcast_text(text, text),
	usher.broadcast_text(text[], text),
	usher.broadcast_binary(text, bytea),
	usher.broadcast_binary(text[], bytea),
	usher.history(text, bigint, integer),
	usher.purge_messages(integer),
	usher.kick(text, text),
	usher.recheck(text),
	usher.recheck_user(text),
	usher.watch_table(regclass, text, text, text),
	usher.unwatch_table(regclass),
	usher.on_membership_change()
	TO usher_app;

GRANT EXECUTE ON FUNCTION
	usher.listener_start(),
	usher.canary(text),
	usher.fetch(text),
	usher.stream(text, bigint, integer),
	usher.purge_messages(integer),
	usher.admit(text, text, text),
	usher.recheck_admission(text, text, text, text),
	usher.identify(text, text),
	usher.admit_groups(text, text, text, text),
	usher.exchange(text, text, jsonb),
	usher.receive(text, text, text),
	usher.receive_json(text, text, jsonb),
	usher.receive_binary(text, text, bytea)
	TO usher_listener;

-- ==== end of groups ====

-- ==== who is connected ====

-- What listeners report.  Unlogged: after a crash nobody is connected, and
-- whoever comes back is reported anew.
CREATE UNLOGGED TABLE usher.live_listener (
	listener text PRIMARY KEY,
	host text,
	pid integer,
	version text,
	listen text,
	connections bigint NOT NULL,
	started_at timestamptz NOT NULL,
	seen_at timestamptz NOT NULL,
	lease_until timestamptz NOT NULL
);
CREATE UNLOGGED TABLE usher.live_connection (
	listener text,
	number bigint,
	user_id text,
	username text,
	kind text NOT NULL,
	credential_id text,
	address inet,
	protocol text NOT NULL,
	connected_at timestamptz NOT NULL,
	groups text[] NOT NULL,
	PRIMARY KEY (listener, number)
);
CREATE INDEX live_connection_user_id ON usher.live_connection (user_id)
	WHERE user_id IS NOT NULL;
CREATE UNLOGGED TABLE usher.live_presence (
	"group" text,
	user_id text,
	listener text,
	username text,
	since timestamptz NOT NULL,
	PRIMARY KEY ("group", user_id, listener)
);
CREATE INDEX live_presence_listener ON usher.live_presence (listener);
COMMENT ON TABLE usher.live_listener IS 'listeners, as they last reported';
COMMENT ON TABLE usher.live_connection IS 'connections, as their listeners reported them';
COMMENT ON TABLE usher.live_presence IS 'users in groups that keep presence, by listener';

-- listener                                                       API: public
-- The listeners that have been heard of within their lease.
CREATE VIEW usher.listener AS
	SELECT listener, host, pid, version, listen, connections, started_at, seen_at
	FROM usher.live_listener
	WHERE lease_until > pg_catalog.clock_timestamp();
COMMENT ON VIEW usher.listener IS 'listeners that live';

-- connection                                                     API: public
--   connection     its name in usher.v1's welcome
--   user_id        NULL: anonymous
--   kind           of its credential
--   protocol       raw, or usher.v1
--   groups         in which it is
-- Who is connected, up to a report_interval ago.  SELECT usher.kick(user_id, g)
-- FROM usher.connection, unnest(groups) AS g WHERE ... puts them out.
CREATE VIEW usher.connection AS
	SELECT c.listener || '.' || c.number AS connection, c.listener,
		c.user_id, c.username, c.kind, c.credential_id, c.address, c.protocol,
		c.connected_at, c.groups
	FROM usher.live_connection AS c JOIN usher.listener AS l USING (listener);
COMMENT ON VIEW usher.connection IS 'connections of the listeners that live';

-- presence(group text) returns rows                              API: public
-- Who is in a group whose category keeps presence, over all listeners; since
-- when, of the first of his connections there.
CREATE FUNCTION usher.presence("group" text)
RETURNS TABLE (user_id text, username text, since timestamptz)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p.user_id, min(p.username), min(p.since)
	FROM usher.live_presence AS p JOIN usher.listener AS l USING (listener)
	WHERE p."group" = $1
	GROUP BY p.user_id
	ORDER BY 2, 1
$$;
COMMENT ON FUNCTION usher.presence(text) IS 'who is in a group';

-- presence_of(group text) returns text                           API: listener
-- The same as a JSON array of objects with user and username.
CREATE FUNCTION usher.presence_of("group" text) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object(
		'user', p.user_id, 'username', p.username)), '[]')::text
	FROM usher.presence($1) AS p
$$;
COMMENT ON FUNCTION usher.presence_of(text) IS 'who is in a group, as JSON';

-- announce_presence: sends the notice.
CREATE FUNCTION usher.announce_presence(joined boolean, "group" text, who text)
RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_announce_presence';
COMMENT ON FUNCTION usher.announce_presence(boolean, text, text) IS 'internal: tell listeners that somebody came or left';

-- take_presence: removes what rows say of these listeners (of all groups, or
-- of those in visits), and tells of everybody who is in no other's.
CREATE FUNCTION usher.take_presence(gone text[], visits jsonb DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	visitor record;
BEGIN
	FOR visitor IN
		WITH departed AS (
			DELETE FROM usher.live_presence AS p
			WHERE p.listener = ANY (gone)
			AND (visits IS NULL OR (p."group", p.user_id) IN (
				SELECT v ->> 'g', v ->> 'u' FROM jsonb_array_elements(visits) AS v))
			RETURNING p."group", p.user_id, p.username)
		SELECT DISTINCT ON (d."group", d.user_id) d.*
		FROM departed AS d
		WHERE NOT EXISTS (
			SELECT FROM usher.live_presence AS q
			WHERE q."group" = d."group" AND q.user_id = d.user_id
			AND q.listener <> ALL (gone))
	LOOP
		PERFORM usher.announce_presence(
			false, visitor."group",
			jsonb_build_object('user', visitor.user_id,
							   'username', visitor.username)::text);
	END LOOP;
END
$$;
COMMENT ON FUNCTION usher.take_presence(text[], jsonb) IS 'internal: removes presence of listeners';

-- forget_listeners: removes all that is known of them.
CREATE FUNCTION usher.forget_listeners(gone text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM usher.take_presence(gone);
	DELETE FROM usher.live_connection WHERE listener = ANY (gone);
	DELETE FROM usher.live_listener WHERE listener = ANY (gone);
END
$$;
COMMENT ON FUNCTION usher.forget_listeners(text[]) IS 'internal: removes listeners';

-- lock_presence: reports, and whatever else changes presence, come one after
-- the other.  The key: "ushr" and 1.
CREATE FUNCTION usher.lock_presence() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT pg_advisory_xact_lock(1970498674, 1)
$$;
COMMENT ON FUNCTION usher.lock_presence() IS 'internal: serializes changes of presence';

-- forget_dead_listeners: those whose lease has ended.
CREATE FUNCTION usher.forget_dead_listeners() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dead text[];
BEGIN
	PERFORM usher.lock_presence();
	dead := ARRAY(SELECT listener FROM usher.live_listener
				  WHERE lease_until <= clock_timestamp());
	IF cardinality(dead) > 0 THEN
		PERFORM usher.forget_listeners(dead);
	END IF;
END
$$;
COMMENT ON FUNCTION usher.forget_dead_listeners() IS 'internal: removes listeners whose lease has ended';

-- report_arrivals: who is in a group here and was not before.
CREATE FUNCTION usher.report_arrivals(me text, visits jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	visitor record;
BEGIN
	FOR visitor IN
		WITH arrived AS (
			INSERT INTO usher.live_presence AS p
				("group", user_id, listener, username, since)
			SELECT DISTINCT ON (v ->> 'g', v ->> 'u')
				v ->> 'g', v ->> 'u', me, v ->> 'n', clock_timestamp()
			FROM jsonb_array_elements(visits) AS v
			ON CONFLICT DO NOTHING
			RETURNING p."group", p.user_id, p.username)
		SELECT a.* FROM arrived AS a
		WHERE NOT EXISTS (
			SELECT FROM usher.live_presence AS q
			WHERE q."group" = a."group" AND q.user_id = a.user_id)
	LOOP
		PERFORM usher.announce_presence(
			true, visitor."group",
			jsonb_build_object('user', visitor.user_id,
							   'username', visitor.username)::text);
	END LOOP;
END
$$;
COMMENT ON FUNCTION usher.report_arrivals(text, jsonb) IS 'internal: keeps and tells who came';

-- report_opened: keeps connections; returns those that were not known.
CREATE FUNCTION usher.report_opened(me text, opened jsonb) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fresh bigint[];
BEGIN
	fresh := ARRAY(
		SELECT (o ->> 'c')::bigint FROM jsonb_array_elements(opened) AS o
		WHERE NOT EXISTS (
			SELECT FROM usher.live_connection AS k
			WHERE k.listener = me AND k.number = (o ->> 'c')::bigint));
	INSERT INTO usher.live_connection AS k
	SELECT DISTINCT ON (o.c) me, o.c, o.u, o.n, o.k, o.i, o.a, o.p,
		to_timestamp(o.s / 1000.0), o.g
	FROM jsonb_to_recordset(opened) AS o
		(c bigint, u text, n text, k text, i text, a inet, p text, s bigint, g text[])
	ON CONFLICT (listener, number) DO UPDATE SET
		user_id = EXCLUDED.user_id, username = EXCLUDED.username,
		kind = EXCLUDED.kind, credential_id = EXCLUDED.credential_id,
		groups = EXCLUDED.groups;
	RETURN fresh;
END
$$;
COMMENT ON FUNCTION usher.report_opened(text, jsonb) IS 'internal: keeps connections that were opened';

-- report(report jsonb) returns one row                           API: listener
--   listener    the name the process gave itself; host, pid, version, listen
--               and connections are for people
--   began       the listener is new here; what it had is forgotten
--   ended       it ends: all of it is forgotten
--   lease_ms    when nothing is heard for that long, it is taken for dead
--   opened      connections: c number, u user, n username, k kind, i credential
--               id, a address, p protocol, s since (Unix ms), g groups; of a
--               number that is known the row is replaced
--   closed      numbers of connections that ended
--   arrived, departed  users (u, n) and the group (g) that keeps presence
--   max_per_user  most connections of a user over all listeners; 0: no limit
--   known       false: nothing was done, the listener must begin
--   excess      numbers of connections, with commas between, that are opened
--               by this report and too many of their user
CREATE FUNCTION usher.report(
	report jsonb, OUT known boolean, OUT excess text)
RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	me text := report ->> 'listener';
	max_per_user bigint := coalesce((report ->> 'max_per_user')::bigint, 0);
	fresh bigint[];
BEGIN
	PERFORM usher.forget_dead_listeners();
	known := true;
	IF (report ->> 'ended')::boolean THEN
		PERFORM usher.forget_listeners(ARRAY[me]);
		RETURN;
	END IF;
	IF (report ->> 'began')::boolean THEN
		DELETE FROM usher.live_connection WHERE listener = me;
		PERFORM usher.take_presence(ARRAY[me], (
			SELECT coalesce(jsonb_agg(jsonb_build_object('g', p."group", 'u', p.user_id)), '[]')
			FROM usher.live_presence AS p
			WHERE p.listener = me AND (p."group", p.user_id) NOT IN (
				SELECT v ->> 'g', v ->> 'u'
				FROM jsonb_array_elements(coalesce(report -> 'arrived', '[]')) AS v)));
	ELSIF NOT EXISTS (SELECT FROM usher.live_listener WHERE listener = me) THEN
		known := false;
		RETURN;
	END IF;
	INSERT INTO usher.live_listener AS l
	VALUES (me, report ->> 'host', (report ->> 'pid')::integer,
			report ->> 'version', report ->> 'listen',
			(report ->> 'connections')::bigint,
			clock_timestamp(), clock_timestamp(),
			clock_timestamp() + (report ->> 'lease_ms')::bigint * interval '1 ms')
	ON CONFLICT (listener) DO UPDATE SET
		connections = EXCLUDED.connections, seen_at = EXCLUDED.seen_at,
		lease_until = EXCLUDED.lease_until;
	DELETE FROM usher.live_connection
	WHERE listener = me AND number IN (
		SELECT n::bigint
		FROM jsonb_array_elements_text(coalesce(report -> 'closed', '[]')) AS n);
	fresh := usher.report_opened(me, coalesce(report -> 'opened', '[]'));
	PERFORM usher.take_presence(ARRAY[me], coalesce(report -> 'departed', '[]'));
	PERFORM usher.report_arrivals(me, coalesce(report -> 'arrived', '[]'));
	IF max_per_user > 0 AND cardinality(fresh) > 0 THEN
		SELECT string_agg(t.number::text, ',') INTO excess
		FROM (
			SELECT k.number,
				row_number() OVER (PARTITION BY k.user_id ORDER BY k.number DESC) AS rank,
				(SELECT count(*) FROM usher.live_connection AS other
				 WHERE other.user_id = k.user_id) AS total
			FROM usher.live_connection AS k
			WHERE k.listener = me AND k.number = ANY (fresh)
			AND k.user_id IS NOT NULL) AS t
		WHERE t.rank <= t.total - max_per_user;
	END IF;
END
$$;
COMMENT ON FUNCTION usher.report(jsonb) IS 'a listener says who is connected to it, and that it lives';

GRANT SELECT ON usher.listener, usher.connection TO usher_app;
GRANT EXECUTE ON FUNCTION usher.presence(text) TO usher_app;
GRANT EXECUTE ON FUNCTION usher.report(jsonb), usher.presence_of(text)
	TO usher_listener;

-- ==== end of who is connected ====

-- ==== options ====

-- How the site's Django is set up where that differs from the defaults, which
-- hold as long as a table has no row.  Not secret; pg_dump carries it.
CREATE TABLE usher.session_options (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	backends text[] NOT NULL CHECK (cardinality(backends) > 0
		AND array_position(backends, NULL) IS NULL),
	store_class text NOT NULL,
	accept_pre_3_1 boolean NOT NULL,
	signed_cookies boolean NOT NULL,
	cookie_age_s integer NOT NULL CHECK (cookie_age_s > 0)
);
COMMENT ON TABLE usher.session_options IS 'how Django''s sessions are set up; written by usher.set_session_options()';
SELECT pg_catalog.pg_extension_config_dump('usher.session_options', '');

CREATE TABLE usher.jwt_options (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	flavor text NOT NULL CHECK (flavor IN ('simplejwt', 'drf-jwt')),
	audience text,
	issuer text,
	leeway_s integer NOT NULL CHECK (leeway_s >= 0),
	user_id_claim text NOT NULL,
	token_type_claim text,
	token_types text[] NOT NULL CHECK (cardinality(token_types) > 0
		AND array_position(token_types, NULL) IS NULL),
	jti_claim text,
	check_revoke_token boolean NOT NULL,
	revoke_token_claim text NOT NULL,
	check_user_is_active boolean NOT NULL
);
COMMENT ON TABLE usher.jwt_options IS 'how JSON Web Tokens are set up; written by usher.set_jwt_options()';
SELECT pg_catalog.pg_extension_config_dump('usher.jwt_options', '');

CREATE TABLE usher.knox_options (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	secure_hash_algorithm text NOT NULL CHECK (secure_hash_algorithm IN
		('sha512', 'sha384', 'sha256', 'sha3_512', 'sha3_256'))
);
COMMENT ON TABLE usher.knox_options IS 'how knox is set up; written by usher.set_knox_options()';
SELECT pg_catalog.pg_extension_config_dump('usher.knox_options', '');

CREATE TRIGGER config_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.session_options
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_config_change();
CREATE TRIGGER config_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.jwt_options
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_config_change();
CREATE TRIGGER config_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.knox_options
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_config_change();

-- Who is connected was judged by what these tables said.
CREATE FUNCTION usher.on_options_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_on_options_change';
COMMENT ON FUNCTION usher.on_options_change() IS 'internal: has listeners ask again about everyone';

CREATE TRIGGER options_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.session_options
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_options_change();
CREATE TRIGGER options_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.jwt_options
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_options_change();
CREATE TRIGGER options_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.knox_options
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_options_change();

-- check_option: raises unless an option has a value, or values, that can be
-- one: each of at least one character; of a claim's name, ASCII only.
CREATE FUNCTION usher.check_option(option text, given text[], claim boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF given IS NULL OR array_position(given, NULL) IS NOT NULL THEN
		RAISE EXCEPTION '% must not be null', option
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF cardinality(given) = 0 OR '' = ANY (given) THEN
		RAISE EXCEPTION '% must not be empty', option
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF claim AND given[1] COLLATE "C" !~ '^[ -~]+$' THEN
		RAISE EXCEPTION '% must be ASCII', option
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- What is compared is UTF-8: better to fail now than at each login.
	PERFORM convert_to(g, 'UTF8') FROM unnest(given) AS g;
END
$$;
COMMENT ON FUNCTION usher.check_option(text, text[], boolean) IS 'internal: can this be the value of an option';

-- whole_seconds: an interval that is an option, as seconds.  Days count 24
-- hours and months 30 days, as interval comparison has it.
CREATE FUNCTION usher.whole_seconds(option text, given interval, minimum integer)
RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	months numeric := extract(year FROM given) * 12 + extract(month FROM given);
	seconds numeric := (months * 30 + extract(day FROM given)) * 86400
		+ extract(hour FROM given) * 3600 + extract(minute FROM given) * 60
		+ extract(second FROM given);
BEGIN
	IF given IS NULL THEN
		RAISE EXCEPTION '% must not be null', option
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	-- Of an infinite interval (PostgreSQL 17) some of the parts are null.
	IF (seconds = trunc(seconds) AND seconds BETWEEN minimum AND 2147483647)
		IS NOT TRUE THEN
		RAISE EXCEPTION '% must be a whole number of seconds between % and 2147483647', option, minimum
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('Give %s => an interval such as ''60 s''.', option);
	END IF;
	RETURN seconds;
END
$$;
COMMENT ON FUNCTION usher.whole_seconds(text, interval, integer) IS 'internal: an option of time as seconds';

-- set_session_options(backends, store_class, accept_pre_3_1, signed_cookies,
--                     cookie_age) returns void                   API: public
--   backends        AUTHENTICATION_BACKENDS; who logged in by another is
--                   refused.  The AllowAllUsers* ones do not ask is_active
--   store_class     the class name of SESSION_ENGINE's store
--   accept_pre_3_1  also rows and hashes that Django 3.1 and 3.2 still take
--                   from before: SHA-1, uncompressed
--   signed_cookies  also the cookies of the signed_cookies backend, which no
--                   logout ends
--   cookie_age      SESSION_COOKIE_AGE, for those: whole seconds, > 0
-- Replaces what was set before, all of it.  Raises 22004 (null), 22023.
CREATE FUNCTION usher.set_session_options(
	backends text[] DEFAULT '{django.contrib.auth.backends.ModelBackend}',
	store_class text DEFAULT 'SessionStore',
	accept_pre_3_1 boolean DEFAULT false,
	signed_cookies boolean DEFAULT false,
	cookie_age interval DEFAULT '1209600 s')
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM usher.check_option('backends', backends);
	PERFORM usher.check_option('store_class', ARRAY[store_class]);
	PERFORM usher.check_option('accept_pre_3_1', ARRAY[accept_pre_3_1::text]);
	PERFORM usher.check_option('signed_cookies', ARRAY[signed_cookies::text]);
	INSERT INTO usher.session_options AS o
	VALUES (true, $1, $2, $3, $4, usher.whole_seconds('cookie_age', $5, 1))
	ON CONFLICT (singleton) DO UPDATE SET
		backends = EXCLUDED.backends, store_class = EXCLUDED.store_class,
		accept_pre_3_1 = EXCLUDED.accept_pre_3_1,
		signed_cookies = EXCLUDED.signed_cookies,
		cookie_age_s = EXCLUDED.cookie_age_s;
END
$$;
COMMENT ON FUNCTION usher.set_session_options(text[], text, boolean, boolean, interval) IS 'say how Django''s sessions are set up';

-- set_jwt_options(flavor, audience, issuer, leeway, user_id_claim,
--                 token_type_claim, token_types, jti_claim,
--                 check_revoke_token, revoke_token_claim,
--                 check_user_is_active) returns void             API: public
--   flavor                simplejwt, or drf-jwt, which is also
--                         djangorestframework-jwt: the user is found by the
--                         claim username, and the claims below but audience
--                         and issuer are not looked at
--   audience, issuer      NULL: not looked at (drf-jwt: no audience allowed)
--   leeway                for exp, nbf and iat: whole seconds, >= 0
--   user_id_claim         USER_ID_CLAIM
--   token_type_claim      TOKEN_TYPE_CLAIM; NULL: not looked at
--   token_types           those of AUTH_TOKEN_CLASSES: access, sliding
--   jti_claim             JTI_CLAIM; NULL: not required
--   check_revoke_token    CHECK_REVOKE_TOKEN: REVOKE_TOKEN_CLAIM must be that
--   revoke_token_claim    of the user's password
--   check_user_is_active  CHECK_USER_IS_ACTIVE
-- Replaces what was set before, all of it.  Keys are add_jwt_key()'s.  Raises
-- 22004 (null), 22023.
CREATE FUNCTION usher.set_jwt_options(
	flavor text DEFAULT 'simplejwt',
	audience text DEFAULT NULL,
	issuer text DEFAULT NULL,
	leeway interval DEFAULT '0 s',
	user_id_claim text DEFAULT 'user_id',
	token_type_claim text DEFAULT 'token_type',
	token_types text[] DEFAULT '{access}',
	jti_claim text DEFAULT 'jti',
	check_revoke_token boolean DEFAULT false,
	revoke_token_claim text DEFAULT 'hash_password',
	check_user_is_active boolean DEFAULT true)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM usher.check_option('flavor', ARRAY[flavor]);
	IF flavor NOT IN ('simplejwt', 'drf-jwt') THEN
		RAISE EXCEPTION 'flavor "%" is not known', flavor
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Give simplejwt or drf-jwt.';
	END IF;
	IF audience IS NOT NULL THEN
		PERFORM usher.check_option('audience', ARRAY[audience]);
	END IF;
	IF issuer IS NOT NULL THEN
		PERFORM usher.check_option('issuer', ARRAY[issuer]);
	END IF;
	PERFORM usher.check_option('user_id_claim', ARRAY[user_id_claim], true);
	IF token_type_claim IS NOT NULL THEN
		PERFORM usher.check_option('token_type_claim', ARRAY[token_type_claim], true);
	END IF;
	PERFORM usher.check_option('token_types', token_types);
	IF jti_claim IS NOT NULL THEN
		PERFORM usher.check_option('jti_claim', ARRAY[jti_claim], true);
	END IF;
	PERFORM usher.check_option('check_revoke_token', ARRAY[check_revoke_token::text]);
	PERFORM usher.check_option('revoke_token_claim', ARRAY[revoke_token_claim], true);
	PERFORM usher.check_option('check_user_is_active', ARRAY[check_user_is_active::text]);
	INSERT INTO usher.jwt_options AS o
	VALUES (true, $1, $2, $3, usher.whole_seconds('leeway', $4, 0), $5, $6,
			$7, $8, $9, $10, $11)
	ON CONFLICT (singleton) DO UPDATE SET
		flavor = EXCLUDED.flavor, audience = EXCLUDED.audience,
		issuer = EXCLUDED.issuer, leeway_s = EXCLUDED.leeway_s,
		user_id_claim = EXCLUDED.user_id_claim,
		token_type_claim = EXCLUDED.token_type_claim,
		token_types = EXCLUDED.token_types, jti_claim = EXCLUDED.jti_claim,
		check_revoke_token = EXCLUDED.check_revoke_token,
		revoke_token_claim = EXCLUDED.revoke_token_claim,
		check_user_is_active = EXCLUDED.check_user_is_active;
END
$$;
COMMENT ON FUNCTION usher.set_jwt_options(text, text, text, interval, text, text, text[], text, boolean, text, boolean) IS 'say how JSON Web Tokens are set up';

-- set_knox_options(secure_hash_algorithm text) returns void      API: public
--   secure_hash_algorithm  knox's SECURE_HASH_ALGORITHM, without "hashlib.":
--                          sha512, sha384, sha256, sha3_512 or sha3_256
-- Raises 22004 (null), 22023.
CREATE FUNCTION usher.set_knox_options(secure_hash_algorithm text DEFAULT 'sha512')
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM usher.check_option('secure_hash_algorithm', ARRAY[secure_hash_algorithm]);
	IF secure_hash_algorithm NOT IN ('sha512', 'sha384', 'sha256', 'sha3_512', 'sha3_256') THEN
		RAISE EXCEPTION 'hash algorithm "%" is not known', secure_hash_algorithm
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Give sha512, sha384, sha256, sha3_512 or sha3_256.';
	END IF;
	INSERT INTO usher.knox_options AS o VALUES (true, $1)
	ON CONFLICT (singleton) DO UPDATE SET
		secure_hash_algorithm = EXCLUDED.secure_hash_algorithm;
END
$$;
COMMENT ON FUNCTION usher.set_knox_options(text) IS 'say how knox is set up';

GRANT EXECUTE ON FUNCTION
	usher.set_session_options(text[], text, boolean, boolean, interval),
	usher.set_jwt_options(text, text, text, interval, text, text, text[], text, boolean, text, boolean),
	usher.set_knox_options(text)
	TO usher_app;

-- ==== end of options ====

-- ==== secrets ====

-- The site's keys.  Never dumped, granted to nobody, and kept out of the
-- statistics.  No CHECK: the error of one would quote the row.  It belongs to
-- whoever creates the extension, a superuser, and not to usher_owner, as which
-- also triggers and policies run that the site has put on its own tables.
--   purpose    secret_key, fallback or jwt
--   name       of a JWT key, else ''
--   ordinal    of a fallback, from 1; else 0
--   algorithm  of a JWT key
--   value      NULL: a JWT key that is the SECRET_KEY
--   bytes      all that usher_owner may know of value
CREATE TABLE usher.secret (
	purpose text,
	name text,
	ordinal integer,
	algorithm text,
	value bytea,
	bytes integer GENERATED ALWAYS AS (octet_length(value)) STORED,
	created_at timestamptz,
	PRIMARY KEY (purpose, name, ordinal)
);
ALTER TABLE usher.secret ALTER COLUMN value SET STATISTICS 0;
GRANT SELECT (purpose, name, ordinal, algorithm, bytes, created_at)
	ON usher.secret TO usher_owner;
COMMENT ON TABLE usher.secret IS 'the site''s SECRET_KEY, its fallbacks and the keys of JSON Web Tokens';

CREATE TRIGGER config_change
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usher.secret
	FOR EACH STATEMENT EXECUTE FUNCTION usher.on_config_change();

-- Where the text of these functions' arguments goes.  set_secret_key() and
-- add_jwt_key() are handed the key itself:
--   - the server's log has it whenever it logs the statement (log_statement,
--     log_min_duration_statement and the like), or its parameters; also, at
--     the default settings, when PostgreSQL refuses the statement before the
--     function is called (a syntax error, no permission);
--   - pg_stat_activity shows it to superusers, members of pg_monitor and the
--     same role while it runs and until the session's next statement;
--   - pg_stat_statements shows a placeholder for a constant in a plain SELECT,
--     but all of a DO block or an EXECUTE.
-- load_*() are handed a file's name and take_*() a number, and nothing they do
-- puts the key into a statement, a parameter or a plan.  No error raised by
-- any of them contains it.
--
-- Raised by all: 22004 (null), 22023 (an empty key, a name that is none, a key
-- that does not fit its algorithm), 54000 (a key larger than 65536 bytes, more
-- than 64 fallbacks or JWT keys).
--
-- When the transaction commits, connections whose key is gone are closed:
-- listeners ask again about every Django session, and close what JWTs opened.

-- set_secret_key(secret_key text, fallbacks text[],
--                keep_previous boolean) returns void             API: public
-- set_secret_key(secret_key bytea, fallbacks bytea[],
--                keep_previous boolean) returns void             API: public
--   secret_key     SECRET_KEY; text is used as UTF-8, whatever the database's
--                  encoding, and nothing is trimmed
--   fallbacks      SECRET_KEY_FALLBACKS: keys that still verify, in order
--   keep_previous  the key until now becomes the first fallback and the
--                  fallbacks until now follow, in front of those given
-- Replaces the key and all fallbacks.  A key that is already there, as key or
-- fallback, is not kept twice.
CREATE FUNCTION usher.set_secret_key(
	secret_key text, fallbacks text[] DEFAULT '{}',
	keep_previous boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_set_secret_key';
COMMENT ON FUNCTION usher.set_secret_key(text, text[], boolean) IS 'set Django''s SECRET_KEY and its fallbacks';
CREATE FUNCTION usher.set_secret_key(
	secret_key bytea, fallbacks bytea[] DEFAULT '{}',
	keep_previous boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_set_secret_key_bytes';
COMMENT ON FUNCTION usher.set_secret_key(bytea, bytea[], boolean) IS 'set Django''s SECRET_KEY and its fallbacks, as bytes';

-- load_secret_key(filename text, fallbacks text[],
--                 keep_previous boolean) returns void            API: public
--   filename, fallbacks  files on the server, one key each; one newline at
--                        the end (\n or \r\n) is not part of it
-- As set_secret_key().  The caller needs the rights of pg_read_server_files,
-- as for COPY FROM a file (42501).  A relative name begins in the data
-- directory.
CREATE FUNCTION usher.load_secret_key(
	filename text, fallbacks text[] DEFAULT '{}',
	keep_previous boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_load_secret_key';
COMMENT ON FUNCTION usher.load_secret_key(text, text[], boolean) IS 'set Django''s SECRET_KEY from a file on the server';

-- take_secret_key(large_object oid, keep_previous boolean) returns void
--                                                                API: public
--   large_object  of the caller's; read as a file is, and then deleted
-- As set_secret_key() without fallbacks.  In psql, from a file of the client's:
--   BEGIN;
--   \lo_import secret_key.txt
--   SELECT usher.take_secret_key(:LASTOID);
--   COMMIT;
CREATE FUNCTION usher.take_secret_key(
	large_object oid, keep_previous boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_take_secret_key';
COMMENT ON FUNCTION usher.take_secret_key(oid, boolean) IS 'set Django''s SECRET_KEY from a large object, which is deleted';

-- remove_secret_key_fallbacks() returns bigint                   API: public
-- Ends a rotation; returns how many there were.
CREATE FUNCTION usher.remove_secret_key_fallbacks() RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_remove_secret_key_fallbacks';
COMMENT ON FUNCTION usher.remove_secret_key_fallbacks() IS 'forget the fallbacks of SECRET_KEY';

-- remove_secret_key() returns boolean                            API: public
-- The key and its fallbacks; returns whether there was one.
CREATE FUNCTION usher.remove_secret_key() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_remove_secret_key';
COMMENT ON FUNCTION usher.remove_secret_key() IS 'forget SECRET_KEY and its fallbacks';

-- add_jwt_key(name text, algorithm text, key text) returns void  API: public
-- add_jwt_key(name text, algorithm text, key bytea) returns void API: public
--   name       by which to replace or remove it: letters, digits, ., _ and -,
--              at most 99
--   algorithm  HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384 or
--              ES512: the only one the key is ever used with
--   key        HS*: the secret, text as UTF-8; NULL: whatever SECRET_KEY is at
--              the time, never a fallback.  RS*, ES*: the public key or a
--              certificate in PEM
-- Adds a key, or replaces the one of that name.  A token may be signed with
-- any that names its algorithm, so a new key and the old one overlap until
-- the old one is removed.
CREATE FUNCTION usher.add_jwt_key(name text, algorithm text, key text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_add_jwt_key';
COMMENT ON FUNCTION usher.add_jwt_key(text, text, text) IS 'add or replace a key for JSON Web Tokens';
CREATE FUNCTION usher.add_jwt_key(name text, algorithm text, key bytea)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_add_jwt_key_bytes';
COMMENT ON FUNCTION usher.add_jwt_key(text, text, bytea) IS 'add or replace a key for JSON Web Tokens, as bytes';

-- load_jwt_key(name text, algorithm text, filename text) returns void
--                                                                API: public
-- take_jwt_key(name text, algorithm text, large_object oid) returns void
--                                                                API: public
-- The same from a file on the server, or from a large object of the caller's,
-- as with load_secret_key() and take_secret_key().
CREATE FUNCTION usher.load_jwt_key(name text, algorithm text, filename text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_load_jwt_key';
COMMENT ON FUNCTION usher.load_jwt_key(text, text, text) IS 'add or replace a key for JSON Web Tokens from a file on the server';
CREATE FUNCTION usher.take_jwt_key(name text, algorithm text, large_object oid)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_take_jwt_key';
COMMENT ON FUNCTION usher.take_jwt_key(text, text, oid) IS 'add or replace a key for JSON Web Tokens from a large object, which is deleted';

-- remove_jwt_key(name text) returns boolean                      API: public
-- Returns whether there was one.
CREATE FUNCTION usher.remove_jwt_key(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'usher_remove_jwt_key';
COMMENT ON FUNCTION usher.remove_jwt_key(text) IS 'forget a key for JSON Web Tokens';

-- secrets() returns one row for each key                         API: public
--   name        SECRET_KEY, SECRET_KEY_FALLBACKS[0] and so on, or a JWT key's
--   purpose     secret_key, fallback or jwt
--   algorithm   of a JWT key, else NULL
--   bytes       its length; NULL: a JWT key that is the SECRET_KEY
--   created_at  when it was set
-- What there is, never a key.
CREATE FUNCTION usher.secrets()
RETURNS TABLE (name text, purpose text, algorithm text, bytes integer,
			   created_at timestamptz)
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE s.purpose WHEN 'secret_key' THEN 'SECRET_KEY'
			WHEN 'fallback' THEN format('SECRET_KEY_FALLBACKS[%s]', s.ordinal - 1)
			ELSE s.name END,
		   s.purpose, s.algorithm, s.bytes, s.created_at
	FROM usher.secret AS s
	ORDER BY s.purpose = 'jwt', s.ordinal, s.name COLLATE "C"
$$;
COMMENT ON FUNCTION usher.secrets() IS 'which keys there are';

GRANT EXECUTE ON FUNCTION
	usher.set_secret_key(text, text[], boolean),
	usher.set_secret_key(bytea, bytea[], boolean),
	usher.load_secret_key(text, text[], boolean),
	usher.take_secret_key(oid, boolean),
	usher.remove_secret_key_fallbacks(),
	usher.remove_secret_key(),
	usher.add_jwt_key(text, text, text),
	usher.add_jwt_key(text, text, bytea),
	usher.load_jwt_key(text, text, text),
	usher.take_jwt_key(text, text, oid),
	usher.remove_jwt_key(text),
	usher.secrets()
	TO usher_app;

-- ==== end of secrets ====

-- ==== who owns and who may ====

-- Everything that stands in the schema now, whichever section made it.
DO $$
DECLARE
	object record;
BEGIN
	FOR object IN
		SELECT format('%s %s', CASE prokind WHEN 'p' THEN 'PROCEDURE'
								WHEN 'a' THEN 'AGGREGATE'
								ELSE 'FUNCTION' END,
					  oid::regprocedure) AS name
		FROM pg_catalog.pg_proc
		WHERE pronamespace = 'usher'::regnamespace
		UNION ALL
		SELECT format('%s %s', CASE relkind WHEN 'r' THEN 'TABLE'
								WHEN 'v' THEN 'VIEW'
								WHEN 'S' THEN 'SEQUENCE'
								ELSE 'TYPE' END,
					  oid::regclass)
		FROM pg_catalog.pg_class
		WHERE relnamespace = 'usher'::regnamespace
		AND relkind IN ('r', 'v', 'S', 'c')
		AND relname <> 'secret' -- see there
	LOOP
		EXECUTE format('ALTER %s OWNER TO usher_owner', object.name);
	END LOOP;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA usher FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA usher FROM PUBLIC;

GRANT EXECUTE ON FUNCTION
	usher.validate_token(text),
	usher.validate_session(text),
	usher.validate_django_session(text),
	usher.validate_jwt(text),
	usher.validate_knox(text),
	usher.authenticate(text, text),
	usher.issue_session(text, interval, text[], integer),
	usher.issue_session_for(text, interval, text[], integer),
	usher.purge(),
	usher.revoke_token(text),
	usher.revoke_session(text),
	usher.revoke_django_session(text),
	usher.revoke_knox(text),
	usher.revoke_user(text),
	usher.attach_django(text, text, text, text, text, text, text, text),
	usher.detach_django(),
	-- what these two call, and the triggers they create
	usher.find_table(text),
	usher.attach_tables(usher.site, text, text, text, text),
	usher.remember_django(usher.site),
	usher.forget_django(),
	usher.check_table(text, text, regclass),
	usher.column_type(text, regclass, text),
	usher.check_column(text, regclass, text, regtype[]),
	usher.key_type(regtype),
	usher.check_user_column(text, regclass, regclass, text, text),
	usher.lend_table(regclass, text[], boolean),
	usher.install_trigger(regclass, text, text, text),
	usher.release_table(text),
	usher.on_token_change(),
	usher.on_session_change(),
	usher.on_knox_change(),
	usher.on_blacklist_change(),
	usher.on_drf_blacklist_change(),
	usher.on_credential_truncate(),
	usher.on_user_change(),
	usher.on_user_truncate()
	TO usher_app;

GRANT EXECUTE ON FUNCTION usher.authenticate(text, text) TO usher_listener;
