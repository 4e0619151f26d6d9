-- attach_django() finds the tables of sessions, of knox and of blacklists,
-- takes from them exactly what it needs, and gives all of it back.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
CREATE SCHEMA site AUTHORIZATION regress_site;
CREATE FUNCTION found() RETURNS TABLE (what text, is text) LANGUAGE sql
AS $$
	SELECT key, value FROM usher.django AS d, jsonb_each_text(to_jsonb(d))
	WHERE value IS NOT NULL
	AND key NOT IN ('singleton', 'user_key', 'token_key', 'token_user') ORDER BY key
$$;
CREATE FUNCTION triggers() RETURNS TABLE (name text) LANGUAGE sql
AS $$
	SELECT format('%s %s%s', tgrelid::regclass, tgname,
				  CASE tgenabled WHEN 'A' THEN '' ELSE ' not always' END)
	FROM pg_trigger WHERE tgname LIKE 'usher%' ORDER BY tgrelid::regclass::text, tgname
$$;
CREATE FUNCTION granted() RETURNS TABLE (on_table regclass, what text) LANGUAGE sql
AS $$
	SELECT c.oid, string_agg(g.what, ', ' ORDER BY g.what)
	FROM pg_class AS c,
	LATERAL (SELECT a.privilege_type AS what FROM aclexplode(c.relacl) AS a
			 WHERE a.grantee = 'usher_owner'::regrole
			 UNION ALL
			 SELECT format('%s(%s)', a.privilege_type, t.attname)
			 FROM pg_attribute AS t, aclexplode(t.attacl) AS a
			 WHERE t.attrelid = c.oid AND NOT t.attisdropped
			 AND a.grantee = 'usher_owner'::regrole) AS g
	WHERE c.relnamespace <> 'usher'::regnamespace
	GROUP BY c.oid ORDER BY c.oid::regclass::text
$$;
SET ROLE regress_site;
SET search_path = site, public;
CREATE TABLE auth_user (
	id serial PRIMARY KEY,
	password varchar(128) NOT NULL,
	username varchar(150) NOT NULL UNIQUE,
	public_id uuid UNIQUE DEFAULT gen_random_uuid(),
	is_active boolean NOT NULL);
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY,
	created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL UNIQUE REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user VALUES (1, 'pw', 'alice', DEFAULT, true);

-- ==== a site with tokens only ====
SELECT usher.attach_django();
RESET ROLE;
SELECT * FROM found();
SELECT * FROM granted();
SELECT usher.revoke_django_session('x');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.revoke_knox('x');
\echo :LAST_ERROR_SQLSTATE
SELECT valid, reason, kind FROM usher.validate_django_session('0123456789abcdef0123456789abcdef');
SELECT valid, reason, kind FROM usher.validate_knox('x');
SELECT session_key IS NOT NULL AS issued FROM usher.issue_session_for('1');
SET ROLE regress_site;

-- ==== its migrations add sessions, knox and blacklists ====
CREATE TABLE django_session (
	session_key varchar(40) PRIMARY KEY,
	session_data text NOT NULL,
	expire_date timestamptz NOT NULL);
CREATE TABLE knox_authtoken (
	digest varchar(128) PRIMARY KEY,
	created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
	expiry timestamptz,
	token_key varchar(25) NOT NULL);
CREATE TABLE token_blacklist_outstandingtoken (
	id bigserial PRIMARY KEY,
	token text NOT NULL,
	created_at timestamptz,
	expires_at timestamptz NOT NULL,
	user_id integer REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
	jti varchar(255) NOT NULL UNIQUE);
