/* SPDX-License-Identifier: Apache-2.0 */
/* Estimation: every probability of small random texts against the formulas in
 * dense tables, sums over all histories, any limit of memory, count files,
 * KenLM's files where they are. */
#include <math.h>
#include <unistd.h>

#include "lm_support.h"

#include "base/io.h"
#include "base/mem.h"
#include "lm/count.h"
#include "lm/count_internal.h"
#include "lm/estimate.h"
#include "lm/ngram_internal.h"
#include "tests/ref/estimate_ref.h"

static const sn_estimate_opts mkn = {SN_ESTIMATE_MKN, ""};

static sn_count_opts count_opts(int32_t order, double memory_mb) {
  const sn_count_opts o = {order, memory_mb, "/tmp", "", NULL};
  return o;
}

static sn_status add_text(sn_counts *c, const char *text, sn_err *err) {
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  sn_status s = sn_reader_memory(text, strlen(text), "text", &r, err);
  if (s == SN_OK) s = sn_text_source_create(NULL, &t, err);
  if (s == SN_OK) s = sn_counts_add_text(c, t, r, err);
  sn_text_source_destroy(t);
  sn_reader_destroy(r);
  return s;
}

static sn_counts *count_text(const char *text, const sn_count_opts *o) {
  sn_counts *c = NULL;
  sn_err err = {0};
  must(sn_counts_create(o, NULL, &c, &err), &err);
  must(add_text(c, text, &err), &err);
  return c;
}

static sn_ngram *estimate(sn_counts *c, const sn_estimate_opts *o,
                          sn_estimate_report *report) {
  sn_ngram *lm = NULL;
  sn_err err = {0};
  must(sn_estimate_ngram(c, o, &lm, report, &err), &err);
  sn_counts_destroy(c);
  return lm;
}

/* ---- Against the formulas ---- */

/* Words "a" .. "e" with skewed chances, so that counts of counts are there. */
static int random_sentence(sn_rng *rng, int *words) {
  const int n = 1 + (int)sn_rng_below(rng, 6);
  for (int i = 0; i < n; i++) {
    const double u = sn_rng_uniform(rng);
    words[i] = 3 + (int)(5.0 * u * u * u);
  }
  return n;
}

static char *random_text(uint64_t seed, int n_sentences, estimate_ref *ref,
                         int *ids) {
  sn_rng rng;
  sn_str text = {0};
  sn_rng_init(&rng, seed);
  /* Ids in order of appearance, as the counts give them. */
  for (int v = 0; v < REF_V; v++) ids[v] = v < 3 ? v : -1;
  int next = 3;
  for (int i = 0; i < n_sentences; i++) {
    int words[8];
    const int n = random_sentence(&rng, words);
    for (int j = 0; j < n; j++) {
      must(sn_str_addf(&text, NULL, "%c ", 'a' + words[j] - 3), NULL);
      if (ids[words[j]] < 0) ids[words[j]] = next++;
      words[j] = ids[words[j]];
    }
    must(sn_str_adds(&text, "\n", NULL), NULL);
    if (ref != NULL) ref_add(ref, words, n);
  }
  if (ref != NULL) ref->n_words = next;
  char *const out = strdup(sn_str_get(&text));
  sn_str_clear(&text);
  return out;
}

static void check_history(const sn_ngram *lm, const estimate_ref *ref,
                          const int *history, int n, const char *what) {
  sn_ngram_state at = {0, 0};
  double sum = 0.0;
  int w[REF_N];
  for (int i = 0; i < n; i++) {
    if (history[i] == 1)
      at = sn_ngram_begin(lm);
    else
      (void)sn_ngram_score(lm, at, history[i], &at, NULL);
    w[i] = history[i];
  }
  for (int v = 0; v < ref->n_words; v++) {
    if (v == 1) continue;
    w[n] = v;
    const double want = ref_prob(ref, w, n + 1);
    const double got = exp(sn_ngram_score(lm, at, v, NULL, NULL));
    sum += got;
    /* Floats carry 6e-8 each; a path has at most 4 numbers. Katz divides by
     * 1 - (sum of floats), which is 1e-3 at least here: 1e-4 of it. */
    const double bound = ref->method == SN_ESTIMATE_KATZ ? 1e-4 : 2e-6;
    if (fabs(got - want) > bound * want)
      fail_msg("%s: history of %d, word %d: %.9g, by the formulas %.9g", what,
               n, v, got, want);
  }
  assert_true(fabs(sum - 1.0) < 1e-5);
}

