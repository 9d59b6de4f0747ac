/* SPDX-License-Identifier: Apache-2.0 */
/* The own binary: opened lazily it is safe to use when damaged, verified it
 * names what is damaged. */
#include <math.h>

#include "base/io.h"
#include "base/mem.h"
#include "lm/ngram_internal.h"
#include "lm_support.h"

static char *small_binary(size_t *n) {
  const random_lm o = {3, 6, 0.4, 0.0, 0};
  char *const text = random_arpa(&o, 3);
  sn_ngram *const lm = load_text(text);
  const char *const path = temp_path("small.bin");
  sn_err err = {0};
  must(sn_ngram_save(lm, path, SN_NGRAM_BINARY, NULL, &err), &err);
  char *const data = slurp(path, n);
  unlink(path);
  sn_ngram_destroy(lm);
  free(text);
  return data;
}

/* Everything that can be asked of a model. */
static void use(const sn_ngram *lm) {
  sn_rng rng;
  sn_rng_init(&rng, 4);
  sn_ngram_state at = sn_ngram_begin(lm);
  const int32_t n_words = sn_ngram_n_words(lm);
  for (int i = 0; i < 200; i++) {
    const int32_t w = (int32_t)sn_rng_below(&rng, (uint32_t)n_words);
    (void)sn_ngram_score(lm, at, w, &at, NULL);
    assert_true(strlen(sn_ngram_word(lm, w)) < 1000);
    (void)sn_ngram_find(lm, "w3");
  }
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
    for (int64_t i = 0; i < sn_ngram_count(lm, k); i++) {
      const sn_ngram_state s = {k, i};
      int64_t first;
      if (k < sn_ngram_order(lm)) {
        const int64_t n = sn_ngram_children(lm, s, &first);
        assert_true(first >= 0 && n >= 0 &&
                    first + n <= sn_ngram_count(lm, k + 1));
        for (sn_ngram_state b = s; b.level > 0;) {
          const sn_ngram_state shorter = sn_ngram_backoff_state(lm, b);
          assert_true(shorter.level < b.level);
          b = shorter;
        }
      }
      assert_in_range(sn_ngram_child_word(lm, k, i), 0, n_words - 1);
      (void)sn_ngram_next_state(lm, k, i);
      (void)sn_ngram_node_logp(lm, k, i);
      (void)sn_ngram_node_backoff(lm, k, i);
    }
}

static void write_file(const char *path, const char *data, size_t n) {
  FILE *const f = fopen(path, "wb");
  assert_int_equal(fwrite(data, 1, n, f), n);
  fclose(f);
}

static void test_each_altered_byte_is_refused_when_verified(void **state) {
  (void)state;
  size_t n;
  char *const data = small_binary(&n);
  /* Bytes between sections are padding, which no checksum covers; all others
   * are found. So at most 63 bytes a section are let through: 16 sections. */
  size_t n_unseen = 0;
  for (size_t i = 0; i < n; i++) {
    data[i] ^= (char)(1 << i % 8);
    sn_ngram *lm = NULL;
    sn_err err = {0};
    const sn_status s = sn_ngram_load_memory(data, n, "b", &lm, &err);
    if (s == SN_OK) n_unseen++;
    if (s != SN_OK) {
      assert_int_equal(s, SN_EFORMAT);
      assert_true(strstr(err.msg, "b") != NULL);
    }
    sn_ngram_destroy(lm);
    data[i] ^= (char)(1 << i % 8);
  }
  print_message("%zu of %zu bytes are padding\n", n_unseen, n);
  assert_true(n_unseen <= 63 * 16);
  free(data);
}

static void test_a_damaged_file_that_was_only_opened_is_safe(void **state) {
  (void)state;
  size_t n, n_opened = 0;
  char *const data = small_binary(&n);
  for (size_t i = 0; i < n; i++)
    for (int how = 0; how < 3; how++) {
      const char before = data[i];
      data[i] = how == 0 ? (char)0xff : how == 1 ? 0 : (char)(before ^ 1);
      sn_ngram *lm = NULL;
      sn_err err = {0};
      if (sni_lm_binary_open_memory(data, n, "b", &lm, &err) == SN_OK) {
        n_opened++;
        use(lm);
        const sn_status s = sn_ngram_verify(lm, NULL);
        assert_true(s == SN_OK || s == SN_EFORMAT);
      }
      sn_ngram_destroy(lm);
      data[i] = before;
    }
  assert_true(n_opened > n); /* most bytes are in sections left for later */
  free(data);
}

static void test_each_cut_is_refused(void **state) {
  (void)state;
  size_t n;
  char *const data = small_binary(&n);
  for (size_t cut = 0; cut < n; cut++) {
    sn_ngram *lm = NULL;
    sn_err err = {0};
    assert_int_not_equal(sn_ngram_load_memory(data, cut, "b", &lm, &err),
                         SN_OK);
    assert_null(lm);
  }
  free(data);
}

/* A section with right checksums and wrong content, as a bug or malice would
 * write it: the verifier's own checks. */
