#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian 12 to transcripts: installs the packages it needs, builds
# Senone, makes the US-English model and transcribes.
# usage: egs/en-us/run.sh [RECORDING ...]
#   Without recordings: the sentences and card commands of Debian's
#   pocketsphinx-testdata, with word error rates.
# environment: SENONE_MODELS  folder of models (default: the user's data folder)
#              EN_US_NGRAMS   n-grams in the graph (default: 600000; 0: all
#                             3.79 million)
#              EN_US_PASSES   2 (default): all n-grams in a second pass; 1: none
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
recordings=()
for r in "$@"; do
  case $r in
    -h | --help) sed -n '3,11s/^# //p' "$0"; exit 0 ;;
  esac
  [ -e "$r" ] || { echo "$r: no such recording" >&2; exit 1; }
  recordings+=("$(realpath "$r")")
done

"$top/scripts/install-packages" build data
"$top/scripts/build" release senone
senone=$top/build/release/bin/senone
export SENONE_MODELS=${SENONE_MODELS:-${XDG_DATA_HOME:-$HOME/.local/share}/senone/models}
"$top/scripts/make-en-us" "$senone" "$SENONE_MODELS/en-us" \
  "${EN_US_NGRAMS:-600000}" "${EN_US_PASSES:-2}"

if [ ${#recordings[@]} -gt 0 ]; then
  exec "$senone" transcribe -m en-us --report -o kaldi "${recordings[@]}"
fi

data=/usr/share/pocketsphinx/test/data
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
decode() { # NAME REFERENCE OPTION ... FILE ...
  local name=$1 reference=$2
  shift 2
  "$senone" transcribe -m en-us --report -o kaldi "$@" | tee "$out/$name.txt"
  "$senone" score "$reference" "$out/$name.txt" | tee "$out/$name.score"
}
echo "== Five sentences of an audio book, 72,547 words and a trigram"
decode librivox $data/librivox/transcription $data/librivox/*.wav
echo "== The same sentences, without the second pass"
decode single $data/librivox/transcription --rescore-lm=none $data/librivox/*.wav
echo "== Five card commands, the same model"
decode cards $data/cards/cards.transcription $data/cards/*.wav
echo "== The same commands with their grammar"
decode grammar $data/cards/cards.transcription \
  --grammar=$data/cards/cards.gram $data/cards/*.wav
