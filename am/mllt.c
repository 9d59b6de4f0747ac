/* SPDX-License-Identifier: Apache-2.0 */
/* MLLT: statistics by pdf; the rows of A as in fmllr.c.
 *
 * Q(A) is the objective of fMLLR without the terms of the means (k = 0) and
 * without an offset, and its best row, with alpha^2 e1 = beta, is Gales's. So
 * the statistics are handed to that solver, with a 1 where the offset stands,
 * which keeps it at 0. A row and its negative are equally good: diagonals are
 * made positive. */
#include "am/mllt.h"

#include <math.h>
#include <string.h>

#include "am/fmllr.h"
#include "base/mem.h"

static size_t tri(size_t n) { return n * (n + 1) / 2; }

sn_status sn_mllt_stats_init(sn_mllt_stats *s, size_t dim, sn_err *err) {
  memset(s, 0, sizeof *s);
  if (dim == 0 || dim > SN_MLLT_MAX_DIM)
    return sn_fail(err, SN_EARG, "MLLT of %zu dimensions: 1 to %d can be had",
                   dim, SN_MLLT_MAX_DIM);
  s->dim = dim;
  s->G = sn_calloc(dim * tri(dim), sizeof *s->G);
  return s->G == NULL ? sn_fail_nomem(err, "MLLT statistics") : SN_OK;
}

void sn_mllt_stats_clear(sn_mllt_stats *s) {
  sn_free(s->G);
  memset(s, 0, sizeof *s);
}

void sn_mllt_stats_reset(sn_mllt_stats *s) {
  s->beta = 0;
  memset(s->G, 0, s->dim * tri(s->dim) * sizeof *s->G);
}

void sn_mllt_stats_add(sn_mllt_stats *to, const sn_mllt_stats *from) {
  SN_ASSERT(to->dim == from->dim);
  to->beta += from->beta;
  for (size_t i = 0; i < to->dim * tri(to->dim); i++) to->G[i] += from->G[i];
}

/* ---- One pdf ---- */

sn_status sn_mllt_pdf_init(sn_mllt_pdf *p, size_t dim, sn_err *err) {
  SN_ASSERT(dim > 0 && dim <= SN_MLLT_MAX_DIM);
  memset(p, 0, sizeof *p);
  p->dim = dim;
  p->occ = sn_calloc(SN_MIX_MAX_GAUSS, sizeof *p->occ);
  p->second = sn_calloc(SN_MIX_MAX_GAUSS * tri(dim), sizeof *p->second);
  if (p->occ != NULL && p->second != NULL) return SN_OK;
  sn_mllt_pdf_clear(p);
  return sn_fail_nomem(err, "MLLT statistics");
}

void sn_mllt_pdf_clear(sn_mllt_pdf *p) {
  sn_free(p->occ);
  sn_free(p->second);
  memset(p, 0, sizeof *p);
}

void sn_mllt_pdf_frame(sn_mllt_pdf *p, const sn_mixtures *m,
                       const sn_mix_tables *t, int32_t pdf, const float *x) {
  const size_t D = p->dim, first = (size_t)m->first[pdf];
  const size_t n = (size_t)m->first[pdf + 1] - first;
  float post[SN_MIX_MAX_GAUSS];
  double diff[SN_MLLT_MAX_DIM];
  (void)sn_mix_posteriors(t, pdf, x, post);
  for (size_t g = 0; g < n; g++) {
    if (post[g] < 1e-5f) continue; /* as sn_mix_accumulate */
    const double w = (double)post[g];
    double *row = p->second + g * tri(D);
    p->occ[g] += w;
    for (size_t i = 0; i < D; i++) {
      diff[i] = (double)x[i] - (double)m->means[(first + g) * D + i];
      const double v = w * diff[i];
      for (size_t j = 0; j <= i; j++) row[j] += v * diff[j];
      row += i + 1;
    }
  }
}

