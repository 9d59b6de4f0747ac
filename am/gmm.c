/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of Gaussian mixtures: all pdfs of a block of frames.
 *
 * en-us: C = 42 codebooks, K = 3 streams of 13 dimensions, G = 128 Gaussians,
 * N = 5126 pdfs: 209,664 terms and 61,512 weights a frame.
 *
 * 1. Log-densities of all Gaussians, a chunk of codebooks at a time, for the
 *    whole block: parameters are read once a block and the result stays in
 *    the first-level cache. A term is ((x - m) s)^2 with s = 1/sqrt(2 var),
 *    computed as (x s + q)^2, q = -m s: two multiply-adds, as many as in the
 *    product of [x, x^2, 1] with a parameter matrix, but without the
 *    cancellation of squares, and summed in one order whatever the block's
 *    size (a BLAS does neither).
 * 2. The top_n Gaussians of each codebook and stream.
 * 3. Densities relative to a reference: where they are clipped the best of the
 *    frame's stream, over all codebooks; else the best of the codebook. So the
 *    exponentials are at most 1 and, clipped, at least exp(-clip).
 * 4. For each codebook, the product over streams of the weighted sums of
 *    exponentials. Weights and exponentials are at most 1 and, from Sphinx
 *    files, at least exp(-26) and exp(-9.9): a sum lies in [2e-16, 1]. Each is
 *    scaled by 2^26, so that a product of four lies in [8e-32, 3e31], inside
 *    float; beyond four streams the logs of fours are added.
 * 5. One log for each pdf; the references and scales come back.
 *
 * Sources: cmusphinx/pocketsphinx ptm_mgau.c (steps 2 to 4), ms_gauden.c.
 * Deviates: exact densities and sums where PocketSphinx rounds to integers and
 * adds logs by an 8-bit table; top Gaussians are the true ones, where
 * PocketSphinx searches from those of the frame before. */
#include <math.h>
#include <string.h>

#include "am/gmm_internal.h"
#include "base/mem.h"

#define SCALE_BITS 26
#define STREAMS_PER_LOG 4

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

static size_t n_groups(size_t n_gauss) {
  return (n_gauss + SNI_GMM_LANES - 1) / SNI_GMM_LANES;
}

static size_t group_floats(size_t n_dims) {
  return (1 + 2 * n_dims) * SNI_GMM_LANES;
}

/* Groups of all chunks; only the last chunk may be partly filled. */
static size_t all_groups(const sni_gmm *g) {
  const size_t full = g->n_codebooks / g->chunk;
  const size_t rest = g->n_codebooks % g->chunk;
  return full * n_groups(g->chunk * g->n_gauss) + n_groups(rest * g->n_gauss);
}

/* ---- Tables ---- */

/* Codebooks whose Gaussians fill whole groups, some 128 of them. */
static size_t choose_chunk(size_t n_gauss) {
  size_t n = 1;
  while (n * n_gauss % SNI_GMM_LANES != 0) n++;
  const size_t step = n;
  while (n * n_gauss < 128) n += step;
  return n;
}

/* log of the product of n variances: few logs, since eight floats can neither
 * overflow nor underflow a double. */
static double log_product(const float *v, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n;) {
    double p = 1;
    for (const size_t end = min_size(n, i + 8); i < end; i++) p *= (double)v[i];
    sum += log(p);
  }
  return sum;
}

/* Gaussian number n of a stream into its lane. false: a parameter overflows. */
static bool place_gauss(float *group, size_t lane, const float *mean,
                        const float *var, size_t n_dims) {
  static const double log_2pi = 1.8378770664093454836;
  float *to = group + lane;
  bool ok = true;
  *to = (float)(-0.5 * ((double)n_dims * log_2pi + log_product(var, n_dims)));
  ok = ok && isfinite(*to);
  for (size_t d = 0; d < n_dims; d++) {
    const double s = sqrt(0.5 / (double)var[d]);
    to += SNI_GMM_LANES;
    *to = (float)s;
    ok = ok && isfinite(*to);
    to += SNI_GMM_LANES;
    *to = (float)(-(double)mean[d] * s);
    ok = ok && isfinite(*to);
  }
  return ok;
}

