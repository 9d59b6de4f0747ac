/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi's compressed matrices, to the bit.
 *
 * CM: four quantiles of each column (minimum, quarter, three quarters,
 * maximum), as 16-bit steps of the matrix's range, cut the column's range into
 * three parts of 64, 128 and 63 steps. CM2, CM3: 65,535 or 255 steps over the
 * matrix's range. Kaldi rounds with + 0.499 for steps of the range and + 0.5
 * for those of a column, and mixes float and double arithmetic; both are kept
 * so that the bytes come out the same.
 *
 * Source: Kaldi, matrix/compressed-matrix.{h,cc} (read for the format;
 * checked against archives that Kaldi wrote). */
#include <stdlib.h>
#include <string.h>

#include "base/kaldi_pack_internal.h"

#define N_QUANTILES 4

static double absolute(double x) { return x < 0 ? -x : x; }

size_t sni_pack_bytes(sni_packing p, size_t rows, size_t cols) {
  if (p == SNI_PACK_CM)
    return cols * N_QUANTILES * sizeof(uint16_t) + rows * cols;
  return rows * cols * (p == SNI_PACK_CM2 ? sizeof(uint16_t) : 1);
}

/* ---- Steps of the matrix's range ---- */

static unsigned to_steps(const sni_pack_header *h, float v, float n_steps) {
  float f = (v - h->min_value) / h->range;
  if (f > 1.0f) f = 1.0f;
  if (f < 0.0f) f = 0.0f;
  return (unsigned)((double)(f * n_steps) + 0.499);
}

static float from_uint16(const sni_pack_header *h, uint16_t v) {
  return h->min_value + h->range * 1.52590218966964e-05f * (float)v;
}

static void find_range(sn_cmat m, sni_pack_header *h) {
  float low = m.data[0], high = m.data[0];
  for (size_t r = 0; r < m.rows; r++) {
    const float *const row = sn_cmat_row(m, r);
    for (size_t c = 0; c < m.cols; c++) {
      if (row[c] < low) low = row[c];
      if (row[c] > high) high = row[c];
    }
  }
  if (high == low) /* a range of zero could not be divided by */
    high = (float)((double)low + (1.0 + absolute((double)low)));
  h->min_value = low;
  h->range = high - low;
  h->rows = (int32_t)m.rows;
  h->cols = (int32_t)m.cols;
}

/* ---- Columns ---- */

static int compare_floats(const void *a, const void *b) {
  float x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* Strictly increasing, so that no part has a width of zero. */
static void find_quantiles(const sni_pack_header *h, const float *sorted,
                           size_t n, uint16_t q[N_QUANTILES]) {
  const size_t quarter = n / 4;
  const size_t at[N_QUANTILES] = {0, n >= 5 ? quarter : 1,
                                  n >= 5 ? 3 * quarter : 2, n >= 5 ? n - 1 : 3};
  unsigned before = 0;
  for (unsigned i = 0; i < N_QUANTILES; i++) {
    const unsigned least = i > 0 ? before + 1 : 0, most = 65532 + i;
    unsigned v = at[i] < n ? to_steps(h, sorted[at[i]], 65535.0f) : least;
    if (v < least) v = least;
    if (v > most) v = most;
    q[i] = (uint16_t)v;
    before = v;
  }
}

/* The part of the column's range from a to b, in n steps from `first`. The
 * bounds come before the product, unlike in Kaldi, where a part of no width
 * (range below a's precision) converts NaN to int. */
static unsigned char part_step(float v, float a, float b, int first, int n) {
  float f = b > a ? (v - a) / (b - a) : 0.0f;
  if (f > 1.0f) f = 1.0f;
  if (f < 0.0f) f = 0.0f;
  return (unsigned char)(first + (int)((double)(f * (float)n) + 0.5));
}

static unsigned char to_char(const float p[N_QUANTILES], float v) {
  if (v < p[1]) return part_step(v, p[0], p[1], 0, 64);
  if (v < p[2]) return part_step(v, p[1], p[2], 64, 128);
  return part_step(v, p[2], p[3], 192, 63);
}

static float from_char(const float p[N_QUANTILES], unsigned char v) {
  if (v <= 64)
    return (float)((double)p[0] +
                   (double)((p[1] - p[0]) * (float)v) * (1 / 64.0));
  if (v <= 192)
    return (float)((double)p[1] +
                   (double)((p[2] - p[1]) * (float)(v - 64)) * (1 / 128.0));
  return (float)((double)p[2] +
                 (double)((p[3] - p[2]) * (float)(v - 192)) * (1 / 63.0));
}

static void quantile_values(const sni_pack_header *h,
                            const unsigned char *bytes, float p[N_QUANTILES]) {
  uint16_t q[N_QUANTILES];
  memcpy(q, bytes, sizeof q);
  for (size_t i = 0; i < N_QUANTILES; i++) p[i] = from_uint16(h, q[i]);
}

/* ---- Whole matrices ---- */

void sni_pack(sni_packing p, sn_cmat m, sni_pack_header *h,
              unsigned char *bytes, float *column) {
  find_range(m, h);
  if (p == SNI_PACK_CM) {
    unsigned char *to = bytes + m.cols * N_QUANTILES * sizeof(uint16_t);
    for (size_t c = 0; c < m.cols; c++) {
      for (size_t r = 0; r < m.rows; r++) column[r] = sn_cmat_row(m, r)[c];
      qsort(column, m.rows, sizeof *column, compare_floats);
      uint16_t q[N_QUANTILES];
      find_quantiles(h, column, m.rows, q);
      memcpy(bytes + c * sizeof q, q, sizeof q);
      float v[N_QUANTILES];
      quantile_values(h, bytes + c * sizeof q, v);
      for (size_t r = 0; r < m.rows; r++)
        *to++ = to_char(v, sn_cmat_row(m, r)[c]);
    }
    return;
  }
  for (size_t r = 0; r < m.rows; r++) {
    const float *const row = sn_cmat_row(m, r);
    for (size_t c = 0; c < m.cols; c++) {
      if (p == SNI_PACK_CM3) {
        *bytes++ = (unsigned char)to_steps(h, row[c], 255.0f);
      } else {
        const uint16_t v = (uint16_t)to_steps(h, row[c], 65535.0f);
        memcpy(bytes, &v, sizeof v);
        bytes += sizeof v;
      }
    }
  }
}

void sni_unpack(sni_packing p, const sni_pack_header *h,
                const unsigned char *bytes, sn_mat m) {
  if (p == SNI_PACK_CM) {
    const unsigned char *from = bytes + m.cols * N_QUANTILES * sizeof(uint16_t);
    for (size_t c = 0; c < m.cols; c++) {
      float v[N_QUANTILES];
      quantile_values(h, bytes + c * N_QUANTILES * sizeof(uint16_t), v);
      for (size_t r = 0; r < m.rows; r++)
        sn_mat_row(m, r)[c] = from_char(v, *from++);
    }
    return;
  }
  const float step =
      (float)((double)h->range * (p == SNI_PACK_CM2 ? 1.0 / 65535 : 1.0 / 255));
  for (size_t r = 0; r < m.rows; r++) {
    float *const row = sn_mat_row(m, r);
    for (size_t c = 0; c < m.cols; c++) {
      uint16_t v = 0;
      if (p == SNI_PACK_CM3) {
        v = *bytes++;
      } else {
        memcpy(&v, bytes, sizeof v);
        bytes += sizeof v;
      }
      row[c] = h->min_value + (float)v * step;
    }
  }
}
