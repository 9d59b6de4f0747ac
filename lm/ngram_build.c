/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the trie from n-grams in any order, one level after the other.
 *
 * 1. An n-gram is stored as (parent node, word): the parent is found by
 *    walking the levels that are already complete; n-grams mostly come sorted
 *    by their prefix, so the last parent is remembered.
 * 2. At the end of a level two stable counting sorts, by word and then by
 *    parent, give the order of the nodes and the children's ranges. They are
 *    skipped when the n-grams came in order.
 * 3. Suffix links: the link of (parent, word) is found from the parent's link,
 *    as in an Aho-Corasick automaton; children of a parent ascend by word, so
 *    each search starts where the one before it ended.
 * 4. N-grams without a prefix ("a b c" where "a b" is missing) wait as
 *    orphans. If there are any at the end, the model is built once more with
 *    the missing prefixes put in. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"

/* Nodes of all levels are numbered together in 32 bits. */
#define MAX_NODES ((int64_t)UINT32_MAX - 1)

sn_status sni_builder_init(sni_builder *b, const char *name, int32_t order,
                           sn_err *err) {
  SN_ASSERT(order >= 1 && order <= SN_NGRAM_MAX_ORDER);
  memset(b, 0, sizeof *b);
  b->order = order;
  b->level = 1;
  b->last_parent = -1;
  b->lm = sn_calloc(1, sizeof *b->lm);
  if (b->lm == NULL) return sn_fail_nomem(err, "language model");
  b->lm->order = order;
  b->lm->name = sn_strdup(name);
  if (b->lm->name == NULL) return sn_fail_nomem(err, "language model");
  return SN_OK;
}

void sni_builder_clear(sni_builder *b) {
  sn_ngram_destroy(b->lm);
  b->lm = NULL;
  sn_str_clear(&b->text);
  SN_ARR_FREE(&b->at);
  SN_ARR_FREE(&b->slot);
  SN_ARR_FREE(&b->parent);
  SN_ARR_FREE(&b->word);
  SN_ARR_FREE(&b->logp);
  SN_ARR_FREE(&b->backoff);
  SN_ARR_FREE(&b->orphans);
  SN_ARR_FREE(&b->orphan_words);
}

/* ---- Vocabulary ---- */

static sni_vocab vocab_view(const sni_builder *b) {
  const sni_vocab v = {.text = b->text.data,
                       .n_text_bytes = b->text.n,
                       .at = b->at.data,
                       .n_words = (int32_t)b->at.n,
                       .slot = b->slot.data,
                       .mask = (uint32_t)b->slot.n - 1};
  return v;
}

int32_t sni_builder_find(const sni_builder *b, const char *s, size_t n) {
  if (b->slot.n == 0) return -1;
  const sni_vocab v = vocab_view(b);
  return sni_vocab_find(&v, s, n);
}

static void slot_put(uint32_t *slot, uint32_t mask, const char *s, size_t n,
                     uint32_t id) {
  uint32_t i = sni_word_hash(s, n) & mask;
  while (slot[i] != 0) i = (i + 1) & mask;
  slot[i] = id + 1;
}

/* At least twice as many slots as words. */
static sn_status slots_reserve(sni_builder *b, size_t n_words, sn_err *err) {
  if (b->slot.n >= 2 * n_words) return SN_OK;
  size_t n = b->slot.n == 0 ? 256 : b->slot.n * 2;
  while (n < 2 * n_words) n *= 2;
  SN_TRY(SN_ARR_RESIZE(&b->slot, n, err));
  memset(b->slot.data, 0, n * sizeof *b->slot.data);
  for (size_t id = 0; id < b->at.n; id++) {
    const char *const w = b->text.data + b->at.data[id];
    slot_put(b->slot.data, (uint32_t)(n - 1), w, strlen(w), (uint32_t)id);
  }
  return SN_OK;
}

sn_status sni_builder_add_word(sni_builder *b, const char *s, size_t n,
                               float logp, float backoff, bool *is_new,
                               sn_err *err) {
  SN_ASSERT(b->level == 1 && memchr(s, '\0', n) == NULL);
  *is_new = sni_builder_find(b, s, n) < 0;
  if (!*is_new) return SN_OK;
  if (b->at.n >= INT32_MAX / 4 || n > UINT32_MAX / 2 - b->text.n)
    return sn_fail(err, SN_ELIMIT, "%s: more than %d words", b->lm->name,
                   INT32_MAX / 4);
  SN_TRY(slots_reserve(b, b->at.n + 1, err));
  const uint32_t at = (uint32_t)b->text.n;
  SN_TRY(SN_ARR_RESERVE(&b->at, b->at.n + 1, err));
  SN_TRY(SN_ARR_RESERVE(&b->logp, b->at.n + 1, err));
  SN_TRY(SN_ARR_RESERVE(&b->backoff, b->at.n + 1, err));
  SN_TRY(sn_str_add(&b->text, s, n, err));
  SN_TRY(sn_str_add(&b->text, "", 1, err)); /* the NUL, counted */
  slot_put(b->slot.data, (uint32_t)(b->slot.n - 1), s, n, (uint32_t)b->at.n);
  b->at.data[b->at.n++] = at;
  b->logp.data[b->logp.n++] = logp;
  b->backoff.data[b->backoff.n++] = backoff;
  return SN_OK;
}

