/* SPDX-License-Identifier: Apache-2.0 */
/* Lattices in a row.
 *
 * Let all paths of a deterministic lattice run through one state. The lattice
 * is then the concatenation of what lies before it and what lies behind it. No
 * word sequence to the state begins another one: a sequence has one path, and
 * that would have to come back to the state. So each sequence of the whole is
 * one pair of sequences, and the best costs of both make its best cost. Such
 * lattices are put in a row by leading the arcs into their final states to the
 * start of the next one. The row has every sequence of the whole within the
 * beam exactly once, and more behind the beam, to be pruned.
 *
 * States are in topological order, so a path that avoids state s has one arc
 * from before s to behind it: the least total of a path through such an arc is
 * what the best detour around s costs. All detours in time n log n: arcs in
 * order of their totals give it to the states they pass that have none yet;
 * those that have are skipped as a block (union-find, as in Kruskal's
 * algorithm).
 *
 * The final states of a settled lattice are the ends at a front, each with a
 * label of its own on the arcs into it. Such a state will do, too, if no
 * sequence to it begins another one, which must be looked at there.
 *
 * A stretch without words is one state; its cost and alignment go to the arcs
 * that leave the start of the next stretch, or to the end. */
#include "decoder/stretches_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_ops.h"
#include "decoder/lat_paths.h"

static void drop_all(sni_stretches *x) {
  for (size_t i = 0; i < x->done.n; i++) sn_lat_clear(&x->done.data[i]);
  x->done.n = 0;
  sn_lat_clear(&x->head);
}

void sni_stretches_reset(sni_stretches *x) {
  drop_all(x);
  x->try_at = x->n_cuts = x->n_cut_nodes = 0;
  x->stats = (sn_lat_det_stats){.beam = HUGE_VAL};
}

void sni_stretches_clear(sni_stretches *x) {
  sni_stretches_reset(x);
  SN_ARR_FREE(&x->done);
}

static size_t lat_bytes(const sn_lat *l) {
  return ((size_t)l->n_states + 1) * sizeof *l->states +
         (size_t)l->n_arcs * sizeof *l->arcs + l->n_ali * sizeof *l->ali;
}

size_t sni_stretches_bytes(const sni_stretches *x) {
  size_t n = x->done.cap * sizeof *x->done.data + lat_bytes(&x->head);
  for (size_t i = 0; i < x->done.n; i++) n += lat_bytes(&x->done.data[i]);
  return n;
}

static bool is_final(const sn_lat_state *s) { return isfinite(s->final_graph); }

/* ---- Splitting ---- */

/* Costs are sums of floats; closer ones may be equal. */
#define SURE 0.01

/* An arc, with the total of the best path through it. */
typedef struct passing {
  double total;
  int32_t from, to;
} passing;

static int by_total(const void *a, const void *b) {
  const passing *const x = a, *const y = b;
  if (x->total != y->total) return x->total < y->total ? -1 : 1;
  return x->from != y->from ? (x->from < y->from ? -1 : 1)
                            : (x->to > y->to) - (x->to < y->to);
}

/* The first state at s or behind it that has no detour yet. */
static int32_t next_free(int32_t *next, int32_t s) {
  while (next[s] != s) {
    next[s] = next[next[s]];
    s = next[s];
  }
  return s;
}

/* What a split is chosen by; for each state of the lattice. */
typedef struct choice {
  double *alpha, *beta;
  double *detour; /* total of the best path that avoids it; +infinity: none */
  int32_t *next;  /* [states + 1]: next_free */
  int32_t *frames;
  passing *arcs; /* [2 x arcs] */
} choice;

static sn_status choice_init(choice *c, const sn_lat *l, sn_err *err) {
  const size_t n = (size_t)l->n_states;
  c->alpha = sn_calloc(n, sizeof *c->alpha);
  c->beta = sn_calloc(n, sizeof *c->beta);
  c->detour = sn_calloc(n, sizeof *c->detour);
  c->next = sn_calloc(n + 1, sizeof *c->next);
  c->frames = sn_calloc(n, sizeof *c->frames);
  c->arcs = sn_calloc(2 * (size_t)l->n_arcs + 1, sizeof *c->arcs);
  const bool has_all = c->alpha != NULL && c->beta != NULL &&
                       c->detour != NULL && c->next != NULL &&
                       c->frames != NULL && c->arcs != NULL;
  return has_all ? SN_OK : sn_fail_nomem(err, "lattice");
}

static void choice_clear(choice *c) {
  sn_free(c->alpha);
  sn_free(c->beta);
  sn_free(c->detour);
  sn_free(c->next);
  sn_free(c->frames);
  sn_free(c->arcs);
}

/* What a path through an arc avoids: the states between the ends of the arc
 * and, where it leads to a final state (which has no arcs here), those behind
 * that one. Returns how many intervals there are. */
