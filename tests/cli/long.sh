#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A long recording takes no more memory than the search needs: 12 minutes, as
# one utterance and as a stream, stay below what an hour is allowed, 300 MB
# above model and graph; and 12 minutes take little more than 4.
. "$(dirname "$0")/lib.bash"
need_model
[ -e $testdata/librivox/transcription ] || skip 'no pocketsphinx-testdata'

python3 - long.wav 720 short.wav 240 $testdata/librivox/*.wav <<'PY'
import sys, wave
parts = [wave.open(f).readframes(10**9) for f in sys.argv[5:]]
for out, seconds in ((sys.argv[1], int(sys.argv[2])), (sys.argv[3], int(sys.argv[4]))):
    data = b''.join(parts) * (1 + seconds // 30)
    with wave.open(out, 'wb') as w:
        w.setnchannels(1); w.setsampwidth(2); w.setframerate(16000)
        w.writeframes(data[:32000 * seconds])
PY
fixed_mb=$((($(stat -Lc %s "$model/graph.sng") + $(stat -Lc %s "$model/am.bin")) >> 20))

# peak COMMAND ...: megabytes at most, into $mb.
peak() {
  python3 - "$@" >out 2>err <<'PY' || fail "$*: $(cat err)"
import resource, subprocess, sys
with open('words', 'wb') as f:
    status = subprocess.run(sys.argv[1:], stdout=f).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(status)
PY
  mb=$(cat out)
}
fast=(--beam=8 --max-active=1500)
peak "$senone" transcribe -m en-us -j 1 "${fast[@]}" short.wav
short_mb=$mb
peak "$senone" transcribe -m en-us -j 1 "${fast[@]}" long.wav
[ "$(wc -w <words)" -gt 1000 ] || fail "$(wc -w <words) words in 12 minutes"
echo "model and graph $fixed_mb MB; 4 minutes $short_mb MB, 12 minutes $mb MB"
[ $((mb - fixed_mb)) -lt 300 ] || fail "$mb MB for 12 minutes"
# an hour, by the growth from 4 to 12 minutes
[ $((mb + 6 * (mb - short_mb) - fixed_mb)) -lt 300 ] || fail 'an hour would take over 300 MB'
# With confidences and a second pass: they are of utterances up to 3 minutes, and
# a longer one keeps no lattice and gives the same words.
tr -s ' \n' '\n\n' <words >plain
peak "$senone" transcribe -m en-us -j 1 -o ctm "${fast[@]}" --graph="$model/graph.sng" \
  --rescore-lm="$model/lm.bin" --graph-lm="$model/lm.bin" long.wav
[ $((mb - fixed_mb)) -lt 300 ] || fail "$mb MB for 12 minutes of ctm"
says 'too long for a second pass, confidences'
awk '{ print $5 }' words | diff -q - plain >/dev/null || fail 'other words in ctm'
peak "$senone" transcribe -m en-us --live=yes "${fast[@]}" short.wav
[ "$(wc -w <words)" -gt 300 ] || fail "live: $(wc -w <words) words in 4 minutes"