/* ---- N-grams ---- */

sn_status sni_builder_add(sni_builder *b, const int32_t *words, float logp,
                          float backoff, sn_err *err) {
  const int32_t k = b->level;
  SN_ASSERT(k >= 2 && k <= b->order);
  const size_t prefix_bytes = (size_t)(k - 1) * sizeof *words;
  int64_t parent = b->last_parent;
  if (parent < 0 || memcmp(words, b->last_words, prefix_bytes) != 0) {
    parent = sni_find(b->lm, words, k - 1);
    memcpy(b->last_words, words, prefix_bytes);
    b->last_parent = parent;
  }
  if (parent < 0) {
    const sni_orphan o = {k, b->orphan_words.n, logp, backoff};
    for (int32_t i = 0; i < k; i++)
      SN_TRY(SN_ARR_PUSH(&b->orphan_words, words[i], err));
    return SN_ARR_PUSH(&b->orphans, o, err);
  }
  SN_TRY(SN_ARR_PUSH(&b->parent, (uint32_t)parent, err));
  SN_TRY(SN_ARR_PUSH(&b->word, words[k - 1], err));
  SN_TRY(SN_ARR_PUSH(&b->logp, logp, err));
  if (k < b->order) SN_TRY(SN_ARR_PUSH(&b->backoff, backoff, err));
  return SN_OK;
}

/* A block of n elements that the model owns from now on. */
static void *take_block(sn_ngram *lm, size_t n, size_t size) {
  void *const p = sn_calloc(n, size);
  if (p != NULL) sni_ngram_own(lm, p);
  return p;
}

/* Step 2. *order_out: positions in order of (parent, word), NULL when they are
 * so already; owned by the caller. */
static sn_status sort_level(const sni_builder *b, uint32_t **order_out,
                            sn_err *err) {
  const size_t n = b->parent.n;
  const uint32_t *const parent = b->parent.data;
  const int32_t *const word = b->word.data;
  *order_out = NULL;
  size_t i = 1;
  while (i < n && (parent[i - 1] < parent[i] ||
                   (parent[i - 1] == parent[i] && word[i - 1] <= word[i])))
    i++;
  if (i >= n) return SN_OK;
  const size_t n_words = b->at.n, n_up = (size_t)b->lm->level[b->level - 1].n;
  const size_t n_count = (n_words > n_up ? n_words : n_up) + 1;
  uint32_t *const by_word = sn_calloc(n, sizeof *by_word);
  uint32_t *const by_both = sn_calloc(n, sizeof *by_both);
  uint32_t *const count = sn_calloc(n_count, sizeof *count);
  if (by_word == NULL || by_both == NULL || count == NULL) {
    sn_free(by_word);
    sn_free(by_both);
    sn_free(count);
    return sn_fail_nomem(err, "sorting n-grams");
  }
  for (i = 0; i < n; i++) count[word[i] + 1]++;
  for (i = 1; i <= n_words; i++) count[i] += count[i - 1];
  for (i = 0; i < n; i++) by_word[count[word[i]]++] = (uint32_t)i;
  memset(count, 0, n_count * sizeof *count);
  for (i = 0; i < n; i++) count[parent[i] + 1]++;
  for (i = 1; i <= n_up; i++) count[i] += count[i - 1];
  for (i = 0; i < n; i++) by_both[count[parent[by_word[i]]]++] = by_word[i];
  sn_free(by_word);
  sn_free(count);
  *order_out = by_both;
  return SN_OK;
}

/* Step 3: the link of parent's child `word`, whose own level is `level`. */
static uint32_t suffix_link(const sn_ngram *lm, int32_t level, int64_t parent,
                            int32_t word) {
  sn_ngram_state s = {level - 1, parent};
  while (s.level > 1) {
    s = sni_link_state(lm, s.level, lm->level[s.level].suffix[s.node]);
    const int64_t node = sni_child(lm, s, word);
    if (node >= 0) return lm->base[s.level + 1] + (uint32_t)node;
  }
  return lm->base[1] + (uint32_t)word;
}

