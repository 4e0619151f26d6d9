#!/bin/sh
# pgroot.sh DIR - make DIR a private PostgreSQL installation that holds the
# extension, without touching the system's.
#
# PostgreSQL finds its share and library folders relative to its own
# executable.  So DIR gets real copies of the programs, links to everything
# else, and the extension's files (put there by `make install DESTDIR=DIR`
# beforehand or afterwards).  Folders that `make install` writes to are never
# links: through one it would write into the system's.  Prints the folder of
# the programs.
set -eu

dir=$1
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
sharedir=$("$pg_config" --sharedir)
pkglibdir=$("$pg_config" --pkglibdir)

mkdir -p "$dir$bindir" "$dir$sharedir/extension" "$dir$pkglibdir/bitcode"
for program in postgres initdb pg_ctl psql pg_dump pg_restore createdb \
	pg_isready pg_dumpall
do
	# Copied, not linked: find_my_exec() resolves links.
	[ -e "$dir$bindir/$program" ] &&
		[ "$dir$bindir/$program" -nt "$bindir/$program" ] && continue
	cp "$bindir/$program" "$dir$bindir/$program"
	touch "$dir$bindir/$program"
done
for file in "$sharedir"/* "$sharedir"/extension/* "$pkglibdir"/* \
	"$pkglibdir"/bitcode/*
do
	name=$(basename "$file")
	case $file in
		*/extension | */bitcode | *'/*') continue ;;
		*/usher*) continue ;;
	esac
	[ -e "$dir$file" ] || ln -s "$file" "$dir$(dirname "$file")/$name"
done
echo "$dir$bindir"
