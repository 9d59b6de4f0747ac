/* SPDX-License-Identifier: Apache-2.0 */
/* The fast and the small binary against the plain trie: same scores, same
 * structure, round trips, quantising, damage, failed allocations. */
#include <math.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"
#include "lm_support.h"

static random_lm options(int i) {
  const random_lm o = {.order = 1 + i % 5,
                       .n_words = 3 + i % 9,
                       .keep = i % 5 < 3 ? 0.5 : 0.2,
                       .missing_prefixes = i % 3 == 0 ? 0.25 : 0.0,
                       .shuffle = i % 2};
  return o;
}
#define N_MODELS 30

static sn_ngram *random_model(int i) {
  const random_lm o = options(i);
  char *const text = random_arpa(&o, (uint64_t)i + 100);
  sn_ngram *const lm = load_text(text);
  free(text);
  return lm;
}

static char *bytes_of(const sn_ngram *lm, sn_ngram_format format, int bits,
                      size_t *n) {
  const char *const path = temp_path("formats.bin");
  sn_err err = {0};
  if (format == SN_NGRAM_SMALL)
    must(sn_ngram_save_small(lm, path, bits, NULL, &err), &err);
  else
    must(sn_ngram_save(lm, path, format, NULL, &err), &err);
  char *const data = slurp(path, n);
  unlink(path);
  return data;
}

static sn_ngram *reopened(const sn_ngram *lm, sn_ngram_format format,
                          int bits) {
  size_t n;
  char *const data = bytes_of(lm, format, bits, &n);
  sn_ngram *out = NULL;
  sn_err err = {0};
  must(sn_ngram_load_memory(data, n, "bytes", &out, &err), &err);
  free(data);
  return out;
}

/* Random sentences, some of them empty, with words that the models lack:
 * together in b as word by word in a, bit for bit. */
static void check_batch(const sn_ngram *a, const sn_ngram *b, uint64_t seed) {
  enum { N_SENTENCES = 80, MAX_WORDS = 12 };
  sn_ngram_token tokens[N_SENTENCES * MAX_WORDS];
  size_t starts[N_SENTENCES + 1] = {0};
  const uint32_t n_words = (uint32_t)sn_ngram_n_words(a);
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (size_t i = 0; i < N_SENTENCES; i++) {
    size_t n = starts[i];
    for (uint32_t k = sn_rng_below(&rng, MAX_WORDS); k > 0; k--)
      tokens[n++].word = (int32_t)sn_rng_below(&rng, n_words + 1) - 1;
    starts[i + 1] = n;
  }
  for (size_t n = 0; n <= N_SENTENCES; n += n < 3 ? 1 : 11) {
    for (size_t k = 0; k < starts[n]; k++)
      tokens[k].matched = -1, tokens[k].logp = (double)NAN;
    sn_ngram_score_batch(b, tokens, starts, n);
    for (size_t i = 0; i < n; i++) {
      sn_ngram_state h = sn_ngram_begin(a);
      for (size_t k = starts[i]; k < starts[i + 1]; k++) {
        int32_t matched;
        const double p = sn_ngram_score(a, h, tokens[k].word, &h, &matched);
        assert_true(p == tokens[k].logp && matched == tokens[k].matched);
      }
    }
  }
}

