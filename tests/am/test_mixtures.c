/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures in training against sums written out in double, and against the
 * scores of the model directory that is made of them; trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "am/mixtures.h"
#include "am/tree.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/am/am_support.h"

enum { N = 3, D = 13, T = 37 };

static void make(sn_mixtures *m, sn_mat *x) {
  static const int32_t counts[N] = {1, 9, 4};
  sn_rng r;
  sn_rng_init(&r, 7);
  assert_int_equal(sn_mixtures_init(m, N, D, counts, NULL), SN_OK);
  for (size_t i = 0; i < N; i++)
    for (int32_t g = m->first[i]; g < m->first[i + 1]; g++)
      m->weights[g] = 1.0f / (float)counts[i];
  for (size_t i = 0; i < sn_mixtures_n_gauss(m) * D; i++) {
    m->means[i] = (float)sn_rng_gauss(&r);
    m->vars[i] = (float)(0.5 + sn_rng_uniform(&r));
  }
  assert_int_equal(sn_mat_alloc(T, D, x, NULL), SN_OK);
  for (size_t t = 0; t < T; t++)
    for (size_t d = 0; d < D; d++)
      sn_mat_row(*x, t)[d] = (float)sn_rng_gauss(&r);
}

static double plain(const sn_mixtures *m, size_t i, const float *x) {
  double sum = 0;
  for (int32_t g = m->first[i]; g < m->first[i + 1]; g++) {
    double p = log((double)m->weights[g]);
    for (size_t d = 0; d < D; d++) {
      const double v = (double)m->vars[(size_t)g * D + d];
      const double z = (double)x[d] - (double)m->means[(size_t)g * D + d];
      p -= 0.5 * (log(6.283185307179586 * v) + z * z / v);
    }
    sum += exp(p);
  }
  return log(sum);
}

/* Scores are some 50 nat at most: 13 squares, each rounded to float a few
 * times (2^-24 of at most 50, 5 times 13 roundings): below 2e-4. */
static const double tolerance = 2e-4;

static void test_scores_are_those_of_the_formula(void **state) {
  (void)state;
  static const int32_t pdfs[] = {2, 0, 1};
  sn_mixtures m;
  sn_mat x = {0}, out = {0}, one = {0};
  sn_mix_tables *t = NULL;
  make(&m, &x);
  assert_int_equal(sn_mix_tables_create(&m, &t, NULL), SN_OK);
  assert_int_equal(sn_mat_alloc(T, 3, &out, NULL), SN_OK);
  assert_int_equal(sn_mat_alloc(1, 3, &one, NULL), SN_OK);
  assert_int_equal(sn_mix_score(t, sn_mat_const(x), pdfs, 3, out, NULL), SN_OK);
  for (size_t f = 0; f < T; f++) {
    const sn_mat row = sn_mat_rows(x, f, 1);
    assert_int_equal(sn_mix_score(t, sn_mat_const(row), pdfs, 3, one, NULL),
                     SN_OK);
    for (size_t k = 0; k < 3; k++) {
      const double want = plain(&m, (size_t)pdfs[k], sn_mat_row(x, f));
      float post[SN_MIX_MAX_GAUSS];
      assert_float_equal(sn_mat_row(out, f)[k], want, tolerance);
      assert_memory_equal(&sn_mat_row(out, f)[k], &sn_mat_row(one, 0)[k], 4);
      assert_float_equal(sn_mix_posteriors(t, pdfs[k], sn_mat_row(x, f), post),
                         want, tolerance);
    }
  }
  sn_mix_tables_destroy(t);
  sn_mat_free(&x);
  sn_mat_free(&out);
  sn_mat_free(&one);
  sn_mixtures_clear(&m);
}

