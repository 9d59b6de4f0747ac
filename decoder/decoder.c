/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder: frames from a scorer into the search, answers out of it. */
#include "decoder/decoder.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/decoder_internal.h"

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
    {"lattice-stretch", SN_OPT_INT, offsetof(sn_decoder_opts, lattice_stretch),
     3000, 0, 100000000, NULL, "frames",
     "a lattice is determinised in pieces of about this length, as it goes; 0: "
     "all at once, whatever memory it takes"},
    SN_OPT_END};

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
  sni_stretches_clear(&d->stretches);
  sn_lat_det_space_destroy(d->space);
  sn_free(d->marks);
  sn_free(d);
}

sn_status sn_decoder_start(sn_decoder *d, sn_err *err) {
  d->started = false;
  sni_times_reset(&d->times);
  sni_stretches_reset(&d->stretches);
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
    SN_TRY(sni_decoder_settle(d, err));
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
  r.n_stretches = d->stretches.done.n;
  r.n_cuts = d->stretches.n_cuts;
  r.n_cut_nodes = d->stretches.n_cut_nodes;
  r.n_bytes = sni_search_bytes(s) + sizeof *d +
              sni_stretches_bytes(&d->stretches) +
              sn_lat_det_space_bytes(d->space) +
              d->times.runs.cap * sizeof *d->times.runs.data;
  return r;
}