static void check_all(const sn_ngram *lm, const estimate_ref *ref,
                      const char *what) {
  for (int n = 0; n < ref->order; n++)
    for (int c = 0; c < ref_cells(n); c++) {
      int history[REF_N];
      bool is_possible = true;
      for (int i = n - 1, rest = c; i >= 0; i--, rest /= REF_V) {
        history[i] = rest % REF_V;
        is_possible = is_possible && history[i] != 2 &&
                      history[i] < ref->n_words && (history[i] != 1 || i == 0);
      }
      if (is_possible) check_history(lm, ref, history, n, what);
    }
}

static void check_case(int method, int order, int prune, uint64_t seed) {
  static const char *const prunes[] = {"", "0,1", "0,1,2"};
  static const long cuts[][REF_N + 1] = {{0}, {0, 0, 1, 1, 1}, {0, 0, 1, 2, 2}};
  estimate_ref *const ref = calloc(1, sizeof *ref);
  int ids[REF_V];
  ref->order = order;
  ref->method = method;
  memcpy(ref->cut, cuts[prune], sizeof ref->cut);
  char *const text = random_text(seed, 3 + (int)(seed % 5) * 20, ref, ids);
  ref_adjust(ref);
  for (int k = 1; k <= order; k++) ref_discounts(ref, k);
  const sn_count_opts o = count_opts(order, 0.001);
  const sn_estimate_opts how = {method, prunes[prune]};
  sn_estimate_report report;
  sn_ngram *const lm = estimate(count_text(text, &o), &how, &report);
  char what[80];
  snprintf(what, sizeof what, "method %d order %d prune '%s' seed %d", method,
           order, prunes[prune], (int)seed);
  for (int k = 1; k <= report.order; k++)
    if (report.orders[k].is_fallback != ref->is_fallback[k])
      fail_msg("%s: fall-back of order %d", what, k);
  check_all(lm, ref, what);
  sn_ngram_destroy(lm);
  free(text);
  free(ref);
}

static void test_every_probability_is_as_the_formulas_say(void **state) {
  (void)state;
  for (int method = SN_ESTIMATE_MKN; method <= SN_ESTIMATE_KATZ; method++)
    for (int order = 1; order <= REF_N; order++)
      for (int prune = 0; prune < (order >= 3 ? 3 : 1); prune++)
        for (uint64_t seed = 1; seed <= 6; seed++)
          check_case(method, order, prune, seed);
}

/* The oracle can fail: a wrong discount is seen. */
static void test_the_reference_tells_discounts_apart(void **state) {
  (void)state;
  estimate_ref *const ref = calloc(1, sizeof *ref);
  int ids[REF_V];
  const int w[] = {3, 3};
  ref->order = 2;
  ref->method = SN_ESTIMATE_MKN;
  free(random_text(3, 60, ref, ids));
  ref_adjust(ref);
  ref_discounts(ref, 1);
  ref_discounts(ref, 2);
  const double before = ref_prob(ref, w, 2);
  for (int c = 1; c < 8; c++) ref->discount[2][c] += 0.01;
  assert_true(fabs(ref_prob(ref, w, 2) / before - 1.0) > 1e-5);
  free(ref);
}

/* ---- Memory ---- */

static char *estimate_arpa(const char *text, int32_t order, double memory_mb) {
  const sn_count_opts o = count_opts(order, memory_mb);
  sn_counts *const c = count_text(text, &o);
  sn_err err = {0};
  const char *const path = temp_path("memory.arpa");
  must(sn_estimate_arpa(c, &mkn, path, NULL, &err), &err);
  sn_counts_destroy(c);
  char *const arpa = slurp(path, NULL);
  unlink(path);
  return arpa;
}

/* 64 n-grams in memory: hundreds of runs, several passes of merging. */
static void test_memory_changes_no_byte(void **state) {
  (void)state;
  sn_rng rng;
  sn_str text = {0};
  sn_rng_init(&rng, 5);
  for (int i = 0; i < 30000; i++) {
    const double u = sn_rng_uniform(&rng);
    must(sn_str_addf(&text, NULL, "w%d%s", (int)(400.0 * u * u * u),
                     sn_rng_below(&rng, 8) == 0 ? "\n" : " "),
         NULL);
  }
  for (int32_t order = 1; order <= 5; order += 2) {
    char *const want = estimate_arpa(sn_str_get(&text), order, 1024.0);
    char *const got = estimate_arpa(sn_str_get(&text), order, 0.001);
    char *const middle = estimate_arpa(sn_str_get(&text), order, 0.5);
    assert_string_equal(want, got);
    assert_string_equal(want, middle);
    free(want);
    free(got);
    free(middle);
  }
  sn_str_clear(&text);
}

