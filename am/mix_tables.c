/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of mixtures in training. Two loops use one table: an utterance is
 * scored 16 frames at a time, frames side by side in the vector, so that a pdf
 * of any number of Gaussians wastes nothing; posteriors of one frame have the
 * Gaussians side by side.
 *
 * Table of a pdf: c[P], then s[P], q[P] for each dimension; P is the number of
 * Gaussians rounded up to 8, the rest have c = -1e30 and s = q = 0:
 *   log density = c - sum over d of (x_d s_d + q_d)^2, log weight in c. */
#include <math.h>
#include <string.h>

#include "am/mixtures.h"
#include "base/mem.h"

enum { FRAMES = 16, PAD = 8 };

struct sn_mix_tables {
  size_t n_pdfs, dim;
  const int32_t *first; /* of the mixtures; borrowed */
  size_t *at;           /* [N] where the pdf's table stands */
  float *params;
};

static size_t padded(size_t n) { return (n + PAD - 1) / PAD * PAD; }

static size_t n_of(const sn_mix_tables *t, int32_t pdf) {
  return (size_t)(t->first[pdf + 1] - t->first[pdf]);
}

static void fill_pdf(const sn_mixtures *m, size_t i, float *to) {
  const size_t D = m->dim, a = (size_t)m->first[i];
  const size_t n = (size_t)m->first[i + 1] - a, P = padded(n);
  for (size_t g = 0; g < P; g++) to[g] = -1e30f;
  for (size_t g = 0; g < n; g++) {
    double c = log(fmax((double)m->weights[a + g], 1e-30));
    for (size_t d = 0; d < D; d++) {
      const double v = (double)m->vars[(a + g) * D + d], s = sqrt(0.5 / v);
      c -= 0.5 * log(2 * 3.14159265358979323846 * v);
      to[(1 + 2 * d) * P + g] = (float)s;
      to[(2 + 2 * d) * P + g] = (float)(-(double)m->means[(a + g) * D + d] * s);
    }
    to[g] = (float)c;
  }
}

sn_status sn_mix_tables_create(const sn_mixtures *m, sn_mix_tables **out,
                               sn_err *err) {
  *out = NULL;
  sn_mix_tables *const t = sn_calloc(1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "mixtures");
  size_t n = 0;
  t->n_pdfs = m->n_pdfs;
  t->dim = m->dim;
  t->first = m->first;
  t->at = sn_calloc(m->n_pdfs, sizeof *t->at);
  for (size_t i = 0; t->at != NULL && i < m->n_pdfs; i++) {
    t->at[i] = n;
    n += padded(n_of(t, (int32_t)i)) * (1 + 2 * m->dim);
  }
  t->params = sn_calloc_aligned(n, sizeof *t->params);
  if (t->at == NULL || t->params == NULL) {
    sn_mix_tables_destroy(t);
    return sn_fail_nomem(err, "mixtures");
  }
  for (size_t i = 0; i < m->n_pdfs; i++) fill_pdf(m, i, t->params + t->at[i]);
  *out = t;
  return SN_OK;
}

void sn_mix_tables_destroy(sn_mix_tables *t) {
  if (t == NULL) return;
  sn_free(t->at);
  sn_free_aligned(t->params);
  sn_free(t);
}

typedef float vec __attribute__((vector_size(32)));

/* Log-densities of one Gaussian for 16 frames; xt [D][16], 64-byte aligned. */
static inline __attribute__((always_inline)) void block_body(
    const float *p, size_t n, size_t P, size_t D, const float *xt,
    float (*out)[FRAMES]) {
  for (size_t g = 0; g < n; g++) {
    vec a0 = {0}, a1 = {0};
    const float *q = p + P + g;
    for (size_t d = 0; d < D; d++, q += 2 * P) {
      vec x0, x1;
      memcpy(&x0, xt + d * FRAMES, sizeof x0);
      memcpy(&x1, xt + d * FRAMES + 8, sizeof x1);
      x0 = x0 * q[0] + q[P];
      x1 = x1 * q[0] + q[P];
      a0 += x0 * x0;
      a1 += x1 * x1;
    }
    a0 = p[g] - a0;
    a1 = p[g] - a1;
    memcpy(out[g], &a0, sizeof a0);
    memcpy(out[g] + 8, &a1, sizeof a1);
  }
}

static void block_plain(const float *p, size_t n, size_t P, size_t D,
                        const float *xt, float (*out)[FRAMES]) {
  block_body(p, n, P, D, xt, out);
}

