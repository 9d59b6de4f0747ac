/* SPDX-License-Identifier: Apache-2.0 */
/* Sphinx binaries: each word's score equals that of sphinx_lm_eval (Debian
 * sphinxbase-utils) on sentences drawn from the model itself and on the
 * transcripts of pocketsphinx-testdata; damaged files are refused. */
#include <math.h>

#include "base/mem.h"
#include "lm_support.h"

#define EN_US "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin"
#define TURTLE "/usr/share/pocketsphinx/test/data/turtle.lm.bin"
#define PHONES "/usr/share/pocketsphinx/model/en-us/en-us-phone.lm.bin"
#define LN_BASE 9.9995000333308335e-05 /* log(1.0001) */

/* A word by the model's own distribution after h: a uniform number walks
 * through the explicit successors; what is left goes to the back-off. */
static int32_t draw_word(const sn_ngram *lm, sn_ngram_state h, sn_rng *rng) {
  for (;;) {
    int64_t first;
    const int64_t n = sn_ngram_children(lm, h, &first);
    double u = sn_rng_uniform(rng);
    for (int64_t i = first; i < first + n; i++) {
      const int32_t w = sn_ngram_child_word(lm, h.level + 1, i);
      u -= exp(sn_ngram_node_logp(lm, h.level + 1, i));
      if (u < 0.0 && w != sn_ngram_bos(lm)) return w;
    }
    if (h.level == 0) continue;
    h = sn_ngram_backoff_state(lm, h);
  }
}

static void draw_sentence(const sn_ngram *lm, sn_rng *rng, FILE *f) {
  sn_ngram_state at = sn_ngram_begin(lm);
  fprintf(f, "<s>");
  for (int n = 0; n < 40; n++) {
    const int32_t w = draw_word(lm, at, rng);
    if (w == sn_ngram_eos(lm)) break;
    fprintf(f, " %s", sn_ngram_word(lm, w));
    sn_ngram_score(lm, at, w, &at, NULL);
  }
  fprintf(f, " </s>\n");
}

static int read_scores(const char *path, const char *sentences, double *score,
                       int max) {
  char command[1024], line[4096];
  snprintf(command, sizeof command,
           "sphinx_lm_eval -verbose yes -lm %s -lsn %s 2>/dev/null", path,
           sentences);
  FILE *const p = popen(command, "r");
  assert_non_null(p);
  int n = 0;
  while (fgets(line, sizeof line, p) != NULL) {
    if (strncmp(line, "log P(", 6) != 0) continue;
    assert_true(n < max);
    const char *const equals = strrchr(line, '=');
    assert_non_null(equals);
    score[n++] = strtod(equals + 1, NULL);
  }
  pclose(p);
  return n;
}

/* The program prints a sentence's words last first. */
static void check_file(const sn_ngram *lm, const char *path,
                       const char *sentences) {
  enum { MAX = 40000 };
  double *const score = calloc(MAX, sizeof *score);
  const int n = read_scores(path, sentences, score, MAX);
  char *const text = slurp(sentences, NULL);
  int at = 0;
  double worst = 0.0;
  for (char *line = strtok(text, "\n"); line != NULL;
       line = strtok(NULL, "\n")) {
    double own[256];
    int n_own = 0;
    sn_ngram_state h = sn_ngram_begin(lm);
    sn_span rest = sn_span_of(line), field;
    while (sn_next_field(&rest, &field)) {
      char word[256];
      snprintf(word, sizeof word, "%.*s", (int)field.n, field.p);
      if (strcmp(word, "<s>") == 0) continue;
      own[n_own++] =
          sn_ngram_score(lm, h, sn_ngram_find(lm, word), &h, NULL) / LN_BASE;
    }
    assert_true(at + n_own <= n);
    for (int i = 0; i < n_own; i++) {
      const double want = score[at + n_own - 1 - i];
      /* It cuts a sum of floats up to 1e5 (rounded by 0.01) to a whole
       * number. */
      const double diff = fabs(own[i] - want);
      if (diff > worst) worst = diff;
      if (diff > 1.01)
        fail_msg("word %d of '%s': %.3f, sphinx_lm_eval %.0f", i, line, own[i],
                 want);
    }
    at += n_own;
  }
  assert_int_equal(at, n);
  print_message("%s: %d words, largest difference %.3f\n", path, n, worst);
  free(text);
  free(score);
}

static void check_drawn(const char *path, int n_sentences) {
  sn_ngram *const lm = load_path(path);
  sn_rng rng;
  sn_rng_init(&rng, 2026);
  const char *const sentences = temp_path("drawn.txt");
  FILE *const f = fopen(sentences, "w");
  for (int i = 0; i < n_sentences; i++) draw_sentence(lm, &rng, f);
  fclose(f);
  check_file(lm, path, sentences);
  unlink(sentences);
  sn_ngram_destroy(lm);
}

