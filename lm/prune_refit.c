/* SPDX-License-Identifier: Apache-2.0 */
/* Probabilities for the n-grams that pruning left.
 *
 * In a Kneser-Ney model the shorter n-grams' probabilities are for the places
 * that longer n-grams leave to them. Pruning makes more such places, and the
 * old numbers do not suit them: frequent words, of which nearly all longer
 * n-grams were kept so far, are far too rare ("Study on interaction between
 * entropy pruning and Kneser-Ney smoothing", Chelba et al. 2010; Siivola,
 * Hirsimaki, Virpioja 2007, "On growing and pruning Kneser-Ney smoothed N-gram
 * models", give the removed n-grams' counts to the shorter ones). Here the
 * old model says, by its own stationary distribution, how often each n-gram is
 * used, and the new model is the one of the new structure to which the old one
 * has the least relative entropy:
 *
 * 1. An event is a state of the old model and a word behind it. In the new
 *    model it uses the longest suffix that is left: U(h, w) adds up what used
 *    the n-gram itself and the pruned ones that end in it; M(h) likewise for
 *    states. Mass that reaches h and backs off from there is
 *      B(h) = M(h) + sum of B(t) over t that back off to h
 *             - sum of U(h, w) over h's words w.
 * 2. With q = p(. | h), the part of the relative entropy that depends on it is
 *      - sum of U(h, w) log q(w) + sum of B(t) log D(t) over those t,
 *      D(t) = 1 - sum of q(v) over t's words v,
 *    a likelihood of choices among some of the words, as in the models of
 *    Bradley and Terry. Log D is below its tangent; so from any q
 *      q(w) <- U(h, w) / (M(h) + sum of B(t) / D(t) over t that lack w)
 *    never raises it (Hunter 2004, "MM algorithms for generalized Bradley-Terry
 *    models"). What h leaves to words that it does not list is one more choice,
 *    but stays as it was, with what the pruned n-grams had, until all are
 *    scaled to sum to one: fitted too, it follows the old model so far that
 *    text unlike the training text suffers; kept through the scaling as well,
 *    text like it does (figures: docs/lm.md).
 * 3. Shortest histories first, ROUNDS times each: longer ones need them. */
#include <math.h>

#include "base/mem.h"
#include "lm/prune_internal.h"

#define ROUNDS 10
/* D(t) when t lists all words. */
#define MIN_LEFT 1e-6
/* An n-gram keeps this part of its probability at least: U is a difference, and
 * where nothing is left of it rounding decides. */
#define MIN_KEPT 0.01

typedef struct refit {
  sni_weights *w;
  double *used[SN_NGRAM_MAX_ORDER + 1];  /* U [k][n_k] k = 1 .. order */
  double *state[SN_NGRAM_MAX_ORDER + 1]; /* M [k][n_k] k = 1 .. order - 1 */
  double *back[SN_NGRAM_MAX_ORDER + 1];  /* B */
  /* Of the level that is being fitted: */
  double *less; /* [n of level + 1] B(t) / D(t) of t that have the word */
  double *all;  /* [n of level] M(h) + B(t) / D(t) of all t */
  double *left; /* [n of level] 1 - sum over h's words, before */
} refit;

static void clear(refit *f) {
  for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) {
    sn_free(f->used[k]);
    sn_free(f->state[k]);
    sn_free(f->back[k]);
  }
  sn_free(f->less);
  sn_free(f->all);
  sn_free(f->left);
}

static int64_t n_nodes(const sn_ngram *lm, int32_t level) {
  return level == 0 ? 1 : lm->level[level].n;
}

static sn_status init(refit *f, sni_weights *w, sn_err *err) {
  f->w = w;
  size_t most = 1;
  bool is_ok = true;
  for (int32_t k = 0; k <= w->lm->order; k++) {
    const size_t n = (size_t)n_nodes(w->lm, k);
    if (n > most) most = n;
    f->used[k] = sn_calloc(n, sizeof(double));
    f->state[k] = sn_calloc(n, sizeof(double));
    f->back[k] = sn_calloc(n, sizeof(double));
    is_ok = is_ok && f->used[k] && f->state[k] && f->back[k];
  }
  f->less = sn_calloc(most, sizeof(double));
  f->all = sn_calloc(most, sizeof(double));
  f->left = sn_calloc(most, sizeof(double));
  if (!is_ok || !f->less || !f->all || !f->left)
    return sn_fail_nomem(err, "pruning");
  return SN_OK;
}

/* ---- Step 1 ---- */

/* The node, or its longest suffix that is left and below `above`. */
static sn_ngram_state left_of(const sn_ngram *old, uint32_t *const *to,
                              int32_t above, int32_t level, int64_t node) {
  sn_ngram_state s = {level, node};
  while (s.level > 1 && (s.level >= above || to[s.level][s.node] == UINT32_MAX))
    s = sni_link_state(old, s.level, old->level[s.level].suffix[s.node]);
  if (s.level > 1) s.node = (int64_t)to[s.level][s.node];
  return s;
}

