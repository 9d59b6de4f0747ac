/* SPDX-License-Identifier: Apache-2.0 */
/* The fast binary: the own binary (lm_binary.c) with two more sections that
 * answer a query with one look into memory.
 *
 * "hash" holds every n-gram of order 2 and up in one table with linear
 * probing, as in KenLM's probing model (Heafield 2011, section 3.1). Its key
 * is the pair (link of the history, last word), which is exact, not a hash of
 * the words: no two n-grams can be taken for one another. A slot also has the
 * probability and the next history, so that a word whose n-gram is found costs
 * one cache line. "history" has, for each possible history, its back-off
 * weight and the next shorter history, for the words that are not found, and
 * 64 bits that say which words need not be looked for: most histories have one
 * or two successors, so that most of the looks that would fail (four for each
 * new word in a model of order 5) are saved. The history that a word leads to
 * is fetched while the caller finds the next word's id.
 *
 * Scores are those of the trie bit for bit: the same floats, added in the same
 * order. The trie stays in the file for those who ask for the structure; its
 * pages are not touched by queries. */
#include <math.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"

/* Slots for n n-grams: a third stays free. */
static uint64_t n_slots_for(uint64_t n) { return n + n / 2 + 1; }

const sni_fast_slot *sni_fast_find_from(const sn_ngram *lm, uint32_t slot,
                                        uint32_t from, uint32_t word) {
  const uint32_t n = lm->n_fast;
  for (uint32_t tries = 0; tries < n; tries++) {
    const sni_fast_slot *const s = &lm->fast[slot];
    if (s->from == from && s->word == word) return s;
    if (s->from == 0) return NULL;
    if (++slot == n) slot = 0;
  }
  return NULL;
}

static const sni_fast_slot *find_slot(const sn_ngram *lm, uint32_t from,
                                      uint32_t word) {
  return sni_fast_find_from(lm, sni_fast_first_slot(from, word, lm->n_fast),
                            from, word);
}

static sn_ngram_state state_of_link(const sn_ngram *lm, uint32_t link) {
  return sni_link_state(lm, lm->order, link);
}

double sni_fast_score(const sn_ngram *lm, sn_ngram_state from, int32_t word,
                      sn_ngram_state *to, int32_t *matched) {
  uint32_t link =
      from.level == 0 ? 0 : lm->base[from.level] + (uint32_t)from.node;
  const uint64_t bit = sni_fast_word_bit((uint32_t)word);
  double sum = 0.0;
  while (link != 0) {
    const sni_fast_history *const h = &lm->history[link];
    const sni_fast_slot *const s =
        (h->words & bit) != 0 ? find_slot(lm, link, (uint32_t)word) : NULL;
    if (s != NULL) {
      if (s->next < lm->base[lm->order])
        __builtin_prefetch(&lm->history[s->next]);
      if (matched != NULL) *matched = state_of_link(lm, link).level + 1;
      if (to != NULL) *to = state_of_link(lm, s->next);
      return sum + (double)s->logp;
    }
    sum += (double)h->backoff;
    link = h->suffix < link ? h->suffix : 0; /* damaged: stop */
  }
  if (matched != NULL) *matched = 1;
  if (to != NULL) *to = sn_ngram_next_state(lm, 1, word);
  return sum + (double)lm->level[1].logp[word];
}

/* ---- Writing ---- */

static uint32_t link_of(const sn_ngram *lm, sn_ngram_state s) {
  return s.level == 0 ? 0 : lm->base[s.level] + (uint32_t)s.node;
}

static void put(sni_fast_slot *slots, uint32_t n, const sni_fast_slot *new) {
  uint32_t i = sni_fast_first_slot(new->from, new->word, n);
  while (slots[i].from != 0) i = i + 1 == n ? 0 : i + 1;
  slots[i] = *new;
}

static void put_all(sni_fast_slot *slots, uint32_t n_slots,
                    const sn_ngram *lm) {
  for (int32_t k = 1; k < lm->order; k++)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const sn_ngram_state h = {k, i};
      int64_t first;
      const int64_t n = sn_ngram_children(lm, h, &first);
      for (int64_t c = first; c < first + n; c++) {
        const sni_fast_slot slot = {
            link_of(lm, h), (uint32_t)sn_ngram_child_word(lm, k + 1, c),
            lm->level[k + 1].logp[c],
            link_of(lm, sn_ngram_next_state(lm, k + 1, c))};
        put(slots, n_slots, &slot);
      }
    }
}

