#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone score as a user meets it.
. "$(dirname "$0")/lib.bash"

printf '<s> The CAT sat </s> (ann-1)\non (ann-2)\nthe mat (bob-1)\n' >ref.trn
printf 'ann-1 the cat sits\nann-2 on [NOISE]\nbob-1 the(2) hat mat\n' >hyp.txt

run 0 "$senone" score --cer --per-speaker ref.trn hyp.txt
prints '^WER 33.33 % \[.*\]: 2 errors in 6 words \(1 sub, 0 del, 1 ins\)$'
prints '^CER 29.41 % \[.*\]: 5 errors in 17 characters'
prints '^SER 66.67 % \[.*\]: 2 of 3 utterances$'
prints '^ann +2 +4 +1 +0 +0 +25.00 +50.00$'
prints '^over 2 speakers: WER'
silent

run 0 "$senone" score --alignment ref.trn hyp.txt
prints '^REF: the \*\*\* mat$'
prints '^HYP: the hat mat$'

run 0 "$senone" score --alignment --json ref.trn hyp.txt ref.trn
python3 - <<'PY' || fail 'JSON'
import json
d = json.load(open('out'))
assert d['systems'][0]['wer']['errors'] == 2
assert d['systems'][1]['wer']['errors'] == 0
assert d['systems'][0]['utts'][2]['alignment'][1] == ['ins', None, 'hat']
assert d['comparison']['over_utterances']['difference'] > 33
PY

# A map, and nothing else, changes what counts.
printf 'sits\tsat\nhat\t\n' >map
run 0 "$senone" score --map=map ref.trn hyp.txt
prints '^WER 0.00 %'
printf 'hat hat\n' >map
run 1 "$senone" score --map=map ref.trn hyp.txt
says 'map:1: no TAB'

# Missing utterances are named and count; extra ones are refused, or named.
head -n 2 hyp.txt >short.txt
run 0 "$senone" score ref.trn short.txt
says "short.txt: no utterance 'bob-1'"
prints '3 errors in 6 words \(1 sub, 2 del, 0 ins\)'
prints '^missing: 1 utterance'
head -n 2 ref.trn >short.trn
run 1 "$senone" score short.trn hyp.txt
says "not in short.trn: 1, the first is 'bob-1'"
run 0 "$senone" score --extra=ignore short.trn hyp.txt
says "utterance 'bob-1' is not in the reference"
prints '1 errors in 4 words'

# Bad input.
: >empty
run 1 "$senone" score ref.trn empty
says 'empty: no utterance'
run 1 "$senone" score nothing hyp.txt
says 'nothing'
printf 'ann-1 a\nann-2 b\nann-1 c\n' >twice.txt
run 1 "$senone" score ref.trn twice.txt
says "twice.txt:3: utterance 'ann-1' is in line 1 already"
printf 'ann-1 caf\xe9\n' >latin1.txt
run 1 "$senone" score ref.trn latin1.txt
says 'latin1.txt:1: byte 10 .*UTF-8'
printf 'x <sil>\n' >silent.txt
run 1 "$senone" score silent.txt silent.txt
says 'no words'
printf 'zoe-1 a\n' >other.txt
run 1 "$senone" score ref.trn other.txt
says 'no utterance is in both'
printf 'ann-1 x\n' >utt2spk
run 1 "$senone" score --utt2spk=utt2spk ref.trn hyp.txt
says "no speaker for utterance 'ann-2'"
run 2 "$senone" score ref.trn
run 2 "$senone" score --sclit ref.trn hyp.txt
says 'sclite'

# Confidences: a model of them is fitted, put beside what model.ini holds, and
# used by nobody who has too little to fit it on.
python3 - <<'PY'
import random
random.seed(7)
words = 'a b c d e f g'.split()
with open('ref.stm', 'w') as stm, open('conf.txt', 'w') as text, open('conf.ctm', 'w') as ctm:
    for u in range(40):
        r = [random.choice(words) for _ in range(random.randint(3, 12))]
        h = []
        for w in r:
            x = random.random()
            if x >= .1:
                h.append(random.choice(words) if x < .25 else w)
            if x > .92:
                h.append(random.choice(words))
        print('u%02d 1 s%d 0.0 100.0 %s' % (u, u % 3, ' '.join(r)), file=stm)
        print('u%02d %s' % (u, ' '.join(r)), file=text)
        for i, w in enumerate(h):
            p = random.choice([0, 1, random.random(), random.random() ** .3])
            print('u%02d 1 %.2f 0.40 %s %.4f' % (u, i * .5, w, p), file=ctm)
