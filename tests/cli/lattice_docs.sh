#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every command of docs/lattices.md and of the lattice commands' help runs as it
# stands there, and prints what stands there; the drawn examples are current.
. "$(dirname "$0")/lib.bash"
mkdir bin && ln -s "$senone" bin/senone
export PATH=$tmp/bin:$PATH

# What the examples start from.
cp "$top/docs/rain.slf" .
cat >lat.txt <<'TXT'
u1
0	1	1	1,20,7_7_7
0	1	2	2,14,7_7_8
1	2	3	1.5,10,9_9
1	2	4	4.5,8,9_6
2	0.5,0,5

TXT
printf '<eps> 0\nthe 1\na 2\ncat 3\ncap 4\n' >words.txt
printf 'u1 the cat\n' >text
run 0 senone lattice copy ark:lat.txt ark:lat.ark
printf 'the cat\na cap\nthe cap\n' >corpus
run 0 senone lm estimate --order=1 -o small.arpa corpus
run 0 senone lm estimate --order=2 -o big.arpa corpus
run 0 senone lm convert big.arpa big.lm.bin

# Blocks are indented by four blanks; what follows "$ COMMAND" is its output.
cat >commands.py <<'PY'
import re, sys
lines = open(sys.argv[1]).read().split('\n')
commands, i = [], 0
while i < len(lines):
    m = re.match(r'    (\$ )?(senone .*)', lines[i])
    i += 1
    if not m:
        continue
    command = m[2]
    while command.endswith('\\'):
        command = command[:-1] + lines[i].strip()
        i += 1
    output = None
    if m[1]:
        output = ''
        while lines[i].startswith('    ') and not lines[i].startswith('    $'):
            output += lines[i][4:] + '\n'
            i += 1
    commands.append((command, output))
for n, (command, output) in enumerate(commands):
    open(f'command{n:02}', 'w').write(command + '\n')
    if output is not None:
        open(f'command{n:02}.want', 'w').write(output)
PY
python3 commands.py "$top/docs/lattices.md"
n=0
for c in command??; do
  case $(<"$c") in
    *transcribe*)
      [ -e "$model/graph.sng" ] && [ -e $testdata/cards/001.wav ] || continue
      cp $testdata/cards/001.wav talk.wav ;;
    'senone decode '*) continue ;; # a graph of another toolkit: decode.sh
    *'| dot '*) command -v dot >/dev/null || continue ;;
  esac
  bash -o pipefail -c "$(<"$c")" >out 2>err </dev/null || fail "$(<"$c"): $(cat out err)"
  [ -e $c.want ] && { diff $c.want out >differ || fail "$(<"$c") prints else: $(cat differ)"; }
  n=$((n + 1))
done
echo "$n commands of the page"
[ $n -ge 15 ] || fail "$n commands only"

# The drawings: what a drawing says, whatever version of dot laid it out.
said() { grep -o '<text[^>]*>[^<]*' "$1" | sed 's/.*>//'; }
if command -v dot >/dev/null; then
  senone lattice draw small.lat | dot -Tsvg >lattice-pruned.svg
  for f in lattice lattice-pruned; do
    said $f.svg >new
    said "$top/docs/$f.svg" | diff - new >differ || fail "docs/$f.svg is old: $(cat differ)"
  done
fi

# The examples of the help; an4.lat is there by now.
for c in copy info prune draw union equal best nbest mbr sausage oracle posteriors rescore; do
  senone help lattice $c | sed -n '/^Example:/,$ s/^  //p' >lines
  [ -s lines ] || fail "senone lattice $c has no example"
  while IFS= read -r line; do
    bash -c "$line" >out 2>err </dev/null || fail "the example of lattice $c: $line: $(cat err)"
  done <lines
done
