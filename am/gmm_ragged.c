/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of mixtures whose number of Gaussians varies from pdf to pdf.
 *
 * AN4: N = 256 pdfs of 3000 Gaussians in 39 dimensions. The Gaussians of all
 * pdfs stand one behind the other in the groups that the density kernel wants,
 * so that only the last group is filled up. The log of a Gaussian's weight is
 * in its constant; every Gaussian counts:
 *   log p = m + log sum exp(density - m), m the largest density of the pdf. */
#include <math.h>
#include <string.h>

#include "am/gmm_internal.h"
#include "base/mem.h"

enum { LANES = SNI_GMM_LANES };

static size_t group_floats(size_t n_dims) { return (1 + 2 * n_dims) * LANES; }

size_t sni_ragged_groups(const sni_gmm *g) {
  const size_t n = (size_t)g->gauss_first[g->n_pdfs];
  return (n + LANES - 1) / LANES;
}

/* c = log weight - 1/2 sum log(2 pi var); z = x s + q with s = 1/sqrt(2 var) */
static bool place(float *to, const float *mean, const float *var, float weight,
                  size_t D) {
  double c = weight > 0.0f ? log((double)weight) : -1e30;
  bool ok = true;
  for (size_t d = 0; d < D; d++) {
    const double v = (double)var[d], s = sqrt(0.5 / v);
    c -= 0.5 * log(2 * 3.14159265358979323846 * v);
    to[(1 + 2 * d) * LANES] = (float)s;
    to[(2 + 2 * d) * LANES] = (float)(-(double)mean[d] * s);
    ok = ok && isfinite((float)s) && isfinite(to[(2 + 2 * d) * LANES]);
  }
  to[0] = (float)c;
  return ok && isfinite(to[0]);
}

sn_status sni_ragged_fill(sni_gmm *g, const sni_am_view *v, sn_err *err) {
  const size_t D = g->dim;
  g->gauss_first = v->gauss_first;
  sni_gmm_stream *const st = &g->streams[0];
  st->n_dims = D;
  st->dims = v->stream_dims;
  g->max_dims = D;
  st->params =
      sn_calloc_aligned(sni_ragged_groups(g), group_floats(D) * sizeof(float));
  if (st->params == NULL) return sn_fail_nomem(err, "acoustic model");
  const size_t n = (size_t)g->gauss_first[g->n_pdfs];
  for (size_t i = 0; i < n; i++)
    if (!place(st->params + i / LANES * group_floats(D) + i % LANES,
               v->means + i * D, v->vars + i * D, v->weights[i], D))
      return sn_fail(err, SN_EFORMAT,
                     "Gaussian %zu: mean too large for its variance", i);
  return SN_OK;
}

static float log_sum(const float *v, size_t n) {
  float best = v[0], sum = 0;
  for (size_t i = 1; i < n; i++)
    if (v[i] > best) best = v[i];
  for (size_t i = 0; i < n; i++)
    if (v[i] > best - 20.0f) sum += expf(v[i] - best); /* else < 2.1e-9 */
  return best + logf(sum);
}

void sni_ragged_score(const sni_gmm *g, sni_gmm_work *w, sn_cmat feats,
                      sn_mat out) {
  const sni_gmm_stream *const st = &g->streams[0];
  const size_t D = st->n_dims, groups = sni_ragged_groups(g);
  const size_t ld = groups * LANES;
  for (size_t t = 0; t < feats.rows; t++)
    for (size_t d = 0; d < D; d++)
      w->x[t * D + d] = sn_cmat_row(feats, t)[st->dims[d]];
  g->kernels->densities(st->params, groups, D, w->x, feats.rows, w->density,
                        ld);
  for (size_t t = 0; t < feats.rows; t++) {
    float *const to = sn_mat_row(out, t);
    for (size_t i = 0; i < g->n_pdfs; i++) {
      const size_t first = (size_t)g->gauss_first[i];
      to[i] = log_sum(w->density + t * ld + first,
                      (size_t)g->gauss_first[i + 1] - first);
    }
  }
}
