#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training on words of tones that a test makes: from recordings to a model
# that hears them, the same for any number of threads; bad corpora.
. "$(dirname "$0")/lib.bash"
python3 - <<'PY'
import math, os, random, struct
random.seed(1)
tones = {'A': 300, 'B': 1200, 'C': 3000}
words = {'AB': 'A B', 'BC': 'B C', 'CA': 'C A', 'CB': 'C B'}
open('lex', 'w').write(''.join(f'{w} {p}\n' for w, p in words.items()))
def wav(path, samples):
    body = struct.pack('<%dh' % len(samples), *samples)
    open(path, 'wb').write(b'RIFF' + struct.pack('<I', 36 + len(body)) + b'WAVEfmt ' +
        struct.pack('<IHHIIHH', 16, 1, 1, 16000, 32000, 2, 16) + b'data' + struct.pack('<I', len(body)) + body)
for name in ('good', 'shuffled', 'silent', 'one'):
    os.makedirs(name + '/wav')
text, scp = [], []
for i in range(40):
    said = [random.choice(list(words)) for _ in range(3)]
    s = []
    def noise(n): s.extend(int(random.gauss(0, 30)) for _ in range(n))
    noise(3000)
    for w in said:
        for p in words[w].split():
            n = random.randint(1400, 2600)
            f = tones[p] * random.uniform(0.95, 1.05)
            s.extend(int(6000 * math.sin(2 * math.pi * f * k / 16000) + random.gauss(0, 60)) for k in range(n))
        if random.random() < 0.5: noise(random.randint(1600, 3200))
    noise(3000)
    wav(f'good/wav/u{i:02d}.wav', s)
    text.append(said)
def write(name, text, path):
    open(name + '/text', 'w').write(''.join(f'u{i:02d} {" ".join(t)}\n' for i, t in enumerate(text)))
    open(name + '/wav.scp', 'w').write(''.join(f'u{i:02d} {os.getcwd()}/{path(i)}\n' for i, t in enumerate(text)))
good = lambda i: f'good/wav/u{i:02d}.wav'
write('good', text, good)
other = text[:]
random.shuffle(other)
write('shuffled', other, good)
write('one', text[:1], good)
wav('silent/wav/s.wav', [0] * 16000)
write('silent', text[:2], lambda i: 'silent/wav/s.wav')
PY
few=(--mono-gauss=30 --mono-passes=8 --tri-leaves=14 --tri-gauss=40 --tri-passes=6 --lda-leaves=14 --lda-gauss=40 --lda-passes=6 --lda-dim=12 --sat-leaves=14 --sat-gauss=40 --sat-passes=6 --sat-min-frames=300)

run 0 "$senone" train all "${few[@]}" -j1 good lex e1
run 0 "$senone" train all "${few[@]}" -j2 good lex e2
for s in mono tri lda sat; do
  cmp e1/$s/am.bin e2/$s/am.bin || fail "$s depends on the number of threads"
  python3 - e1/$s/train.json <<'PY' || fail 'train.json'
import json, sys
j = json.load(open(sys.argv[1]))
p = j['passes']
assert j['utterances'] == 40 and j['failed'] == [] and sum(j['occupancy']) == p[-1]['frames'] == j['frames'], j
assert p[-1]['logp_per_frame'] > p[0]['logp_per_frame'], p
PY
done
cmp e1/sat/am-first.bin e2/sat/am-first.bin || fail 'the first pass depends on the number of threads'
cmp -s e1/sat/am.bin e1/sat/am-first.bin && fail 'nothing was adapted'
cmp e1/lda/final.mat e2/lda/final.mat || fail 'the transform depends on the number of threads'
[ "$(head -2 e1/lda/final.mat | tail -1 | wc -w)" = 91 ] || fail 'final.mat'
run 0 "$senone" train mono "${few[@]}" --verbose good lex e1
says 'is there already'
# An id is any word: train.json quotes it.
mkdir quoted
sed 's/^u00 .*/u"0 ZZ/' good/text >quoted/text
sed 's/^u00/u"0/' good/wav.scp >quoted/wav.scp
run 0 "$senone" train mono "${few[@]}" quoted lex e4
python3 -c 'import json; assert json.load(open("e4/mono/train.json"))["left_out"] == ["u\"0"]' || fail 'an id with a quote'

