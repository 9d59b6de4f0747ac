/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in words. The words come from the rules' sections "number", "scale"
 * and "ordinal"; how they are put together is English: tens before ones,
 * hundreds, groups of three digits. */
#include <stdio.h>
#include <string.h>

#include "lm/normalise_internal.h"

#define MAX_DIGITS 18

static sn_status say(sn_str *out, const char *word, sn_err *err) {
  SN_TRY(sn_str_add(out, " ", 1, err));
  return sn_str_adds(out, word, err);
}

static sn_status say_key(const sn_norm *n, const char *section, int64_t key,
                         sn_str *out, sn_err *err) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)key);
  const char *const word = sni_norm_find(n, section, text, strlen(text));
  if (word == NULL)
    return sn_fail(err, SN_EFORMAT, "the rules have no %s '%s'", section, text);
  return say(out, word, err);
}

static sn_status below_hundred(const sn_norm *n, int64_t v, sn_str *out,
                               sn_err *err) {
  if (v <= 20) return say_key(n, "number", v, out, err);
  SN_TRY(say_key(n, "number", v / 10 * 10, out, err));
  return v % 10 > 0 ? say_key(n, "number", v % 10, out, err) : SN_OK;
}

static sn_status below_thousand(const sn_norm *n, int64_t v, sn_str *out,
                                sn_err *err) {
  if (v >= 100) {
    SN_TRY(say_key(n, "number", v / 100, out, err));
    SN_TRY(say_key(n, "scale", 100, out, err));
    v %= 100;
    if (v == 0) return SN_OK;
  }
  return below_hundred(n, v, out, err);
}

static sn_status cardinal(const sn_norm *n, int64_t v, sn_str *out,
                          sn_err *err) {
  if (v == 0) return below_hundred(n, 0, out, err);
  for (int64_t scale = 1000000000000000; scale >= 1; scale /= 1000) {
    const int64_t group = v / scale % 1000;
    if (group == 0) continue;
    SN_TRY(below_thousand(n, group, out, err));
    if (scale > 1) SN_TRY(say_key(n, "scale", scale, out, err));
  }
  return SN_OK;
}

/* The last word changes: by section "ordinal", else by its ending. */
static sn_status make_ordinal(const sn_norm *n, sn_str *out, sn_err *err) {
  size_t at = out->n;
  while (at > 0 && out->data[at - 1] != ' ') at--;
  const char *const word =
      sni_norm_find(n, "ordinal", out->data + at, out->n - at);
  if (word == NULL) return sn_str_adds(out, "th", err);
  const size_t len = strlen(word);
  out->n = at;
  return sn_str_add(out, word, len, err);
}

static sn_status digits(const sn_norm *n, sn_span d, sn_str *out, sn_err *err) {
  for (size_t i = 0; i < d.n; i++)
    if (d.p[i] >= '0' && d.p[i] <= '9')
      SN_TRY(say_key(n, "number", d.p[i] - '0', out, err));
  return SN_OK;
}

/* 1905: nineteen oh five; 1900: nineteen hundred; 2005: two thousand five. */
static sn_status year(const sn_norm *n, int64_t v, sn_str *out, sn_err *err) {
  const int64_t century = v / 100, rest = v % 100;
  if (v < 1000 || v > 9999 || (century % 10 == 0 && rest < 10))
    return cardinal(n, v, out, err);
  SN_TRY(below_hundred(n, century, out, err));
  if (rest == 0) return say_key(n, "scale", 100, out, err);
  if (rest < 10) SN_TRY(say(out, "oh", err));
  return below_hundred(n, rest, out, err);
}

int32_t sni_norm_roman(sn_span s) {
  static const struct {
    const char *sign;
    int32_t value;
  } signs[] = {{"M", 1000}, {"CM", 900}, {"D", 500}, {"CD", 400}, {"C", 100},
               {"XC", 90},  {"L", 50},   {"XL", 40}, {"X", 10},   {"IX", 9},
               {"V", 5},    {"IV", 4},   {"I", 1}};
  const size_t n_signs = sizeof signs / sizeof *signs;
  int32_t v = 0, rest;
  size_t at = 0;
  for (size_t i = 0; i < n_signs && v < 4000; i++)
    for (size_t n = strlen(signs[i].sign);
         s.n - at >= n && strncmp(s.p + at, signs[i].sign, n) == 0; at += n)
      v += signs[i].value;
  if (at < s.n || v > 3999) return 0;
  /* Written again it is the same, unlike IIII, IXI or VIV. */
  at = 0;
  rest = v;
  for (size_t i = 0; i < n_signs; i++)
    for (size_t n = strlen(signs[i].sign); rest >= signs[i].value; at += n) {
      if (s.n - at < n || strncmp(s.p + at, signs[i].sign, n) != 0) return 0;
      rest -= signs[i].value;
    }
  return v;
}

static sn_status plural(sn_str *out, sn_err *err) {
  if (out->n > 0 && out->data[out->n - 1] == 'y') {
    out->n--;
    return sn_str_adds(out, "ies", err);
  }
  return sn_str_adds(out, out->data[out->n - 1] == 'x' ? "es" : "s", err);
}

sn_status sni_norm_number(const sn_norm *n, const char *kind, sn_span d,
                          sn_str *out, sn_err *err) {
  int64_t v = 0;
  size_t n_digits = 0;
  for (size_t i = 0; i < d.n; i++)
    if (d.p[i] >= '0' && d.p[i] <= '9' && n_digits++ < MAX_DIGITS)
      v = v * 10 + (d.p[i] - '0');
  if (n_digits == 0) v = sni_norm_roman(d);
  if (n_digits > MAX_DIGITS || strcmp(kind, "digits") == 0)
    return digits(n, d, out, err);
  if (strcmp(kind, "year") == 0) return year(n, v, out, err);
  if (strcmp(kind, "years") == 0) {
    SN_TRY(year(n, v, out, err));
    return plural(out, err);
  }
  if (strcmp(kind, "minutes") == 0 && v < 10) SN_TRY(say(out, "oh", err));
  SN_TRY(cardinal(n, v, out, err));
  return strcmp(kind, "ordinal") == 0 ? make_ordinal(n, out, err) : SN_OK;
}
