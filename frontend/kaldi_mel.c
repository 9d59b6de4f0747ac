/* SPDX-License-Identifier: Apache-2.0 */
/* Triangular filters on the mel scale, 1127 ln(1 + f / 700).
 *
 * Edges are equally spaced in mel from low-freq to high-freq, each filter
 * spans two of the gaps, and its weight rises and falls linearly in mel (HTK
 * book 5.4; the weights are HTK's but for the bin at Nyquist, which Kaldi
 * leaves out). Each filter keeps the run of bins where it is not zero. A warp
 * moves the three edges of every filter by a piecewise linear function of
 * frequency. Source: Kaldi, feat/mel-computations.cc. */
#include <math.h>

#include "base/mem.h"
#include "frontend/kaldi_internal.h"

static double mel_of(double hz) { return 1127.0 * log(1.0 + hz / 700.0); }
static double hz_of(double mel) { return 700.0 * (exp(mel / 1127.0) - 1.0); }

/* Resolved edges, Hz. */
typedef struct edges {
  double low, high, vtln_low, vtln_high, warp;
} edges;

static sn_status edges_of(const sni_kaldi_opts *o, edges *e, sn_err *err) {
  const double nyquist = 0.5 * o->sample_frequency;
  e->low = o->low_freq;
  e->high = o->high_freq > 0.0 ? o->high_freq : nyquist + o->high_freq;
  e->vtln_low = o->vtln_low;
  e->vtln_high = o->vtln_high < 0.0 ? nyquist + o->vtln_high : o->vtln_high;
  e->warp = o->vtln_warp;
  if (e->low >= nyquist || e->high <= e->low || e->high > nyquist)
    return sn_fail(err, SN_EARG,
                   "low-freq %g Hz and high-freq %g Hz must be in this order "
                   "between 0 and half the sample-frequency, %g Hz; lower them "
                   "or set the sample-frequency of the audio",
                   e->low, e->high, nyquist);
  if (e->warp != 1.0 && (e->vtln_low <= e->low || e->vtln_high >= e->high ||
                         e->vtln_high <= e->vtln_low))
    return sn_fail(err, SN_EARG,
                   "vtln-low %g Hz and vtln-high %g Hz must be in this order "
                   "inside low-freq %g Hz to high-freq %g Hz",
                   e->vtln_low, e->vtln_high, e->low, e->high);
  if (e->warp != 1.0 &&
      (e->vtln_low * fmax(1.0, e->warp) >= e->vtln_high * fmin(1.0, e->warp)))
    return sn_fail(err, SN_EARG,
                   "vtln-warp %g is too far from 1 for vtln-low %g Hz and "
                   "vtln-high %g Hz: the turning points would cross",
                   e->warp, e->vtln_low, e->vtln_high);
  return SN_OK;
}

/* f / warp in the middle part; joined to the fixed points low and high by
 * straight lines from l and h, chosen so that min(l, l/warp) is vtln_low and
 * max(h, h/warp) is vtln_high. */
static double warp_hz(const edges *e, double hz) {
  if (e->warp == 1.0 || hz < e->low || hz > e->high) return hz;
  const double l = e->vtln_low * fmax(1.0, e->warp);
  const double h = e->vtln_high * fmin(1.0, e->warp);
  if (hz < l)
    return e->low + (l / e->warp - e->low) / (l - e->low) * (hz - e->low);
  if (hz < h) return hz / e->warp;
  return e->high + (e->high - h / e->warp) / (e->high - h) * (hz - e->high);
}

/* Fills band b from bins 0 .. n_bins - 1; returns the weights used. */
static size_t fill_band(sni_kaldi_mel *m, size_t b, const double edge_mel[3],
                        double bin_hz, size_t n_bins, size_t at) {
  m->at[b] = at;
  for (size_t k = 0; k < n_bins; k++) {
    const double mel = mel_of(bin_hz * (double)k);
    if (mel <= edge_mel[0] || mel >= edge_mel[2]) continue;
    const double w = mel <= edge_mel[1]
                         ? (mel - edge_mel[0]) / (edge_mel[1] - edge_mel[0])
                         : (edge_mel[2] - mel) / (edge_mel[2] - edge_mel[1]);
    if (m->len[b] == 0) m->first[b] = k;
    m->w[at + m->len[b]++] = (float)w;
  }
  return m->len[b];
}

static sn_status fill(const sni_kaldi_opts *o, const sni_kaldi_window *win,
                      const edges *e, sni_kaldi_mel *m, sn_err *err) {
  const double low = mel_of(e->low);
  const double step = (mel_of(e->high) - low) / (double)(m->n_bands + 1);
  const double bin_hz = o->sample_frequency / (double)win->padded;
  size_t at = 0;
  for (size_t b = 0; b < m->n_bands; b++) {
    double edge_mel[3];
    for (size_t i = 0; i < 3; i++) {
      edge_mel[i] = low + (double)(b + i) * step;
      if (e->warp != 1.0) edge_mel[i] = mel_of(warp_hz(e, hz_of(edge_mel[i])));
    }
    m->center_hz[b] = hz_of(edge_mel[1]);
    at += fill_band(m, b, edge_mel, bin_hz, win->padded / 2, at);
    if (m->len[b] == 0)
      return sn_fail(err, SN_EARG,
                     "num-mel-bins %d: filter %zu (%.1f to %.1f Hz) covers no "
                     "point of the spectrum, which are %.1f Hz apart; use "
                     "fewer bins or a longer frame",
                     o->num_mel_bins, b + 1, hz_of(edge_mel[0]),
                     hz_of(edge_mel[2]), bin_hz);
  }
  return SN_OK;
}

sn_status sni_kaldi_mel_init(const sni_kaldi_opts *o, const sni_kaldi_window *w,
                             sni_kaldi_mel *m, sn_err *err) {
  edges e;
  SN_TRY(edges_of(o, &e, err));
  SN_ASSERT(o->num_mel_bins > 0);
  m->n_bands = (size_t)o->num_mel_bins;
  m->first = sn_calloc(m->n_bands, sizeof *m->first);
  m->len = sn_calloc(m->n_bands, sizeof *m->len);
  m->at = sn_calloc(m->n_bands, sizeof *m->at);
  m->center_hz = sn_calloc(m->n_bands, sizeof *m->center_hz);
  /* Two filters overlap at each bin; rounding may add one at an edge. */
  m->w = sn_calloc(3 * (w->padded / 2 + 1), sizeof *m->w);
  sn_status s = SN_OK;
  if (!m->first || !m->len || !m->at || !m->center_hz || !m->w)
    s = sn_fail_nomem(err, "mel filters");
  else
    s = fill(o, w, &e, m, err);
  if (s != SN_OK) sni_kaldi_mel_clear(m);
  return s;
}

void sni_kaldi_mel_clear(sni_kaldi_mel *m) {
  sn_free(m->first);
  sn_free(m->len);
  sn_free(m->at);
  sn_free(m->w);
  sn_free(m->center_hz);
  *m = (sni_kaldi_mel){0};
}

void sni_kaldi_mel_apply(const sni_kaldi_mel *m, const float *power,
                         float *energies) {
  for (size_t b = 0; b < m->n_bands; b++) {
    const float *const w = m->w + m->at[b];
    const float *const p = power + m->first[b];
    double sum = 0.0;
    for (size_t k = 0; k < m->len[b]; k++) sum += (double)w[k] * (double)p[k];
    energies[b] = (float)sum;
  }
}
