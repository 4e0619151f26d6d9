-- validate_django_session(): who is logged in with a session of Django's own.
--
-- The rows were made once with Django 3.2 (time.time() being 1700000000):
--   def login(id, key=KEY, backend='django.contrib.auth.backends.ModelBackend'):
--       settings.SECRET_KEY = key
--       return {'_auth_user_id': str(id), '_auth_user_backend': backend,
--               '_auth_user_hash': User(password=PASSWORD[id]).get_session_auth_hash()}
--   def row(session, key=KEY, store=SessionStore):
--       settings.SECRET_KEY = key
--       return store().encode(session)
--   def signed(b):
--       return TimestampSigner(KEY, salt='django.contrib.sessions.SessionStore').sign(b64_encode(b).decode())
-- ann, carol, dede: row(login(7)) and so on; plain: signed(json.dumps(login(7)));
-- number: the id is the number 7; json: with the members '\0', '\ud800', nan;
-- old: row(login(7, key=OLD), key=OLD); oldhash: row(login(7, key=OLD));
-- list, pickle: signed(b'[1]'), signed(b'\x80\x05}.'); ownstore: store=OwnStore;
-- sha1: with DEFAULT_HASHING_ALGORITHM = 'sha1'; uuid: a user with such a key.
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
CREATE TABLE django_session (
	session_key varchar(40) PRIMARY KEY,
	session_data text NOT NULL,
	expire_date timestamptz NOT NULL);
INSERT INTO auth_user VALUES
	(7, 'pbkdf2_sha256$260000$kJ3nVq8s$7m0cX1vJ=', 'ann', true),
	(8, 'pbkdf2_sha256$260000$aaaaaaaa$bbbbbbbb=', 'bob', false),
	(9, '!ZjvQy2W8n5kT0cR7', 'carol', true),
	(10, 'clair-é', 'dédé', true);
