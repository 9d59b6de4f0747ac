/* SPDX-License-Identifier: Apache-2.0 */
/* Log mel spectra to cepstra, in sphinxbase's three manners.
 *
 *   legacy  c[i] = sum_j b_j s_j cos(pi i (j + 1/2) / N) / N, b_0 = 1/2, else 1
 *   dct     the orthonormal DCT-II
 *   htk     as dct, c[0] times sqrt 2
 * followed by the lifter 1 + L/2 sin(pi i / L), L/2 being an integer division.
 * smoothspec goes back by the DCT-III of ncep terms. The matrices hold all
 * factors, so a frame is one matrix-vector product.
 *
 * Source: sphinxbase 0.8+5prealpha, fe/fe_sigproc.c (fe_spec2cep, fe_dct2,
 * fe_dct3, fe_lifter). Deviates: sums are kept in double; sphinxbase rounds
 * each partial sum to float, a difference below 1e-4. */
#include <math.h>

#include "base/mem.h"
#include "frontend/sphinx_mel_internal.h"

static const double pi = 3.14159265358979323846;

struct sni_sphinx_dct {
  size_t n_filters, n_cep, dim;
  bool raw, smooth;
  double *forward; /* [ncep x nfilt] */
  double *back;    /* [nfilt x ncep], smoothspec only */
  double *lifter;  /* [ncep], NULL: none */
};

void sni_sphinx_dct_destroy(sni_sphinx_dct *d) {
  if (d == NULL) return;
  sn_free(d->forward);
  sn_free(d->back);
  sn_free(d->lifter);
  sn_free(d);
}

static double forward_factor(const sni_sphinx_opts *o, size_t i, size_t j) {
  const double n = (double)o->nfilt;
  const double cosine = cos(pi / n * (double)i * ((double)j + 0.5));
  const int32_t kind = o->smoothspec ? SNI_SPHINX_DCT : o->transform;
  if (kind == SNI_SPHINX_LEGACY) return cosine * (j == 0 ? 0.5 : 1.0) / n;
  if (i == 0 && kind == SNI_SPHINX_DCT) return sqrt(1.0 / n);
  return cosine * sqrt(2.0 / n);
}

static void fill(sni_sphinx_dct *d, const sni_sphinx_opts *o) {
  const double n = (double)o->nfilt;
  for (size_t i = 0; i < d->n_cep; i++)
    for (size_t j = 0; j < d->n_filters; j++)
      d->forward[i * d->n_filters + j] = forward_factor(o, i, j);
  if (d->back != NULL)
    for (size_t j = 0; j < d->n_filters; j++)
      for (size_t i = 0; i < d->n_cep; i++)
        d->back[j * d->n_cep + i] =
            sqrt(2.0 / n) *
            (i == 0 ? sqrt(0.5) : cos(pi / n * (double)i * ((double)j + 0.5)));
  if (d->lifter != NULL)
    for (size_t i = 0; i < d->n_cep; i++)
      d->lifter[i] = 1.0 + (double)(o->lifter / 2) *
                               sin((double)i * pi / (double)o->lifter);
}

sn_status sni_sphinx_dct_create(const sni_sphinx_opts *o, sni_sphinx_dct **out,
                                sn_err *err) {
  *out = NULL;
  sni_sphinx_dct *d = sn_calloc(1, sizeof *d);
  if (d == NULL) return sn_fail_nomem(err, "cosine transform");
  d->n_filters = (size_t)o->nfilt;
  d->n_cep = (size_t)o->ncep;
  d->smooth = o->smoothspec;
  d->raw = o->logspec && !o->smoothspec;
  d->dim = d->raw || d->smooth ? d->n_filters : d->n_cep;
  d->forward = sn_calloc(d->n_cep * d->n_filters, sizeof *d->forward);
  if (d->smooth) d->back = sn_calloc(d->n_cep * d->n_filters, sizeof *d->back);
  if (o->lifter != 0) d->lifter = sn_calloc(d->n_cep, sizeof *d->lifter);
  if (d->forward == NULL || (d->smooth && d->back == NULL) ||
      (o->lifter != 0 && d->lifter == NULL)) {
    sni_sphinx_dct_destroy(d);
    return sn_fail_nomem(err, "cosine transform");
  }
  fill(d, o);
  *out = d;
  return SN_OK;
}

size_t sni_sphinx_dct_dim(const sni_sphinx_dct *d) { return d->dim; }

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

void sni_sphinx_dct_apply(const sni_sphinx_dct *d, double *log_mel,
                          float *frame) {
  if (d->raw) {
    for (size_t i = 0; i < d->dim; i++) frame[i] = (float)log_mel[i];
  } else {
    double cep[256]; /* ncep <= 255 by the option table */
    for (size_t i = 0; i < d->n_cep; i++)
      cep[i] = dot(d->forward + i * d->n_filters, log_mel, d->n_filters);
    if (d->smooth)
      for (size_t j = 0; j < d->n_filters; j++)
        frame[j] = (float)dot(d->back + j * d->n_cep, cep, d->n_cep);
    else
      for (size_t i = 0; i < d->n_cep; i++) frame[i] = (float)cep[i];
  }
  /* sphinxbase lifters spectra too */
  if (d->lifter != NULL)
    for (size_t i = 0; i < d->n_cep && i < d->dim; i++)
      frame[i] = (float)((double)frame[i] * d->lifter[i]);
}
