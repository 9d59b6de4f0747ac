/* SPDX-License-Identifier: Apache-2.0 */
/* fMLLR: statistics of one speaker, and the transform that maximises Q.
 *
 * With all rows but d fixed, |det A| is proportional to |p w_d'|, where p is
 * column d of A^-1, followed by 0 for b (its cofactors up to a factor). Then
 *   Q_d(w) = beta log |p w'| + w k_d - 1/2 w G_d w'
 * is stationary at w = (alpha p + k_d) G_d^-1 with
 *   alpha^2 e1 + alpha e2 - beta = 0,  e1 = p G_d^-1 p', e2 = p G_d^-1 k_d'.
 * e1 > 0, so the roots have opposite signs; the one with the larger
 *   beta log |alpha e1 + e2| - 1/2 alpha^2 e1
 * is taken. A row may be held to some of its entries (the diagonal and b; b
 * alone): the same with the rows and columns of those entries.
 *
 * A prior changes G_d and k_d beforehand (add_prior) and nothing else.
 *
 * 1. Cholesky factors of all G_d, once.
 * 2. A sweep: A^-1 afresh, then each row; A^-1 follows by Sherman-Morrison,
 *    (A + e_d v)^-1 = A^-1 - A^-1 e_d v A^-1 / (1 + v A^-1 e_d).
 * 3. Sweeps until Q gains less than 1e-6 nat a frame, or `iters`.
 *
 * D = 39: statistics cost 32 k multiply-adds a frame, a sweep 0.2 M.
 * Source: Gales 1998, equations 44 to 49. */
#include "am/fmllr_internal.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

const sn_opt sn_fmllr_opt_table[] = {
    {"min-count", SN_OPT_DOUBLE, offsetof(sn_fmllr_opts, min_count), 500, 0,
     1e9, NULL, "frames", "with fewer of a speaker, no transform"},
    {"iters", SN_OPT_INT, offsetof(sn_fmllr_opts, iters), 20, 1, 1000, NULL, "",
     "sweeps over the rows of the transform"},
    {"kind", SN_OPT_ENUM, offsetof(sn_fmllr_opts, kind), SN_FMLLR_FULL, 0, 2,
     "full|diagonal|offset", "", "what of the transform is free"},
    {"prior", SN_OPT_DOUBLE, offsetof(sn_fmllr_opts, prior), 0, 0, 1e9, NULL,
     "frames",
     "of speech that the identity weighs as much as, beside the data"},
    SN_OPT_END};

static size_t tri(size_t n) { return n * (n + 1) / 2; }

/* ---- Statistics ---- */

size_t sn_fmllr_n_G(size_t dim) { return dim * tri(dim + 1); }
size_t sn_fmllr_n_k(size_t dim) { return dim * (dim + 1); }

sn_status sn_fmllr_stats_init(sn_fmllr_stats *s, size_t dim, sn_err *err) {
  memset(s, 0, sizeof *s);
  if (dim == 0 || dim > SN_FMLLR_MAX_DIM)
    return sn_fail(err, SN_EARG, "fMLLR of %zu dimensions: 1 to %d can be had",
                   dim, SN_FMLLR_MAX_DIM);
  s->dim = dim;
  s->G = sn_calloc(sn_fmllr_n_G(dim), sizeof *s->G);
  s->k = sn_calloc(sn_fmllr_n_k(dim), sizeof *s->k);
  if (s->G == NULL || s->k == NULL) {
    sn_fmllr_stats_clear(s);
    return sn_fail_nomem(err, "fMLLR statistics");
  }
  return SN_OK;
}

void sn_fmllr_stats_clear(sn_fmllr_stats *s) {
  sn_free(s->G);
  sn_free(s->k);
  memset(s, 0, sizeof *s);
}

void sn_fmllr_stats_reset(sn_fmllr_stats *s) {
  s->beta = 0;
  memset(s->G, 0, sn_fmllr_n_G(s->dim) * sizeof *s->G);
  memset(s->k, 0, sn_fmllr_n_k(s->dim) * sizeof *s->k);
}

void sn_fmllr_stats_add(sn_fmllr_stats *to, const sn_fmllr_stats *from) {
  SN_ASSERT(to->dim == from->dim);
  to->beta += from->beta;
  for (size_t i = 0; i < sn_fmllr_n_G(to->dim); i++) to->G[i] += from->G[i];
  for (size_t i = 0; i < sn_fmllr_n_k(to->dim); i++) to->k[i] += from->k[i];
}

