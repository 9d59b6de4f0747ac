/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline: samples -> extractor -> what follows -> frames.
 *
 * The extractor (extractor_internal.h) makes base frames. What follows is
 * nothing (SN_FEAT_BASE), an sni_sphinx_post, or a chain of postproc.h's
 * stages; frames are moved along whenever samples come, so that what waits
 * inside is only what each stage needs to see ahead.
 *
 * Speech detection is the extractor's, or else feat_pause.c over the samples.
 */
#include "frontend/feat.h"

#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "frontend/extractor_internal.h"
#include "frontend/feat_config_internal.h"
#include "frontend/feat_pause_internal.h"
#include "frontend/postproc.h"
#include "frontend/sphinx_post_internal.h"

enum { max_stages = 4 };

struct sn_feat {
  sn_feat_dialect dialect;
  sn_feat_stage stage;
  size_t base_dim, dim;
  sni_sphinx_plan *sphinx;
  sni_sphinx_type *sphinx_type; /* FULL */
  sni_kaldi_plan *kaldi;
  sni_post_opts post; /* FULL; its string is not used after create */
  sn_transform *transform;
};

struct sn_feat_stream {
  const sn_feat *feat;
  sni_extractor *x;
  sni_sphinx_post *sphinx_post;
  sn_pp *stages[max_stages];
  size_t n_stages;
  float *scratch; /* one frame, as wide as any between two stages */
  int64_t n_samples;
  bool finished, failed;
  sni_pause pause;
};

/* ---- Plan ---- */

static sn_status create_sphinx(sn_feat *f, const sn_feat_config *c,
                               sn_err *err) {
  SN_TRY(sni_sphinx_plan_create(c, f->stage == SN_FEAT_BASE, &f->sphinx, err));
  f->base_dim = f->dim = sni_sphinx_plan_dim(f->sphinx);
  if (f->stage == SN_FEAT_BASE) return SN_OK;
  SN_TRY(sni_sphinx_type_create(sni_feat_config_sphinx(c), f->base_dim,
                                &f->sphinx_type, err));
  f->dim = sni_sphinx_type_dim(f->sphinx_type);
  return SN_OK;
}

static sn_status create_kaldi(sn_feat *f, const sn_feat_config *c,
                              sn_err *err) {
  SN_TRY(sni_kaldi_plan_create(c, &f->kaldi, err));
  f->base_dim = f->dim = sni_kaldi_plan_dim(f->kaldi);
  if (f->stage == SN_FEAT_BASE) return SN_OK;
  f->post = *sni_feat_config_post(c);
  const sni_post_opts *o = &f->post;
  if (o->norm_vars && !o->norm_means && o->cmn != SNI_POST_CMN_NONE)
    return sn_fail(err, SN_EARG, "norm-vars needs norm-means");
  if (o->delta_order > 0) f->dim *= (size_t)o->delta_order + 1;
  f->dim *= (size_t)o->left_context + 1 + (size_t)o->right_context;
  if (o->transform[0] == '\0') return SN_OK;
  SN_TRY(sn_transform_load(o->transform, &f->transform, err));
  SN_TRY(sn_transform_check(f->transform, f->dim, err));
  f->dim = sn_transform_out_dim(f->transform);
  return SN_OK;
}

sn_status sn_feat_create(const sn_feat_config *c, sn_feat_stage stage,
                         sn_feat **out, sn_err *err) {
  *out = NULL;
  sn_feat *f = sn_calloc(1, sizeof *f);
  if (f == NULL) return sn_fail_nomem(err, "front end");
  f->dialect = sn_feat_config_dialect(c);
  f->stage = stage;
  const sn_status s = f->dialect == SN_FEAT_SPHINX ? create_sphinx(f, c, err)
                                                   : create_kaldi(f, c, err);
  if (s != SN_OK) {
    sn_feat_destroy(f);
    return s;
  }
  *out = f;
  return SN_OK;
}

