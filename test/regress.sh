#!/bin/bash
# regress.sh [TOPIC...] - the SQL tests on a private, throw-away PostgreSQL.
#
# Runs sql/ against expected/ (pg_regress), test/isolation/
# (pg_isolation_regress), test/dump_restore.sh and test/key_leaks.sh, or only the
# topics named.
# Prints "ok - sql: topic" or "not ok - sql: topic" with the difference, and
# "N passed, N failed" last.  Results stay in build/regress.
#
#	PGROOT=DIR	an installation made by pgroot.sh with the extension in it;
#				otherwise one is made and removed
#	KEEP=1		leave the scratch folder
#
# PostgreSQL refuses to run as root, and user postgres may not be able to
# enter this clone: what it needs is copied into the scratch folder.
set -u
cd "$(dirname "$0")/.."
pg_config=${PG_CONFIG:-pg_config}
results=$PWD/build/regress
work=$(mktemp -d "${TMPDIR:-/tmp}/usher-regress.XXXXXX")
chmod 755 "$work"
postmaster=
passed=0
failed=0

finish()
{
	if [ -n "$postmaster" ] && kill -INT "$postmaster" 2>/dev/null; then
		while kill -0 "$postmaster" 2>/dev/null; do sleep 0.1; done
	fi
	rm -rf "$results"
	mkdir -p "$results"
	cp -r "$work/outcome/." "$results/" 2>/dev/null
	cp "$work/postgresql.log" "$results/" 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

die()
{
	echo "not ok - sql: $*"
	echo "0 passed, 1 failed"
	exit 1
}

# As whoever PostgreSQL runs as; from where make installcheck runs, too, since
# topics include files of sql/include by relative paths.
as_postgres()
{
	if [ "$(id -u)" -eq 0 ]; then
		(cd "$work/extension" && exec runuser -u postgres -- "$@")
	else
		(cd "$work/extension" && exec "$@")
	fi
}

report()
{
	local status=$1 name=$2
	if [ "$status" -eq 0 ]; then
		echo "ok - sql: $name"
		passed=$((passed + 1))
	else
		echo "not ok - sql: $name"
		failed=$((failed + 1))
	fi
}

# ---- a private installation and a cluster ----

root=${PGROOT:-$work/root}
bindir=$(test/pgroot.sh "$root" | tail -n 1) || die "pgroot.sh failed"
if [ -z "${PGROOT:-}" ]; then
	make -s -C extension install DESTDIR="$root" PG_CONFIG="$pg_config" \
		>"$work/install.log" 2>&1 || { cat "$work/install.log"; die "make install failed"; }
fi
# Not "output": pg_regress 14 looks for *.source files in a folder of that name.
mkdir -p "$work/outcome" "$work/socket" "$work/extension"
cp -r sql expected test/isolation test/dump_restore.sh test/key_leaks.sh "$work/"
# pg_regress comes with the server's development files.
tools=$(dirname "$("$pg_config" --pgxs)")/../test
mkdir "$work/tools"
cp "$tools/regress/pg_regress" "$tools/isolation/pg_isolation_regress" \
	"$tools/isolation/isolationtester" "$work/tools/"
# It calls psql by its own folder.
[ "$(id -u)" -ne 0 ] || chown -R postgres "$work/outcome" "$work/socket" "$work"

as_postgres "$bindir/initdb" -D "$work/data" -U postgres -A trust -N \
	-E UTF8 --no-locale >"$work/initdb.log" 2>&1 ||
	{ cat "$work/initdb.log"; die "initdb failed"; }
cat >>"$work/data/postgresql.conf" <<EOF
listen_addresses = ''
unix_socket_directories = '$work/socket'
fsync = off
synchronous_commit = off
shared_buffers = 32MB
max_prepared_transactions = 2
log_line_prefix = '%m [%p] %q%a '
EOF
as_postgres "$bindir/postgres" -D "$work/data" >"$work/postgresql.log" 2>&1 &
for _ in $(seq 100); do
	"$bindir/pg_isready" -q -U postgres -h "$work/socket" && break
	sleep 0.1
done
"$bindir/pg_isready" -q -U postgres -h "$work/socket" ||
	{ cat "$work/postgresql.log"; die "PostgreSQL did not start"; }
postmaster=$(head -n 1 "$work/data/postmaster.pid")

# ---- the tests ----

# The lists stand in extension/Makefile, where make installcheck reads them.
list()
{
	make -s --no-print-directory -C extension -f Makefile \
		PG_CONFIG="$pg_config" --eval="show: ; @echo \$($1)" show
}
regress=" $(list REGRESS) "
isolation=" $(list ISOLATION) "
wanted=" ${*:-$regress $isolation dump_restore key_leaks} "

# run_topics TOOL INPUTDIR DATABASE TOPIC...
run_topics()
{
	local tool=$1 input=$2 database=$3 topic
	local out="$work/outcome/$database"
	shift 3
	[ $# -gt 0 ] || return 0
	as_postgres mkdir -p "$out"
	as_postgres "$work/tools/$tool" --bindir="$bindir" --inputdir="$input" \
		--outputdir="$out" --dbname="$database" --host="$work/socket" \
		--user=postgres --encoding=UTF8 --no-locale "$@" \
		>"$out/summary" 2>&1
	for topic in "$@"; do
		# The words for it changed with PostgreSQL 16; the diff did not.
		if [ -e "$out/results/$topic.out" ] &&
			! grep -qs "/results/$topic\.out" "$out/regression.diffs" &&
			grep -Eq "^(test $topic +\.\.\. ok|ok [0-9]+ +- $topic )" \
				"$out/summary"; then
			report 0 "$topic"
		else
			report 1 "$topic"
			awk -v name="/results/$topic.out" '
				/^diff / {shown = index($0, name) > 0} shown' \
				"$out/regression.diffs" 2>/dev/null
			[ -e "$out/regression.diffs" ] || cat "$out/summary"
		fi
	done
}

pick()
{
	local topic
	for topic in $1; do
		case $wanted in *" $topic "*) echo "$topic" ;; esac
	done
}

run_topics pg_regress "$work" usher_regress $(pick "$regress")
run_topics pg_isolation_regress "$work/isolation" usher_isolation \
	$(pick "$isolation")
case $wanted in
	*" dump_restore "*)
		if as_postgres env PGHOST="$work/socket" PGUSER=postgres \
			PATH="$bindir:$PATH" bash "$work/dump_restore.sh" \
			"$work/outcome" >"$work/outcome/dump_restore.out" 2>&1; then
			report 0 "dump_restore"
		else
			report 1 "dump_restore"
			cat "$work/outcome/dump_restore.out"
		fi
		;;
esac
case $wanted in
	*" key_leaks "*)
		if as_postgres env PATH="$bindir:$PATH" TMPDIR="$work" \
			bash "$work/key_leaks.sh" "$work/outcome" \
			>"$work/outcome/key_leaks.out" 2>&1; then
			report 0 "key_leaks"
		else
			report 1 "key_leaks"
			cat "$work/outcome/key_leaks.out"
		fi
		;;
esac

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
