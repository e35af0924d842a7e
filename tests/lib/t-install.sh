#!/bin/sh
# SPDX-License-Identifier: MIT
# What users of the library do: include the header from C and C++, install, ask pkg-config, link, run.
# usage: t-install.sh BUILD TOP; works in the current directory
build=$1 top=$2 n=0 failed=0

result() { # WORDS STATUS [OUTPUT]
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		[ -z "$3" ] || printf '%s\n' "$3" | head -20 | sed 's/^/# /'
		failed=1
	fi
}

skip() { # WORDS WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

try() { # WORDS COMMAND...
	words=$1
	shift
	out=$("$@" 2>&1)
	result "$words" $? "$out"
}

strict='-Wall -Wextra -Wconversion -Wpedantic -Werror'
printf '#include <pidbox.h>\n#include <pidbox.h>\nextern int none;\n' >header.c
cp header.c header.cc
for std in c99 c11 gnu17; do
	for cc in gcc clang; do
		command -v $cc >/dev/null || { skip "the header in $std, $cc" "no $cc"; continue; }
		try "the header in $std, $cc" $cc -std=$std $strict -I"$top/include" -fsyntax-only header.c
	done
done
for std in c++11 c++17 c++20; do
	for cc in g++ clang++; do
		command -v $cc >/dev/null || { skip "the header in $std, $cc" "no $cc"; continue; }
		try "the header in $std, $cc" $cc -std=$std $strict -I"$top/include" -fsyntax-only header.cc
	done
done

cat >use.c <<'END'
#include <pidbox.h>
#include <stdio.h>

int main(void)
{
	const char *argv[] = { "sh", "-c", "exit 21", NULL };
	struct pidbox_spec spec = { 0 };
	struct pidbox_error err;
	struct pidbox_result res;
	struct pidbox *box;
	int status;

	spec.size = sizeof(spec);
	spec.argv = argv;
	if (pidbox_spawn(&spec, &box, &err) < 0) {
		printf("%s: %s\n", err.what, err.why);
		return 1;
	}
	if (pidbox_wait(box, -1, &res) < 0)
		return 2;
	status = pidbox_exit_status(box, &res);
	pidbox_free(box);
	return status == 21 ? 0 : 3;
}
END
cp use.c use.cc

for tool in meson pkg-config; do
	command -v $tool >/dev/null || { skip "the installed library" "no $tool"; echo "1..$n"; exit $failed; }
done
if ! [ -w "$build/meson-logs" ]; then
	skip "the installed library" "this user cannot install from the build directory"
	echo "1..$n"
	exit $failed
fi
dest=$PWD/dest
try "meson install" meson install -C "$build" --no-rebuild --destdir "$dest"
init=$(find "$dest" -path '*/libexec/pidbox/pidbox-init')
link=$(find "$dest" -path '*/bin/pidbox-init')
[ -x "$init" ] && [ "$dest$(readlink "$link")" = "$init" ]
result "pidbox-init is in PATH, and in libexec" $?
for name in tini docker-init dumb-init catatonit; do
	[ "$("${init%/*}/inits/$name" -- sh -c 'exit 3' 2>/dev/null; echo $?)" = 3 ] &&
		[ -z "$(find "$dest" -path "*/bin/$name")" ]
	result "$name is outside of PATH, and works" $?
done
pc=$(find "$dest" -name pidbox.pc | head -1)
[ -n "$pc" ]
result "pidbox.pc is installed" $?
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$dest"
try "pkg-config knows the version" pkg-config --exact-version=0.1.0 pidbox
# shellcheck disable=SC2046 # words are wanted
try "compiled with pkg-config --static" cc -o use-static use.c $(pkg-config --cflags pidbox) \
	-static $(pkg-config --static --libs pidbox)
try "it runs" ./use-static
# shellcheck disable=SC2046
try "compiled with pkg-config, shared" cc -o use-shared use.c $(pkg-config --cflags --libs pidbox)
libdir=$dest$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir pidbox)
LD_LIBRARY_PATH="$libdir" ./use-shared
result "it runs" $?
# shellcheck disable=SC2046
command -v g++ >/dev/null && {
	try "compiled as C++" g++ -o use-cc use.cc $(pkg-config --cflags --libs pidbox)
	LD_LIBRARY_PATH="$libdir" ./use-cc
	result "it runs" $?
}
so=$(find "$libdir/" -name 'libpidbox.so.0.*' -type f)
undocumented=$(nm -D --defined-only "$so" | awk '{print $3}' | grep -v '^pidbox_' | grep -v '^_\(init\|fini\)$')
[ -z "$undocumented" ]
result "only pidbox_* is exported" $? "$undocumented"
a=$libdir/libpidbox.a
unprefixed=$(nm -g --defined-only "$a" | awk 'NF == 3 {print $3}' | grep -v '^pidbox_')
[ -s "$a" ] && [ -z "$unprefixed" ]
result "only pidbox_* can collide with names of who links libpidbox.a" $? "$unprefixed"
[ "$(nm -g --defined-only "$a" | awk 'NF == 3 {print $3}' | sort)" = \
	"$(nm -D --defined-only "$so" | awk '{print $3}' | grep '^pidbox_' | sort)" ]
result "both libraries export the same" $?
for name in $(nm -D --defined-only "$so" | awk '{print $3}' | grep '^pidbox_'); do
	grep -q "$name" "$top"/include/pidbox*.h || missing="$missing $name"
done
[ -z "$missing" ]
result "all that is exported is in the header" $? "$missing"
for name in $(sed -n 's/^PIDBOX_API.*[ *]\(pidbox_[a-z0-9_]*\)(.*/\1/p' "$top"/include/pidbox*.h); do
	nm -D --defined-only "$so" | grep -qw "$name" || absent="$absent $name"
done
[ -z "$absent" ]
result "all that is in the header is exported" $? "$absent"
init=$dest$(strings "$so" 2>/dev/null | grep -m1 '/pidbox-init$')
[ -x "$init" ]
result "the init is installed where the library looks for it" $? "$init"
echo "1..$n"
exit $failed
