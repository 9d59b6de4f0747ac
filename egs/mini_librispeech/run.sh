#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains all stages on mini LibriSpeech's train-clean-5 (5 hours) and decodes
# dev-clean-2 (2 hours) with LibriSpeech's small trigram. The weight of the LM is
# chosen on half of the speakers of dev-clean-2; error rates are those of the
# other half. Installs, builds, takes the corpus from
# SENONE_DATA/mini_librispeech (LibriSpeech/, librispeech-lexicon.txt,
# 3-gram.pruned.3e-7.arpa.gz) or its public home, openslr.org (500 MB).
# usage: egs/mini_librispeech/run.sh [WORK_DIR]
# environment: SENONE_BIN   a senone that is there; else it is built
#              SENONE_DATA  folder of corpora (default: ../shared/data)
#              MINI_URL     where train-clean-5.tar.gz and dev-clean-2.tar.gz are
#              MINI_LM_URL  where the lexicon and the trigram are
#              MINI_TRAIN   options of senone train, behind the recipe's
#              MINI_WEIGHTS to choose from (default: 8 10 ... 20)
#              RESULTS      page to write (default: RESULTS.md beside this)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
case ${1:-} in -h | --help) sed -n '3,17s/^# //p' "$0"; exit 0 ;; esac
work=$(realpath -m "${1:-$top/build/egs/mini_librispeech}")
corpus=$(realpath -m "${SENONE_DATA:-$top/../shared/data}")/mini_librispeech
url=${MINI_URL:-https://www.openslr.org/resources/31}
lm_url=${MINI_LM_URL:-https://www.openslr.org/resources/11}
results=$(realpath -m "${RESULTS:-$top/egs/mini_librispeech/RESULTS.md}")
lm=3-gram.pruned.3e-7.arpa.gz
read -ra weights <<<"${MINI_WEIGHTS:-8 10 12 14 16 18 20}"
# Leaves and Gaussians for 5 hours; not tuned.
read -ra options <<<"--mono-gauss=1000 --tri-leaves=2000 --tri-gauss=10000 --lda-leaves=2500
  --lda-gauss=15000 --sat-leaves=2500 --sat-gauss=15000 ${MINI_TRAIN:-}"

senone=${SENONE_BIN:-$top/build/release/bin/senone}
[ -n "${SENONE_BIN:-}" ] || {
  "$top/scripts/install-packages" build egs
  "$top/scripts/build" release senone
}
mkdir -p "$work"
cd "$work"

# ---- The corpus: train, dev; lexicon.db, LM ----
# fetch URL FILE: whole or not at all
fetch() {
  [ -e "$2" ] && return
  curl -fLo "$2.part" "$1/$2"
  mv "$2.part" "$2"
}
home=$corpus
if [ ! -e "$corpus/LibriSpeech" ]; then
  home=$work
  for part in train-clean-5 dev-clean-2; do
    [ -e "LibriSpeech/$part.done" ] && continue
    fetch "$url" $part.tar.gz
    tar xzf $part.tar.gz
    touch LibriSpeech/$part.done
  done
  fetch "$lm_url" librispeech-lexicon.txt
  fetch "$lm_url" $lm
fi
rm -rf train dev tune eval lexicon.db
"$senone" corpus import --quiet --from=librispeech "$home/LibriSpeech/train-clean-5" train
"$senone" corpus import --quiet --from=librispeech "$home/LibriSpeech/dev-clean-2" dev
"$senone" corpus split --quiet --fraction=0.5 --seed=1 dev tune eval
# Words and phones on a line, separated by whatever; stress is left out.
awk '{$1 = $1; print}' "$home/librispeech-lexicon.txt" >lexicon.txt
"$senone" lexicon import --quiet --format=kaldi --strip-stress lexicon.db lexicon.txt
"$senone" corpus stats --lexicon=lexicon.db train | tee train.stats

# ---- Training; a stage that is there, by the same program, stays ----
stamp="$("$senone" --version) ${options[*]}"
[ "$(cat made-by 2>/dev/null)" = "$stamp" ] && [ made-by -nt "$senone" ] || {
  rm -rf exp
  echo "$stamp" >made-by
}
mkdir -p exp
TIMEFORMAT='%U %S'
for s in mono tri lda sat; do
  [ -e exp/$s/model.ini ] && [ -e exp/$s.cpu ] && continue
  echo "Training $s" >&2
  { time "$senone" train $s "${options[@]}" train lexicon.db exp 2>exp/$s.log; } 2>exp/$s.time || {
    cat exp/$s.log >&2
    exit 1
  }
  awk '{print $1 + $2}' exp/$s.time >exp/$s.cpu
done

# ---- Decoding: lattices at one weight, the best of them at others ----
errors() { # REF LATTICES WEIGHT OUT
  "$senone" lattice best --quiet --acoustic-scale="$(awk -v w="$3" 'BEGIN {print 1 / w}')" --output=text "$2" |
    awk 'NR == FNR {wanted[$1] = 1; next} $1 in wanted' "$1" - >"$4"
  "$senone" score --quiet "$1" "$4" >"$4.score"
  sed -n 's/^WER .*: \([0-9]*\) errors.*/\1/p' "$4.score"
}
rm -f rows
for s in mono tri lda sat; do
  "$senone" graph build --quiet --model=exp/$s --lexicon=lexicon.db --lm="$home/$lm" --on-missing=drop --lm-scale=12 -o graph.sng
  "$senone" transcribe --quiet --model=exp/$s --graph=graph.sng --lattice-beam=8 --lattice=$s.lat -o kaldi dev >/dev/null
  best=
  for w in "${weights[@]}"; do
    n=$(errors tune/text $s.lat $w best.txt)
    [ -n "$best" ] && [ "${best%% *}" -le "$n" ] || best="$n $w"
  done
  read -r n w <<<"$best"
  errors eval/text $s.lat "$w" $s.eval >/dev/null
  echo "| $s | $(cat exp/$s.cpu) | $(sed -n 's/.*"pdfs": \([0-9]*\).*/\1/p' exp/$s/train.json) | $(sed -n 's/^ *"gaussians": \([0-9]*\),$/\1/p' exp/$s/train.json) | $w | $n | $(sed -n 's/^WER \(.*\)/\1/p' $s.eval.score) |" | tee -a rows
done

commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)
{
  echo "# Mini LibriSpeech from scratch"
  echo
  echo "Written by \`egs/mini_librispeech/run.sh\` on $(date -u +%F), commit $commit."
  echo "Options: \`${options[*]}\`. Lexicon without stress; graph of \`$lm\`."
  echo "Trained on"
  echo
  sed 's/^/    /' train.stats
  echo
  echo "The LM's weight was chosen on half of the speakers of dev-clean-2 ($(wc -l <tune/text) utterances; weights ${weights[*]},"
  echo "the first of equals); error rates are those of the other half ($(wc -l <eval/text) utterances)."
  echo
  echo "| stage | training, CPU s | pdfs | Gaussians | weight | errors, first half | WER, second half |"
  echo "|---|---|---|---|---|---|---|"
  cat rows
} >RESULTS.md.part
mv RESULTS.md.part "$results"
cat "$results"
