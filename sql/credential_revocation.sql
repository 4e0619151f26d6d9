-- Django sessions, knox tokens and blacklisted JWTs: what revokes them, what
-- does not, and what each costs the site.  As sql/revocation.sql, which has
-- tokens and users; here the site has no table of tokens, so that knox's are
-- what issues session keys.
\set SHOW_CONTEXT never
\set sed '| sed -nE ''s/^Asynchronous notification .* payload "(r|k|p|e) [0-9a-f]+ (.*)" received.*/  -> \\1 \\2/p'' | sort'
SET client_min_messages = warning;
CREATE EXTENSION usher;
-- A known channel and salt: credential ids are the same in every run.
UPDATE usher.instance SET channel = 'regress_usher', salt = sha256('salt');
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
CREATE ROLE regress_clerk;
CREATE SCHEMA site AUTHORIZATION regress_site;
SET ROLE regress_site;
SET search_path = site;
CREATE TABLE auth_user (
	id serial PRIMARY KEY,
	password varchar(128) NOT NULL,
	username varchar(150) NOT NULL UNIQUE,
	code text,
	is_active boolean NOT NULL);
CREATE TABLE django_session (
	session_key varchar(40) PRIMARY KEY,
	session_data text NOT NULL,
	expire_date timestamptz NOT NULL);
CREATE TABLE knox_authtoken (
	digest varchar(128) PRIMARY KEY,
	created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL,
	expiry timestamptz,
	token_key varchar(25) NOT NULL);
CREATE TABLE token_blacklist_outstandingtoken (
	id bigserial PRIMARY KEY,
	token text NOT NULL,
	created_at timestamptz,
	expires_at timestamptz NOT NULL,
	user_id integer,
	jti varchar(255) NOT NULL UNIQUE);
CREATE TABLE token_blacklist_blacklistedtoken (
	id bigserial PRIMARY KEY,
	blacklisted_at timestamptz NOT NULL DEFAULT now(),
	token_id bigint NOT NULL UNIQUE);
CREATE TABLE blacklist_blacklistedtoken (
	id bigserial PRIMARY KEY,
	token text NOT NULL);
INSERT INTO auth_user SELECT i, 'pw', 'user' || i, 'code' || i, true FROM generate_series(1, 9) AS i;
-- What Django writes with SECRET_KEY = 'regress' when user 1 logs in.
\set session_data '.eJxVjDsOwyAQRO9CHSHD8jEp0_sMCNglOIlAMnYV5e6xJRdJN5r3Zt7Mh20tfuu0-BnZlQl2-e1iSE-qB8BHqPfGU6vrMkd-KPyknU8N6XU73b-DEnrZ12ST04A2SzWMKkujnTCKSBAoiJiNsoMdAWCPTsukpbVZmISKAF2U7PMFxgI3Lw:1vb66i:o_Wf0iPIHJUvmQddyLI2TNdTMSmzhueqreIp_AQKoho'
CREATE FUNCTION knox_digest(token text) RETURNS text LANGUAGE sql
AS $$ SELECT encode(sha512(token::bytea), 'hex') $$;
-- Rows that live and, with an x, rows that have expired.
CREATE PROCEDURE renew(session_data text) LANGUAGE sql
AS $$
	DELETE FROM django_session;
	DELETE FROM knox_authtoken;
	INSERT INTO django_session SELECT 'sessionkey' || i, session_data, '2100-01-01' FROM generate_series(1, 9) AS i;
	INSERT INTO django_session SELECT 'sessionkeyx' || i, session_data, '2020-01-01' FROM generate_series(1, 1000) AS i;
	INSERT INTO knox_authtoken SELECT knox_digest('knoxtoken' || i), now(), i, '2100-01-01', left('knoxtoken' || i, 15) FROM generate_series(1, 8) AS i;
	INSERT INTO knox_authtoken VALUES (knox_digest('knoxtoken9'), now(), 9, NULL, 'knoxtoken9');
	INSERT INTO knox_authtoken SELECT knox_digest('knoxtokenx' || i), now(), i, '2020-01-01', left('knoxtokenx' || i, 15) FROM generate_series(1, 9) AS i;
