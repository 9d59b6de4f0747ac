/* SPDX-License-Identifier: Apache-2.0 */
/* Determinisation of lattices on words, with epsilon removal and pruning.
 *
 * A state of the result stands for a SUBSET: a set of (state of raw, string,
 * cost), where string and cost are what is still owed on the way there, beyond
 * what the arcs of the result have paid out.
 *
 *   1. beta[s]: best cost from s to the end of raw (raw is topologically
 *      sorted). A subset's priority is forward cost + best (cost + beta), the
 *      total of the best complete path through it.
 *   2. A task is a word arc out of a known subset. Tasks are done best first;
 *      one whose priority is beyond best + beam ends the work, as do limits.
 *   3. Doing a task: its elements (one per raw state: the best) are normalised:
 *      the cost of the cheapest and the common prefix of the strings go to the
 *      arc. If that subset is known, the arc leads there (first table).
 *   4. Else its epsilon closure (in order of raw states, each once) is made,
 *      keeping the elements that are final or have word arcs, and normalised
 *      once more: what all of them owe up to the next word goes to the arc,
 *      too. If that set is known, the arc leads there (second table), else it
 *      is a new state, and its word arcs are grouped by word into new tasks.
 *
 * An element whose best complete path is more than the beam worse than that of
 * the best of its subset is dropped: no arc to the subset can need it. (How
 * much the subset itself is worse than the best path is left out of account,
 * so that a subset is the same whoever leads to it.)
 *
 * Strings have numbers; equal strings have equal ones (lat_strings.c).
 *
 * Because tasks are done best first and the cost to go of a subset is the same
 * whoever leads to it, the first arc into a subset is on its best path:
 * forward costs never have to be lowered. */
#include "decoder/lat_det.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "decoder/lat_paths.h"
#include "decoder/lat_strings_internal.h"

#define COST_DELTA (1.0 / 1024) /* closer residual costs are equal */

const sn_opt sn_lat_det_opt_table[] = {
    {"lattice-beam", SN_OPT_DOUBLE, offsetof(sn_lat_det_opts, beam), 6, 0, 1000,
     NULL, "", "paths within this cost of the best are in the lattice"},
    {"lattice-max-arcs", SN_OPT_INT, offsetof(sn_lat_det_opts, max_arcs),
     2000000, 1, 1e9, NULL, "", "arcs of a lattice at most"},
    {"lattice-max-work", SN_OPT_DOUBLE, offsetof(sn_lat_det_opts, max_elems),
     3e6, 1000, 1e12, NULL, "",
     "steps of determinisation at most; then the beam is narrowed"},
    SN_OPT_END};

/* ---- Subsets ---- */

typedef struct elem {
  int32_t state, string;
  double graph, acoustic, total; /* total: scaled */
} elem;

/* A set in `elems` of the work, sorted by state. */
typedef struct subset {
  size_t first, n;
  uint32_t hash;
  int32_t result; /* state of the result */
  elem owed;      /* initial subsets: what step 4 takes off (state unused) */
} subset;

/* An element of a closure. Its string is made only if it is asked for, which
 * is so for one in three: until then it is that of element `prev` with the
 * alignment of arc `arc` behind it. */
typedef struct reached {
  elem e;
  int32_t prev; /* EMPTY: e.string is the string */
  uint32_t arc;
} reached;

typedef struct task {
  double priority;
  int32_t from, word; /* state of the result, word */
  size_t first, n;    /* elements in `pending` */
} task;

typedef struct table {
  SN_ARR(subset) subsets;
  sn_arr_i32 slots; /* subset + 1; 0: free */
} table;

/* A word arc out of a subset. */
typedef struct reach {
  int32_t word;
  elem e;
} reach;

/* What changes from lattice to lattice comes first; the rest is memory that is
 * used again. */
