#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test, from a bare Debian 12: installs what is needed, builds Release
# and an ASan+UBSan build with warnings as errors, makes a small US-English
# model, and runs the unit tests in both builds, those with threads under TSan
# too, the command tests, the style checks and a few seconds of each fuzz
# target. What is skipped is named with
# its reason. The last line is 'N passed, N failed, N skipped'; exit status 1
# if any failed.
# usage: tests/run.sh [--fast]     --fast: no sanitizers, no fuzzing
# environment: SENONE_SHARED, SENONE_DATA  references and corpora (HACKING.md)
#              FUZZ_SECONDS  for each fuzz target (default 5)
set -uo pipefail
cd "$(dirname "$0")/.."
top=$PWD
fast=no
[ "${1:-}" != --fast ] || fast=yes
# A thread count in the environment would change what is being tested.
unset OPENBLAS_NUM_THREADS OPENBLAS_CORETYPE

passed=0 failed=0 skipped=0
say() { echo "== $* ($((SECONDS / 60)) min $((SECONDS % 60)) s)"; }
pass() { passed=$((passed + 1)); }
bad() {
  failed=$((failed + 1))
  echo "$1: FAILED"
}

say Set-up
scripts/install-packages build data test || exit 1
scripts/build release || exit 1
if grep -q 'warning:' build/release.log; then
  bad 'release build without warnings'
  grep -m 20 'warning:' build/release.log
else
  pass
fi
export SENONE_BIN=$top/build/release/bin/senone
export SENONE_MODELS=$top/build/models
scripts/make-en-us "$SENONE_BIN" "$SENONE_MODELS/en-us" 150000 || exit 1

# ctest's log: lines of test N begin with 'N: '. Prints why tests were skipped
# and what failing ones said, and adds up.
count() { # LOG PRESET
  local log=$1 name number
  passed=$((passed + $(grep -cE ' +Passed +[0-9.]+ sec' "$log")))
  skipped=$((skipped + $(grep -cE '\*\*\*Skipped' "$log")))
  awk '/^ *Start +[0-9]+: / { n = $2; sub(":", "", n); name[n] = $3 }
    /^[0-9]+: (\[  SKIPPED \]|[Ss][Kk][Ii][Pp][Pp][Ee][Dd]:?) / && !/test\(s\)/ {
      n = $1; sub(":", "", n); sub(/^[0-9]+: /, "")
      sub(/^\[  SKIPPED \] /, "skipped: "); sub(/^SKIPPED/, "skipped")
      if (!seen[n, $0]++) print name[n] ": " $0
    }' "$log"
  while read -r number name; do
    bad "$name ($2)"
    grep -E "^$number: " "$log" | tail -n 60
  done < <(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#([0-9]+): ([^ ]+) .*\*\*\*(Failed|Exception|Timeout|Not Run).*/\1 \2/p' "$log")
}
unit() { # PRESET [CTEST_OPTION ...]
  local log=$top/build/ctest-$1.log
  say "Unit tests ($1)"
  (cd "build/$1" && ctest -j"$(nproc)" -V --timeout 600 "${@:2}") >"$log" 2>&1
  count "$log" "$1"
  grep -qE '^[0-9]+% tests passed' "$log" || bad "ctest ($1)"
}
unit release
if [ $fast = no ]; then
  say 'ASan and UBSan'
  if scripts/build asan; then unit asan; else bad 'asan build'; fi
  say 'TSan, what has threads'
  if scripts/build tsan base_test_pool api_test_api; then
    unit tsan -R '^(base/test_pool|api/test_api)$'
  else
    bad 'tsan build'
  fi
fi

# Programs that exit with 0, 77 (skipped; the last line says why) or else.
each() { # LOG_PREFIX COMMAND ...   e.g. each cli bash a.sh b.sh
  local logs=$top/build/$1 t name status
  shift
  rm -rf "$logs"
  mkdir -p "$logs"
  printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh -c \
    '"$1" >"$0/$(basename "$1")" 2>&1; echo $? >"$0/$(basename "$1").status"' \
    "$logs" {}
  for t in "$@"; do
    name=$(basename "$t")
    status=$(cat "$logs/$name.status")
    grep '^skipped: ' "$logs/$name" | sed "s|^|$name: |"
    case $status in
      0) pass ;;
      77)
        skipped=$((skipped + 1))
        echo "$name: skipped: $(tail -n 1 "$logs/$name")" ;;
      *)
        bad "$name (exit $status)"
        tail -n 30 "$logs/$name" ;;
    esac
  done
}
say 'Command tests'
each cli tests/cli/*.sh
say Style
each style scripts/check-*

if [ $fast = no ]; then
  say Fuzzing
  out=$(scripts/fuzz "${FUZZ_SECONDS:-5}")
  status=$?
  echo "$out"
  if [ $status = 77 ]; then
    skipped=$((skipped + 1))
  elif [ $status != 0 ] && [ -z "$out" ]; then
    bad 'fuzz build'
  else
    passed=$((passed + $(grep -cE '^[a-z0-9_]+: [0-9]+ runs' <<<"$out")))
    failed=$((failed + $(grep -cE '^[a-z0-9_]+: CRASH' <<<"$out")))
  fi
fi
say Done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
