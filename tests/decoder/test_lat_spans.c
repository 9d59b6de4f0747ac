/* SPDX-License-Identifier: Apache-2.0 */
/* Times of all the words of a lattice: random lattices whose words are moved
 * away from their phones, so that the times are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "decoder/lat_align.h"
#include "decoder/lat_mbr.h"
#include "decoder/lat_spans.h"

/* Labels: 0 silence, 1 begin (entry), 2 its second state, 3 internal, 4 end.
 * sn_wordpos: 0 internal, 1 begin, 2 end. */
static const sn_graph_label table[] = {{.is_entry = 1, .is_filler = 1},
                                       {.is_entry = 1, .wordpos = 1},
                                       {.wordpos = 1},
                                       {.is_entry = 1, .wordpos = 0},
                                       {.is_entry = 1, .wordpos = 2}};
static const sn_graph graph = {.labels = table, .n_labels = 5};
static const sn_lat_scales scales = {1.0, 0.25, 0.0};

enum { MAX_STATES = 7, MAX_ARCS = 32, MAX_FRAMES = 160 };

/* A word's arc from a state: [0 0] 1 2 3 ... 4 4, where all arcs from a state
 * begin with silence or none does. In state s the label of a word is moved: by
 * shift[s] frames towards the end (late: what all arcs from s begin with stands
 * on those into it), or, below 0, towards the beginning. */
typedef struct moved {
  sn_lat l;
  int32_t begin[MAX_ARCS], end[MAX_ARCS]; /* by word - 1 */
  int32_t n_words;
} moved;

static int32_t put(int32_t *ali, int32_t n, int32_t label, int32_t count) {
  for (int32_t i = 0; i < count; i++) ali[n++] = label;
  return n;
}

/* The frames of an arc of n frames as they are said. */
static void say(int32_t *ali, int32_t n, bool silence) {
  int32_t at = put(ali, 0, 0, silence ? 2 : 0);
  at = put(ali, at, 1, 1);
  at = put(ali, at, 2, 1);
  at = put(ali, at, 3, n - at - 2);
  (void)put(ali, at, 4, 2);
}

/* loops: alignments are 2 l and 2 l + 1. */
static void with_loops(sn_lat *l) {
  for (uint32_t i = 0; i < l->n_ali; i++) l->ali[i] *= 2;
  for (int32_t a = 0; a < l->n_arcs; a++) {
    int32_t *const x = l->ali + l->arcs[a].first_ali;
    for (uint32_t i = 1; i < l->arcs[a].n_ali; i++)
      if (x[i] == x[i - 1] || x[i] == x[i - 1] - 1) x[i]++;
  }
}

static moved random_moved(sn_rng *r, bool chain) {
  moved m = {.n_words = 0};
  sn_lat_builder *b = NULL;
  int32_t time[MAX_STATES] = {0}, shift[MAX_STATES] = {0}, id;
  bool silence[MAX_STATES];
  const int32_t n = 3 + (int32_t)sn_rng_below(r, MAX_STATES - 3);
  assert_int_equal(sn_lat_builder_create(&b, NULL), SN_OK);
  for (int32_t s = 0; s < n; s++) {
    assert_int_equal(sn_lat_builder_state(b, &id, NULL), SN_OK);
    silence[s] = sn_rng_below(r, 3) == 0;
    if (s == 0) continue;
    time[s] = time[s - 1] + 8 + (int32_t)sn_rng_below(r, 8);
    shift[s] = (int32_t)sn_rng_below(r, silence[s] ? 7 : 5) - 2;
    if (s + 1 == n && shift[s] > 0) shift[s] = 0;
  }
  for (int32_t s = 0; s + 1 < n; s++) {
    const uint32_t n_arcs = chain ? 1 : 1 + sn_rng_below(r, 4);
    for (uint32_t i = 0; i < n_arcs; i++) {
      const int32_t to =
          i == 0 ? s + 1
                 : s + 1 + (int32_t)sn_rng_below(r, (uint32_t)(n - s - 1));
      int32_t ali[MAX_FRAMES + 8], whole[MAX_FRAMES];
      const int32_t len = time[to] - time[s];
      say(whole, len, silence[s]);
      int32_t k = shift[s] < 0 ? put(ali, 0, 4, -shift[s]) : 0;
      for (int32_t f = shift[s] > 0 ? shift[s] : 0;
           f < len + (shift[to] < 0 ? shift[to] : 0); f++)
        ali[k++] = whole[f];
      if (shift[to] > 0) {
        int32_t next[MAX_FRAMES];
        say(next, 20, silence[to]);
        for (int32_t f = 0; f < shift[to]; f++) ali[k++] = next[f];
      }
      m.begin[m.n_words] = time[s] + (silence[s] ? 2 : 0);
      m.end[m.n_words] = time[to];
      assert_int_equal(
          sn_lat_builder_arc(b, s, to, ++m.n_words,
                             (float)sn_rng_below(r, 64) / 16.0f,
                             (float)sn_rng_below(r, 64), ali, (size_t)k, NULL),
          SN_OK);
    }
  }
  const int32_t tail[] = {4, 4};
  assert_int_equal(sn_lat_builder_final(b, n - 1, 0.5f, 0.0f, tail,
                                        (size_t)-shift[n - 1], NULL),
                   SN_OK);
  assert_int_equal(sn_lat_builder_take(b, 0, &m.l, NULL), SN_OK);
  sn_lat_builder_destroy(b);
  return m;
}

