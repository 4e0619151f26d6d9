#!/bin/bash
# matrix_suite.sh MAJOR - build and test on the Debian suite this runs in.
#
# Run by matrix.sh as root in a root of that suite, on a copy of the sources,
# with a loopback of its own.  Everything make check has, except lint and the
# unit tests, which depend on nothing here, and the page that needs a browser.
# Prints "ok" and "not ok" lines and "N passed, N failed" last.
set -u
cd "$(dirname "$0")/.." || exit
major=$1
export PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
# matrix.sh installed what this suite calls it.
export DEPS=skip
here="PostgreSQL $major"
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# check SENTENCE COMMAND...
check()
{
	local sentence=$1
	shift
	if "$@" >"$log" 2>&1
	then
		echo "ok - $here: $sentence"
		passed=$((passed + 1))
	else
		cat "$log"
		echo "not ok - $here: $sentence"
		failed=$((failed + 1))
	fi
}

# stage NAME COMMAND...: one that prints such lines and totals itself.
stage()
{
	local name=$1 status totals
	shift
	"$@" >"$log" 2>&1
	status=$?
	totals=$(awk '/^[0-9]+ passed, [0-9]+ failed$/ {last = $1 " " $3}
		END {print last}' "$log")
	# All it said only where something failed.
	if [ "$status" -ne 0 ]
	then
		sed -E "/^[0-9]+ passed, [0-9]+ failed\$/d
			s/^(ok|not ok) - /\1 - $here: /" "$log"
	else
		sed -nE "s/^ok - /ok - $here: /p" "$log"
	fi
	: "${totals:=0 0}"
	passed=$((passed + ${totals% *}))
	failed=$((failed + ${totals#* }))
	# A stage that ran nothing has shown nothing.
	if [ "${totals% *}" -eq 0 ] ||
		{ [ "$status" -ne 0 ] && [ "${totals#* }" -eq 0 ]; }
	then
		echo "not ok - $here: $name ran to its end (exit status $status)"
		failed=$((failed + 1))
	fi
}

prints()
{
	local wanted=$1
	shift
	"$@" | tee /dev/stderr | grep -qx -- "$wanted"
}

version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" \
	extension/usher.control)
echo "# $("$PG_CONFIG" --version)," \
	"libwebsockets $(pkg-config --modversion libwebsockets)," \
	"libuv $(pkg-config --modversion libuv)," \
	"$(openssl version | cut -d' ' -f 1,2), gcc $(gcc -dumpfullversion)"

check "the loopback is up" ip link set lo up
check "the extension builds without a warning" \
	make -s -C extension COPT=-Werror PG_CONFIG="$PG_CONFIG"
stage "vectors" test/vectors/run test/vectors/vectors.json
stage "more vectors" test/vectors/run test/vectors/more.json
stage "SQL" test/regress.sh
stage "vectors through SQL" /usr/bin/python3 test/vectors/sql.py
stage "more vectors through SQL" /usr/bin/python3 test/vectors/sql.py \
	test/vectors/more.json
check "usherd builds without a warning" \
	make -s -C listener all WERROR=1 PG_CONFIG="$PG_CONFIG"
check "usherd tells its version" prints "usherd $version" \
	build/usherd --version
echo "# not run here: the tests in a browser (chromium is not installed)"
USHERD=$PWD/build/usherd stage "end to end" /usr/bin/python3 test/e2e/run.py \
	test/e2e --ignore=test/e2e/test_demo_page.py \
	--ignore=test/e2e/test_browser_client.py \
	--ignore=test/e2e/test_debug_page.py -W ignore::DeprecationWarning

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
