-- Session keys: issued against a token or for a user, expiring, restricted,
-- limited in uses, and dead with what they came from.
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
	created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user VALUES
	(1, 'pw', 'alice', true), (2, 'pw', 'bob', true), (3, 'pw', 'carol', false);
INSERT INTO authtoken_token VALUES
	('a1', now(), 1), ('a2', now(), 1), ('b1', now(), 2), ('c1', now(), 3);
SELECT usher.attach_django();

-- ==== against a token ====
SELECT session_key AS key, length(session_key), session_key ~ '^[A-Za-z0-9_-]{43}$' AS base64url,
	   valid, reason, user_id, username,
	   expires_at BETWEEN now() + '119 s' AND clock_timestamp() + '121 s' AS in_120_s
FROM usher.issue_session('a1') \gset
\echo :length :base64url :valid :user_id :username :in_120_s
SELECT valid, reason, user_id, username, kind,
	   credential_id = encode(sha256(:'key'), 'hex') AS id_is_hash,
	   issuer_id = (usher.validate_token('a1')).credential_id AS id_of_issuer,
	   expires_at > now() AS expires, groups
FROM usher.validate_session(:'key') \gx
-- Unlimited: as often as one likes, by either name.
SELECT count(*) FILTER (WHERE valid) AS valid
FROM generate_series(1, 10), usher.authenticate('session', :'key');
-- Neither is the other.
SELECT valid, reason FROM usher.validate_token(:'key');
SELECT valid, reason FROM usher.validate_session('a1');
-- A token that is not good issues nothing.
SELECT * FROM usher.issue_session('nope');
SELECT * FROM usher.issue_session('c1');
SELECT * FROM usher.issue_session(NULL);
SELECT * FROM usher.issue_session(:'key');
-- Two keys are never the same.
SELECT (usher.issue_session('a1')).session_key <> (usher.issue_session('a1')).session_key AS differ;

-- ==== for a user ====
SELECT session_key AS key2, valid, reason, user_id, username
FROM usher.issue_session_for('2', '1 hour') \gset
\echo :valid :user_id :username
SELECT valid, user_id, issuer_id, expires_at > now() + '59 min' AS expires
FROM usher.validate_session(:'key2');
SELECT id, i.valid, i.reason, i.session_key IS NULL AS nothing
FROM unnest(ARRAY['3', '4', 'x', '', ' 1', '+1', '1 ', '0x1', '99999999999999999999', NULL]) AS id,
	 usher.issue_session_for(id) AS i;

-- ==== only for some groups ====
SELECT session_key AS key FROM usher.issue_session('a1', groups => '{app_1,chat_2}') \gset
SELECT valid, groups FROM usher.validate_session(:'key');

-- ==== only a number of uses ====
SELECT session_key AS key FROM usher.issue_session('a1', max_uses => 2) \gset
SELECT valid, reason FROM usher.validate_session(:'key');
BEGIN;
SELECT valid, reason FROM usher.validate_session(:'key');
SELECT valid, reason FROM usher.validate_session(:'key');
ROLLBACK;
SELECT valid, reason FROM usher.authenticate('session', :'key');
SELECT valid, reason FROM usher.authenticate('session', :'key');
-- Issued and used within one statement.
SELECT (usher.validate_session((usher.issue_session('a1', max_uses => 1)).session_key)).valid;

-- ==== life ====
SELECT session_key AS key FROM usher.issue_session('a1', '1 microsecond', max_uses => 1) \gset
SELECT valid, reason FROM usher.validate_session(:'key');
SELECT usher.issue_session('a1', '0');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.issue_session('a1', '-1 s');
SELECT usher.issue_session('a1', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT usher.issue_session('a1', '1 day 1 microsecond');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.issue_session('a1', '178000000 years');
SELECT usher.issue_session_for('1', '1 month');
SELECT valid FROM usher.issue_session('a1', '1 day');
RESET ROLE;
SET usher.session_max_ttl = '90d';
SET ROLE regress_site;
SELECT valid, expires_at BETWEEN now() + '719 h' AND clock_timestamp() + '721 h' AS in_30_days
FROM usher.issue_session('a1', '1 month');
SET usher.session_max_ttl = '3650d';
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
\set VERBOSITY sqlstate
SET usher.session_max_ttl = 0;
\set VERBOSITY default
RESET usher.session_max_ttl;
SHOW usher.session_max_ttl;
SET ROLE regress_site;

-- ==== arguments that no credential excuses ====
SELECT usher.issue_session('a1', max_uses => 0);
\echo :LAST_ERROR_SQLSTATE
SELECT usher.issue_session('a1', groups => '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.issue_session('a1', groups => '{app_1,app 2}');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.issue_session('a1', groups => '{app_1,NULL}');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.issue_session('a1', groups => '{{app_1},{app_2}}');
SELECT usher.issue_session('a1', groups => ARRAY(SELECT 'app_' || i FROM generate_series(1, 1001) i));
\echo :LAST_ERROR_SQLSTATE

-- ==== only the hash is stored ====
SELECT session_key AS key FROM usher.issue_session('a1') \gset
RESET ROLE;
SELECT count(*) AS with_the_key FROM usher.session_key AS k
WHERE position(:'key' IN k::text) > 0;
SELECT count(*) AS with_its_hash FROM usher.session_key WHERE hash = sha256(:'key');
SET ROLE regress_site;

-- ==== dies with the user and with the token ====
SELECT session_key AS of_a1 FROM usher.issue_session('a1') \gset
SELECT session_key AS of_a2 FROM usher.issue_session('a2') \gset
SELECT session_key AS of_user FROM usher.issue_session_for('1') \gset
UPDATE auth_user SET is_active = false WHERE id = 2;
SELECT valid, reason FROM usher.validate_session(:'key2');
DELETE FROM authtoken_token WHERE key = 'a1';
SELECT (usher.validate_session(:'of_a1')).reason AS of_a1,
	   (usher.validate_session(:'of_a2')).valid AS of_a2,
	   (usher.validate_session(:'of_user')).valid AS of_user;
-- Also when the trigger is not there to say so.
ALTER TABLE authtoken_token DISABLE TRIGGER usher_revoke;
ALTER TABLE auth_user DISABLE TRIGGER usher_revoke;
DELETE FROM authtoken_token WHERE key = 'a2';
SELECT valid, reason FROM usher.validate_session(:'of_a2');
UPDATE auth_user SET is_active = false WHERE id = 1;
SELECT valid, reason FROM usher.validate_session(:'of_user');
DELETE FROM auth_user WHERE id = 1;
SELECT valid, reason FROM usher.validate_session(:'of_user');

-- ==== expired rows go ====
RESET ROLE;
DELETE FROM usher.session_key;
INSERT INTO usher.session_key (hash, user_id, created_at, expires_at)
SELECT sha256(i::text::bytea), '1', now(), now() - interval '1 hour' * i FROM generate_series(1, 10) AS i;
INSERT INTO usher.session_key (hash, user_id, created_at, expires_at)
VALUES (sha256('x'), '1', now(), now() + '1 h');
SET ROLE regress_site;
INSERT INTO auth_user VALUES (1, 'pw', 'alice', true);
SELECT valid FROM usher.issue_session_for('1');
RESET ROLE;
-- The four that expired first made room for the new one.
SELECT count(*) AS rows, count(*) FILTER (WHERE expires_at < now() - interval '6.5 hours') AS older FROM usher.session_key;
SET ROLE regress_site;
SELECT usher.purge();
SELECT usher.purge();

RESET ROLE;
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site;
DROP ROLE regress_site;
