-- validate_knox(): tokens of django-rest-knox, as its versions store them.
--
-- Digests are computed here as knox/crypto.py does: SHA-512 of the token's
-- characters (5.x), of the bytes it spells in hex (4.2), of those and the
-- salt's (before 4.2).
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
INSERT INTO auth_user VALUES
	(7, 'pw', 'ann', true), (8, 'pw', 'bob', false), (9, 'pw', 'carol', true);
CREATE TABLE knox_authtoken (
	digest varchar(128) PRIMARY KEY,
	token_key varchar(25) NOT NULL,
	created timestamptz NOT NULL DEFAULT now(),
	expiry timestamptz,
	user_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX ON knox_authtoken (token_key);
CREATE FUNCTION knox5(token text, algorithm text DEFAULT 'sha512') RETURNS text LANGUAGE plpgsql AS $$
DECLARE digest text;
BEGIN
	EXECUTE format('SELECT encode(%I(convert_to($1, ''UTF8'')), ''hex'')', algorithm) USING token INTO digest;
	RETURN digest;
END$$;
\set ann '0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a'
\set bob '0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b'
\set old '0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c'
\set sibling '0a0a0a0a0a0a0a0affffffffffffffffffffffffffffffffffffffffffffffff'
\set gone '0a0a0a0a0a0a0a0aeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'
\set prefixed 'préfixe_0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d'
INSERT INTO knox_authtoken (digest, token_key, expiry, user_id)
SELECT knox5(token), left(token, 15), expiry, user_id FROM (VALUES
	(:'ann', 'infinity'::timestamptz, 7), (:'bob', NULL, 8), (:'old', '2001-01-01 UTC', 7),
	(:'sibling', '9999-12-31 UTC', 9), (:'gone', '2001-01-01 UTC', 7), (:'prefixed', NULL, 9)) AS v (token, expiry, user_id);
SELECT valid, reason FROM usher.validate_knox(:'ann');
SELECT usher.attach_django(knox_table => NULL, token_table => NULL);
SELECT valid, reason FROM usher.validate_knox(:'ann');
SELECT usher.attach_django(token_table => NULL);
RESET ROLE;
UPDATE usher.instance SET salt = sha256('salt');
SELECT knox_format, knox_expiry FROM usher.django;
SET ROLE regress_site;
SET TimeZone = 'UTC';

SELECT * FROM usher.validate_knox(:'sibling') \gx
SELECT * FROM usher.validate_knox(:'bob') \gx
-- The id is sha256(salt || 'knox:' || digest).
SELECT credential_id = encode(sha256(sha256('salt') || 'knox:' || knox5(:'ann')::bytea), 'hex') AS as_documented
FROM usher.validate_knox(:'ann');

-- Three rows begin alike: the digest decides, and an expired one only of
-- itself.  No expiry is none, infinity too.
SELECT name, valid, reason, user_id, expires_at
FROM (VALUES ('ann', :'ann'), ('bob', :'bob'), ('old', :'old'), ('sibling', :'sibling'), ('gone', :'gone'), ('prefixed', :'prefixed')) AS v (name, token),
	usher.validate_knox(token);

-- Exactly the token, and nothing that is none.
SELECT left(token, 66) AS token, valid, reason FROM unnest(ARRAY[
	upper(:'ann'), left(:'ann', 15), left(:'ann', 63), :'ann' || ' ', ' ' || :'ann', substr(:'prefixed', 9), 'prefixe_' || :'old',
	'', 'x', '%', 'é', '日本語日本語日本語日本語日本語日本語', E'\x01\x7f\n', repeat('0a', 512), repeat('0a', 513), repeat('é', 5000), NULL]) AS token,
	usher.validate_knox(token);

-- authenticate() knows the kind by name; where knox has the only tokens,
-- token means that.
SELECT k.kind AS asked, a.valid, a.reason, a.user_id, a.kind
FROM (VALUES ('knox'), ('token'), ('Knox')) AS k (kind), usher.authenticate(k.kind, :'ann') AS a;
SELECT valid, reason, kind FROM usher.authenticate('knox', NULL);
SELECT valid, reason, kind FROM usher.authenticate('token', 'nonsense');

-- A session key that a knox token issued lives no longer than that.
UPDATE knox_authtoken SET expiry = now() + interval '60 s' WHERE digest = knox5(:'ann');
SELECT session_key AS key FROM usher.issue_session(:'ann', '120 s') \gset
SELECT valid, reason, user_id, kind, expires_at <= now() + interval '60 s' AS no_longer FROM usher.validate_session(:'key');
BEGIN;
ALTER TABLE knox_authtoken DISABLE TRIGGER USER;
UPDATE knox_authtoken SET expiry = now() - interval '1 s' WHERE digest = knox5(:'ann');
SELECT valid, reason FROM usher.validate_session(:'key');
DELETE FROM knox_authtoken WHERE digest = knox5(:'ann');
SELECT valid, reason FROM usher.validate_session(:'key');
ROLLBACK;

-- A connection that a token opened is checked again by its id alone.
SELECT usher.set_category('room', join => 'authenticated');
SELECT credential_id AS id FROM usher.validate_knox(:'ann') \gset
SELECT encode(sha256(sha256('salt') || 'knox:' || knox5(:'bob')::bytea), 'hex') AS bobs \gset
RESET ROLE;
CREATE FUNCTION again(user_id text, id text) RETURNS usher.admission LANGUAGE sql
BEGIN ATOMIC SELECT usher.recheck_admission('knox', user_id, id, 'room_1'); END;
GRANT EXECUTE ON FUNCTION again(text, text) TO usher_listener;
GRANT USAGE ON SCHEMA site TO usher_listener;
SET ROLE usher_listener;
SELECT valid, reason, user_id, username, kind, credential_id = :'id' AS same_id, may_join FROM again('7', :'id');
SELECT valid, reason FROM (VALUES ('8', :'bobs'), ('9', :'id'), ('99', :'id'), ('x', :'id'), ('7', ''), ('7', left(:'id', -1)), ('7', upper(:'id')), (NULL, :'id'), ('7', NULL)) AS v (user_id, id),
	again(v.user_id, v.id);
SET ROLE regress_site;
BEGIN;
UPDATE knox_authtoken SET expiry = now() - interval '1 s' WHERE digest = knox5(:'ann');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'id');
ROLLBACK;
BEGIN;
DELETE FROM knox_authtoken WHERE digest = knox5(:'ann');
SELECT valid, reason FROM usher.validate_knox(:'ann');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'id');
ROLLBACK;
BEGIN READ ONLY;
SELECT valid FROM usher.validate_knox(:'ann');
COMMIT;

