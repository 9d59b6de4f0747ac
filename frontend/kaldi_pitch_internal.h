/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/kaldi_pitch_internal.h - the pitch tracker's tables, shared by its
 * streams (kaldi_pitch_plan.c), and its search (kaldi_pitch_search.c). The
 * steps are those told in kaldi_pitch.c. */
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

/* Value of output i from inputs v. */
static inline float sni_filters_at(const sni_filters *f, const float *v,
                                   size_t i) {
  const float *const w = f->w + f->at[i];
  const float *const x = v + f->first[i];
  float sum = 0.0f;
  for (size_t j = 0; j < f->len[i]; j++) sum += w[j] * x[j];
  return sum;
}

/* ---- Search (steps 4 and 5) ----
 *
 * For each frame: begin, fill the row that it gives and `local`, step. Then
 * settle or decide say how many of the oldest frames are decided; those are in
 * path[0 ..] and row 0 .. until they are dropped. */
typedef struct sni_pitch_search {
  const sni_pitch_plan *p;
  float *local;     /* [n_lags] cost of each candidate on this frame */
  float *cost;      /* [n_lags] of the best path to each candidate */
  float *before;    /* [n_lags] the same of the frame before */
  double *envelope; /* [2 * n_lags + 1] */
  size_t *apex;     /* [n_lags] */

  /* Frames that are open: first .. first + n - 1 of what is stored. */
  size_t first, n, cap;
  uint16_t *back; /* [cap x n_lags] best candidate on the frame before */
  float *nccf;    /* [cap x n_measured] the caller's row */
  uint16_t *path; /* [cap] candidate of each decided frame, from 0 */
} sni_pitch_search;

/* SN_ENOMEM: clear is to be called all the same. */
SN_NODISCARD sn_status sni_pitch_search_init(const sni_pitch_plan *p,
                                             sni_pitch_search *s, sn_err *err);
void sni_pitch_search_clear(sni_pitch_search *s);
void sni_pitch_search_reset(sni_pitch_search *s);
/* *row [n_measured] belongs to the frame that the next step adds. SN_ENOMEM. */
SN_NODISCARD sn_status sni_pitch_search_begin(sni_pitch_search *s, float **row,
                                              sn_err *err);
void sni_pitch_search_step(sni_pitch_search *s);
/* Frames on which all paths agree, after which they do not. */
size_t sni_pitch_search_settle(sni_pitch_search *s);
/* All but the newest `keep`, along the path that is best now. */
size_t sni_pitch_search_decide(sni_pitch_search *s, size_t keep);
const float *sni_pitch_search_row(const sni_pitch_search *s, size_t i);
void sni_pitch_search_drop(sni_pitch_search *s, size_t n);
#ifdef __cplusplus
}
#endif
#endif
