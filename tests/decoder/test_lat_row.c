/* SPDX-License-Identifier: Apache-2.0 */
/* Rescoring of lattices in a row against the definition: all paths of all
 * lattices, written out. */
#include "tests/decoder/rescore_support.h"

enum { MAX_ROW = 3 };

/* ---- The definition ---- */

/* Words of a and then b, costs added. */
static random_path put_behind(const random_path *a, const random_path *b) {
  random_path p = *a;
  assert_true(p.n + b->n <= RANDOM_MAX_WORDS);
  for (size_t i = 0; i < b->n; i++) p.words[p.n++] = b->words[i];
  p.graph += b->graph;
  p.acoustic += b->acoustic;
  return p;
}

typedef struct models {
  model old_m, new_m;
  sn_lat_lm from, to;
  sn_lat_rescore_opts o;
} models;

static models random_models(uint64_t seed, int old_order, int new_order) {
  models m = {.old_m = random_model(old_order, 0.5, seed),
              .new_m = random_model(new_order, 0.5, seed + 1),
              .o = no_limits};
  m.from = use(&m.old_m);
  m.to = use(&m.new_m);
  return m;
}

static void models_clear(models *m) {
  model_clear(&m->old_m);
  model_clear(&m->new_m);
}

static double true_total(const models *m, const random_path *p) {
  return new_graph(&m->old_m, &m->new_m, p, &m->o) * scales.graph +
         p->acoustic * scales.acoustic;
}

static double total_of(const random_path *p) {
  return p->graph * scales.graph + p->acoustic * scales.acoustic;
}

/* ---- A row ---- */

static sn_status rescore_row(const models *m, const sn_lat *in, size_t n,
                             sn_lat *out, int64_t *n_kept, sn_err *err) {
  sn_lat_row *r = NULL;
  for (size_t i = 0; i < n; i++) memset(&out[i], 0, sizeof out[i]);
  SN_TRY(sn_lat_row_create(&scales, &m->from, &m->to, &m->o, &r, err));
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < n; i++) {
    sn_lat before = {0};
    s = sn_lat_row_add(r, &in[i], i + 1 == n, &before, err);
    if (s == SN_OK && i == 0) assert_int_equal(before.n_states, 0);
    if (i > 0) out[i - 1] = before;
  }
  if (s == SN_OK) s = sn_lat_row_end(r, &out[n - 1], err);
  if (n_kept != NULL) (void)sn_lat_row_stats(r, n_kept);
  sn_lat_row_destroy(r);
  return s;
}

static void clear_all(sn_lat *l, size_t n) {
  for (size_t i = 0; i < n; i++) sn_lat_clear(&l[i]);
}

static random_path best_of(const sn_lat *l) {
  random_paths all = all_paths(l);
  assert_true(all.n > 0);
  size_t best = 0;
  for (size_t i = 1; i < all.n; i++)
    if (total_of(&all.p[i]) < total_of(&all.p[best])) best = i;
  const random_path p = all.p[best];
  sn_free(all.p);
  return p;
}

/* ---- Tests ---- */

/* Of two lattices: each path of the first costs what it costs with the best
 * that can follow it, each of the second what it costs behind the first one's
 * best. */
static void test_two_in_a_row_cost_what_the_whole_does(void **state) {
  (void)state;
  const random_opts ro = {6, N_LABELS, true};
  sn_rng r;
  sn_rng_init(&r, 71);
  int n_moved = 0;
  for (int round = 0; round < 150; round++) {
    models m =
        random_models(500 + 2 * (uint64_t)round, 1 + round % 3, 2 + round % 2);
    m.o.exact_old = round % 4 == 3;
    sn_err err = {0};
    sn_lat in[2] = {random_lattice(&r, &ro), random_lattice(&r, &ro)}, out[2];
    must(rescore_row(&m, in, 2, out, NULL, &err), &err);
    random_paths first = all_paths(&in[0]), second = all_paths(&in[1]);
    random_paths made = all_paths(&out[0]), behind = all_paths(&out[1]);
    const random_path best = best_of(&out[0]), tail = best_of(&out[1]);
    assert_int_equal(made.n, first.n);
    assert_int_equal(behind.n, second.n);
    double least = HUGE_VAL;
    for (size_t i = 0; i < first.n; i++) {
      double with_best = HUGE_VAL;
      for (size_t k = 0; k < second.n; k++) {
        const random_path whole = put_behind(&first.p[i], &second.p[k]);
        with_best = fmin(with_best, true_total(&m, &whole));
        if (!same_words(&first.p[i], &best)) continue;
        const random_path *const q = find_path(&behind, &second.p[k]);
        assert_non_null(q);
        assert_true(fabs(total_of(&best) + total_of(q) -
                         true_total(&m, &whole)) < TOLERANCE);
      }
      const random_path *const p = find_path(&made, &first.p[i]);
      assert_non_null(p);
      if (!(fabs(total_of(p) + total_of(&tail) - with_best) < TOLERANCE))
        fail_msg("round %d: %g, expected %g", round,
                 total_of(p) + total_of(&tail), with_best);
      least = fmin(least, with_best);
    }
    assert_true(fabs(total_of(&best) + total_of(&tail) - least) < TOLERANCE);
    /* The oracle can fail: alone, the lattices' best are others. */
    sn_lat alone;
    must(sn_lat_rescore(&in[0], &scales, &m.from, &m.to, &m.o, &alone, NULL,
                        &err),
         &err);
    const random_path other = best_of(&alone);
    n_moved += !same_words(&other, &best);
    sn_lat_clear(&alone);
    sn_free(first.p);
    sn_free(second.p);
    sn_free(made.p);
    sn_free(behind.p);
    clear_all(in, 2);
    clear_all(out, 2);
    models_clear(&m);
  }
  assert_true(n_moved > 0);
}

