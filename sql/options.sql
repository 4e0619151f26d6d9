-- Options of sessions, JWTs and knox: what they do, and what they may not be.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION usher;
-- How Django and PyJWT sign.
\i ../sql/include/signing.sql
CREATE TABLE site.auth_user (id int PRIMARY KEY, username text, is_active boolean, password text);
CREATE TABLE site.django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz);
CREATE TABLE site.knox_authtoken (digest varchar(128) PRIMARY KEY, token_key varchar(25), user_id int, created timestamptz, expiry timestamptz);
INSERT INTO site.auth_user VALUES (1, 'alice', true, 'pw'), (2, 'bob', false, 'pw');
-- A session of a user, as a store class of some name signs it.
CREATE FUNCTION site.log_in(session_key text, user_id text, backend text, store_class text DEFAULT 'SessionStore') RETURNS void
LANGUAGE sql AS $$
	INSERT INTO site.django_session
	SELECT session_key,
		   body || ':' || site.base64url(site.salted_hmac('django.contrib.sessions.' || store_class || 'signer', body, 'key')),
		   now() + interval '1 hour'
	FROM (SELECT site.base64url(convert_to(jsonb_build_object(
			'_auth_user_id', user_id, '_auth_user_backend', backend,
			'_auth_user_hash', encode(site.salted_hmac(
				'django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash', 'pw', 'key'), 'hex'))::text, 'UTF8'))
		|| ':1tqxyz' AS body) AS b
$$;
SELECT usher.attach_django('site.auth_user', NULL, session_table => 'site.django_session', knox_table => 'site.knox_authtoken');
SELECT usher.set_secret_key('key');
SELECT usher.add_jwt_key('django', 'HS256');

-- ==== sessions ====
SELECT site.log_in('model-backend', '1', 'django.contrib.auth.backends.ModelBackend'),
	   site.log_in('other-backend', '1', 'shop.auth.Backend'),
	   site.log_in('inactive-user', '2', 'django.contrib.auth.backends.ModelBackend'),
	   site.log_in('all-users', '2', 'django.contrib.auth.backends.AllowAllUsersModelBackend'),
	   site.log_in('other-store', '1', 'django.contrib.auth.backends.ModelBackend', 'ShopStore');
CREATE VIEW site.sessions AS
SELECT s.session_key, valid, reason FROM site.django_session AS s, usher.validate_django_session(s.session_key) ORDER BY 1;
SELECT * FROM site.sessions;
SELECT usher.set_session_options(ARRAY['shop.auth.Backend', 'django.contrib.auth.backends.AllowAllUsersModelBackend']);
SELECT * FROM site.sessions;
SELECT usher.set_session_options(store_class => 'ShopStore');
SELECT * FROM site.sessions;
-- Each call replaces what the one before said.
SELECT usher.set_session_options();
SELECT * FROM site.sessions;
BEGIN;
SELECT usher.set_session_options(store_class => 'ShopStore');
SELECT valid FROM usher.validate_django_session('model-backend');
ROLLBACK;
SELECT valid FROM usher.validate_django_session('model-backend');
-- A row as Django 3.0 wrote it: SHA-1, made with Python.
INSERT INTO site.django_session VALUES ('before-3.1', 'ZjNmODE0NTUwMzc0MGY5ZDljMzI3NzA3ZTVkYjE2Yzg5NGUxMTkwNDp7Il9hdXRoX3VzZXJfaWQiOiAiMSIsICJfYXV0aF91c2VyX2JhY2tlbmQiOiAiZGphbmdvLmNvbnRyaWIuYXV0aC5iYWNrZW5kcy5Nb2RlbEJhY2tlbmQiLCAiX2F1dGhfdXNlcl9oYXNoIjogIjQzZDY0ZDc3MjIzMzhmMjYzOGMyZjdjNzJjODAzZmEwZTE5OTllYjAifQ==', now() + interval '1 hour');
SELECT valid, reason FROM usher.validate_django_session('before-3.1');
SELECT usher.set_session_options(accept_pre_3_1 => true);
SELECT valid, reason, user_id FROM usher.validate_django_session('before-3.1');
SELECT usher.set_session_options();
-- A cookie of the signed_cookies backend, saved a minute ago.
CREATE FUNCTION site.base62(number bigint) RETURNS text
LANGUAGE sql AS $$
	WITH RECURSIVE digits(rest, text) AS (
		SELECT number, ''
		UNION ALL
		SELECT rest / 62, substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (rest % 62)::int + 1, 1) || text
		FROM digits WHERE rest > 0)
	SELECT text FROM digits WHERE rest = 0
