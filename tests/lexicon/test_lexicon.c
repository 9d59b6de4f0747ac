/* SPDX-License-Identifier: Apache-2.0 */
/* The lexicon in memory, and the check of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "lexicon/check.h"
#include "lexicon/formats.h"
#include "lexicon/nearest.h"

/* Grouping against the obvious: words in order of first appearance, their
 * pronunciations in order of addition. */
static void test_grouping_is_stable_and_indexed(void **state) {
  (void)state;
  enum { N = 500, WORDS = 40 };
  sn_rng rng;
  sn_rng_init(&rng, 2);
  sn_lexicon lex;
  int32_t order[N];
  assert_int_equal(SN_OK, sn_lexicon_init(&lex, NULL));
  for (int32_t i = 0; i < N; i++) {
    char word[16], tag[16];
    const char *const phones[] = {tag, "X"};
    order[i] = (int32_t)sn_rng_below(&rng, WORDS);
    (void)snprintf(word, sizeof word, "w%d", (int)order[i]);
    (void)snprintf(tag, sizeof tag, "p%d", (int)i);
    assert_int_equal(SN_OK, sn_lexicon_add(&lex, word, -0.5f, phones,
                                           1 + (size_t)i % 2, NULL));
  }
  assert_int_equal(SN_OK, sn_lexicon_group(&lex, NULL));
  assert_int_equal(N, lex.prons.n);
  int32_t next = 0;
  for (int32_t w = 0; w < sn_symtab_n(lex.words); w++) {
    int32_t first, variant = 1;
    const int32_t n = sn_lexicon_prons(&lex, w, &first);
    assert_int_equal(next, first);
    for (int32_t i = 0; i < N; i++) {
      char word[16], tag[16];
      (void)snprintf(word, sizeof word, "w%d", (int)order[i]);
      if (strcmp(word, sn_symtab_get(lex.words, w)) != 0) continue;
      (void)snprintf(tag, sizeof tag, "p%d", (int)i);
      const sn_pron *const p = &lex.prons.data[next];
      assert_int_equal(w, p->word);
      assert_int_equal(variant++, p->variant);
      assert_int_equal(1 + i % 2, p->n_phones);
      assert_string_equal(
          tag, sn_symtab_get(lex.phones, sn_lexicon_phones(&lex, next)[0]));
      next++;
    }
    assert_int_equal(variant - 1, n);
  }
  assert_int_equal(N, next);
  sn_lexicon_clear(&lex);
  sn_lexicon_clear(&lex); /* twice is fine */
}

static void test_running_out_of_memory_leaves_the_lexicon_as_it_was(
    void **state) {
  (void)state;
  const long live = sn_mem_live();
  const char *const phones[] = {"A", "B"};
  for (long k = 0;; k++) {
    sn_lexicon lex;
    sn_mem_fail_after(k);
    sn_status s = sn_lexicon_init(&lex, NULL);
    size_t added = 0;
    while (s == SN_OK && added < 40) {
      char word[16];
      (void)snprintf(word, sizeof word, "w%zu", added % 30);
      s = sn_lexicon_add(&lex, word, 0, phones, 2, NULL);
      added += s == SN_OK;
    }
    if (lex.words != NULL) assert_int_equal(added, lex.prons.n);
    if (lex.words != NULL) assert_int_equal(2 * added, lex.phone_ids.n);
    if (s == SN_OK) s = sn_lexicon_group(&lex, NULL);
    if (lex.words != NULL) assert_int_equal(added, lex.prons.n);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(fired ? SN_ENOMEM : SN_OK, s);
    sn_lexicon_clear(&lex);
    assert_int_equal(live, sn_mem_live());
    if (!fired) break;
  }
}

