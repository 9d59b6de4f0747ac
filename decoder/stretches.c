/* SPDX-License-Identifier: Apache-2.0 */
/* Lattices in a row.
 *
 * Let all paths of a lattice run through one node. The lattice is then the
 * concatenation of what lies before it and what lies behind it, and the best
 * cost of a word sequence a b is the sum of the best costs of a before and b
 * behind, if only one pair (a, b) makes the sequence. That is so where no
 * sequence before the node begins another one of those: for deterministic
 * lattices, where no final state has an arc out of it. Such lattices, each
 * determinised alone, are put in a row by leading the arcs into their final
 * states to the start of the next one. It has every sequence of the whole
 * within the beam exactly once, and more behind the beam, to be pruned.
 *
 * A stretch without words is one state; its cost and alignment go to the arcs
 * that leave the start of the next stretch, or to the end. */
#include "decoder/stretches_internal.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_ops.h"
#include "decoder/lat_paths.h"

static void drop_all(sni_stretches *x) {
  for (size_t i = 0; i < x->done.n; i++) sn_lat_clear(&x->done.data[i]);
  x->done.n = 0;
}

void sni_stretches_reset(sni_stretches *x) {
  drop_all(x);
  x->try_at = x->failed_at = 0;
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
  size_t n = x->done.cap * sizeof *x->done.data;
  for (size_t i = 0; i < x->done.n; i++) n += lat_bytes(&x->done.data[i]);
  return n;
}

static bool is_final(const sn_lat_state *s) { return isfinite(s->final_graph); }

bool sni_is_prefix_free(const sn_lat *l) {
  for (int32_t s = 0; s < l->n_states; s++)
    if (is_final(&l->states[s]) &&
        l->states[s].first_arc < l->states[s + 1].first_arc)
      return false;
  return true;
}

/* Where paths end and go on: keeps the better of both. alpha, beta: least costs
 * from the start and to the end. */
static sn_status keep_better(const sn_lat *l, const sn_lat_scales *k,
                             const double *alpha, const double *beta,
                             double *beam, sn_lat *out, sn_err *err) {
  sn_lat_builder *b = NULL;
  sn_status s = sn_lat_builder_create(&b, err);
  int32_t id;
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++)
    s = sn_lat_builder_state(b, &id, err);
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++) {
    const sn_lat_state *const x = &l->states[i];
    double end = HUGE_VAL, on = HUGE_VAL;
    if (is_final(x))
      end = (double)x->final_graph * k->graph +
            (double)x->final_acoustic * k->acoustic;
    for (uint32_t j = x->first_arc; j < x[1].first_arc; j++) {
      const sn_lat_arc *const a = &l->arcs[j];
      on = fmin(on, (double)a->graph * k->graph +
                        (double)a->acoustic * k->acoustic + beta[a->next]);
    }
    if (isfinite(end) && isfinite(on))
      *beam = fmin(*beam, alpha[i] + fmax(end, on) - beta[0]);
    for (uint32_t j = x->first_arc;
         s == SN_OK && !(end <= on) && j < x[1].first_arc; j++) {
      const sn_lat_arc *const a = &l->arcs[j];
      s = sn_lat_builder_arc(b, i, a->next, a->word, a->graph, a->acoustic,
                             l->ali + a->first_ali, a->n_ali, err);
    }
    if (s == SN_OK && isfinite(end) && end <= on)
      s = sn_lat_builder_final(b, i, x->final_graph, x->final_acoustic,
                               l->ali + x->first_ali, x->n_ali, err);
  }
  if (s == SN_OK) s = sn_lat_builder_take(b, 0, out, err);
  sn_lat_builder_destroy(b);
  return s;
}

sn_status sni_make_prefix_free(sn_lat *l, const sn_lat_scales *k, double *beam,
                               sn_err *err) {
  sn_lat out = {0};
  if (sni_is_prefix_free(l)) return SN_OK;
  const size_t n = (size_t)l->n_states;
  double *const alpha = sn_calloc(n, sizeof *alpha);
  double *const beta = sn_calloc(n, sizeof *beta);
  sn_status s =
      alpha != NULL && beta != NULL ? SN_OK : sn_fail_nomem(err, "lattice");
  if (s == SN_OK) {
    sn_lat_forward(l, k, true, alpha);
    sn_lat_backward(l, k, true, beta);
    s = keep_better(l, k, alpha, beta, beam, &out, err);
  }
  sn_free(alpha);
  sn_free(beta);
  if (s != SN_OK) return s;
  sn_lat_clear(l);
  *l = out;
  return SN_OK;
}

sn_status sni_stretches_add(sni_stretches *x, sn_lat *l,
                            const sn_lat_det_stats *stats, sn_err *err) {
  SN_TRY(SN_ARR_PUSH(&x->done, *l, err));
  memset(l, 0, sizeof *l);
  x->stats.n_elems += stats->n_elems;
  x->stats.n_subsets += stats->n_subsets;
  if (stats->beam < x->stats.beam) x->stats.beam = stats->beam;
  return SN_OK;
}

/* ---- In a row ---- */

typedef struct joint {
  sn_lat_builder *b;
  SN_ARR(int32_t) states; /* of the lattice being added */
  sn_arr_i32 ali;         /* of the arc being added */
  /* What stretches without words have left for the arcs that come next. */
  double graph, acoustic;
  sn_arr_i32 lead;
} joint;

