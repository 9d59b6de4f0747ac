/* SPDX-License-Identifier: Apache-2.0 */
/* Gaussian mixture scores in double precision and plain loops, and with
 * PocketSphinx's arithmetic. Too simple to be wrong, and slow. */
#ifndef SN_TESTS_REF_GMM_REF_H
#define SN_TESTS_REF_GMM_REF_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "am/am_internal.h"

typedef struct gmm_ref {
  const sni_am_view *v;
  int *first, *rank; /* pdfs of a codebook, number of a pdf in its own */
  size_t *means_at;  /* [C x K] start of means and variances */
  double *density;   /* [K][C][G] */
  int *order;        /* [K][C][top_n] */
  /* PocketSphinx's arithmetic */
  float *int_vars, *int_dets; /* as floats; the values are whole numbers */
  uint8_t add_table[256];
  int *int_density;
} gmm_ref;

static inline void gmm_ref_init(gmm_ref *r, const sni_am_view *v) {
  const sni_am_shape *const s = &v->shape;
  const size_t C = (size_t)s->n_codebooks, K = (size_t)s->n_streams;
  const size_t G = (size_t)s->n_gauss, N = (size_t)s->n_pdfs;
  memset(r, 0, sizeof *r);
  r->v = v;
  r->first = calloc(C + 1, sizeof *r->first);
  r->rank = calloc(N, sizeof *r->rank);
  r->means_at = calloc(C * K, sizeof *r->means_at);
  r->density = calloc(K * C * G, sizeof *r->density);
  r->int_density = calloc(K * C * G, sizeof *r->int_density);
  r->order = calloc(K * C * G, sizeof *r->order);
  for (size_t i = 0; i < N; i++)
    r->rank[i] = r->first[v->pdf_codebook[i] + 1]++;
  for (size_t c = 0; c < C; c++) r->first[c + 1] += r->first[c];
  size_t at = 0;
  for (size_t c = 0; c < C; c++)
    for (size_t k = 0; k < K; k++) {
      r->means_at[c * K + k] = at;
      at += G * (size_t)v->stream_len[k];
    }
}

static inline void gmm_ref_clear(gmm_ref *r) {
  free(r->first);
  free(r->rank);
  free(r->means_at);
  free(r->density);
  free(r->int_density);
  free(r->order);
  free(r->int_vars);
  free(r->int_dets);
}

static inline const int32_t *gmm_ref_dims(const gmm_ref *r, size_t k) {
  const int32_t *dims = r->v->stream_dims;
  for (size_t i = 0; i < k; i++) dims += r->v->stream_len[i];
  return dims;
}

/* Log-densities of all Gaussians. Returns the largest magnitude that one which
 * counts goes through: that of the best of its stream (not clipped: of its
 * codebook), plus the clip, plus 100 for the constant before the squares. */
static inline double gmm_ref_densities(gmm_ref *r, const float *x) {
  const sni_am_shape *const s = &r->v->shape;
  const size_t C = (size_t)s->n_codebooks, K = (size_t)s->n_streams;
  const size_t G = (size_t)s->n_gauss;
  const bool clipped = isfinite(r->v->clip);
  double largest = 0;
  for (size_t k = 0; k < K; k++) {
    const int32_t *const dims = gmm_ref_dims(r, k);
    const size_t D = (size_t)r->v->stream_len[k];
    double best = -HUGE_VAL;
    for (size_t c = 0; c < C; c++) {
      if (!clipped) best = -HUGE_VAL;
      for (size_t g = 0; g < G; g++) {
        double sum = 0;
        for (size_t d = 0; d < D; d++) {
          const size_t at = r->means_at[c * K + k] + g * D + d;
          const double var = (double)r->v->vars[at];
          const double z = (double)x[dims[d]] - (double)r->v->means[at];
          sum -= 0.5 * (log(2 * 3.14159265358979323846 * var) + z * z / var);
        }
        r->density[(k * C + c) * G + g] = sum;
        best = fmax(best, sum);
      }
      if (!clipped) largest = fmax(largest, fabs(best));
    }
    if (clipped) largest = fmax(largest, fabs(best) + r->v->clip);
  }
  return largest + 100;
}

/* Best Gaussians first; equal ones by number. */
static inline void gmm_ref_sort(gmm_ref *r) {
  const sni_am_shape *const s = &r->v->shape;
  const size_t n_cb = (size_t)s->n_codebooks * (size_t)s->n_streams;
  const size_t G = (size_t)s->n_gauss, n = (size_t)s->top_n;
  for (size_t kc = 0; kc < n_cb; kc++) {
    const double *const d = r->density + kc * G;
    for (size_t j = 0; j < n; j++) {
      int best = -1;
      for (size_t g = 0; g < G; g++) {
        bool used = false;
        for (size_t i = 0; i < j; i++)
          used = used || r->order[kc * n + i] == (int)g;
        if (!used && (best < 0 || d[g] > d[best])) best = (int)g;
      }
      r->order[kc * n + j] = best;
    }
  }
}

static inline double gmm_ref_weight(const gmm_ref *r, size_t k, int g,
                                    size_t pdf) {
  const sni_am_shape *const s = &r->v->shape;
  const size_t K = (size_t)s->n_streams, G = (size_t)s->n_gauss;
  const size_t c = (size_t)r->v->pdf_codebook[pdf];
  const size_t n = (size_t)(r->first[c + 1] - r->first[c]);
  const size_t at = (size_t)r->first[c] * K * G + (k * G + (size_t)g) * n +
                    (size_t)r->rank[pdf];
  return r->v->weights8 != NULL ? exp(-r->v->weights8[at] * r->v->weight_unit)
                                : (double)r->v->weights[at];
}

