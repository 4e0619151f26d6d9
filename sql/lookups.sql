-- How rows are found makes no difference: by an index alone where a table is
-- as Django makes it, by SQL where it is not, and what a session has found
-- out about a table is forgotten when the table changes.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
CREATE SCHEMA site AUTHORIZATION regress_site;
SET ROLE regress_site;
SET search_path = site;
CREATE TABLE auth_user (
	id serial PRIMARY KEY,
	password varchar(128) NOT NULL,
	username varchar(150) NOT NULL UNIQUE,
	is_active boolean NOT NULL);
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY,
	user_id integer NOT NULL UNIQUE REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user VALUES (1, 'pw', 'alice', true), (2, 'pw', 'bob', true), (-7, 'pw', 'zoë', true);
INSERT INTO authtoken_token VALUES ('a1', 1), ('b2', 2), ('z7', -7);
SELECT usher.attach_django();
CREATE TABLE keys AS
	SELECT t.key AS token, s.session_key FROM authtoken_token t, usher.issue_session(t.key) s;
-- What each token and each session key of the site answers.
CREATE VIEW answers AS
	SELECT 'token' AS kind, token AS name, v.valid, v.reason, v.user_id, v.username
	FROM keys, usher.validate_token(token) v
	UNION ALL
	SELECT 'session', token, v.valid, v.reason, v.user_id, v.username
	FROM keys, usher.validate_session(session_key) v;
SELECT * FROM answers ORDER BY 1, 2;

-- ==== every other way to store the same gives the same ====

CREATE TABLE expected AS SELECT * FROM answers;
CREATE VIEW differences AS
	(TABLE answers EXCEPT TABLE expected) UNION ALL (TABLE expected EXCEPT TABLE answers);
-- No index.
ALTER TABLE authtoken_token DROP CONSTRAINT authtoken_token_pkey;
TABLE differences;
-- An index that is not unique, one of an expression, one that is partial.
CREATE INDEX ON authtoken_token (key);
CREATE UNIQUE INDEX ON authtoken_token (lower(key));
CREATE UNIQUE INDEX partial ON authtoken_token (key) WHERE key < 'b';
TABLE differences;
-- Only deferrable: two rows may have one key for a while.
ALTER TABLE authtoken_token ADD UNIQUE (key) DEFERRABLE;
TABLE differences;
-- A unique one, also with more columns in it.
CREATE UNIQUE INDEX covering ON authtoken_token (key) INCLUDE (user_id);
TABLE differences;
-- A user table whose rows are found by a scan.
ALTER TABLE authtoken_token DROP CONSTRAINT authtoken_token_user_id_fkey;
ALTER TABLE auth_user DROP CONSTRAINT auth_user_pkey;
TABLE differences;
ALTER TABLE auth_user ADD PRIMARY KEY (id);
TABLE differences;
-- Tables rewritten, reindexed, in another place in the row.
VACUUM FULL auth_user;
REINDEX TABLE authtoken_token;
ALTER TABLE auth_user ADD COLUMN email varchar(254) NOT NULL DEFAULT 'somebody@example.com';
ALTER TABLE auth_user DROP COLUMN email;
TABLE differences;
-- Of a user who has several tokens each is good.
ALTER TABLE authtoken_token DROP CONSTRAINT authtoken_token_user_id_key;
CREATE INDEX ON authtoken_token (user_id);
INSERT INTO authtoken_token VALUES ('a0', 1), ('a2', 1);
TABLE differences;
SELECT token, v.valid, v.reason FROM unnest(ARRAY['a0', 'a1', 'a2']) AS token,
	usher.issue_session(token) s, usher.validate_session(s.session_key) v;
DELETE FROM authtoken_token WHERE key IN ('a0', 'a2');
TABLE differences;

BEGIN;
ALTER TABLE authtoken_token ADD UNIQUE (user_id) DEFERRABLE INITIALLY DEFERRED;
INSERT INTO authtoken_token VALUES ('a0', 1), ('a2', 1);
SELECT token, v.valid, v.reason FROM unnest(ARRAY['a0', 'a1', 'a2']) AS token,
	usher.issue_session(token) s, usher.validate_session(s.session_key) v;
ROLLBACK;

-- ==== what changes is seen at once ====

