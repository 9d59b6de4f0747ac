/* SPDX-License-Identifier: Apache-2.0 */
/* Times by alignment: words by the phones of a path, frames to seconds, and
 * texts that are not what they should be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "decoder/lat_align.h"

/* Labels: 0 silence (entry), 1 begin (entry), 2 its second state, 3 internal,
 * 4 end, 5 single (entries), 6 noise (entry). sn_wordpos: 0 internal, 1 begin,
 * 2 end, 3 single. */
static const sn_graph_label table[] = {{.is_entry = 1, .is_filler = 1},
                                       {.is_entry = 1, .wordpos = 1},
                                       {.wordpos = 1},
                                       {.is_entry = 1, .wordpos = 0},
                                       {.is_entry = 1, .wordpos = 2},
                                       {.is_entry = 1, .wordpos = 3},
                                       {.is_entry = 1, .is_filler = 1}};
static const sn_graph graph = {.labels = table, .n_labels = 7};

static void check(const char *labels, const int32_t *ali, size_t n_ali,
                  size_t n_words, const int32_t (*want)[2]) {
  int32_t copy[32], words[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  memcpy(copy, ali, n_ali * sizeof *ali);
  sn_lat_path p = {0};
  p.ali.data = copy;
  p.ali.n = n_ali;
  p.words.data = words;
  p.words.n = n_words;
  sn_arr_i32 begin = {0}, end = {0};
  bool found;
  assert_int_equal(sn_lat_word_times(labels, &p, &begin, &end, &found, NULL),
                   SN_OK);
  assert_int_equal(found, want != NULL);
  assert_int_equal(begin.n, found ? n_words : 0);
  assert_int_equal(end.n, begin.n);
  for (size_t i = 0; i < begin.n; i++) {
    assert_int_equal(begin.data[i], want[i][0]);
    assert_int_equal(end.data[i], want[i][1]);
  }
  SN_ARR_FREE(&begin);
  SN_ARR_FREE(&end);
}

static void test_words_are_where_their_phones_are(void **state) {
  (void)state;
  sn_str labels = {0};
  assert_int_equal(sn_lat_labels_add(&graph, &labels, NULL), SN_OK);
  assert_int_equal(labels.n, 7);
  const char *const l = sn_str_get(&labels);
  /* sil, a word of three phones, one of one, noise twice, one of two */
  const int32_t ali[] = {0, 0, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6, 0, 1, 2, 4, 0};
  const int32_t want[][2] = {{2, 8}, {8, 10}, {13, 16}};
  check(l, ali, 17, 3, want);
  check(l, ali, 17, 2, want); /* the last one has no word yet */
  check(l, ali, 17, 0, want);
  check(l, ali, 17, 4, NULL);
  check(l, ali, 8, 1, want); /* ends inside */
  const int32_t other[] = {0, 1, 7}, negative[] = {-1};
  check(l, other, 3, 1, NULL);
  check(l, negative, 1, 0, NULL);
  check(l, ali, 0, 0, want);
  check("", ali, 2, 1, NULL);
  sn_str_clear(&labels);
}

static void test_frames_have_the_times_of_their_runs(void **state) {
  (void)state;
  sn_lat_clock *c;
  /* 30 frames; the front end took out those from 0.1 to 0.5 s, 1 to 2 s */
  const char text[] =
      "a b\t30 0 0 0.01 0.01 10 0.5 0.01 0.01 20 2 0.01 0.01\n"
      "late\t5 0 7.5 0.02 0.02\n";
  assert_int_equal(sn_lat_clock_create(text, 0.01, &c, NULL), SN_OK);
  assert_int_equal(sn_lat_clock_set(c, "a b", NULL), SN_OK);
  /* sums of three decimals, rounded: far below 1e-12 */
  const double want[][3] = {{0, 0, 0},         {9, .09, .09}, {10, .5, .1},
                            {9.5, .295, .295}, {20, 2, .6},   {30, 2.1, 2.1},
                            {99, 2.1, 2.1}};
  for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
    assert_true(fabs(sn_lat_clock_begin_s(c, want[i][0]) - want[i][1]) < 1e-12);
    assert_true(fabs(sn_lat_clock_end_s(c, want[i][0]) - want[i][2]) < 1e-12);
  }
  assert_int_equal(sn_lat_clock_set(c, "late", NULL), SN_OK);
  assert_true(fabs(sn_lat_clock_end_s(c, 2) - 7.54) < 1e-12);
  assert_int_equal(sn_lat_clock_set(c, "other", NULL), SN_OK);
  assert_true(fabs(sn_lat_clock_end_s(c, 2) - 0.02) < 1e-12);
  sn_lat_clock_destroy(c);
  assert_int_equal(sn_lat_clock_create(NULL, 0.02, &c, NULL), SN_OK);
  assert_int_equal(sn_lat_clock_set(c, "a", NULL), SN_OK);
  assert_true(fabs(sn_lat_clock_begin_s(c, 3) - 0.06) < 1e-12);
  sn_lat_clock_destroy(c);
}

static void test_other_texts_are_refused(void **state) {
  (void)state;
  static const char *const lines[] = {"u\t",
                                      "u\tx",
                                      "u\t5",
                                      "u\t5 0 0 0.01",
                                      "u\t5 1 0 1 1",
                                      "u\t5 0 nan 1 1",
                                      "u\t5 0 0 -1 1",
                                      "u\t5.5 0 0 1 1",
                                      "u\t5 0 0 1 1 0 0 1 1",
                                      "u\t5 0 0 1 1 6 0 1 1",
                                      "u\t99999999999 0 0 1 1",
                                      "u\t5 0 0 1 inf"};
  sn_lat_clock *c;
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    sn_err err = {0};
    assert_int_equal(sn_lat_clock_create(lines[i], 0.01, &c, &err), SN_OK);
    if (sn_lat_clock_set(c, "u", &err) != SN_EFORMAT)
      fail_msg("not refused: %s", lines[i]);
    assert_non_null(strstr(err.msg, "utterance 'u'"));
    sn_lat_clock_destroy(c);
  }
  assert_int_equal(sn_lat_clock_create("no tab\n", 0.01, &c, NULL), SN_EFORMAT);
  assert_null(c);
  assert_int_equal(sn_lat_clock_create("u\t1\nu\t1\n", 0.01, &c, NULL),
                   SN_EFORMAT);
}

static void test_allocation_failures_are_reported(void **state) {
  (void)state;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_lat_clock *c = NULL;
    sn_str labels = {0};
    sn_mem_fail_after(k);
    sn_status s = sn_lat_clock_create("u\t5 0 0 1 1 3 9 1 1\n", 0.01, &c, NULL);
    if (s == SN_OK) s = sn_lat_clock_set(c, "u", NULL);
    if (s == SN_OK) s = sn_lat_labels_add(&graph, &labels, NULL);
    sn_mem_fail_after(-1);
    sn_lat_clock_destroy(c);
    sn_str_clear(&labels);
    assert_int_equal(sn_mem_live(), live);
    if (s == SN_OK) {
      assert_true(k > 4);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_are_where_their_phones_are),
      cmocka_unit_test(test_frames_have_the_times_of_their_runs),
      cmocka_unit_test(test_other_texts_are_refused),
      cmocka_unit_test(test_allocation_failures_are_reported)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
