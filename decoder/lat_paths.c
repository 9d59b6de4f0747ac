/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of lattices. States are in topological order, so that forward and
 * backward passes are one loop each, without a queue. */
#include "decoder/lat_paths.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define MAX_PARTIAL ((size_t)1 << 24)

static double arc_total(const sn_lat_arc *a, const sn_lat_scales *k) {
  return (double)a->graph * k->graph + (double)a->acoustic * k->acoustic +
         (a->word != 0 ? k->word_penalty : 0.0);
}

static double final_total(const sn_lat_state *s, const sn_lat_scales *k) {
  if (isinf(s->final_graph)) return HUGE_VAL;
  return (double)s->final_graph * k->graph +
         (double)s->final_acoustic * k->acoustic;
}

/* -ln(exp(-a) + exp(-b)) */
static double log_add_costs(double a, double b) {
  if (b < a) {
    const double t = a;
    a = b;
    b = t;
  }
  return isinf(b) ? a : a - log1p(exp(a - b));
}

void sn_lat_path_clear(sn_lat_path *p) {
  SN_ARR_FREE(&p->words);
  SN_ARR_FREE(&p->begin);
  SN_ARR_FREE(&p->word_graph);
  SN_ARR_FREE(&p->word_acoustic);
  SN_ARR_FREE(&p->ali);
  memset(p, 0, sizeof *p);
}

sn_status sn_lat_path_append(sn_lat_path *p, const sn_lat_path *next,
                             sn_err *err) {
  const size_t n = p->words.n, k = next->words.n;
  SN_TRY(SN_ARR_RESERVE(&p->ali, p->ali.n + next->ali.n, err));
  SN_TRY(SN_ARR_RESERVE(&p->words, n + k, err));
  SN_TRY(SN_ARR_RESERVE(&p->begin, n + k, err));
  SN_TRY(SN_ARR_RESERVE(&p->word_graph, n + k, err));
  SN_TRY(SN_ARR_RESERVE(&p->word_acoustic, n + k, err));
  for (size_t i = 0; i < k; i++) {
    p->words.data[n + i] = next->words.data[i];
    p->begin.data[n + i] = next->begin.data[i] + (int32_t)p->ali.n;
    p->word_graph.data[n + i] = next->word_graph.data[i];
    p->word_acoustic.data[n + i] = next->word_acoustic.data[i];
  }
  if (next->ali.n > 0)
    memcpy(p->ali.data + p->ali.n, next->ali.data,
           next->ali.n * sizeof *p->ali.data);
  p->ali.n += next->ali.n;
  p->words.n = p->begin.n = p->word_graph.n = p->word_acoustic.n = n + k;
  p->graph += next->graph;
  p->acoustic += next->acoustic;
  p->total += next->total;
  return SN_OK;
}

static double *new_costs(const sn_lat *l, double value) {
  double *const x = sn_calloc((size_t)l->n_states, sizeof *x);
  if (x != NULL)
    for (int32_t s = 0; s < l->n_states; s++) x[s] = value;
  return x;
}

void sn_lat_forward(const sn_lat *l, const sn_lat_scales *k, bool viterbi,
                    double *alpha) {
  for (int32_t s = 0; s < l->n_states; s++) alpha[s] = s == 0 ? 0.0 : HUGE_VAL;
  for (int32_t s = 0; s < l->n_states; s++)
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      const double x = alpha[s] + arc_total(a, k);
      alpha[a->next] =
          viterbi ? fmin(alpha[a->next], x) : log_add_costs(alpha[a->next], x);
    }
}

void sn_lat_backward(const sn_lat *l, const sn_lat_scales *k, bool viterbi,
                     double *beta) {
  for (int32_t s = l->n_states; s-- > 0;) {
    beta[s] = final_total(&l->states[s], k);
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      const double x = beta[a->next] + arc_total(a, k);
      beta[s] = viterbi ? fmin(beta[s], x) : log_add_costs(beta[s], x);
    }
  }
}

/* ---- Paths from chains of arcs ---- */

