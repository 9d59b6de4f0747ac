/* SPDX-License-Identifier: Apache-2.0 */
/* score/transcript.h - reference and hypothesis texts, read and normalised.
 *
 * Normalising is all that scoring forgives (docs/scoring.md): case; sentence
 * marks <s>, </s>; fillers <sil>, [NOISE], ++NOISE++, +SPN+; the number of a
 * pronunciation, word(2); and what a map file says. Nothing else. */
#ifndef SN_SCORE_TRANSCRIPT_H
#define SN_SCORE_TRANSCRIPT_H
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/opt.h"
#include "base/status.h"
#include "base/str.h"
#include "score/confidence.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- The words of all texts that are compared ---- */
typedef struct sn_score_words sn_score_words;
/* map_path: file of "word TAB replacement" lines (several words, or none, may
 * stand for one); NULL: no map. sclite: words are read as sclite reads them
 * (docs/scoring.md): ASCII case only, tags behind ';' and a '*' at the end
 * left out. Errors: SN_EIO; SN_EFORMAT path:line. */
SN_NODISCARD sn_status sn_score_words_create(const char *map_path, bool sclite,
                                             sn_score_words **out, sn_err *err);
void sn_score_words_destroy(sn_score_words *w); /* NULL is fine */
/* Borrowed. */
const char *sn_score_word(const sn_score_words *w, int32_t id);
/* Adds the ids of what one word of a text (valid UTF-8, no blanks) stands
 * for: none, one, or several. Errors: SN_ENOMEM; SN_EFORMAT, with sclite, for
 * the notations "{ a / b }" (alternatives) and "@", which are not supported. */
SN_NODISCARD sn_status sn_score_words_add(sn_score_words *w, sn_span word,
                                          sn_arr_i32 *ids, sn_err *err);

/* ---- Texts ---- */
typedef enum sn_trans_format {
  SN_TRANS_AUTO,  /* told by content */
  SN_TRANS_KALDI, /* utt-id word ... */
  SN_TRANS_TRN,   /* word ... (utt-id), also Sphinx: word ... (utt-id score) */
  SN_TRANS_CTM    /* utt-id channel start duration word [confidence] */
} sn_trans_format;
#define SN_TRANS_FORMAT_NAMES "auto|kaldi|trn|ctm"

typedef struct sn_utterance {
  int64_t line_no; /* where its id stands (first) */
  size_t first, n; /* in word_ids */
} sn_utterance;

typedef struct sn_transcripts {
  char *name;     /* path, for messages */
  sn_symtab *ids; /* utterance u has name u */
  SN_ARR(sn_utterance) utts;
  sn_arr_i32 word_ids;        /* in the sn_score_words */
  SN_ARR(sn_conf_word) marks; /* [word_ids.n] of a ctm; else none */
} sn_transcripts;

/* Reads a text; words (inout) takes its new words.
 * out    [out] initialised by this call; cleared on failure.
 * Errors: SN_EIO; SN_EFORMAT with path:line for text that is not UTF-8, an id
 * that comes twice (both lines), a line of another shape, or no utterance at
 * all; SN_ENOMEM. */
SN_NODISCARD sn_status sn_transcripts_read(const char *path,
                                           sn_trans_format format,
                                           sn_score_words *words,
                                           sn_transcripts *out, sn_err *err);
/* The same from memory; name stands in messages. */
SN_NODISCARD sn_status sn_transcripts_read_memory(
    const void *data, size_t n, const char *name, sn_trans_format format,
    sn_score_words *words, sn_transcripts *out, sn_err *err);
void sn_transcripts_clear(sn_transcripts *t); /* zeroed is fine */
/* The word ids of utterance u; *n of them. Borrowed. */
const int32_t *sn_transcripts_words(const sn_transcripts *t, int32_t u,
                                    size_t *n);

/* The speaker of each utterance of t, from a file of "utt-id speaker" lines.
 * speakers  [out] created; owned by the caller
 * of        [out] speaker id for each utterance of t
 * Errors: SN_EFORMAT path:line; SN_EMISMATCH naming an utterance that the file
 * does not have. */
SN_NODISCARD sn_status sn_speakers_read(const char *path,
                                        const sn_transcripts *t,
                                        sn_symtab **speakers, sn_arr_i32 *of,
                                        sn_err *err);
/* The same by sclite's rule for ids (-i spu_id): what stands before the first
 * '-', or else '_'; the whole id where it has neither. */
SN_NODISCARD sn_status sn_speakers_of_ids(const sn_transcripts *t,
                                          sn_symtab **speakers, sn_arr_i32 *of,
                                          sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
