/* SPDX-License-Identifier: Apache-2.0 */
/* Lattices in memory, and the builder that sorts and trims them.
 *
 * Expected sizes: 20 to 2,000 states and a few times as many arcs for an
 * utterance; a hundred times that for an hour of audio. Everything here is
 * linear in states + arcs + alignment.
 *
 * Topological order by depth-first search (Cormen et al., 22.4): states are
 * numbered in reverse order of finishing. The stack is explicit: a lattice of
 * an hour is 100,000 states deep. */
#include "decoder/lattice.h"

#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"

void sn_lat_clear(sn_lat *l) {
  sn_free(l->states);
  sn_free(l->arcs);
  sn_free(l->ali);
  memset(l, 0, sizeof *l);
}

/* Storage of a lattice; at least one element each, so that no pointer is NULL
 * in a lattice that was made. */
static sn_status allocate(sn_lat *l, int32_t n_states, int32_t n_arcs,
                          uint32_t n_ali, sn_err *err) {
  memset(l, 0, sizeof *l);
  l->states = sn_calloc((size_t)n_states + 1, sizeof *l->states);
  l->arcs = sn_calloc((size_t)n_arcs, sizeof *l->arcs);
  l->ali = sn_calloc(n_ali, sizeof *l->ali);
  if (!l->states || !l->arcs || !l->ali) {
    sn_lat_clear(l);
    return sn_fail_nomem(err, "lattice");
  }
  l->n_states = n_states;
  l->n_arcs = n_arcs;
  l->n_ali = n_ali;
  return SN_OK;
}

sn_status sn_lat_copy(const sn_lat *from, sn_lat *to, sn_err *err) {
  memset(to, 0, sizeof *to);
  if (from->n_states == 0) return SN_OK;
  SN_TRY(allocate(to, from->n_states, from->n_arcs, from->n_ali, err));
  memcpy(to->states, from->states,
         ((size_t)from->n_states + 1) * sizeof *to->states);
  memcpy(to->arcs, from->arcs, (size_t)from->n_arcs * sizeof *to->arcs);
  memcpy(to->ali, from->ali, from->n_ali * sizeof *to->ali);
  return SN_OK;
}

/* ---- Builder ---- */

typedef struct b_arc {
  int32_t from, to, word;
  float graph, acoustic;
  uint32_t first_ali, n_ali;
} b_arc;

typedef struct b_state {
  float final_graph, final_acoustic; /* +INFINITY: not final */
  uint32_t first_ali, n_ali;
} b_state;

/* Arcs by source (a counting sort, so the order of addition stays), and the
 * depth-first search through them. */
typedef struct order {
  sn_arr_i32 first;     /* [n_states + 1] in `arcs` */
  sn_arr_i32 arcs;      /* [n_arcs] */
  sn_arr_i32 number;    /* [n_states] new number, -1: dropped */
  sn_arr_i32 stack;     /* [n_states] */
  sn_arr_i32 next_arc;  /* [n_states] */
  SN_ARR(uint8_t) mark; /* [n_states] */
  sn_arr_i32 finished;  /* in order of finishing */
} order;

struct sn_lat_builder {
  SN_ARR(b_state) states;
  SN_ARR(b_arc) arcs;
  sn_arr_i32 ali;
  order order;
};

sn_status sn_lat_builder_create(sn_lat_builder **out, sn_err *err) {
  *out = sn_calloc(1, sizeof **out);
  return *out != NULL ? SN_OK : sn_fail_nomem(err, "lattice builder");
}

void sn_lat_builder_destroy(sn_lat_builder *b) {
  if (b == NULL) return;
  SN_ARR_FREE(&b->states);
  SN_ARR_FREE(&b->arcs);
  SN_ARR_FREE(&b->ali);
  SN_ARR_FREE(&b->order.first);
  SN_ARR_FREE(&b->order.arcs);
  SN_ARR_FREE(&b->order.number);
  SN_ARR_FREE(&b->order.stack);
  SN_ARR_FREE(&b->order.next_arc);
  SN_ARR_FREE(&b->order.mark);
  SN_ARR_FREE(&b->order.finished);
  sn_free(b);
}

void sn_lat_builder_reset(sn_lat_builder *b) {
  b->states.n = b->arcs.n = b->ali.n = 0;
}

size_t sn_lat_builder_bytes(const sn_lat_builder *b) {
  const order *const o = &b->order;
  return sizeof *b + b->states.cap * sizeof(b_state) +
         b->arcs.cap * sizeof(b_arc) + o->mark.cap +
         (b->ali.cap + o->first.cap + o->arcs.cap + o->number.cap +
          o->stack.cap + o->next_arc.cap + o->finished.cap) *
             sizeof(int32_t);
}

