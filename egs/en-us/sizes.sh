#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How much of the language model pays in the graph: for several numbers of
# n-grams the cost of set-up (imports, pruning, compiling), the size, and what it gives on a data
# directory (word errors, CPU). Prints the table of RESULTS.md.
# usage: egs/en-us/sizes.sh [N_GRAMS[:PASSES] ...]
#   N_GRAMS 0: all of them; PASSES 2: rescored with all of them, else 1
# environment: SENONE_DATA (default ../shared/data), DATA (ljspeech/all),
#              EVERY (1: each k-th utterance), WORK (build/sizes)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
senone=$top/build/release/bin/senone
data=${SENONE_DATA:-$top/../shared/data}/${DATA:-ljspeech/all}
work=${WORK:-$top/build/sizes}
[ $# -gt 0 ] || set -- 300000 300000:2 600000 600000:2 1000000 2000000 0
mkdir -p "$work"
export -n OPENBLAS_CORETYPE

# a data directory of each k-th utterance
mkdir -p "$work/data/part"
awk -v k="${EVERY:-1}" -v d="$(dirname "$data")/" \
  'NR % k == 0 {print $1, ($2 ~ /^\//) ? $2 : d $2}' \
  "$data/wav.scp" >"$work/data/part/wav.scp"
awk 'NR == FNR {want[$1]; next} $1 in want' "$work/data/part/wav.scp" \
  "$data/text" >"$work/data/part/text"

echo "| n-grams in the graph | passes | set-up, CPU s | peak MB | graph MB | states | arcs | WER | CPU s per s | peak MB |"
echo "|---|---|---|---|---|---|---|---|---|---|"
for what in "$@"; do
  n=${what%:*} passes=1
  [ "$what" = "$n" ] || passes=${what#*:}
  model=$work/$n-$passes graph=$work/$n-$passes/graph.sng
  rm -rf "$model"
  /usr/bin/time -o "$work/t2" -f '%U %S %M' \
    "$top/scripts/make-en-us" "$senone" "$model" "$n" "$passes" 2>"$work/log"
  /usr/bin/time -o "$work/t3" -f '%U %S %M' "$senone" transcribe -m "$model" \
    -j 1 --report -o kaldi "$work/data/part" >"$work/hyp" 2>"$work/log"
  "$senone" score "$work/data/part/text" "$work/hyp" >"$work/score"
  "$senone" graph info "$graph" >"$work/info"
  seconds=$(sed -n 's/.*recordings\?, \([0-9.]*\) s of audio.*/\1/p; s/.*utterances\?, \([0-9.]*\) s of audio.*/\1/p' "$work/log" | tail -n 1)
  awk -v n="$n" -v passes="$passes" -v s="$seconds" -v size="$(stat -c %s "$graph")" '
    FILENAME ~ /t2$/ {cpu = $1 + $2; mb = $3 / 1024; next}
    FILENAME ~ /t3$/ {run = $1 + $2; peak = $3 / 1024; next}
    FILENAME ~ /info$/ && /^states +[0-9]+$/ {states = $2}
    FILENAME ~ /info$/ && /arcs/ && !/states with/ {arcs += $3}
    FILENAME ~ /score$/ && /^WER/ {wer = $2 " % " $4 " " $5}
    END {sub(/:$/, "", wer); printf "| %s | %d | %.1f | %.0f | %.0f | %d | %d | %s | %.4f | %.0f |\n",
      n == 0 ? "all, 3.79 M" : n, passes, cpu, mb, size / 1e6, states, arcs, wer, run / s, peak}' \
    "$work/t2" "$work/t3" "$work/info" "$work/score"
done
