/* SPDX-License-Identifier: Apache-2.0 */
/* Rescoring of lattices in a row.
 *
 * `now` is the newest lattice, composed from the history at its beginning, with
 * a final state for each history that ends it; its paths are not pruned yet.
 * For the next one, l:
 *   1. l is composed from all the ends of `now`, each at its least cost: pairs
 *      that several ends lead to exist once. A new state before them leads to
 *      the first pair of each (its root);
 *   2. beta, the least cost from each root to the end of l, and the least cost
 *      to each end of `now` tell the best path through both, so the history
 *      between them;
 *   3. each end of `now` costs what its root's beta has over the best one's;
 *      then `now` is pruned, and is done;
 *   4. the part of the composition behind the root of that history becomes
 *      `now`. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_paths.h"
#include "decoder/lat_rescore_internal.h"

struct sn_lat_row {
  sn_lat_scales k;
  sn_lat_lm old_lm, new_lm;
  sn_lat_rescore_opts opts;
  sn_lat now; /* empty: nothing was added yet, or it was given away */
  SN_ARR(sni_lm_place) places; /* of its ends */
  sn_arr_i32 place_of;         /* [states of now] its place; -1: no end */
  bool is_last, is_pruned;
  sn_lat_rescore_stats stats;
  int64_t n_kept;
};

sn_status sn_lat_row_create(const sn_lat_scales *scales,
                            const sn_lat_lm *old_lm, const sn_lat_lm *new_lm,
                            const sn_lat_rescore_opts *opts, sn_lat_row **out,
                            sn_err *err) {
  *out = NULL;
  sn_lat_row *const r = sn_calloc(1, sizeof *r);
  if (r == NULL) return sn_fail_nomem(err, "rescoring");
  r->k = *scales;
  if (old_lm != NULL) r->old_lm = *old_lm;
  if (new_lm != NULL) r->new_lm = *new_lm;
  r->opts = *opts;
  *out = r;
  return SN_OK;
}

void sn_lat_row_destroy(sn_lat_row *r) {
  if (r == NULL) return;
  sn_lat_clear(&r->now);
  SN_ARR_FREE(&r->places);
  SN_ARR_FREE(&r->place_of);
  sn_free(r);
}

sn_lat_rescore_stats sn_lat_row_stats(const sn_lat_row *r, int64_t *n_kept) {
  *n_kept = r->n_kept;
  return r->stats;
}

static void add_stats(sn_lat_row *r, const sn_lat_rescore_stats *x) {
  r->stats.n_states += x->n_states;
  r->stats.n_arcs += x->n_arcs;
  r->stats.n_cut += x->n_cut;
  r->stats.n_oov += x->n_oov;
}

/* ---- One step ---- */

/* A lattice from all the ends of the one before. */
typedef struct step {
  SN_ARR(sni_lm_start) starts; /* the ends of `now`, in order of its states */
  sn_arr_i32 end_of;           /* [starts] state of `now` */
  sn_lat all;                  /* composed; empty: no path is left */
  sn_arr_i32 roots;            /* [starts or 1] states of all; -1: lost */
  SN_ARR(sni_lm_place) places;
  sn_arr_i32 place_of; /* [states of all] */
  double *beta;        /* [states of all] */
} step;

static void step_clear(step *x) {
  SN_ARR_FREE(&x->starts);
  SN_ARR_FREE(&x->end_of);
  sn_lat_clear(&x->all);
  SN_ARR_FREE(&x->roots);
  SN_ARR_FREE(&x->places);
  SN_ARR_FREE(&x->place_of);
  sn_free(x->beta);
}

static sn_status find_starts(const sn_lat_row *r, step *x, sn_err *err) {
  const sn_lat *const l = &r->now;
  if (l->n_states == 0) return SN_OK;
  double *const alpha = sn_calloc((size_t)l->n_states, sizeof *alpha);
  if (alpha == NULL) return sn_fail_nomem(err, "rescoring");
  sn_lat_forward(l, &r->k, true, alpha);
  double least = HUGE_VAL;
  sn_status s = SN_OK;
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++) {
    const sn_lat_state *const at = &l->states[i];
    if (r->place_of.data[i] < 0) continue;
    const sni_lm_start e = {r->places.data[r->place_of.data[i]],
                            alpha[i] + (double)at->final_graph * r->k.graph +
                                (double)at->final_acoustic * r->k.acoustic};
    least = fmin(least, e.cost);
    s = SN_ARR_PUSH(&x->starts, e, err);
    if (s == SN_OK) s = SN_ARR_PUSH(&x->end_of, i, err);
  }
  for (size_t i = 0; i < x->starts.n; i++) x->starts.data[i].cost -= least;
  sn_free(alpha);
  return s;
}

