/* SPDX-License-Identifier: Apache-2.0 */
/* The search against exhaustive search, and its promises. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "decoder/decoder.h"
#include "decoder/search_internal.h"
#include "tests/decoder/toy.h"
#include "tests/ref/viterbi_ref.h"

enum { MAX_FRAMES = 40 };

static sn_decoder_opts wide_opts(void) {
  sn_decoder_opts o;
  sn_opt_defaults(sn_decoder_opt_table, &o);
  o.beam = INFINITY;
  o.max_active = 1000000;
  o.min_active = 0;
  o.acoustic_scale = 1.0f;
  return o;
}

static void ok(sn_status s, const sn_err *err) {
  if (s != SN_OK) fail_msg("%s: %s", sn_status_name(s), err->msg);
}

/* Decodes n frames, `chunk` at a time (0: all at once). */
static sn_hyp decode(const sn_graph *g, const float *rows, int n,
                     const sn_decoder_opts *o, int chunk, bool final) {
  sn_decoder *d = NULL;
  sn_err err = {0};
  ok(sn_decoder_create(g, o, &d, &err), &err);
  ok(sn_decoder_start(d, &err), &err);
  toy_scorer sc = toy_scorer_make(rows, n > 0 ? n : 1, g->n_pdfs);
  sc.n_ready = n;
  if (chunk > 0)
    for (int t = 0; t < n; t += chunk) {
      sc.n_ready = t;
      ok(sn_decoder_advance(d, &sc.base, &err), &err);
      sn_hyp h;
      ok(sn_decoder_best(d, false, &h, &err), &err);
      sn_hyp_clear(&h);
    }
  sc.n_ready = n;
  ok(sn_decoder_advance(d, &sc.base, &err), &err);
  sn_hyp h;
  ok(sn_decoder_best(d, final, &h, &err), &err);
  assert_int_equal(h.n_frames, n);
  sn_decoder_destroy(d);
  return h;
}

static void random_rows(sn_rng *r, float *rows, int n) {
  for (int i = 0; i < n; i++)
    rows[i] = sn_rng_below(r, 50) == 0 ? -INFINITY : toy_uniform(r, -8, 0);
}

/* The words of both paths, in order. */
static void assert_same_words(const sn_hyp *h, const ref_path *p,
                              unsigned seed) {
  size_t k = 0;
  for (int i = 0; i < p->n_events; i++) {
    if (p->events[i].output == 0) continue;
    if (k >= h->n_words || h->words[k].word != p->events[i].output - 1)
      fail_msg("seed %u: word %zu differs", seed, k);
    k++;
  }
  if (k != h->n_words)
    fail_msg("seed %u: %zu words, want %zu", seed, h->n_words, k);
}

static void assert_same_phones(const sn_graph *g, const sn_hyp *h,
                               const ref_path *p, unsigned seed) {
  size_t k = 0;
  for (int i = 0; i < p->n_events; i++) {
    const int l = p->events[i].label;
    if (l < 0 || !g->labels[l].is_entry) continue;
    assert_true(k < h->n_phones);
    if (h->phones[k].phone != g->labels[l].phone)
      fail_msg("seed %u: phone %zu differs", seed, k);
    /* Times are sums of a few doubles near 1: 1e-9 is far above rounding. */
    assert_true(fabs(h->phones[k].begin_s - 0.01 * p->events[i].frame) < 1e-9);
    if (k > 0)
      assert_true(fabs(h->phones[k].begin_s - h->phones[k - 1].end_s) < 1e-9);
    k++;
  }
  assert_int_equal(k, h->n_phones);
}

/* Returns how many answers were unique, so that words could be compared. */
static int compare_with_exhaustive(unsigned seed) {
  int n_unique = 0;
  sn_rng r;
  sn_rng_init(&r, seed);
  toy t;
  const sn_graph *g = toy_random(&t, &r);
  float rows[MAX_FRAMES * 16];
  const int n = (int)sn_rng_below(&r, MAX_FRAMES);
  random_rows(&r, rows, n * g->n_pdfs);
  const sn_decoder_opts o = wide_opts();
  for (int final = 0; final < 2; final++) {
    ref_path *p = calloc(1, sizeof *p);
    assert_non_null(p);
    ref_viterbi(g, rows, n, 1.0, final != 0, p);
    sn_hyp h = decode(g, rows, n, &o, (int)sn_rng_below(&r, 8), final != 0);
    assert_int_equal(h.no_path, !p->found);
    assert_int_equal(h.reached_final, p->reached_final);
    if (p->found) {
      /* Each frame rounds a few additions of values below 100: 2^-24 * 100 *
       * 6 operations * 40 frames < 2e-3. */
      const double cost = h.graph_cost + h.acoustic_cost;
      if (fabs(cost - p->cost) > 2e-3)
        fail_msg("seed %u: cost %.9g, want %.9g", seed, cost, p->cost);
      if (fabs(h.graph_cost - p->graph) > 2e-3)
        fail_msg("seed %u: graph cost %.9g, want %.9g", seed, h.graph_cost,
                 p->graph);
      if (!p->tied) {
        assert_same_words(&h, p, seed);
        assert_same_phones(g, &h, p, seed);
        n_unique++;
      }
    }
    sn_hyp_clear(&h);
    free(p);
  }
  return n_unique;
}

