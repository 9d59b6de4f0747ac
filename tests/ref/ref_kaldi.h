/* SPDX-License-Identifier: Apache-2.0 */
/* The kaldi dialect from its definitions, in double and in no hurry: Fourier
 * transform by the sum, filters and cosine transform by their formulas, linear
 * prediction by solving the normal equations. Window type povey only. */
#ifndef SN_TESTS_REF_KALDI_H
#define SN_TESTS_REF_KALDI_H
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/kaldi_opts_internal.h"

#define REF_PI 3.14159265358979323846

static double ref_mel(double hz) { return 1127.0 * log(1.0 + hz / 700.0); }
static double ref_hz(double mel) { return 700.0 * (exp(mel / 1127.0) - 1.0); }

static size_t ref_padded(const sni_kaldi_opts *o, size_t size) {
  size_t n = 1;
  if (!o->round_to_power_of_two) return size;
  while (n < size) n *= 2;
  return n;
}

/* Windowed samples of the frame that starts at `first`; *energy as the options
 * want it. Samples are mirrored about the ends of x[0 .. n - 1]. */
static void ref_window(const sni_kaldi_opts *o, const float *x, long n,
                       long first, size_t size, double *y, double *energy) {
  double mean = 0.0;
  for (size_t i = 0; i < size; i++) {
    long s = first + (long)i;
    while (s < 0 || s >= n) s = s < 0 ? -1 - s : 2 * n - 1 - s;
    y[i] = (double)x[s];
    mean += y[i] / (double)size;
  }
  for (size_t i = 0; i < size; i++) y[i] -= o->remove_dc_offset ? mean : 0.0;
  *energy = 0.0;
  for (size_t i = 0; i < size; i++) *energy += y[i] * y[i];
  const double c = sni_kaldi_preemphasis(o);
  double before = y[0];
  for (size_t i = 0; i < size; i++) {
    const double now = y[i];
    y[i] -= c * before;
    before = now;
    y[i] *= pow(0.5 - 0.5 * cos(2.0 * REF_PI * (double)i / (double)(size - 1)),
                0.85);
  }
  if (o->raw_energy) return;
  *energy = 0.0;
  for (size_t i = 0; i < size; i++) *energy += y[i] * y[i];
}

/* bands [num_mel_bins], center_hz may be NULL. */
static void ref_bands(const sni_kaldi_opts *o, const double *y, size_t size,
                      double *bands, double *center_hz) {
  const size_t padded = ref_padded(o, size);
  const double high = o->high_freq > 0.0
                          ? o->high_freq
                          : 0.5 * o->sample_frequency + o->high_freq;
  const double low_mel = ref_mel(o->low_freq);
  const double step = (ref_mel(high) - low_mel) / (double)(o->num_mel_bins + 1);
  memset(bands, 0, (size_t)o->num_mel_bins * sizeof *bands);
  for (size_t k = 0; k < padded / 2; k++) {
    double re = 0.0, im = 0.0;
    for (size_t i = 0; i < size; i++) {
      const double a = 2.0 * REF_PI * (double)((k * i) % padded);
      re += y[i] * cos(a / (double)padded);
      im += y[i] * sin(a / (double)padded);
    }
    double power = re * re + im * im;
    if (o->kind == SNI_KALDI_FBANK && !o->use_power) power = sqrt(power);
    const double mel =
        ref_mel((double)k * o->sample_frequency / (double)padded);
    for (int b = 0; b < o->num_mel_bins; b++) {
      const double d = (mel - low_mel) / step - (double)(b + 1);
      if (fabs(d) < 1.0) bands[b] += (1.0 - fabs(d)) * power;
      if (center_hz != NULL) center_hz[b] = ref_hz(low_mel + (b + 1) * step);
    }
  }
}

/* sum_j r[|i - j|] a[j] = -r[i + 1], by Gaussian elimination; order <= 30. */
static void ref_solve_lpc(const double *r, size_t order, double *a) {
  double m[30][31];
  for (size_t i = 0; i < order; i++) {
    for (size_t j = 0; j < order; j++) m[i][j] = r[i > j ? i - j : j - i];
    m[i][order] = -r[i + 1];
  }
  for (size_t p = 0; p < order; p++)
    for (size_t i = 0; i < order; i++) {
      if (i == p) continue;
      const double f = m[i][p] / m[p][p];
      for (size_t j = p; j <= order; j++) m[i][j] -= f * m[p][j];
    }
  for (size_t i = 0; i < order; i++) a[i] = m[i][order] / m[i][i];
}

