/* SPDX-License-Identifier: Apache-2.0 */
/* Where windows lie and what is done to the samples in one.
 *
 * Lengths in samples are rate * 0.001 * ms, cut (not rounded). With snip-edges
 * frame t starts at t * shift and must fit; without, its middle is at
 * (t + 1/2) * shift, there are round(n / shift) of them and samples beyond an
 * end mirror those before it. Source: Kaldi, feat/feature-window.cc. */
#include <math.h>

#include "base/mem.h"
#include "frontend/kaldi_internal.h"

static const double pi = 3.14159265358979323846;

/* Value of window `type` at i of n points; a = 2 pi / (n - 1). */
static double window_at(const sni_kaldi_opts *o, double a, double i) {
  const double c = cos(a * i);
  switch ((sni_kaldi_window_type)o->window_type) {
    case SNI_WINDOW_POVEY:
      return pow(0.5 - 0.5 * c, 0.85);
    case SNI_WINDOW_HAMMING:
      return 0.54 - 0.46 * c;
    case SNI_WINDOW_HANNING:
      return 0.5 - 0.5 * c;
    case SNI_WINDOW_BLACKMAN:
      return o->blackman_coeff - 0.5 * c +
             (0.5 - o->blackman_coeff) * cos(2.0 * a * i);
    case SNI_WINDOW_SINE:
      return sin(0.5 * a * i);
    case SNI_WINDOW_RECTANGULAR:
      break;
  }
  return 1.0;
}

static size_t samples_of_ms(double rate_hz, double ms) {
  return (size_t)(rate_hz * 0.001 * ms);
}

sn_status sni_kaldi_window_init(const sni_kaldi_opts *o, sni_kaldi_window *w,
                                sn_err *err) {
  w->size = samples_of_ms(o->sample_frequency, o->frame_length);
  w->shift = samples_of_ms(o->sample_frequency, o->frame_shift);
  if (w->size < 2 || w->shift < 1)
    return sn_fail(err, SN_EARG,
                   "frame-length %g ms and frame-shift %g ms are %zu and %zu "
                   "samples at %g Hz; at least 2 and 1 are needed",
                   o->frame_length, o->frame_shift, w->size, w->shift,
                   o->sample_frequency);
  w->padded = w->size;
  if (o->round_to_power_of_two)
    for (w->padded = 1; w->padded < w->size;) w->padded *= 2;
  if (w->padded % 2 != 0)
    return sn_fail(err, SN_EARG,
                   "frame-length %g ms is an odd number of samples (%zu) at %g "
                   "Hz, which the FFT cannot take; use "
                   "round-to-power-of-two=true or another length",
                   o->frame_length, w->size, o->sample_frequency);
  w->w = sn_calloc(w->size, sizeof *w->w);
  if (w->w == NULL) return sn_fail_nomem(err, "window");
  const double a = 2.0 * pi / (double)(w->size - 1);
  for (size_t i = 0; i < w->size; i++)
    w->w[i] = (float)window_at(o, a, (double)i);
  return SN_OK;
}

void sni_kaldi_window_clear(sni_kaldi_window *w) {
  sn_free(w->w);
  w->w = NULL;
}

int64_t sni_kaldi_first_sample(const sni_kaldi_opts *o,
                               const sni_kaldi_window *w, int64_t t) {
  const int64_t shift = (int64_t)w->shift, size = (int64_t)w->size;
  return o->snip_edges ? t * shift : t * shift + shift / 2 - size / 2;
}

int64_t sni_kaldi_n_frames(const sni_kaldi_opts *o, const sni_kaldi_window *w,
                           int64_t n_samples, bool finished) {
  const int64_t shift = (int64_t)w->shift, size = (int64_t)w->size;
  if (o->snip_edges)
    return n_samples < size ? 0 : 1 + (n_samples - size) / shift;
  const int64_t n = (n_samples + shift / 2) / shift;
  if (finished) return n;
  /* Those whose last sample is there. */
  const int64_t room = n_samples - size - sni_kaldi_first_sample(o, w, 0);
  const int64_t whole = room < 0 ? 0 : 1 + room / shift;
  return whole < n ? whole : n;
}

double sni_kaldi_window_apply(const sni_kaldi_opts *o,
                              const sni_kaldi_window *w, sn_rng *rng,
                              float *x) {
  const size_t n = w->size;
  if (o->dither > 0.0)
    for (size_t i = 0; i < n; i++)
      x[i] += (float)(o->dither * sn_rng_gauss(rng));
  if (o->remove_dc_offset) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    const float mean = (float)(sum / (double)n);
    for (size_t i = 0; i < n; i++) x[i] -= mean;
  }
  double energy = 0.0;
  for (size_t i = 0; i < n; i++) energy += (double)x[i] * (double)x[i];
  const float c = (float)sni_kaldi_preemphasis(o);
  if (c > 0.0f) { /* the sample before the first counts as equal to it */
    for (size_t i = n - 1; i > 0; i--) x[i] -= c * x[i - 1];
    x[0] -= c * x[0];
  }
  for (size_t i = 0; i < n; i++) x[i] *= w->w[i];
  return energy;
}
