#!/bin/bash
# key_leaks.sh OUTPUT - no key of a site's shows where PostgreSQL shows what it
# does.
#
# Run by regress.sh as whoever PostgreSQL runs as, with the programs' PATH set.
# A cluster of its own logs everything that can be logged: statements, their
# durations, parameters, parse trees and plans of nested statements too, errors
# with all their lines.  Then keys are set in every way, and errors provoked.
# All of them begin with the same word, which is looked for in three spellings:
# as text, in hex, and as the decimal bytes of a parse tree.
#
# Prints "ok - sentence" or "not ok - sentence", and last "N passed, N failed".
set -u
out=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/usher-leaks.XXXXXX")
log=$work/postgresql.log
postmaster=
passed=0
failed=0
export PSQLRC=/dev/null PGHOST=$work PGPORT=5432 PGDATABASE=leaks
unset PGUSER

finish()
{
	if [ -n "$postmaster" ] && kill -INT "$postmaster" 2>/dev/null; then
		while kill -0 "$postmaster" 2>/dev/null; do sleep 0.1; done
	fi
	[ "$failed" -eq 0 ] || cp "$log" "$out/key_leaks.log" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# judge SENTENCE COMMAND...: the command succeeds
judge()
{
	local sentence=$1
	shift
	if "$@"; then
		echo "ok - $sentence"
		passed=$((passed + 1))
	else
		echo "not ok - $sentence"
		failed=$((failed + 1))
	fi
}

not()
{
	! "$@"
}

# shows WORD: some line of standard input has it, in whatever spelling
shows()
{
	local hex decimal
	hex=$(printf %s "$1" | od -A n -v -t x1 | tr -d ' \n')
	decimal=$(printf %s "$1" | od -A n -v -t u1 | tr -s ' \n' ' ')
	grep -a -i -F -m 1 -e "$1" -e "$hex" -e "${decimal% }" >"$work/shown"
}

# The same for what was logged since the last mark.
mark()
{
	marked=$(wc -c <"$log")
}

log_shows()
{
	tail -c +$((marked + 1)) "$log" | shows "$1"
}

run()
{
	psql -X -q -A -t -U "$@" 2>&1
}

answer()
{
	[ "$(run postgres -c "$1")" = "$2" ]
}

# fails ROLE SQL MESSAGE: with this message, and without any key
fails()
{
	local got
	got=$(run "$1" -v VERBOSITY=verbose -c "$2")
	[[ $got == *ERROR:*"$3"* ]] && ! shows usherSENTINEL <<<"$got"
}

statements()
{
	run postgres -c 'SELECT query FROM pg_stat_statements'
}

activity()
{
	run postgres -c 'SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()'
}

# ---- a cluster that tells everything ----

initdb -D "$work/data" -U postgres -A trust -N -E UTF8 --no-locale \
	>"$work/initdb.log" || { cat "$work/initdb.log"; exit 1; }
cat >>"$work/data/postgresql.conf" <<EOF
listen_addresses = ''
unix_socket_directories = '$work'
fsync = off
autovacuum = off
shared_preload_libraries = 'pg_stat_statements, auto_explain'
pg_stat_statements.track = all
pg_stat_statements.track_planning = on
compute_query_id = on
EOF
# What a careful server logs, and what this one does at first.
cat >"$work/everything.conf" <<EOF
log_statement = all
log_min_duration_statement = 0
log_duration = on
log_min_messages = debug1
log_min_error_statement = debug1
log_error_verbosity = verbose
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
debug_print_parse = on
debug_print_rewritten = on
debug_print_plan = on
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_triggers = on
EOF
echo "include_if_exists '$work/everything.conf'" >>"$work/data/postgresql.conf"
postgres -D "$work/data" >"$log" 2>&1 &
postmaster=$!
for _ in $(seq 100); do
	pg_isready -q -U postgres -d postgres && break
	sleep 0.1
done
pg_isready -q -U postgres -d postgres ||
	{ cat "$log"; echo "key_leaks: PostgreSQL did not start"; exit 1; }

psql -X -q -U postgres -d postgres -c 'CREATE DATABASE leaks' || exit 1
psql -X -q -v ON_ERROR_STOP=1 -U postgres >"$work/setup.log" 2>&1 <<'SQL' || { cat "$work/setup.log"; exit 1; }
SET client_min_messages = warning;
CREATE EXTENSION usher;
CREATE EXTENSION pg_stat_statements;
CREATE ROLE leak_site LOGIN;
CREATE ROLE leak_nobody LOGIN;
GRANT usher_app, pg_read_server_files TO leak_site;
GRANT USAGE ON SCHEMA usher TO leak_nobody;
CREATE TABLE auth_user (id int PRIMARY KEY, username text, is_active boolean, password text);
CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz);
INSERT INTO django_session VALUES ('asessionkey', 'a:b:c', now() + interval '1 day');
SELECT usher.attach_django(token_table => NULL);
SQL

