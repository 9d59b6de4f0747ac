/* SPDX-License-Identifier: Apache-2.0 */
/* How often each history of a back-off model occurs, by the model's own
 * distribution.
 *
 * A product of the model's conditional probabilities is not that: the lower
 * orders of a Kneser-Ney model tell after how many words something follows, not
 * how often it occurs (Chelba, Brants, Neveitt, Xu 2010, "Study on interaction
 * between entropy pruning and Kneser-Ney smoothing"). But the model as a whole
 * is a Markov chain over its histories, whose stationary distribution m is what
 * is wanted:
 *
 * 1. Mass that reaches history h, be it the state or backed off to:
 *      G(h) = m(h) + sum of backoff(t) G(t) over t that back off to h.
 * 2. Words that take their probability from the n-gram (h, w):
 *      used(h, w) = G(h) p(w | h) - sum of G(t) backoff(t .. h) p(w | h)
 *    over the longer (t, w) whose longest suffix is (h, w): there the longer
 *    n-gram is used. Its sum over all n-grams is 1.
 * 3. The next m: used(h, w) goes to the history that (h, w) leads to; a
 *    sentence end leads to <s>. Again from 1. until m stays.
 * 4. A history occurs whenever it or a longer one that ends in it is the state,
 *    and an n-gram whenever it or a longer one that ends in it is used.
 *
 * Cost: each round reads every n-gram's two probabilities; 20 rounds or so. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/prune_internal.h"

#define MAX_ROUNDS 60
/* A marginal is a sum of differences, and may be 0 where a history never
 * occurs: then this part of the probability is left. */
#define MIN_KEPT 0.01
#define UNCHANGED 1e-6 /* sum of differences of m */
/* <s> as a history when there is no </s>: one sentence in 20 words. */
#define BOS_SHARE 0.05

typedef struct chain {
  const sni_weights *w;
  float *p[SN_NGRAM_MAX_ORDER + 1];      /* [k][n_k] */
  float *q[SN_NGRAM_MAX_ORDER + 1];      /* [k][n_k] backed off; k = 2 .. */
  double *mass[SN_NGRAM_MAX_ORDER + 1];  /* [k][n_k] m; k below the order */
  double *reach[SN_NGRAM_MAX_ORDER + 1]; /* [k][n_k] G */
  double *used[SN_NGRAM_MAX_ORDER + 1];  /* [k][n_k] k = 1 .. order */
} chain;

static void chain_clear(chain *c) {
  for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) {
    sn_free(c->p[k]);
    sn_free(c->q[k]);
    sn_free(c->used[k]);
    sn_free(c->mass[k]);
    sn_free(c->reach[k]);
  }
}

void sni_marginals_clear(sni_marginals *m) {
  for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) {
    sn_free(m->occurs[k]);
    sn_free(m->state[k]);
    sn_free(m->used[k]);
    m->occurs[k] = m->state[k] = m->used[k] = NULL;
  }
}

static sn_status chain_init(chain *c, sn_err *err) {
  const sn_ngram *const lm = c->w->lm;
  for (int32_t k = 1; k <= lm->order; k++) {
    const size_t n = (size_t)lm->level[k].n;
    const bool is_top = k == lm->order;
    c->p[k] = sn_calloc(n, sizeof(float));
    c->q[k] = sn_calloc(n, sizeof(float));
    c->used[k] = sn_calloc(n, sizeof(double));
    bool is_ok = c->p[k] && c->q[k] && c->used[k];
    if (!is_top) {
      c->mass[k] = sn_calloc(n, sizeof(double));
      c->reach[k] = sn_calloc(n, sizeof(double));
      is_ok = is_ok && c->mass[k] && c->reach[k];
    }
    if (!is_ok) return sn_fail_nomem(err, "pruning");
    for (size_t i = 0; i < n; i++) c->p[k][i] = expf(c->w->logp[k][i]);
  }
  if (lm->bos >= 0) c->p[1][lm->bos] = 0.0f; /* never predicted */
  for (int32_t k = 1; k < lm->order; k++)
    for (int64_t h = 0; h < lm->level[k].n; h++) {
      const sn_ngram_state s = {k, h};
      int64_t first;
      const int64_t n = sn_ngram_children(lm, s, &first);
      for (int64_t i = first; i < first + n; i++) {
        if (sn_ngram_child_word(lm, k + 1, i) == lm->bos)
          c->p[k + 1][i] = 0.0f;
        else
          c->q[k + 1][i] = (float)exp((double)c->w->backoff[k][h] +
                                      sni_backed_off_logp(c->w, s, k + 1, i));
      }
    }
  return SN_OK;
}

