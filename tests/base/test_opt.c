/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables and settings files. */
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

#include "base/ini.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/opt.h"
#include "tests/ref/temp_path.h"

typedef struct options {
  float low;
  double shift;
  int32_t order, kind;
  size_t window;
  bool dither;
  const char *name;
} options;

#define AT(field) offsetof(options, field)
static const sn_opt table[] = {
    {"low-freq", SN_OPT_FLOAT, AT(low), 20, 0, 8000, NULL, "Hz", "lower edge"},
    {"shift", SN_OPT_DOUBLE, AT(shift), 0.01, -1e300, 1e300, NULL, "s", "step"},
    {"order", SN_OPT_INT, AT(order), -2, -5, 5, NULL, NULL, "order"},
    {"window", SN_OPT_SIZE, AT(window), 600, 1, 1e12, NULL, "frames", "size"},
    {"dither", SN_OPT_BOOL, AT(dither), 1, 0, 1, NULL, NULL, "noise"},
    {"name", SN_OPT_STRING, AT(name), 0, 0, 0, "none", NULL, "a name"},
    {"kind", SN_OPT_ENUM, AT(kind), 1, 0, 0, "mfcc|fbank|plp", NULL, "what"},
    SN_OPT_END};

static void defaults_are_the_tables(void **state) {
  (void)state;
  options o;
  memset(&o, 0x5A, sizeof o);
  sn_opt_defaults(table, &o);
  assert_true(o.low == 20 && o.shift == 0.01 && o.order == -2);
  assert_true(o.window == 600 && o.dither && o.kind == 1);
  assert_string_equal(o.name, "none");
}

static void texts_are_taken_by_type(void **state) {
  (void)state;
  options o;
  sn_opt_defaults(table, &o);
  static const char *const sets[][2] = {
      {"low_freq", "8000"}, {"shift", "-1e300"}, {"order", "5"},
      {"window", "1e12"},   {"dither", "no"},    {"name", "x y"},
      {"kind", "plp"}};
  for (size_t i = 0; i < 7; i++)
    assert_int_equal(sn_opt_set(table, &o, sets[i][0], sets[i][1], NULL),
                     SN_OK);
  assert_true(o.low == 8000 && o.shift == -1e300 && o.order == 5);
  assert_true(o.window == 1000000000000u && !o.dither && o.kind == 2);
  assert_string_equal(o.name, "x y");
  assert_ptr_equal(sn_opt_find(table, "low_freq"), &table[0]);
  assert_null(sn_opt_find(table, "low"));
}

static void faults_change_nothing_and_are_named(void **state) {
  (void)state;
  static const char *const cases[][3] = {
      {"low-freq", "8000.1", "outside 0 to 8000; the default is 20"},
      {"low-freq", "-1", "-1 Hz is outside"},
      {"low-freq", "12Hz", "'12Hz' is not a number (unit: Hz)"},
      {"low-freq", "", "is not a number"},
      {"low-freq", "nan", "is not a number"},
      {"shift", "inf", "outside"},
      {"order", "1.5", "not a whole number"},
      {"window", "0", "outside 1 to"},
      {"dither", "maybe", "neither yes nor no"},
      {"kind", "mfc", "none of mfcc|fbank|plp"},
      {"kind", "", "none of"},
      {"low-frq", "1", "there is no option --low-frq; did you mean --low-freq"},
      {"windwo", "1", "did you mean --window?"},
      {"zzzzzzz", "1", "there is no option --zzzzzzz"}};
  options o, before;
  memset(&o, 0, sizeof o);
  sn_opt_defaults(table, &o);
  before = o;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sn_err err = {0};
    assert_int_equal(sn_opt_set(table, &o, cases[i][0], cases[i][1], &err),
                     SN_EARG);
    if (strstr(err.msg, cases[i][2]) == NULL) fail_msg("%s", err.msg);
    assert_true(o.low == before.low && o.shift == before.shift);
    assert_true(o.order == before.order && o.window == before.window);
    assert_true(o.kind == before.kind && o.dither == before.dither);
  }
}

