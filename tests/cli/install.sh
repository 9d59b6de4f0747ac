#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What others get: cmake --install, pkg-config with both libraries, the Debian
# package. Installs and removes the package where it may (root, in CI or with
# SENONE_TEST_INSTALL=1); else unpacks it.
. "$(dirname "$0")/lib.bash"
need_model
build=$(dirname "$(dirname "$senone")")
[ -e "$build/CPackConfig.cmake" ] || skip "$build is no build directory"
command -v dpkg-deb >/dev/null || skip 'no dpkg-deb'

# The example against what is installed in PREFIX; PKG_CONFIG_PATH is set.
try_example() { # NAME PKG_CONFIG_OPTION ...
  local name=$1
  shift
  cc -std=c11 -Wall -Wextra -Werror -o $name "$top/egs/c-api/live.c" \
    $(pkg-config "$@" --cflags --libs senone) 2>err || { cat err; fail "$name does not link"; }
  tail -c +45 $testdata/cards/003.wav | ./$name "$model" 16000 >out 2>err ||
    { cat err; fail "$name"; }
  prints '[a-z]+ [a-z]+'
}

cmake --install "$build" --prefix "$tmp/usr" >out 2>&1 || { cat out; fail 'cmake --install'; }
for f in bin/senone include/senone.h share/man/man1/senone.1 share/man/man1/senone-lm-prune.1 \
  share/bash-completion/completions/senone share/doc/senone/LICENSE; do
  [ -e usr/$f ] || fail "not installed: $f"
done
run 0 usr/bin/senone --version
version=$(sed 's/senone //' out)
lib=$(dirname "$(dirname "$(find usr -name senone.pc)")")
export PKG_CONFIG_PATH=$tmp/$lib/pkgconfig
[ "$(pkg-config --modversion senone)" = "$version" ] || fail 'version in senone.pc'
LD_LIBRARY_PATH=$tmp/$lib try_example dynamic
ldd dynamic | grep 'libsenone\.so' >/dev/null || fail 'libsenone.so is not used'
mkdir away && mv "$lib"/libsenone.so* away
try_example static --static
mv away/* "$lib"
! ldd static | grep 'libsenone' >/dev/null || fail 'the static library is not used'
# The shared library exports senone_* and nothing else.
extra=$(nm -D --defined-only "$lib"/libsenone.so | awk '{print $3}' | grep -vE '^(senone_|SENONE)' || true)
[ -z "$extra" ] || fail "exported too: $(head -n 5 <<<"$extra")"

# The package.
(cd "$build" && cpack -G DEB -B "$tmp/deb") >out 2>&1 || { cat out; fail 'cpack'; }
deb=$(ls "$tmp"/deb/*.deb)
[ "$(dpkg-deb -f "$deb" Version)" = "$version" ] || fail "version of $deb"
dpkg-deb -f "$deb" Depends | grep libsndfile1 >/dev/null || fail "no dependencies: $(dpkg-deb -f "$deb" Depends)"
dpkg-deb -c "$deb" | awk '{print $6}' >files
for f in ./usr/bin/senone ./usr/include/senone.h ./usr/share/man/man1/senone.1; do
  grep -qE "^$f(\.gz)?$" files || fail "not in the package: $f"
done
! grep -vE '^\./(usr/?.*)?$' files || fail 'files outside usr'
! dpkg-deb -c "$deb" | awk '$2 != "root/root"' | grep . || fail 'owners'
unset PKG_CONFIG_PATH
if [ "$(id -u)" = 0 ] && { [ -n "${CI:-}" ] || [ "${SENONE_TEST_INSTALL:-}" = 1 ]; } &&
  ! dpkg-query -W senone >/dev/null 2>&1; then
  dpkg -i "$deb" >out 2>&1 || { cat out; dpkg -P senone >/dev/null 2>&1; fail 'dpkg -i'; }
  trap 'dpkg -P senone >/dev/null 2>&1; rm -rf "$tmp"' EXIT
  run 0 /usr/bin/senone --version
  [ -e /usr/share/man/man1/senone-transcribe.1 ] || [ -e /usr/share/man/man1/senone-transcribe.1.gz ] ||
    [ -e /etc/dpkg/dpkg.cfg.d/docker ] || fail 'no man page'
  try_example packaged
  try_example packaged-static --static
  run 0 dpkg -P senone
  absent /usr/bin/senone /usr/lib/*/libsenone* /usr/include/senone.h
  trap 'rm -rf "$tmp"' EXIT
else
  dpkg-deb -x "$deb" root
  lib=$(dirname "$(find root -name libsenone.so)")
  run 0 env LD_LIBRARY_PATH="$tmp/$lib" root/usr/bin/senone --version
  PKG_CONFIG_PATH=$tmp/$lib/pkgconfig LD_LIBRARY_PATH=$tmp/$lib try_example unpacked
  echo 'skipped: dpkg -i: not root in CI (SENONE_TEST_INSTALL=1 installs and removes it)'
fi
