/* SPDX-License-Identifier: Apache-2.0 */
/* lm/word_count.h - words of texts with their counts, and which of them to
 * take as a vocabulary. */
#ifndef SN_LM_WORD_COUNT_H
#define SN_LM_WORD_COUNT_H
#include <stdint.h>

#include "base/io.h"
#include "base/log.h"
#include "base/status.h"
#include "lm/text_source.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_word_count sn_word_count;
/* log: progress and interruption (SN_ECANCEL) of reading; may be NULL. */
SN_NODISCARD sn_status sn_word_count_create(sn_log *log, sn_word_count **out,
                                            sn_err *err);
void sn_word_count_destroy(sn_word_count *c); /* NULL is fine */

/* All words of a text, as t reads them: the same text as `lm count` accepts;
 * its sentences are t's. EFORMAT with "NAME:LINE". */
SN_NODISCARD sn_status sn_word_count_add_text(sn_word_count *c,
                                              sn_text_source *t, sn_reader *r,
                                              sn_err *err);
/* Keeps the words that a lexicon or list has: the first field of each line,
 * without a variant's "(2)". *n_types and *n_tokens say what went. */
SN_NODISCARD sn_status sn_word_count_keep_listed(sn_word_count *c, sn_reader *r,
                                                 int64_t *n_types,
                                                 int64_t *n_tokens,
                                                 sn_err *err);
/* Sorts: most frequent first, then by bytes. */
void sn_word_count_sort(sn_word_count *c);
/* i-th word and count, 0 <= i < n; NULL count is fine. Borrowed. */
int32_t sn_word_count_n(const sn_word_count *c);
const char *sn_word_count_get(const sn_word_count *c, int32_t i,
                              int64_t *count);
int64_t sn_word_count_total(const sn_word_count *c);

/* How many of the first words (sorted before) are needed so that a share
 * `coverage` (0 .. 1) of a held-out text's tokens is among them; all, when that
 * can not be reached. *reached: the share that they cover. EARG for an empty
 * text. */
SN_NODISCARD sn_status sn_word_count_cover(const sn_word_count *c,
                                           sn_reader *held_out, double coverage,
                                           int32_t *n, double *reached,
                                           sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