static size_t find_passing(const sn_lat *l, const sn_lat_scales *k, choice *c) {
  const int32_t n = l->n_states;
  size_t n_passing = 0;
  for (int32_t s = 0; s < n; s++)
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      const double total = c->alpha[s] + (double)a->graph * k->graph +
                           (double)a->acoustic * k->acoustic + c->beta[a->next];
      c->arcs[n_passing++] = (passing){total, s, a->next};
      if (is_final(&l->states[a->next]))
        c->arcs[n_passing++] = (passing){total, a->next, n};
    }
  return n_passing;
}

static void find_detours(const sn_lat *l, const sn_lat_scales *k, choice *c) {
  const size_t n_passing = find_passing(l, k, c);
  for (int32_t s = 0; s < l->n_states; s++) {
    c->detour[s] = HUGE_VAL;
    c->next[s] = s;
  }
  c->next[l->n_states] = l->n_states;
  if (n_passing > 0) qsort(c->arcs, n_passing, sizeof *c->arcs, by_total);
  for (size_t i = 0; i < n_passing; i++) {
    const passing *const a = &c->arcs[i];
    for (int32_t s = next_free(c->next, a->from + 1); s < a->to;
         s = next_free(c->next, s)) {
      c->detour[s] = a->total;
      c->next[s] = s + 1;
    }
  }
}

/* Whether the arcs into the final state `end`, whose labels are no words, are
 * the only ones of their states. Then no word sequence to it begins another. */
static bool is_prefix_free(const sn_lat *l, int32_t end) {
  for (int32_t s = 0; s < end; s++)
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++)
      if (l->arcs[i].next == end &&
          l->states[s + 1].first_arc - l->states[s].first_arc > 1)
        return false;
  return true;
}

/* The state to split at; 0: none. *beam: within which nothing is lost. */
static int32_t choose(const sn_lat *l, int32_t n_frames, const sni_split *how,
                      const choice *c, double *beam) {
  const double sure = how->beam + SURE;
  int32_t best = 0;
  double most = n_frames > how->most ? SURE : sure;
  for (int32_t s = 1; s < l->n_states; s++) {
    const double worse = fmin(c->detour[s] - c->beta[0], sure);
    if (c->frames[s] < how->least || worse < most ||
        (is_final(&l->states[s]) && !is_prefix_free(l, s)))
      continue;
    best = s;
    most = worse;
  }
  *beam = most < sure ? most : HUGE_VAL;
  return best;
}

static sn_status put(sn_lat_builder *b, const sn_lat *l, int32_t from,
                     const sn_lat_arc *a, sn_err *err) {
  return sn_lat_builder_arc(b, from, a->next, a->word, a->graph, a->acoustic,
                            l->ali + a->first_ali, a->n_ali, err);
}

/* The paths of l up to state `at`. Where that is an end, its label goes. */
static sn_status part_before(sn_lat_builder *b, const sn_lat *l, int32_t at,
                             sn_err *err) {
  const bool is_end = is_final(&l->states[at]);
  for (int32_t i = 0; i < at; i++)
    for (uint32_t j = l->states[i].first_arc; j < l->states[i + 1].first_arc;
         j++) {
      const sn_lat_arc *const a = &l->arcs[j];
      SN_TRY(is_end && a->next == at
                 ? sn_lat_builder_final(b, i, a->graph, a->acoustic,
                                        l->ali + a->first_ali, a->n_ali, err)
                 : put(b, l, i, a, err));
    }
  return is_end ? SN_OK : sn_lat_builder_final(b, at, 0.0f, 0.0f, NULL, 0, err);
}

/* The paths from state `at` on: of an end, its label alone, from a new state
 * `fresh`. */
static sn_status part_behind(sn_lat_builder *b, const sn_lat *l, int32_t at,
                             int32_t fresh, sn_err *err) {
  for (int32_t i = 0; i < at && is_final(&l->states[at]); i++)
    for (uint32_t j = l->states[i].first_arc; j < l->states[i + 1].first_arc;
         j++)
      if (l->arcs[j].next == at) {
        SN_TRY(sn_lat_builder_arc(b, fresh, at, l->arcs[j].word, 0.0f, 0.0f,
                                  NULL, 0, err));
        return sn_lat_builder_final(b, at, 0.0f, 0.0f, NULL, 0, err);
      }
  for (int32_t i = at; i < l->n_states; i++) {
    for (uint32_t j = l->states[i].first_arc; j < l->states[i + 1].first_arc;
         j++)
      SN_TRY(put(b, l, i, &l->arcs[j], err));
    if (is_final(&l->states[i]))
      SN_TRY(sn_lat_builder_final(b, i, 0.0f, 0.0f, NULL, 0, err));
  }
  return SN_OK;
}

