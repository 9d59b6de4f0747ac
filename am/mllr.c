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
  float *means;
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
    if (!sni_fmllr_cholesky(x->G + d * tri(n), n, x->L)) return false;
    memcpy(x->w + d * n, x->k + d * n, n * sizeof *x->w);
    sni_fmllr_solve(x->L, n, x->w + d * n);
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

static void move(work *x, const class *c, const double *w) {
  const size_t D = x->D, n = D + 1;
  for (size_t i = c->first; i < c->first + c->n; i++) {
    const size_t at = x->place[x->order[i]];
    double shift = 0;
    for (size_t d = 0; d < D; d++) {
      double sum = w[d * n + D];
      for (size_t r = 0; r < D; r++)
        sum += w[d * n + r] * (double)x->v->means[at + r];
      x->means[at + d] = (float)sum;
      shift += fabs(sum - (double)x->v->means[at + d]) /
               sqrt((double)x->v->vars[at + d]);
    }
    x->report->shift += shift / (double)D;
  }
}

static void transform(work *x, const class *c) {
  accumulate(x, c);
  const bool own = solve(x);
  if (own)
    x->report->n_estimated++;
  else if (x->has_root)
    memcpy(x->w, x->root, x->D * (x->D + 1) * sizeof *x->w);
  else
    identity(x->w, x->D);
  x->gain += gain_of(x, x->w);
  move(x, c, x->w);
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
    transform(x, &x->classes.data[i]);
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

sn_status sn_mllr_write(const sn_am *am, const sn_map_stats *s,
                        const sn_mllr_opts *opts, const char *path,
                        sn_mllr_report *report, sn_err *err) {
  const sni_am_view *const v = sni_am_view_of(am);
  work x = {.v = v, .s = s, .o = opts, .report = report};
  memset(report, 0, sizeof *report);
  if (s->n_gauss != sni_am_n_gauss(v) || s->n_values != sni_am_n_values(v))
    return sn_fail(err, SN_EARG, "MLLR: statistics of another model");
  x.means = sn_calloc(s->n_values, sizeof *x.means);
  if (x.means == NULL) return sn_fail_nomem(err, "MLLR");
  memcpy(x.means, v->means, s->n_values * sizeof *x.means);
  sn_status status = SN_OK;
  for (int32_t k = 0; status == SN_OK && k < v->shape.n_streams; k++) {
    x.stream = (size_t)k;
    status = adapt_stream(&x, err);
  }
  report->n_gauss = (int64_t)s->n_gauss;
  report->shift /= (double)s->n_gauss;
  report->gain = s->n_frames > 0 ? x.gain / s->n_frames : 0;
  if (status == SN_OK) {
    sni_am_view adapted = *v;
    adapted.means = x.means;
    status = sni_am_write(&adapted, path, err);
  }
  SN_ARR_FREE(&x.classes);
  sn_free(x.means);
  return status;
}