static void test_update_and_splitting(void **state) {
  (void)state;
  const sn_mix_update_opts o = {0, 1e-6, 0, 0};
  sn_mix_update_report report;
  sn_mixtures m;
  sn_mat x = {0};
  sn_mix_tables *t = NULL;
  sn_mix_stats s;
  double occ[N], mean = 0;
  make(&m, &x);
  assert_int_equal(sn_mix_tables_create(&m, &t, NULL), SN_OK);
  assert_int_equal(sn_mix_stats_init(&s, &m, NULL), SN_OK);
  for (size_t f = 0; f < T; f++) /* pdf 2 is never seen */
    sn_mix_accumulate(t, (int32_t)(f % 2), sn_mat_row(x, f), 1.0, &s);
  const float kept = m.means[(size_t)m.first[2] * D];
  assert_int_equal(sn_mix_update(&m, &s, &o, occ, &report, NULL), SN_OK);
  for (size_t f = 0; f < T; f += 2) mean += (double)sn_mat_row(x, f)[3] / 19;
  assert_float_equal(m.means[3], mean, 1e-6); /* one rounding of some 0.3 */
  assert_float_equal(occ[0], 19, 1e-4);
  assert_float_equal(occ[1], 18, 1e-4); /* posteriors are floats, 9 of them */
  assert_int_equal(report.n_unseen, 1);
  assert_true(m.means[(size_t)m.first[2] * D] == kept);
  occ[0] = 1000;
  assert_int_equal(sn_mix_split(&m, occ, 18, 0.25, 20, 1, NULL), SN_OK);
  assert_int_equal(sn_mixtures_n_gauss(&m), 18);
  assert_int_equal(m.first[1], 5); /* the only one with frames enough */
  double sum = 0;
  for (int g = 0; g < 5; g++) sum += (double)m.weights[g];
  assert_float_equal(sum, 1.0, 1e-6);
  sn_mix_stats_clear(&s);
  sn_mix_tables_destroy(t);
  sn_mat_free(&x);
  sn_mixtures_clear(&m);
}

/* Two Gaussians of 30 and 10 frames and one of another pdf: by the formula.
 * Sums are in double, results floats of at most 9: 2^-24 of that. */
static void test_a_prior_of_variances(void **state) {
  (void)state;
  static const int32_t counts[] = {2, 1};
  const double n[] = {30, 10, 5}, mean[] = {1, -2, 3}, var[] = {1, 9, 4};
  const sn_mix_update_opts none = {0, 1e-6, 0, 0}, some = {0, 1e-6, 0, 20};
  for (int k = 0; k < 2; k++) {
    sn_mix_update_report report;
    sn_mixtures m;
    sn_mix_stats s;
    double occ[2];
    assert_int_equal(sn_mixtures_init(&m, 2, 1, counts, NULL), SN_OK);
    assert_int_equal(sn_mix_stats_init(&s, &m, NULL), SN_OK);
    for (size_t g = 0; g < 3; g++) {
      s.occ[g] = n[g];
      s.sum[g] = n[g] * mean[g];
      s.sumsq[g] = n[g] * (var[g] + mean[g] * mean[g]);
    }
    assert_int_equal(
        sn_mix_update(&m, &s, k == 0 ? &none : &some, occ, &report, NULL),
        SN_OK);
    for (size_t g = 0; g < 3; g++) {
      const double of_pdf = g < 2 ? (30 * 1.0 + 10 * 9.0) / 40 : 4;
      const double want =
          k == 0 ? var[g] : (n[g] * var[g] + 20 * of_pdf) / (n[g] + 20);
      assert_float_equal(m.vars[g], want, 1e-6);
      assert_float_equal(m.means[g], mean[g], 1e-6);
    }
    assert_float_equal(m.weights[1], 0.25, 1e-6);
    sn_mix_stats_clear(&s);
    sn_mixtures_clear(&m);
  }
}

