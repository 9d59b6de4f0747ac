/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers and matrices. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mat.h"
#include "base/mem.h"
#include "base/rng.h"

/* ---- Random numbers ---- */

static void equal_seeds_give_equal_numbers(void **state) {
  (void)state;
  sn_rng a, b, c;
  sn_rng_init(&a, 5);
  sn_rng_init(&b, 5);
  sn_rng_init(&c, 6);
  int n_same = 0;
  for (int i = 0; i < 1000; i++) {
    const uint32_t x = sn_rng_u32(&a);
    assert_true(x == sn_rng_u32(&b));
    n_same += x == sn_rng_u32(&c);
  }
  assert_true(n_same <= 2); /* 1000 / 2^32 expected */
}

/* The generator on the stream of the PCG paper's demonstration program:
 * stream 54, seed 42, whose output pcg-random.org prints. */
static void the_generator_is_pcg32(void **state) {
  (void)state;
  static const uint32_t want[] = {0xa15c02b7, 0x7b47f409, 0xba1d3330,
                                  0x83d2f293, 0xbfa4784b, 0xcbed606e};
  sn_rng r = {0, 54u << 1 | 1};
  (void)sn_rng_u32(&r);
  r.state += 42;
  (void)sn_rng_u32(&r);
  for (int i = 0; i < 6; i++) assert_true(sn_rng_u32(&r) == want[i]);
}

static void numbers_below_n_are_alike_often(void **state) {
  (void)state;
  static const uint32_t bounds[] = {1, 2, 3, 7, 10};
  sn_rng r;
  sn_rng_init(&r, 1);
  for (size_t k = 0; k < 5; k++) {
    int count[10] = {0};
    enum { N = 100000 };
    for (int i = 0; i < N; i++) count[sn_rng_below(&r, bounds[k])]++;
    const double p = 1.0 / bounds[k];
    /* 5 standard deviations of a binomial count */
    for (uint32_t v = 0; v < bounds[k]; v++)
      assert_true(fabs(count[v] - N * p) <= 5 * sqrt(N * p * (1 - p)) + 1e-9);
  }
  for (int i = 0; i < 1000; i++)
    assert_true(sn_rng_below(&r, 0x80000001u) <= 0x80000000u);
}

static void moments_are_those_of_the_distributions(void **state) {
  (void)state;
  enum { N = 200000 };
  sn_rng r;
  sn_rng_init(&r, 2);
  double u1 = 0, u2 = 0, g1 = 0, g2 = 0, g4 = 0;
  for (int i = 0; i < N; i++) {
    const double u = sn_rng_uniform(&r), g = sn_rng_gauss(&r);
    assert_true(u >= 0 && u < 1 && isfinite(g));
    u1 += u / N;
    u2 += u * u / N;
    g1 += g / N;
    g2 += g * g / N;
    g4 += g * g * g * g / N;
  }
  /* 5 standard errors: sqrt(var / N) with var = 1/12, 4/45, 1, 2, 96 */
  const double e = 5 / sqrt(N);
  assert_true(fabs(u1 - 0.5) < e * sqrt(1 / 12.0));
  assert_true(fabs(u2 - 1 / 3.0) < e * sqrt(4 / 45.0));
  assert_true(fabs(g1) < e);
  assert_true(fabs(g2 - 1) < e * sqrt(2));
  assert_true(fabs(g4 - 3) < e * sqrt(96));
}

/* ---- Matrices ---- */

static void rows_are_aligned_and_zero(void **state) {
  (void)state;
  for (size_t rows = 0; rows < 4; rows++)
    for (size_t cols = 0; cols < 40; cols++) {
      sn_mat m;
      assert_int_equal(sn_mat_alloc(rows, cols, &m, NULL), SN_OK);
      assert_true(m.rows == rows && m.cols == cols && m.stride >= cols);
      for (size_t r = 0; r < rows; r++) {
        assert_int_equal((uintptr_t)sn_mat_row(m, r) % 64, 0);
        for (size_t c = 0; c < cols; c++) assert_true(sn_mat_row(m, r)[c] == 0);
      }
      sn_mat_free(&m);
      assert_null(m.data);
    }
}