static sn_status end_words(sni_builder *b, sn_err *err) {
  sn_ngram *const lm = b->lm;
  sni_level *const l = &lm->level[1];
  l->n = (int64_t)b->at.n;
  /* The arrays change hands as they are. */
  lm->vocab = vocab_view(b);
  l->logp = b->logp.data;
  if (b->order > 1) l->backoff = b->backoff.data;
  sni_ngram_own(lm, b->logp.data);
  sni_ngram_own(lm, b->backoff.data);
  memset(&b->logp, 0, sizeof b->logp);
  memset(&b->backoff, 0, sizeof b->backoff);
  (void)err;
  return SN_OK;
}

static sn_status end_ngrams(sni_builder *b, sn_err *err) {
  sn_ngram *const lm = b->lm;
  const int32_t k = b->level;
  const size_t n = b->parent.n;
  const sni_level *const up = &lm->level[k - 1];
  if ((int64_t)n + lm->base[k] > MAX_NODES)
    return sn_fail(err, SN_ELIMIT, "%s: more than %lld n-grams", lm->name,
                   (long long)MAX_NODES);
  uint32_t *order = NULL;
  SN_TRY(sort_level(b, &order, err));
  const bool has_backoff = k < b->order;
  uint32_t *const first = take_block(lm, (size_t)up->n + 1, sizeof *first);
  uint32_t *const suffix = take_block(lm, n, sizeof *suffix);
  int32_t *const word = take_block(lm, n, sizeof *word);
  float *const logp = take_block(lm, n, sizeof *logp);
  float *const backoff =
      has_backoff ? take_block(lm, n, sizeof *backoff) : NULL;
  sn_status s = SN_OK;
  if (!first || !suffix || !word || !logp || (has_backoff && !backoff)) {
    s = sn_fail_nomem(err, "language model");
    goto done;
  }
  for (size_t i = 0; i < n; i++) {
    const size_t from = order != NULL ? order[i] : i;
    const uint32_t parent = b->parent.data[from];
    word[i] = b->word.data[from];
    logp[i] = b->logp.data[from];
    if (has_backoff) backoff[i] = b->backoff.data[from];
    first[parent + 1] = (uint32_t)(i + 1);
    if (i > 0 && word[i] == word[i - 1]) {
      const size_t before = order != NULL ? order[i - 1] : i - 1;
      if (b->parent.data[before] == parent) {
        b->n_duplicate_at = (int64_t)from; /* the sort is stable */
        s = SN_EFORMAT;
        goto done;
      }
    }
    suffix[i] = suffix_link(lm, k, parent, word[i]);
  }
  for (int64_t p = 0; p < up->n; p++)
    if (first[p + 1] == 0) first[p + 1] = first[p];
  lm->level[k - 1].first = first;
  lm->level[k].n = (int64_t)n;
  lm->level[k].word = word;
  lm->level[k].logp = logp;
  lm->level[k].backoff = backoff;
  lm->level[k].suffix = suffix;
done:
  sn_free(order);
  return s;
}

sn_status sni_builder_end_level(sni_builder *b, sn_err *err) {
  SN_ASSERT(b->level <= b->order);
  SN_TRY(b->level == 1 ? end_words(b, err) : end_ngrams(b, err));
  b->level++;
  b->last_parent = -1;
  b->parent.n = b->word.n = b->logp.n = b->backoff.n = 0;
  sn_ngram *const lm = b->lm;
  lm->base[1] = 1;
  for (int32_t k = 1; k < b->level; k++)
    lm->base[k + 1] = lm->base[k] + (uint32_t)lm->level[k].n;
  return SN_OK;
}

/* Step 4 for one level of the new model: the n-grams that `from` has, its
 * orphans, and prefixes of longer orphans. */
static sn_status refill_level(sni_builder *b, const sni_builder *from,
                              sn_err *err) {
  const int32_t k = b->level;
  const sn_ngram *const old = from->lm;
  const sni_level *const l = &old->level[k];
  sni_walk walk;
  sni_walk_init(&walk, old, k);
  for (int64_t i = 0; i < l->n; i++) {
    sni_walk_to(&walk, i);
    SN_TRY(sni_builder_add(b, walk.words, l->logp[i],
                           l->backoff != NULL ? l->backoff[i] : 0.0f, err));
  }
  for (size_t i = 0; i < from->orphans.n; i++) {
    const sni_orphan *const o = &from->orphans.data[i];
    if (o->level == k)
      SN_TRY(sni_builder_add(b, from->orphan_words.data + o->at, o->logp,
                             o->backoff, err));
  }
  return SN_OK;
}

/* Prefixes of length k that longer orphans lack, so far as the model in b
 * (levels below k complete, level k being filled) does not know them. As this
 * level's additions are not searchable yet, they are collected sorted. */
