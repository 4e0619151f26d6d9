-- Bad input gets a reason, never an error: an error would abort everything
-- that a listener has in its pipeline.
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
	user_id integer NOT NULL UNIQUE REFERENCES auth_user);
INSERT INTO auth_user VALUES (1, 'pw', 'alice', true);
INSERT INTO authtoken_token VALUES ('a1', now(), 1);
SELECT usher.attach_django();

CREATE TABLE bad (name text, value text);
INSERT INTO bad VALUES
	('empty', ''),
	('blank', ' '),
	('newline', E'a1\n'),
	('control characters', E'\x01\x02\x1b[31m'),
	('quotes', $$' OR 1=1 --$$),
	('backslash', E'\\'),
	('percent', '%s%n'),
	('wide', repeat('日', 14)),
	('41 characters', repeat('a', 41)),
	('43 characters of base64url', repeat('A', 43)),
	('43 others', repeat('=', 43)),
	('unused bits', repeat('A', 42) || 'B'),
	('8 kB', repeat('a', 8192)),
	('8 kB and one', repeat('a', 8193)),
	('10 MB', repeat('a', 10000000));
SELECT name, t.valid, t.reason, s.valid, s.reason, u.valid, u.reason
FROM bad, usher.validate_token(value) AS t, usher.validate_session(value) AS s,
	 usher.issue_session_for(value) AS u;
-- The same as kinds, and where a token or a user is to be revoked.
SELECT name, a.valid, a.reason, usher.revoke_session(value), usher.revoke_user(value),
	   usher.revoke_token(value) AS revoke_token
FROM bad, usher.authenticate(value, 'a1') AS a WHERE name <> 'newline';
SELECT valid FROM usher.validate_token('a1');
SELECT usher.revoke_token(NULL), usher.revoke_session(NULL), usher.revoke_user(NULL);

-- Text keys of users: anything is a key, up to what fits a notification.
CREATE TABLE text_user (id text PRIMARY KEY);
CREATE TABLE text_token (key text PRIMARY KEY, user_id text);
INSERT INTO text_user SELECT value FROM bad WHERE length(value) < 1000;
INSERT INTO text_user VALUES (repeat('x', 1000)), (repeat('x', 1001));
INSERT INTO text_token VALUES ('fits', repeat('x', 1000)), ('does not', repeat('x', 1001));
SELECT usher.attach_django('text_user', 'text_token');
SELECT name, s.valid, s.reason, s.user_id = value AS same FROM bad, usher.issue_session_for(value) AS s;
SELECT valid, reason, length(user_id) FROM usher.validate_token('fits');
SELECT valid, reason, length(user_id) FROM usher.validate_token('does not');
SELECT valid, reason FROM usher.issue_session_for(repeat('x', 1001));
DELETE FROM text_user;

-- 10,000 wrong tokens leave nothing behind.
SELECT count(*) FILTER (WHERE reason = 'unknown_token') AS refused
FROM generate_series(1, 10000) AS i, usher.validate_token(md5(i::text));

-- No error quotes a credential, not even one about its arguments.
SELECT usher.issue_session('secret-token', groups => '{secret group}');
SELECT usher.issue_session('secret-token', 'not an interval');

RESET ROLE;
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site;
DROP ROLE regress_site;
