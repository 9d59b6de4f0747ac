/* SPDX-License-Identifier: Apache-2.0 */
/* Queries of the small binary (small.h).
 *
 * The words of a history are needed to find its suffixes. A node knows its own
 * last word; its parent is found by binary search over the blocks of the level
 * above and then over one block. Bigrams, the usual histories of trigram
 * models, need none of that: their suffix is their last word.
 *
 * A mapped file may be damaged and not verified: every index is limited to its
 * range when it is used, and reads stay within the section (`read_bits`). */
#include "lm/small.h"

#include <string.h>

/* Lists of more children than this are narrowed down by interpolation. */
#define LONG_LIST 64

static uint32_t read_bits(const unsigned char *data, size_t n_bytes,
                          uint64_t at, unsigned bits) {
  if (bits == 0 || (at >> 3) + SNI_SMALL_PAD > n_bytes) return 0;
  return sni_bits(data, at, bits);
}

static int64_t first_of(const sni_small_level *l, int64_t node) {
  const uint64_t b = (uint64_t)node / SNI_SMALL_BLOCK;
  const uint64_t i = (uint64_t)node % SNI_SMALL_BLOCK;
  const uint32_t bits = l->block[b + 1].at - l->block[b].at;
  if (bits > 32) return l->block[b].first; /* damaged */
  return (int64_t)l->block[b].first +
         read_bits(l->diffs, l->n_diff_bytes,
                   (uint64_t)l->block[b].at * 128 + i * bits, bits);
}

void sni_small_children(const sn_ngram *lm, sn_ngram_state h, int64_t *begin,
                        int64_t *end) {
  if (h.level == 0) {
    *begin = 0;
    *end = lm->level[1].n;
    return;
  }
  const sni_small_level *const l = &lm->small->level[h.level];
  const int64_t n = lm->level[h.level + 1].n;
  *end = first_of(l, h.node + 1);
  if (*end > n) *end = n;
  *begin = first_of(l, h.node);
  if (*begin > *end) *begin = *end;
}

static uint32_t word_at(const sni_small_level *l, int64_t node) {
  return read_bits(l->records, l->n_record_bytes, (uint64_t)node * l->bits,
                   l->word_bits);
}

int32_t sni_small_word(const sn_ngram *lm, int32_t level, int64_t node) {
  if (level == 1) return (int32_t)node;
  const uint32_t w = word_at(&lm->small->level[level], node);
  return w < (uint32_t)lm->vocab.n_words ? (int32_t)w : 0;
}

double sni_small_logp(const sn_ngram *lm, int32_t level, int64_t node) {
  if (level == 1) return (double)lm->level[1].logp[node];
  const sni_small_level *const l = &lm->small->level[level];
  return (double)l->logp_of[read_bits(l->records, l->n_record_bytes,
                                      (uint64_t)node * l->bits + l->word_bits,
                                      l->logp_bits)];
}

double sni_small_backoff(const sn_ngram *lm, int32_t level, int64_t node) {
  if (level == lm->order) return 0.0;
  if (level == 1) return (double)lm->level[1].backoff[node];
  const sni_small_level *const l = &lm->small->level[level];
  return (double)l->backoff_of[read_bits(
      l->records, l->n_record_bytes,
      (uint64_t)node * l->bits + l->word_bits + l->logp_bits, l->backoff_bits)];
}

/* Where the word would be in a list of n whose ids were spread evenly. */
static int64_t guess_of(int64_t word, int64_t low, int64_t high, int64_t n) {
  return (int64_t)((double)(word - low) * (double)n / (double)(high - low));
}

/* The first probe of a search: of a long list as in `guess_of`, else the
 * middle. */
static int64_t first_probe(const sn_ngram *lm, int64_t begin, int64_t n,
                           int32_t word) {
  return n > LONG_LIST ? begin + guess_of(word, 0, lm->vocab.n_words, n)
                       : begin + n / 2;
}

int64_t sni_small_search(const sn_ngram *lm, int32_t level, int64_t begin,
                         int64_t end, int32_t word) {
  const sni_small_level *const l = &lm->small->level[level];
  int64_t low = 0, high = lm->vocab.n_words; /* low <= word < high */
  /* Interpolation while the list is long, then halves; see sni_child. */
  for (int step = 0; step < 4 && end - begin > LONG_LIST; step++) {
    int64_t mid = begin + guess_of(word, low, high, end - begin);
    if (mid >= end) mid = end - 1;
    if (mid < begin) mid = begin;
    const int64_t w = (int64_t)word_at(l, mid);
    if (w == word) return mid;
    if (w < word) {
      begin = mid + 1;
      low = w + 1;
    } else {
      end = mid;
      high = w;
    }
    if (low > word || high <= word) return -1;
  }
  int64_t n = end - begin;
  if (n <= 0) return -1;
  while (n > 1) {
    const int64_t half = n / 2;
    begin = (int64_t)word_at(l, begin + half) <= word ? begin + half : begin;
    n -= half;
  }
  return (int64_t)word_at(l, begin) == word ? begin : -1;
}

