/* SPDX-License-Identifier: Apache-2.0 */
/* Thread pools: every item once, emission in order, failures by index. Nothing
 * here depends on time; items take unlike amounts of work, so that threads
 * overtake each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"

#define MAX_ITEMS 2000

typedef struct job {
  atomic_int begun[MAX_ITEMS], done[MAX_ITEMS];
  atomic_int in_worker[16]; /* items that a worker is in: 0 or 1 */
  atomic_int n_open;        /* begun and not emitted */
  int window;
  size_t n_emitted;
  size_t fail_work, fail_emit; /* items that fail, and all above */
  uint64_t result[MAX_ITEMS];
  double sums[64];
} job;

static job *new_job(void) {
  job *const j = calloc(1, sizeof *j);
  j->fail_work = j->fail_emit = SIZE_MAX;
  j->window = MAX_ITEMS;
  return j;
}

static uint64_t spin(size_t i) {
  sn_rng rng;
  sn_rng_init(&rng, i);
  uint64_t x = 0;
  const uint32_t n = i % 7 == 0 ? 3000 : 10;
  for (uint32_t k = 0; k < n; k++) x += sn_rng_u32(&rng);
  return x;
}

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  job *const j = user;
  assert_true(w < 16);
  assert_int_equal(atomic_fetch_add(&j->in_worker[w], 1), 0);
  assert_int_equal(atomic_fetch_add(&j->begun[i], 1), 0);
  assert_true(atomic_fetch_add(&j->n_open, 1) < j->window);
  j->result[i] = spin(i);
  atomic_fetch_add(&j->done[i], 1);
  atomic_fetch_sub(&j->in_worker[w], 1);
  if (i >= j->fail_work) return sn_fail(err, SN_EIO, "work on item %zu", i);
  return SN_OK;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  job *const j = user;
  assert_int_equal(atomic_fetch_add(&j->in_worker[w], 1), 0);
  assert_int_equal(i, j->n_emitted); /* in order, one at a time */
  assert_int_equal(atomic_load(&j->done[i]), 1);
  assert_true(j->result[i] == spin(i));
  j->n_emitted++;
  atomic_fetch_sub(&j->n_open, 1);
  atomic_fetch_sub(&j->in_worker[w], 1);
  if (i >= j->fail_emit) return sn_fail(err, SN_EFORMAT, "emission of %zu", i);
  return SN_OK;
}

static const size_t sizes[] = {0, 1, 2, 7, 100, MAX_ITEMS};

static sn_pool *make_pool(size_t n) {
  sn_pool *p = NULL;
  if (n == 0) return NULL; /* no pool: the caller's thread */
  assert_int_equal(sn_pool_create(n, &p, NULL), SN_OK);
  assert_int_equal(sn_pool_n_threads(p), n);
  return p;
}

static void every_item_is_worked_on_once(void **state) {
  (void)state;
  for (size_t n_threads = 0; n_threads <= 5; n_threads++) {
    sn_pool *const p = make_pool(n_threads);
    for (size_t k = 0; k < 6; k++) {
      job *const j = new_job();
      j->window = MAX_ITEMS + 1;
      assert_int_equal(sn_pool_for(p, sizes[k], work, j, NULL), SN_OK);
      for (size_t i = 0; i < MAX_ITEMS; i++)
        assert_int_equal(atomic_load(&j->done[i]), i < sizes[k]);
      free(j);
    }
    sn_pool_destroy(p);
  }
}

static void emission_keeps_the_order_and_the_window(void **state) {
  (void)state;
  static const size_t windows[] = {0, 1, 2, 5, 100};
  for (size_t n_threads = 0; n_threads <= 5; n_threads++) {
    sn_pool *const p = make_pool(n_threads);
    for (size_t v = 0; v < 5; v++)
      for (size_t k = 0; k < 6; k++) {
        job *const j = new_job();
        j->window = windows[v] > 0 ? (int)windows[v]
                                   : 4 * (int)(n_threads > 0 ? n_threads : 1);
        assert_int_equal(
            sn_pool_ordered(p, sizes[k], windows[v], work, emit, j, NULL),
            SN_OK);
        assert_int_equal(j->n_emitted, sizes[k]);
        free(j);
      }
    sn_pool_destroy(p);
  }
}

