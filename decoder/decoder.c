/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder: frames from a scorer into the search, answers out of it. */
#include "decoder/decoder.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/hyp_internal.h"
#include "decoder/search_internal.h"

const sn_opt sn_decoder_opt_table[] = {
    {"beam", SN_OPT_FLOAT, offsetof(sn_decoder_opts, beam), 13.0, 1e-3, 1e30,
     NULL, "graph cost",
     "paths this much worse than the best are dropped; wider is slower and "
     "makes fewer search errors"},
    {"max-active", SN_OPT_INT, offsetof(sn_decoder_opts, max_active), 6000, 1,
     100000000, NULL, "paths", "kept a frame at most"},
    {"min-active", SN_OPT_INT, offsetof(sn_decoder_opts, min_active), 100, 0,
     100000000, NULL, "paths", "kept a frame even outside the beam"},
    {"acoustic-scale", SN_OPT_FLOAT, offsetof(sn_decoder_opts, acoustic_scale),
     0, 0, 1000, NULL, "",
     "weight of acoustic costs; 0: 1 / lm-scale of the graph"},
    {"lattice-beam", SN_OPT_FLOAT, offsetof(sn_decoder_opts, lattice_beam), 0,
     0, 1e30, NULL, "graph cost",
     "paths this much worse than the best stand in lattices; 0: no lattices"},
    SN_OPT_END};

struct sn_decoder {
  sni_search search;
  sni_times times;
  bool started;
};

sn_status sn_decoder_create(const sn_graph *g, const sn_decoder_opts *opts,
                            sn_decoder **out, sn_err *err) {
  *out = NULL;
  sn_decoder_opts deflt;
  if (opts == NULL) {
    sn_opt_defaults(sn_decoder_opt_table, &deflt);
    opts = &deflt;
  }
  sn_decoder *const d = sn_calloc(1, sizeof *d);
  if (d == NULL) return sn_fail_nomem(err, "decoder");
  const sn_status s = sni_search_init(&d->search, g, opts, err);
  if (s != SN_OK) {
    sn_decoder_destroy(d);
    return s;
  }
  *out = d;
  return SN_OK;
}

void sn_decoder_destroy(sn_decoder *d) {
  if (d == NULL) return;
  sni_search_clear(&d->search);
  sni_times_clear(&d->times);
  sn_free(d);
}

void sn_decoder_drop_lattice(sn_decoder *d) {
  sni_search_drop_links(&d->search);
}

sn_status sn_decoder_start(sn_decoder *d, sn_err *err) {
  d->started = false;
  sni_times_reset(&d->times);
  SN_TRY(sni_search_start(&d->search, err));
  d->started = true;
  return SN_OK;
}

static sn_status advance(sn_decoder *d, sn_scorer *s, int64_t max_frames,
                         sn_err *err) {
  int64_t end = s->ops->n_frames_ready(s);
  if (end - d->search.frame > max_frames) end = d->search.frame + max_frames;
  while (d->search.frame < end) {
    const int64_t t = d->search.frame;
    const float *row = NULL;
    double begin_s = 0.0, end_s = 0.0;
    SN_TRY(s->ops->scores(s, t, &row, err));
    s->ops->frame_time(s, t, &begin_s, &end_s);
    SN_TRY(sni_times_add(&d->times, begin_s, end_s, err));
    SN_TRY(sni_search_frame(&d->search, row, err));
  }
  return SN_OK;
}

sn_status sn_decoder_advance(sn_decoder *d, sn_scorer *s, sn_err *err) {
  return sn_decoder_advance_by(d, s, INT64_MAX, err);
}

sn_status sn_decoder_advance_by(sn_decoder *d, sn_scorer *s, int64_t max_frames,
                                sn_err *err) {
  if (!d->started)
    return sn_fail(err, SN_EARG,
                   "decoder: not started, or not started again after a "
                   "failure");
  if (s->n_pdfs != d->search.graph->n_pdfs)
    return sn_fail(err, SN_EMISMATCH,
                   "the acoustic model has %d pdfs, the graph was built for "
                   "%d; build the graph again with this model",
                   (int)s->n_pdfs, (int)d->search.graph->n_pdfs);
  const sn_status status = advance(d, s, max_frames, err);
  if (status != SN_OK) d->started = false;
  return status;
}

sn_status sn_decoder_best(sn_decoder *d, bool final, sn_hyp *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  const sni_search *const s = &d->search;
  if (!d->started)
    return sn_fail(err, SN_EARG,
                   "decoder: no answer: it was not started, or it failed");
  float final_cost = 0.0f;
  int32_t best = sni_search_best(s, final, &final_cost);
  bool reached_final = final && best >= 0;
  if (best < 0) best = sni_search_best(s, false, &final_cost);
  out->n_frames = s->frame;
  if (best < 0) {
    out->no_path = true;
    out->graph_cost = out->acoustic_cost = INFINITY;
    return SN_OK;
  }
  const sni_token *const t = &s->cur[best];
  const sni_path_end end = {
      .record = t->record,
      .graph = (double)t->graph + (double)final_cost,
      .total = s->offset + (double)t->cost + (double)final_cost,
      .acoustic_scale = (double)s->opts.acoustic_scale,
      .n_frames = s->frame};
  SN_TRY(sni_hyp_make(s->graph, &s->trace, &d->times, &end, out, err));
  out->reached_final = reached_final;
  return SN_OK;
}

/* ---- Lattices ---- */

