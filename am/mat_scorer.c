/* SPDX-License-Identifier: Apache-2.0 */
/* Plays back a matrix of log-likelihoods, one row a frame. */
#include "am/mat_scorer.h"

#include <math.h>

#include "base/mem.h"

typedef struct mat_scorer {
  sn_scorer base; /* first: the interface */
  sn_cmat m;
  double frame_s;
} mat_scorer;

static const mat_scorer *of(const sn_scorer *s) {
  return (const mat_scorer *)(const void *)s;
}

static int64_t n_frames_ready(const sn_scorer *s) {
  return (int64_t)of(s)->m.rows;
}

static bool finished(const sn_scorer *s) {
  (void)s;
  return true;
}

static sn_status scores(sn_scorer *s, int64_t t, const float **row,
                        sn_err *err) {
  if (t < 0 || t >= (int64_t)of(s)->m.rows)
    return sn_fail(err, SN_EARG, "scores: frame %lld of %zu", (long long)t,
                   of(s)->m.rows);
  *row = sn_cmat_row(of(s)->m, (size_t)t);
  return SN_OK;
}

static void frame_time(const sn_scorer *s, int64_t t, double *begin_s,
                       double *end_s) {
  *begin_s = (double)t * of(s)->frame_s;
  *end_s = (double)(t + 1) * of(s)->frame_s;
}

static void destroy(sn_scorer *s) { sn_free(s); }

sn_status sn_mat_scorer_create(sn_cmat m, double frame_s, sn_scorer **out,
                               sn_err *err) {
  static const sn_scorer_ops ops = {n_frames_ready, finished, scores,
                                    frame_time, destroy};
  *out = NULL;
  if (m.cols > INT32_MAX)
    return sn_fail(err, SN_EARG, "scores: %zu columns", m.cols);
  for (size_t r = 0; r < m.rows; r++)
    for (size_t c = 0; c < m.cols; c++)
      if (!(sn_cmat_row(m, r)[c] < INFINITY))
        return sn_fail(err, SN_EFORMAT,
                       "scores: frame %zu, pdf %zu: %g is no log-likelihood", r,
                       c, (double)sn_cmat_row(m, r)[c]);
  mat_scorer *const s = sn_calloc(1, sizeof *s);
  if (s == NULL) return sn_fail_nomem(err, "scores");
  s->base.ops = &ops;
  s->base.n_pdfs = (int32_t)m.cols;
  s->m = m;
  s->frame_s = frame_s;
  *out = &s->base;
  return SN_OK;
}
