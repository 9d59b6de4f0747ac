/* SPDX-License-Identifier: Apache-2.0 */
/* Lattices out of the links behind the search.
 *
 * Memory. Links take 16 bytes each, as nodes do, and determinising them needs
 * several times that; words take little. So a long lattice becomes words as it
 * goes (incremental determinisation):
 *   1. when it is lattice_stretch frames long, it is cut at the layer where the
 *      fewest nodes have arcs into them (the front);
 *   2. the paths to the front are determinised, each with a label of its own
 *      for the node where it ends: so for each word sequence and each node the
 *      best path is there, and nothing that comes behind can need another one.
 *      The result is split at the last state that all its paths run through.
 *      What lies before is a stretch, complete whatever comes (stretches.c);
 * the rest is the head;
 *   3. the links before the front are forgotten. What follows begins with the
 *      head: its arcs that end with a node's label lead to the node. With
 *      the next piece it is determinised once more;
 *   4. where a head has become MAX_STRETCHES long for want of such a state, the
 *      state is taken that the best path beside it avoids at the greatest cost.
 *      Only paths as bad as that are lost, so the lattice is complete within
 *      that beam, which the stats tell.
 * The lattice is the row and the rest, pruned: the same, within that beam, as
 * if it had been determinised at once.
 *
 * Source: Chen et al. 2019, "Incremental lattice determinization for WFST
 * decoders". There all states that a label can be reached from at once are
 * determinised again; here what lies behind the last state on all paths, which
 * is more work where paths differ for long, but needs no states that are
 * entered in the middle, and gives stretches that can be rescored and
 * forgotten. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/decoder_internal.h"
#include "decoder/lat_paths.h"

#define MAX_STRETCHES 2
#define LOOKS 16 /* for a front, in the time of a stretch, at most */

/* Phones get word labels behind those of the words. */
static sn_status make_marks(sn_decoder *d, sn_err *err) {
  const sn_graph *const g = d->search.graph;
  if (d->marks != NULL) return SN_OK;
  d->marks = sn_calloc((size_t)g->n_labels, sizeof *d->marks);
  if (d->marks == NULL) return sn_fail_nomem(err, "lattice");
  for (int32_t l = 0; l < g->n_labels; l++)
    if (g->labels[l].is_entry)
      d->marks[l] = g->n_words + 1 + g->labels[l].phone;
  return SN_OK;
}

/* The first label of nodes at a front: behind those of words and phones. */
static int32_t first_end(const sn_decoder *d) {
  const sn_graph *const g = d->search.graph;
  return g->n_words + 1 + g->n_phones;
}

static const sn_lat *head_of(const sn_decoder *d) {
  return d->search.links.has_head ? &d->stretches.head : NULL;
}

/* The state-level lattice behind what is done, to the newest frame. */
static sn_status draw(sn_decoder *d, bool final, const int32_t *mark_of,
                      sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  sni_search *const s = &d->search;
  if (!d->started)
    return sn_fail(err, SN_EARG,
                   "decoder: no lattice: it was not started, or it failed");
  if (!(s->links.beam > 0.0f))
    return sn_fail(err, SN_EARG,
                   "decoder: no lattice: it was made with --lattice-beam=0");
  float unused;
  if (sni_search_best(s, false, &unused) < 0) return SN_OK;
  const bool by_final = final && sni_search_best(s, true, &unused) >= 0;
  float *const finals = sn_calloc(s->n_cur, sizeof *finals);
  if (finals == NULL) return sn_fail_nomem(err, "lattice");
  for (size_t i = 0; i < s->n_cur; i++) {
    finals[i] = by_final ? s->graph->states[s->cur[i].state].final_cost : 0.0f;
    if (!(s->cur[i].cost <= s->bound)) finals[i] = INFINITY;
  }
  const sni_links_finish f = {.final_costs = finals,
                              .head = head_of(d),
                              .first_end = first_end(d),
                              .mark_of = mark_of};
  const sn_status status = sni_links_lattice(&s->links, &f, out, err);
  sn_free(finals);
  return status;
}

/* Determinisation in two steps, as Povey et al. 2012 propose in section 6: on
 * words and phones first, which leaves of all the ways to lay a phone sequence
 * along the frames only the best; then on words. What is left after the first
 * step is small, so that the second one finds states to share that would
 * otherwise differ in alignments that are on no best path. Both are exact, so
 * the two are. */
static sn_status determinize(sn_decoder *d, const sn_lat *marked,
                             const sn_lat_det_opts *o, sn_lat *out,
                             sn_lat_det_stats *stats, sn_err *err) {
  const sn_lat_scales scales = sn_decoder_scales(d);
  sn_lat phones;
  sn_lat_det_stats first;
  if (d->space == NULL) SN_TRY(sn_lat_det_space_create(&d->space, err));
  SN_TRY(sn_lat_determinize_in(d->space, marked, &scales, o, &phones, &first,
                               err));
  for (int32_t i = 0; i < phones.n_arcs; i++) {
    int32_t *const word = &phones.arcs[i].word;
    if (*word > d->search.graph->n_words && *word < first_end(d)) *word = 0;
  }
  const sn_status s =
      sn_lat_determinize_in(d->space, &phones, &scales, o, out, stats, err);
  sn_lat_clear(&phones);
  stats->n_elems += first.n_elems;
  stats->n_subsets += first.n_subsets;
  if (first.beam < stats->beam) stats->beam = first.beam;
  return s;
}

