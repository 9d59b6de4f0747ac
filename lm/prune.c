/* SPDX-License-Identifier: Apache-2.0 */
/* Entropy pruning: which n-grams to leave out so that the distribution changes
 * least (Stolcke 1998, "Entropy-based pruning of backoff language models").
 *
 * Leaving out the n-gram (h, w) changes p(. | h): w is then backed off to the
 * shorter history h', and the back-off weight a of h becomes a'. With
 *   p = p(w | h), q = p(w | h'),
 *   N = 1 - sum of p(v | h), D = 1 - sum of p(v | h') over h's explicit v,
 *   a = N / D,  a' = (N + p) / (D + q),
 * the relative entropy between before and after, weighted by how often h
 * occurs, is (equation 5 there)
 *   cost = p(h) (p (log p - log q - log a') + N (log a - log a'))
 * and a perplexity grows by the factor exp(cost).
 *
 * SN_PRUNE_STOLCKE is the paper's: p(h) is the product of the model's own
 * conditional probabilities of h's words, and what stays keeps its probability.
 * In Kneser-Ney models that product misleads, and so do p and q below the
 * highest order: they tell after how many words something follows, not how
 * often it occurs. SN_PRUNE_REFIT therefore takes p(h), and p and q of all
 * orders but the highest, from the marginals of the stationary distribution of
 * the model's histories (prune_marginals.c): what they would be if the longer
 * n-grams were gone, and gives what stays new probabilities (prune_refit.c).
 * Rare n-grams' probabilities are often too large by chance: in a whole
 * Kneser-Ney model they are corrected first (prune_resmooth.c); else what an
 * n-gram can gain is limited, and a cost is trusted the less the less often its
 * n-gram was seen (trust()).
 *
 * Algorithm:
 * 1. Normalise a copy of the weights: shortest histories first, back-off
 *    weights are computed from N / D. Models whose probabilities were rounded
 *    or quantised do not sum to one; pruning them as they are would charge
 *    that error to single n-grams, or take logarithms of negative numbers.
 * 2. Cost of each n-gram, all of them relative to this one model (REFIT: to
 *    its marginals).
 * 3. An n-gram must stay as long as one that it begins stays (its node is on
 *    the path). So its effective cost is the largest among itself and its
 *    descendants, which turns the highest-orders-first rule into a set: kept
 *    are those whose effective cost reaches the limit. A parent's is never
 *    below its child's; therefore the n best, ties going to the lower order,
 *    are a proper model for every n, and a wanted size is met exactly by
 *    selecting once.
 * 4. Copy what is kept; a suffix link moves on to the next suffix that is
 *    kept. Refit. Normalise again: the model sums to one for each history.
 *
 * A lower-order n-gram also serves longer histories that back off to it; as in
 * the paper its cost counts its own history h only, with p(h) standing for
 * all of them.
 *
 * <s> is never predicted: it is left out of all sums, and n-grams that end in
 * it cost nothing. As a history, STOLCKE has it occur as often as </s>.
 *
 * Cost in time: linear; 3.7 million n-grams take about 1 s, with REFIT 8 s.
 * Extra memory for each n-gram: 16 bytes, with REFIT some 90. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/prune_internal.h"

/* Probability that a history must leave to words it does not list. Explicit
 * probabilities that sum to more are scaled down to 1 - this: models with 4
 * decimals or 16-bit tables miss 1 by up to 1e-4. */
#define MIN_LEFT 1e-6
/* Listed words whose backed-off probabilities come this near to 1 are all
 * words there are (float rounding of some 1e4 terms). */
#define ALL_LISTED 1e-7
/* <s> as a history when there is no </s>: one sentence in 20 words. */
#define BOS_SHARE 0.05
/* REFIT: more than this, in nats, no n-gram is taken to gain each time. Chosen
 * on held-out text (docs/lm.md), as the square in trust(). */
#define MAX_GAIN 4.0

/* Sums over a history's explicit words. */
typedef struct sums {
  double p, q; /* p(v | h), p(v | h') */
} sums;