-- The keys are the names, with zeros behind them.
INSERT INTO django_session
SELECT rpad(name, 32, '0'), data, '9999-12-31 UTC' FROM (VALUES
	('ann', '.eJxVjEEOwiAQRe_C2pBB6AAu3fcMhGGoVA0kpV0Z765NutDtf-_9lwhxW0vYel7CzOIirDj9bhTTI9cd8D3WW5Op1XWZSe6KPGiXY-P8vB7u30GJvXxrn9Ai0dkBEho1GeWQI4CKHhG8zwAmO2-Y0dnBG61TQqBB6wksWxTvD7szNpk:1r31eq:-ro9M0epJlS2eEiuXI96wJPx4C9791jtKZsh2njhaDk'),
	('plain', 'eyJfYXV0aF91c2VyX2lkIjogIjciLCAiX2F1dGhfdXNlcl9iYWNrZW5kIjogImRqYW5nby5jb250cmliLmF1dGguYmFja2VuZHMuTW9kZWxCYWNrZW5kIiwgIl9hdXRoX3VzZXJfaGFzaCI6ICI5YzY3NmJiMjgwNmI2NDFmNDE4NmRhMDAxYTk2NjA5OWUwMDRlODk0ZGQ2ODc1OTQzM2NjNjBiNTMzZjA3ZDc2In0:1r31eq:j1JFhlMuEXdNtYG-4qvmn180IxsQYYW0aiYO8Ftwdpg'),
	('carol', '.eJxVjEEOwiAQRe_C2pAW6JRx6d4zNMMMSNVAUtqV8e7apAvd_vfef6mJtjVPW4vLNIs6K1Sn3y0QP2LZgdyp3KrmWtZlDnpX9EGbvlaJz8vh_h1kavlbc3TJWI9MyALJYE_QyUhR2AMbdiLj0KMdJZlgbPBEXUBJHSCAG3r1_gANKjhz:1r31eq:1yeWykVViY82yAGzeDnfHKxSsmzJiMQTtlumZrzQyqs'),
	('dede', '.eJxVjDsOwjAQBe_iGlle_9ahpOcMlp1d4wBypDipEHeHSCmgfTPzXiKmba1x67zEicRZgBKn3zGn8cFtJ3RP7TbLcW7rMmW5K_KgXV5n4uflcP8Oaur1Ww_oCQAsWHQ2eE0GObhgPCZgNWgGq4rzzDp7hQY0GgTgzJRLLkji_QG_yTcX:1r31eq:PaeuF0h0gAXLLK3kIHYdV_ecILCkPKIfjDD6APlVV1M'),
	('number', '.eJxVjEEOwiAQRe_C2pBB6AAu3fcMZGCoVA0kpV0Z725NutDt--_9lwi0rSVsPS9hZnGxp18SKT1y3bHgO9Vbk6nVdZmj_CryWLscG-fn9XD_Dgr1stc-ocUYzw4wolGTUQ6ZABR5RPA-A5jsvGFGZwdvtE4JIQ5aT2DZonh_AIWuNlU:1r31eq:y0g7DsV27zlgKZaC9BZ0KD8HxHT10kJAsUhhvzEUcqw'),
	('json', '.eJxVjMsOgjAQRf-la9MMtkxblu7lC0zI9IFFsSRAV8Z_txAWOrsz997zZh3lNXZ5CXM3eNYwxU6_P0vuGdIW-Ael-8TdlNZ5sHyr8CNd-HXyYbwc3T9BpCWWtXGo0NqzBrQoq15WGj0BVGQQwZgAIIM20nvUqjZSCOcQbC1ED8orLNKUxyK6ZShXMNLY7-z1zim_bJhZ01L7-QIfq0Lt:1r31eq:HZZCpTKLwvQWDGyil5K4epAYZ5J2q3tzXTQX2c5VMWI'),
	('old', '.eJxVjDsOwjAQRO_iGlnYiX-U9JzBGnvXOIASKU4qxN1JpBTQjea9mbeIWJca18ZzHEhchBOn3y4hP3ncAT0w3ieZp3GZhyR3RR60ydtE_Loe7t9BRavbWpHuTCmaDAUowJJ3rKATI9gcqPedBoOt3lIfgFRMl53xZKxV6Sw-XwSEOGU:1r31eq:G-Kij66Ll4pYnNgomkcNShesyt_Ddly0WWSq-P_0Uls'),
	('oldhash', '.eJxVjDsOwjAQRO_iGlnYiX-U9JzBGnvXOIASKU4qxN1JpBTQjea9mbeIWJca18ZzHEhchBOn3y4hP3ncAT0w3ieZp3GZhyR3RR60ydtE_Loe7t9BRavbWpHuTCmaDAUowJJ3rKATI9gcqPedBoOt3lIfgFRMl53xZKxV6Sw-XwSEOGU:1r31eq:DkQH1q8Q3aq-A2RwcZGl2XsEXxD2uXPNgJttpiEi_Uw'),
	('visitor', 'eyJjYXJ0IjpbMSwyXX0:1r31eq:y4lQEkVy_23ZFCcxOBxJn_veRFzT2cyXz6vBWymF_-I'),
	('backend', '.eJxVyjEOAiEQRuG7UBszyOwPY-lFyACzwWgsFjdbGO-uJhbafu89XNb13vM6bMnn5o4uut2vFa0Xu32CXYdt3Rbbn772N3Yd_X1JRUQph0QoYD-zT2hK5FUAEjEitiTcGlKchEOoFVSmEGaKLcI9XzUoLZE:1r31eq:hn9YXoSVbBo5qtavmqKWP0uTvFDMGHrWbXbITvilpto'),
	('hash', '.eJyrVopPLC3JiC8tTi2Kz0xRslIyV9JBFktKTM5OzQNJpGQl5qXn6yXn55UUZSbpgZToQWWL9XzzU1JznKBqUQzISCzOAOo2oBAo1QIAJowyUw:1r31eq:BU_rikPQ9TNCxzMFtvAhnJ2Tkr43wu0sVRQDHDEPKJw'),
	('nohash', '.eJyrVopPLC3JiC8tTi2Kz0xRslIyV9JBFktKTM5OzQNJpGQl5qXn6yXn55UUZSbpgZToQWWL9XzzU1JznKBqawE8hh8z:1r31eq:VgcSI_YVz4h-A4dpO5T3USUAxnzDMMRad3NOUb4_dQw'),
	('upper', '.eJxVjEEOwiAUBe_C2pCP0A-4K9DuPAOhhdiqgaS0K-PdtUkXun0z817Eh22d_FbT4udILkSS0-82hPGR8g7iPeRboWPJ6zIPdFfoQSu9lpie5nD_DqZQp2-tLUo05qwADQrWC6bQtQCs1YigdQcgOqWFc6hkowXn1iKYhvMepJNI3h9w0zR5:1r31eq:vmGBY759B4gcFW_t7rf5nEtSmoIOXagx5vBUIwAcDvY'),
	('bob', '.eJxVjEEOwiAQRe_C2hAQC1OX7j0DmWEGqRpISrsy3l2bdKHb_977LxVxXUpcu8xxYnVWoA6_G2F6SN0A37Hemk6tLvNEelP0Tru-NpbnZXf_Dgr28q3FSDBeAIeQmWm0AQwHdFnckU-jSx6YJYH1jpGRrM-OkgEkoAGzU-8PCSU5KQ:1r31eq:x7r9rK0JrpzFmtf3cycdYuEuSKXrMDzrJ2mv3nzJE6A'),
	('allbob', '.eJxVjDEPgjAQhf9LZ9MUK-3hJrujM7nrXQUlbUIhDsb_LiQMurzhvfd9b9XhMvfdUmTqBlZnBerw2xGGp6Rt4Aeme9Yhp3kaSG8Xva9FX8Yxv9a4rUy5Zpax3cE_W4-lX1VixBsngLWPzNRUHgx7tFHskU-NDQ6YJUDlLCMjVS5aCgaQgGqMVn2-fWE-Uw:1r31eq:ytYx1U84MTiEirMI1Asx0MJ0vVzRNdvBL_P785j8Cng'),
	('gone', '.eJxVjLEOAiEQRP-F2hBwwdu1tPcbCLAbOTWQHHeV8d-V5AotZ96beakQt7WErcsSZlZnRaQOv2WK-SF1EL7Hems6t7ouc9JD0Tvt-tpYnpfd_TsosZex9vlIaK3JwGQEE00mcTIMENH4byQEmKxHIccgzoAwJ2cBXTxhVu8P-0M3iQ:1r31eq:xsVUvC20N05CKdhuQEe1QIjkPUlah1kujPv2ovojDx8'),
	('seven', '.eJxVjMEOwiAQRP-FsyHggl08eu83kIXdSNXQpLRejP-uJD3ocea9mZeKtK0lbk2WOLE6qyZPqerw2yfKd6kd8o3qddZ5rusyJd0VvdOmx5nlcdndv4NCrfS1z8eA1poMHIxgCoNJnAwDEBr_jQEBButRgmMQZ0CYk7OAjk6Y1fsDFHA5OA:1r31eq:zS9HCDBO3dJYCzY7KTUw8PCjiG7bFSHZOlAznrWS7gI'),
	('huge', '.eJxtzEEOwiAQBdC7sDZkcMAOLt33DASYiVQNTUq7Mt5dSbrQxNn9_PfnqULc1hK2JkuYWJ2V_3Pq8M1SzHep3fIt1uus81zXZUq6E723TY8zy-Oy258HJbbS1y4fPRkDGdmDUPIDJE7AiJHAfaInxME4Em8ZxQIKc7IGycYTZfV6A_8VO4s:1r31eq:FdiEGq3yzk95FatNHKFl4Vx_r5q_uKSiv0khDrowh1A'),
	('uuid', '.eJxVjTsOwjAQRO_iGlv-x6ZMzxmi9e6aBFAi5VMh7k4ipYBupHlv5i062Na-2xaeu4HEVbiqsQHDMoIu0oPLMpNDGYqpES03lLS4_GoF8Mnj4dIDxvukcBrXeSjqQNTZLuo2Eb_ak_0b6GHpd7tklzx64yL4GhisxRrQViQIUfP-HB1rDN4Wo8kRpJDSHnSCWFKu4vMFPIFBxQ:1r31eq:V0EJCqdew4gvaunm2kyPKK_vtpnBVde_SrcJPdR1G7I'),
	('list', 'WzFd:1r31eq:JMskxlav7mnBS0k_Cvrq2nUJsha3tnoDZKdUQnicuF0'),
	('pickle', 'gAV9Lg:1r31eq:9_cBfUEcuHwdeOvGSHfTzt42-CHIxP8puHSXVcuz5e4'),
	('ownstore', '.eJxVjEEOwiAQRe_C2pBB6AAu3fcMhGGoVA0kpV0Z765NutDtf-_9lwhxW0vYel7CzOIirDj9bhTTI9cd8D3WW5Op1XWZSe6KPGiXY-P8vB7u30GJvXxrn9Ai0dkBEho1GeWQI4CKHhG8zwAmO2-Y0dnBG61TQqBB6wksWxTvD7szNpk:1r31eq:KnxpmlXZp-yIqC3MGIYdobYK5rpCsfDWl6BYWL5SaFU'),
	('sha1', 'MDU4MGQ2MTNmZjJkMzE4N2ExNmE2YWExMGM1OWU0ZDI0MTVhMjAxYzp7Il9hdXRoX3VzZXJfaWQiOiI3IiwiX2F1dGhfdXNlcl9iYWNrZW5kIjoiZGphbmdvLmNvbnRyaWIuYXV0aC5iYWNrZW5kcy5Nb2RlbEJhY2tlbmQiLCJfYXV0aF91c2VyX2hhc2giOiI0YWNkYjA2ZGQ5M2E3YjUwZDgwNTE0MWMxMjVhMDQ0NmIwNWU3ODZjIn0=')) AS v (name, data);