static void test_words_of_en_us_score_as_sphinx_lm_eval_says(void **state) {
  (void)state;
  check_drawn(EN_US, 400);
}

static void test_words_of_turtle_score_as_sphinx_lm_eval_says(void **state) {
  (void)state;
  check_drawn(TURTLE, 200);
}

static void test_phones_score_as_sphinx_lm_eval_says(void **state) {
  (void)state;
  check_drawn(PHONES, 100);
}

static void test_transcripts_score_as_sphinx_lm_eval_says(void **state) {
  (void)state;
  static const char *const lines[] = {
      "<s> go forward ten meters </s>",
      "<s> ten of clubs </s>",
      "<s> four queen of clubs </s>",
      "<s> six of hearts queen </s>",
      "<s> they are the ones who want to go to war </s>",
      ("<s> he was not an ill disposed young man unless to be rather cold "
       "hearted and rather selfish is to be ill disposed </s>")};
  const char *const sentences = temp_path("transcripts.txt");
  FILE *const f = fopen(sentences, "w");
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    fprintf(f, "%s\n", lines[i]);
  fclose(f);
  sn_ngram *const lm = load_path(EN_US);
  check_file(lm, EN_US, sentences);
  sn_ngram_destroy(lm);
  unlink(sentences);
}

/* The first byte of the n-grams' bit fields and what lies behind the large
 * quantiser tables, where most altered bytes would only change a weight. */
static void check_damaged(unsigned char *data, size_t n, size_t size) {
  sn_ngram *lm = NULL;
  sn_err err = {0};
  const sn_status s = sn_ngram_load_memory(data, size, "damaged", &lm, &err);
  if (s == SN_OK) {
    /* Whatever it says now, it can be used. */
    sn_ngram_state at = sn_ngram_begin(lm);
    for (int32_t w = 0; w < sn_ngram_n_words(lm); w++)
      (void)sn_ngram_score(lm, at, w, &at, NULL);
  } else {
    assert_null(lm);
    assert_true(err.msg[0] != '\0');
  }
  if (size < n) assert_int_equal(s, SN_EFORMAT);
  sn_ngram_destroy(lm);
}

static void test_cut_and_altered_files_never_crash(void **state) {
  (void)state;
  size_t n;
  unsigned char *const data = (unsigned char *)slurp(TURTLE, &n);
  const size_t tables = 36, tables_end = 36 + 5 * 65536 * 4 - 2 * 65536 * 4;
  for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 1 + n / 100)
    check_damaged(data, n, cut);
  for (size_t cut = n - 200; cut < n; cut++) check_damaged(data, n, cut);
  for (size_t i = 0; i < n; i += i < tables ? 1 : i < tables_end ? 40009 : 7) {
    const unsigned char before = data[i];
    data[i] ^= (unsigned char)(1u << i % 8);
    check_damaged(data, n, n);
    data[i] = 0xff;
    check_damaged(data, n, n);
    data[i] = before;
  }
  free(data);
}

static void test_a_dmp_file_is_named_as_such(void **state) {
  (void)state;
  static const char dmp[] =
      "\x11\0\0\0"
      "Darpa Trigram LM\0\1\0\0\0x";
  sn_ngram *lm = NULL;
  sn_err err = {0};
  assert_int_equal(
      sn_ngram_load_memory(dmp, sizeof dmp - 1, "old.DMP", &lm, &err),
      SN_EFORMAT);
  assert_non_null(strstr(err.msg, "sphinx_lm_convert"));
}

int main(void) {
  if (access(EN_US, R_OK) != 0 || access(TURTLE, R_OK) != 0) {
    printf(
        "SKIPPED: no %s or %s (packages pocketsphinx-en-us and "
        "pocketsphinx-testdata)\n",
        EN_US, TURTLE);
    return 77;
  }
  if (system("command -v sphinx_lm_eval >/dev/null") != 0) {
    printf("SKIPPED: no sphinx_lm_eval (package sphinxbase-utils)\n");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_of_en_us_score_as_sphinx_lm_eval_says),
      cmocka_unit_test(test_words_of_turtle_score_as_sphinx_lm_eval_says),
      cmocka_unit_test(test_phones_score_as_sphinx_lm_eval_says),
      cmocka_unit_test(test_transcripts_score_as_sphinx_lm_eval_says),
      cmocka_unit_test(test_cut_and_altered_files_never_crash),
      cmocka_unit_test(test_a_dmp_file_is_named_as_such),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