static void test_infinite_beam_equals_exhaustive_search(void **state) {
  (void)state;
  int n_unique = 0;
  for (unsigned seed = 1; seed <= 3000; seed++)
    n_unique += compare_with_exhaustive(seed);
  assert_true(n_unique > 4000);
}

/* Field by field: what lies between the fields is nobody's. */
static void expect_same_word(const sn_hyp_word *a, const sn_hyp_word *b) {
  assert_int_equal(a->word, b->word);
  assert_int_equal(a->first_frame, b->first_frame);
  assert_int_equal(a->n_frames, b->n_frames);
  assert_true(a->begin_s == b->begin_s && a->end_s == b->end_s);
  assert_true(a->graph_cost == b->graph_cost &&
              a->acoustic_cost == b->acoustic_cost);
}

static void test_narrower_beams_are_never_better(void **state) {
  (void)state;
  size_t n_worse = 0;
  for (unsigned seed = 1; seed <= 1000; seed++) {
    sn_rng r;
    sn_rng_init(&r, seed);
    toy t;
    const sn_graph *g = toy_random(&t, &r);
    float rows[MAX_FRAMES * 16];
    const int n = (int)sn_rng_below(&r, MAX_FRAMES);
    random_rows(&r, rows, n * g->n_pdfs);
    sn_decoder_opts o = wide_opts();
    sn_hyp exact = decode(g, rows, n, &o, 0, false);
    o.beam = toy_uniform(&r, 0.1, 6);
    o.max_active = 1 + (int)sn_rng_below(&r, 6);
    o.min_active = (int)sn_rng_below(&r, (uint32_t)o.max_active);
    sn_hyp h = decode(g, rows, n, &o, 0, false);
    sn_hyp again = decode(g, rows, n, &o, 1, false);
    /* Same derivation of 2e-3 as above. */
    if (!exact.no_path)
      assert_true(h.graph_cost + h.acoustic_cost >
                  exact.graph_cost + exact.acoustic_cost - 2e-3);
    else
      assert_true(h.no_path);
    n_worse += h.no_path != exact.no_path ||
               h.graph_cost + h.acoustic_cost >
                   exact.graph_cost + exact.acoustic_cost + 2e-3;
    /* Bit-identical for any chunking. */
    assert_memory_equal(&h.graph_cost, &again.graph_cost, sizeof(double));
    assert_memory_equal(&h.acoustic_cost, &again.acoustic_cost, sizeof(double));
    assert_int_equal(h.n_words, again.n_words);
    for (size_t i = 0; i < h.n_words; i++)
      expect_same_word(&h.words[i], &again.words[i]);
    sn_hyp_clear(&exact);
    sn_hyp_clear(&h);
    sn_hyp_clear(&again);
  }
  assert_true(n_worse > 50); /* the pruning was real */
}

static void test_selection_equals_sorting(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 5);
  for (int trial = 0; trial < 2000; trial++) {
    float x[40], y[40];
    const size_t n = 1 + sn_rng_below(&r, 40);
    for (size_t i = 0; i < n; i++) x[i] = (float)sn_rng_below(&r, 20);
    memcpy(y, x, sizeof y);
    const size_t k = sn_rng_below(&r, (uint32_t)n);
    const float got = sni_select(x, n, k);
    for (size_t i = 1; i < n; i++)
      for (size_t j = i; j > 0 && y[j] < y[j - 1]; j--) {
        const float a = y[j];
        y[j] = y[j - 1];
        y[j - 1] = a;
      }
    assert_true(got == y[k]);
  }
}

/* A chain begin - middle - end of one word after silence, another after it;
 * every label has its own pdf and the scores say where each one is. */
