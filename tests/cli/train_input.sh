#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docs/train.md, "What can be wrong", line by line, and what --speed and
# --sample-rate do, on words of tones that the test makes.
. "$(dirname "$0")/lib.bash"
python3 - <<'PY'
import math, os, random, struct
random.seed(3)
tones = {'A': 300, 'B': 1200, 'C': 3000}
words = {'AB': 'A B', 'BC': 'B C', 'CA': 'C A', 'CB': 'C B'}
open('lex', 'w').write(''.join(f'{w} {p}\n' for w, p in words.items()))
open('lex-more', 'w').write(open('lex').read() + 'NEVER X Y\n')
def wav(path, rate, samples):
    body = struct.pack('<%dh' % len(samples), *samples)
    open(path, 'wb').write(b'RIFF' + struct.pack('<I', 36 + len(body)) + b'WAVEfmt ' +
        struct.pack('<IHHIIHH', 16, 1, 1, rate, 2 * rate, 2, 16) + b'data' + struct.pack('<I', len(body)) + body)
os.makedirs('wav')
text = []
for i in range(24):
    said = [random.choice(list(words)) for _ in range(2)]
    for rate in (16000, 8000):
        r, s = random.Random(i), []
        def noise(seconds): s.extend(int(r.gauss(0, 30)) for _ in range(int(seconds * rate)))
        noise(0.15)
        for w in said:
            for p in words[w].split():
                n, f = int(r.uniform(0.1, 0.16) * rate), tones[p] * r.uniform(0.95, 1.05)
                s.extend(int(6000 * math.sin(2 * math.pi * f * k / rate) + r.gauss(0, 60)) for k in range(n))
            if i % 2: noise(0.12)
        noise(0.15)
        wav(f'wav/u{i:02d}-{rate}.wav', rate, s)
    text.append(said)
wav('wav/zero.wav', 16000, [0] * 16000)
wav('wav/short.wav', 16000, [int(random.gauss(0, 60)) for _ in range(1600)])
def write(name, n, path, said=text):
    os.makedirs(name)
    open(name + '/text', 'w').write(''.join(f'u{i:02d} {" ".join(said[i])}\n' for i in range(n)))
    open(name + '/wav.scp', 'w').write(''.join(f'u{i:02d} {os.getcwd()}/wav/{path(i)}\n' for i in range(n)))
write('good', 24, lambda i: f'u{i:02d}-16000.wav')
write('low', 24, lambda i: f'u{i:02d}-8000.wav')
write('mixed', 24, lambda i: f'u{i:02d}-{8000 if i % 6 == 0 else 16000}.wav')
write('shuffled', 24, lambda i: f'u{i:02d}-16000.wav', [text[(7 * i + 5) % 24] for i in range(24)])
write('one', 1, lambda i: f'u{i:02d}-16000.wav')
write('silent', 3, lambda i: 'zero.wav')
write('speaker', 24, lambda i: f'u{i:02d}-16000.wav')
open('speaker/utt2spk', 'w').write(''.join(f'u{i:02d} s\n' for i in range(24)))
write('short', 24, lambda i: 'short.wav' if i == 5 else f'u{i:02d}-16000.wav')
# Ten phones and 30 words in 42 utterances, each of a voice of its own.
random.seed(5)
phones = [chr(65 + i) for i in range(10)]
words = {}
while len(words) < 30:
    p = random.sample(phones, 3)
    words[''.join(p)] = p
open('lex10', 'w').write(''.join(f'{w} {" ".join(p)}\n' for w, p in sorted(words.items())))
text = []
for i in range(42):
    said, s = [random.choice(sorted(words)) for _ in range(3)], []
    voice = random.uniform(0.85, 1.15)
    def noise(n): s.extend(int(random.gauss(0, 30)) for _ in range(n))
    noise(2400)
    for w in said:
        for p in words[w]:
            f = 250 * 1.32 ** phones.index(p) * voice * random.uniform(0.93, 1.07)
            s.extend(int(5000 * math.sin(2 * math.pi * f * k / 16000) + random.gauss(0, 300)) for k in range(random.randint(800, 1800)))
        if random.random() < 0.5: noise(1600)
    noise(2400)
    wav(f'wav/v{i:02d}.wav', 16000, s)
    text.append(said)
