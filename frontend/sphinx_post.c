/* SPDX-License-Identifier: Apache-2.0 */
/* Cepstra to features as PocketSphinx makes them.
 *
 * Frames wait in a queue; feature t is computed when it is pulled, from the
 * frames t - win .. t + win, the first and the last frame standing for those
 * beyond the ends (frames that silence removal dropped are not missed: the
 * neighbours in the queue are the neighbours). Frames are dropped when the
 * window has passed them.
 *
 *   type       win  feature
 *   1s_c        0   c
 *   1s_c_d      2   c, d             d  = c(t+2) - c(t-2)
 *   1s_c_d_dd   3   c, d, dd         dd = d(t+1) - d(t-1)
 *   s3_1x39     3   c1.., d1.., c0 d0 dd0, dd1..
 *   s2_4x       4   c1.. | d1.., c1..(t+4) - c1..(t-4) | c0 d0 dd0 | dd1..
 *   "n,m:w"     w   streams of n, m, ... components, 2w + 1 frames each
 *
 * Batch mean subtraction waits for the whole utterance. The mean is that of
 * the frames whose c0 is not negative (those of digital silence are). Live
 * subtraction starts with cmninit; the mean is computed anew when 800 frames
 * have been seen (then they count for 500) and at the end of each utterance.
 *
 * Source: sphinxbase 0.8+5prealpha feat/feat.c, cmn.c, cmn_live.c, agc.c;
 * pocketsphinx acmod.c (cmninit). Deviates: live subtraction looks at every
 * frame whether 800 are reached (sphinxbase: after every call), and also
 * subtracts from frames of negative c0; an utterance without a frame of c0 >= 0
 * keeps its frames (sphinxbase: NaN). */
#include "frontend/sphinx_post_internal.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "frontend/frame_queue_internal.h"

enum {
  live_window = 500, /* cmn.h: CMN_WIN */
  live_high = 800,   /* CMN_WIN_HWM */
  live_frames = 128,
  max_win = 16,
  max_streams = 16
};

typedef enum kind { K_C, K_C_D, K_C_D_DD, K_S3_1X39, K_S2_4X, K_LIST } kind;

struct sni_sphinx_type {
  kind kind;
  size_t in_dim, win, wide_dim; /* wide: before the transform */
  size_t n_streams, stream[max_streams];
  sni_sphinx_cmn cmn; /* none, batch or live */
  sni_sphinx_agc agc;
  double agc_threshold;
  bool varnorm;
  float *init; /* [in_dim] */
  sn_mat lda;  /* [out x wide_dim]; data NULL: none */
};

struct sni_sphinx_post {
  const sni_sphinx_type *type;
  bool batch, live, finished;
  sni_frame_queue cep;
  int64_t n_in, n_out; /* frames pushed, features pulled */
  int64_t first;       /* number of the oldest frame in cep */
  double *sum;         /* [in_dim] live: since the last shift */
  double n_sum;
  float *mean;  /* [in_dim] what is being subtracted */
  float *scale; /* [in_dim] inverse deviations */
  float *wide;  /* [wide_dim] */
};

/* ---- Types ---- */

/* "13", "12,12:1": component counts of streams, frames of context. */
static sn_status parse_list(const char *text, sni_sphinx_type *t, sn_err *err) {
  sn_span rest = sn_span_of(text), field, list;
  int32_t win = 0;
  bool ok = sn_next_field_sep(&rest, ':', &list);
  if (ok && rest.n > 0) ok = sn_parse_int32(rest, &win);
  if (!ok || win < 0 || win > max_win) goto bad;
  size_t sum = 0;
  while (sn_next_field_sep(&list, ',', &field)) {
    int32_t n;
    if (!sn_parse_int32(field, &n) || n < 1 || n > 4096 ||
        t->n_streams == max_streams)
      goto bad;
    t->stream[t->n_streams++] = (size_t)n;
    sum += (size_t)n;
  }
  if (sum != t->in_dim)
    return sn_fail(err, SN_EARG,
                   "feat '%s' is for base frames of %zu components, these have "
                   "%zu",
                   text, sum, t->in_dim);
  t->kind = K_LIST;
  t->win = (size_t)win;
  t->wide_dim = sum * (2 * t->win + 1);
  return SN_OK;
bad:
  return sn_fail(err, SN_EARG,
                 "feat '%s' is none of 1s_c_d_dd, 1s_c_d, 1s_c, s2_4x, "
                 "s3_1x39, nor a list of stream widths such as '13' or "
                 "'12,1:2'",
                 text);
}

