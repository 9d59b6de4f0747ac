/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/decoder_internal.h - what a decoder holds: for decoder.c (search and
 * best path) and decoder_lattice.c. */
#ifndef SN_DECODER_DECODER_INTERNAL_H
#define SN_DECODER_DECODER_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "decoder/decoder.h"
#include "decoder/hyp_internal.h"
#include "decoder/search_internal.h"
#include "decoder/stretches_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

struct sn_decoder {
  sni_search search;
  sni_times times;
  sni_stretches stretches; /* of the lattice that are settled */
  sn_lat_det_space *space; /* made when a lattice is; else NULL */
  int32_t *marks;          /* [labels of the graph] word labels for phones; made
                              when a lattice is; else NULL */
  bool started;
};

/* After a frame: determinises what is settled of the lattice, if that has
 * become long enough, and forgets its links. */
SN_NODISCARD sn_status sni_decoder_settle(sn_decoder *d, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
