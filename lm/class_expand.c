/* SPDX-License-Identifier: Apache-2.0 */
/* From n-grams of classes to n-grams of words.
 *
 * What leaving words w1 .. wn of classes t1 .. tn out costs is
 *   P(t1 .. tn) |ln P(tn | h) - ln P'(tn | h)| * P(w1 | t1) .. P(wn | tn),
 * P' by backing off: a number of the class n-gram times one of the words.
 * 1. The weight of a class n-gram is the largest such number of itself and of
 *    those that begin with it, words after it the likeliest ones: so an n-gram
 *    of words is listed when it, or one that begins with it, costs enough, and
 *    each listed n-gram's prefixes are listed as well, with the class model's
 *    probabilities.
 * 2. Level by level, the words of each class n-gram. The words of a class are
 *    visited likeliest first, so a branch ends with the first combination that
 *    is too light.
 * 3. Back-off weights from what is listed (sni_ngram_normalise). Where all is
 *    listed they are the class model's own, without the cancellation in one
 *    less a sum near one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lm/classes.h"
#include "lm/ngram_internal.h"

typedef struct member {
  double prob;
  int32_t word; /* in the new model */
} member;

typedef struct expander {
  const sn_ngram *lm;
  sni_builder b;
  SN_ARR(member) members; /* by token of lm, likeliest first */
  uint32_t *first;        /* [tokens + 1] */
  double threshold;
  double *weight[SN_NGRAM_MAX_ORDER + 1]; /* [level 2 ..][n-grams]; step 1 */
  int64_t n_added;
  sn_log *log;
  /* the n-gram of classes that is being expanded */
  int32_t n, tokens[SN_NGRAM_MAX_ORDER], words[SN_NGRAM_MAX_ORDER];
  double logp;   /* P(tn | h) */
  float backoff; /* of it as a history */
} expander;

static int likeliest_first(const void *a, const void *b) {
  const member *const x = a, *const y = b;
  if (x->prob != y->prob) return x->prob < y->prob ? 1 : -1;
  return (x->word > y->word) - (x->word < y->word);
}

static sn_status add_word(expander *x, const char *text, int32_t token,
                          double prob, sn_err *err) {
  const member m = {prob, sni_builder_find(&x->b, text, strlen(text))};
  if (m.word >= 0)
    return sn_fail(err, SN_EMISMATCH,
                   "'%s' is a word of the model and of a class", text);
  const double least = SNI_ARPA_ZERO_LOG10P * SNI_LN10;
  const double sum = sn_ngram_node_logp(x->lm, 1, token) + log(prob);
  bool is_new;
  SN_TRY(sni_builder_add_word(
      &x->b, text, strlen(text), (float)(sum > least ? sum : least),
      (float)sn_ngram_node_backoff(x->lm, 1, token), &is_new, err));
  member added = m;
  added.word = sni_builder_find(&x->b, text, strlen(text));
  return SN_ARR_PUSH(&x->members, added, err);
}

/* Level 1, and each token's words. */
static sn_status add_words(expander *x, const sn_classes *c, sn_log *log,
                           sn_err *err) {
  const int32_t n = sn_ngram_n_words(x->lm);
  int64_t n_missing = 0;
  for (int32_t t = 0; t < n; t++) {
    const char *const text = sn_ngram_word(x->lm, t);
    const int32_t k = sn_symtab_finds(c->names, text);
    x->first[t] = (uint32_t)x->members.n;
    if (k < 0) {
      SN_TRY(add_word(x, text, t, 1.0, err));
      continue;
    }
    for (size_t w = 0; w < c->class_of.n; w++)
      if (c->class_of.data[w] == k)
        SN_TRY(add_word(x, sn_symtab_get(c->words, (int32_t)w), t,
                        c->prob.data[w], err));
    qsort(x->members.data + x->first[t], x->members.n - x->first[t],
          sizeof *x->members.data, likeliest_first);
  }
  x->first[n] = (uint32_t)x->members.n;
  for (int32_t k = 0; k < sn_symtab_n(c->names); k++)
    n_missing += sn_ngram_find(x->lm, sn_symtab_get(c->names, k)) < 0;
  if (n_missing == sn_symtab_n(c->names))
    return sn_fail(err, SN_EMISMATCH,
                   "none of the %lld classes is a word of the model: it is no "
                   "model over these classes",
                   (long long)n_missing);
  if (n_missing > 0)
    sn_warn(log, "%lld of %d classes are not in the model: left out",
            (long long)n_missing, sn_symtab_n(c->names));
  return sni_builder_end_level(&x->b, err);
}

/* Words of tokens[at ..]; `weight` of what stands before, `prob` of its last
 * word in its class. */
static sn_status add_combinations(expander *x, int32_t at, double weight,
                                  double prob, sn_err *err) {
  if (at == x->n) {
    const double least = SNI_ARPA_ZERO_LOG10P * SNI_LN10;
    const double sum = x->logp + log(prob);
    if (++x->n_added > INT32_MAX)
      return sn_fail(err, SN_ELIMIT,
                     "more than 2^31 n-grams; raise the threshold");
    if ((x->n_added & 0xffff) == 0 && sn_log_cancelled(x->log))
      return sn_fail(err, SN_ECANCEL, "interrupted");
    return sni_builder_add(&x->b, x->words, (float)(sum > least ? sum : least),
                           x->backoff, err);
  }
  const int32_t t = x->tokens[at];
  for (uint32_t i = x->first[t]; i < x->first[t + 1]; i++) {
    const member *const m = &x->members.data[i];
    if (weight * m->prob < x->threshold) return SN_OK;
    x->words[at] = m->word;
    SN_TRY(add_combinations(x, at + 1, weight * m->prob, m->prob, err));
  }
  return SN_OK;
}

