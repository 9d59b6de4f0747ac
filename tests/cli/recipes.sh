#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The recipes that download their corpora, from the download to the page, on
# mirrors of the same shape: a few utterances, small models. Figures mean
# nothing here; that each step finds what the one before has left does.
. "$(dirname "$0")/lib.bash"
for tool in curl bzip2 flac; do
  command -v $tool >/dev/null || skip "no $tool (scripts/install-packages test)"
done
[ -e $testdata/librivox/transcription ] || skip 'no pocketsphinx-testdata'
egs=$top/egs
export SENONE_BIN=$senone SENONE_DATA=$tmp/no-data
unset SENONE_SHARED
passes='--mono-passes=4 --tri-passes=2 --lda-passes=2 --sat-passes=2'

# ---- The same ten utterances in the shape of LibriSpeech and of LJ Speech ----
cat $testdata/librivox/transcription $testdata/cards/cards.transcription |
  sed 's/<s> \(.*\) <.s> (\(.*\))/\2 \1/' >all.text
mkdir -p mirror/31 mirror/11 LibriSpeech LJSpeech-1.1/wavs
n=0
while read -r id words; do
  n=$((n + 1))
  wav=$testdata/librivox/$id.wav
  [ -e "$wav" ] || wav=$testdata/cards/$id.wav
  for part in train-clean-5 dev-clean-2; do
    chapter=$((n > 5 ? 2 : 1))
    dir=LibriSpeech/$part/$((chapter + 100))/$chapter
    name=$((chapter + 100))-$chapter-$(printf %04d $n)
    mkdir -p $dir
    flac --silent -o $dir/$name.flac "$wav" || fail flac
    echo "$name ${words^^}" >>$dir/$((chapter + 100))-$chapter.trans.txt
  done
  cp "$wav" LJSpeech-1.1/wavs/LJ001-$(printf %04d $n).wav
  echo "LJ001-$(printf %04d $n)|${words^}.|${words^}." >>LJSpeech-1.1/metadata.csv
done <all.text
[ $n = 10 ] || fail "$n utterances"
for part in train-clean-5 dev-clean-2; do
  tar czf mirror/31/$part.tar.gz LibriSpeech/$part
done
tar cjf mirror/LJSpeech-1.1.tar.bz2 LJSpeech-1.1
tr 'a-z ' 'A-Z\n' <all.text | sort -u >words
# with a stress digit, as LibriSpeech's has them, and TABs
awk 'NR == FNR {w[$1] = 1; next} toupper($1) in w {
    p = ""
    for (i = 2; i <= NF; i++) p = p " " ($i ~ /^[AEIOU]/ ? $i 1 : $i)
    print toupper($1) "\t" substr(p, 2)
  }' words $sphinx/cmudict-en-us.dict >mirror/11/librispeech-lexicon.txt
cut -d' ' -f2- all.text | tr a-z A-Z | "$senone" lm estimate --quiet --order=2 -o lm.arpa || fail 'lm estimate'
gzip -c lm.arpa >mirror/11/3-gram.pruned.3e-7.arpa.gz

# ---- mini_librispeech ----
run 0 env MINI_URL=file://$tmp/mirror/31 MINI_LM_URL=file://$tmp/mirror/11 RESULTS=mini.md MINI_WEIGHTS='10 14' \
  MINI_TRAIN="--mono-gauss=150 --tri-leaves=60 --tri-gauss=100 --lda-leaves=60 --lda-gauss=100 --sat-leaves=60 --sat-gauss=100 $passes" \
  $egs/mini_librispeech/run.sh mini
for s in mono tri lda sat; do
  grep -qE "^\| $s \| [0-9.]+ \| [0-9]+ \| [0-9]+ \| [0-9]+ \| [0-9]+ \| .* errors in [0-9]+ words" mini.md || fail "no row of $s"
done
[ "$(wc -l <mini/tune/text) $(wc -l <mini/eval/text)" = '5 5' ] || fail 'halves of dev-clean-2'
# Where the corpus cannot be had, nothing is left that looks like it.
run 37 env MINI_URL=file:///nowhere MINI_LM_URL=file:///nowhere RESULTS=no.md $egs/mini_librispeech/run.sh mini3
absent no.md mini3/LibriSpeech

# ---- adapt ----
if [ -e "$model/graph.sng" ]; then
  run 0 env LJSPEECH_URL=file://$tmp/mirror/LJSpeech-1.1.tar.bz2 EN_US_MODEL="$model" RESULTS=adapt.md \
    ADAPT_EVAL=3 ADAPT_TUNE=2 ADAPT_SETTINGS=no:10 ADAPT_CLASSES=1 $egs/adapt/run.sh adapt
  grep -q '^| means | 10 | [0-9]* |$' adapt.md || fail 'adapt: no row'
  grep -q 'WER of eval.none minus WER of eval.map' adapt.md || fail 'adapt: no comparison'
  grep -q 'WER of eval.map minus WER of eval.map-fmllr' adapt.md || fail 'adapt: no comparison of fMLLR'
else
  echo 'skipped: egs/adapt: no model (scripts/make-en-us)'
fi

# ---- fsdd: three speakers whose digits are pairs of tones ----
python3 - <<'PY'
import math, os, random, struct
random.seed(2)
os.makedirs('fsdd-1/recordings')
for speaker, factor in ('ann', 0.93), ('bob', 1.0), ('cid', 1.08):
    for digit in range(10):
        for take in range(4):
            s = []
            for f in (300 + 150 * (digit % 5), 2300 - 200 * (digit // 2)):
                n = random.randint(900, 1300)
                s += [int(5000 * math.sin(2 * math.pi * f * factor * k / 8000) + random.gauss(0, 60)) for k in range(n)]
            body = struct.pack('<%dh' % len(s), *s)
            open(f'fsdd-1/recordings/{digit}_{speaker}_{take}.wav', 'wb').write(
                b'RIFF' + struct.pack('<I', 36 + len(body)) + b'WAVEfmt ' +
                struct.pack('<IHHIIHH', 16, 1, 1, 8000, 16000, 2, 16) + b'data' + struct.pack('<I', len(body)) + body)
PY
tar czf mirror/fsdd.tar.gz fsdd-1
run 0 env FSDD_URL=file://$tmp/mirror/fsdd.tar.gz RESULTS=fsdd.md FSDD_SETS=small \
  FSDD_TRAIN="--mono-gauss=90 --tri-leaves=40 --tri-gauss=90 --lda-leaves=40 --lda-gauss=90 --sat-leaves=40 --sat-gauss=90 --lda-dim=20 $passes" $egs/fsdd/run.sh fsdd
for s in ann bob cid whole; do
  grep -qE "^\| $s \| .* of (40|120)\) \| [0-9]+ \| [0-9]+ \| [0-9]+ \| [0-9]+ \|$" fsdd.md || fail "fsdd: no row of $s"
done
[ "$(cut -d' ' -f2 fsdd/exp/ann/rest/utt2spk | sort -u | tr '\n' ' ')" = 'bob cid ' ] || fail 'the speaker left out is in training'
[ "$(cut -d' ' -f2 fsdd/exp/ann/others/utt2spk | sort -u)" = cid ] || fail 'the speaker of the choice is in training'
echo ok
