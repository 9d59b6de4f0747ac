/* SPDX-License-Identifier: Apache-2.0 */
/* Mel filters as sphinxbase lays them.
 *
 * Each filter is a triangle over a run of FFT bins: first bin, length, offset
 * into one array of weights. With round_filters the three corners are moved to
 * bins; with unit_area the triangle's area (over Hz) is one; with doublebw a
 * filter reaches over two neighbours on each side.
 *
 * The corners are computed in float exactly where sphinxbase does so: the
 * rounding to bins would otherwise move a corner now and then. The Nyquist bin
 * is never part of a filter.
 *
 * Source: sphinxbase 0.8+5prealpha, fe/fe_sigproc.c (fe_build_melfilters) and
 * fe/fe_warp_*.c. Leaves it where it would run on with wrong numbers or end
 * the process: a filter without bins, or with two corners on one bin in a way
 * that makes infinite weights, is refused. */
#include <math.h>

#include "base/mem.h"
#include "frontend/sphinx_mel_internal.h"

struct sni_sphinx_mel {
  size_t n_filters;
  size_t *first, *len, *at; /* [nfilt] */
  double *weight;           /* filter i: weight[at[i] ..] */
};

/* Frequency warping; a == 0: none. */
typedef struct warp {
  int32_t type; /* the first word of each pair in sni_sphinx_warp */
  float a, b;   /* slope; offset or the frequency where the slope changes */
  float upper_slope, upper_offset; /* piecewise: above that frequency */
} warp;

static sn_status warp_init(const sni_sphinx_opts *o, warp *w, sn_err *err) {
  *w = (warp){.type = o->warp_type / 2 * 2};
  sn_span rest = sn_span_of(o->warp_params != NULL ? o->warp_params : "");
  sn_span field;
  float *const values[2] = {&w->a, &w->b};
  const size_t n_max = w->type == SNI_SPHINX_WARP_INVERSE_LINEAR ? 1 : 2;
  size_t n = 0;
  while (sn_next_field(&rest, &field)) {
    double value;
    if (n == n_max)
      return sn_fail(err, SN_EARG,
                     "warp_params '%s': this warp_type takes %zu numbers",
                     o->warp_params, n_max);
    if (!sn_parse_double(field, &value) || !isfinite(value))
      return sn_fail(err, SN_EARG, "warp_params '%s': '%.*s' is not a number",
                     o->warp_params, (int)field.n, field.p);
    *values[n++] = (float)value;
  }
  if (w->a < 0.0f)
    return sn_fail(err, SN_EARG, "warp_params '%s': the slope is negative",
                   o->warp_params);
  if (w->type == SNI_SPHINX_WARP_PIECEWISE_LINEAR) {
    if (w->b == 0.0f) w->b = o->samprate * 0.85f;
    const float nyquist = o->samprate / 2;
    if (w->b < o->samprate) { /* sphinxbase means the Nyquist frequency */
      w->upper_slope = (nyquist - w->a * w->b) / (nyquist - w->b);
      w->upper_offset = nyquist * w->b * (w->a - 1.0f) / (nyquist - w->b);
    }
  }
  return SN_OK;
}

static float warp_to(const warp *w, float hz) {
  if (w->a == 0.0f) return hz;
  switch (w->type) {
    case SNI_SPHINX_WARP_INVERSE_LINEAR:
      return hz / w->a;
    case SNI_SPHINX_WARP_AFFINE:
      return hz * w->a + w->b;
    default:
      return hz < w->b ? hz * w->a : w->upper_slope * hz + w->upper_offset;
  }
}

static float warp_from(const warp *w, float hz) {
  if (w->a == 0.0f) return hz;
  switch (w->type) {
    case SNI_SPHINX_WARP_INVERSE_LINEAR:
      return hz * w->a;
    case SNI_SPHINX_WARP_AFFINE:
      return (hz - w->b) / w->a;
    default:
      return hz < w->a * w->b ? hz / w->a
                              : (hz - w->upper_offset) / w->upper_slope;
  }
}

static float mel_of_hz(const warp *w, float hz) {
  return (float)(2595.0 * log10(1.0 + (double)warp_to(w, hz) / 700.0));
}

static float hz_of_mel(const warp *w, float mel) {
  return warp_from(w, (float)(700.0 * (pow(10.0, (double)mel / 2595.0) - 1.0)));
}

/* What the corners of all filters follow from. */
typedef struct layout {
  warp w;
  float mel_min, mel_step, bin_hz;
  bool wide, round;
} layout;

static sn_status layout_init(const sni_sphinx_opts *o, layout *l, sn_err *err) {
  SN_TRY(warp_init(o, &l->w, err));
  if (!(o->lowerf < o->upperf))
    return sn_fail(err, SN_EARG, "lowerf %g Hz is not below upperf %g Hz",
                   (double)o->lowerf, (double)o->upperf);
  if ((double)o->upperf > (double)o->samprate / 2 + 1.0)
    return sn_fail(err, SN_EARG,
                   "upperf %g Hz is above half of samprate %g Hz: give the "
                   "model's sampling rate with samprate",
                   (double)o->upperf, (double)o->samprate);
  l->mel_min = mel_of_hz(&l->w, o->lowerf);
  const float mel_max = mel_of_hz(&l->w, o->upperf);
  l->mel_step = (mel_max - l->mel_min) / (float)(o->nfilt + 1);
  l->wide = o->doublebw;
  l->round = o->round_filters;
  if (l->wide) {
    l->mel_min -= l->mel_step;
    const float low = hz_of_mel(&l->w, l->mel_min);
    const float high = hz_of_mel(&l->w, mel_max + l->mel_step);
    if (low < 0.0f || high > o->samprate / 2)
      return sn_fail(err, SN_EARG,
                     "doublebw: the filters would reach from %g to %g Hz, "
                     "outside 0 to %g; raise lowerf or lower upperf",
                     (double)low, (double)high, (double)(o->samprate / 2));
  }
  l->bin_hz = o->samprate / (float)o->nfft;
  return SN_OK;
}

