/* SPDX-License-Identifier: Apache-2.0 */
/* Token passing with beam, max-active and min-active pruning.
 *
 * Facts that decided the design. A frame (10 ms) keeps 2,000 to 8,000 tokens
 * in a graph of up to 20 million states; an average token looks at two or
 * three arcs. The arithmetic is nothing; the time goes into cache misses on
 * states and arcs (16 bytes each, all over a file of a gigabyte). So:
 *  - tokens are a flat array in order of creation; the state -> token map is
 *    a table sized to them (some hundred KiB: second-level cache), not to the
 *    graph. It is never wiped: serial numbers grow from frame to frame, and a
 *    slot with an old one is empty;
 *  - loops ask for the states and arcs of later tokens ahead of time;
 *  - acoustic costs are computed once a frame for all labels (some 20,000), so
 *    that an arc costs one load and two additions;
 *  - arcs are pruned before the map is asked (step 3 below).
 *
 * One frame:
 *  1. best token; cutoff from beam, max-active, min-active. The best cost is
 *     moved from the tokens to `offset` (by way of label_cost): costs in
 *     tokens stay small, so floats lose nothing over hours.
 *  2. label_cost[l] = -scale * loglik[pdf(l)] - best.
 *  3. the best token's arcs give a first bound for the next frame: the least
 *     cost seen + beam. It only tightens while the arcs are expanded.
 *  4. every token within the cutoff: its self-loop, then its arcs, into `next`.
 *  5. epsilon closure of `next`.
 *
 * A state's block of the graph is verified when its token has its turn in the
 * closure (5); whatever is above the closure's bound is never expanded.
 *
 * Ties: a token is replaced only by a strictly smaller cost; tokens are visited
 * in order of creation. Thus the result is a function of graph and scores.
 *
 * Sources: Young, Russell, Thornton 1989, "Token passing"; the bound of step 3
 * as in Kaldi's FasterDecoder (Povey et al. 2011). */
#include "decoder/search_internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_CAP ((size_t)1 << 12)
/* How far ahead states and arcs are asked for, in tokens. */
#define STATE_AHEAD 16
#define ARC_AHEAD 8
/* Slack added to a beam that max-active or min-active have set, as Kaldi's
 * beam-delta, in the same units of cost. */
#define BEAM_DELTA 0.5f
#define COST_LIMIT (FLT_MAX / 4)
/* Frames from pruning to pruning of the lattice; Kaldi's is 25. */
#define PRUNE_LINKS_EVERY ((size_t)50)

static void swap_f(float *a, float *b) {
  const float t = *a;
  *a = *b;
  *b = t;
}

/* Hoare's selection with the middle of three as pivot. */
float sni_select(float *x, size_t n, size_t k) {
  SN_ASSERT(k < n);
  size_t lo = 0, hi = n - 1;
  while (lo < hi) {
    const size_t mid = lo + (hi - lo) / 2;
    if (x[mid] < x[lo]) swap_f(&x[mid], &x[lo]);
    if (x[hi] < x[lo]) swap_f(&x[hi], &x[lo]);
    if (x[hi] < x[mid]) swap_f(&x[hi], &x[mid]);
    const float pivot = x[mid];
    size_t i = lo, j = hi;
    for (;;) {
      while (x[i] < pivot) i++;
      while (pivot < x[j]) j--;
      if (i >= j) break;
      swap_f(&x[i++], &x[j--]);
    }
    /* x[lo..j] <= pivot <= x[j+1..hi] */
    if (k <= j)
      hi = j;
    else
      lo = j + 1;
  }
  return x[k];
}

/* ---- Storage ---- */

static void use_slots(sni_search *s, sni_slot *slots, size_t n_slots) {
  sn_free(s->slots);
  s->slots = slots;
  s->n_slots = n_slots;
  s->shift = 32 + 3;
  for (size_t n = n_slots; n > 1; n /= 2) s->shift--;
  s->first_serial = 1; /* zeroed slots are empty */
}

