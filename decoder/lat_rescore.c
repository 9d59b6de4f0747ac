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
#include "decoder/lat_words.h"

/* Costs in a set are equal within this: sums of a few doubles. */
#define COST_STEP (1.0 / 65536.0)
#define TIE 1e-6
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

/* ---- Sets of histories ---- */

/* Cost by length of the history; +infinity: not there. */
typedef struct histories {
  double cost[SN_NGRAM_MAX_ORDER];
  int64_t node[SN_NGRAM_MAX_ORDER];
} histories;

typedef struct set_entry {
  int32_t level;
  int64_t node;
  double cost; /* the least of a set is 0 */
} set_entry;

typedef struct set {
  size_t first, n; /* entries */
  uint32_t hash;
} set;

typedef struct old_model {
  const sn_lat_lm *use; /* lm may be NULL */
  bool exact;
  SN_ARR(set_entry) entries;
  SN_ARR(set) sets;
  int32_t *slots; /* [size], a power of two; 0: free, else set + 1 */
  size_t size;
} old_model;

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

static void no_histories(histories *h) {
  for (int i = 0; i < SN_NGRAM_MAX_ORDER; i++) h->cost[i] = HUGE_VAL;
}

static bool is_empty(const histories *h) {
  for (int i = 0; i < SN_NGRAM_MAX_ORDER; i++)
    if (isfinite(h->cost[i])) return false;
  return true;
}

static void add_history(histories *h, sn_ngram_state s, double cost) {
  SN_ASSERT(s.level >= 0 && s.level < SN_NGRAM_MAX_ORDER);
  if (cost < h->cost[s.level]) {
    h->cost[s.level] = cost;
    h->node[s.level] = s.node;
  }
}

static bool has_successors(const sn_ngram *lm, sn_ngram_state s) {
  int64_t first;
  return s.level == 0 || sn_ngram_children(lm, s, &first) > 0;
}

/* Lets every history back off. kept (may be NULL): those that no longer one
 * implies and that have successors (the others can but back off). */
static void close_histories(const sn_ngram *lm, histories *h, histories *kept) {
  double implied[SN_NGRAM_MAX_ORDER];
  for (int i = 0; i < SN_NGRAM_MAX_ORDER; i++) implied[i] = HUGE_VAL;
  if (kept != NULL) *kept = *h;
  for (int32_t level = SN_NGRAM_MAX_ORDER - 1; level >= 0; level--) {
    bool own = kept != NULL && kept->cost[level] < implied[level] - TIE;
    if (kept != NULL && !own) kept->cost[level] = HUGE_VAL;
    if (isinf(h->cost[level]) || level == 0) continue;
    const sn_ngram_state from = {level, h->node[level]};
    const sn_ngram_state to = sn_ngram_backoff_state(lm, from);
    const double cost =
        h->cost[level] - sn_ngram_node_backoff(lm, level, from.node);
    if (own && !has_successors(lm, from)) {
      kept->cost[level] = HUGE_VAL;
      add_history(kept, to, cost);
    } else {
      implied[to.level] = fmin(implied[to.level], cost);
    }
    add_history(h, to, cost);
  }
}

static uint32_t hash_entries(const set_entry *e, size_t n) {
  uint64_t h = n;
  for (size_t i = 0; i < n; i++)
    h = mix(mix(mix(h, (uint64_t)e[i].level), (uint64_t)e[i].node),
            (uint64_t)llround(e[i].cost / COST_STEP));
  return (uint32_t)(h >> 16);
}

static bool same_entries(const set_entry *a, const set_entry *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (a[i].level != b[i].level || a[i].node != b[i].node ||
        llround(a[i].cost / COST_STEP) != llround(b[i].cost / COST_STEP))
      return false;
  return true;
}

static sn_status grow_sets(old_model *m, sn_err *err) {
  const size_t size = m->size > 0 ? 2 * m->size : 256;
  int32_t *const slots = sn_calloc(size, sizeof *slots);
  if (slots == NULL) return sn_fail_nomem(err, "rescoring");
  for (size_t i = 0; i < m->sets.n; i++) {
    size_t h = m->sets.data[i].hash & (size - 1);
    while (slots[h] != 0) h = (h + 1) & (size - 1);
    slots[h] = (int32_t)i + 1;
  }
  sn_free(m->slots);
  m->slots = slots;
  m->size = size;
  return SN_OK;
}

