/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of many sentences at a time.
 *
 * What a query waits for is memory: each look depends on the one before it.
 * Sentences do not depend on each other, so LANES of them go forward in turn,
 * and each asks for the memory of its next look (a prefetch) before the others
 * have theirs. Sums are made in the order of sn_ngram_score: equal bits.
 *
 * fast: a lane is at a history or at a slot of the hash table, and makes one
 * step from there each round.
 * small: there are no suffix links; a lane keeps the nodes of all suffixes of
 * its history. Those of the next history are children of these, so that one
 * look for each of them, all independent, gives score and next history. */
#include <math.h>

#include "lm/ngram_internal.h"
#include "lm/small.h"

#define LANES 16

/* Which sentence comes next. */
typedef struct queue {
  sn_ngram_token *tokens;
  const size_t *starts;
  size_t n, next;
} queue;

/* The next sentence that has tokens: [*at, *end); false at the end. */
static bool take_sentence(queue *q, size_t *at, size_t *end) {
  while (q->next < q->n) {
    *at = q->starts[q->next++];
    *end = q->starts[q->next];
    if (*at < *end) return true;
  }
  return false;
}

/* ---- fast ---- */

typedef struct fast_lane {
  size_t at, end;
  uint32_t link, slot;
  double sum;
  bool at_slot;
} fast_lane;

static uint32_t begin_link(const sn_ngram *lm) {
  const sn_ngram_state s = sn_ngram_begin(lm);
  return s.level == 0 ? 0 : lm->base[1] + (uint32_t)s.node;
}

static void fast_go(const sn_ngram *lm, fast_lane *l, uint32_t link) {
  l->link = link < lm->base[lm->order] ? link : 0; /* damaged */
  l->at_slot = false;
  if (l->link != 0) __builtin_prefetch(&lm->history[l->link]);
}

static bool fast_begin(const sn_ngram *lm, fast_lane *l, queue *q) {
  if (!take_sentence(q, &l->at, &l->end)) return false;
  l->sum = 0.0;
  fast_go(lm, l, begin_link(lm));
  return true;
}

/* The lane's word is done; false: there are no more sentences. */
static bool fast_emit(const sn_ngram *lm, fast_lane *l, queue *q, double logp,
                      int32_t matched, uint32_t next) {
  sn_ngram_token *const t = &q->tokens[l->at++];
  t->logp = l->sum + logp;
  t->matched = matched;
  l->sum = 0.0;
  if (l->at == l->end) return fast_begin(lm, l, q);
  fast_go(lm, l, next);
  return true;
}

static void fast_back_off(const sn_ngram *lm, fast_lane *l) {
  const sni_fast_history *const h = &lm->history[l->link];
  l->sum += (double)h->backoff;
  fast_go(lm, l, h->suffix < l->link ? h->suffix : 0);
}

/* One step of a lane; false when it has nothing more to do. */
static bool fast_step(const sn_ngram *lm, fast_lane *l, queue *q) {
  int32_t word = q->tokens[l->at].word;
  if (word < 0) word = lm->unk;
  if (word < 0) return fast_emit(lm, l, q, (double)-INFINITY, 0, 0);
  if (l->at_slot) {
    const sni_fast_slot *const s =
        sni_fast_find_from(lm, l->slot, l->link, (uint32_t)word);
    if (s == NULL) {
      fast_back_off(lm, l);
      return true;
    }
    return fast_emit(lm, l, q, (double)s->logp,
                     sni_link_state(lm, lm->order, l->link).level + 1, s->next);
  }
  if (l->link == 0)
    return fast_emit(lm, l, q, (double)lm->level[1].logp[word], 1,
                     lm->order > 1 ? lm->base[1] + (uint32_t)word : 0);
  if ((lm->history[l->link].words & sni_fast_word_bit((uint32_t)word)) == 0) {
    fast_back_off(lm, l);
    return true;
  }
  l->slot = sni_fast_first_slot(l->link, (uint32_t)word, lm->n_fast);
  l->at_slot = true;
  __builtin_prefetch(&lm->fast[l->slot]);
  return true;
}

static void score_fast(const sn_ngram *lm, queue *q) {
  fast_lane lane[LANES];
  size_t n = 0;
  while (n < LANES && fast_begin(lm, &lane[n], q)) n++;
  while (n > 0)
    for (size_t i = 0; i < n;)
      if (fast_step(lm, &lane[i], q))
        i++;
      else
        lane[i] = lane[--n];
}

/* ---- small ---- */

typedef struct small_lane {
  size_t at, end;
  int32_t word, n;                      /* n words of the history are known */
  int64_t node[SN_NGRAM_MAX_ORDER + 1]; /* [1 .. n]; -1: not in the model */
  int64_t child[SN_NGRAM_MAX_ORDER + 1];
} small_lane;