/* Every query and every structure function: equal, bit for bit. */
static void check_equal(const sn_ngram *a, const sn_ngram *b, uint64_t seed) {
  assert_int_equal(sn_ngram_order(a), sn_ngram_order(b));
  assert_int_equal(sn_ngram_n_words(a), sn_ngram_n_words(b));
  const int32_t n_words = sn_ngram_n_words(a), order = sn_ngram_order(a);
  sn_rng rng;
  sn_rng_init(&rng, seed);
  sn_ngram_state x = sn_ngram_begin(a), y = sn_ngram_begin(b);
  for (int i = 0; i < 2000; i++) {
    const int32_t w = (int32_t)sn_rng_below(&rng, (uint32_t)n_words + 1) - 1;
    int32_t m, k;
    const double p = sn_ngram_score(a, x, w, &x, &m);
    const double q = sn_ngram_score(b, y, w, &y, &k);
    assert_true(p == q && m == k && x.level == y.level && x.node == y.node);
  }
  check_batch(a, b, seed);
  check_batch(a, a, seed);
  for (int32_t w = 0; w < n_words; w++)
    assert_string_equal(sn_ngram_word(a, w), sn_ngram_word(b, w));
  for (int32_t l = 1; l <= order; l++) {
    assert_int_equal(sn_ngram_count(a, l), sn_ngram_count(b, l));
    for (int64_t i = 0; i < sn_ngram_count(a, l); i++) {
      const sn_ngram_state h = {l, i};
      assert_int_equal(sn_ngram_child_word(a, l, i),
                       sn_ngram_child_word(b, l, i));
      assert_true(sn_ngram_node_logp(a, l, i) == sn_ngram_node_logp(b, l, i));
      assert_true(sn_ngram_node_backoff(a, l, i) ==
                  sn_ngram_node_backoff(b, l, i));
      x = sn_ngram_next_state(a, l, i);
      y = sn_ngram_next_state(b, l, i);
      assert_true(x.level == y.level && x.node == y.node);
      if (l == order) continue;
      int64_t f, g;
      assert_int_equal(sn_ngram_children(a, h, &f),
                       sn_ngram_children(b, h, &g));
      assert_int_equal(f, g);
      x = sn_ngram_backoff_state(a, h);
      y = sn_ngram_backoff_state(b, h);
      assert_true(x.level == y.level && x.node == y.node);
    }
  }
}

/* Words of the model, others and empty ones. */
static void test_words_are_found_together_as_one_by_one(void **state) {
  (void)state;
  for (int i = 0; i < N_MODELS; i++) {
    sn_ngram *const lm = random_model(i);
    enum { N = 200 };
    char text[N * 16] = "";
    size_t at[N], n = 0;
    sn_ngram_token tokens[N];
    sn_rng rng;
    sn_rng_init(&rng, (uint64_t)i);
    for (size_t k = 0; k < N; k++) {
      at[k] = n;
      const uint32_t w = sn_rng_below(&rng, 14);
      text[n] = '\0';
      if (w < 13) random_word((int)w, text + n);
      n += strlen(text + n) + 1;
    }
    for (size_t m = 0; m <= N; m += m < 30 ? 1 : 85) {
      sn_ngram_find_batch(lm, text, at, m, tokens);
      for (size_t k = 0; k < m; k++)
        assert_int_equal(tokens[k].word, sn_ngram_find(lm, text + at[k]));
    }
    sn_ngram_destroy(lm);
  }
}

static void test_fast_equals_the_trie(void **state) {
  (void)state;
  for (int i = 0; i < N_MODELS; i++) {
    sn_ngram *const lm = random_model(i);
    sn_ngram *const fast = reopened(lm, SN_NGRAM_FAST, 0);
    assert_non_null(fast->fast);
    check_equal(lm, fast, (uint64_t)i);
    sn_ngram_destroy(fast);
    sn_ngram_destroy(lm);
  }
}

/* 16 bits hold all of the few values that these models have. */
static void test_small_with_enough_bits_equals_the_trie(void **state) {
  (void)state;
  for (int i = 0; i < N_MODELS; i++) {
    sn_ngram *const lm = random_model(i);
    sn_ngram *const small = reopened(lm, SN_NGRAM_SMALL, 16);
    assert_non_null(small->small);
    check_equal(lm, small, (uint64_t)i);
    sn_ngram_destroy(small);
    sn_ngram_destroy(lm);
  }
}