$$;
SELECT body || ':' || site.base64url(site.salted_hmac('django.contrib.sessions.backends.signed_cookiessigner', body, 'key')) AS cookie
FROM (SELECT split_part(session_data, ':', 1) || ':' || site.base62(extract(epoch FROM now())::bigint - 60) AS body
	  FROM site.django_session WHERE session_key = 'model-backend') AS b \gset
SELECT valid, reason FROM usher.validate_django_session(:'cookie');
SELECT usher.set_session_options(signed_cookies => true);
SELECT valid, reason, user_id FROM usher.validate_django_session(:'cookie');
SELECT usher.set_session_options(signed_cookies => true, cookie_age => '30 s');
SELECT valid, reason FROM usher.validate_django_session(:'cookie');
-- What it may not be.
SELECT usher.set_session_options(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_session_options('{}');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_session_options('{a,NULL}');
SELECT usher.set_session_options('{a,""}');
SELECT usher.set_session_options(store_class => '');
SELECT usher.set_session_options(store_class => NULL);
SELECT usher.set_session_options(accept_pre_3_1 => NULL);
SELECT usher.set_session_options(signed_cookies => NULL);
SELECT usher.set_session_options(cookie_age => '0 s');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_session_options(cookie_age => '1.5 s');
SELECT usher.set_session_options(cookie_age => '100 years');
SELECT usher.set_session_options(cookie_age => NULL);
SELECT usher.set_session_options(cookie_age => '1 year 2 months 3 days 04:05:06');
SELECT cookie_age_s FROM usher.session_options;

-- ==== JWTs ====
CREATE FUNCTION site.try(claims jsonb, OUT valid boolean, OUT reason text, OUT user_id text)
LANGUAGE sql AS $$ SELECT valid, reason, user_id FROM usher.validate_jwt(site.jwt('key', claims)) $$;
SELECT * FROM site.try('{}');
SELECT * FROM site.try('{"aud": "shop", "iss": "us"}');
SELECT usher.set_jwt_options(audience => 'shop', issuer => 'us');
SELECT * FROM site.try('{"aud": "shop", "iss": "us"}');
SELECT * FROM site.try('{"aud": "mail", "iss": "us"}');
SELECT * FROM site.try('{"aud": "shop", "iss": "you"}');
SELECT usher.set_jwt_options(audience => 'магазин');
SELECT * FROM site.try('{"aud": ["mail", "магазин"]}');
SELECT usher.set_jwt_options(leeway => '1 min');
SELECT * FROM site.try(jsonb_build_object('exp', extract(epoch FROM now()) - 30));
SELECT * FROM site.try(jsonb_build_object('exp', extract(epoch FROM now()) - 90));
SELECT usher.set_jwt_options(user_id_claim => 'sub', token_type_claim => 'use', token_types => '{id,access}', jti_claim => NULL);
SELECT * FROM site.try('{"sub": "1", "use": "id", "jti": null}');
SELECT * FROM site.try('{"sub": "1", "use": "refresh"}');
SELECT usher.set_jwt_options(token_type_claim => NULL, jti_claim => 'id');
SELECT * FROM site.try('{"token_type": "refresh"}');
SELECT * FROM site.try('{"id": "7"}');
SELECT usher.set_jwt_options(check_revoke_token => true, revoke_token_claim => 'pw');
SELECT * FROM site.try('{}');
SELECT * FROM site.try(jsonb_build_object('pw', upper(md5('pw'))));
SELECT * FROM site.try(jsonb_build_object('pw', upper(md5('former'))));
SELECT usher.set_jwt_options();
SELECT * FROM site.try('{"user_id": 2}');
SELECT usher.set_jwt_options(check_user_is_active => false);
SELECT * FROM site.try('{"user_id": 2}');
-- drf-jwt knows neither token types nor hash_password.
SELECT usher.set_jwt_options('drf-jwt', check_revoke_token => true);
SELECT * FROM site.try('{"user_id": 2, "username": "alice", "token_type": null, "jti": null}');
SELECT * FROM site.try('{"username": "eve"}');
SELECT usher.set_jwt_options('jose');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_jwt_options(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_jwt_options(audience => '');
SELECT usher.set_jwt_options(issuer => '');
SELECT usher.set_jwt_options(leeway => '-1 s');
SELECT usher.set_jwt_options(leeway => '0.5 s');
SELECT usher.set_jwt_options(leeway => NULL);
SELECT usher.set_jwt_options(user_id_claim => NULL);
SELECT usher.set_jwt_options(user_id_claim => 'идент');
SELECT usher.set_jwt_options(token_type_claim => '');
SELECT usher.set_jwt_options(token_types => '{}');
SELECT usher.set_jwt_options(token_types => NULL);
SELECT usher.set_jwt_options(jti_claim => '');
SELECT usher.set_jwt_options(check_revoke_token => NULL);
SELECT usher.set_jwt_options(revoke_token_claim => NULL);
SELECT usher.set_jwt_options(check_user_is_active => NULL);

-- ==== knox ====
INSERT INTO site.knox_authtoken VALUES
	(encode(sha512('knox-token-1'), 'hex'), 'knox-token-1', 1, now(), NULL),
	(encode(sha256('knox-token-2'), 'hex'), 'knox-token-2', 1, now(), NULL);
SELECT a.valid AS sha512, b.valid AS sha256 FROM usher.validate_knox('knox-token-1') AS a, usher.validate_knox('knox-token-2') AS b;
SELECT usher.set_knox_options('sha256');
SELECT a.valid AS sha512, b.valid AS sha256 FROM usher.validate_knox('knox-token-1') AS a, usher.validate_knox('knox-token-2') AS b;
SELECT usher.set_knox_options('sha384'), usher.set_knox_options('sha3_512'), usher.set_knox_options('sha3_256');
SELECT valid FROM usher.validate_knox('knox-token-2');
SELECT usher.set_knox_options();
SELECT a.valid AS sha512, b.valid AS sha256 FROM usher.validate_knox('knox-token-1') AS a, usher.validate_knox('knox-token-2') AS b;
SELECT usher.set_knox_options('md5');
\echo :LAST_ERROR_SQLSTATE
SELECT usher.set_knox_options(NULL);
\echo :LAST_ERROR_SQLSTATE
-- Hashes beyond SQL's own: of each token, by Python's hashlib.
INSERT INTO site.knox_authtoken VALUES
	('a83bdf836ea8cd4c72ab4f19b2b89b78b7203ac9a717d3e562d2fcfee77b1b6d2d699abb449d28bf1a7f5c9da8353ffe', 'knox-token-3', 1, now(), NULL),
	('6510787e8893adcefd3e4cc90e71022d0a9e2dc111909481c5dad821add03470', 'knox-token-4', 1, now(), NULL),
	('3ef7b310286fad4e8be23f2d866700c2264d46260a40568124b6d9ff9da823bd5ba8682e6a7b5fa4223e9d2f79e169facdee53d83ce031d7e7d6216f6f9d3b52', 'knox-token-5', 1, now(), NULL);
SELECT usher.set_knox_options('sha384');
SELECT valid FROM usher.validate_knox('knox-token-3');
SELECT usher.set_knox_options('sha3_256');
SELECT valid FROM usher.validate_knox('knox-token-4');
SELECT usher.set_knox_options('sha3_512');
SELECT valid FROM usher.validate_knox('knox-token-5');

-- ==== who may ====
CREATE ROLE regress_site;
CREATE ROLE regress_listener;
GRANT usher_app TO regress_site;
GRANT usher_listener TO regress_listener;
SET ROLE regress_site;
SELECT usher.set_session_options(), usher.set_jwt_options(), usher.set_knox_options();
UPDATE usher.jwt_options SET audience = 'x';
SELECT usher.check_option('x', '{y}');
SET ROLE regress_listener;
SELECT usher.set_session_options();
SELECT usher.set_jwt_options();
SELECT usher.set_knox_options();
RESET ROLE;

SELECT usher.detach_django();
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site, regress_listener;
DROP ROLE regress_site, regress_listener;