/* Eight neighbouring states share a cache line of slots: a graph numbers the
 * states of a phone one after the other. Multiplicative hashing: Knuth 6.4. */
static inline size_t hash(const sni_search *s, int32_t state) {
  const uint32_t group = (uint32_t)state / 8 * UINT32_C(2654435769);
  return (size_t)(group >> s->shift) * 8 + (uint32_t)state % 8;
}

/* The state's slot, or the empty one where it belongs. */
static inline sni_slot *find_slot(const sni_search *s, int32_t state) {
  size_t h = hash(s, state);
  while (s->slots[h].serial >= s->first_serial && s->slots[h].state != state)
    h = (h + 1) & (s->n_slots - 1);
  return &s->slots[h];
}

/* Twice the tokens; the map is filled again from `next`. */
static sn_status grow(sni_search *s, size_t want, sn_err *err) {
  size_t cap = s->cap;
  while (cap < want) cap *= 2;
  if (cap > INT32_MAX / 8)
    return sn_fail(err, SN_ELIMIT,
                   "decoder: %zu tokens in one frame; use a narrower --beam",
                   want);
  /* Each array is larger than needed if a later one fails: harmless. */
  sni_token *t = sn_realloc(s->cur, cap, sizeof *t);
  if (t == NULL) goto nomem;
  s->cur = t;
  t = sn_realloc(s->next, cap, sizeof *t);
  if (t == NULL) goto nomem;
  s->next = t;
  float *const scratch = sn_realloc(s->scratch, cap, sizeof *scratch);
  if (scratch == NULL) goto nomem;
  s->scratch = scratch;
  int32_t *queue = sn_realloc(s->queue, cap, sizeof *queue);
  if (queue == NULL) goto nomem;
  s->queue = queue;
  queue = sn_realloc(s->queue_now, cap, sizeof *queue);
  if (queue == NULL) goto nomem;
  s->queue_now = queue;
  sni_slot *const slots = sn_calloc(2 * cap, sizeof *slots);
  if (slots == NULL) goto nomem;
  use_slots(s, slots, 2 * cap);
  s->cap = cap;
  for (size_t i = 0; i < s->n_next; i++) {
    sni_slot *const slot = find_slot(s, s->next[i].state);
    slot->state = s->next[i].state;
    slot->serial = s->first_serial + (int32_t)i;
  }
  return SN_OK;
nomem:
  return sn_fail_nomem(err, "decoder: token tables");
}

static inline sn_status make_room(sni_search *s, size_t n, sn_err *err) {
  if (s->n_next + n > s->cap) SN_TRY(grow(s, s->n_next + n, err));
  if (s->trace.live.n + n > s->trace.live.cap)
    SN_TRY(sni_trace_reserve(&s->trace, n, err));
  return SN_OK;
}

static void begin_next(sni_search *s) {
  if (s->first_serial >
      INT32_MAX - (int32_t)s->n_next - (int32_t)(2 * s->cap)) {
    memset(s->slots, 0, s->n_slots * sizeof *s->slots);
    s->first_serial = 1;
  } else {
    s->first_serial += (int32_t)s->n_next;
  }
  s->n_next = 0;
}

static void use_lattice_beam(sni_search *s) {
  const float beam = s->opts.lattice_beam;
  s->links.graph = s->graph;
  s->links.beam = beam < COST_LIMIT ? beam : COST_LIMIT;
  const size_t stretch = (size_t)s->opts.lattice_stretch;
  s->links.prune_every = stretch > 1 && stretch / 2 < PRUNE_LINKS_EVERY
                             ? stretch / 2
                             : PRUNE_LINKS_EVERY;
}