double sni_backed_off_logp(const sni_weights *w, sn_ngram_state h,
                           int32_t level, int64_t child) {
  const sn_ngram *const lm = w->lm;
  const sn_ngram_state to =
      sni_link_state(lm, level, lm->level[level].suffix[child]);
  double sum = 0.0;
  sn_ngram_state s = sn_ngram_backoff_state(lm, h);
  while (s.level >= to.level) {
    sum += (double)w->backoff[s.level][s.node];
    s = sn_ngram_backoff_state(lm, s);
  }
  return sum + (double)w->logp[to.level][to.node];
}

static sums sum_children(const sni_weights *w, sn_ngram_state h) {
  const sn_ngram *const lm = w->lm;
  int64_t first;
  const int64_t n = sn_ngram_children(lm, h, &first);
  sums s = {0.0, 0.0};
  for (int64_t i = first; i < first + n; i++) {
    if (sn_ngram_child_word(lm, h.level + 1, i) == lm->bos) continue;
    s.p += exp((double)w->logp[h.level + 1][i]);
    s.q += exp(sni_backed_off_logp(w, h, h.level + 1, i));
  }
  return s;
}

static void scale_children(sni_weights *w, sn_ngram_state h, double factor) {
  int64_t first;
  const int64_t n = sn_ngram_children(w->lm, h, &first);
  const double shift = log(factor);
  for (int64_t i = first; i < first + n; i++)
    w->logp[h.level + 1][i] =
        (float)fmin(0.0, (double)w->logp[h.level + 1][i] + shift);
  w->n_scaled++;
}

/* Sets the back-off weight of h, whose shorter histories are done, so that
 * p(. | h) sums to one. */
static void normalise_history(sni_weights *w, sn_ngram_state h) {
  const sn_ngram_state shorter = sn_ngram_backoff_state(w->lm, h);
  const double all_q =
      1.0 + (shorter.level == 0
                 ? w->excess_empty
                 : (double)w->excess[shorter.level][shorter.node]);
  sums s = sum_children(w, h);
  const bool is_all = s.q >= all_q - ALL_LISTED;
  const double most = is_all ? 1.0 : 1.0 - MIN_LEFT;
  if (s.p > most || (is_all && s.p < most - MIN_LEFT)) {
    scale_children(w, h, most / s.p);
    s = sum_children(w, h);
  }
  float backoff = 0.0f;
  if (!is_all)
    backoff = (float)log(fmax(1.0 - s.p, MIN_LEFT / 2.0) / (all_q - s.q));
  w->backoff[h.level][h.node] = backoff;
  w->excess[h.level][h.node] =
      (float)(s.p + exp((double)backoff) * (all_q - s.q) - 1.0);
}

static double sum_words(const sni_weights *w) {
  double sum = 0.0;
  for (int64_t i = 0; i < w->lm->level[1].n; i++)
    if (i != w->lm->bos) sum += exp((double)w->logp[1][i]);
  return sum;
}

static void normalise_words(sni_weights *w) {
  const double sum = sum_words(w);
  /* Already 1 but for float rounding: leave every bit. */
  if (sum > 0.0 && fabs(sum - 1.0) > 1e-6)
    for (int64_t i = 0; i < w->lm->level[1].n; i++)
      if (i != w->lm->bos)
        w->logp[1][i] = (float)fmin(0.0, (double)w->logp[1][i] - log(sum));
  w->excess_empty = sum_words(w) - 1.0;
}

sn_status sni_normalise_level(sni_weights *w, int32_t k, sn_log *log,
                              sn_err *err) {
  for (int64_t i = 0; i < w->lm->level[k].n; i++) {
    const sn_ngram_state h = {k, i};
    normalise_history(w, h);
    if ((i & 0xffff) == 0 && sn_log_cancelled(log))
      return sn_fail(err, SN_ECANCEL, "pruning: interrupted");
  }
  return SN_OK;
}

/* Step 1, and the end of step 4. */
static sn_status normalise(sni_weights *w, sn_log *log, sn_err *err) {
  normalise_words(w);
  for (int32_t k = 1; k < w->lm->order; k++)
    SN_TRY(sni_normalise_level(w, k, log, err));
  return SN_OK;
}

/* ---- Steps 2 and 3: costs ---- */

