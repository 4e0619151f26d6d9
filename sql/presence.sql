--
-- What listeners report: who is connected, who is where, and who has died
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
-- A report of listener l with more members
CREATE FUNCTION report(l text, more jsonb DEFAULT '{}', OUT known boolean, OUT excess text)
RETURNS record LANGUAGE sql AS $$
	SELECT * FROM usher.report(jsonb_build_object(
		'listener', l, 'host', 'h', 'pid', 7, 'version', '1.0', 'listen', '*:8765',
		'connections', 3, 'lease_ms', 60000) || more)$$;
CREATE FUNCTION visits(VARIADIC who text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object(
		'g', split_part(w, ':', 1), 'u', split_part(w, ':', 2),
		'n', 'n' || split_part(w, ':', 2))) FROM unnest(who) AS w$$;
RESET client_min_messages;

-- Only the listener reports, only the site looks.
SET ROLE usher_app;
SELECT * FROM usher.report('{"listener": "l1"}');
SELECT usher.presence_of('app_1');
SELECT * FROM usher.live_connection;
RESET ROLE;
SET ROLE usher_listener;
SELECT * FROM usher.presence('app_1');
SELECT * FROM usher.connection;
RESET ROLE;

-- Who has not begun is not known.
SELECT * FROM report('l1', jsonb_build_object('arrived', visits('app_1:1')));
SELECT count(*) FROM usher.listener;
SELECT * FROM report('l1', '{"began": true}');
SELECT listener, host, pid, version, listen, connections, started_at = seen_at AS fresh FROM usher.listener;
SELECT * FROM report('l1', '{"connections": 4}');
SELECT connections, started_at < seen_at AS seen FROM usher.listener;

-- Connections come, change and go.
SELECT * FROM report('l1', '{"opened": [
	{"c": 1, "u": "42", "n": "bob", "k": "token", "i": "c0ff", "a": "10.0.0.1", "p": "raw", "s": 1790000000123, "g": ["app_1"]},
	{"c": 2, "u": null, "n": null, "k": "anonymous", "i": null, "a": "::1", "p": "usher.v1", "s": 1790000000123, "g": []}]}');
SELECT connection, user_id, username, kind, credential_id, address, protocol,
	   connected_at AT TIME ZONE 'UTC' AS connected_at, groups
FROM usher.connection ORDER BY connection \gx
SELECT * FROM report('l1', '{"closed": [2, 99], "opened": [
	{"c": 1, "u": "42", "n": "bob", "k": "session", "i": "beef", "a": "10.0.0.1", "p": "raw", "s": 1790000000123, "g": ["app_1", "app_2"]}]}');
SET ROLE usher_app;
SELECT connection, kind, credential_id, groups FROM usher.connection;
SELECT g, usher.kick(user_id, g) FROM usher.connection, unnest(groups) AS g WHERE username = 'bob';
RESET ROLE;

-- Who is where, over all listeners
SELECT * FROM report('l2', '{"began": true}');
SELECT * FROM report('l1', jsonb_build_object('arrived', visits('app_1:1', 'app_1:2', 'app_2:1', 'app_1:1')));
SELECT * FROM report('l2', jsonb_build_object('arrived', visits('app_1:2', 'app_1:3')));
SELECT user_id, username, since <= now() + '1 min' AS since FROM usher.presence('app_1');
SELECT usher.presence_of('app_1'), usher.presence_of('app_3');
SELECT * FROM report('l1', jsonb_build_object('departed', visits('app_1:2', 'app_1:9', 'app_2:1')));
SELECT usher.presence_of('app_1'), usher.presence_of('app_2');
-- Told again, nothing changes.
SELECT * FROM report('l1', jsonb_build_object('arrived', visits('app_1:1'), 'departed', visits('app_1:2')));
SELECT usher.presence_of('app_1');

-- A listener that begins anew has who it says, and nobody else.
SELECT * FROM report('l1', jsonb_build_object('began', true, 'arrived', visits('app_1:5')));
SELECT usher.presence_of('app_1');
SELECT count(*) FROM usher.connection;
-- One that ends takes everything with it.
SELECT * FROM report('l2', '{"ended": true}');
SELECT usher.presence_of('app_1');
SELECT listener FROM usher.listener;

-- One that is silent is gone from sight at once and from the tables at the next
-- report of another, or with purge().
SELECT * FROM report('l3', jsonb_build_object('began', true, 'lease_ms', 0, 'arrived', visits('app_1:7')));
SELECT usher.presence_of('app_1');
SELECT listener FROM usher.live_listener ORDER BY 1;
SELECT * FROM report('l1');
SELECT listener FROM usher.live_listener ORDER BY 1;
SELECT * FROM report('l3', jsonb_build_object('began', true, 'lease_ms', 0, 'arrived', visits('app_1:7')));
SELECT usher.purge();
SELECT listener FROM usher.live_listener;
SELECT DISTINCT listener FROM usher.live_presence;

-- Too many of a user over all listeners: the newest of this report go.
CREATE FUNCTION connections(VARIADIC c integer[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('max_per_user', 3, 'opened', jsonb_agg(jsonb_build_object(
		'c', n, 'u', CASE WHEN n < 100 THEN '1' END, 'k', 'token', 'p', 'raw', 's', 0, 'g', '[]'::jsonb)))
	FROM unnest(c) AS n$$;
SELECT * FROM report('l2', '{"began": true}' || connections(1, 2));
SELECT * FROM report('l1', connections(1, 2, 3, 101, 102, 103, 104));
SELECT * FROM report('l1', connections(1));
SELECT * FROM report('l2', connections(4, 1));

SET client_min_messages = warning;
DROP EXTENSION usher;
DROP FUNCTION report, visits, connections;