static sn_status set_kind(const char *name, sni_sphinx_type *t, sn_err *err) {
  static const struct {
    const char *name;
    kind kind;
    size_t win, times; /* dimension is times * in_dim */
  } kinds[] = {{"1s_c", K_C, 0, 1},           {"cep", K_C, 0, 1},
               {"1s_c_d", K_C_D, 2, 2},       {"cep_dcep", K_C_D, 2, 2},
               {"1s_c_d_dd", K_C_D_DD, 3, 3}, {"s3_1x39", K_S3_1X39, 3, 3},
               {"s2_4x", K_S2_4X, 4, 0}};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (strcmp(name, kinds[i].name) != 0) continue;
    t->kind = kinds[i].kind;
    t->win = kinds[i].win;
    t->wide_dim = kinds[i].times * t->in_dim;
    if (t->kind == K_S2_4X) t->wide_dim = 51;
    if ((t->kind == K_S2_4X || t->kind == K_S3_1X39) && t->in_dim != 13)
      return sn_fail(err, SN_EARG,
                     "feat %s needs base frames of 13 components, these have "
                     "%zu: set ncep to 13",
                     name, t->in_dim);
    return SN_OK;
  }
  return parse_list(name, t, err);
}

static sn_status set_init(const char *text, sni_sphinx_type *t, sn_err *err) {
  sn_span rest = sn_span_of(text), field;
  for (size_t i = 0; sn_next_field_sep(&rest, ',', &field); i++) {
    double v;
    field = sn_span_trim(field);
    if (i == 0 && field.n == 0 && rest.n == 0) break;
    if (!sn_parse_double(field, &v) || !isfinite(v) || fabs(v) > 1e30)
      return sn_fail(err, SN_EARG, "cmninit '%s': '%.*s' is not a number", text,
                     (int)field.n, field.p);
    if (i < t->in_dim) t->init[i] = (float)v; /* more are ignored, as there */
  }
  return SN_OK;
}

static sn_status load_lda(const sni_sphinx_opts *o, sni_sphinx_type *t,
                          sn_err *err) {
  if (t->kind == K_S2_4X || t->n_streams > 1)
    return sn_fail(err, SN_EARG,
                   "lda cannot be had with feat %s: it has "
                   "several streams",
                   o->feat);
  sn_reader *r;
  SN_TRY(sn_reader_open(o->lda, &r, err));
  sn_status s = sni_sphinx_lda_read(r, &t->lda, err);
  sn_reader_destroy(r);
  if (s != SN_OK) return s;
  if (t->lda.cols != t->wide_dim)
    return sn_fail(err, SN_EMISMATCH,
                   "lda '%s' takes %zu components, feat %s has %zu", o->lda,
                   t->lda.cols, o->feat, t->wide_dim);
  if (o->ldadim > 0 && (size_t)o->ldadim < t->lda.rows)
    t->lda.rows = (size_t)o->ldadim;
  return SN_OK;
}

static sn_status set_normalisation(const sni_sphinx_opts *o, sni_sphinx_type *t,
                                   sn_err *err) {
  t->cmn = o->cmn == SNI_SPHINX_CMN_CURRENT ? SNI_SPHINX_CMN_BATCH
           : o->cmn == SNI_SPHINX_CMN_PRIOR ? SNI_SPHINX_CMN_LIVE
                                            : (sni_sphinx_cmn)o->cmn;
  t->agc = (sni_sphinx_agc)o->agc;
  t->agc_threshold = (double)o->agcthresh;
  t->varnorm = o->varnorm;
  if (t->agc == SNI_SPHINX_AGC_EMAX)
    return sn_fail(err, SN_EARG,
                   "agc emax is not supported: use none, max or noise");
  return SN_OK;
}

