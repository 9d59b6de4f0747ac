/* SPDX-License-Identifier: Apache-2.0 */
/* Text dictionaries: each format in and out, each fault. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "lexicon/formats.h"

static sn_status read_as(const char *text, sn_lex_format format, bool strip,
                         sn_lexicon *lex, sn_lex_read_stats *stats,
                         sn_err *err) {
  const sn_lex_read_opts o = {.format = (int32_t)format, .strip_stress = strip};
  return sn_lexicon_read_memory(text, strlen(text), "mem", &o, NULL, lex, stats,
                                err);
}

/* "word(2)=A B@0.5|" for each pronunciation; @ only where p < 1. */
static void describe(const sn_lexicon *lex, sn_str *s) {
  for (int32_t i = 0; (size_t)i < lex->prons.n; i++) {
    const sn_pron *const p = &lex->prons.data[i];
    const int32_t *const ids = sn_lexicon_phones(lex, i);
    assert_int_equal(SN_OK, sn_str_addf(s, NULL, "%s(%d)=",
                                        sn_symtab_get(lex->words, p->word),
                                        (int)p->variant));
    for (int32_t k = 0; k < p->n_phones; k++)
      assert_int_equal(SN_OK, sn_str_addf(s, NULL, "%s%s", k ? " " : "",
                                          sn_symtab_get(lex->phones, ids[k])));
    if (p->logp < 0)
      assert_int_equal(SN_OK,
                       sn_str_addf(s, NULL, "@%.4g", exp((double)p->logp)));
    assert_int_equal(SN_OK, sn_str_adds(s, "|", NULL));
  }
}

static void expect(const char *text, sn_lex_format format, bool strip,
                   sn_lex_format told, const char *want) {
  sn_lexicon lex;
  sn_lex_read_stats stats;
  sn_err err = {0};
  if (read_as(text, format, strip, &lex, &stats, &err) != SN_OK)
    fail_msg("%s", err.msg);
  sn_str s = {0};
  describe(&lex, &s);
  assert_string_equal(want, sn_str_get(&s));
  assert_string_equal(sn_lex_format_name(told),
                      sn_lex_format_name(stats.format));
  sn_str_clear(&s);
  sn_lexicon_clear(&lex);
}

static void expect_failure(const char *text, size_t n, sn_lex_format format,
                           const char *part1, const char *part2) {
  const sn_lex_read_opts o = {.format = (int32_t)format};
  sn_lexicon lex;
  sn_err err = {0};
  assert_int_equal(SN_EFORMAT, sn_lexicon_read_memory(text, n, "mem", &o, NULL,
                                                      &lex, NULL, &err));
  assert_null(lex.words);
  if (strstr(err.msg, part1) == NULL || strstr(err.msg, part2) == NULL)
    fail_msg("'%s' lacks '%s' or '%s'", err.msg, part1, part2);
}

static void test_cmudict_with_comments_variants_and_stress(void **state) {
  (void)state;
  expect(
      ";;; CMUdict\n## sphinx\nA  AH0\nA(1)  EY1\naalto AA1 L T OW2 # name\n"
      "tomato T AH M EY T OW\r\ntomato(2) T AH M AA T OW\n\n",
      SN_LEX_AUTO, false, SN_LEX_CMUDICT,
      "A(1)=AH0|A(2)=EY1|aalto(1)=AA1 L T OW2|tomato(1)=T AH M EY T OW|"
      "tomato(2)=T AH M AA T OW|");
}

static void test_stress_goes_only_when_asked(void **state) {
  (void)state;
  expect("a AH0 B2 X3 1\n", SN_LEX_CMUDICT, true, SN_LEX_CMUDICT,
         "a(1)=AH B X3 1|");
}

static void test_kaldi_lexicons(void **state) {
  (void)state;
  expect("b\tB IY\na EY\nb B\n", SN_LEX_KALDI, false, SN_LEX_KALDI,
         "b(1)=B IY|b(2)=B|a(1)=EY|");
  expect("a 1.0 EY\nb 0.25 B IY\n", SN_LEX_AUTO, false, SN_LEX_KALDI_PROB,
         "a(1)=EY|b(1)=B IY@0.25|");
  expect("a EY\nb B IY\n", SN_LEX_AUTO, false, SN_LEX_KALDI,
         "a(1)=EY|b(1)=B IY|");
  /* There, brackets and hashes are no notation. */
  expect("a(2) EY # B\n", SN_LEX_KALDI, false, SN_LEX_KALDI, "a(2)(1)=EY # B|");
}

static void test_tab_separated(void **state) {
  (void)state;
  expect("a\tEY\nb\tB  IY\t0.5\nc\tS\t\n", SN_LEX_AUTO, false, SN_LEX_TSV,
         "a(1)=EY|b(1)=B IY@0.5|c(1)=S|");
}

