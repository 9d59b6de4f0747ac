/* SPDX-License-Identifier: Apache-2.0 */
/* Growing strings, fields, numbers, edit distance, UTF-8.
 *
 * Numbers are read and printed in the C locale: a program that uses libsenone
 * may have called setlocale. In glibc and musl the "C" locale object is static,
 * so that newlocale costs no allocation. */
#include "base/str.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str_internal.h"

sni_locale sni_locale_enter(void) {
  sni_locale l;
  l.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  l.old = l.c != (locale_t)0 ? uselocale(l.c) : (locale_t)0;
  return l;
}

void sni_locale_leave(sni_locale l) {
  if (l.c == (locale_t)0) return;
  (void)uselocale(l.old);
  freelocale(l.c);
}

/* ---- Strings ---- */

const char *sn_str_get(const sn_str *s) {
  return s->data != NULL ? s->data : "";
}

void sn_str_reset(sn_str *s) {
  s->n = 0;
  if (s->data != NULL) s->data[0] = '\0';
}

void sn_str_clear(sn_str *s) {
  sn_free(s->data);
  s->data = NULL;
  s->n = s->cap = 0;
}

/* Room for n more bytes and the NUL. */
static sn_status str_room(sn_str *s, size_t n, sn_err *err) {
  if (n < s->cap - s->n) return SN_OK; /* cap is 0 or > s->n */
  if (n >= PTRDIFF_MAX - s->n) return sn_fail_nomem(err, "string");
  const size_t want = s->n + n + 1;
  size_t cap = s->cap + s->cap / 2 + 16;
  if (cap < want) cap = want;
  char *const p = sn_realloc(s->data, cap, 1);
  if (p == NULL) return sn_fail_nomem(err, "string");
  s->data = p;
  s->cap = cap;
  return SN_OK;
}

sn_status sn_str_add(sn_str *s, const char *text, size_t n, sn_err *err) {
  SN_TRY(str_room(s, n, err));
  if (n > 0) memcpy(s->data + s->n, text, n);
  s->n += n;
  s->data[s->n] = '\0';
  return SN_OK;
}

sn_status sn_str_adds(sn_str *s, const char *text, sn_err *err) {
  return sn_str_add(s, text, strlen(text), err);
}

sn_status sni_str_addv(sn_str *s, sn_err *err, const char *fmt, va_list ap) {
  va_list again;
  va_copy(again, ap);
  const sni_locale l = sni_locale_enter();
  const size_t room = s->cap - s->n;
  const int n = vsnprintf(room > 0 ? s->data + s->n : NULL, room, fmt, ap);
  sn_status st = SN_OK;
  if (n < 0) {
    st = sn_fail(err, SN_EARG, "text cannot be formatted: '%s'", fmt);
  } else if ((size_t)n >= room) {
    st = str_room(s, (size_t)n, err);
    if (st == SN_OK) (void)vsnprintf(s->data + s->n, (size_t)n + 1, fmt, again);
  }
  sni_locale_leave(l);
  va_end(again);
  if (st == SN_OK)
    s->n += (size_t)n;
  else if (s->data != NULL)
    s->data[s->n] = '\0';
  return st;
}

sn_status sn_str_addf(sn_str *s, sn_err *err, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  const sn_status st = sni_str_addv(s, err, fmt, ap);
  va_end(ap);
  return st;
}

/* ---- Pieces ---- */

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool sn_next_field(sn_span *rest, sn_span *field) {
  const char *p = rest->p;
  const char *const end = p + rest->n;
  while (p < end && is_blank(*p)) p++;
  const char *const begin = p;
  while (p < end && !is_blank(*p)) p++;
  rest->p = p;
  rest->n = (size_t)(end - p);
  if (p == begin) return false;
  field->p = begin;
  field->n = (size_t)(p - begin);
  return true;
}

bool sn_next_field_sep(sn_span *rest, char sep, sn_span *field) {
  /* p == NULL marks "the last field has been given"; an empty span with a
   * pointer is one empty field ("a," has two fields). */
  if (rest->p == NULL) return false;
  const char *const at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
  if (at == NULL) {
    *field = *rest;
    rest->p = NULL;
    rest->n = 0;
    return true;
  }
  field->p = rest->p;
  field->n = (size_t)(at - rest->p);
  rest->n -= field->n + 1;
  rest->p = at + 1;
  return true;
}