static void values_print_as_texts_that_set_them(void **state) {
  (void)state;
  static const char *const values[][7] = {
      {"0.1", "0.1", "-5", "1", "yes", "", "mfcc"},
      {"123.456001", "3.141592653589793", "0", "999999999999", "no", "a b",
       "plp"},
      {"1e-20", "1e-300", "5", "7", "yes", "x", "fbank"}};
  for (size_t v = 0; v < 3; v++) {
    options o, back;
    sn_opt_defaults(table, &o);
    sn_opt_defaults(table, &back);
    sn_str text[7];
    memset(text, 0, sizeof text);
    for (size_t i = 0; table[i].name != NULL; i++) {
      assert_int_equal(sn_opt_set(table, &o, table[i].name, values[v][i], NULL),
                       SN_OK);
      assert_int_equal(sn_opt_get(&table[i], &o, &text[i], NULL), SN_OK);
      assert_int_equal(
          sn_opt_set(table, &back, table[i].name, sn_str_get(&text[i]), NULL),
          SN_OK);
    }
    assert_true(o.low == back.low && o.shift == back.shift);
    assert_true(o.order == back.order && o.window == back.window);
    assert_true(o.dither == back.dither && o.kind == back.kind);
    assert_string_equal(o.name, back.name);
    if (v == 0) assert_string_equal(text[0].data, "0.1"); /* not 0.100000001 */
    for (size_t i = 0; i < 7; i++) sn_str_clear(&text[i]);
  }
}

static void help_has_a_line_per_option(void **state) {
  (void)state;
  sn_str s = {0};
  assert_int_equal(sn_opt_help(table, &s, NULL), SN_OK);
  assert_string_equal(
      s.data,
      "  --low-freq=20               Hz, 0 to 8000: lower edge\n"
      "  --shift=0.01                s, any: step\n"
      "  --order=-2                  -5 to 5: order\n"
      "  --window=600                frames, from 1: size\n"
      "  --dither=yes                yes or no: noise\n"
      "  --name=none                 a name\n"
      "  --kind=fbank                mfcc, fbank or plp: what\n");
  sn_str_clear(&s);
}

/* ---- Settings files ---- */

static sn_ini *parsed(const char *text) {
  sn_ini *ini = NULL;
  sn_err err = {0};
  if (sn_ini_parse(text, strlen(text), "m.ini", &ini, &err) != SN_OK)
    fail_msg("%s", err.msg);
  return ini;
}

static void settings_are_found_by_section_and_key(void **state) {
  (void)state;
  sn_ini *const ini = parsed(
      "top = 1\n# comment\n; another\n\n [ model ] \nkind=gmm # not a comment\n"
      " name =  a = b \r\nempty =\n[x]\nkind = 2.5\n[model]\nlast = 1");
  assert_string_equal(sn_ini_get(ini, "", "top"), "1");
  assert_string_equal(sn_ini_get(ini, "model", "kind"), "gmm # not a comment");
  assert_string_equal(sn_ini_get(ini, "model", "name"), "a = b");
  assert_string_equal(sn_ini_get(ini, "model", "empty"), "");
  assert_string_equal(sn_ini_get(ini, "model", "last"), "1");
  assert_null(sn_ini_get(ini, "model", "top"));
  assert_null(sn_ini_get(ini, "nothing", "kind"));
  double d = 7;
  assert_int_equal(sn_ini_get_double(ini, "x", "kind", &d, NULL), SN_OK);
  assert_true(d == 2.5);
  assert_int_equal(sn_ini_get_double(ini, "x", "missing", &d, NULL), SN_OK);
  assert_true(d == 2.5);
  sn_err err = {0};
  assert_int_equal(sn_ini_get_double(ini, "model", "kind", &d, &err),
                   SN_EFORMAT);
  assert_non_null(strstr(err.msg, "'kind' in section [model] is not a number"));
  sn_err_clear(&err);
  const char *value = NULL;
  assert_int_equal(sn_ini_need(ini, "x", "kind", &value, NULL), SN_OK);
  assert_string_equal(value, "2.5");
  assert_int_equal(sn_ini_need(ini, "x", "q", &value, &err), SN_EFORMAT);
  assert_string_equal(err.msg, "'m.ini': section [x] has no 'q'");
  static const char *const keys[] = {"kind", "name", "empty", "last"};
  for (size_t i = 0; i < 4; i++)
    assert_string_equal(sn_ini_key_at(ini, "model", i, &value), keys[i]);
  assert_null(sn_ini_key_at(ini, "model", 4, &value));
  sn_ini_destroy(ini);
}

