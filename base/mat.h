/* SPDX-License-Identifier: Apache-2.0 */
/* base/mat.h - views of row-major float matrices; products by OpenBLAS. */
#ifndef SN_BASE_MAT_H
#define SN_BASE_MAT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A view: passed by value, owns nothing. Row r starts at data + r * stride;
 * stride >= cols, in floats. Frames are rows. */
typedef struct sn_mat {
  float *data;
  size_t rows, cols, stride;
} sn_mat;

typedef struct sn_cmat {
  const float *data;
  size_t rows, cols, stride;
} sn_cmat;

static inline sn_cmat sn_mat_const(sn_mat m) {
  const sn_cmat c = {m.data, m.rows, m.cols, m.stride};
  return c;
}
static inline float *sn_mat_row(sn_mat m, size_t r) {
  return m.data + r * m.stride;
}
static inline const float *sn_cmat_row(sn_cmat m, size_t r) {
  return m.data + r * m.stride;
}

/* Zeroed storage whose rows start on 64-byte boundaries; release it with
 * sn_mat_free. SN_ENOMEM. */
SN_NODISCARD sn_status sn_mat_alloc(size_t rows, size_t cols, sn_mat *out,
                                    sn_err *err);
void sn_mat_free(sn_mat *m); /* a zeroed view is fine */
sn_mat sn_mat_rows(sn_mat m, size_t first, size_t n); /* view of some rows */
void sn_mat_copy(sn_cmat from, sn_mat to);            /* same shape */

/* c = alpha * op(a) * op(b) + beta * c; op is transposition where said. c may
 * overlap neither a nor b. */
void sn_mat_gemm(float alpha, sn_cmat a, bool trans_a, sn_cmat b, bool trans_b,
                 float beta, sn_mat c);

/* Holds OpenBLAS to one thread for the whole process: our own workers do the
 * parallel part, and results do not depend on the machine. Called by whoever
 * starts workers; cheap, may be called often. */
void sn_blas_single_thread(void);

/* The same for a program whose every part does so: ends OpenBLAS's threads as
 * well, which wait for work in a loop that takes CPU time. For main() alone,
 * before any thread is started. Where OpenBLAS has no threads, nothing happens.
 */
void sn_blas_end_threads(void);
#ifdef __cplusplus
}
#endif
#endif
