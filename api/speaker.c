/* SPDX-License-Identifier: Apache-2.0 */
/* Speakers: what first passes have shown, and the transforms made of it.
 *
 * MLLR's transforms are kept, not the model that they make (en-us: 3 MB), so
 * that thousands of speakers fit; a recognizer makes it when it meets one. */
#include "api/speaker_internal.h"

#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"

/* ---- The model's part ---- */

/* A front end that asks for speakers also has to do without. */
static sn_status open_front_ends(sni_adapt *a, const sn_am *am, sn_err *err) {
  const sn_feat_config *const c = sn_am_feat(am);
  sn_feat_config *other = NULL;
  if (!sn_feat_config_wants_speaker(c)) return SN_OK;
  SN_TRY(sn_feat_config_copy(c, &other, err));
  sn_status s = sn_feat_config_set(other, "cmn", "utterance", err);
  if (s == SN_OK) s = sn_feat_create(other, SN_FEAT_FULL, &a->alone, err);
  if (s == SN_OK) s = sn_feat_create(c, SN_FEAT_BASE, &a->base, err);
  sn_feat_config_destroy(other);
  return s;
}

sn_status sni_adapt_open(sni_adapt *a, const char *dir, const sn_am *am,
                         const sn_ini *ini, sn_log *log, sn_err *err) {
  SN_TRY(sn_adapt_opts_read(ini, dir, &a->opts, err));
  SN_TRY(open_front_ends(a, am, err));
  return sn_am_load_part(dir, "am-first", am, log, &a->first, err);
}

void sni_adapt_clear(sni_adapt *a) {
  sn_am_destroy(a->first);
  sn_feat_destroy(a->alone);
  sn_feat_destroy(a->base);
  memset(a, 0, sizeof *a);
}

int senone_model_adapts(const senone_model *m) {
  return (int)m->adapt.opts.by_default;
}

const sn_am *sni_adapt_unmoved(const senone_model *m) {
  return m->adapt.first != NULL ? m->adapt.first : m->am;
}

int senone_model_needs_speakers(const senone_model *m) {
  return m->adapt.alone != NULL;
}

/* ---- Speakers ---- */

senone_status senone_speaker_create(const senone_model *m, senone_speaker **out,
                                    senone_error *error) {
  sn_err err = {0};
  *out = NULL;
  senone_speaker *const p = sn_calloc(1, sizeof *p);
  sn_status s = p != NULL ? SN_OK : sn_fail_nomem(&err, "speaker");
  if (s == SN_OK) {
    p->model = m;
    p->way = m->adapt.opts.by_default == SN_ADAPT_NONE
                 ? SENONE_ADAPT_FMLLR
                 : (senone_adapt_way)m->adapt.opts.by_default;
  }
  if (s == SN_OK && m->adapt.base != NULL)
    s = sn_cmvn_stats_create(sn_feat_dim(m->adapt.base), &p->cmvn, &err);
  if (s != SN_OK) {
    senone_speaker_destroy(p);
    return sni_report(&err, s, error);
  }
  *out = p;
  return SENONE_OK;
}

static bool has_observed(const senone_speaker *p) {
  return p->stats.dim > 0 || p->means.n_gauss > 0;
}

static sn_status set_way(senone_speaker *p, senone_adapt_way way, sn_err *err) {
  if (way != SENONE_ADAPT_FMLLR && way != SENONE_ADAPT_MLLR)
    return sn_fail(err, SN_EARG, "%d is no way to adapt", (int)way);
  if (way == p->way) return SN_OK;
  if (has_observed(p) || p->transform != NULL || p->mllr != NULL)
    return sn_fail(err, SN_EARG,
                   "the way to adapt to a speaker is set before anything is "
                   "observed");
  p->way = way;
  return SN_OK;
}

senone_status senone_speaker_set_way(senone_speaker *p, senone_adapt_way way,
                                     senone_error *error) {
  sn_err err = {0};
  return sni_report(&err, set_way(p, way, &err), error);
}

void senone_speaker_destroy(senone_speaker *p) {
  if (p == NULL) return;
  sn_fmllr_stats_clear(&p->stats);
  sn_map_stats_clear(&p->means);
  sn_mllr_destroy(p->mllr);
  sn_cmvn_stats_destroy(p->cmvn);
  sn_feat_stream_destroy(p->heard);
  sn_transform_destroy(p->transform);
  sn_free(p);
}

