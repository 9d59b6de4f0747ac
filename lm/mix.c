/* SPDX-License-Identifier: Apache-2.0 */
/* Static interpolation and marginal adaptation.
 *
 * Mixing: words of all models first, then level by level each model's n-grams
 * that no model before it has. N-grams are visited in the order of the trie, so
 * that the models' states of the history before the last word are computed
 * once for all its successors. Every model's n-grams have their prefixes, and
 * so does the union. The builder sorts.
 *
 * Back-off weights, shortest histories first:
 *   a(h) = (1 - sum of p(w | h)) / (1 - sum of p(w | h'))
 * over the listed words of h without <s>; where these are all there is, they
 * are scaled to sum to one instead. */
#include "lm/mix.h"

#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "lm/ngram_internal.h"
#include "lm/perplexity.h"

/* Listed words' backed-off probabilities this near to 1 are all words there
 * are (rounding of some 1e4 floats). */
#define ALL_LISTED 1e-7

/* ---- Back-off weights of a new model, in place ---- */

static float *writable(const float *p) { return (float *)(uintptr_t)p; }

static void set_backoff(sn_ngram *lm, sn_ngram_state h) {
  int64_t first;
  const int64_t n = sn_ngram_children(lm, h, &first);
  const sn_ngram_state shorter = sn_ngram_backoff_state(lm, h);
  double sum = 0.0, sum_shorter = 0.0;
  for (int64_t c = first; c < first + n; c++) {
    const int32_t w = sn_ngram_child_word(lm, h.level + 1, c);
    if (w == lm->bos) continue;
    sum += exp(sn_ngram_node_logp(lm, h.level + 1, c));
    sum_shorter += exp(sn_ngram_score(lm, shorter, w, NULL, NULL));
  }
  double weight = 0.0;
  if (n > 0 && sum_shorter < 1.0 - ALL_LISTED) {
    weight = sum < 1.0 ? log((1.0 - sum) / (1.0 - sum_shorter)) : -HUGE_VAL;
  } else if (sum > 0.0) { /* nothing to back off to: all of it is listed */
    for (int64_t c = first; c < first + n; c++)
      writable(lm->level[h.level + 1].logp)[c] -= (float)log(sum);
  }
  const double least = SNI_ARPA_ZERO_LOG10P * SNI_LN10;
  writable(lm->level[h.level].backoff)[h.node] =
      (float)(weight > least ? weight : least);
}

static void scale_words(sn_ngram *lm) {
  double sum = 0.0;
  for (int32_t w = 0; w < lm->vocab.n_words; w++)
    if (w != lm->bos) sum += exp((double)lm->level[1].logp[w]);
  if (sum <= 0.0) return;
  for (int32_t w = 0; w < lm->vocab.n_words; w++)
    if (w != lm->bos) writable(lm->level[1].logp)[w] -= (float)log(sum);
}

void sni_ngram_normalise(sn_ngram *lm) {
  scale_words(lm);
  for (int32_t k = 1; k < lm->order; k++)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const sn_ngram_state h = {k, i};
      set_backoff(lm, h);
    }
}

/* ---- Mixing ---- */

typedef struct mixer {
  const sn_ngram *model[SN_MIX_MAX];
  sn_ngram *plain[SN_MIX_MAX]; /* behind model[i], or NULL */
  double weight[SN_MIX_MAX];
  size_t n;
  sni_builder b;
  int32_t *to[SN_MIX_MAX];   /* [words of model i] id in the mixture */
  int32_t *from[SN_MIX_MAX]; /* [words of the mixture] id in model i or -1 */
  sn_ngram_state at[SN_MIX_MAX]; /* of `before` */
  int32_t before[SN_NGRAM_MAX_ORDER];
  int32_t n_before; /* words in it; -1: none yet */
} mixer;

static double mixed_logp(mixer *m, const int32_t *words, int32_t n) {
  if (m->n_before != n - 1 ||
      memcmp(words, m->before, (size_t)(n - 1) * sizeof *words) != 0) {
    for (size_t i = 0; i < m->n; i++) {
      sn_ngram_state s = {0, 0};
      for (int32_t k = 0; k + 1 < n; k++)
        (void)sn_ngram_score(m->model[i], s, m->from[i][words[k]], &s, NULL);
      m->at[i] = s;
    }
    m->n_before = n - 1;
    if (n > 1) memcpy(m->before, words, (size_t)(n - 1) * sizeof *words);
  }
  double p = 0.0;
  for (size_t i = 0; i < m->n; i++) {
    const int32_t w = m->from[i][words[n - 1]];
    if (w >= 0)
      p += m->weight[i] *
           exp(sn_ngram_score(m->model[i], m->at[i], w, NULL, NULL));
  }
  const double least = SNI_ARPA_ZERO_LOG10P * SNI_LN10;
  const double logp = log(p);
  return logp > least ? logp : least;
}