/* Puts the arcs (in order) and the final weight of the last state into out. */
static sn_status fill_path(const sn_lat *l, const sn_lat_scales *k,
                           const uint32_t *arcs, size_t n, int32_t last,
                           sn_lat_path *out, sn_err *err) {
  const sn_lat_state *const end = &l->states[last];
  size_t n_ali = end->n_ali, n_words = 0;
  for (size_t i = 0; i < n; i++) {
    n_ali += l->arcs[arcs[i]].n_ali;
    n_words += l->arcs[arcs[i]].word != 0;
  }
  SN_TRY(SN_ARR_RESERVE(&out->ali, n_ali, err));
  SN_TRY(SN_ARR_RESERVE(&out->words, n_words, err));
  SN_TRY(SN_ARR_RESERVE(&out->begin, n_words, err));
  SN_TRY(SN_ARR_RESERVE(&out->word_graph, n_words, err));
  SN_TRY(SN_ARR_RESERVE(&out->word_acoustic, n_words, err));
  for (size_t i = 0; i < n; i++) {
    const sn_lat_arc *const a = &l->arcs[arcs[i]];
    if (a->word != 0) {
      out->begin.data[out->begin.n++] = (int32_t)out->ali.n;
      out->words.data[out->words.n++] = a->word;
      out->word_graph.data[out->word_graph.n++] = a->graph;
      out->word_acoustic.data[out->word_acoustic.n++] = a->acoustic;
    }
    if (a->n_ali > 0)
      memcpy(out->ali.data + out->ali.n, l->ali + a->first_ali,
             a->n_ali * sizeof *l->ali);
    out->ali.n += a->n_ali;
    out->graph += (double)a->graph;
    out->acoustic += (double)a->acoustic;
    out->total += arc_total(a, k);
  }
  if (end->n_ali > 0)
    memcpy(out->ali.data + out->ali.n, l->ali + end->first_ali,
           end->n_ali * sizeof *l->ali);
  out->ali.n += end->n_ali;
  out->graph += (double)end->final_graph;
  out->acoustic += (double)end->final_acoustic;
  out->total += final_total(end, k);
  return SN_OK;
}

sn_status sn_lat_best(const sn_lat *l, const sn_lat_scales *k, sn_lat_path *out,
                      sn_err *err) {
  memset(out, 0, sizeof *out);
  if (l->n_states == 0) {
    out->total = HUGE_VAL;
    return SN_OK;
  }
  SN_ARR(uint32_t) arcs = {0};
  double *const beta = new_costs(l, HUGE_VAL);
  sn_status s = beta != NULL ? SN_OK : sn_fail_nomem(err, "best path");
  if (s == SN_OK) sn_lat_backward(l, k, true, beta);
  int32_t at = 0;
  bool going = true;
  while (s == SN_OK && going) {
    double least = final_total(&l->states[at], k);
    uint32_t best = UINT32_MAX;
    for (uint32_t i = l->states[at].first_arc; i < l->states[at + 1].first_arc;
         i++) {
      const double x = beta[l->arcs[i].next] + arc_total(&l->arcs[i], k);
      if (x < least) {
        least = x;
        best = i;
      }
    }
    going = best != UINT32_MAX;
    if (going) {
      s = SN_ARR_PUSH(&arcs, best, err);
      at = l->arcs[best].next;
    }
  }
  if (s == SN_OK) s = fill_path(l, k, arcs.data, arcs.n, at, out, err);
  if (s != SN_OK) sn_lat_path_clear(out);
  SN_ARR_FREE(&arcs);
  sn_free(beta);
  return s;
}

sn_status sn_lat_follow(const sn_lat *l, const sn_lat_scales *k,
                        const int32_t *words, size_t n, sn_lat_path *out,
                        bool *found, sn_err *err) {
  SN_ARR(uint32_t) arcs = {0};
  int32_t at = 0;
  memset(out, 0, sizeof *out);
  *found = l->n_states > 0;
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && *found && i < n; i++) {
    uint32_t a = l->states[at].first_arc;
    while (a < l->states[at + 1].first_arc && l->arcs[a].word != words[i]) a++;
    *found = a < l->states[at + 1].first_arc;
    if (!*found) break;
    s = SN_ARR_PUSH(&arcs, a, err);
    at = l->arcs[a].next;
  }
  *found = s == SN_OK && *found && isfinite(l->states[at].final_graph);
  if (*found) s = fill_path(l, k, arcs.data, arcs.n, at, out, err);
  if (s != SN_OK) sn_lat_path_clear(out);
  SN_ARR_FREE(&arcs);
  return s;
}

/* ---- n best ---- */

/* A partial path: its last arc, and the one before it. */
typedef struct partial {
  int32_t parent; /* -1: none */
  int32_t state;  /* where it stands; -1: complete */
  uint32_t arc;
  double cost; /* so far */
} partial;

typedef struct heap_item {
  double total; /* cost so far + exact cost to go */
  int32_t partial;
} heap_item;