sn_status sni_sphinx_type_create(const sni_sphinx_opts *o, size_t dim,
                                 sni_sphinx_type **out, sn_err *err) {
  *out = NULL;
  if ((size_t)o->ceplen != dim)
    return sn_fail(err, SN_EARG,
                   "ceplen is %d, but base frames have %zu components: set "
                   "ceplen to %zu",
                   (int)o->ceplen, dim, dim);
  sni_sphinx_type *t = sn_calloc(1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "feature type");
  t->in_dim = dim;
  sn_status s;
  t->init = sn_calloc(dim, sizeof *t->init);
  if (t->init == NULL) {
    s = sn_fail_nomem(err, "feature type");
    goto fail;
  }
  SN_TRY_GOTO(s, set_kind(o->feat, t, err));
  SN_TRY_GOTO(s, set_normalisation(o, t, err));
  SN_TRY_GOTO(s, set_init(o->cmninit, t, err));
  if (o->lda[0] != '\0') SN_TRY_GOTO(s, load_lda(o, t, err));
  *out = t;
  return SN_OK;
fail:
  sni_sphinx_type_destroy(t);
  return s;
}

void sni_sphinx_type_destroy(sni_sphinx_type *t) {
  if (t == NULL) return;
  sn_free(t->init);
  sn_mat_free(&t->lda);
  sn_free(t);
}

size_t sni_sphinx_type_dim(const sni_sphinx_type *t) {
  return t->lda.data != NULL ? t->lda.rows : t->wide_dim;
}

/* ---- Streams ---- */

sn_status sni_sphinx_post_create(const sni_sphinx_type *t, sn_cmn_mode mode,
                                 sni_sphinx_post **out, sn_err *err) {
  *out = NULL;
  bool batch = t->cmn == SNI_SPHINX_CMN_BATCH;
  bool live = t->cmn == SNI_SPHINX_CMN_LIVE;
  if ((batch || live) && mode != SN_CMN_DEFAULT) {
    batch = mode == SN_CMN_BATCH;
    live = !batch;
  }
  if (mode == SN_CMN_LIVE && t->agc != SNI_SPHINX_AGC_NONE)
    return sn_fail(err, SN_EARG,
                   "agc needs the whole utterance: it cannot be had live");
  if (live && t->varnorm)
    return sn_fail(err, SN_EARG,
                   "varnorm needs cmn batch: variances cannot be had live");
  sni_sphinx_post *p = sn_calloc(1, sizeof *p);
  if (p == NULL) return sn_fail_nomem(err, "feature stream");
  p->type = t;
  p->live = live;
  p->batch = batch || t->agc != SNI_SPHINX_AGC_NONE;
  p->cep.dim = t->in_dim;
  p->sum = sn_calloc(t->in_dim, sizeof *p->sum);
  p->mean = sn_calloc(t->in_dim, sizeof *p->mean);
  p->scale = sn_calloc(t->in_dim, sizeof *p->scale);
  p->wide = sn_calloc(t->wide_dim, sizeof *p->wide);
  sn_status s = SN_OK;
  if (p->sum == NULL || p->mean == NULL || p->scale == NULL || p->wide == NULL)
    s = sn_fail_nomem(err, "feature stream");
  /* enough for a live stream that is pulled from now and then */
  if (s == SN_OK) s = sni_frame_queue_reserve(&p->cep, live_frames, err);
  if (s != SN_OK) {
    sni_sphinx_post_destroy(p);
    return s;
  }
  sni_sphinx_post_reset(p, false);
  *out = p;
  return SN_OK;
}

void sni_sphinx_post_destroy(sni_sphinx_post *p) {
  if (p == NULL) return;
  sni_frame_queue_clear(&p->cep);
  sn_free(p->sum);
  sn_free(p->mean);
  sn_free(p->scale);
  sn_free(p->wide);
  sn_free(p);
}

void sni_sphinx_post_reset(sni_sphinx_post *p, bool keep_cmn) {
  const size_t dim = p->type->in_dim;
  sni_frame_queue_pop(&p->cep, p->cep.n);
  p->n_in = p->n_out = p->first = 0;
  p->finished = false;
  if (!p->live || keep_cmn) return;
  memcpy(p->mean, p->type->init, dim * sizeof *p->mean);
  for (size_t d = 0; d < dim; d++) p->sum[d] = 0;
  p->n_sum = 0;
}

/* The mean from what was summed; beyond the limit it counts for less. */
static void live_update(sni_sphinx_post *p) {
  if (p->n_sum <= 0) return;
  const size_t dim = p->type->in_dim;
  for (size_t d = 0; d < dim; d++) p->mean[d] = (float)(p->sum[d] / p->n_sum);
  if (p->n_sum <= live_high) return;
  for (size_t d = 0; d < dim; d++) p->sum[d] *= live_window / p->n_sum;
  p->n_sum = live_window;
}

