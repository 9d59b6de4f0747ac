/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lattice.h - word lattices: acyclic automata whose arcs carry a word,
 * a (graph, acoustic) cost pair and the alignment that both belong to.
 *
 * The semiring is Kaldi's compact lattice: costs add along a path; of two paths
 * the one with the lower total (graph + scaled acoustic) is the better. A
 * lattice is *deterministic* when no state has two arcs with the same word and
 * none is without a word; then every word sequence has one path.
 *
 * Storage is flat: states in topological order (every arc leads to a state of
 * a higher number, so there is no cycle to check for), arcs sorted by source,
 * alignments in one array. State 0 is the start. Immutable once made.
 *
 * Source: Povey et al. 2012, "Generating exact lattices in the WFST
 * framework". */
#ifndef SN_DECODER_LATTICE_H
#define SN_DECODER_LATTICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_lat_arc {
  int32_t next;              /* state, > its source */
  int32_t word;              /* label; 0: none */
  float graph, acoustic;     /* costs, natural log; acoustic unscaled */
  uint32_t first_ali, n_ali; /* one label a frame, in ali[] */
} sn_lat_arc;

/* Arcs of state s: arcs[states[s].first_arc .. states[s + 1].first_arc). A
 * state is final when final_graph is finite. */
typedef struct sn_lat_state {
  uint32_t first_arc;
  uint32_t first_ali, n_ali; /* of the final weight */
  float final_graph, final_acoustic;
} sn_lat_state;

typedef struct sn_lat {
  sn_lat_state *states; /* [n_states + 1] */
  sn_lat_arc *arcs;     /* [n_arcs] */
  int32_t *ali;         /* [n_ali] */
  int32_t n_states, n_arcs;
  uint32_t n_ali;
} sn_lat;

void sn_lat_clear(sn_lat *l); /* frees; a zeroed lattice is empty and valid */
SN_NODISCARD sn_status sn_lat_copy(const sn_lat *from, sn_lat *to, sn_err *err);

/* ---- Building: states and arcs in any order ---- */
typedef struct sn_lat_builder sn_lat_builder;
SN_NODISCARD sn_status sn_lat_builder_create(sn_lat_builder **out, sn_err *err);
void sn_lat_builder_destroy(sn_lat_builder *b);
void sn_lat_builder_reset(sn_lat_builder *b); /* empty again, memory kept */
size_t sn_lat_builder_bytes(const sn_lat_builder *b);
SN_NODISCARD sn_status sn_lat_builder_state(sn_lat_builder *b, int32_t *id,
                                            sn_err *err);
/* from, to: states added before (else SN_EARG). Costs: not NaN, not -inf. ali
 * is copied. An arc of cost +inf is left out. */
SN_NODISCARD sn_status sn_lat_builder_arc(sn_lat_builder *b, int32_t from,
                                          int32_t to, int32_t word, float graph,
                                          float acoustic, const int32_t *ali,
                                          size_t n_ali, sn_err *err);
SN_NODISCARD sn_status sn_lat_builder_final(sn_lat_builder *b, int32_t state,
                                            float graph, float acoustic,
                                            const int32_t *ali, size_t n_ali,
                                            sn_err *err);
/* Sorts the states topologically (depth first, arcs in order of addition),
 * drops what is not on a path from `start` to a final state, and leaves the
 * builder empty. No path at all: an empty lattice. SN_EFORMAT: a cycle. */
SN_NODISCARD sn_status sn_lat_builder_take(sn_lat_builder *b, int32_t start,
                                           sn_lat *out, sn_err *err);
/* The same; map[s] becomes the number of the builder's state s in *out, or -1.
 * map: [states added]; NULL: not wanted. */
SN_NODISCARD sn_status sn_lat_builder_take_map(sn_lat_builder *b, int32_t start,
                                               sn_lat *out, int32_t *map,
                                               sn_err *err);

/* ---- Properties ---- */
/* Frame at which each state stands ([n_states], caller's), from the lengths of
 * alignments; *n_frames is the length of all complete paths. SN_EMISMATCH:
 * paths of different length lead to one state. */
SN_NODISCARD sn_status sn_lat_times(const sn_lat *l, int32_t *frames,
                                    int32_t *n_frames, sn_err *err);
bool sn_lat_is_deterministic(const sn_lat *l);
/* Every index, order, NaN: what a reader must know before it hands a lattice
 * on. SN_EFORMAT. */
SN_NODISCARD sn_status sn_lat_check(const sn_lat *l, sn_err *err);
/* Arcs (without final ones) that cross each frame, on average: Kaldi's
 * lattice-depth. */
double sn_lat_depth(const sn_lat *l);

typedef struct sn_lat_scales {
  double graph, acoustic; /* factors of the two costs; 1, 1/12 */
  double word_penalty;    /* cost added for each word */
} sn_lat_scales;
#ifdef __cplusplus
}
#endif
#endif
