/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/layout.c - what can be reached, numbered for the search, and written.
 *
 * 1. A walk from the start marks what can be reached and counts how often each
 *    junction is come to.
 * 2. A junction that is come to once, or that has hardly any arcs, is not worth
 *    a state and a step of its own: its arcs are put where it was come from.
 *    Not, however, where two words would then stand on one arc.
 * 3. States are numbered depth first, so that a chain of HMM states is a run of
 *    numbers and lies in one or two cache lines.
 * 4. States, emitting and epsilon arcs are written in three passes that make
 *    them afresh: the whole graph is never in memory in its final form. */
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "graphs/build_internal.h"
#include "graphs/graph_writer.h"

enum { MAX_INLINE_ARCS = 2, BUFFER = 4096 };
enum {
  JUNCTION_SEEN = 1,
  JUNCTION_TWICE = 2,
  JUNCTION_STATE = 4,
  JUNCTION_OUTPUT_IN = 8
};

typedef struct layout {
  sni_build *b;
  const sni_nodes *n;
  size_t n_nodes, n_junctions;
  uint8_t *flags;          /* [n_junctions] JUNCTION_... */
  int32_t *node_state;     /* [n_nodes] -1: not reached */
  int32_t *junction_state; /* [n_junctions] */
  sn_arr_i32 order;        /* by state: node, or ~junction */
  sn_arr_i32 stack;
  SN_ARR(sni_arc) arcs; /* of the state at hand, junctions put in */
  int32_t *label_map;   /* [n labels] */
  SN_ARR(sn_graph_label) labels;
} layout;

typedef struct arc_list {
  const sni_arc *arcs;
  size_t n;
} arc_list;

static arc_list node_arcs(const layout *l, int32_t node) {
  const uint32_t from = l->n->first.data[node];
  return (arc_list){&l->n->arcs.data[from], l->n->first.data[node + 1] - from};
}

static arc_list junction_arcs(const layout *l, int32_t j) {
  const uint32_t from = l->n->junction_first.data[j];
  return (arc_list){&l->n->junction_arcs.data[from],
                    l->n->junction_first.data[j + 1] - from};
}

static arc_list arcs_of(const layout *l, int32_t ref) {
  return ref >= 0 ? node_arcs(l, ref) : junction_arcs(l, ~ref);
}

/* ---- 1 ---- */

static sn_status mark(layout *l, sn_err *err) {
  l->stack.n = 0;
  l->flags[l->b->start] = JUNCTION_SEEN | JUNCTION_TWICE | JUNCTION_STATE;
  SN_TRY(SN_ARR_PUSH(&l->stack, ~l->b->start, err));
  while (l->stack.n > 0) {
    const arc_list a = arcs_of(l, l->stack.data[--l->stack.n]);
    for (size_t i = 0; i < a.n; i++) {
      const int32_t to = a.arcs[i].dest;
      if (to == SNI_FINAL) continue;
      if (to >= 0) {
        if (l->node_state[to] != -1) continue;
        l->node_state[to] = -2;
      } else {
        uint8_t *f = &l->flags[~to];
        if (a.arcs[i].output != 0) *f |= JUNCTION_OUTPUT_IN;
        if ((*f & JUNCTION_SEEN) != 0) {
          *f |= JUNCTION_TWICE;
          continue;
        }
        *f |= JUNCTION_SEEN;
      }
      SN_TRY(SN_ARR_PUSH(&l->stack, to, err));
    }
  }
  return SN_OK;
}

/* ---- 2 ---- */

static bool is_dead(const layout *l, int32_t j) {
  return junction_arcs(l, j).n == 0;
}

static bool is_inlined(const layout *l, int32_t j) {
  return (l->flags[j] & JUNCTION_STATE) == 0;
}

/* Whether an arc of j, or of a junction behind it that may be put into j,
 * writes a word. Back-off chains are as long as the n-gram model's order. */
static bool has_output(const layout *l, int32_t j) {
  const arc_list a = junction_arcs(l, j);
  for (size_t i = 0; i < a.n; i++) {
    if (a.arcs[i].output != 0) return true;
    const int32_t to = a.arcs[i].dest;
    if (to < 0 && to != SNI_FINAL && is_inlined(l, ~to) && has_output(l, ~to))
      return true;
  }
  return false;
}

/* Little enough to stand in several places: at most one emitting arc (more of
 * them are searched once as a state, but once a copy as arcs). */
static bool is_small(const layout *l, int32_t j) {
  const arc_list a = junction_arcs(l, j);
  size_t n_emit = 0;
  for (size_t i = 0; i < a.n; i++) n_emit += a.arcs[i].dest >= 0;
  return a.n <= MAX_INLINE_ARCS && n_emit <= 1;
}