static sn_status part(const sn_lat *l, int32_t at, bool before, sn_lat *out,
                      sn_err *err) {
  sn_lat_builder *b = NULL;
  sn_status s = sn_lat_builder_create(&b, err);
  int32_t id = 0;
  for (int32_t i = 0; s == SN_OK && i <= l->n_states; i++)
    s = sn_lat_builder_state(b, &id, err);
  if (s == SN_OK)
    s = before ? part_before(b, l, at, err) : part_behind(b, l, at, id, err);
  const int32_t start = before ? 0 : is_final(&l->states[at]) ? id : at;
  if (s == SN_OK) s = sn_lat_builder_take(b, start, out, err);
  sn_lat_builder_destroy(b);
  return s;
}

static sn_status split(sni_stretches *x, sn_lat *l, int32_t at, sn_err *err) {
  sn_lat first = {0}, rest = {0};
  sn_status s = part(l, at, true, &first, err);
  if (s == SN_OK) s = part(l, at, false, &rest, err);
  if (s == SN_OK) s = SN_ARR_PUSH(&x->done, first, err);
  if (s != SN_OK) {
    sn_lat_clear(&first);
    sn_lat_clear(&rest);
    return s;
  }
  sn_lat_clear(l);
  *l = rest;
  return SN_OK;
}

sn_status sni_stretches_add(sni_stretches *x, sn_lat *l, const sni_split *how,
                            const sn_lat_det_stats *stats, sn_err *err) {
  choice c = {0};
  double beam = HUGE_VAL;
  int32_t n_frames;
  sn_status s = choice_init(&c, l, err);
  if (s == SN_OK) s = sn_lat_times(l, c.frames, &n_frames, err);
  if (s == SN_OK) {
    sn_lat_forward(l, &how->scales, true, c.alpha);
    sn_lat_backward(l, &how->scales, true, c.beta);
    find_detours(l, &how->scales, &c);
    const int32_t at = choose(l, n_frames, how, &c, &beam);
    if (at > 0) s = split(x, l, at, err);
  }
  choice_clear(&c);
  if (s != SN_OK) return s;
  sn_lat_clear(&x->head);
  x->head = *l;
  memset(l, 0, sizeof *l);
  x->n_cuts++;
  for (int32_t i = 0; i < x->head.n_states; i++)
    x->n_cut_nodes += is_final(&x->head.states[i]);
  x->stats.n_elems += stats->n_elems;
  x->stats.n_subsets += stats->n_subsets;
  x->stats.beam = fmin(x->stats.beam, fmin(stats->beam, beam));
  return SN_OK;
}

/* ---- In a row ---- */

/* What is put together; its arrays are NULL while it is only counted. */
typedef struct joint {
  sn_lat_state *states;
  sn_lat_arc *arcs;
  int32_t *ali;
  int64_t n_states, n_arcs, n_ali;
  sn_arr_i32 number; /* [states of the lattice being added] in the result */
  /* What stretches without words have left for the arcs that come next. */
  double graph, acoustic;
  sn_arr_i32 lead;
} joint;

static void put_ali(joint *j, const int32_t *ali, size_t n) {
  if (j->ali != NULL && n > 0) memcpy(j->ali + j->n_ali, ali, n * sizeof *ali);
  j->n_ali += (int64_t)n;
}

static void put_arc(joint *j, const sn_lat *l, int32_t s, const sn_lat_arc *a,
                    bool last) {
  const sn_lat_state *const next = &l->states[a->next];
  double graph = (double)a->graph, acoustic = (double)a->acoustic;
  const int64_t first = j->n_ali;
  if (s == 0) {
    graph += j->graph;
    acoustic += j->acoustic;
    put_ali(j, j->lead.data, j->lead.n);
  }
  put_ali(j, l->ali + a->first_ali, a->n_ali);
  if (!last && is_final(next)) {
    graph += (double)next->final_graph;
    acoustic += (double)next->final_acoustic;
    put_ali(j, l->ali + next->first_ali, next->n_ali);
  }
  if (j->arcs != NULL)
    j->arcs[j->n_arcs] = (sn_lat_arc){
        j->number.data[a->next], a->word,         (float)graph,
        (float)acoustic,         (uint32_t)first, (uint32_t)(j->n_ali - first)};
  j->n_arcs++;
}

