#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains on CMU AN4, all stages, with the flat unigram of the published results
# and with a trigram of the training transcripts. LM weight and word penalty
# are chosen on ten held-out training speakers by models of the other 64; the
# models made are those of all 74. Installs, builds, takes the corpus from
# SENONE_DATA/an4 or its public home (64 MB).
# usage: egs/an4/run.sh [--score-test] [WORK_DIR]
#   --score-test  decode and score the test set: once for each stage and LM
#                 of a declared scoring (see below), at the setting chosen;
#                 those that RESULTS.md has are left
# environment: SENONE_DATA    folder of corpora (default: ../shared/data)
#              SENONE_SHARED  outputs of other programs (default: ../shared)
#              AN4_URL        where the corpus is
#              AN4_TRAIN      options of senone train (default: those of RESULTS.md)
#              AN4_TRI        more of them, of stage tri alone (likewise)
#              AN4_STAGES     default: all there are
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
score_test=no
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '3,19s/^# //p' "$0"; exit 0 ;;
    --score-test) score_test=yes ;;
    -*) echo "run.sh: no option '$1'" >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
work=$(realpath -m "${1:-$top/build/egs/an4}")
corpora=$(realpath -m "${SENONE_DATA:-$top/../shared/data}")
kaldi=$(realpath -m "${SENONE_SHARED:-$top/../shared}")/reference/an4-kaldi-hyp
url=${AN4_URL:-http://www.speech.cs.cmu.edu/databases/an4/an4_sphere.tar.gz}
read -ra options <<<"${AN4_TRAIN:---lda-context=5 --lda-dim=60}"
read -ra tri_options <<<"${AN4_TRI:---speed=0.9,1,1.1}"
# Scorings of the test set, each declared in TRIALS.md before it was made: 1 of
# the defaults as they were, with LDA of 11 frames; 2 after --var-prior and, in
# tri, speeds. Nothing is chosen by them.
scoring=2
results=$top/egs/an4/RESULTS.md

"$top/scripts/install-packages" build
"$top/scripts/build" release senone
senone=$top/build/release/bin/senone
mkdir -p "$work"
cd "$work"

# ---- The corpus: train, test, etc ----
if [ -e "$corpora/an4/train/wav.scp" ]; then
  etc=$corpora/an4/etc
  for part in train test; do
    mkdir -p $part
    awk -v d="$corpora/an4/" '{print $1, d $2}' "$corpora/an4/$part/wav.scp" >$part/wav.scp
    cp "$corpora/an4/$part/text" "$corpora/an4/$part/utt2spk" $part/
  done
else
  [ -e an4/etc/an4.dic ] || {
    curl -fLo an4.tar.gz "$url"
    tar xzf an4.tar.gz
  }
  etc=$work/an4/etc
  for part in train test; do
    rm -rf $part
    "$senone" corpus import --quiet --from=sphinx --ending=sph --speaker-prefix \
      --audio-dir=an4/wav --fileids=an4/etc/an4_$part.fileids \
      an4/etc/an4_$part.transcription $part
  done
fi
printf '%s\n' fejs flmm2 fsrb mcel mdmc mfaa mjhp mmdg mrcb mskh >dev.speakers
rm -rf train64 dev
"$senone" corpus split --quiet --list=dev.speakers train train64 dev
printf 'OH\tO\n' >oh.map

stages=${AN4_STAGES:-}
[ -n "$stages" ] || for s in mono tri lda sat; do
  "$senone" train $s --help >/dev/null 2>&1 && stages+="$s "
done

# ---- Training; a stage that is there, by the same program, stays ----
stamp="$("$senone" --version) ${options[*]} tri ${tri_options[*]}"
[ "$(cat made-by 2>/dev/null)" = "$stamp" ] && [ made-by -nt "$senone" ] || {
  rm -rf exp64 exp74 grid.*
  echo "$stamp" >made-by
}
TIMEFORMAT='%U %S'
for n in 64 74; do
  data=train
  [ $n = 74 ] || data=train64
  cut -d' ' -f2- $data/text | "$senone" lm estimate --quiet -o tg$n.arpa
  cp "$etc/an4.ug.lm" ug$n.arpa
  mkdir -p exp$n
  for s in $stages; do
    [ -e exp$n/$s/model.ini ] && [ -e exp$n/$s.cpu ] && continue
    echo "Training $s, $n speakers" >&2
    more=()
    [ $s != tri ] || more=("${tri_options[@]}")
    { time "$senone" train $s "${options[@]}" "${more[@]}" $data "$etc/an4.dic" exp$n 2>exp$n/$s.log; } \
      2>exp$n/$s.time || { cat exp$n/$s.log >&2; exit 1; }
    awk '{print $1 + $2}' exp$n/$s.time >exp$n/$s.cpu
  done
done

# ---- Decoding, by the speakers of utt2spk; sat in two passes ----
# graph MODEL LM WEIGHT PENALTY OUT: weight of the LM, cost of a word beside it
graph() {
  "$senone" graph build --quiet --model="$1" --lexicon="$etc/an4.dic" --lm="$2" \
    --on-missing=drop --lm-scale="$3" \
    --word-penalty="$(awk -v w="$3" -v p="$4" 'BEGIN {print 0 - w * p}')" -o "$5"
}
# errors DATA WORDS: all, with O and OH the same, both with their parts
errors() {
  local m
  for m in '' --map=oh.map; do
    "$senone" score --quiet $m --draws=40 "$1/text" "$2" |
      sed -n 's/^WER .*: \([0-9]*\) errors.*(\([0-9]*\) sub, \([0-9]*\) del, \([0-9]*\) ins)/\1 \4 \3 \2/p'
  done | tr '\n' ' '
}
# transcribe STAGE MODELS GRAPH DATA ...: two estimates of each speaker's transform
transcribe() {
  local s=$1 exp=$2 g=$3 twice=()
  shift 3
  [ "$s" != sat ] || twice=(--adapt-passes=2)
  "$senone" transcribe --quiet --model="$exp/$s" --graph="$g" "${twice[@]}" -o kaldi "$@"
}
# choose <GRID: the weight and penalty of fewest errors; of equals the one with
# the fewest in the settings around it, then the first
choose() {
  awk '{ e[$1, $2] = $3 }
    !($1 in at_w) { at_w[$1] = ++nw; w[nw] = $1 }
    !($2 in at_p) { at_p[$2] = ++np; p[np] = $2 }
    END {
      for (i = 1; i <= nw; i++) for (j = 1; j <= np; j++) {
        sum = n = 0
        for (a = i - 1; a <= i + 1; a++) for (b = j - 1; b <= j + 1; b++)
          if ((w[a], p[b]) in e) { sum += e[w[a], p[b]]; n++ }
        own = e[w[i], p[j]]
        if (found == 0 || own < errors || (own == errors && sum / n < least)) {
          found = 1; least = sum / n; errors = own; best = w[i] " " p[j]
        }
      }
      print best
    }'
}
# grid_of STAGE LM: grid.ID, errors by weight and penalty over the lattices of one
# setting
grid_of() {
  local id=$1.$2 w p n
  graph exp64/$1 "$2"64.arpa 14 0.5 graph.$id
  transcribe $1 exp64 graph.$id --lattice-beam=8 --lattice=lat.$id dev >/dev/null
  for w in 8 12 16 20 24 28; do
    for p in -0.5 0.5 1.5 2.5; do
      "$senone" lattice best --quiet --acoustic-scale="$(awk -v w=$w 'BEGIN {print 1 / w}')" \
        --word-penalty="$(awk -v p=$p 'BEGIN {print p - 0.5}')" --output=text lat.$id >best.$id
      n=$("$senone" score --quiet --map=oh.map --draws=40 dev/text best.$id |
        sed -n 's/^WER .*: \([0-9]*\) errors.*/\1/p')
      echo "$w $p $n"
    done
  done >some.$id
  mv some.$id grid.$id
}
# choose_on_dev STAGE LM: choice.ID, dev.row.ID; that chosen is decoded anew
choose_on_dev() {
  local id=$1.$2 w p n ins del sub n2 ins2 del2 sub2
  [ -e grid.$id ] || grid_of "$@"
  choose <grid.$id >choice.$id
  read -r w p <choice.$id
  graph exp64/$1 "$2"64.arpa "$w" "$p" graph.$id
  transcribe $1 exp64 graph.$id dev >dev.$id
  read -r n ins del sub n2 ins2 del2 sub2 <<<"$(errors dev dev.$id)"
  echo "| $1 | $2 | $w, $p | $n ($ins, $del, $sub) | $n2 ($ins2, $del2, $sub2) |" >dev.row.$id
}
rm -f dev.row.* choice.*
# each FUNCTION: of every stage and LM, all at a time
each() {
  local s lm pids='' pid
  for s in $stages; do
    for lm in ug tg; do
      "$1" $s $lm &
      pids+=" $!"
    done
  done
  for pid in $pids; do wait $pid; done
}
each choose_on_dev
for s in $stages; do cat dev.row.$s.ug dev.row.$s.tg; done | tee dev.rows

# ---- The test set ----
commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)
if [ -e "$results" ] && grep -q '^## Test set' "$results"; then
  sed -n '/^## Test set/,$p' "$results" >test.rows
