/* SPDX-License-Identifier: Apache-2.0 */
/* Recording and pruning of the lattice behind the search.
 *
 * Pruning. The slack of a link is how much worse its path is than the best
 * path to where it leads: cost(link) - cost(node) >= 0. The extra of a node is
 * the least sum of slacks on a way from it to the newest layer, where it is 0
 * by definition (what comes behind is not known, so this is a lower bound):
 *     extra(n) = min over links n -> m of slack + extra(m).
 * A complete path through a link costs more than the best complete path by at
 * least slack + extra: links where that is above the lattice beam are dropped,
 * and nodes without links onwards. Only true losers go, so the lattice is
 * exact whenever this is done.
 *
 * Every `prune_every` (50) layers:
 *   1. from the newest layer backwards the extras are computed anew, and the
 *      links of a layer that stay are moved to its front, until a layer comes
 *      whose extras stay bit for bit as they were: those before it stay, too.
 *      Usually that is less than a second of audio away, as far as the paths
 *      of the tokens that live have not yet come together;
 *   2. from there forwards links and nodes slide down over those dropped.
 * So the work per layer does not depend on the length of the audio, and what
 * is kept of old layers is what the lattice will have of them.
 *
 * Epsilon links lie within a layer. Their order is not topological, so extras
 * in a layer are repeated until nothing changes; mostly that is twice.
 *
 * Expected sizes: 28 bytes a link; some thousand links a frame in the newest
 * layers, 10 to 50 in settled ones.
 *
 * Source: Povey et al. 2012, "Generating exact lattices in the WFST
 * framework", section 4; the schedule is that of Kaldi's
 * LatticeFasterDecoder. */
#include "decoder/links_internal.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

void sni_links_reset(sni_links *x) {
  x->nodes.n = x->links.n = x->layers.n = 0;
  x->n_pruned = x->most_nodes = x->peak_links = x->start = 0;
}

void sni_links_clear(sni_links *x) {
  SN_ARR_FREE(&x->nodes);
  SN_ARR_FREE(&x->links);
  SN_ARR_FREE(&x->layers);
  SN_ARR_FREE(&x->extras);
  SN_ARR_FREE(&x->renumber);
}

size_t sni_links_bytes(const sni_links *x) {
  return x->nodes.cap * sizeof(sni_node) + x->links.cap * sizeof(sni_link) +
         x->layers.cap * sizeof(sni_layer) + x->extras.cap * sizeof(float) +
         x->renumber.cap * sizeof(int32_t);
}

sn_status sni_links_begin(sni_links *x, sn_err *err) {
  const sni_layer layer = {x->nodes.n, x->links.n, 0};
  return SN_ARR_PUSH(&x->layers, layer, err);
}

sn_status sni_links_reserve(sni_links *x, size_t n, sn_err *err) {
  return SN_ARR_RESERVE(&x->links, x->links.n + n, err);
}

/* ---- Layers ---- */

static size_t first_node(const sni_links *x, size_t f) {
  return f < x->layers.n ? x->layers.data[f].first_node : x->nodes.n;
}

static size_t first_link(const sni_links *x, size_t f) {
  return f < x->layers.n ? x->layers.data[f].first_link : x->links.n;
}

static float slack_of(const sni_links *x, size_t f, const sni_link *l) {
  const float slack =
      l->cost - x->nodes.data[first_node(x, f) + (size_t)l->to].cost;
  return slack > 0.0f ? slack : 0.0f;
}

/* Lowers extra[from] for the epsilon links of layer f (extra: of its nodes)
 * until nothing changes. Slacks are not negative, so circles end it, too. */
static void relax_epsilons(const sni_links *x, size_t f, float *extra) {
  const size_t begin = first_link(x, f), end = first_link(x, f + 1);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = end; i-- > begin;) {
      const sni_link *const l = &x->links.data[i];
      if (l->ali >= 0) break; /* epsilon links come last */
      const float e = slack_of(x, f, l) + extra[l->to];
      if (e < extra[l->from]) {
        extra[l->from] = e;
        changed = true;
      }
    }
  }
}

