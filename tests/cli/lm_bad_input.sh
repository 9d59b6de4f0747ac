#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Language models, texts and vocabularies that are not as they should be: each
# row of the tables in docs/lm.md ends with a message that names file and line,
# or is repaired with a count. Nothing is left under the final name.
. "$(dirname "$0")/lib.bash"

cat >good.arpa <<'ARPA'
\data\
ngram 1=5
ngram 2=4

\1-grams:
-99	<s>	-0.5
-0.7	</s>
-0.4	go	-0.25
-0.6	stop	-0.125
-0.9	<unk>

\2-grams:
-0.3	<s> go
-0.2	go stop
-0.8	stop go
-0.9	stop </s>

\end\
ARPA

# ---- ARPA ----
# refused NAME SED_SCRIPT MESSAGE: from good.arpa
refused() {
  sed -E "$2" good.arpa >"$1.arpa"
  ! cmp -s good.arpa "$1.arpa" || fail "$1: nothing was changed"
  run 1 "$senone" lm convert "$1.arpa" "$1.bin"
  says "^senone lm convert: $3"
  absent "$1.bin"*
}
# taken NAME SED_SCRIPT [WARNING]: the model is that of good.arpa, unless a
# warning says what else it is
taken() {
  sed -E "$2" good.arpa >"$1.arpa"
  ! cmp -s good.arpa "$1.arpa" || fail "$1: nothing was changed"
  run 0 "$senone" lm convert "$1.arpa" "$1.bin"
  if [ $# = 3 ]; then
    says "$3"
  else
    silent
    cmp good.bin "$1.bin" || fail "$1: another model"
  fi
}
run 0 "$senone" lm convert good.arpa good.bin
silent
refused few 's/^ngram 2=4/ngram 2=3/' 'few\.arpa:18: section .2-grams: ends after 4 n-grams, but line 3 says 3'
refused many 's/^ngram 1=5/ngram 1=6/' 'many\.arpa:12: section .1-grams: ends after 5 n-grams, but line 2 says 6'
refused nan 's/^-0.2/nan/' "nan\.arpa:14: 'nan' is not a probability"
refused nan-backoff 's/-0.125/NaN/' "nan-backoff\.arpa:9: 'NaN' is not a back-off weight"
refused infinite 's/^-0.2/inf/' "infinite\.arpa:14: 'inf' is not a probability"
refused no-end '/^.end/d' 'no-end\.arpa:1[78]: the file ends in section .2-grams: .* without .end'
refused cut '/^-0.8/,$d' 'cut\.arpa:14: the file ends in section .2-grams: after 2 of 4'
refused no-data '/^.data/d' "no-data\.arpa.* no line '.data.'"
refused twice 's/stop go/go stop/' 'twice\.arpa:15: this 2-gram occurs for the second time'
refused word-twice 's/	stop	/	go	/' "word-twice\.arpa:9: the word 'go' occurs twice"
refused no-word 's/go stop/go slow/' "no-word\.arpa:14: the word 'slow' is not among the 1-grams"
refused short-line 's/stop <.s>/stop/' 'short-line\.arpa:16: a 2-gram needs'
refused letters 's/^-0.2/-0.2x/' "letters\.arpa:14: '-0.2x' is not a probability"
taken crlf 's/$/\r/'
printf %s "$(cat good.arpa)" >no-newline.arpa # no line end behind \end\
(cat good.arpa && printf 'more\n') >more.arpa
for f in no-newline more; do
  ! cmp -s good.arpa $f.arpa || fail "$f: nothing was changed"
  run 0 "$senone" lm convert $f.arpa $f.bin
  silent
  cmp good.bin $f.bin || fail "$f: another model"
done
taken blanks 's/	/  /g'
taken no-backoff 's/	<unk>$/	<unk>	0/'
printf 'made by hand\n\n' | cat - good.arpa >header.arpa
run 0 "$senone" lm convert header.arpa header.bin
cmp good.bin header.bin || fail 'text before \data\ matters'
awk '/^-0.3\t<s> go/ {held = $0; next} {print} /^-0.9\tstop/ {print held}' good.arpa >unsorted.arpa
run 0 "$senone" lm convert unsorted.arpa unsorted.bin
silent
cmp good.bin unsorted.bin || fail 'the order of the lines matters'
taken positive 's/^-0.2/0.2/' '1 probabilities above 1 were set to 1'
taken top-backoff 's/<s> go/<s> go	-0.5/' '1 back-off weights of the highest order'
cmp good.bin top-backoff.bin || fail 'a back-off weight of the highest order matters'
cat >orphan.arpa <<'ARPA'
\data\
ngram 1=3
ngram 2=1
ngram 3=2

\1-grams:
-1 a -0.1
-1 b -0.2
-1 c

\2-grams:
-0.5 b c

\3-grams:
-0.1 a b c
-0.2 c b a

\end\
ARPA
run 0 "$senone" lm convert orphan.arpa orphan.bin
says '2 n-grams were missing'
# A packed file that is cut, or damaged within.
"$senone" lm random --n=400 $testdata/turtle.lm.bin >t.txt
run 0 "$senone" lm estimate --method=wb t.txt -o big.arpa.gz
head -c $(($(stat -c %s big.arpa.gz) / 2)) big.arpa.gz >cut.arpa.gz
run 1 "$senone" lm convert cut.arpa.gz x.bin
says "cut\.arpa\.gz.*cut short"
gzip -dc big.arpa.gz | head -c 20000 | gzip >half.arpa.gz
run 1 "$senone" lm convert half.arpa.gz x.bin
says 'half\.arpa\.gz:[0-9]+: '
printf 'xxxx' | dd of=big.arpa.gz bs=1 seek=1000 conv=notrunc 2>/dev/null
run 1 "$senone" lm convert big.arpa.gz x.bin
says 'big\.arpa\.gz'
# Files of another kind, by name.
printf 'go stop\n' >c.txt
run 0 "$senone" lm count c.txt -o c.counts
run 1 "$senone" lm convert c.counts x.bin
says 'c\.counts is a count file; .*senone lm estimate'
for n in 1 3 7 8 63; do # cut, it is no text
  head -c $n c.counts >cut.counts
  for c in 'estimate --repair' count 'classes --classes=1'; do
    run 1 "$senone" lm $c c.txt cut.counts -o x.bin
    says "'cut\.counts' has $n bytes, .*cut short"
  done
done
printf 'SN\n' >sn.txt
run 0 "$senone" lm count sn.txt -o sn.counts
printf 'go G OW\n' >c.dict
run 0 "$senone" lexicon import c.db c.dict
run 1 "$senone" lm convert c.db x.bin
says 'c\.db is a database, such as a lexicon; a language model was expected'
: >empty.arpa
run 1 "$senone" lm convert empty.arpa x.bin
says 'empty\.arpa'
absent x.bin*

# ---- Text ----
# text NAME BYTES MESSAGE WARNING: refused; with --repair taken
text() {
  printf 'go stop\n%b\n' "$2" >"$1.txt"
  for c in count estimate; do
    run 1 "$senone" lm $c "$1.txt" -o "$1.out"
    says "^senone lm $c: $1\.txt:2: $3"
    absent "$1.out"*
  done
  run 1 "$senone" lm ppl good.bin "$1.txt"
  says "$1\.txt:2: "
  run 0 "$senone" lm estimate --method=wb --repair "$1.txt" -o "$1.arpa"
  says "$4"
}
text control 'go\001stop' 'a control character .0x01. at byte 2' '1 control characters were taken for blanks'
text escape 'go\033[1mstop' 'a control character .0x1b. at byte 2' '1 control characters'
text nul 'go\0000stop\0000' 'a control character .0x00. at byte 2' '2 control characters'
text latin1 'caf\0351 go' 'byte 3 of the line .0xe9. is not UTF-8' '1 bytes that are not UTF-8 became U.FFFD'
text overlong 'go \0300\0257' 'byte 3 of the line .0xc0. is not UTF-8' '2 bytes that are not UTF-8'
text inner-begin 'go <s> stop' '<s> within a sentence .word 2.' '1 <s> or </s> within sentences'
text inner-end 'go </s> stop' '</s> within a sentence .word 2.' '1 <s> or </s> within sentences'
printf '<s> go stop </s>\n' >marked.txt
printf 'go stop\n' >plain.txt
run 0 "$senone" lm estimate --method=wb marked.txt -o marked.arpa
run 0 "$senone" lm estimate --method=wb plain.txt -o plain.arpa
cmp marked.arpa plain.arpa || fail '<s> and </s> around a sentence matter'
printf '\n \r\n\t\n' >blank.txt
for c in count estimate 'estimate --repair'; do
  run 1 "$senone" lm $c blank.txt -o x.out
  says 'blank.txt: no words in it'
done
run 0 "$senone" lm ppl good.bin blank.txt
says 'no sentences'
# A line of 10 MB is a long sentence, also as one word; one of 65 MB is not.
awk 'BEGIN {for (i = 0; i < 1250000; i++) printf "%s", i % 3 ? "go stop " : "stop go "; print ""}' >long.txt
run 0 "$senone" lm count --order=2 --memory=4 long.txt -o long.counts
run 0 "$senone" lm ppl good.bin long.txt
prints '^words	2500000$'
head -c 10000000 /dev/zero | tr '\0' a >word.txt
run 0 "$senone" lm estimate --method=wb word.txt -o word.bin
run 0 "$senone" lm ppl word.bin word.txt
prints '^words	1$'
(cat plain.txt && head -c 70000000 /dev/zero | tr '\0' a) >endless.txt
run 1 "$senone" lm count endless.txt -o x.out
says 'endless\.txt:2: .*64 MiB'
rm endless.txt long.* word.*
absent x.out*

# ---- Vocabulary ----
printf 'go\nstop\ngo\nturn\nstop\ngo\n' >vocab
run 0 "$senone" lm estimate --method=wb --vocab=vocab plain.txt -o v.arpa
says "vocab: 3 words occur again and count once: 'go' .line 3. 'stop' .line 5. 'go' .line 6."
grep -q '^ngram 1=6$' v.arpa || fail 'go, stop, turn and the three marks are not the words'
: >none
printf 'go\nst\377op\n' >latin
run 1 "$senone" lm estimate --vocab=none plain.txt -o x.out
says 'none: the vocabulary has no words'
run 1 "$senone" lm estimate --vocab=latin plain.txt -o x.out
says 'latin:2: the line is not UTF-8'
run 1 "$senone" lm estimate --vocab=missing plain.txt -o x.out
says 'missing'
absent x.out*

# ---- A disk that is full, or a file that may not grow: sorting and writing ----
awk 'BEGIN {srand(1); for (i = 0; i < 15000; i++) {for (k = 0; k < 8; k++) printf "w%d ", 2000 * rand(); print ""}}' >many.txt
mkdir temp
full() { # LIMIT_KB MESSAGE ARGUMENT ...
  (
    ulimit -f "$1"
    trap '' XFSZ
    "$senone" lm "${@:3}" >out 2>err
    echo $? >status
  )
  [ "$(cat status)" = 1 ] || fail "${*:3}: exit status $(cat status)"
  says "$2"
  absent x.out* temp/*
}
for c in count estimate; do
  full 64 "temporary file in 'temp' at byte [0-9]+: .*free some space there" \
    $c --order=5 --memory=1 --temp=temp many.txt -o x.out
done
full 500 'x\.out' count --order=5 many.txt -o x.out
full 500 'x\.out' estimate --order=3 --format=arpa many.txt -o x.out
full 500 'x\.out' estimate --order=3 --format=small many.txt -o x.out
if mkdir small && mount -t tmpfs -o size=1m none small 2>/dev/null; then
  run 1 "$senone" lm estimate --order=5 --memory=1 --temp=small many.txt -o x.out
  run 1 "$senone" lm estimate --order=5 many.txt -o small/x.arpa
  left=$(ls small)
  umount small
  says 'space'
  [ -z "$left" ] || fail "left behind: $left"
else
  echo 'skipped: a full disk: no tmpfs may be mounted (root may)'
fi
run 1 "$senone" lm estimate --temp=nowhere --memory=1 --order=5 many.txt -o x.out
says "temporary file in 'nowhere'"
absent x.out*