/* The number of a set; *least is its least cost, which is taken off. */
static sn_status intern(old_model *m, const histories *h, int32_t *id,
                        double *least, sn_err *err) {
  set_entry e[SN_NGRAM_MAX_ORDER];
  size_t n = 0;
  *least = HUGE_VAL;
  for (int32_t level = 0; level < SN_NGRAM_MAX_ORDER; level++)
    *least = fmin(*least, h->cost[level]);
  if (isinf(*least)) *least = 0.0;
  for (int32_t level = 0; level < SN_NGRAM_MAX_ORDER; level++)
    if (isfinite(h->cost[level]))
      e[n++] = (set_entry){level, h->node[level], h->cost[level] - *least};
  if (2 * (m->sets.n + 1) > m->size) SN_TRY(grow_sets(m, err));
  const uint32_t hash = hash_entries(e, n);
  size_t at = hash & (m->size - 1);
  for (; m->slots[at] != 0; at = (at + 1) & (m->size - 1)) {
    const set *const x = &m->sets.data[m->slots[at] - 1];
    if (x->hash == hash && x->n == n &&
        same_entries(m->entries.data + x->first, e, n)) {
      *id = m->slots[at] - 1;
      return SN_OK;
    }
  }
  const set x = {m->entries.n, n, hash};
  for (size_t i = 0; i < n; i++) SN_TRY(SN_ARR_PUSH(&m->entries, e[i], err));
  SN_TRY(SN_ARR_PUSH(&m->sets, x, err));
  m->slots[at] = (int32_t)m->sets.n;
  *id = (int32_t)m->sets.n - 1;
  return SN_OK;
}

static void expand_set(const old_model *m, int32_t id, histories *h) {
  const set *const x = &m->sets.data[id];
  no_histories(h);
  for (size_t i = 0; i < x->n; i++) {
    const set_entry *const e = &m->entries.data[x->first + i];
    const sn_ngram_state s = {e->level, e->node};
    add_history(h, s, e->cost);
  }
  if (!m->exact) close_histories(m->use->lm, h, NULL);
}

/* The histories after `word`; all infinite: the model never says it. */
static void advance_set(const old_model *m, const histories *from, int32_t word,
                        histories *to) {
  no_histories(to);
  for (int32_t level = 0; level < SN_NGRAM_MAX_ORDER; level++) {
    if (isinf(from->cost[level])) continue;
    const sn_ngram_state s = {level, from->node[level]};
    sn_ngram_state next;
    int32_t matched = 0;
    const double logp = sn_ngram_score(m->use->lm, s, word, &next, &matched);
    /* Shorter matches are found from the shorter history itself. */
    if (m->exact || matched == level + 1)
      add_history(to, next, from->cost[level] - logp);
  }
}

/* What the model calls a label. */
static sn_status word_of(const sn_lat_lm *use, int32_t label, int32_t *word,
                         sn_err *err) {
  if (label < 0 || (size_t)label >= use->n_words)
    return sn_fail(err, SN_EMISMATCH,
                   "label %d is not in the table of %zu words that the lattice "
                   "is rescored with",
                   label, use->n_words);
  *word = use->words[label];
  if (*word == -1 && sn_ngram_unk(use->lm) >= 0) *word = sn_ngram_unk(use->lm);
  return SN_OK;
}

/* Old model: the set after a label, and what the label costs. */
static sn_status old_step(old_model *m, int32_t id, int32_t label, int32_t *to,
                          double *cost, sn_err *err) {
  int32_t word = SN_LAT_NOT_A_WORD;
  *to = id;
  *cost = 0.0;
  if (m->use->lm == NULL || label == 0) return SN_OK;
  SN_TRY(word_of(m->use, label, &word, err));
  if (word == SN_LAT_NOT_A_WORD) return SN_OK;
  histories from, next, kept;
  expand_set(m, id, &from);
  no_histories(&next);
  if (word >= 0) advance_set(m, &from, word, &next);
  if (is_empty(&next)) { /* as a unigram of cost 0 */
    const sn_ngram_state empty = {0, 0};
    if (m->exact) close_histories(m->use->lm, &from, NULL);
    add_history(&next, empty, from.cost[0]);
  }
  kept = next;
  if (!m->exact) close_histories(m->use->lm, &next, &kept);
  return intern(m, &kept, to, cost, err);
}

static double old_end(const old_model *m, int32_t id) {
  const int32_t eos = m->use->lm != NULL ? sn_ngram_eos(m->use->lm) : -1;
  if (eos < 0) return 0.0;
  histories from, next;
  double least = HUGE_VAL;
  expand_set(m, id, &from);
  advance_set(m, &from, eos, &next);
  for (int i = 0; i < SN_NGRAM_MAX_ORDER; i++)
    least = fmin(least, next.cost[i]);
  return isfinite(least) ? least : 0.0;
}

static sn_status old_begin(old_model *m, int32_t *id, sn_err *err) {
  histories h;
  double least;
  no_histories(&h);
  if (m->use->lm != NULL) add_history(&h, sn_ngram_begin(m->use->lm), 0.0);
  return intern(m, &h, id, &least, err);
}

/* ---- Pairs ---- */

typedef struct pair {
  int32_t state, old;
  int32_t next; /* of the same state; -1: the last */
  sn_ngram_state now;
  double cost; /* least total from the start */
} pair;

typedef struct work {
  const sn_lat *l;
  sn_lat_scales k;
  const sn_lat_rescore_opts *opts;
  old_model old;
  const sn_lat_lm *new_lm;
  SN_ARR(pair) pairs; /* number = state of the result */
  int32_t *first;     /* [states of l] their pairs, -1: none */
  int32_t *slots;     /* [size], a power of two; 0: free, else pair + 1 */
  size_t size;
  sn_arr_i32 turn; /* pairs of the state whose turn it is */
  sn_lat_builder *result;
  sn_lat_rescore_stats stats;
} work;

