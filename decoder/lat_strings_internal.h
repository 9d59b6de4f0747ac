/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_strings_internal.h - strings of labels as numbers, for
 * determinisation: equal strings have equal numbers. */
#ifndef SN_DECODER_LAT_STRINGS_INTERNAL_H
#define SN_DECODER_LAT_STRINGS_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SNI_EMPTY (-1) /* the empty string; no node */

typedef struct sni_string_node {
  int32_t parent; /* SNI_EMPTY: the empty string */
  int32_t label, length;
  int32_t child, sibling; /* lists; SNI_EMPTY ends them */
} sni_string_node;

typedef struct sni_strings {
  SN_ARR(sni_string_node) nodes;
  sn_arr_i32 table; /* of children outside lists: node + 1; 0: free; open
                       addressing. sni_free_slots before the first string */
  size_t n_table;
  sn_arr_i32 scratch;
} sni_strings;

/* Makes t a table of `size` free slots, a power of two. */
SN_NODISCARD sn_status sni_free_slots(sn_arr_i32 *t, size_t size, sn_err *err);

static inline int32_t sni_strings_length(const sni_strings *t, int32_t s) {
  return s == SNI_EMPTY ? 0 : t->nodes.data[s].length;
}

/* *s + labels[0 .. n). ENOMEM, ELIMIT. */
SN_NODISCARD sn_status sni_strings_append(sni_strings *t, int32_t *s,
                                          const int32_t *labels, size_t n,
                                          sn_err *err);
int32_t sni_strings_common(const sni_strings *t, int32_t a, int32_t b);
/* Labels of s from position `from` on, into t->scratch. */
SN_NODISCARD sn_status sni_strings_spell(sni_strings *t, int32_t s,
                                         int32_t from, sn_err *err);
/* *s without its first n labels. */
SN_NODISCARD sn_status sni_strings_drop(sni_strings *t, int32_t *s, int32_t n,
                                        sn_err *err);
/* Order of strings for ties: shorter first, then by labels. */
int sni_strings_compare(const sni_strings *t, int32_t a, int32_t b);

/* Murmur3's step for a block, and its last one. */
static inline uint32_t sni_hash_mix(uint32_t h, uint32_t x) {
  x *= 0xcc9e2d51u;
  x = (x << 15) | (x >> 17);
  h ^= x * 0x1b873593u;
  h = (h << 13) | (h >> 19);
  return h * 5 + 0xe6546b64u;
}

static inline uint32_t sni_hash_finish(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 16);
}
#ifdef __cplusplus
}
#endif
#endif