void sn_feat_destroy(sn_feat *f) {
  if (f == NULL) return;
  sni_sphinx_type_destroy(f->sphinx_type);
  sni_sphinx_plan_destroy(f->sphinx);
  sni_kaldi_plan_destroy(f->kaldi);
  sn_transform_destroy(f->transform);
  sn_free(f);
}

size_t sn_feat_dim(const sn_feat *f) { return f->dim; }
double sn_feat_rate_hz(const sn_feat *f) {
  return f->sphinx != NULL ? sni_sphinx_plan_rate_hz(f->sphinx)
                           : sni_kaldi_plan_rate_hz(f->kaldi);
}
double sn_feat_frame_shift_s(const sn_feat *f) {
  return f->sphinx != NULL ? sni_sphinx_plan_shift_s(f->sphinx)
                           : sni_kaldi_plan_shift_s(f->kaldi);
}
double sn_feat_frame_length_s(const sn_feat *f) {
  return f->sphinx != NULL ? sni_sphinx_plan_length_s(f->sphinx)
                           : sni_kaldi_plan_length_s(f->kaldi);
}

/* ---- Streams ---- */

/* CMN as the caller wants it: whole utterances or as the audio comes. */
static sni_post_cmn wanted_cmn(const sni_post_opts *o, sn_cmn_mode mode) {
  if (o->cmn == SNI_POST_CMN_NONE || mode == SN_CMN_DEFAULT ||
      o->cmn == SNI_POST_CMN_SPEAKER)
    return (sni_post_cmn)o->cmn;
  return mode == SN_CMN_BATCH ? SNI_POST_CMN_UTTERANCE : SNI_POST_CMN_SLIDING;
}

static sn_status add_cmn(sn_feat_stream *s, sn_cmn_mode mode,
                         const sn_cmvn_stats *stats, sn_err *err) {
  const sni_post_opts *o = &s->feat->post;
  const sn_cmvn_opts how = {o->norm_means, o->norm_vars};
  const sni_post_cmn kind = wanted_cmn(o, mode);
  if (kind == SNI_POST_CMN_NONE || !o->norm_means) return SN_OK;
  sn_pp **to = &s->stages[s->n_stages++];
  if (kind == SNI_POST_CMN_UTTERANCE)
    return sn_pp_utterance_create(s->feat->base_dim, how, to, err);
  if (kind == SNI_POST_CMN_SPEAKER) {
    if (stats == NULL)
      return sn_fail(err, SN_EARG,
                     "cmn speaker needs the speaker's statistics: use cmn "
                     "utterance or sliding where speakers are not known");
    return sn_pp_fixed_create(stats, how, to, err);
  }
  const bool live = mode == SN_CMN_LIVE;
  const sn_sliding_opts slide = {.window = o->cmn_window,
                                 .min_window = live ? 1 : o->min_cmn_window,
                                 .center = o->center && !live,
                                 .norm_vars = o->norm_vars};
  return sn_pp_sliding_create(s->feat->base_dim, &slide, to, err);
}

static sn_status add_stages(sn_feat_stream *s, sn_cmn_mode mode,
                            const sn_cmvn_stats *stats, sn_err *err) {
  const sn_feat *f = s->feat;
  const sni_post_opts *o = &f->post;
  size_t dim = f->base_dim;
  SN_TRY(add_cmn(s, mode, stats, err));
  if (o->delta_order > 0) {
    SN_TRY(sn_pp_deltas_create(dim, o->delta_order, o->delta_window,
                               &s->stages[s->n_stages++], err));
    dim *= (size_t)o->delta_order + 1;
  }
  if (o->left_context > 0 || o->right_context > 0) {
    SN_TRY(sn_pp_splice_create(dim, o->left_context, o->right_context,
                               &s->stages[s->n_stages++], err));
    dim *= (size_t)o->left_context + 1 + (size_t)o->right_context;
  }
  if (f->transform != NULL)
    SN_TRY(sn_pp_transform_create(f->transform, dim, &s->stages[s->n_stages++],
                                  err));
  return SN_OK;
}

