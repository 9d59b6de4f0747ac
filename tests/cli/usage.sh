#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Help, versions, mistyped commands and options.
. "$(dirname "$0")/lib.bash"

run 2 "$senone"
says 'usage: senone'
run 0 "$senone" --version
prints '^senone [0-9]+\.[0-9]+\.[0-9]+$'
run 0 "$senone" help
silent
commands=$(sed -n '/^Commands:/,/^$/p' out | grep '^  ' | cut -c3-21 | sed 's/ *$//')
[ "$(wc -l <<<"$commands")" -gt 10 ] || fail "few commands: $commands"
while read -r c; do
  run 0 "$senone" $c --help
  prints "^usage: senone $c"
  prints '^Example:'
  run 0 "$senone" help $c
  run 0 "$senone" help --as=man $c
  prints '^\.TH senone'
  run 2 "$senone" $c --no-such-option=1
done <<<"$commands"

run 2 "$senone" transcrib x.wav
says "is 'senone transcribe' meant"
run 2 "$senone" lm prnue
says "is 'senone lm prune' meant"
run 2 "$senone" lm
says "lm prune"
run 0 "$senone" lattice --help
silent
prints '^usage: senone lattice VERB'
prints '^  lattice nbest  +[a-z]'
grep -q 'lm prune' out && fail 'commands of another noun'
mv out of_lattice
run 0 "$senone" help lattice
cmp out of_lattice || fail 'help lattice is not lattice --help'
run 2 "$senone" help latice
says "no command 'latice'"
run 2 "$senone" transcribe --beem=3 x.wav
says 'is --beam meant'
run 2 "$senone" transcribe --beam=wide x.wav
says 'beam.*wide'
run 2 "$senone" transcribe --beam=-1 x.wav
says 'beam'

run 0 "$senone" help --as=bash
bash -n out || fail "the completion script is no bash"
. ./out
COMP_WORDS=(senone trans) COMP_CWORD=1
_senone
[ "${COMPREPLY[*]}" = transcribe ] || fail "completion: ${COMPREPLY[*]}"
COMP_WORDS=(senone lm pr) COMP_CWORD=2
_senone
[ "${COMPREPLY[*]}" = prune ] || fail "completion: ${COMPREPLY[*]}"

run 0 "$senone" help --man-dir="$tmp/man"
[ "$(ls man | wc -l)" -gt 10 ] || fail "few man pages"