$$;
CALL renew(:'session_data');
SELECT usher.attach_django('auth_user', NULL);
SELECT usher.set_secret_key('regress');
SELECT usher.add_jwt_key('site', 'HS256');
GRANT USAGE ON SCHEMA site TO regress_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA site TO regress_clerk;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA site TO regress_clerk;
-- Who is who: by these ids they are revoked.
SELECT i, (usher.validate_django_session('sessionkey' || i)).credential_id AS django_session FROM generate_series(1, 5) AS i;
SELECT i, (usher.validate_knox('knoxtoken' || i)).credential_id AS knox FROM generate_series(1, 9) AS i;
SELECT (usher.validate_token('knoxtoken1')).kind AS a_token_is;
RESET ROLE;
LISTEN regress_usher;
SET ROLE regress_clerk;

-- ==== logging out deletes the session ====
\o :sed
DELETE FROM django_session WHERE session_key = 'sessionkey1';
\o
-- ... but nothing that is rolled back, nor what had expired
\o :sed
BEGIN; DELETE FROM django_session WHERE session_key = 'sessionkey2'; ROLLBACK;
DELETE FROM django_session WHERE expire_date < now();
\o
SELECT count(*) AS sessions FROM django_session;

-- ==== a session is saved: nothing ====
\o :sed
UPDATE django_session SET session_key = session_key, session_data = session_data || 'x', expire_date = expire_date + interval '1 s';
UPDATE django_session SET session_key = session_key, session_data = session_data || 'x', expire_date = expire_date - interval '1 s';
\o
-- ==== it gets another key; or less time, of which listeners are told ====
\o :sed
UPDATE django_session SET session_key = 'sessionkey2 again' WHERE session_key = 'sessionkey2';
\o
\o :sed
UPDATE django_session SET expire_date = now() + interval '120 s' WHERE session_key = 'sessionkey3';
\o
-- ... but seconds less are only two requests that save at once
\o :sed
UPDATE django_session SET expire_date = expire_date - interval '30 s' WHERE session_key = 'sessionkey3';
\o
\o :sed
UPDATE django_session SET expire_date = now() WHERE session_key = 'sessionkey3';
\o
-- ... and is over
\o :sed
UPDATE django_session SET expire_date = expire_date - interval '1 day' WHERE session_key = 'sessionkey3';
DELETE FROM django_session WHERE session_key = 'sessionkey3';
\o

-- ==== also while replica mode turns ordinary triggers off ====
RESET ROLE;
SET session_replication_role = replica;
\o :sed
DELETE FROM django_session WHERE session_key = 'sessionkey4';
UPDATE django_session SET expire_date = now() WHERE session_key = 'sessionkey5';
\o
RESET session_replication_role;
SET ROLE regress_clerk;
\o :sed
TRUNCATE django_session;
\o

-- ==== knox: logging out deletes the token ====
\o :sed
DELETE FROM knox_authtoken WHERE digest = site.knox_digest('knoxtoken1');
\o
\o :sed
BEGIN; DELETE FROM knox_authtoken WHERE digest = site.knox_digest('knoxtoken2'); ROLLBACK;
UPDATE knox_authtoken SET user_id = user_id + 100 WHERE expiry < now();
UPDATE knox_authtoken SET user_id = user_id - 100, expiry = expiry - interval '1 day' WHERE expiry < now();
DELETE FROM knox_authtoken WHERE expiry < now();
\o
SELECT count(*) AS tokens FROM knox_authtoken;
-- ==== a token is prolonged: nothing ====
\o :sed
UPDATE knox_authtoken SET digest = digest, user_id = user_id, created = now(), expiry = expiry + interval '10 hours';
UPDATE knox_authtoken SET expiry = expiry - interval '30 s';
\o
-- ==== another digest, another owner, less time ====
\o :sed
UPDATE knox_authtoken SET digest = 'x' WHERE digest = site.knox_digest('knoxtoken2');
\o
\o :sed
UPDATE knox_authtoken SET user_id = 1 WHERE digest = site.knox_digest('knoxtoken3');
\o
\o :sed
UPDATE knox_authtoken SET expiry = expiry - interval '1 hour' WHERE digest = site.knox_digest('knoxtoken4');
\o
\o :sed
UPDATE knox_authtoken SET expiry = now() - interval '1 s' WHERE digest = site.knox_digest('knoxtoken5');
\o
\o :sed
UPDATE knox_authtoken SET expiry = '2200-01-01' WHERE digest = site.knox_digest('knoxtoken9');
\o
\o :sed
UPDATE knox_authtoken SET expiry = NULL WHERE digest = site.knox_digest('knoxtoken9');
\o
RESET ROLE;
SET session_replication_role = replica;
\o :sed
DELETE FROM knox_authtoken WHERE digest = site.knox_digest('knoxtoken6');
\o
RESET session_replication_role;
SET ROLE regress_clerk;
\o :sed
TRUNCATE knox_authtoken;
\o

