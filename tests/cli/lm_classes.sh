#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Classes of words: found, given, estimated over, expanded, mixed.
. "$(dirname "$0")/lib.bash"

python3 - >text.txt <<'PY'
import random
r = random.Random(3)
for _ in range(400):
    print(' '.join('%s%d' % (c, 6 * r.random() ** 2) for c in 'xyz' * r.randint(1, 2)))
PY
awk 'NR % 5' text.txt >fit.txt
awk 'NR % 5 == 0' text.txt >held.txt

# Found: the classes that the text was made of; the same for any input order of
# reading and any memory.
run 0 "$senone" lm classes --classes=3 --verbose fit.txt -o c.txt
says '18 words in 3 classes'
[ "$(awk '{print $2, substr($1, 1, 1)}' c.txt | sort -u | wc -l)" = 3 ] ||
  fail 'other classes than those of the text'
run 0 "$senone" lm classes --classes=3 --memory=1 fit.txt -o c2.txt
cmp c.txt c2.txt || fail 'classes depend on the memory'
run 1 "$senone" lm classes --classes=30 fit.txt -o x.txt
says '30 classes for 18 words'
absent x.txt

# Estimated over, from text and from counts: the same model.
run 0 "$senone" lm estimate --method=wb --classes=c.txt fit.txt -o c.arpa
run 0 "$senone" lm count --order=4 fit.txt -o fit.counts
run 0 "$senone" lm estimate --method=wb --classes=c.txt fit.counts -o c2.arpa
cmp <(sort c.arpa) <(sort c2.arpa) || fail 'counts of words give another model'
grep -q '<class-2>' c.arpa || fail 'no class in the model'

# Expanded whole: the class model's perplexity, all sums one.
ppl() { "$senone" lm ppl "$@" held.txt | awk -F'\t' '$1 == "perplexity" {print $2}'; }
run 0 "$senone" lm expand --classes=c.txt --threshold=0 c.arpa all.bin
[ "$(ppl all.bin)" = "$(ppl --classes=c.txt c.arpa)" ] ||
  fail "perplexities: $(ppl all.bin), $(ppl --classes=c.txt c.arpa)"
for threshold in 0 1e-4 1e-2; do
  run 0 "$senone" lm expand --classes=c.txt --threshold=$threshold c.arpa x.arpa
  run 0 "$senone" lm info --sums=10000 x.arpa
  prints '^sum-least	(0\.99999|1\.0000)'
  prints '^sum-most	(0\.99999|1\.0000)'
done

# Mixed with words: the weights are no worse than either model alone.
run 0 "$senone" lm estimate --method=wb fit.txt -o w.arpa
run 0 "$senone" lm mix --tune=held.txt w.arpa all.bin both.bin
awk "BEGIN {exit !($(ppl both.bin) < $(ppl w.arpa) && $(ppl both.bin) <= $(ppl all.bin) * 1.001)}" ||
  fail "mixed: $(ppl both.bin); $(ppl w.arpa), $(ppl all.bin)"
run 1 "$senone" lm mix w.arpa c.arpa x.bin
says 'c.arpa is a model over classes of words: .* senone lm expand'
absent x.bin

# Given ones: shares come from the text, with a half for words it lacks.
printf 'x0\tX\nx1\tX\nx9\tX\n' >given.txt
run 1 "$senone" lm estimate --method=wb --classes=given.txt fit.txt -o g.arpa
says 'name a file for them with --classes-out'
run 0 "$senone" lm estimate --method=wb --classes=given.txt --classes-out=shares.txt fit.txt -o g.arpa
says '1 of 3 words of the classes are not in the texts'
awk '{n += $3} $1 == "x9" {rare = $3} END {exit !(n > 0.999999 && n < 1.000001 && rare > 0 && rare < 0.01)}' \
  shares.txt || fail "shares: $(cat shares.txt)"
run 0 "$senone" lm expand --classes=shares.txt g.arpa gw.arpa
grep -q 'x9' gw.arpa || fail 'a word of the class is not in the model'
run 0 "$senone" lm ppl --classes=shares.txt g.arpa held.txt
prints '^oov	0'

# Interrupted (once it has set up its handler): no file, and it says so.
python3 - >many.txt <<'PY'
import random
r = random.Random(1)
for _ in range(60000):
    print(' '.join('w%d' % (20000 * r.random() ** 3) for _ in range(9)))
PY
"$senone" lm classes --classes=3000 --iterations=1000 many.txt -o many.classes 2>err &
pid=$!
while kill -0 $pid 2>/dev/null; do
  caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/$pid/status 2>/dev/null)
  [ $((0x${caught:-0} & 2)) = 0 ] || break
  sleep 0.01
done
sleep 0.3
kill -INT $pid
got=0
wait $pid || got=$?
[ $got = 130 ] || fail "interrupted: exit status $got"
says interrupted
absent many.classes*

# Refused: files that are none, words twice, words of both kinds.
printf 'x0\tX\nx0\tY\n' >bad.txt
run 1 "$senone" lm estimate --classes=bad.txt fit.txt -o x.arpa
says "bad.txt:2: 'x0' has a class already"
printf 'x0 X\n' >bad.txt
run 1 "$senone" lm ppl --classes=bad.txt c.arpa held.txt
says 'bad.txt:1: expected word, class'
run 1 "$senone" lm expand --classes=shares.txt all.bin x.bin
says 'none of the 1 classes is a word of the model'
run 2 "$senone" lm expand all.bin x.bin
run 2 "$senone" lm estimate --classes-out=x.txt fit.txt -o x.arpa
absent x.bin x.txt
echo ok
