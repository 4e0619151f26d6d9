--
-- Site functions: found as the caller finds them, run as usher_app, and never
-- able to disturb who asks
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE ROLE regress_site IN ROLE usher_app;
CREATE ROLE regress_other;
CREATE SCHEMA app AUTHORIZATION regress_site;
CREATE SCHEMA "My App" AUTHORIZATION regress_site;
GRANT USAGE ON SCHEMA app, "My App" TO usher_app;
RESET client_min_messages;

SET ROLE regress_site;
CREATE TABLE app.member (room text, user_id text);
INSERT INTO app.member VALUES ('1', '7');
GRANT SELECT ON app.member TO usher_app;
-- The unqualified name is found in the function's own schema.
SET search_path = app;
CREATE FUNCTION app.is_member(user_id text, id text) RETURNS boolean
LANGUAGE sql STABLE
AS $$SELECT EXISTS (SELECT FROM member m WHERE m.room = $2 AND m.user_id = $1)$$;

-- Found by the caller's search_path, stored qualified.
RESET search_path;
SELECT usher.set_category('room', join => 'is_member');
SET search_path = app;
SELECT usher.set_category('room', join => 'is_member', send => 'is_member(text, text)');
RESET search_path;
SELECT join_policy, may_join, send_policy, may_send FROM usher.explain('7', 'room_1');
SELECT usher.can_join('7', 'room_2'), usher.can_join('8', 'room_1'), usher.can_join(NULL, 'room_1');

