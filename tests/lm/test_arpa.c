/* SPDX-License-Identifier: Apache-2.0 */
/* ARPA files that are not as they should be: each check has its message with
 * the line, each repair its count in the log. */
#include <math.h>

#include "base/log.h"
#include "lm_support.h"

#define LN10 2.302585092994045684

static const char good[] =
    "\\data\\\n"
    "ngram 1=4\n"
    "ngram 2=3\n"
    "ngram 3=2\n"
    "\n"
    "\\1-grams:\n"
    "-99\t<s>\t-0.5\n"
    "-0.7\t</s>\n"
    "-0.4\ta\t-0.25\n"
    "-0.6\tb\t-0.125\n"
    "\n"
    "\\2-grams:\n"
    "-0.3\t<s> a\t-0.1\n"
    "-0.2\ta b\n"
    "-0.9\tb </s>\n"
    "\n"
    "\\3-grams:\n"
    "-0.15\t<s> a b\n"
    "-0.05\ta b </s>\n"
    "\n"
    "\\end\\\n";

/* `good` with the first `from` replaced by `to`; free by the caller. */
static char *with(const char *from, const char *to) {
  const char *const at = strstr(good, from);
  assert_non_null(at);
  char *const out = malloc(sizeof good + strlen(to) + 1);
  const size_t n = (size_t)(at - good);
  memcpy(out, good, n);
  strcpy(out + n, to);
  strcat(out, at + strlen(from));
  return out;
}

static void check_refused(const char *from, const char *to,
                          const char *message) {
  char *const text = with(from, to);
  sn_ngram *lm = NULL;
  sn_err err = {0};
  const sn_status s =
      sn_ngram_load_memory(text, strlen(text), "m.arpa", &lm, &err);
  if (s == SN_OK) fail_msg("'%s' for '%s' was accepted", to, from);
  assert_null(lm);
  if (strstr(err.msg, message) == NULL)
    fail_msg("'%s' for '%s': expected '%s' in '%s'", to, from, message,
             err.msg);
  free(text);
}

