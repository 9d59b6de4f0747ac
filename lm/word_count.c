/* SPDX-License-Identifier: Apache-2.0 */
/* Words with counts: a symbol table and an array, sorted on demand. */
#include "lm/word_count.h"

#include <stdlib.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"

typedef struct entry {
  const char *word; /* of the symbol table */
  int64_t n;
  int32_t id;
} entry;

struct sn_word_count {
  sn_log *log;
  sn_symtab *words;
  SN_ARR(int64_t) counts; /* by id; 0: not counted (any more) */
  SN_ARR(entry) sorted;
  int64_t total;
};

sn_status sn_word_count_create(sn_log *log, sn_word_count **out, sn_err *err) {
  *out = NULL;
  sn_word_count *const c = sn_calloc(1, sizeof *c);
  if (c == NULL) return sn_fail_nomem(err, "counting words");
  c->log = log;
  const sn_status s = sn_symtab_create(&c->words, err);
  if (s == SN_OK)
    *out = c;
  else
    sn_word_count_destroy(c);
  return s;
}

void sn_word_count_destroy(sn_word_count *c) {
  if (c == NULL) return;
  sn_symtab_destroy(c->words);
  SN_ARR_FREE(&c->counts);
  SN_ARR_FREE(&c->sorted);
  sn_free(c);
}

/* The list that sort made: brings `sorted` up to date in order of ids. */
static sn_status list(sn_word_count *c, sn_err *err) {
  c->sorted.n = 0;
  for (size_t i = 0; i < c->counts.n; i++) {
    const entry e = {sn_symtab_get(c->words, (int32_t)i), c->counts.data[i],
                     (int32_t)i};
    if (e.n > 0) SN_TRY(SN_ARR_PUSH(&c->sorted, e, err));
  }
  return SN_OK;
}

static sn_status add_word(sn_word_count *c, sn_span w, sn_err *err) {
  int32_t id;
  SN_TRY(sn_symtab_add(c->words, w.p, w.n, &id, err));
  while (c->counts.n <= (size_t)id) SN_TRY(SN_ARR_PUSH(&c->counts, 0, err));
  c->counts.data[id]++;
  c->total++;
  return SN_OK;
}

typedef sn_status word_fn(void *user, sn_span word, sn_err *err);

/* Each word of a text. */
static sn_status for_each_word(sn_text_source *t, sn_reader *r, sn_log *log,
                               word_fn *fn, void *user, sn_err *err) {
  for (int64_t n_lines = 1;; n_lines++) {
    const sn_span *words;
    size_t n;
    SN_TRY(sn_text_next(t, r, &words, &n, err));
    if (n == 0) return SN_OK;
    for (size_t i = 0; i < n; i++) SN_TRY(fn(user, words[i], err));
    if ((n_lines & 0xfff) != 0) continue;
    sn_log_progress(log, "counting", "sentences", n_lines, 0, false);
    if (sn_log_cancelled(log))
      return sn_fail(err, SN_ECANCEL, "%s: interrupted", sn_reader_name(r));
  }
}

static sn_status add_one(void *user, sn_span w, sn_err *err) {
  return add_word(user, w, err);
}

sn_status sn_word_count_add_text(sn_word_count *c, sn_text_source *t,
                                 sn_reader *r, sn_err *err) {
  SN_TRY(for_each_word(t, r, c->log, add_one, c, err));
  return list(c, err);
}

static sn_span without_variant(sn_span w) {
  if (w.n > 3 && w.p[w.n - 1] == ')') {
    size_t i = w.n - 2;
    while (i > 1 && w.p[i] >= '0' && w.p[i] <= '9') i--;
    if (w.p[i] == '(' && i < w.n - 2) w.n = i;
  }
  return w;
}

sn_status sn_word_count_keep_listed(sn_word_count *c, sn_reader *r,
                                    int64_t *n_types, int64_t *n_tokens,
                                    sn_err *err) {
  *n_types = *n_tokens = 0;
  bool *const is_listed = sn_calloc(c->counts.n, sizeof *is_listed);
  if (is_listed == NULL) return sn_fail_nomem(err, "choosing words");
  sn_status s = SN_OK;
  for (;;) {
    sn_span line, w;
    bool more;
    s = sn_read_line(r, &line, &more, err);
    if (s != SN_OK || !more) break;
    if (!sn_next_field(&line, &w)) continue;
    w = without_variant(w);
    const int32_t id = sn_symtab_find(c->words, w.p, w.n);
    if (id >= 0 && (size_t)id < c->counts.n) is_listed[id] = true;
  }
  for (size_t i = 0; i < c->counts.n && s == SN_OK; i++)
    if (!is_listed[i] && c->counts.data[i] > 0) {
      ++*n_types;
      *n_tokens += c->counts.data[i];
      c->counts.data[i] = 0;
    }
  sn_free(is_listed);
  c->total -= *n_tokens;
  return s == SN_OK ? list(c, err) : s;
}

static int by_count(const void *a, const void *b) {
  const entry *const x = a, *const y = b;
  if (x->n != y->n) return x->n < y->n ? 1 : -1;
  return strcmp(x->word, y->word);
}

void sn_word_count_sort(sn_word_count *c) {
  if (c->sorted.n > 0)
    qsort(c->sorted.data, c->sorted.n, sizeof *c->sorted.data, by_count);
}

int32_t sn_word_count_n(const sn_word_count *c) { return (int32_t)c->sorted.n; }

const char *sn_word_count_get(const sn_word_count *c, int32_t i,
                              int64_t *count) {
  SN_ASSERT(i >= 0 && (size_t)i < c->sorted.n);
  if (count != NULL) *count = c->sorted.data[i].n;
  return c->sorted.data[i].word;
}

int64_t sn_word_count_total(const sn_word_count *c) { return c->total; }

typedef struct held {
  const sn_word_count *c;
  int64_t *n; /* by id */
  int64_t total;
} held;

static sn_status count_held(void *user, sn_span w, sn_err *err) {
  held *const h = user;
  const int32_t id = sn_symtab_find(h->c->words, w.p, w.n);
  (void)err;
  h->total++;
  if (id >= 0 && (size_t)id < h->c->counts.n) h->n[id]++;
  return SN_OK;
}

sn_status sn_word_count_cover(const sn_word_count *c, sn_reader *held_out,
                              double coverage, int32_t *n, double *reached,
                              sn_err *err) {
  held h = {c, sn_calloc(c->counts.n, sizeof *h.n), 0};
  sn_text_source *t = NULL;
  if (h.n == NULL) return sn_fail_nomem(err, "choosing words");
  sn_status s = sn_text_source_create(NULL, &t, err);
  if (s == SN_OK) s = for_each_word(t, held_out, c->log, count_held, &h, err);
  sn_text_source_destroy(t);
  if (s == SN_OK && h.total == 0)
    s = sn_fail(err, SN_EARG, "%s: the held-out text has no words",
                sn_reader_name(held_out));
  if (s == SN_OK) {
    int64_t sum = 0;
    for (*n = 0; *n < sn_word_count_n(c); ++*n) {
      if ((double)sum >= coverage * (double)h.total) break;
      sum += h.n[c->sorted.data[*n].id];
    }
    *reached = (double)sum / (double)h.total;
  }
  sn_free(h.n);
  return s;
}
