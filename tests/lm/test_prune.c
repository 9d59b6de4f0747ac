/* SPDX-License-Identifier: Apache-2.0 */
/* Entropy pruning against relative entropy as it is defined: on models of a
 * few words, each n-gram is taken out of a plain table, its history's back-off
 * weight computed anew, and the divergence summed over all histories and all
 * words. */
#include <math.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"
#include "lm_support.h"

/* ---- A model of order 3 in dense tables: words 0 = <s>, 1 = </s>, 2 .. ----
 * Histories: NONE, one word, two words. All in double. */
enum { MAX_WORDS = 6 };
typedef struct table {
  int n_words, order;
  bool has_bos;
  double uni[MAX_WORDS];
  bool is_bi[MAX_WORDS][MAX_WORDS];
  double bi[MAX_WORDS][MAX_WORDS], bi_backoff[MAX_WORDS];
  bool is_tri[MAX_WORDS][MAX_WORDS][MAX_WORDS];
  double tri[MAX_WORDS][MAX_WORDS][MAX_WORDS];
  double tri_backoff[MAX_WORDS][MAX_WORDS];
} table;

static int first_word(const table *t) { return t->has_bos ? 1 : 0; }

/* p(w | a), p(w | a b): linear, not logs. */
static double p2(const table *t, int a, int w) {
  return t->is_bi[a][w] ? t->bi[a][w] : t->bi_backoff[a] * t->uni[w];
}

static double p3(const table *t, int a, int b, int w) {
  if (t->is_tri[a][b][w]) return t->tri[a][b][w];
  /* A history that is not in the model has back-off weight 1. */
  return (t->is_bi[a][b] ? t->tri_backoff[a][b] : 1.0) * p2(t, b, w);
}

static void set_backoffs(table *t) {
  for (int a = 0; a < t->n_words; a++) {
    double p = 0.0, q = 0.0;
    for (int w = first_word(t); w < t->n_words; w++)
      if (t->is_bi[a][w]) {
        p += t->bi[a][w];
        q += t->uni[w];
      }
    t->bi_backoff[a] = (1.0 - p) / (1.0 - q);
  }
  for (int a = 0; a < t->n_words; a++)
    for (int b = 0; b < t->n_words; b++) {
      double p = 0.0, q = 0.0;
      for (int w = first_word(t); w < t->n_words; w++)
        if (t->is_tri[a][b][w]) {
          p += t->tri[a][b][w];
          q += p2(t, b, w);
        }
      t->tri_backoff[a][b] = (1.0 - p) / (1.0 - q);
    }
}

/* Random probabilities for a random half of the words, `total` in all; one
 * word at least stays unlisted. */
static void fill(const table *t, sn_rng *rng, double total, bool *is_listed,
                 double *p) {
  double sum = 0.0;
  const int first = first_word(t);
  const int never =
      first + (int)sn_rng_below(rng, (uint32_t)(t->n_words - first));
  for (int w = first; w < t->n_words; w++) {
    is_listed[w] = w != never && sn_rng_below(rng, 2) == 0;
    p[w] = 0.05 + sn_rng_uniform(rng);
    if (is_listed[w]) sum += p[w];
  }
  for (int w = first; w < t->n_words; w++)
    if (is_listed[w]) p[w] *= total / sum;
}

static table random_table(uint64_t seed, int order) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  table t = {
      .n_words = 4 + (int)(seed % 3), .order = order, .has_bos = seed % 4 != 3};
  double sum = 0.0;
  for (int w = first_word(&t); w < t.n_words; w++)
    sum += t.uni[w] = 0.05 + sn_rng_uniform(&rng);
  for (int w = first_word(&t); w < t.n_words; w++) t.uni[w] /= sum;
  for (int a = 0; a < t.n_words; a++)
    fill(&t, &rng, 0.2 + 0.7 * sn_rng_uniform(&rng), t.is_bi[a], t.bi[a]);
  for (int a = 0; a < t.n_words && order > 2; a++)
    for (int b = 0; b < t.n_words; b++)
      if (t.is_bi[a][b])
        fill(&t, &rng, 0.2 + 0.7 * sn_rng_uniform(&rng), t.is_tri[a][b],
             t.tri[a][b]);
  set_backoffs(&t);
  return t;
}

static const char *name_of(const table *t, int w) {
  static const char *const with_bos[] = {"<s>", "</s>", "a", "b", "c", "d"};
  static const char *const without[] = {"e", "f", "a", "b", "c", "d"};
  return (t->has_bos ? with_bos : without)[w];
}

