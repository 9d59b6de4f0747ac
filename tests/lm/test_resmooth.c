/* SPDX-License-Identifier: Apache-2.0 */
/* Counts found again in models, against those of the text that the models were
 * made from; corrected probabilities against the formula with these counts. */
#include <math.h>

#include "lm_support.h"

#include "base/io.h"
#include "base/mem.h"
#include "lm/count.h"
#include "lm/estimate.h"
#include "lm/prune_internal.h"

enum { N_WORDS = 6000, BITS = 13, BOS = 0, EOS = 1, MAX_TOKENS = 120000 };

/* A text as numbers: sentences of BOS, words from 2, EOS. */
typedef struct numbers {
  int32_t w[MAX_TOKENS];
  size_t n;
  char *text;
} numbers;

static int32_t next_word(sn_rng *rng, int32_t before) {
  /* Few words are frequent, many occur once; half of them follow from the one
   * before. */
  const double u = sn_rng_uniform(rng);
  const int32_t any = 2 + (int32_t)pow(N_WORDS - 2, u);
  if (sn_rng_below(rng, 2) == 0) return any;
  return 2 + (before * 31 + (int32_t)sn_rng_below(rng, 3) * 17) % N_WORDS;
}

static numbers *random_numbers(uint64_t seed, int n_sentences) {
  numbers *const x = calloc(1, sizeof *x);
  sn_str text = {0};
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (int i = 0; i < n_sentences; i++) {
    const int n = 1 + (int)sn_rng_below(&rng, 12);
    assert_true(x->n + (size_t)n + 2 <= MAX_TOKENS);
    x->w[x->n++] = BOS;
    for (int j = 0; j < n; j++, x->n++) {
      x->w[x->n] = next_word(&rng, x->w[x->n - 1]);
      must(sn_str_addf(&text, NULL, "w%d ", (int)x->w[x->n]), NULL);
    }
    x->w[x->n++] = EOS;
    must(sn_str_adds(&text, "\n", NULL), NULL);
  }
  x->text = strdup(sn_str_get(&text));
  sn_str_clear(&text);
  return x;
}

static void numbers_destroy(numbers *x) {
  free(x->text);
  free(x);
}

static sn_ngram *estimate(const numbers *x, int32_t order,
                          sn_estimate_method how, const char *cut_offs) {
  const sn_count_opts o = {order, 64.0, "/tmp", "", NULL};
  const sn_estimate_opts e = {how, cut_offs};
  sn_err err = {0};
  sn_counts *c = NULL;
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  sn_ngram *lm = NULL;
  must(sn_counts_create(&o, NULL, &c, &err), &err);
  must(sn_reader_memory(x->text, strlen(x->text), "text", &r, &err), &err);
  must(sn_text_source_create(NULL, &t, &err), &err);
  must(sn_counts_add_text(c, t, r, &err), &err);
  must(sn_estimate_ngram(c, &e, &lm, NULL, &err), &err);
  sn_text_source_destroy(t);
  sn_reader_destroy(r);
  sn_counts_destroy(c);
  return lm;
}

/* ---- Counts of the text ---- */

/* n-grams as one number, sorted; the last word lowest. */
typedef struct grams {
  uint64_t *key;
  size_t n;
} grams;

static int compare_keys(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static grams grams_of(const numbers *x, int k) {
  grams g = {calloc(x->n, sizeof(uint64_t)), 0};
  for (size_t i = 0; i + (size_t)k <= x->n; i++) {
    uint64_t key = 0;
    bool is_inside = true;
    for (size_t j = i; j < i + (size_t)k; j++) {
      is_inside = is_inside && (j == i || x->w[j] != BOS);
      key = key << BITS | (uint64_t)x->w[j];
    }
    if (is_inside) g.key[g.n++] = key;
  }
  qsort(g.key, g.n, sizeof *g.key, compare_keys);
  return g;
}

/* How often the number is there. */
static int64_t occurs(const grams *g, uint64_t key) {
  size_t low = 0, high = g->n;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (g->key[middle] < key)
      low = middle + 1;
    else
      high = middle;
  }
  int64_t n = 0;
  while (low + (size_t)n < g->n && g->key[low + (size_t)n] == key) n++;
  return n;
}