/* Ids of all models' words, in order of the models. */
static sn_status collect_words(mixer *m, sn_symtab *all, sn_err *err) {
  for (size_t i = 0; i < m->n; i++) {
    const int32_t n = sn_ngram_n_words(m->model[i]);
    m->to[i] = sn_calloc((size_t)n, sizeof *m->to[i]);
    if (m->to[i] == NULL) return sn_fail_nomem(err, "mixing");
    for (int32_t w = 0; w < n; w++) {
      /* <UNK> of one model is <unk> of another. */
      const int32_t unk = sn_ngram_unk(m->model[i]);
      const char *const text =
          w == unk ? "<unk>" : sn_ngram_word(m->model[i], w);
      SN_TRY(sn_symtab_add(all, text, strlen(text), &m->to[i][w], err));
    }
  }
  for (size_t i = 0; i < m->n; i++) {
    const size_t n = (size_t)sn_symtab_n(all);
    m->from[i] = sn_calloc(n, sizeof *m->from[i]);
    if (m->from[i] == NULL) return sn_fail_nomem(err, "mixing");
    memset(m->from[i], 0xff, n * sizeof *m->from[i]);
    for (int32_t w = 0; w < sn_ngram_n_words(m->model[i]); w++)
      m->from[i][m->to[i][w]] = w;
  }
  return SN_OK;
}

static sn_status add_words(mixer *m, const sn_symtab *all, sn_err *err) {
  for (int32_t w = 0; w < sn_symtab_n(all); w++) {
    const char *const text = sn_symtab_get(all, w);
    bool is_new;
    SN_TRY(sni_builder_add_word(&m->b, text, strlen(text),
                                (float)mixed_logp(m, &w, 1), 0.0f, &is_new,
                                err));
  }
  return sni_builder_end_level(&m->b, err);
}

static bool is_in(const mixer *m, size_t i, const int32_t *words, int32_t k) {
  int32_t own[SN_NGRAM_MAX_ORDER];
  if (k > m->model[i]->order) return false;
  for (int32_t j = 0; j < k; j++) {
    own[j] = m->from[i][words[j]];
    if (own[j] < 0) return false;
  }
  return sni_find(m->model[i], own, k) >= 0;
}

static sn_status add_model_level(mixer *m, size_t i, int32_t k, sn_log *log,
                                 sn_err *err) {
  sni_walk walk;
  sni_walk_init(&walk, m->model[i], k);
  const int64_t n = m->model[i]->level[k].n;
  for (int64_t g = 0; g < n; g++) {
    int32_t words[SN_NGRAM_MAX_ORDER];
    sni_walk_to(&walk, g);
    for (int32_t j = 0; j < k; j++) words[j] = m->to[i][walk.words[j]];
    bool is_there = false;
    for (size_t j = 0; j < i && !is_there; j++)
      is_there = is_in(m, j, words, k);
    if (!is_there)
      SN_TRY(sni_builder_add(&m->b, words, (float)mixed_logp(m, words, k), 0.0f,
                             err));
    if ((g & 0xffff) == 0xffff) {
      sn_log_progress(log, "mixing", "n-grams", g, n, false);
      if (sn_log_cancelled(log)) return sn_fail(err, SN_ECANCEL, "interrupted");
    }
  }
  return SN_OK;
}

static sn_status mix_all(mixer *m, sn_symtab *all, sn_log *log, sn_ngram **out,
                         sn_err *err) {
  int32_t order = 1;
  for (size_t i = 0; i < m->n; i++) {
    if (m->model[i]->small != NULL) {
      SN_TRY(sni_ngram_plain(m->model[i], &m->plain[i], err));
      m->model[i] = m->plain[i];
    }
    if (m->model[i]->order > order) order = m->model[i]->order;
  }
  SN_TRY(sni_builder_init(&m->b, "mixture", order, err));
  SN_TRY(collect_words(m, all, err));
  SN_TRY(add_words(m, all, err));
  for (int32_t k = 2; k <= order; k++) {
    for (size_t i = 0; i < m->n; i++)
      if (k <= m->model[i]->order) SN_TRY(add_model_level(m, i, k, log, err));
    SN_TRY(sni_builder_end_level(&m->b, err));
  }
  SN_TRY(sni_builder_take(&m->b, out, err));
  sni_ngram_normalise(*out);
  return SN_OK;
}

