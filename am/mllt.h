/* SPDX-License-Identifier: Apache-2.0 */
/* am/mllt.h - maximum likelihood linear transform (MLLT), also known as a
 * global semi-tied covariance (STC): one square matrix A of the features that
 * makes diagonal Gaussians fit them better.
 *
 * With the posteriors g of Gaussians m (mean mu, variance var) over frames x:
 *   beta = sum_t,m g,  G_d = sum_t,m g / var_md (x - mu_m) (x - mu_m)'
 *   Q(A) = beta log |det A| - 1/2 sum_d a_d G_d a_d'
 * and row d, given the others, is best at a_d = c G_d^-1 sqrt(beta / (c G_d^-1
 * c')), where c are the cofactors of row d.
 * Source: Gales 1999, "Semi-tied covariance matrices for hidden Markov
 * models", equations 20 to 24. */
#ifndef SN_AM_MLLT_H
#define SN_AM_MLLT_H
#include <stddef.h>

#include "am/mixtures.h"
#include "base/mat.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Sums over frames; plain numbers, so that shards can be added. */
typedef struct sn_mllt_stats {
  size_t dim;
  double beta; /* frames */
  double *G;   /* [D][D (D + 1) / 2], packed: (i, j <= i) at i (i+1)/2 + j */
} sn_mllt_stats;
#define SN_MLLT_MAX_DIM 512

/* Zeroed sums. SN_EARG: dim not in 1..SN_MLLT_MAX_DIM; SN_ENOMEM. */
SN_NODISCARD sn_status sn_mllt_stats_init(sn_mllt_stats *s, size_t dim,
                                          sn_err *err);
void sn_mllt_stats_clear(sn_mllt_stats *s); /* zeroed: fine */
void sn_mllt_stats_reset(sn_mllt_stats *s);
/* to += from, of the same dim. */
void sn_mllt_stats_add(sn_mllt_stats *to, const sn_mllt_stats *from);

/* Second moments of one pdf's Gaussians, from which its part of G comes: a
 * frame costs D^2 / 2 a Gaussian instead of D^3 / 2. */
typedef struct sn_mllt_pdf {
  size_t dim;
  double *occ;    /* [SN_MIX_MAX_GAUSS] */
  double *second; /* [SN_MIX_MAX_GAUSS][D (D + 1) / 2], about the means */
} sn_mllt_pdf;
SN_NODISCARD sn_status sn_mllt_pdf_init(sn_mllt_pdf *p, size_t dim,
                                        sn_err *err);
void sn_mllt_pdf_clear(sn_mllt_pdf *p);
/* A frame x [D] of `pdf`, with posteriors by `t`, the tables of m. */
void sn_mllt_pdf_frame(sn_mllt_pdf *p, const sn_mixtures *m,
                       const sn_mix_tables *t, int32_t pdf, const float *x);
/* Adds what p has to s, and sets p to zero for the next pdf. */
void sn_mllt_pdf_take(sn_mllt_pdf *p, const sn_mixtures *m, int32_t pdf,
                      sn_mllt_stats *s);

/* The transform out [D x D], from the identity by `sweeps` over its rows; none
 * lowers Q. *gain (may be NULL): (Q(out) - Q(identity)) / beta, nat a frame.
 * Errors: SN_EMISMATCH: fewer different frames than dimensions; SN_EFORMAT:
 * sums that are not finite; SN_ENOMEM. */
SN_NODISCARD sn_status sn_mllt_estimate(const sn_mllt_stats *s, int32_t sweeps,
                                        sn_mat out, double *gain, sn_err *err);
/* Q(a), a [D x D]. SN_ENOMEM. */
SN_NODISCARD sn_status sn_mllt_objective(const sn_mllt_stats *s, sn_cmat a,
                                         double *q, sn_err *err);
/* Means to the features that A makes. SN_ENOMEM. */
SN_NODISCARD sn_status sn_mllt_transform_means(sn_mixtures *m, sn_cmat a,
                                               sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
