/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "frontend/extractor_internal.h"
#include "frontend/feat_config_internal.h"
#include "frontend/sphinx_opts_internal.h"
#include "tests/frontend/feat_support.h"

static sn_feat_config *new_config(sn_feat_dialect dialect) {
  sn_feat_config *c;
  ASSERT_OK(sn_feat_config_create(dialect, &c, E));
  return c;
}

static sn_status read_text(sn_feat_config *c, const char *text, size_t n,
                           sn_err *err) {
  sn_reader *r;
  ASSERT_OK(sn_reader_memory(text, n, "test.params", &r, E));
  const sn_status s = sni_feat_config_read(c, r, err);
  sn_reader_destroy(r);
  return s;
}

static void expect_failure(sn_feat_dialect dialect, const char *text,
                           const char *in_message) {
  sn_feat_config *c = new_config(dialect);
  sn_err err = {0};
  assert_int_equal(read_text(c, text, strlen(text), &err), SN_EFORMAT);
  if (strstr(err.msg, in_message) == NULL)
    fail_msg("'%s' is not in '%s'", in_message, err.msg);
  sn_feat_config_destroy(c);
}

static void assert_value(const sn_feat_config *c, const char *name,
                         const char *value) {
  const char *is = sn_feat_config_get(c, name);
  assert_non_null(is);
  assert_string_equal(is, value);
}

static const char some_params[] =
    "# from a model\n"
    "-lowerf 130\n-upperf 6800  -nfilt 25\r\n"
    "-transform dct -lifter 22\n"
    "-svspec 0-12/13-25/26-38\n"
    "-cmn\n  current # the old name\n"
    "-model ptm\n-remove_noise no -cmninit \"41.00,-5.29\"\n";

static void test_params_are_read_as_they_are(void **state) {
  (void)state;
  sn_feat_config *c = new_config(SN_FEAT_SPHINX);
  ASSERT_OK(read_text(c, some_params, strlen(some_params), E));
  assert_value(c, "lowerf", "130");
  assert_value(c, "nfilt", "25");
  assert_value(c, "transform", "dct");
  assert_value(c, "cmn", "current");
  assert_value(c, "cmninit", "41.00,-5.29");
  assert_value(c, "model", "ptm");
  assert_value(c, "svspec", "0-12/13-25/26-38");
  assert_value(c, "remove_noise", "no");
  assert_value(c, "remove-noise", "no"); /* '_' and '-' are the same */
  assert_value(c, "remove_silence", "yes");
  assert_value(c, "vad_prespeech", "20"); /* the default */
  assert_null(sn_feat_config_get(c, "nonsense"));
  const sni_sphinx_opts *o = sni_feat_config_sphinx(c);
  assert_int_equal(o->nfilt, 25);
  assert_int_equal(o->transform, SNI_SPHINX_DCT);
  sn_feat_config_destroy(c);
}

static void test_what_differs_can_be_set_again(void **state) {
  (void)state;
  sn_feat_config *a = new_config(SN_FEAT_SPHINX), *copy;
  ASSERT_OK(read_text(a, some_params, strlen(some_params), E));
  ASSERT_OK(sn_feat_config_set(a, "alpha", "0.97", E)); /* the default */
  ASSERT_OK(sn_feat_config_set(a, "wlen", "0.0256789012", E));
  sn_feat_config *b = new_config(SN_FEAT_SPHINX);
  size_t n = 0;
  const char *name, *value, *other;
  for (; (name = sn_feat_config_at(a, n, &value)) != NULL; n++) {
    assert_string_not_equal(name, "alpha");
    ASSERT_OK(sn_feat_config_set(b, name, value, E));
  }
  assert_int_equal(n, 11);
  ASSERT_OK(sn_feat_config_copy(b, &copy, E));
  for (size_t i = 0; i < n; i++) {
    name = sn_feat_config_at(a, i, &value);
    assert_string_equal(sn_feat_config_at(copy, i, &other), name);
    assert_string_equal(value, other);
  }
  assert_true(sni_feat_config_sphinx(a)->wlen ==
              sni_feat_config_sphinx(copy)->wlen);
  sn_feat_config_destroy(a);
  sn_feat_config_destroy(b);
  sn_feat_config_destroy(copy);
}