static void add_up(refit *f, const sn_ngram *old, uint32_t *const *to,
                   const sni_marginals *m) {
  const sn_ngram *const lm = f->w->lm;
  for (int32_t k = 1; k <= old->order; k++)
    for (int64_t i = 0; i < old->level[k].n; i++) {
      sn_ngram_state s = left_of(old, to, lm->order + 1, k, i);
      f->used[s.level][s.node] += fmax(0.0, m->used[k][i]);
      if (k == old->order) continue;
      s = left_of(old, to, lm->order, k, i);
      f->state[s.level][s.node] += m->state[k][i];
    }
  for (int32_t k = lm->order - 1; k >= 1; k--)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const sn_ngram_state h = {k, i}, to_h = sn_ngram_backoff_state(lm, h);
      int64_t first;
      const int64_t n = sn_ngram_children(lm, h, &first);
      double b = f->back[k][i] + f->state[k][i];
      for (int64_t c = first; c < first + n; c++) b -= f->used[k + 1][c];
      b = fmax(0.0, b);
      f->back[k][i] = b;
      f->back[to_h.level][to_h.node] += b;
    }
}

/* ---- Step 2 ---- */

/* What t adds to its shorter history h, of the level that is fitted. */
static void add_choice(refit *f, sn_ngram_state t, sn_ngram_state h) {
  const sni_weights *const w = f->w;
  int64_t first;
  const int64_t n = sn_ngram_children(w->lm, t, &first);
  const double b = f->back[t.level][t.node];
  if (b <= 0.0) return;
  double listed = 0.0;
  for (int64_t i = first; i < first + n; i++) {
    if (sn_ngram_child_word(w->lm, t.level + 1, i) == w->lm->bos) continue;
    listed += exp(sni_backed_off_logp(w, t, t.level + 1, i));
  }
  const double share = b / fmax(MIN_LEFT, 1.0 - listed);
  f->all[h.node] += share;
  for (int64_t i = first; i < first + n; i++) {
    const sn_ngram_state to =
        sni_link_state(w->lm, t.level + 1, w->lm->level[t.level + 1].suffix[i]);
    if (to.level == h.level + 1) f->less[to.node] += share;
  }
}

/* log of the words' new probabilities, and h's back-off weight. */
static void fit_history(refit *f, sn_ngram_state h) {
  sni_weights *const w = f->w;
  const int32_t k = h.level;
  int64_t first = 0;
  const int64_t n =
      k == 0 ? w->lm->level[1].n : sn_ngram_children(w->lm, h, &first);
  const double all = f->all[h.node];
  double sum = 0.0, lower = 0.0;
  if (n == 0 || all <= 0.0) return;
  for (int64_t i = first; i < first + n; i++) {
    const int32_t word = k == 0 ? (int32_t)i : w->lm->level[k + 1].word[i];
    if (word == w->lm->bos) continue;
    const double p = exp((double)w->logp[k + 1][i]);
    const double of = all - f->less[i];
    double q = of > 0.0 ? f->used[k + 1][i] / of : p;
    q = fmax(q, MIN_KEPT * p);
    f->less[i] = q; /* no longer needed */
    sum += q;
    if (k > 0) lower += exp(sni_backed_off_logp(w, h, k + 1, i));
  }
  const double left = k > 0 && lower < 1.0 - MIN_LEFT ? f->left[h.node] : 0.0;
  for (int64_t i = first; i < first + n; i++) {
    const int32_t word = k == 0 ? (int32_t)i : w->lm->level[k + 1].word[i];
    if (word == w->lm->bos) continue;
    w->logp[k + 1][i] = (float)fmin(0.0, log(f->less[i] / (sum + left)));
  }
  if (k > 0)
    w->backoff[k][h.node] =
        left > 0.0 ? (float)log(left / (sum + left) / (1.0 - lower)) : 0.0f;
}

/* What histories of level k leave to shorter ones: what the model had, and the
 * pruned n-grams' probabilities. */
static void note_left(refit *f, int32_t k) {
  const sn_ngram *const lm = f->w->lm;
  for (int64_t i = 0; k > 0 && i < lm->level[k].n; i++) {
    const sn_ngram_state h = {k, i};
    int64_t first;
    const int64_t n = sn_ngram_children(lm, h, &first);
    double sum = 0.0;
    for (int64_t c = first; c < first + n; c++)
      if (lm->level[k + 1].word[c] != lm->bos)
        sum += exp((double)f->w->logp[k + 1][c]);
    f->left[i] = fmax(MIN_LEFT, 1.0 - sum);
  }
}

static void fit_level(refit *f, int32_t k) {
  const sn_ngram *const lm = f->w->lm;
  for (int64_t i = 0; i < n_nodes(lm, k); i++) {
    f->all[i] = k == 0 ? 0.0 : f->state[k][i];
  }
  for (int64_t i = 0; i < lm->level[k + 1].n; i++) f->less[i] = 0.0;
  for (int32_t j = k + 1; j < lm->order; j++)
    for (int64_t i = 0; i < lm->level[j].n; i++) {
      const sn_ngram_state t = {j, i}, h = sn_ngram_backoff_state(lm, t);
      if (h.level == k) add_choice(f, t, h);
    }
  for (int64_t i = 0; i < n_nodes(lm, k); i++) {
    const sn_ngram_state h = {k, i};
    fit_history(f, h);
  }
}

sn_status sni_refit(sni_weights *w, const sn_ngram *old, uint32_t *const *to,
                    const sni_marginals *m, sn_log *log, sn_err *err) {
  refit f = {0};
  if (w->lm->order < 2) return SN_OK;
  sn_status s = init(&f, w, err);
  if (s == SN_OK) add_up(&f, old, to, m);
  for (int32_t k = 0; k < w->lm->order && s == SN_OK; k++) {
    note_left(&f, k);
    for (int i = 0; i < ROUNDS && s == SN_OK; i++) {
      fit_level(&f, k);
      if (sn_log_cancelled(log))
        s = sn_fail(err, SN_ECANCEL, "pruning: interrupted");
    }
  }
  clear(&f);
  return s;
}
