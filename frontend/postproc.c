/* SPDX-License-Identifier: Apache-2.0 */
/* CMVN statistics, per utterance and per speaker, and linear transforms.
 *
 * Sums are double and go over the frames in order, so that statistics do not
 * depend on how an utterance was cut into pieces. */
#include "frontend/postproc.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/kaldi_io.h"
#include "base/mem.h"
#include "base/str.h"
#include "frontend/postproc_internal.h"

/* ---- Statistics ---- */

sn_status sn_cmvn_stats_create(size_t dim, sn_cmvn_stats **out, sn_err *err) {
  SN_ASSERT(dim > 0 && out != NULL);
  *out = NULL;
  sn_cmvn_stats *const s = sn_calloc(1, sizeof *s);
  if (s == NULL) return sn_fail_nomem(err, "CMVN statistics");
  s->dim = dim;
  s->sum = sn_calloc(dim, sizeof *s->sum);
  s->sumsq = sn_calloc(dim, sizeof *s->sumsq);
  if (s->sum == NULL || s->sumsq == NULL) {
    sn_cmvn_stats_destroy(s);
    return sn_fail_nomem(err, "CMVN statistics");
  }
  *out = s;
  return SN_OK;
}

void sn_cmvn_stats_destroy(sn_cmvn_stats *s) {
  if (s == NULL) return;
  sn_free(s->sum);
  sn_free(s->sumsq);
  sn_free(s);
}

void sn_cmvn_stats_reset(sn_cmvn_stats *s) {
  s->count = 0.0;
  memset(s->sum, 0, s->dim * sizeof *s->sum);
  memset(s->sumsq, 0, s->dim * sizeof *s->sumsq);
}

void sn_cmvn_stats_add_frame(sn_cmvn_stats *s, const float *frame) {
  s->count += 1.0;
  for (size_t d = 0; d < s->dim; d++) {
    const double x = (double)frame[d];
    s->sum[d] += x;
    s->sumsq[d] += x * x;
  }
}

void sn_cmvn_stats_add(sn_cmvn_stats *s, sn_cmat frames) {
  SN_ASSERT(frames.rows == 0 || frames.cols == s->dim);
  for (size_t t = 0; t < frames.rows; t++)
    sn_cmvn_stats_add_frame(s, sn_cmat_row(frames, t));
}

void sn_cmvn_stats_merge(sn_cmvn_stats *into, const sn_cmvn_stats *from) {
  SN_ASSERT(into->dim == from->dim);
  into->count += from->count;
  for (size_t d = 0; d < into->dim; d++) {
    into->sum[d] += from->sum[d];
    into->sumsq[d] += from->sumsq[d];
  }
}

sn_status sn_cmvn_stats_from_mat(sn_cmat m, sn_cmvn_stats **out, sn_err *err) {
  *out = NULL;
  if (m.rows != 2 || m.cols < 2)
    return sn_fail(err, SN_EFORMAT,
                   "CMVN statistics: expected a matrix of 2 rows and one "
                   "column more than the features have, found %zu x %zu",
                   m.rows, m.cols);
  for (size_t r = 0; r < 2; r++)
    for (size_t c = 0; c < m.cols; c++)
      if (!isfinite(sn_cmat_row(m, r)[c]))
        return sn_fail(err, SN_EFORMAT,
                       "CMVN statistics: row %zu, column %zu is not a finite "
                       "number",
                       r + 1, c + 1);
  const size_t dim = m.cols - 1;
  const double count = (double)sn_cmat_row(m, 0)[dim];
  if (count < 0.0)
    return sn_fail(err, SN_EFORMAT,
                   "CMVN statistics: the count (row 1, column %zu) is %g, "
                   "below zero",
                   m.cols, count);
  SN_TRY(sn_cmvn_stats_create(dim, out, err));
  (*out)->count = count;
  for (size_t d = 0; d < dim; d++) {
    (*out)->sum[d] = (double)sn_cmat_row(m, 0)[d];
    (*out)->sumsq[d] = (double)sn_cmat_row(m, 1)[d];
  }
  return SN_OK;
}

void sn_cmvn_stats_to_mat(const sn_cmvn_stats *s, sn_mat m) {
  SN_ASSERT(m.rows == 2 && m.cols == s->dim + 1);
  for (size_t d = 0; d < s->dim; d++) {
    sn_mat_row(m, 0)[d] = (float)s->sum[d];
    sn_mat_row(m, 1)[d] = (float)s->sumsq[d];
  }
  sn_mat_row(m, 0)[s->dim] = (float)s->count;
  sn_mat_row(m, 1)[s->dim] = 0.0f;
}