INSERT INTO django_session
SELECT rpad('expired', 32, '0'), session_data, '2001-01-01 UTC' FROM django_session WHERE session_key LIKE 'ann0%'
UNION ALL
SELECT rpad('tampered', 32, '0'), overlay(session_data PLACING 'A' FROM 10), expire_date FROM django_session WHERE session_key LIKE 'ann0%'
UNION ALL
SELECT rpad('empty', 32, '0'), '', expire_date FROM django_session WHERE session_key LIKE 'ann0%'
UNION ALL
SELECT rpad('forever', 32, '0'), session_data, 'infinity' FROM django_session WHERE session_key LIKE 'ann0%'
UNION ALL
SELECT 'short01', session_data, expire_date FROM django_session WHERE session_key LIKE 'ann0%'
UNION ALL
SELECT 'ééééééé', session_data, expire_date FROM django_session WHERE session_key LIKE 'ann0%'
UNION ALL
SELECT 'éééééééé', session_data, expire_date FROM django_session WHERE session_key LIKE 'ann0%';
CREATE FUNCTION try(name text) RETURNS usher.identity LANGUAGE sql
RETURN usher.validate_django_session(rpad(name, 32, '0'));

-- Nothing is attached, no key is set.
SELECT valid, reason FROM try('ann');
SELECT usher.set_secret_key('regress-$key''\ with #quotes', '{regress-old-key-é}');
SELECT valid, reason FROM try('ann');
SELECT usher.attach_django(token_table => NULL, session_table => NULL);
SELECT valid, reason FROM try('ann');
SELECT usher.attach_django(token_table => NULL);
SELECT usher.remove_secret_key();
SELECT valid, reason FROM try('ann');
SELECT usher.set_secret_key('regress-$key''\ with #quotes', '{regress-old-key-é}');

