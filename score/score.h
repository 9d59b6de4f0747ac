/* SPDX-License-Identifier: Apache-2.0 */
/* score/score.h - error rates of a hypothesis text against its reference. */
#ifndef SN_SCORE_SCORE_H
#define SN_SCORE_SCORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "score/align.h"
#include "score/bootstrap.h"
#include "score/confidence.h"
#include "score/transcript.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_score_opts {
  bool sclite; /* sclite's costs; else fewest errors */
  bool cer;    /* characters too */
} sn_score_opts;

/* Counts of every utterance of the reference, in its order. */
typedef struct sn_score {
  size_t n_utts;
  sn_score_counts *words; /* [n_utts] */
  sn_score_counts *chars; /* [n_utts], or NULL */
  sn_score_counts total, total_chars;
  int64_t n_wrong;    /* utterances with an error in their words */
  sn_arr_i32 missing; /* utterances of the reference that the hypothesis does
                         not have: all their words are deletions */
  sn_arr_i32 extra;   /* utterances of the hypothesis that the reference does
                         not have: not counted */
} sn_score;

/* Scores hyp against ref; both were read with the same `words`.
 * out  [out] sn_score_clear by the caller; cleared on failure
 * Characters are the code points of the normalised words; the blanks between
 * words are none.
 * Errors: SN_EMISMATCH when no utterance is in both; SN_EFORMAT when the
 * reference has no word at all; SN_ENOMEM; SN_ELIMIT (sn_align). */
SN_NODISCARD sn_status sn_score_compare(const sn_transcripts *ref,
                                        const sn_transcripts *hyp,
                                        const sn_score_words *words,
                                        const sn_score_opts *opts,
                                        sn_score *out, sn_err *err);
/* The words of hyp that have confidences, and whether each is right: equal to
 * the word of ref that it is aligned with. Utterances that ref does not have
 * are left out. Zeroed is empty; sn_score_marks_clear by the caller. */
typedef struct sn_score_marks {
  size_t n, n_without; /* words; those that have no confidence: not in n */
  double *confidence;  /* [n] */
  bool *right;         /* [n] */
  double (*features)[SN_CONF_N]; /* [n] */
  double nce;                    /* NAN where it has no value (sn_conf_nce) */
} sn_score_marks;
SN_NODISCARD sn_status sn_score_mark(const sn_transcripts *ref,
                                     const sn_transcripts *hyp,
                                     sn_align_costs costs, sn_score_marks *out,
                                     sn_err *err);
void sn_score_marks_clear(sn_score_marks *m);

void sn_score_clear(sn_score *s); /* zeroed is fine */

/* Adds b to *a. */
void sn_score_counts_add(sn_score_counts *a, const sn_score_counts *b);

/* Errors and reference words per group of utterances, for a table or a
 * bootstrap over speakers.
 * counts  [in]  [n_utts]
 * group   [in]  [n_utts] in [0, n_groups), or NULL: each utterance by itself
 * sums    [out] [n_groups] */
void sn_score_group(const sn_score_counts *counts, size_t n_utts,
                    const int32_t *group, sn_score_counts *sums,
                    size_t n_groups);

/* Interval of the error rate over units with these counts; low = high = the
 * rate when there is only one. Errors: SN_ENOMEM. */
SN_NODISCARD sn_status sn_score_interval(const sn_score_counts *units, size_t n,
                                         const sn_bootstrap_opts *opts,
                                         double *low, double *high,
                                         sn_err *err);
/* Comparison of two systems over the same units. */
SN_NODISCARD sn_status sn_score_paired(const sn_score_counts *a,
                                       const sn_score_counts *b, size_t n,
                                       const sn_bootstrap_opts *opts,
                                       sn_paired *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
