/* SPDX-License-Identifier: Apache-2.0 */
/* Stages that frames go through, and the whole-matrix forms made of them.
 *
 * A stage keeps the input frames that later outputs still need, numbers them
 * from 0 in the order of arrival (`base` is the number of the oldest kept), and
 * makes output t when it is pulled. Which inputs output t needs is all that
 * the kinds differ in:
 *
 *   deltas, splice   t - left .. t + right, ends repeated
 *   sliding          the window of window_of(), summed incrementally
 *   utterance        t, and a mean that is known at finish
 *   fixed, transform t
 *
 * Frames are few and small (100 a second of 13 to 500 floats), so each stage
 * copies its input once and nothing is shared between stages. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "frontend/frame_queue_internal.h"
#include "frontend/postproc_internal.h"

typedef enum pp_kind {
  PP_DELTAS,
  PP_SPLICE,
  PP_SLIDING,
  PP_UTTERANCE,
  PP_FIXED,
  PP_TRANSFORM
} pp_kind;

struct sn_pp {
  pp_kind kind;
  size_t in_dim, out_dim;
  sni_frame_queue q; /* inputs base .. n_in - 1 */
  int64_t base, n_in, n_out;
  bool finished;

  int64_t left, right; /* deltas, splice */
  int32_t order;       /* deltas */
  float *scales;       /* deltas: weights of order 1, then 2, ...: */
                       /* order i has 2 * i * window + 1 of them */
  sn_sliding_opts sliding;
  int64_t begin, end; /* sliding: frames that sum and sumsq hold */
  double *sum, *sumsq;
  sn_cmvn_opts cmvn;
  sn_cmvn_stats *stats;   /* utterance */
  double *offset, *scale; /* utterance, fixed: [in_dim] each */
  const sn_transform *transform;
};

const sn_sliding_opts sn_sliding_defaults = {600, 100, false, false};

/* ---- Making and ending ---- */

static sn_status create(pp_kind kind, size_t in_dim, size_t out_dim,
                        sn_pp **out, sn_err *err) {
  SN_ASSERT(in_dim > 0 && out_dim > 0);
  *out = sn_calloc(1, sizeof **out);
  if (*out == NULL) return sn_fail_nomem(err, "feature stage");
  (*out)->kind = kind;
  (*out)->in_dim = in_dim;
  (*out)->out_dim = out_dim;
  (*out)->q.dim = in_dim;
  return SN_OK;
}

/* Two arrays of in_dim doubles, or NULLs and the stage destroyed. */
static sn_status add_doubles(sn_pp **p, double **a, double **b, sn_err *err) {
  *a = sn_calloc((*p)->in_dim, sizeof **a);
  *b = sn_calloc((*p)->in_dim, sizeof **b);
  if (*a != NULL && *b != NULL) return SN_OK;
  sn_pp_destroy(*p);
  *p = NULL;
  return sn_fail_nomem(err, "feature stage");
}

void sn_pp_destroy(sn_pp *p) {
  if (p == NULL) return;
  sni_frame_queue_clear(&p->q);
  sn_free(p->scales);
  sn_free(p->sum);
  sn_free(p->sumsq);
  sn_cmvn_stats_destroy(p->stats);
  sn_free(p->offset);
  sn_free(p->scale);
  sn_free(p);
}

/* Weights of order i are those of order i - 1 folded with the regression
 * j / sum(j^2), j = -window .. window. */
static void fill_scales(float *scales, int32_t order, int32_t window) {
  double norm = 0.0;
  for (int32_t j = -window; j <= window; j++) norm += (double)j * (double)j;
  const float one = 1.0f;
  const float *prev = &one;
  size_t n_prev = 1;
  for (int32_t i = 1; i <= order; i++) {
    const size_t n = n_prev + 2 * (size_t)window;
    for (size_t k = 0; k < n; k++) {
      double sum = 0.0; /* of prev[m] * j with m + (j + window) == k */
      for (size_t m = 0; m < n_prev; m++) {
        if (k < m || k - m > 2 * (size_t)window) continue;
        const double j = (double)(k - m) - (double)window;
        sum += j * (double)prev[m];
      }
      scales[k] = (float)(sum / norm);
    }
    prev = scales;
    n_prev = n;
    scales += n;
  }
}