sn_status sni_search_init(sni_search *s, const sn_graph *g,
                          const sn_decoder_opts *opts, sn_err *err) {
  memset(s, 0, sizeof *s);
  s->graph = g;
  s->opts = *opts;
  if (!(opts->beam > 0.0f))
    return sn_fail(err, SN_EARG, "decoder: beam %g is not above 0",
                   (double)opts->beam);
  if (opts->max_active < 1 || opts->min_active < 0 ||
      opts->min_active > opts->max_active)
    return sn_fail(err, SN_EARG,
                   "decoder: needs 0 <= min-active (%d) <= max-active (%d) and "
                   "max-active above 0",
                   (int)opts->min_active, (int)opts->max_active);
  if (s->opts.acoustic_scale == 0.0f)
    s->opts.acoustic_scale = (float)(1.0 / g->lm_scale);
  if (!(s->opts.acoustic_scale > 0.0f) || isinf(s->opts.acoustic_scale))
    return sn_fail(err, SN_EARG,
                   "decoder: acoustic scale %g (graph's lm-scale %g) is not a "
                   "positive number",
                   (double)opts->acoustic_scale, g->lm_scale);
  if (!(opts->lattice_beam >= 0.0f))
    return sn_fail(err, SN_EARG, "decoder: lattice beam %g is below 0",
                   (double)opts->lattice_beam);
  s->beam = opts->beam < COST_LIMIT ? opts->beam : COST_LIMIT;
  use_lattice_beam(s);
  const size_t n = (size_t)g->n_labels;
  s->label_pdf = sn_calloc(n, sizeof *s->label_pdf);
  s->label_loop = sn_calloc(n, sizeof *s->label_loop);
  s->label_entry = sn_calloc(n, sizeof *s->label_entry);
  s->label_cost = sn_calloc(n, sizeof *s->label_cost);
  s->cap = FIRST_CAP;
  s->cur = sn_calloc(s->cap, sizeof *s->cur);
  s->next = sn_calloc(s->cap, sizeof *s->next);
  s->scratch = sn_calloc(s->cap, sizeof *s->scratch);
  s->queue = sn_calloc(s->cap, sizeof *s->queue);
  s->queue_now = sn_calloc(s->cap, sizeof *s->queue_now);
  sni_slot *const slots = sn_calloc(2 * s->cap, sizeof *slots);
  if (slots != NULL) use_slots(s, slots, 2 * s->cap);
  if (!s->label_pdf || !s->label_loop || !s->label_entry || !s->label_cost ||
      !s->cur || !s->next || !s->scratch || !s->queue || !s->queue_now ||
      !s->slots)
    return sn_fail_nomem(err, "decoder");
  for (size_t l = 0; l < n; l++) {
    s->label_pdf[l] = g->labels[l].pdf;
    s->label_loop[l] = g->labels[l].loop_cost;
    s->label_entry[l] = g->labels[l].is_entry != 0;
  }
  sni_trace_reset(&s->trace);
  return SN_OK;
}

void sni_search_clear(sni_search *s) {
  sn_free(s->label_pdf);
  sn_free(s->label_loop);
  sn_free(s->label_entry);
  sn_free(s->label_cost);
  sn_free(s->cur);
  sn_free(s->next);
  sn_free(s->slots);
  sn_free(s->scratch);
  sn_free(s->queue);
  sn_free(s->queue_now);
  sni_trace_clear(&s->trace);
  sni_links_clear(&s->links);
  SN_ARR_FREE(&s->eps_links);
  memset(s, 0, sizeof *s);
}

size_t sni_search_bytes(const sni_search *s) {
  return sizeof *s + (size_t)s->graph->n_labels * 13 +
         s->cap *
             (2 * sizeof(sni_token) + sizeof(float) + 2 * sizeof(int32_t)) +
         s->n_slots * sizeof(sni_slot) + sni_trace_bytes(&s->trace) +
         s->eps_links.cap * sizeof(sni_eps_link) + sni_links_bytes(&s->links);
}

/* ---- Epsilon closure ---- */

static inline bool wants_links(const sni_search *s) {
  return s->links.beam > 0.0f;
}