static void choose_states(layout *l) {
  for (size_t j = 0; j < l->n_junctions; j++) {
    uint8_t *f = &l->flags[j];
    if ((*f & JUNCTION_TWICE) != 0 && !is_small(l, (int32_t)j))
      *f |= JUNCTION_STATE;
  }
  for (size_t j = 0; j < l->n_junctions; j++) {
    uint8_t *f = &l->flags[j];
    if ((*f & JUNCTION_OUTPUT_IN) != 0 && (*f & JUNCTION_STATE) == 0 &&
        has_output(l, (int32_t)j))
      *f |= JUNCTION_STATE;
  }
}

static sn_status put(layout *l, arc_list a, int32_t output, int32_t cost,
                     sn_err *err) {
  for (size_t i = 0; i < a.n; i++) {
    sni_arc x = a.arcs[i];
    x.cost += cost;
    if (output != 0) {
      SN_ASSERT(x.output == 0);
      if (x.dest != SNI_FINAL) x.output = output;
    }
    if (x.dest >= 0 || x.dest == SNI_FINAL) {
      SN_TRY(SN_ARR_PUSH(&l->arcs, x, err));
    } else if (is_dead(l, ~x.dest)) {
      continue;
    } else if (is_inlined(l, ~x.dest)) {
      SN_TRY(put(l, junction_arcs(l, ~x.dest), x.output, x.cost, err));
    } else {
      SN_TRY(SN_ARR_PUSH(&l->arcs, x, err));
    }
  }
  return SN_OK;
}

/* The arcs of a state, junctions put in, into l->arcs. */
static sn_status final_arcs(layout *l, int32_t ref, sn_err *err) {
  l->arcs.n = 0;
  return put(l, arcs_of(l, ref), 0, 0, err);
}

/* ---- 3 ---- */

static int32_t *state_of(const layout *l, int32_t ref) {
  return ref >= 0 ? &l->node_state[ref] : &l->junction_state[~ref];
}

static sn_status number(layout *l, sn_err *err) {
  l->stack.n = 0;
  SN_TRY(SN_ARR_PUSH(&l->stack, ~l->b->start, err));
  while (l->stack.n > 0) {
    const int32_t ref = l->stack.data[--l->stack.n];
    int32_t *state = state_of(l, ref);
    if (*state >= 0) continue;
    if (l->order.n >= INT32_MAX - 1)
      return sn_fail(err, SN_ELIMIT,
                     "the search graph has more than 2^31 states; prune the "
                     "language model (senone lm prune)");
    *state = (int32_t)l->order.n;
    SN_TRY(SN_ARR_PUSH(&l->order, ref, err));
    SN_TRY(final_arcs(l, ref, err));
    for (size_t i = l->arcs.n; i-- > 0;) {
      const int32_t to = l->arcs.data[i].dest;
      if (to != SNI_FINAL && *state_of(l, to) < 0)
        SN_TRY(SN_ARR_PUSH(&l->stack, to, err));
    }
  }
  return SN_OK;
}

/* Labels that are used, in the order of their numbers. */
static sn_status number_labels(layout *l, sn_err *err) {
  const sni_units *u = &l->b->units;
  for (size_t i = 0; i < u->labels.n; i++) l->label_map[i] = -1;
  for (size_t i = 0; i < l->order.n; i++)
    if (l->order.data[i] >= 0)
      l->label_map[l->n->labels.data[l->order.data[i]]] = 0;
  for (size_t i = 0; i < u->labels.n; i++) {
    if (l->label_map[i] < 0) continue;
    l->label_map[i] = (int32_t)l->labels.n;
    SN_TRY(SN_ARR_PUSH(&l->labels, u->labels.data[i], err));
  }
  return SN_OK;
}

/* ---- 4 ---- */

static float nats(int32_t cost) { return (float)((double)cost / SNI_COST_ONE); }

static int32_t label_of(const layout *l, int32_t ref) {
  return ref >= 0 ? l->label_map[l->n->labels.data[ref]] : -1;
}

static sn_status write_states(layout *l, sn_graph_writer *w,
                              sn_graph_stats *stats, sn_err *err) {
  sn_graph_state buffer[BUFFER / 16];
  size_t n = 0;
  uint64_t n_emit = 0, n_eps = 0;
  for (size_t s = 0; s <= l->order.n; s++) {
    sn_graph_state x = {(uint32_t)n_emit, (uint32_t)n_eps, -1, INFINITY};
    if (n_emit > UINT32_MAX || n_eps > UINT32_MAX)
      return sn_fail(err, SN_ELIMIT,
                     "the search graph has more than 2^32 arcs; prune the "
                     "language model (senone lm prune)");
    if (s < l->order.n) {
      const int32_t ref = l->order.data[s];
      x.label = label_of(l, ref);
      SN_TRY(final_arcs(l, ref, err));
      for (size_t i = 0; i < l->arcs.n; i++) {
        const sni_arc *a = &l->arcs.data[i];
        if (a->dest == SNI_FINAL)
          x.final_cost = fminf(x.final_cost, nats(a->cost));
        else if (a->dest >= 0)
          n_emit++;
        else
          n_eps++;
      }
    }
    buffer[n++] = x;
    if (n == BUFFER / 16 || s == l->order.n) {
      SN_TRY(sn_graph_writer_states(w, buffer, n, err));
      n = 0;
    }
  }
  stats->n_emit = (int64_t)n_emit;
  stats->n_eps = (int64_t)n_eps;
  return SN_OK;
}

