/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/output.h - answers in the formats that other programs read. */
#ifndef SN_DECODER_OUTPUT_H
#define SN_DECODER_OUTPUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_out_format {
  SN_OUT_TEXT,     /* words, one line an utterance */
  SN_OUT_KALDI,    /* "ID words" */
  SN_OUT_TRN,      /* "words (ID)", sclite's transcript format */
  SN_OUT_JSON,     /* one object a line */
  SN_OUT_CTM,      /* "ID 1 BEGIN DURATION WORD [CONFIDENCE]", of NIST */
  SN_OUT_SRT,      /* SubRip subtitles */
  SN_OUT_VTT,      /* WebVTT subtitles (W3C) */
  SN_OUT_TEXTGRID, /* Praat: a tier of words, a tier of phones */
  SN_N_OUT
} sn_out_format;
/* "text|kaldi|...|TextGrid" in that order, for option tables. */
#define SN_OUT_CHOICES "text|kaldi|trn|json|ctm|srt|vtt|TextGrid"
/* Ending of files without the dot, for example "srt". */
const char *sn_out_ending(sn_out_format f);
/* Whether one output can hold several utterances. */
bool sn_out_many(sn_out_format f);

typedef struct sn_out_alternative {
  const char *text; /* empty: nothing */
  double posterior;
} sn_out_alternative;

typedef struct sn_out_word {
  const char *text;
  double begin_s, end_s; /* from the start of the recording */
  double graph_cost, acoustic_cost;
  bool has_confidence;
  double confidence; /* 0 to 1 */
  const sn_out_alternative *alternatives;
  size_t n_alternatives;
} sn_out_word;

typedef struct sn_out_sentence {
  const char *text;
  double graph_cost, acoustic_cost, posterior;
} sn_out_sentence;

typedef struct sn_out_phone {
  const char *text;
  double begin_s, end_s;
  bool is_filler;
} sn_out_phone;

/* All borrowed. Words and phones are in order of time. */
typedef struct sn_out_utt {
  const char *id;
  const sn_out_word *words;
  size_t n_words;
  const sn_out_phone *phones;
  size_t n_phones;
  double begin_s, end_s; /* of the utterance */
  double graph_cost, acoustic_cost;
  bool no_path, incomplete, no_speech, rescored;
  const sn_out_sentence *sentences; /* n best, best first */
  size_t n_sentences;
} sn_out_utt;

/* Adds the utterance to *out. Output is UTF-8: bytes that are not become
 * U+FFFD in JSON. Numbers are written the same in every locale. SN_ENOMEM. */
SN_NODISCARD sn_status sn_out_add(sn_out_format f, const sn_out_utt *u,
                                  sn_str *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