/* ---- Applying them: y = offset + scale * x ---- */

sn_status sni_cmvn_check(sn_cmvn_opts opts, sn_err *err) {
  if (opts.norm_vars && !opts.norm_means)
    return sn_fail(err, SN_EARG,
                   "CMVN: variances are normalised only together with means; "
                   "set norm-means=true or norm-vars=false");
  return SN_OK;
}

void sni_cmvn_norm(const sn_cmvn_stats *s, sn_cmvn_opts opts, double *offset,
                   double *scale) {
  for (size_t d = 0; d < s->dim; d++) {
    const double mean = s->sum[d] / s->count;
    offset[d] = 0.0;
    scale[d] = 1.0;
    if (opts.norm_vars) /* the floor is Kaldi's: cmvn.cc, ApplyCmvn */
      scale[d] = 1.0 / sqrt(fmax(s->sumsq[d] / s->count - mean * mean, 1e-20));
    if (opts.norm_means) offset[d] = -mean * scale[d];
  }
}

void sni_cmvn_frame(const double *offset, const double *scale, size_t dim,
                    const float *in, float *out) {
  for (size_t d = 0; d < dim; d++)
    out[d] = (float)(offset[d] + scale[d] * (double)in[d]);
}

sn_status sni_cmvn_check_stats(const sn_cmvn_stats *s, size_t dim,
                               sn_cmvn_opts opts, sn_err *err) {
  SN_TRY(sni_cmvn_check(opts, err));
  if (s->dim != dim)
    return sn_fail(err, SN_EMISMATCH,
                   "CMVN: statistics are for %zu coefficients, the features "
                   "have %zu; were they made from other features?",
                   s->dim, dim);
  if (opts.norm_means && !(s->count >= 1.0))
    return sn_fail(err, SN_EARG,
                   "CMVN: statistics count %g frames, at least one is needed",
                   s->count);
  return SN_OK;
}

sn_status sn_cmvn_apply(const sn_cmvn_stats *s, sn_cmvn_opts opts,
                        sn_mat frames, sn_err *err) {
  if (frames.rows == 0) return SN_OK;
  SN_TRY(sni_cmvn_check_stats(s, frames.cols, opts, err));
  double *const norm = sn_calloc(2 * s->dim, sizeof *norm);
  if (norm == NULL) return sn_fail_nomem(err, "CMVN");
  sni_cmvn_norm(s, opts, norm, norm + s->dim);
  for (size_t t = 0; t < frames.rows; t++)
    sni_cmvn_frame(norm, norm + s->dim, s->dim, sn_mat_row(frames, t),
                   sn_mat_row(frames, t));
  sn_free(norm);
  return SN_OK;
}

/* ---- By speaker ---- */

struct sn_spk_cmvn {
  size_t dim;
  sn_symtab *names;
  SN_ARR(sn_cmvn_stats *) stats; /* by name's id */
};

sn_status sn_spk_cmvn_create(size_t dim, sn_spk_cmvn **out, sn_err *err) {
  SN_ASSERT(dim > 0);
  *out = NULL;
  sn_spk_cmvn *const s = sn_calloc(1, sizeof *s);
  if (s == NULL) return sn_fail_nomem(err, "speaker CMVN");
  s->dim = dim;
  const sn_status st = sn_symtab_create(&s->names, err);
  if (st != SN_OK) {
    sn_spk_cmvn_destroy(s);
    return st;
  }
  *out = s;
  return SN_OK;
}

void sn_spk_cmvn_destroy(sn_spk_cmvn *s) {
  if (s == NULL) return;
  for (size_t i = 0; i < s->stats.n; i++)
    sn_cmvn_stats_destroy(s->stats.data[i]);
  SN_ARR_FREE(&s->stats);
  sn_symtab_destroy(s->names);
  sn_free(s);
}

/* A name is entered last, when its statistics are there. */
static sn_status add_speaker(sn_spk_cmvn *s, const char *speaker, int32_t *id,
                             sn_err *err) {
  SN_TRY(SN_ARR_RESERVE(&s->stats, s->stats.n + 1, err));
  sn_cmvn_stats *stats = NULL;
  SN_TRY(sn_cmvn_stats_create(s->dim, &stats, err));
  const sn_status st =
      sn_symtab_add(s->names, speaker, strlen(speaker), id, err);
  if (st != SN_OK) {
    sn_cmvn_stats_destroy(stats);
    return st;
  }
  SN_ASSERT((size_t)*id == s->stats.n);
  s->stats.data[s->stats.n++] = stats;
  return SN_OK;
}

