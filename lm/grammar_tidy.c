/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a word automaton small without changing what it accepts.
 *
 * 1. States on a cycle of epsilon arcs can be reached from each other for
 *    nothing said, so they become one; the cycle's weights are lost.
 * 2. A state whose only way out (or only way in) is one epsilon arc is the
 *    same as that arc's other end, up to the arc's weight, which moves to the
 *    arcs before (behind) it.
 * 3. States that do not lie on a path from start to final go.
 * 4. The rest is numbered breadth first from the start; arcs are sorted by
 *    state. */
#include <string.h>

#include "base/mem.h"
#include "lm/jsgf_internal.h"

sn_status sni_components(int32_t n, const int32_t *first, const int32_t *to,
                         int32_t *component, sn_err *err) {
  /* Frames are the nodes of the current path; at[v] is v's next edge. */
  const size_t count = (size_t)n + 1;
  int32_t *const block = sn_calloc(5 * count, sizeof *block);
  if (block == NULL) return sn_fail_nomem(err, "grammar");
  int32_t *const number = block, *const low = block + count;
  int32_t *const at = block + 2 * count, *const path = block + 3 * count;
  int32_t *const stack = block + 4 * count;
  int32_t n_numbers = 0, n_components = 0, n_stack = 0;
  for (int32_t v = 0; v < n; v++) component[v] = -1;
  for (int32_t root = 0; root < n; root++) {
    if (number[root] != 0) continue;
    int32_t n_path = 0;
    path[n_path++] = root;
    while (n_path > 0) {
      const int32_t v = path[n_path - 1];
      if (number[v] == 0) {
        number[v] = low[v] = ++n_numbers;
        at[v] = first[v];
        stack[n_stack++] = v;
      }
      bool is_deeper = false;
      while (at[v] < first[v + 1] && !is_deeper) {
        const int32_t u = to[at[v]];
        if (number[u] == 0) {
          path[n_path++] = u;
          is_deeper = true; /* this edge is looked at again on return */
        } else {
          if (component[u] < 0 && low[u] < low[v]) low[v] = low[u];
          at[v]++;
        }
      }
      if (is_deeper) continue;
      if (low[v] == number[v]) {
        int32_t u;
        do {
          u = stack[--n_stack];
          component[u] = n_components;
        } while (u != v);
        n_components++;
      }
      n_path--;
    }
  }
  sn_free(block);
  return SN_OK;
}

/* Arcs listed by state: arc[first[s] .. first[s + 1]). */
typedef struct arc_index {
  int32_t *first, *arc;
} arc_index;

static void index_clear(arc_index *x) {
  sn_free(x->first);
  sn_free(x->arc);
  x->first = x->arc = NULL;
}

typedef enum side { SIDE_OUT, SIDE_IN } side;

/* Arcs by the state they leave or enter; dead ones (from < 0) left out. */
static sn_status index_arcs(const sn_grammar *g, side by, bool epsilon_only,
                            arc_index *x, sn_err *err) {
  const size_t n = (size_t)g->n_states;
  x->first = sn_calloc(n + 2, sizeof *x->first);
  x->arc = sn_calloc(g->arcs.n + 1, sizeof *x->arc);
  if (x->first == NULL || x->arc == NULL) {
    index_clear(x);
    return sn_fail_nomem(err, "grammar");
  }
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < g->arcs.n; i++) {
      const sn_grammar_arc *const a = &g->arcs.data[i];
      if (a->from < 0 || (epsilon_only && a->word >= 0)) continue;
      const int32_t s = by == SIDE_OUT ? a->from : a->to;
      if (pass == 0)
        x->first[s + 2]++;
      else
        x->arc[x->first[s + 1]++] = (int32_t)i;
    }
    if (pass == 0)
      for (size_t s = 2; s < n + 2; s++) x->first[s] += x->first[s - 1];
  }
  return SN_OK;
}

/* Step 1. */
static sn_status merge_cycles(sn_grammar *g, sn_err *err) {
  arc_index x = {0};
  SN_TRY(index_arcs(g, SIDE_OUT, true, &x, err));
  const size_t n_arcs = (size_t)x.first[g->n_states];
  int32_t *const to = sn_calloc(n_arcs + 1, sizeof *to);
  int32_t *const component = sn_calloc((size_t)g->n_states, sizeof *component);
  sn_status s = SN_OK;
  if (to == NULL || component == NULL) {
    s = sn_fail_nomem(err, "grammar");
    goto done;
  }
  for (size_t i = 0; i < n_arcs; i++) to[i] = g->arcs.data[x.arc[i]].to;
  s = sni_components(g->n_states, x.first, to, component, err);
  if (s != SN_OK) goto done;
  for (size_t i = 0; i < g->arcs.n; i++) {
    sn_grammar_arc *const a = &g->arcs.data[i];
    a->from = component[a->from];
    a->to = component[a->to];
    if (a->from == a->to && a->word < 0) a->from = -1; /* dead */
  }
  g->start = component[g->start];
  g->final = component[g->final];
done:
  index_clear(&x);
  sn_free(to);
  sn_free(component);
  return s;
}

/* Step 2, one direction. Chains are followed: the arcs are visited so that a
 * state's far end is settled before it (epsilon arcs have no cycles now). */
typedef struct far_end {
  int32_t state; /* -1: not known yet */
  float logp;
} far_end;

