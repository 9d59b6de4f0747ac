/* SPDX-License-Identifier: Apache-2.0 */
/* Word for word against KenLM's query program (commit 4cb443e6) on models of
 * order 3 and 5 with 12,020 words; and the perplexity of the same text under
 * models that are estimated here. Reference data from $SENONE_SHARED; skipped
 * without it. */
#include <math.h>

#include "base/io.h"
#include "lm/estimate.h"
#include "lm/perplexity.h"
#include "lm_support.h"

#define LN10 2.302585092994045684

static const char *reference(const char *name) {
  static char path[2][512];
  static int which;
  const char *const dir = getenv("SENONE_SHARED");
  char *const p = path[which++ % 2];
  snprintf(p, sizeof path[0], "%s/reference/lm/%s",
           dir != NULL ? dir : "../shared", name);
  return p;
}

/* "word=id order log10p", fields of a line separated by TAB. */
static void check_line(const sn_ngram *lm, const char *line, long line_no,
                       long *n_words) {
  sn_ngram_state at = sn_ngram_begin(lm);
  while (strncmp(line, "Total:", 6) != 0) {
    const size_t n = strcspn(line, "\t");
    char field[512];
    memcpy(field, line, n);
    field[n] = '\0';
    line += n + 1;
    char *const numbers = strchr(field, ' ');
    assert_non_null(numbers);
    *numbers = '\0';
    *strrchr(field, '=') = '\0';
    char *end;
    const long want_order = strtol(numbers + 1, &end, 10);
    const double want = strtod(end, NULL);
    int32_t matched;
    const int32_t word = sn_ngram_find(lm, field);
    const double got = sn_ngram_score(lm, at, word, &at, &matched) / LN10;
    /* 7 printed digits of numbers up to 99, summed from floats there. */
    if (fabs(got - want) > 1e-4 || matched != want_order)
      fail_msg("line %ld, '%s': order %d, %.7f; KenLM: order %ld, %.7f",
               line_no, field, matched, got, want_order, want);
    (*n_words)++;
  }
}

static void check_model(const char *model, const char *query) {
  sn_ngram *const lm = load_path(reference(model));
  sn_reader *r = NULL;
  sn_err err = {0};
  must(sn_reader_open(reference(query), &r, &err), &err);
  long n_words = 0, n_lines = 0;
  for (;;) {
    sn_span line;
    bool more;
    must(sn_read_line(r, &line, &more, &err), &err);
    if (!more) break;
    n_lines++;
    if (strstr(line.p, "Total:") != NULL)
      check_line(lm, line.p, n_lines, &n_words);
  }
  print_message("%s: %ld words of %ld lines\n", model, n_words, n_lines);
  assert_true(n_words > 1000);
  sn_reader_destroy(r);
  sn_ngram_destroy(lm);
}

static void test_order_3_equals_kenlm(void **state) {
  (void)state;
  check_model("wp20k.o3.arpa.gz", "wp20k.o3.query.txt.gz");
}

static void test_order_5_equals_kenlm(void **state) {
  (void)state;
  check_model("wp20k.o5.arpa.gz", "wp20k.o5.query.txt.gz");
}

/* ---- The text's perplexity under a model of our own ---- */

/* "Perplexity including OOVs:\t204.3": the number behind the last such line. */
static double kenlm_figure(const char *query, const char *what) {
  sn_reader *r = NULL;
  sn_err err = {0};
  double figure = 0.0;
  must(sn_reader_open(reference(query), &r, &err), &err);
  for (;;) {
    sn_span line;
    bool more;
    must(sn_read_line(r, &line, &more, &err), &err);
    if (!more) break;
    if (strncmp(line.p, what, strlen(what)) == 0)
      figure = strtod(line.p + strlen(what), NULL);
  }
  sn_reader_destroy(r);
  assert_true(figure > 1.0);
  return figure;
}

static sn_ngram *estimated(int32_t order) {
  const sn_count_opts opts = {
      .order = order, .memory_mb = 256, .temp = "/tmp", .vocab = ""};
  const sn_estimate_opts how = {.method = SN_ESTIMATE_MKN, .prune = ""};
  sn_counts *c = NULL;
  sn_text_source *t = NULL;
  sn_reader *r = NULL;
  sn_ngram *lm = NULL;
  sn_err err = {0};
  must(sn_counts_create(&opts, NULL, &c, &err), &err);
  must(sn_text_source_create(NULL, &t, &err), &err);
  must(sn_reader_open(reference("wp20k.txt.gz"), &r, &err), &err);
  must(sn_counts_add_text(c, t, r, &err), &err);
  must(sn_estimate_ngram(c, &how, &lm, NULL, &err), &err);
  sn_reader_destroy(r);
  sn_text_source_destroy(t);
  sn_counts_destroy(c);
  return lm;
}

/* Equal to 4 significant digits: both round to the same number. */
static void check_digits(const char *what, double got, double want) {
  char a[32], b[32];
  snprintf(a, sizeof a, "%.4g", got);
  snprintf(b, sizeof b, "%.4g", want);
  if (strcmp(a, b) != 0)
    fail_msg("perplexity %s OOVs: %.4f, KenLM: %.4f", what, got, want);
}

static void check_perplexity(int32_t order, const char *query) {
  sn_ngram *const lm = estimated(order);
  sn_ppl *p = NULL;
  sn_reader *r = NULL;
  sn_err err = {0};
  must(sn_ppl_create(lm, NULL, &p, &err), &err);
  must(sn_reader_open(reference("wp_test200.txt.gz"), &r, &err), &err);
  must(sn_ppl_add_text(p, r, NULL, NULL, &err), &err);
  assert_int_equal(sn_ppl_get_sums(p)->n_oov, 45);
  check_digits("without", sn_ppl_compute(p, true, false),
               kenlm_figure(query, "Perplexity excluding OOVs:"));
  check_digits("with", sn_ppl_compute(p, true, true),
               kenlm_figure(query, "Perplexity including OOVs:"));
  sn_reader_destroy(r);
  sn_ppl_destroy(p);
  sn_ngram_destroy(lm);
}

static void test_own_order_3_has_kenlms_perplexity(void **state) {
  (void)state;
  check_perplexity(3, "wp20k.o3.query.txt.gz");
}

static void test_own_order_5_has_kenlms_perplexity(void **state) {
  (void)state;
  check_perplexity(5, "wp20k.o5.query.txt.gz");
}

int main(void) {
  if (access(reference("wp20k.o3.arpa.gz"), R_OK) != 0) {
    printf("SKIPPED: no %s (set SENONE_SHARED)\n",
           reference("wp20k.o3.arpa.gz"));
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order_3_equals_kenlm),
      cmocka_unit_test(test_order_5_equals_kenlm),
      cmocka_unit_test(test_own_order_3_has_kenlms_perplexity),
      cmocka_unit_test(test_own_order_5_has_kenlms_perplexity),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
