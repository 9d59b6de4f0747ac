/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures in training: parameters, statistics, updates, splitting. */
#include "am/mixtures.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

size_t sn_mixtures_n_gauss(const sn_mixtures *m) {
  return m->first == NULL ? 0 : (size_t)m->first[m->n_pdfs];
}

sn_status sn_mixtures_init(sn_mixtures *m, size_t n_pdfs, size_t dim,
                           const int32_t *counts, sn_err *err) {
  memset(m, 0, sizeof *m);
  m->n_pdfs = n_pdfs;
  m->dim = dim;
  m->first = sn_calloc(n_pdfs + 1, sizeof *m->first);
  if (m->first == NULL) return sn_fail_nomem(err, "mixtures");
  for (size_t i = 0; i < n_pdfs; i++) m->first[i + 1] = m->first[i] + counts[i];
  const size_t G = sn_mixtures_n_gauss(m);
  m->weights = sn_calloc(G, sizeof *m->weights);
  m->means = sn_calloc(G * dim, sizeof *m->means);
  m->vars = sn_calloc(G * dim, sizeof *m->vars);
  if (m->weights != NULL && m->means != NULL && m->vars != NULL) return SN_OK;
  sn_mixtures_clear(m);
  return sn_fail_nomem(err, "mixtures");
}

void sn_mixtures_clear(sn_mixtures *m) {
  sn_free(m->first);
  sn_free(m->weights);
  sn_free(m->means);
  sn_free(m->vars);
  memset(m, 0, sizeof *m);
}

sn_status sn_mixtures_copy(const sn_mixtures *from, sn_mixtures *out,
                           sn_err *err) {
  const size_t G = sn_mixtures_n_gauss(from), D = from->dim;
  memset(out, 0, sizeof *out);
  int32_t *const counts = sn_calloc(from->n_pdfs, sizeof *counts);
  if (counts == NULL) return sn_fail_nomem(err, "mixtures");
  for (size_t i = 0; i < from->n_pdfs; i++)
    counts[i] = from->first[i + 1] - from->first[i];
  const sn_status s = sn_mixtures_init(out, from->n_pdfs, D, counts, err);
  sn_free(counts);
  SN_TRY(s);
  memcpy(out->weights, from->weights, G * sizeof *out->weights);
  memcpy(out->means, from->means, G * D * sizeof *out->means);
  memcpy(out->vars, from->vars, G * D * sizeof *out->vars);
  return SN_OK;
}

/* ---- Statistics ---- */

sn_status sn_mix_stats_init(sn_mix_stats *s, const sn_mixtures *m,
                            sn_err *err) {
  return sn_mix_stats_alloc(s, sn_mixtures_n_gauss(m), m->dim, err);
}

sn_status sn_mix_stats_alloc(sn_mix_stats *s, size_t n_gauss, size_t dim,
                             sn_err *err) {
  memset(s, 0, sizeof *s);
  s->n_gauss = n_gauss;
  s->dim = dim;
  s->occ = sn_calloc(s->n_gauss, sizeof *s->occ);
  s->sum = sn_calloc(s->n_gauss * s->dim, sizeof *s->sum);
  s->sumsq = sn_calloc(s->n_gauss * s->dim, sizeof *s->sumsq);
  if (s->occ != NULL && s->sum != NULL && s->sumsq != NULL) return SN_OK;
  sn_mix_stats_clear(s);
  return sn_fail_nomem(err, "statistics");
}

void sn_mix_stats_clear(sn_mix_stats *s) {
  sn_free(s->occ);
  sn_free(s->sum);
  sn_free(s->sumsq);
  memset(s, 0, sizeof *s);
}

void sn_mix_stats_reset(sn_mix_stats *s) {
  memset(s->occ, 0, s->n_gauss * sizeof *s->occ);
  memset(s->sum, 0, s->n_gauss * s->dim * sizeof *s->sum);
  memset(s->sumsq, 0, s->n_gauss * s->dim * sizeof *s->sumsq);
  s->logp = s->n_frames = 0;
}

