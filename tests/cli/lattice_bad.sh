#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lattices that are cut short, altered, cyclic, empty or no numbers, in each
# format: each command that reads them says where, and leaves nothing behind.
. "$(dirname "$0")/lib.bash"

cat >lat.txt <<'TXT'
u1
0	1	1	1,20,7_7_7
0	1	2	2,14,7_7_8
1	2	3	1.5,10,9_9
2	0.5,0,5

u2
0	1	3	1,12,3_3
1	0,0,

TXT
printf '<eps> 0\nthe 1\na 2\ncat 3\n' >words.txt
run 0 "$senone" lattice copy --words=words.txt ark:lat.txt good.lat
run 0 "$senone" lattice copy good.lat ark:good.ark
run 0 "$senone" lattice copy good.lat slf:good/

# Files of each kind with one thing wrong: CASE <TAB> specifier <TAB> message.
cat >make_bad.py <<'PY'
import struct, zlib
own, ark = open('good.lat', 'rb').read(), open('good.ark', 'rb').read()
text, slf = open('lat.txt').read(), open('good/u1.slf').read()
cases = open('cases', 'w')
def case(name, prefix, data, message):
    name += {'ark:': '.ark', 'lat:': '.lat', 'slf:': '.slf'}[prefix]
    open(name, 'wb').write(data if isinstance(data, bytes) else data.encode())
    cases.write(f'{prefix}{name}\t{name}{message}\n')
def kaldi(start, n_states, states):
    """The binary compact lattice: states of (final, [(word, costs, to)])."""
    b = b'u1 ' + struct.pack('<i', 2125659606)
    for t in (b'vector', b'compactlattice44'):
        b += struct.pack('<i', len(t)) + t
    b += struct.pack('<iiQqqq', 2, 0, 3, start, n_states, 0)
    for final, arcs in states:
        b += struct.pack('<ffi', *final, 0) + struct.pack('<q', len(arcs))
        for word, costs, to in arcs:
            b += struct.pack('<ii', word, word) + struct.pack('<ffi', *costs, 0)
            b += struct.pack('<i', to)
    return b
inf, nan = float('inf'), float('nan')
no, end = (inf, inf), (0, 0)
# cut short
for at in range(1, len(ark), 23):
    if at != ark.index(b'u2'):
        case(f'cut{at}', 'ark:', ark[:at], '')
for at in range(1, len(own), 101):
    case(f'cut{at}', 'lat:', own[:at], '')
lines = text.split('\n')
for n in range(1, 10):
    if n != 6:  # behind a whole lattice
        case(f'cut-text{n}', 'ark:', '\n'.join(lines[:n]) + '\n', f':{n}: .*ends within a lattice')
case('cut-line', 'ark:', text[:text.index('7_7_8')], ':3: ')
for n in range(1, slf.count('\n')):
    case(f'cut{n}', 'slf:', '\n'.join(slf.split('\n')[:n]) + '\n', ':')
# empty
for prefix in ('ark:', 'lat:', 'slf:'):
    case('empty', prefix, b'', '')
case('blank', 'ark:', '\n', ': no lattice in it')
# cyclic
case('cycle-text', 'ark:', 'u1 \n0 1 1 1,2,3\n1 0 1 1,2,3\n1\n\n', ':5: .*cycle')
case('loop-text', 'ark:', 'u1 \n0 0 1 1,2,3\n0 1 1 1,2,3\n1\n\n', ':5: .*cycle')
case('cycle', 'ark:', kaldi(0, 2, [(no, [(1, (1, 2), 1)]), (end, [(1, (1, 2), 0)])]), '.*cycle')
case('cycle', 'slf:', slf.replace('S=1 E=2', 'S=1 E=0'), ':[0-9]+: .*cycle')
# lines out of order: another start
case('order-text', 'ark:', 'u1 \n1 2 4 1,2,3\n0 1 3 1,2,3\n2\n\n', ':5: no arc leads to state 0 .*state 1 the start')
# no numbers
case('nan-text', 'ark:', text.replace('1.5,10', 'nan,10'), ":4: bad weight 'nan")
case('minus-text', 'ark:', text.replace('1.5,10', '1.5,-inf'), ":4: bad weight")
case('nan', 'ark:', kaldi(0, 2, [(no, [(1, (nan, 2), 1)]), (end, [])]), ': byte [0-9]+: ')
case('nan-final', 'ark:', kaldi(0, 2, [(no, [(1, (1, 2), 1)]), ((0, nan), [])]), ': byte [0-9]+: ')
case('minus', 'ark:', kaldi(0, 2, [(no, [(1, (1, -inf), 1)]), (end, [])]), ': byte [0-9]+: ')
case('nan', 'slf:', slf.replace('a=-20', 'a=nan'), ':[0-9]+: a=nan is not a number')
case('inf', 'slf:', slf.replace('l=-1 ', 'l=inf ').replace('l=-1\n', 'l=inf\n'), ':[0-9]+: l=inf is not a number')
# altered: places that are not there, sizes beyond the file
case('state', 'ark:', kaldi(0, 2, [(no, [(1, (1, 2), 7)]), (end, [])]), ': byte [0-9]+: .*next state is 7')
case('start', 'ark:', kaldi(5, 2, [(no, [(1, (1, 2), 1)]), (end, [])]), ': byte [0-9]+: .*start state is 5')
case('many', 'ark:', kaldi(0, 1 << 40, []), ': byte [0-9]+: .*number of states')
case('state-text', 'ark:', text.replace('1\t2\t3', '1\t200000\t3'), ':6: state 200000')
case('node', 'slf:', slf.replace('S=1 E=2', 'S=1 E=9'), ':[0-9]+: ')
case('counts', 'slf:', slf.replace('N=4', 'N=1000000000000'), ':[0-9]+: ')
# Senone's archive: inside a block, with all checksums put right again
def sections(b):
    table, n = struct.unpack_from('<QI', b, 24)
    for i in range(n):
        name, at, size, crc, elem = struct.unpack_from('<16sQQII', b, table + 40 * i)
        yield table + 40 * i, name.rstrip(b'\0').decode(), at, size
