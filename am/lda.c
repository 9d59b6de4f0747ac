/* SPDX-License-Identifier: Apache-2.0 */
/* LDA: sums in double, LAPACK's dsygv for the eigenvectors.
 *
 * 91 dimensions (7 frames of 13 cepstra): a frame costs 4186 multiply-adds,
 * the eigenvectors 10 ms. */
#include "am/lda.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* LAPACK, which is part of OpenBLAS: A x = l B x, both symmetric, B positive
 * definite; on return the columns of A are the x with x' B x = 1, l rising.
 * The two last arguments are Fortran's lengths of the texts. */
extern void dsygv_(const int *itype, const char *jobz, const char *uplo,
                   const int *n, double *a, const int *lda, double *b,
                   const int *ldb, double *w, double *work, const int *lwork,
                   int *info, size_t n_jobz, size_t n_uplo);

static size_t tri(size_t n) { return n * (n + 1) / 2; }

sn_status sn_lda_stats_init(sn_lda_stats *s, size_t dim, size_t n_classes,
                            sn_err *err) {
  memset(s, 0, sizeof *s);
  if (dim == 0 || dim > SN_LDA_MAX_DIM)
    return sn_fail(err, SN_EARG, "LDA of %zu dimensions: 1 to %d can be had",
                   dim, SN_LDA_MAX_DIM);
  s->dim = dim;
  s->n_classes = n_classes;
  s->occ = sn_calloc(n_classes, sizeof *s->occ);
  s->sum = sn_calloc(n_classes * dim, sizeof *s->sum);
  s->second = sn_calloc(tri(dim), sizeof *s->second);
  if (s->occ != NULL && s->sum != NULL && s->second != NULL) return SN_OK;
  sn_lda_stats_clear(s);
  return sn_fail_nomem(err, "LDA statistics");
}

void sn_lda_stats_clear(sn_lda_stats *s) {
  sn_free(s->occ);
  sn_free(s->sum);
  sn_free(s->second);
  memset(s, 0, sizeof *s);
}

void sn_lda_stats_reset(sn_lda_stats *s) {
  memset(s->occ, 0, s->n_classes * sizeof *s->occ);
  memset(s->sum, 0, s->n_classes * s->dim * sizeof *s->sum);
  memset(s->second, 0, tri(s->dim) * sizeof *s->second);
}

void sn_lda_stats_add(sn_lda_stats *to, const sn_lda_stats *from) {
  SN_ASSERT(to->dim == from->dim && to->n_classes == from->n_classes);
  for (size_t c = 0; c < to->n_classes; c++) to->occ[c] += from->occ[c];
  for (size_t i = 0; i < to->n_classes * to->dim; i++)
    to->sum[i] += from->sum[i];
  for (size_t i = 0; i < tri(to->dim); i++) to->second[i] += from->second[i];
}

void sn_lda_stats_frame(sn_lda_stats *s, size_t class_id, const float *x) {
  const size_t D = s->dim;
  double *const sum = s->sum + class_id * D, *row = s->second;
  SN_ASSERT(class_id < s->n_classes);
  s->occ[class_id] += 1;
  for (size_t i = 0; i < D; i++) {
    const double v = (double)x[i];
    sum[i] += v;
    for (size_t j = 0; j <= i; j++) row[j] += v * (double)x[j];
    row += i + 1;
  }
}

