/* SPDX-License-Identifier: Apache-2.0 */
/* The scorer of Gaussian models (base/scorer.h): pulls frames from a feature
 * stream as they are asked for, up to 16 at once, and keeps the rows of the
 * last RING frames: 64 old ones, and a block ahead.
 *
 * Frame t stands in row t % RING. A block never crosses the end of the ring,
 * so that its rows are one matrix. Where frames stand in the audio is kept for
 * the whole utterance, as the few places where the front end left some out. */
#include <string.h>

#include "am/gmm_internal.h"
#include "base/arr.h"
#include "base/mem.h"

enum { RING = 64 + SNI_GMM_BLOCK };

/* From frame t on, position = audio + (frame - t). */
typedef struct gap {
  int64_t t, audio;
} gap;

typedef struct scorer {
  sn_scorer base;
  const sni_gmm *g;
  sn_feat_stream *feats; /* borrowed */
  double shift_s;
  sni_gmm_work work;
  sn_mat x;    /* [BLOCK x dim] */
  sn_mat ring; /* [RING x N] */
  int64_t n_scored, newest_asked;
  SN_ARR(gap) gaps;
  const sn_transform *transform; /* borrowed; NULL: none */
  sn_mat y;                      /* [BLOCK x dim] transformed; with transform */
  bool keeps;
  sn_arr_f32 kept; /* frames as they came, where keeps */
} scorer;

static scorer *of(sn_scorer *s) { return (scorer *)(void *)s; }
static const scorer *of_const(const sn_scorer *s) {
  return (const scorer *)(const void *)s;
}

static int64_t n_frames_ready(const sn_scorer *base) {
  const scorer *const s = of_const(base);
  return s->n_scored + (int64_t)sn_feat_stream_ready(s->feats);
}

static bool finished(const sn_scorer *base) {
  return sn_feat_stream_finished(of_const(base)->feats);
}

static int64_t audio_of(const scorer *s, int64_t t) {
  size_t lo = 0, hi = s->gaps.n; /* the last gap with gap.t <= t */
  while (hi - lo > 1) {
    const size_t mid = lo + (hi - lo) / 2;
    if (s->gaps.data[mid].t <= t)
      lo = mid;
    else
      hi = mid;
  }
  if (s->gaps.n == 0) return t;
  return s->gaps.data[lo].audio + (t - s->gaps.data[lo].t);
}

static sn_status keep(scorer *s, size_t n, sn_err *err) {
  const size_t dim = s->g->dim;
  SN_TRY(SN_ARR_RESERVE(&s->kept, s->kept.n + n * dim, err));
  for (size_t i = 0; i < n; i++, s->kept.n += dim)
    memcpy(s->kept.data + s->kept.n, sn_mat_row(s->x, i), dim * sizeof(float));
  return SN_OK;
}

/* Scores the next block. */
static sn_status advance(scorer *s, sn_err *err) {
  const size_t at = (size_t)(s->n_scored % RING);
  const size_t room = RING - at < SNI_GMM_BLOCK ? RING - at : SNI_GMM_BLOCK;
  int64_t positions[SNI_GMM_BLOCK];
  size_t n = 0;
  SN_TRY(SN_ARR_RESERVE(&s->gaps, s->gaps.n + SNI_GMM_BLOCK, err));
  SN_TRY(sn_feat_stream_pull(s->feats, sn_mat_rows(s->x, 0, room), positions,
                             &n, err));
  if (n == 0)
    return sn_fail(err, SN_EARG, "scoring: frame %lld is not ready yet",
                   (long long)s->n_scored);
  if (s->keeps) SN_TRY(keep(s, n, err));
  sn_mat x = sn_mat_rows(s->x, 0, n);
  if (s->transform != NULL) {
    SN_TRY(sn_transform_apply(s->transform, sn_mat_const(x),
                              sn_mat_rows(s->y, 0, n), err));
    x = sn_mat_rows(s->y, 0, n);
  }
  sni_gmm_score(s->g, &s->work, sn_mat_const(x), sn_mat_rows(s->ring, at, n));
  for (size_t i = 0; i < n; i++) {
    const int64_t t = s->n_scored + (int64_t)i;
    if (s->gaps.n == 0 || audio_of(s, t) != positions[i])
      s->gaps.data[s->gaps.n++] = (gap){t, positions[i]};
  }
  s->n_scored += (int64_t)n;
  return SN_OK;
}