static size_t widest(const sn_feat_stream *s) {
  size_t dim = s->feat->base_dim;
  for (size_t i = 0; i < s->n_stages; i++)
    if (sn_pp_out_dim(s->stages[i]) > dim) dim = sn_pp_out_dim(s->stages[i]);
  return dim;
}

sn_status sn_feat_stream_create(const sn_feat *f, sn_cmn_mode cmn,
                                sn_feat_stream **out, sn_err *err) {
  return sn_feat_stream_create_for(f, cmn, NULL, out, err);
}

sn_status sn_feat_stream_create_for(const sn_feat *f, sn_cmn_mode cmn,
                                    const sn_cmvn_stats *speaker,
                                    sn_feat_stream **out, sn_err *err) {
  *out = NULL;
  sn_feat_stream *s = sn_calloc(1, sizeof *s);
  if (s == NULL) return sn_fail_nomem(err, "feature stream");
  s->feat = f;
  sn_status status;
  SN_TRY_GOTO(status, f->sphinx != NULL
                          ? sni_sphinx_extractor_create(f->sphinx, &s->x, err)
                          : sni_kaldi_extractor_create(f->kaldi, &s->x, err));
  if (f->sphinx_type != NULL)
    SN_TRY_GOTO(status, sni_sphinx_post_create(f->sphinx_type, cmn,
                                               &s->sphinx_post, err));
  else if (f->stage == SN_FEAT_FULL)
    SN_TRY_GOTO(status, add_stages(s, cmn, speaker, err));
  s->scratch = sn_calloc(widest(s), sizeof *s->scratch);
  if (s->scratch == NULL) {
    status = sn_fail_nomem(err, "feature stream");
    goto fail;
  }
  sni_pause_init(&s->pause, sn_feat_rate_hz(f));
  *out = s;
  return SN_OK;
fail:
  sn_feat_stream_destroy(s);
  return status;
}

void sn_feat_stream_destroy(sn_feat_stream *s) {
  if (s == NULL) return;
  if (s->x != NULL) s->x->ops->destroy(s->x);
  sni_sphinx_post_destroy(s->sphinx_post);
  for (size_t i = 0; i < max_stages; i++) sn_pp_destroy(s->stages[i]);
  sn_free(s->scratch);
  sn_free(s);
}

/* Moves what is ready one step on, from the extractor to the last stage. With
 * `end`, each step is told that nothing more will come. */
static sn_status move_frames(sn_feat_stream *s, bool end, sn_err *err) {
  if (s->sphinx_post == NULL && s->n_stages == 0) return SN_OK;
  int64_t position;
  while (s->x->ops->n_ready(s->x) > 0) {
    s->x->ops->pull(s->x, s->scratch, &position);
    if (s->sphinx_post != NULL)
      SN_TRY(sni_sphinx_post_push(s->sphinx_post, s->scratch, position, err));
    else
      SN_TRY(sn_pp_push(s->stages[0], s->scratch, position, err));
  }
  if (s->sphinx_post != NULL) {
    if (end) sni_sphinx_post_finish(s->sphinx_post);
    return SN_OK;
  }
  for (size_t i = 0; i < s->n_stages; i++) {
    if (end) sn_pp_finish(s->stages[i]);
    if (i + 1 < s->n_stages)
      SN_TRY(sn_pp_pump(s->stages[i], s->stages[i + 1], s->scratch, err));
  }
  return SN_OK;
}

/* After a failure frames may be missing: no more are handed out. */
static sn_status check_usable(const sn_feat_stream *s, sn_err *err) {
  if (s->failed)
    return sn_fail(err, SN_EARG,
                   "feature stream: an earlier failure lost frames; reset it");
  if (s->finished)
    return sn_fail(err, SN_EARG,
                   "feature stream: the utterance is finished; reset it");
  return SN_OK;
}

