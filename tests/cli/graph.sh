#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone graph: equal input gives equal bytes; info, check, draw.
. "$(dirname "$0")/lib.bash"
need_model
gram=$testdata/cards/cards.gram

for i in 1 2; do
  run 0 "$senone" graph build --model="$model" --grammar=$gram -o g$i.sng
  silent
  run 0 "$senone" graph build --model="$model" --lm="$model/lm.bin" -o l$i.sng
done
cmp g1.sng g2.sng || fail 'two builds of a grammar differ'
cmp l1.sng l2.sng || fail 'two builds of a language model differ'
cmp l1.sng "$model/graph.sng" || fail "not the model's own graph"

# The model's format does not matter; small's weights are those of its codes.
# Order 5, so that paths back off over several orders; <unk> is no word of it.
"$senone" lm random --n=300 $testdata/turtle.lm.bin | sed "s/roboman/robot/g" >t.txt
run 0 "$senone" lm estimate --order=5 --method=wb t.txt -o t.arpa
run 0 "$senone" graph build --model="$model" --lm=t.arpa -o arpa.sng
for f in binary fast small; do
  run 0 "$senone" lm convert --format=$f t.arpa t.$f
  run 0 "$senone" graph build --model="$model" --lm=t.$f -o $f.sng
done
cmp arpa.sng binary.sng && cmp arpa.sng fast.sng || fail "the graph depends on the model's format"
run 0 "$senone" lm convert --format=binary t.small t.quantised
run 0 "$senone" graph build --model="$model" --lm=t.quantised -o quantised.sng
cmp small.sng quantised.sng || fail 'the graph of a small model has other weights'
! cmp -s small.sng arpa.sng || fail 'quantised weights are the exact ones'

run 0 "$senone" graph info g1.sng
prints '^states +[0-9]+$'
prints '^words +19$'
prints '^bytes +[0-9]+$'
prints '^am +en-us$'
run 0 "$senone" graph check g1.sng "$model/graph.sng"
run 0 "$senone" graph draw g1.sng
prints '^digraph '
prints '"?spades'
[ "$(grep -c -- '->' out)" -gt 2000 ] || fail 'few arcs'
[ "$(tail -n 1 out)" = '}' ] || fail 'the drawing has no end'
run 1 "$senone" graph draw "$model/graph.sng"
says 'states'

# One altered byte anywhere is found, and never a crash.
size=$(stat -c %s g1.sng)
for k in $(seq 0 39); do
  at=$((size * k / 40 + k % 7))
  cp g1.sng bad.sng
  python3 - bad.sng $at <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([b[0] ^ 0x20]))
PY
  run 1 "$senone" graph check bad.sng
  says 'bad.sng'
done
for n in 0 1 63 64 1000 $((size / 2)) $((size - 1)); do
  head -c $n g1.sng >bad.sng
  run 1 "$senone" graph check bad.sng
  says 'bad.sng'
done

# Usage, and what is not there.
run 2 "$senone" graph build --model="$model"
run 1 "$senone" graph build --model="$model" --grammar=none.gram -o x.sng
says 'none.gram'
run 1 "$senone" graph build --model=nowhere --grammar=$gram -o x.sng
says 'nowhere'
absent x.sng*
run 1 "$senone" graph info "$gram"
says 'cards.gram'