/* means: of stream k in codebook 0; codebooks are `stride` apart. */
static sn_status fill_stream(sni_gmm *g, size_t k, const float *means,
                             const float *vars, size_t stride, sn_err *err) {
  sni_gmm_stream *const st = &g->streams[k];
  const size_t D = st->n_dims, G = g->n_gauss;
  st->params =
      sn_calloc_aligned(all_groups(g), group_floats(D) * sizeof(float));
  if (st->params == NULL) return sn_fail_nomem(err, "acoustic model");
  for (size_t c = 0; c < g->n_codebooks; c++) {
    for (size_t i = 0; i < G; i++) {
      const size_t n = c * G + i, at = c * stride + i * D;
      float *const group = st->params + n / SNI_GMM_LANES * group_floats(D);
      if (!place_gauss(group, n % SNI_GMM_LANES, means + at, vars + at, D))
        return sn_fail(err, SN_EFORMAT,
                       "codebook %zu, stream %zu, Gaussian %zu: mean too large "
                       "for its variance",
                       c, k, i);
    }
  }
  return SN_OK;
}

static sn_status fill_streams(sni_gmm *g, const sni_am_view *v, sn_err *err) {
  const int32_t *dims = v->stream_dims;
  size_t stride = 0, at = 0;
  for (size_t k = 0; k < g->n_streams; k++)
    stride += g->n_gauss * (size_t)v->stream_len[k];
  for (size_t k = 0; k < g->n_streams; k++) {
    const size_t D = (size_t)v->stream_len[k];
    g->streams[k].n_dims = D;
    g->streams[k].dims = dims;
    SN_TRY(fill_stream(g, k, v->means + at, v->vars + at, stride, err));
    if (D > g->max_dims) g->max_dims = D;
    dims += D;
    at += g->n_gauss * D;
  }
  return SN_OK;
}

static sn_status fill_pdfs(sni_gmm *g, const sni_am_view *v, sn_err *err) {
  g->first = sn_calloc(g->n_codebooks + 1, sizeof *g->first);
  g->order = sn_calloc(g->n_pdfs, sizeof *g->order);
  g->run = sn_calloc(g->n_pdfs, sizeof *g->run);
  size_t *const next = sn_calloc(g->n_codebooks, sizeof *next);
  if (g->first == NULL || g->order == NULL || g->run == NULL || next == NULL) {
    sn_free(next);
    return sn_fail_nomem(err, "acoustic model");
  }
  for (size_t i = 0; i < g->n_pdfs; i++) g->first[v->pdf_codebook[i] + 1]++;
  for (size_t c = 0; c < g->n_codebooks; c++) {
    g->first[c + 1] += g->first[c];
    next[c] = g->first[c];
  }
  for (size_t i = 0; i < g->n_pdfs; i++)
    g->order[next[v->pdf_codebook[i]]++] = (int32_t)i;
  sn_free(next);
  for (size_t c = 0; c < g->n_codebooks; c++) {
    for (size_t i = g->first[c]; i < g->first[c + 1]; i += g->run[i]) {
      size_t n = 1;
      while (i + n < g->first[c + 1] &&
             g->order[i + n] == g->order[i] + (int32_t)n)
        n++;
      g->run[i] = n;
    }
  }
  return SN_OK;
}

static sn_status fill_weights(sni_gmm *g, const sni_am_view *v,
                              const sni_gmm *like, sn_err *err) {
  const size_t n = g->n_streams * g->n_gauss * g->n_pdfs;
  float table[256];
  if (v->weights != NULL || like != NULL) {
    g->weights = v->weights != NULL ? v->weights : like->weights;
    return SN_OK;
  }
  g->own_weights = sn_calloc_aligned(n, sizeof *g->own_weights);
  if (g->own_weights == NULL) return sn_fail_nomem(err, "acoustic model");
  for (int i = 0; i < 256; i++) table[i] = (float)exp(-i * v->weight_unit);
  for (size_t i = 0; i < n; i++) g->own_weights[i] = table[v->weights8[i]];
  g->weights = g->own_weights;
  return SN_OK;
}