static void the_failure_of_the_smallest_item_is_told(void **state) {
  (void)state;
  static const size_t at[] = {0, 1, 99, 500, MAX_ITEMS - 1};
  for (size_t n_threads = 0; n_threads <= 5; n_threads++) {
    sn_pool *const p = make_pool(n_threads);
    for (size_t k = 0; k < 5; k++)
      for (int emits = 0; emits < 3; emits++) {
        job *const j = new_job();
        j->window = MAX_ITEMS + 1;
        /* Work fails from at[k] on; emission, in the third turn, before. */
        j->fail_work = at[k];
        j->fail_emit = emits == 2 ? at[k] / 2 : SIZE_MAX;
        sn_err err = {0};
        char want[64];
        const sn_status s =
            emits ? sn_pool_ordered(p, MAX_ITEMS, 20, work, emit, j, &err)
                  : sn_pool_for(p, MAX_ITEMS, work, j, &err);
        const bool by_emission = emits == 2 && at[k] / 2 < at[k];
        assert_int_equal(s, by_emission ? SN_EFORMAT : SN_EIO);
        if (by_emission)
          snprintf(want, sizeof want, "emission of %zu", at[k] / 2);
        else
          snprintf(want, sizeof want, "work on item %zu", at[k]);
        assert_string_equal(err.msg, want);
        const size_t first_bad = by_emission ? at[k] / 2 : at[k];
        for (size_t i = 0; i < first_bad; i++)
          assert_int_equal(atomic_load(&j->done[i]), 1);
        /* All before the failure has come out, nothing behind it. */
        if (emits)
          assert_int_equal(j->n_emitted, first_bad + (by_emission ? 1 : 0));
        free(j);
      }
    /* The pool is as good as before. */
    job *const j = new_job();
    assert_int_equal(sn_pool_ordered(p, 100, 7, work, emit, j, NULL), SN_OK);
    assert_int_equal(j->n_emitted, 100);
    free(j);
    sn_pool_destroy(p);
  }
}

/* Sums whose last bits depend on the order of addition. */
static sn_status accumulate(void *user, size_t i, size_t w, sn_err *err) {
  job *const j = user;
  (void)w;
  (void)err;
  sn_rng rng;
  sn_rng_init(&rng, i);
  j->sums[i] = 0;
  for (int k = 0; k < 1000; k++)
    j->sums[i] += sn_rng_gauss(&rng) * (k % 2 ? 1e10 : 1e-10);
  return SN_OK;
}

static sn_status add(void *user, size_t into, size_t from, sn_err *err) {
  job *const j = user;
  if (from == j->fail_emit) return sn_fail(err, SN_EIO, "part %zu", from);
  j->sums[into] += j->sums[from];
  j->n_emitted++;
  assert_int_equal(into, 0);
  assert_int_equal(j->n_emitted, from);
  return SN_OK;
}

static void a_reduction_has_the_same_bits_for_any_number_of_threads(
    void **state) {
  (void)state;
  double want = 0;
  for (size_t n_threads = 0; n_threads <= 6; n_threads++) {
    sn_pool *const p = make_pool(n_threads);
    job *const j = new_job();
    assert_int_equal(sn_pool_reduce(p, 64, accumulate, add, j, NULL), SN_OK);
    if (n_threads == 0) want = j->sums[0];
    assert_memory_equal(&j->sums[0], &want, sizeof want);
    j->fail_emit = 3;
    j->n_emitted = 0;
    sn_err err = {0};
    assert_int_equal(sn_pool_reduce(p, 64, accumulate, add, j, &err), SN_EIO);
    assert_string_equal(err.msg, "part 3");
    free(j);
    sn_pool_destroy(p);
  }
}

static void pools_come_and_go(void **state) {
  (void)state;
  const long before = sn_mem_live();
  for (int i = 0; i < 100; i++) sn_pool_destroy(make_pool(1 + (size_t)i % 6));
  sn_pool *p = NULL;
  assert_int_equal(sn_pool_create(0, &p, NULL), SN_OK);
  assert_true(sn_pool_n_threads(p) >= 1);
  sn_pool_destroy(p);
  sn_pool_destroy(NULL);
  assert_int_equal(sn_pool_n_threads(NULL), 1);
  assert_int_equal(sn_mem_live(), before);
}

static void out_of_memory_anywhere_is_a_status(void **state) {
  (void)state;
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_pool *p = NULL;
    job *const j = new_job();
    sn_mem_fail_after(k);
    sn_status s = sn_pool_create(3, &p, NULL);
    if (s == SN_OK) s = sn_pool_ordered(p, 50, 9, work, emit, j, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_pool_destroy(p);
    free(j);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_item_is_worked_on_once),
      cmocka_unit_test(emission_keeps_the_order_and_the_window),
      cmocka_unit_test(the_failure_of_the_smallest_item_is_told),
      cmocka_unit_test(a_reduction_has_the_same_bits_for_any_number_of_threads),
      cmocka_unit_test(pools_come_and_go),
      cmocka_unit_test(out_of_memory_anywhere_is_a_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
