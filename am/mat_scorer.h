/* SPDX-License-Identifier: Apache-2.0 */
/* am/mat_scorer.h - scores that were computed before: rows of a matrix. */
#ifndef SN_AM_MAT_SCORER_H
#define SN_AM_MAT_SCORER_H
#include "base/mat.h"
#include "base/scorer.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* All rows of m are ready at once; its columns are the pdfs, natural-log
 * likelihoods, unscaled.
 * m        [frames x pdfs] borrowed until destroy
 * frame_s  seconds a frame
 * SN_EARG: more columns than an int32_t counts; SN_EFORMAT: a NaN or +infinity,
 * with row and column; SN_ENOMEM. */
SN_NODISCARD sn_status sn_mat_scorer_create(sn_cmat m, double frame_s,
                                            sn_scorer **out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