-- ==== simplejwt blacklists a token ====
SET ROLE regress_site;
SELECT usher.set_jwt_options(token_types => '{sliding}');
\set sliding 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoic2xpZGluZyIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0IjoxNzY3MjI1NjAwLCJqdGkiOiJqMSIsInVzZXJfaWQiOiIxIn0.7SyKqsb0QSty8mc5NXKRBwvzSxMjIOOpdoFfTdjN67o'
SELECT valid, reason, issuer_id FROM usher.validate_jwt(:'sliding');
INSERT INTO token_blacklist_outstandingtoken VALUES
	(1, '', now(), now(), 1, 'j1'), (2, '', now(), now(), 1, 'j2');
SET ROLE regress_clerk;
\o :sed
BEGIN; INSERT INTO token_blacklist_blacklistedtoken (token_id) VALUES (1); ROLLBACK;
INSERT INTO token_blacklist_blacklistedtoken (token_id) VALUES (404);
\o
\o :sed
INSERT INTO token_blacklist_blacklistedtoken (token_id) VALUES (1);
\o
\o :sed
UPDATE token_blacklist_blacklistedtoken SET blacklisted_at = now();
DELETE FROM token_blacklist_blacklistedtoken WHERE token_id = 404;
\o
SET ROLE regress_site;
SELECT valid, reason FROM usher.validate_jwt(:'sliding');
SET ROLE regress_clerk;
\o :sed
UPDATE token_blacklist_blacklistedtoken SET token_id = 2;
\o

-- ==== drf-jwt does ====
SET ROLE regress_site;
SELECT usher.set_jwt_options(flavor => 'drf-jwt');
\set plain 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6InVzZXIxIiwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IiIsInVzZXJfaWQiOjF9.777e1ovaRkskNWtNhJT-KAI5Jyrd2XkikRL25X36d4M'
\set with_jti 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6InVzZXIxIiwiZXhwIjo0MTAyNDQ0ODAwLCJqdGkiOiJkMiIsInVzZXJfaWQiOjF9.L391R6HKMKserI8TmEX5Us_T7M7ghLm58g1g6MNSBxE'
SELECT valid, reason, issuer_id FROM usher.validate_jwt(:'plain');
SELECT valid, reason, issuer_id FROM usher.validate_jwt(:'with_jti');
SET ROLE regress_clerk;
\o :sed
INSERT INTO blacklist_blacklistedtoken (token) VALUES (:'plain');
\o
\o :sed
INSERT INTO blacklist_blacklistedtoken (token) VALUES (:'with_jti');
\o
\o | sed -nE 's/^Asynchronous notification .* payload "r [0-9a-f]+ c [0-9a-f]{64}" received.*/  -> r c HASH/p'
INSERT INTO blacklist_blacklistedtoken (token) VALUES ('not even a token'), ('');
\o
SET ROLE regress_site;
SELECT valid, reason FROM usher.validate_jwt(:'plain');
SET ROLE regress_clerk;

-- ==== a user whom JWTs call otherwise ====
\o :sed
UPDATE auth_user SET username = username || '!', code = code || '!' WHERE id = 2;
\o
SET ROLE regress_site;
SELECT usher.set_jwt_options();
\o :sed
SELECT usher.attach_django('auth_user', NULL, jwt_user_column => 'code');
\o
SET ROLE regress_clerk;
\o :sed
UPDATE auth_user SET username = username || '!' WHERE id = 3;
\o
\o :sed
UPDATE auth_user SET code = code || '!' WHERE id = 3;
\o
\o :sed
UPDATE auth_user SET code = NULL, is_active = true, password = password WHERE id = 4;
\o