sn_status sn_decoder_path(const sn_decoder *d, const sn_lat_path *path,
                          sn_hyp *out, sn_err *err) {
  return sni_hyp_of_path(d->search.graph, &d->times, path, out, err);
}

const sni_times *sni_decoder_times(const sn_decoder *d) { return &d->times; }

double sn_decoder_frame_s(const sn_decoder *d, double f) {
  const int64_t whole = (int64_t)floor(f);
  const double a = sni_times_begin_s(&d->times, whole);
  const double b = sni_times_begin_s(&d->times, whole + 1);
  return a + (f - (double)whole) * (b - a);
}

sn_lat_scales sn_decoder_scales(const sn_decoder *d) {
  const sn_lat_scales k = {1.0, (double)d->search.opts.acoustic_scale, 0.0};
  return k;
}

float sn_decoder_lattice_beam(const sn_decoder *d) {
  return d->search.links.beam;
}

static sn_status draw(sn_decoder *d, bool final, const int32_t *ali_of,
                      const int32_t *mark_of, sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  const sni_search *const s = &d->search;
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
  const sni_links_finish f = {finals, ali_of, mark_of};
  const sn_status status = sni_links_lattice(&s->links, &f, out, err);
  sn_free(finals);
  return status;
}

sn_status sn_decoder_raw_lattice(sn_decoder *d, bool final,
                                 const int32_t *ali_of, sn_lat *out,
                                 sn_err *err) {
  return draw(d, final, ali_of, NULL, out, err);
}

/* Determinisation in two steps, as Povey et al. 2012 propose in section 6: on
 * words and phones first, which leaves of all the ways to lay a phone sequence
 * along the frames only the best; then on words. What is left after the first
 * step is small, so that the second one finds states to share that would
 * otherwise differ in alignments that are on no best path. Both are exact, so
 * the two are. */
static sn_status determinize(const sn_decoder *d, sn_lat *marked,
                             const sn_lat_det_opts *o, sn_lat *out,
                             sn_lat_det_stats *stats, sn_err *err) {
  const sn_lat_scales scales = sn_decoder_scales(d);
  sn_lat phones;
  sn_lat_det_stats first;
  SN_TRY(sn_lat_determinize(marked, &scales, o, &phones, &first, err));
  for (int32_t i = 0; i < phones.n_arcs; i++)
    if (phones.arcs[i].word > d->search.graph->n_words) phones.arcs[i].word = 0;
  const sn_status s = sn_lat_determinize(&phones, &scales, o, out, stats, err);
  sn_lat_clear(&phones);
  stats->n_elems += first.n_elems;
  stats->n_subsets += first.n_subsets;
  if (first.beam < stats->beam) stats->beam = first.beam;
  return s;
}

sn_status sn_decoder_lattice(sn_decoder *d, bool final, const int32_t *ali_of,
                             const sn_lat_det_opts *opts, sn_lat *out,
                             sn_lat_det_stats *stats, sn_err *err) {
  const sn_graph *const g = d->search.graph;
  sn_lat_det_stats unused;
  sn_lat_det_opts o;
  sn_lat marked;
  memset(out, 0, sizeof *out);
  if (stats == NULL) stats = &unused;
  memset(stats, 0, sizeof *stats);
  if (opts != NULL)
    o = *opts;
  else
    sn_opt_defaults(sn_lat_det_opt_table, &o);
  o.beam = (double)d->search.links.beam;
  int32_t *const marks = sn_calloc((size_t)g->n_labels, sizeof *marks);
  if (marks == NULL) return sn_fail_nomem(err, "lattice");
  /* Labels of words end at n_words. */
  for (int32_t l = 0; l < g->n_labels; l++)
    if (g->labels[l].is_entry) marks[l] = g->n_words + 1 + g->labels[l].phone;
  sn_status s = draw(d, final, ali_of, marks, &marked, err);
  sn_free(marks);
  if (s == SN_OK) s = determinize(d, &marked, &o, out, stats, err);
  sn_lat_clear(&marked);
  return s;
}

int64_t sn_decoder_n_frames(const sn_decoder *d) { return d->search.frame; }

bool sn_decoder_has_words(const sn_decoder *d) {
  const sni_search *const s = &d->search;
  float unused;
  const int32_t best = d->started ? sni_search_best(s, false, &unused) : -1;
  if (best < 0) return false;
  const sni_record *const live = s->trace.live.data;
  for (int32_t r = s->cur[best].record; r >= 0; r = live[r].prev)
    if (live[r].word >= 0) return true;
  for (size_t i = s->trace.committed.n; i-- > 0;)
    if (s->trace.committed.data[i].word >= 0) return true;
  return false;
}

bool sn_decoder_alive(const sn_decoder *d) { return d->search.n_cur > 0; }

sn_decoder_stats sn_decoder_get_stats(const sn_decoder *d) {
  const sni_search *const s = &d->search;
  sn_decoder_stats r = s->stats;
  const sni_trace *const t = &s->trace;
  r.records_live = t->live.n;
  r.records_peak = t->peak > t->live.n ? t->peak : t->live.n;
  r.n_committed = t->committed.n;
  r.n_records = t->n_dropped + (int64_t)(t->committed.n + t->live.n);
  r.links_live = s->links.links.n;
  r.links_peak = s->links.peak_links > s->links.links.n ? s->links.peak_links
                                                        : s->links.links.n;
  r.n_bytes = sni_search_bytes(s) + sizeof *d +
              d->times.runs.cap * sizeof *d->times.runs.data;
  return r;
}