/* P(t1 .. tn) |ln P(tn | h) - ln P'(tn | h)|; <s> is certain. */
static double class_weight(const expander *x) {
  sn_ngram_state h = {0, 0};
  double logp = x->logp;
  for (int32_t i = 0; i + 1 < x->n; i++) {
    const double own = sn_ngram_score(x->lm, h, x->tokens[i], &h, NULL);
    if (x->tokens[i] != x->lm->bos) logp += own;
  }
  const double shorter = sn_ngram_score(x->lm, sn_ngram_backoff_state(x->lm, h),
                                        x->tokens[x->n - 1], NULL, NULL);
  const double backed = sn_ngram_node_backoff(x->lm, h.level, h.node) + shorter;
  return exp(logp) * fabs(x->logp - backed);
}

/* Step 1. A factor above the rounding of a product of order factors: a prefix
 * must not fall below what it was weighed by. */
static sn_status find_weights(expander *x, sn_err *err) {
  static const double above = 1.0 + 1e-12;
  const sn_ngram *const lm = x->lm;
  for (int32_t k = lm->order; k >= 2; k--) {
    sni_walk walk;
    const int64_t n = lm->level[k].n;
    x->weight[k] = sn_calloc((size_t)n, sizeof *x->weight[k]);
    if (x->weight[k] == NULL && n > 0) return sn_fail_nomem(err, "classes");
    sni_walk_init(&walk, lm, k);
    x->n = k;
    for (int64_t i = 0; i < n; i++) {
      sni_walk_to(&walk, i);
      memcpy(x->tokens, walk.words, (size_t)k * sizeof *x->tokens);
      x->logp = sn_ngram_node_logp(lm, k, i);
      double most = class_weight(x);
      if (k < lm->order)
        for (uint32_t c = lm->level[k].first[i]; c < lm->level[k].first[i + 1];
             c++) {
          const uint32_t at = x->first[lm->level[k + 1].word[c]];
          const double w =
              x->weight[k + 1][c] * x->members.data[at].prob * above;
          if (w > most) most = w;
        }
      x->weight[k][i] = most;
      if ((i & 0xffff) == 0 && sn_log_cancelled(x->log))
        return sn_fail(err, SN_ECANCEL, "interrupted");
    }
  }
  return SN_OK;
}

static sn_status expand_level(expander *x, int32_t k, sn_err *err) {
  sni_walk walk;
  sni_walk_init(&walk, x->lm, k);
  x->n = k;
  for (int64_t i = 0; i < x->lm->level[k].n; i++) {
    sni_walk_to(&walk, i);
    memcpy(x->tokens, walk.words, (size_t)k * sizeof *x->tokens);
    x->logp = sn_ngram_node_logp(x->lm, k, i);
    x->backoff = (float)sn_ngram_node_backoff(x->lm, k, i);
    const double weight = x->threshold > 0.0 ? x->weight[k][i] : 1.0;
    SN_TRY(add_combinations(x, 0, weight, 1.0, err));
    sn_log_progress(x->log, "expanding", "n-grams of classes", i,
                    x->lm->level[k].n, i + 1 == x->lm->level[k].n);
    if ((i & 0xff) == 0 && sn_log_cancelled(x->log))
      return sn_fail(err, SN_ECANCEL, "interrupted");
  }
  return sni_builder_end_level(&x->b, err);
}

static sn_status expand(expander *x, const sn_classes *c, sn_ngram **out,
                        sn_err *err) {
  const int32_t order = x->lm->order;
  SN_TRY(sni_builder_init(&x->b, "expanded classes", order, err));
  x->first = sn_calloc((size_t)sn_ngram_n_words(x->lm) + 1, sizeof *x->first);
  if (x->first == NULL) return sn_fail_nomem(err, "classes");
  SN_TRY(add_words(x, c, x->log, err));
  if (x->threshold > 0.0) SN_TRY(find_weights(x, err));
  for (int32_t k = 2; k <= order; k++) SN_TRY(expand_level(x, k, err));
  SN_TRY(sni_builder_take(&x->b, out, err));
  SN_ASSERT(x->b.n_inserted == 0);
  if (x->threshold > 0.0) sni_ngram_normalise(*out);
  return SN_OK;
}

sn_status sn_classes_expand(const sn_classes *c, const sn_ngram *lm,
                            double threshold, sn_log *log, sn_ngram **out,
                            sn_err *err) {
  sn_ngram *plain = NULL;
  *out = NULL;
  SN_TRY(sni_ngram_plain(lm, &plain, err));
  expander *const x = sn_calloc(1, sizeof *x);
  sn_status s = x != NULL ? SN_OK : sn_fail_nomem(err, "classes");
  if (x != NULL) {
    x->lm = plain != NULL ? plain : lm;
    x->threshold = threshold;
    x->log = log;
    s = expand(x, c, out, err);
    for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) sn_free(x->weight[k]);
    sni_builder_clear(&x->b);
    SN_ARR_FREE(&x->members);
    sn_free(x->first);
    sn_free(x);
  }
  sn_ngram_destroy(plain);
  return s;
}
