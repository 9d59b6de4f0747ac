/* SPDX-License-Identifier: Apache-2.0 */
/* Gaussian scores against plain loops in double; kernels against plain C. */
#include <float.h>

#include "am/gmm_internal.h"
#include "tests/am/am_support.h"
#include "tests/ref/gmm_ref.h"

static const toy toys[] = {{SN_AM_PTM, 3, 8, false, false, false},
                           {SN_AM_PTM, 3, 40, false, true, false},
                           {SN_AM_SEMI, 1, 100, false, true, true},
                           {SN_AM_SEMI, 3, 3, false, false, false},
                           {SN_AM_CONTINUOUS, 1, 1, false, false, false},
                           {SN_AM_CONTINUOUS, 3, 5, true, false, true},
                           {SN_AM_CONTINUOUS, 1, 16, false, true, false}};
enum { N_TOYS = sizeof toys / sizeof toys[0] };

/* ---- Kernels ---- */

static void test_log_keeps_its_bound_for_every_mantissa(void **state) {
  (void)state;
  enum { N = 1 << 12 };
  static const int exponents[] = {-126, -60, -1, 0, 1, 26, 103, 127};
  static float x[N], y[N];
  const sni_gmm_kernels *const all[] = {&sni_gmm_plain, sni_gmm_best_kernels()};
  for (size_t k = 0; k < 2; k++)
    for (size_t e = 0; e < sizeof exponents / sizeof exponents[0]; e++)
      /* Every mantissa for 1 <= x < 2, every 251st elsewhere. */
      for (uint32_t m = 0; m < 1u << 23;
           m += (exponents[e] == 0 ? 1u : 251u) * N) {
        const uint32_t step = exponents[e] == 0 ? 1 : 251;
        for (uint32_t i = 0; i < N; i++)
          x[i] = ldexpf(1.0f + (float)((m + i * step) & 0x7fffffu) * 0x1p-23f,
                        exponents[e]);
        memcpy(y, x, sizeof x);
        all[k]->logs(y, N);
        for (size_t i = 0; i < N; i++) {
          const double want = log((double)x[i]);
          if (fabs((double)y[i] - want) > 1.5e-7 * (1 + fabs(want)))
            fail_msg("%s: log(%.9g) = %.9g, not %.9g", all[k]->name,
                     (double)x[i], (double)y[i], want);
        }
      }
}

static void test_log_of_zero_is_that_of_the_smallest_normal(void **state) {
  (void)state;
  float v[3] = {0.0f, FLT_MIN, FLT_MIN / 2};
  sni_gmm_best_kernels()->logs(v, 3);
  for (int i = 0; i < 3; i++) assert_true(fabsf(v[i] + 87.33655f) < 1e-4f);
}

/* Sums of D squares: each product and sum rounds by 2^-24 of what it makes, so
 * 2 (D + 2) 2^-24 times the sum of magnitudes bounds the difference. */
