#!/bin/sh
# run.sh - the client's tests in Node; last line "N passed, N failed".
#
# Needs these Debian packages: nodejs (18.15 or later), node-ws, esbuild and
# node-typescript.  NODE=... takes another Node.  Where Node has a WebSocket of
# its own (22 and later) everything is run with that, too.  A test that did not
# run, for whatever reason, has failed.
set -u
cd "$(dirname "$0")"
NODE=${NODE:-node}
# Debian's packages are here; a Node from elsewhere does not look for them.
NODE_PATH=/usr/share/nodejs${NODE_PATH:+:$NODE_PATH}
export NODE_PATH
passed=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

missing=
command -v "$NODE" >/dev/null || missing="$missing nodejs"
command -v esbuild >/dev/null || missing="$missing esbuild"
command -v tsc >/dev/null || missing="$missing node-typescript"
"$NODE" -e 'require("ws")' 2>/dev/null || missing="$missing node-ws"
if [ -n "$missing" ]
then
	echo "not ok - these packages are there:$missing"
	echo "0 passed, 1 failed"
	exit 1
fi

# TAP to our own: of each test one line, and of those that failed the facts.
tell()
{
	awk -v with="$1" '
		/^ok [0-9]+ - / { sub(/^ok [0-9]+ - /, ""); print "ok - " $0 with; facts = 0 }
		/^not ok [0-9]+ - / { sub(/^not ok [0-9]+ - /, ""); print "not ok - " $0 with; facts = 1 }
		/^ / && facts { print }
		/^# Subtest/ { facts = 0 }'
}

suite()
{
	WEBSOCKET=$1 timeout 300 "$NODE" --test-reporter=tap all.mjs >"$out" 2>&1
	status=$?
	tell "$2" <"$out"
	counts=$(awk '
		/^# tests [0-9]+$/ { all = $3 }
		/^# pass [0-9]+$/ { pass = $3; n++ }
		END { if (n == 1 && pass > 0) print pass, all - pass }' "$out")
	if [ -z "$counts" ]
	then
		tail -n 20 "$out"
		echo "not ok - the client'\''s tests ran to their end (status $status)$2"
		counts="0 1"
	fi
	set -- $counts
	passed=$((passed + $1))
	failed=$((failed + $2))
	if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]
	then
		failed=$((failed + 1))
		echo "not ok - the client'\''s tests ended with status 0 (it was $status)"
	fi
}

suite ws ""
[ "$("$NODE" -p 'typeof WebSocket')" = function ] &&
	suite native " (with Node's own WebSocket)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
