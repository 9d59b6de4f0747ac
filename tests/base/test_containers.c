/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas, arrays and symbol tables against plain models of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/arr.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

/* ---- Arrays ---- */

static void an_array_holds_what_was_pushed(void **state) {
  (void)state;
  SN_ARR(uint64_t) a = {0};
  for (uint64_t i = 0; i < 10000; i++)
    assert_int_equal(SN_ARR_PUSH(&a, i * i, NULL), SN_OK);
  assert_int_equal(a.n, 10000);
  for (uint64_t i = 0; i < 10000; i++) assert_true(a.data[i] == i * i);
  assert_int_equal(SN_ARR_RESIZE(&a, 5, NULL), SN_OK);
  assert_int_equal(a.n, 5);
  SN_ARR_FREE(&a);
  assert_null(a.data);
  assert_int_equal(a.cap, 0);
}

static void a_failed_push_leaves_the_array_as_it_was(void **state) {
  (void)state;
  sn_arr_i32 a = {0};
  sn_err err = {0};
  assert_int_equal(SN_ARR_PUSH(&a, 7, NULL), SN_OK);
  while (a.n < a.cap) assert_int_equal(SN_ARR_PUSH(&a, 7, NULL), SN_OK);
  const sn_arr_i32 before = a;
  sn_mem_fail_after(0);
  assert_int_equal(SN_ARR_PUSH(&a, 8, &err), SN_ENOMEM);
  sn_mem_fail_after(-1);
  assert_int_equal(err.code, SN_ENOMEM);
  assert_memory_equal(&before, &a, sizeof a);
  assert_int_equal(SN_ARR_RESERVE(&a, SIZE_MAX / 2, NULL), SN_ENOMEM);
  assert_memory_equal(&before, &a, sizeof a);
  SN_ARR_FREE(&a);
}

/* ---- Arenas ---- */

static void arena_objects_are_zeroed_aligned_and_apart(void **state) {
  (void)state;
  enum { N = 2000 };
  sn_arena a = {0};
  sn_rng rng;
  sn_rng_init(&rng, 1);
  for (int round = 0; round < 3; round++) {
    unsigned char *objects[N];
    size_t sizes[N];
    for (size_t i = 0; i < N; i++) {
      /* now and then one that is larger than a chunk */
      sizes[i] = sn_rng_below(&rng, i % 500 == 499 ? 200000 : 200);
      objects[i] = sn_arena_alloc(&a, sizes[i], 1);
      assert_non_null(objects[i]);
      assert_int_equal((uintptr_t)objects[i] % _Alignof(max_align_t), 0);
      for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(objects[i][k], 0);
      if (sizes[i] > 0) memset(objects[i], (int)(i % 255) + 1, sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
      for (size_t k = 0; k < sizes[i]; k++)
        assert_int_equal(objects[i][k], i % 255 + 1);
    assert_true(a.used_bytes > 0);
    sn_arena_reset(&a);
    assert_int_equal(a.used_bytes, 0);
  }
  sn_arena_clear(&a);
  assert_null(a.head);
  assert_null(a.spare);
}

static void a_reset_arena_allocates_nothing_new(void **state) {
  (void)state;
  sn_arena a = {.chunk_bytes = 1024};
  for (int i = 0; i < 1000; i++) assert_non_null(sn_arena_alloc(&a, 10, 8));
  const long live = sn_mem_live();
  for (int round = 0; round < 10; round++) {
    sn_arena_reset(&a);
    for (int i = 0; i < 1000; i++) assert_non_null(sn_arena_alloc(&a, 10, 8));
    assert_int_equal(sn_mem_live(), live);
  }
  sn_arena_clear(&a);
}

static void arenas_fail_without_harm(void **state) {
  (void)state;
  const long before = sn_mem_live();
  sn_arena a = {0};
  assert_null(sn_arena_alloc(&a, SIZE_MAX, 2));
  assert_null(sn_arena_alloc(&a, SIZE_MAX / 4, 4));
  assert_null(sn_arena_strndup(&a, "", SIZE_MAX));
  sn_mem_fail_after(0);
  assert_null(sn_arena_alloc(&a, 1, 1));
  sn_mem_fail_after(-1);
  assert_string_equal(sn_arena_strndup(&a, "abcdef", 3), "abc");
  sn_arena_clear(&a);
  assert_int_equal(sn_mem_live(), before);
}

/* ---- Symbol tables ---- */

/* Names that repeat, share prefixes, are empty or hold any byte. */
static size_t make_name(sn_rng *rng, char *to) {
  const uint32_t kind = sn_rng_below(rng, 10);
  if (kind < 8) return (size_t)snprintf(to, 16, "w%u", sn_rng_below(rng, 3000));
  const size_t n = sn_rng_below(rng, 6);
  for (size_t i = 0; i < n; i++) to[i] = (char)sn_rng_below(rng, 3);
  return n;
}

static void symbols_are_those_of_a_list(void **state) {
  (void)state;
  enum { MAX = 6000 };
  static char names[MAX][16];
  static size_t lengths[MAX];
  int32_t n = 0;
  sn_symtab *t = NULL;
  assert_int_equal(sn_symtab_create(&t, NULL), SN_OK);
  sn_rng rng;
  sn_rng_init(&rng, 9);
  for (int step = 0; step < 12000; step++) {
    char name[16] = "";
    const size_t len = make_name(&rng, name);
    int32_t want = -1;
    for (int32_t i = 0; i < n && want < 0; i++)
      if (lengths[i] == len && memcmp(names[i], name, len) == 0) want = i;
    assert_int_equal(sn_symtab_find(t, name, len), want);
    if (step % 3 == 0) continue;
    int32_t id = -1;
    assert_int_equal(sn_symtab_add(t, name, len, &id, NULL), SN_OK);
    if (want < 0) {
      memcpy(names[n], name, len);
      lengths[n] = len;
      want = n++;
    }
    assert_int_equal(id, want);
    assert_int_equal(sn_symtab_n(t), n);
  }
  assert_true(n > 2000);
  for (int32_t i = 0; i < n; i++) {
    assert_memory_equal(sn_symtab_get(t, i), names[i], lengths[i]);
    assert_int_equal(sn_symtab_get(t, i)[lengths[i]], '\0');
  }
  sn_symtab_destroy(t);
  sn_symtab_destroy(NULL);
}

static void a_failed_addition_changes_no_symbol(void **state) {
  (void)state;
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_symtab *t = NULL;
    sn_mem_fail_after(k);
    sn_status s = sn_symtab_create(&t, NULL);
    int32_t n = 0;
    for (; s == SN_OK && n < 500; n++) {
      char name[16];
      int32_t id = -1;
      const size_t len = (size_t)snprintf(name, sizeof name, "w%d", n);
      s = sn_symtab_add(t, name, len, &id, NULL);
      if (s == SN_OK) continue;
      assert_int_equal(sn_symtab_n(t), n);
      assert_int_equal(sn_symtab_find(t, name, len), -1);
      assert_int_equal(sn_symtab_add(t, name, len, &id, NULL), SN_OK);
      assert_int_equal(id, n);
    }
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_symtab_destroy(t);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_array_holds_what_was_pushed),
      cmocka_unit_test(a_failed_push_leaves_the_array_as_it_was),
      cmocka_unit_test(arena_objects_are_zeroed_aligned_and_apart),
      cmocka_unit_test(a_reset_arena_allocates_nothing_new),
      cmocka_unit_test(arenas_fail_without_harm),
      cmocka_unit_test(symbols_are_those_of_a_list),
      cmocka_unit_test(a_failed_addition_changes_no_symbol),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
