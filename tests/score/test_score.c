/* SPDX-License-Identifier: Apache-2.0 */
/* Rates, intervals, comparisons and their reports. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "score/report.h"

typedef struct texts {
  sn_score_words *words;
  sn_transcripts ref, hyp;
  sn_score score;
} texts;

static sn_status score(texts *t, const char *ref, const char *hyp,
                       const sn_score_opts *opts, sn_err *err) {
  *t = (texts){0};
  SN_TRY(sn_score_words_create(NULL, opts->sclite, &t->words, err));
  SN_TRY(sn_transcripts_read_memory(ref, strlen(ref), "ref", SN_TRANS_KALDI,
                                    t->words, &t->ref, err));
  SN_TRY(sn_transcripts_read_memory(hyp, strlen(hyp), "hyp", SN_TRANS_KALDI,
                                    t->words, &t->hyp, err));
  return sn_score_compare(&t->ref, &t->hyp, t->words, opts, &t->score, err);
}

static void clear(texts *t) {
  sn_score_clear(&t->score);
  sn_transcripts_clear(&t->ref);
  sn_transcripts_clear(&t->hyp);
  sn_score_words_destroy(t->words);
}

static const char ref_text[] =
    "ann-1 the CAT sat\nann-2 on\nbob-1 the mat\nbob-2 purr\n";
static const char hyp_text[] =
    "bob-1 the hat mat\nann-1 the cat sits\nann-2 on\n";

static void test_counts_of_words_characters_and_sentences(void **state) {
  (void)state;
  texts t;
  const sn_score_opts opts = {.cer = true};
  assert_int_equal(SN_OK, score(&t, ref_text, hyp_text, &opts, NULL));
  assert_int_equal(7, t.score.total.n_ref);
  assert_int_equal(1, t.score.total.sub); /* sat, sits */
  assert_int_equal(1, t.score.total.ins); /* hat */
  assert_int_equal(1, t.score.total.del); /* bob-2 is missing */
  assert_int_equal(3, t.score.n_wrong);
  assert_int_equal(1, t.score.missing.n);
  assert_int_equal(3, t.score.missing.data[0]);
  assert_int_equal(21, t.score.total_chars.n_ref);
  /* sat/sits: a to i, and t; hat: 3 insertions; purr: 4 deletions. */
  assert_int_equal(1 + 1 + 3 + 4, sn_score_errors(&t.score.total_chars));
  clear(&t);
}

static void test_characters_are_code_points(void **state) {
  (void)state;
  texts t;
  const sn_score_opts opts = {.cer = true};
  assert_int_equal(SN_OK, score(&t, "u \xe6\x97\xa5\xe6\x9c\xac \xc3\xa9\n",
                                "u \xe6\x97\xa5\xe6\x9c\xa8 e\n", &opts, NULL));
  assert_int_equal(3, t.score.total_chars.n_ref);
  assert_int_equal(2, t.score.total_chars.sub);
  clear(&t);
}

static void test_utterances_that_only_the_hypothesis_has_are_listed(
    void **state) {
  (void)state;
  texts t;
  const sn_score_opts opts = {0};
  assert_int_equal(SN_OK, score(&t, "a x\n", "b y\na x\n", &opts, NULL));
  assert_int_equal(1, t.score.extra.n);
  assert_int_equal(0, t.score.extra.data[0]);
  assert_int_equal(0, sn_score_errors(&t.score.total));
  clear(&t);
}

static void test_texts_that_do_not_belong_together_are_refused(void **state) {
  (void)state;
  texts t;
  sn_err err = {0};
  const sn_score_opts opts = {0};
  assert_int_equal(SN_EMISMATCH, score(&t, "a x\n", "b x\n", &opts, &err));
  assert_non_null(strstr(err.msg, "'a'"));
  assert_non_null(strstr(err.msg, "'b'"));
  clear(&t);
}

static void test_a_reference_without_words_has_no_rate(void **state) {
  (void)state;
  texts t;
  sn_err err = {0};
  const sn_score_opts opts = {0};
  assert_int_equal(SN_EFORMAT,
                   score(&t, "a <sil>\nb\n", "a x\nb\n", &opts, &err));
  assert_non_null(strstr(err.msg, "no words"));
  clear(&t);
}

/* ---- Bootstrap ---- */

/* n units of one word, k of them wrong: the rate of a draw is binomial, so
 * the interval is p -+ 1.96 sqrt(p (1 - p) / n). With 10,000 draws a 2.5 %
 * quantile is itself known to about 2.7 % of the standard deviation (the
 * quantile's own deviation, sqrt(q (1 - q) / B) / density); steps of 1 / n add
 * as much as 0.5 / n. Four of each is the bound. */