/* Extras of layer f - 1 by the links into layer f. */
static void relax_arcs(const sni_links *x, size_t f, const float *extra,
                       float *before) {
  const size_t end = first_link(x, f + 1);
  for (size_t i = first_link(x, f); i < end; i++) {
    const sni_link *const l = &x->links.data[i];
    if (l->ali < 0) break;
    const float e = slack_of(x, f, l) + extra[l->to];
    if (e < before[l->from]) before[l->from] = e;
  }
}

/* ---- Pruning as it goes ---- */

/* Makes extra[0..n) the extras of layer f: its arcs have been followed, unless
 * it is the newest. Returns whether any is another than before. */
static bool set_extras(sni_links *x, size_t f, float *extra) {
  const size_t a = first_node(x, f), n = first_node(x, f + 1) - a;
  const bool newest = f + 1 == x->layers.n;
  if (newest)
    for (size_t i = 0; i < n; i++) extra[i] = 0.0f;
  else
    relax_epsilons(x, f, extra);
  bool changed = false;
  for (size_t i = 0; i < n; i++) {
    if (!(extra[i] <= x->beam)) extra[i] = INFINITY;
    sni_node *const node = &x->nodes.data[a + i];
    changed |= node->extra < extra[i] || node->extra > extra[i];
    node->extra = extra[i];
  }
  return changed;
}

/* Keeps of layer f the links that its nodes' extras allow, and begins the
 * extras of the layer before. Most links lead to nodes that have died. */
static void drop_links(sni_links *x, size_t f, const float *extra,
                       float *before) {
  const sni_node *const nodes = x->nodes.data + first_node(x, f);
  const size_t begin = first_link(x, f), end = first_link(x, f + 1);
  if (f > 0) {
    const size_t n = first_node(x, f) - first_node(x, f - 1);
    for (size_t i = 0; i < n; i++) before[i] = INFINITY;
  }
  size_t kept = begin;
  for (size_t i = begin; i < end; i++) {
    const sni_link *const l = &x->links.data[i];
    if (!(extra[l->to] < INFINITY)) continue;
    const float slack = l->cost - nodes[l->to].cost;
    const float e = (slack > 0.0f ? slack : 0.0f) + extra[l->to];
    if (!(e <= x->beam)) continue;
    if (l->ali >= 0 && e < before[l->from]) before[l->from] = e;
    if (kept != i) x->links.data[kept] = *l;
    kept++;
  }
  x->layers.data[f].n_kept = kept - begin;
}

/* Step 2. Layers before `from` stay. before, now: scratch for numbers of nodes,
 * [most_nodes] each. */
static void slide(sni_links *x, size_t from, int32_t *before, int32_t *now) {
  size_t to_node = first_node(x, from), to_link = first_link(x, from);
  if (from > 0) {
    const size_t n = first_node(x, from) - first_node(x, from - 1);
    for (size_t i = 0; i < n; i++) before[i] = (int32_t)i;
  }
  for (size_t f = from; f < x->layers.n; f++) {
    const size_t a = first_node(x, f), n = first_node(x, f + 1) - a;
    const size_t l = first_link(x, f), n_links = x->layers.data[f].n_kept;
    x->layers.data[f] = (sni_layer){to_node, to_link, n_links};
    int32_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
      const sni_node node = x->nodes.data[a + i];
      now[i] = -1;
      if (!(node.extra <= x->beam)) continue;
      now[i] = n_kept++;
      x->nodes.data[to_node++] = node;
    }
    /* The start has died only where all have. */
    if (f == 0 && n > 0)
      x->start = now[x->start] >= 0 ? (size_t)now[x->start] : 0;
    for (size_t i = 0; i < n_links; i++) {
      sni_link link = x->links.data[l + i];
      link.from = (link.ali >= 0 ? before : now)[link.from];
      link.to = now[link.to];
      SN_ASSERT(link.from >= 0 && link.to >= 0);
      x->links.data[to_link++] = link;
    }
    int32_t *const t = before;
    before = now;
    now = t;
  }
  x->nodes.n = to_node;
  x->links.n = to_link;
}

