#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mixing, adapting, vocabularies, random text, n-best lists as a user meets them.
. "$(dirname "$0")/lib.bash"

printf 'go on now\nstop now\ngo\nstop it\ngo on\n' >a.txt
printf 'the lamp is on\nthe lamp is off\nturn the lamp on\nturn it off\n' >b.txt
run 0 "$senone" lm estimate --method=wb --order=3 a.txt -o a.arpa
run 0 "$senone" lm estimate --method=wb --order=2 b.txt -o b.arpa

# Mix: fixed weights, tuned weights; sums to one; every format of model.
run 0 "$senone" lm mix --weights=1,3 a.arpa b.arpa ab.arpa
run 0 "$senone" lm info --sums=30 ab.arpa
prints '^order	3$'
prints '^sum-least	(0\.99999|1\.00000)'
prints '^sum-most	(0\.99999|1\.00000)'
run 0 "$senone" lm mix --verbose --tune=b.txt a.arpa b.arpa tuned.bin
says 'b.arpa: weight (0\.[5-9]|1\.0)'
run 0 "$senone" lm convert --format=small a.arpa a.small
run 0 "$senone" lm mix --format=fast a.small b.arpa ab.fast
run 2 "$senone" lm mix --weights=1,1 --tune=b.txt a.arpa b.arpa x.arpa
run 2 "$senone" lm mix --weights=-1,1 a.arpa b.arpa x.arpa
says 'weights=-1,1: not 2 numbers, 0 or above'
for w in x 0.5,x 0,0 nan,1 inf,1 1,1,1 ,; do
  run 2 "$senone" lm mix --weights=$w a.arpa b.arpa x.arpa
  says "--weights=$w: "
done
run 2 "$senone" lm mix --weights=1 a.arpa b.arpa x.arpa
says 'weights=1: 1 numbers for 2 models'
absent x.arpa
# A forgotten OUT does not make the last model one.
cp b.arpa b.copy
run 2 "$senone" lm mix a.arpa b.arpa
says 'arguments are missing'
cmp b.arpa b.copy || fail 'b.arpa was overwritten'

# Adapt: a page goes in, the perplexity of what was held out falls.
for what in lamp fan heater pump door light; do
  printf 'go on with the %s\nturn the %s on now\nturn it off\nis the %s on\n' $what $what $what
done >page.txt
# a base that has most of the words, in other sentences
{ cat a.txt; tr ' ' '\n' <page.txt | grep -v pump | sort; } >general.txt
run 0 "$senone" lm estimate --method=wb --order=2 general.txt -o base.arpa
run 0 "$senone" lm adapt --folds=4 base.arpa page.txt adapted.arpa
before=$(awk -F'\t' '$1 == "perplexity-before" {print $2}' out)
after=$(awk -F'\t' '$1 == "perplexity-after" {print $2}' out)
awk "BEGIN {exit !($after < $before)}" || fail "not better: $before, $after"
run 0 "$senone" lm info adapted.arpa
grep -q pump adapted.arpa || fail 'new words are missing'
# Out to standard output: the model and nothing else.
run 0 "$senone" lm adapt --format=arpa --folds=4 base.arpa page.txt -
cmp out adapted.arpa || fail 'standard output is not the model alone'
run 1 "$senone" lm adapt --folds=9 a.arpa b.txt x.arpa
says '4 sentences are too few for 9 folds'
absent x.arpa
run 0 "$senone" lm marginals --verbose --prior=1 --beta=1 a.arpa b.txt m.arpa
says '14 words, 11 of them unknown|unknown to the model'
# Empty lines are no sentences: the same model, byte for byte.
printf 'the lamp is on\n\n\nthe lamp is off\n \nturn the lamp on\nturn it off\n\n' >gaps.txt
run 0 "$senone" lm marginals --prior=1 --beta=1 a.arpa gaps.txt m2.arpa
cmp m.arpa m2.arpa || fail 'empty lines count as sentences'
run 2 "$senone" lm marginals --beta=2 a.arpa b.txt x.arpa

# Vocabularies.
run 0 "$senone" lm vocab --counts --min-count=2 a.txt
printf 'go\t3\nnow\t2\non\t2\nstop\t2\n' | cmp - out || fail 'vocabulary'
printf 'go G OW\nnow N AW\nnow(2) N OW\n' >dict
run 0 "$senone" lm vocab --lexicon=dict a.txt
printf 'go\nnow\n' | cmp - out || fail 'vocabulary by lexicon'
says '3 words \(5 occurrences\) are not in dict'
run 0 "$senone" lm vocab --cover=a.txt --coverage=0.5 a.txt
printf 'go\nnow\n' | cmp - out || fail 'vocabulary by coverage'
printf 'a \xff\n' >bad.txt
run 1 "$senone" lm vocab bad.txt
says 'bad.txt:1: byte 2 of the line .*is not UTF-8'

printf 'a b\001c\n' >bad.txt
for c in 'lm vocab bad.txt' 'lm marginals a.arpa bad.txt x.arpa' 'lm adapt --folds=2 a.arpa bad.txt x.arpa'; do
  run 1 "$senone" $c
  says 'bad.txt:1: a control character \(0x01\) at byte 3 of the line'
done
absent x.arpa
run 0 "$senone" lm vocab --repair bad.txt
printf 'a\nb\nc\n' | cmp - out || fail 'repaired vocabulary'
says '1 control characters were taken for blanks'
run 0 "$senone" lexicon import lex.db dict
run 0 "$senone" lm vocab --lexicon=lex.db a.txt
printf 'go\nnow\n' | cmp - out || fail 'vocabulary by a lexicon database'

# Random text: the seed decides; words come from the model.
run 0 "$senone" lm random --n=20 --seed=5 a.arpa
cp out r5
run 0 "$senone" lm random --n=20 --seed=5 a.arpa
cmp r5 out || fail 'equal seeds differ'
run 0 "$senone" lm random --n=20 --seed=6 a.arpa
! cmp -s r5 out || fail 'other seeds do not differ'
[ "$(wc -l <out)" = 20 ] || fail 'not 20 sentences'
! grep -qE '</?s>' out || fail 'sentence marks in the text'

run 0 "$senone" lm random --n=2000 a.arpa
! grep -q '<unk>' out || fail '<unk> without --unk'
run 0 "$senone" lm random --n=2000 --unk=yes a.arpa
prints '<unk>'
# In a text it is a word that was not known.
cp out unk.txt
run 0 "$senone" lm ppl a.arpa unk.txt
prints "^oov	$(tr ' ' '\n' <unk.txt | grep -c '<unk>')	"

: >empty.txt
run 1 "$senone" lm vocab empty.txt
says 'empty.txt: no words in it'
run 0 "$senone" lm rescore a.arpa empty.txt
says 'no hypotheses'

# N-best lists.
printf 'u1\t-10\tgo stop\nu1\t-10\tgo on now\n' >nb
run 0 "$senone" lm rescore a.arpa nb
head -n1 out | grep -q 'go on now$' || fail 'wrong order'
run 0 "$senone" lm rescore --best a.arpa nb
prints '^u1 go on now$'
printf 'u1\t-10\tgo\001on\n' >nb
run 1 "$senone" lm rescore a.arpa nb
says 'nb:1: a control character \(0x01\)'
printf 'u1 -10 go\n' >nb
run 1 "$senone" lm rescore a.arpa nb
says 'nb:1: expected utterance, score and words with TABs'
