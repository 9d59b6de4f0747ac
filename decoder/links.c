/* SPDX-License-Identifier: Apache-2.0 */
/* Recording and pruning of the lattice behind the search; it is read out by
 * links_lattice.c.
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
 * Every `prune_every` layers:
 *   1. from the newest layer backwards the extras are computed anew, and the
 *      links of a layer that stay are moved to its front, until a layer comes
 *      whose extras have hardly grown (by PRUNE_DELTA of the beam): it and
 *      those before it stay as they are. What is known there is less than it
 *      could be, but true: extras only grow. Usually that is less than a second
 *      of audio away, as far as the paths of the tokens that live have not yet
 *      come together. Before a cut is looked for it is done until extras stay
 *      bit for bit as they were: then all are as if computed anew;
 *   2. from there forwards links and nodes slide down over those dropped.
 * So the work per layer does not depend on the length of the audio, and what
 * is kept of old layers is what the lattice will have of them.
 *
 * Four links of five go when they are looked at for the first time, so that is
 * what is made cheap: a link is 16 bytes, is written once and read once, in
 * order; slack and extra come from one array, limit[n] = cost(n) - extra(n), of
 * one layer (first-level cache); whether it stays is no branch (kept.c); and
 * nothing is noted of it that can be had later. What it says and costs stands
 * in the graph, where only the links of the lattice itself are looked up; its
 * acoustic cost is its node's.
 *
 * Epsilon links lie within a layer. Their order is not topological, so extras
 * in a layer are repeated until nothing changes; mostly that is twice.
 *
 * Expected sizes: some thousand links a frame in the newest layers, 10 to 50
 * in settled ones, and as many nodes of 16 bytes.
 *
 * Source: Povey et al. 2012, "Generating exact lattices in the WFST
 * framework", section 4; the schedule and the delta are those of Kaldi's
 * LatticeFasterDecoder. */
#include "decoder/links_internal.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/kept_internal.h"

/* In lattice beams; Kaldi's prune-scale. */
#define PRUNE_DELTA 0.1f

void sni_links_reset(sni_links *x) {
  x->cost.n = x->label.n = x->extra.n = x->acoustic.n = 0;
  x->links.n = x->layers.n = 0;
  x->n_pruned = x->most_nodes = x->peak_links = x->start = 0;
  x->has_head = false;
  x->end_of.n = 0;
}

void sni_links_clear(sni_links *x) {
  SN_ARR_FREE(&x->cost);
  SN_ARR_FREE(&x->label);
  SN_ARR_FREE(&x->extra);
  SN_ARR_FREE(&x->acoustic);
  SN_ARR_FREE(&x->links);
  SN_ARR_FREE(&x->layers);
  SN_ARR_FREE(&x->extras);
  SN_ARR_FREE(&x->limits);
  SN_ARR_FREE(&x->renumber);
  SN_ARR_FREE(&x->kept);
  SN_ARR_FREE(&x->which);
  SN_ARR_FREE(&x->end_of);
  SN_ARR_FREE(&x->front_end);
  SN_ARR_FREE(&x->end_extras);
  SN_ARR_FREE(&x->states);
  sn_lat_builder_destroy(x->builder);
  x->builder = NULL;
}

size_t sni_links_bytes(const sni_links *x) {
  return x->links.cap * sizeof(sni_link) + x->layers.cap * sizeof(sni_layer) +
         (x->cost.cap + x->extra.cap + x->acoustic.cap + x->extras.cap +
          x->limits.cap + x->end_extras.cap) *
             sizeof(float) +
         (x->label.cap + x->renumber.cap + x->kept.cap + x->which.cap +
          x->states.cap + x->end_of.cap + x->front_end.cap) *
             sizeof(int32_t) +
         (x->builder != NULL ? sn_lat_builder_bytes(x->builder) : 0);
}

sn_status sni_links_begin(sni_links *x, sn_err *err) {
  const sni_layer layer = {x->cost.n, x->links.n, x->links.n, 0, 0};
  return SN_ARR_PUSH(&x->layers, layer, err);
}