cd "$work" || exit 1
printf 'usherSENTINEL-one\n' >one
printf 'usherSENTINEL-two' >two
printf 'usherSENTINEL-three\r\n' >three
printf '\n' >empty
{ printf usherSENTINEL; head -c 65536 /dev/zero | tr '\0' k; } >large
printf -- '-----BEGIN PUBLIC KEY-----\nusherSENTINEL\n-----END PUBLIC KEY-----\n' >damaged

# ---- keys from files and from large objects ----

mark
quiet=$(run leak_site -v ON_ERROR_STOP=1 <<SQL
SELECT usher.load_secret_key('$work/one', '{$work/two}');
SELECT usher.load_secret_key('$work/three', keep_previous => true);
SELECT usher.load_jwt_key('loaded', 'HS256', '$work/two');
BEGIN;
\\lo_import one
SELECT usher.take_secret_key(:LASTOID, keep_previous => true);
\\lo_import two
SELECT usher.take_jwt_key('taken', 'HS512', :LASTOID);
\\lo_import three
SELECT usher.take_jwt_key('django', 'HS384', :LASTOID);
COMMIT;
-- Each authentication reads the keys, the first one afresh.
SELECT reason FROM usher.validate_django_session('asessionkey');
SELECT reason FROM usher.validate_jwt('eyJhbGciOiJIUzI1NiJ9.e30.AAAA');
SELECT count(*) FROM usher.secrets();
SELECT usher.remove_jwt_key('django');
SELECT usher.remove_secret_key_fallbacks();
SQL
)
judge "keys are loaded from files and taken from large objects" \
	[ "$(tail -n 5 <<<"$quiet" | tr '\n' ' ')" = "bad_signature bad_signature 6 t 2 " ]
[ $failed -eq 0 ] || echo "$quiet"
run postgres -c 'ANALYZE usher.secret' -c 'VACUUM usher.secret' \
	-c 'TABLE pg_stats' >"$work/stats"

judge "an empty file is refused" \
	fails leak_site "SELECT usher.load_secret_key('$work/empty')" \
	"secret key must not be empty"
judge "a missing file is refused" \
	fails leak_site "SELECT usher.load_secret_key('$work/missing')" \
	"No such file or directory"
judge "a file that is too large is refused" \
	fails leak_site "SELECT usher.load_secret_key('$work/large')" \
	"larger than 65536 bytes"
judge "a secret in place of a public key is refused" \
	fails leak_site "SELECT usher.load_jwt_key('x', 'RS256', '$work/one')" \
	"key for RS256 is no public key in PEM"
judge "a damaged PEM is refused" \
	fails leak_site "SELECT usher.load_jwt_key('x', 'ES256', '$work/damaged')" \
	"key for ES256 is no public key in PEM"
judge "PEM in place of a secret is refused" \
	fails leak_site "SELECT usher.load_jwt_key('x', 'HS256', '$work/damaged')" \
	"key for HS256 looks like PEM"
judge "an unknown algorithm is refused" \
	fails leak_site "SELECT usher.load_jwt_key('x', 'HS1', '$work/one')" \
	"is not known"
judge "an error below PL/pgSQL, of a key already read, is refused" \
	fails leak_site "DO \$\$ BEGIN PERFORM usher.load_jwt_key('x', 'RS256', '$work/one'); END \$\$" \
	"key for RS256"
