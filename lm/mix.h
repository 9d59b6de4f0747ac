/* SPDX-License-Identifier: Apache-2.0 */
/* lm/mix.h - linear interpolation of n-gram models, and adaptation of one to
 * the words of a text. */
#ifndef SN_LM_MIX_H
#define SN_LM_MIX_H
#include <stddef.h>
#include <stdint.h>

#include "base/io.h"
#include "base/log.h"
#include "base/status.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_MIX_MAX 64 /* models */

/* One back-off model that stands for sum of weights[i] * p_i(w | h): it has the
 * words and n-grams of all of them (orders may differ), each with exactly the
 * mixed probability; back-off weights are computed so that each history sums
 * to one. (An n-gram that no model lists is backed off, as in SRILM's static
 * interpolation; a mixture at run time would give it a slightly other value.)
 * A model gives 0 to a word that it does not have; a word of the history that
 * it does not have is its <unk>, or ends its history.
 * models, weights [n], 1 <= n <= SN_MIX_MAX; weights >= 0 with a sum above 0
 * are scaled to sum to one. EARG, ELIMIT, ENOMEM, ECANCEL. */
SN_NODISCARD sn_status sn_ngram_mix(const sn_ngram *const *models,
                                    const double *weights, size_t n,
                                    sn_log *log, sn_ngram **out, sn_err *err);

/* What sn_mix_weights found. */
typedef struct sn_mix_report {
  int64_t n_tokens;     /* words and sentence ends that count */
  int64_t n_oov;        /* words that no model has: left out */
  int32_t n_iterations; /* of EM */
  double perplexity;    /* of the tokens under the mixture at run time */
  /* of each model alone, over those tokens that it gives a probability, and how
   * many these are */
  double alone[SN_MIX_MAX];
  int64_t n_alone[SN_MIX_MAX];
} sn_mix_report;

/* Weights that make the text likeliest, by EM from equal ones (Jelinek and
 * Mercer 1980), until the log-likelihood of a token grows by less than 1e-9 or
 * after 1000 iterations. Holds one float for each token and model. weights [n]
 * out; report may be NULL. EFORMAT as sn_ppl_add_text; EMISMATCH when some
 * models have </s> and some not; EARG when no token counts. */
SN_NODISCARD sn_status sn_mix_weights(const sn_ngram *const *models, size_t n,
                                      sn_reader *text, double *weights,
                                      sn_mix_report *report, sn_err *err);

/* Adapts a model's word frequencies: p_a(w | h) = a(w) / z(h) p(w | h) for the
 * n-grams it lists, with a(w) = (p_text(w) / p(w))^beta, and z(h) such that the
 * listed words of a history keep their share; back-off weights follow.
 * counts   [words of lm] how often each occurs in the adaptation text
 * prior    > 0, in words: p_text is the MAP estimate (c(w) + prior p(w)) /
 *          (N + prior), so that a short text moves little
 * beta     0 .. 1: how far to go
 * Source: Kneser, Peters, Klakow 1997, "Language model adaptation using dynamic
 * marginals", equations 7 to 10. EARG, ENOMEM. */
SN_NODISCARD sn_status sn_ngram_adapt_marginals(const sn_ngram *lm,
                                                const int64_t *counts,
                                                double prior, double beta,
                                                sn_ngram **out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
