#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Recordings that are none, or not what the model wants.
. "$(dirname "$0")/lib.bash"
good=$testdata/cards/001.wav

run 1 "$senone" transcribe -m en-us nothing.wav
says 'nothing.wav.*(No such file|not exist)'

: >empty.wav
run 1 "$senone" transcribe -m en-us empty.wav
says 'empty.wav.*empty'

echo 'These are words, not samples, in a file that is called wav.' >text.wav
run 1 "$senone" transcribe -m en-us text.wav
says 'text.wav.*text'

head -c 30 "$good" >header.wav
run 1 "$senone" transcribe -m en-us header.wav
says 'header.wav'

mkdir folder
run 1 "$senone" transcribe -m en-us folder
says 'folder'

# Data cut short: what is there is transcribed, with a warning.
make_wav cut.wav from="$good" cut=2000
run 0 "$senone" transcribe -m en-us cut.wav
says 'cut.wav.*(cut|short|missing|truncated)'

# No samples at all: an empty result and a warning.
make_wav none.wav seconds=0
run 0 "$senone" transcribe -m en-us none.wav
says 'none.wav.*(no samples|0 samples|empty)'
[ -z "$(tr -d ' \n' <out)" ] || fail "words from no samples: $(cat out)"

# Samples that are no numbers: which one.
make_wav nan.wav format=f32 nan=1234
run 1 "$senone" transcribe -m en-us nan.wav
says 'nan.wav.*1234'
make_wav inf.wav format=f32 inf=77
run 1 "$senone" transcribe -m en-us inf.wav
says 'inf.wav.*77'

# 96 kHz with 8 channels works, and says which channel it takes.
make_wav wide.wav from="$good" rate=96000 channels=8
run 0 "$senone" transcribe -m en-us wide.wav
says 'wide.wav.*channel'
prints '[a-z]+ [a-z]+'

# 8 kHz for a 16 kHz model works, and says why it will be worse.
make_wav narrow.wav from="$good" rate=8000
run 0 "$senone" transcribe -m en-us narrow.wav
says 'narrow.wav.*8000'

# Some good, some bad: the good ones are printed, the bad ones counted.
run 1 "$senone" transcribe -m en-us -o kaldi "$good" nothing.wav "$good"
says '2 ok, 1 failed'
[ "$(wc -l <out)" = 2 ] || fail "two results expected"

# Two recordings of one name would overwrite each other in --output-dir.
mkdir a b && cp "$good" a/x.wav && cp "$good" b/x.wav
run 1 "$senone" transcribe -m en-us --output-dir=out.d a/x.wav b/x.wav
says "a/x.wav and b/x.wav.*'x'"
absent out.d

# Silence, which the front end takes out, and noise, which the search finds to be
# none of the words: an empty answer, told and counted, with a language model and
# with a grammar (which has no empty sentence).
python3 - <<'PY'
import random, struct, wave
random.seed(1)
for name, loud in (('quiet', 0), ('noise', 3)):
    w = wave.open(name + '.wav', 'wb')
    w.setparams((1, 2, 16000, 0, 'NONE', ''))
    w.writeframes(struct.pack('<32000h', *(random.randint(-loud, loud) for _ in range(32000))))
PY
for graph in --beam=12 --grammar=$testdata/cards/cards.gram; do
  run 0 "$senone" transcribe -m en-us --report --cache=none -o json "$graph" quiet.wav $testdata/cards/001.wav noise.wav
  says 'quiet.wav: all of its 2.0 s are silence or noise'
  says 'noise.wav: .*all of its 2.0 s are silence or noise'
  says '; 2 without speech$'
  [ "$(grep -c 'warning' err)" = 2 ] || fail "more than two warnings: $(cat err)"
  sed -n 1p out | grep -q '"text":"",.*"no_speech":true,"words":\[\],"phones":\[\]' || fail "quiet: $(cat out)"
  sed -n 3p out | grep -q '"text":"",.*"no_speech":true,"words":\[\],"phones":\[{"phone":"SIL"' || fail "noise: $(cat out)"
  ! sed -n 2p out | grep -q no_speech || fail "speech: $(cat out)"
done
for i in 1 3; do
  sed -n ${i}p out | grep -q '"incomplete":true' || fail "the grammar has no empty sentence: $(cat out)"
done