typedef struct pruner {
  sni_weights w;
  sn_prune_method method;
  double *occurs[SN_NGRAM_MAX_ORDER + 1]; /* [k] p(n-gram) as a history, k <
                                             order; REFIT: marginals' */
  sni_marginals marginals;                /* REFIT */
  float *given[SN_NGRAM_MAX_ORDER + 1];   /* [k] logp, kept while w has the
                                             marginals; k < order */
  bool is_smooth;                         /* REFIT: resmoothed */
  double once;                            /* REFIT, not smooth: see trust() */
  float *cost[SN_NGRAM_MAX_ORDER + 1];    /* [k] effective, k = 2 .. order */
  void *own[6 * (SN_NGRAM_MAX_ORDER + 1)];
  size_t n_own;
  sn_ngram *plain; /* behind w.lm, when a packed model was given */
} pruner;

static float *new_array(pruner *p, int64_t n, const float *copy) {
  float *const a = sn_calloc((size_t)n, sizeof *a);
  if (a == NULL) return NULL;
  p->own[p->n_own++] = a;
  if (copy != NULL) memcpy(a, copy, (size_t)n * sizeof *a);
  return a;
}

static void pruner_clear(pruner *p) {
  sn_ngram_destroy(p->plain);
  sni_marginals_clear(&p->marginals);
  if (p->method == SN_PRUNE_STOLCKE)
    for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) sn_free(p->occurs[k]);
  for (size_t i = 0; i < p->n_own; i++) sn_free(p->own[i]);
}

static sn_status pruner_init(pruner *p, const sn_ngram *lm, sn_err *err) {
  memset(p, 0, sizeof *p);
  p->w.lm = lm;
  for (int32_t k = 1; k <= lm->order; k++) {
    const sni_level *const l = &lm->level[k];
    p->w.logp[k] = new_array(p, l->n, l->logp);
    bool is_ok = p->w.logp[k] != NULL;
    if (k < lm->order) {
      p->w.backoff[k] = new_array(p, l->n, NULL);
      p->w.excess[k] = new_array(p, l->n, NULL);
      is_ok = is_ok && p->w.backoff[k] != NULL && p->w.excess[k] != NULL;
    }
    if (k > 1) {
      p->cost[k] = new_array(p, l->n, NULL);
      is_ok = is_ok && p->cost[k] != NULL;
    }
    if (!is_ok) return sn_fail_nomem(err, "pruning");
  }
  return SN_OK;
}

static sn_status multiply(pruner *p, sn_err *err) {
  const sn_ngram *const lm = p->w.lm;
  for (int32_t k = 1; k < lm->order; k++) {
    p->occurs[k] = sn_calloc((size_t)lm->level[k].n, sizeof(double));
    if (p->occurs[k] == NULL) return sn_fail_nomem(err, "pruning");
  }
  for (int64_t i = 0; i < lm->level[1].n && lm->order > 1; i++)
    p->occurs[1][i] = exp((double)p->w.logp[1][i]);
  if (lm->bos >= 0 && lm->order > 1)
    p->occurs[1][lm->bos] = lm->eos >= 0 ? p->occurs[1][lm->eos] : BOS_SHARE;
  for (int32_t k = 1; k + 1 < lm->order; k++)
    for (int64_t h = 0; h < lm->level[k].n; h++) {
      const sn_ngram_state s = {k, h};
      int64_t first;
      const int64_t n = sn_ngram_children(lm, s, &first);
      for (int64_t i = first; i < first + n; i++)
        p->occurs[k + 1][i] =
            p->occurs[k][h] * exp((double)p->w.logp[k + 1][i]);
    }
  return SN_OK;
}

/* Gives p->w the marginals for its probabilities; p->given has those. */
static sn_status marginalise(pruner *p, sn_log *log, sn_err *err) {
  const sn_ngram *const lm = p->w.lm;
  SN_TRY(sni_marginals_compute(&p->marginals, &p->w, log, err));
  for (int32_t k = 1; k < lm->order; k++) {
    p->occurs[k] = p->marginals.occurs[k];
    p->given[k] = new_array(p, lm->level[k].n, p->w.logp[k]);
    if (p->given[k] == NULL) return sn_fail_nomem(err, "pruning");
  }
  SN_TRY(sni_marginals_logp(&p->marginals, &p->w, err));
  return normalise(&p->w, log, err);
}

