--
-- Categories: declaring, replacing and dropping them; words; explain
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE ROLE regress_site IN ROLE usher_app;
CREATE SCHEMA app AUTHORIZATION regress_site;
GRANT USAGE ON SCHEMA app TO usher_app;
RESET client_min_messages;

-- What is not declared does not exist.
SELECT usher.can_join('1', 'news_1'), usher.can_send('1', 'news_1');

-- Members of usher_app declare; by default nobody may do anything.
SET ROLE regress_site;
SELECT usher.set_category('news');
SELECT * FROM usher.explain('1', 'news_1') \gx

-- The words
SELECT usher.set_category('open', join => 'anyone', send => 'authenticated');
SELECT usher.set_category('mine', join => 'owner', send => 'owner');
SELECT g AS "group", u AS user_id, usher.can_join(u, g), usher.can_send(u, g)
FROM unnest(ARRAY['open_1', 'mine_1', 'news_1']) g,
	 unnest(ARRAY['1', '2', NULL]) u
ORDER BY 1, 2;

-- A group is split at its last underscore.
SELECT usher.set_category('a_b', join => 'owner');
SELECT usher.set_category('lobby', join => 'owner');
SELECT e.*
FROM unnest(ARRAY['a_b_7', 'a_b', 'lobby', 'a_b_', '_7', 'a b', '', 'é']) g,
	 LATERAL (SELECT "group", category, id, declared, may_join, join_reason
			  FROM usher.explain('7', g)) e;
SELECT "group", category, declared, join_reason FROM usher.explain('7', NULL);

-- Declaring again replaces everything.
SELECT usher.set_category('news', send => 'anyone');
SELECT join_policy, may_join, send_policy, may_send
FROM usher.explain('1', 'news_1');

-- An uncommitted change is seen by its own transaction and goes with it.
BEGIN;
SELECT usher.set_category('news', join => 'anyone');
SELECT usher.can_join('1', 'news_1');
SAVEPOINT s;
SELECT usher.drop_category('news');
SELECT usher.can_join('1', 'news_1');
ROLLBACK TO s;
SELECT usher.can_join('1', 'news_1');
ROLLBACK;
SELECT usher.can_join('1', 'news_1');

-- In a repeatable read transaction too; and nothing old stays behind in the
-- backend when it is over.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT usher.can_join('1', 'news_1');
SELECT usher.set_category('news', join => 'anyone');
SELECT usher.can_join('1', 'news_1');
COMMIT;
SELECT usher.can_join('1', 'news_1');

-- Dropping says whether there was one.
SELECT usher.drop_category('news'), usher.can_join('1', 'news_1');
SELECT usher.drop_category('news');

-- What cannot be a category
DO $$
DECLARE
	call text;
	hint text;
BEGIN
	FOREACH call IN ARRAY ARRAY[
		$q$set_category('')$q$,
		$q$set_category('a b')$q$,
		$q$set_category('a,b')$q$,
		$q$set_category(repeat('n', 100))$q$,
		$q$set_category(NULL)$q$,
		$q$set_category('c', join => NULL)$q$,
		$q$set_category('c', send => NULL)$q$,
		$q$set_category('c', plain => NULL)$q$,
		$q$set_category('c', join => 'everybody')$q$,
		$q$set_category('c', send => 'Anyone')$q$,
		$q$set_category('c', join => 'app.missing')$q$,
		$q$set_category('c', join => 'missing.missing')$q$,
		$q$set_category('c', join => 'app.missing(text, text)')$q$,
		$q$set_category('c', join => '1; DROP TABLE x')$q$,
		$q$set_category('c', join => '')$q$,
		$q$set_category('c', on_message => 'app.missing')$q$,
		$q$drop_category(NULL)$q$]
	LOOP
		BEGIN
			EXECUTE 'SELECT usher.' || call;
			RAISE INFO '% is accepted', call;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
			RAISE INFO '%: % % [%]', call, SQLSTATE, SQLERRM, hint;
		END;
	END LOOP;
END
$$;
SELECT usher.drop_category('no such name, not even a possible one');
RESET ROLE;

-- The table is not for anybody to touch.
SET ROLE regress_site;
SELECT * FROM usher.category;
INSERT INTO usher.category VALUES ('x', 'anyone', 'anyone', NULL, NULL, false);
RESET ROLE;
SET ROLE usher_listener;
SELECT usher.set_category('x');
RESET ROLE;

DROP SCHEMA app;
DROP EXTENSION usher;
DROP ROLE regress_site;