/* Room must have been made. */
static inline void note_eps(sni_search *s, size_t from, size_t to, uint32_t arc,
                            float cost) {
  s->eps_links.data[s->eps_links.n++] = (sni_eps_link){
      {(int32_t)from, (int32_t)to, arc, cost}, s->next[from].cost};
}

/* Follows the epsilon arcs of next[i]. seen: tokens below it have been
 * followed already, so an improved one has to be queued. */
static sn_status follow_eps(sni_search *s, size_t i, size_t seen, float cutoff,
                            size_t *queue_end, sn_err *err) {
  const sn_graph *const g = s->graph;
  const int32_t state = s->next[i].state;
  SN_TRY(sn_graph_touch(g, state, err));
  s->next[i].label = g->states[state].label;
  const uint32_t first = g->states[state].first_eps;
  const uint32_t end = g->states[state + 1].first_eps;
  if (first == end) return SN_OK;
  SN_TRY(make_room(s, end - first, err));
  if (wants_links(s))
    SN_TRY(SN_ARR_RESERVE(&s->eps_links, s->eps_links.n + (end - first), err));
  const sni_token from = s->next[i];
  s->stats.n_eps += end - first;
  for (uint32_t a = first; a < end; a++) {
    const sn_graph_arc *const arc = &g->eps[a];
    const float cost = from.cost + arc->cost;
    if (!(cost <= cutoff)) continue;
    sni_slot *const slot = find_slot(s, arc->next);
    size_t to;
    if (slot->serial < s->first_serial) {
      to = s->n_next++;
      slot->state = arc->next;
      slot->serial = s->first_serial + (int32_t)to;
      s->next[to].state = arc->next;
      s->next[to].cost = INFINITY;
      s->next[to].queued = 0; /* label: in its turn */
    } else {
      to = (size_t)(slot->serial - s->first_serial);
    }
    if (wants_links(s)) note_eps(s, i, to, a, cost);
    if (!(cost < s->next[to].cost)) continue;
    sni_token *const t = &s->next[to];
    t->cost = cost;
    if (arc->output > 0) {
      const sni_record r = {.prev = from.record,
                            .frame = (int32_t)s->frame,
                            .label = -1,
                            .word = arc->output - 1,
                            .graph = from.graph,
                            .total = s->offset + (double)from.cost};
      t->record = sni_trace_add(&s->trace, r);
      t->graph = arc->cost;
    } else {
      t->record = from.record;
      t->graph = from.graph + arc->cost;
    }
    if (to < seen && !t->queued) {
      t->queued = 1;
      s->queue[(*queue_end)++] = (int32_t)to;
    }
  }
  return SN_OK;
}

/* Token after token in order of creation: those that the closure makes come
 * later in the same array, so it is its own queue. Only a token that is
 * improved after its turn is looked at again, in rounds (Bellman-Ford): without
 * a cycle of negative cost there are no more rounds than tokens. */
static sn_status close_epsilons(sni_search *s, float cutoff, sn_err *err) {
  const sn_graph *const g = s->graph;
  size_t queued = 0;
  s->eps_links.n = 0;
  for (size_t i = 0; i < s->n_next; i++) {
    if (i + STATE_AHEAD < s->n_next)
      __builtin_prefetch(&g->states[s->next[i + STATE_AHEAD].state]);
    if (s->next[i].cost <= cutoff)
      SN_TRY(follow_eps(s, i, i + 1, cutoff, &queued, err));
  }
  for (size_t round = 0; queued > 0; round++) {
    if (round > s->n_next)
      return sn_fail(err, SN_EFORMAT,
                     "graph: the epsilon arcs around state %d have a cycle of "
                     "negative cost; build the graph again",
                     (int)s->next[s->queue[0]].state);
    s->stats.n_requeued += (int64_t)queued;
    size_t next_queued = 0;
    int32_t *const now = s->queue;
    s->queue = s->queue_now;
    s->queue_now = now;
    for (size_t k = 0; k < queued; k++) {
      const size_t i = (size_t)s->queue_now[k]; /* arrays may move */
      s->next[i].queued = 0;
      SN_TRY(follow_eps(s, i, SIZE_MAX, cutoff, &next_queued, err));
    }
    queued = next_queued;
  }
  return SN_OK;
}