-- A row of this very transaction, and not after it is rolled back.
BEGIN;
INSERT INTO auth_user VALUES (8, 'pw', 'eve', true);
INSERT INTO authtoken_token VALUES ('e8', 8);
SELECT valid, username FROM usher.validate_token('e8');
UPDATE auth_user SET username = 'eva' WHERE id = 8;
SELECT valid, username FROM usher.validate_token('e8');
SAVEPOINT here;
UPDATE auth_user SET is_active = false WHERE id = 8;
SELECT valid, reason FROM usher.validate_token('e8');
ROLLBACK TO here;
SELECT valid, reason FROM usher.validate_token('e8');
ROLLBACK;
SELECT valid, reason FROM usher.validate_token('e8');

-- A definition of this transaction, and not after it is rolled back.
BEGIN;
ALTER TABLE authtoken_token RENAME TO elsewhere;
CREATE TABLE authtoken_token (LIKE elsewhere INCLUDING ALL);
GRANT SELECT ON authtoken_token TO usher_owner;
INSERT INTO authtoken_token VALUES ('n1', 1);
SELECT valid, reason FROM usher.validate_token('a1');
SELECT valid, username FROM usher.validate_token('n1');
ROLLBACK;
SELECT valid, reason FROM usher.validate_token('n1');
SELECT valid, username FROM usher.validate_token('a1');

-- ==== with usher_owner's rights, and no others ====

REVOKE SELECT (username) ON auth_user FROM usher_owner;
SELECT valid FROM usher.validate_token('a1');
GRANT SELECT (username) ON auth_user TO usher_owner;
SELECT valid FROM usher.validate_token('a1');
REVOKE SELECT (key) ON authtoken_token FROM usher_owner;
SELECT valid FROM usher.validate_token('a1');
GRANT SELECT (key) ON authtoken_token TO usher_owner;
SELECT valid FROM usher.validate_token('a1');
REVOKE USAGE ON SCHEMA site FROM usher_owner;
SELECT valid FROM usher.validate_token('a1');
GRANT USAGE ON SCHEMA site TO usher_owner;
SELECT valid FROM usher.validate_token('a1');
-- Rights that come by membership go with it.
RESET ROLE;
CREATE ROLE regress_reader;
GRANT SELECT ON auth_user TO regress_reader;
GRANT regress_reader TO usher_owner;
REVOKE SELECT (username) ON auth_user FROM usher_owner;
SET ROLE regress_site;
SELECT valid FROM usher.validate_token('a1');
RESET ROLE;
REVOKE regress_reader FROM usher_owner;
SET ROLE regress_site;
SELECT valid FROM usher.validate_token('a1');
GRANT SELECT (username) ON auth_user TO usher_owner;
-- The caller is still himself after all these errors.
SELECT current_user, current_setting('search_path');
TABLE differences;

-- A row that a policy hides from usher_owner is not there.
CREATE POLICY not_alice ON auth_user USING (username <> 'alice');
ALTER TABLE auth_user ENABLE ROW LEVEL SECURITY;
SELECT kind, name, valid, reason FROM answers WHERE name IN ('a1', 'b2') ORDER BY 1, 2;
ALTER TABLE auth_user DISABLE ROW LEVEL SECURITY;
TABLE differences;

-- ==== only an index that compares as SQL does ====

ALTER TABLE authtoken_token DROP CONSTRAINT authtoken_token_key_key;
DROP INDEX covering;
CREATE UNIQUE INDEX other_collation ON authtoken_token (key COLLATE "POSIX");
SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') AS icu \gset
\if :icu
DROP INDEX other_collation;
CREATE COLLATION whatever_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE UNIQUE INDEX other_collation ON authtoken_token (key COLLATE whatever_case);
\endif
TABLE differences;
INSERT INTO authtoken_token VALUES ('Y1', 2);
SELECT valid, username FROM usher.validate_token('Y1');
SELECT valid, reason FROM usher.validate_token('y1');
DELETE FROM authtoken_token WHERE key = 'Y1';
DROP INDEX other_collation;
CREATE UNIQUE INDEX by_pattern ON authtoken_token (key varchar_pattern_ops);
TABLE differences;
DROP INDEX by_pattern;
CREATE INDEX by_hash ON authtoken_token USING hash (key);
TABLE differences;

-- ==== tables that are more than one ====

CREATE UNIQUE INDEX ON authtoken_token (key);
-- Rows of a child are rows of the table, as in Django's own SELECT.
CREATE TABLE child () INHERITS (authtoken_token);
GRANT SELECT ON child TO usher_owner;
INSERT INTO child VALUES ('c1', 1);
SELECT valid, username FROM usher.validate_token('c1');
DROP TABLE child;
SELECT valid, reason FROM usher.validate_token('c1');
TABLE differences;
RESET ROLE;
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP ROLE regress_reader;
DROP ROLE regress_site;
