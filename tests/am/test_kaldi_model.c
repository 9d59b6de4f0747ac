/* SPDX-License-Identifier: Apache-2.0 */
/* The transition model of a real Kaldi model, against what Kaldi prints of it;
 * damage is refused. Wants $SENONE_SHARED/reference/an4-kaldi; skips without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "am/kaldi_model.h"
#include "base/mem.h"
#include "base/str.h"

static char root[512];

static void test_transition_ids_are_those_that_kaldi_shows(void **state) {
  (void)state;
  char path[600];
  sn_err err = {0};
  sn_kaldi_trans t;
  (void)snprintf(path, sizeof path, "%s/final.mdl", root);
  if (sn_kaldi_trans_load(path, &t, &err) != SN_OK) fail_msg("%s", err.msg);
  assert_int_equal(t.n_pdfs, 184);
  assert_int_equal(t.n_states, 853);
  assert_int_equal(t.tids.n, 1786 + 1);
  sn_reader *r = NULL;
  sn_span line, f;
  bool more = true;
  size_t n = 0;
  (void)snprintf(path, sizeof path, "%s/tid2pdf.txt", root);
  assert_int_equal(sn_reader_open(path, &r, &err), SN_OK);
  while (sn_read_line(r, &line, &more, &err) == SN_OK && more) {
    int32_t tid = 0, pdf = 0, hmm_state = 0, loop = 0;
    double p = 0.0;
    assert_true(sn_next_field(&line, &f) && sn_parse_int32(f, &tid));
    assert_true(sn_next_field(&line, &f) && sn_parse_int32(f, &pdf));
    assert_true(sn_next_field(&line, &f)); /* the phone's name */
    assert_true(sn_next_field(&line, &f) && sn_parse_int32(f, &hmm_state));
    assert_true(sn_next_field(&line, &f) && sn_parse_double(f, &p));
    assert_true(sn_next_field(&line, &f) && sn_parse_int32(f, &loop));
    const sn_kaldi_tid *const x = &t.tids.data[tid];
    assert_int_equal(x->pdf, pdf);
    assert_int_equal(x->hmm_state, hmm_state);
    assert_int_equal(x->is_loop, loop);
    /* 6 digits are printed */
    assert_true(fabs(exp((double)x->logp) - p) < 1e-6);
    n++;
  }
  assert_int_equal(n, 1786);
  sn_reader_destroy(r);
  sn_kaldi_trans_clear(&t);
}

static void test_damaged_models_are_refused_not_misread(void **state) {
  (void)state;
  char path[600];
  sn_err err = {0};
  char *data = NULL;
  size_t n = 0;
  sn_kaldi_trans t;
  (void)snprintf(path, sizeof path, "%s/final.mdl", root);
  assert_int_equal(sn_file_read(path, &data, &n, &err), SN_OK);
  const size_t head = n < 20000 ? n : 20000;
  for (size_t cut = 0; cut < head; cut += 97) {
    sn_reader *r = NULL;
    err = (sn_err){0};
    assert_int_equal(sn_reader_memory(data, cut, "cut", &r, &err), SN_OK);
    assert_int_not_equal(sn_kaldi_trans_read(r, &t, &err), SN_OK);
    sn_reader_destroy(r);
  }
  for (size_t at = 0; at < head; at += 31) {
    sn_reader *r = NULL;
    err = (sn_err){0};
    data[at] = (char)(data[at] ^ 0x41);
    assert_int_equal(sn_reader_memory(data, n, "flip", &r, &err), SN_OK);
    if (sn_kaldi_trans_read(r, &t, &err) == SN_OK) sn_kaldi_trans_clear(&t);
    sn_reader_destroy(r);
    data[at] = (char)(data[at] ^ 0x41);
  }
  sn_free(data);
}

int main(void) {
  const char *const shared = getenv("SENONE_SHARED");
  (void)snprintf(root, sizeof root, "%s/reference/an4-kaldi",
                 shared != NULL ? shared : "../shared");
  if (!sn_dir_exists(root)) {
    printf("skipped: no %s\n", root);
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_transition_ids_are_those_that_kaldi_shows),
      cmocka_unit_test(test_damaged_models_are_refused_not_misread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