/* Makes the layer of the closed frame. Costs of tokens are final now: the
 * epsilon arcs of one that was improved after they were followed have been
 * followed again, so of each token those count that its last cost is in. */
static sn_status end_layer(sni_search *s, const float *loglik, sn_err *err) {
  sni_links *const x = &s->links;
  sni_links_begin_eps(x);
  SN_TRY(sni_links_reserve(x, s->eps_links.n, err));
  for (size_t i = 0; i < s->eps_links.n; i++) {
    const sni_eps_link *const l = &s->eps_links.data[i];
    if (s->next[l->link.from].cost < l->from_cost) continue;
    if (!(l->link.cost <= s->next[l->link.to].cost + x->beam)) continue;
    x->links.data[x->links.n++] = l->link;
  }
  const sni_layer_nodes nodes = {&s->next[0].cost, &s->next[0].label,
                                 s->n_next,        sizeof s->next[0],
                                 loglik,           s->label_pdf};
  return sni_links_end(x, &nodes, err);
}

/* ---- Frames ---- */

sn_status sni_search_start(sni_search *s, sn_err *err) {
  const sn_graph *const g = s->graph;
  sni_trace_reset(&s->trace);
  memset(&s->stats, 0, sizeof s->stats);
  s->offset = 0.0;
  s->frame = 0;
  begin_next(s);
  sni_slot *const slot = find_slot(s, g->start);
  slot->state = g->start;
  slot->serial = s->first_serial;
  s->next[s->n_next++] =
      (sni_token){.state = g->start, .label = -1, .record = -1};
  s->bound = s->beam;
  sni_links_reset(&s->links);
  if (wants_links(s)) SN_TRY(sni_links_begin(&s->links, err));
  SN_TRY(close_epsilons(s, s->bound, err));
  if (wants_links(s)) SN_TRY(end_layer(s, NULL, err));
  sni_token *const t = s->cur;
  s->cur = s->next;
  s->next = t;
  s->n_cur = s->n_next;
  return SN_OK;
}

/* What the frame keeps, step 1. */
typedef struct cut {
  size_t best;  /* index of the best token */
  float cutoff; /* highest cost that is expanded */
  float beam;   /* for the next frame */
} cut;

static cut find_cut(sni_search *s) {
  const sni_token *const cur = s->cur;
  const size_t n = s->n_cur;
  cut c = {0, 0.0f, s->beam};
  for (size_t i = 1; i < n; i++)
    if (cur[i].cost < cur[c.best].cost) c.best = i;
  const float best = cur[c.best].cost;
  c.cutoff = best + s->beam;
  size_t inside = 0;
  for (size_t i = 0; i < n; i++) {
    s->scratch[inside] = cur[i].cost;
    inside += cur[i].cost <= c.cutoff;
  }
  const size_t most = (size_t)s->opts.max_active;
  const size_t least = (size_t)s->opts.min_active;
  if (inside > most) {
    c.cutoff = sni_select(s->scratch, inside, most - 1);
    c.beam = c.cutoff - best + BEAM_DELTA;
    if (c.beam > s->beam) c.beam = s->beam;
  } else if (inside < least) {
    /* The bound of the frame before was as wide, so that there may be some. */
    c.cutoff = COST_LIMIT;
    if (n > least) {
      for (size_t i = 0; i < n; i++) s->scratch[i] = cur[i].cost;
      c.cutoff = sni_select(s->scratch, n, least - 1);
    }
    c.beam = COST_LIMIT;
    if (n > least) c.beam = c.cutoff - best + BEAM_DELTA;
    if (c.beam < s->beam) c.beam = s->beam;
  }
  if (c.cutoff > s->bound) c.cutoff = s->bound;
  return c;
}