typedef struct look {
  int32_t lane, level; /* of the parent */
  int64_t begin, end;
} look;

static bool small_begin(const sn_ngram *lm, small_lane *l, queue *q) {
  if (!take_sentence(q, &l->at, &l->end)) return false;
  const sn_ngram_state s = sn_ngram_begin(lm);
  l->n = s.level;
  l->node[1] = s.node;
  return true;
}

/* Where each lane has to look for its word, with the memory on its way. */
static size_t small_gather(const sn_ngram *lm, const queue *q, small_lane *lane,
                           size_t n, look *looks) {
  size_t n_looks = 0;
  for (size_t i = 0; i < n; i++) {
    small_lane *const l = &lane[i];
    l->word = q->tokens[l->at].word;
    if (l->word < 0) l->word = lm->unk;
    if (l->word < 0) continue;
    l->child[1] = l->word;
    for (int32_t k = 1; k <= l->n; k++) {
      l->child[k + 1] = -1;
      if (l->node[k] < 0) continue;
      looks[n_looks++] = (look){.lane = (int32_t)i, .level = k};
      sni_small_prefetch_block(lm, k, l->node[k]);
    }
  }
  for (size_t i = 0; i < n_looks; i++)
    sni_small_prefetch_first(lm, looks[i].level,
                             lane[looks[i].lane].node[looks[i].level]);
  for (size_t i = 0; i < n_looks; i++) {
    look *const k = &looks[i];
    const sn_ngram_state h = {k->level, lane[k->lane].node[k->level]};
    sni_small_children(lm, h, &k->begin, &k->end);
    sni_small_prefetch_word(lm, k->level + 1, k->begin, k->end,
                            lane[k->lane].word);
  }
  return n_looks;
}

/* Score and next history from the children. */
static void small_emit(const sn_ngram *lm, small_lane *l, sn_ngram_token *t) {
  if (l->word < 0) {
    t->logp = (double)-INFINITY;
    t->matched = 0;
    l->n = 0;
    return;
  }
  double sum = 0.0;
  int32_t k = l->n;
  for (; k > 0 && l->child[k + 1] < 0; k--)
    if (l->node[k] >= 0) sum += sni_small_backoff(lm, k, l->node[k]);
  t->matched = k + 1;
  t->logp = sum + sni_small_logp(lm, k + 1, l->child[k + 1]);
  l->n = k + 1 < lm->order ? k + 1 : lm->order - 1;
  while (l->n > 0 && l->child[l->n] < 0) l->n--;
  for (int32_t i = 1; i <= l->n; i++) l->node[i] = l->child[i];
}

static void score_small(const sn_ngram *lm, queue *q) {
  small_lane lane[LANES];
  look looks[LANES * SN_NGRAM_MAX_ORDER];
  size_t n = 0;
  while (n < LANES && small_begin(lm, &lane[n], q)) n++;
  while (n > 0) {
    const size_t n_looks = small_gather(lm, q, lane, n, looks);
    for (size_t i = 0; i < n_looks; i++) {
      const look *const k = &looks[i];
      small_lane *const l = &lane[k->lane];
      l->child[k->level + 1] =
          sni_small_search(lm, k->level + 1, k->begin, k->end, l->word);
    }
    for (size_t i = 0; i < n;) {
      small_lane *const l = &lane[i];
      small_emit(lm, l, &q->tokens[l->at++]);
      if (l->at < l->end || small_begin(lm, l, q))
        i++;
      else
        *l = lane[--n];
    }
  }
}

/* ---- Others ---- */

static void score_plain(const sn_ngram *lm, queue *q) {
  size_t at, end;
  while (take_sentence(q, &at, &end)) {
    sn_ngram_state s = sn_ngram_begin(lm);
    for (; at < end; at++) {
      sn_ngram_token *const t = &q->tokens[at];
      t->logp = sn_ngram_score(lm, s, t->word, &s, &t->matched);
    }
  }
}

void sn_ngram_score_batch(const sn_ngram *lm, sn_ngram_token *tokens,
                          const size_t *starts, size_t n_sentences) {
  queue q = {tokens, starts, n_sentences, 0};
  for (size_t i = starts[0]; i < starts[n_sentences]; i++)
    SN_ASSERT(tokens[i].word >= -1 && tokens[i].word < lm->vocab.n_words);
  if (lm->fast != NULL)
    score_fast(lm, &q);
  else if (lm->small != NULL)
    score_small(lm, &q);
  else
    score_plain(lm, &q);
}
