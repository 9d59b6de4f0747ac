/* SPDX-License-Identifier: Apache-2.0 */
/* Rescoring with n-grams by composition on demand.
 *
 *   1. A pair is (state of the lattice, history of the new model, set of
 *      histories of the old model); hashed, so that each exists once. Pairs are
 *      the states of the result.
 *   2. States of the lattice come in topological order: when one's turn comes,
 *      all ways to its pairs are known and their costs are final. Pairs of one
 *      state stand at the same place of the utterance with the same words to
 *      come: those that cost more than the best by the beam go.
 *   3. Each pair left is expanded: every arc of the state leads to a pair.
 *   4. Final states take the sentence end of both models.
 *
 * The old model's set: with back-off arcs that may be taken anywhere, the
 * histories after given words are suffixes of these words, so there is at most
 * one of each length, with its least cost. One that a longer one reaches by
 * backing off at no higher cost is implied and not kept; that leaves nearly
 * always the longest alone. Costs in a set are relative to the least, which
 * goes onto the arc; sets are interned and known by number.
 *
 * Sizes: a lattice of an utterance has 100 to 10,000 arcs; with a trigram 2 to
 * 5 histories a state. */
#include "decoder/lat_rescore.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "decoder/lat_det.h"
#include "decoder/lat_paths.h"
#include "decoder/lat_rescore_internal.h"
#include "decoder/lat_words.h"

#define DET_ARCS 2000000
#define DET_WORK 5e7

const sn_opt sn_lat_rescore_opt_table[] = {
    {"old-scale", SN_OPT_DOUBLE, offsetof(sn_lat_rescore_opts, old_scale), 1, 0,
     100, NULL, "", "scale of the model that is taken out"},
    {"new-scale", SN_OPT_DOUBLE, offsetof(sn_lat_rescore_opts, new_scale), 1, 0,
     100, NULL, "", "scale of the model that is put in"},
    {"rescore-beam", SN_OPT_DOUBLE, offsetof(sn_lat_rescore_opts, beam), 8, 0,
     1e9, NULL, "", "histories and paths within this cost of the best stay"},
    {"max-histories", SN_OPT_INT, offsetof(sn_lat_rescore_opts, max_histories),
     1000, 1, 1e9, NULL, "", "histories at one state of a lattice at most"},
    {"oov-cost", SN_OPT_DOUBLE, offsetof(sn_lat_rescore_opts, oov_cost), 15, 0,
     1e9, NULL, "", "of a word that the new model does not have"},
    {"exact-old", SN_OPT_BOOL, offsetof(sn_lat_rescore_opts, exact_old), 0, 0,
     1, NULL, "",
     "subtract true back-off probabilities, not the best back-off paths that "
     "a graph holds"},
    SN_OPT_END};

/* ---- Pairs ---- */

static uint64_t hash_pair(int32_t state, int32_t old, sn_ngram_state now) {
  return sni_mix(sni_mix(sni_mix(sni_mix(0, (uint64_t)state), (uint64_t)old),
                         (uint64_t)now.level),
                 (uint64_t)now.node) >>
         16;
}

static sn_status grow_pairs(sni_composition *w, sn_err *err) {
  const size_t size = w->size > 0 ? 2 * w->size : 1024;
  int32_t *const slots = sn_calloc(size, sizeof *slots);
  if (slots == NULL) return sn_fail_nomem(err, "rescoring");
  for (size_t i = 0; i < w->pairs.n; i++) {
    const sni_pair *const p = &w->pairs.data[i];
    size_t h = hash_pair(p->state, p->old, p->now) & (size - 1);
    while (slots[h] != 0) h = (h + 1) & (size - 1);
    slots[h] = (int32_t)i + 1;
  }
  sn_free(w->slots);
  w->slots = slots;
  w->size = size;
  return SN_OK;
}

/* The pair's number; made if it is new, cheaper if it was dearer. */
static sn_status reach(sni_composition *w, const sni_pair *x, int32_t *id,
                       sn_err *err) {
  if (2 * (w->pairs.n + 1) > w->size) SN_TRY(grow_pairs(w, err));
  size_t h = hash_pair(x->state, x->old, x->now) & (w->size - 1);
  for (; w->slots[h] != 0; h = (h + 1) & (w->size - 1)) {
    sni_pair *const p = &w->pairs.data[w->slots[h] - 1];
    if (p->state != x->state || p->old != x->old ||
        p->now.level != x->now.level || p->now.node != x->now.node)
      continue;
    p->cost = fmin(p->cost, x->cost);
    *id = w->slots[h] - 1;
    return SN_OK;
  }
  SN_TRY(SN_ARR_RESERVE(&w->pairs, w->pairs.n + 1, err));
  SN_TRY(sn_lat_builder_state(w->result, id, err));
  SN_ASSERT((size_t)*id == w->pairs.n);
  sni_pair *const p = &w->pairs.data[w->pairs.n++];
  *p = *x;
  p->next = w->first[x->state];
  w->first[x->state] = *id;
  w->slots[h] = *id + 1;
  return SN_OK;
}