sn_status sn_lat_builder_state(sn_lat_builder *b, int32_t *id, sn_err *err) {
  if (b->states.n >= INT32_MAX)
    return sn_fail(err, SN_ELIMIT, "lattice: more than %d states", INT32_MAX);
  const b_state state = {INFINITY, INFINITY, 0, 0};
  SN_TRY(SN_ARR_PUSH(&b->states, state, err));
  *id = (int32_t)(b->states.n - 1);
  return SN_OK;
}

static sn_status add_ali(sn_lat_builder *b, const int32_t *ali, size_t n,
                         uint32_t *first, sn_err *err) {
  if (n > UINT32_MAX - b->ali.n)
    return sn_fail(err, SN_ELIMIT, "lattice: alignments of more than %u frames",
                   UINT32_MAX);
  *first = (uint32_t)b->ali.n;
  if (n == 0) return SN_OK;
  SN_TRY(SN_ARR_RESERVE(&b->ali, b->ali.n + n, err));
  memcpy(b->ali.data + b->ali.n, ali, n * sizeof *ali);
  b->ali.n += n;
  return SN_OK;
}

static bool has_state(const sn_lat_builder *b, int32_t s) {
  return s >= 0 && (size_t)s < b->states.n;
}

/* NaN and -infinity are in no lattice. */
static bool is_cost(float x) { return x > -INFINITY; }

sn_status sn_lat_builder_arc(sn_lat_builder *b, int32_t from, int32_t to,
                             int32_t word, float graph, float acoustic,
                             const int32_t *ali, size_t n_ali, sn_err *err) {
  if (!has_state(b, from) || !has_state(b, to) || word < 0 || !is_cost(graph) ||
      !is_cost(acoustic))
    return sn_fail(err, SN_EARG,
                   "lattice: arc %d -> %d of %zu states, word %d, costs %g, %g",
                   from, to, b->states.n, word, (double)graph,
                   (double)acoustic);
  if (isinf(graph) || isinf(acoustic)) return SN_OK;
  if (b->arcs.n >= INT32_MAX)
    return sn_fail(err, SN_ELIMIT, "lattice: more than %d arcs", INT32_MAX);
  b_arc arc = {from, to, word, graph, acoustic, 0, (uint32_t)n_ali};
  SN_TRY(SN_ARR_RESERVE(&b->arcs, b->arcs.n + 1, err));
  SN_TRY(add_ali(b, ali, n_ali, &arc.first_ali, err));
  return SN_ARR_PUSH(&b->arcs, arc, err);
}

sn_status sn_lat_builder_final(sn_lat_builder *b, int32_t state, float graph,
                               float acoustic, const int32_t *ali, size_t n_ali,
                               sn_err *err) {
  if (!has_state(b, state) || !is_cost(graph) || !is_cost(acoustic))
    return sn_fail(err, SN_EARG,
                   "lattice: final state %d of %zu states, costs %g, %g", state,
                   b->states.n, (double)graph, (double)acoustic);
  b_state *const s = &b->states.data[state];
  SN_TRY(add_ali(b, ali, n_ali, &s->first_ali, err));
  s->n_ali = (uint32_t)n_ali;
  s->final_graph = isinf(acoustic) ? INFINITY : graph;
  s->final_acoustic = acoustic;
  return SN_OK;
}

enum { NEW, OPEN, DEAD, USEFUL };

static sn_status order_init(order *o, const sn_lat_builder *b, sn_err *err) {
  const size_t n = b->states.n;
  SN_TRY(SN_ARR_RESIZE(&o->first, n + 1, err));
  SN_TRY(SN_ARR_RESIZE(&o->arcs, b->arcs.n + 1, err)); /* never NULL */
  SN_TRY(SN_ARR_RESIZE(&o->number, n, err));
  SN_TRY(SN_ARR_RESIZE(&o->stack, n, err));
  SN_TRY(SN_ARR_RESIZE(&o->next_arc, n, err));
  SN_TRY(SN_ARR_RESIZE(&o->mark, n, err));
  SN_TRY(SN_ARR_RESERVE(&o->finished, n, err));
  o->finished.n = 0;
  int32_t *const first = o->first.data;
  memset(first, 0, (n + 1) * sizeof *first);
  memset(o->mark.data, NEW, n);
  for (size_t i = 0; i < b->arcs.n; i++) first[b->arcs.data[i].from + 1]++;
  for (size_t s = 0; s < n; s++) first[s + 1] += first[s];
  memcpy(o->next_arc.data, first, n * sizeof *first);
  for (size_t i = 0; i < b->arcs.n; i++)
    o->arcs.data[o->next_arc.data[b->arcs.data[i].from]++] = (int32_t)i;
  return SN_OK;
}

