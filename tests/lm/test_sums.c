/* SPDX-License-Identifier: Apache-2.0 */
/* What each way of making a model promises: after every history the
 * probabilities of all words sum to one. Estimated by each method at orders 1
 * to 5, with and without cut-offs and a closed vocabulary; pruned, mixed,
 * adapted, quantised and then normalised. */
#include <math.h>

#include "base/io.h"
#include "base/mem.h"
#include "lm/adapt.h"
#include "lm/count.h"
#include "lm/estimate.h"
#include "lm/mix.h"
#include "tests/lm/lm_support.h"

enum { N_WORDS = 12 };

/* Text of small counts and repeated phrases; seeds differ in their words. */
static void make_text(sn_str *out, uint64_t seed, int n_sentences) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (int k = 0; k < n_sentences; k++) {
    uint32_t w = sn_rng_below(&rng, N_WORDS);
    const uint32_t n = 1 + sn_rng_below(&rng, 7);
    for (uint32_t i = 0; i < n; i++) {
      must(sn_str_addf(out, NULL, "%sv%u", i > 0 ? " " : "",
                       w + (uint32_t)seed % 3),
           NULL);
      w = (w * 5 + sn_rng_below(&rng, 1 + sn_rng_below(&rng, 9))) % N_WORDS;
    }
    must(sn_str_adds(out, "\n", NULL), NULL);
  }
}

static sn_ngram *estimate(uint64_t seed, int32_t order, int32_t method,
                          const char *prune, const char *vocab) {
  sn_str text = {0};
  sn_counts *c = NULL;
  sn_text_source *t = NULL;
  sn_reader *r = NULL;
  sn_ngram *lm = NULL;
  sn_count_opts count = {0};
  sn_estimate_opts how;
  sn_err err = {0};
  make_text(&text, seed, 150);
  sn_opt_defaults(sn_count_opt_table, &count);
  sn_opt_defaults(sn_estimate_opt_table, &how);
  count.order = order;
  count.vocab = vocab;
  how.method = method;
  how.prune = prune;
  must(sn_counts_create(&count, NULL, &c, &err), &err);
  must(sn_text_source_create(NULL, &t, &err), &err);
  must(sn_reader_memory(text.data, text.n, "text", &r, &err), &err);
  must(sn_counts_add_text(c, t, r, &err), &err);
  must(sn_estimate_ngram(c, &how, &lm, NULL, &err), &err);
  sn_reader_destroy(r);
  sn_text_source_destroy(t);
  sn_counts_destroy(c);
  sn_str_clear(&text);
  return lm;
}

/* Sums over N_WORDS + 3 words of floats (2^-24 of them each, and of the
 * logarithms, below 32 in size: 15 * 2^-24 * 33 = 3e-5 of a part of the sum;
 * the parts sum to one, so 2e-6 in all), and a back-off weight from the
 * difference of such sums, never below some 1e-2. */
static const double tolerance = 2e-5;

static void check(const sn_ngram *lm, const char *what, int32_t order,
                  int32_t method) {
  for (int32_t k = 0; k < sn_ngram_order(lm); k++)
    for (int64_t i = 0; i < (k == 0 ? 1 : sn_ngram_count(lm, k)); i++) {
      const sn_ngram_state h = {k, i};
      const double sum = sn_ngram_sum(lm, h);
      if (!(fabs(sum - 1) < tolerance))
        fail_msg("%s, order %d, method %d: history %lld of length %d: %.8f",
                 what, order, method, (long long)i, k, sum);
    }
}

static void check_pruned(const sn_ngram *lm, int32_t order, int32_t method) {
  int64_t n = 0;
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++) n += sn_ngram_count(lm, k);
  for (int stolcke = 0; stolcke < 2; stolcke++) {
    const sn_prune_method how = stolcke ? SN_PRUNE_STOLCKE : SN_PRUNE_REFIT;
    sn_ngram *pruned = NULL;
    sn_err err = {0};
    must(sn_ngram_prune(lm, 1e-4, how, NULL, &pruned, &err), &err);
    check(pruned, stolcke ? "stolcke" : "refit", order, method);
    sn_ngram_destroy(pruned);
    const int64_t words = sn_ngram_count(lm, 1);
    must(sn_ngram_prune_to(lm, words + (n - words) / 3, how, NULL, NULL,
                           &pruned, &err),
         &err);
    check(pruned, stolcke ? "stolcke to a size" : "refit to a size", order,
          method);
    sn_ngram_destroy(pruned);
  }
}

