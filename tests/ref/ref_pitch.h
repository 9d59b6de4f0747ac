/* SPDX-License-Identifier: Apache-2.0 */
/* Pitch tracking from its definition, in double: every resampled value by its
 * own sum, every pair of candidates tried. For short recordings. */
#ifndef SN_TESTS_REF_PITCH_H
#define SN_TESTS_REF_PITCH_H
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/kaldi_opts_internal.h"

#define REF_PITCH_PI 3.14159265358979323846

typedef struct ref_pitch {
  size_t n, n_lags;
  double *local; /* [n x n_lags] cost of each candidate */
  double *nccf;  /* [n x n_lags] without ballast */
  double *hz;    /* [n_lags] */
  double step;   /* cost of a change by one candidate */
} ref_pitch;

static void ref_pitch_free(ref_pitch *r) {
  free(r->local);
  free(r->nccf);
  free(r->hz);
}

static double ref_sinc(double t, double cutoff, double zeros) {
  if (fabs(t) >= zeros / (2.0 * cutoff)) return 0.0;
  const double window =
      0.5 + 0.5 * cos(2.0 * REF_PITCH_PI * cutoff / zeros * t);
  const double a = 2.0 * REF_PITCH_PI * cutoff * t;
  return 2.0 * cutoff * window * (t == 0.0 ? 1.0 : sin(a) / a);
}

/* The signal at time t, low-passed. */
static double ref_signal_at(const sni_kaldi_opts *o, const float *x, size_t n,
                            double t) {
  const double rate = o->sample_frequency;
  const double half = o->lowpass_filter_width / (2.0 * o->lowpass_cutoff);
  double sum = 0.0;
  long i = (long)floor((t - half) * rate) - 1;
  for (; (double)i / rate <= t + half; i++)
    if (i >= 0 && i < (long)n)
      sum += (double)x[i] / rate *
             ref_sinc((double)i / rate - t, o->lowpass_cutoff,
                      o->lowpass_filter_width);
  return sum;
}

static double ref_mean_square(const double *x, size_t n) {
  double sum = 0.0, sumsq = 0.0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  for (size_t i = 0; i < n; i++) {
    const double d = x[i] - sum / (double)n;
    sumsq += d * d;
  }
  return n > 0 ? sumsq / (double)n : 0.0;
}

/* With snip-edges. Frames before the tail of the low-pass filter see the energy
 * without it; if that is off by more than 1 %, they are scaled to the final one
 * (recordings shorter than recompute-frame only). */