static void test_a_byte_order_mark_is_no_part_of_the_first_word(void **state) {
  (void)state;
  expect(
      "\xef\xbb\xbf"
      "a EY\n",
      SN_LEX_AUTO, false, SN_LEX_KALDI, "a(1)=EY|");
}

static void test_parenthesised_words_keep_their_brackets(void **state) {
  (void)state;
  expect("(BRACE B R\n(2) T UW\nx(y) X\nz(2)(3) Z\n", SN_LEX_CMUDICT, false,
         SN_LEX_CMUDICT, "(BRACE(1)=B R|(2)(1)=T UW|x(y)(1)=X|z(2)(1)=Z|");
}

static void test_the_same_pronunciation_twice_is_merged_and_counted(
    void **state) {
  (void)state;
  sn_lexicon lex;
  sn_lex_read_stats stats;
  assert_int_equal(SN_OK,
                   read_as("a 0.2 X\na 0.5 Y\na 0.7 X\nb 1 X\na 0.1 X\n",
                           SN_LEX_KALDI_PROB, false, &lex, &stats, NULL));
  assert_int_equal(2, stats.n_duplicates);
  assert_int_equal(3, stats.n_prons);
  sn_str s = {0};
  describe(&lex, &s);
  assert_string_equal("a(1)=X@0.7|a(2)=Y@0.5|b(1)=X|", sn_str_get(&s));
  sn_str_clear(&s);
  sn_lexicon_clear(&lex);
}

static void test_faults_name_file_line_and_remedy(void **state) {
  (void)state;
#define BAD(text, format, a, b) expect_failure(text, strlen(text), format, a, b)
  BAD("", SN_LEX_AUTO, "mem", "no pronunciation");
  BAD(";;; only a comment\n", SN_LEX_AUTO, "mem", "no pronunciation");
  BAD("a EY\nb\n", SN_LEX_KALDI, "mem:2:", "'b' has no phones");
  BAD("a(2)\n", SN_LEX_CMUDICT, "mem:1:", "'a' has no phones");
  BAD("a 1.0 EY\nb B IY\nc 0.5 S\n", SN_LEX_AUTO, "mem:2:", "--format=kaldi");
  BAD("a 0 EY\n", SN_LEX_KALDI_PROB, "mem:1:", "above 0");
  BAD("a 1.5 EY\n", SN_LEX_KALDI_PROB, "mem:1:", "above 0");
  BAD("a nan EY\n", SN_LEX_KALDI_PROB, "mem:1:", "above 0");
  BAD("a\tEY\nb B\nc\tS\n", SN_LEX_AUTO, "mem:2:", "no TAB");
  BAD("a\tEY\tx\n", SN_LEX_TSV, "mem:1:", "'x'");
  BAD("a\tEY\t1\t2\n", SN_LEX_TSV, "mem:1:", "probability");
  BAD("new york\tN Y\n", SN_LEX_TSV, "mem:1:", "blank");
  BAD("\tN Y\n", SN_LEX_TSV, "mem:1:", "empty");
  BAD("a EY\nd\xe9j\xe0 D\n", SN_LEX_AUTO, "mem:2:", "iconv");
#undef BAD
  expect_failure("a EY\nb \0B\n", 10, SN_LEX_AUTO, "mem:2:", "NUL");
}

static void make_path(char *path) {
  strcpy(path, "/tmp/senone-lex-XXXXXX");
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(0, close(fd));
}

/* A random lexicon comes back from every format that can hold it. */
static void test_written_and_read_again_it_is_the_same(void **state) {
  (void)state;
  static const char *const phones[] = {"A", "B", "ch", "\xc9\x99"};
  sn_rng rng;
  sn_rng_init(&rng, 5);
  sn_lexicon lex;
  assert_int_equal(SN_OK, sn_lexicon_init(&lex, NULL));
  for (int i = 0; i < 300; i++) {
    char word[16];
    const char *p[6];
    /* Lengths grow, so that no pronunciation of a word comes twice. */
    const size_t n = 1 + (size_t)i / 60;
    for (size_t k = 0; k < n; k++) p[k] = phones[sn_rng_below(&rng, 4)];
    (void)snprintf(word, sizeof word, "w%d", i % 60);
    assert_int_equal(SN_OK, sn_lexicon_add(&lex, word, 0.0f, p, n, NULL));
  }
  assert_int_equal(SN_OK, sn_lexicon_group(&lex, NULL));
  for (size_t i = 0; i < lex.prons.n; i += 3)
    lex.prons.data[i].logp = (float)log(0.25);
  for (int f = SN_LEX_CMUDICT; f <= SN_LEX_TSV; f++) {
    const bool has_probs = f == SN_LEX_KALDI_PROB || f == SN_LEX_TSV;
    char path[40];
    make_path(path);
    assert_int_equal(
        SN_OK, sn_lexicon_write_text(&lex, path, (sn_lex_format)f, NULL, NULL));
    const sn_lex_read_opts o = {.format = f};
    sn_lexicon again;
    assert_int_equal(SN_OK,
                     sn_lexicon_read_text(path, &o, NULL, &again, NULL, NULL));
    unlink(path);
    if (!has_probs)
      for (size_t i = 0; i < lex.prons.n; i++)
        again.prons.data[i].logp = lex.prons.data[i].logp;
    sn_str a = {0}, b = {0};
    describe(&lex, &a);
    describe(&again, &b);
    assert_string_equal(sn_str_get(&a), sn_str_get(&b));
    sn_str_clear(&a);
    sn_str_clear(&b);
    sn_lexicon_clear(&again);
  }
  sn_lexicon_clear(&lex);
}

