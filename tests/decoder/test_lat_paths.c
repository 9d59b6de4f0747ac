/* SPDX-License-Identifier: Apache-2.0 */
/* Best paths, n best, pruning, posteriors and determinisation of lattices
 * against the enumeration of all paths of small random ones. Costs are
 * multiples of 1/16, so that sums are exact in floats and ties are real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "decoder/lat_det.h"
#include "decoder/lat_paths.h"

#define MAX_LEN 12
#define MAX_ALL 20000
#define N_RANDOM 300

static const sn_lat_scales scales = {1.0, 0.25, 0.0};
static const sn_lat_det_opts no_limits = {1e6, 1 << 20, 1e9};

/* A complete path, as found by walking. */
typedef struct path {
  int32_t words[MAX_LEN], ali[4 * MAX_LEN];
  size_t n_words, n_ali;
  double graph, acoustic, total;
} path;

typedef struct all_paths {
  path *p;
  size_t n;
} all_paths;

static float cost(sn_rng *r, uint32_t limit) {
  return (float)sn_rng_below(r, limit) / 16.0f;
}

/* n states, arcs forward, some without a word; words from a small set, so that
 * there are many paths for a word sequence. */
static sn_lat random_lattice(sn_rng *r) {
  sn_err err = {0};
  sn_lat l;
  sn_lat_builder *b = NULL;
  const int32_t n = 2 + (int32_t)sn_rng_below(r, 6);
  assert_int_equal(sn_lat_builder_create(&b, &err), SN_OK);
  int32_t id;
  for (int32_t s = 0; s < n; s++)
    assert_int_equal(sn_lat_builder_state(b, &id, &err), SN_OK);
  for (int32_t s = 0; s + 1 < n; s++) {
    const uint32_t n_arcs = 1 + sn_rng_below(r, 4);
    for (uint32_t i = 0; i < n_arcs; i++) {
      const int32_t to =
          s + 1 + (int32_t)sn_rng_below(r, (uint32_t)(n - s - 1));
      const int32_t word = (int32_t)sn_rng_below(r, 4);
      int32_t ali[3];
      const size_t n_ali = sn_rng_below(r, 4);
      for (size_t k = 0; k < n_ali; k++) ali[k] = (int32_t)sn_rng_below(r, 3);
      assert_int_equal(sn_lat_builder_arc(b, s, to, word, cost(r, 64),
                                          cost(r, 256), ali, n_ali, &err),
                       SN_OK);
    }
  }
  const int32_t tail = 7;
  assert_int_equal(sn_lat_builder_final(b, n - 1, cost(r, 16), cost(r, 16),
                                        &tail, sn_rng_below(r, 2), &err),
                   SN_OK);
  if (sn_rng_below(r, 2) == 0)
    assert_int_equal(
        sn_lat_builder_final(b, n / 2, cost(r, 64), 0, NULL, 0, &err), SN_OK);
  assert_int_equal(sn_lat_builder_take(b, 0, &l, &err), SN_OK);
  sn_lat_builder_destroy(b);
  assert_int_equal(sn_lat_check(&l, &err), SN_OK);
  return l;
}

static void walk(const sn_lat *l, int32_t s, path so_far, all_paths *all) {
  const sn_lat_state *const x = &l->states[s];
  if (isfinite(x->final_graph)) {
    path p = so_far;
    p.graph += (double)x->final_graph;
    p.acoustic += (double)x->final_acoustic;
    for (uint32_t i = 0; i < x->n_ali; i++)
      p.ali[p.n_ali++] = l->ali[x->first_ali + i];
    p.total = p.graph * scales.graph + p.acoustic * scales.acoustic;
    assert_true(all->n < MAX_ALL);
    all->p[all->n++] = p;
  }
  for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
    const sn_lat_arc *const a = &l->arcs[i];
    path p = so_far;
    if (a->word != 0) p.words[p.n_words++] = a->word;
    for (uint32_t k = 0; k < a->n_ali; k++)
      p.ali[p.n_ali++] = l->ali[a->first_ali + k];
    p.graph += (double)a->graph;
    p.acoustic += (double)a->acoustic;
    walk(l, a->next, p, all);
  }
}

static all_paths enumerate(const sn_lat *l) {
  all_paths all = {sn_calloc(MAX_ALL, sizeof(path)), 0};
  const path none = {0};
  assert_non_null(all.p);
  if (l->n_states > 0) walk(l, 0, none, &all);
  return all;
}

