/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/adapt.h - what the lattice of a first pass says about a speaker. */
#ifndef SN_DECODER_ADAPT_H
#define SN_DECODER_ADAPT_H
#include <stdbool.h>

#include "am/fmllr.h"
#include "am/mllr.h"
#include "base/ini.h"
#include "base/mat.h"
#include "base/status.h"
#include "decoder/lattice.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

/* In the order of senone_adapt_way. */
typedef enum sn_adapt_way {
  SN_ADAPT_NONE,
  SN_ADAPT_FMLLR,
  SN_ADAPT_MLLR
} sn_adapt_way;
/* How a model wants to be adapted: [adapt] of its model.ini. */
typedef struct sn_adapt_opts {
  sn_adapt_way by_default;
  sn_fmllr_opts fmllr;
  sn_mllr_opts mllr;
  double silence_weight; /* of frames in silence and noises; 0 to 1 */
} sn_adapt_opts;
/* ini: of model directory dir, which errors name. SN_EFORMAT: an unknown key,
 * or a value out of range. */
SN_NODISCARD sn_status sn_adapt_opts_read(const sn_ini *ini, const char *dir,
                                          sn_adapt_opts *out, sn_err *err);

typedef struct sn_adapt_source {
  const sn_graph *graph; /* that the lattice came from */
  const sn_am *am;       /* whose means and variances are adapted to */
  const sn_am *first;    /* whose posteriors count; am itself, mostly */
  sn_lat_scales scales;  /* of the posteriors of paths */
  double silence_weight; /* of frames in silence and noises; 0 to 1 */
  bool ali_tells_loops;  /* alignments are 2 l and 2 l + 1 for label l */
} sn_adapt_source;

/* Adds an utterance: every frame with each pdf that a path of the lattice takes
 * it for, weighted by the posterior of the paths (parts below 0.001 are left
 * out). lat: of sn_decoder_raw_lattice, sn_decoder_lattice or what rescoring
 * made of it; alignments are labels of the graph (ali_of NULL), or as said
 * above. x_post, x  [T x D] features at which Gaussians are weighed (those that
 * the first pass scored) and those that are to be transformed An empty lattice
 * adds nothing. Errors: SN_EMISMATCH (the lattice is longer than x, or an
 * alignment is no label of the graph), SN_ENOMEM. */
SN_NODISCARD sn_status sn_adapt_accumulate(const sn_lat *lat,
                                           const sn_adapt_source *source,
                                           sn_fmllr_work *work, sn_cmat x_post,
                                           sn_cmat x, sn_fmllr_stats *stats,
                                           sn_err *err);
/* The same for sums by Gaussian (MLLR of means) of source->am; source->first
 * may be it with other means. x  [T x D] features that the first pass scored.
 */
SN_NODISCARD sn_status sn_adapt_accumulate_means(const sn_lat *lat,
                                                 const sn_adapt_source *source,
                                                 sn_fmllr_work *work, sn_cmat x,
                                                 sn_map_stats *stats,
                                                 sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
