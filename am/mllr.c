/* SPDX-License-Identifier: Apache-2.0 */
/* MLLR of means. en-us: 16,128 Gaussians of 13 dimensions; a class takes 13
 * systems of 14 unknowns. One stream of 40 dimensions: 40 systems of 41. */
#include "am/mllr.h"

#include <math.h>
#include <string.h>

#include "am/am_internal.h"
#include "am/fmllr_internal.h"
#include "base/arr.h"
#include "base/mem.h"

const sn_opt sn_mllr_opt_table[] = {
    {"classes", SN_OPT_INT, offsetof(sn_mllr_opts, classes), 4, 1, 10000, NULL,
     "", "classes of Gaussians with a transform each, of a stream, at most"},
    {"min-count", SN_OPT_DOUBLE, offsetof(sn_mllr_opts, min_count), 1000, 0,
     1e9, NULL, "frames", "of a class; with fewer it is not halved"},
    SN_OPT_END};

typedef struct class {
  size_t first, n; /* in order */
  double count;    /* frames */
  bool whole;      /* can not be halved */
} class;

struct sn_mllr {
  size_t n_gauss, n_values; /* of the model */
  int32_t *class_of;        /* [n_gauss] */
  SN_ARR(size_t) first;     /* of each class: its [A b] in w, [D][D+1] */
  SN_ARR(double) w;
};

typedef struct work {
  const sni_am_view *v;
  const sn_map_stats *s;
  const sn_mllr_opts *o;
  sn_mllr_report *report;
  size_t stream, D, n;   /* its Gaussians */
  size_t *order, *spare; /* [n] numbers of Gaussians, by class */
  size_t *place;         /* [all] first value of each */
  SN_ARR(class) classes;
  double *G, *k, *L; /* [D][tri(D+1)], [D][D+1], [tri(D+1)] */
  double *w, *root;  /* [D][D+1] of a class, of the stream */
  bool has_root;
  sn_mllr *found;
  double gain;
} work;

static size_t tri(size_t n) { return n * (n + 1) / 2; }

/* ---- Classes ---- */

/* Value d of a mean in deviations. */
static double scaled(const work *x, size_t gauss, size_t d) {
  const size_t at = x->place[gauss] + d;
  return (double)x->v->means[at] / sqrt((double)x->v->vars[at]);
}

/* Two centres [D]: the class's, and some deviations to each side of it. */
static void start_centres(const work *x, const class *c, double *a, double *b) {
  const size_t D = x->D;
  for (size_t d = 0; d < D; d++) {
    double sum = 0, sumsq = 0;
    for (size_t i = c->first; i < c->first + c->n; i++) {
      const double v = scaled(x, x->order[i], d);
      sum += v;
      sumsq += v * v;
    }
    const double mean = sum / (double)c->n;
    const double dev = sqrt(fmax(sumsq / (double)c->n - mean * mean, 0));
    a[d] = mean - 0.2 * dev;
    b[d] = mean + 0.2 * dev;
  }
}

static bool nearer(const work *x, size_t gauss, const double *a,
                   const double *b) {
  double to_a = 0, to_b = 0;
  for (size_t d = 0; d < x->D; d++) {
    const double v = scaled(x, gauss, d);
    to_a += (v - a[d]) * (v - a[d]);
    to_b += (v - b[d]) * (v - b[d]);
  }
  return to_a <= to_b;
}

/* Gaussians nearer to a first; returns how many. */
static size_t part(work *x, const class *c, const double *a, const double *b) {
  size_t n = 0, m = 0;
  for (size_t i = c->first; i < c->first + c->n; i++) {
    const size_t g = x->order[i];
    if (nearer(x, g, a, b))
      x->order[c->first + n++] = g;
    else
      x->spare[m++] = g;
  }
  memcpy(x->order + c->first + n, x->spare, m * sizeof *x->order);
  return n;
}

static void centre(const work *x, size_t first, size_t n, double *a) {
  memset(a, 0, x->D * sizeof *a);
  for (size_t i = first; i < first + n; i++)
    for (size_t d = 0; d < x->D; d++)
      a[d] += scaled(x, x->order[i], d) / (double)n;
}

