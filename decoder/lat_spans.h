/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_spans.h - times by alignment, of all the words of a lattice. */
#ifndef SN_DECODER_LAT_SPANS_H
#define SN_DECODER_LAT_SPANS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed is empty; owned by the caller (sn_lat_spans_clear). */
typedef struct sn_lat_spans {
  int32_t *begin, *end; /* [arcs] frames [begin, end) in which the arc's word is
                           said; of an arc without one: what is behind the word
                           before it */
  int32_t *after;       /* [states] where the word before the state ends, at the
                           state's own time at least, where a path ends there */
} sn_lat_spans;
void sn_lat_spans_clear(sn_lat_spans *x);

/* What sn_lat_word_times finds for one path, for every arc: its word is said
 * where it is on the best path that takes the arc. So the spans of the best
 * path's arcs are those of that function. An arc whose word has no phones on
 * that path lasts from its source's time to its target's.
 * labels       [in] text of SN_LAT_META_LABELS (lat_align.h)
 * tells_loops  alignments are 2 l, or 2 l + 1 for a loop in label l
 * *found false, and *out empty: an alignment has other labels, or l is empty.
 * SN_ENOMEM; SN_EMISMATCH as sn_lat_times.
 * Work: arcs times the length of a word or two. */
SN_NODISCARD sn_status sn_lat_spans_make(const char *labels, bool tells_loops,
                                         const sn_lat *l,
                                         const sn_lat_scales *k,
                                         sn_lat_spans *out, bool *found,
                                         sn_err *err);
/* From where an arc begins to where it ends: times of states. Errors as
 * sn_lat_times. */
SN_NODISCARD sn_status sn_lat_spans_of_arcs(const sn_lat *l, sn_lat_spans *out,
                                            sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
