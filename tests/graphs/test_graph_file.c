/* SPDX-License-Identifier: Apache-2.0 */
/* The graph file: what was written is read, and nothing that was altered. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "graphs/graph.h"
#include "graphs/graph_writer.h"

enum { N_STATES = 2500 }; /* three blocks */

typedef struct fixture {
  sn_graph_state states[N_STATES + 1];
  sn_graph_arc emit[2 * N_STATES], eps[N_STATES];
  sn_graph_label labels[3];
  sn_graph_parts parts;
  char path[64];
} fixture;

static const char *const words[] = {"one", "two"};
static const char *const phones[] = {"SIL", "W", "AH"};
static const char *const meta[] = {"lm-scale", "6.5", "empty", ""};

/* A chain with branches: state s leads to s + 1 by emitting arcs, every third
 * one also by an epsilon arc to the next state without a label. */
static void make(fixture *f) {
  memset(f, 0, sizeof *f);
  for (int32_t i = 0; i < 3; i++)
    f->labels[i] = (sn_graph_label){.pdf = i, .loop_cost = 0.5f, .phone = i};
  uint32_t n_emit = 0, n_eps = 0;
  for (int32_t s = 0; s < N_STATES; s++) {
    f->states[s] = (sn_graph_state){n_emit, n_eps, s % 4 == 0 ? -1 : s % 3,
                                    s % 7 == 0 ? 1.5f : INFINITY};
    for (int32_t to = s + 1; to < s + 4 && to < N_STATES; to++) {
      if (to % 4 != 0 && to % 2 == 0)
        f->emit[n_emit++] = (sn_graph_arc){to, to % 3, s % 3, 0.25f};
      else if (to % 4 == 0 && s % 3 == 0)
        f->eps[n_eps++] = (sn_graph_arc){to, -1, 0, 0.125f};
    }
  }
  f->states[N_STATES] = (sn_graph_state){n_emit, n_eps, -1, INFINITY};
  f->parts = (sn_graph_parts){.states = f->states,
                              .emit = f->emit,
                              .eps = f->eps,
                              .labels = f->labels,
                              .n_states = N_STATES,
                              .n_labels = 3,
                              .n_words = 2,
                              .n_phones = 3,
                              .n_pdfs = 3,
                              .n_emit = n_emit,
                              .n_eps = n_eps,
                              .lm_scale = 6.5,
                              .words = words,
                              .phones = phones,
                              .meta = meta,
                              .n_meta = 2};
  strcpy(f->path, "/tmp/senone-graph-XXXXXX");
  const int fd = mkstemp(f->path);
  assert_true(fd >= 0);
  close(fd);
}