sn_status sn_spk_cmvn_add(sn_spk_cmvn *s, const char *speaker, sn_cmat frames,
                          sn_err *err) {
  if (frames.rows > 0 && frames.cols != s->dim)
    return sn_fail(err, SN_EMISMATCH,
                   "speaker '%s': features of %zu coefficients, those before "
                   "had %zu",
                   speaker, frames.cols, s->dim);
  int32_t id = sn_symtab_finds(s->names, speaker);
  if (id < 0) SN_TRY(add_speaker(s, speaker, &id, err));
  sn_cmvn_stats_add(s->stats.data[id], frames);
  return SN_OK;
}

const sn_cmvn_stats *sn_spk_cmvn_find(const sn_spk_cmvn *s,
                                      const char *speaker) {
  const int32_t id = sn_symtab_finds(s->names, speaker);
  if (id < 0 || s->stats.data[id]->count < 1.0) return NULL;
  return s->stats.data[id];
}

/* ---- Linear transforms ---- */

struct sn_transform {
  sn_mat m; /* [out x in] or [out x (in + 1)] */
};

sn_status sn_transform_create(sn_cmat m, sn_transform **out, sn_err *err) {
  *out = NULL;
  if (m.rows == 0 || m.cols == 0)
    return sn_fail(err, SN_EARG, "transform: the matrix is empty (%zu x %zu)",
                   m.rows, m.cols);
  for (size_t r = 0; r < m.rows; r++)
    for (size_t c = 0; c < m.cols; c++)
      if (!isfinite(sn_cmat_row(m, r)[c]))
        return sn_fail(err, SN_EARG,
                       "transform: row %zu, column %zu is not a finite number",
                       r + 1, c + 1);
  sn_transform *const t = sn_calloc(1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "transform");
  const sn_status s = sn_mat_alloc(m.rows, m.cols, &t->m, err);
  if (s != SN_OK) {
    sn_free(t);
    return s;
  }
  sn_mat_copy(m, t->m);
  *out = t;
  return SN_OK;
}

sn_status sn_transform_load(const char *path, sn_transform **out, sn_err *err) {
  *out = NULL;
  sn_reader *r = NULL;
  sn_mat m = {0};
  sn_status s = sn_reader_open(path, &r, err);
  if (s == SN_OK) s = sn_kaldi_read_mat(r, &m, err);
  if (s == SN_OK) {
    s = sn_transform_create(sn_mat_const(m), out, err);
    if (s == SN_EARG) s = SN_EFORMAT; /* what it says is about the file */
    if (s != SN_OK && err != NULL) err->code = s;
    if (s != SN_OK) sn_err_context(err, "'%s'", path);
  }
  sn_mat_free(&m);
  sn_reader_destroy(r);
  return s;
}

void sn_transform_destroy(sn_transform *t) {
  if (t == NULL) return;
  sn_mat_free(&t->m);
  sn_free(t);
}

size_t sn_transform_out_dim(const sn_transform *t) { return t->m.rows; }

sn_status sn_transform_check(const sn_transform *t, size_t in_dim,
                             sn_err *err) {
  if (t->m.cols == in_dim || t->m.cols == in_dim + 1) return SN_OK;
  return sn_fail(err, SN_EMISMATCH,
                 "transform of %zu x %zu: features of %zu coefficients (or "
                 "%zu for an affine one) fit, these have %zu",
                 t->m.rows, t->m.cols, t->m.cols, t->m.cols - 1, in_dim);
}

void sn_transform_frame(const sn_transform *t, const float *in, size_t in_dim,
                        float *out) {
  SN_ASSERT(t->m.cols == in_dim || t->m.cols == in_dim + 1);
  for (size_t r = 0; r < t->m.rows; r++) {
    const float *const a = sn_mat_row(t->m, r);
    double sum = t->m.cols > in_dim ? (double)a[in_dim] : 0.0;
    for (size_t c = 0; c < in_dim; c++) sum += (double)a[c] * (double)in[c];
    out[r] = (float)sum;
  }
}

sn_status sn_transform_apply(const sn_transform *t, sn_cmat in, sn_mat out,
                             sn_err *err) {
  if (in.rows == 0) return SN_OK;
  SN_TRY(sn_transform_check(t, in.cols, err));
  SN_ASSERT(out.rows == in.rows && out.cols == t->m.rows);
  for (size_t i = 0; i < in.rows; i++)
    sn_transform_frame(t, sn_cmat_row(in, i), in.cols, sn_mat_row(out, i));
  return SN_OK;
}