/* The longer n-grams without their first words, each kind once. */
static grams kinds_behind(const grams *longer, int k) {
  grams g = {calloc(longer->n, sizeof(uint64_t)), 0};
  for (size_t i = 0; i < longer->n; i++)
    if (i == 0 || longer->key[i] != longer->key[i - 1])
      g.key[g.n++] = longer->key[i] & ((UINT64_C(1) << BITS * k) - 1);
  qsort(g.key, g.n, sizeof *g.key, compare_keys);
  return g;
}

static uint64_t number_of(const sn_ngram *lm, int32_t id) {
  const char *const word = sn_ngram_word(lm, id);
  if (strcmp(word, "<s>") == 0) return BOS;
  if (strcmp(word, "</s>") == 0) return EOS;
  return (uint64_t)strtol(word + 1, NULL, 10);
}

/* ---- Weights of our own ---- */

static sni_weights weights_of(const sn_ngram *lm) {
  sni_weights w = {.lm = lm};
  sn_err err = {0};
  for (int32_t k = 1; k <= lm->order; k++) {
    const size_t n = (size_t)lm->level[k].n;
    w.logp[k] = calloc(n, sizeof(float));
    memcpy(w.logp[k], lm->level[k].logp, n * sizeof(float));
    if (k == lm->order) break;
    w.backoff[k] = calloc(n, sizeof(float));
    w.excess[k] = calloc(n, sizeof(float));
  }
  for (int32_t k = 1; k < lm->order; k++)
    must(sni_normalise_level(&w, k, NULL, &err), &err);
  return w;
}

static void weights_clear(sni_weights *w) {
  for (int32_t k = 1; k <= w->lm->order; k++) {
    free(w->logp[k]);
    free(w->backoff[k]);
    free(w->excess[k]);
  }
}

static bool find(sni_model_counts *m, const sn_ngram *lm) {
  sn_err err = {0};
  bool found = false;
  sni_weights w = weights_of(lm);
  must(sni_model_counts_find(m, &w, &found, NULL, &err), &err);
  weights_clear(&w);
  return found;
}

/* Every count of level k that was found is the text's. Returns how many were
 * not found. */
static int64_t check_counts(const sni_model_counts *m, const sn_ngram *lm,
                            int32_t k, const grams *raw, const grams *kinds) {
  int64_t n_lost = 0;
  sni_walk walk;
  sni_walk_init(&walk, lm, k);
  for (int64_t i = 0; i < lm->level[k].n; i++) {
    uint64_t key = 0;
    sni_walk_to(&walk, i);
    for (int32_t j = 0; j < k; j++)
      key = key << BITS | number_of(lm, walk.words[j]);
    const bool begins = walk.words[0] == lm->bos;
    const int64_t want = occurs(kinds == NULL || begins ? raw : kinds, key);
    if (m->count[k][i] == 0)
      n_lost++;
    else
      assert_int_equal(m->count[k][i], want);
  }
  return n_lost;
}

static void test_counts_are_the_texts(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 6; seed++) {
    numbers *const x = random_numbers(seed, 3000 + 500 * (int)seed);
    const int32_t order = seed % 2 == 0 ? 2 : 3;
    const sn_estimate_method how[] = {SN_ESTIMATE_MKN, SN_ESTIMATE_KN,
                                      SN_ESTIMATE_ABS};
    const bool is_kn = seed % 3 != 2;
    sn_ngram *const lm = estimate(x, order, how[seed % 3], "");
    sni_model_counts m = {0};
    assert_true(find(&m, lm));
    const grams two = grams_of(x, 2), three = grams_of(x, 3);
    const grams kinds = kinds_behind(&three, 2);
    if (order == 3) {
      const int64_t lost = check_counts(&m, lm, 3, &three, NULL);
      assert_true(lost * 100 <= lm->level[3].n);
    }
    const int64_t lost =
        check_counts(&m, lm, 2, &two, order == 3 && is_kn ? &kinds : NULL);
    assert_true(lost * 100 <= lm->level[2].n);
    free(two.key);
    free(three.key);
    free(kinds.key);
    sni_model_counts_clear(&m);
    sn_ngram_destroy(lm);
    numbers_destroy(x);
  }
}

