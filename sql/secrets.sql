-- The site's keys: set, loaded, taken, rotated, removed; who may see what.
\set SHOW_CONTEXT never
\set sed '| sed -nE ''s/^Asynchronous notification .* payload "(r|k|p) [0-9a-f]+ (.*)" received.*/  -> \\1 \\2/p'' | sort'
SET client_min_messages = warning;
CREATE EXTENSION usher;
-- How Django and PyJWT sign.
\i ../sql/include/signing.sql
CREATE TABLE site.auth_user (id int PRIMARY KEY, username text, is_active boolean, password text);
CREATE TABLE site.django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz);
INSERT INTO site.auth_user VALUES (1, 'alice', true, 'pw');
-- A row of django_session, signed with one key, its auth hash made with another.
CREATE FUNCTION site.log_in(session_key text, key bytea, hash_key bytea DEFAULT NULL) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO site.django_session
	SELECT session_key,
		   body || ':' || site.base64url(site.salted_hmac('django.contrib.sessions.SessionStoresigner', body, key)),
		   now() + interval '1 hour'
	FROM (SELECT site.base64url(convert_to(jsonb_build_object(
			'_auth_user_id', '1',
			'_auth_user_backend', 'django.contrib.auth.backends.ModelBackend',
			'_auth_user_hash', encode(site.salted_hmac(
				'django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash',
				'pw', coalesce(hash_key, key)), 'hex'))::text, 'UTF8')) || ':1tqxyz' AS body) AS b
$$;
CREATE VIEW site.stored AS
SELECT purpose, ordinal, name, algorithm, value FROM usher.secret
ORDER BY purpose = 'jwt', ordinal, name COLLATE "C";
SELECT usher.attach_django('site.auth_user', NULL, session_table => 'site.django_session', knox_table => NULL);

