#!/bin/bash
# matrix.sh [SUITE...] - the tests on other releases of everything we stand on.
#
# Debian trixie brings PostgreSQL 17 and sid 18, each with its own libpq,
# libwebsockets, libuv, compiler, Django and websockets.  PostgreSQL 14 and 16
# are in no Debian suite, so nothing runs them by itself.  Who has built one
# from source can: make -C extension clean all PG_CONFIG=..., then
# PG_CONFIG=... test/regress.sh.  14.23 and 16.0 were run so, by hand, once.
#
# Each suite is a root made by debootstrap (about 2 GB, one or two minutes the
# first time, then kept), in which matrix_suite.sh runs for three.  Prints "ok"
# and "not ok" lines and "N passed, N failed" last; whole logs stay beside the
# roots.  Needs root and the network, so it is not a part of make check.
#
#	ROOTS=DIR	where the roots stay (build/matrix)
#	MIRROR=URL	a Debian mirror; otherwise the one apt uses here
#	FRESH=1		make the roots anew
#
# Nothing is ever mounted on this machine itself: what runs in a root has its
# own mounts, processes and, for the tests, its own loopback, and all of those
# end with it, however it ends.  So no rm can follow a mount out of a root, and
# no server stays behind.
set -u
cd "$(dirname "$0")/.." || exit
roots=$(realpath -m "${ROOTS:-build/matrix}")
passed=0
failed=0
job=

packages='gcc make libc6-dev pkgconf libpq-dev libssl-dev libwebsockets-dev
	libwebsockets-evlib-uv libuv1-dev libinih-dev uthash-dev zlib1g-dev
	libjansson-dev libfaketime iproute2 openssl python3 python3-django
	python3-djangorestframework python3-djangorestframework-simplejwt
	python3-django-channels python3-cryptography python3-psycopg2
	python3-websockets python3-pytest
	valgrind libc6-dbg'

finish()
{
	# unshare takes everything inside along.
	[ -z "$job" ] || kill -KILL "$job" 2>/dev/null
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# What cannot be tested at all counts as one failure.
fail()
{
	echo "not ok - $1"
	failed=$((failed + 1))
	return 1
}

finish_with_totals()
{
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

# ---- inside ----

# contained OPTION LOG COMMAND...: OPTION is a further one for unshare.  In the
# background and waited for, since a trap has to wait for a foreground command.
contained()
{
	local option=$1 log=$2 status
	shift 2
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child \
		$option -- "$@" >>"$log" 2>&1 </dev/null &
	job=$!
	wait "$job"
	status=$?
	job=
	return $status
}

# in_root OPTION LOG ROOT COMMAND...: nothing of our environment but proxies.
in_root()
{
	local option=$1 log=$2 root=$3
	shift 3
	contained "$option" "$log" sh -c '
		root=$1
		shift
		mount -t proc proc "$root/proc" &&
			mount -t tmpfs -o mode=1777 shm "$root/dev/shm" || exit
		chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 \
			PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
			DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} \
			"$@"' sh "$root" "$@"
}

# ---- a root ----

remove_root()
{
	if grep -qF " $1/" /proc/self/mountinfo
	then
		echo "matrix.sh: something is mounted below $1" >&2
		return 1
	fi
	rm -rf --one-file-system "$1"
}

# make_root SUITE MAJOR LOG
make_root()
{
	local suite=$1 log=$3 root=$roots/$1 wanted
	wanted=$(echo $packages "postgresql-$2 postgresql-server-dev-$2")

	if [ -n "${FRESH:-}" ]
	then
		remove_root "$root" || return
	fi
	if [ ! -d "$root" ]
	then
		remove_root "$root.part" || return
		contained "" "$log" debootstrap --variant=minbase "$suite" \
			"$root.part" "$mirror" || return
		# No service starts in here, and no cluster is made.
		printf '#!/bin/sh\nexit 101\n' >"$root.part/usr/sbin/policy-rc.d"
		chmod 755 "$root.part/usr/sbin/policy-rc.d"
		mkdir "$root.part/etc/postgresql-common"
		echo 'create_main_cluster = false' \
			>"$root.part/etc/postgresql-common/createcluster.conf"
		mv "$root.part" "$root" || return
	fi
	[ "$(cat "$root/etc/usher-matrix" 2>/dev/null)" != "$wanted" ] || return 0
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	# A mirror may be a snapshot, whose lists were valid until a past day.
	in_root "" "$log" "$root" apt-get update -q \
		-o Acquire::Check-Valid-Until=false &&
		in_root "" "$log" "$root" apt-get install -y -q \
			--no-install-recommends -o Dpkg::Options::=--force-confold \
			$wanted &&
		echo "$wanted" >"$root/etc/usher-matrix"
}

# The sources only: what was built here was built for other libraries.
copy_tree()
{
	rm -rf --one-file-system "$1/usher" &&
		mkdir "$1/usher" &&
		tar -c --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
			--exclude=__pycache__ Makefile extension listener sql expected \
			test | tar -x --no-same-owner -C "$1/usher"
}

# test_suite SUITE MAJOR
test_suite()
{
	local suite=$1 major=$2 root=$roots/$1 log=$roots/$1.log totals
	echo "== Debian $suite, PostgreSQL $major"
	: >"$log"
	if ! make_root "$suite" "$major" "$log"
	then
		tail -n 5 "$log"
		fail "a root of Debian $suite can be made; see $log"
		return
	fi
	copy_tree "$root" || { fail "the sources can be copied to $root"; return; }
	: >"$log"
	in_root --net "$log" "$root" \
		/usher/test/matrix_suite.sh "$major"
	grep -av '^[0-9]* passed, [0-9]* failed$' "$log"
	totals=$(awk '/^[0-9]+ passed, [0-9]+ failed$/ {last = $1 " " $3}
		END {print last}' "$log")
	if [ -z "$totals" ]
	then
		fail "the tests on Debian $suite run to their end"
		return
	fi
	passed=$((passed + ${totals% *}))
	failed=$((failed + ${totals#* }))
}

# ---- all of them ----

if [ "$(id -u)" -ne 0 ]
then
	fail "only root can make a Debian root: sudo make check-matrix"
	finish_with_totals
fi
if ! command -v debootstrap >/dev/null &&
	! apt-get install -y -q --no-install-recommends debootstrap >/dev/null
then
	fail "debootstrap can be installed"
	finish_with_totals
fi
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' |
	grep -m 1 '/debian/*$')}
if [ -z "$mirror" ]
then
	fail "apt has a Debian mirror here; name one: make check-matrix MIRROR=URL"
	finish_with_totals
fi
mkdir -p "$roots"
for suite in ${*:-trixie sid}
do
	case $suite in
		trixie) test_suite trixie 17 ;;
		sid) test_suite sid 18 ;;
		*) fail "$suite is trixie or sid" ;;
	esac
done
finish_with_totals