static void test_words_of_all_arcs_are_where_their_phones_are(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 5);
  sn_str labels = {0};
  assert_int_equal(sn_lat_labels_add(&graph, &labels, NULL), SN_OK);
  int n_moved = 0;
  for (int round = 0; round < 300; round++) {
    moved m = random_moved(&r, false);
    sn_lat_spans x, plain;
    bool found = false;
    assert_int_equal(sn_lat_check(&m.l, NULL), SN_OK);
    assert_int_equal(sn_lat_spans_make(sn_str_get(&labels), false, &m.l,
                                       &scales, &x, &found, NULL),
                     SN_OK);
    assert_true(found);
    assert_int_equal(sn_lat_spans_of_arcs(&m.l, &plain, NULL), SN_OK);
    for (int32_t i = 0; i < m.l.n_arcs; i++) {
      const int32_t w = m.l.arcs[i].word - 1;
      if (x.begin[i] != m.begin[w] || x.end[i] != m.end[w])
        fail_msg("round %d, word %d: %d to %d, expected %d to %d", round, w,
                 x.begin[i], x.end[i], m.begin[w], m.end[w]);
      n_moved += plain.begin[i] != x.begin[i];
    }
    sn_lat_spans_clear(&x);
    sn_lat_spans_clear(&plain);
    sn_lat_clear(&m.l);
  }
  assert_true(n_moved > 500); /* states' times are others */
  sn_str_clear(&labels);
}

/* A best path's words are where sn_lat_word_times finds them, and so are those
 * of a confusion network around a lattice of one path. */
static void test_one_path_has_the_times_of_its_words(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 6);
  sn_str labels = {0};
  assert_int_equal(sn_lat_labels_add(&graph, &labels, NULL), SN_OK);
  for (int round = 0; round < 100; round++) {
    moved m = random_moved(&r, true);
    sn_lat_spans x;
    sn_lat_path p;
    sn_mbr net;
    sn_arr_i32 begin = {0}, end = {0};
    bool found = false, fits = false;
    assert_int_equal(sn_lat_best(&m.l, &scales, &p, NULL), SN_OK);
    assert_int_equal(
        sn_lat_word_times(sn_str_get(&labels), &p, &begin, &end, &fits, NULL),
        SN_OK);
    with_loops(&m.l);
    assert_int_equal(sn_lat_spans_make(sn_str_get(&labels), true, &m.l, &scales,
                                       &x, &found, NULL),
                     SN_OK);
    assert_true(found && fits);
    const sn_mbr_opts o = {.update = true, .spans = &x};
    assert_int_equal(sn_lat_mbr(&m.l, &scales, &o, &net, NULL), SN_OK);
    assert_int_equal(net.words.n, m.n_words);
    for (size_t i = 0; i < net.words.n; i++) {
      const sn_sausage_bin *const b = &net.bins.data[net.bin_of.data[i]];
      assert_int_equal(x.begin[i], begin.data[i]);
      assert_int_equal(x.end[i], end.data[i]);
      assert_true(b->begin == begin.data[i] && b->end == end.data[i]);
      if (i > 0) assert_true(b[-1].begin >= b[-2].end && b[-1].end <= b->begin);
    }
    sn_mbr_clear(&net);
    sn_lat_spans_clear(&x);
    sn_lat_path_clear(&p);
    SN_ARR_FREE(&begin);
    SN_ARR_FREE(&end);
    sn_lat_clear(&m.l);
  }
  sn_str_clear(&labels);
}

static void test_other_labels_have_no_spans(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 7);
  moved m = random_moved(&r, false);
  const sn_lat empty = {0};
  sn_lat_spans x;
  bool found = true;
  assert_int_equal(
      sn_lat_spans_make("@A", false, &m.l, &scales, &x, &found, NULL), SN_OK);
  assert_true(!found && x.begin == NULL);
  assert_int_equal(
      sn_lat_spans_make("@A", false, &empty, &scales, &x, &found, NULL), SN_OK);
  assert_true(!found && x.begin == NULL);
  /* Phones of no word at all: arcs last as long as they do. */
  assert_int_equal(
      sn_lat_spans_make("@@@@@", false, &m.l, &scales, &x, &found, NULL),
      SN_OK);
  sn_lat_spans plain;
  assert_int_equal(sn_lat_spans_of_arcs(&m.l, &plain, NULL), SN_OK);
  assert_true(found);
  assert_memory_equal(x.begin, plain.begin,
                      (size_t)m.l.n_arcs * sizeof *x.begin);
  sn_lat_spans_clear(&x);
  sn_lat_spans_clear(&plain);
  sn_lat_clear(&m.l);
}

static void test_allocation_failures_are_reported(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 8);
  moved m = random_moved(&r, false);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_lat_spans x;
    bool found;
    sn_err err = {0};
    sn_mem_fail_after(k);
    const sn_status s =
        sn_lat_spans_make("CECDK", false, &m.l, &scales, &x, &found, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_lat_spans_clear(&x);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
  }
  sn_lat_clear(&m.l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_of_all_arcs_are_where_their_phones_are),
      cmocka_unit_test(test_one_path_has_the_times_of_its_words),
      cmocka_unit_test(test_other_labels_have_no_spans),
      cmocka_unit_test(test_allocation_failures_are_reported)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