RESET ROLE;
-- A known salt makes credential ids repeatable.
UPDATE usher.instance SET salt = sha256('salt');
SET ROLE regress_site;
SET TimeZone = 'UTC';
SELECT * FROM try('ann') \gx
SELECT * FROM try('bob') \gx

-- Every row there is.
SELECT rtrim(session_key, '0') AS session, i.valid, i.reason, i.user_id, i.username, i.expires_at
FROM django_session, usher.validate_django_session(session_key) AS i ORDER BY session_key COLLATE "C";

-- Exactly the key, nothing like it, and nothing that is none.
SELECT left(key, 42) AS key, valid, reason FROM unnest(ARRAY[
	upper(rpad('ann', 32, '0')), rpad('ann', 33, '0'), ' ' || rpad('ann', 32, '0'), rpad('ann', 32, '0') || ' ',
	'', 'ann', '%', '1234567', '12345678', repeat('x', 40), repeat('x', 41), repeat('é', 40), repeat('é', 41),
	repeat('x', 8193), E'\x01\x7f\n\t12345', '日本日本日本日本', ':::::::::', NULL]) AS key,
	usher.validate_django_session(key);

-- authenticate() knows the kind by name.
SELECT valid, reason, user_id, kind FROM usher.authenticate('django_session', rpad('ann', 32, '0'));
SELECT valid, reason, kind FROM usher.authenticate('django_session', NULL);

