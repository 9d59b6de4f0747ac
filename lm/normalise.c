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

const sni_norm_section *sni_norm_section_of(const sn_norm *n, const char *name,
                                            size_t n_name) {
  for (size_t i = 0; i < n->sections.n; i++) {
    const sni_norm_section *const s = &n->sections.data[i];
    if (s->n_name == n_name && memcmp(s->name, name, n_name) == 0) return s;
  }
  return NULL;
}

const char *sni_norm_find(const sn_norm *n, const char *section,
                          const char *key, size_t n_key) {
  const sni_norm_section *const s =
      sni_norm_section_of(n, section, strlen(section));
  const unsigned char b = n_key > 0 ? (unsigned char)key[0] : 0;
  for (size_t i = s != NULL ? s->first[b] : 0; s != NULL && i < s->first[b + 1];
       i++) {
    const sni_norm_entry *const e = &n->entries.data[s->entries.data[i]];
    if (e->n_key == n_key && memcmp(e->key, key, n_key) == 0) return e->value;
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
  const size_t skip = all.p[0] == '\\' && all.p[1] == '#'; /* no comment */
  const sn_span key = {all.p + skip, (size_t)(sign - all.p) - skip};
  const sn_span value = {sign + 1, (size_t)(all.p + all.n - sign - 1)};
  const sni_norm_entry e = {*section, keep_text(n, sn_span_trim(key)),
                            keep_text(n, sn_span_trim(value)),
                            sn_span_trim(key).n};
  if (e.key == NULL || e.value == NULL) return sn_fail_nomem(err, "rules");
  const bool is_rule = strcmp(*section, "rule") == 0;
  if (is_rule && strchr(e.key, '<') != NULL && strchr(e.key, '>') == NULL)
    return sn_reader_fail(r, err, "'<' without '>'");
  return SN_ARR_PUSH(&n->entries, e, err);
}

static sn_status add_to_section(sn_norm *n, size_t entry, sn_err *err) {
  const sni_norm_entry *const e = &n->entries.data[entry];
  size_t at = 0;
  while (at < n->sections.n && strcmp(n->sections.data[at].name, e->section))
    at++;
  if (at == n->sections.n) {
    const sni_norm_section empty = {.name = e->section,
                                    .n_name = strlen(e->section)};
    SN_TRY(SN_ARR_PUSH(&n->sections, empty, err));
  }
  sni_norm_section *const s = &n->sections.data[at];
  s->first[(unsigned char)e->key[0] + 1]++;
  return SN_ARR_PUSH(&s->entries, (int32_t)entry, err);
}

/* Numbers of keys by first byte become places; entries are put there. */
static sn_status order_section(sn_norm *n, sni_norm_section *s, sn_err *err) {
  sn_arr_i32 ordered = {0};
  SN_TRY(SN_ARR_RESERVE(&ordered, s->entries.n, err));
  size_t at[256];
  for (int b = 0; b < 256; b++) {
    at[b] = s->first[b];
    s->first[b + 1] += s->first[b];
  }
  for (size_t i = 0; i < s->entries.n; i++) {
    const int32_t entry = s->entries.data[i];
    ordered.data[at[(unsigned char)n->entries.data[entry].key[0]]++] = entry;
  }
  ordered.n = s->entries.n;
  SN_ARR_FREE(&s->entries);
  s->entries = ordered;
  return SN_OK;
}

static sn_status index_rules(sn_norm *n, sn_err *err) {
  for (size_t i = 0; i < n->entries.n; i++) SN_TRY(add_to_section(n, i, err));
  for (size_t i = 0; i < n->sections.n; i++)
    SN_TRY(order_section(n, &n->sections.data[i], err));
  for (size_t i = 0; i < n->entries.n; i++) {
    const sni_norm_entry *const e = &n->entries.data[i];
    if (strcmp(e->section, "char") == 0)
      n->has_char[(unsigned char)e->key[0]] = true;
    if (strcmp(e->section, "rule") != 0) continue;
    for (int b = 1; b < 256; b++)
      if (sni_norm_may_begin(n, e->key, b))
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
  for (size_t i = 0; i < n->sections.n; i++)
    SN_ARR_FREE(&n->sections.data[i].entries);
  SN_ARR_FREE(&n->sections);
  for (int b = 0; b < 256; b++) SN_ARR_FREE(&n->by_byte[b]);
  sn_symtab_destroy(n->dropped);
  SN_ARR_FREE(&n->dropped_counts);
  SN_ARR_FREE(&n->scratch);
  sn_str_clear(&n->nfc);
  sn_str_clear(&n->said);
  sn_free(n);
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

static sn_status drop(sn_norm *n, const char *p, size_t len, sn_err *err) {
  int32_t id;
  SN_TRY(sn_symtab_add(n->dropped, p, len, &id, err));
  while (n->dropped_counts.n <= (size_t)id)
    SN_TRY(SN_ARR_PUSH(&n->dropped_counts, 0, err));
  n->dropped_counts.data[id]++;
  return SN_OK;
}

/* {N:address}: its words and signs as section "address" says them; other words
 * as they are, digits one by one, other signs dropped. */
static sn_status say_address(sn_norm *n, sn_span c, sn_str *out, sn_err *err) {
  const char *const end = c.p + c.n;
  for (const char *p = c.p; p < end;) {
    const sn_span d = {p, sni_norm_n_digits(p, end)};
    const char *const at = p;
    if (d.n > 0) {
      SN_TRY(sni_norm_number(n, "digits", d, out, err));
      p += d.n;
      continue;
    }
    char key[32];
    size_t n_key = 0;
    while (p < end && sni_norm_is_letter((unsigned char)*p)) p++;
    const bool is_word = p > at;
    if (!is_word) p++;
    for (; n_key < (size_t)(p - at) && n_key < sizeof key; n_key++)
      key[n_key] = sni_norm_lower(at[n_key]);
    const char *const value =
        n_key < sizeof key ? sni_norm_find(n, "address", key, n_key) : NULL;
    SN_TRY(sn_str_add(out, " ", 1, err));
    if (value != NULL)
      SN_TRY(sn_str_adds(out, value, err));
    else if (is_word)
      SN_TRY(sn_str_add(out, at, (size_t)(p - at), err));
    else
      SN_TRY(drop(n, at, 1, err));
  }
  return SN_OK;
}

/* {N}, {N:kind}, {N:section}, {N:section#M} (form by number M), {N:section*}
 * (plural). */
static sn_status say_part(sn_norm *n, const char *part, size_t n_part,
                          const sni_norm_match *m, sn_str *out, sn_err *err) {
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
  if (n_name == 7 && strncmp(name, "address", n_name) == 0)
    return say_address(n, c, out, err);
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
  for (size_t i = 0; i < c.n && i + 1 < sizeof key; i++)
    key[i] = sni_norm_lower(c.p[i]);
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

static sn_status say_rule(sn_norm *n, const char *v, const sni_norm_match *m,
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
  if (c < 128 && sni_norm_is_digit((unsigned char)c)) {
    const sn_span d = {at, sni_norm_n_digits(at, end)};
    *p = at + d.n;
    n->n_spelled++;
    SN_TRY(sni_norm_number(n, "digits", d, &n->said, err));
    return sn_str_add(&n->said, " ", 1, err);
  }
  if (c == '\'' && at > begin && sni_norm_is_letter((unsigned char)at[-1]) &&
      *p < end && sni_norm_is_letter((unsigned char)**p))
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
    sni_norm_match m;
    const char *const to = sni_norm_match_pattern(n, e->key, *p, end, &m);
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
    const bool is_inner = p - begin > 1 &&
                          sni_norm_is_digit((unsigned char)*p) &&
                          strchr(".,:/", before) != NULL &&
                          sni_norm_is_digit((unsigned char)p[-2]);
    /* A dash behind a word is none of a number's: "10 a.m.-5 p.m.". */
    const bool is_dash = *p == '-' && before != ' ' && before != '(';
    if (!sni_norm_is_letter(before) && !sni_norm_is_digit(before) &&
        before != '\'' && !is_inner && !is_dash)
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