/* Step 3. */
static float bound_from_best(const sni_search *s, const cut *c) {
  const sn_graph *const g = s->graph;
  const sni_token *const t = &s->cur[c->best];
  float least = COST_LIMIT;
  if (t->label >= 0) {
    const float cost =
        t->cost + s->label_loop[t->label] + s->label_cost[t->label];
    if (cost < least) least = cost;
  }
  for (uint32_t a = g->states[t->state].first_emit;
       a < g->states[t->state + 1].first_emit; a++) {
    const float cost =
        t->cost + g->emit[a].cost + s->label_cost[g->emit[a].label];
    if (cost < least) least = cost;
  }
  return least + c->beam < COST_LIMIT ? least + c->beam : COST_LIMIT;
}

/* Where a path into `state` belongs: its token, or a new one of infinite cost.
 * Room must have been made. */
static inline sni_token *place(sni_search *s, int32_t state) {
  sni_slot *const slot = find_slot(s, state);
  if (slot->serial >= s->first_serial)
    return &s->next[slot->serial - s->first_serial];
  slot->state = state;
  slot->serial = s->first_serial + (int32_t)s->n_next;
  sni_token *const t = &s->next[s->n_next++];
  t->state = state;
  t->cost = INFINITY;
  t->record = -1;
  t->queued = 0;
  __builtin_prefetch(&s->graph->states[state]);
  return t;
}

/* Room for n more links behind *at, in the array that the search writes to. */
static inline sn_status link_room(sni_links *x, size_t n, sni_link **at,
                                  sn_err *err) {
  x->links.n = (size_t)(*at - x->links.data);
  if (sni_links_has_room(x, n)) return SN_OK;
  SN_TRY(sni_links_reserve(x, n, err));
  *at = x->links.data + x->links.n;
  return SN_OK;
}

/* Step 4. with_links is known when this is compiled: a search without lattices
 * has no test for it. A way to a token that is so much worse than one that is
 * known that it can never be within the lattice beam is no link. */
static inline __attribute__((always_inline)) sn_status expand_any(
    sni_search *s, const cut *c, bool with_links, sn_err *err) {
  const sn_graph *const g = s->graph;
  /* Records from here on belong to one token of `next` each: nobody has
   * followed its arcs yet, so a better path takes over its place. */
  const int32_t own = (int32_t)s->trace.live.n;
  const float *const ac = s->label_cost;
  float bound = bound_from_best(s, c);
  const float lattice_beam = s->links.beam;
  sni_link *link = with_links ? s->links.links.data + s->links.links.n : NULL;
  for (size_t i = 0; i < s->n_cur; i++) {
    if (i + STATE_AHEAD < s->n_cur) {
      const sni_token *const later = &s->cur[i + STATE_AHEAD];
      if (later->cost <= c->cutoff)
        __builtin_prefetch(&g->states[later->state]);
    }
    if (i + ARC_AHEAD < s->n_cur) {
      const sni_token *const later = &s->cur[i + ARC_AHEAD];
      if (later->cost <= c->cutoff)
        __builtin_prefetch(&g->emit[g->states[later->state].first_emit]);
    }
    const sni_token from = s->cur[i];
    if (!(from.cost <= c->cutoff)) continue;
    const uint32_t first = g->states[from.state].first_emit;
    const uint32_t end = g->states[from.state + 1].first_emit;
    s->stats.n_tokens++;
    s->stats.n_arcs += end - first;
    SN_TRY(make_room(s, (size_t)(end - first) + 1, err));
    if (with_links)
      SN_TRY(link_room(&s->links, (size_t)(end - first) + 1, &link, err));
    if (from.label >= 0) {
      const float loop = s->label_loop[from.label];
      const float cost = from.cost + loop + ac[from.label];
      if (cost <= bound) {
        sni_token *const t = place(s, from.state);
        if (with_links && cost <= t->cost + lattice_beam)
          *link++ =
              (sni_link){(int32_t)i, (int32_t)(t - s->next), SNI_LOOP, cost};
        if (cost < t->cost) {
          t->cost = cost;
          t->graph = from.graph + loop;
          t->label = from.label;
          t->record = from.record;
          if (cost + c->beam < bound) bound = cost + c->beam;
        }
      }
    }
    for (uint32_t a = first; a < end; a++) {
      const sn_graph_arc *const arc = &g->emit[a];
      const float cost = from.cost + arc->cost + ac[arc->label];
      if (!(cost <= bound)) continue;
      sni_token *const t = place(s, arc->next);
      if (with_links && cost <= t->cost + lattice_beam)
        *link++ = (sni_link){(int32_t)i, (int32_t)(t - s->next), a, cost};
      if (!(cost < t->cost)) continue;
      if (cost + c->beam < bound) bound = cost + c->beam;
      t->cost = cost;
      t->label = arc->label;
      if (arc->output > 0 || s->label_entry[arc->label]) {
        const sni_record r = {
            .prev = from.record,
            .frame = (int32_t)s->frame,
            .label = s->label_entry[arc->label] ? arc->label : -1,
            .word = arc->output - 1,
            .graph = from.graph,
            .total = s->offset + (double)from.cost};
        if (t->record >= own)
          s->trace.live.data[t->record] = r;
        else
          t->record = sni_trace_add(&s->trace, r);
        t->graph = arc->cost;
      } else {
        t->record = from.record;
        t->graph = from.graph + arc->cost;
      }
    }
  }
  if (with_links) s->links.links.n = (size_t)(link - s->links.links.data);
  s->bound = bound;
  return SN_OK;
}