/* New model: the history after a label, and its cost. */
static sn_status new_step(sni_composition *w, sn_ngram_state from,
                          int32_t label, sn_ngram_state *to, double *cost,
                          sn_err *err) {
  int32_t word = SN_LAT_NOT_A_WORD;
  *to = from;
  *cost = 0.0;
  if (w->new_lm->lm == NULL || label == 0) return SN_OK;
  SN_TRY(sni_lm_word(w->new_lm, label, &word, err));
  if (word == SN_LAT_NOT_A_WORD) return SN_OK;
  if (word >= 0) {
    const sn_ngram *const lm = w->new_lm->lm;
    *cost = -sn_ngram_score(lm, from, word, to, NULL);
    while (!sni_has_successors(lm, *to)) { /* fewer pairs, the same sums */
      *cost -= sn_ngram_node_backoff(lm, to->level, to->node);
      *to = sn_ngram_backoff_state(lm, *to);
    }
    return SN_OK;
  }
  /* As a unigram of that cost. */
  *cost = w->opts->oov_cost;
  for (; to->level > 0; *to = sn_ngram_backoff_state(w->new_lm->lm, *to))
    *cost -= sn_ngram_node_backoff(w->new_lm->lm, to->level, to->node);
  w->stats.n_oov++;
  return SN_OK;
}

/* A model taken or left: 0 times infinity is 0 here. */
static double scaled(double scale, double cost) {
  return scale > 0.0 ? scale * cost : 0.0;
}

/* 3: one arc of one pair. */
static sn_status follow(sni_composition *w, int32_t from, const sn_lat_arc *a,
                        sn_err *err) {
  const sni_pair p = w->pairs.data[from];
  sni_pair next = {.state = a->next, .next = -1};
  double old_cost = 0.0, new_cost = 0.0;
  SN_TRY(new_step(w, p.now, a->word, &next.now, &new_cost, err));
  SN_TRY(sni_old_step(&w->old, p.old, a->word, &next.old, &old_cost, err));
  const double graph = (double)a->graph - scaled(w->opts->old_scale, old_cost) +
                       scaled(w->opts->new_scale, new_cost);
  if (!isfinite(graph)) return SN_OK;
  next.cost = p.cost + graph * w->k.graph +
              (double)a->acoustic * w->k.acoustic +
              (a->word != 0 ? w->k.word_penalty : 0.0);
  int32_t id = 0;
  SN_TRY(reach(w, &next, &id, err));
  w->stats.n_arcs++;
  return sn_lat_builder_arc(w->result, from, id, a->word, (float)graph,
                            a->acoustic, w->l->ali + a->first_ali, a->n_ali,
                            err);
}

/* 4: the end of the sentence, or of this part of it. */
static sn_status finish(sni_composition *w, int32_t id, sn_err *err) {
  const sni_pair p = w->pairs.data[id];
  const sn_lat_state *const s = &w->l->states[p.state];
  if (isinf(s->final_graph)) return SN_OK;
  double graph = (double)s->final_graph;
  if (!w->is_open) {
    double new_cost = 0.0;
    const int32_t eos =
        w->new_lm->lm != NULL ? sn_ngram_eos(w->new_lm->lm) : -1;
    if (eos >= 0)
      new_cost = -sn_ngram_score(w->new_lm->lm, p.now, eos, NULL, NULL);
    graph = graph - scaled(w->opts->old_scale, sni_old_end(&w->old, p.old)) +
            scaled(w->opts->new_scale, new_cost);
  }
  if (!isfinite(graph)) return SN_OK;
  SN_TRY(SN_ARR_PUSH(&w->ends, id, err));
  return sn_lat_builder_final(w->result, id, (float)graph, s->final_acoustic,
                              w->l->ali + s->first_ali, s->n_ali, err);
}

typedef struct ranked {
  double cost;
  int32_t id;
} ranked;

static int by_cost(const void *a, const void *b) {
  const ranked *const x = a, *const y = b;
  if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
  return x->id < y->id ? -1 : x->id > y->id; /* older first: a fixed order */
}