sn_status sn_pp_deltas_create(size_t dim, int32_t order, int32_t window,
                              sn_pp **out, sn_err *err) {
  *out = NULL;
  if (order < 0 || order > SN_DELTA_MAX_ORDER || window < 1 ||
      window > SN_CONTEXT_MAX)
    return sn_fail(err, SN_EARG,
                   "deltas: delta-order %d must be 0 to %d and delta-window "
                   "%d 1 to %d",
                   order, SN_DELTA_MAX_ORDER, window, SN_CONTEXT_MAX);
  SN_TRY(create(PP_DELTAS, dim, dim * ((size_t)order + 1), out, err));
  sn_pp *const p = *out;
  p->order = order;
  p->left = p->right = (int64_t)order * window;
  const size_t n = (size_t)order, w = (size_t)window;
  p->scales = sn_calloc(n * (n + 1) * w + n + 1, sizeof *p->scales);
  if (p->scales == NULL) {
    sn_pp_destroy(p);
    *out = NULL;
    return sn_fail_nomem(err, "deltas");
  }
  fill_scales(p->scales, order, window);
  return SN_OK;
}

sn_status sn_pp_splice_create(size_t dim, int32_t left, int32_t right,
                              sn_pp **out, sn_err *err) {
  *out = NULL;
  if (left < 0 || right < 0 || left > SN_CONTEXT_MAX || right > SN_CONTEXT_MAX)
    return sn_fail(err, SN_EARG,
                   "splicing: left-context %d and right-context %d must be 0 "
                   "to %d",
                   left, right, SN_CONTEXT_MAX);
  SN_TRY(create(PP_SPLICE, dim, dim * (size_t)(left + 1 + right), out, err));
  (*out)->left = left;
  (*out)->right = right;
  return SN_OK;
}

sn_status sn_pp_sliding_create(size_t dim, const sn_sliding_opts *opts,
                               sn_pp **out, sn_err *err) {
  *out = NULL;
  const int32_t max = 1000000;
  if (opts->window < 1 || opts->window > max || opts->min_window < 1 ||
      opts->min_window > max)
    return sn_fail(err, SN_EARG,
                   "sliding CMVN: cmn-window %d and min-cmn-window %d must be "
                   "1 to %d frames",
                   opts->window, opts->min_window, max);
  SN_TRY(create(PP_SLIDING, dim, dim, out, err));
  (*out)->sliding = *opts;
  return add_doubles(out, &(*out)->sum, &(*out)->sumsq, err);
}

sn_status sn_pp_utterance_create(size_t dim, sn_cmvn_opts opts, sn_pp **out,
                                 sn_err *err) {
  *out = NULL;
  SN_TRY(sni_cmvn_check(opts, err));
  SN_TRY(create(PP_UTTERANCE, dim, dim, out, err));
  (*out)->cmvn = opts;
  SN_TRY(add_doubles(out, &(*out)->offset, &(*out)->scale, err));
  const sn_status s = sn_cmvn_stats_create(dim, &(*out)->stats, err);
  if (s != SN_OK) {
    sn_pp_destroy(*out);
    *out = NULL;
  }
  return s;
}

sn_status sn_pp_fixed_create(const sn_cmvn_stats *stats, sn_cmvn_opts opts,
                             sn_pp **out, sn_err *err) {
  *out = NULL;
  SN_TRY(sni_cmvn_check_stats(stats, stats->dim, opts, err));
  SN_TRY(create(PP_FIXED, stats->dim, stats->dim, out, err));
  SN_TRY(add_doubles(out, &(*out)->offset, &(*out)->scale, err));
  sni_cmvn_norm(stats, opts, (*out)->offset, (*out)->scale);
  return SN_OK;
}

sn_status sn_pp_transform_create(const sn_transform *t, size_t dim, sn_pp **out,
                                 sn_err *err) {
  *out = NULL;
  SN_TRY(sn_transform_check(t, dim, err));
  SN_TRY(create(PP_TRANSFORM, dim, sn_transform_out_dim(t), out, err));
  (*out)->transform = t;
  return SN_OK;
}

size_t sn_pp_in_dim(const sn_pp *p) { return p->in_dim; }
size_t sn_pp_out_dim(const sn_pp *p) { return p->out_dim; }

void sn_pp_reset(sn_pp *p) {
  sni_frame_queue_pop(&p->q, p->q.n);
  p->base = p->n_in = p->n_out = 0;
  p->finished = false;
  p->begin = p->end = 0;
  if (p->stats != NULL) sn_cmvn_stats_reset(p->stats);
  if (p->sum == NULL) return;
  memset(p->sum, 0, p->in_dim * sizeof *p->sum);
  memset(p->sumsq, 0, p->in_dim * sizeof *p->sumsq);
}

