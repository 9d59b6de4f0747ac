#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# senone feats: the same numbers as sphinx_fe and Kaldi, every output.
. "$(dirname "$0")/lib.bash"
cards=$testdata/cards
params=$sphinx/en-us/feat.params

# near A B TOLERANCE: two text archives with the same keys, shapes, values.
near() {
  python3 - "$@" <<'PY'
import sys
def read(path):
    out, rows = {}, None
    for line in open(path):
        f = line.split()
        if len(f) >= 2 and f[1] == '[':
            rows = out.setdefault(f[0], [])
            f = f[2:]
        if f and f[-1] == ']':
            f = f[:-1]
        if f:
            rows.append([float(x) for x in f])
    return out
a, b, tolerance = read(sys.argv[1]), read(sys.argv[2]), float(sys.argv[3])
av, bv = list(a.values()), list(b.values())
if len(av) != len(bv) or not av:
    sys.exit('%d and %d utterances' % (len(av), len(bv)))
worst = 0
for x, y in zip(av, bv):
    if len(x) != len(y) or len(x[0]) != len(y[0]):
        sys.exit('%d x %d and %d x %d' % (len(x), len(x[0]), len(y), len(y[0])))
    worst = max(worst, max(abs(p - q) for r, s in zip(x, y) for p, q in zip(r, s)))
if not worst <= tolerance:
    sys.exit('differ by %g' % worst)
PY
}

# Sphinx: as sphinx_fe, all four combinations of noise and silence removal.
command -v sphinx_fe >/dev/null || skip 'no sphinx_fe (package sphinxbase-utils)'
[ -e $cards/001.wav ] || skip 'no pocketsphinx-testdata'
for noise in yes no; do
  for silence in yes no; do
    for f in $cards/001.wav $testdata/librivox/*-0870.wav; do
      sphinx_fe -argfile $params -remove_noise $noise -remove_silence $silence \
        -i "$f" -mswav yes -o fe.mfc >/dev/null 2>&1 || fail 'sphinx_fe'
      python3 - fe.mfc >fe.txt <<'PY'
import struct, sys
d = open(sys.argv[1], 'rb').read()
v = struct.unpack('<%df' % (len(d) // 4 - 1), d[4:])
print('x [')
for i in range(0, len(v), 13):
    print(' '.join('%.9g' % x for x in v[i:i + 13]))
print(']')
PY
      run 0 "$senone" feats --dialect=sphinx --argfile=$params \
        --remove-noise=$noise --remove-silence=$silence -o ark,t:- "$f"
      silent
      near out fe.txt 1e-3 || fail "$f: noise $noise, silence $silence"
    done
  done
done

# Outputs: archives, scripts, HTK and Sphinx files; any number of threads.
base=(--dialect=sphinx --argfile=$params)
run 0 "$senone" feats "${base[@]}" -o ark,t:t.ark $cards/*.wav
[ "$(grep -c '\[' t.ark)" = 5 ] || fail 'five utterances expected'
grep -q '^001 ' t.ark || fail 'the id is not the base name'
run 0 "$senone" feats "${base[@]}" -j 2 -o ark,t:- $cards/*.wav
cmp out t.ark || fail '-j 2 differs'
run 0 "$senone" feats "${base[@]}" -o ark,scp:b.ark,b.scp $cards/*.wav
[ "$(wc -l <b.scp)" = 5 ] || fail 'scp'
grep -qE '^001 .*b\.ark:[0-9]+$' b.scp || fail "scp: $(head -n 1 b.scp)"
mkdir htk sph
run 0 "$senone" feats "${base[@]}" -o htk:htk $cards/001.wav
run 0 "$senone" feats "${base[@]}" -o sphinx:sph $cards/001.wav
frames=$(awk '/^001/ {on = 1; next} /\]/ {if (on) n++; exit} on {n++} END {print n}' t.ark)
ls htk sph >names
python3 - "$frames" htk/* sph/* <<'PY' || fail "HTK or Sphinx file: $(cat names)"
import struct, sys
n, h, s = int(sys.argv[1]), open(sys.argv[2], 'rb').read(), open(sys.argv[3], 'rb').read()
frames, period, width, kind = struct.unpack('>iihh', h[:12])
assert (frames, period, width) == (n, 100000, 52), (frames, period, width, n)
assert len(h) == 12 + 52 * n
order = '<' if struct.unpack('<i', s[:4])[0] == 13 * n else '>'
assert struct.unpack(order + 'i', s[:4])[0] == 13 * n and len(s) == 4 + 52 * n
first = struct.unpack(order + '13f', s[4:56])  # HTK has C0 last
assert struct.unpack('>13f', h[12:64]) == first[1:] + first[:1]
assert kind == 0o20006, kind
PY
run 0 "$senone" feats --dialect=kaldi --kind=pitch -o ark,t:- $cards/001.wav
[ "$(sed -n 2p out | wc -w)" = 2 ] || fail 'pitch has two columns'

# Bad input and usage.
run 1 "$senone" feats "${base[@]}" -o ark,t:- nothing.wav
says 'nothing.wav'
run 1 "$senone" feats "${base[@]}" -o ark,t:x.ark $cards/001.wav nothing.wav
says '1 ok, 1 failed|1 failed'
run 2 "$senone" feats "${base[@]}" --nfiltt=3 -o ark,t:- $cards/001.wav
says 'nfilt'
run 2 "$senone" feats "${base[@]}" -o mat:x $cards/001.wav
says 'mat:x'
printf -- '-nfilt\n' >cut.params
run 1 "$senone" feats --dialect=sphinx --argfile=cut.params -o ark,t:- $cards/001.wav
says 'cut.params'

# Kaldi's own output.
reference=$shared/reference/kaldi-feats
if [ -d "$reference" ]; then
  for u in an4 lj fsdd; do
    rate=()
    [ $u != fsdd ] || rate=(--sample-frequency=8000)
    for kind in mfcc fbank plp pitch; do
      name=$kind mels=()
      [ $kind != fbank ] || { name=fbank40; mels=(--num-mel-bins=40); }
      run 0 "$senone" feats --dialect=kaldi --kind=$kind "${rate[@]}" "${mels[@]}" -o ark,t:- $reference/$u.wav
      near out $reference/$u.$name.txt 1e-3 || fail "$u.$name"
    done
    run 0 "$senone" feats --dialect=kaldi "${rate[@]}" --stage=full --cmn=utterance --delta-order=0 -o ark,t:- $reference/$u.wav
    near out $reference/$u.mfcc-cmn.txt 1e-3 || fail "$u.mfcc-cmn"
  done
else
  echo "skipped: Kaldi's features: no $reference (set SENONE_SHARED)"
fi
