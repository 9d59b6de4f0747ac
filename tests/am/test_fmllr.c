/* SPDX-License-Identifier: Apache-2.0 */
/* fMLLR: against the auxiliary function summed over frames in plain loops and
 * its maximum found by blind search; the likelihood of models. */
#include "am/fmllr_internal.h"
#include "tests/am/am_support.h"
#include "tests/ref/gmm_ref.h"

/* ---- Small problems: T frames, each with M Gaussians and posteriors ---- */
enum { MAX_D = 4, MAX_T = 60, M = 3 };

typedef struct problem {
  size_t D, T;
  float x[MAX_T][MAX_D];
  double weight[MAX_T], post[MAX_T][M];
  double mean[MAX_T][M][MAX_D], var[MAX_T][M][MAX_D];
  sn_fmllr_stats stats;
} problem;

static void accumulate(const problem *p, size_t from, size_t to,
                       sn_fmllr_stats *s) {
  for (size_t t = from; t < to; t++) {
    double precision[MAX_D] = {0}, mean[MAX_D] = {0};
    for (size_t m = 0; m < M; m++)
      for (size_t d = 0; d < p->D; d++) {
        const double a = p->weight[t] * p->post[t][m] / p->var[t][m][d];
        precision[d] += a;
        mean[d] += a * p->mean[t][m][d];
      }
    sn_fmllr_stats_frame(s, p->x[t], precision, mean, p->weight[t]);
  }
}

static void make(problem *p, size_t D, size_t T, uint64_t seed) {
  sn_rng r;
  sn_err err = {0};
  sn_rng_init(&r, seed);
  p->D = D;
  p->T = T;
  for (size_t t = 0; t < T; t++) {
    double sum = 0;
    p->weight[t] = 0.2 + sn_rng_uniform(&r);
    for (size_t m = 0; m < M; m++) sum += p->post[t][m] = sn_rng_uniform(&r);
    for (size_t m = 0; m < M; m++) p->post[t][m] /= sum;
    for (size_t d = 0; d < D; d++) {
      p->x[t][d] = (float)(1 + 2 * sn_rng_gauss(&r));
      for (size_t m = 0; m < M; m++) {
        p->mean[t][m][d] = 0.5 * (double)p->x[t][d] + sn_rng_gauss(&r);
        p->var[t][m][d] = 0.3 + sn_rng_uniform(&r);
      }
    }
  }
  OK(sn_fmllr_stats_init(&p->stats, D, &err));
  accumulate(p, 0, T, &p->stats);
}

static double det(size_t n, double a[MAX_D][MAX_D]) {
  if (n == 1) return a[0][0];
  double sum = 0;
  for (size_t c = 0; c < n; c++) {
    double sub[MAX_D][MAX_D];
    for (size_t i = 1; i < n; i++)
      for (size_t j = 0, to = 0; j < n; j++)
        if (j != c) sub[i - 1][to++] = a[i][j];
    sum += (c % 2 == 0 ? 1 : -1) * a[0][c] * det(n - 1, sub);
  }
  return sum;
}

/* Q of w [D x (D+1)], frame by frame and Gaussian by Gaussian, without the
 * terms that do not depend on w. */
static double plain_q(const problem *p, const double *w) {
  const size_t D = p->D;
  double a[MAX_D][MAX_D], q = 0;
  for (size_t i = 0; i < D; i++)
    for (size_t j = 0; j < D; j++) a[i][j] = w[i * (D + 1) + j];
  const double logdet = log(fabs(det(D, a)));
  for (size_t t = 0; t < p->T; t++) {
    q += p->weight[t] * logdet;
    for (size_t d = 0; d < D; d++) {
      double y = w[d * (D + 1) + D];
      for (size_t j = 0; j < D; j++)
        y += w[d * (D + 1) + j] * (double)p->x[t][j];
      for (size_t m = 0; m < M; m++) {
        const double mean = p->mean[t][m][d];
        q -= 0.5 * p->weight[t] * p->post[t][m] *
             ((y - mean) * (y - mean) - mean * mean) / p->var[t][m][d];
      }
    }
  }
  return q;
}

