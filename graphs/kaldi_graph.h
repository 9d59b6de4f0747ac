/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/kaldi_graph.h - Kaldi's HCLG as one of our search graphs. */
#ifndef SN_GRAPHS_KALDI_GRAPH_H
#define SN_GRAPHS_KALDI_GRAPH_H
#include <stdint.h>

#include "am/kaldi_model.h"
#include "base/status.h"
#include "base/str.h"
#include "graphs/graph.h"
#include "graphs/openfst_file.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Writes `fst`, whose input labels are transition ids of `trans` and whose
 * output labels are symbols of `words` (id 0 epsilon), as a graph file:
 *   - a self-loop becomes the loop of its state's label;
 *   - a state that is entered with different labels is split, one copy each;
 *   - word id w of Kaldi becomes word w of the graph (arc output w + 1), 0
 * none. Costs are as they are, lm_scale is 1: the decoder's acoustic_scale is
 * Kaldi's. Labels in the graph's label table are in the order of *tids.
 *
 * tids  [out] [2 x n_labels] for each label the transition id of the frame that
 *             enters it and of the frames that loop (0: none); owned by the
 *             caller (sn_free)
 * phones may be NULL (phone names are then "1", "2", ...).
 * Errors: SN_EMISMATCH: a transition id or word id that the model or the table
 * does not have; SN_EFORMAT: a state with two self-loops (not a Kaldi graph).
 */
SN_NODISCARD sn_status sn_kaldi_graph_write(const sn_fst_file *fst,
                                            const sn_kaldi_trans *trans,
                                            const sn_symtab *words,
                                            const sn_symtab *phones,
                                            const char *path, int32_t **tids,
                                            size_t *n_labels, sn_err *err);

/* Reads words.txt or phones.txt: "symbol id" lines, ids dense from 0. */
SN_NODISCARD sn_status sn_kaldi_symbols_load(const char *path, sn_symtab **out,
                                             sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
