/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi's graphs as ours: the paths of one are the paths of the other, frame by
 * frame. The oracle walks both: for random strings of transition ids, the best
 * cost with which the HCLG accepts the string must be the best cost of the
 * graph under labels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "am/am.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graphs/graph.h"
#include "graphs/kaldi_graph.h"
#include "tests/graphs/openfst_bytes.h"

/* ---- A small model: phones 1 (three states), 2, 3; tid 2 k - 1 loops on
 * transition state k, tid 2 k leaves it. State 3 can be left in two ways. ----
 */
enum { N_TIDS = 11 };

static void make_trans(sn_kaldi_trans *t) {
  static const sn_kaldi_tid tids[N_TIDS] = {
      {0, 0, 0, 0, 0, false}, {1, 0, 0, 1, 0, true},  {1, 0, 0, 1, 0, false},
      {1, 1, 1, 2, 0, true},  {1, 1, 1, 2, 0, false}, {1, 2, 2, 3, 0, true},
      {1, 2, 2, 3, 0, false}, {1, 2, 2, 3, 0, false}, {2, 0, 3, 4, 0, true},
      {2, 0, 3, 4, 0, false}, {3, 0, 4, 5, 0, false}};
  memset(t, 0, sizeof *t);
  for (int i = 0; i < N_TIDS; i++)
    assert_int_equal(SN_ARR_PUSH(&t->tids, tids[i], NULL), SN_OK);
  t->n_pdfs = 5;
  t->n_states = 5;
}

static sn_symtab *make_table(const char *const *names, int n) {
  sn_symtab *t = NULL;
  assert_int_equal(sn_symtab_create(&t, NULL), SN_OK);
  for (int i = 0; i < n; i++) {
    int32_t id;
    assert_int_equal(sn_symtab_add(t, names[i], strlen(names[i]), &id, NULL),
                     SN_OK);
  }
  return t;
}

static const char *const word_names[] = {"<eps>", "one", "two", "three"};
static const char *const phone_names[] = {"<eps>", "A_B", "B_E", "SIL"};

typedef struct world {
  sn_kaldi_trans trans;
  sn_symtab *words, *phones;
} world;

static void world_make(world *w) {
  make_trans(&w->trans);
  w->words = make_table(word_names, 4);
  w->phones = make_table(phone_names, 4);
}

static void world_clear(world *w) {
  sn_kaldi_trans_clear(&w->trans);
  sn_symtab_destroy(w->words);
  sn_symtab_destroy(w->phones);
}

static sn_fst_file load(const fst_shape *shape) {
  const fst_bytes b = fst_write(shape, false, 0);
  sn_reader *r = NULL;
  sn_fst_file f;
  assert_int_equal(sn_reader_memory(b.data, b.n, "t.fst", &r, NULL), SN_OK);
  assert_int_equal(sn_fst_file_read(r, &f, NULL), SN_OK);
  sn_reader_destroy(r);
  free(b.data);
  return f;
}

static sn_status make_graph(const world *w, const fst_shape *shape,
                            sn_graph **g, int32_t **tids, sn_err *err) {
  sn_fst_file f = load(shape);
  const sn_kaldi_hclg in = {&f, &w->trans, w->words, w->phones, "t.fst"};
  const sn_status s = sn_kaldi_graph_make(&in, g, tids, err);
  sn_fst_file_clear(&f);
  return s;
}

/* ---- Best cost of accepting tids[0..n), both ways ---- */

enum { MAX_STATES = 8, MAX_ARCS = 40, MAX_PAIRS = 400 };

static void lower(double *x, double y) {
  if (y < *x) *x = y;
}

static double fst_cost(const fst_shape *f, const int32_t *tids, int n) {
  double a[MAX_STATES], b[MAX_STATES];
  for (int s = 0; s < MAX_STATES; s++) a[s] = (double)INFINITY;
  a[f->start] = 0.0;
  for (int t = 0;; t++) {
    for (int s = 0; s < f->n_states; s++) /* epsilons lead to higher states */
      for (int i = 0; i < f->n_arcs; i++)
        if (f->arcs[i].from == s && f->arcs[i].input == 0)
          lower(&a[f->arcs[i].next], a[s] + (double)f->arcs[i].cost);
    if (t == n) break;
    for (int s = 0; s < MAX_STATES; s++) b[s] = (double)INFINITY;
    for (int i = 0; i < f->n_arcs; i++)
      if (f->arcs[i].input == tids[t])
        lower(&b[f->arcs[i].next],
              a[f->arcs[i].from] + (double)f->arcs[i].cost);
    memcpy(a, b, sizeof a);
  }
  double best = (double)INFINITY;
  for (int s = 0; s < f->n_states; s++)
    lower(&best, a[s] + (double)f->finals[s]);
  return best;
}

