/* SPDX-License-Identifier: Apache-2.0 */
/* Which Gaussians of a model answer for a frame, and what they add to the
 * statistics of fMLLR.
 *
 * Only the codebook of the frame's pdf is looked at: G Gaussians of each
 * stream (en-us: 3 x 128 x 13 multiply-adds), in double, by the model's own
 * means and variances; the scorer's tables are laid out for blocks of frames
 * and all codebooks. */
#include <math.h>
#include <string.h>

#include "am/fmllr.h"
#include "am/gmm_internal.h"
#include "base/mem.h"

struct sn_fmllr_work {
  size_t n_gauss, n_post, dim;
  float *logp;              /* [G] densities of a stream */
  sn_am_gauss *post;        /* [K x top_n] */
  double *precision, *mean; /* [D] */
};

sn_status sn_fmllr_work_create(const sn_am *am, sn_fmllr_work **out,
                               sn_err *err) {
  const sni_am_shape *const s = &sni_am_view_of(am)->shape;
  *out = NULL;
  sn_fmllr_work *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, "fMLLR");
  w->n_gauss = (size_t)s->n_gauss;
  w->n_post = (size_t)s->n_streams * (size_t)s->top_n;
  w->dim = (size_t)s->dim;
  w->logp = sn_calloc(w->n_gauss, sizeof *w->logp);
  w->post = sn_calloc(w->n_post, sizeof *w->post);
  w->precision = sn_calloc(w->dim, sizeof *w->precision);
  w->mean = sn_calloc(w->dim, sizeof *w->mean);
  if (w->logp == NULL || w->post == NULL || w->precision == NULL ||
      w->mean == NULL) {
    sn_fmllr_work_destroy(w);
    return sn_fail_nomem(err, "fMLLR");
  }
  *out = w;
  return SN_OK;
}

void sn_fmllr_work_destroy(sn_fmllr_work *w) {
  if (w == NULL) return;
  sn_free(w->logp);
  sn_free(w->post);
  sn_free(w->precision);
  sn_free(w->mean);
  sn_free(w);
}

/* Where Gaussian 0 of a stream stands in the means of codebook c. */
static size_t gauss_at(const sni_gmm *g, size_t c, size_t stream) {
  size_t before = 0, all = 0;
  for (size_t k = 0; k < g->n_streams; k++) {
    if (k < stream) before += g->streams[k].n_dims;
    all += g->streams[k].n_dims;
  }
  return g->n_gauss * (c * all + before);
}

size_t sn_am_gauss_at(const sn_am *am, int32_t pdf, int32_t stream,
                      int32_t index, const float **mean, const float **var) {
  const sni_am_view *const v = sni_am_view_of(am);
  const sni_gmm *const g = sni_am_gmm(am);
  SN_ASSERT(pdf >= 0 && pdf < v->shape.n_pdfs);
  SN_ASSERT(stream >= 0 && stream < v->shape.n_streams);
  SN_ASSERT(index >= 0 && index < v->shape.n_gauss);
  const size_t D = g->streams[stream].n_dims;
  const size_t at =
      g->gauss_first != NULL
          ? ((size_t)g->gauss_first[pdf] + (size_t)index) * D
          : gauss_at(g, (size_t)v->pdf_codebook[pdf], (size_t)stream) +
                (size_t)index * D;
  *mean = v->means + at;
  *var = v->vars + at;
  return D;
}

/* Number of a pdf among those of its codebook c: they rise. */
static size_t rank_in_codebook(const sni_gmm *g, size_t c, int32_t pdf) {
  size_t lo = g->first[c], hi = g->first[c + 1];
  while (hi - lo > 1) {
    const size_t mid = lo + (hi - lo) / 2;
    if (g->order[mid] <= pdf)
      lo = mid;
    else
      hi = mid;
  }
  return lo - g->first[c];
}

/* Log-densities of G Gaussians of a stream from `first` on, from the scorer's
 * table; rounding: see gmm.c. */
static void densities(const sni_gmm *g, size_t k, size_t first, size_t G,
                      const float *x, float *out) {
  const sni_gmm_stream *const st = &g->streams[k];
  const size_t D = st->n_dims;
  const size_t group = (1 + 2 * D) * SNI_GMM_LANES;
  for (size_t i = 0; i < G; i++) {
    const size_t n = first + i;
    const float *p = st->params + n / SNI_GMM_LANES * group + n % SNI_GMM_LANES;
    float sum = *p;
    for (size_t d = 0; d < D; d++) {
      p += 2 * SNI_GMM_LANES;
      const float z = x[st->dims[d]] * p[-SNI_GMM_LANES] + p[0];
      sum -= z * z;
    }
    out[i] = sum;
  }
}

/* Posteriors of one stream into post [top_n]. */
static void stream_posteriors(const sni_gmm *g, const sn_fmllr_work *w,
                              size_t c, size_t rank, size_t k,
                              sn_am_gauss *post) {
  const size_t n = g->top_n, n_pdfs = g->first[c + 1] - g->first[c];
  const float *const weights =
      g->weights + (g->first[c] * g->n_streams + k * n_pdfs) * g->n_gauss;
  int32_t top[SNI_AM_MAX_TOP];
  float logp[SNI_AM_MAX_TOP];
  double sum = 0;
  g->kernels->top(w->logp, g->n_gauss, n, top, logp);
  for (size_t j = 0; j < n; j++) {
    const double weight = (double)weights[(size_t)top[j] * n_pdfs + rank];
    const double p = weight * exp((double)logp[j] - (double)logp[0]);
    post[j] = (sn_am_gauss){(int32_t)k, top[j], (float)p};
    sum += p;
  }
  if (!(sum > 0)) { /* the densest have no weight at all */
    post[0].posterior = 1.0f;
    return;
  }
  for (size_t j = 0; j < n; j++)
    post[j].posterior = (float)((double)post[j].posterior / sum);
}

