/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, fields, numbers, edit distance, UTF-8. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

static void a_zeroed_string_is_empty_and_grows(void **state) {
  (void)state;
  sn_str s = {0};
  assert_string_equal(sn_str_get(&s), "");
  sn_str_reset(&s);
  char want[4096] = "";
  for (int i = 0; i < 500; i++) {
    assert_int_equal(sn_str_addf(&s, NULL, "%d,", i), SN_OK);
    snprintf(want + strlen(want), sizeof want - strlen(want), "%d,", i);
  }
  assert_string_equal(sn_str_get(&s), want);
  assert_int_equal(s.n, strlen(want));
  sn_str_reset(&s);
  assert_string_equal(sn_str_get(&s), "");
  assert_int_equal(sn_str_add(&s, "a\0b", 3, NULL), SN_OK);
  assert_int_equal(sn_str_adds(&s, "", NULL), SN_OK);
  assert_memory_equal(s.data, "a\0b", 4);
  sn_str_clear(&s);
  assert_string_equal(sn_str_get(&s), "");
}

static void a_failed_addition_leaves_the_string_as_it_was(void **state) {
  (void)state;
  sn_str s = {0};
  char big[2000];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  assert_int_equal(sn_str_adds(&s, "keep", NULL), SN_OK);
  sn_mem_fail_after(0);
  assert_int_equal(sn_str_adds(&s, big, NULL), SN_ENOMEM);
  assert_string_equal(sn_str_get(&s), "keep");
  sn_mem_fail_after(0);
  assert_int_equal(sn_str_addf(&s, NULL, "%s", big), SN_ENOMEM);
  assert_string_equal(sn_str_get(&s), "keep");
  assert_int_equal(s.n, 4);
  sn_mem_fail_after(-1);
  sn_str_clear(&s);
}

static void fields_are_split_at_blanks(void **state) {
  (void)state;
  sn_span rest = sn_span_of(" \tone  two\r\n three "), f;
  static const char *const want[] = {"one", "two", "three"};
  for (int i = 0; i < 3; i++) {
    assert_true(sn_next_field(&rest, &f));
    assert_true(sn_span_eq(f, want[i]));
  }
  assert_false(sn_next_field(&rest, &f));
  assert_false(sn_next_field(&rest, &f));
}

static void empty_fields_count_with_a_separator(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *fields[5];
  } cases[] = {{"a,b", {"a", "b"}}, {"a,,b", {"a", "", "b"}},
               {",", {"", ""}},     {"", {""}},
               {"a,", {"a", ""}},   {",a,b,", {"", "a", "b", ""}}};
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    sn_span rest = sn_span_of(cases[c].text), f;
    for (int i = 0; i < 5 && cases[c].fields[i] != NULL; i++) {
      assert_true(sn_next_field_sep(&rest, ',', &f));
      assert_true(sn_span_eq(f, cases[c].fields[i]));
    }
    assert_false(sn_next_field_sep(&rest, ',', &f));
  }
}

static void spans_are_trimmed_and_compared(void **state) {
  (void)state;
  assert_true(sn_span_eq(sn_span_trim(sn_span_of(" \t a b \r\n")), "a b"));
  assert_true(sn_span_eq(sn_span_trim(sn_span_of(" \n ")), ""));
  assert_false(sn_span_eq(sn_span_of("ab"), "a"));
  assert_false(sn_span_eq(sn_span_of("a"), "ab"));
}

/* ---- Numbers ---- */