sn_status sn_ngram_mix(const sn_ngram *const *models, const double *weights,
                       size_t n, sn_log *log, sn_ngram **out, sn_err *err) {
  *out = NULL;
  if (n < 1 || n > SN_MIX_MAX)
    return sn_fail(err, SN_EARG, "%zu models, not 1 to %d", n, SN_MIX_MAX);
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) {
    if (!(weights[i] >= 0.0) || !isfinite(weights[i]))
      return sn_fail(err, SN_EARG, "weight %zu is %g, not 0 or above", i + 1,
                     weights[i]);
    sum += weights[i];
  }
  if (!(sum > 0.0)) return sn_fail(err, SN_EARG, "all weights are 0");
  mixer *const m = sn_calloc(1, sizeof *m);
  sn_symtab *all = NULL;
  if (m == NULL) return sn_fail_nomem(err, "mixing");
  sn_status s = sn_symtab_create(&all, err);
  /* A model of weight 0 adds nothing, not even n-grams. */
  for (size_t i = 0; i < n; i++)
    if (weights[i] > 0.0) {
      m->model[m->n] = models[i];
      m->weight[m->n++] = weights[i] / sum;
    }
  m->n_before = -1;
  if (s == SN_OK) s = mix_all(m, all, log, out, err);
  for (size_t i = 0; i < m->n; i++) {
    sn_free(m->to[i]);
    sn_free(m->from[i]);
    sn_ngram_destroy(m->plain[i]);
  }
  sni_builder_clear(&m->b);
  sn_symtab_destroy(all);
  sn_free(m);
  return s;
}

/* ---- Weights ---- */

typedef struct token_probs {
  sn_arr_f32 p; /* of one model, in order */
  sn_status s;
} token_probs;

static void take_prob(void *user, const sn_ppl_word *w) {
  token_probs *const t = user;
  const float p = w->id >= 0 ? (float)exp(w->logp) : 0.0f;
  if (t->s == SN_OK) t->s = SN_ARR_PUSH(&t->p, p, NULL);
}

static sn_status read_text(sn_reader *r, sn_str *text, sn_err *err) {
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    SN_TRY(sn_str_add(text, line.p, line.n, err));
    SN_TRY(sn_str_add(text, "\n", 1, err));
  }
}

static sn_status score_text(const sn_ngram *lm, const sn_str *text,
                            const char *name, token_probs *out, sn_err *err) {
  sn_ppl *p = NULL;
  sn_reader *r = NULL;
  sn_status s = sn_ppl_create(lm, NULL, &p, err);
  if (s == SN_OK)
    s = sn_reader_memory(sn_str_get(text), text->n, name, &r, err);
  if (s == SN_OK) s = sn_ppl_add_text(p, r, take_prob, out, err);
  if (s == SN_OK && out->s != SN_OK) s = sn_fail_nomem(err, "mixing");
  sn_reader_destroy(r);
  sn_ppl_destroy(p);
  return s;
}

static void report_alone(const token_probs *t, size_t n, sn_mix_report *r) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0.0;
    for (size_t k = 0; k < t[i].p.n; k++)
      if (t[i].p.data[k] > 0.0f) {
        sum += log((double)t[i].p.data[k]);
        r->n_alone[i]++;
      }
    r->alone[i] = exp(-sum / (double)r->n_alone[i]);
  }
}

/* One iteration over all tokens; returns the log-likelihood before it. */
static double em_step(const token_probs *t, size_t n, double *w, int64_t *n_all,
                      double *sums) {
  double logp = 0.0;
  *n_all = 0;
  memset(sums, 0, n * sizeof *sums);
  for (size_t k = 0; k < t[0].p.n; k++) {
    double p = 0.0;
    for (size_t i = 0; i < n; i++) p += w[i] * (double)t[i].p.data[k];
    if (!(p > 0.0)) continue;
    (*n_all)++;
    logp += log(p);
    for (size_t i = 0; i < n; i++) sums[i] += w[i] * (double)t[i].p.data[k] / p;
  }
  return logp;
}

static sn_status estimate(const token_probs *t, size_t n, double *w,
                          sn_mix_report *r, sn_err *err) {
  double sums[SN_MIX_MAX], last = -HUGE_VAL;
  for (size_t i = 0; i < n; i++) w[i] = 1.0 / (double)n;
  for (r->n_iterations = 0;; r->n_iterations++) {
    const double logp = em_step(t, n, w, &r->n_tokens, sums);
    if (r->n_tokens == 0)
      return sn_fail(err, SN_EARG,
                     "no model has any word of the held-out text");
    r->n_oov = (int64_t)t[0].p.n - r->n_tokens;
    r->perplexity = exp(-logp / (double)r->n_tokens);
    if (logp - last < 1e-9 * (double)r->n_tokens || r->n_iterations >= 1000)
      return SN_OK;
    last = logp;
    for (size_t i = 0; i < n; i++) w[i] = sums[i] / (double)r->n_tokens;
  }
}

