#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone transcribe --adapt: whose recordings go together, who is left alone,
# and that threads change nothing.
. "$(dirname "$0")/lib.bash"
need_model
cards=$testdata/cards

# A model that adapts to a few seconds.
cp -r "$model" little
printf '\n[adapt]\nmin-count = 250\nkind = diagonal\n' >>little/model.ini
transcribe=("$senone" transcribe -m "$tmp/little" --grammar=$cards/cards.gram --cache="$tmp/cache" -o json)

mkdir both
for i in 1 2 3 4 5; do echo "00$i $cards/00$i.wav"; done >both/wav.scp
printf '001 anna\n002 anna\n003 bert\n004 bert\n005 anna\n' >both/utt2spk

# Adapted to, answers change and their words stay right; threads change nothing.
run 0 "${transcribe[@]}" both
silent
mv out plain
run 0 "${transcribe[@]}" -j 1 --adapt=fmllr both
mv out adapted
mv err told
for j in 2 5; do
  run 0 "${transcribe[@]}" -j $j --adapt=fmllr both
  cmp out adapted || fail "-j $j differs from -j 1"
done
cmp -s plain adapted && fail 'adaptation changed nothing'
words() { grep -o '"text":"[^"]*"' "$1"; }
[ "$(words plain)" = "$(words adapted)" ] || fail "words: $(words adapted)"

# Who has said too little is named and decoded as before.
grep -q '1 of 2 speakers are not adapted to.*fewer than the 250 frames.*bert (' told ||
  fail "not named: $(cat told)"
diff <(sed -n '3,4p' plain) <(sed -n '3,4p' adapted) || fail 'bert was adapted to'
[ "$(sed -n 1p plain)" != "$(sed -n 1p adapted)" ] || fail 'anna was not'

# Without utt2spk, or with --adapt-per=recording, each recording stands alone;
# so it makes no difference in what company it comes.
run 0 "${transcribe[@]}" --adapt=fmllr --adapt-per=recording both
mv out each
says '4 of 5 speakers are not adapted to.*recording 001 \('
mkdir nobody
cp both/wav.scp nobody
run 0 "${transcribe[@]}" --adapt=fmllr nobody
cmp out each || fail 'no utt2spk is another thing than --adapt-per=recording'
run 0 "${transcribe[@]}" --adapt=fmllr $cards/005.wav
silent
cmp out <(sed -n 5p each) || fail 'a file alone'
cmp -s out <(sed -n 5p plain) && fail 'a file alone is not adapted to'

# An utterance that utt2spk lacks is named and stands alone.
mkdir lacking
cp both/wav.scp lacking
grep -v 003 both/utt2spk >lacking/utt2spk
run 0 "${transcribe[@]}" --adapt=fmllr lacking
says "utt2spk.*missing here"
says '2 of 3 speakers.*bert \([0-9]+\)|2 of 3 speakers.*recording 003 \([0-9]+\)'

# More passes begin with what the one before has found.
run 0 "${transcribe[@]}" -j 1 --adapt=fmllr --adapt-passes=2 both
mv out twice
cmp -s twice adapted && fail 'a second pass changed nothing'
run 0 "${transcribe[@]}" -j 2 --adapt=fmllr --adapt-passes=2 both
cmp out twice || fail '--adapt-passes=2: -j 2 differs from -j 1'

# With a second language model, too; the first pass is rescored as well.
run 0 "$senone" transcribe -m "$tmp/little" --adapt=fmllr -j 1 -o json \
  --rescore-lm="$model/lm.bin" --graph-lm="$model/lm.bin" both
mv out rescored
grep -q '"rescored":true' rescored || fail 'not rescored'
run 0 "$senone" transcribe -m "$tmp/little" --adapt=fmllr -j 2 -o json \
  --rescore-lm="$model/lm.bin" --graph-lm="$model/lm.bin" both
cmp out rescored || fail 'rescored: -j 2 differs from -j 1'

