/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/links_internal.h - the lattice that grows behind the search: every
 * way from token to token that may still be on a path within the lattice beam.
 *
 * Layer f holds the nodes that stand behind f frames (layer 0: the start and
 * its epsilon closure) and the links that lead into them. The search fills
 * the newest layer: nodes are its tokens, in the same order, so that a link
 * names token indices. */
#ifndef SN_DECODER_LINKS_INTERNAL_H
#define SN_DECODER_LINKS_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

/* One arc or self-loop that was taken. */
typedef struct sni_link {
  int32_t from, to; /* nodes of their layers; from is in the layer before, or in
                       the same one where ali is -1 (epsilon) */
  int32_t ali;      /* 2 * label, + 1 for a self-loop; -1: epsilon */
  int32_t output;   /* word + 1; 0: none */
  float graph, acoustic; /* acoustic unscaled */
  float cost;            /* of the best path that ends with it, as tokens of
                            its layer count: relative to that layer's offset */
} sni_link;

typedef struct sni_node {
  float cost;  /* of the best path into it, as the token's */
  float extra; /* how much worse than the best its best continuation to the
                  newest layer is, at least; +infinity: it has none */
} sni_node;

typedef struct sni_layer {
  size_t first_node, first_link; /* they end where the next layer's begin */
  size_t n_kept;                 /* scratch: links that pruning left */
} sni_layer;

typedef struct sni_links {
  float beam;         /* lattice beam; 0: off */
  size_t prune_every; /* layers */
  SN_ARR(sni_node) nodes;
  SN_ARR(sni_link) links;
  SN_ARR(sni_layer) layers;
  sn_arr_f32 extras;   /* scratch: of two layers */
  sn_arr_i32 renumber; /* scratch: of two layers */
  size_t n_pruned;     /* layers when it was pruned last */
  size_t start;        /* node of layer 0 where all paths begin */
  size_t most_nodes;   /* of any layer so far */
  size_t peak_links;   /* most at one time */
} sni_links;

void sni_links_reset(sni_links *x);
void sni_links_clear(sni_links *x);
size_t sni_links_bytes(const sni_links *x);

/* Begins a layer; what is added from now on belongs to it. */
SN_NODISCARD sn_status sni_links_begin(sni_links *x, sn_err *err);

/* Room for n more links. */
static inline bool sni_links_has_room(const sni_links *x, size_t n) {
  return x->links.n + n <= x->links.cap;
}
SN_NODISCARD sn_status sni_links_reserve(sni_links *x, size_t n, sn_err *err);

/* Adds a link; room must have been made. */
static inline void sni_links_add(sni_links *x, sni_link link) {
  x->links.data[x->links.n++] = link;
}

/* Ends the newest layer: its nodes have costs[0 .. n), stride_bytes apart. Now
 * and then it prunes all layers that may have changed. */
SN_NODISCARD sn_status sni_links_end(sni_links *x, const float *costs, size_t n,
                                     size_t stride_bytes, sn_err *err);

/* ---- Cuts: nodes that all paths run through ---- */

typedef struct sni_links_cut {
  size_t layer, node;  /* node: of its layer */
  bool comes_together; /* all arcs into the layer lead to the node; else all
                          arcs out of the layer come from it */
  float beam;          /* that is so of all paths that are within this beam of
                          the best path to where they lead; +infinity: of all */
} sni_links_cut;

/* Whether the layers were pruned when the newest one ended, which is when cuts
 * are looked for: in between, there are links that lead nowhere. */
static inline bool sni_links_just_pruned(const sni_links *x) {
  return x->layers.n > 1 && x->n_pruned == x->layers.n;
}
/* The last true cut at layer `least` or behind it, before the newest layer; or,
 * where there is none, the one of widest beam. false: no beam makes one. */
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
SN_NODISCARD sn_status sni_links_lattice(const sni_links *x,
                                         const sni_links_finish *f, sn_lat *out,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