/* Frames that are ready go into the speaker's mean. */
static sn_status take_heard(senone_speaker *p, sn_err *err) {
  sn_mat frames;
  size_t n = sn_feat_stream_ready(p->heard);
  if (n == 0) return SN_OK;
  SN_TRY(sn_mat_alloc(n, sn_feat_dim(p->model->adapt.base), &frames, err));
  const sn_status s = sn_feat_stream_pull(p->heard, frames, NULL, &n, err);
  if (s == SN_OK)
    sn_cmvn_stats_add(p->cmvn, sn_mat_const(sn_mat_rows(frames, 0, n)));
  sn_mat_free(&frames);
  return s;
}

static sn_status hear(senone_speaker *p, const float *samples, size_t n,
                      bool last, sn_err *err) {
  float piece[1024];
  if (p->cmvn == NULL) return SN_OK;
  if (p->heard == NULL)
    SN_TRY(sn_feat_stream_create(p->model->adapt.base, SN_CMN_DEFAULT,
                                 &p->heard, err));
  for (size_t done = 0; done < n;) {
    const size_t k = n - done < 1024 ? n - done : 1024;
    for (size_t i = 0; i < k; i++) piece[i] = samples[done + i] * 32768.0f;
    SN_TRY(sn_feat_stream_push(p->heard, piece, k, err));
    SN_TRY(take_heard(p, err));
    done += k;
  }
  if (!last) return SN_OK;
  SN_TRY(sn_feat_stream_finish(p->heard, err));
  SN_TRY(take_heard(p, err));
  sn_feat_stream_reset(p->heard, false);
  return SN_OK;
}

senone_status senone_speaker_hear_f32(senone_speaker *p, const float *samples,
                                      size_t n, int last, senone_error *error) {
  sn_err err = {0};
  return sni_report(&err, hear(p, samples, n, last != 0, &err), error);
}

static sn_status merge(senone_speaker *into, const senone_speaker *from,
                       sn_err *err) {
  if (into->model != from->model)
    return sn_fail(err, SN_EARG, "speakers of two models can not be merged");
  if (into->way != from->way)
    return sn_fail(
        err, SN_EARG,
        "speakers that are adapted to in two ways can not be merged");
  if (from->stats.dim > 0) {
    if (into->stats.dim == 0)
      SN_TRY(sn_fmllr_stats_init(&into->stats, from->stats.dim, err));
    sn_fmllr_stats_add(&into->stats, &from->stats);
  }
  if (from->means.n_gauss > 0) {
    if (into->means.n_gauss == 0)
      SN_TRY(sn_map_stats_init_means(&into->means,
                                     sni_adapt_unmoved(into->model), err));
    sn_map_stats_add(&into->means, &from->means);
  }
  if (into->cmvn != NULL) sn_cmvn_stats_merge(into->cmvn, from->cmvn);
  return SN_OK;
}

senone_status senone_speaker_merge(senone_speaker *into,
                                   const senone_speaker *from,
                                   senone_error *error) {
  sn_err err = {0};
  return sni_report(&err, merge(into, from, &err), error);
}

static sn_status observe(senone_speaker *to, const sn_lat *lat,
                         const sn_adapt_source *source, sn_cmat x, sn_cmat y,
                         sn_err *err) {
  sn_fmllr_work *work = NULL;
  const bool means = to->way == SENONE_ADAPT_MLLR;
  if (means && to->means.n_gauss == 0)
    SN_TRY(sn_map_stats_init_means(&to->means, source->am, err));
  if (!means && to->stats.dim == 0)
    SN_TRY(sn_fmllr_stats_init(&to->stats,
                               (size_t)sn_am_get_info(source->am).dim, err));
  SN_TRY(sn_fmllr_work_create(source->am, &work, err));
  const sn_status s =
      means ? sn_adapt_accumulate_means(lat, source, work, x, &to->means, err)
            : sn_adapt_accumulate(lat, source, work, y, x, &to->stats, err);
  sn_fmllr_work_destroy(work);
  return s;
}

