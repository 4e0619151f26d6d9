#!/bin/sh
# deps.sh build|vectors|demo|bench|torture|check - install missing Debian
# packages.
#
# check contains all the others; bench needs what demo needs.  Says one line
# when it installs something and nothing when all is there.  DEPS=skip leaves
# everything alone, for those who have the same things from elsewhere.
set -eu

[ "${DEPS:-}" = skip ] && exit 0

build='build-essential pkg-config postgresql-15 postgresql-server-dev-15
	libwebsockets-dev libwebsockets-evlib-uv libuv1-dev libpq-dev libssl-dev
	zlib1g-dev libinih-dev uthash-dev'
vectors='libjansson-dev'
demo='python3 python3-django python3-djangorestframework
	python3-djangorestframework-simplejwt python3-psycopg2 python3-websockets
	python3-cryptography'
torture='iproute2'
check='python3-django-channels libfaketime python3-pytest python3-selenium
	chromium chromium-driver clang clang-format libclang-rt-14-dev openssl curl
	valgrind nodejs node-ws node-typescript esbuild'

case ${1:-} in
	build) wanted=$build ;;
	vectors) wanted="$build $vectors" ;;
	demo | bench) wanted="$build $demo" ;;
	torture) wanted="$build $demo $torture" ;;
	check) wanted="$build $vectors $demo $torture $check" ;;
	*)
		echo "usage: deps.sh build|vectors|demo|bench|torture|check" >&2
		exit 2
		;;
esac

# stdin: what is installed; prints what of $1 is not there.
missing_of()
{
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' $1 2>/dev/null |
		awk -v wanted="$1" '
			$1 == "installed" { have[$2] = 1 }
			END {
				n = split(wanted, name)
				for (i = 1; i <= n; i++)
					if (!(name[i] in have))
						printf "%s%s", sep++ ? " " : "", name[i]
			}'
}

fail()
{
	echo "deps.sh: $1; install these packages and try again: $missing" >&2
	exit 1
}

if ! command -v dpkg-query >/dev/null
then
	missing=$(echo $wanted)
	fail "this is not a Debian system (DEPS=skip goes on without a check)"
fi

missing=$(missing_of "$wanted")
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -eq 0 ]
then
	as_root=
elif command -v sudo >/dev/null
then
	as_root=sudo
else
	fail "only root can install packages, and there is no sudo"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

install_packages()
{
	$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1
}

echo "deps.sh: installing $missing"
$as_root apt-get update -q >>"$log" 2>&1 ||
	echo "deps.sh: apt-get update failed; trying with the lists there are" >&2

# postgresql-15 makes and starts a cluster named "main" unless told not to.
# Whoever has PostgreSQL already has decided that for himself.
case " $missing " in
	*" postgresql-15 "*)
		conf=/etc/postgresql-common/createcluster.conf
		if [ ! -e $conf ]
		then
			install_packages postgresql-common &&
				$as_root sed -i \
					's/^#* *create_main_cluster *=.*/create_main_cluster = false/' \
					$conf
		fi
		;;
esac

# --no-install-recommends also leaves out other things we have no use for.
if ! install_packages $missing
then
	tail -n 5 "$log" >&2
	fail "apt-get could not install everything"
fi

missing=$(missing_of "$wanted")
[ -z "$missing" ] || fail "apt-get installed, but not everything"