static void test_times_are_those_of_the_phones(void **state) {
  (void)state;
  toy t;
  toy_init(&t, 8, 6, 2);
  const int sil = toy_label(&t, 0, 0.1f, 0, 0, 3, true, true);
  const int a = toy_label(&t, 1, 0.1f, 1, 0, 1, false, true);
  const int b = toy_label(&t, 2, 0.1f, 2, 0, 0, false, true);
  const int b2 = toy_label(&t, 3, 0.1f, 2, 1, 0, false, false);
  const int c = toy_label(&t, 4, 0.1f, 3, 0, 2, false, true);
  const int d = toy_label(&t, 5, 0.1f, 4, 0, 3, false, true);
  toy_arc(&t, 0, 1, sil, 0, 1.0f);
  toy_arc(&t, 1, 2, a, 0, 2.0f);
  toy_arc(&t, 2, 3, b, 0, 0.5f);
  toy_arc(&t, 3, 4, b2, 0, 0.5f);
  toy_arc(&t, 4, 5, c, 0, 0.25f);
  /* The first word comes out late: on an epsilon behind its last phone. */
  toy_arc(&t, 5, 6, -1, 1, 0.125f);
  toy_arc(&t, 6, 7, d, 2, 3.0f);
  t.states[7].final_cost = 0.75f;
  const sn_graph *g = toy_finish(&t);
  static const int pdf_at[] = {0, 0, 0, 1, 1, 2, 3, 3, 3, 4, 4, 5, 5, 5, 5};
  enum { N = sizeof pdf_at / sizeof pdf_at[0] };
  float rows[N * 6];
  for (int i = 0; i < N * 6; i++) rows[i] = pdf_at[i / 6] == i % 6 ? -1 : -50;
  sn_decoder_opts o = wide_opts();
  sn_decoder *dec = NULL;
  sn_err err = {0};
  ok(sn_decoder_create(g, &o, &dec, &err), &err);
  ok(sn_decoder_start(dec, &err), &err);
  toy_scorer sc = toy_scorer_make(rows, N, 6);
  sc.gap_at = 5; /* half a second was removed before frame 5 */
  sc.gap_s = 0.5;
  ok(sn_decoder_advance(dec, &sc.base, &err), &err);
  sn_hyp h;
  ok(sn_decoder_best(dec, true, &h, &err), &err);
  assert_true(h.reached_final && !h.no_path);
  assert_int_equal(h.n_words, 2);
  assert_int_equal(h.words[0].word, 0);
  assert_int_equal(h.words[0].first_frame, 3);
  assert_int_equal(h.words[0].n_frames, 8);
  assert_int_equal(h.words[1].word, 1);
  assert_int_equal(h.words[1].first_frame, 11);
  assert_int_equal(h.words[1].n_frames, 4);
  /* Tolerances: float costs are sums of few exact terms of 0.1f: 1e-4. */
  assert_true(fabs(h.words[0].begin_s - 0.03) < 1e-9);
  assert_true(fabs(h.words[0].end_s - 0.61) < 1e-9);
  assert_true(fabs(h.words[1].begin_s - 0.61) < 1e-9);
  assert_true(fabs(h.words[1].end_s - 0.65) < 1e-9);
  assert_true(fabs((double)h.words[0].acoustic_cost - 8) < 1e-4);
  assert_true(fabs((double)h.words[0].graph_cost - (3.25 + 0.4 + 0.125)) <
              1e-4);
  assert_true(fabs((double)h.words[1].acoustic_cost - 4) < 1e-4);
  assert_true(fabs((double)h.words[1].graph_cost - (3.0 + 0.3 + 0.75)) < 1e-4);
  assert_true(fabs(h.acoustic_cost - N) < 1e-4);
  assert_int_equal(h.n_phones, 5);
  static const int phones[] = {0, 1, 2, 3, 4}, words[] = {-1, 0, 0, 0, 1};
  static const double begin[] = {0, 0.03, 0.55, 0.59, 0.61};
  static const double end[] = {0.03, 0.05, 0.59, 0.61, 0.65};
  for (int i = 0; i < 5; i++) {
    assert_int_equal(h.phones[i].phone, phones[i]);
    assert_int_equal(h.phones[i].word, words[i]);
    assert_true(fabs(h.phones[i].begin_s - begin[i]) < 1e-9);
    assert_true(fabs(h.phones[i].end_s - end[i]) < 1e-9);
  }
  sn_hyp_clear(&h);
  sn_decoder_destroy(dec);
}