def repaired(b):
    b, where = bytearray(b), {n: (at, size) for _, n, at, size in sections(b)}
    at, size = where['index']
    for i in range(at, at + size, 24):
        offset, n = struct.unpack_from('<QQ', b, i)
        first = where['blocks'][0] + offset
        struct.pack_into('<I', b, i + 20, zlib.crc32(b[first:first + n]))
    for entry, _, at, size in sections(b):
        struct.pack_into('<I', b, entry + 32, zlib.crc32(b[at:at + size]))
    b[60:64] = bytes(4)
    table = struct.unpack_from('<Q', b, 24)[0]
    struct.pack_into('<I', b, 60, zlib.crc32(b[table:], zlib.crc32(b[:64])))
    return bytes(b)
assert repaired(own) == own
blocks = {n: at for _, n, at, _ in sections(own)}['blocks']
n_states, n_arcs = struct.unpack_from('<ii', own, blocks)
arcs = blocks + 16 + 20 * (n_states + 1)
def inside(name, at, form, value, message):
    b = bytearray(own)
    struct.pack_into('<' + form, b, at, value)
    case(name + '-sum', 'lat:', bytes(b), ": utterance 'u1': .*checksum")
    case(name, 'lat:', repaired(b), ": utterance 'u1': " + message)
inside('cycle', arcs, 'i', 0, '.*leads from state 0 to 0')
inside('nan', arcs + 8, 'f', nan, '.*costs nan')
inside('nan-final', blocks + 16 + 20 * 2 + 12, 'f', nan, '.*final weight')
inside('beyond', arcs, 'i', 99, '.*to 99 of 3')
inside('labels', arcs + 20, 'I', 1 << 30, '.*alignment')
inside('sizes', blocks, 'i', 1 << 30, '.*sizes beyond its end')
inside('negative', blocks + 4, 'i', -1, '.*negative sizes')
PY
python3 make_bad.py || fail 'make_bad.py'
n=0
while IFS=$'\t' read -r specifier message; do
  run 1 "$senone" lattice copy --words=words.txt "$specifier" out.lat
  says "$message"
  absent out.lat*
  n=$((n + 1))
done <cases
[ $n -gt 60 ] || fail "$n cases"
# Other verbs read by the same way; one case of each format.
for specifier in ark:cycle-text.ark ark:nan.ark lat:nan.lat slf:cycle.slf; do
  for verb in best nbest mbr sausage posteriors info draw; do
    run 1 "$senone" lattice $verb --words=words.txt $specifier
    says "${specifier#*:}"
  done
  run 1 "$senone" lattice prune --words=words.txt $specifier out.lat
  run 1 "$senone" lattice union --words=words.txt good.lat $specifier out.lat
  run 1 "$senone" lattice equal --words=words.txt good.lat $specifier
  says "${specifier#*:}"
  absent out.lat*
done
# What lies before the damage is not written either.
cat good.ark nan.ark >later.ark
run 1 "$senone" lattice copy --words=words.txt ark:later.ark ark:out.ark
says "utterance 'u1': .*later.ark"
absent out.ark*

# One format taken for another.
run 1 "$senone" lattice info good.ark
says "'good.ark' is no lattice archive of Senone's; .* ark:FILE, of HTK slf:FILE"
run 1 "$senone" lattice info good/u1.slf
says 'slf:FILE'
run 1 "$senone" lattice info ark:good.lat
says "Kaldi's \(ark:FILE\), not of Senone's"
run 1 "$senone" lattice info slf:good.lat
says 'good.lat:1: expected name=value'
