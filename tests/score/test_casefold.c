/* SPDX-License-Identifier: Apache-2.0 */
/* Case folding against the C library's tables. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wctype.h>

#include <cmocka.h>

#include "score/casefold.h"

/* glibc in C.UTF-8: Unicode's simple mapping. Left out, as docs/scoring.md
 * tells: scattered letters of Latin Extended-B and of Greek (African, archaic
 * and Coptic letters), and U+0130, which is two code points in lower case. */
static bool is_left_out(int32_t c) {
  return c == 0x0130 || (c >= 0x0180 && c <= 0x01cc) ||
         (c >= 0x01f0 && c <= 0x01f7) || c == 0x0220 ||
         (c >= 0x023a && c <= 0x024f) || (c >= 0x0370 && c <= 0x037f) ||
         (c >= 0x03cf && c <= 0x03ff) || c == 0x03c2;
}

static void test_folds_as_the_c_library_does_in_the_blocks_named(void **state) {
  (void)state;
  if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
    print_message("no C.UTF-8 locale\n");
    skip();
  }
  static const int32_t blocks[][2] = {
      {0, 0x024f}, {0x0370, 0x052f}, {0x1e00, 0x1eff}, {0xff00, 0xff5e}};
  int n = 0;
  for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++)
    for (int32_t c = blocks[b][0]; c <= blocks[b][1]; c++) {
      if (is_left_out(c)) continue;
      if (sn_casefold(c) != (int32_t)towlower((wint_t)c))
        fail_msg("U+%04x becomes U+%04x, expected U+%04x", (unsigned)c,
                 (unsigned)sn_casefold(c), (unsigned)towlower((wint_t)c));
      n += sn_casefold(c) != c;
    }
  assert_true(n > 400); /* the comparison has looked at letters */
  setlocale(LC_CTYPE, "C");
}

static void test_folding_twice_is_folding_once(void **state) {
  (void)state;
  for (int32_t c = 0; c < 0x11000; c++)
    assert_int_equal(sn_casefold(c), sn_casefold(sn_casefold(c)));
}

static void test_words_of_four_scripts(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"Z\xc3\x9cRICH", "z\xc3\xbcrich"},
      {"\xce\x9f\xce\x94\xce\x9f\xce\xa3", /* final sigma */
       "\xce\xbf\xce\xb4\xce\xbf\xcf\x83"},
      {"\xce\xbf\xce\xb4\xce\xbf\xcf\x82", "\xce\xbf\xce\xb4\xce\xbf\xcf\x83"},
      {"\xd0\x9c\xd0\x98\xd0\xa0", "\xd0\xbc\xd0\xb8\xd1\x80"},
      {"Stra\xc3\x9f"
       "e",
       "stra\xc3\x9f"
       "e"},
      {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac"},
      {"\xf0\x9f\x98\x80X", "\xf0\x9f\x98\x80x"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    sn_str s = {0};
    assert_int_equal(SN_OK, sn_casefold_add(&s, sn_span_of(pairs[i][0]), NULL));
    assert_string_equal(pairs[i][1], sn_str_get(&s));
    sn_str_clear(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_folds_as_the_c_library_does_in_the_blocks_named),
      cmocka_unit_test(test_folding_twice_is_folding_once),
      cmocka_unit_test(test_words_of_four_scripts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