/* Cepstra of the all-pole model: Fourier coefficients of its log spectrum. */
static void ref_plp(const sni_kaldi_opts *o, const double *bands,
                    const double *center_hz, double *y) {
  const size_t n = (size_t)o->num_mel_bins + 2, order = (size_t)o->lpc_order;
  double *e = calloc(n, sizeof *e);
  double r[31], a[30];
  for (size_t b = 1; b + 1 < n; b++) {
    const double f2 = center_hz[b - 1] * center_hz[b - 1];
    const double l = pow(f2 / (f2 + 1.6e5), 2) * (f2 + 1.44e6) / (f2 + 9.61e6);
    e[b] = pow(l * bands[b - 1], o->compress_factor);
  }
  e[0] = e[1];
  e[n - 1] = e[n - 2];
  for (size_t i = 0; i <= order; i++) {
    r[i] = 0.0; /* mean over the circle, both halves of the spectrum */
    for (size_t j = 0; j < 2 * (n - 1); j++)
      r[i] += e[j < n ? j : 2 * (n - 1) - j] *
              cos(REF_PI * (double)(i * j) / (double)(n - 1)) /
              (double)(2 * (n - 1));
  }
  ref_solve_lpc(r, order, a);
  double left = r[0];
  for (size_t i = 0; i < order; i++) left += a[i] * r[i + 1];
  const size_t n_points = 4096;
  for (int q = 0; q < o->num_ceps; q++) y[q] = 0.0;
  for (size_t p = 0; p < n_points; p++) {
    const double w = 2.0 * REF_PI * (double)p / (double)n_points;
    double re = 1.0, im = 0.0;
    for (size_t i = 0; i < order; i++) {
      re += a[i] * cos(w * (double)(i + 1));
      im -= a[i] * sin(w * (double)(i + 1));
    }
    for (int q = 1; q < o->num_ceps; q++)
      y[q] -= log(re * re + im * im) * cos(w * q) / (double)n_points;
  }
  y[0] = log(left);
  free(e);
}

/* One frame, [dim]. */
static void ref_frame(const sni_kaldi_opts *o, const float *x, long n,
                      long first, double *y) {
  const size_t size = (size_t)(o->sample_frequency * 0.001 * o->frame_length);
  const size_t n_bands = (size_t)o->num_mel_bins;
  double *win = calloc(size, sizeof *win);
  double *bands = calloc(n_bands, sizeof *bands);
  double *center = calloc(n_bands, sizeof *center);
  double energy = 0.0;
  const bool use_energy = sni_kaldi_use_energy(o);
  ref_window(o, x, n, first, size, win, &energy);
  ref_bands(o, win, size, bands, center);
  size_t dim = (size_t)o->num_ceps;
  if (o->kind == SNI_KALDI_PLP) {
    ref_plp(o, bands, center, y);
  } else if (o->kind == SNI_KALDI_FBANK) {
    dim = n_bands + (use_energy ? 1 : 0);
    for (size_t b = 0; b < n_bands; b++)
      y[b + (use_energy ? 1 : 0)] =
          o->use_log_fbank ? log(fmax(bands[b], 1.1920929e-07)) : bands[b];
  } else {
    for (size_t k = 0; k < dim; k++) {
      y[k] = 0.0;
      for (size_t b = 0; b < n_bands; b++)
        y[k] += sqrt((k == 0 ? 1.0 : 2.0) / (double)n_bands) *
                cos(REF_PI * (double)k * ((double)b + 0.5) / (double)n_bands) *
                log(fmax(bands[b], 1.1920929e-07));
    }
  }
  if (o->kind != SNI_KALDI_FBANK && o->cepstral_lifter > 0.0)
    for (size_t k = 0; k < dim; k++)
      y[k] *= 1.0 + 0.5 * o->cepstral_lifter *
                        sin(REF_PI * (double)k / o->cepstral_lifter);
  if (o->kind == SNI_KALDI_PLP)
    for (size_t k = 0; k < dim; k++) y[k] *= o->cepstral_scale;
  if (use_energy)
    y[0] = log(fmax(energy, fmax(1.1920929e-07, o->energy_floor)));
  if (o->htk_compat && (use_energy || o->kind != SNI_KALDI_FBANK)) {
    const double c0 = y[0];
    memmove(y, y + 1, (dim - 1) * sizeof *y);
    y[dim - 1] = o->kind == SNI_KALDI_MFCC && !use_energy ? c0 * sqrt(2.0) : c0;
  }
  free(win);
  free(bands);
  free(center);
}
#endif
