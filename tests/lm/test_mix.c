/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures: exact for listed n-grams, sums of one, EM against a search by hand,
 * marginals' laws, the domain workflow, sampling, n-best lists. */
#include <math.h>

#include "base/mem.h"
#include "lm/adapt.h"
#include "lm/mix.h"
#include "lm/nbest.h"
#include "lm/sample.h"
#include "lm/word_count.h"
#include "lm_support.h"

/* A proper model: threshold 0 normalises what random_arpa makes. */
static sn_ngram *proper(int order, int n_words, uint64_t seed) {
  const random_lm o = {order, n_words, 0.4, 0.0, 0};
  char *const text = random_arpa(&o, seed);
  sn_ngram *const lm = load_text(text);
  sn_ngram *out = NULL;
  sn_err err = {0};
  must(sn_ngram_prune_to(lm, 1000000, SN_PRUNE_STOLCKE, NULL, NULL, &out, &err),
       &err);
  sn_ngram_destroy(lm);
  free(text);
  return out;
}

static const sn_ngram_state empty = {0, 0};

static sn_ngram_state state_of(const sn_ngram *lm, const char *const *words,
                               int n) {
  sn_ngram_state s = empty;
  for (int i = 0; i < n; i++)
    (void)sn_ngram_score(lm, s, sn_ngram_find(lm, words[i]), &s, NULL);
  return s;
}

/* Visits all nodes with their words; checks mixtures and sums. */
static void check_mixture(const sn_ngram *mix, const sn_ngram *const *m,
                          const double *w, size_t n, int32_t level,
                          int64_t node, const char **words) {
  if (level > 0) {
    double want = 0.0;
    const char *const last = words[level - 1];
    for (size_t i = 0; i < n; i++) {
      const int32_t id = sn_ngram_find(m[i], last);
      if (id >= 0)
        want +=
            w[i] * exp(sn_ngram_score(m[i], state_of(m[i], words, level - 1),
                                      id, NULL, NULL));
    }
    /* Floats hold logs of at most 10 (error 5e-7), and scaling unigrams moves
     * them by as much; <s> is not predicted. */
    if (strcmp(last, "<s>") != 0)
      assert_true(fabs(log(want) - sn_ngram_node_logp(mix, level, node)) <
                  1e-5);
  }
  if (level == sn_ngram_order(mix)) return;
  const sn_ngram_state h = {level, node};
  /* Up to 12 words, each with a relative error of 1e-6 or so. */
  assert_true(fabs(sn_ngram_sum(mix, h) - 1.0) < 1e-5);
  int64_t first;
  const int64_t n_children = sn_ngram_children(mix, h, &first);
  for (int64_t c = first; c < first + n_children; c++) {
    words[level] = sn_ngram_word(mix, sn_ngram_child_word(mix, level + 1, c));
    check_mixture(mix, m, w, n, level + 1, c, words);
  }
}

static void test_mixtures_are_exact_and_sum_to_one(void **state) {
  (void)state;
  for (int i = 0; i < 12; i++) {
    sn_ngram *const m[] = {proper(1 + i % 3, 4 + i % 4, 7u + (uint64_t)i),
                           proper(3, 7, 50u + (uint64_t)i),
                           proper(2, 5, 90u + (uint64_t)i)};
    const sn_ngram *const models[] = {m[0], m[1], m[2]};
    const double w[] = {0.2, 0.5, 0.3}, doubled[] = {0.4, 1.0, 0.6};
    sn_ngram *mix = NULL;
    sn_err err = {0};
    must(sn_ngram_mix(models, doubled, 3, NULL, &mix, &err), &err);
    assert_int_equal(sn_ngram_order(mix), 3);
    const char *words[3];
    check_mixture(mix, models, w, 3, 0, 0, words);
    sn_ngram_destroy(mix);
    for (int k = 0; k < 3; k++) sn_ngram_destroy(m[k]);
  }
}

static void test_bad_weights_are_refused(void **state) {
  (void)state;
  sn_ngram *const m = proper(2, 4, 1);
  const sn_ngram *const models[] = {m, m};
  sn_ngram *out = NULL;
  const double bad[][2] = {{0, 0}, {-1, 2}, {(double)NAN, 1}};
  for (int i = 0; i < 3; i++)
    assert_int_equal(sn_ngram_mix(models, bad[i], 2, NULL, &out, NULL),
                     SN_EARG);
  assert_null(out);
  sn_ngram_destroy(m);
}

static const char held_out[] = "w2 w3 w4\nw3 w3\nw2 w9 w4 w2\nw4\n\nw2 w2 w3\n";

