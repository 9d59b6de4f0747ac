/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and normalising texts: each format, each fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "score/transcript.h"

static sn_status read_text(const char *text, sn_trans_format format,
                           sn_score_words *w, sn_transcripts *t, sn_err *err) {
  return sn_transcripts_read_memory(text, strlen(text), "mem", format, w, t,
                                    err);
}

/* "id: word word\n" for each utterance. */
static void expect_text(const char *text, sn_trans_format format,
                        const char *want) {
  sn_score_words *w;
  sn_transcripts t;
  sn_err err = {0};
  assert_int_equal(SN_OK, sn_score_words_create(NULL, false, &w, &err));
  if (read_text(text, format, w, &t, &err) != SN_OK) fail_msg("%s", err.msg);
  sn_str s = {0};
  for (int32_t u = 0; (size_t)u < t.utts.n; u++) {
    size_t n;
    const int32_t *const ids = sn_transcripts_words(&t, u, &n);
    assert_int_equal(SN_OK,
                     sn_str_addf(&s, NULL, "%s:", sn_symtab_get(t.ids, u)));
    for (size_t i = 0; i < n; i++)
      assert_int_equal(SN_OK,
                       sn_str_addf(&s, NULL, " %s", sn_score_word(w, ids[i])));
    assert_int_equal(SN_OK, sn_str_adds(&s, "\n", NULL));
  }
  assert_string_equal(want, sn_str_get(&s));
  sn_str_clear(&s);
  sn_transcripts_clear(&t);
  sn_score_words_destroy(w);
}

/* Reading fails with `code`, and the message has each of the parts. */
static void expect_failure(const char *text, size_t n, sn_trans_format format,
                           sn_status code, const char *part1,
                           const char *part2) {
  sn_score_words *w;
  sn_transcripts t;
  sn_err err = {0};
  assert_int_equal(SN_OK, sn_score_words_create(NULL, false, &w, NULL));
  assert_int_equal(
      code, sn_transcripts_read_memory(text, n, "mem", format, w, &t, &err));
  assert_null(t.ids);
  if (strstr(err.msg, part1) == NULL || strstr(err.msg, part2) == NULL)
    fail_msg("'%s' lacks '%s' or '%s'", err.msg, part1, part2);
  sn_score_words_destroy(w);
}

static void test_kaldi_text(void **state) {
  (void)state;
  expect_text("u1 Hello WORLD\nu2\n\nu3  a\tb \r\n", SN_TRANS_AUTO,
              "u1: hello world\nu2:\nu3: a b\n");
}

static void test_trn_and_sphinx(void **state) {
  (void)state;
  expect_text(";; a comment\nHello world (spk-1)\n(spk-2)\n", SN_TRANS_AUTO,
              "spk-1: hello world\nspk-2:\n");
  expect_text("<s> ten of clubs  </s> (001)\n", SN_TRANS_AUTO,
              "001: ten of clubs\n");
  expect_text("one(2) two (u1 -12345)\nthree (u2 -1.5e3)\n", SN_TRANS_AUTO,
              "u1: one two\nu2: three\n");
}

static void test_ctm_words_come_in_order_of_time(void **state) {
  (void)state;
  expect_text("u1 1 0.50 0.20 world 0.9\nu1 1 0.10 0.20 hello\nu2 A 0 1 x\n",
              SN_TRANS_AUTO, "u1: hello world\nu2: x\n");
}

static void test_a_line_of_words_in_parentheses_is_no_trn(void **state) {
  (void)state;
  /* One in three: Kaldi text. */
  expect_text("u1 a b\nu2 c (laughs)\nu3 d\n", SN_TRANS_AUTO,
              "u1: a b\nu2: c (laughs)\nu3: d\n");
}

static void test_fillers_marks_and_variants_are_dropped_and_nothing_else(
    void **state) {
  (void)state;
  expect_text("u <s> a <sil> [NOISE] ++uh++ +SPN+ b(2) c(12) </s>\n",
              SN_TRANS_KALDI, "u: a b c\n");
  expect_text("u <unk> + ++ [] (2) d() e(x) f(2)g uh -- 'cause\n",
              SN_TRANS_KALDI,
              "u: <unk> + ++ [] (2) d() e(x) f(2)g uh -- 'cause\n");
}

static void test_no_utterance_is_an_error(void **state) {
  (void)state;
  expect_failure("", 0, SN_TRANS_AUTO, SN_EFORMAT, "mem", "no utterance");
  expect_failure("\n \n;; x\n", 8, SN_TRANS_AUTO, SN_EFORMAT, "mem",
                 "no utterance");
}