/* Which entries of a row of w a kind leaves free. */
static bool is_free(int32_t kind, size_t D, size_t d, size_t i) {
  return kind == SN_FMLLR_FULL || i == D ||
         (kind == SN_FMLLR_DIAGONAL && i == d);
}

/* Q with the prior's part, of p frames, from its formula: the weight of d's row
 * in frame t is sum_m post / var, of which G_d is the sum of outer products. */
static double plain_total(const problem *p, double prior, const double *w) {
  const size_t D = p->D;
  double beta = 0, sum = 0;
  for (size_t t = 0; t < p->T; t++) beta += p->weight[t];
  for (size_t t = 0; t < p->T; t++)
    for (size_t d = 0; d < D; d++) {
      double y = w[d * (D + 1) + D] - (double)p->x[t][d], precision = 0;
      for (size_t j = 0; j < D; j++)
        y += w[d * (D + 1) + j] * (double)p->x[t][j];
      for (size_t m = 0; m < M; m++)
        precision += p->weight[t] * p->post[t][m] / p->var[t][m][d];
      sum += precision * y * y;
    }
  return plain_q(p, w) - 0.5 * prior / beta * sum;
}

/* Maximum by compass search from w: steps along each free entry, halved when
 * none helps. Knows nothing of what it climbs. */
static double climb(const problem *p, double prior, int32_t kind, double *w) {
  const size_t D = p->D, n = D * (D + 1);
  double best = plain_total(p, prior, w);
  for (double step = 0.5; step > 1e-7;) {
    bool better = false;
    for (size_t i = 0; i < n; i++) {
      if (!is_free(kind, D, i / (D + 1), i % (D + 1))) continue;
      for (int sign = -1; sign <= 1; sign += 2) {
        const double old = w[i];
        w[i] += sign * step;
        const double q = plain_total(p, prior, w);
        if (q > best) {
          best = q;
          better = true;
        } else {
          w[i] = old;
        }
      }
    }
    if (!better) step /= 2;
  }
  return best;
}

static void to_double(sn_mat w, double *out) {
  for (size_t i = 0; i < w.rows; i++)
    for (size_t j = 0; j < w.cols; j++)
      out[i * w.cols + j] = (double)sn_mat_row(w, i)[j];
}

static const sn_fmllr_opts base = {.min_count = 1, .iters = 200, .kind = 0};

/* Q moves by second order only where the transform is rounded to floats. The
 * sweeps end when one gains less than 1e-6 nat a frame; the rows' coupling lets
 * what remains be some tens of that. */
static void test_estimate_is_the_numeric_maximum(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 18; seed++) {
    static problem p;
    sn_err err = {0};
    sn_mat w;
    double W[MAX_D * (MAX_D + 1)], Q = 0;
    sn_fmllr_opts o = base;
    sn_fmllr_result r;
    o.kind = (int32_t)(seed % 3);
    make(&p, 1 + seed % 2 + (seed > 12), 30 + seed, seed);
    OK(sn_mat_alloc(p.D, p.D + 1, &w, &err));
    OK(sn_fmllr_estimate(&p.stats, &o, w, &r, &err));
    assert_true(r.estimated && r.why == NULL);
    to_double(w, W);
    const double found = plain_q(&p, W);
    OK(sn_fmllr_objective(&p.stats, sn_mat_const(w), &Q, &err));
    assert_true(fabs(Q - found) < 1e-9 * (1 + fabs(found)) * 100);
    double I[MAX_D * (MAX_D + 1)] = {0};
    for (size_t d = 0; d < p.D; d++) I[d * (p.D + 1) + d] = 1;
    const double at_identity = plain_q(&p, I);
    /* the gain is of the transform before it was rounded */
    assert_true(fabs(r.gain * p.stats.beta - (found - at_identity)) <
                1e-5 * (1 + fabs(found)));
    const double top = climb(&p, 0, o.kind, I);
    if (fabs(top - found) > 1e-4 * p.stats.beta)
      fail_msg("seed %d: Q %.9g, search finds %.9g", (int)seed, found, top);
    for (size_t i = 0; i < p.D * (p.D + 1); i++)
      if (!is_free(o.kind, p.D, i / (p.D + 1), i % (p.D + 1)))
        assert_true(W[i] == (i / (p.D + 1) == i % (p.D + 1) ? 1 : 0));
    sn_mat_free(&w);
    sn_fmllr_stats_clear(&p.stats);
  }
}