static sn_status scores(sn_scorer *base, int64_t t, const float **row,
                        sn_err *err) {
  scorer *const s = of(base);
  *row = NULL;
  if (t < 0 || t + RING < s->n_scored)
    return sn_fail(err, SN_EARG,
                   "scoring: frame %lld was asked for after frame %lld; the "
                   "last 64 are kept",
                   (long long)t, (long long)s->newest_asked);
  while (t >= s->n_scored) SN_TRY(advance(s, err));
  if (t > s->newest_asked) s->newest_asked = t;
  *row = sn_mat_row(s->ring, (size_t)(t % RING));
  return SN_OK;
}

static void frame_time(const sn_scorer *base, int64_t t, double *begin_s,
                       double *end_s) {
  const scorer *const s = of_const(base);
  const int64_t audio = audio_of(s, t);
  *begin_s = (double)audio * s->shift_s;
  *end_s = (double)(audio + 1) * s->shift_s;
}

static void destroy(sn_scorer *base) {
  if (base == NULL) return;
  scorer *const s = of(base);
  sni_gmm_work_clear(&s->work);
  sn_mat_free(&s->x);
  sn_mat_free(&s->ring);
  sn_mat_free(&s->y);
  SN_ARR_FREE(&s->kept);
  SN_ARR_FREE(&s->gaps);
  sn_free(s);
}

static const sn_scorer_ops ops = {n_frames_ready, finished, scores, frame_time,
                                  destroy};

sn_status sn_am_scorer_create(const sn_am *am, sn_feat_stream *feats,
                              sn_scorer **out, sn_err *err) {
  const sni_gmm *const g = sni_am_gmm(am);
  *out = NULL;
  scorer *const s = sn_calloc(1, sizeof *s);
  if (s == NULL) return sn_fail_nomem(err, "acoustic scorer");
  s->base.ops = &ops;
  s->base.n_pdfs = sn_am_n_pdfs(am);
  s->g = g;
  s->feats = feats;
  s->shift_s = sni_am_frame_shift_s(am);
  s->newest_asked = -1;
  sn_status st = sni_gmm_work_init(g, &s->work, err);
  if (st == SN_OK) st = sn_mat_alloc(SNI_GMM_BLOCK, g->dim, &s->x, err);
  if (st == SN_OK) st = sn_mat_alloc(RING, g->n_pdfs, &s->ring, err);
  if (st != SN_OK) {
    destroy(&s->base);
    return st;
  }
  *out = &s->base;
  return SN_OK;
}

void sn_am_scorer_reset(sn_scorer *base) {
  SN_ASSERT(base->ops == &ops);
  scorer *const s = of(base);
  s->n_scored = 0;
  s->newest_asked = -1;
  s->gaps.n = 0;
  s->kept.n = 0;
}

sn_status sn_am_scorer_set_transform(sn_scorer *base, const sn_transform *t,
                                     sn_err *err) {
  SN_ASSERT(base->ops == &ops);
  scorer *const s = of(base);
  SN_ASSERT(s->n_scored == 0);
  if (t != NULL) {
    SN_TRY(sn_transform_check(t, s->g->dim, err));
    if (sn_transform_out_dim(t) != s->g->dim)
      return sn_fail(err, SN_EMISMATCH,
                     "scoring: a transform to %zu dimensions, the model has "
                     "%zu",
                     sn_transform_out_dim(t), s->g->dim);
    if (s->y.data == NULL)
      SN_TRY(sn_mat_alloc(SNI_GMM_BLOCK, s->g->dim, &s->y, err));
  }
  s->transform = t;
  return SN_OK;
}

void sn_am_scorer_keep(sn_scorer *base, bool keeps) {
  SN_ASSERT(base->ops == &ops);
  of(base)->keeps = keeps;
}

sn_cmat sn_am_scorer_kept(const sn_scorer *base) {
  SN_ASSERT(base->ops == &ops);
  const scorer *const s = of_const(base);
  const size_t dim = s->g->dim;
  const sn_cmat kept = {s->kept.data, s->kept.n / dim, dim, dim};
  return kept;
}
