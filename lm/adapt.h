/* SPDX-License-Identifier: Apache-2.0 */
/* lm/adapt.h - a general model and a page of domain text in, one model out. */
#ifndef SN_LM_ADAPT_H
#define SN_LM_ADAPT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/io.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "lm/mix.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_adapt_opts {
  int32_t order; /* of the text's own model */
  int32_t folds; /* of the cross-validation, 2 .. 64 */
  bool repair;   /* the text: lm/text_source.h */
} sn_adapt_opts;
extern const sn_opt sn_adapt_opt_table[];

/* Everything is over the text, each part scored by models of the other parts;
 * the mixture's weight for each part is chosen on the other parts too. */
typedef struct sn_adapt_report {
  int64_t n_sentences;
  int64_t n_tokens;   /* words and sentence ends that the mixture scores */
  int64_t n_known;    /* of them, in the base model */
  int64_t n_oov;      /* words that neither has */
  double base;        /* perplexity of the n_known, base model alone */
  double mixed_known; /* of the same tokens, mixture */
  double mixed;       /* of all n_tokens */
  double weight;      /* of the text's model in the result */
} sn_adapt_report;

/* Estimates a Witten-Bell model of the text's lines (order opts->order), finds
 * its weight by cross-validation (fold f has the sentences whose number is f
 * modulo folds), and mixes a model of the whole text into base with it
 * (sn_ngram_mix). Words that are new in the text become words of the result.
 * Witten-Bell, because a page has too few counts of counts for Kneser-Ney.
 * opts NULL: defaults. EARG for a text of fewer sentences than folds; EFORMAT
 * "NAME:LINE". */
SN_NODISCARD sn_status sn_ngram_adapt(const sn_ngram *base, sn_reader *text,
                                      const sn_adapt_opts *opts, sn_log *log,
                                      sn_ngram **out, sn_adapt_report *report,
                                      sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