sn_status sni_speaker_observe(senone_speaker *to, const sni_observed *seen,
                              sn_err *err) {
  const senone_model *const m = to->model;
  const sn_transform *const t = seen->by != NULL ? seen->by->transform : NULL;
  const sn_am *const unmoved = sni_adapt_unmoved(m);
  if (seen->by != NULL && seen->by->way != to->way)
    return sn_fail(err, SN_EARG,
                   "an utterance recognised for a speaker is observed for one "
                   "who is adapted to in another way");
  const sn_adapt_source source = {
      .graph = m->graph,
      .am = to->way == SENONE_ADAPT_MLLR ? unmoved : m->am,
      .first = seen->moved != NULL ? seen->moved
               : t == NULL         ? unmoved
                                   : m->am,
      .scales = sn_decoder_scales(seen->decoder),
      .silence_weight = m->adapt.opts.silence_weight,
      .ali_tells_loops = seen->lat != NULL};
  const sn_cmat x = sn_am_scorer_kept(seen->scorer);
  sn_mat y = {0};
  sn_lat raw = {0};
  sn_status s = SN_OK;
  if (seen->lat == NULL)
    SN_TRY(sn_decoder_raw_lattice(seen->decoder, true, NULL, &raw, err));
  if (t != NULL && x.rows > 0) {
    s = sn_mat_alloc(x.rows, x.cols, &y, err);
    if (s == SN_OK) s = sn_transform_apply(t, x, y, err);
  }
  if (s == SN_OK)
    s = observe(to, seen->lat != NULL ? seen->lat : &raw, &source, x,
                y.data != NULL ? sn_mat_const(y) : x, err);
  sn_mat_free(&y);
  sn_lat_clear(&raw);
  return s;
}

/* MLLR: new transforms in place of the old. */
static sn_status adapt_means(senone_speaker *p, senone_adaptation *info,
                             sn_err *err) {
  const double needed = p->model->adapt.opts.fmllr.min_count;
  const bool any = p->means.n_gauss > 0;
  const bool enough = any && p->means.n_frames >= needed;
  sn_mllr_report r = {0};
  sn_mllr *m = NULL;
  if (enough)
    SN_TRY(sn_mllr_estimate(sni_adapt_unmoved(p->model), &p->means,
                            &p->model->adapt.opts.mllr, &m, &r, err));
  sn_mllr_destroy(p->mllr);
  p->mllr = m;
  *info = (senone_adaptation){.adapted = enough,
                              .frames = p->means.n_frames,
                              .frames_needed = needed,
                              .gain = r.gain,
                              .why_not = enough ? NULL
                                         : any  ? "too few frames"
                                                : "nothing was observed"};
  sn_map_stats_clear(&p->means);
  return SN_OK;
}

static sn_status adapt(senone_speaker *p, senone_adaptation *info,
                       sn_err *err) {
  if (p->way == SENONE_ADAPT_MLLR) return adapt_means(p, info, err);
  const sn_fmllr_opts *const o = &p->model->adapt.opts.fmllr;
  sn_fmllr_result r = {.why = "nothing was observed"};
  sn_transform *t = NULL;
  sn_mat w = {0};
  if (p->stats.dim > 0) {
    SN_TRY(sn_mat_alloc(p->stats.dim, p->stats.dim + 1, &w, err));
    sn_status s = sn_fmllr_estimate(&p->stats, o, w, &r, err);
    if (s == SN_OK && r.estimated)
      s = sn_transform_create(sn_mat_const(w), &t, err);
    sn_mat_free(&w);
    SN_TRY(s);
  }
  sn_transform_destroy(p->transform);
  p->transform = t;
  sn_fmllr_stats_clear(&p->stats);
  *info = (senone_adaptation){.adapted = r.estimated,
                              .frames = r.count,
                              .frames_needed = o->min_count,
                              .gain = r.gain,
                              .why_not = r.why};
  return SN_OK;
}

senone_status senone_speaker_adapt(senone_speaker *p, senone_adaptation *info,
                                   senone_error *error) {
  sn_err err = {0};
  senone_adaptation unused;
  return sni_report(&err, adapt(p, info != NULL ? info : &unused, &err), error);
}
