/* SPDX-License-Identifier: Apache-2.0 */
/* The normaliser: what a reader of English says, its own rules, bad input. */
#include "base/mem.h"
#include "lm/normalise.h"
#include "lm_support.h"

static sn_norm *english(void) {
  sn_norm *n = NULL;
  sn_err err = {0};
  must(sn_norm_create(NULL, NULL, &n, &err), &err);
  return n;
}

static void says(sn_norm *n, const char *text, const char *want) {
  sn_str out = {0};
  sn_err err = {0};
  must(sn_norm_line(n, text, strlen(text), &out, &err), &err);
  if (strcmp(sn_str_get(&out), want) != 0)
    fail_msg("'%s': '%s', not '%s'", text, sn_str_get(&out), want);
  sn_str_clear(&out);
}

static void test_english_is_said_as_it_is_read(void **state) {
  (void)state;
  sn_norm *const n = english();
  static const char *const cases[][2] = {
      {"Hello, World!", "hello world"},
      {"don't 'quote' it's", "don't quote it's"},
      {"a well-known fact\xe2\x80\x94really", "a well known fact really"},
      {"0 7 13 20 21 99", "zero seven thirteen twenty twenty one ninety nine"},
      {"100 101 1000 1,234,567",
       "one hundred one hundred one one thousand one million two hundred "
       "thirty four thousand five hundred sixty seven"},
      {"1st 2nd 3rd 12th 20th 21st 100th",
       "first second third twelfth twentieth twenty first one hundredth"},
      {"in 1984, 1900, 1905, 2000, 2005 and 2023",
       "in nineteen eighty four nineteen hundred nineteen oh five two thousand "
       "two thousand five and twenty twenty three"},
      {"the 1980s", "the nineteen eighties"},
      {"Jan. 5, 1984", "january fifth nineteen eighty four"},
      {"4 July 1776", "fourth of july seventeen seventy six"},
      {"12/25/1999", "december twenty fifth nineteen ninety nine"},
      {"2001-09-11", "september eleventh two thousand one"},
      {"at 9:05 p.m. or 10:30", "at nine oh five p m or ten thirty"},
      {"5:00 and 5pm", "five o'clock and five p m"},
      {"$3.50, $1, $0.25 and $2 million",
       "three dollars and fifty cents one dollar twenty five cents and two "
       "million dollars"},
      {"\xc2\xa3"
       "1.01 \xe2\x82\xac"
       "5",
       "one pound and one penny five euros"},
      {"3.14 and 50% and 2.5%",
       "three point one four and fifty percent and two point five percent"},
      {"5 kg, 1 mi, 20km", "five kilograms one mile twenty kilometers"},
      {"Dr. Smith vs. Mr Jones", "doctor smith versus mister jones"},
      {"1/2 or 3/16", "one half or three over sixteen"},
      {"007 and 1.2.3", "zero zero seven and one two three"},
      {"12345678901234567890",
       "one two three four five six seven eight nine zero one two three four "
       "five six seven eight nine zero"},
      {"Caf\x65\xcc\x81 \xc3\x89T\xc3\x89", "caf\xc3\xa9 \xc3\xa9t\xc3\xa9"},
      {"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
       "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
      {"In 1914-18, 1861\xe2\x80\x93"
       "65 and the '90s or 20s",
       "in nineteen fourteen to eighteen eighteen sixty one to sixty five and "
       "the nineties or twenties"},
      {"555-1234, 212-555-1234, (212) 555-1234",
       "five five five one two three four two one two five five five one two "
       "three four two one two five five five one two three four"},
      {"10 a.m.\xe2\x80\x93"
       "5 p.m. at -5 and (-3)",
       "ten a m to five p m at minus five and minus three"},
      {"12.5 % of 50 %, 1\xc2\xa2 or 50\xc2\xa2",
       "twelve point five percent of fifty percent one cent or fifty cents"},
      {"5/6/07 and 3-4 or 100-200",
       "may sixth oh seven and three to four or "
       "one hundred to two hundred"},
      {"-40\xc2\xb0"
       "F, \xe2\x88\x92"
       "4.5 \xc2\xb0"
       "C and -5%, minus",
       "minus forty degrees fahrenheit minus four point five degrees celsius "
       "and minus five percent minus"},
      {"in 1066, of '45 and 1066 men",
       "in ten sixty six of forty five and one thousand sixty six men"},
      {"$1.5-2 million, $1.5-$2.5 billion, \xc2\xa3"
       "3-4m, $5-$10",
       "one point five to two million dollars one point five to two point five "
       "billion dollars three to four million pounds five to ten dollars"},
      {"a $3-million house", "a three million dollar house"},
      {"9am-5pm, 9:00-17:00, 10:30 a.m.-12:15 p.m., 12:00-13:30",
       "nine a m to five p m nine to seventeen ten thirty a m to twelve "
       "fifteen p m twelve to thirteen thirty"},
      {"5%-10%, 1.5%-2.5%, 20-30\xc2\xb0"
       "C, 4th-6th",
       "five to ten percent one point five to two point five percent twenty to "
       "thirty degrees celsius fourth to sixth"},
      {"AT&T, Q&A, this & that, C++",
       "a t and t q and a this and that c plus plus"},
      {"We're #1! Nos. 4, \xc2\xa7 12, ca. 1850, ca. 40",
       "we're number one numbers four section twelve circa eighteen fifty "
       "circa "
       "forty"},
      {"6'2\", 2x4, 2 x 4, 1-800-555-0199",
       "six foot two two by four two by four one eight zero zero five five "
       "five "
       "zero one nine nine"},
      {"24/7, 50/50, 9/11, 9/11/2001, 3/11",
       "twenty four seven fifty fifty nine eleven "
       "september eleventh two thousand one three over eleven"},
      {"5th St. and St. John, 3 tsp. of 2.5bn",
       "fifth street and saint john three teaspoons of two point five "
       "billion"},
      {"  ...  ", ""},
      {"", ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    says(n, cases[i][0], cases[i][1]);
  sn_norm_destroy(n);
}

static void test_roman_numerals_are_read_where_they_count(void **state) {
  (void)state;
  sn_norm *const n = english();
  static const char *const cases[][2] = {
      {"Chapter XIV, CHAPTER IX. World War II",
       "chapter fourteen chapter nine world war two"},
      {"Act I, Part I", "act one part one"},
      {"the chapter I read, type I", "the chapter i read type one"},
      {"World War I began", "world war one began"},
      {"Henry VIII, Louis XIV's court, Harold II",
       "henry the eighth louis the fourteenth's court harold the second"},
      {"Charles I think; said Charles, I", "charles i think said charles i"},
      {"Charles I, Charles I of England, King Charles I was",
       "charles the first charles the first of england king charles the first "
       "was"},
      {"the XIXth century, MDCCLXXVI",
       "the nineteenth century seventeen seventy six"},
      /* No numerals, no such ones, or none of a heading's or a ruler's. */
      {"Chapter IIII, VIV, IXI and VX", "chapter iiii viv ixi and vx"},
      {"Part C, CD, MIX, DIM, IV, chapter xiv",
       "part c cd mix dim iv chapter xiv"},
      {"Chapter XLIX, LIX, Chapter LIX",
       "chapter forty nine lix chapter fifty nine"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    says(n, cases[i][0], cases[i][1]);
  sn_norm_destroy(n);
}

static void test_addresses_are_read_sign_by_sign(void **state) {
  (void)state;
  sn_norm *const n = english();
  static const char *const cases[][2] = {
      {"See https://www.example.com/a-b_7?x=1&y=2.",
       "see w w w dot example dot com slash a dash b underscore seven "
       "question mark x equals one and y equals two"},
      {"(http://a.b-c.de/index.html), ftp://ftp.example.xyz!",
       "a dot b dash c dot d e slash index dot h t m l "
       "ftp dot example dot xyz"},
      {"www.gov.uk or example.org:8080",
       "w w w dot gov dot u k or example dot org colon eight zero eight zero"},
      {"Joe.Smith_9@mail.example.co.uk; mailto:me@x.museum",
       "joe dot smith underscore nine at mail dot example dot c o dot u k "
       "me at x dot museum"},
      /* A blank that was forgotten makes no address. */
      {"the end.In the day.So", "the end in the day so"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    says(n, cases[i][0], cases[i][1]);
  assert_int_equal(sn_norm_n_spelled(n), 0);
  /* Signs that the section does not have are dropped, and counted. */
  sn_norm_destroy(n);
  sn_norm *const fresh = english();
  says(fresh, "http://a.com/x*y", "a dot com slash x y");
  assert_int_equal(sn_norm_n_dropped(fresh), 1);
  assert_string_equal(sn_norm_dropped(fresh, 0, NULL), "*");
  sn_norm_destroy(fresh);
}

static void test_fractions_ranges_and_money(void **state) {
  (void)state;
  sn_norm *const n = english();
  static const char *const cases[][2] = {
      {"\xc2\xbd cup, \xc2\xbc, \xc2\xbe and \xe2\x85\x9d",
       "one half cup one quarter three quarters and five eighths"},
      {"3\xc2\xbd hours, 3 1/2 miles, 2-1/2, 1 \xc2\xbc, 2 3/8",
       "three and a half hours three and a half miles two and a half "
       "one and a quarter two and three eighths"},
      {"5 \xc2\xbe kg, \xc2\xbd kg, 12\xc2\xbd%, 1\xe2\x81\x84"
       "2, 24/7",
       "five and three quarters kilograms one half kilogram "
       "twelve and a half percent one half twenty four seven"},
      {"$3-5 million, $10-$20, $5k, $2.5bn, \xc2\xa5"
       "300, US$5, \xc2\xa5"
       "3.50",
       "three to five million dollars ten to twenty dollars "
       "five thousand dollars two point five billion dollars "
       "three hundred yen five u s dollars three yen and fifty sen"},
      {"10-20%, 5-10 kg, 25 m\xc2\xb2, 7.30 p.m., pp. 3-4",
       "ten to twenty percent five to ten kilograms "
       "twenty five square meters seven thirty p m pages three to four"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    says(n, cases[i][0], cases[i][1]);
  sn_norm_destroy(n);
}

static void test_what_is_dropped_is_counted(void **state) {
  (void)state;
  sn_norm *const n = english();
  says(n, "a, b, c! 1.2.3", "a b c one two three");
  int64_t count;
  assert_int_equal(sn_norm_n_dropped(n), 3);
  assert_string_equal(sn_norm_dropped(n, 0, &count), ",");
  assert_int_equal(count, 2);
  assert_string_equal(sn_norm_dropped(n, 1, &count), "!");
  assert_int_equal(count, 1);
  assert_int_equal(sn_norm_n_spelled(n), 3);
  sn_norm_destroy(n);
}

static sn_status make(const char *rules, sn_norm **out, sn_err *err) {
  sn_reader *r = NULL;
  const sn_norm_opts o = {SN_NORM_UPPER};
  SN_TRY(sn_reader_memory(rules, strlen(rules), "rules", &r, err));
  const sn_status s = sn_norm_create(r, &o, out, err);
  sn_reader_destroy(r);
  return s;
}

static void test_own_rules_replace_the_built_in_ones(void **state) {
  (void)state;
  sn_norm *n = NULL;
  sn_err err = {0};
  must(
      make("# mine\n[char]\n~ = -\n[town]\nnyc = new york|new yorks\n[rule]\n"
           "<town> <1..3> = {2} {1:town#2}\nx y = both\n\\# <n> = number {1}\n",
           &n, &err),
      &err);
  says(n, "NYC 2, nyc 1", "2 NEW YORKS 1 NEW YORK");
  says(n, "x   Y x~z # 7", "BOTH X Z NUMBER 7");
  sn_norm_destroy(n);
}

static void test_bad_rules_and_text_are_named(void **state) {
  (void)state;
  static const char *const bad[][2] = {
      {"a = b\n", "rules:1: a [section] must come first"},
      {"[rule]\nab\n", "rules:2: expected KEY = VALUE"},
      {"[rule]\n<n = b\n", "rules:2: '<' without '>'"},
      {"[rule]\n\xff = b\n", "rules:2: the line is not UTF-8"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sn_norm *n = NULL;
    sn_err err = {0};
    assert_int_equal(make(bad[i][0], &n, &err), SN_EFORMAT);
    assert_null(n);
    if (strstr(err.msg, bad[i][1]) == NULL)
      fail_msg("'%s' is not in '%s'", bad[i][1], err.msg);
  }
  sn_norm *n = NULL;
  sn_err err = {0};
  sn_str out = {0};
  must(make("[rule]\nq = {3}\n<n> = {1:cardinal}\n", &n, &err), &err);
  assert_int_equal(sn_norm_line(n, "q", 1, &out, &err), SN_EFORMAT);
  sn_err_clear(&err);
  assert_int_equal(sn_norm_line(n, "7", 1, &out, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "no number '7'"));
  sn_err_clear(&err);
  assert_int_equal(sn_norm_line(n, "a\xc0", 2, &out, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "byte 1 of the line is not UTF-8"));
  sn_str_clear(&out);
  sn_norm_destroy(n);
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  const long live = sn_mem_live();
  const char *const rules =
      "[char]\n~ = -\n[number]\n1 = one\n[a]\nb = c\n"
      "[rule]\n<a> = {1:a}\n<n> = {1:digits}\n";
  for (long k = 0;; k++) {
    sn_norm *n = NULL;
    sn_err err = {0};
    sn_str out = {0};
    sn_mem_fail_after(k);
    sn_status s = make(rules, &n, &err);
    if (s == SN_OK) s = sn_norm_line(n, "b 11 x!", 7, &out, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_norm_destroy(n);
    sn_str_clear(&out);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_english_is_said_as_it_is_read),
      cmocka_unit_test(test_roman_numerals_are_read_where_they_count),
      cmocka_unit_test(test_addresses_are_read_sign_by_sign),
      cmocka_unit_test(test_fractions_ranges_and_money),
      cmocka_unit_test(test_what_is_dropped_is_counted),
      cmocka_unit_test(test_own_rules_replace_the_built_in_ones),
      cmocka_unit_test(test_bad_rules_and_text_are_named),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