static void test_density_kernels_agree(void **state) {
  (void)state;
  const sni_gmm_kernels *const best = sni_gmm_best_kernels();
  sn_rng r;
  sn_rng_init(&r, 7);
  for (int trial = 0; trial < 300; trial++) {
    const size_t D = 1 + sn_rng_below(&r, 45), T = 1 + sn_rng_below(&r, 16);
    const size_t groups = 1 + sn_rng_below(&r, 5);
    const size_t off = sn_rng_below(&r, 7); /* misaligned */
    const size_t n_p = groups * (1 + 2 * D) * SNI_GMM_LANES;
    const size_t ld = groups * SNI_GMM_LANES + sn_rng_below(&r, 3);
    float *const p = calloc(n_p + off, sizeof *p);
    float *const x = calloc(T * D + off, sizeof *x);
    float *const a = calloc(T * ld + off + 1, sizeof *a);
    float *const b = calloc(T * ld + off + 1, sizeof *b);
    for (size_t i = 0; i < n_p; i++) p[off + i] = (float)sn_rng_gauss(&r);
    for (size_t i = 0; i < T * D; i++)
      x[off + i] = (float)(3 * sn_rng_gauss(&r));
    a[off + T * ld] = b[off + T * ld] = 42.0f; /* sentinels */
    sni_gmm_plain.densities(p + off, groups, D, x + off, T, a + off, ld);
    best->densities(p + off, groups, D, x + off, T, b + off, ld);
    for (size_t t = 0; t < T; t++)
      for (size_t g = 0; g < groups * SNI_GMM_LANES; g++) {
        const float *const pg =
            p + off + g / SNI_GMM_LANES * (1 + 2 * D) * SNI_GMM_LANES +
            g % SNI_GMM_LANES;
        double size = fabs((double)pg[0]);
        for (size_t d = 0; d < D; d++) {
          const double q = fabs((double)pg[(1 + 2 * d) * SNI_GMM_LANES] *
                                (double)x[off + t * D + d]) +
                           fabs((double)pg[(2 + 2 * d) * SNI_GMM_LANES]);
          size += q * q;
        }
        const double apart =
            fabs((double)a[off + t * ld + g] - (double)b[off + t * ld + g]);
        if (apart > 2 * ((double)D + 2) * 0x1p-24 * size)
          fail_msg("trial %d: %g apart, size %g", trial, apart, size);
      }
    assert_true(a[off + T * ld] == 42.0f && b[off + T * ld] == 42.0f);
    free(p);
    free(x);
    free(a);
    free(b);
  }
}

static void test_top_kernels_find_the_same_with_ties(void **state) {
  (void)state;
  const sni_gmm_kernels *const best = sni_gmm_best_kernels();
  sn_rng r;
  sn_rng_init(&r, 8);
  for (int trial = 0; trial < 20000; trial++) {
    const size_t n = 1 + sn_rng_below(&r, trial % 2 ? 40 : 300);
    const size_t top = 1 + sn_rng_below(&r, n < 12 ? (uint32_t)n : 12);
    const bool ties = trial % 3 == 0;
    float v[301], va[12], vb[12];
    int32_t ia[12], ib[12];
    for (size_t i = 0; i < n; i++)
      v[i] = ties ? (float)sn_rng_below(&r, 5)
                  : (float)(-1000 * sn_rng_uniform(&r));
    v[n] = INFINITY; /* must not be seen */
    sni_gmm_plain.top(v, n, top, ia, va);
    best->top(v, n, top, ib, vb);
    assert_memory_equal(ia, ib, top * sizeof *ia);
    assert_memory_equal(va, vb, top * sizeof *va);
    for (size_t j = 0; j < top; j++) assert_true(v[ia[j]] == va[j]);
    for (size_t j = 1; j < top; j++)
      assert_true(va[j] < va[j - 1] ||
                  (va[j] == va[j - 1] && ia[j] > ia[j - 1]));
    size_t above = 0;
    for (size_t i = 0; i < n; i++) above += v[i] > va[top - 1];
    assert_true(above < top);
  }
}

/* All terms are positive: K (top + 1) roundings of 2^-24 each. */
static void test_mix_kernels_agree(void **state) {
  (void)state;
  const sni_gmm_kernels *const best = sni_gmm_best_kernels();
  sn_rng r;
  sn_rng_init(&r, 9);
  static float w[64][200];
  for (int trial = 0; trial < 2000; trial++) {
    const size_t K = 1 + sn_rng_below(&r, 4), n = 1 + sn_rng_below(&r, 150);
    const size_t top = trial % 2 ? 4 : 1 + sn_rng_below(&r, 16);
    const float *rows[64];
    float e[64], a[151], b[151];
    for (size_t j = 0; j < K * top; j++) {
      e[j] = (float)exp(-9.8 * sn_rng_uniform(&r)) * 67108864.0f;
      rows[j] = w[j] + sn_rng_below(&r, 8);
      for (size_t i = 0; i < 200; i++)
        w[j][i] = (float)exp(-26 * sn_rng_uniform(&r));
    }
    a[n] = b[n] = 42.0f;
    sni_gmm_plain.mix(rows, e, K, top, n, a);
    best->mix(rows, e, K, top, n, b);
    for (size_t i = 0; i < n; i++)
      if (fabs((double)a[i] - (double)b[i]) >
          2 * (double)(K * (top + 1)) * 0x1p-24 * (double)a[i])
        fail_msg("trial %d: %g and %g", trial, (double)a[i], (double)b[i]);
    assert_true(a[n] == 42.0f && b[n] == 42.0f);
  }
}

