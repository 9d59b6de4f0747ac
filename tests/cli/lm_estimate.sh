#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Counting and estimating as a user meets them.
. "$(dirname "$0")/lib.bash"

python3 - >text.txt <<'PY'
import random
r = random.Random(7)
for _ in range(20000):
    print(' '.join('w%d' % (3000 * r.random() ** 4) for _ in range(r.randint(1, 12))))
PY
estimate() { run 0 "$senone" lm estimate "$@"; }

# Plain, packed, standard input: one model. Any memory: the same bytes.
estimate --order=4 text.txt -o a.arpa
gzip -k text.txt
estimate --order=4 text.txt.gz -ob.arpa
"$senone" lm estimate --quiet --order=4 -o - <text.txt >c.arpa || fail 'standard input'
estimate --order=4 --memory=1 text.txt --output=d.arpa
for x in b c d; do cmp a.arpa $x.arpa || fail "$x.arpa differs"; done
if command -v zstd >/dev/null; then
  zstd -q text.txt -o text.zst
  estimate --order=4 text.zst -o e.arpa
  cmp a.arpa e.arpa || fail 'zstd differs'
fi

# OUT has no place among the texts: none of them can be overwritten.
cp text.txt same.txt
run 2 "$senone" lm estimate new.arpa text.txt
says '-o OUT'
run 2 "$senone" lm count new.counts text.txt
says '-o OUT'
run 2 "$senone" lm estimate text.txt same.txt -o same.txt
says "'same.txt' is among the inputs"
run 2 "$senone" lm count text.txt -o -
says 'standard output'
run 1 "$senone" lm estimate text.txt -o missing/new.arpa
says 'missing/new.arpa'
for p in a 1 0,2,1 0,0,0,1 '0,,1' -1; do
  run 2 "$senone" lm estimate --prune=$p text.txt -o new.arpa
  says "--prune=$p: "
done
run 2 "$senone" lm estimate --bits=6 text.txt -o new.bin
says '--bits without --format=small'
cmp text.txt same.txt || fail 'a text was overwritten'
absent new*

# A model is no text, however it comes.
printf 'w1 w2\n' >short.txt
estimate short.txt -o short.bin
run 0 "$senone" lm convert --format=small short.bin short.small
run 0 "$senone" lm count short.txt -o short.counts
for verb in estimate count; do
  run 2 "$senone" lm $verb --repair short.counts -o new.out
  says '--repair is for texts'
  absent new.out
done
run 0 "$senone" lm count --repair short.counts short.txt -o both.counts
gzip -c a.arpa >a.arpa.gz
for f in a.arpa a.arpa.gz short.bin short.small "$testdata/turtle.lm.bin"; do
  for c in count 'estimate --repair'; do
    run 1 "$senone" lm $c text.txt "$f" -o new
    says "$(basename "$f"):[0-9]+: .*language model; a text was expected"
  done
done
for c in 'estimate --repair' count; do
  "$senone" lm $c -o new <short.counts >out 2>err && fail 'counts were taken for a text'
  says 'count file, which must be named'
done
absent new*

# The binaries say the same; sums are one.
estimate --order=4 text.txt -o a.bin
run 0 "$senone" lm info --sums=200 a.bin
prints '^sum-least	1\.000000$'
prints '^sum-most	1\.000000$'
head -n 50 text.txt >some.txt
run 0 "$senone" lm ppl a.bin some.txt
cp out ppl.bin.out
run 0 "$senone" lm ppl a.arpa some.txt
[ "$(grep -o '^perplexity	[0-9]*' out)" = "$(grep -o '^perplexity	[0-9]*' ppl.bin.out)" ] ||
  fail 'perplexities differ'
# What --format writes is what lm convert makes of the binary.
for f in fast small 'small --bits=5'; do
  estimate --order=4 --format=$f text.txt -o direct
  run 0 "$senone" lm convert --format=$f a.bin converted
  cmp direct converted || fail "--format=$f differs"
done

# Counts in parts, merged, give the model of the whole.
split -n l/3 text.txt part.
for f in part.a?; do run 0 "$senone" lm count --order=5 $f -o $f.counts; done
run 0 "$senone" lm count --order=5 --memory=1 part.a?.counts -o all.counts
estimate --order=4 all.counts -o m.arpa
cmp <(sort a.arpa) <(sort m.arpa) || fail 'merged counts differ'
run 1 "$senone" lm estimate --order=6 all.counts -o x.arpa
says 'order 5'
printf x | dd of=all.counts bs=1 seek=5000 conv=notrunc 2>/dev/null
run 1 "$senone" lm estimate --order=4 all.counts -o x.arpa
says 'checksum'
absent x.arpa*

# Bad text: file and line, or a repair that is counted.
printf 'a b\nb <s> c\n' >bad.txt
run 1 "$senone" lm estimate bad.txt -o x.arpa
says 'bad\.txt:2: <s> within'
estimate --repair bad.txt -o x.arpa
says '1 <s> or </s> within'
says 'order 1: no discounts'
printf 'a b\n\377 c\n' >bad.txt
run 1 "$senone" lm count bad.txt -o x
says 'bad\.txt:2: byte 0 .*UTF-8'
printf '\n\n \n' >empty.txt
run 1 "$senone" lm estimate empty.txt -o y.arpa
says 'no words'
run 2 "$senone" lm estimate --prune=0,2,1 text.txt -o y.arpa
says 'prune=0,2,1'
printf 'w1\nw2\nw1\n' >vocab
estimate --vocab=vocab text.txt -o v.arpa
says "1 words occur again.* 'w1' .line 3."
absent x y.arpa*

# A temporary file that cannot grow: nothing is left.
mkdir tmp
(
  ulimit -f 64
  trap '' XFSZ
  "$senone" lm count --memory=1 --temp=tmp --order=5 text.txt -o full.counts >out 2>err
  [ $? = 1 ] || exit 1
) || fail 'a full disk goes unnoticed'
says "temporary file in 'tmp'"
absent full.counts* tmp/*
