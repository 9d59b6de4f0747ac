#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ctrl-C leaves whole files or none, says so, and exits with 130.
. "$(dirname "$0")/lib.bash"
need_model
[ -e $sphinx/en-us.lm.bin ] || skip 'no pocketsphinx-en-us'

# stop SECONDS COMMAND ...: interrupted that long after it has set up its
# handler (seen in /proc, so that a slow machine is no failure), with printed=yes
# after its first output; it must not end before, and has to say why it stopped.
stop() {
  local after=$1 got=0 pid
  shift
  "$@" >out 2>err </dev/null &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    handles_int $pid && break
    sleep 0.01
  done
  while [ "${printed:-no}" = yes ] && [ ! -s out ] && kill -0 $pid 2>/dev/null; do
    sleep 0.05
  done
  sleep "$after"
  kill -INT $pid 2>/dev/null
  [ "${twice:-no}" = no ] || kill -INT $pid 2>/dev/null
  wait $pid || got=$?
  [ $got = 130 ] || fail "$*: exit status $got, expected 130: $(tail -n 3 err)"
  says interrupted
}

mkdir here
for after in 0.3 1.5; do
  stop $after "$senone" graph build --model="$model" --lm=$sphinx/en-us.lm.bin -o here/g.sng
  stop $after "$senone" transcribe -m en-us --lm=$sphinx/en-us.lm.bin --cache=here --temp=here \
    $testdata/cards/001.wav
done
# Two signals in one go, as timeout(1) sends them, are one.
twice=yes stop 0.3 "$senone" lm prune --n-grams=100000 $sphinx/en-us.lm.bin here/lm.bin
[ -z "$(ls -A here)" ] || fail "left behind: $(ls -A here)"

# An old file survives a new one that is not finished.
echo old >here/g.sng
stop 0.5 "$senone" graph build --model="$model" --lm=$sphinx/en-us.lm.bin -o here/g.sng
[ "$(ls -A here)" = g.sng ] && [ "$(cat here/g.sng)" = old ] || fail "here: $(ls -A here)"

# Results of their own files: those that are there are whole.
mkdir texts corpus
: >corpus/wav.scp
for i in $(seq 100 160); do
  for f in $testdata/librivox/*.wav; do
    printf '%s-%s %s\n' "$(basename "$f" .wav)" $i "$f" >>corpus/wav.scp
  done
done
stop 2 "$senone" transcribe -m en-us -o json --output-dir=texts corpus
n=$(ls -A texts | wc -l)
[ "$n" -lt 300 ] || fail "all $n were done: not interrupted"
for f in texts/*.json; do
  [ -e "$f" ] || continue
  python3 "$top/tests/cli/check-output.py" json "$f" >/dev/null || fail "$f is not whole"
done
[ -z "$(find texts -type f ! -name '*.json')" ] || fail "left behind: $(ls -A texts)"
# and on stdout, the lines that were printed, one at least
printed=yes stop 0.1 "$senone" transcribe -m en-us -o json corpus
python3 "$top/tests/cli/check-output.py" json out >/dev/null || fail 'cut lines on stdout'
