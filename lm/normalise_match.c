/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of the normaliser's rules: elements <...> and what matches them. */
#include <stddef.h>
#include <string.h>

#include "lm/normalise_internal.h"

static bool is_roman(char c) { return c != '\0' && strchr("IVXLCDM", c); }

static bool is_named(const char *spec, size_t n_spec, const char *name) {
  return strlen(name) == n_spec && strncmp(spec, name, n_spec) == 0;
}

size_t sni_norm_n_digits(const char *p, const char *end) {
  const char *q = p;
  while (q < end && sni_norm_is_digit((unsigned char)*q)) q++;
  return (size_t)(q - p);
}

bool sni_norm_may_begin(const sn_norm *n, const char *key, int b) {
  const unsigned char c = (unsigned char)key[0];
  if (c != '<') return b == c || (b | 32) == c;
  const size_t n_name = strcspn(key + 1, ">");
  const bool is_number = sni_norm_is_digit((unsigned char)b);
  if (sni_norm_is_digit((unsigned char)key[1]) ||
      is_named(key + 1, n_name, "n") || is_named(key + 1, n_name, "d"))
    return is_number;
  if (is_roman(key[1])) return b < 128 && is_roman((char)b);
  if (is_named(key + 1, n_name, "host") || is_named(key + 1, n_name, "site") ||
      is_named(key + 1, n_name, "user"))
    return is_number || sni_norm_is_letter((unsigned char)b);
  const sni_norm_section *const s = sni_norm_section_of(n, key + 1, n_name);
  const int low = b >= 'A' && b <= 'Z' ? b | 32 : b;
  return s != NULL &&
         (s->first[b] < s->first[b + 1] || s->first[low] < s->first[low + 1]);
}

/* ---- Numbers ---- */

/* 1234 or 1,234,567 */
static size_t number_length(const char *p, const char *end) {
  size_t n = sni_norm_n_digits(p, end);
  if (n == 0 || n > 3) return n;
  while (end - p >= (ptrdiff_t)n + 4 && p[n] == ',' &&
         sni_norm_n_digits(p + n + 1, end) == 3)
    n += 4;
  return n;
}

/* <LO..HI>: a whole number between them; <Nd>: exactly N digits. */
static size_t range_length(const char *spec, const char *p, const char *end) {
  const size_t n = sni_norm_n_digits(p, end);
  const size_t n_lo = sni_norm_n_digits(spec, spec + 8);
  if (n == 0 || n > 9 || n_lo == 0) return 0;
  int32_t lo = 0, hi = 0, v = 0;
  const sn_span low = {spec, n_lo}, number = {p, n};
  if (!sn_parse_int32(low, &lo)) return 0;
  if (spec[n_lo] == 'd') return n == (size_t)lo ? n : 0;
  if (strncmp(spec + n_lo, "..", 2) != 0) return 0;
  const sn_span high = {spec + n_lo + 2,
                        sni_norm_n_digits(spec + n_lo + 2, spec + 20)};
  if (!sn_parse_int32(high, &hi) || !sn_parse_int32(number, &v)) return 0;
  return v >= lo && v <= hi ? n : 0;
}

/* <LO..HI> or <LO> in Roman numerals: one in capitals between them. */
static size_t roman_length(const char *spec, size_t n_spec, const char *p,
                           const char *end) {
  sn_span low = {spec, 0}, number = {p, 0};
  while (low.n < n_spec && is_roman(spec[low.n])) low.n++;
  while (p + number.n < end && is_roman(p[number.n])) number.n++;
  sn_span high = low;
  if (low.n + 2 < n_spec && strncmp(spec + low.n, "..", 2) == 0) {
    high.p = spec + low.n + 2;
    high.n = n_spec - low.n - 2;
  } else if (low.n != n_spec) {
    return 0;
  }
  const int32_t v = sni_norm_roman(number);
  return v > 0 && v >= sni_norm_roman(low) && v <= sni_norm_roman(high)
             ? number.n
             : 0;
}

/* ---- Keys of sections ---- */

static bool same_text(const char *key, size_t n, const char *p,
                      const char *end) {
  if ((size_t)(end - p) < n) return false;
  for (size_t i = 0; i < n; i++)
    if (sni_norm_lower(p[i]) != key[i]) return false;
  return true;
}

/* The longest key of a section that the text begins with. */
static size_t key_length(const sn_norm *n, const char *name, size_t n_name,
                         const char *p, const char *end) {
  const sni_norm_section *const s = sni_norm_section_of(n, name, n_name);
  size_t best = 0;
  if (s == NULL || p >= end) return 0;
  const unsigned char b = (unsigned char)sni_norm_lower(*p);
  for (size_t i = s->first[b]; i < s->first[b + 1]; i++) {
    const sni_norm_entry *const e = &n->entries.data[s->entries.data[i]];
    if (e->n_key > best && same_text(e->key, e->n_key, p, end)) best = e->n_key;
  }
  return best;
}

