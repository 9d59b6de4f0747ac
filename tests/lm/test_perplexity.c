/* SPDX-License-Identifier: Apache-2.0 */
/* Perplexity: sums by hand, OOVs apart, faulty text with its line. */
#include "lm/perplexity.h"

#include <math.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "lm_support.h"

#define LN10 2.302585092994045684

static const char model[] =
    "\\data\\\nngram 1=4\nngram 2=3\n\n"
    "\\1-grams:\n-99\t<s>\t-0.5\n-0.7\t</s>\n-0.4\ta\t-0.25\n-0.6\tb\t-0.125\n"
    "\n\\2-grams:\n-0.3\t<s> a\n-0.2\ta b\n-0.9\tb </s>\n\n\\end\\\n";

static sn_ppl *ppl_of(const sn_ngram *lm, const sn_ppl_opts *opts) {
  sn_ppl *p = NULL;
  sn_err err = {0};
  must(sn_ppl_create(lm, opts, &p, &err), &err);
  return p;
}

static sn_status add_text(sn_ppl *p, const char *text, size_t n, sn_err *err) {
  sn_reader *r = NULL;
  must(sn_reader_memory(text, n, "t.txt", &r, err), err);
  const sn_status s = sn_ppl_add_text(p, r, NULL, NULL, err);
  sn_reader_destroy(r);
  return s;
}

/* Six places: floats of at most 99. */
static void check_near(double got, double want) {
  if (fabs(got - want) > 1e-5 * (1.0 + fabs(want)))
    fail_msg("%.9g instead of %.9g", got, want);
}