static sn_status prune(sni_links *x, sn_err *err) {
  if (x->links.n > x->peak_links) x->peak_links = x->links.n;
  SN_TRY(SN_ARR_RESIZE(&x->extras, 2 * x->most_nodes, err));
  SN_TRY(SN_ARR_RESIZE(&x->renumber, 2 * x->most_nodes, err));
  float *now = x->extras.data, *before = x->extras.data + x->most_nodes;
  size_t f = x->layers.n;
  while (f > 0) {
    const bool changed = set_extras(x, f - 1, now);
    /* The layer that was the newest one last time, and those since, have never
     * been pruned. */
    if (!changed && f < x->n_pruned) break;
    f--;
    drop_links(x, f, now, before);
    float *const t = now;
    now = before;
    before = t;
  }
  slide(x, f, x->renumber.data, x->renumber.data + x->most_nodes);
  x->n_pruned = x->layers.n;
  return SN_OK;
}

sn_status sni_links_end(sni_links *x, const float *costs, size_t n,
                        size_t stride_bytes, sn_err *err) {
  SN_TRY(SN_ARR_RESERVE(&x->nodes, x->nodes.n + n, err));
  const unsigned char *at = (const unsigned char *)costs;
  for (size_t i = 0; i < n; i++, at += stride_bytes) {
    float cost;
    memcpy(&cost, at, sizeof cost);
    x->nodes.data[x->nodes.n++] = (sni_node){cost, 0.0f};
  }
  if (n > x->most_nodes) x->most_nodes = n;
  return x->layers.n >= x->n_pruned + x->prune_every ? prune(x, err) : SN_OK;
}

/* ---- Cuts ---- */

/* Of the nodes that arcs into layer f lead to (into), or that they come from:
 * the one of least extra; *beam is the least extra of another one. The extra of
 * a node is that of the best complete path through it. */
static void best_node(const sni_links *x, size_t f, bool into,
                      sni_links_cut *cut) {
  const sni_node *const nodes = x->nodes.data + first_node(x, into ? f : f - 1);
  const size_t end = first_link(x, f + 1);
  int32_t best = -1;
  float second = INFINITY;
  for (size_t i = first_link(x, f); i < end; i++) {
    const sni_link *const l = &x->links.data[i];
    if (l->ali < 0) break; /* epsilon links come last */
    const int32_t node = into ? l->to : l->from;
    if (node == best) continue;
    if (best < 0) {
      best = node;
    } else if (nodes[node].extra < nodes[best].extra) {
      second = nodes[best].extra;
      best = node;
    } else if (nodes[node].extra < second) {
      second = nodes[node].extra;
    }
  }
  const sni_links_cut c = {into ? f : f - 1, (size_t)best, into, second};
  if (best >= 0 && second > cut->beam) *cut = c;
}

bool sni_links_find_cut(const sni_links *x, size_t least, sni_links_cut *cut) {
  *cut = (sni_links_cut){.beam = 0.0f};
  if (least < 1) least = 1;
  for (size_t f = x->layers.n - 1; f-- > least && cut->beam < INFINITY;) {
    best_node(x, f, true, cut);
    best_node(x, f + 1, false, cut);
  }
  return cut->beam > 0.0f;
}

/* Takes the first n elements off an array. */
#define DROP_FIRST(arr, count)                           \
  do {                                                   \
    memmove((arr)->data, (arr)->data + (count),          \
            ((arr)->n - (count)) * sizeof *(arr)->data); \
    (arr)->n -= (count);                                 \
  } while (0)

/* Whether each node of layer f can be reached, into now; before: of the layer
 * before. Keeps the links between such nodes. */