static double text_logp(const sn_ngram *const *m, const double *w) {
  double sum = 0.0;
  char copy[sizeof held_out];
  strcpy(copy, held_out);
  char *line_end, *word_end;
  for (char *l = strtok_r(copy, "\n", &line_end); l != NULL;
       l = strtok_r(NULL, "\n", &line_end)) {
    sn_ngram_state at[2] = {sn_ngram_begin(m[0]), sn_ngram_begin(m[1])};
    char *word = strtok_r(l, " ", &word_end);
    for (bool more = true; more; word = strtok_r(NULL, " ", &word_end)) {
      double p = 0.0;
      more = word != NULL;
      for (int i = 0; i < 2; i++) {
        const int32_t id = sn_ngram_find(m[i], more ? word : "</s>");
        const double logp = sn_ngram_score(m[i], at[i], id, &at[i], NULL);
        if (id >= 0) p += w[i] * exp(logp);
      }
      if (p > 0.0) sum += log(p);
    }
  }
  return sum;
}

static void test_em_finds_the_likeliest_weights(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed < 8; seed++) {
    sn_ngram *const a = proper(2, 5, seed), *const b = proper(3, 6, seed + 20);
    const sn_ngram *const m[] = {a, b};
    sn_reader *r = NULL;
    sn_err err = {0};
    double w[2];
    sn_mix_report report;
    must(sn_reader_memory(held_out, sizeof held_out - 1, "h", &r, &err), &err);
    must(sn_mix_weights(m, 2, r, w, &report, &err), &err);
    sn_reader_destroy(r);
    assert_true(fabs(w[0] + w[1] - 1.0) < 1e-9);
    assert_int_equal(report.n_tokens, 13 + 5 - 1);
    assert_int_equal(report.n_oov, 1);
    const double best = text_logp(m, w);
    assert_true(fabs(report.perplexity - exp(-best / 17.0)) < 1e-4);
    /* Concave in the weight: no grid point is better, but for EM's limit of
     * 1e-9 a token each step, which may be 1e-5 from the top. */
    for (int i = 0; i <= 50; i++) {
      const double v[2] = {i / 50.0, 1.0 - i / 50.0};
      assert_true(text_logp(m, v) <= best + 1e-4);
    }
    sn_ngram_destroy(a);
    sn_ngram_destroy(b);
  }
}

static void test_marginals_move_towards_the_text(void **state) {
  (void)state;
  sn_ngram *const lm = proper(3, 7, 5);
  int64_t counts[7] = {0};
  counts[sn_ngram_find(lm, "w3")] = 500;
  counts[sn_ngram_find(lm, "w4")] = 500;
  sn_ngram *same = NULL, *moved = NULL;
  sn_err err = {0};
  must(sn_ngram_adapt_marginals(lm, counts, 100.0, 0.0, &same, &err), &err);
  must(sn_ngram_adapt_marginals(lm, counts, 100.0, 1.0, &moved, &err), &err);
  for (int32_t w = 0; w < 7; w++) {
    if (w == sn_ngram_bos(lm)) continue;
    /* beta 0 changes nothing but rounding. */
    assert_true(fabs(sn_ngram_node_logp(same, 1, w) -
                     sn_ngram_node_logp(lm, 1, w)) < 1e-5);
    /* beta 1 is the MAP estimate itself. */
    const double p = exp(sn_ngram_node_logp(lm, 1, w));
    assert_true(fabs(exp(sn_ngram_node_logp(moved, 1, w)) -
                     ((double)counts[w] + 100.0 * p) / 1100.0) < 1e-5);
  }
  for (int32_t k = 1; k < 3; k++)
    for (int64_t i = 0; i < sn_ngram_count(moved, k); i++) {
      const sn_ngram_state h = {k, i};
      assert_true(fabs(sn_ngram_sum(moved, h) - 1.0) < 1e-5);
    }
  sn_ngram_destroy(same);
  assert_int_equal(sn_ngram_adapt_marginals(lm, counts, 0.0, 1.0, &same, NULL),
                   SN_EARG);
  assert_null(same);
  sn_ngram_destroy(lm);
  sn_ngram_destroy(moved);
}

