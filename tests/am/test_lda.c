/* SPDX-License-Identifier: Apache-2.0 */
/* LDA and MLLT: closed forms, recovery of a known transform, blind search. */
#include "am/lda.h"

#include <float.h>

#include "am/mllt.h"
#include "tests/am/am_support.h"

#define FINE(call) assert_int_equal((call), SN_OK)

static sn_mat mat(size_t rows, size_t cols) {
  sn_mat m;
  FINE(sn_mat_alloc(rows, cols, &m, NULL));
  return m;
}

/* ---- LDA ---- */

/* Two classes of means +-m and the same covariance L L': Fisher's direction is
 * W^-1 m, and its eigenvalue m' W^-1 m. Points are mean + L e, with e over
 * +-sqrt(2) e_d, whose covariance is the identity exactly. */
static void test_two_classes_give_fishers_direction(void **state) {
  (void)state;
  static const double L[2][2] = {{2, 0}, {1.5, 0.5}}, mean[2] = {0.5, 1};
  sn_lda_stats s;
  FINE(sn_lda_stats_init(&s, 2, 2, NULL));
  for (int c = 0; c < 2; c++)
    for (int p = 0; p < 4; p++) {
      const double e[2] = {p < 2 ? sqrt(2.0) * (p % 2 ? 1 : -1) : 0,
                           p < 2 ? 0 : sqrt(2.0) * (p % 2 ? 1 : -1)};
      float x[2];
      for (int d = 0; d < 2; d++)
        x[d] =
            (float)((c ? 1 : -1) * mean[d] + L[d][0] * e[0] + L[d][1] * e[1]);
      sn_lda_stats_frame(&s, (size_t)c, x);
    }
  /* W = L L' = [4 3; 3 2.5], det 1, W^-1 = [2.5 -3; -3 4] */
  const double dir[2] = {2.5 * mean[0] - 3 * mean[1],
                         -3 * mean[0] + 4 * mean[1]};
  const double value = mean[0] * dir[0] + mean[1] * dir[1];
  sn_mat out = mat(2, 2);
  double values[2];
  FINE(sn_lda_estimate(&s, out, values, NULL));
  /* Points were rounded to float (relative 6e-8); W's condition is 40. */
  assert_true(fabs(values[0] - value) < 1e-5 * value);
  assert_true(fabs(values[1]) < 1e-5);
  const float *const v = sn_mat_row(out, 0);
  assert_true(v[1] > 0); /* the larger entry */
  const double scale = dir[1] / (double)v[1];
  assert_true(fabs(dir[0] - scale * (double)v[0]) < 1e-5 * fabs(dir[0]));
  /* v W v' = 1 */
  const double norm = 4 * (double)(v[0] * v[0]) + 6 * (double)(v[0] * v[1]) +
                      2.5 * (double)(v[1] * v[1]);
  assert_true(fabs(norm - 1) < 1e-5);
  sn_mat_free(&out);
  sn_lda_stats_clear(&s);
}

enum { D = 5, C = 6, T = 600 };

typedef struct points {
  float x[T][D];
  size_t c[T];
} points;

static void draw(points *p, uint64_t seed) {
  sn_rng r;
  double mix[D][D], mean[C][D];
  sn_rng_init(&r, seed);
  for (int i = 0; i < D; i++)
    for (int j = 0; j < D; j++) mix[i][j] = sn_rng_gauss(&r) + 2 * (i == j);
  for (int c = 0; c < C; c++)
    for (int d = 0; d < D; d++) mean[c][d] = 2 * sn_rng_gauss(&r);
  for (int t = 0; t < T; t++) {
    double e[D];
    p->c[t] = sn_rng_below(&r, C);
    for (int d = 0; d < D; d++) e[d] = sn_rng_gauss(&r);
    for (int d = 0; d < D; d++) {
      double v = mean[p->c[t]][d];
      for (int k = 0; k < D; k++) v += mix[d][k] * e[k];
      p->x[t][d] = (float)v;
    }
  }
}