static void test_every_sweep_gains(void **state) {
  (void)state;
  static problem p;
  sn_err err = {0};
  sn_mat w;
  make(&p, 4, 50, 99);
  OK(sn_mat_alloc(4, 5, &w, &err));
  double before = 0;
  for (int iters = 1; iters < 12; iters++) {
    sn_fmllr_opts o = base;
    sn_fmllr_result r;
    o.iters = iters;
    OK(sn_fmllr_estimate(&p.stats, &o, w, &r, &err));
    assert_true(r.gain >= before);
    before = r.gain;
    double logdet = 0;
    OK(sn_fmllr_logdet(sn_mat_const(w), &logdet, &err));
    /* rounding to floats: 16 entries, 2^-24 each, of a well-behaved A */
    assert_true(fabs(logdet - r.logdet) < 1e-5);
  }
  assert_true(before > 0.01);
  sn_mat_free(&w);
  sn_fmllr_stats_clear(&p.stats);
}

static void test_sum_of_shards_is_the_whole(void **state) {
  (void)state;
  static problem p;
  sn_err err = {0};
  sn_fmllr_stats a, b;
  make(&p, 3, 40, 5);
  OK(sn_fmllr_stats_init(&a, 3, &err));
  OK(sn_fmllr_stats_init(&b, 3, &err));
  accumulate(&p, 0, 17, &a);
  accumulate(&p, 17, 40, &b);
  sn_fmllr_stats_add(&a, &b);
  /* 40 positive or negative terms below 100 each: 40 * 100 * 2^-53 */
  for (size_t i = 0; i < sn_fmllr_n_G(3); i++)
    assert_true(fabs(a.G[i] - p.stats.G[i]) < 1e-11);
  for (size_t i = 0; i < sn_fmllr_n_k(3); i++)
    assert_true(fabs(a.k[i] - p.stats.k[i]) < 1e-11);
  assert_true(fabs(a.beta - p.stats.beta) < 1e-12);
  sn_fmllr_stats_reset(&a);
  accumulate(&p, 0, 40, &a);
  assert_memory_equal(a.G, p.stats.G, sn_fmllr_n_G(3) * sizeof *a.G);
  sn_fmllr_stats_clear(&a);
  sn_fmllr_stats_clear(&b);
  sn_fmllr_stats_clear(&p.stats);
}

static void expect_identity(sn_mat w) {
  for (size_t i = 0; i < w.rows; i++)
    for (size_t j = 0; j < w.cols; j++)
      assert_true(sn_mat_row(w, i)[j] == (i == j ? 1.0f : 0.0f));
}

static void test_too_little_gives_the_identity_and_says_so(void **state) {
  (void)state;
  static problem p;
  sn_err err = {0};
  sn_mat w;
  sn_fmllr_result r;
  sn_fmllr_opts o = base;
  make(&p, 4, 50, 3);
  OK(sn_mat_alloc(4, 5, &w, &err));
  o.min_count = 1000;
  OK(sn_fmllr_estimate(&p.stats, &o, w, &r, &err));
  assert_false(r.estimated);
  assert_non_null(strstr(r.why, "too few"));
  assert_true(r.count == p.stats.beta && r.gain == 0 && r.logdet == 0);
  expect_identity(w);
  /* Four frames cannot span [x; 1] of five. */
  o.min_count = 0;
  for (int kind = 0; kind < 3; kind++) {
    o.kind = kind;
    sn_fmllr_stats_reset(&p.stats);
    OK(sn_fmllr_estimate(&p.stats, &o, w, &r, &err));
    assert_false(r.estimated);
    expect_identity(w);
    accumulate(&p, 0, 4, &p.stats);
    OK(sn_fmllr_estimate(&p.stats, &o, w, &r, &err));
    assert_true(r.estimated == (kind != SN_FMLLR_FULL));
  }
  p.stats.k[2] = (double)NAN;
  assert_int_equal(sn_fmllr_estimate(&p.stats, &o, w, &r, &err), SN_EFORMAT);
  sn_err_clear(&err);
  p.stats.k[2] = 0;
  sn_mat narrow = w;
  narrow.cols = 4;
  assert_int_equal(sn_fmllr_estimate(&p.stats, &o, narrow, &r, &err), SN_EARG);
  sn_err_clear(&err);
  sn_fmllr_stats none;
  assert_int_equal(sn_fmllr_stats_init(&none, 0, &err), SN_EARG);
  sn_mat_free(&w);
  sn_fmllr_stats_clear(&p.stats);
}