/* The words of the best paths, and what those words cost. */
static void test_a_longer_row_costs_what_its_words_do(void **state) {
  (void)state;
  const random_opts ro = {4, N_LABELS, true};
  sn_rng r;
  sn_rng_init(&r, 72);
  int n_best = 0, n_rounds = 60;
  for (int round = 0; round < n_rounds; round++) {
    models m = random_models(2000 + 2 * (uint64_t)round, 2, 3);
    sn_err err = {0};
    sn_lat in[MAX_ROW], out[MAX_ROW];
    random_paths all[MAX_ROW];
    for (int i = 0; i < MAX_ROW; i++) in[i] = random_lattice(&r, &ro);
    for (int i = 0; i < MAX_ROW; i++) all[i] = all_paths(&in[i]);
    must(rescore_row(&m, in, MAX_ROW, out, NULL, &err), &err);
    random_path said = {0}; /* with the costs that the row gives */
    random_path words = {0};
    for (int i = 0; i < MAX_ROW; i++) {
      const random_path p = best_of(&out[i]);
      const random_path *const q = find_path(&all[i], &p);
      assert_non_null(q);
      said = put_behind(&said, &p);
      words = put_behind(&words, q);
    }
    const double want = true_total(&m, &words);
    if (!(fabs(total_of(&said) - want) < 2 * TOLERANCE))
      fail_msg("round %d: %g, expected %g", round, total_of(&said), want);
    double least = HUGE_VAL;
    for (size_t a = 0; a < all[0].n; a++)
      for (size_t b = 0; b < all[1].n; b++)
        for (size_t c = 0; c < all[2].n; c++) {
          random_path p = put_behind(&all[0].p[a], &all[1].p[b]);
          p = put_behind(&p, &all[2].p[c]);
          least = fmin(least, true_total(&m, &p));
        }
    assert_true(want > least - TOLERANCE);
    n_best += want < least + TOLERANCE;
    for (int i = 0; i < MAX_ROW; i++) sn_free(all[i].p);
    clear_all(in, MAX_ROW);
    clear_all(out, MAX_ROW);
    models_clear(&m);
  }
  print_message("%d of %d rows of three have the best words of all\n", n_best,
                n_rounds);
  /* Lattices of one to three words, trigrams: some choices do hang on words
   * beyond the next lattice. */
  assert_true(n_best > n_rounds * 4 / 5);
}

static void test_one_alone_is_rescored_as_ever(void **state) {
  (void)state;
  const random_opts ro = {9, N_LABELS, true};
  sn_rng r;
  sn_rng_init(&r, 73);
  models m = random_models(91, 2, 3);
  for (int round = 0; round < 50; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r, &ro), a, b;
    m.o.beam = (double)sn_rng_below(&r, 60) / 4.0;
    must(rescore_row(&m, &l, 1, &a, NULL, &err), &err);
    must(sn_lat_rescore(&l, &scales, &m.from, &m.to, &m.o, &b, NULL, &err),
         &err);
    assert_int_equal(a.n_states, b.n_states);
    assert_int_equal(a.n_arcs, b.n_arcs);
    assert_memory_equal(a.arcs, b.arcs, (size_t)a.n_arcs * sizeof *a.arcs);
    sn_lat_clear(&l);
    sn_lat_clear(&a);
    sn_lat_clear(&b);
  }
  models_clear(&m);
}