else
  cat >test.rows <<END
## Test set

Each scoring of the 130 test utterances (773 words) is a line here: \`run.sh --score-test\`; what each scoring is
of: TRIALS.md. Interval and differences with O and OH the same; "minus Kaldi": word error rate of ours minus that of Kaldi's words for the same
stage (tri: its tri1; lda: tri2b; sat: tri3b) and LM, in points, with the 95 % interval of the paired bootstrap (10,000 draws, seed 1)
over utterances and over speakers.

| scoring | date | commit | stage | LM | weight, penalty | errors (ins, del, sub) | O = OH | WER, O = OH | minus Kaldi, by utterances | by speakers |
|---|---|---|---|---|---|---|---|---|---|---|
END
fi
declare -A theirs=([mono]=mono [tri]=tri1 [lda]=tri2b [sat]=tri3b)
score_test_of() { # STAGE LM
  if grep -q "^| $scoring |[^|]*|[^|]*| $1 | $2 |" test.rows; then return; fi
  local id=$1.$2 w p n ins del sub n2 ins2 del2 sub2 rate by_utt=- by_spk=- other=$kaldi/${theirs[$1]}.$2.txt
  read -r w p <choice.$id
  graph exp74/$1 "$2"74.arpa "$w" "$p" graph.$id
  transcribe $1 exp74 graph.$id test >test.$id
  read -r n ins del sub n2 ins2 del2 sub2 <<<"$(errors test test.$id)"
  rate=$("$senone" score --quiet --map=oh.map test/text test.$id | sed -n 's/^WER \([^:]*\):.*/\1/p')
  if [ -e "$other" ]; then
    "$senone" score --quiet --map=oh.map --utt2spk=test/utt2spk test/text test.$id "$other" >compare.$id
    by_utt=$(sed -n 's/^WER of .*: \([-+0-9.]*\) points.*/\1/p' compare.$id)' '$(sed -n 's/^ *over utterances: \(\[[^]]*\]\).*/\1/p' compare.$id)
    by_spk=$(sed -n 's/^ *over speakers: \(\[[^]]*\]\).*/\1/p' compare.$id)
  fi
  echo "| $scoring | $(date -u +%F) | $commit | $1 | $2 | $w, $p | $n ($ins, $del, $sub) | $n2 ($ins2, $del2, $sub2) | $rate | $by_utt | $by_spk |" >test.row.$id
}
rm -f test.row.*
if [ $score_test = yes ]; then
  each score_test_of
  for s in $stages; do
    for lm in ug tg; do
      [ ! -e test.row.$s.$lm ] || tee -a test.rows <test.row.$s.$lm
    done
  done
fi

{
  echo "# AN4 from scratch"
  echo
  echo "Written by \`egs/an4/run.sh\` on $(date -u +%F), commit $commit; options of \`senone train\`: ${options[*]:-none}; of \`tri\` also ${tri_options[*]:-none}."
  echo "Means of features are those of each speaker; \`sat\` is decoded in three passes, fMLLR transforms estimated after the"
  echo "first and the second (\`--adapt-passes=2\`). What else was tried: TRIALS.md."
  echo "LMs: \`ug\`, the flat unigram of the published results without its words that have no pronunciation; \`tg\`, a"
  echo "trigram of the training transcripts alone (\`senone lm estimate\`). Lexicon: \`an4.dic\`."
  echo
  echo "## Training, 74 speakers, 948 utterances"
  echo
  echo "CPU seconds, user and system, of each stage with its features:"
  echo
  echo "| stage | CPU s | pdfs | Gaussians | log-likelihood a frame |"
  echo "|---|---|---|---|---|"
  for s in $stages; do
    echo "| $s | $(cat exp74/$s.cpu) | $(sed -n 's/.*"pdfs": \([0-9]*\).*/\1/p' exp74/$s/train.json) | $(sed -n 's/^ *"gaussians": \([0-9]*\),$/\1/p' exp74/$s/train.json) | $(sed -n 's/.*"logp_per_frame": \([-0-9.]*\).*/\1/p' exp74/$s/train.json | tail -1) |"
  done
  cat exp74/*.cpu | awk '{s += $1} END {printf "| all | %.2f | | | |\n", s}'
  echo
  echo "## Development: ten held-out speakers, 128 utterances, 762 words"
  echo
  echo "Models and trigram of the other 64 speakers. LM weight and the cost of a word beside it were chosen here, over"
  echo "lattices: weights 8 to 28 by 4, costs -0.5 to 2.5 by 1; fewest errors with O and OH the same, of equals those with"
  echo "the fewest around them. The errors are those of decoding at that setting: all (insertions, deletions, substitutions)."
  echo
  echo "| stage | LM | weight, penalty | errors | O = OH |"
  echo "|---|---|---|---|---|"
  cat dev.rows
  echo
  cat test.rows
} >RESULTS.md
cp RESULTS.md "$results"
cat RESULTS.md