static void test_strings_outlive_what_they_were_set_from(void **state) {
  (void)state;
  sn_feat_config *c = new_config(SN_FEAT_SPHINX);
  char text[] = "s2_4x";
  ASSERT_OK(sn_feat_config_set(c, "feat", text, E));
  memset(text, 'x', 5);
  assert_string_equal(sni_feat_config_sphinx(c)->feat, "s2_4x");
  sn_feat_config_destroy(c);
}

static void test_a_failed_set_changes_nothing(void **state) {
  (void)state;
  sn_feat_config *c = new_config(SN_FEAT_SPHINX);
  ASSERT_OK(sn_feat_config_set(c, "nfilt", "31", E));
  sn_err err = {0};
  assert_int_equal(sn_feat_config_set(c, "nfilt", "1000000", &err), SN_EARG);
  assert_int_equal(sn_feat_config_set(c, "nfilt", "x", NULL), SN_EARG);
  assert_int_equal(sn_feat_config_set(c, "nfilters", "30", NULL), SN_EARG);
  assert_value(c, "nfilt", "31");
  assert_int_equal(sni_feat_config_sphinx(c)->nfilt, 31);
  sn_feat_config_destroy(c);
}

static void test_unknown_names_get_a_suggestion(void **state) {
  (void)state;
  sn_feat_config *c = new_config(SN_FEAT_SPHINX);
  sn_err err = {0};
  assert_int_equal(sn_feat_config_set(c, "remove_noize", "no", &err), SN_EARG);
  assert_non_null(strstr(err.msg, "'remove_noise'"));
  sn_feat_config_destroy(c);
  c = new_config(SN_FEAT_KALDI);
  sn_err_clear(&err);
  assert_int_equal(sn_feat_config_set(c, "num-mel-bin", "40", &err), SN_EARG);
  assert_non_null(strstr(err.msg, "'num-mel-bins'"));
  sn_feat_config_destroy(c);
}

static void test_bad_files_are_refused_with_the_line(void **state) {
  (void)state;
  expect_failure(SN_FEAT_SPHINX, "-nfilt 25\n-nfilt many\n", "test.params:2");
  expect_failure(SN_FEAT_SPHINX, "-alpha 0.9\n-remove_noize no\n",
                 "test.params:2");
  expect_failure(SN_FEAT_SPHINX, "nfilt 25\n", "'-option value'");
  expect_failure(SN_FEAT_SPHINX, "-nfilt", "has no value");
  expect_failure(SN_FEAT_SPHINX, "-feat \"1s_c", "not closed");
  expect_failure(SN_FEAT_KALDI, "--num-mel-bins 40\n", "'--option=value'");
  expect_failure(SN_FEAT_KALDI, "--num-mel-bins=many\n", "test.params:1");
  sn_feat_config *c = new_config(SN_FEAT_SPHINX);
  assert_int_equal(read_text(c, "-feat\0x y", 9, NULL), SN_EFORMAT);
  sn_err err = {0};
  assert_int_equal(
      sn_feat_config_read_params(c, "/nonexistent/feat.params", &err), SN_EIO);
  assert_non_null(strstr(err.msg, "/nonexistent/feat.params"));
  sn_feat_config_destroy(c);
}

static void test_kaldi_files_are_option_lines(void **state) {
  (void)state;
  static const char text[] =
      "# conf/mfcc.conf\n--use-energy=false   # as wsj\n\n"
      "--sample-frequency=8000\n--delta-order=2\n";
  sn_feat_config *c = new_config(SN_FEAT_KALDI);
  ASSERT_OK(read_text(c, text, strlen(text), E));
  assert_value(c, "sample-frequency", "8000");
  assert_value(c, "delta-order", "2");
  assert_int_equal(sni_feat_config_post(c)->delta_order, 2);
  sn_feat_config_destroy(c);
}

