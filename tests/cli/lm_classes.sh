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
  handles_int $pid && break
  sleep 0.01
done
sleep 0.3
kill -INT $pid
got=0
wait $pid || got=$?
[ $got = 130 ] || fail "interrupted: exit status $got"
says interrupted
absent many.classes*

# Names say that a word is a class: $CITY, <class-2>; others are warned of.
printf 'fly to $CITY\nfly from $CITY to $CITY\n' >fly.txt
printf 'fly to paris\nwalk to $TOWN\n' >walk.txt
run 0 "$senone" lm estimate --method=wb fly.txt -o fly.arpa
run 0 "$senone" lm estimate --method=wb walk.txt -o walk.arpa
run 0 "$senone" lm info fly.arpa
prints '^classes	1$'
run 0 "$senone" lm info c.arpa
prints '^classes	3$'
printf 'price $5\n' | "$senone" lm estimate --method=wb -o price.arpa
run 0 "$senone" lm info price.arpa
prints '^classes	0$'
run 0 "$senone" lm estimate --method=wb --classes=given.txt --classes-out=shares.txt fit.txt -o g.arpa
says "given.txt: 1 of 1 classes have names like words \('X'\).* \\\$X"
sed 's/X$/$X/' given.txt >named.txt
run 0 "$senone" lm estimate --method=wb --classes=named.txt --classes-out=named-shares.txt fit.txt -o n.arpa
! grep -q 'names like words' err || fail 'warned of a named class'

# Each command says what it does with them. A class that both models have is
# shared: the sum is theirs, and graph build --class takes the result.
run 0 "$senone" lm mix fly.arpa fly.arpa same.arpa
! grep -q lacks err || fail 'warned of a class that both have'
run 0 "$senone" lm info --sums=100 same.arpa
prints '^classes	1$'
prints '^sum-least	(0\.99999|1\.0000)'
# ... <s> fly to $CITY </s> has the same probability in the mixture of a model with itself
p() { "$senone" lm ppl "$1" fly.txt | awk -F'\t' '$1 == "log10p" {print $2}'; }
[ "$(p same.arpa)" = "$(p fly.arpa)" ] || fail "mixed with itself: $(p same.arpa), $(p fly.arpa)"
run 0 "$senone" lm mix fly.arpa walk.arpa x.arpa
says 'walk.arpa lacks 1 of the classes of fly.arpa \(\$CITY\)'
says 'fly.arpa lacks 1 of the classes of walk.arpa \(\$TOWN\)'
rm x.arpa
run 0 "$senone" lm adapt --folds=2 fly.arpa walk.txt x.arpa
says '1 classes of the base model are not in the text: .*\(\$CITY\)'
says '1 classes of the text are not in the base model, .*\(\$TOWN\)'
run 0 "$senone" lm adapt --folds=2 fly.arpa fly.txt x.arpa
! grep -q classes err || fail 'warned of classes that both have'
run 0 "$senone" lm marginals fly.arpa walk.txt x.arpa
says '1 classes of fly.arpa are not in the text \(\$CITY\)'
run 0 "$senone" lm marginals fly.arpa fly.txt x.arpa
! grep -q classes err || fail 'warned of classes that are in the text'
run 0 "$senone" lm prune --n-grams=8 fly.arpa x.arpa
run 0 "$senone" lm info x.arpa
prints '^classes	1$'
run 0 "$senone" lm random --n=50 fly.arpa
prints '\$CITY'
run 0 "$senone" lm ppl fly.arpa walk.txt
says 'fly.arpa has 1 classes \(\$CITY\): .* --classes=FILE'
run 0 "$senone" lm ppl c.arpa held.txt
says 'c.arpa has 3 classes \(<class-.*\): .* --classes=FILE'
run 0 "$senone" lm ppl --classes=named-shares.txt n.arpa held.txt
! grep -q 'has 1 classes' err || fail 'warned though the classes are given'
run 1 "$senone" lm ppl --classes=c.txt fly.arpa held.txt
says 'none of the 3 classes of c.txt is a word of fly.arpa'
printf 'u\t-1\tfly to paris\n' >nbest
run 0 "$senone" lm rescore fly.arpa nbest
says 'fly.arpa has 1 classes \(\$CITY\)'
rm x.arpa
for c in 'mix w.arpa c.arpa' 'adapt --folds=2 c.arpa held.txt' 'marginals c.arpa held.txt'; do
  run 1 "$senone" lm $c x.arpa
  says "c.arpa is a model over classes of words: '<class-.* senone lm expand"
done
run 1 "$senone" lm rescore c.arpa nbest
says 'c.arpa is a model over classes of words'
absent x.arpa

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
