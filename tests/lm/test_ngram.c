/* SPDX-License-Identifier: Apache-2.0 */
/* The trie against the definition of back-off, its structure's laws, and the
 * two formats' round trips. */
#include <math.h>

#include "base/mem.h"
#include "lm_support.h"
#include "tests/ref/ngram_ref.h"

#define LN10 2.302585092994045684
#define N_MODELS 24

static random_lm options(int i) {
  const random_lm o = {.order = 1 + i % 5,
                       .n_words = 3 + i % 7,
                       .keep = i % 5 < 3 ? 0.4 : 0.15,
                       .missing_prefixes = i % 3 == 0 ? 0.25 : 0.0,
                       .shuffle = i % 2};
  return o;
}

/* Floats hold natural logs of at most 10 each; a sum of order + 1 of them:
 * (order + 1) * 10 * 2^-24 < 1e-5. */
#define TOLERANCE 1e-5

static void check_against_definition(const sn_ngram *lm, const ref_lm *ref,
                                     uint64_t seed, int n_sentences) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  const int order = sn_ngram_order(lm);
  for (int i = 0; i < n_sentences; i++) {
    const char *words[64];
    int n = 0;
    words[n++] = "<s>";
    sn_ngram_state at = sn_ngram_begin(lm);
    while (n < 20) {
      const int32_t w =
          (int32_t)sn_rng_below(&rng, (uint32_t)sn_ngram_n_words(lm));
      words[n++] = sn_ngram_word(lm, w);
      int32_t matched;
      int want_matched;
      const double got = sn_ngram_score(lm, at, w, &at, &matched);
      const double want = LN10 * ref_lm_score(ref, words, n, &want_matched);
      if (fabs(got - want) > TOLERANCE)
        fail_msg("seed %llu sentence %d word %d: %.9g, by definition %.9g",
                 (unsigned long long)seed, i, n, got, want);
      assert_true(at.level < order || order == 1);
      /* Prefixes that were put in count as found. */
      assert_true(matched >= want_matched);
    }
  }
}

static void test_scores_follow_the_definition(void **state) {
  (void)state;
  for (int i = 0; i < N_MODELS; i++) {
    const random_lm o = options(i);
    char *const text = random_arpa(&o, (uint64_t)i);
    sn_ngram *const lm = load_text(text);
    ref_lm *const ref = ref_lm_read(text);
    check_against_definition(lm, ref, (uint64_t)i, 60);
    ref_lm_free(ref);
    sn_ngram_destroy(lm);
    free(text);
  }
}

/* The oracle can fail: one number changed by 0.001 is noticed. */
static void test_the_definition_notices_a_changed_number(void **state) {
  (void)state;
  const random_lm o = options(1);
  char *const text = random_arpa(&o, 5);
  ref_lm *const ref = ref_lm_read(text);
  sn_ngram *const lm = load_text(text);
  ref_ngram *changed = NULL;
  for (unsigned i = 0; i < REF_LM_SLOTS && changed == NULL; i++)
    for (ref_ngram *g = ref->slot[i]; g != NULL; g = g->next)
      if (g->order == 2) changed = g;
  changed->log10p += 0.001;
  const char *words[2] = {0};
  char copy[64];
  strcpy(copy, changed->words);
  words[0] = copy;
  *strchr(copy, ' ') = '\0';
  words[1] = copy + strlen(copy) + 1;
  const sn_ngram_state h = {1, sn_ngram_find(lm, words[0])};
  int matched;
  const double got =
      sn_ngram_score(lm, h, sn_ngram_find(lm, words[1]), NULL, NULL);
  assert_true(fabs(got - LN10 * ref_lm_score(ref, words, 2, &matched)) >
              TOLERANCE);
  ref_lm_free(ref);
  sn_ngram_destroy(lm);
  free(text);
}

/* ---- Structure ---- */

/* Words of a node, found by looking where it is a child: slow and obvious. */
static int words_of(const sn_ngram *lm, int32_t level, int64_t node,
                    int32_t *words) {
  if (level == 0) return 0;
  for (int64_t up = 0; up < (level == 1 ? 1 : sn_ngram_count(lm, level - 1));
       up++) {
    const sn_ngram_state h = {level - 1, up};
    int64_t first;
    const int64_t n = sn_ngram_children(lm, h, &first);
    if (node < first || node >= first + n) continue;
    words_of(lm, level - 1, up, words);
    words[level - 1] = sn_ngram_child_word(lm, level, node);
    return level;
  }
  fail_msg("node %lld of level %d has no parent", (long long)node, level);
  return -1;
}