/* beta log |p w'| + w k - 1/2 w G w' */
static double row_q(const double *G, const double *k, const double *p, size_t n,
                    double beta, const double *w) {
  double dot = 0, sum = 0;
  for (size_t i = 0; i < n; i++) {
    dot += p[i] * w[i];
    sum += w[i] * k[i];
    for (size_t j = 0; j < n; j++)
      sum -= 0.5 * w[i] * w[j] *
             G[i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i];
  }
  return beta * log(fabs(dot)) + sum;
}

/* No row is better, near it or far away, on either side of p w' = 0; so what a
 * row was before its update is not, and no update loses. */
static void test_no_row_is_better_than_an_updated_one(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 8);
  for (int trial = 0; trial < 300; trial++) {
    enum { MAX = 4 };
    const size_t n = 1 + (size_t)trial % MAX;
    const double beta = exp(4 * sn_rng_gauss(&r));
    double G[MAX * (MAX + 1) / 2] = {0}, L[MAX * (MAX + 1) / 2];
    double k[MAX], p[MAX], spent[MAX], w[MAX], old[MAX], other[MAX];
    for (size_t t = 0; t < n + 3; t++) { /* sum of outer products */
      double x[MAX];
      for (size_t i = 0; i < n; i++) x[i] = 3 * sn_rng_gauss(&r);
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) G[i * (i + 1) / 2 + j] += x[i] * x[j];
    }
    for (size_t i = 0; i < n; i++) {
      w[i] = k[i] = 20 * sn_rng_gauss(&r);
      spent[i] = p[i] = sn_rng_gauss(&r);
    }
    assert_true(sni_fmllr_cholesky(G, n, L));
    sni_fmllr_best_row(L, n, beta, spent, w, old);
    assert_memory_equal(old, p, n * sizeof *p);
    const double best = row_q(G, k, p, n, beta, w);
    for (int i = 0; i < 400; i++) {
      const double size = exp(-(double)(i % 16));
      const double sign = i % 32 < 16 ? 1 : -1;
      for (size_t j = 0; j < n; j++)
        other[j] = (sign * w[j]) * (1 + size * sn_rng_gauss(&r)) +
                   size * sn_rng_gauss(&r);
      /* sums of some 30 terms of the size of beta and w k, rounded */
      double scale = beta * 100;
      for (size_t j = 0; j < n; j++) scale += 3 * fabs(w[j] * k[j]);
      assert_true(row_q(G, k, p, n, beta, other) <=
                  best + 100 * scale * 0x1p-52);
    }
  }
}

/* With a prior, too, what is found is the maximum of the formula in the header,
 * each sweep gains, and the data are never worse off than with the identity:
 * also where frames are much narrower than the Gaussians, as those of a short
 * recording are. */
