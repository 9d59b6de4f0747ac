/* SPDX-License-Identifier: Apache-2.0 */
/* From correlation and Hz to pitch features.
 *
 *   voicing     (1.0001 - nccf)^0.15 - 1, made to be near to Gaussian
 *   log pitch   less its mean over -left .. +right frames, each weighted by a
 *               probability of voicing
 *   delta       of log pitch, by regression
 *
 * The weighted sums are carried from frame to frame, so a frame costs the same
 * whatever the window. Source: Ghahremani et al. 2014, section 4; the two
 * formulas of voicing are from Kaldi, feat/pitch-functions.cc. */
#include <math.h>
#include <string.h>

#include "frontend/kaldi_internal.h"

enum { POV, LOG_PITCH, FEATURE, N_IN }; /* columns of sni_pitch_post.in */

size_t sni_pitch_post_dim(const sni_kaldi_opts *o) {
  return (o->add_pov_feature ? 1u : 0u) +
         (o->add_normalized_log_pitch ? 1u : 0u) +
         (o->add_delta_pitch ? 1u : 0u) + (o->add_raw_log_pitch ? 1u : 0u);
}

void sni_pitch_post_init(const sni_kaldi_opts *o, sni_pitch_post *p) {
  *p = (sni_pitch_post){0};
  p->o = o;
  p->in.dim = N_IN;
  for (int32_t j = 1; j <= o->pitch_delta_window; j++)
    p->delta_norm += 2.0 * (double)j * (double)j;
  sni_pitch_post_reset(p);
}

void sni_pitch_post_clear(sni_pitch_post *p) { sni_frame_queue_clear(&p->in); }

void sni_pitch_post_reset(sni_pitch_post *p) {
  sni_frame_queue_pop(&p->in, p->in.n);
  p->base = p->n_in = p->n_done = p->begin = p->end = 0;
  p->sum_pov = p->sum_pov_log_pitch = 0.0;
  sn_rng_init(&p->rng, (uint64_t)p->o->dither_seed);
}

/* Probability of voicing: a logistic function of log odds fitted to the Keele
 * database. */
static double pov_of(double nccf) {
  const double n = fmin(fabs(nccf), 1.0);
  const double r = -5.2 + 5.4 * exp(7.5 * (n - 1.0)) + 4.8 * n -
                   2.0 * exp(-10.0 * n) + 4.2 * exp(20.0 * (n - 1.0));
  return 1.0 / (1.0 + exp(-r));
}

static double feature_of(double nccf) {
  return pow(1.0001 - fmax(-1.0, fmin(1.0, nccf)), 0.15) - 1.0;
}

/* Frame i, the first and last one standing for those beyond. */
static const float *input(const sni_pitch_post *p, int64_t i) {
  if (i < 0) i = 0;
  if (i >= p->n_in) i = p->n_in - 1;
  return sni_frame_queue_at(&p->in, (size_t)(i - p->base));
}

static void sum_frame(sni_pitch_post *p, int64_t i, double sign) {
  const float *const x = input(p, i);
  p->sum_pov += sign * (double)x[POV];
  p->sum_pov_log_pitch += sign * (double)x[POV] * (double)x[LOG_PITCH];
}

static double delta_at(const sni_pitch_post *p, int64_t t) {
  double sum = 0.0;
  for (int32_t j = 1; j <= p->o->pitch_delta_window; j++)
    sum += (double)j * ((double)input(p, t + j)[LOG_PITCH] -
                        (double)input(p, t - j)[LOG_PITCH]);
  return sum / p->delta_norm;
}

static void make(sni_pitch_post *p, int64_t t, float *out) {
  const sni_kaldi_opts *const o = p->o;
  const int64_t begin = t - o->normalization_left_context;
  int64_t end = t + o->normalization_right_context + 1;
  if (end > p->n_in) end = p->n_in;
  while (p->begin < begin) sum_frame(p, p->begin++, -1.0);
  while (p->end < end) sum_frame(p, p->end++, 1.0);
  const float *const x = input(p, t);
  const double log_pitch = (double)x[LOG_PITCH];
  if (o->add_pov_feature)
    *out++ = (float)(o->pov_scale * (double)x[FEATURE] + o->pov_offset);
  if (o->add_normalized_log_pitch)
    *out++ = (float)(o->pitch_scale *
                     (log_pitch - p->sum_pov_log_pitch / p->sum_pov));
  if (o->add_delta_pitch) {
    double delta = delta_at(p, t);
    if (o->delta_pitch_noise_stddev > 0.0)
      delta += o->delta_pitch_noise_stddev * sn_rng_gauss(&p->rng);
    *out++ = (float)(delta * o->delta_pitch_scale);
  }
  if (o->add_raw_log_pitch) *out++ = (float)log_pitch;
}

/* Makes the frames up to n, onto `to`. With delay the first one stands for
 * those that are not there yet. */
static sn_status make_until(sni_pitch_post *p, int64_t n, sni_frame_queue *to,
                            sn_err *err) {
  const sni_kaldi_opts *const o = p->o;
  for (; p->n_done < n; p->n_done++) {
    const int64_t t = p->n_done;
    const size_t copies = t == 0 ? (size_t)o->delay + 1 : 1;
    SN_TRY(sni_frame_queue_reserve(to, copies, err));
    float *const y = sni_frame_queue_push(to, t == 0 ? 0 : t + o->delay);
    make(p, t, y);
    for (size_t i = 1; i < copies; i++)
      memcpy(sni_frame_queue_push(to, (int64_t)i), y, to->dim * sizeof *y);
    int64_t keep = t + 1 - o->pitch_delta_window;
    if (keep > p->begin) keep = p->begin;
    if (keep > p->base) {
      sni_frame_queue_pop(&p->in, (size_t)(keep - p->base));
      p->base = keep;
    }
  }
  return SN_OK;
}

sn_status sni_pitch_post_push(sni_pitch_post *p, float nccf, float hz,
                              sni_frame_queue *to, sn_err *err) {
  SN_ASSERT(hz > 0.0f);
  SN_TRY(sni_frame_queue_reserve(&p->in, 1, err));
  float *const x = sni_frame_queue_push(&p->in, 0);
  x[POV] = (float)pov_of((double)nccf);
  x[LOG_PITCH] = logf(hz);
  x[FEATURE] = (float)feature_of((double)nccf);
  p->n_in++;
  const int32_t right = p->o->normalization_right_context;
  const int32_t delta = p->o->pitch_delta_window;
  return make_until(p, p->n_in - (right > delta ? right : delta), to, err);
}

sn_status sni_pitch_post_finish(sni_pitch_post *p, sni_frame_queue *to,
                                sn_err *err) {
  return make_until(p, p->n_in, to, err);
}