static void keep_reached(sni_links *x, size_t f, const float *before,
                         float *now) {
  sni_node *const nodes = x->nodes.data + first_node(x, f);
  const size_t n = first_node(x, f + 1) - first_node(x, f);
  const size_t begin = first_link(x, f), end = first_link(x, f + 1);
  for (size_t i = 0; i < n; i++) now[i] = f == 0 && i == x->start;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = begin; i < end; i++) {
      const sni_link *const l = &x->links.data[i];
      const bool reached = l->ali < 0 ? now[l->from] > 0.0f
                                      : l->from >= 0 && before[l->from] > 0.0f;
      if (!reached || now[l->to] > 0.0f) continue;
      now[l->to] = 1.0f;
      changed = true;
    }
  }
  size_t kept = begin;
  for (size_t i = begin; i < end; i++) {
    const sni_link l = x->links.data[i];
    if (l.ali < 0 ? now[l.from] > 0.0f : l.from >= 0 && before[l.from] > 0.0f)
      x->links.data[kept++] = l;
  }
  x->layers.data[f].n_kept = kept - begin;
  const bool newest = f + 1 == x->layers.n;
  for (size_t i = 0; i < n; i++) {
    if (now[i] > 0.0f) continue;
    /* The best path to each of the newest nodes runs through the cut. */
    SN_ASSERT(!newest);
    nodes[i].extra = INFINITY;
  }
}

/* Layer cut->layer becomes layer 0. */
static void shift(sni_links *x, const sni_links_cut *cut) {
  const size_t f = cut->layer;
  size_t node = first_node(x, f), link = first_link(x, f);
  const size_t next_node = first_node(x, f + 1);
  const size_t next_link = first_link(x, f + 1);
  if (cut->comes_together) {
    while (link < next_link && x->links.data[link].ali >= 0) link++;
    x->start = cut->node;
  } else { /* of this layer only the node itself is left, as its last one */
    x->nodes.data[next_node - 1] = x->nodes.data[node + cut->node];
    node = next_node - 1;
    link = next_link;
    for (size_t i = link; i < first_link(x, f + 2); i++) {
      sni_link *const l = &x->links.data[i];
      if (l->ali >= 0) l->from = (size_t)l->from == cut->node ? 0 : -1;
    }
    x->start = 0;
  }
  DROP_FIRST(&x->nodes, node);
  DROP_FIRST(&x->links, link);
  DROP_FIRST(&x->layers, f);
  x->n_pruned -= f;
  x->layers.data[0].first_node = x->layers.data[0].first_link = 0;
  for (size_t i = 1; i < x->layers.n; i++) {
    x->layers.data[i].first_node -= node;
    x->layers.data[i].first_link -= link;
  }
}

sn_status sni_links_forget(sni_links *x, const sni_links_cut *cut,
                           sn_err *err) {
  SN_TRY(SN_ARR_RESIZE(&x->extras, 2 * x->most_nodes, err));
  SN_TRY(SN_ARR_RESIZE(&x->renumber, 2 * x->most_nodes, err));
  shift(x, cut);
  if (isinf(cut->beam)) return SN_OK;
  float *now = x->extras.data, *before = x->extras.data + x->most_nodes;
  for (size_t f = 0; f < x->layers.n; f++) {
    keep_reached(x, f, before, now);
    float *const t = now;
    now = before;
    before = t;
  }
  slide(x, 0, x->renumber.data, x->renumber.data + x->most_nodes);
  return SN_OK;
}

/* ---- The lattice ---- */

/* Extras of all nodes up to layer `last` with the costs of ending there; others
 * have none. */
static void final_extras(const sni_links *x, size_t last,
                         const sni_links_finish *f, float *extra) {
  const size_t a = first_node(x, last), n = first_node(x, last + 1) - a;
  for (size_t i = 0; i < x->nodes.n; i++) extra[i] = INFINITY;
  if (f->cut != NULL) {
    extra[a + f->cut->node] = 0.0f;
  } else {
    float best = INFINITY;
    for (size_t i = 0; i < n; i++) {
      const float total = x->nodes.data[a + i].cost + f->final_costs[i];
      if (total < best) best = total;
    }
    if (!(best < INFINITY)) return;
    for (size_t i = 0; i < n; i++)
      extra[a + i] = x->nodes.data[a + i].cost + f->final_costs[i] - best;
  }
  for (size_t k = last + 1; k-- > 0;) {
    float *const here = extra + first_node(x, k);
    if (k < last) relax_arcs(x, k + 1, extra + first_node(x, k + 1), here);
    relax_epsilons(x, k, here);
  }
}

