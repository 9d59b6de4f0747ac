/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/kaldi_pitch_internal.h - tables of the pitch tracker, shared by its
 * streams. Made in kaldi_pitch_plan.c, used in kaldi_pitch.c. */
#ifndef SN_FRONTEND_KALDI_PITCH_INTERNAL_H
#define SN_FRONTEND_KALDI_PITCH_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

#include "frontend/kaldi_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A filter bank: output i is the sum of w[at[i] + j] * input[first[i] + j]. */
typedef struct sni_filters {
  size_t n;
  int64_t *first;
  size_t *len, *at;
  float *w;
} sni_filters;

struct sni_pitch_plan {
  int64_t win, full, shift; /* samples after resampling; full: with all lags */
  int64_t first_lag;
  size_t n_measured, n_lags;
  float *lags;               /* s [n_lags] */
  sni_filters to_lags;       /* step 3 */
  sni_filters resample;      /* step 1, for each phase of the output */
  int64_t in_unit, out_unit; /* samples after which the phases repeat */
  int64_t reach;             /* of the filter, in ticks (see n_resampled) */
  float step_cost;           /* f */
};
#ifdef __cplusplus
}
#endif
#endif