/* From each format to each other and back to text: the same text. */
static void test_formats_convert_into_each_other(void **state) {
  (void)state;
  const int order[] = {SN_NGRAM_FAST, SN_NGRAM_SMALL, SN_NGRAM_BINARY,
                       SN_NGRAM_SMALL, SN_NGRAM_FAST};
  for (int i = 0; i < 8; i++) {
    sn_ngram *lm = random_model(i);
    size_t n, m;
    char *const want = bytes_of(lm, SN_NGRAM_ARPA, 0, &n);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
      sn_ngram *const next = reopened(lm, (sn_ngram_format)order[k], 16);
      sn_ngram_destroy(lm);
      lm = next;
      char *const got = bytes_of(lm, SN_NGRAM_ARPA, 0, &m);
      assert_true(n == m && memcmp(want, got, n) == 0);
      free(got);
    }
    free(want);
    sn_ngram_destroy(lm);
  }
}

/* One history with `n` successors whose log p are spread out: every value
 * moves by less than a bin of equal counts is wide, the mean square falls with
 * the bits, and words' own weights stay. */
static void test_quantising_errors_fall_with_the_bits(void **state) {
  (void)state;
  enum { N = 3000 };
  sn_str text = {0};
  must(sn_str_addf(&text, NULL, "\\data\\\nngram 1=%d\nngram 2=%d\n\n", N, N),
       NULL);
  must(sn_str_adds(&text, "\\1-grams:\n", NULL), NULL);
  for (int i = 0; i < N; i++)
    must(sn_str_addf(&text, NULL, "-%d.%04d w%d -0.%04d\n", 1 + i % 5,
                     i * 7 % 9999, i, i),
         NULL);
  must(sn_str_adds(&text, "\\2-grams:\n", NULL), NULL);
  for (int i = 0; i < N; i++)
    must(sn_str_addf(&text, NULL, "-%.6f w%d w%d\n", 0.5 + 4.0 * i / N, i % 11,
                     i),
         NULL);
  must(sn_str_adds(&text, "\\end\\\n", NULL), NULL);
  sn_ngram *const lm = load_text(sn_str_get(&text));
  double last = INFINITY;
  for (int bits = 2; bits <= 10; bits += 2) {
    sn_ngram *const small = reopened(lm, SN_NGRAM_SMALL, bits);
    double sum = 0.0, most = 0.0;
    for (int64_t i = 0; i < N; i++) {
      const double d =
          sn_ngram_node_logp(lm, 2, i) - sn_ngram_node_logp(small, 2, i);
      sum += d * d;
      most = fmax(most, fabs(d));
      assert_true(sn_ngram_node_logp(lm, 1, i) ==
                  sn_ngram_node_logp(small, 1, i));
      assert_true(sn_ngram_node_backoff(lm, 1, i) ==
                  sn_ngram_node_backoff(small, 1, i));
    }
    const double width = 4.0 * 2.302585 / (1 << bits);
    /* Uniform values: a bin's error is uniform over its width. 1.1 for the
     * floats and for bins of whole numbers of values. */
    assert_true(most <= width);
    assert_true(sqrt(sum / N) <= 1.1 * width / sqrt(12.0));
    assert_true(sum < last);
    last = sum;
    sn_ngram_destroy(small);
  }
  sn_ngram_destroy(lm);
  sn_str_clear(&text);
}

/* Everything that can be asked of a model that nobody verified. */
static void use(const sn_ngram *lm) {
  const int32_t n_words = sn_ngram_n_words(lm);
  sn_ngram_state at = sn_ngram_begin(lm);
  for (int32_t i = 0; i < 60; i++)
    (void)sn_ngram_score(lm, at, i * 7 % n_words, &at, NULL);
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
    for (int64_t i = 0; i < sn_ngram_count(lm, k); i++) {
      const sn_ngram_state h = {k, i};
      int64_t first;
      (void)sn_ngram_child_word(lm, k, i);
      (void)sn_ngram_next_state(lm, k, i);
      (void)sn_ngram_node_logp(lm, k, i);
      (void)sn_ngram_node_backoff(lm, k, i);
      if (k == sn_ngram_order(lm)) continue;
      assert_true(sn_ngram_children(lm, h, &first) + first <=
                  sn_ngram_count(lm, k + 1));
      (void)sn_ngram_backoff_state(lm, h);
    }
}