sn_status sn_mix_weights(const sn_ngram *const *models, size_t n,
                         sn_reader *text, double *weights,
                         sn_mix_report *report, sn_err *err) {
  if (n < 1 || n > SN_MIX_MAX)
    return sn_fail(err, SN_EARG, "%zu models, not 1 to %d", n, SN_MIX_MAX);
  for (size_t i = 1; i < n; i++)
    if ((sn_ngram_eos(models[i]) < 0) != (sn_ngram_eos(models[0]) < 0))
      return sn_fail(err, SN_EMISMATCH,
                     "some models have </s> and some do not: model %zu", i + 1);
  token_probs *const t = sn_calloc(n, sizeof *t);
  sn_mix_report own = {0};
  sn_str all = {0};
  if (t == NULL) return sn_fail_nomem(err, "mixing");
  sn_status s = read_text(text, &all, err);
  for (size_t i = 0; i < n && s == SN_OK; i++)
    s = score_text(models[i], &all, sn_reader_name(text), &t[i], err);
  if (s == SN_OK) s = estimate(t, n, weights, &own, err);
  if (s == SN_OK) report_alone(t, n, &own);
  if (report != NULL) *report = own;
  for (size_t i = 0; i < n; i++) SN_ARR_FREE(&t[i].p);
  sn_free(t);
  sn_str_clear(&all);
  return s;
}

/* ---- Marginals ---- */

static void adapt_words(sn_ngram *lm, const float *log_a) {
  for (int32_t w = 0; w < lm->vocab.n_words; w++)
    writable(lm->level[1].logp)[w] += log_a[w];
  scale_words(lm);
}

/* The listed words of h keep their sum. */
static void adapt_children(sn_ngram *lm, sn_ngram_state h, const float *log_a) {
  int64_t first;
  const int64_t n = sn_ngram_children(lm, h, &first);
  const int32_t k = h.level + 1;
  double before = 0.0, after = 0.0;
  for (int64_t c = first; c < first + n; c++) {
    const double p = exp((double)lm->level[k].logp[c]);
    before += p;
    after += p * exp((double)log_a[sn_ngram_child_word(lm, k, c)]);
  }
  if (!(before > 0.0) || !(after > 0.0)) return;
  const double log_z = log(after / before);
  for (int64_t c = first; c < first + n; c++)
    writable(lm->level[k].logp)[c] +=
        (float)((double)log_a[sn_ngram_child_word(lm, k, c)] - log_z);
}

static void fill_log_a(const sn_ngram *lm, const int64_t *counts, double prior,
                       double beta, float *log_a) {
  double n = 0.0;
  for (int32_t w = 0; w < lm->vocab.n_words; w++)
    if (w != lm->bos) n += (double)counts[w];
  for (int32_t w = 0; w < lm->vocab.n_words; w++) {
    const double p = exp((double)lm->level[1].logp[w]);
    if (w == lm->bos || !(p > 0.0)) continue;
    const double p_text = ((double)counts[w] + prior * p) / (n + prior);
    log_a[w] = (float)(beta * log(p_text / p));
  }
}

sn_status sn_ngram_adapt_marginals(const sn_ngram *lm, const int64_t *counts,
                                   double prior, double beta, sn_ngram **out,
                                   sn_err *err) {
  *out = NULL;
  if (!(prior > 0.0) || !(beta >= 0.0) || beta > 1.0)
    return sn_fail(err, SN_EARG,
                   "prior %g is not above 0, or beta %g not 0 to 1", prior,
                   beta);
  /* A mixture of one model is a copy whose arrays are its own. */
  const double one = 1.0;
  sn_ngram *copy = NULL;
  SN_TRY(sn_ngram_mix(&lm, &one, 1, NULL, &copy, err));
  float *const log_a = sn_calloc((size_t)copy->vocab.n_words, sizeof *log_a);
  if (log_a == NULL) {
    sn_ngram_destroy(copy);
    return sn_fail_nomem(err, "adapting");
  }
  fill_log_a(copy, counts, prior, beta, log_a);
  adapt_words(copy, log_a);
  for (int32_t k = 1; k < copy->order; k++)
    for (int64_t i = 0; i < copy->level[k].n; i++) {
      const sn_ngram_state h = {k, i};
      adapt_children(copy, h, log_a);
    }
  sni_ngram_normalise(copy);
  sn_free(log_a);
  *out = copy;
  return SN_OK;
}
