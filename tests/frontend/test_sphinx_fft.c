/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/sphinx_fft_internal.h"
#include "tests/frontend/feat_support.h"

/* |sum_t x[t] exp(-2 pi i k t / n)|^2, the obvious way. */
static double slow_power(const double *x, size_t n, size_t k) {
  double re = 0, im = 0;
  for (size_t t = 0; t < n; t++) {
    const double a =
        2 * 3.14159265358979323846 * (double)(k * t % n) / (double)n;
    re += x[t] * cos(a);
    im -= x[t] * sin(a);
  }
  return re * re + im * im;
}

static double worst_error(size_t n, double bend) {
  sni_fft *f;
  ASSERT_OK(sni_fft_create(n, &f, E));
  double *x = calloc(n, sizeof *x), *power = calloc(n / 2 + 1, sizeof *power);
  double *scratch = calloc(sni_fft_scratch(f), sizeof *scratch);
  assert_true(x != NULL && power != NULL && scratch != NULL);
  sn_rng rng;
  sn_rng_init(&rng, n);
  double energy = 0;
  for (size_t t = 0; t < n; t++) {
    x[t] = sn_rng_gauss(&rng);
    energy += x[t] * x[t];
  }
  sni_fft_power(f, x, scratch, power);
  x[1] += bend;
  double worst = 0;
  for (size_t k = 0; k <= n / 2; k++)
    worst = fmax(worst, fabs(power[k] - slow_power(x, n, k)));
  free(x);
  free(power);
  free(scratch);
  sni_fft_destroy(f);
  return worst / ((double)n * energy);
}

/* Error of a power relative to n times the energy (its bound): log2(n) + n
 * roundings of 1.1e-16 in the slow sum, so 1e-12 for n up to 4096. */
static void test_power_equals_the_slow_transform(void **state) {
  (void)state;
  for (size_t n = 8; n <= 4096; n *= 2) {
    const double error = worst_error(n, 0);
    if (!(error < 1e-12)) fail_msg("n %zu: %g", n, error);
  }
}

static void test_the_comparison_notices_one_wrong_sample(void **state) {
  (void)state;
  assert_true(worst_error(64, 0.01) > 1e-12);
}

static void test_other_lengths_are_refused(void **state) {
  (void)state;
  sni_fft *f;
  static const size_t bad[] = {0, 1, 2, 4, 12, 511, 513};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(sni_fft_create(bad[i], &f, NULL), SN_EARG);
}

static void test_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sni_fft *f;
    sn_mem_fail_after(k);
    const sn_status s = sni_fft_create(64, &f, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      sni_fft_destroy(f);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
    assert_null(f);
    assert_int_equal(sn_mem_live(), before);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_power_equals_the_slow_transform),
      cmocka_unit_test(test_the_comparison_notices_one_wrong_sample),
      cmocka_unit_test(test_other_lengths_are_refused),
      cmocka_unit_test(test_out_of_memory_leaves_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
