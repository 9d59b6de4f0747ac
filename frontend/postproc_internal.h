/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/postproc_internal.h - what postproc.c lends to postproc_stage.c. */
#ifndef SN_FRONTEND_POSTPROC_INTERNAL_H
#define SN_FRONTEND_POSTPROC_INTERNAL_H
#include "frontend/postproc.h"
#ifdef __cplusplus
extern "C" {
#endif

/* SN_EARG for variances without means. */
SN_NODISCARD sn_status sni_cmvn_check(sn_cmvn_opts opts, sn_err *err);
/* That, SN_EMISMATCH for another dim, SN_EARG for too few frames. */
SN_NODISCARD sn_status sni_cmvn_check_stats(const sn_cmvn_stats *s, size_t dim,
                                            sn_cmvn_opts opts, sn_err *err);
/* y = offset + scale * x, [dim] each; the statistics must have been checked. */
void sni_cmvn_norm(const sn_cmvn_stats *s, sn_cmvn_opts opts, double *offset,
                   double *scale);
/* in and out may be the same. */
void sni_cmvn_frame(const double *offset, const double *scale, size_t dim,
                    const float *in, float *out);
#ifdef __cplusplus
}
#endif
#endif
