#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone text normalise as a user meets it; what is said: lm/test_normalise.c.
. "$(dirname "$0")/lib.bash"

echo 'On Jan. 5, 1984, Dr. Smith paid $3.50 at 9:05 p.m.' >a.txt
run 0 "$senone" text normalise a.txt
prints '^on january fifth nineteen eighty four doctor smith paid three dollars and fifty cents at nine oh five p m$'
run 0 "$senone" text normalise --case=upper a.txt
prints '^ON JANUARY FIFTH NINETEEN'

# The built-in rules are a file of rules like any other.
run 0 "$senone" text normalise --print-rules
cp out english.rules
run 0 "$senone" text normalise --rules=english.rules a.txt
prints '^on january fifth nineteen eighty four doctor smith'
run 2 "$senone" text normalise --print-rules a.txt
says 'neither TEXT nor --rules'
run 2 "$senone" text normalise --print-rules --rules=english.rules
run 2 "$senone" text normalise --print-rules --case=upper
run 2 "$senone" text normalise --case=title a.txt

# What is dropped is counted; a line without words, and bad UTF-8.
printf 'a # b\n...\n\nc\n' >b.txt
run 0 "$senone" text normalise b.txt a.txt
says 'characters were dropped: .*# .1.'
says '2 lines without words were left out'
[ "$(wc -l <out)" = 3 ] || fail 'not three lines'
printf 'a\ncaf\351\n' >c.txt
run 1 "$senone" text normalise c.txt
says 'c\.txt:2: '
run 1 "$senone" text normalise missing.txt
says 'missing\.txt'
echo ok
