#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Words like $NUMBER of a model, in the graph as the members of a list or grammar.
. "$(dirname "$0")/lib.bash"
need_model
[ -e "$testdata/goforward.raw" ] || skip "no $testdata"

printf 'go forward $NUMBER meters\ngo back $NUMBER meters\nturn $SIDE\nturn $SIDE $NUMBER times\n' >text.txt
run 0 "$senone" lm estimate --method=wb text.txt -o text.arpa
printf '# how far\ntwo\t1\nten\t2\ntwenty five\t1\n' >numbers.txt
printf '#JSGF V1.0; grammar side; public <side> = left | right | [all] the way around;\n' >side.gram
build() { run "$1" "$senone" graph build --model="$model" --lm=text.arpa "${@:2}"; }

# A class that is not given is a word that can not be said; the message says how.
build 1 -o x.sng
says "'\\\$NUMBER'.*--class=NAME=FILE"
build 0 --class='NUMBER=numbers.txt, $SIDE=side.gram' -o g.sng
run 0 "$senone" graph check g.sng
run 0 "$senone" graph info g.sng
prints '^classes +\$NUMBER \$SIDE$'
prints '^words +16$'
run 0 "$senone" transcribe -m en-us --graph=g.sng --raw-rate=16000 "$testdata/goforward.raw"
[ "$(cat out)" = 'go forward ten meters' ] || fail "$(cat out)"

# The same at once; the cache knows the members.
recognise() {
  run 0 "$senone" transcribe -m en-us --lm=text.arpa --cache=cache --raw-rate=16000 \
    --class=NUMBER="$1",SIDE=side.gram "$testdata/goforward.raw"
}
recognise numbers.txt
[ "$(cat out)" = 'go forward ten meters' ] || fail "$(cat out)"
sed -i '/ten/d' numbers.txt
recognise numbers.txt
! grep -q ten out || fail 'a member that is gone was recognised'
[ "$(ls cache | wc -l)" = 2 ] || fail "cache: $(ls cache)"

# Beside a list of phrases as well.
printf 'stop\n' >words.txt
build 0 --class=NUMBER=numbers.txt,SIDE=side.gram --words=words.txt -o both.sng

# Refused, with what is wrong and nothing left behind.
build 1 --class=NUMBER=numbers.txt,SIDE=side.gram,CITY=numbers.txt -o x.sng
says "class '\\\$CITY': the language model has no such word"
printf 'frobnicate\n' >bad.txt
build 1 --class=NUMBER=bad.txt,SIDE=side.gram -o x.sng
says 'frobnicate'
printf '#JSGF V1.0; grammar n; public <n> = [left];\n' >bad.gram
build 1 --class=NUMBER=numbers.txt,SIDE=bad.gram -o x.sng
says "class '\\\$SIDE': it has the empty phrase|\\\$SIDE.*empty phrase"
printf 'two\t1\nten\n' >bad.txt
build 1 --class=NUMBER=bad.txt,SIDE=side.gram -o x.sng
says 'bad.txt:2: weights stand in all lines or in none'
build 1 --class=NUMBER -o x.sng
says 'expected NAME=FILE'
build 1 --class=NUMBER=absent.txt -o x.sng
says 'absent.txt'
run 2 "$senone" graph build --model="$model" --words=words.txt --class=A=words.txt -o x.sng
run 1 "$senone" transcribe -m en-us --class=A=words.txt --cache=none "$testdata/cards/001.wav"
says 'give one'
run 1 "$senone" transcribe -m en-us --lm=text.arpa --class=NUMBER=numbers.txt,SIDE=side.gram \
  --rescore-lm=text.arpa --cache=none "$testdata/cards/001.wav"
says 'rescore-lm'
absent x.sng
echo ok
