/* SPDX-License-Identifier: Apache-2.0 */
/* Classes: the exchange algorithm's gains are what recomputing the likelihood
 * says, what it finds is a local optimum and no worse than the truth; expanded
 * models are the class model by its formula, and sum to one. */
#include <math.h>

#include "base/io.h"
#include "base/mem.h"
#include "lm/classes.h"
#include "lm/count.h"
#include "lm/estimate.h"
#include "lm/exchange.h"
#include "lm/ngram_internal.h"
#include "lm/perplexity.h"
#include "tests/lm/lm_support.h"

/* ---- The exchange algorithm ---- */

enum { N_WORDS = 14, N_CLASSES = 4, N_ALL = N_CLASSES + 3 };

/* F by its definition, from pairs of words. */
static double recompute(const sni_word_pair *pairs, size_t n,
                        const int32_t *class_of) {
  double joint[N_ALL][N_ALL] = {{0}}, left[N_ALL] = {0}, right[N_ALL] = {0};
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    const int32_t a = class_of[pairs[i].first], b = class_of[pairs[i].second];
    joint[a][b] += (double)pairs[i].count;
    left[a] += (double)pairs[i].count;
    right[b] += (double)pairs[i].count;
  }
  for (int a = 0; a < N_ALL; a++)
    for (int b = 0; b < N_ALL; b++)
      if (joint[a][b] > 0)
        sum += joint[a][b] * log(joint[a][b] / left[a] / right[b]);
  return sum;
}

static void test_gains_are_what_recomputing_says(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    sn_rng rng;
    sn_err err = {0};
    sn_rng_init(&rng, seed);
    sni_word_pair pairs[N_WORDS * N_WORDS];
    int32_t class_of[N_WORDS];
    size_t n = 0;
    for (int32_t a = 0; a < N_WORDS; a++)
      for (int32_t b = 0; b < N_WORDS; b++)
        if (a == b || sn_rng_below(&rng, 3) == 0) {
          /* some beyond the table of n ln n */
          const uint32_t most = seed % 4 == 0 ? 200000 : 9;
          const sni_word_pair p = {a, b, 1 + sn_rng_below(&rng, most)};
          pairs[n++] = p;
        }
    for (int32_t w = 0; w < N_WORDS; w++)
      class_of[w] =
          w < 3 ? N_CLASSES + w : (int32_t)sn_rng_below(&rng, N_CLASSES);
    sni_exchange x;
    must(sni_exchange_init(&x, pairs, n, N_WORDS, class_of, N_CLASSES, &err),
         &err);
    for (int step = 0; step < 30; step++) {
      const double before = recompute(pairs, n, class_of);
      /* Sums of some 100 terms n ln n, below 4e6 * 16 each. */
      const double tolerance = 1e-12 * 100 * (seed % 4 == 0 ? 6.4e7 : 1e4);
      assert_true(fabs(sni_exchange_logp(&x) - before) < tolerance);
      const int32_t w = 3 + (int32_t)sn_rng_below(&rng, N_WORDS - 3);
      const int32_t old = class_of[w];
      sni_exchange_take(&x, w);
      for (int32_t k = 0; k < N_CLASSES; k++) {
        class_of[w] = k;
        const double want = recompute(pairs, n, class_of) - before;
        assert_true(fabs(x.gain[k] - x.gain[old] - want) < tolerance);
      }
      class_of[w] = (int32_t)sn_rng_below(&rng, N_CLASSES);
      sni_exchange_put(&x, w, class_of[w]);
    }
    sni_exchange_clear(&x);
  }
}

/* Sentences of three classes in turn: x0 .. x4 y0 .. y4 z0 .. z4, any word of
 * each as likely. */