static void test_prior_never_costs_the_data_anything(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 18; seed++) {
    static problem p;
    sn_err err = {0};
    sn_mat w;
    double W[MAX_D * (MAX_D + 1)], I[MAX_D * (MAX_D + 1)] = {0}, before;
    sn_fmllr_opts o = base;
    sn_fmllr_result r;
    o.kind = (int32_t)(seed % 3);
    o.prior = seed < 6 ? 3 : seed < 12 ? 40 : 1000;
    make(&p, 1 + seed % 2 + (seed > 12), 12 + seed, seed + 50);
    for (size_t t = 0; t < p.T; t++)
      for (size_t d = 0; d < p.D; d++) p.x[t][d] *= 0.2f;
    sn_fmllr_stats_reset(&p.stats);
    accumulate(&p, 0, p.T, &p.stats);
    OK(sn_mat_alloc(p.D, p.D + 1, &w, &err));
    for (size_t d = 0; d < p.D; d++) I[d * (p.D + 1) + d] = 1;
    before = plain_total(&p, o.prior, I);
    for (int i = 1; i < 10; i++) {
      o.iters = i < 9 ? i : 200;
      OK(sn_fmllr_estimate(&p.stats, &o, w, &r, &err));
      assert_true(r.estimated && r.gain >= 0);
      to_double(w, W);
      const double now = plain_total(&p, o.prior, W);
      /* the transform was rounded to floats */
      assert_true(now >= before - 1e-5 * (1 + fabs(before)));
      before = now;
    }
    const double top = climb(&p, o.prior, o.kind, I);
    if (fabs(top - before) > 1e-4 * p.stats.beta)
      fail_msg("seed %d: %.9g, search finds %.9g", (int)seed, before, top);
    sn_mat_free(&w);
    sn_fmllr_stats_clear(&p.stats);
  }
}

/* The larger the prior, the nearer to the identity, and the smaller the gain.
 */
static void test_prior_pulls_to_the_identity(void **state) {
  (void)state;
  static problem p;
  sn_err err = {0};
  sn_mat w;
  make(&p, 3, 50, 21);
  OK(sn_mat_alloc(3, 4, &w, &err));
  double last = HUGE_VAL, gain = HUGE_VAL;
  for (double prior = 0; prior < 1e8; prior = prior * 10 + 10) {
    sn_fmllr_opts o = base;
    sn_fmllr_result r;
    double apart = 0;
    o.prior = prior;
    OK(sn_fmllr_estimate(&p.stats, &o, w, &r, &err));
    assert_true(r.estimated && r.gain <= gain && r.gain >= 0);
    gain = r.gain;
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 4; j++)
        apart += fabs((double)sn_mat_row(w, i)[j] - (i == j ? 1 : 0));
    assert_true(apart < last);
    last = apart;
  }
  assert_true(last < 1e-4);
  sn_mat_free(&w);
  sn_fmllr_stats_clear(&p.stats);
}

static void test_composition_is_one_after_the_other(void **state) {
  (void)state;
  sn_err err = {0};
  sn_rng r;
  sn_mat a, b, c;
  float x[3], y[3], z[3];
  sn_rng_init(&r, 11);
  OK(sn_mat_alloc(3, 4, &a, &err));
  OK(sn_mat_alloc(3, 4, &b, &err));
  OK(sn_mat_alloc(3, 4, &c, &err));
  for (int i = 0; i < 12; i++) {
    sn_mat_row(a, (size_t)i / 4)[i % 4] = (float)sn_rng_gauss(&r);
    sn_mat_row(b, (size_t)i / 4)[i % 4] = (float)sn_rng_gauss(&r);
  }
  sn_fmllr_compose(sn_mat_const(b), sn_mat_const(a), c);
  sn_transform *ta, *tb, *tc;
  OK(sn_transform_create(sn_mat_const(a), &ta, &err));
  OK(sn_transform_create(sn_mat_const(b), &tb, &err));
  OK(sn_transform_create(sn_mat_const(c), &tc, &err));
  for (int trial = 0; trial < 20; trial++) {
    float both[3];
    for (int d = 0; d < 3; d++) x[d] = (float)sn_rng_gauss(&r);
    sn_transform_frame(ta, x, 3, y);
    sn_transform_frame(tb, y, 3, z);
    sn_transform_frame(tc, x, 3, both);
    /* some 20 roundings of 2^-24 of numbers below 100 */
    for (int d = 0; d < 3; d++)
      assert_true(fabsf(z[d] - both[d]) < 20 * 100 * 0x1p-24f);
  }
  double la, lb, lc;
  OK(sn_fmllr_logdet(sn_mat_const(a), &la, &err));
  OK(sn_fmllr_logdet(sn_mat_const(b), &lb, &err));
  OK(sn_fmllr_logdet(sn_mat_const(c), &lc, &err));
  assert_true(fabs(la + lb - lc) < 1e-4);
  sn_fmllr_identity(a);
  sn_mat_row(a, 0)[0] = -4.0f;
  OK(sn_fmllr_logdet(sn_mat_const(a), &la, &err));
  assert_true(fabs(la - log(4)) < 1e-12);
  sn_mat_row(a, 0)[0] = 0.0f;
  OK(sn_fmllr_logdet(sn_mat_const(a), &la, &err));
  assert_true(la == -HUGE_VAL);
  sn_transform_destroy(ta);
  sn_transform_destroy(tb);
  sn_transform_destroy(tc);
  sn_mat_free(&a);
  sn_mat_free(&b);
  sn_mat_free(&c);
}

