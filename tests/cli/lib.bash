# SPDX-License-Identifier: Apache-2.0
# Sourced by the command tests: a scratch folder and a few expectations.
#   SENONE_BIN, SENONE_MODELS are set by tests/run.sh; alone, a test uses the
#   release build and its small model.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
senone=${SENONE_BIN:-$top/build/release/bin/senone}
export SENONE_MODELS=${SENONE_MODELS:-$top/build/models}
model=$SENONE_MODELS/en-us
sphinx=/usr/share/pocketsphinx/model/en-us
testdata=/usr/share/pocketsphinx/test/data
shared=${SENONE_SHARED:-$top/../shared}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

fail() {
  echo "FAILED: $*"
  exit 1
}
skip() {
  echo "$*"
  exit 77
}
need_model() {
  [ -e "$model/graph.sng" ] || skip "no model $model (scripts/make-en-us)"
}
# run STATUS COMMAND ...: output in ./out and ./err; other statuses fail.
run() {
  local want=$1 got=0
  shift
  "$@" >out 2>err </dev/null || got=$?
  [ "$got" = "$want" ] || {
    cat out err | tail -n 20
    fail "$*: exit status $got, expected $want"
  }
}
# says REGEX: stderr of the last run matches; prints REGEX: stdout does.
says() { grep -qE -- "$1" err || { cat err; fail "stderr does not say: $1"; }; }
prints() { grep -qE -- "$1" out || { head -n 40 out; fail "stdout does not print: $1"; }; }
silent() { ! [ -s err ] || { cat err; fail "stderr is not empty"; }; }
absent() { ! ls "$@" >/dev/null 2>&1 || fail "left behind: $(ls -d "$@")"; }
make_wav() { python3 "$top/tests/cli/make-wav.py" "$@"; }
# handles_int PID: whether it is senone already, not the shell that starts it,
# and has its handler of SIGINT.
handles_int() {
  local caught
  [ "/proc/$1/exe" -ef "$senone" ] || return 1
  caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
  [ $((0x${caught:-0} & 2)) != 0 ] # bit 1
}
