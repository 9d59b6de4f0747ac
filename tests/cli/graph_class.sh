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

# A class within a class, which the model does not have itself.
printf '$UNIT hundred\t1\n$UNIT\t9\n' >nested.txt
printf 'two\nten\n' >units.txt
build 0 --class=NUMBER=nested.txt,SIDE=side.gram,UNIT=units.txt -o nested.sng
printf 'two hundred\t1\nten hundred\t1\ntwo\t9\nten\t9\n' >all.txt
build 0 --class=NUMBER=all.txt,SIDE=side.gram -o all.sng
same() { run 0 "$senone" graph info "$1"; grep -vE '^(classes|bytes)' out; }
[ "$(same nested.sng)" = "$(same all.sng)" ] || fail 'a class within a class is another graph'
run 0 "$senone" transcribe -m en-us --graph=nested.sng --raw-rate=16000 "$testdata/goforward.raw"
[ "$(cat out)" = 'go forward ten meters' ] || fail "$(cat out)"
printf 'two\n$NUMBER ten\n' >round.txt
build 1 --class=NUMBER=nested.txt,SIDE=side.gram,UNIT=round.txt -o x.sng
says "class '\\\$NUMBER' contains itself: \\\$NUMBER -> \\\$UNIT -> \\\$NUMBER"
build 1 --class=NUMBER=nested.txt,SIDE=side.gram -o x.sng
says "'\\\$UNIT'.*--class=NAME=FILE"

# A model of found classes has no words.
printf 'go\t<class-1>\t0.5\nturn\t<class-1>\t0.5\n' >found.txt
run 0 "$senone" lm estimate --method=wb --classes=found.txt text.txt -o found.arpa
run 1 "$senone" graph build --model="$model" --lm=found.arpa -o x.sng
says "'<class-1>'.* senone lm expand"

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
says 'rescore-lm: what the members of a class cost'
# A graph file knows what it was made of.
printf 'go forward ten meters\n' | "$senone" lm estimate --method=wb -o big.arpa
for g in g both; do
  run 1 "$senone" transcribe -m en-us --graph=$g.sng --graph-lm=text.arpa --rescore-lm=big.arpa \
    --raw-rate=16000 "$testdata/goforward.raw"
  says 'rescore-lm: the graph was made with classes \(\$NUMBER \$SIDE\)'
done
run 0 "$senone" graph build --model="$model" --lm=big.arpa --words=words.txt -o words.sng
run 1 "$senone" transcribe -m en-us --graph=words.sng --graph-lm=big.arpa --rescore-lm=big.arpa \
  --raw-rate=16000 "$testdata/goforward.raw"
says 'rescore-lm: the graph has a grammar or phrases'
run 0 "$senone" transcribe -m en-us --graph=g.sng --lattice=ark:g.lat --raw-rate=16000 "$testdata/goforward.raw"
run 1 "$senone" lattice rescore --old-lm=text.arpa --lm=big.arpa ark:g.lat ark:x.lat
says 'text.arpa has 2 classes \(\$NUMBER, \$SIDE\): what their members cost'
absent x.sng
echo ok