/* ---- Models: one stream and three, each kind of tying ---- */
static const toy toys[] = {{SN_AM_PTM, 3, 8, false, false, false},
                           {SN_AM_SEMI, 3, 3, false, false, false},
                           {SN_AM_CONTINUOUS, 1, 1, false, false, false},
                           {SN_AM_CONTINUOUS, 1, 4, false, true, false},
                           {SN_AM_CONTINUOUS, 3, 3, true, false, true}};
enum { N_TOYS = sizeof toys / sizeof toys[0], T = 400 };

/* Frames near Gaussians of random pdfs, moved and stretched. */
static void draw(const sn_am *am, sn_rng *r, sn_mat x, int32_t *pdfs) {
  for (size_t t = 0; t < x.rows; t++) {
    pdfs[t] = (int32_t)sn_rng_below(r, TOY_PDFS);
    const int32_t n_streams = sn_am_get_info(am).n_streams;
    for (int32_t k = 0; k < n_streams; k++) {
      int32_t n = 0;
      const int32_t *const dims = sn_am_stream_dims(am, k, &n);
      const float *mean, *var;
      const int32_t g =
          (int32_t)sn_rng_below(r, (uint32_t)sn_am_get_info(am).n_gauss);
      assert_int_equal(sn_am_gauss_at(am, pdfs[t], k, g, &mean, &var), n);
      for (int32_t d = 0; d < n; d++) {
        const float y = mean[d] + sqrtf(var[d]) * (float)sn_rng_gauss(r);
        sn_mat_row(x, t)[dims[d]] = 0.8f * y + 0.05f * (float)(d % 7) - 0.4f;
      }
    }
  }
}

/* Against densities and weights of the reference. */
static void test_posteriors_match_the_reference(void **state) {
  (void)state;
  for (size_t i = 0; i < N_TOYS; i++) {
    sn_am *const am = toy_load(&toys[i]);
    const sni_am_view *const v = sni_am_view_of(am);
    const size_t G = (size_t)v->shape.n_gauss, C = (size_t)v->shape.n_codebooks;
    const size_t top = (size_t)v->shape.top_n;
    sn_err err = {0};
    sn_rng r;
    sn_mat x;
    int32_t pdfs[20];
    gmm_ref ref;
    sn_fmllr_work *work;
    sn_rng_init(&r, 70 + i);
    OK(sn_mat_alloc(20, 39, &x, &err));
    OK(sn_fmllr_work_create(am, &work, &err));
    gmm_ref_init(&ref, v);
    draw(am, &r, x, pdfs);
    for (size_t t = 0; t < 20; t++) {
      const sn_am_gauss *post;
      const float *const row = sn_mat_row(x, t);
      const size_t c = (size_t)v->pdf_codebook[pdfs[t]];
      const size_t n = sn_am_posteriors(am, work, row, pdfs[t], &post);
      assert_int_equal(n, top * (size_t)toys[i].n_streams);
      (void)gmm_ref_densities(&ref, row);
      gmm_ref_sort(&ref);
      for (size_t k = 0; k < (size_t)toys[i].n_streams; k++) {
        double p[64], sum = 0, got = 0;
        for (size_t j = 0; j < top; j++) {
          const int g = ref.order[(k * C + c) * top + j];
          p[j] = exp(ref.density[(k * C + c) * G + (size_t)g]) *
                 gmm_ref_weight(&ref, k, g, (size_t)pdfs[t]);
          sum += p[j];
        }
        for (size_t j = 0; j < top; j++) {
          const sn_am_gauss *const q = &post[k * top + j];
          assert_int_equal(q->stream, k);
          assert_int_equal(q->index, ref.order[(k * C + c) * top + j]);
          /* a log-density below 200, rounded (2 D + 2) 2^-24 of it */
          assert_true(fabs((double)q->posterior - p[j] / sum) < 2e-3);
          got += (double)q->posterior;
        }
        assert_true(fabs(got - 1) < 1e-6);
      }
    }
    gmm_ref_clear(&ref);
    sn_fmllr_work_destroy(work);
    sn_mat_free(&x);
    sn_am_destroy(am);
  }
}