static sn_ngram *model_of(const table *t) {
  sn_str head = {0}, body = {0};
  int n2 = 0, n3 = 0;
  must(sn_str_adds(&body, "\n\\1-grams:\n", NULL), NULL);
  for (int w = 0; w < t->n_words; w++)
    must(sn_str_addf(&body, NULL, "%.15g %s %.15g\n",
                     t->uni[w] > 0.0 ? log10(t->uni[w]) : -99.0, name_of(t, w),
                     log10(t->bi_backoff[w])),
         NULL);
  must(sn_str_adds(&body, "\n\\2-grams:\n", NULL), NULL);
  for (int a = 0; a < t->n_words; a++)
    for (int b = 0; b < t->n_words; b++)
      if (t->is_bi[a][b]) {
        must(sn_str_addf(&body, NULL, "%.15g %s %s", log10(t->bi[a][b]),
                         name_of(t, a), name_of(t, b)),
             NULL);
        if (t->order > 2)
          must(sn_str_addf(&body, NULL, " %.15g", log10(t->tri_backoff[a][b])),
               NULL);
        must(sn_str_adds(&body, "\n", NULL), NULL);
        n2++;
      }
  if (t->order > 2) must(sn_str_adds(&body, "\n\\3-grams:\n", NULL), NULL);
  for (int a = 0; a < t->n_words && t->order > 2; a++)
    for (int b = 0; b < t->n_words; b++)
      for (int w = 0; w < t->n_words; w++)
        if (t->is_tri[a][b][w]) {
          must(sn_str_addf(&body, NULL, "%.15g %s %s %s\n",
                           log10(t->tri[a][b][w]), name_of(t, a), name_of(t, b),
                           name_of(t, w)),
               NULL);
          n3++;
        }
  must(sn_str_addf(&head, NULL, "\\data\\\nngram 1=%d\nngram 2=%d\n",
                   t->n_words, n2),
       NULL);
  if (t->order > 2) must(sn_str_addf(&head, NULL, "ngram 3=%d\n", n3), NULL);
  must(sn_str_adds(&head, sn_str_get(&body), NULL), NULL);
  must(sn_str_adds(&head, "\n\\end\\\n", NULL), NULL);
  sn_ngram *const lm = load_text(sn_str_get(&head));
  sn_str_clear(&head);
  sn_str_clear(&body);
  return lm;
}

/* How often a history occurs: <s> as often as </s>. */
static double p_word(const table *t, int a) {
  return t->has_bos && a == 0 ? t->uni[1] : t->uni[a];
}

/* Sum over all histories of order - 1 words, and all words. */
static double divergence(const table *before, const table *after) {
  double sum = 0.0;
  for (int a = 0; a < before->n_words; a++) {
    if (before->order == 2)
      for (int w = first_word(before); w < before->n_words; w++)
        sum += p_word(before, a) * p2(before, a, w) *
               log(p2(before, a, w) / p2(after, a, w));
    for (int b = first_word(before); b < before->n_words && before->order > 2;
         b++)
      for (int w = first_word(before); w < before->n_words; w++)
        sum += p_word(before, a) * p2(before, a, b) * p3(before, a, b, w) *
               log(p3(before, a, b, w) / p3(after, a, b, w));
  }
  return sum;
}

static bool has(const sn_ngram *lm, const table *t, int n, const int *w) {
  sn_ngram_state h = {0, 0};
  for (int i = 0; i < n; i++) {
    if (h.level == sn_ngram_order(lm)) return false;
    const int32_t id = sn_ngram_find(lm, name_of(t, w[i]));
    int64_t first, c;
    const int64_t count = sn_ngram_children(lm, h, &first);
    for (c = first; c < first + count; c++)
      if (sn_ngram_child_word(lm, i + 1, c) == id) break;
    if (c == first + count) return false;
    h.level = i + 1;
    h.node = c;
    if (h.level == sn_ngram_order(lm) && i + 1 < n) return false;
  }
  return true;
}

/* Kept just below its cost, gone just above. Costs come from float logs:
 * relative error of some 1e-6 divided by the cancellation in the sum, so only
 * costs above 1e-5 are held to 1 %. */
