/* SPDX-License-Identifier: Apache-2.0 */
/* Probabilities of pronunciations and silence are smoothed counts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "train/train_internal.h"

/* "x": three pronunciations, two of them said (3 times, once); "y": never
 * said; "z": its own probabilities, said. */
static void make(sni_corpus *c, sni_utt *utts) {
  static const char *const a[] = {"A"}, *const b[] = {"B"},
                           *const ab[] = {"A", "B"};
  sn_lexicon *const lex = &c->lex;
  assert_int_equal(sn_lexicon_init(lex, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "x", 0, a, 1, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "x", 0, b, 1, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "x", 0, ab, 2, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "y", logf(0.25f), b, 1, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "y", logf(0.5f), a, 1, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "z", logf(0.75f), ab, 2, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "z", logf(0.25f), a, 1, NULL), SN_OK);
  assert_int_equal(sn_lexicon_group(lex, NULL), SN_OK);
  /* word and pronunciation of each phone; -1: silence */
  static const int32_t said[3][10][2] = {
      {{-1, -1}, {0, 0}, {-1, -1}, {1, 2}, {1, 2}, {2, 0}, {-1, -1}, {9, 9}},
      {{0, 0}, {1, 6}, {-1, -1}, {2, 6}, {9, 9}},
      {{0, 1}, {-1, -1}, {1, 1}, {9, 9}}};
  memset(utts, 0, 3 * sizeof *utts);
  c->utts = utts;
  c->n = 3;
  for (int i = 0; i < 3; i++)
    for (int k = 0; said[i][k][0] != 9; k++) {
      const sni_seg g = {.phone = said[i][k][0] < 0 ? 0 : 1,
                         .word = said[i][k][0],
                         .pron = said[i][k][1]};
      assert_int_equal(SN_ARR_PUSH(&utts[i].segs, g, NULL), SN_OK);
    }
  utts[2].failed = true; /* counts for nothing */
}

static void clear(sni_corpus *c) {
  for (int i = 0; i < 3; i++) SN_ARR_FREE(&c->utts[i].segs);
  sn_lexicon_clear(&c->lex);
}

static void test_they_are_the_formula(void **state) {
  (void)state;
  /* x: 3 + 1, 0 + 1, 1 + 1 over 4; y as it was, its largest 1; z: 0.75 and
   * 2 + 0.25 over 2.25 */
  static const double want[] = {1, 0.25, 0.5, 0.5, 1, 0.75 / 2.25, 1};
  sni_corpus c = {0};
  sni_utt utts[3];
  sn_lexicon out;
  make(&c, utts);
  assert_int_equal(sni_pron_probs(&c, &out, NULL), SN_OK);
  assert_int_equal(out.prons.n, 7);
  for (size_t i = 0; i < 7; i++) /* floats, of logs: 1e-7 */
    assert_true(fabs(exp((double)out.prons.data[i].logp) - want[i]) < 1e-6);
  sn_lexicon_clear(&out);
  clear(&c);
}

static void test_silence_is_counted_between_words(void **state) {
  (void)state;
  sni_corpus c = {0};
  sni_utt utts[3];
  make(&c, utts);
  const sni_silence s = sni_count_silence(&c);
  assert_int_equal(s.n_places, 4);
  assert_int_equal(s.n_silent, 2);
  assert_true(s.probability == 3.0 / 6.0);
  clear(&c);
}

static void test_each_failing_allocation_is_a_status(void **state) {
  (void)state;
  sni_corpus c = {0};
  sni_utt utts[3];
  sn_status s = SN_ENOMEM;
  make(&c, utts);
  for (long k = 0; s != SN_OK; k++) {
    sn_lexicon out = {0};
    sn_mem_fail_after(k);
    s = sni_pron_probs(&c, &out, NULL);
    sn_mem_fail_after(-1);
    assert_true(s == SN_OK || s == SN_ENOMEM);
    assert_true(k < 1000);
    sn_lexicon_clear(&out);
  }
  clear(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_they_are_the_formula),
      cmocka_unit_test(test_silence_is_counted_between_words),
      cmocka_unit_test(test_each_failing_allocation_is_a_status)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
