/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler against the definition: every path of small random graphs. */
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
#include "graphs/build_internal.h"
#include "graphs/graph.h"
#include "tests/graphs/world.h"

enum { N_WORLDS = 25 };

static char path[64];

static int setup(void **state) {
  (void)state;
  strcpy(path, "/tmp/senone-compile-XXXXXX");
  const int fd = mkstemp(path);
  if (fd < 0) return -1;
  close(fd);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  unlink(path);
  return 0;
}

static sn_status compile(const world *w, const char *to, sn_err *err) {
  sni_build b = {0};
  sni_wordgraph g;
  sn_graph_stats st = {0};
  world_copy_g(&w->g, &g);
  sn_status s = sni_build_begin(&b, &w->lex, &w->hmms, &w->opts, NULL, err);
  if (s == SN_OK) s = sni_build_finish(&b, &g, NULL, 0, to, &st, err);
  sni_build_clear(&b);
  sni_wordgraph_clear(&g);
  return s;
}

/* Rounding: each of the at most 10 costs on a path (words, fillers, end,
 * transitions) is off by half a unit, and so is each of the sums that an arc's
 * cost is the difference of; those cancel. Then 16-bit mantissas of float. */
static const double tolerance = 24.0 / SNI_COST_ONE;

static void expect_same_paths(const world_paths *want, const world_paths *got) {
  for (size_t i = 0; i < want->n && i < got->n; i++) {
    assert_string_equal(want->data[i].text, got->data[i].text);
    if (fabs(want->data[i].cost - got->data[i].cost) > tolerance) {
      print_error("%s: %.6f by definition, %.6f in the graph\n",
                  want->data[i].text, want->data[i].cost, got->data[i].cost);
      fail();
    }
  }
  assert_int_equal(want->n, got->n);
}

static size_t try_worlds(const world_shape *shape, int32_t max_labels,
                         uint64_t seed) {
  size_t n_paths = 0;
  for (uint64_t i = 0; i < N_WORLDS; i++) {
    world w;
    sn_rng rng;
    sn_err err = {0};
    sn_rng_init(&rng, seed + i);
    world_make(&w, &rng, shape);
    if (compile(&w, path, &err) != SN_OK) fail_msg("%s", err.msg);
    sn_graph *g = NULL;
    assert_int_equal(sn_graph_open(path, &g, &err), SN_OK);
    if (sn_graph_verify(g, &err) != SN_OK) fail_msg("%s", err.msg);
    world_paths want = {0}, got = {0};
    world_enumerate(&w, max_labels, &want);
    world_enumerate_graph(g, max_labels, &got);
    n_paths += want.n;
    expect_same_paths(&want, &got);
    world_paths_clear(&want);
    world_paths_clear(&got);
    sn_graph_destroy(g);
    world_clear(&w);
  }
  print_message("%zu paths\n", n_paths);
  return n_paths;
}

static void test_paths_are_those_of_the_definition(void **state) {
  (void)state;
  const world_shape shape = {.contexts = true,
                             .fillers = true,
                             .back_offs = true,
                             .n_words = 3,
                             .n_g_states = 3};
  assert_true(try_worlds(&shape, 5, 100) > 1000);
}

static void test_paths_with_skips_are_those_of_the_definition(void **state) {
  (void)state;
  const world_shape shape = {.contexts = true,
                             .skips = true,
                             .fillers = true,
                             .back_offs = true,
                             .n_words = 3,
                             .n_g_states = 3};
  assert_true(try_worlds(&shape, 4, 200) > 1000);
}

static void test_paths_with_noises_backed_off_are_those_of_the_definition(
    void **state) {
  (void)state;
  const world_shape shape = {.contexts = true,
                             .fillers = true,
                             .noises_backed_off = true,
                             .back_offs = true,
                             .n_words = 3,
                             .n_g_states = 4};
  assert_true(try_worlds(&shape, 5, 600) > 500);
}

static void test_paths_without_fillers_are_those_of_the_definition(
    void **state) {
  (void)state;
  const world_shape shape = {
      .contexts = true, .back_offs = true, .n_words = 5, .n_g_states = 4};
  assert_true(try_worlds(&shape, 5, 300) > 1000);
}

static void test_paths_between_silences_are_those_of_the_definition(
    void **state) {
  (void)state;
  const world_shape shape = {.contexts = true,
                             .fillers = true,
                             .silence_edges = true,
                             .back_offs = true,
                             .n_words = 3,
                             .n_g_states = 3};
  assert_true(try_worlds(&shape, 6, 400) > 500);
}

static void test_paths_of_context_independent_models_are_right(void **state) {
  (void)state;
  const world_shape shape = {.fillers = true, .n_words = 4, .n_g_states = 4};
  assert_true(try_worlds(&shape, 5, 500) > 500);
}

static void test_the_same_input_gives_the_same_bytes(void **state) {
  (void)state;
  const world_shape shape = {.contexts = true,
                             .fillers = true,
                             .back_offs = true,
                             .n_words = 6,
                             .n_g_states = 6};
  world w;
  sn_rng rng;
  sn_err err = {0};
  sn_rng_init(&rng, 7);
  world_make(&w, &rng, &shape);
  char *a = NULL, *b = NULL;
  size_t n_a = 0, n_b = 0;
  assert_int_equal(compile(&w, path, &err), SN_OK);
  assert_int_equal(sn_file_read(path, &a, &n_a, &err), SN_OK);
  assert_int_equal(compile(&w, path, &err), SN_OK);
  assert_int_equal(sn_file_read(path, &b, &n_b, &err), SN_OK);
  assert_int_equal(n_a, n_b);
  assert_memory_equal(a, b, n_a);
  sn_free(a);
  sn_free(b);
  world_clear(&w);
}

static void test_running_out_of_memory_leaks_nothing(void **state) {
  (void)state;
  const world_shape shape = {.contexts = true,
                             .fillers = true,
                             .back_offs = true,
                             .n_words = 3,
                             .n_g_states = 3};
  world w;
  sn_rng rng;
  sn_rng_init(&rng, 8);
  world_make(&w, &rng, &shape);
  sni_wordgraph g;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sni_build b = {0};
    sn_graph_stats st = {0};
    world_copy_g(&w.g, &g);
    sn_mem_fail_after(k);
    sn_status s = sni_build_begin(&b, &w.lex, &w.hmms, &w.opts, NULL, &err);
    if (s == SN_OK) s = sni_build_finish(&b, &g, NULL, 0, path, &st, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sni_build_clear(&b);
    sni_wordgraph_clear(&g);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
    assert_true(s == SN_ENOMEM || s == SN_OK);
    assert_true(k < 5000);
  }
  world_clear(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths_are_those_of_the_definition),
      cmocka_unit_test(test_paths_with_skips_are_those_of_the_definition),
      cmocka_unit_test(
          test_paths_with_noises_backed_off_are_those_of_the_definition),
      cmocka_unit_test(test_paths_without_fillers_are_those_of_the_definition),
      cmocka_unit_test(test_paths_between_silences_are_those_of_the_definition),
      cmocka_unit_test(test_paths_of_context_independent_models_are_right),
      cmocka_unit_test(test_the_same_input_gives_the_same_bytes),
      cmocka_unit_test(test_running_out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
