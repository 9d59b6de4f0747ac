/* SPDX-License-Identifier: Apache-2.0 */
/* Text in: every byte of every line is a word's, white space, an error with
 * its line, or a repair that is counted. */
#include "lm_support.h"

#include "base/io.h"
#include "base/mem.h"
#include "lm/text_source.h"

typedef struct result {
  sn_status status;
  sn_err err;
  sn_text_counts counts;
  char words[512]; /* "a b|c d|": a sentence before each | */
} result;

static result read_all(const char *text, size_t n_text, bool repair) {
  result out;
  memset(&out, 0, sizeof out);
  const sn_text_opts opts = {.repair = repair};
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  must(sn_reader_memory(text, n_text, "text", &r, NULL), NULL);
  must(sn_text_source_create(&opts, &t, NULL), NULL);
  for (;;) {
    const sn_span *words;
    size_t n;
    out.status = sn_text_next(t, r, &words, &n, &out.err);
    if (out.status != SN_OK || n == 0) break;
    for (size_t i = 0; i < n; i++) {
      strncat(out.words, words[i].p, words[i].n);
      strcat(out.words, i + 1 < n ? " " : "|");
    }
  }
  out.counts = *sn_text_get_counts(t);
  sn_text_source_destroy(t);
  sn_reader_destroy(r);
  return out;
}

static void expect_words(const char *text, bool repair, const char *want) {
  const result r = read_all(text, strlen(text), repair);
  must(r.status, &r.err);
  assert_string_equal(r.words, want);
}

static void test_words_lie_between_white_space(void **state) {
  (void)state;
  expect_words("a  b\tc\r\n\n \t\n\v d\fe \n\xC3\xA9t\xC3\xA9", false,
               "a b c|d e|\xC3\xA9t\xC3\xA9|");
  const result r = read_all("a\n\n \nb c", 8, false);
  assert_int_equal(r.counts.n_lines, 4);
  assert_int_equal(r.counts.n_empty, 2);
  assert_int_equal(r.counts.n_sentences, 2);
  assert_int_equal(r.counts.n_words, 3);
}

static void test_sentence_marks_around_are_left_out(void **state) {
  (void)state;
  expect_words("<s> a b </s>\n<s> </s>\nc </s>\n", false, "a b|c|");
  const result r = read_all("<s> a </s>\n", 11, false);
  assert_int_equal(r.counts.n_outer, 2);
}

static void expect_refused(const char *text, size_t n, const char *what) {
  const result r = read_all(text, n, false);
  assert_int_equal(r.status, SN_EFORMAT);
  if (strstr(r.err.msg, what) == NULL || strstr(r.err.msg, "text:2:") == NULL)
    fail_msg("'%s' lacks '%s' or the line", r.err.msg, what);
}

static void test_bad_lines_are_named(void **state) {
  (void)state;
  expect_refused("ok\na <s> b\n", 11, "<s> within");
  expect_refused("ok\na </s> b\n", 12, "</s> within");
  expect_refused("ok\na \x01 b\n", 9, "0x01");
  expect_refused("ok\na \0 b\n", 9, "0x00");
  expect_refused("ok\na \x7F b\n", 9, "0x7f");
  expect_refused("ok\na \xFF b\n", 9, "not UTF-8");
  expect_refused("ok\na \xC3 b\n", 9, "not UTF-8");
}

/* A model among the texts is a slip that no repair should hide. */
static void test_models_are_no_texts(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t n;
    const char *what;
  } rows[] = {
      {"\\data\\\nngram 1=1\n", 18, "text:1: '\\data\\': the file is an ARPA"},
      {"made by hand\r\n\r\n\\data\\\r\n", 24, "text:3: '\\data\\'"},
      {"SNNGRAM\0\1\0\0\0", 12, "text:1: the file is a language model"},
      {"SNNGSML\0\1\0\0\0", 12, "text:1: the file is a language model"},
      {"SNCOUNT\0\1\0\0\0", 12, "text:1: the file is a count file"},
      {"Trie Language Model\3", 20, "text:1: the file is a language model"},
      {"\x11\0\0\0Darpa Trigram LM\0", 21, "text:1: the file is a language"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int repair = 0; repair < 2; repair++) {
      const result r = read_all(rows[i].text, rows[i].n, repair == 1);
      assert_int_equal(r.status, SN_EFORMAT);
      if (strstr(r.err.msg, rows[i].what) == NULL)
        fail_msg("'%s' lacks '%s'", r.err.msg, rows[i].what);
    }
  expect_words("a\nSNNGRAM x\n\\data\\ is a word\n", false,
               "a|SNNGRAM x|\\data\\ is a word|");
}

static void test_repairs_are_counted(void **state) {
  (void)state;
  static const char text[] =
      "a\x01"
      "b <s> c\xFF"
      "d </s> e\n\xC3\n\x02\n";
  const result r = read_all(text, sizeof text - 1, true);
  must(r.status, &r.err);
  assert_string_equal(r.words,
                      "a b c\xEF\xBF\xBD"
                      "d e|\xEF\xBF\xBD|");
  assert_int_equal(r.counts.n_controls, 2);
  assert_int_equal(r.counts.n_invalid, 2);
  assert_int_equal(r.counts.n_inner, 2);
  assert_int_equal(r.counts.n_empty, 1);
}

/* 10 MB in one line is a long sentence. */
static void test_a_line_may_be_long(void **state) {
  (void)state;
  const size_t n = 10u << 20;
  char *const text = calloc(n + 1, 1);
  memset(text, 'a', n);
  for (size_t i = 9; i < n; i += 10) text[i] = ' ';
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  const sn_span *words;
  size_t n_words;
  must(sn_reader_memory(text, n, "text", &r, NULL), NULL);
  must(sn_text_source_create(NULL, &t, NULL), NULL);
  must(sn_text_next(t, r, &words, &n_words, NULL), NULL);
  assert_int_equal(n_words, n / 10);
  sn_text_source_destroy(t);
  sn_reader_destroy(r);
  free(text);
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  static const char text[] = "a b c d e f g h i\xFF j\n";
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_reader *r = NULL;
    sn_text_source *t = NULL;
    const sn_text_opts opts = {.repair = true};
    const sn_span *words;
    size_t n;
    must(sn_reader_memory(text, sizeof text - 1, "text", &r, NULL), NULL);
    sn_mem_fail_after(k);
    sn_status s = sn_text_source_create(&opts, &t, NULL);
    if (s == SN_OK) s = sn_text_next(t, r, &words, &n, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_text_source_destroy(t);
    sn_reader_destroy(r);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_lie_between_white_space),
      cmocka_unit_test(test_sentence_marks_around_are_left_out),
      cmocka_unit_test(test_bad_lines_are_named),
      cmocka_unit_test(test_models_are_no_texts),
      cmocka_unit_test(test_repairs_are_counted),
      cmocka_unit_test(test_a_line_may_be_long),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