static double count_of(const work *x, size_t first, size_t n) {
  double sum = 0;
  for (size_t i = first; i < first + n; i++) sum += x->s->count[x->order[i]];
  return sum;
}

/* Halves class i, or says that it stays whole. */
static sn_status halve(work *x, size_t i, double *centres, sn_err *err) {
  class c = x->classes.data[i];
  double *const a = centres, *const b = centres + x->D;
  size_t n = 0;
  start_centres(x, &c, a, b);
  for (int pass = 0; pass < 10; pass++) {
    n = part(x, &c, a, b);
    if (n == 0 || n == c.n) break;
    centre(x, c.first, n, a);
    centre(x, c.first + n, c.n - n, b);
  }
  const double left = count_of(x, c.first, n);
  const double right = count_of(x, c.first + n, c.n - n);
  if (n == 0 || n == c.n || left < x->o->min_count || right < x->o->min_count) {
    x->classes.data[i].whole = true;
    return SN_OK;
  }
  const class other = {c.first + n, c.n - n, right, false};
  SN_TRY(SN_ARR_PUSH(&x->classes, other, err));
  x->classes.data[i] = (class){c.first, n, left, false};
  return SN_OK;
}

static sn_status grow(work *x, sn_err *err) {
  const class all = {0, x->n, count_of(x, 0, x->n), false};
  double *const centres = sn_calloc(2 * x->D, sizeof *centres);
  if (centres == NULL) return sn_fail_nomem(err, "MLLR");
  x->classes.n = 0;
  sn_status s = SN_ARR_PUSH(&x->classes, all, err);
  while (s == SN_OK && x->classes.n < (size_t)x->o->classes) {
    size_t best = x->classes.n;
    for (size_t i = 0; i < x->classes.n; i++)
      if (!x->classes.data[i].whole &&
          (best == x->classes.n ||
           x->classes.data[i].count > x->classes.data[best].count))
        best = i;
    if (best == x->classes.n) break;
    s = halve(x, best, centres, err);
  }
  sn_free(centres);
  return s;
}

/* ---- Transforms ---- */

static void accumulate(work *x, const class *c) {
  const size_t D = x->D, n = D + 1;
  double xi[4096 + 1];
  memset(x->G, 0, D * tri(n) * sizeof *x->G);
  memset(x->k, 0, D * n * sizeof *x->k);
  xi[D] = 1;
  for (size_t i = c->first; i < c->first + c->n; i++) {
    const size_t g = x->order[i], at = x->place[g];
    const double count = x->s->count[g];
    if (!(count > 0)) continue;
    for (size_t d = 0; d < D; d++) xi[d] = (double)x->v->means[at + d];
    for (size_t d = 0; d < D; d++) {
      const double inverse = 1 / (double)x->v->vars[at + d];
      double *to = x->G + d * tri(n);
      for (size_t r = 0; r < n; to += ++r)
        for (size_t q = 0; q <= r; q++)
          to[q] += count * inverse * xi[r] * xi[q];
      for (size_t r = 0; r < n; r++)
        x->k[d * n + r] += x->s->x[at + d] * inverse * xi[r];
    }
  }
}

/* w k - 1/2 w G w' */
static double value(const double *w, const double *G, const double *k,
                    size_t n) {
  double sum = 0;
  for (size_t r = 0; r < n; r++) {
    sum += w[r] * k[r];
    for (size_t q = 0; q <= r; q++)
      sum -= (q == r ? 0.5 : 1) * w[r] * w[q] * G[tri(r) + q];
  }
  return sum;
}

static void identity(double *w, size_t D) {
  memset(w, 0, D * (D + 1) * sizeof *w);
  for (size_t d = 0; d < D; d++) w[d * (D + 1) + d] = 1;
}

/* false: singular. */
static bool solve(work *x) {
  const size_t D = x->D, n = D + 1;
  for (size_t d = 0; d < D; d++) {
    double *const row = x->w + d * n;
    if (!sni_fmllr_cholesky(x->G + d * tri(n), n, x->L)) return false;
    memcpy(row, x->k + d * n, n * sizeof *x->w);
    sni_fmllr_solve(x->L, n, row);
    for (size_t r = 0; r < n; r++)
      if (!isfinite(row[r])) return false;
  }
  return true;
}

