/* SPDX-License-Identifier: Apache-2.0 */
/* lm/small.h - the small binary: a bit-packed, quantised trie (docs/lm.md).
 *
 * A node of level k >= 2 is a record of word, code of log p and, below the
 * highest level, code of the back-off weight, bit after bit. Codes name an
 * entry of the level's table. Words (level 1) keep their floats. Where a
 * node's children begin (`first`) is kept in blocks of 128 nodes: a start and
 * differences, each block with as many bits as its largest one needs. There
 * are no suffix links: a query finds shorter histories by their words, as
 * KenLM's trie does. */
#ifndef SN_LM_SMALL_H
#define SN_LM_SMALL_H
#include <stdint.h>
#include <string.h>

#include "lm/ngram_internal.h"

#define SNI_SMALL_MAGIC "SNNGSML"
#define SNI_SMALL_VERSION 1u
#define SNI_SMALL_BLOCK 128u /* nodes */
/* Readers take 8 bytes at a time; so many follow the last used one. */
#define SNI_SMALL_PAD 8u

typedef struct sni_small_block {
  uint32_t first; /* of the block's first node */
  uint32_t at;    /* in units of 16 bytes; the next one's less this: bits */
} sni_small_block;

typedef struct sni_small_level {
  const unsigned char *records;
  size_t n_record_bytes;
  unsigned word_bits, logp_bits, backoff_bits, bits; /* bits: all three */
  const float *logp_of, *backoff_of;                 /* [2^..._bits] */
  const sni_small_block *block; /* [n / 128 + 2]; NULL at the highest level */
  const unsigned char *diffs;
  size_t n_diff_bytes;
} sni_small_level;

struct sni_small {
  sni_small_level level[SN_NGRAM_MAX_ORDER + 1]; /* [1] has only `first` */
};

/* The number in `bits` (<= 32) bits from bit `at` on, low bits first. */
static inline uint32_t sni_bits(const unsigned char *data, uint64_t at,
                                unsigned bits) {
  uint64_t v;
  memcpy(&v, data + (at >> 3), sizeof v);
  return (uint32_t)(v >> (at & 7) & (((uint64_t)1 << bits) - 1));
}

/* ---- Queries; see ngram.h for what they mean ---- */
void sni_small_children(const sn_ngram *lm, sn_ngram_state h, int64_t *begin,
                        int64_t *end);
int32_t sni_small_word(const sn_ngram *lm, int32_t level, int64_t node);
double sni_small_logp(const sn_ngram *lm, int32_t level, int64_t node);
double sni_small_backoff(const sn_ngram *lm, int32_t level, int64_t node);
/* The node of that word among [begin, end) of a level, or -1. */
int64_t sni_small_search(const sn_ngram *lm, int32_t level, int64_t begin,
                         int64_t end, int32_t word);
/* For sni_small_children of the node; then for sni_small_search. */
void sni_small_prefetch_block(const sn_ngram *lm, int32_t level, int64_t node);
void sni_small_prefetch_first(const sn_ngram *lm, int32_t level, int64_t node);
void sni_small_prefetch_word(const sn_ngram *lm, int32_t level, int64_t begin,
                             int64_t end, int32_t word);
int64_t sni_small_child(const sn_ngram *lm, sn_ngram_state h, int32_t word);
sn_ngram_state sni_small_suffix(const sn_ngram *lm, int32_t level,
                                int64_t node);
double sni_small_score(const sn_ngram *lm, sn_ngram_state from, int32_t word,
                       sn_ngram_state *to, int32_t *matched);
#endif