/* ---- Frames in ---- */

sn_status sn_pp_push(sn_pp *p, const float *frame, int64_t position,
                     sn_err *err) {
  SN_ASSERT(!p->finished);
  SN_TRY(sni_frame_queue_reserve(&p->q, 1, err));
  memcpy(sni_frame_queue_push(&p->q, position), frame,
         p->in_dim * sizeof *frame);
  p->n_in++;
  if (p->stats != NULL) sn_cmvn_stats_add_frame(p->stats, frame);
  return SN_OK;
}

void sn_pp_finish(sn_pp *p) {
  p->finished = true;
  if (p->kind == PP_UTTERANCE && p->n_in > 0)
    sni_cmvn_norm(p->stats, p->cmvn, p->offset, p->scale);
}

/* Outputs that can be made of the inputs so far. */
static int64_t n_possible(const sn_pp *p) {
  if (p->finished) return p->n_in;
  switch (p->kind) {
    case PP_DELTAS:
    case PP_SPLICE:
      return p->n_in - p->right;
    case PP_SLIDING:
      if (p->sliding.center)
        return p->n_in < p->sliding.window
                   ? 0
                   : p->n_in - p->sliding.window + p->sliding.window / 2 + 1;
      return p->n_in < p->sliding.min_window ? 0 : p->n_in;
    case PP_UTTERANCE:
      return 0;
    case PP_FIXED:
    case PP_TRANSFORM:
      break;
  }
  return p->n_in;
}

size_t sn_pp_n_ready(const sn_pp *p) {
  const int64_t n = n_possible(p) - p->n_out;
  return n > 0 ? (size_t)n : 0;
}

/* ---- Frames out ---- */

/* Input i, the first and last one standing for those beyond. */
static const float *input(const sn_pp *p, int64_t i) {
  if (i < 0) i = 0;
  if (i >= p->n_in) i = p->n_in - 1;
  return sni_frame_queue_at(&p->q, (size_t)(i - p->base));
}

static void make_deltas(const sn_pp *p, int64_t t, float *out) {
  const size_t dim = p->in_dim;
  memcpy(out, input(p, t), dim * sizeof *out);
  const float *scale = p->scales;
  const int64_t window = p->order > 0 ? p->left / p->order : 0;
  for (int32_t i = 1; i <= p->order; i++) {
    float *const to = out + (size_t)i * dim;
    memset(to, 0, dim * sizeof *to);
    for (int64_t j = -i * window; j <= i * window; j++, scale++) {
      if (*scale == 0.0f) continue; /* the middle of odd orders */
      const float *const x = input(p, t + j);
      for (size_t d = 0; d < dim; d++) to[d] += *scale * x[d];
    }
  }
}

static void make_splice(const sn_pp *p, int64_t t, float *out) {
  for (int64_t i = t - p->left; i <= t + p->right; i++, out += p->in_dim)
    memcpy(out, input(p, i), p->in_dim * sizeof *out);
}

/* Frames *begin .. *end - 1 normalise frame t. Kaldi, feature-functions.cc,
 * SlidingWindowCmnInternal: without center the window is one frame longer than
 * --cmn-window says. */
static void window_of(const sn_pp *p, int64_t t, int64_t *begin, int64_t *end) {
  const int64_t w = p->sliding.window;
  if (p->sliding.center) {
    *begin = t - w / 2;
    *end = *begin + w;
    if (*begin < 0) {
      *begin = 0;
      *end = w;
    }
  } else {
    *begin = t - w < 0 ? 0 : t - w;
    *end = t + 1 > p->sliding.min_window ? t + 1 : p->sliding.min_window;
  }
  if (*end > p->n_in) { /* after finish only: else it would not be ready */
    *begin -= *end - p->n_in;
    if (*begin < 0) *begin = 0;
    *end = p->n_in;
  }
}

static void sum_frame(sn_pp *p, int64_t i, double sign) {
  const float *const x = input(p, i);
  for (size_t d = 0; d < p->in_dim; d++) {
    const double v = (double)x[d];
    p->sum[d] += sign * v;
    p->sumsq[d] += sign * v * v;
  }
}