/* between and within [D x D], the lower halves by rows. */
static sn_status covariances(const sn_lda_stats *s, double *between,
                             double *within, double *mean, sn_err *err) {
  const size_t D = s->dim;
  double n = 0;
  for (size_t c = 0; c < s->n_classes; c++) {
    n += s->occ[c];
    for (size_t d = 0; d < D; d++) mean[d] += s->sum[c * D + d];
  }
  if (!(n > 0))
    return sn_fail(err, SN_EMISMATCH, "LDA: not one frame belongs to a class");
  for (size_t d = 0; d < D; d++) mean[d] /= n;
  for (size_t c = 0; c < s->n_classes; c++) {
    if (!(s->occ[c] > 0)) continue;
    const double *const sum = s->sum + c * D, occ = s->occ[c];
    for (size_t i = 0; i < D; i++)
      for (size_t j = 0; j <= i; j++) {
        between[i * D + j] +=
            occ / n * (sum[i] / occ - mean[i]) * (sum[j] / occ - mean[j]);
      }
  }
  bool finite = true;
  for (size_t i = 0; i < D; i++)
    for (size_t j = 0; j <= i; j++) {
      const double total = s->second[tri(i) + j] / n - mean[i] * mean[j];
      within[i * D + j] = total - between[i * D + j];
      finite = finite && isfinite(within[i * D + j]);
    }
  if (!finite) return sn_fail(err, SN_EFORMAT, "LDA: sums are not finite");
  return SN_OK;
}

/* A feature that is constant within classes leaves rounding on the diagonal:
 * W must keep 1e-9 of its total variance. */
static sn_status check_within(const double *between, const double *within,
                              size_t D, sn_err *err) {
  for (size_t d = 0; d < D; d++) {
    const double w = within[d * D + d], b = between[d * D + d];
    if (!(w > 1e-9 * (w + b)) || !(w > 0))
      return sn_fail(err, SN_EMISMATCH,
                     "LDA: feature %zu does not change within a class: it "
                     "cannot be used",
                     d);
  }
  return SN_OK;
}

/* Lower halves by rows are upper halves by Fortran's columns. */
static sn_status solve(double *between, double *within, size_t D,
                       double *values, sn_err *err) {
  const int type = 1, n = (int)D;
  int info = 0, n_work = -1;
  double size = 0;
  dsygv_(&type, "V", "U", &n, between, &n, within, &n, values, &size, &n_work,
         &info, 1, 1);
  n_work = (int)size > 3 * n ? (int)size : 3 * n;
  double *const work = sn_calloc((size_t)n_work, sizeof *work);
  if (work == NULL) return sn_fail_nomem(err, "LDA");
  sn_blas_single_thread();
  dsygv_(&type, "V", "U", &n, between, &n, within, &n, values, work, &n_work,
         &info, 1, 1);
  sn_free(work);
  if (info > n)
    return sn_fail(err, SN_EMISMATCH,
                   "LDA: within classes, feature %d is a sum of those before "
                   "it: fewer frames than features?",
                   info - n - 1);
  if (info != 0)
    return sn_fail(err, SN_EFORMAT, "LDA: the eigenvectors do not converge");
  return SN_OK;
}

static void take(const double *vector, size_t D, float *to) {
  size_t best = 0;
  for (size_t d = 1; d < D; d++)
    if (fabs(vector[d]) > fabs(vector[best])) best = d;
  const double sign = vector[best] < 0 ? -1 : 1;
  for (size_t d = 0; d < D; d++) to[d] = (float)(sign * vector[d]);
}

sn_status sn_lda_estimate(const sn_lda_stats *s, sn_mat out, double *values,
                          sn_err *err) {
  const size_t D = s->dim, K = out.rows;
  SN_ASSERT(out.cols == D);
  if (K == 0 || K > D)
    return sn_fail(err, SN_EARG, "LDA: %zu of %zu dimensions cannot be kept", K,
                   D);
  double *const between = sn_calloc(D * D, sizeof *between);
  double *const within = sn_calloc(D * D, sizeof *within);
  double *const all = sn_calloc(D, sizeof *all);
  sn_status st = between == NULL || within == NULL || all == NULL
                     ? sn_fail_nomem(err, "LDA")
                     : covariances(s, between, within, all, err);
  if (st == SN_OK) st = check_within(between, within, D, err);
  if (st == SN_OK) st = solve(between, within, D, all, err);
  for (size_t k = 0; st == SN_OK && k < K; k++) {
    take(between + (D - 1 - k) * D, D, sn_mat_row(out, k));
    if (values != NULL) values[k] = fmax(all[D - 1 - k], 0);
  }
  sn_free(between);
  sn_free(within);
  sn_free(all);
  return st;
}
