--
-- A client's message: the send policy, on_message, then broadcast
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO usher_app;
CREATE TABLE app.kept (user_id text, id text, payload text);
GRANT INSERT ON app.kept TO usher_app;
CREATE FUNCTION app.keep(user_id text, id text, payload jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	IF payload ? 'fail' THEN
		RAISE EXCEPTION 'will not';
	ELSIF payload ? 'swallow' THEN
		RETURN NULL;
	END IF;
	INSERT INTO kept VALUES (user_id, id, payload::text);
	RETURN payload || jsonb_build_object('from', user_id);
END $$;
CREATE FUNCTION app.shout(user_id text, id text, payload text) RETURNS text
LANGUAGE sql AS $$SELECT repeat(upper(payload), 1000)$$;
CREATE FUNCTION app.reverse(user_id text, id text, payload bytea) RETURNS bytea
LANGUAGE sql AS $$SELECT payload || '\x00ff'::bytea$$;
CREATE FUNCTION app.boom(text, text) RETURNS boolean LANGUAGE plpgsql
AS $$BEGIN RAISE EXCEPTION 'boom'; END$$;
SELECT usher.set_category('plainchat', join => 'anyone', send => 'authenticated');
SELECT usher.set_category('wall', join => 'anyone', send => 'anyone', on_message => 'app.keep');
SELECT usher.set_category('json', send => 'authenticated', on_message => 'app.keep');
SELECT usher.set_category('text', send => 'authenticated', on_message => 'app.shout');
SELECT usher.set_category('bytes', send => 'authenticated', on_message => 'app.reverse');
SELECT usher.set_category('mine', send => 'owner');
SELECT usher.set_category('boom', send => 'app.boom');
RESET client_min_messages;

-- Only the listener may.
SET ROLE usher_app;
SELECT * FROM usher.receive('7', 'plainchat_1', 'hello');
RESET ROLE;

SET ROLE usher_listener;
-- The send policy
SELECT g, u, r.*
FROM unnest(ARRAY['plainchat_1', 'wall_1', 'mine_7', 'boom_1', 'none_1', 'a b']) g,
	 unnest(ARRAY['7', '8', NULL]) u, LATERAL usher.receive(u, g, '{}') r
ORDER BY g COLLATE "C", u;
SELECT * FROM usher.receive('7', NULL, 'x');

-- on_message decides what becomes of it.
SELECT * FROM usher.receive('7', 'json_1', '{"n": 1}');
SELECT * FROM usher.receive('7', 'json_1', '{"swallow": 1}');
SELECT * FROM usher.receive('7', 'json_1', '{"fail": 1}');
SELECT * FROM usher.receive('7', 'json_1', 'not json');
SELECT * FROM usher.receive('7', 'json_1', '');
SELECT * FROM usher.receive('7', 'json_1', NULL);
SELECT * FROM usher.receive('7', 'json_1', '"\u0000"');
SELECT * FROM usher.receive('7', 'json_1', repeat('[', 100000));
SELECT * FROM usher.receive_binary('7', 'json_1', '{}');
SELECT * FROM usher.receive('7', 'text_1', 'a');
SELECT * FROM usher.receive_binary('7', 'text_1', 'a');
SELECT * FROM usher.receive('7', 'bytes_1', 'a');
SELECT * FROM usher.receive_binary('7', 'bytes_1', '\x00ff00');
SELECT * FROM usher.receive_binary('7', 'plainchat_1', '\x00ff00');
RESET ROLE;
SELECT * FROM app.kept;

-- Too large is refused; what on_message makes too large is its own mistake.
SET usher.max_payload = '1kB';
SET client_min_messages = log;
SELECT * FROM usher.receive('7', 'plainchat_1', repeat('x', 1024));
SELECT * FROM usher.receive('7', 'plainchat_1', repeat('x', 1025));
SELECT * FROM usher.receive('7', 'plainchat_1', repeat('é', 513));
SELECT * FROM usher.receive('7', 'text_1', 'a');
SELECT * FROM usher.receive('7', 'text_1', 'ab');
-- The line in the server's log does not show what the client sent.
SELECT * FROM usher.receive('7', 'json_1', '{"fail": "my secret"}');
RESET client_min_messages;
RESET usher.max_payload;

-- What a refused message did is undone, what an accepted one did is not.
TRUNCATE app.kept;
CREATE OR REPLACE FUNCTION app.keep(user_id text, id text, payload jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO kept VALUES (user_id, id, payload::text);
	RETURN jsonb_build_object('inverse', 1 / payload::integer);
END $$;
BEGIN;
SELECT * FROM usher.receive('7', 'json_1', '0');
SELECT * FROM usher.receive('7', 'json_1', '1');
COMMIT;
SELECT * FROM app.kept;

SET client_min_messages = warning;
DROP EXTENSION usher;
DROP SCHEMA app CASCADE;