static void write_text(sn_str *out, int n_sentences) {
  sn_rng rng;
  sn_rng_init(&rng, 7);
  for (int k = 0; k < n_sentences; k++) {
    const uint32_t n = 1 + sn_rng_below(&rng, 2);
    for (uint32_t i = 0; i < 3 * n; i++)
      must(sn_str_addf(out, NULL, "%s%c%u", i > 0 ? " " : "", "xyz"[i % 3],
                       sn_rng_below(&rng, 5)),
           NULL);
    must(sn_str_adds(out, "\n", NULL), NULL);
  }
}

static sn_status count(const sn_str *text, int32_t order, sn_classes *classes,
                       sn_counts **out, sn_err *err) {
  const sn_count_opts o = {order, 1.0, "/tmp", "", classes};
  sn_text_source *t = NULL;
  sn_reader *r = NULL;
  *out = NULL;
  sn_status s = sn_counts_create(&o, NULL, out, err);
  if (s == SN_OK) s = sn_text_source_create(NULL, &t, err);
  if (s == SN_OK) s = sn_reader_memory(text->data, text->n, "text", &r, err);
  if (s == SN_OK) s = sn_counts_add_text(*out, t, r, err);
  sn_reader_destroy(r);
  sn_text_source_destroy(t);
  if (s == SN_OK) return SN_OK;
  sn_counts_destroy(*out);
  *out = NULL;
  return s;
}

static sn_status cluster(const sn_str *text, int32_t n_classes, sn_classes *out,
                         sn_cluster_report *r, sn_err *err) {
  const sn_cluster_opts how = {n_classes, 20};
  sn_counts *c = NULL;
  memset(out, 0, sizeof *out);
  SN_TRY(count(text, 2, NULL, &c, err));
  const sn_status s = sn_classes_cluster(c, &how, NULL, out, r, err);
  sn_counts_destroy(c);
  return s;
}

static void test_classes_of_a_text_are_found(void **state) {
  (void)state;
  sn_str text = {0};
  sn_classes c;
  sn_cluster_report r;
  sn_err err = {0};
  write_text(&text, 600);
  must(cluster(&text, 3, &c, &r, &err), &err);
  assert_int_equal(r.n_words, 15);
  assert_int_equal(r.n_classes, 3);
  assert_true(r.after < r.before);
  for (size_t a = 0; a < 15; a++)
    for (size_t b = 0; b < 15; b++)
      assert_int_equal(c.class_of.data[a] == c.class_of.data[b],
                       sn_symtab_get(c.words, (int32_t)a)[0] ==
                           sn_symtab_get(c.words, (int32_t)b)[0]);
  sn_classes_clear(&c);
  assert_int_equal(cluster(&text, 16, &c, &r, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "16 classes for 15 words"));
  sn_str_clear(&text);
}

/* ---- Class models ---- */

static void read_classes(const char *text, sn_classes *out) {
  sn_reader *r = NULL;
  sn_err err = {0};
  must(sn_reader_memory(text, strlen(text), "classes", &r, &err), &err);
  must(sn_classes_read(r, out, &err), &err);
  sn_reader_destroy(r);
}

static const char some_classes[] =
    "x0\tX\t0.5\nx1\tX\t0.3\nx2\tX\t0.1\nx3\tX\t0.1\nx4\tX\t0\n"
    "y0\tY\t0.25\ny1\tY\t0.25\ny2\tY\t0.5\n\n";

static sn_ngram *class_model(sn_classes *c, int32_t order, int32_t method) {
  sn_str text = {0};
  sn_counts *counts = NULL;
  sn_ngram *lm = NULL;
  sn_estimate_opts how;
  sn_err err = {0};
  write_text(&text, 60);
  sn_opt_defaults(sn_estimate_opt_table, &how);
  how.method = method;
  must(count(&text, order, c, &counts, &err), &err);
  must(sn_estimate_ngram(counts, &how, &lm, NULL, &err), &err);
  sn_counts_destroy(counts);
  sn_str_clear(&text);
  return lm;
}

