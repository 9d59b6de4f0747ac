/* SPDX-License-Identifier: Apache-2.0 */
/* The normaliser.
 * 1. The line becomes NFC (utf8proc); "char" entries replace characters.
 * 2. At the beginning of each word the rules are tried in order, letters
 *    without their case; the first that matches up to a word's end is said.
 * 3. Else the word is copied: letters, marks and apostrophes between letters.
 *    Digits that no rule read are said one by one. A hyphen ends a word. All
 *    other characters are dropped and counted. */
#include "lm/normalise.h"

#include <stddef.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "lm/normalise_internal.h"

const sn_opt sn_norm_opt_table[] = {
    {"case", SN_OPT_ENUM, offsetof(sn_norm_opts, letters), 0, 0, 2,
     "lower|upper|keep", "", "of letters"},
    SN_OPT_END};

/* ---- Rules ---- */

const char *sni_norm_find(const sn_norm *n, const char *section,
                          const char *key, size_t n_key) {
  for (size_t i = 0; i < n->entries.n; i++) {
    const sni_norm_entry *const e = &n->entries.data[i];
    if (strcmp(e->section, section) == 0 && strncmp(e->key, key, n_key) == 0 &&
        e->key[n_key] == '\0')
      return e->value;
  }
  return NULL;
}

static char *keep_text(sn_norm *n, sn_span s) {
  char *const copy = sn_strndup(s.p, s.n);
  if (copy == NULL) return NULL;
  if (SN_ARR_PUSH(&n->text, copy, NULL) == SN_OK) return copy;
  sn_free(copy);
  return NULL;
}

static sn_status read_line(sn_norm *n, sn_reader *r, sn_span line,
                           const char **section, sn_err *err) {
  const sn_span all = sn_span_trim(line);
  if (all.n == 0 || all.p[0] == '#') return SN_OK;
  if (!sn_utf8_valid(all.p, all.n, NULL) || memchr(all.p, 0, all.n) != NULL)
    return sn_reader_fail(r, err, "the line is not UTF-8 text");
  if (all.p[0] == '[' && all.p[all.n - 1] == ']') {
    const sn_span name = {all.p + 1, all.n - 2};
    *section = keep_text(n, name);
    return *section != NULL ? SN_OK : sn_fail_nomem(err, "rules");
  }
  if (*section == NULL)
    return sn_reader_fail(r, err, "a [section] must come first");
  const char *sign = NULL; /* the last " =" or "=" before blank or end */
  for (const char *p = all.p + 1; p < all.p + all.n; p++)
    if (*p == '=' && p[-1] == ' ' && (p + 1 == all.p + all.n || p[1] == ' '))
      sign = p;
  if (sign == NULL) return sn_reader_fail(r, err, "expected KEY = VALUE");
  const sn_span key = {all.p, (size_t)(sign - all.p)};
  const sn_span value = {sign + 1, (size_t)(all.p + all.n - sign - 1)};
  const sni_norm_entry e = {*section, keep_text(n, sn_span_trim(key)),
                            keep_text(n, sn_span_trim(value))};
  if (e.key == NULL || e.value == NULL) return sn_fail_nomem(err, "rules");
  const bool is_rule = strcmp(*section, "rule") == 0;
  if (is_rule && strchr(e.key, '<') != NULL && strchr(e.key, '>') == NULL)
    return sn_reader_fail(r, err, "'<' without '>'");
  return SN_ARR_PUSH(&n->entries, e, err);
}

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

/* Whether a pattern can match a text that begins with byte b. */
static bool may_begin(const sn_norm *n, const char *key, int b) {
  const unsigned char c = (unsigned char)key[0];
  if (c != '<') return b == c || (b | 32) == c;
  const size_t n_name = strcspn(key + 1, ">");
  if (is_digit((unsigned char)key[1]) ||
      (n_name == 1 && (key[1] == 'n' || key[1] == 'd')))
    return is_digit((unsigned char)b);
  for (size_t i = 0; i < n->entries.n; i++) {
    const sni_norm_entry *const e = &n->entries.data[i];
    const unsigned char first = (unsigned char)e->key[0];
    if (strncmp(e->section, key + 1, n_name) == 0 &&
        e->section[n_name] == '\0' && (b == first || (b | 32) == first))
      return true;
  }
  return false;
}