-- Odd names; a function named like a word must be qualified.
CREATE FUNCTION "My App"."May ""Join""?"(text, text) RETURNS boolean
LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION app.owner(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
SELECT usher.set_category('odd', join => '"My App"."May ""Join""?"', send => 'app.owner');
SELECT join_policy, may_join, send_policy, may_send FROM usher.explain('7', 'odd_1');

-- NULL is no.
CREATE FUNCTION app.perhaps(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT NULL::boolean';
SELECT usher.set_category('null', join => 'app.perhaps');
SELECT may_join, join_reason FROM usher.explain('7', 'null_1');

-- It runs as usher_app, with its schema and then pg_temp in search_path.
CREATE FUNCTION app.whoami(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE INFO '% %', current_user, current_setting('search_path');
	RETURN true;
END $$;
SELECT usher.set_category('whoami', join => 'app.whoami');
SET search_path = public, pg_temp;
SELECT usher.can_join('7', 'whoami_1'), current_user, current_setting('search_path');
RESET search_path;

-- So neither it nor the caller gains anything by it: usher's tables, the
-- caller's own ones, another role.
CREATE FUNCTION app.peep(text, id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	CASE id
		WHEN 'instance' THEN PERFORM FROM usher.instance;
		WHEN 'sessions' THEN PERFORM FROM usher.session_key;
		WHEN 'categories' THEN PERFORM FROM usher.category;
		WHEN 'setrole' THEN SET ROLE regress_site;
		WHEN 'resetrole' THEN RESET ROLE;
		WHEN 'authorization' THEN SET SESSION AUTHORIZATION DEFAULT;
	END CASE;
	RAISE INFO 'done, as %', current_user;
	RETURN true;
END $$;
SELECT usher.set_category('peep', join => 'app.peep');
RESET ROLE;
SET client_min_messages = log;
SELECT g, usher.can_join('7', 'peep_' || g)
FROM unnest(ARRAY['instance', 'sessions', 'categories', 'setrole', 'resetrole', 'authorization']) g;
RESET client_min_messages;
SET ROLE regress_site;

-- An error is a refusal and one line in the server's log (shown here), and the
-- caller's transaction does not notice.
CREATE TABLE app.audit (note text);
GRANT INSERT ON app.audit TO usher_app;
CREATE FUNCTION app.fails(user_id text, id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit VALUES ('refused ' || $1);
	RAISE EXCEPTION 'no such thing as %', id USING DETAIL = 'a detail', HINT = 'a hint';
END $$;
SELECT usher.set_category('fails', join => 'app.fails');
SET client_min_messages = log;
BEGIN;
INSERT INTO app.audit VALUES ('caller');
SELECT usher.can_join('7', 'fails_1');
SELECT may_join, join_reason FROM usher.explain('7', 'fails_1');
SELECT current_user, current_setting('search_path');
INSERT INTO app.audit VALUES ('caller again');
COMMIT;
RESET client_min_messages;
SELECT * FROM app.audit;

-- What it writes when it returns is kept, within the caller's transaction.
CREATE FUNCTION app.audits(user_id text, id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit VALUES ('asked by ' || $1);
	RETURN false;
END $$;
SELECT usher.set_category('audits', join => 'app.audits');
TRUNCATE app.audit;
SELECT usher.can_join('7', 'audits_1');
BEGIN;
SELECT usher.can_join('8', 'audits_1');
ROLLBACK;
SELECT * FROM app.audit;

-- A constraint that is checked later is the caller's to keep, where he has a
-- transaction of his own; what the listener asks is settled at once (Django
-- defers every foreign key).
CREATE TABLE app.parent (id integer PRIMARY KEY);
CREATE TABLE app.child (id integer REFERENCES app.parent DEFERRABLE INITIALLY DEFERRED);
INSERT INTO app.parent VALUES (1);
GRANT INSERT ON app.child TO usher_app;
CREATE FUNCTION app.adopts(user_id text, id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO child VALUES (id::integer);
	RETURN true;
END $$;
SELECT usher.set_category('adopts', join => 'app.adopts');
SELECT usher.can_join('7', 'adopts_1');
-- Terse, since only 18 checks it as the role that asked, who may not see the key.
\set VERBOSITY terse
SELECT usher.can_join('7', 'adopts_2');
\set VERBOSITY default
SELECT usher.set_category('adopts', join => 'nobody', send => 'app.adopts');
RESET ROLE;
SET client_min_messages = log;
SELECT * FROM usher.receive('7', 'adopts_1', 'x');
SELECT * FROM usher.receive('7', 'adopts_2', 'x');
RESET client_min_messages;
SELECT * FROM app.child;
SET ROLE regress_site;

-- Cancelling passes through, or nobody could stop it.
CREATE FUNCTION app.sleeps(user_id text, id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(60);
	RETURN true;
END $$;
SELECT usher.set_category('sleeps', join => 'app.sleeps');
SET statement_timeout = '50ms';
\set VERBOSITY terse
SELECT usher.can_join('7', 'sleeps_1');
\set VERBOSITY default
RESET statement_timeout;
SELECT current_user, usher.can_join('7', 'room_1');

-- Replaced, dropped, made again: the next call uses what is there.
CREATE OR REPLACE FUNCTION app.perhaps(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
SELECT usher.can_join('7', 'null_1');
DROP FUNCTION app.perhaps;
SET client_min_messages = log;
SELECT usher.can_join('7', 'null_1');
CREATE FUNCTION app.perhaps(text, text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT usher.can_join('7', 'null_1');
DROP FUNCTION app.perhaps;
CREATE FUNCTION app.perhaps(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
SELECT usher.can_join('7', 'null_1');
RESET client_min_messages;

-- It may ask again, and even change the category it was asked about.
CREATE FUNCTION app.asks(user_id text, id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF id::integer = 0 THEN
		PERFORM usher.set_category('asks', join => 'nobody');
		RETURN usher.can_join(user_id, 'asks_0') IS FALSE;
	END IF;
	RETURN usher.can_join(user_id, 'asks_' || id::integer - 1);
END $$;
SELECT usher.set_category('asks', join => 'app.asks');
SELECT usher.can_join('7', 'asks_20'), usher.can_join('7', 'asks_20');

-- Functions that will not do
CREATE FUNCTION app.number(text, text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.many(text, text) RETURNS SETOF boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION app.one(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE PROCEDURE app.proc(text, text) LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION app.closed(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
REVOKE EXECUTE ON FUNCTION app.closed FROM PUBLIC;
CREATE FUNCTION pg_temp.fleeting(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION app.echo(text, text, jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $3';
CREATE FUNCTION app.echo(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT $3';
CREATE FUNCTION app.mixed(text, text, jsonb) RETURNS text LANGUAGE sql AS 'SELECT $3::text';
RESET ROLE;
SET client_min_messages = warning;
CREATE SCHEMA hidden AUTHORIZATION regress_site;
CREATE FUNCTION hidden.f(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION public.others(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
REVOKE EXECUTE ON FUNCTION public.others FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.others TO usher_app;
RESET client_min_messages;
SET ROLE regress_site;
DO $$
DECLARE
	call text;
	hint text;
BEGIN
	FOREACH call IN ARRAY ARRAY[
		$q$set_category('c', join => 'app.number')$q$,
		$q$set_category('c', join => 'app.many')$q$,
		$q$set_category('c', join => 'app.one')$q$,
		$q$set_category('c', join => 'app.one(text)')$q$,
		$q$set_category('c', join => 'app.proc')$q$,
		$q$set_category('c', join => 'app.closed')$q$,
		$q$set_category('c', join => 'hidden.f')$q$,
		$q$set_category('c', join => 'pg_temp.fleeting')$q$,
		$q$set_category('c', on_message => 'app.echo')$q$,
		$q$set_category('c', on_message => 'app.mixed')$q$,
		$q$set_category('c', on_message => 'app.is_member')$q$]
	LOOP
		BEGIN
			EXECUTE 'SELECT usher.' || call;
			RAISE INFO '% is accepted', call;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
			RAISE INFO '%: % % [%]', call, SQLSTATE,
				regexp_replace(SQLERRM, 'pg_temp_\d+', 'pg_temp_n'), hint;
		END;
	END LOOP;
END
$$;
SELECT usher.set_category('c', on_message => 'app.echo(text, text, text)');
SELECT on_message FROM usher.explain('7', 'c_1');
RESET ROLE;

-- Whoever may not call it himself may not name it either.
GRANT EXECUTE ON FUNCTION usher.set_category TO regress_other;
GRANT USAGE ON SCHEMA usher TO regress_other;
REVOKE EXECUTE ON FUNCTION app.owner FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.owner TO usher_app;
GRANT USAGE ON SCHEMA app TO regress_other;
SET ROLE regress_other;
SELECT usher.set_category('c', join => 'app.owner');
RESET ROLE;

SET client_min_messages = warning;
DROP EXTENSION usher;
DROP SCHEMA app, "My App", hidden CASCADE;
DROP FUNCTION public.others, pg_temp.fleeting;
REVOKE ALL ON SCHEMA usher FROM regress_other;
DROP ROLE regress_site, regress_other;