/* p(w | h) by the formula, over random sentences. */
static void compare(const sn_ngram *lm, const sn_ngram *words,
                    const sn_classes *c, double tolerance) {
  sn_rng rng;
  sn_rng_init(&rng, 3);
  for (int k = 0; k < 200; k++) {
    sn_ngram_state h = sn_ngram_begin(lm), own = sn_ngram_begin(words);
    for (int i = 0; i < 6; i++) {
      char word[8];
      snprintf(word, sizeof word, "%c%u", "xyz"[sn_rng_below(&rng, 3)],
               sn_rng_below(&rng, 4));
      const int32_t m = sn_symtab_finds(c->words, word);
      const char *const token =
          m < 0 ? word : sn_symtab_get(c->names, c->class_of.data[m]);
      const int32_t id = sn_ngram_find(words, word);
      /* y3 of the text is in no class: a word of its own. */
      assert_true(id >= 0);
      const double want =
          sn_ngram_score(lm, h, sn_ngram_find(lm, token), &h, NULL) +
          (m < 0 ? 0 : log(c->prob.data[m]));
      const double got = sn_ngram_score(words, own, id, &own, NULL);
      if (!(fabs(got - want) < tolerance))
        fail_msg("%s: %.7f, not %.7f", word, got, want);
    }
  }
}

static void check_sums(const sn_ngram *lm) {
  for (int32_t k = 0; k < sn_ngram_order(lm); k++)
    for (int64_t i = 0; i < (k == 0 ? 1 : sn_ngram_count(lm, k)); i++) {
      const sn_ngram_state h = {k, i};
      const double sum = sn_ngram_sum(lm, h);
      /* Rounding of some 20 floats. */
      if (!(fabs(sum - 1) < 1e-5))
        fail_msg("history %lld of level %d (order %d): %.7f", (long long)i, k,
                 sn_ngram_order(lm), sum);
    }
}

static int32_t token_of(const sn_ngram *lm, const sn_classes *c,
                        const char *word, double *in_class) {
  const int32_t m = sn_symtab_finds(c->words, word);
  *in_class = m < 0 ? 0 : log(c->prob.data[m]);
  return sn_ngram_find(
      lm, m < 0 ? word : sn_symtab_get(c->names, c->class_of.data[m]));
}

/* What is listed has the class model's probability, and so has what it begins
 * with: n-grams below `level` must be found too. Words that never occur in
 * their class are listed with ARPA's zero. */
static void check_listed(const sn_ngram *words, const sn_ngram *lm,
                         const sn_classes *c, int32_t level) {
  sni_walk walk;
  sni_walk_init(&walk, words, level);
  for (int64_t i = 0; i < sn_ngram_count(words, level); i++) {
    sn_ngram_state h = {0, 0};
    double want = 0, in_class = 0;
    sni_walk_to(&walk, i);
    for (int32_t j = 0; j < level; j++) {
      const char *const word = sn_ngram_word(words, walk.words[j]);
      want = sn_ngram_score(lm, h, token_of(lm, c, word, &in_class), &h, NULL);
    }
    want += in_class;
    const double got = sn_ngram_node_logp(words, level, i);
    /* Words are scaled to sum to one, which they did but for floats. */
    if (isfinite(want) && want > -200 && !(fabs(got - want) < 1e-5))
      fail_msg("n-gram %lld of level %d: %.7f, not %.7f", (long long)i, level,
               got, want);
  }
}