/* Within- and between-class covariance of projected points, in plain loops. */
static void spread(const points *p, sn_cmat proj, double *within,
                   double *between) {
  const size_t K = proj.rows;
  static double y[T][D], mean[C][D], all[D], n[C];
  memset(mean, 0, sizeof mean);
  memset(all, 0, sizeof all);
  memset(n, 0, sizeof n);
  for (int t = 0; t < T; t++) {
    n[p->c[t]]++;
    for (size_t k = 0; k < K; k++) {
      y[t][k] = 0;
      for (int d = 0; d < D; d++)
        y[t][k] += (double)sn_cmat_row(proj, k)[d] * (double)p->x[t][d];
      mean[p->c[t]][k] += y[t][k];
      all[k] += y[t][k] / T;
    }
  }
  for (size_t i = 0; i < K * K; i++) {
    const size_t a = i / K, b = i % K;
    within[i] = between[i] = 0;
    for (int t = 0; t < T; t++)
      within[i] += (y[t][a] - mean[p->c[t]][a] / n[p->c[t]]) *
                   (y[t][b] - mean[p->c[t]][b] / n[p->c[t]]) / T;
    for (int c = 0; c < C; c++)
      between[i] += n[c] / T * (mean[c][a] / n[c] - all[a]) *
                    (mean[c][b] / n[c] - all[b]);
  }
}

static void collect(const points *p, int from, int to, sn_lda_stats *s) {
  for (int t = from; t < to; t++) sn_lda_stats_frame(s, p->c[t], p->x[t]);
}

static void test_projected_classes_are_white_and_apart(void **state) {
  (void)state;
  static points p;
  for (uint64_t seed = 1; seed <= 5; seed++) {
    draw(&p, seed);
    sn_lda_stats s;
    FINE(sn_lda_stats_init(&s, D, C, NULL));
    collect(&p, 0, T, &s);
    sn_mat out = mat(D, D);
    double values[D], within[D * D], between[D * D];
    FINE(sn_lda_estimate(&s, out, values, NULL));
    spread(&p, sn_mat_const(out), within, between);
    /* Entries are below 30, of 600 sums in double; rows are floats, relative
     * 6e-8, amplified by the condition of the mixing (below 1e3): 1e-3. */
    for (size_t i = 0; i < D * D; i++) {
      const size_t a = i / D, b = i % D;
      assert_true(fabs(within[i] - (a == b ? 1 : 0)) < 1e-3);
      assert_true(fabs(between[i] - (a == b ? values[a] : 0)) <
                  1e-3 * (1 + values[0]));
    }
    for (int k = 1; k < D; k++) assert_true(values[k] <= values[k - 1]);
    /* No direction of many does better than the first. */
    sn_rng r;
    sn_rng_init(&r, seed);
    sn_mat one = mat(1, D);
    for (int k = 0; k < 200; k++) {
      for (int d = 0; d < D; d++)
        sn_mat_row(one, 0)[d] = (float)sn_rng_gauss(&r);
      spread(&p, sn_mat_const(one), within, between);
      assert_true(between[0] / within[0] <= values[0] * (1 + 1e-6));
    }
    sn_mat_free(&one);
    sn_mat_free(&out);
    sn_lda_stats_clear(&s);
  }
}

static void test_shards_add_up(void **state) {
  (void)state;
  static points p;
  draw(&p, 9);
  sn_lda_stats whole, a, b;
  FINE(sn_lda_stats_init(&whole, D, C, NULL));
  FINE(sn_lda_stats_init(&a, D, C, NULL));
  FINE(sn_lda_stats_init(&b, D, C, NULL));
  collect(&p, 0, T, &whole);
  collect(&p, 0, 200, &a);
  collect(&p, 200, T, &b);
  sn_lda_stats_add(&a, &b);
  sn_mat one = mat(3, D), two = mat(3, D);
  FINE(sn_lda_estimate(&whole, one, NULL, NULL));
  FINE(sn_lda_estimate(&a, two, NULL, NULL));
  /* Sums of 600 doubles in another order: below 1e-12, far below a float. */
  for (size_t k = 0; k < 3; k++)
    for (size_t d = 0; d < D; d++)
      assert_true(fabsf(sn_mat_row(one, k)[d] - sn_mat_row(two, k)[d]) < 1e-5f);
  sn_mat_free(&one);
  sn_mat_free(&two);
  sn_lda_stats_clear(&whole);
  sn_lda_stats_clear(&a);
  sn_lda_stats_clear(&b);
}