static double log_likelihood(const sn_am *am, sn_cmat x, const int32_t *pdfs) {
  sn_err err = {0};
  sn_mat scores;
  double sum = 0;
  OK(sn_mat_alloc(x.rows, TOY_PDFS, &scores, &err));
  OK(sn_am_score_block(am, x, scores, &err));
  for (size_t t = 0; t < x.rows; t++)
    sum += (double)sn_mat_row(scores, t)[pdfs[t]];
  sn_mat_free(&scores);
  return sum;
}

/* The promise of EM, which holds exactly where every Gaussian counts, and so
 * near the optimum that top Gaussians do not change it here: what the model
 * says of the frames (with the transform's determinant) never falls, whether
 * one transform is estimated or a second one on top of it. */
static void test_likelihood_of_models_never_falls(void **state) {
  (void)state;
  for (size_t i = 0; i < N_TOYS; i++) {
    sn_am *const am = toy_load(&toys[i]);
    sn_err err = {0};
    sn_rng r;
    sn_mat x, y, w, all, next;
    static int32_t pdfs[T];
    sn_fmllr_work *work;
    sn_fmllr_stats s;
    sn_rng_init(&r, 40 + i);
    OK(sn_mat_alloc(T, 39, &x, &err));
    OK(sn_mat_alloc(T, 39, &y, &err));
    OK(sn_mat_alloc(39, 40, &w, &err));
    OK(sn_mat_alloc(39, 40, &all, &err));
    OK(sn_mat_alloc(39, 40, &next, &err));
    OK(sn_fmllr_work_create(am, &work, &err));
    OK(sn_fmllr_stats_init(&s, 39, &err));
    draw(am, &r, x, pdfs);
    sn_mat_copy(sn_mat_const(x), y);
    sn_fmllr_identity(all);
    double before = log_likelihood(am, sn_mat_const(x), pdfs);
    for (int pass = 0; pass < 3; pass++) {
      sn_fmllr_result result;
      double logdet = 0;
      sn_fmllr_stats_reset(&s);
      for (size_t t = 0; t < T; t++)
        OK(sn_am_fmllr_accumulate(am, am, work, pdfs[t], 1, sn_mat_row(y, t),
                                  sn_mat_row(y, t), &s, &err));
      assert_true(s.beta == T);
      OK(sn_fmllr_estimate(&s, &base, w, &result, &err));
      assert_true(result.estimated && result.gain >= 0);
      sn_fmllr_compose(sn_mat_const(w), sn_mat_const(all), next);
      sn_mat_copy(sn_mat_const(next), all);
      sn_transform *transform;
      OK(sn_transform_create(sn_mat_const(all), &transform, &err));
      OK(sn_transform_apply(transform, sn_mat_const(x), y, &err));
      sn_transform_destroy(transform);
      OK(sn_fmllr_logdet(sn_mat_const(all), &logdet, &err));
      const double now = log_likelihood(am, sn_mat_const(y), pdfs) + T * logdet;
      if (now < before + (pass == 0 ? 0.9 * T * result.gain : -1e-3 * T))
        fail_msg("toy %zu, pass %d: %.8g after %.8g, promised %.8g", i, pass,
                 now, before, T * result.gain);
      before = now;
    }
    sn_fmllr_stats_clear(&s);
    sn_fmllr_work_destroy(work);
    sn_mat_free(&x);
    sn_mat_free(&y);
    sn_mat_free(&w);
    sn_mat_free(&all);
    sn_mat_free(&next);
    sn_am_destroy(am);
  }
}

