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
 * Strings are nodes of a tree (parent, label), each made once: equal strings
 * are equal node numbers, and a label is added in constant time.
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

#define EMPTY (-1)
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

/* ---- Strings ---- */

typedef struct node {
  int32_t parent; /* EMPTY: the empty string */
  int32_t label, length;
} node;

typedef struct strings {
  SN_ARR(node) nodes;
  int32_t *table; /* [size] node + 1; 0: free; open addressing */
  size_t size;
  sn_arr_i32 scratch;
} strings;

static uint32_t mix(uint32_t h, uint32_t x) { /* Murmur3's block step */
  x *= 0xcc9e2d51u;
  x = (x << 15) | (x >> 17);
  h ^= x * 0x1b873593u;
  h = (h << 13) | (h >> 19);
  return h * 5 + 0xe6546b64u;
}

static uint32_t finish(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 16);
}

static uint32_t node_hash(int32_t parent, int32_t label) {
  return finish(mix(mix(0, (uint32_t)parent), (uint32_t)label));
}

static sn_status strings_grow(strings *t, sn_err *err) {
  const size_t size = t->size > 0 ? 2 * t->size : 1024;
  int32_t *const table = sn_calloc(size, sizeof *table);
  if (table == NULL) return sn_fail_nomem(err, "determinisation");
  for (size_t i = 0; i < t->nodes.n; i++) {
    const node *const x = &t->nodes.data[i];
    size_t h = node_hash(x->parent, x->label) & (size - 1);
    while (table[h] != 0) h = (h + 1) & (size - 1);
    table[h] = (int32_t)i + 1;
  }
  sn_free(t->table);
  t->table = table;
  t->size = size;
  return SN_OK;
}

static int32_t length_of(const strings *t, int32_t s) {
  return s == EMPTY ? 0 : t->nodes.data[s].length;
}

/* *s + label */
static sn_status append(strings *t, int32_t *s, int32_t label, sn_err *err) {
  if (2 * (t->nodes.n + 1) > t->size) SN_TRY(strings_grow(t, err));
  size_t h = node_hash(*s, label) & (t->size - 1);
  for (; t->table[h] != 0; h = (h + 1) & (t->size - 1)) {
    const int32_t i = t->table[h] - 1;
    if (t->nodes.data[i].parent == *s && t->nodes.data[i].label == label) {
      *s = i;
      return SN_OK;
    }
  }
  if (t->nodes.n >= INT32_MAX - 1)
    return sn_fail(err, SN_ELIMIT, "determinisation: too many alignments");
  const node x = {*s, label, length_of(t, *s) + 1};
  SN_TRY(SN_ARR_PUSH(&t->nodes, x, err));
  t->table[h] = (int32_t)t->nodes.n;
  *s = (int32_t)t->nodes.n - 1;
  return SN_OK;
}

static sn_status append_all(strings *t, int32_t *s, const int32_t *labels,
                            size_t n, sn_err *err) {
  for (size_t i = 0; i < n; i++) SN_TRY(append(t, s, labels[i], err));
  return SN_OK;
}

static int32_t common_prefix(const strings *t, int32_t a, int32_t b) {
  int32_t na = length_of(t, a), nb = length_of(t, b);
  for (; na > nb; na--) a = t->nodes.data[a].parent;
  for (; nb > na; nb--) b = t->nodes.data[b].parent;
  while (a != b) {
    a = t->nodes.data[a].parent;
    b = t->nodes.data[b].parent;
  }
  return a;
}

/* Labels of s from position `from` on, into t->scratch. */
static sn_status spell(strings *t, int32_t s, int32_t from, sn_err *err) {
  int32_t n = length_of(t, s) - from;
  SN_TRY(SN_ARR_RESIZE(&t->scratch, (size_t)n, err));
  for (; n > 0; s = t->nodes.data[s].parent)
    t->scratch.data[--n] = t->nodes.data[s].label;
  return SN_OK;
}

/* *s without its first n labels. */
static sn_status drop_prefix(strings *t, int32_t *s, int32_t n, sn_err *err) {
  if (n == 0) return SN_OK;
  SN_TRY(spell(t, *s, n, err));
  *s = EMPTY;
  return append_all(t, s, t->scratch.data, t->scratch.n, err);
}

/* Order of strings for ties: shorter first, then by labels. */
static int compare_strings(const strings *t, int32_t a, int32_t b) {
  if (a == b) return 0;
  const int32_t na = length_of(t, a), nb = length_of(t, b);
  if (na != nb) return na < nb ? -1 : 1;
  int order = 0; /* the first difference decides: seen last on the way up */
  while (a != b) {
    const node *const x = &t->nodes.data[a], *const y = &t->nodes.data[b];
    if (x->label != y->label) order = x->label < y->label ? -1 : 1;
    a = x->parent;
    b = y->parent;
  }
  return order;
}

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

