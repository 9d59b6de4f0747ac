/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/graph.h - the search graph as the decoder walks it, and its file.
 *
 * Laid out for the search, not for algebra: states and arcs in flat arrays,
 * emitting and non-emitting arcs apart, mapped from the file as they are.
 *
 * An emitting arc enters an HMM state: its `input` is a *label*, an index into
 * a small table that names the pdf, the cost of the HMM state's self-loop, and
 * for times the phone, the HMM state's number and the position in the word.
 * All emitting arcs into one graph state carry the same label, so the
 * self-loop belongs to the graph state and is never stored as an arc. A state
 * that no emitting arc enters has label -1 and no self-loop.
 *
 * Costs are negative natural logarithms. The LM's are as they are; all others
 * (word penalty, silence, pronunciations, transitions) are divided by
 * lm_scale. A path's total is therefore
 *     graph_cost + acoustic_cost / lm_scale
 * and the same graph can be searched at another scale, the others' weight
 * following along. */
#ifndef SN_GRAPHS_GRAPH_H
#define SN_GRAPHS_GRAPH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_GRAPH_MAGIC "SNGRAPH"
#define SN_GRAPH_VERSION 1u

typedef struct sn_graph_arc {
  int32_t next;   /* state */
  int32_t label;  /* emitting arcs: index in labels; epsilon arcs: -1 */
  int32_t output; /* word + 1; 0: none */
  float cost;
} sn_graph_arc;

/* Emitting arcs of state s: emit[states[s].first_emit .. states[s + 1]
 * .first_emit); epsilon arcs likewise in eps. states has n_states + 1
 * entries, the last one for its offsets only. */
typedef struct sn_graph_state {
  uint32_t first_emit, first_eps;
  int32_t label;    /* of the arcs that enter it, or -1 */
  float final_cost; /* +INFINITY: not final */
} sn_graph_state;

typedef struct sn_graph_label {
  int32_t pdf;
  float loop_cost;   /* +INFINITY: no self-loop */
  int32_t phone;     /* in the graph's own phone table */
  uint8_t hmm_state; /* 0, 1, ... within the phone */
  uint8_t wordpos;   /* sn_wordpos of am/am.h */
  uint8_t is_filler; /* silence or noise: part of no word */
  uint8_t is_entry;  /* arcs with this label begin a new phone */
} sn_graph_label;

/* Open graph: arrays borrowed until destroy; immutable, share it. Every index
 * in it has been checked by whoever verified the block (sn_graph_open with
 * verify, or sn_graph_check); see sn_graph_open. */
typedef struct sn_graph {
  const sn_graph_state *states;
  const sn_graph_arc *emit, *eps;
  const sn_graph_label *labels;
  int32_t n_states, n_labels, n_words, n_phones, n_pdfs;
  int64_t n_emit, n_eps;
  int32_t start;
  double lm_scale;
  struct sni_graph_file *file; /* private */
} sn_graph;

/* Maps a graph file: milliseconds for any size, since only the header and the
 * section table are read (docs/graph.md).
 * Before the first search the caller runs sn_graph_verify, once per process
 * and graph: it checks the blocks' checksums and every index, so that altered
 * bytes can not lead the search astray. */
SN_NODISCARD sn_status sn_graph_open(const char *path, sn_graph **out,
                                     sn_err *err);
SN_NODISCARD sn_status sn_graph_open_memory(const void *data, size_t n,
                                            const char *name, sn_graph **out,
                                            sn_err *err);
void sn_graph_destroy(sn_graph *g);
/* SN_EFORMAT with block and offset. */
SN_NODISCARD sn_status sn_graph_verify(const sn_graph *g, sn_err *err);

const char *sn_graph_word(const sn_graph *g, int32_t word);   /* borrowed */
const char *sn_graph_phone(const sn_graph *g, int32_t phone); /* borrowed */
/* What the graph was made from and how ("lm-scale", "am-checksum", ...);
 * borrowed; NULL when there is no such key. */
const char *sn_graph_meta(const sn_graph *g, const char *key);
#ifdef __cplusplus
}
#endif
#endif
