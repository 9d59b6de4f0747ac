/* SPDX-License-Identifier: Apache-2.0 */
/* tests/decoder/lat_random.h - small random lattices whose times agree, and the
 * list of all their paths. Costs are multiples of 1/16: sums are exact. */
#ifndef SN_TESTS_LAT_RANDOM_H
#define SN_TESTS_LAT_RANDOM_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "decoder/lattice.h"

#define RANDOM_MAX_WORDS 16
#define RANDOM_MAX_PATHS 20000

typedef struct random_opts {
  int32_t n_states, n_words; /* at most; words 1 .. n_words */
  bool deterministic;        /* else words may repeat, and be missing */
} random_opts;

static inline float random_cost(sn_rng *r, uint32_t limit) {
  return (float)sn_rng_below(r, limit) / 16.0f;
}

static inline sn_lat random_lattice(sn_rng *r, const random_opts *o) {
  sn_lat l;
  sn_lat_builder *b = NULL;
  int32_t id, frame[64] = {0};
  const int32_t n = 2 + (int32_t)sn_rng_below(r, (uint32_t)o->n_states - 1);
  assert_true(n <= 64);
  assert_int_equal(sn_lat_builder_create(&b, NULL), SN_OK);
  for (int32_t s = 0; s < n; s++) {
    assert_int_equal(sn_lat_builder_state(b, &id, NULL), SN_OK);
    if (s > 0) frame[s] = frame[s - 1] + (int32_t)sn_rng_below(r, 4);
  }
  for (int32_t s = 0; s + 1 < n; s++) {
    const uint32_t n_arcs = 1 + sn_rng_below(r, 3);
    const int32_t first = 1 + (int32_t)sn_rng_below(r, (uint32_t)o->n_words);
    for (uint32_t i = 0; i < n_arcs; i++) {
      const int32_t to =
          s + 1 + (int32_t)sn_rng_below(r, (uint32_t)(n - s - 1));
      int32_t word = 1 + (first + (int32_t)i) % o->n_words; /* all differ */
      if (!o->deterministic)
        word = (int32_t)sn_rng_below(r, (uint32_t)o->n_words + 1);
      else if ((int32_t)i >= o->n_words)
        continue;
      int32_t ali[200];
      const int32_t n_ali = frame[to] - frame[s];
      for (int32_t k = 0; k < n_ali; k++) ali[k] = (int32_t)sn_rng_below(r, 3);
      assert_int_equal(
          sn_lat_builder_arc(b, s, to, word, random_cost(r, 64),
                             random_cost(r, 256), ali, (size_t)n_ali, NULL),
          SN_OK);
    }
  }
  int32_t zeros[200] = {0};
  assert_int_equal(
      sn_lat_builder_final(b, n - 1, random_cost(r, 16), random_cost(r, 16),
                           zeros, sn_rng_below(r, 1), NULL),
      SN_OK);
  if (sn_rng_below(r, 2) == 0)
    assert_int_equal(
        sn_lat_builder_final(b, n / 2, random_cost(r, 64), 0.0f, zeros,
                             (size_t)(frame[n - 1] - frame[n / 2]), NULL),
        SN_OK);
  assert_int_equal(sn_lat_builder_take(b, 0, &l, NULL), SN_OK);
  sn_lat_builder_destroy(b);
  assert_int_equal(sn_lat_check(&l, NULL), SN_OK);
  return l;
}

typedef struct random_path {
  int32_t words[RANDOM_MAX_WORDS];
  size_t n;
  double graph, acoustic;
} random_path;

typedef struct random_paths {
  random_path *p;
  size_t n;
} random_paths;

static inline void random_walk(const sn_lat *l, int32_t s, random_path so_far,
                               random_paths *all) {
  const sn_lat_state *const x = &l->states[s];
  if (isfinite(x->final_graph)) {
    random_path p = so_far;
    p.graph += (double)x->final_graph;
    p.acoustic += (double)x->final_acoustic;
    assert_true(all->n < RANDOM_MAX_PATHS);
    all->p[all->n++] = p;
  }
  for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
    const sn_lat_arc *const a = &l->arcs[i];
    random_path p = so_far;
    assert_true(p.n < RANDOM_MAX_WORDS);
    if (a->word != 0) p.words[p.n++] = a->word;
    p.graph += (double)a->graph;
    p.acoustic += (double)a->acoustic;
    random_walk(l, a->next, p, all);
  }
}

/* Freed with sn_free(.p). */
static inline random_paths all_paths(const sn_lat *l) {
  random_paths all = {sn_calloc(RANDOM_MAX_PATHS, sizeof(random_path)), 0};
  const random_path none = {0};
  assert_non_null(all.p);
  if (l->n_states > 0) random_walk(l, 0, none, &all);
  return all;
}

static inline bool same_words(const random_path *a, const random_path *b) {
  return a->n == b->n &&
         memcmp(a->words, b->words, a->n * sizeof *a->words) == 0;
}
#endif
