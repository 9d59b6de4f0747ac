/* SPDX-License-Identifier: Apache-2.0 */
/* am/lda.h - linear discriminant analysis: the projection of feature vectors
 * that keeps classes (here: pdfs) apart.
 *
 * With the within-class covariance W and the between-class covariance B, the
 * rows v of the projection are the generalised eigenvectors B v = l W v of the
 * largest l, scaled so that v W v' = 1: the projected classes have, on the
 * average, the identity as their covariance.
 * Source: Fukunaga 1990, "Introduction to Statistical Pattern Recognition",
 * chapter 10; Haeb-Umbach and Ney 1992, "Linear discriminant analysis for
 * improved large vocabulary continuous speech recognition". */
#ifndef SN_AM_LDA_H
#define SN_AM_LDA_H
#include <stddef.h>

#include "base/mat.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Sums over frames; plain numbers, so that shards can be added. */
typedef struct sn_lda_stats {
  size_t dim, n_classes;
  double *occ;    /* [C] */
  double *sum;    /* [C x D] */
  double *second; /* [D (D + 1) / 2] of all classes together; packed: (i, j <=
                     i) at i (i + 1) / 2 + j */
} sn_lda_stats;
#define SN_LDA_MAX_DIM 2048

/* Zeroed sums. SN_EARG: dim not in 1..SN_LDA_MAX_DIM; SN_ENOMEM. */
SN_NODISCARD sn_status sn_lda_stats_init(sn_lda_stats *s, size_t dim,
                                         size_t n_classes, sn_err *err);
void sn_lda_stats_clear(sn_lda_stats *s); /* zeroed: fine */
void sn_lda_stats_reset(sn_lda_stats *s); /* back to zero, keeps memory */
/* to += from, of the same shape. */
void sn_lda_stats_add(sn_lda_stats *to, const sn_lda_stats *from);
/* A frame x [D] of a class. */
void sn_lda_stats_frame(sn_lda_stats *s, size_t class_id, const float *x);

/* The projection out [K x D], K <= D, the best direction first; of each row
 * the entry of largest magnitude is positive. values [K] (may be NULL): the
 * eigenvalues, between-class variance over within-class variance. Where there
 * are fewer than K + 1 classes the last values are 0, and those directions
 * tell nothing.
 * Errors: SN_EARG (K > D); SN_EMISMATCH: no frames, or W is singular, as for
 * a feature that never changes within a class, with the feature's index;
 * SN_EFORMAT: sums that are not finite; SN_ENOMEM. */
SN_NODISCARD sn_status sn_lda_estimate(const sn_lda_stats *s, sn_mat out,
                                       double *values, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