static void corners(const layout *l, size_t filter, float hz[3]) {
  for (size_t j = 0; j < 3; j++) {
    const size_t step = filter + (l->wide ? 2 * j : j);
    hz[j] = hz_of_mel(&l->w, (float)step * l->mel_step + l->mel_min);
    if (l->round)
      hz[j] = (float)trunc((double)(hz[j] / l->bin_hz) + 0.5) * l->bin_hz;
  }
}

/* The bins [*first, *first + *len) of a filter; false if there are none. */
static bool find_bins(const float hz[3], float bin_hz, size_t nyquist,
                      size_t *first, size_t *len) {
  size_t k = 0;
  while (k < nyquist && (float)k * bin_hz < hz[0]) k++;
  *first = k;
  while (k < nyquist && (float)k * bin_hz <= hz[2]) k++;
  *len = k - *first;
  return *len > 0;
}

static double weight_at(const float hz[3], float at, bool unit_area) {
  float rise = (at - hz[0]) / (hz[1] - hz[0]);
  float fall = (hz[2] - at) / (hz[2] - hz[1]);
  if (unit_area) {
    rise *= 2 / (hz[2] - hz[0]);
    fall *= 2 / (hz[2] - hz[0]);
  }
  /* not fminf: where the left corner lies on the peak, rise is 0/0 and the
   * falling side is meant */
  return (double)(rise < fall ? rise : fall);
}

static sn_status fill(sni_sphinx_mel *m, const sni_sphinx_opts *o,
                      const layout *l, sn_err *err) {
  size_t used = 0;
  for (size_t i = 0; i < m->n_filters; i++) {
    float hz[3];
    corners(l, i, hz);
    bool ok =
        find_bins(hz, l->bin_hz, (size_t)o->nfft / 2, &m->first[i], &m->len[i]);
    m->at[i] = used;
    for (size_t k = 0; ok && k < m->len[i]; k++) {
      const float at = (float)(m->first[i] + k) * l->bin_hz;
      const double w = weight_at(hz, at, o->unit_area);
      ok = isfinite(w);
      m->weight[used++] = w;
    }
    if (!ok)
      return sn_fail(err, SN_EARG,
                     "mel filter %zu of %zu (%g to %g Hz) covers too few of "
                     "the FFT bins, which lie %g Hz apart: use a smaller nfilt "
                     "or a larger nfft",
                     i + 1, m->n_filters, (double)hz[0], (double)hz[2],
                     (double)l->bin_hz);
  }
  return SN_OK;
}

void sni_sphinx_mel_destroy(sni_sphinx_mel *m) {
  if (m == NULL) return;
  sn_free(m->first);
  sn_free(m->len);
  sn_free(m->at);
  sn_free(m->weight);
  sn_free(m);
}

sn_status sni_sphinx_mel_create(const sni_sphinx_opts *o, sni_sphinx_mel **out,
                                sn_err *err) {
  *out = NULL;
  layout l;
  SN_TRY(layout_init(o, &l, err));
  sni_sphinx_mel *m = sn_calloc(1, sizeof *m);
  if (m == NULL) return sn_fail_nomem(err, "mel filters");
  m->n_filters = (size_t)o->nfilt;
  m->first = sn_calloc(m->n_filters, sizeof *m->first);
  m->len = sn_calloc(m->n_filters, sizeof *m->len);
  m->at = sn_calloc(m->n_filters, sizeof *m->at);
  size_t n_weights = 0;
  for (size_t i = 0; i < m->n_filters; i++) {
    float hz[3];
    size_t first, len;
    corners(&l, i, hz);
    (void)find_bins(hz, l.bin_hz, (size_t)o->nfft / 2, &first, &len);
    n_weights += len;
  }
  m->weight = sn_calloc(n_weights, sizeof *m->weight);
  sn_status s = SN_OK;
  if (m->first == NULL || m->len == NULL || m->at == NULL || m->weight == NULL)
    s = sn_fail_nomem(err, "mel filters");
  else
    s = fill(m, o, &l, err);
  if (s != SN_OK) {
    sni_sphinx_mel_destroy(m);
    return s;
  }
  *out = m;
  return SN_OK;
}

void sni_sphinx_mel_apply(const sni_sphinx_mel *m, const double *power,
                          double *mel) {
  for (size_t i = 0; i < m->n_filters; i++) {
    const double *w = m->weight + m->at[i], *p = power + m->first[i];
    double sum = 0;
    for (size_t k = 0; k < m->len[i]; k++) sum += p[k] * w[k];
    mel[i] = sum;
  }
}
