#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Adapts the US-English model to one reader: MAP and MLLR on 120 sentences of LJ
# Speech LJ001; fMLLR, without transcripts, on the other 66, whose word error
# rates are compared. Installs, builds, makes the en-us model, takes the corpus
# from SENONE_DATA/ljspeech or its public home (2.6 GB).
# usage: egs/adapt/run.sh [WORK_DIR]
# environment: SENONE_BIN     a senone that is there; else it is built
#              SENONE_DATA    folder of corpora (default: ../shared/data)
#              SENONE_MODELS  folder of models
#              EN_US_NGRAMS   n-grams in the graph (default: 300000)
#              EN_US_MODEL    the model itself; else it is made
#              LJSPEECH_URL   where the corpus is
#              ADAPT_EVAL     sentences to evaluate on (default: 66)
#              ADAPT_TUNE     sentences that choose the setting (default: 30)
#              ADAPT_SETTINGS to choose from, VARIANCES:TAU (default: no:2 ...)
#              ADAPT_CLASSES  of MLLR, likewise (default: 1 2 4 8 16)
#              RESULTS        page to write (default: egs/adapt/RESULTS.md)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
case ${1:-} in -h | --help) sed -n '3,19s/^# //p' "$0"; exit 0 ;; esac
work=$(realpath -m "${1:-$top/build/egs/adapt}")
data=$(realpath -m "${SENONE_DATA:-$top/../shared/data}")/ljspeech
url=${LJSPEECH_URL:-https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2}
results=$(realpath -m "${RESULTS:-$top/egs/adapt/RESULTS.md}")
n_eval=${ADAPT_EVAL:-66} n_tune=${ADAPT_TUNE:-30}
read -ra settings <<<"${ADAPT_SETTINGS:-no:2 no:5 no:10 no:20 no:50 yes:10 yes:50}"
mkdir -p "$work"

senone=${SENONE_BIN:-$top/build/release/bin/senone}
[ -n "${SENONE_BIN:-}" ] || {
  "$top/scripts/install-packages" build data egs
  "$top/scripts/build" release senone
}
export SENONE_MODELS=${SENONE_MODELS:-$work/models}
n_grams=${EN_US_NGRAMS:-300000}
model=${EN_US_MODEL:-$SENONE_MODELS/en-us-$n_grams}
[ -n "${EN_US_MODEL:-}" ] || "$top/scripts/make-en-us" "$senone" "$model" "$n_grams"
cd "$work"

# The sentences in small letters, as the dictionary has them.
mkdir -p lower
if [ -e "$data/all/wav.scp" ]; then
  awk -v d="$data/" '{print $1, d $2}' "$data/all/wav.scp" >lower/wav.scp
  cp "$data/all/utt2spk" lower/
  awk '{id = $1; $1 = ""; print id tolower($0)}' "$data/all/text" >lower/text
else
  [ -e LJSpeech-1.1/complete ] || {
    curl -fLo LJSpeech-1.1.tar.bz2 "$url"
    tar xjf LJSpeech-1.1.tar.bz2
    touch LJSpeech-1.1/complete
  }
  # id|text|normalised text; letters and apostrophes make words
  awk -F'|' 'BEGIN {print "path\tid\tspeaker\ttext"}
    /^LJ001-/ {t = tolower($3); gsub(/-/, " ", t); gsub(/[^a-z'\'' ]/, "", t)
               print "wavs/" $1 ".wav\t" $1 "\tlj\t" t}' LJSpeech-1.1/metadata.csv >LJSpeech-1.1/lj001.tsv
  rm -rf lower
  "$senone" corpus import LJSpeech-1.1/lj001.tsv lower
fi