static double *mass_of(chain *c, sn_ngram_state s) {
  return &c->mass[s.level][s.node];
}

/* Steps 1 and 2. */
static void use(chain *c) {
  const sn_ngram *const lm = c->w->lm;
  double empty = 0.0;
  for (int32_t k = 1; k <= lm->order; k++) {
    const size_t n = (size_t)lm->level[k].n;
    memset(c->used[k], 0, n * sizeof(double));
    if (k < lm->order) memcpy(c->reach[k], c->mass[k], n * sizeof(double));
  }
  for (int32_t k = lm->order - 1; k >= 1; k--)
    for (int64_t h = 0; h < lm->level[k].n; h++) {
      const sn_ngram_state s = {k, h};
      const double reach = c->reach[k][h];
      if (reach == 0.0) continue;
      const sn_ngram_state to = sn_ngram_backoff_state(lm, s);
      const double backed = reach * exp((double)c->w->backoff[k][h]);
      if (to.level == 0)
        empty += backed;
      else
        c->reach[to.level][to.node] += backed;
      int64_t first;
      const int64_t n = sn_ngram_children(lm, s, &first);
      for (int64_t i = first; i < first + n; i++) {
        const sn_ngram_state suffix =
            sni_link_state(lm, k + 1, lm->level[k + 1].suffix[i]);
        c->used[k + 1][i] += reach * (double)c->p[k + 1][i];
        c->used[suffix.level][suffix.node] -= reach * (double)c->q[k + 1][i];
      }
    }
  for (int64_t i = 0; i < lm->level[1].n; i++)
    c->used[1][i] += empty * (double)c->p[1][i];
}

/* Step 3; the change of m. */
static double move(chain *c) {
  const sn_ngram *const lm = c->w->lm;
  const sn_ngram_state begin = {1, lm->bos};
  for (int32_t k = 1; k < lm->order; k++) /* m before, in reach */
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      c->reach[k][i] = c->mass[k][i];
      c->mass[k][i] = 0.0;
    }
  double sum = 0.0;
  for (int32_t k = 1; k <= lm->order; k++)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const double used = fmax(0.0, c->used[k][i]);
      const int32_t word = k == 1 ? (int32_t)i : lm->level[k].word[i];
      sum += used;
      if (word == lm->eos && lm->bos >= 0)
        *mass_of(c, begin) += used;
      else
        *mass_of(c, sn_ngram_next_state(lm, k, i)) += used;
    }
  double change = 0.0, scale = sum > 0.0 ? 1.0 / sum : 0.0;
  if (lm->bos >= 0 && lm->eos < 0) {
    scale *= 1.0 - BOS_SHARE;
    *mass_of(c, begin) = BOS_SHARE / scale;
  }
  for (int32_t k = 1; k < lm->order; k++)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      c->mass[k][i] *= scale;
      change += fabs(c->mass[k][i] - c->reach[k][i]);
    }
  return change;
}

/* Step 4, in place. */
static void add_up(const sn_ngram *lm, double *const *occurs) {
  for (int32_t k = lm->order - 1; k >= 1; k--)
    for (int64_t h = 0; h < lm->level[k].n; h++) {
      const sn_ngram_state s = {k, h};
      const sn_ngram_state to = sn_ngram_backoff_state(lm, s);
      if (to.level > 0) occurs[to.level][to.node] += occurs[k][h];
    }
}