typedef struct work {
  const sn_lat *raw;
  sn_lat_scales k;
  const sn_lat_det_opts *opts;
  double cutoff;
  int64_t n_arcs, n_elems;
  SN_ARR(double) beta; /* [raw states] */
  sni_strings text;
  SN_ARR(elem) elems;     /* of the tables' subsets */
  SN_ARR(elem) pending;   /* of tasks */
  SN_ARR(elem) set;       /* being made */
  SN_ARR(reached) closed; /* while it is closed */
  sn_arr_i32 order;       /* heap of indices in `closed`, by state */
  sn_arr_i32 chain;       /* scratch: elements whose strings are wanted */
  sn_arr_i32 where;       /* [raw states] index in closed + 1, else 0 */
  SN_ARR(reach) out;      /* scratch: word arcs of a new state */
  SN_ARR(elem) doing;     /* scratch: elements of the task being done */
  table initial, minimal;
  SN_ARR(task) tasks;     /* heap by priority */
  SN_ARR(double) forward; /* of each state of the result */
  sn_lat_builder *result;
} work;

struct sn_lat_det_space {
  work w;
};

static double total_of(const work *w, double graph, double acoustic) {
  return graph * w->k.graph + acoustic * w->k.acoustic;
}

/* Whether a is to be preferred to b. */
static bool better(const work *w, const elem *a, const elem *b) {
  if (a->total != b->total) return a->total < b->total;
  if (a->graph != b->graph) return a->graph < b->graph;
  return sni_strings_compare(&w->text, a->string, b->string) < 0;
}

static uint32_t hash_set(const elem *e, size_t n) {
  uint32_t h = (uint32_t)n;
  for (size_t i = 0; i < n; i++)
    h = sni_hash_mix(sni_hash_mix(h, (uint32_t)e[i].state),
                     (uint32_t)e[i].string);
  return sni_hash_finish(h);
}

static bool same_set(const elem *a, const elem *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (a[i].state != b[i].state || a[i].string != b[i].string ||
        fabs(a[i].total - b[i].total) > COST_DELTA)
      return false;
  return true;
}

static const subset *table_find(const work *w, const table *t, const elem *e,
                                size_t n, uint32_t hash) {
  const size_t last = t->slots.n - 1;
  for (size_t h = hash & last; t->slots.data[h] != 0; h = (h + 1) & last) {
    const subset *const x = &t->subsets.data[t->slots.data[h] - 1];
    if (x->hash == hash && x->n == n &&
        same_set(w->elems.data + x->first, e, n))
      return x;
  }
  return NULL;
}

static void take_slot(table *t, uint32_t hash, size_t subset_number) {
  const size_t last = t->slots.n - 1;
  size_t h = hash & last;
  while (t->slots.data[h] != 0) h = (h + 1) & last;
  t->slots.data[h] = (int32_t)subset_number + 1;
}

/* x: hash, result and owed. */
static sn_status table_add(work *w, table *t, const elem *e, size_t n, subset x,
                           sn_err *err) {
  if (2 * (t->subsets.n + 1) > t->slots.n) {
    SN_TRY(sni_free_slots(&t->slots, 2 * t->slots.n, err));
    for (size_t i = 0; i < t->subsets.n; i++)
      take_slot(t, t->subsets.data[i].hash, i);
  }
  x.first = w->elems.n;
  x.n = n;
  SN_TRY(SN_ARR_RESERVE(&w->elems, w->elems.n + n, err));
  if (n > 0) memcpy(w->elems.data + w->elems.n, e, n * sizeof *e);
  w->elems.n += n;
  SN_TRY(SN_ARR_PUSH(&t->subsets, x, err));
  take_slot(t, x.hash, t->subsets.n - 1);
  return SN_OK;
}

/* ---- Tasks ---- */

static bool task_before(const task *a, const task *b) {
  if (a->priority != b->priority) return a->priority < b->priority;
  return a->first < b->first; /* older first: a fixed order */
}

