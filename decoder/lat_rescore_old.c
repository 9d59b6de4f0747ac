/* SPDX-License-Identifier: Apache-2.0 */
/* Where the model that a graph was made from may be, word after word: sets of
 * histories, see lat_rescore.c. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_rescore_internal.h"
#include "decoder/lat_words.h"

/* Costs in a set are equal within this: sums of a few doubles. */
#define COST_STEP (1.0 / 65536.0)
#define TIE 1e-6

uint64_t sni_mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

static void no_histories(sni_histories *h) {
  for (int i = 0; i < SN_NGRAM_MAX_ORDER; i++) h->cost[i] = HUGE_VAL;
}

static bool is_empty(const sni_histories *h) {
  for (int i = 0; i < SN_NGRAM_MAX_ORDER; i++)
    if (isfinite(h->cost[i])) return false;
  return true;
}

static void add_history(sni_histories *h, sn_ngram_state s, double cost) {
  SN_ASSERT(s.level >= 0 && s.level < SN_NGRAM_MAX_ORDER);
  if (cost < h->cost[s.level]) {
    h->cost[s.level] = cost;
    h->node[s.level] = s.node;
  }
}

bool sni_has_successors(const sn_ngram *lm, sn_ngram_state s) {
  int64_t first;
  return s.level == 0 || sn_ngram_children(lm, s, &first) > 0;
}

/* Lets every history back off. kept (may be NULL): those that no longer one
 * implies and that have successors (the others can but back off). */
static void close_histories(const sn_ngram *lm, sni_histories *h,
                            sni_histories *kept) {
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
    if (own && !sni_has_successors(lm, from)) {
      kept->cost[level] = HUGE_VAL;
      add_history(kept, to, cost);
    } else {
      implied[to.level] = fmin(implied[to.level], cost);
    }
    add_history(h, to, cost);
  }
}

static uint32_t hash_entries(const sni_old_entry *e, size_t n) {
  uint64_t h = n;
  for (size_t i = 0; i < n; i++)
    h = sni_mix(sni_mix(sni_mix(h, (uint64_t)e[i].level), (uint64_t)e[i].node),
                (uint64_t)llround(e[i].cost / COST_STEP));
  return (uint32_t)(h >> 16);
}

static bool same_entries(const sni_old_entry *a, const sni_old_entry *b,
                         size_t n) {
  for (size_t i = 0; i < n; i++)
    if (a[i].level != b[i].level || a[i].node != b[i].node ||
        llround(a[i].cost / COST_STEP) != llround(b[i].cost / COST_STEP))
      return false;
  return true;
}

static sn_status grow_sets(sni_old_model *m, sn_err *err) {
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
static sn_status intern(sni_old_model *m, const sni_histories *h, int32_t *id,
                        double *least, sn_err *err) {
  sni_old_entry e[SN_NGRAM_MAX_ORDER];
  size_t n = 0;
  *least = HUGE_VAL;
  for (int32_t level = 0; level < SN_NGRAM_MAX_ORDER; level++)
    *least = fmin(*least, h->cost[level]);
  if (isinf(*least)) *least = 0.0;
  for (int32_t level = 0; level < SN_NGRAM_MAX_ORDER; level++)
    if (isfinite(h->cost[level]))
      e[n++] = (sni_old_entry){level, h->node[level], h->cost[level] - *least};
  if (2 * (m->sets.n + 1) > m->size) SN_TRY(grow_sets(m, err));
  const uint32_t hash = hash_entries(e, n);
  size_t at = hash & (m->size - 1);
  for (; m->slots[at] != 0; at = (at + 1) & (m->size - 1)) {
    const sni_old_set *const x = &m->sets.data[m->slots[at] - 1];
    if (x->hash == hash && x->n == n &&
        same_entries(m->entries.data + x->first, e, n)) {
      *id = m->slots[at] - 1;
      return SN_OK;
    }
  }
  const sni_old_set x = {m->entries.n, n, hash};
  for (size_t i = 0; i < n; i++) SN_TRY(SN_ARR_PUSH(&m->entries, e[i], err));
  SN_TRY(SN_ARR_PUSH(&m->sets, x, err));
  m->slots[at] = (int32_t)m->sets.n;
  *id = (int32_t)m->sets.n - 1;
  return SN_OK;
}

static void expand_set(const sni_old_model *m, int32_t id, sni_histories *h) {
  *h = sni_old_get(m, id);
  if (!m->exact) close_histories(m->use->lm, h, NULL);
}

/* The histories after `word`; all infinite: the model never says it. */
static void advance_set(const sni_old_model *m, const sni_histories *from,
                        int32_t word, sni_histories *to) {
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
sn_status sni_lm_word(const sn_lat_lm *use, int32_t label, int32_t *word,
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

sn_status sni_old_step(sni_old_model *m, int32_t id, int32_t label, int32_t *to,
                       double *cost, sn_err *err) {
  int32_t word = SN_LAT_NOT_A_WORD;
  *to = id;
  *cost = 0.0;
  if (m->use->lm == NULL || label == 0) return SN_OK;
  SN_TRY(sni_lm_word(m->use, label, &word, err));
  if (word == SN_LAT_NOT_A_WORD) return SN_OK;
  sni_histories from, next, kept;
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

double sni_old_end(const sni_old_model *m, int32_t id) {
  const int32_t eos = m->use->lm != NULL ? sn_ngram_eos(m->use->lm) : -1;
  if (eos < 0) return 0.0;
  sni_histories from, next;
  double least = HUGE_VAL;
  expand_set(m, id, &from);
  advance_set(m, &from, eos, &next);
  for (int i = 0; i < SN_NGRAM_MAX_ORDER; i++)
    least = fmin(least, next.cost[i]);
  return isfinite(least) ? least : 0.0;
}

sn_status sni_old_begin(sni_old_model *m, int32_t *id, sn_err *err) {
  sni_histories h;
  double least;
  no_histories(&h);
  if (m->use->lm != NULL) add_history(&h, sn_ngram_begin(m->use->lm), 0.0);
  return intern(m, &h, id, &least, err);
}

void sni_old_clear(sni_old_model *m) {
  SN_ARR_FREE(&m->entries);
  SN_ARR_FREE(&m->sets);
  sn_free(m->slots);
  m->slots = NULL;
  m->size = 0;
}

sni_histories sni_old_get(const sni_old_model *m, int32_t id) {
  const sni_old_set *const x = &m->sets.data[id];
  sni_histories h;
  no_histories(&h);
  for (size_t i = 0; i < x->n; i++) {
    const sni_old_entry *const e = &m->entries.data[x->first + i];
    const sn_ngram_state s = {e->level, e->node};
    add_history(&h, s, e->cost);
  }
  return h;
}

sn_status sni_old_put(sni_old_model *m, const sni_histories *h, int32_t *id,
                      sn_err *err) {
  double least;
  return intern(m, h, id, &least, err);
}

sni_histories sni_unigram(void) {
  const sn_ngram_state empty = {0, 0};
  sni_histories h;
  no_histories(&h);
  add_history(&h, empty, 0.0);
  return h;
}