static void test_expanded_models_are_the_class_model(void **state) {
  (void)state;
  static const double thresholds[] = {1e-5, 1e-4, 1e-3, 1e-2};
  for (int32_t order = 1; order <= 5; order++)
    for (int32_t method = SN_ESTIMATE_MKN; method <= SN_ESTIMATE_KATZ;
         method++) {
      sn_classes c;
      sn_ngram *words = NULL;
      sn_err err = {0};
      read_classes(some_classes, &c);
      sn_ngram *const lm = class_model(&c, order, method);
      must(sn_classes_expand(&c, lm, 0, NULL, &words, &err), &err);
      assert_int_equal(sn_ngram_order(words), order);
      assert_true(sn_ngram_find(words, "X") < 0);
      /* Up to 5 floats below 32 in both models: 2e-6 each. */
      compare(lm, words, &c, 2e-5);
      check_sums(words);
      int64_t n_before = sn_ngram_count(words, order);
      sn_ngram_destroy(words);
      for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
        must(sn_classes_expand(&c, lm, thresholds[t], NULL, &words, &err),
             &err);
        check_sums(words);
        for (int32_t k = 2; k <= order; k++) check_listed(words, lm, &c, k);
        if (order > 1) assert_true(sn_ngram_count(words, order) <= n_before);
        n_before = sn_ngram_count(words, order);
        sn_ngram_destroy(words);
      }
      sn_ngram_destroy(lm);
      sn_classes_clear(&c);
    }
}

/* What is left out is what costs least: of two thresholds the finer one is
 * nearer to the class model, in relative entropy over the histories of both. */
static void test_finer_thresholds_are_nearer_to_the_class_model(void **state) {
  (void)state;
  sn_classes c;
  sn_err err = {0};
  double last = -1;
  read_classes(some_classes, &c);
  sn_ngram *const lm = class_model(&c, 3, SN_ESTIMATE_MKN);
  for (int i = 0; i < 3; i++) {
    static const double thresholds[] = {1e-4, 1e-3, 1e-2};
    sn_ngram *words = NULL;
    sn_rng rng;
    double sum = 0;
    must(sn_classes_expand(&c, lm, thresholds[i], NULL, &words, &err), &err);
    sn_rng_init(&rng, 11);
    /* Sentences by the class model itself: x y z in turn, members by their
     * shares. */
    for (int k = 0; k < 2000; k++) {
      sn_ngram_state h = sn_ngram_begin(lm), own = sn_ngram_begin(words);
      for (int j = 0; j < 3; j++) {
        static const char *const members[3][4] = {{"x0", "x0", "x1", "x2"},
                                                  {"y0", "y1", "y2", "y2"},
                                                  {"z0", "z1", "z2", "z3"}};
        const char *const word = members[j][sn_rng_below(&rng, 4)];
        double in_class;
        const int32_t token = token_of(lm, &c, word, &in_class);
        sum += sn_ngram_score(lm, h, token, &h, NULL) + in_class;
        sum -=
            sn_ngram_score(words, own, sn_ngram_find(words, word), &own, NULL);
      }
    }
    assert_true(sum > last);
    last = sum;
    sn_ngram_destroy(words);
  }
  sn_ngram_destroy(lm);
  sn_classes_clear(&c);
}

static void test_perplexity_of_a_class_model_is_that_of_its_words(
    void **state) {
  (void)state;
  sn_classes c;
  sn_ngram *words = NULL;
  sn_err err = {0};
  read_classes(some_classes, &c);
  sn_ngram *const lm = class_model(&c, 3, SN_ESTIMATE_MKN);
  must(sn_classes_expand(&c, lm, 0, NULL, &words, &err), &err);
  const sn_ppl_opts how = {.classes = &c};
  static const char *const lines[] = {"x0 y2 z1", "y0 y1 x3 nothing x0", "z0"};
  double ppl[2];
  for (int i = 0; i < 2; i++) {
    sn_ppl *p = NULL;
    must(sn_ppl_create(i == 0 ? lm : words, i == 0 ? &how : NULL, &p, &err),
         &err);
    for (int k = 0; k < 3; k++)
      must(sn_ppl_add(p, lines[k], strlen(lines[k]), NULL, NULL, &err), &err);
    assert_int_equal(sn_ppl_get_sums(p)->n_oov, 1);
    ppl[i] = sn_ppl_compute(p, true, false);
    sn_ppl_destroy(p);
  }
  assert_true(fabs(ppl[0] / ppl[1] - 1) < 2e-5); /* as above */
  sn_ngram_destroy(words);
  sn_ngram_destroy(lm);
  sn_classes_clear(&c);
}

