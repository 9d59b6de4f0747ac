#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Models, lexica, language models and grammars that are damaged or do not fit.
. "$(dirname "$0")/lib.bash"
good=$testdata/cards/001.wav

# A model that is not there.
run 1 "$senone" transcribe -m en-uk "$good"
says 'en-uk'

# Truncated and altered graphs and models.
mkdir broken && cp -r "$model/." broken/
size=$(stat -c %s broken/graph.sng)
truncate -s $((size / 2)) broken/graph.sng
run 1 "$senone" transcribe -m "$tmp/broken" "$good"
says 'graph.sng'
cp "$model/graph.sng" broken/
python3 - "$tmp/broken/graph.sng" <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(0, 2)
    n = f.tell()
    for at in range(4096, n, max(4096, n // 500)):
        f.seek(at)
        b = f.read(1)
        f.seek(at)
        f.write(bytes([b[0] ^ 0x55]))
PY
run 1 "$senone" graph check broken/graph.sng
says 'graph.sng.*(checksum|damaged|altered)'
run 1 "$senone" transcribe -m "$tmp/broken" "$good"
says 'graph.sng'
cp "$model/graph.sng" broken/
size=$(stat -c %s broken/am.bin)
truncate -s $((size - 1000)) broken/am.bin
run 1 "$senone" transcribe -m "$tmp/broken" "$good"
says 'am.bin'

# Words of the language model that the lexicon does not have.
cat >small.arpa <<'ARPA'
\data\
ngram 1=5

\1-grams:
-1.0 <s>
-0.5 </s>
-0.6 hello
-0.7 zyzzogeton
-0.8 qwertyish

\end\
ARPA
run 1 "$senone" graph build --model="$model" --lexicon="$model/lexicon.db" --lm=small.arpa -o small.sng
says '2 .*(zyzzogeton|qwertyish)'
absent small.sng* 
run 0 "$senone" graph build --on-missing=drop --model="$model" --lexicon="$model/lexicon.db" --lm=small.arpa -o small.sng
says 'zyzzogeton'
says 'qwertyish'

# Dictionary phones that the model does not have.
printf 'hello HH AH L OW\nworld W ER L XX\n' >phones.dict
printf 'hello\n' >words
run 0 "$senone" graph build --model="$model" --lexicon=phones.dict --words=words -o hello.sng
says "'world' \(XX\)"
printf 'hello\nworld\n' >words
run 1 "$senone" graph build --model="$model" --lexicon=phones.dict --words=words -o phones.sng
says "'world' \(XX\)"
says "1 .*'world'"
absent phones.sng*

# Grammars.
printf '#JSGF V1.0;\ngrammar g;\npublic <a> = hello zyzzogeton;\n' >unknown.gram
run 1 "$senone" transcribe -m en-us --grammar=unknown.gram "$good"
says 'zyzzogeton'
printf '#JSGF V1.0;\ngrammar g;\npublic <a> = <a> hello | hello;\n' >left.gram
run 1 "$senone" transcribe -m en-us --grammar=left.gram "$good"
says 'left.gram:3.*recursi'

# No path survives: an empty result that is marked as such.
run 0 "$senone" transcribe -m en-us --beam=0.001 --min-active=0 --max-active=1 -o json "$good"
prints '"text": *"",.*"incomplete": *true'
says '001.wav: no path .*result is empty.*beam'
run 0 "$senone" transcribe -m en-us --beam=0.001 --min-active=0 --max-active=1 "$good"
[ -z "$(tr -d ' \n' <out)" ] || fail "words: $(cat out)"
says '001.wav: no path .*result is empty.*beam'

# Out of memory in the graph compiler says so.
(
  ulimit -v 400000
  "$senone" graph build --model="$model" --lexicon="$model/lexicon.db" --lm="$sphinx/en-us.lm.bin" -o big.sng >out 2>err
  echo $? >status
)
[ "$(cat status)" = 1 ] || fail "out of memory: exit status $(cat status)"
says 'out of memory'
absent big.sng*

# Disk full: nothing is left under the final name.
(
  ulimit -f 2000
  trap '' XFSZ
  "$senone" graph build --model="$model" --lexicon="$model/lexicon.db" --lm="$model/lm.bin" -o full.sng >out 2>err
  echo $? >status
)
[ "$(cat status)" = 1 ] || fail "file size limit: exit status $(cat status)"
says 'full.sng'
absent full.sng*
if mkdir small && mount -t tmpfs -o size=1m none small 2>/dev/null; then
  run 1 "$senone" graph build --model="$model" --lexicon="$model/lexicon.db" --lm="$model/lm.bin" -o small/full.sng
  left=$(ls small)
  umount small
  says 'space'
  [ -z "$left" ] || fail "left behind: $left"
else
  echo 'skipped: a full disk: no tmpfs may be mounted (root may)'
fi
"$senone" help >/dev/full 2>err && fail "a full disk behind stdout goes unnoticed"
says 'standard output'
