/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/graph_internal.h - what reader and writer of the graph file share. */
#ifndef SN_GRAPHS_GRAPH_INTERNAL_H
#define SN_GRAPHS_GRAPH_INTERNAL_H
#include <stdint.h>

#include "base/io.h"
#include "graphs/graph.h"
#include "graphs/graph_writer.h"

/* 1024 states and their arcs are some 60 KiB: little enough that the first
 * touch of a block is not felt (20 us), much enough that the flags of a graph
 * of 10 million states are 10 KiB, which stay in the first-level cache. */
#define SNI_GRAPH_BLOCK_SHIFT 10

/* Section "info", one record. */
typedef struct sni_graph_info {
  int32_t n_states, n_labels, n_words, n_phones, n_pdfs, start;
  int32_t block_shift, reserved;
  int64_t n_emit, n_eps;
  double lm_scale;
} sni_graph_info;

/* Section "blocks": CRC-32 of a block's states (the one behind them included,
 * for its offsets), of its emitting and of its epsilon arcs. */
typedef struct sni_graph_sum {
  uint32_t states, emit, eps;
} sni_graph_sum;

typedef struct sni_graph_strings {
  const char *text;
  const uint32_t *offsets; /* [n + 1] */
} sni_graph_strings;

#define SNI_GRAPH_N_OWNED 9

/* Behind an open graph: what is no business of the search. */
struct sni_graph_file {
  sn_box *box; /* NULL: a graph in memory (graph_memory.c) */
  char *name;
  const char *meta;
  size_t meta_bytes;
  sni_graph_strings words, phones;
  const sni_graph_sum *sums;      /* [n_blocks] */
  void *owned[SNI_GRAPH_N_OWNED]; /* arrays of a graph in memory */
};

/* SN_EARG, saying what and where, when the parts are no graph. */
SN_NODISCARD sn_status sni_graph_check_parts(const sn_graph_parts *p,
                                             sn_err *err);

#endif