static sn_status add_ali(sn_arr_i32 *to, const sn_lat *l, uint32_t first,
                         uint32_t n, sn_err *err) {
  SN_TRY(SN_ARR_RESERVE(to, to->n + n, err));
  if (n > 0) memcpy(to->data + to->n, l->ali + first, n * sizeof *l->ali);
  to->n += n;
  return SN_OK;
}

/* An arc of l out of state s, or (a NULL) its final weight. end: state of the
 * result that stands for all final states of l; -1: they stay. */
static sn_status put(joint *j, const sn_lat *l, int32_t s, const sn_lat_arc *a,
                     int32_t end, sn_err *err) {
  const sn_lat_state *const from = &l->states[s];
  double graph = a != NULL ? (double)a->graph : (double)from->final_graph;
  double acoustic =
      a != NULL ? (double)a->acoustic : (double)from->final_acoustic;
  int32_t to = a != NULL ? j->states.data[a->next] : -1;
  j->ali.n = 0;
  if (s == 0) {
    graph += j->graph;
    acoustic += j->acoustic;
    SN_TRY(SN_ARR_RESERVE(&j->ali, j->lead.n, err));
    if (j->lead.n > 0)
      memcpy(j->ali.data, j->lead.data, j->lead.n * sizeof *j->ali.data);
    j->ali.n = j->lead.n;
  }
  if (a == NULL) {
    SN_TRY(add_ali(&j->ali, l, from->first_ali, from->n_ali, err));
    return sn_lat_builder_final(j->b, j->states.data[s], (float)graph,
                                (float)acoustic, j->ali.data, j->ali.n, err);
  }
  SN_TRY(add_ali(&j->ali, l, a->first_ali, a->n_ali, err));
  const sn_lat_state *const next = &l->states[a->next];
  if (end >= 0 && is_final(next)) {
    graph += (double)next->final_graph;
    acoustic += (double)next->final_acoustic;
    SN_TRY(add_ali(&j->ali, l, next->first_ali, next->n_ali, err));
    to = end;
  }
  return sn_lat_builder_arc(j->b, j->states.data[s], to, a->word, (float)graph,
                            (float)acoustic, j->ali.data, j->ali.n, err);
}

/* A stretch of one state: what it costs is put off. */
static sn_status put_off(joint *j, const sn_lat *l, sn_err *err) {
  j->graph += (double)l->states[0].final_graph;
  j->acoustic += (double)l->states[0].final_acoustic;
  return add_ali(&j->lead, l, l->states[0].first_ali, l->states[0].n_ali, err);
}

/* Adds l, whose start is *start of the result, which becomes the start of what
 * comes behind it. last: its final states stay. */
static sn_status append(joint *j, const sn_lat *l, bool last, int32_t *start,
                        sn_err *err) {
  int32_t end = -1;
  if (!last && l->n_arcs == 0) return put_off(j, l, err);
  SN_TRY(SN_ARR_RESIZE(&j->states, (size_t)l->n_states, err));
  j->states.data[0] = *start;
  for (int32_t s = 1; s < l->n_states; s++)
    SN_TRY(sn_lat_builder_state(j->b, &j->states.data[s], err));
  if (!last) SN_TRY(sn_lat_builder_state(j->b, &end, err));
  for (int32_t s = 0; s < l->n_states; s++) {
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++)
      SN_TRY(put(j, l, s, &l->arcs[i], end, err));
    if (last && is_final(&l->states[s])) SN_TRY(put(j, l, s, NULL, end, err));
  }
  j->graph = j->acoustic = 0.0;
  j->lead.n = 0;
  *start = end;
  return SN_OK;
}

static sn_status join(const sn_lat *row, size_t n, const sn_lat *tail, joint *j,
                      sn_lat *out, sn_err *err) {
  int32_t first = 0;
  SN_TRY(sn_lat_builder_create(&j->b, err));
  SN_TRY(sn_lat_builder_state(j->b, &first, err));
  int32_t start = first;
  for (size_t i = 0; i < n; i++) SN_TRY(append(j, &row[i], false, &start, err));
  SN_TRY(append(j, tail, true, &start, err));
  return sn_lat_builder_take(j->b, first, out, err);
}

static sn_status join_all(const sn_lat *row, size_t n, const sn_lat *tail,
                          sn_lat *out, sn_err *err) {
  joint j = {0};
  memset(out, 0, sizeof *out);
  if (tail->n_states == 0) return SN_OK;
  const sn_status s = join(row, n, tail, &j, out, err);
  sn_lat_builder_destroy(j.b);
  SN_ARR_FREE(&j.states);
  SN_ARR_FREE(&j.ali);
  SN_ARR_FREE(&j.lead);
  return s;
}

sn_status sni_stretches_join(const sni_stretches *x, const sn_lat *tail,
                             sn_lat *out, sn_err *err) {
  return join_all(x->done.data, x->done.n, tail, out, err);
}

sn_status sn_lat_join(const sn_lat *row, size_t n, sn_lat *out, sn_err *err) {
  return join_all(row, n - 1, &row[n - 1], out, err);
}
