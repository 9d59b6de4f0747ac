#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One altered or missing byte anywhere in any file of a model: transcription
# succeeds or fails with a message that names the file; it never crashes.
. "$(dirname "$0")/lib.bash"
need_model
good=$testdata/cards/001.wav
run 0 "$senone" graph build --model="$model" --grammar=$testdata/cards/cards.gram -o g.sng
mkdir whole
cp "$model"/{am.bin,model.ini} whole/
cp g.sng whole/graph.sng
printf 'ten T EH N\nof AH V\nclubs K L AH B Z\n' >small.dict
run 0 "$senone" lexicon import whole/lexicon.db small.dict
printf '\\data\\\nngram 1=5\n\n\\1-grams:\n-99 <s>\n-1 </s>\n-1 ten\n-1 of\n-1 clubs\n\n\\end\\\n' >small.arpa
run 0 "$senone" lm convert small.arpa whole/lm.bin
cp -r whole bad

# Alters byte AT of FILE (or cuts it there), tries, expects no crash.
try() { # FILE AT flip|cut COMMAND ...
  local file=$1 at=$2 how=$3 got=0
  shift 3
  cp -f whole/$file bad/$file
  if [ "$how" = cut ]; then
    truncate -s "$at" bad/$file
  else
    python3 - bad/$file "$at" <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([b[0] ^ 0xFF]))
PY
  fi
  timeout 20 "$@" >out 2>err </dev/null || got=$?
  cp -f whole/$file bad/$file
  case $got in
    0) fine=$((fine + 1)) ;;
    1) says "$file|model './bad'" ;;
    *) cat err; fail "$file: byte $at ($how): exit status $got" ;;
  esac
}

for file in am.bin model.ini graph.sng lexicon.db lm.bin; do
  size=$(stat -c %s whole/$file) fine=0
  case $file in
    lexicon.db) command=("$senone" graph build --model=bad --lexicon=bad/lexicon.db --words=words -o out.sng) ;;
    lm.bin) command=("$senone" graph build --model=bad --lexicon=bad/lexicon.db --lm=bad/lm.bin -o out.sng) ;;
    *) command=("$senone" transcribe -m ./bad --cache=none "$good") ;;
  esac
  printf 'ten\nof clubs\n' >words
  run 0 "${command[@]}"
  for k in $(seq 0 24); do
    try $file $((size * k / 25 + k % 5)) flip "${command[@]}"
  done
  for k in 0 1 2 3 4 5; do
    try $file $((size * k / 6)) cut "${command[@]}"
  done
  echo "$file: $fine of 31 went through"
done