sn_span sn_span_of(const char *s) {
  const sn_span x = {s, strlen(s)};
  return x;
}

sn_span sn_span_trim(sn_span s) {
  while (s.n > 0 && is_blank(s.p[0])) s.p++, s.n--;
  while (s.n > 0 && is_blank(s.p[s.n - 1])) s.n--;
  return s;
}

bool sn_span_eq(sn_span a, const char *b) {
  return strlen(b) == a.n && (a.n == 0 || memcmp(a.p, b, a.n) == 0);
}

/* ---- Numbers ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Whether s (lower or upper case) is the word w (lower case). */
static bool is_word(sn_span s, const char *w) {
  if (s.n != strlen(w)) return false;
  for (size_t i = 0; i < s.n; i++)
    if ((s.p[i] | 0x20) != w[i]) return false;
  return true;
}

/* A decimal number taken apart: digits * 10^exp10. */
typedef struct decimal {
  uint64_t digits;  /* the first 19 significant ones */
  bool all_digits;  /* none was left out */
  bool is_negative; /* */
  int64_t exp10;
} decimal;

static bool scan_exponent(const char *p, const char *end, int64_t *out) {
  bool negative = false;
  if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
  if (p == end) return false;
  int64_t v = 0;
  for (; p < end; p++) {
    if (!is_digit(*p)) return false;
    if (v < 1000000) v = v * 10 + (*p - '0');
  }
  *out = negative ? -v : v;
  return true;
}

/* [+-]digits[.digits][e[+-]digits], at least one digit before the exponent. */
static bool scan_decimal(sn_span s, decimal *d) {
  const char *p = s.p;
  const char *const end = p + s.n;
  d->digits = 0;
  d->all_digits = true;
  d->is_negative = false;
  d->exp10 = 0;
  if (p < end && (*p == '+' || *p == '-')) d->is_negative = *p++ == '-';
  int n_taken = 0;
  bool any = false, after_point = false;
  for (; p < end; p++) {
    if (*p == '.' && !after_point) {
      after_point = true;
      continue;
    }
    if (!is_digit(*p)) break;
    any = true;
    if (n_taken < 19) {
      d->digits = d->digits * 10 + (uint64_t)(*p - '0');
      if (d->digits != 0) n_taken++;
      if (after_point) d->exp10--;
    } else {
      if (*p != '0') d->all_digits = false;
      if (!after_point) d->exp10++;
    }
  }
  if (!any) return false;
  if (p == end) return true;
  if (*p != 'e' && *p != 'E') return false;
  int64_t e = 0;
  if (!scan_exponent(p + 1, end, &e)) return false;
  d->exp10 += e;
  return true;
}

/* Clinger 1990: an integer below 2^53 times or over 10^k, k <= 22, both exact
 * in double, is rounded once and so correctly. */
static bool fast_double(const decimal *d, double *out) {
  static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (FLT_EVAL_METHOD != 0 || !d->all_digits) return false;
  if (d->digits > ((uint64_t)1 << 53) || d->exp10 < -22 || d->exp10 > 22)
    return false;
  const double v = (double)d->digits;
  const double r = d->exp10 < 0 ? v / power[-d->exp10] : v * power[d->exp10];
  *out = d->is_negative ? -r : r;
  return true;
}

bool sn_parse_double(sn_span s, double *out) {
  decimal d;
  if (!scan_decimal(s, &d)) {
    sn_span w = s;
    const bool negative = w.n > 0 && w.p[0] == '-';
    if (w.n > 0 && (w.p[0] == '-' || w.p[0] == '+')) w.p++, w.n--;
    if (is_word(w, "inf") || is_word(w, "infinity"))
      *out = negative ? -(double)INFINITY : (double)INFINITY;
    else if (is_word(w, "nan"))
      *out = negative ? -(double)NAN : (double)NAN;
    else
      return false;
    return true;
  }
  if (fast_double(&d, out)) return true;
  char text[1200]; /* a double's value has at most 767 significant digits */
  if (s.n >= sizeof text) return false;
  memcpy(text, s.p, s.n);
  text[s.n] = '\0';
  const sni_locale l = sni_locale_enter();
  char *end = NULL;
  const int saved_errno = errno;
  const double v = strtod(text, &end);
  errno = saved_errno;
  sni_locale_leave(l);
  if (end != text + s.n || isinf(v)) return false;
  *out = v;
  return true;
}