/* ---- Whole scores ---- */

/* The scorer's error against the reference. A density whose terms are of
 * magnitude M = `largest` comes with (2 D + 2) 2^-24 M at most; the sums of
 * exponentials repeat that, and when the 4th and 5th Gaussian are closer than
 * it and change places, once more. A row's references, logs and sums add some
 * 2^-24 of magnitudes up to K M + 80. */
static double bound_of(const sni_am_view *v, double largest) {
  const double K = v->shape.n_streams, D = v->stream_len[0];
  return (2 * (2 * D + 2) * largest * K + 8 * (K * largest + 80)) * 0x1p-24;
}

typedef struct worst {
  double error, of_bound;
} worst;

static void compare(const sn_am *am, sn_cmat x, worst *w) {
  const sni_am_view *const v = sni_am_view_of(am);
  const size_t N = (size_t)v->shape.n_pdfs;
  sn_err err = {0};
  sn_mat out;
  gmm_ref ref;
  double *const want = calloc(N, sizeof *want);
  OK(sn_mat_alloc(x.rows, N, &out, &err));
  OK(sn_am_score_block(am, x, out, &err));
  gmm_ref_init(&ref, v);
  for (size_t t = 0; t < x.rows; t++) {
    const double largest = gmm_ref_densities(&ref, sn_cmat_row(x, t));
    gmm_ref_sort(&ref);
    gmm_ref_score(&ref, want);
    const double bound = bound_of(v, largest);
    for (size_t i = 0; i < N; i++) {
      const double e = fabs((double)sn_mat_row(out, t)[i] - want[i]);
      w->error = fmax(w->error, e);
      w->of_bound = fmax(w->of_bound, e / bound);
      if (!(e <= bound))
        fail_msg("frame %zu, pdf %zu: %.7g, not %.7g (bound %.2g)", t, i,
                 (double)sn_mat_row(out, t)[i], want[i], bound);
    }
  }
  gmm_ref_clear(&ref);
  sn_mat_free(&out);
  free(want);
}

static void test_scores_of_small_models_match_the_reference(void **state) {
  (void)state;
  for (size_t i = 0; i < N_TOYS; i++) {
    sn_am *const am = toy_load(&toys[i]);
    worst w = {0};
    sn_err err = {0};
    sn_mat x;
    sn_rng r;
    sn_rng_init(&r, 20 + i);
    OK(sn_mat_alloc(37, 39, &x, &err));
    for (size_t k = 0; k < 37; k++)
      for (size_t d = 0; d < 39; d++)
        sn_mat_row(x, k)[d] = (float)(2 * sn_rng_gauss(&r));
    compare(am, sn_mat_const(x), &w);
    sn_mat_free(&x);
    sn_am_destroy(am);
  }
}

static void score_recordings(const char *model, const char *const *paths,
                             size_t step) {
  if (!have(model)) {
    print_message("[  SKIPPED ] no %s\n", model);
    skip();
  }
  sn_am *const am = import_and_load(model);
  worst w = {0};
  size_t n = 0;
  for (; *paths != NULL; paths++) {
    if (!have(*paths)) continue;
    sn_mat x = features_of(am, *paths);
    /* The reference is slow: some frames of all places. */
    sn_cmat some = sn_mat_const(x);
    some.rows = (x.rows + step - 1) / step;
    some.stride *= step;
    compare(am, some, &w);
    n += some.rows;
    sn_mat_free(&x);
  }
  print_message("%s: %zu frames, largest error %.2g nat (%.2f of its bound)\n",
                model, n, w.error, w.of_bound);
  sn_am_destroy(am);
}

static void test_scores_of_real_models_match_the_reference(void **state) {
  (void)state;
  static const char *const speech[] = {
      TESTDATA "/goforward.raw", TESTDATA "/cards/001.wav",
      TESTDATA "/librivox/sense_and_sensibility_01_austen_64kb-0880.wav", NULL};
  static const char *const digits[] = {TESTDATA "/tidigits/dhd.2934z.raw",
                                       NULL};
  score_recordings(EN_US, speech, 29);
  score_recordings(TESTDATA "/an4_ci_cont", speech, 3);
  score_recordings(TESTDATA "/tidigits/hmm", digits, 5);
}

