/* SPDX-License-Identifier: Apache-2.0 */
/* tests/decoder/rescore_support.h - random models for random lattices, and what
 * a path costs by the definition. */
#ifndef SN_TESTS_RESCORE_SUPPORT_H
#define SN_TESTS_RESCORE_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decoder/lat_paths.h"
#include "decoder/lat_rescore.h"
#include "decoder/lat_words.h"
#include "tests/decoder/lat_random.h"
#include "tests/lm/lm_support.h"
#include "tests/ref/ngram_ref.h"

#define LN10 2.302585092994045684
/* Up to 12 arcs, each rounded to a float of at most 128: 12 * 4e-6; and the
 * back-off paths that count as equal within 1e-6 each. */
#define TOLERANCE 2e-4

enum { N_LM_WORDS = 4, FILLER = 5, NOWHERE = 6, N_LABELS = 6 };

static const sn_lat_scales scales = {1.0, 0.25, 0.0};
static const sn_lat_rescore_opts no_limits = {.old_scale = 1.0,
                                              .new_scale = 1.0,
                                              .beam = HUGE_VAL,
                                              .max_histories = 1000000000,
                                              .oov_cost = 3.5};

/* Labels 1 .. 4 are words of the models. */
static const char *const spelt[N_LABELS + 1] = {
    "<eps>", "w2", "w3", "w4", "w5", "<sil>", "nowhere"};

/* ---- The definition ---- */

static inline void join(const char *const *words, int n, char *out) {
  out[0] = '\0';
  for (int i = 0; i < n; i++) {
    if (i > 0) strcat(out, " ");
    strcat(out, words[i]);
  }
}

static inline const ref_ngram *find_words(const ref_lm *m,
                                          const char *const *words, int n) {
  char key[512];
  join(words, n, key);
  return ref_lm_find(m, key);
}

/* The longest end of words[0..n) that is an n-gram short enough to be a
 * history. */
static inline int shorten(const ref_lm *m, const char *const **words, int n) {
  while (n > 0 && (n >= m->order || find_words(m, *words, n) == NULL)) {
    (*words)++;
    n--;
  }
  return n;
}

/* Least cost of words[at..end) when the last n_h before them are the history,
 * over all ways to back off; or, with `exact`, only where there is no n-gram. A
 * word that the model does not have is a unigram of cost `oov`. */
static inline double ref_cost(const ref_lm *m, const char *const *words, int at,
                              int end, int n_h, double oov, bool exact) {
  if (at == end) return 0.0;
  const char *const *const history = words + at - n_h;
  double least = HUGE_VAL;
  const ref_ngram *const here = find_words(m, history, n_h + 1);
  if (here != NULL) {
    const char *const *next = history;
    const int n = shorten(m, &next, n_h + 1);
    least =
        -LN10 * here->log10p + ref_cost(m, words, at + 1, end, n, oov, exact);
  }
  if (n_h > 0 && !(exact && here != NULL)) {
    const ref_ngram *const h = find_words(m, history, n_h);
    const char *const *next = history + 1;
    const int n = shorten(m, &next, n_h - 1);
    least = fmin(least, -LN10 * (h != NULL ? h->backoff : 0.0) +
                            ref_cost(m, words, at, end, n, oov, exact));
  }
  if (n_h == 0 && here == NULL)
    least = oov + ref_cost(m, words, at + 1, end, 0, oov, exact);
  return least;
}

/* Cost of a path's words: <s> before, </s> behind, fillers skipped. */
static inline double ref_sentence(const ref_lm *m, const random_path *p,
                                  double oov, bool exact) {
  const char *words[RANDOM_MAX_WORDS + 2] = {"<s>"};
  int n = 1;
  for (size_t i = 0; i < p->n; i++)
    if (p->words[i] != FILLER) words[n++] = spelt[p->words[i]];
  words[n++] = "</s>";
  return ref_cost(m, words, 1, n, 1, oov, exact);
}

/* ---- Models ---- */

typedef struct model {
  char *text;
  sn_ngram *lm;
  ref_lm *ref;
  sn_arr_i32 words;
} model;

static inline sn_lat_words *table(void) {
  sn_lat_words *w = NULL;
  assert_int_equal(sn_lat_words_create(&w, NULL), SN_OK);
  for (int32_t i = 1; i <= N_LABELS; i++)
    assert_int_equal(sn_lat_words_set(w, i, spelt[i], strlen(spelt[i]), NULL),
                     SN_OK);
  return w;
}

static inline model random_model(int order, double keep, uint64_t seed) {
  const random_lm o = {order, N_LM_WORDS + 2, keep, 0.0, 0};
  model m = {0};
  m.text = random_arpa(&o, seed);
  m.lm = load_text(m.text);
  m.ref = ref_lm_read(m.text);
  sn_lat_words *const w = table();
  assert_int_equal(sn_lat_words_map(w, m.lm, &m.words, NULL), SN_OK);
  assert_int_equal(m.words.n, N_LABELS + 1);
  assert_int_equal(m.words.data[0], SN_LAT_NOT_A_WORD);
  assert_int_equal(m.words.data[FILLER], SN_LAT_NOT_A_WORD);
  assert_int_equal(m.words.data[NOWHERE], -1);
  sn_lat_words_destroy(w);
  return m;
}

static inline void model_clear(model *m) {
  free(m->text);
  sn_ngram_destroy(m->lm);
  ref_lm_free(m->ref);
  SN_ARR_FREE(&m->words);
}

static inline sn_lat_lm use(const model *m) {
  return (sn_lat_lm){m->lm, m->words.data, m->words.n};
}

static inline const random_path *find_path(const random_paths *all,
                                           const random_path *p) {
  for (size_t i = 0; i < all->n; i++)
    if (same_words(&all->p[i], p)) return &all->p[i];
  return NULL;
}

static inline double new_graph(const model *old_m, const model *new_m,
                               const random_path *p,
                               const sn_lat_rescore_opts *o) {
  return p->graph -
         o->old_scale * ref_sentence(old_m->ref, p, 0.0, o->exact_old) +
         o->new_scale * ref_sentence(new_m->ref, p, o->oov_cost, true);
}
#endif
