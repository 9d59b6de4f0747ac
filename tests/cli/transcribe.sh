#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone transcribe: formats, inputs, orders, grammars, models by name.
. "$(dirname "$0")/lib.bash"
need_model
cards=$testdata/cards
long=$testdata/librivox/sense_and_sensibility_01_austen_64kb-0880.wav

# Every format is valid and has the same words.
run 0 "$senone" transcribe -m en-us "$long"
silent
want=$(tr '\n' ' ' <out | sed 's/ *$//')
[ "$(wc -w <<<"$want")" -gt 5 ] || fail "few words: $want"
run 0 "$senone" transcribe -m en-us -o kaldi "$long"
[ "$(cut -d ' ' -f 2- out)" = "$want" ] || fail "kaldi: $(cat out)"
run 0 "$senone" transcribe -m en-us -o trn "$long"
[ "$(sed 's/ (.*)$//' out)" = "$want" ] || fail "trn: $(cat out)"
for format in json ctm srt vtt TextGrid; do
  run 0 "$senone" transcribe -m en-us -o $format "$long"
  got=$(python3 "$top/tests/cli/check-output.py" $format out 3.1) || fail "$format: $got"
  [ "$got" = "$want" ] || fail "$format: words differ: $got"
done

# Several recordings: order of the arguments, any number of threads.
run 0 "$senone" transcribe -m en-us -j 1 -o json $cards/00{5,4,3,2,1}.wav "$long"
mv out one
[ "$(grep -o '"id":"[^"]*"' one | head -n 5 | tr -dc '0-9')" = 005004003002001 ] || fail 'order'
run 0 "$senone" transcribe -m en-us -j 2 -o json $cards/00{5,4,3,2,1}.wav "$long"
cmp out one || fail '-j 2 differs from -j 1'
run 0 "$senone" transcribe -m en-us -j 5 -o json $cards/00{5,4,3,2,1}.wav "$long"
cmp out one || fail '-j 5 differs from -j 1'

# Each into a file of its own.
mkdir texts
run 0 "$senone" transcribe -m en-us -o TextGrid --output-dir=texts $cards/00{1,2}.wav
[ "$(ls texts | tr '\n' ' ')" = "001.TextGrid 002.TextGrid " ] || fail "files: $(ls texts)"
for t in texts/*; do python3 "$top/tests/cli/check-output.py" TextGrid "$t" >/dev/null || fail "$t"; done
run 2 "$senone" transcribe -m en-us -o srt $cards/00{1,2}.wav
says 'output-dir'

# Standard input: wav, and raw samples; the same as the file.
run 0 "$senone" transcribe -m en-us --live=no $cards/005.wav
mv out file
"$senone" transcribe -m en-us --live=no - <$cards/005.wav >out 2>err || fail 'wav on stdin'
cmp out file || fail "wav on stdin differs: $(cat out)"
tail -c +45 $cards/005.wav >five.raw
"$senone" transcribe -m en-us --live=no - <five.raw >out 2>err || fail 'raw on stdin'
cmp out file || fail "raw on stdin differs: $(cat out)"
run 0 "$senone" transcribe -m en-us --raw-rate=16000 five.raw
cmp out file || fail "a raw file differs: $(cat out)"
"$senone" transcribe -m en-us - <$cards/005.wav >out 2>err || fail 'live'
[ "$(wc -w <out)" -gt 4 ] || fail "live: $(cat out)"

# A grammar: no errors on its five commands, from scratch and from the cache.
for i in 1 2; do
  run 0 "$senone" transcribe -m en-us --grammar=$cards/cards.gram --cache="$tmp/cache" -o kaldi $cards/*.wav
  silent
  mv out hyp.txt
  run 0 "$senone" score $cards/cards.transcription hyp.txt
  prints '^WER 0.00 %'
done
[ "$(find cache -type f | wc -l)" = 1 ] || fail "cache: $(find cache)"
run 0 "$senone" transcribe -m en-us --grammar=$cards/cards.gram --cache=none -o kaldi $cards/*.wav
cmp out hyp.txt || fail 'another result without the cache'

# A list of phrases.
printf 'ten of clubs\nseven of clubs\nfive of hearts\n' >phrases
run 0 "$senone" transcribe -m en-us --words=phrases --cache=none $cards/001.wav $cards/003.wav
[ "$(cat out)" = "ten of clubs
seven of clubs" ] || fail "phrases: $(cat out)"

# A language model of one's own.
cat >own.arpa <<'ARPA'
\data\
ngram 1=5

\1-grams:
-99	<s>
-0.6	</s>
-0.6	ten
-0.6	of
-0.6	clubs

\end\
ARPA
run 0 "$senone" transcribe -m en-us --lm=own.arpa --cache=none $cards/001.wav
[ "$(cat out)" = "ten of clubs" ] || fail "own LM: $(cat out)"

# Models: by name, by folder, from the user's data folder; default en-us.
ln -s "$model" other
run 0 env SENONE_MODELS="$tmp" "$senone" transcribe -m other $cards/001.wav
mv out named
run 0 "$senone" transcribe -m ./other $cards/001.wav
cmp out named || fail 'by folder'
run 0 "$senone" transcribe $cards/001.wav
cmp out named || fail 'default model'
run 0 "$senone" transcribe --models="/nowhere:$tmp" -m other $cards/001.wav
cmp out named || fail '--models'
mkdir -p data/senone/models && ln -s "$model" data/senone/models/mine
run 0 env -u SENONE_MODELS XDG_DATA_HOME="$tmp/data" "$senone" transcribe -m mine $cards/001.wav
cmp out named || fail 'user data folder'
run 1 env SENONE_MODELS="$tmp" "$senone" transcribe -m othr $cards/001.wav
says 'othr'

# A data directory: wav.scp relative to the corpus folder, segments, order.
mkdir -p corpus/train corpus/wav
cp $cards/005.wav corpus/wav/a.wav
cp $cards/001.wav corpus/wav/b.wav
printf 'rec-a wav/a.wav\nrec-b %s/corpus/wav/b.wav\n' "$tmp" >corpus/train/wav.scp
run 0 "$senone" transcribe -m en-us -o kaldi corpus/train
[ "$(cut -d ' ' -f 1 out | tr '\n' ' ')" = "rec-a rec-b " ] || fail "ids: $(cat out)"
sed 's/rec-b //;q' <(tail -n 1 out) | cmp - named || fail "rec-b differs: $(cat out)"
printf 'u3 rec-b 0 1.1\nu1 rec-a 0 1.3\nu2 rec-a 1.2 3.5\n' >corpus/train/segments
for j in 1 2; do
  run 0 "$senone" transcribe -m en-us -j $j --grammar=$cards/cards.gram -o kaldi corpus/train
  [ "$(cat out)" = "u3 ten of clubs
u1 eight of spades
u2 four of clubs seven of hearts" ] || fail "segments: $(cat out)"
done
# times count from the beginning of what the id names, here the segment
run 0 "$senone" transcribe -m en-us --grammar=$cards/cards.gram -o ctm corpus/train
awk '$5 == "hearts" && $3 > 1.3 && $3 < 1.7 { n++ } END { exit n != 1 }' out ||
  fail "segment times: $(cat out)"
printf 'u3 rec-c 0 1.1\n' >corpus/train/segments
run 1 "$senone" transcribe -m en-us -o kaldi corpus/train
says 'segments:1:.*rec-c'

# Lattices: the same archive for any number of threads, the answer in it.
for j in 1 2 5; do
  run 0 "$senone" transcribe -m en-us -j $j -o kaldi --lattice=j$j.lat $cards/00{5,4,3,2,1}.wav "$long"
  mv out j$j.txt
  cmp j$j.txt j1.txt || fail "--lattice: -j $j differs"
  cmp j$j.lat j1.lat || fail "lattices of -j $j differ"
done
run 0 "$senone" transcribe -m en-us -j 1 -o kaldi $cards/00{5,4,3,2,1}.wav "$long"
cmp out j1.txt || fail 'another answer with --lattice'
run 0 "$senone" lattice best --output=text j1.lat
cmp out j1.txt || fail 'the best paths of the lattices are not the answer'
run 0 "$senone" transcribe -m en-us --lattice=ark:k.ark --lattice-beam=3 $cards/001.wav
run 0 "$senone" lattice info ark:k.ark
prints '^utterances	1$'
run 0 "$senone" transcribe -m en-us --lattice=slf:slf/ $cards/001.wav
run 0 "$senone" lattice best --output=text slf:slf/001.slf
run 1 "$senone" transcribe -m en-us --lattice=/nowhere/x.lat $cards/001.wav
run 1 "$senone" transcribe -m en-us --lattice=part.lat $cards/001.wav missing.wav
[ -e part.lat ] || fail 'no lattices of what could be transcribed'

# Times of words from an archive are those of the answer: by their phones, and
# with what the front end took out (seconds of silence between two recordings).
python3 - $cards/00{1,5}.wav <<'PY'
import sys, wave
parts = [wave.open(f).readframes(10 ** 7) for f in sys.argv[1:]]
w = wave.open('gap.wav', 'wb')
w.setparams((1, 2, 16000, 0, 'NONE', ''))
w.writeframes(bytes(32000) + parts[0] + bytes(96000) + parts[1])
PY
for how in --rescore-lm=none --rescore-lm="$model/lm.bin"; do
  run 0 "$senone" transcribe -m en-us "$how" -o ctm --confidence=no --lattice=gap.lat gap.wav "$long" $cards/003.wav
  mv out want.ctm
  run 0 "$senone" lattice best --output=ctm gap.lat
  silent
  python3 - out want.ctm <<'PY' || fail "times of $how: $(paste -d '|' out want.ctm)"
import sys
got, want = ([r.split() for r in open(f)] for f in sys.argv[1:])
assert [(r[0], r[4]) for r in got] == [(r[0], r[4]) for r in want] and len(got) > 15
for a, b in zip(got, want):
    # two decimals beside three
    assert all(abs(float(a[i]) - float(b[i])) < 0.0051 for i in (2, 3)), (a, b)
assert max(float(b[2]) - float(a[2]) - float(a[3]) for a, b in zip(want, want[1:]) if a[0] == b[0]) > 2.5
PY
done
run 0 "$senone" lattice copy gap.lat copy.lat
run 0 "$senone" lattice best --output=ctm copy.lat
mv out copied
run 0 "$senone" lattice best --output=ctm gap.lat
cmp out copied || fail 'a copy has other times'
# The same of mbr, whose times are means over paths, and of likely arcs.
"$senone" lattice mbr --keep-best --output=ctm gap.lat >mbr.ctm || fail mbr
"$senone" lattice posteriors --min-posterior=0.9 gap.lat >arcs || fail posteriors
python3 - mbr.ctm arcs out <<'PY' || fail "times of mbr: $(paste -d '|' mbr.ctm out)"
import sys
mbr, arcs, best = ([r.split() for r in open(f)] for f in sys.argv[1:])
assert [r[4] for r in mbr] == [r[4] for r in best]
sure = [(float(a[2]), float(b[2])) for a, b in zip(mbr, best) if float(a[5]) > 0.98]
assert len(sure) > 5 and all(abs(a - b) < 0.025 for a, b in sure), sure
places = {(r[0], r[4], r[2]) for r in best}
found = [(r[0], r[3], '%.2f' % float(r[1])) in places for r in arcs if r[3] != '-']
assert len(found) > 5 and sum(found) > 0.9 * len(found), (sum(found), len(found))
PY
run 0 "$senone" lattice mbr --output=ctm gap.lat
awk '$1 == "gap" && $3 > 4.5 {late = 1} END {exit !late}' out || fail "times of mbr: $(cat out)"

# Confidences, alternatives and the n best.
run 0 "$senone" transcribe -m en-us -o ctm "$long"
[ "$(awk 'NF != 6 || $6 <= 0 || $6 > 1' out | wc -l)" = 0 ] || fail "ctm: $(cat out)"
run 0 "$senone" transcribe -m en-us -o ctm --confidence=no "$long"
[ "$(awk 'NF != 5' out | wc -l)" = 0 ] || fail "ctm: $(cat out)"
run 0 "$senone" transcribe -m en-us -o json --confidence=posterior --alternatives=3 --nbest=4 "$long"
python3 - out <<'PY' || fail "json: $(cat out)"
import json, sys
d = json.load(open(sys.argv[1]))
assert d['nbest'][0]['text'] == d['text'] and len(d['nbest']) == 4
assert any(w.get('alternatives') for w in d['words'])
for w in d['words']:
    assert 0 < w['confidence'] <= 1
    assert w['confidence'] + sum(a['posterior'] for a in w.get('alternatives', ())) < 1.001
PY
# What the model's [confidence] makes of posteriors, computed again.
run 0 "$senone" transcribe -m en-us -o ctm --confidence=posterior "$long"
mv out posterior.ctm
run 0 "$senone" transcribe -m en-us -o ctm "$long"
python3 - "$model/model.ini" posterior.ctm out <<'PY' || fail "confidences: $(cat posterior.ctm out)"
import configparser, math, sys
ini = configparser.ConfigParser(strict=False)
ini.read(sys.argv[1])
weights = [float(ini['confidence'][k]) for k in ('constant', 'posterior', 'neighbours', 'duration', 'letters')]
was, now = ([row.split() for row in open(f)] for f in sys.argv[2:])
odds = []
for w in was:
    p = min(max(float(w[5]), 1e-4), 1 - 1e-4)
    odds.append(math.log(p / (1 - p)))
assert [w[:5] for w in was] == [w[:5] for w in now]
for i, w in enumerate(was):
    near = [odds[k] for k in (i - 1, i + 1) if 0 <= k < len(was)]
    x = [1, odds[i], sum(near) / len(near), math.log(float(w[3])), math.log(len(w[4].split('(')[0]))]
    p = 1 / (1 + math.exp(-sum(a * b for a, b in zip(weights, x))))
    # posteriors are printed with four digits: where 1 - p is 0.0002 its
    # logarithm is good to a quarter, the confidence to a tenth of 1 - p
    assert abs(p - float(now[i][5])) < 0.02, (w, now[i], p)
PY
cp -r "$model" plain
sed -i '/^\[confidence\]/,$d' plain/model.ini
run 0 "$senone" transcribe -m ./plain -o ctm "$long"
cmp out posterior.ctm || fail 'a model without [confidence] has other posteriors'
printf '\n[confidence]\nconstant = 1\n' >>plain/model.ini
run 1 "$senone" transcribe -m ./plain -o ctm "$long"
says '\[confidence\]'
rm -r plain
run 0 "$senone" transcribe -m en-us -o json --mbr "$long"
python3 "$top/tests/cli/check-output.py" json out 3.1 >/dev/null || fail 'json of --mbr'
run 0 "$senone" transcribe -m en-us -o TextGrid --mbr "$long"
python3 "$top/tests/cli/check-output.py" TextGrid out 3.1 >/dev/null || fail 'TextGrid of --mbr'
# Every format of a recording with gaps in it, with alternatives.
for format in json ctm srt vtt TextGrid; do
  run 0 "$senone" transcribe -m en-us -o $format --mbr --alternatives=3 gap.wav
  got=$(python3 "$top/tests/cli/check-output.py" $format out 8.598 full) || fail "$format of gaps: $got"
done

# Two passes, and one.
rescore=(--rescore-lm="$model/lm.bin" --graph-lm="$model/lm.bin" --graph="$model/graph.sng")
run 0 "$senone" transcribe -m en-us -j 1 -o json "${rescore[@]}" $cards/00{5,2}.wav "$long"
prints '"rescored":true'
mv out two
run 0 "$senone" transcribe -m en-us -j 3 -o json "${rescore[@]}" $cards/00{5,2}.wav "$long"
cmp out two || fail 'two passes: -j 3 differs'
run 0 "$senone" transcribe -m en-us -j 1 -o json --rescore-lm=none "$long"
! grep -q '"rescored":true' out || fail '--rescore-lm=none'
run 1 "$senone" transcribe -m en-us --grammar=$cards/cards.gram --rescore-lm="$model/lm.bin" $cards/001.wav
says 'rescore-lm: a graph of a grammar'
# The model's own second pass: on by itself, off by --rescore-lm=none; a language
# model altered since it was written is refused.
mkdir twopass
ln -s "$model"/{am.bin,graph.sng,lexicon.db,lm.bin} twopass/
sed '/^\[files\]/a rescore-lm = full.lm.bin' "$model/model.ini" >twopass/model.ini
cp "$model/lm.bin" twopass/full.lm.bin
run 0 "$senone" transcribe -m ./twopass -o json $cards/001.wav
prints '"rescored":true'
run 0 "$senone" transcribe -m ./twopass --rescore-lm=none -o json $cards/001.wav
! grep -q '"rescored":true' out || fail '--rescore-lm=none with a model of two passes'
run 0 "$senone" transcribe -m ./twopass --grammar=$cards/cards.gram $cards/001.wav
python3 - twopass/full.lm.bin <<'PY'
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
data[len(data) // 2] ^= 1
open(sys.argv[1], 'wb').write(data)
PY
run 1 "$senone" transcribe -m ./twopass $cards/001.wav
says 'full.lm.bin.*checksum'
run 0 "$senone" transcribe -m ./twopass --rescore-lm=none $cards/001.wav
