/* SPDX-License-Identifier: Apache-2.0 */
/* lm/estimate.h - n-gram models from counts, on disk where they must be.
 *
 * Methods (SN_ESTIMATE_...):
 *   MKN    interpolated modified Kneser-Ney: three discounts for each order,
 *          lower orders from continuation counts (Chen & Goodman 1998, sections
 *          2.6 and 3; discounts in closed form, equation 26; on disk: Heafield
 *          et al. 2013). <unk> shares in what the words' discounts leave.
 *   KN     the same with one discount n1 / (n1 + 2 n2)
 *   ABS    interpolated absolute discounting of the counts themselves
 *   WB     interpolated Witten-Bell (method C)
 *   KATZ   Good-Turing discounts of counts up to 5, backing off (Katz 1987) */
#ifndef SN_LM_ESTIMATE_H
#define SN_LM_ESTIMATE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "lm/count.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_estimate_method {
  SN_ESTIMATE_MKN,
  SN_ESTIMATE_KN,
  SN_ESTIMATE_ABS,
  SN_ESTIMATE_WB,
  SN_ESTIMATE_KATZ
} sn_estimate_method;

typedef struct sn_estimate_opts {
  int32_t method;
  const char *prune; /* "0,0,1": n-grams of order 3 that occur at most once are
                        left out; the last number is for all higher orders */
} sn_estimate_opts;
extern const sn_opt sn_estimate_opt_table[];

#define SN_ESTIMATE_MAX_R 5 /* Katz: counts up to this are discounted */

/* What was done for each order. */
typedef struct sn_estimate_order {
  int64_t n_ngrams, n_kept; /* kept: not below the cut-off */
  int64_t counts_of_counts[SN_ESTIMATE_MAX_R + 2]; /* [1 ..] n-grams that occur
                                                      so often (MKN, KN below
                                                      the top: after so many
                                                      words) */
  double discount[4]; /* MKN, KN, ABS: [1], [2], [3 and more] */
  double ratio[SN_ESTIMATE_MAX_R + 1]; /* KATZ: r* / r, [1 ..] */
  bool is_fallback; /* the closed form failed; said in a warning */
} sn_estimate_order;

typedef struct sn_estimate_report {
  int32_t order;
  sn_estimate_order orders[SN_NGRAM_MAX_ORDER + 1]; /* [1 ..] */
} sn_estimate_report;

/* SN_EARG where `prune` does not suit a model of that order. */
SN_NODISCARD sn_status sn_estimate_check(const sn_estimate_opts *opts,
                                         int32_t order, sn_err *err);

/* The model as an ARPA file, written as it is computed: no n-gram model is in
 * memory. The counts are used up. report may be NULL.
 * Errors: EFORMAT when there are no words; EARG for `prune`; EIO (disk full),
 * ECANCEL, ENOMEM. */
SN_NODISCARD sn_status sn_estimate_arpa(sn_counts *c,
                                        const sn_estimate_opts *opts,
                                        const char *path,
                                        sn_estimate_report *report,
                                        sn_err *err);
/* The same model in memory (about 16 bytes an n-gram, beyond the limit). */
SN_NODISCARD sn_status sn_estimate_ngram(sn_counts *c,
                                         const sn_estimate_opts *opts,
                                         sn_ngram **out,
                                         sn_estimate_report *report,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