-- Rotation: without the old key its signature and its hash are nothing; the
-- order of the keys does not matter.
SELECT usher.set_secret_key('regress-$key''\ with #quotes');
SELECT name, valid, reason FROM unnest('{ann,old,oldhash}'::text[]) AS name, try(name);
SELECT usher.set_secret_key('regress-old-key-é', ARRAY['regress-$key''\ with #quotes']);
SELECT name, valid, reason FROM unnest('{ann,old,oldhash}'::text[]) AS name, try(name);
SELECT usher.set_secret_key(convert_to('regress-$key''\ with #quotes', 'UTF8'));
SELECT usher.set_secret_key('regress-old-key-é', keep_previous => true);
SELECT name, valid, reason FROM unnest('{ann,old,oldhash}'::text[]) AS name, try(name);
SELECT usher.set_secret_key('regress-$key''\ with #quotes', '{regress-old-key-é}');

-- What a site may set: backends, the name of its store, old rows.
SELECT usher.set_session_options(backends => '{elsewhere.Backend,django.contrib.auth.backends.AllowAllUsersModelBackend}');
SELECT name, valid, reason, user_id FROM unnest('{ann,backend,bob,allbob}'::text[]) AS name, try(name);
SELECT usher.set_session_options(store_class => 'OwnStore');
SELECT name, valid, reason, user_id FROM unnest('{ann,ownstore}'::text[]) AS name, try(name);
SELECT usher.set_session_options(accept_pre_3_1 => true);
SELECT name, valid, reason, user_id FROM unnest('{ann,sha1}'::text[]) AS name, try(name);
SELECT usher.set_session_options();

-- Cookies of the signed_cookies backend, of the years 2100 and 2023.
\set cookie '.eJxVjEEOwiAQRe_C2pBB6AAu3fcMhGGoVA0kpV0Z765NutDtf-_9lwhxW0vYel7CzOIirDj9bhTTI9cd8D3WW5Op1XWZSe6KPGiXY-P8vB7u30GJvXxrn9Ai0dkBEho1GeWQI4CKHhG8zwAmO2-Y0dnBG61TQqBB6wksWxTvD7szNpk:4TdRIW:HBHvbhi08pHo_a32FUJriGFtH3aTWQK0um8H4loRP-0'
\set past '.eJxVjEEOwiAQRe_C2pBB6AAu3fcMhGGoVA0kpV0Z765NutDtf-_9lwhxW0vYel7CzOIirDj9bhTTI9cd8D3WW5Op1XWZSe6KPGiXY-P8vB7u30GJvXxrn9Ai0dkBEho1GeWQI4CKHhG8zwAmO2-Y0dnBG61TQqBB6wksWxTvD7szNpk:1r31eq:0fHKJxA44FmOjxzax7FGs_lr0cKQRUSeeOp50H81q88'
SELECT valid, reason FROM usher.validate_django_session(:'cookie');
SELECT usher.set_session_options(signed_cookies => true);
SELECT valid, reason, user_id, username, kind, length(:'cookie') AS cookie, length(credential_id) AS credential_id, expires_at
FROM usher.validate_django_session(:'cookie') \gx
SELECT valid, reason FROM usher.validate_django_session(:'past');
SELECT valid, reason FROM usher.validate_django_session(overlay(:'cookie' PLACING 'A' FROM 10));
SELECT valid, reason FROM usher.validate_django_session(repeat(':', 8000));
SELECT valid, reason FROM try('ann');
SELECT usher.set_session_options(signed_cookies => true, cookie_age => '60 years');
SELECT valid, reason, expires_at FROM usher.validate_django_session(:'past');

