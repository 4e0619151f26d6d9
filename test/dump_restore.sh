#!/bin/bash
# dump_restore.sh OUTPUT - a database with usher goes through pg_dump and back.
#
# Run by regress.sh, with PGHOST, PGUSER and the programs' PATH set.  What must
# come along: categories, the mapping, options, triggers, grants.  What must
# not: the channel, the salt, session keys, the site's keys.
set -eu
out=$1
export PSQLRC=/dev/null

fail()
{
	echo "dump_restore: $*"
	exit 1
}

# expect WHAT DATABASE QUERY ANSWER
expect()
{
	local got
	got=$(psql -X -A -t -q -d "$2" -c "$3") || fail "$1: the query failed"
	[ "$got" = "$4" ] || fail "$1: expected \"$4\", got \"$got\""
}

psql -X -q -v ON_ERROR_STOP=1 -d postgres <<'SQL'
SET client_min_messages = warning;
DROP DATABASE IF EXISTS usher_before;
DROP DATABASE IF EXISTS usher_after;
CREATE DATABASE usher_before TEMPLATE template0;
CREATE DATABASE usher_after TEMPLATE template0;
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regress_dump') THEN
		CREATE ROLE regress_dump LOGIN;
	END IF;
END
$$;
SQL
psql -X -q -v ON_ERROR_STOP=1 -d usher_before >"$out/dump_restore.log" <<'SQL'
CREATE EXTENSION usher;
GRANT usher_app TO regress_dump;
CREATE SCHEMA site AUTHORIZATION regress_dump;
GRANT USAGE ON SCHEMA site TO usher_app;
SET ROLE regress_dump;
SET search_path = site;
CREATE TABLE auth_user (id int PRIMARY KEY, username text, is_active boolean, password text);
CREATE TABLE authtoken_token (key varchar(40) PRIMARY KEY, user_id int);
INSERT INTO auth_user VALUES (1, 'alice', true, 'pw');
INSERT INTO authtoken_token VALUES ('a1', 1);
CREATE FUNCTION may(user_id text, id text) RETURNS boolean LANGUAGE sql AS 'SELECT $2 = ''1''';
SELECT usher.attach_django();
SELECT usher.set_category('app', "join" => 'may', send => 'authenticated');
SELECT usher.issue_session('a1');
SELECT usher.set_session_options(store_class => 'SiteStore', cookie_age => '1 hour');
SELECT usher.set_jwt_options(issuer => 'site', token_types => '{access,sliding}');
SELECT usher.set_knox_options('sha256');
SELECT usher.set_secret_key('dump-sentinel-key', '{dump-sentinel-fallback}');
SELECT usher.add_jwt_key('site', 'HS256', 'dump-sentinel-jwt');
SQL
sentinel=dump-sentinel
sentinel_hex=$(printf %s "$sentinel" | od -A n -t x1 | tr -d ' \n')
channel=$(psql -X -A -t -d usher_before -c 'SELECT channel FROM usher.instance')
salt=$(psql -X -A -t -d usher_before -c "SELECT encode(salt, 'hex') FROM usher.instance")
expect "a session key before" usher_before \
	"SELECT count(*) FROM usher.session_key" 1

# As the site, which owns its tables and is no superuser.
pg_dump -U regress_dump -d usher_before >"$out/dump.sql"
! grep -q "$channel" "$out/dump.sql" || fail "the dump carries the channel"
! grep -q "$salt" "$out/dump.sql" || fail "the dump carries the salt"
! grep -q "session_key" "$out/dump.sql" || fail "the dump carries session keys"
# A superuser's dump; a bytea would be in hex.
pg_dump -d usher_before --inserts >"$out/dump_superuser.sql"
for dump in "$out/dump.sql" "$out/dump_superuser.sql"; do
	for form in "$sentinel" "$sentinel_hex"; do
		! grep -q "$form" "$dump" || fail "the dump carries a key of the site's"
	done
	! grep -q "usher.secret" "$dump" || fail "the dump names the table of keys"
done
# As a superuser, which CREATE EXTENSION wants.
psql -X -q -v ON_ERROR_STOP=1 -d usher_after -f "$out/dump.sql" \
	>>"$out/dump_restore.log" || fail "the dump cannot be restored"

expect "the channel is new" usher_after \
	"SELECT count(*) FROM usher.instance WHERE channel <> '$channel' AND encode(salt, 'hex') <> '$salt'" 1
expect "no session key came along" usher_after \
	"SELECT count(*) FROM usher.session_key" 0
expect "the mapping came along" usher_after \
	"SELECT user_table, token_table FROM usher.django" \
	"site.auth_user|site.authtoken_token"
expect "the category came along" usher_after \
	"SELECT name, join_policy, send_policy FROM usher.category" \
	"app|site.may|authenticated"
expect "the options came along" usher_after \
	"SELECT store_class, cookie_age_s, issuer, token_types, secure_hash_algorithm
	FROM usher.session_options, usher.jwt_options, usher.knox_options" \
	"SiteStore|3600|site|{access,sliding}|sha256"
expect "no key came along" usher_after "SELECT count(*) FROM usher.secrets()" 0
expect "a token validates" usher_after \
	"SET ROLE regress_dump; SELECT valid, user_id FROM usher.validate_token('a1')" \
	"t|1"
expect "the policy decides" usher_after \
	"SET ROLE regress_dump; SELECT usher.can_join('1', 'app_1'), usher.can_join('1', 'app_2')" \
	"t|f"
expect "the triggers are there, always enabled" usher_after \
	"SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'usher%' AND tgenabled = 'A'" 4
# One query that answers each: psql 14 shows the last answer only.
expect "a session key is issued" usher_after \
	"SET ROLE regress_dump; SELECT valid FROM usher.issue_session('a1')" t
expect "a deleted token ends its session key" usher_after \
	"SET ROLE regress_dump;
	DELETE FROM site.authtoken_token;
	RESET ROLE;
	SELECT count(*) FROM usher.session_key" 0
expect "attach_django repairs as before" usher_after \
	"SET ROLE regress_dump; SELECT usher.attach_django('site.auth_user', 'site.authtoken_token')" ""

psql -X -q -d postgres -c 'DROP DATABASE usher_before' -c 'DROP DATABASE usher_after' \
	-c 'DROP ROLE regress_dump'
echo "dumped and restored"