static void test_what_lda_refuses(void **state) {
  (void)state;
  static points p;
  sn_err err = {0};
  sn_lda_stats s;
  sn_mat out = mat(2, D);
  FINE(sn_lda_stats_init(&s, D, C, NULL));
  assert_int_equal(sn_lda_estimate(&s, out, NULL, &err), SN_EMISMATCH);
  draw(&p, 3);
  for (int t = 0; t < T; t++) p.x[t][2] = (float)p.c[t];
  collect(&p, 0, T, &s);
  err = (sn_err){0};
  assert_int_equal(sn_lda_estimate(&s, out, NULL, &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "feature 2 does not change"));
  sn_lda_stats_reset(&s);
  for (int t = 0; t < T; t++) p.x[t][2] = p.x[t][0] + p.x[t][1];
  collect(&p, 0, T, &s);
  err = (sn_err){0};
  const sn_status st = sn_lda_estimate(&s, out, NULL, &err);
  assert_true(st == SN_EMISMATCH || st == SN_OK); /* rounding decides */
  s.second[0] = NAN;
  assert_int_equal(sn_lda_estimate(&s, out, NULL, NULL), SN_EFORMAT);
  sn_lda_stats_clear(&s);
  sn_mat_free(&out);
  assert_int_equal(sn_lda_stats_init(&s, 0, 1, NULL), SN_EARG);
  out = mat(3, 2);
  FINE(sn_lda_stats_init(&s, 2, 2, NULL));
  assert_int_equal(sn_lda_estimate(&s, out, NULL, NULL), SN_EARG);
  sn_lda_stats_clear(&s);
  sn_mat_free(&out);
}

/* ---- MLLT ---- */

/* Frames of M Gaussians that are diagonal before `mix`: x = mix y. */
enum { MD = 3, M = 2, MT = 4000 };

typedef struct world {
  double mix[MD][MD], mean[M][MD], var[M][MD];
  float x[MT][MD];
  sn_mixtures m; /* means in x's space, diagonal variances of x */
  sn_mix_tables *t;
  sn_mllt_stats s;
} world;

static void make(world *w, uint64_t seed) {
  sn_rng r;
  sn_rng_init(&r, seed);
  const int32_t counts[] = {1, 1};
  FINE(sn_mixtures_init(&w->m, M, MD, counts, NULL));
  for (int i = 0; i < MD; i++)
    for (int j = 0; j < MD; j++)
      w->mix[i][j] = (i == j) + 0.4 * sn_rng_gauss(&r);
  for (int m = 0; m < M; m++)
    for (int d = 0; d < MD; d++) {
      w->mean[m][d] = 3 * sn_rng_gauss(&r);
      w->var[m][d] = m == 0 ? 1.0 + d : 4.0 / (1 + d);
    }
  double sum[M][MD] = {{0}}, sq[M][MD] = {{0}};
  for (int t = 0; t < MT; t++) {
    const int m = t % M;
    double y[MD];
    for (int d = 0; d < MD; d++)
      y[d] = w->mean[m][d] + sqrt(w->var[m][d]) * sn_rng_gauss(&r);
    for (int d = 0; d < MD; d++) {
      double v = 0;
      for (int k = 0; k < MD; k++) v += w->mix[d][k] * y[k];
      w->x[t][d] = (float)v;
      sum[m][d] += v;
      sq[m][d] += v * v;
    }
  }
  for (int m = 0; m < M; m++)
    for (int d = 0; d < MD; d++) {
      const double n = MT / M, mean = sum[m][d] / n;
      w->m.weights[m] = 1;
      w->m.means[m * MD + d] = (float)mean;
      w->m.vars[m * MD + d] = (float)(sq[m][d] / n - mean * mean);
    }
}

static void gather(world *w) {
  sn_mllt_pdf p;
  FINE(sn_mix_tables_create(&w->m, &w->t, NULL));
  FINE(sn_mllt_stats_init(&w->s, MD, NULL));
  FINE(sn_mllt_pdf_init(&p, MD, NULL));
  for (int32_t m = 0; m < M; m++) {
    for (int t = m; t < MT; t += M)
      sn_mllt_pdf_frame(&p, &w->m, w->t, m, w->x[t]);
    sn_mllt_pdf_take(&p, &w->m, m, &w->s);
  }
  sn_mllt_pdf_clear(&p);
}

