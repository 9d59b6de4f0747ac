#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test, from a bare Debian 12: installs what is needed, builds Release
# and an ASan+UBSan build with warnings as errors, makes a small US-English
# model, and runs the unit tests, the command tests and the style checks. The
# last line is 'N passed, N failed, N skipped'; exit status 1 if any failed.
# usage: tests/run.sh [--fast]     --fast: without the sanitizer build
set -uo pipefail
cd "$(dirname "$0")/.."
top=$PWD
fast=no
[ "${1:-}" != --fast ] || fast=yes

scripts/install-packages build data test || exit 1
scripts/build release || exit 1
export SENONE_BIN=$top/build/release/bin/senone
export SENONE_MODELS=$top/build/models
scripts/make-en-us "$SENONE_BIN" "$SENONE_MODELS/en-us" 150000 || exit 1

passed=0 failed=0 skipped=0
# Adds a ctest run's counts.
count() { # LOG
  local log=$1
  passed=$((passed + $(grep -cE ' +Passed +[0-9.]+ sec' "$log")))
  skipped=$((skipped + $(grep -cE '\*\*\*Skipped' "$log")))
  failed=$((failed + $(grep -cE '\*\*\*(Failed|Exception|Timeout|Not Run)' "$log")))
}
unit() { # PRESET
  local log=build/ctest-$1.log
  echo "== Unit tests ($1)"
  (cd "build/$1" && ctest -j"$(nproc)" --output-on-failure) >"$log" 2>&1
  grep -E '\*\*\*|^Errors|[Ss]kip' "$log"
  grep -B2 -A40 -E '\*\*\*(Failed|Exception)' "$log" | head -n 200
  count "$log"
}
unit release
if [ $fast = no ]; then
  scripts/build asan || exit 1
  unit asan
fi

echo "== Command tests"
for t in tests/cli/*.sh; do
  name=$(basename "$t" .sh)
  if out=$(bash "$t" 2>&1); then
    passed=$((passed + 1))
  else
    status=$?
    if [ $status = 77 ]; then
      skipped=$((skipped + 1))
      echo "$name: skipped: $(tail -n 1 <<<"$out")"
    else
      failed=$((failed + 1))
      echo "$name: FAILED (exit $status)"
      tail -n 30 <<<"$out"
    fi
  fi
done

echo "== Style"
for check in check-deps check-headers check-calls check-style; do
  if out=$(scripts/$check 2>&1); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "$check: FAILED"
    tail -n 30 <<<"$out"
  fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