static void test_an_id_that_comes_twice_names_both_lines(void **state) {
  (void)state;
  const char text[] = "u1 a\nu2 b\n\nu1 c\n";
  expect_failure(text, strlen(text), SN_TRANS_AUTO, SN_EFORMAT,
                 "mem:4:", "line 1");
  const char trn[] = "a (x)\nb (x)\n";
  expect_failure(trn, strlen(trn), SN_TRANS_AUTO, SN_EFORMAT,
                 "mem:2:", "line 1");
}

static void test_bytes_that_are_no_text_are_named(void **state) {
  (void)state;
  expect_failure("u1 a\nu2 caf\xe9\n", 14, SN_TRANS_AUTO, SN_EFORMAT,
                 "mem:2:", "byte 7");
  expect_failure("u1 a\nu2 \0b\n", 11, SN_TRANS_AUTO, SN_EFORMAT,
                 "mem:2:", "NUL");
}

static void test_one_bad_line_among_good_ones_is_named(void **state) {
  (void)state;
  const char trn[] = "a (u1)\nb (u2)\nc u3\n";
  expect_failure(trn, strlen(trn), SN_TRANS_AUTO, SN_EFORMAT, "mem:3:", "c u3");
  const char ctm[] = "u1 1 0 1 a\nu1 1 x 1 b\nu1 1 2 1 c\n";
  expect_failure(ctm, strlen(ctm), SN_TRANS_AUTO, SN_EFORMAT,
                 "mem:2:", "duration");
  const char two[] = "u1 1 0 1 a\nu1 2 1 1 b\n";
  expect_failure(two, strlen(two), SN_TRANS_AUTO, SN_EFORMAT,
                 "mem:2:", "channel");
  const char nan[] = "u1 1 nan 1 a\n";
  expect_failure(nan, strlen(nan), SN_TRANS_CTM, SN_EFORMAT, "mem:1:", "");
}

static void test_sclite_notations_that_are_not_supported_are_refused(
    void **state) {
  (void)state;
  sn_score_words *w;
  sn_transcripts t;
  sn_err err = {0};
  assert_int_equal(SN_OK, sn_score_words_create(NULL, true, &w, NULL));
  assert_int_equal(SN_EFORMAT,
                   read_text("x { a / b } (u1)\n", SN_TRANS_AUTO, w, &t, &err));
  assert_non_null(strstr(err.msg, "mem:1:"));
  assert_non_null(strstr(err.msg, "alternatives"));
  assert_int_equal(SN_EFORMAT,
                   read_text("@ (u1)\n", SN_TRANS_AUTO, w, &t, NULL));
  sn_score_words_destroy(w);
}

/* ---- Maps and speakers ---- */

static const char *temporary(const char *text) {
  static char path[64];
  strcpy(path, "/tmp/senone-score-XXXXXX");
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal((ssize_t)strlen(text), write(fd, text, strlen(text)));
  assert_int_equal(0, close(fd));
  return path;
}

static void test_a_map_replaces_removes_and_expands(void **state) {
  (void)state;
  const char *const path = temporary("oh\to\nUH\t\nGONNA\tgoing to\n\n");
  sn_score_words *w;
  sn_err err = {0};
  if (sn_score_words_create(path, false, &w, &err) != SN_OK)
    fail_msg("%s", err.msg);
  unlink(path);
  sn_transcripts t;
  assert_int_equal(
      SN_OK, read_text("u OH uh gonna(2) o\n", SN_TRANS_AUTO, w, &t, NULL));
  size_t n;
  const int32_t *const ids = sn_transcripts_words(&t, 0, &n);
  assert_int_equal(4, n);
  assert_string_equal("o", sn_score_word(w, ids[0]));
  assert_string_equal("going", sn_score_word(w, ids[1]));
  assert_string_equal("to", sn_score_word(w, ids[2]));
  assert_int_equal(ids[0], ids[3]);
  sn_transcripts_clear(&t);
  sn_score_words_destroy(w);
}

static void expect_map_failure(const char *text, const char *part) {
  const char *const path = temporary(text);
  sn_score_words *w;
  sn_err err = {0};
  assert_int_equal(SN_EFORMAT, sn_score_words_create(path, false, &w, &err));
  unlink(path);
  assert_null(w);
  if (strstr(err.msg, part) == NULL) fail_msg("'%s' lacks '%s'", err.msg, part);
}

static void test_faults_of_a_map_are_named(void **state) {
  (void)state;
  expect_map_failure("oh o\n", ":1: no TAB");
  expect_map_failure("a\tb\na\tc\n", ":2: word 'a' is mapped already");
  expect_map_failure("two words\tb\n", ":1: expected one word");
  expect_map_failure("\tb\n", ":1: expected 'word TAB");
  expect_map_failure("a\t\xff\n", ":1: byte 3");
}