/* ---- Addresses ---- */

static bool is_label_char(char c) {
  const unsigned char u = (unsigned char)c;
  return sni_norm_is_digit(u) || sni_norm_is_letter(u);
}

/* A label of a host's name: letters and digits, hyphens between them. */
static size_t label_length(const char *p, const char *end) {
  size_t n = 0;
  while (p + n < end && (is_label_char(p[n]) || (p[n] == '-' && n > 0))) n++;
  while (n > 0 && p[n - 1] == '-') n--;
  return n;
}

/* Labels with points between them, two at least; the last one has no digit and
 * more than one letter, or, with_domain, is a key of section "domain". */
static size_t host_length(const sn_norm *n, bool with_domain, const char *p,
                          const char *end) {
  size_t at = label_length(p, end), best = 0;
  while (at > 0 && p + at + 1 < end && p[at] == '.') {
    const char *const label = p + at + 1;
    const size_t len = label_length(label, end);
    if (len == 0) break;
    bool is_last = len > 1;
    for (size_t i = 0; i < len; i++)
      is_last = is_last && sni_norm_is_letter((unsigned char)label[i]);
    if (with_domain)
      is_last = key_length(n, "domain", 6, label, label + len) == len;
    at += 1 + len;
    if (is_last) best = at;
  }
  return best;
}

/* What stands before the @ of an e-mail address. */
static size_t user_length(const char *p, const char *end) {
  size_t n = 0;
  while (p + n < end &&
         (is_label_char(p[n]) || (n > 0 && strchr("._+-", p[n]) != NULL)))
    n++;
  return p + n < end && p[n] == '@' ? n : 0;
}

/* What follows a host up to a blank, without the sentence's punctuation. */
static size_t path_length(const char *p, const char *end) {
  size_t n = 0;
  if (p >= end || strchr("/?:", *p) == NULL) return 0;
  if (*p == ':' && sni_norm_n_digits(p + 1, end) == 0) return 0;
  while (p + n < end && p[n] != ' ' && strchr("\"<>", p[n]) == NULL) n++;
  while (n > 0 && strchr(".,;:!?)]}'", p[n - 1]) != NULL) n--;
  return n;
}

/* ---- Patterns ---- */

/* <end>: nothing more, or punctuation that ends a phrase. */
static bool is_end(const char *p, const char *end) {
  return p >= end || strchr(".,;:!?)]\"", *p) != NULL;
}

static size_t element_length(const sn_norm *n, const char *spec, size_t n_spec,
                             const char *p, const char *end) {
  if (is_named(spec, n_spec, "n")) return number_length(p, end);
  if (is_named(spec, n_spec, "d")) return sni_norm_n_digits(p, end);
  if (is_named(spec, n_spec, "host")) return host_length(n, false, p, end);
  if (is_named(spec, n_spec, "site")) return host_length(n, true, p, end);
  if (is_named(spec, n_spec, "user")) return user_length(p, end);
  if (is_named(spec, n_spec, "path")) return path_length(p, end);
  if (sni_norm_is_digit((unsigned char)*spec))
    return range_length(spec, p, end);
  if (is_roman(*spec)) return roman_length(spec, n_spec, p, end);
  return key_length(n, spec, n_spec, p, end);
}

/* A word's end: no letter or digit, nor a point or comma in a number. */
static bool is_word_end(const char *p, const char *end) {
  if (p < end && is_label_char(*p)) return false;
  return !(end - p > 1 && strchr(".,:/", *p) != NULL &&
           sni_norm_is_digit((unsigned char)p[1]) &&
           sni_norm_is_digit((unsigned char)p[-1]));
}

const char *sni_norm_match_pattern(const sn_norm *n, const char *k,
                                   const char *p, const char *end,
                                   sni_norm_match *m) {
  m->n = 0;
  while (*k != '\0') {
    if (*k == '<') {
      const char *const close = strchr(k, '>');
      if (close == NULL || m->n == SNI_NORM_MAX_CAPTURES) return NULL;
      const size_t n_spec = (size_t)(close - k - 1);
      const bool at_end = is_named(k + 1, n_spec, "end");
      const size_t len = at_end ? 0 : element_length(n, k + 1, n_spec, p, end);
      if (at_end ? !is_end(p, end) : len == 0) return NULL;
      m->capture[m->n].p = p;
      m->capture[m->n++].n = len;
      p += len;
      k = close + 1;
    } else if (*k == ' ') {
      if (p >= end || *p != ' ') return NULL;
      while (p < end && *p == ' ') p++;
      k++;
    } else {
      if (p >= end || sni_norm_lower(*p) != *k) return NULL;
      p++;
      k++;
    }
  }
  return is_word_end(p, end) ? p : NULL;
}