static uint32_t float_bits(float x) {
  uint32_t bits; /* floats >= 0 are in the order of their bits */
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* What n-gram (k, i) of h has in a text beyond what backing off gives it. */
static double own_share(const pruner *p, sn_ngram_state h, int32_t k,
                        int64_t i) {
  const double backed = (double)p->w.backoff[h.level][h.node] +
                        sni_backed_off_logp(&p->w, h, k, i);
  return p->occurs[h.level][h.node] *
         fmax(0.0, exp((double)p->w.logp[k][i]) - exp(backed));
}

/* The lower quartile of own_share over the highest order, to 1 %: what an
 * n-gram has that was seen once. */
static sn_status find_once(pruner *p, sn_err *err) {
  const sn_ngram *const lm = p->w.lm;
  const int32_t top = lm->order;
  int64_t *const count = sn_calloc(65536, sizeof *count);
  if (count == NULL) return sn_fail_nomem(err, "pruning");
  for (int64_t i = 0; i < lm->level[top - 1].n; i++) {
    const sn_ngram_state h = {top - 1, i};
    int64_t first;
    const int64_t n = sn_ngram_children(lm, h, &first);
    for (int64_t c = first; c < first + n; c++)
      count[float_bits((float)own_share(p, h, top, c)) >> 16]++;
  }
  int64_t below = lm->level[top].n / 4;
  uint32_t b = 0;
  while (b < 65535 && below >= count[b]) below -= count[b++];
  const uint32_t bits = b << 16;
  float once;
  memcpy(&once, &bits, sizeof once);
  p->once = (double)once;
  sn_free(count);
  return SN_OK;
}

/* The largest costs by the model's own probabilities are, among n-grams that
 * were seen once or twice, those whose probabilities are too large by chance.
 * So a cost counts the less the less often its n-gram was seen. */
static double trust(const pruner *p, double share) {
  const double x = share > 0.0 ? share / (share + p->once) : 0.0;
  return x * x;
}

/* Step 2 for the n-grams that h begins. */
static void cost_children(pruner *p, sn_ngram_state h) {
  const sn_ngram *const lm = p->w.lm;
  const int32_t k = h.level + 1;
  int64_t first;
  const int64_t n = sn_ngram_children(lm, h, &first);
  if (n == 0) return;
  const sums s = sum_children(&p->w, h);
  const double left = fmax(0.0, 1.0 - s.p), left_q = fmax(0.0, 1.0 - s.q);
  const double log_a = (double)p->w.backoff[h.level][h.node];
  const double p_h = p->occurs[h.level][h.node];
  for (int64_t i = first; i < first + n; i++) {
    if (sn_ngram_child_word(lm, k, i) == lm->bos) continue; /* cost 0 */
    const double logp = (double)p->w.logp[k][i], prob = exp(logp);
    const double logq = sni_backed_off_logp(&p->w, h, k, i);
    const double log_a_after = log(left + prob) - log(left_q + exp(logq));
    const bool in_doubt = p->method == SN_PRUNE_REFIT && !p->is_smooth;
    double gain = logp - logq - log_a_after;
    if (in_doubt) gain = fmin(gain, MAX_GAIN);
    double cost = p_h * (prob * gain + left * (log_a - log_a_after));
    if (in_doubt) cost *= trust(p, own_share(p, h, k, i));
    if (!(cost > 0.0)) cost = 0.0; /* rounding; q = 0 gives infinity */
    p->cost[k][i] = (float)cost;
  }
}

static sn_status compute_costs(pruner *p, sn_log *log, sn_err *err) {
  const sn_ngram *const lm = p->w.lm;
  if (lm->order > 1 && p->method == SN_PRUNE_REFIT && !p->is_smooth)
    SN_TRY(find_once(p, err));
  for (int32_t k = lm->order - 1; k >= 1; k--) {
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const sn_ngram_state h = {k, i};
      cost_children(p, h);
      if ((i & 0xffff) == 0 && sn_log_cancelled(log))
        return sn_fail(err, SN_ECANCEL, "pruning: interrupted");
    }
    /* Step 3: the level above (k + 2) handed its maxima down already. */
    if (k + 2 > lm->order) continue;
    for (int64_t i = 0; i < lm->level[k + 1].n; i++) {
      const sn_ngram_state h = {k + 1, i};
      int64_t first;
      const int64_t n = sn_ngram_children(lm, h, &first);
      for (int64_t c = first; c < first + n; c++)
        p->cost[k + 1][i] = fmaxf(p->cost[k + 1][i], p->cost[k + 2][c]);
    }
  }
  return SN_OK;
}