static int64_t find_node(const sn_ngram *lm, const int32_t *words, int n) {
  sn_ngram_state h = {0, 0};
  for (int i = 0; i < n; i++) {
    int64_t first;
    const int64_t count = sn_ngram_children(lm, h, &first);
    int64_t c = first;
    while (c < first + count && sn_ngram_child_word(lm, i + 1, c) != words[i])
      c++;
    if (c == first + count) return -1;
    h.level = i + 1;
    h.node = c;
  }
  return h.node;
}

/* Longest suffix of at most `longest` words that is a node. */
static sn_ngram_state longest_suffix(const sn_ngram *lm, const int32_t *words,
                                     int n, int longest) {
  for (int len = n < longest ? n : longest; len > 0; len--) {
    const sn_ngram_state s = {len, find_node(lm, words + n - len, len)};
    if (s.node >= 0) return s;
  }
  const sn_ngram_state empty = {0, 0};
  return empty;
}

static void test_states_are_longest_suffixes_and_children_ascend(void **state) {
  (void)state;
  for (int i = 0; i < 12; i++) {
    random_lm o = options(i);
    if (o.order > 3) o.keep = 0.1;
    char *const text = random_arpa(&o, 100 + (uint64_t)i);
    sn_ngram *const lm = load_text(text);
    const int order = sn_ngram_order(lm);
    for (int32_t k = 1; k <= order; k++)
      for (int64_t node = 0; node < sn_ngram_count(lm, k); node++) {
        int32_t words[SN_NGRAM_MAX_ORDER];
        words_of(lm, k, node, words);
        const sn_ngram_state next = sn_ngram_next_state(lm, k, node);
        const sn_ngram_state want = longest_suffix(lm, words, k, order - 1);
        assert_int_equal(next.level, want.level);
        assert_int_equal(next.node, want.node);
        if (k == order) continue;
        const sn_ngram_state h = {k, node};
        const sn_ngram_state back = sn_ngram_backoff_state(lm, h);
        const sn_ngram_state want_back = longest_suffix(lm, words, k, k - 1);
        assert_int_equal(back.level, want_back.level);
        assert_int_equal(back.node, want_back.node);
        int64_t first;
        const int64_t n = sn_ngram_children(lm, h, &first);
        for (int64_t c = first + 1; c < first + n; c++)
          assert_true(sn_ngram_child_word(lm, k + 1, c - 1) <
                      sn_ngram_child_word(lm, k + 1, c));
      }
    sn_ngram_destroy(lm);
    free(text);
  }
}

static void test_special_words_are_found_in_any_case(void **state) {
  (void)state;
  sn_ngram *lm = load_text(
      "\\data\\\nngram 1=3\n\n\\1-grams:\n-1 <UNK>\n-1 a\n-2 b\n\n\\end\\\n");
  assert_int_equal(sn_ngram_unk(lm), 0);
  assert_int_equal(sn_ngram_bos(lm), -1);
  assert_int_equal(sn_ngram_eos(lm), -1);
  assert_int_equal(sn_ngram_begin(lm).level, 0);
  int32_t matched;
  const double p = sn_ngram_score(lm, sn_ngram_begin(lm), -1, NULL, &matched);
  assert_true(fabs(p + LN10) < 1e-6);
  assert_int_equal(sn_ngram_find(lm, "A"), -1);
  sn_ngram_destroy(lm);
  lm = load_text("\\data\\\nngram 1=1\n\n\\1-grams:\n-1 a\n\n\\end\\\n");
  assert_true(sn_ngram_score(lm, sn_ngram_begin(lm), -1, NULL, NULL) ==
              -(double)INFINITY);
  sn_ngram_destroy(lm);
}

/* ---- Round trips ---- */

static void save_as(const sn_ngram *lm, const char *path, sn_ngram_format f) {
  sn_err err = {0};
  must(sn_ngram_save(lm, path, f, NULL, &err), &err);
}