taken=$(run leak_site <<'SQL'
BEGIN;
\lo_import damaged
SELECT usher.take_jwt_key('x', 'ES512', :LASTOID);
ROLLBACK;
\lo_import one
SET statement_timeout = 1;
SELECT usher.take_secret_key(:LASTOID), pg_sleep(1);
RESET statement_timeout;
SELECT lo_unlink(:LASTOID);
SQL
)
judge "what fails after a large object was read is refused too" \
	grep -q "key for ES512" <<<"$taken"
judge "errors of psql's own way show no key" not shows usherSENTINEL <<<"$taken"

judge "the log has the statements, those inside, and their plans" \
	eval 'for word in "SELECT usher.load_secret_key(" "INSERT INTO usher.secret" "Named Tuplestore Scan" "take_jwt_key"; do grep -a -q -F "$word" "$log" || exit 1; done'
judge "the log shows no key that was loaded or taken" not log_shows usherSENTINEL
judge "pg_stat_statements has the statements inside" \
	grep -q "INSERT INTO usher.secret" <<<"$(statements)"
judge "pg_stat_statements shows no key that was loaded or taken" \
	not shows usherSENTINEL <<<"$(statements)"
judge "pg_stat_activity shows no key that was loaded or taken" \
	not shows usherSENTINEL <<<"$(activity)"
judge "planner statistics show no key" not shows usherSENTINEL <"$work/stats"
judge "all of this would have been seen" \
	eval 'run postgres -c "SELECT value FROM usher.secret" | shows usherSENTINEL'

# ---- keys in statements ----

mark
run leak_site -c "SELECT usher.set_secret_key('usherDIRECT-one', ARRAY['usherDIRECT-two'])" \
	-c "SELECT usher.add_jwt_key('x', 'HS256', 'usherDIRECT-three')" >"$work/direct"
judge "a log of statements shows a key that stands in one, as documented" \
	log_shows usherDIRECT-one
judge "pg_stat_statements shows a placeholder for it" \
	grep -q -F 'SELECT usher.set_secret_key($1, ARRAY[$2])' <<<"$(statements)"
judge "pg_stat_statements shows no key that stood in a SELECT" \
	not shows usherDIRECT <<<"$(statements)"
judge "pg_stat_activity shows a statement while it runs, as documented" \
	answer "SELECT usher.set_secret_key('usherDIRECT-run'), query LIKE '%usherDIRECT-run%' FROM pg_stat_activity WHERE pid = pg_backend_pid()" "|t"

rm everything.conf
kill -HUP "$postmaster"
for _ in $(seq 100); do
	answer "SHOW log_statement" none && break
	sleep 0.1
done
mark
run leak_site -c "SELECT usher.set_secret_key('usherDIRECT-silent')" >"$work/direct"
judge "a server that logs no statements shows no key" \
	not log_shows usherDIRECT
# What an error's line STATEMENT would show at the default settings.
for sql in \
	"SELECT usher.set_secret_key('', ARRAY['usherDIRECT-error'])" \
	"SELECT usher.set_secret_key('usherDIRECT-error', NULL)" \
	"SELECT usher.set_secret_key('usherDIRECT-error', ARRAY[NULL])" \
	"SELECT usher.set_secret_key('usherDIRECT-error', keep_previous => NULL)" \
	"SELECT usher.set_secret_key(repeat('usherDIRECT-error', 10000))" \
	"SELECT usher.add_jwt_key('x', 'RS256', 'usherDIRECT-error')" \
	"SELECT usher.add_jwt_key('x', 'HS255', 'usherDIRECT-error')" \
	"SELECT usher.add_jwt_key('x', 'usherDIRECT-error', 'HS256')" \
	"SELECT usher.add_jwt_key('usherDIRECT error', 'HS256')" \
	"SELECT usher.add_jwt_key(NULL, 'HS256', 'usherDIRECT-error')" \
	"SELECT usher.add_jwt_key('x', 'HS256', '-----BEGIN usherDIRECT-error')" \
	"DO \$\$ BEGIN PERFORM usher.add_jwt_key('x', 'RS256', 'usherDIRECT-error'); END \$\$"
do
	run leak_site -c "$sql"