static int by_total(const void *a, const void *b) {
  const path *const x = a, *const y = b;
  return x->total < y->total ? -1 : x->total > y->total;
}

static bool same_words(const path *a, const path *b) {
  return a->n_words == b->n_words &&
         memcmp(a->words, b->words, a->n_words * sizeof *a->words) == 0;
}

/* Keeps the best path of each word sequence; sorted by total. */
static void best_of_each(all_paths *all) {
  qsort(all->p, all->n, sizeof *all->p, by_total);
  size_t n = 0;
  for (size_t i = 0; i < all->n; i++) {
    bool seen = false;
    for (size_t k = 0; k < n && !seen; k++)
      seen = same_words(&all->p[i], &all->p[k]);
    if (!seen) all->p[n++] = all->p[i];
  }
  all->n = n;
}

static void test_best_and_n_best_are_the_least_of_all_paths(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 1);
  for (int round = 0; round < N_RANDOM; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r);
    all_paths all = enumerate(&l);
    qsort(all.p, all.n, sizeof *all.p, by_total);
    sn_lat_path best;
    assert_int_equal(sn_lat_best(&l, &scales, &best, &err), SN_OK);
    assert_true(best.total == (all.n > 0 ? all.p[0].total : HUGE_VAL));
    sn_lat_path_clear(&best);
    sn_lat_path *paths;
    size_t n;
    assert_int_equal(sn_lat_nbest(&l, &scales, 7, &paths, &n, &err), SN_OK);
    assert_int_equal(n, all.n < 7 ? all.n : 7);
    for (size_t i = 0; i < n; i++) {
      assert_true(paths[i].total == all.p[i].total);
      sn_lat_path_clear(&paths[i]);
    }
    assert_true(sn_lat_n_paths(&l) == (double)all.n);
    sn_free(paths);
    sn_free(all.p);
    sn_lat_clear(&l);
  }
}

static void test_posteriors_are_shares_of_all_paths(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 2);
  for (int round = 0; round < N_RANDOM; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r);
    all_paths all = enumerate(&l);
    double sum = 0.0, total, ends = 0.0;
    for (size_t i = 0; i < all.n; i++) sum += exp(-all.p[i].total);
    double *const arcs = sn_calloc((size_t)l.n_arcs, sizeof *arcs);
    double *const finals = sn_calloc((size_t)l.n_states, sizeof *finals);
    assert_int_equal(sn_lat_posteriors(&l, &scales, arcs, finals, &total, &err),
                     SN_OK);
    /* some hundred additions of doubles: 1e-10 is generous */
    if (all.n > 0) assert_true(fabs(total + log(sum)) < 1e-10);
    for (int32_t s = 0; s < l.n_states; s++) {
      ends += finals[s];
      double in = s == 0 ? 1.0 : 0.0, out = finals[s];
      for (int32_t i = 0; i < l.n_arcs; i++)
        if (l.arcs[i].next == s) in += arcs[i];
      for (uint32_t i = l.states[s].first_arc; i < l.states[s + 1].first_arc;
           i++)
        out += arcs[i];
      if (all.n > 0) assert_true(fabs(in - out) < 1e-10);
    }
    if (all.n > 0) assert_true(fabs(ends - 1.0) < 1e-10);
    sn_free(arcs);
    sn_free(finals);
    sn_free(all.p);
    sn_lat_clear(&l);
  }
}

static void test_pruning_keeps_what_is_within_the_beam(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 3);
  for (int round = 0; round < N_RANDOM; round++) {
    sn_err err = {0};
    const double beam = (double)sn_rng_below(&r, 32) / 4.0;
    sn_lat l = random_lattice(&r), pruned;
    assert_int_equal(sn_lat_prune(&l, &scales, beam, &pruned, &err), SN_OK);
    assert_int_equal(sn_lat_check(&pruned, &err), SN_OK);
    all_paths before = enumerate(&l), after = enumerate(&pruned);
    qsort(before.p, before.n, sizeof *before.p, by_total);
    qsort(after.p, after.n, sizeof *after.p, by_total);
    for (size_t i = 0;
         i < before.n && before.p[i].total <= before.p[0].total + beam; i++) {
      assert_true(i < after.n);
      assert_true(after.p[i].total == before.p[i].total);
    }
    sn_free(before.p);
    sn_free(after.p);
    sn_lat_clear(&l);
    sn_lat_clear(&pruned);
  }
}

