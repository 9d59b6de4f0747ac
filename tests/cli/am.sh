#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone am: import of Sphinx models, info, damage.
. "$(dirname "$0")/lib.bash"
[ -d $sphinx/en-us ] || skip 'no pocketsphinx-en-us'

run 0 "$senone" am import-sphinx $sphinx/en-us en-us
[ "$(ls en-us | tr '\n' ' ')" = "am.bin model.ini " ] || fail "files: $(ls en-us)"
grep -q '^name *= *en-us$' en-us/model.ini || fail 'no name in model.ini'
run 0 "$senone" am import-sphinx $sphinx/en-us again
cmp en-us/am.bin again/am.bin || fail 'two imports differ'
run 0 "$senone" am info en-us
silent
prints '^kind +ptm$'
prints '^senones +5126$'
prints '^phones +42'
prints '^ +base phone +[0-9]+ \('
# Continuous and semi-continuous ones, text mdef.
for m in $testdata/an4_ci_cont $testdata/tidigits/hmm; do
  [ -d "$m" ] || continue
  run 0 "$senone" am import-sphinx --name=x "$m" small
  run 0 "$senone" am info small
  prints '^name +x$'
  rm -r small
done

# Bad input.
run 1 "$senone" am import-sphinx nowhere x
says 'nowhere'
mkdir empty
run 1 "$senone" am import-sphinx empty x
says "'empty' has no file"
cp -r $sphinx/en-us cut && truncate -s 100000 cut/sendump
run 1 "$senone" am import-sphinx cut x
says 'sendump'
cp -f $sphinx/en-us/mdef cut/sendump
run 1 "$senone" am import-sphinx cut x
says 'sendump'
rm cut/sendump
run 1 "$senone" am import-sphinx cut x
says '(sendump|mixture_weights)'
[ ! -e x/am.bin ] || fail 'left behind: x/am.bin'
size=$(stat -c %s en-us/am.bin)
for k in 0 1 2 3 4 5 6 7 8 9; do
  cp en-us/am.bin again/am.bin
  python3 - again/am.bin $((size * k / 10 + k)) <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([b[0] ^ 1]))
PY
  run 1 "$senone" am info again
  says 'am.bin.*(checksum|damaged|byte|magic|version|expected)'
done
sed 's/dialect.*/dialect = dolphin/' en-us/model.ini >again/model.ini
cp en-us/am.bin again/am.bin
run 1 "$senone" am info again
says 'model.ini.*dolphin'
rm again/model.ini
run 1 "$senone" am info again
says 'model.ini'
