#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training that is stopped by a signal or a full disk: a clear error, no model,
# and the same model in the end; a pass in steps.
. "$(dirname "$0")/lib.bash"
cards=$testdata/cards
[ -e $cards/001.wav ] || skip 'no pocketsphinx-testdata'
dict=$sphinx/cmudict-en-us.dict
run 0 "$senone" corpus import --fileids=$cards/cards.fileids $cards/cards.transcription cards
few=(--mono-passes=8 --mono-gauss=200)
run 0 "$senone" train mono "${few[@]}" cards "$dict" whole

# SIGKILL and SIGINT when the first checkpoint is there.
for signal in KILL INT; do
  "$senone" train mono "${few[@]}" cards "$dict" $signal >out 2>err &
  pid=$!
  while kill -0 $pid 2>/dev/null && ! [ -e $signal/mono/checkpoint.bin ]; do :; done
  kill -$signal $pid 2>/dev/null
  wait $pid 2>/dev/null
  if [ -e $signal/mono/checkpoint.bin ]; then # else it was done before
    absent $signal/mono/model.ini
    run 0 "$senone" train mono "${few[@]}" cards "$dict" $signal
    says 'mono goes on after pass [1-7]$'
    grep -q '"resumed_after": \[[1-7]\]' $signal/mono/train.json || fail 'train.json'
  fi
  cmp whole/mono/am.bin $signal/mono/am.bin || fail "another model after $signal"
  absent $signal/mono/checkpoint.bin
done

# A disk that is full (files end at 20 KiB): what and why, no model.
(trap '' XFSZ; ulimit -f 20; run 1 "$senone" train mono "${few[@]}" cards "$dict" full) || exit 1
says "cannot write 'full/mono/checkpoint.bin' at byte .*File too large; raise the limit"
absent full/mono/model.ini full/mono/am.bin full/mono/*tmp*

# The lexicon with probabilities is one; silence as found, and all paths.
printf '%s\n' of hearts spades >words
run 0 "$senone" graph build -m whole/mono --lexicon=whole/mono/lexiconp.txt --words=words --lm-scale=1 -o g.sng
grep -q '"silence": {"places": [0-9]*, "silent": [0-9]*, "probability": 0\.' whole/mono/train.json || fail 'silence'
run 0 "$senone" train mono "${few[@]}" --estimate-silence=yes cards whole/mono/lexiconp.txt found
cmp -s whole/mono/model.ini found/mono/model.ini && fail 'silence is not estimated'
for j in 1 2; do
  run 0 "$senone" train mono "${few[@]}" --statistics=baum-welch -j$j cards "$dict" all$j
done
cmp all1/mono/am.bin all2/mono/am.bin || fail 'Baum-Welch depends on the number of threads'
cmp -s all1/mono/am.bin whole/mono/am.bin && fail 'Baum-Welch is Viterbi'

# A pass in steps; another model's sums are refused by name.
run 0 "$senone" train accumulate whole/mono cards "$dict" a.sums
prints '^shards          1 of 1 \(5 utterances in all\)$'
run 0 "$senone" train sum a.sums -o b.sums
cmp a.sums b.sums || fail 'a sum of one file is another file'
run 0 "$senone" train update --gaussians=250 whole/mono a.sums next
run 1 "$senone" train update next a.sums third
says "'a.sums' are statistics of another model"
absent third
run 0 "$senone" train accumulate next cards "$dict" c.sums
run 1 "$senone" train sum a.sums c.sums -o d.sums
says "'a.sums' and 'c.sums' are statistics of different models"
run 1 "$senone" train sum a.sums b.sums -o d.sums
says 'utterances 1 to 32 are there already'
head -c 900 a.sums >cut.sums
run 1 "$senone" train sum cut.sums -o d.sums
says 'cut.sums'
absent d.sums
run 2 "$senone" train sum d.sums a.sums
says 'where to\?'
run 2 "$senone" train sum a.sums b.sums -o a.sums
says "'a.sums' is among the inputs"
run 1 "$senone" train accumulate --shard=2/2 whole/mono cards "$dict" x.sums
says 'can not be cut into 2 parts'
run 1 "$senone" train accumulate --shard=3/2 whole/mono cards "$dict" x.sums
# At the rate of the model's features.
run 0 "$senone" train mono --mono-passes=2 --sample-rate=8000 cards "$dict" low
run 0 "$senone" train accumulate low/mono cards "$dict" low.sums
prints '^frames          [1-9]'
if [ -e /dev/full ]; then
  run 1 "$senone" train accumulate whole/mono cards "$dict" /dev/full
fi
# Interrupted: no file, and the same bytes when it is made anew.
"$senone" train accumulate whole/mono cards "$dict" e.sums >out 2>err &
pid=$! got=0
while kill -0 $pid 2>/dev/null; do # until it has its handler
  handles_int $pid && break
done
kill -INT $pid 2>/dev/null
wait $pid || got=$?
if [ $got != 0 ]; then # else it was done before
  [ $got = 130 ] || fail "accumulate, interrupted: status $got"
  says interrupted
  absent e.sums*
  run 0 "$senone" train accumulate whole/mono cards "$dict" e.sums
fi
cmp a.sums e.sums || fail 'other statistics after an interrupt'
echo ok