/* ---- Count files ---- */

static void save_counts(const char *text, int32_t order, const char *path) {
  const sn_count_opts o = count_opts(order, 0.001);
  sn_counts *const c = count_text(text, &o);
  sn_err err = {0};
  must(sn_counts_save(c, path, NULL, &err), &err);
  sn_counts_destroy(c);
}

/* Parts counted apart, at a higher order, give the model of the whole. */
static void test_count_files_add_up(void **state) {
  (void)state;
  char *const one = random_text(1, 40, NULL, (int[REF_V]){0});
  char *const two = random_text(2, 50, NULL, (int[REF_V]){0});
  char a[512], b[512];
  snprintf(a, sizeof a, "%s", temp_path("a.counts"));
  snprintf(b, sizeof b, "%s", temp_path("b.counts"));
  save_counts(one, 4, a);
  save_counts(two, 3, b);
  assert_true(sn_counts_is_file(a));
  assert_false(sn_counts_is_file("-"));
  sn_str both = {0};
  must(sn_str_addf(&both, NULL, "%s%s", one, two), NULL);
  const sn_count_opts o = count_opts(3, 1.0);
  sn_counts *c = NULL;
  sn_err err = {0};
  must(sn_counts_create(&o, NULL, &c, &err), &err);
  must(sn_counts_add_file(c, a, &err), &err);
  must(sn_counts_add_file(c, b, &err), &err);
  assert_int_equal(sn_counts_get_totals(c).n_sentences, 90);
  const char *const path = temp_path("sum.arpa");
  must(sn_estimate_arpa(c, &mkn, path, NULL, &err), &err);
  sn_counts_destroy(c);
  char *const got = slurp(path, NULL);
  char *const want = estimate_arpa(sn_str_get(&both), 3, 1.0);
  assert_string_equal(got, want);
  const sn_count_opts higher = count_opts(5, 1.0);
  must(sn_counts_create(&higher, NULL, &c, &err), &err);
  assert_int_equal(sn_counts_add_file(c, a, &err), SN_EMISMATCH);
  sn_counts_destroy(c);
  unlink(path);
  unlink(a);
  unlink(b);
  sn_str_clear(&both);
  free(got);
  free(want);
  free(one);
  free(two);
}

/* A container with one thing wrong in it. */
static void expect_damaged(const char *words, size_t n_words,
                           const uint32_t *ngrams, size_t n, const char *what) {
  const char *const path = temp_path("bad.counts");
  const uint64_t info[4] = {2, 4, 1, 1};
  sn_box_writer *w = NULL;
  sn_err err = {0};
  must(sn_box_create(path, SN_COUNT_MAGIC, SN_COUNT_VERSION, &w, &err), &err);
  must(sn_box_add(w, "info", 8, info, 4, &err), &err);
  must(sn_box_add(w, "words", 1, words, n_words, &err), &err);
  must(sn_box_add(w, "ngrams", 4, ngrams, n, &err), &err);
  must(sn_box_commit(w, &err), &err);
  sn_box_writer_destroy(w);
  const sn_count_opts o = count_opts(2, 1.0);
  sn_counts *c = NULL;
  must(sn_counts_create(&o, NULL, &c, &err), &err);
  const sn_status s = sn_counts_add_file(c, path, &err);
  sn_counts_destroy(c);
  unlink(path);
  if (what == NULL) {
    must(s, &err);
  } else {
    assert_int_equal(s, SN_EFORMAT);
    if (strstr(err.msg, what) == NULL) fail_msg("%s", err.msg);
  }
}