static void check_quantised(const sn_ngram *lm, int32_t order, int32_t method) {
  const char *const path = temp_path("small");
  sn_err err = {0};
  sn_ngram *small = NULL, *pruned = NULL;
  must(sn_ngram_save_small(lm, path, 4, NULL, &err), &err);
  must(sn_ngram_load(path, NULL, &small, &err), &err);
  unlink(path);
  must(sn_ngram_prune(small, 0, SN_PRUNE_STOLCKE, NULL, &pruned, &err), &err);
  check(pruned, "quantised and normalised", order, method);
  sn_ngram_destroy(small);
  sn_ngram_destroy(pruned);
}

static void check_adapted(const sn_ngram *lm, int32_t order, int32_t method) {
  sn_ngram *const other = estimate(4, 3, SN_ESTIMATE_WB, "", "");
  const sn_ngram *const both[] = {lm, other};
  const double weights[] = {0.3, 0.7};
  int64_t counts[N_WORDS + 8] = {0};
  sn_ngram *out = NULL;
  sn_str page = {0};
  sn_reader *r = NULL;
  sn_err err = {0};
  must(sn_ngram_mix(both, weights, 2, NULL, &out, &err), &err);
  check(out, "mixed", order, method);
  sn_ngram_destroy(out);
  assert_true(sn_ngram_n_words(lm) <= N_WORDS + 8);
  counts[sn_ngram_find(lm, "v3")] = 400;
  counts[sn_ngram_eos(lm)] = 100;
  must(sn_ngram_adapt_marginals(lm, counts, 50, 0.7, &out, &err), &err);
  check(out, "marginals", order, method);
  sn_ngram_destroy(out);
  make_text(&page, 8, 20);
  must(sn_reader_memory(page.data, page.n, "page", &r, &err), &err);
  must(sn_ngram_adapt(lm, r, NULL, NULL, &out, NULL, &err), &err);
  check(out, "adapted", order, method);
  sn_ngram_destroy(out);
  sn_reader_destroy(r);
  sn_str_clear(&page);
  sn_ngram_destroy(other);
}

static void test_every_history_of_every_model_sums_to_one(void **state) {
  (void)state;
  static const char *const cut_offs[] = {"", "0,1", "0,0,2", "0,1,2"};
  char vocab[512]; /* temp_path's own are used again */
  snprintf(vocab, sizeof vocab, "%s", temp_path("vocab"));
  FILE *const f = fopen(vocab, "w");
  assert_non_null(f);
  for (int i = 1; i < N_WORDS - 2; i++) fprintf(f, "v%d\n", i);
  fputs("unseen\n", f);
  fclose(f);
  for (int32_t method = SN_ESTIMATE_MKN; method <= SN_ESTIMATE_KATZ; method++)
    for (int32_t order = 1; order <= 5; order++)
      for (int cut = 0; cut < 4; cut++) {
        if (cut > 0 && order < (cut == 1 ? 2 : 3)) continue;
        sn_ngram *const lm =
            estimate(1, order, method, cut_offs[cut], cut == 0 ? vocab : "");
        check(lm, cut_offs[cut], order, method);
        if (order > 1) check_pruned(lm, order, method);
        if (order > 1 && cut == 0) check_quantised(lm, order, method);
        check_adapted(lm, order, method);
        sn_ngram_destroy(lm);
      }
  unlink(vocab);
}

/* The check notices a model that does not sum to one. */
static void test_a_changed_number_is_noticed(void **state) {
  (void)state;
  sn_ngram *const lm = load_text(
      "\\data\\\nngram 1=4\nngram 2=1\n\n\\1-grams:\n-99 <s> -0.2\n"
      "-0.30103 </s>\n-0.60206 a 0.1\n-0.60206 b\n\n\\2-grams:\n-0.3 a b\n\n"
      "\\end\\\n");
  const sn_ngram_state empty = {0, 0}, a = {1, sn_ngram_find(lm, "a")};
  assert_true(fabs(sn_ngram_sum(lm, empty) - 1) < tolerance);
  assert_false(fabs(sn_ngram_sum(lm, a) - 1) < tolerance);
  sn_ngram_destroy(lm);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_history_of_every_model_sums_to_one),
      cmocka_unit_test(test_a_changed_number_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
