-- attach_django() finds Django's tables whatever the site has made of them,
-- says clearly what is missing, and can be run again.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
CREATE SCHEMA site AUTHORIZATION regress_site;
SET ROLE regress_site;
SET search_path = site;

-- ==== nothing there yet ====
SELECT valid, reason FROM usher.validate_token('a1');
SELECT usher.detach_django();
SELECT usher.attach_django();
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(NULL);
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE auth_user (
	id serial PRIMARY KEY,
	password varchar(128) NOT NULL,
	username varchar(150) NOT NULL UNIQUE,
	email varchar(254) NOT NULL,
	is_active boolean NOT NULL);
SELECT usher.attach_django();
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY,
	created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL UNIQUE REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user VALUES
	(1, 'pw', 'alice', 'alice@example.com', true),
	(2, 'pw', 'bob', 'bob@example.com', false);
INSERT INTO authtoken_token VALUES ('a1', now(), 1), ('b2', now(), 2);

-- ==== Django's defaults; twice is as good as once ====
SELECT usher.attach_django();
SELECT usher.attach_django();
SELECT valid, reason, user_id, username, kind FROM usher.validate_token('a1');
SELECT valid, reason, user_id, username, kind FROM usher.validate_token('b2');
RESET ROLE;
SELECT * FROM usher.django \gx
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
WHERE tgname LIKE 'usher%' ORDER BY 1, 2;
SELECT attrelid::regclass, attname FROM pg_attribute
WHERE attrelid IN ('auth_user'::regclass, 'authtoken_token'::regclass)
AND attnum > 0 AND has_column_privilege('usher_owner', attrelid, attnum, 'SELECT')
ORDER BY 1, 2;
-- The owner of these tables may read what pg_dump carries of usher; it backs
-- up the site.
SELECT relname, a.grantee::regrole, a.privilege_type FROM pg_class, aclexplode(relacl) AS a
WHERE relnamespace = 'usher'::regnamespace AND relkind = 'r' AND a.grantee <> relowner ORDER BY 1;
-- What was broken by hand is repaired, and session keys stay good.
SELECT session_key IS NOT NULL AS issued FROM usher.issue_session_for('1');
DROP TRIGGER usher_revoke ON authtoken_token;
ALTER TABLE auth_user DISABLE TRIGGER usher_revoke;
REVOKE ALL ON authtoken_token FROM usher_owner;
REVOKE USAGE ON SCHEMA site FROM usher_owner;
SET ROLE regress_site;
SELECT usher.attach_django();
SELECT valid FROM usher.validate_token('a1');
RESET ROLE;
SELECT count(*) AS session_keys FROM usher.session_key;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
WHERE tgname LIKE 'usher%' ORDER BY 1, 2;
SET ROLE regress_site;

-- ==== wrong tables and columns ====
CREATE VIEW user_view AS SELECT * FROM auth_user;
CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE keyless (id int);
CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE not_a_token (id int PRIMARY KEY);
CREATE TABLE number_token (key int PRIMARY KEY, user_id int);
CREATE TABLE uuid_token (key text PRIMARY KEY, user_id uuid);
SELECT usher.attach_django('user_view');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django('parted');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django('pair');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django('keyless');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django('My Users');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(username_column => 'nick');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(active_column => 'nick');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(active_column => 'email');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(password_column => 'nick');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(token_table => 'not_a_token');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(token_table => 'number_token');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django(token_table => 'uuid_token');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.attach_django('pg_catalog.pg_authid', NULL);
\echo :LAST_ERROR_SQLSTATE
-- None of these changed anything.
SELECT valid FROM usher.validate_token('a1');

-- ==== a uuid key, no is_active, odd names in another schema ====
RESET ROLE;
CREATE SCHEMA "Odd Schema" AUTHORIZATION regress_site;
SET ROLE regress_site;
CREATE TABLE "Odd Schema"."My ""Users""" (
	"Key Of" uuid PRIMARY KEY, email text);