static void faulty_settings_are_named_by_line(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"a = 1\na = 2\n", "m.ini:2: 'a' appears twice in section []"},
      {"[m]\nx = 1\n[n]\n[m]\nx = 2\n", "m.ini:5: 'x' appears twice in sect"},
      {"[m\n", "m.ini:1: ']' is missing"},
      {"\njust words\n", "m.ini:2: expected 'key = value'"},
      {"= 3\n", "m.ini:1: expected 'key = value'"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sn_ini *ini = NULL;
    sn_err err = {0};
    assert_int_equal(
        sn_ini_parse(cases[i][0], strlen(cases[i][0]), "m.ini", &ini, &err),
        SN_EFORMAT);
    assert_null(ini);
    if (strstr(err.msg, cases[i][1]) == NULL) fail_msg("%s", err.msg);
  }
  sn_ini *ini = NULL;
  assert_int_equal(sn_ini_parse("a\0=1", 4, "m.ini", &ini, NULL), SN_EFORMAT);
}

static void saved_settings_come_back(void **state) {
  (void)state;
  char dir[64], path[80];
  temp_template(dir, sizeof dir, "ini");
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/m.ini", dir);
  sn_ini *ini = NULL;
  assert_int_equal(sn_ini_create(&ini, NULL), SN_OK);
  assert_int_equal(sn_ini_set(ini, "b", "x", "1", NULL), SN_OK);
  assert_int_equal(sn_ini_set(ini, "a", "y", "two words # =", NULL), SN_OK);
  assert_int_equal(sn_ini_set(ini, "", "top", "0", NULL), SN_OK);
  assert_int_equal(sn_ini_set(ini, "b", "z", "", NULL), SN_OK);
  assert_int_equal(sn_ini_set(ini, "b", "x", "3", NULL), SN_OK);
  static const char *const bad[][3] = {
      {"s", "a=b", "1"}, {"s", "", "1"},    {"s", "#k", "1"},
      {"s", "k", "1\n"}, {"s\n", "k", "1"}, {"s]", "k", "1"},
      {"s", " k", "1"},  {"s", "k", "1 "},  {"s", "[k", "1"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(sn_ini_set(ini, bad[i][0], bad[i][1], bad[i][2], NULL),
                     SN_EARG);
  assert_int_equal(sn_ini_save(ini, path, NULL), SN_OK);
  sn_ini_destroy(ini);
  char *text = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(path, &text, &n, NULL), SN_OK);
  assert_string_equal(
      text, "top = 0\n\n[b]\nx = 3\nz = \n\n[a]\ny = two words # =\n");
  sn_free(text);
  assert_int_equal(sn_ini_load(path, &ini, NULL), SN_OK);
  assert_string_equal(sn_ini_get(ini, "a", "y"), "two words # =");
  sn_ini_destroy(ini);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(rmdir(dir), 0);
}

static void settings_survive_exhausted_memory(void **state) {
  (void)state;
  static const char text[] = "a = 1\n[m]\nb = 2\nc = 3\n";
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_ini *ini = NULL;
    sn_mem_fail_after(k);
    sn_status s = sn_ini_parse(text, sizeof text - 1, "m", &ini, NULL);
    if (s == SN_OK) s = sn_ini_set(ini, "m", "b", "new", NULL);
    if (s == SN_OK) s = sn_ini_set(ini, "q", "b", "new", NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    if (s == SN_OK) assert_string_equal(sn_ini_get(ini, "m", "b"), "new");
    sn_ini_destroy(ini);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_the_tables),
      cmocka_unit_test(texts_are_taken_by_type),
      cmocka_unit_test(faults_change_nothing_and_are_named),
      cmocka_unit_test(values_print_as_texts_that_set_them),
      cmocka_unit_test(help_has_a_line_per_option),
      cmocka_unit_test(settings_are_found_by_section_and_key),
      cmocka_unit_test(faulty_settings_are_named_by_line),
      cmocka_unit_test(saved_settings_come_back),
      cmocka_unit_test(settings_survive_exhausted_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