static sn_status push_task(work *w, task x, sn_err *err) {
  SN_TRY(SN_ARR_PUSH(&w->tasks, x, err));
  size_t i = w->tasks.n - 1;
  task *const t = w->tasks.data;
  while (i > 0 && task_before(&x, &t[(i - 1) / 2])) {
    t[i] = t[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  t[i] = x;
  return SN_OK;
}

static task pop_task(work *w) {
  task *const t = w->tasks.data;
  const task top = t[0], x = t[--w->tasks.n];
  size_t i = 0;
  for (;;) {
    size_t c = 2 * i + 1;
    if (c >= w->tasks.n) break;
    if (c + 1 < w->tasks.n && task_before(&t[c + 1], &t[c])) c++;
    if (!task_before(&t[c], &x)) break;
    t[i] = t[c];
    i = c;
  }
  if (w->tasks.n > 0) t[i] = x;
  return top;
}

/* ---- 4: closure ---- */

/* What cost + beta may be of what comes from the elements e[0..n). */
static double limit_of(const work *w, const elem *e, size_t n) {
  double best = HUGE_VAL;
  for (size_t i = 0; i < n; i++)
    best = fmin(best, e[i].total + w->beta.data[e[i].state]);
  return best + (w->cutoff - w->beta.data[0]);
}

static void heap_up(work *w, size_t i) {
  int32_t *const h = w->order.data;
  const reached *const r = w->closed.data;
  const int32_t x = h[i];
  while (i > 0 && r[x].e.state < r[h[(i - 1) / 2]].e.state) {
    h[i] = h[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  h[i] = x;
}

static int32_t heap_pop(work *w) {
  int32_t *const h = w->order.data;
  const reached *const r = w->closed.data;
  const int32_t top = h[0], x = h[--w->order.n];
  size_t i = 0;
  for (;;) {
    size_t c = 2 * i + 1;
    if (c >= w->order.n) break;
    if (c + 1 < w->order.n && r[h[c + 1]].e.state < r[h[c]].e.state) c++;
    if (r[h[c]].e.state >= r[x].e.state) break;
    h[i] = h[c];
    i = c;
  }
  if (w->order.n > 0) h[i] = x;
  return top;
}

/* Makes the string of element i of the closure, and of those it comes from. */
static sn_status make_string(work *w, int32_t i, sn_err *err) {
  reached *const r = w->closed.data;
  const sn_lat *const raw = w->raw;
  w->chain.n = 0;
  for (; r[i].prev != SNI_EMPTY; i = r[i].prev)
    SN_TRY(SN_ARR_PUSH(&w->chain, i, err));
  int32_t string = r[i].e.string;
  while (w->chain.n > 0) {
    reached *const x = &r[w->chain.data[--w->chain.n]];
    const sn_lat_arc *const a = &raw->arcs[x->arc];
    SN_TRY(sni_strings_append(&w->text, &string, raw->ali + a->first_ali,
                              a->n_ali, err));
    x->e.string = string;
    x->prev = SNI_EMPTY;
  }
  return SN_OK;
}

/* Whether y is to be preferred to element `old` of the closure. Only where all
 * costs are equal strings have to be looked at. */
static sn_status is_better(work *w, reached *y, int32_t old, bool *yes,
                           sn_err *err) {
  const elem *const o = &w->closed.data[old].e;
  *yes = false;
  if (y->e.total == o->total && y->e.graph == o->graph) {
    SN_TRY(make_string(w, old, err));
    if (y->prev != SNI_EMPTY) {
      const sn_lat_arc *const a = &w->raw->arcs[y->arc];
      SN_TRY(make_string(w, y->prev, err));
      y->e.string = w->closed.data[y->prev].e.string;
      SN_TRY(sni_strings_append(&w->text, &y->e.string,
                                w->raw->ali + a->first_ali, a->n_ali, err));
      y->prev = SNI_EMPTY;
    }
  }
  *yes = better(w, &y->e, &w->closed.data[old].e);
  return SN_OK;
}

/* Adds an element to the closure, or improves the one of its state. Improving
 * needs no second visit: raw states are visited in topological order, so
 * whatever leads to a state has been seen before its turn. */
static sn_status add_reached(work *w, reached y, sn_err *err) {
  int32_t *const at = &w->where.data[y.e.state];
  if (*at != 0) {
    bool yes;
    SN_TRY(is_better(w, &y, *at - 1, &yes, err));
    if (yes) w->closed.data[*at - 1] = y;
    return SN_OK;
  }
  SN_TRY(SN_ARR_RESERVE(&w->order, w->order.n + 1, err));
  SN_TRY(SN_ARR_PUSH(&w->closed, y, err));
  *at = (int32_t)w->closed.n;
  w->order.data[w->order.n++] = (int32_t)w->closed.n - 1;
  heap_up(w, w->order.n - 1);
  w->n_elems++;
  return SN_OK;
}

/* Follows the epsilon arcs of element i, and adds it to w->set if it is final
 * or has word arcs. */
static sn_status follow(work *w, int32_t i, double limit, sn_err *err) {
  const elem x = w->closed.data[i].e;
  const sn_lat_state *const from = &w->raw->states[x.state];
  bool keep = isfinite(from->final_graph);
  for (uint32_t j = from->first_arc; j < from[1].first_arc; j++) {
    const sn_lat_arc *const a = &w->raw->arcs[j];
    if (a->word != 0) {
      keep = true;
      continue;
    }
    reached y = {{a->next, SNI_EMPTY, x.graph + (double)a->graph,
                  x.acoustic + (double)a->acoustic, 0.0},
                 i,
                 j};
    y.e.total = total_of(w, y.e.graph, y.e.acoustic);
    if (y.e.total + w->beta.data[a->next] > limit) continue;
    SN_TRY(add_reached(w, y, err));
  }
  if (!keep) return SN_OK;
  SN_TRY(make_string(w, i, err));
  return SN_ARR_PUSH(&w->set, w->closed.data[i].e, err);
}

/* Epsilon closure of e[0..n) into w->set, sorted by state, of which only the
 * elements remain that are final or have word arcs. */
static sn_status closure(work *w, const elem *e, size_t n, sn_err *err) {
  const double limit = limit_of(w, e, n);
  sn_status s = SN_OK;
  w->set.n = w->closed.n = w->order.n = 0;
  for (size_t i = 0; s == SN_OK && i < n; i++)
    s = add_reached(w, (reached){e[i], SNI_EMPTY, 0}, err);
  while (s == SN_OK && w->order.n > 0) s = follow(w, heap_pop(w), limit, err);
  for (size_t i = 0; i < w->closed.n; i++)
    w->where.data[w->closed.data[i].e.state] = 0;
  return s;
}

/* ---- 3: normalisation ---- */

/* Takes the cheapest element's cost and the strings' common prefix off all. */
static sn_status normalise(work *w, elem *e, size_t n, elem *common,
                           sn_err *err) {
  size_t best = 0;
  int32_t prefix = e[0].string;
  for (size_t i = 1; i < n; i++) {
    if (better(w, &e[i], &e[best])) best = i;
    prefix = sni_strings_common(&w->text, prefix, e[i].string);
  }
  *common = e[best];
  common->string = prefix;
  const int32_t length = sni_strings_length(&w->text, prefix);
  for (size_t i = 0; i < n; i++) {
    e[i].graph -= common->graph;
    e[i].acoustic -= common->acoustic;
    e[i].total = total_of(w, e[i].graph, e[i].acoustic);
    SN_TRY(sni_strings_drop(&w->text, &e[i].string, length, err));
  }
  return SN_OK;
}

/* ---- New states of the result ---- */

/* The final weight of the subset in w->set: the best of its elements'. */
static sn_status add_final(work *w, int32_t result, sn_err *err) {
  bool found = false;
  elem best = {0};
  for (size_t i = 0; i < w->set.n; i++) {
    elem x = w->set.data[i];
    const sn_lat_state *const s = &w->raw->states[x.state];
    if (isinf(s->final_graph)) continue;
    x.graph += (double)s->final_graph;
    x.acoustic += (double)s->final_acoustic;
    x.total = total_of(w, x.graph, x.acoustic);
    SN_TRY(sni_strings_append(&w->text, &x.string, w->raw->ali + s->first_ali,
                              s->n_ali, err));
    if (!found || better(w, &x, &best)) best = x;
    found = true;
  }
  if (!found || w->forward.data[result] + best.total > w->cutoff) return SN_OK;
  SN_TRY(sni_strings_spell(&w->text, best.string, 0, err));
  return sn_lat_builder_final(w->result, result, (float)best.graph,
                              (float)best.acoustic, w->text.scratch.data,
                              w->text.scratch.n, err);
}

static int by_word_and_state(const void *a, const void *b) {
  const reach *const x = a, *const y = b;
  if (x->word != y->word) return x->word < y->word ? -1 : 1;
  if (x->e.state != y->e.state) return x->e.state < y->e.state ? -1 : 1;
  if (x->e.total != y->e.total) return x->e.total < y->e.total ? -1 : 1;
  if (x->e.graph != y->e.graph) return x->e.graph < y->e.graph ? -1 : 1;
  return 0;
}

/* A task for the arcs r[0..n), all of one word. */
static sn_status add_task(work *w, int32_t result, const reach *r, size_t n,
                          sn_err *err) {
  task t = {HUGE_VAL, result, r[0].word, w->pending.n, 0};
  for (size_t i = 0; i < n; i++) {
    const elem *const e = &r[i].e;
    elem *const last = t.n > 0 ? &w->pending.data[w->pending.n - 1] : NULL;
    if (last != NULL && last->state == e->state) {
      if (better(w, e, last)) *last = *e;
      continue;
    }
    SN_TRY(SN_ARR_PUSH(&w->pending, *e, err));
    t.n++;
    t.priority = fmin(t.priority, w->forward.data[result] + e->total +
                                      w->beta.data[e->state]);
  }
  return push_task(w, t, err);
}

/* Word arcs out of the subset in w->set, grouped by word. */
static sn_status add_tasks(work *w, int32_t result, sn_err *err) {
  sn_status s = SN_OK;
  const double limit = limit_of(w, w->set.data, w->set.n);
  w->out.n = 0;
  for (size_t i = 0; s == SN_OK && i < w->set.n; i++) {
    const elem x = w->set.data[i];
    const sn_lat_state *const from = &w->raw->states[x.state];
    for (uint32_t j = from->first_arc; s == SN_OK && j < from[1].first_arc;
         j++) {
      const sn_lat_arc *const a = &w->raw->arcs[j];
      if (a->word == 0) continue;
      reach y = {a->word,
                 {a->next, x.string, x.graph + (double)a->graph,
                  x.acoustic + (double)a->acoustic, 0.0}};
      y.e.total = total_of(w, y.e.graph, y.e.acoustic);
      if (y.e.total + w->beta.data[a->next] > limit) continue;
      s = sni_strings_append(&w->text, &y.e.string, w->raw->ali + a->first_ali,
                             a->n_ali, err);
      if (s == SN_OK) s = SN_ARR_PUSH(&w->out, y, err);
    }
  }
  const reach *const out = w->out.data;
  if (s == SN_OK && w->out.n > 0)
    qsort(w->out.data, w->out.n, sizeof *out, by_word_and_state);
  for (size_t i = 0, end; s == SN_OK && i < w->out.n; i = end) {
    end = i + 1;
    while (end < w->out.n && out[end].word == out[i].word) end++;
    s = add_task(w, result, out + i, end - i, err);
  }
  return s;
}

/* The result's state for the normalised elements e[0..n), made if need be.
 * forward: cost of the path to them. *owed: what the arc that leads there has
 * to pay besides; NULL: none leads there, this is the start. */
static sn_status find_or_add(work *w, const elem *e, size_t n, double forward,
                             int32_t *result, elem *owed, sn_err *err) {
  subset x = {.hash = hash_set(e, n), .owed = {.string = SNI_EMPTY}};
  const subset *known = table_find(w, &w->initial, e, n, x.hash);
  if (known != NULL && owed != NULL) {
    *result = known->result;
    *owed = known->owed;
    return SN_OK;
  }
  SN_TRY(closure(w, e, n, err));
  if (owed != NULL) {
    if (w->set.n > 0) SN_TRY(normalise(w, w->set.data, w->set.n, &x.owed, err));
    *owed = x.owed;
  }
  subset y = {.hash = hash_set(w->set.data, w->set.n)};
  known = table_find(w, &w->minimal, w->set.data, w->set.n, y.hash);
  if (known != NULL) {
    *result = x.result = known->result;
    return table_add(w, &w->initial, e, n, x, err);
  }
  SN_TRY(sn_lat_builder_state(w->result, result, err));
  SN_TRY(SN_ARR_PUSH(&w->forward, forward + x.owed.total, err));
  x.result = y.result = *result;
  SN_TRY(table_add(w, &w->initial, e, n, x, err));
  SN_TRY(table_add(w, &w->minimal, w->set.data, w->set.n, y, err));
  SN_TRY(add_final(w, *result, err));
  return add_tasks(w, *result, err);
}

/* Step 3 and 4 for a task whose elements have been copied to e. */
static sn_status add_arc(work *w, const task *t, elem *e, sn_err *err) {
  elem common, owed;
  int32_t to = 0;
  SN_TRY(normalise(w, e, t->n, &common, err));
  SN_TRY(find_or_add(w, e, t->n, w->forward.data[t->from] + common.total, &to,
                     &owed, err));
  SN_TRY(sni_strings_spell(&w->text, owed.string, 0, err));
  SN_TRY(sni_strings_append(&w->text, &common.string, w->text.scratch.data,
                            w->text.scratch.n, err));
  SN_TRY(sni_strings_spell(&w->text, common.string, 0, err));
  return sn_lat_builder_arc(w->result, t->from, to, t->word,
                            (float)(common.graph + owed.graph),
                            (float)(common.acoustic + owed.acoustic),
                            w->text.scratch.data, w->text.scratch.n, err);
}

static sn_status do_task(work *w, const task *t, sn_err *err) {
  /* A copy: making a state adds to `pending`, which may move. */
  SN_TRY(SN_ARR_RESIZE(&w->doing, t->n, err));
  memcpy(w->doing.data, w->pending.data + t->first,
         t->n * sizeof *w->doing.data);
  w->n_arcs++;
  return add_arc(w, t, w->doing.data, err);
}

/* ---- The whole ---- */

sn_status sn_lat_det_space_create(sn_lat_det_space **out, sn_err *err) {
  *out = sn_calloc(1, sizeof **out);
  if (*out == NULL) return sn_fail_nomem(err, "determinisation");
  const sn_status s = sn_lat_builder_create(&(*out)->w.result, err);
  if (s == SN_OK) return SN_OK;
  sn_free(*out);
  *out = NULL;
  return s;
}

void sn_lat_det_space_destroy(sn_lat_det_space *space) {
  if (space == NULL) return;
  work *const w = &space->w;
  SN_ARR_FREE(&w->beta);
  SN_ARR_FREE(&w->where);
  SN_ARR_FREE(&w->text.nodes);
  SN_ARR_FREE(&w->text.scratch);
  SN_ARR_FREE(&w->text.table);
  SN_ARR_FREE(&w->elems);
  SN_ARR_FREE(&w->pending);
  SN_ARR_FREE(&w->set);
  SN_ARR_FREE(&w->closed);
  SN_ARR_FREE(&w->order);
  SN_ARR_FREE(&w->chain);
  SN_ARR_FREE(&w->out);
  SN_ARR_FREE(&w->doing);
  SN_ARR_FREE(&w->tasks);
  SN_ARR_FREE(&w->forward);
  SN_ARR_FREE(&w->initial.subsets);
  SN_ARR_FREE(&w->minimal.subsets);
  SN_ARR_FREE(&w->initial.slots);
  SN_ARR_FREE(&w->minimal.slots);
  sn_lat_builder_destroy(w->result);
  sn_free(space);
}

size_t sn_lat_det_space_bytes(const sn_lat_det_space *space) {
  if (space == NULL) return 0;
  const work *const w = &space->w;
  return sizeof *space + w->beta.cap * sizeof(double) +
         w->text.nodes.cap * sizeof(sni_string_node) +
         (w->elems.cap + w->pending.cap + w->set.cap + w->doing.cap) *
             sizeof(elem) +
         w->closed.cap * sizeof(reached) + w->out.cap * sizeof(reach) +
         w->tasks.cap * sizeof(task) + w->forward.cap * sizeof(double) +
         (w->initial.subsets.cap + w->minimal.subsets.cap) * sizeof(subset) +
         (w->where.cap + w->text.table.cap + w->text.scratch.cap +
          w->order.cap + w->chain.cap + w->initial.slots.cap +
          w->minimal.slots.cap) *
             sizeof(int32_t) +
         sn_lat_builder_bytes(w->result);
}

/* Everything empty, tables of a size that will mostly do. */
static sn_status begin(work *w, sn_err *err) {
  const size_t n = (size_t)w->raw->n_states;
  w->n_arcs = w->n_elems = 0;
  w->text.nodes.n = w->elems.n = w->pending.n = w->tasks.n = w->forward.n = 0;
  w->initial.subsets.n = w->minimal.subsets.n = 0;
  sn_lat_builder_reset(w->result);
  w->text.n_table = 0;
  SN_TRY(sni_free_slots(&w->text.table, 1024, err));
  SN_TRY(sni_free_slots(&w->initial.slots, 1024, err));
  SN_TRY(sni_free_slots(&w->minimal.slots, 1024, err));
  SN_TRY(SN_ARR_RESIZE(&w->where, n, err));
  memset(w->where.data, 0, n * sizeof *w->where.data);
  return SN_ARR_RESIZE(&w->beta, n, err);
}

sn_status sn_lat_determinize_in(sn_lat_det_space *space, const sn_lat *raw,
                                const sn_lat_scales *scales,
                                const sn_lat_det_opts *opts, sn_lat *out,
                                sn_lat_det_stats *stats, sn_err *err) {
  memset(out, 0, sizeof *out);
  if (stats != NULL) *stats = (sn_lat_det_stats){0, 0, opts->beam};
  if (raw->n_states == 0) return SN_OK;
  work *const w = &space->w;
  w->raw = raw;
  w->k = *scales;
  w->k.word_penalty = 0.0;
  w->opts = opts;
  SN_TRY(begin(w, err));
  const elem root = {0, SNI_EMPTY, 0.0, 0.0, 0.0};
  int32_t start = 0;
  double reached_beam = opts->beam;
  sn_lat_backward(raw, &w->k, true, w->beta.data);
  w->cutoff = w->beta.data[0] + opts->beam + 1e-9 * fabs(w->beta.data[0]);
  SN_TRY(find_or_add(w, &root, 1, 0.0, &start, NULL, err));
  while (w->tasks.n > 0) {
    const task t = pop_task(w);
    if (t.priority > w->cutoff) break;
    if (w->n_arcs >= opts->max_arcs || (double)w->n_elems >= opts->max_elems) {
      reached_beam = fmax(0.0, t.priority - w->beta.data[0]);
      break;
    }
    SN_TRY(do_task(w, &t, err));
  }
  SN_TRY(sn_lat_builder_take(w->result, start, out, err));
  if (stats != NULL)
    *stats = (sn_lat_det_stats){w->n_elems, (int64_t)w->minimal.subsets.n,
                                reached_beam};
  return SN_OK;
}

sn_status sn_lat_determinize(const sn_lat *raw, const sn_lat_scales *scales,
                             const sn_lat_det_opts *opts, sn_lat *out,
                             sn_lat_det_stats *stats, sn_err *err) {
  sn_lat_det_space *space = NULL;
  memset(out, 0, sizeof *out);
  SN_TRY(sn_lat_det_space_create(&space, err));
  const sn_status s =
      sn_lat_determinize_in(space, raw, scales, opts, out, stats, err);
  sn_lat_det_space_destroy(space);
  return s;
}