/* No fused multiply-add: the same bits as the plain one. */
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx2"))) static void block_avx2(const float *p, size_t n,
                                                       size_t P, size_t D,
                                                       const float *xt,
                                                       float (*out)[FRAMES]) {
  block_body(p, n, P, D, xt, out);
}
#endif

typedef void block_fn(const float *, size_t, size_t, size_t, const float *,
                      float (*)[FRAMES]);

static block_fn *choose(void) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx2")) return block_avx2;
#endif
  return block_plain;
}

static float log_sum(float (*dens)[FRAMES], size_t n, size_t t) {
  float best = dens[0][t], sum = 0;
  for (size_t g = 1; g < n; g++)
    if (dens[g][t] > best) best = dens[g][t];
  for (size_t g = 0; g < n; g++)
    if (dens[g][t] > best - 17.0f) sum += expf(dens[g][t] - best);
  return best + logf(sum);
}

sn_status sn_mix_score(const sn_mix_tables *t, sn_cmat x, const int32_t *pdfs,
                       size_t n, sn_mat out, sn_err *err) {
  const size_t D = t->dim;
  float dens[SN_MIX_MAX_GAUSS][FRAMES];
  block_fn *const block = choose();
  SN_ASSERT(x.cols == D && out.rows == x.rows && out.cols == n);
  float *const xt = sn_calloc_aligned(D * FRAMES, sizeof *xt);
  if (xt == NULL) return sn_fail_nomem(err, "scores");
  for (size_t t0 = 0; t0 < x.rows; t0 += FRAMES) {
    const size_t T = x.rows - t0 < FRAMES ? x.rows - t0 : FRAMES;
    for (size_t i = 0; i < T; i++)
      for (size_t d = 0; d < D; d++)
        xt[d * FRAMES + i] = sn_cmat_row(x, t0 + i)[d];
    for (size_t k = 0; k < n; k++) {
      const size_t G = n_of(t, pdfs[k]);
      block(t->params + t->at[pdfs[k]], G, padded(G), D, xt, dens);
      for (size_t i = 0; i < T; i++)
        sn_mat_row(out, t0 + i)[k] = log_sum(dens, G, i);
    }
  }
  sn_free_aligned(xt);
  return SN_OK;
}

double sn_mix_posteriors(const sn_mix_tables *t, int32_t pdf, const float *x,
                         float posterior[SN_MIX_MAX_GAUSS]) {
  const size_t D = t->dim, n = n_of(t, pdf), P = padded(n);
  const float *const p = t->params + t->at[pdf];
  float sum[SN_MIX_MAX_GAUSS] = {0};
  for (size_t d = 0; d < D; d++) {
    const float *const s = p + (1 + 2 * d) * P, *const q = s + P;
    for (size_t g = 0; g < P; g += PAD) {
      vec a, b, c;
      memcpy(&a, s + g, sizeof a);
      memcpy(&b, q + g, sizeof b);
      memcpy(&c, sum + g, sizeof c);
      a = a * x[d] + b;
      c += a * a;
      memcpy(sum + g, &c, sizeof c);
    }
  }
  float best = -INFINITY;
  for (size_t g = 0; g < n; g++) {
    sum[g] = p[g] - sum[g];
    if (sum[g] > best) best = sum[g];
  }
  float all = 0;
  for (size_t g = 0; g < n; g++) all += posterior[g] = expf(sum[g] - best);
  for (size_t g = 0; g < n; g++) posterior[g] /= all;
  return (double)best + log((double)all);
}

void sn_mix_accumulate(const sn_mix_tables *t, int32_t pdf, const float *x,
                       double weight, sn_mix_stats *s) {
  sn_mix_accumulate_two(t, pdf, x, x, weight, s);
}

void sn_mix_accumulate_two(const sn_mix_tables *t, int32_t pdf,
                           const float *x_post, const float *x, double weight,
                           sn_mix_stats *s) {
  const size_t D = t->dim, n = n_of(t, pdf), first = (size_t)t->first[pdf];
  float post[SN_MIX_MAX_GAUSS];
  s->logp += weight * sn_mix_posteriors(t, pdf, x_post, post);
  s->n_frames += weight;
  for (size_t g = 0; g < n; g++) {
    if (post[g] < 1e-5f) continue;
    const double w = weight * (double)post[g];
    double *const sum = s->sum + (first + g) * D;
    double *const sumsq = s->sumsq + (first + g) * D;
    s->occ[first + g] += w;
    for (size_t d = 0; d < D; d++) {
      const double v = w * (double)x[d];
      sum[d] += v;
      sumsq[d] += v * (double)x[d];
    }
  }
}