static int compare_words(const int32_t *a, const int32_t *b, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

/* Merge sort of word tuples: `index` names their starts in `words`. */
static void sort_tuples(size_t *index, size_t *scratch, size_t n,
                        const int32_t *words, int32_t k) {
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t lo = 0; lo < n; lo += 2 * width) {
      const size_t mid = lo + width < n ? lo + width : n;
      const size_t hi = mid + width < n ? mid + width : n;
      size_t i = lo, j = mid, out = lo;
      while (i < mid || j < hi) {
        const bool left =
            j >= hi || (i < mid && compare_words(words + index[i],
                                                 words + index[j], k) <= 0);
        scratch[out++] = left ? index[i++] : index[j++];
      }
    }
    memcpy(index, scratch, n * sizeof *index);
  }
}

static sn_status add_missing_prefixes(sni_builder *b, const sni_builder *from,
                                      sn_err *err) {
  const int32_t k = b->level;
  const int32_t *const words = from->orphan_words.data;
  size_t *const index = sn_calloc(2 * from->orphans.n, sizeof *index);
  if (index == NULL) return sn_fail_nomem(err, "orphaned n-grams");
  /* Tuples of length k: own[] orphans of this level, then longer ones' k-word
   * prefixes that the old model does not have; equal ones become neighbours. */
  size_t n = 0;
  for (size_t i = 0; i < from->orphans.n; i++) {
    const sni_orphan *const o = &from->orphans.data[i];
    if (o->level >= k && sni_find(from->lm, words + o->at, k) < 0)
      index[n++] = o->at;
  }
  sort_tuples(index, index + from->orphans.n, n, words, k);
  /* Orphans that are themselves of this level are there already. */
  sn_status s = SN_OK;
  size_t i = 0;
  while (i < n && s == SN_OK) {
    bool is_there = false;
    size_t j = i;
    for (; j < n && compare_words(words + index[i], words + index[j], k) == 0;
         j++)
      /* An orphan of level k is followed by the next one after k words. */
      for (size_t lo = 0, hi = from->orphans.n; lo < hi;) {
        const size_t mid = lo + (hi - lo) / 2;
        const sni_orphan *const o = &from->orphans.data[mid];
        if (o->at == index[j]) {
          is_there = is_there || o->level == k;
          break;
        }
        if (o->at < index[j])
          lo = mid + 1;
        else
          hi = mid;
      }
    if (!is_there) {
      const double logp = sni_eval(b->lm, words + index[i], k, k - 1);
      s = sni_builder_add(b, words + index[i], (float)logp, 0.0f, err);
      b->n_inserted++;
    }
    i = j;
  }
  sn_free(index);
  return s;
}

static sn_status rebuild(sni_builder *from, sn_err *err) {
  sni_builder b;
  sn_ngram *const old = from->lm;
  sn_status s;
  SN_TRY_GOTO(s, sni_builder_init(&b, old->name, old->order, err));
  for (int32_t w = 0; w < old->vocab.n_words; w++) {
    const char *const text = sn_ngram_word(old, w);
    bool is_new;
    SN_TRY_GOTO(
        s, sni_builder_add_word(
               &b, text, strlen(text), old->level[1].logp[w],
               old->order > 1 ? old->level[1].backoff[w] : 0.0f, &is_new, err));
  }
  SN_TRY_GOTO(s, sni_builder_end_level(&b, err));
  while (b.level <= b.order) {
    SN_TRY_GOTO(s, refill_level(&b, from, err));
    SN_TRY_GOTO(s, add_missing_prefixes(&b, from, err));
    SN_ASSERT(b.orphans.n == 0);
    s = sni_builder_end_level(&b, err);
    if (s == SN_EFORMAT)
      s = sn_fail(err, s, "%s: an n-gram without its prefix occurs twice",
                  old->name);
    if (s != SN_OK) goto fail;
  }
  from->n_inserted += b.n_inserted;
  sni_builder_clear(from);
  *from = b;
  return SN_OK;
fail:
  sni_builder_clear(&b);
  return s;
}

/* The heap blocks of the vocabulary go over to the model. */
static void take_vocab(sni_builder *b) {
  sn_ngram *const lm = b->lm;
  lm->vocab = vocab_view(b);
  sni_ngram_own(lm, b->text.data);
  sni_ngram_own(lm, b->at.data);
  sni_ngram_own(lm, b->slot.data);
  memset(&b->text, 0, sizeof b->text);
  memset(&b->at, 0, sizeof b->at);
  memset(&b->slot, 0, sizeof b->slot);
}

sn_status sni_builder_take(sni_builder *b, sn_ngram **out, sn_err *err) {
  SN_ASSERT(b->level == b->order + 1);
  *out = NULL;
  if (b->orphans.n > 0) SN_TRY(rebuild(b, err));
  take_vocab(b);
  sni_ngram_finish(b->lm);
  *out = b->lm;
  b->lm = NULL;
  return SN_OK;
}