static void test_the_nearest_symbols_come_first(void **state) {
  (void)state;
  static const char *const all[] = {"AH", "ah0", "AA", "B", "AXR", "AW", "AX"};
  sn_nearest near;
  sn_str s = {0};
  sn_nearest_init(&near, "ax", 1);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    sn_nearest_offer(&near, all[i]);
  assert_int_equal(SN_OK, sn_nearest_say(&near, &s, NULL));
  assert_string_equal("; did you mean 'AX', 'AH', 'AA'?", sn_str_get(&s));
  sn_str_reset(&s);
  sn_nearest_init(&near, "qqqq", 1);
  sn_nearest_offer(&near, "AX");
  assert_int_equal(SN_OK, sn_nearest_say(&near, &s, NULL));
  assert_string_equal("", sn_str_get(&s));
  sn_str_clear(&s);
}

/* ---- Check ---- */

static sn_status note(void *user, sn_lex_problem p, const char *word,
                      const char *detail, sn_err *err) {
  return sn_str_addf(user, err, "%s %s %s|", word, sn_lex_problem_name(p),
                     detail);
}

static sn_symtab *symbols(const char *text) {
  sn_symtab *t;
  sn_span rest = sn_span_of(text), field;
  int32_t id;
  assert_int_equal(SN_OK, sn_symtab_create(&t, NULL));
  while (sn_next_field(&rest, &field))
    assert_int_equal(SN_OK, sn_symtab_add(t, field.p, field.n, &id, NULL));
  return t;
}

static void expect_problems(const char *dict, const char *phones,
                            const char *wanted, const char *want) {
  sn_lexicon lex;
  sn_str got = {0};
  sn_lex_check_counts n;
  assert_int_equal(SN_OK, sn_lexicon_read_memory(dict, strlen(dict), "mem",
                                                 NULL, NULL, &lex, NULL, NULL));
  sn_symtab *const p = phones == NULL ? NULL : symbols(phones);
  sn_symtab *const w = wanted == NULL ? NULL : symbols(wanted);
  assert_int_equal(SN_OK, sn_lexicon_check(&lex, p, w, note, &got, &n, NULL));
  assert_string_equal(want, sn_str_get(&got));
  int64_t total = 0;
  for (int i = 0; i < SN_N_LEX_PROBLEMS; i++) total += n.n[i];
  int64_t lines = 0;
  for (size_t i = 0; i < got.n; i++) lines += got.data[i] == '|';
  assert_int_equal(lines, total);
  sn_symtab_destroy(p);
  sn_symtab_destroy(w);
  sn_str_clear(&got);
  sn_lexicon_clear(&lex);
}

static void test_a_check_names_each_word_and_why(void **state) {
  (void)state;
  static const char dict[] = "cat K AE T\nthe DH AH\nthe DH IY\ndog D AO G\n";
  expect_problems(dict, "K AE T DH AH IY D AO G", "the cat dog", "");
  expect_problems(dict, NULL, "dog mouse the Cat",
                  "cat not-in-lm |mouse no-pronunciation |"
                  "Cat no-pronunciation the lexicon has 'cat'|");
  expect_problems(
      dict, "K AE T DH IY d AO G", NULL,
      "the lost-pronunciation no phone 'AH' for 'DH AH'; did you mean "
      "'AE', 'DH', 'AO'?|"
      "dog no-phone no phone 'D' for 'D AO G'; did you mean 'd', 'K', "
      "'T'?|");
  expect_problems(dict, "K AE T", "dog the bird",
                  "cat not-in-lm |"
                  "the no-phone no phone 'DH' for 'DH AH'|"
                  "dog no-phone no phone 'D' for 'D AO G'; did you mean 'K', "
                  "'T'?|bird no-pronunciation |");
  expect_problems(dict, NULL, NULL, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grouping_is_stable_and_indexed),
      cmocka_unit_test(test_running_out_of_memory_leaves_the_lexicon_as_it_was),
      cmocka_unit_test(test_the_nearest_symbols_come_first),
      cmocka_unit_test(test_a_check_names_each_word_and_why)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