typedef struct nbest_search {
  SN_ARR(partial) partials;
  SN_ARR(heap_item) heap; /* least total first; ties: older first */
} nbest_search;

static bool before(heap_item a, heap_item b) {
  return a.total < b.total || (a.total == b.total && a.partial < b.partial);
}

static void sift_up(nbest_search *q, size_t i) {
  const heap_item x = q->heap.data[i];
  while (i > 0 && before(x, q->heap.data[(i - 1) / 2])) {
    q->heap.data[i] = q->heap.data[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  q->heap.data[i] = x;
}

static heap_item pop(nbest_search *q) {
  const heap_item top = q->heap.data[0];
  const heap_item x = q->heap.data[--q->heap.n];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= q->heap.n) break;
    if (child + 1 < q->heap.n &&
        before(q->heap.data[child + 1], q->heap.data[child]))
      child++;
    if (!before(q->heap.data[child], x)) break;
    q->heap.data[i] = q->heap.data[child];
    i = child;
  }
  if (q->heap.n > 0) q->heap.data[i] = x;
  return top;
}

static sn_status push(nbest_search *q, partial p, double to_go, sn_err *err) {
  if (isinf(p.cost + to_go)) return SN_OK;
  if (q->partials.n >= MAX_PARTIAL)
    return sn_fail(err, SN_ELIMIT,
                   "n best: more than %zu partial paths; ask for fewer or "
                   "prune the lattice first",
                   MAX_PARTIAL);
  const heap_item item = {p.cost + to_go, (int32_t)q->partials.n};
  SN_TRY(SN_ARR_PUSH(&q->partials, p, err));
  SN_TRY(SN_ARR_PUSH(&q->heap, item, err));
  sift_up(q, q->heap.n - 1);
  return SN_OK;
}

static sn_status expand(nbest_search *q, const sn_lat *l,
                        const sn_lat_scales *k, const double *beta,
                        int32_t which, sn_err *err) {
  const partial p = q->partials.data[which];
  const sn_lat_state *const s = &l->states[p.state];
  if (isfinite(s->final_graph)) {
    const partial end = {which, -1, 0, p.cost + final_total(s, k)};
    SN_TRY(push(q, end, 0.0, err));
  }
  for (uint32_t i = s->first_arc; i < s[1].first_arc; i++) {
    const sn_lat_arc *const a = &l->arcs[i];
    const partial next = {which, a->next, i, p.cost + arc_total(a, k)};
    SN_TRY(push(q, next, beta[a->next], err));
  }
  return SN_OK;
}

/* The arcs that lead to a complete partial path. */
static sn_status trace(const nbest_search *q, const sn_lat *l,
                       const sn_lat_scales *k, int32_t which, sn_lat_path *out,
                       sn_err *err) {
  SN_ARR(uint32_t) arcs = {0};
  const int32_t last = q->partials.data[which].parent;
  size_t n = 0;
  for (int32_t p = last; q->partials.data[p].parent >= 0;
       p = q->partials.data[p].parent)
    n++;
  sn_status s = SN_ARR_RESIZE(&arcs, n, err);
  for (int32_t p = last; s == SN_OK && q->partials.data[p].parent >= 0;
       p = q->partials.data[p].parent)
    arcs.data[--n] = q->partials.data[p].arc;
  if (s == SN_OK)
    s = fill_path(l, k, arcs.data, arcs.n, q->partials.data[last].state, out,
                  err);
  SN_ARR_FREE(&arcs);
  return s;
}

sn_status sn_lat_nbest(const sn_lat *l, const sn_lat_scales *k, size_t n,
                       sn_lat_path **paths, size_t *n_paths, sn_err *err) {
  *paths = NULL;
  *n_paths = 0;
  if (n > MAX_PARTIAL) n = MAX_PARTIAL;
  nbest_search q = {0};
  SN_ARR(sn_lat_path) out = {0};
  double *const beta = new_costs(l, HUGE_VAL);
  sn_status s = beta != NULL ? SN_OK : sn_fail_nomem(err, "n best");
  if (s == SN_OK) sn_lat_backward(l, k, true, beta);
  if (s == SN_OK && l->n_states > 0) {
    const partial root = {-1, 0, 0, 0.0};
    s = push(&q, root, beta[0], err);
  }
  while (s == SN_OK && q.heap.n > 0 && out.n < n) {
    const heap_item top = pop(&q);
    if (q.partials.data[top.partial].state >= 0) {
      s = expand(&q, l, k, beta, top.partial, err);
      continue;
    }
    sn_lat_path path = {0};
    s = SN_ARR_RESERVE(&out, out.n + 1, err);
    if (s == SN_OK) s = trace(&q, l, k, top.partial, &path, err);
    if (s == SN_OK)
      out.data[out.n++] = path;
    else
      sn_lat_path_clear(&path);
  }
  SN_ARR_FREE(&q.partials);
  SN_ARR_FREE(&q.heap);
  sn_free(beta);
  if (s != SN_OK) {
    for (size_t i = 0; i < out.n; i++) sn_lat_path_clear(&out.data[i]);
    SN_ARR_FREE(&out);
    return s;
  }
  *paths = out.data;
  *n_paths = out.n;
  return SN_OK;
}