static void test_words_of_classes_are_counted(void **state) {
  (void)state;
  sn_classes c;
  sn_str text = {0};
  sn_counts *counts = NULL;
  sn_err err = {0};
  must(sn_str_adds(&text, "go a b\na a go\n", NULL), NULL);
  read_classes("a\tC\nb\tC\nd\tC\ngo\tD\n", &c);
  assert_false(c.has_probs);
  must(count(&text, 2, &c, &counts, &err), &err);
  assert_int_equal(sn_counts_n_words(counts), 3 + 2);
  sn_classes_estimate(&c);
  /* 3, 1 and 0 of 4, a half added to each; 2 of 2. */
  const double want[] = {3.5 / 5.5, 1.5 / 5.5, 0.5 / 5.5, 1};
  for (int i = 0; i < 4; i++)
    assert_true(fabs(c.prob.data[i] - want[i]) < 1e-12);
  sn_counts_destroy(counts);
  sn_classes_clear(&c);
  sn_str_clear(&text);
}

/* A vocabulary closes the words that are in no class; counts of words give
 * those of classes, as the text does. */
static void test_vocabularies_and_count_files_go_with_classes(void **state) {
  (void)state;
  static const char text[] = "go a b\nx a go\nb b\n";
  const char *const vocab = temp_path("vocab"), *const path = temp_path("n");
  FILE *const f = fopen(vocab, "w");
  sn_err err = {0};
  sn_str line = {0};
  assert_non_null(f);
  fputs("go\na\n", f);
  fclose(f);
  must(sn_str_adds(&line, text, NULL), NULL);
  for (int is_file = 0; is_file < 2; is_file++) {
    sn_classes c;
    sn_counts *counts = NULL, *words = NULL;
    sn_ngram *lm = NULL;
    sn_estimate_opts how;
    read_classes("a\tC\nb\tC\nd\tC\n", &c);
    const sn_count_opts o = {2, 1.0, "/tmp", vocab, &c};
    must(sn_counts_create(&o, NULL, &counts, &err), &err);
    if (is_file) {
      must(count(&line, 3, NULL, &words, &err), &err);
      must(sn_counts_save(words, path, NULL, &err), &err);
      must(sn_counts_add_file(counts, path, &err), &err);
      sn_counts_destroy(words);
      unlink(path);
    } else {
      sn_text_source *t = NULL;
      sn_reader *r = NULL;
      must(sn_text_source_create(NULL, &t, &err), &err);
      must(sn_reader_memory(text, strlen(text), "text", &r, &err), &err);
      must(sn_counts_add_text(counts, t, r, &err), &err);
      sn_reader_destroy(r);
      sn_text_source_destroy(t);
    }
    assert_int_equal(c.count.data[0], 2);
    assert_int_equal(c.count.data[1], 3);
    assert_int_equal(c.count.data[2], 0);
    assert_int_equal(sn_counts_n_outside(counts), 1);
    sn_opt_defaults(sn_estimate_opt_table, &how);
    how.method = SN_ESTIMATE_WB;
    must(sn_estimate_ngram(counts, &how, &lm, NULL, &err), &err);
    assert_int_equal(sn_ngram_n_words(lm), 3 + 2);
    assert_true(sn_ngram_find(lm, "C") >= 0 && sn_ngram_find(lm, "go") >= 0);
    /* Witten-Bell by hand: 8 words and 3 ends, C 5 times, 4 kinds; the fifth
     * kind has nothing: (5 + 4 / 5) / (11 + 4). */
    const sn_ngram_state empty = {0, 0};
    assert_true(fabs(exp(sn_ngram_score(lm, empty, sn_ngram_find(lm, "C"), NULL,
                                        NULL)) -
                     (5 + 4.0 / 4) / 15) < 1e-6);
    sn_ngram_destroy(lm);
    sn_counts_destroy(counts);
    sn_classes_clear(&c);
  }
  unlink(vocab);
  sn_str_clear(&line);
}