/* State s with its arcs. last: it may be final. */
static void put_state(joint *j, const sn_lat *l, int32_t s, bool last) {
  const sn_lat_state *const x = &l->states[s];
  sn_lat_state y = {.first_arc = (uint32_t)j->n_arcs,
                    .final_graph = INFINITY,
                    .final_acoustic = INFINITY};
  for (uint32_t i = x->first_arc; i < x[1].first_arc; i++)
    put_arc(j, l, s, &l->arcs[i], last);
  if (last && is_final(x)) {
    y.final_graph = (float)((double)x->final_graph + (s == 0 ? j->graph : 0.0));
    y.final_acoustic =
        (float)((double)x->final_acoustic + (s == 0 ? j->acoustic : 0.0));
    y.first_ali = (uint32_t)j->n_ali;
    if (s == 0) put_ali(j, j->lead.data, j->lead.n);
    put_ali(j, l->ali + x->first_ali, x->n_ali);
    y.n_ali = (uint32_t)(j->n_ali - (int64_t)y.first_ali);
  }
  if (j->states != NULL) j->states[j->n_states] = y;
  j->n_states++;
}

/* A stretch of one state: what it costs is put off. */
static sn_status put_off(joint *j, const sn_lat *l, sn_err *err) {
  const sn_lat_state *const x = &l->states[0];
  j->graph += (double)x->final_graph;
  j->acoustic += (double)x->final_acoustic;
  SN_TRY(SN_ARR_RESERVE(&j->lead, j->lead.n + x->n_ali, err));
  if (x->n_ali > 0)
    memcpy(j->lead.data + j->lead.n, l->ali + x->first_ali,
           x->n_ali * sizeof *l->ali);
  j->lead.n += x->n_ali;
  return SN_OK;
}

/* Adds l. Its final states are the start of the next; but of the last one. */
static sn_status append(joint *j, const sn_lat *l, bool last, sn_err *err) {
  if (!last && l->n_arcs == 0) return put_off(j, l, err);
  SN_TRY(SN_ARR_RESIZE(&j->number, (size_t)l->n_states, err));
  int64_t n = j->n_states;
  for (int32_t s = 0; s < l->n_states; s++)
    j->number.data[s] = last || !is_final(&l->states[s]) ? (int32_t)n++ : -1;
  for (int32_t s = 0; s < l->n_states; s++)
    if (j->number.data[s] < 0) j->number.data[s] = (int32_t)n;
  for (int32_t s = 0; s < l->n_states; s++)
    if (last || !is_final(&l->states[s])) put_state(j, l, s, last);
  j->graph = j->acoustic = 0.0;
  j->lead.n = 0;
  return SN_OK;
}

static sn_status append_all(joint *j, const sn_lat *row, size_t n,
                            const sn_lat *tail, sn_err *err) {
  j->n_states = j->n_arcs = j->n_ali = 0;
  for (size_t i = 0; i < n; i++) SN_TRY(append(j, &row[i], false, err));
  return append(j, tail, true, err);
}

/* Arrays of the size that was counted. */
static sn_status allocate(joint *j, sn_lat *out, sn_err *err) {
  if (j->n_states >= INT32_MAX || j->n_arcs >= INT32_MAX ||
      j->n_ali > (int64_t)UINT32_MAX)
    return sn_fail(err, SN_ELIMIT, "lattice: more than 2^31 states or arcs");
  out->states = sn_calloc((size_t)j->n_states + 1, sizeof *out->states);
  out->arcs = sn_calloc((size_t)j->n_arcs + 1, sizeof *out->arcs);
  out->ali = sn_calloc((size_t)j->n_ali + 1, sizeof *out->ali);
  if (out->states == NULL || out->arcs == NULL || out->ali == NULL) {
    sn_lat_clear(out);
    return sn_fail_nomem(err, "lattice");
  }
  out->n_states = (int32_t)j->n_states;
  out->n_arcs = (int32_t)j->n_arcs;
  out->n_ali = (uint32_t)j->n_ali;
  out->states[out->n_states] = (sn_lat_state){.first_arc = (uint32_t)j->n_arcs,
                                              .final_graph = INFINITY,
                                              .final_acoustic = INFINITY};
  j->states = out->states;
  j->arcs = out->arcs;
  j->ali = out->ali;
  return SN_OK;
}

static sn_status join(const sn_lat *row, size_t n, const sn_lat *tail,
                      sn_lat *out, sn_err *err) {
  joint j = {0};
  memset(out, 0, sizeof *out);
  if (tail->n_states == 0) return SN_OK;
  sn_status s = append_all(&j, row, n, tail, err);
  if (s == SN_OK) s = allocate(&j, out, err);
  if (s == SN_OK) s = append_all(&j, row, n, tail, err);
  SN_ARR_FREE(&j.number);
  SN_ARR_FREE(&j.lead);
  return s;
}

sn_status sni_stretches_join(const sni_stretches *x, const sn_lat *tail,
                             sn_lat *out, sn_err *err) {
  return join(x->done.data, x->done.n, tail, out, err);
}

sn_status sn_lat_join(const sn_lat *row, size_t n, sn_lat *out, sn_err *err) {
  return join(row, n - 1, &row[n - 1], out, err);
}