/* ---- Pruning ---- */

sn_status sn_lat_prune(const sn_lat *l, const sn_lat_scales *k, double beam,
                       sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  if (l->n_states == 0) return SN_OK;
  sn_lat_builder *b = NULL;
  double *const alpha = new_costs(l, HUGE_VAL);
  double *const beta = new_costs(l, HUGE_VAL);
  sn_status s =
      alpha && beta ? SN_OK : sn_fail_nomem(err, "pruning of a lattice");
  if (s == SN_OK) sn_lat_forward(l, k, true, alpha);
  if (s == SN_OK) sn_lat_backward(l, k, true, beta);
  if (s == SN_OK) s = sn_lat_builder_create(&b, err);
  int32_t id;
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++)
    s = sn_lat_builder_state(b, &id, err);
  /* The best path itself stays, whatever rounding does: 1e-9 of its total. */
  const double limit = s == SN_OK ? beta[0] + beam + 1e-9 * fabs(beta[0]) : 0.0;
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++) {
    const sn_lat_state *const x = &l->states[i];
    for (uint32_t j = x->first_arc; s == SN_OK && j < x[1].first_arc; j++) {
      const sn_lat_arc *const a = &l->arcs[j];
      if (alpha[i] + arc_total(a, k) + beta[a->next] <= limit)
        s = sn_lat_builder_arc(b, i, a->next, a->word, a->graph, a->acoustic,
                               l->ali + a->first_ali, a->n_ali, err);
    }
    if (s == SN_OK && alpha[i] + final_total(x, k) <= limit)
      s = sn_lat_builder_final(b, i, x->final_graph, x->final_acoustic,
                               l->ali + x->first_ali, x->n_ali, err);
  }
  if (s == SN_OK) s = sn_lat_builder_take(b, 0, out, err);
  sn_lat_builder_destroy(b);
  sn_free(alpha);
  sn_free(beta);
  return s;
}

/* ---- Posteriors ---- */

sn_status sn_lat_posteriors(const sn_lat *l, const sn_lat_scales *k,
                            double *arcs, double *finals, double *total,
                            sn_err *err) {
  *total = HUGE_VAL;
  if (l->n_states == 0) return SN_OK;
  double *const alpha = new_costs(l, HUGE_VAL);
  double *const beta = new_costs(l, HUGE_VAL);
  sn_status s = alpha && beta ? SN_OK : sn_fail_nomem(err, "posteriors");
  if (s == SN_OK) sn_lat_forward(l, k, false, alpha);
  if (s == SN_OK) sn_lat_backward(l, k, false, beta);
  if (s == SN_OK) *total = beta[0];
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++) {
    const sn_lat_state *const x = &l->states[i];
    for (uint32_t j = x->first_arc; arcs != NULL && j < x[1].first_arc; j++) {
      const sn_lat_arc *const a = &l->arcs[j];
      arcs[j] = exp(beta[0] - (alpha[i] + arc_total(a, k) + beta[a->next]));
    }
    if (finals != NULL)
      finals[i] = isinf(x->final_graph)
                      ? 0.0
                      : exp(beta[0] - (alpha[i] + final_total(x, k)));
  }
  sn_free(alpha);
  sn_free(beta);
  return s;
}

double sn_lat_n_paths(const sn_lat *l) {
  if (l->n_states == 0) return 0.0;
  double *const n = new_costs(l, 0.0);
  if (n == NULL) return NAN;
  for (int32_t s = l->n_states; s-- > 0;) {
    n[s] = isfinite(l->states[s].final_graph) ? 1.0 : 0.0;
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++)
      n[s] += n[l->arcs[i].next];
  }
  const double all = n[0];
  sn_free(n);
  return all;
}
