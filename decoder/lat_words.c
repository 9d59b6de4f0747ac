/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings by label: a symbol table (spelling <-> dense id) and the two maps
 * between its ids and labels, which may have gaps. */
#include "decoder/lat_words.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Labels are indices here: one altered digit must not cost gigabytes. */
#define MAX_LABEL (1 << 26)
#define EPSILON "<eps>"

struct sn_lat_words {
  sn_symtab *spellings;
  sn_arr_i32 label_of; /* [symbols] */
  sn_arr_i32 id_of;    /* [largest label + 1] symbol, or -1 */
};

sn_status sn_lat_words_create(sn_lat_words **out, sn_err *err) {
  *out = NULL;
  sn_lat_words *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, "words of lattices");
  sn_status s = sn_symtab_create(&w->spellings, err);
  if (s == SN_OK) s = sn_lat_words_set(w, 0, EPSILON, strlen(EPSILON), err);
  if (s != SN_OK) {
    sn_lat_words_destroy(w);
    return s;
  }
  *out = w;
  return SN_OK;
}

void sn_lat_words_destroy(sn_lat_words *w) {
  if (w == NULL) return;
  sn_symtab_destroy(w->spellings);
  SN_ARR_FREE(&w->label_of);
  SN_ARR_FREE(&w->id_of);
  sn_free(w);
}

sn_status sn_lat_words_set(sn_lat_words *w, int32_t label, const char *word,
                           size_t n, sn_err *err) {
  if (label < 0 || label > MAX_LABEL || n == 0)
    return sn_fail(err, SN_EFORMAT, "label %d of word '%.*s' (0 to %d)", label,
                   (int)(n < 99 ? n : 99), word, MAX_LABEL);
  const int32_t known = sn_symtab_find(w->spellings, word, n);
  if (known >= 0)
    return sn_fail(err, SN_EFORMAT, "word '%.*s' has labels %d and %d",
                   (int)(n < 99 ? n : 99), word, w->label_of.data[known],
                   label);
  const char *const taken = sn_lat_words_get(w, label);
  if (taken != NULL)
    return sn_fail(err, SN_EFORMAT, "label %d is that of '%s' and '%.*s'",
                   label, taken, (int)(n < 99 ? n : 99), word);
  int32_t id = 0;
  const size_t want = (size_t)label + 1;
  SN_TRY(SN_ARR_RESERVE(&w->id_of, want, err));
  SN_TRY(SN_ARR_RESERVE(&w->label_of, w->label_of.n + 1, err));
  SN_TRY(sn_symtab_add(w->spellings, word, n, &id, err));
  while (w->id_of.n < want) w->id_of.data[w->id_of.n++] = -1;
  w->id_of.data[label] = id;
  w->label_of.data[w->label_of.n++] = label;
  return SN_OK;
}

sn_status sn_lat_words_add(sn_lat_words *w, const char *word, size_t n,
                           int32_t *label, sn_err *err) {
  const int32_t id = sn_symtab_find(w->spellings, word, n);
  if (id >= 0) {
    *label = w->label_of.data[id];
    return SN_OK;
  }
  const int32_t next = (int32_t)w->id_of.n;
  SN_TRY(sn_lat_words_set(w, next, word, n, err));
  *label = next;
  return SN_OK;
}

const char *sn_lat_words_get(const sn_lat_words *w, int32_t label) {
  if (label < 0 || (size_t)label >= w->id_of.n || w->id_of.data[label] < 0)
    return NULL;
  return sn_symtab_get(w->spellings, w->id_of.data[label]);
}

int32_t sn_lat_words_find(const sn_lat_words *w, const char *word, size_t n) {
  const int32_t id = sn_symtab_find(w->spellings, word, n);
  return id < 0 ? -1 : w->label_of.data[id];
}

int32_t sn_lat_words_n(const sn_lat_words *w) { return (int32_t)w->id_of.n; }

static sn_status read_lines(sn_reader *r, sn_lat_words *w, sn_err *err) {
  for (;;) {
    sn_span line, word, number, rest;
    bool more;
    int32_t label;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    if (!sn_next_field(&line, &word)) continue;
    if (!sn_next_field(&line, &number) || sn_next_field(&line, &rest) ||
        !sn_parse_int32(number, &label) || memchr(word.p, '\0', word.n) != NULL)
      return sn_reader_fail(r, err, "expected 'word label'");
    if (label == 0) { /* every table has one: any spelling of it will do */
      if (word.p[0] == '<' || word.p[0] == '-') continue;
      return sn_reader_fail(r, err,
                            "label 0 is that of %s, not of '%.*s': is this a "
                            "table of words?",
                            EPSILON, (int)word.n, word.p);
    }
    const sn_status s = sn_lat_words_set(w, label, word.p, word.n, err);
    if (s != SN_OK) {
      sn_err_context(err, "%s:%lld", sn_reader_name(r),
                     (long long)sn_reader_line_no(r));
      return s;
    }
  }
}

sn_status sn_lat_words_read(sn_reader *r, sn_lat_words **out, sn_err *err) {
  sn_lat_words *w = NULL;
  *out = NULL;
  SN_TRY(sn_lat_words_create(&w, err));
  sn_status s = read_lines(r, w, err);
  if (s == SN_OK && w->label_of.n == 1)
    s = sn_fail(err, SN_EFORMAT, "%s: no words", sn_reader_name(r));
  if (s != SN_OK) {
    sn_lat_words_destroy(w);
    return s;
  }
  *out = w;
  return SN_OK;
}

sn_status sn_lat_words_load(const char *path, sn_lat_words **out, sn_err *err) {
  sn_reader *r = NULL;
  *out = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_lat_words_read(r, out, err);
  sn_reader_destroy(r);
  return s;
}

static bool in_no_lm(const char *word) {
  return strcmp(word, EPSILON) == 0 || strcmp(word, "<s>") == 0 ||
         strcmp(word, "</s>") == 0 || word[0] == '#';
}

static bool is_filler(const char *word) {
  const size_t n = strlen(word);
  const char last = word[n - 1];
  if (strcmp(word, "<unk>") == 0 || strcmp(word, "<UNK>") == 0) return false;
  return n > 1 &&
         ((word[0] == '<' && last == '>') || (word[0] == '[' && last == ']') ||
          (word[0] == '+' && last == '+') || word[0] == '!');
}

sn_status sn_lat_words_map(const sn_lat_words *w, const sn_ngram *lm,
                           sn_arr_i32 *out, sn_err *err) {
  SN_TRY(SN_ARR_RESIZE(out, w->id_of.n, err));
  for (int32_t label = 0; label < sn_lat_words_n(w); label++) {
    const char *const word = sn_lat_words_get(w, label);
    int32_t id = SN_LAT_NOT_A_WORD;
    if (word != NULL && !in_no_lm(word)) {
      id = sn_ngram_find(lm, word);
      if (id < 0 && is_filler(word)) id = SN_LAT_NOT_A_WORD;
    }
    out->data[label] = id;
  }
  return SN_OK;
}
