/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/graph_writer.h - writes the graph file: whole from plain arrays, or
 * in pieces by whoever does not want to hold all arcs at once. */
#ifndef SN_GRAPHS_GRAPH_WRITER_H
#define SN_GRAPHS_GRAPH_WRITER_H
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

/* All that a graph is. Nothing is owned. */
typedef struct sn_graph_parts {
  const sn_graph_state *states; /* [n_states + 1] */
  const sn_graph_arc *emit;     /* [n_emit] by state */
  const sn_graph_arc *eps;      /* [n_eps] by state */
  const sn_graph_label *labels; /* [n_labels] */
  int32_t n_states, n_labels, n_words, n_phones, n_pdfs, start;
  int64_t n_emit, n_eps;
  double lm_scale;
  const char *const *words;  /* [n_words] */
  const char *const *phones; /* [n_phones] */
  const char *const *meta;   /* [2 * n_meta] key, value, key, value, ... */
  size_t n_meta;
} sn_graph_parts;

/* Writes path (temporary name, renamed when complete). SN_EARG, saying what
 * and where, when the parts are no graph: offsets that decrease, an index out
 * of range, a NaN, two labels into one state. */
SN_NODISCARD sn_status sn_graph_write(const sn_graph_parts *parts,
                                      const char *path, sn_err *err);

/* The same graph in memory, without a file: everything is copied, `name` stands
 * in messages. Nothing of it is verified lazily; close it with
 * sn_graph_destroy. SN_EARG as sn_graph_write; SN_ENOMEM. */
SN_NODISCARD sn_status sn_graph_make(const sn_graph_parts *parts,
                                     const char *name, sn_graph **out,
                                     sn_err *err);

/* ---- In pieces ---- */
typedef struct sn_graph_writer sn_graph_writer;
/* Takes the small parts (labels, words, phones, meta, the numbers except
 * n_emit and n_eps, which are counted); the arrays of states and arcs are
 * ignored. */
SN_NODISCARD sn_status sn_graph_writer_create(const sn_graph_parts *parts,
                                              const char *path,
                                              sn_graph_writer **out,
                                              sn_err *err);
/* First all states (n_states + 1, in pieces of any size), then all emitting
 * arcs, then all epsilon arcs. */
SN_NODISCARD sn_status sn_graph_writer_states(sn_graph_writer *w,
                                              const sn_graph_state *states,
                                              size_t n, sn_err *err);
SN_NODISCARD sn_status sn_graph_writer_emit(sn_graph_writer *w,
                                            const sn_graph_arc *arcs, size_t n,
                                            sn_err *err);
SN_NODISCARD sn_status sn_graph_writer_eps(sn_graph_writer *w,
                                           const sn_graph_arc *arcs, size_t n,
                                           sn_err *err);
SN_NODISCARD sn_status sn_graph_writer_commit(sn_graph_writer *w, sn_err *err);
void sn_graph_writer_destroy(sn_graph_writer *w); /* NULL is fine */
#ifdef __cplusplus
}
#endif
#endif