static void test_a_word_that_would_not_come_back_is_not_written(void **state) {
  (void)state;
  static const char *const bad[] = {"a(2)", "##a", ";;a", "a b"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const char *const phone = "P";
    sn_lexicon lex;
    sn_err err = {0};
    char path[40];
    assert_int_equal(SN_OK, sn_lexicon_init(&lex, NULL));
    assert_int_equal(SN_OK, sn_lexicon_add(&lex, bad[i], 0, &phone, 1, NULL));
    assert_int_equal(SN_OK, sn_lexicon_group(&lex, NULL));
    make_path(path);
    unlink(path);
    assert_int_equal(
        SN_EARG, sn_lexicon_write_text(&lex, path, SN_LEX_CMUDICT, NULL, &err));
    assert_non_null(strstr(err.msg, bad[i]));
    assert_int_not_equal(0, access(path, F_OK));
    sn_lexicon_clear(&lex);
  }
}

/* One word with 20,000 pronunciations, each there twice: linear, not square
 * (a square one would make 4 * 10^8 comparisons of phones). */
static void test_a_word_with_very_many_pronunciations(void **state) {
  (void)state;
  sn_str text = {0};
  for (int i = 0; i < 40000; i++)
    assert_int_equal(SN_OK, sn_str_addf(&text, NULL, "w p%d q\n", i % 20000));
  sn_lexicon lex;
  sn_lex_read_stats stats;
  assert_int_equal(SN_OK, read_as(sn_str_get(&text), SN_LEX_KALDI, false, &lex,
                                  &stats, NULL));
  assert_int_equal(20000, stats.n_duplicates);
  sn_lexicon_clear(&lex);
  sn_str_clear(&text);
}

static void test_running_out_of_memory_leaves_nothing_behind(void **state) {
  (void)state;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_lexicon lex;
    sn_mem_fail_after(k);
    const sn_status s =
        read_as("a X\nb Y Z\na X\na Y\n", SN_LEX_AUTO, false, &lex, NULL, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(fired ? SN_ENOMEM : SN_OK, s);
    sn_lexicon_clear(&lex);
    assert_int_equal(live, sn_mem_live());
    if (!fired) break;
  }
}

static void test_damaged_texts_are_read_or_refused(void **state) {
  (void)state;
  static const char text[] =
      "a 0.5 X # c\nb(2)\tY Z\t0.5\n;;; x\nd\xc3\xa9 1.0 X\n";
  const size_t n = strlen(text);
  for (int f = SN_LEX_AUTO; f <= SN_LEX_TSV; f++)
    for (size_t i = 0; i <= 2 * n; i++) {
      char copy[sizeof text];
      memcpy(copy, text, sizeof text);
      if (i > n) copy[i - n - 1] = (char)(copy[i - n - 1] ^ 0x93);
      const sn_lex_read_opts o = {.format = f, .strip_stress = i % 2 == 1};
      sn_lexicon lex;
      const sn_status s = sn_lexicon_read_memory(copy, i <= n ? i : n, "mem",
                                                 &o, NULL, &lex, NULL, NULL);
      assert_true(s == SN_OK || s == SN_EFORMAT);
      sn_lexicon_clear(&lex);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cmudict_with_comments_variants_and_stress),
      cmocka_unit_test(test_stress_goes_only_when_asked),
      cmocka_unit_test(test_kaldi_lexicons),
      cmocka_unit_test(test_tab_separated),
      cmocka_unit_test(test_a_byte_order_mark_is_no_part_of_the_first_word),
      cmocka_unit_test(test_parenthesised_words_keep_their_brackets),
      cmocka_unit_test(test_the_same_pronunciation_twice_is_merged_and_counted),
      cmocka_unit_test(test_faults_name_file_line_and_remedy),
      cmocka_unit_test(test_written_and_read_again_it_is_the_same),
      cmocka_unit_test(test_a_word_that_would_not_come_back_is_not_written),
      cmocka_unit_test(test_a_word_with_very_many_pronunciations),
      cmocka_unit_test(test_running_out_of_memory_leaves_nothing_behind),
      cmocka_unit_test(test_damaged_texts_are_read_or_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