static void refuse(sn_ngram *lm) {
  sni_model_counts m = {0};
  sn_err err = {0};
  bool is_done = true;
  assert_false(find(&m, lm));
  sni_model_counts_clear(&m);
  sni_weights w = weights_of(lm), same = weights_of(lm);
  must(sni_resmooth(&w, &is_done, NULL, &err), &err);
  assert_false(is_done);
  for (int32_t k = 1; k <= lm->order; k++)
    assert_memory_equal(w.logp[k], same.logp[k],
                        (size_t)lm->level[k].n * sizeof(float));
  weights_clear(&w);
  weights_clear(&same);
  sn_ngram_destroy(lm);
}

static void test_other_models_stay_as_they_are(void **state) {
  (void)state;
  numbers *const x = random_numbers(7, 6000);
  refuse(estimate(x, 3, SN_ESTIMATE_MKN, "0,0,1"));
  refuse(estimate(x, 3, SN_ESTIMATE_MKN, "0,1,1"));
  refuse(estimate(x, 3, SN_ESTIMATE_KATZ, ""));
  refuse(estimate(x, 3, SN_ESTIMATE_WB, ""));
  refuse(estimate(x, 1, SN_ESTIMATE_MKN, ""));
  sn_ngram *const lm = estimate(x, 3, SN_ESTIMATE_MKN, "");
  sn_ngram *pruned = NULL;
  sn_err err = {0};
  int64_t n = 0;
  for (int32_t k = 1; k <= 3; k++) n += sn_ngram_count(lm, k);
  must(sn_ngram_prune_to(lm, n - n / 20, SN_PRUNE_STOLCKE, NULL, NULL, &pruned,
                         &err),
       &err);
  sn_ngram_destroy(lm);
  refuse(pruned);
  numbers_destroy(x);
}

/* ---- The formula, for order 2 ---- */

static int class_by_hand(int64_t c) {
  int class = 7;
  if (c < 7) return (int)c;
  /* 7 x 2 ** (i / 2) and more */
  for (int i = 1; (double)c >= 7.0 * pow(2.0, i / 2.0); i++) class = 7 + i;
  return class;
}

static int group_by_hand(double e) {
  int g = 0;
  for (; g < 31 && e >= pow(4.0, g - 24 + 1); g++)
    ;
  return g;
}

typedef struct sums_by_hand {
  double seen, expected;
} sums_by_hand;

