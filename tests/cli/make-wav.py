# SPDX-License-Identifier: Apache-2.0
"""Writes a wav file for tests: make-wav.py OUT [rate=16000] [channels=1]
[seconds=1.0] [format=s16|f32] [nan=SAMPLE] [inf=SAMPLE] [cut=BYTES]
[from=WAV]: the samples of a 16-bit mono wav (else a quiet tone), repeated or
cut to `seconds`; other rates take every k-th or repeat each sample."""
import math, struct, sys

out, o = sys.argv[1], dict(a.split('=', 1) for a in sys.argv[2:])
rate, channels = int(o.get('rate', 16000)), int(o.get('channels', 1))
kind = o.get('format', 's16')
if 'from' in o:
    data = open(o['from'], 'rb').read()
    at = data.index(b'data')
    source_rate = struct.unpack('<I', data[24:28])[0]
    n = struct.unpack('<I', data[at + 4:at + 8])[0] // 2
    source = struct.unpack('<%dh' % n, data[at + 8:at + 8 + 2 * n])
    seconds = float(o.get('seconds', n / source_rate))
    mono = [source[int(i * source_rate / rate) % n] for i in range(int(seconds * rate))]
else:
    seconds = float(o.get('seconds', 1.0))
    mono = [int(1000 * math.sin(0.05 * i)) for i in range(int(seconds * rate))]
values = [v for v in mono for _ in range(channels)]
if kind == 'f32':
    values = [v / 32768 for v in values]
    for word in ('nan', 'inf'):
        if word in o:
            values[int(o[word]) * channels] = float(word)
    body, tag, width = struct.pack('<%df' % len(values), *values), 3, 4
else:
    body, tag, width = struct.pack('<%dh' % len(values), *values), 1, 2
header = struct.pack('<4sI4s4sIHHIIHH4sI', b'RIFF', 36 + len(body), b'WAVE', b'fmt ', 16, tag,
                     channels, rate, rate * channels * width, channels * width, 8 * width,
                     b'data', len(body))
content = header + body
if 'cut' in o:
    content = content[:len(content) - int(o['cut'])]
open(out, 'wb').write(content)
