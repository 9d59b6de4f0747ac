/* SPDX-License-Identifier: Apache-2.0 */
/* train/utt_graph_internal.h - all ways in which an utterance's words may have
 * been said, as a graph of phones. Viterbi (align.c) and forward-backward
 * (baum_welch.c) go over it. */
#ifndef SN_TRAIN_UTT_GRAPH_INTERNAL_H
#define SN_TRAIN_UTT_GRAPH_INTERNAL_H
#include "train/train_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { SNI_ANY = -1 }; /* a context that does not matter */

/* A phone. Arcs into it are preds[first_pred] up to the next node's. */
typedef struct sni_unode {
  sni_seg seg; /* left and right: SNI_ANY, or what it is for */
  int32_t hmm, first_pred;
  bool is_first, is_last;
  float start; /* log probability of beginning here; -inf: cannot */
  float end;   /* likewise of ending here */
} sni_unode;

typedef struct sni_upred {
  int32_t node; /* an earlier one */
  float logp;   /* of silence or none, and of the pronunciation */
} sni_upred;

/* Zeroed is empty. One node more than n ends the lists of arcs. */
typedef struct sni_ugraph {
  SN_ARR(sni_unode) nodes;
  SN_ARR(sni_upred) preds;
} sni_ugraph;
SN_NODISCARD sn_status sni_ugraph_build(const sni_trainer *t,
                                        const int32_t *words, size_t n_words,
                                        sni_ugraph *g, sn_err *err);
void sni_ugraph_clear(sni_ugraph *g);
/* Log densities of the graph's pdfs for the frames feats: state s of node n has
 * column local[3 n + s] of scores. Both are the caller's, also on failure. */
SN_NODISCARD sn_status sni_ugraph_scores(const sni_trainer *trainer,
                                         const sni_ugraph *g, sn_cmat feats,
                                         int32_t **local, sn_mat *scores,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
