/* SPDX-License-Identifier: Apache-2.0 */
/* The state-level lattice out of the links behind the search. */
#include <math.h>
#include <string.h>

#include "decoder/links_internal.h"

/* Extras of layer f - 1 by the links into layer f. */
static void relax_arcs(const sni_links *x, size_t f, const float *extra,
                       float *before) {
  const float *const cost = x->cost.data + sni_first_node(x, f);
  for (size_t i = sni_first_link(x, f); i < sni_first_eps(x, f); i++) {
    const sni_link *const l = &x->links.data[i];
    const float e = l->cost - (cost[l->to] - extra[l->to]);
    if (e < before[l->from]) before[l->from] = e;
  }
}

/* Extras of the nodes of the layer where the lattice ends. */
static void last_extras(const sni_links *x, size_t last,
                        const sni_links_finish *f, float *extra) {
  const size_t a = sni_first_node(x, last), n = sni_first_node(x, last + 1) - a;
  float best = INFINITY;
  if (f->front > 0) {
    for (size_t i = 0; i < n; i++)
      if (x->front_end.data[i] >= 0) extra[a + i] = x->extra.data[a + i];
    return;
  }
  for (size_t i = 0; i < n; i++) {
    const float total = x->cost.data[a + i] + f->final_costs[i];
    if (total < best) best = total;
  }
  for (size_t i = 0; best < INFINITY && i < n; i++)
    extra[a + i] = x->cost.data[a + i] + f->final_costs[i] - best;
}

/* Extras of all nodes up to layer `last` with the costs of ending there; others
 * have none. */
static void final_extras(const sni_links *x, size_t last,
                         const sni_links_finish *f, float *extra) {
  for (size_t i = 0; i < x->cost.n; i++) extra[i] = INFINITY;
  last_extras(x, last, f, extra);
  for (size_t k = last + 1; k-- > 0;) {
    float *const here = extra + sni_first_node(x, k);
    if (k < last) relax_arcs(x, k + 1, extra + sni_first_node(x, k + 1), here);
    /* Epsilon arcs of a front lie behind it. */
    if (k < last || f->front == 0) sni_relax_epsilons(x, k, here);
  }
}

/* States of the lattice for nodes, and where they go. */
typedef struct drawing {
  const float *extra;    /* [nodes] */
  const int32_t *states; /* [nodes] -1: none */
  const int32_t *mark_of;
  sn_lat_builder *b;
} drawing;

/* A link as the lattice has it. */
typedef struct part {
  int32_t from, to; /* states of the lattice */
  int32_t ali;      /* -1: epsilon */
  int32_t output;
  float graph, acoustic;
} part;

static sn_status add_part(const drawing *d, const part *p, sn_err *err) {
  const bool is_eps = p->ali < 0;
  const bool enters = !is_eps && p->ali % 2 == 0;
  const int32_t mark =
      enters && d->mark_of != NULL ? d->mark_of[p->ali / 2] : 0;
  int32_t word = p->output, from = p->from;
  if (mark > 0 && word > 0) { /* one after the other */
    int32_t between = 0;
    SN_TRY(sn_lat_builder_state(d->b, &between, err));
    SN_TRY(sn_lat_builder_arc(d->b, from, between, word, 0.0f, 0.0f, NULL, 0,
                              err));
    from = between;
    word = mark;
  } else if (mark > 0) {
    word = mark;
  }
  return sn_lat_builder_arc(d->b, from, p->to, word, p->graph, p->acoustic,
                            &p->ali, is_eps ? 0 : 1, err);
}

/* Link i, which is of layer k, as the graph has it. */
static part part_of(const sni_links *x, size_t k, size_t i, const drawing *d) {
  const sn_graph *const g = x->graph;
  const sni_link *const l = &x->links.data[i];
  const size_t here = sni_first_node(x, k), to = here + (size_t)l->to;
  part p = {.to = d->states[to]};
  if (i >= sni_first_eps(x, k)) {
    p.from = d->states[here + (size_t)l->from];
    p.ali = -1;
    p.output = g->eps[l->arc].output;
    p.graph = g->eps[l->arc].cost;
    return p;
  }
  const int32_t label = x->label.data[to];
  p.from = d->states[sni_first_node(x, k - 1) + (size_t)l->from];
  p.acoustic = x->acoustic.data[to];
  p.ali = 2 * label + (l->arc == SNI_LOOP);
  if (l->arc == SNI_LOOP) {
    p.graph = g->labels[label].loop_cost;
  } else {
    p.output = g->emit[l->arc].output;
    p.graph = g->emit[l->arc].cost;
  }
  return p;
}

/* Links of layer k before `end`. */
static sn_status add_layer(const sni_links *x, size_t k, size_t end,
                           const drawing *d, sn_err *err) {
  const float *const cost = x->cost.data + sni_first_node(x, k);
  const float *const extra = d->extra + sni_first_node(x, k);
  for (size_t i = sni_first_link(x, k); i < end; i++) {
    const sni_link *const l = &x->links.data[i];
    if (!(l->cost - (cost[l->to] - extra[l->to]) <= x->beam)) continue;
    const part p = part_of(x, k, i, d);
    if (p.from < 0 || p.to < 0) continue;
    /* A loop that says nothing only adds to the cost. */
    if (p.ali < 0 && p.from == p.to && p.output == 0) continue;
    SN_TRY(add_part(d, &p, err));
  }
  return SN_OK;
}