# Alignment takes the speakers' means: where each utterance is a speaker, its
# own, as cmn = utterance does; where all are one's, the likelihood of a frame
# is that which training finds on its way (3 decimals of it, and the decoder may
# put two silences side by side: within 0.01).
cp -r good spoken
sed 's/ .*/ s1/' good/text >spoken/utt2spk
for s in mono tri lda; do
  run 0 "$senone" align -m e1/$s --lexicon=lex -j1 good
  mv out own
  awk '$1 == "word" {print $4}' own | sort | uniq -c >said
  cut -d' ' -f2- good/text | tr ' ' '\n' | sort | uniq -c | diff -w - said >/dev/null || fail "$s aligns other words"
  cp -r e1/$s alone
  sed -i 's/^cmn = speaker/cmn = utterance/' alone/model.ini
  run 0 "$senone" align -m alone --lexicon=lex -j1 good
  cmp own out || fail "$s: an utterance's own mean"
  rm -r alone
  run 0 "$senone" align -m e1/$s --lexicon=lex -j2 --verbose=1 spoken
  cmp -s own out && fail "$s: the speaker's mean"
  by_align=$(sed -n 's/.*failed; log-likelihood \([-0-9.]*\),.*/\1/p' err)
  rm -f part
  run 0 "$senone" train accumulate e1/$s spoken lex part
  sed -n 's/^log-likelihood *\([-0-9.]*\) a frame/\1/p' out | awk -v a="$by_align" '{exit !(a - $1 < 0.01 && $1 - a < 0.01)}' ||
    fail "$s: aligned at $by_align a frame, in training $(cat out)"
done

# Features adapted to speakers: aligned twice, the second time as training had
# them, whose likelihood a frame of its last pass (log probabilities of states
# and steps among it, some 0.3 nat) is nearly that. MAP, MLLR and passes in
# steps have no transforms.
run 0 "$senone" align -m e1/sat --lexicon=lex -j1 --adapt=none spoken
mv out plain
run 0 "$senone" align -m e1/sat --lexicon=lex -j1 spoken
mv out own
run 0 "$senone" align -m e1/sat --lexicon=lex -j2 --verbose=2 spoken
cmp own out || fail 'sat: -j changes the alignment'
cmp -s own plain && fail 'sat: nothing was adapted'
says 'speaker s1: adapted to [0-9]+ frames'
run 0 "$senone" align -m e1/sat --lexicon=lex -j2 --adapt-passes=2 spoken
cmp -s own out && fail 'sat: one pass is two'
run 0 "$senone" align -m e1/sat --lexicon=lex good
says '40 of 40 speakers are not adapted to, having fewer than the 500 frames'
for by in map mllr; do
  run 1 "$senone" train $by -m e1/sat --lexicon=lex spoken adapted
  says "'e1/sat' is of features adapted to speakers .*take a model of 'senone train lda'"
  absent adapted
done
run 1 "$senone" train accumulate e1/sat spoken lex part2
says "'e1/sat' is of features adapted to speakers"
absent part2

# What was trained hears the words. One recording at a time has no speaker's
# mean: its own does.
cut -d' ' -f1 lex >words
for s in mono tri lda sat; do
  sed -i 's/^cmn = speaker/cmn = utterance/' e1/$s/model.ini
  run 0 "$senone" graph build -m e1/$s --lexicon=lex --words=words --lm-scale=1 --on-missing=refuse -o g.sng
  run 0 "$senone" transcribe -m e1/$s --graph=g.sng -o kaldi good
  mv out hyp
  run 0 "$senone" score good/text hyp
  errors=$(sed -n 's/.*: \([0-9]*\) errors.*/\1/p' out | head -1)
  [ "$errors" -le 6 ] || fail "$s: $errors errors in 120 words"
done

run 1 "$senone" train mono "${few[@]}" shuffled lex bad
says 'transcripts do not belong to these recordings'
absent bad/mono/model.ini
run 1 "$senone" train mono "${few[@]}" silent lex bad
says 'silent'
run 0 "$senone" train mono "${few[@]}" one lex single
printf 'u00 AB XX\n' >one/text
run 1 "$senone" train mono "${few[@]}" one lex bad
says 'u00 is left out: not in the lexicon: XX'
says 'none of 1 utterances can be used'
# A stage without the one before it: which, and what makes it.
run 1 "$senone" train lda "${few[@]}" good lex bad
says "'bad/tri' is not there: 'senone train tri' makes it"
absent bad/lda/model.ini
run 2 "$senone" train mono good lex
echo ok
