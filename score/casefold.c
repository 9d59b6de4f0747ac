/* SPDX-License-Identifier: Apache-2.0 */
/* Case folding by ranges: in these blocks upper and lower case either lie a
 * fixed distance apart or alternate, so that 30 rows do what a table of 1,400
 * entries would. ASCII, nearly all that there is, is decided first. */
#include "score/casefold.h"

typedef enum rule { SHIFT, EVEN, ODD } rule;

typedef struct range {
  int32_t first, last;
  rule how; /* SHIFT: add by; EVEN, ODD: those become the next one */
  int32_t by;
} range;

static const range ranges[] = {
    {0x00c0, 0x00d6, SHIFT, 32},      {0x00d8, 0x00de, SHIFT, 32},
    {0x0100, 0x012f, EVEN, 1},        {0x0132, 0x0137, EVEN, 1},
    {0x0139, 0x0148, ODD, 1},         {0x014a, 0x0177, EVEN, 1},
    {0x0178, 0x0178, SHIFT, -121},    {0x0179, 0x017e, ODD, 1},
    {0x0182, 0x0185, EVEN, 1},        {0x0187, 0x0188, ODD, 1},
    {0x018b, 0x018c, ODD, 1},         {0x0198, 0x0199, EVEN, 1},
    {0x01a0, 0x01a5, EVEN, 1},        {0x01af, 0x01b0, ODD, 1},
    {0x01b3, 0x01b6, ODD, 1},         {0x01cd, 0x01dc, ODD, 1},
    {0x01de, 0x01ef, EVEN, 1},        {0x01f8, 0x021f, EVEN, 1},
    {0x0222, 0x0233, EVEN, 1},        {0x0386, 0x0386, SHIFT, 38},
    {0x0388, 0x038a, SHIFT, 37},      {0x038c, 0x038c, SHIFT, 64},
    {0x038e, 0x038f, SHIFT, 63},      {0x0391, 0x03a1, SHIFT, 32},
    {0x03a3, 0x03ab, SHIFT, 32},      {0x03c2, 0x03c2, SHIFT, 1},
    {0x0400, 0x040f, SHIFT, 80},      {0x0410, 0x042f, SHIFT, 32},
    {0x0460, 0x0481, EVEN, 1},        {0x048a, 0x04bf, EVEN, 1},
    {0x04c0, 0x04c0, SHIFT, 15},      {0x04c1, 0x04ce, ODD, 1},
    {0x04d0, 0x052f, EVEN, 1},        {0x1e00, 0x1e95, EVEN, 1},
    {0x1e9e, 0x1e9e, SHIFT, -0x1dbf}, {0x1ea0, 0x1eff, EVEN, 1},
    {0xff21, 0xff3a, SHIFT, 32}};

int32_t sn_casefold(int32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    const range *const r = &ranges[i];
    if (c < r->first) return c;
    if (c > r->last) continue;
    switch (r->how) {
      case SHIFT:
        return c + r->by;
      case EVEN:
        return c % 2 == 0 ? c + 1 : c;
      case ODD:
        return c % 2 == 1 ? c + 1 : c;
    }
  }
  return c;
}

int32_t sn_utf8_next(sn_span *s) {
  SN_ASSERT(s->n > 0);
  const unsigned char *const p = (const unsigned char *)s->p;
  const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
  SN_ASSERT(n <= s->n);
  static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  int32_t c = p[0] & mask[n];
  for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3f);
  s->p += n;
  s->n -= n;
  return c;
}

static sn_status add_code_point(sn_str *out, int32_t c, sn_err *err) {
  char b[4];
  size_t n = 0;
  if (c < 0x80) {
    b[n++] = (char)c;
  } else if (c < 0x800) {
    b[n++] = (char)(0xc0 | c >> 6);
    b[n++] = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    b[n++] = (char)(0xe0 | c >> 12);
    b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    b[n++] = (char)(0x80 | (c & 0x3f));
  } else {
    b[n++] = (char)(0xf0 | c >> 18);
    b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
    b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    b[n++] = (char)(0x80 | (c & 0x3f));
  }
  return sn_str_add(out, b, n, err);
}

sn_status sn_casefold_add(sn_str *out, sn_span s, sn_err *err) {
  while (s.n > 0)
    SN_TRY(add_code_point(out, sn_casefold(sn_utf8_next(&s)), err));
  return SN_OK;
}