/* The states of `head`, whose first one becomes *start, with its arcs; those
 * that end it lead on to the nodes of layer 0. */
static sn_status add_head(const sni_links *x, const sni_links_finish *f,
                          const drawing *d, int32_t *start, sn_err *err) {
  const sn_lat *const h = f->head;
  for (int32_t i = 0; i < h->n_states; i++) {
    int32_t id = 0;
    SN_TRY(sn_lat_builder_state(d->b, &id, err));
    if (i == 0) *start = id;
  }
  for (int32_t i = 0; i < h->n_states; i++)
    for (uint32_t k = h->states[i].first_arc; k < h->states[i + 1].first_arc;
         k++) {
      const sn_lat_arc *const a = &h->arcs[k];
      int32_t word = a->word, to = *start + a->next;
      if (word >= f->first_end) {
        to = -1;
        for (size_t n = 0; n < x->end_of.n; n++)
          if (x->end_of.data[n] == word - f->first_end) to = d->states[n];
        word = 0;
      }
      if (to >= 0)
        SN_TRY(sn_lat_builder_arc(d->b, *start + i, to, word, a->graph,
                                  a->acoustic, h->ali + a->first_ali, a->n_ali,
                                  err));
    }
  return SN_OK;
}

/* The ends at a front. */
static sn_status add_ends(const sni_links *x, const sni_links_finish *f,
                          const drawing *d, sn_err *err) {
  const size_t a = sni_first_node(x, f->front), n = x->front_end.n;
  float least = INFINITY;
  for (size_t i = 0; i < n; i++)
    if (d->states[a + i] >= 0 && x->cost.data[a + i] < least)
      least = x->cost.data[a + i];
  for (size_t i = 0; i < n; i++) {
    int32_t end = 0;
    if (d->states[a + i] < 0) continue;
    SN_TRY(sn_lat_builder_state(d->b, &end, err));
    SN_TRY(sn_lat_builder_arc(d->b, d->states[a + i], end,
                              f->first_end + x->front_end.data[i], 0.0f, 0.0f,
                              NULL, 0, err));
    SN_TRY(sn_lat_builder_final(
        d->b, end, x->extra.data[a + i] - (x->cost.data[a + i] - least), 0.0f,
        NULL, 0, err));
  }
  return SN_OK;
}

static sn_status build(const sni_links *x, const sni_links_finish *f,
                       float *extra, int32_t *states, sn_lat_builder *b,
                       sn_lat *out, sn_err *err) {
  const size_t last = f->front > 0 ? f->front : x->layers.n - 1;
  const size_t a = sni_first_node(x, last);
  const drawing d = {extra, states, f->mark_of, b};
  int32_t start = -1;
  final_extras(x, last, f, extra);
  for (size_t i = 0; i < x->cost.n; i++) {
    states[i] = -1;
    if (extra[i] <= x->beam) SN_TRY(sn_lat_builder_state(b, &states[i], err));
  }
  if (x->has_head)
    SN_TRY(add_head(x, f, &d, &start, err));
  else if (sni_first_node(x, 1) > x->start)
    start = states[x->start];
  if (start < 0) return SN_OK;
  for (size_t k = 0; k < last; k++)
    SN_TRY(add_layer(x, k, sni_first_link(x, k + 1), &d, err));
  SN_TRY(add_layer(
      x, last,
      f->front > 0 ? sni_first_eps(x, last) : sni_first_link(x, last + 1), &d,
      err));
  if (f->front > 0)
    SN_TRY(add_ends(x, f, &d, err));
  else
    for (size_t i = a; i < x->cost.n; i++)
      if (states[i] >= 0 && f->final_costs[i - a] < INFINITY)
        SN_TRY(sn_lat_builder_final(b, states[i], f->final_costs[i - a], 0.0f,
                                    NULL, 0, err));
  return sn_lat_builder_take(b, start, out, err);
}

sn_status sni_links_lattice(sni_links *x, const sni_links_finish *f,
                            sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  if (x->layers.n == 0) return SN_OK;
  if (x->builder == NULL) SN_TRY(sn_lat_builder_create(&x->builder, err));
  SN_TRY(SN_ARR_RESIZE(&x->end_extras, x->cost.n, err));
  SN_TRY(SN_ARR_RESIZE(&x->states, x->cost.n, err));
  if (f->front > 0) {
    SN_TRY(SN_ARR_RESIZE(
        &x->front_end,
        sni_first_node(x, f->front + 1) - sni_first_node(x, f->front), err));
    (void)sni_number_front(x, f->front, x->front_end.data);
  }
  sn_lat_builder_reset(x->builder);
  return build(x, f, x->end_extras.data, x->states.data, x->builder, out, err);
}