static void check_formula(uint64_t seed) {
  static sums_by_hand t[64][32];
  numbers *const x = random_numbers(seed, 5000);
  sn_ngram *const lm = estimate(x, 2, SN_ESTIMATE_MKN, "");
  const grams two = grams_of(x, 2);
  sni_weights w = weights_of(lm);
  sn_err err = {0};
  bool is_done = false;
  must(sni_resmooth(&w, &is_done, NULL, &err), &err);
  assert_true(is_done);
  /* Discounts by the closed form. */
  double n_r[5] = {0.0}, d[4] = {0.0};
  const size_t n = (size_t)lm->level[2].n;
  int64_t *const count = calloc(n, sizeof *count);
  double *const e = calloc(n, sizeof *e);
  sni_walk walk;
  sni_walk_init(&walk, lm, 2);
  for (size_t i = 0; i < n; i++) {
    sni_walk_to(&walk, (int64_t)i);
    count[i] = occurs(&two, number_of(lm, walk.words[0]) << BITS |
                                number_of(lm, walk.words[1]));
    if (count[i] < 5) n_r[count[i]] += 1.0;
  }
  const double y = n_r[1] / (n_r[1] + 2.0 * n_r[2]);
  for (int r = 1; r <= 3; r++) d[r] = r - (r + 1) * y * n_r[r + 1] / n_r[r];
  memset(t, 0, sizeof t);
  for (int64_t h = 0; h < lm->level[1].n; h++) {
    const sn_ngram_state s = {1, h};
    int64_t first;
    const int64_t n_behind = sn_ngram_children(lm, s, &first);
    double taken = 0.0;
    for (int64_t i = first; i < first + n_behind; i++)
      taken += d[count[i] < 3 ? count[i] : 3];
    for (int64_t i = first; i < first + n_behind; i++) {
      e[i] = taken * exp((double)lm->level[1].logp[lm->level[2].word[i]]);
      const int g = group_by_hand(e[i]);
      if (count[i] > 1)
        t[class_by_hand(count[i] - 1)][g].seen += (double)count[i];
      t[class_by_hand(count[i])][g].expected +=
          (double)count[i] - d[count[i] < 3 ? count[i] : 3] + e[i];
    }
  }
  for (int64_t h = 0; h < lm->level[1].n; h++) {
    const sn_ngram_state s = {1, h};
    int64_t first;
    const int64_t n_behind = sn_ngram_children(lm, s, &first);
    double before = 0.0, after = 0.0, p[N_WORDS + 8];
    for (int64_t i = 0; i < n_behind; i++) {
      const sums_by_hand *const of =
          &t[class_by_hand(count[first + i])][group_by_hand(e[first + i])];
      p[i] = exp((double)lm->level[2].logp[first + i]);
      before += p[i];
      p[i] *= (of->seen + 100.0) / (of->expected + 100.0);
      after += p[i];
    }
    const double most = 1.0 - 0.5 * (1.0 - before);
    for (int64_t i = 0; i < n_behind; i++) {
      if (after > most) p[i] *= most / after;
      /* One n-gram at the border of its group is in the other one by rounding:
       * 1 of 100 and more. Else floats. */
      assert_true(fabs((double)w.logp[2][first + i] - log(p[i])) < 2e-2);
    }
  }
  free(count);
  free(e);
  free(two.key);
  weights_clear(&w);
  sn_ngram_destroy(lm);
  numbers_destroy(x);
}

static void test_good_turing_by_class_and_group(void **state) {
  (void)state;
  for (uint64_t seed = 11; seed < 14; seed++) check_formula(seed);
}

/* ---- Pruned, it sums to one and does not depend on chance ---- */

static void test_pruned_models_sum_to_one(void **state) {
  (void)state;
  numbers *const x = random_numbers(21, 5000);
  sn_ngram *const lm = estimate(x, 3, SN_ESTIMATE_MKN, "");
  int64_t n = 0;
  for (int32_t k = 1; k <= 3; k++) n += sn_ngram_count(lm, k);
  for (int part = 1; part <= 3; part++) {
    sn_ngram *pruned = NULL;
    sn_err err = {0};
    const int64_t n_words = sn_ngram_n_words(lm);
    must(sn_ngram_prune_to(lm, n_words + (n - n_words) * part / 3,
                           SN_PRUNE_REFIT, NULL, NULL, &pruned, &err),
         &err);
    for (int32_t k = 1; k < pruned->order; k++)
      for (int64_t i = 0; i < pruned->level[k].n; i += 37) {
        const sn_ngram_state h = {k, i};
        double sum = 0.0;
        for (int32_t w = 0; w < sn_ngram_n_words(pruned); w++)
          if (w != pruned->bos)
            sum += exp(sn_ngram_score(pruned, h, w, NULL, NULL));
        /* 6,000 floats of 6e-8 each, and what back-off weights do to them. */
        assert_true(fabs(sum - 1.0) < 1e-4);
      }
    sn_ngram_destroy(pruned);
  }
  sn_ngram_destroy(lm);
  numbers_destroy(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_counts_are_the_texts),
      cmocka_unit_test(test_other_models_stay_as_they_are),
      cmocka_unit_test(test_good_turing_by_class_and_group),
      cmocka_unit_test(test_pruned_models_sum_to_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