static void test_sums_are_those_made_by_hand(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(model);
  sn_ppl *const p = ppl_of(lm, NULL);
  sn_err err = {0};
  static const char text[] = "a b\n\n<s> b a </s>\r\n";
  must(add_text(p, text, sizeof text - 1, &err), &err);
  const sn_ppl_sums *const s = sn_ppl_get_sums(p);
  assert_int_equal(s->n_sentences, 2);
  assert_int_equal(s->n_words, 4);
  assert_int_equal(s->n_oov, 0);
  /* a b: -0.3 -0.2, end -0.9. b a: (-0.5 -0.6) (-0.125 -0.4), end
   * (-0.25 -0.7). */
  check_near(s->words_logp / LN10, -0.5 - 1.1 - 0.525);
  check_near(s->ends_logp / LN10, -0.9 - 0.95);
  check_near(sn_ppl_compute(p, true, false), pow(10.0, (2.125 + 1.85) / 6));
  check_near(sn_ppl_compute(p, false, false), pow(10.0, 2.125 / 4));
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

typedef struct seen {
  int n;
  char words[256];
  int orders[16];
} seen;

static void see(void *user, const sn_ppl_word *w) {
  seen *const s = user;
  strcat(strcat(s->words, w->text), " ");
  s->orders[s->n++] = w->matched;
}

static void test_unknown_words_are_apart_and_named_with_counts(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(model);
  sn_ppl *const p = ppl_of(lm, NULL);
  sn_err err = {0};
  seen s = {0};
  must(sn_ppl_add(p, "a x b y y", 9, see, &s, &err), &err);
  assert_string_equal(s.words, "a x b y y </s> ");
  static const int orders[] = {2, 0, 1, 0, 0, 1};
  assert_memory_equal(s.orders, orders, sizeof orders);
  must(sn_ppl_add(p, "z", 1, NULL, NULL, &err), &err);
  assert_int_equal(sn_ppl_get_sums(p)->n_oov, 4);
  assert_int_equal(sn_ppl_get_sums(p)->n_words, 2);
  /* After an unknown word the history is empty: b is -0.6, </s> -0.7. */
  check_near(sn_ppl_get_sums(p)->words_logp / LN10, -0.3 - 0.6);
  check_near(sn_ppl_get_sums(p)->ends_logp / LN10, -0.7 - 0.7);
  sn_ppl_sort_oov(p);
  assert_int_equal(sn_ppl_n_oov_types(p), 3);
  int64_t n;
  assert_string_equal(sn_ppl_oov(p, 0, &n), "y");
  assert_int_equal(n, 2);
  assert_string_equal(sn_ppl_oov(p, 1, &n), "x");
  assert_string_equal(sn_ppl_oov(p, 2, &n), "z");
  /* More may come afterwards. */
  must(sn_ppl_add(p, "z z", 3, NULL, NULL, &err), &err);
  sn_ppl_sort_oov(p);
  assert_string_equal(sn_ppl_oov(p, 0, &n), "z");
  assert_int_equal(n, 3);
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

static void test_unk_gives_unknown_words_a_probability(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(
      "\\data\\\nngram 1=4\n\n\\1-grams:\n-2 <unk>\n-99 <s>\n-0.5 </s>\n"
      "-0.25 a\n\n\\end\\\n");
  sn_ppl *const p = ppl_of(lm, NULL);
  sn_err err = {0};
  must(sn_ppl_add(p, "a q", 3, NULL, NULL, &err), &err);
  assert_int_equal(sn_ppl_get_sums(p)->n_oov, 1);
  check_near(sn_ppl_compute(p, true, false), pow(10.0, 0.75 / 2));
  check_near(sn_ppl_compute(p, true, true), pow(10.0, 2.75 / 3));
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

static void test_ids_and_case_are_handled_when_asked(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(model);
  const sn_ppl_opts opts = {.ids = true, .fold = SN_PPL_FOLD_LOWER};
  sn_ppl *const p = ppl_of(lm, &opts);
  sn_err err = {0};
  must(sn_ppl_add(p, "utt-1 A B", 9, NULL, NULL, &err), &err);
  assert_int_equal(sn_ppl_get_sums(p)->n_words, 2);
  must(sn_ppl_add(p, "utt-2", 5, NULL, NULL, &err), &err);
  assert_int_equal(sn_ppl_get_sums(p)->n_sentences, 1);
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

static void test_faulty_lines_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } faults[] = {{"a\na \xff b\n", "t.txt:2: byte 2 of the line is not UTF-8"},
                {"a\nb\na \x07 b\n", "t.txt:3: a control character (0x07)"},
                {"a <s> b\n", "t.txt:1: <s> within a sentence"},
                {"a </s> b\n", "t.txt:1: </s> within a sentence"},
                {"</s> <s> b\n", "t.txt:1: </s> within a sentence"}};
  sn_ngram *const lm = load_text(model);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    sn_ppl *const p = ppl_of(lm, NULL);
    sn_err err = {0};
    assert_int_equal(add_text(p, faults[i].text, strlen(faults[i].text), &err),
                     SN_EFORMAT);
    if (strstr(err.msg, faults[i].message) == NULL)
      fail_msg("'%s' not in '%s'", faults[i].message, err.msg);
    sn_ppl_destroy(p);
  }
  sn_ppl *const p = ppl_of(lm, NULL);
  sn_err err = {0};
  assert_int_equal(add_text(p, "a \0 b\n", 6, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "t.txt:1: a control character (0x00)"));
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

/* Whatever else is on the line: lines are looked at eight bytes at a time. */
static void test_each_byte_of_a_line_is_checked(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(model);
  sn_ppl *const p = ppl_of(lm, NULL);
  char line[21];
  for (size_t at = 1; at < sizeof line; at++)
    for (int c = 0; c < 256; c++) {
      sn_err err = {0};
      memset(line, 'a', sizeof line);
      line[at] = (char)c;
      const sn_status s = sn_ppl_add(p, line, sizeof line, NULL, NULL, &err);
      const bool is_good =
          c == '\t' || c == '\r' || c == '\n' || (c >= 32 && c < 127);
      if (s != (is_good ? SN_OK : SN_EFORMAT))
        fail_msg("byte 0x%02x at %zu: %d", (unsigned)c, at, (int)s);
      sn_err_clear(&err);
    }
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

static void test_nothing_to_average_is_not_a_number(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(model);
  sn_ppl *const p = ppl_of(lm, NULL);
  assert_true(isnan(sn_ppl_compute(p, true, false)));
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(model);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_ppl *p = NULL;
    sn_err err = {0};
    sn_mem_fail_after(k);
    sn_status s = sn_ppl_create(lm, NULL, &p, &err);
    if (s == SN_OK) s = sn_ppl_add(p, "a x y b", 7, NULL, NULL, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (fired) assert_int_equal(s, SN_ENOMEM);
    /* It can go on. */
    sn_err_clear(&err);
    if (p != NULL) must(sn_ppl_add(p, "z x", 3, NULL, NULL, &err), &err);
    sn_ppl_destroy(p);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
  }
  sn_ngram_destroy(lm);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sums_are_those_made_by_hand),
      cmocka_unit_test(test_unknown_words_are_apart_and_named_with_counts),
      cmocka_unit_test(test_unk_gives_unknown_words_a_probability),
      cmocka_unit_test(test_ids_and_case_are_handled_when_asked),
      cmocka_unit_test(test_faulty_lines_are_named),
      cmocka_unit_test(test_each_byte_of_a_line_is_checked),
      cmocka_unit_test(test_nothing_to_average_is_not_a_number),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
