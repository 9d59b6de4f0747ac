/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/stretches_internal.h - the settled part of a long utterance's
 * lattice: a row of deterministic lattices between nodes that all paths run
 * through. */
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
  size_t try_at;       /* layers of links at which to look for a cut again */
  size_t failed_at;    /* layer of the cut that was of no use; 0: none */
  sn_lat_det_stats stats; /* sums; the beam is the narrowest */
} sni_stretches;

/* Zeroed is fresh. reset: the same again; clear gives the memory back, too. */
void sni_stretches_reset(sni_stretches *x);
void sni_stretches_clear(sni_stretches *x);
size_t sni_stretches_bytes(const sni_stretches *x);

/* Whether no word sequence of a deterministic lattice begins another one of it.
 * Only then is the row of it and any deterministic lattice deterministic. */
bool sni_is_prefix_free(const sn_lat *l);
/* Makes it so by leaving out, wherever a sequence ends and others go on, the
 * worse of both; *beam becomes how much worse than the best path the best of
 * what is left out is, if that is less. SN_ENOMEM. */
SN_NODISCARD sn_status sni_make_prefix_free(sn_lat *l, const sn_lat_scales *k,
                                            double *beam, sn_err *err);
/* Takes over *l, which is prefix-free, and empties it. */
SN_NODISCARD sn_status sni_stretches_add(sni_stretches *x, sn_lat *l,
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