/* ---- Step 4: the smaller model ---- */

/* Keep an n-gram when its cost is above `limit`, or equal to it and among the
 * first n_equal of those, counted by order and then index. */
typedef struct choice {
  float limit;
  int64_t n_equal;
} choice;

/* New indices of the nodes of levels 2 ..; UINT32_MAX: left out. */
typedef struct mapping {
  uint32_t *to[SN_NGRAM_MAX_ORDER + 1]; /* [1] is NULL: words stay */
  int64_t n[SN_NGRAM_MAX_ORDER + 1];
  int32_t order;
} mapping;

static void mapping_clear(mapping *m) {
  for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) sn_free(m->to[k]);
}

static sn_status map_nodes(const pruner *p, choice keep, mapping *m,
                           sn_err *err) {
  const sn_ngram *const lm = p->w.lm;
  m->order = 1;
  m->n[1] = lm->level[1].n;
  for (int32_t k = 2; k <= lm->order; k++) {
    m->to[k] = sn_calloc((size_t)lm->level[k].n, sizeof *m->to[k]);
    if (m->to[k] == NULL) return sn_fail_nomem(err, "pruning");
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const float cost = p->cost[k][i];
      const bool is_kept =
          cost > keep.limit || (cost == keep.limit && keep.n_equal-- > 0);
      m->to[k][i] = is_kept ? (uint32_t)m->n[k]++ : UINT32_MAX;
    }
    if (m->n[k] > 0) m->order = k;
  }
  return SN_OK;
}

/* Link in the new model of a node of the old one's `level`. */
static uint32_t map_link(const sn_ngram *old, const sn_ngram *lm,
                         const mapping *m, int32_t level, uint32_t link) {
  sn_ngram_state s = sni_link_state(old, level, link);
  while (s.level > 1 && m->to[s.level][s.node] == UINT32_MAX)
    s = sni_link_state(old, s.level, old->level[s.level].suffix[s.node]);
  const uint32_t node = s.level > 1 ? m->to[s.level][s.node] : (uint32_t)s.node;
  return s.level == 0 ? 0 : lm->base[s.level] + node;
}

static void *take_block(sn_ngram *lm, size_t n, size_t size, bool *is_ok) {
  void *const block = sn_calloc(n, size);
  if (block == NULL)
    *is_ok = false;
  else
    sni_ngram_own(lm, block);
  return block;
}

static sn_status copy_vocab(const sn_ngram *old, sn_ngram *lm, sn_err *err) {
  const sni_vocab *const v = &old->vocab;
  bool is_ok = true;
  char *const text = take_block(lm, v->n_text_bytes, 1, &is_ok);
  uint32_t *const at = take_block(lm, (size_t)v->n_words, 4, &is_ok);
  uint32_t *const slot = take_block(lm, (size_t)v->mask + 1, 4, &is_ok);
  lm->name = sn_strdup(old->name);
  if (!is_ok || lm->name == NULL) return sn_fail_nomem(err, "pruning");
  memcpy(text, v->text, v->n_text_bytes);
  memcpy(at, v->at, (size_t)v->n_words * sizeof *at);
  memcpy(slot, v->slot, ((size_t)v->mask + 1) * sizeof *slot);
  lm->vocab = *v;
  lm->vocab.text = text;
  lm->vocab.at = at;
  lm->vocab.slot = slot;
  return SN_OK;
}

