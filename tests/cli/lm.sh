#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The language model commands as a user meets them.
. "$(dirname "$0")/lib.bash"
enus=$sphinx/en-us.lm.bin

cat >small.arpa <<'ARPA'
\data\
ngram 1=4
ngram 2=3

\1-grams:
-99	<s>	-0.5
-0.7	</s>
-0.4	go	-0.25
-0.6	stop	-0.125

\2-grams:
-0.3	<s> go
-0.2	go stop
-0.9	stop </s>

\end\
ARPA

# Convert: to binary, to packed ARPA and back; the same text.
run 0 "$senone" lm convert small.arpa small.bin
run 0 "$senone" lm convert small.bin again.arpa.gz
run 0 "$senone" lm convert again.arpa.gz third.arpa
gzip -dc again.arpa.gz | cmp - third.arpa || fail 'round trip differs'
run 0 "$senone" lm convert --format=arpa small.bin -
cmp out third.arpa || fail 'standard output differs'
"$senone" lm info - <small.arpa >out 2>err || fail 'standard input'
prints '^2-grams	3$'
for f in fast small; do
  run 0 "$senone" lm convert --format=$f small.arpa small.$f
  run 0 "$senone" lm convert --format=arpa small.$f again.arpa
  cmp again.arpa third.arpa || fail "$f is not the same model"
  run 0 "$senone" lm prune --threshold=1e9 small.$f words.arpa
  echo go stop >text
  run 0 "$senone" lm ppl small.$f text
  prints '^log10p	-1.4000$'
done
run 2 "$senone" lm convert --format=small --bits=17 small.arpa x
run 2 "$senone" lm convert --format=sphinx small.arpa x
run 2 "$senone" lm convert small.arpa
# Options that would have no effect.
for f in '' --format=fast --format=arpa; do
  run 2 "$senone" lm convert --bits=8 $f small.arpa x
  says '--bits without --format=small'
  run 2 "$senone" lm prune --bits=8 $f small.arpa x
  says '--bits without --format=small'
done
run 0 "$senone" lm convert --format=small --bits=5 small.arpa five.small
"$senone" lm convert --print-config >options.ini || fail 'no options'
run 0 "$senone" lm convert --config=options.ini small.arpa again.bin
run 2 "$senone" lm prune --n-grams=5 --threshold=1e-7 small.arpa x
says 'either --n-grams or --threshold'
run 2 "$senone" lm vocab --coverage=0.9 small.arpa
says '--coverage without --cover'
absent x

# Info.
run 0 "$senone" lm info --sums=10 "$enus"
prints '^words	72547$'
prints '^3-grams	1669625$'
prints '^unknown-word	none$'
prints '^sum-least	0\.99'

# Perplexity: by hand, -0.3 -0.2 -0.9 over three events.
echo 'GO STOP' | gzip >text.gz
run 0 "$senone" lm ppl --fold=lower small.bin text.gz
prints '^log10p	-1.4000$'
prints '^perplexity	2.928'
printf 'u1 go left\nu2 stop left now\n' >text
run 0 "$senone" lm ppl --ids --debug small.bin text
prints '^oov	3	60.00 %$'
prints '^oov-word	left	2$'
prints '^word	1	go	2	-0.300000$'
prints '^oov	1	left	0	-inf$'
prints '^word	1	</s>	1	'
run 0 "$senone" lm ppl --ids --oov-list=1 --verbose small.bin text
says '1 more unknown word'
printf 'go\ngo \xff stop\n' >text
run 1 "$senone" lm ppl small.bin text
says 'text:2: byte 3 of the line is not UTF-8'
printf 'go <s> stop\n' >text
run 1 "$senone" lm ppl small.bin text
says 'text:1: <s> within a sentence'
run 1 "$senone" lm ppl small.bin missing.txt
says 'missing.txt'

# Prune: sizes are met, what comes out sums to one.
run 0 "$senone" lm prune --method=stolcke --n-grams=150000 "$enus" p.bin
run 0 "$senone" lm info --sums=40 p.bin
[ "$(awk -F'\t' '/-grams/ {n += $2} END {print n}' out)" = 150000 ] ||
  fail "not 150000 n-grams: $(cat out)"
prints '^sum-least	(0\.99999|1\.00000)'
prints '^sum-most	(0\.99999|1\.00000)'
run 0 "$senone" lm prune --threshold=1e9 small.arpa words.arpa
grep -q '^ngram 1=4$' words.arpa || fail 'words are gone'
! grep -q '^ngram 2' words.arpa || fail '2-grams are left'
run 1 "$senone" lm prune --n-grams=3 small.arpa x.bin
says '4 words, which all stay'
absent x.bin
run 2 "$senone" lm prune --threshold=-1 small.arpa x.bin

# Damage: a cut file, an altered byte, wrong counts.
head -c 500000 "$enus" >cut.lm.bin
run 1 "$senone" lm info cut.lm.bin
says 'cut.lm.bin.*truncated'
python3 - p.bin <<'PY'
import os, sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(os.path.getsize(sys.argv[1]) // 2)
    b = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([b[0] ^ 1]))
PY
run 1 "$senone" lm info p.bin
says "p.bin"
sed 's/ngram 2=3/ngram 2=4/' small.arpa >wrong.arpa
run 1 "$senone" lm convert wrong.arpa wrong.bin
says 'wrong.arpa:16: section .2-grams: ends after 3 n-grams, but line 3 says 4'
absent wrong.bin
sed 's/go stop/go slow/' small.arpa >wrong.arpa
run 1 "$senone" lm convert wrong.arpa wrong.bin
says "wrong.arpa:13: the word 'slow' is not among the 1-grams"
