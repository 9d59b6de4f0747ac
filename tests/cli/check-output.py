# SPDX-License-Identifier: Apache-2.0
"""Whether a transcript is what its format says, and prints its words:
check-output.py json|ctm|srt|vtt|TextGrid FILE [DURATION_S [full]]. full: a
TextGrid must last as long as the recording. The rules are
those of the formats' own descriptions: RFC 8259, NIST sctk's ctm, SubRip,
W3C WebVTT, Praat's manual."""
import json, re, sys

kind, path = sys.argv[1:3]
duration = float(sys.argv[3]) if len(sys.argv) > 3 else 1e9
full = len(sys.argv) > 4
text = open(path, encoding='utf-8').read()
words = []


def need(condition, what):
    if not condition:
        sys.exit('%s: %s' % (path, what))


def spans(items, what):
    last = 0.0
    for begin, end in items:
        need(0 <= last <= begin + 1e-9 and begin <= end <= duration + 1e-6,
             '%s out of order: %g to %g' % (what, begin, end))
        last = end


def seconds(stamp, point):
    m = re.fullmatch(r'(\d\d+):([0-5]\d):([0-5]\d)' + re.escape(point) + r'(\d{3})', stamp)
    need(m, 'no time: ' + stamp)
    h, m, s, ms = (int(x) for x in m.groups())
    return 3600 * h + 60 * m + s + ms / 1000


def cues(blocks, point):
    times = []
    for block in blocks:
        need(len(block) in (2, 3), 'a cue of %d lines' % (len(block) - 1))
        need(all(row.strip() == row and row for row in block[1:]), 'a cue without text')
        for row in block[1:]:
            need(len(row) <= 42 or ' ' not in row, 'a line of %d characters' % len(row))
        begin, end = block[0].split(' --> ')
        times.append((seconds(begin, point), seconds(end, point)))
        need(times[-1][0] < times[-1][1], 'a cue of no length: ' + block[0])
        for row in block[1:]:
            words.extend(row.split())
    spans(times, 'cue')


if kind == 'json':
    need(text.endswith('\n'), 'no last newline')
    for row in text.splitlines():
        d = json.loads(row)
        for tier in ('words', 'phones'):
            spans([(w['begin'], w['end']) for w in d[tier]], tier)
        for w in d['words']:
            need(0 <= w.get('confidence', 0) <= 1, 'confidence of ' + w['word'])
            others = w.get('alternatives', [])
            need(all(0 <= a['posterior'] <= 1 and a['word'] != w['word'] for a in others),
                 'alternatives of ' + w['word'])
        need(d['text'] == ' '.join(w['word'] for w in d['words']), 'text is not its words')
        words += d['text'].split()
elif kind == 'ctm':
    items = {}
    for row in text.splitlines():
        f = row.split()
        need(len(f) in (5, 6), 'fields: ' + row)
        need(len(f) == 5 or 0 <= float(f[5]) <= 1, 'confidence: ' + row)
        items.setdefault((f[0], f[1]), []).append((float(f[2]), float(f[2]) + float(f[3])))
        words.append(f[4])
    for t in items.values():
        spans(t, 'word')
elif kind == 'srt':
    blocks = [b.split('\n') for b in text.strip('\n').split('\n\n')]
    for i, b in enumerate(blocks):
        need(b[0] == str(i + 1), 'cue %d is numbered %s' % (i + 1, b[0]))
    cues([b[1:] for b in blocks], ',')
elif kind == 'vtt':
    blocks = [b.split('\n') for b in text.strip('\n').split('\n\n')]
    need(blocks[0][0] == 'WEBVTT', 'no WEBVTT')
    cues(blocks[1:], '.')
elif kind == 'TextGrid':
    need(text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n'), 'head')
    xmax = float(re.search(r'^xmax = (\S+)', text, re.M).group(1))
    need(xmax <= duration + 1e-3, 'longer than the recording')
    need(not full or xmax >= duration - 1e-3, 'ends at %g of %g s' % (xmax, duration))
    names = re.findall(r'^ {8}name = "(\w+)"$', text, re.M)
    need(names == ['words', 'phones'], 'tiers: %s' % names)
    tiers = re.split(r'^ {4}item \[\d+\]:$', text, flags=re.M)[1:]
    need('size = %d\n' % len(tiers) in text, 'number of tiers')
    for tier in tiers:
        name = re.search(r'name = "(\w+)"', tier).group(1)
        n = int(re.search(r'intervals: size = (\d+)', tier).group(1))
        found = re.findall(r'intervals \[(\d+)\]:\s+xmin = (\S+)\s+xmax = (\S+)\s+text = "((?:[^"]|"")*)"',
                           tier)
        need(len(found) == n, 'number of intervals')
        at = 0.0
        for i, (k, begin, end, what) in enumerate(found):
            need(int(k) == i + 1 and abs(float(begin) - at) < 1e-6 and float(end) > at,
                 'interval %s of %s does not follow' % (k, name))
            at = float(end)
            if name == 'words' and what:
                words.append(what)
        need(abs(at - xmax) < 1e-6, 'intervals end at %g, not %g' % (at, xmax))
else:
    sys.exit('no format ' + kind)
print(' '.join(words))
