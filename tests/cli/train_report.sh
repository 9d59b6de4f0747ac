#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Curves and trees of training on card commands: drawings that are XML, errors
# that name the file and what to do.
. "$(dirname "$0")/lib.bash"
[ -e $testdata/cards/cards.gram ] || skip "no pocketsphinx-testdata"
mkdir cards
ls $testdata/cards/*.wav | sed 's/.*\/\(.*\)\.wav/\1 &/' >cards/wav.scp
sed 's/<s> \(.*\) <.s> (\(.*\))/\2 \1/' $testdata/cards/cards.transcription >cards/text
well_formed() {
  python3 - "$@" <<'PY' || fail "not well-formed: $*"
import sys, xml.dom.minidom
for path in sys.argv[1:]:
    root = xml.dom.minidom.parse(path).documentElement
    assert root.tagName == 'svg' and root.getAttribute('width'), path
PY
}
few=(--quiet --mono-gauss=200 --mono-passes=3 --tri-leaves=120 --tri-gauss=200 --tri-passes=3)
run 0 "$senone" train mono "${few[@]}" cards $sphinx/cmudict-en-us.dict exp
run 0 "$senone" train report exp
prints '^mono	4	5	0	'
prints '^exp/curves.svg$'
well_formed exp/curves.svg
run 1 "$senone" train report --phone=AA exp
says "monophones have no trees"

run 0 "$senone" train tri "${few[@]}" cards $sphinx/cmudict-en-us.dict exp
run 0 "$senone" train report exp
prints '^tri	3	5	0	'
grep -c '^exp/' out | grep -qx 2 || fail "two drawings were expected"
well_formed $(grep '^exp/' out)
run 0 "$senone" train report --phone=F --output-dir=new/folder exp
well_formed new/folder/curves.svg new/folder/tree-F.svg
grep -q 'F, states 0 to 2' new/folder/tree-F.svg || fail "no tree of F"
run 1 "$senone" train report --phone=XX exp
says "no phone 'XX' in the trees; there are: SIL "
absent exp/tree-XX.svg
run 0 "$senone" train report --stage=mono exp
grep -q tri out && fail "--stage=mono says something of tri"

run 1 "$senone" train report nothing
says "'nothing': No such file"
mkdir empty
run 1 "$senone" train report empty
says "'empty' has no stage with a train.json"
run 1 "$senone" train report --stage=lda exp
says "exp/lda/train.json"
cp -r exp cut
head -c 300 exp/tri/train.json >cut/tri/train.json
run 1 "$senone" train report cut
says 'cut/tri/train.json:[0-9]+: column [0-9]+'
cp -r exp cut2
head -c 2000 exp/tri/tree.json >cut2/tri/tree.json
run 1 "$senone" train report cut2
says 'cut2/tri/tree.json:[0-9]+: column [0-9]+'
cp -r exp other
cp exp/mono/am.bin other/tri/am.bin
run 1 "$senone" train report other
says "'other/tri' has [0-9]+ pdfs, its train.json [0-9]+"
run 2 "$senone" train report
echo ok