static sn_status index_rules(sn_norm *n, sn_err *err) {
  for (size_t i = 0; i < n->entries.n; i++) {
    const sni_norm_entry *const e = &n->entries.data[i];
    if (strcmp(e->section, "char") == 0)
      n->has_char[(unsigned char)e->key[0]] = true;
    if (strcmp(e->section, "rule") != 0) continue;
    for (int b = 1; b < 256; b++)
      if (may_begin(n, e->key, b))
        SN_TRY(SN_ARR_PUSH(&n->by_byte[b], (int32_t)i, err));
  }
  return SN_OK;
}

sn_status sn_norm_create(sn_reader *rules, const sn_norm_opts *opts,
                         sn_norm **out, sn_err *err) {
  *out = NULL;
  sn_norm *const n = sn_calloc(1, sizeof *n);
  sn_reader *own = NULL;
  const char *section = NULL;
  if (n == NULL) return sn_fail_nomem(err, "normaliser");
  if (opts != NULL) n->opts = *opts;
  sn_str english = {0};
  sn_status s = sn_symtab_create(&n->dropped, err);
  for (size_t i = 0; sn_norm_english[i] != NULL && s == SN_OK; i++) {
    s = sn_str_adds(&english, sn_norm_english[i], err);
    if (s == SN_OK) s = sn_str_add(&english, "\n", 1, err);
  }
  if (s == SN_OK && rules == NULL)
    s = sn_reader_memory(english.data, english.n, "english", &own, err);
  sn_reader *const r = rules != NULL ? rules : own;
  for (bool more = true; more && s == SN_OK;) {
    sn_span line;
    s = sn_read_line(r, &line, &more, err);
    if (s == SN_OK && more) s = read_line(n, r, line, &section, err);
  }
  if (s == SN_OK) s = index_rules(n, err);
  sn_reader_destroy(own);
  sn_str_clear(&english);
  if (s == SN_OK)
    *out = n;
  else
    sn_norm_destroy(n);
  return s;
}

void sn_norm_destroy(sn_norm *n) {
  if (n == NULL) return;
  for (size_t i = 0; i < n->text.n; i++) sn_free(n->text.data[i]);
  SN_ARR_FREE(&n->text);
  SN_ARR_FREE(&n->entries);
  for (int b = 0; b < 256; b++) SN_ARR_FREE(&n->by_byte[b]);
  sn_symtab_destroy(n->dropped);
  SN_ARR_FREE(&n->dropped_counts);
  SN_ARR_FREE(&n->scratch);
  sn_str_clear(&n->nfc);
  sn_str_clear(&n->said);
  sn_free(n);
}

/* ---- Matching ---- */

typedef struct match {
  sn_span capture[SNI_NORM_MAX_CAPTURES];
  const char *section[SNI_NORM_MAX_CAPTURES]; /* of <section>, for messages */
  size_t n;
} match;

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