static void test_interval_of_a_proportion_is_the_binomial_one(void **state) {
  (void)state;
  enum { N = 2000, K = 300 };
  int64_t errors[N] = {0}, words[N];
  for (int i = 0; i < N; i++) {
    words[i] = 1;
    errors[i] = i < K;
  }
  const sn_bootstrap_opts o = {.n_draws = 10000, .seed = 1};
  double low, high;
  assert_int_equal(SN_OK,
                   sn_bootstrap_rate(errors, words, N, &o, &low, &high, NULL));
  const double p = (double)K / N, sd = sqrt(p * (1 - p) / N);
  const double bound = 4 * (0.027 * sd + 0.5 / N);
  assert_true(fabs(low - (p - 1.96 * sd)) < bound);
  assert_true(fabs(high - (p + 1.96 * sd)) < bound);
}

static void test_same_seed_same_interval_and_other_seed_another(void **state) {
  (void)state;
  int64_t errors[50], words[50];
  sn_rng rng;
  sn_rng_init(&rng, 1);
  for (int i = 0; i < 50; i++) {
    words[i] = 1 + (int64_t)sn_rng_below(&rng, 20);
    errors[i] = (int64_t)sn_rng_below(&rng, 5);
  }
  double low[3], high[3];
  for (int i = 0; i < 3; i++) {
    const sn_bootstrap_opts o = {.n_draws = 1000, .seed = i == 2 ? 8 : 7};
    assert_int_equal(SN_OK, sn_bootstrap_rate(errors, words, 50, &o, &low[i],
                                              &high[i], NULL));
  }
  assert_true(low[0] == low[1] && high[0] == high[1]);
  assert_true(low[0] != low[2] || high[0] != high[2]);
}

static void test_a_system_does_not_differ_from_itself(void **state) {
  (void)state;
  const int64_t errors[] = {1, 0, 3, 2}, words[] = {4, 5, 6, 7};
  const sn_bootstrap_opts o = {.n_draws = 500, .seed = 1};
  sn_paired p;
  assert_int_equal(SN_OK,
                   sn_bootstrap_paired(errors, errors, words, 4, &o, &p, NULL));
  assert_true(p.difference == 0 && p.low == 0 && p.high == 0);
  assert_true(p.p_a_is_better == 0 && p.p_b_is_better == 0);
}

/* One error less in every unit of equal length: every draw says so, and by the
 * same amount. */
static void test_a_system_that_is_always_better_is_found_to_be(void **state) {
  (void)state;
  const int64_t a[] = {1, 0, 3}, b[] = {2, 1, 4}, words[] = {10, 10, 10};
  const sn_bootstrap_opts o = {.n_draws = 500, .seed = 1};
  sn_paired p;
  assert_int_equal(SN_OK, sn_bootstrap_paired(a, b, words, 3, &o, &p, NULL));
  assert_true(fabs(p.difference + 0.1) < 1e-15);
  assert_true(p.low == p.high && fabs(p.low + 0.1) < 1e-15);
  assert_true(p.p_a_is_better == 1 && p.p_b_is_better == 0);
}

/* ---- Reports ---- */

static void make_report(texts *t, sn_report *r, sn_symtab **speakers,
                        sn_arr_i32 *of) {
  const sn_score_opts opts = {0};
  assert_int_equal(SN_OK, score(t, ref_text, hyp_text, &opts, NULL));
  assert_int_equal(SN_OK, sn_speakers_of_ids(&t->ref, speakers, of, NULL));
  *r = (sn_report){.ref = &t->ref,
                   .hyp = &t->hyp,
                   .words = t->words,
                   .score = &t->score,
                   .speakers = *speakers,
                   .speaker_of = of->data,
                   .bootstrap = {.n_draws = 100, .seed = 1}};
  assert_int_equal(SN_OK, sn_report_intervals(r, NULL));
}

