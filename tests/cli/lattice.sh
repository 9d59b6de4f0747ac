#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone lattice as a user meets it, on two small lattices written by hand.
. "$(dirname "$0")/lib.bash"

# u1: "the cat" costs 3 + 30/12 = 5.5, "a cat" 4 + 24/12 = 6, "the cap" 8.3
cat >lat.txt <<'TXT'
u1
0	1	1	1,20,7_7_7
0	1	2	2,14,7_7_8
1	2	3	1.5,10,9_9
1	2	4	4.5,8,9_6
2	0.5,0,5

u2
0	1	3	1,12,3_3
1	0,0,

TXT
printf '<eps> 0\nthe 1\na 2\ncat 3\ncap 4\n' >words.txt
printf 'u1 the CAT\nu2 cat cat\n' >ref.txt

# Formats: there and back says the same.
run 0 "$senone" lattice copy --words=words.txt ark:lat.txt x.lat
run 0 "$senone" lattice copy x.lat ark:x.ark
run 0 "$senone" lattice copy x.lat ark,t:x.txt
run 0 "$senone" lattice copy x.lat slf:slf/
for form in ark:x.ark ark:x.txt; do
  run 0 "$senone" lattice equal --structure --words=words.txt x.lat $form
  prints '^2 equal, 0 different$'
done
run 0 "$senone" lattice equal x.lat slf:slf
prints '^2 equal, 0 different$'
run 0 "$senone" lattice equal x.lat slf:slf/
grep -q '^J=0 S=0 E=1 W=the a=-20 l=-1$' slf/u1.slf || fail "$(cat slf/u1.slf)"
grep -q '^I=1 t=0.03$' slf/u1.slf || fail 'no times in SLF'
run 0 "$senone" lattice copy slf:slf/u2.slf ark,t:-
prints '^u2'
run 0 bash -c "'$senone' lattice copy x.lat ark:- | '$senone' lattice info ark:-"
prints '^utterances	2$'
run 1 "$senone" lattice copy x.lat slf:one.slf
says 'a second lattice'
absent one.slf
run 1 "$senone" lattice copy x.lat akr:one.ark
says "'akr:' is no kind of lattices.*ark:.*lat:akr:one.ark"
absent akr:one.ark
run 0 "$senone" lattice copy x.lat lat:akr:one.ark
run 0 "$senone" lattice equal x.lat ./akr:one.ark

run 0 "$senone" lattice info x.lat
prints '^words	4$'
prints '^frames	8$'
prints '^depth	1.6250$'
[ "$(awk 'length > 110' out)" = '' ] || fail 'a long line in lattice info'
run 0 "$senone" lattice info --per-utterance ark:lat.txt
prints '^u1	6	3	4	4	1.833	yes$'

# Answers.
run 0 "$senone" lattice best x.lat
prints '^u1	3	2.5	the cat$'
prints '^u2	1	1	cat$'
silent
run 0 "$senone" lattice best --acoustic-scale=0.01 --output=text ark:lat.txt
prints '^u1 1 3$'
run 0 "$senone" lattice best --acoustic-scale=0.01 --output=ctm x.lat
prints '^u1 1 0.00 0.03 the$'
prints '^u1 1 0.03 0.03 cat$'
run 0 "$senone" lattice nbest --n=3 x.lat
[ "$(cut -f 4 out)" = "$(printf 'the cat\na cat\nthe cap\ncat')" ] || fail "$(cat out)"
run 0 "$senone" lattice mbr x.lat
prints '^u1	0\.[0-9]+	the cat$'
run 0 "$senone" lattice mbr --output=ctm x.lat
prints '^u2 1 0.00 0.02 cat 1.000$'
run 0 "$senone" lattice sausage x.lat
prints '^u1	1	0.000	0.030	the 0.6225	a 0.3775$'
run 0 "$senone" lattice posteriors x.lat
prints '^u1	0.000	0.030	the	0.622459$'
run 0 "$senone" lattice oracle --reference=ref.txt x.lat
prints '^u1	0	2	0	0	0	the cat$'
prints '^oracle WER 25.00 %: 1 errors in 4 words \(0 sub, 1 del, 0 ins\), 2 utterances$'
run 0 "$senone" lattice best --sweep --reference=ref.txt --lm-weights=1:12:11 \
  --word-penalties=0 x.lat
prints '^1	0	50.00	2	0	1	1$'
prints '^best	12	0	25.00	1	0	1	0$'
run 0 "$senone" lattice draw x.lat u2
prints '^digraph "u2" \{$'
prints '0 -> 1 \[label="cat'
prints '^\}$'

# Pruning, union, comparison.
run 0 "$senone" lattice prune --beam=1 x.lat p.lat
run 1 "$senone" lattice equal x.lat p.lat
prints '^u1	only in x.lat	(a|the) cap$'
prints '^1 equal, 1 different$'
run 0 "$senone" lattice union p.lat x.lat u.lat
run 0 "$senone" lattice equal u.lat x.lat
sed 's/^0	1	1	1,/0	1	1	1.25,/' lat.txt >dearer.txt
run 1 "$senone" lattice equal --words=words.txt x.lat ark:dearer.txt
prints '^u1	costs -0.25 [+]0	the ca[tp]$'
run 0 "$senone" lattice equal --tolerance=0.3 --words=words.txt x.lat ark:dearer.txt
head -n 7 lat.txt >first.txt
run 1 "$senone" lattice equal --words=words.txt x.lat ark:first.txt
prints '^u2	not in ark:first.txt$'
sed 's/7_7_[78]/7_7_8_8/' lat.txt >longer.txt
run 1 "$senone" lattice union ark:lat.txt ark:longer.txt y.lat
says "u1.*lattices of 6 and 7 frames"
absent y.lat*

