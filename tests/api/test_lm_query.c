/* SPDX-License-Identifier: Apache-2.0 */
/* Language models through the API: the numbers are those of lm/ngram.h, for
 * every format; what is no word or no history is refused. */
#include <math.h>

#include "api/senone.h"
#include "base/mem.h"
#include "tests/lm/lm_support.h"

static void ok(senone_status s, const senone_error *e) {
  if (s != SENONE_OK) fail_msg("status %d: %s", (int)s, e->message);
}

static const char *save(const char *arpa, sn_ngram_format format) {
  sn_ngram *const lm = load_text(arpa);
  const char *const path = temp_path("query");
  sn_err err = {0};
  must(sn_ngram_save(lm, path, format, NULL, &err), &err);
  sn_ngram_destroy(lm);
  return path;
}

/* Words w2 to w7, of which the model has six, and unknown ones. */
static void check_sentences(const sn_ngram *want, const senone_lm *lm) {
  sn_rng rng;
  sn_rng_init(&rng, 7);
  for (int k = 0; k < 200; k++) {
    senone_error e = {0};
    sn_ngram_state at = sn_ngram_begin(want);
    senone_lm_history h = senone_lm_begin(lm);
    double sum = 0.0, logp;
    int32_t n_known = 0, n_unknown = 0;
    char text[128] = "";
    const int n = (int)sn_rng_below(&rng, 8);
    for (int i = 0; i < n; i++) {
      char word[16];
      snprintf(word, sizeof word, "w%d", 2 + (int)sn_rng_below(&rng, 7));
      strcat(strcat(text, i > 0 ? "  " : " "), word);
      const int32_t id = senone_lm_find(lm, word);
      int32_t order = 0, matched = 0;
      assert_int_equal(id, sn_ngram_find(want, word));
      if (id >= 0) assert_string_equal(senone_lm_word(lm, id), word);
      ok(senone_lm_score(lm, &h, id, &logp, &order, &e), &e);
      const double p = sn_ngram_score(want, at, id, &at, &matched);
      assert_true(logp == p); /* the same code, the same bits */
      assert_int_equal(order, matched);
      if (id >= 0) sum += p, n_known++;
      if (id < 0) n_unknown++;
    }
    sum += sn_ngram_score(want, at, sn_ngram_eos(want), NULL, NULL);
    int32_t got[2];
    ok(senone_lm_score_text(lm, text, &logp, &got[0], &got[1], &e), &e);
    assert_true(logp == sum);
    assert_int_equal(got[0], n_known);
    assert_int_equal(got[1], n_unknown);
  }
}

static void test_queries_say_what_the_model_says(void **state) {
  (void)state;
  static const sn_ngram_format formats[] = {SN_NGRAM_ARPA, SN_NGRAM_BINARY,
                                            SN_NGRAM_FAST, SN_NGRAM_SMALL};
  const random_lm shape = {.order = 4, .n_words = 6, .keep = 0.5};
  char *const arpa = random_arpa(&shape, 3);
  for (size_t i = 0; i < 4; i++) {
    const char *const path = save(arpa, formats[i]);
    sn_err err = {0};
    senone_error e = {0};
    sn_ngram *want = NULL;
    senone_lm *lm = NULL;
    must(sn_ngram_load(path, NULL, &want, &err), &err);
    ok(senone_lm_load(path, NULL, &lm, &e), &e);
    assert_int_equal(senone_lm_order(lm), 4);
    assert_int_equal(senone_lm_n_words(lm), sn_ngram_n_words(want));
    check_sentences(want, lm);
    senone_lm_destroy(lm);
    sn_ngram_destroy(want);
    unlink(path);
  }
  free(arpa);
}

static void count_warnings(void *user, senone_log_level level,
                           const char *text) {
  (void)text;
  if (level == SENONE_LOG_WARN) ++*(int *)user;
}

static void test_faults_are_refused_and_repairs_told(void **state) {
  (void)state;
  static const char arpa[] =
      "\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-99 <s> -0.1\n-0.5 </s>\n"
      "0.5 a -0.2\n\n\\2-grams:\n-0.1 <s> a\n\n\\end\\\n";
  const char *const path = temp_path("fault");
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(arpa, f);
  fclose(f);
  senone_error e = {0};
  senone_options *o = NULL;
  senone_lm *lm = NULL;
  int n_warnings = 0;
  ok(senone_options_create(&o, &e), &e);
  senone_options_set_callbacks(o, count_warnings, SENONE_LOG_WARN, NULL, NULL,
                               &n_warnings);
  ok(senone_lm_load(path, o, &lm, &e), &e);
  assert_int_equal(n_warnings, 1); /* a probability above 1 */
  double logp = 0.0;
  senone_lm_history h = senone_lm_begin(lm);
  const senone_lm_history bad[] = {
      {1000, 1, 0}, {-1, 1, 0}, {0, 2, 0}, {0, -1, 0}, {5, 0, 0}};
  const int32_t words[] = {-2, 3, INT32_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    senone_lm_history x = bad[i];
    assert_int_equal(senone_lm_score(lm, &x, 0, &logp, NULL, NULL),
                     SENONE_EARG);
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    assert_int_equal(senone_lm_score(lm, &h, words[i], &logp, NULL, NULL),
                     SENONE_EARG);
  /* No <unk>: an unknown word has no probability and ends the history. */
  ok(senone_lm_score(lm, &h, -1, &logp, NULL, &e), &e);
  assert_true(isinf(logp) && h.length == 0);
  assert_null(senone_lm_word(lm, 3));
  assert_null(senone_lm_word(lm, -1));
  senone_lm_destroy(lm);
  senone_options_destroy(o);
  f = fopen(path, "w");
  assert_non_null(f);
  fputs("\\data\\\nngram 1=1\n\n\\1-grams:\nnan a\n\n\\end\\\n", f);
  fclose(f);
  assert_int_equal(senone_lm_load(path, NULL, &lm, &e), SENONE_EFORMAT);
  assert_null(lm);
  assert_non_null(strstr(e.message, "fault:5: 'nan'"));
  unlink(path);
  memset(&e, 0, sizeof e);
  assert_int_equal(senone_lm_load(path, NULL, &lm, &e), SENONE_EIO);
}

static void test_running_out_of_memory_leaks_nothing(void **state) {
  (void)state;
  const random_lm shape = {.order = 2, .n_words = 4, .keep = 0.5};
  char *const arpa = random_arpa(&shape, 1);
  const char *const path = save(arpa, SN_NGRAM_BINARY);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    senone_lm *lm = NULL;
    sn_mem_fail_after(k);
    const senone_status s = senone_lm_load(path, NULL, &lm, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    senone_lm_destroy(lm);
    assert_int_equal(sn_mem_live(), live);
    assert_int_equal(s, fired ? SENONE_ENOMEM : SENONE_OK);
    if (!fired) break;
    assert_null(lm);
  }
  unlink(path);
  free(arpa);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_queries_say_what_the_model_says),
      cmocka_unit_test(test_faults_are_refused_and_repairs_told),
      cmocka_unit_test(test_running_out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