CREATE TABLE "Odd Schema"."Tok'ens" (key varchar(40) PRIMARY KEY, user_id uuid);
INSERT INTO "Odd Schema"."My ""Users""" VALUES
	('3F0C7A1E-6A0B-4B0E-9B9C-0123456789AB', 'alice@example.com');
INSERT INTO "Odd Schema"."Tok'ens" VALUES
	('u1', '3f0c7a1e-6a0b-4b0e-9b9c-0123456789ab');
SELECT usher.attach_django('"Odd Schema"."My ""Users"""', '"Odd Schema"."Tok''ens"');
SELECT valid, user_id, username FROM usher.validate_token('u1');
SELECT valid, reason FROM usher.validate_token('a1');
SELECT valid, user_id FROM usher.issue_session_for('3F0C7A1E6A0B4B0E9B9C0123456789AB');
SELECT valid, reason FROM usher.issue_session_for('3f0c7a1e-6a0b-4b0e-9b9c-0123456789ac');
SELECT valid, reason FROM usher.issue_session_for('{3f0c7a1e-6a0b-4b0e-9b9c-0123456789ab}');
DELETE FROM "Odd Schema"."Tok'ens";
UPDATE "Odd Schema"."My ""Users""" SET "Key Of" = gen_random_uuid();
RESET ROLE;
-- The former tables were let go, and their session keys are gone; the one of
-- the user who was renumbered too.
SELECT tgrelid::regclass, tgname FROM pg_trigger
WHERE tgname LIKE 'usher%' ORDER BY 1, 2;
SELECT has_table_privilege('usher_owner', 'authtoken_token', 'DELETE') AS may_delete,
	   has_any_column_privilege('usher_owner', 'auth_user', 'SELECT') AS may_select;
SELECT count(*) AS session_keys FROM usher.session_key;
SET ROLE regress_site;

-- ==== bigint, smallint and text keys, and one of another type ====
CREATE TABLE big_user (id bigint PRIMARY KEY, username text, enabled boolean, secret text);
CREATE TABLE big_token (key text PRIMARY KEY, user_id int);
INSERT INTO big_user VALUES (7, 'seven', true), (9007199254740993, 'big', NULL);
INSERT INTO big_token VALUES ('t7', 7);
SELECT usher.attach_django('big_user', 'big_token', active_column => 'enabled',
						   password_column => 'secret');
SELECT valid, user_id, username FROM usher.validate_token('t7');
SELECT valid, user_id, reason FROM usher.issue_session_for('007');
SELECT valid, user_id, reason FROM usher.issue_session_for('9007199254740993');
SELECT valid, user_id, reason FROM usher.issue_session_for('9007199254740992');
SELECT valid, user_id, reason FROM usher.issue_session_for('9223372036854775808');

CREATE TABLE small_user (id smallint PRIMARY KEY);
INSERT INTO small_user VALUES (-5);
SELECT usher.attach_django('small_user', NULL);
SELECT valid, user_id, username, reason FROM usher.issue_session_for('-5');
SELECT valid, user_id, reason FROM usher.issue_session_for('32768');
SELECT valid, reason FROM usher.validate_token('t7');
SELECT usher.revoke_token('t7');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.revoke_user('-5');

CREATE TABLE text_user (name varchar(20) PRIMARY KEY, username text);
CREATE TABLE text_token (key text PRIMARY KEY, user_id text);
INSERT INTO text_user VALUES ('Zoë O''Hara', 'zoe'), (' ', 'blank');
INSERT INTO text_token VALUES ('z', 'Zoë O''Hara');
SELECT usher.attach_django('text_user', 'text_token');
SELECT valid, user_id, username FROM usher.validate_token('z');
SELECT valid, user_id FROM usher.issue_session_for(' ');
SELECT valid, reason FROM usher.issue_session_for('zoë o''hara');

CREATE DOMAIN small_number AS numeric(5, 2);
CREATE TABLE numeric_user (id small_number PRIMARY KEY, username text);
CREATE TABLE numeric_token (key text PRIMARY KEY, user_id numeric(5, 2));
INSERT INTO numeric_user VALUES (1.5, 'half');
INSERT INTO numeric_token VALUES ('n', 1.5);
SELECT usher.attach_django('numeric_user', 'numeric_token');
SELECT valid, user_id FROM usher.validate_token('n');
SELECT valid, user_id, reason FROM usher.issue_session_for('1.50');
SELECT valid, user_id, reason FROM usher.issue_session_for('1.5');