/* Arrays of level k; the new weights are in w for normalise(). */
static sn_status copy_level(const pruner *p, const mapping *m, int32_t k,
                            sn_ngram *lm, sni_weights *w, sn_err *err) {
  const sn_ngram *const old = p->w.lm;
  const sni_level *const from = &old->level[k];
  sni_level *const l = &lm->level[k];
  const size_t n = (size_t)m->n[k];
  bool is_ok = true;
  l->n = (int64_t)n;
  w->logp[k] = take_block(lm, n, 4, &is_ok);
  if (k < m->order) w->backoff[k] = take_block(lm, n, 4, &is_ok);
  uint32_t *const suffix = k > 1 ? take_block(lm, n, 4, &is_ok) : NULL;
  int32_t *const word = k > 1 ? take_block(lm, n, 4, &is_ok) : NULL;
  uint32_t *const first =
      k < m->order ? take_block(lm, n + 1, 4, &is_ok) : NULL;
  if (!is_ok) return sn_fail_nomem(err, "pruning");
  size_t to = 0, next = 0;
  for (int64_t i = 0; i < from->n; i++) {
    if (k > 1 && m->to[k][i] == UINT32_MAX) continue;
    w->logp[k][to] = p->w.logp[k][i];
    if (word != NULL) {
      word[to] = from->word[i];
      suffix[to] = map_link(old, lm, m, k, from->suffix[i]);
    }
    to++;
    if (first == NULL) continue;
    const sn_ngram_state h = {k, i};
    int64_t begin;
    const int64_t n_old = sn_ngram_children(old, h, &begin);
    for (int64_t c = begin; c < begin + n_old; c++)
      if (m->to[k + 1][c] != UINT32_MAX) next++;
    first[to] = (uint32_t)next;
  }
  l->logp = w->logp[k];
  l->backoff = w->backoff[k];
  l->suffix = suffix;
  l->word = word;
  l->first = first;
  return SN_OK;
}

/* With all n-grams there is nothing to refit. */
static bool is_smaller(const sn_ngram *old, const sn_ngram *lm) {
  for (int32_t k = 2; k <= old->order; k++)
    if (lm->level[k].n < old->level[k].n) return true;
  return false;
}

static sn_status build_pruned(const pruner *p, const mapping *m, sn_log *log,
                              sn_ngram *lm, sn_err *err) {
  sni_weights w = {.lm = lm};
  lm->order = m->order;
  SN_TRY(copy_vocab(p->w.lm, lm, err));
  for (int32_t k = 1; k <= m->order; k++) lm->level[k].n = m->n[k];
  sni_ngram_finish(lm);
  sn_status s = SN_OK;
  for (int32_t k = 1; k <= m->order && s == SN_OK; k++) {
    s = copy_level(p, m, k, lm, &w, err);
    w.excess[k] = sn_calloc((size_t)m->n[k], sizeof *w.excess[k]);
    if (s == SN_OK && w.excess[k] == NULL) s = sn_fail_nomem(err, "pruning");
  }
  if (s == SN_OK) s = normalise(&w, log, err);
  if (s == SN_OK && p->method == SN_PRUNE_REFIT && is_smaller(p->w.lm, lm)) {
    s = sni_refit(&w, p->w.lm, m->to, &p->marginals, log, err);
    if (s == SN_OK) s = normalise(&w, log, err);
  }
  for (int32_t k = 1; k <= m->order; k++) sn_free(w.excess[k]);
  return s;
}

static sn_status take_pruned(const pruner *p, choice keep, sn_log *log,
                             sn_ngram **out, sn_err *err) {
  mapping m;
  memset(&m, 0, sizeof m);
  sn_ngram *const lm = sn_calloc(1, sizeof *lm);
  sn_status s =
      lm == NULL ? sn_fail_nomem(err, "pruning") : map_nodes(p, keep, &m, err);
  if (s == SN_OK) s = build_pruned(p, &m, log, lm, err);
  mapping_clear(&m);
  if (s == SN_OK)
    *out = lm;
  else
    sn_ngram_destroy(lm);
  return s;
}