static void test_alignments_and_speakers_as_text(void **state) {
  (void)state;
  texts t;
  sn_report r;
  sn_symtab *speakers;
  sn_arr_i32 of;
  sn_str s = {0};
  make_report(&t, &r, &speakers, &of);
  assert_int_equal(SN_OK, sn_report_alignments(&r, &s, NULL));
  assert_string_equal(
      "ann-1: 2 cor, 1 sub, 0 del, 0 ins\n"
      "REF: the cat sat\n"
      "HYP: the cat sits\n"
      "             S\n"
      "ann-2: 1 cor, 0 sub, 0 del, 0 ins\n"
      "REF: on\n"
      "HYP: on\n"
      "\n"
      "bob-1: 2 cor, 0 sub, 0 del, 1 ins\n"
      "REF: the *** mat\n"
      "HYP: the hat mat\n"
      "         I\n"
      "bob-2: 0 cor, 0 sub, 1 del, 0 ins\n"
      "REF: purr\n"
      "HYP: ***\n"
      "     D\n",
      sn_str_get(&s));
  sn_str_reset(&s);
  assert_int_equal(SN_OK, sn_report_speakers(&r, &s, NULL));
  assert_string_equal(
      "speaker            utts   words    sub    del    ins     WER     SER\n"
      "ann                   2       4      1      0      0   25.00   50.00\n"
      "bob                   2       3      0      1      1   66.67  100.00\n",
      sn_str_get(&s));
  sn_str_clear(&s);
  sn_symtab_destroy(speakers);
  SN_ARR_FREE(&of);
  clear(&t);
}

static void test_one_utterance_has_no_interval(void **state) {
  (void)state;
  texts t;
  sn_str s = {0};
  const sn_score_opts opts = {0};
  assert_int_equal(SN_OK, score(&t, "u a b\n", "u a\n", &opts, NULL));
  sn_report r = {.ref = &t.ref,
                 .hyp = &t.hyp,
                 .words = t.words,
                 .score = &t.score,
                 .bootstrap = {.n_draws = 100, .seed = 1}};
  assert_int_equal(SN_OK, sn_report_intervals(&r, NULL));
  assert_int_equal(SN_OK, sn_report_text(&r, &s, NULL));
  assert_string_equal(
      "WER 50.00 %: 1 errors in 2 words (0 sub, 1 del, 0 ins)\n"
      "SER 100.00 %: 1 of 1 utterances\n"
      "[one utterance: no interval]\n",
      sn_str_get(&s));
  sn_str_reset(&s);
  assert_int_equal(SN_OK, sn_report_json(&r, false, &s, NULL));
  assert_non_null(strstr(sn_str_get(&s), "\"low\": null"));
  sn_str_clear(&s);
  clear(&t);
}

static void test_json_names_what_is_missing_and_guards_quotes(void **state) {
  (void)state;
  texts t;
  sn_report r;
  sn_symtab *speakers;
  sn_arr_i32 of;
  sn_str s = {0};
  make_report(&t, &r, &speakers, &of);
  assert_int_equal(SN_OK, sn_report_json(&r, true, &s, NULL));
  assert_non_null(strstr(sn_str_get(&s), "\"missing\": [\"bob-2\"]"));
  assert_non_null(strstr(sn_str_get(&s), "[\"ins\", null, \"hat\"]"));
  assert_non_null(strstr(sn_str_get(&s), "\"percent\": 42.8571"));
  sn_str_reset(&s);
  assert_int_equal(SN_OK, sn_report_json_string("a\"b\\c\t\xc3\xa9", &s, NULL));
  assert_string_equal("\"a\\\"b\\\\c\\u0009\xc3\xa9\"", sn_str_get(&s));
  sn_str_clear(&s);
  sn_symtab_destroy(speakers);
  SN_ARR_FREE(&of);
  clear(&t);
}

static void test_running_out_of_memory_leaves_nothing_behind(void **state) {
  (void)state;
  const long live = sn_mem_live();
  const sn_score_opts opts = {.cer = true};
  for (long k = 0;; k++) {
    texts t;
    sn_mem_fail_after(k);
    const sn_status s = score(&t, ref_text, hyp_text, &opts, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(fired ? SN_ENOMEM : SN_OK, s);
    clear(&t);
    assert_int_equal(live, sn_mem_live());
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_counts_of_words_characters_and_sentences),
      cmocka_unit_test(test_characters_are_code_points),
      cmocka_unit_test(test_utterances_that_only_the_hypothesis_has_are_listed),
      cmocka_unit_test(test_texts_that_do_not_belong_together_are_refused),
      cmocka_unit_test(test_a_reference_without_words_has_no_rate),
      cmocka_unit_test(test_interval_of_a_proportion_is_the_binomial_one),
      cmocka_unit_test(test_same_seed_same_interval_and_other_seed_another),
      cmocka_unit_test(test_a_system_does_not_differ_from_itself),
      cmocka_unit_test(test_a_system_that_is_always_better_is_found_to_be),
      cmocka_unit_test(test_alignments_and_speakers_as_text),
      cmocka_unit_test(test_one_utterance_has_no_interval),
      cmocka_unit_test(test_json_names_what_is_missing_and_guards_quotes),
      cmocka_unit_test(test_running_out_of_memory_leaves_nothing_behind)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
