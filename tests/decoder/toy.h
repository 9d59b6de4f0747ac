/* SPDX-License-Identifier: Apache-2.0 */
/* tests/decoder/toy.h - small graphs made by hand or at random, and a scorer
 * that plays back a matrix. */
#ifndef SN_TESTS_DECODER_TOY_H
#define SN_TESTS_DECODER_TOY_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/scorer.h"
#include "graphs/graph.h"

enum { TOY_MAX_STATES = 64, TOY_MAX_ARCS = 512, TOY_MAX_LABELS = 64 };

/* Arcs are added in any order with a source state; toy_finish sorts them. */
typedef struct toy {
  sn_graph g;
  sn_graph_state states[TOY_MAX_STATES + 1];
  sn_graph_arc emit[TOY_MAX_ARCS], eps[TOY_MAX_ARCS];
  int emit_from[TOY_MAX_ARCS], eps_from[TOY_MAX_ARCS];
  sn_graph_label labels[TOY_MAX_LABELS];
  uint8_t block_ok[1];
} toy;

static void toy_init(toy *t, int n_states, int n_pdfs, int n_words) {
  memset(t, 0, sizeof *t);
  t->g.n_states = n_states;
  t->g.n_pdfs = n_pdfs;
  t->g.n_words = n_words;
  t->g.n_phones = TOY_MAX_LABELS;
  t->g.lm_scale = 1.0;
  t->g.n_blocks = 1;
  t->g.block_shift = 30;
  t->block_ok[0] = 1;
  for (int s = 0; s <= n_states; s++) {
    t->states[s].label = -1;
    t->states[s].final_cost = INFINITY;
  }
}

static int toy_label(toy *t, int pdf, float loop, int phone, int hmm_state,
                     int wordpos, bool filler, bool entry) {
  t->labels[t->g.n_labels] = (sn_graph_label){
      pdf, loop, phone, (uint8_t)hmm_state, (uint8_t)wordpos, filler, entry};
  return t->g.n_labels++;
}

/* label -1: epsilon. output: word + 1. */
static void toy_arc(toy *t, int from, int to, int label, int output,
                    float cost) {
  const sn_graph_arc a = {to, label, output, cost};
  if (label < 0) {
    t->eps_from[t->g.n_eps] = from;
    t->eps[t->g.n_eps++] = a;
  } else {
    t->emit_from[t->g.n_emit] = from;
    t->emit[t->g.n_emit++] = a;
    t->states[to].label = label;
  }
}

static void toy_sort(sn_graph_arc *a, int *from, int64_t n) {
  for (int64_t i = 1; i < n; i++)
    for (int64_t j = i; j > 0 && from[j] < from[j - 1]; j--) {
      const sn_graph_arc x = a[j];
      a[j] = a[j - 1];
      a[j - 1] = x;
      const int f = from[j];
      from[j] = from[j - 1];
      from[j - 1] = f;
    }
}

static const sn_graph *toy_finish(toy *t) {
  toy_sort(t->emit, t->emit_from, t->g.n_emit);
  toy_sort(t->eps, t->eps_from, t->g.n_eps);
  int64_t e = 0, p = 0;
  for (int s = 0; s <= t->g.n_states; s++) {
    while (e < t->g.n_emit && t->emit_from[e] < s) e++;
    while (p < t->g.n_eps && t->eps_from[p] < s) p++;
    t->states[s].first_emit = (uint32_t)e;
    t->states[s].first_eps = (uint32_t)p;
  }
  t->g.states = t->states;
  t->g.emit = t->emit;
  t->g.eps = t->eps;
  t->g.labels = t->labels;
  t->g.block_ok = t->block_ok;
  return &t->g;
}

static float toy_uniform(sn_rng *r, double lo, double hi) {
  return (float)(lo + (hi - lo) * sn_rng_uniform(r));
}

/* Random states, labels, arcs. Each label has a pdf of its own: with shared
 * ones, paths that visit a cycle in another order would tie exactly. Epsilon
 * arcs either have costs >= 0 and go anywhere, or any cost and go to higher
 * states only. */