static void make_sliding(sn_pp *p, int64_t t, float *out) {
  int64_t begin = 0, end = 0;
  window_of(p, t, &begin, &end);
  SN_ASSERT(begin >= p->begin && end >= p->end && end > begin);
  while (p->begin < begin) sum_frame(p, p->begin++, -1.0);
  while (p->end < end) sum_frame(p, p->end++, 1.0);
  const double n = (double)(end - begin);
  const float *const x = input(p, t);
  for (size_t d = 0; d < p->in_dim; d++) {
    const double mean = p->sum[d] / n;
    double y = (double)x[d] - mean;
    if (p->sliding.norm_vars) /* the floor is Kaldi's */
      y = end - begin == 1
              ? 0.0
              : y / sqrt(fmax(p->sumsq[d] / n - mean * mean, 1e-10));
    out[d] = (float)y;
  }
}

/* The oldest input that outputs from t on need. */
static int64_t oldest_needed(const sn_pp *p, int64_t t) {
  if (p->kind == PP_DELTAS || p->kind == PP_SPLICE) {
    /* The last input stands for those behind it. */
    const int64_t i = t - p->left;
    return i < 0 ? 0 : i;
  }
  if (p->kind == PP_SLIDING && p->begin < t) return p->begin;
  return t;
}

void sn_pp_pull(sn_pp *p, float *frame, int64_t *position) {
  SN_ASSERT(sn_pp_n_ready(p) > 0);
  const int64_t t = p->n_out;
  const size_t at = (size_t)(t - p->base);
  switch (p->kind) {
    case PP_DELTAS:
      make_deltas(p, t, frame);
      break;
    case PP_SPLICE:
      make_splice(p, t, frame);
      break;
    case PP_SLIDING:
      make_sliding(p, t, frame);
      break;
    case PP_UTTERANCE:
    case PP_FIXED:
      sni_cmvn_frame(p->offset, p->scale, p->in_dim, input(p, t), frame);
      break;
    case PP_TRANSFORM:
      sn_transform_frame(p->transform, input(p, t), p->in_dim, frame);
      break;
  }
  if (position != NULL) *position = p->q.pos[p->q.first + at];
  p->n_out++;
  const int64_t keep = oldest_needed(p, p->n_out);
  if (keep > p->base) {
    sni_frame_queue_pop(&p->q, (size_t)(keep - p->base));
    p->base = keep;
  }
}

sn_status sn_pp_pump(sn_pp *p, sn_pp *to, float *scratch, sn_err *err) {
  SN_ASSERT(p->out_dim == to->in_dim);
  for (size_t n = sn_pp_n_ready(p); n > 0; n--) {
    int64_t position = 0;
    sn_pp_pull(p, scratch, &position);
    SN_TRY(sn_pp_push(to, scratch, position, err));
  }
  return SN_OK;
}

/* ---- Whole matrices ---- */

static sn_status run(sn_pp *p, sn_cmat in, sn_mat out, sn_err *err) {
  SN_ASSERT(out.rows == in.rows && (in.rows == 0 || out.cols == p->out_dim));
  sn_status s = SN_OK;
  size_t done = 0;
  for (size_t t = 0; t < in.rows && s == SN_OK; t++) {
    s = sn_pp_push(p, sn_cmat_row(in, t), 0, err);
    if (t + 1 == in.rows) sn_pp_finish(p);
    while (sn_pp_n_ready(p) > 0) sn_pp_pull(p, sn_mat_row(out, done++), NULL);
  }
  sn_pp_destroy(p);
  return s;
}

sn_status sn_deltas(int32_t order, int32_t window, sn_cmat in, sn_mat out,
                    sn_err *err) {
  sn_pp *p = NULL;
  const size_t dim = in.cols > 0 ? in.cols : 1;
  SN_TRY(sn_pp_deltas_create(dim, order, window, &p, err));
  return run(p, in, out, err);
}

sn_status sn_splice(int32_t left, int32_t right, sn_cmat in, sn_mat out,
                    sn_err *err) {
  sn_pp *p = NULL;
  const size_t dim = in.cols > 0 ? in.cols : 1;
  SN_TRY(sn_pp_splice_create(dim, left, right, &p, err));
  return run(p, in, out, err);
}

sn_status sn_sliding_cmvn(const sn_sliding_opts *opts, sn_cmat in, sn_mat out,
                          sn_err *err) {
  sn_pp *p = NULL;
  const size_t dim = in.cols > 0 ? in.cols : 1;
  SN_TRY(sn_pp_sliding_create(dim, opts, &p, err));
  return run(p, in, out, err);
}