int64_t sni_small_child(const sn_ngram *lm, sn_ngram_state h, int32_t word) {
  if (h.level == 0) return word < lm->vocab.n_words ? word : -1;
  int64_t begin, end;
  sni_small_children(lm, h, &begin, &end);
  return sni_small_search(lm, h.level + 1, begin, end, word);
}

/* ---- Memory that is needed soon; a wrong address does no harm ---- */

void sni_small_prefetch_block(const sn_ngram *lm, int32_t level, int64_t node) {
  __builtin_prefetch(&lm->small->level[level].block[node / SNI_SMALL_BLOCK]);
}

void sni_small_prefetch_first(const sn_ngram *lm, int32_t level, int64_t node) {
  const sni_small_level *const l = &lm->small->level[level];
  const uint64_t b = (uint64_t)node / SNI_SMALL_BLOCK;
  const uint64_t bits = (l->block[b + 1].at - l->block[b].at) & 63;
  const uint64_t at =
      (uint64_t)l->block[b].at * 128 + (uint64_t)node % SNI_SMALL_BLOCK * bits;
  if (at >> 3 < l->n_diff_bytes) __builtin_prefetch(l->diffs + (at >> 3));
}

void sni_small_prefetch_word(const sn_ngram *lm, int32_t level, int64_t begin,
                             int64_t end, int32_t word) {
  const sni_small_level *const l = &lm->small->level[level];
  if (begin >= end) return;
  const int64_t at = first_probe(lm, begin, end - begin, word);
  __builtin_prefetch(l->records + ((uint64_t)at * l->bits >> 3));
}

/* The node of `level` - 1 whose child (level >= 2, node) is. */
static int64_t parent_of(const sn_ngram *lm, int32_t level, int64_t node) {
  const sni_small_level *const l = &lm->small->level[level - 1];
  const int64_t n = lm->level[level - 1].n;
  /* Blocks, then nodes: the last one that begins at or before node. */
  int64_t lo = 0, hi = n / SNI_SMALL_BLOCK + 1;
  while (hi - lo > 1) {
    const int64_t mid = lo + (hi - lo) / 2;
    if ((int64_t)l->block[mid].first <= node)
      lo = mid;
    else
      hi = mid;
  }
  lo *= SNI_SMALL_BLOCK;
  hi = lo + SNI_SMALL_BLOCK < n ? lo + SNI_SMALL_BLOCK : n;
  while (hi - lo > 1) {
    const int64_t mid = lo + (hi - lo) / 2;
    if (first_of(l, mid) <= node)
      lo = mid;
    else
      hi = mid;
  }
  return lo < n ? lo : n - 1;
}

static void words_of(const sn_ngram *lm, int32_t level, int64_t node,
                     int32_t *words) {
  for (int32_t k = level; k > 1; k--) {
    words[k - 1] = sni_small_word(lm, k, node);
    node = parent_of(lm, k, node);
  }
  words[0] = (int32_t)node;
}

/* The longest node among words[0 .. n), words[1 .. n), ... */
static sn_ngram_state longest(const sn_ngram *lm, const int32_t *words,
                              int32_t n) {
  for (int32_t from = 0; from < n; from++) {
    const int64_t node = sni_find(lm, words + from, n - from);
    if (node >= 0) {
      const sn_ngram_state s = {n - from, node};
      return s;
    }
  }
  const sn_ngram_state empty = {0, 0};
  return empty;
}

sn_ngram_state sni_small_suffix(const sn_ngram *lm, int32_t level,
                                int64_t node) {
  sn_ngram_state s = {0, 0};
  if (level <= 1) return s;
  if (level == 2) {
    s.level = 1;
    s.node = sni_small_word(lm, level, node);
    return s;
  }
  int32_t words[SN_NGRAM_MAX_ORDER];
  words_of(lm, level, node, words);
  return longest(lm, words + 1, level - 1);
}

double sni_small_score(const sn_ngram *lm, sn_ngram_state from, int32_t word,
                       sn_ngram_state *to, int32_t *matched) {
  int32_t words[SN_NGRAM_MAX_ORDER + 1]; /* of `from`, then word */
  const int32_t n = from.level;
  if (n > 0) words_of(lm, n, from.node, words);
  words[n] = word;
  double sum = 0.0;
  int64_t node = sni_small_child(lm, from, word);
  while (node < 0) {
    sum += sni_small_backoff(lm, from.level, from.node);
    from = longest(lm, words + n - from.level + 1, from.level - 1);
    node = sni_small_child(lm, from, word);
  }
  const int32_t level = from.level + 1;
  if (matched != NULL) *matched = level;
  if (to != NULL) {
    to->level = level;
    to->node = node;
    if (level == lm->order) *to = longest(lm, words + n - level + 2, level - 1);
  }
  return sum + sni_small_logp(lm, level, node);
}
