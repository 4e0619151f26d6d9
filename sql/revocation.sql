-- What happens to Django's rows is announced with the commit, by whatever
-- means it happens; and nothing that is rolled back is.
--
-- This session listens as a listener does.  psql prints notifications where
-- query results go, so sed can replace what differs from run to run: message
-- ids and process numbers.  They are sorted, for the order of rows in a
-- statement is nobody's promise.
\set SHOW_CONTEXT never
\set sed '| sed -nE ''s/^Asynchronous notification .* payload "(r|k|p) [0-9a-f]+ (.*)" received.*/  -> \\1 \\2/p'' | sort'
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
	last_login timestamptz,
	is_active boolean NOT NULL);
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY,
	created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL REFERENCES auth_user ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user SELECT i, 'pw', 'user' || i, NULL, true FROM generate_series(1, 9) AS i;
INSERT INTO authtoken_token SELECT 'key' || i, now(), i FROM generate_series(1, 9) AS i;
SELECT usher.attach_django();
-- A clerk of the site's with nothing but ordinary rights on its tables.
GRANT USAGE ON SCHEMA site TO regress_clerk;
GRANT SELECT, UPDATE, DELETE, TRUNCATE ON auth_user, authtoken_token TO regress_clerk;
RESET ROLE;
CREATE FUNCTION id_of(token text) RETURNS text LANGUAGE sql
AS $$ SELECT encode(sha256(sha256('salt') || 'token:' || token::bytea), 'hex') $$;
SELECT 'key' || i AS key, id_of('key' || i) FROM generate_series(1, 6) AS i;
LISTEN regress_usher;
SET ROLE regress_clerk;

-- ==== a token is deleted ====
\o :sed
DELETE FROM authtoken_token WHERE key = 'key1';
\o
-- ... but not when that is rolled back, wholly or in part
\o :sed
BEGIN; DELETE FROM authtoken_token WHERE key = 'key2'; ROLLBACK;
BEGIN; SAVEPOINT s; DELETE FROM authtoken_token WHERE key = 'key2'; ROLLBACK TO s; COMMIT;
\o
-- ... nor when nothing was there
\o :sed
DELETE FROM authtoken_token WHERE key = 'no such key';
\o

-- ==== a token is changed: another key, another owner, another date ====
\o :sed
UPDATE authtoken_token SET key = 'key2 again' WHERE key = 'key2';
\o
\o :sed
UPDATE authtoken_token SET user_id = 1 WHERE key = 'key3';
\o
\o :sed
UPDATE authtoken_token SET created = '2001-01-01', key = key, user_id = user_id;
\o

-- ==== a user logs in, as Django's save() does it: nothing ====
\o :sed
UPDATE auth_user SET last_login = '2001-01-01', password = password, is_active = is_active, username = username || '!';
\o
-- ==== deactivated, reactivated, another password, another key, deleted ====
\o :sed
UPDATE auth_user SET is_active = false WHERE id = 4;
\o
\o :sed
UPDATE auth_user SET is_active = true WHERE id = 4;
\o
\o :sed
UPDATE auth_user SET password = 'another' WHERE id = 4;
\o
\o :sed
BEGIN; DELETE FROM authtoken_token WHERE user_id = 7; UPDATE auth_user SET id = 14 WHERE id = 7; COMMIT;
\o
\o :sed
DELETE FROM authtoken_token WHERE user_id = 5;
DELETE FROM auth_user WHERE id = 5;
\o
\o :sed
BEGIN; UPDATE auth_user SET password = 'x'; DELETE FROM authtoken_token; ROLLBACK;
\o
-- a cascade of foreign keys does as well
\o :sed
DELETE FROM auth_user WHERE id = 6;
\o

-- ==== also while replica mode turns ordinary triggers off ====
RESET ROLE;
SET session_replication_role = replica;
\o :sed
DELETE FROM site.authtoken_token WHERE key = 'key4';
\o
RESET session_replication_role;

-- ==== TRUNCATE ====
SET ROLE regress_clerk;
\o :sed
TRUNCATE authtoken_token;
\o
\o :sed
BEGIN; TRUNCATE auth_user CASCADE; ROLLBACK;
\o
\o :sed
TRUNCATE auth_user CASCADE;
\o

