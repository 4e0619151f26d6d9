--
-- A client that names its groups later: who it is, then what it may where
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE TABLE auth_user (
	id serial PRIMARY KEY, username varchar(150) NOT NULL,
	password varchar(128) NOT NULL DEFAULT '!', is_active boolean NOT NULL DEFAULT true);
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY, created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL UNIQUE REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user (username) VALUES ('ann'), ('bob');
INSERT INTO authtoken_token (key, user_id) VALUES (repeat('a', 40), 1);
SELECT usher.attach_django();
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO usher_app;
CREATE FUNCTION app.boom(text, text) RETURNS boolean LANGUAGE plpgsql
AS $$BEGIN RAISE EXCEPTION 'boom'; END$$;
CREATE TABLE app.kept (payload text);
GRANT INSERT ON app.kept TO usher_app;
CREATE FUNCTION app.keep_json(text, text, payload jsonb) RETURNS jsonb LANGUAGE plpgsql
AS $$BEGIN INSERT INTO kept VALUES (payload::text); RETURN NULL; END$$;
CREATE FUNCTION app.keep_text(text, text, payload text) RETURNS text LANGUAGE plpgsql
AS $$BEGIN INSERT INTO kept VALUES (payload); RETURN NULL; END$$;
CREATE FUNCTION app.keep_bytes(text, text, payload bytea) RETURNS bytea LANGUAGE plpgsql
AS $$BEGIN INSERT INTO kept VALUES (payload::text); RETURN NULL; END$$;
SELECT usher.set_category('app', join => 'authenticated', send => 'owner');
SELECT usher.set_category('open', join => 'anyone', send => 'anyone', plain => true, presence => true);
SELECT usher.set_category('seen', join => 'authenticated', presence => true);
SELECT usher.set_category('shut');
SELECT usher.set_category('boom', join => 'app.boom');
SELECT usher.set_category('json', send => 'anyone', on_message => 'app.keep_json');
SELECT usher.set_category('text', send => 'anyone', on_message => 'app.keep_text');
SELECT usher.set_category('bytes', send => 'anyone', on_message => 'app.keep_bytes');
SELECT usher.set_category('x', presence => NULL);
RESET client_min_messages;

-- Only the listener may.
SET ROLE usher_app;
SELECT * FROM usher.identify('anonymous', NULL);
SELECT * FROM usher.admit_groups('anonymous', NULL, NULL, '');
SELECT * FROM usher.receive_json(NULL, 'json_1', '1');
RESET ROLE;

-- Presence is a right like the others.
SELECT may_join, plain, presence FROM usher.admit('anonymous', NULL, 'open_1');
SELECT may_join, plain, presence FROM usher.admit('token', repeat('a', 40), 'seen_1');
SELECT may_join, plain, presence FROM usher.admit('token', repeat('a', 40), 'app_1');
SELECT may_join, plain, presence FROM usher.admit('anonymous', NULL, 'seen_1');

-- Who it is
SET ROLE usher_listener;
SELECT valid, reason, user_id, username, kind, length(credential_id) AS id, issuer_id,
	   expires_in_ms, may_join, may_send, plain, presence
FROM usher.identify('token', repeat('a', 40)) \gx
SELECT kind, valid, reason, user_id FROM usher.identify('anonymous', NULL);
SELECT kind, valid, reason, user_id FROM usher.identify('token', 'nonsense');
SELECT kind, valid, reason, user_id FROM usher.identify('token', NULL);
SELECT kind, valid, reason, user_id FROM usher.identify('fish', 'x');
SELECT kind, valid, reason, user_id FROM usher.identify(NULL, NULL);
-- A use is counted.
RESET ROLE;
SELECT session_key AS once FROM usher.issue_session(repeat('a', 40), max_uses => 1) \gset
SET ROLE usher_listener;
SELECT valid, reason, kind, expires_in_ms BETWEEN 1 AND 120000 AS ends FROM usher.identify('session', :'once');
SELECT valid, reason FROM usher.identify('session', :'once');

-- What it may where
SELECT credential_id AS ann FROM usher.identify('token', repeat('a', 40)) \gset
SELECT * FROM usher.admit_groups('token', '1', :'ann', 'app_1,app_2,open_1,seen_1,shut_1,boom_1,none_1,a b,');
SELECT * FROM usher.admit_groups('token', '1', :'ann', '');
SELECT * FROM usher.admit_groups('token', '1', :'ann', NULL);
SELECT * FROM usher.admit_groups('token', '1', :'ann', ',');
SELECT * FROM usher.admit_groups('token', '2', :'ann', 'app_1');
SELECT * FROM usher.admit_groups('anonymous', NULL, NULL, 'app_1,open_1,none_1,a b');
-- A session key that is restricted to some groups
RESET ROLE;
SELECT session_key AS some FROM usher.issue_session(repeat('a', 40), groups => ARRAY['app_2']) \gset
SET ROLE usher_listener;
SELECT credential_id AS some_id FROM usher.identify('session', :'some') \gset
SELECT valid, expires_in_ms BETWEEN 1 AND 120000 AS ends, rights, reasons
FROM usher.admit_groups('session', '1', :'some_id', 'app_1,app_2');
RESET ROLE;
DELETE FROM authtoken_token;
SET ROLE usher_listener;
SELECT * FROM usher.admit_groups('token', '1', :'ann', 'app_1');

-- What it sends
SELECT * FROM usher.receive_json('1', 'json_1', '{"b": 1, "a": [null]}');
SELECT * FROM usher.receive_json('1', 'text_1', '{"b": 1, "a": [null]}');
SELECT * FROM usher.receive_json('1', 'bytes_1', '{"b": 1}');
SELECT * FROM usher.receive_json('1', 'shut_1', '1');
SELECT * FROM usher.receive_json('1', 'open_1', '1');
SELECT * FROM usher.receive_json('1', 'open_1', NULL);
SELECT * FROM usher.receive_json('1', 'none_1', '1');
SELECT * FROM usher.receive_json('1', 'open_1', to_jsonb(repeat('x', 1048576)));
RESET ROLE;
SELECT * FROM app.kept;

SET client_min_messages = warning;
DROP TABLE authtoken_token, auth_user;
DROP EXTENSION usher;
DROP SCHEMA app CASCADE;