sn_status sni_links_reserve(sni_links *x, size_t n, sn_err *err) {
  return SN_ARR_RESERVE(&x->links, x->links.n + n, err);
}

/* ---- Layers ---- */

void sni_relax_epsilons(const sni_links *x, size_t f, float *extra) {
  const float *const cost = x->cost.data + sni_first_node(x, f);
  const size_t begin = sni_first_eps(x, f), end = sni_first_link(x, f + 1);
  for (bool changed = begin < end; changed;) {
    changed = false;
    for (size_t i = end; i-- > begin;) {
      const sni_link *const l = &x->links.data[i];
      const float e = l->cost - (cost[l->to] - extra[l->to]);
      if (e < extra[l->from]) {
        extra[l->from] = e;
        changed = true;
      }
    }
  }
}

/* ---- Pruning as it goes ---- */

/* The most that extras have grown; those that have no continuation count as
 * `beam`. */
static float most_growth(const float *old, const float *now, size_t n,
                         float beam) {
  float most = 0.0f;
  for (size_t i = 0; i < n; i++) {
    const float a = old[i] < beam ? old[i] : beam;
    const float b = now[i] < beam ? now[i] : beam;
    most = b - a > most ? b - a : most;
  }
  return most;
}

/* Makes extra[0..n) the extras of layer f: its arcs have been followed, unless
 * it is the newest. Returns whether any has grown by more than delta; if not,
 * the layer keeps those it had. */
static bool set_extras(sni_links *x, size_t f, float delta, float *extra) {
  const size_t a = sni_first_node(x, f), n = sni_first_node(x, f + 1) - a;
  float *const old = x->extra.data + a;
  if (f + 1 == x->layers.n)
    for (size_t i = 0; i < n; i++) extra[i] = 0.0f;
  else
    sni_relax_epsilons(x, f, extra);
  for (size_t i = 0; i < n; i++)
    extra[i] = extra[i] <= x->beam ? extra[i] : INFINITY;
  const bool changed =
      f >= x->n_pruned ||
      (delta > 0.0f ? most_growth(old, extra, n, x->beam) > delta
                    : memcmp(extra, old, n * sizeof *extra) != 0);
  if (changed) memcpy(old, extra, n * sizeof *extra);
  return changed;
}

/* Moves the links that stay to the front of links[0..n); returns how many.
 * before, unless it is NULL, gets the least that they cost beyond the best
 * path, of each node that they come from. */
static size_t keep_links(const sni_links *x, sni_link *links, size_t n,
                         float *before) {
  const float *const limit = x->limits.data;
  int32_t *const which = x->which.data;
  const size_t kept = x->kernels->links(links, n, limit, x->beam, which);
  for (size_t k = 0; k < kept; k++) {
    const sni_link l = links[which[k]];
    links[k] = l;
    if (before == NULL) continue;
    const float e = l.cost - limit[l.to];
    float *const b = &before[l.from];
    *b = e < *b ? e : *b;
  }
  return kept;
}

/* Keeps of layer f the links that its nodes' extras allow, and begins the
 * extras of the layer before. */
static void drop_links(sni_links *x, size_t f, const float *extra,
                       float *before) {
  const size_t a = sni_first_node(x, f), n = sni_first_node(x, f + 1) - a;
  float *const limit = x->limits.data;
  for (size_t i = 0; i < n; i++) limit[i] = x->cost.data[a + i] - extra[i];
  sni_layer *const layer = &x->layers.data[f];
  sni_link *const links = x->links.data + layer->first_link;
  const size_t n_arcs = layer->first_eps - layer->first_link;
  const size_t n_eps = sni_first_link(x, f + 1) - layer->first_eps;
  const size_t n_before = f > 0 ? a - sni_first_node(x, f - 1) : 0;
  for (size_t i = 0; i < n_before; i++) before[i] = INFINITY;
  layer->n_arcs = keep_links(x, links, n_arcs, f > 0 ? before : NULL);
  layer->n_eps = keep_links(x, links + n_arcs, n_eps, NULL);
}