static void drop(world *w) {
  sn_mixtures_clear(&w->m);
  sn_mix_tables_destroy(w->t);
  sn_mllt_stats_clear(&w->s);
}

static double det3(sn_cmat a) {
  double m[3][3];
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) m[i][j] = (double)sn_cmat_row(a, i)[j];
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
         m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

/* Q by its definition: frame by frame, of A x under the means A mu and the
 * model's variances, without constants. */
static double by_frames(const world *w, sn_cmat a) {
  double q = MT * log(fabs(det3(a)));
  for (int t = 0; t < MT; t++)
    for (size_t d = 0; d < MD; d++) {
      double v = 0;
      for (int k = 0; k < MD; k++)
        v += (double)sn_cmat_row(a, d)[k] *
             ((double)w->x[t][k] - (double)w->m.means[t % M * MD + k]);
      q -= 0.5 * v * v / (double)w->m.vars[(size_t)(t % M) * MD + d];
    }
  return q;
}

static void test_objective_is_the_likelihood(void **state) {
  (void)state;
  static world w;
  sn_rng r;
  memset(&w, 0, sizeof w);
  make(&w, 4);
  gather(&w);
  sn_rng_init(&r, 8);
  sn_mat a = mat(MD, MD);
  for (int k = 0; k < 5; k++) {
    double q = 0;
    for (size_t i = 0; i < MD * MD; i++)
      sn_mat_row(a, i / MD)[i % MD] =
          (float)((i % (MD + 1) == 0) + 0.3 * sn_rng_gauss(&r));
    FINE(sn_mllt_objective(&w.s, sn_mat_const(a), &q, NULL));
    const double want = by_frames(&w, sn_mat_const(a));
    assert_true(fabs(q - want) < 1e-9 * MT * 100); /* doubles, 12000 terms */
  }
  sn_mat_free(&a);
  drop(&w);
}

/* A model is estimated, turned, and its variances estimated again: likelihood
 * never falls, and in the end A mix is diagonal up to order and scale. */
static void test_known_mixing_is_undone(void **state) {
  (void)state;
  static world w;
  memset(&w, 0, sizeof w);
  make(&w, 1);
  sn_mat total = mat(MD, MD), a = mat(MD, MD);
  for (size_t d = 0; d < MD; d++) sn_mat_row(total, d)[d] = 1;
  double before = -INFINITY, logdet = 0;
  for (int pass = 0; pass < 60; pass++) {
    double gain = 0;
    gather(&w);
    FINE(sn_mllt_estimate(&w.s, 50, a, &gain, NULL));
    assert_true(gain > -1e-9);
    logdet += log(fabs(det3(sn_mat_const(a))));
    FINE(sn_mllt_transform_means(&w.m, sn_mat_const(a), NULL));
    float next[MD][MD] = {{0}};
    for (size_t i = 0; i < MD; i++)
      for (size_t j = 0; j < MD; j++)
        for (size_t k = 0; k < MD; k++)
          next[i][j] += sn_mat_row(a, i)[k] * sn_mat_row(total, k)[j];
    for (size_t i = 0; i < MD; i++)
      memcpy(sn_mat_row(total, i), next[i], sizeof next[i]);
    double var[M][MD] = {{0}}, logp = logdet;
    for (int t = 0; t < MT; t++) {
      float y[MD] = {0};
      for (size_t i = 0; i < MD; i++)
        for (size_t j = 0; j < MD; j++) y[i] += sn_mat_row(a, i)[j] * w.x[t][j];
      memcpy(w.x[t], y, sizeof y);
      for (int d = 0; d < MD; d++) {
        const double v = (double)(y[d] - w.m.means[t % M * MD + d]);
        var[t % M][d] += v * v / (MT / M);
      }
    }
    for (int m = 0; m < M; m++)
      for (int d = 0; d < MD; d++) {
        w.m.vars[m * MD + d] = (float)var[m][d];
        logp -= 0.5 / M * log(var[m][d]);
      }
    /* Floats: 1e-6 relative in the variances, 6 of them. */
    assert_true(logp > before - 1e-5);
    before = logp;
    sn_mllt_stats_clear(&w.s);
    sn_mix_tables_destroy(w.t);
    w.t = NULL;
  }
  /* 4000 frames tell variances within 3 %, and so the directions in which the
   * two Gaussians differ (by factors up to 9) within 10 %. */
  int used = 0;
  for (size_t i = 0; i < MD; i++) {
    double row[MD] = {0};
    size_t best = 0;
    for (size_t j = 0; j < MD; j++) {
      for (size_t k = 0; k < MD; k++)
        row[j] += (double)sn_mat_row(total, i)[k] * w.mix[k][j];
      if (fabs(row[j]) > fabs(row[best])) best = j;
    }
    for (size_t j = 0; j < MD; j++)
      if (j != best) assert_true(fabs(row[j]) < 0.1 * fabs(row[best]));
    used |= 1 << best;
  }
  assert_int_equal(used, (1 << MD) - 1);
  sn_mat_free(&total);
  sn_mat_free(&a);
  drop(&w);
}