/* Frequencies of drawn words after each history against the model. */
static void test_samples_follow_the_model(void **state) {
  (void)state;
  enum { N = 40000, WORDS = 6 };
  sn_ngram *const lm = proper(3, WORDS, 11);
  sn_sampler *s = NULL;
  sn_err err = {0};
  must(sn_sampler_create(lm, 42, &s, &err), &err);
  const sn_ngram_state begin = sn_ngram_begin(lm);
  long first[WORDS] = {0};
  for (int i = 0; i < N; i++) {
    sn_sampler_begin(s);
    const int32_t w = sn_sampler_next(s);
    first[w < 0 ? sn_ngram_eos(lm) : w]++;
    for (int k = 0; w >= 0 && k < 100 && sn_sampler_next(s) >= 0; k++) {
    }
  }
  for (int32_t w = 0; w < WORDS; w++) {
    if (w == sn_ngram_bos(lm)) {
      assert_int_equal(first[w], 0);
      continue;
    }
    const double p = exp(sn_ngram_score(lm, begin, w, NULL, NULL));
    /* 5 standard deviations of a binomial share. */
    assert_true(fabs((double)first[w] / N - p) <=
                5.0 * sqrt(p * (1.0 - p) / N));
  }
  sn_sampler_destroy(s);
  sn_ngram_destroy(lm);
}

static sn_str domain_text(int n_sentences) {
  sn_str text = {0};
  sn_rng rng;
  sn_rng_init(&rng, 3);
  for (int i = 0; i < n_sentences; i++) {
    const char *const what = sn_rng_below(&rng, 2) ? "lamp" : "w3";
    must(sn_str_addf(&text, NULL, "w2 the %s w%u\n", what,
                     2 + sn_rng_below(&rng, 3)),
         NULL);
  }
  return text;
}

static void test_adapting_lowers_the_perplexity(void **state) {
  (void)state;
  sn_ngram *const base = proper(3, 7, 21);
  sn_str text = domain_text(60);
  sn_reader *r = NULL;
  sn_err err = {0};
  sn_ngram *out = NULL;
  sn_adapt_report report;
  must(sn_reader_memory(text.data, text.n, "page", &r, &err), &err);
  must(sn_ngram_adapt(base, r, NULL, NULL, &out, &report, &err), &err);
  assert_int_equal(report.n_sentences, 60);
  assert_int_equal(report.n_tokens + report.n_oov, 60 * 5);
  assert_true(report.mixed_known < 0.7 * report.base);
  assert_true(report.weight > 0.5 && report.weight < 1.0);
  assert_true(sn_ngram_find(out, "lamp") >= 0);
  assert_true(fabs(sn_ngram_sum(out, sn_ngram_begin(out)) - 1.0) < 1e-5);
  sn_reader_destroy(r);
  sn_ngram_destroy(out);
  must(sn_reader_memory("w2\nw3\n", 6, "page", &r, &err), &err);
  assert_int_equal(sn_ngram_adapt(base, r, NULL, NULL, &out, NULL, &err),
                   SN_EARG);
  assert_non_null(strstr(err.msg, "2 sentences are too few"));
  assert_null(out);
  sn_reader_destroy(r);
  sn_ngram_destroy(base);
  sn_str_clear(&text);
}

static void test_nbest_lists_are_ordered_by_the_total(void **state) {
  (void)state;
  static const char arpa[] =
      "\\data\\\nngram 1=4\n\n\\1-grams:\n-99 <s>\n-1 </s>\n-0.5 a\n-0.25 b\n"
      "\\end\\\n";
  static const char list[] =
      "u2\t-3\ta a\nu1\t-2\tb\nu2\t-3\tb x b\nu1\t-9\t\n";
  sn_ngram *const lm = load_text(arpa);
  const sn_nbest_opts o = {
      .lm_weight = 2.0, .word_penalty = -0.5, .oov_logp = -7.0};
  sn_nbest *n = NULL;
  sn_reader *r = NULL;
  sn_err err = {0};
  must(sn_nbest_create(lm, &o, &n, &err), &err);
  must(sn_reader_memory(list, sizeof list - 1, "list", &r, &err), &err);
  must(sn_nbest_add_text(n, r, &err), &err);
  must(sn_nbest_rank(n, &err), &err);
  const char *const want[][2] = {
      {"u2", "a a"}, {"u2", "b x b"}, {"u1", "b"}, {"u1", ""}};
  const double ln10 = 2.302585093;
  const double logp[] = {-2.0 * ln10, -1.5 * ln10 - 7.0, -1.25 * ln10,
                         -1.0 * ln10};
  const double score[] = {-3, -3, -2, -9};
  const int words[] = {2, 3, 1, 0};
  assert_int_equal(sn_nbest_n(n), 4);
  assert_int_equal(sn_nbest_n_oov(n), 1);
  for (int i = 0; i < 4; i++) {
    const sn_nbest_entry *const e = sn_nbest_get(n, i);
    assert_string_equal(e->id, want[i][0]);
    assert_string_equal(e->words, want[i][1]);
    assert_int_equal(e->rank, i % 2);
    assert_true(fabs(e->lm_logp - logp[i]) < 1e-5);
    assert_true(fabs(e->total - (score[i] + 2.0 * logp[i] - 0.5 * words[i])) <
                1e-4);
  }
  sn_reader_destroy(r);
  const char *const bad[] = {"u1\n", "u1\tx\ta\n", "u1\tnan\ta\n", "\t-1\ta\n"};
  for (int i = 0; i < 4; i++) {
    sn_err_clear(&err);
    must(sn_reader_memory(bad[i], strlen(bad[i]), "bad", &r, &err), &err);
    assert_int_equal(sn_nbest_add_text(n, r, &err), SN_EFORMAT);
    assert_non_null(strstr(err.msg, "bad:1: "));
    sn_reader_destroy(r);
  }
  sn_nbest_destroy(n);
  sn_ngram_destroy(lm);
}

