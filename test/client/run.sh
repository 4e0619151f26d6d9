#!/bin/bash
# run.sh - the tests of listener/web/usher.js, in Node and without a browser.
#
# Needs the Debian packages nodejs (18 or later), node-ws, node-typescript and
# esbuild.  Prints "ok - sentence" or "not ok - sentence" with what went wrong,
# and "N passed, N failed" last.
set -u
cd "$(dirname "$0")"
export NODE_PATH=/usr/share/nodejs
web=../../listener/web
max_bytes=6144
passed=0
failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# One more test: its sentence, then a command; what that says, if it fails.
holds()
{
	local sentence=$1
	shift
	if "$@" >"$output" 2>&1; then
		echo "ok - client: $sentence"
		passed=$((passed + 1))
	else
		echo "not ok - client: $sentence"
		cat "$output"
		failed=$((failed + 1))
	fi
}

is_small()
{
	local bytes
	bytes=$(esbuild --minify "$web/usher.js" 2>&1 | wc -c)
	echo "it has $bytes bytes"
	[ "$bytes" -gt 0 ] && [ "$bytes" -lt $max_bytes ]
}

for file in *.test.mjs; do
	timeout 120 node --test-reporter=tap "$file" >"$output" 2>&1
	status=$?
	sed -n -E 's/^(not )?ok [0-9]+ - (.*)$/\1ok - client: \2/p' "$output"
	good=$(grep -c '^ok [0-9]' "$output")
	bad=$(grep -c '^not ok [0-9]' "$output")
	if [ "$status" -ne 0 ] || [ "$good" -eq 0 ]; then
		cat "$output"
		if [ "$bad" -eq 0 ]; then
			echo "not ok - client: $file ran to its end (exit status $status)"
			bad=1
		fi
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
done
holds "it is smaller than 6 KB when minified" is_small
holds "its types are TypeScript" tsc --noEmit --strict --target es2022 \
	--module esnext --lib es2022,dom "$web/usher.d.ts"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