-- ==== tables that are remade ====
SELECT usher.attach_django();
SELECT valid FROM usher.validate_token('a1');
DROP TABLE authtoken_token;
SELECT valid FROM usher.validate_token('a1');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE authtoken_token (user_id int, created date, key varchar(40) PRIMARY KEY);
INSERT INTO authtoken_token VALUES (1, now(), 'a1');
SELECT usher.attach_django();
SELECT valid FROM usher.validate_token('a1');

-- ==== a change that is rolled back is forgotten ====
BEGIN;
SELECT usher.detach_django();
SELECT valid, reason FROM usher.validate_token('a1');
ROLLBACK;
SELECT valid, reason FROM usher.validate_token('a1');

-- ==== a role that does not own the tables ====
RESET ROLE;
CREATE ROLE regress_other;
GRANT usher_app TO regress_other;
GRANT USAGE ON SCHEMA site TO regress_other;
SET ROLE regress_other;
SELECT usher.attach_django();
\echo :LAST_ERROR_SQLSTATE
SELECT valid FROM usher.validate_token('a1');

-- ==== nothing of the caller's search_path is trusted ====
RESET ROLE;
CREATE SCHEMA evil AUTHORIZATION regress_site;
SET ROLE regress_site;
CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql
AS $$ BEGIN RAISE 'evil was called'; END $$;
CREATE FUNCTION evil.to_regclass(text) RETURNS regclass LANGUAGE plpgsql
AS $$ BEGIN RAISE 'evil was called'; END $$;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql
AS $$ BEGIN RAISE 'evil was called'; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
CREATE FUNCTION evil.veq(varchar, text) RETURNS boolean LANGUAGE plpgsql
AS $$ BEGIN RAISE 'evil was called'; END $$;
CREATE OPERATOR evil.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = evil.veq);
CREATE TABLE evil.authtoken_token (key varchar(40), user_id int);
SET search_path = evil, site, pg_catalog;
SELECT usher.attach_django(token_table => 'site.authtoken_token');
SELECT valid, user_id FROM usher.validate_token('a1');
SET search_path = site;

-- ==== detach ====
SELECT usher.detach_django();
SELECT usher.detach_django();
SELECT valid, reason FROM usher.validate_token('a1');
SELECT valid, reason FROM usher.issue_session_for('1');
RESET ROLE;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgname LIKE 'usher%';
SELECT count(*) AS grants FROM pg_class, aclexplode(relacl) AS a
WHERE relnamespace = 'usher'::regnamespace AND relkind = 'r' AND a.grantee <> relowner;
SELECT has_table_privilege('usher_owner', 'authtoken_token', 'DELETE') AS may_delete,
	   has_any_column_privilege('usher_owner', 'auth_user', 'SELECT') AS may_select;

-- ==== the extension goes and comes back, with triggers in place ====
SET ROLE regress_site;
SELECT usher.attach_django();
RESET ROLE;
DROP EXTENSION usher;
\echo :LAST_ERROR_SQLSTATE
DROP EXTENSION usher CASCADE;
DELETE FROM authtoken_token WHERE key = 'nobody';
CREATE EXTENSION usher;
SET ROLE regress_site;
SELECT valid, reason FROM usher.validate_token('a1');
SELECT usher.attach_django();
SELECT valid, reason FROM usher.validate_token('a1');
RESET ROLE;
DROP EXTENSION usher CASCADE;
-- A schema in which somebody has left something is not taken over.
CREATE FUNCTION usher.left_behind() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE EXTENSION usher;
\echo :LAST_ERROR_SQLSTATE
DROP FUNCTION usher.left_behind();

DROP SCHEMA site, "Odd Schema", evil CASCADE;
DROP OWNED BY regress_site, regress_other;
DROP ROLE regress_site, regress_other;
