#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone train mllr: an adapted model fits its data better, works with the old
# graph, is the same for any -j; also of a model trained here, as is MAP.
. "$(dirname "$0")/lib.bash"
need_model
cards=$testdata/cards
[ -e $cards/001.wav ] || skip 'no pocketsphinx-testdata'
run 0 "$senone" corpus import --fileids=$cards/cards.fileids $cards/cards.transcription cards

run 0 "$senone" train mllr --model="$model" -j 1 cards one
prints '^utterances      5, 0 left out$'
prints '^transforms      3, for 3 classes of [0-9]+ Gaussians$'
prints "^gain            [0-9.]*[1-9]"
run 0 "$senone" train mllr --model="$model" -j 2 cards two
cmp one/am.bin two/am.bin || fail '-j changes the model'
grep -q '^adapted = MLLR of means, 3 transforms' one/model.ini || fail 'model.ini'
likelihood() { sed -n 's/^log-likelihood  -\([0-9.]*\) a frame.*/\1/p' out; }
run 0 "$senone" train mllr --model="$model" --classes=2 --min-count=300 cards more
prints '^transforms      [4-6], for [4-6] classes'
before=$(likelihood)
run 0 "$senone" train mllr --model=one --lexicon="$model/lexicon.db" cards again
awk -v a="$before" -v b="$(likelihood)" 'BEGIN {exit !(b < a)}' || fail "log-likelihood -$before, then -$(likelihood)"
run 0 "$senone" transcribe -m ./one -o kaldi $cards/001.wav
prints '^001 .'
run 1 "$senone" train mllr --model=one --lexicon="$model/lexicon.db" cards one
says 'the model itself'

# Gaussians of varying number: a model made by senone train.
dict=$sphinx/cmudict-en-us.dict
run 0 "$senone" train mono --mono-passes=6 --mono-gauss=200 cards "$dict" exp
sed -i 's/^cmn = speaker/cmn = utterance/' exp/mono/model.ini
for how in map mllr; do
  run 0 "$senone" train $how --model=exp/mono --lexicon="$dict" cards own-$how
  prints '^utterances      5, 0 left out$'
  run 0 "$senone" am info own-$how
  prints '^kind            continuous'
done
cmp -s own-map/am.bin exp/mono/am.bin && fail 'nothing was adapted'
echo ok
