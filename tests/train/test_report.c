/* SPDX-License-Identifier: Apache-2.0 */
/* train.json and tree.json: read back, refused where damaged, drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "am/tree.h"
#include "base/mem.h"
#include "train/report.h"

#define LOG                                                                    \
  "{\"stage\": \"t<i\", \"format\": 1, \"utterances\": 3, \"frames\": 300, "   \
  "\"phones\": 3, \"pdfs\": 2, \"gaussians\": 5, \"left_out\": [\"a\"], "      \
  "\"failed\": [], \"occupancy\": [200, 100], \"passes\": ["                   \
  "{\"pass\": 0, \"aligned\": true, \"logp_per_frame\": -9.5, \"failed\": 1, " \
  "\"gaussians\": 2, \"cpu_s\": 0.25},"                                        \
  "{\"pass\": 1, \"aligned\": false, \"logp_per_frame\": -8.25, \"failed\": "  \
  "0, \"gaussians\": 5, \"cpu_s\": 0.5}]}"

static sn_status read_log(const char *json, sn_train_log *l, sn_err *err) {
  return sn_train_log_read(json, strlen(json), "x.json", l, err);
}

static sn_status read_tree(const char *json, sn_report_tree *t, sn_err *err) {
  return sn_report_tree_read(json, strlen(json), "x.json", t, err);
}

static void test_a_log_is_read_back(void **state) {
  (void)state;
  sn_train_log l;
  sn_err err = {0};
  assert_int_equal(read_log(LOG, &l, &err), SN_OK);
  assert_string_equal(l.stage, "t<i");
  assert_int_equal(l.frames, 300);
  assert_int_equal(l.left_out, 1);
  assert_int_equal(l.failed, 0);
  assert_int_equal(l.n_passes, 2);
  /* exact in binary */
  assert_true(l.passes[1].logp == -8.25 && l.passes[0].cpu_s == 0.25);
  assert_true(l.passes[0].aligned && !l.passes[1].aligned);
  assert_true(l.occupancy[1] == 100);
  sn_train_log_clear(&l);
}

/* LOG with one piece replaced. */
static char *with(const char *old, const char *new) {
  const char *const at = strstr(LOG, old);
  static char out[2048];
  assert_non_null(at);
  snprintf(out, sizeof out, "%.*s%s%s", (int)(at - LOG), LOG, new,
           at + strlen(old));
  return out;
}