static sn_status open_bytes(const char *data, size_t n, sn_ngram_format f,
                            sn_ngram **out, sn_err *err) {
  return f == SN_NGRAM_SMALL
             ? sni_small_open_memory(data, n, "b", out, err)
             : sni_lm_binary_open_memory(data, n, "b", out, err);
}

static void test_damage_is_named_when_verified_and_safe_when_not(void **state) {
  (void)state;
  const sn_ngram_format formats[] = {SN_NGRAM_FAST, SN_NGRAM_SMALL};
  const random_lm o = {4, 5, 0.3, 0.0, 0};
  char *const text = random_arpa(&o, 3);
  sn_ngram *const lm = load_text(text);
  for (size_t f = 0; f < 2; f++) {
    size_t n, n_unseen = 0, n_opened = 0;
    char *const data = bytes_of(lm, formats[f], 4, &n);
    for (size_t i = 0; i < n; i++) {
      const char before = data[i];
      data[i] = (char)(i % 3 == 0   ? 0xff
                       : i % 3 == 1 ? ~before
                                    : before ^ (1 << i % 8));
      sn_ngram *got = NULL;
      sn_err err = {0};
      if (data[i] != before &&
          open_bytes(data, n, formats[f], &got, &err) == SN_OK) {
        n_opened++;
        use(got);
        if (sn_ngram_verify(got, &err) == SN_OK) n_unseen++;
      }
      sn_ngram_destroy(got);
      data[i] = before;
    }
    /* Only the padding of at most 63 bytes behind each section is unseen. */
    assert_true(n_opened > 0 && n_unseen < 63 * 26);
    for (size_t cut = 0; cut < n; cut += 7) {
      sn_ngram *got = NULL;
      assert_int_not_equal(sn_ngram_load_memory(data, cut, "b", &got, NULL),
                           SN_OK);
      assert_null(got);
    }
    free(data);
  }
  sn_ngram_destroy(lm);
  free(text);
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  sn_ngram *const lm = random_model(2);
  const char *const path = temp_path("oom"), *const out = temp_path("oom2");
  const long live = sn_mem_live();
  for (int f = 0; f < 2; f++) {
    const sn_ngram_format format = f == 0 ? SN_NGRAM_FAST : SN_NGRAM_SMALL;
    for (long k = 0;; k++) {
      sn_ngram *got = NULL;
      sn_err err = {0};
      sn_mem_fail_after(k);
      sn_status s = sn_ngram_save(lm, path, format, NULL, &err);
      if (s == SN_OK) s = sn_ngram_load(path, NULL, &got, &err);
      if (s == SN_OK) s = sn_ngram_save(got, out, SN_NGRAM_ARPA, NULL, &err);
      const bool fired = sn_mem_fault_fired();
      sn_mem_fail_after(-1);
      sn_ngram_destroy(got);
      assert_int_equal(sn_mem_live(), live);
      if (!fired) {
        assert_int_equal(s, SN_OK);
        break;
      }
      assert_int_equal(s, SN_ENOMEM);
    }
  }
  unlink(path);
  unlink(out);
  sn_ngram_destroy(lm);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_are_found_together_as_one_by_one),
      cmocka_unit_test(test_fast_equals_the_trie),
      cmocka_unit_test(test_small_with_enough_bits_equals_the_trie),
      cmocka_unit_test(test_formats_convert_into_each_other),
      cmocka_unit_test(test_quantising_errors_fall_with_the_bits),
      cmocka_unit_test(test_damage_is_named_when_verified_and_safe_when_not),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
