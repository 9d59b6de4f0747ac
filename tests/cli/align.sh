#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone align: words in order, phones without gaps, formats, failures by name.
. "$(dirname "$0")/lib.bash"
need_model
cards=$testdata/cards
[ -e $cards/001.wav ] || skip 'no pocketsphinx-testdata'
run 0 "$senone" corpus import --fileids=$cards/cards.fileids $cards/cards.transcription cards

# Every utterance: its own words in order; phones and fillers tile it.
run 0 "$senone" align -m "$model" -j 1 cards
cp out one
run 0 "$senone" align -m "$model" -j 2 cards
cmp out one || fail '-j changes the output'
python3 - cards/text one <<'PY' || fail 'not an alignment of the text'
import sys
text = {l.split()[0]: l.split()[1:] for l in open(sys.argv[1])}
seen, utt, end = {}, None, 0
for line in open(sys.argv[2]):
    f = line.split()
    if f[0] == 'utterance':
        utt, end = f[1], 0.0
        seen[utt] = []
        assert f[2:9:2] == ['frames', 'beam', 'loglik', 'margin'], line
        assert float(f[9]) < 0, line   # below the best of all state sequences
        continue
    begin, stop = float(f[1]), float(f[2])
    if f[0] == 'word':
        seen[utt].append(f[3])
        assert abs(begin - end) < 1e-6, line
    else:
        # three states of 10 ms each; frames that the front end dropped lie
        # between, so a phone may begin later than the last one ended
        assert begin >= end - 1e-6 and stop - begin >= 0.03 - 1e-6, line
        end = stop
assert seen == text, seen
PY

# The recogniser bound to the same words finds the same times.
printf '#JSGF V1.0;\ngrammar g;\npublic <s> = eight of spades four of clubs seven of hearts;\n' >g.gram
run 0 "$senone" transcribe -m "$model" -o ctm --cmn=batch --grammar=g.gram $cards/005.wav
awk '{print $5}' out >words
run 0 "$senone" align -m "$model" -o ctm cards
grep '^005 ' out >ctm
awk '{print $5}' ctm | cmp - words || fail 'words'
awk '{if ($3 < last - 1e-6 || $4 <= 0) exit 1; last = $3 + $4}' ctm || fail 'ctm times'

# Formats.
run 0 "$senone" align -m "$model" -o ctm-phones --text='ten of clubs' $cards/001.wav
prints '^001\.wav 1 [0-9.]+ [0-9.]+ EH$'
run 0 "$senone" align -m "$model" -o TextGrid --output-dir=grids cards
[ "$(ls grids/*.TextGrid | wc -l)" = 5 ] || fail 'five TextGrids'
grep -q 'text = "queen"' grids/002.TextGrid || fail 'TextGrid'
run 2 "$senone" align -m "$model" -o TextGrid cards
run 2 "$senone" align -m "$model" -o srt cards
says 'a .srt file holds one utterance'
# Each is what its description says and has the words of the transcript, the
# TextGrid lasts as long as the recording.
for format in json ctm srt vtt TextGrid; do
  run 0 "$senone" align -m "$model" -o $format --text='eight of spades four of clubs seven of hearts' $cards/005.wav
  got=$(python3 "$top/tests/cli/check-output.py" $format out 3.5025 full) || fail "$format: $got"
  [ "$got" = 'eight of spades four of clubs seven of hearts' ] || fail "$format: $got"
done
run 0 "$senone" align -m "$model" -o json cards
python3 "$top/tests/cli/check-output.py" json out >words || fail 'json of a corpus'
[ "$(wc -w <words)" = 21 ] || fail "json: $(cat words)"
run 2 "$senone" align -m "$model" $cards/001.wav
run 2 "$senone" align -m "$model" --text=x cards

# What can not be aligned is named; the rest is there.
mkdir bad
for i in 1 2 3 4 5; do echo "u$i $cards/001.wav"; done >bad/wav.scp
echo 'u6 nothing.wav' >>bad/wav.scp
printf '%s\n' 'u1 ten of clubs' 'u2 ten of xyzzy frobs' 'u3' \
  'u4 ten of clubs and many more than any one would ever have said in all of that short time with so very few frames of it' \
  'u5 ten of clubs' 'u6 ten of clubs' >bad/text
run 1 "$senone" align -m "$model" -o ctm bad
says "u2: not aligned: not in the lexicon .*'xyzzy', 'frobs'"
says 'u3: not aligned: no words'
says 'u4: not aligned: too short: 108 frames'
says 'u6: not aligned: .*nothing.wav'
[ "$(cut -d' ' -f1 out | uniq | xargs)" = 'u1 u5' ] || fail 'the sound ones'
# Wrong words: a narrow beam fails, by name; a wide one finds some path, whose
# margin shows it.
run 1 "$senone" align -m "$model" --beam=10 --retry-beam=10 --text='five queen seven of hearts' $cards/001.wav
says 'are these the words that are said'
margin() { sed -n 's/^utterance.*margin -\([0-9.]*\)$/\1/p' out; }
run 0 "$senone" align -m "$model" --text='ten of clubs' $cards/001.wav
good=$(margin)
run 0 "$senone" align -m "$model" --retry-beam=1e6 --text='five queen seven of hearts' $cards/001.wav
awk -v a="$good" -v b="$(margin)" 'BEGIN {exit !(b > a + 1)}' || fail "margins $good, $(margin)"
run 1 "$senone" align -m nowhere cards
