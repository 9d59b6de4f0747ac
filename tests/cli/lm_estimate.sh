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
estimate --order=4 a.arpa text.txt
gzip -k text.txt
estimate --order=4 b.arpa text.txt.gz
"$senone" lm estimate --quiet --order=4 - <text.txt >c.arpa || fail 'standard input'
estimate --order=4 --memory=1 d.arpa text.txt
for x in b c d; do cmp a.arpa $x.arpa || fail "$x.arpa differs"; done
if command -v zstd >/dev/null; then
  zstd -q text.txt -o text.zst
  estimate --order=4 e.arpa text.zst
  cmp a.arpa e.arpa || fail 'zstd differs'
fi

# The binary says the same; sums are one.
estimate --order=4 a.bin text.txt
run 0 "$senone" lm info --sums=200 a.bin
prints '^sum-least	1\.000000$'
prints '^sum-most	1\.000000$'
head -n 50 text.txt >some.txt
run 0 "$senone" lm ppl a.bin some.txt
cp out ppl.bin.out
run 0 "$senone" lm ppl a.arpa some.txt
[ "$(grep -o '^perplexity	[0-9]*' out)" = "$(grep -o '^perplexity	[0-9]*' ppl.bin.out)" ] ||
  fail 'perplexities differ'

# Counts in parts, merged, give the model of the whole.
split -n l/3 text.txt part.
for f in part.a?; do run 0 "$senone" lm count --order=5 $f.counts $f; done
run 0 "$senone" lm count --order=5 --memory=1 all.counts part.a?.counts
estimate --order=4 m.arpa all.counts
cmp <(sort a.arpa) <(sort m.arpa) || fail 'merged counts differ'
run 1 "$senone" lm estimate --order=6 x.arpa all.counts
says 'order 5'
printf x | dd of=all.counts bs=1 seek=5000 conv=notrunc 2>/dev/null
run 1 "$senone" lm estimate --order=4 x.arpa all.counts
says 'checksum'
absent x.arpa*

# Bad text: file and line, or a repair that is counted.
printf 'a b\nb <s> c\n' >bad.txt
run 1 "$senone" lm estimate x.arpa bad.txt
says 'bad\.txt:2: <s> within'
estimate --repair x.arpa bad.txt
says '1 <s> or </s> within'
says 'order 1: no discounts'
printf 'a b\n\377 c\n' >bad.txt
run 1 "$senone" lm count x bad.txt
says 'bad\.txt:2: byte 0 .*UTF-8'
printf '\n\n \n' >empty.txt
run 1 "$senone" lm estimate y.arpa empty.txt
says 'no words'
run 1 "$senone" lm estimate --prune=0,2,1 y.arpa text.txt
says 'prune=0,2,1'
printf 'w1\nw2\nw1\n' >vocab
estimate --vocab=vocab v.arpa text.txt
says "1 words occur again.* 'w1' .line 3."
absent x y.arpa*

# A temporary file that cannot grow: nothing is left.
mkdir tmp
(
  ulimit -f 64
  trap '' XFSZ
  "$senone" lm count --memory=1 --temp=tmp --order=5 full.counts text.txt >out 2>err
  [ $? = 1 ] || exit 1
) || fail 'a full disk goes unnoticed'
says "temporary file in 'tmp'"
absent full.counts* tmp/*