static uint64_t hash_pair(int32_t state, int32_t old, sn_ngram_state now) {
  return mix(mix(mix(mix(0, (uint64_t)state), (uint64_t)old),
                 (uint64_t)now.level),
             (uint64_t)now.node) >>
         16;
}

static sn_status grow_pairs(work *w, sn_err *err) {
  const size_t size = w->size > 0 ? 2 * w->size : 1024;
  int32_t *const slots = sn_calloc(size, sizeof *slots);
  if (slots == NULL) return sn_fail_nomem(err, "rescoring");
  for (size_t i = 0; i < w->pairs.n; i++) {
    const pair *const p = &w->pairs.data[i];
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
static sn_status reach(work *w, const pair *x, int32_t *id, sn_err *err) {
  if (2 * (w->pairs.n + 1) > w->size) SN_TRY(grow_pairs(w, err));
  size_t h = hash_pair(x->state, x->old, x->now) & (w->size - 1);
  for (; w->slots[h] != 0; h = (h + 1) & (w->size - 1)) {
    pair *const p = &w->pairs.data[w->slots[h] - 1];
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
  pair *const p = &w->pairs.data[w->pairs.n++];
  *p = *x;
  p->next = w->first[x->state];
  w->first[x->state] = *id;
  w->slots[h] = *id + 1;
  return SN_OK;
}

/* New model: the history after a label, and its cost. */
static sn_status new_step(work *w, sn_ngram_state from, int32_t label,
                          sn_ngram_state *to, double *cost, sn_err *err) {
  int32_t word = SN_LAT_NOT_A_WORD;
  *to = from;
  *cost = 0.0;
  if (w->new_lm->lm == NULL || label == 0) return SN_OK;
  SN_TRY(word_of(w->new_lm, label, &word, err));
  if (word == SN_LAT_NOT_A_WORD) return SN_OK;
  if (word >= 0) {
    const sn_ngram *const lm = w->new_lm->lm;
    *cost = -sn_ngram_score(lm, from, word, to, NULL);
    while (!has_successors(lm, *to)) { /* fewer pairs, the same sums */
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
static sn_status follow(work *w, int32_t from, const sn_lat_arc *a,
                        sn_err *err) {
  const pair p = w->pairs.data[from];
  pair next = {.state = a->next, .next = -1};
  double old_cost = 0.0, new_cost = 0.0;
  SN_TRY(new_step(w, p.now, a->word, &next.now, &new_cost, err));
  SN_TRY(old_step(&w->old, p.old, a->word, &next.old, &old_cost, err));
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

/* 4: the end of the sentence. */
static sn_status finish(work *w, int32_t id, sn_err *err) {
  const pair p = w->pairs.data[id];
  const sn_lat_state *const s = &w->l->states[p.state];
  if (isinf(s->final_graph)) return SN_OK;
  double new_cost = 0.0;
  const int32_t eos = w->new_lm->lm != NULL ? sn_ngram_eos(w->new_lm->lm) : -1;
  if (eos >= 0)
    new_cost = -sn_ngram_score(w->new_lm->lm, p.now, eos, NULL, NULL);
  const double graph = (double)s->final_graph -
                       scaled(w->opts->old_scale, old_end(&w->old, p.old)) +
                       scaled(w->opts->new_scale, new_cost);
  if (!isfinite(graph)) return SN_OK;
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
static sn_status choose(work *w, int32_t state, sn_err *err) {
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

static sn_status compose(work *w, sn_err *err) {
  const sn_lat *const l = w->l;
  pair root = {.state = 0, .next = -1};
  int32_t id = 0;
  SN_TRY(old_begin(&w->old, &root.old, err));
  if (w->new_lm->lm != NULL) root.now = sn_ngram_begin(w->new_lm->lm);
  SN_TRY(reach(w, &root, &id, err));
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

static void work_clear(work *w) {
  SN_ARR_FREE(&w->old.entries);
  SN_ARR_FREE(&w->old.sets);
  sn_free(w->old.slots);
  SN_ARR_FREE(&w->pairs);
  SN_ARR_FREE(&w->turn);
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
  work w = {.l = l, .k = *scales, .opts = opts};
  w.old.use = old_lm != NULL ? old_lm : &none;
  w.old.exact = opts->exact_old;
  w.new_lm = new_lm != NULL ? new_lm : &none;
  sn_lat made = {0};
  w.first = sn_calloc((size_t)l->n_states, sizeof *w.first);
  sn_status s =
      w.first != NULL ? SN_OK : sn_fail_nomem(err, "rescoring of a lattice");
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++) w.first[i] = -1;
  if (s == SN_OK) s = sn_lat_builder_create(&w.result, err);
  if (s == SN_OK) s = compose(&w, err);
  if (s == SN_OK) s = sn_lat_builder_take(w.result, 0, &made, err);
  if (s == SN_OK) s = reduce(l, scales, opts->beam, &made, out, err);
  if (s == SN_OK && stats != NULL) *stats = w.stats;
  sn_lat_clear(&made);
  work_clear(&w);
  return s;
}
