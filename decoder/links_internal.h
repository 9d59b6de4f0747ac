/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/links_internal.h - the lattice that grows behind the search: every
 * way from token to token that may still be on a path within the lattice beam.
 *
 * Layer f holds the nodes that stand behind f frames (layer 0: the start and
 * its epsilon closure) and the links that lead into them. The search writes
 * links of the newest layer straight into the array: nodes are its tokens, in
 * the same order, so that a link names token indices. */
#ifndef SN_DECODER_LINKS_INTERNAL_H
#define SN_DECODER_LINKS_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "decoder/lattice.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

/* One arc or self-loop that was taken. What it says and costs is the graph's:
 * see part_of in links.c. */
typedef struct sni_link {
  int32_t from, to; /* nodes of their layers; from is in the layer before, or in
                       the same one where it is an epsilon arc */
  uint32_t arc;     /* in the graph's `emit` or `eps`; or SNI_LOOP */
  float cost; /* of the best path that ends with it, as tokens of its layer
                 count: relative to that layer's offset */
} sni_link;

#define SNI_LOOP UINT32_MAX /* `arc` of a self-loop */

typedef struct sni_layer {
  size_t first_node, first_link; /* they end where the next layer's begin */
  size_t first_eps;     /* links of epsilon arcs: the last ones of the layer */
  size_t n_arcs, n_eps; /* scratch: links that pruning left */
} sni_layer;

typedef struct sni_links {
  const sn_graph *graph;
  float beam;         /* lattice beam; 0: off */
  size_t prune_every; /* layers */
  /* Nodes. All arcs into a state have the state's label, so the acoustic cost
   * of what leads to a node is the node's. */
  sn_arr_f32 cost;     /* of the best path into it, as the token's */
  sn_arr_i32 label;    /* of its state; -1: none */
  sn_arr_f32 extra;    /* how much worse than the best its best continuation to
                          the newest layer is, at least; +infinity: it has none;
                          of layers that have been pruned */
  sn_arr_f32 acoustic; /* unscaled; of layers that have been pruned */
  sn_arr_f32 rows;     /* [prune_every x n_pdfs] log-likelihoods behind the
                          layers that have not */
  SN_ARR(sni_link) links;
  SN_ARR(sni_layer) layers;
  sn_arr_f32 extras;       /* scratch: of two layers */
  sn_arr_f32 limits;       /* scratch: of one layer */
  sn_arr_i32 renumber;     /* scratch: of two layers */
  sn_arr_i32 kept;         /* scratch: of one layer */
  sn_lat_builder *builder; /* of sni_links_lattice; NULL before */
  sn_arr_f32 end_extras;   /* scratch of it, as are */
  sn_arr_i32 states;
  size_t n_pruned;      /* layers when it was pruned last */
  size_t start;         /* node of layer 0 where all paths begin */
  size_t most_nodes;    /* of any layer so far */
  size_t peak_links;    /* most at one time */
  size_t no_cut_before; /* layers that were searched for a true cut in vain, and
                           have not changed since */
} sni_links;

void sni_links_reset(sni_links *x);
void sni_links_clear(sni_links *x);
size_t sni_links_bytes(const sni_links *x);

/* Begins a layer; what is added from now on belongs to it. */
SN_NODISCARD sn_status sni_links_begin(sni_links *x, sn_err *err);

/* Room for n more links, to be written behind links.n, which counts them. */
static inline bool sni_links_has_room(const sni_links *x, size_t n) {
  return x->links.n + n <= x->links.cap;
}
SN_NODISCARD sn_status sni_links_reserve(sni_links *x, size_t n, sn_err *err);

/* Links from here on are epsilon arcs within the layer. */
static inline void sni_links_begin_eps(sni_links *x) {
  x->layers.data[x->layers.n - 1].first_eps = x->links.n;
}

/* The nodes of a layer as the search has them. */
typedef struct sni_layer_nodes {
  const float *costs;    /* [n], stride_bytes apart */
  const int32_t *labels; /* likewise; -1: no arc or loop leads here */
  size_t n, stride_bytes;
  const float *loglik; /* [n_pdfs] of the frame before; NULL: layer 0 */
} sni_layer_nodes;

/* Ends the newest layer. Now and then it prunes all layers that may have
 * changed. */
SN_NODISCARD sn_status sni_links_end(sni_links *x, const sni_layer_nodes *nodes,
                                     sn_err *err);

/* Prunes until everything is as if it had been pruned at once, which is when
 * cuts can be looked for: else there are links that lead nowhere. Not when the
 * newest layer is not ended. */
SN_NODISCARD sn_status sni_links_prune_all(sni_links *x, sn_err *err);

/* ---- Cuts: nodes that all paths run through ---- */

typedef struct sni_links_cut {
  size_t layer, node;  /* node: of its layer */
  bool comes_together; /* all arcs into the layer lead to the node; else all
                          arcs out of the layer come from it */
  float beam;          /* that is so of all paths that are within this beam of
                          the best path to where they lead; +infinity: of all */
} sni_links_cut;

/* The last true cut at layer `least` or behind it, before the newest layer.
 * `least` does not decrease from call to call, but when links were forgotten.
 */
bool sni_links_find_true_cut(sni_links *x, size_t least, sni_links_cut *cut);
/* The cut of widest beam there; of equals the last. false: no beam makes one.
 */
bool sni_links_find_cut(const sni_links *x, size_t least, sni_links_cut *cut);
/* Forgets what lies before the cut, which is the new start, in layer 0, and
 * what can no longer be reached. */
SN_NODISCARD sn_status sni_links_forget(sni_links *x, const sni_links_cut *cut,
                                        sn_err *err);

typedef struct sni_links_finish {
  const float *final_costs; /* [nodes of the newest layer]; +infinity: no end;
                               NULL: the end is at `cut` */
  const sni_links_cut *cut; /* NULL: the end is in the newest layer */
  const int32_t *mark_of;   /* [labels] word label that an arc gets besides
                               its own when it enters the label (for phones);
                               0: none; NULL: no marks at all */
} sni_links_finish;

/* The state-level lattice of all paths within the beam of the best one that
 * ends with a final cost; empty if there is none. Alignments are the links'
 * `ali`. What was recorded stays, and
 * more frames may follow. SN_EFORMAT: a circle of epsilon arcs; SN_ELIMIT:
 * more than 2^31 states or arcs; SN_ENOMEM. */
SN_NODISCARD sn_status sni_links_lattice(sni_links *x,
                                         const sni_links_finish *f, sn_lat *out,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