static void test_each_fault_is_refused_with_its_line(void **state) {
  (void)state;
  static const struct {
    const char *from, *to, *message;
  } faults[] = {
      {"\\data\\", "data", "no line '\\data\\'"},
      {"ngram 1=4\n", "ngram 2=4\n", "m.arpa:2: expected the count of order 1"},
      {"ngram 1=4\n", "ngram 1=4x\n", "m.arpa:2: expected 'ngram ORDER=COUNT'"},
      {"ngram 1=4\n", "ngram 1 4\n", "m.arpa:2: expected 'ngram ORDER=COUNT'"},
      {"ngram 1=4\n", "ngram 1=-4\n", "m.arpa:2: expected 'ngram ORDER=COUNT'"},
      {"ngram 1=4\n", "ngram 1=0\n", "m.arpa:2: the model has no words"},
      {"ngram 1=4\nngram 2=3\nngram 3=2\n", "",
       "m.arpa:3: expected 'ngram 1=COUNT'"},
      {"ngram 1=4\n", "ngram 1=5\n",
       "m.arpa:12: section \\1-grams: ends after 4 n-grams, but line 2 says 5"},
      {"ngram 2=3\n", "ngram 2=2\n",
       "m.arpa:17: section \\2-grams: ends after 3 n-grams, but line 3 says 2"},
      {"ngram 3=2\n", "ngram 3=900000000000\n",
       "m.arpa:21: section \\3-grams: ends after 2 n-grams, but line 4 says "
       "900000000000"},
      {"\\2-grams:", "\\3-grams:",
       "m.arpa:12: expected '\\2-grams:', found '\\3-grams:'"},
      {"-0.7\t", "NaN\t", "m.arpa:8: 'NaN' is not a probability"},
      {"-0.7\t", "inf\t", "m.arpa:8: 'inf' is not a probability"},
      {"-0.7\t", "x\t", "m.arpa:8: 'x' is not a probability"},
      {"-0.7\t", "-0.7.1\t", "m.arpa:8: '-0.7.1' is not a probability"},
      {"\t-0.25\n", "\tnan\n", "m.arpa:9: 'nan' is not a back-off weight"},
      {"\t-0.25\n", "\t-\n", "m.arpa:9: '-' is not a back-off weight"},
      {"-0.7\t</s>\n", "-0.7\n", "m.arpa:8: a 1-gram needs"},
      {"-0.7\t</s>\n", "-0.7 </s> -1 -1\n",
       "m.arpa:8: a 1-gram needs a probability, 1 word and perhaps a back-off, "
       "this line has more than 3 fields"},
      {"\ta b\n", "\ta\n", "m.arpa:14: a 2-gram needs"},
      {"\ta b\n", "\ta c\n",
       "m.arpa:14: the word 'c' is not among the 1-grams"},
      {"\ta\t-0.25", "\tb\t-0.25", "m.arpa:10: the word 'b' occurs twice"},
      {"\tb </s>\n", "\ta b\n",
       "m.arpa:15: this 2-gram occurs for the second time"},
      {"\tb </s>\n", "\ta b\n\n",
       "m.arpa:15: this 2-gram occurs for the second time"},
      {"-0.3\t<s> a\t-0.1\n", "\n-0.9\tb </s>\n",
       "m.arpa:16: this 2-gram occurs for the second time"},
      {"\n\\end\\\n", "",
       "m.arpa:19: the file ends in section \\3-grams: after "
       "2 of 2 n-grams, without \\end\\"},
      {"\\end\\", "\\4-grams:", "m.arpa:21: expected '\\end\\', found"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    check_refused(faults[i].from, faults[i].to, faults[i].message);
}

static void test_a_nul_byte_within_a_line_is_refused(void **state) {
  (void)state;
  char text[sizeof good];
  memcpy(text, good, sizeof good);
  *strstr(text, "a b\n") = '\0';
  sn_ngram *lm = NULL;
  sn_err err = {0};
  assert_int_equal(
      sn_ngram_load_memory(text, sizeof good - 1, "m.arpa", &lm, &err),
      SN_EFORMAT);
  assert_non_null(strstr(err.msg, "NUL"));
}

static void test_more_orders_than_supported_are_a_limit(void **state) {
  (void)state;
  char text[1024] = "\\data\\\n";
  for (int k = 1; k <= SN_NGRAM_MAX_ORDER + 1; k++)
    snprintf(text + strlen(text), 64, "ngram %d=1\n", k);
  sn_ngram *lm = NULL;
  sn_err err = {0};
  assert_int_equal(
      sn_ngram_load_memory(text, strlen(text), "m.arpa", &lm, &err), SN_ELIMIT);
  assert_non_null(strstr(err.msg, "m.arpa:18"));
}

/* ---- What is accepted ---- */

static double score(const sn_ngram *lm, const char *a, const char *b) {
  const sn_ngram_state h = {1, sn_ngram_find(lm, a)};
  return sn_ngram_score(lm, h, sn_ngram_find(lm, b), NULL, NULL) / LN10;
}

static void check_good_numbers(const sn_ngram *lm) {
  assert_int_equal(sn_ngram_order(lm), 3);
  assert_int_equal(sn_ngram_n_words(lm), 4);
  assert_true(fabs(score(lm, "a", "b") + 0.2) < 1e-6);
  assert_true(fabs(score(lm, "a", "a") + 0.25 + 0.4) < 1e-6);
  assert_true(fabs(score(lm, "</s>", "a") + 0.4) < 1e-6); /* no back-off: 0 */
  assert_true(fabs(score(lm, "a", "<s>") + 99.25) < 1e-4);
}

static void test_blanks_carriage_returns_and_comments_do_not_matter(
    void **state) {
  (void)state;
  sn_ngram *lm = load_text(good);
  check_good_numbers(lm);
  sn_ngram_destroy(lm);
  /* CRLF everywhere, spaces for tabs, text before \data\. */
  char text[2 * sizeof good + 100] = "made by hand\r\n\r\n";
  size_t n = strlen(text);
  for (const char *p = good; *p != '\0'; p++) {
    if (*p == '\n') text[n++] = '\r';
    text[n++] = *p;
    if (*p == '\t') memcpy(text + n - 1, "  ", 2), n++;
  }
  text[n] = '\0';
  lm = load_text(text);
  check_good_numbers(lm);
  sn_ngram_destroy(lm);
  char *const blank = with("-0.2\ta b\n", "\n-0.2\ta b\n \t\n");
  lm = load_text(blank);
  check_good_numbers(lm);
  sn_ngram_destroy(lm);
  free(blank);
}

static void test_numbers_are_read_like_strtod(void **state) {
  (void)state;
  static const char *const numbers[] = {
      "-1",      "-0",      "-.5",       "-5.",
      "-1e-3",   "-1.5E+1", "-0.000001", "-12.345678901234567890",
      "-98.999", "-1e-300", "0",         "-3.1415926535897932384626433832795"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char *const text = with("-0.6\tb", numbers[i]);
    char *const fixed = malloc(strlen(text) + 8);
    const size_t n = (size_t)(strstr(text, "\t-0.125") - text);
    memcpy(fixed, text, n);
    strcpy(fixed + n, "\tb");
    strcat(fixed, text + n);
    sn_ngram *const lm = load_text(fixed);
    const double want = strtod(numbers[i], NULL);
    const double got = sn_ngram_node_logp(lm, 1, sn_ngram_find(lm, "b")) / LN10;
    /* A float's rounding, 2^-24, or its underflow. */
    assert_true(fabs(got - want) <= 1e-7 * fabs(want) + 1e-38);
    sn_ngram_destroy(lm);
    free(fixed);
    free(text);
  }
}

/* ---- Repairs ---- */

typedef struct capture {
  char text[2048];
} capture;

static void keep_warning(void *user, sn_log_level level, const char *text) {
  capture *const c = user;
  if (level <= SN_LOG_WARN)
    snprintf(c->text + strlen(c->text), sizeof c->text - strlen(c->text),
             "%s\n", text);
}

static sn_ngram *load_with_log(const char *text, capture *c) {
  const char *const path = temp_path("repair.arpa");
  FILE *const f = fopen(path, "w");
  fputs(text, f);
  fclose(f);
  sn_log *log = NULL;
  sn_err err = {0};
  memset(c, 0, sizeof *c);
  must(sn_log_create(keep_warning, NULL, c, SN_LOG_WARN, &log, &err), &err);
  sn_ngram *lm = NULL;
  must(sn_ngram_load(path, log, &lm, &err), &err);
  sn_log_destroy(log);
  unlink(path);
  return lm;
}

static void test_probabilities_above_one_are_set_to_one_and_counted(
    void **state) {
  (void)state;
  capture c;
  char *const text = with("-0.4\ta", "0.4\ta");
  sn_ngram *const lm = load_with_log(text, &c);
  assert_non_null(strstr(c.text, "1 probabilities above 1 were set to 1"));
  assert_true(sn_ngram_node_logp(lm, 1, sn_ngram_find(lm, "a")) == 0.0);
  sn_ngram_destroy(lm);
  free(text);
}

static void test_a_correct_file_gives_no_warning(void **state) {
  (void)state;
  capture c;
  sn_ngram *const lm = load_with_log(good, &c);
  assert_string_equal(c.text, "");
  sn_ngram_destroy(lm);
}

static void test_back_offs_of_the_highest_order_are_dropped(void **state) {
  (void)state;
  capture c;
  char *const text = with("<s> a b\n", "<s> a b\t-0.3\n");
  sn_ngram *const lm = load_with_log(text, &c);
  assert_non_null(strstr(c.text, "1 back-off weights of the highest order"));
  sn_ngram_destroy(lm);
  free(text);
}

static void test_minus_infinity_is_minus_99(void **state) {
  (void)state;
  char *const text = with("-0.4\ta\t-0.25", "-inf\ta\t-inf");
  sn_ngram *const lm = load_text(text);
  const int32_t a = sn_ngram_find(lm, "a");
  assert_true(fabs(sn_ngram_node_logp(lm, 1, a) / LN10 + 99.0) < 1e-5);
  assert_true(fabs(sn_ngram_node_backoff(lm, 1, a) / LN10 + 99.0) < 1e-5);
  sn_ngram_destroy(lm);
  free(text);
}

/* "a b" is missing though "a b </s>" is there: it is put in with what backing
 * off gives, -0.25 - 0.6, so no probability changes. */
static void test_missing_prefixes_are_inserted_and_counted(void **state) {
  (void)state;
  capture c;
  char *const text = with("-0.2\ta b\n", "-0.2\tb b\n");
  sn_ngram *const lm = load_with_log(text, &c);
  assert_non_null(strstr(c.text, "1 n-grams were missing"));
  assert_int_equal(sn_ngram_count(lm, 2), 4);
  assert_true(fabs(score(lm, "a", "b") + 0.85) < 1e-6);
  sn_ngram_destroy(lm);
  free(text);
}

static void test_empty_highest_orders_go(void **state) {
  (void)state;
  static const char text[] =
      "\\data\\\nngram 1=2\nngram 2=1\nngram 3=0\n\n\\1-grams:\n-1 a -1\n"
      "-1 b\n\n\\2-grams:\n-0.5 a b\n\n\\3-grams:\n\n\\end\\\n";
  sn_ngram *const lm = load_text(text);
  assert_int_equal(sn_ngram_order(lm), 2);
  sn_ngram_destroy(lm);
}

/* ---- Damage ---- */

static void check_any(const char *text, size_t n, bool must_fail) {
  sn_ngram *lm = NULL;
  sn_err err = {0};
  const sn_status s = sn_ngram_load_memory(text, n, "m", &lm, &err);
  assert_true((s == SN_OK) == (lm != NULL));
  if (must_fail) assert_int_not_equal(s, SN_OK);
  if (s != SN_OK) assert_true(err.msg[0] != '\0');
  sn_ngram_destroy(lm);
}

static void test_cut_and_altered_texts_never_crash(void **state) {
  (void)state;
  const size_t n = sizeof good - 1;
  char text[sizeof good];
  for (size_t cut = 0; cut < n - 1; cut++) check_any(good, cut, true);
  memcpy(text, good, sizeof good);
  for (size_t i = 0; i < n; i++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      text[i] = (char)(good[i] ^ (char)(1u << bit));
      check_any(text, n, false);
    }
    text[i] = '\n';
    check_any(text, n, false);
    text[i] = '\0';
    check_any(text, n, false);
    text[i] = good[i];
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_fault_is_refused_with_its_line),
      cmocka_unit_test(test_a_nul_byte_within_a_line_is_refused),
      cmocka_unit_test(test_more_orders_than_supported_are_a_limit),
      cmocka_unit_test(test_blanks_carriage_returns_and_comments_do_not_matter),
      cmocka_unit_test(test_numbers_are_read_like_strtod),
      cmocka_unit_test(test_probabilities_above_one_are_set_to_one_and_counted),
      cmocka_unit_test(test_a_correct_file_gives_no_warning),
      cmocka_unit_test(test_back_offs_of_the_highest_order_are_dropped),
      cmocka_unit_test(test_minus_infinity_is_minus_99),
      cmocka_unit_test(test_missing_prefixes_are_inserted_and_counted),
      cmocka_unit_test(test_empty_highest_orders_go),
      cmocka_unit_test(test_cut_and_altered_texts_never_crash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