-- ==== revoke_django_session, revoke_knox, revoke_user ====
UNLISTEN *;
SET ROLE regress_site;
CALL renew(:'session_data');
RESET ROLE;
LISTEN regress_usher;
SET ROLE regress_site;
\o :sed
SELECT usher.revoke_django_session('sessionkey1') AS revoked \gset
\o
\echo :revoked
\o :sed
SELECT usher.revoke_django_session('sessionkey1') AS revoked \gset
\o
\echo :revoked
\o :sed
SELECT usher.revoke_django_session(NULL) AS revoked \gset
\o
\echo :revoked
SELECT (usher.issue_session('knoxtoken1')).valid FROM generate_series(1, 2);
\o :sed
SELECT usher.revoke_knox('knoxtoken1') AS revoked \gset
\o
-- the token and the two keys that it issued
\echo :revoked
\o :sed
SELECT usher.revoke_knox('knoxtoken1') AS revoked \gset
\o
\echo :revoked
\o :sed
SELECT usher.revoke_knox(NULL) AS revoked \gset
\o
\echo :revoked
\o :sed
SELECT usher.revoke_knox('knoxtokenx1') AS revoked \gset
\o
-- one that had expired
\echo :revoked
SELECT (usher.issue_session('knoxtoken2')).valid, (usher.issue_session_for('2')).valid;
\o :sed
SELECT usher.revoke_user('2') AS revoked \gset
\o
-- two tokens, of which one had expired, and two keys
\echo :revoked
SELECT count(*) AS sessions FROM django_session WHERE expire_date > now();

-- ==== session keys go with the knox token that issued them ====
SELECT (usher.issue_session('knoxtoken' || i)).valid, i FROM unnest('{3,3,4,9}'::int[]) AS i;
RESET ROLE;
CREATE FUNCTION left_over() RETURNS TABLE (user_id text, issued_by text, keys bigint) LANGUAGE sql
AS $$ SELECT user_id, issuer_kind, count(*) FROM usher.session_key GROUP BY 1, 2 ORDER BY 1, 2 $$;
UNLISTEN *;
SET ROLE regress_clerk;
DELETE FROM knox_authtoken WHERE user_id = 3;
-- One that ends sooner takes its keys along then, not before.
UPDATE knox_authtoken SET expiry = now() WHERE user_id = 9;
RESET ROLE;
SELECT * FROM left_over();
TRUNCATE knox_authtoken;
SELECT * FROM left_over();

-- ==== what goes wrong in usher does not take the site's statement along ====
SET ROLE regress_site;
CALL renew(:'session_data');
RESET ROLE;
DELETE FROM usher.instance;
DELETE FROM django_session WHERE session_key IN ('sessionkey1', 'sessionkeyx1');
UPDATE django_session SET expire_date = now() WHERE session_key = 'sessionkey2';
TRUNCATE django_session;
DELETE FROM knox_authtoken WHERE user_id = 1;
TRUNCATE knox_authtoken;
INSERT INTO blacklist_blacklistedtoken (token) VALUES ('x');
DELETE FROM token_blacklist_blacklistedtoken;
INSERT INTO token_blacklist_blacklistedtoken (token_id) VALUES (1);
SELECT count(*) AS sessions FROM django_session;
INSERT INTO usher.instance VALUES (true, 'regress_usher', sha256('salt'));
-- ... nor does what goes wrong on the site
ALTER TABLE token_blacklist_outstandingtoken RENAME jti TO token_uuid;
INSERT INTO token_blacklist_blacklistedtoken (token_id) VALUES (2);
ALTER TABLE django_session RENAME session_key TO session_id;
ALTER TABLE knox_authtoken RENAME expiry TO good_until;
SET ROLE regress_site;
INSERT INTO django_session VALUES ('sessionkey1', '', '2100-01-01');
INSERT INTO knox_authtoken VALUES ('d', now(), 1, '2100-01-01', 'd');
SET ROLE regress_clerk;
DELETE FROM django_session;
UPDATE knox_authtoken SET created = now();
DELETE FROM knox_authtoken;
RESET ROLE;
-- The functions are no triggers for other uses.
CREATE TRIGGER wrong AFTER INSERT ON auth_user FOR EACH ROW EXECUTE FUNCTION usher.on_session_change('id');
INSERT INTO auth_user VALUES (100, '', 'x', NULL, true);
\echo :LAST_ERROR_SQLSTATE
DROP TRIGGER wrong ON auth_user;
CREATE TRIGGER wrong AFTER DELETE ON auth_user FOR EACH ROW EXECUTE FUNCTION usher.on_blacklist_change('id');
DELETE FROM auth_user WHERE id = 9;
\echo :LAST_ERROR_SQLSTATE

DROP EXTENSION usher CASCADE;
DROP FUNCTION left_over();
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site, regress_clerk;
DROP ROLE regress_site, regress_clerk;
