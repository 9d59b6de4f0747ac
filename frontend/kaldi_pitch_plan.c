/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of the pitch tracker: its filters and its candidate lags.
 *
 * Both filters, from the signal to the lower rate and from whole lags to those
 * of the candidates, are a sinc under a raised cosine, sampled where the output
 * needs it. Source: Kaldi, feat/resample.cc, feat/pitch-functions.cc. */
#include "frontend/kaldi_pitch_internal.h"

#include <math.h>

#include "base/mem.h"

static const double pi = 3.14159265358979323846;
static const size_t max_weights = 16u << 20; /* in any one filter table */

/* Low-pass sinc with a raised cosine over `zeros` zero crossings a side. */
static double filter_at(double t_s, double cutoff_hz, double zeros) {
  if (fabs(t_s) >= zeros / (2.0 * cutoff_hz)) return 0.0;
  const double window = 0.5 * (1.0 + cos(2.0 * pi * cutoff_hz / zeros * t_s));
  if (t_s == 0.0) return 2.0 * cutoff_hz * window;
  return sin(2.0 * pi * cutoff_hz * t_s) / (pi * t_s) * window;
}

static void filters_clear(sni_filters *f) {
  sn_free(f->first);
  sn_free(f->len);
  sn_free(f->at);
  sn_free(f->w);
  *f = (sni_filters){0};
}

/* Output i sits at at_s[i] among inputs 0 .. of rate_hz; inputs outside of
 * lowest .. highest do not exist. */
static sn_status filters_init(const double *at_s, size_t n, double rate_hz,
                              double cutoff_hz, int32_t zeros, int64_t lowest,
                              int64_t highest, sni_filters *f, sn_err *err) {
  const double half_s = (double)zeros / (2.0 * cutoff_hz);
  f->n = n;
  f->first = sn_calloc(n, sizeof *f->first);
  f->len = sn_calloc(n, sizeof *f->len);
  f->at = sn_calloc(n, sizeof *f->at);
  if (!f->first || !f->len || !f->at) return sn_fail_nomem(err, "pitch");
  size_t total = 0;
  for (size_t i = 0; i < n; i++) {
    int64_t first = (int64_t)ceil((at_s[i] - half_s) * rate_hz);
    int64_t last = (int64_t)floor((at_s[i] + half_s) * rate_hz);
    if (first < lowest) first = lowest;
    if (last > highest) last = highest;
    f->first[i] = first;
    f->len[i] = last < first ? 0 : (size_t)(last - first + 1);
    f->at[i] = total;
    total += f->len[i];
    if (total > max_weights)
      return sn_fail(err, SN_EARG,
                     "pitch: the filter from %g Hz with a cutoff of %g Hz and "
                     "%d zeros is too long; use a smaller filter width, a "
                     "higher cutoff or rates with a larger common divisor",
                     rate_hz, cutoff_hz, zeros);
  }
  f->w = sn_calloc(total, sizeof *f->w);
  if (f->w == NULL) return sn_fail_nomem(err, "pitch");
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < f->len[i]; j++) {
      const double t_s = (double)(f->first[i] + (int64_t)j) / rate_hz - at_s[i];
      f->w[f->at[i] + j] =
          (float)(filter_at(t_s, cutoff_hz, (double)zeros) / rate_hz);
    }
  return SN_OK;
}

static sn_status check(const sni_kaldi_opts *o, sn_err *err) {
  const double in = o->sample_frequency, out = o->resample_frequency;
  if (in != floor(in) || out != floor(out))
    return sn_fail(err, SN_EARG,
                   "pitch: sample-frequency %g and resample-frequency %g must "
                   "be whole numbers of Hz",
                   in, out);
  if (2.0 * o->lowpass_cutoff > in || 2.0 * o->lowpass_cutoff > out)
    return sn_fail(err, SN_EARG,
                   "pitch: lowpass-cutoff %g Hz is above half of "
                   "sample-frequency %g or resample-frequency %g",
                   o->lowpass_cutoff, in, out);
  if (o->min_f0 >= o->max_f0 || o->soft_min_f0 > o->min_f0)
    return sn_fail(err, SN_EARG,
                   "pitch: soft-min-f0 %g, min-f0 %g and max-f0 %g Hz must be "
                   "in rising order",
                   o->soft_min_f0, o->min_f0, o->max_f0);
  if (o->process_pitch && sni_pitch_post_dim(o) == 0)
    return sn_fail(err, SN_EARG,
                   "pitch: process-pitch needs one of add-pov-feature, "
                   "add-normalized-log-pitch, add-delta-pitch, "
                   "add-raw-log-pitch");
  return SN_OK;
}