static void test_faulty_class_files_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"a\n", "classes:1: expected word, class"},
      {"a\tX\n\nb c\tX\n", "classes:3: expected word, class"},
      {"a\tX\na\tY\n", "classes:2: 'a' has a class already: 'X'"},
      {"a\tX\t0.5\nb\tX\n", "classes:2: probabilities stand in all lines"},
      {"a\tX\t1.5\n", "classes:1: '1.5' is no probability"},
      {"a\tX\tnan\n", "'nan' is no probability"},
      {"a\tX\t0.5\nb\tX\t0.4\n", "class 'X' sum to 0.9"},
      {"<s>\tX\n", "can be in no class"},
      {"a\tX\nX\tY\n", "'X' is a class and in a class"},
      {"\n", "no classes in it"},
      {"\xff\tX\n", "byte 0 of the line is not UTF-8"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sn_reader *r = NULL;
    sn_classes c;
    sn_err err = {0};
    must(sn_reader_memory(cases[i].text, strlen(cases[i].text), "classes", &r,
                          &err),
         &err);
    assert_int_equal(sn_classes_read(r, &c, &err), SN_EFORMAT);
    if (strstr(err.msg, cases[i].says) == NULL) fail_msg("%s", err.msg);
    sn_reader_destroy(r);
  }
  /* A word both of a class and of the model. */
  sn_classes c;
  sn_ngram *words = NULL;
  sn_err err = {0};
  read_classes("z0\tX\n", &c);
  sn_ngram *const lm = load_text(
      "\\data\\\nngram 1=4\n\n\\1-grams:\n-99 <s>\n-1 </s>\n-1 z0\n-1 X\n\n"
      "\\end\\\n");
  assert_int_equal(sn_classes_expand(&c, lm, 0, NULL, &words, &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "'z0'"));
  sn_ngram_destroy(lm);
  sn_classes_clear(&c);
}

static sn_status use_all(const sn_str *text, sn_err *err) {
  sn_classes c = {0};
  sn_counts *counts = NULL;
  sn_ngram *lm = NULL, *words = NULL;
  sn_estimate_opts how;
  sn_opt_defaults(sn_estimate_opt_table, &how);
  how.method = SN_ESTIMATE_WB;
  sn_status s = cluster(text, 3, &c, NULL, err);
  if (s == SN_OK) s = count(text, 2, &c, &counts, err);
  if (s == SN_OK) s = sn_estimate_ngram(counts, &how, &lm, NULL, err);
  if (s == SN_OK) s = sn_classes_expand(&c, lm, 1e-4, NULL, &words, err);
  sn_ngram_destroy(words);
  sn_ngram_destroy(lm);
  sn_counts_destroy(counts);
  sn_classes_clear(&c);
  return s;
}

static void test_running_out_of_memory_leaks_nothing(void **state) {
  (void)state;
  sn_str text = {0};
  write_text(&text, 20);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_mem_fail_after(k);
    const sn_status s = use_all(&text, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
    assert_true(k < 3000);
  }
  sn_str_clear(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gains_are_what_recomputing_says),
      cmocka_unit_test(test_classes_of_a_text_are_found),
      cmocka_unit_test(test_expanded_models_are_the_class_model),
      cmocka_unit_test(test_finer_thresholds_are_nearer_to_the_class_model),
      cmocka_unit_test(test_perplexity_of_a_class_model_is_that_of_its_words),
      cmocka_unit_test(test_words_of_classes_are_counted),
      cmocka_unit_test(test_vocabularies_and_count_files_go_with_classes),
      cmocka_unit_test(test_faulty_class_files_are_refused),
      cmocka_unit_test(test_running_out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