/* 2: the pairs of a state that stay, best first, into w->turn. */
static sn_status choose(sni_composition *w, int32_t state, sn_err *err) {
  SN_ARR(ranked) all = {0};
  sn_status s = SN_OK;
  w->turn.n = 0;
  for (int32_t id = w->first[state]; s == SN_OK && id >= 0;
       id = w->pairs.data[id].next) {
    const ranked x = {w->pairs.data[id].cost, id};
    s = SN_ARR_PUSH(&all, x, err);
  }
  if (s == SN_OK && all.n > 0) {
    qsort(all.data, all.n, sizeof *all.data, by_cost);
    const double limit = all.data[0].cost + w->opts->beam;
    for (size_t i = 0; s == SN_OK && i < all.n; i++)
      if (i < (size_t)w->opts->max_histories && all.data[i].cost <= limit)
        s = SN_ARR_PUSH(&w->turn, all.data[i].id, err);
      else
        w->stats.n_cut++;
  }
  SN_ARR_FREE(&all);
  return s;
}

/* 1: the pairs that it begins with. */
static sn_status begin(sni_composition *w, const sni_lm_start *starts, size_t n,
                       sn_err *err) {
  sni_pair root = {.state = 0, .next = -1};
  int32_t id = 0;
  if (n == 0) {
    SN_TRY(sni_old_begin(&w->old, &root.old, err));
    if (w->new_lm->lm != NULL) root.now = sn_ngram_begin(w->new_lm->lm);
    SN_TRY(reach(w, &root, &id, err));
    return SN_ARR_PUSH(&w->roots, id, err);
  }
  for (size_t i = 0; i < n; i++) {
    SN_TRY(sni_old_put(&w->old, &starts[i].place.old, &root.old, err));
    root.now = starts[i].place.now;
    root.cost = starts[i].cost;
    SN_TRY(reach(w, &root, &id, err));
    SN_TRY(SN_ARR_PUSH(&w->roots, id, err));
  }
  return SN_OK;
}

sn_status sni_compose(sni_composition *w, const sni_lm_start *starts, size_t n,
                      sn_err *err) {
  const sn_lat *const l = w->l;
  w->first = sn_calloc((size_t)l->n_states, sizeof *w->first);
  if (w->first == NULL) return sn_fail_nomem(err, "rescoring of a lattice");
  for (int32_t i = 0; i < l->n_states; i++) w->first[i] = -1;
  SN_TRY(sn_lat_builder_create(&w->result, err));
  SN_TRY(begin(w, starts, n, err));
  for (int32_t s = 0; s < l->n_states; s++) {
    SN_TRY(choose(w, s, err));
    for (size_t i = 0; i < w->turn.n; i++) {
      const int32_t from = w->turn.data[i];
      for (uint32_t k = l->states[s].first_arc; k < l->states[s + 1].first_arc;
           k++)
        SN_TRY(follow(w, from, &l->arcs[k], err));
      SN_TRY(finish(w, from, err));
    }
  }
  w->stats.n_states = (int64_t)w->pairs.n;
  return SN_OK;
}

void sni_composition_clear(sni_composition *w) {
  sni_old_clear(&w->old);
  SN_ARR_FREE(&w->pairs);
  SN_ARR_FREE(&w->turn);
  SN_ARR_FREE(&w->roots);
  SN_ARR_FREE(&w->ends);
  sn_free(w->first);
  sn_free(w->slots);
  sn_lat_builder_destroy(w->result);
}

/* The composition made small: pruned, or determinised if l was not. */
static sn_status reduce(const sn_lat *l, const sn_lat_scales *k, double beam,
                        sn_lat *made, sn_lat *out, sn_err *err) {
  if (!sn_lat_is_deterministic(l)) {
    const sn_lat_det_opts opts = {fmin(beam, 1e9), DET_ARCS, DET_WORK};
    return sn_lat_determinize(made, k, &opts, out, NULL, err);
  }
  if (beam < 1e9) return sn_lat_prune(made, k, beam, out, err);
  *out = *made;
  memset(made, 0, sizeof *made);
  return SN_OK;
}

sn_status sn_lat_rescore(const sn_lat *l, const sn_lat_scales *scales,
                         const sn_lat_lm *old_lm, const sn_lat_lm *new_lm,
                         const sn_lat_rescore_opts *opts, sn_lat *out,
                         sn_lat_rescore_stats *stats, sn_err *err) {
  static const sn_lat_lm none = {NULL, NULL, 0};
  memset(out, 0, sizeof *out);
  if (stats != NULL) memset(stats, 0, sizeof *stats);
  if (l->n_states == 0) return SN_OK;
  sni_composition w = {.l = l, .k = *scales, .opts = opts};
  w.old.use = old_lm != NULL ? old_lm : &none;
  w.old.exact = opts->exact_old;
  w.new_lm = new_lm != NULL ? new_lm : &none;
  sn_lat made = {0};
  sn_status s = sni_compose(&w, NULL, 0, err);
  if (s == SN_OK) s = sn_lat_builder_take(w.result, 0, &made, err);
  if (s == SN_OK) s = reduce(l, scales, opts->beam, &made, out, err);
  if (s == SN_OK && stats != NULL) *stats = w.stats;
  sn_lat_clear(&made);
  sni_composition_clear(&w);
  return s;
}
