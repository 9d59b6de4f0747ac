/* SPDX-License-Identifier: Apache-2.0 */
/* Noise tracking and removal in the mel spectrum, and from it whether a frame
 * sounds like speech.
 *
 * Per band and frame:
 *  1. The power is smoothed over time.
 *  2. Its lower envelope is the noise: it falls fast and rises slowly.
 *  3. power - noise, at least 1, is the signal. The frame sounds like speech
 *     when the largest power/noise of any band is above a threshold and the
 *     sum of signals is not 8 nat below its slow peak.
 *  4. The lower envelope of the signal is its floor; a peak that decays masks
 *     what is far below it (temporal masking).
 *  5. gain = signal/power, between 1/20 and 20, averaged over nine bands,
 *     multiplies the mel spectrum.
 * The first frame of a stream sets the levels. Digital silence makes 0/0 in 3:
 * such a band says nothing, as in sphinxbase where NaN > x is false.
 *
 * Source: sphinxbase 0.8+5prealpha, fe/fe_noise.c, which follows Doblinger,
 * "Computationally efficient speech enhancement by spectral minima tracking in
 * subbands" (Eurospeech 1995), and Kim and Stern's PNCC (2012). */
#include <math.h>

#include "base/mem.h"
#include "frontend/sphinx_mel_internal.h"

/* fe_noise.c's constants */
static const double power_memory = 0.7;
static const double rise_memory = 0.995;
static const double fall_memory = 0.5;
static const double mask_memory = 0.85;
static const double mask_level = 0.2;
static const double max_gain = 20;
static const double peak_rise_memory = 0.9;
static const double peak_fall_memory = 0.9995;
static const double speech_range = 8.0; /* nat */
enum { smooth_reach = 4 };              /* bands on each side */

struct sni_sphinx_noise {
  size_t n;
  bool remove_noise, remove_silence, is_fresh;
  double threshold;
  double slow_peak; /* of the log of the sum of signals */
  double *power, *noise, *floor, *peak, *signal; /* [n] each, one block */
};

sn_status sni_sphinx_noise_create(const sni_sphinx_opts *o,
                                  sni_sphinx_noise **out, sn_err *err) {
  *out = NULL;
  sni_sphinx_noise *s = sn_calloc(1, sizeof *s);
  if (s == NULL) return sn_fail_nomem(err, "noise tracker");
  s->n = (size_t)o->nfilt;
  s->power = sn_calloc(s->n, 5 * sizeof *s->power);
  if (s->power == NULL) {
    sni_sphinx_noise_destroy(s);
    return sn_fail_nomem(err, "noise tracker");
  }
  s->noise = s->power + s->n;
  s->floor = s->noise + s->n;
  s->peak = s->floor + s->n;
  s->signal = s->peak + s->n;
  s->remove_noise = o->remove_noise;
  s->remove_silence = o->remove_silence;
  s->threshold = (double)o->vad_threshold;
  s->is_fresh = true;
  *out = s;
  return SN_OK;
}

void sni_sphinx_noise_destroy(sni_sphinx_noise *s) {
  if (s == NULL) return;
  sn_free(s->power);
  sn_free(s);
}

void sni_sphinx_noise_reset(sni_sphinx_noise *s) { s->is_fresh = true; }

static void start(sni_sphinx_noise *s, const double *mel) {
  for (size_t i = 0; i < s->n; i++) {
    s->power[i] = mel[i];
    s->noise[i] = mel[i] / max_gain;
    s->floor[i] = mel[i] / max_gain;
    s->peak[i] = 0;
  }
  s->slow_peak = 0;
  s->is_fresh = false;
}

static void lower_envelope(size_t n, const double *x, double *envelope) {
  for (size_t i = 0; i < n; i++) {
    const double keep = x[i] >= envelope[i] ? rise_memory : fall_memory;
    envelope[i] = keep * envelope[i] + (1 - keep) * x[i];
  }
}

/* Step 3: fills signal; the largest log of power/noise, at least 0. */
static double signal_over_noise(sni_sphinx_noise *s) {
  double best = 1;
  for (size_t i = 0; i < s->n; i++) {
    const double d = s->power[i] - s->noise[i];
    s->signal[i] = d < 1.0 ? 1.0 : d;
    const double ratio = s->power[i] / s->noise[i];
    if (ratio > best) best = ratio;
  }
  return log(best);
}

static bool is_quiet(sni_sphinx_noise *s) {
  double sum = 0;
  for (size_t i = 0; i < s->n; i++) sum += s->signal[i];
  sum = log(sum);
  const double keep = sum > s->slow_peak ? peak_rise_memory : peak_fall_memory;
  s->slow_peak = s->slow_peak * keep + sum * (1 - keep);
  return s->slow_peak - speech_range > sum;
}

static void mask(sni_sphinx_noise *s) { /* 4 */
  lower_envelope(s->n, s->signal, s->floor);
  for (size_t i = 0; i < s->n; i++) {
    const double now = s->signal[i];
    s->peak[i] *= mask_memory;
    if (now < mask_memory * s->peak[i]) s->signal[i] = s->peak[i] * mask_level;
    if (now > s->peak[i]) s->peak[i] = now;
  }
}

static void apply_gain(sni_sphinx_noise *s, double *mel) { /* 5 */
  for (size_t i = 0; i < s->n; i++) {
    double x = s->signal[i] < s->floor[i] ? s->floor[i] : s->signal[i];
    x = x < max_gain * s->power[i] ? x / s->power[i] : max_gain;
    s->signal[i] = x < 1 / max_gain ? 1 / max_gain : x;
  }
  for (size_t i = 0; i < s->n; i++) {
    const size_t from = i > smooth_reach ? i - smooth_reach : 0;
    const size_t to = i + smooth_reach < s->n - 1 ? i + smooth_reach : s->n - 1;
    double sum = 0;
    for (size_t j = from; j <= to; j++) sum += s->signal[j];
    mel[i] *= sum / (double)(to - from + 1);
  }
}

bool sni_sphinx_noise_track(sni_sphinx_noise *s, double *mel) {
  if (!s->remove_noise && !s->remove_silence) return true;
  if (s->is_fresh) start(s, mel);
  for (size_t i = 0; i < s->n; i++) /* 1 */
    s->power[i] = power_memory * s->power[i] + (1 - power_memory) * mel[i];
  lower_envelope(s->n, s->power, s->noise); /* 2 */
  const double snr = signal_over_noise(s);
  const bool quiet = is_quiet(s);
  const bool is_speech = !s->remove_silence || !(snr < s->threshold || quiet);
  if (s->remove_noise) {
    mask(s);
    apply_gain(s, mel);
  }
  return is_speech;
}