/* Where each pdf has Gaussians of its own number: their weights are in the
 * densities. */
static size_t own_posteriors(const sni_gmm *g, sn_fmllr_work *w, const float *x,
                             int32_t pdf, const sn_am_gauss **out) {
  const size_t first = (size_t)g->gauss_first[pdf];
  const size_t n = (size_t)g->gauss_first[pdf + 1] - first;
  const size_t top_n = n < g->top_n ? n : g->top_n;
  int32_t top[SNI_AM_MAX_TOP];
  float logp[SNI_AM_MAX_TOP];
  double sum = 0;
  densities(g, 0, first, n, x, w->logp);
  g->kernels->top(w->logp, n, top_n, top, logp);
  for (size_t j = 0; j < top_n; j++)
    sum += exp((double)logp[j] - (double)logp[0]);
  for (size_t j = 0; j < top_n; j++)
    w->post[j] = (sn_am_gauss){
        0, top[j], (float)(exp((double)logp[j] - (double)logp[0]) / sum)};
  *out = w->post;
  return top_n;
}

size_t sn_am_posteriors(const sn_am *am, sn_fmllr_work *w, const float *x,
                        int32_t pdf, const sn_am_gauss **out) {
  const sni_am_view *const v = sni_am_view_of(am);
  const sni_gmm *const g = sni_am_gmm(am);
  SN_ASSERT(pdf >= 0 && pdf < v->shape.n_pdfs);
  SN_ASSERT(g->n_gauss <= w->n_gauss && g->n_streams * g->top_n <= w->n_post);
  if (g->gauss_first != NULL) return own_posteriors(g, w, x, pdf, out);
  const size_t c = (size_t)v->pdf_codebook[pdf];
  const size_t rank = rank_in_codebook(g, c, pdf);
  for (size_t k = 0; k < g->n_streams; k++) {
    densities(g, k, c * g->n_gauss, g->n_gauss, x, w->logp);
    stream_posteriors(g, w, c, rank, k, w->post + k * g->top_n);
  }
  *out = w->post;
  return g->n_streams * g->top_n;
}

static sn_status check(const sn_am *am, const sn_am *other, int32_t pdf,
                       const sn_fmllr_stats *s, sn_err *err) {
  const sni_am_shape *const a = &sni_am_view_of(am)->shape;
  const sni_am_shape *const b = &sni_am_view_of(other)->shape;
  if (a->n_pdfs != b->n_pdfs || a->n_streams != b->n_streams ||
      a->n_gauss != b->n_gauss || a->n_codebooks != b->n_codebooks ||
      a->dim != b->dim)
    return sn_fail(err, SN_EARG,
                   "fMLLR: two models that do not have the same Gaussians");
  if (s->dim != (size_t)a->dim)
    return sn_fail(err, SN_EARG,
                   "fMLLR: statistics of %zu dimensions for a model of %d",
                   s->dim, a->dim);
  if (pdf < 0 || pdf >= a->n_pdfs)
    return sn_fail(err, SN_EARG, "fMLLR: pdf %d of a model with %d", pdf,
                   a->n_pdfs);
  return SN_OK;
}

/* Adds to w->precision and w->mean what the Gaussians of a pdf say. */
static void add_pdf(const sn_am *am, const sn_am *for_posteriors,
                    sn_fmllr_work *w, int32_t pdf, double weight,
                    const float *x) {
  const sni_gmm *const g = sni_am_gmm(am);
  const sn_am_gauss *post;
  const size_t n = sn_am_posteriors(for_posteriors, w, x, pdf, &post);
  for (size_t i = 0; i < n; i++) {
    const float *mean, *var;
    const double p = weight * (double)post[i].posterior;
    if (!(p > 1e-8 * weight)) continue;
    const size_t D =
        sn_am_gauss_at(am, pdf, post[i].stream, post[i].index, &mean, &var);
    const int32_t *const dims = g->streams[post[i].stream].dims;
    for (size_t d = 0; d < D; d++) {
      const double a = p / (double)var[d];
      w->precision[dims[d]] += a;
      w->mean[dims[d]] += a * (double)mean[d];
    }
  }
}

sn_status sn_am_fmllr_accumulate_all(const sn_am *am,
                                     const sn_am *for_posteriors,
                                     sn_fmllr_work *w, const sn_am_part *parts,
                                     size_t n, const float *x_post,
                                     const float *x, sn_fmllr_stats *s,
                                     sn_err *err) {
  double total = 0;
  for (size_t i = 0; i < n; i++)
    SN_TRY(check(am, for_posteriors, parts[i].pdf, s, err));
  memset(w->precision, 0, s->dim * sizeof *w->precision);
  memset(w->mean, 0, s->dim * sizeof *w->mean);
  for (size_t i = 0; i < n; i++) {
    if (!(parts[i].weight > 0)) continue;
    add_pdf(am, for_posteriors, w, parts[i].pdf, parts[i].weight, x_post);
    total += parts[i].weight;
  }
  if (total > 0) sn_fmllr_stats_frame(s, x, w->precision, w->mean, total);
  return SN_OK;
}

sn_status sn_am_fmllr_accumulate(const sn_am *am, const sn_am *for_posteriors,
                                 sn_fmllr_work *w, int32_t pdf, double weight,
                                 const float *x_post, const float *x,
                                 sn_fmllr_stats *s, sn_err *err) {
  const sn_am_part part = {pdf, weight};
  return sn_am_fmllr_accumulate_all(am, for_posteriors, w, &part, 1, x_post, x,
                                    s, err);
}
