#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Grammars and phrase lists beside an n-gram model, as one graph.
. "$(dirname "$0")/lib.bash"
need_model
[ -d "$testdata/cards" ] || skip "no $testdata"

# A model of a novel's sentences, which has no cards and no robot.
sed 's/ *([^()]*)$//' "$testdata/librivox/transcription" >novel.txt
run 0 "$senone" lm estimate --method=wb novel.txt -o novel.arpa
novel=$(echo "$testdata"/librivox/*-0930.wav)
cards=$testdata/cards/cards.gram
printf '# two phrases\ngo forward\nten meters\n' >robot.txt
transcribe() { run 0 "$senone" transcribe -m en-us --cache=none "$@"; }

transcribe --lm=novel.arpa --raw-rate=16000 "$testdata/goforward.raw"
! grep -q 'go forward' out || fail 'a word that no model has'

# Phrases anywhere; the model's sentences stay.
transcribe --lm=novel.arpa --words=robot.txt --raw-rate=16000 \
  "$testdata/goforward.raw" "$novel"
printf 'go forward ten meters\nhe might even have been made amiable himself\n' |
  cmp - out || fail 'phrases beside a model'

# Whole sentences of a grammar; one graph file does the same.
transcribe --lm=novel.arpa --grammar="$cards" --grammar-place=sentence \
  --grammar-weight=0.3 "$testdata/cards/001.wav" "$testdata/cards/003.wav" "$novel"
printf 'ten of clubs\nseven of clubs\nhe might even have been made amiable himself\n' |
  cmp - out || fail 'a grammar beside a model'
cp out want
run 0 "$senone" graph build --model="$model" --lm=novel.arpa --grammar="$cards" \
  --grammar-place=sentence --grammar-weight=0.3 -o mixed.sng
run 0 "$senone" graph info mixed.sng
prints '^grammar-weight +0\.3$'
prints '^grammar-place +sentence$'
run 0 "$senone" graph check mixed.sng
run 0 "$senone" transcribe -m en-us --graph=mixed.sng "$testdata/cards/001.wav" \
  "$testdata/cards/003.wav" "$novel"
cmp want out || fail 'graph build differs from transcribe'

# Refused: a phrase without pronunciation, by name; weights out of range.
printf 'go forwardz\n' >bad.txt
run 1 "$senone" graph build --model="$model" --lm=novel.arpa --words=bad.txt -o x.sng
says "'forwardz'"
absent x.sng
run 2 "$senone" graph build --model="$model" --lm=novel.arpa --words=robot.txt \
  --grammar-weight=1.5 -o x.sng
run 2 "$senone" graph build --model="$model" --lm=novel.arpa --words=robot.txt \
  --grammar-place=somewhere -o x.sng
echo ok