static void live_subtract(sni_sphinx_post *p, float *frame) {
  const size_t dim = p->type->in_dim;
  const bool counts = frame[0] >= 0.0f;
  for (size_t d = 0; d < dim; d++) {
    if (counts) p->sum[d] += (double)frame[d];
    frame[d] -= p->mean[d];
  }
  if (!counts) return;
  p->n_sum += 1;
  if (p->n_sum > live_high) live_update(p);
}

sn_status sni_sphinx_post_push(sni_sphinx_post *p, const float *frame,
                               int64_t position, sn_err *err) {
  SN_ASSERT(!p->finished);
  SN_TRY(sni_frame_queue_reserve(&p->cep, 1, err));
  float *to = sni_frame_queue_push(&p->cep, position);
  memcpy(to, frame, p->type->in_dim * sizeof *to);
  if (p->live) live_subtract(p, to);
  p->n_in++;
  return SN_OK;
}

static void batch_mean(sni_sphinx_post *p) {
  const size_t dim = p->type->in_dim;
  double n = 0;
  for (size_t d = 0; d < dim; d++) p->sum[d] = 0;
  for (size_t i = 0; i < p->cep.n; i++) {
    const float *frame = sni_frame_queue_at(&p->cep, i);
    if (frame[0] < 0.0f) continue;
    for (size_t d = 0; d < dim; d++) p->sum[d] += (double)frame[d];
    n += 1;
  }
  for (size_t d = 0; d < dim; d++)
    p->mean[d] = n > 0 ? (float)(p->sum[d] / n) : 0.0f;
}

static void batch_scale(sni_sphinx_post *p) {
  const size_t dim = p->type->in_dim;
  double n = 0;
  for (size_t d = 0; d < dim; d++) p->sum[d] = 0;
  for (size_t i = 0; i < p->cep.n; i++) {
    const float *frame = sni_frame_queue_at(&p->cep, i);
    for (size_t d = 0; d < dim; d++) {
      const double x = (double)frame[d] - (double)p->mean[d];
      p->sum[d] += x * x;
    }
    n += 1;
  }
  for (size_t d = 0; d < dim; d++)
    p->scale[d] = p->sum[d] > 0 ? (float)sqrt(n / p->sum[d]) : 1.0f;
}

/* What agc subtracts from every c0. */
static double gain(const sni_sphinx_post *p) {
  double most = -HUGE_VAL, least = HUGE_VAL;
  for (size_t i = 0; i < p->cep.n; i++) {
    const double c0 = (double)sni_frame_queue_at(&p->cep, i)[0];
    most = fmax(most, c0);
    least = fmin(least, c0);
  }
  if (p->type->agc == SNI_SPHINX_AGC_MAX) return most;
  double sum = 0, n = 0; /* agc noise: the mean of the quietest frames */
  for (size_t i = 0; i < p->cep.n; i++) {
    const double c0 = (double)sni_frame_queue_at(&p->cep, i)[0];
    if (c0 >= least + p->type->agc_threshold) continue;
    sum += c0;
    n += 1;
  }
  return n > 0 ? sum / n : 0;
}

void sni_sphinx_post_finish(sni_sphinx_post *p) {
  const sni_sphinx_type *t = p->type;
  p->finished = true;
  if (p->live) live_update(p);
  if (!p->batch || p->cep.n == 0) return;
  if (t->cmn != SNI_SPHINX_CMN_NONE && !p->live) {
    batch_mean(p);
    if (t->varnorm) batch_scale(p);
    for (size_t i = 0; i < p->cep.n; i++) {
      float *frame = sni_frame_queue_at(&p->cep, i);
      for (size_t d = 0; d < t->in_dim; d++) {
        frame[d] -= p->mean[d];
        if (t->varnorm) frame[d] *= p->scale[d];
      }
    }
  }
  if (t->agc == SNI_SPHINX_AGC_NONE) return;
  const float subtract = (float)gain(p);
  for (size_t i = 0; i < p->cep.n; i++)
    sni_frame_queue_at(&p->cep, i)[0] -= subtract;
}