static int check_cost(const sn_ngram *lm, const table *t, int n, const int *w,
                      double cost) {
  if (cost < 1e-5) return 0;
  sn_err err = {0};
  sn_ngram *pruned = NULL;
  must(sn_ngram_prune(lm, expm1(0.99 * cost), SN_PRUNE_STOLCKE, NULL, &pruned,
                      &err),
       &err);
  assert_true(has(pruned, t, n, w));
  sn_ngram_destroy(pruned);
  must(sn_ngram_prune(lm, expm1(1.01 * cost), SN_PRUNE_STOLCKE, NULL, &pruned,
                      &err),
       &err);
  assert_false(has(pruned, t, n, w));
  sn_ngram_destroy(pruned);
  return 1;
}

static void test_costs_are_the_relative_entropy_over_all_histories(
    void **state) {
  (void)state;
  int n_checked = 0;
  for (uint64_t seed = 0; seed < 24; seed++) {
    const table t = random_table(seed, 2 + (int)(seed % 2));
    sn_ngram *const lm = model_of(&t);
    for (int a = 0; a < t.n_words; a++)
      for (int b = 0; b < t.n_words; b++) {
        const int two[] = {a, b};
        if (t.order == 2 && t.is_bi[a][b]) {
          table after = t;
          after.is_bi[a][b] = false;
          set_backoffs(&after);
          n_checked += check_cost(lm, &t, 2, two, divergence(&t, &after));
        }
        for (int w = 0; w < t.n_words && t.order > 2; w++) {
          const int three[] = {a, b, w};
          if (!t.is_tri[a][b][w]) continue;
          table after = t;
          after.is_tri[a][b][w] = false;
          set_backoffs(&after);
          n_checked += check_cost(lm, &t, 3, three, divergence(&t, &after));
        }
      }
    sn_ngram_destroy(lm);
  }
  print_message("%d n-grams\n", n_checked);
  assert_true(n_checked > 200);
}

/* ---- Laws ---- */

static int64_t total(const sn_ngram *lm) {
  int64_t n = 0;
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++) n += sn_ngram_count(lm, k);
  return n;
}

static void check_sums(const sn_ngram *lm) {
  const sn_ngram_state empty = {0, 0};
  /* Float logs of at most 10: each term is off by 1e-6 of itself. */
  assert_true(fabs(sn_ngram_sum(lm, empty) - 1.0) < 1e-5);
  for (int32_t k = 1; k < sn_ngram_order(lm); k++)
    for (int64_t i = 0; i < sn_ngram_count(lm, k); i++) {
      const sn_ngram_state h = {k, i};
      const double sum = sn_ngram_sum(lm, h);
      if (fabs(sum - 1.0) > 1e-5)
        fail_msg("history %d/%lld sums to %.9g", k, (long long)i, sum);
    }
}

/* By each method in turn, see main. */
static sn_prune_method method;

static sn_ngram *prune_to(const sn_ngram *lm, int64_t n, double *threshold) {
  sn_ngram *out = NULL;
  sn_err err = {0};
  must(sn_ngram_prune_to(lm, n, method, NULL, threshold, &out, &err), &err);
  return out;
}

static void test_any_size_is_met_and_each_history_sums_to_one(void **state) {
  (void)state;
  for (uint64_t seed = 20; seed < 26; seed++) {
    const table t = random_table(seed, 3);
    sn_ngram *const lm = model_of(&t);
    check_sums(lm);
    for (int64_t n = t.n_words; n <= total(lm); n++) {
      double threshold = -1.0;
      sn_ngram *const pruned = prune_to(lm, n, &threshold);
      assert_int_equal(total(pruned), n);
      check_sums(pruned);
      assert_true(threshold >= 0.0);
      /* The threshold that it tells gives the same, but for ties; n-grams whose
       * history never occurs (</s> ...) cost 0 and all stay at 0. */
      sn_ngram *again = NULL;
      sn_err err = {0};
      must(sn_ngram_prune(lm, threshold, method, NULL, &again, &err), &err);
      if (threshold > 0.0)
        assert_true(total(again) >= n - 1 && total(again) <= n + 1);
      else
        assert_int_equal(total(again), total(lm));
      sn_ngram_destroy(again);
      sn_ngram_destroy(pruned);
    }
    sn_ngram_destroy(lm);
  }
}