static void test_a_damaged_log_is_refused_and_says_where(void **state) {
  (void)state;
  static const struct {
    const char *old, *new, *says;
  } bad[] = {{"\"pdfs\": 2", "\"pdfs\": 3", "2 values for 3 pdfs"},
             {"\"format\": 1", "\"format\": 2", "reads format 1"},
             {"\"stage\": \"t<i\"", "\"stage\": 7", "\"stage\": text"},
             {"\"failed\": []", "\"failed\": 0", "\"failed\": a list"},
             {"\"frames\": 300", "\"frames\": -1", "\"frames\": a number"},
             {"\"cpu_s\": 0.25", "\"cpu_s\": null", "\"cpu_s\": a number"},
             {"-9.5", "nan", "x.json:1: column"},
             {"]}", "", "x.json:1: column"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sn_train_log l;
    sn_err err = {0};
    assert_int_equal(read_log(with(bad[i].old, bad[i].new), &l, &err),
                     SN_EFORMAT);
    if (strstr(err.msg, bad[i].says) == NULL)
      fail_msg("'%s' does not say '%s'", err.msg, bad[i].says);
    assert_null(l.passes);
  }
}

static void test_a_damaged_tree_is_refused_and_says_where(void **state) {
  (void)state;
  static const struct {
    const char *json, *says;
  } bad[] = {
      {"[]", "an object"},
      {"{\"nodes\": [], \"roots\": []}", "0 nodes"},
      {"{\"nodes\": [{\"pdf\": 0}], \"roots\": [{\"phone\": \"A\", "
       "\"state\": 0, \"states\": 1, \"node\": 1}]}",
       "\"node\": a number from 0 to 0"},
      /* a circle, and a node of two parents */
      {"{\"nodes\": [{\"left\": [\"A\"], \"yes\": 0, \"no\": 1}, {\"pdf\": "
       "0}], \"roots\": [{}]}",
       "node 0 leads to 0 and 1"},
      {"{\"nodes\": [{\"left\": [\"A\"], \"yes\": 1, \"no\": 2}, {\"left\": "
       "[\"A\"], \"yes\": 2, \"no\": 3}, {\"pdf\": 0}, {\"pdf\": 0}], "
       "\"roots\": [{}]}",
       "node 1 leads to 2 and 3"},
      {"{\"nodes\": [{\"left\": [3], \"yes\": 1, \"no\": 2}, {\"pdf\": 0}, "
       "{\"pdf\": 0}], \"roots\": [{}]}",
       "answers"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sn_report_tree t;
    sn_err err = {0};
    assert_int_equal(read_tree(bad[i].json, &t, &err), SN_EFORMAT);
    if (strstr(err.msg, bad[i].says) == NULL)
      fail_msg("'%s' does not say '%s'", err.msg, bad[i].says);
    assert_null(t.nodes);
  }
}

/* Three phones; the pdf of B depends on its left neighbour in state 0 only. */
static void grow(sn_tree **tree) {
  const sn_tree_opts o = {.n_phones = 3,
                          .n_states = 3,
                          .silence = 0,
                          .max_leaves = 11,
                          .roots = SN_ROOTS_PHONE,
                          .min_count = 5};
  sn_tree_stats s = {.dim = 1};
  for (int32_t phone = 0; phone < 3; phone++)
    for (int32_t left = 0; left < 3; left++)
      for (int32_t st = 0; st < 3; st++)
        for (int k = 0; k < 20; k++) {
          const sn_tree_ctx c = {phone, phone == 0 ? 0 : left, 0, 0, st};
          const float x = (float)(10 * st + 100 * phone + k % 3 +
                                  (phone == 2 && st == 0 ? 50 * left : 0));
          assert_int_equal(sn_tree_stats_frame(&s, c, &x, NULL), SN_OK);
        }
  assert_int_equal(sn_tree_build(&s, &o, tree, NULL), SN_OK);
  sn_tree_stats_clear(&s);
}

static bool in_set(const char *set, const char *value) {
  const size_t n = strlen(value);
  for (const char *p = strstr(set, value); p != NULL; p = strstr(p + 1, value))
    if ((p == set || p[-1] == ' ') && (p[n] == '\0' || p[n] == ' '))
      return true;
  return false;
}

static int32_t answer(const sn_report_tree *t, const sn_tree_ctx *c,
                      const char *const *phones) {
  static const char *const places[] = {"internal", "begin", "end", "single"};
  char st[12];
  size_t r = 0;
  while (strcmp(t->roots[r].phone, phones[c->phone]) != 0 ||
         c->state < t->roots[r].first_state ||
         c->state >= t->roots[r].first_state + t->roots[r].n_states)
    r++;
  const sn_report_node *n = &t->nodes[t->roots[r].node];
  snprintf(st, sizeof st, "%d", c->state);
  while (n->yes >= 0) {
    const char *const v = strcmp(n->asks, "left") == 0    ? phones[c->left]
                          : strcmp(n->asks, "right") == 0 ? phones[c->right]
                          : strcmp(n->asks, "state") == 0 ? st
                                                          : places[c->pos];
    n = &t->nodes[in_set(n->set, v) ? n->yes : n->no];
  }
  return n->pdf;
}

/* Every context has the same pdf in the tree and in what was written of it. */
static void test_a_written_tree_answers_as_the_tree_does(void **state) {
  (void)state;
  static const char *const phones[] = {"SIL", "A\"\\", "B"};
  sn_tree *tree = NULL;
  sn_report_tree read = {0};
  sn_str json = {0};
  sn_err err = {0};
  grow(&tree);
  assert_true(sn_tree_n_pdfs(tree) > 6);
  assert_int_equal(sn_tree_json(tree, phones, &json, &err), SN_OK);
  assert_int_equal(read_tree(json.data, &read, &err), SN_OK);
  for (int32_t p = 0; p < 3; p++)
    for (int32_t l = 0; l < 3; l++)
      for (int32_t r = 0; r < 3; r++)
        for (int32_t pos = 0; pos < 4; pos++)
          for (int32_t st = 0; st < 3; st++) {
            const sn_tree_ctx c = {p, l, r, pos, st};
            assert_int_equal(answer(&read, &c, phones), sn_tree_pdf(tree, &c));
          }
  assert_string_equal(sn_report_tree_largest(&read), "B");
  sn_report_tree_clear(&read);
  sn_tree_destroy(tree);
  sn_str_clear(&json);
}

/* Elements are closed in order, text holds no markup: enough XML for a check
 * without a library. */
static void expect_well_formed(const char *s) {
  char open[16][16];
  size_t n = 0;
  for (; (s = strchr(s, '<')) != NULL; s++) {
    const char *const end = strchr(s, '>');
    assert_non_null(end);
    if (s[1] == '?') continue;
    if (s[1] == '/') {
      assert_true(n > 0);
      n--;
      assert_int_equal((size_t)(end - s - 2), strlen(open[n]));
      assert_memory_equal(s + 2, open[n], strlen(open[n]));
    } else if (end[-1] != '/') {
      assert_true(n < 16);
      snprintf(open[n], sizeof open[n], "%.*s", (int)strcspn(s + 1, " >"),
               s + 1);
      n++;
    }
    assert_null(memchr(s + 1, '<', (size_t)(end - s - 1)));
  }
  assert_int_equal(n, 0);
}

static size_t count(const char *s, const char *what) {
  size_t n = 0;
  while ((s = strstr(s, what)) != NULL) {
    n++;
    s++;
  }
  return n;
}

static void test_curves_have_each_pass_of_each_stage(void **state) {
  (void)state;
  sn_train_log l[2];
  sn_str svg = {0};
  assert_int_equal(read_log(LOG, &l[0], NULL), SN_OK);
  assert_int_equal(read_log(LOG, &l[1], NULL), SN_OK);
  assert_int_equal(sn_report_curves_svg(l, 2, &svg, NULL), SN_OK);
  expect_well_formed(svg.data);
  assert_int_equal(count(svg.data, "<polyline"), 6);
  assert_int_equal(count(svg.data, "<circle"), 12);
  assert_non_null(strstr(svg.data, "t&lt;i pass 1: -8.25</title>"));
  assert_null(strstr(svg.data, "nan"));
  assert_null(strstr(svg.data, "inf"));
  /* utterances are not counted in parts */
  const char *const counts = strstr(svg.data, "Utterances not aligned");
  assert_non_null(counts);
  assert_non_null(strstr(counts, ">1</text>"));
  assert_null(strstr(counts, ">0."));
  sn_str_clear(&svg);
  for (int i = 0; i < 2; i++) sn_train_log_clear(&l[i]);
}

/* The name of a root, a line of 12 pixels, is on no box of its column. */
static void expect_names_free(const char *svg) {
  static const char bold[] = "font-weight=\"bold\"";
  size_t n = 0;
  for (const char *p = svg; (p = strstr(p, bold)) != NULL; p++) {
    const char *line = p;
    double x = 0, y = 0;
    while (*line != '<') line--;
    assert_int_equal(sscanf(line, "<text x=\"%lf\" y=\"%lf\"", &x, &y), 2);
    n++;
    for (const char *b = svg; (b = strstr(b, "translate(")) != NULL; b++) {
      double bx = 0, by = 0;
      assert_int_equal(sscanf(b, "translate(%lf %lf)", &bx, &by), 2);
      if (bx == x) assert_true(by + 15 <= y - 12 || by - 15 >= y + 3);
    }
  }
  assert_true(n > 0);
}

static void test_a_tree_is_drawn_with_its_leaves(void **state) {
  (void)state;
  static const char *const phones[] = {"SIL", "<&>", "B"};
  static const int32_t gauss[16] = {9, 9, 9, 9, 9, 9, 9, 9};
  double occupancy[16] = {0};
  char stage[] = "tri";
  sn_tree *tree = NULL;
  sn_report_tree t = {0};
  sn_str json = {0}, svg = {0};
  sn_err err = {0};
  grow(&tree);
  const sn_train_log log = {
      .stage = stage, .pdfs = sn_tree_n_pdfs(tree), .occupancy = occupancy};
  const sn_train_log small = {
      .stage = stage, .pdfs = 1, .occupancy = occupancy};
  assert_int_equal(sn_tree_json(tree, phones, &json, NULL), SN_OK);
  assert_int_equal(read_tree(json.data, &t, NULL), SN_OK);
  assert_int_equal(sn_report_tree_svg(&t, "<&>", &log, gauss, &svg, NULL),
                   SN_OK);
  expect_well_formed(svg.data);
  assert_non_null(strstr(svg.data, "&lt;&amp;&gt;, states 0 to 2"));
  sn_str_reset(&svg);
  assert_int_equal(sn_report_tree_svg(&t, "SIL", &log, gauss, &svg, NULL),
                   SN_OK);
  assert_int_equal(count(svg.data, " frames, 9 Gaussians"), 3);
  assert_int_equal(count(svg.data, "SIL, state "), 3);
  expect_names_free(svg.data);
  assert_int_equal(sn_report_tree_svg(&t, "C", &log, gauss, &svg, &err),
                   SN_EARG);
  assert_non_null(strstr(err.msg, "there are: SIL <&> B"));
  assert_int_equal(sn_report_tree_svg(&t, "B", &small, gauss, &svg, NULL),
                   SN_EMISMATCH);
  sn_report_tree_clear(&t);
  sn_tree_destroy(tree);
  sn_str_clear(&json);
  sn_str_clear(&svg);
}

static void test_each_failing_allocation_is_a_status(void **state) {
  (void)state;
  static const char *const phones[] = {"SIL", "A", "B"};
  sn_tree *tree = NULL;
  sn_status s = SN_ENOMEM;
  grow(&tree);
  for (long k = 0; s != SN_OK; k++) {
    sn_train_log l = {0};
    sn_report_tree t = {0};
    sn_str svg = {0}, json = {0};
    sn_mem_fail_after(k);
    s = read_log(LOG, &l, NULL);
    if (s == SN_OK) s = sn_report_curves_svg(&l, 1, &svg, NULL);
    if (s == SN_OK) s = sn_tree_json(tree, phones, &json, NULL);
    if (s == SN_OK) s = read_tree(json.data, &t, NULL);
    sn_mem_fail_after(-1);
    assert_true(s == SN_OK || s == SN_ENOMEM);
    assert_true(k < 10000);
    sn_train_log_clear(&l);
    sn_report_tree_clear(&t);
    sn_str_clear(&svg);
    sn_str_clear(&json);
  }
  sn_tree_destroy(tree);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_log_is_read_back),
      cmocka_unit_test(test_a_damaged_log_is_refused_and_says_where),
      cmocka_unit_test(test_a_damaged_tree_is_refused_and_says_where),
      cmocka_unit_test(test_a_written_tree_answers_as_the_tree_does),
      cmocka_unit_test(test_curves_have_each_pass_of_each_stage),
      cmocka_unit_test(test_a_tree_is_drawn_with_its_leaves),
      cmocka_unit_test(test_each_failing_allocation_is_a_status)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