-- ==== session keys go with what they came from ====
RESET ROLE;
UNLISTEN *;
SET ROLE regress_site;
INSERT INTO auth_user SELECT i, 'pw', 'user' || i, NULL, true FROM generate_series(1, 9) AS i;
INSERT INTO authtoken_token SELECT 'key' || i, now(), i FROM generate_series(1, 9) AS i;
CREATE FUNCTION issue() RETURNS void LANGUAGE sql
AS $$ SELECT usher.issue_session('key1'), usher.issue_session('key1'), usher.issue_session_for('1'), usher.issue_session('key2') $$;
RESET ROLE;
CREATE FUNCTION left_over() RETURNS TABLE (user_id text, issued_by text, keys bigint) LANGUAGE sql
AS $$ SELECT user_id, issuer_kind, count(*) FROM usher.session_key GROUP BY 1, 2 ORDER BY 1, 2 $$;
SELECT issue();
SELECT * FROM left_over();
DELETE FROM authtoken_token WHERE key = 'key1';
SELECT * FROM left_over();
SELECT issue();
UPDATE auth_user SET password = 'new' WHERE id = 1;
SELECT * FROM left_over();
INSERT INTO authtoken_token VALUES ('key1', now(), 1);
SELECT issue();
BEGIN;
TRUNCATE authtoken_token;
SELECT * FROM left_over();
ROLLBACK;
BEGIN;
TRUNCATE auth_user CASCADE;
SELECT * FROM left_over();
ROLLBACK;
SELECT * FROM left_over();
LISTEN regress_usher;

-- ==== revoke_token, revoke_session, revoke_user ====
SET ROLE regress_site;
SELECT usher.revoke_token('no such key') AS none;
\o :sed
SELECT usher.revoke_token('key1') AS revoked \gset
\o
\echo :revoked
\o :sed
SELECT usher.revoke_token('key1') AS revoked \gset
\o
\echo :revoked
-- the id of a session key is its hash: one that nobody knows beforehand
SELECT session_key AS key FROM usher.issue_session('key2') \gset
\o | sed -nE 's/^Asynchronous notification .* payload "r [0-9a-f]+ c [0-9a-f]{64}" received.*/  -> r c HASH/p'
SELECT usher.revoke_session(:'key') AS revoked \gset
\o
\echo :revoked
\o :sed
SELECT usher.revoke_session(:'key') AS revoked \gset
\o
\echo :revoked
SELECT valid, reason FROM usher.validate_session(:'key');
SELECT (usher.issue_session_for('2')).valid;
\o :sed
SELECT usher.revoke_user('002') AS revoked \gset
\o
-- token 2, a key of its own and two that the token issued
\echo :revoked
-- whoever has no credentials here may still have an open connection
\o :sed
SELECT usher.revoke_user('99') AS revoked \gset
\o
\echo :revoked
\o :sed
SELECT usher.revoke_user('not a key') AS revoked \gset
\o
\echo :revoked

-- ==== other tables, or none: everybody ====
CREATE TABLE other_user (id int PRIMARY KEY);
\o :sed
SELECT usher.attach_django();
\o
\o :sed
SELECT usher.attach_django('other_user', NULL);
\o
\o :sed
SELECT usher.attach_django();
SELECT usher.detach_django();
\o
SELECT usher.attach_django();

-- ==== what goes wrong in usher does not take the site's statement along ====
RESET ROLE;
DELETE FROM usher.instance;
DELETE FROM authtoken_token WHERE key = 'key8';
UPDATE auth_user SET password = 'newer' WHERE id = 8;
TRUNCATE authtoken_token;
SELECT count(*) AS tokens FROM authtoken_token;
SELECT usher.validate_token('key9');
INSERT INTO usher.instance VALUES (true, 'regress_usher', sha256('salt'));
INSERT INTO authtoken_token VALUES ('key8', now(), 8);
SELECT valid FROM usher.validate_token('key8');
ALTER TABLE auth_user RENAME password TO secret;
UPDATE auth_user SET secret = 'newest' WHERE id = 8;
\o :sed
DELETE FROM authtoken_token;
DELETE FROM auth_user WHERE id = 8;
\o
-- ... except that a time-out still ends it
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN OLD; END $$;
CREATE TRIGGER dawdle BEFORE DELETE ON usher.session_key FOR EACH STATEMENT EXECUTE FUNCTION dawdle();
SET statement_timeout = '100ms';
DELETE FROM auth_user;
RESET statement_timeout;
SELECT count(*) > 0 AS still_there FROM auth_user;
-- The functions are no triggers for other uses.
CREATE TRIGGER wrong BEFORE INSERT ON auth_user FOR EACH ROW EXECUTE FUNCTION usher.on_user_change();
INSERT INTO auth_user VALUES (100, '', 'x', NULL, true);
\echo :LAST_ERROR_SQLSTATE

UNLISTEN *;
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site, regress_clerk;
DROP ROLE regress_site, regress_clerk;