void sn_fmllr_stats_frame(sn_fmllr_stats *s, const float *x,
                          const double *precision, const double *mean,
                          double weight) {
  const size_t D = s->dim, n = D + 1, N = tri(n);
  double xi[SN_FMLLR_MAX_DIM + 1];
  for (size_t i = 0; i < D; i++) xi[i] = (double)x[i];
  xi[D] = 1;
  s->beta += weight;
  for (size_t d = 0; d < D; d++) {
    double *to = s->G + d * N;
    double *const k = s->k + d * n;
    for (size_t i = 0; i < n; i++) {
      const double a = precision[d] * xi[i];
      for (size_t j = 0; j <= i; j++) to[j] += a * xi[j];
      to += i + 1;
    }
    for (size_t i = 0; i < n; i++) k[i] += mean[d] * xi[i];
  }
}

/* ---- Small dense algebra in double ---- */

bool sni_fmllr_cholesky(const double *G, size_t n, double *L) {
  for (size_t i = 0; i < n; i++) {
    double *const li = L + tri(i);
    const double *const gi = G + tri(i);
    for (size_t j = 0; j <= i; j++) {
      const double *const lj = L + tri(j);
      double sum = gi[j];
      for (size_t m = 0; m < j; m++) sum -= li[m] * lj[m];
      if (j < i) {
        li[j] = sum / lj[j];
      } else {
        if (!(sum > 1e-10 * gi[i])) return false;
        li[i] = sqrt(sum);
      }
    }
  }
  return true;
}

void sni_fmllr_solve(const double *L, size_t n, double *x) {
  for (size_t i = 0; i < n; i++) {
    const double *const li = L + tri(i);
    for (size_t j = 0; j < i; j++) x[i] -= li[j] * x[j];
    x[i] /= li[i];
  }
  for (size_t i = n; i-- > 0;) {
    const double *const li = L + tri(i);
    x[i] /= li[i];
    for (size_t j = 0; j < i; j++) x[j] -= li[j] * x[i];
  }
}

static void swap_rows(double *a, size_t n, size_t i, size_t j) {
  for (size_t c = 0; c < n && i != j; c++) {
    const double t = a[i * n + c];
    a[i * n + c] = a[j * n + c];
    a[j * n + c] = t;
  }
}

/* Gauss-Jordan with row pivots: log |det a|, and inv (may be NULL) becomes
 * a^-1. a [n x n] is spent. */
static double invert(double *a, size_t n, double *inv) {
  double logdet = 0;
  for (size_t i = 0; i < n * n && inv != NULL; i++)
    inv[i] = i % (n + 1) == 0 ? 1 : 0;
  for (size_t c = 0; c < n; c++) {
    size_t p = c;
    for (size_t r = c + 1; r < n; r++)
      if (fabs(a[r * n + c]) > fabs(a[p * n + c])) p = r;
    if (!(fabs(a[p * n + c]) > 0)) return -INFINITY;
    swap_rows(a, n, c, p);
    if (inv != NULL) swap_rows(inv, n, c, p);
    const double pivot = a[c * n + c];
    logdet += log(fabs(pivot));
    for (size_t r = inv != NULL ? 0 : c + 1; r < n; r++) {
      const double f = a[r * n + c] / pivot;
      if (r == c || f == 0) continue;
      for (size_t j = c; j < n; j++) a[r * n + j] -= f * a[c * n + j];
      for (size_t j = 0; j < n && inv != NULL; j++)
        inv[r * n + j] -= f * inv[c * n + j];
    }
    for (size_t j = 0; j < n && inv != NULL; j++) {
      a[c * n + j] /= pivot;
      inv[c * n + j] /= pivot;
    }
  }
  return logdet;
}

/* ---- Estimation ---- */

typedef struct solver {
  size_t D;
  double beta;
  const double *G, *k; /* of the data, and the prior's part where there is */
  double *own_G, *own_k;
  double *L;           /* [D][tri(n)] factors, n entries of a row are free */
  double *W;           /* [D x (D+1)] */
  double *A, *inv;     /* [D x D] */
  double *p, *q, *old; /* [D+1] */
} solver;

static void solver_clear(solver *v) {
  sn_free(v->own_G);
  sn_free(v->own_k);
  sn_free(v->L);
  sn_free(v->W);
  sn_free(v->A);
  sn_free(v->inv);
  sn_free(v->p);
  sn_free(v->q);
  sn_free(v->old);
}