static void test_smaller_models_are_subsets_of_larger_ones(void **state) {
  (void)state;
  const table t = random_table(31, 3);
  sn_ngram *const lm = model_of(&t);
  for (int64_t n = t.n_words + 1; n <= total(lm); n++) {
    sn_ngram *const small = prune_to(lm, n - 1, NULL);
    sn_ngram *const large = prune_to(lm, n, NULL);
    for (int a = 0; a < t.n_words; a++)
      for (int b = 0; b < t.n_words; b++)
        for (int w = 0; w < t.n_words; w++) {
          const int words[] = {a, b, w};
          if (has(small, &t, 2, words)) assert_true(has(large, &t, 2, words));
          if (has(small, &t, 3, words)) {
            assert_true(has(large, &t, 3, words));
            assert_true(has(small, &t, 2, words)); /* its prefix */
          }
        }
    sn_ngram_destroy(small);
    sn_ngram_destroy(large);
  }
  sn_ngram_destroy(lm);
}

static void test_threshold_zero_keeps_every_probability(void **state) {
  (void)state;
  const table t = random_table(40, 3);
  sn_ngram *const lm = model_of(&t);
  sn_ngram *same = NULL;
  sn_err err = {0};
  must(sn_ngram_prune(lm, 0.0, method, NULL, &same, &err), &err);
  assert_int_equal(total(same), total(lm));
  for (int32_t k = 1; k < 3; k++)
    for (int64_t i = 0; i < sn_ngram_count(lm, k); i++)
      for (int32_t w = 1; w < t.n_words; w++) {
        const sn_ngram_state h = {k, i};
        assert_true(fabs(sn_ngram_score(lm, h, w, NULL, NULL) -
                         sn_ngram_score(same, h, w, NULL, NULL)) < 1e-5);
      }
  sn_ngram_destroy(same);
  sn_ngram_destroy(lm);
}

/* Numbers without any sense, sums far above and below one. */
static void test_models_that_do_not_sum_to_one_are_made_to(void **state) {
  (void)state;
  for (int i = 0; i < 12; i++) {
    const random_lm o = {2 + i % 3, 4 + i % 5, 0.2 + 0.2 * (i % 4),
                         i % 2 == 0 ? 0.2 : 0.0, 0};
    char *const text = random_arpa(&o, 500 + (uint64_t)i);
    sn_ngram *const lm = load_text(text);
    const int64_t n = total(lm), n_words = sn_ngram_n_words(lm);
    for (int part = 0; part <= 4; part++) {
      sn_ngram *const pruned =
          prune_to(lm, n_words + (n - n_words) * part / 4, NULL);
      check_sums(pruned);
      sn_ngram_destroy(pruned);
    }
    sn_ngram_destroy(lm);
    free(text);
  }
}

/* ---- Refitting ---- */

/* Relative entropy of b to a, over states of a as a Markov chain that a
 * sentence end leads to <s>; both have the same words. */
typedef struct pair {
  sn_ngram_state a, b;
  double p;
} pair;

static double divergence_of(const sn_ngram *a, const sn_ngram *b) {
  enum { MAX_PAIRS = 400, STEPS = 200 };
  static pair now[MAX_PAIRS], next[MAX_PAIRS];
  const int32_t bos = sn_ngram_bos(a), eos = sn_ngram_eos(a);
  const sn_ngram_state start = {1, bos};
  double sum = 0.0;
  int n = 1;
  now[0] = (pair){start, start, 1.0};
  for (int step = 0; step < 2 * STEPS; step++) {
    int n_next = 0;
    for (int i = 0; i < n; i++)
      for (int32_t w = 0; w < sn_ngram_n_words(a); w++) {
        if (w == bos) continue;
        pair to;
        const double la = sn_ngram_score(a, now[i].a, w, &to.a, NULL);
        const double lb = sn_ngram_score(b, now[i].b, w, &to.b, NULL);
        to.p = now[i].p * exp(la);
        if (step >= STEPS) sum += to.p * (la - lb) / STEPS;
        if (w == eos) to.a = to.b = start;
        int j = 0;
        while (j < n_next && memcmp(&next[j], &to, offsetof(pair, p)) != 0) j++;
        assert_true(j < MAX_PAIRS);
        if (j == n_next) {
          next[n_next++] = to;
        } else {
          next[j].p += to.p;
        }
      }
    memcpy(now, next, (size_t)n_next * sizeof *now);
    n = n_next;
  }
  return sum;
}

static sn_ngram *prune_by(sn_prune_method m, const sn_ngram *lm, int64_t n) {
  const sn_prune_method before = method;
  method = m;
  sn_ngram *const out = prune_to(lm, n, NULL);
  method = before;
  return out;
}

/* The arrays are the model's own, in memory. */
static void set_logp(sn_ngram *lm, int32_t level, int64_t node, float logp) {
  const float *const all = lm->level[level].logp;
  for (size_t i = 0; i < lm->n_own; i++)
    if (lm->own[i] == all) ((float *)lm->own[i])[node] = logp;
}