static void test_arpa_binary_arpa_gives_the_same_bytes(void **state) {
  (void)state;
  for (int i = 0; i < N_MODELS; i++) {
    const random_lm o = options(i);
    char *const text = random_arpa(&o, 200 + (uint64_t)i);
    sn_ngram *const lm = load_text(text);
    const char *const arpa = temp_path("a.arpa"), *const bin = temp_path("b"),
                      *const again = temp_path("c.arpa");
    save_as(lm, arpa, SN_NGRAM_ARPA);
    save_as(lm, bin, SN_NGRAM_BINARY);
    sn_ngram *const mapped = load_path(bin);
    save_as(mapped, again, SN_NGRAM_ARPA);
    char *const one = slurp(arpa, NULL), *const two = slurp(again, NULL);
    assert_string_equal(one, two);
    /* What was written says what was read, but for inserted prefixes. */
    ref_lm *const written = ref_lm_read(one);
    check_against_definition(lm, written, 7, 10);
    check_against_definition(mapped, written, 8, 10);
    ref_lm_free(written);
    free(one);
    free(two);
    sn_ngram_destroy(mapped);
    sn_ngram_destroy(lm);
    unlink(arpa);
    unlink(bin);
    unlink(again);
    free(text);
  }
}

static void test_gzipped_arpa_reads_and_writes(void **state) {
  (void)state;
  const random_lm o = options(2);
  char *const text = random_arpa(&o, 9);
  sn_ngram *const lm = load_text(text);
  const char *const plain = temp_path("g.arpa"),
                    *const packed = temp_path("g.arpa.gz"),
                    *const again = temp_path("h.arpa");
  save_as(lm, plain, SN_NGRAM_ARPA);
  save_as(lm, packed, SN_NGRAM_ARPA);
  size_t n;
  char *const bytes = slurp(packed, &n);
  assert_true((unsigned char)bytes[0] == 0x1f &&
              (unsigned char)bytes[1] == 0x8b);
  sn_ngram *const back = load_path(packed);
  save_as(back, again, SN_NGRAM_ARPA);
  char *const one = slurp(plain, NULL), *const two = slurp(again, NULL);
  assert_string_equal(one, two);
  /* A gzip stream that is cut is an error, at every length. */
  for (size_t cut = 20; cut < n; cut += 1 + n / 50) {
    sn_ngram *bad = NULL;
    sn_err err = {0};
    assert_int_not_equal(sn_ngram_load_memory(bytes, cut, "cut", &bad, &err),
                         SN_OK);
    assert_null(bad);
  }
  free(one);
  free(two);
  free(bytes);
  sn_ngram_destroy(back);
  sn_ngram_destroy(lm);
  unlink(plain);
  unlink(packed);
  unlink(again);
  free(text);
}

static void test_a_missing_file_is_named(void **state) {
  (void)state;
  sn_ngram *lm = NULL;
  sn_err err = {0};
  assert_int_equal(sn_ngram_load("/nowhere/x.arpa", NULL, &lm, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "/nowhere/x.arpa"));
  assert_null(lm);
}

/* ---- Out of memory ---- */

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  /* With and without orphans, whose repair has allocations of its own. */
  for (int which = 0; which < 2; which++) {
    random_lm o = options(which == 0 ? 2 : 3);
    o.n_words = 5;
    char *const text = random_arpa(&o, 77);
    const long live = sn_mem_live();
    for (long k = 0;; k++) {
      sn_ngram *lm = NULL;
      sn_err err = {0};
      sn_mem_fail_after(k);
      const sn_status s =
          sn_ngram_load_memory(text, strlen(text), "t", &lm, &err);
      const bool fired = sn_mem_fault_fired();
      sn_mem_fail_after(-1);
      if (!fired) {
        assert_int_equal(s, SN_OK);
        sn_ngram_destroy(lm);
        assert_int_equal(sn_mem_live(), live);
        break;
      }
      assert_int_equal(s, SN_ENOMEM);
      assert_null(lm);
      assert_int_equal(sn_mem_live(), live);
    }
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scores_follow_the_definition),
      cmocka_unit_test(test_the_definition_notices_a_changed_number),
      cmocka_unit_test(test_states_are_longest_suffixes_and_children_ascend),
      cmocka_unit_test(test_special_words_are_found_in_any_case),
      cmocka_unit_test(test_arpa_binary_arpa_gives_the_same_bytes),
      cmocka_unit_test(test_gzipped_arpa_reads_and_writes),
      cmocka_unit_test(test_a_missing_file_is_named),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
