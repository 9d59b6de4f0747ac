/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_det.h - determinisation of lattices on words. */
#ifndef SN_DECODER_LAT_DET_H
#define SN_DECODER_LAT_DET_H
#include <stdint.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_lat_det_opts {
  double beam;      /* paths within it of the best are kept */
  int32_t max_arcs; /* of the result: work and memory */
  double max_elems; /* subset elements made, in all: work */
} sn_lat_det_opts;
extern const sn_opt sn_lat_det_opt_table[];

/* What it cost, and whether a limit cut it short. */
typedef struct sn_lat_det_stats {
  int64_t n_elems, n_subsets;
  double beam; /* within which the result is complete: opts.beam, or less
                  where a limit was reached */
} sn_lat_det_stats;

/* The deterministic lattice of `raw` (state level or any other lattice): every
 * word sequence that raw has within opts.beam of its best path is in *out
 * exactly once, with the least total among raw's paths for it, split into
 * graph and acoustic cost as on that path, and with that path's alignment.
 * Nothing below the beam is promised.
 *
 * scales  how the two costs make a total; word_penalty is not used
 * Work limits never fail: paths are found best first, so that what is there
 * when a limit is reached is the result of a narrower beam, which *stats (may
 * be NULL) tells.
 * SN_ENOMEM.
 * Source: Povey et al. 2012, "Generating exact lattices in the WFST
 * framework", section 5 (subsets of (state, weight, string), epsilon closure
 * inside, strings in a shared tree). Deviates: subsets are expanded in order
 * of their best complete path, so pruning and limits are exact; residual
 * costs count as equal within 1/1024 as there. */
SN_NODISCARD sn_status sn_lat_determinize(const sn_lat *raw,
                                          const sn_lat_scales *scales,
                                          const sn_lat_det_opts *opts,
                                          sn_lat *out, sn_lat_det_stats *stats,
                                          sn_err *err);

/* What determinising works in: the same again and again keeps its memory from
 * being given back and taken for each utterance, or stretch of one. The result
 * is the same. One thread at a time. */
typedef struct sn_lat_det_space sn_lat_det_space;
SN_NODISCARD sn_status sn_lat_det_space_create(sn_lat_det_space **out,
                                               sn_err *err);
void sn_lat_det_space_destroy(sn_lat_det_space *space);
size_t sn_lat_det_space_bytes(const sn_lat_det_space *space);
SN_NODISCARD sn_status
sn_lat_determinize_in(sn_lat_det_space *space, const sn_lat *raw,
                      const sn_lat_scales *scales, const sn_lat_det_opts *opts,
                      sn_lat *out, sn_lat_det_stats *stats, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