static uint64_t n_longer(const sn_ngram *lm) {
  uint64_t n = 0;
  for (int32_t k = 2; k <= lm->order; k++) n += (uint64_t)lm->level[k].n;
  return n;
}

sn_status sni_fast_add(sn_box_writer *w, const sn_ngram *lm, sn_err *err) {
  const uint64_t n = n_slots_for(n_longer(lm));
  if (n > UINT32_MAX)
    return sn_fail(err, SN_ELIMIT,
                   "%s: %llu n-grams are too many for the fast format; use "
                   "--format=binary or small",
                   lm->name, (unsigned long long)n_longer(lm));
  const size_t n_histories = lm->order > 1 ? lm->base[lm->order] : 1;
  sni_fast_slot *const slots = sn_calloc(n, sizeof *slots);
  sni_fast_history *const h = sn_calloc(n_histories, sizeof *h);
  sn_status s = SN_OK;
  if (slots == NULL || h == NULL) {
    s = sn_fail_nomem(err, "fast language model");
    goto fail;
  }
  put_all(slots, (uint32_t)n, lm);
  for (int32_t k = 1; k < lm->order; k++)
    for (int64_t i = 0; i < lm->level[k].n; i++) {
      const sn_ngram_state at = {k, i};
      sni_fast_history *const to = &h[link_of(lm, at)];
      to->backoff = lm->level[k].backoff[i];
      to->suffix = link_of(lm, sn_ngram_backoff_state(lm, at));
      int64_t first;
      const int64_t n_next = sn_ngram_children(lm, at, &first);
      for (int64_t c = first; c < first + n_next; c++)
        to->words |=
            sni_fast_word_bit((uint32_t)sn_ngram_child_word(lm, k + 1, c));
    }
  SN_TRY_GOTO(s, sn_box_add(w, "hash", sizeof *slots, slots, n, err));
  SN_TRY_GOTO(s, sn_box_add(w, "history", sizeof *h, h, n_histories, err));
fail:
  sn_free(slots);
  sn_free(h);
  return s;
}

/* ---- Opening and verifying ---- */

sn_status sni_fast_open(sn_ngram *lm, sn_err *err) {
  const void *p = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(lm->box, "hash", sizeof(sni_fast_slot),
                        SN_BOX_LAZY | SN_BOX_OPTIONAL, &p, &n, err));
  if (p == NULL) return SN_OK;
  if (n != n_slots_for(n_longer(lm)) || n > UINT32_MAX)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'hash' has %zu slots for %llu n-grams",
                   lm->name, n, (unsigned long long)n_longer(lm));
  const sni_fast_slot *const slots = p;
  lm->n_fast = (uint32_t)n;
  SN_TRY(sn_box_section(lm->box, "history", sizeof(sni_fast_history),
                        SN_BOX_LAZY, &p, &n, err));
  if (n != (lm->order > 1 ? lm->base[lm->order] : 1))
    return sn_fail(err, SN_EFORMAT, "%s: section 'history' has %zu elements",
                   lm->name, n);
  lm->history = p;
  lm->fast = slots;
  return SN_OK;
}

/* Content that agrees with its checksum was written by sni_fast_add; ranges
 * are all that is left to check. (Looking every n-gram up would take longer
 * than most texts.) */
sn_status sni_fast_verify(const sn_ngram *lm, sn_err *err) {
  uint64_t n_used = 0;
  bool is_sound = true;
  const uint32_t end = lm->base[lm->order];
  for (uint32_t i = 0; i < lm->n_fast; i++) {
    const sni_fast_slot *const s = &lm->fast[i];
    if (s->from == 0) continue;
    n_used++;
    is_sound = is_sound && s->from < end && s->next < end &&
               s->word < (uint32_t)lm->vocab.n_words && isfinite(s->logp);
  }
  if (!is_sound || n_used != n_longer(lm))
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'hash' is not consistent; the file is damaged, "
                   "make it again",
                   lm->name);
  for (uint32_t i = 1; i < end; i++)
    if (lm->history[i].suffix >= i || !isfinite(lm->history[i].backoff))
      return sn_fail(err, SN_EFORMAT,
                     "%s: section 'history', element %u is out of range",
                     lm->name, i);
  return SN_OK;
}