void sn_mix_stats_add(sn_mix_stats *to, const sn_mix_stats *from) {
  SN_ASSERT(to->n_gauss == from->n_gauss && to->dim == from->dim);
  const size_t n = to->n_gauss * to->dim;
  for (size_t i = 0; i < to->n_gauss; i++) to->occ[i] += from->occ[i];
  for (size_t i = 0; i < n; i++) to->sum[i] += from->sum[i];
  for (size_t i = 0; i < n; i++) to->sumsq[i] += from->sumsq[i];
  to->logp += from->logp;
  to->n_frames += from->n_frames;
}

/* ---- Update ---- */

static size_t best_gauss(const sn_mix_stats *s, size_t from, size_t to) {
  size_t best = from;
  for (size_t g = from; g < to; g++)
    if (s->occ[g] > s->occ[best]) best = g;
  return best;
}

static bool stays(const sn_mix_stats *s, const sn_mix_update_opts *o, size_t g,
                  size_t best, double occ) {
  return g == best ||
         (s->occ[g] >= o->min_occ && s->occ[g] >= o->weight_floor * occ);
}

/* One Gaussian; returns how many variances were floored. */
static int64_t set_gauss(sn_mixtures *to, size_t g, const sn_mix_stats *s,
                         size_t from, double floor) {
  const size_t D = to->dim;
  int64_t n_floored = 0;
  for (size_t d = 0; d < D; d++) {
    const double mean = s->sum[from * D + d] / s->occ[from];
    double var = s->sumsq[from * D + d] / s->occ[from] - mean * mean;
    if (!(var >= floor)) {
      var = floor;
      n_floored++;
    }
    to->means[g * D + d] = (float)mean;
    to->vars[g * D + d] = (float)var;
  }
  return n_floored;
}

/* Draws the variances of Gaussians [a, b), which have the weights' shares of
 * `occ` frames, to their average. */
static void smooth_vars(sn_mixtures *m, size_t a, size_t b, double occ,
                        double prior) {
  const size_t D = m->dim;
  for (size_t d = 0; d < D; d++) {
    double mean = 0;
    for (size_t g = a; g < b; g++)
      mean += (double)m->weights[g] * (double)m->vars[g * D + d];
    for (size_t g = a; g < b; g++) {
      const double n = (double)m->weights[g] * occ;
      float *const var = &m->vars[g * D + d];
      *var = (float)((n * (double)*var + prior * mean) / (n + prior));
    }
  }
}

sn_status sn_mix_update(sn_mixtures *m, const sn_mix_stats *s,
                        const sn_mix_update_opts *o, double *occ,
                        sn_mix_update_report *report, sn_err *err) {
  const size_t N = m->n_pdfs, D = m->dim;
  sn_mixtures next;
  memset(report, 0, sizeof *report);
  int32_t *const counts = sn_calloc(N, sizeof *counts);
  if (counts == NULL) return sn_fail_nomem(err, "mixtures");
  for (size_t i = 0; i < N; i++) {
    const size_t a = (size_t)m->first[i], b = (size_t)m->first[i + 1];
    const size_t best = best_gauss(s, a, b);
    occ[i] = 0;
    for (size_t g = a; g < b; g++) occ[i] += s->occ[g];
    for (size_t g = a; g < b; g++)
      if (occ[i] < 1.0 || stays(s, o, g, best, occ[i])) counts[i]++;
    report->n_removed += (int64_t)(b - a) - counts[i];
  }
  const sn_status st = sn_mixtures_init(&next, N, D, counts, err);
  sn_free(counts);
  SN_TRY(st);
  for (size_t i = 0; i < N; i++) {
    const size_t a = (size_t)m->first[i], b = (size_t)m->first[i + 1];
    size_t to = (size_t)next.first[i];
    if (occ[i] < 1.0) { /* unseen: as it was */
      report->n_unseen++;
      memcpy(next.weights + to, m->weights + a, (b - a) * sizeof(float));
      memcpy(next.means + to * D, m->means + a * D,
             (b - a) * D * sizeof(float));
      memcpy(next.vars + to * D, m->vars + a * D, (b - a) * D * sizeof(float));
      continue;
    }
    const size_t best = best_gauss(s, a, b);
    double kept = 0;
    for (size_t g = a; g < b; g++)
      if (stays(s, o, g, best, occ[i])) kept += s->occ[g];
    const size_t first = to;
    for (size_t g = a; g < b; g++) {
      if (!stays(s, o, g, best, occ[i])) continue;
      next.weights[to] = (float)(s->occ[g] / kept);
      report->n_floored += set_gauss(&next, to++, s, g, o->var_floor);
    }
    if (o->var_prior > 0) smooth_vars(&next, first, to, kept, o->var_prior);
  }
  sn_mixtures_clear(m);
  *m = next;
  return SN_OK;
}

