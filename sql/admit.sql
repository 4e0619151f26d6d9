--
-- Admission: identity and right in one call, and again for an open connection
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
INSERT INTO auth_user (username, is_active) VALUES ('zoe', false);
INSERT INTO authtoken_token (key, user_id) VALUES
	(repeat('a', 40), 1), (repeat('b', 40), 2), (repeat('c', 40), 3);
SELECT usher.attach_django();
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO usher_app;
CREATE FUNCTION app.boom(text, text) RETURNS boolean LANGUAGE plpgsql
AS $$BEGIN RAISE EXCEPTION 'boom'; END$$;
CREATE TABLE app.call (n integer);
GRANT INSERT ON app.call TO usher_app;
CREATE FUNCTION app.counted(text, text) RETURNS boolean LANGUAGE plpgsql
AS $$BEGIN INSERT INTO call VALUES (1); RETURN true; END$$;
SELECT usher.set_category('app', join => 'authenticated', send => 'owner');
SELECT usher.set_category('open', join => 'anyone', send => 'authenticated', plain => true);
SELECT usher.set_category('wall', join => 'anyone', send => 'anyone');
SELECT usher.set_category('shut');
SELECT usher.set_category('boom', join => 'app.boom');
SELECT usher.set_category('mute', join => 'authenticated', send => 'app.boom');
SELECT usher.set_category('twice', join => 'app.counted', send => 'app.counted');
RESET client_min_messages;

-- Only the listener may ask.
SET ROLE usher_app;
SELECT * FROM usher.admit('token', repeat('a', 40), 'app_1');
RESET ROLE;

-- A token
SET ROLE usher_listener;
SELECT valid, reason, user_id, username, kind, length(credential_id) AS credential_id,
	   issuer_id, expires_in_ms, may_join, may_send, plain
FROM usher.admit('token', repeat('a', 40), 'app_1') \gx

-- Every combination of who and where
CREATE TEMP VIEW answer AS
SELECT w.who, g."group", a.valid, a.reason, a.user_id, a.may_join, a.may_send, a.plain
FROM (VALUES ('ann', 'token', repeat('a', 40)), ('zoe', 'token', repeat('c', 40)),
			 ('wrong', 'token', 'nonsense'), ('nobody', 'anonymous', NULL)) w (who, kind, credential),
	 (VALUES ('app_1'), ('app_2'), ('open_1'), ('wall_1'), ('shut_1'), ('boom_1'), ('mute_1'), ('none_1'), ('a b')) g ("group"),
	 LATERAL usher.admit(w.kind, w.credential, g."group") a;
RESET ROLE;
SELECT * FROM answer WHERE who = 'ann' ORDER BY "group";
SELECT * FROM answer WHERE who = 'nobody' ORDER BY "group";
SELECT who, reason, count(*), bool_or(valid OR may_join OR may_send OR plain) AS anything
FROM answer WHERE who IN ('zoe', 'wrong') GROUP BY 1, 2 ORDER BY 1;

-- One function for both rights is asked once.
SELECT may_join, may_send FROM usher.admit('token', repeat('a', 40), 'twice_1');
SELECT count(*) FROM app.call;

-- Session keys: restricted to groups, expiring, issued by a token
SELECT session_key AS key FROM usher.issue_session(repeat('a', 40), '60 s', ARRAY['app_1', 'shut_1']) \gset
SELECT valid, reason, user_id, kind, length(credential_id) AS credential_id, length(issuer_id) AS issuer_id,
	   expires_in_ms BETWEEN 50000 AND 60000 AS expires, may_join, may_send
FROM usher.admit('session', :'key', 'app_1') \gx
SELECT g, a.valid, a.reason, a.may_join
FROM unnest(ARRAY['app_1', 'app_2', 'app_', 'open_1', 'shut_1']) g, LATERAL usher.admit('session', :'key', g) a;

-- A key with one use is used by the admission, refused or not, but not by a
-- group that does not exist.
SELECT session_key AS key FROM usher.issue_session_for('2', max_uses => 1) \gset
SELECT valid, reason, may_join FROM usher.admit('session', :'key', 'none_1');
SELECT valid, reason, may_join FROM usher.admit('session', :'key', 'a b');
SELECT valid, reason, may_join, user_id FROM usher.admit('session', :'key', 'app_1');
SELECT valid, reason, may_join, user_id FROM usher.admit('session', :'key', 'app_1');
SELECT valid, reason, may_join, user_id FROM usher.admit('session', :'key', 'none_1');

-- Whoever is in already is asked about by the credential's id, and uses nothing.
SELECT credential_id AS id FROM usher.admit('token', repeat('b', 40), 'app_1') \gset
SELECT encode(sha256(:'key'), 'hex') AS session_id \gset
SELECT valid, reason, user_id, username, kind, credential_id = :'id' AS same, may_join, may_send
FROM usher.recheck_admission('token', '2', :'id', 'app_2') \gx
SELECT valid, reason, user_id, may_join, expires_in_ms > 0 AS expires
FROM usher.recheck_admission('session', '2', :'session_id', 'app_2');
SELECT valid, reason, may_join FROM usher.recheck_admission('token', '2', :'id', 'shut_1');
SELECT valid, reason, may_join FROM usher.recheck_admission('token', '2', :'id', 'none_1');
SELECT valid, reason, may_join FROM usher.recheck_admission('token', '1', :'id', 'app_1');
SELECT valid, reason, may_join FROM usher.recheck_admission('anonymous', NULL, NULL, 'open_1');
SELECT valid, reason, may_join FROM usher.recheck_admission('anonymous', NULL, NULL, 'app_1');
DELETE FROM authtoken_token WHERE user_id = 2;
SELECT valid, reason, may_join FROM usher.recheck_admission('token', '2', :'id', 'app_2');
UPDATE auth_user SET is_active = false WHERE id = 2;
SELECT valid, reason, may_join FROM usher.recheck_admission('session', '2', :'session_id', 'app_2');
SELECT usher.drop_category('open');
SELECT valid, reason, may_join FROM usher.recheck_admission('anonymous', NULL, NULL, 'open_1');

-- Anything at all is answered.
SELECT count(*), bool_or(valid OR may_join OR may_send), array_agg(DISTINCT reason ORDER BY reason)
FROM (VALUES (NULL), ('token'), ('session'), ('anonymous'), ('TOKEN'), (''), (repeat('k', 100000))) k (kind),
	 (VALUES (NULL), (''), (E'\t\n'), ('é€😀'), (repeat('x', 100000))) c (credential),
	 (VALUES (NULL), (''), ('_'), ('app_'), (repeat('n', 100000)), (E'app_1\n')) g ("group"),
	 LATERAL (SELECT * FROM usher.admit(k.kind, c.credential, g."group")
			  UNION ALL
			  SELECT * FROM usher.recheck_admission(k.kind, c.credential, c.credential, g."group")) a;

SELECT usher.detach_django();
DROP VIEW answer;
SET client_min_messages = warning;
DROP EXTENSION usher;
DROP SCHEMA app CASCADE;
DROP TABLE authtoken_token, auth_user;
