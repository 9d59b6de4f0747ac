/* SPDX-License-Identifier: Apache-2.0 */
/* Confidences of words: normalised cross entropy, features, the fit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "score/score.h"

static void test_nce_is_one_zero_and_below(void **state) {
  (void)state;
  const bool right[] = {true, true, true, false};
  const double share[] = {.75, .75, .75, .75}, perfect[] = {1, 1, 1, 0},
               wrong[] = {.1, .1, .1, .9};
  /* rounding of sums of four logarithms: below 1e-12 */
  assert_true(fabs(sn_conf_nce(share, right, 4)) < 1e-12);
  /* clamped at 1e-7: four times 1.44e-7 bits of 3.2 are missing */
  assert_true(fabs(sn_conf_nce(perfect, right, 4) - 1.0) < 1e-6);
  assert_true(sn_conf_nce(wrong, right, 4) < -1.0);
  assert_true(isnan(sn_conf_nce(share, right, 3)));
}

static void test_neighbours_and_letters(void **state) {
  (void)state;
  const sn_conf_word w[] = {{0.5, 0.2, 3}, {0.9, 1.0, 1}, {1.0, 0.5, 4}};
  double x[SN_CONF_N];
  sn_conf_features(w, 3, 1, x);
  assert_true(fabs(x[1] - log(9.0)) < 1e-12);
  assert_true(fabs(x[2] - log(9999.0) / 2) < 1e-8); /* of 1 - 1e-4 */
  assert_true(fabs(x[3]) < 1e-12 && fabs(x[4]) < 1e-12);
  sn_conf_features(w, 1, 0, x);
  assert_true(x[2] == x[1]);
  assert_int_equal(4, sn_conf_letters(sn_span_of("read(2)")));
  assert_int_equal(2, sn_conf_letters(sn_span_of("\xc3\xa4h")));
}

enum { N = 20000 };

/* Words drawn from a known model: the fit finds it, and no weight can be moved
 * to a higher likelihood (its gradient, prior included, is 0). */
static void test_fit_finds_the_model_that_made_the_data(void **state) {
  (void)state;
  const sn_conf_model truth = {{-0.5, 0.6, 0.2, 0.4, 0.3}};
  double(*x)[SN_CONF_N] = sn_calloc(N, sizeof *x);
  bool *right = sn_calloc(N, sizeof *right);
  assert_non_null(x);
  assert_non_null(right);
  sn_rng rng;
  sn_rng_init(&rng, 1);
  for (size_t i = 0; i < N; i++) {
    x[i][0] = 1.0;
    for (size_t k = 1; k < SN_CONF_N; k++)
      x[i][k] = 6.0 * sn_rng_uniform(&rng) - 3.0;
    right[i] = sn_rng_uniform(&rng) < sn_conf_apply(&truth, x[i]);
  }
  sn_conf_model m;
  assert_int_equal(
      SN_OK, sn_conf_fit((const double(*)[SN_CONF_N])x, right, N, &m, NULL));
  for (size_t k = 0; k < SN_CONF_N; k++) {
    double gradient = k > 0 ? -m.weights[k] : 0.0;
    for (size_t i = 0; i < N; i++)
      gradient += x[i][k] * ((right[i] ? 1.0 : 0.0) - sn_conf_apply(&m, x[i]));
    assert_true(fabs(gradient) < 1e-2); /* of sums of 20000 numbers up to 3 */
    /* standard error about 1 / sqrt(20000 * 0.15 * 3) = 0.011: six of them */
    assert_true(fabs(m.weights[k] - truth.weights[k]) < 0.07);
  }
  assert_int_equal(
      SN_EARG, sn_conf_fit((const double(*)[SN_CONF_N])x, right, 10, &m, NULL));
  memset(right, 1, N);
  assert_int_equal(
      SN_EARG, sn_conf_fit((const double(*)[SN_CONF_N])x, right, N, &m, NULL));
  sn_free(x);
  sn_free(right);
}

static void test_model_is_saved_and_read(void **state) {
  (void)state;
  const sn_conf_model m = {{-0.5, 0.625, 0.25, 0.375, 3}};
  sn_conf_model back;
  sn_ini *ini = NULL;
  bool found = false;
  const char *const path = "test-confidence.ini";
  (void)unlink(path);
  assert_int_equal(SN_OK, sn_conf_to_file(&m, path, NULL));
  assert_int_equal(SN_OK, sn_ini_load(path, &ini, NULL));
  assert_int_equal(SN_OK, sn_conf_from_ini(ini, &back, &found, NULL));
  assert_true(found);
  assert_memory_equal(&m, &back, sizeof m);
  sn_ini_destroy(ini);
  (void)unlink(path);
  const char part[] = "[confidence]\nconstant = 1\n";
  assert_int_equal(SN_OK,
                   sn_ini_parse(part, sizeof part - 1, "part", &ini, NULL));
  assert_int_equal(SN_EFORMAT, sn_conf_from_ini(ini, &back, &found, NULL));
  sn_ini_destroy(ini);
}

static sn_status mark(const char *ref, const char *hyp, sn_score_marks *out) {
  sn_score_words *words = NULL;
  sn_transcripts r = {0}, h = {0};
  sn_status s = sn_score_words_create(NULL, false, &words, NULL);
  if (s == SN_OK)
    s = sn_transcripts_read_memory(ref, strlen(ref), "ref", SN_TRANS_KALDI,
                                   words, &r, NULL);
  if (s == SN_OK)
    s = sn_transcripts_read_memory(hyp, strlen(hyp), "hyp", SN_TRANS_CTM, words,
                                   &h, NULL);
  if (s == SN_OK) s = sn_score_mark(&r, &h, SN_ALIGN_EDITS, out, NULL);
  sn_transcripts_clear(&r);
  sn_transcripts_clear(&h);
  sn_score_words_destroy(words);
  return s;
}

static const char ref_text[] = "a the cat sat\nb on\n";
static const char hyp_text[] =
    "a 1 0.0 0.2 the 0.9\na 1 0.2 0.3 <sil> 0.1\na 1 0.5 0.1 a 0.3\n"
    "a 1 0.6 0.2 cat 0.8\na 1 0.8 0.2 sits 0.4\nb 1 0 1 on\nc 1 0 1 off 0.5\n";

static void test_words_are_marked_by_the_alignment(void **state) {
  (void)state;
  sn_score_marks m = {0};
  assert_int_equal(SN_OK, mark(ref_text, hyp_text, &m));
  const double confidence[] = {0.9, 0.3, 0.8, 0.4};
  const bool right[] = {true, false, true, false};
  assert_int_equal(4, m.n); /* the, a, cat, sits; not <sil>, not c */
  assert_int_equal(1, m.n_without);
  for (size_t i = 0; i < m.n; i++) {
    assert_true(m.confidence[i] == confidence[i]);
    assert_int_equal(right[i], m.right[i]);
  }
  /* (4 + log2 0.9 + log2 0.7 + log2 0.8 + log2 0.6) / 4 */
  assert_true(fabs(m.nce - (4.0 + log2(0.9 * 0.7 * 0.8 * 0.6)) / 4.0) < 1e-9);
  sn_score_marks_clear(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nce_is_one_zero_and_below),
      cmocka_unit_test(test_neighbours_and_letters),
      cmocka_unit_test(test_fit_finds_the_model_that_made_the_data),
      cmocka_unit_test(test_model_is_saved_and_read),
      cmocka_unit_test(test_words_are_marked_by_the_alignment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