static ref_pitch ref_pitch_compute(const sni_kaldi_opts *o, const float *x,
                                   size_t n) {
  const double rate = o->resample_frequency;
  ref_pitch r = {0};
  const double duration = (double)n / o->sample_frequency;
  const double reach = o->lowpass_filter_width / (2.0 * o->lowpass_cutoff);
  size_t n_sig = 0, n_early = 0; /* early: without the tail of the filter */
  while ((double)n_sig / rate < duration - 1e-9) n_sig++;
  while ((double)n_early / rate < duration - reach - 1e-9) n_early++;
  const size_t win = (size_t)(rate * o->frame_length / 1000.0);
  const size_t shift = (size_t)(rate * o->frame_shift / 1000.0);
  const double more = o->upsample_filter_width / (2.0 * rate);
  const size_t first = (size_t)ceil(rate * (1.0 / o->max_f0 - more));
  const size_t last = (size_t)floor(rate * (1.0 / o->min_f0 + more));
  double *sig = calloc(n_sig + win + last + 1, sizeof *sig);
  double *nccf = calloc(last + 1, sizeof *nccf);
  double *pov = calloc(last + 1, sizeof *pov);
  double *y = calloc(win + last, sizeof *y);
  for (size_t i = 0; i < n_sig; i++)
    sig[i] = ref_signal_at(o, x, n, (double)i / rate);
  for (double lag = 1.0 / o->max_f0; lag <= 1.0 / o->min_f0 * (1.0 + 1e-9);
       lag *= 1.0 + o->delta_pitch) {
    r.hz = realloc(r.hz, (r.n_lags + 1) * sizeof *r.hz);
    r.hz[r.n_lags++] = 1.0 / lag;
  }
  r.n = n_sig < win ? 0 : (n_sig - win) / shift + 1;
  r.local = calloc(r.n * r.n_lags + 1, sizeof *r.local);
  r.nccf = calloc(r.n * r.n_lags + 1, sizeof *r.nccf);
  r.step = o->penalty_factor * pow(log(1.0 + o->delta_pitch), 2.0);
  const double ms = ref_mean_square(sig, n_sig);
  const double ms_early = ref_mean_square(sig, n_early);
  const bool corrected =
      !o->nccf_ballast_online && fabs(ms - ms_early) > 0.01 * (ms + ms_early);
  for (size_t t = 0; t < r.n; t++) {
    const bool is_early = t * shift + win + last <= n_early;
    size_t end = is_early ? n_early : n_sig;
    if (o->nccf_ballast_online) {
      end = t * shift + win + last;
      if (end > n_sig) end = n_sig;
    }
    const double ballast =
        o->nccf_ballast * pow(ref_mean_square(sig, end) * (double)win, 2.0);
    double mean = 0.0, e1 = 0.0;
    for (size_t i = 0; i < win + last; i++)
      y[i] = t * shift + i < n_sig ? sig[t * shift + i] : 0.0;
    for (size_t i = 0; i < win; i++) mean += y[i] / (double)win;
    for (size_t i = 0; i < win + last; i++) y[i] -= mean;
    for (size_t i = 0; i < win; i++) e1 += y[i] * y[i];
    double products = 0.0; /* mean of e1 e2 */
    for (size_t k = first; k <= last; k++) {
      double e2 = 0.0, sum = 0.0;
      for (size_t i = 0; i < win; i++) {
        e2 += y[i + k] * y[i + k];
        sum += y[i] * y[i + k];
      }
      nccf[k] = e1 * e2 + ballast > 0.0 ? sum / sqrt(e1 * e2 + ballast) : 0.0;
      products += e1 * e2 / (double)(last + 1 - first);
      pov[k] = e1 * e2 > 0.0 ? sum / sqrt(e1 * e2) : 0.0;
    }
    const double final =
        o->nccf_ballast * pow(ms * (double)win, 2.0) + products;
    const double scale =
        corrected && is_early ? sqrt((ballast + products) / final) : 1.0;
    for (size_t i = 0; i < r.n_lags; i++) {
      double a = 0.0, b = 0.0;
      for (size_t k = first; k <= last; k++) {
        const double w = ref_sinc((double)k / rate - 1.0 / r.hz[i], 0.5 * rate,
                                  o->upsample_filter_width) /
                         rate;
        a += w * nccf[k];
        b += w * pov[k];
      }
      r.local[t * r.n_lags + i] =
          1.0 - scale * a * (1.0 - o->soft_min_f0 / r.hz[i]);
      r.nccf[t * r.n_lags + i] = b;
    }
  }
  free(sig);
  free(nccf);
  free(pov);
  free(y);
  return r;
}

/* Cost of a path of candidates. */
static double ref_pitch_cost(const ref_pitch *r, const size_t *path) {
  double cost = 0.0;
  for (size_t t = 0; t < r->n; t++) {
    cost += r->local[t * r->n_lags + path[t]];
    if (t == 0) continue;
    const double d = (double)path[t] - (double)path[t - 1];
    cost += r->step * d * d;
  }
  return cost;
}

/* Least cost of any path: every pair of candidates, frame by frame. */
static double ref_pitch_best_cost(const ref_pitch *r) {
  double *cost = calloc(2 * r->n_lags, sizeof *cost);
  double *next = cost + r->n_lags, best = (double)INFINITY;
  double *const block = cost;
  for (size_t t = 0; t < r->n; t++) {
    for (size_t i = 0; i < r->n_lags; i++) {
      double least = t == 0 ? 0.0 : (double)INFINITY;
      for (size_t j = 0; t > 0 && j < r->n_lags; j++) {
        const double d = (double)i - (double)j;
        least = fmin(least, cost[j] + r->step * d * d);
      }
      next[i] = least + r->local[t * r->n_lags + i];
    }
    double *const swap = cost;
    cost = next;
    next = swap;
  }
  for (size_t i = 0; i < r->n_lags; i++) best = fmin(best, cost[i]);
  free(block);
  return best;
}
#endif