# Evaluation: any sentences. Adaptation: those of the others whose words
# are all in the dictionary; a part of them chooses tau.
rm -rf rest eval adapt tune-train tune
"$senone" corpus split --by=utterance --n="$n_eval" --seed=1 lower rest eval
"$senone" corpus check --lexicon="$model/lexicon.db" --fix=adapt rest >check.txt
"$senone" corpus split --by=utterance --n="$n_tune" --seed=2 adapt tune-train tune
errors() { # MODEL DATA OUT [OPTION]: decodes, prints the number of errors
  "$senone" transcribe --quiet -m "$1" -o kaldi "${@:4}" "$2" >"$3"
  "$senone" score "$2/text" "$3" | tee "$3.score" | sed -n 's/^WER .*: \([0-9]*\) errors.*/\1/p'
}
rows="| none | | $(errors "$model" tune tune.none) |"
best=
for setting in "${settings[@]}"; do
  IFS=: read -r variances tau <<<"$setting"
  "$senone" train map --quiet --model="$model" --tau="$tau" --variances="$variances" tune-train tuned >/dev/null
  n=$(errors ./tuned tune "tune.$variances.$tau")
  rows+=$'\n'"| means$([ "$variances" = no ] || echo ', variances') | $tau | $n |"
  [ -n "$best" ] && [ "${best%% *}" -le "$n" ] || best="$n $variances $tau"
done
read -r _ variances tau <<<"$best"
best=
for classes in ${ADAPT_CLASSES:-1 2 4 8 16}; do
  "$senone" train mllr --quiet --model="$model" --classes=$classes --min-count=500 tune-train tuned >/dev/null
  n=$(errors ./tuned tune "tune.mllr.$classes")
  rows+=$'\n'"| means, MLLR, $classes classes a stream | | $n |"
  [ -n "$best" ] && [ "${best%% *}" -le "$n" ] || best="$n $classes"
done
read -r _ classes <<<"$best"

"$senone" train map --model="$model" --tau="$tau" --variances="$variances" adapt adapted | tee map.txt
"$senone" train mllr --model="$model" --classes="$classes" --min-count=500 adapt adapted-mllr | tee mllr.txt
errors "$model" eval eval.none >/dev/null
errors ./adapted eval eval.map >/dev/null
errors ./adapted-mllr eval eval.mllr >/dev/null
errors "$model" eval eval.fmllr --adapt=fmllr >/dev/null
errors ./adapted eval eval.map-fmllr --adapt=fmllr >/dev/null
"$senone" score eval/text eval.none eval.map >compare.txt
"$senone" score eval/text eval.none eval.mllr >compare-mllr.txt
"$senone" score eval/text eval.none eval.fmllr >compare-fmllr.txt
"$senone" score eval/text eval.map eval.map-fmllr >compare-map-fmllr.txt
commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)
{
  echo "# en-us adapted to one reader"
  echo
  echo "Written by \`egs/adapt/run.sh\` on $(date -u +%F), commit $commit: Debian's en-us"
  echo "model with $n_grams n-grams$([ "$n_grams" != 0 ] || echo ' (0: all)') in the graph, LJ Speech LJ001 (one reader; a development set:"
  echo "the model's scales and beam were chosen on it)."
  echo
  echo "Adaptation: $(wc -l <adapt/text) sentences (of $(wc -l <rest/text); the others have words outside the"
  echo "dictionary). Settings of MAP and of MLLR (\`--min-count=500\`) were chosen on $n_tune of them, adapting to the other"
  echo "$(wc -l <tune-train/text): fewest errors, the first of equals:"
  echo
  echo "| adapted | tau | errors |"
  echo "|---|---|---|"
  echo "$rows"
  echo
  echo "The adaptation to all $(wc -l <adapt/text) sentences at that setting, by MAP:"
  echo
  sed 's/^/    /' map.txt
  echo
  echo "by MLLR:"
  echo
  sed 's/^/    /' mllr.txt
  echo
  echo "The other $n_eval sentences, words outside the dictionary included (they are errors), before"
  echo "and after (\`senone score eval/text eval.none eval.map\`, then the same with \`eval.mllr\`):"
  echo
  sed 's/^/    /' compare.txt
  echo
  sed 's/^/    /' compare-mllr.txt
  echo
  echo "fMLLR needs no transcripts: a transform of the features of the $n_eval sentences themselves, estimated from"
  echo "what a first pass recognised in them (\`senone transcribe --adapt=fmllr\`, its defaults; nothing was chosen),"
  echo "of the model as it was and of the one adapted by MAP:"
  echo
  sed 's/^/    /' compare-fmllr.txt
  echo
  sed 's/^/    /' compare-map-fmllr.txt
} >RESULTS.md.part
mv RESULTS.md.part "$results"
cat "$results"
