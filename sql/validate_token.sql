-- validate_token(): one identity row, always.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
CREATE SCHEMA site AUTHORIZATION regress_site;
SET ROLE regress_site;
SET search_path = site;
CREATE TABLE auth_user (
	id serial PRIMARY KEY,
	password varchar(128) NOT NULL,
	username varchar(150) NOT NULL UNIQUE,
	is_active boolean NOT NULL);
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY,
	created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL UNIQUE REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO auth_user VALUES
	(1, 'pw', 'alice', true), (2, 'pw', 'bob', false), (3, 'pw', 'zoë', true);
INSERT INTO authtoken_token VALUES
	('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b', now(), 1),
	('8944b09199c62bcf9418ad846dd0e4bbdfc6ee4b', now(), 2),
	('not hex, 日本', now(), 3);
SELECT usher.attach_django();
RESET ROLE;
-- A known salt makes credential ids repeatable.
UPDATE usher.instance SET salt = sha256('salt');
SET ROLE regress_site;

SELECT * FROM usher.validate_token('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b') \gx
SELECT * FROM usher.validate_token('8944b09199c62bcf9418ad846dd0e4bbdfc6ee4b') \gx
SELECT * FROM usher.validate_token('not hex, 日本') \gx
SELECT * FROM usher.validate_token('7944b09199c62bcf9418ad846dd0e4bbdfc6ee4b') \gx

-- The id is sha256(salt || 'token:' || key).
SELECT credential_id = encode(sha256(sha256('salt') || 'token:' || '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b'::bytea), 'hex') AS as_documented
FROM usher.validate_token('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');

-- Exactly the key, nothing like it.
SELECT key, valid, reason FROM unnest(ARRAY[
	'9944B09199C62BCF9418AD846DD0E4BBDFC6EE4B',
	'9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b ',
	' 9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b',
	'9944b09199c62bcf9418ad846dd0e4bbdfc6ee4',
	'%', '', NULL]) AS key, usher.validate_token(key);

-- authenticate() is the same by name, and knows which names there are.
SELECT k.kind AS asked, a.valid, a.reason, a.user_id, a.kind
FROM (VALUES ('token'), ('session'), ('anonymous'), ('Token'), ('passkey'), (''), (NULL)) AS k (kind),
	 usher.authenticate(k.kind, '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b') AS a;
SELECT valid, reason FROM usher.authenticate('token', NULL);

-- Changes are seen at once.
UPDATE auth_user SET is_active = true WHERE id = 2;
SELECT valid, reason FROM usher.validate_token('8944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');
UPDATE auth_user SET username = 'robert' WHERE id = 2;
SELECT valid, username FROM usher.validate_token('8944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');
DELETE FROM authtoken_token WHERE user_id = 2;
SELECT valid, reason FROM usher.validate_token('8944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');

-- The plan is found again after ten calls, an index fewer and a column more.
SELECT count(*) FILTER (WHERE valid) AS valid
FROM generate_series(1, 10), usher.validate_token('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');
ALTER TABLE authtoken_token DROP CONSTRAINT authtoken_token_pkey;
ALTER TABLE auth_user ADD COLUMN extra int, DROP COLUMN password;
SELECT valid FROM usher.validate_token('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');

-- In a transaction that only reads.
BEGIN READ ONLY;
SELECT valid FROM usher.validate_token('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');
SELECT valid FROM usher.authenticate('token', '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');
COMMIT;
-- In a parallel query: the functions are kept out of workers.
SELECT count(set_config(name, 'on', false)) AS setting_of_either_name
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT valid FROM usher.validate_token('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');
SELECT count(set_config(name, 'off', false)) AS setting_of_either_name
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
-- Inside repeatable read, with a snapshot older than the mapping.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM auth_user;
SELECT valid FROM usher.validate_token('9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b');
COMMIT;

RESET ROLE;
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site;
DROP ROLE regress_site;