sn_status sn_feat_stream_push(sn_feat_stream *s, const float *samples, size_t n,
                              sn_err *err) {
  SN_TRY(check_usable(s, err));
  for (size_t i = 0; i < n; i++)
    if (!(fabsf(samples[i]) <= FLT_MAX))
      return sn_fail(err, SN_EFORMAT,
                     "sample %lld is %s: the audio has numbers that are no "
                     "samples; convert or repair it",
                     (long long)(s->n_samples + (int64_t)i),
                     isnan(samples[i]) ? "NaN" : "infinite");
  if (s->x->ops->in_speech == NULL) sni_pause_push(&s->pause, samples, n);
  s->n_samples += (int64_t)n;
  sn_status status = s->x->ops->push(s->x, samples, n, err);
  if (status == SN_OK) status = move_frames(s, false, err);
  s->failed = status != SN_OK;
  return status;
}

sn_status sn_feat_stream_finish(sn_feat_stream *s, sn_err *err) {
  SN_TRY(check_usable(s, err));
  sn_status status = s->x->ops->finish(s->x, err);
  if (status == SN_OK) status = move_frames(s, true, err);
  s->failed = status != SN_OK;
  s->finished = !s->failed;
  return status;
}

bool sn_feat_stream_finished(const sn_feat_stream *s) { return s->finished; }

size_t sn_feat_stream_ready(const sn_feat_stream *s) {
  if (s->failed) return 0;
  if (s->sphinx_post != NULL) return sni_sphinx_post_n_ready(s->sphinx_post);
  if (s->n_stages > 0) return sn_pp_n_ready(s->stages[s->n_stages - 1]);
  return s->x->ops->n_ready(s->x);
}

static void pull_one(sn_feat_stream *s, float *frame, int64_t *position) {
  if (s->sphinx_post != NULL)
    sni_sphinx_post_pull(s->sphinx_post, frame, position);
  else if (s->n_stages > 0)
    sn_pp_pull(s->stages[s->n_stages - 1], frame, position);
  else
    s->x->ops->pull(s->x, frame, position);
}

sn_status sn_feat_stream_pull(sn_feat_stream *s, sn_mat out, int64_t *positions,
                              size_t *n, sn_err *err) {
  *n = 0;
  if (s->failed)
    return sn_fail(err, SN_EARG,
                   "feature stream: an earlier failure lost frames; reset it");
  SN_ASSERT(out.cols == s->feat->dim);
  const size_t ready = sn_feat_stream_ready(s);
  const size_t most = ready < out.rows ? ready : out.rows;
  int64_t position;
  for (size_t i = 0; i < most; i++) {
    pull_one(s, sn_mat_row(out, i), &position);
    if (positions != NULL) positions[i] = position;
  }
  *n = most;
  return SN_OK;
}

void sn_feat_stream_reset(sn_feat_stream *s, bool keep_cmn) {
  s->x->ops->reset(s->x, keep_cmn);
  if (s->sphinx_post != NULL) sni_sphinx_post_reset(s->sphinx_post, keep_cmn);
  for (size_t i = 0; i < s->n_stages; i++) sn_pp_reset(s->stages[i]);
  sni_pause_reset(&s->pause, keep_cmn);
  s->n_samples = 0;
  s->finished = s->failed = false;
}

double sn_feat_stream_trailing_pause_s(const sn_feat_stream *s) {
  return s->x->ops->trailing_pause_s != NULL ? s->x->ops->trailing_pause_s(s->x)
                                             : sni_pause_trailing_s(&s->pause);
}

bool sn_feat_stream_in_speech(const sn_feat_stream *s) {
  return s->x->ops->in_speech != NULL ? s->x->ops->in_speech(s->x)
                                      : s->pause.in_speech;
}
