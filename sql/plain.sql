--
-- Plain categories: whether the listener is told to LISTEN on the group's name
--
SET client_min_messages = warning;
CREATE EXTENSION usher;
RESET client_min_messages;

SELECT usher.set_category('old', join => 'anyone', plain => true);
SELECT usher.set_category('new', join => 'anyone');
SELECT usher.set_category('shut', plain => true);

SELECT g AS "group", a.may_join, a.plain AS admitted_plain, e.plain AS declared_plain
FROM unnest(ARRAY['old_1', 'new_1', 'shut_1', 'none_1']) g,
	 LATERAL usher.admit('anonymous', NULL, g) a, LATERAL usher.explain(NULL, g) e;
SELECT may_join, plain FROM usher.recheck_admission('anonymous', NULL, NULL, 'old_1');

-- Declared again without it, it is plain no more.
SELECT usher.set_category('old', join => 'anyone');
SELECT may_join, plain FROM usher.recheck_admission('anonymous', NULL, NULL, 'old_1');

SET client_min_messages = warning;
DROP EXTENSION usher;
