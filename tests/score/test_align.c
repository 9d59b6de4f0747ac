/* SPDX-License-Identifier: Apache-2.0 */
/* Alignments: against a slow reference, and by their laws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "score/align.h"

enum { MAX_N = 7 };

typedef struct best {
  int sub, del, ins;
  long cost; /* -1: none yet */
} best;

/* Oracle: every alignment there is, without any table. */
static void try_all(const int32_t *r, size_t n, const int32_t *h, size_t m,
                    best now, long sub_cost, long gap_cost, best *out) {
  if (n == 0 && m == 0) {
    if (out->cost < 0 || now.cost < out->cost) *out = now;
    return;
  }
  if (n > 0 && m > 0) {
    best next = now;
    if (r[0] != h[0]) {
      next.sub++;
      next.cost += sub_cost;
    }
    try_all(r + 1, n - 1, h + 1, m - 1, next, sub_cost, gap_cost, out);
  }
  if (n > 0) {
    best next = now;
    next.del++;
    next.cost += gap_cost;
    try_all(r + 1, n - 1, h, m, next, sub_cost, gap_cost, out);
  }
  if (m > 0) {
    best next = now;
    next.ins++;
    next.cost += gap_cost;
    try_all(r, n, h + 1, m - 1, next, sub_cost, gap_cost, out);
  }
}

static size_t random_sequence(sn_rng *rng, int32_t *to, uint32_t n_symbols) {
  const size_t n = sn_rng_below(rng, MAX_N + 1);
  for (size_t i = 0; i < n; i++) to[i] = (int32_t)sn_rng_below(rng, n_symbols);
  return n;
}

static void check_random(sn_align_costs costs, long sub, long gap) {
  sn_rng rng;
  sn_rng_init(&rng, 7);
  for (int trial = 0; trial < 1500; trial++) {
    int32_t r[MAX_N], h[MAX_N];
    const uint32_t n_symbols = 1 + sn_rng_below(&rng, 4);
    const size_t n = random_sequence(&rng, r, n_symbols);
    const size_t m = random_sequence(&rng, h, n_symbols);
    best want = {.cost = -1};
    try_all(r, n, h, m, (best){0}, sub, gap, &want);
    sn_score_counts c;
    assert_int_equal(SN_OK, sn_align(r, n, h, m, costs, &c, NULL, NULL, NULL));
    assert_int_equal(want.cost, sub * c.sub + gap * (c.del + c.ins));
    assert_int_equal((long)n, c.cor + c.sub + c.del);
    assert_int_equal((long)m, c.cor + c.sub + c.ins);
  }
}

/* 100 errors of one kind never outweigh one error more: MAX_N is far less. */
static void test_default_has_fewest_errors_then_fewest_substitutions(void **s) {
  (void)s;
  check_random(SN_ALIGN_EDITS, 101, 100);
}

static void test_sclite_costs_are_minimal(void **s) {
  (void)s;
  check_random(SN_ALIGN_SCLITE, 4, 3);
}

/* The operations, applied to the reference, give the hypothesis. */
static void test_operations_turn_reference_into_hypothesis(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 11);
  for (int trial = 0; trial < 2000; trial++) {
    int32_t r[MAX_N], h[MAX_N];
    unsigned char ops[2 * MAX_N];
    size_t n_ops, i = 0, j = 0;
    const size_t n = random_sequence(&rng, r, 3);
    const size_t m = random_sequence(&rng, h, 3);
    sn_score_counts c, again = {.n_ref = (int64_t)n};
    assert_int_equal(SN_OK, sn_align(r, n, h, m, (sn_align_costs)(trial % 2),
                                     &c, ops, &n_ops, NULL));
    for (size_t k = 0; k < n_ops; k++) {
      switch (ops[k]) {
        case SN_COR:
          assert_int_equal(r[i], h[j]);
          again.cor++;
          break;
        case SN_SUB:
          assert_int_not_equal(r[i], h[j]);
          again.sub++;
          break;
        case SN_DEL:
          again.del++;
          break;
        default:
          again.ins++;
          break;
      }
      i += ops[k] != SN_INS;
      j += ops[k] != SN_DEL;
    }
    assert_int_equal(n, i);
    assert_int_equal(m, j);
    assert_memory_equal(&c, &again, sizeof c);
  }
}

static void test_swapping_the_texts_swaps_insertions_and_deletions(void **s) {
  (void)s;
  sn_rng rng;
  sn_rng_init(&rng, 3);
  for (int trial = 0; trial < 1000; trial++) {
    int32_t r[MAX_N], h[MAX_N];
    const size_t n = random_sequence(&rng, r, 3);
    const size_t m = random_sequence(&rng, h, 3);
    sn_score_counts a, b;
    assert_int_equal(
        SN_OK, sn_align(r, n, h, m, SN_ALIGN_EDITS, &a, NULL, NULL, NULL));
    assert_int_equal(
        SN_OK, sn_align(h, m, r, n, SN_ALIGN_EDITS, &b, NULL, NULL, NULL));
    assert_int_equal(a.sub, b.sub);
    assert_int_equal(a.ins, b.del);
    assert_int_equal(a.del, b.ins);
  }
}

static void test_empty_sides_are_all_insertions_or_deletions(void **state) {
  (void)state;
  const int32_t three[] = {1, 2, 3};
  sn_score_counts c;
  assert_int_equal(
      SN_OK, sn_align(NULL, 0, three, 3, SN_ALIGN_EDITS, &c, NULL, NULL, NULL));
  assert_int_equal(3, c.ins);
  assert_int_equal(SN_OK, sn_align(three, 3, NULL, 0, SN_ALIGN_SCLITE, &c, NULL,
                                   NULL, NULL));
  assert_int_equal(3, c.del);
  assert_int_equal(
      SN_OK, sn_align(NULL, 0, NULL, 0, SN_ALIGN_EDITS, &c, NULL, NULL, NULL));
  assert_int_equal(0, sn_score_errors(&c));
}

static void test_a_too_large_alignment_is_refused_before_memory(void **state) {
  (void)state;
  const int32_t one = 1;
  sn_score_counts c;
  sn_err err = {0};
  /* The lengths only: the symbols are never looked at. */
  assert_int_equal(SN_ELIMIT,
                   sn_align(&one, (size_t)1 << 20, &one, (size_t)1 << 20,
                            SN_ALIGN_EDITS, &c, NULL, NULL, &err));
  assert_non_null(strstr(err.msg, "1048576"));
}

static void test_running_out_of_memory_leaves_nothing_behind(void **state) {
  (void)state;
  const int32_t r[] = {1, 2}, h[] = {2, 3};
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_score_counts c;
    sn_mem_fail_after(k);
    const sn_status s =
        sn_align(r, 2, h, 2, SN_ALIGN_EDITS, &c, NULL, NULL, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(fired ? SN_ENOMEM : SN_OK, s);
    assert_int_equal(live, sn_mem_live());
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          test_default_has_fewest_errors_then_fewest_substitutions),
      cmocka_unit_test(test_sclite_costs_are_minimal),
      cmocka_unit_test(test_operations_turn_reference_into_hypothesis),
      cmocka_unit_test(test_swapping_the_texts_swaps_insertions_and_deletions),
      cmocka_unit_test(test_empty_sides_are_all_insertions_or_deletions),
      cmocka_unit_test(test_a_too_large_alignment_is_refused_before_memory),
      cmocka_unit_test(test_running_out_of_memory_leaves_nothing_behind)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