static void test_speakers_by_file_and_by_id(void **state) {
  (void)state;
  sn_score_words *w;
  sn_transcripts t;
  sn_symtab *speakers;
  sn_arr_i32 of;
  sn_err err = {0};
  assert_int_equal(SN_OK, sn_score_words_create(NULL, false, &w, NULL));
  assert_int_equal(SN_OK, read_text("ann-1 a\nbob_x b\nann-2 c\nsolo d\n",
                                    SN_TRANS_AUTO, w, &t, NULL));
  assert_int_equal(SN_OK, sn_speakers_of_ids(&t, &speakers, &of, NULL));
  assert_int_equal(3, sn_symtab_n(speakers));
  assert_string_equal("bob", sn_symtab_get(speakers, of.data[1]));
  assert_int_equal(of.data[0], of.data[2]);
  sn_symtab_destroy(speakers);
  SN_ARR_FREE(&of);

  const char *path = temporary("other z\nann-1 x\nann-2 y\nbob_x y\nsolo y\n");
  assert_int_equal(SN_OK, sn_speakers_read(path, &t, &speakers, &of, NULL));
  assert_int_equal(2, sn_symtab_n(speakers));
  assert_int_equal(of.data[1], of.data[2]);
  unlink(path);
  sn_symtab_destroy(speakers);
  SN_ARR_FREE(&of);

  path = temporary("ann-1 x\n");
  assert_int_equal(SN_EMISMATCH,
                   sn_speakers_read(path, &t, &speakers, &of, &err));
  assert_non_null(strstr(err.msg, "'bob_x'"));
  unlink(path);
  err = (sn_err){0};
  path = temporary("ann-1 x\nann-1 y\n");
  assert_int_equal(SN_EFORMAT,
                   sn_speakers_read(path, &t, &speakers, &of, &err));
  assert_non_null(strstr(err.msg, ":2:"));
  unlink(path);
  sn_transcripts_clear(&t);
  sn_score_words_destroy(w);
}

static void test_running_out_of_memory_leaves_nothing_behind(void **state) {
  (void)state;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_score_words *w = NULL;
    sn_transcripts t = {0};
    sn_mem_fail_after(k);
    sn_status s = sn_score_words_create(NULL, false, &w, NULL);
    if (s == SN_OK)
      s = read_text("u1 1 0 1 a\nu1 1 1 1 b\nu2 1 1 1 c\n", SN_TRANS_AUTO, w,
                    &t, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(fired ? SN_ENOMEM : SN_OK, s);
    sn_transcripts_clear(&t);
    sn_score_words_destroy(w);
    assert_int_equal(live, sn_mem_live());
    if (!fired) break;
  }
}

/* Cut at every byte, and every byte altered: read or refused, never worse. */
static void test_damaged_texts_are_read_or_refused(void **state) {
  (void)state;
  static const char text[] =
      "u1 1 0.5 0.2 w\xc3\xb6rd 0.9\nu2 1 0 1 x\n<s> a(2) (u3 -12)\n";
  const size_t n = strlen(text);
  for (int format = SN_TRANS_AUTO; format <= SN_TRANS_CTM; format++)
    for (size_t i = 0; i <= 2 * n; i++) {
      char copy[sizeof text];
      memcpy(copy, text, sizeof text);
      const size_t len = i <= n ? i : n;
      if (i > n) copy[i - n - 1] = (char)(copy[i - n - 1] ^ 0x95);
      sn_score_words *w;
      sn_transcripts t;
      assert_int_equal(SN_OK,
                       sn_score_words_create(NULL, i % 2 == 1, &w, NULL));
      const sn_status s = sn_transcripts_read_memory(
          copy, len, "mem", (sn_trans_format)format, w, &t, NULL);
      assert_true(s == SN_OK || s == SN_EFORMAT);
      sn_transcripts_clear(&t);
      sn_score_words_destroy(w);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kaldi_text),
      cmocka_unit_test(test_trn_and_sphinx),
      cmocka_unit_test(test_ctm_words_come_in_order_of_time),
      cmocka_unit_test(test_a_line_of_words_in_parentheses_is_no_trn),
      cmocka_unit_test(
          test_fillers_marks_and_variants_are_dropped_and_nothing_else),
      cmocka_unit_test(test_no_utterance_is_an_error),
      cmocka_unit_test(test_an_id_that_comes_twice_names_both_lines),
      cmocka_unit_test(test_bytes_that_are_no_text_are_named),
      cmocka_unit_test(test_one_bad_line_among_good_ones_is_named),
      cmocka_unit_test(
          test_sclite_notations_that_are_not_supported_are_refused),
      cmocka_unit_test(test_a_map_replaces_removes_and_expands),
      cmocka_unit_test(test_faults_of_a_map_are_named),
      cmocka_unit_test(test_speakers_by_file_and_by_id),
      cmocka_unit_test(test_running_out_of_memory_leaves_nothing_behind),
      cmocka_unit_test(test_damaged_texts_are_read_or_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