static int setup(void **state) {
  fixture *f = malloc(sizeof *f);
  assert_non_null(f);
  make(f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  unlink(f->path);
  free(f);
  return 0;
}

static void test_reads_what_was_written(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  sn_graph *g = NULL;
  assert_int_equal(sn_graph_open(f->path, &g, &err), SN_OK);
  assert_int_equal(sn_graph_verify(g, &err), SN_OK);
  assert_int_equal(g->n_states, N_STATES);
  assert_int_equal(g->n_blocks, 3);
  assert_memory_equal(g->states, f->states, sizeof f->states);
  assert_int_equal(g->n_emit, f->parts.n_emit);
  assert_memory_equal(g->emit, f->emit, (size_t)g->n_emit * sizeof *g->emit);
  assert_memory_equal(g->eps, f->eps, (size_t)g->n_eps * sizeof *g->eps);
  assert_memory_equal(g->labels, f->labels, sizeof f->labels);
  assert_string_equal(sn_graph_word(g, 1), "two");
  assert_string_equal(sn_graph_phone(g, 0), "SIL");
  assert_string_equal(sn_graph_meta(g, "lm-scale"), "6.5");
  assert_string_equal(sn_graph_meta(g, "empty"), "");
  assert_null(sn_graph_meta(g, "6.5"));
  assert_true(g->lm_scale == 6.5);
  sn_graph_destroy(g);
}

static void test_pieces_give_the_same_file_as_the_whole(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  char *whole = NULL, *pieces = NULL;
  size_t n_whole = 0, n_pieces = 0;
  assert_int_equal(sn_file_read(f->path, &whole, &n_whole, &err), SN_OK);
  sn_graph_writer *w = NULL;
  assert_int_equal(sn_graph_writer_create(&f->parts, f->path, &w, &err), SN_OK);
  for (size_t i = 0; i <= N_STATES; i += 7) {
    const size_t n = i + 7 <= N_STATES + 1 ? 7 : N_STATES + 1 - i;
    assert_int_equal(sn_graph_writer_states(w, &f->states[i], n, &err), SN_OK);
  }
  for (int64_t i = 0; i < f->parts.n_emit; i++)
    assert_int_equal(sn_graph_writer_emit(w, &f->emit[i], 1, &err), SN_OK);
  for (int64_t i = 0; i < f->parts.n_eps; i++)
    assert_int_equal(sn_graph_writer_eps(w, &f->eps[i], 1, &err), SN_OK);
  assert_int_equal(sn_graph_writer_commit(w, &err), SN_OK);
  sn_graph_writer_destroy(w);
  assert_int_equal(sn_file_read(f->path, &pieces, &n_pieces, &err), SN_OK);
  assert_int_equal(n_whole, n_pieces);
  assert_memory_equal(whole, pieces, n_whole);
  sn_free(whole);
  sn_free(pieces);
}

/* Visits every state the way a search does. */
static sn_status walk(const sn_graph *g, sn_err *err) {
  for (int32_t s = 0; s < g->n_states; s++) {
    SN_TRY(sn_graph_touch(g, s, err));
    for (uint32_t i = g->states[s].first_emit; i < g->states[s + 1].first_emit;
         i++) {
      assert_in_range(g->emit[i].next, 0, g->n_states - 1);
      assert_in_range(g->emit[i].label, 0, g->n_labels - 1);
    }
    for (uint32_t i = g->states[s].first_eps; i < g->states[s + 1].first_eps;
         i++)
      assert_in_range(g->eps[i].next, 0, g->n_states - 1);
  }
  return SN_OK;
}

static sn_status open_and_walk(const void *data, size_t n, sn_err *err) {
  sn_graph *g = NULL;
  SN_TRY(sn_graph_open_memory(data, n, "altered", &g, err));
  const sn_status s = walk(g, err);
  sn_graph_destroy(g);
  return s;
}

static void test_an_altered_byte_is_found_when_its_block_is_used(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  char *data = NULL;
  size_t n = 0, n_found = 0, n_tried = 0;
  assert_int_equal(sn_file_read(f->path, &data, &n, &err), SN_OK);
  assert_int_equal(open_and_walk(data, n, &err), SN_OK);
  for (size_t i = 0; i < n; i += 1 + n / 1500) {
    data[i] = (char)(data[i] ^ (1 << (i % 8)));
    sn_err_clear(&err);
    const sn_status s = open_and_walk(data, n, &err);
    if (s != SN_OK) {
      assert_int_equal(s, SN_EFORMAT);
      assert_true(strlen(err.msg) > 20);
      n_found++;
    }
    n_tried++;
    data[i] = (char)(data[i] ^ (1 << (i % 8)));
  }
  /* Only the padding between sections (at most 63 bytes each, 11 sections)
   * may change unnoticed. */
  assert_true(n_tried - n_found <= 11 * 63 / (1 + n / 1500) + 11);
  sn_free(data);
}

static void test_a_truncated_file_is_refused(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  char *data = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(f->path, &data, &n, &err), SN_OK);
  for (size_t i = 0; i < n; i += 1 + n / 300) {
    sn_err_clear(&err);
    assert_int_equal(open_and_walk(data, i, &err), SN_EFORMAT);
  }
  sn_free(data);
}