static sn_status prepare(pruner *p, const sn_ngram *lm, sn_prune_method method,
                         sn_log *log, sn_err *err) {
  sn_ngram *plain = NULL;
  memset(p, 0, sizeof *p);
  SN_TRY(sni_ngram_plain(lm, &plain, err));
  const sn_status s = pruner_init(p, plain != NULL ? plain : lm, err);
  p->plain = plain;
  p->method = method;
  SN_TRY(s);
  SN_TRY(normalise(&p->w, log, err));
  if (p->w.n_scaled > 0)
    sn_info(log,
            "%lld histories listed words of more than 1 in all and were "
            "scaled",
            (long long)p->w.n_scaled);
  if (method == SN_PRUNE_STOLCKE) {
    SN_TRY(multiply(p, err));
  } else {
    SN_TRY(sni_resmooth(&p->w, &p->is_smooth, log, err));
    if (p->is_smooth)
      sn_info(log,
              "a whole Kneser-Ney model: its n-grams' probabilities are "
              "first corrected by Good-Turing");
    SN_TRY(marginalise(p, log, err));
  }
  SN_TRY(compute_costs(p, log, err));
  for (int32_t k = 1; k < p->w.lm->order; k++)
    if (p->given[k] != NULL)
      memcpy(p->w.logp[k], p->given[k],
             (size_t)p->w.lm->level[k].n * sizeof **p->given);
  return SN_OK;
}

sn_status sn_ngram_prune(const sn_ngram *lm, double threshold,
                         sn_prune_method method, sn_log *log, sn_ngram **out,
                         sn_err *err) {
  *out = NULL;
  if (!(threshold >= 0.0))
    return sn_fail(err, SN_EARG, "pruning threshold %g is not 0 or above",
                   threshold);
  pruner p;
  sn_status s = prepare(&p, lm, method, log, err);
  if (s == SN_OK) {
    const choice keep = {(float)log1p(threshold), INT64_MAX};
    s = take_pruned(&p, keep, log, out, err);
  }
  pruner_clear(&p);
  return s;
}

/* ---- To a size ---- */

/* The n-th largest cost (n >= 1) and how many equal to it are among the n
 * largest: a radix selection, 16 bits at a time. */
static sn_status select_largest(const pruner *p, int64_t n, choice *out,
                                sn_err *err) {
  const sn_ngram *const lm = p->w.lm;
  int64_t *const count = sn_calloc(65536, sizeof *count);
  if (count == NULL) return sn_fail_nomem(err, "pruning");
  uint32_t high = 0, found = 0;
  for (int pass = 0; pass < 2; pass++) {
    memset(count, 0, 65536 * sizeof *count);
    for (int32_t k = 2; k <= lm->order; k++)
      for (int64_t i = 0; i < lm->level[k].n; i++) {
        const uint32_t bits = float_bits(p->cost[k][i]);
        if (pass == 0)
          count[bits >> 16]++;
        else if (bits >> 16 == high)
          count[bits & 0xffff]++;
      }
    uint32_t b = 65535;
    while (b > 0 && count[b] < n) n -= count[b--];
    if (pass == 0)
      high = b;
    else
      found = high << 16 | b;
  }
  memcpy(&out->limit, &found, sizeof found);
  out->n_equal = n;
  sn_free(count);
  return SN_OK;
}

sn_status sn_ngram_prune_to(const sn_ngram *lm, int64_t n_ngrams,
                            sn_prune_method method, sn_log *log,
                            double *threshold, sn_ngram **out, sn_err *err) {
  *out = NULL;
  const int64_t n_words = lm->level[1].n;
  int64_t n_all = 0;
  for (int32_t k = 1; k <= lm->order; k++) n_all += lm->level[k].n;
  if (n_ngrams < n_words)
    return sn_fail(err, SN_EARG,
                   "%lld n-grams are fewer than the model's %lld words, which "
                   "all stay",
                   (long long)n_ngrams, (long long)n_words);
  pruner p;
  choice keep = {INFINITY, 0};
  sn_status s = prepare(&p, lm, method, log, err);
  if (s == SN_OK && n_ngrams >= n_all) {
    keep.limit = 0.0f;
    keep.n_equal = INT64_MAX;
  } else if (s == SN_OK && n_ngrams > n_words) {
    s = select_largest(&p, n_ngrams - n_words, &keep, err);
  }
  if (s == SN_OK) s = take_pruned(&p, keep, log, out, err);
  if (s == SN_OK && threshold != NULL) *threshold = expm1((double)keep.limit);
  pruner_clear(&p);
  return s;
}
