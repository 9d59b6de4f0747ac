/* SPDX-License-Identifier: Apache-2.0 */
/* Confidences: features, the logistic model, its fit, normalised cross entropy.
 *
 * The fit has five weights and some hundred to some ten thousand words: Newton
 * steps from zero, each solved by Cholesky; the log posterior is concave, so a
 * step that is halved until it does not lose converges. */
#include "score/confidence.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"

#define LEAST_POSTERIOR 1e-4
#define LEAST_NCE 1e-7
#define LEAST_WORDS 50
#define PRIOR_VARIANCE 1.0
#define MAX_STEPS 100

static const char *const names[SN_CONF_N] = {
    "constant", "posterior", "neighbours", "duration", "letters"};

static double clamp(double p, double least) {
  return fmin(fmax(p, least), 1.0 - least);
}

static double log_odds(double p) {
  const double q = clamp(p, LEAST_POSTERIOR);
  return log(q / (1.0 - q));
}

int32_t sn_conf_letters(sn_span word) {
  int32_t n = 0;
  for (size_t i = 0; i < word.n; i++) {
    if (word.p[i] == '(' && i > 0) break;
    n += ((unsigned char)word.p[i] & 0xC0) != 0x80;
  }
  return n;
}

void sn_conf_features(const sn_conf_word *words, size_t n, size_t i,
                      double x[SN_CONF_N]) {
  const sn_conf_word *const w = &words[i];
  const bool has_left = i > 0, has_right = i + 1 < n;
  double sum = 0.0;
  if (has_left) sum += log_odds(words[i - 1].posterior);
  if (has_right) sum += log_odds(words[i + 1].posterior);
  x[0] = 1.0;
  x[1] = log_odds(w->posterior);
  x[2] = has_left || has_right ? sum / (has_left + has_right) : x[1];
  x[3] = log(fmax(w->duration_s, 0.01));
  x[4] = log((double)(w->n_letters > 0 ? w->n_letters : 1));
}

static double dot(const double *a, const double *b) {
  double sum = 0.0;
  for (size_t k = 0; k < SN_CONF_N; k++) sum += a[k] * b[k];
  return sum;
}

double sn_conf_apply(const sn_conf_model *m, const double x[SN_CONF_N]) {
  return 1.0 / (1.0 + exp(-dot(m->weights, x)));
}

/* ---- Fitting ---- */

typedef struct problem {
  const double (*x)[SN_CONF_N];
  const bool *right;
  size_t n;
} problem;

/* -log(1 + exp(-z)), without overflow. */
static double log_sigmoid(double z) {
  return z >= 0.0 ? -log1p(exp(-z)) : z - log1p(exp(z));
}

static double log_posterior(const problem *p, const double *w) {
  double sum = 0.0;
  for (size_t i = 0; i < p->n; i++) {
    const double z = dot(w, p->x[i]);
    sum += log_sigmoid(p->right[i] ? z : -z);
  }
  for (size_t k = 1; k < SN_CONF_N; k++)
    sum -= w[k] * w[k] / (2.0 * PRIOR_VARIANCE);
  return sum;
}

static void derive(const problem *p, const double *w, double *gradient,
                   double (*curvature)[SN_CONF_N]) {
  memset(gradient, 0, SN_CONF_N * sizeof *gradient);
  memset(curvature, 0, SN_CONF_N * sizeof *curvature);
  for (size_t i = 0; i < p->n; i++) {
    const double *const x = p->x[i];
    const double q = 1.0 / (1.0 + exp(-dot(w, x)));
    for (size_t a = 0; a < SN_CONF_N; a++) {
      gradient[a] += x[a] * ((p->right[i] ? 1.0 : 0.0) - q);
      for (size_t b = 0; b <= a; b++)
        curvature[a][b] += q * (1.0 - q) * x[a] * x[b];
    }
  }
  curvature[0][0] += 1e-9; /* where all is certain */
  for (size_t k = 1; k < SN_CONF_N; k++) {
    gradient[k] -= w[k] / PRIOR_VARIANCE;
    curvature[k][k] += 1.0 / PRIOR_VARIANCE;
  }
}

/* Solves a step = b for a symmetric a > 0, of which the lower half is given
 * and overwritten with its Cholesky factor. */
