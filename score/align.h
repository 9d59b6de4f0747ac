/* SPDX-License-Identifier: Apache-2.0 */
/* score/align.h - the alignment of two sequences of symbols. */
#ifndef SN_SCORE_ALIGN_H
#define SN_SCORE_ALIGN_H
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_align_op { SN_COR, SN_SUB, SN_DEL, SN_INS } sn_align_op;

typedef enum sn_align_costs {
  SN_ALIGN_EDITS, /* fewest errors; of those, fewest substitutions: so the
                     counts do not depend on a choice between ties */
  SN_ALIGN_SCLITE /* substitution 4, insertion 3, deletion 3 */
} sn_align_costs;

typedef struct sn_score_counts {
  int64_t n_ref, cor, sub, del, ins; /* n_ref = cor + sub + del */
} sn_score_counts;
int64_t sn_score_errors(const sn_score_counts *c); /* sub + del + ins */

/* Aligns hyp with ref.
 * ref, hyp  [in]  [n_ref], [n_hyp] symbols; equal ones cost nothing
 * counts    [out] sums over the alignment
 * ops       [out] [n_ref + n_hyp at most] or NULL; *n_ops (with it) are used,
 *                 in the order of the text
 * Ties: a cell takes the diagonal step if it is no dearer than the others,
 * else the deletion if it is cheaper than the insertion, else the insertion.
 * Cost: n_ref * n_hyp steps, a quarter of that in bytes.
 * Errors: SN_ENOMEM; SN_ELIMIT above 2^36 cells.
 * Source: Wagner and Fischer 1974; costs and order of ties as in sclite
 * (usnistgov/SCTK, src/sclite/net_dp.c and word.c). */
SN_NODISCARD sn_status sn_align(const int32_t *ref, size_t n_ref,
                                const int32_t *hyp, size_t n_hyp,
                                sn_align_costs costs, sn_score_counts *counts,
                                unsigned char *ops, size_t *n_ops, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