static sn_status fill(sni_gmm *g, const sni_am_view *v, const sni_gmm *like,
                      sn_err *err) {
  g->streams = sn_calloc(g->n_streams, sizeof *g->streams);
  if (g->streams == NULL) return sn_fail_nomem(err, "acoustic model");
  if (v->gauss_first != NULL) return sni_ragged_fill(g, v, err);
  SN_TRY(fill_streams(g, v, err));
  SN_TRY(fill_pdfs(g, v, err));
  return fill_weights(g, v, like, err);
}

sn_status sni_gmm_create(const sni_am_view *v, sni_gmm **out, sn_err *err) {
  return sni_gmm_create_like(v, NULL, out, err);
}

sn_status sni_gmm_create_like(const sni_am_view *v, const sni_gmm *like,
                              sni_gmm **out, sn_err *err) {
  const sni_am_shape *const s = &v->shape;
  *out = NULL;
  sni_gmm *const g = sn_calloc(1, sizeof *g);
  if (g == NULL) return sn_fail_nomem(err, "acoustic model");
  g->n_codebooks = (size_t)s->n_codebooks;
  g->n_streams = (size_t)s->n_streams;
  g->n_gauss = (size_t)s->n_gauss;
  g->n_pdfs = (size_t)s->n_pdfs;
  g->dim = (size_t)s->dim;
  g->top_n = (size_t)s->top_n;
  g->chunk = choose_chunk(g->n_gauss);
  g->clip = (float)v->clip;
  g->kernels = sni_gmm_best_kernels();
  const sn_status st = fill(g, v, like, err);
  if (st != SN_OK) {
    sni_gmm_destroy(g);
    return st;
  }
  *out = g;
  return SN_OK;
}

void sni_gmm_destroy(sni_gmm *g) {
  if (g == NULL) return;
  for (size_t k = 0; k < g->n_streams && g->streams != NULL; k++)
    sn_free_aligned(g->streams[k].params);
  sn_free(g->streams);
  sn_free(g->first);
  sn_free(g->order);
  sn_free(g->run);
  sn_free_aligned(g->own_weights);
  sn_free(g);
}

/* ---- Scratch ---- */

static sn_status ragged_work(const sni_gmm *g, sni_gmm_work *w, sn_err *err) {
  const size_t ld = sni_ragged_groups(g) * SNI_GMM_LANES;
  memset(w, 0, sizeof *w);
  w->x = sn_calloc_aligned(g->max_dims * SNI_GMM_BLOCK, sizeof *w->x);
  w->density = sn_calloc_aligned(ld * SNI_GMM_BLOCK, sizeof *w->density);
  if (w->x != NULL && w->density != NULL) return SN_OK;
  sni_gmm_work_clear(w);
  return sn_fail_nomem(err, "acoustic scorer");
}

sn_status sni_gmm_work_init(const sni_gmm *g, sni_gmm_work *w, sn_err *err) {
  if (g->gauss_first != NULL) return ragged_work(g, w, err);
  const size_t n_top = g->n_streams * g->top_n;
  const size_t n_all = n_top * g->n_codebooks * SNI_GMM_BLOCK;
  const size_t chunk = min_size(g->chunk, g->n_codebooks);
  const size_t ld = n_groups(chunk * g->n_gauss) * SNI_GMM_LANES;
  memset(w, 0, sizeof *w);
  w->x = sn_calloc_aligned(g->max_dims * SNI_GMM_BLOCK, sizeof *w->x);
  w->density = sn_calloc_aligned(ld * SNI_GMM_BLOCK, sizeof *w->density);
  w->top = sn_calloc(n_all, sizeof *w->top);
  w->top_logp = sn_calloc(n_all, sizeof *w->top_logp);
  w->rows = sn_calloc(n_top, sizeof *w->rows);
  w->e = sn_calloc(n_all, sizeof *w->e);
  w->common = sn_calloc(SNI_GMM_BLOCK, sizeof *w->common);
  w->sum = sn_calloc_aligned(SNI_GMM_BLOCK * g->n_pdfs, sizeof *w->sum);
  if (g->n_streams > STREAMS_PER_LOG)
    w->prod = sn_calloc_aligned(SNI_GMM_BLOCK * g->n_pdfs, sizeof *w->prod);
  if (w->x == NULL || w->density == NULL || w->top == NULL ||
      w->top_logp == NULL || w->rows == NULL || w->e == NULL ||
      w->common == NULL || w->sum == NULL ||
      (w->prod == NULL && g->n_streams > STREAMS_PER_LOG)) {
    sni_gmm_work_clear(w);
    return sn_fail_nomem(err, "acoustic scorer");
  }
  return SN_OK;
}

