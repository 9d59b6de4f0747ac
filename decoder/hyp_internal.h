/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/hyp_internal.h - from trace records to words and phones. */
#ifndef SN_DECODER_HYP_INTERNAL_H
#define SN_DECODER_HYP_INTERNAL_H
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "decoder/decoder.h"
#include "decoder/trace_internal.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Audio time of frames, as runs of equally spaced ones: one run unless the
 * front end removed frames. */
typedef struct sni_time_run {
  int64_t first; /* frame */
  double begin_s, step_s, length_s;
} sni_time_run;

typedef struct sni_times {
  SN_ARR(sni_time_run) runs;
  int64_t n_frames;
} sni_times;

void sni_times_reset(sni_times *t);
void sni_times_clear(sni_times *t);
/* The next frame's time. SN_ENOMEM. */
SN_NODISCARD sn_status sni_times_add(sni_times *t, double begin_s, double end_s,
                                     sn_err *err);
/* Start of frame f and end of frame f - 1, for 0 <= f <= n_frames; at the
 * edges the nearest time there is. */
double sni_times_begin_s(const sni_times *t, int64_t f);
double sni_times_end_s(const sni_times *t, int64_t f);

/* Those of the decoder's utterance; borrowed until its next start. */
const sni_times *sni_decoder_times(const sn_decoder *d);

/* How a path ends: behind its last record. */
typedef struct sni_path_end {
  int32_t record;      /* last one that is live; -1: all are committed */
  double graph, total; /* graph cost since that record; cost of all, both with
                          the final cost where it counts */
  double acoustic_scale;
  int64_t n_frames;
} sni_path_end;

/* Fills words, phones, costs and n_frames of *out (zeroed before). SN_ENOMEM:
 * *out is empty. */
SN_NODISCARD sn_status sni_hyp_make(const sn_graph *g, const sni_trace *trace,
                                    const sni_times *times,
                                    const sni_path_end *end, sn_hyp *out,
                                    sn_err *err);
/* The same for a path through a lattice whose alignments are 2 * label, + 1
 * for a loop. SN_EFORMAT: other alignments. */
SN_NODISCARD sn_status sni_hyp_of_path(const sn_graph *g,
                                       const sni_times *times,
                                       const sn_lat_path *path, sn_hyp *out,
                                       sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