/* Q of w less that of the identity, of the class accumulated. */
static double gain_of(const work *x, const double *w) {
  const size_t D = x->D, n = D + 1;
  double one[4096 + 1] = {0}, sum = 0;
  for (size_t d = 0; d < D; d++) {
    const double *const G = x->G + d * tri(n), *const k = x->k + d * n;
    one[d] = 1;
    sum += value(w + d * n, G, k, n) - value(one, G, k, n);
    one[d] = 0;
  }
  return sum;
}

/* x->w is the class's. */
static sn_status keep(work *x, const class *c, sn_err *err) {
  sn_mllr *const m = x->found;
  const size_t n = x->D * (x->D + 1), at = m->w.n;
  const int32_t number = (int32_t)m->first.n;
  SN_TRY(SN_ARR_RESERVE(&m->w, at + n, err));
  SN_TRY(SN_ARR_PUSH(&m->first, at, err));
  memcpy(m->w.data + at, x->w, n * sizeof *x->w);
  m->w.n += n;
  for (size_t i = c->first; i < c->first + c->n; i++)
    m->class_of[x->order[i]] = number;
  return SN_OK;
}

static sn_status transform(work *x, const class *c, sn_err *err) {
  accumulate(x, c);
  const bool own = solve(x);
  if (own)
    x->report->n_estimated++;
  else if (x->has_root)
    memcpy(x->w, x->root, x->D * (x->D + 1) * sizeof *x->w);
  else
    identity(x->w, x->D);
  x->gain += gain_of(x, x->w);
  return keep(x, c, err);
}

/* ---- A stream ---- */

static sn_status prepare(work *x, sn_err *err) {
  const size_t D = x->D, N = x->s->n_gauss;
  x->order = sn_calloc(N, sizeof *x->order);
  x->spare = sn_calloc(N, sizeof *x->spare);
  x->place = sn_calloc(N, sizeof *x->place);
  x->G = sn_calloc(D * tri(D + 1), sizeof *x->G);
  x->k = sn_calloc(D * (D + 1), sizeof *x->k);
  x->L = sn_calloc(tri(D + 1), sizeof *x->L);
  x->w = sn_calloc(D * (D + 1), sizeof *x->w);
  x->root = sn_calloc(D * (D + 1), sizeof *x->root);
  if (x->order == NULL || x->spare == NULL || x->place == NULL ||
      x->G == NULL || x->k == NULL || x->L == NULL || x->w == NULL ||
      x->root == NULL)
    return sn_fail_nomem(err, "MLLR");
  for (size_t i = 0; i < N; i++) {
    size_t stream = 0;
    sni_am_gauss_place(x->v, i, &stream, &x->place[i]);
    if (stream == x->stream) x->order[x->n++] = i;
  }
  return SN_OK;
}

static sn_status adapt_stream(work *x, sn_err *err) {
  x->D = (size_t)x->v->stream_len[x->stream];
  x->n = 0;
  sn_status s = x->D > 4096
                    ? sn_fail(err, SN_ELIMIT, "MLLR of %zu dimensions", x->D)
                    : prepare(x, err);
  if (s == SN_OK) {
    const class all = {0, x->n, 0, true};
    accumulate(x, &all);
    x->has_root = solve(x);
    memcpy(x->root, x->w, x->D * (x->D + 1) * sizeof *x->w);
    s = grow(x, err);
  }
  for (size_t i = 0; s == SN_OK && i < x->classes.n; i++)
    s = transform(x, &x->classes.data[i], err);
  x->report->n_classes += (int32_t)x->classes.n;
  x->classes.n = 0;
  sn_free(x->order);
  sn_free(x->spare);
  sn_free(x->place);
  sn_free(x->G);
  sn_free(x->k);
  sn_free(x->L);
  sn_free(x->w);
  sn_free(x->root);
  return s;
}

static sn_status estimate(work *x, sn_err *err) {
  x->found->class_of = sn_calloc(x->s->n_gauss, sizeof(int32_t));
  if (x->found->class_of == NULL) return sn_fail_nomem(err, "MLLR");
  for (int32_t k = 0; k < x->v->shape.n_streams; k++) {
    x->stream = (size_t)k;
    SN_TRY(adapt_stream(x, err));
  }
  return SN_OK;
}

