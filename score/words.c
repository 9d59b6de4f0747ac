/* SPDX-License-Identifier: Apache-2.0 */
/* What a word of a text stands for: the one place where scoring forgives. */
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "score/casefold.h"
#include "score/transcript.h"

/* Replacement of keys[k]: ids[at[k] .. at[k + 1]). */
struct sn_score_words {
  sn_symtab *words;
  sn_symtab *keys; /* of the map, folded */
  sn_arr_i32 at, ids;
  bool sclite;
  sn_str folded; /* scratch */
};

static bool span_is(sn_span s, const char *a) { return sn_span_eq(s, a); }

/* s is folded. */
static bool is_dropped(sn_span s) {
  if (span_is(s, "<s>") || span_is(s, "</s>") || span_is(s, "<sil>"))
    return true;
  if (s.n < 3) return false;
  const char first = s.p[0], last = s.p[s.n - 1];
  return (first == '[' && last == ']') || (first == '+' && last == '+');
}

/* Without "(2)" and the like at the end. */
static sn_span without_variant(sn_span s) {
  if (s.n < 4 || s.p[s.n - 1] != ')') return s;
  size_t i = s.n - 1;
  while (i > 0 && s.p[i - 1] >= '0' && s.p[i - 1] <= '9') i--;
  if (i >= 2 && i < s.n - 1 && s.p[i - 1] == '(') s.n = i - 1;
  return s;
}

/* The rest of a word as sclite 2.10 takes it: up to a ';' that no backslash
 * guards, without backslashes, without a '*' behind something. */
static sn_status add_as_sclite(sn_str *out, sn_span s, sn_err *err) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == ';' && (i == 0 || s.p[i - 1] != '\\')) break;
    if (s.p[i] == '\\') continue;
    const char c =
        s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    SN_TRY(sn_str_add(out, &c, 1, err));
  }
  if (out->n > 1 && out->data[out->n - 1] == '*') out->n--;
  return SN_OK;
}

/* The word as it is compared; in w->folded until the next call. */
static sn_status normal_form(sn_score_words *w, sn_span word, sn_span *out,
                             sn_err *err) {
  sn_str_reset(&w->folded);
  SN_TRY(w->sclite ? add_as_sclite(&w->folded, word, err)
                   : sn_casefold_add(&w->folded, word, err));
  *out = without_variant((sn_span){sn_str_get(&w->folded), w->folded.n});
  return SN_OK;
}

static sn_status refuse_notation(sn_span word, sn_err *err) {
  if (!span_is(word, "@") && word.p[0] != '{') return SN_OK;
  return sn_fail(err, SN_EFORMAT,
                 "'%.*s' is sclite's notation for %s, which is not supported",
                 (int)word.n, word.p,
                 word.p[0] == '@' ? "no word" : "alternatives");
}

sn_status sn_score_words_add(sn_score_words *w, sn_span word, sn_arr_i32 *ids,
                             sn_err *err) {
  SN_ASSERT(w != NULL && ids != NULL);
  sn_span s;
  if (w->sclite) SN_TRY(refuse_notation(word, err));
  SN_TRY(normal_form(w, word, &s, err));
  if (s.n == 0 || is_dropped(s)) return SN_OK;
  const int32_t key = sn_symtab_find(w->keys, s.p, s.n);
  if (key < 0) {
    int32_t id;
    SN_TRY(sn_symtab_add(w->words, s.p, s.n, &id, err));
    return SN_ARR_PUSH(ids, id, err);
  }
  for (int32_t i = w->at.data[key]; i < w->at.data[key + 1]; i++)
    SN_TRY(SN_ARR_PUSH(ids, w->ids.data[i], err));
  return SN_OK;
}

static sn_status read_map_line(sn_score_words *w, sn_reader *r, sn_span line,
                               sn_err *err) {
  size_t bad;
  if (!sn_utf8_valid(line.p, line.n, &bad))
    return sn_reader_fail(r, err, "byte %zu is not UTF-8", bad + 1);
  sn_span key, word, s, extra;
  if (!sn_next_field_sep(&line, '\t', &key)) return SN_OK;
  key = sn_span_trim(key);
  sn_span rest = key;
  if (!sn_next_field(&rest, &word))
    return sn_reader_fail(r, err, "expected 'word TAB replacement'");
  if (sn_next_field(&rest, &extra))
    return sn_reader_fail(r, err,
                          "expected one word, a TAB and its replacement (which "
                          "may be empty)");
  SN_TRY(normal_form(w, word, &s, err));
  if (sn_symtab_find(w->keys, s.p, s.n) >= 0)
    return sn_reader_fail(r, err, "word '%.*s' is mapped already", (int)word.n,
                          word.p);
  int32_t id;
  SN_TRY(sn_symtab_add(w->keys, s.p, s.n, &id, err));
  while (sn_next_field(&line, &word)) {
    SN_TRY(normal_form(w, word, &s, err));
    SN_TRY(sn_symtab_add(w->words, s.p, s.n, &id, err));
    SN_TRY(SN_ARR_PUSH(&w->ids, id, err));
  }
  return SN_ARR_PUSH(&w->at, (int32_t)w->ids.n, err);
}

static sn_status read_map(sn_score_words *w, const char *path, sn_err *err) {
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  sn_span line;
  bool more = true;
  sn_status s = SN_OK;
  while (s == SN_OK) {
    s = sn_read_line(r, &line, &more, err);
    if (s != SN_OK || !more) break;
    const sn_span trimmed = sn_span_trim(line);
    if (trimmed.n == 0) continue;
    s = memchr(line.p, '\t', line.n) != NULL
            ? read_map_line(w, r, line, err)
            : sn_reader_fail(r, err,
                             "no TAB between word and replacement: '%.*s'",
                             (int)(trimmed.n < 60 ? trimmed.n : 60), trimmed.p);
  }
  sn_reader_destroy(r);
  return s;
}

sn_status sn_score_words_create(const char *map_path, bool sclite,
                                sn_score_words **out, sn_err *err) {
  SN_ASSERT(out != NULL);
  *out = NULL;
  sn_score_words *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, "words to score");
  w->sclite = sclite;
  sn_status s = sn_symtab_create(&w->words, err);
  if (s == SN_OK) s = sn_symtab_create(&w->keys, err);
  if (s == SN_OK) s = SN_ARR_PUSH(&w->at, 0, err);
  if (s == SN_OK && map_path != NULL) s = read_map(w, map_path, err);
  if (s != SN_OK) {
    sn_score_words_destroy(w);
    return s;
  }
  *out = w;
  return SN_OK;
}

void sn_score_words_destroy(sn_score_words *w) {
  if (w == NULL) return;
  sn_symtab_destroy(w->words);
  sn_symtab_destroy(w->keys);
  SN_ARR_FREE(&w->at);
  SN_ARR_FREE(&w->ids);
  sn_str_clear(&w->folded);
  sn_free(w);
}

const char *sn_score_word(const sn_score_words *w, int32_t id) {
  return sn_symtab_get(w->words, id);
}