-- ==== bytes, exactly ====
SELECT usher.set_secret_key($key$it's "quoted" \x41 $1 \ clé-密钥-🔑 %s$key$);
SELECT value = convert_to($key$it's "quoted" \x41 $1 \ clé-密钥-🔑 %s$key$, 'UTF8') AS exact FROM usher.secret;
-- Nothing is trimmed of what is given directly.
SELECT usher.set_secret_key(E' key\r\n', ARRAY[E'old\n', E'\told ']);
SELECT * FROM site.stored;
SELECT usher.set_secret_key('\x00ff0a'::bytea, ARRAY['\x0d'::bytea]);
SELECT * FROM site.stored;
-- As large as can be.
SELECT usher.set_secret_key(repeat('k', 65536));
SELECT name, purpose, algorithm, bytes, created_at <= now() AS dated FROM usher.secrets();

-- ==== errors, none with a key in it ====
SELECT usher.set_secret_key('');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_secret_key(NULL::text);
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_secret_key(''::bytea);
SELECT usher.set_secret_key('new', ARRAY['']);
SELECT usher.set_secret_key('new', ARRAY['a', NULL]);
SELECT usher.set_secret_key('new', NULL);
SELECT usher.set_secret_key('new', '{}', NULL);
SELECT usher.set_secret_key(repeat('k', 65537));
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_secret_key('new', array_agg(i::text)) FROM generate_series(1, 65) AS i;
\echo :LAST_ERROR_SQLSTATE
-- Nothing of that changed anything.
SELECT count(*), max(bytes) FROM usher.secrets();

-- ==== rotation ====
SELECT usher.remove_secret_key(), usher.remove_secret_key();
SELECT usher.set_secret_key('one');
-- The key until now, its fallbacks, then the new ones; none of them twice.
SELECT usher.set_secret_key('two', keep_previous => true);
SELECT usher.set_secret_key('three', '{zero,one}', keep_previous => true);
SELECT usher.set_secret_key('three', keep_previous => true);
SELECT ordinal, convert_from(value, 'UTF8') AS key FROM site.stored;
SELECT name, purpose, bytes FROM usher.secrets();
-- Without it they are replaced.
SELECT usher.set_secret_key('four', '{three}');
SELECT ordinal, convert_from(value, 'UTF8') AS key FROM site.stored;
SELECT usher.remove_secret_key_fallbacks(), usher.remove_secret_key_fallbacks();
SELECT ordinal, convert_from(value, 'UTF8') AS key FROM site.stored;

-- ==== what a rotation does to sessions ====
SELECT site.log_in('session-old', 'old'), site.log_in('session-new', 'new'),
	   site.log_in('session-both', 'new', 'old'), site.log_in('session-wrong', 'wrong');
CREATE VIEW site.sessions AS
SELECT s.session_key, valid, reason, user_id
FROM site.django_session AS s, usher.validate_django_session(s.session_key) ORDER BY 1;
SELECT usher.set_secret_key('old');
SELECT * FROM site.sessions;
SELECT usher.set_secret_key('new', keep_previous => true);
SELECT * FROM site.sessions;
SELECT usher.remove_secret_key_fallbacks();
SELECT * FROM site.sessions;
-- A change that is rolled back was none.
BEGIN;
SELECT usher.set_secret_key('old');
SELECT * FROM site.sessions;
ROLLBACK;
SELECT * FROM site.sessions;
SELECT usher.remove_secret_key();
SELECT * FROM site.sessions;

-- ==== JWT keys ====
SELECT usher.add_jwt_key('hs', 'HS256', 'jwt-one');
SELECT valid, reason, user_id FROM usher.validate_jwt(site.jwt('jwt-one'));
-- Two keys overlap as long as both are there.
SELECT usher.add_jwt_key('hs-2', 'HS256', '\x00ff'::bytea);
SELECT valid, reason FROM usher.validate_jwt(site.jwt('\x00ff'));
SELECT valid, reason FROM usher.validate_jwt(site.jwt('jwt-one'));
-- The same name: replaced.
SELECT usher.add_jwt_key('hs-2', 'HS256', 'jwt-two');
SELECT valid, reason FROM usher.validate_jwt(site.jwt('\x00ff'));
SELECT valid, reason FROM usher.validate_jwt(site.jwt('jwt-two'));
SELECT usher.remove_jwt_key('hs'), usher.remove_jwt_key('hs'), usher.remove_jwt_key('hs-2');
SELECT valid, reason FROM usher.validate_jwt(site.jwt('jwt-one'));
-- No key of its own: the SECRET_KEY of the time, and never a fallback.
SELECT usher.add_jwt_key('django', 'HS256');
SELECT valid, reason FROM usher.validate_jwt(site.jwt('old'));
SELECT usher.set_secret_key('old');
SELECT valid, reason FROM usher.validate_jwt(site.jwt('old'));
SELECT usher.set_secret_key('new', keep_previous => true);
SELECT valid, reason FROM usher.validate_jwt(site.jwt('old'));
SELECT valid, reason FROM usher.validate_jwt(site.jwt('new'));
SELECT name, purpose, algorithm, bytes FROM usher.secrets();
SELECT usher.remove_secret_key();
SELECT valid, reason FROM usher.validate_jwt(site.jwt('new'));
-- Public keys, and which of them fit which algorithm.
\set rsa '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyH3IDKBkowPjfCAbX4nB\n9KRvzWk4rLqs/iq9stLRsIOZnP5dlz7YsDpnVfXWM58BW6eEzk+0HAeLh5X8qjAY\ncE8Jv/X9p+bw2M1KLGYZcwNmJkSvrcwjmRExEKFTeVEw/fVvdBmrZyfwrMc+UdUZ\nCam2lKHed1AYS8s2DFYYSMy9lXnwOEcC6XwvGxkirt784yDLhEw1J4dbW25zY5Fc\n1d7/V3wYvqtN6Az/paqhW5C13gtN+1Mf9Ci4XNoXcq1wRQ7/7Mk7HjEemx10Qvo/\nPSph4YmTNSeVb44UkXP9ii6Vneh9N3GKkI0WiqB7zvGbXUy6DYJkAe3wz2YaT/q2\n+wIDAQAB\n-----END PUBLIC KEY-----\n'
\set p256 '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAESl8yn3Zf7NQvUl8heF/jOe8bYNZi\nSfKrHfckUNaZnIfhnHLGdjHLExN9xWf18ZOQGWbHsW35oAO5CV4ODK7kdg==\n-----END PUBLIC KEY-----\n'
\set p384 '-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEcL9lSiQf2pdzyOTqegcZq846HFJM4b/I\nw33Obt6GcHpvRZHDbJ03xCL1mhR2FHxI7CO/UQ50J165x3sfJYpDsGEZDYz+6E0R\n+wcVcXsdWlu2YQP52pMmyWbajKxcP88R\n-----END PUBLIC KEY-----\n'
SELECT usher.add_jwt_key('rsa', 'RS256', :'rsa'), usher.add_jwt_key('p256', 'ES256', :'p256'), usher.add_jwt_key('p384', 'ES384', :'p384');
SELECT name, purpose, algorithm, bytes FROM usher.secrets();
-- Parsed, and taken for no shared secret.
SELECT valid, reason FROM usher.validate_jwt(site.jwt(:'rsa'));
SELECT usher.add_jwt_key('wrong', 'ES256', :'p384');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.add_jwt_key('wrong', 'ES256', :'rsa');
SELECT usher.add_jwt_key('wrong', 'RS256', :'p256');
SELECT usher.add_jwt_key('wrong', 'RS256', replace(:'rsa', 'MII', 'MIJ'));
SELECT usher.add_jwt_key('wrong', 'RS256', 'a password');
SELECT usher.add_jwt_key('wrong', 'RS256');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.add_jwt_key('wrong', 'HS256', :'rsa');
SELECT usher.add_jwt_key('wrong', 'HS256', '');
SELECT usher.add_jwt_key('wrong', 'HS256', NULL::bytea);
\echo :LAST_ERROR_SQLSTATE
SELECT usher.add_jwt_key('wrong', 'hs256', 'key');
SELECT usher.add_jwt_key('wrong', 'none', 'key');
SELECT usher.add_jwt_key('a name', 'HS256', 'key');
SELECT usher.add_jwt_key('', 'HS256', 'key');
SELECT usher.add_jwt_key(NULL, 'HS256', 'key');
SELECT usher.add_jwt_key('wrong', NULL, 'key');
SELECT usher.add_jwt_key('wrong', 'HS256', repeat('k', 65537));
SELECT count(*) FROM (SELECT usher.add_jwt_key('many-' || i, 'HS256', 'key') FROM generate_series(1, 60) AS i) AS added;
SELECT usher.add_jwt_key('too-many', 'HS256', 'key');
\echo :LAST_ERROR_SQLSTATE
-- One of them may still be replaced.
SELECT usher.add_jwt_key('many-1', 'HS256', 'another key');
SELECT count(*) FROM usher.secrets();
DELETE FROM usher.secret;

-- ==== what a change closes ====
-- Listeners ask again about every group, and a session whose key is gone is
-- refused then; what JWTs opened they close at once.
UPDATE usher.instance SET channel = 'regress_usher';
SELECT usher.set_category('app', 'authenticated'), usher.set_category('shop', 'authenticated');
LISTEN regress_usher;
\o :sed
SELECT usher.set_secret_key('one');
SELECT usher.add_jwt_key('own', 'HS256', 'jwt-one'), usher.add_jwt_key('django', 'HS256');
SELECT usher.set_secret_key('one', '{zero}');
SELECT usher.set_secret_key('one', keep_previous => true);
SELECT usher.add_jwt_key('second', 'HS256', 'jwt-one');
SELECT usher.remove_jwt_key('second');
\o
-- Nothing was lost until here.  A fallback removed:
\o :sed
SELECT usher.remove_secret_key_fallbacks();
\o
-- The key replaced but kept for sessions, not for JWTs:
\o :sed
SELECT usher.set_secret_key('two', keep_previous => true);
\o
-- The key replaced for good:
\o :sed
SELECT usher.set_secret_key('three');
\o
-- A JWT key removed, or replaced under its name:
\o :sed
SELECT usher.remove_jwt_key('own');
SELECT usher.remove_jwt_key('own');
\o
\o :sed
SELECT usher.add_jwt_key('django', 'HS512');
\o
-- Rolled back:
\o :sed
BEGIN; SELECT usher.remove_secret_key(); ROLLBACK;
\o
\o :sed
SELECT usher.remove_secret_key();
\o
UNLISTEN *;
DELETE FROM usher.secret;

-- ==== from a large object ====
CREATE ROLE regress_site;
GRANT usher_app TO regress_site;
SELECT lo_from_bytea(0, 'another''s') AS foreign_object \gset
SET ROLE regress_site;
SELECT lo_from_bytea(0, E'from an object\r\n') AS object \gset
SELECT usher.take_secret_key(:object);
SELECT lo_from_bytea(0, E'newer\n\n') AS object \gset
SELECT usher.take_secret_key(:object, keep_previous => true);
SELECT lo_from_bytea(0, :'p256') AS object \gset
SELECT usher.take_jwt_key('p256', 'ES256', :object);
-- Only one's own; what fails deletes nothing.  The errors name the object.
\set VERBOSITY sqlstate
SELECT usher.take_secret_key(:foreign_object);
SELECT usher.take_jwt_key('x', 'HS256', :foreign_object);
SELECT usher.take_secret_key(:object);
\set VERBOSITY default
SELECT lo_from_bytea(0, E'\n') AS empty \gset
SELECT usher.take_secret_key(:empty);
SELECT lo_from_bytea(0, repeat('k', 65537)::bytea) AS large \gset
SELECT usher.take_secret_key(:large);
SELECT lo_unlink(:empty), lo_unlink(:large);
SELECT usher.take_secret_key(NULL);
RESET ROLE;
SELECT lo_unlink(:foreign_object);
SELECT purpose, ordinal, name, algorithm, encode(value, 'escape') || E'\n' = :'p256' AS pem,
	   CASE WHEN purpose <> 'jwt' THEN encode(value, 'escape') END AS key FROM site.stored;
SELECT count(*) AS objects_left FROM pg_largeobject_metadata WHERE lomowner = 'regress_site'::regrole;
DELETE FROM usher.secret;

-- ==== from a file on the server ====
COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; printf "no newline" >regress_usher.none; printf "two\r\n\r\n" >regress_usher.crlf; printf "\n" >regress_usher.empty; printf " a key \n" >regress_usher';
SET ROLE regress_site;
SELECT usher.load_secret_key('regress_usher');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.load_jwt_key('x', 'HS256', 'regress_usher');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT pg_read_server_files TO regress_site;
SET ROLE regress_site;
SELECT usher.load_secret_key('regress_usher', '{regress_usher.none,regress_usher.crlf}');
SELECT usher.load_jwt_key('x', 'HS256', 'regress_usher.none');
SELECT usher.load_secret_key('regress_usher.empty');
SELECT usher.load_secret_key('regress_usher', '{regress_usher.empty}');
SELECT usher.load_secret_key('regress_usher.missing');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.load_secret_key('global');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.load_secret_key(NULL);
SELECT usher.load_secret_key('regress_usher', ARRAY[NULL]);
SELECT usher.load_jwt_key('x', 'RS256', 'regress_usher');
RESET ROLE;
SELECT purpose, ordinal, name, algorithm, encode(value, 'escape') AS key FROM site.stored;
SELECT usher.load_secret_key('regress_usher.none', keep_previous => true);
SELECT purpose, ordinal, name, algorithm, encode(value, 'escape') AS key FROM site.stored;
COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm -f regress_usher regress_usher.none regress_usher.crlf regress_usher.empty';

-- ==== who may see what ====
CREATE ROLE regress_listener;
GRANT usher_listener TO regress_listener;
CREATE ROLE regress_nobody;
-- The role that may dump: it owns the site's tables.
CREATE ROLE regress_dumper;
GRANT usher_app TO regress_dumper;
ALTER TABLE site.auth_user OWNER TO regress_dumper;
ALTER TABLE site.django_session OWNER TO regress_dumper;
GRANT USAGE ON SCHEMA site TO regress_dumper;
SET ROLE regress_dumper;
SELECT usher.attach_django('site.auth_user', NULL, session_table => 'site.django_session', knox_table => NULL);
SELECT count(*) FROM usher.jwt_options;
SELECT value FROM usher.secret;
RESET ROLE;
SELECT role, has_table_privilege(role, 'usher.secret', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS table_right,
	   has_any_column_privilege(role, 'usher.secret', 'SELECT, INSERT, UPDATE, REFERENCES') AS column_right,
	   pg_has_role(role, 'usher_owner', 'MEMBER') AS owner
FROM unnest(ARRAY['usher_app', 'usher_listener', 'regress_site', 'regress_listener', 'regress_dumper', 'regress_nobody']) AS role;
SELECT relacl FROM pg_class WHERE oid = 'usher.secret'::regclass AND relacl::text ~ '[{,]=';
SET ROLE regress_site;
SELECT value FROM usher.secret;
COPY usher.secret TO STDOUT;
SELECT name, bytes FROM usher.secrets();
SET ROLE regress_listener;
SELECT value FROM usher.secret;
SELECT * FROM usher.secrets();
SELECT usher.set_secret_key('x');
SELECT usher.take_secret_key(1);
SET ROLE regress_nobody;
SELECT value FROM usher.secret;
SELECT * FROM usher.secrets();
RESET ROLE;
-- usher_owner knows what there is and no key: what the site has put on its
-- own tables runs as that role, too, here a trigger and a policy.
SELECT relowner::regrole = 'usher_owner'::regrole AS owned, has_table_privilege('usher_owner', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS table_right
FROM pg_class WHERE oid = 'usher.secret'::regclass;
GRANT CREATE ON SCHEMA site TO regress_dumper;
SET ROLE regress_dumper;
CREATE FUNCTION site.loot() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'as %: % keys', current_user, (SELECT count(purpose) FROM usher.secret);
	RAISE WARNING 'as %: %', current_user, (SELECT array_agg(value) FROM usher.secret);
EXCEPTION WHEN insufficient_privilege THEN
	RAISE WARNING 'as %: %', current_user, SQLERRM;
END $$;
CREATE FUNCTION site.loot_by_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM site.loot(); RETURN OLD; END $$;
CREATE FUNCTION site.loot_by_policy() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM site.loot(); RETURN true; END $$;
CREATE TRIGGER loot BEFORE DELETE ON site.django_session FOR EACH ROW EXECUTE FUNCTION site.loot_by_trigger();
INSERT INTO site.django_session VALUES ('lootlootloot', 'x', now() + interval '1 hour');
SELECT usher.revoke_django_session('lootlootloot');
ALTER TABLE site.auth_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY loot ON site.auth_user USING (site.loot_by_policy());
SELECT valid FROM usher.issue_session_for('1');
DROP POLICY loot ON site.auth_user;
ALTER TABLE site.auth_user DISABLE ROW LEVEL SECURITY;
DROP TRIGGER loot ON site.django_session;
RESET ROLE;
-- Nor can anybody have usher_owner read for him what is not his: its own
-- tables, or columns that the site has lent it.
GRANT USAGE ON SCHEMA site TO regress_site;
SET ROLE regress_site;
SELECT usher.remember_django(jsonb_populate_record(NULL::usher.site, '{"user_table": "usher.secret", "user_key": "purpose", "user_key_type": "text", "username_column": "value"}'));
\echo :LAST_ERROR_SQLSTATE
SELECT usher.remember_django(jsonb_populate_record(NULL::usher.site, '{"user_table": "usher.instance", "user_key": "singleton", "user_key_type": "other", "username_column": "channel"}'));
SELECT usher.remember_django(jsonb_populate_record(NULL::usher.site, jsonb_build_object('user_table', 'site.auth_user'::regclass::oid::text, 'user_key', 'id', 'user_key_type', 'integer', 'username_column', 'password')));
CREATE TEMPORARY TABLE mine (id int PRIMARY KEY);
SELECT usher.remember_django(jsonb_populate_record(NULL::usher.site, jsonb_build_object('user_table', 'mine', 'user_key', 'id', 'user_key_type', 'integer', 'knox_table', 'usher.instance', 'knox_format', 'v5', 'knox_expiry', 'salt')));
SELECT usher.remember_django(jsonb_populate_record(NULL::usher.site, '{"user_table": "4294967295"}'));
SELECT usher.remember_django(NULL);
SELECT usher.store_django(NULL);
DROP TABLE mine;
RESET ROLE;
SELECT user_table, username_column FROM usher.django;
-- Not in the statistics either, whoever asks.
ANALYZE usher.secret;
SELECT attname FROM pg_stats WHERE schemaname = 'usher' AND tablename = 'secret' AND attname = 'value';
SELECT pg_get_expr(adbin, adrelid) AS defaults FROM pg_attrdef WHERE adrelid = 'usher.secret'::regclass;
SELECT 'usher.secret'::regclass = ANY (extconfig) AS dumped FROM pg_extension WHERE extname = 'usher';

SELECT usher.detach_django();
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site, regress_listener, regress_nobody, regress_dumper;
DROP ROLE regress_site, regress_listener, regress_nobody, regress_dumper;