/* The statistics with the prior's part: its quadratic form around e_d adds to
 * G_d and, where it is expanded, G_d e_d to k_d; log |det A| keeps the weight
 * of the data. (Frames that the identity fits best would have to be counted
 * there, too, but a k_d that makes the identity stationary for this G_d is not
 * one that frames can have where G_dd is below beta: then a row of the other
 * sign is likelier by far.) */
static sn_status add_prior(solver *v, double prior, sn_err *err) {
  const size_t D = v->D, n = D + 1, N = tri(n);
  if (!(prior > 0)) return SN_OK;
  v->own_G = sn_calloc(sn_fmllr_n_G(D), sizeof *v->own_G);
  v->own_k = sn_calloc(sn_fmllr_n_k(D), sizeof *v->own_k);
  if (v->own_G == NULL || v->own_k == NULL) return sn_fail_nomem(err, "fMLLR");
  const double more = prior / v->beta;
  for (size_t d = 0; d < D; d++) {
    const double *const G = v->G + d * N;
    for (size_t i = 0; i < N; i++) v->own_G[d * N + i] = (1 + more) * G[i];
    for (size_t i = 0; i < n; i++) {
      const double g = i >= d ? G[tri(i) + d] : G[tri(d) + i];
      v->own_k[d * n + i] = v->k[d * n + i] + more * g;
    }
  }
  v->G = v->own_G;
  v->k = v->own_k;
  return SN_OK;
}

static sn_status solver_init(solver *v, const sn_fmllr_stats *s, double prior,
                             sn_err *err) {
  const size_t D = s->dim;
  *v = (solver){.D = D, .beta = s->beta, .G = s->G, .k = s->k};
  SN_TRY(add_prior(v, prior, err));
  v->L = sn_calloc(sn_fmllr_n_G(D), sizeof *v->L);
  v->W = sn_calloc(D * (D + 1), sizeof *v->W);
  v->A = sn_calloc(D * D, sizeof *v->A);
  v->inv = sn_calloc(D * D, sizeof *v->inv);
  v->p = sn_calloc(D + 1, sizeof *v->p);
  v->q = sn_calloc(D + 1, sizeof *v->q);
  v->old = sn_calloc(D + 1, sizeof *v->old);
  if (v->L == NULL || v->W == NULL || v->A == NULL || v->inv == NULL ||
      v->p == NULL || v->q == NULL || v->old == NULL)
    return sn_fail_nomem(err, "fMLLR");
  for (size_t d = 0; d < D; d++) v->W[d * (D + 1) + d] = 1;
  return SN_OK;
}

/* sum_d (w_d k_d - 1/2 w_d G_d w_d'), of W [D x (D+1)]. */
static double quadratic(const double *G, const double *k, const double *W,
                        size_t D) {
  const size_t n = D + 1, N = tri(n);
  double sum = 0;
  for (size_t d = 0; d < D; d++) {
    const double *g = G + d * N, *const w = W + d * n;
    for (size_t i = 0; i < n; i++) {
      double row = 0.5 * g[i] * w[i];
      for (size_t j = 0; j < i; j++) row += g[j] * w[j];
      g += i + 1;
      sum += w[i] * (k[d * n + i] - row);
    }
  }
  return sum;
}

/* A^-1 of the present W; log |det A|. */
static double refresh(solver *v) {
  for (size_t d = 0; d < v->D; d++)
    memcpy(v->A + d * v->D, v->W + d * (v->D + 1), v->D * sizeof *v->A);
  return invert(v->A, v->D, v->inv);
}

void sni_fmllr_best_row(const double *L, size_t n, double beta, double *p,
                        double *q, double *unsolved_p) {
  double e1 = 0, e2 = 0;
  memcpy(unsolved_p, p, n * sizeof *p);
  sni_fmllr_solve(L, n, p);
  sni_fmllr_solve(L, n, q);
  for (size_t i = 0; i < n; i++) {
    e1 += unsolved_p[i] * p[i];
    e2 += unsolved_p[i] * q[i];
  }
  /* The root of larger magnitude has the sign of -e2; the other follows from
   * the product -beta / e1 without cancellation. */
  const double root = sqrt(e2 * e2 + 4 * e1 * beta);
  const double a = e2 > 0 ? (-e2 - root) / (2 * e1) : (-e2 + root) / (2 * e1);
  const double b = -beta / (e1 * a);
  const double at_a = beta * log(fabs(a * e1 + e2)) - 0.5 * a * a * e1;
  const double at_b = beta * log(fabs(b * e1 + e2)) - 0.5 * b * b * e1;
  const double alpha = at_a > at_b ? a : b;
  for (size_t i = 0; i < n; i++) q[i] += alpha * p[i];
}

