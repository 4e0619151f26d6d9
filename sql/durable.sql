--
-- Durable groups: what is kept, how it is numbered, and how it is read
--
SET client_min_messages = warning;
CREATE EXTENSION usher;

SELECT usher.set_category('app', "join" => 'authenticated', durable => true);
SELECT usher.set_category('chat', "join" => 'authenticated');

-- a category says what it keeps
SELECT usher.set_category('app', plain => true, durable => true);
SELECT usher.set_category('app', durable => true, keep => '0 s');
SELECT usher.set_category('app', durable => true, keep => NULL);
SELECT usher.set_category('app', durable => true, keep_messages => 0);
SELECT usher.set_category('app', durable => NULL);
SELECT usher.set_category('app', "join" => 'authenticated', durable => true,
	keep => '1 hour', keep_messages => NULL);
SELECT name, durable, keep, keep_messages FROM usher.category ORDER BY name;

-- messages are numbered by group, from 1, without holes
SELECT usher.broadcast('app_1', '{"n": 1}');
SELECT usher.broadcast_text('app_1', E'two\n lines');
SELECT usher.broadcast_binary('app_1', '\x00ff');
SELECT usher.broadcast('app_2', '"first"');
SELECT usher.broadcast('chat_1', '"not kept"');
SELECT "group", seq, type, payload FROM usher.message ORDER BY "group", seq;
SELECT g."group", g.seq, g.tag = m.tag AS tag_is_last
FROM usher.group_seq AS g JOIN usher.message AS m USING ("group", seq)
ORDER BY 1;
SELECT count(DISTINCT tag) FROM usher.message;

-- a rollback, of all or of a part, leaves no hole
BEGIN;
SELECT usher.broadcast('app_1', '"rolled back"');
ROLLBACK;
BEGIN;
SELECT usher.broadcast('app_1', '4');
SAVEPOINT s;
SELECT usher.broadcast('app_1', '"rolled back"');
ROLLBACK TO s;
SELECT usher.broadcast('app_1', '5');
COMMIT;
SELECT seq, convert_from(payload, 'UTF8') FROM usher.message
WHERE "group" = 'app_1' AND seq > 3 ORDER BY seq;

-- several groups at once, each once, durable or not
SELECT usher.broadcast(ARRAY['app_3', 'chat_1', 'app_1', 'app_3'], '6');
SELECT "group", seq FROM usher.group_seq ORDER BY 1;
SELECT usher.broadcast(ARRAY[]::text[], '6');

-- history: the last ones, or what follows
SELECT seq, length(tag), format, data FROM usher.history('app_1');
SELECT seq, data FROM usher.history('app_1', "limit" => 2);
SELECT seq, data FROM usher.history('app_1', 2, 2);
SELECT seq, data FROM usher.history('app_1', 6);
SELECT seq FROM usher.history('nowhere_1');

-- stream: the last number, and from some message on
CREATE FUNCTION pg_temp.without_tag(line text) RETURNS text LANGUAGE sql
AS $$ SELECT regexp_replace(line, ' [0-9a-f]{16}', ' <tag>') $$;
SELECT pg_temp.without_tag(l) FROM usher.stream('app_1', NULL, 10) AS l;
SELECT pg_temp.without_tag(l) FROM usher.stream('app_1', 2, 3) AS l;
SELECT l FROM usher.stream('nowhere_1', 1, 3) AS l;

-- fetch: what was committed since, and nothing twice
SELECT l AS start FROM usher.fetch(NULL) AS l \gset
SELECT left(:'start', 2) AS mark, count(*) FROM usher.fetch(substr(:'start', 3));
SELECT usher.broadcast('app_2', '2');
SELECT usher.broadcast('app_1', '7');
SELECT usher.broadcast('app_1', '8');
SELECT pg_temp.without_tag(l) FROM usher.fetch(substr(:'start', 3)) AS l
WHERE l NOT LIKE '@%';
SELECT l AS next FROM usher.fetch(substr(:'start', 3)) AS l LIMIT 1 \gset
SELECT count(*) FROM usher.fetch(substr(:'next', 3));
SELECT usher.fetch('nonsense');

-- more at once than is good is not listed
BEGIN;
SELECT count(usher.broadcast_text('app_9', 'x')) FROM generate_series(1, 20001);
COMMIT;
SELECT left(l, 2) FROM usher.fetch(substr(:'next', 3)) AS l;

-- what need not be kept goes in batches
SELECT usher.set_category('app', durable => true, keep_messages => 3);
SELECT usher.purge_messages(10000);
SELECT usher.purge_messages(100000);
SELECT usher.purge_messages();
SELECT "group", min(seq), max(seq), count(*) FROM usher.message
GROUP BY 1 ORDER BY 1;
UPDATE usher.message SET at = at - interval '2 days'
WHERE "group" = 'app_1' AND seq = 6;
SELECT usher.purge();
UPDATE usher.message SET at = at - interval '2 days' WHERE "group" = 'app_2';
SELECT usher.purge();
SELECT seq FROM usher.history('app_1');
-- a number is not given again
SELECT usher.broadcast('app_2', '3');
SELECT seq, data FROM usher.history('app_2');

-- who may
SET ROLE usher_app;
SELECT seq FROM usher.history('app_2');
SELECT usher.fetch(NULL);
SELECT usher.stream('app_2', 1, 1);
SELECT 1 FROM usher.message;
SET ROLE usher_listener;
SELECT left(l, 1) FROM usher.fetch(NULL) AS l;
SELECT count(*) FROM usher.stream('app_2', 1, 1);
SELECT usher.purge_messages();
SELECT seq FROM usher.history('app_2');
RESET ROLE;

DROP EXTENSION usher;