static void test_parts_that_are_no_graph_are_refused(void **state) {
  fixture *f = *state;
  sn_err err = {0};
#define REFUSED(place, value)                                            \
  do {                                                                   \
    make(f);                                                             \
    place = value;                                                       \
    sn_err_clear(&err);                                                  \
    assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_EARG); \
    unlink(f->path);                                                     \
  } while (0)
  unlink(f->path);
  REFUSED(f->parts.start, N_STATES);
  REFUSED(f->parts.lm_scale, 0);
  REFUSED(f->labels[1].pdf, 3);
  REFUSED(f->labels[1].phone, -1);
  REFUSED(f->states[5].first_emit, 4000000);
  REFUSED(f->states[5].final_cost, NAN);
  REFUSED(f->emit[3].next, N_STATES);
  REFUSED(f->emit[3].label, f->emit[3].label == 0);
  REFUSED(f->emit[3].output, 3);
  REFUSED(f->emit[3].cost, NAN);
  REFUSED(f->eps[3].label, 0);
  REFUSED(f->parts.n_emit, f->parts.n_emit - 1);
#undef REFUSED
}

static void test_verify_finds_circles_of_epsilon_arcs(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  for (int32_t i = 0; i < N_STATES; i++)
    if (f->states[i].first_eps < f->states[i + 1].first_eps)
      f->eps[f->states[i].first_eps].next = i > 8 ? i : f->eps[0].next;
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  sn_graph *g = NULL;
  assert_int_equal(sn_graph_open(f->path, &g, &err), SN_OK);
  assert_int_equal(sn_graph_verify(g, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "circle"));
  sn_graph_destroy(g);
}

static void test_summaries_count_every_state_and_arc(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  sn_graph *g = NULL;
  sn_graph_summary x;
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  assert_int_equal(sn_graph_open(f->path, &g, &err), SN_OK);
  assert_int_equal(sn_graph_verify(g, &err), SN_OK);
  sn_graph_summarise(g, &x);
  int64_t n = 0, n_outputs = 0;
  for (int i = 0; i < 5; i++) n += x.by_emit[i];
  for (int64_t i = 0; i < f->parts.n_emit; i++)
    n_outputs += f->emit[i].output > 0;
  assert_int_equal(n, N_STATES);
  assert_int_equal(x.n_junctions, N_STATES / 4);
  assert_int_equal(x.n_final, (N_STATES + 6) / 7);
  assert_int_equal(x.n_outputs, n_outputs);
  assert_int_equal(x.max_eps, 1);
  sn_graph_destroy(g);
}

static void test_pictures_are_for_small_graphs(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  sn_graph *g = NULL;
  sn_str text = {0};
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  assert_int_equal(sn_graph_open(f->path, &g, &err), SN_OK);
  assert_int_equal(sn_graph_draw(g, N_STATES - 1, &text, &err), SN_ELIMIT);
  sn_err_clear(&err);
  assert_int_equal(sn_graph_draw(g, N_STATES, &text, &err), SN_OK);
  /* One line for each state and arc, and the frame of five. */
  size_t n_lines = 0;
  for (size_t i = 0; i < text.n; i++) n_lines += text.data[i] == '\n';
  assert_int_equal(n_lines, (size_t)N_STATES + (size_t)f->parts.n_emit +
                                (size_t)f->parts.n_eps + 5);
  assert_non_null(strstr(text.data, "two 0.25"));
  sn_str_clear(&text);
  sn_graph_destroy(g);
}

static void test_running_out_of_memory_leaks_nothing(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  assert_int_equal(sn_graph_write(&f->parts, f->path, &err), SN_OK);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_graph *g = NULL;
    sn_mem_fail_after(k);
    sn_err_clear(&err);
    sn_status s = sn_graph_write(&f->parts, f->path, &err);
    if (s == SN_OK) s = sn_graph_open(f->path, &g, &err);
    if (s == SN_OK) s = sn_graph_verify(g, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_graph_destroy(g);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
    /* SN_OK: what failed was only for the folder's fsync. */
    assert_true(s == SN_ENOMEM || s == SN_OK);
    assert_true(k < 1000);
  }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(test_reads_what_was_written),
      T(test_pieces_give_the_same_file_as_the_whole),
      T(test_an_altered_byte_is_found_when_its_block_is_used),
      T(test_a_truncated_file_is_refused),
      T(test_parts_that_are_no_graph_are_refused),
      T(test_verify_finds_circles_of_epsilon_arcs),
      T(test_summaries_count_every_state_and_arc),
      T(test_pictures_are_for_small_graphs),
      T(test_running_out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