static double graph_cost(const sn_graph *g, const int32_t *of,
                         const int32_t *tids, int n) {
  double a[MAX_PAIRS], b[MAX_PAIRS];
  assert_true(g->n_states <= MAX_PAIRS);
  for (int s = 0; s < MAX_PAIRS; s++) a[s] = (double)INFINITY;
  a[g->start] = 0.0;
  for (int t = 0;; t++) {
    for (int round = 0; round < MAX_STATES; round++)
      for (int s = 0; s < g->n_states; s++)
        for (uint32_t i = g->states[s].first_eps;
             i < g->states[s + 1].first_eps; i++)
          lower(&a[g->eps[i].next], a[s] + (double)g->eps[i].cost);
    if (t == n) break;
    for (int s = 0; s < MAX_PAIRS; s++) b[s] = (double)INFINITY;
    for (int s = 0; s < g->n_states; s++) {
      const int32_t l = g->states[s].label;
      if (l >= 0 && of[2 * l + 1] == tids[t])
        lower(&b[s], a[s] + (double)g->labels[l].loop_cost);
      for (uint32_t i = g->states[s].first_emit;
           i < g->states[s + 1].first_emit; i++)
        if (of[2 * g->emit[i].label] == tids[t])
          lower(&b[g->emit[i].next], a[s] + (double)g->emit[i].cost);
    }
    memcpy(a, b, sizeof a);
  }
  double best = (double)INFINITY;
  for (int s = 0; s < g->n_states; s++)
    lower(&best, a[s] + (double)g->states[s].final_cost);
  return best;
}

/* Any automaton: self-loops that fit their state's entries or not, several of
 * them, with words; epsilon arcs into states with self-loops. */
static void random_shape(sn_rng *r, fst_arc *arcs, float *finals,
                         fst_shape *f) {
  f->n_states = 2 + (int32_t)sn_rng_below(r, MAX_STATES - 2);
  f->start = (int32_t)sn_rng_below(r, (uint32_t)f->n_states);
  f->finals = finals;
  f->arcs = arcs;
  f->n_arcs = 0;
  for (int32_t s = 0; s < f->n_states; s++) {
    finals[s] =
        sn_rng_below(r, 2) == 0 ? INFINITY : (float)sn_rng_below(r, 100) / 16;
    const int n = (int)sn_rng_below(r, 6);
    for (int k = 0; k < n && f->n_arcs < MAX_ARCS; k++) {
      fst_arc x = {s, (int32_t)sn_rng_below(r, N_TIDS),
                   (int32_t)sn_rng_below(r, 4),
                   (float)sn_rng_below(r, 100) / 16,
                   (int32_t)sn_rng_below(r, (uint32_t)f->n_states)};
      if (sn_rng_below(r, 3) == 0) { /* as Kaldi's loops are */
        x.next = s;
        x.input = 1 + 2 * (int32_t)sn_rng_below(r, 4);
        x.output = 0;
      }
      if (x.input == 0 && x.next <= s) continue;
      arcs[f->n_arcs++] = x;
    }
  }
}