void sni_gmm_work_clear(sni_gmm_work *w) {
  sn_free_aligned(w->x);
  sn_free_aligned(w->density);
  sn_free(w->top);
  sn_free(w->top_logp);
  sn_free(w->rows);
  sn_free(w->e);
  sn_free(w->common);
  sn_free_aligned(w->prod);
  sn_free_aligned(w->sum);
  memset(w, 0, sizeof *w);
}

/* ---- Scoring ---- */

/* Where the top Gaussians of frame t, stream k, codebook 0 stand. */
static size_t top_at(const sni_gmm *g, size_t t, size_t k) {
  return (t * g->n_streams + k) * g->n_codebooks * g->top_n;
}

/* Steps 1 and 2 for one stream. */
static void score_stream(const sni_gmm *g, sni_gmm_work *w, size_t k,
                         sn_cmat feats) {
  const sni_gmm_stream *const st = &g->streams[k];
  const size_t D = st->n_dims, G = g->n_gauss;
  const float *params = st->params;
  for (size_t t = 0; t < feats.rows; t++) {
    const float *const row = sn_cmat_row(feats, t);
    for (size_t d = 0; d < D; d++) w->x[t * D + d] = row[st->dims[d]];
  }
  for (size_t c0 = 0; c0 < g->n_codebooks; c0 += g->chunk) {
    const size_t n_cb = min_size(g->chunk, g->n_codebooks - c0);
    const size_t groups = n_groups(n_cb * G), ld = groups * SNI_GMM_LANES;
    g->kernels->densities(params, groups, D, w->x, feats.rows, w->density, ld);
    params += groups * group_floats(D);
    for (size_t t = 0; t < feats.rows; t++) {
      for (size_t c = 0; c < n_cb; c++) {
        const size_t at = top_at(g, t, k) + (c0 + c) * g->top_n;
        g->kernels->top(w->density + t * ld + c * G, G, g->top_n, w->top + at,
                        w->top_logp + at);
      }
    }
  }
}

/* Step 3: scaled exponentials of a stream's top Gaussians into e, [C][K][top]
 * at k; returns the common reference, 0 where each codebook has its own. */
static float exponentials(const sni_gmm *g, const float *logp, size_t k,
                          float *e) {
  const size_t n = g->top_n, C = g->n_codebooks;
  const float scale = (float)(1 << SCALE_BITS);
  const bool clipped = isfinite(g->clip);
  float best = logp[0];
  for (size_t c = 1; c < C; c++)
    if (logp[c * n] > best) best = logp[c * n];
  for (size_t c = 0; c < C; c++) {
    const float ref = clipped ? best : logp[c * n];
    float *const to = e + (c * g->n_streams + k) * n;
    for (size_t j = 0; j < n; j++) {
      const float d = logp[c * n + j] - ref;
      to[j] = expf(d > -g->clip ? d : -g->clip) * scale;
    }
  }
  return clipped ? best : 0.0f;
}

/* Rows of the weights that the top Gaussians of frame t and codebook c pick
 * in streams [k0, k0 + n_k). */
static void pick_rows(const sni_gmm *g, const sni_gmm_work *w, size_t t,
                      size_t c, size_t k0, size_t n_k) {
  const size_t n = g->top_n, G = g->n_gauss;
  const size_t first = g->first[c], n_pdfs = g->first[c + 1] - first;
  const float *const weights = g->weights + first * g->n_streams * G;
  for (size_t k = 0; k < n_k; k++) {
    const int32_t *const top = w->top + top_at(g, t, k0 + k) + c * n;
    for (size_t j = 0; j < n; j++)
      w->rows[k * n + j] = weights + ((k0 + k) * G + (size_t)top[j]) * n_pdfs;
  }
}