typedef struct tamper {
  const char *section, *message;
  size_t element; /* SIZE_MAX: each */
  uint32_t value;
} tamper;

static const char *const sections[][2] = {
    {"info", "8"},   {"words", "1"},     {"word-at", "4"},   {"word-hash", "4"},
    {"logp.1", "4"}, {"backoff.1", "4"}, {"first.1", "4"},   {"logp.2", "4"},
    {"word.2", "4"}, {"suffix.2", "4"},  {"backoff.2", "4"}, {"first.2", "4"},
    {"logp.3", "4"}, {"word.3", "4"},    {"suffix.3", "4"}};

static void rewrite(const char *from, const char *to, const tamper *t) {
  sn_box *box = NULL;
  sn_box_writer *w = NULL;
  sn_err err = {0};
  must(sn_box_open(from, SN_NGRAM_MAGIC, SN_NGRAM_VERSION, &box, &err), &err);
  must(sn_box_create(to, SN_NGRAM_MAGIC, SN_NGRAM_VERSION, &w, &err), &err);
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
    const size_t size = (size_t)strtol(sections[i][1], NULL, 10);
    const void *data;
    size_t n;
    must(sn_box_section(box, sections[i][0], size, 0, &data, &n, &err), &err);
    char *const copy = malloc(n * size + 1);
    memcpy(copy, data, n * size);
    for (size_t e = 0; t != NULL && e < n; e++)
      if (strcmp(sections[i][0], t->section) == 0 &&
          (t->element == e || t->element == SIZE_MAX))
        memcpy(copy + e * size, &t->value, size < 4 ? size : 4);
    must(sn_box_add(w, sections[i][0], size, copy, n, &err), &err);
    free(copy);
  }
  must(sn_box_commit(w, &err), &err);
  sn_box_writer_destroy(w);
  sn_box_destroy(box);
}

static void test_wrong_content_with_right_checksums_is_named(void **state) {
  (void)state;
  static const tamper tampers[] = {
      {"info", "'info'", 0, 0},
      {"info", "'info'", 0, 2},
      {"info", "'info'", 1, 5},
      {"info", "asks for", 3, 4000000},
      {"info", "asks for", 4, 1},
      {"word-at", "'word-hash' does not find", 2, 0},
      {"word-at", "'word-hash' does not find", 2, 0xffffffffu},
      {"word-hash", "'word-hash' does not find", SIZE_MAX, 77},
      {"logp.1", "'logp.1', element 1", 1, 0x7fc00000u},
      {"logp.3", "'logp.3', element 0", 0, 0x7f800000u},
      {"backoff.2", "'backoff.2', element 0", 0, 0x7fc00000u},
      {"first.1", "'first.1', element 0", 0, 1},
      {"first.1", "'first.1', element 1", 1, 0xffffffffu},
      {"first.2", "'first.2'", 1, 0xffffffffu},
      {"word.2", "'word.2'", 0, 6},
      {"word.2", "'word.2'", 0, 0xffffffffu},
      {"suffix.2", "'suffix.2', element 0", 0, 0},
      {"suffix.3", "'suffix.3', element 0", 0, 0xffffffffu}};
  size_t n;
  char *const data = small_binary(&n);
  const char *const from = temp_path("from.bin"), *const to = temp_path("to");
  write_file(from, data, n);
  rewrite(from, to, NULL);
  sn_ngram_destroy(load_path(to));
  for (size_t i = 0; i < sizeof tampers / sizeof *tampers; i++) {
    rewrite(from, to, &tampers[i]);
    sn_ngram *lm = NULL;
    sn_err err = {0};
    if (sn_ngram_load(to, NULL, &lm, &err) == SN_OK)
      fail_msg("tamper %zu was accepted", i);
    if (strstr(err.msg, tampers[i].message) == NULL)
      fail_msg("tamper %zu: '%s' not in '%s'", i, tampers[i].message, err.msg);
    /* Opening alone may succeed; then it must be safe. */
    sn_err_clear(&err);
    if (sn_ngram_open(to, NULL, &lm, &err) == SN_OK) use(lm);
    sn_ngram_destroy(lm);
  }
  unlink(from);
  unlink(to);
  free(data);
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  size_t n;
  char *const data = small_binary(&n);
  const char *const path = temp_path("oom.bin"), *const out = temp_path("o2");
  write_file(path, data, n);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_ngram *lm = NULL;
    sn_err err = {0};
    sn_mem_fail_after(k);
    sn_status s = sn_ngram_load(path, NULL, &lm, &err);
    if (s == SN_OK) s = sn_ngram_save(lm, out, SN_NGRAM_BINARY, NULL, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_ngram_destroy(lm);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
  }
  unlink(path);
  unlink(out);
  free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_altered_byte_is_refused_when_verified),
      cmocka_unit_test(test_a_damaged_file_that_was_only_opened_is_safe),
      cmocka_unit_test(test_each_cut_is_refused),
      cmocka_unit_test(test_wrong_content_with_right_checksums_is_named),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