static void test_both_accept_the_same_strings_at_the_same_cost(void **state) {
  (void)state;
  world w;
  world_make(&w);
  int n_accepted = 0, n_merged = 0;
  for (uint64_t seed = 1; seed <= 400; seed++) {
    sn_rng r;
    sn_rng_init(&r, seed);
    fst_arc arcs[MAX_ARCS];
    float finals[MAX_STATES];
    fst_shape f;
    random_shape(&r, arcs, finals, &f);
    sn_graph *g = NULL;
    int32_t *tids = NULL;
    sn_err err = {0};
    if (make_graph(&w, &f, &g, &tids, &err) != SN_OK) fail_msg("%s", err.msg);
    for (int32_t l = 0; l < g->n_labels; l++) {
      const sn_kaldi_tid *const t = &w.trans.tids.data[tids[2 * l]];
      assert_int_equal(g->labels[l].pdf, t->pdf);
      assert_int_equal(g->labels[l].hmm_state, t->hmm_state);
      assert_int_equal(g->labels[l].phone, t->phone - 1);
      assert_int_equal(tids[2 * l + 1] > 0, isfinite(g->labels[l].loop_cost));
      n_merged += tids[2 * l + 1] > 0;
      if (tids[2 * l + 1] > 0)
        assert_int_equal(w.trans.tids.data[tids[2 * l + 1]].pdf, t->pdf);
    }
    for (int trial = 0; trial < 60; trial++) {
      /* A random walk, so that most strings are accepted. */
      int32_t string[12];
      int n = 0, s = f.start;
      for (int step = 0; step < 30 && n < 12; step++) {
        const int k = fst_n_arcs(&f, s);
        if (k == 0) break;
        int pick = (int)sn_rng_below(&r, (uint32_t)k);
        for (int i = 0; i < f.n_arcs; i++)
          if (arcs[i].from == s && pick-- == 0) {
            if (arcs[i].input > 0) string[n++] = arcs[i].input;
            s = arcs[i].next;
            break;
          }
        if (sn_rng_below(&r, 8) == 0) break;
      }
      const double want = fst_cost(&f, string, n);
      const double got = graph_cost(g, tids, string, n);
      /* All costs are multiples of 1/16: sums are exact. */
      if (want < got || got < want)
        fail_msg("seed %d: %g, want %g", (int)seed, got, want);
      n_accepted += isfinite(want);
    }
    sn_graph_destroy(g);
    sn_free(tids);
  }
  assert_true(n_accepted > 3000);
  assert_true(n_merged > 200);
  world_clear(&w);
}

/* 0 -A state 0-> 1 (loops) -A state 1, "two"-> 2 (loops) -eps-> 3 final */
static void test_words_phones_and_positions_are_kaldis(void **state) {
  (void)state;
  static const fst_arc arcs[] = {
      {0, 2, 0, 1, 1}, {1, 1, 0, 2, 1},  {1, 4, 2, 3, 2},  {2, 3, 0, 4, 2},
      {2, 0, 0, 5, 3}, {2, 10, 3, 6, 3}, {3, 9, 0, 0.5, 2}};
  static const float finals[] = {INFINITY, INFINITY, INFINITY, 7};
  const fst_shape f = {finals, 4, 0, arcs, 7};
  world w;
  world_make(&w);
  sn_graph *g = NULL;
  int32_t *tids = NULL;
  sn_err err = {0};
  if (make_graph(&w, &f, &g, &tids, &err) != SN_OK) fail_msg("%s", err.msg);
  /* State 2 is entered by tid 4 with its loop, by tid 9, and then by its loop,
   * which is an arc there, by tid 3; state 3
   * by epsilon and by tid 10. */
  assert_int_equal(g->n_states, 7);
  assert_int_equal(g->n_labels, 5);
  assert_int_equal(g->n_words, 3);
  assert_int_equal(g->n_phones, 3);
  assert_int_equal(g->n_pdfs, 5);
  assert_true(g->lm_scale > 0.999 && g->lm_scale < 1.001);
  assert_string_equal(sn_graph_word(g, 1), "two");
  assert_string_equal(sn_graph_phone(g, 2), "SIL");
  assert_string_equal(sn_graph_meta(g, "source"), "kaldi");
  const sn_graph_arc *const a = &g->emit[g->states[g->start].first_emit];
  assert_int_equal(g->states[g->start].label, -1);
  assert_int_equal(tids[2 * a->label], 2);
  assert_int_equal(tids[2 * a->label + 1], 1);
  assert_int_equal(g->labels[a->label].wordpos, SN_POS_BEGIN);
  assert_true(g->labels[a->label].is_entry && !g->labels[a->label].is_filler);
  const sn_graph_arc *const b = &g->emit[g->states[a->next].first_emit];
  assert_int_equal(b->output, 2);
  assert_false(g->labels[b->label].is_entry);
  bool has_sil = false;
  for (int32_t l = 0; l < g->n_labels; l++)
    has_sil |= tids[2 * l] == 10 && g->labels[l].is_filler;
  assert_true(has_sil);
  sn_graph_destroy(g);
  sn_free(tids);
  world_clear(&w);
}