static void test_reference_notices_a_swapped_weight(void **state) {
  (void)state;
  sn_am *const am = toy_load(&toys[0]);
  sni_am_view v = *sni_am_view_of(am);
  float *const w = malloc(3 * 8 * 15 * sizeof *w);
  memcpy(w, v.weights, 3 * 8 * 15 * sizeof *w);
  float x[39] = {0};
  double a[15], b[15], apart = 0;
  gmm_ref ref;
  gmm_ref_init(&ref, &v);
  (void)gmm_ref_densities(&ref, x);
  gmm_ref_sort(&ref);
  gmm_ref_score(&ref, a);
  for (int i = 0; i < 15; i++) {
    const float t = w[2 * i];
    w[2 * i] = w[2 * i + 1];
    w[2 * i + 1] = t;
  }
  v.weights = w;
  gmm_ref_score(&ref, b);
  for (int i = 0; i < 15; i++) apart = fmax(apart, fabs(a[i] - b[i]));
  assert_true(apart > 0.01);
  gmm_ref_clear(&ref);
  free(w);
  sn_am_destroy(am);
}

/* The same bits however the frames are cut into blocks. */
static void test_scores_do_not_depend_on_the_block(void **state) {
  (void)state;
  for (size_t i = 0; i < N_TOYS; i++) {
    sn_am *const am = toy_load(&toys[i]);
    const size_t T = 50, N = TOY_PDFS;
    sn_err err = {0};
    sn_mat x, whole, part;
    sn_rng r;
    sn_rng_init(&r, 5);
    OK(sn_mat_alloc(T, 39, &x, &err));
    OK(sn_mat_alloc(T, N, &whole, &err));
    OK(sn_mat_alloc(T, N, &part, &err));
    for (size_t t = 0; t < T; t++)
      for (size_t d = 0; d < 39; d++)
        sn_mat_row(x, t)[d] = (float)sn_rng_gauss(&r);
    OK(sn_am_score_block(am, sn_mat_const(x), whole, &err));
    for (size_t t = 0; t < T;) {
      size_t n = 1 + sn_rng_below(&r, 20);
      if (n > T - t) n = T - t;
      OK(sn_am_score_block(am, sn_mat_const(sn_mat_rows(x, t, n)),
                           sn_mat_rows(part, t, n), &err));
      t += n;
    }
    for (size_t t = 0; t < T; t++)
      assert_memory_equal(sn_mat_row(whole, t), sn_mat_row(part, t),
                          N * sizeof(float));
    sn_mat_free(&x);
    sn_mat_free(&whole);
    sn_mat_free(&part);
    sn_am_destroy(am);
  }
}

static void test_wrong_shapes_are_refused(void **state) {
  (void)state;
  sn_am *const am = toy_load(&toys[0]);
  sn_err err = {0};
  sn_mat x, out;
  OK(sn_mat_alloc(2, 38, &x, &err));
  OK(sn_mat_alloc(2, TOY_PDFS, &out, &err));
  assert_int_equal(sn_am_score_block(am, sn_mat_const(x), out, &err), SN_EARG);
  sn_mat_free(&x);
  sn_mat_free(&out);
  sn_am_destroy(am);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_log_keeps_its_bound_for_every_mantissa),
      cmocka_unit_test(test_log_of_zero_is_that_of_the_smallest_normal),
      cmocka_unit_test(test_density_kernels_agree),
      cmocka_unit_test(test_top_kernels_find_the_same_with_ties),
      cmocka_unit_test(test_mix_kernels_agree),
      cmocka_unit_test(test_scores_of_small_models_match_the_reference),
      cmocka_unit_test(test_scores_of_real_models_match_the_reference),
      cmocka_unit_test(test_reference_notices_a_swapped_weight),
      cmocka_unit_test(test_scores_do_not_depend_on_the_block),
      cmocka_unit_test(test_wrong_shapes_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