SELECT usher.attach_django();
RESET ROLE;
-- One of simplejwt's two tables is none.
SELECT * FROM found();
SET ROLE regress_site;
CREATE TABLE token_blacklist_blacklistedtoken (
	id bigserial PRIMARY KEY,
	blacklisted_at timestamptz NOT NULL,
	token_id bigint NOT NULL UNIQUE REFERENCES token_blacklist_outstandingtoken DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE blacklist_blacklistedtoken (
	id bigserial PRIMARY KEY,
	token text NOT NULL,
	user_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
	expires_at timestamptz NOT NULL,
	blacklisted_at timestamptz NOT NULL);
SELECT usher.attach_django(jwt_user_column => 'id');
SELECT usher.attach_django();
RESET ROLE;
SELECT * FROM found();
SELECT * FROM granted();
SELECT * FROM triggers();
-- Nothing was taken away, so nobody had to go.
SELECT count(*) AS session_keys FROM usher.session_key;

-- ==== what was broken by hand is repaired ====
DROP TRIGGER usher_change ON django_session;
ALTER TABLE knox_authtoken DISABLE TRIGGER usher_revoke;
ALTER TABLE blacklist_blacklistedtoken ENABLE REPLICA TRIGGER usher_revoke;
REVOKE ALL ON django_session, token_blacklist_outstandingtoken FROM usher_owner;
GRANT UPDATE ON knox_authtoken TO usher_owner;
SELECT * FROM triggers() WHERE name LIKE '%not always';
SET ROLE regress_site;
SELECT usher.attach_django();
RESET ROLE;
SELECT * FROM granted();
SELECT count(*) AS triggers FROM triggers() WHERE name NOT LIKE '%not always';
SELECT count(*) AS session_keys FROM usher.session_key;

-- ==== whom simplejwt's user_id names ====
SET ROLE regress_site;
SELECT usher.attach_django(jwt_user_column => 'public_id');
RESET ROLE;
SELECT * FROM found() WHERE what LIKE 'jwt%';
SELECT what FROM granted() WHERE on_table = 'auth_user'::regclass;
-- JWTs mean others now.
SELECT count(*) AS session_keys FROM usher.session_key;
SET ROLE regress_site;
SELECT usher.attach_django(jwt_user_column => 'username');
RESET ROLE;
SELECT * FROM found() WHERE what LIKE 'jwt%';
SET ROLE regress_site;
SELECT usher.attach_django(jwt_user_column => 'nick');
\echo :LAST_ERROR_SQLSTATE

-- ==== the layout tells which knox it is ====
SELECT usher.attach_django();
ALTER TABLE knox_authtoken ALTER token_key TYPE varchar(8);
SELECT usher.attach_django();
RESET ROLE;
SELECT * FROM found() WHERE what LIKE 'knox%';
SET ROLE regress_site;
ALTER TABLE knox_authtoken ADD salt varchar(16);
ALTER TABLE knox_authtoken RENAME expiry TO expires;
SELECT usher.attach_django();
RESET ROLE;
SELECT * FROM found() WHERE what LIKE 'knox%';
SELECT what FROM granted() WHERE on_table = 'knox_authtoken'::regclass;
SET ROLE regress_site;
-- ... and upgrading it is no business of the triggers'.
ALTER TABLE knox_authtoken DROP salt;
ALTER TABLE knox_authtoken RENAME expires TO expiry;
ALTER TABLE knox_authtoken ALTER token_key TYPE varchar(25);
ALTER TABLE knox_authtoken ALTER digest TYPE varchar(256);
SELECT usher.attach_django();

-- ==== wrong tables and columns ====
CREATE VIEW session_view AS SELECT * FROM django_session;
CREATE TABLE not_a_session (session_key text PRIMARY KEY, session_data text);
CREATE TABLE date_session (session_key text PRIMARY KEY, session_data text, expire_date timestamp);
CREATE TABLE bytes_session (session_key text PRIMARY KEY, session_data bytea, expire_date timestamptz);
CREATE TABLE eternal_knox (digest text PRIMARY KEY, token_key text, user_id int);
CREATE TABLE uuid_knox (digest text PRIMARY KEY, token_key text, user_id uuid, expiry timestamptz);
SELECT usher.attach_django(session_table => 'no_session');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(knox_table => 'no_knox');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(session_table => 'No Session');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(session_table => 'session_view');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(session_table => 'not_a_session');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(session_table => 'date_session');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(session_table => 'bytes_session');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(knox_table => 'authtoken_token');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(knox_table => 'not_a_session');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(knox_table => 'eternal_knox');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(knox_table => 'uuid_knox');
\echo :LAST_ERROR_SQLSTATE
-- A table that only has the name of drf-jwt's is left alone, one that only
-- has the name of simplejwt's is not taken for it in silence.
ALTER TABLE blacklist_blacklistedtoken RENAME token TO word;
SELECT usher.attach_django();
ALTER TABLE token_blacklist_outstandingtoken RENAME jti TO token_uuid;
SELECT usher.attach_django();
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE token_blacklist_outstandingtoken RENAME token_uuid TO jti;
RESET ROLE;
SELECT * FROM found() WHERE what LIKE '%blacklist%' OR what LIKE '%outstanding%';
SELECT * FROM triggers() WHERE name LIKE '%blacklist%';
ALTER TABLE knox_authtoken OWNER TO postgres;
SET ROLE regress_site;
SELECT usher.attach_django();
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(knox_table => NULL);
RESET ROLE;
ALTER TABLE knox_authtoken OWNER TO regress_site;

-- ==== other tables: the former ones are let go, and everybody must leave ====
SELECT session_key IS NOT NULL AS issued FROM usher.issue_session_for('1');
CREATE SCHEMA "Odd Schema" AUTHORIZATION regress_site;
SET ROLE regress_site;
SELECT usher.attach_django();
CREATE TABLE "Odd Schema"."Sess'ions" (session_key text PRIMARY KEY, session_data text, expire_date timestamptz, extra int);
CREATE TABLE "Odd Schema"."Kn""ox" (digest text PRIMARY KEY, token_key varchar(25), user_id bigint, expiry timestamptz);
RESET ROLE;
SELECT count(*) AS session_keys FROM usher.session_key;
SET ROLE regress_site;
SELECT usher.attach_django(session_table => '"Odd Schema"."Sess''ions"', knox_table => '"Odd Schema"."Kn""ox"');
RESET ROLE;
SELECT count(*) AS session_keys FROM usher.session_key;
SELECT * FROM found();
SELECT * FROM triggers();
SELECT * FROM granted();
SELECT valid, reason FROM usher.validate_django_session('0123456789abcdef0123456789abcdef');
SELECT valid, reason FROM usher.validate_knox('0123456789abcdef0123456789abcdef');
SELECT usher.revoke_django_session('0123456789abcdef0123456789abcdef');
SELECT usher.revoke_knox('0123456789abcdef0123456789abcdef');
SET ROLE regress_site;
SELECT usher.attach_django(session_table => NULL, knox_table => NULL);
RESET ROLE;
SELECT * FROM triggers();
SELECT * FROM granted();
SET ROLE regress_site;
SELECT usher.attach_django();

-- ==== a superuser does not take a stranger's table for the site's ====
RESET ROLE;
CREATE ROLE regress_stranger;
CREATE SCHEMA stranger AUTHORIZATION regress_stranger;
GRANT USAGE ON SCHEMA stranger TO PUBLIC;
SET ROLE regress_stranger;
CREATE TABLE stranger.knox_authtoken (digest varchar(128) PRIMARY KEY, token_key varchar(25), user_id integer, expiry timestamptz);
RESET ROLE;
SET search_path = stranger, site, public;
SELECT usher.attach_django();
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE stranger.knox_authtoken OWNER TO CURRENT_USER;
SELECT usher.attach_django();
SELECT knox_table FROM usher.django;
ALTER TABLE stranger.knox_authtoken OWNER TO regress_site;
SET ROLE regress_site;
SELECT usher.attach_django();
RESET ROLE;
DROP SCHEMA stranger CASCADE;
DROP ROLE regress_stranger;
SET search_path = site, public;
SET ROLE regress_site;
SELECT usher.attach_django();

-- ==== a column that a trigger's condition reads can be changed in between ====
DROP VIEW session_view;
ALTER TABLE django_session ALTER session_key TYPE varchar(64);
\echo :LAST_ERROR_SQLSTATE
SELECT usher.detach_django();
ALTER TABLE django_session ALTER session_key TYPE varchar(64);
RESET ROLE;

-- ==== detached, nothing is left ====
SELECT * FROM triggers();
SELECT * FROM granted();
SELECT valid, reason FROM usher.validate_django_session('0123456789abcdef0123456789abcdef');
SELECT valid, reason FROM usher.validate_knox('x');

DROP EXTENSION usher CASCADE;
DROP FUNCTION found(), triggers(), granted();
DROP SCHEMA site, "Odd Schema" CASCADE;
DROP OWNED BY regress_site;
DROP ROLE regress_site;