static const sn_graph *toy_random(toy *t, sn_rng *r) {
  const int n = 2 + (int)sn_rng_below(r, 14);
  toy_init(t, n, n, 5);
  int label[TOY_MAX_STATES];
  for (int s = 0; s < n; s++) {
    label[s] = sn_rng_below(r, 5) == 0 ? -1 : t->g.n_labels;
    if (label[s] >= 0)
      (void)toy_label(
          t, (int)sn_rng_below(r, (uint32_t)t->g.n_pdfs),
          sn_rng_below(r, 4) == 0 ? INFINITY : toy_uniform(r, -0.5, 2),
          t->g.n_labels, (int)sn_rng_below(r, 3), (int)sn_rng_below(r, 4),
          sn_rng_below(r, 5) == 0, sn_rng_below(r, 2) == 0);
    if (sn_rng_below(r, 3) == 0)
      t->states[s].final_cost = toy_uniform(r, -1, 4);
  }
  const int n_arcs = (int)sn_rng_below(r, (uint32_t)(4 * n));
  for (int i = 0; i < n_arcs; i++) {
    const int to = (int)sn_rng_below(r, (uint32_t)n);
    if (label[to] < 0) continue;
    const int out = sn_rng_below(r, 3) == 0 ? 1 + (int)sn_rng_below(r, 5) : 0;
    toy_arc(t, (int)sn_rng_below(r, (uint32_t)n), to, label[to], out,
            toy_uniform(r, -1, 4));
  }
  const bool acyclic = sn_rng_below(r, 2) == 0;
  const int n_eps = (int)sn_rng_below(r, (uint32_t)(2 * n));
  for (int i = 0; i < n_eps; i++) {
    int from = (int)sn_rng_below(r, (uint32_t)n);
    int to = (int)sn_rng_below(r, (uint32_t)n);
    if (acyclic && from == to) continue;
    if (acyclic && from > to) {
      const int x = from;
      from = to;
      to = x;
    }
    const int out = sn_rng_below(r, 3) == 0 ? 1 + (int)sn_rng_below(r, 5) : 0;
    toy_arc(t, from, to, -1, out,
            acyclic ? toy_uniform(r, -2, 2) : toy_uniform(r, 0, 2));
  }
  t->g.start = (int)sn_rng_below(r, (uint32_t)n);
  return toy_finish(t);
}

/* Plays rows of a matrix; frame t lasts from 10 t to 10 t + 10 ms, except that
 * `gap_at` and later frames come `gap_s` later. */
typedef struct toy_scorer {
  sn_scorer base;
  const float *rows;
  int64_t n_ready, n_rows; /* rows are used again from the first one on */
  int64_t gap_at;
  double gap_s;
} toy_scorer;

static int64_t toy_ready(const sn_scorer *s) {
  return ((const toy_scorer *)(const void *)s)->n_ready;
}
static bool toy_finished(const sn_scorer *s) {
  (void)s;
  return true;
}
static sn_status toy_scores(sn_scorer *s, int64_t t, const float **row,
                            sn_err *err) {
  (void)err;
  const toy_scorer *x = (const toy_scorer *)(void *)s;
  *row = x->rows + (size_t)(t % x->n_rows) * (size_t)s->n_pdfs;
  return SN_OK;
}
static void toy_time(const sn_scorer *s, int64_t t, double *begin_s,
                     double *end_s) {
  const toy_scorer *x = (const toy_scorer *)(const void *)s;
  *begin_s = 0.01 * (double)t + (t >= x->gap_at ? x->gap_s : 0.0);
  *end_s = *begin_s + 0.01;
}
static void toy_destroy(sn_scorer *s) { (void)s; }

static toy_scorer toy_scorer_make(const float *rows, int64_t n_rows,
                                  int32_t n_pdfs) {
  static const sn_scorer_ops ops = {toy_ready, toy_finished, toy_scores,
                                    toy_time, toy_destroy};
  const toy_scorer s = {{&ops, n_pdfs}, rows, n_rows, n_rows, INT64_MAX, 0.0};
  return s;
}
#endif