static sn_status set_frames(const sni_kaldi_opts *o, sni_pitch_plan *p,
                            sn_err *err) {
  const double rate = o->resample_frequency;
  const double more_s = (double)o->upsample_filter_width / (2.0 * rate);
  p->win = (int64_t)(rate * o->frame_length / 1000.0);
  p->shift = (int64_t)(rate * o->frame_shift / 1000.0);
  p->first_lag = (int64_t)ceil(rate * (1.0 / o->max_f0 - more_s));
  const int64_t last = (int64_t)floor(rate * (1.0 / o->min_f0 + more_s));
  if (p->win < 2 || p->shift < 1)
    return sn_fail(err, SN_EARG,
                   "pitch: frame-length %g ms and frame-shift %g ms are %lld "
                   "and %lld samples at resample-frequency %g Hz; at least 2 "
                   "and 1 are needed",
                   o->frame_length, o->frame_shift, (long long)p->win,
                   (long long)p->shift, rate);
  if (p->first_lag < 0)
    return sn_fail(err, SN_EARG,
                   "pitch: max-f0 %g Hz is too high for resample-frequency %g "
                   "Hz and upsample-filter-width %d",
                   o->max_f0, rate, o->upsample_filter_width);
  p->n_measured = (size_t)(last - p->first_lag + 1);
  p->full = p->win + last;
  return SN_OK;
}

static sn_status set_lags(const sni_kaldi_opts *o, sni_pitch_plan *p,
                          sn_err *err) {
  /* Kaldi multiplies floats; so that the last lag is in or out as there, so do
   * we. */
  const float min_lag = (float)(1.0 / o->max_f0);
  const float max_lag = (float)(1.0 / o->min_f0);
  const double ratio = 1.0 + (double)(float)o->delta_pitch;
  for (float lag = min_lag; lag <= max_lag; lag = (float)((double)lag * ratio))
    if (++p->n_lags > UINT16_MAX)
      return sn_fail(err, SN_EARG,
                     "pitch: delta-pitch %g makes more than %d candidates "
                     "between min-f0 %g and max-f0 %g Hz",
                     o->delta_pitch, UINT16_MAX, o->min_f0, o->max_f0);
  p->lags = sn_calloc(p->n_lags, sizeof *p->lags);
  double *const at_s = sn_calloc(p->n_lags, sizeof *at_s);
  sn_status s = SN_OK;
  if (p->lags == NULL || at_s == NULL) {
    s = sn_fail_nomem(err, "pitch");
  } else {
    float lag = min_lag;
    for (size_t i = 0; i < p->n_lags; i++) {
      p->lags[i] = lag;
      at_s[i] = (double)lag - (double)p->first_lag / o->resample_frequency;
      lag = (float)((double)lag * ratio);
    }
    s = filters_init(at_s, p->n_lags, o->resample_frequency,
                     0.5 * o->resample_frequency, o->upsample_filter_width, 0,
                     (int64_t)p->n_measured - 1, &p->to_lags, err);
  }
  sn_free(at_s);
  return s;
}

static int64_t gcd(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

static sn_status set_resample(const sni_kaldi_opts *o, sni_pitch_plan *p,
                              sn_err *err) {
  const int64_t in = (int64_t)o->sample_frequency;
  const int64_t out = (int64_t)o->resample_frequency;
  const int64_t unit_hz = gcd(in, out);
  p->in_unit = in / unit_hz;
  p->out_unit = out / unit_hz;
  /* A tick is the largest time that both sample periods are multiples of. */
  p->reach = (int64_t)floor((double)o->lowpass_filter_width /
                            (2.0 * o->lowpass_cutoff) *
                            ((double)in * (double)p->out_unit));
  const size_t n = (size_t)p->out_unit;
  double *const at_s = sn_calloc(n, sizeof *at_s);
  if (at_s == NULL) return sn_fail_nomem(err, "pitch");
  for (size_t i = 0; i < n; i++) at_s[i] = (double)i / (double)out;
  const sn_status s = filters_init(at_s, n, (double)in, o->lowpass_cutoff,
                                   o->lowpass_filter_width, INT64_MIN,
                                   INT64_MAX, &p->resample, err);
  sn_free(at_s);
  return s;
}

static sn_status fill(const sni_kaldi_opts *o, sni_pitch_plan *p, sn_err *err) {
  SN_TRY(check(o, err));
  SN_TRY(set_frames(o, p, err));
  SN_TRY(set_lags(o, p, err));
  SN_TRY(set_resample(o, p, err));
  const double step = log(1.0 + (double)(float)o->delta_pitch);
  p->step_cost = (float)(step * step) * (float)o->penalty_factor;
  return SN_OK;
}

sn_status sni_pitch_plan_create(const sni_kaldi_opts *o, sni_pitch_plan **out,
                                sn_err *err) {
  *out = NULL;
  sni_pitch_plan *const p = sn_calloc(1, sizeof *p);
  if (p == NULL) return sn_fail_nomem(err, "pitch");
  const sn_status s = fill(o, p, err);
  if (s != SN_OK) {
    sni_pitch_plan_destroy(p);
    return s;
  }
  *out = p;
  return SN_OK;
}

void sni_pitch_plan_destroy(sni_pitch_plan *p) {
  if (p == NULL) return;
  sn_free(p->lags);
  filters_clear(&p->to_lags);
  filters_clear(&p->resample);
  sn_free(p);
}