/* States of the lattice for nodes, and where they go. */
typedef struct drawing {
  const float *extra;    /* [nodes] */
  const int32_t *states; /* [nodes] -1: none */
  sn_lat_builder *b;
} drawing;

static sn_status add_link(const sni_link *l, const sni_links_finish *f,
                          int32_t from, int32_t to, sn_lat_builder *b,
                          sn_err *err) {
  const bool is_eps = l->ali < 0;
  const bool enters = !is_eps && l->ali % 2 == 0;
  const int32_t mark =
      enters && f->mark_of != NULL ? f->mark_of[l->ali / 2] : 0;
  int32_t word = l->output;
  if (mark > 0 && word > 0) { /* one after the other */
    int32_t between = 0;
    SN_TRY(sn_lat_builder_state(b, &between, err));
    SN_TRY(
        sn_lat_builder_arc(b, from, between, word, 0.0f, 0.0f, NULL, 0, err));
    from = between;
    word = mark;
  } else if (mark > 0) {
    word = mark;
  }
  return sn_lat_builder_arc(b, from, to, word, l->graph, l->acoustic, &l->ali,
                            is_eps ? 0 : 1, err);
}

static sn_status add_layer(const sni_links *x, size_t k,
                           const sni_links_finish *f, const drawing *d,
                           sn_err *err) {
  const size_t here = first_node(x, k);
  const size_t before = k > 0 ? first_node(x, k - 1) : 0;
  for (size_t i = first_link(x, k); i < first_link(x, k + 1); i++) {
    const sni_link *const l = &x->links.data[i];
    const bool is_eps = l->ali < 0;
    const int32_t from = d->states[(is_eps ? here : before) + (size_t)l->from];
    const int32_t to = d->states[here + (size_t)l->to];
    if (from < 0 || to < 0) continue;
    if (!(slack_of(x, k, l) + d->extra[here + (size_t)l->to] <= x->beam))
      continue;
    /* A loop that says nothing only adds to the cost. */
    if (is_eps && from == to && l->output == 0) continue;
    SN_TRY(add_link(l, f, from, to, d->b, err));
  }
  return SN_OK;
}

static sn_status build(const sni_links *x, const sni_links_finish *f,
                       float *extra, int32_t *states, sn_lat_builder *b,
                       sn_lat *out, sn_err *err) {
  const size_t last = f->cut != NULL ? f->cut->layer : x->layers.n - 1;
  final_extras(x, last, f, extra);
  for (size_t i = 0; i < x->nodes.n; i++) {
    states[i] = -1;
    if (extra[i] <= x->beam) SN_TRY(sn_lat_builder_state(b, &states[i], err));
  }
  if (first_node(x, 1) <= x->start || states[x->start] < 0) return SN_OK;
  const drawing d = {extra, states, b};
  for (size_t k = 0; k <= last; k++) SN_TRY(add_layer(x, k, f, &d, err));
  const size_t a = first_node(x, last);
  if (f->cut != NULL)
    SN_TRY(sn_lat_builder_final(b, states[a + f->cut->node], 0.0f, 0.0f, NULL,
                                0, err));
  else
    for (size_t i = a; i < x->nodes.n; i++)
      if (states[i] >= 0 && f->final_costs[i - a] < INFINITY)
        SN_TRY(sn_lat_builder_final(b, states[i], f->final_costs[i - a], 0.0f,
                                    NULL, 0, err));
  return sn_lat_builder_take(b, states[x->start], out, err);
}

sn_status sni_links_lattice(const sni_links *x, const sni_links_finish *f,
                            sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  if (x->layers.n == 0) return SN_OK;
  sn_lat_builder *b = NULL;
  SN_TRY(sn_lat_builder_create(&b, err));
  float *const extra = sn_calloc(x->nodes.n, sizeof *extra);
  int32_t *const states = sn_calloc(x->nodes.n, sizeof *states);
  const sn_status s = extra == NULL || states == NULL
                          ? sn_fail_nomem(err, "lattice")
                          : build(x, f, extra, states, b, out, err);
  sn_free(extra);
  sn_free(states);
  sn_lat_builder_destroy(b);
  return s;
}
