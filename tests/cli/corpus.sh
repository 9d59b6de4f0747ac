#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone corpus: import, check, repair, split, subset, stats.
. "$(dirname "$0")/lib.bash"
cards=$testdata/cards
[ -e $cards/001.wav ] || skip 'no pocketsphinx-testdata'

# Sphinx's form; a data directory that the rest of the command reads.
run 0 "$senone" corpus import --fileids=$cards/cards.fileids \
  $cards/cards.transcription corpus/cards
[ "$(cat corpus/cards/text | wc -l)" = 5 ] || fail 'five utterances'
grep -qx '002 four queen of clubs' corpus/cards/text || fail 'text'
grep -qx "002 $cards/002.wav" corpus/cards/wav.scp || fail 'absolute path'
run 0 "$senone" corpus check corpus/cards
prints '^5 utterances, 5 recordings, 0 faults$'
run 0 "$senone" feats --dialect=kaldi -o ark,t:- corpus/cards
[ "$(grep -c '\[' out)" = 5 ] || fail 'feats reads the directory'

# A LibriSpeech-style tree below the corpus folder: relative paths, speakers.
mkdir -p corpus/tree/84/1 corpus/tree/9/2
for i in 0 1; do cp $cards/00$((i + 1)).wav corpus/tree/84/1/84-1-000$i.wav; done
cp $cards/003.wav corpus/tree/9/2/9-2-0000.wav
printf '84-1-0000 ten of clubs\n84-1-0001 four queen of clubs\n' >corpus/tree/84/1/84-1.trans.txt
printf '9-2-0000 seven of clubs\n9-2-0001 missing\n' >corpus/tree/9/2/9-2.trans.txt
run 1 "$senone" corpus import corpus/tree corpus/libri
says '9-2.trans.txt:2: there is no recording'
absent corpus/libri
run 0 "$senone" corpus import --skip-faulty=yes corpus/tree corpus/libri
says '9-2.trans.txt:2: left out'
grep -qx '84-1-0000 tree/84/1/84-1-0000.wav' corpus/libri/wav.scp || fail 'relative path'
grep -qx '9-2-0000 9' corpus/libri/utt2spk || fail 'speaker'

# Split by speaker: disjoint, complete; by a list; the same for the same seed.
run 0 "$senone" corpus split --n=1 corpus/libri rest chosen
cat rest/text chosen/text | LC_ALL=C sort | cmp - corpus/libri/text || fail 'split'
[ "$(cut -d' ' -f2 rest/utt2spk chosen/utt2spk | sort -u | wc -l)" = 2 ] || fail 'speakers'
echo 9 | "$senone" corpus split --list=- corpus/libri rest chosen || fail 'list'
[ "$(cat chosen/text)" = '9-2-0000 seven of clubs' ] || fail 'list'
run 0 "$senone" corpus check chosen
echo nobody >list
run 1 "$senone" corpus split --list=list corpus/libri rest chosen
says "list:1: the corpus has no speaker 'nobody'"
run 2 "$senone" corpus split corpus/libri same same
run 1 "$senone" corpus subset --by=utterance --n=4 corpus/libri more
says '4 utterances are wanted, but there are 3'
run 0 "$senone" corpus subset --per-speaker=1 --fraction=1 corpus/libri few
[ "$(cat few/text | wc -l)" = 2 ] || fail 'per speaker'

# Statistics, words outside a lexicon.
printf 'of A\nclubs B C\nten D E F\n' >words.dict
run 0 "$senone" corpus stats --lexicon=words.dict --per-speaker=yes corpus/libri
prints '^words             10$'
prints '^out of lexicon    3 words \(30\.00 %\), 3 types$'
prints '^84 2 '
run 1 "$senone" corpus check --lexicon=words.dict -j 2 corpus/libri
prints "^corpus/libri/text:2: oov: '84-1-0001': not in the lexicon: 'four', 'queen'"
cp out two
run 1 "$senone" corpus check --lexicon=words.dict -j 1 corpus/libri
cmp out two || fail '-j changes the output'

# Recordings: silence, two rates, damage, and a repair that leaves nothing.
python3 - <<'PY'
import struct
def wav(name, rate, samples):
    d = struct.pack('<%dh' % len(samples), *samples)
    open(name, 'wb').write(b'RIFF' + struct.pack('<I', 36 + len(d)) + b'WAVEfmt ' +
        struct.pack('<IHHIIHH', 16, 1, 1, rate, 2 * rate, 2, 16) + b'data' + struct.pack('<I', len(d)) + d)
wav('silence.wav', 16000, [0] * 16000)
wav('slow.wav', 8000, [(i * 37 % 2000) - 1000 for i in range(8000)])
PY
mkdir bad
printf '%s\n' "a $cards/001.wav" "b $PWD/silence.wav" "c $PWD/slow.wav" "d $cards/002.wav" \
  "e $cards/cards.gram" >bad/wav.scp
printf '%s\n' 'd four queen of clubs' 'b silence' 'c clubs' 'e clubs' 'a ten of clubs' >bad/text
run 1 "$senone" corpus check bad
prints '^bad/text:2: unsorted'
prints "^bad/wav.scp:2: silent: 'b'"
prints "^bad/wav.scp:3: rate: 'c' has 8000 Hz, but 3 of 5"
prints '^bad/wav.scp:5: no-audio'
cp -r bad worse && sed -i '1s/001/none/' worse/wav.scp
run 1 "$senone" corpus split --by=utterance worse one other
says "worse/wav.scp:1: there is no recording .*corpus check"
absent one other
run 1 "$senone" corpus stats nowhere
says "no data directory 'nowhere'"
run 0 "$senone" corpus check --fix=good bad
prints '^wrote good: 2 utterances, 3 left out'
[ "$(cut -d' ' -f1 good/text | xargs)" = 'a d' ] || fail "repaired: $(cat good/text)"
grep -q $'utterance\tleft out\tc: rate' good/changes.tsv || fail 'changes.tsv'
run 0 "$senone" corpus check good
# Nothing sound: no copy.
printf 'b %s\n' "$PWD/silence.wav" >bad/wav.scp
printf 'b silence\n' >bad/text
run 1 "$senone" corpus check --fix=none bad
says "no utterance is left for 'none'"
absent none