PY
printf '[model]\nname = x\n' >model.ini
run 0 "$senone" score --fit-confidence=model.ini conf.txt conf.ctm
prints '^NCE -[0-9.]+: of 264 words 79.92 % are right, the mean confidence is 57.89 %$'
silent
grep -q '^name = x$' model.ini || fail 'model.ini lost what it had'
[ "$(sed -n '/^\[confidence\]/,$p' model.ini | cut -d ' ' -f 1 | tr '\n' ' ')" = \
  '[confidence] constant posterior neighbours duration letters ' ] || fail "model.ini: $(cat model.ini)"
cp model.ini before.ini
head -n 20 conf.ctm >few.ctm
run 1 "$senone" score --fit-confidence=model.ini conf.txt few.ctm
says 'fitted on 50 words or more.*there are 20'
cut -d ' ' -f 1-5 conf.ctm >none.ctm
run 1 "$senone" score --fit-confidence=model.ini conf.txt none.ctm
says 'none.ctm: no confidences to fit'
run 1 "$senone" score --fit-confidence=model.ini ref.trn hyp.txt
says 'no confidences to fit'
cmp model.ini before.ini || fail 'model.ini was changed'
run 1 "$senone" score --fit-confidence=/nowhere/model.ini conf.txt conf.ctm
sed 's/ [0-9.]*$/ 1.5/' conf.ctm | head -n 3 | cat - <(tail -n +4 conf.ctm) >part.ctm
run 0 "$senone" score conf.txt part.ctm
says 'part.ctm: 3 of 264 words have no confidence from 0 to 1'

# sclite's own counts, and its NCE: of the commands recognised above and of edge cases.
if command -v sctk >/dev/null; then
  printf 'a b c d (s-1)\nthe cat sat on the mat (s-2)\n(s-3)\none (t-1)\nx y x y x (t-2)\n' >ref.trn
  printf 'a c d e (s-1)\ncat sat on a mat mat (s-2)\nextra (s-3)\n(t-1)\ny x x z y (t-2)\n' >hyp.trn
  sctk sclite -r ref.trn trn -h hyp.trn trn -i rm -o sum stdout >sum 2>&1 || fail 'sclite'
  # | Sum/Avg| utterances words | correct% sub% del% ins% err% ... |
  run 0 "$senone" score --sclite --json ref.trn hyp.trn
  python3 - <<'PY' || fail "not sclite's counts: $(cat sum)"
import json, re
wer = json.load(open('out'))['systems'][0]['wer']
row = re.search(r'Sum/Avg\s*\|\s*(\d+)\s+(\d+)\s*\|\s*(.*?)\|', open('sum').read())
n = int(row.group(2))
share = [float(x) for x in row.group(3).split()]
for name, percent in zip(('sub', 'del', 'ins'), share[1:4]):
    assert abs(100 * wer[name] / n - percent) < 0.051, (name, wer, share)
assert n == wer.get('words', n)
PY
  sctk sclite -r ref.stm stm -h conf.ctm ctm -o sum stdout >sum 2>&1 || fail 'sclite'
  run 0 "$senone" score --sclite --json conf.txt conf.ctm
  python3 - <<'PY' || fail "not sclite's NCE: $(cat sum)"
import json, re
nce = json.load(open('out'))['systems'][0]['nce']['value']
row = re.search(r'Sum/Avg.*\|\s*(-?[\d.]+)\s*\|', open('sum').read())
assert abs(float(row.group(1)) - nce) <= 0.00051, (row.group(0), nce)
PY
else
  echo 'skipped: counts of sclite: no sctk (package sctk)'
fi
