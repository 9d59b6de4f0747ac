/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/kaldi_graph.h - Kaldi's HCLG as one of our search graphs. */
#ifndef SN_GRAPHS_KALDI_GRAPH_H
#define SN_GRAPHS_KALDI_GRAPH_H
#include <stdint.h>

#include "am/kaldi_model.h"
#include "base/io.h"
#include "base/status.h"
#include "base/str.h"
#include "graphs/graph.h"
#include "graphs/openfst_file.h"
#ifdef __cplusplus
extern "C" {
#endif

/* What a graph is made of. Borrowed during the call only. */
typedef struct sn_kaldi_hclg {
  const sn_fst_file *fst;      /* input: transition ids; output: words */
  const sn_kaldi_trans *trans; /* what the transition ids mean */
  const sn_symtab *words;      /* words.txt, id 0 epsilon */
  const sn_symtab *phones;     /* phones.txt; NULL: they are named by number */
  const char *name;            /* for messages */
} sn_kaldi_hclg;

/* Makes a graph in memory (sn_graph_destroy):
 *   - a self-loop becomes the loop of its state's label;
 *   - a state that is entered with different labels is split, one copy each;
 *   - outputs of arcs are Kaldi's word ids, so word id w is word w - 1 of the
 *     graph; costs are as they are; lm_scale is 1: the decoder's
 *     acoustic_scale is Kaldi's;
 *   - phones whose names end in _B, _E, _I or _S have that position in their
 *     word; all others count as fillers (part of no word).
 *
 * tids  [out] [2 x n_labels of *out] for each label the transition id of the
 *             frame that enters it and of the frames that loop (0: none); owned
 *             by the caller (sn_free)
 * Errors: SN_EMISMATCH: a transition id, phone or word id that the model or the
 * table does not have; SN_EFORMAT: no start state, or a circle of arcs without
 * transition ids; SN_ELIMIT: more than 2^28 arcs; SN_ENOMEM.
 * Source: kaldi-asr.org/doc/graph.html and hmm.html ("reordering transitions"):
 * a path leaves an HMM state first and loops on it then, so the self-loop of
 * the graph state that a transition leads to has that transition's pdf. */
SN_NODISCARD sn_status sn_kaldi_graph_make(const sn_kaldi_hclg *in,
                                           sn_graph **out, int32_t **tids,
                                           sn_err *err);

/* Reads words.txt or phones.txt: lines of "symbol id", in any order, ids dense
 * from 0. SN_EFORMAT: a line of another shape (path:line), an id or symbol that
 * comes twice, ids with gaps. */
SN_NODISCARD sn_status sn_kaldi_symbols_load(const char *path, sn_symtab **out,
                                             sn_err *err);
SN_NODISCARD sn_status sn_kaldi_symbols_read(sn_reader *r, sn_symtab **out,
                                             sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
