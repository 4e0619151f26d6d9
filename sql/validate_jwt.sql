-- validate_jwt(): tokens of simplejwt, djangorestframework-jwt and drf-jwt.
--
-- The tokens were made once with PyJWT 2.6 (4102444800 is the year 2100):
--   base = {'token_type': 'access', 'exp': 4102444800, 'iat': 1700000000,
--           'jti': '0123456789abcdef0123456789abcdef', 'user_id': '7'}
--   jwt.encode({**base, ...}, KEY, 'HS256')
-- with what the name says added, changed or left out; what PyJWT refuses to
-- make (duplicate, list, the wrong types) by hand:
--   s = b64(header) + '.' + b64(payload)
--   s + '.' + b64(hmac.new(KEY.encode(), s.encode(), 'sha256').digest())
-- The keys of RS256 and ES256 were drawn for this and forgotten.
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
	email varchar(254) NOT NULL,
	is_active boolean NOT NULL);
INSERT INTO auth_user VALUES
	(7, 'pbkdf2_sha256$260000$kJ3nVq8s$7m0cX1vJ=', 'ann', 'ann@example.com', true),
	(8, 'pbkdf2_sha256$260000$aaaaaaaa$bbbbbbbb=', 'bob', 'bob@example.com', false);
CREATE TABLE jwt (name text PRIMARY KEY, token text NOT NULL);
INSERT INTO jwt VALUES
	('ok', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.22BEd2sAwZuMhTixNFHvBtm6P82yaF1Cl97a7BRLQNI'),
	('number', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6N30.1duIcCGNx-Ex_G8NjpebL1F9qfwjNL4r6AdMGeVgNt0'),
	('hash', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjciLCJoYXNoX3Bhc3N3b3JkIjoiNTU0MDNBNUVFNTdFRTREQzRGMkYyMTQ5MzAwNDY4NDEifQ.hMdZ9iitPpuHmD0J3DmxKvCH5rKNB8zYp7skUo2qDLo'),
	('sliding', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoic2xpZGluZyIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiIsInVzZXJfaWQiOiI3In0.vn-VZvCZPTnLMLZ0p5Z9LxbvG8VGz_QvxImrTeQwTkk'),
	('aud', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjciLCJhdWQiOlsid3MiLCJhcGkiXX0.zj8YhIijdggUogo7HBoHZZ_mXpW305KaTLpjQ1RZGT8'),
	('iss', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjciLCJpc3MiOiJodHRwczovL3NpdGUuZXhhbXBsZSJ9.HJJydd-DTT7gL8VhoCCbrvk93H4ETpLYkpELFdIb2iA'),
	('own claims', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjQxMDI0NDQ4MDAsImlhdCI6MTcwMDAwMDAwMCwidWlkIjoiNyIsImtpbmQiOiJhY2Nlc3MiLCJpZCI6IjQyIn0.AI4H0qt4YEt-JBTB-ON8IxdECrHVbm3MbHElndGhrY0'),
	('drf', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFubiIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo0MTAyNDQ0ODAwLCJqdGkiOiI2ZDlmNWMxZS00YjdhLTRjNjItOWEzNC0wZDViN2MyZTFmODAiLCJ1c2VyX2lkIjo3LCJvcmlnX2lhdCI6MTcwMDAwMDAwMH0.HIz-ZtnbmGlDx2yBzFRGjmP2lxz3fsfQMvJgQbkrbRs'),
	('drf old', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo4LCJ1c2VybmFtZSI6ImFubiIsImV4cCI6NDEwMjQ0NDgwMCwiZW1haWwiOiIifQ.zbbfFYI6dCw4dY3XIEUSLiRJ8dmBk2IQZqIK3nLBNhs'),
	('drf bob', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo3LCJ1c2VybmFtZSI6ImJvYiIsImV4cCI6NDEwMjQ0NDgwMH0.3gqpz8RAznPEvDVf5444z9xcSTTLLKIVrs7fQz8GXDw'),
	('drf aud', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFubiIsImV4cCI6NDEwMjQ0NDgwMCwiYXVkIjoid3MifQ.7xPFKjcqG04wODG5003uWNjGEJv5_gBM6slNDClptY0'),
	('two parts', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ'),
	('duplicate', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjciLCJ1c2VyX2lkIjoiOSJ9.lXOkHTw4T1bGv0_FU7jSISYAqcm4T6hMbB0kZ6fhISY'),
	('crit', 'eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiZXhwIl0sInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.JhEaTy8P3J5k1jUeVhS1KQ3itpLeaW1XDHh0C8nV8-s'),
	('none', 'eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.'),
	('HS384', 'eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.iAvupcVkjZutl2t4Q3mJRJiO2jbqQj_SZo6ubt0fp1p3GlEZZhthXtG2Lz51KOoO'),
	('padded', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.22BEd2sAwZuMhTixNFHvBtm6P82yaF1Cl97a7BRLQNI='),
	('other key', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.b3C--DsZXFJcQ5bLwIgx0D1dGvW9GA9qCyhIKLfJO8A'),
	('changed', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.22BEd2sAwZuMhTixNFHvBtm6P82yaF1Cl97a7BRAAAA'),
	('list', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.WzFd.SO-lGF1QFUW_DXmFPGp9uoWNSG_t_vZao0UK5vTIIEU'),
	('no exp', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiIsInVzZXJfaWQiOiI3In0.eqP5gjCnVrn7UM7Mm0Ie_2c0tELgD5-5LvlVZYpS_w0'),
	('exp text', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoiNDEwMjQ0NDgwMCIsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjoiNyJ9.Y6-Ei95ny78lSzPsSco39ljd36UKw6K3cXkCljUSFTo'),
	('nbf text', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjciLCJuYmYiOiIxIn0.Twf9zFk-4iHKfjB7jE8JT-jEJQNa6lazgmlszYsQTHE'),
	('iat text', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOiIxIiwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjoiNyJ9.EdIz5eF3PVdU_kSzhJMpW5FoTeG9BZC7XFWJ3aAVcJ4'),
	('expired', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzAwMDAwMzAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.axDQa6hHL3hHjUq-zulVOV54KjX5lPs3jr7F3ilCGMw'),
	('nbf 2080', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjciLCJuYmYiOjM0NzEyOTI4MDB9.a37GFxJeJcaJ6Be-C8zGDoUB7k-Ga4mJXgFVDcfHK9A'),
	('iat 2080', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjM0NzEyOTI4MDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.FrwsQedNmTJCVz1djW2F4t9WwlWua7119oz4uNadA-8'),
	('sub number', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjciLCJzdWIiOjd9.riTh9_6S30N8gqZaeielpVMEb4JkK6o2-IAa79sv6X4'),
	('jti number', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6NywidXNlcl9pZCI6IjcifQ.Vtu-oU-390U-5_yMufPx2uC2kGKIza8m_3HHDWjdf50'),
	('no jti', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsInVzZXJfaWQiOiI3In0.He_nWvTFk3Vvi8GhOWy0FKCojN2hBeZkdAQOr8C5DvM'),
	('refresh', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiIsInVzZXJfaWQiOiI3In0.3uTuFBJfcS32QZlWejZLhJyy0wnlAT8pukSZYTj4zBQ'),
	('no user', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIn0.lgnZ2FycCP65R6ngbIsdXYAqEor417TWrqngojGG9Hs'),
	('user null', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6bnVsbH0.lYNYlMmlBW798xTP8nkF92TTExLsq9lG-NBPD0ZmzGE'),
	('user words', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6InNldmVuIn0.9HKOUHozWooOnqQ6nwEaBovHfn8F4Dg3lVEMbRprfT8'),
	('user huge', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6MTg0NDY3NDQwNzM3MDk1NTE2MjN9.oRLbcNNflopGJGr0tffGyb9UjH8wVNfO8V9JvEd441A'),
	('user gone', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6Ijk5In0.8bLdf7sMUHLsxZJjEuL3r51I5nWwaynzSsS_XK8gWpE'),
	('inactive', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjgifQ.p0nTq58fU_K5eBviwwJ2UOfwmvVsqWHiM4FKFco40es'),
	('email', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6ImFubkBleGFtcGxlLmNvbSJ9.tiauvtZ_7vva5Qg63yI0PF4iRWi9I40uYE4bMl77teY'),
	('RS256', 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.FWXKbgkIJiovKIMCwINT6xReUla61ufBUN7MgHObsSHlgHCpdyYWs2ORbnsMq9qlLUp0_u0Fv6fV91Y1bWJ-ONvbOLLas0bML_ALpjEUT3QzUGYDlxUJhFgoGLG1JRdpRiaBf6iE7-CKZ_voLhNDtTzetan86nNMc0MzRKWy0GVJc2DHGTdPtYFpMz0ACKAZF5VeUyE8kh4Pk4PXsD_u2Ll1Jte6iVTvOx8MvkqZVQGcw7-shI8xA3Yjh4uw4vYr2FBEqlYqM1Tle-RpE8fdm7U3zKWQZ7MqbLfJ9t9fBMqgRtceIKzZsx104chJV_OhxQoQ6GsyDC69vayKnW6fwg'),
	('ES256', 'eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjcifQ.SYLbDdLamwLVYE04umNI_nvd5Rhj8pt84YwwTk1l-wSXpu04BoEIeompDWg7DBDk0YZ60PgFFtNFmKQ4Z4G8aQ');
CREATE FUNCTION try(wanted text) RETURNS usher.identity LANGUAGE sql
BEGIN ATOMIC SELECT usher.validate_jwt((SELECT token FROM jwt WHERE name = wanted)); END;

-- No key is there, nothing is attached.
SELECT valid, reason FROM try('ok');
SELECT usher.add_jwt_key('main', 'HS256', 'regress-jwt-key-of-32-bytes-or-more');
SELECT valid, reason FROM try('ok');
SELECT usher.attach_django(token_table => NULL);
RESET ROLE;
-- A known salt makes ids repeatable.
UPDATE usher.instance SET salt = sha256('salt');
SET ROLE regress_site;
SET TimeZone = 'UTC';

SELECT valid, reason, user_id, username, kind, length(credential_id) AS credential_id, issuer_id, expires_at, groups FROM try('ok') \gx
SELECT * FROM try('inactive') \gx
-- The issuer's id is sha256(salt || 'jwt:' || jti); the other one shows nothing of the token.
SELECT issuer_id = encode(sha256(sha256('salt') || 'jwt:' || '0123456789abcdef0123456789abcdef'::bytea), 'hex') AS as_documented,
	credential_id ~ '^[0-9a-f]+$' AS hex, position(encode(left(token, 20)::bytea, 'hex') IN credential_id) AS shows
FROM jwt, try(name) WHERE name = 'ok';

-- Every token there is.
SELECT name, i.valid, i.reason, i.user_id FROM jwt, usher.validate_jwt(token) AS i ORDER BY name COLLATE "C";

-- And texts that are none.
SELECT left(token, 30) AS token, valid, reason FROM unnest(ARRAY[
	'', '.', '..', 'a.b.c', '...', 'é.é.é', '日本', E'\x01\n\t', repeat('.', 16384), repeat('a', 16384), repeat('a', 16385), repeat('é', 16384),
	(SELECT ' ' || token FROM jwt WHERE name = 'ok'), (SELECT token || E'\n' FROM jwt WHERE name = 'ok'), NULL]) AS token,
	usher.validate_jwt(token);

-- authenticate() knows the kind by name.
SELECT k.kind AS asked, a.valid, a.reason, a.user_id, a.kind
FROM (VALUES ('jwt'), ('JWT'), ('token')) AS k (kind), jwt, usher.authenticate(k.kind, token) AS a WHERE name = 'ok';
SELECT valid, reason, kind FROM usher.authenticate('jwt', NULL);

-- Keys: each for its algorithm, several of one, the site's SECRET_KEY.
SELECT usher.add_jwt_key('rsa', 'RS256', '-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApbfKK68iDtK2aRvb26ob
o6iN5D9Z/rOqFGQy+Nc/wza+vaJtz/sjXC15ieW0MRkT8rafl0xH6ByADCiKJglh
kB2iJg0p+e+pgEfp18GWGc6dZS/obQno2YXGIKx/yb5JzXul+rcipQY/7Ssw5n9u
vlf0T809yKQXDqulggsr0NASOkvMERu6/1nJf2WHCWkHsufiphE3dSrgoNLv/htX
PbQuZGjQ4+4tdXKkbU/FpqhwAsnjYiL9xsNQUbPMLxXL8FyLJ3b3iXFfW1PVUTnY
trQUxuezbe+5HSclCaHgsnpfU7qfCxQGT8rCuU4Wjm1bPEJQsAmOeyYKNUMYD4Lb
RwIDAQAB
-----END PUBLIC KEY-----
');
SELECT usher.add_jwt_key('curve', 'ES256', '-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEm1cAGIedOG5riV6gS8/18Ff2xRDU
ke6IXsVh9emdkCKwr9r4zpogFmkx9W5klHYkyxCmsi3DQopAcb9xf425aA==
-----END PUBLIC KEY-----
');
SELECT name, valid, reason, user_id FROM unnest('{RS256,ES256,HS384,ok}'::text[]) AS name, try(name);
SELECT usher.add_jwt_key('old', 'HS256', 'another-key-that-is-32-bytes-long-');
SELECT name, valid, reason, user_id FROM unnest('{other key,ok}'::text[]) AS name, try(name);
SELECT usher.remove_jwt_key(name) FROM unnest('{rsa,curve,old,main}'::text[]) AS name;
SELECT usher.add_jwt_key('site', 'HS256');
SELECT valid, reason FROM try('ok');
SELECT usher.set_secret_key('-----BEGIN PUBLIC KEY-----');
SELECT valid, reason FROM try('ok');
SELECT usher.set_secret_key('something else', '{regress-jwt-key-of-32-bytes-or-more}');
SELECT valid, reason FROM try('ok');
SELECT usher.set_secret_key('regress-jwt-key-of-32-bytes-or-more');
SELECT valid, reason FROM try('ok');

-- Options: audience, issuer, leeway, names of claims, types.
SELECT usher.set_jwt_options(audience => 'ws');
SELECT name, valid, reason FROM unnest('{ok,aud}'::text[]) AS name, try(name);
SELECT usher.set_jwt_options(issuer => 'https://site.example');
SELECT name, valid, reason FROM unnest('{ok,iss}'::text[]) AS name, try(name);
SELECT usher.set_jwt_options(leeway => '60 years');
SELECT name, valid, reason FROM unnest('{expired,nbf 2080}'::text[]) AS name, try(name);
SELECT usher.set_jwt_options(leeway => '90 s');
SELECT valid, reason, expires_at FROM try('ok');
SELECT usher.set_jwt_options(user_id_claim => 'uid', token_type_claim => 'kind', jti_claim => 'id');
SELECT name, valid, reason, issuer_id = encode(sha256(sha256('salt') || 'jwt:42'), 'hex') AS of_id FROM unnest('{ok,own claims}'::text[]) AS name, try(name);
SELECT usher.set_jwt_options(token_type_claim => NULL, jti_claim => NULL);
SELECT name, valid, reason FROM unnest('{ok,no jti,refresh}'::text[]) AS name, try(name);
SELECT usher.set_jwt_options(check_user_is_active => false);
SELECT valid, reason, user_id, username FROM try('inactive');

-- CHECK_REVOKE_TOKEN: the token dies with the password.
SELECT usher.set_jwt_options(check_revoke_token => true);
SELECT name, valid, reason FROM unnest('{ok,hash}'::text[]) AS name, try(name);
BEGIN;
UPDATE auth_user SET password = 'another' WHERE id = 7;
SELECT valid, reason FROM try('hash');
ROLLBACK;

-- Another column for the user: text as it is, and nobody by two.
SELECT usher.set_jwt_options();
SELECT usher.attach_django(token_table => NULL, jwt_user_column => 'email');
SELECT name, valid, reason, user_id FROM unnest('{ok,email,number}'::text[]) AS name, try(name);
BEGIN;
UPDATE auth_user SET email = 'ann@example.com';
SELECT valid, reason FROM try('email');
ROLLBACK;
SELECT usher.attach_django(token_table => NULL);

-- drf-jwt and its ancestor: the name decides.
SELECT usher.set_jwt_options(flavor => 'drf-jwt');
SELECT name, valid, reason, user_id, username, issuer_id = encode(sha256(sha256('salt') || 'jwt:6d9f5c1e-4b7a-4c62-9a34-0d5b7c2e1f80'), 'hex') AS by_jti
FROM unnest('{drf,drf old,drf bob,drf aud,ok}'::text[]) AS name, try(name);
SELECT issuer_id = encode(sha256(sha256('salt') || 'jwt-token:' || token::bytea), 'hex') AS by_token
FROM jwt, try(name) WHERE name = 'drf old';
BEGIN;
UPDATE auth_user SET username = 'bobby' WHERE id = 8;
UPDATE auth_user SET username = 'bob' WHERE id = 7;
SELECT name, valid, reason, user_id FROM unnest('{drf,drf bob}'::text[]) AS name, try(name);
ROLLBACK;
CREATE TABLE blacklist_blacklistedtoken (
	id serial PRIMARY KEY, token text NOT NULL, expires_at timestamptz, blacklisted_at timestamptz DEFAULT now(), user_id integer);
SELECT usher.attach_django(token_table => NULL);
SELECT credential_id AS drf FROM try('drf') \gset
BEGIN;
INSERT INTO blacklist_blacklistedtoken (token) SELECT token FROM jwt WHERE name = 'drf';
SELECT name, valid, reason FROM unnest('{drf,drf old}'::text[]) AS name, try(name);
ROLLBACK;

-- simplejwt's blacklist is asked about sliding tokens, not about access tokens.
CREATE TABLE token_blacklist_outstandingtoken (
	id bigserial PRIMARY KEY, token text NOT NULL, created_at timestamptz, expires_at timestamptz NOT NULL, user_id integer, jti varchar(255) NOT NULL UNIQUE);
CREATE TABLE token_blacklist_blacklistedtoken (
	id bigserial PRIMARY KEY, blacklisted_at timestamptz NOT NULL DEFAULT now(), token_id bigint NOT NULL UNIQUE REFERENCES token_blacklist_outstandingtoken);
SELECT usher.attach_django(token_table => NULL);
SELECT usher.set_jwt_options(token_types => '{access,sliding}');
INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti) VALUES ('-', now(), '0123456789abcdef0123456789abcdef'), ('-', now(), 'another');
SELECT name, valid, reason FROM unnest('{ok,sliding}'::text[]) AS name, try(name);
SELECT credential_id AS sliding FROM try('sliding') \gset
SELECT credential_id AS access FROM try('ok') \gset
INSERT INTO token_blacklist_blacklistedtoken (token_id) SELECT id FROM token_blacklist_outstandingtoken WHERE jti = 'another';
SELECT name, valid, reason FROM unnest('{ok,sliding}'::text[]) AS name, try(name);

-- A connection that a token opened is checked again by its id alone.
SELECT usher.set_category('room', join => 'authenticated');
RESET ROLE;
CREATE FUNCTION again(user_id text, id text) RETURNS usher.admission LANGUAGE sql
BEGIN ATOMIC SELECT usher.recheck_admission('jwt', user_id, id, 'room_1'); END;
GRANT EXECUTE ON FUNCTION again(text, text) TO usher_listener;
GRANT USAGE ON SCHEMA site TO usher_listener;
SET ROLE usher_listener;
SELECT valid, reason, user_id, username, kind, credential_id = :'sliding' AS same_id, issuer_id, may_join FROM again('7', :'sliding');
SELECT valid, reason FROM (VALUES ('8', :'access'), ('7', left(:'access', -2)), ('7', '00' || substr(:'access', 3)), ('7', upper(:'access')), ('7', ''), ('7', repeat('0', 40000)), ('7', NULL), (NULL, :'access'), ('7', :'drf')) AS v (user_id, id),
	again(v.user_id, v.id);
SET ROLE regress_site;
INSERT INTO token_blacklist_blacklistedtoken (token_id) SELECT id FROM token_blacklist_outstandingtoken WHERE jti LIKE '0%';
SELECT name, valid, reason FROM unnest('{ok,sliding}'::text[]) AS name, try(name);
SET ROLE usher_listener;
SELECT valid, reason FROM again('7', :'sliding') UNION ALL SELECT valid, reason FROM again('7', :'access');
SET ROLE regress_site;
BEGIN;
UPDATE auth_user SET is_active = false WHERE id = 7;
SELECT valid, reason FROM try('ok');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'access');
ROLLBACK;
BEGIN;
DELETE FROM auth_user WHERE id = 7;
SELECT valid, reason FROM try('ok');
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'access');
ROLLBACK;
BEGIN;
SELECT usher.set_jwt_options(flavor => 'drf-jwt');
UPDATE auth_user SET username = 'anna' WHERE id = 7;
SET LOCAL ROLE usher_listener;
SELECT valid, reason FROM again('7', :'drf');
ROLLBACK;
SELECT usher.set_secret_key('a new key');
SELECT valid, reason FROM try('ok');
SET ROLE usher_listener;
SELECT valid, reason FROM again('7', :'access');
SET ROLE regress_site;
SELECT usher.set_secret_key('regress-jwt-key-of-32-bytes-or-more');

-- In a transaction that only reads.
BEGIN READ ONLY;
SELECT valid FROM try('ok');
COMMIT;

RESET ROLE;
DROP EXTENSION usher CASCADE;
DROP SCHEMA site CASCADE;
DROP OWNED BY regress_site;
DROP ROLE regress_site;

-- In a database of another encoding names are found as well, and what it
-- cannot hold is in no table of it.
\set previous :DBNAME
CREATE DATABASE regress_usher_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\connect regress_usher_latin1
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE TABLE auth_user (
	id serial PRIMARY KEY, password varchar(128) NOT NULL,
	username varchar(150) NOT NULL UNIQUE, is_active boolean NOT NULL);
INSERT INTO auth_user VALUES (9, 'pw', 'zoë', true);
SELECT usher.attach_django(token_table => NULL);
SELECT usher.set_jwt_options(flavor => 'drf-jwt');
SELECT usher.add_jwt_key('main', 'HS256', 'regress-jwt-key-of-32-bytes-or-more');
SELECT valid, reason, user_id, username FROM usher.validate_jwt('eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6InpvXHUwMGViIiwiZXhwIjo0MTAyNDQ0ODAwfQ.aePkh2uoip-CRKq_clz_NJBRuQ4Ivilft_wJdR-68I8');
SELECT valid, reason FROM usher.validate_jwt('eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6Ilx1NjVlNVx1NjcyYyIsImV4cCI6NDEwMjQ0NDgwMH0.ntaVQcNp503CZrZlEDyD2CWZkE4XZ446KxQrv_hb4OM');
\connect :previous
DROP DATABASE regress_usher_latin1;