other = text[:]
random.shuffle(other)
for name, said in (('many', text), ('many-shuffled', other)):
    os.makedirs(name)
    open(name + '/text', 'w').write(''.join(f'v{i:02d} {" ".join(t)}\n' for i, t in enumerate(said)))
    open(name + '/wav.scp', 'w').write(''.join(f'v{i:02d} {os.getcwd()}/wav/v{i:02d}.wav\n' for i in range(42)))
PY
few=(--mono-gauss=30 --mono-passes=6 --tri-leaves=14 --tri-gauss=40 --tri-passes=3 --lda-leaves=14 --lda-gauss=40 --lda-passes=3 --lda-dim=12 --sat-leaves=14 --sat-gauss=40 --sat-passes=3)
json() { python3 -c "import json; j = json.load(open('$1/train.json')); assert $2, j" || fail "$1: $2"; }
hears() { # MODEL DATA: an utterance more than one, and most words
  sed -i 's/^cmn = speaker/cmn = utterance/' "$1/model.ini"
  cut -d' ' -f1 lex >words
  run 0 "$senone" graph build -m "$1" --lexicon=lex --words=words --lm-scale=1 -o g.sng
  run 0 "$senone" transcribe -m "./$1" --graph=g.sng -o kaldi "$2"
  mv out hyp
  run 0 "$senone" score "$2/text" hyp
  n=$(sed -n 's/.*: \([0-9]*\) errors.*/\1/p' out | head -1)
  [ "$n" -le 6 ] || fail "$1 on $2: $n errors in 48 words"
}

# Transcripts of other recordings: figures, no model.
run 1 "$senone" train all "${few[@]}" shuffled lex bad
says 'judged by models of other utterances, 2[0-9] utterances .* in only [0-9]+ % of [0-9]+ comparisons .*transcripts do not belong to these recordings'
absent bad/mono/model.ini bad/mono/train.json bad/tri
# Enough phones and few enough utterances for a model to learn wrong words: what
# it learnt of an utterance does not judge it. Neither do copies of it at other
# speeds. The figures are those of any number of threads.
for how in --statistics=viterbi --statistics=baum-welch --speed=0.9,1,1.1; do
  run 1 "$senone" train mono "${few[@]}" $how many-shuffled lex10 bad
  says '(42|126) utterances fit their own words better .*in only [4-7][0-9] % of [0-9]+ comparisons'
done
absent bad/mono/model.ini
for j in 1 2; do
  run 0 "$senone" train mono "${few[@]}" --verbose=1 -j$j many lex10 many-exp$j
  says '^42 utterances fit their own words better than others. in (9[0-9]|100)\.[0-9] % of 378 comparisons$'
  grep 'fit their own' err >fit$j
  run 1 "$senone" train mono "${few[@]}" --verbose=1 -j$j many-shuffled lex10 bad
  grep 'fit their own' err >>fit$j
done
cmp fit1 fit2 || fail 'the check depends on the number of threads'
# It goes on after the pass before the check where that is wanted.
run 0 "$senone" train mono "${few[@]}" --check-transcripts=no many-shuffled lex10 bad
says 'mono goes on after pass 3$'
run 0 "$senone" train mono "${few[@]}" --check-transcripts=no many lex10 many-exp3
cmp many-exp1/mono/am.bin many-exp3/mono/am.bin || fail 'the check changes the model'
rm -r bad
# Silence.
run 1 "$senone" train all "${few[@]}" silent lex bad
says 'the same in all 294 frames: the recordings are silent'
absent bad/mono/model.ini
# One utterance: models that can be used; LDA wants more frames than it has
# features. One speaker: all stages.
cut -d' ' -f1 lex >words
run 1 "$senone" train all "${few[@]}" one lex single
says 'LDA: within classes, feature [0-9]+ is a sum of those before it: fewer frames than features'
absent single/lda/model.ini single/sat
for s in mono tri; do
  run 0 "$senone" graph build -m single/$s --lexicon=lex --words=words -o g.sng
  run 0 "$senone" transcribe -m ./single/$s --graph=g.sng -o kaldi one
  prints '^u00 [ABC]'