done >"$work/direct"
judge "each of these statements was refused" \
	[ "$(grep -c ERROR: "$work/direct")" -eq 12 ]
judge "the messages of their errors show no key" \
	not eval 'grep -E "ERROR:|DETAIL:|HINT:" "$work/direct" | shows usherDIRECT'
judge "the log of a refused statement shows no key" not log_shows usherDIRECT
judge "the log has the errors all the same" log_shows "key for RS256"

# PostgreSQL's own errors and remarks while such a function runs.
psql -X -q -U postgres -c 'BEGIN' -c 'LOCK TABLE usher.secret' -c 'SELECT pg_sleep(2)' \
	>"$work/holder" 2>&1 &
holder=$!
for _ in $(seq 100); do
	answer "SELECT count(*) FROM pg_locks WHERE relation = 'usher.secret'::regclass AND mode = 'AccessExclusiveLock' AND granted" 1 && break
	sleep 0.1
done
export PGOPTIONS='-c deadlock_timeout=50ms -c log_lock_waits=on'
run postgres -c "SET lock_timeout = '200ms'" \
	-c "SELECT usher.set_secret_key('usherDIRECT-lock')" >"$work/direct"
run postgres -c "SET statement_timeout = '200ms'" \
	-c "SELECT usher.add_jwt_key('x', 'HS256', 'usherDIRECT-late')" >>"$work/direct"
run postgres -c "DO \$\$ BEGIN PERFORM usher.set_secret_key('usherDIRECT-wait'::bytea); END \$\$" \
	>>"$work/direct"
unset PGOPTIONS
wait "$holder"
judge "PostgreSQL gave up two that waited for a lock" \
	[ "$(grep -c 'ERROR:.*canceling statement' "$work/direct")" -eq 2 ]
judge "the log has what PostgreSQL says of waiting and giving up" \
	eval 'log_shows "still waiting for ShareRowExclusiveLock" && log_shows "due to lock timeout" && log_shows "due to statement timeout"'
judge "the log of statements that waited or were given up shows no key" \
	not log_shows usherDIRECT
run leak_nobody -c "SELECT usher.set_secret_key('usherDIRECT-denied')" >"$work/direct"
judge "the log shows a statement that PostgreSQL itself refused, as documented" \
	log_shows usherDIRECT-denied
run leak_site -c "DO \$\$ BEGIN PERFORM usher.set_secret_key('usherDIRECT-do'); END \$\$"
judge "pg_stat_statements shows a DO block as it is, as documented" \
	shows usherDIRECT-do <<<"$(statements)"

# ---- other encodings of the server ----

run postgres -d postgres -c "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0" \
	-c "CREATE DATABASE windows ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0" \
	-c "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
for database in latin windows bytes; do
	run postgres -d $database -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION usher'
done
stored="SELECT encode(value, 'hex') FROM usher.secret"
PGCLIENTENCODING=UTF8 run postgres -d latin -c "SELECT usher.set_secret_key('clé')" >"$work/direct"
judge "a key is UTF-8 also in a database that is not" \
	[ "$(run postgres -d latin -c "$stored")" = 636cc3a9 ]
run postgres -d bytes -c "SELECT usher.set_secret_key('clé')" >"$work/direct"
judge "a key keeps its bytes in a database without an encoding" \
	[ "$(run postgres -d bytes -c "$stored")" = 636cc3a9 ]
run postgres -d bytes -v VERBOSITY=verbose \
	-c "SELECT usher.set_secret_key(E'\\xe9t\\xe9')" >"$work/direct"
judge "a text that is no UTF-8 is refused there, and none of its bytes shown" \
	eval 'grep -q "ERROR:  22021: secret key is not valid UTF-8" "$work/direct" && ! grep -q -i e9 "$work/direct"'
printf "SELECT usher.set_secret_key('\x81');" |
	PGCLIENTENCODING=WIN1252 run postgres -d windows -v VERBOSITY=verbose >"$work/direct"
judge "a character that UTF-8 has not is refused, and not shown" \
	eval 'grep -q "ERROR:  22P05: secret key cannot be converted to UTF-8" "$work/direct" && ! grep -q -i 0x81 "$work/direct"'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