/* The result of a composition, with a state before its roots. */
static sn_status take_composition(sni_composition *w, step *x, sn_err *err) {
  int32_t before = 0;
  SN_TRY(sn_lat_builder_state(w->result, &before, err));
  for (size_t i = 0; i < w->roots.n; i++)
    SN_TRY(sn_lat_builder_arc(w->result, before, w->roots.data[i], 0, 0.0f,
                              0.0f, NULL, 0, err));
  sn_arr_i32 map = {0};
  sn_status s = SN_ARR_RESIZE(&map, (size_t)before + 1, err);
  for (size_t i = 0; s == SN_OK && i < map.n; i++) map.data[i] = -1;
  if (s == SN_OK)
    s = sn_lat_builder_take_map(w->result, before, &x->all, map.data, err);
  for (size_t i = 0; s == SN_OK && i < w->roots.n; i++)
    s = SN_ARR_PUSH(&x->roots, map.data[w->roots.data[i]], err);
  if (s == SN_OK) s = SN_ARR_RESIZE(&x->place_of, (size_t)x->all.n_states, err);
  for (size_t i = 0; s == SN_OK && i < x->place_of.n; i++)
    x->place_of.data[i] = -1;
  for (size_t i = 0; s == SN_OK && i < w->ends.n; i++) {
    const int32_t at = map.data[w->ends.data[i]];
    const sni_pair *const p = &w->pairs.data[w->ends.data[i]];
    const sni_lm_place place = {sni_old_get(&w->old, p->old), p->now};
    if (at < 0) continue;
    x->place_of.data[at] = (int32_t)x->places.n;
    s = SN_ARR_PUSH(&x->places, place, err);
  }
  SN_ARR_FREE(&map);
  return s;
}

/* 1, and beta of 2. */
static sn_status compose(sn_lat_row *r, const sn_lat *l, bool last, step *x,
                         sn_err *err) {
  SN_TRY(find_starts(r, x, err));
  sni_composition w = {.l = l,
                       .k = r->k,
                       .opts = &r->opts,
                       .new_lm = &r->new_lm,
                       .is_open = !last};
  w.old.use = &r->old_lm;
  w.old.exact = r->opts.exact_old;
  sn_status s = sni_compose(&w, x->starts.data, x->starts.n, err);
  if (s == SN_OK) s = take_composition(&w, x, err);
  if (s == SN_OK) add_stats(r, &w.stats);
  sni_composition_clear(&w);
  if (s != SN_OK || x->all.n_states == 0) return s;
  x->beta = sn_calloc((size_t)x->all.n_states, sizeof *x->beta);
  if (x->beta == NULL) return sn_fail_nomem(err, "rescoring");
  sn_lat_backward(&x->all, &r->k, true, x->beta);
  return SN_OK;
}

static double beta_of(const step *x, size_t start) {
  const int32_t root = x->roots.data[start];
  return root >= 0 ? x->beta[root] : HUGE_VAL;
}

/* 2: which start the best path takes; 3 but for the pruning. */
static size_t choose_start(sn_lat_row *r, const step *x) {
  size_t best = 0;
  for (size_t i = 1; i < x->starts.n; i++)
    if (x->starts.data[i].cost + beta_of(x, i) <
        x->starts.data[best].cost + beta_of(x, best))
      best = i;
  const double least = beta_of(x, best);
  for (size_t i = 0; r->k.graph > 0.0 && i < x->starts.n; i++) {
    float *const cost = &r->now.states[x->end_of.data[i]].final_graph;
    *cost = (float)((double)*cost + (beta_of(x, i) - least) / r->k.graph);
  }
  return best;
}

