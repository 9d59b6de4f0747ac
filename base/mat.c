/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix views and their products. */
#include "base/mat.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"

#define FLOATS_PER_LINE 16u /* 64 bytes */

sn_status sn_mat_alloc(size_t rows, size_t cols, sn_mat *out, sn_err *err) {
  const sn_mat none = {NULL, 0, 0, 0};
  *out = none;
  if (cols > SIZE_MAX / 2 || (rows > 0 && cols > SIZE_MAX / 8 / rows))
    return sn_fail(err, SN_ENOMEM, "out of memory for %zu x %zu floats", rows,
                   cols);
  const size_t stride =
      (cols + FLOATS_PER_LINE - 1) / FLOATS_PER_LINE * FLOATS_PER_LINE;
  float *const data = stride != 0 && rows > SIZE_MAX / stride
                          ? NULL
                          : sn_calloc_aligned(rows * stride, sizeof *data);
  if (data == NULL)
    return sn_fail(err, SN_ENOMEM, "out of memory for %zu x %zu floats", rows,
                   cols);
  const sn_mat m = {data, rows, cols, stride};
  *out = m;
  return SN_OK;
}

void sn_mat_free(sn_mat *m) {
  sn_free_aligned(m->data);
  m->data = NULL;
  m->rows = m->cols = m->stride = 0;
}

sn_mat sn_mat_rows(sn_mat m, size_t first, size_t n) {
  SN_ASSERT(first <= m.rows && n <= m.rows - first);
  m.data += first * m.stride;
  m.rows = n;
  return m;
}

void sn_mat_copy(sn_cmat from, sn_mat to) {
  SN_ASSERT(from.rows == to.rows && from.cols == to.cols);
  for (size_t r = 0; from.cols > 0 && r < from.rows; r++)
    memcpy(sn_mat_row(to, r), sn_cmat_row(from, r), from.cols * sizeof(float));
}

static int blas_int(size_t n) {
  SN_ASSERT(n <= INT_MAX);
  return (int)n;
}

/* BLAS wants a leading dimension of at least 1 also where there is nothing. */
static int leading(size_t stride) { return blas_int(stride > 0 ? stride : 1); }

void sn_mat_gemm(float alpha, sn_cmat a, bool trans_a, sn_cmat b, bool trans_b,
                 float beta, sn_mat c) {
  const size_t k = trans_a ? a.rows : a.cols;
  SN_ASSERT((trans_a ? a.cols : a.rows) == c.rows);
  SN_ASSERT((trans_b ? b.rows : b.cols) == c.cols);
  SN_ASSERT((trans_b ? b.cols : b.rows) == k);
  if (c.rows == 0 || c.cols == 0) return;
  cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
              trans_b ? CblasTrans : CblasNoTrans, blas_int(c.rows),
              blas_int(c.cols), blas_int(k), alpha, a.data, leading(a.stride),
              b.data, leading(b.stride), beta, c.data, leading(c.stride));
}

void sn_blas_single_thread(void) {
  /* Setting it would start threads that were ended. */
  if (openblas_get_num_threads() != 1) openblas_set_num_threads(1);
}

/* What OpenBLAS itself calls before a fork; a build without threads, or
 * another library in its place, lacks it. */
int blas_thread_shutdown_(void) __attribute__((weak));

void sn_blas_end_threads(void) {
  sn_blas_single_thread();
  if (blas_thread_shutdown_ != NULL) (void)blas_thread_shutdown_();
}