/* ---- Splitting ---- */

static void copy_gauss(sn_mixtures *to, size_t g, const sn_mixtures *from,
                       size_t at) {
  const size_t D = to->dim;
  to->weights[g] = from->weights[at];
  memcpy(to->means + g * D, from->means + at * D, D * sizeof(float));
  memcpy(to->vars + g * D, from->vars + at * D, D * sizeof(float));
}

/* Halves the heaviest Gaussian of [a, b) into itself and b. */
static void split_heaviest(sn_mixtures *m, size_t a, size_t b, sn_rng *rng) {
  const size_t D = m->dim;
  size_t best = a;
  for (size_t g = a; g < b; g++)
    if (m->weights[g] > m->weights[best]) best = g;
  m->weights[best] *= 0.5f;
  copy_gauss(m, b, m, best);
  for (size_t d = 0; d < D; d++) {
    const float step =
        (float)(0.01 * sn_rng_gauss(rng) * sqrt((double)m->vars[best * D + d]));
    m->means[best * D + d] -= step;
    m->means[b * D + d] += step;
  }
}

/* The pdf that gets the next Gaussian, or N. */
static size_t next_pdf(const int32_t *counts, const double *occ, size_t N,
                       double power, double min_count) {
  size_t best = N;
  double best_score = 0;
  for (size_t i = 0; i < N; i++) {
    if (counts[i] >= SN_MIX_MAX_GAUSS || occ[i] < (counts[i] + 1) * min_count)
      continue;
    const double score = pow(occ[i], power) / counts[i];
    if (score > best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

sn_status sn_mix_split(sn_mixtures *m, const double *occ, size_t target,
                       double power, double min_count, uint64_t seed,
                       sn_err *err) {
  const size_t N = m->n_pdfs;
  sn_mixtures next;
  sn_rng rng;
  sn_rng_init(&rng, seed);
  int32_t *const counts = sn_calloc(N, sizeof *counts);
  if (counts == NULL) return sn_fail_nomem(err, "mixtures");
  for (size_t i = 0; i < N; i++) counts[i] = m->first[i + 1] - m->first[i];
  for (size_t n = sn_mixtures_n_gauss(m); n < target; n++) {
    const size_t i = next_pdf(counts, occ, N, power, min_count);
    if (i == N) break;
    counts[i]++;
  }
  const sn_status st = sn_mixtures_init(&next, N, m->dim, counts, err);
  sn_free(counts);
  SN_TRY(st);
  for (size_t i = 0; i < N; i++) {
    const size_t a = (size_t)next.first[i], end = (size_t)next.first[i + 1];
    size_t b = a;
    for (size_t g = (size_t)m->first[i]; g < (size_t)m->first[i + 1]; g++)
      copy_gauss(&next, b++, m, g);
    for (; b < end; b++) split_heaviest(&next, a, b, &rng);
  }
  sn_mixtures_clear(m);
  *m = next;
  return SN_OK;
}