typedef struct task {
  double priority;
  int32_t from, word; /* state of the result, word */
  size_t first, n;    /* elements in `pending` */
} task;

typedef struct table {
  SN_ARR(subset) subsets;
  int32_t *slots; /* [size] subset + 1 */
  size_t size;
} table;

typedef struct work {
  const sn_lat *raw;
  sn_lat_scales k;
  const sn_lat_det_opts *opts;
  double *beta, cutoff;
  strings text;
  SN_ARR(elem) elems;    /* of the tables' subsets */
  SN_ARR(elem) pending;  /* of tasks */
  SN_ARR(elem) set;      /* being made */
  SN_ARR(int32_t) order; /* heap of indices in `set`, by state */
  int32_t *where;        /* [raw states] index in set + 1, else 0 */
  table initial, minimal;
  SN_ARR(task) tasks;     /* heap by priority */
  SN_ARR(double) forward; /* of each state of the result */
  sn_lat_builder *result;
  int64_t n_arcs, n_elems;
} work;

static double total_of(const work *w, double graph, double acoustic) {
  return graph * w->k.graph + acoustic * w->k.acoustic;
}

/* Whether a is to be preferred to b. */
static bool better(const work *w, const elem *a, const elem *b) {
  if (a->total != b->total) return a->total < b->total;
  if (a->graph != b->graph) return a->graph < b->graph;
  return compare_strings(&w->text, a->string, b->string) < 0;
}

static uint32_t hash_set(const elem *e, size_t n) {
  uint32_t h = (uint32_t)n;
  for (size_t i = 0; i < n; i++)
    h = mix(mix(h, (uint32_t)e[i].state), (uint32_t)e[i].string);
  return finish(h);
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
  if (t->size == 0) return NULL;
  for (size_t h = hash & (t->size - 1); t->slots[h] != 0;
       h = (h + 1) & (t->size - 1)) {
    const subset *const x = &t->subsets.data[t->slots[h] - 1];
    if (x->hash == hash && x->n == n &&
        same_set(w->elems.data + x->first, e, n))
      return x;
  }
  return NULL;
}

/* x: hash, result and owed. */
static sn_status table_add(work *w, table *t, const elem *e, size_t n, subset x,
                           sn_err *err) {
  if (2 * (t->subsets.n + 1) > t->size) {
    const size_t size = t->size > 0 ? 2 * t->size : 256;
    int32_t *const slots = sn_calloc(size, sizeof *slots);
    if (slots == NULL) return sn_fail_nomem(err, "determinisation");
    for (size_t i = 0; i < t->subsets.n; i++) {
      size_t h = t->subsets.data[i].hash & (size - 1);
      while (slots[h] != 0) h = (h + 1) & (size - 1);
      slots[h] = (int32_t)i + 1;
    }
    sn_free(t->slots);
    t->slots = slots;
    t->size = size;
  }
  x.first = w->elems.n;
  x.n = n;
  SN_TRY(SN_ARR_RESERVE(&w->elems, w->elems.n + n, err));
  if (n > 0) memcpy(w->elems.data + w->elems.n, e, n * sizeof *e);
  w->elems.n += n;
  size_t h = x.hash & (t->size - 1);
  while (t->slots[h] != 0) h = (h + 1) & (t->size - 1);
  SN_TRY(SN_ARR_PUSH(&t->subsets, x, err));
  t->slots[h] = (int32_t)t->subsets.n;
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
    best = fmin(best, e[i].total + w->beta[e[i].state]);
  return best + (w->cutoff - w->beta[0]);
}

