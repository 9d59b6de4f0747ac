#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The example of every command's help runs as it stands, after the few that
# make what the others use.
. "$(dirname "$0")/lib.bash"
mkdir bin && ln -s "$senone" bin/senone
export PATH=$tmp/bin:$PATH

example() { # COMMAND: its example's lines, with \ at no line's end
  senone help $1 | sed -n '/^Example:/,$ s/^  //p'
}
tried=
try() {
  tried+="|$1"
  example "$1" >lines
  [ -s lines ] || fail "senone $1 has no example"
  while IFS= read -r line; do
    bash -c "$line" >out 2>err </dev/null || {
      cat err
      fail "the example of senone $1: $line"
    }
  done <lines
}
# in an order in which each finds its input
for c in transcribe 'am import-sphinx' 'lexicon import' 'lexicon add' 'lexicon show' \
  'lexicon remove' 'lexicon export' 'lexicon check' 'graph build'; do
  try "$c"
done
# `decode` and `lattice` want files of another toolkit: decode.sh, lattice.sh
while read -r c; do
  case "$tried|" in *"|$c|"*) continue ;; esac
  case $c in decode | lattice*) continue ;; esac
  try "$c"
done < <(senone help | sed -n '/^Commands:/,/^$/p' | grep '^  ' | cut -c3-21 | sed 's/ *$//')
