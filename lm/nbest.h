/* SPDX-License-Identifier: Apache-2.0 */
/* lm/nbest.h - n-best lists in a new order. */
#ifndef SN_LM_NBEST_H
#define SN_LM_NBEST_H
#include <stdbool.h>
#include <stdint.h>

#include "base/io.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_nbest_opts {
  double lm_weight, word_penalty, oov_logp;
  bool best;         /* for those who print: rank 0 only */
  const sn_log *log; /* or NULL; asked at each line whether to stop */
} sn_nbest_opts;
extern const sn_opt sn_nbest_opt_table[];

typedef struct sn_nbest_entry {
  const char *id,
      *words;     /* borrowed until destroy; words with one blank each */
  double score;   /* of the file, natural log */
  double lm_logp; /* of the words and the sentence end */
  double total;   /* score + lm_weight lm_logp + word_penalty n_words */
  int32_t n_words, n_oov; /* unknown: oov_logp each, or <unk>'s own */
  int32_t rank;           /* within the utterance, from 0 */
} sn_nbest_entry;

typedef struct sn_nbest sn_nbest;
/* lm is borrowed; opts NULL: defaults. */
SN_NODISCARD sn_status sn_nbest_create(const sn_ngram *lm,
                                       const sn_nbest_opts *opts,
                                       sn_nbest **out, sn_err *err);
void sn_nbest_destroy(sn_nbest *n); /* NULL is fine */
/* Lines "id TAB score TAB words" (no words: two TABs or an empty third field).
 * SN_EFORMAT with "NAME:LINE". */
SN_NODISCARD sn_status sn_nbest_add_text(sn_nbest *n, sn_reader *r,
                                         sn_err *err);
/* Utterances in order of their first lines, best total first, equal totals in
 * order of their lines. Call it before get. */
SN_NODISCARD sn_status sn_nbest_rank(sn_nbest *n, sn_err *err);
int64_t sn_nbest_n(const sn_nbest *n);
const sn_nbest_entry *sn_nbest_get(const sn_nbest *n, int64_t i);
int64_t sn_nbest_n_oov(const sn_nbest *n); /* over all hypotheses */
#ifdef __cplusplus
}
#endif
#endif