static sn_status write_arcs(layout *l, sn_graph_writer *w, bool emitting,
                            sn_err *err) {
  sn_graph_arc buffer[BUFFER / 16];
  size_t n = 0;
  for (size_t s = 0; s < l->order.n; s++) {
    SN_TRY(final_arcs(l, l->order.data[s], err));
    for (size_t i = 0; i < l->arcs.n; i++) {
      const sni_arc *a = &l->arcs.data[i];
      if (a->dest == SNI_FINAL || (a->dest >= 0) != emitting) continue;
      buffer[n++] = (sn_graph_arc){*state_of(l, a->dest), label_of(l, a->dest),
                                   a->output, nats(a->cost)};
      if (n == BUFFER / 16) {
        SN_TRY(emitting ? sn_graph_writer_emit(w, buffer, n, err)
                        : sn_graph_writer_eps(w, buffer, n, err));
        n = 0;
      }
    }
  }
  if (n == 0) return SN_OK;
  return emitting ? sn_graph_writer_emit(w, buffer, n, err)
                  : sn_graph_writer_eps(w, buffer, n, err);
}

static sn_status write(layout *l, const char *const *meta, size_t n_meta,
                       const char *path, sn_graph_stats *stats, sn_err *err) {
  const sni_hmms *h = l->b->hmms;
  const sn_symtab *words = l->b->g->words;
  sn_status s = SN_OK;
  sn_graph_writer *w = NULL;
  const int32_t n_words = sn_symtab_n(words);
  const char **names =
      sn_calloc((size_t)n_words + (size_t)h->n_phones, sizeof *names);
  if (names == NULL) return sn_fail_nomem(err, "words of the graph");
  const char **phones = names + n_words;
  for (int32_t i = 0; i < n_words; i++) names[i] = sn_symtab_get(words, i);
  for (int32_t i = 0; i < h->n_phones; i++) phones[i] = h->phone(h->user, i);
  const sn_graph_parts parts = {.labels = l->labels.data,
                                .n_states = (int32_t)l->order.n,
                                .n_labels = (int32_t)l->labels.n,
                                .n_words = n_words,
                                .n_phones = h->n_phones,
                                .n_pdfs = h->n_pdfs,
                                .start = 0,
                                .lm_scale = l->b->scale,
                                .words = names,
                                .phones = phones,
                                .meta = meta,
                                .n_meta = n_meta};
  SN_TRY_GOTO(s, sn_graph_writer_create(&parts, path, &w, err));
  SN_TRY_GOTO(s, write_states(l, w, stats, err));
  SN_TRY_GOTO(s, write_arcs(l, w, true, err));
  SN_TRY_GOTO(s, write_arcs(l, w, false, err));
  SN_TRY_GOTO(s, sn_graph_writer_commit(w, err));
  stats->n_states = parts.n_states;
  stats->n_labels = parts.n_labels;
fail:
  sn_graph_writer_destroy(w);
  sn_free(names);
  return s;
}

static sn_status alloc(layout *l, sn_err *err) {
  l->n_nodes = l->n->labels.n;
  l->n_junctions = l->n->junction_first.n - 1;
  l->flags = sn_calloc(l->n_junctions, 1);
  l->node_state = sn_calloc(l->n_nodes, sizeof *l->node_state);
  l->junction_state = sn_calloc(l->n_junctions, sizeof *l->junction_state);
  l->label_map = sn_calloc(l->b->units.labels.n, sizeof *l->label_map);
  if (l->flags == NULL || l->node_state == NULL || l->junction_state == NULL ||
      l->label_map == NULL)
    return sn_fail_nomem(err, "order of the graph's states");
  memset(l->node_state, -1, l->n_nodes * sizeof *l->node_state);
  memset(l->junction_state, -1, l->n_junctions * sizeof *l->junction_state);
  return SN_OK;
}

sn_status sni_layout(sni_build *b, const char *const *meta, size_t n_meta,
                     const char *path, sn_graph_stats *stats, sn_err *err) {
  layout l = {.b = b, .n = &b->nodes};
  sn_status s = SN_OK;
  SN_TRY_GOTO(s, alloc(&l, err));
  SN_TRY_GOTO(s, mark(&l, err));
  choose_states(&l);
  SN_TRY_GOTO(s, number(&l, err));
  SN_TRY_GOTO(s, number_labels(&l, err));
  sn_info(b->log, "writing %s: %zu states", path, l.order.n);
  SN_TRY_GOTO(s, write(&l, meta, n_meta, path, stats, err));
fail:
  sn_free(l.flags);
  sn_free(l.node_state);
  sn_free(l.junction_state);
  sn_free(l.label_map);
  SN_ARR_FREE(&l.order);
  SN_ARR_FREE(&l.stack);
  SN_ARR_FREE(&l.arcs);
  SN_ARR_FREE(&l.labels);
  return s;
}