static bool is_letter(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static size_t n_digits(const char *p, const char *end) {
  const char *q = p;
  while (q < end && is_digit((unsigned char)*q)) q++;
  return (size_t)(q - p);
}

/* 1234 or 1,234,567 */
static size_t number_length(const char *p, const char *end) {
  size_t n = n_digits(p, end);
  if (n == 0 || n > 3) return n;
  while (end - p >= (ptrdiff_t)n + 4 && p[n] == ',' &&
         n_digits(p + n + 1, end) == 3)
    n += 4;
  return n;
}

static bool same_text(const char *key, size_t n, const char *p,
                      const char *end) {
  if ((size_t)(end - p) < n) return false;
  for (size_t i = 0; i < n; i++)
    if (lower(p[i]) != key[i]) return false;
  return true;
}

/* The longest key of a section that the text begins with. */
static size_t key_length(const sn_norm *n, const char *name, size_t n_name,
                         const char *p, const char *end) {
  size_t best = 0;
  for (size_t i = 0; i < n->entries.n; i++) {
    const sni_norm_entry *const e = &n->entries.data[i];
    const size_t len = strlen(e->key);
    if (len > best && strncmp(e->section, name, n_name) == 0 &&
        e->section[n_name] == '\0' && same_text(e->key, len, p, end))
      best = len;
  }
  return best;
}

/* <LO..HI>: a whole number between them; <Nd>: exactly N digits. */
static size_t range_length(const char *spec, const char *p, const char *end) {
  const size_t n = n_digits(p, end), n_lo = n_digits(spec, spec + 8);
  if (n == 0 || n > 9 || n_lo == 0) return 0;
  int32_t lo = 0, hi = 0, v = 0;
  const sn_span low = {spec, n_lo}, number = {p, n};
  if (!sn_parse_int32(low, &lo)) return 0;
  if (spec[n_lo] == 'd') return n == (size_t)lo ? n : 0;
  if (strncmp(spec + n_lo, "..", 2) != 0) return 0;
  const sn_span high = {spec + n_lo + 2, n_digits(spec + n_lo + 2, spec + 20)};
  if (!sn_parse_int32(high, &hi) || !sn_parse_int32(number, &v)) return 0;
  return v >= lo && v <= hi ? n : 0;
}

static size_t element_length(const sn_norm *n, const char *spec, size_t n_spec,
                             const char *p, const char *end) {
  if (n_spec == 1 && *spec == 'n') return number_length(p, end);
  if (n_spec == 1 && *spec == 'd') return n_digits(p, end);
  if (is_digit((unsigned char)*spec)) return range_length(spec, p, end);
  return key_length(n, spec, n_spec, p, end);
}

/* Where the match of a pattern ends, or NULL. */
static const char *match_pattern(const sn_norm *n, const char *k, const char *p,
                                 const char *end, match *m) {
  m->n = 0;
  while (*k != '\0') {
    if (*k == '<') {
      const char *const close = strchr(k, '>');
      if (close == NULL || m->n == SNI_NORM_MAX_CAPTURES) return NULL;
      const size_t len =
          element_length(n, k + 1, (size_t)(close - k - 1), p, end);
      if (len == 0) return NULL;
      m->capture[m->n].p = p;
      m->capture[m->n++].n = len;
      p += len;
      k = close + 1;
    } else if (*k == ' ') {
      if (p >= end || *p != ' ') return NULL;
      while (p < end && *p == ' ') p++;
      k++;
    } else {
      if (p >= end || lower(*p) != *k) return NULL;
      p++;
      k++;
    }
  }
  /* A word's end: no letter or digit, nor a point or comma in a number. */
  if (p < end && (is_letter((unsigned char)*p) || is_digit((unsigned char)*p)))
    return NULL;
  if (end - p > 1 && strchr(".,:/", *p) != NULL &&
      is_digit((unsigned char)p[1]) && is_digit((unsigned char)p[-1]))
    return NULL;
  return p;
}

/* ---- Saying ---- */

static bool is_one(sn_span s) {
  while (s.n > 1 && s.p[0] == '0') s.p++, s.n--;
  return s.n == 1 && s.p[0] == '1';
}

/* The form of "singular|plural". */
static sn_span form_of(const char *value, bool is_plural) {
  const char *const bar = strchr(value, '|');
  sn_span s = {value, bar != NULL ? (size_t)(bar - value) : strlen(value)};
  if (bar != NULL && is_plural) s = sn_span_of(bar + 1);
  return s;
}

/* {N}, {N:kind}, {N:section}, {N:section#M} (form by number M), {N:section*}
 * (plural). */
static sn_status say_part(const sn_norm *n, const char *part, size_t n_part,
                          const match *m, sn_str *out, sn_err *err) {
  static const char *const kinds[] = {"cardinal", "ordinal", "year",
                                      "years",    "minutes", "digits"};
  const size_t at = (size_t)(part[0] - '1');
  if (n_part < 1 || at >= m->n)
    return sn_fail(err, SN_EFORMAT, "a rule says {%.*s}, which is no part",
                   (int)n_part, part);
  const sn_span c = m->capture[at];
  if (n_part < 2 || part[1] != ':') {
    SN_TRY(sn_str_add(out, " ", 1, err));
    return sn_str_add(out, c.p, c.n, err);
  }
  const char *const name = part + 2;
  size_t n_name = n_part - 2;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strlen(kinds[i]) == n_name && strncmp(kinds[i], name, n_name) == 0)
      return sni_norm_number(n, kinds[i], c, out, err);
  bool is_plural = false;
  if (n_name > 1 && name[n_name - 1] == '*') {
    is_plural = true;
    n_name--;
  } else if (n_name > 2 && name[n_name - 2] == '#') {
    const size_t number = (size_t)(name[n_name - 1] - '1');
    is_plural = number >= m->n || !is_one(m->capture[number]);
    n_name -= 2;
  }
  char section[32] = "", key[64] = "";
  if (n_name < sizeof section) memcpy(section, name, n_name);
  for (size_t i = 0; i < c.n && i + 1 < sizeof key; i++) key[i] = lower(c.p[i]);
  /* 01 of a date is 1. */
  const size_t zeros = key[0] == '0' && key[1] != '\0' ? 1 : 0;
  const char *value = sni_norm_find(n, section, key, strlen(key));
  if (value == NULL)
    value = sni_norm_find(n, section, key + zeros, strlen(key + zeros));
  if (value == NULL)
    return sn_fail(err, SN_EFORMAT, "the rules have no '%s' in [%s]", key,
                   section);
  const sn_span s = form_of(value, is_plural);
  SN_TRY(sn_str_add(out, " ", 1, err));
  return sn_str_add(out, s.p, s.n, err);
}

