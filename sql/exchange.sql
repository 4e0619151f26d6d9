--
-- A session key for a credential of any kind, which dies with it
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE TABLE auth_user (
	id serial PRIMARY KEY, username varchar(150) NOT NULL,
	password varchar(128) NOT NULL DEFAULT '!', is_active boolean NOT NULL DEFAULT true);
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY, created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL UNIQUE REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user (username) VALUES ('ann'), ('bob');
INSERT INTO authtoken_token (key, user_id) VALUES ('a1', 1), ('b1', 2);
SELECT usher.attach_django();
RESET client_min_messages;

-- Only the listener may.
SET ROLE usher_app;
SELECT * FROM usher.exchange('token', 'a1');
SELECT * FROM usher.exchange_credential('token', 'a1', '1 s', NULL, NULL);
RESET ROLE;

SET ROLE usher_listener;
SELECT session_key AS key, valid, reason, user_id, username,
	   expires_in_ms BETWEEN 119000 AND 120000 AS in_120_s
FROM usher.exchange('token', 'a1') \gset
\echo :valid :user_id :username :in_120_s
SELECT valid, kind, user_id FROM usher.identify('session', :'key');
-- The options
SELECT o, e.valid, e.reason, e.session_key IS NOT NULL AS key, round(e.expires_in_ms / 1000.0) AS seconds
FROM unnest(ARRAY[
	'{}', '{"ttl": 10}', '{"ttl": 0.5}', '{"ttl": 86400}', '{"ttl": 86401}', '{"ttl": 0}', '{"ttl": -1}',
	'{"ttl": "10"}', '{"ttl": null}', '{"ttl": 1e300}', '{"ttl": 1e5000}', '{"groups": ["app_1"]}', '{"groups": []}', '{"groups": "app_1"}',
	'{"groups": ["a b"]}', '{"groups": [7]}', '{"groups": [null]}', '{"groups": null}', '{"max_uses": 1}',
	'{"max_uses": 0}', '{"max_uses": "1"}', '{"max_uses": 1e10}', '{"fish": 1}', '[]', '7', 'null']) AS o,
	LATERAL usher.exchange('token', 'a1', o::jsonb) AS e;
SELECT session_key AS few FROM usher.exchange('token', 'a1', '{"groups": ["app_1"], "max_uses": 1}') \gset
SELECT valid FROM usher.identify('session', :'few');
SELECT valid, reason FROM usher.identify('session', :'few');
-- Not for a session key, nor for nobody
SELECT * FROM usher.exchange('session', :'key');
SELECT * FROM usher.exchange('anonymous', NULL);
SELECT * FROM usher.exchange('token', 'nope');
SELECT * FROM usher.exchange('token', NULL);
SELECT * FROM usher.exchange('fish', 'x');
SELECT * FROM usher.exchange(NULL, NULL);
RESET ROLE;
-- It dies with the token.
DELETE FROM authtoken_token WHERE key = 'a1';
SET ROLE usher_listener;
SELECT valid, reason FROM usher.identify('session', :'key');
RESET ROLE;

SET client_min_messages = warning;
DROP TABLE authtoken_token, auth_user;
DROP EXTENSION usher;