/* Of layer 0 the nodes kept[0..n_kept) of n stay. */
static void renumber_starts(sni_links *x, const int32_t *kept, size_t n_kept,
                            size_t n, const int32_t *number) {
  if (x->has_head) {
    for (size_t k = 0; k < n_kept; k++)
      x->end_of.data[k] = x->end_of.data[kept[k]];
    x->end_of.n = n_kept;
  } else if (n > 0) { /* the start has died only where all have */
    x->start =
        x->extra.data[x->start] <= x->beam ? (size_t)number[x->start] : 0;
  }
}

/* Moves the nodes of layer f that stay to `to`; number: what they are now
 * (others: undefined). Returns how many. */
static size_t slide_nodes(sni_links *x, size_t f, size_t to, int32_t *number) {
  const size_t a = sni_first_node(x, f), n = sni_first_node(x, f + 1) - a;
  int32_t *const kept = x->kept.data;
  float *const cost = x->cost.data, *const acoustic = x->acoustic.data;
  float *const extra = x->extra.data;
  int32_t *const label = x->label.data;
  const size_t n_kept = x->kernels->nodes(extra + a, n, x->beam, kept);
  for (size_t k = 0; k < n_kept; k++) number[kept[k]] = (int32_t)k;
  if (f == 0) renumber_starts(x, kept, n_kept, n, number);
  for (size_t k = 0; k < n_kept; k++) {
    const size_t i = a + (size_t)kept[k];
    acoustic[to + k] = acoustic[i];
    cost[to + k] = cost[i];
    label[to + k] = label[i];
    extra[to + k] = extra[i];
  }
  return n_kept;
}

static void slide_links(sni_link *to, const sni_link *l, size_t n,
                        const int32_t *from_number, const int32_t *to_number) {
  for (size_t i = 0; i < n; i++) {
    const sni_link x = l[i];
    to[i] = (sni_link){from_number[x.from], to_number[x.to], x.arc, x.cost};
  }
}

/* Step 2. Layers before `from` stay. before, now: scratch for numbers of nodes,
 * [most_nodes] each. */
static void slide(sni_links *x, size_t from, int32_t *before, int32_t *now) {
  size_t to_node = sni_first_node(x, from), to_link = sni_first_link(x, from);
  if (from > 0) {
    const size_t n = sni_first_node(x, from) - sni_first_node(x, from - 1);
    for (size_t i = 0; i < n; i++) before[i] = (int32_t)i;
  }
  for (size_t f = from; f < x->layers.n; f++) {
    const sni_layer l = x->layers.data[f];
    const size_t n = slide_nodes(x, f, to_node, now);
    const size_t to_eps = to_link + l.n_arcs;
    sni_link *const links = x->links.data;
    slide_links(links + to_link, links + l.first_link, l.n_arcs, before, now);
    slide_links(links + to_eps, links + l.first_eps, l.n_eps, now, now);
    x->layers.data[f] = (sni_layer){to_node, to_link, to_eps, 0, 0};
    to_node += n;
    to_link = to_eps + l.n_eps;
    int32_t *const t = before;
    before = now;
    now = t;
  }
  x->cost.n = x->label.n = x->extra.n = x->acoustic.n = to_node;
  x->links.n = to_link;
}

/* Room for scratch: for nodes, and for the links of one layer. */
static sn_status make_scratch(sni_links *x, sn_err *err) {
  size_t n_links = 0;
  for (size_t f = 0; f < x->layers.n; f++) {
    const size_t n = sni_first_link(x, f + 1) - sni_first_link(x, f);
    if (n > n_links) n_links = n;
  }
  const size_t n = x->most_nodes;
  SN_TRY(SN_ARR_RESIZE(&x->extras, 2 * n, err));
  SN_TRY(SN_ARR_RESIZE(&x->renumber, 2 * n, err));
  SN_TRY(SN_ARR_RESIZE(&x->kept, n + SNI_KEPT_PAD, err));
  SN_TRY(SN_ARR_RESIZE(&x->which, n_links + SNI_KEPT_PAD, err));
  x->kernels = sni_kept_choose();
  return SN_ARR_RESIZE(&x->limits, n + 1, err);
}