/* Each sequence of words within the beam exactly once, at its best cost, with
 * an alignment that raw has for it at that cost. */
static void check_determinised(const sn_lat *l, const sn_lat *det,
                               double beam) {
  all_paths raw = enumerate(l), every = enumerate(l), out = enumerate(det);
  best_of_each(&raw);
  qsort(out.p, out.n, sizeof *out.p, by_total);
  for (size_t i = 0; i < out.n; i++)
    for (size_t k = 0; k < i; k++)
      assert_false(same_words(&out.p[i], &out.p[k]));
  for (size_t i = 0; i < raw.n && raw.p[i].total <= raw.p[0].total + beam;
       i++) {
    const path *found = NULL;
    for (size_t k = 0; k < out.n && found == NULL; k++)
      if (same_words(&out.p[k], &raw.p[i])) found = &out.p[k];
    assert_non_null(found);
    assert_true(found->total == raw.p[i].total);
    bool aligned = false;
    for (size_t k = 0; k < every.n && !aligned; k++)
      aligned = same_words(&every.p[k], found) &&
                every.p[k].graph == found->graph &&
                every.p[k].acoustic == found->acoustic &&
                every.p[k].n_ali == found->n_ali &&
                memcmp(every.p[k].ali, found->ali,
                       found->n_ali * sizeof *found->ali) == 0;
    assert_true(aligned);
  }
  sn_free(raw.p);
  sn_free(every.p);
  sn_free(out.p);
}

static void test_determinised_lattices_have_each_word_sequence_once(
    void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 4);
  for (int round = 0; round < N_RANDOM; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r), det;
    sn_lat_det_stats stats;
    assert_int_equal(
        sn_lat_determinize(&l, &scales, &no_limits, &det, &stats, &err), SN_OK);
    assert_int_equal(sn_lat_check(&det, &err), SN_OK);
    assert_true(sn_lat_is_deterministic(&det));
    assert_true(stats.beam == no_limits.beam);
    check_determinised(&l, &det, 1e9);
    sn_lat_clear(&det);
    sn_lat_det_opts narrow = no_limits;
    narrow.beam = (double)sn_rng_below(&r, 40) / 8.0;
    assert_int_equal(
        sn_lat_determinize(&l, &scales, &narrow, &det, &stats, &err), SN_OK);
    check_determinised(&l, &det, narrow.beam);
    sn_lat_clear(&det);
    sn_lat_clear(&l);
  }
}

static void test_a_work_limit_narrows_the_beam_and_says_so(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 5);
  int narrowed = 0;
  for (int round = 0; round < N_RANDOM; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r), det;
    sn_lat_det_stats stats;
    sn_lat_det_opts few = no_limits;
    few.max_arcs = 1 + (int32_t)sn_rng_below(&r, 12);
    assert_int_equal(sn_lat_determinize(&l, &scales, &few, &det, &stats, &err),
                     SN_OK);
    assert_true(det.n_arcs <= few.max_arcs);
    if (stats.beam < few.beam) {
      narrowed++;
      /* What is said to be complete is; at the border there may be ties. */
      check_determinised(&l, &det, stats.beam - 1e-6);
    }
    sn_lat_clear(&det);
    sn_lat_clear(&l);
  }
  assert_true(narrowed > N_RANDOM / 10);
}

static void test_each_failed_allocation_is_reported(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 6);
  sn_lat l = random_lattice(&r);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_lat det = {0};
    sn_mem_fail_after(k);
    const sn_status s =
        sn_lat_determinize(&l, &scales, &no_limits, &det, NULL, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (s == SN_OK) sn_lat_clear(&det);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
    assert_int_equal(s, SN_ENOMEM);
  }
  sn_lat_clear(&l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_best_and_n_best_are_the_least_of_all_paths),
      cmocka_unit_test(test_posteriors_are_shares_of_all_paths),
      cmocka_unit_test(test_pruning_keeps_what_is_within_the_beam),
      cmocka_unit_test(test_determinised_lattices_have_each_word_sequence_once),
      cmocka_unit_test(test_a_work_limit_narrows_the_beam_and_says_so),
      cmocka_unit_test(test_each_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