done
run 0 "$senone" train all "${few[@]}" --lda-context=0 one lex single
says 'no speaker has the 500 frames of speech that a transform takes'
run 0 "$senone" graph build -m single/sat --lexicon=lex --words=words -o g.sng
run 0 "$senone" train all "${few[@]}" speaker lex onespeaker
json onespeaker/sat 'j["utterances"] == 24 and j["failed"] == []'
# Phones that never occur.
run 0 "$senone" train mono "${few[@]}" good lex-more more
says '^warning: the phone X has no frames'
says '^warning: the phone Y has no frames'
json more/mono 'j["phones"] == 6'
run 0 "$senone" graph build -m more/mono --lexicon=lex-more --words=words -o g.sng
# An utterance that is shorter than its phones.
run 0 "$senone" train mono "${few[@]}" short lex short-exp
says '^warning: u05 could not be aligned with its words'
json short-exp/mono 'j["failed"] == ["u05"]'

# Rates: 8 kHz among 16 kHz, 8 kHz alone, features for 8 kHz.
run 0 "$senone" train mono "${few[@]}" mixed lex mixed-exp
says '4 of 24 utterances are of less than 16000 Hz.*--sample-rate=8000'
grep -c 'u[0-9]*-8000.wav: recorded at 8000 Hz' err | grep -qx 4 || fail 'not every recording of 8 kHz is named'
run 1 "$senone" train mono "${few[@]}" low lex bad
says 'all recordings are of less than 16000 Hz, the rate of the features: train with --sample-rate=8000'
run 0 "$senone" train mono "${few[@]}" --sample-rate=8000 mixed lex both
! grep -q '^warning' err || fail 'warnings where all recordings have the rate'
run 0 "$senone" train mono "${few[@]}" --sample-rate=8000 low lex low-exp
grep -qx 'sample-frequency = 8000' low-exp/mono/model.ini || fail 'model.ini'
run 1 "$senone" train tri "${few[@]}" low lex low-exp
run 1 "$senone" train tri "${few[@]}" good lex low-exp
says 'sample-frequency = 8000 here, 16000 there'
hears low-exp/mono low
hears low-exp/mono good

# Speeds: each utterance anew, under its own name and speaker, longer or shorter.
run 0 "$senone" train mono "${few[@]}" --speed=0.8,1,1.25 -j1 short lex fast
json fast/mono 'j["utterances"] == 72 and j["failed"] == ["sp0.8-u05", "u05", "sp1.25-u05"]'
python3 - <<'PY' || fail 'frames at other speeds'
import json, wave
frames = 0
for line in open('short/wav.scp'):
    n = wave.open(line.split()[1]).getnframes()
    for speed in (0.8, 1, 1.25):
        frames += 1 + (int(n / speed + 0.5) - 400) // 160
got = json.load(open('fast/mono/train.json'))['frames']
assert got == frames, (got, frames)
PY
run 0 "$senone" train mono "${few[@]}" --speed=0.8,1,1.25 -j2 short lex fast2
cmp fast/mono/am.bin fast2/mono/am.bin || fail '--speed depends on the number of threads'
hears fast/mono good
run 0 "$senone" train mono "${few[@]}" --speed=1.0 good lex plain
run 0 "$senone" train mono "${few[@]}" good lex plain2
cmp plain/mono/am.bin plain2/mono/am.bin || fail '--speed=1.0 changes the model'
for bad in 0 x 3 1,1 1, '' 1,nan; do
  run 1 "$senone" train mono "${few[@]}" --speed="$bad" good lex bad
  says "^senone train mono: --speed=$bad: "
done
absent bad/mono/model.ini
echo ok