static void heap_up(work *w, size_t i) {
  int32_t *const h = w->order.data;
  const int32_t x = h[i];
  while (i > 0 && w->set.data[x].state < w->set.data[h[(i - 1) / 2]].state) {
    h[i] = h[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  h[i] = x;
}

static int32_t heap_pop(work *w) {
  int32_t *const h = w->order.data;
  const int32_t top = h[0], x = h[--w->order.n];
  size_t i = 0;
  for (;;) {
    size_t c = 2 * i + 1;
    if (c >= w->order.n) break;
    if (c + 1 < w->order.n &&
        w->set.data[h[c + 1]].state < w->set.data[h[c]].state)
      c++;
    if (w->set.data[h[c]].state >= w->set.data[x].state) break;
    h[i] = h[c];
    i = c;
  }
  if (w->order.n > 0) h[i] = x;
  return top;
}

/* Adds an element to `set`, or improves the one of its state. Improving needs
 * no second visit: raw states are visited in topological order, so whatever
 * leads to a state has been seen before its turn. */
static sn_status set_add(work *w, const elem *e, sn_err *err) {
  int32_t *const at = &w->where[e->state];
  if (*at != 0) {
    elem *const old = &w->set.data[*at - 1];
    if (better(w, e, old)) *old = *e;
    return SN_OK;
  }
  SN_TRY(SN_ARR_RESERVE(&w->order, w->order.n + 1, err));
  SN_TRY(SN_ARR_PUSH(&w->set, *e, err));
  *at = (int32_t)w->set.n;
  w->order.data[w->order.n++] = (int32_t)w->set.n - 1;
  heap_up(w, w->order.n - 1);
  w->n_elems++;
  return SN_OK;
}

/* Epsilon closure of e[0..n) into w->set, sorted by state, of which only the
 * elements remain that are final or have word arcs. */
static sn_status closure(work *w, const elem *e, size_t n, sn_err *err) {
  const sn_lat *const raw = w->raw;
  const double limit = limit_of(w, e, n);
  SN_ARR(elem) kept = {0};
  sn_status s = SN_OK;
  w->set.n = w->order.n = 0;
  for (size_t i = 0; s == SN_OK && i < n; i++) s = set_add(w, &e[i], err);
  while (s == SN_OK && w->order.n > 0) {
    const elem x = w->set.data[heap_pop(w)];
    const sn_lat_state *const from = &raw->states[x.state];
    bool keep = isfinite(from->final_graph);
    for (uint32_t i = from->first_arc; s == SN_OK && i < from[1].first_arc;
         i++) {
      const sn_lat_arc *const a = &raw->arcs[i];
      if (a->word != 0) {
        keep = true;
        continue;
      }
      elem y = {a->next, x.string, x.graph + (double)a->graph,
                x.acoustic + (double)a->acoustic, 0.0};
      y.total = total_of(w, y.graph, y.acoustic);
      if (y.total + w->beta[y.state] > limit) continue;
      s = append_all(&w->text, &y.string, raw->ali + a->first_ali, a->n_ali,
                     err);
      if (s == SN_OK) s = set_add(w, &y, err);
    }
    if (s == SN_OK && keep) s = SN_ARR_PUSH(&kept, x, err);
  }
  for (size_t i = 0; i < w->set.n; i++) w->where[w->set.data[i].state] = 0;
  w->order.n = 0;
  w->set.n = 0;
  if (s == SN_OK) s = SN_ARR_RESERVE(&w->set, kept.n, err);
  if (s == SN_OK && kept.n > 0) {
    memcpy(w->set.data, kept.data, kept.n * sizeof *kept.data);
    w->set.n = kept.n;
  }
  SN_ARR_FREE(&kept);
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
    prefix = common_prefix(&w->text, prefix, e[i].string);
  }
  *common = e[best];
  common->string = prefix;
  const int32_t length = length_of(&w->text, prefix);
  for (size_t i = 0; i < n; i++) {
    e[i].graph -= common->graph;
    e[i].acoustic -= common->acoustic;
    e[i].total = total_of(w, e[i].graph, e[i].acoustic);
    SN_TRY(drop_prefix(&w->text, &e[i].string, length, err));
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
    SN_TRY(append_all(&w->text, &x.string, w->raw->ali + s->first_ali, s->n_ali,
                      err));
    if (!found || better(w, &x, &best)) best = x;
    found = true;
  }
  if (!found || w->forward.data[result] + best.total > w->cutoff) return SN_OK;
  SN_TRY(spell(&w->text, best.string, 0, err));
  return sn_lat_builder_final(w->result, result, (float)best.graph,
                              (float)best.acoustic, w->text.scratch.data,
                              w->text.scratch.n, err);
}

typedef struct reach {
  int32_t word;
  elem e;
} reach;

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
    t.priority = fmin(t.priority,
                      w->forward.data[result] + e->total + w->beta[e->state]);
  }
  return push_task(w, t, err);
}

/* Word arcs out of the subset in w->set, grouped by word. */
static sn_status add_tasks(work *w, int32_t result, sn_err *err) {
  SN_ARR(reach) out = {0};
  sn_status s = SN_OK;
  const double limit = limit_of(w, w->set.data, w->set.n);
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
      if (y.e.total + w->beta[a->next] > limit) continue;
      s = append_all(&w->text, &y.e.string, w->raw->ali + a->first_ali,
                     a->n_ali, err);
      if (s == SN_OK) s = SN_ARR_PUSH(&out, y, err);
    }
  }
  if (s == SN_OK && out.n > 0)
    qsort(out.data, out.n, sizeof *out.data, by_word_and_state);
  for (size_t i = 0, end; s == SN_OK && i < out.n; i = end) {
    end = i + 1;
    while (end < out.n && out.data[end].word == out.data[i].word) end++;
    s = add_task(w, result, out.data + i, end - i, err);
  }
  SN_ARR_FREE(&out);
  return s;
}