static sn_status say_rule(const sn_norm *n, const char *v, const match *m,
                          sn_str *out, sn_err *err) {
  SN_TRY(sn_str_add(out, " ", 1, err));
  while (*v != '\0') {
    const char *const close = *v == '{' ? strchr(v, '}') : NULL;
    if (close == NULL) {
      SN_TRY(sn_str_add(out, v++, 1, err));
      continue;
    }
    SN_TRY(say_part(n, v + 1, (size_t)(close - v - 1), m, out, err));
    v = close + 1;
  }
  return sn_str_add(out, " ", 1, err);
}

/* ---- Lines ---- */

static sn_status drop(sn_norm *n, const char *p, size_t len, sn_err *err) {
  int32_t id;
  SN_TRY(sn_symtab_add(n->dropped, p, len, &id, err));
  while (n->dropped_counts.n <= (size_t)id)
    SN_TRY(SN_ARR_PUSH(&n->dropped_counts, 0, err));
  n->dropped_counts.data[id]++;
  return SN_OK;
}

/* Step 1: NFC, then "char" entries, white space as blanks. */
static sn_status prepare(sn_norm *n, const char *line, size_t n_line,
                         sn_err *err) {
  const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
  size_t bad;
  if (!sn_utf8_valid(line, n_line, &bad))
    return sn_fail(err, SN_EFORMAT, "byte %zu of the line is not UTF-8", bad);
  SN_TRY(SN_ARR_RESERVE(&n->scratch, 3 * n_line + 8, err));
  utf8proc_ssize_t len = 0;
  for (int i = 0; i < 2; i++) { /* again when there was too little room */
    len = utf8proc_decompose((const utf8proc_uint8_t *)line,
                             (utf8proc_ssize_t)n_line, n->scratch.data,
                             (utf8proc_ssize_t)n->scratch.cap - 1, options);
    if (len < 0 || (size_t)len + 1 < n->scratch.cap) break;
    SN_TRY(SN_ARR_RESERVE(&n->scratch, (size_t)len + 8, err));
  }
  if (len >= 0) len = utf8proc_reencode(n->scratch.data, len, options);
  if (len < 0) return sn_fail(err, SN_EFORMAT, "%s", utf8proc_errmsg(len));
  const char *const text = (const char *)n->scratch.data;
  sn_str_reset(&n->nfc);
  for (size_t i = 0; i < (size_t)len;) {
    utf8proc_int32_t c;
    const size_t w =
        (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + i,
                                 (utf8proc_ssize_t)((size_t)len - i), &c);
    const char *const to = n->has_char[(unsigned char)text[i]]
                               ? sni_norm_find(n, "char", text + i, w)
                               : NULL;
    const utf8proc_category_t category = utf8proc_category(c);
    if (to != NULL)
      SN_TRY(sn_str_adds(&n->nfc, strcmp(to, "blank") == 0 ? " " : to, err));
    else if (category == UTF8PROC_CATEGORY_ZS || c == '\t' || c == '\r')
      SN_TRY(sn_str_add(&n->nfc, " ", 1, err));
    else
      SN_TRY(sn_str_add(&n->nfc, text + i, w, err));
    i += w;
  }
  return SN_OK;
}

static bool is_word_char(utf8proc_int32_t c) {
  const utf8proc_category_t k = utf8proc_category(c);
  return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
         (k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME);
}

