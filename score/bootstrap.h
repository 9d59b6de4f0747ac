/* SPDX-License-Identifier: Apache-2.0 */
/* score/bootstrap.h - how far an error rate may be trusted. */
#ifndef SN_SCORE_BOOTSTRAP_H
#define SN_SCORE_BOOTSTRAP_H
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_bootstrap_opts {
  int32_t n_draws; /* > 0 */
  int32_t seed;
} sn_bootstrap_opts;

/* 95 % percentile interval of sum(errors) / sum(words) when units (utterances,
 * or speakers with all of theirs) are drawn with replacement.
 * errors, words  [in] [n] per unit, n > 0
 * low, high      [out] rates, 1 = 100 %
 * The bounds are the values that n_draws / 40 draws lie below, and above. Same
 * seed, same numbers. Errors: SN_ENOMEM.
 * Source: Bisani and Ney 2004, "Bootstrap estimates for confidence intervals
 * in ASR performance evaluation". */
SN_NODISCARD sn_status sn_bootstrap_rate(const int64_t *errors,
                                         const int64_t *words, size_t n,
                                         const sn_bootstrap_opts *opts,
                                         double *low, double *high,
                                         sn_err *err);

/* Two systems on the same units. */
typedef struct sn_paired {
  double difference;    /* rate of a minus rate of b, on all units */
  double low, high;     /* 95 % interval of it */
  double p_a_is_better; /* part of the draws in which a has fewer errors */
  double p_b_is_better; /* and b; the rest are equal */
} sn_paired;
/* Both systems' errors are taken from the same drawn units.
 * Source: as above, section 3 (probability of improvement). */
SN_NODISCARD sn_status sn_bootstrap_paired(const int64_t *errors_a,
                                           const int64_t *errors_b,
                                           const int64_t *words, size_t n,
                                           const sn_bootstrap_opts *opts,
                                           sn_paired *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