static sn_status follow(chain *c, sn_log *log, sn_err *err) {
  SN_TRY(chain_init(c, err));
  for (int64_t i = 0; i < c->w->lm->level[1].n; i++)
    c->mass[1][i] = (double)c->p[1][i];
  double change = 1.0;
  for (int i = 0; i < MAX_ROUNDS && change >= UNCHANGED; i++) {
    use(c);
    change = move(c);
    sn_log_progress(log, "following histories", "rounds", i + 1, 0, false);
    if (sn_log_cancelled(log))
      return sn_fail(err, SN_ECANCEL, "pruning: interrupted");
  }
  sn_log_progress(log, "following histories", "rounds", 0, 0, true);
  use(c); /* of the last m */
  return SN_OK;
}

sn_status sni_marginals_compute(sni_marginals *m, const sni_weights *w,
                                sn_log *log, sn_err *err) {
  chain c = {.w = w};
  if (w->lm->order < 2) return SN_OK;
  sn_status s = follow(&c, log, err);
  for (int32_t k = 1; k <= w->lm->order && s == SN_OK; k++) {
    m->used[k] = c.used[k];
    c.used[k] = NULL;
    if (k == w->lm->order) break;
    m->state[k] = c.mass[k];
    m->occurs[k] = c.reach[k]; /* room for it */
    c.mass[k] = c.reach[k] = NULL;
    memcpy(m->occurs[k], m->state[k],
           (size_t)w->lm->level[k].n * sizeof **m->occurs);
  }
  if (s == SN_OK) add_up(w->lm, m->occurs);
  chain_clear(&c);
  return s;
}

/* p(h w) of each n-gram below the highest order, in joint. */
static sn_status joint_of(const sni_marginals *m, const sn_ngram *lm,
                          double **joint, sn_err *err) {
  for (int32_t k = 1; k <= lm->order; k++) {
    const size_t n = (size_t)lm->level[k].n;
    joint[k] = sn_calloc(n, sizeof **joint);
    if (joint[k] == NULL) return sn_fail_nomem(err, "pruning");
    memcpy(joint[k], m->used[k], n * sizeof **joint);
  }
  for (int32_t k = lm->order; k >= 2; k--)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const sn_ngram_state s = sni_link_state(lm, k, lm->level[k].suffix[i]);
      joint[s.level][s.node] += joint[k][i];
    }
  return SN_OK;
}

static void set_logp(sni_weights *w, sn_ngram_state h, const double *joint,
                     double total) {
  const sn_ngram *const lm = w->lm;
  int64_t first = 0;
  const int64_t n =
      h.level == 0 ? lm->level[1].n : sn_ngram_children(lm, h, &first);
  if (total <= 0.0) return;
  for (int64_t i = first; i < first + n; i++) {
    float *const logp = &w->logp[h.level + 1][i];
    const double least = MIN_KEPT * exp((double)*logp);
    if (sn_ngram_child_word(lm, h.level + 1, i) == lm->bos) continue;
    *logp = (float)fmin(0.0, log(fmax(least, joint[i] / total)));
  }
}

sn_status sni_marginals_logp(const sni_marginals *m, sni_weights *w,
                             sn_err *err) {
  const sn_ngram *const lm = w->lm;
  double *joint[SN_NGRAM_MAX_ORDER + 1] = {NULL};
  const sn_ngram_state empty = {0, 0};
  if (lm->order < 2) return SN_OK;
  const sn_status s = joint_of(m, lm, joint, err);
  if (s == SN_OK) set_logp(w, empty, joint[1], 1.0);
  for (int32_t k = 1; k + 1 < lm->order && s == SN_OK; k++)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const sn_ngram_state h = {k, i};
      set_logp(w, h, joint[k + 1], m->occurs[k][i]);
    }
  for (int32_t k = 1; k <= lm->order; k++) sn_free(joint[k]);
  return s;
}