-- A connection that a session opened is checked again by its id alone.
SELECT usher.set_category('room', join => 'authenticated');
SELECT usher.set_category('wall', join => 'anyone');
SELECT credential_id AS ann FROM try('ann') \gset
SELECT credential_id AS cookie_id FROM usher.validate_django_session(:'cookie') \gset
RESET ROLE;
CREATE FUNCTION again(user_id text, id text) RETURNS usher.admission LANGUAGE sql
BEGIN ATOMIC SELECT usher.recheck_admission('django_session', user_id, id, 'room_1'); END;
GRANT EXECUTE ON FUNCTION again(text, text) TO usher_listener;
GRANT USAGE ON SCHEMA site TO usher_listener;
SET ROLE usher_listener;
SELECT valid, reason, user_id, username, kind, credential_id = :'ann' AS same_id, may_join FROM again('7', :'ann');
SELECT valid, reason, user_id, credential_id = :'cookie_id' AS same_id, may_join FROM again('7', :'cookie_id');
-- Not another user's, and nothing that we have not sealed.
SELECT id, valid, reason FROM (VALUES ('9', :'ann'), ('7', '00' || substr(:'ann', 3)), ('7', upper(:'ann')),
	('7', left(:'ann', -2)), ('7', ''), ('7', '00'), ('7', repeat('0', 64)), ('7', repeat('0', 40000)), ('7', 'é'), ('7', NULL), (NULL, :'ann')) AS v (id, credential),
	again(id, credential);

-- A session of nobody enters where anyone may, and nowhere else.
SELECT "group", valid, reason, user_id, kind, credential_id, may_join
FROM unnest('{wall_1,room_1,none_1}'::text[]) AS "group", usher.admit('django_session', rpad('visitor', 32, '0'), "group");
SELECT "group", valid, reason, kind, may_join
FROM unnest('{wall_1,room_1,none_1}'::text[]) AS "group", usher.admit('django_session', rpad('tampered', 32, '0'), "group");
SET ROLE regress_site;

-- Changes are seen at once: the password, the user, the row, the key.
BEGIN;
UPDATE auth_user SET password = 'another' WHERE id = 7;
SELECT valid, reason FROM try('ann');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'ann') UNION ALL SELECT valid, reason FROM again('7', :'cookie_id');
ROLLBACK;
BEGIN;
UPDATE auth_user SET is_active = false WHERE id = 7;
SELECT valid, reason FROM try('ann');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'ann') UNION ALL SELECT valid, reason FROM again('7', :'cookie_id');
ROLLBACK;
BEGIN;
UPDATE django_session SET expire_date = now() - interval '1 s' WHERE session_key LIKE 'ann0%';
SELECT valid, reason FROM try('ann');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'ann');
ROLLBACK;
BEGIN;
DELETE FROM django_session WHERE session_key LIKE 'ann0%';
SELECT valid, reason FROM try('ann');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'ann');
ROLLBACK;
SELECT usher.set_secret_key('a new key');
SELECT valid, reason FROM try('ann');
SET ROLE usher_listener;
SELECT valid, reason FROM again('7', :'ann') UNION ALL SELECT valid, reason FROM again('7', :'cookie_id');
SET ROLE regress_site;
SELECT usher.set_secret_key('regress-$key''\ with #quotes', '{regress-old-key-é}');
SELECT valid, reason FROM try('ann');

