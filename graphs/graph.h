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
 * A word is written on the first arc behind which no other can come, which may
 * be as early as the last phone of the word before: the k-th word of a path is
 * said in its k-th segment, and a segment begins where a label that is no
 * filler begins a phone at position begin or single.
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
#include "base/str.h"
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

/* Open graph: arrays borrowed until destroy; immutable, share it. Opening reads
 * the small tables only. States and arcs are divided into blocks of
 * 1 << block_shift states, each with a checksum of its own, and nothing may be
 * read of a state before sn_graph_touch has said SN_OK for it (or
 * sn_graph_verify for all). */
typedef struct sn_graph {
  const sn_graph_state *states;
  const sn_graph_arc *emit, *eps;
  const sn_graph_label *labels;
  int32_t n_states, n_labels, n_words, n_phones, n_pdfs;
  int64_t n_emit, n_eps;
  int32_t start;
  double lm_scale;
  int32_t n_blocks, block_shift;
  uint8_t *block_ok;           /* [n_blocks] 1: verified; written atomically */
  struct sni_graph_file *file; /* private */
} sn_graph;

/* Maps a graph file: milliseconds for any size, since only the header, the
 * section table and the small sections are read (docs/graph.md). */
SN_NODISCARD sn_status sn_graph_open(const char *path, sn_graph **out,
                                     sn_err *err);
/* The same over memory (8-byte aligned), borrowed until destroy. */
SN_NODISCARD sn_status sn_graph_open_memory(const void *data, size_t n,
                                            const char *name, sn_graph **out,
                                            sn_err *err);
void sn_graph_destroy(sn_graph *g);

/* Checks one block: its checksum, the offsets and every index in it. After
 * SN_OK states[s] and states[s + 1], and the arcs of s, are safe to read for
 * every s of the block, and where those arcs lead is a state, a label and a
 * word of this graph. SN_EFORMAT with block and byte offset. Threads: any. */
SN_NODISCARD sn_status sn_graph_verify_block(const sn_graph *g, int32_t block,
                                             sn_err *err);

/* Verifies the block of state s on first use; afterwards one byte is tested.
 * s: start, or the `next` of an arc of a touched state. */
static inline sn_status sn_graph_touch(const sn_graph *g, int32_t s,
                                       sn_err *err) {
  if (g->block_ok == NULL) return SN_OK;
  const int32_t block = s >> g->block_shift;
  if (__atomic_load_n(&g->block_ok[block], __ATOMIC_ACQUIRE) != 0) return SN_OK;
  return sn_graph_verify_block(g, block, err);
}

/* All blocks, and what only the whole graph can show: that all emitting arcs
 * into a state carry its label, and that no path of epsilon arcs comes back to
 * where it began. SN_EFORMAT with block and offset. */
SN_NODISCARD sn_status sn_graph_verify(const sn_graph *g, sn_err *err);

const char *sn_graph_word(const sn_graph *g, int32_t word);   /* borrowed */
const char *sn_graph_phone(const sn_graph *g, int32_t phone); /* borrowed */
/* What the graph was made from and how ("lm-scale", "am-checksum", ...);
 * borrowed; NULL when there is no such key. */
const char *sn_graph_meta(const sn_graph *g, const char *key);
/* Walks them in file order: i from 0 until it returns NULL. */
const char *sn_graph_meta_at(const sn_graph *g, size_t i, const char **value);

/* ---- For people ---- */
typedef struct sn_graph_summary {
  int64_t n_final, n_entry;  /* states that are final; that begin a phone */
  int64_t n_junctions;       /* states without a label */
  int64_t n_outputs;         /* arcs that write a word */
  int64_t max_emit, max_eps; /* arcs of one state */
  int64_t by_emit[5];        /* states with 0, 1, 2, 3 .. 9, 10 and more
                                emitting arcs */
  int64_t n_bytes;           /* states, arcs and labels */
} sn_graph_summary;
/* The graph must have been verified. */
void sn_graph_summarise(const sn_graph *g, sn_graph_summary *out);

/* Adds the graph in Graphviz's language to out. SN_ELIMIT above max_states.
 * The graph must have been verified. */
SN_NODISCARD sn_status sn_graph_draw(const sn_graph *g, int32_t max_states,
                                     sn_str *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