void sn_mllt_pdf_take(sn_mllt_pdf *p, const sn_mixtures *m, int32_t pdf,
                      sn_mllt_stats *s) {
  const size_t D = p->dim, N = tri(D), first = (size_t)m->first[pdf];
  const size_t n = (size_t)m->first[pdf + 1] - first;
  for (size_t g = 0; g < n; g++) {
    if (!(p->occ[g] > 0)) continue;
    double *const second = p->second + g * N;
    s->beta += p->occ[g];
    for (size_t d = 0; d < D; d++) {
      const double precision = 1 / (double)m->vars[(first + g) * D + d];
      double *const to = s->G + d * N;
      for (size_t i = 0; i < N; i++) to[i] += precision * second[i];
    }
    p->occ[g] = 0;
    memset(second, 0, N * sizeof *second);
  }
}

/* ---- Estimation ---- */

/* As statistics of fMLLR, one row and column larger. */
static sn_status as_fmllr(const sn_mllt_stats *s, sn_fmllr_stats *f,
                          sn_err *err) {
  const size_t D = s->dim, from = tri(D), to = tri(D + 1);
  SN_TRY(sn_fmllr_stats_init(f, D, err));
  f->beta = s->beta;
  for (size_t d = 0; d < D; d++) {
    memcpy(f->G + d * to, s->G + d * from, from * sizeof *s->G);
    f->G[d * to + to - 1] = 1;
  }
  return SN_OK;
}

sn_status sn_mllt_estimate(const sn_mllt_stats *s, int32_t sweeps, sn_mat out,
                           double *gain, sn_err *err) {
  const size_t D = s->dim;
  const sn_fmllr_opts o = {.iters = sweeps, .kind = SN_FMLLR_FULL};
  sn_fmllr_stats f;
  sn_fmllr_result r = {0};
  sn_mat w = {0};
  SN_ASSERT(out.rows == D && out.cols == D);
  sn_status st = as_fmllr(s, &f, err);
  if (st == SN_OK) st = sn_mat_alloc(D, D + 1, &w, err);
  if (st == SN_OK) st = sn_fmllr_estimate(&f, &o, w, &r, err);
  if (st == SN_OK && !r.estimated)
    st = sn_fail(err, SN_EMISMATCH, "MLLT: %s: %.0f frames, %zu dimensions",
                 r.why, s->beta, D);
  for (size_t d = 0; st == SN_OK && d < D; d++) {
    const float *const row = sn_mat_row(w, d);
    const float sign = row[d] < 0 ? -1.0f : 1.0f;
    for (size_t i = 0; i < D; i++) sn_mat_row(out, d)[i] = sign * row[i];
  }
  if (st == SN_OK && gain != NULL) *gain = r.gain;
  sn_mat_free(&w);
  sn_fmllr_stats_clear(&f);
  return st;
}

sn_status sn_mllt_objective(const sn_mllt_stats *s, sn_cmat a, double *q,
                            sn_err *err) {
  const size_t D = s->dim;
  sn_fmllr_stats f;
  sn_mat w = {0};
  SN_ASSERT(a.rows == D && a.cols == D);
  sn_status st = as_fmllr(s, &f, err);
  if (st == SN_OK) st = sn_mat_alloc(D, D + 1, &w, err);
  for (size_t d = 0; st == SN_OK && d < D; d++)
    memcpy(sn_mat_row(w, d), sn_cmat_row(a, d), D * sizeof(float));
  if (st == SN_OK) st = sn_fmllr_objective(&f, sn_mat_const(w), q, err);
  sn_mat_free(&w);
  sn_fmllr_stats_clear(&f);
  return st;
}

sn_status sn_mllt_transform_means(sn_mixtures *m, sn_cmat a, sn_err *err) {
  const size_t D = m->dim;
  SN_ASSERT(a.rows == D && a.cols == D);
  double *const y = sn_calloc(D, sizeof *y);
  if (y == NULL) return sn_fail_nomem(err, "MLLT");
  for (size_t g = 0; g < sn_mixtures_n_gauss(m); g++) {
    float *const mean = m->means + g * D;
    for (size_t i = 0; i < D; i++) {
      y[i] = 0;
      for (size_t j = 0; j < D; j++)
        y[i] += (double)sn_cmat_row(a, i)[j] * (double)mean[j];
    }
    for (size_t i = 0; i < D; i++) mean[i] = (float)y[i];
  }
  sn_free(y);
  return SN_OK;
}
