/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_paths.h - what the paths of a lattice say: the best, the n best,
 * pruning, posteriors. All under given scales: the total of an arc is
 * graph * scales.graph + acoustic * scales.acoustic + word_penalty (if it has
 * a word). */
#ifndef SN_DECODER_LAT_PATHS_H
#define SN_DECODER_LAT_PATHS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A complete path. Zeroed is empty; owned by the caller (sn_lat_path_clear). */
typedef struct sn_lat_path {
  sn_arr_i32 words; /* labels, without 0 */
  sn_arr_i32 begin; /* frame at which each word's arc begins, [words.n] */
  sn_arr_f32 word_graph, word_acoustic; /* costs of each word's arc, [words.n],
                                           unscaled */
  sn_arr_i32 ali;                       /* one label a frame */
  double graph, acoustic;               /* unscaled, final weight included */
  double total;                         /* scaled, with penalties */
} sn_lat_path;
void sn_lat_path_clear(sn_lat_path *p);

/* Puts `next`, through the lattice behind, at the end of *p. SN_ENOMEM: *p is
 * as before. */
SN_NODISCARD sn_status sn_lat_path_append(sn_lat_path *p,
                                          const sn_lat_path *next, sn_err *err);

/* The path of least total; of equals the one whose arcs come first. An empty
 * lattice gives an empty path of total +infinity. */
SN_NODISCARD sn_status sn_lat_best(const sn_lat *l, const sn_lat_scales *k,
                                   sn_lat_path *out, sn_err *err);

/* The path that says words[0..n) (labels, without 0) in a deterministic
 * lattice, where there is one at most. *found false: there is none, and *out is
 * empty. */
SN_NODISCARD sn_status sn_lat_follow(const sn_lat *l, const sn_lat_scales *k,
                                     const int32_t *words, size_t n,
                                     sn_lat_path *out, bool *found,
                                     sn_err *err);

/* The n best paths in order of total, best first; of equals the one that is
 * found first (a fixed rule of arc order). In a deterministic lattice all word
 * sequences differ, and these are exactly the n best; others should be
 * determinised first (sn_lat_determinize). *paths is an array of *n_paths <= n,
 * each to be cleared, the array to be freed (sn_free) by the caller.
 * Source: A* with the exact cost to go (Hart, Nilsson, Raphael 1968), as
 * Mohri & Riley 2002 use it for n shortest strings. SN_ELIMIT: more than
 * 2^24 partial paths. */
SN_NODISCARD sn_status sn_lat_nbest(const sn_lat *l, const sn_lat_scales *k,
                                    size_t n, sn_lat_path **paths,
                                    size_t *n_paths, sn_err *err);

/* Keeps the states and arcs that are on a path whose total is within `beam` of
 * the best. */
SN_NODISCARD sn_status sn_lat_prune(const sn_lat *l, const sn_lat_scales *k,
                                    double beam, sn_lat *out, sn_err *err);

/* Cost from the start to each state and from it to the end, [n_states] each:
 * of the best path (viterbi) or -ln of the sum over all. +infinity: no way. */
void sn_lat_forward(const sn_lat *l, const sn_lat_scales *k, bool viterbi,
                    double *alpha);
void sn_lat_backward(const sn_lat *l, const sn_lat_scales *k, bool viterbi,
                     double *beta);

/* Posterior probability of each arc, [n_arcs], and of ending in each state,
 * [n_states] (either may be NULL); *total is -ln of the sum over all paths.
 * The posteriors of arcs that cross any frame sum to 1. */
SN_NODISCARD sn_status sn_lat_posteriors(const sn_lat *l,
                                         const sn_lat_scales *k, double *arcs,
                                         double *finals, double *total,
                                         sn_err *err);

/* Number of complete paths, as a double (infinite if too many). */
double sn_lat_n_paths(const sn_lat *l);
#ifdef __cplusplus
}
#endif
#endif
