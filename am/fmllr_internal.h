/* SPDX-License-Identifier: Apache-2.0 */
/* am/fmllr_internal.h - one row of a transform, for tests. */
#ifndef SN_AM_FMLLR_INTERNAL_H
#define SN_AM_FMLLR_INTERNAL_H
#include "am/fmllr.h"
#ifdef __cplusplus
extern "C" {
#endif

/* L of G = L L', [n] rows, both packed lower triangles. false: G is not
 * positive definite, to a relative 1e-10. */
bool sni_fmllr_cholesky(const double *G, size_t n, double *L);
/* x [n] = (L L')^-1 x */
void sni_fmllr_solve(const double *L, size_t n, double *x);

/* The row w that maximises beta log |p w'| + w k - 1/2 w G w', over both signs
 * of p w': w = (alpha p + k) G^-1.
 * L           [in] factors of G, [n] rows
 * p           [inout, n] spent
 * q           [inout, n] k; then w
 * unsolved_p  [out, n] p as it was */
void sni_fmllr_best_row(const double *L, size_t n, double beta, double *p,
                        double *q, double *unsolved_p);
#ifdef __cplusplus
}
#endif
#endif
