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
 * see part_of in links_lattice.c. */
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
  const struct sni_kept_kernels *kernels; /* set when they are needed */
  float beam;                             /* lattice beam; 0: off */
  size_t prune_every;                     /* layers */
  /* Nodes. All arcs into a state have the state's label, so the acoustic cost
   * of what leads to a node is the node's. */
  sn_arr_f32 cost;     /* of the best path into it, as the token's */
  sn_arr_i32 label;    /* of its state; -1: none */
  sn_arr_f32 extra;    /* how much worse than the best its best continuation to
                          the newest layer is, at least; +infinity: it has none;
                          of layers that have been pruned */
  sn_arr_f32 acoustic; /* unscaled */
  SN_ARR(sni_link) links;
  SN_ARR(sni_layer) layers;
  sn_arr_f32 extras;       /* scratch: of two layers */
  sn_arr_f32 limits;       /* scratch: of one layer */
  sn_arr_i32 renumber;     /* scratch: of two layers */
  sn_arr_i32 kept;         /* scratch: nodes of one layer */
  sn_arr_i32 which;        /* scratch: links of one layer */
  sn_lat_builder *builder; /* of sni_links_lattice; NULL before */
  sn_arr_f32 end_extras;   /* scratch of it, as are */
  sn_arr_i32 states;
  size_t n_pruned;      /* layers when it was pruned last */
  size_t start;         /* node of layer 0 where all paths begin, but */
  bool has_head;        /* where something was forgotten they begin at those */
  sn_arr_i32 end_of;    /* [nodes of layer 0] that are this end of what was
                           forgotten; -1: of no path that is left */
  sn_arr_i32 front_end; /* scratch: the same of a front */
  size_t most_nodes;    /* of any layer so far */
  size_t peak_links;    /* most at one time */
} sni_links;

/* Of layer f; behind the newest one: where it ends. */
static inline size_t sni_first_node(const sni_links *x, size_t f) {
  return f < x->layers.n ? x->layers.data[f].first_node : x->cost.n;
}

static inline size_t sni_first_link(const sni_links *x, size_t f) {
  return f < x->layers.n ? x->layers.data[f].first_link : x->links.n;
}

static inline size_t sni_first_eps(const sni_links *x, size_t f) {
  return x->layers.data[f].first_eps;
}

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
  const float *loglik;   /* [n_pdfs] of the frame before; NULL: layer 0 */
  const int32_t *pdf_of; /* [labels] */
} sni_layer_nodes;

/* Ends the newest layer. Now and then it prunes all layers that may have
 * changed. */
SN_NODISCARD sn_status sni_links_end(sni_links *x, const sni_layer_nodes *nodes,
                                     sn_err *err);

/* Prunes until everything is as if it had been pruned at once, which is when
 * cuts can be looked for: else there are links that lead nowhere. Not when the
 * newest layer is not ended. */
SN_NODISCARD sn_status sni_links_prune_all(sni_links *x, sn_err *err);

/* ---- Fronts: layers at which the lattice is cut ----
 * The front of a layer are its nodes that arcs into the layer lead to: every
 * path runs through one of them. They are numbered 0, 1, ... in order. */

/* The layer at `least` or behind it, before the newest one, whose front has the
 * fewest nodes; of equals the last. 0: there is none. After prune_all. */
size_t sni_links_find_front(sni_links *x, size_t least);
/* Forgets what lies before the front of layer f, which becomes layer 0. `head`
 * stands for it from then on: its arcs with the word first_end + i end at node
 * i of the front. What can no longer be reached that way goes, too. */
SN_NODISCARD sn_status sni_links_forget(sni_links *x, size_t f,
                                        const sn_lat *head, int32_t first_end,
                                        sn_err *err);

/* end_of[i]: number of node i of layer f in its front; -1: it is not there.
 * Returns how many are. */
int32_t sni_number_front(const sni_links *x, size_t f, int32_t *end_of);
/* Lowers extra[from] for the epsilon links of layer f (extra: of its nodes)
 * until nothing changes. Slacks are not negative, so circles end it, too. */
void sni_relax_epsilons(const sni_links *x, size_t f, float *extra);

typedef struct sni_links_finish {
  const float *final_costs; /* [nodes of the newest layer]; +infinity: no end */
  size_t front;             /* layer; 0: the end is in the newest one, at
                               final_costs. Else at its front: of node i an arc
                               with the word first_end + i leads to a final
                               state of its own, which costs as much as makes
                               the best path through i worse than the best of
                               all by the extra of i */
  const sn_lat *head;       /* what was forgotten; NULL: nothing */
  int32_t first_end;        /* in it, too */
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