size_t sni_sphinx_post_n_ready(const sni_sphinx_post *p) {
  if (p->finished) return (size_t)(p->n_in - p->n_out);
  const int64_t n = p->n_in - p->n_out - (int64_t)p->type->win;
  return p->batch || n < 0 ? 0 : (size_t)n;
}

/* Frame n_out + offset, or the nearest there is. */
static const float *frame_at(const sni_sphinx_post *p, int64_t offset) {
  int64_t t = p->n_out + offset;
  if (t < 0) t = 0;
  if (t >= p->n_in) t = p->n_in - 1;
  return sni_frame_queue_at(&p->cep, (size_t)(t - p->first));
}

/* to[i] = (t+a)[i] - (t-a)[i] */
static float *add_delta(const sni_sphinx_post *p, int64_t a, size_t from,
                        size_t n, float *to) {
  const float *after = frame_at(p, a) + from, *before = frame_at(p, -a) + from;
  for (size_t i = 0; i < n; i++) to[i] = after[i] - before[i];
  return to + n;
}

static float *add_frame(const sni_sphinx_post *p, int64_t offset, size_t from,
                        size_t n, float *to) {
  memcpy(to, frame_at(p, offset) + from, n * sizeof *to);
  return to + n;
}

static float *add_delta_delta(const sni_sphinx_post *p, size_t from, size_t n,
                              float *to) {
  const float *a3 = frame_at(p, 3) + from, *b1 = frame_at(p, -1) + from;
  const float *a1 = frame_at(p, 1) + from, *b3 = frame_at(p, -3) + from;
  for (size_t i = 0; i < n; i++) to[i] = (a3[i] - b1[i]) - (a1[i] - b3[i]);
  return to + n;
}

static void add_list(const sni_sphinx_post *p, float *to) {
  const int64_t win = (int64_t)p->type->win;
  size_t from = 0;
  for (size_t s = 0; s < p->type->n_streams; s++) {
    for (int64_t k = -win; k <= win; k++)
      to = add_frame(p, k, from, p->type->stream[s], to);
    from += p->type->stream[s];
  }
}

/* The feature of frame n_out. */
static void compute(const sni_sphinx_post *p, float *to) {
  const size_t n = p->type->in_dim;
  switch (p->type->kind) {
    case K_LIST:
      add_list(p, to);
      return;
    case K_S3_1X39:
      to = add_frame(p, 0, 1, 12, to);
      to = add_delta(p, 2, 1, 12, to);
      to = add_frame(p, 0, 0, 1, to);
      to = add_delta(p, 2, 0, 1, to);
      to = add_delta_delta(p, 0, 1, to);
      (void)add_delta_delta(p, 1, 12, to);
      return;
    case K_S2_4X:
      to = add_frame(p, 0, 1, 12, to);
      to = add_delta(p, 2, 1, 12, to);
      to = add_delta(p, 4, 1, 12, to);
      to = add_frame(p, 0, 0, 1, to);
      to = add_delta(p, 2, 0, 1, to);
      to = add_delta_delta(p, 0, 1, to);
      (void)add_delta_delta(p, 1, 12, to);
      return;
    default:
      to = add_frame(p, 0, 0, n, to);
      if (p->type->kind == K_C) return;
      to = add_delta(p, 2, 0, n, to);
      if (p->type->kind == K_C_D) return;
      (void)add_delta_delta(p, 0, n, to);
  }
}

void sni_sphinx_post_pull(sni_sphinx_post *p, float *feature,
                          int64_t *position) {
  SN_ASSERT(sni_sphinx_post_n_ready(p) > 0);
  const sn_mat lda = p->type->lda;
  if (position != NULL)
    *position = p->cep.pos[p->cep.first + (size_t)(p->n_out - p->first)];
  compute(p, lda.data != NULL ? p->wide : feature);
  if (lda.data != NULL)
    for (size_t r = 0; r < lda.rows; r++) {
      const float *row = sn_mat_row(lda, r);
      float sum = 0;
      for (size_t c = 0; c < lda.cols; c++) sum += row[c] * p->wide[c];
      feature[r] = sum;
    }
  p->n_out++;
  while (p->first < p->n_out - (int64_t)p->type->win) {
    sni_frame_queue_pop(&p->cep, 1);
    p->first++;
  }
}