/* A loop of single-phone words that never ends. */
static const sn_graph *loop_graph(toy *t, int n_words) {
  toy_init(t, n_words + 1, n_words, n_words);
  for (int w = 0; w < n_words; w++) {
    const int l = toy_label(t, w, 0.2f, w, 0, 3, false, true);
    toy_arc(t, 0, w + 1, l, w + 1, 1.0f);
    toy_arc(t, w + 1, 0, -1, 0, 0.0f);
  }
  t->states[0].final_cost = 0;
  return toy_finish(t);
}

static void test_records_stay_few_over_a_long_stream(void **state) {
  (void)state;
  toy t;
  const sn_graph *g = loop_graph(&t, 30);
  enum { N_ROWS = 997 };
  sn_rng r;
  sn_rng_init(&r, 9);
  float *rows = malloc(sizeof *rows * N_ROWS * 30);
  assert_non_null(rows);
  for (int i = 0; i < N_ROWS * 30; i++) rows[i] = toy_uniform(&r, -8, 0);
  sn_decoder_opts o = wide_opts();
  o.beam = 30;
  sn_decoder *d = NULL;
  sn_err err = {0};
  ok(sn_decoder_create(g, &o, &d, &err), &err);
  ok(sn_decoder_start(d, &err), &err);
  toy_scorer sc = toy_scorer_make(rows, N_ROWS, 30);
  sn_decoder_stats early = {0};
  for (int64_t n = 1000; n <= 100000; n += 1000) {
    sc.n_ready = n;
    ok(sn_decoder_advance(d, &sc.base, &err), &err);
    if (n == 20000) early = sn_decoder_get_stats(d);
  }
  const sn_decoder_stats late = sn_decoder_get_stats(d);
  assert_int_equal(late.n_frames, 100000);
  assert_true(late.n_records > 1000000);
  assert_true(late.records_peak <= early.records_peak + 4096);
  assert_true(late.records_peak < 100000);
  sn_hyp h;
  ok(sn_decoder_best(d, true, &h, &err), &err);
  assert_true(h.reached_final);
  assert_true(h.n_words > 10000);
  assert_true(late.n_committed > 10000);
  /* Cost of the float arithmetic over 100,000 frames: the offset is a double,
   * and what a token holds is near 10, so each frame rounds by < 1e-6 * 4. */
  double graph = 0, acoustic = 0;
  int64_t frame = 0;
  for (size_t i = 0; i < h.n_words; i++) {
    assert_int_equal(h.words[i].first_frame, frame);
    graph += 1.0 + 0.2 * (double)(h.words[i].n_frames - 1);
    for (int64_t k = 0; k < h.words[i].n_frames; k++, frame++)
      acoustic -= (double)rows[(frame % N_ROWS) * 30 + h.words[i].word];
  }
  assert_int_equal(frame, 100000);
  assert_true(fabs(graph - h.graph_cost) < 0.4);
  assert_true(fabs(acoustic - h.acoustic_cost) < 0.4);
  sn_hyp_clear(&h);
  sn_decoder_destroy(d);
  free(rows);
}

static void test_no_frames_give_an_empty_answer(void **state) {
  (void)state;
  toy t;
  const sn_graph *g = loop_graph(&t, 3);
  const float rows[3] = {0};
  sn_decoder_opts o = wide_opts();
  sn_hyp h = decode(g, rows, 0, &o, 0, true);
  assert_int_equal(h.n_words, 0);
  assert_true(h.reached_final && !h.no_path);
  sn_hyp_clear(&h);
}

static void test_no_surviving_path_is_marked(void **state) {
  (void)state;
  toy t;
  const sn_graph *g = loop_graph(&t, 3);
  float rows[4 * 3];
  for (int i = 0; i < 12; i++) rows[i] = i < 6 ? -1.0f : -INFINITY;
  sn_decoder_opts o = wide_opts();
  sn_hyp h = decode(g, rows, 4, &o, 1, true);
  assert_true(h.no_path && !h.reached_final);
  assert_int_equal(h.n_words, 0);
  assert_true(isinf(h.graph_cost) && h.graph_cost > 0);
  sn_hyp_clear(&h);
}

static void test_without_final_state_the_best_of_all_is_given(void **state) {
  (void)state;
  toy t;
  (void)loop_graph(&t, 3);
  t.states[0].final_cost = INFINITY;
  const float rows[6] = {-9, -1, -9, -9, -1, -9};
  sn_decoder_opts o = wide_opts();
  sn_hyp h = decode(&t.g, rows, 2, &o, 0, true);
  assert_true(!h.reached_final && !h.no_path);
  assert_int_equal(h.n_words, 1);
  assert_int_equal(h.words[0].word, 1);
  sn_hyp_clear(&h);
}