# Words go by spelling: another archive may number them otherwise.
printf '<eps> 0\ncap 1\ncat 2\na 7\nthe 5\n' >other.txt
sed 's/^0	1	1	/0	1	5	/; s/^0	1	2	/0	1	7	/; s/^1	2	3/1	2	2/; s/^1	2	4/1	2	1/; s/^0	1	3/0	1	2/' \
  lat.txt >renamed.txt
run 0 "$senone" lattice copy --words=other.txt ark:renamed.txt r.lat
run 0 "$senone" lattice equal x.lat r.lat

# Rescoring: unigram out, bigram in.
cat >uni.arpa <<'ARPA'
\data\
ngram 1=6

\1-grams:
-99	<s>
-0.5	</s>
-0.5	the
-0.5	a
-0.5	cat
-0.5	cap

\end\
ARPA
cat >bi.arpa <<'ARPA'
\data\
ngram 1=6
ngram 2=3

\1-grams:
-99	<s>	-0.25
-0.5	</s>
-1	the	-0.25
-2	a	-0.25
-0.75	cat
-1	cap

\2-grams:
-0.25	<s> the
-0.125	the cat
-0.5	cat </s>

\end\
ARPA
run 0 "$senone" lattice rescore --old-lm=uni.arpa --lm=bi.arpa x.lat b.lat
run 0 "$senone" lattice best b.lat
# 3 - 1.5 ln 10 + 0.875 ln 10
prints '^u1	1.56088	2.5	the cat$'
run 0 "$senone" lattice rescore --lm=uni.arpa x.lat c.lat
run 0 "$senone" lattice rescore --old-lm=uni.arpa c.lat d.lat
run 0 "$senone" lattice equal x.lat d.lat
run 1 "$senone" lattice rescore --lm=bi.arpa ark:lat.txt y.lat
says 'give --words'
run 2 "$senone" lattice rescore x.lat y.lat

# Empty lattices and archives.
printf 'u0 \n\n' >nothing.txt
run 0 "$senone" lattice best ark:nothing.txt
prints '^u0	inf	inf	$'
says 'the lattice is empty'
for verb in mbr sausage posteriors info nbest; do
  run 0 "$senone" lattice $verb ark:nothing.txt
done
for out in e.lat ark:e.ark slf:e/; do
  run 0 "$senone" lattice copy ark:nothing.txt $out
  run 0 "$senone" lattice equal ark:nothing.txt $out
done
run 0 "$senone" lattice rescore --words=words.txt --lm=bi.arpa ark:nothing.txt e2.lat

# Bad input in each format: refused, with its place, and nothing left behind.
refused() { # SPECIFIER REGEX
  run 1 "$senone" lattice copy "$1" y.lat
  says "$2"
  absent y.lat*
}
refused ark:missing 'missing'
refused nofile.lat 'nofile.lat'
: >empty
refused empty 'empty'
refused slf:empty 'empty: no lattice in it'
head -c 100 x.ark >cut.ark
refused ark:cut.ark "u1.*cut.ark"
printf 'u1 \n0 1 1 1,2,3\n1 0 1 1,2,3\n1\n\n' >cycle.txt
refused ark:cycle.txt "u1.*cycle"
printf 'u1 \n0 1 one 1,2,3\n1\n\n' >words-in.txt
refused ark:words-in.txt 'words-in.txt:2'
printf 'RIFF....' >noise
refused ark:noise 'noise'
refused noise 'noise'
head -c $(($(stat -c %s x.lat) / 2)) x.lat >cut.lat
refused cut.lat 'cut.lat'
python3 - <<'PY'
data = bytearray(open('x.lat', 'rb').read())
data[100] ^= 1
open('altered.lat', 'wb').write(data)
PY
refused altered.lat "altered.lat: utterance 'u1': .*checksum"
head -n 5 slf/u1.slf >cut.slf
refused slf:cut.slf 'cut.slf:5: ends after 0 links; the header says L=5'
sed 's/S=1 E=2/S=1 E=0/' slf/u2.slf | sed 's/S=0 E=1/S=1 E=1/' >cycle.slf
refused slf:cycle.slf 'cycle.slf:[0-9]+: link J=0 .*cycle'
sed 's/t=0.02/t=soon/' slf/u2.slf >when.slf
refused slf:when.slf 'when.slf:[0-9]+: t=soon is not a number'
mkdir none
refused slf:none 'no file that ends in'
printf '<eps> 0\nthe 1\n' >few.txt
run 1 "$senone" lattice best --words=few.txt ark:lat.txt
says "utterance 'u1': no word has label 2"
printf 'the one\n' >bad-words.txt
run 1 "$senone" lattice best --words=bad-words.txt ark:lat.txt
says 'bad-words.txt:1'
run 1 "$senone" lattice draw x.lat u9
says "no utterance 'u9'"
run 1 "$senone" lattice draw --max-states=2 x.lat
says 'a lattice of 3 states, above 2'
printf 'u9 cat\n' >no-ref.txt
run 1 "$senone" lattice oracle --reference=no-ref.txt x.lat
says 'no utterance is in both'
run 2 "$senone" lattice oracle x.lat
run 2 "$senone" lattice best --sweep x.lat
run 2 "$senone" lattice best --sweep --reference=ref.txt --lm-weights=9:1 x.lat
says 'FROM:TO:STEP'
run 2 "$senone" lattice copy x.lat
