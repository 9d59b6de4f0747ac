#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Adapts the US-English model to one reader: MAP on 120 sentences of LJ Speech
# LJ001, word error rates on the other 66. Installs, builds, makes the en-us
# model, takes the corpus from SENONE_DATA/ljspeech or its public home (2.6 GB).
# usage: egs/adapt/run.sh [WORK_DIR]
# environment: SENONE_DATA    folder of corpora (default: ../shared/data)
#              SENONE_MODELS  folder of models
#              EN_US_NGRAMS   n-grams in the graph (default: 300000)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
case ${1:-} in -h | --help) sed -n '3,10s/^# //p' "$0"; exit 0 ;; esac
work=$(realpath -m "${1:-$top/build/egs/adapt}")
data=$(realpath -m "${SENONE_DATA:-$top/../shared/data}")/ljspeech
mkdir -p "$work"

"$top/scripts/install-packages" build data
"$top/scripts/build" release senone
senone=$top/build/release/bin/senone
export SENONE_MODELS=${SENONE_MODELS:-$work/models}
n_grams=${EN_US_NGRAMS:-300000}
model=$SENONE_MODELS/en-us-$n_grams
"$top/scripts/make-en-us" "$senone" "$model" "$n_grams"
cd "$work"

# The sentences in small letters, as the dictionary has them.
mkdir -p lower
if [ -e "$data/all/wav.scp" ]; then
  awk -v d="$data/" '{print $1, d $2}' "$data/all/wav.scp" >lower/wav.scp
  cp "$data/all/utt2spk" lower/
  awk '{id = $1; $1 = ""; print id tolower($0)}' "$data/all/text" >lower/text
else
  [ -e LJSpeech-1.1 ] || {
    curl -fLO https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2
    tar xjf LJSpeech-1.1.tar.bz2
  }
  # id|text|normalised text; letters and apostrophes make words
  awk -F'|' 'BEGIN {print "path\tid\tspeaker\ttext"}
    /^LJ001-/ {t = tolower($3); gsub(/-/, " ", t); gsub(/[^a-z'\'' ]/, "", t)
               print "wavs/" $1 ".wav\t" $1 "\tlj\t" t}' LJSpeech-1.1/metadata.csv >LJSpeech-1.1/lj001.tsv
  "$senone" corpus import LJSpeech-1.1/lj001.tsv lower
fi

# Evaluation: any 66 sentences. Adaptation: those of the others whose words
# are all in the dictionary; a part of them chooses tau.
"$senone" corpus split --by=utterance --n=66 --seed=1 lower rest eval
"$senone" corpus check --lexicon="$model/lexicon.db" --fix=adapt rest >check.txt
"$senone" corpus split --by=utterance --n=30 --seed=2 adapt tune-train tune
errors() { # MODEL DATA OUT: decodes, prints the number of errors
  "$senone" transcribe --quiet -m "$1" -o kaldi "$2" >"$3"
  "$senone" score "$2/text" "$3" | tee "$3.score" | sed -n 's/^WER .*: \([0-9]*\) errors.*/\1/p'
}
rows="| none | | $(errors "$model" tune tune.none) |"
best=
for settings in 'no 2' 'no 5' 'no 10' 'no 20' 'no 50' 'yes 10' 'yes 50'; do
  read -r variances tau <<<"$settings"
  "$senone" train map --quiet --model="$model" --tau="$tau" --variances="$variances" tune-train tuned >/dev/null
  n=$(errors ./tuned tune "tune.$variances.$tau")
  rows+=$'\n'"| means$([ "$variances" = no ] || echo ', variances') | $tau | $n |"
  [ -n "$best" ] && [ "${best%% *}" -le "$n" ] || best="$n $variances $tau"
done
read -r _ variances tau <<<"$best"

"$senone" train map --model="$model" --tau="$tau" --variances="$variances" adapt adapted | tee map.txt
errors "$model" eval eval.none >/dev/null
errors ./adapted eval eval.map >/dev/null
"$senone" score eval/text eval.none eval.map >compare.txt
commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)
{
  echo "# en-us adapted to one reader"
  echo
  echo "Written by \`egs/adapt/run.sh\` on $(date -u +%F), commit $commit: Debian's en-us"
  echo "model with $n_grams n-grams$([ "$n_grams" != 0 ] || echo ' (0: all)') in the graph, LJ Speech LJ001 (one reader; a development set:"
  echo "the model's scales and beam were chosen on it)."
  echo
  echo "Adaptation: $(wc -l <adapt/text) sentences (of $(wc -l <rest/text); the others have words outside the"
  echo "dictionary). Chosen on 30 of them, adapting to the other $(wc -l <tune-train/text): fewest errors, the first"
  echo "of equals:"
  echo
  echo "| adapted | tau | errors |"
  echo "|---|---|---|"
  echo "$rows"
  echo
  echo "The adaptation to all $(wc -l <adapt/text) sentences at that setting:"
  echo
  sed 's/^/    /' map.txt
  echo
  echo "The other 66 sentences, words outside the dictionary included (they are errors), before"
  echo "and after (\`senone score eval/text eval.none eval.map\`):"
  echo
  sed 's/^/    /' compare.txt
} >RESULTS.md
cp RESULTS.md "$top/egs/adapt/RESULTS.md"
cat RESULTS.md