static void test_negative_epsilon_cycle_is_refused(void **state) {
  (void)state;
  toy t;
  toy_init(&t, 3, 1, 1);
  const int l = toy_label(&t, 0, 0.0f, 0, 0, 3, false, true);
  toy_arc(&t, 0, 1, l, 1, 0.0f);
  toy_arc(&t, 1, 2, -1, 0, 1.0f);
  toy_arc(&t, 2, 1, -1, 0, -1.5f);
  const sn_graph *g = toy_finish(&t);
  const float rows[1] = {0};
  sn_decoder_opts o = wide_opts();
  o.beam = 20;
  sn_decoder *d = NULL;
  sn_err err = {0};
  ok(sn_decoder_create(g, &o, &d, &err), &err);
  ok(sn_decoder_start(d, &err), &err);
  toy_scorer sc = toy_scorer_make(rows, 1, 1);
  assert_int_equal(sn_decoder_advance(d, &sc.base, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "negative"));
  sn_hyp h;
  assert_int_equal(sn_decoder_best(d, true, &h, NULL), SN_EARG);
  sn_decoder_destroy(d);
}

static void test_wrong_number_of_pdfs_is_refused(void **state) {
  (void)state;
  toy t;
  const sn_graph *g = loop_graph(&t, 3);
  sn_decoder *d = NULL;
  sn_err err = {0};
  ok(sn_decoder_create(g, NULL, &d, &err), &err);
  ok(sn_decoder_start(d, &err), &err);
  const float rows[4] = {0};
  toy_scorer sc = toy_scorer_make(rows, 1, 4);
  assert_int_equal(sn_decoder_advance(d, &sc.base, &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "4 pdfs"));
  sn_decoder_destroy(d);
}

static void test_bad_options_are_refused(void **state) {
  (void)state;
  toy t;
  const sn_graph *g = loop_graph(&t, 3);
  sn_decoder *d = NULL;
  sn_decoder_opts o = wide_opts();
  o.beam = 0;
  assert_int_equal(sn_decoder_create(g, &o, &d, NULL), SN_EARG);
  o = wide_opts();
  o.min_active = o.max_active + 1;
  assert_int_equal(sn_decoder_create(g, &o, &d, NULL), SN_EARG);
  o = wide_opts();
  o.acoustic_scale = -1;
  assert_int_equal(sn_decoder_create(g, &o, &d, NULL), SN_EARG);
  assert_null(d);
}

static void test_survives_every_allocation_failure(void **state) {
  (void)state;
  toy t;
  const sn_graph *g = loop_graph(&t, 20);
  sn_rng r;
  sn_rng_init(&r, 3);
  float rows[40 * 20];
  for (int i = 0; i < 40 * 20; i++) rows[i] = toy_uniform(&r, -8, 0);
  const long before = sn_mem_live();
  long k = 0;
  for (bool fired = true; fired; k++) {
    assert_true(k < 200);
    sn_decoder *d = NULL;
    sn_err err = {0};
    sn_hyp h = {0};
    toy_scorer sc = toy_scorer_make(rows, 40, 20);
    sn_mem_fail_after(k);
    sn_status s = sn_decoder_create(g, NULL, &d, &err);
    if (s == SN_OK) s = sn_decoder_start(d, &err);
    if (s == SN_OK) s = sn_decoder_advance(d, &sc.base, &err);
    if (s == SN_OK) s = sn_decoder_best(d, true, &h, &err);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    assert_int_equal(err.code, s);
    sn_hyp_clear(&h);
    sn_decoder_destroy(d);
    assert_int_equal(sn_mem_live(), before);
  }
  assert_true(k > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_infinite_beam_equals_exhaustive_search),
      cmocka_unit_test(test_narrower_beams_are_never_better),
      cmocka_unit_test(test_selection_equals_sorting),
      cmocka_unit_test(test_times_are_those_of_the_phones),
      cmocka_unit_test(test_records_stay_few_over_a_long_stream),
      cmocka_unit_test(test_no_frames_give_an_empty_answer),
      cmocka_unit_test(test_no_surviving_path_is_marked),
      cmocka_unit_test(test_without_final_state_the_best_of_all_is_given),
      cmocka_unit_test(test_negative_epsilon_cycle_is_refused),
      cmocka_unit_test(test_wrong_number_of_pdfs_is_refused),
      cmocka_unit_test(test_bad_options_are_refused),
      cmocka_unit_test(test_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
