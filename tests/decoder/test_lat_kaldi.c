/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi's compact lattices: read what Kaldi wrote, write what reads back the
 * same; damage is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/io.h"
#include "base/mem.h"
#include "decoder/lat_kaldi.h"
#include "tests/ref/temp_path.h"

static const char small[] =
    "0\t1\t9\t1.5,20,1_2_3\n"
    "0\t2\t8\t1.25,21,1_2\n"
    "1\t3\t7\t0.5,10,4\n"
    "2\t3\t7\t0.5,10,4_4\n"
    "3\t0.25,0,5\n\n";

static sn_status parse_text(const char *text, sn_lat *out, sn_err *err) {
  sn_reader *r = NULL;
  sn_status s = sn_reader_memory(text, strlen(text), "lat", &r, err);
  if (s == SN_OK) s = sn_lat_read_kaldi_text(r, out, err);
  sn_reader_destroy(r);
  return s;
}

static void assert_same(const sn_lat *a, const sn_lat *b) {
  assert_int_equal(a->n_states, b->n_states);
  assert_int_equal(a->n_arcs, b->n_arcs);
  for (int32_t s = 0; s < a->n_states; s++) {
    const sn_lat_state *const x = &a->states[s], *const y = &b->states[s];
    assert_int_equal(x->first_arc, y->first_arc);
    assert_true(x->final_graph == y->final_graph);
    assert_true(x->final_acoustic == y->final_acoustic);
    assert_int_equal(x->n_ali, y->n_ali);
    assert_memory_equal(a->ali + x->first_ali, b->ali + y->first_ali,
                        x->n_ali * sizeof(int32_t));
  }
  for (int32_t i = 0; i < a->n_arcs; i++) {
    const sn_lat_arc *const x = &a->arcs[i], *const y = &b->arcs[i];
    assert_int_equal(x->next, y->next);
    assert_int_equal(x->word, y->word);
    assert_true(x->graph == y->graph);
    assert_true(x->acoustic == y->acoustic);
    assert_int_equal(x->n_ali, y->n_ali);
    assert_memory_equal(a->ali + x->first_ali, b->ali + y->first_ali,
                        x->n_ali * sizeof(int32_t));
  }
}

static void test_text_is_read_and_times_follow_from_alignments(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  assert_int_equal(parse_text(small, &l, &err), SN_OK);
  assert_int_equal(l.n_states, 4);
  assert_int_equal(l.n_arcs, 4);
  assert_int_equal(sn_lat_check(&l, &err), SN_OK);
  assert_true(sn_lat_is_deterministic(&l));
  int32_t frames[4], n_frames;
  assert_int_equal(sn_lat_times(&l, frames, &n_frames, &err), SN_OK);
  assert_int_equal(n_frames, 5);
  /* (3 + 2 + 1 + 2 + 1) arcs-frames over 5 frames */
  assert_true(fabs(sn_lat_depth(&l) - 9.0 / 5.0) < 1e-12);
  sn_lat_clear(&l);
}

static void test_cycles_nan_and_nonsense_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "0 1 5 1,2,\n1 0 5 1,2,\n1 0,0,\n\n", /* a cycle */
      "0 0 5 1,2,\n0 0,0,\n\n",             /* a loop */
      "0 1 5 nan,2,\n1 0,0,\n\n",
      "0 1 5 1,x,\n1 0,0,\n\n",
      "0 1 five 1,2,\n1 0,0,\n\n",
      "0 1 5 1,2,3_x\n1 0,0,\n\n",
      "-1 1 5 1,2,3\n1 0,0,\n\n",
      "0 1 5 1,2,3 4 5\n1 0,0,\n\n",
      "0 2000000 5 1,2,3\n1 0,0,\n\n",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sn_err err = {0};
    sn_lat l;
    assert_int_equal(parse_text(bad[i], &l, &err), SN_EFORMAT);
    assert_non_null(strstr(err.msg, "lat"));
    assert_int_equal(l.n_states, 0);
  }
}

static void test_states_without_a_way_to_the_end_are_dropped(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  assert_int_equal(parse_text("0 1 5 1,2,\n0 2 6 1,2,\n1 0,0,\n\n", &l, &err),
                   SN_OK);
  assert_int_equal(l.n_states, 2);
  assert_int_equal(l.n_arcs, 1);
  sn_lat_clear(&l);
  assert_int_equal(parse_text("0 1 5 1,2,\n\n", &l, &err), SN_OK);
  assert_int_equal(l.n_states, 0); /* nothing is final */
  sn_lat_clear(&l);
}

/* As Kaldi's reader has it: lines in any order, the first one's state is the
 * start. */
static void test_lines_may_stand_in_any_order_behind_the_start(void **state) {
  (void)state;
  static const char mixed[] =
      "7\t1\t9\t1.5,20,1_2_3\n"
      "3\t0.25,0,5\n"
      "2\t3\t7\t0.5,10,4_4\n"
      "1\t3\t7\t0.5,10,4\n"
      "7\t2\t8\t1.25,21,1_2\n\n";
  sn_err err = {0};
  sn_lat a, b;
  assert_int_equal(parse_text(small, &a, &err), SN_OK);
  assert_int_equal(parse_text(mixed, &b, &err), SN_OK);
  assert_same(&a, &b);
  sn_lat_clear(&a);
  sn_lat_clear(&b);
}

