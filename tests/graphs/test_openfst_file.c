/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFst files: bytes made here by the format's description, whole, cut short
 * and altered. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "graphs/openfst_file.h"
#include "tests/graphs/openfst_bytes.h"

static const fst_arc arcs[] = {{0, 1, 5, 0.5f, 1},  {0, 2, 0, 0.25f, 2},
                               {1, 2, 0, 1.5f, 1},  {1, 0, 0, 0.0f, 2},
                               {2, 3, 6, -1.0f, 0}, {2, 3, 7, INFINITY, 3}};
static const float finals[] = {INFINITY, INFINITY, 0.75f, 0.0f};
enum { N_ARCS = 6, N_STATES = 4 };

static const fst_shape shape = {finals, N_STATES, 0, arcs, N_ARCS};

static sn_status read_bytes(const fst_bytes *b, size_t n, sn_fst_file *out,
                            sn_err *err) {
  sn_reader *r = NULL;
  assert_int_equal(sn_reader_memory(b->data, n, "test.fst", &r, NULL), SN_OK);
  const sn_status s = sn_fst_file_read(r, out, err);
  sn_reader_destroy(r);
  return s;
}

static void assert_is_shape(const sn_fst_file *f) {
  assert_int_equal(f->n_states, N_STATES);
  assert_int_equal(f->start, 0);
  assert_int_equal(f->arcs.n, N_ARCS);
  assert_int_equal(f->first.n, N_STATES + 1);
  assert_int_equal(f->first.data[N_STATES], N_ARCS);
  for (int32_t s = 0; s < N_STATES; s++) {
    assert_memory_equal(&f->finals.data[s], &finals[s], sizeof(float));
    for (int64_t i = f->first.data[s]; i < f->first.data[s + 1]; i++)
      assert_int_equal(arcs[i].from, s);
  }
  for (size_t i = 0; i < N_ARCS; i++) {
    assert_int_equal(f->arcs.data[i].input, arcs[i].input);
    assert_int_equal(f->arcs.data[i].output, arcs[i].output);
    assert_int_equal(f->arcs.data[i].next, arcs[i].next);
    assert_memory_equal(&f->arcs.data[i].cost, &arcs[i].cost, sizeof(float));
  }
}

/* flags: 1, 2: with symbols; 4: aligned */
static void test_what_was_written_is_read(void **state) {
  (void)state;
  for (int is_const = 0; is_const < 2; is_const++)
    for (int flags = 0; flags < 8; flags++) {
      const fst_bytes b = fst_write(&shape, is_const != 0, flags);
      sn_fst_file f;
      sn_err err = {0};
      if (read_bytes(&b, b.n, &f, &err) != SN_OK) fail_msg("%s", err.msg);
      assert_is_shape(&f);
      sn_fst_file_clear(&f);
      free(b.data);
    }
}

static void test_a_graph_without_states_is_read(void **state) {
  (void)state;
  const fst_shape none = {NULL, 0, -1, NULL, 0};
  const fst_bytes b = fst_write(&none, false, 0);
  sn_fst_file f;
  assert_int_equal(read_bytes(&b, b.n, &f, NULL), SN_OK);
  assert_int_equal(f.n_states, 0);
  assert_int_equal(f.start, -1);
  sn_fst_file_clear(&f);
  free(b.data);
}

static void test_every_truncation_is_refused(void **state) {
  (void)state;
  for (int is_const = 0; is_const < 2; is_const++) {
    const fst_bytes b = fst_write(&shape, is_const != 0, 7);
    for (size_t n = 0; n < b.n; n++) {
      sn_fst_file f;
      sn_err err = {0};
      assert_int_equal(read_bytes(&b, n, &f, &err), SN_EFORMAT);
      assert_non_null(strstr(err.msg, "test.fst"));
      assert_null(f.arcs.data);
    }
    free(b.data);
  }
}