static void test_damaged_count_files_are_refused(void **state) {
  (void)state;
#define WORDS "<unk>\0<s>\0</s>\0a" /* and its NUL */
  static const uint32_t good[] = {3, 2, 1, 0, 1, 3, 1, 0};
  static const uint32_t order[] = {1, 3, 1, 0, 3, 2, 1, 0};
  static const uint32_t twice[] = {1, 3, 1, 0, 1, 3, 1, 0};
  static const uint32_t id[] = {1, 4, 1, 0};
  static const uint32_t bos[] = {3, 1, 1, 0};
  static const uint32_t eos[] = {2, 3, 1, 0};
  static const uint32_t none[] = {1, 3, 0, 0};
  static const uint32_t large[] = {1, 3, 1, 0x00020000};
  static const uint32_t flag[] = {1, 3, 1, 0x80000000};
  expect_damaged(WORDS, sizeof WORDS, good, 8, NULL);
  expect_damaged(WORDS, sizeof WORDS, good, 7, "whole number");
  expect_damaged(WORDS, sizeof WORDS, order, 8, "n-gram 1");
  expect_damaged(WORDS, sizeof WORDS, twice, 8, "n-gram 1");
  expect_damaged(WORDS, sizeof WORDS, id, 4, "n-gram 0");
  expect_damaged(WORDS, sizeof WORDS, bos, 4, "n-gram 0");
  expect_damaged(WORDS, sizeof WORDS, eos, 4, "n-gram 0");
  expect_damaged(WORDS, sizeof WORDS, none, 4, "n-gram 0");
  expect_damaged(WORDS, sizeof WORDS, large, 4, "n-gram 0");
  expect_damaged(WORDS, sizeof WORDS, flag, 4, "n-gram 0");
  expect_damaged(WORDS, sizeof WORDS - 1, good, 8, "word 3");
  expect_damaged("<unk>\0<s>\0</s>\0a b", 18, good, 8, "word 3");
  expect_damaged("<s>\0<unk>\0</s>\0a", 17, good, 8, "word 0");
  expect_damaged("<unk>\0<s>\0</s>\0<s>", 19, good, 8, "word 3");
}

/* ---- The rest ---- */

static void test_wrong_arguments_are_named(void **state) {
  (void)state;
  static const char *const bad[] = {"1", "0,x", "0,2,1", "0,0,0,1", "0,-1"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const sn_count_opts o = count_opts(3, 1.0);
    const sn_estimate_opts how = {SN_ESTIMATE_MKN, bad[i]};
    sn_counts *const c = count_text("a b c\n", &o);
    sn_ngram *lm = NULL;
    sn_err err = {0};
    assert_int_equal(sn_estimate_ngram(c, &how, &lm, NULL, &err), SN_EARG);
    assert_non_null(strstr(err.msg, "--prune="));
    sn_counts_destroy(c);
  }
  const sn_count_opts o = count_opts(3, 1.0);
  sn_counts *const c = count_text("\n \n", &o);
  sn_ngram *lm = NULL;
  assert_int_equal(sn_estimate_ngram(c, &mkn, &lm, NULL, NULL), SN_EFORMAT);
  sn_counts_destroy(c);
}

static void test_words_outside_the_vocabulary_are_unk(void **state) {
  (void)state;
  const char *const path = temp_path("vocab");
  FILE *const f = fopen(path, "w");
  fputs("b\na\n<s>\nb\n\nz\n", f);
  fclose(f);
  sn_count_opts o = count_opts(2, 1.0);
  o.vocab = path;
  sn_counts *const c = count_text("a b q\nq a\n", &o);
  unlink(path);
  assert_int_equal(sn_counts_n_outside(c), 2);
  sn_ngram *const lm = estimate(c, &mkn, NULL);
  assert_int_equal(sn_ngram_n_words(lm), 6); /* with z, which never occurs */
  assert_int_equal(sn_ngram_find(lm, "q"), -1);
  const sn_ngram_state h = {0, 0};
  assert_true(fabs(sn_ngram_sum(lm, h) - 1.0) < 1e-6);
  assert_true(sn_ngram_score(lm, h, sn_ngram_unk(lm), NULL, NULL) >
              sn_ngram_score(lm, h, sn_ngram_find(lm, "z"), NULL, NULL));
  sn_ngram_destroy(lm);
}