static void test_a_start_that_leaves_states_out_is_refused(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  assert_int_equal(parse_text("1\t3\t7\t0.5,10,4\n"
                              "0\t1\t9\t1.5,20,1_2_3\n"
                              "3\t0.25,0,5\n\n",
                              &l, &err),
                   SN_EFORMAT);
  assert_non_null(strstr(err.msg, "no arc leads to state 0"));
  assert_non_null(strstr(err.msg, "state 1 the start"));
}

/* "from to label word", as Kaldi writes an arc of no cost. */
static void test_state_level_arcs_may_have_no_weight(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  assert_int_equal(parse_text("0 1 4 9\n1 2 5 0 0.5,10\n2\n\n", &l, &err),
                   SN_OK);
  assert_int_equal(l.n_arcs, 2);
  assert_int_equal(l.arcs[0].word, 9);
  assert_int_equal(l.arcs[0].n_ali, 1);
  assert_int_equal(l.ali[l.arcs[0].first_ali], 4);
  assert_true(l.arcs[0].graph == 0.0f && l.arcs[0].acoustic == 0.0f);
  assert_int_equal(l.arcs[1].word, 0);
  sn_lat_clear(&l);
}

/* Writes to a temporary file and reads that into memory. */
static char *written(const sn_lat *l, bool binary, size_t *n) {
  sn_err err = {0};
  char path[256];
  temp_template(path, sizeof path, "test-lat");
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  sn_writer *w = NULL;
  char *data = NULL;
  assert_int_equal(sn_writer_open(path, &w, &err), SN_OK);
  assert_int_equal(binary ? sn_lat_write_kaldi_binary(w, l, &err)
                          : sn_lat_write_kaldi_text(w, l, &err),
                   SN_OK);
  assert_int_equal(sn_writer_commit(w, &err), SN_OK);
  sn_writer_destroy(w);
  assert_int_equal(sn_file_read(path, &data, n, &err), SN_OK);
  assert_int_equal(remove(path), 0);
  return data;
}

static void test_binary_and_text_bring_back_the_same(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l, again;
  assert_int_equal(parse_text(small, &l, &err), SN_OK);
  for (int binary = 0; binary < 2; binary++) {
    size_t n = 0;
    char *const data = written(&l, binary, &n);
    sn_reader *r = NULL;
    assert_int_equal(sn_reader_memory(data, n, "again", &r, &err), SN_OK);
    assert_int_equal(binary ? sn_lat_read_kaldi_binary(r, &again, &err)
                            : sn_lat_read_kaldi_text(r, &again, &err),
                     SN_OK);
    assert_same(&l, &again);
    sn_lat_clear(&again);
    sn_reader_destroy(r);
    sn_free(data);
  }
  sn_lat_clear(&l);
}

static void test_damaged_bytes_never_crash(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l, damaged;
  assert_int_equal(parse_text(small, &l, &err), SN_OK);
  size_t n = 0;
  char *const data = written(&l, true, &n);
  sn_lat_clear(&l);
  for (size_t cut = 0; cut < n; cut++) {
    sn_reader *r = NULL;
    err = (sn_err){0};
    assert_int_equal(sn_reader_memory(data, cut, "cut", &r, &err), SN_OK);
    assert_int_equal(sn_lat_read_kaldi_binary(r, &damaged, &err), SN_EFORMAT);
    sn_reader_destroy(r);
  }
  for (size_t at = 0; at < n; at++)
    for (int bit = 0; bit < 8; bit++) {
      sn_reader *r = NULL;
      err = (sn_err){0};
      data[at] = (char)(data[at] ^ (1 << bit));
      assert_int_equal(sn_reader_memory(data, n, "flip", &r, &err), SN_OK);
      if (sn_lat_read_kaldi_binary(r, &damaged, &err) == SN_OK) {
        assert_int_equal(sn_lat_check(&damaged, &err), SN_OK);
        sn_lat_clear(&damaged);
      }
      sn_reader_destroy(r);
      data[at] = (char)(data[at] ^ (1 << bit));
    }
  sn_free(data);
}

static void test_each_failed_allocation_is_reported(void **state) {
  (void)state;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_lat l = {0};
    sn_mem_fail_after(k);
    const sn_status s = parse_text(small, &l, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (s == SN_OK) sn_lat_clear(&l);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text_is_read_and_times_follow_from_alignments),
      cmocka_unit_test(test_cycles_nan_and_nonsense_are_refused),
      cmocka_unit_test(test_states_without_a_way_to_the_end_are_dropped),
      cmocka_unit_test(test_lines_may_stand_in_any_order_behind_the_start),
      cmocka_unit_test(test_a_start_that_leaves_states_out_is_refused),
      cmocka_unit_test(test_state_level_arcs_may_have_no_weight),
      cmocka_unit_test(test_binary_and_text_bring_back_the_same),
      cmocka_unit_test(test_damaged_bytes_never_crash),
      cmocka_unit_test(test_each_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