static void whole_texts_are_numbers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double value;
  } cases[] = {
      {"0", 0},
      {"-0", -0.0},
      {"+1.5", 1.5},
      {".5", .5},
      {"5.", 5},
      {"1e3", 1000},
      {"1E-3", 1e-3},
      {"1e+22", 1e22},
      {"1e23", 1e23},
      {"9007199254740993", 9007199254740993.0},
      {"0.1", 0.1},
      {"123456789012345678901234567890", 123456789012345678901234567890.0},
      {"0.000000000000000000000000000000000000001", 1e-39},
      {"1.7976931348623157e308", 1.7976931348623157e308},
      {"4.9e-324", 4.9e-324},
      {"1e-400", 0},
      {"0e999999999999", 0},
      {"inf", (double)INFINITY},
      {"-Infinity", -(double)INFINITY}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double v = -7;
    if (!sn_parse_double(sn_span_of(cases[i].text), &v) ||
        memcmp(&v, &cases[i].value, sizeof v) != 0)
      fail_msg("%s: %.17g", cases[i].text, v);
  }
  double v = 0;
  assert_true(sn_parse_double(sn_span_of("NaN"), &v) && isnan(v));
}

static void other_texts_are_none(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",      " 1",    "1 ",     "1,5",   "0x10", "1e",  "1e+",
      ".",     "-",     "+-1",    "1.2.3", "1e5.", "--1", "nanx",
      "infin", "1e999", "-1e999", "1_000", "e5",   "+",   "nan(1)"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    double v = 42;
    if (sn_parse_double(sn_span_of(texts[i]), &v))
      fail_msg("'%s' gave %g", texts[i], v);
    assert_true(v == 42);
  }
}

static void printed_doubles_read_back_exactly(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 11);
  static const char *const formats[] = {"%.17g", "%.20e",  "%.6g",
                                        "%.3f",  "%.340f", "%.17f"};
  for (int i = 0; i < 20000; i++) {
    /* Any bits: all exponents alike; every other one of a usual size. */
    const uint64_t bits = (uint64_t)sn_rng_u32(&rng) << 32 | sn_rng_u32(&rng);
    double x;
    memcpy(&x, &bits, sizeof x);
    if (i % 2 == 0) x = sn_rng_gauss(&rng) * 100;
    if (!isfinite(x)) continue;
    char text[800];
    snprintf(text, sizeof text, formats[i % 6], x);
    double got = 0;
    const double want = strtod(text, NULL);
    if (!sn_parse_double(sn_span_of(text), &got) || got != want)
      fail_msg("%s: %.17g, not %.17g", text, got, want);
  }
}

static void numbers_do_not_depend_on_the_locale(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8",
                                      "de_DE.utf8"};
  const char *set = NULL;
  for (size_t i = 0; i < 3 && set == NULL; i++)
    set = setlocale(LC_ALL, names[i]);
  if (set == NULL) {
    print_message("SKIPPED: no locale with a decimal comma is installed\n");
    skip();
  }
  double v = 0;
  sn_str s = {0};
  const bool ok = sn_parse_double(sn_span_of("12345678901234567890.5"), &v) &&
                  sn_str_addf(&s, NULL, "%.2f", 1.25) == SN_OK;
  setlocale(LC_ALL, "C");
  assert_true(ok);
  assert_true(v == 12345678901234567890.5);
  assert_string_equal(s.data, "1.25");
  sn_str_clear(&s);
}

static void integers_are_read_up_to_their_bounds(void **state) {
  (void)state;
  int64_t v = 0;
  int32_t w = 0;
  assert_true(sn_parse_int64(sn_span_of("9223372036854775807"), &v));
  assert_true(v == INT64_MAX);
  assert_true(sn_parse_int64(sn_span_of("-9223372036854775808"), &v));
  assert_true(v == INT64_MIN);
  assert_true(sn_parse_int32(sn_span_of("+2147483647"), &w));
  assert_true(w == INT32_MAX);
  assert_true(sn_parse_int32(sn_span_of("-2147483648"), &w));
  assert_true(w == INT32_MIN);
  assert_true(sn_parse_int32(sn_span_of("007"), &w) && w == 7);
  static const char *const bad[] = {"",
                                    "-",
                                    "1.0",
                                    " 1",
                                    "1 ",
                                    "a",
                                    "9223372036854775808",
                                    "-9223372036854775809",
                                    "99999999999999999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(sn_parse_int64(sn_span_of(bad[i]), &v));
  assert_true(v == INT64_MIN);
  assert_false(sn_parse_int32(sn_span_of("2147483648"), &w));
  assert_false(sn_parse_int32(sn_span_of("-2147483649"), &w));
}

/* ---- Edit distance ---- */

static size_t distance_by_table(const char *a, const char *b) {
  size_t d[16][16];
  const size_t na = strlen(a), nb = strlen(b);
  for (size_t i = 0; i <= na; i++)
    for (size_t j = 0; j <= nb; j++) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
      d[i][j] = best;
    }
  return d[na][nb];
}