/* With few histories kept: words are lost, costs are true. */
static void test_limits_leave_true_costs(void **state) {
  (void)state;
  const random_opts ro = {6, N_LM_WORDS, true};
  sn_rng r;
  sn_rng_init(&r, 74);
  models m = random_models(95, 2, 4);
  for (int round = 0; round < 80; round++) {
    sn_err err = {0};
    sn_lat in[2] = {random_lattice(&r, &ro), random_lattice(&r, &ro)}, out[2];
    m.o.beam = (double)sn_rng_below(&r, 20) / 4.0;
    m.o.max_histories = 1 + (int32_t)sn_rng_below(&r, 2);
    must(rescore_row(&m, in, 2, out, NULL, &err), &err);
    const random_path a = best_of(&out[0]), b = best_of(&out[1]);
    random_paths first = all_paths(&in[0]), second = all_paths(&in[1]);
    const random_path *const p = find_path(&first, &a);
    const random_path *const q = find_path(&second, &b);
    assert_true(p != NULL && q != NULL);
    const random_path words = put_behind(p, q);
    assert_true(fabs(total_of(&a) + total_of(&b) - true_total(&m, &words)) <
                TOLERANCE);
    sn_free(first.p);
    sn_free(second.p);
    clear_all(in, 2);
    clear_all(out, 2);
  }
  models_clear(&m);
}

static sn_lat of_one_word(int32_t word) {
  sn_lat l;
  sn_lat_builder *b = NULL;
  int32_t id;
  must(sn_lat_builder_create(&b, NULL), NULL);
  must(sn_lat_builder_state(b, &id, NULL), NULL);
  must(sn_lat_builder_state(b, &id, NULL), NULL);
  must(sn_lat_builder_arc(b, 0, 1, word, 1.5f, 2.0f, NULL, 0, NULL), NULL);
  must(sn_lat_builder_final(b, 1, 0.5f, 0.0f, NULL, 0, NULL), NULL);
  must(sn_lat_builder_take(b, 0, &l, NULL), NULL);
  sn_lat_builder_destroy(b);
  return l;
}

static void test_a_lattice_without_a_path_stays_as_it_is(void **state) {
  (void)state;
  models m = random_models(97, 2, 3);
  sn_err err = {0};
  sn_lat in[3] = {of_one_word(2), of_one_word(NOWHERE), of_one_word(3)}, out[3];
  int64_t n_kept = 0;
  m.o.oov_cost = HUGE_VAL;
  must(rescore_row(&m, in, 3, out, &n_kept, &err), &err);
  assert_int_equal(n_kept, 1);
  assert_true(out[1].arcs[0].graph == 1.5f);
  assert_true(out[1].states[1].final_graph == 0.5f);
  for (int i = 0; i < 3; i++) assert_int_equal(out[i].n_arcs, 1);
  clear_all(in, 3);
  clear_all(out, 3);
  models_clear(&m);
}

static void test_what_is_no_row_is_refused(void **state) {
  (void)state;
  models m = random_models(98, 1, 2);
  sn_lat_row *r = NULL;
  sn_lat one = of_one_word(1), blank = of_one_word(0), empty = {0}, out;
  must(sn_lat_row_create(&scales, &m.from, &m.to, &m.o, &r, NULL), NULL);
  assert_int_equal(sn_lat_row_add(r, &empty, false, &out, NULL), SN_EARG);
  assert_int_equal(sn_lat_row_add(r, &blank, false, &out, NULL), SN_EARG);
  must(sn_lat_row_add(r, &one, true, &out, NULL), NULL);
  assert_int_equal(sn_lat_row_add(r, &one, true, &out, NULL), SN_EARG);
  sn_lat_row_destroy(r);
  sn_lat_clear(&one);
  sn_lat_clear(&blank);
  models_clear(&m);
}

static void test_each_failed_allocation_is_reported(void **state) {
  (void)state;
  const random_opts ro = {6, N_LABELS, true};
  sn_rng r;
  sn_rng_init(&r, 75);
  models m = random_models(99, 2, 3);
  m.o.beam = 20.0;
  sn_lat in[3], out[3];
  for (int i = 0; i < 3; i++) in[i] = random_lattice(&r, &ro);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_mem_fail_after(k);
    const sn_status s = rescore_row(&m, in, 3, out, NULL, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    clear_all(out, 3);
    assert_int_equal(sn_mem_live(), live);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    if (!fired) break;
  }
  clear_all(in, 3);
  models_clear(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_in_a_row_cost_what_the_whole_does),
      cmocka_unit_test(test_a_longer_row_costs_what_its_words_do),
      cmocka_unit_test(test_one_alone_is_rescored_as_ever),
      cmocka_unit_test(test_limits_leave_true_costs),
      cmocka_unit_test(test_a_lattice_without_a_path_stays_as_it_is),
      cmocka_unit_test(test_what_is_no_row_is_refused),
      cmocka_unit_test(test_each_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
