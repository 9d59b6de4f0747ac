/* SPDX-License-Identifier: Apache-2.0 */
/* MAP adaptation: sums by Gaussian, and the update. */
#include "am/map.h"

#include <math.h>

#include "am/am_internal.h"
#include "base/mem.h"

#define AT(field) offsetof(sn_map_opts, field)
const sn_opt sn_map_opt_table[] = {
    {"tau", SN_OPT_DOUBLE, AT(tau), 10, 0, 1e9, NULL, "frames",
     "weight of the old model: the more, the less is changed"},
    {"means", SN_OPT_BOOL, AT(means), 1, 0, 1, NULL, "", "adapt the means"},
    {"variances", SN_OPT_BOOL, AT(variances), 0, 0, 1, NULL, "",
     "adapt the variances"},
    {"var-floor", SN_OPT_DOUBLE, AT(var_floor), 0.1, 1e-6, 1, NULL, "",
     "least new variance, as a part of the old one"},
    SN_OPT_END};

size_t sni_am_n_gauss(const sni_am_view *v) {
  return v->gauss_first != NULL
             ? (size_t)v->gauss_first[v->shape.n_pdfs]
             : (size_t)v->shape.n_codebooks * (size_t)v->shape.n_streams *
                   (size_t)v->shape.n_gauss;
}

size_t sni_am_n_values(const sni_am_view *v) {
  size_t n = 0;
  for (int32_t k = 0; k < v->shape.n_streams; k++)
    n += (size_t)v->stream_len[k];
  return n * (sni_am_n_gauss(v) / (size_t)v->shape.n_streams);
}

void sni_am_gauss_place(const sni_am_view *v, size_t i, size_t *stream,
                        size_t *at) {
  const size_t K = (size_t)v->shape.n_streams, G = (size_t)v->shape.n_gauss;
  if (v->gauss_first != NULL) {
    *stream = 0;
    *at = i * (size_t)v->shape.dim;
    return;
  }
  const size_t g = i % G, k = i / G % K, c = i / G / K;
  size_t before = 0, all = 0;
  for (size_t j = 0; j < K; j++) {
    if (j < k) before += (size_t)v->stream_len[j];
    all += (size_t)v->stream_len[j];
  }
  *stream = k;
  *at = G * (c * all + before) + g * (size_t)v->stream_len[k];
}

/* Number of a Gaussian of a pdf. */
static size_t gauss_number(const sni_am_view *v, int32_t pdf, int32_t stream,
                           int32_t index) {
  if (v->gauss_first != NULL)
    return (size_t)v->gauss_first[pdf] + (size_t)index;
  const size_t K = (size_t)v->shape.n_streams;
  return ((size_t)v->pdf_codebook[pdf] * K + (size_t)stream) *
             (size_t)v->shape.n_gauss +
         (size_t)index;
}

sn_status sn_map_stats_init_means(sn_map_stats *s, const sn_am *am,
                                  sn_err *err) {
  const sni_am_view *const v = sni_am_view_of(am);
  const sn_map_stats none = {0};
  *s = none;
  s->n_gauss = sni_am_n_gauss(v);
  s->n_values = sni_am_n_values(v);
  s->count = sn_calloc(s->n_gauss, sizeof *s->count);
  s->x = sn_calloc(s->n_values, sizeof *s->x);
  if (s->count == NULL || s->x == NULL) {
    sn_map_stats_clear(s);
    return sn_fail_nomem(err, "statistics of Gaussians");
  }
  return SN_OK;
}

sn_status sn_map_stats_init(sn_map_stats *s, const sn_am *am, sn_err *err) {
  SN_TRY(sn_map_stats_init_means(s, am, err));
  s->xx = sn_calloc(s->n_values, sizeof *s->xx);
  if (s->xx == NULL) {
    sn_map_stats_clear(s);
    return sn_fail_nomem(err, "statistics of Gaussians");
  }
  return SN_OK;
}

void sn_map_stats_clear(sn_map_stats *s) {
  const sn_map_stats none = {0};
  sn_free(s->count);
  sn_free(s->x);
  sn_free(s->xx);
  *s = none;
}

void sn_map_stats_add(sn_map_stats *to, const sn_map_stats *from) {
  SN_ASSERT(to->n_gauss == from->n_gauss && to->n_values == from->n_values);
  SN_ASSERT((to->xx != NULL) == (from->xx != NULL));
  to->n_frames += from->n_frames;
  for (size_t i = 0; i < to->n_gauss; i++) to->count[i] += from->count[i];
  for (size_t i = 0; i < to->n_values; i++) to->x[i] += from->x[i];
  for (size_t i = 0; to->xx != NULL && i < to->n_values; i++)
    to->xx[i] += from->xx[i];
}