-- SECURE_HASH_ALGORITHM
SELECT usher.set_knox_options('sha256');
SELECT valid, reason FROM usher.validate_knox(:'ann');
UPDATE knox_authtoken SET digest = knox5(:'ann', 'sha256') WHERE digest = knox5(:'ann');
SELECT valid, reason FROM usher.validate_knox(:'ann');
SELECT usher.set_knox_options();

-- 4.2: shorter keys in the table and the bytes hashed, so case is nothing
-- behind them.
CREATE TABLE knox42 (
	digest varchar(128) PRIMARY KEY, token_key varchar(8) NOT NULL, created timestamptz NOT NULL DEFAULT now(),
	expiry timestamptz, user_id integer NOT NULL);
INSERT INTO knox42 (digest, token_key, expiry, user_id)
SELECT encode(sha512(decode(token, 'hex')), 'hex'), left(token, 8), expiry, user_id FROM (VALUES
	(:'ann', NULL::timestamptz, 7), (:'gone', '2001-01-01 UTC', 7), (:'sibling', '9999-12-31 UTC', 9)) AS v (token, expiry, user_id);
SELECT usher.attach_django(token_table => NULL, knox_table => 'knox42');
SELECT left(token, 66) AS token, valid, reason, user_id FROM unnest(ARRAY[
	:'ann', :'gone', :'sibling', left(:'ann', 8) || upper(substr(:'ann', 9)), upper(:'ann'),
	left(:'ann', 8), left(:'ann', 63), overlay(:'ann' PLACING 'x' FROM 20), left(:'ann', 62) || 'é']) AS token,
	usher.validate_knox(token);

-- Before 4.2: a salt in each row, and in 3.x another name for the expiry.
CREATE TABLE knox3 (
	digest varchar(128) PRIMARY KEY, token_key varchar(8) NOT NULL, salt varchar(16) NOT NULL UNIQUE,
	created timestamptz NOT NULL DEFAULT now(), expires timestamptz, user_id integer NOT NULL);
INSERT INTO knox3 (digest, token_key, salt, expires, user_id)
SELECT encode(sha512(decode(token || salt, 'hex')), 'hex'), left(token, 8), salt, expires, user_id FROM (VALUES
	(:'ann', '0123456789abcdef', NULL::timestamptz, 7), (:'gone', '1123456789abcdef', '2001-01-01 UTC', 7),
	(:'sibling', '2123456789abcdef', '9999-12-31 UTC', 9)) AS v (token, salt, expires, user_id);
INSERT INTO knox3 VALUES ('', left(:'bob', 8), 'not hex', now(), NULL, 9);
SELECT usher.attach_django(token_table => NULL, knox_table => 'knox3');
SELECT left(token, 66) AS token, valid, reason, user_id, expires_at FROM unnest(ARRAY[:'ann', :'gone', :'sibling', :'bob']) AS token,
	usher.validate_knox(token);

-- Beside a token table a token is one of that.
CREATE TABLE authtoken_token (
	key varchar(40) PRIMARY KEY, created timestamptz NOT NULL DEFAULT now(),
	user_id integer NOT NULL UNIQUE);
INSERT INTO authtoken_token VALUES (repeat('a', 40), now(), 9);
SELECT usher.attach_django(knox_table => 'knox3');
SELECT k.kind AS asked, a.valid, a.reason, a.user_id, a.kind
FROM (VALUES ('knox', :'ann'), ('token', :'ann'), ('token', repeat('a', 40)), ('knox', repeat('a', 40))) AS k (kind, token), usher.authenticate(k.kind, token) AS a;

RESET ROLE;
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site;
DROP ROLE regress_site;

-- In a database of another encoding the same bytes are hashed.
\set previous :DBNAME
CREATE DATABASE regress_usher_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\connect regress_usher_latin1
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE TABLE auth_user (
	id serial PRIMARY KEY, password varchar(128) NOT NULL,
	username varchar(150) NOT NULL UNIQUE, is_active boolean NOT NULL);
CREATE TABLE knox_authtoken (
	digest varchar(128) PRIMARY KEY, token_key varchar(25) NOT NULL, created timestamptz NOT NULL DEFAULT now(),
	expiry timestamptz, user_id integer NOT NULL);
INSERT INTO auth_user VALUES (9, 'pw', 'carol', true);
INSERT INTO knox_authtoken VALUES (encode(sha512(convert_to(:'prefixed', 'UTF8')), 'hex'), left(:'prefixed', 15), now(), NULL, 9);
SELECT usher.attach_django(token_table => NULL);
SELECT valid, reason, username FROM usher.validate_knox(:'prefixed');
\connect :previous
DROP DATABASE regress_usher_latin1;
