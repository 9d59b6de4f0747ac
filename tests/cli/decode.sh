#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone decode on Kaldi's graphs and log-likelihoods.
. "$(dirname "$0")/lib.bash"
ref=$shared/reference/an4-kaldi
[ -e "$ref/HCLG.fst" ] || skip "no $ref (SENONE_SHARED)"
# Copies: what is written here must never reach the reference through a link.
cp -r "$ref"/. . && chmod -R u+w . || fail 'copying the reference'

# Words as Kaldi's where nothing ties (trigram); costs of both graphs.
cat >compare.py <<'PY'
import math, sys
folder, out = sys.argv[1:3]
words = dict(reversed(l.split()) for l in open("words.txt"))
want = {}
for l in open(folder + "best.cost.txt"):
    f = l.split()  # For utterance ID, best cost GRAPH + ACOUSTIC = TOTAL over
    want[f[2].rstrip(",")] = [float(f[5]), float(f[7])]
for l in open(folder + "best.words.int"):
    f = l.split()
    want[f[0]].append([words[w] for w in f[1:]])
fold = lambda ws: ["OH" if w == "O" and not folder else w for w in ws]
for l in open(out):
    key, graph, acoustic, text = l.rstrip("\n").split("\t")
    w = want.pop(key)
    # best.cost.txt has six digits: half a unit of the last of 1,500
    for got, cost in ((float(graph), w[0]), (float(acoustic), w[1])):
        if not abs(got - cost) <= 1e-3 + 6e-6 * cost:
            sys.exit(f"{key}: {got}, Kaldi {cost}")
    if fold(text.split()) != fold(w[2]):
        sys.exit(f"{key}: {text}, Kaldi {w[2]}")
if want:
    sys.exit(f"missing: {sorted(want)}")
PY
common=(--words words.txt --model final.mdl --beam 13 --lattice-beam 6
  --max-active 7000 --acoustic-scale 0.083333)
for folder in '' trigram/; do
  run 0 "$senone" decode --graph "${folder}HCLG.fst" "${common[@]}" \
    --scores ark:loglikes.ark --lattice ark:lat.new.ark
  cp out first
  python3 compare.py "$folder" first || fail "${folder}HCLG.fst"
  [ -s lat.new.ark ] || fail 'no lattices'
  # Without lattices, and quietly: the same answers.
  run 0 "$senone" decode --quiet --graph "${folder}HCLG.fst" "${common[@]}" \
    --lattice-beam 0 --scores ark:loglikes.ark
  cmp out first || fail 'lattices change the answer'
  silent
done

# The example of the help.
mkdir bin && ln -s "$senone" bin/senone
PATH=$tmp/bin:$PATH bash -c "$("$senone" help decode |
  sed -n '/^Example:/,$ s/^  //p')" >out 2>err || fail 'the example of the help'
[ "$(wc -l <out)" = 20 ] || fail 'the example gives other lines'

# No path: infinite costs, no words, and the run goes on.
cat >make_none.py <<'PY'
row = " ".join(["-inf"] * 184)
print("none  [\n", row, "\n", row, "]")
row = " ".join(["-1"] * 184)
print("short  [\n", row, "]")
PY
python3 make_none.py >none.ark
run 0 "$senone" decode --graph HCLG.fst "${common[@]}" --scores ark,t:none.ark \
  --lattice ark:none.lat
[ "$(head -n 1 out)" = $'none\tinf\tinf\t' ] || fail 'a line without a path'
says 'none: no path survived'
says 'short: no final state'
[ "$(wc -l <out)" = 2 ] || fail 'the second utterance is missing'

# What does not fit together, and what is missing.
run 2 "$senone" decode --scores ark:loglikes.ark
says 'graph'
run 2 "$senone" decode --graph HCLG.fst
says 'scores'
run 2 "$senone" decode --graph HCLG.fst "${common[@]}" --lattice-beam 0 \
  --scores ark:loglikes.ark --lattice ark:x
says 'lattice-beam'
run 1 "$senone" decode --graph HCLG.fst --scores ark:loglikes.ark
says 'needs --words and --model'
run 1 "$senone" decode --graph nothing.fst "${common[@]}" --scores ark:loglikes.ark
says 'nothing.fst'
run 1 "$senone" decode --graph words.txt "${common[@]}" --scores ark:loglikes.ark
says 'not an OpenFst file'
run 1 "$senone" decode --graph HCLG.fst "${common[@]}" --model words.txt \
  --scores ark:loglikes.ark
says 'words.txt'
head -n 40 words.txt >few.txt
run 1 "$senone" decode --graph HCLG.fst "${common[@]}" --words few.txt \
  --scores ark:loglikes.ark
says 'word id [0-9]+, but the word table ends at 39'
run 1 "$senone" decode --graph HCLG.fst "${common[@]}" --scores ark:feats.ark
says "utterance '.*184"
head -c 30000 HCLG.fst >cut.fst
run 1 "$senone" decode --graph cut.fst "${common[@]}" --scores ark:loglikes.ark
says 'cut.fst'
head -c 100000 loglikes.ark >cut.ark
run 1 "$senone" decode --graph HCLG.fst "${common[@]}" --scores ark:cut.ark \
  --lattice ark:cut.lat
absent cut.lat*
exit 0
