#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The lexicon commands as a user meets them.
. "$(dirname "$0")/lib.bash"

printf 'tomato T AH M EY T OW\ntomato(2) T AH M AA T OW\nthe DH AH\nthe DH AH\n' >a.dict

# Import: counts, duplicates with their lines, no second copy.
run 0 "$senone" lexicon import --verbose l.db a.dict
says 'a.dict:4: this pronunciation of .the. is in line 3 already'
says '3 pronunciations added, 2 new words'
says '1 stood in the file twice'
run 0 "$senone" lexicon import l.db a.dict
says '3 pronunciations were in the lexicon already'

# Export is the file again.
run 0 "$senone" lexicon export l.db
diff out - <<'OUT' || fail 'export differs'
tomato T AH M EY T OW
tomato(2) T AH M AA T OW
the DH AH
OUT
run 0 "$senone" lexicon export --format=kaldi-prob l.db -o lexiconp.txt
run 0 "$senone" lexicon export --format=tsv lexiconp.txt
prints '^tomato	T AH M EY T OW$'

# Add: unknown phones are refused with the nearest, duplicates are told.
run 1 "$senone" lexicon add l.db mat M AX T
says "no phone 'AX'.*did you mean 'AH'"
run 0 "$senone" lexicon add --prob=0.5 --note='my word' l.db mat M AH T
silent
run 0 "$senone" lexicon add --prob=0.5 l.db mat "M AH T"
says '1 duplicate'
run 0 "$senone" lexicon show l.db mat
prints "^mat	M AH T	0.5	approved	user:"
prints "^# .* add 'M AH T': my word"
run 1 "$senone" lexicon show l.db tomatto
says "no word 'tomatto'; did you mean 'tomato'"
run 0 "$senone" lexicon remove l.db mat
run 1 "$senone" lexicon remove l.db mat
says "no word 'mat'"

# A first import that fails leaves no file.
printf 'a B\nb\n' >bad.dict
run 1 "$senone" lexicon import new.db bad.dict
says 'bad.dict:2: .*no phones'
absent new.db*
run 1 "$senone" lexicon import new.db nothing.dict
absent new.db*

# Check: names what can never be recognised.
printf 'the\nTomato\nzebra\n<s>\n' >words
run 1 "$senone" lexicon check --words=words l.db
prints "^zebra	no-pronunciation	$"
prints "^Tomato	no-pronunciation	the lexicon has 'tomato'$"
prints "^tomato	not-in-lm"
says '2 words can never be recognised'
printf 'T\nAH\nM\nEY\nOW\nDH\n' >phones
run 0 "$senone" lexicon check --phones=phones l.db
prints "^tomato	lost-pronunciation	no phone 'AA' for 'T AH M AA T OW'"
sed -i /DH/d phones
run 1 "$senone" lexicon check --phones=phones l.db
prints "^the	no-phone"
run 0 "$senone" lexicon check --words=<(echo the) l.db
run 1 "$senone" lexicon check --strict --words=<(echo the) l.db
run 2 "$senone" lexicon check l.db
says 'nothing to compare with'
cat >small.arpa <<'ARPA'
\data\
ngram 1=4

\1-grams:
-1 <s>
-1 </s>
-1 the
-1 yacht

\end\
ARPA
run 1 "$senone" lexicon check --lm=small.arpa l.db
prints "^yacht	no-pronunciation"
if [ -d "$model" ]; then
  run 0 "$senone" lexicon check --model="$model" "$model/lexicon.db"
fi

# Damage: truncated, altered, of a newer program, no store at all.
cp l.db cut.db && truncate -s 20000 cut.db
run 1 "$senone" lexicon export cut.db
says 'cut.db.*damaged'
cp l.db new.db && python3 - <<'PY'
import sqlite3
c = sqlite3.connect('new.db')
c.execute('PRAGMA user_version=9')
c.commit()
PY
run 1 "$senone" lexicon export new.db
says 'schema 9 is newer'
cp l.db edited.db && python3 - <<'PY'
import sqlite3
c = sqlite3.connect('edited.db')
c.execute("UPDATE pron SET phones='DH T' WHERE phones='DH AH'")
c.commit()
PY
run 1 "$senone" lexicon export edited.db
says 'checksum'
python3 -c "import sqlite3; c = sqlite3.connect('other.db'); c.execute('CREATE TABLE t(x)'); c.commit()"
run 1 "$senone" lexicon show other.db the
says 'another program'

# Round trips: what every text format writes reads as the same lexicon.
printf "tomato T AH M EY T OW\ntomato(2) T AH M AA T OW\nthe DH AH\nit's IH T S\n" >trip.dict
run 0 "$senone" lexicon import trip.db trip.dict
for format in cmudict kaldi kaldi-prob tsv; do
  run 0 "$senone" lexicon export --format=$format trip.db -o trip.$format
  run 0 "$senone" lexicon import --format=$format $format.db trip.$format
  run 0 "$senone" lexicon export $format.db
  cmp out trip.dict || fail "$format: $(diff out trip.dict)"
  run 0 "$senone" lexicon import auto-$format.db trip.$format
  run 0 "$senone" lexicon export auto-$format.db
  cmp out trip.dict || fail "$format by content: $(diff out trip.dict)"
done
run 0 "$senone" lexicon remove trip.db tomato
run 0 "$senone" lexicon export trip.db
[ "$(cut -d ' ' -f 1 out | tr '\n' ' ')" = "the it's " ] || fail "left: $(cat out)"
if [ -e $sphinx/cmudict-en-us.dict ]; then
  run 0 "$senone" lexicon import whole.db $sphinx/cmudict-en-us.dict
  run 0 "$senone" lexicon export whole.db
  [ "$(wc -l <out)" = "$(wc -l <$sphinx/cmudict-en-us.dict)" ] ||
    fail "$(wc -l <out) pronunciations of en-us"
fi