-- In a transaction that only reads.
BEGIN READ ONLY;
SELECT valid FROM try('ann');
COMMIT;

-- Users with a uuid, without is_active and without a name.
CREATE TABLE member (id uuid PRIMARY KEY, password varchar(128) NOT NULL);
INSERT INTO member VALUES ('3f0c7a1e-6a0b-4a39-9d3c-5b1f6c2e7d80', 'pw');
SELECT usher.attach_django('member', token_table => NULL);
SELECT name, valid, reason, user_id FROM unnest('{uuid,ann}'::text[]) AS name, try(name);

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
CREATE TABLE django_session (
	session_key varchar(40) PRIMARY KEY, session_data text NOT NULL, expire_date timestamptz NOT NULL);
INSERT INTO auth_user VALUES (10, 'clair-é', 'dédé', true), (7, 'pbkdf2_sha256$260000$kJ3nVq8s$7m0cX1vJ=', 'ann', true);
INSERT INTO django_session VALUES
	('dede0000', '.eJxVjDsOwjAQBe_iGlle_9ahpOcMlp1d4wBypDipEHeHSCmgfTPzXiKmba1x67zEicRZgBKn3zGn8cFtJ3RP7TbLcW7rMmW5K_KgXV5n4uflcP8Oaur1Ww_oCQAsWHQ2eE0GObhgPCZgNWgGq4rzzDp7hQY0GgTgzJRLLkji_QG_yTcX:1r31eq:PaeuF0h0gAXLLK3kIHYdV_ecILCkPKIfjDD6APlVV1M', '9999-12-31'),
	('old00000', '.eJxVjDsOwjAQRO_iGlnYiX-U9JzBGnvXOIASKU4qxN1JpBTQjea9mbeIWJca18ZzHEhchBOn3y4hP3ncAT0w3ieZp3GZhyR3RR60ydtE_Loe7t9BRavbWpHuTCmaDAUowJJ3rKATI9gcqPedBoOt3lIfgFRMl53xZKxV6Sw-XwSEOGU:1r31eq:G-Kij66Ll4pYnNgomkcNShesyt_Ddly0WWSq-P_0Uls', '9999-12-31'),
	('éééééééé', '.eJxVjDsOwjAQBe_iGlle_9ahpOcMlp1d4wBypDipEHeHSCmgfTPzXiKmba1x67zEicRZgBKn3zGn8cFtJ3RP7TbLcW7rMmW5K_KgXV5n4uflcP8Oaur1Ww_oCQAsWHQ2eE0GObhgPCZgNWgGq4rzzDp7hQY0GgTgzJRLLkji_QG_yTcX:1r31eq:PaeuF0h0gAXLLK3kIHYdV_ecILCkPKIfjDD6APlVV1M', '9999-12-31'),
	('wide0000', '.eJxVjEsKAyEQRO_iOohO69hmmX1uEBC1mzhJUJjPKuTuGWEWyaageK_qLULc1hK2hecwkTiL2zZatnu6IYvTL04xP7l2hx6x3pvMra7zlGRX5EEXeW3Er8vh_h2UuJS-tnnwqLXKQF4xJu9UoqQIIKKye_UI4LRF9oaAjQImSkYDmjhiFp8vPLM6wA:1r31eq:sqEsPOr6rokcYc9lHsUSKKHpqruePlhv9mOhIdC3pKk', '9999-12-31');
SELECT usher.attach_django(token_table => NULL);
SELECT usher.set_secret_key('regress-$key''\ with #quotes', '{regress-old-key-é}');
SELECT session_key, i.valid, i.reason, i.username FROM django_session, usher.validate_django_session(session_key) AS i ORDER BY 1;
\connect :previous
DROP DATABASE regress_usher_latin1;