/* The result's state for the normalised elements e[0..n), made if need be.
 * forward: cost of the path to them. *owed: what the arc that leads there has
 * to pay besides; NULL: none leads there, this is the start. */
static sn_status find_or_add(work *w, const elem *e, size_t n, double forward,
                             int32_t *result, elem *owed, sn_err *err) {
  subset x = {.hash = hash_set(e, n), .owed = {.string = EMPTY}};
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
  SN_TRY(spell(&w->text, owed.string, 0, err));
  SN_TRY(append_all(&w->text, &common.string, w->text.scratch.data,
                    w->text.scratch.n, err));
  SN_TRY(spell(&w->text, common.string, 0, err));
  return sn_lat_builder_arc(w->result, t->from, to, t->word,
                            (float)(common.graph + owed.graph),
                            (float)(common.acoustic + owed.acoustic),
                            w->text.scratch.data, w->text.scratch.n, err);
}

static sn_status do_task(work *w, const task *t, sn_err *err) {
  SN_ARR(elem) e = {0};
  /* A copy: making a state adds to `pending`, which may move. */
  sn_status s = SN_ARR_RESIZE(&e, t->n, err);
  if (s == SN_OK) {
    memcpy(e.data, w->pending.data + t->first, t->n * sizeof *e.data);
    s = add_arc(w, t, e.data, err);
  }
  w->n_arcs++;
  SN_ARR_FREE(&e);
  return s;
}

static void work_clear(work *w) {
  sn_free(w->beta);
  sn_free(w->where);
  SN_ARR_FREE(&w->text.nodes);
  SN_ARR_FREE(&w->text.scratch);
  sn_free(w->text.table);
  SN_ARR_FREE(&w->elems);
  SN_ARR_FREE(&w->pending);
  SN_ARR_FREE(&w->set);
  SN_ARR_FREE(&w->order);
  SN_ARR_FREE(&w->tasks);
  SN_ARR_FREE(&w->forward);
  SN_ARR_FREE(&w->initial.subsets);
  SN_ARR_FREE(&w->minimal.subsets);
  sn_free(w->initial.slots);
  sn_free(w->minimal.slots);
  sn_lat_builder_destroy(w->result);
}

sn_status sn_lat_determinize(const sn_lat *raw, const sn_lat_scales *scales,
                             const sn_lat_det_opts *opts, sn_lat *out,
                             sn_lat_det_stats *stats, sn_err *err) {
  memset(out, 0, sizeof *out);
  work w = {.raw = raw, .k = *scales, .opts = opts};
  w.k.word_penalty = 0.0;
  double reached = opts->beam;
  if (raw->n_states > 0) {
    const size_t n = (size_t)raw->n_states;
    w.beta = sn_calloc(n, sizeof *w.beta);
    w.where = sn_calloc(n, sizeof *w.where);
    sn_status s =
        w.beta && w.where ? SN_OK : sn_fail_nomem(err, "determinisation");
    if (s == SN_OK) s = sn_lat_builder_create(&w.result, err);
    const elem root = {0, EMPTY, 0.0, 0.0, 0.0};
    int32_t start = 0;
    if (s == SN_OK) {
      sn_lat_backward(raw, &w.k, true, w.beta);
      w.cutoff = w.beta[0] + opts->beam + 1e-9 * fabs(w.beta[0]);
      s = find_or_add(&w, &root, 1, 0.0, &start, NULL, err);
    }
    while (s == SN_OK && w.tasks.n > 0) {
      const task t = pop_task(&w);
      if (t.priority > w.cutoff) break;
      if (w.n_arcs >= opts->max_arcs || (double)w.n_elems >= opts->max_elems) {
        reached = fmax(0.0, t.priority - w.beta[0]);
        break;
      }
      s = do_task(&w, &t, err);
    }
    if (s == SN_OK) s = sn_lat_builder_take(w.result, start, out, err);
    if (s != SN_OK) {
      work_clear(&w);
      return s;
    }
  }
  if (stats != NULL)
    *stats =
        (sn_lat_det_stats){w.n_elems, (int64_t)w.minimal.subsets.n, reached};
  work_clear(&w);
  return SN_OK;
}