/* Step 3 for one character; *p moves on. */
static sn_status copy_char(sn_norm *n, const char **p, const char *begin,
                           const char *end, sn_err *err) {
  utf8proc_int32_t c;
  const size_t w =
      (size_t)utf8proc_iterate((const utf8proc_uint8_t *)*p, end - *p, &c);
  const char *const at = *p;
  *p += w;
  if (is_word_char(c)) return sn_str_add(&n->said, at, w, err);
  if (c == ' ' || c == '-') return sn_str_add(&n->said, " ", 1, err);
  if (c < 128 && is_digit((unsigned char)c)) {
    const sn_span d = {at, n_digits(at, end)};
    *p = at + d.n;
    n->n_spelled++;
    SN_TRY(sni_norm_number(n, "digits", d, &n->said, err));
    return sn_str_add(&n->said, " ", 1, err);
  }
  if (c == '\'' && at > begin && is_letter((unsigned char)at[-1]) && *p < end &&
      is_letter((unsigned char)**p))
    return sn_str_add(&n->said, "'", 1, err);
  SN_TRY(drop(n, at, w, err));
  /* What stands between two words parts them. */
  return sn_str_add(&n->said, " ", 1, err);
}

/* Step 2 at *p; false when no rule matches. */
static sn_status try_rules(sn_norm *n, const char **p, const char *end,
                           bool *is_said, sn_err *err) {
  const sn_arr_i32 *const rules = &n->by_byte[(unsigned char)**p];
  *is_said = false;
  for (size_t i = 0; i < rules->n; i++) {
    const sni_norm_entry *const e = &n->entries.data[rules->data[i]];
    match m;
    const char *const to = match_pattern(n, e->key, *p, end, &m);
    if (to == NULL || to == *p) continue;
    *is_said = true;
    *p = to;
    return say_rule(n, e->value, &m, &n->said, err);
  }
  return SN_OK;
}

static sn_status put_case(const sn_norm *n, sn_span word, sn_str *out,
                          sn_err *err) {
  for (size_t i = 0; i < word.n;) {
    utf8proc_int32_t c;
    utf8proc_uint8_t to[4];
    i += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)word.p + i,
                                  (utf8proc_ssize_t)(word.n - i), &c);
    if (n->opts.letters == SN_NORM_LOWER) c = utf8proc_tolower(c);
    if (n->opts.letters == SN_NORM_UPPER) c = utf8proc_toupper(c);
    SN_TRY(sn_str_add(out, (const char *)to,
                      (size_t)utf8proc_encode_char(c, to), err));
  }
  return SN_OK;
}

sn_status sn_norm_line(sn_norm *n, const char *line, size_t n_line, sn_str *out,
                       sn_err *err) {
  sn_str_reset(out);
  sn_str_reset(&n->said);
  SN_TRY(prepare(n, line, n_line, err));
  const char *const begin = sn_str_get(&n->nfc), *const end = begin + n->nfc.n;
  for (const char *p = begin; p < end;) {
    const unsigned char before = p > begin ? (unsigned char)p[-1] : ' ';
    bool is_said = false;
    /* Not in the middle of 1.2.3, whose parts no rule reads. */
    const bool is_inner = p - begin > 1 && is_digit((unsigned char)*p) &&
                          strchr(".,:/", before) != NULL &&
                          is_digit((unsigned char)p[-2]);
    /* A dash behind a word is none of a number's: "10 a.m.-5 p.m.". */
    const bool is_dash = *p == '-' && before != ' ' && before != '(';
    if (!is_letter(before) && !is_digit(before) && before != '\'' &&
        !is_inner && !is_dash)
      SN_TRY(try_rules(n, &p, end, &is_said, err));
    if (!is_said) SN_TRY(copy_char(n, &p, begin, end, err));
  }
  sn_span rest = {sn_str_get(&n->said), n->said.n}, word;
  while (sn_next_field(&rest, &word)) {
    if (out->n > 0) SN_TRY(sn_str_add(out, " ", 1, err));
    SN_TRY(put_case(n, word, out, err));
  }
  return SN_OK;
}

int32_t sn_norm_n_dropped(const sn_norm *n) {
  return (int32_t)n->dropped_counts.n;
}
const char *sn_norm_dropped(const sn_norm *n, int32_t i, int64_t *count) {
  SN_ASSERT(i >= 0 && (size_t)i < n->dropped_counts.n);
  if (count != NULL) *count = n->dropped_counts.data[i];
  return sn_symtab_get(n->dropped, i);
}
int64_t sn_norm_n_spelled(const sn_norm *n) { return n->n_spelled; }