static far_end resolve(const sn_grammar *g, const int32_t *only, side by,
                       far_end *end, int32_t s) {
  /* 2a: to the end of the chain or to a state that is settled. */
  float sum = 0.0f;
  int32_t v = s;
  while (end[v].state < 0 && only[v] >= 0) {
    const sn_grammar_arc *const a = &g->arcs.data[only[v]];
    sum += a->logp;
    v = by == SIDE_OUT ? a->to : a->from;
  }
  if (end[v].state < 0) end[v].state = v;
  const far_end last = end[v];
  sum += last.logp;
  /* 2b: write it into every state of the chain. */
  for (v = s; end[v].state < 0;) {
    const sn_grammar_arc *const a = &g->arcs.data[only[v]];
    end[v].state = last.state;
    end[v].logp = sum;
    sum -= a->logp;
    v = by == SIDE_OUT ? a->to : a->from;
  }
  return end[s];
}

static sn_status contract(sn_grammar *g, side by, sn_err *err) {
  arc_index x = {0};
  SN_TRY(index_arcs(g, by, false, &x, err));
  int32_t *const only = sn_calloc((size_t)g->n_states, sizeof *only);
  far_end *const end = sn_calloc((size_t)g->n_states, sizeof *end);
  sn_status s = SN_OK;
  if (only == NULL || end == NULL) {
    s = sn_fail_nomem(err, "grammar");
    goto done;
  }
  for (int32_t v = 0; v < g->n_states; v++) {
    only[v] = -1;
    end[v].state = -1;
    if (v == g->start || v == g->final) continue;
    if (x.first[v + 1] - x.first[v] != 1) continue;
    const int32_t i = x.arc[x.first[v]];
    if (g->arcs.data[i].word < 0) only[v] = i;
  }
  for (size_t i = 0; i < g->arcs.n; i++) {
    sn_grammar_arc *const a = &g->arcs.data[i];
    if (a->from < 0) continue;
    const int32_t near = by == SIDE_OUT ? a->from : a->to;
    if (only[near] == (int32_t)i) continue; /* goes with its state, below */
    const far_end e =
        resolve(g, only, by, end, by == SIDE_OUT ? a->to : a->from);
    if (by == SIDE_OUT)
      a->to = e.state;
    else
      a->from = e.state;
    a->logp += e.logp;
  }
  for (int32_t v = 0; v < g->n_states; v++)
    if (only[v] >= 0) g->arcs.data[only[v]].from = -1;
done:
  index_clear(&x);
  sn_free(only);
  sn_free(end);
  return s;
}

/* Marks what can be reached along (or against) the arcs; queue has room for
 * all states and holds them in the order of their discovery. */
static int32_t reach(const sn_grammar *g, const arc_index *x, side by,
                     int32_t root, bool *is_reached, int32_t *queue) {
  int32_t n = 0;
  is_reached[root] = true;
  queue[n++] = root;
  for (int32_t i = 0; i < n; i++)
    for (int32_t k = x->first[queue[i]]; k < x->first[queue[i] + 1]; k++) {
      const sn_grammar_arc *const a = &g->arcs.data[x->arc[k]];
      const int32_t v = by == SIDE_OUT ? a->to : a->from;
      if (is_reached[v]) continue;
      is_reached[v] = true;
      queue[n++] = v;
    }
  return n;
}

static void keep_arcs(sn_grammar *g, const arc_index *out, const int32_t *queue,
                      int32_t n_queue, const int32_t *number,
                      sn_grammar_arc *kept) {
  size_t n = 0;
  for (int32_t i = 0; i < n_queue; i++) {
    const int32_t s = queue[i];
    if (number[s] < 0) continue;
    for (int32_t k = out->first[s]; k < out->first[s + 1]; k++) {
      sn_grammar_arc a = g->arcs.data[out->arc[k]];
      if (number[a.to] < 0) continue;
      a.from = number[s];
      a.to = number[a.to];
      kept[n++] = a;
    }
  }
  if (n > 0) memcpy(g->arcs.data, kept, n * sizeof *kept);
  g->arcs.n = n;
}

/* Steps 3 and 4. */
static sn_status trim(sn_grammar *g, sn_err *err) {
  const size_t n = (size_t)g->n_states;
  arc_index out = {0}, in = {0};
  bool *const forward = sn_calloc(2 * n, sizeof *forward);
  int32_t *const queue = sn_calloc(2 * n, sizeof *queue);
  sn_grammar_arc *const kept = sn_calloc(g->arcs.n + 1, sizeof *kept);
  sn_status s = SN_OK;
  if (forward == NULL || queue == NULL || kept == NULL) {
    s = sn_fail_nomem(err, "grammar");
    goto done;
  }
  bool *const backward = forward + n;
  int32_t *const number = queue + n;
  SN_TRY_GOTO(s, index_arcs(g, SIDE_OUT, false, &out, err));
  SN_TRY_GOTO(s, index_arcs(g, SIDE_IN, false, &in, err));
  reach(g, &in, SIDE_IN, g->final, backward, queue);
  const int32_t n_queue = reach(g, &out, SIDE_OUT, g->start, forward, queue);
  if (!forward[g->final]) {
    s = SN_EFORMAT;
    goto done;
  }
  for (size_t v = 0; v < n; v++) number[v] = -1;
  g->n_states = 0;
  for (int32_t i = 0; i < n_queue; i++)
    if (backward[queue[i]]) number[queue[i]] = g->n_states++;
  keep_arcs(g, &out, queue, n_queue, number, kept);
  g->start = number[g->start];
  g->final = number[g->final];
fail:
done:
  index_clear(&out);
  index_clear(&in);
  sn_free(forward);
  sn_free(queue);
  sn_free(kept);
  return s;
}

sn_status sni_grammar_tidy(sn_grammar *g, sn_err *err) {
  SN_TRY(merge_cycles(g, err));
  SN_TRY(trim(g, err));
  SN_TRY(contract(g, SIDE_OUT, err));
  SN_TRY(contract(g, SIDE_IN, err));
  return trim(g, err);
}