static void test_vocabularies_cover_what_they_say(void **state) {
  (void)state;
  sn_word_count *c = NULL;
  sn_reader *r = NULL;
  sn_err err = {0};
  must(sn_word_count_create(NULL, &c, &err), &err);
  sn_text_source *t = NULL;
  must(sn_text_source_create(NULL, &t, &err), &err);
  static const char text[] = "<s> b a c </s>\n\n  \na b d b e\n";
  must(sn_reader_memory(text, sizeof text - 1, "t", &r, &err), &err);
  must(sn_word_count_add_text(c, t, r, &err), &err);
  sn_reader_destroy(r);
  assert_int_equal(sn_text_get_counts(t)->n_sentences, 2);
  must(sn_reader_memory("a\x01\n", 3, "t", &r, &err), &err);
  assert_int_equal(sn_word_count_add_text(c, t, r, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "t:1: a control character (0x01)"));
  sn_err_clear(&err);
  sn_reader_destroy(r);
  sn_text_source_destroy(t);
  sn_word_count_sort(c);
  const char *const order[] = {"b", "a", "c", "d", "e"};
  for (int i = 0; i < 5; i++)
    assert_string_equal(sn_word_count_get(c, i, NULL), order[i]);
  int32_t n;
  double reached;
  must(sn_reader_memory("a b c x\n", 8, "h", &r, &err), &err);
  must(sn_word_count_cover(c, r, 0.5, &n, &reached, &err), &err);
  assert_true(n == 2 && reached == 0.5);
  sn_reader_destroy(r);
  must(sn_reader_memory("a b c x\n", 8, "h", &r, &err), &err);
  must(sn_word_count_cover(c, r, 0.9, &n, &reached, &err), &err);
  assert_true(n == 5 && reached == 0.75);
  sn_reader_destroy(r);
  int64_t types, tokens;
  must(sn_reader_memory("a X\nb(2) Y\nd\nd\n", 15, "l", &r, &err), &err);
  must(sn_word_count_keep_listed(c, r, &types, &tokens, &err), &err);
  sn_reader_destroy(r);
  assert_true(types == 2 && tokens == 2 && sn_word_count_n(c) == 3);
  assert_int_equal(sn_word_count_total(c), 6);
  sn_word_count_destroy(c);
}

static sn_status everything(const sn_ngram *a, const sn_ngram *b, sn_err *err) {
  const sn_ngram *const m[] = {a, b};
  double w[2];
  int64_t counts[8] = {0, 0, 3, 4, 0, 0, 0, 0};
  sn_ngram *x = NULL, *y = NULL;
  sn_reader *r = NULL;
  sn_status s = sn_reader_memory(held_out, sizeof held_out - 1, "h", &r, err);
  if (s == SN_OK) s = sn_mix_weights(m, 2, r, w, NULL, err);
  if (s == SN_OK) s = sn_ngram_mix(m, w, 2, NULL, &x, err);
  if (s == SN_OK) s = sn_ngram_adapt_marginals(a, counts, 1.0, 0.5, &y, err);
  sn_reader_destroy(r);
  sn_ngram_destroy(x);
  sn_ngram_destroy(y);
  return s;
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  sn_ngram *const a = proper(2, 5, 1), *const b = proper(3, 6, 2);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_mem_fail_after(k);
    const sn_status s = everything(a, b, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
  }
  sn_ngram_destroy(a);
  sn_ngram_destroy(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mixtures_are_exact_and_sum_to_one),
      cmocka_unit_test(test_bad_weights_are_refused),
      cmocka_unit_test(test_em_finds_the_likeliest_weights),
      cmocka_unit_test(test_marginals_move_towards_the_text),
      cmocka_unit_test(test_samples_follow_the_model),
      cmocka_unit_test(test_adapting_lowers_the_perplexity),
      cmocka_unit_test(test_nbest_lists_are_ordered_by_the_total),
      cmocka_unit_test(test_vocabularies_cover_what_they_say),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
