/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_rescore_internal.h - composition of a lattice with the histories
 * of two language models, whole (lat_rescore.c) or one of a row
 * (lat_rescore_row.c). */
#ifndef SN_DECODER_LAT_RESCORE_INTERNAL_H
#define SN_DECODER_LAT_RESCORE_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "decoder/lat_rescore.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Sets of histories of the old model (lat_rescore_old.c) ---- */

/* Cost by length of the history; +infinity: not there. */
typedef struct sni_histories {
  double cost[SN_NGRAM_MAX_ORDER];
  int64_t node[SN_NGRAM_MAX_ORDER];
} sni_histories;

typedef struct sni_old_entry {
  int32_t level;
  int64_t node;
  double cost; /* the least of a set is 0 */
} sni_old_entry;

typedef struct sni_old_set {
  size_t first, n; /* entries */
  uint32_t hash;
} sni_old_set;

typedef struct sni_old_model {
  const sn_lat_lm *use; /* lm may be NULL */
  bool exact;
  SN_ARR(sni_old_entry) entries;
  SN_ARR(sni_old_set) sets;
  int32_t *slots; /* [size], a power of two; 0: free, else set + 1 */
  size_t size;
} sni_old_model;

void sni_old_clear(sni_old_model *m);
/* The set at the beginning of a sentence. SN_ENOMEM. */
SN_NODISCARD sn_status sni_old_begin(sni_old_model *m, int32_t *id,
                                     sn_err *err);
/* The set after a label, and what the label costs. SN_EMISMATCH: no such label.
 */
SN_NODISCARD sn_status sni_old_step(sni_old_model *m, int32_t id, int32_t label,
                                    int32_t *to, double *cost, sn_err *err);
/* Cost of the sentence's end after a set. */
double sni_old_end(const sni_old_model *m, int32_t id);
/* A set as it is, and the number of one: to carry it to another model object.
 * The empty context alone: sni_unigram. SN_ENOMEM. */
sni_histories sni_old_get(const sni_old_model *m, int32_t id);
SN_NODISCARD sn_status sni_old_put(sni_old_model *m, const sni_histories *h,
                                   int32_t *id, sn_err *err);
sni_histories sni_unigram(void);

uint64_t sni_mix(uint64_t h, uint64_t x);
bool sni_has_successors(const sn_ngram *lm, sn_ngram_state s);
/* What a model calls a label. SN_EMISMATCH: it is not in the table. */
SN_NODISCARD sn_status sni_lm_word(const sn_lat_lm *use, int32_t label,
                                   int32_t *word, sn_err *err);

/* ---- Composition (lat_rescore.c) ---- */

/* Where both models are. */
typedef struct sni_lm_place {
  sni_histories old;
  sn_ngram_state now;
} sni_lm_place;

/* What comes before the lattice, at what cost. */
typedef struct sni_lm_start {
  sni_lm_place place;
  double cost;
} sni_lm_start;

/* A state of the result: a state of the lattice with histories. */
typedef struct sni_pair {
  int32_t state, old;
  int32_t next; /* of the same state; -1: the last */
  sn_ngram_state now;
  double cost; /* least total from the start */
} sni_pair;

/* The first five are the caller's; the rest zero, and cleared by
 * sni_composition_clear. */
typedef struct sni_composition {
  const sn_lat *l;
  sn_lat_scales k;
  const sn_lat_rescore_opts *opts;
  const sn_lat_lm *new_lm;
  bool is_open;           /* the sentence goes on behind the lattice */
  sni_old_model old;      /* the caller sets use and exact */
  SN_ARR(sni_pair) pairs; /* number = state in `result` */
  int32_t *first;         /* [states of l] their pairs, -1: none */
  int32_t *slots;         /* [size], a power of two; 0: free, else pair + 1 */
  size_t size;
  sn_arr_i32 turn;  /* pairs of the state whose turn it is */
  sn_arr_i32 roots; /* [starts] pair of each */
  sn_arr_i32 ends;  /* pairs that are final */
  sn_lat_builder *result;
  sn_lat_rescore_stats stats;
} sni_composition;

/* Fills `result`, from n starts (0: the beginning of a sentence). Errors as
 * sn_lat_rescore. */
SN_NODISCARD sn_status sni_compose(sni_composition *w,
                                   const sni_lm_start *starts, size_t n,
                                   sn_err *err);
void sni_composition_clear(sni_composition *w);
#ifdef __cplusplus
}
#endif
#endif