/* Scores of one frame into out [N]. The best Gaussians may be given (order
 * filled, from the scorer under test) where ties in float decide. */
static inline void gmm_ref_score(gmm_ref *r, double *out) {
  const sni_am_shape *const s = &r->v->shape;
  const size_t C = (size_t)s->n_codebooks, K = (size_t)s->n_streams;
  const size_t G = (size_t)s->n_gauss, n = (size_t)s->top_n;
  for (size_t i = 0; i < (size_t)s->n_pdfs; i++) {
    const size_t c = (size_t)r->v->pdf_codebook[i];
    out[i] = 0;
    for (size_t k = 0; k < K; k++) {
      double best = -HUGE_VAL, sum = 0;
      for (size_t b = 0; b < C; b++)
        for (size_t g = 0; g < G; g++)
          best = fmax(best, r->density[(k * C + b) * G + g]);
      for (size_t j = 0; j < n; j++) {
        const int g = r->order[(k * C + c) * n + j];
        const double d = r->density[(k * C + c) * G + (size_t)g];
        sum += exp(fmax(d, best - r->v->clip)) * gmm_ref_weight(r, k, g, i);
      }
      out[i] += log(sum);
    }
  }
}

/* ---- PocketSphinx's arithmetic: inverse variances, determinants and
 * densities cut to whole numbers in units of log 1.0001, scores in units of
 * 1024 of them, sums by a table. Source: ms_gauden.c:gauden_dist_precompute,
 * ptm_mgau.c, tied_mgau_common.h, sphinxbase logmath.c. ---- */

static inline void gmm_ref_init_ps(gmm_ref *r) {
  const sni_am_view *const v = r->v;
  const size_t K = (size_t)v->shape.n_streams, G = (size_t)v->shape.n_gauss;
  const size_t C = (size_t)v->shape.n_codebooks;
  const double inv = 1.0 / log(1.0001);
  size_t total = 0;
  for (size_t k = 0; k < K; k++) total += C * G * (size_t)v->stream_len[k];
  r->int_vars = calloc(total, sizeof *r->int_vars);
  r->int_dets = calloc(C * K * G, sizeof *r->int_dets);
  for (size_t ck = 0, at = 0; ck < C * K; ck++)
    for (size_t g = 0; g < G; g++)
      for (int32_t d = 0; d < v->stream_len[ck % K]; d++, at++) {
        const double two_var = 2 * (double)v->vars[at];
        r->int_vars[at] = (float)(int)(inv / two_var);
        r->int_dets[ck * G + g] +=
            (float)(int)(-0.5 * log(two_var * 3.14159265358979323846) * inv);
      }
  double ratio = 1;
  for (int i = 0; i < 256 * 1024; i++) {
    const int k = ((int)(log(1 + ratio) * inv + 512)) >> 10;
    if (k <= 0) break;
    if (r->add_table[i >> 10] == 0) r->add_table[i >> 10] = (uint8_t)k;
    ratio /= 1.0001;
  }
}

/* Costs of one frame, the least of them 0, into out [N]; weights8 models. */
static inline void gmm_ref_score_ps(gmm_ref *r, const float *x, int *out) {
  const sni_am_view *const v = r->v;
  const size_t C = (size_t)v->shape.n_codebooks, K = (size_t)v->shape.n_streams;
  const size_t G = (size_t)v->shape.n_gauss, n = (size_t)v->shape.top_n;
  for (size_t k = 0; k < K; k++)
    for (size_t c = 0; c < C; c++)
      for (size_t g = 0; g < G; g++) {
        const size_t D = (size_t)v->stream_len[k];
        const size_t at = r->means_at[c * K + k] + g * D;
        const int32_t *const dims = gmm_ref_dims(r, k);
        float d = r->int_dets[(c * K + k) * G + g];
        for (size_t i = 0; i < D; i++) {
          const float z = x[dims[i]] - v->means[at + i];
          d -= z * z * r->int_vars[at + i];
        }
        r->int_density[(k * C + c) * G + g] = (int)d;
        r->density[(k * C + c) * G + g] = (int)d;
      }
  gmm_ref_sort(r);
  int least = INT32_MAX;
  for (size_t i = 0; i < (size_t)v->shape.n_pdfs; i++) {
    const size_t c = (size_t)v->pdf_codebook[i];
    const size_t n_pdfs = (size_t)(r->first[c + 1] - r->first[c]);
    out[i] = 0;
    for (size_t k = 0; k < K; k++) {
      int best = INT32_MIN, sum = 0;
      for (size_t b = 0; b < C; b++) {
        const int g = r->order[(k * C + b) * n];
        const int d = r->int_density[(k * C + b) * G + (size_t)g] >> 10;
        if (d > best) best = d;
      }
      for (size_t j = 0; j < n; j++) {
        const size_t g = (size_t)r->order[(k * C + c) * n + j];
        int d = best - (r->int_density[(k * C + c) * G + g] >> 10);
        if (d > 96) d = 96;
        d += v->weights8[(size_t)r->first[c] * K * G + (k * G + g) * n_pdfs +
                         (size_t)r->rank[i]];
        if (j == 0) {
          sum = d;
        } else {
          const int low = sum < d ? sum : d, apart = abs(sum - d);
          sum = low - (apart < 256 ? r->add_table[apart] : 0);
        }
      }
      out[i] += sum;
    }
    if (out[i] < least) least = out[i];
  }
  for (size_t i = 0; i < (size_t)v->shape.n_pdfs; i++) out[i] -= least;
}
#endif