static void solve(double (*a)[SN_CONF_N], const double *b, double *step) {
  for (size_t i = 0; i < SN_CONF_N; i++)
    for (size_t k = 0; k <= i; k++) {
      double sum = a[i][k];
      for (size_t m = 0; m < k; m++) sum -= a[i][m] * a[k][m];
      a[i][k] = i == k ? sqrt(fmax(sum, 1e-12)) : sum / a[k][k];
    }
  for (size_t i = 0; i < SN_CONF_N; i++) {
    step[i] = b[i];
    for (size_t m = 0; m < i; m++) step[i] -= a[i][m] * step[m];
    step[i] /= a[i][i];
  }
  for (size_t i = SN_CONF_N; i-- > 0;) {
    for (size_t m = i + 1; m < SN_CONF_N; m++) step[i] -= a[m][i] * step[m];
    step[i] /= a[i][i];
  }
}

sn_status sn_conf_fit(const double (*x)[SN_CONF_N], const bool *right, size_t n,
                      sn_conf_model *out, sn_err *err) {
  const problem p = {x, right, n};
  size_t n_right = 0;
  for (size_t i = 0; i < n; i++) n_right += right[i];
  if (n < LEAST_WORDS || n_right == 0 || n_right == n)
    return sn_fail(err, SN_EARG,
                   "confidences are fitted on %d words or more, some right and "
                   "some wrong; there are %zu, of which %zu are right",
                   LEAST_WORDS, n, n_right);
  memset(out, 0, sizeof *out);
  double *const w = out->weights;
  double best = log_posterior(&p, w);
  for (int k = 0; k < MAX_STEPS; k++) {
    double gradient[SN_CONF_N], curvature[SN_CONF_N][SN_CONF_N];
    double step[SN_CONF_N], tried[SN_CONF_N], now = -INFINITY, scale = 1.0;
    derive(&p, w, gradient, curvature);
    solve(curvature, gradient, step);
    for (; scale > 1e-6; scale /= 2.0) {
      for (size_t i = 0; i < SN_CONF_N; i++) tried[i] = w[i] + scale * step[i];
      now = log_posterior(&p, tried);
      if (now > best) break;
    }
    if (!(now > best)) break;
    const double gain = now - best;
    memcpy(w, tried, sizeof tried);
    best = now;
    if (gain < 1e-10 * fabs(best)) break;
  }
  return SN_OK;
}

/* ---- Files ---- */

sn_status sn_conf_from_ini(const sn_ini *ini, sn_conf_model *out, bool *found,
                           sn_err *err) {
  const char *value = NULL;
  *found = sn_ini_key_at(ini, "confidence", 0, &value) != NULL;
  memset(out, 0, sizeof *out);
  for (size_t k = 0; *found && k < SN_CONF_N; k++) {
    SN_TRY(sn_ini_need(ini, "confidence", names[k], &value, err));
    SN_TRY(
        sn_ini_get_double(ini, "confidence", names[k], &out->weights[k], err));
    if (!(fabs(out->weights[k]) <= 1e6))
      return sn_fail(err, SN_EFORMAT, "[confidence] %s: %s is no weight",
                     names[k], value);
  }
  return SN_OK;
}

sn_status sn_conf_to_file(const sn_conf_model *m, const char *path,
                          sn_err *err) {
  sn_ini *ini = NULL;
  sn_str value = {0};
  SN_TRY(sn_file_exists(path) ? sn_ini_load(path, &ini, err)
                              : sn_ini_create(&ini, err));
  sn_status s = SN_OK;
  for (size_t k = 0; s == SN_OK && k < SN_CONF_N; k++) {
    sn_str_reset(&value);
    s = sn_str_addf(&value, err, "%.6g", m->weights[k]);
    if (s == SN_OK)
      s = sn_ini_set(ini, "confidence", names[k], sn_str_get(&value), err);
  }
  if (s == SN_OK) s = sn_ini_save(ini, path, err);
  sn_str_clear(&value);
  sn_ini_destroy(ini);
  return s;
}

/* ---- How good they are ---- */

double sn_conf_nce(const double *confidence, const bool *right, size_t n) {
  size_t n_right = 0;
  double told = 0.0;
  for (size_t i = 0; i < n; i++) {
    const double p = clamp(confidence[i], LEAST_NCE);
    told += log2(right[i] ? p : 1.0 - p);
    n_right += right[i];
  }
  if (n_right == 0 || n_right == n) return (double)NAN;
  const double m = (double)n_right, w = (double)(n - n_right), all = (double)n;
  const double base = -(m * log2(m / all) + w * log2(w / all));
  return (base + told) / base;
}