static void impossible_sizes_are_refused(void **state) {
  (void)state;
  static const size_t sizes[][2] = {{SIZE_MAX, 2},
                                    {2, SIZE_MAX},
                                    {SIZE_MAX / 4, 1},
                                    {(size_t)1 << 32, (size_t)1 << 31}};
  sn_mat m;
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(sn_mat_alloc(sizes[i][0], sizes[i][1], &m, NULL),
                     SN_ENOMEM);
    assert_null(m.data);
  }
  sn_mem_fail_after(0);
  assert_int_equal(sn_mat_alloc(2, 2, &m, NULL), SN_ENOMEM);
  sn_mem_fail_after(-1);
}

static void views_and_copies_keep_their_rows(void **state) {
  (void)state;
  sn_mat a, b;
  assert_int_equal(sn_mat_alloc(5, 3, &a, NULL), SN_OK);
  assert_int_equal(sn_mat_alloc(2, 3, &b, NULL), SN_OK);
  for (size_t r = 0; r < 5; r++)
    for (size_t c = 0; c < 3; c++) sn_mat_row(a, r)[c] = (float)(10 * r + c);
  sn_mat_copy(sn_mat_const(sn_mat_rows(a, 3, 2)), b);
  assert_true(sn_mat_row(b, 0)[2] == 32 && sn_mat_row(b, 1)[0] == 40);
  assert_int_equal(sn_mat_rows(a, 5, 0).rows, 0);
  sn_mat_free(&a);
  sn_mat_free(&b);
}

static void random_mat(sn_rng *rng, sn_mat m) {
  for (size_t r = 0; r < m.rows; r++)
    for (size_t c = 0; c < m.cols; c++)
      sn_mat_row(m, r)[c] = (float)sn_rng_gauss(rng);
}

static void products_are_those_of_the_double_loop(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 3);
  sn_blas_single_thread();
  for (int round = 0; round < 200; round++) {
    const size_t n = sn_rng_below(&rng, 9), k = sn_rng_below(&rng, 70),
                 m = sn_rng_below(&rng, 9);
    const bool ta = round & 1, tb = round & 2;
    const float alpha = round % 5 ? 1.5f : 0, beta = round % 3 ? -0.5f : 0;
    sn_mat a, b, c, old;
    assert_int_equal(sn_mat_alloc(ta ? k : n, ta ? n : k, &a, NULL), SN_OK);
    assert_int_equal(sn_mat_alloc(tb ? m : k, tb ? k : m, &b, NULL), SN_OK);
    assert_int_equal(sn_mat_alloc(n, m, &c, NULL), SN_OK);
    assert_int_equal(sn_mat_alloc(n, m, &old, NULL), SN_OK);
    random_mat(&rng, a);
    random_mat(&rng, b);
    random_mat(&rng, c);
    sn_mat_copy(sn_mat_const(c), old);
    sn_mat_gemm(alpha, sn_mat_const(a), ta, sn_mat_const(b), tb, beta, c);
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < m; j++) {
        double want = 0, size = 0;
        for (size_t x = 0; x < k; x++) {
          const double p =
              (double)(ta ? sn_mat_row(a, x)[i] : sn_mat_row(a, i)[x]) *
              (double)(tb ? sn_mat_row(b, j)[x] : sn_mat_row(b, x)[j]);
          want += p;
          size += fabs(p);
        }
        want =
            (double)alpha * want + (double)beta * (double)sn_mat_row(old, i)[j];
        size = fabs((double)alpha) * size +
               fabs((double)beta * (double)sn_mat_row(old, i)[j]);
        /* k + 2 roundings of 2^-24 of partial sums at most `size` large */
        assert_true(fabs((double)sn_mat_row(c, i)[j] - want) <=
                    (double)(k + 2) * 0x1p-24 * size);
      }
    sn_mat_free(&a);
    sn_mat_free(&b);
    sn_mat_free(&c);
    sn_mat_free(&old);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_seeds_give_equal_numbers),
      cmocka_unit_test(the_generator_is_pcg32),
      cmocka_unit_test(numbers_below_n_are_alike_often),
      cmocka_unit_test(moments_are_those_of_the_distributions),
      cmocka_unit_test(rows_are_aligned_and_zero),
      cmocka_unit_test(impossible_sizes_are_refused),
      cmocka_unit_test(views_and_copies_keep_their_rows),
      cmocka_unit_test(products_are_those_of_the_double_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
