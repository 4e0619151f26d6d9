--
-- Broadcast: who may, and what is refused.  What arrives is shown by
-- test/e2e/test_notify.py, since ids and channel are random.
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
RESET client_min_messages;

SET ROLE usher_app;
SELECT usher.broadcast('app_1', '{"saved": 7}');
SELECT usher.broadcast(ARRAY['app_1', 'app_2'], '{"saved": 7}');
SELECT usher.broadcast(ARRAY[]::text[], '{"saved": 7}');
SELECT usher.broadcast_text('app_1', 'hello'), usher.broadcast_text(ARRAY['app_1'], 'hello');
SELECT usher.broadcast_binary('app_1', '\x00ff'), usher.broadcast_binary(ARRAY['app_1'], '\x00ff');
SELECT usher.kick('7', 'app_1');

DO $$
DECLARE
	call text;
	hint text;
	detail text;
BEGIN
	FOREACH call IN ARRAY ARRAY[
		$q$broadcast('a b', '1')$q$,
		$q$broadcast('', '1')$q$,
		$q$broadcast('{app_1,app_2}', '1')$q$,
		$q$broadcast(repeat('n', 100), '1')$q$,
		$q$broadcast(repeat('é', 1000), '1')$q$,
		$q$broadcast(NULL::text, '1')$q$,
		$q$broadcast('app_1', NULL)$q$,
		$q$broadcast('app_1', 'null')$q$,
		$q$broadcast(ARRAY['app_1', NULL], '1')$q$,
		$q$broadcast(ARRAY['app_1', 'a b'], '1')$q$,
		$q$broadcast(NULL::text[], '1')$q$,
		$q$broadcast_text('app_1', NULL)$q$,
		$q$broadcast_text('app_1', '')$q$,
		$q$broadcast_binary('app_1', NULL)$q$,
		$q$broadcast_binary('app_1', '')$q$,
		$q$broadcast_text('app_1', repeat('x', 1048576))$q$,
		$q$broadcast_text('app_1', repeat('x', 1048577))$q$,
		$q$broadcast_text('app_1', repeat('é', 524289))$q$,
		$q$broadcast('app_1', to_jsonb(repeat('x', 1048575)))$q$,
		$q$broadcast_binary('app_1', convert_to(repeat('x', 1048577), 'UTF8'))$q$,
		$q$kick('7', 'a b')$q$,
		$q$kick(NULL, 'app_1')$q$,
		$q$kick(repeat('7', 100000), 'app_1')$q$,
		$q$kick('7', NULL)$q$]
	LOOP
		BEGIN
			EXECUTE 'SELECT usher.' || call;
			RAISE INFO '% is accepted', call;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
			RAISE INFO '%: % % [% %]', call, SQLSTATE, SQLERRM, detail, hint;
		END;
	END LOOP;
END
$$;
RESET ROLE;

-- The limit is a setting of the superuser's.
SET usher.max_payload = '2kB';
SELECT usher.broadcast_text('app_1', repeat('x', 2049));
SET ROLE usher_app;
SET usher.max_payload = '16MB';
RESET ROLE;
RESET usher.max_payload;

-- The listener may not broadcast, but through a client's message.
SET ROLE usher_listener;
SELECT usher.broadcast('app_1', '1');
SELECT usher.broadcast_text(ARRAY['app_1'], '1');
SELECT usher.kick('7', 'app_1');
-- It alone learns the channel.
SELECT channel ~ '^usher_[0-9a-f]{32}$' AS channel, version, max_payload FROM usher.listener_start();
SELECT usher.canary('nonce') BETWEEN 0 AND 1 AS queue_usage;
SELECT usher.canary('');
SELECT usher.canary(repeat('n', 129));
RESET ROLE;
SET ROLE usher_app;
SELECT channel FROM usher.listener_start();
SELECT usher.canary('nonce');
RESET ROLE;

SET client_min_messages = warning;
DROP EXTENSION usher;