# Means of Gaussians in place of features: another answer, the same words, the
# same for any number of threads, and for a speaker in any company.
run 0 "${transcribe[@]}" -j 1 --adapt=mllr --verbose=2 both
mv out means
says 'speaker anna: adapted to [0-9]+ frames, [0-9.]+ nat a frame'
says '1 of 2 speakers are not adapted to.*bert \('
for other in plain adapted; do
  cmp -s means $other && fail "--adapt=mllr is as $other"
done
[ "$(words plain)" = "$(words means)" ] || fail "words by mllr: $(words means)"
diff <(sed -n '3,4p' plain) <(sed -n '3,4p' means) || fail 'bert was adapted to by mllr'
for j in 2 5; do
  run 0 "${transcribe[@]}" -j $j --adapt=mllr both
  cmp out means || fail "--adapt=mllr: -j $j differs from -j 1"
done
run 0 "${transcribe[@]}" --adapt=mllr --adapt-per=recording both
mv out each_means
run 0 "${transcribe[@]}" --adapt=mllr $cards/005.wav
cmp out <(sed -n 5p each_means) || fail 'a file alone, by mllr'
run 0 "${transcribe[@]}" -j 1 --adapt=mllr --adapt-passes=2 both
cmp -s out means && fail 'a second pass of mllr changed nothing'
cp -r little many
printf 'mllr-classes = 2\nmllr-min-count = 100\ndefault = mllr\n' >>many/model.ini
run 0 "$senone" transcribe -m ./many --grammar=$cards/cards.gram --cache="$tmp/cache" -o json both
cmp -s out means && fail 'mllr-classes changed nothing'
run 1 "${transcribe[@]}" --adapt=mllr --live=no -
says '--adapt=mllr reads recordings more than once.*stdin can not be among them'
run 2 "${transcribe[@]}" --adapt=mlr both
says 'mllr'
rm -r many

# The model may ask for it; the command may refuse.
sed 's/^\[adapt\]/&\ndefault = fmllr/' little/model.ini >ini
cp ini little/model.ini
run 0 "${transcribe[@]}" both
cmp out adapted || fail 'default = fmllr'
run 0 "${transcribe[@]}" --adapt=none both
cmp out plain || fail '--adapt=none'

# A recording that fails fails once, and the others are as they were.
run 1 "${transcribe[@]}" both absent.wav
cmp out adapted || fail 'a failed recording changed others'
says '5 ok, 1 failed'
[ "$(grep -c 'absent.wav' err)" = 1 ] || fail "told more than once: $(cat err)"

# So does one that wav.scp names and that is not there.
cp -r both gone
mv gone/wav.scp all
sed 's|^003 .*|003 nowhere/003.wav|' all >gone/wav.scp
run 1 "${transcribe[@]}" --adapt=fmllr gone
sed 3d adapted | cmp - out || fail 'a recording that is not there changed others'
says 'nowhere/003.wav.*No such file'
says '4 ok, 1 failed'

# A prior holds the transform back, and what is gained is never negative.
gains() { sed -n 's/.*adapted to .* frames, \(-\?[0-9.]*\) nat.*/\1/p' err; }
run 0 "${transcribe[@]}" --adapt=fmllr --verbose=2 both
free=$(gains)
for kind in diagonal full; do
  cp -r little prior
  sed -i "s/^kind = .*/kind = $kind\nprior = 300/" prior/model.ini
  run 0 "$senone" transcribe -m ./prior --grammar=$cards/cards.gram --cache="$tmp/cache" \
    --adapt=fmllr --verbose=2 both
  [ $kind = full ] || awk -v a="$free" -v b="$(gains)" 'BEGIN {exit !(0 < b && b < a)}' ||
    fail "gain $free without a prior, $(gains) with one"
  awk -v b="$(gains)" 'BEGIN {exit !(b >= 0)}' || fail "$kind: a gain of $(gains)"
  rm -r prior
done

# Stdin is heard once only: a model's wish is left out, an order refused.
run 1 "${transcribe[@]}" --adapt=fmllr --live=no -
says 'stdin can not be among them'
"${transcribe[@]}" --live=no - <$cards/005.wav >out 2>err || fail "stdin: $(cat err)"