static void test_the_sphinx_kinds_are_mfcc_and_fbank(void **state) {
  (void)state;
  sn_feat_config *c = new_config(SN_FEAT_SPHINX);
  ASSERT_OK(sn_feat_config_set(c, "kind", "fbank", E));
  assert_value(c, "logspec", "yes");
  ASSERT_OK(sn_feat_config_set(c, "kind", "mfcc", E));
  assert_value(c, "logspec", "no");
  sn_err err = {0};
  assert_int_equal(sn_feat_config_set(c, "kind", "plp", &err), SN_EARG);
  assert_non_null(strstr(err.msg, "plp"));
  sn_feat_config_destroy(c);
}

static void test_models_of_debian_can_be_read(void **state) {
  (void)state;
  static const char *const files[] = {EN_US_PARAMS,
                                      TESTDATA "/tidigits/hmm/feat.params",
                                      TESTDATA "/an4_ci_cont/feat.params"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (access(files[i], R_OK) != 0) {
      print_message("SKIPPED: no %s\n", files[i]);
      skip();
    }
    sn_feat_config *c = new_config(SN_FEAT_SPHINX);
    ASSERT_OK(sn_feat_config_read_params(c, files[i], E));
    sn_feat_config_destroy(c);
  }
}

/* Every option's default, range and text are consistent. */
static void test_defaults_can_be_set(void **state) {
  (void)state;
  for (int d = 0; d < 2; d++) {
    const sn_feat_dialect dialect = d == 0 ? SN_FEAT_SPHINX : SN_FEAT_KALDI;
    sn_feat_config *c = new_config(dialect);
    const sn_opt *const tables[] = {
        d == 0 ? sni_sphinx_opt_table : sni_post_opt_table, NULL};
    for (const sn_opt *o = tables[0]; o->name != NULL; o++)
      ASSERT_OK(
          sn_feat_config_set(c, o->name, sn_feat_config_get(c, o->name), E));
    const char *value;
    assert_null(sn_feat_config_at(c, 0, &value));
    sn_feat_config_destroy(c);
  }
}

static void test_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  const long before = sn_mem_live();
  bool fired = true;
  for (long k = 0; fired; k++) {
    sn_feat_config *c = NULL, *copy = NULL;
    sn_mem_fail_after(k);
    sn_status s = sn_feat_config_create(SN_FEAT_SPHINX, &c, NULL);
    if (s == SN_OK) {
      sn_reader *r = NULL;
      s = sn_reader_memory(some_params, strlen(some_params), "p", &r, NULL);
      if (s == SN_OK) s = sni_feat_config_read(c, r, NULL);
      sn_reader_destroy(r);
    }
    if (s == SN_OK) s = sn_feat_config_copy(c, &copy, NULL);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_feat_config_destroy(c);
    sn_feat_config_destroy(copy);
    assert_int_equal(sn_mem_live(), before);
  }
}

/* Truncations and changed bytes: an error or not, never a crash. */
static void test_altered_files_never_crash(void **state) {
  (void)state;
  char text[sizeof some_params];
  const size_t n = strlen(some_params);
  for (size_t i = 0; i < n; i++) {
    sn_feat_config *c = new_config(SN_FEAT_SPHINX);
    (void)!read_text(c, some_params, i, NULL);
    for (unsigned flip = 1; flip < 256; flip <<= 1) {
      memcpy(text, some_params, sizeof text);
      text[i] = (char)((unsigned char)text[i] ^ flip);
      (void)!read_text(c, text, n, NULL);
    }
    sn_feat_config_destroy(c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_params_are_read_as_they_are),
      cmocka_unit_test(test_what_differs_can_be_set_again),
      cmocka_unit_test(test_strings_outlive_what_they_were_set_from),
      cmocka_unit_test(test_a_failed_set_changes_nothing),
      cmocka_unit_test(test_unknown_names_get_a_suggestion),
      cmocka_unit_test(test_bad_files_are_refused_with_the_line),
      cmocka_unit_test(test_kaldi_files_are_option_lines),
      cmocka_unit_test(test_the_sphinx_kinds_are_mfcc_and_fbank),
      cmocka_unit_test(test_models_of_debian_can_be_read),
      cmocka_unit_test(test_defaults_can_be_set),
      cmocka_unit_test(test_out_of_memory_leaves_nothing),
      cmocka_unit_test(test_altered_files_never_crash)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