void sn_map_stats_frame(sn_map_stats *s, const sn_am *am, sn_fmllr_work *w,
                        int32_t pdf, const float *x) {
  sn_map_stats_part(s, am, am, w, pdf, 1, x);
}

void sn_map_stats_part(sn_map_stats *s, const sn_am *am,
                       const sn_am *for_posteriors, sn_fmllr_work *w,
                       int32_t pdf, double weight, const float *x) {
  const sni_am_view *const v = sni_am_view_of(am);
  const sn_am_gauss *post = NULL;
  const size_t n = sn_am_posteriors(for_posteriors, w, x, pdf, &post);
  for (size_t i = 0; i < n; i++) {
    const double p = weight * (double)post[i].posterior;
    if (!(p > 0)) continue;
    const float *mean = NULL, *var = NULL;
    const size_t D =
        sn_am_gauss_at(am, pdf, post[i].stream, post[i].index, &mean, &var);
    const size_t at = (size_t)(mean - v->means);
    int32_t n_dims = 0;
    const int32_t *const dims = sn_am_stream_dims(am, post[i].stream, &n_dims);
    SN_ASSERT((size_t)n_dims == D && at + D <= s->n_values);
    s->count[gauss_number(v, pdf, post[i].stream, post[i].index)] += p;
    for (size_t d = 0; d < D; d++) {
      const double value = (double)x[dims[d]];
      s->x[at + d] += p * value;
      if (s->xx != NULL) s->xx[at + d] += p * value * value;
    }
  }
  s->n_frames += weight;
}

/* ---- Update ---- */

typedef struct update {
  const sn_map_opts *o;
  const sn_map_stats *s;
  const sni_am_view *old;
  float *means, *vars;
  sn_map_report *report;
} update;

/* Values [at, at + D) of a Gaussian with n frames. */
static double update_gauss(const update *u, double n, size_t at, size_t D) {
  const double tau = u->o->tau;
  double shift = 0;
  for (size_t i = at; i < at + D; i++) {
    const double m0 = (double)u->old->means[i], v0 = (double)u->old->vars[i];
    const double m = u->o->means ? (tau * m0 + u->s->x[i]) / (tau + n) : m0;
    /* around the mean that the model gets, adapted or not */
    const double second = (tau * (v0 + m0 * m0) + u->s->xx[i]) / (tau + n);
    const double first = (tau * m0 + u->s->x[i]) / (tau + n);
    double var = u->o->variances ? second - 2 * m * first + m * m : v0;
    if (var < u->o->var_floor * v0) {
      var = u->o->var_floor * v0;
      u->report->n_floored++;
    }
    u->means[i] = (float)m;
    u->vars[i] = (float)var;
    shift += fabs(m - m0) / sqrt(v0);
  }
  return shift / (double)D;
}

static void update_all(const update *u) {
  const sni_am_view *const v = u->old;
  double shift = 0;
  for (size_t i = 0; i < u->s->n_gauss; i++) {
    const double n = u->s->count[i];
    size_t stream = 0, at = 0;
    if (!(n > 0 && u->o->tau + n > 0)) continue;
    sni_am_gauss_place(v, i, &stream, &at);
    const double moved = update_gauss(u, n, at, (size_t)v->stream_len[stream]);
    if (n < 1) continue;
    u->report->n_moved++;
    shift += moved;
  }
  u->report->n_gauss = (int64_t)u->s->n_gauss;
  u->report->shift =
      u->report->n_moved > 0 ? shift / (double)u->report->n_moved : 0;
}

sn_status sn_map_write(const sn_am *am, const sn_map_stats *s,
                       const sn_map_opts *opts, const char *path,
                       sn_map_report *report, sn_err *err) {
  const sni_am_view *const old = sni_am_view_of(am);
  const sn_map_report none = {0};
  *report = none;
  if (s->n_gauss != sni_am_n_gauss(old) || s->n_values != sni_am_n_values(old))
    return sn_fail(err, SN_EARG, "MAP: statistics of another model");
  float *const means = sn_calloc(s->n_values, sizeof *means);
  float *const vars = sn_calloc(s->n_values, sizeof *vars);
  sn_status status = SN_OK;
  if (means == NULL || vars == NULL) {
    status = sn_fail_nomem(err, "MAP");
  } else {
    for (size_t i = 0; i < s->n_values; i++) {
      means[i] = old->means[i];
      vars[i] = old->vars[i];
    }
    const update u = {opts, s, old, means, vars, report};
    update_all(&u);
    sni_am_view adapted = *old;
    adapted.means = means;
    adapted.vars = vars;
    status = sni_am_write(&adapted, path, err);
  }
  sn_free(means);
  sn_free(vars);
  return status;
}