sn_status sn_mllr_estimate(const sn_am *am, const sn_map_stats *s,
                           const sn_mllr_opts *opts, sn_mllr **out,
                           sn_mllr_report *report, sn_err *err) {
  const sni_am_view *const v = sni_am_view_of(am);
  sn_mllr_report r = {.n_gauss = (int64_t)s->n_gauss};
  work x = {.v = v, .s = s, .o = opts, .report = &r};
  *out = NULL;
  if (s->n_gauss != sni_am_n_gauss(v) || s->n_values != sni_am_n_values(v))
    return sn_fail(err, SN_EARG, "MLLR: statistics of another model");
  x.found = sn_calloc(1, sizeof *x.found);
  if (x.found == NULL) return sn_fail_nomem(err, "MLLR");
  x.found->n_gauss = s->n_gauss;
  x.found->n_values = s->n_values;
  const sn_status status = estimate(&x, err);
  SN_ARR_FREE(&x.classes);
  r.gain = s->n_frames > 0 ? x.gain / s->n_frames : 0;
  if (report != NULL) *report = r;
  if (status == SN_OK)
    *out = x.found;
  else
    sn_mllr_destroy(x.found);
  return status;
}

void sn_mllr_destroy(sn_mllr *m) {
  if (m == NULL) return;
  sn_free(m->class_of);
  SN_ARR_FREE(&m->first);
  SN_ARR_FREE(&m->w);
  sn_free(m);
}

/* ---- Means ---- */

/* Moves one mean, and returns by how many standard deviations. */
static double move(const double *w, const float *mean, const float *var,
                   size_t D, float *to) {
  const size_t n = D + 1;
  double shift = 0;
  for (size_t d = 0; d < D; d++) {
    double sum = w[d * n + D];
    for (size_t r = 0; r < D; r++) sum += w[d * n + r] * (double)mean[r];
    to[d] = (float)sum;
    shift += fabs(sum - (double)mean[d]) / sqrt((double)var[d]);
  }
  return shift / (double)D;
}

/* New means, which the caller frees. */
static sn_status means_of(const sn_mllr *m, const sni_am_view *v, float **out,
                          double *shift, sn_err *err) {
  *out = NULL;
  *shift = 0;
  if (m->n_gauss != sni_am_n_gauss(v) || m->n_values != sni_am_n_values(v))
    return sn_fail(err, SN_EARG, "MLLR: transforms of another model");
  float *const means = sn_calloc(m->n_values, sizeof *means);
  if (means == NULL) return sn_fail_nomem(err, "MLLR");
  for (size_t i = 0; i < m->n_gauss; i++) {
    size_t stream = 0, at = 0;
    sni_am_gauss_place(v, i, &stream, &at);
    *shift += move(m->w.data + m->first.data[m->class_of[i]], v->means + at,
                   v->vars + at, (size_t)v->stream_len[stream], means + at);
  }
  *shift /= (double)m->n_gauss;
  *out = means;
  return SN_OK;
}

sn_status sn_mllr_apply(const sn_mllr *m, const sn_am *am, sn_am **out,
                        sn_err *err) {
  float *means = NULL;
  double shift = 0;
  *out = NULL;
  SN_TRY(means_of(m, sni_am_view_of(am), &means, &shift, err));
  return sni_am_with_means(am, means, out, err);
}

sn_status sn_mllr_write(const sn_am *am, const sn_map_stats *s,
                        const sn_mllr_opts *opts, const char *path,
                        sn_mllr_report *report, sn_err *err) {
  const sni_am_view *const v = sni_am_view_of(am);
  sn_mllr *m = NULL;
  float *means = NULL;
  SN_TRY(sn_mllr_estimate(am, s, opts, &m, report, err));
  sn_status status = means_of(m, v, &means, &report->shift, err);
  if (status == SN_OK) {
    sni_am_view adapted = *v;
    adapted.means = means;
    status = sni_am_write(&adapted, path, err);
  }
  sn_free(means);
  sn_mllr_destroy(m);
  return status;
}