/* Steps 4 and 5 for streams [k0, k0 + n_k): adds to w->sum. Frames are the
 * inner loop: neighbours mostly pick the same rows. */
static void mix_streams(const sni_gmm *g, sni_gmm_work *w, size_t n_frames,
                        size_t k0, size_t n_k) {
  const size_t n = g->top_n, K = g->n_streams, N = g->n_pdfs;
  float *const to = k0 == 0 ? w->sum : w->prod;
  for (size_t c = 0; c < g->n_codebooks; c++) {
    const size_t first = g->first[c], n_pdfs = g->first[c + 1] - first;
    for (size_t t = 0; t < n_frames && n_pdfs > 0; t++) {
      const float *const e = w->e + ((t * g->n_codebooks + c) * K + k0) * n;
      pick_rows(g, w, t, c, k0, n_k);
      g->kernels->mix(w->rows, e, n_k, n, n_pdfs, to + t * N + first);
    }
  }
  for (size_t t = 0; t < n_frames; t++) g->kernels->logs(to + t * N, N);
  if (k0 == 0) return;
  for (size_t i = 0; i < n_frames * N; i++) w->sum[i] += w->prod[i];
}

static void add_references(const sni_gmm *g, const sni_gmm_work *w, size_t t,
                           float *out) {
  const float *const sum = w->sum + t * g->n_pdfs;
  for (size_t c = 0; c < g->n_codebooks; c++) {
    double ref = w->common[t];
    if (!isfinite(g->clip))
      for (size_t k = 0; k < g->n_streams; k++)
        ref += (double)w->top_logp[top_at(g, t, k) + c * g->top_n];
    const float add = (float)ref;
    for (size_t i = g->first[c]; i < g->first[c + 1]; i += g->run[i]) {
      float *const to = out + g->order[i];
      for (size_t j = 0; j < g->run[i]; j++) to[j] = sum[i + j] + add;
    }
  }
}

void sni_gmm_score(const sni_gmm *g, sni_gmm_work *w, sn_cmat feats,
                   sn_mat out) {
  const size_t K = g->n_streams, T = feats.rows;
  SN_ASSERT(T <= SNI_GMM_BLOCK && feats.cols == g->dim);
  SN_ASSERT(out.rows == T && out.cols == g->n_pdfs);
  if (g->gauss_first != NULL) {
    sni_ragged_score(g, w, feats, out);
    return;
  }
  for (size_t k = 0; k < K; k++) score_stream(g, w, k, feats);
  for (size_t t = 0; t < T; t++) {
    float *const e = w->e + t * g->n_codebooks * K * g->top_n;
    w->common[t] = -(double)K * SCALE_BITS * 0.69314718055994531;
    for (size_t k = 0; k < K; k++)
      w->common[t] +=
          (double)exponentials(g, w->top_logp + top_at(g, t, k), k, e);
  }
  for (size_t k = 0; k < K; k += STREAMS_PER_LOG)
    mix_streams(g, w, T, k, min_size(STREAMS_PER_LOG, K - k));
  for (size_t t = 0; t < T; t++) add_references(g, w, t, sn_mat_row(out, t));
}

sn_status sn_am_score_block(const sn_am *am, sn_cmat feats, sn_mat out,
                            sn_err *err) {
  const sni_gmm *const g = sni_am_gmm(am);
  sni_gmm_work w;
  if (feats.cols != g->dim || out.cols != g->n_pdfs || out.rows != feats.rows)
    return sn_fail(err, SN_EARG,
                   "scoring: features of %zu dimensions into rows of %zu, the "
                   "model has %zu and %zu",
                   feats.cols, out.cols, g->dim, g->n_pdfs);
  SN_TRY(sni_gmm_work_init(g, &w, err));
  for (size_t t = 0; t < feats.rows; t += SNI_GMM_BLOCK) {
    const size_t n = min_size(SNI_GMM_BLOCK, feats.rows - t);
    const sn_cmat x = {sn_cmat_row(feats, t), n, feats.cols, feats.stride};
    sni_gmm_score(g, &w, x, sn_mat_rows(out, t, n));
  }
  sni_gmm_work_clear(&w);
  return SN_OK;
}