static void refused(fst_shape f, sn_status status, const char *why) {
  world w;
  world_make(&w);
  sn_graph *g = NULL;
  int32_t *tids = NULL;
  sn_err err = {0};
  assert_int_equal(make_graph(&w, &f, &g, &tids, &err), status);
  if (strstr(err.msg, why) == NULL) fail_msg("'%s' not in '%s'", why, err.msg);
  assert_null(g);
  assert_null(tids);
  world_clear(&w);
}

static void test_what_does_not_fit_is_refused(void **state) {
  (void)state;
  fst_arc arcs[] = {{0, 2, 0, 1, 1}, {1, 0, 0, 1, 0}};
  const float finals[] = {0, 0};
  fst_shape f = {finals, 2, 0, arcs, 2};
  arcs[0].input = N_TIDS;
  refused(f, SN_EMISMATCH, "transition id 11");
  arcs[0].input = 2;
  arcs[0].output = 4;
  refused(f, SN_EMISMATCH, "word id 4");
  arcs[0].output = 0;
  arcs[0].input = 0;
  refused(f, SN_EFORMAT, "circle");
  f.n_states = f.n_arcs = 0;
  f.start = -1;
  refused(f, SN_EFORMAT, "empty");
}

static void test_symbols_may_come_in_any_order(void **state) {
  (void)state;
  static const char good[] = "b 1\n\n<eps> 0\nc\t2\n";
  sn_reader *r = NULL;
  sn_symtab *t = NULL;
  assert_int_equal(sn_reader_memory(good, sizeof good - 1, "w", &r, NULL),
                   SN_OK);
  assert_int_equal(sn_kaldi_symbols_read(r, &t, NULL), SN_OK);
  assert_int_equal(sn_symtab_n(t), 3);
  assert_string_equal(sn_symtab_get(t, 1), "b");
  sn_symtab_destroy(t);
  sn_reader_destroy(r);
  static const struct {
    const char *text, *why;
  } bad[] = {{"a 0\nb\n", "w:2"},      {"a 0\nb x\n", "w:2"},
             {"a 0\nb 1 2\n", "w:2"},  {"a -1\n", "w:1"},
             {"a 0\nb 0\n", "twice"},  {"a 0\nb 2\n", "dense"},
             {"a 0\na 1\n", "has ids"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    sn_err err = {0};
    assert_int_equal(
        sn_reader_memory(bad[i].text, strlen(bad[i].text), "w", &r, NULL),
        SN_OK);
    assert_int_equal(sn_kaldi_symbols_read(r, &t, &err), SN_EFORMAT);
    assert_null(t);
    if (strstr(err.msg, bad[i].why) == NULL)
      fail_msg("'%s' not in '%s'", bad[i].why, err.msg);
    sn_reader_destroy(r);
  }
}

static void test_survives_every_allocation_failure(void **state) {
  (void)state;
  world w;
  world_make(&w);
  sn_rng r;
  sn_rng_init(&r, 7);
  fst_arc arcs[MAX_ARCS];
  float finals[MAX_STATES];
  fst_shape shape;
  random_shape(&r, arcs, finals, &shape);
  sn_fst_file f = load(&shape);
  for (int with_phones = 0; with_phones < 2; with_phones++) {
    const sn_kaldi_hclg in = {&f, &w.trans, w.words,
                              with_phones ? w.phones : NULL, "t.fst"};
    const long before = sn_mem_live();
    bool fired = true;
    for (long k = 0; fired; k++) {
      assert_true(k < 200);
      sn_graph *g = NULL;
      int32_t *tids = NULL;
      sn_mem_fail_after(k);
      const sn_status s = sn_kaldi_graph_make(&in, &g, &tids, NULL);
      fired = sn_mem_fault_fired();
      sn_mem_fail_after(-1);
      assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
      assert_int_equal(g != NULL, !fired);
      if (g != NULL)
        assert_string_equal(sn_graph_phone(g, 0), with_phones ? "A_B" : "1");
      sn_graph_destroy(g);
      sn_free(tids);
      assert_int_equal(sn_mem_live(), before);
    }
  }
  sn_fst_file_clear(&f);
  world_clear(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_accept_the_same_strings_at_the_same_cost),
      cmocka_unit_test(test_words_phones_and_positions_are_kaldis),
      cmocka_unit_test(test_what_does_not_fit_is_refused),
      cmocka_unit_test(test_symbols_may_come_in_any_order),
      cmocka_unit_test(test_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