static void test_what_does_not_fit_is_refused(void **state) {
  (void)state;
  sn_am *const am = toy_load(&toys[0]), *const other = toy_load(&toys[1]);
  sn_err err = {0};
  sn_fmllr_work *work;
  sn_fmllr_stats s, small;
  const float x[39] = {0};
  OK(sn_fmllr_work_create(am, &work, &err));
  OK(sn_fmllr_stats_init(&s, 39, &err));
  OK(sn_fmllr_stats_init(&small, 13, &err));
  assert_int_equal(
      sn_am_fmllr_accumulate(am, other, work, 0, 1, x, x, &s, &err), SN_EARG);
  assert_int_equal(
      sn_am_fmllr_accumulate(am, am, work, 0, 1, x, x, &small, &err), SN_EARG);
  assert_int_equal(
      sn_am_fmllr_accumulate(am, am, work, TOY_PDFS, 1, x, x, &s, &err),
      SN_EARG);
  sn_err_clear(&err);
  OK(sn_am_fmllr_accumulate(am, am, work, 0, 0, x, x, &s, &err));
  assert_true(s.beta == 0);
  sn_fmllr_stats_clear(&s);
  sn_fmllr_stats_clear(&small);
  sn_fmllr_work_destroy(work);
  sn_am_destroy(am);
  sn_am_destroy(other);
}

static void test_allocation_failures_are_reported(void **state) {
  (void)state;
  static problem p;
  sn_err err = {0};
  sn_mat w;
  sn_am *const am = toy_load(&toys[0]);
  make(&p, 2, 30, 1);
  OK(sn_mat_alloc(2, 3, &w, &err));
  sn_fmllr_opts o = base;
  o.prior = 10;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_fmllr_stats s = {0};
    sn_fmllr_work *work = NULL;
    sn_fmllr_result r;
    double q;
    sn_err_clear(&err);
    sn_mem_fail_after(k);
    sn_status st = sn_fmllr_stats_init(&s, 2, &err);
    if (st == SN_OK) st = sn_fmllr_work_create(am, &work, &err);
    if (st == SN_OK) st = sn_fmllr_estimate(&p.stats, &o, w, &r, &err);
    if (st == SN_OK)
      st = sn_fmllr_objective(&p.stats, sn_mat_const(w), &q, &err);
    sn_mem_fail_after(-1);
    sn_fmllr_stats_clear(&s);
    sn_fmllr_work_destroy(work);
    assert_int_equal(sn_mem_live(), live);
    if (st == SN_OK) {
      assert_true(k > 15);
      break;
    }
    assert_int_equal(st, SN_ENOMEM);
  }
  sn_mat_free(&w);
  sn_fmllr_stats_clear(&p.stats);
  sn_am_destroy(am);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_estimate_is_the_numeric_maximum),
      cmocka_unit_test(test_every_sweep_gains),
      cmocka_unit_test(test_sum_of_shards_is_the_whole),
      cmocka_unit_test(test_too_little_gives_the_identity_and_says_so),
      cmocka_unit_test(test_no_row_is_better_than_an_updated_one),
      cmocka_unit_test(test_prior_never_costs_the_data_anything),
      cmocka_unit_test(test_prior_pulls_to_the_identity),
      cmocka_unit_test(test_composition_is_one_after_the_other),
      cmocka_unit_test(test_posteriors_match_the_reference),
      cmocka_unit_test(test_likelihood_of_models_never_falls),
      cmocka_unit_test(test_what_does_not_fit_is_refused),
      cmocka_unit_test(test_allocation_failures_are_reported)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