static void test_altered_bytes_give_a_graph_or_an_error(void **state) {
  (void)state;
  int n_refused = 0;
  for (int is_const = 0; is_const < 2; is_const++) {
    const fst_bytes b = fst_write(&shape, is_const != 0, 7);
    for (size_t i = 0; i < b.n; i++)
      for (int x = 1; x < 256; x = x * 2 + 1) {
        sn_fst_file f;
        b.data[i] ^= (unsigned char)x;
        if (read_bytes(&b, b.n, &f, NULL) == SN_OK) {
          assert_true(f.start >= -1 && f.start < f.n_states);
          assert_int_equal(f.first.n, f.n_states + 1);
          for (size_t k = 0; k < f.arcs.n; k++) {
            const sn_fst_file_arc *const a = &f.arcs.data[k];
            assert_true(a->next >= 0 && a->next < f.n_states);
            assert_true(a->input >= 0 && a->output >= 0 && !isnan(a->cost));
          }
        } else {
          n_refused++;
        }
        sn_fst_file_clear(&f);
        b.data[i] ^= (unsigned char)x;
      }
    free(b.data);
  }
  assert_true(n_refused > 500);
}

static void refused(fst_shape s, bool is_const, const char *why) {
  const fst_bytes b = fst_write(&s, is_const, 0);
  sn_fst_file f;
  sn_err err = {0};
  assert_int_equal(read_bytes(&b, b.n, &f, &err), SN_EFORMAT);
  if (strstr(err.msg, why) == NULL) fail_msg("'%s' not in '%s'", why, err.msg);
  free(b.data);
}

static void test_each_check_refuses(void **state) {
  (void)state;
  fst_arc a[N_ARCS];
  float f[N_STATES];
  for (int c = 0; c < 2; c++) {
    fst_shape s = {f, N_STATES, 0, a, N_ARCS};
    memcpy(a, arcs, sizeof a);
    memcpy(f, finals, sizeof f);
    s.start = N_STATES;
    refused(s, c != 0, "start state");
    s.start = 0;
    a[3].next = N_STATES;
    refused(s, c != 0, "next state");
    a[3].next = -1;
    refused(s, c != 0, "next state");
    a[3].next = 0;
    a[3].input = -1;
    refused(s, c != 0, "label");
    a[3].input = 1;
    a[3].cost = -INFINITY;
    refused(s, c != 0, "cost");
    a[3].cost = NAN;
    refused(s, c != 0, "cost");
    a[3].cost = 1;
    f[2] = NAN;
    refused(s, c != 0, "final cost");
  }
}

static void test_other_types_are_refused_by_name(void **state) {
  (void)state;
  const fst_bytes b = fst_write(&shape, false, 0);
  sn_fst_file f;
  sn_err err = {0};
  memcpy(b.data + 8, "strang", 6); /* "vector" */
  assert_int_equal(read_bytes(&b, b.n, &f, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "fstconvert"));
  memcpy(b.data + 8, "vector", 6);
  memcpy(b.data + 18, "lattice4", 8); /* "standard" */
  err = (sn_err){0};
  assert_int_equal(read_bytes(&b, b.n, &f, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "lattice4"));
  free(b.data);
}

static void test_survives_every_allocation_failure(void **state) {
  (void)state;
  const fst_bytes b = fst_write(&shape, true, 4);
  const long before = sn_mem_live();
  bool fired = true;
  for (long k = 0; fired; k++) {
    assert_true(k < 100);
    sn_reader *r = NULL;
    sn_fst_file f;
    assert_int_equal(sn_reader_memory(b.data, b.n, "t", &r, NULL), SN_OK);
    sn_mem_fail_after(k);
    const sn_status s = sn_fst_file_read(r, &f, NULL);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_fst_file_clear(&f);
    sn_reader_destroy(r);
    assert_int_equal(sn_mem_live(), before);
  }
  free(b.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_was_written_is_read),
      cmocka_unit_test(test_a_graph_without_states_is_read),
      cmocka_unit_test(test_every_truncation_is_refused),
      cmocka_unit_test(test_altered_bytes_give_a_graph_or_an_error),
      cmocka_unit_test(test_each_check_refuses),
      cmocka_unit_test(test_other_types_are_refused_by_name),
      cmocka_unit_test(test_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
