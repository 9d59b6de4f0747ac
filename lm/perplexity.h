/* SPDX-License-Identifier: Apache-2.0 */
/* lm/perplexity.h - how well a model predicts a text. */
#ifndef SN_LM_PERPLEXITY_H
#define SN_LM_PERPLEXITY_H
#include <stdbool.h>
#include <stdint.h>

#include "base/io.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "base/str.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_ppl_fold {
  SN_PPL_FOLD_NONE,
  SN_PPL_FOLD_LOWER, /* ASCII letters only */
  SN_PPL_FOLD_UPPER
} sn_ppl_fold;

typedef struct sn_ppl_opts {
  bool ids;     /* each line begins with an utterance id, which is skipped */
  int32_t fold; /* sn_ppl_fold of words before they are looked up */
  const struct sn_classes *classes; /* or NULL, lm/classes.h: the model is one
                                       over classes; borrowed */
  const sn_log *log; /* or NULL; asked now and then whether to stop */
} sn_ppl_opts;
extern const sn_opt sn_ppl_opt_table[];

/* Sums so far. log p are natural logs. A word that the model does not have
 * counts in n_oov and not in n_words, whether or not there is <unk>; its
 * log p under <unk>, if any, goes to oov_logp. A word that it has, but with
 * probability 0 (log10 -99 in its file), counts as a word. */
typedef struct sn_ppl_sums {
  int64_t n_sentences;
  int64_t n_words; /* in the model; without </s> */
  int64_t n_oov;
  double words_logp; /* of n_words */
  double ends_logp;  /* of n_sentences times </s>; 0 without </s> */
  double oov_logp;
} sn_ppl_sums;

/* One word, or </s> at the end of a line. */
typedef struct sn_ppl_word {
  int64_t sentence; /* from 0 */
  int32_t position; /* in the sentence, from 0 */
  const char *text; /* as it was looked up; borrowed for the call */
  int32_t id;       /* -1: not in the model */
  int32_t matched;  /* order of the n-gram that was found; 0 for none */
  double logp;      /* -infinity when not in the model and no <unk> */
} sn_ppl_word;
typedef void sn_ppl_fn(void *user, const sn_ppl_word *word);

typedef struct sn_ppl sn_ppl;
/* opts NULL: defaults. lm is borrowed. */
SN_NODISCARD sn_status sn_ppl_create(const sn_ngram *lm,
                                     const sn_ppl_opts *opts, sn_ppl **out,
                                     sn_err *err);
void sn_ppl_destroy(sn_ppl *p);

/* One sentence: words between blanks; <s> at its beginning and </s> at its end
 * may be written or not. Empty lines are no sentences. fn may be NULL.
 * SN_EFORMAT, without file and line: invalid UTF-8, a control character, <s>
 * or </s> in the middle; nothing is counted then. */
SN_NODISCARD sn_status sn_ppl_add(sn_ppl *p, const char *line, size_t n,
                                  sn_ppl_fn *fn, void *user, sn_err *err);
/* All lines of a reader; failures name "NAME:LINE". */
SN_NODISCARD sn_status sn_ppl_add_text(sn_ppl *p, sn_reader *r, sn_ppl_fn *fn,
                                       void *user, sn_err *err);
const sn_ppl_sums *sn_ppl_get_sums(const sn_ppl *p);

/* exp(-mean log p): over words and sentence ends, or over words alone.
 * with_oov adds the OOVs under <unk>. NaN when there is nothing to average. */
double sn_ppl_compute(const sn_ppl *p, bool with_ends, bool with_oov);

/* Words that the model lacks: most frequent first, then by first appearance.
 * *word is borrowed until the next sn_ppl_add. */
int32_t sn_ppl_n_oov_types(const sn_ppl *p);
void sn_ppl_sort_oov(sn_ppl *p);
/* i-th of that order (after sn_ppl_sort_oov). */
const char *sn_ppl_oov(const sn_ppl *p, int32_t i, int64_t *count);
#ifdef __cplusplus
}
#endif
#endif