static void test_a_model_directory_scores_alike(void **state) {
  (void)state;
  char dir[64], path[128];
  static const char *const phones[] = {"SIL"};
  static const uint8_t filler[] = {1};
  static const int32_t zero[] = {0}, pdfs[] = {0, 1, 2};
  const float i = -INFINITY, h = -0.69314718f;
  const float tmats[] = {h, h, i, i, i, h, h, i, i, i, h, h};
  sn_mixtures m, again;
  sn_mat x = {0}, out = {0};
  sn_am *am = NULL;
  sn_feat_config *feat = NULL;
  sn_err err = {0};
  make(&m, &x);
  make_dir(dir, sizeof dir);
  assert_int_equal(sn_feat_config_create(SN_FEAT_KALDI, &feat, NULL), SN_OK);
  const sn_am_parts p = {"test", phones, filler, 1,    0,     3,    1,
                         1,      zero,   zero,   pdfs, tmats, NULL, &m,
                         feat,   0.5,    1,      0,    {0},   NULL};
  if (sn_am_write_parts(&p, dir, &err) != SN_OK ||
      sn_am_load(dir, NULL, &am, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(sn_am_get_info(am).n_all_gauss, 14);
  assert_int_equal(sn_mat_alloc(T, N, &out, NULL), SN_OK);
  assert_int_equal(sn_am_score_block(am, sn_mat_const(x), out, NULL), SN_OK);
  for (size_t f = 0; f < T; f++)
    for (size_t k = 0; k < N; k++)
      assert_float_equal(sn_mat_row(out, f)[k], plain(&m, k, sn_mat_row(x, f)),
                         tolerance);
  assert_int_equal(sn_am_mixtures(am, &again, NULL), SN_OK);
  assert_memory_equal(again.means, m.means, 14 * D * sizeof(float));
  sn_mixtures_clear(&again);
  sn_am_destroy(am);
  sn_feat_config_destroy(feat);
  sn_mat_free(&x);
  sn_mat_free(&out);
  sn_mixtures_clear(&m);
  static const char *const files[] = {"am.bin", "model.ini"};
  for (size_t k = 0; k < 2; k++) {
    (void)snprintf(path, sizeof path, "%s/%s", dir, files[k]);
    (void)unlink(path);
  }
  (void)rmdir(dir);
}

/* Phone 1 sounds like its left context, 2 and 3 alike, 4 another; the right
 * context says nothing. */
static void test_trees_find_what_matters(void **state) {
  (void)state;
  sn_tree_stats s = {.dim = 1};
  sn_tree *t = NULL;
  sn_rng r;
  sn_rng_init(&r, 3);
  for (int k = 0; k < 3000; k++) {
    const int32_t left = 2 + k % 3, right = 2 + k / 3 % 3;
    const float x = (float)((left == 4 ? 5.0 : 0.0) + sn_rng_gauss(&r));
    for (int32_t st = 0; st < 3; st++) {
      const sn_tree_ctx c = {1, left, right, 0, st};
      assert_int_equal(sn_tree_stats_frame(&s, c, &x, NULL), SN_OK);
    }
    for (int32_t p = 0; p < 5; p++) { /* so that 2 and 3 cluster */
      if (p == 1) continue;
      const float y = p == 4 ? 9.0f + x : x;
      const sn_tree_ctx c = {p, 0, 0, 0, 1};
      assert_int_equal(sn_tree_stats_frame(&s, c, &y, NULL), SN_OK);
    }
  }
  sn_tree_opts o = {5, 3, 0, 8, SN_ROOTS_PHONE, 20, true};
  sn_err err = {0};
  assert_int_equal(sn_tree_build(&s, &o, &t, &err), SN_OK);
  const sn_tree_ctx a = {1, 2, 4, 0, 1}, b = {1, 3, 2, 0, 1};
  const sn_tree_ctx c = {1, 4, 2, 0, 1};
  assert_int_equal(sn_tree_pdf(t, &a), sn_tree_pdf(t, &b));
  assert_int_not_equal(sn_tree_pdf(t, &a), sn_tree_pdf(t, &c));
  const sn_tree_ctx sil[] = {{0, 0, 0, 0, 0}, {0, 0, 0, 0, 1}};
  assert_int_not_equal(sn_tree_pdf(t, &sil[0]), sn_tree_pdf(t, &sil[1]));
  sn_tree_destroy(t);
  o.max_leaves = 3;
  assert_int_equal(sn_tree_build(&s, &o, &t, &err), SN_EARG);
  assert_null(t);
  sn_tree_stats_clear(&s);
  assert_int_equal(sn_mem_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scores_are_those_of_the_formula),
      cmocka_unit_test(test_update_and_splitting),
      cmocka_unit_test(test_a_prior_of_variances),
      cmocka_unit_test(test_a_model_directory_scores_alike),
      cmocka_unit_test(test_trees_find_what_matters)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