/* 4: what is behind a root. */
static sn_status cut(sn_lat_row *r, const step *x, int32_t root, sn_err *err) {
  const sn_lat *const l = &x->all;
  sn_lat_builder *b = NULL;
  sn_arr_i32 map = {0}, place_of = {0};
  sn_lat made = {0};
  int32_t id;
  sn_status s = sn_lat_builder_create(&b, err);
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++)
    s = sn_lat_builder_state(b, &id, err);
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++) {
    const sn_lat_state *const at = &l->states[i];
    for (uint32_t k = at->first_arc; s == SN_OK && k < at[1].first_arc; k++) {
      const sn_lat_arc *const a = &l->arcs[k];
      s = sn_lat_builder_arc(b, i, a->next, a->word, a->graph, a->acoustic,
                             l->ali + a->first_ali, a->n_ali, err);
    }
    if (s == SN_OK && isfinite(at->final_graph))
      s = sn_lat_builder_final(b, i, at->final_graph, at->final_acoustic,
                               l->ali + at->first_ali, at->n_ali, err);
  }
  if (s == SN_OK) s = SN_ARR_RESIZE(&map, (size_t)l->n_states, err);
  if (s == SN_OK) s = sn_lat_builder_take_map(b, root, &made, map.data, err);
  if (s == SN_OK) s = SN_ARR_RESIZE(&place_of, (size_t)made.n_states, err);
  for (size_t i = 0; s == SN_OK && i < map.n; i++)
    if (map.data[i] >= 0) place_of.data[map.data[i]] = x->place_of.data[i];
  sn_lat_builder_destroy(b);
  SN_ARR_FREE(&map);
  if (s != SN_OK) {
    SN_ARR_FREE(&place_of);
    sn_lat_clear(&made);
    return s;
  }
  SN_ARR_FREE(&r->place_of);
  r->place_of = place_of;
  r->now = made;
  return SN_OK;
}

/* l as it is; behind it no history is known. */
static sn_status keep(sn_lat_row *r, const sn_lat *l, sn_err *err) {
  const sni_lm_place anew = {sni_unigram(), {0, 0}};
  SN_TRY(SN_ARR_RESIZE(&r->place_of, (size_t)l->n_states, err));
  for (int32_t i = 0; i < l->n_states; i++)
    r->place_of.data[i] = isfinite(l->states[i].final_graph) ? 0 : -1;
  r->places.n = 0;
  SN_TRY(SN_ARR_PUSH(&r->places, anew, err));
  SN_TRY(sn_lat_copy(l, &r->now, err));
  r->n_kept++;
  return SN_OK;
}

/* `now`, pruned, into *out; it is empty afterwards. */
static sn_status give(sn_lat_row *r, sn_lat *out, sn_err *err) {
  if (r->now.n_states > 0 && r->opts.beam < 1e9 && !r->is_pruned) {
    SN_TRY(sn_lat_prune(&r->now, &r->k, r->opts.beam, out, err));
    sn_lat_clear(&r->now);
  } else {
    *out = r->now;
    memset(&r->now, 0, sizeof r->now);
  }
  return SN_OK;
}

static sn_status add(sn_lat_row *r, const sn_lat *l, bool last, step *x,
                     sn_lat *out, sn_err *err) {
  SN_TRY(compose(r, l, last, x, err));
  if (x->all.n_states == 0) {
    SN_TRY(give(r, out, err));
    return keep(r, l, err);
  }
  const size_t best = x->starts.n > 0 ? choose_start(r, x) : 0;
  SN_TRY(give(r, out, err));
  SN_TRY(cut(r, x, x->roots.data[best], err));
  r->places.n = 0;
  SN_TRY(SN_ARR_RESERVE(&r->places, x->places.n, err));
  if (x->places.n > 0)
    memcpy(r->places.data, x->places.data,
           x->places.n * sizeof *x->places.data);
  r->places.n = x->places.n;
  return SN_OK;
}

/* The only lattice of its row. */
static sn_status add_whole(sn_lat_row *r, const sn_lat *l, sn_err *err) {
  sn_lat_rescore_stats stats;
  SN_TRY(sn_lat_rescore(l, &r->k, &r->old_lm, &r->new_lm, &r->opts, &r->now,
                        &stats, err));
  add_stats(r, &stats);
  r->is_pruned = r->now.n_states > 0;
  return r->is_pruned ? SN_OK : keep(r, l, err);
}

sn_status sn_lat_row_add(sn_lat_row *r, const sn_lat *l, bool last, sn_lat *out,
                         sn_err *err) {
  memset(out, 0, sizeof *out);
  if (l->n_states == 0 || r->is_last || !sn_lat_is_deterministic(l))
    return sn_fail(err, SN_EARG,
                   "rescoring: a lattice of a row is empty, not deterministic, "
                   "or behind the last one");
  r->is_last = last;
  if (last && r->now.n_states == 0) return add_whole(r, l, err);
  step x = {0};
  const sn_status s = add(r, l, last, &x, out, err);
  step_clear(&x);
  if (s != SN_OK) sn_lat_clear(out);
  return s;
}

sn_status sn_lat_row_end(sn_lat_row *r, sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  return give(r, out, err);
}