static sn_status prune(sni_links *x, float delta, sn_err *err) {
  if (x->links.n > x->peak_links) x->peak_links = x->links.n;
  SN_TRY(make_scratch(x, err));
  float *now = x->extras.data, *before = x->extras.data + x->most_nodes;
  size_t f = x->layers.n;
  while (f > 0) {
    const bool changed = set_extras(x, f - 1, delta, now);
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

/* The nodes of the newest layer, from node a on. Acoustic costs are taken now,
 * while the log-likelihoods are in the cache, though most nodes will go. */
static void copy_nodes(sni_links *x, const sni_layer_nodes *nodes, size_t a) {
  const unsigned char *from_cost = (const unsigned char *)nodes->costs;
  const unsigned char *from_label = (const unsigned char *)nodes->labels;
  const size_t n = nodes->n, stride = nodes->stride_bytes;
  float *const cost = x->cost.data + a, *const acoustic = x->acoustic.data + a;
  int32_t *const label = x->label.data + a;
  const float *const loglik = nodes->loglik;
  for (size_t i = 0; i < n; i++, from_cost += stride, from_label += stride) {
    memcpy(&cost[i], from_cost, sizeof cost[i]);
    memcpy(&label[i], from_label, sizeof label[i]);
    const bool has_any = loglik != NULL && label[i] >= 0;
    acoustic[i] = has_any ? -loglik[nodes->pdf_of[label[i]]] : 0.0f;
  }
}

sn_status sni_links_end(sni_links *x, const sni_layer_nodes *nodes,
                        sn_err *err) {
  const size_t a = x->cost.n, n = nodes->n;
  SN_TRY(SN_ARR_RESERVE(&x->extra, a + n, err));
  SN_TRY(SN_ARR_RESERVE(&x->acoustic, a + n, err));
  SN_TRY(SN_ARR_RESERVE(&x->label, a + n, err));
  SN_TRY(SN_ARR_RESIZE(&x->cost, a + n, err));
  x->label.n = x->extra.n = x->acoustic.n = a + n;
  copy_nodes(x, nodes, a);
  if (n > x->most_nodes) x->most_nodes = n;
  if (x->layers.n < x->n_pruned + x->prune_every) return SN_OK;
  return prune(x, PRUNE_DELTA * x->beam, err);
}

sn_status sni_links_prune_all(sni_links *x, sn_err *err) {
  return prune(x, 0.0f, err);
}

/* ---- Fronts ---- */

int32_t sni_number_front(const sni_links *x, size_t f, int32_t *end_of) {
  const size_t n = sni_first_node(x, f + 1) - sni_first_node(x, f);
  int32_t n_ends = 0;
  for (size_t i = 0; i < n; i++) end_of[i] = -1;
  for (size_t i = sni_first_link(x, f); i < sni_first_eps(x, f); i++)
    end_of[x->links.data[i].to] = 0;
  for (size_t i = 0; i < n; i++)
    if (end_of[i] == 0) end_of[i] = n_ends++;
  return n_ends;
}

size_t sni_links_find_front(sni_links *x, size_t least) {
  size_t best = 0;
  int32_t fewest = INT32_MAX;
  SN_ASSERT(x->n_pruned == x->layers.n && x->kept.n > x->most_nodes);
  if (least < 1) least = 1;
  for (size_t f = x->layers.n - 1; f-- > least;) {
    const int32_t n = sni_number_front(x, f, x->kept.data);
    if (n == 0 || n >= fewest) continue;
    fewest = n;
    best = f;
  }
  return best;
}

/* Takes the first n elements off an array. */
#define DROP_FIRST(arr, count)                           \
  do {                                                   \
    memmove((arr)->data, (arr)->data + (count),          \
            ((arr)->n - (count)) * sizeof *(arr)->data); \
    (arr)->n -= (count);                                 \
  } while (0)

/* Keeps those of links[0..n) that come from nodes that are reached. */
static size_t keep_from(sni_link *links, size_t n, const float *reached) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    const sni_link l = links[i];
    if (l.from >= 0 && reached[l.from] > 0.0f) links[kept++] = l;
  }
  return kept;
}

/* Whether each node of layer f can be reached, into now; before: of the layer
 * before. Keeps the links between such nodes. */
