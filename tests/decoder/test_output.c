/* SPDX-License-Identifier: Apache-2.0 */
/* Output formats, byte for byte as their specifications say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "decoder/output.h"

static const sn_out_word words[] = {
    {"go", 0.1, 0.35, 1.5, 20.25, false, 0, NULL, 0},
    {"for\"ward", 0.35, 0.9, 2, 30, false, 0, NULL, 0},
};
static const sn_out_phone phones[] = {
    {"SIL", 0, 0.1, true},         {"G", 0.1, 0.2, false},
    {"OW", 0.2, 0.35, false},      {"F", 0.35, 0.9, false},
    {"SIL", 0.9, 1.2345678, true},
};

static sn_out_utt utt(void) {
  const sn_out_utt u = {.id = "a-1",
                        .words = words,
                        .n_words = 2,
                        .phones = phones,
                        .n_phones = 5,
                        .end_s = 1.2345678,
                        .graph_cost = 3.5,
                        .acoustic_cost = -50.25};
  return u;
}

static void expect(sn_out_format f, const sn_out_utt *u, const char *want) {
  sn_str s = {0};
  sn_err err = {0};
  assert_int_equal(sn_out_add(f, u, &s, &err), SN_OK);
  assert_string_equal(sn_str_get(&s), want);
  sn_str_clear(&s);
}

static void test_line_formats(void **state) {
  (void)state;
  const sn_out_utt u = utt();
  expect(SN_OUT_TEXT, &u, "go for\"ward\n");
  expect(SN_OUT_KALDI, &u, "a-1 go for\"ward\n");
  expect(SN_OUT_TRN, &u, "go for\"ward (a-1)\n");
  expect(SN_OUT_CTM, &u,
         "a-1 1 0.100 0.250 go\n"
         "a-1 1 0.350 0.550 for\"ward\n");
}

static void test_confidence_and_alternatives_where_they_are_known(
    void **state) {
  (void)state;
  static const sn_out_alternative others[] = {{"no", 0.25}, {"", 0.125}};
  static const sn_out_sentence best[] = {{"go", 1, 2, 0.625},
                                         {"so", 1, 2, 0.0000123456}};
  const sn_out_word w = {"go", 0, 1, 1, 2, true, 0.625, others, 2};
  const sn_out_utt u = {.id = "x",
                        .words = &w,
                        .n_words = 1,
                        .end_s = 1,
                        .graph_cost = 1,
                        .acoustic_cost = 2,
                        .rescored = true,
                        .sentences = best,
                        .n_sentences = 2};
  expect(SN_OUT_CTM, &u, "x 1 0.000 1.000 go 0.6250\n");
  expect(SN_OUT_JSON, &u,
         "{\"id\":\"x\",\"text\":\"go\",\"begin\":0.000,\"end\":1.000,"
         "\"graph_cost\":1.0000,\"acoustic_cost\":2.0000,\"no_path\":false,"
         "\"incomplete\":false,\"rescored\":true,\"words\":[{\"word\":\"go\","
         "\"begin\":0.000,\"end\":1.000,\"graph_cost\":1.0000,"
         "\"acoustic_cost\":2.0000,\"confidence\":0.6250,\"alternatives\":"
         "[{\"word\":\"no\",\"posterior\":0.2500},{\"word\":\"\","
         "\"posterior\":0.1250}]}],\"phones\":[],\"nbest\":[{\"text\":\"go\","
         "\"graph_cost\":1.0000,\"acoustic_cost\":2.0000,"
         "\"posterior\":0.6250},{\"text\":\"so\",\"graph_cost\":1.0000,"
         "\"acoustic_cost\":2.0000,\"posterior\":0.00001235}]}\n");
}

static void test_empty_results_keep_their_line(void **state) {
  (void)state;
  const sn_out_utt u = {.id = "b", .no_path = true};
  expect(SN_OUT_TEXT, &u, "\n");
  expect(SN_OUT_KALDI, &u, "b\n");
  expect(SN_OUT_TRN, &u, "(b)\n");
  expect(SN_OUT_CTM, &u, "");
  expect(SN_OUT_SRT, &u, "");
  expect(SN_OUT_VTT, &u, "WEBVTT\n\n");
}

static void test_json_has_everything(void **state) {
  (void)state;
  sn_out_utt u = utt();
  u.n_words = u.n_phones = 1;
  u.acoustic_cost = (double)INFINITY;
  expect(SN_OUT_JSON, &u,
         "{\"id\":\"a-1\",\"text\":\"go\",\"begin\":0.000,\"end\":1.235,"
         "\"graph_cost\":3.5000,\"acoustic_cost\":null,\"no_path\":false,"
         "\"incomplete\":false,\"words\":[{\"word\":\"go\",\"begin\":0.100,"
         "\"end\":0.350,\"graph_cost\":1.5000,\"acoustic_cost\":20.2500}],"
         "\"phones\":[{\"phone\":\"SIL\",\"begin\":0.000,\"end\":0.100}]}\n");
}

static void test_json_escapes_what_it_must(void **state) {
  (void)state;
  const sn_out_word w = {
      "a\"b\\c\n\x01\xc3\xa9\xff\xe2\x82", 0, 1, 0, 0, false, 0, NULL, 0};
  const sn_out_utt u = {.id = "x", .words = &w, .n_words = 1, .end_s = 1};
  sn_str s = {0};
  assert_int_equal(sn_out_add(SN_OUT_JSON, &u, &s, NULL), SN_OK);
  /* é stays; the stray byte and each byte of the cut sequence are replaced. */
  assert_non_null(strstr(sn_str_get(&s),
                         "\"text\":\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9"
                         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
  size_t bad;
  assert_true(sn_utf8_valid(s.data, s.n, &bad));
  sn_str_clear(&s);
}

static void test_textgrid_tiles_its_tiers(void **state) {
  (void)state;
  const sn_out_utt u = utt();
  expect(SN_OUT_TEXTGRID, &u,
         "File type = \"ooTextFile\"\n"
         "Object class = \"TextGrid\"\n"
         "\n"
         "xmin = 0.000000\n"
         "xmax = 1.234568\n"
         "tiers? <exists>\n"
         "size = 2\n"
         "item []:\n"
         "    item [1]:\n"
         "        class = \"IntervalTier\"\n"
         "        name = \"words\"\n"
         "        xmin = 0.000000\n"
         "        xmax = 1.234568\n"
         "        intervals: size = 4\n"
         "        intervals [1]:\n"
         "            xmin = 0.000000\n"
         "            xmax = 0.100000\n"
         "            text = \"\"\n"
         "        intervals [2]:\n"
         "            xmin = 0.100000\n"
         "            xmax = 0.350000\n"
         "            text = \"go\"\n"
         "        intervals [3]:\n"
         "            xmin = 0.350000\n"
         "            xmax = 0.900000\n"
         "            text = \"for\"\"ward\"\n"
         "        intervals [4]:\n"
         "            xmin = 0.900000\n"
         "            xmax = 1.234568\n"
         "            text = \"\"\n"
         "    item [2]:\n"
         "        class = \"IntervalTier\"\n"
         "        name = \"phones\"\n"
         "        xmin = 0.000000\n"
         "        xmax = 1.234568\n"
         "        intervals: size = 5\n"
         "        intervals [1]:\n"
         "            xmin = 0.000000\n"
         "            xmax = 0.100000\n"
         "            text = \"SIL\"\n"
         "        intervals [2]:\n"
         "            xmin = 0.100000\n"
         "            xmax = 0.200000\n"
         "            text = \"G\"\n"
         "        intervals [3]:\n"
         "            xmin = 0.200000\n"
         "            xmax = 0.350000\n"
         "            text = \"OW\"\n"
         "        intervals [4]:\n"
         "            xmin = 0.350000\n"
         "            xmax = 0.900000\n"
         "            text = \"F\"\n"
         "        intervals [5]:\n"
         "            xmin = 0.900000\n"
         "            xmax = 1.234568\n"
         "            text = \"SIL\"\n");
}

static void test_subtitles_break_at_pauses_and_lengths(void **state) {
  (void)state;
  static const sn_out_word w[] = {
      {"alpha", 3661.5, 3662, 0, 0, false, 0, NULL,
       0}, /* alone: a pause follows */
      {"a", 3663, 3663.2, 0, 0, false, 0, NULL, 0},
      {"<b>", 3663.2, 3663.5, 0, 0, false, 0, NULL, 0},
      {"&", 3663.6, 3664.5, 0, 0, false, 0, NULL, 0},
  };
  const sn_out_utt u = {
      .id = "x", .words = w, .n_words = 4, .begin_s = 0, .end_s = 3665};
  expect(SN_OUT_SRT, &u,
         "1\n01:01:01,500 --> 01:01:02,500\nalpha\n\n"
         "2\n01:01:03,000 --> 01:01:04,500\na <b> &\n\n");
  expect(SN_OUT_VTT, &u,
         "WEBVTT\n\n"
         "01:01:01.500 --> 01:01:02.500\nalpha\n\n"
         "01:01:03.000 --> 01:01:04.500\na &lt;b&gt; &amp;\n\n");
}

/* Long speech: no line above 42 characters, no cue above 7 s or two lines,
 * every word once and in order, cues that do not overlap. */
static void test_subtitles_keep_their_limits(void **state) {
  (void)state;
  sn_out_word w[200];
  for (int i = 0; i < 200; i++) {
    static const char *const texts[] = {"na\xc3\xafve", "subtitle", "of",
                                        "considerable", "length"};
    /* short pauses, at which lines would rather break */
    const double end_s = 0.3 * i + (i % 7 == 1 ? 0.1 : 0.3);
    w[i] = (sn_out_word){texts[i % 5], 0.3 * i, end_s, 0, 0, false, 0, NULL, 0};
  }
  const sn_out_utt u = {.id = "x", .words = w, .n_words = 200, .end_s = 60};
  sn_str s = {0};
  assert_int_equal(sn_out_add(SN_OUT_SRT, &u, &s, NULL), SN_OK);
  sn_span rest = {s.data, s.n}, line;
  int n_lines = 0, n_words = 0;
  while (sn_next_field_sep(&rest, '\n', &line)) {
    char text[200] = "";
    assert_true(line.n < sizeof text);
    memcpy(text, line.p, line.n);
    if (line.n == 0 || strstr(text, "-->") != NULL ||
        strspn(text, "0123456789") == line.n) {
      n_lines = 0;
      continue;
    }
    size_t chars = 0;
    for (size_t i = 0; i < line.n; i++) chars += (text[i] & 0xc0) != 0x80;
    assert_true(chars <= 42);
    assert_true(++n_lines <= 2);
    sn_span words_left = line, word;
    while (sn_next_field(&words_left, &word)) {
      assert_true(sn_span_eq(word, w[n_words].text));
      n_words++;
    }
  }
  assert_int_equal(n_words, 200);
  sn_str_clear(&s);
}

static void test_out_of_memory_is_reported(void **state) {
  (void)state;
  const sn_out_utt u = utt();
  for (int f = 0; f < SN_N_OUT; f++)
    for (long k = 0;; k++) {
      sn_str s = {0};
      sn_err err = {0};
      const long before = sn_mem_live();
      sn_mem_fail_after(k);
      const sn_status status = sn_out_add((sn_out_format)f, &u, &s, &err);
      const bool fired = sn_mem_fault_fired();
      sn_mem_fail_after(-1);
      assert_int_equal(status, fired ? SN_ENOMEM : SN_OK);
      sn_str_clear(&s);
      assert_int_equal(sn_mem_live(), before);
      if (!fired) break;
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line_formats),
      cmocka_unit_test(test_confidence_and_alternatives_where_they_are_known),
      cmocka_unit_test(test_empty_results_keep_their_line),
      cmocka_unit_test(test_json_has_everything),
      cmocka_unit_test(test_json_escapes_what_it_must),
      cmocka_unit_test(test_textgrid_tiles_its_tiers),
      cmocka_unit_test(test_subtitles_break_at_pauses_and_lengths),
      cmocka_unit_test(test_subtitles_keep_their_limits),
      cmocka_unit_test(test_out_of_memory_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