/* Step 1, over the entries of a row that are free. */
static bool factor_all(solver *v, int32_t kind) {
  const size_t D = v->D, N = tri(D + 1);
  for (size_t d = 0; d < D; d++) {
    const double *const G = v->G + d * N;
    double *const L = v->L + d * N;
    const double last = G[tri(D) + D];
    const double two[3] = {G[tri(d) + d], G[tri(D) + d], last};
    const bool ok = kind == SN_FMLLR_FULL ? sni_fmllr_cholesky(G, D + 1, L)
                    : kind == SN_FMLLR_DIAGONAL ? sni_fmllr_cholesky(two, 2, L)
                                                : last > 0;
    if (!ok) return false;
  }
  return true;
}

/* Step 2: one row, and A^-1 after it. */
static void update_full_row(solver *v, size_t d) {
  const size_t D = v->D, n = D + 1;
  double *const w = v->W + d * n;
  for (size_t i = 0; i < D; i++) v->p[i] = v->inv[i * D + d];
  v->p[D] = 0;
  memcpy(v->q, v->k + d * n, n * sizeof *v->q);
  sni_fmllr_best_row(v->L + d * tri(n), n, v->beta, v->p, v->q, v->old);
  for (size_t i = 0; i < n; i++) {
    v->p[i] = v->q[i] - w[i];
    w[i] = v->q[i];
  }
  /* v->p: change of the row; v->q: change A^-1; v->old: column d of A^-1 */
  double below = 1;
  for (size_t j = 0; j < D; j++) {
    double sum = 0;
    for (size_t i = 0; i < D; i++) sum += v->p[i] * v->inv[i * D + j];
    v->q[j] = sum;
  }
  below += v->q[d];
  for (size_t i = 0; i < D; i++)
    for (size_t j = 0; j < D; j++)
      v->inv[i * D + j] -= v->old[i] * v->q[j] / below;
}

/* Rows that do not depend on each other: one sweep is exact. */
static void update_simple_rows(solver *v, int32_t kind) {
  const size_t D = v->D, n = D + 1, N = tri(n);
  for (size_t d = 0; d < D; d++) {
    double *const w = v->W + d * n;
    const double *const k = v->k + d * n, *const last = v->G + d * N + tri(D);
    if (kind == SN_FMLLR_OFFSET) {
      w[D] = (k[D] - last[d]) / last[D];
      continue;
    }
    double p[2] = {1, 0}, q[2] = {k[d], k[D]}, old[2];
    sni_fmllr_best_row(v->L + d * N, 2, v->beta, p, q, old);
    w[d] = q[0];
    w[D] = q[1];
  }
}

/* Steps 2 and 3; false: something stopped being a number. */
static bool solve(solver *v, const sn_fmllr_opts *o) {
  if (o->kind != SN_FMLLR_FULL) {
    update_simple_rows(v, o->kind);
    return true;
  }
  double before = quadratic(v->G, v->k, v->W, v->D); /* log det is 0 */
  for (int32_t iter = 0; iter < o->iters; iter++) {
    if (!isfinite(refresh(v))) return false;
    for (size_t d = 0; d < v->D; d++) update_full_row(v, d);
    const double now = v->beta * refresh(v) + quadratic(v->G, v->k, v->W, v->D);
    if (!isfinite(now)) return false;
    if (now - before < 1e-6 * v->beta) break;
    before = now;
  }
  return true;
}

static bool all_finite(const double *v, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(v[i])) return false;
  return true;
}

/* Gain and determinant of what was found, from the data alone; false where the
 * numbers are of no use. */
static bool judge(solver *v, const sn_fmllr_stats *s, sn_fmllr_result *r) {
  const size_t D = s->dim;
  r->logdet = refresh(v);
  double gain = s->beta * r->logdet + quadratic(s->G, s->k, v->W, D);
  const bool ok = all_finite(v->W, D * (D + 1)) && isfinite(r->logdet);
  /* Q of the identity, row by row. */
  const size_t n = D + 1, N = tri(n);
  for (size_t d = 0; d < D; d++)
    gain -= s->k[d * n + d] - 0.5 * s->G[d * N + tri(d) + d];
  r->gain = gain / s->beta;
  return ok && isfinite(r->gain);
}