/* Depth-first search from start. SN_EFORMAT: a cycle. */
static sn_status search(order *o, const sn_lat_builder *b, int32_t start,
                        sn_err *err) {
  const size_t n = b->states.n;
  int32_t depth = 0;
  memcpy(o->next_arc.data, o->first.data, n * sizeof *o->first.data);
  o->stack.data[depth++] = start;
  o->mark.data[start] = OPEN;
  while (depth > 0) {
    const int32_t s = o->stack.data[depth - 1];
    if (o->next_arc.data[s] < o->first.data[s + 1]) {
      const int32_t to = b->arcs.data[o->arcs.data[o->next_arc.data[s]++]].to;
      if (o->mark.data[to] == OPEN)
        return sn_fail(err, SN_EFORMAT,
                       "lattice: a cycle through states %d and %d", s, to);
      if (o->mark.data[to] == NEW) {
        o->mark.data[to] = OPEN;
        o->stack.data[depth++] = to;
      }
      continue;
    }
    depth--;
    bool useful = isfinite(b->states.data[s].final_graph);
    for (int32_t i = o->first.data[s]; !useful && i < o->first.data[s + 1]; i++)
      useful = o->mark.data[b->arcs.data[o->arcs.data[i]].to] == USEFUL;
    o->mark.data[s] = useful ? USEFUL : DEAD;
    o->finished.data[o->finished.n++] = s;
  }
  return SN_OK;
}

/* Moves what the order kept into *out. */
static sn_status fill(const sn_lat_builder *b, const order *o, sn_lat *out,
                      sn_err *err) {
  int32_t n_states = 0, n_arcs = 0;
  uint32_t n_ali = 0;
  for (size_t s = 0; s < b->states.n; s++) o->number.data[s] = -1;
  for (size_t i = o->finished.n; i-- > 0;) {
    const int32_t s = o->finished.data[i];
    if (o->mark.data[s] != USEFUL) continue;
    o->number.data[s] = n_states++;
    if (isfinite(b->states.data[s].final_graph))
      n_ali += b->states.data[s].n_ali;
    for (int32_t k = o->first.data[s]; k < o->first.data[s + 1]; k++) {
      const b_arc *const a = &b->arcs.data[o->arcs.data[k]];
      if (o->mark.data[a->to] != USEFUL) continue;
      n_arcs++;
      n_ali += a->n_ali;
    }
  }
  if (n_states == 0) return SN_OK;
  SN_TRY(allocate(out, n_states, n_arcs, n_ali, err));
  int32_t at_arc = 0;
  uint32_t at_ali = 0;
  for (size_t i = o->finished.n; i-- > 0;) {
    const int32_t s = o->finished.data[i];
    if (o->mark.data[s] != USEFUL) continue;
    const b_state *const from = &b->states.data[s];
    sn_lat_state *const to = &out->states[o->number.data[s]];
    to->first_arc = (uint32_t)at_arc;
    to->final_graph = to->final_acoustic = INFINITY;
    if (isfinite(from->final_graph)) {
      to->final_graph = from->final_graph;
      to->final_acoustic = from->final_acoustic;
      to->first_ali = at_ali;
      to->n_ali = from->n_ali;
      if (from->n_ali > 0)
        memcpy(out->ali + at_ali, b->ali.data + from->first_ali,
               from->n_ali * sizeof *out->ali);
      at_ali += from->n_ali;
    }
    for (int32_t k = o->first.data[s]; k < o->first.data[s + 1]; k++) {
      const b_arc *const a = &b->arcs.data[o->arcs.data[k]];
      if (o->mark.data[a->to] != USEFUL) continue;
      out->arcs[at_arc++] =
          (sn_lat_arc){o->number.data[a->to], a->word, a->graph,
                       a->acoustic,           at_ali,  a->n_ali};
      if (a->n_ali > 0)
        memcpy(out->ali + at_ali, b->ali.data + a->first_ali,
               a->n_ali * sizeof *out->ali);
      at_ali += a->n_ali;
    }
  }
  out->states[n_states].first_arc = (uint32_t)n_arcs;
  out->states[n_states].final_graph = INFINITY;
  out->states[n_states].final_acoustic = INFINITY;
  return SN_OK;
}

sn_status sn_lat_builder_take(sn_lat_builder *b, int32_t start, sn_lat *out,
                              sn_err *err) {
  return sn_lat_builder_take_map(b, start, out, NULL, err);
}

sn_status sn_lat_builder_take_map(sn_lat_builder *b, int32_t start, sn_lat *out,
                                  int32_t *map, sn_err *err) {
  memset(out, 0, sizeof *out);
  if (b->states.n == 0) return SN_OK;
  if (!has_state(b, start))
    return sn_fail(err, SN_EARG, "lattice: start state %d of %zu", start,
                   b->states.n);
  SN_TRY(order_init(&b->order, b, err));
  SN_TRY(search(&b->order, b, start, err));
  SN_TRY(fill(b, &b->order, out, err));
  if (map != NULL) memcpy(map, b->order.number.data, b->states.n * sizeof *map);
  sn_lat_builder_reset(b);
  return SN_OK;
}

