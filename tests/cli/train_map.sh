#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone train map: an adapted model fits its data better, works with the old
# graph, is the same for any -j; and does not come of data that do not fit.
. "$(dirname "$0")/lib.bash"
need_model
cards=$testdata/cards
[ -e $cards/001.wav ] || skip 'no pocketsphinx-testdata'
run 0 "$senone" corpus import --fileids=$cards/cards.fileids $cards/cards.transcription cards

run 0 "$senone" train map --model="$model" -j 1 cards one
prints '^utterances      5, 0 left out$'
run 0 "$senone" train map --model="$model" -j 2 cards two
cmp one/am.bin two/am.bin || fail '-j changes the model'
grep -q '^adapted = MAP of means, tau 10' one/model.ini || fail 'model.ini'
margin() { sed -n 's/^utterance 001 .*margin -\([0-9.]*\)$/\1/p' out; }
run 0 "$senone" align --model="$model" cards
before=$(margin)
run 0 "$senone" align --model=one --lexicon="$model/lexicon.db" cards
awk -v a="$before" -v b="$(margin)" 'BEGIN {exit !(b < a)}' || fail "margin $before, then $(margin)"
run 0 "$senone" transcribe -m ./one -o kaldi $cards/001.wav
prints '^001 .'

# Refused: the model's own folder; transcripts that can not be aligned.
cp -r "$model/model.ini" "$model/am.bin" two/
run 1 "$senone" train map --model=two --lexicon="$model/lexicon.db" cards two
says 'the model itself'
mkdir odd
cp cards/wav.scp odd/
sed 's/ .*/ xyzzy/' cards/text >odd/text
run 1 "$senone" train map --model="$model" odd none
says '5 of 5 utterances can not be aligned'
says '^warning: 001: left out'
absent none
python3 - <<'PY'
import struct
d = b'\0' * 3200
open('tiny.wav', 'wb').write(b'RIFF' + struct.pack('<I', 36 + len(d)) + b'WAVEfmt ' +
    struct.pack('<IHHIIHH', 16, 1, 1, 16000, 32000, 2, 16) + b'data' + struct.pack('<I', len(d)) + d)
PY
mkdir short
echo "s $PWD/tiny.wav" >short/wav.scp
echo 's eight of spades four of clubs seven of hearts' >short/text
run 1 "$senone" train map --model="$model" short none
says 's: left out: 1?[0-9] frames; the words take'
absent none