static void store(const double *W, sn_mat out) {
  for (size_t d = 0; d < out.rows; d++)
    for (size_t i = 0; i < out.cols; i++)
      sn_mat_row(out, d)[i] = (float)W[d * out.cols + i];
}

static sn_status check(const sn_fmllr_stats *s, sn_mat out, sn_err *err) {
  if (out.rows != s->dim || out.cols != s->dim + 1)
    return sn_fail(err, SN_EARG,
                   "fMLLR: a transform of %zu x %zu for statistics of %zu "
                   "dimensions",
                   out.rows, out.cols, s->dim);
  if (!isfinite(s->beta) || !all_finite(s->G, sn_fmllr_n_G(s->dim)) ||
      !all_finite(s->k, sn_fmllr_n_k(s->dim)))
    return sn_fail(err, SN_EFORMAT, "fMLLR: statistics that are not finite");
  return SN_OK;
}

sn_status sn_fmllr_estimate(const sn_fmllr_stats *s, const sn_fmllr_opts *opts,
                            sn_mat out, sn_fmllr_result *result, sn_err *err) {
  sn_fmllr_opts o;
  sn_fmllr_result r = {.count = s->beta};
  if (opts != NULL)
    o = *opts;
  else
    sn_opt_defaults(sn_fmllr_opt_table, &o);
  SN_TRY(check(s, out, err));
  sn_fmllr_identity(out);
  if (result != NULL) *result = r;
  if (!(s->beta > 0) || s->beta < o.min_count) {
    r.why = "too few frames";
  } else {
    solver v;
    const sn_status st = solver_init(&v, s, o.prior, err);
    if (st != SN_OK) {
      solver_clear(&v);
      return st;
    }
    sn_fmllr_result found = r;
    r.estimated =
        factor_all(&v, o.kind) && solve(&v, &o) && judge(&v, s, &found);
    if (r.estimated) {
      r = found;
      r.estimated = true;
      store(v.W, out);
    } else {
      r.why = "frames that do not span the feature space";
    }
    solver_clear(&v);
  }
  if (result != NULL) *result = r;
  return SN_OK;
}

/* ---- Transforms ---- */

void sn_fmllr_identity(sn_mat out) {
  for (size_t d = 0; d < out.rows; d++) {
    memset(sn_mat_row(out, d), 0, out.cols * sizeof(float));
    sn_mat_row(out, d)[d] = 1.0f;
  }
}

void sn_fmllr_compose(sn_cmat second, sn_cmat first, sn_mat out) {
  const size_t D = first.rows;
  SN_ASSERT(first.cols == D + 1 && second.rows == D && second.cols == D + 1);
  SN_ASSERT(out.rows == D && out.cols == D + 1);
  for (size_t i = 0; i < D; i++) {
    const float *const a = sn_cmat_row(second, i);
    for (size_t j = 0; j <= D; j++) {
      double sum = j == D ? (double)a[D] : 0;
      for (size_t m = 0; m < D; m++)
        sum += (double)a[m] * (double)sn_cmat_row(first, m)[j];
      sn_mat_row(out, i)[j] = (float)sum;
    }
  }
}

sn_status sn_fmllr_logdet(sn_cmat w, double *out, sn_err *err) {
  const size_t D = w.rows;
  SN_ASSERT(w.cols == D || w.cols == D + 1);
  double *const a = sn_calloc(D * D, sizeof *a);
  if (a == NULL) return sn_fail_nomem(err, "fMLLR");
  for (size_t i = 0; i < D; i++)
    for (size_t j = 0; j < D; j++) a[i * D + j] = (double)sn_cmat_row(w, i)[j];
  *out = invert(a, D, NULL);
  sn_free(a);
  return SN_OK;
}

sn_status sn_fmllr_objective(const sn_fmllr_stats *s, sn_cmat w, double *q,
                             sn_err *err) {
  const size_t D = s->dim;
  double logdet = 0;
  SN_ASSERT(w.rows == D && w.cols == D + 1);
  double *const W = sn_calloc(D * (D + 1), sizeof *W);
  if (W == NULL) return sn_fail_nomem(err, "fMLLR");
  for (size_t i = 0; i < D; i++)
    for (size_t j = 0; j <= D; j++)
      W[i * (D + 1) + j] = (double)sn_cmat_row(w, i)[j];
  const sn_status st = sn_fmllr_logdet(w, &logdet, err);
  *q = s->beta * logdet + quadratic(s->G, s->k, W, D);
  sn_free(W);
  return st;
}