/* More sweeps never lower Q; at the end no change of an entry raises it. */
static void test_objective_never_falls_and_ends_at_a_maximum(void **state) {
  (void)state;
  static world w;
  memset(&w, 0, sizeof w);
  make(&w, 2);
  gather(&w);
  sn_mat a = mat(MD, MD);
  double before = -INFINITY, q = 0;
  for (int32_t sweeps = 1; sweeps <= 20; sweeps++) {
    FINE(sn_mllt_estimate(&w.s, sweeps, a, NULL, NULL));
    FINE(sn_mllt_objective(&w.s, sn_mat_const(a), &q, NULL));
    /* a is rounded to float: Q is flat to second order, (6e-8)^2 */
    assert_true(q > before - 1e-9 * MT);
    before = q;
  }
  for (size_t i = 0; i < MD * MD; i++)
    for (int sign = -1; sign <= 1; sign += 2) {
      float *const at = &sn_mat_row(a, i / MD)[i % MD];
      const float old = *at;
      double moved = 0;
      *at = old + 0.02f * (float)sign;
      FINE(sn_mllt_objective(&w.s, sn_mat_const(a), &moved, NULL));
      assert_true(moved < q);
      *at = old;
    }
  for (size_t d = 0; d < MD; d++) assert_true(sn_mat_row(a, d)[d] > 0);
  sn_mat_free(&a);
  drop(&w);
}

static void test_memory_may_run_out(void **state) {
  (void)state;
  static world w;
  static points p;
  memset(&w, 0, sizeof w);
  make(&w, 3);
  gather(&w);
  draw(&p, 5);
  sn_mat a = mat(MD, MD), out = mat(2, D);
  for (long k = 0;; k++) {
    sn_lda_stats s = {0};
    sn_mem_fail_after(k);
    sn_status st = sn_lda_stats_init(&s, D, C, NULL);
    if (st == SN_OK) collect(&p, 0, T, &s);
    if (st == SN_OK) st = sn_lda_estimate(&s, out, NULL, NULL);
    if (st == SN_OK) st = sn_mllt_estimate(&w.s, 5, a, NULL, NULL);
    if (st == SN_OK) st = sn_mllt_transform_means(&w.m, sn_mat_const(a), NULL);
    sn_mem_fail_after(-1);
    sn_lda_stats_clear(&s);
    if (st == SN_OK) break;
    assert_int_equal(st, SN_ENOMEM);
    assert_true(k < 100);
  }
  sn_mat_free(&a);
  sn_mat_free(&out);
  drop(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_classes_give_fishers_direction),
      cmocka_unit_test(test_projected_classes_are_white_and_apart),
      cmocka_unit_test(test_shards_add_up),
      cmocka_unit_test(test_what_lda_refuses),
      cmocka_unit_test(test_objective_is_the_likelihood),
      cmocka_unit_test(test_known_mixing_is_undone),
      cmocka_unit_test(test_objective_never_falls_and_ends_at_a_maximum),
      cmocka_unit_test(test_memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
