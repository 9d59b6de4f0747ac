/* SPDX-License-Identifier: Apache-2.0 */
/* score/report.h - scores as text for people and as JSON for programs. */
#ifndef SN_SCORE_REPORT_H
#define SN_SCORE_REPORT_H
#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"
#include "score/score.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_report_interval {
  double low, high; /* rates, 1 = 100 %; NAN for a single unit */
} sn_report_interval;

/* One system's scores with all that a report names. All pointers borrowed. */
typedef struct sn_report {
  const sn_transcripts *ref, *hyp;
  const sn_score_words *words;
  const sn_score *score;
  const sn_symtab *speakers;   /* NULL: not asked for */
  const int32_t *speaker_of;   /* [n_utts] of the reference */
  sn_align_costs costs;        /* for the alignments shown */
  const sn_score_marks *marks; /* confidences; NULL: none */
  sn_bootstrap_opts bootstrap;
  /* Set by sn_report_intervals: */
  sn_report_interval wer, cer, wer_speakers, ser;
} sn_report;

/* Fills the intervals of r. SN_ENOMEM. */
SN_NODISCARD sn_status sn_report_intervals(sn_report *r, sn_err *err);

/* Each adds to out. SN_ENOMEM. */
SN_NODISCARD sn_status sn_report_text(const sn_report *r, sn_str *out,
                                      sn_err *err);
SN_NODISCARD sn_status sn_report_speakers(const sn_report *r, sn_str *out,
                                          sn_err *err);
/* Every utterance: counts, and reference above hypothesis, word below word. */
SN_NODISCARD sn_status sn_report_alignments(const sn_report *r, sn_str *out,
                                            sn_err *err);
/* One JSON object, without a line end; the alignments where asked. */
SN_NODISCARD sn_status sn_report_json(const sn_report *r, bool alignments,
                                      sn_str *out, sn_err *err);

/* The paired comparison of a with b, over utterances and (where a has
 * speakers) over speakers. */
typedef struct sn_comparison {
  sn_paired utts, speakers;
  bool has_speakers;
} sn_comparison;
SN_NODISCARD sn_status sn_report_compare(const sn_report *a, const sn_report *b,
                                         sn_comparison *out, sn_err *err);
SN_NODISCARD sn_status sn_report_comparison_text(const sn_report *a,
                                                 const sn_report *b,
                                                 const sn_comparison *c,
                                                 sn_str *out, sn_err *err);
SN_NODISCARD sn_status sn_report_comparison_json(const sn_comparison *c,
                                                 sn_str *out, sn_err *err);
/* Adds s as a JSON string with its quotes. */
SN_NODISCARD sn_status sn_report_json_string(const char *s, sn_str *out,
                                             sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