static void edit_distance_is_that_of_the_full_table(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 5);
  for (int k = 0; k < 20000; k++) {
    char a[16] = "", b[16] = "";
    const uint32_t na = sn_rng_below(&rng, 13), nb = sn_rng_below(&rng, 13);
    for (uint32_t i = 0; i < na; i++)
      a[i] = (char)('a' + sn_rng_below(&rng, 3));
    for (uint32_t i = 0; i < nb; i++)
      b[i] = (char)('a' + sn_rng_below(&rng, 3));
    const size_t max = sn_rng_below(&rng, 14), want = distance_by_table(a, b);
    const size_t got = sn_edit_distance(a, b, max);
    if (got != (want <= max ? want : max + 1))
      fail_msg("'%s' '%s' max %zu: %zu, not %zu", a, b, max, got, want);
  }
}

/* ---- UTF-8 ---- */

/* Encodes every code point by RFC 3629's table. */
static void utf8_takes_every_character_and_nothing_else(void **state) {
  (void)state;
  for (uint32_t c = 0; c <= 0x110000; c++) {
    char s[4];
    size_t n = 0;
    if (c < 0x80) {
      s[n++] = (char)c;
    } else if (c < 0x800) {
      s[n++] = (char)(0xC0 | c >> 6);
      s[n++] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      s[n++] = (char)(0xE0 | c >> 12);
      s[n++] = (char)(0x80 | (c >> 6 & 0x3F));
      s[n++] = (char)(0x80 | (c & 0x3F));
    } else {
      s[n++] = (char)(0xF0 | c >> 18);
      s[n++] = (char)(0x80 | (c >> 12 & 0x3F));
      s[n++] = (char)(0x80 | (c >> 6 & 0x3F));
      s[n++] = (char)(0x80 | (c & 0x3F));
    }
    const bool is_character = c < 0x110000 && !(c >= 0xD800 && c <= 0xDFFF);
    size_t bad = 99;
    if (sn_utf8_valid(s, n, &bad) != is_character) fail_msg("U+%04X", c);
    if (is_character && n > 1) assert_false(sn_utf8_valid(s, n - 1, NULL));
  }
  static const char *const wrong[] = {"ab\xC0\x80",
                                      "ab\xE0\x80\x80",
                                      "ab\xF0\x80\x80\x80",
                                      "ab\x80",
                                      "ab\xFF",
                                      ("ab\xE2\x82"
                                       "c")};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    size_t bad = 0;
    assert_false(sn_utf8_valid(wrong[i], strlen(wrong[i]), &bad));
    assert_int_equal(bad, 2);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_zeroed_string_is_empty_and_grows),
      cmocka_unit_test(a_failed_addition_leaves_the_string_as_it_was),
      cmocka_unit_test(fields_are_split_at_blanks),
      cmocka_unit_test(empty_fields_count_with_a_separator),
      cmocka_unit_test(spans_are_trimmed_and_compared),
      cmocka_unit_test(whole_texts_are_numbers),
      cmocka_unit_test(other_texts_are_none),
      cmocka_unit_test(printed_doubles_read_back_exactly),
      cmocka_unit_test(numbers_do_not_depend_on_the_locale),
      cmocka_unit_test(integers_are_read_up_to_their_bounds),
      cmocka_unit_test(edit_distance_is_that_of_the_full_table),
      cmocka_unit_test(utf8_takes_every_character_and_nothing_else),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
