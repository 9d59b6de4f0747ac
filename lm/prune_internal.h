/* SPDX-License-Identifier: Apache-2.0 */
/* lm/prune_internal.h - what the parts of pruning share. */
#ifndef SN_LM_PRUNE_INTERNAL_H
#define SN_LM_PRUNE_INTERNAL_H
#include "lm/ngram_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A model's structure with weights of our own. */
typedef struct sni_weights {
  const sn_ngram *lm;
  float *logp[SN_NGRAM_MAX_ORDER + 1];    /* [k][n_k] k = 1 .. order */
  float *backoff[SN_NGRAM_MAX_ORDER + 1]; /* [k][n_k] k = 1 .. order - 1 */
  /* What rounding leaves: sum of p(. | h) - 1 for each history. Large back-off
   * weights would multiply it, so it is taken into account. */
  float *excess[SN_NGRAM_MAX_ORDER + 1]; /* [k][n_k] k = 1 .. order - 1 */
  double excess_empty;
  int64_t n_scaled; /* histories whose explicit sum was too large */
} sni_weights;

/* log p(w | h') with which h's child (level, child) would be backed off. */
double sni_backed_off_logp(const sni_weights *w, sn_ngram_state h,
                           int32_t level, int64_t child);

/* How often what occurs, of all words that the model itself produces. Zeroed
 * before; sni_marginals_clear in any case. Errors: ENOMEM, ECANCEL. */
typedef struct sni_marginals {
  double *occurs[SN_NGRAM_MAX_ORDER + 1]; /* [k][n_k] the last words before; k =
                                             1 .. order - 1 */
  double *state[SN_NGRAM_MAX_ORDER + 1];  /* [k][n_k] the longest history that
                                             the model has is this one */
  double *used[SN_NGRAM_MAX_ORDER + 1];   /* [k][n_k] the longest n-gram that
                                             ends in the word is this one; k = 1
                                             .. order */
} sni_marginals;
SN_NODISCARD sn_status sni_marginals_compute(sni_marginals *m,
                                             const sni_weights *w, sn_log *log,
                                             sn_err *err);
/* Below the highest order, probabilities as they would be if there were no
 * longer n-grams: p(w | h) = p(h w) / p(h) of the marginals, at least a part of
 * what was there. Back-off weights are left as they are. ENOMEM. */
SN_NODISCARD sn_status sni_marginals_logp(const sni_marginals *m,
                                          sni_weights *w, sn_err *err);
void sni_marginals_clear(sni_marginals *m);

/* Probabilities of the model in w, whose n-grams are a part of `old`'s, that
 * make it as near to `old` as it can be. w->logp is a copy of the old ones,
 * w->lm has its structure; logp and backoff are set.
 * to     [k] k = 2 .. old's order, [n_k] of old: index in w->lm, or UINT32_MAX
 * m      of old
 * Errors: ENOMEM, ECANCEL. */
SN_NODISCARD sn_status sni_refit(sni_weights *w, const sn_ngram *old,
                                 uint32_t *const *to, const sni_marginals *m,
                                 sn_log *log, sn_err *err);

/* The counts behind an interpolated Kneser-Ney model of which nothing was left
 * out (prune_counts.c). Zeroed before; sni_model_counts_clear in any case. */
typedef struct sni_model_counts {
  int32_t *count[SN_NGRAM_MAX_ORDER + 1]; /* [k][n_k] k = 2 .. order; below the
                                             highest order and not behind <s>:
                                             of different words before; 0: not
                                             found */
  int64_t *total[SN_NGRAM_MAX_ORDER + 1]; /* [k][n_k] k = 1 .. order - 1, sum
                                             over the words behind; 0: there are
                                             none, or not found */
  double discount[SN_NGRAM_MAX_ORDER + 1][4]; /* [k] of counts 1, 2, 3 and more
                                                 of order k */
} sni_model_counts;
/* *found: whether it is such a model; else what is in m means nothing. w is
 * normalised. Errors: ENOMEM, ECANCEL. */
SN_NODISCARD sn_status sni_model_counts_find(sni_model_counts *m,
                                             const sni_weights *w, bool *found,
                                             sn_log *log, sn_err *err);
void sni_model_counts_clear(sni_model_counts *m);
static inline double sni_discount_of(const double *discount, double count) {
  return discount[count >= 3.0 ? 3 : (int)count];
}

/* In such a model, probabilities by Good-Turing among n-grams of about the same
 * expected count, and the back-off weights that go with them; any other model
 * stays as it is (*is_done). Below order 1 nothing changes. w is normalised.
 * Errors: ENOMEM, ECANCEL. */
SN_NODISCARD sn_status sni_resmooth(sni_weights *w, bool *is_done, sn_log *log,
                                    sn_err *err);

/* Back-off weights of all histories of length k, the shorter ones' being done.
 * Errors: ECANCEL. */
SN_NODISCARD sn_status sni_normalise_level(sni_weights *w, int32_t k,
                                           sn_log *log, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
