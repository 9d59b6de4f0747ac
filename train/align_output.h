/* SPDX-License-Identifier: Apache-2.0 */
/* train/align_output.h - alignments as text. */
#ifndef SN_TRAIN_ALIGN_OUTPUT_H
#define SN_TRAIN_ALIGN_OUTPUT_H
#include "base/status.h"
#include "base/str.h"
#include "train/force_align.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_align_form {
  SN_ALIGN_OWN,        /* docs/alignment.md */
  SN_ALIGN_CTM,        /* words, NIST's time-marked format */
  SN_ALIGN_CTM_PHONES, /* phones in the same */
  SN_ALIGN_TEXTGRID,   /* Praat: one utterance a file */
  SN_ALIGN_JSON,       /* one object a line, as senone transcribe's */
  SN_ALIGN_SRT,        /* subtitles: one utterance a file */
  SN_ALIGN_VTT
} sn_align_form;
/* In that order, for option tables. */
#define SN_ALIGN_FORMS "ali|ctm|ctm-phones|TextGrid|json|srt|vtt"
const char *sn_align_ending(sn_align_form f); /* of files, without the dot */
bool sn_align_many(sn_align_form f); /* whether one file can hold several */
/* Adds a done alignment to out. SN_ENOMEM. */
SN_NODISCARD sn_status sn_align_format(sn_align_form f, const char *id,
                                       const sn_alignment *a, sn_str *out,
                                       sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
