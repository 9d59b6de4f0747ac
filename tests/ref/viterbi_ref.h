/* SPDX-License-Identifier: Apache-2.0 */
/* tests/ref/viterbi_ref.h - exhaustive best path through a small graph: every
 * state at every frame, double precision, no pruning, full back pointers. */
#ifndef SN_TESTS_REF_VITERBI_REF_H
#define SN_TESTS_REF_VITERBI_REF_H
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "graphs/graph.h"

enum { REF_MAX_STATES = 64, REF_MAX_FRAMES = 64, REF_MAX_EVENTS = 1024 };

/* One arc of the best path, in order; loops are left out. */
typedef struct ref_event {
  int frame;  /* the frame that it consumes; epsilon: the next one */
  int label;  /* -1: epsilon arc */
  int output; /* word + 1 or 0 */
} ref_event;

typedef struct ref_path {
  bool found, reached_final;
  bool tied;          /* another path costs the same (to 1e-4) */
  double cost, graph; /* graph cost alone; cost has scaled acoustics too */
  int n_events;
  ref_event events[REF_MAX_EVENTS];
} ref_path;

typedef struct ref_cell {
  double cost, graph;
  int from;      /* state; -1: the beginning, or nothing */
  bool tied;     /* some other way here costs the same */
  int kind;      /* 0: as the emission left it, 1: epsilon, 2: arc, 3: loop */
  ref_event arc; /* kinds 1 and 2 */
  uint32_t eps;  /* kind 1: index of the arc */
} ref_cell;

typedef ref_cell ref_layer[REF_MAX_STATES];

/* Costs this close may be the other way round in floats. A tie with a cost that
 * is beaten later stays noted: that is only too careful. */
static void ref_tie(ref_cell *c, double cost) {
  if (!isinf(cost) && fabs(cost - c->cost) < 1e-4) c->tied = true;
}

static void ref_close(const sn_graph *g, ref_cell *c, int t) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (int s = 0; s < g->n_states; s++)
      for (uint32_t a = g->states[s].first_eps; a < g->states[s + 1].first_eps;
           a++) {
        const sn_graph_arc *arc = &g->eps[a];
        const double cost = c[s].cost + (double)arc->cost;
        if (c[arc->next].kind != 1 || c[arc->next].eps != a)
          ref_tie(&c[arc->next], cost);
        if (!(cost < c[arc->next].cost)) continue;
        c[arc->next].cost = cost;
        c[arc->next].graph = c[s].graph + (double)arc->cost;
        c[arc->next].from = s;
        c[arc->next].kind = 1;
        c[arc->next].eps = a;
        c[arc->next].arc = (ref_event){t, -1, arc->output};
        changed = true;
      }
  }
}

static void ref_emit(const sn_graph *g, const float *loglik, double scale,
                     const ref_cell *c, ref_cell *n, int t) {
  for (int s = 0; s < g->n_states; s++) n[s].cost = INFINITY, n[s].from = -1;
  for (int s = 0; s < g->n_states; s++) {
    if (isinf(c[s].cost)) continue;
    const int l = g->states[s].label;
    if (l >= 0) {
      const double graph = (double)g->labels[l].loop_cost;
      const double cost =
          c[s].cost + graph - scale * (double)loglik[g->labels[l].pdf];
      ref_tie(&n[s], cost);
      if (cost < n[s].cost)
        n[s] =
            (ref_cell){cost, c[s].graph + graph, s, n[s].tied, 3, {0, 0, 0}, 0};
    }
    for (uint32_t a = g->states[s].first_emit; a < g->states[s + 1].first_emit;
         a++) {
      const sn_graph_arc *arc = &g->emit[a];
      const double cost = c[s].cost + (double)arc->cost -
                          scale * (double)loglik[g->labels[arc->label].pdf];
      ref_tie(&n[arc->next], cost);
      if (cost < n[arc->next].cost)
        n[arc->next] = (ref_cell){
            cost, c[s].graph + (double)arc->cost, s, n[arc->next].tied,
            2,    {t, arc->label, arc->output},   0};
    }
  }
}

/* loglik: [n_frames x n_pdfs]. */
static void ref_viterbi(const sn_graph *g, const float *loglik, int n_frames,
                        double scale, bool final, ref_path *out) {
  /* Layer 2t is frame t's emission, 2t + 1 its closure; t = 0: the start. */
  ref_layer *const layer = calloc((size_t)(2 * n_frames + 2), sizeof *layer);
  memset(out, 0, sizeof *out);
  for (int s = 0; s < g->n_states; s++)
    layer[0][s].cost = INFINITY, layer[0][s].from = -1;
  layer[0][g->start].cost = 0.0;
  for (int t = 0; t <= n_frames; t++) {
    memcpy(layer[2 * t + 1], layer[2 * t], sizeof *layer);
    for (int s = 0; s < g->n_states; s++) layer[2 * t + 1][s].kind = 0;
    ref_close(g, layer[2 * t + 1], t);
    if (t < n_frames)
      ref_emit(g, loglik + (size_t)t * (size_t)g->n_pdfs, scale,
               layer[2 * t + 1], layer[2 * t + 2], t);
  }
  const ref_cell *last = layer[2 * n_frames + 1];
  int best = -1;
  out->cost = INFINITY;
  for (int pass = final ? 0 : 1; pass < 2 && best < 0; pass++)
    for (int s = 0; s < g->n_states; s++) {
      const double f = pass == 0 ? (double)g->states[s].final_cost : 0.0;
      if (!(last[s].cost + f < out->cost)) continue;
      out->cost = last[s].cost + f;
      out->graph = last[s].graph + f;
      out->reached_final = pass == 0;
      best = s;
    }
  out->found = best >= 0;
  ref_event back[REF_MAX_EVENTS];
  int n = 0, at = 2 * n_frames + 1;
  for (int s = best; s >= 0 && n < REF_MAX_EVENTS;) {
    const ref_cell *c = &layer[at][s];
    out->tied = out->tied || c->tied;
    if (at % 2 == 1 && c->kind == 0) {
      at--;
      continue;
    }
    if (at == 0) break;
    if (c->kind == 1 || c->kind == 2) back[n++] = c->arc;
    s = c->from;
    if (at % 2 == 0) at--;
  }
  out->n_events = n;
  for (int i = 0; i < n; i++) out->events[i] = back[n - 1 - i];
  free(layer);
}
#endif