/* The result of order 2 is the nearest that its structure allows: altering any
 * one probability (and the sums with it) leads away from the model, or gains
 * less than what ten rounds leave, 1e-3 of the divergence. */
static void check_nearest(const sn_ngram *lm, sn_ngram *pruned) {
  const double best = divergence_of(lm, pruned);
  for (int32_t k = 1; k <= sn_ngram_order(pruned); k++)
    for (int64_t i = 0; i < sn_ngram_count(pruned, k); i++)
      for (int up = 0; up < 2; up++) {
        const float was = pruned->level[k].logp[i];
        const float to = was + (up ? 0.02f : -0.02f);
        sn_ngram *other = NULL;
        if (k == 1 && i == sn_ngram_bos(lm)) continue;
        set_logp(pruned, k, i, to);
        must(sn_ngram_prune(pruned, 0.0, SN_PRUNE_STOLCKE, NULL, &other, NULL),
             NULL);
        set_logp(pruned, k, i, was);
        const double d = divergence_of(lm, other);
        if (d < best - 1e-3 * best - 1e-6)
          fail_msg("order %d, node %lld: %g instead of %g", k, (long long)i, d,
                   best);
        sn_ngram_destroy(other);
      }
}

static void test_what_stays_is_as_near_as_it_can_be(void **state) {
  (void)state;
  double refit = 0.0, kept = 0.0;
  for (uint64_t seed = 100; seed < 116; seed++) {
    const table t = random_table(seed, 2 + (int)(seed % 2));
    sn_ngram *const lm = model_of(&t);
    const int64_t all = total(lm);
    for (int64_t n = t.n_words + 1; n < all && t.has_bos; n += 4) {
      sn_ngram *const a = prune_by(SN_PRUNE_REFIT, lm, n);
      sn_ngram *const b = prune_by(SN_PRUNE_STOLCKE, lm, n);
      refit += divergence_of(lm, a);
      kept += divergence_of(lm, b);
      if (t.order == 2) check_nearest(lm, a);
      sn_ngram_destroy(a);
      sn_ngram_destroy(b);
    }
    sn_ngram_destroy(lm);
  }
  print_message("divergence %.4f, with the old probabilities %.4f\n", refit,
                kept);
  assert_true(refit < 0.95 * kept);
}

static void test_bad_arguments_are_refused(void **state) {
  (void)state;
  const table t = random_table(50, 2);
  sn_ngram *const lm = model_of(&t);
  sn_ngram *out = NULL;
  sn_err err = {0};
  assert_int_equal(sn_ngram_prune(lm, -1.0, method, NULL, &out, &err), SN_EARG);
  assert_int_equal(sn_ngram_prune(lm, (double)NAN, method, NULL, &out, NULL),
                   SN_EARG);
  sn_err_clear(&err);
  assert_int_equal(sn_ngram_prune_to(lm, 2, method, NULL, NULL, &out, &err),
                   SN_EARG);
  assert_non_null(strstr(err.msg, "words"));
  assert_null(out);
  sn_ngram_destroy(lm);
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  const table t = random_table(60, 3);
  sn_ngram *const lm = model_of(&t);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_ngram *out = NULL;
    sn_err err = {0};
    sn_mem_fail_after(k);
    const sn_status s =
        sn_ngram_prune_to(lm, 12, method, NULL, NULL, &out, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (fired) assert_int_equal(s, SN_ENOMEM);
    if (fired) assert_null(out);
    sn_ngram_destroy(out);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
  }
  sn_ngram_destroy(lm);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_costs_are_the_relative_entropy_over_all_histories),
      cmocka_unit_test(test_any_size_is_met_and_each_history_sums_to_one),
      cmocka_unit_test(test_smaller_models_are_subsets_of_larger_ones),
      cmocka_unit_test(test_threshold_zero_keeps_every_probability),
      cmocka_unit_test(test_models_that_do_not_sum_to_one_are_made_to),
      cmocka_unit_test(test_what_stays_is_as_near_as_it_can_be),
      cmocka_unit_test(test_bad_arguments_are_refused),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  int n_failed = 0;
  method = SN_PRUNE_REFIT;
  n_failed += cmocka_run_group_tests(tests, NULL, NULL);
  method = SN_PRUNE_STOLCKE;
  n_failed += cmocka_run_group_tests(tests, NULL, NULL);
  return n_failed;
}
