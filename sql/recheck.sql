--
-- Asking again: by group, by user, and by a table of members.  What arrives is
-- shown by test/e2e/test_v1_permissions.py.
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
CREATE SCHEMA site AUTHORIZATION regress_site;
-- What comes of a command
CREATE FUNCTION said(command text) RETURNS text LANGUAGE plpgsql
AS $$BEGIN EXECUTE command; RETURN 'done'; EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM; END$$;
RESET client_min_messages;

SET ROLE regress_site;
SET search_path = site, public;
SELECT command, said('SELECT usher.' || command)
FROM unnest(ARRAY[
	$q$recheck('app_1')$q$, $q$recheck('a b')$q$, $q$recheck('')$q$, $q$recheck(NULL)$q$,
	$q$recheck_user('1')$q$, $q$recheck_user(NULL)$q$, $q$recheck_user('')$q$,
	$q$recheck_category('app')$q$,
	$q$announce_presence(true, 'app_1', '{}')$q$]) AS command;

CREATE TABLE member (room uuid, person integer, note text);
SELECT command, said('SELECT usher.' || command)
FROM unnest(ARRAY[
	$q$watch_table('member', 'room', 'room')$q$,
	$q$watch_table('member', 'room', 'nothing')$q$,
	$q$watch_table('member', 'room', 'room', 'nothing')$q$,
	$q$watch_table('member', 'ro om', 'room')$q$,
	$q$watch_table('member', NULL, 'room')$q$,
	$q$watch_table('member', 'room', NULL)$q$,
	$q$watch_table(NULL, 'room', 'room')$q$,
	$q$watch_table('member', 'room', 'room', 'person')$q$,
	$q$watch_table('usher.category', 'room', 'name')$q$,
	$q$watch_table('pg_catalog.pg_class', 'room', 'relname')$q$]) AS command;
-- Once more replaces; the last one holds.
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
WHERE tgrelid = 'member'::regclass ORDER BY 1;
-- No row is too odd for its table to be changed.
INSERT INTO member VALUES ('00000000-0000-0000-0000-000000000001', 1), (NULL, NULL);
UPDATE member SET note = 'x';
DELETE FROM member;
TRUNCATE member;
SELECT usher.watch_table('member', 'room', 'note');
INSERT INTO member VALUES (NULL, NULL, 'not a name'), (NULL, NULL, repeat('n', 200)), (NULL, NULL, '7');
UPDATE member SET person = 3;
DELETE FROM member;
SELECT usher.unwatch_table('member'), usher.unwatch_table('member');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'member'::regclass;
-- A table of somebody else's
RESET ROLE;
CREATE TABLE site.other (room text);
SET ROLE regress_site;
SELECT usher.watch_table('other', 'room', 'room');
RESET ROLE;

SET client_min_messages = warning;
DROP EXTENSION usher;
DROP SCHEMA site CASCADE;
DROP FUNCTION said;
DROP ROLE regress_site;