static void test_a_missing_temporary_folder_is_an_error(void **state) {
  (void)state;
  sn_count_opts o = count_opts(3, 0.001);
  o.temp = "/nonexistent-folder";
  char *const text = random_text(4, 90, NULL, (int[REF_V]){0});
  sn_counts *c = NULL;
  sn_err err = {0};
  must(sn_counts_create(&o, NULL, &c, &err), &err);
  assert_int_equal(add_text(c, text, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "--temp"));
  sn_counts_destroy(c);
  free(text);
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  const long live = sn_mem_live();
  char *const text = random_text(4, 90, NULL, (int[REF_V]){0});
  const sn_count_opts o = count_opts(3, 0.001);
  for (long k = 0;; k++) {
    sn_counts *c = NULL;
    sn_ngram *lm = NULL;
    sn_mem_fail_after(k);
    sn_status s = sn_counts_create(&o, NULL, &c, NULL);
    if (s == SN_OK) s = add_text(c, text, NULL);
    if (s == SN_OK) s = sn_estimate_ngram(c, &mkn, &lm, NULL, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_ngram_destroy(lm);
    sn_counts_destroy(c);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
  }
  free(text);
}

/* ---- KenLM's files ---- */

static const char *reference(const char *name) {
  static char path[2][600];
  static int which;
  const char *const shared = getenv("SENONE_SHARED");
  char *const p = path[which++ % 2];
  snprintf(p, sizeof path[0], "%s/reference/lm/%s",
           shared != NULL ? shared : "../shared", name);
  return p;
}

/* The number after the words, or 0. */
static double backoff_of(const char *line) {
  const char *const words = strchr(line, '\t');
  const char *const tab = words != NULL ? strchr(words + 1, '\t') : NULL;
  return tab != NULL ? strtod(tab, NULL) : 0.0;
}

/* Every n-gram of KenLM's file, with probability and back-off to 1e-4. */
static void check_kenlm(int32_t order, const char *name) {
  const sn_count_opts o = count_opts(order, 64.0);
  sn_counts *c = NULL;
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  sn_err err = {0};
  must(sn_counts_create(&o, NULL, &c, &err), &err);
  must(sn_reader_open(reference("wp20k.txt.gz"), &r, &err), &err);
  must(sn_text_source_create(NULL, &t, &err), &err);
  must(sn_counts_add_text(c, t, r, &err), &err);
  sn_text_source_destroy(t);
  sn_reader_destroy(r);
  sn_ngram *const lm = estimate(c, &mkn, NULL);
  must(sn_reader_open(reference(name), &r, &err), &err);
  int64_t n = 0;
  for (;;) {
    sn_span line, field;
    bool more;
    must(sn_read_line(r, &line, &more, &err), &err);
    if (!more) break;
    char *tab;
    const double want = strtod(line.p, &tab);
    if (*tab != '\t') continue; /* headings */
    const char *const end = strchr(tab + 1, '\t');
    sn_span rest = {tab, end != NULL ? (size_t)(end - tab) : strlen(tab)};
    int32_t words[SN_NGRAM_MAX_ORDER], k = 0;
    while (sn_next_field(&rest, &field)) {
      char word[256];
      snprintf(word, sizeof word, "%.*s", (int)field.n, field.p);
      words[k] = sn_ngram_find(lm, word);
      assert_true(words[k++] >= 0);
    }
    const int64_t node = sni_find(lm, words, k);
    if (node < 0) fail_msg("'%s' is missing", line.p);
    const double got = sn_ngram_node_logp(lm, k, node) / 2.302585092994045684;
    const double backoff =
        sn_ngram_node_backoff(lm, k, node) / 2.302585092994045684;
    if (fabs(got - want) > 1e-4 || fabs(backoff - backoff_of(line.p)) > 1e-4)
      fail_msg("%g %g, KenLM: %s", got, backoff, line.p);
    n++;
  }
  int64_t n_all = 0;
  for (int32_t k = 1; k <= order; k++) n_all += sn_ngram_count(lm, k);
  assert_int_equal(n, n_all);
  sn_reader_destroy(r);
  sn_ngram_destroy(lm);
}

static void test_order_3_and_5_equal_kenlm(void **state) {
  (void)state;
  if (access(reference("wp20k.txt.gz"), R_OK) != 0) {
    print_message("SKIPPED: no %s (set SENONE_SHARED)\n",
                  reference("wp20k.txt.gz"));
    skip();
  }
  check_kenlm(3, "wp20k.o3.arpa.gz");
  check_kenlm(5, "wp20k.o5.arpa.gz");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_probability_is_as_the_formulas_say),
      cmocka_unit_test(test_the_reference_tells_discounts_apart),
      cmocka_unit_test(test_memory_changes_no_byte),
      cmocka_unit_test(test_count_files_add_up),
      cmocka_unit_test(test_damaged_count_files_are_refused),
      cmocka_unit_test(test_wrong_arguments_are_named),
      cmocka_unit_test(test_words_outside_the_vocabulary_are_unk),
      cmocka_unit_test(test_a_missing_temporary_folder_is_an_error),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
      cmocka_unit_test(test_order_3_and_5_equal_kenlm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
