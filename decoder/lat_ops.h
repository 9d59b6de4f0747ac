/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_ops.h - lattices together: union, equality; and a drawing. */
#ifndef SN_DECODER_LAT_OPS_H
#define SN_DECODER_LAT_OPS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/arr.h"
#include "base/status.h"
#include "base/str.h"
#include "decoder/lat_words.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

/* All paths of the n lattices of one utterance: a new start state with an arc
 * without word to each lattice. Not deterministic: see sn_lat_determinize.
 * SN_EMISMATCH: two of them have different numbers of frames (lattices
 * without alignments go with any). */
SN_NODISCARD sn_status sn_lat_union(const sn_lat *const *in, size_t n,
                                    sn_lat *out, sn_err *err);

/* n > 0 lattices in a row, one utterance's: what sn_decoder_take_stretch gave,
 * and its last lattice. Of the result every path is one of each, so it is
 * deterministic. An empty last one: an empty result. SN_ENOMEM. */
SN_NODISCARD sn_status sn_lat_join(const sn_lat *row, size_t n, sn_lat *out,
                                   sn_err *err);

/* Whether a and b are the same lattice but for the numbers of their states and
 * the order of their arcs: words, alignments, final states, costs (each within
 * `tolerance`). Always right for lattices whose states have no two arcs with
 * equal word, costs and alignment; of others it may miss that they are equal.
 * SN_ENOMEM. */
SN_NODISCARD sn_status sn_lat_equal(const sn_lat *a, const sn_lat *b,
                                    double tolerance, bool *equal, sn_err *err);

typedef enum sn_lat_diff_kind {
  SN_LAT_SAME,
  SN_LAT_ONLY_FIRST,  /* `words` has a path in a, but not in b */
  SN_LAT_ONLY_SECOND, /* the other way round */
  SN_LAT_COSTS        /* both have `words`, at different costs */
} sn_lat_diff_kind;

/* Zeroed is "same"; owned by the caller (sn_lat_diff_clear). */
typedef struct sn_lat_diff {
  sn_lat_diff_kind kind;
  sn_arr_i32 words;
  double graph, acoustic; /* SN_LAT_COSTS: costs in a minus costs in b */
} sn_lat_diff;
void sn_lat_diff_clear(sn_lat_diff *d);

/* Compares what the lattices say: the set of word sequences, each with its
 * graph and its acoustic cost (within `tolerance` each). Alignments and the way
 * in which sequences share states do not matter. A lattice that is not
 * deterministic is determinised first, under `scales`.
 * Finds one difference; one in costs only where the words are the same. Work:
 * pairs of states that one word sequence leads to. SN_ENOMEM; SN_ELIMIT:
 * determinising goes beyond 10 million arcs. */
SN_NODISCARD sn_status sn_lat_compare(const sn_lat *a, const sn_lat *b,
                                      const sn_lat_scales *scales,
                                      double tolerance, sn_lat_diff *out,
                                      sn_err *err);

typedef struct sn_lat_draw_opts {
  sn_lat_scales scales; /* of the posteriors that the arcs show */
  double frame_s;       /* for times of states */
  int32_t max_states;
} sn_lat_draw_opts;

/* Adds the lattice in Graphviz's language to out: states with their times, arcs
 * with word, graph and acoustic cost and posterior, the wider the likelier.
 * words NULL: labels as numbers. SN_ELIMIT above max_states. */
SN_NODISCARD sn_status sn_lat_draw(const sn_lat *l, const char *title,
                                   const sn_lat_words *words,
                                   const sn_lat_draw_opts *opts, sn_str *out,
                                   sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