static sn_status expand(sni_search *s, const cut *c, sn_err *err) {
  return expand_any(s, c, false, err);
}

static sn_status expand_with_links(sni_search *s, const cut *c, sn_err *err) {
  SN_TRY(sni_links_begin(&s->links, err));
  SN_TRY(sni_links_reserve(&s->links, 1, err));
  return expand_any(s, c, true, err);
}

sn_status sni_search_frame(sni_search *s, const float *loglik, sn_err *err) {
  if (s->n_cur == 0) {
    s->frame++;
    s->stats.n_frames++;
    return SN_OK;
  }
  if (s->frame == INT32_MAX)
    return sn_fail(err, SN_ELIMIT, "decoder: more than 2^31 frames");
  if (sni_trace_is_full(&s->trace))
    SN_TRY(sni_trace_collect(&s->trace, &s->cur[0].record, s->n_cur,
                             sizeof s->cur[0], err));
  begin_next(s);
  const cut c = find_cut(s);
  const float best = s->cur[c.best].cost;
  for (size_t l = 0; l < (size_t)s->graph->n_labels; l++)
    s->label_cost[l] = -s->opts.acoustic_scale * loglik[s->label_pdf[l]] - best;
  SN_TRY(wants_links(s) ? expand_with_links(s, &c, err) : expand(s, &c, err));
  s->frame++;
  s->offset += (double)best;
  SN_TRY(close_epsilons(s, s->bound, err));
  if (wants_links(s)) SN_TRY(end_layer(s, loglik, err));
  s->stats.n_frames++;
  s->stats.n_entered += (int64_t)s->n_next;
  sni_token *const t = s->cur;
  s->cur = s->next;
  s->next = t;
  s->n_cur = s->n_next;
  return SN_OK;
}

int32_t sni_search_best(const sni_search *s, bool final, float *final_cost) {
  int32_t best = -1;
  float best_cost = INFINITY, best_final = 0.0f;
  for (size_t i = 0; i < s->n_cur; i++) {
    if (!(s->cur[i].cost <= s->bound)) continue;
    const float f = final ? s->graph->states[s->cur[i].state].final_cost : 0.0f;
    if (s->cur[i].cost + f < best_cost) {
      best_cost = s->cur[i].cost + f;
      best_final = f;
      best = (int32_t)i;
    }
  }
  *final_cost = best_final;
  return best;
}
