#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ctrl-C while texts are counted, sorted on disk and models are written: exit
# status 130, no part of OUT, no temporary files, an old OUT as it was.
. "$(dirname "$0")/lib.bash"
awk 'BEGIN {srand(3); for (i = 0; i < 40000; i++) {for (k = 0; k < 10; k++) printf "w%d ", 5000 * rand(); print ""}}' >text
mkdir here temp
echo old >here/old

# stop WHEN COMMAND ...: interrupted as soon as the log matches WHEN; or, for
# a number, that many seconds after the handler is there.
stop() {
  local when=$1 got=0 pid
  shift
  "$@" >out 2>err <&0 & # not /dev/null
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    if [[ $when =~ ^[0-9.]+$ ]]; then
      handles_int $pid && sleep "$when" && break
    elif grep -q "$when" err; then
      break
    fi
    sleep 0.01
  done
  kill -INT $pid 2>/dev/null
  wait $pid || got=$?
  [ $got = 130 ] || fail "$*: exit status $got, expected 130: $(tail -n 3 err)"
  says interrupted
  [ "$(ls -A here)" = old ] && [ "$(cat here/old)" = old ] || fail "$*: here: $(ls -A here)"
  [ -z "$(ls -A temp)" ] || fail "$*: temporary files: $(ls -A temp)"
}
small='--verbose --order=6 --memory=1 --temp=temp'

# While it counts: a text without an end, so that it is not done before.
endless() { while cat text 2>/dev/null; do :; done; }
for c in count 'estimate --format=arpa' 'estimate --format=small'; do
  stop 0.4 "$senone" lm $c $small -o here/new < <(endless)
  stop 0.2 "$senone" lm $c $small -o here/old < <(endless)
done
# Queries as well, which never end here.
run 0 "$senone" lm estimate --method=wb text -o query.bin
sed 's/^/u\t1\t/' text >nbest
hypotheses() { while cat nbest 2>/dev/null; do :; done; }
stop 0.2 "$senone" lm ppl query.bin < <(endless)
stop 0.2 "$senone" lm rescore query.bin < <(hypotheses)
stop 0.2 "$senone" lm info --sums=1000000 query.bin

# While it merges, adds up, estimates and writes.
stop 'sorted runs were written' "$senone" lm count $small text -o here/new
for f in arpa fast; do
  stop 'sorted runs were written' "$senone" lm estimate $small --format=$f text -o here/old
done
stop 'order 2: no discounts\|sorted runs' "$senone" lm estimate $small --method=katz text -o here/new
