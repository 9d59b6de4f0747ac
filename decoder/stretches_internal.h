/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/stretches_internal.h - the settled part of a long utterance's
 * lattice: a row of deterministic lattices between states that all paths run
 * through, and a head of the rest of which that is not known yet. */
#ifndef SN_DECODER_STRETCHES_INTERNAL_H
#define SN_DECODER_STRETCHES_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "decoder/lat_det.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sni_stretches {
  SN_ARR(sn_lat) done; /* in order; no sequence of one begins another of it */
  sn_lat head;         /* deterministic; what comes behind `done`, up to a front
                          of the links; empty: nothing */
  size_t n_cuts, n_cut_nodes; /* fronts; nodes of all of them */
  size_t try_at;              /* layers of links at which to settle again */
  sn_lat_det_stats stats;     /* sums; the beam is the narrowest */
} sni_stretches;

/* Zeroed is fresh. reset: the same again; clear gives the memory back, too. */
void sni_stretches_reset(sni_stretches *x);
void sni_stretches_clear(sni_stretches *x);
size_t sni_stretches_bytes(const sni_stretches *x);

/* How a settled lattice is split. */
typedef struct sni_split {
  sn_lat_scales scales;
  double beam;         /* what is worse than the best by more is not promised */
  int32_t least, most; /* frames: of a stretch; of a head */
} sni_split;

/* Takes over *l, which is deterministic and follows what is done, and empties
 * it: what lies before the last state that all of its paths run through becomes
 * a stretch, the rest the head. Where there is no such state, all of *l is the
 * head; but if that is too long, the state whose best detour costs most is
 * taken, and the paths beside it are lost. stats of making *l; the beam becomes
 * narrower where paths are lost. SN_ENOMEM. */
SN_NODISCARD sn_status sni_stretches_add(sni_stretches *x, sn_lat *l,
                                         const sni_split *how,
                                         const sn_lat_det_stats *stats,
                                         sn_err *err);
/* All stretches and `tail` in a row, without an arc that has no word between
 * them: the last arcs of each lead to the start of the next. */
SN_NODISCARD sn_status sni_stretches_join(const sni_stretches *x,
                                          const sn_lat *tail, sn_lat *out,
                                          sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
