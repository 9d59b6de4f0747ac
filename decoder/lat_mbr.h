/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_mbr.h - minimum-Bayes-risk words, confusion networks, and the
 * oracle of a lattice. */
#ifndef SN_DECODER_LAT_MBR_H
#define SN_DECODER_LAT_MBR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "decoder/lat_spans.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_sausage_entry {
  int32_t word; /* label; 0: nothing is said here */
  double posterior;
} sn_sausage_entry;

/* A place in a confusion network: what may have been said there. */
typedef struct sn_sausage_bin {
  uint32_t first, n; /* entries, likeliest first; posteriors sum to 1 */
  double begin, end; /* frames, expected values */
} sn_sausage_bin;

/* Zeroed is empty; owned by the caller (sn_mbr_clear). Bins alternate between
 * gaps (most likely nothing) and words: gap, word, gap, ..., word, gap. */
typedef struct sn_mbr {
  SN_ARR(sn_sausage_bin) bins;
  SN_ARR(sn_sausage_entry) entries;
  sn_arr_i32 words;  /* of least expected error */
  sn_arr_i32 bin_of; /* [words.n] each word's bin */
  double risk;       /* expected number of word errors of `words` */
} sn_mbr;
void sn_mbr_clear(sn_mbr *m);

typedef struct sn_mbr_opts {
  bool update; /* false: the words that it begins with are kept, and the network
                  is made around them */
  const int32_t *words; /* [n_words] labels without 0; NULL: those of the best
                           path */
  size_t n_words;
  const sn_lat_spans *spans; /* when the arcs' words are said; NULL: between the
                                states' times */
} sn_mbr_opts;

/* The words whose expected edit distance to the lattice's paths is least
 * (approximately, by iteration from those of opts), and the confusion network
 * that comes with them. The lattice should be deterministic and aligned
 * (sn_lat_times must succeed). An empty lattice gives one empty gap.
 * Errors: SN_ENOMEM; SN_EMISMATCH as sn_lat_times.
 * Source: Xu, Povey, Mangu, Zhu 2011, "Minimum Bayes Risk decoding and system
 * combination based on a recursion for edit distance", algorithm in appendix
 * C. Deviates as Kaldi does: a gap that takes the time of a state takes the
 * one behind the arc; and a word that is passed over costs 1 + 1e-5, so that of
 * equal alignments the one that uses more words is taken. */
SN_NODISCARD sn_status sn_lat_mbr(const sn_lat *l, const sn_lat_scales *k,
                                  const sn_mbr_opts *opts, sn_mbr *out,
                                  sn_err *err);

typedef struct sn_lat_oracle {
  sn_arr_i32 words; /* of the path nearest to the reference */
  int32_t ins, del, sub;
} sn_lat_oracle;
void sn_lat_oracle_clear(sn_lat_oracle *o);

/* The path of fewest word errors against reference[0..n): of equals the one
 * with the least cost. Work: arcs x n. */
SN_NODISCARD sn_status sn_lat_find_oracle(const sn_lat *l,
                                          const sn_lat_scales *k,
                                          const int32_t *reference, size_t n,
                                          sn_lat_oracle *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
