#!/bin/bash
# check.sh - every test, one after another; last line "N passed, N failed".
#
# Each stage prints "ok - sentence" or "not ok - sentence" per test, and one or
# more lines "N passed, N failed"; here they are added up.  A stage that cannot
# even run counts as one failure.
set -u
cd "$(dirname "$0")/.."
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

stage()
{
	local name=$1 status line
	shift
	echo "== $name"
	"$@" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	line=$(awk '/^[0-9]+ passed, [0-9]+ failed$/ {p += $1; f += $3; n++}
		END {if (n) print p, "passed,", f, "failed"}' "$log")
	if [ -z "$line" ]; then
		line="0 passed, 1 failed"
		echo "not ok - $name ran to its end (exit status $status)"
	fi
	set -- $line
	passed=$((passed + $1))
	failed=$((failed + $3))
	if [ "$status" -ne 0 ] && [ "$3" -eq 0 ]; then
		failed=$((failed + 1))
		echo "not ok - $name ended with status 0 (it was $status)"
	fi
}

build()
{
	if make -s -C extension COPT=-Werror &&
		make -s -C listener all WERROR=1 &&
		make -s -C listener asan WERROR=1; then
		echo "ok - everything builds without a warning"
		echo "1 passed, 0 failed"
	else
		echo "not ok - everything builds without a warning"
		echo "0 passed, 1 failed"
		return 1
	fi
}

stage "build" build
stage "lint" /usr/bin/python3 test/lint.py
stage "unit tests under ASan and UBSan" make -s --no-print-directory \
	-C test/unit check
stage "fuzz targets on their seeds" make -s --no-print-directory -j2 \
	-C test/fuzz seeds
stage "vectors" test/vectors/run test/vectors/vectors.json
stage "more vectors" test/vectors/run test/vectors/more.json
stage "SQL" test/regress.sh
stage "vectors through SQL" /usr/bin/python3 test/vectors/sql.py
stage "more vectors through SQL" /usr/bin/python3 test/vectors/sql.py \
	test/vectors/more.json
stage "client in Node" test/client/run.sh
USHERD=$PWD/build/usherd-asan \
	stage "end to end" /usr/bin/python3 test/e2e/run.py
stage "checker of the torture test" /usr/bin/python3 test/e2e/run.py \
	test/torture/test_checker.py
USHERD=$PWD/build/usherd-asan \
	stage "torture, short" /usr/bin/python3 test/torture/torture.py --short

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