static void keep_reached(sni_links *x, size_t f, const float *before,
                         float *now) {
  float *const extra = x->extra.data + sni_first_node(x, f);
  const size_t n = sni_first_node(x, f + 1) - sni_first_node(x, f);
  sni_layer *const layer = &x->layers.data[f];
  sni_link *const links = x->links.data + layer->first_link;
  const size_t n_arcs = layer->first_eps - layer->first_link;
  const size_t n_eps = sni_first_link(x, f + 1) - layer->first_eps;
  for (size_t i = 0; i < n; i++) now[i] = f == 0 && x->end_of.data[i] >= 0;
  layer->n_arcs = keep_from(links, n_arcs, before);
  for (size_t i = 0; i < layer->n_arcs; i++) now[links[i].to] = 1.0f;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = n_arcs; i < n_arcs + n_eps; i++) {
      if (!(now[links[i].from] > 0.0f) || now[links[i].to] > 0.0f) continue;
      now[links[i].to] = 1.0f;
      changed = true;
    }
  }
  layer->n_eps = keep_from(links + n_arcs, n_eps, now);
  const bool newest = f + 1 == x->layers.n;
  for (size_t i = 0; i < n; i++) {
    /* Tokens of the search stand at the newest ones. */
    if (!(now[i] > 0.0f) && !newest) extra[i] = INFINITY;
  }
}

/* Layer f becomes layer 0. */
static void shift(sni_links *x, size_t f) {
  const size_t node = sni_first_node(x, f), link = sni_first_eps(x, f);
  DROP_FIRST(&x->cost, node);
  DROP_FIRST(&x->label, node);
  DROP_FIRST(&x->extra, node);
  DROP_FIRST(&x->acoustic, node);
  DROP_FIRST(&x->links, link);
  DROP_FIRST(&x->layers, f);
  x->n_pruned -= f;
  x->layers.data[0] = (sni_layer){0, 0, 0, 0, 0};
  for (size_t i = 1; i < x->layers.n; i++) {
    x->layers.data[i].first_node -= node;
    x->layers.data[i].first_link -= link;
    x->layers.data[i].first_eps -= link;
  }
}

/* Of the new layer 0 only the nodes stay starts that head leads to. Whether
 * these are all of the front. */
static sn_status set_starts(sni_links *x, const sn_lat *head, int32_t first_end,
                            int32_t n_ends, bool *all, sn_err *err) {
  /* front_end: whether head leads to each end */
  SN_TRY(SN_ARR_RESIZE(&x->front_end, (size_t)n_ends, err));
  int32_t *const led = x->front_end.data;
  for (int32_t i = 0; i < n_ends; i++) led[i] = 0;
  for (int32_t i = 0; i < head->n_arcs; i++)
    if (head->arcs[i].word >= first_end)
      led[head->arcs[i].word - first_end] = 1;
  *all = true;
  for (size_t i = 0; i < x->end_of.n; i++) {
    int32_t *const end = &x->end_of.data[i];
    if (*end < 0 || led[*end] != 0) continue;
    *end = -1;
    *all = false;
  }
  return SN_OK;
}

sn_status sni_links_forget(sni_links *x, size_t f, const sn_lat *head,
                           int32_t first_end, sn_err *err) {
  SN_ASSERT(x->n_pruned == x->layers.n);
  bool all;
  SN_TRY(make_scratch(x, err));
  SN_TRY(SN_ARR_RESIZE(&x->end_of,
                       sni_first_node(x, f + 1) - sni_first_node(x, f), err));
  const int32_t n_ends = sni_number_front(x, f, x->end_of.data);
  SN_TRY(set_starts(x, head, first_end, n_ends, &all, err));
  shift(x, f);
  x->has_head = true;
  x->start = 0;
  if (all) return SN_OK;
  float *now = x->extras.data, *before = x->extras.data + x->most_nodes;
  for (size_t k = 0; k < x->layers.n; k++) {
    keep_reached(x, k, before, now);
    float *const t = now;
    now = before;
    before = t;
  }
  slide(x, 0, x->renumber.data, x->renumber.data + x->most_nodes);
  return SN_OK;
}