/* ---- Properties ---- */

sn_status sn_lat_times(const sn_lat *l, int32_t *frames, int32_t *n_frames,
                       sn_err *err) {
  *n_frames = -1;
  if (l->n_states == 0) {
    *n_frames = 0;
    return SN_OK;
  }
  for (int32_t s = 0; s < l->n_states; s++) frames[s] = -1;
  frames[0] = 0;
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const from = &l->states[s];
    if (frames[s] < 0) continue; /* not reached; trimmed lattices have none */
    for (uint32_t i = from->first_arc; i < from[1].first_arc; i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      const int64_t t = (int64_t)frames[s] + a->n_ali;
      if (t > INT32_MAX)
        return sn_fail(err, SN_ELIMIT, "lattice: more than %d frames",
                       INT32_MAX);
      if (frames[a->next] >= 0 && frames[a->next] != t)
        return sn_fail(err, SN_EMISMATCH,
                       "lattice: paths of %d and %lld frames lead to state %d; "
                       "are alignments missing?",
                       frames[a->next], (long long)t, a->next);
      frames[a->next] = (int32_t)t;
    }
    if (isinf(from->final_graph)) continue;
    const int32_t end = frames[s] + (int32_t)from->n_ali;
    if (*n_frames >= 0 && *n_frames != end)
      return sn_fail(err, SN_EMISMATCH,
                     "lattice: complete paths of %d and %d frames", *n_frames,
                     end);
    *n_frames = end;
  }
  return SN_OK;
}

bool sn_lat_is_deterministic(const sn_lat *l) {
  for (int32_t s = 0; s < l->n_states; s++) {
    const uint32_t begin = l->states[s].first_arc;
    const uint32_t end = l->states[s + 1].first_arc;
    for (uint32_t i = begin; i < end; i++) {
      if (l->arcs[i].word == 0) return false;
      for (uint32_t k = begin; k < i; k++)
        if (l->arcs[k].word == l->arcs[i].word) return false;
    }
  }
  return true;
}

static bool ali_fits(const sn_lat *l, uint32_t first, uint32_t n) {
  return first <= l->n_ali && n <= l->n_ali - first;
}

sn_status sn_lat_check(const sn_lat *l, sn_err *err) {
  if (l->n_states == 0) return SN_OK;
  if (l->states[0].first_arc != 0 ||
      l->states[l->n_states].first_arc != (uint32_t)l->n_arcs)
    return sn_fail(err, SN_EFORMAT, "lattice: %u of %d arcs belong to states",
                   l->states[l->n_states].first_arc, l->n_arcs);
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const from = &l->states[s];
    if (from[1].first_arc < from->first_arc ||
        from[1].first_arc > (uint32_t)l->n_arcs)
      return sn_fail(err, SN_EFORMAT, "lattice: arcs of state %d out of order",
                     s);
    if (!is_cost(from->final_graph) || !is_cost(from->final_acoustic) ||
        !ali_fits(l, from->first_ali, from->n_ali))
      return sn_fail(err, SN_EFORMAT, "lattice: bad final weight of state %d",
                     s);
    for (uint32_t i = from->first_arc; i < from[1].first_arc; i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      if (a->next <= s || a->next >= l->n_states)
        return sn_fail(err, SN_EFORMAT,
                       "lattice: arc %u leads from state %d to %d of %d", i, s,
                       a->next, l->n_states);
      if (a->word < 0 || !isfinite(a->graph) || !isfinite(a->acoustic) ||
          !ali_fits(l, a->first_ali, a->n_ali))
        return sn_fail(err, SN_EFORMAT,
                       "lattice: arc %u of state %d: word %d, costs %g, %g, "
                       "alignment of %u",
                       i, s, a->word, (double)a->graph, (double)a->acoustic,
                       a->n_ali);
    }
  }
  return SN_OK;
}

double sn_lat_depth(const sn_lat *l) {
  /* Sum over arcs of their frames, over the frames of a path: every state's
   * time is that of the last path into it, which is exact for lattices whose
   * times agree. Final weights count as arcs, as in Kaldi. */
  double total = 0.0;
  int32_t n_frames = 0;
  sn_status s = SN_OK;
  int32_t *const frames = sn_calloc((size_t)l->n_states, sizeof *frames);
  if (frames == NULL) return NAN;
  s = sn_lat_times(l, frames, &n_frames, NULL);
  sn_free(frames);
  if (s != SN_OK || n_frames <= 0) return NAN;
  for (int32_t i = 0; i < l->n_arcs; i++) total += l->arcs[i].n_ali;
  for (int32_t i = 0; i < l->n_states; i++)
    if (isfinite(l->states[i].final_graph)) total += l->states[i].n_ali;
  return total / n_frames;
}