/* ---- Settling ---- */

/* 2 to 4: cuts at layer `front`. */
static sn_status settle_at(sn_decoder *d, size_t front, sn_err *err) {
  sni_links *const x = &d->search.links;
  const int32_t stretch = d->search.opts.lattice_stretch;
  const int64_t most = MAX_STRETCHES * (int64_t)stretch;
  const sni_links_finish f = {.front = front,
                              .head = head_of(d),
                              .first_end = first_end(d),
                              .mark_of = d->marks};
  const sni_split how = {.scales = sn_decoder_scales(d),
                         .beam = (double)x->beam,
                         .least = (stretch + 1) / 2,
                         .most = most < INT32_MAX ? (int32_t)most : INT32_MAX};
  sn_lat_det_opts o;
  sn_lat_det_stats stats;
  sn_lat marked, words = {0};
  sn_opt_defaults(sn_lat_det_opt_table, &o);
  o.beam = (double)x->beam;
  SN_TRY(sni_links_lattice(x, &f, &marked, err));
  sn_status s = determinize(d, &marked, &o, &words, &stats, err);
  sn_lat_clear(&marked);
  if (s == SN_OK)
    s = sni_stretches_add(&d->stretches, &words, &how, &stats, err);
  if (s == SN_OK)
    s = sni_links_forget(x, front, &d->stretches.head, first_end(d), err);
  sn_lat_clear(&words);
  return s;
}

sn_status sni_decoder_settle(sn_decoder *d, sn_err *err) {
  sni_links *const x = &d->search.links;
  const size_t stretch = (size_t)d->search.opts.lattice_stretch;
  if (!(x->beam > 0.0f) || stretch == 0 || x->layers.n <= stretch ||
      x->layers.n < d->stretches.try_at || x->n_pruned != x->layers.n)
    return SN_OK;
  SN_TRY(make_marks(d, err));
  SN_TRY(sni_links_prune_all(x, err));
  const size_t front = sni_links_find_front(x, (stretch + 1) / 2);
  d->stretches.try_at =
      front > 0 ? 0 : x->layers.n + (stretch + LOOKS - 1) / LOOKS;
  return front > 0 ? settle_at(d, front, err) : SN_OK;
}

/* ---- Answers ---- */

/* The row of stretches and *tail, pruned; *tail may be moved. */
static sn_status put_together(const sn_decoder *d, sn_lat *tail, sn_lat *out,
                              sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  sn_lat all;
  if (d->stretches.done.n == 0) {
    *out = *tail;
    memset(tail, 0, sizeof *tail);
    return SN_OK;
  }
  SN_TRY(sni_stretches_join(&d->stretches, tail, &all, err));
  sn_lat_clear(tail);
  const sn_status s =
      sn_lat_prune(&all, &k, (double)d->search.links.beam, out, err);
  sn_lat_clear(&all);
  return s;
}

static void set_alignments(sn_lat *l, const int32_t *ali_of) {
  for (uint32_t i = 0; i < l->n_ali; i++)
    l->ali[i] = ali_of != NULL ? ali_of[l->ali[i]] : l->ali[i] / 2;
}

bool sn_decoder_take_stretch(sn_decoder *d, const int32_t *ali_of,
                             sn_lat *out) {
  sni_stretches *const x = &d->stretches;
  memset(out, 0, sizeof *out);
  if (x->done.n == 0) return false;
  *out = x->done.data[0];
  x->done.n--;
  memmove(x->done.data, x->done.data + 1, x->done.n * sizeof *x->done.data);
  set_alignments(out, ali_of);
  return true;
}

sn_status sn_decoder_raw_lattice(sn_decoder *d, bool final,
                                 const int32_t *ali_of, sn_lat *out,
                                 sn_err *err) {
  sn_lat tail;
  memset(out, 0, sizeof *out);
  SN_TRY(draw(d, final, NULL, &tail, err));
  const sn_status s = put_together(d, &tail, out, err);
  sn_lat_clear(&tail);
  set_alignments(out, ali_of);
  return s;
}

sn_status sn_decoder_lattice(sn_decoder *d, bool final, const int32_t *ali_of,
                             const sn_lat_det_opts *opts, sn_lat *out,
                             sn_lat_det_stats *stats, sn_err *err) {
  sn_lat_det_stats unused;
  sn_lat_det_opts o;
  sn_lat marked, tail = {0};
  memset(out, 0, sizeof *out);
  if (stats == NULL) stats = &unused;
  memset(stats, 0, sizeof *stats);
  if (opts != NULL)
    o = *opts;
  else
    sn_opt_defaults(sn_lat_det_opt_table, &o);
  o.beam = (double)d->search.links.beam;
  SN_TRY(make_marks(d, err));
  sn_status s = draw(d, final, d->marks, &marked, err);
  if (s == SN_OK) s = determinize(d, &marked, &o, &tail, stats, err);
  sn_lat_clear(&marked);
  if (s == SN_OK) s = put_together(d, &tail, out, err);
  sn_lat_clear(&tail);
  set_alignments(out, ali_of);
  stats->n_elems += d->stretches.stats.n_elems;
  stats->n_subsets += d->stretches.stats.n_subsets;
  stats->beam = fmin(stats->beam, d->stretches.stats.beam);
  return s;
}