bool sn_parse_int64(sn_span s, int64_t *out) {
  const char *p = s.p;
  const char *const end = p + s.n;
  bool negative = false;
  if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
  if (p == end) return false;
  uint64_t v = 0;
  const uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1u : 0u);
  for (; p < end; p++) {
    if (!is_digit(*p)) return false;
    const uint64_t digit = (uint64_t)(*p - '0');
    if (v > (limit - digit) / 10) return false;
    v = v * 10 + digit;
  }
  if (negative)
    *out = v > (uint64_t)INT64_MAX ? INT64_MIN : -(int64_t)v;
  else
    *out = (int64_t)v;
  return true;
}

bool sn_parse_int32(sn_span s, int32_t *out) {
  int64_t v = 0;
  if (!sn_parse_int64(s, &v) || v < INT32_MIN || v > INT32_MAX) return false;
  *out = (int32_t)v;
  return true;
}

/* ---- Edit distance ---- */

/* Only the diagonals within `max` of the main one can hold a value <= max:
 * cell[k] is the distance of a[0..i) to b[0..i + k - max). */
#define MAX_EDITS 64

size_t sn_edit_distance(const char *a, const char *b, size_t max) {
  const size_t band = max < MAX_EDITS ? max : MAX_EDITS;
  const size_t na = strlen(a), nb = strlen(b);
  if ((na > nb ? na - nb : nb - na) > band) return max + 1;
  size_t cell[2 * MAX_EDITS + 2];
  const size_t width = 2 * band + 1, far = band + 1;
  for (size_t k = 0; k < width; k++) cell[k] = k >= band ? k - band : far;
  cell[width] = far;
  for (size_t i = 1; i <= na; i++) {
    for (size_t k = 0; k < width; k++) {
      if (i + k < band || i + k - band > nb) { /* column outside of b */
        cell[k] = far;
        continue;
      }
      const size_t j = i + k - band;
      size_t best = cell[k + 1] + 1; /* deletion: row above, column j */
      if (k > 0 && cell[k - 1] + 1 < best) best = cell[k - 1] + 1;
      if (j > 0) {
        const size_t diagonal = cell[k] + (a[i - 1] != b[j - 1] ? 1 : 0);
        if (diagonal < best) best = diagonal;
      }
      cell[k] = best < far ? best : far;
    }
  }
  const size_t d = cell[nb + band - na];
  return d <= band ? d : max + 1;
}

/* ---- UTF-8 ---- */

/* Length of the character at s, 0 if malformed. RFC 3629, section 4. */
static size_t utf8_length(const unsigned char *s, size_t n) {
  const unsigned char c = s[0];
  if (c < 0x80) return 1;
  size_t len = 0;
  unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
  if (c >= 0xC2 && c <= 0xDF) {
    len = 2;
  } else if (c >= 0xE0 && c <= 0xEF) {
    len = 3;
    if (c == 0xE0) low = 0xA0;  /* overlong */
    if (c == 0xED) high = 0x9F; /* surrogates */
  } else if (c >= 0xF0 && c <= 0xF4) {
    len = 4;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F; /* above U+10FFFF */
  } else {
    return 0;
  }
  if (n < len || s[1] < low || s[1] > high) return 0;
  for (size_t i = 2; i < len; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  return len;
}

bool sn_utf8_valid(const char *s, size_t n, size_t *bad) {
  size_t i = 0;
  while (i < n) {
    const size_t len = utf8_length((const unsigned char *)s + i, n - i);
    if (len == 0) {
      if (bad != NULL) *bad = i;
      return false;
    }
    i += len;
  }
  return true;
}
